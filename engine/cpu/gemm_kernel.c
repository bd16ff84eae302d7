/* gemm_kernel.c - see gemm_kernel.h. Compiled once per instruction set; GEMM_KERNEL_TABLE names the table. */
#include "engine/cpu/gemm_kernel.h"

#include "engine/cpu/gemm_narrow_kernel.h"
#include "engine/cpu/quads.h"

#if defined(__AVX512F__)
enum { ROWS = 14 };
#define NARROW gemm_narrow_kernel_avx512
#define ALONG_K gemm_along_k_kernel_avx512
#else
enum { ROWS = 6 };
#define NARROW gemm_narrow_kernel_avx2
#define ALONG_K gemm_along_k_kernel_avx2
#endif

enum {
    B_AHEAD = 16,    /* k steps that a strip of B is fetched ahead, */
    PACK_AHEAD = 24, /* and so many while it is packed, from farther away */
    GROUP = 3,       /* rows that share an address register, where they lie apart */
    LINE = 16,
    CONFLICT = 1024, /* floats: rows that are so far apart push each other out of the L1 cache */
};

/* One row of a panel. In memory it may begin inside a cache line. */
INLINE void fetch_row(const float *b, const int vecs, const bool packed)
{
    __builtin_prefetch(b);
    if (vecs == 2)
        __builtin_prefetch(b + LANES);
    if (!packed)
        __builtin_prefetch(b + vecs * LANES - 1);
}

INLINE float *store_panel(float *panel, vec b0, vec b1, const int vecs)
{
    vec_store(panel, b0);
    if (vecs == 2)
        vec_store(panel + LANES, b1);
    return panel + vecs * LANES;
}

/* The loops of tile(), over its variables. One k, u ones behind the pointers: */
#define STEP(u, load_last, extra)                                                                                      \
    do {                                                                                                               \
        const float *at = b + (u)*b_stride;                                                                            \
        vec b0 = vecs == 1 ? load_last(at) : vec_load(at), b1 = vecs == 1 ? b0 : load_last(at + LANES);                \
        if (way != NEAR)                                                                                               \
            fetch_row(at + (way == PACKS ? PACK_AHEAD : B_AHEAD) * b_stride, vecs, way != PACKS);                      \
        extra;                                                                                                         \
        _Pragma("GCC unroll 16") for (int i = 0; i < rows; i++)                                                        \
        {                                                                                                              \
            vec x = vec_all(a[i / group][i % group * ROW + (u)*K_STEP]);                                               \
            vec_add_product(&acc[i][0], x, b0);                                                                        \
            if (vecs == 2)                                                                                             \
                vec_add_product(&acc[i][1], x, b1);                                                                    \
        }                                                                                                              \
    } while (0)
#define ADVANCE(u)                                                                                                     \
    do {                                                                                                               \
        b += (u)*b_stride;                                                                                             \
        _Pragma("GCC unroll 16") for (int i = 0; i < pointers; i++)                                                    \
        {                                                                                                              \
            a[i] += (u)*K_STEP;                                                                                        \
        }                                                                                                              \
    } while (0)
#define FETCH_AHEAD()                                                                                                  \
    do {                                                                                                               \
        if (way != NEAR && ahead.n > 0) {                                                                              \
            __builtin_prefetch(ahead.at, 0, 2);                                                                        \
            __builtin_prefetch(ahead.at + LINE, 0, 2);                                                                 \
            bool ends = --ahead.in_row == 0;                                                                           \
            ahead.at += ends ? ahead.jump : 2 * LINE;                                                                  \
            ahead.in_row = ends ? ahead.per_row : ahead.in_row;                                                        \
            ahead.n--;                                                                                                 \
        }                                                                                                              \
    } while (0)
#define ONE_BY_ONE(n, load_last, extra)                                                                                \
    for (; n > 0; n--) {                                                                                               \
        STEP(0, load_last, extra);                                                                                     \
        ADVANCE(1);                                                                                                    \
    }
#if defined(__SANITIZE_ADDRESS__) /* with checks around every load the unrolled loop takes minutes to compile */
#define STEPS ONE_BY_ONE
#else
#define STEPS(n, load_last, extra)                                                                                     \
    for (; n >= 4; n -= 4) {                                                                                           \
        __asm__("" : "+r"(stride)); /* its multiples want no registers */                                              \
        STEP(0, load_last, extra);                                                                                     \
        STEP(1, load_last, extra);                                                                                     \
        STEP(2, load_last, extra);                                                                                     \
        STEP(3, load_last, extra);                                                                                     \
        FETCH_AHEAD();                                                                                                 \
        ADVANCE(4);                                                                                                    \
    }                                                                                                                  \
    ONE_BY_ONE(n, load_last, extra)
#endif
#define LOAD_EDGE(p) vec_load_masked(p, last)

/* How a tile finds B: the caller's panel or matrix, one that it packs, or either one in the nearest cache. */
enum way { READS, PACKS, NEAR };

/* One tile. rows, vecs, left and way are constants where this is inlined, so every loop over them is unrolled into
 * registers. */
INLINE void tile(struct gemm_tile *t, const int rows, const int vecs, const enum gemm_left left, const enum way way)
{
    const vec_mask last = mask_first(t->columns - (vecs - 1) * LANES);
    int64_t stride = t->a_stride;
#define ROW (left == LEFT_BY_ROWS ? stride : 1)
#define K_STEP (left == LEFT_BY_ROWS ? 1 : left == LEFT_COPIED ? LANES : stride)
    const int group = left == LEFT_BY_ROWS ? GROUP : ROWS, pointers = (rows + group - 1) / group;
    const float *b = t->b, *a[(ROWS + GROUP - 1) / GROUP];
    vec acc[ROWS][2];
    float *c = t->c, *panel = t->pack_to;
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
        acc[i][0] = acc[i][1] = vec_all(0);
#pragma GCC unroll 16
    for (int i = 0; i < pointers; i++)
        a[i] = t->a + i * group * ROW;
    struct gemm_ahead ahead = t->ahead;
    int64_t n = t->k;
    if (way == PACKS) {
        const int64_t b_stride = t->b_stride;
        STEPS(n, LOAD_EDGE, (panel = store_panel(panel, b0, b1, vecs)))
    } else if (way == NEAR || !t->packed) {
        const int64_t b_stride = t->b_stride;
        STEPS(n, LOAD_EDGE, (void)0)
    } else {
        const int64_t b_stride = vecs * LANES;
        STEPS(n, vec_load, (void)0)
    }
    t->ahead = ahead;
    if (t->alpha != 1) {
        const vec alpha = vec_all(t->alpha);
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++)
            acc[i][0] *= alpha, acc[i][1] *= alpha;
    }
    const vec beta = vec_all(t->beta);
    const bool adds = t->beta != 0;
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
        float *to = c + i * t->ldc;
        vec x0 = acc[i][0], x1 = acc[i][vecs - 1];
        if (vecs == 2) {
            if (adds)
                x0 = vec_fma(vec_load(to), beta, x0);
            vec_store(to, x0);
            to += LANES;
        }
        if (adds)
            x1 = vec_fma(vec_load_masked(to, last), beta, x1);
        vec_store_masked(to, last, x1);
    }
}

#undef STEP
#undef FETCH_AHEAD
#undef STEPS
#undef ONE_BY_ONE
#undef ADVANCE
#undef LOAD_EDGE
#undef ROW
#undef K_STEP

#define TILE_FUNCTION(name, rows, vecs, left, way)                                                                     \
    static void name(struct gemm_tile *t)                                                                              \
    {                                                                                                                  \
        tile(t, rows, vecs, left, way);                                                                                \
    }
#define TILE_SIZES(rows, order, left)                                                                                  \
    TILE_FUNCTION(order##_##rows##x1, rows, 1, left, READS)                                                            \
    TILE_FUNCTION(order##_##rows##x2, rows, 2, left, READS)                                                            \
    TILE_FUNCTION(pack_##order##_##rows##x1, rows, 1, left, PACKS)                                                     \
    TILE_FUNCTION(pack_##order##_##rows##x2, rows, 2, left, PACKS)
#define NEAR_TILES(rows)                                                                                               \
    TILE_FUNCTION(near_by_rows_##rows##x1, rows, 1, LEFT_BY_ROWS, NEAR)                                                \
    TILE_FUNCTION(near_by_rows_##rows##x2, rows, 2, LEFT_BY_ROWS, NEAR)                                                \
    TILE_FUNCTION(near_k_##rows##x1, rows, 1, LEFT_ALONG_K, NEAR)                                                      \
    TILE_FUNCTION(near_k_##rows##x2, rows, 2, LEFT_ALONG_K, NEAR)
#define TILE(rows)                                                                                                     \
    TILE_SIZES(rows, by_rows, LEFT_BY_ROWS)                                                                            \
    TILE_SIZES(rows, k, LEFT_ALONG_K)                                                                                  \
    TILE_SIZES(rows, copied, LEFT_COPIED)                                                                              \
    NEAR_TILES(rows)
TILE(1)
TILE(2)
TILE(3)
TILE(4)
TILE(5)
TILE(6)
#if defined(__AVX512F__)
TILE(7)
TILE(8)
TILE(9)
TILE(10)
TILE(11)
TILE(12)
TILE(13)
TILE(14)
#define TILES(order, vecs)                                                                                             \
    {                                                                                                                  \
        0, order##_1x##vecs, order##_2x##vecs, order##_3x##vecs, order##_4x##vecs, order##_5x##vecs, order##_6x##vecs, \
            order##_7x##vecs, order##_8x##vecs, order##_9x##vecs, order##_10x##vecs, order##_11x##vecs,                \
            order##_12x##vecs, order##_13x##vecs, order##_14x##vecs                                                    \
    }
#else
#define TILES(order, vecs)                                                                                             \
    {                                                                                                                  \
        0, order##_1x##vecs, order##_2x##vecs, order##_3x##vecs, order##_4x##vecs, order##_5x##vecs, order##_6x##vecs  \
    }
#endif

static void pack(float *panel, const float *b, int64_t ldb, int64_t k, int columns)
{
    if (columns <= LANES) {
        vec_mask m = mask_first(columns);
        for (int64_t i = 0; i < k; i++)
            vec_store(panel + i * LANES, vec_load_masked(b + i * ldb, m));
        return;
    }
    vec_mask m = mask_first(columns - LANES);
    for (int64_t i = 0; i < k; i++) {
        const float *from = b + i * ldb;
        vec_store(panel + i * 2 * LANES, vec_load(from));
        vec_store(panel + i * 2 * LANES + LANES, vec_load_masked(from + LANES, m));
    }
}

/* n <= 4 columns of `rows` rows; rows behind the last are the first one again. */
INLINE void load_four_columns(vec *r, const float *b, int64_t ldb, int rows, int n)
{
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
#define DOWN(row) ((row) < rows ? ldb * (row) : 0)
        int64_t at = DOWN(i), second = DOWN(i + 4) - at, third = DOWN(i + 8) - at, fourth = DOWN(i + 12) - at;
#undef DOWN
        r[i] = n == 4 ? vec_quads(b + at, second, third, fourth)
                      : vec_quads_masked(b + at, second, third, fourth, quad_first(n));
    }
    quads_transpose(r);
}

/* LANES columns. Four at a time need fewer shuffles, but read each line four times. */
INLINE void load_columns(vec *r, const float *b, int64_t ldb, int rows)
{
    if (ldb % CONFLICT != 0) {
#pragma GCC unroll 4
        for (int i = 0; i < LANES; i += 4)
            load_four_columns(r + i, b + i, ldb, rows, 4);
        return;
    }
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++)
        r[i] = vec_load(b + (i < rows ? i : 0) * ldb);
    vec_transpose(r);
}

/* LANES columns of a panel of `width`. */
INLINE void pack_lines(float *to, const float *b, int64_t ldb, int64_t k, int rows, const int width)
{
    vec r[LANES];
    for (; k >= LANES; k -= LANES, b += LANES, to += LANES * width) {
        load_columns(r, b, ldb, rows);
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++)
            vec_store(to + i * width, r[i]);
    }
    for (; k >= 4; k -= 4, b += 4, to += 4 * width) {
        load_four_columns(r, b, ldb, rows, 4);
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++)
            vec_store(to + i * width, r[i]);
    }
    if (k > 0)
        load_four_columns(r, b, ldb, rows, (int)k);
    for (int i = 0; i < k; i++)
        vec_store(to + i * width, r[i]);
}

static void pack_transposed(float *panel, const float *b, int64_t ldb, int64_t k, int columns)
{
    if (columns <= LANES) {
        pack_lines(panel, b, ldb, k, columns, LANES);
    } else {
        pack_lines(panel, b, ldb, k, LANES, 2 * LANES);
        pack_lines(panel + LANES, b + LANES * ldb, ldb, k, columns - LANES, 2 * LANES);
    }
}

static void gather_left(float *panel, const float *a, int64_t lda, int64_t k, int rows)
{
    vec_mask m = mask_first(rows);
    for (int64_t i = 0; i < k; i++) {
        vec_store(panel + i * LANES, vec_load_masked(a + i * lda, m));
    }
}

static void store_transposed(float *c, int64_t ldc, const float *from, int64_t ld, int rows, int columns, float alpha,
                             float beta)
{
    vec_mask m = mask_first(rows);
    const vec va = vec_all(alpha), vb = vec_all(beta);
    for (int first = 0; first < columns; first += LANES) {
        vec r[LANES];
        int n = columns - first < LANES ? columns - first : LANES;
        load_columns(r, from + first, ld, rows);
        for (int j = 0; j < n; j++) {
            float *to = c + (first + j) * ldc;
            vec x = r[j] * va;
            if (beta != 0)
                x = vec_fma(vec_load_masked(to, m), vb, x);
            vec_store_masked(to, m, x);
        }
    }
}

const struct gemm_kernels GEMM_KERNEL_TABLE = {
    .name = GEMM_KERNEL_NAME,
    .rows = ROWS,
    .lanes = LANES,
    .tiles = {{{TILES(by_rows, 1), TILES(by_rows, 2)},
               {TILES(k, 1), TILES(k, 2)},
               {TILES(copied, 1), TILES(copied, 2)}},
              {{TILES(pack_by_rows, 1), TILES(pack_by_rows, 2)},
               {TILES(pack_k, 1), TILES(pack_k, 2)},
               {TILES(pack_copied, 1), TILES(pack_copied, 2)}}},
    .near_tiles = {{TILES(near_by_rows, 1), TILES(near_by_rows, 2)}, {TILES(near_k, 1), TILES(near_k, 2)}},
    .narrow = &NARROW,
    .along_k = ALONG_K,
    .pack = pack,
    .pack_transposed = pack_transposed,
    .gather_left = gather_left,
    .store_transposed = store_transposed,
};
