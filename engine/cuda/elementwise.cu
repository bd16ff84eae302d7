/* elementwise.cu - kernels that treat every element alike, see launches.h; maps are in map.c */
#include "engine/cuda/grid.h"
#include "engine/cuda/launches.h"

/* Toward zero; what does not fit goes to the nearest end, NaN to 0. */
__global__ void cast_i32(int32_t *out, const float *x, int64_t n)
{
    for (int64_t i = grid_first(); i < n; i += grid_step())
        out[i] = x[i] >= 2147483648.0f    ? INT32_MAX
                 : x[i] <= -2147483648.0f ? INT32_MIN
                 : x[i] == x[i]           ? (int32_t)x[i]
                                          : 0;
}

void launch_cast_i32(void *stream, int32_t *out, const float *x, int64_t n)
{
    LAUNCH(cast_i32, blocks_for(n), BLOCK, stream, out, x, n);
}

__global__ void add_i32(int32_t *out, const int32_t *x, int64_t n, int32_t amount)
{
    for (int64_t i = grid_first(); i < n; i += grid_step())
        out[i] = (int32_t)((uint32_t)x[i] + (uint32_t)amount);
}

void launch_add_i32(void *stream, int32_t *out, const int32_t *x, int64_t n, int32_t amount)
{
    LAUNCH(add_i32, blocks_for(n), BLOCK, stream, out, x, n, amount);
}
