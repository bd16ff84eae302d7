/* movement.c - ops that only move numbers: transpose, broadcast, slice, reverse, concatenation, padding, gather. Each
 * is one or more regions: a box of indices with a stride per dim on both sides. All elements have 4 bytes.
 */
#include "engine/cpu/kernels.h"

#include <string.h>

struct region {
    int rank;
    int64_t dim[RANK_MAX], from_stride[RANK_MAX], to_stride[RANK_MAX], from_offset, to_offset;
};

struct movement {
    int n_regions, n_slices; /* slices cut the first dim of every region */
    struct region *regions;  /* region i reads input i when there are several */
    bool fill;               /* the output is filled with `value` first */
    float value;
};

struct movement_call {
    const struct kernel *kernel;
    const struct movement *m;
};

static void row_major(struct shape s, int64_t *stride)
{
    int64_t step = 1;
    for (int d = s.rank - 1; d >= 0; d--) {
        stride[d] = step;
        step *= s.dim[d];
    }
}

/* Drops dims of size 1 and merges neighbours that are contiguous on both sides. */
static void simplify(struct region *r)
{
    int n = 0;
    for (int d = 0; d < r->rank; d++) {
        if (r->dim[d] == 1)
            continue;
        if (n && r->from_stride[n - 1] == r->from_stride[d] * r->dim[d] &&
            r->to_stride[n - 1] == r->to_stride[d] * r->dim[d]) {
            r->dim[n - 1] *= r->dim[d];
            r->from_stride[n - 1] = r->from_stride[d];
            r->to_stride[n - 1] = r->to_stride[d];
            continue;
        }
        r->dim[n] = r->dim[d];
        r->from_stride[n] = r->from_stride[d];
        r->to_stride[n++] = r->to_stride[d];
    }
    if (!n) {
        r->dim[0] = r->from_stride[0] = r->to_stride[0] = 1;
        n = 1;
    }
    r->rank = n;
}

static void copy_run(const struct region *r, const uint32_t *from, uint32_t *to)
{
    int64_t n = r->dim[r->rank - 1], a = r->from_stride[r->rank - 1], b = r->to_stride[r->rank - 1];
    if (a == 1 && b == 1)
        memcpy(to, from, (size_t)n * sizeof *to);
    else
        for (int64_t i = 0; i < n; i++)
            to[i * b] = from[i * a];
}

/* Indices [begin, end) of the first dim. */
static void copy_region(const struct region *r, const uint32_t *from, uint32_t *to, int64_t begin, int64_t end)
{
    int64_t at[RANK_MAX] = {begin};
    struct region last = *r;
    if (r->rank == 1)
        last.dim[0] = end - begin;
    from += r->from_offset + begin * r->from_stride[0];
    to += r->to_offset + begin * r->to_stride[0];
    for (;;) {
        copy_run(&last, from, to);
        int d = r->rank - 2;
        for (; d >= 0; d--) {
            from += r->from_stride[d];
            to += r->to_stride[d];
            if (++at[d] < (d ? r->dim[d] : end))
                break;
            from -= at[d] * r->from_stride[d];
            to -= at[d] * r->to_stride[d];
            at[d] = 0;
        }
        if (d < 0)
            return;
    }
}

static void movement_slice(void *context, int slice)
{
    const struct movement_call *call = context;
    const struct movement *m = call->m;
    for (int i = 0; i < m->n_regions; i++) {
        const struct region *r = &m->regions[i];
        int64_t begin = slice_begin(r->dim[0], m->n_slices, slice);
        int64_t end = slice_begin(r->dim[0], m->n_slices, slice + 1);
        if (begin < end)
            copy_region(r, call->kernel->in[i], call->kernel->out[0], begin, end);
    }
}

static void run_movement(const struct kernel *kernel, struct device *device)
{
    struct movement_call call = {kernel, kernel->prepared};
    if (call.m->fill) {
        int64_t n = shape_elements(output_shape(kernel));
        for (int64_t i = 0; i < n; i += INT32_MAX)
            device->rows->fill((float *)kernel->out[0] + i, call.m->value,
                               (int)(n - i < INT32_MAX ? n - i : INT32_MAX));
    }
    threads_run(device->threads, movement_slice, &call, call.m->n_slices);
}

static struct movement *movement_new(struct kernel *kernel, struct arena *arena, int n_regions)
{
    struct movement *m = arena_alloc(arena, sizeof *m);
    m->n_regions = n_regions;
    m->n_slices = slices_for(shape_elements(output_shape(kernel)), 4 * SLICE_ELEMENTS, 16);
    m->regions = arena_array(arena, (size_t)n_regions, sizeof *m->regions);
    kernel->prepared = m;
    kernel->run = run_movement;
    return m;
}

/* The only region of a kernel: the output's dims, written row-major. `from` gets the strides of a dense first input. */
static struct region *whole_output(struct kernel *kernel, struct arena *arena, int64_t *from)
{
    struct shape out = output_shape(kernel);
    struct region *r = movement_new(kernel, arena, 1)->regions;
    r->rank = out.rank;
    memcpy(r->dim, out.dim, sizeof r->dim);
    row_major(out, r->to_stride);
    row_major(input_of(kernel, 0)->shape, from);
    return r;
}

static bool empty(const struct kernel *kernel)
{
    return shape_elements(output_shape(kernel)) == 0;
}

bool prepare_transpose(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device;
    if (empty(kernel))
        return false;
    int64_t stride[RANK_MAX];
    struct region *r = whole_output(kernel, arena, stride);
    for (int d = 0; d < r->rank; d++)
        r->from_stride[d] = stride[kernel->node->attrs.axes[d]];
    simplify(r);
    return true;
}

bool prepare_broadcast(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device;
    if (empty(kernel))
        return false;
    struct shape in = input_of(kernel, 0)->shape, out = output_shape(kernel);
    int64_t stride[RANK_MAX];
    struct region *r = whole_output(kernel, arena, stride);
    for (int d = 0; d < r->rank; d++) {
        int e = d - (out.rank - in.rank);
        r->from_stride[d] = e < 0 || in.dim[e] == 1 ? 0 : stride[e];
    }
    simplify(r);
    return true;
}

bool prepare_slice(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device;
    if (empty(kernel))
        return false;
    int64_t stride[RANK_MAX];
    struct region *r = whole_output(kernel, arena, stride);
    for (int d = 0; d < r->rank; d++) {
        int64_t step = kernel->node->attrs.stride[d] ? kernel->node->attrs.stride[d] : 1;
        r->from_offset += kernel->node->attrs.begin[d] * stride[d];
        r->from_stride[d] = step * stride[d];
    }
    simplify(r);
    return true;
}

bool prepare_concat(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device;
    if (empty(kernel))
        return false;
    struct shape out = output_shape(kernel);
    int axis = kernel->node->attrs.axes[0];
    struct movement *m = movement_new(kernel, arena, kernel->node->n_inputs);
    int64_t done = 0;
    for (int i = 0; i < m->n_regions; i++) {
        struct shape in = input_of(kernel, i)->shape;
        struct region *r = &m->regions[i];
        r->rank = in.rank;
        memcpy(r->dim, in.dim, sizeof r->dim);
        row_major(in, r->from_stride);
        row_major(out, r->to_stride);
        r->to_offset = done * r->to_stride[axis];
        done += in.dim[axis];
        if (shape_elements(in) == 0)
            *r = (struct region){.rank = 1};
        else
            simplify(r);
    }
    return true;
}

bool prepare_reverse(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device;
    if (empty(kernel))
        return false;
    int64_t stride[RANK_MAX];
    struct region *r = whole_output(kernel, arena, stride);
    int axis = kernel->node->attrs.axes[0];
    memcpy(r->from_stride, stride, sizeof stride);
    r->from_offset = (r->dim[axis] - 1) * stride[axis];
    r->from_stride[axis] = -stride[axis];
    simplify(r);
    return true;
}

bool prepare_pad(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device;
    struct shape in = input_of(kernel, 0)->shape;
    if (empty(kernel) || shape_elements(in) == 0)
        return false;
    struct movement *m = movement_new(kernel, arena, 1);
    m->fill = true;
    m->value = kernel->node->attrs.value;
    struct region *r = m->regions;
    r->rank = in.rank;
    memcpy(r->dim, in.dim, sizeof r->dim);
    row_major(in, r->from_stride);
    row_major(output_shape(kernel), r->to_stride);
    for (int d = 0; d < in.rank; d++) {
        int64_t spacing = kernel->node->attrs.stride[d] ? kernel->node->attrs.stride[d] : 1;
        r->to_offset += kernel->node->attrs.begin[d] * r->to_stride[d];
        r->to_stride[d] *= spacing;
    }
    simplify(r);
    return true;
}

static void run_gather(const struct kernel *kernel, struct device *device)
{
    struct shape table = input_of(kernel, 0)->shape;
    int64_t width = dims_between(table, 1, table.rank), n = shape_elements(input_of(kernel, 1)->shape);
    const int32_t *index = kernel->in[1];
    for (int64_t i = 0; i < n; i++) {
        float *out = (float *)kernel->out[0] + i * width;
        if (index[i] >= 0 && index[i] < table.dim[0])
            memcpy(out, (const float *)kernel->in[0] + index[i] * width, (size_t)width * sizeof *out);
        else
            device->rows->fill(out, __builtin_nanf(""), (int)width);
    }
}

bool prepare_gather(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device, (void)arena;
    struct shape table = input_of(kernel, 0)->shape;
    kernel->run = run_gather;
    return dims_between(table, 1, table.rank) <= INT32_MAX;
}

/* inputs: indices, dy */
static void run_gather_dtable(const struct kernel *kernel, struct device *device)
{
    struct shape table = output_shape(kernel);
    int64_t width = dims_between(table, 1, table.rank), n = shape_elements(input_of(kernel, 0)->shape);
    const int32_t *index = kernel->in[0];
    float *dtable = kernel->out[0];
    memset(dtable, 0, (size_t)shape_elements(table) * sizeof *dtable);
    for (int64_t i = 0; i < n; i++)
        if (index[i] >= 0 && index[i] < table.dim[0])
            device->rows->add_into(dtable + index[i] * width, (const float *)kernel->in[1] + i * width, width);
}

bool prepare_gather_dtable(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device, (void)arena;
    kernel->run = run_gather_dtable;
    return true;
}
