/* gemm_along_k_kernel.c - see gemm_narrow_kernel.h. Compiled once per instruction set; GEMM_ALONG_K_KERNEL_TABLE names
 * the table. Numbers of rows and columns are constants where functions are inlined, so that sums stay in registers.
 *
 * A unit is a vector that holds LANES / c terms of the sums of c columns, c a power of two: lane j * (LANES / c) + i is
 * term i of column j. The same terms of a row of A, read once and repeated c times, are its factor. A product's columns
 * make a main unit, or two, and often one for the rest:
 *
 *     10 columns, 16 lanes:   4 terms of columns 0, 1, 2, 3;   4 terms of columns 4, 5, 6, 7;   8 terms of columns 8, 9
 *
 * Two units that hold as many columns as there are lanes share them in turns: then the sums are in their places.
 *
 * In the end the terms are added up, those of several rows and units at once: they take each other's places.
 */
#include "engine/cpu/gemm_narrow_kernel.h"

#include "engine/cpu/units.h"

#include <stdbool.h>

#if defined(__AVX512F__)
enum { STRIP = 8 };
#else
enum { STRIP = 4 };
#endif
enum {
    UNITS_MAX = 3,
    GROUP = 4, /* rows that share an address register */
    GROUPS = STRIP / GROUP,
    NEAR_FLOATS = 1 << 18, /* that are in the L2 cache, as a rule */
};

/* One or two main units of `wide` columns, and one of `rest` columns, or none. */
struct layout {
    int mains, wide, rest;
};
#define COLUMNS(l) ((l).mains * (l).wide + (l).rest)
/* Whether a vector of the last unit follows the vectors n of the main ones. */
#define REST_FOLLOWS(l, n) ((l).rest > 0 && ((n) + 1) * (l).rest % (l).wide == 0)

/* `terms` floats at p, as often as they fit into a vector. */
INLINE vec load_repeated(const float *p, const int terms)
{
    return terms == LANES       ? vec_load(p)
           : terms == LANES / 2 ? vec_repeat_half(p)
           : terms == 4         ? vec_repeat_quad(p)
           : terms == 2         ? vec_repeat_pair(p)
                                : vec_all(*p);
}

/* LANES / columns rows of b, one behind the other. */
INLINE vec collect(const float *b, int64_t ldb, const int columns)
{
    return columns == LANES       ? vec_load(b)
           : columns == LANES / 2 ? vec_halves(b, ldb)
           : columns == 4         ? vec_quads(b, ldb, 2 * ldb, 3 * ldb)
           : columns == 2         ? vec_pairs(b, ldb)
                                  : vec_singles(b, ldb);
}

INLINE void pack_unit(float *to, const float *b, int64_t ldb, const int columns)
{
    const int terms = LANES / columns;
#define FROM(lane) ((lane) % terms * columns + (lane) / terms)
    vec_store(to, vec_permute(collect(b, ldb, columns), (vec_numbers){EACH_LANE(FROM)}));
#undef FROM
}

/* Half of the columns each. */
INLINE void pack_two_units(float *to, const float *b, int64_t ldb, const int columns)
{
    const int terms = LANES / columns, in_turns = 2 * columns == LANES;
    const vec x = collect(b, ldb, 2 * columns), y = collect(b + terms / 2 * ldb, ldb, 2 * columns);
#define FIRST(lane) ((lane) % terms * columns * 2 + (lane) / terms * (1 + in_turns))
#define SECOND(lane) FIRST(lane) + (in_turns ? 1 : columns)
    vec_store(to, vec_permute_two(x, y, (vec_numbers){EACH_LANE(FIRST)}));
    vec_store(to + LANES, vec_permute_two(x, y, (vec_numbers){EACH_LANE(SECOND)}));
#undef FIRST
#undef SECOND
}

#if defined(__AVX512F__)
enum { DENSE = 10 }; /* columns, of rows that follow each other without a gap: a vector holds six of them of two rows */

/* LANES rows of them. */
INLINE void pack_dense(float *to, const float *b)
{
#define FOUR(lane) ((lane) % 2 * DENSE + (lane) / 4 + (lane) % 4 / 2 * LANES)
#define LAST(lane) ((lane) % 2 * DENSE + (lane) / 8 + 4 + (lane) % 4 / 2 * LANES)
#define HALVES(lane) ((lane) + (lane) / 4 % 2 * LANES)
    vec last[2];
#pragma GCC unroll 4
    for (int n = 0; n < 4; n++, to += 2 * LANES, b += 4 * DENSE) {
        const vec x = vec_load(b + 4), y = vec_load(b + 2 * DENSE + 4);
        vec_store(to, vec_permute_two(vec_load(b), vec_load(b + 2 * DENSE), (vec_numbers){EACH_LANE(FOUR)}));
        vec_store(to + LANES, vec_permute_two(x, y, (vec_numbers){EACH_LANE(FOUR)}));
        last[n % 2] = vec_permute_two(x, y, (vec_numbers){EACH_LANE(LAST)});
        if (n % 2) {
            vec_store(to + 2 * LANES, vec_shuffle(last[0], last[1], (vec_numbers){EACH_LANE(HALVES)}));
            to += LANES;
        }
    }
#undef FOUR
#undef LAST
#undef HALVES
}
#endif

/* LANES rows of b, of which the columns of all units are read. */
INLINE void pack_block(float *to, const float *b, int64_t ldb, const struct layout l)
{
#if defined(__AVX512F__)
    if (COLUMNS(l) == DENSE && ldb == DENSE) {
        pack_dense(to, b);
        return;
    }
#endif
#pragma GCC unroll 8
    for (int n = 0; n < l.wide; n++, to += l.mains * LANES) {
        const float *from = b + n * (LANES / l.wide) * ldb;
        if (l.mains == 2)
            pack_two_units(to, from, ldb, l.wide);
        else
            pack_unit(to, from, ldb, l.wide);
        if (REST_FOLLOWS(l, n)) {
            pack_unit(to + l.mains * LANES, b + l.mains * l.wide + n * l.rest / l.wide * (LANES / l.rest) * ldb, ldb,
                      l.rest);
            to += LANES;
        }
    }
}

/* Rows behind the last are zeros. What is read behind a row's columns belongs to the next row. */
INLINE void pack(float *to, const float *b, int64_t ldb, int64_t k, int columns, const struct layout l)
{
    const int64_t least = LANES + (columns < COLUMNS(l)); /* rows from which a whole block can be read where it lies */
    for (; k >= least; k -= LANES, b += LANES * ldb, to += LANES * COLUMNS(l))
        pack_block(to, b, ldb, l);
    if (k == 0)
        return;
    float rows[LANES][GEMM_ALONG_K_MAX] = {{0}};
    for (int i = 0; i < k; i++)
        for (int j = 0; j < columns; j += LANES)
            vec_store(rows[i] + j, vec_load_masked(b + i * ldb + j, mask_first(columns - j)));
    pack_block(to, rows[0], GEMM_ALONG_K_MAX, l);
}

/* Sums of some rows' terms, `terms` of each, from equal units of them. Their places, unless units share columns in
 * turns: */
#define AT(column, row, units, terms)                                                                                  \
    ((column) % (LANES / (terms)) * (terms) + (row) * (units) % (terms) + (column) / (LANES / (terms)))
INLINE vec add_terms(vec (*acc)[STRIP], const int units, const int terms, const int first, const int rows)
{
    vec x[LANES];
#pragma GCC unroll 16
    for (int i = 0; i < terms; i++)
        x[i] = acc[i % units][first + i / units < rows ? first + i / units : first];
#define FOLD(unit)                                                                                                     \
    if (terms > unit)                                                                                                  \
        _Pragma("GCC unroll 8") for (int i = 0; i < unit; i++) x[i] = vec_fold(x[i], x[i + unit], unit);
    FOLD(8)
    FOLD(4)
    FOLD(2)
    FOLD(1)
#undef FOLD
    return x[0];
}

#if defined(__AVX512F__)
INLINE void store_row(float *c, vec x, vec rest, const int row, const struct layout l, int64_t columns, float beta,
                      const bool adds)
{
    const vec_mask mask = mask_first(columns);
#define FROM(lane)                                                                                                     \
    ((lane) < l.mains * l.wide ? AT(lane, row, l.mains, LANES / l.wide)                                                \
                               : LANES + AT((lane)-l.mains * l.wide, row, 1, LANES / (l.rest ? l.rest : LANES)))
    if (l.mains * l.wide < LANES) /* or they are in their places already */
        x = vec_permute_two(x, rest, (vec_numbers){EACH_LANE(FROM)} & (2 * LANES - 1));
#undef FROM
    if (adds)
        x = vec_fma(vec_load_masked(c, mask), vec_all(beta), x);
    vec_store_masked(c, mask, x);
}
#else
INLINE void store_row(float *c, vec x, vec rest, const int row, const struct layout l, int64_t columns, float beta,
                      const bool adds)
{
    const int placed = l.mains * l.wide == LANES ? LANES : 0; /* columns that are in their places already */
    if (placed) {
        const vec_mask mask = mask_first(columns);
        vec_store_masked(c, mask, adds ? vec_fma(vec_load_masked(c, mask), vec_all(beta), x) : x);
    }
#pragma GCC unroll 16
    for (int j = placed; j < COLUMNS(l); j++) {
        const float sum = j < l.mains * l.wide ? x[AT(j, row, l.mains, LANES / l.wide)]
                                               : rest[AT(j - l.mains * l.wide, row, 1, LANES / l.rest)];
        if (j < columns)
            c[j] = adds ? sum + beta * c[j] : sum;
    }
}
#endif
#undef AT

INLINE void store_strip(const struct gemm_narrow *t, vec (*acc)[STRIP], float *c, const int rows, const struct layout l,
                        const bool adds)
{
    vec sums[STRIP], rest[STRIP];
    const vec alpha = vec_all(t->alpha);
    const int64_t ldc = t->ldc, columns = t->columns;
    const float beta = t->beta;
    const int together = LANES / l.wide / l.mains, rest_together = LANES / (l.rest ? l.rest : 1);
#pragma GCC unroll 8
    for (int i = 0; i < rows; i += together)
        sums[i / together] = add_terms(acc, l.mains, LANES / l.wide, i, rows) * alpha;
#pragma GCC unroll 8
    for (int i = 0; i < rows; i += rest_together)
        rest[i / rest_together] = l.rest ? add_terms(acc + l.mains, 1, rest_together, i, rows) * alpha : sums[0];
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
        store_row(c + i * ldc, sums[i / together], rest[i / rest_together], i, l, columns, beta, adds);
}

/* LANES terms of some rows, which begin at row[] and, by groups, stride floats behind each other. A last unit as wide
 * as the main ones shares their factors. */
INLINE void add_block(vec (*acc)[STRIP], const float *const *row, int64_t stride, const float *b, const int rows,
                      const struct layout l)
{
#define LEFT(i, n, columns)                                                                                            \
    load_repeated(row[(i) / GROUP] + (i) % GROUP * stride + (n) * (LANES / (columns)), LANES / (columns))
    const int equal = l.mains + (l.rest == l.wide);
#pragma GCC unroll 8
    for (int n = 0; n < l.wide; n++, b += equal * LANES) {
        vec right[UNITS_MAX];
#pragma GCC unroll 3
        for (int unit = 0; unit < equal; unit++)
            right[unit] = vec_load(b + unit * LANES);
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            const vec left = LEFT(i, n, l.wide);
#pragma GCC unroll 3
            for (int unit = 0; unit < equal; unit++)
                vec_add_product(&acc[unit][i], left, right[unit]);
        }
        if (!REST_FOLLOWS(l, n) || equal > l.mains)
            continue;
        const vec right_rest = vec_load(b + equal * LANES);
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++)
            vec_add_product(&acc[l.mains][i], LEFT(i, n * l.rest / l.wide, l.rest), right_rest);
        b += LANES;
    }
#undef LEFT
}

INLINE void find_groups(const float **row, const float *a, int64_t stride)
{
#pragma GCC unroll 2
    for (int i = 0; i < GROUPS; i++)
        row[i] = a + i * GROUP * stride;
}

/* Where rows come from far away, the next ones are fetched: then few rows at once are faster. */
INLINE void strip(const struct gemm_narrow *t, const float *a, float *c, const int rows, const struct layout l,
                  const bool fetches)
{
    vec acc[UNITS_MAX][STRIP];
    int64_t stride = t->a_stride;
    const float *b = t->b, *row[GROUPS];
#pragma GCC unroll 3
    for (int unit = 0; unit < l.mains + (l.rest > 0); unit++)
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++)
            acc[unit][i] = vec_all(0);
    find_groups(row, a, stride);
    int64_t k = t->k;
    for (; k >= LANES; k -= LANES, b += COLUMNS(l) * LANES) {
#pragma GCC unroll 4
        for (int i = 0; i < rows && fetches; i++)
            __builtin_prefetch(row[0] + (i + rows) * stride);
        __asm__("" : "+r"(stride)); /* sums of it and of steps along a row are no constants that want registers */
        add_block(acc, row, stride, b, rows, l);
#pragma GCC unroll 2
        for (int i = 0; i < GROUPS; i++)
            row[i] += LANES;
    }
    if (k > 0) {
        float last[STRIP][LANES];
        const vec_mask mask = mask_first(k);
        for (int i = 0; i < rows; i++)
            vec_store(last[i], vec_load_masked(row[i / GROUP] + i % GROUP * stride, mask));
        find_groups(row, last[0], LANES);
        add_block(acc, row, LANES, b, rows, l);
    }
    if (t->beta == 0)
        store_strip(t, acc, c, rows, l, false);
    else
        store_strip(t, acc, c, rows, l, true);
}

INLINE void along_k(const struct gemm_narrow *t, const struct layout l)
{
    int64_t i = 0;
    for (; i + STRIP <= t->m && t->m * t->k <= NEAR_FLOATS; i += STRIP)
        strip(t, t->a + i * t->a_stride, t->c + i * t->ldc, STRIP, l, false);
    for (; i + GROUP <= t->m; i += GROUP)
        strip(t, t->a + i * t->a_stride, t->c + i * t->ldc, GROUP, l, true);
    for (; i < t->m; i++)
        strip(t, t->a + i * t->a_stride, t->c + i * t->ldc, 1, l, false);
}

#define LAYOUT(mains, wide, rest)                                                                                      \
    static void pack_##mains##_##wide##_##rest(float *to, const float *b, int64_t ldb, int64_t k, int columns)         \
    {                                                                                                                  \
        pack(to, b, ldb, k, columns, (struct layout){mains, wide, rest});                                              \
    }                                                                                                                  \
    static void run_##mains##_##wide##_##rest(const struct gemm_narrow *t)                                             \
    {                                                                                                                  \
        along_k(t, (struct layout){mains, wide, rest});                                                                \
    }
LAYOUT(1, 1, 0)
LAYOUT(1, 2, 0)
LAYOUT(1, 2, 1)
LAYOUT(1, 4, 0)
LAYOUT(1, 4, 1)
LAYOUT(1, 4, 2)
LAYOUT(2, 4, 0)
LAYOUT(2, 4, 1)
LAYOUT(2, 4, 2)
LAYOUT(2, 4, 4)
#if defined(__AVX512F__)
LAYOUT(2, 8, 0)
#endif
#define ROW(mains, wide, rest)                                                                                         \
    {                                                                                                                  \
        (mains) * (wide) + (rest), pack_##mains##_##wide##_##rest, run_##mains##_##wide##_##rest                       \
    }

const struct gemm_along_k_kernel GEMM_ALONG_K_KERNEL_TABLE[GEMM_ALONG_K_MAX + 1] = {
    [1] = ROW(1, 1, 0),  [2] = ROW(1, 2, 0),  [3] = ROW(1, 2, 1),  [4] = ROW(1, 4, 0),
    [5] = ROW(1, 4, 1),  [6] = ROW(1, 4, 2),  [7] = ROW(2, 4, 0),  [8] = ROW(2, 4, 0),
    [9] = ROW(2, 4, 1),  [10] = ROW(2, 4, 2), [11] = ROW(2, 4, 4), [12] = ROW(2, 4, 4),
#if defined(__AVX512F__)
    [13] = ROW(2, 8, 0), [14] = ROW(2, 8, 0), [15] = ROW(2, 8, 0), [16] = ROW(2, 8, 0),
#endif
};
