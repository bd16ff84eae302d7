/* cli_evaluate.c - antler evaluate CHECKPOINT: metrics on a part of the data, in Keras' names. */
#include "base/arena.h"
#include "persistence/config/run_config.h"
#include "tui/cli/cli_commands.h"
#include "tui/client/cli_request.h"
#include "tui/client/evaluation.h"

#include <stdio.h>
#include <stdlib.h>

/* Every --data KEY=VALUE as an object of overrides; NULL when there are none. New reference. */
static bool read_overrides(const struct cli *cli, json_t **data, struct err *err)
{
    const char *given;
    *data = NULL;
    for (size_t k = 0; (given = cli_option_at(cli, "--data", k)); k++) {
        *data = *data ? *data : json_object();
        if (!config_set(*data, given, err))
            return err_prefix(err, "--data %s", given);
    }
    return true;
}

bool cli_add_data(const struct cli *cli, json_t *request, struct err *err)
{
    const char *path = cli_option(cli, "--config");
    double batch = 0;
    json_t *data;
    if (!cli_number(cli, "--batch-size", 1, 1e9, &batch, err))
        return false;
    if (batch >= 1)
        json_object_set_new(request, "batch_size", json_integer((json_int_t)batch));
    char *folder = NULL;
    json_t *config = path ? cli_read_config(cli, path, &folder, err) : NULL;
    bool ok = (!path || config) && read_overrides(cli, &data, err);
    if (ok && data)
        json_object_set_new(request, "data", data);
    if (ok && config)
        json_object_set(request, "config", config);
    if (ok && (data || config)) {
        char *here = folder && !data ? xstrdup(folder) : cli_absolute(".");
        json_object_set_new(request, "folder", json_string(here));
        free(here);
    }
    json_decref(config);
    free(folder);
    return ok;
}

bool cli_add_checkpoint(const struct cli *cli, json_t *request, struct err *err)
{
    char *path, *run_folder;
    if (!cli_find_checkpoint(cli, cli->arguments[0], &path, &run_folder, err))
        return false;
    json_object_set_new(request, "checkpoint", json_string(path));
    if (run_folder)
        json_object_set_new(request, "run", json_string(run_folder));
    free(path);
    free(run_folder);
    return true;
}

static void print_result(const json_t *result)
{
    printf("%s\n%s\n", js_string(result, "checkpoint", ""), evaluation_samples(result).text);
    struct text_table table = {0};
    text_table_column(&table, "metric", false);
    text_table_column(&table, "value", true);
    struct text value;
    const char *name;
    for (size_t i = 0; (name = evaluation_metric(result, i, &value)); i++) {
        text_table_row(&table);
        text_table_cell(&table, TEXT_PLAIN, name);
        text_table_cell(&table, TEXT_PLAIN, value.text);
    }
    text_table_print(&table);
    text_table_release(&table);
}

static int worst_first(const void *a, const void *b)
{
    double left = js_double(*(json_t *const *)a, "f1", 0), right = js_double(*(json_t *const *)b, "f1", 0);
    return (left > right) - (left < right);
}

static const char *class_name(const json_t *class, const char *name_key, const char *number_key, char text[24])
{
    snprintf(text, 24, "%lld", (long long)js_int(class, number_key, 0));
    return evaluation_class_word(js_string(class, name_key, text));
}

static void print_classes(const json_t *classes)
{
    size_t n = json_array_size(classes);
    json_t **sorted = xcalloc(n + 1, sizeof *sorted);
    static const char *const keys[] = {"precision", "recall", "f1"};
    struct text_table table = {0};
    char text[24];
    for (size_t i = 0; i < n; i++)
        sorted[i] = json_array_get(classes, i);
    qsort(sorted, n, sizeof *sorted, worst_first);
    text_table_column(&table, "class", false);
    for (int k = 0; k < 3; k++)
        text_table_column(&table, keys[k], true);
    text_table_column(&table, "samples", true);
    for (size_t i = 0; i < n; i++) {
        text_table_row(&table);
        text_table_cell(&table, TEXT_PLAIN, class_name(sorted[i], "class", "label", text));
        for (int k = 0; k < 3; k++) {
            snprintf(text, sizeof text, "%.3f", js_double(sorted[i], keys[k], 0));
            text_table_cell(&table, TEXT_PLAIN, text);
        }
        snprintf(text, sizeof text, "%lld", (long long)js_int(sorted[i], "samples", 0));
        text_table_cell(&table, TEXT_PLAIN, text);
    }
    text_table_print(&table);
    text_table_release(&table);
    free(sorted);
}

/* The pairs of classes that are taken for each other most, at most ten. */
static void print_confused(const json_t *confusion, const json_t *classes)
{
    enum { MOST = 10 };
    int64_t least = INT64_MAX; /* what was printed had at least so many */
    size_t n = json_array_size(confusion), printed = 0;
    char is[24], said[24];
    while (printed < MOST) {
        int64_t worst = 0;
        for (size_t k = 0; k < n * n; k++) {
            int64_t count = json_integer_value(json_array_get(json_array_get(confusion, k / n), k % n));
            if (k / n != k % n && count < least && count > worst)
                worst = count;
        }
        if (!worst)
            break;
        for (size_t k = 0; k < n * n && printed < MOST; k++) {
            if (k / n == k % n || json_integer_value(json_array_get(json_array_get(confusion, k / n), k % n)) != worst)
                continue;
            printf("%s%6lld  ", printed++ ? "" : "\nmost often confused\n", (long long)worst);
            text_print(TEXT_PLAIN, class_name(json_array_get(classes, k / n), "class", "label", is));
            fputs(" taken for ", stdout);
            text_print(TEXT_PLAIN, class_name(json_array_get(classes, k % n), "class", "label", said));
            putchar('\n');
        }
        least = worst;
    }
}

static void print_calibration(const json_t *calibration)
{
    const json_t *bin;
    size_t i;
    struct text_table table = {0};
    static const char *const titles[] = {"sure", "samples", "on average", "right"};
    char text[24];
    printf("\nhow sure it is and how often right; expected calibration error %.4f\n", js_double(calibration, "ece", 0));
    for (int k = 0; k < 4; k++)
        text_table_column(&table, titles[k], k > 0);
    json_array_foreach(json_object_get(calibration, "bins"), i, bin) {
        text_table_row(&table);
        snprintf(text, sizeof text, "%.1f to %.1f", js_double(bin, "from", 0), js_double(bin, "to", 0));
        text_table_cell(&table, TEXT_PLAIN, text);
        snprintf(text, sizeof text, "%lld", (long long)js_int(bin, "samples", 0));
        text_table_cell(&table, TEXT_PLAIN, text);
        snprintf(text, sizeof text, "%.3f", js_double(bin, "confidence", 0));
        text_table_cell(&table, TEXT_PLAIN, text);
        snprintf(text, sizeof text, "%.3f", js_double(bin, "accuracy", 0));
        text_table_cell(&table, TEXT_PLAIN, text);
    }
    text_table_print(&table);
    text_table_release(&table);
}

static void print_hardest(const json_t *hardest)
{
    const json_t *sample;
    size_t i;
    char text[24];
    json_array_foreach((json_t *)hardest, i, sample) {
        printf("%s%6lld  loss %s", i ? "" : "\nhardest samples\n", (long long)js_int(sample, "index", 0),
               text_number(js_double(sample, "loss", 0)).text);
        if (json_object_get(sample, "predicted")) {
            fputs("  said ", stdout);
            text_print(TEXT_PLAIN, class_name(sample, "predicted_class", "predicted", text));
            fputs(" is ", stdout);
            text_print(TEXT_PLAIN, class_name(sample, "class", "label", text));
        }
        putchar('\n');
    }
}

static void print_output(const json_t *of)
{
    const json_t *classes = json_object_get(of, "per_class"), *calibration = json_object_get(of, "calibration");
    if (classes) {
        putchar('\n');
        print_classes(classes);
    }
    print_confused(json_object_get(of, "confusion"), classes);
    if (calibration)
        print_calibration(calibration);
    print_hardest(json_object_get(of, "hardest"));
}

static void print_details(const json_t *result)
{
    const json_t *outputs = json_object_get(result, "outputs"), *of;
    size_t k;
    print_result(result);
    if (!outputs)
        print_output(result);
    json_array_foreach((json_t *)outputs, k, of) {
        fputs("\noutput ", stdout);
        text_print(TEXT_BOLD, js_string(of, "name", ""));
        putchar('\n');
        print_output(k ? of : result); /* what is said of the first stands in the result itself */
    }
}

/* Of a run's own data and settings: the screen shows it without computing it again. */
static void keep(const json_t *request, const json_t *result)
{
    if (result && cli_is_own(request) && json_object_get(request, "details"))
        evaluation_keep(js_string(request, "checkpoint", ""), result);
}

bool cli_evaluate(struct cli *cli, struct err *err)
{
    bool details = cli_option(cli, "--details");
    json_t *request = cli_request(cli, err), *result = NULL;
    if (request && cli_add_checkpoint(cli, request, err) && cli_add_data(cli, request, err)) {
        const char *split = cli_option(cli, "--split");
        if (split)
            json_object_set_new(request, "split", json_string(split));
        if (details)
            json_object_set_new(request, "details", json_true());
        result = cli_ask("evaluate", request, err);
        keep(request, result);
    }
    json_decref(request);
    return cli_print_result(cli, result, details ? print_details : print_result);
}
