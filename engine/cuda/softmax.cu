/* softmax.cu - softmax along rows, see launches.h */
#include "engine/cuda/grid.h"
#include "engine/cuda/launches.h"

__global__ void softmax(float *out, const float *in, int64_t n_rows, int64_t width, bool whole)
{
    for (int64_t row = team_first(whole); row < n_rows; row += team_step(whole)) {
        const float *x = in + row * width;
        struct exp_sum s = team_exp_sum(whole, x, width);
        for (int64_t c = team_thread(whole); c < width; c += team_size(whole))
            out[row * width + c] = expf(x[c] - s.top) / s.sum;
    }
}

void launch_softmax(void *stream, float *y, const float *x, int64_t n_rows, int64_t width)
{
    bool whole = team_is_block(width);
    LAUNCH_TOGETHER(softmax, team_blocks(n_rows, whole), BLOCK, stream, y, x, n_rows, width, whole);
}

__global__ void softmax_dx(float *dx, const float *y, const float *dy, int64_t n_rows, int64_t width, bool whole)
{
    for (int64_t row = team_first(whole); row < n_rows; row += team_step(whole)) {
        float dot = 0;
        int64_t first = row * width + team_thread(whole), end = (row + 1) * width;
        for (int64_t i = first; i < end; i += team_size(whole))
            dot += y[i] * dy[i];
        dot = team_sum(whole, dot);
        for (int64_t i = first; i < end; i += team_size(whole))
            dx[i] = y[i] * (dy[i] - dot);
    }
}

void launch_softmax_dx(void *stream, float *dx, const float *y, const float *dy, int64_t n_rows, int64_t width)
{
    bool whole = team_is_block(width);
    LAUNCH_TOGETHER(softmax_dx, team_blocks(n_rows, whole), BLOCK, stream, dx, y, dy, n_rows, width, whole);
}
