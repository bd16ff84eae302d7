/* grid.h - for .cu files only: how a kernel is launched, and how its threads share work. The files are in the subset
 * that C17 and C++ share, plus CUDA's words; compiled without nvcc (tests/cuda) every thread is a loop's turn or a fiber,
 * so that kernels run, and are checked, where there is no GPU.
 *
 *     __global__ void scale(float *x, int64_t n, float by)
 *     {
 *         for (int64_t i = grid_first(); i < n; i += grid_step())
 *             x[i] *= by;
 *     }
 *     LAUNCH(scale, blocks_for(n), BLOCK, stream, x, n, by);
 *
 * LAUNCH is for kernels whose threads are independent; LAUNCH_TOGETHER for those that wait for each other
 * (__syncthreads, __shfl_*_sync). Grids and blocks have one dimension, shared memory a fixed size, and all threads of a
 * block that waits reach its barriers.
 */
#ifndef ENGINE_CUDA_GRID_H
#define ENGINE_CUDA_GRID_H

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/cuda/walk.h"

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#define LAUNCH(kernel, n_blocks, n_threads, stream, ...)                                                               \
    kernel<<<(unsigned)(n_blocks), (unsigned)(n_threads), 0, (cudaStream_t)(stream)>>>(__VA_ARGS__)
#define LAUNCH_TOGETHER LAUNCH
#else
#include <cuda_shim.h>
#endif

enum { BLOCK = 256, WARP = 32, MOST_BLOCKS = 1 << 16 };

/* Enough blocks of BLOCK threads for n elements; threads then go on in steps of the grid. */
static inline unsigned blocks_for(int64_t n)
{
    int64_t blocks = (n + BLOCK - 1) / BLOCK;
    return (unsigned)(blocks < 1 ? 1 : blocks > MOST_BLOCKS ? (int64_t)MOST_BLOCKS : blocks);
}

__device__ static inline int64_t grid_first(void)
{
    return (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
}

__device__ static inline int64_t grid_step(void)
{
    return (int64_t)gridDim.x * blockDim.x;
}

__device__ static inline int64_t divide(int64_t n, struct divisor d)
{
    return d.magic ? (int64_t)(__umulhi((uint32_t)n * 2, d.magic) >> d.shift) : n / d.by;
}

/* Where element i < walk->n is. */
__device__ static inline int64_t walk_at(const struct walk *walk, int64_t i)
{
    int64_t at = walk->begin;
    for (int axis = walk->rank - 1; axis > 0; axis--) {
        int64_t rest = divide(i, walk->dim[axis]);
        at += (i - rest * walk->dim[axis].by) * walk->stride[axis];
        i = rest;
    }
    return at + i * walk->stride[0];
}

/* Sum over the threads of a block of BLOCK threads, in a fixed order; every thread gets it. */
__device__ static inline float block_sum(float x)
{
    __shared__ float of_warp[BLOCK / WARP];
    for (int distance = WARP / 2; distance > 0; distance /= 2)
        x += __shfl_xor_sync(0xffffffffu, x, distance);
    __syncthreads();
    if (threadIdx.x % WARP == 0)
        of_warp[threadIdx.x / WARP] = x;
    __syncthreads();
    x = 0;
    for (int i = 0; i < BLOCK / WARP; i++)
        x += of_warp[i];
    return x;
}

/* The largest; NaN travels. */
__device__ static inline float nan_max(float a, float b)
{
    return a > b || a != a ? a : b;
}

__device__ static inline float block_max(float x)
{
    __shared__ float of_warp[BLOCK / WARP];
    for (int distance = WARP / 2; distance > 0; distance /= 2)
        x = nan_max(x, __shfl_xor_sync(0xffffffffu, x, distance));
    __syncthreads();
    if (threadIdx.x % WARP == 0)
        of_warp[threadIdx.x / WARP] = x;
    __syncthreads();
    x = of_warp[0];
    for (int i = 1; i < BLOCK / WARP; i++)
        x = nan_max(x, of_warp[i]);
    return x;
}

#endif
