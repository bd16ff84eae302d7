/* index.c - rows of a table by index, and the table's gradient: the indices are sorted, each row sums its own. See
 * launches.h. */
#include "engine/cuda/device.h"
#include "engine/cuda/launches.h"

#include "base/arena.h"

static int64_t in_elements(const struct kernel *k, int input)
{
    return shape_elements(k->in_value[input]->shape);
}

struct gathered {
    int64_t n_rows, n;    /* of the table; of the result, in words or quads as the width */
    struct divisor width; /* of a row */
};

static void run_gather_words(const struct kernel *k, struct device *device)
{
    const struct gathered *g = k->prepared;
    launch_gather_words(device->stream, k->out[0], k->in[0], k->in[1], g->width, g->n, g->n_rows);
}

static void run_gather_quads(const struct kernel *k, struct device *device)
{
    const struct gathered *g = k->prepared;
    launch_gather_quads(device->stream, k->out[0], k->in[0], k->in[1], g->width, g->n, g->n_rows);
}

bool cuda_prepare_gather(struct device *device, struct kernel *k, struct arena *arena, struct err *err)
{
    (void)device;
    (void)err;
    struct gathered *g = arena_alloc(arena, sizeof *g);
    g->n_rows = k->in_value[0]->shape.dim[0];
    int64_t width = in_elements(k, 0) / g->n_rows, unit = width % 4 ? 1 : 4;
    g->n = in_elements(k, 1) * (width / unit);
    g->width = divisor_of(width / unit, g->n);
    k->prepared = g;
    k->run = unit == 4 ? run_gather_quads : run_gather_words;
    return true;
}

static void run_one_hot(const struct kernel *k, struct device *device)
{
    const struct divisor *depth = k->prepared;
    launch_one_hot(device->stream, k->out[0], k->in[0], *depth, in_elements(k, 0) * depth->by);
}

bool cuda_prepare_one_hot(struct device *device, struct kernel *k, struct arena *arena, struct err *err)
{
    (void)device;
    (void)err;
    int64_t depth = k->node->attrs.k;
    struct divisor d = divisor_of(depth, in_elements(k, 0) * depth);
    k->prepared = arena_copy(arena, &d, 1, sizeof d);
    k->run = run_one_hot;
    return true;
}

/* Workspace: keys, the same again, starts of rows, sums of chunks; in bytes from its begin. */
struct dtable {
    int64_t n, n_rows, n_chunks; /* n: indices */
    struct divisor row, chunk;   /* both by the table's width */
    size_t other_at, start_at, sums_at;
};

static void run_gather_dtable(const struct kernel *k, struct device *device)
{
    const struct dtable *t = k->prepared;
    char *memory = k->workspace;
    uint64_t *sorted = (uint64_t *)memory, *other = (uint64_t *)(memory + t->other_at);
    int32_t *start = (int32_t *)(memory + t->start_at);
    float *sums = (float *)(memory + t->sums_at);
    launch_sort_tiles(device->stream, sorted, k->in[0], t->n);
    for (int64_t run = SORTED_TILE; run < t->n; run *= 2) {
        uint64_t *merged = other;
        launch_merge_runs(device->stream, merged, sorted, t->n, run);
        other = sorted;
        sorted = merged;
    }
    launch_row_starts(device->stream, start, sorted, t->n, t->n_rows);
    if (t->n_chunks)
        launch_chunk_sums(device->stream, sums, sorted, k->in[1], t->chunk, t->n_chunks * t->chunk.by);
    launch_row_sums(device->stream, k->out[0], start, sorted, sums, k->in[1], t->row, t->n_rows * t->row.by);
}

static size_t take(size_t *used, int64_t count, size_t size_bytes)
{
    size_t at = *used;
    *used += ((size_t)count * size_bytes + 63) & ~(size_t)63;
    return at;
}

bool cuda_prepare_gather_dtable(struct device *device, struct kernel *k, struct arena *arena, struct err *err)
{
    (void)device;
    struct dtable *t = arena_alloc(arena, sizeof *t);
    struct shape table = k->node->attrs.shape;
    t->n = in_elements(k, 0);
    t->n_rows = table.dim[0];
    if (t->n > INT32_MAX || t->n_rows > INT32_MAX)
        return err_set(err, ERR_USAGE, "cuda: gradient of a table of %lld rows by %lld indices, at most %d of each",
                       (long long)t->n_rows, (long long)t->n, INT32_MAX);
    int64_t width = shape_elements(table) / t->n_rows;
    t->n_chunks = t->n / SORTED_CHUNK;
    t->row = divisor_of(width, t->n_rows * width);
    t->chunk = divisor_of(width, t->n_chunks * width);
    size_t used = 0;
    take(&used, t->n, sizeof(uint64_t));
    t->other_at = take(&used, t->n, sizeof(uint64_t));
    t->start_at = take(&used, t->n_rows + 1, sizeof(int32_t));
    t->sums_at = take(&used, t->n_chunks * width, sizeof(float));
    k->workspace_bytes = used;
    k->prepared = t;
    k->run = run_gather_dtable;
    return true;
}
