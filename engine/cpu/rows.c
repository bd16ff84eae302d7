/* rows.c - see rows.h. Compiled three times; ROWS_TABLE and ROWS_NAME name the table and the instruction set.
 * Every loop body is straight-line code so that the compiler vectorizes it, or written in vectors.
 */
#include "engine/cpu/rows.h"

#include "engine/cpu/philox.h"
#include "engine/cpu/rows_functions.h"
#include "engine/cpu/rows_sums.h"
#if defined(__AVX512F__)
#include "engine/cpu/roots.h"
#endif

extern const struct rows ROWS_TABLE;

#define STEP(name, expression)                                                                                         \
    static void step_##name(float *out, const float *pa, const float *pb, const float *pc, int n)                      \
    {                                                                                                                  \
        (void)pa, (void)pb, (void)pc;                                                                                  \
        _Pragma("GCC ivdep") for (int i = 0; i < n; i++)                                                               \
        {                                                                                                              \
            out[i] = (expression);                                                                                     \
        }                                                                                                              \
    }
/* Of one operand, a vector at a time. */
#define VECTOR_STEP(name)                                                                                              \
    static void step_##name(float *out, const float *pa, const float *pb, const float *pc, int n)                      \
    {                                                                                                                  \
        (void)pb, (void)pc;                                                                                            \
        int i = 0;                                                                                                     \
        for (; i + LANES <= n; i += LANES)                                                                             \
            vec_store(out + i, vec_##name(vec_load(pa + i)));                                                          \
        if (i < n)                                                                                                     \
            vec_store_part(out + i, vec_##name(vec_load_part(pa + i, n - i)), n - i);                                  \
    }
VECTOR_STEP(exp)
VECTOR_STEP(expm1)
VECTOR_STEP(tanh)
VECTOR_STEP(sigmoid)
VECTOR_STEP(erf)
VECTOR_STEP(gelu)
VECTOR_STEP(gelu_slope)

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
STEP(and, ((a != 0) & (b != 0)) ? 1.0f : 0.0f)
STEP(or, ((a != 0) | (b != 0)) ? 1.0f : 0.0f)
STEP(neg, -a)
STEP(not, a == 0 ? 1.0f : 0.0f)
STEP(abs, fabsf(a))
STEP(sign, a > 0 ? 1.0f : a < 0 ? -1.0f : a)
STEP(sqrt, sqrtf(a))
STEP(rsqrt, 1.0f / sqrtf(a))
STEP(square, (a * a))
STEP(log, log_1(a))
STEP(log1p, log1p_1(a))
STEP(sin, sinf(a))
STEP(cos, cosf(a))
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

/* As combine, of numbers rounded to bfloat16. */
static void combine_bfloat16(float *restrict y, const float *restrict x, const float *restrict matrix, int64_t k,
                             int64_t n)
{
    enum { TOGETHER = 4 };
    fill(y, 0, (int)n);
    for (; k > 0; k -= TOGETHER, x += TOGETHER, matrix += TOGETHER * n) {
        float factor[TOGETHER];
        int rows = k < TOGETHER ? (int)k : TOGETHER;
        for (int row = 0; row < rows; row++)
            factor[row] = bfloat16_1(x[row]);
        for (int64_t i = 0; i < n && rows == TOGETHER; i++) {
            float sum = y[i];
            for (int row = 0; row < TOGETHER; row++)
                sum += factor[row] * bfloat16_1(matrix[row * n + i]);
            y[i] = sum;
        }
        for (int row = 0; row < rows && rows < TOGETHER; row++)
            for (int64_t i = 0; i < n; i++)
                y[i] += factor[row] * bfloat16_1(matrix[row * n + i]);
    }
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

static void moments_into(float *restrict total, float *restrict squares, const float *restrict x,
                         const float *restrict shift, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float d = x[i] - shift[i];
        total[i] += d;
        squares[i] += d * d;
    }
}

static void norm_grad_into(float *restrict sum_dy, float *restrict sum_dy_xhat, const float *restrict dy,
                           const float *restrict x, const float *restrict mean, const float *restrict rstd, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        sum_dy[i] += dy[i];
        sum_dy_xhat[i] += dy[i] * ((x[i] - mean[i]) * rstd[i]);
    }
}

static void pick_max(float *restrict best, int32_t *restrict where, const float *restrict x, int32_t position,
                     int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        bool better = (x[i] > best[i]) | ((x[i] != x[i]) & (best[i] == best[i]));
        best[i] = better ? x[i] : best[i];
        where[i] = better ? position : where[i];
    }
}

static void add_where(float *restrict acc, const int32_t *restrict where, int32_t position, const float *restrict x,
                      int64_t n)
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
static void adam(float *w_new, float *m_new, float *v_new, const float *dw, const float *w, const float *m,
                 const float *v, float alpha, const float *c, int64_t n)
{
    const __m512 c1 = _mm512_set1_ps(c[0]), c2 = _mm512_set1_ps(c[1]), rate = _mm512_set1_ps(alpha);
    for (int64_t i = 0; i < n; i += PARTS) {
        __mmask16 part = (__mmask16)(n - i >= PARTS ? 0xffff : (1u << (n - i)) - 1);
        __m512 g = _mm512_maskz_loadu_ps(part, dw + i), mean = _mm512_maskz_loadu_ps(part, m + i);
        __m512 square = _mm512_maskz_loadu_ps(part, v + i);
        mean = _mm512_fmadd_ps(_mm512_sub_ps(g, mean), c1, mean);
        square = _mm512_fmadd_ps(_mm512_fmsub_ps(g, g, square), c2, square);
        _mm512_mask_storeu_ps(m_new + i, part, mean);
        _mm512_mask_storeu_ps(v_new + i, part, square);
        __m512 step = divide_by_root(_mm512_mul_ps(mean, rate), square, c[2]);
        _mm512_mask_storeu_ps(w_new + i, part, _mm512_sub_ps(_mm512_maskz_loadu_ps(part, w + i), step));
    }
}
#else
static void adam(float *w_new, float *m_new, float *v_new, const float *dw, const float *w, const float *m,
                 const float *v, float alpha, const float *c, int64_t n)
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
            [EXPR_ADD] = step_add,
            [EXPR_SUB] = step_sub,
            [EXPR_MUL] = step_mul,
            [EXPR_DIV] = step_div,
            [EXPR_POW] = step_pow,
            [EXPR_MIN] = step_min,
            [EXPR_MAX] = step_max,
            [EXPR_LT] = step_lt,
            [EXPR_LE] = step_le,
            [EXPR_GT] = step_gt,
            [EXPR_GE] = step_ge,
            [EXPR_EQ] = step_eq,
            [EXPR_NE] = step_ne,
            [EXPR_AND] = step_and,
            [EXPR_OR] = step_or,
            [EXPR_NEG] = step_neg,
            [EXPR_NOT] = step_not,
            [EXPR_ABS] = step_abs,
            [EXPR_SIGN] = step_sign,
            [EXPR_SQRT] = step_sqrt,
            [EXPR_RSQRT] = step_rsqrt,
            [EXPR_SQUARE] = step_square,
            [EXPR_EXP] = step_exp,
            [EXPR_EXPM1] = step_expm1,
            [EXPR_LOG] = step_log,
            [EXPR_LOG1P] = step_log1p,
            [EXPR_SIN] = step_sin,
            [EXPR_COS] = step_cos,
            [EXPR_TANH] = step_tanh,
            [EXPR_SIGMOID] = step_sigmoid,
            [EXPR_ERF] = step_erf,
            [EXPR_GELU] = step_gelu,
            [EXPR_GELU_SLOPE] = step_gelu_slope,
            [EXPR_FLOOR] = step_floor,
            [EXPR_CEIL] = step_ceil,
            [EXPR_ROUND] = step_round,
            [EXPR_IS_FINITE] = step_is_finite,
            [EXPR_BFLOAT16] = step_bfloat16,
            [EXPR_SELECT] = step_select,
        },
    .fill = fill,
    .from_i32 = from_i32,
    .add_into = add_into,
    .max_into = max_into,
    .min_into = min_into,
    .mul_into = mul_into,
    .axpy = axpy,
    .combine = combine,
    .combine_bfloat16 = combine_bfloat16,
    .scale = scale,
    .sum = sum,
    .dot = dot,
    .max = max,
    .min = min,
    .exp_sum = exp_sum,
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
