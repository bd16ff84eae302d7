/* checkpoint_session.c - see checkpoint_session.h */
#include "engine/worker/checkpoint_session.h"
#include "engine/worker/jobs.h"
#include "persistence/config/run_config.h"
#include "persistence/runs/run_folder.h"

#include <stdlib.h>
#include <string.h>

/* The config of the run or of the request; an empty one for a bare file. */
static json_t *choose_config(const json_t *request, struct err *err)
{
    const json_t *given = json_object_get(request, "config");
    const char *run = js_string(request, "run", NULL);
    if (json_is_object(given))
        return json_deep_copy(given);
    return run ? run_read_config(run, err) : json_object();
}

static json_t *choose_data(const json_t *config, const json_t *overrides)
{
    const json_t *own = json_object_get(config, "data");
    if (!json_object_size(overrides))
        return json_is_object(own) ? json_deep_copy(own) : NULL;
    if (json_object_get(overrides, "format") || !json_is_object(own))
        return json_deep_copy(overrides);
    json_t *data = json_deep_copy(own);
    json_object_update((json_t *)data, (json_t *)overrides);
    return data;
}

static int64_t choose_batch(const json_t *request, const json_t *config)
{
    const json_t *fit = json_object_get(config, "fit");
    int64_t batch = js_int(request, "batch_size", 0);
    batch = batch ? batch : js_int(fit, "validation_batch_size", 0);
    return batch ? batch : js_int(fit, "batch_size", 32);
}

bool checkpoint_session_open(struct checkpoint_session *cs, const json_t *request, bool without_data, struct err *err)
{
    *cs = (struct checkpoint_session){0};
    cs->checkpoint = request_path(request, "checkpoint", err);
    cs->config = cs->checkpoint ? choose_config(request, err) : NULL;
    if (!cs->config)
        return false;
    cs->data = choose_data(cs->config, json_object_get(request, "data"));
    cs->batch = choose_batch(request, cs->config);
    const char *given = js_string(request, "folder", NULL);
    cs->folder = xstrdup(js_string(cs->config, "folder", given ? given : "."));
    if (json_object_size(json_object_get(request, "data")) && given) {
        free(cs->folder); /* paths of overrides were typed where the person stands */
        cs->folder = xstrdup(given);
    }
    bool ok = !cs->data || config_check_data(cs->data, cs->checkpoint, err);
    if (ok && !without_data && !cs->data)
        ok = err_set(
            err, ERR_USAGE,
            "'%s' comes without data: give a config (--config) or say which (--data format=... --data path=...)",
            cs->checkpoint);
    bool text = json_object_get(request, "prompt") || !strcmp(js_string(cs->data, "format", ""), "text");
    const struct shape window = SHAPE(js_int(cs->data, "sequence_length", TEXT_SEQUENCE_LENGTH));
    const struct session_options options = {.config = cs->config,
                                            .folder = cs->folder,
                                            .where = cs->checkpoint,
                                            .checkpoint = cs->checkpoint,
                                            .model = SESSION_MODEL_OF_FILE,
                                            .data = cs->data,
                                            .device = js_string(request, "device", NULL),
                                            .threads = request_threads(request),
                                            .inference = true,
                                            .without_data = without_data,
                                            .sample_shape = without_data && text ? &window : NULL};
    cs->session = ok ? session_open(&options, err) : NULL;
    if (!cs->session || !session_start_device(cs->session, err)) {
        checkpoint_session_close(cs);
        return false;
    }
    return true;
}

void checkpoint_session_close(struct checkpoint_session *cs)
{
    session_close(cs->session);
    json_decref(cs->config);
    json_decref(cs->data);
    free(cs->folder);
    *cs = (struct checkpoint_session){0};
}

bool checkpoint_session_split(const struct checkpoint_session *cs, const char *name, enum split *split, struct err *err)
{
    const struct dataset *data = cs->session->data;
    static const enum split order[] = {SPLIT_TEST, SPLIT_VALIDATION, SPLIT_TRAIN};
    for (int i = 0; i < SPLIT_COUNT; i++) {
        *split = order[i];
        if (name ? !strcmp(name, split_names[*split]) : data->n_samples[*split] > 0)
            return data->n_samples[*split] > 0 ||
                   err_set(err, ERR_USAGE, "the %s part of the data has no samples", split_names[*split]);
    }
    return err_set(err, ERR_USAGE,
                   name ? "there is no part '%s' of the data, expected train, validation or test"
                        : "the data have no samples%s",
                   name ? name : "");
}

static void send_progress(void *context, double share, double left_s)
{
    answer_progress(context, share, left_s, "working");
}

struct watcher answer_watcher(struct answer *answer)
{
    return (struct watcher){.report = send_progress, .context = answer};
}
