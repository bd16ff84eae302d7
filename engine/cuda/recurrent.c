/* recurrent.c - the ops recurrent and recurrent_dx: step after step, each a product with the recurrent kernel R and one
 * kernel for what the cell does with it (recurrent.cu). Steps come as a batch of their own: a step of all samples is a
 * matrix whose rows lie T apart.
 *
 * x K is one product ahead of the steps, into the memory of the gates. Where nobody reads the gates, it is made for
 * some steps at a time, in the workspace.
 */
#include "engine/cuda/blas.h"
#include "engine/cuda/device.h"
#include "engine/cuda/launches.h"
#include "base/arena.h"
#include "engine/graph/recurrent.h"

_Static_assert((int)CELL_TANH == (int)FUNCTION_TANH && (int)CELL_SIGMOID == (int)FUNCTION_SIGMOID &&
                   (int)CELL_RELU == (int)FUNCTION_RELU && (int)CELL_LINEAR == (int)FUNCTION_LINEAR &&
                   (int)CELL_HARD_SIGMOID == (int)FUNCTION_HARD_SIGMOID,
               "functions are passed on by number");

struct sizes {
    struct recurrent r;
    int64_t n, t, f, u, gates, saved; /* gates: G U, saved: S U */
};

static struct sizes sizes_of(const struct recurrent *r, struct shape x, int64_t u)
{
    return (struct sizes){
        *r, x.dim[0], x.dim[1], x.dim[2], u, recurrent_gates(r->kind) * u, recurrent_saved(r->kind) * u};
}

static struct cell_kind kind_of(const struct sizes *s, const float *factors)
{
    return (struct cell_kind){.n = s->n,
                              .u = s->u,
                              .by_u = divisor_of(s->u, s->n * s->u),
                              .n_gates = recurrent_gates(s->r.kind),
                              .activation = (enum cell_function)s->r.activation,
                              .gate = (enum cell_function)s->r.gate,
                              .bfloat16 = s->r.bfloat16,
                              .factors = factors};
}

/* The step that comes i-th. */
static int64_t step_at(const struct sizes *s, int64_t i)
{
    return s->r.backwards ? s->t - 1 - i : i;
}

/* What a pointer so many floats behind plan memory is aligned to, in bytes. */
static int alignment_of(int64_t floats)
{
    enum { OF_PLAN = 64 };
    uint64_t bytes = (uint64_t)floats * sizeof(float) | OF_PLAN;
    return (int)(bytes & -bytes);
}

/* Pieces of the workspace: returns where one begins, in floats. */
static int64_t take(struct kernel *kernel, int64_t floats)
{
    int64_t at = (int64_t)(kernel->workspace_bytes / sizeof(float));
    kernel->workspace_bytes += (((size_t)floats + 15) & ~(size_t)15) * sizeof(float);
    return at;
}

static const float *input(const struct kernel *k, int place, int64_t offset)
{
    return place < 0 ? NULL : (const float *)k->in[place] + offset;
}

static float *output(const struct kernel *k, int place, int64_t offset)
{
    return place < 0 || k->left_out[place] ? NULL : (float *)k->out[place] + offset;
}

/* Columns of R that meet h itself come first; with a reset before the product the candidate's do not. */
static int64_t met_columns(const struct sizes *s)
{
    return s->r.reset_before ? 2 * s->u : s->gates;
}

/* ---- forward ---- */

struct forward {
    struct sizes s;
    struct recurrent_places p;
    const struct blas_plan *project, *recur, *candidate; /* NULL: there is no such product */
    int64_t ahead;                                       /* steps of x K at a time */
    int64_t zx_at, zh_at, dropped_at, reset_at;          /* in the workspace; zx_at -1: zx lies in a result, or is x */
    int64_t zx_step, zx_sample;                          /* strides */
};

/* Where x K goes, and how much of it at a time. */
static void place_zx(struct forward *w, struct kernel *kernel)
{
    enum { ROWS = 8192 }; /* at least, of a product of a part */
    struct sizes *s = &w->s;
    int place = w->p.saved >= 0 ? w->p.saved : w->p.y;
    kernel->left_out[place] = kernel->unread[place];
    kernel->left_out[w->p.y] = kernel->unread[w->p.y];
    w->ahead = s->t;
    w->zx_at = -1;
    w->zx_step = s->gates;
    if (w->p.kernel >= 0 && !kernel->left_out[place]) {
        w->zx_step = w->p.saved >= 0 ? s->saved : s->u;
    } else if (w->p.kernel >= 0) {
        int64_t enough = (ROWS + s->n - 1) / s->n;
        w->ahead = enough < s->t ? enough : s->t;
        w->zx_at = take(kernel, w->ahead * s->n * s->gates);
    }
    w->zx_sample = w->ahead * w->zx_step;
    if (w->ahead < s->t) { /* a step's rows together */
        w->zx_step = s->n * s->gates;
        w->zx_sample = s->gates;
    }
}

static struct blas_product projection(const struct forward *w)
{
    const struct sizes *s = &w->s;
    if (w->ahead == s->t)
        return (struct blas_product){.m = s->n * s->t, .n = s->gates, .k = s->f, .ldc = w->zx_step};
    return (struct blas_product){.m = s->n,
                                 .n = s->gates,
                                 .k = s->f,
                                 .lda = s->t * s->f,
                                 .batch = w->ahead,
                                 .stride_a = s->f,
                                 .alignment = alignment_of(s->f)};
}

/* h R, without the candidate's columns where it is reset before; gate by gate where each has states of its own. */
static struct blas_product recurrence(const struct sizes *s)
{
    if (!s->r.dropped)
        return (struct blas_product){.m = s->n, .n = met_columns(s), .k = s->u, .ldb = s->gates, .ldc = s->gates};
    return (struct blas_product){.m = s->n,
                                 .n = s->u,
                                 .k = s->u,
                                 .ldb = s->gates,
                                 .ldc = s->gates,
                                 .batch = met_columns(s) / s->u,
                                 .stride_a = s->n * s->u,
                                 .stride_b = s->u,
                                 .stride_c = s->u};
}

static struct blas_product candidate(const struct sizes *s)
{
    return (struct blas_product){
        .m = s->n, .n = s->u, .k = s->u, .ldb = s->gates, .ldc = s->gates, .alignment = alignment_of(2 * s->u)};
}

bool cuda_prepare_recurrent(struct device *device, struct kernel *kernel, struct arena *arena, struct err *err)
{
    struct forward *w = arena_alloc(arena, sizeof *w);
    const struct recurrent *r = &kernel->node->attrs.recurrent;
    w->p = recurrent_places(r);
    w->s = sizes_of(r, kernel->in_value[w->p.x]->shape, kernel->in_value[w->p.h]->shape.dim[1]);
    place_zx(w, kernel);
    w->zh_at = take(kernel, w->s.n * w->s.gates);
    w->dropped_at = r->dropped ? take(kernel, w->s.n * w->s.gates) : -1;
    w->reset_at = r->reset_before ? take(kernel, w->s.n * w->s.u) : -1;
    kernel->prepared = w;
    const struct blas_product project = projection(w), recur = recurrence(&w->s), last = candidate(&w->s);
    return (w->p.kernel < 0 || (w->project = blas_prepare(device, &project, arena, err))) &&
           (w->recur = blas_prepare(device, &recur, arena, err)) &&
           (!r->reset_before || (w->candidate = blas_prepare(device, &last, arena, err)));
}

struct pass { /* of one run */
    const struct kernel *k;
    const struct forward *w;
    struct device *device;
    float *zx; /* of the first sample, from step `from` on */
    int64_t from, end;
};

/* x K for the steps that come i-th and later; the last part may begin with some that were there. */
static void project(struct pass *pass, int64_t i)
{
    const struct forward *w = pass->w;
    int64_t first = i < w->s.t - w->ahead ? i : w->s.t - w->ahead;
    pass->from = w->s.r.backwards ? w->s.t - first - w->ahead : first;
    pass->end = first + w->ahead;
    if (w->project)
        blas_multiply(pass->device, w->project, input(pass->k, w->p.x, pass->from * w->s.f), pass->k->in[w->p.kernel],
                      pass->zx);
}

static struct cell cell_at(const struct pass *pass, int64_t i)
{
    const struct kernel *k = pass->k;
    const struct forward *w = pass->w;
    const struct sizes *s = &w->s;
    int64_t t = step_at(s, i);
    float *workspace = k->workspace, *saved = output(k, w->p.saved, t * s->saved), *y = output(k, w->p.y, t * s->u);
    const float *mask = input(k, w->p.mask, t), *bias = k->in[w->p.bias];
    return (struct cell){.is = kind_of(s, input(k, w->p.factors, 0)),
                         .zx = {pass->zx + (t - pass->from) * w->zx_step, w->zx_sample},
                         .mask = {mask, s->t},
                         .zh = workspace + w->zh_at,
                         .bias = bias,
                         .bias_of_h = bias + s->gates,
                         .h_before = i ? k->out[w->p.last_h] : k->in[w->p.h],
                         .c_before = i ? output(k, w->p.last_c, 0) : input(k, w->p.c, 0),
                         .h = k->out[w->p.last_h],
                         .c = output(k, w->p.last_c, 0),
                         .reset = s->r.reset_before ? workspace + w->reset_at : NULL,
                         .y = {y, s->t * s->u},
                         .saved = {saved, s->t * s->saved}};
}

static void step(const struct pass *pass, int64_t i)
{
    const struct forward *w = pass->w;
    const struct cell c = cell_at(pass, i);
    const float *states = c.h_before, *recurrent = pass->k->in[w->p.recurrent_kernel];
    if (w->s.r.dropped) {
        float *dropped = (float *)pass->k->workspace + w->dropped_at;
        launch_cell_drop(pass->device->stream, c, dropped);
        states = dropped;
    }
    blas_multiply(pass->device, w->recur, states, recurrent, c.zh);
    if (w->s.r.reset_before) {
        launch_cell_reset(pass->device->stream, c);
        blas_multiply(pass->device, w->candidate, c.reset, recurrent + 2 * w->s.u, c.zh + 2 * w->s.u);
    }
    launch_cell(pass->device->stream, c);
}

void cuda_recurrent(const struct kernel *k, struct device *device)
{
    const struct forward *w = k->prepared;
    struct pass pass = {.k = k, .w = w, .device = device};
    if (w->p.kernel < 0)
        pass.zx = (float *)k->in[w->p.x];
    else
        pass.zx = w->zx_at >= 0 ? (float *)k->workspace + w->zx_at : k->out[w->p.saved >= 0 ? w->p.saved : w->p.y];
    for (int64_t i = 0; i < w->s.t; i++) {
        if (i == pass.end)
            project(&pass, i);
        step(&pass, i);
    }
}

/* ---- the gradient ---- */

struct backward {
    struct sizes s;
    struct recurrent_dx_places p;
    const struct blas_plan *through, *candidate; /* dz R^T; candidate: NULL without a reset before the product */
    int64_t met_at, met_by_reset_at, partial_at; /* in the workspace */
    int n_met;
};

/* dz R^T of a step; gate by gate where each had states of its own. */
static struct blas_product through_kernel(const struct sizes *s)
{
    int64_t columns = s->r.dropped ? s->u : met_columns(s);
    return (struct blas_product){.m = s->n,
                                 .n = s->u,
                                 .k = columns,
                                 .transpose_b = true,
                                 .lda = s->t * s->gates,
                                 .ldb = s->gates,
                                 .batch = met_columns(s) / columns,
                                 .stride_a = columns,
                                 .stride_b = columns,
                                 .alignment = alignment_of(s->gates)};
}

static struct blas_product through_candidate(const struct sizes *s)
{
    return (struct blas_product){.m = s->n,
                                 .n = s->u,
                                 .k = s->u,
                                 .transpose_b = true,
                                 .lda = s->t * s->gates,
                                 .ldb = s->gates,
                                 .alignment = alignment_of(s->u)};
}

bool cuda_prepare_recurrent_dx(struct device *device, struct kernel *kernel, struct arena *arena, struct err *err)
{
    struct backward *w = arena_alloc(arena, sizeof *w);
    const struct recurrent *r = &kernel->node->attrs.recurrent;
    w->p = recurrent_dx_places(r);
    struct shape y = kernel->in_value[w->p.y]->shape;
    w->s = sizes_of(r, y, y.dim[2]);
    w->n_met = r->dropped ? (int)(met_columns(&w->s) / w->s.u) : 1;
    w->met_at = take(kernel, w->n_met * w->s.n * w->s.u);
    w->met_by_reset_at = r->reset_before ? take(kernel, w->s.n * w->s.u) : -1;
    w->partial_at = take(kernel, cuda_column_parts(w->s.n * w->s.t, w->s.gates));
    kernel->left_out[w->p.dbias] = kernel->unread[w->p.dbias];
    kernel->prepared = w;
    const struct blas_product through = through_kernel(&w->s), last = through_candidate(&w->s);
    return (w->through = blas_prepare(device, &through, arena, err)) &&
           (!r->reset_before || (w->candidate = blas_prepare(device, &last, arena, err)));
}

/* i: how many steps came before it. */
static struct cell_gradient gradient_at(const struct kernel *k, int64_t i)
{
    const struct backward *w = k->prepared;
    const struct sizes *s = &w->s;
    const struct recurrent_dx_places *p = &w->p;
    int64_t t = step_at(s, i), before = step_at(s, i - 1);
    bool last = i == s->t - 1;
    struct cell_gradient c = {.is = kind_of(s, input(k, p->factors, 0)),
                              .dh_after = last ? input(k, p->dh, 0) : output(k, p->dh0, 0),
                              .dc_after = last ? input(k, p->dc, 0) : output(k, p->dc0, 0),
                              .met = last ? NULL : (const float *)k->workspace + w->met_at,
                              .n_met = w->n_met,
                              .dy = {input(k, p->dy, t * s->u), s->t * s->u},
                              .mask = {input(k, p->mask, t), s->t},
                              .y = {input(k, p->y, t * s->u), s->t * s->u},
                              .saved = {input(k, p->saved, t * s->saved), s->t * s->saved},
                              .h_before = {input(k, p->h, 0), s->u},
                              .c_before = {input(k, p->c, 0), s->u},
                              .dh = output(k, p->dh0, 0),
                              .dc = output(k, p->dc0, 0),
                              .dz = {output(k, p->dz, t * s->gates), s->t * s->gates},
                              .dz_recurrent = {output(k, p->dz_recurrent, t * s->gates), s->t * s->gates}};
    if (i > 0) {
        c.h_before = (struct cell_rows){input(k, p->y, before * s->u), s->t * s->u};
        if (p->c >= 0)
            c.c_before = (struct cell_rows){input(k, p->saved, before * s->saved + 4 * s->u), s->t * s->saved};
    }
    return c;
}

static void step_back(const struct kernel *k, struct device *device, int64_t i)
{
    const struct backward *w = k->prepared;
    const struct cell_gradient c = gradient_at(k, i);
    const float *recurrent = k->in[w->p.recurrent_kernel];
    float *workspace = k->workspace, *by_reset = workspace + w->met_by_reset_at;
    launch_cell_gradient(device->stream, c);
    if (w->s.r.reset_before) {
        blas_multiply(device, w->candidate, c.dz.at + 2 * w->s.u, recurrent + 2 * w->s.u, by_reset);
        launch_cell_reset_gradient(device->stream, c, by_reset);
    }
    blas_multiply(device, w->through, c.dz_recurrent.at ? c.dz_recurrent.at : c.dz.at, recurrent,
                  workspace + w->met_at);
}

void cuda_recurrent_dx(const struct kernel *k, struct device *device)
{
    const struct backward *w = k->prepared;
    float *dbias = output(k, w->p.dbias, 0), *partial = (float *)k->workspace + w->partial_at;
    for (int64_t i = w->s.t - 1; i >= 0; i--)
        step_back(k, device, i);
    struct cell_gradient first = gradient_at(k, 0);
    first.dh_after = first.dh;
    first.met = (const float *)k->workspace + w->met_at;
    launch_cell_first(device->stream, first);
    const float *sources[] = {k->out[w->p.dz], output(k, w->p.dz_recurrent, 0)};
    for (int i = 0; dbias && i < 2; i++)
        if (sources[i])
            cuda_sum_columns(device, dbias + i * w->s.gates, partial, sources[i], w->s.n * w->s.t, w->s.gates);
}
