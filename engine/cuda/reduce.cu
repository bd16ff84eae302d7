/* reduce.cu - sums, means, extremes and products over axes, see launches.h */
#include "engine/cuda/grid.h"
#include "engine/cuda/launches.h"

enum { AT_ONCE = 8 }; /* numbers that a thread reads before it uses them */

/* Elements first, first + step, ... below end. */
__device__ static inline float reduce_thread(const struct reduction *r, const float *x, int64_t first, int64_t end,
                                             int step)
{
    enum combine how = r->how;
    float none = how == COMBINE_SUM ? 0 : how == COMBINE_PRODUCT ? 1 : how == COMBINE_MAX ? -INFINITY : INFINITY;
    float all = none;
    for (int64_t i = first; i < end; i += AT_ONCE * step) {
        float some[AT_ONCE];
        UNROLL
        for (int j = 0; j < AT_ONCE; j++)
            some[j] = i + j * step < end ? x[walk_at(&r->reduced, i + j * step)] : none;
        UNROLL
        for (int j = 0; j < AT_ONCE / 2; j++)
            some[j] = combine(how, some[j], some[j + AT_ONCE / 2]);
        UNROLL
        for (int j = 0; j < AT_ONCE / 4; j++)
            some[j] = combine(how, some[j], some[j + AT_ONCE / 4]);
        all = combine(how, all, combine(how, some[0], some[1]));
    }
    return all;
}

__global__ void reduce_by_thread(float *out, const float *x, const struct reduction r)
{
    for (int64_t i = grid_first(); i < r.kept.n; i += grid_step())
        out[i] = reduce_thread(&r, x + walk_at(&r.kept, i), 0, r.columns.n_rows, 1) / r.divisor;
}

__global__ void reduce_by_warp(float *out, const float *x, const struct reduction r)
{
    for (int64_t i = team_first(false); i < r.kept.n; i += team_step(false)) {
        int lane = team_thread(false);
        float all = reduce_thread(&r, x + walk_at(&r.kept, i), lane, r.columns.n_rows, WARP);
        all = lanes_combine(r.how, 1, all);
        if (!lane)
            out[i] = all / r.divisor;
    }
}

__global__ void reduce_by_block(float *out, const float *x, const struct reduction r)
{
    for (int64_t block = blockIdx.x; block < r.columns.n_blocks; block += gridDim.x) {
        struct column_place p = column_place(&r.columns, block);
        int64_t i = p.matrix * r.columns.width + p.column;
        bool inside = p.column < r.columns.width;
        float all = reduce_thread(&r, x + (inside ? walk_at(&r.kept, i) : 0), p.first, p.end, p.step);
        all = column_combine(r.how, r.columns.tile, all);
        if (inside && (int)threadIdx.x < r.columns.tile)
            out[p.part * r.kept.n + i] = all / r.divisor;
    }
}

void launch_reduce(void *stream, float *out, const float *x, const struct reduction *r)
{
    if (r->way == REDUCE_BY_THREAD)
        LAUNCH(reduce_by_thread, blocks_for(r->kept.n), BLOCK, stream, out, x, *r);
    else if (r->way == REDUCE_BY_WARP)
        LAUNCH_TOGETHER(reduce_by_warp, team_blocks(r->kept.n, false), BLOCK, stream, out, x, *r);
    else
        LAUNCH_TOGETHER(reduce_by_block, blocks_of(r->columns.n_blocks), BLOCK, stream, out, x, *r);
}
