/* quads.h - squares of 4 x 4 floats turned inside vectors: what a transpose costs in moves across a vector is paid by
 * loading quarters of it from where they lie. For files that are compiled for AVX2 or AVX-512.
 */
#ifndef ENGINE_CPU_QUADS_H
#define ENGINE_CPU_QUADS_H

#include "engine/cpu/vectors.h"

enum { QUADS = LANES / 4 };

#if defined(__AVX512F__)
/* Four floats at p, at p + second, at p + third, ...: one behind the other, as many as a vector holds. */
INLINE vec vec_quads(const float *p, int64_t second, int64_t third, int64_t fourth)
{
    __m512 x = _mm512_castps128_ps512(_mm_loadu_ps(p));
    x = _mm512_insertf32x4(x, _mm_loadu_ps(p + second), 1);
    x = _mm512_insertf32x4(x, _mm_loadu_ps(p + third), 2);
    return _mm512_insertf32x4(x, _mm_loadu_ps(p + fourth), 3);
}

typedef __mmask8 quad_mask;

/* The first n of 4. */
INLINE quad_mask quad_first(int n)
{
    return (quad_mask)(n >= 4 ? 0xf : (1 << n) - 1);
}

/* The same with zeros where the mask has none; there no memory is touched. */
INLINE vec vec_quads_masked(const float *p, int64_t second, int64_t third, int64_t fourth, quad_mask m)
{
    __m512 x = _mm512_castps128_ps512(_mm_maskz_loadu_ps(m, p));
    x = _mm512_insertf32x4(x, _mm_maskz_loadu_ps(m, p + second), 1);
    x = _mm512_insertf32x4(x, _mm_maskz_loadu_ps(m, p + third), 2);
    return _mm512_insertf32x4(x, _mm_maskz_loadu_ps(m, p + fourth), 3);
}

/* In each quarter: x[i][j] and x[j][i] change places. */
INLINE void quads_transpose(vec *x)
{
    __m512d low01 = _mm512_castps_pd(_mm512_unpacklo_ps(x[0], x[1]));
    __m512d high01 = _mm512_castps_pd(_mm512_unpackhi_ps(x[0], x[1]));
    __m512d low23 = _mm512_castps_pd(_mm512_unpacklo_ps(x[2], x[3]));
    __m512d high23 = _mm512_castps_pd(_mm512_unpackhi_ps(x[2], x[3]));
    x[0] = _mm512_castpd_ps(_mm512_unpacklo_pd(low01, low23));
    x[1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low01, low23));
    x[2] = _mm512_castpd_ps(_mm512_unpacklo_pd(high01, high23));
    x[3] = _mm512_castpd_ps(_mm512_unpackhi_pd(high01, high23));
}

#define QUAD(x, i) _mm512_extractf32x4_ps(x, i)

/* Half a vector at p, twice. */
INLINE vec vec_twice(const float *p)
{
    return _mm512_broadcast_f32x8(_mm256_loadu_ps(p));
}

/* The lower half of x, twice. */
INLINE vec vec_low_twice(vec x)
{
    return _mm512_shuffle_f32x4(x, x, 0x44);
}

/* Sums of neighbouring runs of `unit` floats: of a in the even runs of the result, of b in the odd ones. */
INLINE vec vec_fold(vec a, vec b, const int unit)
{
    const __m512i over_4 = _mm512_setr_epi32(4, 5, 6, 7, 16, 17, 18, 19, 12, 13, 14, 15, 24, 25, 26, 27);
    const __m512i over_1 = _mm512_setr_epi32(1, 16, 3, 18, 5, 20, 7, 22, 9, 24, 11, 26, 13, 28, 15, 30);
    if (unit == 4)
        return _mm512_mask_blend_ps(0xf0f0, a, b) + _mm512_permutex2var_ps(a, over_4, b);
    if (unit == 2)
        return _mm512_mask_blend_ps(0xcccc, a, b) +
               _mm512_castpd_ps(_mm512_shuffle_pd(_mm512_castps_pd(a), _mm512_castps_pd(b), 0x55));
    return _mm512_mask_blend_ps(0xaaaa, a, b) + _mm512_permutex2var_ps(a, over_1, b);
}
#else
INLINE vec vec_quads(const float *p, int64_t second, int64_t third, int64_t fourth)
{
    (void)third, (void)fourth;
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + second), 1);
}

typedef __m128i quad_mask;

INLINE quad_mask quad_first(int n)
{
    return _mm_cmpgt_epi32(_mm_set1_epi32(n), _mm_setr_epi32(0, 1, 2, 3));
}

INLINE vec vec_quads_masked(const float *p, int64_t second, int64_t third, int64_t fourth, quad_mask m)
{
    (void)third, (void)fourth;
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_maskload_ps(p, m)), _mm_maskload_ps(p + second, m), 1);
}

INLINE void quads_transpose(vec *x)
{
    __m256d low01 = _mm256_castps_pd(_mm256_unpacklo_ps(x[0], x[1]));
    __m256d high01 = _mm256_castps_pd(_mm256_unpackhi_ps(x[0], x[1]));
    __m256d low23 = _mm256_castps_pd(_mm256_unpacklo_ps(x[2], x[3]));
    __m256d high23 = _mm256_castps_pd(_mm256_unpackhi_ps(x[2], x[3]));
    x[0] = _mm256_castpd_ps(_mm256_unpacklo_pd(low01, low23));
    x[1] = _mm256_castpd_ps(_mm256_unpackhi_pd(low01, low23));
    x[2] = _mm256_castpd_ps(_mm256_unpacklo_pd(high01, high23));
    x[3] = _mm256_castpd_ps(_mm256_unpackhi_pd(high01, high23));
}

#define QUAD(x, i) _mm256_extractf128_ps(x, i)

INLINE vec vec_twice(const float *p)
{
    return _mm256_broadcast_ps((const __m128 *)(const void *)p);
}

INLINE vec vec_low_twice(vec x)
{
    return _mm256_permute2f128_ps(x, x, 0);
}

INLINE vec vec_fold(vec a, vec b, const int unit)
{
    if (unit == 2)
        return _mm256_blend_ps(a, b, 0xcc) +
               _mm256_castpd_ps(_mm256_shuffle_pd(_mm256_castps_pd(a), _mm256_castps_pd(b), 0x5));
    return _mm256_blend_ps(a, b, 0xaa) + _mm256_permute_ps(_mm256_blend_ps(b, a, 0xaa), 0xb1);
}
#endif

#endif
