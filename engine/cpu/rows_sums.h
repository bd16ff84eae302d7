/* rows_sums.h - loops over a row that end in one number, in a fixed order: PARTS partial sums (maxima), then a tree;
 * and what is divided by such a sum. Only rows.c includes this.
 */
#ifndef ENGINE_CPU_ROWS_SUMS_H
#define ENGINE_CPU_ROWS_SUMS_H

#include "engine/cpu/rows.h"
#include "engine/cpu/rows_functions.h"
#include "engine/cpu/vectors.h"

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
                part[k] = ((part[k] better x[i + k]) | (part[k] != part[k])) ? part[k] : x[i + k];                     \
        for (int k = 0; i < n; i++, k++)                                                                               \
            part[k] = ((part[k] better x[i]) | (part[k] != part[k])) ? part[k] : x[i];                                 \
        float best = part[0];                                                                                          \
        for (int k = 1; k < PARTS; k++)                                                                                \
            best = ((best better part[k]) | (best != best)) ? best : part[k];                                          \
        return best;                                                                                                   \
    }
EXTREME(max, >)
EXTREME(min, <)

static void scale(float *x, float factor, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] *= factor;
}

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

static void layer_norm_gradient(float *restrict dx, float *restrict dgamma, float *restrict dbeta,
                                const float *restrict x, const float *restrict dy, const float *restrict gamma,
                                float mean, float rstd, int64_t n)
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
            top[r] = ((top[r] > t[i][r]) | (top[r] != top[r])) ? top[r] : t[i][r];
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

#endif
