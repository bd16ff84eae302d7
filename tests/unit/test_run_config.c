/* The config file: what is read, what is refused and in which words, what is filled in. */
#include "base/io.h"
#include "persistence/config/run_config.h"
#include "tests/check.h"

#define DATA "\"data\": {\"format\": \"csv\", \"path\": \"a.csv\"}"
#define MODEL "\"model\": {\"layers\": [{\"class\": \"Dense\", \"units\": 1}]}"
#define COMPILE "\"compile\": {\"loss\": \"mse\"}"
#define WHOLE DATA ", " MODEL ", " COMPILE

static const char *write_file(const char *name, const char *text, size_t length)
{
    const char *path = check_path(name);
    FILE *f = fopen(path, "wb");
    fwrite(text, 1, length, f);
    fclose(f);
    return path;
}

static json_t *read_text(const char *name, const char *text, struct err *err)
{
    return config_read(write_file(name, text, strlen(text)), err);
}

static bool check_text(const char *text, struct err *err)
{
    json_t *config = read_text("a.json", text, err);
    bool ok = config && config_check(config, "'a.json'", err);
    json_decref(config);
    return ok;
}

static const struct wrong {
    const char *text;
    const char *parts[3];
} wrongs[] = {
    {"{" MODEL ", " COMPILE "}", {"'a.json': data: is missing", "expected object"}},
    {"{" DATA ", " COMPILE "}", {"model: is missing"}},
    {"{" DATA ", " MODEL "}", {"compile: is missing", "loss"}},
    {"{" WHOLE ", \"sed\": 1}", {"sed: unknown key", "did you mean 'seed'?"}},
    {"{" WHOLE ", \"zzzzzzzz\": 1}", {"zzzzzzzz: unknown key", "known are: name, description, seed"}},
    {"{" WHOLE ", \"seed\": -1}", {"seed: found -1, expected at least 0"}},
    {"{" WHOLE ", \"seed\": 1.5}", {"seed: found 1.5 (number), expected integer"}},
    {"{" WHOLE ", \"seed\": true}", {"seed: found true (true), expected integer"}},
    {"{" WHOLE ", \"fit\": {\"epochs\": \"ten\"}}", {"fit.epochs: found \"ten\" (string), expected integer"}},
    {"{" WHOLE ", \"fit\": {\"epochs\": 0}}", {"fit.epochs: found 0, expected at least 1"}},
    {"{" WHOLE ", \"fit\": {\"epoch\": 1}}", {"fit.epoch: unknown key, did you mean 'epochs'?"}},
    {"{" WHOLE ", \"fit\": {\"batch_size\": []}}", {"fit.batch_size: found [] (array), expected integer or null"}},
    {"{" WHOLE ", \"fit\": {\"validation_freq\": [1, \"a\"]}}",
     {"fit.validation_freq", "expected integer or list of integers"}},
    {"{" WHOLE ", \"fit\": {\"validation_freq\": [1, 0]}}", {"fit.validation_freq: found 0, expected at least 1"}},
    {"{" WHOLE ", \"fit\": []}", {"fit: found [] (array), expected object"}},
    {"{" WHOLE ", \"fit\": {\"shuffle\": 1}}", {"fit.shuffle: found 1 (integer), expected boolean"}},
    {"{" WHOLE ", \"history\": {\"every_step\": 1}}", {"history.every_step: unknown key, did you mean 'every_steps'?"}},
    {"{" WHOLE ", \"keep\": 0}", {"keep: found 0, expected at least 1"}},
    {"{" WHOLE ", \"callbacks\": {}}", {"callbacks: found {} (object), expected list of objects"}},
    {"{" WHOLE ", \"callbacks\": [{\"monitor\": \"loss\"}]}", {"callbacks[0].class: is missing"}},
    {"{" WHOLE ", \"callbacks\": [{\"class\": 3}]}", {"callbacks[0].class: found 3 (integer), expected string"}},
    {"{" DATA ", " MODEL ", \"compile\": {}}", {"compile.loss: is missing"}},
    {"{" DATA ", " MODEL ", \"compile\": {\"loss\": 3}}", {"compile.loss: found 3"}},
    {"{" DATA ", " MODEL ", \"compile\": {\"loss\": \"mse\", \"optimiser\": \"adam\"}}",
     {"compile.optimiser: unknown key, did you mean 'optimizer'?"}},
    {"{" MODEL ", " COMPILE ", \"data\": {}}", {"data.format: is missing", "csv|npy"}},
    {"{" MODEL ", " COMPILE ", \"data\": {\"format\": \"cvs\"}}", {"data.format: found 'cvs'", "did you mean 'csv'?"}},
    {"{" MODEL ", " COMPILE ", \"data\": {\"format\": 1}}", {"data.format: found 1 (integer), expected string"}},
    {"{" MODEL ", " COMPILE ", \"data\": {\"format\": \"csv\"}}", {"data.path: is missing, expected string"}},
    {"{" MODEL ", " COMPILE ", \"data\": {\"format\": \"csv\", \"pth\": \"a\"}}",
     {"data.pth: unknown key, did you mean 'path'?"}},
    {"{" MODEL ", " COMPILE ", \"data\": {\"format\": \"npy\", \"x\": \"a\", \"delimiter\": \";\"}}",
     {"data.delimiter: unknown key for format 'npy' (it belongs to csv)"}},
    {"{" MODEL ", " COMPILE ", \"data\": {\"format\": \"csv\", \"path\": \"a\", \"validation_split\": 2}}",
     {"data.validation_split: found 2, expected 0 to 1"}},
    {"{" MODEL ", " COMPILE
     ", \"data\": {\"format\": \"csv\", \"path\": \"a\", \"validation_split\": 0.5, \"test_split\": 0.5}}",
     {"data.validation_split", "nothing is left to train on"}},
    {"{" MODEL ", " COMPILE ", \"data\": {\"format\": \"csv\", \"path\": \"a\", \"validation\": {\"path\": \"b\"}, "
     "\"validation_split\": 0.5}}",
     {"data.validation: stands beside data.validation_split"}},
    {"{" MODEL ", " COMPILE ", \"data\": {\"format\": \"csv\", \"path\": \"a\", \"test\": {\"pat\": \"b\"}}}",
     {"data.test.pat: unknown key, did you mean 'path'?"}},
    {"{" MODEL ", " COMPILE ", \"data\": {\"format\": \"csv\", \"path\": \"a\", \"test\": {\"format\": \"npy\"}}}",
     {"data.test.x: is missing"}},
    {"{" MODEL ", " COMPILE ", \"data\": {\"format\": \"csv\", \"path\": \"a\", \"test\": {\"test_split\": 0.1}}}",
     {"data.test: 'test_split' belongs into data itself"}},
    {"{" MODEL ", " COMPILE ", \"data\": {\"format\": \"csv\", \"path\": \"a\", \"missing\": \"men\"}}",
     {"data.missing: found 'men'", "did you mean 'mean'?"}},
    {"{" MODEL ", " COMPILE ", \"data\": {\"format\": \"csv\", \"path\": \"a\", \"header\": \"yes\"}}",
     {"data.header: found 'yes', expected one of: auto"}},
    {"{" MODEL ", " COMPILE ", \"data\": {\"format\": \"csv\", \"path\": \"a\", \"shape\": [\"a\"]}}",
     {"data.shape: found [\"a\"] (array), expected list of integers"}},
    {"{" MODEL ", " COMPILE ", \"data\": {\"format\": \"synthetic\", \"name\": \"moon\"}}",
     {"data.name: found 'moon'", "did you mean 'moons'?"}},
    {"{" MODEL ", " COMPILE ", \"data\": {\"format\": \"synthetic\"}}", {"data.name: is missing"}},
    {"{" MODEL ", " COMPILE ", \"data\": {\"format\": \"idx\", \"labels\": \"a\"}}", {"data.images: is missing"}},
    {"{" DATA ", " COMPILE ", \"model\": {}}", {"model: has none of 'layers', 'file' and 'class_name'"}},
    {"{" DATA ", " COMPILE ", \"model\": {\"layers\": []}}", {"model.layers: is empty"}},
    {"{" DATA ", " COMPILE ", \"model\": {\"layers\": [3]}}",
     {"model.layers: found [3] (array), expected list of objects"}},
    {"{" DATA ", " COMPILE ", \"model\": {\"layers\": [{\"class\": \"Dense\"}, {\"units\": 3}]}}",
     {"model.layers[1].class: is missing"}},
    {"{" DATA ", " COMPILE ", \"model\": {\"layers\": [{\"class\": \"Dense\"}], \"file\": \"a.keras\"}}",
     {"model: has 'layers' and 'file', expected one of them"}},
    {"{" DATA ", " COMPILE ", \"model\": {\"layer\": []}}", {"model.layer: unknown key, did you mean 'layers'?"}},
    {"{" DATA ", " COMPILE ", \"model\": {\"class_name\": \"Sequential\"}}", {"model.config: is missing"}},
    {"{" DATA ", " COMPILE ", \"model\": {\"layers\": [{\"class\": \"Dense\"}], \"skip_mismatch\": true}}",
     {"model.skip_mismatch: has no meaning without"}},
    {"{" DATA ", " COMPILE ", \"model\": \"m.keras\"}", {"model: found \"m.keras\" (string), expected object"}},
    {"{\"data\": }", {"a.json' line 1 column"}},
    {"{\"seed\": 1, \"seed\": 2}", {"a.json' line 1", "duplicate"}},
    {"[1, 2]", {"a.json'", "found array, expected keys such as data"}},
    {"", {"a.json' is empty"}},
    {"just words", {"a.json': found string, expected keys"}},
};

static void test_every_wrong_config_is_refused_with_place_found_and_expected(void)
{
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        struct err err = {0};
        if (check_text(wrongs[i].text, &err))
            CHECK_FAIL("accepted: %s", wrongs[i].text);
        CHECK_EQ(err.code, ERR_USAGE);
        for (size_t k = 0; k < 3 && wrongs[i].parts[k]; k++)
            CHECK_HAS(err.text, wrongs[i].parts[k]);
    }
}

static void test_all_forms_of_a_model_are_accepted(void)
{
    static const char *const models[] = {
        "{\"layers\": [{\"class\": \"InputLayer\", \"name\": \"a\", \"shape\": [2]}, {\"class\": \"Dense\", \"units\": "
        "2, \"inputs\": [[\"a\"], [\"a\"]]}], \"outputs\": [\"x:1\"]}",
        "{\"file\": \"m.keras\"}",
        "{\"file\": \"m.json\", \"weights\": \"m.weights.h5\", \"skip_mismatch\": true, \"freeze\": [\"conv*\"]}",
        "{\"module\": \"keras\", \"class_name\": \"Sequential\", \"config\": {\"name\": \"s\", \"layers\": []}, "
        "\"registered_name\": null, \"build_config\": {}}",
    };
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        struct err err = {0};
        char text[1024];
        snprintf(text, sizeof text, "{" DATA ", " COMPILE ", \"model\": %s}", models[i]);
        CHECK_OK(check_text(text, &err), err);
    }
    struct err err = {0};
    CHECK_OK(check_text("{" DATA ", \"model\": {\"file\": \"m.keras\"}}", &err), err);
}

static void test_yaml_gives_the_same_tree_as_json(void)
{
    static const char yaml[] =
        "# a comment\n"
        "name: digits   # and another\n"
        "seed: 7\n"
        "data: {format: csv, path: a.csv, label: -1, validation_split: .1, header: true}\n"
        "model:\n  layers:\n  - class: Dense\n    units: 0x10\n    activation: relu\n  - {class: Dense, units: 1}\n"
        "compile:\n  optimizer:\n    class: Adam\n    learning_rate: 1e-3\n  loss: mse\n"
        "description: >\n  two\n  lines\n";
    static const char json[] = "{\"name\": \"digits\", \"seed\": 7, \"data\": {\"format\": \"csv\", \"path\": "
                               "\"a.csv\", \"label\": -1, \"validation_split\": 0.1, \"header\": true},"
                               "\"model\": {\"layers\": [{\"class\": \"Dense\", \"units\": 16, \"activation\": "
                               "\"relu\"}, {\"class\": \"Dense\", \"units\": 1}]},"
                               "\"compile\": {\"optimizer\": {\"class\": \"Adam\", \"learning_rate\": 0.001}, "
                               "\"loss\": \"mse\"}, \"description\": \"two lines\\n\"}";
    struct err err = {0};
    json_t *a = read_text("a.yaml", yaml, &err), *b = read_text("b.json", json, &err);
    CHECK(js_equal(a, b));
    CHECK_OK(config_check(a, "'a.yaml'", &err), err);
    json_decref(a);
    json_decref(b);
}

static void test_yaml_scalars_hold_no_surprises(void)
{
    static const char yaml[] = "[no, on, yes, Off, 12:30, 007, 1_000, 2001-01-01, '1', \"true\", ~, null, NULL, True, "
                               "1e-3, .5, 1., -2, +3, .inf, -.inf, .NaN, 1e, 0x1F, 1e400, 99999999999999999999]";
    static const char json[] = "[\"no\", \"on\", \"yes\", \"Off\", \"12:30\", \"007\", \"1_000\", \"2001-01-01\", "
                               "\"1\", \"true\", null, null, null, true, 0.001, 0.5, 1.0, -2, 3,"
                               "\"Infinity\", \"-Infinity\", \"NaN\", \"1e\", 31, \"1e400\", 1e20]";
    struct err err = {0};
    json_t *a = config_parse_yaml(yaml, strlen(yaml), "text", &err), *b = js_parse(json, strlen(json), "text", 0, &err);
    CHECK(a && b);
    for (size_t i = 0; i < json_array_size(b); i++)
        if (!js_equal(json_array_get(a, i), json_array_get(b, i))) {
            char *found = js_text(json_array_get(a, i), 0), *expected = js_text(json_array_get(b, i), 0);
            CHECK_STR(found, expected);
            free(found);
            free(expected);
        }
    CHECK_EQ(json_array_size(a), json_array_size(b));
    json_decref(a);
    json_decref(b);
}

static void test_yaml_aliases_are_copies_and_merge_keys_work(void)
{
    static const char yaml[] = "base: &b {units: 3, act: {name: relu}}\none: {<<: *b, units: 5}\ntwo: *b\n";
    struct err err = {0};
    json_t *a = config_parse_yaml(yaml, strlen(yaml), "text", &err);
    CHECK_EQ(js_int(json_object_get(a, "one"), "units", 0), 5);
    CHECK_STR(json_string_value(js_at(a, "one.act.name")), "relu");
    CHECK_OK(config_set(a, "two.act.name=tanh", &err), err);
    CHECK_STR(json_string_value(js_at(a, "base.act.name")), "relu");
    json_decref(a);
}

static void test_hostile_yaml_is_refused(void)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
         "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: "
         "[*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n",
         "more than 200000 values"},
        {"a: &a [*a]\n", "line 1 column 8: an alias without its anchor"},
        {"a: !!python/object:os.system x\n", "line 1 column 4: tags"},
        {"a: 1\na: 2\n", "'a': text line 2 column 1: duplicate key"},
        {"? [1]\n: 2\n", "a key must be plain text"},
        {"a: 1\n---\nb: 2\n", "a second document"},
        {"a: [1, 2\n", "line 2 column 1"},
        {"a: \"\\0\"\n", "a NUL character"},
        {"<<: 3\n", "'<<' takes over the keys"},
        {"a:\n\t- 1\n", "line 2 column 1"},
        {"a: \xff\n", "text at byte 3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        json_t *json = config_parse_yaml(cases[i].text, strlen(cases[i].text), "text", &err);
        CHECK(!json);
        CHECK_EQ(err.code, ERR_USAGE);
        CHECK_HAS(err.text, cases[i].part);
        json_decref(json);
    }
    struct err err = {0};
    char deep[402];
    memset(deep, '[', 400);
    CHECK(!config_parse_yaml(deep, 400, "text", &err));
    CHECK_HAS(err.text, "nested deeper than 64");
}

static void test_set_takes_json_or_a_bare_word(void)
{
    struct err err = {0};
    json_t *config = json_object();
    CHECK_OK(config_set(config, "compile.optimizer.learning_rate=0.01", &err), err);
    CHECK_OK(config_set(config, "device=cpu", &err), err);
    CHECK_OK(config_set(config, "data.path=a=b.csv", &err), err);
    CHECK_OK(config_set(config, "data.label=null", &err), err);
    CHECK_OK(config_set(config, "model.layers=[{\"class\": \"Dense\"}]", &err), err);
    CHECK_OK(config_set(config, "model.layers[0].units=3", &err), err);
    CHECK_NEAR(json_number_value(js_at(config, "compile.optimizer.learning_rate")), 0.01, 0);
    CHECK_STR(json_string_value(js_at(config, "device")), "cpu");
    CHECK_STR(json_string_value(js_at(config, "data.path")), "a=b.csv");
    CHECK(json_is_null(js_at(config, "data.label")));
    CHECK_EQ(json_integer_value(js_at(config, "model.layers[0].units")), 3);
    CHECK(!config_set(config, "fit.epochs", &err));
    CHECK_HAS(err.text, "'fit.epochs' is not of the form KEY=VALUE");
    CHECK(!config_set(config, "model.layers[3].units=3", &err));
    CHECK_HAS(err.text, "there is no entry '3' in a list of 1");
    json_decref(config);
}

static void test_set_gives_an_argument_to_a_class_named_by_a_word(void)
{
    struct err err = {0};
    const char *text = "{\"compile\": {\"optimizer\": \"adam\", \"metrics\": [\"accuracy\", \"AUC\"]}, \"data\": "
                       "{\"path\": \"a.csv\"},"
                       " \"model\": {\"layers\": [{\"class\": \"Dense\", \"kernel_initializer\": \"he_normal\"}]}}";
    json_t *config = js_parse(text, strlen(text), "text", JS_STRICT, &err);
    CHECK_OK(config_set(config, "compile.optimizer.learning_rate=0.01", &err), err);
    CHECK_OK(config_set(config, "compile.metrics[1].num_thresholds=20", &err), err);
    CHECK_OK(config_set(config, "model.layers[0].kernel_initializer.seed=3", &err), err);
    CHECK_STR(json_string_value(js_at(config, "compile.optimizer.class")), "adam");
    CHECK_NEAR(json_number_value(js_at(config, "compile.optimizer.learning_rate")), 0.01, 0);
    CHECK_STR(json_string_value(js_at(config, "compile.metrics[0]")), "accuracy");
    CHECK_STR(json_string_value(js_at(config, "compile.metrics[1].class")), "AUC");
    CHECK_STR(json_string_value(js_at(config, "model.layers[0].kernel_initializer.class")), "he_normal");
    CHECK(!config_set(config, "data.path.x=1", &err));
    CHECK_HAS(err.text, "'data.path.x': 'x' is asked of a string, expected an object");
    json_object_del(json_object_get(config, "compile"), "optimizer");
    CHECK_OK(config_set(config, "compile.optimizer.learning_rate=0.01", &err), err);
    CHECK_STR(json_string_value(js_at(config, "compile.optimizer.class")), "rmsprop");
    json_decref(config);
}

static void test_defaults_are_filled_in_and_given_values_stay(void)
{
    struct err err = {0};
    json_t *config = read_text("a.json", "{" WHOLE ", \"fit\": {\"epochs\": 3}}", &err);
    config_resolve(config, check_tmp());
    CHECK_EQ(json_integer_value(js_at(config, "fit.epochs")), 3);
    CHECK_EQ(json_integer_value(js_at(config, "fit.batch_size")), 32);
    CHECK_EQ(json_integer_value(js_at(config, "data.label")), -1);
    CHECK_STR(json_string_value(js_at(config, "compile.optimizer")), "rmsprop");
    CHECK_STR(json_string_value(js_at(config, "folder")), check_tmp());
    CHECK(!js_at(config, "data.stride"));
    CHECK_OK(config_check(config, "resolved", &err), err);
    json_decref(config);
}

static void test_a_missing_config_is_wrong_usage(void)
{
    struct err err = {0};
    CHECK(!config_read("/nonexistent/x.json", &err));
    CHECK_EQ(err.code, ERR_USAGE);
    CHECK_HAS(err.text, "/nonexistent/x.json");
}

static void test_a_data_part_takes_over_the_keys_of_data(void)
{
    struct err err = {0};
    static const char text[] =
        "{\"format\": \"csv\", \"path\": \"a\", \"delimiter\": \";\", \"shape\": [2], \"test\": {\"path\": \"b\"},"
        "\"validation\": {\"format\": \"npy\", \"x\": \"c\"}}";
    json_t *data = js_parse(text, strlen(text), "text", 0, &err);
    json_t *test = config_data_part(data, "test"), *validation = config_data_part(data, "validation");
    CHECK_STR(js_string(test, "path", ""), "b");
    CHECK_STR(js_string(test, "delimiter", ""), ";");
    CHECK(!json_object_get(validation, "delimiter"));
    CHECK(json_object_get(validation, "shape") != NULL);
    CHECK(!json_object_get(validation, "validation"));
    json_decref(test);
    json_decref(validation);
    json_decref(data);
}

/* ANTLER_WRITE_DOCS=1 writes the page anew. */
static void test_the_page_in_docs_is_the_one_the_table_prints(void)
{
    struct str page = {0};
    config_write_docs(&page, true);
    if (getenv("ANTLER_WRITE_DOCS")) {
        FILE *f = fopen(SOURCE_DIR "/docs/config.md", "w");
        fputs(str_text(&page), f);
        fclose(f);
    }
    struct err err = {0};
    char *found = NULL;
    size_t length;
    CHECK_OK(io_read_file(SOURCE_DIR "/docs/config.md", 1 << 20, &found, &length, &err), err);
    if (strcmp(found ? found : "", str_text(&page)))
        CHECK_FAIL("docs/config.md is not what config_write_docs prints; run this test with ANTLER_WRITE_DOCS=1");
    free(found);
    str_clear(&page);
    config_write_docs(&page, false);
    CHECK_HAS(str_text(&page), "data.validation_split");
    str_release(&page);
}

int main(void)
{
    RUN(test_every_wrong_config_is_refused_with_place_found_and_expected);
    RUN(test_all_forms_of_a_model_are_accepted);
    RUN(test_yaml_gives_the_same_tree_as_json);
    RUN(test_yaml_scalars_hold_no_surprises);
    RUN(test_yaml_aliases_are_copies_and_merge_keys_work);
    RUN(test_hostile_yaml_is_refused);
    RUN(test_set_takes_json_or_a_bare_word);
    RUN(test_set_gives_an_argument_to_a_class_named_by_a_word);
    RUN(test_defaults_are_filled_in_and_given_values_stay);
    RUN(test_a_missing_config_is_wrong_usage);
    RUN(test_a_data_part_takes_over_the_keys_of_data);
    RUN(test_the_page_in_docs_is_the_one_the_table_prints);
    return check_done();
}
