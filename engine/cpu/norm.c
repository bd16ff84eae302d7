/* norm.c - batch and layer normalization with their gradients, see enum op in graph.h for the operands. */
#include "engine/cpu/kernels.h"

#include <math.h>
#include <string.h>

enum { MOST_PARTS = 8 };

struct batch_norm { /* rows of c channels; every slice sums its range of rows into a part of the workspace: 2 c floats */
    int64_t rows, c;
    int n_slices;
    float epsilon;
};

struct norm_call {
    const struct kernel *kernel;
    const struct rows *rows;
};

static struct batch_norm *batch_norm_new(struct kernel *kernel, struct arena *arena, int extra)
{
    struct shape x = input_of(kernel, 0)->shape;
    struct batch_norm *b = arena_alloc(arena, sizeof *b);
    b->c = x.dim[x.rank - 1];
    b->rows = b->c ? shape_elements(x) / b->c : 0;
    b->epsilon = kernel->node->attrs.value;
    b->n_slices = slices_for(b->rows * b->c, 2 * SLICE_ELEMENTS, b->rows < MOST_PARTS ? (int)(b->rows ? b->rows : 1) : MOST_PARTS);
    kernel->workspace_bytes = (size_t)((b->n_slices * 2 + extra) * b->c) * sizeof(float);
    kernel->prepared = b;
    return b;
}

static void add_parts(const struct batch_norm *b, const struct rows *rows, float *parts)
{
    for (int slice = 1; slice < b->n_slices; slice++)
        rows->add_into(parts, parts + slice * 2 * b->c, 2 * b->c);
}

/* Sums of x - x[0] and their squares: shifted by the first row, so that a large mean costs no digits. */
static void moments_slice(void *context, int slice)
{
    const struct norm_call *call = context;
    const struct batch_norm *b = call->kernel->prepared;
    const float *x = call->kernel->in[0];
    float *part = (float *)call->kernel->workspace + slice * 2 * b->c;
    memset(part, 0, (size_t)(2 * b->c) * sizeof *part);
    int64_t end = slice_begin(b->rows, b->n_slices, slice + 1);
    for (int64_t i = slice_begin(b->rows, b->n_slices, slice); i < end; i++)
        call->rows->moments_into(part, part + b->c, x + i * b->c, x, b->c);
}

static void apply_slice(void *context, int slice)
{
    const struct norm_call *call = context;
    const struct batch_norm *b = call->kernel->prepared;
    const float *scale = (const float *)call->kernel->workspace + b->n_slices * 2 * b->c;
    int64_t end = slice_begin(b->rows, b->n_slices, slice + 1);
    for (int64_t i = slice_begin(b->rows, b->n_slices, slice); i < end; i++)
        call->rows->affine((float *)call->kernel->out[0] + i * b->c, (const float *)call->kernel->in[0] + i * b->c, scale, scale + b->c, b->c);
}

static void run_batch_norm(const struct kernel *kernel, struct device *device)
{
    const struct batch_norm *b = kernel->prepared;
    struct norm_call call = {kernel, device->rows};
    threads_run(device->threads, moments_slice, &call, b->n_slices);
    float *sums = kernel->workspace, *scale = sums + b->n_slices * 2 * b->c, *shift = scale + b->c;
    add_parts(b, device->rows, sums);
    const float *x = kernel->in[0], *gamma = kernel->in[1], *beta = kernel->in[2];
    float *mean = kernel->out[1], *variance = kernel->out[2], n = (float)b->rows;
    for (int64_t c = 0; c < b->c; c++) {
        float d = sums[c] / n, v = sums[b->c + c] / n - d * d;
        mean[c] = x[c] + d;
        variance[c] = v < 0 ? 0 : v;
        scale[c] = gamma[c] / sqrtf(variance[c] + b->epsilon);
        shift[c] = beta[c] - mean[c] * scale[c];
    }
    threads_run(device->threads, apply_slice, &call, b->n_slices);
}

bool prepare_batch_norm(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device;
    struct batch_norm *b = batch_norm_new(kernel, arena, 2);
    kernel->run = run_batch_norm;
    return b->rows > 0;
}

/* inputs: x, gamma, mean, variance, dy -> dx, dgamma, dbeta. dx = gamma rstd (dy - mean(dy) - xhat mean(dy xhat)) */
static const float *rstd_of(const struct kernel *kernel, const struct batch_norm *b)
{
    return (const float *)kernel->workspace + b->n_slices * 2 * b->c;
}

static void backward_sums_slice(void *context, int slice)
{
    const struct norm_call *call = context;
    const struct kernel *k = call->kernel;
    const struct batch_norm *b = k->prepared;
    float *part = (float *)k->workspace + slice * 2 * b->c;
    memset(part, 0, (size_t)(2 * b->c) * sizeof *part);
    int64_t end = slice_begin(b->rows, b->n_slices, slice + 1);
    for (int64_t i = slice_begin(b->rows, b->n_slices, slice); i < end; i++)
        call->rows->norm_grad_into(part, part + b->c, (const float *)k->in[4] + i * b->c, (const float *)k->in[0] + i * b->c, k->in[2],
                                   rstd_of(k, b), b->c);
}

static void backward_apply_slice(void *context, int slice)
{
    const struct norm_call *call = context;
    const struct kernel *k = call->kernel;
    const struct batch_norm *b = k->prepared;
    const float *rstd = rstd_of(k, b), *from_x = rstd + b->c, *from_dy = from_x + b->c, *constant = from_dy + b->c;
    int64_t end = slice_begin(b->rows, b->n_slices, slice + 1);
    for (int64_t i = slice_begin(b->rows, b->n_slices, slice); i < end; i++) {
        float *restrict dx = (float *)k->out[0] + i * b->c;
        const float *restrict x = (const float *)k->in[0] + i * b->c, *restrict dy = (const float *)k->in[4] + i * b->c;
        for (int64_t c = 0; c < b->c; c++)
            dx[c] = dy[c] * from_dy[c] + x[c] * from_x[c] + constant[c];
    }
}

static void run_batch_norm_dx(const struct kernel *kernel, struct device *device)
{
    const struct batch_norm *b = kernel->prepared;
    const float *gamma = kernel->in[1], *mean = kernel->in[2], *variance = kernel->in[3];
    float *sums = kernel->workspace, *rstd = sums + b->n_slices * 2 * b->c, *from_x = rstd + b->c, *from_dy = from_x + b->c;
    float *constant = from_dy + b->c, n = (float)b->rows, *dgamma = kernel->out[1], *dbeta = kernel->out[2];
    for (int64_t c = 0; c < b->c; c++)
        rstd[c] = 1 / sqrtf(variance[c] + b->epsilon);
    struct norm_call call = {kernel, device->rows};
    threads_run(device->threads, backward_sums_slice, &call, b->n_slices);
    add_parts(b, device->rows, sums);
    for (int64_t c = 0; c < b->c; c++) {
        dbeta[c] = sums[c];
        dgamma[c] = sums[b->c + c];
        from_dy[c] = gamma[c] * rstd[c];
        from_x[c] = -from_dy[c] * rstd[c] * dgamma[c] / n;
        constant[c] = -from_dy[c] * dbeta[c] / n - mean[c] * from_x[c];
    }
    threads_run(device->threads, backward_apply_slice, &call, b->n_slices);
}

bool prepare_batch_norm_dx(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device;
    struct batch_norm *b = batch_norm_new(kernel, arena, 4);
    kernel->run = run_batch_norm_dx;
    return b->rows > 0;
}

struct layer_norm {
    int64_t rows, n;
    int n_slices;
    float epsilon;
};

static struct layer_norm *layer_norm_new(struct kernel *kernel, struct arena *arena)
{
    struct layer_norm *l = arena_alloc(arena, sizeof *l);
    struct shape x = input_of(kernel, 0)->shape;
    l->n = dims_between(x, x.rank - kernel->node->attrs.n_axes, x.rank);
    l->rows = l->n ? shape_elements(x) / l->n : 0;
    l->epsilon = kernel->node->attrs.value;
    l->n_slices = slices_for(l->rows * l->n, SLICE_ELEMENTS, l->rows < MOST_PARTS ? (int)(l->rows ? l->rows : 1) : MOST_PARTS);
    kernel->prepared = l;
    return l;
}

static void layer_norm_slice(void *context, int slice)
{
    const struct norm_call *call = context;
    const struct kernel *k = call->kernel;
    const struct layer_norm *l = k->prepared;
    int64_t end = slice_begin(l->rows, l->n_slices, slice + 1);
    for (int64_t i = slice_begin(l->rows, l->n_slices, slice); i < end; i++) {
        const float *x = (const float *)k->in[0] + i * l->n;
        float mean = call->rows->sum(x, l->n) / (float)l->n;
        float rstd = 1 / sqrtf(call->rows->square_deviation(x, mean, l->n) / (float)l->n + l->epsilon);
        ((float *)k->out[1])[i] = mean;
        ((float *)k->out[2])[i] = rstd;
        call->rows->normalize((float *)k->out[0] + i * l->n, x, mean, rstd, k->in[1], k->in[2], l->n);
    }
}

static void run_layer_norm(const struct kernel *kernel, struct device *device)
{
    struct norm_call call = {kernel, device->rows};
    threads_run(device->threads, layer_norm_slice, &call, ((const struct layer_norm *)kernel->prepared)->n_slices);
}

bool prepare_layer_norm(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device;
    kernel->run = run_layer_norm;
    return layer_norm_new(kernel, arena)->rows > 0;
}

/* inputs: x, gamma, mean, rstd, dy -> dx, dgamma, dbeta. A slice has its own part of dgamma and dbeta in the workspace. */
static void layer_norm_dx_row(const struct kernel *k, const struct layer_norm *l, int64_t row, float *restrict dgamma, float *restrict dbeta)
{
    const float *restrict x = (const float *)k->in[0] + row * l->n, *restrict dy = (const float *)k->in[4] + row * l->n, *restrict gamma = k->in[1];
    float *restrict dx = (float *)k->out[0] + row * l->n;
    float mean = ((const float *)k->in[2])[row], rstd = ((const float *)k->in[3])[row], sum = 0, inner = 0;
    for (int64_t i = 0; i < l->n; i++) {
        float xhat = (x[i] - mean) * rstd, d = dy[i] * gamma[i];
        dgamma[i] += dy[i] * xhat;
        dbeta[i] += dy[i];
        sum += d;
        inner += d * xhat;
    }
    sum /= (float)l->n;
    inner /= (float)l->n;
    for (int64_t i = 0; i < l->n; i++)
        dx[i] = rstd * (dy[i] * gamma[i] - sum - (x[i] - mean) * rstd * inner);
}

static void layer_norm_dx_slice(void *context, int slice)
{
    const struct norm_call *call = context;
    const struct layer_norm *l = call->kernel->prepared;
    float *part = (float *)call->kernel->workspace + slice * 2 * l->n;
    memset(part, 0, (size_t)(2 * l->n) * sizeof *part);
    int64_t end = slice_begin(l->rows, l->n_slices, slice + 1);
    for (int64_t i = slice_begin(l->rows, l->n_slices, slice); i < end; i++)
        layer_norm_dx_row(call->kernel, l, i, part, part + l->n);
}

static void run_layer_norm_dx(const struct kernel *kernel, struct device *device)
{
    const struct layer_norm *l = kernel->prepared;
    struct norm_call call = {kernel, device->rows};
    threads_run(device->threads, layer_norm_dx_slice, &call, l->n_slices);
    float *parts = kernel->workspace;
    for (int slice = 1; slice < l->n_slices; slice++)
        device->rows->add_into(parts, parts + slice * 2 * l->n, 2 * l->n);
    memcpy(kernel->out[1], parts, (size_t)l->n * sizeof *parts);
    memcpy(kernel->out[2], parts + l->n, (size_t)l->n * sizeof *parts);
}

bool prepare_layer_norm_dx(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device;
    struct layer_norm *l = layer_norm_new(kernel, arena);
    kernel->workspace_bytes = (size_t)(l->n_slices * 2 * l->n) * sizeof(float);
    kernel->run = run_layer_norm_dx;
    return l->rows > 0;
}
