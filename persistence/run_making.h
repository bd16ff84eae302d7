/* run_making.h - a run that is being made: whole or not there at all, whenever the maker is killed.
 *
 * Everything is put into a hidden folder <home>/.new-<random>/ first, which becomes <home>/<id>/ in one rename. Readers skip hidden
 * folders; those that a killed maker left behind are removed by a later run_making_begin once they are an hour old.
 *
 *     struct run_making *making = run_making_begin(home, &identity, config, err);
 *     ... put more files into run_making_folder(making) ...
 *     if (!run_making_commit(&making, &id, err))
 */
#ifndef PERSISTENCE_RUN_MAKING_H
#define PERSISTENCE_RUN_MAKING_H

#include "persistence/run_folder.h"

struct run_making;
/* Writes run.json (state queued), config.json and checkpoints/. Makes the home when there is none. NULL and err. */
struct run_making *run_making_begin(const char *home, const struct run_identity *identity, const json_t *config, struct err *err);
const char *run_making_folder(const struct run_making *making);
/* For an imported history: it ends as finished, at this epoch and step. */
bool run_making_finish(struct run_making *making, int64_t epoch, int64_t step, struct err *err) MUST_USE;
/* Durable and visible under a free id. Frees *making and sets it to NULL, also on failure (nothing is left then). *id: free() it. */
bool run_making_commit(struct run_making **making, char **id, struct err *err) MUST_USE;
/* Removes what was made. *making may be NULL. */
void run_making_abort(struct run_making **making);

/* A name as one safe path component: no separator, no control or bidi characters, no leading dot or dash, at most 64 bytes; "run" when
 * nothing is left. free() it. */
char *run_safe_name(const char *name);

#endif
