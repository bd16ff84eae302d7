/* rng.c - see rng.h */
#include "base/rng.h"

#include <math.h>

static inline void round_once(uint32_t c[4], uint32_t k0, uint32_t k1)
{
    uint64_t p0 = (uint64_t)0xD2511F53u * c[0], p1 = (uint64_t)0xCD9E8D57u * c[2];
    uint32_t c1 = c[1], c3 = c[3];
    c[0] = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c[1] = (uint32_t)p1;
    c[2] = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c[3] = (uint32_t)p0;
}

void rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t k0 = key[0], k1 = key[1];
    for (int i = 0; i < 4; i++)
        out[i] = counter[i];
    for (int i = 0; i < 10; i++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
        round_once(out, k0, k1);
}

void rng_block(uint64_t seed, uint32_t stream, uint32_t step, uint64_t block, uint32_t out[4])
{
    uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), step, stream};
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    rng_philox(counter, key, out);
}

uint32_t rng_u32(uint64_t seed, uint32_t stream, uint32_t step, uint64_t index)
{
    uint32_t out[4];
    rng_block(seed, stream, step, index / 4, out);
    return out[index % 4];
}

void rng_to_normal(uint32_t bits1, uint32_t bits2, float *n1, float *n2)
{
    float radius = sqrtf(-2 * logf(1 - rng_to_uniform(bits1)));
    float angle = 6.28318530717958648f * rng_to_uniform(bits2);
    *n1 = radius * cosf(angle);
    *n2 = radius * sinf(angle);
}

void rng_fill_uniform(uint64_t seed, uint32_t stream, uint32_t step, float *out, size_t n)
{
    uint32_t bits[4];
    for (size_t i = 0; i < n; i++) {
        if (i % 4 == 0)
            rng_block(seed, stream, step, i / 4, bits);
        out[i] = rng_to_uniform(bits[i % 4]);
    }
}

void rng_fill_normal(uint64_t seed, uint32_t stream, uint32_t step, float *out, size_t n)
{
    uint32_t bits[4];
    float pair[4];
    for (size_t i = 0; i < n; i++) {
        if (i % 4 == 0) {
            rng_block(seed, stream, step, i / 4, bits);
            rng_to_normal(bits[0], bits[1], &pair[0], &pair[1]);
            rng_to_normal(bits[2], bits[3], &pair[2], &pair[3]);
        }
        out[i] = pair[i % 4];
    }
}

void rng_permutation(uint64_t seed, uint32_t stream, int64_t *order, size_t n)
{
    for (size_t i = 0; i < n; i++)
        order[i] = (int64_t)i;
    for (size_t i = n; i > 1; i--) {
        uint32_t bits[4];
        rng_block(seed, stream, 0, i, bits);
        uint64_t wide = (uint64_t)bits[1] << 32 | bits[0];
        size_t j = (size_t)(((unsigned __int128)wide * i) >> 64);
        int64_t swap = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swap;
    }
}
