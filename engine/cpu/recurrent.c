/* recurrent.c - whole recurrent layers, forward: the op `recurrent`. The gradient is in recurrent_gradient.c.
 *
 * The batch is cut into slices of a few samples; each walks all steps of its own without waiting for others. x K is
 * computed for a chunk of steps ahead, into the memory of the gates, which is then still in the cache when h R is added
 * to it. Both kernels are packed once per call; the recurrent one by gates where each gate meets states of its own
 * (factors of dropout, a reset gate before the product).
 */
#include "engine/cpu/recurrent.h"

#include <string.h>

extern const struct cells cells_baseline;
#if defined(__x86_64__)
extern const struct cells cells_avx2, cells_avx512;
#endif

const struct cells *cells_for(const char *level)
{
#if defined(__x86_64__)
    const struct cells *const all[] = {&cells_avx2, &cells_avx512};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (!strcmp(all[i]->name, level))
            return all[i];
#endif
    (void)level;
    return &cells_baseline;
}

void recurrent_apply(const struct recurrent_sizes *s, const struct rows *rows, enum recurrent_function function,
                     float *x, int64_t n)
{
    switch (function) {
    case FUNCTION_TANH:
        rows->step[EXPR_TANH](x, x, NULL, NULL, (int)n);
        break;
    case FUNCTION_SIGMOID:
        rows->step[EXPR_SIGMOID](x, x, NULL, NULL, (int)n);
        break;
    case FUNCTION_RELU:
        s->cells->relu(x, n);
        break;
    case FUNCTION_HARD_SIGMOID:
        s->cells->hard_sigmoid(x, n);
        break;
    case FUNCTION_LINEAR:
        break;
    }
}

/* Samples of a slice: enough rows for the products, and enough slices for the threads. */
enum { ROWS_SMALL = 8, ROWS_LARGE = 12, BATCH_LARGE = 96, PACK_SLICES = 8 };

int64_t recurrent_packed_floats(const struct recurrent_sizes *s, int64_t k, int64_t n)
{
    size_t floats = s->bfloat16 ? gemm_bfloat16_packed_bytes(n, k) / sizeof(float) : gemm_packed_b_floats(k, n);
    return ((int64_t)floats + 15) & ~(int64_t)15;
}

void recurrent_pack(const struct recurrent_sizes *s, float *panels, const struct gemm *g, int n_slices, int slice)
{
    int64_t panel = s->bfloat16 ? GEMM_BFLOAT16_LINES : gemm_panel(), n_panels = (g->n + panel - 1) / panel;
    int64_t from = slice_begin(n_panels, n_slices, slice) * panel,
            to = slice_begin(n_panels, n_slices, slice + 1) * panel;
    to = to < g->n ? to : g->n;
    if (from < to && s->bfloat16)
        gemm_bfloat16_pack_right((uint16_t *)panels, g, from, to - from);
    else if (from < to)
        gemm_pack_b_columns(panels, g->b, g->ldb, g->transpose_b, g->k, g->n, from, to - from);
}

void recurrent_product(const struct recurrent_sizes *s, const struct gemm *g)
{
    if (s->bfloat16)
        gemm_bfloat16_run(g, NULL, (const uint16_t *)g->b, false);
    else
        gemm_run_packed(g, 0);
}

void recurrent_round(const struct recurrent_sizes *s, const struct rows *rows, float *x, int64_t n)
{
    if (s->r.bfloat16)
        rows->step[EXPR_BFLOAT16](x, x, NULL, NULL, (int)n);
}

void recurrent_times_factors(const struct recurrent_sizes *s, const float *factors, int64_t from, int64_t first,
                             int64_t n, const float *x, int64_t ldx, float *product, int64_t ld)
{
    for (int64_t i = 0; i < n; i++) {
        if (product != x)
            memcpy(product + i * ld, x + i * ldx, (size_t)s->u * sizeof *x);
        s->cells->multiply(product + i * ld, factors + (from + i) * s->gates + first, s->u);
    }
}

static void cut_blocks(struct recurrent_sizes *s)
{
    int64_t ends[4] = {s->gates};
    s->n_blocks = 1;
    if (s->r.dropped)
        for (s->n_blocks = 0; s->n_blocks < s->gates / s->u; s->n_blocks++)
            ends[s->n_blocks] = (s->n_blocks + 1) * s->u;
    else if (s->r.reset_before)
        ends[0] = 2 * s->u, ends[1] = s->gates, s->n_blocks = 2;
    for (int i = 0; i < s->n_blocks; i++) {
        int64_t first = i ? ends[i - 1] : 0;
        s->blocks[i] = (struct recurrent_block){first, ends[i] - first, s->recurrent_floats, s->turned_floats};
        s->recurrent_floats += recurrent_packed_floats(s, s->u, ends[i] - first);
        s->turned_floats += recurrent_packed_floats(s, ends[i] - first, s->u);
    }
}

bool recurrent_sizes_of(struct recurrent_sizes *s, const struct device *device, const struct recurrent *r, int64_t n,
                        int64_t t, int64_t u)
{
    int64_t gates = recurrent_gates(r->kind) * u, rows = n >= BATCH_LARGE ? ROWS_LARGE : ROWS_SMALL;
    *s = (struct recurrent_sizes){.r = *r,
                                  .bfloat16 = r->bfloat16 && gemm_bfloat16_name(),
                                  .cells = cells_for(device->rows->name),
                                  .n = n,
                                  .t = t,
                                  .u = u,
                                  .gates = gates,
                                  .width = r->kind == RECURRENT_SIMPLE ? u : recurrent_saved(r->kind) * u,
                                  .n_slices = (int)((n + rows - 1) / rows),
                                  .rows = rows};
    cut_blocks(s);
    return n > 0 && t > 0 && gates < INT32_MAX / 2 && (n + rows - 1) / rows < 1 << 20;
}

struct forward {
    struct recurrent_sizes s;
    struct recurrent_places p;
    int64_t f, steps_ahead;                /* of x K */
    bool forgets;                          /* nobody reads the gates: a slice keeps those of steps_ahead only */
    int64_t kernel_floats, scratch_floats; /* in the workspace, the recurrent kernel between them; scratch per slice */
};

struct forward_call {
    const struct kernel *kernel;
    const struct forward *w;
    const struct rows *rows;
};

/* What one slice works with. */
struct walk {
    const struct forward_call *call;
    int64_t first, n; /* samples */
    float *h, *c, *zh, *dropped;
    float *gates;     /* of the first sample, from step `from` on */
    int64_t from, ld; /* ld: from one sample's to the next one's */
};

static float *packed_kernel(const struct forward_call *call)
{
    return call->kernel->workspace;
}

static float *packed_recurrent(const struct forward_call *call)
{
    return packed_kernel(call) + call->w->kernel_floats;
}

/* Columns of slice number `slice` of both kernels. */
static void pack_slice(void *context, int slice)
{
    const struct forward_call *call = context;
    const struct forward *w = call->w;
    struct gemm g = {.n = w->s.gates, .ldb = w->s.gates, .k = w->f};
    if (w->p.kernel >= 0) {
        g.b = call->kernel->in[w->p.kernel];
        recurrent_pack(&w->s, packed_kernel(call), &g, PACK_SLICES, slice);
    }
    g.k = w->s.u;
    for (const struct recurrent_block *b = w->s.blocks; b < w->s.blocks + w->s.n_blocks; b++) {
        g.n = b->width;
        g.b = (const float *)call->kernel->in[w->p.recurrent_kernel] + b->first;
        recurrent_pack(&w->s, packed_recurrent(call) + b->floats_at, &g, PACK_SLICES, slice);
    }
}

/* Where the gates of a slice are kept: in `saved`, for the simple cell in y; at `own` when they are forgotten. */
static void keep_gates(struct walk *k, float *own)
{
    const struct forward *w = k->call->w;
    float *saved = k->call->kernel->out[w->p.saved >= 0 ? w->p.saved : w->p.y];
    k->ld = (w->forgets ? w->steps_ahead : w->s.t) * w->s.width;
    k->gates = w->forgets ? own : saved + k->first * k->ld;
    k->from = 0;
}

/* The gates of sample n at step t. */
static float *gates_at(const struct walk *k, int64_t n, int64_t t)
{
    return k->gates + n * k->ld + (t - k->from) * k->call->w->s.width;
}

/* x K + b for the steps [from, to). */
static void project(struct walk *k, int64_t from, int64_t to)
{
    const struct forward *w = k->call->w;
    k->from = w->forgets ? from : 0;
    for (int64_t n = 0; n < k->n; n++) {
        float *z = gates_at(k, n, from);
        const float *x = (const float *)k->call->kernel->in[w->p.x] + ((k->first + n) * w->s.t + from) * w->f;
        for (int64_t t = 0; t < to - from; t++) {
            memcpy(z + t * w->s.width, k->call->kernel->in[w->p.bias], (size_t)w->s.gates * sizeof *z);
            if (w->p.kernel < 0)
                w->s.cells->add(z + t * w->s.width, x + t * w->f, w->s.gates);
        }
        if (w->p.kernel >= 0)
            recurrent_product(&w->s, &(struct gemm){.m = to - from,
                                                    .n = w->s.gates,
                                                    .k = w->f,
                                                    .a = x,
                                                    .lda = w->f,
                                                    .b = packed_kernel(k->call),
                                                    .ldb = w->s.gates,
                                                    .c = z,
                                                    .ldc = w->s.width,
                                                    .alpha = 1,
                                                    .beta = 1});
    }
}

/* Whether h R is kept apart from x K: the reset gate comes between. */
static bool is_apart(const struct recurrent_sizes *s)
{
    return s->r.kind == RECURRENT_GRU && !s->r.reset_before;
}

/* The states times the columns of a block, added to the gates. */
static void recur_block(const struct walk *k, int64_t t, const struct recurrent_block *b, const float *states,
                        int64_t ld)
{
    const struct forward *w = k->call->w;
    bool apart = is_apart(&w->s);
    recurrent_product(&w->s, &(struct gemm){.m = k->n,
                                            .n = b->width,
                                            .k = w->s.u,
                                            .a = states,
                                            .lda = ld,
                                            .b = packed_recurrent(k->call) + b->floats_at,
                                            .ldb = b->width,
                                            .c = (apart ? k->zh : gates_at(k, 0, t)) + b->first,
                                            .ldc = apart ? w->s.gates : k->ld,
                                            .alpha = 1,
                                            .beta = apart ? 0 : 1});
}

/* h R; but for the candidate where the reset gate comes before the product. */
static void recur(const struct walk *k, int64_t t)
{
    const struct forward *w = k->call->w;
    for (int i = 0; i < w->s.n_blocks - w->s.r.reset_before; i++) {
        const float *h = k->h;
        if (w->p.factors >= 0) {
            recurrent_times_factors(&w->s, k->call->kernel->in[w->p.factors], k->first, w->s.blocks[i].first, k->n, h,
                                    w->s.u, k->dropped, w->s.u);
            h = k->dropped;
        }
        recur_block(k, t, &w->s.blocks[i], h, w->s.u);
    }
}

static void apply(const struct walk *k, enum recurrent_function function, float *x, int64_t n)
{
    recurrent_apply(&k->call->w->s, k->call->rows, function, x, n);
}

static void round_state(const struct walk *k, float *x)
{
    recurrent_round(&k->call->w->s, k->call->rows, x, k->call->w->s.u);
}

static void sample_lstm(const struct walk *k, float *z, int64_t n, bool held)
{
    const struct recurrent_sizes *s = &k->call->w->s;
    int64_t u = s->u;
    float *h = k->h + n * u, *c = k->c + n * u;
    apply(k, s->r.gate, z, 2 * u);
    apply(k, s->r.activation, z + 2 * u, u);
    apply(k, s->r.gate, z + 3 * u, u);
    if (!held) {
        s->cells->lstm_state(c, h, z, c, u);
        round_state(k, c);
        round_state(k, h);
        apply(k, s->r.activation, h, u);
        s->cells->multiply(h, z + 3 * u, u);
        round_state(k, h);
    }
    memcpy(z + 4 * u, c, (size_t)u * sizeof *c);
}

/* The gates, and the candidate's sum with states that are reset before the product. */
static void reset_states(const struct walk *k, int64_t t)
{
    const struct forward *w = k->call->w;
    int64_t u = w->s.u, ld = k->ld;
    const struct recurrent_block *candidate = &w->s.blocks[w->s.n_blocks - 1];
    float *reset = gates_at(k, 0, t) + 3 * u;
    for (int64_t n = 0; n < k->n; n++) {
        float *z = gates_at(k, n, t);
        apply(k, w->s.r.gate, z, 2 * u);
        memcpy(z + 3 * u, k->h + n * u, (size_t)u * sizeof *z);
        w->s.cells->multiply(z + 3 * u, z + u, u);
    }
    if (w->p.factors >= 0)
        recurrent_times_factors(&w->s, k->call->kernel->in[w->p.factors], k->first, candidate->first, k->n, reset, ld,
                                reset, ld);
    recur_block(k, t, candidate, reset, ld);
}

static void sample_gru(const struct walk *k, float *z, int64_t n, bool held)
{
    const struct forward *w = k->call->w;
    const struct recurrent_sizes *s = &w->s;
    const float *bias = k->call->kernel->in[w->p.bias];
    if (is_apart(s)) {
        s->cells->gru_gates(z, k->zh + n * s->gates, bias + s->gates, s->u);
        apply(k, s->r.gate, z, 2 * s->u);
        s->cells->gru_candidate(z, s->u);
    }
    apply(k, s->r.activation, z + 2 * s->u, s->u);
    if (held)
        return;
    s->cells->gru_state(k->h + n * s->u, z, s->u);
    round_state(k, k->h + n * s->u);
}

static void sample_simple(const struct walk *k, const float *z, int64_t n, bool held)
{
    const struct recurrent_sizes *s = &k->call->w->s;
    if (held)
        return;
    memcpy(k->h + n * s->u, z, (size_t)s->u * sizeof *z);
    apply(k, s->r.activation, k->h + n * s->u, s->u);
    round_state(k, k->h + n * s->u);
}

static void step(const struct walk *k, int64_t t)
{
    const struct forward *w = k->call->w;
    const struct kernel *kernel = k->call->kernel;
    recur(k, t);
    if (w->s.r.reset_before)
        reset_states(k, t);
    for (int64_t n = 0; n < k->n; n++) {
        int64_t row = (k->first + n) * w->s.t + t;
        float *z = gates_at(k, n, t);
        bool held = w->p.mask >= 0 && ((const float *)kernel->in[w->p.mask])[row] == 0;
        if (w->s.r.kind == RECURRENT_LSTM)
            sample_lstm(k, z, n, held);
        else if (w->s.r.kind == RECURRENT_GRU)
            sample_gru(k, z, n, held);
        else
            sample_simple(k, z, n, held);
        if (!kernel->left_out[w->p.y])
            memcpy((float *)kernel->out[w->p.y] + row * w->s.u, k->h + n * w->s.u, (size_t)w->s.u * sizeof(float));
    }
}

static void forward_slice(void *context, int slice)
{
    const struct forward_call *call = context;
    const struct forward *w = call->w;
    const struct kernel *kernel = call->kernel;
    int64_t u = w->s.u, first = slice_begin(w->s.n, w->s.n_slices, slice);
    struct walk k = {.call = call, .first = first, .n = slice_begin(w->s.n, w->s.n_slices, slice + 1) - first};
    k.h = packed_recurrent(call) + w->s.recurrent_floats + slice * w->scratch_floats;
    k.c = k.h + w->s.rows * u;
    k.zh = k.c;
    k.dropped = k.c + w->s.rows * u * (is_apart(&w->s) ? 3 : 1);
    keep_gates(&k, k.dropped + (w->p.factors >= 0 ? w->s.rows * u : 0));
    size_t bytes = (size_t)(k.n * u) * sizeof(float);
    memcpy(k.h, (const float *)kernel->in[w->p.h] + first * u, bytes);
    if (w->p.c >= 0)
        memcpy(k.c, (const float *)kernel->in[w->p.c] + first * u, bytes);
    for (int64_t i = 0; i < w->s.t; i++) {
        int64_t t = w->s.r.backwards ? w->s.t - 1 - i : i,
                ahead = w->s.t - i < w->steps_ahead ? w->s.t - i : w->steps_ahead;
        if (i % w->steps_ahead == 0)
            project(&k, w->s.r.backwards ? t - ahead + 1 : t, w->s.r.backwards ? t + 1 : t + ahead);
        step(&k, t);
    }
    memcpy((float *)kernel->out[w->p.last_h] + first * u, k.h, bytes);
    if (w->p.last_c >= 0)
        memcpy((float *)kernel->out[w->p.last_c] + first * u, k.c, bytes);
}

static void run_recurrent(const struct kernel *kernel, struct device *device)
{
    const struct forward *w = kernel->prepared;
    struct forward_call call = {kernel, w, device->rows};
    threads_run(device->threads, pack_slice, &call, PACK_SLICES);
    threads_run(device->threads, forward_slice, &call, w->s.n_slices);
}

enum { STEPS_AHEAD = 12, KERNEL_IN_CACHE = 128 * 1024 }; /* floats */

bool prepare_recurrent(struct device *device, struct kernel *kernel, struct arena *arena)
{
    const struct recurrent *r = &kernel->node->attrs.recurrent;
    struct forward *w = arena_alloc(arena, sizeof *w);
    w->p = recurrent_places(r);
    const struct shape x = input_of(kernel, w->p.x)->shape;
    w->f = x.dim[2];
    if (!recurrent_sizes_of(&w->s, device, r, x.dim[0], x.dim[1], input_of(kernel, w->p.h)->shape.dim[1]) ||
        w->f > INT32_MAX)
        return false;
    w->steps_ahead = w->f * w->s.gates > KERNEL_IN_CACHE ? 4 * STEPS_AHEAD : STEPS_AHEAD;
    w->kernel_floats = w->p.kernel < 0 ? 0 : recurrent_packed_floats(&w->s, w->f, w->s.gates);
    w->scratch_floats = w->s.rows * w->s.u * (1 + (is_apart(&w->s) ? 3 : 1) + (r->dropped ? 1 : 0));
    kernel->left_out[w->p.y] = w->p.saved >= 0 && kernel->unread[w->p.y]; /* the simple cell has its gates there */
    w->forgets = w->p.saved >= 0 && kernel->unread[w->p.saved] && w->s.t > w->steps_ahead;
    if (w->forgets) {
        kernel->left_out[w->p.saved] = true;
        w->scratch_floats += w->s.rows * w->steps_ahead * w->s.width;
    }
    kernel->workspace_bytes =
        (size_t)(w->kernel_floats + w->s.recurrent_floats + w->s.n_slices * w->scratch_floats) * sizeof(float);
    kernel->prepared = w;
    kernel->run = run_recurrent;
    kernel->alone = w->s.n_slices == 1;
    return true;
}
