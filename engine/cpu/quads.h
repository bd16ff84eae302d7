/* quads.h - squares of 4 x 4 floats turned inside vectors: what a transpose costs in moves across a vector is paid by
 * loading quarters of it from where they lie. And sums that stay in their registers. For files that are compiled for
 * AVX2 or AVX-512.
 */
#ifndef ENGINE_CPU_QUADS_H
#define ENGINE_CPU_QUADS_H

#include "engine/cpu/vectors.h"

enum { QUADS = LANES / 4 };

/* sum += a * b, in its register: left to itself the compiler moves sums around and runs out of registers. */
INLINE void vec_add_product(vec *sum, vec a, vec b)
{
#if defined(__AVX512F__)
    __asm__("vfmadd231ps %2, %1, %0" : "+v"(*sum) : "v"(a), "v"(b));
#else
    __asm__("vfmadd231ps %2, %1, %0" : "+x"(*sum) : "x"(a), "x"(b));
#endif
}

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
#endif

#endif
