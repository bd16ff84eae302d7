/* layers and model: shapes, variables in Keras' order, what is refused and how. Numbers against real Keras:
 * keras/test_layers.py */
#include "base/arena.h"
#include "engine/layers/layer.h"
#include "engine/layers/model.h"
#include "tests/check.h"

struct built {
    struct model_spec *spec;
    struct model *model;
    json_t *json;
    struct err err;
};

static struct built build(const char *text, const struct shape *input)
{
    struct built b = {0};
    b.json = js_parse(text, strlen(text), "test", 0, &b.err);
    CHECK(b.json);
    b.spec = model_spec_from_layers(b.json, "model", &b.err);
    b.model = b.spec ? model_new(b.spec, 1, input, &b.err) : NULL;
    return b;
}

static void drop(struct built *b)
{
    model_free(b->model);
    model_spec_free(b->spec);
    json_decref(b->json);
}

#define CNN                                                                                                            \
    "{\"layers\": [{\"class\": \"InputLayer\", \"shape\": [8, 8, 1]}, {\"class\": \"Conv2D\", \"filters\": 4, "        \
    "\"kernel_size\": 3},"                                                                                             \
    "{\"class\": \"BatchNormalization\"}, {\"class\": \"MaxPooling2D\"}, {\"class\": \"Flatten\"}, {\"class\": "       \
    "\"Dropout\", \"rate\": 0.5},"                                                                                     \
    "{\"class\": \"Dense\", \"units\": 10, \"activation\": \"softmax\"}]}"

static void test_variables_stand_in_keras_order_with_keras_paths(void)
{
    static const char *const paths[] = {"layers/conv2d/vars/0",
                                        "layers/conv2d/vars/1",
                                        "layers/batch_normalization/vars/0",
                                        "layers/batch_normalization/vars/1",
                                        "layers/batch_normalization/vars/2",
                                        "layers/batch_normalization/vars/3",
                                        "layers/dense/vars/0",
                                        "layers/dense/vars/1"};
    struct built b = build(CNN, NULL);
    CHECK(b.model && b.model->n_variables == 8 && b.model->n_trainable == 6);
    if (!b.model)
        return;
    for (int i = 0; i < 8; i++)
        CHECK_STR(b.model->variables[i]->h5_path, paths[i]);
    CHECK_STR(b.model->variables[4]->path, "batch_normalization/moving_mean");
    CHECK_EQ(b.model->n_params, 4 * 9 + 4 + 16 + 36 * 10 + 10);
    CHECK_EQ(b.model->n_trainable_params, 4 * 9 + 4 + 8 + 36 * 10 + 10);
    CHECK_EQ(b.model->n_groups, 4);
    CHECK_STR(b.model->groups[0], "vars");
    CHECK_STR(b.model->groups[3], "layers/dropout/vars");
    CHECK_EQ(b.model->outputs[0].shape.dim[0], 10);
    CHECK_STR(b.model->outputs[0].name, "dense");
    drop(&b);
}

static void test_shapes_the_data_knows_fill_open_inputs(void)
{
    struct built b = build("{\"layers\": [{\"class\": \"Dense\", \"units\": 3}]}", NULL);
    CHECK(!b.model);
    CHECK_HAS(b.err.text, "the shape of input 'input_layer' is not known");
    drop(&b);
    struct shape input = SHAPE(5);
    b = build("{\"layers\": [{\"class\": \"Dense\", \"units\": 3}]}", &input);
    CHECK(b.model && b.model->variables[0]->shape.dim[0] == 5);
    json_t *keras = model_to_keras(b.model);
    char *text = js_text(keras, 0);
    CHECK_HAS(text, "\"batch_shape\": [null, 5]");
    free(text);
    json_decref(keras);
    drop(&b);
}

static void test_freezing_follows_patterns_and_nested_models(void)
{
    struct built b =
        build("{\"layers\": [{\"class\": \"InputLayer\", \"shape\": [4]}, {\"class\": \"Sequential\", \"name\": "
              "\"base\", \"layers\":"
              "[{\"class\": \"Dense\", \"units\": 3, \"name\": \"d\"}, {\"class\": \"BatchNormalization\"}]},"
              "{\"class\": \"Dense\", \"units\": 2, \"trainable\": false}, {\"class\": \"Dense\", \"units\": 1, "
              "\"name\": \"head\"}]}",
              NULL);
    CHECK(b.model && b.model->n_trainable == 6);
    if (!b.model)
        return;
    CHECK_STR(b.model->variables[0]->h5_path, "layers/sequential/layers/dense/vars/0");
    CHECK_STR(b.model->variables[0]->path, "base/d/kernel");
    CHECK_EQ(model_freeze(b.model, "base/d"), 1);
    CHECK_EQ(b.model->n_trainable, 4);
    CHECK_EQ(model_freeze(b.model, "base"), 3);
    CHECK_EQ(b.model->n_trainable, 2);
    CHECK_EQ(model_freeze(b.model, "nothing*"), 0);
    CHECK_STR(b.model->trainable[0]->path, "head/kernel");
    json_t *keras = model_to_keras(b.model);
    char *text = js_text(keras, 0);
    int frozen = 0;
    for (const char *p = text; (p = strstr(p, "\"trainable\": false")); p++)
        frozen++;
    CHECK_EQ(frozen, 3);
    free(text);
    json_decref(keras);
    drop(&b);
}

static void test_a_frozen_wrapper_freezes_what_it_wraps(void)
{
    struct built b = build(
        "{\"layers\": [{\"class\": \"InputLayer\", \"shape\": [5, 4]}, {\"class\": \"Bidirectional\", \"name\": "
        "\"both\", "
        "\"layer\": {\"class\": \"RNN\", \"cell\": [{\"class\": \"LSTMCell\", \"units\": 3}, {\"class\": \"GRUCell\", "
        "\"units\": 2}]}}, {\"class\": \"Dense\", \"units\": 1}]}",
        NULL);
    CHECK(b.model && b.model->n_trainable == 14);
    if (!b.model)
        return;
    CHECK_STR(b.model->variables[3]->h5_path, "layers/bidirectional/forward_layer/cell/cells/gru_cell/vars/0");
    CHECK_STR(b.model->variables[11]->path, "both/backward_rnn/stacked_rnn_cells/gru_cell/bias");
    json_t *rows = model_describe(b.model);
    CHECK_EQ(json_array_size(rows), 3);
    CHECK_EQ(json_integer_value(json_object_get(json_array_get(rows, 1), "params")), 2 * (12 * 7 + 12 + 6 * 5 + 12));
    json_decref(rows);
    CHECK(model_freeze(b.model, "both") > 0);
    CHECK_EQ(b.model->n_trainable, 2);
    json_t *keras = model_to_keras(b.model);
    char *text = js_text(keras, 0);
    int frozen = 0;
    for (const char *p = text; (p = strstr(p, "\"trainable\": false")); p++)
        frozen++;
    CHECK_EQ(frozen, 4); /* the wrapper, its layer and both cells */
    free(text);
    json_decref(keras);
    drop(&b);
}

static const char *graph_of(struct built *b, enum model_mode mode, struct value **outputs, struct graph **g,
                            struct value **penalty)
{
    static char text[16384];
    struct str out = {0};
    *g = graph_new();
    struct value *inputs[4];
    for (int i = 0; i < b->model->n_inputs; i++) {
        struct shape shape = {.rank = b->model->inputs[i].shape.rank + 1, .dim = {2}};
        memcpy(shape.dim + 1, b->model->inputs[i].shape.dim, 7 * sizeof(int64_t));
        inputs[i] = op_input(*g, "x", b->model->inputs[i].dtype, shape);
    }
    struct value *step = mode == MODE_TRAIN ? op_input(*g, "step", DTYPE_I32, (struct shape){0}) : NULL;
    CHECK_OK(model_lower(b->model, *g, 2, mode, inputs, step, outputs, penalty), (*g)->error);
    graph_write(&out, *g);
    snprintf(text, sizeof text, "%s", str_text(&out));
    str_release(&out);
    return text;
}

static void test_training_updates_moving_averages_and_inference_does_not(void)
{
    struct built b = build(CNN, NULL);
    struct value *outputs[1], *penalty;
    struct graph *g;
    CHECK(b.model);
    const char *text = graph_of(&b, MODE_TRAIN, outputs, &g, &penalty);
    CHECK_EQ(g->n_assigns, 2);
    CHECK(strstr(text, "dropout") && strstr(text, "batch_norm"));
    CHECK(!penalty);
    struct value *logits = model_logits(b.model, g, 0);
    CHECK(logits && logits->node->op == OP_MAP && outputs[0]->node->op == OP_SOFTMAX);
    graph_free(g);
    text = graph_of(&b, MODE_INFER, outputs, &g, &penalty);
    CHECK_EQ(g->n_assigns, 0);
    graph_free(g);
    model_freeze(b.model, "batch*");
    graph_of(&b, MODE_TRAIN, outputs, &g, &penalty);
    CHECK_EQ(g->n_assigns, 0);
    graph_free(g);
    drop(&b);
}

static void test_sigmoid_outputs_have_logits_and_linear_ones_have_none(void)
{
    struct value *outputs[2], *penalty;
    struct graph *g;
    struct built b = build(
        "{\"layers\": [{\"class\": \"InputLayer\", \"shape\": [3], \"name\": \"x\"}, {\"class\": \"Dense\", \"units\": "
        "1, \"name\": \"a\"},"
        "{\"class\": \"Activation\", \"activation\": \"sigmoid\", \"name\": \"b\"}], \"outputs\": [\"a\", \"b\"]}",
        NULL);
    CHECK(b.model);
    graph_of(&b, MODE_INFER, outputs, &g, &penalty);
    CHECK(model_logits(b.model, g, 0) == NULL);
    CHECK(model_logits(b.model, g, 1) == outputs[0]);
    graph_free(g);
    drop(&b);
}

static void test_penalties_cover_trainable_weights_once_and_activities_per_call(void)
{
    struct value *outputs[1], *penalty;
    struct graph *g;
    struct built b = build("{\"layers\": [{\"class\": \"InputLayer\", \"shape\": [3], \"name\": \"x\"}, {\"class\": "
                           "\"Dense\", \"units\": 3, \"name\": \"a\","
                           "\"kernel_regularizer\": \"l2\", \"activity_regularizer\": \"l1\", \"kernel_constraint\": "
                           "\"non_neg\", \"inputs\": [[\"x\"], [\"a\"]]}]}",
                           NULL);
    CHECK(b.model);
    const char *text = graph_of(&b, MODE_INFER, outputs, &g, &penalty);
    CHECK(penalty && penalty->shape.rank == 0);
    int sums = 0;
    for (int i = 0; i < g->n_nodes; i++)
        sums += g->nodes[i]->op == OP_REDUCE;
    CHECK_EQ(sums, 3);
    CHECK(strlen(text) > 0);
    struct value *kernel = op_variable(g, b.model->trainable[0]);
    CHECK(model_constrain(b.model, g, b.model->trainable[0], kernel) != kernel);
    CHECK(model_constrain(b.model, g, b.model->trainable[1], kernel) == kernel);
    graph_free(g);
    drop(&b);
}

#define IN4 "{\"layers\": [{\"class\": \"InputLayer\", \"name\": \"x\", \"shape\": [4]}, "
#define TWO_OUTPUTS                                                                                                    \
    "{\"class\": \"Functional\", \"layers\": [{\"class\": \"InputLayer\", \"name\": \"i\", \"shape\": [4]}, "          \
    "{\"class\": "                                                                                                     \
    "\"Dense\", \"units\": 1, \"inputs\": [\"i\"]}, {\"class\": \"Dense\", \"units\": 1, \"inputs\": [\"i\"]}]}"
#define IN54 "{\"layers\": [{\"class\": \"InputLayer\", \"name\": \"x\", \"shape\": [5, 4]}, "
#define IN883 "{\"layers\": [{\"class\": \"InputLayer\", \"name\": \"x\", \"shape\": [8, 8, 3]}, "

static void test_wrong_layers_are_refused_with_place_found_and_expected(void)
{
    static const char *const cases[][2] = {
        {IN4 "{\"class\": \"Dense\", \"units\": 3, \"activation\": {\"class\": \"relu\", \"max\": 1}}]}",
         "activation.max: relu has no argument 'max'"},
        {IN4 "{\"class\": \"Dense\", \"units\": 3, \"activation\": {\"class\": \"ReLU\", \"max_value\": \"x\"}}]}",
         "activation.max_value: max_value of ReLU must be a number"},
        {IN4 "{\"class\": \"Dense\", \"units\": 3, \"kernel_initializer\": {\"class\": \"zeros\", \"x\": 1}}]}",
         "model.layers[1].kernel_initializer.x: Zeros has no argument 'x'"},
        {IN4 "{\"class\": \"Dense\", \"units\": 3, \"trainable\": 5}]}",
         "model.layers[1].trainable: expected true or false, found integer"},
        {IN4 "{\"class\": \"Dens\", \"units\": 3}]}",
         "model.layers[1]: layer 'dens' has the unknown class 'Dens', did you mean 'Dense'?"},
        {IN4 "{\"class\": \"ConvLSTM1D\", \"filters\": 3}]}",
         "layer 'conv_lstm1d' is a ConvLSTM1D of Keras, which antler cannot run"},
        {IN4 "{\"class\": \"LSTM\", \"units\": 3}]}", "each sample must have the shape (steps, features), found (4,)"},
        {IN54 "{\"class\": \"GRU\", \"units\": 3, \"stateful\": true}]}", "stateful=true is not possible"},
        {IN54 "{\"class\": \"LSTM\", \"units\": 3, \"return_state\": true}]}",
         "a layer inside a Sequential must have one output, it has 3"},
        {IN54 "{\"class\": \"RNN\", \"cell\": {\"class\": \"Dense\", \"units\": 3}}]}",
         "a cell must be a LSTMCell, GRUCell, SimpleRNNCell or StackedRNNCells, found Dense"},
        {IN54 "{\"class\": \"TimeDistributed\", \"layer\": 3}]}", "'layer' must be a layer, found"},
        {IN54 "{\"class\": \"TimeDistributed\", \"layer\": " TWO_OUTPUTS "}]}",
         "the layer inside must have one output"},
        {IN54 "{\"class\": \"RNN\", \"cell\": " TWO_OUTPUTS "}]}", "a cell must be a LSTMCell, GRUCell"},
        {IN54 "{\"class\": \"TimeDistributed\", \"layer\": {\"class\": \"GRUCell\", \"units\": 3}}]}",
         "the layer inside must have one output"},
        {IN54 "{\"class\": \"TimeDistributed\", \"layer\": {\"class\": \"Dense\", \"unit\": 3}}]}",
         "model.layers[1].layer"},
        {IN54 "{\"class\": \"Bidirectional\", \"layer\": {\"class\": \"Dense\", \"units\": 3}}]}",
         "must be a recurrent layer, found Dense"},
        {IN54 "{\"class\": \"Bidirectional\", \"layer\": {\"class\": \"LSTM\", \"units\": 3}, \"backward_layer\": "
              "{\"class\": \"LSTM\", \"units\": 3}}]}",
         "go_backwards must differ"},
        {IN4 "{\"class\": \"Lambda\", \"function\": \"x\"}]}",
         "is a Lambda, which contains Python code; antler never runs code from a file"},
        {IN4 "{\"class\": \"Dense\", \"unit\": 3}]}",
         "model.layers[1].unit: Dense has no argument 'unit', did you mean 'units'?"},
        {IN4 "{\"class\": \"Dense\", \"units\": -3}]}", "units of Dense must be between 1"},
        {IN4 "{\"class\": \"Dense\", \"units\": 3, \"activation\": \"rleu\"}]}",
         "model.layers[1].activation: unknown activation 'rleu', did you mean 'relu'?"},
        {IN4 "{\"class\": \"Dense\", \"units\": 3, \"activation\": {\"expression\": \"x *\"}}]}",
         "model.layers[1].activation"},
        {IN4 "{\"class\": \"Dense\", \"units\": 3, \"kernel_initializer\": \"he_uniorm\"}]}",
         "did you mean 'HeUniform'?"},
        {IN4 "{\"class\": \"Dense\", \"units\": 3, \"kernel_regularizer\": \"l3\"}]}",
         "model.layers[1].kernel_regularizer: unknown regularizer 'l3'"},
        {IN4 "{\"class\": \"Dense\", \"units\": 3, \"kernel_constraint\": {\"class\": \"MaxNrm\"}}]}",
         "did you mean 'MaxNorm'?"},
        {IN4 "{\"class\": \"Dense\", \"units\": 3, \"dtype\": \"float16\"}]}",
         "dtype 'float16' is not possible: the policies are float32 and mixed_bfloat16"},
        {IN4 "{\"class\": \"Conv2D\", \"filters\": 3, \"kernel_size\": 3}]}",
         "each sample must have the shape (height, width, channels), found (4,)"},
        {IN883 "{\"class\": \"Conv2D\", \"filters\": 3, \"kernel_size\": 9}]}",
         "a window of 9 does not fit an input of 8"},
        {IN883 "{\"class\": \"Conv2D\", \"filters\": 4, \"kernel_size\": 3, \"groups\": 2}]}",
         "groups 2 must divide the channels of the input (3)"},
        {IN883 "{\"class\": \"Conv2D\", \"filters\": 4, \"kernel_size\": [3, 3, 3]}]}",
         "kernel_size must be one integer or 2, found 3"},
        {IN883 "{\"class\": \"Conv2D\", \"filters\": 4, \"kernel_size\": 3, \"padding\": \"causal\"}]}",
         "must be one of valid|same"},
        {IN883 "{\"class\": \"Conv2D\", \"filters\": 4, \"kernel_size\": 3, \"strides\": 2, \"dilation_rate\": 2}]}",
         "cannot be used together"},
        {IN883 "{\"class\": \"MaxPooling2D\", \"data_format\": \"channels_first\"}]}",
         "data_format must be channels_last"},
        {IN883 "{\"class\": \"Reshape\", \"target_shape\": [5, -1]}]}",
         "an input of shape (8, 8, 3) (192 numbers) cannot be reshaped to (5, -1)"},
        {IN883 "{\"class\": \"Permute\", \"dims\": [1, 2]}]}", "dims must name all 3 axes"},
        {IN883 "{\"class\": \"Permute\", \"dims\": [1, 2, 2]}]}", "must be a permutation of 1 to 3"},
        {IN883 "{\"class\": \"ZeroPadding2D\", \"padding\": [1, -1]}]}", "padding must be an integer"},
        {IN883 "{\"class\": \"Cropping2D\", \"cropping\": 4}]}", "cropping leaves nothing of axis 1 of size 8"},
        {IN883 "{\"class\": \"BatchNormalization\", \"axis\": 4}]}", "axis 4 is not inside an input of 3 dimensions"},
        {IN883 "{\"class\": \"Dropout\", \"rate\": 1}]}", "rate of Dropout must be between 0"},
        {IN4
         "{\"class\": \"Dense\", \"units\": 3, \"name\": \"a\"}, {\"class\": \"Add\", \"inputs\": [\"x\", \"a\"]}]}",
         "input 0 of shape (4,) and input 1 of shape (3,) cannot be merged"},
        {IN4 "{\"class\": \"Add\", \"inputs\": [\"x\"]}]}", "it merges at least 2 inputs, found 1"},
        {IN4 "{\"class\": \"Dense\", \"units\": 3, \"inputs\": [\"x\", \"x\"]}]}", "it takes 1 to 1 inputs, found 2"},
        {IN4 "{\"class\": \"Dense\", \"units\": 3, \"call\": {\"mask\": 1}}]}", "it has no call argument 'mask'"},
        {IN4 "{\"class\": \"Dense\", \"units\": 3, \"inputs\": [[\"x\"], [\"dense\"]]}]}", "call 1 of 'dense'"},
        {IN4 "{\"class\": \"Expression\", \"expression\": \"x * s\", \"weights\": {\"s\": {\"shape\": [3]}}}]}",
         "weight 's' of shape (3,) does not broadcast with an input of (4,)"},
        {IN4 "{\"class\": \"Expression\", \"expression\": \"x * q\"}]}", "model.layers[1].expression"},
        {IN4 "{\"class\": \"Sequential\", \"layer\": 3, \"layers\": [{\"class\": \"Dense\", \"units\": 2}]}]}",
         "Sequential has no argument 'layer', did you mean 'layers'?"},
        {"{\"layers\": [{\"class\": \"InputLayer\", \"shape\": [4, null]}, {\"class\": \"Flatten\"}]}",
         "dimension 2 of input 'input_layer' is open"},
        {"{\"layers\": [{\"class\": \"InputLayer\", \"shape\": [0]}, {\"class\": \"Flatten\"}]}",
         "dimension 1 of input 'input_layer' must be a size of at least 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct built b = build(cases[i][0], NULL);
        if (b.model)
            CHECK_FAIL("case %zu was accepted: %s", i, cases[i][0]);
        else
            CHECK_HAS(b.err.text, cases[i][1]);
        drop(&b);
    }
}

static void test_every_class_describes_its_arguments(void)
{
    json_t *all = layers_describe();
    static const char *const kinds[] = {"layers", "activations", "initializers", "regularizers", "constraints"};
    static const size_t at_least[] = {60, 30, 15, 4, 4};
    for (int k = 0; k < 5; k++) {
        json_t *list = json_object_get(all, kinds[k]), *row;
        size_t i;
        CHECK(json_array_size(list) >= at_least[k]);
        json_array_foreach(list, i, row) {
            CHECK(*js_string(row, "name", "") && *js_string(row, "help", ""));
            size_t n;
            json_t *argument;
            json_array_foreach(json_object_get(row, "arguments"), n, argument)
                CHECK(*js_string(argument, "help", ""));
        }
    }
    json_decref(all);
}

static void test_a_model_is_described_layer_by_layer(void)
{
    struct built b = build(CNN, NULL);
    json_t *layers = model_describe(b.model);
    CHECK_EQ(json_array_size(layers), 7);
    CHECK_STR(js_string(json_array_get(layers, 1), "class", ""), "Conv2D");
    CHECK_EQ(js_int(json_array_get(layers, 1), "params", 0), 40);
    CHECK_EQ(json_integer_value(json_array_get(json_object_get(json_array_get(layers, 3), "output_shape"), 1)), 3);
    json_decref(layers);
    drop(&b);
}

int main(void)
{
    RUN(test_variables_stand_in_keras_order_with_keras_paths);
    RUN(test_shapes_the_data_knows_fill_open_inputs);
    RUN(test_freezing_follows_patterns_and_nested_models);
    RUN(test_a_frozen_wrapper_freezes_what_it_wraps);
    RUN(test_training_updates_moving_averages_and_inference_does_not);
    RUN(test_sigmoid_outputs_have_logits_and_linear_ones_have_none);
    RUN(test_penalties_cover_trainable_weights_once_and_activities_per_call);
    RUN(test_wrong_layers_are_refused_with_place_found_and_expected);
    RUN(test_every_class_describes_its_arguments);
    RUN(test_a_model_is_described_layer_by_layer);
    return check_done();
}
