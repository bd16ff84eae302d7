/* job_resume.c - goes on with a run in place, with its own config and last whole checkpoint; the log is cut there;
 * without one, from the start. Or branches off (job_branch.c). */
#include "base/io.h"
#include "engine/train/trail.h"
#include "engine/worker/jobs.h"
#include "engine/worker/resume.h"
#include "persistence/config/run_config.h"
#include "persistence/files/atomic_file.h"
#include "persistence/runs/run_queue.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { LEAVING_MS = 30000 };

const json_t *resume_state(const struct launch *launch)
{
    return json_is_object(launch->session->antler) ? launch->session->antler : NULL;
}

bool resume_has_epochs_left(const struct launch *launch, bool stop_binds, struct err *err)
{
    int64_t done = js_int(resume_state(launch), "epoch", 0);
    const char *stopped = fit_state_stopped(resume_state(launch));
    if (stop_binds && stopped)
        return err_set(err, ERR_USAGE,
                       "there is nothing left to do: epoch %lld was the last (%s); ask for more with --epochs N (the "
                       "total)",
                       (long long)done, stopped);
    if (done < launch->fit.epochs)
        return true;
    return err_set(
        err, ERR_USAGE,
        "there is nothing left to do: %lld of %lld epochs are done; ask for more with --epochs N (the total)",
        (long long)done, (long long)launch->fit.epochs);
}

bool resume_set_epochs(json_t *config, int64_t epochs, struct err *err)
{
    json_t *value = json_integer(epochs);
    bool ok = js_put(config, "fit.epochs", value, err);
    json_decref(value);
    return ok;
}

/* ---- in place ---- */

/* Opens the newest checkpoint that can be opened; *k is its number in the trail, or the trail's n when it starts from
 * the beginning. */
static bool prepare_last(struct launch *launch, const struct trail *trail, struct session_options *options, size_t *k,
                         struct err *err)
{
    for (size_t i = trail->n; i-- > 0;) {
        if (trail->files[i].weights_only)
            continue;
        char *path = trail_path(trail, &trail->files[i]);
        struct err why = {0};
        options->checkpoint = path;
        bool ok = launch_prepare(launch, options, &why);
        free(path);
        options->checkpoint = NULL;
        *k = i;
        if (ok && resume_state(launch))
            return true;
        if (!ok && why.code != ERR_FORMAT)
            return err_set(err, why.code, "%s", why.text);
        launch_note(launch, "warning", "'%s' is passed over: %s", trail->files[i].name,
                    ok ? "it does not say where it stands" : why.text);
        if (launch->fit_ready)
            fit_release(&launch->fit);
        launch->fit_ready = false;
        session_close(launch->session);
        launch->session = NULL;
    }
    *k = trail->n;
    launch_note(launch, "warning", "there is no whole checkpoint: the run starts again from its beginning");
    return launch_prepare(launch, options, err);
}

void resume_note_machine(struct launch *launch, const json_t *state)
{
    char *other = fit_state_other_machine(&launch->fit, state);
    if (other)
        launch_note(launch, "warning", "%s", other);
    free(other);
}

static bool restore_exactly(struct launch *launch, const json_t *state, struct err *err)
{
    bool exact = true;
    struct str why = {0};
    if (!fit_restore(&launch->fit, state, &exact, &why, err))
        return false;
    while (why.length && why.data[why.length - 1] == '\n')
        why.data[--why.length] = 0;
    if (!exact)
        err_set(err, ERR_USAGE,
                "cannot go on exactly: %s; branch from its last checkpoint instead (antler resume %s:last)",
                str_text(&why), launch->id);
    str_release(&why);
    resume_note_machine(launch, state);
    launch->fit.saved = !js_bool(state, "finalized", false);
    return exact;
}

static void adopt(struct launch *launch, const struct trail *trail)
{
    for (size_t i = 0; i < trail->n; i++) {
        const struct trail_file *file = &trail->files[i];
        if (file->step <= launch->fit.at.step && !file->weights_only)
            checkpointer_adopt(launch->fit.checkpointer, file->name, file->automatic,
                               js_bool(file->record, "best", false), file->epoch, file->step);
    }
}

/* Cuts the log where the checkpoint stands and announces again what that cut off. */
static bool cut_history(struct launch *launch, struct trail *trail, size_t k, int64_t length, struct err *err)
{
    if (journal_length(launch->journal) < length) {
        launch_note(launch, "warning", "the history has lost %lld bytes before this checkpoint",
                    (long long)(length - journal_length(launch->journal)));
        length = journal_length(launch->journal);
    }
    if ((k < trail->n && !trail_free_final(trail, k, err)) || !journal_truncate(launch->journal, length, err))
        return false;
    if (k < trail->n)
        trail_announce(trail, launch->journal, launch->fit.at.step, length);
    return true;
}

/* The callbacks had asked for several files at this moment, and the kill came between them. */
static bool save_due(struct launch *launch, const struct trail *trail, const json_t *state, struct err *err)
{
    size_t i;
    json_t *due;
    json_array_foreach(json_object_get(state, "due"), i, due) {
        const char *name = js_string(due, "checkpoint", "");
        if (*name && !trail_has(trail, name, launch->fit.at.step) && !fit_save_due(&launch->fit, state, due, err))
            return false;
    }
    return true;
}

static bool go_back(struct launch *launch, struct trail *trail, size_t k, struct err *err)
{
    const json_t *state = k < trail->n ? resume_state(launch) : NULL;
    if (state && !restore_exactly(launch, state, err))
        return false;
    if (!cut_history(launch, trail, k, state ? fit_state_history_bytes(state) : 0, err))
        return false;
    if (state)
        adopt(launch, trail);
    if (state && !strcmp(trail->files[k].name, checkpoint_backup_file))
        launch->fit.saved = false; /* a run that stops here still owes a checkpoint */
    return !state || save_due(launch, trail, state, err);
}

/* A run that died between its last epoch and its end still has to end. */
static bool is_finished(const char *folder)
{
    json_t *run = run_read(folder, NULL);
    bool finished = !strcmp(js_string(run, "state", ""), "finished");
    json_decref(run);
    return finished;
}

/* What others trained can be looked at and branched off, not gone on with. is_started: by the queue,
 * so that it waits no more. */
static bool is_ours(const char *folder, bool is_started, struct err *err)
{
    json_t *run = run_read(folder, err);
    const char *source = js_string(run, "source", NULL);
    bool ours = run && !source;
    if (ours && queue_entry_of(run) && !is_started) {
        ours = err_set(err, ERR_FAILED, "run '%s' waits in the queue already: antler queue start %s starts it now",
                       path_name(folder), path_name(folder));
    }
    if (source && !strcmp(source, "keras"))
        err_set(err, ERR_USAGE,
                "run '%s' is an imported model and cannot go on in place: branch off its checkpoint (antler resume "
                "%s:last --set data.format=... --set data.path=...)",
                path_name(folder), path_name(folder));
    else if (source)
        err_set(err, ERR_USAGE, "run '%s' is an imported history (%s): it has no model to go on with",
                path_name(folder), source);
    json_decref(run);
    return ours;
}

/* --epochs in place changes the plan of the run. The run's own config follows only once it is sure to go on. */
static bool change_plan(json_t *config, const json_t *request, bool *changed, struct err *err)
{
    int64_t epochs = js_int(request, "epochs", 0);
    *changed = epochs && epochs != js_int(json_object_get(config, "fit"), "epochs", 1);
    return !*changed || resume_set_epochs(config, epochs, err);
}

/* A worker writes the last state of a run shortly before it lets go of the lock: such a one is waited for. */
static struct run_writer *take_over(const char *folder, struct err *err)
{
    bool was_free = false; /* the lock, and still it could not be taken: waiting would not help */
    for (int waited_ms = 0;; waited_ms += 10) {
        struct err why = {0};
        struct run_writer *run = run_open_writer(folder, &why);
        if (run)
            return run;
        json_t *now = run_read(folder, NULL);
        enum run_state state = now ? run_effective_state(now, true) : RUN_RUNNING;
        json_decref(now);
        bool leaving = state == RUN_STOPPED || state == RUN_FINISHED || state == RUN_FAILED;
        bool is_free = !run_lock_is_held(folder);
        if (!leaving || (is_free && was_free) || waited_ms >= LEAVING_MS)
            return err_null(err, why.code, "%s", why.text);
        was_free = is_free;
        poll(NULL, 0, 10);
    }
}

/* What a killed worker of this run was writing. The lock is ours: nobody writes these files now. */
static void sweep(const char *folder)
{
    char *checkpoints = path_join(folder, "checkpoints");
    atomic_file_sweep(checkpoints, ".keras");
    atomic_file_sweep(checkpoints, ".weights.h5");
    atomic_file_sweep(folder, "config.json");
    free(checkpoints);
}

/* It can go on, and does when there is a place. */
static bool wait_again(struct launch *launch, const json_t *request, struct answer *answer, struct err *err)
{
    char *home = path_folder(launch->folder);
    bool ok = queue_again(launch->run, home, launch->id, launch_entry(launch, request, "resume"), err);
    if (ok)
        launch_answer_queued(launch, answer);
    free(home);
    return ok;
}

static bool resume_in_place(struct launch *launch, const json_t *request, struct answer *answer, struct err *err)
{
    struct trail trail = {0};
    size_t k = 0;
    json_t *config = NULL;
    bool changed = false;
    bool is_started = launch->run != NULL;
    bool ok = is_ours(launch->folder, is_started, err) &&
              (is_started || (launch->run = take_over(launch->folder, err)) != NULL) &&
              (config = run_read_config(launch->folder, err)) != NULL && change_plan(config, request, &changed, err) &&
              trail_read(&trail, launch->folder, err);
    if (ok)
        sweep(launch->folder);
    struct session_options options = {.config = config,
                                      .folder = js_string(config, "folder", launch->folder),
                                      .where = launch->where,
                                      .device = js_string(request, "device", NULL),
                                      .threads = request_threads(request)};
    ok = ok && prepare_last(launch, &trail, &options, &k, err);
    if (ok)
        launch_note_lines(launch, "warning", str_text(&launch->session->warnings));
    bool asks_for_more = js_int(request, "epochs", 0) > 0;
    ok = ok && (!is_finished(launch->folder) || resume_has_epochs_left(launch, !asks_for_more, err));
    if (js_bool(request, "queue", false)) {
        ok = ok && wait_again(launch, request, answer, err);
        goto done;
    }
    ok = ok && (!changed || run_save_config(launch->folder, config, err)) && launch_begin(launch, err) &&
         go_back(launch, &trail, k, err);
    if (ok) {
        if (asks_for_more)
            fit_train_on(&launch->fit);
        json_t *event = json_pack("{s:s,s:s*,s:s,s:i}", "event", k < trail.n ? "resumed" : "started", "from",
                                  k < trail.n ? trail.files[k].name : NULL, "device", launch->session->device_name,
                                  "threads", launch->session->n_threads);
        ok = launch_run(launch, event, answer, err);
    }
done:
    trail_release(&trail);
    json_decref(config);
    return ok;
}

bool job_resume(const json_t *request, struct answer *answer, struct err *err)
{
    control_block_signals();
    struct launch launch = {0};
    const char *run = js_string(request, "run", NULL), *checkpoint = js_string(request, "checkpoint", NULL);
    bool ok = js_bool(request, "queue", false) || launch_ask_profile(&launch, request, err);
    if (ok && run && run[0] != '/') {
        ok = err_set(err, ERR_USAGE, "the request's 'run' is no absolute path");
    } else if (ok && !checkpoint && run) {
        launch.folder = xstrdup(run);
        launch.id = xstrdup(path_name(run));
        launch.where = xprintf("run '%s'", launch.id);
        ok = resume_in_place(&launch, request, answer, err);
    } else if (ok && checkpoint) {
        launch.where = xstrdup(js_string(request, "where", "the config"));
        ok = resume_branch_off(&launch, request, run, checkpoint, answer, err);
    } else if (ok) {
        ok = err_set(err, ERR_USAGE, "the request names neither a run nor a checkpoint");
    }
    launch_release(&launch);
    return ok;
}

bool resume_waiting(struct launch *launch, const json_t *request, struct answer *answer, struct err *err)
{
    const char *run = js_string(request, "run", NULL), *checkpoint = js_string(request, "checkpoint", NULL);
    if (!launch_ask_profile(launch, request, err))
        return false;
    if (!checkpoint)
        return resume_in_place(launch, request, answer, err);
    json_t *config = run_read_config(launch->folder, err), *whole = config ? json_copy((json_t *)request) : NULL;
    if (whole)
        json_object_set(whole, "config", config);
    bool ok = whole && resume_branch_off(launch, whole, run, checkpoint, answer, err);
    json_decref(whole);
    json_decref(config);
    return ok;
}
