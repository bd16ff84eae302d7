/* conv_direct_dw.c - exact gradients of the weights of convolutions, see conv.h and conv_pass.h
 *
 * Every slice has a sum of its own, [group][tap][c of the group][o of the group, whole vectors]; they are added in
 * order.
 */
#include "engine/cpu/conv_bfloat16.h"

#include <string.h>

struct direct_dw {
    struct conv v;
    struct pass pass; /* of the forward convolution */
    int n_slices;
    bool depthwise, bfloat16;
    int64_t width;                   /* columns of a sum: o of the group, rounded up to whole vectors */
    int64_t scratch, scratch_floats; /* in the workspace, of each thread: for copies of x and dy */
    int64_t dy_copy;                 /* floats of the second behind the first; 0 when dy is read in place */
    int64_t partial, partial_floats; /* per slice */
    int64_t product;                 /* the whole sum, where an epilogue follows */
};

struct direct_dw_call {
    const struct kernel *kernel;
    const struct direct_dw *d;
    const struct conv_kernels *kernels;
    struct conv_scratch *scratch;
};

/* One group's dY of a unit, with room for whole vectors. */
static void copy_columns(float *to, int64_t width, const float *from, int64_t from_row, int64_t columns, int64_t rows)
{
    for (int64_t i = 0; i < rows; i++, to += width, from += from_row) {
        memcpy(to, from, (size_t)columns * sizeof *to);
        memset(to + columns, 0, (size_t)(width - columns) * sizeof *to);
    }
}

static void outer_unit(const struct direct_dw_call *call, const float *x, const float *dy, int64_t lines,
                       float *scratch, float *partial)
{
    const struct pass *p = &call->d->pass;
    const struct direct_dw *d = call->d;
    int64_t width = call->d->width, dy_row = p->out_channels, group_floats = d->v.taps * p->group_in * width;
    for (int64_t g = 0; g < d->v.groups; g++, partial += group_floats) {
        const float *b = dy + g * p->group_out;
        if (d->dy_copy) {
            copy_columns(scratch, width, b, p->out_channels, p->group_out, lines * p->grid[2]);
            b = scratch;
            dy_row = width;
        }
        for (int64_t t = 0; t < p->n_taps; t++)
            call->kernels->outer(&(struct outer){.a = x + p->taps[t] + g * p->group_in,
                                                 .b = b,
                                                 .y = partial + p->kernel_of[t * p->merged] * p->group_in * width,
                                                 .lines = lines,
                                                 .steps = p->grid[2],
                                                 .rows = p->depth,
                                                 .columns = width,
                                                 .a_line = p->step[1] * p->line,
                                                 .a_step = p->step[2] * p->channels,
                                                 .b_line = p->grid[2] * dy_row,
                                                 .b_step = dy_row,
                                                 .y_row = width});
    }
}

static void bfloat16_unit(const struct direct_dw_call *call, const float *x, const float *dy, int64_t lines,
                          float *partial)
{
    const struct direct_dw *d = call->d;
    const struct pass *p = &d->pass;
    for (int64_t g = 0; g < d->v.groups; g++)
        conv_bfloat16_outer(p, x + g * p->group_in, dy + g * p->group_out, p->out_channels, lines,
                            partial + g * d->v.taps * p->group_in * d->width, d->width);
}

static void depthwise_dw_unit(const struct direct_dw_call *call, const float *x, const float *dy, int64_t lines,
                              float *partial)
{
    const struct pass *p = &call->d->pass;
    int64_t c = p->channels;
    for (int64_t line = 0; line < lines; line++, x += p->step[1] * p->line, dy += p->grid[2] * c)
        for (int64_t t = 0; t < p->n_taps; t++)
            call->kernels->depthwise_dw(partial + p->kernel_of[t] * c, x + p->taps[t], p->step[2] * c, dy, c,
                                        p->grid[2], c);
}

static void dw_slice(void *context, int slice)
{
    const struct direct_dw_call *call = context;
    const struct pass *p = &call->d->pass;
    const struct direct_dw *d = call->d;
    int number = conv_scratch_take(call->scratch);
    float *scratch = (float *)call->kernel->workspace + d->scratch + number * d->scratch_floats;
    float *partial = (float *)call->kernel->workspace + d->partial + slice * d->partial_floats;
    memset(partial, 0, (size_t)d->partial_floats * sizeof *partial);
    int64_t end = slice_begin(p->units, d->n_slices, slice + 1);
    for (int64_t unit = slice_begin(p->units, d->n_slices, slice); unit < end; unit++) {
        struct place at = pass_place(p, unit);
        const float *x = pass_source(p, call->kernel->in[0], &at, scratch);
        const float *dy = (const float *)call->kernel->in[1] + pass_destination(p, &at);
        if (d->depthwise)
            depthwise_dw_unit(call, x, dy, at.lines, partial);
        else if (d->bfloat16)
            bfloat16_unit(call, x, dy, at.lines, partial);
        else
            outer_unit(call, x, dy, at.lines, scratch + pass_copy_floats(p), partial);
    }
    conv_scratch_give(call->scratch, number);
}

/* Slices added in order; rows of (tap, c) of all groups beside each other. */
static void gather_dw(const struct direct_dw_call *call, float *dw, const struct rows *rows)
{
    const struct direct_dw *d = call->d;
    float *partial = (float *)call->kernel->workspace + d->partial;
    for (int slice = 1; slice < d->n_slices; slice++)
        rows->add_into(partial, partial + slice * d->partial_floats, d->partial_floats);
    if (d->depthwise) {
        memcpy(dw, partial, (size_t)(d->v.taps * d->v.c) * sizeof *dw);
        return;
    }
    int64_t width = call->d->width, og = call->d->pass.group_out, n = d->v.taps * call->d->pass.group_in;
    for (int64_t g = 0; g < d->v.groups; g++)
        for (int64_t i = 0; i < n; i++)
            memcpy(dw + i * d->v.o + g * og, partial + (g * n + i) * width, (size_t)og * sizeof *dw);
}

struct sweep { /* the epilogue */
    const struct kernel *kernel;
    const struct map_program *epilogue;
    const float *product;
    int64_t n;
    int n_slices;
};

static void sweep_slice(void *context, int slice)
{
    const struct sweep *s = context;
    int64_t start = slice_begin(s->n, s->n_slices, slice), end = slice_begin(s->n, s->n_slices, slice + 1);
    epilogue_run(s->epilogue, s->kernel, s->product, start, end - start);
}

static void sweep(const struct direct_dw *d, const struct kernel *kernel, struct device *device, const float *product)
{
    int64_t n = shape_elements(kernel->node->outputs[0]->shape);
    struct sweep s = {kernel, d->v.epilogue, product, n, slices_for(n, SLICE_ELEMENTS, 64)};
    threads_run(device->threads, sweep_slice, &s, s.n_slices);
}

static void run_direct_dw(const struct kernel *kernel, struct device *device)
{
    const struct direct_dw *d = kernel->prepared;
    struct conv_scratch scratch = {0};
    struct direct_dw_call call = {kernel, d, device->conv, &scratch};
    threads_run(device->threads, dw_slice, &call, d->n_slices);
    float *dw = d->v.epilogue ? (float *)kernel->workspace + d->product : kernel->out[0];
    gather_dw(&call, dw, device->rows);
    if (d->v.epilogue)
        sweep(d, kernel, device, dw);
}

void direct_prepare_dw(struct device *device, struct kernel *kernel, struct arena *arena, const struct conv *v)
{
    struct direct_dw *d = arena_alloc(arena, sizeof *d);
    *d = (struct direct_dw){.v = *v, .pass = pass_forward(arena, device, v), .depthwise = conv_is_depthwise(v)};
    const struct pass *p = &d->pass;
    int64_t floats = 0;
    d->width = round_up(p->group_out, device->conv->lanes);
    d->bfloat16 = v->bfloat16 && conv_bfloat16_fits(p, true);
    d->dy_copy =
        !d->depthwise && !d->bfloat16 && d->width != p->group_out ? round_up(p->band * p->grid[2] * d->width, 16) : 0;
    d->n_slices = slices_for(conv_multiply_adds(v), 1 << 20, p->units < CONV_PARTIALS ? (int)p->units : CONV_PARTIALS);
    d->scratch_floats = pass_copy_floats(p) + d->dy_copy;
    floats += conv_scratch_count(device, d->n_slices) * d->scratch_floats;
    d->partial = floats;
    d->partial_floats = round_up(d->depthwise ? v->taps * v->c : v->groups * v->taps * p->group_in * d->width, 16);
    floats += d->n_slices * d->partial_floats;
    d->product = floats;
    floats += v->epilogue ? shape_elements(kernel->node->outputs[0]->shape) : 0;
    kernel->workspace_bytes = (size_t)floats * sizeof(float);
    kernel->prepared = d;
    kernel->run = run_direct_dw;
    kernel->variant = d->depthwise ? "depthwise" : d->bfloat16 ? "bfloat16" : "direct";
}
