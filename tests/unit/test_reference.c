/* test_reference.c - values of the ops on the reference backend, against numbers worked out by hand or in numpy, and
 * shape errors */
#include "base/rng.h"
#include "engine/graph/ops.h"
#include "engine/plan/plan.h"

#include "tests/check.h"

static struct err err;

/* Evaluates one value of a graph of constants and compares it. The graph is freed. */
static void check_value(struct graph *g, struct value *y, struct shape shape, const float *expected, double tolerance)
{
    if (!y || !graph_ok(g, &err)) {
        CHECK_FAIL("%s", g->error.text);
        graph_free(g);
        return;
    }
    graph_keep(g, y);
    CHECK(shape_equal(y->shape, shape));
    struct plan *plan = plan_new(g, &backend_reference, NULL, NULL, &err);
    plan_run(plan);
    for (int64_t i = 0; i < shape_elements(shape); i++) {
        const void *out = plan_output(plan, y);
        double found = y->dtype == DTYPE_I32 ? ((const int32_t *)out)[i] : (double)((const float *)out)[i];
        CHECK_NEAR(found, (double)expected[i], tolerance);
    }
    plan_free(plan);
    graph_free(g);
}
#define F(...) ((const float[]){__VA_ARGS__})
#define I(...) ((const int32_t[]){__VA_ARGS__})
#define I64(...) ((const int64_t[]){__VA_ARGS__})

static struct value *floats(struct graph *g, struct shape shape, const float *data)
{
    return op_constant(g, DTYPE_F32, shape, data);
}

/* 0, 1, 2, ... times a factor */
static struct value *count_up(struct graph *g, struct shape shape, float factor)
{
    float data[256];
    for (int i = 0; i < 256; i++)
        data[i] = (float)i * factor;
    return floats(g, shape, data);
}

static void test_broadcast_maps_follow_numpy(void)
{
    struct graph *g = graph_new();
    struct value *y = op_add(g, count_up(g, SHAPE(2, 1, 3), 1), count_up(g, SHAPE(2, 1), 10));
    check_value(g, y, SHAPE(2, 2, 3), F(0, 1, 2, 10, 11, 12, 3, 4, 5, 13, 14, 15), 0);
}

static void test_moving_ops_move_like_numpy(void)
{
    struct graph *g = graph_new();
    check_value(g, op_transpose(g, count_up(g, SHAPE(2, 3), 1), (const int[]){1, 0}), SHAPE(3, 2), F(0, 3, 1, 4, 2, 5),
                0);
    g = graph_new();
    check_value(g, op_slice(g, count_up(g, SHAPE(3, 4), 1), I64(1, 0), I64(3, 4), I64(1, 3)), SHAPE(2, 2),
                F(4, 7, 8, 11), 0);
    g = graph_new();
    check_value(g, op_pad(g, count_up(g, SHAPE(1, 2), 1), I64(1, 0), I64(0, 1), 9), SHAPE(2, 3), F(9, 9, 9, 0, 1, 9),
                0);
    g = graph_new();
    check_value(g, op_reverse(g, count_up(g, SHAPE(2, 3), 1), -1), SHAPE(2, 3), F(2, 1, 0, 5, 4, 3), 0);
    g = graph_new();
    struct value *parts[] = {count_up(g, SHAPE(2, 1), 1), count_up(g, SHAPE(2, 2), 10)};
    check_value(g, op_concat(g, parts, 2, -1), SHAPE(2, 3), F(0, 0, 10, 1, 20, 30), 0);
    g = graph_new();
    check_value(g, op_broadcast(g, count_up(g, SHAPE(2, 1), 1), SHAPE(2, 2, 2)), SHAPE(2, 2, 2),
                F(0, 0, 1, 1, 0, 0, 1, 1), 0);
}

static void test_reductions_reduce_the_named_axes(void)
{
    struct graph *g = graph_new();
    check_value(g, op_reduce(g, REDUCE_SUM, count_up(g, SHAPE(2, 3), 1), (const int[]){0}, 1, false), SHAPE(3),
                F(3, 5, 7), 0);
    g = graph_new();
    check_value(g, op_reduce(g, REDUCE_MEAN, count_up(g, SHAPE(2, 3), 1), (const int[]){-1}, 1, true), SHAPE(2, 1),
                F(1, 4), 0);
    g = graph_new();
    check_value(g, op_reduce(g, REDUCE_PROD, floats(g, SHAPE(3), F(2, 3, 4)), NULL, 0, false), (struct shape){0}, F(24),
                0);
    g = graph_new();
    check_value(g, op_reduce(g, REDUCE_MAX, floats(g, SHAPE(3), F(2, NAN, 4)), NULL, 0, false), (struct shape){0},
                F(NAN), 0);
    g = graph_new();
    check_value(g, op_argmax(g, floats(g, SHAPE(2, 3), F(1, 7, 7, 5, 2, 3))), SHAPE(2), F(1, 0), 0);
}

static void test_products_multiply(void)
{
    struct graph *g = graph_new();
    struct value *a = count_up(g, SHAPE(2, 3), 1), *b = count_up(g, SHAPE(3, 2), 1);
    check_value(g, op_matmul(g, a, b, false, false), SHAPE(2, 2), F(10, 13, 28, 40), 0);
    g = graph_new();
    check_value(g, op_matmul(g, count_up(g, SHAPE(3, 2), 1), count_up(g, SHAPE(2, 3), 1), true, true), SHAPE(2, 2),
                F(10, 28, 13, 40), 0);
    g = graph_new(); /* one left matrix for two right ones */
    check_value(g, op_matmul(g, count_up(g, SHAPE(1, 1, 2), 1), count_up(g, SHAPE(2, 2, 1), 1), false, false),
                SHAPE(2, 1, 1), F(1, 3), 0);
}

static void test_convolutions_slide_strided_padded_and_dilated(void)
{
    struct window w = {
        .n_spatial = 1, .size = {2}, .stride = {2}, .dilation = {2}, .pad_before = {1}, .pad_after = {1}};
    struct graph *g = graph_new(); /* input 0..4 between zeros: taps at (-1, 1), (1, 3), (3, 5) */
    check_value(g, op_conv(g, count_up(g, SHAPE(1, 5, 1), 1), floats(g, SHAPE(2, 1, 1), F(1, 10)), &w), SHAPE(1, 3, 1),
                F(10, 31, 3), 0);
    w = (struct window){.n_spatial = 2, .size = {2, 2}, .stride = {1, 1}, .dilation = {1, 1}};
    g = graph_new();
    check_value(g, op_conv(g, count_up(g, SHAPE(1, 2, 3, 1), 1), floats(g, SHAPE(2, 2, 1, 1), F(1, 10, 100, 1000)), &w),
                SHAPE(1, 1, 2, 1), F(4310, 5421), 0);
    w = (struct window){.n_spatial = 1, .size = {1}, .stride = {1}, .dilation = {1}, .groups = 2};
    g = graph_new(); /* each filter sees its own channel */
    check_value(g, op_conv(g, floats(g, SHAPE(1, 1, 2), F(3, 5)), floats(g, SHAPE(1, 1, 4), F(1, 2, 3, 4)), &w),
                SHAPE(1, 1, 4), F(3, 6, 15, 20), 0);
    w = (struct window){.n_spatial = 1, .size = {3}, .stride = {2}, .dilation = {1}};
    g = graph_new(); /* the transposed convolution spreads and adds */
    check_value(
        g,
        op_conv_dx(g, floats(g, SHAPE(1, 2, 1), F(1, 10)), floats(g, SHAPE(3, 1, 1), F(1, 2, 3)), &w, SHAPE(1, 5, 1)),
        SHAPE(1, 5, 1), F(1, 2, 13, 20, 30), 0);
}

static void test_pooling_leaves_padding_out(void)
{
    struct window w = {
        .n_spatial = 1, .size = {2}, .stride = {2}, .dilation = {1}, .pad_before = {0}, .pad_after = {1}};
    struct graph *g = graph_new();
    check_value(g, op_pool(g, POOL_MAX, floats(g, SHAPE(1, 3, 1), F(-3, -2, -5)), &w), SHAPE(1, 2, 1), F(-2, -5), 0);
    g = graph_new();
    check_value(g, op_pool(g, POOL_AVERAGE, floats(g, SHAPE(1, 3, 1), F(-3, -2, -5)), &w), SHAPE(1, 2, 1), F(-2.5f, -5),
                0);
}

static void test_indices_out_of_range_are_seen_and_harmless(void)
{
    struct graph *g = graph_new();
    struct value *i = op_constant(g, DTYPE_I32, SHAPE(4), I(1, -1, 0, 2));
    check_value(g, op_gather(g, count_up(g, SHAPE(2, 2), 1), i), SHAPE(4, 2), F(2, 3, NAN, NAN, 0, 1, NAN, NAN), 0);
    g = graph_new();
    check_value(g, op_one_hot(g, op_constant(g, DTYPE_I32, SHAPE(3), I(1, -1, 2)), 2), SHAPE(3, 2), F(0, 1, 0, 0, 0, 0),
                0);
    g = graph_new();
    struct value *labels = op_constant(g, DTYPE_I32, SHAPE(4), I(0, 5, -1, 1));
    check_value(g, op_sparse_xent(g, floats(g, SHAPE(4, 2), F(0, 0, 0, 0, 0, 0, 1000, 0)), labels, -1), SHAPE(4),
                F(0.6931472f, NAN, 0, 1000), 1e-6);
}

static void test_softmax_and_cross_entropy_survive_large_logits(void)
{
    struct graph *g = graph_new();
    check_value(g, op_softmax(g, floats(g, SHAPE(2, 2), F(1000, 1000, -1000, 0))), SHAPE(2, 2), F(0.5f, 0.5f, 0, 1),
                1e-6);
    g = graph_new();
    struct value *target = floats(g, SHAPE(2, 2), F(1, 0, 0.5f, 0.5f));
    check_value(g, op_xent(g, floats(g, SHAPE(2, 2), F(-1000, 0, 2, 2)), target), SHAPE(2), F(1000, 0.6931472f), 1e-6);
}

/* Gradient of the logits of a sample whose blanks are likelier than its labels by e^more. */
static struct value *ctc_gradient_with_likely_blanks(struct graph *g, struct value *labels, float more)
{
    static const float x[] = {0.1f, 0.5f,  -0.3f, 0.2f, 0.7f, 0.3f,  -0.1f, 0.9f, -0.5f, 0.4f,
                              0.8f, -0.2f, 0.6f,  0,    0.3f, -0.7f, 0.2f,  0.4f, -0.6f, 0.1f};
    const float blanks[] = {more, 0, 0, 0};
    struct value *logits = floats(g, SHAPE(1, 5, 4), x), *dx;
    struct value *loss = op_ctc(g, op_add(g, logits, floats(g, SHAPE(4), blanks)), labels);
    graph_gradient(g, op_sum_all(g, loss), &logits, 1, &dx);
    return dx;
}

static void test_ctc_goes_on_where_probabilities_underflow(void)
{
    struct graph *g = graph_new();
    struct value *logits = floats(g, SHAPE(2, 2, 2), F(0, -1000, 0, -1000, 0, 0, 0, 0));
    check_value(g, op_ctc(g, logits, op_constant(g, DTYPE_I32, SHAPE(2, 2), I(1, 0, 0, 0))), SHAPE(2),
                F(999.306853f, 1.386294f), 1e-4);
    g = graph_new();
    struct value *labels = op_constant(g, DTYPE_I32, SHAPE(1, 3), I(1, 3, 2));
    struct value *likely = ctc_gradient_with_likely_blanks(g, labels, 160),
                 *certain = ctc_gradient_with_likely_blanks(g, labels, 260);
    check_value(g, op_reduce(g, REDUCE_MAX, op_expr(g, "abs(a - b)", likely, certain, NULL, NULL), NULL, 0, false),
                (struct shape){0}, F(0), 1e-5);
}

static void test_ctc_of_what_cannot_be_is_large_and_of_no_such_label_is_nan(void)
{
    struct graph *g = graph_new();
    struct value *even = op_fill(g, SHAPE(3, 2, 3), 0),
                 *labels = op_constant(g, DTYPE_I32, SHAPE(3, 2), I(1, 1, 1, 2, 5, 0));
    struct value *loss = op_ctc(g, even, labels);
    check_value(g, op_expr(g, "where(a > 1e4, 1, a)", loss, NULL, NULL, NULL), SHAPE(3), F(1, 2.197225f, NAN), 1e-5);
}

static void test_norms_have_zero_mean_and_unit_variance(void)
{
    struct graph *g = graph_new();
    struct value *x = floats(g, SHAPE(2, 2), F(1, 10, 3, 30)), *mean, *variance;
    check_value(g, op_batch_norm(g, x, NULL, NULL, 0, &mean, &variance), SHAPE(2, 2), F(-1, -1, 1, 1), 1e-6);
    g = graph_new();
    op_batch_norm(g, floats(g, SHAPE(2, 2), F(1, 10, 3, 30)), NULL, NULL, 0, &mean, &variance);
    check_value(g, op_add(g, mean, variance), SHAPE(2), F(3, 120), 1e-6);
    g = graph_new();
    struct value *gamma = floats(g, SHAPE(2), F(2, 3)), *beta = floats(g, SHAPE(2), F(0, 1));
    check_value(g, op_layer_norm(g, floats(g, SHAPE(2, 2), F(1, 3, 10, 30)), 1, gamma, beta, 0), SHAPE(2, 2),
                F(-2, 4, -2, 4), 1e-6);
}

static void test_dropout_follows_the_published_generator(void)
{
    struct graph *g = graph_new();
    float expected[12];
    for (uint32_t i = 0; i < 12; i++) /* one mask for the axis of size 2 */
        expected[i] = rng_to_uniform(rng_u32(7, 9, 3, i / 6 * 3 + i % 3)) >= 0.25f ? (float)i / 0.75f : 0;
    struct shape noise = SHAPE(2, 1, 3);
    struct value *step = op_constant(g, DTYPE_I32, (struct shape){0}, I(3));
    check_value(g, op_dropout(g, count_up(g, SHAPE(2, 2, 3), 1), step, 0.25, 7, 9, &noise), SHAPE(2, 2, 3), expected,
                1e-6);
}

static void test_counting_ops_count(void)
{
    struct graph *g = graph_new(); /* ties count for the label, a label out of range or a NaN never hits */
    struct value *scores = floats(g, SHAPE(4, 3), F(1, 2, 2, 3, 2, 1, 1, 2, 3, NAN, 1, 1));
    check_value(g, op_top_k_hit(g, scores, op_constant(g, DTYPE_I32, SHAPE(4), I(1, 2, 7, 0)), 1), SHAPE(4),
                F(1, 0, 0, 0), 0);
    g = graph_new(); /* above a threshold means strictly */
    struct value *x = floats(g, SHAPE(4), F(0.5f, 0.2f, 0.9f, NAN)), *weights = floats(g, SHAPE(4), F(1, 2, 4, 8));
    check_value(g, op_histogram(g, x, weights, F(0.2f, 0.5f), 2), SHAPE(3), F(2 + 8, 1, 4), 0);
    g = graph_new();
    check_value(g, op_cast_i32(g, floats(g, SHAPE(4), F(-1.9f, 1.9f, NAN, 1e20f))), SHAPE(4),
                F(-1, 1, 0, (float)INT32_MAX), 1e-6);
}

#define EXPECT_ERROR(build, expected)                                                                                  \
    do {                                                                                                               \
        struct graph *g = graph_new();                                                                                 \
        struct value *a = op_input(g, "a", DTYPE_F32, SHAPE(2, 3)), *i = op_input(g, "i", DTYPE_I32, SHAPE(2));        \
        (void)i;                                                                                                       \
        CHECK(!(build));                                                                                               \
        CHECK(!op_add(g, a, a)); /* sticky */                                                                          \
        CHECK(!graph_ok(g, &err));                                                                                     \
        CHECK_HAS(err.text, expected);                                                                                 \
        graph_free(g);                                                                                                 \
    } while (0)

static void test_shape_errors_say_what_does_not_fit(void)
{
    static const struct window w = {.n_spatial = 1, .size = {5}, .stride = {1}, .dilation = {1}};
    EXPECT_ERROR(op_add(g, a, op_reshape(g, a, SHAPE(3, 2))), "shapes (2, 3) and (3, 2) cannot be combined");
    EXPECT_ERROR(op_matmul(g, a, a, false, false), "matmul: shapes (2, 3) and (2, 3) do not fit");
    EXPECT_ERROR(op_reshape(g, a, SHAPE(4, -1)), "6 elements of shape (2, 3) do not fill shape (4, -1)");
    EXPECT_ERROR(op_transpose(g, a, (const int[]){0, 0}), "not a permutation");
    EXPECT_ERROR(op_broadcast(g, a, SHAPE(2, 4)), "shape (2, 3) does not stretch to (2, 4)");
    EXPECT_ERROR(op_reduce(g, REDUCE_SUM, a, (const int[]){2}, 1, false), "axis 2 of shape (2, 3)");
    EXPECT_ERROR(op_slice(g, a, I64(0, 2), I64(2, 2), NULL), "slice: [2:2:1] of axis 1");
    EXPECT_ERROR(op_conv(g, op_reshape(g, a, SHAPE(1, 2, 3)), op_fill(g, SHAPE(5, 3, 4), 1), &w),
                 "a window of 5 does not fit in axis 1");
    EXPECT_ERROR(op_conv(g, op_reshape(g, a, SHAPE(1, 6, 1)), op_fill(g, SHAPE(5, 3, 4), 1), &w),
                 "does not fit 1 channels in 1 group");
    EXPECT_ERROR(op_gather(g, a, a), "gather: expected int32, found float32");
    EXPECT_ERROR(op_softmax(g, i), "expected float32, found int32");
    EXPECT_ERROR(op_dropout(g, a, i, 1, 1, 1, NULL), "the step must be a scalar");
    EXPECT_ERROR(op_fill(g, SHAPE(1 << 30, 1 << 30), 1), "too large");
    EXPECT_ERROR(op_fill(g, SHAPE(2, 0), 1), "every size must be at least 1");
    EXPECT_ERROR(op_expr(g, "a + c", a, a, NULL, NULL), "unknown name 'c'");
    EXPECT_ERROR(op_batch_norm(g, a, op_fill(g, SHAPE(2), 1), NULL, 1e-3, NULL, NULL), "gamma of shape (2,)");
    EXPECT_ERROR(op_add(g, a, graph_fail(g, ERR_USAGE, "the first error")), "the first error");
}

static void test_gradients_stop_where_they_must(void)
{
    struct graph *g = graph_new();
    struct value *x = op_input(g, "x", DTYPE_F32, SHAPE(2)), *dx,
                 *loss = op_sum_all(g, op_mul(g, x, op_stop_gradient(g, x)));
    CHECK(graph_gradient(g, loss, &x, 1, &dx)); /* d (x * stop(x)) = stop(x) */
    graph_keep(g, dx);
    struct plan *plan = plan_new(g, &backend_reference, NULL, NULL, &err);
    ((float *)plan_input(plan, x))[1] = 3;
    plan_run(plan);
    CHECK_NEAR(((const float *)plan_output(plan, dx))[1], 3, 0);
    plan_free(plan);
    graph_free(g);
    g = graph_new();
    x = op_input(g, "x", DTYPE_F32, SHAPE(2));
    struct value *unrelated = op_input(g, "y", DTYPE_F32, SHAPE(3));
    graph_gradient(g, op_sum_all(g, x), &unrelated, 1, &dx);
    check_value(g, dx, SHAPE(3), F(0, 0, 0), 0);
    g = graph_new(); /* softmax has no second derivative here: said, not zero */
    x = op_input(g, "x", DTYPE_F32, SHAPE(2, 2));
    graph_gradient(g, op_sum_all(g, op_softmax(g, x)), &x, 1, &dx);
    CHECK(!graph_gradient(g, op_sum_all(g, op_mul(g, dx, dx)), &x, 1, &dx));
    CHECK(!graph_ok(g, &err));
    CHECK_HAS(err.text, "'softmax_dx' is a gradient already");
    graph_free(g);
}

static void test_ties_share_the_gradient_of_a_maximum(void)
{
    struct graph *g = graph_new();
    struct value *x = floats(g, SHAPE(4), F(1, 5, 5, 2)), *dx;
    graph_gradient(g, op_reduce(g, REDUCE_MAX, x, NULL, 0, false), &x, 1, &dx);
    check_value(g, dx, SHAPE(4), F(0, 0.5f, 0.5f, 0), 0);
    g = graph_new();
    x = floats(g, SHAPE(1, 4, 1), F(5, 5, 1, 1));
    struct window w = {.n_spatial = 1, .size = {2}, .stride = {2}, .dilation = {1}};
    graph_gradient(g, op_sum_all(g, op_pool(g, POOL_MAX, x, &w)), &x, 1, &dx);
    check_value(g, dx, SHAPE(1, 4, 1), F(1, 0, 1, 0), 0); /* a window's goes to the first */
}

static void test_graphs_can_be_written(void)
{
    struct graph *g = graph_new();
    struct str out = {0};
    struct value *x = op_input(g, "x", DTYPE_F32, SHAPE(2, 3));
    g->label = "dense";
    op_expr(g, "tanh(a) * 2", op_matmul(g, x, x, false, true), NULL, NULL, NULL);
    graph_write(&out, g);
    CHECK_STR(str_text(&out), "%0 = input() (2, 3)  x\n%1 = matmul(%0, %0) (2, 2) [transpose b]  dense\n%2 = map(%1) "
                              "(2, 2) [tanh(x0) * 2]  dense\n");
    str_release(&out);
    graph_free(g);
}

/* ANTLER_UPDATE=1 in the environment writes the page instead. */
static void test_the_page_of_ops_is_the_table(void)
{
    struct str page = {0};
    const char *path = SOURCE_DIR "/docs/ops.md";
    op_table_write(&page);
    FILE *file = fopen(path, getenv("ANTLER_UPDATE") ? "w" : "r");
    CHECK(file != NULL);
    if (file && getenv("ANTLER_UPDATE")) {
        fputs(str_text(&page), file);
    } else if (file) {
        char *text = xcalloc(1, page.length + 2);
        CHECK_EQ(fread(text, 1, page.length + 1, file), page.length);
        CHECK_STR(text, str_text(&page));
        free(text);
    }
    if (file)
        fclose(file);
    str_release(&page);
}

int main(void)
{
    RUN(test_broadcast_maps_follow_numpy);
    RUN(test_moving_ops_move_like_numpy);
    RUN(test_reductions_reduce_the_named_axes);
    RUN(test_products_multiply);
    RUN(test_convolutions_slide_strided_padded_and_dilated);
    RUN(test_pooling_leaves_padding_out);
    RUN(test_indices_out_of_range_are_seen_and_harmless);
    RUN(test_softmax_and_cross_entropy_survive_large_logits);
    RUN(test_ctc_goes_on_where_probabilities_underflow);
    RUN(test_ctc_of_what_cannot_be_is_large_and_of_no_such_label_is_nan);
    RUN(test_norms_have_zero_mean_and_unit_variance);
    RUN(test_dropout_follows_the_published_generator);
    RUN(test_counting_ops_count);
    RUN(test_shape_errors_say_what_does_not_fit);
    RUN(test_gradients_stop_where_they_must);
    RUN(test_ties_share_the_gradient_of_a_maximum);
    RUN(test_the_page_of_ops_is_the_table);
    RUN(test_graphs_can_be_written);
    return check_done();
}
