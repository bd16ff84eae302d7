/* cli_checkpoints.c - antler checkpoints: what can be evaluated, resumed and branched from */
#include "base/arena.h"
#include "persistence/runs/kept_results.h"
#include "tui/cli/cli_commands.h"
#include "tui/client/cli_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *kept_json(const struct checkpoint_summary *checkpoint)
{
    struct arena arena = {0};
    const char *const *what;
    size_t n = kept_list(checkpoint->path, &arena, &what);
    json_t *all = json_array();
    for (size_t i = 0; i < n; i++) {
        char *path = kept_path(checkpoint->path, what[i]);
        json_array_append_new(all,
                              json_pack("{s:o, s:o}", "what", js_text_value(what[i]), "path", js_text_value(path)));
        free(path);
    }
    arena_release(&arena);
    return all;
}

/* "evaluate-test predict-test-0-64" */
static void add_kept(struct text_table *table, const struct checkpoint_summary *checkpoint)
{
    struct arena arena = {0};
    struct str text = {0};
    const char *const *what;
    size_t n = kept_list(checkpoint->path, &arena, &what);
    for (size_t i = 0; i < n; i++)
        str_addf(&text, "%s%s", i ? " " : "", what[i]);
    text_table_cell(table, TEXT_DIM, str_text(&text));
    str_release(&text);
    arena_release(&arena);
}

static json_t *checkpoint_json(const struct checkpoint_summary *checkpoint)
{
    json_t *metrics = json_object();
    for (size_t m = 0; m < checkpoint->n_metrics; m++)
        json_object_set_new(metrics, checkpoint->metrics[m].name, js_number(checkpoint->metrics[m].last));
    return json_pack("{s:o, s:o, s:I, s:I, s:o, s:I, s:b, s:b, s:o, s:o}", "checkpoint",
                     js_text_value(checkpoint->name), "path", js_text_value(checkpoint->path), "epoch",
                     (json_int_t)checkpoint->epoch, "step", (json_int_t)checkpoint->step, "created",
                     js_number(checkpoint->created), "size_bytes", (json_int_t)checkpoint->size_bytes, "weights_only",
                     (int)checkpoint->weights_only, "best", (int)checkpoint->best, "metrics", metrics, "kept",
                     kept_json(checkpoint));
}

static void print_json(const struct checkpoint_summary *list, size_t n)
{
    json_t *json = json_array();
    for (size_t i = 0; i < n; i++)
        if (!list[i].missing)
            json_array_append_new(json, checkpoint_json(&list[i]));
    cli_print_json(json);
}

static void add_row(struct text_table *table, const struct checkpoint_summary *checkpoint, const char *const *names,
                    size_t n_names)
{
    char number[32];
    text_table_row(table);
    text_table_cell(table, TEXT_BOLD, checkpoint->name);
    snprintf(number, sizeof number, "%lld", (long long)checkpoint->epoch);
    text_table_cell(table, TEXT_PLAIN, number);
    snprintf(number, sizeof number, "%lld", (long long)checkpoint->step);
    text_table_cell(table, TEXT_DIM, number);
    for (size_t c = 0; c < n_names; c++) {
        const char *text = text_missing();
        struct text value;
        for (size_t m = 0; m < checkpoint->n_metrics; m++)
            if (!strcmp(checkpoint->metrics[m].name, names[c])) {
                value = text_number(checkpoint->metrics[m].last);
                text = value.text;
            }
        text_table_cell(table, TEXT_PLAIN, text);
    }
    text_table_cell(table, TEXT_PLAIN, text_size(checkpoint->size_bytes).text);
    text_table_cell(table, TEXT_DIM, text_age(checkpoint->created).text);
    text_table_cell(table, TEXT_PLAIN, checkpoint->weights_only ? "weights only" : "");
    text_table_cell(table, TEXT_GOOD,
                    checkpoint->best   ? checkpoint->last ? "best, last" : "best"
                    : checkpoint->last ? "last"
                                       : "");
    add_kept(table, checkpoint);
}

static void print_table(const struct checkpoint_summary *list, size_t n)
{
    enum { METRICS_MAX = 12 };
    const char *names[METRICS_MAX];
    size_t n_names = 0, n_missing = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t m = 0; m < list[i].n_metrics; m++) {
            size_t c = 0;
            while (c < n_names && strcmp(names[c], list[i].metrics[m].name) != 0)
                c++;
            if (c == n_names && n_names < METRICS_MAX)
                names[n_names++] = list[i].metrics[m].name;
        }
    struct text_table table = {0};
    text_table_column(&table, "checkpoint", false);
    text_table_column(&table, "epoch", true);
    text_table_column(&table, "step", true);
    for (size_t c = 0; c < n_names; c++)
        text_table_column(&table, names[c], true);
    text_table_column(&table, "size", true);
    text_table_column(&table, "age", true);
    text_table_column(&table, "holds", false);
    text_table_column(&table, "", false);
    text_table_column(&table, "kept", false);
    for (size_t i = 0; i < n; i++) {
        n_missing += list[i].missing;
        if (!list[i].missing)
            add_row(&table, &list[i], names, n_names);
    }
    text_table_print(&table);
    text_table_release(&table);
    if (n_missing == n)
        puts("no checkpoints");
    if (n_missing)
        printf("%zu more were written whose files are gone\n", n_missing);
}

bool cli_checkpoints(struct cli *cli, struct err *err)
{
    struct index *index = text_open_index(cli->home, err);
    struct arena arena = {0};
    const struct checkpoint_summary *list;
    size_t n;
    const struct run_summary *run = index ? index_find(index, cli->arguments[0], &arena, err) : NULL;
    bool ok = run && index_checkpoints(index, run->id, &arena, &list, &n, err);
    if (ok && cli->json)
        print_json(list, n);
    else if (ok)
        print_table(list, n);
    arena_release(&arena);
    index_close(index);
    return ok;
}
