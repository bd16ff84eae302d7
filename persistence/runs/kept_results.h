/* kept_results.h - what was computed of a checkpoint stays beside it, in <checkpoint>.<what>.json: {"made": Unix
 * seconds, "of": {"size_bytes", "modified", "data"}, "result"}.
 *
 *   evaluate-test          the last evaluation on a part of the data
 *   predict-test-0-64      predictions for samples 0 .. 63 of a part
 *   texts                  texts that a model of text wrote, the newest last
 *
 * A result is believed only while the checkpoint is the file it was made of and the data of its run are what they were:
 * "data" is a fingerprint of the config's data object and of the sizes and times of the files it names. They are a
 * cache: small, written whole or not at all but not forced to the disk, damaged ones are as if they were not there.
 * They go with their checkpoint.
 */
#ifndef PERSISTENCE_RUNS_KEPT_RESULTS_H
#define PERSISTENCE_RUNS_KEPT_RESULTS_H

#include "base/arena.h"
#include "base/json.h"

enum {
    KEPT_MAX_BYTES = 2 << 20,      /* of one file: a larger one is not kept */
    KEPT_ALL_MAX_BYTES = 16 << 20, /* of a checkpoint */
};

/* False: it could not be kept (a home that cannot be written, too large), which is no error. */
bool kept_save(const char *checkpoint, const char *what, const json_t *result);
/* New reference; NULL: nothing that can be believed. *made: Unix seconds. */
json_t *kept_read(const char *checkpoint, const char *what, double *made);
void kept_drop(const char *checkpoint, const char *what);
/* What there is, believed or not, in order of the names; in the arena. Returns how many. */
size_t kept_list(const char *checkpoint, struct arena *arena, const char *const **list);
/* The file of it. free() it. */
char *kept_path(const char *checkpoint, const char *what);
/* All of them: the checkpoint is going. */
void kept_remove(const char *checkpoint);

enum { KEPT_EVALUATION = 1, KEPT_PREDICTIONS = 2, KEPT_TEXTS = 4 };
/* Which kinds there are for each of n checkpoints of a folder, in one look. names: of their files. */
void kept_kinds(const char *folder, const char *const *names, size_t n, unsigned *kinds);

#endif
