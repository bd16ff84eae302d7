/* rows.c - see rows.h. Compiled three times; ROWS_TABLE and ROWS_NAME name the table and the instruction set.
 *
 * Polynomials: exp, tanh after Cephes' single-precision ranges, log after FreeBSD's e_logf; erf by own Chebyshev fits (relative error
 * below 2e-7). Every loop body is straight-line code so that the compiler vectorizes it.
 */
#include "engine/cpu/rows.h"

#include "engine/cpu/philox.h"
#include "engine/cpu/vectors.h"

#include <math.h>
#if defined(__AVX512F__)
#include "engine/cpu/roots.h"
#endif

extern const struct rows ROWS_TABLE;

static inline float bits_to_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t float_to_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float power_of_two(int32_t n)
{
    return bits_to_float((uint32_t)(n + 127) << 23);
}

static inline float exp_1(float x)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    float inside = x > 88.8f ? 88.8f : x < -87.4f ? -87.4f : x;
    float n = inside * 1.44269504f + magic - magic;
    float r = inside - n * 0.693359375f - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int32_t whole = (int32_t)(n == n ? n : 0), half = whole >> 1;
    p = p * power_of_two(half) * power_of_two(whole - half);
    return x > 88.72283f ? INFINITY : x < -87.33654f ? 0.0f : p;
}

static inline float log_1(float x)
{
    uint32_t bits = float_to_bits(x);
    int32_t e = (int32_t)(bits - 0x3f3504f3u) >> 23;
    float f = bits_to_float(bits - ((uint32_t)e << 23)) - 1.0f, k = (float)e;
    float s = f / (2.0f + f), z = s * s, w = z * z;
    float r = z * (0.66666662693f + w * 0.28498786688f) + w * (0.40000972152f + w * 0.24279078841f);
    float half = 0.5f * f * f;
    float y = s * (half + r) + k * 9.0580006145e-06f - half + f + k * 6.9313812256e-01f;
    y = x < 1.17549435e-38f ? (x < 0 ? NAN : -INFINITY) : y;
    return x < INFINITY ? y : x + x; /* infinity and NaN pass */
}

static inline float tanh_1(float x)
{
    float z = x * x, a = fabsf(x);
    float p = -5.70498872745e-3f;
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    float small = p * z * x + x;
    float t = exp_1(-2.0f * a);
    float large = copysignf((1.0f - t) / (1.0f + t), x);
    return a < 0.625f ? small : large;
}

static inline float sigmoid_1(float x)
{
    return 1.0f / (1.0f + exp_1(-x));
}

static inline float erf_1(float x)
{
    float a = fabsf(x), z = x * x;
    float p = 7.8824975e-05f;
    p = p * z - 8.018855e-04f;
    p = p * z + 5.1893121e-03f;
    p = p * z - 2.6854329e-02f;
    p = p * z + 1.12835974e-01f;
    p = p * z - 3.7612626e-01f;
    p = p * z + 1.12837911f;
    float b = a > 4.0f ? 4.0f : a;
    float q = -1.6140616e-06f;
    q = q * b + 4.5590623e-05f;
    q = q * b - 5.9276953e-04f;
    q = q * b + 4.7402224e-03f;
    q = q * b - 2.6364718e-02f;
    q = q * b + 1.0997824e-01f;
    q = q * b + 6.3193709e-01f;
    q = q * b + 1.13016665f;
    q = q * b - 3.0321296e-04f;
    float tail = copysignf(1.0f - exp_1(-q), x);
    return a < 1.0f ? p * x : a == a ? tail : x;
}

/* The normal distribution below x, given its density at x (Abramowitz and Stegun 26.2.17, absolute error 7.5e-8). */
static inline float normal_below(float x, float density)
{
    float t = 1.0f / (1.0f + 0.2316419f * fabsf(x));
    float p = 1.330274429f;
    p = p * t - 1.821255978f;
    p = p * t + 1.781477937f;
    p = p * t - 0.356563782f;
    p = p * t + 0.319381530f;
    float tail = density * p * t;
    return x < 0 ? tail : 1.0f - tail;
}

static inline float gelu_1(float x)
{
    return x * normal_below(x, 0.39894228f * exp_1(-0.5f * x * x));
}

static inline float gelu_slope_1(float x)
{
    float density = 0.39894228f * exp_1(-0.5f * x * x);
    return normal_below(x, density) + x * density;
}

static inline float expm1_1(float x)
{
    float p = 1.9841270e-4f;
    p = p * x + 1.3888889e-3f;
    p = p * x + 8.3333333e-3f;
    p = p * x + 4.1666667e-2f;
    p = p * x + 1.6666667e-1f;
    p = p * x + 0.5f;
    float small = p * x * x + x;
    return fabsf(x) < 0.35f ? small : exp_1(x) - 1.0f;
}

static inline float log1p_1(float x)
{
    float u = 1.0f + x;
    float y = log_1(u) + (x - (u - 1.0f)) / u;
    return u < INFINITY && u > 0.0f ? y : log_1(u);
}

static inline float round_1(float x)
{
    const float magic = 8388608.0f; /* 2^23: above it every float is whole */
    return fabsf(x) < magic ? copysignf(fabsf(x) + magic - magic, x) : x;
}

static inline float floor_1(float x)
{
    float y = round_1(x);
    return y > x ? y - 1.0f : y;
}

static inline float ceil_1(float x)
{
    float y = round_1(x);
    return copysignf(y < x ? y + 1.0f : y, x);
}

/* See round_to_bfloat16. */
static inline float bfloat16_1(float x)
{
    uint32_t bits = float_to_bits(x);
    float rounded = bits_to_float((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u);
    return x == x ? rounded : x;
}

#define STEP(name, expression)                                                                                         \
    static void step_##name(float *out, const float *pa, const float *pb, const float *pc, int n)                      \
    {                                                                                                                  \
        (void)pa, (void)pb, (void)pc;                                                                                  \
        _Pragma("GCC ivdep") for (int i = 0; i < n; i++)                                                               \
        {                                                                                                              \
            out[i] = (expression);                                                                                     \
        }                                                                                                              \
    }
#define a pa[i]
#define b pb[i]
#define c pc[i]
STEP(add, a + b)
STEP(sub, a - b)
STEP(mul, a *b)
STEP(div, a / b)
STEP(pow, powf(a, b))
STEP(min, a < b || a != a ? a : b)
STEP(max, a > b || a != a ? a : b)
STEP(lt, a < b ? 1.0f : 0.0f)
STEP(le, a <= b ? 1.0f : 0.0f)
STEP(gt, a > b ? 1.0f : 0.0f)
STEP(ge, a >= b ? 1.0f : 0.0f)
STEP(eq, a == b ? 1.0f : 0.0f)
STEP(ne, a != b ? 1.0f : 0.0f)
STEP(and, (a != 0) & (b != 0) ? 1.0f : 0.0f)
STEP(or, (a != 0) | (b != 0) ? 1.0f : 0.0f)
STEP(neg, -a)
STEP(not, a == 0 ? 1.0f : 0.0f)
STEP(abs, fabsf(a))
STEP(sign, a > 0 ? 1.0f : a < 0 ? -1.0f : a)
STEP(sqrt, sqrtf(a))
STEP(rsqrt, 1.0f / sqrtf(a))
STEP(square, (a * a))
STEP(exp, exp_1(a))
STEP(expm1, expm1_1(a))
STEP(log, log_1(a))
STEP(log1p, log1p_1(a))
STEP(sin, sinf(a))
STEP(cos, cosf(a))
STEP(tanh, tanh_1(a))
STEP(sigmoid, sigmoid_1(a))
STEP(erf, erf_1(a))
STEP(gelu, gelu_1(a))
STEP(gelu_slope, gelu_slope_1(a))
STEP(floor, floor_1(a))
STEP(ceil, ceil_1(a))
STEP(round, round_1(a))
STEP(bfloat16, bfloat16_1(a))
STEP(is_finite, fabsf(a) < INFINITY ? 1.0f : 0.0f)
STEP(select, a != 0 ? b : c)
#undef a
#undef b
#undef c

static void fill(float *out, float value, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = value;
}

static void from_i32(float *out, const int32_t *in, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = (float)in[i];
}

static void add_into(float *restrict acc, const float *restrict x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        acc[i] += x[i];
}

static void max_into(float *restrict acc, const float *restrict x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        acc[i] = acc[i] > x[i] || acc[i] != acc[i] ? acc[i] : x[i];
}

static void min_into(float *restrict acc, const float *restrict x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        acc[i] = acc[i] < x[i] || acc[i] != acc[i] ? acc[i] : x[i];
}

static void mul_into(float *restrict acc, const float *restrict x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        acc[i] *= x[i];
}

static void axpy(float *restrict acc, float factor, const float *restrict x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        acc[i] += factor * x[i];
}

static void combine(float *restrict y, const float *restrict x, const float *restrict matrix, int64_t k, int64_t n)
{
    enum { TOGETHER = 4 }; /* rows for each time that y is read and written */
    fill(y, 0, (int)n);
    for (; k >= TOGETHER; k -= TOGETHER, x += TOGETHER, matrix += TOGETHER * n)
        for (int64_t i = 0; i < n; i++) {
            float sum = y[i];
            for (int row = 0; row < TOGETHER; row++)
                sum += x[row] * matrix[row * n + i];
            y[i] = sum;
        }
    for (; k > 0; k--, matrix += n)
        axpy(y, *x++, matrix, n);
}

static void scale(float *x, float factor, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] *= factor;
}

enum { PARTS = 16 };

/* PARTS numbers become one, in registers: halves over each other, until one number is left. */
typedef float eight __attribute__((vector_size(32)));
typedef float four __attribute__((vector_size(16)));
typedef int32_t four_masks __attribute__((vector_size(16)));

static inline four larger(four a, four b)
{
    four_masks first = a > b;
    return (four)(((four_masks)a & first) | ((four_masks)b & ~first));
}

static inline float tree(const float *part)
{
    eight low, high;
    memcpy(&low, part, sizeof low);
    memcpy(&high, part + 8, sizeof high);
    low += high;
    four s = __builtin_shufflevector(low, low, 0, 1, 2, 3) + __builtin_shufflevector(low, low, 4, 5, 6, 7);
    s += __builtin_shufflevector(s, s, 2, 3, 2, 3);
    return s[0] + s[1];
}

/* Of two numbers the first where it is larger, else the second: NaN does not count unless all are. */
static inline float tree_of_largest(const float *part)
{
    four q[4];
    memcpy(q, part, sizeof q);
    four s = larger(larger(q[0], q[2]), larger(q[1], q[3]));
    s = larger(s, __builtin_shufflevector(s, s, 2, 3, 2, 3));
    return s[0] > s[1] ? s[0] : s[1];
}

static float sum(const float *x, int64_t n)
{
    float part[PARTS] = {0};
    int64_t i = 0;
    for (; i + PARTS <= n; i += PARTS)
        for (int k = 0; k < PARTS; k++)
            part[k] += x[i + k];
    for (int k = 0; i < n; i++, k++)
        part[k] += x[i];
    return tree(part);
}

static float dot(const float *x, const float *y, int64_t n)
{
    float part[PARTS] = {0};
    int64_t i = 0;
    for (; i + PARTS <= n; i += PARTS)
        for (int k = 0; k < PARTS; k++)
            part[k] += x[i + k] * y[i + k];
    for (int k = 0; i < n; i++, k++)
        part[k] += x[i] * y[i];
    return tree(part);
}

#define EXTREME(name, better)                                                                                          \
    static float name(const float *x, int64_t n)                                                                       \
    {                                                                                                                  \
        float part[PARTS];                                                                                             \
        for (int k = 0; k < PARTS; k++)                                                                                \
            part[k] = x[0];                                                                                            \
        int64_t i = 0;                                                                                                 \
        for (; i + PARTS <= n; i += PARTS)                                                                             \
            for (int k = 0; k < PARTS; k++)                                                                            \
                part[k] = (part[k] better x[i + k]) | (part[k] != part[k]) ? part[k] : x[i + k];                       \
        for (int k = 0; i < n; i++, k++)                                                                               \
            part[k] = (part[k] better x[i]) | (part[k] != part[k]) ? part[k] : x[i];                                   \
        float best = part[0];                                                                                          \
        for (int k = 1; k < PARTS; k++)                                                                                \
            best = (best better part[k]) | (best != best) ? best : part[k];                                            \
        return best;                                                                                                   \
    }
EXTREME(max, >)
EXTREME(min, <)

static float exp_sum(float *out, const float *x, float shift, int64_t n)
{
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++)
        out[i] = exp_1(x[i] - shift);
    return sum(out, n);
}

static void softmax(float *x, int64_t n)
{
    float most[PARTS], part[PARTS] = {0}, shift;
    int64_t i = 0, k;
    for (k = 0; k < PARTS; k++)
        most[k] = x[0];
    for (; i + PARTS <= n; i += PARTS)
        for (k = 0; k < PARTS; k++)
            most[k] = x[i + k] > most[k] ? x[i + k] : most[k];
    for (k = 0; i < n; i++, k++)
        most[k] = x[i] > most[k] ? x[i] : most[k];
    shift = tree_of_largest(most);
    for (i = 0; i + PARTS <= n; i += PARTS)
        for (k = 0; k < PARTS; k++) {
            x[i + k] = exp_1(x[i + k] - shift);
            part[k] += x[i + k];
        }
    for (k = 0; i < n; i++, k++) {
        x[i] = exp_1(x[i] - shift);
        part[k] += x[i];
    }
    scale(x, 1.0f / tree(part), n);
}

static void layer_norm_gradient(float *restrict dx, float *restrict dgamma, float *restrict dbeta, const float *restrict x,
                                const float *restrict dy, const float *restrict gamma, float mean, float rstd, int64_t n)
{
    float sums[PARTS] = {0}, inners[PARTS] = {0};
    int64_t i = 0;
#define TERM(i, k)                                                                                                     \
    do {                                                                                                               \
        float unit = (x[i] - mean) * rstd, d = dy[i] * gamma[i];                                                       \
        dgamma[i] += dy[i] * unit;                                                                                     \
        dbeta[i] += dy[i];                                                                                             \
        sums[k] += d;                                                                                                  \
        inners[k] += d * unit;                                                                                         \
    } while (0)
    for (; i + PARTS <= n; i += PARTS)
        for (int k = 0; k < PARTS; k++)
            TERM(i + k, k);
    for (int k = 0; i < n; i++, k++)
        TERM(i, k);
#undef TERM
    float total = tree(sums) / (float)n, inner = tree(inners) / (float)n;
    for (i = 0; i < n; i++)
        dx[i] = rstd * (dy[i] * gamma[i] - total - (x[i] - mean) * rstd * inner);
}

static float square_deviation(const float *x, float mean, int64_t n)
{
    float part[PARTS] = {0};
    int64_t i = 0;
    for (; i + PARTS <= n; i += PARTS)
        for (int k = 0; k < PARTS; k++)
            part[k] += (x[i + k] - mean) * (x[i + k] - mean);
    for (int k = 0; i < n; i++, k++)
        part[k] += (x[i] - mean) * (x[i] - mean);
    return tree(part);
}

static void normalize(float *restrict out, const float *restrict x, float mean, float rstd, const float *restrict gamma,
                      const float *restrict beta, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = (x[i] - mean) * rstd * gamma[i] + beta[i];
}

static void affine(float *out, const float *x, const float *factor, const float *shift, int64_t n)
{
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++)
        out[i] = x[i] * factor[i] + shift[i];
}

static void moments_into(float *restrict total, float *restrict squares, const float *restrict x, const float *restrict shift, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float d = x[i] - shift[i];
        total[i] += d;
        squares[i] += d * d;
    }
}

static void norm_grad_into(float *restrict sum_dy, float *restrict sum_dy_xhat, const float *restrict dy, const float *restrict x,
                           const float *restrict mean, const float *restrict rstd, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        sum_dy[i] += dy[i];
        sum_dy_xhat[i] += dy[i] * ((x[i] - mean[i]) * rstd[i]);
    }
}

static void pick_max(float *restrict best, int32_t *restrict where, const float *restrict x, int32_t position, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        bool better = (x[i] > best[i]) | ((x[i] != x[i]) & (best[i] == best[i]));
        best[i] = better ? x[i] : best[i];
        where[i] = better ? position : where[i];
    }
}

static void add_where(float *restrict acc, const int32_t *restrict where, int32_t position, const float *restrict x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        acc[i] += where[i] == position ? x[i] : 0.0f;
}

static void drop(float *y, const float *x, const float *u, float rate, float factor, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = u[i] >= rate ? x[i] * factor : 0.0f;
}

static void uniform(float *out, uint64_t seed, uint32_t stream, uint32_t step, uint64_t first_block, int n_blocks)
{
    float numbers[4 * PHILOX_LANES];
    int done = 0;
    for (; done + PHILOX_LANES <= n_blocks; done += PHILOX_LANES)
        philox_numbers(out + 4 * done, seed, stream, step, first_block + (uint64_t)done);
    if (done == n_blocks)
        return;
    philox_numbers(numbers, seed, stream, step, first_block + (uint64_t)done);
    memcpy(out + 4 * done, numbers, (size_t)(4 * (n_blocks - done)) * sizeof *out);
}

/* t[i][r] = x[r][i], for ROWS_TOGETHER rows of n; those behind the first `count` are the first one again. */
static void load_side_by_side(float (*t)[ROWS_TOGETHER], const float *x, int64_t n, int count)
{
    for (int r = 0; r < ROWS_TOGETHER; r += LANES)
        for (int64_t i = 0; i < n; i += LANES) {
            vec v[LANES];
            for (int k = 0; k < LANES; k++)
                v[k] = vec_load_part(x + (r + k < count ? r + k : 0) * n + i, n - i);
            vec_transpose(v);
            for (int k = 0; k < LANES && i + k < n; k++)
                vec_store(&t[i + k][r], v[k]);
        }
}

/* p[r][i] = t[i][r] * factor[r] */
static void store_side_by_side(float *p, float (*t)[ROWS_TOGETHER], const float *factor, int64_t n, int count)
{
    for (int r = 0; r < count; r += LANES)
        for (int64_t i = 0; i < n; i += LANES) {
            vec v[LANES], scaled = vec_load(factor + r);
            for (int k = 0; k < LANES; k++)
                v[k] = i + k < n ? vec_load(&t[i + k][r]) * scaled : (vec){0};
            vec_transpose(v);
            for (int k = 0; k < LANES && r + k < count; k++)
                vec_store_part(p + (r + k) * n + i, v[k], n - i);
        }
}

/* Rows side by side: every step is one loop over ROWS_TOGETHER of them. */
static void softmax_narrow(float *p, float *log_sum, const float *x, int64_t n, int count)
{
    _Alignas(64) float t[NARROW_MAX][ROWS_TOGETHER], top[ROWS_TOGETHER], total[ROWS_TOGETHER];
    load_side_by_side(t, x, n, count);
    for (int r = 0; r < ROWS_TOGETHER; r++)
        top[r] = -INFINITY;
    for (int64_t i = 0; i < n; i++)
        for (int r = 0; r < ROWS_TOGETHER; r++)
            top[r] = (top[r] > t[i][r]) | (top[r] != top[r]) ? top[r] : t[i][r];
    memset(total, 0, sizeof total);
    for (int64_t i = 0; i < n; i++)
        for (int r = 0; r < ROWS_TOGETHER; r++) {
            t[i][r] = exp_1(t[i][r] - top[r]);
            total[r] += t[i][r];
        }
    if (log_sum) {
        float sums[ROWS_TOGETHER];
        for (int r = 0; r < ROWS_TOGETHER; r++)
            sums[r] = top[r] + log_1(total[r]);
        memcpy(log_sum, sums, (size_t)count * sizeof *sums);
    }
    for (int r = 0; r < ROWS_TOGETHER; r++)
        total[r] = 1 / total[r];
    if (p)
        store_side_by_side(p, t, total, n, count);
}

static void add_max(float *out, const float *a, const float *b, float least, int64_t n)
{
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        float total = a[i] + b[i];
        out[i] = least > total ? least : total;
    }
}

static void where_above(float *out, const float *x, const float *y, float least, int64_t n)
{
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++)
        out[i] = x[i] > least ? y[i] : least;
}

static void add_above(float *out, const float *x, const float *a, const float *b, float least, int64_t n)
{
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        float total = a[i] + b[i];
        out[i] = x[i] > least ? total : least;
    }
}

static void descend(float *out, const float *w, const float *g, float rate, int64_t n)
{
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++)
        out[i] = w[i] - g[i] * rate;
}

#if defined(__AVX512F__)
static void adam(float *w_new, float *m_new, float *v_new, const float *dw, const float *w, const float *m, const float *v, float alpha,
                 const float *c, int64_t n)
{
    const __m512 c1 = _mm512_set1_ps(c[0]), c2 = _mm512_set1_ps(c[1]), rate = _mm512_set1_ps(alpha);
    for (int64_t i = 0; i < n; i += PARTS) {
        __mmask16 part = (__mmask16)(n - i >= PARTS ? 0xffff : (1u << (n - i)) - 1);
        __m512 g = _mm512_maskz_loadu_ps(part, dw + i), mean = _mm512_maskz_loadu_ps(part, m + i), square = _mm512_maskz_loadu_ps(part, v + i);
        mean = _mm512_fmadd_ps(_mm512_sub_ps(g, mean), c1, mean);
        square = _mm512_fmadd_ps(_mm512_fmsub_ps(g, g, square), c2, square);
        _mm512_mask_storeu_ps(m_new + i, part, mean);
        _mm512_mask_storeu_ps(v_new + i, part, square);
        __m512 step = divide_by_root(_mm512_mul_ps(mean, rate), square, c[2]);
        _mm512_mask_storeu_ps(w_new + i, part, _mm512_sub_ps(_mm512_maskz_loadu_ps(part, w + i), step));
    }
}
#else
static void adam(float *w_new, float *m_new, float *v_new, const float *dw, const float *w, const float *m, const float *v, float alpha,
                 const float *c, int64_t n)
{
    const float c1 = c[0], c2 = c[1], epsilon = c[2];
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        float g = dw[i], mean = m[i] + (g - m[i]) * c1, square = v[i] + (g * g - v[i]) * c2;
        m_new[i] = mean;
        v_new[i] = square;
        w_new[i] = w[i] - mean * alpha / (sqrtf(square) + epsilon);
    }
}
#endif

const struct rows ROWS_TABLE = {
    .name = ROWS_NAME,
    .step =
        {
            [EXPR_ADD] = step_add,     [EXPR_SUB] = step_sub,       [EXPR_MUL] = step_mul,       [EXPR_DIV] = step_div,
            [EXPR_POW] = step_pow,     [EXPR_MIN] = step_min,       [EXPR_MAX] = step_max,       [EXPR_LT] = step_lt,
            [EXPR_LE] = step_le,       [EXPR_GT] = step_gt,         [EXPR_GE] = step_ge,         [EXPR_EQ] = step_eq,
            [EXPR_NE] = step_ne,       [EXPR_AND] = step_and,       [EXPR_OR] = step_or,         [EXPR_NEG] = step_neg,
            [EXPR_NOT] = step_not,     [EXPR_ABS] = step_abs,       [EXPR_SIGN] = step_sign,     [EXPR_SQRT] = step_sqrt,
            [EXPR_RSQRT] = step_rsqrt, [EXPR_SQUARE] = step_square, [EXPR_EXP] = step_exp,       [EXPR_EXPM1] = step_expm1,
            [EXPR_LOG] = step_log,     [EXPR_LOG1P] = step_log1p,   [EXPR_SIN] = step_sin,       [EXPR_COS] = step_cos,
            [EXPR_TANH] = step_tanh,   [EXPR_SIGMOID] = step_sigmoid, [EXPR_ERF] = step_erf,     [EXPR_GELU] = step_gelu,   [EXPR_GELU_SLOPE] = step_gelu_slope,     [EXPR_FLOOR] = step_floor,
            [EXPR_CEIL] = step_ceil,   [EXPR_ROUND] = step_round,   [EXPR_IS_FINITE] = step_is_finite, [EXPR_BFLOAT16] = step_bfloat16, [EXPR_SELECT] = step_select,
        },
    .fill = fill,
    .from_i32 = from_i32,
    .add_into = add_into,
    .max_into = max_into,
    .min_into = min_into,
    .mul_into = mul_into,
    .axpy = axpy,
    .combine = combine,
    .scale = scale,
    .sum = sum,
    .dot = dot,
    .max = max,
    .min = min,
    .exp_sum = exp_sum,
    .softmax = softmax,
    .layer_norm_gradient = layer_norm_gradient,
    .square_deviation = square_deviation,
    .normalize = normalize,
    .affine = affine,
    .moments_into = moments_into,
    .pick_max = pick_max,
    .add_where = add_where,
    .drop = drop,
    .uniform = uniform,
    .norm_grad_into = norm_grad_into,
    .softmax_narrow = softmax_narrow,
    .add_max = add_max,
    .where_above = where_above,
    .add_above = add_above,
    .descend = descend,
    .adam = adam,
};
