/* gemm_loops.c - see gemm_loops.h
 */
#include "engine/cpu/gemm_loops.h"

#include "engine/cpu/scratch.h"

enum {
    PACK_ROWS = 8,
    DIRECT_TOGETHER = 4,   /* strips that share a panel of a direct right operand, */
    GATHERED_TOGETHER = 4, /* or are copied from a left operand along k, */
    GATHERED_MOST = 12,    /* beside few columns so many */
    GATHER_COLUMNS = 256,
    FETCH_FLOATS = 32768, /* a block with fewer does not last long enough to fetch anything meanwhile */
    KEPT_PANELS = 4,      /* in a block of columns while all strips stay in the L2 cache, */
    KEPT_STRIPS = 6,      /* which are at least so many */
};

/* Blocks in the order of the loops. */
struct order {
    int64_t by_n, by_k, n_blocks, k_blocks;
    bool left_kept; /* all strips of a block of k stay in the L2 cache, copied where that pays, while its blocks of
                     * columns pass, two of which have room beside them */
};

/* The part of the panels with k in [first, end). b, ldb, transposed, columns: as in gemm_pack_panels. */
static void pack_part(const struct gemm_kernels *kernels, float *panels, const float *b, int64_t ldb, bool transposed,
                      int64_t k, int64_t columns, int64_t first, int64_t end)
{
    int panel = gemm_panel_columns(kernels);
    for (int64_t j = 0; j < columns; j += panel) {
        float *to = panels + j * k + first * gemm_panel_width(kernels, j, columns);
        const float *from = transposed ? b + j * ldb + first : b + first * ldb + j;
        (transposed ? kernels->pack_transposed : kernels->pack)(to, from, ldb, end - first,
                                                                (int)clamp(columns - j, 0, panel));
    }
}

/* Rows are taken a few at a time across all panels: memory is read in its own order. */
void gemm_pack_panels(const struct gemm_kernels *kernels, float *panels, const float *b, int64_t ldb, bool transposed,
                      int64_t k, int64_t columns)
{
    int64_t step = transposed ? k : PACK_ROWS;
    for (int64_t i = 0; i < k; i += step)
        pack_part(kernels, panels, b, ldb, transposed, k, columns, i, clamp(i + step, 0, k));
}

/* Whether this product packs the panels of a block before its strips pass. */
static bool packs_before(const struct gemm_product *p)
{
    return p->kind == RIGHT_PACK || p->kind == RIGHT_PACK_TRANSPOSED;
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
    if (packs_before(p))
        gemm_pack_panels(p->kernels, b->panels, block_source(p, b), p->right_stride, p->kind == RIGHT_PACK_TRANSPOSED,
                         b->k, b->columns);
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
        t->b = b->panels + column * b->k;
    }
}

/* The panel is read from the operand itself and packed where gemm_point_to_panel will find it. */
static void point_to_source(const struct gemm_product *p, const struct gemm_block *b, int64_t column,
                            struct gemm_tile *t)
{
    t->packed = false;
    t->b = block_source(p, b) + column;
    t->b_stride = p->right_stride;
    t->pack_to = b->panels + column * b->k;
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
    int64_t columns = b->columns - column;
    int vectors = columns > p->kernels->lanes ? 1 : 0;
    enum gemm_left left = p->left_copied ? LEFT_COPIED : p->left_by_rows ? LEFT_BY_ROWS : LEFT_ALONG_K;
    t->columns = (int)clamp(columns, 0, gemm_panel_columns(p->kernels));
    t->a = s->left;
    t->a_stride = s->stride;
    t->c = c + column;
    p->kernels->tiles[t->pack_to != NULL][left][vectors][s->rows](t);
}

struct gemm_ahead gemm_rows_ahead(const float *first, int64_t stride, int64_t rows, int64_t width)
{
    int64_t before = (int64_t)((uintptr_t)first / sizeof *first % GEMM_LINE);
    int64_t pairs = divide_up((stride % GEMM_LINE ? GEMM_LINE - 1 : before) + width, 2 * GEMM_LINE);
    return (struct gemm_ahead){.at = first - before,
                               .n = rows * pairs,
                               .in_row = pairs,
                               .per_row = pairs,
                               .jump = stride - (pairs - 1) * 2 * GEMM_LINE};
}

/* What the tiles of some strips fetch, one after the other. */
struct wanted {
    struct gemm_ahead rows[GEMM_BESIDE_MAX + 3];
    int n, next;
};

static void want(struct wanted *w, const float *first, int64_t stride, int64_t rows, int64_t width)
{
    w->rows[w->n++] = gemm_rows_ahead(first, stride, rows, width);
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

/* One pass of all strips over a block. */
struct pass {
    const struct gemm_product *p;
    const struct gemm_block *b;
    const struct gemm_block *next; /* packed a part beside each strip, or only fetched; NULL: nothing is */
    int64_t strips;
    bool left_kept;
    struct gemm_strip *loaded;
    int n_loaded;
};

/* k of the next block that are packed beside strip i: [part_begin(pass, i), part_begin(pass, i + 1)). */
static int64_t part_begin(const struct pass *pass, int64_t i)
{
    int64_t k = pass->next->k;
    return clamp(divide_up(k * i / pass->strips, GEMM_LINE) * GEMM_LINE, 0, k);
}

static void want_part(struct wanted *w, const struct pass *pass, int64_t first, int n)
{
    const struct gemm_product *p = pass->p;
    int64_t k = part_begin(pass, first), count = part_begin(pass, first + n) - k, columns = pass->next->columns;
    const float *from = block_source(p, pass->next);
    if (p->kind == RIGHT_PACK_TRANSPOSED)
        want(w, from + k, p->right_stride, columns, count);
    else
        want(w, from + k * p->right_stride, p->right_stride, count, columns);
}

/* The rows behind those of the strips that are loaded: about as many. */
static void want_loads(struct wanted *w, const struct pass *pass)
{
    const struct gemm_product *p = pass->p;
    const struct gemm_block *b = pass->b;
    const struct gemm_strip *last = &pass->loaded[pass->n_loaded - 1];
    int64_t row = last->row + last->rows, rows = clamp(row - pass->loaded[0].row, 0, p->m - row);
    const float *left =
        p->left + (p->left_by_rows ? row * p->left_stride + b->k_first : b->k_first * p->left_stride + row);
    if (rows > 0 && !(pass->left_kept && b->column))
        want(w, left, p->left_stride, p->left_by_rows ? rows : b->k, p->left_by_rows ? b->k : rows);
}

/* Beside n strips: what their finish touches, the next block's part, what the next strips add to or write over, and
 * read.
 */
static void find_wanted(struct wanted *w, const struct pass *pass, const struct gemm_strip *s, int n, int64_t first)
{
    const struct gemm_product *p = pass->p;
    const struct gemm_block *b = pass->b;
    int64_t row = s[n - 1].row + s[n - 1].rows;
    w->n = w->next = 0;
    if (b->k * b->columns <= FETCH_FLOATS)
        return;
    for (int i = 0; i < p->g->n_beside && !p->c; i++)
        want(w, p->g->beside[i] + s->row * p->ldc + b->column, p->ldc, s->rows, b->columns);
    if (pass->next)
        want_part(w, pass, first, n);
    if (p->c && row < p->m)
        want(w, p->c + row * p->ldc + b->column, p->ldc, clamp(s->rows, 0, p->m - row), b->columns);
    if (s == pass->loaded)
        want_loads(w, pass);
}

/* n strips from number `first` on that share each panel. The very first one of a block packs it on its way. */
static void run_strips(const struct pass *pass, const struct gemm_strip *s, int n, int64_t first)
{
    const struct gemm_product *p = pass->p;
    const struct gemm_block *b = pass->b;
    struct gemm_tile t = {.k = b->k, .ldc = p->c ? p->ldc : b->columns, .alpha = p->alpha, .beta = b->beta};
    struct wanted w;
    find_wanted(&w, pass, s, n, first);
    bool packs = p->kind == RIGHT_PACK_ALONG && first == 0;
    for (int64_t column = 0; column < b->columns; column += gemm_panel_columns(p->kernels)) {
        if (packs)
            point_to_source(p, b, column, &t);
        else
            gemm_point_to_panel(p, b, column, &t);
        for (int i = 0; i < n; i++) {
            if (t.ahead.n == 0 && w.next < w.n)
                t.ahead = w.rows[w.next++];
            gemm_run_tile(p, b, &s[i], column, p->c ? p->c + s[i].row * p->ldc + b->column : p->buffers->streamed_strip,
                          &t);
        }
    }
    finish_strips(p, b, &s[0], &s[n - 1]);
    if (pass->next && packs_before(p))
        pack_part(p->kernels, pass->next->panels, block_source(p, pass->next), p->right_stride,
                  p->kind == RIGHT_PACK_TRANSPOSED, pass->next->k, pass->next->columns, part_begin(pass, first),
                  part_begin(pass, first + n));
}

static void run_block(struct pass *pass)
{
    const struct gemm_product *p = pass->p;
    const struct gemm_block *b = pass->b;
    struct gemm_strip *s = pass->loaded;
    int together = p->c && p->kind == RIGHT_DIRECT ? DIRECT_TOGETHER : 1, loads = together;
    if (p->left_copied && !p->left_by_rows)
        loads = b->columns > GATHER_COLUMNS ? GATHERED_TOGETHER : GATHERED_MOST;
    for (int64_t first = 0; first < pass->strips; first += loads) {
        int n = pass->n_loaded = (int)clamp(pass->strips - first, 0, loads);
        if (pass->left_kept && p->left_copied && b->column > 0) {
            for (int i = 0; i < n; i++)
                s[i] = find_strip(p, b, first + i, pass->strips);
            find_copies(p, b, n, p->buffers->left_strips + first * slot_floats(p, b->k), s);
        } else {
            gemm_load_strips(p, b, first, n, pass->strips, pass->left_kept ? first : 0, s);
        }
        for (int i = 0; i < n; i += together)
            run_strips(pass, s + i, n - i < together ? n - i : together, first + i);
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
    o.left_kept = p->c && p->kind != RIGHT_DIRECT && strips >= KEPT_STRIPS &&
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
    b.panels = p->buffers->right_block + (o->left_kept && i % 2 ? GEMM_RIGHT_FLOATS / 2 : 0);
    return b;
}

void gemm_run_loops(const struct gemm_product *p)
{
    struct order o = choose_order(p);
    int64_t blocks = o.n_blocks * o.k_blocks;
    bool alternate = o.left_kept && p->kind != RIGHT_PACKED;
    struct gemm_block b[2] = {find_block(p, &o, 0)};
    struct gemm_strip loaded[GEMM_LEFT_STRIPS];
    struct pass pass = {
        .p = p, .strips = divide_up(p->m, p->kernels->rows), .left_kept = o.left_kept, .loaded = loaded};
    for (int64_t i = 0; i < blocks; i++) {
        bool more = i + 1 < blocks;
        if (more)
            b[(i + 1) % 2] = find_block(p, &o, i + 1);
        pass.b = &b[i % 2];
        pass.next = alternate && more ? &b[(i + 1) % 2] : NULL;
        if (i == 0 || !alternate)
            gemm_load_block(p, pass.b);
        run_block(&pass);
    }
}
