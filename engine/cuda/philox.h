/* philox.h - for .cu files only: the random numbers of base/rng.h, the same on every device. */
#ifndef ENGINE_CUDA_PHILOX_H
#define ENGINE_CUDA_PHILOX_H

#include "engine/cuda/grid.h"

struct philox { /* four numbers of a sequence */
    uint32_t word[4];
};

/* rng_block: numbers 4 * block ... 4 * block + 3 of (seed, stream, step). */
__device__ static inline struct philox philox_block(uint64_t seed, uint32_t stream, uint32_t step, uint64_t block)
{
    uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32), c2 = step, c3 = stream;
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int i = 0; i < 10; i++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        uint32_t high0 = __umulhi(0xD2511F53u, c0), high1 = __umulhi(0xCD9E8D57u, c2);
        uint32_t low0 = 0xD2511F53u * c0, low1 = 0xCD9E8D57u * c2;
        c0 = high1 ^ c1 ^ k0;
        c1 = low1;
        c2 = high0 ^ c3 ^ k1;
        c3 = low0;
    }
    struct philox out;
    out.word[0] = c0;
    out.word[1] = c1;
    out.word[2] = c2;
    out.word[3] = c3;
    return out;
}

/* rng_to_uniform: in [0, 1) */
__device__ static inline float philox_unit(uint32_t word)
{
    return (float)(word >> 8) * 0x1p-24f;
}

/* rng_u32, as rng_to_uniform gives it: number `index` of the sequence. */
__device__ static inline float philox_uniform(uint64_t seed, uint32_t stream, uint32_t step, uint64_t index)
{
    struct philox block = philox_block(seed, stream, step, index / 4);
    uint32_t low = index & 1 ? block.word[1] : block.word[0], high = index & 1 ? block.word[3] : block.word[2];
    return philox_unit(index & 2 ? high : low);
}

#endif
