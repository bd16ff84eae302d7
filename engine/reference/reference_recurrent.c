/* reference_recurrent.c - LSTM, GRU and simple recurrent layers over sequences, one sample and one step after the
 * other; formulas in graph.h */
#include <math.h>
#include <string.h>

#include "engine/graph/recurrent.h"
#include "engine/reference/reference.h"

static double apply(enum recurrent_function function, double x)
{
    switch (function) {
    case FUNCTION_TANH:
        return tanh(x);
    case FUNCTION_SIGMOID:
        return 1 / (1 + exp(-x));
    case FUNCTION_RELU:
        return x > 0 || x != x ? x : 0;
    case FUNCTION_HARD_SIGMOID:
        return x <= -3 ? 0 : x >= 3 ? 1 : x / 6 + 0.5;
    case FUNCTION_LINEAR:
        break;
    }
    return x;
}

/* The slope where the function has the value y. */
static double slope(enum recurrent_function function, double y)
{
    switch (function) {
    case FUNCTION_TANH:
        return 1 - y * y;
    case FUNCTION_SIGMOID:
        return y * (1 - y);
    case FUNCTION_RELU:
        return y > 0;
    case FUNCTION_HARD_SIGMOID:
        return y > 0 && y < 1 ? 1.0 / 6 : 0;
    case FUNCTION_LINEAR:
        break;
    }
    return 1;
}

struct sizes {
    struct recurrent r;
    int64_t n, t, f, u, gates, saved;
};

static struct sizes sizes_of(const struct kernel *k, struct shape y, int64_t f)
{
    const struct recurrent *r = &k->node->attrs.recurrent;
    int64_t u = y.dim[2];
    return (struct sizes){*r, y.dim[0], y.dim[1], f, u, recurrent_gates(r->kind) * u, recurrent_saved(r->kind) * u};
}

/* out[j] = bias[j] + sum over i of x[i] factors[i] w[i][j], of w's row length; bias NULL = 0, factors NULL = 1. */
static void product(double *out, const float *bias, const float *x, const float *factors, const float *w, int64_t rows,
                    int64_t columns, int64_t row_length)
{
    for (int64_t j = 0; j < columns; j++) {
        double sum = bias ? (double)bias[j] : 0;
        for (int64_t i = 0; i < rows; i++)
            sum += (double)x[i] * (factors ? (double)factors[i] : 1) * (double)w[i * row_length + j];
        out[j] = sum;
    }
}

/* A state, or its gradient, as it leaves a step. */
static double state(const struct sizes *s, double x)
{
    return s->r.bfloat16 ? (double)round_to_bfloat16((float)x) : x;
}

struct step_io {              /* of one sample and step */
    const double *zx, *zh;    /* x K + b, and h R (+ b1 for GRU) */
    float *h, *c, *saved;     /* before and after; saved may be NULL */
    const float *r, *factors; /* the recurrent kernel and the factors of the sample, or NULL */
};

/* GRU that resets before the product. */
static void step_forward_before(const struct sizes *s, const struct step_io *io)
{
    int64_t u = s->u;
    float *gates = io->saved, *reset = gates + 3 * u;
    for (int64_t j = 0; j < 2 * u; j++)
        gates[j] = (float)apply(s->r.gate, io->zx[j] + io->zh[j]);
    for (int64_t j = 0; j < u; j++)
        reset[j] = io->h[j] * gates[u + j] * (io->factors ? io->factors[2 * u + j] : 1);
    for (int64_t j = 0; j < u; j++) {
        double sum;
        product(&sum, NULL, reset, NULL, io->r + 2 * u + j, u, 1, s->gates);
        gates[2 * u + j] = (float)apply(s->r.activation, io->zx[2 * u + j] + sum);
    }
    for (int64_t j = 0; j < u; j++)
        io->h[j] =
            (float)state(s, (double)gates[j] * (double)io->h[j] + (1 - (double)gates[j]) * (double)gates[2 * u + j]);
}

static void step_forward(const struct sizes *s, const struct step_io *io)
{
    enum recurrent_function act = s->r.activation, gate = s->r.gate;
    if (s->r.reset_before) {
        step_forward_before(s, io);
        return;
    }
    for (int64_t j = 0; j < s->u; j++) {
        const double *zx = io->zx + j, *zh = io->zh + j;
        int64_t u = s->u;
        if (s->r.kind == RECURRENT_SIMPLE) {
            io->h[j] = (float)state(s, apply(act, zx[0] + zh[0]));
        } else if (s->r.kind == RECURRENT_GRU) {
            double z = apply(gate, zx[0] + zh[0]), r = apply(gate, zx[u] + zh[u]);
            double candidate = apply(act, zx[2 * u] + r * zh[2 * u]);
            io->h[j] = (float)state(s, z * (double)io->h[j] + (1 - z) * candidate);
            const double all[] = {z, r, candidate, zh[2 * u]};
            for (int k = 0; k < 4; k++)
                io->saved[k * u + j] = (float)all[k];
        } else {
            double i = apply(gate, zx[0] + zh[0]), f = apply(gate, zx[u] + zh[u]);
            double g = apply(act, zx[2 * u] + zh[2 * u]), o = apply(gate, zx[3 * u] + zh[3 * u]);
            double c = state(s, f * (double)io->c[j] + i * g);
            const double all[] = {i, f, g, o, c};
            for (int k = 0; k < 5; k++)
                io->saved[k * u + j] = (float)all[k];
            io->c[j] = (float)c;
            io->h[j] = (float)state(s, o * apply(act, c));
        }
    }
}

/* x K + b and h R of a step. */
static void products(const struct kernel *k, const struct sizes *s, int64_t row, const float *h, const float *factors,
                     double *zx)
{
    const struct recurrent_places p = recurrent_places(&s->r);
    const float *bias = k->in[p.bias], *x = (const float *)k->in[p.x] + row * s->f;
    bool pair = s->r.kind == RECURRENT_GRU && !s->r.reset_before;
    if (p.kernel >= 0)
        product(zx, bias, x, NULL, k->in[p.kernel], s->f, s->gates, s->gates);
    for (int64_t j = 0; p.kernel < 0 && j < s->gates; j++)
        zx[j] = (double)x[j] + (double)bias[j];
    for (int64_t at = 0; at < s->gates; at += s->u)
        product(zx + s->gates + at, pair ? bias + s->gates + at : NULL, h, factors ? factors + at : NULL,
                (const float *)k->in[p.recurrent_kernel] + at, s->u, s->u, s->gates);
}

/* The states after the step, where the mask does not hold them back. saved is filled either way. */
static void sample_forward(const struct kernel *k, const struct sizes *s, int64_t n, double *zx, float *states)
{
    const struct recurrent_places p = recurrent_places(&s->r);
    float *h = states, *c = h + s->u, *old = c + s->u;
    const float *factors = p.factors >= 0 ? (const float *)k->in[p.factors] + n * s->gates : NULL,
                *mask = p.mask >= 0 ? k->in[p.mask] : NULL;
    memcpy(h, (const float *)k->in[p.h] + n * s->u, (size_t)s->u * sizeof *h);
    if (p.c >= 0)
        memcpy(c, (const float *)k->in[p.c] + n * s->u, (size_t)s->u * sizeof *c);
    for (int64_t i = 0; i < s->t; i++) {
        int64_t row = n * s->t + (s->r.backwards ? s->t - 1 - i : i);
        struct step_io io = {zx,
                             zx + s->gates,
                             h,
                             c,
                             p.saved >= 0 ? (float *)k->out[p.saved] + row * s->saved : NULL,
                             k->in[p.recurrent_kernel],
                             factors};
        products(k, s, row, h, factors, zx);
        memcpy(old, states, 2 * (size_t)s->u * sizeof *old);
        step_forward(s, &io);
        if (mask && mask[row] == 0) {
            memcpy(states, old, 2 * (size_t)s->u * sizeof *old);
            if (s->r.kind == RECURRENT_LSTM)
                memcpy(io.saved + 4 * s->u, c, (size_t)s->u * sizeof *c);
        }
        memcpy((float *)k->out[p.y] + row * s->u, h, (size_t)s->u * sizeof *h);
    }
    memcpy((float *)k->out[p.last_h] + n * s->u, h, (size_t)s->u * sizeof *h);
    if (p.last_c >= 0)
        memcpy((float *)k->out[p.last_c] + n * s->u, c, (size_t)s->u * sizeof *c);
}

void reference_recurrent(const struct kernel *k, struct device *device)
{
    const struct recurrent_places p = recurrent_places(&k->node->attrs.recurrent);
    struct sizes s = sizes_of(k, k->node->outputs[p.y]->shape, k->in_value[p.x]->shape.dim[2]);
    double *zx = k->workspace;
    (void)device;
    for (int64_t n = 0; n < s.n; n++)
        sample_forward(k, &s, n, zx, (float *)(zx + 2 * s.gates));
}

size_t reference_recurrent_workspace(const struct node *node)
{
    const struct recurrent *r = &node->attrs.recurrent;
    bool forward = node->op == OP_RECURRENT;
    int64_t u = node->inputs[forward ? recurrent_places(r).h : recurrent_dx_places(r).h]->shape.dim[1];
    return (size_t)(2 * recurrent_gates(r->kind) + 2) * (size_t)u * sizeof(double);
}

struct step_gradient {              /* of one sample and step */
    const float *saved, *y, *h, *c; /* h, c: before the step */
    double *dh, *dc;                /* in: after the step; out: the part that does not go through R */
    float *dz, *dz_recurrent;
    const float *r, *factors; /* as in step_io */
};

/* Sum over a gate's units of dz times the row of unit i of the recurrent kernel, times the unit's factor for the gate.
 */
static double through_gate(const struct sizes *s, const float *r, const float *factors, const float *dz, int64_t i,
                           int64_t at)
{
    double sum = 0;
    for (int64_t j = 0; j < s->u; j++)
        sum += (double)dz[at + j] * (double)r[i * s->gates + at + j];
    return factors ? sum * (double)factors[at + i] : sum;
}

static void step_backward_before(const struct sizes *s, const struct step_gradient *io)
{
    int64_t u = s->u;
    const float *z = io->saved, *r = z + u, *g = z + 2 * u;
    for (int64_t j = 0; j < u; j++) {
        io->dz[2 * u + j] = (float)state(s, io->dh[j] * (1 - (double)z[j]) * slope(s->r.activation, (double)g[j]));
        io->dz[j] = (float)state(s, io->dh[j] * ((double)io->h[j] - (double)g[j]) * slope(s->r.gate, (double)z[j]));
    }
    for (int64_t j = 0; j < u; j++) {
        double reset = through_gate(s, io->r, io->factors, io->dz, j, 2 * u);
        io->dz[u + j] = (float)state(s, reset * (double)io->h[j] * slope(s->r.gate, (double)r[j]));
        io->dh[j] = io->dh[j] * (double)z[j] + reset * (double)r[j];
    }
}

static void step_backward(const struct sizes *s, const struct step_gradient *io)
{
    enum recurrent_function act = s->r.activation, gate = s->r.gate;
    int64_t u = s->u;
    if (s->r.reset_before) {
        step_backward_before(s, io);
        return;
    }
    for (int64_t j = 0; j < u; j++) {
        const float *saved = io->saved + j;
        double dh = io->dh[j];
        if (s->r.kind == RECURRENT_SIMPLE) {
            io->dz[j] = (float)state(s, dh * slope(act, (double)io->y[j]));
            io->dh[j] = 0;
        } else if (s->r.kind == RECURRENT_GRU) {
            double z = (double)saved[0], r = (double)saved[u], g = (double)saved[2 * u], inner = (double)saved[3 * u];
            double da = dh * (1 - z) * slope(act, g);
            io->dz[j] = io->dz_recurrent[j] = (float)state(s, dh * ((double)io->h[j] - g) * slope(gate, z));
            io->dz[u + j] = io->dz_recurrent[u + j] = (float)state(s, da * inner * slope(gate, r));
            io->dz[2 * u + j] = (float)state(s, da);
            io->dz_recurrent[2 * u + j] = (float)state(s, da * r);
            io->dh[j] = dh * z;
        } else {
            double i = (double)saved[0], f = (double)saved[u], g = (double)saved[2 * u], o = (double)saved[3 * u];
            double t = apply(act, (double)saved[4 * u]), dc = io->dc[j] + dh * o * slope(act, t);
            io->dz[j] = (float)state(s, dc * g * slope(gate, i));
            io->dz[u + j] = (float)state(s, dc * (double)io->c[j] * slope(gate, f));
            io->dz[2 * u + j] = (float)state(s, dc * i * slope(act, g));
            io->dz[3 * u + j] = (float)state(s, dh * t * slope(gate, o));
            io->dc[j] = state(s, dc * f);
            io->dh[j] = 0;
        }
    }
}

static void add_to(double *sum, const float *x, int64_t n)
{
    for (int64_t i = 0; x && i < n; i++)
        sum[i] += (double)x[i];
}

static const float *operand(const struct kernel *k, int place, int64_t offset)
{
    return place < 0 ? NULL : (const float *)k->in[place] + offset;
}

/* The gradient goes on to the states before the step: dh += dz R^T. */
static void through_kernel(const struct sizes *s, const float *r, const float *factors, const float *dz, double *dh)
{
    int64_t end = s->r.reset_before ? 2 * s->u : s->gates;
    for (int64_t i = 0; i < s->u; i++) {
        for (int64_t at = 0; at < end; at += s->u)
            dh[i] += through_gate(s, r, factors, dz, i, at);
        dh[i] = state(s, dh[i]);
    }
}

static void sample_backward(const struct kernel *k, const struct sizes *s, const struct recurrent_dx_places *p,
                            int64_t n, double *dstates, double *dbias)
{
    double *dh = dstates, *dc = dh + s->u;
    int64_t own = n * s->u;
    const float *factors = operand(k, p->factors, n * s->gates);
    memset(dstates, 0, 2 * (size_t)s->u * sizeof *dstates);
    add_to(dh, operand(k, p->dh, own), s->u);
    add_to(dc, operand(k, p->dc, own), s->u);
    for (int64_t i = s->t - 1; i >= 0; i--) {
        int64_t row = n * s->t + (s->r.backwards ? s->t - 1 - i : i), before = row + (s->r.backwards ? 1 : -1);
        const float *mask = operand(k, p->mask, row);
        float *dz = (float *)k->out[p->dz] + row * s->gates;
        float *dr = p->dz_recurrent >= 0 ? (float *)k->out[p->dz_recurrent] + row * s->gates : NULL;
        add_to(dh, operand(k, p->dy, row * s->u), s->u);
        if (mask && *mask == 0) {
            memset(dz, 0, (size_t)s->gates * sizeof *dz);
            if (dr)
                memset(dr, 0, (size_t)s->gates * sizeof *dr);
            continue;
        }
        struct step_gradient io = {operand(k, p->saved, row * s->saved),
                                   operand(k, p->y, row * s->u),
                                   i ? operand(k, p->y, before * s->u) : operand(k, p->h, own),
                                   i ? operand(k, p->c < 0 ? -1 : p->saved, before * s->saved + 4 * s->u)
                                     : operand(k, p->c, own),
                                   dh,
                                   dc,
                                   dz,
                                   dr,
                                   k->in[p->recurrent_kernel],
                                   factors};
        step_backward(s, &io);
        through_kernel(s, k->in[p->recurrent_kernel], factors, dr ? dr : dz, dh);
        add_to(dbias, dz, s->gates);
        add_to(dbias + s->gates, dr, s->gates);
    }
    for (int64_t j = 0; j < s->u; j++) {
        ((float *)k->out[p->dh0])[own + j] = (float)dh[j];
        if (p->dc0 >= 0)
            ((float *)k->out[p->dc0])[own + j] = (float)dc[j];
    }
}

void reference_recurrent_dx(const struct kernel *k, struct device *device)
{
    const struct recurrent_dx_places p = recurrent_dx_places(&k->node->attrs.recurrent);
    struct sizes s = sizes_of(k, k->in_value[p.y]->shape, 0);
    double *dstates = k->workspace, *dbias = dstates + 2 * s.u;
    int64_t n_bias = shape_elements(k->node->outputs[p.dbias]->shape);
    (void)device;
    memset(dbias, 0, 2 * (size_t)s.gates * sizeof *dbias);
    for (int64_t n = 0; n < s.n; n++)
        sample_backward(k, &s, &p, n, dstates, dbias);
    for (int64_t j = 0; j < n_bias; j++)
        ((float *)k->out[p.dbias])[j] = (float)dbias[j];
}
