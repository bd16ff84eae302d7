/* model_spec: Keras' order of layers, both ways of writing a model, and what is refused. Order against real Keras:
 * keras/test_layers.py */
#include "base/arena.h"
#include "persistence/keras/model_spec.h"
#include "tests/check.h"

static struct model_spec *read_spec(const char *text, bool keras, struct err *err)
{
    *err = (struct err){0};
    json_t *json = js_parse(text, strlen(text), "test", 0, err);
    CHECK(json);
    struct model_spec *spec =
        keras ? model_spec_from_keras(json, "config.json", err) : model_spec_from_layers(json, "model", err);
    json_decref(json);
    return spec;
}

/* "x q p s": names in Keras' order; or the message. */
static const char *order_of(const char *text, bool keras)
{
    static char line[4096];
    struct err err;
    struct model_spec *spec = read_spec(text, keras, &err);
    line[0] = 0;
    if (!spec)
        snprintf(line, sizeof line, "%s", err.text);
    for (int i = 0; spec && i < spec->n_layers; i++)
        snprintf(line + strlen(line), sizeof line - strlen(line), "%s%s", i ? " " : "", spec->layers[i].name);
    model_spec_free(spec);
    return line;
}

#define KT(name)                                                                                                       \
    "{\"class_name\":\"__keras_tensor__\",\"config\":{\"shape\":[null,4],\"dtype\":\"float32\",\"keras_history\":["    \
    "\"" name "\",0,0]}}"
#define NODE(name) "\"inbound_nodes\":[{\"args\":[" KT(name) "],\"kwargs\":{}}]"
#define INPUT                                                                                                          \
    "{\"class_name\":\"InputLayer\",\"name\":\"x\",\"config\":{\"batch_shape\":[null,4],\"name\":\"x\"},\"inbound_"    \
    "nodes\":[]}"
#define DENSE(name, from)                                                                                              \
    "{\"class_name\":\"Dense\",\"name\":\"" name "\",\"config\":{\"name\":\"" name "\",\"units\":3}," NODE(from) "}"
#define SWAPPED                                                                                                        \
    "{\"class_name\":\"Functional\",\"config\":{\"name\":\"m\",\"layers\":[" INPUT "," DENSE("p", "x") "," DENSE(      \
        "q", "x") ","                                                                                                  \
                  "{\"class_name\":\"Add\",\"name\":\"s\",\"config\":{\"name\":\"s\"},\"inbound_nodes\":[{\"args\":["  \
                  "[" KT("q") "," KT(                                                                                  \
                      "p") "]],\"kwargs\":{}}]}],\"input_layers\":[[\"x\",0,0]],\"output_layers\":[\"s\",0,0]}}"

static void test_layers_that_the_config_lists_in_another_order_are_sorted(void)
{
    struct err err;
    CHECK_STR(order_of(SWAPPED, true), "x q p s");
    struct model_spec *spec = read_spec(SWAPPED, true, &err);
    CHECK(spec);
    if (!spec)
        return;
    CHECK_STR(spec->layers[1].h5_group, "dense");
    CHECK_STR(spec->layers[2].h5_group, "dense_1");
    CHECK_STR(spec->layers[1].where, "config.json.layers[2]");
    CHECK_STR(spec->output_names[0], "s");
    CHECK_EQ(spec->layers[3].calls[0].inputs[0].layer, 1);
    CHECK_EQ(spec->order[0].layer, 0);
    model_spec_free(spec);
}

static void test_the_short_form_makes_sequential_and_functional_models(void)
{
    struct err err;
    struct model_spec *spec = read_spec(
        "{\"layers\": [{\"class\": \"Dense\", \"units\": 3}, {\"class\": \"Dense\", \"units\": 2}]}", false, &err);
    CHECK(spec && spec->sequential && spec->n_layers == 3);
    CHECK_STR(spec->layers[0].name, "input_layer");
    CHECK_STR(spec->layers[2].name, "dense_1");
    CHECK_STR(spec->layers[2].h5_group, "dense_1");
    CHECK(!spec->layers[0].h5_group);
    CHECK_STR(spec->layers[1].where, "model.layers[0]");
    model_spec_free(spec);
    const char *shared =
        "{\"layers\": [{\"class\": \"InputLayer\", \"name\": \"a\", \"shape\": [4]},"
        "{\"class\": \"InputLayer\", \"name\": \"b\", \"shape\": [4]},"
        "{\"class\": \"Dense\", \"units\": 3, \"name\": \"d\", \"inputs\": [[\"a\"], [\"b\"]]},"
        "{\"class\": \"Add\", \"name\": \"s\", \"inputs\": [\"d\", \"d:1\"]}, {\"class\": \"Dense\", \"units\": 1}]}";
    spec = read_spec(shared, false, &err);
    CHECK(spec && !spec->sequential && spec->n_inputs == 2 && spec->n_outputs == 1);
    if (!spec)
        return;
    CHECK_STR(spec->output_names[0], "dense");
    CHECK_EQ(spec->n_order, 6);
    model_spec_free(spec);
    CHECK_STR(order_of(shared, false), "a b d s dense");
}

static void test_outputs_can_be_named_and_default_to_what_nobody_consumes(void)
{
    const char *two = "{\"layers\": [{\"class\": \"Dense\", \"name\": \"a\", \"units\": 3},"
                      "{\"class\": \"Dense\", \"name\": \"b\", \"units\": 3, \"inputs\": [\"a\"]},"
                      "{\"class\": \"Dense\", \"name\": \"c\", \"units\": 3, \"inputs\": [\"a\"]}]}";
    struct err err;
    struct model_spec *spec = read_spec(two, false, &err);
    CHECK(spec && spec->n_outputs == 2);
    model_spec_free(spec);
    CHECK_STR(order_of("{\"outputs\": [\"b\"], \"layers\": [{\"class\": \"Dense\", \"name\": \"a\", \"units\": 3},"
                       "{\"class\": \"Dense\", \"name\": \"b\", \"units\": 3}, {\"class\": \"Dense\", \"name\": \"c\", "
                       "\"units\": 3}]}",
                       false),
              "model.layers[2]: layer 'c' leads to no output of the model");
}

static void test_class_names_become_keras_group_names(void)
{
    static const char *const pairs[][2] = {
        {"Dense", "dense"},
        {"Conv2D", "conv2d"},
        {"MaxPooling2D", "max_pooling2d"},
        {"BatchNormalization", "batch_normalization"},
        {"PReLU", "p_re_lu"},
        {"LeakyReLU", "leaky_re_lu"},
        {"ReLU", "re_lu"},
        {"GlobalAveragePooling2D", "global_average_pooling2d"},
        {"LSTM", "lstm"},
        {"SimpleRNN", "simple_rnn"},
        {"ConvLSTM2D", "conv_lstm2d"},
        {"RMSNormalization", "rms_normalization"},
        {"UpSampling2D", "up_sampling2d"},
        {"ELU", "elu"},
        {"STFTSpectrogram", "stft_spectrogram"},
        {"InputLayer", "input_layer"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char *snake = keras_snake_name(pairs[i][0]);
        CHECK_STR(snake, pairs[i][1]);
        free(snake);
    }
    CHECK_STR(keras_canonical_class("MaxPool2D"), "MaxPooling2D");
    CHECK_STR(keras_canonical_class("Model"), "Functional");
}

static void test_wrong_models_are_refused_with_their_place(void)
{
    static const struct {
        bool keras;
        const char *text, *message;
    } cases[] = {
        {false, "{}", "model.layers: must be a list of layers, found nothing"},
        {false, "{\"layers\": []}", "found an empty list"},
        {false, "{\"layers\": [3]}", "model.layers[0]: a layer must be an object with a \"class\", found integer"},
        {false, "{\"layers\": [{\"class\": \"Dense\", \"name\": 3}]}", "model.layers[0].name: must be a string"},
        {false, "{\"layers\": [{\"class\": \"Dense\", \"name\": \"a\"}, {\"class\": \"Dense\", \"name\": \"a\"}]}",
         "the name 'a' is used twice, also by layers[0]"},
        {false, "{\"layers\": [{\"class\": \"Dense\", \"name\": \"a/b\"}]}", "must not be empty or contain '/'"},
        {false,
         "{\"layers\": [{\"class\": \"Dense\", \"name\": \"first\"}, {\"class\": \"Dense\", \"inputs\": [\"frist\"]}]}",
         "model.layers[1].inputs: there is no layer 'frist', did you mean 'first'?"},
        {false,
         "{\"layers\": [{\"class\": \"Dense\", \"name\": \"a\", \"inputs\": [\"b\"]}, {\"class\": \"Dense\", \"name\": "
         "\"b\", \"inputs\": [\"a\"]}]}",
         "has no"},
        {false,
         "{\"outputs\": [\"a\"], \"layers\": [{\"class\": \"InputLayer\"}, {\"class\": \"Dense\", \"name\": \"a\", "
         "\"inputs\": [\"b\"]}, {\"class\": \"Dense\", \"name\": \"b\", \"inputs\": [\"a\"]}]}",
         "layer 'a' is part of a cycle"},
        {false, "{\"layers\": [{\"class\": \"Dense\", \"name\": \"a\", \"inputs\": [\"a\"]}]}", "has no"},
        {false,
         "{\"outputs\": [\"a:1\"], \"layers\": [{\"class\": \"InputLayer\"}, {\"class\": \"Dense\", \"name\": \"a\"}]}",
         "wants call 1 of 'a', which is called 1 times"},
        {false, "{\"layers\": [{\"class\": \"InputLayer\", \"inputs\": [\"a\"]}]}", "an InputLayer has no inputs"},
        {true, "3", "config.json: a model must be an object"},
        {true,
         "{\"class_name\": \"Functional\", \"config\": {\"layers\": [" INPUT
         "], \"input_layers\": [[\"x\", 0, 0]], \"output_layers\": [[\"x\", 0, 1]]}}",
         "wants output 1 of 'x', which has 1"},
        {true, "{\"class_name\": \"MyModel\", \"config\": {}}",
         "the model is a 'MyModel' without layers in its config"},
        {true, "{\"class_name\": \"Sequential\", \"config\": {\"layers\": []}}", "a Sequential without layers"},
        {true, "{\"class_name\": \"Sequential\", \"config\": {\"layers\": [{\"config\": {}}]}}",
         "config.json.layers[0]: a layer must be an object with \"class_name\""},
        {true,
         "{\"class_name\": \"Sequential\", \"config\": {\"layers\": [{\"class_name\": \"Dense\", \"config\": []}]}}",
         "the config of Dense must be an object, found array"},
        {true,
         "{\"class_name\": \"Model\", \"config\": {\"layers\": [" INPUT
         "], \"input_layers\": [[\"x\",0,0]], \"output_layers\": [[\"y\",0,0]]}}",
         "refers to layer 'y', which the model does not have"},
        {true,
         "{\"class_name\": \"Model\", \"config\": {\"layers\": [" INPUT
         "], \"input_layers\": [[\"x\",0,0]], \"output_layers\": 7}}",
         "config.json.output_layers: expected [layer name, call, output]"},
        {true,
         "{\"class_name\": \"Model\", \"config\": {\"layers\": [" INPUT
         "," DENSE("p", "zz") "], \"input_layers\": [[\"x\",0,0]], \"output_layers\": [[\"p\",0,0]]}}",
         "refers to layer 'zz'"},
        {true,
         "{\"class_name\": \"Model\", \"config\": {\"layers\": [" INPUT
         "," DENSE("p", "p") "], \"input_layers\": [[\"x\",0,0]], \"output_layers\": [[\"p\",0,0]]}}",
         "layer 'p' is part of a cycle"},
        {true,
         "{\"class_name\": \"Model\", \"config\": {\"layers\": [" INPUT
         "," DENSE("p", "x") "], \"input_layers\": [[\"p\",0,0]], \"output_layers\": [[\"p\",0,0]]}}",
         "input 'p' is a Dense, an InputLayer is needed"},
        {true,
         "{\"class_name\": \"Model\", \"config\": {\"layers\": [" INPUT
         "," DENSE("p", "x") "], \"input_layers\": [], \"output_layers\": [[\"p\",0,0]]}}",
         "the model has no inputs"},
        {true,
         "{\"class_name\": \"Model\", \"config\": {\"layers\": [" INPUT
         "," DENSE("p", "x") "], \"input_layers\": [[\"x\",0,0]], \"output_layers\": [[\"p\",3,0]]}}",
         "wants call 3 of 'p'"},
        {true,
         "{\"class_name\": \"Model\", \"config\": {\"layers\": [" INPUT
         "," DENSE("p", "x") "], \"input_layers\": [[\"x\",0,0]], \"output_layers\": [[\"p\",0,99]]}}",
         "wants output 99 of 'p', which has at most 16"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_HAS(order_of(cases[i].text, cases[i].keras), cases[i].message);
}

static void test_a_call_by_name_takes_64_tensors_and_no_more(void)
{
    for (int n = 64; n <= 66; n++) {
        struct str text = {0};
        str_add(&text, "{\"layers\": [{\"class\": \"Input\", \"name\": \"x\", \"shape\": [4]}, "
                       "{\"class\": \"Dense\", \"name\": \"d\", \"units\": 3, \"inputs\": {\"inputs\": [\"x\"");
        for (int i = 1; i < n; i++)
            str_add(&text, ", \"x\"");
        str_add(&text, "]}}]}");
        if (n == 64)
            CHECK_STR(order_of(str_text(&text), false), "x d");
        else
            CHECK_HAS(order_of(str_text(&text), false), "model.layers[1].inputs: more than 64 tensors");
        str_release(&text);
    }
}

static void test_a_hundred_thousand_layers_are_read_and_more_are_refused(void)
{
    struct err err = {0};
    json_t *layers = json_array();
    for (int i = 0; i < 99999; i++)
        json_array_append_new(layers, json_pack("{s:s}", "class", i % 3 ? "Dense" : "Dropout"));
    json_t *model = json_pack("{s:o}", "layers", layers);
    struct model_spec *spec = model_spec_from_layers(model, "model", &err);
    CHECK(spec && spec->n_layers == 100000);
    if (spec)
        CHECK_STR(spec->layers[99999].h5_group, "dense_66665");
    model_spec_free(spec);
    for (int i = 0; i < 3; i++)
        json_array_append_new(layers, json_pack("{s:s}", "class", "Dense"));
    CHECK(!model_spec_from_layers(model, "model", &err));
    CHECK_HAS(err.text, "more than 100000 layers");
    json_decref(model);
}

static void test_a_chain_of_references_in_reverse_order_needs_no_recursion(void)
{
    struct err err = {0};
    json_t *layers = json_array();
    enum { N = 50000 };
    for (int i = 0; i < N; i++) {
        char name[16], from[16];
        snprintf(name, sizeof name, "l%d", i);
        snprintf(from, sizeof from, i == N - 1 ? "x" : "l%d", i + 1);
        json_array_append_new(layers, json_pack("{s:s, s:s, s:[s]}", "class", "Dense", "name", name, "inputs", from));
    }
    json_array_append_new(layers, json_pack("{s:s, s:s}", "class", "InputLayer", "name", "x"));
    json_t *model = json_pack("{s:o}", "layers", layers);
    struct model_spec *spec = model_spec_from_layers(model, "model", &err);
    CHECK(spec && spec->n_layers == N + 1);
    if (spec) {
        CHECK_STR(spec->layers[1].name, "l49999");
        CHECK_STR(spec->layers[N].name, "l0");
    }
    model_spec_free(spec);
    json_decref(model);
}

static void test_deep_nesting_is_refused(void)
{
    struct err err = {0};
    json_t *model = json_pack("{s:s, s:[{s:s}]}", "class", "Sequential", "layers", "class", "Dense");
    for (int i = 0; i < 40; i++)
        model = json_pack("{s:s, s:[o]}", "class", "Sequential", "layers", model);
    CHECK(!model_spec_from_layers(model, "model", &err));
    CHECK_HAS(err.text, "models are nested deeper than 16");
    json_decref(model);
}

static char *rewrite(const char *text, bool keras)
{
    struct err err;
    struct model_spec *spec = read_spec(text, keras, &err);
    CHECK(spec);
    json_t *json = spec ? model_spec_to_keras(spec) : NULL;
    char *out = js_text(json, 0);
    json_decref(json);
    model_spec_free(spec);
    return out;
}

static void test_unknown_parts_of_a_file_are_kept_and_newer_defaults_dropped(void)
{
    char *text = rewrite("{\"module\":\"keras\",\"class_name\":\"Sequential\",\"mine\":[1],\"config\":{\"name\":\"s\","
                         "\"theirs\":{\"a\":1.5},\"layers\":["
                         "{\"module\":\"keras.layers\",\"class_name\":\"InputLayer\",\"config\":{\"batch_shape\":[null,"
                         "4],\"name\":\"i\",\"ragged\":false}},"
                         "{\"module\":\"keras.layers\",\"class_name\":\"Dense\",\"build_config\":{\"input_shape\":["
                         "null,4]},\"config\":{\"name\":\"d\",\"units\":3,"
                         "\"odd\":7,\"quantization_config\":null,\"dtype\":{\"module\":\"keras\",\"class_name\":"
                         "\"DTypePolicy\",\"config\":{\"name\":\"float32\"}}}}]}}",
                         true);
    CHECK_HAS(text, "\"mine\": [1]");
    CHECK_HAS(text, "\"theirs\": {\"a\": 1.5}");
    CHECK_HAS(text, "\"odd\": 7");
    CHECK_HAS(text, "\"build_config\": {\"input_shape\": [null, 4]}");
    CHECK_HAS(text, "\"dtype\": \"float32\"");
    CHECK(!strstr(text, "quantization_config") && !strstr(text, "ragged"));
    free(text);
}

static void test_the_short_form_is_written_as_keras_envelopes(void)
{
    char *text = rewrite(
        "{\"name\": \"m\", \"layers\": [{\"class\": \"InputLayer\", \"shape\": [4], \"name\": \"x\"}, {\"class\": "
        "\"Dense\", \"name\": \"d\", \"units\": 3,"
        "\"kernel_regularizer\": {\"class\": \"L2\", \"l2\": 0.5}, \"activation\": {\"expression\": \"x * relu(x)\"}},"
        "{\"class\": \"Add\", \"name\": \"a\", \"inputs\": [\"x\", \"d\"]}]}",
        false);
    CHECK_HAS(text, "\"class_name\": \"Model\"");
    CHECK_HAS(text, "\"kernel_regularizer\": {\"module\": \"keras.regularizers\", \"class_name\": \"L2\", \"config\": "
                    "{\"l2\": 0.5}, \"registered_name\": null}");
    CHECK_HAS(text, "\"activation\": {\"module\": \"antler\", \"class_name\": \"Expression\", \"config\": "
                    "{\"expression\": \"x * relu(x)\"}, \"registered_name\": \"antler>Expression\"}");
    CHECK_HAS(text, "\"batch_shape\": [null, 4]");
    CHECK_HAS(text, "\"output_layers\": [[\"a\", 0, 0]]");
    CHECK_HAS(text, "\"keras_history\": [\"d\", 0, 0]");
    free(text);
    text = rewrite(SWAPPED, true);
    CHECK_HAS(text, "\"output_layers\": [[\"s\", 0, 0]]");
    free(text);
}

static void test_what_is_written_reads_back_the_same(void)
{
    const char *shared = "{\"layers\": [{\"class\": \"InputLayer\", \"name\": \"a\", \"shape\": [4]},"
                         "{\"class\": \"Sequential\", \"name\": \"n\", \"layers\": [{\"class\": \"Dense\", \"units\": "
                         "4}], \"inputs\": [[\"a\"], [\"n:0\"]]},"
                         "{\"class\": \"Functional\", \"name\": \"f\", \"layers\": [{\"class\": \"Dense\", \"units\": "
                         "4}], \"inputs\": [\"n:1\"]}]}";
    struct err err;
    char *once = rewrite(shared, false), *twice = rewrite(once, true);
    CHECK_STR(twice, once);
    CHECK_HAS(once, "\"output_layers\": [[\"f\", 1, 0]]");
    struct model_spec *spec = read_spec(once, true, &err);
    CHECK(spec && spec->n_layers == 3 && spec->layers[1].n_calls == 2 && spec->layers[1].nested &&
          spec->outputs[0].node == 0);
    model_spec_free(spec);
    free(once);
    free(twice);
}

static void test_keras_2_calls_are_understood(void)
{
    CHECK_STR(order_of("{\"class_name\":\"Functional\",\"config\":{\"layers\":[{\"class_name\":\"InputLayer\","
                       "\"config\":{\"batch_input_shape\":[null,2],\"name\":\"x\"},"
                       "\"name\":\"x\",\"inbound_nodes\":[]},{\"class_name\":\"Dense\",\"config\":{\"name\":\"d\","
                       "\"units\":2},\"name\":\"d\",\"inbound_nodes\":[[[\"x\",0,0,{}]]]},"
                       "{\"class_name\":\"Add\",\"config\":{\"name\":\"a\"},\"name\":\"a\",\"inbound_nodes\":[[[\"d\","
                       "0,0,{}],[\"x\",0,0,{}]]]}],"
                       "\"input_layers\":[[\"x\",0,0]],\"output_layers\":[[\"a\",0,0]]}}",
                       true),
              "x d a");
}

int main(void)
{
    RUN(test_layers_that_the_config_lists_in_another_order_are_sorted);
    RUN(test_the_short_form_makes_sequential_and_functional_models);
    RUN(test_outputs_can_be_named_and_default_to_what_nobody_consumes);
    RUN(test_class_names_become_keras_group_names);
    RUN(test_wrong_models_are_refused_with_their_place);
    RUN(test_a_call_by_name_takes_64_tensors_and_no_more);
    RUN(test_a_hundred_thousand_layers_are_read_and_more_are_refused);
    RUN(test_a_chain_of_references_in_reverse_order_needs_no_recursion);
    RUN(test_deep_nesting_is_refused);
    RUN(test_unknown_parts_of_a_file_are_kept_and_newer_defaults_dropped);
    RUN(test_the_short_form_is_written_as_keras_envelopes);
    RUN(test_what_is_written_reads_back_the_same);
    RUN(test_keras_2_calls_are_understood);
    return check_done();
}
