/* recurrent.h - what the kernels of recurrent layers, forward and gradient, share. */
#ifndef ENGINE_CPU_RECURRENT_H
#define ENGINE_CPU_RECURRENT_H

#include "engine/cpu/cells.h"
#include "engine/cpu/kernels.h"
#include "engine/graph/recurrent.h"

struct recurrent_sizes {
    struct recurrent r;
    const struct cells *cells;
    int64_t n, t, u, gates, width; /* gates: G U; width: floats from one step's gates to the next one's */
    int n_slices;
    int64_t rows; /* most samples of a slice */
};

/* False when the sizes are out of reach. */
bool recurrent_sizes_of(struct recurrent_sizes *s, const struct device *device, const struct recurrent *r, int64_t n,
                        int64_t t, int64_t u);
/* In place. */
void recurrent_apply(const struct recurrent_sizes *s, const struct rows *rows, enum recurrent_function function,
                     float *x, int64_t n);

#endif
