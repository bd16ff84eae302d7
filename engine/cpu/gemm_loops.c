/* gemm_loops.c - see gemm_loops.h
 */
#include "engine/cpu/gemm_loops.h"

#include "engine/cpu/scratch.h"

enum {
    PACK_ROWS = 8,
    DIRECT_TOGETHER = 4,    /* strips that share a panel of a direct right operand, */
    GATHERED_TOGETHER = 12, /* or are copied from a left operand along k */
    KEPT_PANELS = 4,        /* in a block of columns while all strips stay copied, */
    KEPT_STRIPS = 6,        /* which are at least so many */
};

/* Blocks in the order of the loops. */
struct order {
    int64_t by_n, by_k, n_blocks, k_blocks;
    bool left_kept; /* all strips of a block of k stay copied while its blocks of columns pass */
};

/* Rows are taken a few at a time across all panels: memory is read in its own order. */
void gemm_pack_panels(const struct gemm_kernels *kernels, float *panels, const float *b, int64_t ldb, bool transposed,
                      int64_t k, int64_t columns)
{
    int64_t rows = transposed ? k : PACK_ROWS, panel = gemm_panel_columns(kernels);
    for (int64_t i = 0; i < k; i += rows)
        for (int64_t j = 0; j < columns; j += panel) {
            int count = (int)clamp(columns - j, 0, panel);
            float *to = panels + j * k + i * gemm_panel_width(kernels, j, columns);
            if (transposed)
                kernels->pack_transposed(to, b + j * ldb, ldb, k, count);
            else
                kernels->pack(to, b + i * ldb + j, ldb, clamp(k - i, 0, rows), count);
        }
}

/* The block's first number in the right operand, which is not packed. */
static const float *block_source(const struct gemm_product *p, const struct gemm_block *b)
{
    if (p->kind == RIGHT_PACK_TRANSPOSED)
        return p->right + b->column * p->right_stride + b->k_first;
    return p->right + b->k_first * p->right_stride + b->column;
}

void gemm_load_block(const struct gemm_product *p, const struct gemm_block *b)
{
    if (p->kind == RIGHT_PACK || p->kind == RIGHT_PACK_TRANSPOSED)
        gemm_pack_panels(p->kernels, p->buffers->right_block, block_source(p, b), p->right_stride,
                         p->kind == RIGHT_PACK_TRANSPOSED, b->k, b->columns);
}

void gemm_point_to_panel(const struct gemm_product *p, const struct gemm_block *b, int64_t column, struct gemm_tile *t)
{
    int64_t at = b->column + column;
    t->packed = p->kind != RIGHT_DIRECT;
    t->pack_to = NULL;
    if (p->kind == RIGHT_DIRECT) {
        t->b = p->right + b->k_first * p->right_stride + at;
        t->b_stride = p->right_stride;
    } else if (p->kind == RIGHT_PACKED) {
        t->b_stride = gemm_panel_width(p->kernels, at, p->n);
        t->b = p->right + at * p->k + b->k_first * t->b_stride;
    } else {
        t->b_stride = gemm_panel_width(p->kernels, column, b->columns);
        t->b = p->buffers->right_block + column * b->k;
    }
}

/* The panel is read from the operand itself and packed where gemm_point_to_panel will find it. */
static void point_to_source(const struct gemm_product *p, const struct gemm_block *b, int64_t column,
                            struct gemm_tile *t)
{
    t->packed = false;
    t->b = block_source(p, b) + column;
    t->b_stride = p->right_stride;
    t->pack_to = p->buffers->right_block + column * b->k;
}

/* Strip number i of `strips` of the product: where its rows are. */
static struct gemm_strip find_strip(const struct gemm_product *p, const struct gemm_block *b, int64_t i, int64_t strips)
{
    struct gemm_strip s = {.row = p->m * i / strips, .stride = p->left_stride};
    s.rows = (int)(p->m * (i + 1) / strips - s.row);
    s.left =
        p->left_by_rows ? p->left + s.row * p->left_stride + b->k_first : p->left + b->k_first * p->left_stride + s.row;
    return s;
}

static int64_t slot_floats(const struct gemm_product *p, int64_t k)
{
    return p->kernels->lanes * divide_up(k, GEMM_LINE) * GEMM_LINE;
}

/* A left operand along k is read in its own order, a few rows of all strips at a time. */
static void copy_strips(const struct gemm_product *p, const struct gemm_block *b, int n, float *to,
                        const struct gemm_strip *s)
{
    int64_t size = slot_floats(p, b->k), lanes = p->kernels->lanes;
    for (int i = 0; i < n && p->left_by_rows; i++)
        p->kernels->pack_transposed(to + i * size, s[i].left, s[i].stride, b->k, s[i].rows);
    for (int64_t k = 0; k < b->k && !p->left_by_rows; k += PACK_ROWS)
        for (int i = 0; i < n; i++)
            p->kernels->gather_left(to + i * size + k * lanes, s[i].left + k * s[i].stride, s[i].stride,
                                    clamp(b->k - k, 0, PACK_ROWS), s[i].rows);
}

static void find_copies(const struct gemm_product *p, const struct gemm_block *b, int n, const float *at,
                        struct gemm_strip *s)
{
    for (int i = 0; i < n; i++) {
        s[i].left = at + i * slot_floats(p, b->k);
        s[i].stride = p->kernels->lanes;
    }
}

void gemm_load_strips(const struct gemm_product *p, const struct gemm_block *b, int64_t first, int n, int64_t strips,
                      int64_t slot, struct gemm_strip *s)
{
    float *at = p->buffers->left_strips + slot * slot_floats(p, b->k);
    for (int i = 0; i < n; i++)
        s[i] = find_strip(p, b, first + i, strips);
    if (!p->left_copied)
        return;
    copy_strips(p, b, n, at, s);
    find_copies(p, b, n, at, s);
}

void gemm_run_tile(const struct gemm_product *p, const struct gemm_block *b, const struct gemm_strip *s, int64_t column,
                   float *c, struct gemm_tile *t)
{
    int64_t left = b->columns - column;
    int vectors = left > p->kernels->lanes ? 1 : 0;
    t->columns = (int)clamp(left, 0, gemm_panel_columns(p->kernels));
    t->a = s->left;
    t->a_stride = s->stride;
    t->c = c + column;
    p->kernels->tiles[t->pack_to != NULL][p->left_by_rows && !p->left_copied][vectors][s->rows](t);
}

/* The lines of C's companions beside a streamed strip: an equal share with each panel. */
static void fetch_beside(const struct gemm_product *p, const struct gemm_block *b, const struct gemm_strip *s,
                         int64_t column, struct gemm_tile *t)
{
    int64_t per_row = divide_up(b->columns, GEMM_LINE), lines = p->g->n_beside * per_row;
    int64_t panel = gemm_panel_columns(p->kernels),
            at = column / panel * divide_up(lines, divide_up(b->columns, panel));
    t->next = NULL;
    if (p->c || at >= lines)
        return;
    t->next = p->g->beside[at / per_row] + s->row * p->ldc + b->column + at % per_row * GEMM_LINE;
    t->next_step = p->ldc;
    t->next_jump = GEMM_LINE;
}

static void finish_strips(const struct gemm_product *p, const struct gemm_block *b, const struct gemm_strip *first,
                          const struct gemm_strip *last)
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
static void run_strips(const struct gemm_product *p, const struct gemm_block *b, const struct gemm_strip *s, int n,
                       struct gemm_tile *t)
{
    bool packs = p->kind == RIGHT_PACK_ALONG && s[0].row == 0;
    for (int64_t column = 0; column < b->columns; column += gemm_panel_columns(p->kernels)) {
        if (packs)
            point_to_source(p, b, column, t);
        else
            gemm_point_to_panel(p, b, column, t);
        for (int i = 0; i < n; i++) {
            fetch_beside(p, b, &s[i], column, t);
            gemm_run_tile(p, b, &s[i], column, p->c ? p->c + s[i].row * p->ldc + b->column : p->buffers->streamed_strip,
                          t);
        }
    }
    finish_strips(p, b, &s[0], &s[n - 1]);
}

static void run_block(const struct gemm_product *p, const struct gemm_block *b, bool left_kept)
{
    int64_t strips = divide_up(p->m, p->kernels->rows);
    int together = p->c && p->kind == RIGHT_DIRECT ? DIRECT_TOGETHER : 1;
    int loaded = p->left_copied && !p->left_by_rows ? GATHERED_TOGETHER : together;
    struct gemm_tile t = {.k = b->k, .ldc = p->c ? p->ldc : b->columns, .alpha = p->alpha, .beta = b->beta};
    gemm_load_block(p, b);
    for (int64_t first = 0; first < strips; first += loaded) {
        struct gemm_strip s[GEMM_LEFT_STRIPS];
        int n = (int)clamp(strips - first, 0, loaded);
        if (left_kept && b->column > 0) {
            for (int i = 0; i < n; i++)
                s[i] = find_strip(p, b, first + i, strips);
            find_copies(p, b, n, p->buffers->left_strips + first * slot_floats(p, b->k), s);
        } else {
            gemm_load_strips(p, b, first, n, strips, left_kept ? first : 0, s);
        }
        for (int i = 0; i < n; i += together)
            run_strips(p, b, s + i, n - i < together ? n - i : together, &t);
    }
}

int64_t gemm_columns_step(const struct gemm_product *p, int64_t k)
{
    int64_t panel = gemm_panel_columns(p->kernels), most = clamp(p->right_floats / k, panel, GEMM_N_BLOCK);
    int64_t blocks = divide_up(p->n, most / panel * panel);
    return divide_up(divide_up(p->n, blocks), panel) * panel;
}

static struct order choose_order(const struct gemm_product *p)
{
    struct order o = {.by_k = gemm_k_block(p->k)};
    int64_t strips = divide_up(p->m, p->kernels->rows);
    o.by_n = gemm_columns_step(p, o.by_k);
    o.left_kept = p->c && p->left_copied && p->kind != RIGHT_DIRECT && strips >= KEPT_STRIPS &&
                  strips * slot_floats(p, o.by_k) <= GEMM_LEFT_FLOATS && 2 * o.by_k * p->n > p->right_floats;
    if (o.left_kept)
        o.by_n = KEPT_PANELS * gemm_panel_columns(p->kernels);
    o.n_blocks = divide_up(p->n, o.by_n);
    o.k_blocks = divide_up(p->k, o.by_k);
    return o;
}

static struct gemm_block find_block(const struct gemm_product *p, const struct order *o, int64_t i)
{
    struct gemm_block b = {.column = (o->left_kept ? i % o->n_blocks : i / o->k_blocks) * o->by_n,
                           .k_first = (o->left_kept ? i / o->n_blocks : i % o->k_blocks) * o->by_k};
    b.columns = clamp(p->n - b.column, 0, o->by_n);
    b.k = clamp(p->k - b.k_first, 0, o->by_k);
    b.beta = b.k_first ? 1 : p->beta;
    b.last = b.k_first + b.k == p->k;
    return b;
}

void gemm_run_loops(const struct gemm_product *p)
{
    struct order o = choose_order(p);
    for (int64_t i = 0; i < o.n_blocks * o.k_blocks; i++) {
        struct gemm_block b = find_block(p, &o, i);
        run_block(p, &b, o.left_kept);
    }
}
