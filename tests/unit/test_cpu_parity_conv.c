/* Convolutions and pooling: the cpu backend against the reference loops. */
#include "tests/unit/parity.h"

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

/* A window without stride that is one place or the whole image, strides that leave gaps, groups of one channel. */
static void test_convolutions_that_are_special(void)
{
    static const struct conv_case cases[] = {
        {2, 3, 1, 1, 1, 0, 1, 6, 8, 12}, {1, 3, 1, 1, 1, 0, 2, 6, 6, 4},   {3, 3, 1, 1, 1, 0, 1, 3, 5, 8},
        {1, 4, 7, 1, 1, 0, 1, 7, 3, 5},  {1, 4, 7, 1, 1, 0, 3, 7, 3, 6},   {2, 4, 1, 1, 1, 1, 1, 5, 3, 4},
        {2, 3, 2, 4, 1, 0, 1, 9, 4, 3},  {1, 3, 1, 3, 1, 0, 1, 11, 4, 3},  {2, 2, 3, 1, 1, 1, 2, 6, 2, 40},
        {2, 3, 3, 1, 1, 1, 1, 6, 1, 8},  {1, 2, 4, 3, 2, 3, 2, 14, 8, 24}, {2, 7, 3, 1, 1, 1, 1, 20, 12, 5}};
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
    check_conv(&(struct conv_case){3, 2, 2, 1, 2, 1, 35, 5, 35, 105});
    check_conv(&(struct conv_case){2, 11, 3, 1, 1, 1, 4, 13, 4, 4});
    check_conv(&(struct conv_case){1, 3, 5, 1, 1, 0, 19, 33, 19, 19});
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

int main(void)
{
    RUN(test_convolutions);
    RUN(test_convolutions_that_are_special);
    RUN(test_convolutions_of_every_small_size);
    RUN(test_bfloat16_convolutions);
    RUN(test_depthwise_convolutions);
    RUN_OF_CPU(test_the_algorithm_follows_the_shape);
    RUN(test_transposed_convolutions);
    RUN(test_relu_before_and_after_pooling);
    RUN(test_pooling);
    return check_done();
}
