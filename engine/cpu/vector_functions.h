/* vector_functions.h - exp and what is made of it, of the numbers of a vector at a time. Infinity and NaN travel.
 *
 * Polynomials: exp and tanh after Cephes' single-precision ranges; erf by own Chebyshev fits; the relative error is
 * below 2e-7 (of normal_below the absolute one). With AVX-512 a quotient is begun with 14 bits and refined by one
 * Newton step, to within one unit in the last place: the divider would take as long as all the rest.
 */
#ifndef ENGINE_CPU_VECTOR_FUNCTIONS_H
#define ENGINE_CPU_VECTOR_FUNCTIONS_H

#include "engine/cpu/vectors.h"

#include <math.h>

/* vec_less(a, b) where a < b, element by element; vec_same(a, a) where a is a number; where_first(n) in the first n.
 * vec_choose(where, a, b): a there, b elsewhere. vec_min and vec_max give the second operand where one is NaN. */
#if defined(__AVX512F__)
typedef __mmask16 vec_where;

INLINE vec_where vec_less(vec a, vec b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}

INLINE vec_where vec_same(vec a, vec b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ);
}

INLINE vec_where where_first(int64_t n)
{
    return mask_first(n);
}

INLINE vec vec_choose(vec_where where, vec a, vec b)
{
    return _mm512_mask_blend_ps(where, b, a);
}

INLINE vec vec_min(vec a, vec b)
{
    return _mm512_min_ps(a, b);
}

INLINE vec vec_max(vec a, vec b)
{
    return _mm512_max_ps(a, b);
}
#else
typedef int32_t vec_where __attribute__((vector_size(LANES * 4)));

INLINE vec_where vec_less(vec a, vec b)
{
    return a < b;
}

INLINE vec_where vec_same(vec a, vec b)
{
    return a == b;
}

INLINE vec_where where_first(int64_t n)
{
    vec_where number;
    for (int i = 0; i < LANES; i++)
        number[i] = i;
    return number < (int32_t)(n < LANES ? n : LANES);
}

INLINE vec vec_choose(vec_where where, vec a, vec b)
{
    return (vec)(((vec_where)a & where) | ((vec_where)b & ~where));
}

INLINE vec vec_min(vec a, vec b)
{
    return vec_choose(vec_less(a, b), a, b);
}

INLINE vec vec_max(vec a, vec b)
{
    return vec_choose(vec_less(b, a), a, b);
}
#endif

/* The sum of the elements, halves over each other; the largest of elements that are no NaN. */
INLINE float vec_total(vec x)
{
#if defined(__AVX512F__)
    return _mm512_reduce_add_ps(x);
#else
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            x[i] += x[i + half];
    return x[0];
#endif
}

INLINE float vec_largest(vec x)
{
#if defined(__AVX512F__)
    return _mm512_reduce_max_ps(x);
#else
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            x[i] = x[i] > x[i + half] ? x[i] : x[i + half];
    return x[0];
#endif
}

typedef int32_t vec_bits __attribute__((vector_size(LANES * 4)));

INLINE vec vec_abs(vec x)
{
    return (vec)((vec_bits)x & 0x7fffffff);
}

/* The size of x with the sign of s. */
INLINE vec vec_signed(vec x, vec s)
{
    return (vec)(((vec_bits)x & 0x7fffffff) | ((vec_bits)s & INT32_MIN));
}

/* e^r for |r| <= log(2) / 2 */
INLINE vec exp_of_rest(vec r)
{
    vec p = vec_all(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    return p * (r * r) + r + 1.0f;
}

#if defined(__AVX512F__)
INLINE vec vec_exp(vec x)
{
    vec inside = vec_max(vec_all(-104.0f), vec_min(vec_all(104.0f), x)); /* 0 and infinity come by themselves there */
    vec n = _mm512_roundscale_ps(inside * 1.44269504f, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    vec r = inside - n * 0.693359375f - n * -2.12194440e-4f;
    return _mm512_scalef_ps(exp_of_rest(r), n);
}

/* 1 / d for d >= 1 */
INLINE vec vec_reciprocal(vec d)
{
    vec r = _mm512_rcp14_ps(d);
    return _mm512_mask_fmadd_ps(r, vec_less(d, vec_all(INFINITY)), _mm512_fnmadd_ps(d, r, vec_all(1.0f)), r);
}
#else
INLINE vec vec_exp(vec x)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer, in the low bits */
    vec inside = vec_max(vec_all(-87.4f), vec_min(vec_all(88.8f), x));
    vec shifted = inside * 1.44269504f + magic, n = shifted - magic;
    vec r = inside - n * 0.693359375f - n * -2.12194440e-4f;
    vec y = (vec)((vec_bits)exp_of_rest(r) + ((vec_bits)shifted << 23)); /* times 2^n: the result is a normal number */
    y = vec_choose(vec_less(vec_all(88.72283f), x), vec_all(INFINITY), y);
    y = vec_choose(vec_less(x, vec_all(-87.33654f)), vec_all(0.0f), y);
    return vec_choose(vec_same(x, x), y, x);
}

INLINE vec vec_reciprocal(vec d)
{
    return 1.0f / d;
}
#endif

INLINE vec vec_sigmoid(vec x)
{
    return vec_reciprocal(1.0f + vec_exp(-x));
}

INLINE vec vec_tanh(vec x)
{
    vec z = x * x, a = vec_abs(x);
    vec p = vec_all(-5.70498872745e-3f);
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    vec small = p * z * x + x;
    vec t = vec_exp(-2.0f * a);
    vec large = vec_signed((1.0f - t) * vec_reciprocal(1.0f + t), x);
    return vec_choose(vec_less(a, vec_all(0.625f)), small, large);
}

INLINE vec vec_erf(vec x)
{
    vec a = vec_abs(x), z = x * x;
    vec p = vec_all(7.8824975e-05f);
    p = p * z - 8.018855e-04f;
    p = p * z + 5.1893121e-03f;
    p = p * z - 2.6854329e-02f;
    p = p * z + 1.12835974e-01f;
    p = p * z - 3.7612626e-01f;
    p = p * z + 1.12837911f;
    vec b = vec_min(vec_all(4.0f), a), q = vec_all(-1.6140616e-06f);
    q = q * b + 4.5590623e-05f;
    q = q * b - 5.9276953e-04f;
    q = q * b + 4.7402224e-03f;
    q = q * b - 2.6364718e-02f;
    q = q * b + 1.0997824e-01f;
    q = q * b + 6.3193709e-01f;
    q = q * b + 1.13016665f;
    q = q * b - 3.0321296e-04f;
    return vec_choose(vec_less(a, vec_all(1.0f)), p * x, vec_signed(1.0f - vec_exp(-q), x));
}

/* The normal distribution below x, given its density at x (Abramowitz and Stegun 26.2.17, absolute error 7.5e-8). */
INLINE vec normal_below(vec x, vec density)
{
    vec t = vec_reciprocal(1.0f + 0.2316419f * vec_abs(x));
    vec p = vec_all(1.330274429f);
    p = p * t - 1.821255978f;
    p = p * t + 1.781477937f;
    p = p * t - 0.356563782f;
    p = p * t + 0.319381530f;
    vec tail = density * p * t;
    return vec_choose(vec_less(x, vec_all(0.0f)), tail, 1.0f - tail);
}

INLINE vec vec_gelu(vec x)
{
    return x * normal_below(x, 0.39894228f * vec_exp(-0.5f * x * x));
}

INLINE vec vec_gelu_slope(vec x)
{
    vec density = 0.39894228f * vec_exp(-0.5f * x * x);
    return normal_below(x, density) + x * density;
}

INLINE vec vec_expm1(vec x)
{
    vec p = vec_all(1.9841270e-4f);
    p = p * x + 1.3888889e-3f;
    p = p * x + 8.3333333e-3f;
    p = p * x + 4.1666667e-2f;
    p = p * x + 1.6666667e-1f;
    p = p * x + 0.5f;
    return vec_choose(vec_less(vec_abs(x), vec_all(0.35f)), p * x * x + x, vec_exp(x) - 1.0f);
}

#endif
