/* run_queue.c - see run_queue.h: the entry of a run that waits, and what a person changes about the order. */
#include "base/arena.h"
#include "base/io.h"
#include "persistence/runs/queue_internal.h"
#include "persistence/runs/run_internal.h"
#include "persistence/runs/run_lock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

json_t *queue_entry(json_t *request, const char *device)
{
    return json_pack("{s:f, s:s, s:i, s:o}", "since", io_wall_seconds(), "device", device, "tries", 0, "request",
                     request);
}

static int64_t folder_number(const char *folder)
{
    struct stat st;
    return stat(folder, &st) ? -1 : (int64_t)st.st_ino;
}

void queue_stamp(json_t *entry, const char *folder)
{
    char host[65];
    run_host(host);
    json_object_set_new(entry, "host", json_string(host));
    json_object_set_new(entry, "inode", json_integer(folder_number(folder)));
}

const json_t *queue_entry_of(const json_t *run)
{
    const json_t *entry = json_object_get(run, "queue");
    bool waits = json_is_object(entry) && json_is_object(json_object_get(entry, "request")) &&
                 !strcmp(js_string(run, "state", ""), "queued");
    return waits ? entry : NULL;
}

bool queue_entry_is_ours(const json_t *entry, const char *folder)
{
    char host[65];
    run_host(host);
    return !strcmp(js_string(entry, "host", ""), host) && js_int(entry, "inode", -1) == folder_number(folder);
}

/* The device of a run that waits; NULL and err when it does not. free() it. */
char *queue_device_of(const char *folder, struct err *err)
{
    json_t *run = run_read(folder, err);
    const json_t *entry = queue_entry_of(run);
    char *device = entry ? xstrdup(js_string(entry, "device", "cpu")) : NULL;
    if (run && !entry)
        err_set(err, ERR_FAILED, "run '%s' does not wait in the queue: it is %s", path_name(folder),
                js_string(run, "state", "damaged"));
    json_decref(run);
    return device;
}

void queue_read(const char *home, struct queue *queue)
{
    json_t *order = queue_order_read(home), *waiting = json_object_get(order, "waiting");
    *queue = (struct queue){.held = js_bool(order, "held", false)};
    queue->waiting = xcalloc(json_array_size(waiting) + 1, sizeof *queue->waiting);
    queue->device = xcalloc(json_array_size(waiting) + 1, sizeof *queue->device);
    for (size_t k = 0; k < json_array_size(waiting); k++) {
        queue->device[queue->n] = xstrdup(js_string(json_array_get(waiting, k), "device", "cpu"));
        queue->waiting[queue->n++] = xstrdup(queue_order_id(waiting, k));
    }
    json_decref(order);
}

void queue_release(struct queue *queue)
{
    for (size_t k = 0; k < queue->n; k++) {
        free(queue->waiting[k]);
        free(queue->device[k]);
    }
    free(queue->waiting);
    free(queue->device);
    *queue = (struct queue){0};
}

bool queue_append(const char *home, const char *id, struct err *err)
{
    json_t *order;
    int fd = queue_change_begin(home, &order, err);
    char *folder = path_join(home, id), *device = fd < 0 ? NULL : queue_device_of(folder, err);
    bool ok = device != NULL;
    if (ok && queue_order_place(order, id) == json_array_size(json_object_get(order, "waiting"))) {
        queue_order_append(order, id, device);
        ok = queue_order_save(home, order, err);
    }
    free(device);
    free(folder);
    queue_change_end(fd, order);
    return ok;
}

static void set_queued(json_t *run, const void *context)
{
    json_t *entry = (json_t *)context;
    json_object_set_new(entry, "was", json_string(js_string(run, "state", "stopped")));
    json_object_set(entry, "error", json_object_get(run, "error"));
    json_object_set(run, "queue", entry);
    json_object_set_new(run, "worker", json_null());
    run_add_state(run, "queued", js_int(run, "epoch", 0), js_int(run, "step", 0), NULL);
}

bool queue_again(struct run_writer *writer, const char *home, const char *id, json_t *entry, struct err *err)
{
    queue_stamp(entry, writer->folder);
    bool ok = run_edit(writer->folder, set_queued, entry, err);
    json_decref(entry);
    return ok && queue_append(home, id, err);
}

/* Back to what it was before it was queued. */
static void set_unqueued(json_t *run, const void *context)
{
    (void)context;
    json_t *entry = json_incref(json_object_get(run, "queue")), *error = json_object_get(entry, "error");
    const char *was = js_string(entry, "was", "stopped");
    enum run_state state;
    bool known = run_state_parse(was, &state) && state != RUN_QUEUED;
    json_object_del(run, "queue");
    run_add_state(run, known ? was : "stopped", js_int(run, "epoch", 0), js_int(run, "step", 0),
                  json_is_string(error) ? error : NULL);
    json_decref(entry);
}

/* A run that waits, in the hands of one who changes it: the queue's lock and the run's own are held. */
struct waiting {
    json_t *order;
    char *folder;
    int queue_fd, run_fd;
};

static bool still_waits(const char *folder, struct err *err)
{
    char *device = queue_device_of(folder, err);
    free(device);
    return device != NULL;
}

/* Asked before the run's lock too: of a run that trains it is to be said that it does not wait. */
static bool waiting_begin(struct waiting *w, const char *home, const char *id, struct err *err)
{
    *w = (struct waiting){.folder = path_join(home, id), .run_fd = -1};
    w->queue_fd = queue_change_begin(home, &w->order, err);
    return w->queue_fd >= 0 && still_waits(w->folder, err) &&
           (w->run_fd = run_lock_take(w->folder, RUN_LOCK_WRITER, err)) >= 0 && still_waits(w->folder, err);
}

static void waiting_end(struct waiting *w)
{
    if (w->run_fd >= 0)
        io->close(w->run_fd);
    free(w->folder);
    queue_change_end(w->queue_fd, w->order);
}

bool queue_remove(const char *home, const char *id, struct err *err)
{
    struct waiting w;
    bool ok = waiting_begin(&w, home, id, err) && run_edit(w.folder, set_unqueued, NULL, err);
    if (ok && !json_array_remove(json_object_get(w.order, "waiting"), queue_order_place(w.order, id)))
        ok = queue_order_save(home, w.order, err);
    waiting_end(&w);
    return ok;
}

bool queue_move(const char *home, const char *id, size_t place, struct err *err)
{
    json_t *order;
    int fd = queue_change_begin(home, &order, err);
    json_t *waiting = json_object_get(order, "waiting");
    size_t n = json_array_size(waiting), from = order ? queue_order_place(order, id) : 0;
    bool ok = fd >= 0 && (from < n || err_set(err, ERR_FAILED, "run '%s' does not wait in the queue", id));
    if (ok) {
        json_t *moved = json_incref(json_array_get(waiting, from));
        json_array_remove(waiting, from);
        json_array_insert_new(waiting, place < n ? place : n - 1, moved);
        ok = queue_order_save(home, order, err);
    }
    queue_change_end(fd, order);
    return ok;
}

bool queue_hold(const char *home, bool held, struct err *err)
{
    json_t *order;
    int fd = queue_change_begin(home, &order, err);
    bool ok = fd >= 0;
    if (ok) {
        json_object_set_new(order, "held", json_boolean(held));
        ok = queue_order_save(home, order, err);
    }
    queue_change_end(fd, order);
    return ok;
}

/* run.json changes with the config: that is how readers notice. */
static void note_edit(json_t *run, const void *context)
{
    (void)context;
    json_object_set_new(json_object_get(run, "queue"), "edited", json_real(io_wall_seconds()));
}

bool queue_edit(const char *home, const char *id, const json_t *config, struct err *err)
{
    struct waiting w;
    bool ok = waiting_begin(&w, home, id, err) && run_save_config(w.folder, config, err) &&
              run_edit(w.folder, note_edit, NULL, err);
    waiting_end(&w);
    return ok;
}
