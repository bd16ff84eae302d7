/* attention.cu - what attention does to its scores between two products, see launches.h: a warp for each query of each
 * head. The products are in attention.c. */
#include "engine/cuda/grid.h"
#include "engine/cuda/launches.h"
#include "engine/cuda/philox.h"

__device__ static float warp_total(float x)
{
    for (int distance = WARP / 2; distance > 0; distance /= 2)
        x += __shfl_xor_sync(0xffffffffu, x, distance);
    return x;
}

__device__ static float warp_most(float x)
{
    for (int distance = WARP / 2; distance > 0; distance /= 2)
        x = nan_max(x, __shfl_xor_sync(0xffffffffu, x, distance));
    return x;
}

/* Where a query may look: keys [first, end) where the mask is not 0. */
struct sight {
    int64_t first, end;
    const float *mask;
    int64_t mask_step;
};

__device__ static struct sight sight_of(struct attention_rows r, int64_t row)
{
    int64_t head = row / r.queries, i = row - head * r.queries, n = head / r.heads;
    struct sight s;
    s.first = r.window && i >= r.window ? i - r.window + 1 : 0;
    s.end = r.window && i + r.window < r.keys ? i + r.window : r.keys;
    s.end = r.causal && i + 1 < s.end ? i + 1 : s.end;
    s.mask = NULL;
    if (r.mask)
        s.mask = r.mask + n * r.mask_stride[0] + (head - n * r.heads) * r.mask_stride[1] + i * r.mask_stride[2];
    s.mask_step = r.mask_stride[3];
    return s;
}

__device__ static bool sees(struct sight s, int64_t key)
{
    return key >= s.first && key < s.end && (!s.mask || s.mask[key * s.mask_step] != 0);
}

/* What dropout multiplies the four probabilities of a block of random numbers with. */
struct factors {
    float of[4];
};

__device__ static struct factors factors_of(struct attention_rows r, int64_t block)
{
    struct philox numbers = philox_block(r.seed, r.stream, (uint32_t)*r.step, (uint64_t)block);
    struct factors f;
    for (int i = 0; i < 4; i++)
        f.of[i] = philox_unit(numbers.word[i]) >= r.rate ? 1 / (1 - r.rate) : 0;
    return f;
}

/* exp(score - the largest) of a row in its place, 0 where the query does not look; returns the sum. *any: it looks
 * somewhere. */
__device__ static float exponentials(struct attention_rows r, struct sight s, float *p, int lane, bool *any)
{
    float most = -INFINITY, seen = 0, sum = 0;
    for (int64_t key = s.first + lane; key < s.end; key += WARP)
        if (sees(s, key)) {
            most = nan_max(most, r.scale * p[key]);
            seen = 1;
        }
    most = warp_most(most);
    *any = warp_most(seen) > 0;
    for (int64_t key = lane; key < r.keys; key += WARP) {
        float e = sees(s, key) ? expf(r.scale * p[key] - most) : 0;
        p[key] = e;
        sum += e;
    }
    return warp_total(sum);
}

__global__ void attention_softmax(struct attention_rows r, float *probabilities, float *kept)
{
    int lane = threadIdx.x % WARP;
    for (int64_t row = grid_first() / WARP; row < r.n_rows; row += grid_step() / WARP) {
        int64_t begin = row * r.keys;
        bool any;
        float total = exponentials(r, sight_of(r, row), probabilities + begin, lane, &any);
        float alone = r.zero_empty ? 0 : 1 / (float)r.keys;
        for (int64_t i = begin + lane; !kept && i < begin + r.keys; i += WARP)
            probabilities[i] = any ? probabilities[i] / total : alone;
        __syncwarp();
        for (int64_t block = begin / 4 + lane; kept && block * 4 < begin + r.keys; block += WARP) {
            struct factors f = factors_of(r, block);
            for (int k = 0; k < 4; k++) {
                int64_t i = block * 4 + k;
                if (i < begin || i >= begin + r.keys)
                    continue;
                float p = any ? probabilities[i] / total : alone;
                probabilities[i] = p;
                kept[i] = p * f.of[k];
            }
        }
    }
}

/* The gradient of a row's probabilities in the place of that of its dropped ones, and those; returns this lane's part
 * of the sum of gradient times probability. */
__device__ static float drop_row(struct attention_rows r, int64_t begin, const float *p, const float *dprobabilities,
                                 float *dp, float *kept, int lane)
{
    float inner = 0;
    for (int64_t block = begin / 4 + lane; block * 4 < begin + r.keys; block += WARP) {
        struct factors f = factors_of(r, block);
        for (int k = 0; k < 4; k++) {
            int64_t i = block * 4 + k;
            if (i < begin || i >= begin + r.keys)
                continue;
            float d = dp[i] * f.of[k] + (dprobabilities ? dprobabilities[i] : 0);
            kept[i] = p[i] * f.of[k];
            dp[i] = d;
            inner += d * p[i];
        }
    }
    return inner;
}

__global__ void attention_dscores(struct attention_rows r, const float *p, const float *dprobabilities, float *dp,
                                  float *kept)
{
    int lane = threadIdx.x % WARP;
    for (int64_t row = grid_first() / WARP; row < r.n_rows; row += grid_step() / WARP) {
        int64_t begin = row * r.keys, end = begin + r.keys;
        struct sight s = sight_of(r, row);
        float inner = kept ? drop_row(r, begin, p, dprobabilities, dp, kept, lane) : 0;
        for (int64_t i = begin + lane; !kept && i < end; i += WARP) {
            if (dprobabilities)
                dp[i] += dprobabilities[i];
            inner += dp[i] * p[i];
        }
        inner = warp_total(inner);
        __syncwarp();
        for (int64_t i = begin + lane; i < end; i += WARP)
            dp[i] = sees(s, i - begin) ? p[i] * (dp[i] - inner) * r.scale : 0;
    }
}

void launch_attention_softmax(void *stream, struct attention_rows r, float *probabilities, float *kept)
{
    LAUNCH_TOGETHER(attention_softmax, blocks_for(r.n_rows * WARP), BLOCK, stream, r, probabilities, kept);
}

void launch_attention_dscores(void *stream, struct attention_rows r, const float *p, const float *dprobabilities,
                              float *dp, float *kept)
{
    LAUNCH_TOGETHER(attention_dscores, blocks_for(r.n_rows * WARP), BLOCK, stream, r, p, dprobabilities, dp, kept);
}
