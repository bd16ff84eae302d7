/* conv_direct.c - exact convolutions and their gradients of x without gathered patches, see conv.h and conv_pass.h */
#include "engine/cpu/conv_bfloat16.h"

#include <string.h>

enum { PACK_INLINE_FLOATS = 16384 };

struct direct {
    struct conv v;
    struct pass *passes;
    int n_passes, n_slices;
    bool depthwise, bfloat16, has_gaps; /* gaps: a pass without taps, its positions are zero */
    int64_t scratch, scratch_floats;    /* in the workspace, of each thread: for copies of the source */
    int64_t product;                    /* in the workspace, when it is apart */
};

struct direct_call {
    const struct kernel *kernel;
    const struct direct *d;
    const struct pass *pass; /* while its weights are packed */
    const struct conv_kernels *kernels;
    struct conv_scratch *scratch;
};

/* Panel number `slice` of all groups' panels: the rows of W (or of W^T) that belong to its columns. */
static void pack_slice(void *context, int slice)
{
    const struct direct_call *call = context;
    const struct pass *p = call->pass;
    const struct conv *v = &call->d->v;
    const float *w = call->kernel->in[1];
    int64_t group = slice / pass_panels(p), first = slice % pass_panels(p) * p->panel, cg = v->c / v->groups,
            og = v->o / v->groups;
    int64_t n = p->group_out - first < p->panel ? p->group_out - first : p->panel;
    float *to = (float *)call->kernel->workspace + p->packed + slice * p->panel_floats;
    if (call->d->bfloat16) {
        conv_bfloat16_pack(to, p, v, w, group, first, n);
        return;
    }
    for (int64_t t = 0; t < p->n_taps * p->merged; t++)
        for (int64_t i = 0; i < p->group_in; i++, to += p->panel) {
            const float *tap = w + p->kernel_of[t] * cg * v->o + group * og;
            if (p->transposed)
                for (int64_t j = 0; j < n; j++)
                    to[j] = tap[(first + j) * v->o + i];
            else
                memcpy(to, tap + i * v->o + first, (size_t)n * sizeof *to);
            memset(to + n, 0, (size_t)(p->panel - n) * sizeof *to);
        }
}

static void depthwise_unit(const struct direct_call *call, const struct pass *p, const float *x, float *y,
                           int64_t lines)
{
    int64_t c = p->channels, y_row = p->out_step[2] * c, y_line = p->out_step[1] * p->out[2] * c;
    for (int64_t line = 0; line < lines; line++, x += p->step[1] * p->line, y += y_line) {
        for (int64_t i = 0; i < p->grid[2]; i++)
            memset(y + i * y_row, 0, (size_t)c * sizeof *y);
        for (int64_t t = 0; t < p->n_taps; t++)
            call->kernels->depthwise(y, y_row, x + p->taps[t], p->step[2] * c,
                                     (const float *)call->kernel->in[1] + p->kernel_of[t] * c, p->grid[2], c);
    }
}

static void product_unit(const struct direct_call *call, const struct pass *p, const float *x, float *y, int64_t lines)
{
    const float *packed = (const float *)call->kernel->workspace + p->packed;
    for (int64_t g = 0; g < call->d->v.groups; g++)
        call->kernels->product(&(struct product){.a = x + g * p->group_in,
                                                 .b = packed + g * pass_panels(p) * p->panel_floats,
                                                 .y = y + g * p->group_out,
                                                 .taps = p->taps,
                                                 .n_taps = p->n_taps,
                                                 .depth = p->depth,
                                                 .lines = lines,
                                                 .rows = p->grid[2],
                                                 .columns = p->group_out,
                                                 .a_row = p->step[2] * p->channels,
                                                 .a_line = p->step[1] * p->line,
                                                 .y_row = p->out_step[2] * p->out_channels,
                                                 .y_line = p->out_step[1] * p->out[2] * p->out_channels,
                                                 .panel = p->panel});
}

static void bfloat16_unit(const struct direct_call *call, const struct pass *p, const float *x, float *y, int64_t lines)
{
    const float *packed = (const float *)call->kernel->workspace + p->packed;
    for (int64_t g = 0; g < call->d->v.groups; g++)
        conv_bfloat16_product(p, x + g * p->group_in, y + g * p->group_out, lines,
                              packed + g * pass_panels(p) * p->panel_floats);
}

static float *product_of(const struct direct *d, const struct kernel *k)
{
    return d->v.product_apart ? (float *)k->workspace + d->product : k->out[0];
}

static void run_unit(const struct direct_call *call, const struct pass *p, int64_t unit, float *scratch)
{
    const struct direct *d = call->d;
    struct place at = pass_place(p, unit);
    const float *x = pass_source(p, call->kernel->in[0], &at, scratch);
    float *product = product_of(d, call->kernel);
    int64_t to = pass_destination(p, &at);
    (d->depthwise ? depthwise_unit : d->bfloat16 ? bfloat16_unit : product_unit)(call, p, x, product + to, at.lines);
    if (d->v.epilogue && d->n_passes == 1)
        epilogue_run(d->v.epilogue, call->kernel, product, to, at.lines * p->out[2] * p->out_channels);
}

/* All passes over one image: what it becomes stays in the cache for them and the epilogue. */
static void run_image(const struct direct_call *call, int64_t image, float *scratch)
{
    const struct direct *d = call->d;
    int64_t floats = spatial_in(&d->v.s) * d->v.c;
    if (d->has_gaps)
        memset(product_of(d, call->kernel) + image * floats, 0, (size_t)floats * sizeof(float));
    for (int i = 0; i < d->n_passes; i++) {
        const struct pass *p = &d->passes[i];
        int64_t n = p->n_taps ? p->units / d->v.n : 0;
        for (int64_t unit = image * n; unit < (image + 1) * n; unit++)
            run_unit(call, p, unit, scratch);
    }
    if (d->v.epilogue)
        epilogue_run(d->v.epilogue, call->kernel, product_of(d, call->kernel), image * floats, floats);
}

static void direct_slice(void *context, int slice)
{
    const struct direct_call *call = context;
    const struct direct *d = call->d;
    int number = conv_scratch_take(call->scratch);
    float *scratch = (float *)call->kernel->workspace + d->scratch + number * d->scratch_floats;
    int64_t n = d->n_passes > 1 ? d->v.n : d->passes->units, end = slice_begin(n, d->n_slices, slice + 1);
    for (int64_t i = slice_begin(n, d->n_slices, slice); i < end; i++)
        if (d->n_passes > 1)
            run_image(call, i, scratch);
        else
            run_unit(call, d->passes, i, scratch);
    conv_scratch_give(call->scratch, number);
}

static void run_direct(const struct kernel *kernel, struct device *device)
{
    const struct direct *d = kernel->prepared;
    for (int i = 0; i < d->n_passes && !d->depthwise; i++) {
        const struct pass *p = &d->passes[i];
        struct direct_call call = {kernel, d, p, device->conv, NULL};
        int n_panels = p->units ? (int)(d->v.groups * pass_panels(p)) : 0;
        conv_run_slices(device->threads, pack_slice, &call, n_panels, n_panels * p->panel_floats < PACK_INLINE_FLOATS);
    }
    struct conv_scratch scratch = {0};
    struct direct_call call = {kernel, d, d->passes, device->conv, &scratch};
    threads_run(device->threads, direct_slice, &call, d->n_slices);
}

static struct direct *direct_new(struct arena *arena, const struct conv *v, int n_passes)
{
    struct direct *d = arena_alloc(arena, sizeof *d);
    *d = (struct direct){.v = *v, .n_passes = n_passes};
    d->depthwise = conv_is_depthwise(v);
    d->passes = arena_array(arena, (size_t)n_passes, sizeof *d->passes);
    return d;
}

static void finish_direct(struct kernel *kernel, const struct device *device, struct direct *d)
{
    int64_t floats = 0, units = d->n_passes > 1 ? d->v.n : d->passes->units;
    d->bfloat16 = d->v.bfloat16;
    for (int i = 0; i < d->n_passes; i++)
        d->bfloat16 =
            d->bfloat16 && (!d->passes[i].units || !d->passes[i].n_taps || conv_bfloat16_fits(&d->passes[i], false));
    for (int i = 0; i < d->n_passes; i++) {
        struct pass *p = &d->passes[i];
        if (d->bfloat16)
            conv_bfloat16_panels(p);
        int64_t copy = p->units ? pass_copy_floats(p) : 0;
        d->scratch_floats = d->scratch_floats > copy ? d->scratch_floats : copy;
        d->has_gaps = d->has_gaps || p->n_taps == 0;
        p->packed = floats;
        floats += p->units && !d->depthwise ? round_up(d->v.groups * pass_panels(p) * p->panel_floats, 16) : 0;
    }
    d->n_slices = slices_for(conv_multiply_adds(&d->v), 1 << 19, units < CONV_SLICES ? (int)units : CONV_SLICES);
    d->scratch = floats;
    floats += conv_scratch_count(device, d->n_slices) * d->scratch_floats;
    d->product = floats;
    floats += d->v.product_apart ? shape_elements(kernel->node->outputs[0]->shape) : 0;
    kernel->workspace_bytes = (size_t)floats * sizeof(float);
    kernel->prepared = d;
    kernel->run = run_direct;
    kernel->variant = d->depthwise ? "depthwise" : d->bfloat16 ? "bfloat16" : "direct";
}

void direct_prepare(struct device *device, struct kernel *kernel, struct arena *arena, const struct conv *v)
{
    struct direct *d = direct_new(arena, v, 1);
    d->passes[0] = pass_forward(arena, device, v);
    finish_direct(kernel, device, d);
}

void direct_prepare_dx(struct device *device, struct kernel *kernel, struct arena *arena, const struct conv *v)
{
    const int64_t *stride = v->s.stride;
    struct direct *d = direct_new(arena, v, (int)(stride[0] * stride[1] * stride[2]));
    for (int i = 0; i < d->n_passes; i++) {
        int64_t residue[SPATIAL_DIMS] = {i / stride[2] / stride[1], i / stride[2] % stride[1], i % stride[2]};
        d->passes[i] = pass_gradient(arena, device, v, residue);
    }
    finish_direct(kernel, device, d);
}
