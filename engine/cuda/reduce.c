/* reduce.c - reductions, and how columns are shared; see launches.h */
#include "engine/cuda/device.h"

#include "base/arena.h"
#include "engine/plan/strides.h"

/* About as many blocks as fill a large GPU; fewer where threads would have less than some rows each. */
enum { WANTED_BLOCKS = 1024, LEAST_ROWS = 16, MOST_SHARES = 256 };

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t divide_up(int64_t n, int64_t by)
{
    return (n + by - 1) / by;
}

static struct columns columns_in_parts(int64_t n_rows, int64_t width, int64_t n_matrices, int64_t n_parts)
{
    struct columns c = {.n_rows = n_rows, .width = width, .tile = 1};
    while (c.tile < WARP && c.tile < width)
        c.tile *= 2;
    int64_t n_tiles = divide_up(width, c.tile);
    if (!n_parts) {
        n_parts = least(MOST_SHARES, WANTED_BLOCKS / n_tiles / n_matrices);
        n_parts = least(n_parts, divide_up(n_rows, (int64_t)BLOCK / c.tile * LEAST_ROWS));
    }
    c.part_rows = divide_up(n_rows, n_parts < 1 ? 1 : n_parts);
    n_parts = divide_up(n_rows, c.part_rows);
    c.n_blocks = n_matrices * n_parts * n_tiles;
    c.parts = divisor_of(n_parts, n_matrices * n_parts);
    c.tiles = divisor_of(n_tiles, c.n_blocks);
    return c;
}

struct columns columns_of(int64_t n_rows, int64_t width)
{
    return columns_in_parts(n_rows, width, 1, 0);
}

/* n_parts 0: as many as do well. */
static void choose_way(struct reduction *r, int64_t n_parts)
{
    enum { OF_A_THREAD = 16, OF_A_WARP = 1024 };
    int64_t n = r->reduced.n, last = r->kept.rank - 1;
    int64_t width = r->kept.stride[last] == 1 ? r->kept.dim[last].by : 1;
    r->way = n <= OF_A_THREAD ? REDUCE_BY_THREAD : n <= OF_A_WARP && width == 1 ? REDUCE_BY_WARP : REDUCE_BY_BLOCK;
    r->columns = columns_in_parts(n, width, r->kept.n / width, r->way == REDUCE_BY_BLOCK ? n_parts : 1);
}

static struct reduction reduction_of_parts(enum combine how, int64_t n_parts, int64_t n, float divisor)
{
    struct reduction r = {.how = how, .divisor = divisor};
    r.kept = walk_of(&n, &(int64_t){1}, 1, 0);
    r.reduced = walk_of(&n_parts, &n, 1, 0);
    choose_way(&r, 1);
    return r;
}

void cuda_sum_parts(struct device *device, float *out, const float *parts, int64_t n_parts, int64_t n)
{
    struct reduction r = reduction_of_parts(COMBINE_SUM, n_parts, n, 1);
    launch_reduce(device->stream, out, parts, &r);
}

static struct reduction reduction_of_columns(int64_t n_rows, int64_t n)
{
    struct reduction r = {.how = COMBINE_SUM, .divisor = 1};
    r.kept = walk_of(&n, &(int64_t){1}, 1, 0);
    r.reduced = walk_of(&n_rows, &n, 1, 0);
    choose_way(&r, 0);
    return r;
}

int64_t cuda_column_parts(int64_t n_rows, int64_t n)
{
    int64_t n_parts = reduction_of_columns(n_rows, n).columns.parts.by;
    return n_parts == 1 ? 0 : n_parts * n;
}

void cuda_sum_columns(struct device *device, float *out, float *parts, const float *x, int64_t n_rows, int64_t n)
{
    struct reduction r = reduction_of_columns(n_rows, n);
    int64_t n_parts = r.columns.parts.by;
    launch_reduce(device->stream, n_parts == 1 ? out : parts, x, &r);
    if (n_parts > 1)
        cuda_sum_parts(device, out, parts, n_parts, n);
}

struct reduce_plan {
    struct reduction first, second; /* second: of the first's parts, where it has several */
};

static bool is_reduced(const struct op_attrs *a, int axis)
{
    for (int i = 0; i < a->n_axes; i++)
        if (a->axes[i] == axis)
            return true;
    return false;
}

/* Of the axes that are reduced, or of the others. */
static struct walk walk_of_axes(const struct node *node, bool reduced)
{
    struct shape in = node->inputs[0]->shape;
    int64_t strides[RANK_MAX], dims[RANK_MAX], of_dims[RANK_MAX];
    int rank = 0;
    shape_strides(in, strides);
    for (int d = 0; d < in.rank; d++)
        if (is_reduced(&node->attrs, d) == reduced) {
            dims[rank] = in.dim[d];
            of_dims[rank++] = strides[d];
        }
    return walk_of(dims, of_dims, rank, 0);
}

bool cuda_prepare_reduce(struct device *device, struct kernel *k, struct arena *arena, struct err *err)
{
    (void)device, (void)err;
    static const enum combine how[] = {[REDUCE_SUM] = COMBINE_SUM,
                                       [REDUCE_MEAN] = COMBINE_SUM,
                                       [REDUCE_MAX] = COMBINE_MAX,
                                       [REDUCE_MIN] = COMBINE_MIN,
                                       [REDUCE_PROD] = COMBINE_PRODUCT};
    struct reduce_plan plan = {.first = {.how = how[k->node->attrs.reduce], .divisor = 1}};
    struct reduction *first = &plan.first;
    first->kept = walk_of_axes(k->node, false);
    first->reduced = walk_of_axes(k->node, true);
    choose_way(first, 0);
    float divisor = k->node->attrs.reduce == REDUCE_MEAN ? (float)first->reduced.n : 1;
    int64_t n_parts = first->columns.parts.by;
    if (n_parts == 1)
        first->divisor = divisor;
    else
        plan.second = reduction_of_parts(first->how, n_parts, first->kept.n, divisor);
    k->workspace_bytes = n_parts == 1 ? 0 : (size_t)(n_parts * first->kept.n) * sizeof(float);
    k->prepared = arena_copy(arena, &plan, 1, sizeof plan);
    return true;
}

void cuda_reduce(const struct kernel *k, struct device *device)
{
    const struct reduce_plan *plan = k->prepared;
    if (plan->first.columns.parts.by == 1) {
        launch_reduce(device->stream, k->out[0], k->in[0], &plan->first);
        return;
    }
    launch_reduce(device->stream, k->workspace, k->in[0], &plan->first);
    launch_reduce(device->stream, k->out[0], k->workspace, &plan->second);
}
