/* launch.c - see launch.h */
#include "base/io.h"
#include "base/log.h"
#include "engine/worker/jobs.h"
#include "engine/worker/launch.h"
#include "persistence/runs/run_queue.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void launch_note(struct launch *launch, const char *key, const char *format, ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!launch->notes)
        launch->notes = json_array();
    json_array_append_new(launch->notes, json_pack("{s:s}", key, text));
}

void launch_note_lines(struct launch *launch, const char *key, const char *lines)
{
    json_t *array = lines_json(lines), *line;
    size_t i;
    json_array_foreach(array, i, line)
        launch_note(launch, key, "%s", json_string_value(line));
    json_decref(array);
}

bool launch_ask_profile(struct launch *launch, const json_t *request, struct err *err)
{
    bool traced = json_object_get(request, "trace") != NULL;
    launch->keeps_profile = js_bool(request, "profile", false);
    if (!launch->keeps_profile && !traced)
        return true;
    const char *path = traced ? request_path(request, "trace", err) : NULL;
    if (traced && (!path || !(launch->trace_file = atomic_file_open(path, err))))
        return err_prefix(err, "--trace");
    launch->profile = profile_new(traced);
    return true;
}

bool launch_prepare(struct launch *launch, const struct session_options *options, struct err *err)
{
    struct session_options o = *options;
    o.profile = launch->profile;
    launch->session = session_open(&o, err);
    if (!launch->session || !session_start_device(launch->session, err))
        return false;
    launch->fit_ready = fit_init(&launch->fit, launch->session, options->where, err);
    return launch->fit_ready;
}

/* From here on nobody who started the worker can be in its way; the answer still goes to them. */
static bool leave_terminal(const struct launch *launch, struct answer *answer, struct err *err)
{
    char *path = path_join(launch->folder, "log.txt");
    int log = io_open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0666, err),
        null = log < 0 ? -1 : io_open("/dev/null", O_RDONLY, 0, err);
    answer->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    bool opened = log >= 0 && null >= 0;
    bool ok = opened && answer->fd >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(log, STDOUT_FILENO) >= 0 &&
              dup2(log, STDERR_FILENO) >= 0;
    if (opened && !ok)
        err_errno(err, ERR_FAILED, errno, "cannot point the standard streams to '%s'", path);
    if (log >= 0)
        io->close(log);
    if (null >= 0)
        io->close(null);
    free(path);
    return ok;
}

static json_t *answer_json(const struct launch *launch)
{
    json_t *result = json_pack("{s:s,s:s,s:i,s:I,s:I}", "run", launch->id, "dir", launch->folder, "pid", (int)getpid(),
                               "epoch", (json_int_t)launch->fit.at.epoch, "epochs", (json_int_t)launch->fit.epochs);
    json_object_set_new(result, "history_bytes", json_integer(journal_length(launch->journal)));
    json_object_set_new(result, "notes", launch->notes ? json_incref(launch->notes) : json_array());
    return result;
}

static void record_notes(struct launch *launch)
{
    json_t *note;
    size_t i;
    json_array_foreach(launch->notes, i, note) {
        const char *warning = js_string(note, "warning", NULL);
        if (warning)
            journal_event(launch->journal, launch->fit.at.epoch, launch->fit.at.step,
                          json_pack("{s:s,s:s,s:s}", "event", "warning", "about", "start", "text", warning));
    }
}

/* One that was started by the queue may fail before there is anything to tell with. */
static void tell_failure(struct launch *launch, const struct err *err)
{
    struct err ignored = {0};
    if (!launch->notifier)
        launch->notifier = notify_new(launch->folder, launch->id, NULL, &ignored);
    notify_remember(launch->notifier, launch->fit_ready ? &launch->fit : NULL, "failed", err->text);
}

void launch_fail(struct launch *launch, struct err *err)
{
    if (launch->failed)
        return;
    launch->failed = true;
    if (launch->trained || launch->is_started)
        tell_failure(launch, err);
    fprintf(stderr, "%s\n", err->text);
    if (launch->journal) {
        journal_event(
            launch->journal, launch->fit.at.epoch, launch->fit.at.step,
            json_pack("{s:s,s:s,s:s}", "event", "failed", "code", err_code_name(err->code), "error", err->text));
        journal_flush(launch->journal);
    }
    struct err second = {0};
    if (launch->run &&
        !run_set_state(launch->run, RUN_FAILED, launch->fit.at.epoch, launch->fit.at.step, err->text, &second))
        fprintf(stderr, "%s\n", second.text);
}

static bool save_profile(const struct launch *launch, struct err *err)
{
    json_t *profile = fit_profile(&launch->fit);
    char *text = js_text(profile, 2), *path = path_join(launch->folder, "profile.json");
    bool ok = atomic_file_save(path, text, strlen(text), err);
    free(path);
    free(text);
    json_decref(profile);
    return ok;
}

static void save_trace(struct launch *launch)
{
    struct err err = {0};
    struct trace *trace = profile_trace(launch->profile);
    int64_t kept, dropped;
    trace_count(trace, &kept, &dropped);
    bool ok = trace_write(trace, launch->trace_file, &err) && atomic_file_commit(&launch->trace_file, &err);
    struct str text = {0};
    if (!ok)
        str_addf(&text, "the trace was not written: %s", err.text);
    else if (dropped)
        str_addf(&text, "the trace holds the first %lld events; %lld later ones are not in it", (long long)kept,
                 (long long)dropped);
    if (text.length)
        journal_event(launch->journal, launch->fit.at.epoch, launch->fit.at.step,
                      json_pack("{s:s,s:s,s:s}", "event", "warning", "about", "trace", "text", str_text(&text)));
    str_release(&text);
}

/* What was measured, also of a training that failed. It is no part of the run: where it cannot be written the run is
 * still what it is. */
static void end_profile(struct launch *launch)
{
    struct err err = {0};
    if (launch->trace_file)
        save_trace(launch);
    if (launch->keeps_profile && !save_profile(launch, &err))
        log_error("the profile was not written: %s", err.text);
}

/* One that the queue has started has a place already. */
static void take_place(struct launch *launch)
{
    if (launch->has_place)
        return;
    char *home = path_folder(launch->folder);
    launch->place_fd = queue_take_place(home, launch->session->device_name);
    launch->has_place = launch->place_fd >= 0;
    free(home);
}

json_t *launch_entry(const struct launch *launch, const json_t *request, const char *job)
{
    static const char *const keys[] = {"threads", "device", "epochs", "profile", "trace", "checkpoint", "run"};
    json_t *kept = json_pack("{s:s}", "job", job);
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
        if (json_object_get(request, keys[k]))
            json_object_set(kept, keys[k], json_object_get(request, keys[k]));
    const char *threads = getenv("ANTLER_THREADS"); /* of whoever queues it, not of whoever starts it */
    int64_t n;
    if (!json_object_get(kept, "threads") && threads && str_to_int64(threads, &n) && n > 0)
        json_object_set_new(kept, "threads", json_integer(n));
    return queue_entry(kept, launch->session->device_name);
}

void launch_answer_queued(struct launch *launch, struct answer *answer)
{
    answer_result(answer,
                  json_pack("{s:s,s:s,s:s,s:I,s:I,s:o}", "run", launch->id, "dir", launch->folder, "state", "queued",
                            "epoch", (json_int_t)launch->fit.at.epoch, "epochs", (json_int_t)launch->fit.epochs,
                            "notes", launch->notes ? json_incref(launch->notes) : json_array()));
}

static bool open_place(struct launch *launch, struct err *err)
{
    take_place(launch);
    launch->journal = journal_open(launch->folder, err);
    if (!launch->journal)
        return false;
    launch->live = run_live_create(launch->folder, NULL); /* a hint for readers: a run does without */
    struct err why = {0};
    launch->notifier = notify_new(launch->folder, launch->id, launch->session->config, &why);
    if (why.code)
        launch_note(launch, "warning", "%s", why.text);
    steering_init(&launch->steering);
    launch->steering_ready = true;
    const struct fit_place place = {.journal = launch->journal,
                                    .run = launch->run,
                                    .run_folder = launch->folder,
                                    .run_id = launch->id,
                                    .live = launch->live,
                                    .steering = &launch->steering,
                                    .vitals = &launch->vitals,
                                    .epoch_ended = launch->notifier ? notify_epoch : NULL,
                                    .context = launch->notifier};
    return fit_attach(&launch->fit, &place, err);
}

bool launch_begin(struct launch *launch, struct err *err)
{
    if (!launch->run && !(launch->run = run_open_writer(launch->folder, err)))
        return false;
    bool ok = open_place(launch, err);
    if (!ok)
        launch_fail(launch, err);
    return ok;
}

/* As it is written, not as a float shows it: 0.001. None with a schedule. */
static void note_rate(const struct launch *launch, json_t *event)
{
    struct str text = {0};
    double rate;
    if (isnan(launch->fit.learning_rate))
        return;
    str_add_float(&text, (float)launch->fit.learning_rate);
    if (str_to_double(str_text(&text), &rate))
        json_object_set_new(event, "learning_rate", json_real(rate));
    str_release(&text);
}

/* Nothing is lost but the way since the last checkpoint, and that can be gone again elsewhere. */
static void say_the_way_out(const struct launch *launch, struct err *err)
{
    if (err->code == ERR_DEVICE)
        err_set(err, ERR_DEVICE,
                "%s; the run can go on from its last checkpoint, on the CPU too: antler resume %s --device cpu",
                err->text, launch->id);
}

bool launch_run(struct launch *launch, json_t *event, struct answer *answer, struct err *err)
{
    const struct control_options control = {.run_folder = launch->folder,
                                            .steering = &launch->steering,
                                            .journal = launch->journal,
                                            .vitals = &launch->vitals,
                                            .notifier = launch->notifier,
                                            .batch_size = launch->fit.train.batch};
    enum fit_end end = FIT_FINISHED;
    json_object_set_new(event, "samples", json_integer((json_int_t)launch->fit.train.n_samples));
    note_rate(launch, event);
    journal_event(launch->journal, launch->fit.at.epoch, launch->fit.at.step, event);
    record_notes(launch);
    bool ok = run_set_state(launch->run, RUN_RUNNING, launch->fit.at.epoch, launch->fit.at.step, NULL, err) &&
              (launch->control = control_start(&control, err)) != NULL && leave_terminal(launch, answer, err);
    if (ok) {
        answer_result(answer, answer_json(launch));
        io->close(answer->fd);
        launch->trained = true;
        ok = fit_run(&launch->fit, &end, err);
        if (!ok)
            say_the_way_out(launch, err);
        end_profile(launch);
    }
    control_stop(launch->control);
    launch->control = NULL;
    if (ok)
        notify_remember(launch->notifier, &launch->fit, end == FIT_STOPPED ? "stopped" : "finished",
                        launch->fit.stop_reason);
    else
        launch_fail(launch, err);
    return ok;
}

/* Every lock of ours is free now. */
static void start_next(const char *home)
{
    char program[PATH_MAX];
    struct err err = {0};
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    program[n > 0 ? n : 0] = 0;
    if (access(program, X_OK)) /* replaced meanwhile: the old one is still there under this name */
        snprintf(program, sizeof program, "/proc/self/exe");
    if (!queue_look(home, program, NULL, 0, true, NULL, &err))
        log_error("the next run of the queue was not started: %s", err.text);
}

void launch_release(struct launch *launch)
{
    bool starts_next = launch->run && !(launch->trained && launch->fit.stop_by_signal);
    if (launch->fit_ready)
        fit_release(&launch->fit);
    journal_close(launch->journal);
    run_live_close(launch->live);
    run_close_writer(launch->run); /* as soon as nothing is written any more: somebody may wait to go on with it */
    if (launch->steering_ready)
        steering_release(&launch->steering);
    session_close(launch->session);
    if (launch->has_place)
        io->close(launch->place_fd);
    char *home = starts_next ? path_folder(launch->folder) : NULL;
    if (home)
        start_next(home);
    free(home);
    notify_end(launch->notifier);
    json_decref(launch->notes);
    atomic_file_abort(&launch->trace_file);
    profile_free(launch->profile);
    free(launch->where);
    free(launch->id);
    free(launch->folder);
}
