/* philox.h - Philox4x32-10 (base/rng.h) for PHILOX_LANES blocks at once, as uniform numbers. Only rows.c includes this.
 *
 * With AVX-512 the four words of eight blocks lie in the low halves of 64-bit lanes: a product of 32-bit words is one
 * instruction that reads nothing else, so what is left in the high halves never matters.
 */
#ifndef ENGINE_CPU_PHILOX_H
#define ENGINE_CPU_PHILOX_H

#include <stdint.h>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

enum { PHILOX_LANES = 16 };
#define PHILOX_M0 0xD2511F53u
#define PHILOX_M1 0xCD9E8D57u
#define PHILOX_W0 0x9E3779B9u
#define PHILOX_W1 0xBB67AE85u

#if defined(__AVX512F__)
static inline __m512 philox_unit(__m512i words)
{
    return _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_srli_epi32(words, 8)), _mm512_set1_ps(0x1p-24f));
}

static inline void philox_8(float *out, uint64_t seed, uint32_t stream, uint32_t step, uint64_t first_block)
{
    const __m512i m0 = _mm512_set1_epi64(PHILOX_M0), m1 = _mm512_set1_epi64(PHILOX_M1);
    const __m512i low = _mm512_set1_epi64(0xffffffff);
    __m512i block =
        _mm512_add_epi64(_mm512_set1_epi64((int64_t)first_block), _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7));
    __m512i c0 = block, c1 = _mm512_srli_epi64(block, 32), c2 = _mm512_set1_epi64(step), c3 = _mm512_set1_epi64(stream);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++, k0 += PHILOX_W0, k1 += PHILOX_W1) {
        __m512i p0 = _mm512_mul_epu32(c0, m0), p1 = _mm512_mul_epu32(c2, m1);
        c0 = _mm512_xor_si512(_mm512_xor_si512(_mm512_srli_epi64(p1, 32), c1), _mm512_set1_epi64(k0));
        c2 = _mm512_xor_si512(_mm512_xor_si512(_mm512_srli_epi64(p0, 32), c3), _mm512_set1_epi64(k1));
        c1 = p1;
        c3 = p0;
    }
    __m512i first = _mm512_or_si512(_mm512_and_si512(c0, low), _mm512_slli_epi64(c1, 32));
    __m512i second = _mm512_or_si512(_mm512_and_si512(c2, low), _mm512_slli_epi64(c3, 32));
    __m512i even = _mm512_permutex2var_epi64(first, _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), second);
    __m512i odd = _mm512_permutex2var_epi64(first, _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15), second);
    _mm512_storeu_ps(out, philox_unit(even));
    _mm512_storeu_ps(out + 16, philox_unit(odd));
}

/* Four uniform numbers in [0, 1) of each block. */
static inline void philox_numbers(float out[4 * PHILOX_LANES], uint64_t seed, uint32_t stream, uint32_t step,
                                  uint64_t first_block)
{
    philox_8(out, seed, stream, step, first_block);
    philox_8(out + 32, seed, stream, step, first_block + 8);
}
#else
static inline void philox_words(uint64_t seed, uint32_t stream, uint32_t step, uint64_t first_block,
                                uint32_t out[4][PHILOX_LANES])
{
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int i = 0; i < PHILOX_LANES; i++) {
        uint64_t block = first_block + (uint64_t)i;
        out[0][i] = (uint32_t)block;
        out[1][i] = (uint32_t)(block >> 32);
        out[2][i] = step;
        out[3][i] = stream;
    }
    for (int round = 0; round < 10; round++, k0 += PHILOX_W0, k1 += PHILOX_W1)
        for (int i = 0; i < PHILOX_LANES; i++) {
            uint64_t p0 = (uint64_t)PHILOX_M0 * out[0][i], p1 = (uint64_t)PHILOX_M1 * out[2][i];
            uint32_t c1 = out[1][i], c3 = out[3][i];
            out[0][i] = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
            out[1][i] = (uint32_t)p1;
            out[2][i] = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
            out[3][i] = (uint32_t)p0;
        }
}

static inline void philox_numbers(float out[4 * PHILOX_LANES], uint64_t seed, uint32_t stream, uint32_t step,
                                  uint64_t first_block)
{
    uint32_t words[4][PHILOX_LANES];
    philox_words(seed, stream, step, first_block, words);
    for (int i = 0; i < PHILOX_LANES; i++)
        for (int k = 0; k < 4; k++)
            out[4 * i + k] = (float)(int32_t)(words[k][i] >> 8) * 0x1p-24f;
}
#endif

#endif
