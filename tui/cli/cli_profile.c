/* cli_profile.c - see cli_profile.h */
#include "base/io.h"
#include "tui/cli/cli_profile.h"
#include "tui/client/cli_text.h"

#include <stdio.h>
#include <stdlib.h>

enum { KERNELS_SHOWN = 16, SUMS_SHOWN = 8 };

json_t *profile_read(const char *run_folder, struct err *err)
{
    char *path = path_join(run_folder, "profile.json");
    json_t *profile = js_read(path, JS_STRICT, err);
    free(path);
    return profile;
}

static void cell(struct text_table *table, double value, int decimals, const char *unit)
{
    char text[32];
    snprintf(text, sizeof text, "%.*f%s", decimals, value, unit);
    text_table_cell(table, TEXT_PLAIN, text);
}

static void row_cells(struct text_table *table, const json_t *row, double steps)
{
    double gflops = js_double(row, "gflops", 0);
    cell(table, 1e3 * js_double(row, "seconds", 0) / steps, 4, "");
    cell(table, 100 * js_double(row, "share", 0), 1, " %");
    if (gflops > 0)
        cell(table, gflops, 1, "");
    else
        text_table_cell(table, TEXT_PLAIN, "");
    cell(table, js_double(row, "gbytes_per_s", 0), 1, "");
    cell(table, 100 * js_double(row, "floor", 0), 0, " %");
}

static void columns(struct text_table *table, const char *const *names)
{
    for (; *names; names++)
        text_table_column(table, *names, false);
    for (const char *const *name = (const char *const[]){"ms a step", "share", "GFLOP/s", "GB/s", "of floor", NULL};
         *name; name++)
        text_table_column(table, *name, true);
}

/* Rows are sorted by time: the first ones, and the rest in one line. */
static void print_rows(const json_t *part, const char *key, const char *const *names, size_t shown)
{
    const json_t *rows = json_object_get(part, key), *row;
    double calls = (double)js_int(part, "full_steps", 1), rest_s = 0, rest_share = 0;
    struct text_table table = {0};
    columns(&table, names);
    size_t i;
    json_array_foreach((json_t *)rows, i, row) {
        if (i >= shown) {
            rest_s += js_double(row, "seconds", 0);
            rest_share += js_double(row, "share", 0);
            continue;
        }
        text_table_row(&table);
        for (const char *const *name = names; *name; name++) {
            const json_t *value = json_object_get(row, *name);
            struct str text = {0};
            if (json_is_array(value))
                text_add_shape(&text, value);
            else
                str_addf(&text, "%s%s", js_string(row, *name, ""),
                         name == names && shown == KERNELS_SHOWN && js_bool(row, "fused", false) ? " +" : "");
            text_table_cell(&table, TEXT_PLAIN, text.length ? str_text(&text) : text_missing());
            str_release(&text);
        }
        row_cells(&table, row, calls > 0 ? calls : 1);
    }
    if (json_array_size(rows) > shown) {
        char text[32];
        snprintf(text, sizeof text, "%zu others", json_array_size(rows) - shown);
        text_table_row(&table);
        text_table_cell(&table, TEXT_DIM, text);
        for (const char *const *name = names + 1; *name; name++)
            text_table_cell(&table, TEXT_PLAIN, "");
        cell(&table, 1e3 * rest_s / calls, 4, "");
        cell(&table, 100 * rest_share, 1, " %");
    }
    text_table_print(&table);
    text_table_release(&table);
}

static void print_times(const json_t *part, const json_t *machine)
{
    const json_t *shares = json_object_get(part, "shares");
    double products_ms = 2e3 * (double)js_int(part, "multiply_adds", 0) / js_double(machine, "gflops", 1) / 1e9;
    printf("\n%lld steps of %lld samples, %s ms each: kernels %.1f %%, batches %.1f %%, between %.1f %%",
           (long long)js_int(part, "steps", 0), (long long)js_int(part, "batch_size", 0),
           text_number(js_double(part, "step_ms", 0)).text, 100 * js_double(shares, "kernels", 0),
           100 * js_double(shares, "batches", 0), 100 * js_double(shares, "between", 0));
    if (js_double(part, "clocks", 0) > 0.01)
        printf(" (of it %.1f %% for looking at the clock)", 100 * js_double(part, "clocks", 0));
    if (products_ms > 0)
        printf("\nits products alone take %s ms at this machine's rate: %.0f %% of the step",
               text_number(products_ms).text, 100 * products_ms / js_double(part, "step_ms", 1));
    printf("\n\n");
}

static void print_memory(const json_t *memory)
{
    printf("\nmemory: peak %s", text_size(js_int(memory, "peak", 0)).text);
    printf(", expected %s", text_size(js_int(memory, "total", 0)).text);
    if (js_int(memory, "device", 0))
        printf(" and %s on the GPU", text_size(js_int(memory, "device", 0)).text);
    fputs(" (", stdout);
    const char *separator = "";
    for (const char *const *key = (const char *const[]){"parameters", "optimizer", "metrics", "steps", "data",
                                                        "checkpoint", "program", NULL};
         *key; key++) {
        printf("%s%s %s", separator, *key, text_size(js_int(memory, *key, 0)).text);
        separator = ", ";
    }
    puts(")");
}

void profile_print(const json_t *profile)
{
    const json_t *train = json_object_get(profile, "train"), *machine = json_object_get(profile, "machine");
    if (train) {
        print_times(train, machine);
        print_rows(train, "kernels", (const char *const[]){"op", "layer", "shape", NULL}, KERNELS_SHOWN);
        putchar('\n');
        print_rows(train, "ops", (const char *const[]){"op", NULL}, SUMS_SHOWN);
        putchar('\n');
        print_rows(train, "layers", (const char *const[]){"layer", NULL}, SUMS_SHOWN);
        puts("\n+ with what follows fused in. of floor: the time that its products, or reading and writing its "
             "operands once, take at this machine's rates");
    }
    bool gpu = str_starts(js_string(machine, "device", ""), "cuda");
    printf("machine: %s; products%s: %.0f GFLOP/s, copies%s: %.0f GB/s", js_string(machine, "kernels", ""),
           gpu ? "" : " of 512", js_double(machine, "gflops", 0), gpu ? " of its memory" : " in the cache",
           js_double(machine, "gbytes_per_s", 0));
    print_memory(json_object_get(profile, "memory"));
}
