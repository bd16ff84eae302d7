/* rng.h - counter-based random numbers (Philox4x32-10, Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2,
 * 3").
 *
 * A number is a pure function of (seed, stream, index): no state to save, the same on every device and for every thread
 * count. A stream is one purpose; RNG_STREAM_* are reserved, layers that draw in training use RNG_STREAM_LAYERS + k.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

enum {
    RNG_STREAM_INIT = 1 << 20,    /* + number of the variable: initializers */
    RNG_STREAM_SHUFFLE = 2 << 20, /* + epoch: order of the samples */
    RNG_STREAM_DATA = 3 << 20,    /* synthetic data sets */
    RNG_STREAM_TEXT = 5 << 20,    /* text that a model writes: index = number of the token */
    /* + number of the layer: dropout, noise; index = element, step in the high counter words */
    RNG_STREAM_LAYERS = 4 << 20
};

/* The raw block function: four 32-bit outputs for a 128-bit counter and a 64-bit key. */
void rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* Block number `block` of (seed, stream, step): outputs 4*block .. 4*block+3 of that sequence. Counter words are
 * {block low, block high, step, stream}, the key is the seed. */
void rng_block(uint64_t seed, uint32_t stream, uint32_t step, uint64_t block, uint32_t out[4]);
/* One 32-bit number at an index of the sequence (seed, stream, step). */
uint32_t rng_u32(uint64_t seed, uint32_t stream, uint32_t step, uint64_t index);
/* u32 -> uniform float in [0, 1): the upper 24 bits / 2^24. */
static inline float rng_to_uniform(uint32_t bits)
{
    return (float)(bits >> 8) * 0x1p-24f;
}
/* Two uniforms -> two standard normal floats (Box-Muller; u1 is moved into (0, 1]). */
void rng_to_normal(uint32_t bits1, uint32_t bits2, float *n1, float *n2);
/* n uniform numbers in [0, 1), or standard normals (pairs 2k, 2k+1 of the sequence), from the start of a sequence. */
void rng_fill_uniform(uint64_t seed, uint32_t stream, uint32_t step, float *out, size_t n);
void rng_fill_normal(uint64_t seed, uint32_t stream, uint32_t step, float *out, size_t n);
/* A permutation of 0..n-1, the same for the same (seed, stream). Fisher-Yates. */
void rng_permutation(uint64_t seed, uint32_t stream, int64_t *order, size_t n);

#endif
