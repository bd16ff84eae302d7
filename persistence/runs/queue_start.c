/* queue_start.c - see run_queue.h: who is next, and its start, exactly once. */
#include "base/arena.h"
#include "base/io.h"
#include "base/log.h"
#include "persistence/config/settings.h"
#include "persistence/runs/queue_internal.h"
#include "persistence/runs/run_internal.h"
#include "persistence/runs/run_lock.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_FULL = 64 };

static void restamp(json_t *run, const void *context)
{
    json_t *entry = json_object_get(run, "queue");
    queue_stamp(entry, context);
    json_object_set_new(entry, "tries", json_integer(0));
}

static void give_up(json_t *run, const void *context)
{
    (void)context;
    char text[160];
    snprintf(text, sizeof text, "its worker ended %d times before training had begun; log.txt may say why",
             QUEUE_TRIES);
    json_t *error = json_string(text);
    json_object_del(run, "queue");
    run_add_state(run, "failed", js_int(run, "epoch", 0), js_int(run, "step", 0), error);
}

/* GONE: it does not wait any more, it can leave the order; BROKEN: err. One that was STARTED stays in the order until
 * it trains: should its worker die before that, it is still where it was. */
enum outcome { STARTED, GONE, WAITS, BROKEN };

/* Under the queue's lock. What run.json says is read only once the run's lock is ours: a worker that was started a
 * moment ago may have changed it. anyway: without looking at who queued it and where. */
static enum outcome start_one(const char *home, const char *program, const char *id, int place_fd, bool anyway,
                              struct err *err)
{
    struct err why = {0};
    char *folder = path_join(home, id), *absolute = realpath(folder, NULL);
    int lock = absolute ? run_lock_take(absolute, RUN_LOCK_WRITER, &why) : -1;
    json_t *run = absolute ? run_read(absolute, &why) : NULL;
    const json_t *entry = queue_entry_of(run);
    enum outcome outcome = !absolute || (run && !entry) ? GONE : WAITS;
    if (lock < 0)
        entry = NULL; /* it trains, or is about to */
    if (entry && js_int(entry, "tries", 0) >= QUEUE_TRIES && !anyway)
        outcome = run_edit(absolute, give_up, NULL, &why) ? GONE : WAITS;
    else if (entry && (anyway || queue_entry_is_ours(entry, absolute)))
        outcome = (!anyway || run_edit(absolute, restamp, absolute, err)) &&
                          queue_spawn(program, absolute, lock, place_fd, err)
                      ? STARTED
                      : BROKEN;
    json_decref(run);
    if (lock >= 0)
        io->close(lock);
    free(absolute);
    free(folder);
    return outcome;
}

/* A place of this device on a descriptor of its own; -1: as many as slots train there. */
static int free_place(const char *home, int queue_fd, const char *device, int64_t slots)
{
    return queue_count_busy(queue_fd, device) < slots ? queue_take_place(home, device) : -1;
}

static bool start_waiting(const char *home, const char *program, json_t *order, int queue_fd, int *started,
                          bool *changed, struct err *err)
{
    json_t *settings = settings_read(home, NULL), *waiting = json_object_get(order, "waiting");
    int64_t slots = js_int(settings, "queue.slots", 1);
    const char *full[MOST_FULL];
    size_t n_full = 0;
    bool ok = true;
    json_decref(settings);
    for (size_t k = 0; ok && k < json_array_size(waiting);) {
        const char *device = js_string(json_array_get(waiting, k), "device", "cpu");
        bool is_full = false;
        for (size_t f = 0; f < n_full; f++)
            is_full = is_full || !strcmp(full[f], device);
        int place = is_full ? -1 : free_place(home, queue_fd, device, slots);
        if (place < 0) {
            if (!is_full && n_full < MOST_FULL)
                full[n_full++] = device;
            k++;
            continue;
        }
        enum outcome outcome = start_one(home, program, queue_order_id(waiting, k), place, false, err);
        io->close(place);
        *started += outcome == STARTED;
        ok = outcome != BROKEN;
        if (outcome == GONE) {
            *changed = true;
            json_array_remove(waiting, k);
        } else {
            k++;
        }
    }
    return ok;
}

/* Those that say that they wait and are in no order: their maker was killed in between, or the order was lost. */
static bool append_known(const char *home, json_t *order, const char *const *known, size_t n_known)
{
    bool changed = false;
    for (size_t i = 0; i < n_known; i++) {
        if (queue_order_place(order, known[i]) < json_array_size(json_object_get(order, "waiting")))
            continue;
        char *folder = path_join(home, known[i]), *device = queue_device_of(folder, NULL);
        if (device)
            queue_order_append(order, known[i], device);
        changed = changed || device;
        free(device);
        free(folder);
    }
    return changed;
}

bool queue_is_idle(const char *home, size_t n_known)
{
    struct queue queue;
    queue_read(home, &queue);
    bool idle = (queue.held || !queue.n) && !n_known;
    queue_release(&queue);
    return idle;
}

bool queue_look(const char *home, const char *program, const char *const *known, size_t n_known, bool wait,
                int *started, struct err *err)
{
    int begun = 0;
    if (started)
        *started = 0;
    if (queue_is_idle(home, n_known))
        return true;
    int fd = queue_lock_open(home, NULL);
    if (fd < 0)
        return true; /* nobody may write here: it is somebody else's queue */
    bool ok = true, changed;
    struct err unsaved = {0};
    if (queue_lock_byte(fd, 0, wait)) {
        json_t *order = queue_order_read(home);
        changed = append_known(home, order, known, n_known);
        ok = js_bool(order, "held", false) || start_waiting(home, program, order, fd, &begun, &changed, err);
        if (changed && !queue_order_save(home, order, &unsaved)) /* it is made anew: run.json says what waits */
            log_info("%s", unsaved.text);
        json_decref(order);
    }
    io->close(fd);
    if (started)
        *started = begun;
    return ok;
}

bool queue_start(const char *home, const char *program, const char *id, struct err *err)
{
    json_t *order;
    int fd = queue_change_begin(home, &order, err), place = -1;
    char *folder = path_join(home, id), *device = fd < 0 ? NULL : queue_device_of(folder, err);
    bool ok = device != NULL;
    if (ok && run_lock_is_held(folder))
        ok = err_set(err, ERR_FAILED, "run '%s' is being started already", id);
    if (ok && (place = queue_take_place(home, device)) < 0)
        ok = err_set(err, ERR_FAILED, "%d runs train on %s already", QUEUE_MAX_SLOTS, device);
    enum outcome outcome = ok ? start_one(home, program, id, place, true, err) : BROKEN;
    if (ok && outcome != STARTED)
        ok = outcome == BROKEN ? false : err_set(err, ERR_FAILED, "run '%s' is in use", id);
    if (place >= 0)
        io->close(place);
    free(device);
    free(folder);
    queue_change_end(fd, order);
    return ok;
}

static void count_try(json_t *run, const void *context)
{
    (void)context;
    json_t *entry = json_object_get(run, "queue");
    if (entry)
        json_object_set_new(entry, "tries", json_integer(js_int(entry, "tries", 0) + 1));
}

struct run_writer *queue_adopt(const char *folder, int lock_fd, struct err *err)
{
    if (!run_lock_adopt(folder, lock_fd, err) || !run_edit(folder, count_try, NULL, err)) {
        io->close(lock_fd);
        return NULL;
    }
    fcntl(lock_fd, F_SETFD, FD_CLOEXEC);
    struct run_writer *writer = xcalloc(1, sizeof *writer);
    *writer = (struct run_writer){.folder = xstrdup(folder), .lock_fd = lock_fd};
    return writer;
}
