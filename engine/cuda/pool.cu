/* pool.cu - max and average pooling, see launches.h. A thread has one position of y, or of x for the gradient, with as
 * many channels as it has lanes; for the gradient it sums over the windows that its position is in, in order. */
#include "engine/cuda/grid.h"
#include "engine/cuda/launches.h"

/* Channels that lie side by side: 4, or 1 and then the others mean nothing. */
enum { LANES = 4 };

/* struct `name` of LANES elements, and how one is read and written. */
#define SIDE_BY_SIDE(name, element, vector)                                                                            \
    struct name {                                                                                                      \
        element of[LANES];                                                                                             \
    };                                                                                                                 \
    __device__ static inline struct name load_##name(const element *x, int lanes)                                      \
    {                                                                                                                  \
        struct name out = {{0, 0, 0, 0}};                                                                              \
        if (lanes == LANES) {                                                                                          \
            vector v = *(const vector *)x;                                                                             \
            out.of[0] = v.x;                                                                                           \
            out.of[1] = v.y;                                                                                           \
            out.of[2] = v.z;                                                                                           \
            out.of[3] = v.w;                                                                                           \
        } else {                                                                                                       \
            out.of[0] = *x;                                                                                            \
        }                                                                                                              \
        return out;                                                                                                    \
    }                                                                                                                  \
    __device__ static inline void store_##name(element *y, struct name v, int lanes)                                   \
    {                                                                                                                  \
        if (lanes == LANES) {                                                                                          \
            vector all = {v.of[0], v.of[1], v.of[2], v.of[3]};                                                         \
            *(vector *)y = all;                                                                                        \
        } else {                                                                                                       \
            *y = v.of[0];                                                                                              \
        }                                                                                                              \
    }
SIDE_BY_SIDE(lanes, float, float4)
SIDE_BY_SIDE(numbers, int32_t, int4)

/* Image and first channel of a thread, and its position in each spatial axis. */
struct place {
    int64_t image, channel;
    int32_t at[3];
};

__device__ static inline int32_t split(int64_t *i, struct divisor by)
{
    int64_t rest = divide(*i, by);
    int32_t position = (int32_t)(*i - rest * by.by);
    *i = rest;
    return position;
}

__device__ static inline struct place place_in_y(const struct pooling *p, int64_t i)
{
    struct place place;
    place.channel = split(&i, p->groups) * p->lanes;
    place.at[2] = split(&i, p->axis[2].by_out);
    place.at[1] = split(&i, p->axis[1].by_out);
    place.at[0] = split(&i, p->axis[0].by_out);
    place.image = i;
    return place;
}

__device__ static inline struct place place_in_x(const struct pooling *p, int64_t i)
{
    struct place place;
    place.channel = split(&i, p->groups) * p->lanes;
    place.at[2] = split(&i, p->axis[2].by_in);
    place.at[1] = split(&i, p->axis[1].by_in);
    place.at[0] = split(&i, p->axis[0].by_in);
    place.image = i;
    return place;
}

__device__ static inline int64_t index_in_x(const struct pooling *p, const struct place *of, int32_t a, int32_t b,
                                            int32_t c)
{
    int64_t line = (of->image * p->axis[0].in + a) * p->axis[1].in + b;
    return (line * p->axis[2].in + c) * p->groups.by * p->lanes + of->channel;
}

__device__ static inline int64_t index_in_y(const struct pooling *p, const struct place *of, int32_t a, int32_t b,
                                            int32_t c)
{
    int64_t line = (of->image * p->axis[0].out + a) * p->axis[1].out + b;
    return (line * p->axis[2].out + c) * p->groups.by * p->lanes + of->channel;
}

/* first, first + step, ... up to end - 1 */
struct range {
    int32_t first, end;
};

/* The numbers of those positions of the window of output `out` that lie inside of x. */
__device__ static inline struct range inside(const struct window_axis *w, int32_t out)
{
    int32_t start = out * w->stride - w->before, left = w->in - start; /* left: from the first one to x's end */
    struct range r;
    r.first = start < 0 ? (int32_t)divide((int64_t)w->dilation - 1 - start, w->by_dilation) : 0;
    r.end = left > 0 ? (int32_t)divide((int64_t)left + w->dilation - 1, w->by_dilation) : 0;
    r.end = r.end < w->size ? r.end : w->size;
    return r;
}

/* The outputs whose windows reach over position `at` of x. */
__device__ static inline struct range outputs_at(const struct window_axis *w, int32_t at)
{
    int32_t shifted = at + w->before, reach = (w->size - 1) * w->dilation;
    struct range r;
    r.first = shifted > reach ? (int32_t)divide((int64_t)shifted - reach + w->stride - 1, w->by_stride) : 0;
    r.end = (int32_t)divide(shifted, w->by_stride) + 1;
    r.end = r.end < w->out ? r.end : w->out;
    return r;
}

/* The number of the position at which the window of output `out` has `at`; -1: it lies between two. */
__device__ static inline int32_t number_in(const struct window_axis *w, int32_t out, int32_t at)
{
    int32_t distance = at + w->before - out * w->stride, number = (int32_t)divide(distance, w->by_dilation);
    return number * w->dilation == distance ? number : -1;
}

/* Position `number` of the window of an output, in x. */
__device__ static inline int32_t position(const struct window_axis *w, int32_t out, int32_t number)
{
    return out * w->stride - w->before + number * w->dilation;
}

struct maximum {
    struct lanes value;
    struct numbers number; /* of its position in the window; -1: the window is empty */
};

__device__ static inline void take_larger(struct maximum *m, struct lanes v, int32_t number)
{
    for (int k = 0; k < LANES; k++)
        if (m->number.of[k] < 0 || v.of[k] > m->value.of[k] ||
            (v.of[k] != v.of[k] && m->value.of[k] == m->value.of[k])) {
            m->value.of[k] = v.of[k];
            m->number.of[k] = number;
        }
}

/* The first maximum of a window; a NaN is one. */
__device__ static inline struct maximum maximum_of(const struct pooling *p, const float *x, const struct place *y)
{
    const struct window_axis *w0 = &p->axis[0], *w1 = &p->axis[1], *w2 = &p->axis[2];
    struct range r0 = inside(w0, y->at[0]), r1 = inside(w1, y->at[1]), r2 = inside(w2, y->at[2]);
    struct maximum m = {{{-INFINITY, -INFINITY, -INFINITY, -INFINITY}}, {{-1, -1, -1, -1}}};
    for (int32_t a = r0.first; a < r0.end; a++)
        for (int32_t b = r1.first; b < r1.end; b++)
            for (int32_t c = r2.first; c < r2.end; c++) {
                int64_t at =
                    index_in_x(p, y, position(w0, y->at[0], a), position(w1, y->at[1], b), position(w2, y->at[2], c));
                take_larger(&m, load_lanes(x + at, p->lanes), (a * w1->size + b) * w2->size + c);
            }
    return m;
}

__global__ void max_pool(float *y, const float *x, const struct pooling p)
{
    for (int64_t i = grid_first(); i < p.n_y; i += grid_step()) {
        struct place place = place_in_y(&p, i);
        store_lanes(y + i * p.lanes, maximum_of(&p, x, &place).value, p.lanes);
    }
}

void launch_max_pool(void *stream, float *y, const float *x, const struct pooling *pooling)
{
    LAUNCH(max_pool, blocks_for(pooling->n_y), BLOCK, stream, y, x, *pooling);
}

__global__ void average_pool(float *y, const float *x, const struct pooling p)
{
    const struct window_axis *w0 = &p.axis[0], *w1 = &p.axis[1], *w2 = &p.axis[2];
    for (int64_t i = grid_first(); i < p.n_y; i += grid_step()) {
        struct place o = place_in_y(&p, i);
        struct range r0 = inside(w0, o.at[0]), r1 = inside(w1, o.at[1]), r2 = inside(w2, o.at[2]);
        int32_t count = 0;
        struct lanes sum = {{0, 0, 0, 0}};
        for (int32_t a = r0.first; a < r0.end; a++)
            for (int32_t b = r1.first; b < r1.end; b++)
                for (int32_t c = r2.first; c < r2.end; c++, count++) {
                    int64_t at = index_in_x(&p, &o, position(w0, o.at[0], a), position(w1, o.at[1], b),
                                            position(w2, o.at[2], c));
                    struct lanes v = load_lanes(x + at, p.lanes);
                    for (int k = 0; k < LANES; k++)
                        sum.of[k] += v.of[k];
                }
        for (int k = 0; k < LANES; k++)
            sum.of[k] = count ? sum.of[k] / (float)count : 0.0f;
        store_lanes(y + i * p.lanes, sum, p.lanes);
    }
}

void launch_average_pool(void *stream, float *y, const float *x, const struct pooling *pooling)
{
    LAUNCH(average_pool, blocks_for(pooling->n_y), BLOCK, stream, y, x, *pooling);
}

__global__ void pool_winners(int32_t *winner, const float *x, const struct pooling p)
{
    for (int64_t i = grid_first(); i < p.n_y; i += grid_step()) {
        struct place place = place_in_y(&p, i);
        store_numbers(winner + i * p.lanes, maximum_of(&p, x, &place).number, p.lanes);
    }
}

void launch_pool_winners(void *stream, int32_t *winner, const float *x, const struct pooling *pooling)
{
    LAUNCH(pool_winners, blocks_for(pooling->n_y), BLOCK, stream, winner, x, *pooling);
}

__global__ void max_pool_dx(float *dx, const int32_t *winner, const float *dy, const struct pooling p)
{
    const struct window_axis *w0 = &p.axis[0], *w1 = &p.axis[1], *w2 = &p.axis[2];
    for (int64_t i = grid_first(); i < p.n_x; i += grid_step()) {
        struct place e = place_in_x(&p, i);
        struct range r0 = outputs_at(w0, e.at[0]), r1 = outputs_at(w1, e.at[1]), r2 = outputs_at(w2, e.at[2]);
        struct lanes sum = {{0, 0, 0, 0}};
        for (int32_t a = r0.first; a < r0.end; a++)
            for (int32_t b = r1.first; b < r1.end; b++)
                for (int32_t c = r2.first; c < r2.end; c++) {
                    int32_t n0 = number_in(w0, a, e.at[0]), n1 = number_in(w1, b, e.at[1]);
                    int32_t n2 = number_in(w2, c, e.at[2]), number = (n0 * w1->size + n1) * w2->size + n2;
                    if (n0 < 0 || n1 < 0 || n2 < 0)
                        continue;
                    int64_t at = index_in_y(&p, &e, a, b, c);
                    struct numbers won = load_numbers(winner + at, p.lanes);
                    struct lanes v = load_lanes(dy + at, p.lanes);
                    for (int k = 0; k < LANES; k++)
                        sum.of[k] += won.of[k] == number ? v.of[k] : 0.0f;
                }
        store_lanes(dx + i * p.lanes, sum, p.lanes);
    }
}

void launch_max_pool_dx(void *stream, float *dx, const int32_t *winner, const float *dy, const struct pooling *pooling)
{
    LAUNCH(max_pool_dx, blocks_for(pooling->n_x), BLOCK, stream, dx, winner, dy, *pooling);
}

/* How many positions of the window of output `out` lie inside of x; 0 where position `at` is between two. */
__device__ static inline int32_t share(const struct window_axis *w, int32_t out, int32_t at)
{
    struct range r = inside(w, out);
    return number_in(w, out, at) < 0 ? 0 : r.end - r.first;
}

__global__ void average_pool_dx(float *dx, const float *dy, const struct pooling p)
{
    const struct window_axis *w0 = &p.axis[0], *w1 = &p.axis[1], *w2 = &p.axis[2];
    for (int64_t i = grid_first(); i < p.n_x; i += grid_step()) {
        struct place e = place_in_x(&p, i);
        struct range r0 = outputs_at(w0, e.at[0]), r1 = outputs_at(w1, e.at[1]), r2 = outputs_at(w2, e.at[2]);
        struct lanes sum = {{0, 0, 0, 0}};
        for (int32_t a = r0.first; a < r0.end; a++)
            for (int32_t b = r1.first; b < r1.end; b++)
                for (int32_t c = r2.first; c < r2.end; c++) {
                    int32_t count = share(w0, a, e.at[0]) * share(w1, b, e.at[1]) * share(w2, c, e.at[2]);
                    if (!count)
                        continue;
                    struct lanes v = load_lanes(dy + index_in_y(&p, &e, a, b, c), p.lanes);
                    for (int k = 0; k < LANES; k++)
                        sum.of[k] += v.of[k] / (float)count;
                }
        store_lanes(dx + i * p.lanes, sum, p.lanes);
    }
}

void launch_average_pool_dx(void *stream, float *dx, const float *dy, const struct pooling *pooling)
{
    LAUNCH(average_pool_dx, blocks_for(pooling->n_x), BLOCK, stream, dx, dy, *pooling);
}

__global__ void apart_max_pool_dx(float *dx, const float *x, const float *dy, const struct pooling p)
{
    const struct window_axis *w0 = &p.axis[0], *w1 = &p.axis[1], *w2 = &p.axis[2];
    for (int64_t i = grid_first(); i < p.n_y; i += grid_step()) {
        struct place o = place_in_y(&p, i);
        struct range r0 = inside(w0, o.at[0]), r1 = inside(w1, o.at[1]), r2 = inside(w2, o.at[2]);
        struct numbers won = maximum_of(&p, x, &o).number;
        struct lanes v = load_lanes(dy + i * p.lanes, p.lanes), own;
        for (int32_t a = r0.first; a < r0.end; a++)
            for (int32_t b = r1.first; b < r1.end; b++)
                for (int32_t c = r2.first; c < r2.end; c++) {
                    for (int k = 0; k < LANES; k++)
                        own.of[k] = won.of[k] == (a * w1->size + b) * w2->size + c ? v.of[k] : 0.0f;
                    int64_t at = index_in_x(&p, &o, position(w0, o.at[0], a), position(w1, o.at[1], b),
                                            position(w2, o.at[2], c));
                    store_lanes(dx + at, own, p.lanes);
                }
    }
}

void launch_apart_max_pool_dx(void *stream, float *dx, const float *x, const float *dy, const struct pooling *pooling)
{
    LAUNCH(apart_max_pool_dx, blocks_for(pooling->n_y), BLOCK, stream, dx, x, dy, *pooling);
}
