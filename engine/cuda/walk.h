/* walk.h - where the elements of a dense tensor are in another one: numbers that the host computes once (walk.c) and a
 * kernel takes by value; grid.h has walk_at and divide, which read them.
 *
 *     struct walk w = walk_of(out.dim, strides, out.rank, 0);     in C
 *     out[i] = in[walk_at(&w, i)];                                 in a kernel, for i < w.n
 *
 * Axes of size 1 are dropped and neighbouring axes joined where the strides allow it, as in engine/plan/strides.h.
 */
#ifndef ENGINE_CUDA_WALK_H
#define ENGINE_CUDA_WALK_H

#include <stdbool.h>
#include <stdint.h>

enum { WALK_RANK = 8 };

/* What indexes below a known bound are divided by: a product and a shift where index and quotient fit in 31 bits. */
struct divisor {
    int64_t by;
    uint32_t magic, shift; /* magic 0: a division of 64 bits */
};

struct walk {
    int64_t n;                     /* elements: the product of the dims */
    int64_t begin;                 /* where element 0 is */
    int rank;                      /* 1 or more */
    struct divisor dim[WALK_RANK]; /* row-major */
    int64_t stride[WALK_RANK];     /* in elements, of the other tensor; may be 0 or negative */
};

#ifdef __cplusplus
extern "C" {
#endif

/* by > 0, for indexes in [0, below) */
struct divisor divisor_of(int64_t by, int64_t below);
/* Element c of dims, row-major, is at begin + sum(c * strides). rank may be 0. */
struct walk walk_of(const int64_t *dims, const int64_t *strides, int rank, int64_t begin);
/* The same walk over groups of four elements that lie side by side in both tensors; false where they do not. */
bool walk_in_quads(const struct walk *walk, struct walk *quads);

#ifdef __cplusplus
}
#endif

#endif
