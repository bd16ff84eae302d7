/* linear.cu - kernels beside products of matrices, see launches.h */
#include "engine/cuda/grid.h"
#include "engine/cuda/launches.h"

__device__ static inline uint32_t rounded_bfloat16(float x)
{
    uint32_t bits = (uint32_t)__float_as_int(x);
    return x == x ? (bits + 0x7fffu + (bits >> 16 & 1)) >> 16 : bits >> 16 | 0x40u;
}

/* Two numbers a thread. */
__global__ void pack_bfloat16(uint32_t *out, int64_t pairs, const float *x, int64_t rows, int64_t n)
{
    for (int64_t i = grid_first(); i < rows * pairs; i += grid_step()) {
        int64_t row = i / pairs, c = i % pairs * 2;
        uint32_t low = c < n ? rounded_bfloat16(x[row * n + c]) : 0;
        uint32_t high = c + 1 < n ? rounded_bfloat16(x[row * n + c + 1]) : 0;
        out[i] = low | high << 16;
    }
}

void launch_pack_bfloat16(void *stream, uint16_t *out, int64_t pitch, const float *x, int64_t rows, int64_t n)
{
    LAUNCH(pack_bfloat16, blocks_for(rows * pitch / 2), BLOCK, stream, (uint32_t *)out, pitch / 2, x, rows, n);
}

__global__ void round_bfloat16(float *x, int64_t n)
{
    for (int64_t i = grid_first(); i < n; i += grid_step())
        x[i] = __int_as_float((int)(rounded_bfloat16(x[i]) << 16));
}

void launch_round_bfloat16(void *stream, float *x, int64_t n)
{
    LAUNCH(round_bfloat16, blocks_for(n), BLOCK, stream, x, n);
}
