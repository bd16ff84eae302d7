/* gemm_loops.c - see gemm_loops.h
 */
#include "engine/cpu/gemm_loops.h"

enum {
    PACK_ROWS = 8,
    DIRECT_TOGETHER = 4,   /* strips that share a panel of a direct right operand, */
    GATHERED_TOGETHER = 9, /* or are copied from a left operand along k: twice as many are kept */
    FETCH_FLOATS = 32768,  /* a block with fewer does not last long enough to fetch anything meanwhile */
    KEPT_PANELS = 4,       /* in a block of columns while all strips stay in the L2 cache, */
    KEPT_STRIPS = 6,       /* which are at least so many */
};
_Static_assert(2 * GATHERED_TOGETHER * GEMM_LANES_MAX * GEMM_K_BLOCK <= GEMM_LEFT_FLOATS, "two loads");

/* Blocks in the order of the loops. */
struct order {
    int64_t by_n, by_k, n_blocks, k_blocks;
    bool alternate; /* the next block has panels of its own, which come about beside the strips of this one */
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

/* k in [first, end) of n strips. A left operand along k is read in its own order, a few rows of all strips at a time.
 */
static void copy_strips(const struct gemm_product *p, const struct gemm_block *b, int n, float *to,
                        const struct gemm_strip *s, int64_t first, int64_t end)
{
    int64_t size = slot_floats(p, b->k), lanes = p->kernels->lanes;
    for (int i = 0; i < n && p->left_by_rows; i++)
        p->kernels->pack_transposed(to + i * size + first * lanes, s[i].left + first, s[i].stride, end - first,
                                    s[i].rows);
    for (int64_t k = first; k < end && !p->left_by_rows; k += PACK_ROWS)
        for (int i = 0; i < n; i++)
            p->kernels->gather_left(to + i * size + k * lanes, s[i].left + k * s[i].stride, s[i].stride,
                                    clamp(end - k, 0, PACK_ROWS), s[i].rows);
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
    copy_strips(p, b, n, at, s, 0, b->k);
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
    struct gemm_ahead rows[GEMM_BESIDE_MAX + KEPT_PANELS + 2];
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

/* Neighbouring strips of a block, which are copied together where they are copied. */
struct load {
    const struct gemm_block *b;
    int64_t first;
    int n;
    float *copies;
    struct gemm_strip strips[GATHERED_TOGETHER];
};

/* One pass of all strips over a block. */
struct pass {
    const struct gemm_product *p;
    const struct gemm_block *b, *next; /* NULL behind the last one */
    bool packs_next;                   /* a part beside each strip; only fetched where its first strips pack it */
    bool left_kept;
    int64_t strips;
    int together; /* strips that share each panel */
    struct load loads[2];
    int turn; /* the load that runs; the other one is the next */
};

static void find_load(const struct pass *pass, struct load *l, const struct gemm_block *b, int64_t first)
{
    const struct gemm_product *p = pass->p;
    int64_t slot = pass->left_kept ? first : GATHERED_TOGETHER * (l == &pass->loads[1]);
    l->b = b;
    l->first = first;
    l->n = (int)clamp(pass->strips - first, 0, p->left_copied && !p->left_by_rows ? GATHERED_TOGETHER : pass->together);
    l->copies = p->buffers->left_strips + slot * slot_floats(p, b->k);
    for (int i = 0; i < l->n; i++)
        l->strips[i] = find_strip(p, b, first + i, pass->strips);
}

/* Whether the load's strips are copied, and not before. */
static bool wants_copies(const struct pass *pass, const struct load *l)
{
    return pass->p->left_copied && !(pass->left_kept && l->b->column > 0);
}

/* The next block is packed in stripes: all its columns, or, where rows of the operand become columns, a panel. Beside
 * strips [first, first + n) comes k in [*begin, *end) of stripe number `stripe`. */
static int64_t stripe_columns(const struct pass *pass)
{
    return pass->p->kind == RIGHT_PACK_TRANSPOSED ? gemm_panel_columns(pass->p->kernels) : pass->next->columns;
}

static void find_part(const struct pass *pass, int64_t stripe, int64_t first, int64_t n, int64_t *begin, int64_t *end)
{
    int64_t k = pass->next->k, all = k * divide_up(pass->next->columns, stripe_columns(pass));
    *begin = divide_up(all * first / pass->strips, GEMM_LINE) * GEMM_LINE;
    *end = divide_up(all * (first + n) / pass->strips, GEMM_LINE) * GEMM_LINE;
    *begin = clamp(*begin - stripe * k, 0, k);
    *end = clamp(*end - stripe * k, 0, k);
}

static void want_panels(struct wanted *w, const struct pass *pass, int64_t first, int64_t n)
{
    const struct gemm_product *p = pass->p;
    const struct gemm_block *next = pass->next;
    int64_t begin, end, width = stripe_columns(pass), stride = p->right_stride;
    for (int64_t i = 0; i * width < next->columns; i++) {
        find_part(pass, i, first, n, &begin, &end);
        int64_t columns = clamp(next->columns - i * width, 0, width);
        if (begin < end && p->kind == RIGHT_PACK_TRANSPOSED)
            want(w, block_source(p, next) + i * width * stride + begin, stride, columns, end - begin);
        else if (begin < end)
            want(w, block_source(p, next) + begin * stride, stride, end - begin, columns);
    }
}

static void pack_panels(const struct pass *pass, int64_t first, int64_t n)
{
    const struct gemm_product *p = pass->p;
    const struct gemm_block *next = pass->next;
    bool transposed = p->kind == RIGHT_PACK_TRANSPOSED;
    int64_t begin, end, width = stripe_columns(pass);
    for (int64_t i = 0; i * width < next->columns; i++) {
        find_part(pass, i, first, n, &begin, &end);
        if (begin < end)
            pack_part(p->kernels, next->panels + i * width * next->k,
                      block_source(p, next) + i * width * (transposed ? p->right_stride : 1), p->right_stride,
                      transposed, next->k, clamp(next->columns - i * width, 0, width), begin, end);
    }
}

/* k in [first, end) of the next load. */
static void want_load(struct wanted *w, const struct pass *pass, const struct load *l, int64_t first, int64_t end)
{
    const struct gemm_product *p = pass->p;
    const struct gemm_strip *last = &l->strips[l->n - 1];
    int64_t rows = last->row + last->rows - l->strips[0].row;
    if (pass->left_kept && l->b->column > 0)
        return;
    if (p->left_by_rows)
        want(w, l->strips[0].left + first, p->left_stride, rows, end - first);
    else
        want(w, l->strips[0].left + first * p->left_stride, p->left_stride, end - first, rows);
}

/* Strips that run together, and what comes about beside them: k in [k, k_end) of the next load's strips. */
struct group {
    const struct gemm_strip *s;
    int n;
    int64_t first; /* number of its first strip */
    const struct load *next;
    int64_t k, k_end;
};

/* What the group's finish touches, the next block's part, what the next strips add to or write over, and read. */
static void find_wanted(struct wanted *w, const struct pass *pass, const struct group *g)
{
    const struct gemm_product *p = pass->p;
    const struct gemm_block *b = pass->b;
    const struct gemm_strip *s = g->s;
    int64_t row = s[g->n - 1].row + s[g->n - 1].rows;
    w->n = w->next = 0;
    if (b->k * b->columns <= FETCH_FLOATS)
        return;
    for (int i = 0; i < p->g->n_beside && !p->c; i++)
        want(w, p->g->beside[i] + s->row * p->ldc + b->column, p->ldc, s->rows, b->columns);
    if (pass->packs_next)
        want_panels(w, pass, g->first, g->n);
    if (p->c && row < p->m)
        want(w, p->c + row * p->ldc + b->column, p->ldc, clamp(s->rows, 0, p->m - row), b->columns);
    if (g->k < g->k_end)
        want_load(w, pass, g->next, g->k, g->k_end);
}

/* The very first strips of a block pack its panels on their way. */
static void run_strips(const struct pass *pass, const struct group *g)
{
    const struct gemm_product *p = pass->p;
    const struct gemm_block *b = pass->b;
    struct gemm_tile t = {.k = b->k, .ldc = p->c ? p->ldc : b->columns, .alpha = p->alpha, .beta = b->beta};
    bool packs = p->kind == RIGHT_PACK_ALONG && g->first == 0;
    struct wanted w;
    find_wanted(&w, pass, g);
    for (int64_t column = 0; column < b->columns; column += gemm_panel_columns(p->kernels)) {
        if (packs)
            point_to_source(p, b, column, &t);
        else
            gemm_point_to_panel(p, b, column, &t);
        for (int i = 0; i < g->n; i++) {
            const struct gemm_strip *s = &g->s[i];
            if (t.ahead.n == 0 && w.next < w.n)
                t.ahead = w.rows[w.next++];
            gemm_run_tile(p, b, s, column, p->c ? p->c + s->row * p->ldc + b->column : p->buffers->streamed_strip, &t);
        }
    }
    finish_strips(p, b, &g->s[0], &g->s[g->n - 1]);
    if (pass->packs_next && packs_before(p))
        pack_panels(pass, g->first, g->n);
    if (g->k < g->k_end && wants_copies(pass, g->next))
        copy_strips(p, g->next->b, g->next->n, g->next->copies, g->next->strips, g->k, g->k_end);
}

/* The load behind l; NULL behind the last one. */
static const struct load *find_next(struct pass *pass, const struct load *l)
{
    struct load *next = &pass->loads[!pass->turn];
    int64_t first = l->first + l->n;
    if (first < pass->strips)
        find_load(pass, next, pass->b, first);
    else if (pass->next)
        find_load(pass, next, pass->next, 0);
    else
        return NULL;
    return next;
}

/* loads[turn] is found and copied. */
static void run_block(struct pass *pass)
{
    const struct gemm_product *p = pass->p;
    for (int64_t first = 0; first < pass->strips;) {
        struct load *l = &pass->loads[pass->turn];
        struct group g = {.next = find_next(pass, l)};
        int64_t k = g.next ? g.next->b->k : 0;
        bool waits = g.next && g.next->copies == l->copies; /* until these strips are no longer read */
        if (p->left_copied)
            find_copies(p, l->b, l->n, l->copies, l->strips);
        for (int i = 0; i < l->n; i += g.n) {
            g.s = &l->strips[i];
            g.n = l->n - i < pass->together ? l->n - i : pass->together;
            g.first = first + i;
            g.k = waits ? 0 : k * i / l->n;
            g.k_end = waits && i + g.n < l->n ? 0 : k * (i + g.n) / l->n;
            run_strips(pass, &g);
        }
        first += l->n;
        pass->turn = !pass->turn;
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
    o.alternate = o.left_kept && p->kind != RIGHT_PACKED;
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
    b.panels = p->buffers->right_block + (o->alternate && i % 2 ? GEMM_RIGHT_FLOATS / 2 : 0);
    return b;
}

void gemm_run_loops(const struct gemm_product *p)
{
    struct order o = choose_order(p);
    int64_t blocks = o.n_blocks * o.k_blocks;
    struct gemm_block b[2] = {find_block(p, &o, 0)};
    struct pass pass = {.p = p,
                        .b = &b[0],
                        .strips = divide_up(p->m, p->kernels->rows),
                        .left_kept = o.left_kept,
                        .together = p->c && p->kind == RIGHT_DIRECT ? DIRECT_TOGETHER : 1};
    find_load(&pass, &pass.loads[0], &b[0], 0);
    if (p->left_copied)
        copy_strips(p, &b[0], pass.loads[0].n, pass.loads[0].copies, pass.loads[0].strips, 0, b[0].k);
    for (int64_t i = 0; i < blocks; i++) {
        bool more = i + 1 < blocks;
        if (more)
            b[(i + 1) % 2] = find_block(p, &o, i + 1);
        pass.b = &b[i % 2];
        pass.next = more ? &b[(i + 1) % 2] : NULL;
        pass.packs_next = more && o.alternate;
        if (i == 0 || !o.alternate)
            gemm_load_block(p, pass.b);
        run_block(&pass);
    }
}
