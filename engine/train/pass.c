/* pass.c - see pass.h */
#include "engine/train/pass.h"
#include "base/io.h"
#include "base/rng.h"

#include <stdlib.h>

bool pass_init(struct pass *pass, int64_t n_samples, int64_t batch, const char *what, struct err *err)
{
    *pass = (struct pass){.n_samples = n_samples, .batch = batch < n_samples ? batch : n_samples};
    if (n_samples < 1)
        return err_set(err, ERR_USAGE, "the %s part of the data has no samples", what);
    pass->n_batches = (n_samples + pass->batch - 1) / pass->batch;
    pass->order = io_allocate((size_t)n_samples * sizeof *pass->order, "the order of the samples", err);
    if (!pass->order)
        return false;
    pass_seek(pass, 0, 0);
    return true;
}

void pass_release(struct pass *pass)
{
    free(pass->order);
    *pass = (struct pass){0};
}

void pass_seek(struct pass *pass, int64_t number, int64_t seen)
{
    pass->number = number;
    pass->seen = seen;
    if (pass->shuffle)
        rng_permutation(pass->seed, (uint32_t)(RNG_STREAM_SHUFFLE + number), pass->order, (size_t)pass->n_samples);
    else
        for (int64_t i = 0; i < pass->n_samples; i++)
            pass->order[i] = i;
}

int64_t pass_epoch_batches(const struct pass *pass)
{
    int64_t left = pass->n_batches - pass->seen;
    return pass->steps_per_epoch && pass->steps_per_epoch < left ? pass->steps_per_epoch : left;
}

const int64_t *pass_next(struct pass *pass, int64_t *n)
{
    int64_t first = pass->seen++ * pass->batch, left = pass->n_samples - first;
    *n = left < pass->batch ? left : pass->batch;
    return pass->order + first;
}

void pass_end_epoch(struct pass *pass)
{
    if (!pass->steps_per_epoch || pass->seen >= pass->n_batches)
        pass_seek(pass, pass->number + 1, 0);
}
