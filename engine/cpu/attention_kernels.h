/* attention_kernels.h - the inner loops of attention, compiled from one source (attention_kernels.c) once per
 * instruction set: products of matrices that are too small for packing to pay, the softmax of a row of scores and its
 * gradient.
 * Only attention.c includes this.
 */
#ifndef ENGINE_CPU_ATTENTION_KERNELS_H
#define ENGINE_CPU_ATTENTION_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

struct small_product { /* C [m][n] = A B, or C += A B */
    int64_t m, n, k;   /* n: a multiple of `lanes`; B and C have whole vectors in every row */
    const float *a;
    int64_t a_row, a_k; /* distance of neighbours in a column and in a row of A: either may be 1 */
    const float *b;
    int64_t ldb;
    float *c;
    int64_t ldc;
    bool accumulate;
};

struct attention_kernels {
    const char *name;
    int lanes; /* floats in a vector */
    void (*multiply)(const struct small_product *product);
    /* to[column][row] = from[row][column] * factor */
    void (*transpose)(float *to, int64_t to_stride, const float *from, int64_t from_stride, int64_t rows,
                      int64_t columns, float factor);
    /* Scores of one query -> its probabilities, in place: keys [first, end) count, the others get 0, up to `padded`, a
     * multiple of lanes; p gets the first n of them. */
    void (*softmax)(float *scores, float *p, int64_t first, int64_t end, int64_t n, int64_t padded);
    /* ds = p * (dp - sum(p * dp)) * factor over n elements; ds may equal dp */
    void (*score_gradient)(float *ds, const float *p, const float *dp, float factor, int64_t n);
};

/* The table for an instruction set by its name in struct rows. */
const struct attention_kernels *attention_kernels_for(const char *level);

#endif
