/* norm_kernels.c - see norm_kernels.h. Compiled once per instruction set; NORM_KERNELS_TABLE names the table.
 *
 * Columns are taken in groups of vectors whose sums and factors stay in registers while all rows pass.
 */
#include "engine/cpu/norm_kernels.h"
#include "engine/cpu/vectors.h"

enum { GROUP = 4 };

/* Calls body(V, n, ...) for groups of GROUP whole vectors, then for single ones, of which the last may be a part of
 * one. */
#define EACH_GROUP(width, body)                                                                                        \
    do {                                                                                                               \
        int64_t c = 0;                                                                                                 \
        for (; c + GROUP * LANES <= (width); c += GROUP * LANES)                                                       \
            body(GROUP, LANES);                                                                                        \
        for (; c < (width); c += LANES)                                                                                \
            body(1, (width)-c);                                                                                        \
    } while (0)

INLINE void load_group(int vectors, vec *v, const float *p, int64_t n)
{
#pragma GCC unroll 4
    for (int i = 0; i < vectors; i++)
        v[i] = vec_load_part(p + i * LANES, n);
}

INLINE void store_group(int vectors, float *p, const vec *v, int64_t n)
{
#pragma GCC unroll 4
    for (int i = 0; i < vectors; i++)
        vec_store_part(p + i * LANES, v[i], n);
}

INLINE void moments_group(int vectors, int64_t n, float *sum, float *squares, const float *x, const float *shift,
                          int64_t rows, int64_t width)
{
    vec s[GROUP], q[GROUP], from[GROUP], one[GROUP];
    load_group(vectors, s, sum, n);
    load_group(vectors, q, squares, n);
    load_group(vectors, from, shift, n);
    for (int64_t r = 0; r < rows; r++) {
        load_group(vectors, one, x + r * width, n);
#pragma GCC unroll 4
        for (int i = 0; i < vectors; i++) {
            vec d = one[i] - from[i];
            s[i] += d;
            q[i] += d * d;
        }
    }
    store_group(vectors, sum, s, n);
    store_group(vectors, squares, q, n);
}

static void moments(float *sum, float *squares, const float *x, const float *shift, int64_t rows, int64_t width)
{
#define MOMENTS(vectors, n) moments_group(vectors, n, sum + c, squares + c, x + c, shift + c, rows, width)
    EACH_GROUP(width, MOMENTS);
}

INLINE void apply_group(int vectors, int64_t n, float *y, const float *x, const float *scale, const float *shift,
                        int64_t rows, int64_t width)
{
    vec factor[GROUP], add[GROUP], one[GROUP];
    load_group(vectors, factor, scale, n);
    load_group(vectors, add, shift, n);
    for (int64_t r = 0; r < rows; r++) {
        load_group(vectors, one, x + r * width, n);
#pragma GCC unroll 4
        for (int i = 0; i < vectors; i++)
            one[i] = one[i] * factor[i] + add[i];
        store_group(vectors, y + r * width, one, n);
    }
}

static void apply(float *y, const float *x, const float *scale, const float *shift, int64_t rows, int64_t width)
{
#define APPLY(vectors, n) apply_group(vectors, n, y + c, x + c, scale + c, shift + c, rows, width)
    EACH_GROUP(width, APPLY);
}

INLINE void sums_group(int vectors, int64_t n, float *sum, float *inner, const float *dy, const float *x,
                       const float *mean, int64_t rows, int64_t width)
{
    vec s[GROUP], p[GROUP], middle[GROUP], d[GROUP], one[GROUP];
    load_group(vectors, s, sum, n);
    load_group(vectors, p, inner, n);
    load_group(vectors, middle, mean, n);
    for (int64_t r = 0; r < rows; r++) {
        load_group(vectors, d, dy + r * width, n);
        load_group(vectors, one, x + r * width, n);
#pragma GCC unroll 4
        for (int i = 0; i < vectors; i++) {
            s[i] += d[i];
            p[i] += d[i] * (one[i] - middle[i]);
        }
    }
    store_group(vectors, sum, s, n);
    store_group(vectors, inner, p, n);
}

static void gradient_sums(float *sum, float *inner, const float *dy, const float *x, const float *mean, int64_t rows,
                          int64_t width)
{
#define SUMS(vectors, n) sums_group(vectors, n, sum + c, inner + c, dy + c, x + c, mean + c, rows, width)
    EACH_GROUP(width, SUMS);
}

INLINE void gradient_group(int vectors, int64_t n, float *dx, const float *dy, const float *x, const float *from_dy,
                           const float *from_x, const float *constant, int64_t rows, int64_t width)
{
    vec by_dy[GROUP], by_x[GROUP], add[GROUP], d[GROUP], one[GROUP];
    load_group(vectors, by_dy, from_dy, n);
    load_group(vectors, by_x, from_x, n);
    load_group(vectors, add, constant, n);
    for (int64_t r = 0; r < rows; r++) {
        load_group(vectors, d, dy + r * width, n);
        load_group(vectors, one, x + r * width, n);
#pragma GCC unroll 4
        for (int i = 0; i < vectors; i++)
            d[i] = d[i] * by_dy[i] + (one[i] * by_x[i] + add[i]);
        store_group(vectors, dx + r * width, d, n);
    }
}

static void gradient(float *dx, const float *dy, const float *x, const float *from_dy, const float *from_x,
                     const float *constant, int64_t rows, int64_t width)
{
#define GRADIENT(vectors, n)                                                                                           \
    gradient_group(vectors, n, dx + c, dy + c, x + c, from_dy + c, from_x + c, constant + c, rows, width)
    EACH_GROUP(width, GRADIENT);
}

extern const struct norm_kernels NORM_KERNELS_TABLE;
const struct norm_kernels NORM_KERNELS_TABLE = {
    .moments = moments,
    .apply = apply,
    .gradient_sums = gradient_sums,
    .gradient = gradient,
};
