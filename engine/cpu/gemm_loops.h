/* gemm_loops.h - the loops of one matrix product around the tiles of gemm_kernel.h. Only gemm*.c includes this.
 *
 * A product is cut into blocks of columns and of k; a block of the right operand is packed into panels (two vectors of
 * columns each) that stay in the L2 cache while all strips pass over it (a strip is as many rows as a tile is high; it
 * stays in L1). Order inside a block: strips, panels; with few strips, whose panels are read where they lie: panels,
 * strips. Left operands that pay for it are copied so that a strip's k follow each other, some strips at a time, a part
 * of them beside each strip before. Memory is far away: while the tiles of a strip run, they fetch what is copied
 * behind them and what the next strip adds to. Where all strips fit into the L2 cache, blocks are small, and each one's
 * panels are packed a part beside every strip of the block before.
 *
 * gemm_run_loops (gemm_loops.c) computes C; gemm_run_turned (gemm_turned.c) computes C^T, a group of rows over all of
 * k, and stores it as columns of C; gemm_small.c has what lies in the nearest caches as a whole, gemm_narrow.c what few
 * columns and short sums are computed with.
 */
#ifndef ENGINE_CPU_GEMM_LOOPS_H
#define ENGINE_CPU_GEMM_LOOPS_H

#include "engine/cpu/gemm.h"
#include "engine/cpu/gemm_kernel.h"
#include "engine/cpu/gemm_narrow_kernel.h"

enum {
    GEMM_K_BLOCK = 512,
    GEMM_N_BLOCK = 512,
    GEMM_RIGHT_FLOATS = 256 * 1024, /* of a block of the right operand at most: half of an L2 cache of 2 MB */
    GEMM_LEFT_FLOATS = 160 * 1024,  /* of copied strips */
    GEMM_LEFT_STRIPS = 19,          /* at once: TURNED_ROWS in the lowest tiles */
    GEMM_TURNED_ROWS = 112,         /* of C^T, kept until all of k is added: whole tiles and whole cache lines */
    GEMM_CONFLICT = 1024,           /* rows that are this many floats apart fall into the same cache sets */
    GEMM_LINE = 16,                 /* floats in a cache line */
};

/* What one thread keeps of a product (SCRATCH_GEMM). */
struct gemm_buffers {
    _Alignas(64) float right_block[GEMM_RIGHT_FLOATS];
    _Alignas(64) float left_strips[GEMM_LEFT_FLOATS];
    _Alignas(64) float streamed_strip[GEMM_ROWS_MAX * GEMM_N_BLOCK]; /* of a product that is not stored */
    _Alignas(64) float turned_rows[GEMM_TURNED_ROWS * GEMM_N_BLOCK];
};

/* How panels of the right operand come about: read where they lie, packed by the first strip that reads them, packed
 * before, packed by the caller. */
enum gemm_right { RIGHT_DIRECT, RIGHT_PACK_ALONG, RIGHT_PACK, RIGHT_PACK_TRANSPOSED, RIGHT_PACKED };

/* A product as the loops see it: C = left right, or its transpose. */
struct gemm_product {
    const struct gemm_kernels *kernels;
    int64_t m, n, k;
    const float *left, *right;
    int64_t left_stride, right_stride;
    bool left_by_rows, left_copied;
    enum gemm_right kind;
    float *c; /* NULL: streamed */
    int64_t ldc;
    float alpha, beta;
    const struct gemm *g;
    struct gemm_buffers *buffers;
    int64_t right_floats; /* half of this machine's L2 cache */
};

/* What is fixed while the strips of one block are computed. */
struct gemm_block {
    int64_t column, columns, k_first, k;
    float beta;
    bool last;     /* in k */
    float *panels; /* of the right operand, where this product packs them */
};

struct gemm_strip {
    int64_t row;
    int rows;
    const float *left;
    int64_t stride;
};

static inline int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static inline int64_t clamp(int64_t x, int64_t least, int64_t most)
{
    return x < least ? least : x > most ? most : x;
}

static inline int gemm_panel_columns(const struct gemm_kernels *kernels)
{
    return 2 * kernels->lanes;
}

/* Floats between consecutive k of the panel that begins at `column` of n. */
static inline int gemm_panel_width(const struct gemm_kernels *kernels, int64_t column, int64_t n)
{
    return n - column <= kernels->lanes ? kernels->lanes : gemm_panel_columns(kernels);
}

/* All need m, n, k > 0. The second one wants all of k in one block of the right operand. */
void gemm_run_loops(const struct gemm_product *p);
void gemm_run_turned(const struct gemm_product *p);
/* Near: all three matrices lie in a part of the L2 cache and are one block, so that a right operand by rows is read in
 * place. Such products, stored, with a right operand that is read in place or transposed, are small ones. */
bool gemm_is_near(const struct gemm_product *p);
bool gemm_is_small(const struct gemm_product *p);
void gemm_run_small(const struct gemm_product *p);

/* Which of the kernels of gemm_narrow_kernel.h a product gets; these loops read it from p->g. Short sums take packed
 * panels, too. */
enum gemm_narrow_kind { NOT_NARROW, NARROW_ALONG_K, NARROW_ALONG_M, NARROW_SHORT_K, NARROW_ROW };
enum gemm_narrow_kind gemm_narrow_kind(const struct gemm_kernels *kernels, const struct gemm *g);
void gemm_run_along_k(const struct gemm_product *p);
void gemm_run_along_m(const struct gemm_product *p);
void gemm_run_short_k(const struct gemm_product *p);
void gemm_run_row(const struct gemm_product *p);

/* Panels of `columns` columns of a right operand, as in gemm_pack_b. */
void gemm_pack_panels(const struct gemm_kernels *kernels, float *panels, const float *b, int64_t ldb, bool transposed,
                      int64_t k, int64_t columns);

/* The parts that both orders share. */
int64_t gemm_columns_step(const struct gemm_product *p, int64_t k);
void gemm_load_block(const struct gemm_product *p, const struct gemm_block *b);
/* n strips from number `first` of `strips`, copied to the slots behind `slot` where p->left_copied. */
void gemm_load_strips(const struct gemm_product *p, const struct gemm_block *b, int64_t first, int n, int64_t strips,
                      int64_t slot, struct gemm_strip *s);
/* Rows of `width` floats as lines for gemm_tile.ahead. */
struct gemm_ahead gemm_rows_ahead(const float *first, int64_t stride, int64_t rows, int64_t width);
/* Where the tile finds the panel at `column` of the block. */
void gemm_point_to_panel(const struct gemm_product *p, const struct gemm_block *b, int64_t column, struct gemm_tile *t);
/* c: the strip's first element in the block */
void gemm_run_tile(const struct gemm_product *p, const struct gemm_block *b, const struct gemm_strip *s, int64_t column,
                   float *c, struct gemm_tile *t);

#endif
