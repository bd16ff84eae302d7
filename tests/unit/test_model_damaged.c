/* Model configs with parts exchanged at random, 30,000 of them: each is either built and lowered, or refused with a
 * message. Run with sanitizers it also shows that nothing is read or written where it must not be, and nothing is lost.
 */
#include "base/rng.h"
#include "base/arena.h"
#include "engine/layers/model.h"
#include "tests/check.h"

static uint64_t drawn;

static uint32_t draw(uint32_t below)
{
    return rng_u32(11, 1, 0, drawn++) % below;
}

static const char *const seeds[] = {
    "{\"layers\": [{\"class\": \"InputLayer\", \"name\": \"x\", \"shape\": [8, 8, 2]}, {\"class\": \"Conv2D\", "
    "\"filters\": 4, \"kernel_size\": [3, 3],"
    "\"padding\": \"same\", \"strides\": 2, \"activation\": \"relu\", \"kernel_regularizer\": {\"class\": \"L2\", "
    "\"l2\": 0.1}},"
    "{\"class\": \"BatchNormalization\", \"axis\": -1}, {\"class\": \"UpSampling2D\", \"size\": [2, 2], "
    "\"interpolation\": \"bilinear\"},"
    "{\"class\": \"ZeroPadding2D\", \"padding\": [[1, 0], [2, 1]]}, {\"class\": \"MaxPooling2D\", \"pool_size\": 2}, "
    "{\"class\": \"Permute\", \"dims\": [2, 1, 3]},"
    "{\"class\": \"Reshape\", \"target_shape\": [-1, 4]}, {\"class\": \"LayerNormalization\", \"axis\": [1, 2]}, "
    "{\"class\": \"Flatten\"},"
    "{\"class\": \"Dense\", \"units\": 3, \"activation\": \"softmax\", \"kernel_initializer\": {\"class\": "
    "\"HeNormal\", \"seed\": 1}}]}",
    "{\"layers\": [{\"class\": \"InputLayer\", \"name\": \"a\", \"shape\": [4]}, {\"class\": \"Dense\", \"units\": 4, "
    "\"name\": \"d\", \"inputs\": [[\"a\"], [\"d\"]]},"
    "{\"class\": \"Sequential\", \"name\": \"s\", \"inputs\": [\"d:1\"], \"layers\": [{\"class\": \"Dense\", "
    "\"units\": 4, \"trainable\": false}]},"
    "{\"class\": \"Add\", \"name\": \"p\", \"inputs\": [\"a\", \"d\", \"s\"]}, {\"class\": \"Dot\", \"axes\": [1, 1], "
    "\"name\": \"q\", \"inputs\": [\"p\", \"a\"]},"
    "{\"class\": \"Expression\", \"expression\": \"x * s + x2\", \"weights\": {\"s\": {\"shape\": \"last\"}}, "
    "\"inputs\": [\"p\", \"q\"]}], \"outputs\": [\"expression\"]}",
    "{\"class_name\":\"Functional\",\"config\":{\"name\":\"m\",\"layers\":[{\"class_name\":\"InputLayer\",\"name\":"
    "\"x\",\"config\":{\"batch_shape\":[null,4],\"dtype\":\"float32\"},\"inbound_nodes\":[]},"
    "{\"class_name\":\"Dense\",\"name\":\"d\",\"config\":{\"units\":4,\"activation\":\"gelu\"},\"inbound_nodes\":[{"
    "\"args\":[{\"class_name\":\"__keras_tensor__\",\"config\":{\"keras_history\":[\"x\",0,0]}}],\"kwargs\":{}}]},"
    "{\"module\":\"keras.src.ops.numpy\",\"class_name\":\"Multiply\",\"name\":\"m\",\"config\":{\"name\":\"m\"},"
    "\"inbound_nodes\":[{\"args\":[{\"class_name\":\"__keras_tensor__\",\"config\":{\"keras_history\":[\"d\",0,0]}},2."
    "0],\"kwargs\":{}}]},"
    "{\"class_name\":\"Concatenate\",\"name\":\"c\",\"config\":{\"axis\":-1},\"inbound_nodes\":[{\"args\":[[{\"class_"
    "name\":\"__keras_tensor__\",\"config\":{\"keras_history\":[\"d\",0,0]}},{\"class_name\":\"__keras_tensor__\","
    "\"config\":{\"keras_history\":[\"m\",0,0]}}]],\"kwargs\":{}}]}],"
    "\"input_layers\":[[\"x\",0,0]],\"output_layers\":[[\"c\",0,0]]}}",
};

static const char *const values[] = {
    "null",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "2",
    "3",
    "7",
    "4096",
    "1099511627776",
    "-9223372036854775808",
    "1e300",
    "0.5",
    "\"\"",
    "\"x\"",
    "\"d\"",
    "\"a:7\"",
    "\"valid\"",
    "\"causal\"",
    "\"relu\"",
    "\"softmax\"",
    "\"Dense\"",
    "\"LSTM\"",
    "\"Flatten\"",
    "\"GlobalAveragePooling2D\"",
    "\"Dropout\"",
    "\"InputLayer\"",
    "\"Add\"",
    "\"sparsemax\"",
    "\"glu\"",
    "\"orthogonal_regularizer\"",
    "[]",
    "[0]",
    "[1, 2, 3]",
    "[[1]]",
    "{}",
    "{\"class\": \"Softmax\", \"axis\": [1, 2]}",
};

static size_t count(const json_t *json)
{
    size_t n = 1, i;
    const char *key;
    json_t *child;
    json_array_foreach((json_t *)json, i, child)
        n += count(child);
    json_object_foreach((json_t *)json, key, child)
        n += count(child);
    return n;
}

/* Half of the time of the same kind as the old one, so that many configs still make sense. */
static json_t *random_value(const json_t *whole, const json_t *old)
{
    static const char *const words[] = {
        "x",        "a",     "d",          "s",       "p",         "q",        "same",
        "valid",    "relu",  "softmax",    "glu",     "sparsemax", "tanh",     "Add",
        "Multiply", "Dense", "Activation", "Flatten", "Softmax",   "Identity", "GaussianNoise",
        "nearest"};
    struct err err;
    if (json_is_integer(old) && draw(2))
        return json_integer((json_int_t)draw(7) - 1);
    if (json_is_string(old) && draw(2))
        return json_string(words[draw(sizeof words / sizeof words[0])]);
    const char *text = values[draw(sizeof values / sizeof values[0])];
    if (draw(8) == 0)
        return json_deep_copy(whole);
    return js_parse(text, strlen(text), "value", JS_STRICT, &err);
}

/* Replaces the part number *place (in depth-first order) by a random one. */
static void mutate(json_t *json, const json_t *whole, size_t *place)
{
    size_t i;
    const char *key;
    json_t *child;
    json_array_foreach(json, i, child) {
        if (--*place == 0) {
            json_array_set_new(json, i, random_value(whole, child));
            return;
        }
        mutate(child, whole, place);
        if (!*place)
            return;
    }
    json_object_foreach(json, key, child) {
        if (--*place == 0) {
            if (draw(6))
                json_object_set_new(json, key, random_value(whole, child));
            else
                json_object_del(json, key);
            return;
        }
        mutate(child, whole, place);
        if (!*place)
            return;
    }
}

static bool lower(struct model *model)
{
    struct graph *g = graph_new();
    struct value **inputs = arena_array(&g->arena, (size_t)model->n_inputs, sizeof *inputs), *penalty;
    struct value **outputs = arena_array(&g->arena, (size_t)model->n_outputs, sizeof *outputs);
    for (int i = 0; i < model->n_inputs; i++) {
        struct shape shape = {.rank = model->inputs[i].shape.rank + 1, .dim = {2}};
        memcpy(shape.dim + 1, model->inputs[i].shape.dim, 7 * sizeof(int64_t));
        inputs[i] = op_input(g, "x", model->inputs[i].dtype, shape);
    }
    struct value *step = op_input(g, "step", DTYPE_I32, (struct shape){0});
    bool ok = model_lower(model, g, 2, MODE_TRAIN, inputs, step, outputs, &penalty);
    for (int i = 0; ok && i < model->n_outputs; i++) {
        struct shape shape = {.rank = model->outputs[i].shape.rank + 1, .dim = {2}};
        memcpy(shape.dim + 1, model->outputs[i].shape.dim, 7 * sizeof(int64_t));
        if (!shape_equal(shape, outputs[i]->shape))
            CHECK_FAIL("an output has another shape than was promised");
    }
    CHECK(ok || g->error.text[0]);
    graph_free(g);
    return ok;
}

static void test_every_config_is_built_or_refused(void)
{
    enum { N = 30000 };
    int built = 0, lowered = 0, refused = 0;
    for (int k = 0; k < N; k++) {
        struct err err = {0};
        const char *text = seeds[draw(3)];
        json_t *json = js_parse(text, strlen(text), "seed", JS_STRICT, &err), *whole = json_deep_copy(json);
        for (uint32_t times = 1 + draw(3); times; times--) {
            size_t place = 1 + draw((uint32_t)count(json));
            mutate(json, whole, &place);
        }
        bool keras = json_object_get(json, "class_name") != NULL;
        struct model_spec *spec =
            keras ? model_spec_from_keras(json, "c", &err) : model_spec_from_layers(json, "m", &err);
        struct model *model = spec ? model_new(spec, 1, NULL, &err) : NULL;
        if (model) {
            built++;
            lowered += lower(model);
            json_decref(model_to_keras(model));
        } else {
            refused++;
            CHECK(err.text[0] && err.code != ERR_NONE);
        }
        model_free(model);
        model_spec_free(spec);
        json_decref(whole);
        json_decref(json);
    }
    printf("%d built, %d of them lowered, %d refused\n", built, lowered, refused);
    CHECK(built > N / 20 && lowered > built / 2 && refused > N / 4);
}

int main(void)
{
    RUN(test_every_config_is_built_or_refused);
    return check_done();
}
