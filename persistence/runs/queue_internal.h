/* queue_internal.h - what the files of the queue share: its locks, its order, the start of a worker.
 *
 *   queue_order.c   queue.lock and queue.json
 *   run_queue.c     the entry in run.json; adding, removing, moving
 *   queue_start.c   who is next, and its start
 *   queue_spawn.c   the process
 */
#ifndef PERSISTENCE_RUNS_QUEUE_INTERNAL_H
#define PERSISTENCE_RUNS_QUEUE_INTERNAL_H

#include "persistence/runs/run_queue.h"

#include <sys/types.h>

/* queue.lock, made when there is none; -1 and err. */
int queue_lock_open(const char *home, struct err *err);
/* Takes a byte of it: for as long as the descriptor is open. False: somebody else has it, and wait is false. */
bool queue_lock_byte(int fd, off_t byte, bool wait);
/* How many of a device's places are taken by others than this descriptor. */
int queue_count_busy(int fd, const char *device);

/* {"held", "waiting": [{"run", "device"}, ...]}; an empty one where there is none or it is damaged. New reference. */
json_t *queue_order_read(const char *home);
bool queue_order_save(const char *home, const json_t *order, struct err *err) MUST_USE;
const char *queue_order_id(const json_t *waiting, size_t k);
/* Its place, or how many wait when it does not. */
size_t queue_order_place(const json_t *order, const char *id);
void queue_order_append(json_t *order, const char *id, const char *device);

/* The order, with the queue's lock held: a descriptor for queue_change_end, -1 and err. */
int queue_change_begin(const char *home, json_t **order, struct err *err);
void queue_change_end(int fd, json_t *order);

/* The device of a run that waits; NULL and err when it does not. free() it. */
char *queue_device_of(const char *folder, struct err *err);

/* Starts `program start` for a run, detached; it is born with both descriptors. They stay the caller's too. */
bool queue_spawn(const char *program, const char *folder, int lock_fd, int place_fd, struct err *err) MUST_USE;

#endif
