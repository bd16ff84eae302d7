/* run_making.h - a run that is being made: whole or not there at all, whenever the maker is killed.
 *
 * Everything is put into a hidden folder <home>/.new-<random>/ first, which becomes <home>/<id>/ in one rename. Readers
 * skip hidden folders; those that a killed maker left behind are removed by a later run_making_begin once they are an
 * hour old.
 *
 *     struct run_making *making = run_making_begin(home, &identity, config, err);
 *     ... put more files into run_making_folder(making) ...
 *     if (!run_making_commit(&making, &id, err))
 */
#ifndef PERSISTENCE_RUNS_RUN_MAKING_H
#define PERSISTENCE_RUNS_RUN_MAKING_H

#include "persistence/runs/run_folder.h"

struct run_making;
/* Writes run.json (state queued), config.json and checkpoints/. Makes the home when there is none. NULL and err. */
struct run_making *run_making_begin(const char *home, const struct run_identity *identity, const json_t *config,
                                    struct err *err);
const char *run_making_folder(const struct run_making *making);
/* Who it is and how it was configured, instead of what run_making_begin was told. */
bool run_making_describe(struct run_making *making, const struct run_identity *identity, const json_t *config,
                         struct err *err) MUST_USE;
/* For an imported history: it ends as finished, at this epoch and step. */
bool run_making_finish(struct run_making *making, int64_t epoch, int64_t step, struct err *err) MUST_USE;
/* The same with a state and, unless NaN, the times between which it ran. */
bool run_making_end(struct run_making *making, enum run_state state, double started, double ended, int64_t epoch,
                    int64_t step, struct err *err) MUST_USE;
/* Durable and visible under a free id. Frees *making and sets it to NULL, also on failure (nothing is
 * left then). *id: free() it. */
bool run_making_commit(struct run_making **making, char **id, struct err *err) MUST_USE;
/* Removes what was made. *making may be NULL. */
void run_making_abort(struct run_making **making);

/* It failed, with these words. */
bool run_making_fail(struct run_making *making, const char *error, struct err *err) MUST_USE;

/* A run of a home that need not outlive the process (run_batch_open with durable false) is told again: describe, end
 * and fail work on it as on one that is being made; run_making_save replaces run.json and config.json whole. The tags,
 * note and times that describe is not told are gone. */
struct run_making *run_making_adopt(const char *home, const char *id, struct err *err);
bool run_making_save(struct run_making **making, struct err *err) MUST_USE; /* frees it, also on failure */
/* the run stays as it is; *making may be NULL */
void run_making_abandon(struct run_making **making);

/* Many runs at once: they are made durable together, not one by one, in one hidden folder.
 *
 *     struct run_batch *batch = run_batch_open(home, err);
 *     making[i] = run_batch_begin(batch, &identity, config, err);       each as from run_making_begin, and filled
 *     ok = run_batch_settle(batch, making, n, err);                     all of them, once: on the disk, with ids
 *     ok = run_making_commit(&making[i], &id[i], err);                  each: visible
 *     ok = run_batch_close(batch, err);                                 the names of the runs are on the disk too
 *
 * Those that were not committed are aborted before it is closed. */
struct run_batch;
/* durable false: for a home that need not outlive the process */
struct run_batch *run_batch_open(const char *home, bool durable, struct err *err);
struct run_making *run_batch_begin(struct run_batch *batch, const struct run_identity *identity, const json_t *config,
                                   struct err *err);
bool run_batch_settle(struct run_batch *batch, struct run_making *const *makings, size_t n, struct err *err) MUST_USE;
bool run_batch_close(struct run_batch *batch, struct err *err) MUST_USE; /* frees it also on failure; NULL is fine */

/* Removes a folder with all that is in it; links are not followed. */
void run_remove_tree(const char *folder);

/* A name as one safe path component: no separator, no control or bidi characters, no leading dot or dash, at most 64
 * bytes; "run" when nothing is left. free() it. */
char *run_safe_name(const char *name);

#endif
