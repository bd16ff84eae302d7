/* grid.h - for .cu files only: how a kernel is launched, and how its threads share work. The files are in the subset
 * that C17 and C++ share, plus CUDA's words; compiled without nvcc (tests/cuda) every thread is a loop's turn or a
 * fiber, so that kernels run, and are checked, where there is no GPU.
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
 * block that waits reach its barriers. UNROLL stands before loops over an array that has to lie in registers.
 */
#ifndef ENGINE_CUDA_GRID_H
#define ENGINE_CUDA_GRID_H

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/cuda/launches.h"
#include "engine/cuda/walk.h"

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#define LAUNCH(kernel, n_blocks, n_threads, stream, ...)                                                               \
    kernel<<<(unsigned)(n_blocks), (unsigned)(n_threads), 0, (cudaStream_t)(stream)>>>(__VA_ARGS__)
#define LAUNCH_TOGETHER LAUNCH
#define UNROLL _Pragma("unroll")
#else
#include <cuda_shim.h>
#define UNROLL
#endif

/* No more than MOST_BLOCKS: blocks then go on in steps of the grid. */
static inline unsigned blocks_of(int64_t n)
{
    return (unsigned)(n < 1 ? 1 : n > MOST_BLOCKS ? (int64_t)MOST_BLOCKS : n);
}

/* Enough blocks of BLOCK threads for n elements; threads then go on in steps of the grid. */
static inline unsigned blocks_for(int64_t n)
{
    return blocks_of((n + BLOCK - 1) / BLOCK);
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

/* The largest; NaN travels. */
__device__ static inline float nan_max(float a, float b)
{
    return a > b || a != a ? a : b;
}

__device__ static inline float nan_min(float a, float b)
{
    return a < b || a != a ? a : b;
}

__device__ static inline float combine(enum combine how, float a, float b)
{
    return how == COMBINE_SUM       ? a + b
           : how == COMBINE_PRODUCT ? a * b
           : how == COMBINE_MAX     ? nan_max(a, b)
                                    : nan_min(a, b);
}

/* Over the lanes of a warp that are tile apart, tile a power of two up to WARP; in a fixed order. */
__device__ static inline float lanes_combine(enum combine how, int tile, float x)
{
    for (int distance = WARP / 2; distance >= tile; distance /= 2)
        x = combine(how, x, __shfl_xor_sync(0xffffffffu, x, distance));
    return x;
}

/* Over the threads of a block of BLOCK threads that are tile apart; in a fixed order, every thread gets it. */
__device__ static inline float column_combine(enum combine how, int tile, float x)
{
    __shared__ float of_lane[BLOCK];
    x = lanes_combine(how, tile, x);
    __syncthreads();
    of_lane[threadIdx.x] = x;
    __syncthreads();
    x = of_lane[threadIdx.x % tile];
    for (int warp = 1; warp < BLOCK / WARP; warp++)
        x = combine(how, x, of_lane[warp * WARP + threadIdx.x % tile]);
    return x;
}

__device__ static inline float block_sum(float x)
{
    return column_combine(COMBINE_SUM, 1, x);
}

__device__ static inline float block_max(float x)
{
    return column_combine(COMBINE_MAX, 1, x);
}

/* A team shares a row: the whole block where rows are long, else each warp of it. A loop over rows
 *
 *     for (int64_t row = team_first(whole); row < n_rows; row += team_step(whole))
 *
 * is left by whole teams only, so the team may sum inside. */
static inline bool team_is_block(int64_t width)
{
    return width > 1024;
}

static inline unsigned team_blocks(int64_t n_rows, bool whole)
{
    return blocks_for(whole ? n_rows * BLOCK : n_rows * WARP);
}

__device__ static inline int64_t team_first(bool whole)
{
    return whole ? (int64_t)blockIdx.x : grid_first() / WARP;
}

__device__ static inline int64_t team_step(bool whole)
{
    return whole ? (int64_t)gridDim.x : grid_step() / WARP;
}

__device__ static inline int team_thread(bool whole)
{
    return (int)(whole ? threadIdx.x : threadIdx.x % WARP);
}

__device__ static inline int team_size(bool whole)
{
    return whole ? BLOCK : WARP;
}

__device__ static inline float team_sum(bool whole, float x)
{
    return whole ? block_sum(x) : lanes_combine(COMBINE_SUM, 1, x);
}

__device__ static inline float team_max(bool whole, float x)
{
    return whole ? block_max(x) : lanes_combine(COMBINE_MAX, 1, x);
}

/* The largest of a row, and the sum of exp(x - top) over it. */
struct exp_sum {
    float top, sum;
};

/* Over a team; in one pass: what was summed below a new top is made less. The sum is NaN where softmax is: for a row
 * with NaN or infinity, or of -infinity alone. */
__device__ static inline struct exp_sum team_exp_sum(bool whole, const float *x, int64_t width)
{
    struct exp_sum s;
    s.top = -INFINITY;
    s.sum = 0;
    for (int64_t c = team_thread(whole); c < width; c += team_size(whole)) {
        if (x[c] > s.top) {
            s.sum = s.sum * expf(s.top - x[c]) + 1;
            s.top = x[c];
        } else if (x[c] != -INFINITY)
            s.sum += expf(x[c] - s.top);
    }
    float top = team_max(whole, s.top);
    s.sum = team_sum(whole, s.sum * expf(s.top - top));
    s.top = top;
    return s;
}

/* Where a thread works in matrices whose columns are shared as struct columns says: in one column of one, in rows
 * first, first + step, ... below end; there are none where the tile is wider than what is left of the matrix. */
struct column_place {
    int64_t matrix, part, column, first, end;
    int step;
};

__device__ static inline struct column_place column_place(const struct columns *c, int64_t block)
{
    struct column_place p;
    int64_t above = divide(block, c->tiles);
    p.matrix = divide(above, c->parts);
    p.part = above - p.matrix * c->parts.by;
    p.column = (block - above * c->tiles.by) * c->tile + threadIdx.x % c->tile;
    p.first = p.part * c->part_rows + threadIdx.x / c->tile;
    p.end = p.part + 1 < c->parts.by ? (p.part + 1) * c->part_rows : c->n_rows;
    p.step = BLOCK / c->tile;
    if (p.column >= c->width)
        p.end = 0;
    return p;
}

#endif
