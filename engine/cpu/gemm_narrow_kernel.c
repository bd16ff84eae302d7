/* gemm_narrow_kernel.c - see gemm_narrow_kernel.h. Compiled once per instruction set; GEMM_NARROW_KERNEL_TABLE names
 * the table. Numbers of rows and columns are constants where functions are inlined, so that sums stay in registers. */
#include "engine/cpu/gemm_narrow_kernel.h"

#include "engine/cpu/units.h"

#include <stdbool.h>

/* ---- along m ---- */

/* Vectors of rows at once, where there are registers for so many sums; with more columns half as many. */
#if defined(__AVX512F__)
enum { M_VECTORS = 4, M_SUMS = 24 };
#else
enum { M_VECTORS = 2, M_SUMS = 12 };
#endif
#define VECTORS_OF(columns) ((columns)*M_VECTORS <= M_SUMS ? M_VECTORS : M_VECTORS / 2)

INLINE void store_quad(float *c, __m128 x, float beta, const int n, const bool adds)
{
    if (adds) {
        float old[4] = {0};
        memcpy(old, c, (size_t)n * sizeof *c);
        x = _mm_fmadd_ps(_mm_loadu_ps(old), _mm_set1_ps(beta), x);
    }
    memcpy(c, &x, (size_t)n * sizeof *c);
}

/* LANES rows of C from vectors along m, one for each column. A row's parts are stored one behind the other. */
INLINE void store_turned(const struct gemm_narrow *t, const vec (*acc)[M_VECTORS], int v, float *c, int64_t ldc,
                         const int columns, const bool adds)
{
    const vec alpha = vec_all(t->alpha);
    const float beta = t->beta;
    vec x[GEMM_NARROW_MAX];
#pragma GCC unroll 16
    for (int j = 0; j < (columns + 3) / 4 * 4; j++)
        x[j] = j < columns ? acc[j][v] * alpha : vec_all(0);
#pragma GCC unroll 4
    for (int j = 0; j < columns; j += 4)
        quads_transpose(x + j);
#define FOUR_ROWS(quad)                                                                                                \
    _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++, c += ldc)                                                      \
        _Pragma("GCC unroll 4") for (int j = 0; j < columns; j += 4)                                                   \
            store_quad(c + j, QUAD(x[j + i], quad), beta, columns - j < 4 ? columns - j : 4, adds)
    FOUR_ROWS(0);
    FOUR_ROWS(1);
#if defined(__AVX512F__)
    FOUR_ROWS(2);
    FOUR_ROWS(3);
#endif
#undef FOUR_ROWS
}

/* LANES rows of C that follow each other without a gap, of an odd number of pairs of columns: in whole vectors of C no
 * two rows of a pair have the same place. Each pair is brought to its places, then the vectors take some of every pair.
 */
INLINE void store_woven(const struct gemm_narrow *t, const vec (*acc)[M_VECTORS], const int v, float *c,
                        const int columns, const bool plain)
{
    const int pairs = columns / 2, rows = LANES / 2;
    vec x[GEMM_NARROW_MAX / 2];
#define ROW(lane) (((lane) / 2 + rows * pairs - j) * pairs % rows) /* odd numbers are their own inverses modulo 8 */
#define PLACE(lane) (first + ROW(lane) + (lane) % 2 * LANES)
#define TAKE(lane) ((lane) + ((i * rows + (lane) / 2) % pairs == j ? LANES : 0))
#pragma GCC unroll 2
    for (int first = 0; first < LANES; first += rows) {
#pragma GCC unroll 8
        for (int j = 0; j < pairs; j++)
            x[j] = vec_shuffle(acc[2 * j][v], acc[2 * j + 1][v], (vec_numbers){EACH_LANE(PLACE)});
#pragma GCC unroll 8
        for (int i = 0; i < pairs; i++, c += LANES) {
            vec y = x[0];
#pragma GCC unroll 8
            for (int j = 1; j < pairs; j++)
                y = vec_shuffle(y, x[j], (vec_numbers){EACH_LANE(TAKE)});
            if (!plain)
                y *= vec_all(t->alpha);
            if (!plain && t->beta != 0)
                y = vec_fma(vec_load(c), vec_all(t->beta), y);
            vec_store(c, y);
        }
    }
#undef ROW
#undef PLACE
#undef TAKE
}

INLINE void store_all_woven(const struct gemm_narrow *t, const vec (*acc)[M_VECTORS], float *c, const int columns,
                            const bool plain)
{
    const int vectors = VECTORS_OF(columns);
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
        store_woven(t, acc, v, c + v * LANES * columns, columns, plain);
}

INLINE void store_columns(const struct gemm_narrow *t, const vec (*acc)[M_VECTORS], float *c, int64_t ldc,
                          const int columns)
{
    if (columns % 4 == 2 && ldc == columns) {
        if (t->alpha == 1 && t->beta == 0)
            store_all_woven(t, acc, c, columns, true);
        else
            store_all_woven(t, acc, c, columns, false);
        return;
    }
    for (int v = 0; v < VECTORS_OF(columns); v++)
        if (t->beta == 0)
            store_turned(t, acc, v, c + v * LANES * ldc, ldc, columns, false);
        else
            store_turned(t, acc, v, c + v * LANES * ldc, ldc, columns, true);
}

/* Fewer rows than a block: they go through a whole one. */
INLINE void store_last_columns(const struct gemm_narrow *t, const vec (*acc)[M_VECTORS], float *c, int rows,
                               const int columns)
{
    float block[M_VECTORS * LANES][GEMM_NARROW_MAX] = {{0}};
    for (int i = 0; i < rows && t->beta != 0; i++)
        memcpy(block[i], c + i * t->ldc, (size_t)columns * sizeof *c);
    store_columns(t, acc, block[0], GEMM_NARROW_MAX, columns);
    for (int i = 0; i < rows; i++)
        memcpy(c + i * t->ldc, block[i], (size_t)columns * sizeof *c);
}

INLINE void block_along_m(const struct gemm_narrow *t, int64_t first, int rows, const int columns, const bool whole)
{
    const float *a = t->a + first, *b = t->b;
    float *c = t->c + first * t->ldc;
    const int vectors = VECTORS_OF(columns);
    vec acc[GEMM_NARROW_MAX][M_VECTORS];
    vec_mask mask[M_VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
        mask[v] = mask_first(rows - v * LANES);
#pragma GCC unroll 16
        for (int j = 0; j < columns; j++)
            acc[j][v] = vec_all(0);
    }
    for (int64_t k = t->k; k > 0; k--, a += t->a_stride, b += t->b_stride) {
        vec x[M_VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            x[v] = whole ? vec_load(a + v * LANES) : vec_load_masked(a + v * LANES, mask[v]);
#pragma GCC unroll 16
        for (int j = 0; j < columns; j++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                acc[j][v] = vec_fma(vec_all(b[j]), x[v], acc[j][v]);
    }
    if (whole)
        store_columns(t, acc, c, t->ldc, columns);
    else
        store_last_columns(t, acc, c, rows, columns);
}

INLINE void along_m(const struct gemm_narrow *t, const int columns)
{
    const int block = VECTORS_OF(columns) * LANES;
    int64_t i = 0;
    for (; i + block <= t->m; i += block)
        block_along_m(t, i, block, columns, true);
    if (i < t->m)
        block_along_m(t, i, (int)(t->m - i), columns, false);
}

/* ---- short k ---- */

#if defined(__AVX512F__)
enum { REGISTERS = 32 };
#else
enum { REGISTERS = 16 };
#endif
enum { SHORT_ROWS = 4 }; /* at once, where there are registers for them */

INLINE void store_short(const struct gemm_narrow *t, float *c, vec x, vec_mask mask, bool whole, const bool plain)
{
    if (!plain) {
        x *= vec_all(t->alpha);
        if (t->beta != 0)
            x = vec_fma(vec_load_masked(c, mask), vec_all(t->beta), x);
    }
    if (whole)
        vec_store(c, x);
    else
        vec_store_masked(c, mask, x);
}

/* What the rows of one panel have in common. */
struct short_panel {
    vec right[GEMM_NARROW_MAX][2];
    vec_mask mask; /* of the last vector */
    bool whole;
};

INLINE void rows_short_k(const struct gemm_narrow *t, const struct short_panel *p, const float *a, float *c,
                         const int rows, const int vectors, const int k, const bool plain)
{
    vec acc[SHORT_ROWS][2];
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
            acc[i][v] = vec_all(0);
#pragma GCC unroll 16
    for (int j = 0; j < k; j++)
#pragma GCC unroll 4
        for (int i = 0; i < rows; i++) {
            const vec left = vec_all(a[i * t->a_stride + j]);
#pragma GCC unroll 2
            for (int v = 0; v < vectors; v++)
                acc[i][v] = vec_fma(left, p->right[j][v], acc[i][v]);
        }
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++, c += t->ldc) {
        if (vectors == 2)
            store_short(t, c, acc[i][0], mask_first(LANES), true, plain);
        store_short(t, c + (vectors - 1) * LANES, acc[i][vectors - 1], p->mask, p->whole, plain);
    }
}

/* Of rows [row, row + rows), whose columns begin at `first`. */
INLINE void fetch_short(const struct gemm_narrow *t, int64_t row, int first, const int rows, const int vectors)
{
    const float *at = t->fetch + row * t->fetch_stride + first;
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
            __builtin_prefetch(at + i * t->fetch_stride + v * LANES);
}

/* Columns [first, first + vectors * LANES) of the panel. */
INLINE void panel_short_k(const struct gemm_narrow *t, int first, const int vectors, const int k, const bool plain)
{
    const int fit = (REGISTERS - 1) / vectors - k, rows = fit < SHORT_ROWS ? fit : SHORT_ROWS;
    struct short_panel p;
    p.mask = mask_first(t->columns - first - (vectors - 1) * LANES);
    p.whole = t->columns - first >= vectors * LANES;
#pragma GCC unroll 16
    for (int i = 0; i < k; i++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
            p.right[i][v] = vec_load(t->b + i * t->b_stride + first + v * LANES);
    const float *a = t->a;
    float *c = t->c + first;
    int64_t row = 0;
    for (; row + rows <= t->m; row += rows, a += rows * t->a_stride, c += rows * t->ldc) {
        if (t->fetch)
            fetch_short(t, row, first, rows, vectors);
        rows_short_k(t, &p, a, c, rows, vectors, k, plain);
    }
    for (; row < t->m; row++, a += t->a_stride, c += t->ldc)
        rows_short_k(t, &p, a, c, 1, vectors, k, plain);
}

INLINE void panels_short_k(const struct gemm_narrow *t, const int k, const bool plain)
{
#if defined(__AVX512F__)
    if (t->columns > LANES)
        panel_short_k(t, 0, 2, k, plain);
    else
        panel_short_k(t, 0, 1, k, plain);
#else
    for (int first = 0; first < t->columns; first += LANES)
        panel_short_k(t, first, 1, k, plain);
#endif
}

INLINE void short_k(const struct gemm_narrow *t, const int k)
{
    if (t->alpha == 1 && t->beta == 0)
        panels_short_k(t, k, true);
    else
        panels_short_k(t, k, false);
}

/* A panel from `k` >= 4 neighbours in each of 2 * LANES rows. The last four columns are read together, also when some
 * of them have been before. */
INLINE void turn_panel(float *panel, const float *b, int64_t ldb, const int k)
{
    for (int half = 0; half < 2; half++, b += LANES * ldb)
#pragma GCC unroll 4
        for (int j = 0; j < k; j += 4) {
            const int first = j + 4 < k ? j : k - 4;
            vec x[4];
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++)
                x[i] = vec_quads(b + first + i * ldb, 4 * ldb, 8 * ldb, 12 * ldb);
            quads_transpose(x);
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++)
                vec_store(panel + (first + i) * 2 * LANES + half * LANES, x[i]);
        }
}

/* ---- row ---- */

enum { TOGETHER_ROWS = 8 };

/* sums += the products of `rows` rows of b. */
INLINE void add_rows(float *sums, const float *a, int64_t a_stride, const float *b, int64_t b_stride, int64_t n,
                     const int rows)
{
    vec factor[TOGETHER_ROWS];
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
        factor[i] = vec_all(a[i * a_stride]);
    for (; n >= LANES; n -= LANES, sums += LANES, b += LANES) {
        vec sum = vec_load(sums);
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++)
            sum = vec_fma(factor[i], vec_load(b + i * b_stride), sum);
        vec_store(sums, sum);
    }
    const vec_mask mask = mask_first(n);
    vec sum = vec_load_masked(sums, mask);
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
        sum = vec_fma(factor[i], vec_load_masked(b + i * b_stride, mask), sum);
    vec_store_masked(sums, mask, sum);
}

static void row(const struct gemm_narrow *t)
{
    const float *a = t->a, *b = t->b;
    int64_t k = t->k;
    memset(t->sums, 0, (size_t)t->columns * sizeof *t->sums);
    for (; k >= TOGETHER_ROWS; k -= TOGETHER_ROWS, a += TOGETHER_ROWS * t->a_stride, b += TOGETHER_ROWS * t->b_stride)
        add_rows(t->sums, a, t->a_stride, b, t->b_stride, t->columns, TOGETHER_ROWS);
    for (; k > 0; k--, a += t->a_stride, b += t->b_stride)
        add_rows(t->sums, a, t->a_stride, b, t->b_stride, t->columns, 1);
    for (int64_t j = 0; j < t->columns; j += LANES) {
        const vec_mask mask = mask_first(t->columns - j);
        store_short(t, t->c + j, vec_load_masked(t->sums + j, mask), mask, false, false);
    }
}

#define COUNT(n)                                                                                                       \
    static void along_m_##n(const struct gemm_narrow *t)                                                               \
    {                                                                                                                  \
        along_m(t, n);                                                                                                 \
    }                                                                                                                  \
    static void short_k_##n(const struct gemm_narrow *t)                                                               \
    {                                                                                                                  \
        short_k(t, n);                                                                                                 \
    }
#define TURN(n)                                                                                                        \
    static void turn_##n(float *panel, const float *b, int64_t ldb)                                                    \
    {                                                                                                                  \
        turn_panel(panel, b, ldb, n);                                                                                  \
    }
COUNT(1)
COUNT(2)
COUNT(3)
COUNT(4)
COUNT(5)
COUNT(6)
COUNT(7)
COUNT(8)
COUNT(9)
COUNT(10)
COUNT(11)
COUNT(12)
TURN(4)
TURN(5)
TURN(6)
TURN(7)
TURN(8)
TURN(9)
TURN(10)
TURN(11)
TURN(12)
#define TO_12(name)                                                                                                    \
    0, name##_1, name##_2, name##_3, name##_4, name##_5, name##_6, name##_7, name##_8, name##_9, name##_10, name##_11, \
        name##_12

const struct gemm_narrow_kernels GEMM_NARROW_KERNEL_TABLE = {
    .along_m = {TO_12(along_m)},
    .short_k = {TO_12(short_k)},
    .turn = {0, 0, 0, 0, turn_4, turn_5, turn_6, turn_7, turn_8, turn_9, turn_10, turn_11, turn_12},
    .row = row,
};
