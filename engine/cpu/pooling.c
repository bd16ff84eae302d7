/* pooling.c - max and average pooling over one to three spatial dims, channels last.
 *
 * A line of output pixels is walked in stretches whose windows meet the same positions: one inside the image, and
 * single pixels at its borders. Slices are images.
 */
#include "engine/cpu/kernels.h"
#include "engine/cpu/pool_kernels.h"
#include "engine/cpu/spatial.h"

#include <math.h>
#include <string.h>

enum { POOL_SLICES = 16 };

struct pool {
    struct spatial s;
    enum pool_kind kind;
    int64_t n, c, window; /* window: positions of a whole one */
    bool dense;           /* windows cover every position of x once: gradients are written, not added */
    int n_slices;
    int64_t offsets_floats; /* of workspace per slice: the offsets of one stretch */
    const struct map_program *epilogue;
};

struct pool_call {
    const struct kernel *kernel;
    const struct pool *pool;
    const struct pool_kernels *kernels;
};

struct range { /* the part of a window along one dim that lies inside: first, first + dilation, ... */
    int64_t first, count;
};

static struct range range_of(const struct spatial *s, int d, int64_t out)
{
    int64_t start = out * s->stride[d] - s->before[d], step = s->dilation[d], end = s->size[d];
    int64_t skip = start < 0 ? (-start + step - 1) / step : 0;
    if (start + (end - 1) * step >= s->in[d])
        end = start >= s->in[d] ? 0 : (s->in[d] - 1 - start) / step + 1;
    return (struct range){start + skip * step, end > skip ? end - skip : 0};
}

static bool is_dense(const struct spatial *s)
{
    for (int d = 0; d < SPATIAL_DIMS; d++)
        if (s->before[d] || s->dilation[d] != 1 || s->size[d] != s->stride[d] || s->out[d] * s->stride[d] != s->in[d])
            return false;
    return true;
}

static struct pool *pool_new(struct kernel *kernel, struct arena *arena, struct shape x, struct shape y)
{
    struct pool *p = arena_alloc(arena, sizeof *p);
    *p = (struct pool){.s = spatial_of(&kernel->node->attrs.window, x, y),
                       .kind = kernel->node->attrs.pool,
                       .n = x.dim[0],
                       .c = x.dim[x.rank - 1]};
    p->window = p->s.size[0] * p->s.size[1] * p->s.size[2];
    p->dense = is_dense(&p->s);
    p->n_slices = slices_for(shape_elements(x), SLICE_ELEMENTS, p->n < POOL_SLICES ? (int)p->n : POOL_SLICES);
    p->offsets_floats = (p->window * 2 + 15) & ~(int64_t)15;
    kernel->workspace_bytes = (size_t)(p->n_slices * p->offsets_floats) * sizeof(float);
    kernel->prepared = p;
    return p;
}

/* Pixels [w, w + pixels) of output line (d, h); offsets are floats from the first one's first position inside. */
struct stretch {
    struct pool_line line;
    int64_t w, base;
};

/* Inside the image all windows of a line are alike. */
static int64_t stretch_pixels(const struct spatial *s, int64_t w)
{
    int64_t n = 1;
    if (range_of(s, 2, w).count != s->size[2])
        return n;
    while (w + n < s->out[2] && range_of(s, 2, w + n).count == s->size[2])
        n++;
    return n;
}

static struct stretch stretch_at(const struct pool *p, int64_t d, int64_t h, int64_t w, int64_t *offset)
{
    const struct spatial *s = &p->s;
    struct range r[SPATIAL_DIMS] = {range_of(s, 0, d), range_of(s, 1, h), range_of(s, 2, w)};
    struct stretch at = {.w = w, .base = ((r[0].first * s->in[1] + r[1].first) * s->in[2] + r[2].first) * p->c};
    int64_t n = 0;
    for (int64_t i = 0; i < r[0].count; i++)
        for (int64_t j = 0; j < r[1].count; j++)
            for (int64_t k = 0; k < r[2].count; k++)
                offset[n++] =
                    ((i * s->dilation[0] * s->in[1] + j * s->dilation[1]) * s->in[2] + k * s->dilation[2]) * p->c;
    at.line = (struct pool_line){
        .pixels = stretch_pixels(s, w), .step = s->stride[2] * p->c, .channels = p->c, .n = n, .offset = offset};
    return at;
}

static void forward_stretch(const struct pool_call *call, const struct stretch *at, float *y, const float *x)
{
    bool is_max = call->pool->kind == POOL_MAX;
    if (at->line.n)
        (is_max ? call->kernels->max : call->kernels->average)(&at->line, y, x + at->base);
    else
        for (int64_t i = 0; i < at->line.pixels * at->line.channels; i++)
            y[i] = is_max ? -INFINITY : 0;
}

static void backward_stretch(const struct pool_call *call, const struct stretch *at, float *dx, const float *x,
                             const float *dy)
{
    if (!at->line.n)
        return;
    if (call->pool->kind == POOL_MAX)
        call->kernels->max_gradient(&at->line, dx + at->base, x + at->base, dy, !call->pool->dense);
    else
        call->kernels->average_gradient(&at->line, dx + at->base, dy, !call->pool->dense);
}

static void pool_image(const struct pool_call *call, int64_t image, int64_t *offset, bool backward)
{
    const struct pool *p = call->pool;
    const struct spatial *s = &p->s;
    int64_t in = image * spatial_in(s) * p->c, out = image * spatial_out(s) * p->c;
    const struct kernel *k = call->kernel;
    float *dx = backward ? (float *)k->out[0] + in : NULL;
    if (backward && !p->dense)
        memset(dx, 0, (size_t)(spatial_in(s) * p->c) * sizeof *dx);
    for (int64_t line = 0; line < s->out[0] * s->out[1]; line++)
        for (int64_t w = 0; w < s->out[2];) {
            struct stretch at = stretch_at(p, line / s->out[1], line % s->out[1], w, offset);
            int64_t y = out + (line * s->out[2] + w) * p->c;
            if (backward)
                backward_stretch(call, &at, dx, p->kind == POOL_MAX ? (const float *)k->in[1] + in : NULL,
                                 (const float *)k->in[0] + y);
            else
                forward_stretch(call, &at, (float *)k->out[0] + y, (const float *)k->in[0] + in);
            w += at.line.pixels;
        }
    if (p->epilogue)
        epilogue_run(p->epilogue, k, k->out[0], backward ? in : out,
                     (backward ? spatial_in(s) : spatial_out(s)) * p->c);
}

static void pool_slice(void *context, int slice, bool backward)
{
    const struct pool_call *call = context;
    const struct pool *p = call->pool;
    int64_t *offset = (int64_t *)((float *)call->kernel->workspace + slice * p->offsets_floats),
            end = slice_begin(p->n, p->n_slices, slice + 1);
    for (int64_t image = slice_begin(p->n, p->n_slices, slice); image < end; image++)
        pool_image(call, image, offset, backward);
}

static void forward_slice(void *context, int slice)
{
    pool_slice(context, slice, false);
}

static void backward_slice(void *context, int slice)
{
    pool_slice(context, slice, true);
}

static void run_pool(const struct kernel *kernel, struct device *device)
{
    struct pool_call call = {kernel, kernel->prepared, device->pool};
    threads_run(device->threads, forward_slice, &call, call.pool->n_slices);
}

static void run_pool_dx(const struct kernel *kernel, struct device *device)
{
    struct pool_call call = {kernel, kernel->prepared, device->pool};
    threads_run(device->threads, backward_slice, &call, call.pool->n_slices);
}

static bool prepare(struct device *device, struct kernel *kernel, struct arena *arena, struct shape x, struct shape y)
{
    if (!shape_elements(x) || !shape_elements(y) || (kernel->epilogue && epilogue_may_overwrite(kernel)))
        return false;
    struct pool *p = pool_new(kernel, arena, x, y);
    p->epilogue = epilogue_prepare(device, kernel, arena);
    return !kernel->epilogue || p->epilogue;
}

bool prepare_pool(struct device *device, struct kernel *kernel, struct arena *arena)
{
    kernel->run = run_pool;
    return prepare(device, kernel, arena, input_of(kernel, 0)->shape, kernel->node->outputs[0]->shape);
}

/* inputs: dy, and x for the maximum */
bool prepare_pool_dx(struct device *device, struct kernel *kernel, struct arena *arena)
{
    kernel->run = run_pool_dx;
    return prepare(device, kernel, arena, kernel->node->outputs[0]->shape, input_of(kernel, 0)->shape);
}
