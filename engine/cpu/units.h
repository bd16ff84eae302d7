/* units.h - vectors that hold several terms of the sums of several columns (gemm_along_k_kernel.c): loads that repeat
 * what they read or collect it from rows, and sums inside a vector. For files that are compiled for AVX2 or AVX-512.
 */
#ifndef ENGINE_CPU_UNITS_H
#define ENGINE_CPU_UNITS_H

#include "engine/cpu/quads.h"

typedef int32_t vec_numbers __attribute__((vector_size(LANES * 4)));
/* Numbers from LANES on are places in b; those that the compiler knows become its cheapest shuffles. */
#if defined(__clang__)
INLINE vec vec_shuffle(vec a, vec b, vec_numbers from)
{
    vec y;
    for (int i = 0; i < LANES; i++)
        y[i] = from[i] < LANES ? a[from[i]] : b[from[i] - LANES];
    return y;
}
#else
#define vec_shuffle(a, b, ...) __builtin_shuffle(a, b, __VA_ARGS__)
#endif
typedef double pair_at __attribute__((aligned(4), may_alias)); /* two floats anywhere in memory */

#if defined(__AVX512F__)
/* M(0), M(1), ... for a vec_numbers. */
#define EACH_LANE(M)                                                                                                   \
    M(0), M(1), M(2), M(3), M(4), M(5), M(6), M(7), M(8), M(9), M(10), M(11), M(12), M(13), M(14), M(15)

INLINE vec vec_permute(vec x, vec_numbers from)
{
    return _mm512_permutexvar_ps((__m512i)from, x);
}

/* Numbers from LANES on are places in b. */
INLINE vec vec_permute_two(vec a, vec b, vec_numbers from)
{
    return _mm512_permutex2var_ps(a, (__m512i)from, b);
}

/* Half a vector at p, twice; four or two floats, as often as they fit. */
INLINE vec vec_repeat_half(const float *p)
{
    return _mm512_broadcast_f32x8(_mm256_loadu_ps(p));
}

INLINE vec vec_repeat_quad(const float *p)
{
    return _mm512_broadcast_f32x4(_mm_loadu_ps(p));
}

INLINE vec vec_repeat_pair(const float *p)
{
    return _mm512_castpd_ps(_mm512_set1_pd(*(const pair_at *)p));
}

/* Halves, pairs or single floats at p, p + step, p + 2 * step, ...: one behind the other, as many as a vector holds. */
INLINE vec vec_halves(const float *p, int64_t step)
{
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(p)), _mm256_loadu_ps(p + step), 1);
}

INLINE vec vec_pairs(const float *p, int64_t step)
{
    __m512d x = _mm512_set1_pd(*(const pair_at *)p);
#pragma GCC unroll 8
    for (int i = 1; i < LANES / 2; i++)
        x = _mm512_mask_broadcastsd_pd(x, (__mmask8)(1 << i), _mm_set_sd(*(const pair_at *)(p + i * step)));
    return _mm512_castpd_ps(x);
}

/* Sums of neighbouring runs of `unit` floats: of a in the even runs of the result, of b in the odd ones. */
INLINE vec vec_fold(vec a, vec b, const int unit)
{
    const __m512i over_4 = _mm512_setr_epi32(4, 5, 6, 7, 16, 17, 18, 19, 12, 13, 14, 15, 24, 25, 26, 27);
    const __m512i over_1 = _mm512_setr_epi32(1, 16, 3, 18, 5, 20, 7, 22, 9, 24, 11, 26, 13, 28, 15, 30);
    if (unit == 8)
        return _mm512_mask_blend_ps(0xff00, a, b) + _mm512_shuffle_f32x4(a, b, 0x4e);
    if (unit == 4)
        return _mm512_mask_blend_ps(0xf0f0, a, b) + _mm512_permutex2var_ps(a, over_4, b);
    if (unit == 2)
        return _mm512_mask_blend_ps(0xcccc, a, b) +
               _mm512_castpd_ps(_mm512_shuffle_pd(_mm512_castps_pd(a), _mm512_castps_pd(b), 0x55));
    return _mm512_mask_blend_ps(0xaaaa, a, b) + _mm512_permutex2var_ps(a, over_1, b);
}
#else
#define EACH_LANE(M) M(0), M(1), M(2), M(3), M(4), M(5), M(6), M(7)

INLINE vec vec_permute(vec x, vec_numbers from)
{
    return _mm256_permutevar8x32_ps(x, (__m256i)from);
}

INLINE vec vec_permute_two(vec a, vec b, vec_numbers from)
{
    return _mm256_blendv_ps(vec_permute(a, from), vec_permute(b, from), (vec)(from > LANES - 1));
}

INLINE vec vec_repeat_half(const float *p)
{
    return _mm256_broadcast_ps((const __m128 *)(const void *)p);
}

INLINE vec vec_repeat_quad(const float *p)
{
    return vec_repeat_half(p);
}

INLINE vec vec_repeat_pair(const float *p)
{
    return _mm256_castpd_ps(_mm256_set1_pd(*(const pair_at *)p));
}

INLINE vec vec_halves(const float *p, int64_t step)
{
    return vec_quads(p, step, 0, 0);
}

INLINE vec vec_pairs(const float *p, int64_t step)
{
#define PAIR(i) (*(const pair_at *)(p + (i)*step))
    return _mm256_castpd_ps(_mm256_setr_pd(PAIR(0), PAIR(1), PAIR(2), PAIR(3)));
#undef PAIR
}

INLINE vec vec_fold(vec a, vec b, const int unit)
{
    if (unit == 4)
        return _mm256_blend_ps(a, b, 0xf0) + _mm256_permute2f128_ps(a, b, 0x21);
    if (unit == 2)
        return _mm256_blend_ps(a, b, 0xcc) +
               _mm256_castpd_ps(_mm256_shuffle_pd(_mm256_castps_pd(a), _mm256_castps_pd(b), 0x5));
    return _mm256_blend_ps(a, b, 0xaa) + _mm256_permute_ps(_mm256_blend_ps(b, a, 0xaa), 0xb1);
}
#endif

INLINE vec vec_singles(const float *p, int64_t step)
{
#define SINGLE(i) p[(i)*step]
    return (vec){EACH_LANE(SINGLE)};
#undef SINGLE
}

#endif
