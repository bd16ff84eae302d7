/* job_describe.c - every class with its arguments, defaults and help: from here come the form, completion and the docs.
 */
#include "engine/compile/compile.h"
#include "engine/data/dataset.h"
#include "engine/train/callbacks.h"
#include "engine/worker/jobs.h"
#include "persistence/config/run_config.h"

#include <string.h>

static json_t *config_json(void)
{
    size_t n;
    const struct config_key *keys = config_keys(&n);
    json_t *all = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *key = json_pack("{s:s,s:s,s:s,s:b}", "path", keys[i].path, "types", keys[i].types, "help", keys[i].help,
                                "required", keys[i].required);
        if (keys[i].initial)
            json_object_set_new(key, "default",
                                js_parse(keys[i].initial, strlen(keys[i].initial), keys[i].path, JS_STRICT, NULL));
        if (keys[i].choices)
            json_object_set_new(key, "choices", json_string(keys[i].choices));
        json_array_append_new(all, key);
    }
    return all;
}

static void join(json_t *into, json_t *taken)
{
    json_object_update(into, taken);
    json_decref(taken);
}

bool job_describe(const json_t *request, struct answer *answer, struct err *err)
{
    (void)request;
    (void)err;
    json_t *result = layers_describe();
    join(result, compile_describe());
    join(result, datasets_describe());
    json_object_set_new(result, "callbacks", callbacks_describe());
    json_object_set_new(result, "config", config_json());
    answer_result(answer, result);
    return true;
}
