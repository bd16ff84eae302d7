/* hash.c - see hash.h */
#include "base/hash.h"

#include <stdbool.h>
#include <string.h>
#include <zlib.h>

static uint32_t crc_plain(uint32_t crc, const unsigned char *p, size_t size_bytes)
{
    while (size_bytes) {
        uInt part = size_bytes > 1u << 30 ? 1u << 30 : (uInt)size_bytes;
        crc = (uint32_t)crc32(crc, p, part);
        p += part;
        size_bytes -= part;
    }
    return crc;
}

#if defined __x86_64__
#include <immintrin.h>

/* x times the two constants of `by`, plus the 16 bytes at p: moves x forward in the message without changing the
 * remainder. */
__attribute__((target("pclmul,sse2"))) static inline __m128i fold(__m128i x, __m128i by, const unsigned char *p)
{
    __m128i low = _mm_clmulepi64_si128(x, by, 0x00), high = _mm_clmulepi64_si128(x, by, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), _mm_loadu_si128((const __m128i *)(const void *)p));
}

/* The remainder of 16 bytes: 128 bits are folded to 96 and 64, Barrett's reduction leaves 32. The constants are x^96
 * and x^64 mod P, P and x^64 / P, bit-reflected. */
__attribute__((target("pclmul,sse2"))) static inline uint32_t remainder_of(__m128i x)
{
    const __m128i low = _mm_set_epi64x(0, 0xFFFFFFFF), by = _mm_set_epi64x(0x163cd6124, 0x0ccaa009e),
                  divide = _mm_set_epi64x(0x1f7011641, 0x1db710641);
    x = _mm_xor_si128(_mm_clmulepi64_si128(x, by, 0x00), _mm_srli_si128(x, 8));
    x = _mm_xor_si128(_mm_clmulepi64_si128(_mm_and_si128(x, low), by, 0x10), _mm_srli_si128(x, 4));
    __m128i quotient = _mm_and_si128(_mm_clmulepi64_si128(_mm_and_si128(x, low), divide, 0x10), low);
    x = _mm_xor_si128(x, _mm_clmulepi64_si128(quotient, divide, 0x00));
    return (uint32_t)_mm_cvtsi128_si32(_mm_srli_si128(x, 4));
}

/* The last n bytes of a message, 0 < n < 16, behind what x stands for; 16 bytes before its end can be read. */
__attribute__((target("pclmul,sse2"))) static inline __m128i fold_rest(__m128i x, __m128i by128,
                                                                       const unsigned char *end, size_t n)
{
    unsigned char both[48]; /* zeros, x, the rest */
    _mm_storeu_si128((__m128i *)(void *)both, _mm_setzero_si128());
    _mm_storeu_si128((__m128i *)(void *)(both + 16 + n), _mm_loadu_si128((const __m128i *)(const void *)(end - 16)));
    _mm_storeu_si128((__m128i *)(void *)(both + 16), x);
    return fold(_mm_loadu_si128((const __m128i *)(const void *)(both + n)), by128, both + 16 + n);
}

/* Folding by carry-less multiplication (Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ",
 * Intel 2009): four lanes of 128 bits, then one; the last 16 bytes have the same remainder as everything in front of
 * them. The constants are x^(n) mod P, bit-reflected, for n = 512 + 32, 512 - 32, 128 + 32, 128 - 32. */
__attribute__((target("pclmul,sse2"))) static inline uint32_t fold_up(const __m128i lanes[4], const unsigned char *p,
                                                                      size_t size_bytes)
{
    const __m128i by128 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
    __m128i x = lanes[0];
    for (int i = 1; i < 4; i++)
        x = fold(x, by128, (const unsigned char *)&lanes[i]);
    for (; size_bytes >= 16; p += 16, size_bytes -= 16)
        x = fold(x, by128, p);
    return ~remainder_of(size_bytes ? fold_rest(x, by128, p + size_bytes, size_bytes) : x);
}

/* Wants at least 64 bytes. */
__attribute__((target("pclmul,sse2"))) static uint32_t crc_folded(uint32_t crc, const unsigned char *p,
                                                                  size_t size_bytes)
{
    const __m128i by512 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4);
    __m128i lanes[4];
    for (int i = 0; i < 4; i++)
        lanes[i] = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i));
    lanes[0] = _mm_xor_si128(lanes[0], _mm_cvtsi32_si128((int)~crc));
    for (p += 64, size_bytes -= 64; size_bytes >= 64; p += 64, size_bytes -= 64) {
        lanes[0] = fold(lanes[0], by512, p);
        lanes[1] = fold(lanes[1], by512, p + 16);
        lanes[2] = fold(lanes[2], by512, p + 32);
        lanes[3] = fold(lanes[3], by512, p + 48);
    }
    return fold_up(lanes, p, size_bytes);
}

__attribute__((target("avx512f,vpclmulqdq"))) static inline __m512i fold_wide(__m512i x, __m512i by, __m512i next)
{
    __m512i low = _mm512_clmulepi64_epi128(x, by, 0x00), high = _mm512_clmulepi64_epi128(x, by, 0x11);
    return _mm512_ternarylogic_epi64(low, high, next, 0x96);
}

/* The same with four lanes of 512 bits: n = 2048 + 32, 2048 - 32, then 512 + 32, 512 - 32. Wants at least 256 bytes. */
__attribute__((target("avx512f,vpclmulqdq,pclmul,sse2"))) static uint32_t
crc_folded_wide(uint32_t crc, const unsigned char *p, size_t size_bytes)
{
    const __m512i by2048 = _mm512_broadcast_i32x4(_mm_set_epi64x(0x1322d1430, 0x11542778a));
    const __m512i by512 = _mm512_broadcast_i32x4(_mm_set_epi64x(0x1c6e41596, 0x154442bd4));
    __m512i lanes[4];
    __m128i narrow[4];
    for (int i = 0; i < 4; i++)
        lanes[i] = _mm512_loadu_si512(p + 64 * i);
    lanes[0] = _mm512_xor_si512(lanes[0], _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)~crc)));
    for (p += 256, size_bytes -= 256; size_bytes >= 256; p += 256, size_bytes -= 256) {
        lanes[0] = fold_wide(lanes[0], by2048, _mm512_loadu_si512(p));
        lanes[1] = fold_wide(lanes[1], by2048, _mm512_loadu_si512(p + 64));
        lanes[2] = fold_wide(lanes[2], by2048, _mm512_loadu_si512(p + 128));
        lanes[3] = fold_wide(lanes[3], by2048, _mm512_loadu_si512(p + 192));
    }
    for (int i = 1; i < 4; i++)
        lanes[0] = fold_wide(lanes[0], by512, lanes[i]);
    _mm512_storeu_si512(narrow, lanes[0]);
    return fold_up(narrow, p, size_bytes);
}

static uint32_t crc_fast(uint32_t crc, const unsigned char *p, size_t size_bytes)
{
    if (size_bytes >= 256 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq"))
        return crc_folded_wide(crc, p, size_bytes);
    return __builtin_cpu_supports("pclmul") ? crc_folded(crc, p, size_bytes) : crc_plain(crc, p, size_bytes);
}
#else
static uint32_t crc_fast(uint32_t crc, const unsigned char *p, size_t size_bytes)
{
    return crc_plain(crc, p, size_bytes);
}
#endif

uint32_t hash_crc32(uint32_t crc, const void *data, size_t size_bytes)
{
    return size_bytes >= 64 ? crc_fast(crc, data, size_bytes) : crc_plain(crc, data, size_bytes);
}

/* Eight bits at a time, the remainders of one byte computed once. */
static uint32_t crc32c_table(uint32_t crc, const unsigned char *p, size_t size_bytes)
{
    static uint32_t table[256];
    if (!table[1])
        for (uint32_t byte = 256; byte-- > 0;) { /* table[1] last: whoever sees it sees all */
            uint32_t rest = byte;
            for (int bit = 0; bit < 8; bit++)
                rest = rest >> 1 ^ (rest & 1 ? 0x82F63B78u : 0);
            __atomic_store_n(&table[byte], rest, __ATOMIC_RELEASE);
        }
    for (; size_bytes; size_bytes--)
        crc = crc >> 8 ^ table[(crc ^ *p++) & 0xFF];
    return crc;
}

#if defined __x86_64__
__attribute__((target("sse4.2"))) static uint32_t crc32c_instruction(uint32_t crc, const unsigned char *p,
                                                                     size_t size_bytes)
{
    uint64_t wide = crc, word;
    for (; size_bytes >= 8; size_bytes -= 8, p += 8) {
        memcpy(&word, p, 8);
        wide = _mm_crc32_u64(wide, word);
    }
    crc = (uint32_t)wide;
    for (; size_bytes; size_bytes--)
        crc = _mm_crc32_u8(crc, *p++);
    return crc;
}
#endif

uint32_t hash_crc32c(uint32_t crc, const void *data, size_t size_bytes)
{
#if defined __x86_64__
    if (__builtin_cpu_supports("sse4.2"))
        return ~crc32c_instruction(~crc, data, size_bytes);
#endif
    return ~crc32c_table(~crc, data, size_bytes);
}

/* zlib counts in off_t. */
uint32_t hash_crc32_join(uint32_t first, uint32_t second, uint64_t size_bytes)
{
    return (uint32_t)crc32_combine(first, second, (z_off_t)size_bytes);
}

static uint64_t finalize(uint64_t h)
{
    h = (h ^ h >> 33) * 0xFF51AFD7ED558CCDu;
    h = (h ^ h >> 33) * 0xC4CEB9FE1A85EC53u;
    return h ^ h >> 33;
}

uint64_t hash_mix(uint64_t seed, const void *data, size_t size_bytes)
{
    const unsigned char *p = data;
    uint64_t h = finalize(seed ^ size_bytes * 0x9E3779B97F4A7C15u), word;
    for (; size_bytes >= 8; size_bytes -= 8, p += 8) {
        memcpy(&word, p, 8);
        h = finalize(h ^ word) + 0x9E3779B97F4A7C15u;
    }
    word = 0;
    if (size_bytes)
        memcpy(&word, p, size_bytes);
    return finalize(h ^ word);
}
