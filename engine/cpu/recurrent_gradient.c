/* recurrent_gradient.c - the op `recurrent_dx`: from the last step to the first, each slice of samples on its own. */
#include "engine/cpu/recurrent.h"

#include <string.h>

struct backward {
    struct recurrent_sizes s;
    struct recurrent_dx_places p;
    int64_t bias_floats;    /* of the whole bias */
    int64_t scratch_floats; /* in the workspace: R transposed and packed, then per slice dbias and states */
};

struct backward_call {
    const struct kernel *kernel;
    const struct backward *w;
    const struct rows *rows;
};

struct walk {
    const struct backward_call *call;
    int64_t first, n;                     /* samples */
    float *dbias, *dh, *dc, *t, *q, *met; /* met: gradient of the states that one gate met */
};

enum { PACK_SLICES = 4 };

static void pack_slice(void *context, int slice)
{
    const struct backward_call *call = context;
    const struct backward *w = call->w;
    for (const struct recurrent_block *b = w->s.blocks; b < w->s.blocks + w->s.n_blocks; b++) {
        const struct gemm g = {.transpose_b = true,
                               .n = w->s.u,
                               .ldb = w->s.gates,
                               .k = b->width,
                               .b = (const float *)call->kernel->in[w->p.recurrent_kernel] + b->first};
        recurrent_pack(&w->s, (float *)call->kernel->workspace + b->turned_at, &g, PACK_SLICES, slice);
    }
}

static const float *input_at(const struct walk *k, int place, int64_t offset)
{
    return place < 0 ? NULL : (const float *)k->call->kernel->in[place] + offset;
}

static float *output_at(const struct walk *k, int place, int64_t offset)
{
    return place < 0 ? NULL : (float *)k->call->kernel->out[place] + offset;
}

/* d *= slope where the function has the value y */
static void times_slope(const struct recurrent_sizes *s, enum recurrent_function function, float *d, const float *y,
                        int64_t n)
{
    const struct cells *cells = s->cells;
    if (function == FUNCTION_TANH)
        cells->tanh_slope(d, y, n);
    else if (function == FUNCTION_SIGMOID)
        cells->sigmoid_slope(d, y, n);
    else if (function == FUNCTION_RELU)
        cells->relu_slope(d, y, n);
    else if (function == FUNCTION_HARD_SIGMOID)
        cells->hard_sigmoid_slope(d, y, n);
}

/* One sample at one step; before: the row of the step before it, or -1. */
static void sample_lstm(const struct walk *k, int64_t n, int64_t row, int64_t before, float *dz)
{
    const struct backward *w = k->call->w;
    const struct recurrent_sizes *s = &w->s;
    int64_t u = s->u;
    const float *saved = input_at(k, w->p.saved, row * s->width);
    const float *c_before =
        before >= 0 ? input_at(k, w->p.saved, before * s->width + 4 * u) : input_at(k, w->p.c, (k->first + n) * u);
    float *dh = k->dh + n * u;
    memcpy(k->t, saved + 4 * u, (size_t)u * sizeof(float));
    recurrent_apply(s, k->call->rows, s->r.activation, k->t, u);
    memcpy(k->q, dh, (size_t)u * sizeof(float));
    s->cells->multiply(k->q, saved + 3 * u, u);
    times_slope(s, s->r.activation, k->q, k->t, u);
    s->cells->lstm_gradient(dz, k->dc + n * u, k->q, dh, saved, k->t, c_before, u);
    times_slope(s, s->r.gate, dz, saved, 2 * u);
    times_slope(s, s->r.activation, dz + 2 * u, saved + 2 * u, u);
    times_slope(s, s->r.gate, dz + 3 * u, saved + 3 * u, u);
    recurrent_round(s, k->call->rows, dz, s->gates);
    recurrent_round(s, k->call->rows, k->dc + n * u, u);
    memset(dh, 0, (size_t)u * sizeof(float));
}

static void sample_gru(const struct walk *k, int64_t n, int64_t row, int64_t before, float *dz)
{
    const struct backward *w = k->call->w;
    const struct recurrent_sizes *s = &w->s;
    int64_t u = s->u;
    const float *saved = input_at(k, w->p.saved, row * s->width);
    const float *h_before = before >= 0 ? input_at(k, w->p.y, before * u) : input_at(k, w->p.h, (k->first + n) * u);
    float *dh = k->dh + n * u, *dz_recurrent = output_at(k, w->p.dz_recurrent, row * s->gates);
    s->cells->gru_gradient(dz, dh, saved, h_before, u);
    times_slope(s, s->r.gate, dz, saved, u);
    times_slope(s, s->r.activation, dz + 2 * u, saved + 2 * u, u);
    s->cells->gru_reset_gradient(dz, dz_recurrent, dh, saved, u);
    times_slope(s, s->r.gate, dz + u, saved + u, u);
    recurrent_round(s, k->call->rows, dz, s->gates);
    recurrent_round(s, k->call->rows, dz_recurrent + 2 * u, u);
    memcpy(dz_recurrent, dz, 2 * (size_t)u * sizeof(float));
    s->cells->add(k->dbias + s->gates, dz_recurrent, s->gates);
}

/* With a reset before the product dz's r comes later: reset_gradient. */
static void sample_gru_before(const struct walk *k, int64_t n, int64_t row, int64_t before, float *dz)
{
    const struct backward *w = k->call->w;
    const struct recurrent_sizes *s = &w->s;
    const float *saved = input_at(k, w->p.saved, row * s->width);
    const float *h_before =
        before >= 0 ? input_at(k, w->p.y, before * s->u) : input_at(k, w->p.h, (k->first + n) * s->u);
    s->cells->gru_gradient(dz, k->dh + n * s->u, saved, h_before, s->u);
    memset(dz + s->u, 0, (size_t)s->u * sizeof *dz);
    times_slope(s, s->r.gate, dz, saved, s->u);
    times_slope(s, s->r.activation, dz + 2 * s->u, saved + 2 * s->u, s->u);
    recurrent_round(s, k->call->rows, dz, s->gates);
}

static void sample_simple(const struct walk *k, int64_t n, int64_t row, float *dz)
{
    const struct recurrent_sizes *s = &k->call->w->s;
    memcpy(dz, k->dh + n * s->u, (size_t)s->u * sizeof(float));
    times_slope(s, s->r.activation, dz, input_at(k, k->call->w->p.y, row * s->u), s->u);
    recurrent_round(s, k->call->rows, dz, s->u);
    memset(k->dh + n * s->u, 0, (size_t)s->u * sizeof(float));
}

static void sample(const struct walk *k, int64_t n, int64_t t, bool first_step)
{
    const struct backward *w = k->call->w;
    const struct recurrent_sizes *s = &w->s;
    int64_t row = (k->first + n) * s->t + t, before = first_step ? -1 : row + (s->r.backwards ? 1 : -1);
    float *dz = output_at(k, w->p.dz, row * s->gates);
    if (w->p.dy >= 0)
        s->cells->add(k->dh + n * s->u, input_at(k, w->p.dy, row * s->u), s->u);
    if (w->p.mask >= 0 && *input_at(k, w->p.mask, row) == 0) {
        memset(dz, 0, (size_t)s->gates * sizeof(float));
        if (w->p.dz_recurrent >= 0)
            memset(output_at(k, w->p.dz_recurrent, row * s->gates), 0, (size_t)s->gates * sizeof(float));
        return;
    }
    if (s->r.kind == RECURRENT_LSTM)
        sample_lstm(k, n, row, before, dz);
    else if (s->r.reset_before)
        sample_gru_before(k, n, row, before, dz);
    else if (s->r.kind == RECURRENT_GRU)
        sample_gru(k, n, row, before, dz);
    else
        sample_simple(k, n, row, dz);
    s->cells->add(k->dbias, dz, s->gates);
}

/* d (+)= dz R^T for the columns of a block. */
static void through_block(const struct walk *k, int64_t t, const struct recurrent_block *b, float *d, bool add)
{
    const struct backward *w = k->call->w;
    int place = w->p.dz_recurrent >= 0 ? w->p.dz_recurrent : w->p.dz;
    recurrent_product(&w->s, &(struct gemm){.m = k->n,
                                            .n = w->s.u,
                                            .k = b->width,
                                            .a = output_at(k, place, (k->first * w->s.t + t) * w->s.gates + b->first),
                                            .lda = w->s.t * w->s.gates,
                                            .b = (float *)k->call->kernel->workspace + b->turned_at,
                                            .ldb = w->s.u,
                                            .c = d,
                                            .ldc = w->s.u,
                                            .alpha = 1,
                                            .beta = add ? 1 : 0});
}

/* The same into k->met, for states that were multiplied by factors. */
static void through_factors(const struct walk *k, int64_t t, const struct recurrent_block *b)
{
    const struct backward *w = k->call->w;
    through_block(k, t, b, k->met, false);
    if (w->p.factors >= 0)
        recurrent_times_factors(&w->s, k->call->kernel->in[w->p.factors], k->first, b->first, k->n, k->met, w->s.u,
                                k->met, w->s.u);
}

/* From the gradient of the states that were reset: dz's r, and the part of dh that does not go through R. */
static void reset_gradient(const struct walk *k, int64_t t, bool first_step)
{
    const struct backward *w = k->call->w;
    const struct recurrent_sizes *s = &w->s;
    through_factors(k, t, &s->blocks[s->n_blocks - 1]);
    for (int64_t n = 0; n < k->n; n++) {
        int64_t row = (k->first + n) * s->t + t, before = row + (s->r.backwards ? 1 : -1);
        if (w->p.mask >= 0 && *input_at(k, w->p.mask, row) == 0)
            continue;
        const float *saved = input_at(k, w->p.saved, row * s->width);
        const float *h_before =
            first_step ? input_at(k, w->p.h, (k->first + n) * s->u) : input_at(k, w->p.y, before * s->u);
        float *dz = output_at(k, w->p.dz, row * s->gates) + s->u;
        s->cells->gru_before_gradient(dz, k->dh + n * s->u, k->met + n * s->u, saved, h_before, s->u);
        times_slope(s, s->r.gate, dz, saved + s->u, s->u);
        recurrent_round(s, k->call->rows, dz, s->u);
        s->cells->add(k->dbias + s->u, dz, s->u);
    }
}

/* dh += dz R^T, but for what the reset gate had changed. */
static void through_kernel(const struct walk *k, int64_t t)
{
    const struct backward *w = k->call->w;
    for (int i = 0; i < w->s.n_blocks - w->s.r.reset_before; i++)
        if (w->p.factors < 0) {
            through_block(k, t, &w->s.blocks[i], k->dh, true);
        } else {
            through_factors(k, t, &w->s.blocks[i]);
            w->s.cells->add(k->dh, k->met, k->n * w->s.u);
        }
    recurrent_round(&w->s, k->call->rows, k->dh, k->n * w->s.u);
}

static void fill_states(const struct walk *k, float *d, int place)
{
    size_t bytes = (size_t)(k->n * k->call->w->s.u) * sizeof(float);
    if (place >= 0)
        memcpy(d, input_at(k, place, k->first * k->call->w->s.u), bytes);
    else
        memset(d, 0, bytes);
}

static void backward_slice(void *context, int slice)
{
    const struct backward_call *call = context;
    const struct backward *w = call->w;
    int64_t u = w->s.u, first = slice_begin(w->s.n, w->s.n_slices, slice), state = w->s.rows * u;
    struct walk k = {.call = call, .first = first, .n = slice_begin(w->s.n, w->s.n_slices, slice + 1) - first};
    k.dbias = (float *)call->kernel->workspace + w->s.turned_floats + slice * w->scratch_floats;
    k.dh = k.dbias + w->bias_floats;
    k.dc = k.dh + state;
    k.t = k.dc + state;
    k.q = k.t + u;
    k.met = k.q + u;
    memset(k.dbias, 0, (size_t)w->bias_floats * sizeof(float));
    fill_states(&k, k.dh, w->p.dh);
    fill_states(&k, k.dc, w->p.dc);
    for (int64_t i = w->s.t - 1; i >= 0; i--) {
        int64_t t = w->s.r.backwards ? w->s.t - 1 - i : i;
        for (int64_t n = 0; n < k.n; n++)
            sample(&k, n, t, i == 0);
        if (w->s.r.reset_before)
            reset_gradient(&k, t, i == 0);
        through_kernel(&k, t);
    }
    memcpy(output_at(&k, w->p.dh0, first * u), k.dh, (size_t)(k.n * u) * sizeof(float));
    if (w->p.dc0 >= 0)
        memcpy(output_at(&k, w->p.dc0, first * u), k.dc, (size_t)(k.n * u) * sizeof(float));
}

static void run_recurrent_dx(const struct kernel *kernel, struct device *device)
{
    const struct backward *w = kernel->prepared;
    struct backward_call call = {kernel, w, device->rows};
    threads_run(device->threads, pack_slice, &call, PACK_SLICES);
    threads_run(device->threads, backward_slice, &call, w->s.n_slices);
    const float *parts = (const float *)kernel->workspace + w->s.turned_floats;
    float *dbias = kernel->out[w->p.dbias];
    memcpy(dbias, parts, (size_t)w->bias_floats * sizeof(float));
    for (int slice = 1; slice < w->s.n_slices; slice++)
        w->s.cells->add(dbias, parts + slice * w->scratch_floats, w->bias_floats);
}

bool prepare_recurrent_dx(struct device *device, struct kernel *kernel, struct arena *arena)
{
    const struct recurrent *r = &kernel->node->attrs.recurrent;
    struct backward *w = arena_alloc(arena, sizeof *w);
    w->p = recurrent_dx_places(r);
    const struct shape y = input_of(kernel, w->p.y)->shape;
    if (!recurrent_sizes_of(&w->s, device, r, y.dim[0], y.dim[1], y.dim[2]))
        return false;
    w->bias_floats = shape_elements(kernel->node->outputs[w->p.dbias]->shape);
    int64_t states = recurrent_by_gates(r) ? 3 : 2;
    w->scratch_floats = (w->bias_floats + (states * w->s.rows + 2) * w->s.u + 15) & ~(int64_t)15;
    kernel->workspace_bytes = (size_t)(w->s.turned_floats + w->s.n_slices * w->scratch_floats) * sizeof(float);
    kernel->prepared = w;
    kernel->run = run_recurrent_dx;
    kernel->alone = w->s.n_slices == 1;
    return true;
}
