/* pool.c - max and average pooling over one to three spatial axes, and their gradients; see launches.h */
#include "engine/cuda/device.h"
#include "engine/cuda/launches.h"

#include "base/arena.h"

struct pooled {
    struct pooling p;
    enum pool_kind kind;
    bool apart, dense; /* no two windows meet; and every element of x is in one */
};

enum { AXES = 3, LONGEST = 1 << 30 }; /* LONGEST: an axis with all its padding, for 32 bits */

static struct window_axis no_axis(void)
{
    const struct divisor one = divisor_of(1, LONGEST);
    return (struct window_axis){.in = 1,
                                .out = 1,
                                .size = 1,
                                .stride = 1,
                                .dilation = 1,
                                .by_in = one,
                                .by_out = one,
                                .by_stride = one,
                                .by_dilation = one};
}

static struct window_axis axis_of(const struct window *w, int i, struct shape x, int64_t n_x, int64_t n_y)
{
    int64_t in = x.dim[i + 1], out = window_out(w, i, in), bound = (int64_t)LONGEST * 2;
    return (struct window_axis){.in = (int32_t)in,
                                .out = (int32_t)out,
                                .size = (int32_t)w->size[i],
                                .stride = (int32_t)w->stride[i],
                                .dilation = (int32_t)w->dilation[i],
                                .before = (int32_t)w->pad_before[i],
                                .by_in = divisor_of(in, n_x),
                                .by_out = divisor_of(out, n_y),
                                .by_stride = divisor_of(w->stride[i], bound),
                                .by_dilation = divisor_of(w->dilation[i], bound)};
}

/* All numbers of an axis, and what is computed of them, fit in 31 bits. */
static bool is_short(const struct window *w, int i, int64_t in)
{
    return w->stride[i] <= LONGEST && w->dilation[i] <= LONGEST && in <= LONGEST && w->pad_before[i] <= LONGEST - in &&
           w->pad_after[i] <= LONGEST - in - w->pad_before[i];
}

static bool are_apart(const struct pooling *p)
{
    bool apart = true;
    for (int i = 0; i < AXES; i++)
        apart = apart && ((int64_t)p->axis[i].size - 1) * p->axis[i].dilation < p->axis[i].stride;
    return apart;
}

static bool are_dense(const struct pooling *p)
{
    bool dense = true;
    for (int i = 0; i < AXES; i++) {
        const struct window_axis *w = &p->axis[i];
        int64_t end = (int64_t)w->out * w->stride - w->before; /* of what the windows cover */
        dense = dense && w->dilation == 1 && w->size == w->stride && end >= w->in;
    }
    return dense;
}

/* x, y: shapes of the forward op. */
static struct pooled *pooled_new(const struct kernel *k, struct arena *arena, struct shape x, struct shape y,
                                 struct err *err)
{
    const struct window *w = &k->node->attrs.window;
    struct pooled *p = arena_alloc(arena, sizeof *p);
    p->kind = k->node->attrs.pool;
    int64_t channels = x.dim[x.rank - 1];
    p->p.lanes = channels % 4 ? 1 : 4;
    p->p.n_x = shape_elements(x) / p->p.lanes;
    p->p.n_y = shape_elements(y) / p->p.lanes;
    p->p.groups = divisor_of(channels / p->p.lanes, p->p.n_x > p->p.n_y ? p->p.n_x : p->p.n_y);
    for (int i = 0, positions = 1; i < AXES; i++) {
        int own = i - (AXES - w->n_spatial);
        if (own >= 0 && (!is_short(w, own, x.dim[own + 1]) || w->size[own] > LONGEST / positions))
            return err_null(err, ERR_USAGE, "cuda: pooling over an axis of %lld by windows of %lld, at most %d of both",
                            (long long)x.dim[own + 1], (long long)w->size[own], LONGEST);
        positions *= own < 0 ? 1 : (int)w->size[own];
        p->p.axis[i] = own < 0 ? no_axis() : axis_of(w, own, x, p->p.n_x, p->p.n_y);
    }
    p->apart = are_apart(&p->p);
    p->dense = p->apart && are_dense(&p->p);
    return p;
}

static void run_pool(const struct kernel *k, struct device *device)
{
    const struct pooled *p = k->prepared;
    (p->kind == POOL_MAX ? launch_max_pool : launch_average_pool)(device->stream, k->out[0], k->in[0], &p->p);
}

bool cuda_prepare_pool(struct device *device, struct kernel *k, struct arena *arena, struct err *err)
{
    (void)device;
    k->run = run_pool;
    k->prepared = pooled_new(k, arena, k->in_value[0]->shape, k->node->outputs[0]->shape, err);
    return k->prepared != NULL;
}

static void run_average_dx(const struct kernel *k, struct device *device)
{
    const struct pooled *p = k->prepared;
    launch_average_pool_dx(device->stream, k->out[0], k->in[0], &p->p);
}

static void run_max_dx(const struct kernel *k, struct device *device)
{
    const struct pooled *p = k->prepared;
    launch_pool_winners(device->stream, k->workspace, k->in[1], &p->p);
    launch_max_pool_dx(device->stream, k->out[0], k->workspace, k->in[0], &p->p);
}

static void run_apart_max_dx(const struct kernel *k, struct device *device)
{
    const struct pooled *p = k->prepared;
    if (!p->dense)
        cuda_succeeded(device,
                       cudaMemsetAsync(k->out[0], 0, (size_t)(p->p.n_x * p->p.lanes) * sizeof(float), device->stream),
                       "clearing a gradient");
    launch_apart_max_pool_dx(device->stream, k->out[0], k->in[1], k->in[0], &p->p);
}

/* inputs: dy, and x for the maximum */
bool cuda_prepare_pool_dx(struct device *device, struct kernel *k, struct arena *arena, struct err *err)
{
    (void)device;
    struct pooled *p = pooled_new(k, arena, k->node->outputs[0]->shape, k->in_value[0]->shape, err);
    if (!p)
        return false;
    k->prepared = p;
    k->run = p->kind == POOL_AVERAGE ? run_average_dx : p->apart ? run_apart_max_dx : run_max_dx;
    if (k->run == run_max_dx)
        k->workspace_bytes = (size_t)(p->p.n_y * p->p.lanes) * sizeof(int32_t);
    return true;
}
