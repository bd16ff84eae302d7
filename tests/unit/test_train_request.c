/* What leads from one config to another as --set assignments, and how a shell must read them. */
#include "persistence/config/run_config.h"
#include "tests/check.h"
#include "tui/client/train_request.h"

static json_t *read_json(const char *text)
{
    struct err err = {0};
    json_t *json = js_parse(text, strlen(text), "test", JS_STRICT, &err);
    if (!json)
        CHECK_FAIL("%s", err.text);
    return json;
}

static void add_line(void *context, const char *assignment)
{
    str_addf(context, "%s\n", assignment);
}

static void check_assignments(const char *from, const char *to, const char *expected)
{
    struct str lines = {0};
    json_t *original = read_json(from), *changed = read_json(to);
    train_assignments(original, changed, add_line, &lines);
    CHECK_STR(str_text(&lines), expected);
    str_release(&lines);
    json_decref(original);
    json_decref(changed);
}

static void test_only_what_differs_is_assigned(void)
{
    check_assignments("{\"a\": 1, \"b\": {\"c\": 2, \"d\": 3}}", "{\"a\": 1, \"b\": {\"c\": 2, \"d\": 4}}", "b.d=4\n");
    check_assignments("{\"a\": 1}", "{\"a\": 1.0}", "");
    check_assignments("{}", "{\"fit\": {\"epochs\": 5}}", "fit.epochs=5\n");
    check_assignments("{}", "{\"o\": {\"class\": \"SGD\"}}", "o={\"class\": \"SGD\"}\n");
    check_assignments("{\"l\": [{\"u\": 1}, {\"u\": 2}]}", "{\"l\": [{\"u\": 1}, {\"u\": 3}]}", "l[1].u=3\n");
    check_assignments("{\"l\": [{\"u\": 1}]}", "{\"l\": [{\"u\": 1}, {\"u\": 3}]}", "l=[{\"u\": 1}, {\"u\": 3}]\n");
    check_assignments("{\"o\": {\"class\": \"Adam\", \"beta_1\": 0.5}}", "{\"o\": {\"class\": \"SGD\"}}",
                      "o={\"class\": \"SGD\"}\n");
}

static void test_text_that_looks_like_json_keeps_its_quotes(void)
{
    check_assignments("{\"name\": \"a\"}", "{\"name\": \"b c\"}", "name=b c\n");
    check_assignments("{\"name\": \"a\"}", "{\"name\": \"12\"}", "name=\"12\"\n");
    check_assignments("{\"name\": \"a\"}", "{\"name\": \"\"}", "name=\"\"\n");
    check_assignments("{\"name\": \"a\"}", "{\"name\": null}", "name=null\n");
}

static void set_one(void *context, const char *assignment)
{
    struct err err = {0};
    CHECK_OK(config_set(context, assignment, &err), err);
}

static void test_the_assignments_lead_where_they_say(void)
{
    json_t *original = read_json("{\"n\": \"x\", \"m\": {\"layers\": [{\"class\": \"Dense\", \"units\": 3}, "
                                 "{\"class\": \"Flatten\"}]}, \"f\": 1}");
    json_t *changed = read_json("{\"n\": \"true\", \"m\": {\"layers\": [{\"class\": \"Dense\", \"units\": 4, \"name\": "
                                "\"it's\"}, {\"class\": \"Flatten\"}]}, "
                                "\"f\": [1, 2], \"s\": \"1/16\"}");
    json_t *reached = json_deep_copy(original);
    train_assignments(original, changed, set_one, reached);
    CHECK(js_equal(reached, changed));
    json_decref(original);
    json_decref(changed);
    json_decref(reached);
}

static void check_word(const char *text, const char *expected)
{
    struct str word = {0};
    add_shell_word(&word, text);
    CHECK_STR(str_text(&word), expected);
    str_release(&word);
}

static void test_a_shell_reads_back_every_word(void)
{
    check_word("fit.epochs=5", "fit.epochs=5");
    check_word("name=b c", "'name=b c'");
    check_word("it's", "'it'\\''s'");
    check_word("", "''");
    check_word("a;rm -rf $HOME", "'a;rm -rf $HOME'");
    check_word("layers[0]=*", "'layers[0]=*'");
}

int main(void)
{
    RUN(test_only_what_differs_is_assigned);
    RUN(test_text_that_looks_like_json_keeps_its_quotes);
    RUN(test_the_assignments_lead_where_they_say);
    RUN(test_a_shell_reads_back_every_word);
    return check_done();
}
