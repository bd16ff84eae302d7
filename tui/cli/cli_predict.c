/* cli_predict.c - antler predict CHECKPOINT --input ...: outputs for a file or a part of the run's data; --prompt ...:
 * see cli_generate.c. */
#include "base/arena.h"
#include "base/io.h"
#include "tui/cli/cli_commands.h"
#include "tui/client/cli_request.h"
#include "tui/client/cli_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_SAMPLES = 20, SHOWN_VALUES = 12 };

/* "test[0:16]" goes as it is; anything else is a file. */
static bool is_range(const char *text)
{
    static const char *const splits[] = {"train", "validation", "test"};
    size_t length = strcspn(text, "[");
    for (int i = 0; i < 3; i++)
        if (strlen(splits[i]) == length && !strncmp(text, splits[i], length))
            return !path_exists(text);
    return false;
}

static bool add_files(const struct cli *cli, json_t *request, struct err *err)
{
    const char *input = cli_option(cli, "--input"), *output = cli_option(cli, "--output");
    if (!input)
        return err_set(err, ERR_USAGE,
                       "say what to predict: --input FILE, a part of the run's data as --input 'test[0:16]', or --prompt TEXT "
                       "for a model that writes text");
    if (!is_range(input) && !path_exists(input))
        return err_set(err, ERR_USAGE, "--input: there is no file '%s'", input);
    char *path = is_range(input) ? xstrdup(input) : cli_absolute(input);
    json_object_set_new(request, "input", json_string(path));
    free(path);
    if (output) {
        char *absolute = cli_absolute(output);
        json_object_set_new(request, "output", json_string(absolute));
        free(absolute);
    }
    json_object_set_new(request, "details", json_boolean(!cli->json && !output));
    return true;
}

/* What steers the writing of a text is not silently ignored elsewhere. */
static bool check_writing(const struct cli *cli, struct err *err)
{
    static const char *const steering[] = {"--tokens", "--temperature", "--seed"};
    for (size_t i = 0; i < sizeof steering / sizeof *steering; i++)
        if (!cli_option(cli, "--prompt") && cli_option(cli, steering[i]))
            return err_set(err, ERR_USAGE, "%s belongs to --prompt TEXT, for models that write text", steering[i]);
    return true;
}

static void print_numbers(const json_t *value, int *left)
{
    if (json_is_array(value)) {
        const json_t *entry;
        size_t i;
        json_array_foreach((json_t *)value, i, entry) print_numbers(entry, left);
        return;
    }
    double number = 0;
    if (!*left || !js_to_double(value, &number))
        return;
    printf("%s%s", *left < SHOWN_VALUES ? " " : "", text_number(number).text);
    if (!--*left)
        printf(" ...");
}

/* What it says of one sample, and what the data say. */
static void print_class(const json_t *sample)
{
    const char *predicted = js_string(sample, "predicted_class", NULL), *truth = js_string(sample, "class", NULL);
    if (!json_object_get(sample, "predicted"))
        return;
    struct str line = {0};
    if (predicted)
        str_add(&line, predicted);
    else
        str_addf(&line, "%lld", (long long)js_int(sample, "predicted", 0));
    str_addf(&line, " %.1f %%", 100 * js_double(sample, "probability", 0));
    bool known = json_object_get(sample, "label") != NULL,
         right = js_int(sample, "label", -1) == js_int(sample, "predicted", -2);
    if (known && !right && truth)
        str_addf(&line, " (is %s)", truth);
    else if (known && !right)
        str_addf(&line, " (is %lld)", (long long)js_int(sample, "label", 0));
    text_print(known ? right ? TEXT_GOOD : TEXT_BAD : TEXT_PLAIN, str_text(&line));
    fputs("  ", stdout);
    str_release(&line);
}

static void print_result(const json_t *result)
{
    const char *file = js_string(result, "file", NULL);
    size_t n = (size_t)js_int(result, "samples", 0);
    if (file) {
        printf("%zu samples written to %s\n", n, file);
        return;
    }
    const json_t *outputs = json_object_get(result, "outputs"), *details = json_object_get(result, "details");
    for (size_t i = 0; i < n && i < SHOWN_SAMPLES; i++) {
        const json_t *sample = json_array_get(details, i);
        printf("%4lld  ", (long long)js_int(sample, "index", (int64_t)i));
        print_class(sample);
        const char *name;
        json_t *values;
        json_object_foreach((json_t *)outputs, name, values)
        {
            int left = SHOWN_VALUES;
            if (json_object_size(outputs) > 1)
                printf(" %s:", name);
            print_numbers(json_array_get(values, i), &left);
        }
        putchar('\n');
    }
    if (n > SHOWN_SAMPLES)
        printf("      ... %zu more (--json or --output FILE has all)\n", n - SHOWN_SAMPLES);
}

bool cli_predict(struct cli *cli, struct err *err)
{
    json_t *request = cli_request(cli, err), *result = NULL;
    bool writes = cli_option(cli, "--prompt") != NULL,
         ok = request && check_writing(cli, err) && (writes || add_files(cli, request, err)) &&
              cli_add_checkpoint(cli, request, err) && cli_add_data(cli, request, err);
    if (ok && writes)
        ok = cli_generate(cli, request, err);
    else if (ok)
        result = cli_ask("predict", request, err);
    json_decref(request);
    if (writes)
        return ok;
    return cli_print_result(cli, result, print_result);
}
