/* gemm_narrow_kernel.h - the innermost part of products with few columns or short sums, compiled from one source
 * (gemm_narrow_kernel.c, gemm_along_k_kernel.c) for AVX2+FMA and for AVX-512. Only gemm*.c include this.
 *
 * along_k: a vector holds some terms of the sums of some columns, and none is wasted; a row's terms, read once into as
 * many places, are multiplied with them. An element is the sum of 2 to `lanes` chains over k, added as a tree. along_m:
 * A is stored [k][m]; vectors of rows times single numbers of B, turned while they are stored. short_k: the panel of B
 * stays in registers while the rows pass. row: one row of A; several rows of B pass at once, each in its own order.
 *
 * The last three sum as the tiles of gemm_kernel.h do: one chain over k.
 */
#ifndef ENGINE_CPU_GEMM_NARROW_KERNEL_H
#define ENGINE_CPU_GEMM_NARROW_KERNEL_H

#include <stdint.h>

enum { GEMM_NARROW_MAX = 12 /* columns along_m, terms of short_k */, GEMM_ALONG_K_MAX = 16 };

/* C (m x columns) = alpha * A B + beta * C; beta = 0 never reads C. */
struct gemm_narrow {
    const float *a;
    int64_t a_stride; /* between rows (along_m, row: between consecutive k) */
    const float *b; /* along_k: packed; along_m: rows of `columns`; short_k: rows of a panel of 2 * lanes (or lanes) */
    int64_t b_stride; /* between consecutive k; unused along_k */
    int64_t m, k;
    const float *fetch; /* short_k: what is wanted next beside each element of C, or NULL, */
    int64_t fetch_stride;
    float *sums; /* row: room for `columns` */
    float *c;
    int64_t ldc;
    int64_t columns;
    float alpha, beta;
};
typedef void gemm_narrow_function(const struct gemm_narrow *t);

struct gemm_narrow_kernels {
    gemm_narrow_function *along_m[GEMM_NARROW_MAX + 1]; /* [columns] */
    gemm_narrow_function *short_k[GEMM_NARROW_MAX + 1]; /* [k] */
    /* [k]: a panel of short_k from 2 * lanes rows of k floats; NULL for the first ones */
    void (*turn[GEMM_NARROW_MAX + 1])(float *panel, const float *b, int64_t ldb);
    gemm_narrow_function *row;
};

extern const struct gemm_narrow_kernels gemm_narrow_kernel_avx2, gemm_narrow_kernel_avx512;

/* Table rows, by the number of columns; no functions where tiles are as good. */
struct gemm_along_k_kernel {
    int width; /* floats of packed B for each k, of which there is a whole number of vectors */
    void (*pack)(float *to, const float *b, int64_t ldb, int64_t k, int columns); /* from [k][columns] */
    gemm_narrow_function *run;
};

extern const struct gemm_along_k_kernel gemm_along_k_kernel_avx2[GEMM_ALONG_K_MAX + 1],
    gemm_along_k_kernel_avx512[GEMM_ALONG_K_MAX + 1];

#endif
