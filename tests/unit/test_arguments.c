/* arguments: what is checked, what is defaulted, and that every message says place, found, expected and the nearest
 * name. */
#include "engine/layers/arguments.h"
#include "engine/layers/initializers.h"
#include "tests/check.h"

static const struct argument table[] = {
    {"units", ARG_INT, NULL, NULL, 1, 1e9, "size of the output"},
    {"rate", ARG_FLOAT, "0.5", NULL, 0, 1, "share"},
    {"padding", ARG_CHOICE, "\"valid\"", "valid|same", 0, 0, "how borders are treated"},
    {"pool_size", ARG_INTS, "[2, 2]", NULL, 1, 100, "window"},
    {"use_bias", ARG_BOOL, "true", NULL, 0, 0, "add a bias"},
    {"seed", ARG_INT, "null", NULL, 0, 0, "seed"},
    {"activation", ARG_ACTIVATION, "null", NULL, 0, 0, "activation"},
    {0},
};
static const char *const common[] = {"name", NULL};

static const char *message(const char *text)
{
    static struct err err;
    err = (struct err){0};
    json_t *config = js_parse(text, strlen(text), "test", 0, &err);
    CHECK(config);
    if (arguments_check("Dense", table, common, config, "model.layers[2]", &err))
        err.text[0] = 0;
    json_decref(config);
    return err.text;
}

static void test_right_arguments_pass(void)
{
    CHECK_STR(message("{\"units\": 3, \"name\": \"a\", \"pool_size\": [1, 2], \"activation\": null, \"seed\": null}"),
              "");
    CHECK_STR(message("{\"units\": 3.0, \"quantization_config\": null, \"lora\": false, \"rate\": 1}"), "");
}

static void test_messages_name_place_found_and_expected(void)
{
    CHECK_HAS(message("{\"unit\": 3}"), "model.layers[2].unit: Dense has no argument 'unit', did you mean 'units'?");
    CHECK_HAS(message("{\"units\": 3, \"zzz\": 1}"), "it has: units, rate");
    CHECK_HAS(message("{}"), "model.layers[2]: Dense needs the argument 'units'");
    CHECK_HAS(message("{\"units\": \"3\"}"), "must be an integer, found \"3\"");
    CHECK_HAS(message("{\"units\": 3.5}"), "must be an integer, found 3.5");
    CHECK_HAS(message("{\"units\": 0}"), "must be between 1 and 1e+09, found 0");
    CHECK_HAS(message("{\"units\": null}"), "must be an integer, found null");
    CHECK_HAS(message("{\"units\": 3, \"rate\": 1.5}"), "between 0 and 1, found 1.5");
    CHECK_HAS(message("{\"units\": 3, \"padding\": \"sam\"}"), "must be one of valid|same, found \"sam\"");
    CHECK_HAS(message("{\"units\": 3, \"pool_size\": [2, \"x\"]}"), "list of integers, found [2, \"x\"]");
    CHECK_HAS(message("{\"units\": 3, \"pool_size\": [2, 0]}"), "between 1 and 100");
    CHECK_HAS(message("{\"units\": 3, \"use_bias\": 1}"), "must be true or false, found 1");
    CHECK_HAS(message("{\"units\": 3, \"activation\": 7}"), "must be an activation");
}

static void test_defaults_are_lent_and_given_values_win(void)
{
    json_t *config = json_pack("{s:i, s:f}", "units", 7, "rate", 0.25);
    CHECK_EQ(argument_int(table, config, "units"), 7);
    CHECK_NEAR(argument_double(table, config, "rate"), 0.25, 0);
    CHECK_STR(argument_string(table, config, "padding"), "valid");
    CHECK(argument_bool(table, config, "use_bias"));
    CHECK(json_is_null(argument(table, config, "activation")));
    CHECK_EQ(json_array_size(argument(table, config, "pool_size")), 2);
    CHECK(argument(table, config, "pool_size") == argument(table, NULL, "pool_size"));
    CHECK(argument_string(table, config, "activation") == NULL);
    json_decref(config);
}

static void test_a_class_is_a_name_a_short_form_or_an_envelope(void)
{
    const char *texts[] = {"\"relu\"", "{\"class\": \"relu\", \"x\": 1}",
                           "{\"class_name\": \"relu\", \"config\": {\"x\": 1}}",
                           "{\"class_name\": \"function\", \"config\": \"relu\", \"module\": \"builtins\"}"};
    for (int i = 0; i < 4; i++) {
        struct err err;
        const char *name = NULL;
        const json_t *config = NULL;
        json_t *json = js_parse(texts[i], strlen(texts[i]), "test", 0, &err);
        CHECK(json && class_reference(json, &name, &config));
        CHECK_STR(name, "relu");
        CHECK_EQ(js_int(config, "x", 0), i == 1 || i == 2);
        json_decref(json);
    }
    const char *name;
    const json_t *config;
    json_t *number = json_integer(3);
    CHECK(!class_reference(number, &name, &config));
    json_decref(number);
}

static void test_a_class_is_described_from_its_table(void)
{
    json_t *described = class_describe("Dense", "help", table);
    char *text = js_text(described, 0);
    CHECK_HAS(text, "\"choices\": [\"valid\", \"same\"]");
    CHECK_HAS(text, "\"default\": [2, 2]");
    CHECK_EQ(json_array_size(json_object_get(described, "arguments")), 7);
    free(text);
    json_decref(described);
}

static void fill(const char *text, struct shape shape, float *out)
{
    struct arena arena = {0};
    struct err err = {0};
    json_t *json = js_parse(text, strlen(text), "test", 0, &err);
    const struct initializer *init = initializer_parse(&arena, json, "Zeros", "w", &err);
    CHECK(init);
    if (init)
        CHECK_OK(initializer_fill(init, 5, 3, shape, out, &err), err);
    json_decref(json);
    arena_release(&arena);
}

static void check_moments(const char *text, double mean, double deviation, double bound)
{
    enum { IN = 300, OUT = 100 };
    static float w[IN * OUT];
    double sum = 0, squares = 0;
    fill(text, SHAPE(IN, OUT), w);
    for (int i = 0; i < IN * OUT; i++) {
        CHECK(fabs(w[i] - mean) <= bound);
        sum += w[i];
        squares += (w[i] - mean) * (w[i] - mean);
    }
    CHECK(fabs(sum / (IN * OUT) - mean) < 5 * deviation / sqrt(IN * OUT));
    CHECK(fabs(sqrt(squares / (IN * OUT)) / deviation - 1) < 0.02);
}

static void test_random_initializers_have_keras_moments(void)
{
    check_moments("\"glorot_uniform\"", 0, sqrt(2.0 / 400), sqrt(6.0 / 400));
    check_moments("\"GlorotNormal\"", 0, sqrt(2.0 / 400), 2 * sqrt(2.0 / 400) / 0.8796);
    check_moments("\"he_normal\"", 0, sqrt(2.0 / 300), 2 * sqrt(2.0 / 300) / 0.8796);
    check_moments("\"lecun_uniform\"", 0, sqrt(1.0 / 300), sqrt(3.0 / 300));
    check_moments("{\"class\": \"VarianceScaling\", \"mode\": \"fan_out\", \"distribution\": \"untruncated_normal\"}",
                  0, 0.1, 1);
    check_moments("{\"class\": \"RandomNormal\", \"mean\": 2, \"stddev\": 0.5}", 2, 0.5, 4);
    check_moments("{\"class\": \"RandomUniform\", \"minval\": 0, \"maxval\": 2}", 1, 2 / sqrt(12), 1);
    check_moments("{\"class\": \"TruncatedNormal\", \"stddev\": 1}", 0, 0.87962566, 2);
}

static void check_orthogonal(int rows, int columns)
{
    float w[64];
    fill("{\"class\": \"Orthogonal\", \"gain\": 2}", SHAPE(rows, columns), w);
    int n = rows < columns ? rows : columns, m = rows < columns ? columns : rows;
    for (int a = 0; a < n; a++)
        for (int b = 0; b < n; b++) {
            double dot = 0;
            for (int i = 0; i < m; i++)
                dot +=
                    rows < columns ? w[a * columns + i] * w[b * columns + i] : w[i * columns + a] * w[i * columns + b];
            CHECK_NEAR(dot, a == b ? 4 : 0, 1e-5);
        }
}

static void test_fixed_initializers(void)
{
    float w[64], again[64];
    fill("{\"class\": \"Identity\", \"gain\": 3}", SHAPE(2, 3), w);
    CHECK(w[0] == 3 && w[1] == 0 && w[4] == 3 && w[5] == 0);
    fill("{\"class_name\": \"Constant\", \"config\": {\"value\": 0.25}}", SHAPE(4), w);
    CHECK(w[0] == 0.25f && w[3] == 0.25f);
    fill("\"ones\"", SHAPE(2), w);
    CHECK(w[1] == 1);
    check_orthogonal(7, 4);
    check_orthogonal(4, 7);
    fill("{\"class\": \"HeNormal\", \"seed\": 4}", SHAPE(8, 8), w);
    fill("{\"class\": \"HeNormal\", \"seed\": 4}", SHAPE(8, 8), again);
    CHECK(!memcmp(w, again, sizeof w));
}

static void test_an_unknown_initializer_names_the_nearest(void)
{
    struct arena arena = {0};
    struct err err = {0};
    json_t *json = json_string("he_norml");
    CHECK(!initializer_parse(&arena, json, "Zeros", "model.layers[0].kernel_initializer", &err));
    CHECK_STR(err.text, "model.layers[0].kernel_initializer: unknown initializer 'he_norml', did you mean 'HeNormal'?");
    json_decref(json);
    const struct initializer *identity = initializer_parse(&arena, NULL, "Identity", "w", &err);
    float w[8];
    CHECK(identity && !initializer_fill(identity, 1, 1, SHAPE(2, 2, 2), w, &err));
    CHECK_STR(err.text, "w: Identity needs a weight of two dimensions, found 3");
    arena_release(&arena);
}

int main(void)
{
    RUN(test_right_arguments_pass);
    RUN(test_messages_name_place_found_and_expected);
    RUN(test_defaults_are_lent_and_given_values_win);
    RUN(test_a_class_is_a_name_a_short_form_or_an_envelope);
    RUN(test_a_class_is_described_from_its_table);
    RUN(test_random_initializers_have_keras_moments);
    RUN(test_fixed_initializers);
    RUN(test_an_unknown_initializer_names_the_nearest);
    return check_done();
}
