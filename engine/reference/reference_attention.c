/* reference_attention.c - attention and its gradient, plain loops over every score */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "engine/plan/attention.h"
#include "engine/reference/reference.h"

struct place { /* one query of one head */
    int64_t n, h, i;
};

static const float *row_of(const float *x, int64_t heads, int64_t rows, int64_t width, int64_t n, int64_t row,
                           int64_t h)
{
    return x + ((n * rows + row) * heads + h) * width;
}

static bool allowed(const struct attention_layout *l, const struct kernel *k, struct place at, int64_t j)
{
    int64_t end, first = attention_keys(l, at.i, &end);
    const float *mask = attention_mask_row(l, k, at.n, at.h, at.i);
    return j >= first && j < end && (!mask || mask[j * l->mask_stride[3]] != 0);
}

static int64_t group_of(const struct attention_layout *l, int64_t h)
{
    return h / (l->heads / l->groups);
}

/* What dropout multiplies probability j with. */
static double kept(const struct attention_layout *l, const struct kernel *k, struct place at, int64_t j)
{
    if (l->step < 0)
        return 1;
    uint32_t step = (uint32_t) * (const int32_t *)k->in[l->step];
    uint64_t element = (uint64_t)(((at.n * l->heads + at.h) * l->queries + at.i) * l->keys + j);
    const struct op_attrs *a = &k->node->attrs;
    return rng_to_uniform(rng_u32(a->seed, a->stream, step, element)) >= l->how->rate ? 1 / (1 - (double)l->how->rate)
                                                                                      : 0;
}

static void probabilities_of(const struct attention_layout *l, const struct kernel *k, struct place at, float *p)
{
    const float *q = row_of(k->in[0], l->heads, l->queries, l->depth, at.n, at.i, at.h);
    double *score = xcalloc((size_t)l->keys, sizeof *score), most = -INFINITY, total = 0;
    for (int64_t j = 0; j < l->keys; j++) {
        const float *key = row_of(k->in[1], l->groups, l->keys, l->depth, at.n, j, group_of(l, at.h));
        for (int64_t d = 0; d < l->depth; d++)
            score[j] += (double)q[d] * (double)key[d];
        score[j] *= (double)l->how->scale;
        if (allowed(l, k, at, j))
            most = score[j] > most || isnan(score[j]) ? score[j] : most;
    }
    bool any = false;
    for (int64_t j = 0; j < l->keys; j++) {
        bool looks = allowed(l, k, at, j);
        any = any || looks;
        score[j] = looks ? exp(score[j] - most) : 0;
        total += score[j];
    }
    for (int64_t j = 0; j < l->keys; j++)
        p[j] = (float)(any ? score[j] / total : l->how->zero_empty ? 0 : 1 / (double)l->keys);
    free(score);
}

void reference_attention(const struct kernel *k, struct device *device)
{
    (void)device;
    struct attention_layout l = attention_layout(k);
    float *y = k->out[0], *p = k->out[1];
    for (int64_t n = 0; n < l.n; n++)
        for (int64_t h = 0; h < l.heads; h++)
            for (int64_t i = 0; i < l.queries; i++, p += l.keys) {
                struct place at = {n, h, i};
                probabilities_of(&l, k, at, p);
                for (int64_t e = 0; e < l.width; e++) {
                    double sum = 0;
                    for (int64_t j = 0; j < l.keys; j++)
                        sum += (double)p[j] * kept(&l, k, at, j) *
                               (double)row_of(k->in[2], l.groups, l.keys, l.width, n, j, group_of(&l, h))[e];
                    y[((n * l.queries + i) * l.heads + h) * l.width + e] = (float)sum;
                }
            }
}

/* The gradient of one query's probabilities and then of its scores. */
static void dscores_of(const struct attention_layout *l, const struct kernel *k, struct place at, const float *p,
                       double *ds)
{
    const float *dy = row_of(k->in[4], l->heads, l->queries, l->width, at.n, at.i, at.h);
    double inner = 0;
    for (int64_t j = 0; j < l->keys; j++) {
        const float *v = row_of(k->in[2], l->groups, l->keys, l->width, at.n, j, group_of(l, at.h));
        ds[j] = 0;
        for (int64_t e = 0; e < l->width; e++)
            ds[j] += (double)dy[e] * (double)v[e];
        ds[j] *= kept(l, k, at, j);
        if (l->dprobabilities >= 0)
            ds[j] += (double)((const float *)k->in[l->dprobabilities])[p - (const float *)k->in[3] + j];
        inner += ds[j] * (double)p[j];
    }
    for (int64_t j = 0; j < l->keys; j++)
        ds[j] = allowed(l, k, at, j) ? (double)p[j] * (ds[j] - inner) * (double)l->how->scale : 0;
}

static void add_scaled(float *to, double factor, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] += (float)(factor * (double)x[i]);
}

void reference_attention_dx(const struct kernel *k, struct device *device)
{
    (void)device;
    struct attention_layout l = attention_layout(k);
    const float *p = k->in[3];
    double *ds = xcalloc((size_t)l.keys, sizeof *ds);
    for (int i = 0; i < 3; i++)
        memset(k->out[i], 0, (size_t)shape_elements(k->node->inputs[i]->shape) * sizeof(float));
    for (int64_t n = 0; n < l.n; n++)
        for (int64_t h = 0; h < l.heads; h++)
            for (int64_t i = 0; i < l.queries; i++, p += l.keys) {
                struct place at = {n, h, i};
                int64_t group = group_of(&l, h), query = ((n * l.queries + i) * l.heads + h);
                const float *q = (const float *)k->in[0] + query * l.depth,
                            *dy = (const float *)k->in[4] + query * l.width;
                dscores_of(&l, k, at, p, ds);
                for (int64_t j = 0; j < l.keys; j++) {
                    int64_t key = (n * l.keys + j) * l.groups + group;
                    add_scaled((float *)k->out[0] + query * l.depth, ds[j], (const float *)k->in[1] + key * l.depth,
                               l.depth);
                    add_scaled((float *)k->out[1] + key * l.depth, ds[j], q, l.depth);
                    add_scaled((float *)k->out[2] + key * l.width, (double)p[j] * kept(&l, k, at, j), dy, l.width);
                }
            }
    free(ds);
}
