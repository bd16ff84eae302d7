/* gemm_kernel.h - the innermost part of matrix products, compiled from one source (gemm_kernel.c) for AVX2+FMA and for
 * AVX-512. Only gemm*.c include this.
 *
 * A tile is `rows` x (2 vectors) of C, held in registers while k runs: per k one row of B is loaded, and each of A's
 * elements is broadcast. The left operand is read where it lies, either along rows (consecutive k are neighbours) or
 * along k (consecutive rows are neighbours). The right operand is a panel of 2 * lanes columns: packed (k rows one
 * behind another; what lies behind the last column is multiplied and dropped), or a strip of a row-major matrix. Every
 * element of C is one chain of fused multiply-adds over k, whatever the tile's height or width: results do not depend
 * on how C was cut.
 */
#ifndef ENGINE_CPU_GEMM_KERNEL_H
#define ENGINE_CPU_GEMM_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

/* Cache lines of a matrix that are wanted soon, row by row: with every fourth k a tile fetches two of them into the L2
 * cache, and counts them off. */
struct gemm_ahead {
    const float *at; /* the next two */
    int64_t n;       /* so many pairs are left, */
    int64_t in_row;  /* of which so many are in this row, */
    int64_t per_row; /* and so many in each one behind it, */
    int64_t jump;    /* which begins so many floats behind this row's last pair */
};

/* The left operand is read where it lies, or from a copy whose consecutive k are `lanes` apart. */
enum gemm_left { LEFT_BY_ROWS, LEFT_ALONG_K, LEFT_COPIED };

struct gemm_tile {
    const float *a;
    int64_t a_stride; /* between rows (left operand by rows), or between consecutive k (by k) */
    const float *b;
    int64_t b_stride; /* between consecutive k */
    bool packed;      /* B is a packed panel: whole vectors may be read */
    float *pack_to;   /* by tiles that pack B: the panel that gets what is read */
    int64_t k;
    float *c; /* C = alpha * A B + beta * C; beta = 0 never reads C */
    int64_t ldc;
    int columns;             /* in use, 1 .. 2 * lanes: nothing else is read or written */
    struct gemm_ahead ahead; /* n = 0: nothing is fetched */
    float alpha, beta;
};
typedef void gemm_tile_function(struct gemm_tile *tile);

enum { GEMM_ROWS_MAX = 14, GEMM_LANES_MAX = 16 };

struct gemm_narrow_kernels;
struct gemm_along_k_kernel;

struct gemm_kernels {
    const char *name;
    int rows, lanes;                                       /* tallest tile (at most lanes); floats in a vector */
    gemm_tile_function *tiles[2][3][2][GEMM_ROWS_MAX + 1]; /* [packs B][enum gemm_left][vectors - 1][rows] */
    /* [enum gemm_left, not copied][vectors - 1][rows]: both operands lie in the nearest caches. B has any stride. */
    gemm_tile_function *near_tiles[2][2][GEMM_ROWS_MAX + 1];
    const struct gemm_narrow_kernels *narrow;  /* gemm_narrow_kernel.h */
    const struct gemm_along_k_kernel *along_k; /* [columns], there */
    /* One panel of a right operand: k rows of 2 * lanes floats (of `lanes` floats when columns <= lanes). From
     * [k][columns], or transposed from [columns][k]; the rows of a left operand become a strip along k in the same way.
     */
    void (*pack)(float *panel, const float *b, int64_t ldb, int64_t k, int columns);
    void (*pack_transposed)(float *panel, const float *b, int64_t ldb, int64_t k, int columns);
    /* A left operand read along k: `rows` (at most lanes) neighbours out of each of k rows, to panel rows of lanes
     * floats. */
    void (*gather_left)(float *panel, const float *a, int64_t lda, int64_t k, int rows);
    /* C[column][row] = alpha * from[row][column] + beta * C[column][row] for at most `lanes` rows of `from`, ld floats
     * apart, of which whole vectors are read. */
    void (*store_transposed)(float *c, int64_t ldc, const float *from, int64_t ld, int rows, int columns, float alpha,
                             float beta);
};

extern const struct gemm_kernels gemm_kernel_avx2, gemm_kernel_avx512;

#endif
