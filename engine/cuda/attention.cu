/* attention.cu - what attention does to its scores between two products, see launches.h: a team for each query of each
 * head. The products are in attention.c. */
#include "engine/cuda/grid.h"
#include "engine/cuda/launches.h"
#include "engine/cuda/philox.h"

/* What the threads of a team wrote is seen by all of them. */
__device__ static void team_wait(bool whole)
{
    if (whole)
        __syncthreads();
    else
        __syncwarp();
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
__device__ static float exponentials(struct attention_rows r, struct sight s, float *p, bool whole, bool *any)
{
    float most = -INFINITY, seen = 0, sum = 0;
    for (int64_t key = s.first + team_thread(whole); key < s.end; key += team_size(whole))
        if (sees(s, key)) {
            most = nan_max(most, r.scale * p[key]);
            seen = 1;
        }
    most = team_max(whole, most);
    *any = team_max(whole, seen) > 0;
    for (int64_t key = team_thread(whole); key < r.keys; key += team_size(whole)) {
        float e = sees(s, key) ? expf(r.scale * p[key] - most) : 0;
        p[key] = e;
        sum += e;
    }
    return team_sum(whole, sum);
}

__global__ void attention_softmax(struct attention_rows r, bool whole, float *probabilities, float *kept)
{
    int lane = team_thread(whole), step = team_size(whole);
    for (int64_t row = team_first(whole); row < r.n_rows; row += team_step(whole)) {
        int64_t begin = row * r.keys;
        bool any;
        float total = exponentials(r, sight_of(r, row), probabilities + begin, whole, &any);
        float alone = r.zero_empty ? 0 : 1 / (float)r.keys;
        for (int64_t i = begin + lane; !kept && i < begin + r.keys; i += step)
            probabilities[i] = any ? probabilities[i] / total : alone;
        team_wait(whole);
        for (int64_t block = begin / 4 + lane; kept && block * 4 < begin + r.keys; block += step) {
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

/* The gradient of a row's probabilities in the place of that of its dropped ones, and those; returns this
 * thread's part of the sum of gradient times probability. */
__device__ static float drop_row(struct attention_rows r, int64_t begin, const float *p, const float *dprobabilities,
                                 float *dp, float *kept, bool whole)
{
    float inner = 0;
    for (int64_t block = begin / 4 + team_thread(whole); block * 4 < begin + r.keys; block += team_size(whole)) {
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

__global__ void attention_dscores(struct attention_rows r, bool whole, const float *p, const float *dprobabilities,
                                  float *dp, float *kept)
{
    int lane = team_thread(whole), step = team_size(whole);
    for (int64_t row = team_first(whole); row < r.n_rows; row += team_step(whole)) {
        int64_t begin = row * r.keys, end = begin + r.keys;
        struct sight s = sight_of(r, row);
        float inner = kept ? drop_row(r, begin, p, dprobabilities, dp, kept, whole) : 0;
        for (int64_t i = begin + lane; !kept && i < end; i += step) {
            if (dprobabilities)
                dp[i] += dprobabilities[i];
            inner += dp[i] * p[i];
        }
        inner = team_sum(whole, inner);
        team_wait(whole);
        for (int64_t i = begin + lane; i < end; i += step)
            dp[i] = sees(s, i - begin) ? p[i] * (dp[i] - inner) * r.scale : 0;
    }
}

void launch_attention_softmax(void *stream, struct attention_rows r, float *probabilities, float *kept)
{
    bool whole = team_is_block(r.keys);
    LAUNCH_TOGETHER(attention_softmax, team_blocks(r.n_rows, whole), BLOCK, stream, r, whole, probabilities, kept);
}

void launch_attention_dscores(void *stream, struct attention_rows r, const float *p, const float *dprobabilities,
                              float *dp, float *kept)
{
    bool whole = team_is_block(r.keys);
    LAUNCH_TOGETHER(attention_dscores, team_blocks(r.n_rows, whole), BLOCK, stream, r, whole, p, dprobabilities, dp,
                    kept);
}
