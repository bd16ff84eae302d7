/* parity.h - for tests of a backend: a graph is computed by it and by the reference loops, fused and not, and compared.
 * The cpu backend with one thread and with three; with PARITY_CUDA the cuda backend, its step recorded and replayed.
 *
 *     CASE("matmul", true, y = op_matmul(c.g, feed(&c, SHAPE(3, 4)), feed(&c, SHAPE(4, 5)), false, false););
 */
#ifndef TESTS_UNIT_PARITY_H
#define TESTS_UNIT_PARITY_H

#include "base/rng.h"
#include "engine/cpu/rows.h"
#include "engine/plan/plan.h"
#include "tests/check.h"
#if defined(PARITY_CUDA)
#include "engine/cuda/cuda.h"
#define PARITY_BACKEND (&backend_cuda)
#else
#define PARITY_BACKEND (&backend_cpu)
#endif

enum { MOST_INPUTS = 8, MOST_KEPT = 4 };

struct one_case { /* a graph with its inputs and what is compared */
    struct graph *g;
    struct value *inputs[MOST_INPUTS];
    int labels[MOST_INPUTS]; /* for int32 inputs: exclusive upper bound, else 0 */
    int n_inputs;
    double tolerance; /* 0 = that of float32 */
};

static inline struct value *feed(struct one_case *c, struct shape shape)
{
    c->labels[c->n_inputs] = 0;
    return c->inputs[c->n_inputs++] = op_input(c->g, "x", DTYPE_F32, shape);
}

static inline struct value *feed_i32(struct one_case *c, struct shape shape, int below)
{
    c->labels[c->n_inputs] = below;
    return c->inputs[c->n_inputs++] = op_input(c->g, "i", DTYPE_I32, shape);
}

static inline void fill_input(const struct one_case *c, int i, void *data)
{
    int64_t n = shape_elements(c->inputs[i]->shape);
    if (!c->labels[i]) {
        rng_fill_normal(11, RNG_STREAM_DATA + (uint32_t)i, 0, data, (size_t)n);
        return;
    }
    for (int64_t k = 0; k < n; k++)
        ((int32_t *)data)[k] = (int32_t)(rng_u32(12, RNG_STREAM_DATA, 0, (uint64_t)k) % (uint32_t)c->labels[i]);
}

/* A GPU stays open with PARITY_ON_GPU: hundreds of openings take minutes. */
static struct device *kept_device;

static inline struct device *open_device(const struct backend *backend, const struct device_options *options,
                                         struct err *err)
{
#if defined(PARITY_ON_GPU)
    if (backend == &backend_cuda)
        return kept_device ? kept_device : (kept_device = backend->open(options, err));
#endif
    return backend->open(options, err);
}

/* Runs the graph n_steps times and copies every kept value, one behind the other. */
static inline float *run_steps(const struct one_case *c, const struct backend *backend,
                               const struct device_options *options, bool no_fusion, int n_steps, size_t *n)
{
    struct err err = {0};
    float *all = NULL;
    struct device *device = open_device(backend, options, &err);
    struct plan *plan =
        device ? plan_new(c->g, backend, device, &(struct plan_options){.no_fusion = no_fusion}, &err) : NULL;
    if (!plan) {
        CHECK_FAIL("%s: %s", backend->name, err.text);
        return NULL;
    }
    for (int i = 0; i < c->n_inputs; i++)
        fill_input(c, i, plan_input(plan, c->inputs[i]));
    for (int i = 0; i < n_steps; i++)
        plan_run(plan);
    *n = 0;
    for (int i = 0; i < c->g->n_kept; i++) {
        size_t count = (size_t)shape_elements(c->g->kept[i]->shape);
        all = realloc(all, (*n + count) * sizeof *all);
        memcpy(all + *n, plan_output(plan, c->g->kept[i]), count * sizeof *all);
        if (c->g->kept[i]->dtype == DTYPE_I32)
            for (size_t k = 0; k < count; k++)
                all[*n + k] = (float)((const int32_t *)plan_output(plan, c->g->kept[i]))[k];
        *n += count;
    }
    plan_free(plan);
    if (device != kept_device)
        backend->close(device);
    return all;
}

static inline float *run_with(const struct one_case *c, const struct backend *backend,
                              const struct device_options *options, bool no_fusion, size_t *n)
{
    return run_steps(c, backend, options, no_fusion, 1, n);
}

static inline float *run_on(const struct one_case *c, const struct backend *backend, int n_threads, bool no_fusion,
                            size_t *n)
{
    return run_with(c, backend, &(struct device_options){.n_threads = n_threads, .never_alone = true}, no_fusion, n);
}

static inline void compare(const char *what, const float *got, const float *want, size_t n, double tolerance)
{
    double scale = 0;
    for (size_t i = 0; i < n; i++)
        scale = isfinite(want[i]) ? fmax(scale, fabs((double)want[i])) : scale;
    for (size_t i = 0; i < n; i++)
        if (!(got[i] == want[i] || (isnan(got[i]) && isnan(want[i])) ||
              fabs((double)got[i] - (double)want[i]) <= tolerance * (1 + scale))) {
            CHECK_FAIL("%s: element %zu of %zu is %.9g, expected %.9g", what, i, n, (double)got[i], (double)want[i]);
            return;
        }
}

/* The backend against the reference. */
#if defined(PARITY_CUDA)
static inline void check_backend(const char *what, const struct one_case *c)
{
    size_t n = 0, m = 0;
    const struct device_options options = {0};
    float *want = run_on(c, &backend_reference, 1, true, &n),
          *plain = run_steps(c, &backend_cuda, &options, true, 1, &m);
    float *fused = run_steps(c, &backend_cuda, &options, false, 1, &m);
    float *replayed = run_steps(c, &backend_cuda, &options, false, 3, &m);
    if (want && plain && fused && replayed) {
        CHECK_EQ(n, m);
        compare(what, plain, want, n, c->tolerance ? c->tolerance : 3e-5);
        compare(what, fused, want, n, c->tolerance ? c->tolerance : 3e-5);
        if (memcmp(fused, replayed, n * sizeof *fused))
            CHECK_FAIL("%s: other bytes when replayed", what);
    }
    free(want), free(plain), free(fused), free(replayed);
}
#else
static inline void check_backend(const char *what, const struct one_case *c)
{
    size_t n = 0, m = 0;
    float *want = run_on(c, &backend_reference, 1, true, &n), *plain = run_on(c, &backend_cpu, 1, true, &m);
    float *fused = run_on(c, &backend_cpu, 1, false, &m), *threads = run_on(c, &backend_cpu, 3, false, &m);
    float *direct =
        run_with(c, &backend_cpu, &(struct device_options){.n_threads = 2, .direct_convolutions = true}, false, &m);
    if (want && plain && fused && threads && direct) {
        CHECK_EQ(n, m);
        compare(what, plain, want, n, c->tolerance ? c->tolerance : 3e-5);
        compare(what, fused, want, n, c->tolerance ? c->tolerance : 3e-5);
        compare(what, direct, want, n, c->tolerance ? c->tolerance : 1e-5);
        if (memcmp(fused, threads, n * sizeof *fused))
            CHECK_FAIL("%s: other bytes with 3 threads", what);
    }
    free(want), free(plain), free(fused), free(threads), free(direct);
}
#endif

/* Keeps y (and its gradients with a random direction) and compares the backends. */
static inline void check_case(const char *what, struct one_case *c, struct value *y, bool differentiate)
{
    graph_keep(c->g, y);
    if (differentiate && y) {
        struct value *loss = op_sum_all(c->g, op_mul(c->g, y, feed(c, y->shape)));
        struct value *wanted[MOST_INPUTS], *gradients[MOST_INPUTS];
        int n = 0;
        for (int i = 0; i + 1 < c->n_inputs; i++)
            if (!c->labels[i])
                wanted[n++] = c->inputs[i];
        if (graph_gradient(c->g, loss, wanted, n, gradients))
            for (int i = 0; i < n; i++)
                graph_keep(c->g, gradients[i]);
    }
    struct err err = {0};
    if (!graph_ok(c->g, &err))
        CHECK_FAIL("%s: %s", what, err.text);
    else
        check_backend(what, c);
    graph_free(c->g);
}

#define CASE(what, differentiate, ...)                                                                                 \
    do {                                                                                                               \
        struct one_case c = {.g = graph_new()};                                                                        \
        struct value *y = NULL;                                                                                        \
        __VA_ARGS__                                                                                                    \
        check_case(what, &c, y, differentiate);                                                                        \
    } while (0)

/* For tests of what one of the backends chooses, or does better. */
#if defined(PARITY_CUDA)
#define RUN_OF_CPU(test) (void)test
#define RUN_OF_CUDA(test) RUN(test)
#else
#define RUN_OF_CPU(test) RUN(test)
#define RUN_OF_CUDA(test) (void)test
#endif

static inline struct value *feed_rounded(struct one_case *c, struct shape shape)
{
    c->tolerance = 1.0 / 128; /* a sum that ends between two numbers goes to either */
    return op_bfloat16(c->g, feed(c, shape));
}

static inline const char *variant_on(const struct backend *backend, const struct one_case *c, enum op op,
                                     const struct device_options *options)
{
    static char variant[32];
    struct err err = {0};
    struct device *device = backend->open(options, &err);
    struct plan *plan = plan_new(c->g, backend, device, &(struct plan_options){0}, &err);
    snprintf(variant, sizeof variant, "no such op");
    for (int k = 0; k < plan_stats(plan).n_kernels; k++)
        if (!strcmp(plan_kernel(plan, k).op, op_table[op].name))
            snprintf(variant, sizeof variant, "%s", plan_kernel(plan, k).variant);
    plan_free(plan);
    backend->close(device);
    return variant;
}

static inline const char *variant_of(const struct one_case *c, enum op op, const struct device_options *options)
{
    return variant_on(&backend_cpu, c, op, options);
}

#endif
