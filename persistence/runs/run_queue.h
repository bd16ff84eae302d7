/* run_queue.h - which runs of a home wait for a free place, in which order, and how the next one is started: exactly
 * once, by whoever ends or looks, without a daemon.
 *
 *   run.json "queue"   the truth: with state `queued` and this object a run waits.
 *                      {"since", "host", "inode"   when it was put there, on which machine, its folder's number there
 *                       "device", "tries"          what it will train on, workers that died before it had begun
 *                       "was", "request"}          its state before (resume), and what it will be started with
 *   queue.json         {"held": false, "waiting": [{"run": id, "device"}, ...]}: the order only. Lost or damaged, it is
 *                      made anew
 *   queue.lock         byte 0: held for the moment in which the queue is changed or runs are started from it;
 *                      from byte 64 on, 64 bytes a device: places. A training worker holds one while it lives
 *
 *               queue_look: takes the run's lock and a place, forks; the worker has both from its birth
 *   waiting -----------------------------------------------------------------> starting (queued, locked) ---> running
 *      |  ^                                                                        |    first run_set_state
 *      |  +-- the worker died before it had begun (at most QUEUE_TRIES times) -----+
 *      +----- queue_remove: `stopped`, or the state it had before it was queued
 *
 * Killed at any point: before the fork both locks are gone with their descriptors and the run waits; after it the
 * worker has them. Two lookers exclude each other by byte 0. A worker that is killed starts nothing: the next one is
 * started by whoever looks next.
 *
 * A run waits on the machine and in the folder where it was queued: a copied or unpacked home starts nothing by being
 * looked at.
 */
#ifndef PERSISTENCE_RUNS_RUN_QUEUE_H
#define PERSISTENCE_RUNS_RUN_QUEUE_H

#include "persistence/runs/run_folder.h"

enum { QUEUE_TRIES = 5, QUEUE_MAX_SLOTS = 64 };

/* The "queue" object of a run that is put into the queue now. request: what job_start (docs/worker-protocol.md) is to
 * do, taken. device: "cpu", "cuda:0", ... New reference. */
json_t *queue_entry(json_t *request, const char *device);
/* Does this run.json say that the run waits (or is being started)? Lends the entry, else NULL. */
const json_t *queue_entry_of(const json_t *run);
/* May it be started by somebody who merely looks: was it queued here? folder: the run's. */
bool queue_entry_is_ours(const json_t *entry, const char *folder);

struct queue { /* as it was when it was read; runs that train meanwhile may still be in it: their state says so */
    bool held;
    char **waiting; /* ids, in order */
    char **device;  /* what each will train on */
    size_t n;
};
/* A missing or damaged file is an empty queue. */
void queue_read(const char *home, struct queue *queue);
void queue_release(struct queue *queue);

/* Appends a run whose run.json says that it waits. */
bool queue_append(const char *home, const char *id, struct err *err) MUST_USE;
/* Puts a run that exists (stopped, interrupted, ...) back into state queued with this entry (taken);
 * the caller holds its lock. */
bool queue_again(struct run_writer *writer, const char *home, const char *id, json_t *entry, struct err *err) MUST_USE;
/* Takes it out: its state becomes what it was, `stopped` when it had never run. ERR_FAILED when it does not wait. */
bool queue_remove(const char *home, const char *id, struct err *err) MUST_USE;
/* To another place, 0 the first; beyond the end means the end. */
bool queue_move(const char *home, const char *id, size_t place, struct err *err) MUST_USE;
/* A held queue starts nothing by itself. */
bool queue_hold(const char *home, bool held, struct err *err) MUST_USE;
/* Replaces the config of a run while it waits (checked by the caller). */
bool queue_edit(const char *home, const char *id, const json_t *config, struct err *err) MUST_USE;

/* Is there nothing to start: nothing waits, or it is held? n_known as below. A look without any lock. */
bool queue_is_idle(const char *home, size_t n_known);
/* Starts what can be started: for each device the first waiting runs while fewer than the setting queue.slots train on
 * it.
 *   program   antler-worker
 *   known     ids of runs in state queued as far as the caller knows: those missing in queue.json are appended
 *   wait      wait for others who are at it; else leave it to them
 * *started: how many; may be NULL. True where there was nothing to do, and where nobody may write: looking never fails
 * for that. False: a run could not be started because of this machine (no program, no processes); it waits on. */
bool queue_look(const char *home, const char *program, const char *const *known, size_t n_known, bool wait,
                int *started, struct err *err) MUST_USE;
/* Starts this one now, held queue or not, free place or not, and makes it one of this machine. */
bool queue_start(const char *home, const char *program, const char *id, struct err *err) MUST_USE;

/* For a training worker that was not started by the queue: takes a place on the device, so that the queue counts it. A
 * descriptor to close at the end, or -1: none free, or nobody may write here; it trains all the same. */
int queue_take_place(const char *home, const char *device);
/* How many train on the device now. */
int queue_busy(const char *home, const char *device);

/* The environment that every worker is started with: ours, with OpenBLAS held to one thread (the worker cuts its work
 * itself). The strings are lent, the array is to be free()d. */
char **queue_worker_environment(void);

/* What the worker's job `start` gets: descriptors under these numbers. */
enum { QUEUE_RUN_LOCK_FD = 3, QUEUE_PLACE_FD = 4 };
/* The worker makes the lock it was born with its own; counts the try. The descriptor belongs to the writer, also on
 * failure closed. */
struct run_writer *queue_adopt(const char *folder, int lock_fd, struct err *err);

#endif
