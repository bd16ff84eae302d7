/* pass.h - one pass over the samples of a split, in batches: which samples come next.
 *
 * The order of pass p is permutation(seed, p), or 0, 1, 2, ... without shuffling: two numbers say where one stands.
 * Keras' iterator: an epoch is a whole pass, unless steps_per_epoch ends it earlier; the next epoch then goes on where
 * that one stopped, and an epoch never reaches into the next pass.
 */
#ifndef ENGINE_TRAIN_PASS_H
#define ENGINE_TRAIN_PASS_H

#include "base/err.h"

#include <stdint.h>

struct pass {
    int64_t n_samples, batch, n_batches;
    int64_t steps_per_epoch; /* 0 = the whole pass */
    bool shuffle;
    uint64_t seed;
    int64_t number; /* of the pass, from 0 */
    int64_t seen;   /* batches delivered in it */
    int64_t *order; /* n_samples positions within the split */
};

/* ERR_NOMEM, or ERR_USAGE for a split without samples (`what` names it). */
bool pass_init(struct pass *pass, int64_t n_samples, int64_t batch, const char *what, struct err *err) MUST_USE;
void pass_release(struct pass *pass);
/* Stands before batch `seen` of pass `number`. */
void pass_seek(struct pass *pass, int64_t number, int64_t seen);
/* How many batches the epoch that starts here has. */
int64_t pass_epoch_batches(const struct pass *pass);
/* The positions of the next batch, *n of them. Not to be called more often than pass_epoch_batches said. */
const int64_t *pass_next(struct pass *pass, int64_t *n);
/* To be called when an epoch ends: a finished pass gives way to the next. */
void pass_end_epoch(struct pass *pass);

#endif
