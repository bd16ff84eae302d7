/* test_expr.c - expressions: text, values, simplification, derivatives by finite differences */
#include "engine/graph/expr.h"

#include "tests/check.h"

static struct arena arena;
static const char *const xyz[] = {"x", "y", "z"};

static double eval(const char *text, double x, double y, double z)
{
    struct err err = {0};
    const struct expr *e = expr_parse(&arena, text, xyz, 3, &err);
    if (!e) {
        CHECK_FAIL("'%s': %s", text, err.text);
        return NAN;
    }
    return expr_eval_double(e, (const double[]){x, y, z});
}

static const char *error_of(const char *text)
{
    static struct err err;
    err = (struct err){0};
    CHECK(!expr_parse(&arena, text, xyz, 3, &err));
    CHECK_EQ(err.code, ERR_USAGE);
    return err.text;
}

static const char *text_of(const char *text)
{
    static struct str out;
    struct err err;
    str_clear(&out);
    expr_write(&out, expr_parse(&arena, text, xyz, 3, &err), xyz);
    return str_text(&out);
}

static void test_precedence_is_pythons(void)
{
    CHECK_NEAR(eval("x + y * z", 2, 3, 4), 14, 0);
    CHECK_NEAR(eval("x - y - z", 2, 3, 4), -5, 0);
    CHECK_NEAR(eval("-x ** 2", 3, 0, 0), -9, 0);
    CHECK_NEAR(eval("2 ** 3 ** 2", 0, 0, 0), 512, 0);
    CHECK_NEAR(eval("2 ** -1", 0, 0, 0), 0.5, 0);
    CHECK_NEAR(eval("x < y < z", 1, 2, 3), 1, 0);
    CHECK_NEAR(eval("x < y < z", 1, 3, 2), 0, 0);
    CHECK_NEAR(eval("not x > y and z", 1, 2, 5), 1, 0);
    CHECK_NEAR(eval("x if y > 0 else z", 1, -1, 7), 7, 0);
    CHECK_NEAR(eval("x if y > 0 else z if z > 5 else 1e-1", 1, -1, 3), 0.1, 1e-7);
    CHECK_NEAR(eval("sin(pi / 2) + log(e)", 0, 0, 0), 2, 1e-6);
    CHECK_NEAR(eval("leaky_relu(x, negative_slope = 0.5)", -3, 0, 0), -1.5, 1e-6);
}

static void test_errors_name_the_column_and_the_nearest_name(void)
{
    CHECK_HAS(error_of("x + rleu(y)"), "column 5: unknown name 'rleu', did you mean 'relu'?");
    CHECK_HAS(error_of("x + "), "found the end");
    CHECK_HAS(error_of("(x + y"), "expected ')'");
    CHECK_HAS(error_of("x y"), "column 3: expected an operator or the end, found 'y'");
    CHECK_HAS(error_of("relu(x, slope=1)"), "no argument 'slope'");
    CHECK_HAS(error_of("tanh(x, y)"), "'tanh' takes 1 argument");
    CHECK_HAS(error_of("minimum(x)"), "needs argument 2");
    CHECK_HAS(error_of("x if y"), "expected 'else'");
    CHECK_HAS(error_of("1.2.3"), "is not a number");
    CHECK_HAS(error_of("x \x1b[2J y"), "\\x1B");
    CHECK_HAS(error_of("5 @ x"), "column 3");
    CHECK_HAS(error_of(""), "expected a number");
}

static void test_deep_and_long_texts_are_refused(void)
{
    char *deep = xcalloc(20001, 1);
    memset(deep, '(', 15000);
    CHECK_HAS(error_of(deep), "nested deeper");
    memset(deep, '-', 15000);
    CHECK_HAS(error_of(deep), "nested deeper");
    memset(deep, 'x', 20000);
    CHECK_HAS(error_of(deep), "characters long");
    struct str many = {0};
    str_add(&many, "x");
    for (int i = 0; i < 600; i++)
        str_addf(&many, " + sin(x * %d)", i + 2);
    CHECK_HAS(error_of(str_text(&many)), "more than 512 steps");
    str_release(&many);
    free(deep);
}

static void test_constants_fold_and_equal_steps_are_shared(void)
{
    CHECK_STR(text_of("x * 1 + 0"), "x");
    CHECK_STR(text_of("2 * 3 + x * (5 - 4)"), "x + 6");
    CHECK_STR(text_of("x * 0"), "x * 0");
    CHECK_STR(text_of("exp(x) / (1 + exp(x))"), "t1 = exp(x); t1 / (t1 + 1)");
    CHECK_STR(text_of("relu(x)"), "maximum(0, x)");
    CHECK_STR(text_of("-(-x) / 4"), "x * 0.25");
    CHECK(isnan(eval("x * 0", NAN, 0, 0)));
    CHECK(isnan(eval("relu(x)", NAN, 0, 0)));
}

static void test_activations_have_keras_values(void)
{
    CHECK_NEAR(eval("gelu(x)", 1, 0, 0), 0.8413447460685429, 1e-6);
    CHECK_NEAR(eval("gelu(x, approximate=1)", 1, 0, 0), 0.8411919906082768, 1e-6);
    CHECK_NEAR(eval("selu(x)", -1, 0, 0), -1.1113307378125625, 1e-6);
    CHECK_NEAR(eval("softplus(x)", 100, 0, 0), 100, 1e-6);
    CHECK_NEAR(eval("log_sigmoid(x)", -100, 0, 0), -100, 1e-6);
    CHECK_NEAR(eval("hard_sigmoid(x)", 1, 0, 0), 2.0 / 3, 1e-6);
    CHECK_NEAR(eval("mish(x)", 1, 0, 0), 0.8650983882673103, 1e-6);
    CHECK_NEAR(eval("relu(x, max_value=6, threshold=1)", 0.5, 0, 0), 0, 1e-6);
    CHECK_NEAR(eval("relu(x, negative_slope=0.1, threshold=1)", -1, 0, 0), -0.2, 1e-6);
    CHECK_NEAR(eval("sparse_plus(x)", 0, 0, 0), 0.25, 1e-6);
    CHECK_NEAR(eval("squareplus(x)", 1, 0, 0), (1 + sqrt(5)) / 2, 1e-6);
    CHECK_NEAR(eval("soft_shrink(x)", -2, 0, 0), -1.5, 1e-6);
    CHECK_NEAR(eval("celu(x)", -1, 0, 0), expm1(-1), 1e-6);
}

static double slope(const char *text, int input, const double *at)
{
    struct err err;
    const struct expr *e = expr_parse(&arena, text, xyz, 3, &err);
    return expr_eval_double(expr_gradient(&arena, e, input), (const double[]){at[0], at[1], at[2], 1});
}

static void test_every_function_has_the_slope_of_finite_differences(void)
{
    size_t n;
    const struct expr_function *functions = expr_functions(&n);
    for (size_t f = 0; f < n; f++) {
        char text[200];
        bool two = strstr(functions[f].parameters, "a, b") != NULL;
        bool given = strstr(functions[f].parameters, "low") || strstr(functions[f].parameters, "default_value");
        snprintf(text, sizeof text, two ? "%s(x, y)" : given ? "%s(x, -0.8, 1.35)" : "%s(x)", functions[f].name);
        for (double x = -3.97; x < 4; x += 0.31) {
            double h = 1e-4, up = eval(text, x + h, 0.11, 0), down = eval(text, x - h, 0.11, 0);
            double found = slope(text, 0, (const double[]){x, 0.11, 0});
            if (fabs(found - (up - down) / (2 * h)) > 2e-3 * fmax(1, fabs(found)))
                CHECK_FAIL("%s at %g: slope %g, expected %g", text, x, found, (up - down) / (2 * h));
        }
        bool infinite = strstr(text, "sinh") || strstr(text, "cosh") || strstr(text, "log2") || strstr(text, "log10");
        CHECK(infinite || isfinite(slope(text, 0, (const double[]){90, 0.11, 0})));
        CHECK(infinite || isfinite(slope(text, 0, (const double[]){0, 0.11, 0})));
    }
}

static void test_slopes_at_kinks_follow_tensorflow(void)
{
    const double zero[] = {0, 0, 0}, same[] = {2, 2, 0};
    CHECK_NEAR(slope("relu(x)", 0, zero), 0, 0);
    CHECK_NEAR(slope("abs(x)", 0, zero), 0, 0);
    CHECK_NEAR(slope("softplus(x)", 0, zero), 0.5, 1e-6);
    CHECK_NEAR(slope("maximum(x, y)", 0, same), 1, 0);
    CHECK_NEAR(slope("maximum(x, y)", 1, same), 0, 0);
    CHECK_NEAR(slope("minimum(x, y)", 0, same), 1, 0);
    CHECK_NEAR(slope("x ** 0", 0, zero), 0, 0);
    CHECK_NEAR(slope("x ** y", 1, zero), 0, 0);
    CHECK_NEAR(slope("floor(x) + (x > y) + round(x)", 0, same), 0, 0);
}

/* A random step over two earlier ones, from operations that are smooth everywhere. */
static int random_step(struct expr_builder *b, int a, int c)
{
    static const enum expr_op smooth[] = {EXPR_ADD,  EXPR_SUB,     EXPR_MUL, EXPR_SIN, EXPR_COS,
                                          EXPR_TANH, EXPR_SIGMOID, EXPR_ERF, EXPR_NEG, EXPR_SELECT};
    enum expr_op op = smooth[rand() % (int)(sizeof smooth / sizeof smooth[0])];
    if (op == EXPR_SELECT)
        return expr_apply(b, op, expr_const(b, rand() % 2), a, c);
    return op <= EXPR_MUL ? expr_2(b, op, a, c) : expr_1(b, op, a);
}

static void test_random_expressions_have_the_slope_of_finite_differences(void)
{
    srand(7);
    for (int trial = 0; trial < 300; trial++) {
        struct expr_builder b;
        expr_begin(&b, &arena);
        int steps[24] = {expr_input(&b, 0), expr_input(&b, 1), expr_const(&b, 0.7)};
        for (int i = 3; i < 24; i++)
            steps[i] = random_step(&b, steps[rand() % i], steps[rand() % i]);
        const struct expr *e = expr_finish(&b, &steps[23], 1, 2);
        double x = 0.3 + trial % 7 * 0.1, y = -0.5 + trial % 5 * 0.2, h = 1e-5;
        double found = expr_eval_double(expr_gradient(&arena, e, 0), (const double[]){x, y, 1});
        double up = expr_eval_double(e, (const double[]){x + h, y}),
               down = expr_eval_double(e, (const double[]){x - h, y});
        CHECK_NEAR(found, (up - down) / (2 * h), 1e-5);
    }
}

static void test_several_results_add_up_in_the_gradient(void)
{
    struct expr_builder b;
    expr_begin(&b, &arena);
    int x = expr_input(&b, 0), y = expr_input(&b, 1);
    int results[] = {expr_2(&b, EXPR_MUL, x, y), expr_1(&b, EXPR_SQUARE, x)};
    const struct expr *e = expr_finish(&b, results, 2, 2);
    double slope_x = expr_eval_double(expr_gradient(&arena, e, 0), (const double[]){3, 5, 10, 100});
    CHECK_NEAR(slope_x, 10 * 5 + 100 * 6, 1e-6);
}

static void test_functions_take_further_arguments(void)
{
    struct err err;
    const struct expr *e = expr_function_apply(&arena, "leaky_relu", (const double[]){0.5}, 1, &err);
    CHECK_NEAR(expr_eval_double(e, (const double[]){-4}), -2, 1e-6);
    CHECK_NEAR(expr_eval_double(expr_function_apply(&arena, "tanh", NULL, 0, &err), (const double[]){1}), tanh(1),
               1e-6);
    CHECK(!expr_function_apply(&arena, "leaky_rellu", NULL, 0, &err));
    CHECK_HAS(err.text, "did you mean 'leaky_relu'?");
    CHECK(!expr_function_apply(&arena, "threshold", (const double[]){0.5}, 1, &err));
    CHECK_HAS(err.text, "needs 'default_value'");
    CHECK(!expr_function_apply(&arena, "tanh", (const double[]){0.5}, 1, &err));
}

/* Words in any order: never a crash, and what is accepted can be computed and differentiated. */
static void test_random_texts_are_parsed_or_refused(void)
{
    static const char *const words[] = {"x",     "y",     "z",        "(",     ")",   "+",      "-",    "*",
                                        "/",     "**",    "<",        "==",    "and", "or",     "not ", " if ",
                                        "else",  "relu(", "1",        "0.5e3", ",",   "=",      "pi",   "where(",
                                        "nan",   "gelu",  "minimum(", "e",     ".",   "slope=", "\xff", "softplus(",
                                        "clip(", " ",     "x1",       "1e999"};
    srand(3);
    int accepted = 0;
    for (int trial = 0; trial < 20000; trial++) {
        char text[256] = "";
        for (int i = rand() % 9; i >= 0; i--)
            strcat(text, words[rand() % (int)(sizeof words / sizeof words[0])]);
        struct err err;
        const struct expr *e = expr_parse(&arena, text, xyz, 3, &err);
        if (!e)
            continue;
        accepted++;
        expr_eval_double(e, (const double[]){1, 2, 3});
        CHECK(expr_gradient(&arena, e, 0) != NULL);
        arena_reset(&arena);
    }
    CHECK(accepted > 500);
}

static void test_too_many_inputs_fail_when_finished(void)
{
    struct expr_builder b;
    expr_begin(&b, &arena);
    int sum = expr_input(&b, 0);
    for (int i = 1; i < 17; i++)
        sum = expr_2(&b, EXPR_ADD, sum, expr_input(&b, i));
    CHECK(!expr_finish(&b, &sum, 1, 17));
    CHECK(!expr_finish(&b, &sum, 1, 16));
}

int main(void)
{
    RUN(test_precedence_is_pythons);
    RUN(test_errors_name_the_column_and_the_nearest_name);
    RUN(test_deep_and_long_texts_are_refused);
    RUN(test_constants_fold_and_equal_steps_are_shared);
    RUN(test_activations_have_keras_values);
    RUN(test_every_function_has_the_slope_of_finite_differences);
    RUN(test_slopes_at_kinks_follow_tensorflow);
    RUN(test_random_expressions_have_the_slope_of_finite_differences);
    RUN(test_several_results_add_up_in_the_gradient);
    RUN(test_functions_take_further_arguments);
    RUN(test_random_texts_are_parsed_or_refused);
    RUN(test_too_many_inputs_fail_when_finished);
    arena_release(&arena);
    return check_done();
}
