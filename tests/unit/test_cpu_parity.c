/* Every op: the cpu backend against the reference loops on odd shapes, and the same bytes for 1 and 3 threads. */
#include "base/rng.h"
#include "engine/cpu/rows.h"
#include "engine/plan/plan.h"
#include "tests/check.h"

enum { MOST_INPUTS = 8, MOST_KEPT = 4 };

struct one_case { /* a graph with its inputs and what is compared */
    struct graph *g;
    struct value *inputs[MOST_INPUTS];
    int labels[MOST_INPUTS]; /* for int32 inputs: exclusive upper bound, else 0 */
    int n_inputs;
    double tolerance; /* 0 = that of float32 */
};

static struct value *feed(struct one_case *c, struct shape shape)
{
    c->labels[c->n_inputs] = 0;
    return c->inputs[c->n_inputs++] = op_input(c->g, "x", DTYPE_F32, shape);
}

static struct value *feed_i32(struct one_case *c, struct shape shape, int below)
{
    c->labels[c->n_inputs] = below;
    return c->inputs[c->n_inputs++] = op_input(c->g, "i", DTYPE_I32, shape);
}

static void fill_input(const struct one_case *c, int i, void *data)
{
    int64_t n = shape_elements(c->inputs[i]->shape);
    if (!c->labels[i]) {
        rng_fill_normal(11, RNG_STREAM_DATA + (uint32_t)i, 0, data, (size_t)n);
        return;
    }
    for (int64_t k = 0; k < n; k++)
        ((int32_t *)data)[k] = (int32_t)(rng_u32(12, RNG_STREAM_DATA, 0, (uint64_t)k) % (uint32_t)c->labels[i]);
}

/* Runs the graph and copies every kept value, one behind the other. */
static float *run_with(const struct one_case *c, const struct backend *backend, const struct device_options *options,
                       bool no_fusion, size_t *n)
{
    struct err err = {0};
    float *all = NULL;
    struct device *device = backend->open(options, &err);
    struct plan *plan =
        device ? plan_new(c->g, backend, device, &(struct plan_options){.no_fusion = no_fusion}, &err) : NULL;
    if (!plan) {
        CHECK_FAIL("%s: %s", backend->name, err.text);
        return NULL;
    }
    for (int i = 0; i < c->n_inputs; i++)
        fill_input(c, i, plan_input(plan, c->inputs[i]));
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
    backend->close(device);
    return all;
}

static float *run_on(const struct one_case *c, const struct backend *backend, int n_threads, bool no_fusion, size_t *n)
{
    return run_with(c, backend, &(struct device_options){.n_threads = n_threads, .never_alone = true}, no_fusion, n);
}

static void compare(const char *what, const float *got, const float *want, size_t n, double tolerance)
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

/* Keeps y (and its gradients with a random direction) and compares the backends. */
static void check_case(const char *what, struct one_case *c, struct value *y, bool differentiate)
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
    if (!graph_ok(c->g, &err)) {
        CHECK_FAIL("%s: %s", what, err.text);
    } else {
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
    graph_free(c->g);
}

#define CASE(what, differentiate, ...)                                                                                 \
    do {                                                                                                               \
        struct one_case c = {.g = graph_new()};                                                                        \
        struct value *y = NULL;                                                                                        \
        __VA_ARGS__                                                                                                    \
        check_case(what, &c, y, differentiate);                                                                        \
    } while (0)

static void test_maps_broadcast_like_numpy(void)
{
    static const char *const texts[] = {"a * b + c", "where(a > b, exp(-abs(a)), tanh(b)) * c",
                                        "sigmoid(a) * maximum(b, c) - 0.5", "erf(a) / (1 + b * b) + c"};
    for (size_t t = 0; t < 4; t++) {
        CASE(texts[t], true,
             y = op_expr(c.g, texts[t], feed(&c, SHAPE(5, 7, 11)), feed(&c, SHAPE(7, 1)), feed(&c, SHAPE(11)), NULL););
        CASE(texts[t], true,
             y = op_expr(c.g, texts[t], feed(&c, SHAPE(1, 3)), feed(&c, SHAPE(400, 1)), feed(&c, SHAPE(1, 1)), NULL););
        CASE(texts[t], true,
             y = op_expr(c.g, texts[t], feed(&c, SHAPE(33000)), feed(&c, SHAPE(1)), feed(&c, SHAPE(33000)), NULL););
        CASE(texts[t], true,
             y = op_expr(c.g, texts[t], feed(&c, SHAPE(3, 1, 5, 1)), feed(&c, SHAPE(2, 1, 9)), feed(&c, SHAPE(1, 5, 9)),
                         NULL););
    }
}

static void test_expressions_with_loops_of_their_own(void)
{
    static const char *const texts[] = {
        "a + b", "relu(a + b)", "relu(a + c)", "where(a > 0, c, 0)", "where(a > 0, a + c, 0)", "a - c * d"};
    static const int64_t widths[] = {3, 33, 300};
    for (size_t t = 0; t < 6; t++)
        for (size_t w = 0; w < 3; w++)
            CASE(texts[t], true,
                 y = op_expr(c.g, texts[t], feed(&c, SHAPE(70, widths[w])), feed(&c, SHAPE(1, widths[w])),
                             feed(&c, SHAPE(70, widths[w])), feed(&c, SHAPE(1))););
}

static void test_products_of_every_orientation(void)
{
    static const int sizes[][3] = {{1, 1, 1},     {32, 10, 64},   {3, 129, 17},  {130, 5, 33},
                                   {257, 66, 31}, {40, 33, 1900}, {31, 12, 530}, {37, 530, 11}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int t = 0; t < 4; t++) {
            bool ta = t & 1, tb = t & 2;
            int64_t m = sizes[i][0], n = sizes[i][1], k = sizes[i][2];
            CASE("matmul", true,
                 y = op_matmul(c.g, feed(&c, ta ? SHAPE(k, m) : SHAPE(m, k)), feed(&c, tb ? SHAPE(n, k) : SHAPE(k, n)),
                               ta, tb););
            CASE("matmul with bias and relu", true,
                 y = op_expr(c.g, "relu(a + b)",
                             op_matmul(c.g, feed(&c, ta ? SHAPE(k, m) : SHAPE(m, k)),
                                       feed(&c, tb ? SHAPE(n, k) : SHAPE(k, n)), ta, tb),
                             feed(&c, SHAPE(n)), NULL, NULL););
        }
    CASE("gradient of a wide layer's input", false,
         y = op_expr(c.g, "where(b > 0, a, 0)",
                     op_matmul(c.g, feed(&c, SHAPE(130, 600)), feed(&c, SHAPE(520, 600)), false, true),
                     feed(&c, SHAPE(130, 520)), NULL, NULL););
    CASE("row times matrix, several slices", true,
         y = op_matmul(c.g, feed(&c, SHAPE(1, 601)), feed(&c, SHAPE(601, 333)), false, false););
    CASE("row times matrix with bias and relu", true,
         y = op_expr(c.g, "relu(a + b)",
                     op_matmul(c.g, feed(&c, SHAPE(1, 517)), feed(&c, SHAPE(517, 131)), false, false),
                     feed(&c, SHAPE(131)), NULL, NULL););
    CASE("row times matrix of few rows", true,
         y = op_matmul(c.g, feed(&c, SHAPE(1, 1, 3)), feed(&c, SHAPE(3, 70001)), false, false););
    CASE("batch of matmuls", true,
         y = op_matmul(c.g, feed(&c, SHAPE(6, 5, 7)), feed(&c, SHAPE(6, 7, 3)), false, false););
    CASE("matmul broadcast", true,
         y = op_matmul(c.g, feed(&c, SHAPE(2, 1, 5, 7)), feed(&c, SHAPE(3, 7, 4)), false, false););
    CASE("matmul of a batch with one matrix", true,
         y = op_matmul(c.g, feed(&c, SHAPE(4, 5, 7)), feed(&c, SHAPE(7, 3)), false, false););
}

static struct value *feed_rounded(struct one_case *c, struct shape shape)
{
    c->tolerance = 1.0 / 128; /* a sum that ends between two numbers goes to either */
    return op_bfloat16(c->g, feed(c, shape));
}

static void test_bfloat16_products(void)
{
    static const int sizes[][3] = {{1, 1, 1}, {32, 10, 64}, {3, 129, 17}, {130, 5, 33}, {257, 66, 31}, {128, 256, 96}};
    for (size_t i = 0; i < 6; i++)
        for (int t = 0; t < 4; t++) {
            bool ta = t & 1, tb = t & 2;
            int64_t m = sizes[i][0], n = sizes[i][1], k = sizes[i][2];
            CASE("bfloat16 matmul", true,
                 y = op_matmul(c.g, feed_rounded(&c, ta ? SHAPE(k, m) : SHAPE(m, k)),
                               feed_rounded(&c, tb ? SHAPE(n, k) : SHAPE(k, n)), ta, tb););
            CASE("bfloat16 matmul with bias and relu", true,
                 y = op_expr(c.g, "bfloat16(relu(a + b))",
                             op_matmul(c.g, feed_rounded(&c, ta ? SHAPE(k, m) : SHAPE(m, k)),
                                       feed_rounded(&c, tb ? SHAPE(n, k) : SHAPE(k, n)), ta, tb),
                             feed_rounded(&c, SHAPE(n)), NULL, NULL););
        }
    CASE("batch of bfloat16 matmuls", true,
         y = op_matmul(c.g, feed_rounded(&c, SHAPE(6, 5, 7)), feed_rounded(&c, SHAPE(6, 7, 3)), false, false););
    CASE("bfloat16 row times matrix", true,
         y = op_matmul(c.g, feed_rounded(&c, SHAPE(1, 601)), feed_rounded(&c, SHAPE(601, 333)), false, false););
    CASE("bfloat16 row times matrix with bias and relu", true,
         y = op_expr(c.g, "bfloat16(relu(a + b))",
                     op_matmul(c.g, feed_rounded(&c, SHAPE(1, 517)), feed_rounded(&c, SHAPE(517, 131)), false, false),
                     feed_rounded(&c, SHAPE(131)), NULL, NULL););
    CASE("bfloat16 matmul broadcast", true,
         y = op_matmul(c.g, feed_rounded(&c, SHAPE(2, 1, 5, 7)), feed_rounded(&c, SHAPE(3, 7, 4)), false, false););
    CASE("bfloat16 matmul of a batch with one matrix", true,
         y = op_matmul(c.g, feed_rounded(&c, SHAPE(4, 5, 7)), feed_rounded(&c, SHAPE(7, 3)), false, false););
}

struct conv_case {
    int n_spatial;
    int64_t batch, size, stride, dilation, pad, groups, in, channels, out;
};

/* Sizes and pads differ from axis to axis. */
static struct window window_of(const struct conv_case *v, int64_t *x, int64_t *k)
{
    struct window w = {.n_spatial = v->n_spatial, .groups = v->groups};
    int n = v->n_spatial;
    for (int d = 0; d < n; d++) {
        w.size[d] = v->size + (d == 0 && v->size == 2);
        w.stride[d] = v->stride;
        w.dilation[d] = v->dilation;
        w.pad_before[d] = v->pad;
        w.pad_after[d] = v->pad + (v->pad == 1 && d == 0);
        x[1 + d] = v->in + d;
        k[d] = w.size[d];
    }
    x[0] = v->batch;
    k[n] = v->channels / v->groups;
    x[1 + n] = v->channels;
    k[n + 1] = v->out;
    return w;
}

static void check_conv(const struct conv_case *v)
{
    int64_t x[RANK_MAX] = {0}, k[RANK_MAX] = {0};
    int rank = v->n_spatial + 2;
    struct window w = window_of(v, x, k);
    char what[200];
    snprintf(what, sizeof what,
             "conv %d-D, batch %d, size %d, stride %d, dilation %d, pad %d, groups %d, in %d, %d -> %d channels",
             v->n_spatial, (int)v->batch, (int)v->size, (int)v->stride, (int)v->dilation, (int)v->pad, (int)v->groups,
             (int)v->in, (int)v->channels, (int)v->out);
    CASE(what, true,
         y = op_expr(c.g, "relu(a + b)", op_conv(c.g, feed(&c, shape_make(x, rank)), feed(&c, shape_make(k, rank)), &w),
                     feed(&c, SHAPE(v->out)), NULL, NULL););
    CASE(what, true,
         y = op_expr(c.g, "bfloat16(relu(a + b))",
                     op_conv(c.g, feed_rounded(&c, shape_make(x, rank)), feed_rounded(&c, shape_make(k, rank)), &w),
                     feed_rounded(&c, SHAPE(v->out)), NULL, NULL););
}

static void test_convolutions(void)
{
    static const struct conv_case cases[] = {
        {2, 3, 3, 1, 1, 1, 1, 9, 3, 5},    {2, 3, 3, 2, 1, 0, 1, 10, 4, 6},  {2, 3, 1, 1, 1, 0, 1, 7, 5, 3},
        {2, 3, 3, 1, 2, 2, 1, 9, 2, 4},    {2, 3, 3, 1, 1, 1, 2, 8, 4, 6},   {2, 3, 2, 3, 1, 1, 4, 8, 4, 8},
        {1, 3, 5, 1, 1, 2, 1, 21, 3, 4},   {1, 3, 3, 2, 2, 4, 1, 17, 2, 3},  {3, 3, 2, 1, 1, 1, 1, 4, 2, 3},
        {2, 3, 3, 1, 1, 1, 1, 40, 16, 24}, {2, 1, 5, 1, 1, 0, 1, 5, 1, 33},  {2, 1, 1, 2, 1, 0, 1, 13, 20, 40},
        {2, 2, 7, 4, 1, 3, 1, 30, 3, 17},  {3, 2, 3, 2, 1, 1, 2, 6, 4, 6},   {1, 1, 3, 1, 1, 1, 1, 1, 1, 1},
        {2, 2, 2, 2, 2, 1, 1, 11, 3, 70},  {2, 70, 1, 1, 1, 0, 1, 1, 9, 65}, {1, 2, 4, 1, 3, 0, 3, 40, 6, 9},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_conv(&cases[i]);
}

static void test_convolutions_of_every_small_size(void)
{
    for (int64_t size = 1; size <= 13; size++)
        for (int64_t pad = size < 3; pad <= 1; pad++) {
            check_conv(&(struct conv_case){2, 5, 3, 1, 1, pad, 1, size, 17, 9});
            check_conv(&(struct conv_case){2, 1, 3, 2, 1, pad, 1, size, 16, 33});
        }
    check_conv(&(struct conv_case){2, 3, 3, 1, 1, 2, 1, 8, 8, 8});
}

/* With channels enough for the kernels of bfloat16, whose strips have 32 positions and whose
 * sums run over all of them. */
static void test_bfloat16_convolutions(void)
{
    static const struct conv_case cases[] = {
        {2, 3, 3, 1, 1, 1, 1, 9, 32, 40},  {2, 2, 3, 2, 1, 1, 1, 10, 33, 70}, {1, 3, 5, 1, 1, 2, 1, 50, 35, 32},
        {2, 2, 3, 1, 2, 2, 1, 9, 32, 33},  {2, 3, 3, 1, 1, 1, 2, 8, 64, 64},  {3, 2, 2, 1, 1, 1, 1, 4, 32, 32},
        {2, 2, 1, 1, 1, 0, 1, 13, 48, 40}, {2, 2, 3, 1, 1, 0, 1, 40, 32, 64}, {1, 1, 3, 1, 1, 1, 1, 7, 1000, 32}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_conv(&cases[i]);
}

static void test_depthwise_convolutions(void)
{
    check_conv(&(struct conv_case){2, 3, 3, 1, 1, 1, 37, 11, 37, 37});
    check_conv(&(struct conv_case){2, 3, 3, 2, 1, 1, 16, 12, 16, 16});
    check_conv(&(struct conv_case){2, 2, 3, 1, 2, 0, 5, 9, 5, 5});
    check_conv(&(struct conv_case){2, 2, 3, 2, 1, 1, 6, 9, 6, 12});
    check_conv(&(struct conv_case){1, 3, 5, 1, 1, 0, 19, 33, 19, 19});
}

static const char *variant_of(const struct one_case *c, enum op op, const struct device_options *options)
{
    static char variant[32];
    struct err err = {0};
    struct device *device = backend_cpu.open(options, &err);
    struct plan *plan = plan_new(c->g, &backend_cpu, device, &(struct plan_options){0}, &err);
    snprintf(variant, sizeof variant, "no such op");
    for (int k = 0; k < plan_stats(plan).n_kernels; k++)
        if (!strcmp(plan_kernel(plan, k).op, op_table[op].name))
            snprintf(variant, sizeof variant, "%s", plan_kernel(plan, k).variant);
    plan_free(plan);
    backend_cpu.close(device);
    return variant;
}

static void check_variant(const struct conv_case *v, const char *forward, const char *dx, const char *dw)
{
    int64_t x[RANK_MAX] = {0}, k[RANK_MAX] = {0};
    struct window w = window_of(v, x, k);
    struct one_case c = {.g = graph_new()};
    feed(&c, shape_make(x, v->n_spatial + 2));
    feed(&c, shape_make(k, v->n_spatial + 2));
    struct value *y = op_conv(c.g, c.inputs[0], c.inputs[1], &w), *gradients[2] = {NULL};
    graph_gradient(c.g, op_sum_all(c.g, op_mul(c.g, y, feed(&c, y->shape))), c.inputs, 2, gradients);
    for (int i = 0; i < 2; i++)
        graph_keep(c.g, gradients[i]);
    graph_keep(c.g, y);
    const struct device_options automatic = {.n_threads = 1}, direct = {.n_threads = 1, .direct_convolutions = true};
    CHECK_STR(variant_of(&c, OP_CONV, &automatic), forward);
    CHECK_STR(variant_of(&c, OP_CONV_DX, &automatic), dx);
    CHECK_STR(variant_of(&c, OP_CONV_DW, &automatic), dw);
    CHECK_STR(variant_of(&c, OP_CONV, &direct), strcmp(forward, "winograd") ? forward : "direct");
    CHECK_STR(variant_of(&c, OP_CONV_DW, &direct), strcmp(dw, "winograd") ? dw : "direct");
    graph_free(c.g);
}

/* How a product is computed; on machines with kernels of our own. */
static void check_product_variant(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const char *expected)
{
    struct one_case c = {.g = graph_new()};
    graph_keep(c.g, op_matmul(c.g, feed(&c, ta ? SHAPE(k, m) : SHAPE(m, k)), feed(&c, tb ? SHAPE(n, k) : SHAPE(k, n)),
                              ta, tb));
    CHECK_STR(variant_of(&c, OP_MATMUL, &(struct device_options){.n_threads = 1}), expected);
    graph_free(c.g);
}

static void test_the_kernel_of_a_product_follows_its_shape(void)
{
    if (!strcmp(rows_choose()->name, "baseline")) {
        check_product_variant(false, false, 32, 10, 128, "openblas");
        return;
    }
    check_product_variant(false, false, 32, 10, 128, "narrow-k");
    check_product_variant(true, false, 128, 10, 32, "narrow-m");
    check_product_variant(false, true, 32, 128, 10, "short-k");
    check_product_variant(false, false, 1, 512, 784, "row");
    check_product_variant(false, true, 1, 512, 784, "narrow-k");
    check_product_variant(false, false, 32, 128, 64, "direct");
    check_product_variant(false, false, 128, 512, 784, "packed");
    check_product_variant(false, true, 64, 64, 16, "packed");
    check_product_variant(true, false, 784, 512, 128, "packed");
    check_product_variant(false, true, 128, 512, 512, "packed-left");
    check_product_variant(true, false, 64, 65, 2048, "cut-k");
}

static bool is_alone(int64_t m, int64_t n, int64_t k, bool never_alone)
{
    struct err err = {0};
    struct one_case c = {.g = graph_new()};
    graph_keep(c.g, op_matmul(c.g, feed(&c, SHAPE(m, k)), feed(&c, SHAPE(k, n)), false, false));
    struct device *device =
        backend_cpu.open(&(struct device_options){.n_threads = 2, .never_alone = never_alone}, &err);
    struct plan *plan = plan_new(c.g, &backend_cpu, device, &(struct plan_options){0}, &err);
    bool alone = plan_kernel(plan, 0).alone;
    plan_free(plan);
    backend_cpu.close(device);
    graph_free(c.g);
    return alone;
}

static void test_one_thread_does_small_kernels(void)
{
    CHECK(is_alone(32, 64, 10, false));
    CHECK(is_alone(256, 32, 64, false));
    CHECK(!is_alone(256, 64, 64, false)); /* many products */
    CHECK(!is_alone(1, 512, 512, false)); /* a large operand */
    CHECK(!is_alone(32, 64, 10, true));
}

static void test_the_algorithm_follows_the_shape(void)
{
    check_variant(&(struct conv_case){2, 8, 3, 1, 1, 0, 1, 26, 32, 64}, "winograd", "winograd", "winograd");
    check_variant(&(struct conv_case){2, 8, 3, 1, 1, 1, 1, 8, 64, 64}, "winograd", "winograd", "winograd");
    check_variant(&(struct conv_case){2, 8, 3, 1, 1, 1, 1, 28, 1, 32}, "direct", "direct", "direct");
    check_variant(&(struct conv_case){2, 8, 3, 2, 1, 1, 1, 32, 16, 32}, "direct", "direct", "direct");
    check_variant(&(struct conv_case){2, 8, 3, 1, 1, 0, 1, 3, 64, 64}, "direct", "direct", "direct");
    check_variant(&(struct conv_case){2, 8, 3, 1, 1, 1, 1, 16, 512, 512}, "winograd", "winograd", "direct");
    check_variant(&(struct conv_case){2, 8, 3, 1, 1, 1, 32, 16, 32, 32}, "depthwise", "depthwise", "depthwise");
}

static void test_pooling(void)
{
    for (int kind = 0; kind < 2; kind++)
        for (int variant = 0; variant < 3; variant++) {
            struct window w = {.n_spatial = 2,
                               .size = {2 + variant % 2, 3},
                               .stride = {2, 1 + variant},
                               .dilation = {1, 1},
                               .pad_before = {variant == 1, 1},
                               .pad_after = {1, 0},
                               .groups = 1};
            CASE(kind ? "average pooling" : "max pooling", true,
                 y = op_pool(c.g, kind ? POOL_AVERAGE : POOL_MAX, feed(&c, SHAPE(3, 7, 8, 5)), &w););
        }
}

static void test_relu_before_and_after_pooling(void)
{
    struct window w = {.n_spatial = 2, .size = {2, 2}, .stride = {2, 2}, .dilation = {1, 1}, .groups = 1};
    for (int kind = 0; kind < 2; kind++) {
        enum pool_kind pool = kind ? POOL_AVERAGE : POOL_MAX;
        CASE("pooling of a relu", true,
             y = op_pool(c.g, pool, op_expr(c.g, "relu(a)", feed(&c, SHAPE(3, 6, 8, 21)), NULL, NULL, NULL), &w););
        CASE("relu of a pooling", true,
             y = op_expr(c.g, "relu(a + b)", op_pool(c.g, pool, feed(&c, SHAPE(3, 6, 8, 21)), &w), feed(&c, SHAPE(21)),
                         NULL, NULL););
    }
}

static void test_norms_with_what_follows(void)
{
    static const int64_t channels[] = {1, 7, 16, 48, 130};
    for (size_t i = 0; i < 5; i++) {
        int64_t n = channels[i];
        CASE("batch norm and relu", true,
             y = op_expr(c.g, "relu(a)",
                         op_batch_norm(c.g, feed(&c, SHAPE(9, 3, 5, n)), feed(&c, SHAPE(n)), feed(&c, SHAPE(n)), 1e-3,
                                       NULL, NULL),
                         NULL, NULL, NULL););
        CASE("batch norm, a sum and relu", true,
             y = op_expr(c.g, "relu(a + b)",
                         op_batch_norm(c.g, feed(&c, SHAPE(130, 3, 5, n)), feed(&c, SHAPE(n)), feed(&c, SHAPE(n)), 1e-3,
                                       NULL, NULL),
                         feed(&c, SHAPE(130, 3, 5, n)), NULL, NULL););
    }
}

static void test_a_relu_runs_behind_the_norm_before_it(void)
{
    struct err err = {0};
    struct graph *g = graph_new();
    struct value *norm =
        op_batch_norm(g, op_input(g, "x", DTYPE_F32, SHAPE(8, 6, 6, 16)), NULL, NULL, 1e-3, NULL, NULL);
    graph_keep(g, op_expr(g, "relu(a + b)", norm, op_input(g, "r", DTYPE_F32, SHAPE(8, 6, 6, 16)), NULL, NULL));
    struct device *device = backend_cpu.open(&(struct device_options){.n_threads = 1}, &err);
    struct plan *plan = plan_new(g, &backend_cpu, device, &(struct plan_options){0}, &err);
    CHECK_EQ(plan_stats(plan).n_kernels, 1);
    CHECK(plan_kernel(plan, 0).fused);
    plan_free(plan);
    backend_cpu.close(device);
    graph_free(g);
}

/* Its mean and variance are read before, and after, the relu that runs behind it. */
static void test_a_fused_norm_still_gives_its_moments(void)
{
    struct value *mean, *variance;
    CASE("moments of a fused batch norm", false, {
        struct value *norm = op_batch_norm(c.g, feed(&c, SHAPE(20, 30)), NULL, NULL, 1e-3, &mean, &variance);
        graph_keep(c.g, mean);
        graph_keep(c.g, op_expr(c.g, "a * 0.1 + b", variance, mean, NULL, NULL));
        y = op_expr(c.g, "relu(a)", norm, NULL, NULL, NULL);
    });
}

static void test_transposed_convolutions(void)
{
    for (int64_t stride = 1; stride <= 3; stride++) {
        struct window w = {.n_spatial = 2,
                           .size = {3, 2},
                           .stride = {stride, stride},
                           .dilation = {1, 1},
                           .pad_before = {1, 0},
                           .groups = 1};
        struct shape x = SHAPE(2, 4 * stride + 1, 4 * stride + 2, 9);
        int64_t h = window_out(&w, 0, x.dim[1]), v = window_out(&w, 1, x.dim[2]);
        CASE("transposed conv, bias and relu", true,
             y = op_expr(c.g, "relu(a + b)",
                         op_conv_dx(c.g, feed(&c, SHAPE(2, h, v, 5)), feed(&c, SHAPE(3, 2, 9, 5)), &w, x),
                         feed(&c, SHAPE(9)), NULL, NULL););
    }
}

static void test_reductions(void)
{
    static const int axes[][3] = {{0, -1, -1}, {1, -1, -1}, {2, -1, -1}, {0, 1, -1}, {0, 2, -1}, {1, 2, -1}, {0, 1, 2}};
    static const int counts[] = {1, 1, 1, 2, 2, 2, 3};
    for (int kind = REDUCE_SUM; kind <= REDUCE_PROD; kind++)
        for (size_t i = 0; i < 7; i++)
            CASE("reduce", kind <= REDUCE_MEAN,
                 y = op_reduce(c.g, (enum reduce_kind)kind, feed(&c, SHAPE(6, 5, 7)), axes[i], counts[i], i % 2););
    CASE("sum of many", true, y = op_reduce(c.g, REDUCE_SUM, feed(&c, SHAPE(3000, 70)), axes[0], 1, false););
    CASE("mean of many", true, y = op_reduce(c.g, REDUCE_MEAN, feed(&c, SHAPE(70, 3000)), axes[1], 1, true););
}

static void test_ctc(void)
{
    CASE("ctc", true, y = op_ctc(c.g, feed(&c, SHAPE(7, 11, 5)), feed_i32(&c, SHAPE(7, 4), 5)););
    CASE("ctc of more samples than slices", true,
         y = op_ctc(c.g, feed(&c, SHAPE(70, 3, 2)), feed_i32(&c, SHAPE(70, 2), 2)););
    CASE("ctc of one step and one class", true,
         y = op_ctc(c.g, feed(&c, SHAPE(1, 1, 1)), feed_i32(&c, SHAPE(1, 1), 1)););
}

static void test_softmax_and_cross_entropies(void)
{
    static const int64_t widths[] = {1, 2, 10, 65, 96, 97, 300};
    for (size_t i = 0; i < 5; i++) {
        int64_t n = widths[i];
        CASE("softmax", true, y = op_softmax(c.g, feed(&c, SHAPE(4, 9, n))););
        CASE("xent", true, y = op_xent(c.g, feed(&c, SHAPE(33, n)), feed(&c, SHAPE(33, n))););
        CASE("sparse xent", true,
             y = op_sparse_xent(c.g, feed(&c, SHAPE(33, n)), feed_i32(&c, SHAPE(33), (int)n), INT32_MIN););
        CASE("sparse xent with an ignored label", true,
             y = op_sparse_xent(c.g, feed(&c, SHAPE(33, n)), feed_i32(&c, SHAPE(33), (int)n), 0););
    }
}

struct attention_sizes {
    int64_t n, queries, keys, heads, groups, depth, width;
};

/* y and, where probabilities count too, a function of them added to it. */
static struct value *attention(struct one_case *c, struct attention_sizes s, struct attention how, const int64_t *mask,
                               bool scores)
{
    struct value *q = feed(c, SHAPE(s.n, s.queries, s.heads, s.depth)),
                 *k = feed(c, SHAPE(s.n, s.keys, s.groups, s.depth));
    struct value *v = feed(c, SHAPE(s.n, s.keys, s.groups, s.width)), *p;
    struct value *m = mask ? op_expr(c->g, "a > 1", feed_i32(c, shape_make(mask, 4), 5), NULL, NULL, NULL) : NULL;
    struct value *step = how.rate > 0 ? feed_i32(c, SHAPE(1), 1000) : NULL;
    struct value *y = op_attention(c->g, q, k, v, m, step, &how, 77, RNG_STREAM_LAYERS + 3, &p);
    return scores ? op_add(c->g, y, op_sum_all(c->g, op_expr(c->g, "a * cos(3 * a)", p, NULL, NULL, NULL))) : y;
}

static void test_attention(void)
{
    static const int64_t masks[][4] = {{2, 1, 33, 50}, {1, 3, 1, 7}, {3, 1, 5, 1}};
    CASE("attention", true,
         y = attention(&c, (struct attention_sizes){3, 33, 50, 2, 2, 16, 16}, (struct attention){.scale = 0.2f}, NULL,
                       false););
    CASE("causal attention", true,
         y = attention(&c, (struct attention_sizes){5, 40, 40, 3, 3, 16, 32},
                       (struct attention){.scale = 0.3f, .causal = true}, NULL, false););
    CASE("causal attention, fewer keys", true,
         y = attention(&c, (struct attention_sizes){1, 37, 21, 1, 1, 3, 5},
                       (struct attention){.scale = 1, .causal = true}, NULL, true););
    CASE("attention in groups with dropout", true,
         y = attention(&c, (struct attention_sizes){2, 9, 11, 6, 2, 7, 10},
                       (struct attention){.scale = 0.5f, .rate = 0.3f, .causal = true}, NULL, true););
    CASE("masked attention", true,
         y = attention(&c, (struct attention_sizes){2, 33, 50, 2, 1, 8, 24}, (struct attention){.scale = 0.4f},
                       masks[0], false););
    CASE("attention with a mask of keys", true,
         y = attention(&c, (struct attention_sizes){2, 5, 7, 3, 3, 4, 3},
                       (struct attention){.scale = 1, .rate = 0.5f, .window = 3}, masks[1], true););
    CASE("attention of queries that look nowhere", true,
         y = attention(&c, (struct attention_sizes){3, 5, 7, 2, 2, 4, 3}, (struct attention){.scale = 1}, masks[2],
                       true););
    CASE("attention of queries that give nothing", true,
         y = attention(&c, (struct attention_sizes){3, 5, 7, 2, 2, 4, 3},
                       (struct attention){.scale = 1, .zero_empty = true}, masks[2], true););
    CASE("attention of one number", true,
         y = attention(&c, (struct attention_sizes){1, 1, 1, 1, 1, 1, 1},
                       (struct attention){.scale = 1, .causal = true}, NULL, false););
    CASE("attention behind the window", true,
         y = attention(&c, (struct attention_sizes){1, 9, 3, 1, 1, 2, 2}, (struct attention){.scale = 1, .window = 2},
                       NULL, true););
}

static void test_norms(void)
{
    CASE(
        "batch norm", true,
        y = op_batch_norm(c.g, feed(&c, SHAPE(9, 5, 4, 7)), feed(&c, SHAPE(7)), feed(&c, SHAPE(7)), 1e-3, NULL, NULL););
    CASE(
        "batch norm of much", true,
        y = op_batch_norm(c.g, feed(&c, SHAPE(4000, 17)), feed(&c, SHAPE(17)), feed(&c, SHAPE(17)), 1e-3, NULL, NULL););
    CASE("layer norm", true,
         y = op_layer_norm(c.g, feed(&c, SHAPE(9, 5, 33)), 1, feed(&c, SHAPE(33)), feed(&c, SHAPE(33)), 1e-3););
    CASE("layer norm over two axes", true,
         y = op_layer_norm(c.g, feed(&c, SHAPE(300, 5, 33)), 2, feed(&c, SHAPE(5, 33)), feed(&c, SHAPE(5, 33)), 1e-3););
}

static void test_movement(void)
{
    CASE("transpose", true, y = op_transpose(c.g, feed(&c, SHAPE(3, 5, 1, 7)), (const int[]){2, 3, 0, 1}););
    CASE("broadcast", true, y = op_broadcast(c.g, feed(&c, SHAPE(5, 1, 3)), SHAPE(2, 5, 4, 3)););
    CASE("slice", true,
         y = op_slice(c.g, feed(&c, SHAPE(7, 9, 4)), (const int64_t[]){1, 0, 2}, (const int64_t[]){7, 8, 4},
                      (const int64_t[]){2, 3, 1}););
    CASE("pad", true,
         y = op_pad(c.g, feed(&c, SHAPE(3, 4, 5)), (const int64_t[]){1, 0, 2}, (const int64_t[]){0, 3, 1}, 0.5););
    CASE("reverse", true, y = op_reverse(c.g, feed(&c, SHAPE(4, 6, 3)), 1););
    CASE("concat", true,
         y = op_concat(
             c.g, (struct value *const[]){feed(&c, SHAPE(4, 2, 3)), feed(&c, SHAPE(4, 5, 3)), feed(&c, SHAPE(4, 1, 3))},
             3, 1););
    CASE("gather", true, y = op_gather(c.g, feed(&c, SHAPE(11, 6)), feed_i32(&c, SHAPE(5, 7), 11)););
    CASE("one hot and argmax", false,
         y = op_mul(c.g, op_one_hot(c.g, op_argmax(c.g, feed(&c, SHAPE(6, 9))), 9), feed(&c, SHAPE(6, 9))););
}

static void test_random_masks_are_the_same_everywhere(void)
{
    test_attention();
    CASE("dropout", true,
         y = op_dropout(c.g, feed(&c, SHAPE(130, 257)), feed_i32(&c, SHAPE(1), 1000), 0.3, 99, RNG_STREAM_LAYERS + 2,
                        NULL););
    struct shape noise = SHAPE(13, 1, 5);
    CASE("spatial dropout", true,
         y = op_dropout(c.g, feed(&c, SHAPE(13, 7, 5)), feed_i32(&c, SHAPE(1), 1000), 0.3, 99, RNG_STREAM_LAYERS + 2,
                        &noise););
    CASE("uniform", false,
         y = op_random(c.g, RANDOM_UNIFORM, feed_i32(&c, SHAPE(1), 1000), SHAPE(130, 257), 99, RNG_STREAM_LAYERS + 3););
    CASE("normal", false,
         y = op_random(c.g, RANDOM_NORMAL, feed_i32(&c, SHAPE(1), 1000), SHAPE(13, 7), 99, RNG_STREAM_LAYERS + 3););
}

struct training { /* a classifier of one layer */
    int64_t batch, in, out;
    bool adam; /* else SGD with momentum */
};

/* The values after an update of one variable: itself, and its one or two slots. */
static void update(struct graph *g, bool adam, struct variable *const *v, struct value *gradient, struct value *alpha)
{
    struct value *w = op_variable(g, v[0]), *m = op_variable(g, v[1]), *moved;
    if (!adam) {
        moved = op_expr(g, "0.9 * a - 0.1 * b", m, gradient, NULL, NULL);
        graph_assign(g, v[0], op_add(g, w, moved));
    } else {
        struct value *square = op_expr(g, "a + (square(b) - a) * 0.01", op_variable(g, v[2]), gradient, NULL, NULL);
        moved = op_expr(g, "a + (b - a) * 0.1", m, gradient, NULL, NULL);
        graph_assign(g, v[2], square);
        graph_assign(g, v[0], op_expr(g, "a - b * d / (sqrt(c) + 0.001)", w, moved, square, alpha));
    }
    graph_assign(g, v[1], moved);
}

/* Three steps: the updates are fused behind the gradients' products and work in place. All weights, then the bias. */
static float *train(const struct training *t, const struct backend *backend, int n_threads)
{
    struct err err = {0};
    struct graph *g = graph_new();
    struct variable v[6], *all[6];
    for (int i = 0; i < 6; i++) {
        v[i] = (struct variable){
            .name = "v", .path = "v", .shape = i < 3 ? SHAPE(t->in, t->out) : SHAPE(t->out), .trainable = true};
        all[i] = &v[i];
    }
    struct device *device = backend->open(&(struct device_options){.n_threads = n_threads}, &err);
    CHECK_OK(variables_allocate(all, 6, backend, device, 1, &err), err);
    struct value *x = op_input(g, "x", DTYPE_F32, SHAPE(t->batch, t->in)),
                 *labels = op_input(g, "y", DTYPE_I32, SHAPE(t->batch));
    struct value *alpha = op_input(g, "alpha", DTYPE_F32, (struct shape){0});
    struct value *logits = op_add(g, op_matmul(g, x, op_variable(g, &v[0]), false, false), op_variable(g, &v[3]));
    struct value *loss =
        op_scale(g, op_sum_all(g, op_sparse_xent(g, logits, labels, INT32_MIN)), 1.0 / (double)t->batch);
    struct value *wanted[] = {op_variable(g, &v[0]), op_variable(g, &v[3])}, *gradients[2];
    graph_gradient(g, loss, wanted, 2, gradients);
    for (int i = 0; i < 2; i++)
        update(g, t->adam, all + 3 * i, gradients[i], alpha);
    struct plan *plan = plan_new(g, backend, device, &(struct plan_options){0}, &err);
    size_t weights = (size_t)(t->in * t->out), biases = (size_t)t->out;
    float *result = calloc(weights + biases, sizeof *result);
    for (int step = 0; plan && step < 3; step++) {
        rng_fill_normal(5, RNG_STREAM_DATA + (uint32_t)step, 0, plan_input(plan, x), (size_t)(t->batch * t->in));
        *(float *)plan_input(plan, alpha) = 0.1f;
        for (int i = 0; i < t->batch; i++)
            ((int32_t *)plan_input(plan, labels))[i] = (i * 5 + step) % (int)t->out;
        plan_run(plan);
    }
    if (!plan)
        CHECK_FAIL("%s", err.text);
    backend->download(device, result, v[0].data, weights * sizeof *result);
    backend->download(device, result + weights, v[3].data, biases * sizeof *result);
    plan_free(plan);
    variables_release(all, 6, backend, device);
    graph_free(g);
    backend->close(device);
    return result;
}

static void test_updates_work_in_place(void)
{
    static const struct training cases[] = {
        {33, 20, 7, false}, {33, 20, 7, true}, {40, 300, 260, true}, {40, 300, 260, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = (size_t)((cases[i].in + 1) * cases[i].out);
        float *want = train(&cases[i], &backend_reference, 1), *got = train(&cases[i], &backend_cpu, 1);
        float *threads = train(&cases[i], &backend_cpu, 3);
        compare("weights after three steps", got, want, n, 3e-6);
        CHECK(!memcmp(got, threads, n * sizeof *got));
        free(want), free(got), free(threads);
    }
}

struct recurrent_case {
    int64_t n, t, f, u;
    bool masked, backwards, bfloat16, dropped, projected, reset_before;
};

static struct value *maybe_rounded(struct one_case *c, const struct recurrent_case *r, struct value *x)
{
    c->tolerance = r->bfloat16 ? 1.0 / 32 : 0; /* a state that was rounded the other way goes into the next steps */
    return r->bfloat16 ? op_bfloat16(c->g, x) : x;
}

static void check_recurrent(const struct recurrent_case *r, enum recurrent_kind kind,
                            enum recurrent_function activation, enum recurrent_function gate)
{
    struct one_case c = {.g = graph_new()};
    const struct recurrent recurrent = {.kind = kind,
                                        .activation = activation,
                                        .gate = gate,
                                        .backwards = r->backwards,
                                        .bfloat16 = r->bfloat16,
                                        .reset_before = r->reset_before && kind == RECURRENT_GRU};
    int64_t gates = (kind == RECURRENT_LSTM ? 4 : kind == RECURRENT_GRU ? 3 : 1) * r->u;
    struct value *results[3], *in[6] = {NULL}, *mask = NULL, *factors = NULL;
    struct value *step = op_constant(c.g, DTYPE_I32, (struct shape){0}, &(int32_t){1});
    in[0] = feed(&c, SHAPE(r->n, r->t, r->projected ? gates : r->f));
    in[1] = feed(&c, SHAPE(r->f, gates));
    in[2] = op_scale(c.g, feed(&c, SHAPE(r->u, gates)), 1 / sqrt((double)r->u));
    in[3] = feed(&c, kind == RECURRENT_GRU && !recurrent.reset_before ? SHAPE(2, gates) : SHAPE(gates));
    in[4] = feed(&c, SHAPE(r->n, r->u));
    in[5] = kind == RECURRENT_LSTM ? feed(&c, SHAPE(r->n, r->u)) : NULL;
    struct value *x = maybe_rounded(&c, r, op_scale(c.g, in[0], 1 / sqrt((double)r->f)));
    for (int i = 1; i < 6 && in[i]; i++)
        in[i] = maybe_rounded(&c, r, in[i]);
    if (r->masked)
        mask = op_expr(c.g, "a > -0.4", op_random(c.g, RANDOM_NORMAL, step, SHAPE(r->n, r->t), 1, 2), NULL, NULL, NULL);
    if (r->dropped)
        factors = op_dropout(c.g, op_fill(c.g, SHAPE(r->n, gates), 1), step, 0.3, 1, 3, NULL);
    op_recurrent(c.g, &recurrent, x, r->projected ? NULL : in[1], in[2], in[3], in[4], in[5], mask, factors, results);
    struct value *last =
        kind == RECURRENT_LSTM ? op_expr(c.g, "a * b", results[1], results[2], NULL, NULL) : results[1];
    struct value *y = op_add(c.g, results[0], op_reshape(c.g, last, SHAPE(r->n, 1, r->u)));
    check_case("recurrent", &c, y, true);
}

static void test_recurrent_layers(void)
{
    static const struct recurrent_case cases[] = {
        {1, 1, 1, 1, false, false},
        {3, 5, 7, 9, true, false},
        {17, 4, 20, 33, false, true},
        {100, 3, 5, 16, true, true},
        {9, 27, 3, 40, false, false},
        {2, 3, 1100, 64, true, false},
        {3, 5, 7, 9, true, false, true},
        {33, 4, 20, 48, false, true, true},
        {3, 5, 7, 9, true, true, .dropped = true},
        {17, 4, 20, 33, .dropped = true, .projected = true},
        {1, 1, 1, 1, .dropped = true, .reset_before = true},
        {3, 5, 7, 9, true, .reset_before = true},
        {100, 13, 5, 48, true, true, .dropped = true, .projected = true, .reset_before = true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int kind = RECURRENT_SIMPLE; kind <= RECURRENT_LSTM; kind++) {
            check_recurrent(&cases[i], kind, FUNCTION_TANH, FUNCTION_SIGMOID);
            if (i == 1 || i == 3)
                check_recurrent(&cases[i], kind, FUNCTION_SIGMOID, FUNCTION_HARD_SIGMOID);
            if (i == 2)
                check_recurrent(&cases[i], kind, FUNCTION_RELU, FUNCTION_SIGMOID);
        }
}

int main(void)
{
    RUN(test_recurrent_layers);
    RUN(test_updates_work_in_place);
    RUN(test_maps_broadcast_like_numpy);
    RUN(test_expressions_with_loops_of_their_own);
    RUN(test_products_of_every_orientation);
    RUN(test_bfloat16_products);
    RUN(test_convolutions);
    RUN(test_convolutions_of_every_small_size);
    RUN(test_bfloat16_convolutions);
    RUN(test_depthwise_convolutions);
    RUN(test_the_kernel_of_a_product_follows_its_shape);
    RUN(test_one_thread_does_small_kernels);
    RUN(test_the_algorithm_follows_the_shape);
    RUN(test_transposed_convolutions);
    RUN(test_relu_before_and_after_pooling);
    RUN(test_norms_with_what_follows);
    RUN(test_a_relu_runs_behind_the_norm_before_it);
    RUN(test_a_fused_norm_still_gives_its_moments);
    RUN(test_pooling);
    RUN(test_reductions);
    RUN(test_softmax_and_cross_entropies);
    RUN(test_ctc);
    RUN(test_norms);
    RUN(test_movement);
    RUN(test_random_masks_are_the_same_everywhere);
    return check_done();
}
