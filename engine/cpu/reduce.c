/* reduce.c - sums, means, extremes and products. Neighbouring axes of one kind are merged first; what then is
 * [kept, reduced, kept] or [reduced, kept, reduced] with empty parts allowed has a kernel. */
#include "engine/cpu/kernels.h"

#include <math.h>
#include <string.h>

struct reduce {
    enum reduce_kind kind;
    int64_t outer, middle, inner; /* of the input */
    int n_slices;
    float factor; /* 1/n for means */
};

struct reduce_call {
    const struct kernel *kernel;
    const struct reduce *r;
    const struct rows *rows;
};

/* Runs of kept (even places) and reduced (odd places) axes, starting with kept; returns how many runs there are. */
static int merge_axes(const struct node *node, int64_t *runs)
{
    struct shape in = node->inputs[0]->shape;
    int n = 0;
    runs[0] = 1;
    for (int d = 0; d < in.rank; d++) {
        bool reduced = node->attrs.n_axes == 0;
        for (int i = 0; i < node->attrs.n_axes; i++)
            reduced = reduced || node->attrs.axes[i] == d;
        if (in.dim[d] == 1)
            continue;
        if ((n % 2 == 1) != reduced)
            runs[++n] = 1;
        runs[n] *= in.dim[d];
    }
    return n + 1;
}

static void accumulate(const struct rows *rows, enum reduce_kind kind, float *acc, const float *x, int64_t n)
{
    switch (kind) {
    case REDUCE_SUM:
    case REDUCE_MEAN:
        rows->add_into(acc, x, n);
        break;
    case REDUCE_MAX:
        rows->max_into(acc, x, n);
        break;
    case REDUCE_MIN:
        rows->min_into(acc, x, n);
        break;
    case REDUCE_PROD:
        rows->mul_into(acc, x, n);
        break;
    }
}

static float reduce_row(const struct rows *rows, enum reduce_kind kind, const float *x, int64_t n)
{
    switch (kind) {
    case REDUCE_SUM:
    case REDUCE_MEAN:
        return rows->sum(x, n);
    case REDUCE_MAX:
        return rows->max(x, n);
    case REDUCE_MIN:
        return rows->min(x, n);
    case REDUCE_PROD:
        break;
    }
    float product = 1;
    for (int64_t i = 0; i < n; i++)
        product *= x[i];
    return product;
}

/* [kept, reduced]: a slice has a range of rows. */
static void rows_slice(void *context, int slice)
{
    const struct reduce_call *call = context;
    const struct reduce *r = call->r;
    float *out = call->kernel->out[0];
    const float *x = call->kernel->in[0];
    int64_t end = slice_begin(r->outer, r->n_slices, slice + 1);
    for (int64_t i = slice_begin(r->outer, r->n_slices, slice); i < end; i++)
        out[i] = r->factor * reduce_row(call->rows, r->kind, x + i * r->middle, r->middle);
}

/* [kept, reduced, kept]: a slice has a range of the outer part. */
static void columns_slice(void *context, int slice)
{
    const struct reduce_call *call = context;
    const struct reduce *r = call->r;
    int64_t end = slice_begin(r->outer, r->n_slices, slice + 1);
    for (int64_t o = slice_begin(r->outer, r->n_slices, slice); o < end; o++) {
        float *out = (float *)call->kernel->out[0] + o * r->inner;
        const float *x = (const float *)call->kernel->in[0] + o * r->middle * r->inner;
        memcpy(out, x, (size_t)r->inner * sizeof *out);
        for (int64_t i = 1; i < r->middle; i++)
            accumulate(call->rows, r->kind, out, x + i * r->inner, r->inner);
        if (r->factor != 1)
            call->rows->scale(out, r->factor, r->inner);
    }
}

/* [reduced, kept]: a slice reduces a range of rows into its part of the workspace. */
static void partial_slice(void *context, int slice)
{
    const struct reduce_call *call = context;
    const struct reduce *r = call->r;
    float *part = (float *)call->kernel->workspace + slice * r->inner;
    const float *x = call->kernel->in[0];
    int64_t begin = slice_begin(r->middle, r->n_slices, slice), end = slice_begin(r->middle, r->n_slices, slice + 1);
    if (r->inner == 1) {
        *part = reduce_row(call->rows, r->kind, x + begin, end - begin);
        return;
    }
    memcpy(part, x + begin * r->inner, (size_t)r->inner * sizeof *part);
    for (int64_t i = begin + 1; i < end; i++)
        accumulate(call->rows, r->kind, part, x + i * r->inner, r->inner);
}

static void run_rows(const struct kernel *kernel, struct device *device)
{
    struct reduce_call call = {kernel, kernel->prepared, device->rows};
    threads_run(device->threads, rows_slice, &call, call.r->n_slices);
}

static void run_columns(const struct kernel *kernel, struct device *device)
{
    struct reduce_call call = {kernel, kernel->prepared, device->rows};
    threads_run(device->threads, columns_slice, &call, call.r->n_slices);
}

static void run_partial(const struct kernel *kernel, struct device *device)
{
    struct reduce_call call = {kernel, kernel->prepared, device->rows};
    const struct reduce *r = call.r;
    threads_run(device->threads, partial_slice, &call, r->n_slices);
    float *out = kernel->out[0];
    memcpy(out, kernel->workspace, (size_t)r->inner * sizeof *out);
    for (int slice = 1; slice < r->n_slices; slice++)
        accumulate(device->rows, r->kind, out, (const float *)kernel->workspace + slice * r->inner, r->inner);
    if (r->factor != 1)
        device->rows->scale(out, r->factor, r->inner);
}

/* [reduced, kept, reduced]: rows of the last part, added over the first; sums only. */
static void middle_slice(void *context, int slice)
{
    const struct reduce_call *call = context;
    const struct reduce *r = call->r;
    float *out = call->kernel->out[0];
    const float *x = call->kernel->in[0];
    int64_t end = slice_begin(r->middle, r->n_slices, slice + 1);
    for (int64_t m = slice_begin(r->middle, r->n_slices, slice); m < end; m++) {
        float total = 0;
        for (int64_t o = 0; o < r->outer; o++)
            total += call->rows->sum(x + (o * r->middle + m) * r->inner, r->inner);
        out[m] = r->factor * total;
    }
}

static void run_middle(const struct kernel *kernel, struct device *device)
{
    struct reduce_call call = {kernel, kernel->prepared, device->rows};
    threads_run(device->threads, middle_slice, &call, call.r->n_slices);
}

bool prepare_reduce(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device;
    const struct node *node = kernel->node;
    int64_t runs[RANK_MAX + 2], n = shape_elements(input_of(kernel, 0)->shape);
    int64_t kept = shape_elements(output_shape(kernel));
    if (n == 0 || kept == 0 || input_of(kernel, 0)->dtype != DTYPE_F32)
        return false;
    int count = merge_axes(node, runs);
    struct reduce *r = arena_alloc(arena, sizeof *r);
    *r = (struct reduce){.kind = node->attrs.reduce, .outer = runs[0], .middle = 1, .inner = 1, .n_slices = 1};
    r->factor = r->kind == REDUCE_MEAN ? (float)((double)kept / (double)n) : 1;
    kernel->prepared = r;
    r->middle = count > 1 ? runs[1] : 1;
    r->inner = count > 2 ? runs[2] : 1;
    if (count <= 2 && (r->outer > 1 || count == 1)) {
        r->n_slices = slices_for(n, SLICE_ELEMENTS, 16);
        r->n_slices = r->n_slices > r->outer ? (int)r->outer : r->n_slices;
        kernel->run = run_rows;
    } else if (count <= 3 && r->outer == 1) {
        r->n_slices = slices_for(n, 4 * SLICE_ELEMENTS, 8);
        r->n_slices = r->n_slices > r->middle ? (int)r->middle : r->n_slices;
        kernel->workspace_bytes = (size_t)(r->n_slices * r->inner) * sizeof(float);
        kernel->run = run_partial;
    } else if (count == 3) {
        r->n_slices = slices_for(n, SLICE_ELEMENTS, 16);
        r->n_slices = r->n_slices > r->outer ? (int)r->outer : r->n_slices;
        kernel->run = run_columns;
    } else if (count == 4 && runs[0] == 1 && r->kind <= REDUCE_MEAN) {
        r->outer = runs[1], r->middle = runs[2], r->inner = runs[3];
        r->n_slices = slices_for(n, SLICE_ELEMENTS, 16);
        r->n_slices = r->n_slices > r->middle ? (int)r->middle : r->n_slices;
        kernel->run = run_middle;
    } else {
        return false;
    }
    return true;
}
