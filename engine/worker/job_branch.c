/* job_branch.c - branches off a checkpoint (of a run, or a foreign model file) as a new run whose parent it is. The
 * config may differ: what fits is kept, the rest starts anew, and both are said. */
#include "base/io.h"
#include "engine/worker/jobs.h"
#include "engine/worker/resume.h"
#include "persistence/config/run_config.h"
#include "persistence/runs/run_queue.h"

#include <stdlib.h>
#include <string.h>

/* The parent's argument differs from the child's: the child's is meant. Else the rate the checkpoint had reached goes
 * on. */
static bool learning_rate_was_changed(const json_t *child, const json_t *parent)
{
    const json_t *a = js_at(child, "compile.optimizer.learning_rate"),
                 *b = js_at(parent, "compile.optimizer.learning_rate");
    return parent ? (a || b) && !(a && b && js_equal(a, b)) : a != NULL;
}

static void apply_learning_rate(struct launch *launch, const json_t *config, const json_t *parent)
{
    const struct session *s = launch->session;
    float now = s->config_learning_rate;
    if (!s->compile->learning_rate || !s->optimizer_loaded)
        return;
    if (learning_rate_was_changed(config, parent)) {
        session_upload(launch->session, s->compile->learning_rate, &now);
        launch_note(launch, "anew", "learning rate %g", (double)now);
    } else {
        session_download(launch->session, s->compile->learning_rate, &now);
        launch_note(launch, "kept", "learning rate %g", (double)now);
    }
    launch->fit.learning_rate = now;
}

/* One that waited is there already. */
static bool make_child(struct launch *launch, const json_t *request, const json_t *config, const char *parent_id,
                       const char *checkpoint, struct err *err)
{
    if (launch->run)
        return true;
    const char *home = request_path(request, "home", err);
    const json_t *state = resume_state(launch), *tags = json_object_get(request, "tags");
    if (!home)
        return false;
    struct run_identity identity = {.name = js_string(request, "name", js_string(config, "name", "run")),
                                    .parent_run = parent_id,
                                    .parent_checkpoint = parent_id ? path_name(checkpoint) : checkpoint,
                                    .parent_epoch = js_int(state, "epoch", 0),
                                    .parent_step = js_int(state, "step", 0),
                                    .device = js_string(config, "device", "auto")};
    const char *names[64];
    for (size_t i = 0; i < json_array_size(tags) && i < 64; i++)
        if (json_is_string(json_array_get(tags, i)))
            names[identity.n_tags++] = json_string_value(json_array_get(tags, i));
    identity.tags = names;
    identity.queue = js_bool(request, "queue", false) ? launch_entry(launch, request, "resume") : NULL;
    bool ok = run_create(home, &identity, config, &launch->id, err);
    launch->folder = ok ? path_join(home, launch->id) : NULL;
    ok = ok && (!identity.queue || queue_append(home, launch->id, err));
    json_decref(identity.queue);
    return ok;
}

static void note_what_is_kept(struct launch *launch)
{
    launch_note(launch, "kept", "weights");
    launch_note(launch, launch->session->optimizer_loaded ? "kept" : "anew", "optimizer state");
}

static bool restore_state(struct launch *launch, struct err *err)
{
    const json_t *state = resume_state(launch);
    if (!state) {
        launch_note(launch, "anew",
                    "epochs, steps, order of the samples and callbacks: the file does not say where it stands");
        return true;
    }
    bool exact;
    struct str why = {0};
    bool ok = fit_restore(&launch->fit, state, &exact, &why, err);
    if (ok && exact)
        launch_note(launch, "kept", "position (epoch %lld, step %lld), order of the samples, callbacks",
                    (long long)launch->fit.at.epoch, (long long)launch->fit.at.step);
    if (ok && !exact)
        launch_note_lines(launch, "anew", str_text(&why));
    if (ok && exact)
        resume_note_machine(launch, state);
    str_release(&why);
    launch->fit.saved = false;
    return ok;
}

/* Does the child want anything else than what had made a callback of its parent end the training? */
static bool child_asks_for_more(const json_t *request, const json_t *config, const json_t *parent)
{
    const json_t *mine = json_object_get(config, "callbacks"), *theirs = json_object_get(parent, "callbacks");
    return js_int(request, "epochs", 0) > 0 || !mine || !theirs || !js_equal(mine, theirs);
}

/* The config the child is made from, checked and resolved. */
static json_t *child_config(const json_t *request, const char *where, const char *folder, struct err *err)
{
    const json_t *given = json_object_get(request, "config");
    json_t *config = json_is_object(given) ? json_deep_copy(given) : json_object();
    const char *device = js_string(request, "device", NULL);
    if (device)
        json_object_set_new(config, "device", json_string(device));
    if (js_int(request, "epochs", 0) && !resume_set_epochs(config, js_int(request, "epochs", 0), err)) {
        json_decref(config);
        return NULL;
    }
    if (!config_check(config, where, err)) {
        json_decref(config);
        return NULL;
    }
    config_resolve(config, js_string(config, "folder", folder));
    return config;
}

static bool resume_branch(struct launch *launch, const json_t *request, const char *parent_folder,
                          const char *checkpoint, struct answer *answer, struct err *err)
{
    json_t *parent = parent_folder ? run_read_config(parent_folder, err) : NULL;
    if (parent_folder && !parent)
        return false;
    json_t *config = child_config(request, launch->where, js_string(request, "folder", "/"), err);
    struct session_options options = {.config = config,
                                      .folder = js_string(config, "folder", "/"),
                                      .where = launch->where,
                                      .checkpoint = checkpoint,
                                      .threads = request_threads(request)};
    const char *parent_id = parent_folder ? path_name(parent_folder) : NULL;
    bool ok = config && launch_prepare(launch, &options, err);
    if (ok) {
        launch_note_lines(launch, "warning", str_text(&launch->session->warnings));
        note_what_is_kept(launch);
    }
    bool asks_for_more = child_asks_for_more(request, config, parent);
    ok = ok && (!resume_state(launch) || fit_check_state(resume_state(launch), err)) &&
         resume_has_epochs_left(launch, !asks_for_more, err) &&
         make_child(launch, request, config, parent_id, checkpoint, err);
    if (ok && js_bool(request, "queue", false)) {
        launch_answer_queued(launch, answer);
        goto done;
    }
    ok = ok && launch_begin(launch, err) && restore_state(launch, err);
    if (ok) {
        fit_train_on(&launch->fit);
        apply_learning_rate(launch, config, parent);
        json_t *event = json_pack("{s:s,s:s,s:s*,s:s,s:i}", "event", "branched", "from",
                                  parent_id ? path_name(checkpoint) : checkpoint, "parent", parent_id, "device",
                                  launch->session->device_name, "threads", launch->session->n_threads);
        ok = launch_run(launch, event, answer, err);
    }
done:
    json_decref(parent);
    json_decref(config);
    return ok;
}

bool resume_branch_off(struct launch *launch, const json_t *request, const char *run, const char *checkpoint,
                       struct answer *answer, struct err *err)
{
    char *path = checkpoint[0] == '/' || !run ? xstrdup(checkpoint) : xprintf("%s/checkpoints/%s", run, checkpoint);
    bool ok = resume_branch(launch, request, run, path, answer, err);
    free(path);
    return ok;
}
