/* run_folder.c - see run_folder.h */
#include "base/arena.h"
#include "base/io.h"
#include "persistence/files/atomic_file.h"
#include "persistence/runs/run_folder.h"
#include "persistence/runs/run_internal.h"
#include "persistence/runs/run_lock.h"
#include "persistence/runs/run_queue.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const state_names[] = {
    [RUN_QUEUED] = "queued",           [RUN_RUNNING] = "running", [RUN_PAUSED] = "paused",
    [RUN_FINISHED] = "finished",       [RUN_STOPPED] = "stopped", [RUN_FAILED] = "failed",
    [RUN_INTERRUPTED] = "interrupted",
};
enum { N_STATES = sizeof state_names / sizeof state_names[0] };

const char *run_state_name(enum run_state state)
{
    BUG_ON((unsigned)state >= N_STATES);
    return state_names[state];
}

bool run_state_parse(const char *name, enum run_state *state)
{
    for (unsigned s = 0; name && s < N_STATES; s++)
        if (!strcmp(name, state_names[s])) {
            *state = (enum run_state)s;
            return true;
        }
    return false;
}

char *home_path(const char *given)
{
    const char *home = given && *given ? given : getenv("ANTLER_HOME");
    return xstrdup(home && *home ? home : "./runs");
}

static json_t *read_object(const char *folder, const char *name, struct err *err)
{
    char *path = path_join(folder, name);
    json_t *json = js_read(path, JS_PYTHON, err);
    if (json && !json_is_object(json)) {
        err_set(err, ERR_FORMAT, "'%s' holds a %s, expected an object", path, js_type_name(json));
        json_decref(json);
        json = NULL;
    }
    free(path);
    return json;
}

json_t *run_read(const char *folder, struct err *err)
{
    return read_object(folder, "run.json", err);
}

json_t *run_read_config(const char *folder, struct err *err)
{
    return read_object(folder, "config.json", err);
}

bool run_save_config(const char *folder, const json_t *config, struct err *err)
{
    char *path = path_join(folder, "config.json"), *text = js_text(config, 2);
    bool ok = atomic_file_save(path, text, strlen(text), err);
    free(text);
    free(path);
    return ok;
}

bool run_lock_is_held(const char *folder)
{
    return run_lock_held(folder, RUN_LOCK_WRITER);
}

enum run_state run_effective_state(const json_t *run, bool lock_is_held)
{
    enum run_state state;
    if (!run_state_parse(js_string(run, "state", NULL), &state))
        state = RUN_INTERRUPTED;
    if (state == RUN_QUEUED && queue_entry_of(run))
        return RUN_QUEUED;
    bool once_held = json_is_object(json_object_get(run, "worker"));
    if (!lock_is_held && (state == RUN_RUNNING || state == RUN_PAUSED || (state == RUN_QUEUED && once_held)))
        return RUN_INTERRUPTED;
    return state;
}

bool run_edit(const char *folder, void (*change)(json_t *run, const void *context), const void *context,
              struct err *err)
{
    int fd = run_lock_take(folder, RUN_LOCK_JSON, err);
    if (fd < 0)
        return false;
    bool ok = false;
    json_t *run = run_read(folder, err);
    if (run) {
        change(run, context);
        char *path = path_join(folder, "run.json"), *text = js_text(run, 2);
        ok = atomic_file_save(path, text, strlen(text), err);
        free(text);
        free(path);
    }
    json_decref(run);
    io->close(fd);
    return ok;
}

void run_host(char host[65])
{
    memset(host, 0, 65);
    if (gethostname(host, 64))
        strcpy(host, "?");
}

void run_set_worker(json_t *run)
{
    char host[65];
    run_host(host);
    json_object_set_new(
        run, "worker",
        json_pack("{s:I, s:s, s:f}", "pid", (json_int_t)getpid(), "host", host, "started", io_wall_seconds()));
}

/* Whoever takes the lock of a run that is said to be running knows that its worker was killed:
 * about when it wrote last. */
static void note_death(json_t *run, const char *folder)
{
    const json_t *changes = json_object_get(run, "changes");
    json_t *last = json_array_get(changes, json_array_size(changes) - 1);
    struct stat st;
    char *path = path_join(folder, "history.log");
    if (!strcmp(js_string(last, "state", ""), "running") && !stat(path, &st))
        json_object_set_new(last, "until", json_real((double)st.st_mtim.tv_sec + 1e-9 * (double)st.st_mtim.tv_nsec));
    free(path);
}

static void set_worker(json_t *run, const void *folder)
{
    note_death(run, folder);
    run_set_worker(run);
}

struct run_writer *run_open_writer(const char *folder, struct err *err)
{
    int fd = run_lock_take(folder, RUN_LOCK_WRITER, err);
    if (fd < 0) {
        err_prefix(err, "cannot write to run '%s'", path_name(folder));
        return NULL;
    }
    if (!run_edit(folder, set_worker, folder, err)) {
        io->close(fd);
        return NULL;
    }
    struct run_writer *writer = xcalloc(1, sizeof *writer);
    *writer = (struct run_writer){.folder = xstrdup(folder), .lock_fd = fd};
    return writer;
}

void run_close_writer(struct run_writer *writer)
{
    if (!writer)
        return;
    io->close(writer->lock_fd);
    free(writer->folder);
    free(writer);
}

void run_add_state(json_t *run, const char *state, int64_t epoch, int64_t step, json_t *error)
{
    json_t *entry = json_pack("{s:s, s:f, s:I, s:I}", "state", state, "time", io_wall_seconds(), "epoch",
                              (json_int_t)epoch, "step", (json_int_t)step);
    if (error)
        json_object_set(entry, "error", error);
    json_t *changes = json_object_get(run, "changes");
    if (!json_is_array(changes)) {
        changes = json_array();
        json_object_set_new(run, "changes", changes);
    }
    json_array_append_new(changes, entry);
    json_object_set_new(run, "state", json_string(state));
    json_object_set_new(run, "epoch", json_integer(epoch));
    json_object_set_new(run, "step", json_integer(step));
    json_object_set_new(run, "error", error ? error : json_null());
}

struct state_change {
    enum run_state state;
    int64_t epoch, step;
    const char *error;
};

static void add_state(json_t *run, const void *context)
{
    const struct state_change *change = context;
    if (!json_is_object(json_object_get(run, "worker")) && change->state == RUN_RUNNING)
        run_set_worker(run); /* one that was born with the lock */
    json_object_del(run, "queue");
    run_add_state(run, run_state_name(change->state), change->epoch, change->step,
                  change->error ? js_text_value(change->error) : NULL);
}

bool run_set_state(struct run_writer *writer, enum run_state state, int64_t epoch, int64_t step, const char *error,
                   struct err *err)
{
    BUG_ON(state == RUN_INTERRUPTED);
    struct state_change change = {state, epoch, step, error};
    return run_edit(writer->folder, add_state, &change, err);
}

static void annotate(json_t *run, const void *context)
{
    static const char *const keys[] = {"name", "tags", "note"};
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        json_t *value = json_object_get((const json_t *)context, keys[k]);
        if (value)
            json_object_set(run, keys[k], value);
    }
}

bool run_annotate(const char *folder, const json_t *changes, struct err *err)
{
    return run_edit(folder, annotate, changes, err);
}
