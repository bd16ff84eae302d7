/* journal.h - the history log of a run as the threads of a worker share it, and as a full disk leaves it.
 *
 * Training, the checkpoint writer and the control thread all add records; one mutex orders them. A record that cannot
 * be written (full disk) is kept in memory, in order, and tried again with the next one: training goes on and nothing
 * is lost unless the worker dies first; only step records are dropped, once 100,000 records wait. Step records
 * (history.every_steps) go through a ring that a step fills without a lock, an allocation or a system call;
 * journal_flush, called by the control thread, empties it.
 */
#ifndef ENGINE_TRAIN_JOURNAL_H
#define ENGINE_TRAIN_JOURNAL_H

#include "base/json.h"

struct journal;

struct journal *journal_open(const char *run_folder, struct err *err);
/* Tries once more to write what is waiting. NULL-safe. */
void journal_close(struct journal *journal);

/* epoch is 1-based. names and values are copied. */
void journal_metrics(struct journal *journal, int64_t epoch, int64_t step, const char *const *names,
                     const double *values, size_t n);
/* Both take the reference. */
void journal_event(struct journal *journal, int64_t epoch, int64_t step, json_t *event);
void journal_checkpoint(struct journal *journal, int64_t epoch, int64_t step, json_t *checkpoint);

/* Prepares step records of the given names (copied; at most JOURNAL_STEP_VALUES). */
enum { JOURNAL_STEP_VALUES = 2 };
void journal_steps_begin(struct journal *journal, const char *const *names, size_t n);
/* One step record, from the training thread only: plain stores into the ring. When the ring is full it is emptied here.
 */
void journal_step(struct journal *journal, int64_t epoch, int64_t step, const double *values);
/* Writes what waits in the ring and in memory. */
void journal_flush(struct journal *journal);

/* Length in bytes now: everything added so far lies before it, unless journal_is_stuck. */
int64_t journal_length(struct journal *journal);
bool journal_is_stuck(struct journal *journal);
/* fsync, from any thread, without holding the others up. */
bool journal_sync(struct journal *journal, struct err *err) MUST_USE;
/* Cuts the log where a resumed run continues. */
bool journal_truncate(struct journal *journal, int64_t length_bytes, struct err *err) MUST_USE;

#endif
