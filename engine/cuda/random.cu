/* random.cu - dropout and random numbers, see launches.h. A thread computes the four numbers of a block. */
#include "engine/cuda/grid.h"
#include "engine/cuda/launches.h"
#include "engine/cuda/philox.h"

/* Four floats from first on, as one where all are there. */
__device__ static inline float4 load_four(const float *x, int64_t first, int64_t n)
{
    float4 v = {0, 0, 0, 0};
    if (first + 4 <= n)
        return *(const float4 *)(x + first);
    v.x = x[first];
    v.y = first + 1 < n ? x[first + 1] : 0;
    v.z = first + 2 < n ? x[first + 2] : 0;
    v.w = first + 3 < n ? x[first + 3] : 0;
    return v;
}

__device__ static inline void store_four(float *y, int64_t first, int64_t n, float4 v)
{
    if (first + 4 <= n) {
        *(float4 *)(y + first) = v;
        return;
    }
    y[first] = v.x;
    if (first + 1 < n)
        y[first + 1] = v.y;
    if (first + 2 < n)
        y[first + 2] = v.z;
    if (first + 3 < n)
        y[first + 3] = v.w;
}

__device__ static inline float dropped(float x, uint32_t word, const struct dropout_numbers *d)
{
    return philox_unit(word) >= d->rate ? x * d->scale : 0.0f;
}

__global__ void dropout(float *y, const float *x, const int32_t *step, const struct dropout_numbers d, int64_t n)
{
    for (int64_t block = grid_first(); block * 4 < n; block += grid_step()) {
        struct philox random = philox_block(d.seed, d.stream, (uint32_t)*step, (uint64_t)block);
        float4 v = load_four(x, block * 4, n);
        v.x = dropped(v.x, random.word[0], &d);
        v.y = dropped(v.y, random.word[1], &d);
        v.z = dropped(v.z, random.word[2], &d);
        v.w = dropped(v.w, random.word[3], &d);
        store_four(y, block * 4, n, v);
    }
}

void launch_dropout(void *stream, float *y, const float *x, const int32_t *step, const struct dropout_numbers *numbers,
                    int64_t n)
{
    LAUNCH(dropout, blocks_for((n + 3) / 4), BLOCK, stream, y, x, step, *numbers, n);
}

__global__ void shared_dropout(float *y, const float *x, const int32_t *step, const struct dropout_numbers d,
                               const struct walk mask)
{
    for (int64_t i = grid_first(); i < mask.n; i += grid_step()) {
        float uniform = philox_uniform(d.seed, d.stream, (uint32_t)*step, (uint64_t)walk_at(&mask, i));
        y[i] = uniform >= d.rate ? x[i] * d.scale : 0.0f;
    }
}

void launch_shared_dropout(void *stream, float *y, const float *x, const int32_t *step,
                           const struct dropout_numbers *numbers, const struct walk *mask)
{
    LAUNCH(shared_dropout, blocks_for(mask->n), BLOCK, stream, y, x, step, *numbers, *mask);
}

/* rng_to_normal, but that the angle is not rounded: a sine of pi times a number needs no reduction of large ones. */
__device__ static inline void normal_pair(uint32_t word1, uint32_t word2, float *n1, float *n2)
{
    float radius = sqrtf(-2.0f * logf(1.0f - philox_unit(word1))), sine, cosine;
    sincospif(2.0f * philox_unit(word2), &sine, &cosine);
    *n1 = radius * cosine;
    *n2 = radius * sine;
}

__global__ void random_uniform(float *y, const int32_t *step, uint64_t seed, uint32_t rng_stream, int64_t n)
{
    for (int64_t block = grid_first(); block * 4 < n; block += grid_step()) {
        struct philox random = philox_block(seed, rng_stream, (uint32_t)*step, (uint64_t)block);
        float4 v = {philox_unit(random.word[0]), philox_unit(random.word[1]), philox_unit(random.word[2]),
                    philox_unit(random.word[3])};
        store_four(y, block * 4, n, v);
    }
}

__global__ void random_normal(float *y, const int32_t *step, uint64_t seed, uint32_t rng_stream, int64_t n)
{
    for (int64_t block = grid_first(); block * 4 < n; block += grid_step()) {
        struct philox random = philox_block(seed, rng_stream, (uint32_t)*step, (uint64_t)block);
        float4 v;
        normal_pair(random.word[0], random.word[1], &v.x, &v.y);
        normal_pair(random.word[2], random.word[3], &v.z, &v.w);
        store_four(y, block * 4, n, v);
    }
}

void launch_random(void *stream, float *y, const int32_t *step, uint64_t seed, uint32_t rng_stream, bool normal,
                   int64_t n)
{
    if (normal)
        LAUNCH(random_normal, blocks_for((n + 3) / 4), BLOCK, stream, y, step, seed, rng_stream, n);
    else
        LAUNCH(random_uniform, blocks_for((n + 3) / 4), BLOCK, stream, y, step, seed, rng_stream, n);
}
