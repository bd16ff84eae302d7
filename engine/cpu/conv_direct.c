/* conv_direct.c - exact convolutions without gathered patches, see conv.h.
 *
 * A pass computes a grid of destination positions from a source image: position i reads the source at i * step + first + tap and
 * writes the destination at i * out_step + out_first. Forward is one pass over x; dx is one pass over dy for each residue of the
 * stride, with the taps that meet it. Where taps reach over the border, a band of lines is copied with zeros around it.
 */
#include "engine/cpu/conv.h"

#include <string.h>

enum { UNIT_FLOATS = 65536, PACK_INLINE_FLOATS = 16384 };

struct pass {
    int64_t grid[SPATIAL_DIMS];
    int64_t in[SPATIAL_DIMS], step[SPATIAL_DIMS], first[SPATIAL_DIMS], reach[SPATIAL_DIMS]; /* reach: from the first tap to behind the last */
    int64_t out[SPATIAL_DIMS], out_step[SPATIAL_DIMS], out_first[SPATIAL_DIMS];
    int64_t channels, out_channels, group_in, group_out;
    int64_t n_taps, merged, depth; /* `merged` neighbouring taps of a line are one of merged * group_in numbers */
    int64_t *taps;                 /* in floats, from the position's first */
    int64_t *kernel_of;            /* n_taps * merged: which tap of the kernel */
    bool copies, transposed;       /* transposed: the product is with W^T */
    int64_t line, plane;           /* floats of the source as it is read */
    int64_t band, bands, units;    /* lines of a unit; units per image; units of the batch */
    int panel;
    int64_t packed, panel_floats; /* where the packed weights lie in the workspace */
};

struct direct {
    struct conv v;
    struct pass *passes;
    int n_passes, n_slices;
    bool depthwise, has_gaps; /* gaps: a pass without taps, its positions are zero */
    int64_t scratch, scratch_floats; /* in the workspace, of each thread: for copies of source and dy */
    int64_t dy_copy;                 /* dw: floats of it behind the source's copy; 0 when dy is read in place */
    int64_t partial, partial_floats; /* dw: per slice */
    int64_t product;                 /* in the workspace, when it is apart */
};

struct direct_call {
    const struct kernel *kernel;
    const struct direct *d;
    const struct pass *pass; /* while its weights are packed, and of dw */
    const struct conv_kernels *kernels;
    struct conv_scratch *scratch;
};

struct axis { /* the taps of one dim in rising order of offset */
    int64_t n, first, *offset, *kernel;
};

static struct axis axis_forward(struct arena *arena, const struct spatial *s, int d)
{
    struct axis a = {.n = s->size[d], .first = -s->before[d]};
    a.offset = arena_array(arena, (size_t)a.n, sizeof *a.offset);
    a.kernel = arena_array(arena, (size_t)a.n, sizeof *a.kernel);
    for (int64_t k = 0; k < a.n; k++) {
        a.offset[k] = k * s->dilation[d];
        a.kernel[k] = k;
    }
    return a;
}

/* x position residue + i * stride is met by tap k of dy position i + (residue + before - k * dilation) / stride. */
static struct axis axis_gradient(struct arena *arena, const struct spatial *s, int d, int64_t residue)
{
    struct axis a = {0};
    a.offset = arena_array(arena, (size_t)s->size[d], sizeof *a.offset);
    a.kernel = arena_array(arena, (size_t)s->size[d], sizeof *a.kernel);
    for (int64_t k = s->size[d]; k-- > 0;) {
        int64_t at = residue + s->before[d] - k * s->dilation[d];
        if (at % s->stride[d])
            continue;
        a.first = a.n ? a.first : at / s->stride[d];
        a.offset[a.n] = at / s->stride[d] - a.first;
        a.kernel[a.n++] = k;
    }
    return a;
}

static void set_reach(struct pass *p, const struct axis *axes)
{
    for (int d = 0; d < SPATIAL_DIMS; d++) {
        p->first[d] = axes[d].first;
        p->reach[d] = axes[d].n ? axes[d].offset[axes[d].n - 1] + 1 : 1;
        p->copies = p->copies || p->first[d] < 0 || p->first[d] + (p->grid[d] - 1) * p->step[d] + p->reach[d] > p->in[d];
    }
}

static void set_band(struct pass *p, int64_t n)
{
    int64_t width = (p->grid[2] - 1) * p->step[2] + p->reach[2], lines = p->grid[1];
    int64_t copied = CONV_BAND_FLOATS / (width * p->channels * p->reach[0]) - p->reach[1];
    p->band = UNIT_FLOATS / (p->grid[2] * p->out_channels);
    if (p->copies && p->band > copied / p->step[1])
        p->band = copied / p->step[1];
    int64_t share = (n * p->grid[0] * lines + CONV_SLICES - 1) / CONV_SLICES;
    p->band = p->band < share ? p->band : share;
    p->band = p->band < lines ? p->band : lines;
    p->band = p->band > 1 ? p->band : 1;
    p->bands = (lines + p->band - 1) / p->band;
    p->band = (lines + p->bands - 1) / p->bands; /* equal ones */
    p->bands = (lines + p->band - 1) / p->band;
    p->units = n * p->grid[0] * p->bands;
    p->line = (p->copies ? width : p->in[2]) * p->channels;
    p->plane = (p->copies ? (p->band - 1) * p->step[1] + p->reach[1] : p->in[1]) * p->line;
}

static void set_taps(struct pass *p, struct arena *arena, const struct conv *v, const struct axis *axes)
{
    bool dense = v->groups == 1;
    for (int64_t k = 0; k < axes[2].n; k++)
        dense = dense && axes[2].offset[k] == k;
    int64_t total = axes[0].n * axes[1].n * axes[2].n, at = 0;
    p->merged = dense && total ? axes[2].n : 1;
    p->n_taps = total / p->merged;
    p->depth = p->merged * p->group_in;
    p->taps = arena_array(arena, (size_t)total + 1, sizeof *p->taps);
    p->kernel_of = arena_array(arena, (size_t)total + 1, sizeof *p->kernel_of);
    for (int64_t i = 0; i < axes[0].n; i++)
        for (int64_t j = 0; j < axes[1].n; j++)
            for (int64_t k = 0; k < axes[2].n; k++, at++) {
                p->kernel_of[at] = (axes[0].kernel[i] * v->s.size[1] + axes[1].kernel[j]) * v->s.size[2] + axes[2].kernel[k];
                if (at % p->merged == 0)
                    p->taps[at / p->merged] = axes[0].offset[i] * p->plane + axes[1].offset[j] * p->line + axes[2].offset[k] * p->channels;
            }
}

static void finish_pass(struct pass *p, struct arena *arena, const struct device *device, const struct conv *v, const struct axis *axes)
{
    set_reach(p, axes);
    set_band(p, v->n);
    set_taps(p, arena, v, axes);
    p->panel = conv_panel(device->conv, p->grid[2], p->group_out);
    p->panel_floats = p->n_taps * p->depth * p->panel;
}

static struct pass pass_forward(struct arena *arena, const struct device *device, const struct conv *v)
{
    struct pass p = {.channels = v->c, .out_channels = v->o, .group_in = v->c / v->groups, .group_out = v->o / v->groups};
    struct axis axes[SPATIAL_DIMS];
    for (int d = 0; d < SPATIAL_DIMS; d++) {
        axes[d] = axis_forward(arena, &v->s, d);
        p.in[d] = v->s.in[d];
        p.out[d] = p.grid[d] = v->s.out[d];
        p.step[d] = v->s.stride[d];
        p.out_step[d] = 1;
    }
    finish_pass(&p, arena, device, v, axes);
    return p;
}

/* An empty grid has no units. */
static struct pass pass_gradient(struct arena *arena, const struct device *device, const struct conv *v, const int64_t *residue)
{
    struct pass p = {.channels = v->o, .out_channels = v->c, .group_in = v->o / v->groups, .group_out = v->c / v->groups, .transposed = true};
    struct axis axes[SPATIAL_DIMS];
    for (int d = 0; d < SPATIAL_DIMS; d++) {
        axes[d] = axis_gradient(arena, &v->s, d, residue[d]);
        p.in[d] = v->s.out[d];
        p.out[d] = v->s.in[d];
        p.grid[d] = (v->s.in[d] - residue[d] + v->s.stride[d] - 1) / v->s.stride[d];
        p.step[d] = 1;
        p.out_step[d] = v->s.stride[d];
        p.out_first[d] = residue[d];
        if (p.grid[d] <= 0)
            return (struct pass){0};
    }
    finish_pass(&p, arena, device, v, axes);
    return p;
}

static int64_t panels_of(const struct pass *p)
{
    return (p->group_out + p->panel - 1) / p->panel;
}

/* Panel number `slice` of all groups' panels: the rows of W (or of W^T) that belong to its columns. */
static void pack_slice(void *context, int slice)
{
    const struct direct_call *call = context;
    const struct pass *p = call->pass;
    const struct conv *v = &call->d->v;
    const float *w = call->kernel->in[1];
    int64_t group = slice / panels_of(p), first = slice % panels_of(p) * p->panel, cg = v->c / v->groups, og = v->o / v->groups;
    int64_t n = p->group_out - first < p->panel ? p->group_out - first : p->panel;
    float *to = (float *)call->kernel->workspace + p->packed + slice * p->panel_floats;
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

static void run_slices(struct threads *threads, void (*work)(void *, int), void *context, int n_slices, bool small)
{
    for (int slice = 0; small && slice < n_slices; slice++)
        work(context, slice);
    if (!small)
        threads_run(threads, work, context, n_slices);
}

struct place { /* of a unit */
    int64_t image, d, h, lines;
};

static struct place place_of(const struct pass *p, int64_t unit)
{
    struct place at = {.image = unit / p->bands / p->grid[0], .d = unit / p->bands % p->grid[0], .h = unit % p->bands * p->band};
    at.lines = p->grid[1] - at.h < p->band ? p->grid[1] - at.h : p->band;
    return at;
}

/* Where the first position of a unit reads; copies into scratch where it must. */
static const float *unit_source(const struct pass *p, const float *source, const struct place *at, float *scratch)
{
    const float *image = source + at->image * p->in[0] * p->in[1] * p->in[2] * p->channels;
    int64_t first[SPATIAL_DIMS] = {at->d * p->step[0] + p->first[0], at->h * p->step[1] + p->first[1], p->first[2]};
    if (!p->copies)
        return image + ((first[0] * p->in[1] + first[1]) * p->in[2] + first[2]) * p->channels;
    int64_t span[SPATIAL_DIMS] = {p->reach[0], p->plane / p->line, p->line / p->channels};
    conv_copy_padded(scratch, image, p->in, p->channels, first, span);
    return scratch;
}

static int64_t destination_offset(const struct pass *p, const struct place *at)
{
    int64_t d = at->d * p->out_step[0] + p->out_first[0], h = at->h * p->out_step[1] + p->out_first[1];
    return (((at->image * p->out[0] + d) * p->out[1] + h) * p->out[2] + p->out_first[2]) * p->out_channels;
}

static void depthwise_unit(const struct direct_call *call, const struct pass *p, const float *x, float *y, int64_t lines)
{
    int64_t c = p->channels, y_row = p->out_step[2] * c, y_line = p->out_step[1] * p->out[2] * c;
    for (int64_t line = 0; line < lines; line++, x += p->step[1] * p->line, y += y_line) {
        for (int64_t i = 0; i < p->grid[2]; i++)
            memset(y + i * y_row, 0, (size_t)c * sizeof *y);
        for (int64_t t = 0; t < p->n_taps; t++)
            call->kernels->depthwise(y, y_row, x + p->taps[t], p->step[2] * c, (const float *)call->kernel->in[1] + p->kernel_of[t] * c,
                                     p->grid[2], c);
    }
}

static void product_unit(const struct direct_call *call, const struct pass *p, const float *x, float *y, int64_t lines)
{
    const float *packed = (const float *)call->kernel->workspace + p->packed;
    for (int64_t g = 0; g < call->d->v.groups; g++)
        call->kernels->product(&(struct product){.a = x + g * p->group_in,
                                                 .b = packed + g * panels_of(p) * p->panel_floats,
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

static float *product_of(const struct direct *d, const struct kernel *k)
{
    return d->v.product_apart ? (float *)k->workspace + d->product : k->out[0];
}

static void run_unit(const struct direct_call *call, const struct pass *p, int64_t unit, float *scratch)
{
    const struct direct *d = call->d;
    struct place at = place_of(p, unit);
    const float *x = unit_source(p, call->kernel->in[0], &at, scratch);
    float *product = product_of(d, call->kernel);
    int64_t to = destination_offset(p, &at);
    (d->depthwise ? depthwise_unit : product_unit)(call, p, x, product + to, at.lines);
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

struct sweep { /* the epilogue of dw */
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

static void sweep(const struct direct *d, const struct kernel *kernel, struct device *device, const float *product)
{
    int64_t n = shape_elements(kernel->node->outputs[0]->shape);
    struct sweep s = {kernel, d->v.epilogue, product, n, slices_for(n, SLICE_ELEMENTS, 64)};
    threads_run(device->threads, sweep_slice, &s, s.n_slices);
}

static void run_direct(const struct kernel *kernel, struct device *device)
{
    const struct direct *d = kernel->prepared;
    for (int i = 0; i < d->n_passes && !d->depthwise; i++) {
        const struct pass *p = &d->passes[i];
        struct direct_call call = {kernel, d, p, device->conv, NULL};
        int n_panels = p->units ? (int)(d->v.groups * panels_of(p)) : 0;
        run_slices(device->threads, pack_slice, &call, n_panels, n_panels * p->panel_floats < PACK_INLINE_FLOATS);
    }
    struct conv_scratch scratch = {0};
    struct direct_call call = {kernel, d, d->passes, device->conv, &scratch};
    threads_run(device->threads, direct_slice, &call, d->n_slices);
}

static int64_t copy_floats(const struct pass *p)
{
    return p->copies ? round_up(p->reach[0] * p->plane, 16) : 0;
}

static struct direct *direct_new(struct arena *arena, const struct conv *v, int n_passes)
{
    struct direct *d = arena_alloc(arena, sizeof *d);
    *d = (struct direct){.v = *v, .n_passes = n_passes};
    d->depthwise = v->groups > 1 && v->groups == v->c && v->c == v->o;
    d->passes = arena_array(arena, (size_t)n_passes, sizeof *d->passes);
    return d;
}

static int64_t multiply_adds(const struct conv *v)
{
    return v->n * spatial_out(&v->s) * v->taps * (v->c / v->groups) * v->o;
}

static void finish_direct(struct kernel *kernel, const struct device *device, struct direct *d)
{
    int64_t floats = 0, units = d->n_passes > 1 ? d->v.n : d->passes->units;
    for (int i = 0; i < d->n_passes; i++) {
        struct pass *p = &d->passes[i];
        int64_t copy = p->units ? copy_floats(p) : 0;
        d->scratch_floats = d->scratch_floats > copy ? d->scratch_floats : copy;
        d->has_gaps = d->has_gaps || p->n_taps == 0;
        p->packed = floats;
        floats += p->units && !d->depthwise ? round_up(d->v.groups * panels_of(p) * p->panel_floats, 16) : 0;
    }
    d->n_slices = slices_for(multiply_adds(&d->v), 1 << 19, units < CONV_SLICES ? (int)units : CONV_SLICES);
    d->scratch = floats;
    floats += conv_scratch_count(device, d->n_slices) * d->scratch_floats;
    d->product = floats;
    floats += d->v.product_apart ? shape_elements(kernel->node->outputs[0]->shape) : 0;
    kernel->workspace_bytes = (size_t)floats * sizeof(float);
    kernel->prepared = d;
    kernel->run = run_direct;
    kernel->variant = d->depthwise ? "depthwise" : "direct";
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

/* dW: inputs X, dY. Every slice has a sum of its own, [group][tap][c of the group][o of the group, whole vectors]. */
static int64_t padded_columns(const struct direct_call *call)
{
    return round_up(call->d->v.o / call->d->v.groups, call->kernels->lanes);
}

/* One group's dY of a unit, with room for whole vectors. */
static void copy_columns(float *to, int64_t width, const float *from, int64_t from_row, int64_t columns, int64_t rows)
{
    for (int64_t i = 0; i < rows; i++, to += width, from += from_row) {
        memcpy(to, from, (size_t)columns * sizeof *to);
        memset(to + columns, 0, (size_t)(width - columns) * sizeof *to);
    }
}

static void outer_unit(const struct direct_call *call, const float *x, const float *dy, int64_t lines, float *scratch, float *partial)
{
    const struct pass *p = call->pass;
    const struct direct *d = call->d;
    int64_t width = padded_columns(call), dy_row = p->out_channels, group_floats = d->v.taps * p->group_in * width;
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

static void depthwise_dw_unit(const struct direct_call *call, const float *x, const float *dy, int64_t lines, float *partial)
{
    const struct pass *p = call->pass;
    int64_t c = p->channels;
    for (int64_t line = 0; line < lines; line++, x += p->step[1] * p->line, dy += p->grid[2] * c)
        for (int64_t t = 0; t < p->n_taps; t++)
            call->kernels->depthwise_dw(partial + p->kernel_of[t] * c, x + p->taps[t], p->step[2] * c, dy, c, p->grid[2], c);
}

static void dw_slice(void *context, int slice)
{
    const struct direct_call *call = context;
    const struct pass *p = call->pass;
    const struct direct *d = call->d;
    int number = conv_scratch_take(call->scratch);
    float *scratch = (float *)call->kernel->workspace + d->scratch + number * d->scratch_floats;
    float *partial = (float *)call->kernel->workspace + d->partial + slice * d->partial_floats;
    memset(partial, 0, (size_t)d->partial_floats * sizeof *partial);
    int64_t end = slice_begin(p->units, d->n_slices, slice + 1);
    for (int64_t unit = slice_begin(p->units, d->n_slices, slice); unit < end; unit++) {
        struct place at = place_of(p, unit);
        const float *x = unit_source(p, call->kernel->in[0], &at, scratch);
        const float *dy = (const float *)call->kernel->in[1] + destination_offset(p, &at);
        if (d->depthwise)
            depthwise_dw_unit(call, x, dy, at.lines, partial);
        else
            outer_unit(call, x, dy, at.lines, scratch + copy_floats(p), partial);
    }
    conv_scratch_give(call->scratch, number);
}

/* Slices added in order; rows of (tap, c) of all groups beside each other. */
static void gather_dw(const struct direct_call *call, float *dw, const struct rows *rows)
{
    const struct direct *d = call->d;
    float *partial = (float *)call->kernel->workspace + d->partial;
    for (int slice = 1; slice < d->n_slices; slice++)
        rows->add_into(partial, partial + slice * d->partial_floats, d->partial_floats);
    if (d->depthwise) {
        memcpy(dw, partial, (size_t)(d->v.taps * d->v.c) * sizeof *dw);
        return;
    }
    int64_t width = padded_columns(call), og = call->pass->group_out, n = d->v.taps * call->pass->group_in;
    for (int64_t g = 0; g < d->v.groups; g++)
        for (int64_t i = 0; i < n; i++)
            memcpy(dw + i * d->v.o + g * og, partial + (g * n + i) * width, (size_t)og * sizeof *dw);
}

static void run_direct_dw(const struct kernel *kernel, struct device *device)
{
    const struct direct *d = kernel->prepared;
    struct conv_scratch scratch = {0};
    struct direct_call call = {kernel, d, d->passes, device->conv, &scratch};
    threads_run(device->threads, dw_slice, &call, d->n_slices);
    float *dw = d->v.epilogue ? (float *)kernel->workspace + d->product : kernel->out[0];
    gather_dw(&call, dw, device->rows);
    if (d->v.epilogue)
        sweep(d, kernel, device, dw);
}

void direct_prepare_dw(struct device *device, struct kernel *kernel, struct arena *arena, const struct conv *v)
{
    struct direct *d = direct_new(arena, v, 1);
    struct pass *p = d->passes;
    *p = pass_forward(arena, device, v);
    struct direct_call call = {kernel, d, p, device->conv, NULL};
    int64_t width = padded_columns(&call), floats = 0;
    d->dy_copy = !d->depthwise && width != p->group_out ? round_up(p->band * p->grid[2] * width, 16) : 0;
    d->n_slices = slices_for(multiply_adds(v), 1 << 20, p->units < CONV_PARTIALS ? (int)p->units : CONV_PARTIALS);
    d->scratch_floats = copy_floats(p) + d->dy_copy;
    floats += conv_scratch_count(device, d->n_slices) * d->scratch_floats;
    d->partial = floats;
    d->partial_floats = d->depthwise ? round_up(v->taps * v->c, 16) : round_up(v->groups * v->taps * p->group_in * width, 16);
    floats += d->n_slices * d->partial_floats;
    d->product = floats;
    floats += v->epilogue ? shape_elements(kernel->node->outputs[0]->shape) : 0;
    kernel->workspace_bytes = (size_t)floats * sizeof(float);
    kernel->prepared = d;
    kernel->run = run_direct_dw;
    kernel->variant = d->depthwise ? "depthwise" : "direct";
}
