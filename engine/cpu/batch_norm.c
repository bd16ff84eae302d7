/* batch_norm.c - batch normalization and its gradient, see enum op in graph.h for the operands.
 *
 * Rows of few channels are walked as wide ones, `fold` rows side by side, with the channels' numbers repeated: whole
 * vectors, and sums in several registers. Every slice adds its rows up in a part of its own; parts, then the
 * repetitions, are added in order.
 */
#include "engine/cpu/kernels.h"
#include "engine/cpu/norm_kernels.h"

#include <math.h>
#include <string.h>

enum { MOST_PARTS = 8, WIDE = 64, WHOLE = 16, MOST_FOLD = 16, CHUNK_FLOATS = 4096 };

struct batch_norm {
    int64_t rows, c, fold, width, wide_rows; /* width = fold * c; rows left over are the last slice's */
    int n_slices;
    float epsilon;
    const struct map_program *epilogue;
    int64_t factors; /* in the workspace, behind the parts (2 width each): FACTORS rows of width */
};

enum { FACTORS = 3 };

struct batch_norm_call {
    const struct kernel *kernel;
    const struct norm_kernels *kernels;
};

static struct batch_norm *batch_norm_new(struct kernel *kernel, struct arena *arena)
{
    struct shape x = input_of(kernel, 0)->shape;
    struct batch_norm *b = arena_alloc(arena, sizeof *b);
    *b = (struct batch_norm){.c = x.dim[x.rank - 1], .fold = 1, .epsilon = kernel->node->attrs.value};
    b->rows = b->c ? shape_elements(x) / b->c : 0;
    while (b->fold < MOST_FOLD && (b->c * b->fold < WIDE || b->c * b->fold % WHOLE))
        b->fold++;
    if (b->c * b->fold % WHOLE)
        b->fold = b->c < WIDE ? (WIDE + b->c - 1) / b->c : 1;
    b->fold = b->rows < b->fold ? 1 : b->fold;
    b->width = b->fold * b->c;
    b->wide_rows = b->rows / b->fold;
    int most = b->wide_rows < MOST_PARTS ? (int)(b->wide_rows ? b->wide_rows : 1) : MOST_PARTS;
    b->n_slices = slices_for(b->rows * b->c, 2 * SLICE_ELEMENTS, most);
    b->factors = b->n_slices * 2 * b->width;
    kernel->workspace_bytes = (size_t)(b->factors + FACTORS * b->width) * sizeof(float);
    kernel->prepared = b;
    return b;
}

static float *factors_of(const struct kernel *k, int number)
{
    const struct batch_norm *b = k->prepared;
    return (float *)k->workspace + b->factors + number * b->width;
}

static void repeat(const struct batch_norm *b, float *row)
{
    for (int64_t i = b->c; i < b->width; i++)
        row[i] = row[i - b->c];
}

/* Both sums of every channel, into the first part. */
static void add_parts(const struct batch_norm *b, const struct rows *rows, float *parts)
{
    for (int slice = 1; slice < b->n_slices; slice++)
        rows->add_into(parts, parts + slice * 2 * b->width, 2 * b->width);
    for (int sum = 0; sum < 2; sum++)
        for (int64_t i = 1; i < b->fold; i++)
            for (int64_t c = 0; c < b->c; c++)
                parts[sum * b->width + c] += parts[sum * b->width + i * b->c + c];
}

struct span { /* rows that a slice walks, in floats of x */
    int64_t start, rows, width;
};

/* Number `part` of a slice: its wide rows, then (of the last slice) those left over. */
static struct span span_of(const struct batch_norm *b, int slice, int part)
{
    int64_t begin = slice_begin(b->wide_rows, b->n_slices, slice),
            end = slice_begin(b->wide_rows, b->n_slices, slice + 1);
    if (part == 0)
        return (struct span){begin * b->width, end - begin, b->width};
    return (struct span){b->wide_rows * b->width, slice == b->n_slices - 1 ? b->rows - b->wide_rows * b->fold : 0,
                         b->c};
}

/* The next rows of a span: few enough to stay in the L1 cache. */
static struct span chunk_of(struct span *span)
{
    int64_t most = CHUNK_FLOATS / span->width > 1 ? CHUNK_FLOATS / span->width : 1;
    struct span chunk = {span->start, span->rows < most ? span->rows : most, span->width};
    span->start += chunk.rows * span->width;
    span->rows -= chunk.rows;
    return chunk;
}

static float *part_of(const struct kernel *k, int slice)
{
    const struct batch_norm *b = k->prepared;
    float *part = (float *)k->workspace + slice * 2 * b->width;
    memset(part, 0, (size_t)(2 * b->width) * sizeof *part);
    return part;
}

/* Sums of x - x[0] and their squares: shifted by the first row, so that a large mean costs no digits. */
static void moments_slice(void *context, int slice)
{
    const struct batch_norm_call *call = context;
    const struct kernel *k = call->kernel;
    const struct batch_norm *b = k->prepared;
    float *part = part_of(k, slice);
    for (int i = 0; i < 2; i++)
        for (struct span rest = span_of(b, slice, i); rest.rows > 0;) {
            struct span s = chunk_of(&rest);
            call->kernels->moments(part, part + b->width, (const float *)k->in[0] + s.start, factors_of(k, 0), s.rows,
                                   s.width);
        }
}

static void apply_slice(void *context, int slice)
{
    const struct batch_norm_call *call = context;
    const struct kernel *k = call->kernel;
    const struct batch_norm *b = k->prepared;
    float *y = k->out[0];
    for (int i = 0; i < 2; i++)
        for (struct span rest = span_of(b, slice, i); rest.rows > 0;) {
            struct span s = chunk_of(&rest);
            call->kernels->apply(y + s.start, (const float *)k->in[0] + s.start, factors_of(k, 0), factors_of(k, 1),
                                 s.rows, s.width);
            if (b->epilogue)
                epilogue_run(b->epilogue, k, y, s.start, s.rows * s.width);
        }
}

static void run_batch_norm(const struct kernel *kernel, struct device *device)
{
    const struct batch_norm *b = kernel->prepared;
    struct batch_norm_call call = {kernel, device->norm};
    const float *x = kernel->in[0], *gamma = kernel->in[1], *beta = kernel->in[2];
    float *sums = kernel->workspace, *scale = factors_of(kernel, 0), *shift = factors_of(kernel, 1), n = (float)b->rows;
    memcpy(scale, x, (size_t)b->c * sizeof *x);
    repeat(b, scale);
    threads_run(device->threads, moments_slice, &call, b->n_slices);
    add_parts(b, device->rows, sums);
    int others = kernel->epilogue ? kernel->epilogue->n_results : 1;
    float *mean = kernel->out[others], *variance = kernel->out[others + 1];
    for (int64_t c = 0; c < b->c; c++) {
        float d = sums[c] / n, v = sums[b->width + c] / n - d * d;
        mean[c] = x[c] + d;
        variance[c] = v < 0 ? 0 : v;
        scale[c] = gamma[c] / sqrtf(variance[c] + b->epsilon);
        shift[c] = beta[c] - mean[c] * scale[c];
    }
    repeat(b, scale);
    repeat(b, shift);
    threads_run(device->threads, apply_slice, &call, b->n_slices);
}

bool prepare_batch_norm(struct device *device, struct kernel *kernel, struct arena *arena)
{
    struct batch_norm *b = batch_norm_new(kernel, arena);
    b->epilogue = epilogue_prepare(device, kernel, arena);
    kernel->run = run_batch_norm;
    return b->rows > 0 && (!kernel->epilogue || (b->epilogue && !epilogue_may_overwrite(kernel)));
}

/* inputs: x, gamma, mean, variance, dy -> dx, dgamma, dbeta. dx = gamma rstd (dy - mean(dy) - xhat mean(dy xhat)) */
static void gradient_sums_slice(void *context, int slice)
{
    const struct batch_norm_call *call = context;
    const struct kernel *k = call->kernel;
    const struct batch_norm *b = k->prepared;
    float *part = part_of(k, slice);
    for (int i = 0; i < 2; i++)
        for (struct span rest = span_of(b, slice, i); rest.rows > 0;) {
            struct span s = chunk_of(&rest);
            call->kernels->gradient_sums(part, part + b->width, (const float *)k->in[4] + s.start,
                                         (const float *)k->in[0] + s.start, factors_of(k, 0), s.rows, s.width);
        }
}

static void gradient_slice(void *context, int slice)
{
    const struct batch_norm_call *call = context;
    const struct kernel *k = call->kernel;
    for (int i = 0; i < 2; i++)
        for (struct span rest = span_of(k->prepared, slice, i); rest.rows > 0;) {
            struct span s = chunk_of(&rest);
            call->kernels->gradient((float *)k->out[0] + s.start, (const float *)k->in[4] + s.start,
                                    (const float *)k->in[0] + s.start, factors_of(k, 0), factors_of(k, 1),
                                    factors_of(k, 2), s.rows, s.width);
        }
}

static void run_batch_norm_dx(const struct kernel *kernel, struct device *device)
{
    const struct batch_norm *b = kernel->prepared;
    struct batch_norm_call call = {kernel, device->norm};
    const float *gamma = kernel->in[1], *mean = kernel->in[2], *variance = kernel->in[3];
    float *sums = kernel->workspace, *from_dy = factors_of(kernel, 0), *from_x = factors_of(kernel, 1),
          *constant = factors_of(kernel, 2);
    float n = (float)b->rows, *dgamma = kernel->out[1], *dbeta = kernel->out[2];
    memcpy(from_dy, mean, (size_t)b->c * sizeof *mean);
    repeat(b, from_dy);
    threads_run(device->threads, gradient_sums_slice, &call, b->n_slices);
    add_parts(b, device->rows, sums);
    for (int64_t c = 0; c < b->c; c++) {
        float rstd = 1 / sqrtf(variance[c] + b->epsilon);
        dbeta[c] = sums[c];
        dgamma[c] = sums[b->width + c] * rstd;
        from_dy[c] = gamma[c] * rstd;
        from_x[c] = -from_dy[c] * rstd * dgamma[c] / n;
        constant[c] = -from_dy[c] * dbeta[c] / n - mean[c] * from_x[c];
    }
    repeat(b, from_dy);
    repeat(b, from_x);
    repeat(b, constant);
    threads_run(device->threads, gradient_slice, &call, b->n_slices);
}

bool prepare_batch_norm_dx(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device;
    struct batch_norm *b = batch_norm_new(kernel, arena);
    kernel->run = run_batch_norm_dx;
    return b->rows > 0;
}
