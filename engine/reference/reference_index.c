/* reference_index.c - indexing, counting and random numbers */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "engine/plan/strides.h"
#include "engine/reference/reference.h"

static int64_t in_elements(const struct kernel *k, int input)
{
    return shape_elements(k->in_value[input]->shape);
}

static int64_t last_dim(struct shape s)
{
    return s.dim[s.rank - 1];
}

void reference_gather(const struct kernel *k, struct device *device)
{
    (void)device;
    int64_t rows = k->in_value[0]->shape.dim[0], width = in_elements(k, 0) / rows;
    const int32_t *index = k->in[1];
    float *y = k->out[0];
    for (int64_t i = 0; i < in_elements(k, 1); i++, y += width) {
        if (index[i] >= 0 && index[i] < rows)
            memcpy(y, (const float *)k->in[0] + index[i] * width, (size_t)width * sizeof *y);
        else
            for (int64_t c = 0; c < width; c++)
                y[c] = NAN;
    }
}

void reference_gather_dtable(const struct kernel *k, struct device *device)
{
    (void)device;
    struct shape table = k->node->attrs.shape;
    int64_t rows = table.dim[0], width = shape_elements(table) / rows;
    const int32_t *index = k->in[0];
    const float *dy = k->in[1];
    float *d = k->out[0];
    memset(d, 0, (size_t)shape_elements(table) * sizeof *d);
    for (int64_t i = 0; i < in_elements(k, 0); i++, dy += width)
        for (int64_t c = 0; index[i] >= 0 && index[i] < rows && c < width; c++)
            d[index[i] * width + c] += dy[c];
}

void reference_one_hot(const struct kernel *k, struct device *device)
{
    (void)device;
    int64_t depth = k->node->attrs.k;
    const int32_t *index = k->in[0];
    float *y = k->out[0];
    for (int64_t i = 0; i < in_elements(k, 0); i++)
        for (int64_t c = 0; c < depth; c++)
            *y++ = index[i] == c;
}

void reference_argmax(const struct kernel *k, struct device *device)
{
    (void)device;
    int64_t n = last_dim(k->in_value[0]->shape);
    const float *x = k->in[0];
    int32_t *y = k->out[0];
    for (int64_t row = 0; row < in_elements(k, 0) / n; row++, x += n) {
        int64_t top = 0;
        for (int64_t c = 1; c < n; c++)
            if (x[c] > x[top] || (isnan(x[c]) && !isnan(x[top])))
                top = c;
        y[row] = (int32_t)top;
    }
}

void reference_top_k_hit(const struct kernel *k, struct device *device)
{
    (void)device;
    int64_t n = last_dim(k->in_value[0]->shape);
    const float *x = k->in[0];
    const int32_t *label = k->in[1];
    float *hit = k->out[0];
    for (int64_t row = 0; row < in_elements(k, 1); row++, x += n) {
        int64_t above = 0;
        bool known = label[row] >= 0 && label[row] < n && isfinite(x[label[row]]);
        for (int64_t c = 0; known && c < n; c++)
            above += x[c] > x[label[row]];
        hit[row] = known && above < k->node->attrs.k;
    }
}

void reference_histogram(const struct kernel *k, struct device *device)
{
    (void)device;
    const float *x = k->in[0], *weight = k->in[1], *threshold = k->node->attrs.thresholds;
    int n = k->node->attrs.n_thresholds;
    float *sum = k->out[0];
    memset(sum, 0, (size_t)(n + 1) * sizeof *sum);
    for (int64_t i = 0; i < in_elements(k, 0); i++) {
        int above = 0;
        while (above < n && x[i] > threshold[above])
            above++;
        sum[above] += weight[i];
    }
}

void reference_dropout(const struct kernel *k, struct device *device)
{
    (void)device;
    const struct op_attrs *a = &k->node->attrs;
    uint32_t step = (uint32_t) * (const int32_t *)k->in[1];
    const float *x = k->in[0];
    float *y = k->out[0], scale = 1 / (1 - a->value);
    struct strides s;
    strides_broadcast(&s, k->in_value[0]->shape, &a->noise_shape, 1);
    for (int64_t row = 0; row < strides_rows(&s); row++)
        for (int64_t c = 0; c < s.row; c++, x++, y++) {
            uint64_t element = (uint64_t)(strides_row_offset(&s, 0, row) + c * s.inner[0]);
            *y = rng_to_uniform(rng_u32(a->seed, a->stream, step, element)) >= a->value ? *x * scale : 0;
        }
}

void reference_random(const struct kernel *k, struct device *device)
{
    (void)device;
    const struct op_attrs *a = &k->node->attrs;
    uint32_t step = (uint32_t) * (const int32_t *)k->in[0];
    size_t n = (size_t)shape_elements(a->shape);
    if (a->random == RANDOM_UNIFORM)
        rng_fill_uniform(a->seed, a->stream, step, k->out[0], n);
    else
        rng_fill_normal(a->seed, a->stream, step, k->out[0], n);
}
