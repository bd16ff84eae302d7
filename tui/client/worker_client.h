/* worker_client.h - asking antler-worker (docs/worker-protocol.md): jobs that answer, and detached runs.
 *
 * The worker program is found beside antler, or where it was installed, or in $ANTLER_WORKER. It is given the
 * environment BLAS needs (OPENBLAS_NUM_THREADS=1) and a clean signal mask.
 */
#ifndef TUI_CLIENT_WORKER_CLIENT_H
#define TUI_CLIENT_WORKER_CLIENT_H

#include "base/json.h"

/* Runs a job to its end. progress: called with each progress line (may be NULL); returning false cancels
 * (ERR_INTERRUPTED). New reference. */
json_t *worker_ask(const char *job, const json_t *request, bool (*progress)(void *context, const json_t *line),
                   void *context, struct err *err);

/* The same without waiting, for an event loop. */
struct worker_job;
struct worker_job *worker_start(const char *job, const json_t *request, struct err *err);
int worker_fd(const struct worker_job *job); /* to poll for reading */
/* Reads what is there. 0 = goes on, 1 = *result is a new reference, -1 = err. progress: last line or NULL, lent. */
int worker_poll(struct worker_job *job, json_t **result, const json_t **progress, struct err *err);
void worker_end(struct worker_job *job); /* cancels when it still runs; frees */

/* `train` or `resume`, detached, without waiting for the answer: polled like a job. worker_end before it has answered
 * leaves it to itself. */
struct worker_job *worker_start_detached(const char *job, const json_t *request, struct err *err);
/* Starts `train` or `resume` detached; returns once the worker is sure to run: {"run", "dir"}, new reference. */
json_t *worker_launch(const char *job, const json_t *request, struct err *err);

/* antler-worker's path: $ANTLER_WORKER, or beside this program. free() it. */
char *worker_program(struct err *err);
/* Puts `train` or `resume` into the queue of the home: {"run", "dir", "state", "notes"} once it is checked and stands
 * there; starts it at once where there is a place. New reference. */
json_t *worker_enqueue(const char *job, json_t *request, struct err *err);
/* What every look at a home does beside looking: starts the runs that wait and have a place
 * (persistence/runs/run_queue.h). known: ids that are in state queued. Never waits and never fails: what hinders is
 * told in `hindrance`, or where that is NULL a line of the log. True when any was started. */
bool worker_start_waiting(const char *home, const char *const *known, size_t n_known, struct err *hindrance);

#endif
