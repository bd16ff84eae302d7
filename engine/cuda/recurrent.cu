/* recurrent.cu - the steps of LSTM, GRU and simple recurrent layers, see launches.h: a thread for each unit of each
 * sample, which reads all its numbers before it writes any. Products are in recurrent.c. */
#include "engine/cuda/grid.h"
#include "engine/cuda/launches.h"

__device__ static float apply(enum cell_function function, float x)
{
    switch (function) {
    case CELL_TANH:
        return tanhf(x);
    case CELL_SIGMOID:
        return 1 / (1 + expf(-x));
    case CELL_RELU:
        return x > 0 || x != x ? x : 0;
    case CELL_HARD_SIGMOID:
        return x <= -3 ? 0 : x >= 3 ? 1 : x / 6 + 0.5f;
    case CELL_LINEAR:
        break;
    }
    return x;
}

/* The slope where the function has the value y. */
__device__ static float slope(enum cell_function function, float y)
{
    switch (function) {
    case CELL_TANH:
        return 1 - y * y;
    case CELL_SIGMOID:
        return y * (1 - y);
    case CELL_RELU:
        return y > 0;
    case CELL_HARD_SIGMOID:
        return y > 0 && y < 1 ? 1.0f / 6 : 0;
    case CELL_LINEAR:
        break;
    }
    return 1;
}

/* A state, or its gradient, as it leaves a step. */
__device__ static float state(struct cell_kind is, float x)
{
    if (!is.bfloat16 || x != x)
        return x;
    uint32_t bits = (uint32_t)__float_as_int(x);
    return __int_as_float((int)((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u));
}

struct unit {
    int64_t i, n, j; /* of [n, u]; sample, unit */
    int64_t gate;    /* of [n, G u], first gate */
};

__device__ static struct unit unit_of(struct cell_kind is, int64_t i)
{
    struct unit t;
    t.i = i;
    t.n = divide(i, is.by_u);
    t.j = i - t.n * is.u;
    t.gate = t.n * is.n_gates * is.u + t.j;
    return t;
}

__device__ static const float *row(struct cell_rows rows, struct unit t)
{
    return rows.at + t.n * rows.stride + t.j;
}

__device__ static float *result(struct cell_results rows, struct unit t)
{
    return rows.at + t.n * rows.stride + t.j;
}

/* The mask has one number for all units: 0 leaves the states as they are. */
__device__ static bool is_held(struct cell_rows mask, struct unit t)
{
    return mask.at && mask.at[t.n * mask.stride] == 0;
}

/* ---- forward ---- */

__global__ void cell_drop(struct cell c, float *dropped)
{
    int64_t units = c.is.n * c.is.u;
    for (int64_t i = grid_first(); i < units; i += grid_step()) {
        struct unit t = unit_of(c.is, i);
        for (int g = 0; g < c.is.n_gates; g++)
            dropped[g * units + i] = c.h_before[i] * c.is.factors[t.gate + g * c.is.u];
    }
}

/* x K + b + h R of a gate. */
__device__ static float sum_at(struct cell c, struct unit t, int gate)
{
    int64_t at = gate * c.is.u;
    return row(c.zx, t)[at] + c.bias[at + t.j] + c.zh[t.gate + at];
}

__global__ void cell_reset(struct cell c)
{
    int64_t u = c.is.u;
    for (int64_t i = grid_first(); i < c.is.n * u; i += grid_step()) {
        struct unit t = unit_of(c.is, i);
        float z = apply(c.is.gate, sum_at(c, t, 0)), r = apply(c.is.gate, sum_at(c, t, 1));
        float reset = c.h_before[i] * r * (c.is.factors ? c.is.factors[t.gate + 2 * u] : 1);
        c.zh[t.gate] = z;
        c.reset[i] = reset;
        if (!c.saved.at)
            continue;
        float *saved = result(c.saved, t);
        saved[0] = z;
        saved[u] = r;
        saved[3 * u] = reset;
    }
}

__device__ static float step_simple(struct cell c, struct unit t)
{
    return apply(c.is.activation, sum_at(c, t, 0));
}

__device__ static float step_reset_before(struct cell c, struct unit t)
{
    float z = c.zh[t.gate], g = apply(c.is.activation, sum_at(c, t, 2));
    if (c.saved.at)
        result(c.saved, t)[2 * c.is.u] = g;
    return z * c.h_before[t.i] + (1 - z) * g;
}

__device__ static float step_gru(struct cell c, struct unit t)
{
    int64_t u = c.is.u;
    const float *zx = row(c.zx, t), *zh = c.zh + t.gate, *b = c.bias + t.j, *of_h = c.bias_of_h + t.j;
    float z = apply(c.is.gate, zx[0] + b[0] + (zh[0] + of_h[0]));
    float r = apply(c.is.gate, zx[u] + b[u] + (zh[u] + of_h[u]));
    float inner = zh[2 * u] + of_h[2 * u];
    float g = apply(c.is.activation, zx[2 * u] + b[2 * u] + r * inner);
    if (c.saved.at) {
        float *saved = result(c.saved, t);
        saved[0] = z;
        saved[u] = r;
        saved[2 * u] = g;
        saved[3 * u] = inner;
    }
    return z * c.h_before[t.i] + (1 - z) * g;
}

__device__ static float step_lstm(struct cell c, struct unit t, bool held)
{
    float i = apply(c.is.gate, sum_at(c, t, 0)), f = apply(c.is.gate, sum_at(c, t, 1));
    float g = apply(c.is.activation, sum_at(c, t, 2)), o = apply(c.is.gate, sum_at(c, t, 3));
    float before = c.c_before[t.i], after = held ? before : state(c.is, f * before + i * g);
    c.c[t.i] = after;
    if (c.saved.at) {
        float *saved = result(c.saved, t);
        saved[0] = i;
        saved[c.is.u] = f;
        saved[2 * c.is.u] = g;
        saved[3 * c.is.u] = o;
        saved[4 * c.is.u] = after;
    }
    return o * apply(c.is.activation, after);
}

__device__ static void leave(struct cell c, struct unit t, float h, bool held)
{
    h = held ? c.h_before[t.i] : state(c.is, h);
    c.h[t.i] = h;
    if (c.y.at)
        *result(c.y, t) = h;
}

#define CELL_KERNEL(name, step)                                                                                        \
    __global__ void name(struct cell c)                                                                                \
    {                                                                                                                  \
        for (int64_t i = grid_first(); i < c.is.n * c.is.u; i += grid_step()) {                                        \
            struct unit t = unit_of(c.is, i);                                                                          \
            bool held = is_held(c.mask, t);                                                                            \
            leave(c, t, step, held);                                                                                   \
        }                                                                                                              \
    }
CELL_KERNEL(cell_simple, step_simple(c, t))
CELL_KERNEL(cell_gru, step_gru(c, t))
CELL_KERNEL(cell_reset_before, step_reset_before(c, t))
CELL_KERNEL(cell_lstm, step_lstm(c, t, held))

void launch_cell_drop(void *stream, struct cell c, float *dropped)
{
    LAUNCH(cell_drop, blocks_for(c.is.n * c.is.u), BLOCK, stream, c, dropped);
}

void launch_cell_reset(void *stream, struct cell c)
{
    LAUNCH(cell_reset, blocks_for(c.is.n * c.is.u), BLOCK, stream, c);
}

void launch_cell(void *stream, struct cell c)
{
    unsigned blocks = blocks_for(c.is.n * c.is.u);
    if (c.is.n_gates == 4)
        LAUNCH(cell_lstm, blocks, BLOCK, stream, c);
    else if (c.reset)
        LAUNCH(cell_reset_before, blocks, BLOCK, stream, c);
    else if (c.is.n_gates == 3)
        LAUNCH(cell_gru, blocks, BLOCK, stream, c);
    else
        LAUNCH(cell_simple, blocks, BLOCK, stream, c);
}

/* ---- the gradient ---- */

/* All that reaches h of a step from those after it. */
__device__ static float from_after(const struct cell_gradient *c, struct unit t)
{
    float dh = c->dh_after ? c->dh_after[t.i] : 0;
    for (int g = 0; c->met && g < c->n_met; g++) {
        float met = c->met[g * c->is.n * c->is.u + t.i];
        dh += c->is.factors ? met * c->is.factors[t.gate + g * c->is.u] : met;
    }
    return c->met ? state(c->is, dh) : dh;
}

/* Each: dz of a unit from dh; returns the part of dh that does not go through R. */

__device__ static float gradient_simple(const struct cell_gradient *c, struct unit t, float dh)
{
    *result(c->dz, t) = state(c->is, dh * slope(c->is.activation, *row(c->y, t)));
    return 0;
}

/* dz's r follows in cell_reset_gradient, and so does dh. */
__device__ static float gradient_reset_before(const struct cell_gradient *c, struct unit t, float dh)
{
    const float *saved = row(c->saved, t);
    float *dz = result(c->dz, t), z = saved[0], g = saved[2 * c->is.u];
    dz[0] = state(c->is, dh * (*row(c->h_before, t) - g) * slope(c->is.gate, z));
    dz[c->is.u] = 0;
    dz[2 * c->is.u] = state(c->is, dh * (1 - z) * slope(c->is.activation, g));
    return dh;
}

__device__ static float gradient_gru(const struct cell_gradient *c, struct unit t, float dh)
{
    int64_t u = c->is.u;
    const float *saved = row(c->saved, t);
    float z = saved[0], r = saved[u], g = saved[2 * u], inner = saved[3 * u];
    float *dz = result(c->dz, t), *of_h = result(c->dz_recurrent, t);
    float da = dh * (1 - z) * slope(c->is.activation, g);
    dz[0] = of_h[0] = state(c->is, dh * (*row(c->h_before, t) - g) * slope(c->is.gate, z));
    dz[u] = of_h[u] = state(c->is, da * inner * slope(c->is.gate, r));
    dz[2 * u] = state(c->is, da);
    of_h[2 * u] = state(c->is, da * r);
    return dh * z;
}

__device__ static float gradient_lstm(const struct cell_gradient *c, struct unit t, float dh)
{
    int64_t u = c->is.u;
    const float *saved = row(c->saved, t);
    float i = saved[0], f = saved[u], g = saved[2 * u], o = saved[3 * u];
    float y = apply(c->is.activation, saved[4 * u]);
    float dc = (c->dc_after ? c->dc_after[t.i] : 0) + dh * o * slope(c->is.activation, y);
    float *dz = result(c->dz, t);
    dz[0] = state(c->is, dc * g * slope(c->is.gate, i));
    dz[u] = state(c->is, dc * *row(c->c_before, t) * slope(c->is.gate, f));
    dz[2 * u] = state(c->is, dc * i * slope(c->is.activation, g));
    dz[3 * u] = state(c->is, dh * y * slope(c->is.gate, o));
    c->dc[t.i] = state(c->is, dc * f);
    return 0;
}

__device__ static void hold(const struct cell_gradient *c, struct unit t, float dh)
{
    for (int g = 0; g < c->is.n_gates; g++) {
        result(c->dz, t)[g * c->is.u] = 0;
        if (c->dz_recurrent.at)
            result(c->dz_recurrent, t)[g * c->is.u] = 0;
    }
    c->dh[t.i] = dh;
    if (c->dc)
        c->dc[t.i] = c->dc_after ? c->dc_after[t.i] : 0;
}

#define GRADIENT_KERNEL(name, step)                                                                                    \
    __global__ void name(struct cell_gradient c)                                                                       \
    {                                                                                                                  \
        for (int64_t i = grid_first(); i < c.is.n * c.is.u; i += grid_step()) {                                        \
            struct unit t = unit_of(c.is, i);                                                                          \
            float dh = from_after(&c, t) + (c.dy.at ? *row(c.dy, t) : 0);                                              \
            if (is_held(c.mask, t))                                                                                    \
                hold(&c, t, dh);                                                                                       \
            else                                                                                                       \
                c.dh[i] = step(&c, t, dh);                                                                             \
        }                                                                                                              \
    }
GRADIENT_KERNEL(cell_simple_gradient, gradient_simple)
GRADIENT_KERNEL(cell_gru_gradient, gradient_gru)
GRADIENT_KERNEL(cell_reset_before_gradient, gradient_reset_before)
GRADIENT_KERNEL(cell_lstm_gradient, gradient_lstm)

__global__ void cell_reset_gradient(struct cell_gradient c, const float *met_by_reset)
{
    int64_t u = c.is.u;
    for (int64_t i = grid_first(); i < c.is.n * u; i += grid_step()) {
        struct unit t = unit_of(c.is, i);
        if (is_held(c.mask, t))
            continue;
        const float *saved = row(c.saved, t);
        float reset = met_by_reset[i] * (c.is.factors ? c.is.factors[t.gate + 2 * u] : 1);
        result(c.dz, t)[u] = state(c.is, reset * *row(c.h_before, t) * slope(c.is.gate, saved[u]));
        c.dh[i] = c.dh[i] * saved[0] + reset * saved[u];
    }
}

__global__ void cell_first(struct cell_gradient c)
{
    for (int64_t i = grid_first(); i < c.is.n * c.is.u; i += grid_step())
        c.dh[i] = from_after(&c, unit_of(c.is, i));
}

void launch_cell_gradient(void *stream, struct cell_gradient c)
{
    unsigned blocks = blocks_for(c.is.n * c.is.u);
    if (c.is.n_gates == 4)
        LAUNCH(cell_lstm_gradient, blocks, BLOCK, stream, c);
    else if (c.dz_recurrent.at)
        LAUNCH(cell_gru_gradient, blocks, BLOCK, stream, c);
    else if (c.is.n_gates == 3)
        LAUNCH(cell_reset_before_gradient, blocks, BLOCK, stream, c);
    else
        LAUNCH(cell_simple_gradient, blocks, BLOCK, stream, c);
}

void launch_cell_reset_gradient(void *stream, struct cell_gradient c, const float *met_by_reset)
{
    LAUNCH(cell_reset_gradient, blocks_for(c.is.n * c.is.u), BLOCK, stream, c, met_by_reset);
}

void launch_cell_first(void *stream, struct cell_gradient c)
{
    LAUNCH(cell_first, blocks_for(c.is.n * c.is.u), BLOCK, stream, c);
}
