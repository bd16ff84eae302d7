/* recurrent.h - what the kernels of recurrent layers, forward and gradient, share. */
#ifndef ENGINE_CPU_RECURRENT_H
#define ENGINE_CPU_RECURRENT_H

#include "engine/cpu/cells.h"
#include "engine/cpu/gemm_bfloat16.h"
#include "engine/cpu/kernels.h"
#include "engine/graph/recurrent.h"

/* Columns of the recurrent kernel that are multiplied at once: all, or a gate's where gates meet states of their own.
 */
struct recurrent_block {
    int64_t first, width;
    int64_t floats_at, turned_at; /* where it begins when the kernel is packed by blocks, as it is and transposed */
};

struct recurrent_sizes {
    struct recurrent r;
    bool bfloat16; /* and the device multiplies bfloat16 numbers */
    const struct cells *cells;
    int64_t n, t, u, gates, width; /* gates: G U; width: floats from one step's gates to the next one's */
    int n_slices;
    int64_t rows;                     /* most samples of a slice */
    struct recurrent_block blocks[4]; /* with reset_before the last one is the candidate's */
    int n_blocks;
    int64_t recurrent_floats, turned_floats; /* all blocks packed */
};

/* False when the sizes are out of reach. */
bool recurrent_sizes_of(struct recurrent_sizes *s, const struct device *device, const struct recurrent *r, int64_t n,
                        int64_t t, int64_t u);
/* In place. */
void recurrent_apply(const struct recurrent_sizes *s, const struct rows *rows, enum recurrent_function function,
                     float *x, int64_t n);
/* x rounded in place where states are bfloat16. */
void recurrent_round(const struct recurrent_sizes *s, const struct rows *rows, float *x, int64_t n);
/* A right operand of k rows that is multiplied at every step: its size when packed, slice number `slice` of packing it
 * (g->b, ldb, transpose_b, n, k), and the product with it (g->b: the panels; beta 0 or 1). */
int64_t recurrent_packed_floats(const struct recurrent_sizes *s, int64_t k, int64_t n);
void recurrent_pack(const struct recurrent_sizes *s, float *panels, const struct gemm *g, int n_slices, int slice);
void recurrent_product(const struct recurrent_sizes *s, const struct gemm *g);
/* product[n][j] = x[n][j] times the factor of sample n at column first + j, for the samples [from, from + n). */
void recurrent_times_factors(const struct recurrent_sizes *s, const float *factors, int64_t from, int64_t first,
                             int64_t n, const float *x, int64_t ldx, float *product, int64_t ld);

#endif
