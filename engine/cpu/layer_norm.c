/* layer_norm.c - layer normalization and its gradient, see enum op in graph.h for the operands. */
#include "engine/cpu/kernels.h"

#include <math.h>
#include <string.h>

enum { MOST_PARTS = 8 };

struct norm_call {
    const struct kernel *kernel;
    const struct rows *rows;
};

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
    l->n_slices =
        slices_for(l->rows * l->n, SLICE_ELEMENTS, l->rows < MOST_PARTS ? (int)(l->rows ? l->rows : 1) : MOST_PARTS);
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

/* inputs: x, gamma, mean, rstd, dy -> dx, dgamma, dbeta. A slice has its part of dgamma and dbeta in the workspace. */
static void layer_norm_dx_slice(void *context, int slice)
{
    const struct norm_call *call = context;
    const struct layer_norm *l = call->kernel->prepared;
    float *part = (float *)call->kernel->workspace + slice * 2 * l->n;
    memset(part, 0, (size_t)(2 * l->n) * sizeof *part);
    int64_t end = slice_begin(l->rows, l->n_slices, slice + 1);
    const struct kernel *k = call->kernel;
    for (int64_t i = slice_begin(l->rows, l->n_slices, slice); i < end; i++)
        call->rows->layer_norm_gradient((float *)k->out[0] + i * l->n, part, part + l->n,
                                        (const float *)k->in[0] + i * l->n, (const float *)k->in[4] + i * l->n,
                                        k->in[1], ((const float *)k->in[2])[i], ((const float *)k->in[3])[i], l->n);
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
