/* move.c - ops that move elements: walks over one source, transposes by tiles, concatenation, padding; see launches.h
 */
#include "engine/cuda/device.h"
#include "engine/cuda/launches.h"
#include "engine/plan/strides.h"

#include <string.h>

#include "base/arena.h"

_Static_assert((int)WALK_RANK >= (int)RANK_MAX, "a walk has every axis of a tensor");
_Static_assert((int)MOST_PARTS >= (int)KERNEL_MAX_INPUTS, "parts have every input of a kernel");

enum { TILE_LEAST = 16 }; /* shorter axes leave too much of a tile empty: a walk is as good */

static struct shape in_shape(const struct kernel *k, int input)
{
    return k->in_value[input]->shape;
}

static struct shape out_shape(const struct kernel *k)
{
    return k->node->outputs[0]->shape;
}

void cuda_copy(const struct kernel *k, struct device *device)
{
    launch_copy(device->stream, k->out[0], k->in[0], shape_elements(out_shape(k)));
}

/* Walks */

static void run_words(const struct kernel *k, struct device *device)
{
    launch_walk_words(device->stream, k->out[0], k->in[0], k->prepared);
}

static void run_quads(const struct kernel *k, struct device *device)
{
    launch_walk_quads(device->stream, k->out[0], k->in[0], k->prepared);
}

/* The result's elements are read at begin + sum(c * from) of the input. */
static bool prepare_walk(struct kernel *k, struct arena *arena, const int64_t *from, int64_t begin)
{
    struct shape out = out_shape(k);
    struct walk words = walk_of(out.dim, from, out.rank, begin), quads;
    bool in_quads = walk_in_quads(&words, &quads);
    k->prepared = arena_copy(arena, in_quads ? &quads : &words, 1, sizeof words);
    k->run = in_quads ? run_quads : run_words;
    return true;
}

bool cuda_prepare_broadcast(struct device *device, struct kernel *k, struct arena *arena, struct err *err)
{
    (void)device;
    (void)err;
    struct shape out = out_shape(k), in = in_shape(k, 0);
    int64_t dense[RANK_MAX], from[RANK_MAX];
    shape_strides(in, dense);
    for (int i = 0; i < out.rank; i++) {
        int axis = i - (out.rank - in.rank);
        from[i] = axis < 0 || in.dim[axis] == 1 ? 0 : dense[axis];
    }
    return prepare_walk(k, arena, from, 0);
}

bool cuda_prepare_slice(struct device *device, struct kernel *k, struct arena *arena, struct err *err)
{
    (void)device;
    (void)err;
    const struct op_attrs *a = &k->node->attrs;
    int64_t from[RANK_MAX], begin = 0;
    shape_strides(in_shape(k, 0), from);
    for (int i = 0; i < in_shape(k, 0).rank; i++) {
        begin += a->begin[i] * from[i];
        from[i] *= a->stride[i];
    }
    return prepare_walk(k, arena, from, begin);
}

bool cuda_prepare_reverse(struct device *device, struct kernel *k, struct arena *arena, struct err *err)
{
    (void)device;
    (void)err;
    int64_t from[RANK_MAX];
    int axis = k->node->attrs.axes[0];
    shape_strides(in_shape(k, 0), from);
    int64_t last = (in_shape(k, 0).dim[axis] - 1) * from[axis];
    from[axis] = -from[axis];
    return prepare_walk(k, arena, from, last);
}

/* Transposes */

static void run_tiles(const struct kernel *k, struct device *device)
{
    launch_transpose(device->stream, k->out[0], k->in[0], k->prepared);
}

/* The axis of a walk along which the source is dense; -1 where it is the last one, or short. */
static int axis_for_tiles(const struct walk *w)
{
    int last = w->rank - 1;
    for (int i = 0; i < last; i++)
        if (w->stride[i] == 1 && w->dim[i].by >= TILE_LEAST && w->dim[last].by >= TILE_LEAST)
            return i;
    return -1;
}

static struct tiles tiles_of(const struct walk *w, int dense)
{
    int64_t dims[WALK_RANK], from[WALK_RANK], to[WALK_RANK], step = 1;
    int last = w->rank - 1, n = 0;
    struct tiles t = {.width = w->dim[last].by, .height = w->dim[dense].by, .from_step = w->stride[last]};
    for (int i = last; i >= 0; step *= w->dim[i--].by)
        to[i] = step;
    t.to_step = to[dense];
    for (int i = 0; i < last; i++) {
        if (i == dense)
            continue;
        dims[n] = w->dim[i].by;
        from[n] = w->stride[i];
        to[n++] = to[i];
    }
    t.from = walk_of(dims, from, n, 0);
    t.to = walk_of(dims, to, n, 0);
    int64_t across = (t.width + TRANSPOSE_TILE - 1) / TRANSPOSE_TILE;
    int64_t down = (t.height + TRANSPOSE_TILE - 1) / TRANSPOSE_TILE;
    t.n = across * down * t.from.n;
    t.across = divisor_of(across, t.n);
    t.down = divisor_of(down, t.n);
    return t;
}

bool cuda_prepare_transpose(struct device *device, struct kernel *k, struct arena *arena, struct err *err)
{
    (void)device;
    (void)err;
    struct shape out = out_shape(k);
    int64_t dense[RANK_MAX], from[RANK_MAX];
    shape_strides(in_shape(k, 0), dense);
    for (int i = 0; i < out.rank; i++)
        from[i] = dense[k->node->attrs.axes[i]];
    struct walk w = walk_of(out.dim, from, out.rank, 0);
    int axis = axis_for_tiles(&w);
    if (axis < 0)
        return prepare_walk(k, arena, from, 0);
    struct tiles t = tiles_of(&w, axis);
    k->prepared = arena_copy(arena, &t, 1, sizeof t);
    k->run = run_tiles;
    k->variant = "tiles";
    return true;
}

/* Concatenation */

static void run_concat(const struct kernel *k, struct device *device, bool in_quads)
{
    struct parts parts = *(const struct parts *)k->prepared;
    memcpy(parts.from, k->in, (size_t)k->n_inputs * sizeof *k->in);
    (in_quads ? launch_concat_quads : launch_concat_words)(device->stream, k->out[0], &parts);
}

static void run_concat_words(const struct kernel *k, struct device *device)
{
    run_concat(k, device, false);
}

static void run_concat_quads(const struct kernel *k, struct device *device)
{
    run_concat(k, device, true);
}

bool cuda_prepare_concat(struct device *device, struct kernel *k, struct arena *arena, struct err *err)
{
    (void)device;
    (void)err;
    struct parts *p = arena_alloc(arena, sizeof *p);
    int64_t widths[KERNEL_MAX_INPUTS], n_rows = 1, end = 0;
    bool in_quads = true;
    for (int i = 0; i < k->node->attrs.axes[0]; i++)
        n_rows *= out_shape(k).dim[i];
    for (int i = 0; i < k->n_inputs; i++) {
        widths[i] = shape_elements(in_shape(k, i)) / n_rows;
        in_quads = in_quads && widths[i] % 4 == 0;
    }
    for (int i = 0; i < MOST_PARTS; i++)
        p->end[i] = end += i < k->n_inputs ? widths[i] / (in_quads ? 4 : 1) : 0;
    p->n = n_rows * end;
    p->width = divisor_of(end, p->n);
    k->prepared = p;
    k->run = in_quads ? run_concat_quads : run_concat_words;
    return true;
}

/* Padding */

static void run_pad(const struct kernel *k, struct device *device)
{
    launch_pad(device->stream, k->out[0], k->in[0], k->prepared);
}

/* Appends an axis; one that is moved as a whole is part of the axis before it, unless that one has gaps. */
static void add_padding(struct paddings *p, struct padding axis, int64_t size)
{
    struct padding *before = p->rank ? &p->axis[p->rank - 1] : NULL;
    if (!before || axis.dim.by != size || before->spacing.by != 1) {
        p->axis[p->rank++] = axis;
        return;
    }
    before->dim.by *= size;
    before->before *= size;
    before->extent *= size;
    before->stride = axis.stride;
}

bool cuda_prepare_pad(struct device *device, struct kernel *k, struct arena *arena, struct err *err)
{
    (void)device;
    (void)err;
    const struct op_attrs *a = &k->node->attrs;
    struct shape in = in_shape(k, 0), out = out_shape(k);
    struct paddings *p = arena_alloc(arena, sizeof *p);
    int64_t from[RANK_MAX];
    shape_strides(in, from);
    p->n = shape_elements(out);
    memcpy(&p->fill, &a->value, sizeof p->fill);
    for (int i = 0; i < in.rank; i++)
        add_padding(p,
                    (struct padding){.dim = {.by = out.dim[i]},
                                     .spacing = {.by = a->stride[i]},
                                     .before = a->begin[i],
                                     .extent = (in.dim[i] - 1) * a->stride[i] + 1,
                                     .stride = from[i]},
                    in.dim[i]);
    for (int i = 0; i < p->rank; i++) {
        p->axis[i].dim = divisor_of(p->axis[i].dim.by, p->n);
        p->axis[i].spacing = divisor_of(p->axis[i].spacing.by, p->n);
    }
    k->prepared = p;
    k->run = run_pad;
    return true;
}
