/* Losses as values and as one number: shapes that fit and those that do not, masks, sample weights, reductions. The
 * formulas are compared with Keras' own by tests/keras/test_compile.py. */
#include "engine/compile/losses.h"
#include "engine/plan/plan.h"
#include "tests/check.h"

static struct arena arena;
static json_t *texts; /* losses lend from them */

static struct loss *loss_named(const char *text)
{
    struct err err = {0};
    json_t *json = js_parse(text, strlen(text), "loss", JS_STRICT, &err);
    struct loss *loss = json ? loss_build(&arena, json, "compile.loss", false, &err) : NULL;
    CHECK_OK(loss != NULL, err);
    json_array_append_new(texts, json);
    return loss;
}

static struct value *fixed(struct graph *g, struct shape shape, const float *data)
{
    return op_constant(g, DTYPE_F32, shape, data);
}

/* The first number of a value. */
static double number(struct graph *g, struct value *value)
{
    struct err err = {0};
    CHECK(graph_ok(g, &err) && value);
    graph_keep(g, value);
    struct device *device = backend_reference.open(&(struct device_options){.n_threads = 1}, &err);
    struct plan *plan = plan_new(g, &backend_reference, device, &(struct plan_options){0}, &err);
    plan_run(plan);
    double result = ((const float *)plan_output(plan, value))[0];
    plan_free(plan);
    backend_reference.close(device);
    return result;
}

/* Of two samples with three values each, mse 2 and 14 / 3. */
static double reduced(const char *loss_text, const float *mask, const float *weights)
{
    static const float truth[] = {0, 0, 0, 0, 0, 0}, predicted[] = {1, 1, 2, 1, 2, 3};
    const struct loss *loss = loss_named(loss_text);
    struct graph *g = graph_new();
    struct loss_call call = {
        .graph = g, .y_true = fixed(g, SHAPE(2, 3), truth), .y_pred = fixed(g, SHAPE(2, 3), predicted)};
    call.mask = mask ? fixed(g, SHAPE(2), mask) : NULL;
    struct value *values = loss_values(loss, &call);
    double result = number(g, loss_reduce(loss, &call, values, weights ? fixed(g, SHAPE(2), weights) : NULL));
    graph_free(g);
    return result;
}

static void test_values_are_means_or_sums_of_the_last_axis(void)
{
    CHECK_NEAR(reduced("\"mse\"", NULL, NULL), (2 + 14 / 3.0) / 2, 1e-6);
    CHECK_NEAR(reduced("\"mae\"", NULL, NULL), (4 / 3.0 + 2) / 2, 1e-6);
    static const float truth[] = {0.5f, 0.5f}, predicted[] = {0.25f, 0.75f};
    struct graph *g = graph_new();
    const struct loss *loss = loss_named("\"kl_divergence\"");
    struct loss_call call = {
        .graph = g, .y_true = fixed(g, SHAPE(1, 2), truth), .y_pred = fixed(g, SHAPE(1, 2), predicted)};
    CHECK_NEAR(number(g, loss_values(loss, &call)), 0.5 * log(2) + 0.5 * log(2 / 3.0), 1e-6);
    graph_free(g);
}

static void test_reductions_weigh_and_leave_out_as_keras_does(void)
{
    static const float weights[] = {3, 1}, first[] = {1, 0}, none[] = {0, 0};
    static const char sum[] = "{\"class\": \"MeanSquaredError\", \"reduction\": \"sum\"}",
                      by_weight[] = "{\"class\": \"MeanSquaredError\", \"reduction\": \"mean_with_sample_weight\"}";
    const double a = 2, b = 14 / 3.0;
    CHECK_NEAR(reduced("\"mse\"", NULL, weights), (3 * a + b) / 2, 1e-6);
    CHECK_NEAR(reduced(sum, NULL, weights), 3 * a + b, 1e-6);
    CHECK_NEAR(reduced(by_weight, NULL, weights), (3 * a + b) / 4, 1e-6);
    CHECK_NEAR(reduced(by_weight, NULL, NULL), (a + b) / 2, 1e-6);
    CHECK_NEAR(reduced("\"mse\"", first, NULL), a, 1e-6);
    CHECK_NEAR(reduced("\"mse\"", first, weights), 3 * a, 1e-6);
    CHECK_NEAR(reduced(by_weight, first, weights), a, 1e-6);
    CHECK_NEAR(reduced("\"mse\"", none, NULL), 0, 0);
    CHECK_NEAR(reduced(by_weight, none, weights), 0, 0);
}

static const char *refusal(const char *loss_text, struct shape truth, struct shape predicted, const struct shape *mask)
{
    static struct err err;
    const struct loss *loss = loss_named(loss_text);
    struct graph *g = graph_new();
    struct loss_call call = {.graph = g};
    call.y_true = op_input(g, "y_true", DTYPE_F32, truth);
    call.y_pred = op_input(g, "y_pred", DTYPE_F32, predicted);
    call.mask = mask ? op_input(g, "mask", DTYPE_F32, *mask) : NULL;
    struct value *one = loss_reduce(loss, &call, loss_values(loss, &call), NULL);
    CHECK(!one && !graph_ok(g, &err));
    graph_free(g);
    return err.text;
}

static void test_shapes_that_do_not_fit_are_refused_with_both(void)
{
    CHECK_STR(refusal("\"mse\"", SHAPE(4, 3), SHAPE(4, 2), NULL),
              "compile.loss: the model gives shape (4, 2), the targets have shape (4, 3)");
    CHECK_STR(refusal("\"mae\"", SHAPE(4, 5, 3), SHAPE(4, 3), NULL),
              "compile.loss: the model gives shape (4, 3), the targets have shape (4, 5, 3)");
    const struct shape mask = SHAPE(4, 5);
    CHECK_STR(refusal("\"mse\"", SHAPE(4, 3), SHAPE(4, 3), &mask),
              "compile.loss: the output's mask has the shape (4, 5), the values (4,)");
}

static void test_targets_of_one_number_fit_with_and_without_an_axis(void)
{
    static const float truth[] = {1, 3}, predicted[] = {0, 0};
    const struct loss *loss = loss_named("\"mse\"");
    for (int k = 0; k < 2; k++) {
        struct graph *g = graph_new();
        struct loss_call call = {.graph = g, .y_true = fixed(g, k ? SHAPE(2) : SHAPE(2, 1), truth)};
        call.y_pred = fixed(g, k ? SHAPE(2, 1) : SHAPE(2), predicted);
        struct value *values = loss_values(loss, &call);
        CHECK_NEAR(number(g, loss_reduce(loss, &call, values, NULL)), 5, 1e-6);
        graph_free(g);
    }
}

int main(void)
{
    texts = json_array();
    RUN(test_values_are_means_or_sums_of_the_last_axis);
    RUN(test_reductions_weigh_and_leave_out_as_keras_does);
    RUN(test_shapes_that_do_not_fit_are_refused_with_both);
    RUN(test_targets_of_one_number_fit_with_and_without_an_axis);
    arena_release(&arena);
    json_decref(texts);
    return check_done();
}
