/* profile.c - see profile.h */
#include "engine/train/profile.h"
#include "base/io.h"
#include "engine/layers/model.h"

#include <stdlib.h>
#include <string.h>

struct part_times {
    int64_t steps, loop_ns, kernels_ns, gather_ns, clocks;
};

struct profile {
    struct trace *trace;
    struct part_times parts[PROFILE_PARTS];
    enum profile_part part;
    int64_t begin_ns;
};

struct profile *profile_new(bool with_trace)
{
    struct profile *profile = xcalloc(1, sizeof *profile);
    profile->trace = with_trace ? trace_new() : NULL;
    return profile;
}

void profile_free(struct profile *profile)
{
    if (!profile)
        return;
    trace_free(profile->trace);
    free(profile);
}

struct trace *profile_trace(const struct profile *profile)
{
    return profile ? profile->trace : NULL;
}

void profile_watch(struct profile *profile, const struct backend *backend, struct device *device)
{
    if (profile && profile->trace && backend->watch)
        backend->watch(device, &(struct device_watch){.worked = trace_worked, .context = profile->trace});
}

int64_t profile_clock(const struct profile *profile)
{
    return profile ? io->monotonic_ns() : 0;
}

void profile_begin(struct profile *profile, enum profile_part part)
{
    if (!profile)
        return;
    profile->part = part;
    profile->begin_ns = io->monotonic_ns();
}

void profile_end(struct profile *profile, int64_t n_batches)
{
    if (!profile)
        return;
    struct part_times *t = &profile->parts[profile->part];
    t->loop_ns += io->monotonic_ns() - profile->begin_ns;
    t->steps += n_batches;
}

void profile_gathered(struct profile *profile, int64_t start_ns)
{
    if (!profile)
        return;
    int64_t end_ns = io->monotonic_ns();
    struct part_times *t = &profile->parts[profile->part];
    t->gather_ns += end_ns - start_ns;
    t->clocks += 2;
    if (profile->trace)
        trace_add(profile->trace, "batch", "", start_ns, end_ns);
}

void profile_ran(struct profile *profile, const struct plan *plan)
{
    if (!profile)
        return;
    const int64_t *times = plan_times(plan);
    int n = plan_stats(plan).n_kernels;
    struct part_times *t = &profile->parts[profile->part];
    t->kernels_ns += times[n] - times[0];
    t->clocks += n + 1;
    for (int k = 0; profile->trace && k < n; k++) {
        struct plan_kernel kernel = plan_kernel(plan, k);
        trace_add(profile->trace, kernel.op, kernel.label, times[k], times[k + 1]);
    }
}

void profile_span(struct profile *profile, enum trace_lane lane, const char *name, int64_t number, int64_t start_ns)
{
    if (profile && profile->trace)
        trace_span(profile->trace, lane, name, number, start_ns, io->monotonic_ns());
}

/* What one look at the clock costs. */
static double clock_ns(void)
{
    enum { LOOKS = 1000 };
    int64_t start = io->monotonic_ns(), end = start;
    for (int i = 0; i < LOOKS; i++)
        end = io->monotonic_ns();
    return (double)(end - start) / LOOKS;
}

json_t *profile_times(const struct profile *profile, enum profile_part part)
{
    const struct part_times *t = &profile->parts[part];
    if (!t->steps)
        return NULL;
    double loop = (double)t->loop_ns, kernels = (double)t->kernels_ns, gather = (double)t->gather_ns;
    return json_pack("{s:I,s:f,s:f,s:{s:f,s:f,s:f},s:f}", "steps", (json_int_t)t->steps, "seconds", loop / 1e9,
                     "step_ms", loop / 1e6 / (double)t->steps, "shares", "kernels", kernels / loop, "batches",
                     gather / loop, "between", (loop - kernels - gather) / loop, "clocks",
                     (double)t->clocks * clock_ns() / loop);
}

/* Sums of kernels that share a layer, an op, or both. */
struct row {
    const char *layer, *op; /* NULL: not what they share */
    const struct shape *shape;
    bool fused;
    double ns, floor_ns, multiply_adds, bytes; /* of all calls */
};

static struct row *row_for(struct row *rows, int *n, const char *layer, const char *op)
{
    for (int i = 0; i < *n; i++)
        if ((!layer || !strcmp(rows[i].layer, layer)) && (!op || !strcmp(rows[i].op, op)))
            return &rows[i];
    rows[*n] = (struct row){.layer = layer, .op = op};
    return &rows[(*n)++];
}

static void add_kernel(struct row *row, const struct plan_kernel *kernel, int64_t calls, double gflops,
                       double gbytes_per_s)
{
    double multiply_adds = (double)kernel->multiply_adds * (double)calls, bytes = (double)kernel->bytes * (double)calls;
    double product_ns = 2 * multiply_adds / gflops, copy_ns = bytes / gbytes_per_s;
    row->fused = row->fused || kernel->fused;
    row->ns += (double)kernel->nanoseconds;
    row->floor_ns += product_ns > copy_ns ? product_ns : copy_ns;
    row->multiply_adds += multiply_adds;
    row->bytes += bytes;
}

static int by_time(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return x->ns < y->ns ? 1 : x->ns > y->ns ? -1 : 0;
}

static json_t *rows_json(struct row *rows, int n, int64_t calls, double total_ns)
{
    json_t *array = json_array();
    qsort(rows, (size_t)n, sizeof *rows, by_time);
    for (int i = 0; i < n; i++) {
        const struct row *r = &rows[i];
        double ns = r->ns > 0 ? r->ns : 1;
        json_t *json =
            json_pack("{s:s*,s:s*,s:o*,s:b,s:I,s:f,s:f,s:f,s:f,s:f}", "layer", r->layer, "op", r->op, "shape",
                      r->shape ? shape_json(*r->shape) : NULL, "fused", r->fused, "calls", (json_int_t)calls, "seconds",
                      r->ns / 1e9, "share", total_ns > 0 ? r->ns / total_ns : 0, "gflops", 2 * r->multiply_adds / ns,
                      "gbytes_per_s", r->bytes / ns, "floor", r->floor_ns / ns);
        json_array_append_new(array, json);
    }
    return array;
}

json_t *profile_kernels(const struct plan *plan, double gflops, double gbytes_per_s)
{
    int n = plan_stats(plan).n_kernels, n_layers = 0, n_ops = 0;
    struct row *kernels = xcalloc((size_t)n + 1, sizeof *kernels), *layers = xcalloc((size_t)n + 1, sizeof *layers),
               *ops = xcalloc((size_t)n + 1, sizeof *ops);
    struct shape *shapes = xcalloc((size_t)n + 1, sizeof *shapes);
    double total_ns = 0;
    int64_t calls = 0;
    for (int k = 0; k < n; k++) {
        struct plan_kernel kernel = plan_kernel(plan, k);
        calls = kernel.calls;
        total_ns += (double)kernel.nanoseconds;
        shapes[k] = kernel.shape;
        kernels[k] = (struct row){.layer = kernel.label, .op = kernel.op, .shape = &shapes[k]};
        add_kernel(&kernels[k], &kernel, calls, gflops, gbytes_per_s);
        add_kernel(row_for(layers, &n_layers, kernel.label, NULL), &kernel, calls, gflops, gbytes_per_s);
        add_kernel(row_for(ops, &n_ops, NULL, kernel.op), &kernel, calls, gflops, gbytes_per_s);
    }
    json_t *result =
        json_pack("{s:I,s:f,s:o,s:o,s:o}", "full_steps", (json_int_t)calls, "full_seconds", total_ns / 1e9, "kernels",
                  rows_json(kernels, n, calls, total_ns), "layers", rows_json(layers, n_layers, calls, total_ns), "ops",
                  rows_json(ops, n_ops, calls, total_ns));
    free(kernels);
    free(layers);
    free(ops);
    free(shapes);
    return result;
}
