/* Every op: the cpu backend against the reference loops on odd shapes, and the same bytes for 1 and 3 threads. */
#include "tests/unit/parity.h"

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
    CASE("matmul of one matrix with a batch", true,
         y = op_matmul(c.g, feed(&c, SHAPE(7, 5)), feed(&c, SHAPE(4, 7, 3)), true, false););
    CASE("matmul broadcast both ways, by turns", true,
         y = op_matmul(c.g, feed(&c, SHAPE(2, 1, 3, 1, 5, 1)), feed(&c, SHAPE(1, 5, 1, 2, 4, 1)), false, true););
    CASE("matmul of a batch, where b is the same for some", true,
         y = op_matmul(c.g, feed(&c, SHAPE(3, 6, 5, 7)), feed(&c, SHAPE(3, 1, 7, 2)), false, false););
    CASE("batch of matmuls of vectors", true,
         y = op_matmul(c.g, feed(&c, SHAPE(9, 1, 7)), feed(&c, SHAPE(9, 1, 7)), false, true););
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
    CASE("bfloat16 matmul broadcast both ways, by turns", true,
         y = op_matmul(c.g, feed_rounded(&c, SHAPE(2, 1, 3, 1, 5, 1)), feed_rounded(&c, SHAPE(1, 5, 1, 2, 4, 1)), false,
                       true););
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
    check_product_variant(true, false, 48, 128, 72, "direct");
    check_product_variant(false, true, 16, 64, 32, "packed");
    check_product_variant(false, true, 32, 128, 64, "turned");
    check_product_variant(false, false, 128, 512, 784, "packed");
    check_product_variant(false, true, 64, 64, 16, "packed");
    check_product_variant(true, false, 784, 512, 128, "packed");
    check_product_variant(false, true, 128, 512, 512, "packed-left");
    check_product_variant(true, false, 64, 65, 2048, "cut-k");
    check_product_variant(false, false, 64, 128, 9216, "cut-k");
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

/* One of them is NaN, some are infinite. */
static struct value *with_odd_numbers(struct one_case *c, struct value *x)
{
    return op_expr(c->g, "where(a > 2.3, a / 0, where(a < -2.3, -1 / 0, where(a > 2, log(-a), a)))", x, NULL, NULL,
                   NULL);
}

static void test_reductions_of_every_form(void)
{
    static const struct {
        struct shape shape;
        int axes[3], n;
    } forms[] = {{{1, {1}}, {0}, 1},           {{3, {1, 7, 1}}, {0, 2}, 2},      {{1, {70001}}, {0}, 1},
                 {{2, {9000, 3}}, {0}, 1},     {{2, {3, 9001}}, {1}, 1},         {{2, {5, 700}}, {1}, 1},
                 {{2, {5000, 3}}, {1}, 1},     {{3, {40, 33, 65}}, {0, 2}, 2},   {{3, {3, 400, 40}}, {1}, 1},
                 {{3, {3, 20, 1000}}, {1}, 1}, {{4, {5, 20, 3, 30}}, {1, 3}, 2}, {{4, {20, 5, 30, 3}}, {0, 2}, 2},
                 {{2, {17, 33}}, {0}, 1},      {{2, {1, 300}}, {0}, 1}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        for (int kind = REDUCE_SUM; kind <= REDUCE_MIN; kind++)
            CASE("reduce", false,
                 y = op_reduce(c.g, (enum reduce_kind)kind, feed(&c, forms[i].shape), forms[i].axes, forms[i].n,
                               false););
        CASE("product of few that are not 1", false,
             y = op_reduce(c.g, REDUCE_PROD,
                           op_expr(c.g, "where(abs(a) < 2.5, 1, a)", feed(&c, forms[i].shape), NULL, NULL, NULL),
                           forms[i].axes, forms[i].n, false););
        CASE("maximum of odd numbers", false,
             y = op_reduce(c.g, REDUCE_MAX, with_odd_numbers(&c, feed(&c, forms[i].shape)), forms[i].axes, forms[i].n,
                           true););
        CASE("sum of odd numbers", false,
             y = op_reduce(c.g, REDUCE_SUM, with_odd_numbers(&c, feed(&c, forms[i].shape)), forms[i].axes, forms[i].n,
                           true););
    }
    CASE("sum of a scalar", false, y = op_reduce(c.g, REDUCE_SUM, feed(&c, (struct shape){0}), NULL, 0, false););
}

static void test_long_rows_and_odd_numbers_of_softmax(void)
{
    static const int64_t widths[] = {5, 70, 1500};
    for (size_t i = 0; i < 3; i++) {
        int64_t n = widths[i];
        CASE("softmax", true, y = op_softmax(c.g, feed(&c, SHAPE(9, n))););
        CASE("softmax of odd numbers", true, y = op_softmax(c.g, with_odd_numbers(&c, feed(&c, SHAPE(70, n)))););
        CASE("softmax of large numbers", false,
             y = op_softmax(c.g, op_expr(c.g, "a * 1000", feed(&c, SHAPE(33, n)), NULL, NULL, NULL)););
        CASE("softmax with what is shut out", false,
             y = op_softmax(c.g, op_expr(c.g, "where(a > 1.5, -1 / 0, a)", feed(&c, SHAPE(33, n)), NULL, NULL, NULL)););
        CASE("xent", true, y = op_xent(c.g, feed(&c, SHAPE(11, n)), feed(&c, SHAPE(11, n))););
        CASE("xent of odd numbers", true,
             y = op_xent(c.g, with_odd_numbers(&c, feed(&c, SHAPE(70, n))), feed(&c, SHAPE(70, n))););
        CASE("sparse xent with labels out of range", true,
             y = op_sparse_xent(c.g, feed(&c, SHAPE(40, n)), feed_i32(&c, SHAPE(40), (int)n + 3), (int)n + 1););
    }
}

static void test_norms_far_from_zero(void)
{
    static const struct shape shapes[] = {{2, {3000, 9}}, {2, {40, 70}}, {2, {1, 5}}, {2, {7, 1500}}};
    for (size_t i = 0; i < 4; i++) {
        struct shape channels = SHAPE(shapes[i].dim[1]);
        struct value *mean = NULL, *variance = NULL;
        CASE("variance of a batch far from 0", false, {
            op_batch_norm(c.g, op_expr(c.g, "a * 4 + 256", feed(&c, shapes[i]), NULL, NULL, NULL), NULL, NULL, 1e-3,
                          &mean, &variance);
            y = op_expr(c.g, "b + a / 256", mean, variance, NULL, NULL);
        });
        CASE("batch norm that starts with its largest numbers", false,
             y = op_batch_norm(c.g, op_mul(c.g, feed(&c, shapes[i]), feed(&c, SHAPE(shapes[i].dim[0], 1))),
                               feed(&c, channels), feed(&c, channels), 1e-3, NULL, NULL););
        CASE("batch norm of odd numbers", false,
             y = op_batch_norm(c.g, with_odd_numbers(&c, feed(&c, shapes[i])), NULL, NULL, 1e-3, NULL, NULL););
        CASE("layer norm", true,
             y = op_layer_norm(c.g, feed(&c, shapes[i]), 1, feed(&c, channels), feed(&c, channels), 1e-3););
        CASE("layer norm of odd numbers", false,
             y = op_layer_norm(c.g, with_odd_numbers(&c, feed(&c, shapes[i])), 1, NULL, NULL, 1e-3););
    }
}

/* More exact than the cpu backend, which rounds the mean before it subtracts it. */
static void test_rows_far_from_zero(void)
{
    static const int64_t widths[] = {5, 70, 1500};
    for (size_t i = 0; i < 3; i++)
        CASE("layer norm far from 0", false,
             y = op_layer_norm(c.g, op_expr(c.g, "a * 0.05 + 256", feed(&c, SHAPE(20, widths[i])), NULL, NULL, NULL), 1,
                               NULL, NULL, 1e-6););
}

static void test_what_metrics_count(void)
{
    static const int64_t widths[] = {1, 2, 33, 1100};
    static float thresholds[2000];
    for (size_t i = 0; i < 4; i++) {
        int64_t n = widths[i];
        CASE("argmax", false, y = op_argmax(c.g, feed(&c, SHAPE(19, n))););
        CASE("argmax of equal and odd numbers", false,
             y = op_argmax(c.g,
                           with_odd_numbers(&c, op_expr(c.g, "round(a)", feed(&c, SHAPE(70, n)), NULL, NULL, NULL))););
        CASE("among the largest three", false,
             y = op_top_k_hit(c.g, op_expr(c.g, "round(a * 4)", feed(&c, SHAPE(70, n)), NULL, NULL, NULL),
                              feed_i32(&c, SHAPE(70), (int)n + 1), 3););
        CASE("among the largest of odd numbers", false,
             y = op_top_k_hit(c.g, with_odd_numbers(&c, feed(&c, SHAPE(70, n))), feed_i32(&c, SHAPE(70), (int)n), 2););
    }
    for (int i = 0; i < 2000; i++)
        thresholds[i] = (float)i / 500 - 2;
    static const int counts[] = {1, 200, 255, 256, 2000};
    static const int64_t elements[] = {1, 300, 5000};
    for (size_t t = 0; t < 5; t++)
        for (size_t e = 0; e < 3; e++)
            CASE("histogram", false,
                 y = op_histogram(c.g, with_odd_numbers(&c, feed(&c, SHAPE(elements[e]))), feed(&c, SHAPE(elements[e])),
                                  thresholds, counts[t]););
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

int main(void)
{
    RUN_OF_CPU(test_updates_work_in_place);
    RUN(test_maps_broadcast_like_numpy);
    RUN(test_expressions_with_loops_of_their_own);
    RUN(test_products_of_every_orientation);
    RUN(test_bfloat16_products);
    RUN_OF_CPU(test_the_kernel_of_a_product_follows_its_shape);
    RUN_OF_CPU(test_one_thread_does_small_kernels);
    RUN(test_norms_with_what_follows);
    RUN_OF_CPU(test_a_relu_runs_behind_the_norm_before_it);
    RUN_OF_CPU(test_a_fused_norm_still_gives_its_moments);
    RUN(test_reductions);
    RUN(test_reductions_of_every_form);
    RUN(test_softmax_and_cross_entropies);
    RUN(test_long_rows_and_odd_numbers_of_softmax);
    RUN(test_norms_far_from_zero);
    RUN_OF_CUDA(test_rows_far_from_zero);
    RUN(test_what_metrics_count);
    RUN(test_norms);
    RUN(test_movement);
    RUN(test_random_masks_are_the_same_everywhere);
    return check_done();
}
