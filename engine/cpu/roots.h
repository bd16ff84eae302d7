/* roots.h - x / (sqrt(v) + epsilon) for 16 floats, without the processor's divider, which takes three times as long as
 * all the rest of an optimizer's update. AVX-512 only.
 *
 * Root and quotient are begun with 14 bits and refined by one Newton step each; both are then within one unit in the
 * last place. What these steps cannot do (infinity, numbers below zero, an epsilon that does not keep the quotient
 * finite) is divided.
 */
#ifndef ENGINE_CPU_ROOTS_H
#define ENGINE_CPU_ROOTS_H

#include <float.h>
#include <immintrin.h>

enum { CLASS_INFINITY = 0x08 | 0x10, CLASS_NEGATIVE = 0x40 };

static inline __m512 sqrt_newton(__m512 v)
{
    __m512 r = _mm512_rsqrt14_ps(_mm512_max_ps(_mm512_set1_ps(FLT_MIN), v)), s = _mm512_mul_ps(v, r);
    return _mm512_fmadd_ps(_mm512_fnmadd_ps(s, s, v), _mm512_mul_ps(r, _mm512_set1_ps(0.5f)), s);
}

static inline __m512 divide_newton(__m512 x, __m512 d)
{
    __m512 r = _mm512_rcp14_ps(d), q = _mm512_mul_ps(x, r);
    return _mm512_fmadd_ps(_mm512_fnmadd_ps(q, d, x), r, q);
}

static inline __m512 divide_by_root(__m512 x, __m512 v, float epsilon)
{
    if (epsilon < 1e-20f || _mm512_fpclass_ps_mask(v, CLASS_INFINITY | CLASS_NEGATIVE))
        return _mm512_div_ps(x, _mm512_add_ps(_mm512_sqrt_ps(v), _mm512_set1_ps(epsilon)));
    return divide_newton(x, _mm512_add_ps(sqrt_newton(v), _mm512_set1_ps(epsilon)));
}

#endif
