/* gemm.h - matrix products of one thread: own kernels for AVX-512 and AVX2+FMA, OpenBLAS elsewhere.
 *
 *     gemm_run(&(struct gemm){.m = 64, .n = 10, .k = 128, .a = x, .lda = 128, .b = w, .ldb = 10, .c = y, .ldc = 10,
 * .alpha = 1});
 *
 * Callers cut large products into slices and run each slice in one thread. With the own kernels an element of C does
 * not depend on how C was cut (rows or columns): it is the same chain of fused multiply-adds, in blocks of k that
 * depend on k alone. Except: few columns (16 with AVX-512, 12 with AVX2) with A by rows and sums of at least 16 terms,
 * and a single row times a transposed B, are computed with vectors along k (gemm_narrow.c), a few chains an element:
 * where such a product is cut by columns, or a single row is cut off, the bits differ. NaN and infinity travel; beta =
 * 0 does not read C. Panels lie in memory of the calling thread (scratch.h), which its first product allocates.
 *
 * A right operand that several products share (weights, filters) is packed once, into gemm_packed_b_floats(k, n)
 * floats that are 64-byte aligned:
 *
 *     gemm_pack_b(panels, w, ldw, false, k, n);  or in parts by several threads: gemm_pack_b_columns
 *     g.b = panels; g.ldb = n;
 *     gemm_run_packed(&g, 0);                    the product with all n columns
 *     g.n = 64; g.c += 128;
 *     gemm_run_packed(&g, 128);                  with columns 128..191; the first is a multiple of gemm_panel()
 */
#ifndef ENGINE_CPU_GEMM_H
#define ENGINE_CPU_GEMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GEMM_BESIDE_MAX = 4 };

/* C (m x n) = alpha * op(A) op(B) + beta * C, all row-major with strides lda, ldb, ldc. op(A) is m x k: stored [m][k],
 * or [k][m] when transpose_a; op(B) is k x n: stored [k][n], or [n][k] when transpose_b. C overlaps neither A nor B. */
struct gemm {
    bool transpose_a, transpose_b;
    int64_t m, n, k, lda, ldb, ldc;
    const float *a, *b;
    float *c;
    float alpha, beta;
    /* Optional: called with each part of C as soon as it is finished, while it is in the cache: rows [row, row + m) and
     * columns [column, column + n); product points to its first element, ld is its stride. The parts cover C without
     * overlap. */
    void (*finish)(void *context, const float *product, int64_t ld, int64_t row, int64_t column, int64_t m, int64_t n);
    void *context;
    /* With `finish` and gemm_can_stream, c may be NULL: the product goes to `finish` only, strip by strip, and needs
     * no memory. beside: what finish will touch, matrices of C's shape and stride ldc, fetched into the cache ahead. */
    const float *beside[GEMM_BESIDE_MAX];
    int n_beside;
};
/* Whether c may be NULL, in gemm_run_packed_a or in the others: there, when the sums over k are not so long that they
 * are cut into blocks. */
bool gemm_can_stream(const struct gemm *g, bool packed_a);
void gemm_run(const struct gemm *g);
/* Which kernels gemm_run takes: "narrow-k", "narrow-m", "short-k", "row", "turned", "direct", "packed", "openblas". */
const char *gemm_kind(const struct gemm *g);

/* Sums over k are cut into blocks of so many: a chain each, added in order. */
int64_t gemm_k_block(int64_t k);

/* Columns in a panel of a packed right operand. */
int gemm_panel(void);
/* Size of a packed right operand. k and n are below 2^31. */
size_t gemm_packed_b_floats(int64_t k, int64_t n);
/* b as in struct gemm: [k][n], or [n][k] when transpose_b. */
void gemm_pack_b(float *panels, const float *b, int64_t ldb, bool transpose_b, int64_t k, int64_t n);
/* Only columns [first, first + count): first is a multiple of gemm_panel(), and so is count unless these are the last
 * ones. b is still the whole matrix. */
void gemm_pack_b_columns(float *panels, const float *b, int64_t ldb, bool transpose_b, int64_t k, int64_t n,
                         int64_t first, int64_t count);
/* g->b is the whole packed operand and g->ldb the number of its columns; g->transpose_b is ignored. C gets the product
 * with the columns [first, first + g->n): first is a multiple of gemm_panel(), and so is g->n unless these are the
 * operand's last columns. */
void gemm_run_packed(const struct gemm *g, int64_t first);

/* The left operand packed: g->a is op(A)^T, packed with gemm_pack_b(panels, a, lda, !transpose_a, k, m). For products
 * with few rows and a large B that is read where it lies: g->transpose_b, as in the gradient of a dense layer's input.
 */
void gemm_run_packed_a(const struct gemm *g);

/* "avx512", "avx2", or "OpenBLAS Haswell": what this process uses, for doctor and for the record of a run. */
const char *gemm_description(void);
/* Chooses the kernels once: `level` is the name of the instruction set of rows_choose(). Products before it run with
 * OpenBLAS. */
void gemm_choose(const char *level);
/* OpenBLAS' own threads never compute: the same bytes whatever the environment says. Its helpers are not even made when
 * OPENBLAS_NUM_THREADS=1 is set before the program starts, which the launcher does. */
void gemm_hold_to_one_thread(void);

#endif
