/* index.cu - kernels that read and sum rows of a table by index, see launches.h */
#include "engine/cuda/grid.h"
#include "engine/cuda/launches.h"

static_assert((int)SORTED_TILE == (int)BLOCK, "a block sorts a tile, a thread a key");

__global__ void gather_words(uint32_t *out, const uint32_t *table, const int32_t *index, struct divisor width,
                             int64_t n, int64_t n_rows)
{
    for (int64_t i = grid_first(); i < n; i += grid_step()) {
        int64_t row = divide(i, width), from = index[row];
        out[i] = from >= 0 && from < n_rows ? table[from * width.by + i - row * width.by] : 0x7fc00000u;
    }
}

void launch_gather_words(void *stream, void *out, const void *table, const int32_t *index, struct divisor width,
                         int64_t n, int64_t n_rows)
{
    LAUNCH(gather_words, blocks_for(n), BLOCK, stream, (uint32_t *)out, (const uint32_t *)table, index, width, n,
           n_rows);
}

__global__ void gather_quads(uint4 *out, const uint4 *table, const int32_t *index, struct divisor width, int64_t n,
                             int64_t n_rows)
{
    const uint4 nothing = {0x7fc00000u, 0x7fc00000u, 0x7fc00000u, 0x7fc00000u};
    for (int64_t i = grid_first(); i < n; i += grid_step()) {
        int64_t row = divide(i, width), from = index[row];
        out[i] = from >= 0 && from < n_rows ? table[from * width.by + i - row * width.by] : nothing;
    }
}

void launch_gather_quads(void *stream, void *out, const void *table, const int32_t *index, struct divisor width,
                         int64_t n, int64_t n_rows)
{
    LAUNCH(gather_quads, blocks_for(n), BLOCK, stream, (uint4 *)out, (const uint4 *)table, index, width, n, n_rows);
}

__global__ void one_hot(float *out, const int32_t *index, struct divisor depth, int64_t n)
{
    for (int64_t i = grid_first(); i < n; i += grid_step()) {
        int64_t row = divide(i, depth);
        out[i] = index[row] == i - row * depth.by ? 1.0f : 0.0f;
    }
}

void launch_one_hot(void *stream, float *out, const int32_t *index, struct divisor depth, int64_t n)
{
    LAUNCH(one_hot, blocks_for(n), BLOCK, stream, out, index, depth, n);
}

/* Keys differ, as positions do: the place of a key is the number of smaller ones. */
__global__ void sort_tiles(uint64_t *sorted, const int32_t *index, int64_t n)
{
    __shared__ uint64_t keys[BLOCK];
    for (int64_t first = (int64_t)blockIdx.x * BLOCK; first < n; first += (int64_t)gridDim.x * BLOCK) {
        int64_t i = first + threadIdx.x;
        uint64_t key = i < n ? (uint64_t)(uint32_t)index[i] << 32 | (uint32_t)i : UINT64_MAX;
        keys[threadIdx.x] = key;
        __syncthreads();
        int place = 0;
        for (int k = 0; k < BLOCK; k++)
            place += keys[k] < key;
        __syncthreads();
        if (i < n)
            sorted[first + place] = key;
    }
}

void launch_sort_tiles(void *stream, uint64_t *sorted, const int32_t *index, int64_t n)
{
    LAUNCH_TOGETHER(sort_tiles, blocks_for(n), BLOCK, stream, sorted, index, n);
}

/* The first of sorted[low ... high - 1] that is not less than key; high where all are. */
__device__ static inline int64_t first_not_less(const uint64_t *sorted, int64_t low, int64_t high, uint64_t key)
{
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (sorted[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A key moves by as many places as the run beside its own has smaller keys. */
__global__ void merge_runs(uint64_t *to, const uint64_t *from, int64_t n, int64_t run)
{
    for (int64_t i = grid_first(); i < n; i += grid_step()) {
        int64_t own = i & -run, other = own ^ run, pair = own & other;
        int64_t end = other + run < n ? other + run : n;
        int64_t smaller = other < n ? first_not_less(from, other, end, from[i]) - other : 0;
        to[pair + i - own + smaller] = from[i];
    }
}

void launch_merge_runs(void *stream, uint64_t *to, const uint64_t *from, int64_t n, int64_t run)
{
    LAUNCH(merge_runs, blocks_for(n), BLOCK, stream, to, from, n, run);
}

__global__ void row_starts(int32_t *start, const uint64_t *sorted, int64_t n, int64_t n_rows)
{
    for (int64_t row = grid_first(); row <= n_rows; row += grid_step())
        start[row] = (int32_t)first_not_less(sorted, 0, n, (uint64_t)row << 32);
}

void launch_row_starts(void *stream, int32_t *start, const uint64_t *sorted, int64_t n, int64_t n_rows)
{
    LAUNCH(row_starts, blocks_for(n_rows + 1), BLOCK, stream, start, sorted, n, n_rows);
}

/* Adds column c of dy's rows at the positions of keys[first ... end - 1] to sum. */
__device__ static inline float add_rows(float sum, const uint64_t *sorted, const float *dy, int64_t width, int64_t c,
                                        int64_t first, int64_t end)
{
    for (int64_t k = first; k < end; k++)
        sum += dy[(int64_t)(uint32_t)sorted[k] * width + c];
    return sum;
}

__global__ void chunk_sums(float *sums, const uint64_t *sorted, const float *dy, struct divisor width, int64_t n)
{
    for (int64_t i = grid_first(); i < n; i += grid_step()) {
        int64_t chunk = divide(i, width), first = chunk * SORTED_CHUNK, last = first + SORTED_CHUNK - 1;
        if (sorted[first] >> 32 == sorted[last] >> 32)
            sums[i] = add_rows(0, sorted, dy, width.by, i - chunk * width.by, first, last + 1);
    }
}

void launch_chunk_sums(void *stream, float *sums, const uint64_t *sorted, const float *dy, struct divisor width,
                       int64_t n)
{
    LAUNCH(chunk_sums, blocks_for(n), BLOCK, stream, sums, sorted, dy, width, n);
}

/* Whole chunks within the row's keys are summed already. */
__global__ void row_sums(float *out, const int32_t *start, const uint64_t *sorted, const float *chunk_sums,
                         const float *dy, struct divisor width, int64_t n)
{
    for (int64_t i = grid_first(); i < n; i += grid_step()) {
        int64_t row = divide(i, width), c = i - row * width.by, first = start[row], end = start[row + 1];
        int64_t chunk = (first + SORTED_CHUNK - 1) / SORTED_CHUNK, last = end / SORTED_CHUNK;
        bool whole = chunk < last;
        float sum = add_rows(0, sorted, dy, width.by, c, first, whole ? chunk * SORTED_CHUNK : end);
        for (; chunk < last; chunk++)
            sum += chunk_sums[chunk * width.by + c];
        out[i] = whole ? add_rows(sum, sorted, dy, width.by, c, last * SORTED_CHUNK, end) : sum;
    }
}

void launch_row_sums(void *stream, float *out, const int32_t *start, const uint64_t *sorted, const float *chunk_sums,
                     const float *dy, struct divisor width, int64_t n)
{
    LAUNCH(row_sums, blocks_for(n), BLOCK, stream, out, start, sorted, chunk_sums, dy, width, n);
}
