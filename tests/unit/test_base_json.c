/* Strict, bounded reading; shortest exact writing; dotted paths. */
#include "base/arena.h"
#include "base/json.h"
#include "tests/check.h"

static json_t *parse(const char *text, int flags, struct err *err)
{
    return js_parse(text, strlen(text), "text", flags, err);
}

static void check_refused(const char *text, const char *because)
{
    struct err err = {0};
    json_t *json = parse(text, JS_STRICT, &err);
    CHECK(!json);
    CHECK_EQ(err.code, ERR_FORMAT);
    CHECK_HAS(err.text, because);
    json_decref(json);
}

static void test_what_is_written_reads_back_the_same(void)
{
    static const char text[] =
        "{\"a\": 0.1, \"b\": [1, 2.5, -3e-07, true, null], \"c\": {\"d\": \"x\\\"\\n\\u0001\\\\\"}, \"e\": 1.0}";
    struct err err;
    json_t *json = parse(text, JS_STRICT, &err);
    char *written = js_text(json, 0);
    CHECK_STR(written, text);
    free(written);
    written = js_text(json, 2);
    json_t *again = parse(written, JS_STRICT, &err);
    CHECK(json_equal(json, again));
    free(written);
    json_decref(again);
    json_decref(json);
}

static void test_bad_json_is_refused_with_its_place(void)
{
    check_refused("{\"a\": 1,\n \"a\": 2}", "duplicate");
    check_refused("{\"a\": 1,\n  b}", "line 2 column");
    check_refused("[NaN]", "line 1");
    check_refused("[1] x", "line 1");
    check_refused("", "line 1");
    check_refused("[1e999]", "line 1");
    char deep[200];
    memset(deep, '[', 100);
    memset(deep + 100, ']', 99);
    deep[199] = 0;
    check_refused(deep, "deeper than 64");
}

static void test_brackets_inside_texts_are_no_nesting(void)
{
    struct err err = {0};
    char text[120] = "[\"\\\"";
    memset(text + strlen(text), '[', 90);
    strcat(text, "\", 1]");
    json_t *json = js_parse(text, strlen(text), "test", JS_STRICT, &err);
    CHECK_OK(json, err);
    CHECK_EQ(json_array_size(json), 2);
    json_decref(json);
    char after[200] = "[\"]\", ";
    memset(after + strlen(after), '[', 90);
    check_refused(after, "deeper than 64");
}

static void test_python_writes_bare_nan(void)
{
    struct err err;
    json_t *json = parse("{\"loss\": [NaN, -Infinity, 1.0], \"s\": \"NaN \\\" Infinity\"}", JS_PYTHON, &err);
    char *text = js_text(json, 0);
    CHECK_STR(text, "{\"loss\": [\"NaN\", \"-Infinity\", 1.0], \"s\": \"NaN \\\" Infinity\"}");
    double value;
    CHECK(js_to_double(json_array_get(js_at(json, "loss"), 1), &value) && isinf(value) && value < 0);
    CHECK(!js_to_double(js_at(json, "s"), &value));
    free(text);
    json_decref(json);
}

static void check_put_fails(json_t *json, const char *path, const char *because)
{
    struct err err = {0};
    json_t *value = json_integer(1);
    CHECK(!js_put(json, path, value, &err));
    CHECK_EQ(err.code, ERR_USAGE);
    CHECK_HAS(err.text, because);
    json_decref(value);
}

static void test_dotted_paths_reach_and_change_values(void)
{
    struct err err;
    json_t *json = parse("{\"model\": {\"layers\": [{\"units\": 3}, {\"units\": 4}]}, \"n\": 1}", JS_STRICT, &err);
    CHECK_EQ(json_integer_value(js_at(json, "model.layers[1].units")), 4);
    CHECK_EQ(json_integer_value(js_at(json, "model.layers.0.units")), 3);
    CHECK(!js_at(json, "model.layers[2].units"));
    CHECK(!js_at(json, "model.layers[x]"));
    CHECK(!js_at(json, "n.m"));
    json_t *value = json_real(0.5);
    CHECK_OK(js_put(json, "compile.optimizer.learning_rate", value, &err), err);
    CHECK(json_real_value(js_at(json, "compile.optimizer.learning_rate")) == 0.5);
    json_decref(value);
    check_put_fails(json, "model.layers[7].units", "no entry '7' in a list of 2");
    check_put_fails(json, "n.m", "'m' is asked of a integer");
    check_put_fails(json, "", "is not a path");
    json_decref(json);
}

static void test_equal_means_the_same_number(void)
{
    struct err err;
    json_t *a = parse("{\"x\": [1, {\"y\": 2}]}", JS_STRICT, &err),
           *b = parse("{\"x\": [1.0, {\"y\": 2.0}]}", JS_STRICT, &err);
    CHECK(js_equal(a, b));
    json_object_set_new(b, "z", json_null());
    CHECK(!js_equal(a, b));
    json_decref(a);
    json_decref(b);
}

static void test_written_json_cannot_reach_the_terminal_raw(void)
{
    json_t *name = json_string("\x7F\xC2\x9B\xE2\x80\xAE\xC3\xA9\x1B");
    char *text = js_text(name, 0);
    CHECK_STR(text, "\"\\u007f\\u009b\\u202e\xC3\xA9\\u001b\"");
    json_t *again = js_parse(text, strlen(text), "text", JS_STRICT, NULL);
    CHECK(json_equal(name, again));
    json_decref(again);
    free(text);
    json_decref(name);
}

int main(void)
{
    RUN(test_what_is_written_reads_back_the_same);
    RUN(test_written_json_cannot_reach_the_terminal_raw);
    RUN(test_bad_json_is_refused_with_its_place);
    RUN(test_brackets_inside_texts_are_no_nesting);
    RUN(test_python_writes_bare_nan);
    RUN(test_dotted_paths_reach_and_change_values);
    RUN(test_equal_means_the_same_number);
    return check_done();
}
