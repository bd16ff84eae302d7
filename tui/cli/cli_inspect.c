/* cli_inspect.c - antler inspect FILE, antler check CONFIG, antler doctor: what the worker finds, as text. */
#include "base/arena.h"
#include "persistence/config/run_config.h"
#include "persistence/files/atomic_file.h"
#include "tui/cli/cli_commands.h"
#include "tui/client/cli_request.h"
#include "tui/client/cli_text.h"

#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is unusual about a layer. */
static const char *remark(const json_t *layer)
{
    bool frozen = !js_bool(layer, "trainable", true);
    if (strcmp(js_string(layer, "dtype_policy", "float32"), "float32") != 0)
        return frozen ? "frozen, bfloat16" : "bfloat16";
    return frozen ? "frozen" : "";
}

static void print_layers(const json_t *layers)
{
    struct text_table table = {0};
    text_table_column(&table, "layer", false);
    text_table_column(&table, "class", false);
    text_table_column(&table, "output", false);
    text_table_column(&table, "params", true);
    text_table_column(&table, "", false);
    const json_t *layer;
    size_t i;
    json_array_foreach((json_t *)layers, i, layer) {
        struct str shape = {0};
        text_add_shape(&shape, json_object_get(layer, "output_shape"));
        char params[32];
        snprintf(params, sizeof params, "%lld", (long long)js_int(layer, "params", 0));
        text_table_row(&table);
        text_table_cell(&table, TEXT_PLAIN, js_string(layer, "name", ""));
        text_table_cell(&table, TEXT_PLAIN, js_string(layer, "class", ""));
        text_table_cell(&table, TEXT_PLAIN, str_text(&shape));
        text_table_cell(&table, TEXT_PLAIN,
                        json_is_integer(json_object_get(layer, "params")) ? params : text_missing());
        text_table_cell(&table, TEXT_DIM, remark(layer));
        str_release(&shape);
    }
    text_table_print(&table);
    text_table_release(&table);
}

static void print_lines(const char *label, enum text_style style, const json_t *lines)
{
    const json_t *line;
    size_t i;
    json_array_foreach((json_t *)lines, i, line) {
        printf("%s: ", label);
        text_print(style, json_string_value(line) ? json_string_value(line) : "");
        putchar('\n');
    }
}

static void print_weights(const json_t *weights)
{
    struct text_table table = {0};
    text_table_column(&table, "weight", false);
    text_table_column(&table, "shape", false);
    text_table_column(&table, "type", false);
    const json_t *weight;
    size_t i;
    json_array_foreach((json_t *)weights, i, weight) {
        struct str shape = {0};
        text_add_shape(&shape, json_object_get(weight, "shape"));
        text_table_row(&table);
        text_table_cell(&table, TEXT_PLAIN, js_string(weight, "path", ""));
        text_table_cell(&table, TEXT_PLAIN, str_text(&shape));
        text_table_cell(&table, TEXT_PLAIN, js_string(weight, "dtype", ""));
        str_release(&shape);
    }
    text_table_print(&table);
    text_table_release(&table);
}

static void print_file(const json_t *result)
{
    const json_t *model = json_object_get(result, "model"), *optimizer = json_object_get(result, "optimizer");
    text_print(TEXT_BOLD, js_string(result, "file", ""));
    printf("\n%s", js_string(result, "format", ""));
    if (js_string(result, "keras_version", NULL)) {
        printf(", Keras ");
        text_print(TEXT_PLAIN, js_string(result, "keras_version", ""));
    }
    if (json_is_object(model)) {
        printf(", %s ", js_string(model, "class", ""));
        text_print(TEXT_PLAIN, js_string(model, "name", ""));
    }
    printf(", %lld parameters\n\n", (long long)js_int(result, "params", 0));
    if (json_array_size(json_object_get(result, "layers")))
        print_layers(json_object_get(result, "layers"));
    else
        print_weights(json_object_get(result, "weights"));
    if (json_is_object(optimizer)) {
        printf("optimizer: ");
        text_print(TEXT_PLAIN, js_string(optimizer, "class", "unknown"));
        printf(", %lld variables of its state\n", (long long)js_int(optimizer, "variables", 0));
    }
    print_lines("problem", TEXT_BAD, json_object_get(result, "problems"));
}

bool cli_inspect(struct cli *cli, struct err *err)
{
    char *path = cli_absolute(cli->arguments[0]);
    if (access(path, F_OK)) {
        free(path);
        return err_set(err, ERR_NOT_FOUND, "there is no file '%s'", cli->arguments[0]);
    }
    json_t *request = json_pack("{s:s}", "file", path);
    json_t *result = cli_ask("inspect", request, err);
    json_decref(request);
    free(path);
    if (result && cli->json)
        cli_print_json(json_incref(result));
    else if (result)
        print_file(result);
    json_decref(result);
    return result != NULL;
}

static void print_data(const json_t *data)
{
    printf("data: %lld train, %lld validation, %lld test", (long long)js_int(data, "train", 0),
           (long long)js_int(data, "validation", 0), (long long)js_int(data, "test", 0));
    if (js_int(data, "classes", 0))
        printf(", %lld classes", (long long)js_int(data, "classes", 0));
    const json_t *input;
    size_t i;
    json_array_foreach(json_object_get(data, "inputs"), i, input) {
        struct str shape = {0};
        text_add_shape(&shape, json_object_get(input, "shape"));
        printf(", input %s %s", str_text(&shape), js_string(input, "dtype", ""));
        str_release(&shape);
    }
    putchar('\n');
}

static void print_check(const char *path, const json_t *result)
{
    const json_t *memory = json_object_get(result, "memory");
    text_print(TEXT_BOLD, path);
    printf("\n\n");
    print_layers(js_at(result, "model.layers"));
    printf("\nparameters: %lld, %lld trainable\n", (long long)js_int(result, "params", 0),
           (long long)js_int(result, "trainable_params", 0));
    printf("memory: about %s", text_size(js_int(result, "memory_bytes", 0)).text);
    if (js_int(memory, "device", 0))
        printf(", and %s on the GPU", text_size(js_int(memory, "device", 0)).text);
    if (memory)
        printf(" (weights %s, optimizer %s, steps %s, data %s, copy for checkpoints %s)",
               text_size(js_int(memory, "parameters", 0)).text, text_size(js_int(memory, "optimizer", 0)).text,
               text_size(js_int(memory, "steps", 0)).text, text_size(js_int(memory, "data", 0)).text,
               text_size(js_int(memory, "checkpoint", 0)).text);
    putchar('\n');
    print_data(json_object_get(result, "data"));
    print_lines("warning", TEXT_BAD, json_object_get(result, "warnings"));
}

/* --architecture FILE: what Keras' model_from_json reads. */
static bool write_architecture(const struct cli *cli, const json_t *result, struct err *err)
{
    const char *path = cli_option(cli, "--architecture");
    if (!path)
        return true;
    char *text = js_text(json_object_get(result, "architecture"), 0);
    bool ok = atomic_file_save(path, text, strlen(text), err);
    free(text);
    return ok;
}

bool cli_check(struct cli *cli, struct err *err)
{
    char *folder = NULL;
    json_t *config = cli_read_config(cli, cli->arguments[0], &folder, err),
           *request = config ? cli_request(cli, err) : NULL, *result = NULL;
    if (request) {
        json_object_set(request, "config", config);
        json_object_set_new(request, "folder", json_string(folder));
        json_object_set_new(request, "where", json_string(cli->arguments[0]));
        result = cli_ask("check", request, err);
    }
    bool ok = result && write_architecture(cli, result, err);
    if (ok && cli->json)
        cli_print_json(json_incref(result));
    else if (ok)
        print_check(cli->arguments[0], result);
    json_decref(result);
    json_decref(request);
    json_decref(config);
    free(folder);
    return ok;
}

/* What this program sees of the terminal and the home, beside what the worker found. */
static void add_own_findings(const struct cli *cli, json_t *result)
{
    const char *term = getenv("TERM"), *color = getenv("COLORTERM");
    json_object_set_new(result, "locale", json_string(nl_langinfo(CODESET)));
    json_object_set_new(result, "terminal",
                        json_pack("{s:s,s:s,s:b,s:i}", "term", term ? term : "", "colorterm", color ? color : "",
                                  "interactive", isatty(STDOUT_FILENO) && isatty(STDIN_FILENO), "columns",
                                  text_width()));
    char *home = cli_absolute(cli->home);
    bool there = !access(home, F_OK), writable = !access(home, W_OK);
    json_object_set_new(result, "home",
                        json_pack("{s:s,s:b,s:b}", "path", home, "exists", there, "writable", writable));
    if (there && !writable)
        json_array_append_new(json_object_get(result, "warnings"),
                              json_sprintf("the home '%s' cannot be written: it can only be read", home));
    free(home);
}

static void print_doctor(const json_t *result)
{
    const json_t *device;
    size_t i;
    printf("sandbox   %s\n", js_string(json_object_get(result, "sandbox"), "text", ""));
    printf("cpu       %s, %lld threads\n", js_string(result, "cpu", ""), (long long)js_int(result, "threads", 0));
    json_array_foreach(json_object_get(result, "devices"), i, device)
        if (js_bool(device, "available", false))
            printf("device    %s: %s\n", js_string(device, "name", ""), js_string(device, "text", ""));
        else
            printf("          %s\n", js_string(device, "text", ""));
    printf("locale    %s\n", js_string(result, "locale", ""));
    const json_t *terminal = json_object_get(result, "terminal"), *home = json_object_get(result, "home");
    printf("terminal  %s%s%s\n", js_string(terminal, "term", ""), *js_string(terminal, "colorterm", "") ? ", " : "",
           js_string(terminal, "colorterm", ""));
    printf("home      ");
    text_print(TEXT_PLAIN, js_string(home, "path", ""));
    printf("%s\n", js_bool(home, "exists", false) ? js_bool(home, "writable", false) ? "" : " (cannot be written)"
                                                  : " (not there yet)");
    print_lines("warning", TEXT_BAD, json_object_get(result, "warnings"));
}

bool cli_doctor(struct cli *cli, struct err *err)
{
    json_t *request = json_object(), *result = cli_ask("doctor", request, err);
    json_decref(request);
    if (!result)
        return false;
    add_own_findings(cli, result);
    if (cli->json)
        cli_print_json(json_incref(result));
    else
        print_doctor(result);
    json_decref(result);
    return true;
}
