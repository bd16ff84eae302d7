/* cli_compare.c - antler compare: which parameters differ, and what came of it */
#include "tui/cli_commands.h"
#include "tui/cli_text.h"
#include "tui/comparison.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *metric_json(const struct compared *list, size_t n, const char *name)
{
    json_t *last = json_array(), *best = json_array(), *epoch = json_array();
    for (size_t i = 0; i < n; i++) {
        const struct metric_summary *metric = compared_metric(list[i].run, name);
        bool has_best = metric && !isnan(metric->best);
        json_array_append_new(last, metric ? js_number(metric->last) : json_null());
        json_array_append_new(best, has_best ? js_number(metric->best) : json_null());
        json_array_append_new(epoch, has_best ? json_integer(metric->best_epoch) : json_null());
    }
    return json_pack("{s:o, s:o, s:o, s:o}", "name", text_json(name), "last", last, "best", best, "best_epoch", epoch);
}

static void print_json(const struct compared *list, size_t n, const char **keys, size_t n_keys, const char **metrics,
                       size_t n_metrics)
{
    json_t *runs = json_array(), *config = json_array(), *results = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(runs, text_json(list[i].run->id));
    for (size_t k = 0; k < n_keys; k++) {
        json_t *values = json_array();
        for (size_t i = 0; i < n; i++) {
            const char *text = compared_param(&list[i], keys[k]);
            json_t *value = text ? js_parse(text, strlen(text), "parameter", JS_STRICT, NULL) : NULL;
            json_array_append_new(values, value ? value : json_null());
        }
        json_array_append_new(config, json_pack("{s:o, s:o}", "key", text_json(keys[k]), "values", values));
    }
    for (size_t m = 0; m < n_metrics; m++)
        json_array_append_new(results, metric_json(list, n, metrics[m]));
    cli_print_json(json_pack("{s:o, s:o, s:o}", "runs", runs, "config", config, "metrics", results));
}

static void add_run_columns(struct text_table *table, const struct compared *list, size_t n, const char *title,
                            bool right)
{
    text_table_column(table, title, false);
    for (size_t i = 0; i < n; i++) {
        size_t same = 0;
        for (size_t k = 0; k < n; k++)
            same += !strcmp(list[i].run->name, list[k].run->name);
        text_table_column(table, same > 1 ? list[i].run->id : list[i].run->name, right);
    }
}

static void print_config(const struct compared *list, size_t n, const char **keys, size_t n_keys)
{
    struct text_table table = {0};
    add_run_columns(&table, list, n, "config", false);
    for (size_t k = 0; k < n_keys; k++) {
        text_table_row(&table);
        text_table_cell(&table, TEXT_PLAIN, keys[k]);
        for (size_t i = 0; i < n; i++) {
            const char *value = compared_param(&list[i], keys[k]);
            text_table_cell(&table, TEXT_PLAIN, value ? value : text_missing());
        }
    }
    if (n_keys)
        text_table_print(&table);
    else
        puts("the configs are equal");
    text_table_release(&table);
}

static void print_metrics(const struct compared *list, size_t n, const char **metrics, size_t n_metrics)
{
    struct text_table table = {0};
    add_run_columns(&table, list, n, "best", false);
    for (size_t m = 0; m < n_metrics; m++) {
        size_t best = compared_champion(list, n, metrics[m]);
        text_table_row(&table);
        text_table_cell(&table, TEXT_PLAIN, metrics[m]);
        for (size_t i = 0; i < n; i++) {
            const struct metric_summary *metric = compared_metric(list[i].run, metrics[m]);
            struct str text = {0};
            if (!metric || isnan(metric->best))
                str_add(&text, metric ? "NaN" : text_missing());
            else
                str_addf(&text, "%s @%lld", text_number(metric->best).text, (long long)metric->best_epoch);
            if (i == best)
                str_add(&text, " *");
            else if (metric && !isnan(metric->best))
                str_addf(&text, " (%+.3g)", metric->best - compared_metric(list[best].run, metrics[m])->best);
            text_table_cell(&table, i == best ? TEXT_GOOD : TEXT_PLAIN, str_text(&text));
            str_release(&text);
        }
    }
    putchar('\n');
    if (n_metrics) {
        text_table_print(&table);
        puts("* best of the row; in brackets the distance to it");
    } else {
        puts("no metrics so far");
    }
    text_table_release(&table);
}

static bool load(struct cli *cli, struct index *index, struct compared *list, struct arena *arena, struct err *err)
{
    enum { RUNS_MAX = 60 };
    if (cli->n_arguments > RUNS_MAX)
        return err_set(err, ERR_USAGE, "%zu runs, at most %d are compared", cli->n_arguments, RUNS_MAX);
    for (size_t a = 0; a < cli->n_arguments; a++) {
        list[a].run = index_find(index, cli->arguments[a], arena, err);
        if (!list[a].run || !index_params(index, list[a].run->id, arena, &list[a].params, &list[a].n_params, err))
            return false;
    }
    return true;
}

bool cli_compare(struct cli *cli, struct err *err)
{
    struct index *index = text_open_index(cli->home, err);
    struct arena arena = {0};
    size_t n = cli->n_arguments, n_keys, n_metrics;
    struct compared *list = arena_array(&arena, n, sizeof *list);
    bool ok = index && load(cli, index, list, &arena, err);
    if (ok) {
        const char **keys = compared_keys(list, n, cli_option(cli, "--all"), &arena, &n_keys);
        const char **metrics = compared_metrics(list, n, &arena, &n_metrics);
        if (cli->json) {
            print_json(list, n, keys, n_keys, metrics, n_metrics);
        } else {
            print_config(list, n, keys, n_keys);
            print_metrics(list, n, metrics, n_metrics);
        }
    }
    arena_release(&arena);
    index_close(index);
    return ok;
}
