/* pooling.c - max and average pooling over one to three spatial dims, channels last: every window is walked with
 * vectors of channels. */
#include "engine/cpu/kernels.h"

#include <math.h>
#include <string.h>

struct pool {
    enum pool_kind kind;
    int64_t n, c, in[3], out[3], size[3], stride[3], dilation[3], before[3];
    int n_slices;
};

struct pool_call {
    const struct kernel *kernel;
    const struct pool *pool;
    const struct rows *rows;
};

struct window_range { /* the in-bounds part of a window along one dim: input positions first, first + step, ... count of
                         them */
    int64_t first, count, step;
};

static struct window_range range_of(const struct pool *p, int d, int64_t out)
{
    int64_t start = out * p->stride[d] - p->before[d], step = p->dilation[d] ? p->dilation[d] : 1;
    int64_t skip = start < 0 ? (-start + step - 1) / step : 0, end = p->size[d];
    if (start + (end - 1) * step >= p->in[d])
        end = start >= p->in[d] ? 0 : (p->in[d] - 1 - start) / step + 1;
    return (struct window_range){start + skip * step, end > skip ? end - skip : 0, step};
}

static struct pool *pool_new(const struct kernel *kernel, struct arena *arena, struct shape x, struct shape y)
{
    const struct window *w = &kernel->node->attrs.window;
    struct pool *p = arena_alloc(arena, sizeof *p);
    *p = (struct pool){.kind = kernel->node->attrs.pool, .n = x.dim[0], .c = x.dim[x.rank - 1]};
    for (int d = 0; d < 3; d++) {
        int s = d - (3 - w->n_spatial);
        bool real = s >= 0;
        p->in[d] = real ? x.dim[1 + s] : 1;
        p->out[d] = real ? y.dim[1 + s] : 1;
        p->size[d] = real ? w->size[s] : 1;
        p->stride[d] = real ? w->stride[s] : 1;
        p->dilation[d] = real ? w->dilation[s] : 1;
        p->before[d] = real ? w->pad_before[s] : 0;
    }
    p->n_slices = slices_for(shape_elements(x), SLICE_ELEMENTS, p->n < 16 ? (int)(p->n ? p->n : 1) : 16);
    return p;
}

/* Calls visit for every in-bounds input position of an output position, in row-major order. */
struct cell {
    const struct pool_call *call;
    int64_t out_offset, count; /* floats; number of in-bounds positions */
    const float *x_image;
    float *dx_image;
    struct winners *winners; /* backward of the maximum */
};

static void walk_window(const struct pool *p, int64_t pixel, struct cell *cell,
                        void (*visit)(struct cell *cell, int64_t in_offset, bool first))
{
    struct window_range r[3] = {range_of(p, 0, pixel / (p->out[1] * p->out[2])),
                                range_of(p, 1, pixel / p->out[2] % p->out[1]), range_of(p, 2, pixel % p->out[2])};
    cell->count = r[0].count * r[1].count * r[2].count;
    bool first = true;
    for (int64_t a = 0; a < r[0].count; a++)
        for (int64_t b = 0; b < r[1].count; b++)
            for (int64_t c = 0; c < r[2].count; c++, first = false) {
                int64_t d = r[0].first + a * r[0].step, h = r[1].first + b * r[1].step, w = r[2].first + c * r[2].step;
                visit(cell, ((d * p->in[1] + h) * p->in[2] + w) * p->c, first);
            }
}

static void visit_forward(struct cell *cell, int64_t in_offset, bool first)
{
    const struct pool_call *call = cell->call;
    float *y = (float *)call->kernel->out[0] + cell->out_offset;
    const float *x = cell->x_image + in_offset;
    if (first)
        memcpy(y, x, (size_t)call->pool->c * sizeof *y);
    else if (call->pool->kind == POOL_MAX)
        call->rows->max_into(y, x, call->pool->c);
    else
        call->rows->add_into(y, x, call->pool->c);
}

static void forward_slice(void *context, int slice)
{
    const struct pool_call *call = context;
    const struct pool *p = call->pool;
    int64_t pixels = p->out[0] * p->out[1] * p->out[2], image = p->in[0] * p->in[1] * p->in[2] * p->c;
    int64_t end = slice_begin(p->n, p->n_slices, slice + 1);
    for (int64_t n = slice_begin(p->n, p->n_slices, slice); n < end; n++)
        for (int64_t pixel = 0; pixel < pixels; pixel++) {
            struct cell cell = {.call = call,
                                .out_offset = (n * pixels + pixel) * p->c,
                                .x_image = (const float *)call->kernel->in[0] + n * image};
            walk_window(p, pixel, &cell, visit_forward);
            float *y = (float *)call->kernel->out[0] + cell.out_offset;
            if (!cell.count)
                call->rows->fill(y, p->kind == POOL_MAX ? -INFINITY : 0, (int)p->c);
            else if (p->kind == POOL_AVERAGE)
                call->rows->scale(y, 1 / (float)cell.count, p->c);
        }
}

static void run_pool(const struct kernel *kernel, struct device *device)
{
    struct pool_call call = {kernel, kernel->prepared, device->rows};
    threads_run(device->threads, forward_slice, &call, call.pool->n_slices);
}

bool prepare_pool(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device;
    struct shape y = output_shape(kernel);
    if (!shape_elements(y) || y.dim[y.rank - 1] > INT32_MAX)
        return false;
    kernel->prepared = pool_new(kernel, arena, input_of(kernel, 0)->shape, y);
    kernel->run = run_pool;
    return true;
}

enum { CHANNEL_BLOCK = 64 };

/* Where the maximum of each of n channels lies: the number of the window's position, in the order of walk_window. */
struct winners {
    const struct rows *rows;
    int64_t first_channel, n;
    int32_t position;
    float best[CHANNEL_BLOCK];
    int32_t where[CHANNEL_BLOCK];
};

static void visit_pick(struct cell *cell, int64_t in_offset, bool first)
{
    struct winners *w = cell->winners;
    const float *x = cell->x_image + in_offset + w->first_channel;
    w->position = first ? 0 : w->position + 1;
    if (!first) {
        w->rows->pick_max(w->best, w->where, x, w->position, w->n);
        return;
    }
    memcpy(w->best, x, (size_t)w->n * sizeof *x);
    memset(w->where, 0, (size_t)w->n * sizeof *w->where);
}

static void visit_give(struct cell *cell, int64_t in_offset, bool first)
{
    struct winners *w = cell->winners;
    const float *dy = (const float *)cell->call->kernel->in[0] + cell->out_offset + w->first_channel;
    w->position = first ? 0 : w->position + 1;
    w->rows->add_where(cell->dx_image + in_offset + w->first_channel, w->where, w->position, dy, w->n);
}

/* inputs: dy, and x for the maximum: the first maximum of a window (NaN counts as one) gets all of its gradient. */
static void max_backward(const struct pool *p, int64_t pixel, const struct cell *at)
{
    struct winners winners = {.rows = at->call->rows};
    struct cell cell = *at;
    cell.winners = &winners;
    for (int64_t channel = 0; channel < p->c; channel += CHANNEL_BLOCK) {
        winners.first_channel = channel;
        winners.n = p->c - channel < CHANNEL_BLOCK ? p->c - channel : CHANNEL_BLOCK;
        walk_window(p, pixel, &cell, visit_pick);
        walk_window(p, pixel, &cell, visit_give);
    }
}

static void visit_average_backward(struct cell *cell, int64_t in_offset, bool first)
{
    (void)first;
    const struct pool_call *call = cell->call;
    call->rows->axpy(cell->dx_image + in_offset, 1 / (float)cell->count,
                     (const float *)call->kernel->in[0] + cell->out_offset, call->pool->c);
}

static void backward_slice(void *context, int slice)
{
    const struct pool_call *call = context;
    const struct pool *p = call->pool;
    int64_t pixels = p->out[0] * p->out[1] * p->out[2], image = p->in[0] * p->in[1] * p->in[2] * p->c;
    int64_t end = slice_begin(p->n, p->n_slices, slice + 1);
    for (int64_t n = slice_begin(p->n, p->n_slices, slice); n < end; n++) {
        float *dx = (float *)call->kernel->out[0] + n * image;
        memset(dx, 0, (size_t)image * sizeof *dx);
        for (int64_t pixel = 0; pixel < pixels; pixel++) {
            int64_t out = (n * pixels + pixel) * p->c;
            struct cell cell = {.call = call, .out_offset = out, .dx_image = dx};
            if (p->kind == POOL_MAX) {
                cell.x_image = (const float *)call->kernel->in[1] + n * image;
                max_backward(p, pixel, &cell);
            } else
                walk_window(p, pixel, &cell, visit_average_backward);
        }
    }
}

static void run_pool_dx(const struct kernel *kernel, struct device *device)
{
    struct pool_call call = {kernel, kernel->prepared, device->rows};
    threads_run(device->threads, backward_slice, &call, call.pool->n_slices);
}

bool prepare_pool_dx(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device;
    struct shape x = output_shape(kernel);
    if (!shape_elements(x))
        return false;
    kernel->prepared = pool_new(kernel, arena, x, input_of(kernel, 0)->shape);
    kernel->run = run_pool_dx;
    return true;
}
