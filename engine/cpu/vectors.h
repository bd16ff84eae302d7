/* vectors.h - vectors of the instruction set that a file is compiled for, loads and stores of part of one, and square
 * transposes. Behind the first n floats of a part are zeros, and no memory there is touched.
 *
 *     vec_mask some = mask_first(n);                        the first n of LANES
 *     vec_store_masked(y, some, vec_load_masked(x, some));
 *     vec_store_part(y, vec_load_part(x, n), n);            the same; also for n > LANES, of which LANES are moved
 */
#ifndef ENGINE_CPU_VECTORS_H
#define ENGINE_CPU_VECTORS_H

#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

#if defined(__AVX512F__)
#include <immintrin.h>
enum { LANES = 16, ACCUMULATORS = 28 };
#elif defined(__AVX2__)
#include <immintrin.h>
enum { LANES = 8, ACCUMULATORS = 12 };
#else
enum { LANES = 4, ACCUMULATORS = 12 };
#endif

typedef float vec __attribute__((vector_size(LANES * 4)));
typedef float vec_at __attribute__((vector_size(LANES * 4), aligned(4), may_alias)); /* anywhere in memory */

INLINE vec vec_load(const float *p)
{
    return *(const vec_at *)p;
}

INLINE void vec_store(float *p, vec v)
{
    *(vec_at *)p = v;
}

#if defined(__AVX512F__)
typedef __mmask16 vec_mask;

INLINE vec_mask mask_first(int64_t n)
{
    return (vec_mask)(n >= LANES ? 0xffff : n < 1 ? 0 : (1u << n) - 1);
}

INLINE vec vec_load_masked(const float *p, vec_mask m)
{
    return _mm512_maskz_loadu_ps(m, p);
}

INLINE void vec_store_masked(float *p, vec_mask m, vec v)
{
    _mm512_mask_storeu_ps(p, m, v);
}

INLINE vec vec_all(float x)
{
    return _mm512_set1_ps(x);
}

INLINE vec vec_fma(vec a, vec b, vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}

/* r[i][j] and r[j][i] change places. */
INLINE void vec_transpose(vec *r)
{
    vec t[LANES];
    for (int i = 0; i < LANES; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < LANES; i += 4)
        for (int k = 0; k < 2; k++) {
            __m512d low = _mm512_castps_pd(t[i + k]), high = _mm512_castps_pd(t[i + k + 2]);
            r[i + 2 * k] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
            r[i + 2 * k + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
        }
    for (int half = 0; half < LANES; half += 8)
        for (int k = 0; k < 4; k++) {
            t[half + k] = _mm512_shuffle_f32x4(r[half + k], r[half + k + 4], 0x88);
            t[half + k + 4] = _mm512_shuffle_f32x4(r[half + k], r[half + k + 4], 0xdd);
        }
    for (int k = 0; k < 8; k++) {
        r[k] = _mm512_shuffle_f32x4(t[k], t[k + 8], 0x88);
        r[k + 8] = _mm512_shuffle_f32x4(t[k], t[k + 8], 0xdd);
    }
}

/* The sums of the elements of each r[i], in order: pairs of vectors, then pairs of those. */
INLINE vec vec_sums(const vec *r)
{
    vec s[LANES / 2], t[LANES / 4];
    for (int i = 0; i < LANES / 2; i++)
        s[i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]) + _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    for (int i = 0; i < LANES / 4; i++) {
        __m512d a = _mm512_castps_pd(s[2 * i]), b = _mm512_castps_pd(s[2 * i + 1]);
        t[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b)) + _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
    }
    for (int i = 0; i < 2; i++)
        s[i] = _mm512_shuffle_f32x4(t[2 * i], t[2 * i + 1], 0x88) + _mm512_shuffle_f32x4(t[2 * i], t[2 * i + 1], 0xdd);
    return _mm512_shuffle_f32x4(s[0], s[1], 0x88) + _mm512_shuffle_f32x4(s[0], s[1], 0xdd);
}
#elif defined(__AVX2__)
typedef __m256i vec_mask;

INLINE vec_mask mask_first(int64_t n)
{
    int first = n >= LANES ? LANES : (int)n;
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(first), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

INLINE vec vec_load_masked(const float *p, vec_mask m)
{
    return _mm256_maskload_ps(p, m);
}

INLINE void vec_store_masked(float *p, vec_mask m, vec v)
{
    _mm256_maskstore_ps(p, m, v);
}

INLINE vec vec_all(float x)
{
    return _mm256_set1_ps(x);
}

INLINE vec vec_fma(vec a, vec b, vec c)
{
    return _mm256_fmadd_ps(a, b, c);
}

INLINE void vec_transpose(vec *r)
{
    vec t[LANES];
    for (int i = 0; i < LANES; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < LANES; i += 4)
        for (int k = 0; k < 2; k++) {
            __m256d low = _mm256_castps_pd(t[i + k]), high = _mm256_castps_pd(t[i + k + 2]);
            r[i + 2 * k] = _mm256_castpd_ps(_mm256_unpacklo_pd(low, high));
            r[i + 2 * k + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(low, high));
        }
    for (int k = 0; k < 4; k++) {
        t[k] = _mm256_permute2f128_ps(r[k], r[k + 4], 0x20);
        t[k + 4] = _mm256_permute2f128_ps(r[k], r[k + 4], 0x31);
    }
    memcpy(r, t, sizeof t);
}

INLINE vec vec_sums(const vec *r)
{
    vec s[LANES / 2], t[LANES / 4];
    for (int i = 0; i < LANES / 2; i++)
        s[i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]) + _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    for (int i = 0; i < LANES / 4; i++) {
        __m256d a = _mm256_castps_pd(s[2 * i]), b = _mm256_castps_pd(s[2 * i + 1]);
        t[i] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, b)) + _mm256_castpd_ps(_mm256_unpackhi_pd(a, b));
    }
    return _mm256_permute2f128_ps(t[0], t[1], 0x20) + _mm256_permute2f128_ps(t[0], t[1], 0x31);
}
#else
typedef int64_t vec_mask;

INLINE vec_mask mask_first(int64_t n)
{
    return n;
}

INLINE vec vec_load_masked(const float *p, vec_mask m)
{
    if (m >= LANES)
        return vec_load(p);
    float part[LANES] = {0};
    for (int64_t i = 0; i < m; i++)
        part[i] = p[i];
    return vec_load(part);
}

INLINE void vec_store_masked(float *p, vec_mask m, vec v)
{
    if (m >= LANES) {
        vec_store(p, v);
        return;
    }
    float part[LANES];
    vec_store(part, v);
    for (int64_t i = 0; i < m; i++)
        p[i] = part[i];
}

INLINE vec vec_all(float x)
{
    return x - (vec){0};
}

INLINE vec vec_fma(vec a, vec b, vec c)
{
    return a * b + c;
}

INLINE void vec_transpose(vec *r)
{
    vec t[LANES];
    for (int i = 0; i < LANES; i++)
        for (int j = 0; j < LANES; j++)
            t[i][j] = r[j][i];
    memcpy(r, t, sizeof t);
}
#endif

INLINE vec vec_load_part(const float *p, int64_t n)
{
    return n >= LANES ? vec_load(p) : vec_load_masked(p, mask_first(n));
}

INLINE void vec_store_part(float *p, vec v, int64_t n)
{
    if (n >= LANES)
        vec_store(p, v);
    else
        vec_store_masked(p, mask_first(n), v);
}

#endif
