/* rows_sums.h - loops over a row that end in one number, in a fixed order: PARTS partial sums (maxima), then a tree;
 * and what is divided by such a sum. Only rows.c includes this.
 */
#ifndef ENGINE_CPU_ROWS_SUMS_H
#define ENGINE_CPU_ROWS_SUMS_H

#include "engine/cpu/rows.h"
#include "engine/cpu/rows_functions.h"
#include "engine/cpu/vector_functions.h"

enum { PARTS = 16 };

/* PARTS numbers become one, in registers: halves over each other, until one number is left. */
typedef float eight __attribute__((vector_size(32)));
typedef float four __attribute__((vector_size(16)));

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

/* The first operand where it is better or NaN. */
INLINE vec vec_larger(vec best, vec x)
{
    return vec_choose(vec_less(x, best), best, vec_choose(vec_same(best, best), x, best));
}

INLINE vec vec_smaller(vec best, vec x)
{
    return vec_choose(vec_less(best, x), best, vec_choose(vec_same(best, best), x, best));
}

#define EXTREME(name, vec_better, better)                                                                              \
    static float name(const float *x, int64_t n)                                                                       \
    {                                                                                                                  \
        vec part = vec_all(x[0]);                                                                                      \
        int64_t i = 0;                                                                                                 \
        for (; i + LANES <= n; i += LANES)                                                                             \
            part = vec_better(part, vec_load(x + i));                                                                  \
        float best = part[0];                                                                                          \
        for (int k = 1; k < LANES; k++)                                                                                \
            best = ((best better part[k]) | (best != best)) ? best : part[k];                                          \
        for (; i < n; i++)                                                                                             \
            best = ((best better x[i]) | (best != best)) ? best : x[i];                                                \
        return best;                                                                                                   \
    }
EXTREME(max, vec_larger, >)
EXTREME(min, vec_smaller, <)

static void scale(float *x, float factor, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] *= factor;
}

static float exp_sum(float *out, const float *x, float shift, int64_t n)
{
    vec parts[PARTS / LANES] = {0};
    float part[PARTS];
    int64_t i = 0;
    for (; i + PARTS <= n; i += PARTS)
        for (int v = 0; v < PARTS / LANES; v++) {
            vec e = vec_exp(vec_load(x + i + v * LANES) - shift);
            vec_store(out + i + v * LANES, e);
            parts[v] += e;
        }
    memcpy(part, parts, sizeof part);
    for (int k = 0; i < n; i += LANES, k += LANES) {
        vec e = vec_exp(vec_load_part(x + i, n - i) - shift);
        vec_store_part(out + i, e, n - i);
        vec_store(part + k, vec_load(part + k) + vec_choose(where_first(n - i), e, vec_all(0)));
    }
    return tree(part);
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
    for (int r = 0; r < ROWS_TOGETHER; r += LANES) {
        vec most = vec_all(-INFINITY), sums = {0};
        for (int64_t i = 0; i < n; i++)
            most = vec_larger(most, vec_load(&t[i][r]));
        for (int64_t i = 0; i < n; i++) {
            vec e = vec_exp(vec_load(&t[i][r]) - most);
            vec_store(&t[i][r], e);
            sums += e;
        }
        vec_store(top + r, most);
        vec_store(total + r, sums);
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
