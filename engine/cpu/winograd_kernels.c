/* winograd_kernels.c - see conv_kernels.h. Compiled once per instruction set; WINOGRAD_KERNELS_TABLE names the table.
 *
 * One-dimensional transforms over six (or four, or three) vectors of channels, applied to the columns and then to the
 * rows of a tile. With points 0, +-a, +-b, infinity:
 *
 *     B^T = | a2b2   0   -(a2+b2)  0  1  0 |   A^T = | 1  1  1  1  1  0 |   G = | 1/a2b2    0      0   |
 *           |  0   -ab2   -b2      a  1  0 |         | 0  a -a  b -b  0 |       | 1/na    a/na   a2/na |
 *           |  0    ab2   -b2     -a  1  0 |         | 0 a2 a2 b2 b2  0 |       | 1/na   -a/na   a2/na |
 *           |  0   -ba2   -a2      b  1  0 |         | 0 a3 -a3 b3 -b3 1|       | 1/nb    b/nb   b2/nb |
 *           |  0    ba2   -a2     -b  1  0 |                                    | 1/nb   -b/nb   b2/nb |
 *           |  0   a2b2    0  -(a2+b2) 0 1 |   na = 2 a2 (a2 - b2)              |   0       0      1   |
 *                                              nb = -2 b2 (a2 - b2)
 */
#include "engine/cpu/conv_kernels.h"
#include "engine/cpu/vectors.h"

#define A1 0.625f
#define B1 1.5f
#define A2 (A1 * A1)
#define B2 (B1 * B1)
#define A3 (A2 * A1)
#define B3 (B2 * B1)
#define A2B2 (A2 * B2)
#define SUM2 (A2 + B2)
#define NA (2 * A2 * (A2 - B2))
#define NB (-2 * B2 * (A2 - B2))

INLINE void input_1d(const vec *d, vec *r)
{
    vec ea = d[4] - B2 * d[2], oa = A1 * d[3] - A1 * B2 * d[1];
    vec eb = d[4] - A2 * d[2], ob = B1 * d[3] - B1 * A2 * d[1];
    r[0] = A2B2 * d[0] - SUM2 * d[2] + d[4];
    r[1] = ea + oa;
    r[2] = ea - oa;
    r[3] = eb + ob;
    r[4] = eb - ob;
    r[5] = A2B2 * d[1] - SUM2 * d[3] + d[5];
}

INLINE void output_1d(const vec *m, vec *y)
{
    vec sa = m[1] + m[2], da = m[1] - m[2], sb = m[3] + m[4], db = m[3] - m[4];
    y[0] = m[0] + sa + sb;
    y[1] = A1 * da + B1 * db;
    y[2] = A2 * sa + B2 * sb;
    y[3] = A3 * da + (B3 * db + m[5]);
}

INLINE void output_gradient_1d(const vec *y, vec *m)
{
    vec ea = y[0] + A2 * y[2], oa = A1 * y[1] + A3 * y[3];
    vec eb = y[0] + B2 * y[2], ob = B1 * y[1] + B3 * y[3];
    m[0] = y[0];
    m[1] = ea + oa;
    m[2] = ea - oa;
    m[3] = eb + ob;
    m[4] = eb - ob;
    m[5] = y[3];
}

INLINE void filter_1d(const vec *w, vec *u)
{
    vec ea = (1 / NA) * w[0] + (A2 / NA) * w[2], oa = (A1 / NA) * w[1];
    vec eb = (1 / NB) * w[0] + (B2 / NB) * w[2], ob = (B1 / NB) * w[1];
    u[0] = (1 / A2B2) * w[0];
    u[1] = ea + oa;
    u[2] = ea - oa;
    u[3] = eb + ob;
    u[4] = eb - ob;
    u[5] = w[2];
}

INLINE void filter_gradient_1d(const vec *u, vec *w)
{
    vec sa = (1 / NA) * (u[1] + u[2]), da = (A1 / NA) * (u[1] - u[2]);
    vec sb = (1 / NB) * (u[3] + u[4]), db = (B1 / NB) * (u[3] - u[4]);
    w[0] = (1 / A2B2) * u[0] + sa + sb;
    w[1] = da + db;
    w[2] = A2 * sa + (B2 * sb + u[5]);
}

/* Both passes for one vector of channels, LOAD(i, j) -> STORE(k, l, value): the columns of IN x IN numbers, then the
 * rows. */
#define BOTH_WAYS(transform, IN, OUT, LOAD, STORE)                                                                     \
    do {                                                                                                               \
        vec half[OUT][IN], one[WINOGRAD_IN], result[WINOGRAD_IN];                                                      \
        _Pragma("GCC unroll 1") for (int j = 0; j < IN; j++)                                                           \
        {                                                                                                              \
            _Pragma("GCC unroll 6") for (int i = 0; i < IN; i++) one[i] = LOAD(i, j);                                  \
            transform(one, result);                                                                                    \
            _Pragma("GCC unroll 6") for (int k = 0; k < OUT; k++) half[k][j] = result[k];                              \
        }                                                                                                              \
        _Pragma("GCC unroll 1") for (int k = 0; k < OUT; k++)                                                          \
        {                                                                                                              \
            transform(half[k], result);                                                                                \
            _Pragma("GCC unroll 6") for (int l = 0; l < OUT; l++) STORE(k, l, result[l]);                              \
        }                                                                                                              \
    } while (0)

#define PIXEL(i, j) (tile->at + ((i)*tile->width + (j)) * tile->channels + c)
#define INSIDE(i, j) ((i) >= tile->top && (i) < tile->bottom && (j) >= tile->left && (j) < tile->right)
#define LOAD_WHOLE(i, j) vec_load(image + PIXEL(i, j))
#define LOAD_PART(i, j) (INSIDE(i, j) ? vec_load_part(image + PIXEL(i, j), n) : (vec){0})
#define STORE_WHOLE(k, l, value) vec_store(image + PIXEL(k, l), value)
#define STORE_PART(k, l, value)                                                                                        \
    do {                                                                                                               \
        if (INSIDE(k, l))                                                                                              \
            vec_store_part(image + PIXEL(k, l), value, n);                                                             \
    } while (0)
#define LOAD_PLANE(i, j) vec_load(from + ((i)*WINOGRAD_IN + (j)) * plane)
#define STORE_PLANE(k, l, value) vec_store(to + ((k)*WINOGRAD_IN + (l)) * plane, value)
#define LOAD_TAP(i, j) vec_load_part(from + ((i)*3 + (j)) * tap, n)
#define STORE_TAP(k, l, value) vec_store_part(to + ((k)*3 + (l)) * tap, value, n)

static bool is_whole(const struct winograd_tile *tile, int size)
{
    return tile->top <= 0 && tile->left <= 0 && tile->bottom >= size && tile->right >= size;
}

static void input(float *v, int64_t plane, const float *image, const struct winograd_tile *tile)
{
    bool whole = is_whole(tile, WINOGRAD_IN);
    for (int64_t c = 0; c < tile->channels; c += LANES) {
        int64_t n = tile->channels - c;
        float *to = v + c;
        if (whole && n >= LANES)
            BOTH_WAYS(input_1d, WINOGRAD_IN, WINOGRAD_IN, LOAD_WHOLE, STORE_PLANE);
        else
            BOTH_WAYS(input_1d, WINOGRAD_IN, WINOGRAD_IN, LOAD_PART, STORE_PLANE);
    }
}

static void output(float *image, const struct winograd_tile *tile, const float *m, int64_t plane)
{
    bool whole = is_whole(tile, WINOGRAD_OUT);
    for (int64_t c = 0; c < tile->channels; c += LANES) {
        int64_t n = tile->channels - c;
        const float *from = m + c;
        if (whole && n >= LANES)
            BOTH_WAYS(output_1d, WINOGRAD_IN, WINOGRAD_OUT, LOAD_PLANE, STORE_WHOLE);
        else
            BOTH_WAYS(output_1d, WINOGRAD_IN, WINOGRAD_OUT, LOAD_PLANE, STORE_PART);
    }
}

static void output_gradient(float *m, int64_t plane, const float *image, const struct winograd_tile *tile)
{
    bool whole = is_whole(tile, WINOGRAD_OUT);
    for (int64_t c = 0; c < tile->channels; c += LANES) {
        int64_t n = tile->channels - c;
        float *to = m + c;
        if (whole && n >= LANES)
            BOTH_WAYS(output_gradient_1d, WINOGRAD_OUT, WINOGRAD_IN, LOAD_WHOLE, STORE_PLANE);
        else
            BOTH_WAYS(output_gradient_1d, WINOGRAD_OUT, WINOGRAD_IN, LOAD_PART, STORE_PLANE);
    }
}

static void filter(float *u, int64_t plane, const float *w, int64_t tap, int64_t channels)
{
    for (int64_t c = 0; c < channels; c += LANES) {
        int64_t n = channels - c;
        const float *from = w + c;
        float *to = u + c;
        BOTH_WAYS(filter_1d, 3, WINOGRAD_IN, LOAD_TAP, STORE_PLANE);
    }
}

static void filter_gradient(float *w, int64_t tap, const float *u, int64_t plane, int64_t channels)
{
    for (int64_t c = 0; c < channels; c += LANES) {
        int64_t n = channels - c;
        const float *from = u + c;
        float *to = w + c;
        BOTH_WAYS(filter_gradient_1d, WINOGRAD_IN, 3, LOAD_PLANE, STORE_TAP);
    }
}

extern const struct winograd_kernels WINOGRAD_KERNELS_TABLE;
const struct winograd_kernels WINOGRAD_KERNELS_TABLE = {
    .input = input,
    .output = output,
    .output_gradient = output_gradient,
    .filter = filter,
    .filter_gradient = filter_gradient,
};
