/* job_train.c - a new run from a config, now or in the queue; and the start of a run that waited. See launch.h. */
#include "base/io.h"
#include "engine/worker/jobs.h"
#include "engine/worker/launch.h"
#include "persistence/config/run_config.h"
#include "persistence/runs/run_queue.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

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

/* entry: of the queue, taken; NULL: it starts now. */
static bool make_run(struct launch *launch, const json_t *request, const json_t *config, json_t *entry, struct err *err)
{
    const char *home = request_path(request, "home", err);
    if (!home) {
        json_decref(entry);
        return false;
    }
    const json_t *tags = json_object_get(request, "tags");
    const char **names = xcalloc(json_array_size(tags) + 1, sizeof *names);
    struct run_identity identity = {.name = js_string(request, "name", js_string(config, "name", "run")),
                                    .tags = names,
                                    .queue = entry,
                                    .device = js_string(config, "device", "auto")};
    for (size_t i = 0; i < json_array_size(tags); i++)
        if (json_is_string(json_array_get(tags, i)))
            names[identity.n_tags++] = json_string_value(json_array_get(tags, i));
    bool ok = run_create(home, &identity, config, &launch->id, err);
    free(names);
    launch->folder = ok ? path_join(home, launch->id) : NULL;
    ok = ok && (!entry || queue_append(home, launch->id, err));
    json_decref(entry);
    return ok;
}

static bool run_now(struct launch *launch, struct answer *answer, struct err *err)
{
    return launch_begin(launch, err) &&
           launch_run(launch,
                      json_pack("{s:s,s:s,s:i}", "event", "started", "device", launch->session->device_name, "threads",
                                launch->session->n_threads),
                      answer, err);
}

bool job_train(const json_t *request, struct answer *answer, struct err *err)
{
    control_block_signals();
    struct launch launch = {0};
    const char *where = js_string(request, "where", "the config"), *folder = request_path(request, "folder", err);
    json_t *config = folder ? resolve(request, where, folder, err) : NULL;
    bool waits = js_bool(request, "queue", false);
    const struct session_options options = {
        .config = config, .folder = folder, .where = where, .threads = request_threads(request)};
    bool ok = config && (waits || launch_ask_profile(&launch, request, err)) && launch_prepare(&launch, &options, err);
    if (ok)
        launch_note_lines(&launch, "warning", str_text(&launch.session->warnings));
    ok = ok && make_run(&launch, request, config, waits ? launch_entry(&launch, request, "train") : NULL, err);
    if (ok && waits)
        launch_answer_queued(&launch, answer);
    else
        ok = ok && run_now(&launch, answer, err);
    launch_release(&launch);
    json_decref(config);
    return ok;
}

/* A run that waited: its folder, its lock and its config are there. */
static bool train_waiting(struct launch *launch, const json_t *request, struct answer *answer, struct err *err)
{
    json_t *config = run_read_config(launch->folder, err);
    const struct session_options options = {.config = config,
                                            .folder = js_string(config, "folder", launch->folder),
                                            .where = launch->where,
                                            .threads = request_threads(request)};
    bool ok = config && launch_ask_profile(launch, request, err) && launch_prepare(launch, &options, err);
    if (ok)
        launch_note_lines(launch, "warning", str_text(&launch->session->warnings));
    ok = ok && run_now(launch, answer, err);
    json_decref(config);
    return ok;
}

static bool start_waiting(struct launch *launch, const json_t *request, struct answer *answer, struct err *err)
{
    const char *job = js_string(request, "job", "");
    if (!strcmp(job, "train"))
        return train_waiting(launch, request, answer, err);
    if (!strcmp(job, "resume"))
        return resume_waiting(launch, request, answer, err);
    return err_set(err, ERR_FORMAT, "run '%s' waits for the unknown job '%s'", launch->id, job);
}

bool job_start(const json_t *request, struct answer *answer, struct err *err)
{
    control_block_signals();
    struct launch launch = {.place_fd = QUEUE_PLACE_FD, .has_place = true, .is_started = true};
    const char *folder = request_path(request, "run", err);
    if (!folder || fcntl(QUEUE_PLACE_FD, F_SETFD, FD_CLOEXEC) ||
        !(launch.run = queue_adopt(folder, QUEUE_RUN_LOCK_FD, err)))
        return err->code ? false : err_set(err, ERR_USAGE, "'start' is for the queue of a home alone (antler queue)");
    launch.folder = xstrdup(folder);
    launch.id = xstrdup(path_name(folder));
    launch.where = xprintf("run '%s'", launch.id);
    json_t *run = run_read(folder, err);
    const json_t *entry = queue_entry_of(run);
    bool ok = run && (entry || err_set(err, ERR_FAILED, "run '%s' does not wait in the queue", launch.id));
    if (ok && !(ok = start_waiting(&launch, json_object_get(entry, "request"), answer, err)))
        launch_fail(&launch, err);
    json_decref(run);
    launch_release(&launch);
    return ok;
}
