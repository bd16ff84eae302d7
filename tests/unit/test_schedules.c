/* Programs of text, and learning-rate schedules at chosen steps; tests/keras/test_compile.py compares them with Keras
 * at all steps. */
#include "engine/compile/program.h"
#include "engine/compile/schedules.h"
#include "tests/check.h"

static struct arena arena;

static void test_a_program_is_one_expression_with_several_results(void)
{
    static const char *const results[] = {"w", "m"};
    struct err err = {0};
    struct program p;
    program_begin(&p, &arena);
    program_input(&p, "w");
    program_input(&p, "m");
    program_input(&p, "g");
    program_constant(&p, "rate", 0.5);
    program_run(&p, "old = m; m = m + g; w = w - rate * m + old; ");
    const struct expr *e = program_finish(&p, results, 2, &err);
    CHECK_OK(e != NULL, err);
    float inputs[] = {10, 3, 1}, out[2];
    expr_eval(e, inputs, out);
    CHECK_NEAR((double)out[0], 10 - 0.5 * 4 + 3, 1e-7);
    CHECK_NEAR((double)out[1], 4, 1e-7);
}

static void test_constants_are_computed_in_double(void)
{
    static const char *const results[] = {"y"};
    struct err err = {0};
    struct program p;
    program_begin(&p, &arena);
    program_input(&p, "x");
    program_constant(&p, "beta", 0.999);
    program_run(&p, "c = 1 - beta; y = x * c");
    const struct expr *e = program_finish(&p, results, 1, &err);
    CHECK_OK(e != NULL, err);
    float x = 1, y;
    expr_eval(e, &x, &y);
    CHECK_EQ(y == 0.001f, true);
}

static void test_an_error_of_a_program_names_the_text(void)
{
    static const char *const results[] = {"x"};
    struct err err = {0};
    struct program p;
    program_begin(&p, &arena);
    program_input(&p, "x");
    program_run(&p, "y = x + wrong; x = y");
    CHECK(!program_finish(&p, results, 1, &err));
    CHECK_HAS(err.text, "wrong");
}

static double at(const char *json, double step)
{
    struct err err = {0};
    json_t *config = js_parse(json, strlen(json), "test", JS_STRICT, &err);
    const struct expr *e = config ? schedule_build(&arena, config, "rate", &err) : NULL;
    if (!e)
        CHECK_FAIL("%s: %s", json, err.text);
    double value = e ? expr_eval_double(e, &step) : NAN;
    json_decref(config);
    return value;
}

static void test_schedules_give_the_rates_of_keras(void)
{
    const char *exponential =
        "{\"class\":\"ExponentialDecay\",\"initial_learning_rate\":0.1,\"decay_steps\":10,\"decay_rate\":0.5}";
    CHECK_NEAR(at(exponential, 0), 0.1, 1e-7);
    CHECK_NEAR(at(exponential, 10), 0.05, 1e-7);
    CHECK_NEAR(at(exponential, 25), 0.1 * pow(0.5, 2.5), 1e-7);
    const char *envelope = "{\"module\":\"keras.optimizers.schedules\",\"class_name\":\"PolynomialDecay\",\"registered_"
                           "name\":null,\"config\":"
                           "{\"initial_learning_rate\":1.0,\"decay_steps\":10,\"end_learning_rate\":0.5,\"power\":2.0,"
                           "\"cycle\":true,\"name\":\"x\"}}";
    CHECK_NEAR(at(envelope, 0), 1, 1e-7);
    CHECK_NEAR(at(envelope, 5), 0.5 * 0.25 + 0.5, 1e-7);
    CHECK_NEAR(at(envelope, 15), 0.5 * 0.0625 + 0.5, 1e-7);
    const char *cosine = "{\"class\":\"CosineDecay\",\"initial_learning_rate\":0.0,\"decay_steps\":10,\"warmup_"
                         "target\":1.0,\"warmup_steps\":4}";
    CHECK_NEAR(at(cosine, 2), 0.5, 1e-7);
    CHECK_NEAR(at(cosine, 4), 1, 1e-7);
    CHECK_NEAR(at(cosine, 9), 0.5, 1e-7);
    CHECK_NEAR(at(cosine, 99), 0, 1e-7);
    const char *steps = "{\"class\":\"PiecewiseConstantDecay\",\"boundaries\":[3,6],\"values\":[1.0,0.5,0.25]}";
    CHECK_NEAR(at(steps, 3), 1, 1e-7);
    CHECK_NEAR(at(steps, 4), 0.5, 1e-7);
    CHECK_NEAR(at(steps, 7), 0.25, 1e-7);
    const char *restarts =
        "{\"class\":\"CosineDecayRestarts\",\"initial_learning_rate\":1.0,\"first_decay_steps\":10,\"m_mul\":0.5}";
    CHECK_NEAR(at(restarts, 5), 0.5, 1e-7);
    CHECK_NEAR(at(restarts, 20), 0.25, 1e-7);
    CHECK_NEAR(at("{\"class\":\"InverseTimeDecay\",\"initial_learning_rate\":1.0,\"decay_steps\":10,\"decay_rate\":0.5,"
                  "\"staircase\":true}",
                  19),
               1 / 1.5, 1e-7);
}

static void refused(const char *json, const char *because)
{
    struct err err = {0};
    json_t *config = js_parse(json, strlen(json), "test", JS_STRICT, &err);
    CHECK(!schedule_build(&arena, config, "compile.optimizer.learning_rate", &err));
    CHECK_HAS(err.text, because);
    CHECK_HAS(err.text, "compile.optimizer.learning_rate");
    CHECK_EQ(err.code, ERR_USAGE);
    json_decref(config);
}

static void test_a_wrong_schedule_is_named_with_its_place(void)
{
    refused("{\"class\":\"CosineDecy\"}", "did you mean 'CosineDecay'?");
    refused("{\"class\":\"ExponentialDecay\",\"initial_learning_rate\":0.1,\"decay_rate\":0.5}", "decay_steps");
    refused("{\"class\":\"ExponentialDecay\",\"initial_learning_rate\":0.1,\"decay_rate\":0.5,\"decay_steps\":0}",
            "must be above 0");
    refused("{\"class\":\"CosineDecay\",\"initial_learning_rate\":0.1,\"decay_steps\":10,\"warmup\":1}", "warmup");
    refused("{\"class\":\"PiecewiseConstantDecay\",\"boundaries\":[3,2],\"values\":[1,2,3]}", "must rise");
    refused("{\"class\":\"PiecewiseConstantDecay\",\"boundaries\":[3],\"values\":[1,2,3]}", "need 2 values, found 3");
    refused("[1]", "found array");
}

int main(void)
{
    RUN(test_a_program_is_one_expression_with_several_results);
    RUN(test_constants_are_computed_in_double);
    RUN(test_an_error_of_a_program_names_the_text);
    RUN(test_schedules_give_the_rates_of_keras);
    RUN(test_a_wrong_schedule_is_named_with_its_place);
    arena_release(&arena);
    return check_done();
}
