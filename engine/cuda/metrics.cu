/* metrics.cu - what metrics count, see launches.h */
#include "engine/cuda/grid.h"
#include "engine/cuda/launches.h"

struct candidate {
    float x;
    int64_t at;
};

/* The larger one, the first of equal ones; NaN is above all. */
__device__ static inline struct candidate first_of(struct candidate a, struct candidate b)
{
    bool same = a.x == b.x || (a.x != a.x && b.x != b.x), larger = a.x > b.x || (a.x != a.x && b.x == b.x);
    return larger || (same && a.at < b.at) ? a : b;
}

__device__ static inline struct candidate first_of_lanes(struct candidate a)
{
    for (int distance = WARP / 2; distance > 0; distance /= 2) {
        struct candidate b;
        b.x = __shfl_xor_sync(0xffffffffu, a.x, distance);
        uint32_t low = __shfl_xor_sync(0xffffffffu, (uint32_t)a.at, distance);
        uint32_t high = __shfl_xor_sync(0xffffffffu, (uint32_t)(a.at >> 32), distance);
        b.at = (int64_t)((uint64_t)high << 32 | low);
        a = first_of(a, b);
    }
    return a;
}

__device__ static inline struct candidate first_of_team(bool whole, struct candidate a)
{
    __shared__ struct candidate of_warp[BLOCK / WARP];
    a = first_of_lanes(a);
    if (!whole)
        return a;
    __syncthreads();
    if (threadIdx.x % WARP == 0)
        of_warp[threadIdx.x / WARP] = a;
    __syncthreads();
    for (int warp = 0; warp < BLOCK / WARP; warp++)
        a = first_of(a, of_warp[warp]);
    return a;
}

__global__ void argmax(int32_t *y, const float *in, int64_t n_rows, int64_t width, bool whole)
{
    for (int64_t row = team_first(whole); row < n_rows; row += team_step(whole)) {
        struct candidate best;
        best.x = -INFINITY;
        best.at = width;
        for (int64_t c = team_thread(whole); c < width; c += team_size(whole)) {
            struct candidate other;
            other.x = in[row * width + c];
            other.at = c;
            best = first_of(best, other);
        }
        best = first_of_team(whole, best);
        if (!team_thread(whole))
            y[row] = (int32_t)best.at;
    }
}

void launch_argmax(void *stream, int32_t *y, const float *x, int64_t n_rows, int64_t width)
{
    bool whole = team_is_block(width);
    LAUNCH_TOGETHER(argmax, team_blocks(n_rows, whole), BLOCK, stream, y, x, n_rows, width, whole);
}

__global__ void top_k_hit(float *hit, const float *scores, const int32_t *labels, int64_t n_rows, int64_t width,
                          int64_t k, bool whole)
{
    for (int64_t row = team_first(whole); row < n_rows; row += team_step(whole)) {
        const float *x = scores + row * width;
        int32_t label = labels[row];
        bool known = label >= 0 && label < width && isfinite(x[label]);
        float above = 0;
        for (int64_t c = team_thread(whole); known && c < width; c += team_size(whole))
            above += x[c] > x[label];
        above = team_sum(whole, above);
        if (!team_thread(whole))
            hit[row] = known && above < (float)k;
    }
}

void launch_top_k_hit(void *stream, float *hit, const float *x, const int32_t *label, int64_t n_rows, int64_t width,
                      int64_t k)
{
    bool whole = team_is_block(width);
    LAUNCH_TOGETHER(top_k_hit, team_blocks(n_rows, whole), BLOCK, stream, hit, x, label, n_rows, width, k, whole);
}

__global__ void store_thresholds(float *out, struct thresholds some)
{
    for (int i = (int)grid_first(); i < some.n; i += (int)grid_step())
        out[i] = some.at[i];
}

void launch_store_thresholds(void *stream, float *out, const struct thresholds *some)
{
    LAUNCH(store_thresholds, 1, BLOCK, stream, out, *some);
}

/* How many of the rising thresholds are below x: none for NaN. */
__device__ static inline int bin_of(float x, const float *threshold, int n)
{
    int low = 0, high = n;
    while (low < high) {
        int middle = (low + high) / 2;
        if (x > threshold[middle])
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A thread has a bin, and adds what falls into it in order. */
__global__ void histogram(float *parts, const float *x, const float *weight, const float *threshold, struct histogram h)
{
    __shared__ int bins[BLOCK];
    __shared__ float weights[BLOCK];
    int n_bins = h.n_thresholds + 1, n_groups = (n_bins + BLOCK - 1) / BLOCK;
    int64_t part = blockIdx.x / n_groups, end = (part + 1) * h.part < h.n ? (part + 1) * h.part : h.n;
    int bin = (int)(blockIdx.x % n_groups * BLOCK + threadIdx.x);
    float sum = 0;
    for (int64_t first = part * h.part; first < end; first += BLOCK) {
        int64_t i = first + threadIdx.x;
        __syncthreads();
        bins[threadIdx.x] = i < end ? bin_of(x[i], threshold, h.n_thresholds) : -1;
        weights[threadIdx.x] = i < end ? weight[i] : 0;
        __syncthreads();
        for (int j = 0; j < BLOCK; j++)
            if (bins[j] == bin)
                sum += weights[j];
    }
    if (bin < n_bins)
        parts[part * n_bins + bin] = sum;
}

void launch_histogram(void *stream, float *parts, const float *x, const float *weight, const float *threshold,
                      const struct histogram *h)
{
    int n_groups = (h->n_thresholds + 1 + BLOCK - 1) / BLOCK;
    LAUNCH_TOGETHER(histogram, h->n_parts * n_groups, BLOCK, stream, parts, x, weight, threshold, *h);
}
