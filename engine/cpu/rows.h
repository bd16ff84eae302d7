/* rows.h - the innermost loops over contiguous floats, compiled from one source (rows.c) once per instruction set:
 * baseline, AVX2+FMA, AVX-512. The table is chosen when the device is opened. No two pointers of a call may overlap
 * unless they are equal and the comment says so. NaN and infinity travel; there is no fast-math.
 */
#ifndef ENGINE_CPU_ROWS_H
#define ENGINE_CPU_ROWS_H

#include "engine/graph/expr.h"

#include <stdint.h>

enum { ROWS_TOGETHER = 16, NARROW_MAX = 96 };

struct rows {
    const char *name; /* "avx512", "avx2", "baseline" */
    /* One step of an expression over n elements; out may equal an operand. Entries of INPUT and CONST are NULL. */
    void (*step[EXPR_OP_COUNT])(float *out, const float *a, const float *b, const float *c, int n);
    void (*fill)(float *out, float value, int n);
    void (*from_i32)(float *out, const int32_t *in, int n);
    /* acc[i] op= x[i]; acc and x may not overlap. */
    void (*add_into)(float *acc, const float *x, int64_t n);
    void (*max_into)(float *acc, const float *x, int64_t n);
    /* where[i] = position and best[i] = x[i] if that is larger, or the first NaN */
    void (*pick_max)(float *best, int32_t *where, const float *x, int32_t position, int64_t n);
    /* acc[i] += x[i] where where[i] == position */
    void (*add_where)(float *acc, const int32_t *where, int32_t position, const float *x, int64_t n);
    /* y[i] = u[i] < rate ? 0 : x[i] * factor; y may equal x */
    void (*drop)(float *y, const float *x, const float *u, float rate, float factor, int64_t n);
    void (*min_into)(float *acc, const float *x, int64_t n);
    void (*mul_into)(float *acc, const float *x, int64_t n);
    void (*axpy)(float *acc, float a, const float *x, int64_t n); /* acc += a * x */
    /* y = x times a matrix of k rows of n numbers, dense; every sum in rising order of the rows. */
    void (*combine)(float *y, const float *x, const float *matrix, int64_t k, int64_t n);
    /* The same, both rounded as they are read. */
    void (*combine_bfloat16)(float *y, const float *x, const float *matrix, int64_t k, int64_t n);
    void (*scale)(float *x, float a, int64_t n);
    /* Fixed order: 16 partial sums, then a tree. */
    float (*sum)(const float *x, int64_t n);
    float (*dot)(const float *x, const float *y, int64_t n);
    float (*max)(const float *x, int64_t n); /* NaN when there is one; n >= 1 */
    float (*min)(const float *x, int64_t n);
    /* out = exp(x - shift), returns the sum; out may equal x. */
    float (*exp_sum)(float *out, const float *x, float shift, int64_t n);
    /* One row of layer normalization's gradient: dx, and the row's share added to dgamma and dbeta. */
    void (*layer_norm_gradient)(float *dx, float *dgamma, float *dbeta, const float *x, const float *dy,
                                const float *gamma, float mean, float rstd, int64_t n);
    /* sum of (x - mean)^2 */
    float (*square_deviation)(const float *x, float mean, int64_t n);
    /* out = (x - mean) * rstd * gamma + beta */
    void (*normalize)(float *out, const float *x, float mean, float rstd, const float *gamma, const float *beta,
                      int64_t n);
    /* per element i of a row over channels: out = x * scale[i] + shift[i]; out may equal x */
    void (*affine)(float *out, const float *x, const float *scale, const float *shift, int64_t n);
    /* sum += x, squares += (x - shift)^2 per channel */
    void (*moments_into)(float *sum, float *squares, const float *x, const float *shift, int64_t n);
    /* Uniform numbers in [0, 1): elements 4 * first_block ... of the sequence (seed, stream, step); 4 * n_blocks
     * numbers. */
    void (*uniform)(float *out, uint64_t seed, uint32_t stream, uint32_t step, uint64_t first_block, int n_blocks);
    /* a += dy, b += dy * (x - mean) * rstd per channel */
    void (*norm_grad_into)(float *a, float *b, const float *dy, const float *x, const float *mean, const float *rstd,
                           int64_t n);
    /* For `count` rows (1 .. ROWS_TOGETHER) of n numbers, at most NARROW_MAX: p[i] = exp(x[i] - max) / sum, where p is
     * not NULL, and the logarithm of each row's sum of exp(x[i]), where log_sum is not NULL. p may equal x. */
    void (*softmax_narrow)(float *p, float *log_sum, const float *x, int64_t n, int count);
    /* out = the larger of least and a + b, NaN where the sum is; out may equal a or b. */
    void (*add_max)(float *out, const float *a, const float *b, float least, int64_t n);
    /* out = x > least ? y : least; out may equal x or y. */
    void (*where_above)(float *out, const float *x, const float *y, float least, int64_t n);
    /* out = x > least ? a + b : least; out may equal x, a or b. */
    void (*add_above)(float *out, const float *x, const float *a, const float *b, float least, int64_t n);
    /* out = w - g * rate; out may equal w or g. */
    void (*descend)(float *out, const float *w, const float *g, float rate, int64_t n);
    /* One step of Adam: c = 1 - beta_1, 1 - beta_2, epsilon; alpha with the bias corrections. New values may be stored
     * over old ones. */
    void (*adam)(float *w_new, float *m_new, float *v_new, const float *dw, const float *w, const float *m,
                 const float *v, float alpha, const float *c, int64_t n);
};

/* What this machine can run; ANTLER_CPU=baseline|avx2|avx512 asks for less. */
const struct rows *rows_choose(void);

#endif
