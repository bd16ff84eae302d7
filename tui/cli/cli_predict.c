/* cli_predict.c - antler predict CHECKPOINT --input ...: outputs for a file or a part of the run's data; --prompt ...:
 * see cli_generate.c. */
#include "base/arena.h"
#include "base/io.h"
#include "tui/cli/cli_commands.h"
#include "tui/client/cli_request.h"
#include "tui/client/cli_text.h"
#include "tui/client/prediction.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_SAMPLES = 20, SHOWN_VALUES = 12, KEPT_SAMPLES = 512 };

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
        return err_set(
            err, ERR_USAGE,
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

/* "test", "test[3]", "test[2:5]", "test[2:]" or, of the part that is taken when none is named, "[2:5]": first and end,
 * -1 for an open one. False: another text, or bounds that count from the end. */
static bool read_range(const char *text, char part[16], int64_t *first, int64_t *end)
{
    size_t length = strcspn(text, "[");
    long long from = 0, to = -1;
    int used = 0;
    if (length > 15 || text[0] == '/')
        return false;
    snprintf(part, 16, "%.*s", (int)length, text);
    const char *rest = text + length;
    bool one = sscanf(rest, "[%lld]%n", &from, &used) == 1 && used && !rest[used], known = one || !*rest;
    known = known || (sscanf(rest, "[%lld:%lld]%n", &from, &to, &used) == 2 && used && !rest[used] && to >= 0);
    known = known || (sscanf(rest, "[:%lld]%n", &to, &used) == 1 && used && !rest[used] && to >= 0);
    if (!known) {
        to = -1;
        known = sscanf(rest, "[%lld:]%n", &from, &used) == 1 && used && !rest[used];
    }
    *first = from;
    *end = one ? from + 1 : to;
    return known && from >= 0;
}

/* All that was asked for is kept; or NULL. */
static json_t *find_kept(const json_t *request)
{
    char part[16];
    int64_t first, end;
    double made;
    const char *checkpoint = js_string(request, "checkpoint", "");
    if (!read_range(js_string(request, "input", "/"), part, &first, &end))
        return NULL;
    json_t *result = prediction_kept(checkpoint, part, first, end, &made);
    int64_t total = js_int(json_object_get(result, "data"), "total", 0), wanted = end < 0 || end > total ? total : end;
    if (result && js_int(result, "samples", 0) == wanted - first) {
        cli_say_kept(result, made);
        return result;
    }
    json_decref(result);
    return NULL;
}

/* What --json does not ask for. */
static void leave_out_details(json_t *result)
{
    json_object_del(result, "details");
    json_object_del(result, "data");
}

static json_t *predict(const struct cli *cli, json_t *request, struct err *err)
{
    char part[16];
    int64_t first, end;
    bool own = read_range(js_string(request, "input", "/"), part, &first, &end) && cli_is_own(request);
    bool few = own && end >= 0 && end - first <= KEPT_SAMPLES, asked = js_bool(request, "details", false);
    bool again = cli_option(cli, "--again");
    json_t *result = own && !again ? find_kept(request) : NULL;
    if (!result) {
        json_object_set_new(request, "details", json_boolean(asked || few)); /* with them it can be kept */
        result = cli_ask("predict", request, err);
        if (result && own && again)
            prediction_forget(js_string(request, "checkpoint", ""), js_string(result, "split", ""));
        if (result && own)
            prediction_keep(js_string(request, "checkpoint", ""), result);
    }
    if (result && !asked)
        leave_out_details(result);
    return result;
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
        json_array_foreach((json_t *)value, i, entry)
            print_numbers(entry, left);
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
        json_object_foreach((json_t *)outputs, name, values) {
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
        result = predict(cli, request, err);
    json_decref(request);
    if (writes)
        return ok;
    return cli_print_result(cli, result, print_result);
}
