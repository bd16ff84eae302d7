/* Lists of a config in the form: layers, callbacks and metrics are added, taken out and moved; in a graph the chain
 * stays whole; and the command line at the bottom always says the same. */
#include "persistence/config/run_config.h"
#include "tests/check.h"
#include "tui/client/train_request.h"
#include "tui/form/form.h"

#include <stdio.h>
#include <stdlib.h>

static struct err err;

static void open_form(struct form *form, const char *text)
{
    json_t *config = js_parse(text, strlen(text), "config", JS_STRICT, &err);
    CHECK(config != NULL);
    form_init(form, config);
    form_build(form, NULL);
}

/* The row of a path; opened to. */
static const struct form_row *row_at(struct form *form, const char *path)
{
    char message[300];
    snprintf(message, sizeof message, "%s: here", path);
    int at = form_place(form, message);
    CHECK(at >= 0 && !strcmp(form->rows[at].path, path));
    return &form->rows[at < 0 ? 0 : at];
}

static void add(struct form *form, const char *path, const char *class)
{
    struct form_item item;
    char added[256];
    CHECK(form_item_at(form, row_at(form, path), &item));
    CHECK_OK(form_item_add(form, &item, class, added, &err), err);
    form_build(form, NULL);
}

static void take_out(struct form *form, const char *path)
{
    struct form_item item;
    CHECK(form_item_at(form, row_at(form, path), &item));
    CHECK_OK(form_item_remove(form, &item, &err), err);
    form_build(form, NULL);
}

/* The classes of a list, or its words. */
static const char *classes(const struct form *form, const char *path)
{
    static char text[400];
    const json_t *item;
    size_t i, n = 0;
    text[0] = 0;
    json_array_foreach(js_at(form->config, path), i, item) {
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? " " : "",
                              json_is_string(item) ? json_string_value(item) : js_string(item, "class", "?"));
    }
    return text;
}

static void apply(void *config, const char *assignment)
{
    CHECK_OK(config_set(config, assignment, &err), err);
}

/* What the command at the bottom makes of the original is what the form holds. */
static void check_command(const struct form *form)
{
    json_t *config = json_deep_copy(form->original);
    train_assignments(form->original, form->config, apply, config);
    char *ours = js_text(config, 0), *theirs = js_text(form->config, 0);
    CHECK_STR(ours, theirs);
    free(ours);
    free(theirs);
    json_decref(config);
}

static const char chain[] =
    "{\"model\": {\"layers\": [{\"class\": \"Dense\", \"units\": 8}, {\"class\": \"Dense\", \"units\": 1}]}, "
    "\"compile\": {\"optimizer\": \"adam\", \"loss\": \"mse\", \"metrics\": [\"mae\"]}}";

static void test_a_layer_goes_behind_the_one_it_is_added_to(void)
{
    struct form form;
    open_form(&form, chain);
    add(&form, "model.layers[0]", "Dropout");
    CHECK_STR(classes(&form, "model.layers"), "Dense Dropout Dense");
    add(&form, "model.layers", "Flatten");
    CHECK_STR(classes(&form, "model.layers"), "Dense Dropout Dense Flatten");
    add(&form, "model.layers[0].units", "ReLU");
    CHECK_STR(classes(&form, "model.layers"), "Dense ReLU Dropout Dense Flatten");
    CHECK_EQ(js_int(js_at(form.config, "model.layers[3]"), "units", 0), 1);
    check_command(&form);
    form_release(&form);
}

static void test_a_layer_is_moved_and_taken_out(void)
{
    struct form form;
    struct form_item item;
    open_form(&form, chain);
    add(&form, "model.layers[1]", "Dropout");
    CHECK(form_item_at(&form, row_at(&form, "model.layers[2]"), &item));
    CHECK_OK(form_item_move(&form, &item, -1, &err), err);
    CHECK_STR(classes(&form, "model.layers"), "Dense Dropout Dense");
    CHECK(!form_item_move(&form, &item, 1, &err));
    CHECK_HAS(err.text, "at the end");
    take_out(&form, "model.layers[0]");
    CHECK_STR(classes(&form, "model.layers"), "Dropout Dense");
    check_command(&form);
    form_release(&form);
}

static void test_lists_that_are_not_there_begin(void)
{
    struct form form;
    open_form(&form, chain);
    add(&form, "callbacks", "EarlyStopping");
    add(&form, "callbacks[0]", "CSVLogger");
    CHECK_STR(classes(&form, "callbacks"), "EarlyStopping CSVLogger");
    add(&form, "compile.metrics", "mse");
    CHECK_STR(classes(&form, "compile.metrics"), "mae mse");
    check_command(&form);
    take_out(&form, "callbacks[0]");
    take_out(&form, "callbacks[0]");
    CHECK_STR(classes(&form, "callbacks"), "");
    form_release(&form);
}

static void test_a_graph_stays_whole(void)
{
    struct form form;
    struct form_item item;
    open_form(
        &form,
        "{\"model\": {\"layers\": [{\"class\": \"InputLayer\", \"name\": \"in\", \"shape\": [4]}, {\"class\": "
        "\"Dense\", "
        "\"name\": \"a\", \"units\": 3, \"inputs\": [\"in\"]}, {\"class\": \"Dense\", \"name\": \"b\", \"units\": 3, "
        "\"inputs\": [\"a\"]}, {\"class\": \"Add\", \"name\": \"s\", \"inputs\": [\"a\", \"b\"]}], \"outputs\": "
        "[\"s\"]}}");
    add(&form, "model.layers[1]", "LayerNormalization");
    CHECK_STR(js_string(js_at(form.config, "model.layers[2]"), "name", ""), "layer_normalization");
    CHECK_STR(json_string_value(js_at(form.config, "model.layers[2].inputs[0]")), "a");
    CHECK_STR(json_string_value(js_at(form.config, "model.layers[3].inputs[0]")), "layer_normalization");
    CHECK_STR(json_string_value(js_at(form.config, "model.layers[4].inputs[0]")), "layer_normalization");
    add(&form, "model.layers[4]", "ReLU");
    CHECK_STR(json_string_value(js_at(form.config, "model.outputs[0]")), "re_lu");
    check_command(&form);
    take_out(&form, "model.layers[5]");
    CHECK_STR(json_string_value(js_at(form.config, "model.outputs[0]")), "s");
    take_out(&form, "model.layers[2]");
    CHECK_STR(json_string_value(js_at(form.config, "model.layers[3].inputs[0]")), "a");
    CHECK(form_item_at(&form, row_at(&form, "model.layers[1]"), &item) && !form_item_move(&form, &item, 1, &err));
    form_release(&form);
}

static void test_rows_that_belong_to_no_list_are_refused(void)
{
    struct form form;
    struct form_item item;
    open_form(&form, chain);
    CHECK(!form_item_at(&form, row_at(&form, "compile.optimizer"), &item));
    CHECK(!form_item_at(&form, &form.rows[0], &item));
    CHECK(form_item_at(&form, row_at(&form, "model.layers"), &item));
    CHECK(!form_item_remove(&form, &item, &err));
    form_release(&form);
}

static void test_any_order_of_changes_is_what_the_command_says(void)
{
    static const char *const lists[] = {"model.layers", "callbacks", "compile.metrics"}, *const new[] = {"ReLU",
                                                                                                         "CSVLogger",
                                                                                                         "mse"};
    unsigned seed = 5;
    for (int round = 0; round < 60; round++) {
        struct form form;
        open_form(&form, chain);
        for (int k = 0; k < 6; k++) {
            int which = (int)(rand_r(&seed) % 3);
            int n = (int)json_array_size(js_at(form.config, lists[which]));
            struct form_item item = {.index = n ? (int)(rand_r(&seed) % (unsigned)n) : -1,
                                     .count = n,
                                     .category = which == 0   ? "layers"
                                                 : which == 1 ? "callbacks"
                                                              : "metrics"};
            struct err ignored;
            char path[256];
            snprintf(item.list, sizeof item.list, "%s", lists[which]);
            int what = (int)(rand_r(&seed) % 4);
            bool done = what < 2    ? form_item_add(&form, &item, new[which], path, &ignored)
                        : what == 2 ? form_item_remove(&form, &item, &ignored)
                                    : form_item_move(&form, &item, rand_r(&seed) % 2 ? 1 : -1, &ignored);
            if (done)
                check_command(&form);
        }
        form_release(&form);
    }
}

int main(void)
{
    RUN(test_a_layer_goes_behind_the_one_it_is_added_to);
    RUN(test_a_layer_is_moved_and_taken_out);
    RUN(test_lists_that_are_not_there_begin);
    RUN(test_a_graph_stays_whole);
    RUN(test_rows_that_belong_to_no_list_are_refused);
    RUN(test_any_order_of_changes_is_what_the_command_says);
    return check_done();
}
