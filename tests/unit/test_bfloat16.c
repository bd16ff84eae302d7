/* test_bfloat16.c - the casts of mixed_bfloat16: how numbers are rounded, which values are
 * marked, what gradients get */
#include "engine/cpu/rows.h"
#include "engine/plan/plan.h"
#include "tests/check.h"

#include <string.h>

static float of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void test_numbers_are_rounded_to_the_nearest_and_ties_to_even(void)
{
    static const uint32_t cases[][2] = {
        {0x3f800000, 0x3f800000}, {0x3f807fff, 0x3f800000}, {0x3f808000, 0x3f800000}, {0x3f808001, 0x3f810000},
        {0x3f818000, 0x3f820000}, {0xbf818000, 0xbf820000}, {0x7f7fffff, 0x7f800000}, {0x7f800000, 0x7f800000},
        {0xff800000, 0xff800000}, {0x80000000, 0x80000000}, {0x3fffffff, 0x40000000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        float given = of_bits(cases[i][0]), stepped;
        rows_choose()->step[EXPR_BFLOAT16](&stepped, &given, NULL, NULL, 1);
        CHECK_EQ(bits_of(round_to_bfloat16(given)), cases[i][1]);
        CHECK_EQ(bits_of(stepped), cases[i][1]);
    }
}

static void test_nan_stays_nan(void)
{
    static const uint32_t nans[] = {0x7f800001, 0x7fffffff, 0xff800001, 0xffffffff, 0x7fc00000};
    for (size_t i = 0; i < sizeof nans / sizeof nans[0]; i++) {
        float given = of_bits(nans[i]), stepped;
        rows_choose()->step[EXPR_BFLOAT16](&stepped, &given, NULL, NULL, 1);
        CHECK(isnan(round_to_bfloat16(given)) && isnan(stepped));
    }
}

/* d loss / d x of sum(weights * f(x)), on the reference backend. */
static void gradient_of(struct value *(*f)(struct graph *, struct value *), const float *x, const float *weights,
                        float *out, int n)
{
    struct err err = {0};
    struct graph *g = graph_new();
    struct value *input = op_input(g, "x", DTYPE_F32, SHAPE(n)), *scale = op_input(g, "w", DTYPE_F32, SHAPE(n)), *dx;
    struct value *loss = op_sum_all(g, op_mul(g, f(g, input), scale));
    CHECK(graph_gradient(g, loss, &input, 1, &dx));
    graph_keep(g, dx);
    struct plan *plan = plan_new(g, &backend_reference, NULL, NULL, &err);
    if (!plan) {
        CHECK_FAIL("%s", err.text);
        return;
    }
    memcpy(plan_input(plan, input), x, (size_t)n * sizeof *x);
    memcpy(plan_input(plan, scale), weights, (size_t)n * sizeof *x);
    plan_run(plan);
    memcpy(out, plan_output(plan, dx), (size_t)n * sizeof *x);
    plan_free(plan);
    graph_free(g);
}

static struct value *rounded(struct graph *g, struct value *x)
{
    return op_bfloat16(g, x);
}

static struct value *rounded_square(struct graph *g, struct value *x)
{
    return op_expr(g, "square(a)", op_float32(g, op_bfloat16(g, x)), NULL, NULL, NULL);
}

static void test_a_cast_rounds_the_value_and_its_gradient(void)
{
    const float x[] = {1.2345678f, -0.3333333f, 5}, weights[] = {0.7071067f, 3.1415926f, 1};
    float got[3];
    gradient_of(rounded, x, weights, got, 3);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(bits_of(got[i]), bits_of(round_to_bfloat16(weights[i])));
    gradient_of(rounded_square, x, weights, got, 3);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(bits_of(got[i]), bits_of(round_to_bfloat16(2 * round_to_bfloat16(x[i]) * weights[i])));
}

static void test_what_only_moves_or_chooses_stays_marked(void)
{
    struct graph *g = graph_new();
    struct value *x = op_input(g, "x", DTYPE_F32, SHAPE(4, 6)), *b = op_bfloat16(g, x);
    CHECK(!x->bfloat16 && b->bfloat16);
    CHECK(op_bfloat16(g, b) == b && op_float32(g, x) == x);
    CHECK(op_reshape(g, b, SHAPE(24))->bfloat16 && op_transpose(g, b, (const int[]){1, 0})->bfloat16);
    CHECK(op_expr(g, "relu(a)", b, NULL, NULL, NULL)->bfloat16);
    CHECK(op_expr(g, "where(a > b, a, -b)", b, op_bfloat16(g, op_scale(g, x, 2)), NULL, NULL)->bfloat16);
    CHECK(op_concat(g, (struct value *[]){b, b}, 2, 0)->bfloat16 &&
          !op_concat(g, (struct value *[]){b, x}, 2, 0)->bfloat16);
    CHECK(!op_expr(g, "tanh(a)", b, NULL, NULL, NULL)->bfloat16 && !op_add(g, b, b)->bfloat16);
    CHECK(!op_float32(g, b)->bfloat16 && !op_expr(g, "relu(a)", op_float32(g, b), NULL, NULL, NULL)->bfloat16);
    graph_free(g);
}

static void test_products_of_two_marked_values_are_bfloat16_and_of_one_are_not(void)
{
    struct graph *g = graph_new();
    struct value *x = op_input(g, "x", DTYPE_F32, SHAPE(4, 6)), *w = op_input(g, "w", DTYPE_F32, SHAPE(6, 5));
    struct value *b = op_bfloat16(g, x), *v = op_bfloat16(g, w);
    CHECK(op_matmul(g, b, v, false, false)->bfloat16 && op_matmul(g, b, v, false, false)->node->attrs.bfloat16);
    CHECK(!op_matmul(g, b, w, false, false)->bfloat16 && !op_matmul(g, b, w, false, false)->node->attrs.bfloat16);
    CHECK(!op_matmul(g, op_float32(g, b), v, false, false)->bfloat16);
    const struct window window = {.n_spatial = 1, .size = {2}, .stride = {1}, .dilation = {1}, .groups = 1};
    struct value *image = op_bfloat16(g, op_input(g, "x", DTYPE_F32, SHAPE(2, 7, 3)));
    struct value *filter = op_bfloat16(g, op_input(g, "w", DTYPE_F32, SHAPE(2, 3, 4)));
    CHECK(op_conv(g, image, filter, &window)->bfloat16 && !op_conv(g, op_float32(g, image), filter, &window)->bfloat16);
    graph_free(g);
}

/* Every product of a layer and of its gradient works on rounded numbers. */
static void test_gradients_of_products_are_products_of_rounded_values(void)
{
    struct graph *g = graph_new();
    struct value *x = op_input(g, "x", DTYPE_F32, SHAPE(8, 6)), *w = op_input(g, "w", DTYPE_F32, SHAPE(6, 5)),
                 *wanted[] = {x, w};
    struct value *y =
        op_expr(g, "tanh(a)", op_matmul(g, op_bfloat16(g, x), op_bfloat16(g, w), false, false), NULL, NULL, NULL);
    struct value *gradients[2], *loss = op_sum_all(g, op_expr(g, "square(a)", y, NULL, NULL, NULL));
    CHECK(graph_gradient(g, loss, wanted, 2, gradients));
    CHECK(gradients[0]->bfloat16 && gradients[1]->bfloat16);
    int products = 0;
    for (int n = 0; n < g->n_nodes; n++)
        if (g->nodes[n]->op == OP_MATMUL) {
            products++;
            CHECK(g->nodes[n]->attrs.bfloat16);
        }
    CHECK_EQ(products, 3);
    graph_free(g);
}

int main(void)
{
    RUN(test_numbers_are_rounded_to_the_nearest_and_ties_to_even);
    RUN(test_nan_stays_nan);
    RUN(test_a_cast_rounds_the_value_and_its_gradient);
    RUN(test_what_only_moves_or_chooses_stays_marked);
    RUN(test_products_of_two_marked_values_are_bfloat16_and_of_one_are_not);
    RUN(test_gradients_of_products_are_products_of_rounded_values);
    return check_done();
}
