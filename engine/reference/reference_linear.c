/* reference_linear.c - matrix products, convolutions, pooling */
#include <math.h>
#include <string.h>

#include "engine/plan/strides.h"
#include "engine/reference/reference.h"

static double operand(float x, bool bfloat16)
{
    return (double)(bfloat16 ? round_to_bfloat16(x) : x);
}

void reference_matmul(const struct kernel *k, struct device *device)
{
    (void)device;
    bool ta = k->node->attrs.transpose_a, tb = k->node->attrs.transpose_b, bfloat16 = k->node->attrs.bfloat16;
    struct shape a = k->in_value[0]->shape, b = k->in_value[1]->shape, y = k->node->outputs[0]->shape;
    int64_t m = y.dim[y.rank - 2], n = y.dim[y.rank - 1], depth = a.dim[a.rank - (ta ? 2 : 1)];
    struct shape lead[2] = {shape_make(a.dim, a.rank - 2), shape_make(b.dim, b.rank - 2)},
                 out_lead = shape_make(y.dim, y.rank - 2);
    struct strides s;
    strides_broadcast(&s, out_lead, lead, 2);
    for (int64_t p = 0; p < shape_elements(out_lead); p++) {
        int64_t row = p / s.row, c = p % s.row;
        const float *pa = (const float *)k->in[0] + (strides_row_offset(&s, 0, row) + c * s.inner[0]) * m * depth;
        const float *pb = (const float *)k->in[1] + (strides_row_offset(&s, 1, row) + c * s.inner[1]) * n * depth;
        float *py = (float *)k->out[0] + p * m * n;
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++) {
                double sum = 0;
                for (int64_t d = 0; d < depth; d++)
                    sum += operand(ta ? pa[d * m + i] : pa[i * depth + d], bfloat16) *
                           operand(tb ? pb[j * depth + d] : pb[d * n + j], bfloat16);
                py[i * n + j] = bfloat16 ? round_to_bfloat16((float)sum) : (float)sum;
            }
    }
}

/* Three spatial axes whatever the op has; missing ones have size 1. */
struct geometry {
    struct window w;
    int64_t batch, in[3], out[3], channels;
    int64_t n_in, n_out, n_taps; /* products of the three axes */
};

static struct geometry geometry_of(const struct window *w, struct shape x)
{
    struct geometry g = {.w = *w, .batch = x.dim[0], .channels = x.dim[x.rank - 1], .n_in = 1, .n_out = 1, .n_taps = 1};
    for (int i = 0; i < 3; i++) {
        g.in[i] = i < w->n_spatial ? x.dim[i + 1] : 1;
        g.out[i] = window_out(w, i, g.in[i]);
        g.n_in *= g.in[i];
        g.n_out *= g.out[i];
        g.n_taps *= w->size[i];
    }
    return g;
}

/* The input position under a tap of the window at an output position, all flattened; -1 in the padding. */
static int64_t input_under(const struct geometry *g, int64_t out, int64_t tap)
{
    int64_t position[3];
    for (int i = 2; i >= 0; i--) {
        position[i] = out % g->out[i] * g->w.stride[i] - g->w.pad_before[i] + tap % g->w.size[i] * g->w.dilation[i];
        if (position[i] < 0 || position[i] >= g->in[i])
            return -1;
        out /= g->out[i];
        tap /= g->w.size[i];
    }
    return (position[0] * g->in[1] + position[1]) * g->in[2] + position[2];
}

void reference_conv(const struct kernel *k, struct device *device)
{
    (void)device;
    struct geometry g = geometry_of(&k->node->attrs.window, k->in_value[0]->shape);
    struct shape ws = k->in_value[1]->shape;
    int64_t per_group = ws.dim[ws.rank - 2], filters = ws.dim[ws.rank - 1], filters_per_group = filters / g.w.groups;
    const float *x = k->in[0], *w = k->in[1];
    float *y = k->out[0];
    for (int64_t n = 0; n < g.batch; n++)
        for (int64_t out = 0; out < g.n_out; out++)
            for (int64_t o = 0; o < filters; o++) {
                double sum = 0;
                for (int64_t tap = 0; tap < g.n_taps; tap++) {
                    int64_t in = input_under(&g, out, tap);
                    if (in < 0)
                        continue;
                    const float *px = x + (n * g.n_in + in) * g.channels + o / filters_per_group * per_group;
                    for (int64_t c = 0; c < per_group; c++)
                        sum += (double)px[c] * (double)w[(tap * per_group + c) * filters + o];
                }
                y[(n * g.n_out + out) * filters + o] = (float)sum;
            }
}

/* Adds one output gradient to the inputs that it was computed from. */
static void scatter_dx(const struct geometry *g, float *dx, const float *dy, const float *w, int64_t per_group,
                       int64_t filters, int64_t out)
{
    for (int64_t tap = 0; tap < g->n_taps; tap++) {
        int64_t in = input_under(g, out, tap);
        for (int64_t o = 0; in >= 0 && o < filters; o++) {
            float *to = dx + in * g->channels + o / (filters / g->w.groups) * per_group;
            for (int64_t c = 0; c < per_group; c++)
                to[c] += dy[out * filters + o] * w[(tap * per_group + c) * filters + o];
        }
    }
}

void reference_conv_dx(const struct kernel *k, struct device *device)
{
    (void)device;
    struct geometry g = geometry_of(&k->node->attrs.window, k->node->attrs.shape);
    struct shape ws = k->in_value[1]->shape;
    int64_t per_group = ws.dim[ws.rank - 2], filters = ws.dim[ws.rank - 1];
    const float *dy = k->in[0], *w = k->in[1];
    float *dx = k->out[0];
    memset(dx, 0, (size_t)(g.batch * g.n_in * g.channels) * sizeof *dx);
    for (int64_t n = 0; n < g.batch; n++)
        for (int64_t out = 0; out < g.n_out; out++)
            scatter_dx(&g, dx + n * g.n_in * g.channels, dy + n * g.n_out * filters, w, per_group, filters, out);
}

void reference_conv_dw(const struct kernel *k, struct device *device)
{
    (void)device;
    struct geometry g = geometry_of(&k->node->attrs.window, k->in_value[0]->shape);
    struct shape ws = k->node->attrs.shape;
    int64_t per_group = ws.dim[ws.rank - 2], filters = ws.dim[ws.rank - 1], filters_per_group = filters / g.w.groups;
    const float *x = k->in[0], *dy = k->in[1];
    float *dw = k->out[0];
    for (int64_t tap = 0; tap < g.n_taps; tap++)
        for (int64_t c = 0; c < per_group; c++)
            for (int64_t o = 0; o < filters; o++) {
                double sum = 0;
                for (int64_t at = 0; at < g.batch * g.n_out; at++) {
                    int64_t n = at / g.n_out, in = input_under(&g, at % g.n_out, tap);
                    if (in >= 0)
                        sum += (double)x[(n * g.n_in + in) * g.channels + o / filters_per_group * per_group + c] *
                               (double)dy[at * filters + o];
                }
                dw[(tap * per_group + c) * filters + o] = (float)sum;
            }
}

/* Over one window of one channel: how many cells are not padding, their sum, and where the first maximum is (a NaN is
 * one). */
struct pooled {
    int64_t count, top;
    double sum;
    float max;
};

static struct pooled pool_window(const struct geometry *g, const float *x, int64_t out, int64_t c)
{
    struct pooled p = {.top = -1, .max = -INFINITY};
    for (int64_t tap = 0; tap < g->n_taps; tap++) {
        int64_t in = input_under(g, out, tap);
        if (in < 0)
            continue;
        float value = x[in * g->channels + c];
        p.count++;
        p.sum += (double)value;
        if (p.top < 0 || value > p.max || (isnan(value) && !isnan(p.max))) {
            p.max = value;
            p.top = in;
        }
    }
    return p;
}

void reference_pool(const struct kernel *k, struct device *device)
{
    (void)device;
    struct geometry g = geometry_of(&k->node->attrs.window, k->in_value[0]->shape);
    float *y = k->out[0];
    for (int64_t n = 0; n < g.batch; n++)
        for (int64_t out = 0; out < g.n_out; out++)
            for (int64_t c = 0; c < g.channels; c++) {
                struct pooled p = pool_window(&g, (const float *)k->in[0] + n * g.n_in * g.channels, out, c);
                *y++ = k->node->attrs.pool == POOL_MAX ? p.max : p.count ? (float)(p.sum / (double)p.count) : 0;
            }
}

static void spread_average(const struct geometry *g, float *dx, float dy, int64_t out, int64_t c)
{
    int64_t count = 0;
    for (int64_t tap = 0; tap < g->n_taps; tap++)
        count += input_under(g, out, tap) >= 0;
    for (int64_t tap = 0; tap < g->n_taps; tap++) {
        int64_t in = input_under(g, out, tap);
        if (in >= 0)
            dx[in * g->channels + c] += dy / (float)count;
    }
}

void reference_pool_dx(const struct kernel *k, struct device *device)
{
    (void)device;
    struct geometry g = geometry_of(&k->node->attrs.window, k->node->attrs.shape);
    const float *dy = k->in[0];
    float *dx = k->out[0];
    memset(dx, 0, (size_t)(g.batch * g.n_in * g.channels) * sizeof *dx);
    for (int64_t n = 0; n < g.batch; n++, dx += g.n_in * g.channels)
        for (int64_t out = 0; out < g.n_out; out++)
            for (int64_t c = 0; c < g.channels; c++, dy++) {
                if (k->node->attrs.pool == POOL_AVERAGE) {
                    spread_average(&g, dx, *dy, out, c);
                    continue;
                }
                struct pooled p = pool_window(&g, (const float *)k->in[1] + n * g.n_in * g.channels, out, c);
                if (p.top >= 0)
                    dx[p.top * g.channels + c] += *dy;
            }
}
