/* gemm.c - see gemm.h. The loops around the tiles of gemm_kernel.c, in order: blocks of columns, blocks of k, groups of
 * strips (a strip is as many rows as a tile is high), panels of columns, the strips of the group. A block of the right
 * operand stays in the L2 cache for all strips, a panel of it in L1 for the strips of a group.
 */
#include "engine/cpu/gemm.h"
#include "engine/cpu/gemm_kernel.h"
#include "engine/cpu/scratch.h"

#include <cblas.h>
#undef I
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    K_BLOCK = 512,
    RIGHT_FLOATS = 256 * 1024, /* of a block of the right operand at most: half of an L2 cache of 2 MB */
    PACK_ROWS = 8,
    N_BLOCK = 512,
    STRIPS_TOGETHER = 4,  /* share a panel while it is in L1 */
    TURNED_ROWS = 112,    /* of a transposed product, kept until all of k is added: whole tiles and whole cache lines */
    TURNED_STRIPS = 19,   /* in the lowest tiles */
    DIRECT_STRIPS = 3,    /* so few passes over a right operand do not pay for packing it, */
    DIRECT_FLOATS = 8192, /* nor does one that fits into L1 */
    LEFT_PAD = 16,        /* between copied rows, so that they lie in different cache sets */
    CONFLICT = 1024,      /* rows that are this many floats apart fall into the same cache sets */
    LINE = 16,            /* floats in a cache line */
    LEFT_STRIPS = 12,     /* are copied at once */
    LEFT_FLOATS = LEFT_STRIPS * GEMM_LANES_MAX * (K_BLOCK + LEFT_PAD),
};

static const struct gemm_kernels *kernels;      /* NULL: OpenBLAS */
static int64_t right_floats = RIGHT_FLOATS / 2; /* half of this machine's L2 cache */

/* What one thread keeps of a product. */
struct buffers {
    _Alignas(64) float right_block[RIGHT_FLOATS];
    _Alignas(64) float left_strips[LEFT_FLOATS];
    _Alignas(64) float streamed_strip[GEMM_ROWS_MAX * N_BLOCK]; /* of a product that is not stored */
    _Alignas(64) float turned_rows[TURNED_ROWS * N_BLOCK];
};

/* How panels of the right operand come about: read where they lie, packed by the first strip that reads them, packed before,
 * packed by the caller. */
enum right { RIGHT_DIRECT, RIGHT_PACK_ALONG, RIGHT_PACK, RIGHT_PACK_TRANSPOSED, RIGHT_PACKED };

/* A product as the loops see it: C = left right, or its transpose. */
struct product {
    int64_t m, n, k;
    const float *left, *right;
    int64_t left_stride, right_stride;
    bool left_by_rows, left_copied, c_transposed;
    enum right kind;
    float *c; /* NULL: streamed */
    int64_t ldc;
    float alpha, beta;
    const struct gemm *g;
    struct buffers *buffers;
};

/* What is fixed while the strips of one block are computed. */
struct block {
    int64_t column, columns, k_first, k;
    float beta;
    bool last; /* in k */
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

static int64_t clamp(int64_t x, int64_t least, int64_t most)
{
    return x < least ? least : x > most ? most : x;
}

static int panel_columns(void)
{
    return 2 * kernels->lanes;
}

/* Floats between consecutive k of the panel that begins at `column` of n. */
static int panel_width(int64_t column, int64_t n)
{
    return n - column <= kernels->lanes ? kernels->lanes : panel_columns();
}

/* Panels of `columns` columns. Rows are taken a few at a time across all panels: memory is read in its own order. */
static void pack_panels(float *panels, const float *b, int64_t ldb, bool transposed, int64_t k, int64_t columns)
{
    int64_t rows = transposed ? k : PACK_ROWS;
    for (int64_t i = 0; i < k; i += rows)
        for (int64_t j = 0; j < columns; j += panel_columns()) {
            int count = (int)clamp(columns - j, 0, panel_columns());
            float *to = panels + j * k + i * panel_width(j, columns);
            if (transposed)
                kernels->pack_transposed(to, b + j * ldb, ldb, k, count);
            else
                kernels->pack(to, b + i * ldb + j, ldb, clamp(k - i, 0, rows), count);
        }
}

static void load_block(const struct product *p, const struct block *b)
{
    if (p->kind == RIGHT_PACK)
        pack_panels(p->buffers->right_block, p->right + b->k_first * p->right_stride + b->column, p->right_stride, false, b->k,
                    b->columns);
    if (p->kind == RIGHT_PACK_TRANSPOSED)
        pack_panels(p->buffers->right_block, p->right + b->column * p->right_stride + b->k_first, p->right_stride, true, b->k,
                    b->columns);
}

/* Where the tile finds the panel at `column` of the block. */
static void point_to_panel(const struct product *p, const struct block *b, int64_t column, struct gemm_tile *t)
{
    int64_t at = b->column + column;
    t->packed = p->kind != RIGHT_DIRECT;
    t->pack_to = NULL;
    if (p->kind == RIGHT_DIRECT) {
        t->b = p->right + b->k_first * p->right_stride + at;
        t->b_stride = p->right_stride;
    } else if (p->kind == RIGHT_PACKED) {
        t->b_stride = panel_width(at, p->n);
        t->b = p->right + at * p->k + b->k_first * t->b_stride;
    } else {
        t->b_stride = panel_width(column, b->columns);
        t->b = p->buffers->right_block + column * b->k;
    }
}

/* The panel is read from the operand itself and packed where point_to_panel will find it. */
static void point_to_source(const struct product *p, const struct block *b, int64_t column, struct gemm_tile *t)
{
    t->packed = false;
    t->b = p->right + b->k_first * p->right_stride + b->column + column;
    t->b_stride = p->right_stride;
    t->pack_to = p->buffers->right_block + column * b->k;
}

/* Strip number i of `strips` of the product: where its rows are. */
static struct strip find_strip(const struct product *p, const struct block *b, int64_t i, int64_t strips)
{
    struct strip s = {.row = p->m * i / strips, .stride = p->left_stride};
    s.rows = (int)(p->m * (i + 1) / strips - s.row);
    s.left =
        p->left_by_rows ? p->left + s.row * p->left_stride + b->k_first : p->left + b->k_first * p->left_stride + s.row;
    return s;
}

/* n strips from number `first` on, copied to left_strips where that pays. A left operand along k is read in its own order,
 * a few rows of all strips at a time. */
static void load_strips(const struct product *p, const struct block *b, int64_t first, int n, int64_t strips,
                        struct strip *s)
{
    int64_t size = kernels->lanes * (b->k + LEFT_PAD);
    for (int i = 0; i < n; i++) {
        s[i] = find_strip(p, b, first + i, strips);
        if (p->left_copied && p->left_by_rows)
            kernels->copy_left(p->buffers->left_strips + i * size, b->k + LEFT_PAD, s[i].left, s[i].stride, b->k, s[i].rows);
    }
    for (int64_t k = 0; k < b->k && p->left_copied && !p->left_by_rows; k += PACK_ROWS)
        for (int i = 0; i < n; i++)
            kernels->gather_left(p->buffers->left_strips + i * size + k * kernels->lanes, s[i].left + k * s[i].stride, s[i].stride,
                                 clamp(b->k - k, 0, PACK_ROWS), s[i].rows);
    for (int i = 0; i < n && p->left_copied; i++) {
        s[i].left = p->buffers->left_strips + i * size;
        s[i].stride = p->left_by_rows ? b->k + LEFT_PAD : kernels->lanes;
    }
}

/* c: the strip's first element in the block */
static void run_tile(const struct product *p, const struct block *b, const struct strip *s, int64_t column, float *c,
                     struct gemm_tile *t)
{
    int64_t left = b->columns - column;
    int vectors = left > kernels->lanes ? 1 : 0;
    t->columns = left < panel_columns() ? (int)left : panel_columns();
    t->a = s->left;
    t->a_stride = s->stride;
    gemm_tile_function *run = kernels->tiles[t->pack_to != NULL][p->left_by_rows][vectors][s->rows];
    t->c = c + column;
    run(t);
}

/* While the panels of a strip are computed, the lines of C's companions are fetched: an equal share with each panel. */
static void fetch_beside(const struct product *p, const struct block *b, const struct strip *s, int64_t column,
                         struct gemm_tile *t)
{
    int64_t per_row = divide_up(b->columns, LINE), lines = p->g->n_beside * per_row;
    int64_t at = column / panel_columns() * divide_up(lines, divide_up(b->columns, panel_columns()));
    t->next = t->b;
    t->next_step = t->next_jump = 0;
    if (p->c || at >= lines)
        return;
    t->next = p->g->beside[at / per_row] + s->row * p->ldc + b->column + at % per_row * LINE;
    t->next_step = p->ldc;
    t->next_jump = LINE;
}

/* With the first panel, the strip's rows of the next block of k are fetched. */
static void fetch_left_ahead(const struct product *p, const struct block *b, const struct strip *s, int64_t column,
                             struct gemm_tile *t)
{
    bool ahead = column == 0 && p->left_by_rows && b->k_first + b->k < p->k;
    t->next = ahead ? p->left + s->row * p->left_stride + b->k_first + b->k : t->b;
    t->next_step = ahead ? p->left_stride : 0;
    t->next_jump = ahead ? LINE : 0;
}

static void finish_strips(const struct product *p, const struct block *b, const struct strip *first,
                          const struct strip *last)
{
    const struct gemm *g = p->g;
    int64_t row = first->row, rows = last->row + last->rows - row;
    if (!b->last || !g->finish)
        return;
    if (p->c)
        g->finish(g->context, p->c + row * p->ldc + b->column, p->ldc, row, b->column, rows, b->columns);
    else
        g->finish(g->context, p->buffers->streamed_strip, b->columns, row, b->column, rows, b->columns);
}

/* n strips that share each panel. The very first one of a block packs it on its way. */
static void run_strips(const struct product *p, const struct block *b, const struct strip *s, int n, struct gemm_tile *t)
{
    bool packs = p->kind == RIGHT_PACK_ALONG && s[0].row == 0;
    for (int64_t column = 0; column < b->columns; column += panel_columns()) {
        if (packs)
            point_to_source(p, b, column, t);
        else
            point_to_panel(p, b, column, t);
        fetch_beside(p, b, s, column, t);
        for (int i = 0; i < n; i++) {
            run_tile(p, b, &s[i], column, p->c ? p->c + s[i].row * p->ldc + b->column : p->buffers->streamed_strip, t);
            if (packs && i == 0)
                point_to_panel(p, b, column, t);
        }
    }
    finish_strips(p, b, &s[0], &s[n - 1]);
}

static void run_block(const struct product *p, const struct block *b)
{
    int64_t strips = divide_up(p->m, kernels->rows);
    int loaded = p->left_copied && !p->left_by_rows ? LEFT_STRIPS : STRIPS_TOGETHER, together = p->c ? STRIPS_TOGETHER : 1;
    struct gemm_tile t = {.k = b->k, .ldc = p->c ? p->ldc : b->columns, .alpha = p->alpha, .beta = b->beta};
    load_block(p, b);
    for (int64_t first = 0; first < strips; first += loaded) {
        struct strip s[LEFT_STRIPS];
        int n = (int)clamp(strips - first, 0, loaded);
        load_strips(p, b, first, n, strips, s);
        for (int i = 0; i < n; i += together)
            run_strips(p, b, s + i, n - i < together ? n - i : together, &t);
    }
}

int64_t gemm_k_block(int64_t k)
{
    return divide_up(divide_up(k, divide_up(k, K_BLOCK)), 8) * 8;
}

/* Columns in a block. */
static int64_t n_step(int64_t n, int64_t k)
{
    int64_t most = clamp(right_floats / k, panel_columns(), N_BLOCK),
            blocks = divide_up(n, most / panel_columns() * panel_columns());
    return divide_up(divide_up(n, blocks), panel_columns()) * panel_columns();
}

/* What finish will touch beside columns [first, first + columns) of C, rows of one panel. */
static void fetch_beside_turned(const struct product *p, int64_t row, int64_t first, int64_t columns)
{
    for (int k = 0; k < p->g->n_beside; k++)
        for (int64_t i = row; i < row + panel_columns() && i < p->n; i++)
            for (int64_t j = 0; j < columns; j += LINE)
                __builtin_prefetch(p->g->beside[k] + i * p->ldc + first + j, 0, 2);
}

/* Rows [first, first + rows) of the left operand, all of k, to turned_rows. `whole` is the block with all of k. */
static void add_turned_rows(const struct product *p, const struct block *whole, int64_t first, int64_t rows)
{
    int n = (int)divide_up(rows, kernels->rows);
    struct product part = *p;
    struct block b = *whole;
    struct gemm_tile t = {.ldc = N_BLOCK, .alpha = 1};
    part.m = rows;
    part.left += first * (p->left_by_rows ? p->left_stride : 1);
    for (b.k_first = 0; b.k_first < p->k; b.k_first += b.k) {
        struct strip s[TURNED_STRIPS];
        b.k = clamp(p->k - b.k_first, 0, gemm_k_block(p->k));
        load_strips(&part, &b, 0, n, n, s);
        t.k = b.k;
        t.beta = b.k_first ? 1 : 0;
        for (int64_t column = 0; column < b.columns; column += panel_columns()) {
            point_to_panel(p, whole, column, &t);
            t.b += b.k_first * t.b_stride;
            if (b.k_first + b.k == p->k)
                fetch_beside_turned(p, b.column + column, first, rows);
            for (int i = 0; i < n; i++) {
                fetch_left_ahead(&part, &b, &s[i], column, &t);
                run_tile(p, &b, &s[i], column, p->buffers->turned_rows + s[i].row * N_BLOCK, &t);
            }
        }
    }
}

/* C gets the turned rows as columns [first, first + columns), a few rows at a time. */
static void finish_turned_rows(const struct product *p, const struct block *b, int64_t first, int64_t columns)
{
    const struct gemm *g = p->g;
    for (int64_t i = 0; i < b->columns; i += panel_columns()) {
        int rows = (int)clamp(b->columns - i, 0, panel_columns());
        float *c = p->c ? p->c + (b->column + i) * p->ldc + first : p->buffers->streamed_strip;
        int64_t ldc = p->c ? p->ldc : TURNED_ROWS;
        for (int64_t j = 0; j < columns; j += kernels->lanes)
            kernels->store_transposed(c + j, ldc, p->buffers->turned_rows + j * N_BLOCK + i, N_BLOCK,
                                      (int)clamp(columns - j, 0, kernels->lanes), rows, p->alpha, p->beta);
        if (g->finish)
            g->finish(g->context, c, ldc, b->column + i, first, rows, columns);
    }
}

/* C^T = left right: a group of rows at a time, all of k, then stored as columns of C. */
static void run_turned(const struct product *p)
{
    int64_t by_n = p->kind == RIGHT_PACKED ? N_BLOCK : n_step(p->n, p->k);
    int64_t by_m = divide_up(divide_up(p->m, divide_up(p->m, TURNED_ROWS)), LINE) * LINE;
    struct block b = {.k = p->k, .last = true};
    for (b.column = 0; b.column < p->n; b.column += by_n) {
        b.columns = clamp(p->n - b.column, 0, by_n);
        load_block(p, &b);
        for (int64_t first = 0; first < p->m; first += by_m) {
            int64_t rows = clamp(p->m - first, 0, by_m);
            add_turned_rows(p, &b, first, rows);
            finish_turned_rows(p, &b, first, rows);
        }
    }
}

static void run_product(struct product *p)
{
    p->buffers = thread_scratch(SCRATCH_GEMM, sizeof *p->buffers);
    int64_t by_k = gemm_k_block(p->k), by_n = n_step(p->n, by_k);
    struct block b;
    if (p->c_transposed) {
        run_turned(p);
        return;
    }
    for (b.column = 0; b.column < p->n; b.column += by_n) {
        b.columns = clamp(p->n - b.column, 0, by_n);
        for (b.k_first = 0; b.k_first < p->k; b.k_first += by_k) {
            b.k = clamp(p->k - b.k_first, 0, by_k);
            b.beta = b.k_first ? 1 : p->beta;
            b.last = b.k_first + b.k == p->k;
            run_block(p, &b);
        }
    }
}

/* C^T = op(B)^T op(A)^T: the weights of a data gradient are read where they lie and the smaller operand is packed. */
static bool better_transposed(const struct gemm *g)
{
    if (g->k * panel_columns() > right_floats)
        return false;
    if (!g->transpose_b)
        return g->transpose_a && g->n <= kernels->rows && g->m >= 2 * g->n;
    return g->transpose_a || g->m * (g->k + g->n) < g->n * g->k;
}

static bool copies_left(const struct product *p)
{
    if (p->left_by_rows)
        return p->left_stride % CONFLICT == 0 && p->n > 2 * panel_columns();
    return p->n > panel_columns();
}

static struct product as_product(const struct gemm *g)
{
    struct product p = {.k = g->k, .c = g->c, .ldc = g->ldc, .alpha = g->alpha, .beta = g->beta, .g = g};
    bool right_transposed;
    if (g->c && better_transposed(g)) {
        p.c_transposed = true;
        p.m = g->n, p.n = g->m;
        p.left = g->b, p.left_stride = g->ldb, p.left_by_rows = g->transpose_b;
        p.right = g->a, p.right_stride = g->lda, right_transposed = !g->transpose_a;
    } else {
        p.m = g->m, p.n = g->n;
        p.left = g->a, p.left_stride = g->lda, p.left_by_rows = !g->transpose_a;
        p.right = g->b, p.right_stride = g->ldb, right_transposed = g->transpose_b;
    }
    bool direct =
        p.m <= DIRECT_STRIPS * kernels->rows || p.right_stride <= panel_columns() || p.k * p.n <= DIRECT_FLOATS;
    bool before = p.c_transposed || p.right_stride % CONFLICT == 0;
    p.kind = right_transposed ? RIGHT_PACK_TRANSPOSED : direct ? RIGHT_DIRECT : before ? RIGHT_PACK : RIGHT_PACK_ALONG;
    p.left_copied = copies_left(&p);
    return p;
}

static void run_openblas(const struct gemm *g)
{
    cblas_sgemm(CblasRowMajor, g->transpose_a ? CblasTrans : CblasNoTrans, g->transpose_b ? CblasTrans : CblasNoTrans,
                (blasint)g->m, (blasint)g->n, (blasint)g->k, g->alpha, g->a, (blasint)g->lda, g->b, (blasint)g->ldb,
                g->beta, g->c, (blasint)g->ldc);
    if (g->finish)
        g->finish(g->context, g->c, g->ldc, 0, 0, g->m, g->n);
}

/* C = beta * C */
static void run_empty(const struct gemm *g)
{
    for (int64_t i = 0; i < g->m; i++)
        for (int64_t j = 0; j < g->n; j++)
            g->c[i * g->ldc + j] = g->beta == 0 ? 0 : g->beta * g->c[i * g->ldc + j];
    if (g->finish)
        g->finish(g->context, g->c, g->ldc, 0, 0, g->m, g->n);
}

bool gemm_can_stream(const struct gemm *g, bool packed_a)
{
    return kernels && g->k > 0 && (packed_a || g->k <= K_BLOCK);
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
    if (!kernels) {
        copy_columns(panels, b, ldb, transpose_b, k, n, first, count);
        return;
    }
    pack_panels(panels + first * k, transpose_b ? b + first * ldb : b + first, ldb, transpose_b, k, count);
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
    struct product p = {
        .m = g->m, .n = g->n, .k = g->k, .left = g->a, .left_stride = g->lda, .left_by_rows = !g->transpose_a};
    p.right = g->b + first * g->k;
    p.kind = RIGHT_PACKED;
    p.c = g->c, p.ldc = g->ldc, p.alpha = g->alpha, p.beta = g->beta, p.g = g;
    p.left_copied = copies_left(&p);
    run_product(&p);
}

void gemm_run_packed_a(const struct gemm *g)
{
    if (g->m == 0 || g->n == 0)
        return;
    if (!kernels || g->k == 0) {
        struct gemm plain = *g;
        plain.transpose_a = true;
        plain.lda = g->m;
        gemm_run(&plain);
        return;
    }
    struct product p = {
        .m = g->n, .n = g->m, .k = g->k, .left = g->b, .left_stride = g->ldb, .left_by_rows = g->transpose_b};
    p.right = g->a;
    p.kind = RIGHT_PACKED;
    p.c_transposed = true;
    p.c = g->c, p.ldc = g->ldc, p.alpha = g->alpha, p.beta = g->beta, p.g = g;
    p.left_copied = copies_left(&p);
    run_product(&p);
}

void gemm_choose(const char *level)
{
    kernels = NULL;
    long l2_bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
    right_floats = clamp(l2_bytes / (2 * (long)sizeof(float)), RIGHT_FLOATS / 4, RIGHT_FLOATS);
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
