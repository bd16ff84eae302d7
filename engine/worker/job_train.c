/* job_train.c - a new run from a config. See launch.h. */
#include "base/io.h"
#include "engine/worker/jobs.h"
#include "engine/worker/launch.h"
#include "persistence/run_config.h"

#include <stdlib.h>

/* The config as it will be kept with the run; new reference. */
static json_t *resolve(const json_t *request, const char *where, const char *folder, struct err *err)
{
    const json_t *given = json_object_get(request, "config");
    if (!json_is_object(given))
        return err_null(err, ERR_USAGE, "the request has no 'config'");
    json_t *config = json_deep_copy(given);
    const char *device = js_string(request, "device", NULL);
    if (device)
        json_object_set_new(config, "device", json_string(device));
    if (!config_check(config, where, err)) {
        json_decref(config);
        return NULL;
    }
    config_resolve(config, folder);
    return config;
}

static bool make_run(struct launch *launch, const json_t *request, const json_t *config, struct err *err)
{
    const char *home = request_path(request, "home", err);
    if (!home)
        return false;
    const json_t *tags = json_object_get(request, "tags");
    const char **names = xcalloc(json_array_size(tags) + 1, sizeof *names);
    struct run_identity identity = {.name = js_string(request, "name", js_string(config, "name", "run")),
                                    .tags = names,
                                    .device = js_string(config, "device", "auto")};
    for (size_t i = 0; i < json_array_size(tags); i++)
        if (json_is_string(json_array_get(tags, i)))
            names[identity.n_tags++] = json_string_value(json_array_get(tags, i));
    bool ok = run_create(home, &identity, config, &launch->id, err);
    free(names);
    launch->folder = ok ? path_join(home, launch->id) : NULL;
    return ok;
}

bool job_train(const json_t *request, struct answer *answer, struct err *err)
{
    control_block_signals();
    struct launch launch = {0};
    const char *where = js_string(request, "where", "the config"), *folder = request_path(request, "folder", err);
    json_t *config = folder ? resolve(request, where, folder, err) : NULL;
    const struct session_options options = {
        .config = config, .folder = folder, .where = where, .threads = request_threads(request)};
    bool ok = config && launch_ask_profile(&launch, request, err) && launch_prepare(&launch, &options, err);
    if (ok)
        launch_note_lines(&launch, "warning", str_text(&launch.session->warnings));
    ok = ok && make_run(&launch, request, config, err) && launch_begin(&launch, err) &&
         launch_run(&launch,
                    json_pack("{s:s,s:s,s:i}", "event", "started", "device", launch.session->backend->name, "threads",
                              launch.session->n_threads),
                    answer, err);
    launch_release(&launch);
    json_decref(config);
    return ok;
}
