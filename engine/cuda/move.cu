/* move.cu - kernels that move elements, see launches.h. Neighbouring threads write neighbouring elements. */
#include "engine/cuda/grid.h"
#include "engine/cuda/launches.h"

__global__ void copy_words(uint32_t *out, const uint32_t *in, int64_t first, int64_t n)
{
    for (int64_t i = first + grid_first(); i < n; i += grid_step())
        out[i] = in[i];
}

__global__ void copy_quads(uint4 *out, const uint4 *in, int64_t n)
{
    for (int64_t i = grid_first(); i < n; i += grid_step())
        out[i] = in[i];
}

void launch_copy(void *stream, void *out, const void *in, int64_t n_words)
{
    int64_t quads = n_words / 4;
    if (quads)
        LAUNCH(copy_quads, blocks_for(quads), BLOCK, stream, (uint4 *)out, (const uint4 *)in, quads);
    if (quads * 4 < n_words)
        LAUNCH(copy_words, blocks_for(n_words - quads * 4), BLOCK, stream, (uint32_t *)out, (const uint32_t *)in,
               quads * 4, n_words);
}

__global__ void walk_words(uint32_t *out, const uint32_t *in, const struct walk walk)
{
    for (int64_t i = grid_first(); i < walk.n; i += grid_step())
        out[i] = in[walk_at(&walk, i)];
}

void launch_walk_words(void *stream, void *out, const void *in, const struct walk *walk)
{
    LAUNCH(walk_words, blocks_for(walk->n), BLOCK, stream, (uint32_t *)out, (const uint32_t *)in, *walk);
}

__global__ void walk_quads(uint4 *out, const uint4 *in, const struct walk walk)
{
    for (int64_t i = grid_first(); i < walk.n; i += grid_step())
        out[i] = in[walk_at(&walk, i)];
}

void launch_walk_quads(void *stream, void *out, const void *in, const struct walk *walk)
{
    LAUNCH(walk_quads, blocks_for(walk->n), BLOCK, stream, (uint4 *)out, (const uint4 *)in, *walk);
}

/* A tile is read along the source's last axis and written along the result's; its rows have one word more than they
 * need, so that a column of it lies in different banks. */
__global__ void transpose_tiles(uint32_t *out, const uint32_t *in, const struct tiles tiles)
{
    __shared__ uint32_t tile[TRANSPOSE_TILE][TRANSPOSE_TILE + 1];
    int x = (int)threadIdx.x % TRANSPOSE_TILE, first = (int)threadIdx.x / TRANSPOSE_TILE;
    for (int64_t i = blockIdx.x; i < tiles.n; i += gridDim.x) {
        int64_t row = divide(i, tiles.across), batch = divide(row, tiles.down);
        int64_t left = (i - row * tiles.across.by) * TRANSPOSE_TILE,
                top = (row - batch * tiles.down.by) * TRANSPOSE_TILE;
        const uint32_t *from = in + walk_at(&tiles.from, batch);
        uint32_t *to = out + walk_at(&tiles.to, batch);
        for (int y = first; y < TRANSPOSE_TILE; y += BLOCK / TRANSPOSE_TILE)
            if (left + y < tiles.width && top + x < tiles.height)
                tile[y][x] = from[(left + y) * tiles.from_step + top + x];
        __syncthreads();
        for (int y = first; y < TRANSPOSE_TILE; y += BLOCK / TRANSPOSE_TILE)
            if (top + y < tiles.height && left + x < tiles.width)
                to[(top + y) * tiles.to_step + left + x] = tile[x][y];
        __syncthreads();
    }
}

void launch_transpose(void *stream, void *out, const void *in, const struct tiles *tiles)
{
    int64_t blocks = tiles->n < MOST_BLOCKS ? tiles->n : (int64_t)MOST_BLOCKS;
    LAUNCH_TOGETHER(transpose_tiles, blocks, BLOCK, stream, (uint32_t *)out, (const uint32_t *)in, *tiles);
}

/* Where word or quad i of a concatenation is: in part *part at the returned place. */
__device__ static inline int64_t place_in_parts(const struct parts *parts, int64_t i, int *part)
{
    int64_t row = divide(i, parts->width), column = i - row * parts->width.by, begin = 0;
    int p = 0;
    while (column >= parts->end[p])
        begin = parts->end[p++];
    *part = p;
    return row * (parts->end[p] - begin) + column - begin;
}

__global__ void concat_words(uint32_t *out, const struct parts parts)
{
    for (int64_t i = grid_first(); i < parts.n; i += grid_step()) {
        int part;
        int64_t at = place_in_parts(&parts, i, &part);
        out[i] = ((const uint32_t *)parts.from[part])[at];
    }
}

void launch_concat_words(void *stream, void *out, const struct parts *parts)
{
    LAUNCH(concat_words, blocks_for(parts->n), BLOCK, stream, (uint32_t *)out, *parts);
}

__global__ void concat_quads(uint4 *out, const struct parts parts)
{
    for (int64_t i = grid_first(); i < parts.n; i += grid_step()) {
        int part;
        int64_t at = place_in_parts(&parts, i, &part);
        out[i] = ((const uint4 *)parts.from[part])[at];
    }
}

void launch_concat_quads(void *stream, void *out, const struct parts *parts)
{
    LAUNCH(concat_quads, blocks_for(parts->n), BLOCK, stream, (uint4 *)out, *parts);
}

/* Where element i of the result comes from; -1: it is padding. */
__device__ static inline int64_t place_within(const struct paddings *p, int64_t i)
{
    int64_t at = 0;
    bool inside = true;
    for (int k = p->rank - 1; k >= 0; k--) {
        int64_t rest = k ? divide(i, p->axis[k].dim) : 0;
        int64_t position = i - rest * p->axis[k].dim.by - p->axis[k].before;
        inside = inside && position >= 0 && position < p->axis[k].extent;
        int64_t element = inside ? divide(position, p->axis[k].spacing) : 0;
        inside = inside && element * p->axis[k].spacing.by == position;
        at += element * p->axis[k].stride;
        i = rest;
    }
    return inside ? at : -1;
}

__global__ void pad_words(uint32_t *out, const uint32_t *in, const struct paddings paddings)
{
    for (int64_t i = grid_first(); i < paddings.n; i += grid_step()) {
        int64_t at = place_within(&paddings, i);
        out[i] = at < 0 ? paddings.fill : in[at];
    }
}

void launch_pad(void *stream, void *out, const void *in, const struct paddings *paddings)
{
    LAUNCH(pad_words, blocks_for(paddings->n), BLOCK, stream, (uint32_t *)out, (const uint32_t *)in, *paddings);
}
