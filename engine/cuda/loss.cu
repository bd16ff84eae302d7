/* loss.cu - softmax cross-entropies of rows of logits, see launches.h */
#include "engine/cuda/grid.h"
#include "engine/cuda/launches.h"

__global__ void xent(float *y, const float *logits, const float *targets, int64_t n_rows, int64_t width, bool whole)
{
    for (int64_t row = team_first(whole); row < n_rows; row += team_step(whole)) {
        const float *x = logits + row * width, *target = targets + row * width;
        struct exp_sum s = team_exp_sum(whole, x, width);
        float log_sum = logf(s.sum), loss = 0;
        for (int64_t c = team_thread(whole); c < width; c += team_size(whole))
            loss += target[c] * (log_sum + (s.top - x[c]));
        loss = team_sum(whole, loss);
        if (!team_thread(whole))
            y[row] = loss;
    }
}

void launch_xent(void *stream, float *y, const float *x, const float *target, int64_t n_rows, int64_t width)
{
    bool whole = team_is_block(width);
    LAUNCH_TOGETHER(xent, team_blocks(n_rows, whole), BLOCK, stream, y, x, target, n_rows, width, whole);
}

__global__ void xent_dx(float *dx, const float *logits, const float *targets, const float *dy, int64_t n_rows,
                        int64_t width, bool whole)
{
    for (int64_t row = team_first(whole); row < n_rows; row += team_step(whole)) {
        const float *x = logits + row * width, *target = targets + row * width;
        struct exp_sum s = team_exp_sum(whole, x, width);
        float mass = 0;
        for (int64_t c = team_thread(whole); c < width; c += team_size(whole))
            mass += target[c];
        mass = team_sum(whole, mass) / s.sum;
        for (int64_t c = team_thread(whole); c < width; c += team_size(whole))
            dx[row * width + c] = dy[row] * (expf(x[c] - s.top) * mass - target[c]);
    }
}

void launch_xent_dx(void *stream, float *dx, const float *x, const float *target, const float *dy, int64_t n_rows,
                    int64_t width)
{
    bool whole = team_is_block(width);
    LAUNCH_TOGETHER(xent_dx, team_blocks(n_rows, whole), BLOCK, stream, dx, x, target, dy, n_rows, width, whole);
}

__global__ void sparse_xent(float *y, const float *logits, const int32_t *labels, int64_t n_rows, int64_t width,
                            int32_t ignore, bool whole)
{
    for (int64_t row = team_first(whole); row < n_rows; row += team_step(whole)) {
        const float *x = logits + row * width;
        struct exp_sum s = team_exp_sum(whole, x, width);
        int32_t label = labels[row];
        bool known = label >= 0 && label < width;
        if (!team_thread(whole))
            y[row] = label == ignore ? 0 : known ? logf(s.sum) + (s.top - x[label]) : NAN;
    }
}

void launch_sparse_xent(void *stream, float *y, const float *x, const int32_t *label, int64_t n_rows, int64_t width,
                        int32_t ignore)
{
    bool whole = team_is_block(width);
    LAUNCH_TOGETHER(sparse_xent, team_blocks(n_rows, whole), BLOCK, stream, y, x, label, n_rows, width, ignore, whole);
}

__global__ void sparse_xent_dx(float *dx, const float *logits, const int32_t *labels, const float *dy, int64_t n_rows,
                               int64_t width, int32_t ignore, bool whole)
{
    for (int64_t row = team_first(whole); row < n_rows; row += team_step(whole)) {
        const float *x = logits + row * width;
        struct exp_sum s = team_exp_sum(whole, x, width);
        int32_t label = labels[row];
        bool known = label >= 0 && label < width;
        for (int64_t c = team_thread(whole); c < width; c += team_size(whole)) {
            float probability = expf(x[c] - s.top) / s.sum;
            dx[row * width + c] = label == ignore ? 0 : known ? dy[row] * (probability - (c == label)) : NAN;
        }
    }
}

void launch_sparse_xent_dx(void *stream, float *dx, const float *x, const int32_t *label, const float *dy,
                           int64_t n_rows, int64_t width, int32_t ignore)
{
    bool whole = team_is_block(width);
    LAUNCH_TOGETHER(sparse_xent_dx, team_blocks(n_rows, whole), BLOCK, stream, dx, x, label, dy, n_rows, width, ignore,
                    whole);
}
