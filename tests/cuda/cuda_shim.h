/* cuda_shim.h - CUDA's words for a C++ compiler without nvcc: the .cu files of engine/cuda run on the CPU, one block
 * after another. Threads of a LAUNCH are turns of a loop; those of a LAUNCH_TOGETHER are fibers that wait for each
 * other at barriers and shuffles, and a barrier that not all of them reach ends the program. fake_cuda.cc has the rest.
 */
#ifndef TESTS_CUDA_CUDA_SHIM_H
#define TESTS_CUDA_CUDA_SHIM_H

#include <cuda_runtime_api.h>
#include <functional>
#include <tuple>
#include <stdint.h>
#include <math.h>
#include <string.h>

#undef __global__
#undef __device__
#undef __host__
#undef __shared__
#undef __constant__
#undef __forceinline__
#undef __launch_bounds__
#define __global__ static
#define __device__
#define __host__
#define __shared__ static
#define __constant__ static
#define __forceinline__ inline
#define __launch_bounds__(...)

struct shim_place {
    unsigned x, y, z;
};
extern struct shim_place shim_grid, shim_block, shim_block_index, shim_thread_index;
#define gridDim shim_grid
#define blockDim shim_block
#define blockIdx shim_block_index
#define threadIdx shim_thread_index

/* Runs, or records where the stream is being captured. */
void shim_launch(const char *name, unsigned n_blocks, unsigned n_threads, bool together, void *stream,
                 std::function<void()> thread);
#define LAUNCH(kernel, n_blocks, n_threads, stream, ...)                                                               \
    SHIM_LAUNCH(kernel, n_blocks, n_threads, false, stream, __VA_ARGS__)
#define LAUNCH_TOGETHER(kernel, n_blocks, n_threads, stream, ...)                                                      \
    SHIM_LAUNCH(kernel, n_blocks, n_threads, true, stream, __VA_ARGS__)
#define SHIM_LAUNCH(kernel, n_blocks, n_threads, together, stream, ...)                                                \
    shim_launch(#kernel, (unsigned)(n_blocks), (unsigned)(n_threads), together, (void *)(stream),                      \
                shim_bind(kernel, std::make_tuple(__VA_ARGS__)))
/* The kernel with its arguments as they are now: what they point to on the host may be gone when it runs. */
template <class Kernel, class Arguments> static std::function<void()> shim_bind(Kernel kernel, Arguments arguments)
{
    return [=]() { std::apply(kernel, arguments); };
}

void shim_block_barrier(void);
/* All lanes of a warp give a word; each gets that of lane `from`. */
uint32_t shim_exchange(uint32_t mask, uint32_t word, int from);

static inline void __syncthreads(void)
{
    shim_block_barrier();
}
static inline void __syncwarp(unsigned mask = 0xffffffffu)
{
    shim_exchange(mask, 0, 0);
}
template <class T> static inline T shim_shuffle(unsigned mask, T x, int from)
{
    static_assert(sizeof(T) == 4, "shuffles are of words");
    uint32_t word;
    memcpy(&word, &x, 4);
    word = shim_exchange(mask, word, from);
    memcpy(&x, &word, 4);
    return x;
}
#define SHIM_LANE ((int)(shim_thread_index.x % 32))
template <class T> static inline T __shfl_sync(unsigned mask, T x, int from)
{
    return shim_shuffle(mask, x, from % 32);
}
template <class T> static inline T __shfl_xor_sync(unsigned mask, T x, int with)
{
    return shim_shuffle(mask, x, SHIM_LANE ^ with);
}
template <class T> static inline T __shfl_down_sync(unsigned mask, T x, int by)
{
    return shim_shuffle(mask, x, SHIM_LANE + by > 31 ? SHIM_LANE : SHIM_LANE + by);
}
template <class T> static inline T __shfl_up_sync(unsigned mask, T x, int by)
{
    return shim_shuffle(mask, x, SHIM_LANE - by < 0 ? SHIM_LANE : SHIM_LANE - by);
}

static inline int atomicAdd(int *to, int x)
{
    int old = *to;
    *to += x;
    return old;
}
static inline unsigned atomicAdd(unsigned *to, unsigned x)
{
    unsigned old = *to;
    *to += x;
    return old;
}
static inline unsigned __umulhi(unsigned a, unsigned b)
{
    return (unsigned)(((uint64_t)a * b) >> 32);
}
static inline float __int_as_float(int x)
{
    float f;
    memcpy(&f, &x, 4);
    return f;
}
static inline int __float_as_int(float f)
{
    int x;
    memcpy(&x, &f, 4);
    return x;
}
static inline void sincospif(float x, float *sine, float *cosine)
{
    *sine = (float)sin(M_PI * (double)x);
    *cosine = (float)cos(M_PI * (double)x);
}
static inline float rsqrtf(float x)
{
    return 1.0f / sqrtf(x);
}

#endif
