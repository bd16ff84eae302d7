/* gemm_narrow.c - see gemm_loops.h: products with few columns or short sums, around the kernels of
 * gemm_narrow_kernel.h.
 */
#include "engine/cpu/gemm_loops.h"

enum {
    LEAST_K = 16,    /* terms of sums along k that pay for adding up the vectors, */
    LEAST_M = 16,    /* rows that fill vectors along m, */
    LEAST_ROWS = 4,  /* and that pay for a panel in registers */
    K_BLOCK = 1024,  /* terms along k at once: their columns stay in the caches, rows are long enough to be streams */
    SHORT_ROWS = 16, /* of short sums at once: C is written in its own order, more or less, */
    NEAR_FLOATS = 8192, /* unless all of it is near */
    ROW_COLUMNS = GEMM_TURNED_ROWS * GEMM_N_BLOCK,
};

/* A single row times a transposed B: C^T = B A^T has one column. */
static bool is_column(const struct gemm *g)
{
    return g->m == 1 && g->transpose_b;
}

static bool goes_along_k(const struct gemm_kernels *kernels, const struct gemm *g)
{
    int64_t columns = is_column(g) ? 1 : g->n;
    bool by_rows = is_column(g) || (!g->transpose_a && !g->transpose_b);
    return by_rows && g->c && g->k >= LEAST_K && columns <= GEMM_ALONG_K_MAX && kernels->along_k[columns].run;
}

enum gemm_narrow_kind gemm_narrow_kind(const struct gemm_kernels *kernels, const struct gemm *g)
{
    if (goes_along_k(kernels, g))
        return NARROW_ALONG_K;
    if (g->c && g->transpose_a && !g->transpose_b && g->n <= GEMM_NARROW_MAX && g->m >= LEAST_M)
        return NARROW_ALONG_M;
    if (!g->transpose_a && g->k <= GEMM_NARROW_MAX && g->m >= LEAST_ROWS && g->n > GEMM_NARROW_MAX)
        return NARROW_SHORT_K;
    bool row = g->m == 1 && g->n > GEMM_NARROW_MAX && g->n <= ROW_COLUMNS;
    return row && g->c && !g->transpose_b ? NARROW_ROW : NOT_NARROW;
}

static struct gemm_narrow start(const struct gemm *g)
{
    return (struct gemm_narrow){.a = g->a,
                                .a_stride = g->lda,
                                .b = g->b,
                                .b_stride = g->ldb,
                                .m = g->m,
                                .k = g->k,
                                .c = g->c,
                                .ldc = g->ldc,
                                .columns = g->n,
                                .alpha = g->alpha,
                                .beta = g->beta};
}

static void finish(const struct gemm *g)
{
    if (g->finish)
        g->finish(g->context, g->c, g->ldc, 0, 0, g->m, g->n);
}

/* In blocks of k whose packed columns stay in the L1 cache. */
void gemm_run_along_k(const struct gemm_product *p)
{
    const struct gemm *g = p->g;
    int64_t b_stride = g->ldb;
    const float *b = g->b;
    struct gemm_narrow t = start(g);
    if (is_column(g)) {
        t.a = g->b, t.a_stride = g->ldb, t.m = g->n;
        b = g->a, b_stride = g->transpose_a ? g->lda : 1;
        t.columns = t.ldc = 1;
    }
    const struct gemm_along_k_kernel *kernel = &p->kernels->along_k[t.columns];
    int64_t block = divide_up(divide_up(g->k, divide_up(g->k, K_BLOCK)), 16) * GEMM_LINE;
    t.b = p->buffers->right_block;
    for (int64_t k = 0; k < g->k; k += block) {
        t.k = clamp(g->k - k, 0, block);
        kernel->pack(p->buffers->right_block, b + k * b_stride, b_stride, t.k, (int)t.columns);
        kernel->run(&t);
        t.a += block;
        t.beta = 1;
    }
    finish(g);
}

/* Block by block of k, both operands as they lie: a_step and b_step are between consecutive k. */
static void run_k_blocks(const struct gemm *g, struct gemm_narrow *t, gemm_narrow_function *kernel, int64_t a_step,
                         int64_t b_step)
{
    int64_t block = gemm_k_block(g->k);
    for (int64_t k = 0; k < g->k; k += block) {
        t->k = clamp(g->k - k, 0, block);
        kernel(t);
        t->a += block * a_step;
        t->b += block * b_step;
        t->beta = 1;
    }
    finish(g);
}

void gemm_run_along_m(const struct gemm_product *p)
{
    const struct gemm *g = p->g;
    struct gemm_narrow t = start(g);
    run_k_blocks(g, &t, p->kernels->narrow->along_m[g->n], g->lda, g->ldb);
}

void gemm_run_row(const struct gemm_product *p)
{
    const struct gemm *g = p->g;
    struct gemm_narrow t = start(g);
    t.a_stride = g->transpose_a ? g->lda : 1;
    t.sums = p->buffers->turned_rows;
    run_k_blocks(g, &t, p->kernels->narrow->row, t.a_stride, t.b_stride);
}

/* Rows [row, row + rows) of a block of columns, whose panels begin at `panels`. */
static void run_short_rows(const struct gemm_product *p, const float *panels, int64_t column, int64_t columns,
                           int64_t row, int64_t rows)
{
    const struct gemm *g = p->g;
    int64_t panel = gemm_panel_columns(p->kernels);
    struct gemm_narrow t = start(g);
    float *c = g->c ? g->c + row * g->ldc + column : p->buffers->streamed_strip;
    t.ldc = g->c ? g->ldc : columns;
    t.a += row * g->lda;
    t.m = rows;
    t.fetch_stride = g->ldc;
    for (int64_t j = 0; j < columns; j += panel) {
        t.b = panels + j * g->k;
        t.b_stride = gemm_panel_width(p->kernels, j, columns);
        t.c = c + j;
        if (g->n_beside)
            t.fetch = g->beside[0] + row * g->ldc + column + j;
        t.columns = clamp(columns - j, 0, panel);
        p->kernels->narrow->short_k[g->k](&t);
    }
    if (g->finish)
        g->finish(g->context, c, t.ldc, row, column, rows, columns);
}

/* The panels of a block of columns. */
static void pack_short(const struct gemm_product *p, float *panels, int64_t column, int64_t columns)
{
    const struct gemm *g = p->g;
    const float *b = g->b + (g->transpose_b ? column * g->ldb : column);
    int64_t panel = gemm_panel_columns(p->kernels), turned = 0;
    if (g->transpose_b && p->kernels->narrow->turn[g->k])
        turned = columns / panel * panel;
    for (int64_t j = 0; j < turned; j += panel)
        p->kernels->narrow->turn[g->k](panels + j * g->k, b + j * g->ldb, g->ldb);
    if (turned < columns)
        gemm_pack_panels(p->kernels, panels + turned * g->k, g->transpose_b ? b + turned * g->ldb : b, g->ldb,
                         g->transpose_b, g->k, columns - turned);
}

void gemm_run_short_k(const struct gemm_product *p)
{
    const struct gemm *g = p->g;
    int64_t by_m = !g->c ? GEMM_ROWS_MAX : g->m * g->n <= NEAR_FLOATS ? g->m : SHORT_ROWS;
    for (int64_t column = 0; column < g->n; column += GEMM_N_BLOCK) {
        int64_t columns = clamp(g->n - column, 0, GEMM_N_BLOCK);
        const float *panels = p->right + column * g->k;
        if (p->kind != RIGHT_PACKED) {
            pack_short(p, p->buffers->right_block, column, columns);
            panels = p->buffers->right_block;
        }
        for (int64_t row = 0; row < g->m; row += by_m)
            run_short_rows(p, panels, column, columns, row, clamp(g->m - row, 0, by_m));
    }
}
