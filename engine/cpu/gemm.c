/* gemm.c - see gemm.h. The loops around the tiles of gemm_kernel.c, in order: blocks of columns, blocks of k, groups of
 * strips (a strip is as many rows as a tile is high), panels of columns, the strips of the group. A block of the right
 * operand stays in the L2 cache for all strips, a panel of it in L1 for the strips of a group.
 */
#include "engine/cpu/gemm.h"
#include "engine/cpu/gemm_kernel.h"

#include <cblas.h>
#undef I
#include <stdio.h>
#include <string.h>

enum {
    K_BLOCK = 384,
    N_BLOCK = 384,
    GROUP = 4,            /* strips */
    DIRECT_STRIPS = 3,    /* so few passes over a right operand do not pay for packing it, */
    DIRECT_FLOATS = 8192, /* nor does one that fits into L1 */
    LEFT_PAD = 16,        /* between copied rows, so that they lie in different cache sets */
    LEFT_CONFLICT = 512,  /* rows that are this many floats apart fall into the same cache sets */
};

static const struct gemm_kernels *kernels; /* NULL: OpenBLAS */

/* One thread's panels. */
static _Thread_local _Alignas(64) float right_block[K_BLOCK * N_BLOCK];
static _Thread_local _Alignas(64) float left_group[GROUP * GEMM_LANES_MAX * (K_BLOCK + LEFT_PAD)];

enum right { RIGHT_DIRECT, RIGHT_PACK, RIGHT_PACK_TRANSPOSED, RIGHT_PACKED };

/* A product as the loops see it: C = left right, or its transpose. */
struct product {
    int64_t m, n, k;
    const float *left, *right;
    int64_t left_stride, right_stride;
    bool left_by_rows, c_transposed;
    enum right kind;
    float *c;
    int64_t ldc;
    float alpha, beta;
    const struct gemm *g;
};

/* What is fixed while the strips of one block are computed. */
struct block {
    int64_t column, columns, k_first, k;
    float beta;
    bool last; /* in k */
    bool left_copied;
};

struct strip {
    int64_t row;
    int rows;
    const float *left;
    int64_t stride;
};

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int panel_columns(void)
{
    return 2 * kernels->lanes;
}

/* Floats between consecutive k of the panel that begins at `column` of n. */
static int panel_width(int64_t column, int64_t n)
{
    return n - column <= kernels->lanes ? kernels->lanes : 2 * kernels->lanes;
}

static void pack_columns(float *panels, const float *b, int64_t ldb, bool transposed, int64_t k, int64_t columns)
{
    int width = panel_columns();
    for (int64_t j = 0; j < columns; j += width) {
        int count = columns - j < width ? (int)(columns - j) : width;
        if (transposed)
            kernels->pack_transposed(panels + j * k, b + j * ldb, ldb, k, count);
        else
            kernels->pack(panels + j * k, b + j, ldb, k, count);
    }
}

static void load_block(const struct product *p, const struct block *b)
{
    if (p->kind == RIGHT_PACK)
        pack_columns(right_block, p->right + b->k_first * p->right_stride + b->column, p->right_stride, false, b->k,
                     b->columns);
    if (p->kind == RIGHT_PACK_TRANSPOSED)
        pack_columns(right_block, p->right + b->column * p->right_stride + b->k_first, p->right_stride, true, b->k,
                     b->columns);
}

/* Where the panel at `column` of the block begins, for a tile. */
static void point_to_panel(const struct product *p, const struct block *b, int64_t column, struct gemm_tile *t)
{
    int64_t at = b->column + column;
    if (p->kind == RIGHT_DIRECT) {
        t->b = p->right + b->k_first * p->right_stride + at;
        t->b_stride = p->right_stride;
    } else if (p->kind == RIGHT_PACKED) {
        t->b_stride = panel_width(at, p->n);
        t->b = p->right + at * p->k + b->k_first * t->b_stride;
    } else {
        t->b_stride = panel_width(column, b->columns);
        t->b = right_block + column * b->k;
    }
}

/* Strip number i of `strips` of the product: where its rows are, copied to a buffer where that pays. */
static struct strip load_strip(const struct product *p, const struct block *b, int64_t i, int64_t strips, float *buffer)
{
    struct strip s = {.row = p->m * i / strips};
    s.rows = (int)(p->m * (i + 1) / strips - s.row);
    s.stride = p->left_stride;
    s.left =
        p->left_by_rows ? p->left + s.row * p->left_stride + b->k_first : p->left + b->k_first * p->left_stride + s.row;
    if (!b->left_copied)
        return s;
    if (p->left_by_rows) {
        for (int r = 0; r < s.rows; r++)
            memcpy(buffer + r * (b->k + LEFT_PAD), s.left + r * s.stride, (size_t)b->k * sizeof *buffer);
        s.stride = b->k + LEFT_PAD;
    } else {
        kernels->gather_left(buffer, s.left, s.stride, b->k, s.rows);
        s.stride = kernels->lanes;
    }
    s.left = buffer;
    return s;
}

static void run_tile(const struct product *p, const struct block *b, const struct strip *s, int64_t column,
                     struct gemm_tile *t)
{
    int64_t left = b->columns - column;
    int vectors = left > kernels->lanes ? 1 : 0;
    t->columns = left < panel_columns() ? (int)left : panel_columns();
    t->a = s->left;
    t->a_stride = s->stride;
    gemm_tile_function *run = p->left_by_rows ? kernels->by_rows[vectors][s->rows] : kernels->by_k[vectors][s->rows];
    if (!p->c_transposed) {
        t->c = p->c + s->row * p->ldc + b->column + column;
        run(t);
        return;
    }
    _Alignas(64) float product[GEMM_ROWS_MAX * 2 * GEMM_LANES_MAX];
    struct gemm_tile apart = *t;
    apart.c = product;
    apart.ldc = panel_columns();
    apart.alpha = 1;
    apart.beta = 0;
    run(&apart);
    kernels->store_transposed(p->c + (b->column + column) * p->ldc + s->row, p->ldc, product, s->rows, t->columns,
                              t->alpha, t->beta);
}

static void run_block(const struct product *p, const struct block *b)
{
    int64_t strips = divide_up(p->m, kernels->rows), size = (int64_t)kernels->lanes * (b->k + LEFT_PAD);
    struct gemm_tile t = {
        .packed = p->kind != RIGHT_DIRECT, .k = b->k, .ldc = p->ldc, .alpha = p->alpha, .beta = b->beta};
    load_block(p, b);
    for (int64_t first = 0; first < strips; first += GROUP) {
        struct strip s[GROUP];
        int n = strips - first < GROUP ? (int)(strips - first) : GROUP;
        for (int i = 0; i < n; i++)
            s[i] = load_strip(p, b, first + i, strips, left_group + i * size);
        for (int64_t column = 0; column < b->columns; column += panel_columns()) {
            point_to_panel(p, b, column, &t);
            for (int i = 0; i < n; i++)
                run_tile(p, b, &s[i], column, &t);
        }
        int64_t rows = s[n - 1].row + s[n - 1].rows - s[0].row;
        if (b->last && p->g->finish && !p->c_transposed)
            p->g->finish(p->g->context, s[0].row, b->column, rows, b->columns);
        else if (b->last && p->g->finish)
            p->g->finish(p->g->context, b->column, s[0].row, b->columns, rows);
    }
}

static void run_product(const struct product *p)
{
    int64_t n_blocks = divide_up(p->n, N_BLOCK), k_blocks = divide_up(p->k, K_BLOCK);
    int64_t n_step = divide_up(divide_up(p->n, n_blocks), panel_columns()) * panel_columns();
    int64_t k_step = divide_up(divide_up(p->k, k_blocks), 8) * 8;
    struct block b;
    b.left_copied = p->n > panel_columns() &&
                    (!p->left_by_rows || (p->left_stride % LEFT_CONFLICT == 0 && p->n > 2 * panel_columns()));
    for (b.column = 0; b.column < p->n; b.column += n_step) {
        b.columns = p->n - b.column < n_step ? p->n - b.column : n_step;
        for (b.k_first = 0; b.k_first < p->k; b.k_first += k_step) {
            b.k = p->k - b.k_first < k_step ? p->k - b.k_first : k_step;
            b.beta = b.k_first ? 1 : p->beta;
            b.last = b.k_first + b.k == p->k;
            run_block(p, &b);
        }
    }
}

/* C^T = op(B)^T op(A)^T: the weights of a data gradient are read where they lie and the smaller operand is packed. */
static bool better_transposed(const struct gemm *g)
{
    if (!g->transpose_b)
        return g->transpose_a && g->n <= kernels->rows && g->m >= 2 * g->n;
    return g->transpose_a || g->m * (g->k + g->n) < g->n * g->k;
}

static struct product as_product(const struct gemm *g)
{
    struct product p = {.k = g->k, .c = g->c, .ldc = g->ldc, .alpha = g->alpha, .beta = g->beta, .g = g};
    bool right_transposed;
    if (better_transposed(g)) {
        p.c_transposed = true;
        p.m = g->n, p.n = g->m;
        p.left = g->b, p.left_stride = g->ldb, p.left_by_rows = g->transpose_b;
        p.right = g->a, p.right_stride = g->lda, right_transposed = !g->transpose_a;
    } else {
        p.m = g->m, p.n = g->n;
        p.left = g->a, p.left_stride = g->lda, p.left_by_rows = !g->transpose_a;
        p.right = g->b, p.right_stride = g->ldb, right_transposed = g->transpose_b;
    }
    p.kind =
        right_transposed ? RIGHT_PACK_TRANSPOSED
        : p.m <= DIRECT_STRIPS * kernels->rows || p.right_stride <= 2 * kernels->lanes || p.k * p.n <= DIRECT_FLOATS
            ? RIGHT_DIRECT
            : RIGHT_PACK;
    return p;
}

static void run_openblas(const struct gemm *g)
{
    cblas_sgemm(CblasRowMajor, g->transpose_a ? CblasTrans : CblasNoTrans, g->transpose_b ? CblasTrans : CblasNoTrans,
                (blasint)g->m, (blasint)g->n, (blasint)g->k, g->alpha, g->a, (blasint)g->lda, g->b, (blasint)g->ldb,
                g->beta, g->c, (blasint)g->ldc);
    if (g->finish)
        g->finish(g->context, 0, 0, g->m, g->n);
}

/* C = beta * C */
static void run_empty(const struct gemm *g)
{
    for (int64_t i = 0; i < g->m; i++)
        for (int64_t j = 0; j < g->n; j++)
            g->c[i * g->ldc + j] = g->beta == 0 ? 0 : g->beta * g->c[i * g->ldc + j];
    if (g->finish)
        g->finish(g->context, 0, 0, g->m, g->n);
}

void gemm_run(const struct gemm *g)
{
    if (g->m == 0 || g->n == 0)
        return;
    if (g->k == 0) {
        run_empty(g);
    } else if (kernels) {
        struct product p = as_product(g);
        run_product(&p);
    } else {
        run_openblas(g);
    }
}

int gemm_panel(void)
{
    return kernels ? panel_columns() : 16;
}

size_t gemm_packed_b_floats(int64_t k, int64_t n)
{
    return (size_t)k * (size_t)(kernels ? divide_up(n, kernels->lanes) * kernels->lanes : n);
}

void gemm_pack_b(float *panels, const float *b, int64_t ldb, bool transpose_b, int64_t k, int64_t n)
{
    gemm_pack_b_columns(panels, b, ldb, transpose_b, k, n, 0, n);
}

/* For OpenBLAS: the plain matrix [k][n]. */
static void copy_columns(float *panels, const float *b, int64_t ldb, bool transpose_b, int64_t k, int64_t n,
                         int64_t first, int64_t count)
{
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = first; j < first + count; j++)
            panels[i * n + j] = transpose_b ? b[j * ldb + i] : b[i * ldb + j];
}

void gemm_pack_b_columns(float *panels, const float *b, int64_t ldb, bool transpose_b, int64_t k, int64_t n,
                         int64_t first, int64_t count)
{
    if (kernels)
        pack_columns(panels + first * k, transpose_b ? b + first * ldb : b + first, ldb, transpose_b, k, count);
    else
        copy_columns(panels, b, ldb, transpose_b, k, n, first, count);
}

void gemm_run_packed(const struct gemm *g, int64_t first)
{
    if (g->m == 0 || g->n == 0)
        return;
    if (!kernels || g->k == 0) {
        struct gemm plain = *g;
        plain.b += first;
        plain.transpose_b = false;
        if (g->k)
            run_openblas(&plain);
        else
            run_empty(&plain);
        return;
    }
    struct product p = {.m = g->m,
                        .n = g->n,
                        .k = g->k,
                        .left = g->a,
                        .left_stride = g->lda,
                        .left_by_rows = !g->transpose_a,
                        .right = g->b + first * g->k,
                        .kind = RIGHT_PACKED,
                        .c = g->c,
                        .ldc = g->ldc,
                        .alpha = g->alpha,
                        .beta = g->beta,
                        .g = g};
    run_product(&p);
}

void gemm_choose(const char *level)
{
    kernels = NULL;
#if defined(__x86_64__)
    if (!strcmp(level, gemm_kernel_avx512.name))
        kernels = &gemm_kernel_avx512;
    if (!strcmp(level, gemm_kernel_avx2.name))
        kernels = &gemm_kernel_avx2;
#endif
}

const char *gemm_description(void)
{
    static char text[64];
    if (kernels)
        return kernels->name;
    snprintf(text, sizeof text, "OpenBLAS %s", openblas_get_corename());
    return text;
}

void gemm_hold_to_one_thread(void)
{
    openblas_set_num_threads(1);
}
