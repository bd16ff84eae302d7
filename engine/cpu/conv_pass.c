/* conv_pass.c - see conv_pass.h */
#include "engine/cpu/conv_pass.h"

enum { UNIT_FLOATS = 65536 };

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
        p->copies =
            p->copies || p->first[d] < 0 || p->first[d] + (p->grid[d] - 1) * p->step[d] + p->reach[d] > p->in[d];
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
                p->kernel_of[at] =
                    (axes[0].kernel[i] * v->s.size[1] + axes[1].kernel[j]) * v->s.size[2] + axes[2].kernel[k];
                if (at % p->merged == 0)
                    p->taps[at / p->merged] =
                        axes[0].offset[i] * p->plane + axes[1].offset[j] * p->line + axes[2].offset[k] * p->channels;
            }
}

static void finish_pass(struct pass *p, struct arena *arena, const struct device *device, const struct conv *v,
                        const struct axis *axes)
{
    set_reach(p, axes);
    set_band(p, v->n);
    set_taps(p, arena, v, axes);
    p->panel = conv_panel(device->conv, p->grid[2], p->group_out);
    p->panel_floats = p->n_taps * p->depth * p->panel;
}

struct pass pass_forward(struct arena *arena, const struct device *device, const struct conv *v)
{
    struct pass p = {
        .channels = v->c, .out_channels = v->o, .group_in = v->c / v->groups, .group_out = v->o / v->groups};
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

struct pass pass_gradient(struct arena *arena, const struct device *device, const struct conv *v,
                          const int64_t *residue)
{
    struct pass p = {.channels = v->o,
                     .out_channels = v->c,
                     .group_in = v->o / v->groups,
                     .group_out = v->c / v->groups,
                     .transposed = true};
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

int64_t pass_panels(const struct pass *p)
{
    return (p->group_out + p->panel - 1) / p->panel;
}

struct place pass_place(const struct pass *p, int64_t unit)
{
    struct place at = {
        .image = unit / p->bands / p->grid[0], .d = unit / p->bands % p->grid[0], .h = unit % p->bands * p->band};
    at.lines = p->grid[1] - at.h < p->band ? p->grid[1] - at.h : p->band;
    return at;
}

/* Where the first position of a unit reads; copies into scratch where it must. */
const float *pass_source(const struct pass *p, const float *source, const struct place *at, float *scratch)
{
    const float *image = source + at->image * p->in[0] * p->in[1] * p->in[2] * p->channels;
    int64_t first[SPATIAL_DIMS] = {at->d * p->step[0] + p->first[0], at->h * p->step[1] + p->first[1], p->first[2]};
    if (!p->copies)
        return image + ((first[0] * p->in[1] + first[1]) * p->in[2] + first[2]) * p->channels;
    int64_t span[SPATIAL_DIMS] = {p->reach[0], p->plane / p->line, p->line / p->channels};
    conv_copy_padded(scratch, image, p->in, p->channels, first, span);
    return scratch;
}

int64_t pass_destination(const struct pass *p, const struct place *at)
{
    int64_t d = at->d * p->out_step[0] + p->out_first[0], h = at->h * p->out_step[1] + p->out_first[1];
    return (((at->image * p->out[0] + d) * p->out[1] + h) * p->out[2] + p->out_first[2]) * p->out_channels;
}

int64_t pass_copy_floats(const struct pass *p)
{
    return p->copies ? round_up(p->reach[0] * p->plane, 16) : 0;
}
