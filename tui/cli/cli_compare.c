/* cli_compare.c - antler compare: which parameters differ, what came of it, and what it hangs on */
#include "tui/cli/cli_commands.h"
#include "tui/client/cli_text.h"
#include "tui/client/importance.h"

#include "persistence/files/atomic_file.h"
#include "persistence/runs/metric_direction.h"

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
    return json_pack("{s:o, s:o, s:o, s:o}", "name", js_text_value(name), "last", last, "best", best, "best_epoch",
                     epoch);
}

struct comparison {
    struct compared *list;
    const struct run_summary **runs;
    const char *const *labels;
    const char **keys, **metrics;
    size_t n, n_keys, n_metrics;
    const char *metric; /* what the settings are judged by, NULL: there is none */
    struct setting_effect *effects;
    size_t n_effects;
};

static json_t *effects_json(const struct comparison *c)
{
    json_t *effects = json_array();
    for (size_t k = 0; k < c->n_effects; k++) {
        const struct setting_effect *e = &c->effects[k];
        json_array_append_new(effects,
                              json_pack("{s:o, s:I, s:o, s:o}", "key", js_text_value(e->key), "runs", (json_int_t)e->n,
                                        "explains", isnan(e->explains) ? json_null() : json_real(e->explains), "trend",
                                        isnan(e->trend) ? json_null() : json_real(e->trend)));
    }
    return json_pack("{s:o, s:o}", "metric", c->metric ? js_text_value(c->metric) : json_null(), "settings", effects);
}

static void print_json(const struct comparison *c)
{
    json_t *runs = json_array(), *config = json_array(), *results = json_array();
    for (size_t i = 0; i < c->n; i++)
        json_array_append_new(runs, js_text_value(c->list[i].run->id));
    for (size_t k = 0; k < c->n_keys; k++) {
        json_t *values = json_array();
        for (size_t i = 0; i < c->n; i++) {
            const char *text = compared_param(&c->list[i], c->keys[k]);
            json_t *value = text ? js_parse(text, strlen(text), "parameter", JS_STRICT, NULL) : NULL;
            json_array_append_new(values, value ? value : json_null());
        }
        json_array_append_new(config, json_pack("{s:o, s:o}", "key", js_text_value(c->keys[k]), "values", values));
    }
    for (size_t m = 0; m < c->n_metrics; m++)
        json_array_append_new(results, metric_json(c->list, c->n, c->metrics[m]));
    cli_print_json(json_pack("{s:o, s:o, s:o, s:o}", "runs", runs, "config", config, "metrics", results, "importance",
                             effects_json(c)));
}

static double best_of(const struct comparison *c, size_t run)
{
    const struct metric_summary *metric = c->metric ? compared_metric(c->list[run].run, c->metric) : NULL;
    return metric ? metric->best : NAN;
}

/* Those without a best come last. */
static void order_by_best(const struct comparison *c, size_t *order)
{
    bool up = c->metric && metric_is_better_upwards(c->metric);
    for (size_t i = 0; i < c->n; i++) {
        double mine = best_of(c, i);
        size_t at = i;
        for (; at > 0; at--) {
            double other = best_of(c, order[at - 1]);
            if (isnan(mine) || !(isnan(other) || (up ? mine > other : mine < other)))
                break;
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
}

/* Of many runs: a line each, the best first, with as many settings as there is room for. */
static void print_runs(const struct comparison *c)
{
    enum { MOST_KEYS = 12 };
    struct text_table table = {0};
    size_t n_keys = c->n_keys < MOST_KEYS ? c->n_keys : MOST_KEYS;
    size_t *order = xcalloc(c->n + 1, sizeof *order);
    char title[120];
    snprintf(title, sizeof title, "best %.100s", c->metric ? c->metric : "");
    text_table_column(&table, "run", false);
    text_table_column(&table, title, true);
    text_table_column(&table, "last", true);
    for (size_t k = 0; k < n_keys; k++)
        text_table_column(&table, c->effects[k].key, false);
    order_by_best(c, order);
    for (size_t k = 0; k < c->n; k++) {
        const struct compared *one = &c->list[order[k]];
        const struct metric_summary *metric = c->metric ? compared_metric(one->run, c->metric) : NULL;
        text_table_row(&table);
        text_table_cell(&table, TEXT_PLAIN, c->labels[order[k]]);
        text_table_cell(&table, k ? TEXT_PLAIN : TEXT_GOOD,
                        metric && !isnan(metric->best) ? text_number(metric->best).text : text_missing());
        text_table_cell(&table, TEXT_PLAIN, metric ? text_number(metric->last).text : text_missing());
        for (size_t j = 0; j < n_keys; j++) {
            const char *value = compared_param(one, c->effects[j].key);
            text_table_cell(&table, TEXT_PLAIN, value ? value : text_missing());
        }
    }
    text_table_print(&table);
    if (n_keys < c->n_keys)
        printf("%zu more settings differ: --csv FILE or --json has them all\n", c->n_keys - n_keys);
    text_table_release(&table);
    free(order);
}

static void print_effects(const struct comparison *c)
{
    struct text_table table = {0};
    char title[120];
    if (!c->metric || !c->n_effects || c->n < IMPORTANCE_LEAST)
        return;
    snprintf(title, sizeof title, "of the best %.80s, by rank", c->metric);
    text_table_column(&table, "setting", false);
    text_table_column(&table, title, false);
    text_table_column(&table, "runs", true);
    for (size_t k = 0; k < c->n_effects; k++) {
        char words[80], count[24];
        importance_words(&c->effects[k], metric_is_better_upwards(c->metric), words, sizeof words);
        snprintf(count, sizeof count, "%zu", c->effects[k].n);
        text_table_row(&table);
        text_table_cell(&table, TEXT_PLAIN, c->effects[k].key);
        text_table_cell(&table, c->effects[k].explains >= 0.3 ? TEXT_BOLD : TEXT_PLAIN, words);
        text_table_cell(&table, TEXT_PLAIN, count);
    }
    putchar('\n');
    text_table_print(&table);
    text_table_release(&table);
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

static bool load(struct cli *cli, struct index *index, struct comparison *c, struct arena *arena, struct err *err)
{
    enum { RUNS_MAX = 200 };
    if (cli->n_arguments > RUNS_MAX)
        return err_set(err, ERR_USAGE, "%zu runs, at most %d are compared", cli->n_arguments, RUNS_MAX);
    c->n = cli->n_arguments;
    c->list = arena_array(arena, c->n, sizeof *c->list);
    c->runs = arena_array(arena, c->n, sizeof(const struct run_summary *));
    for (size_t a = 0; a < c->n; a++) {
        struct compared *one = &c->list[a];
        c->runs[a] = one->run = index_find(index, cli->arguments[a], arena, err);
        if (!one->run || !index_params(index, one->run->id, arena, &one->params, &one->n_params, err))
            return false;
    }
    c->labels = compared_labels(c->runs, c->n, arena);
    c->keys = compared_keys(c->list, c->n, cli_option(cli, "--all"), arena, &c->n_keys);
    c->metrics = compared_metrics(c->list, c->n, arena, &c->n_metrics);
    return true;
}

/* --metric, else the first run's monitor. */
static bool judge(struct cli *cli, struct comparison *c, struct arena *arena, struct err *err)
{
    const char *asked = cli_option(cli, "--metric");
    c->metric = asked ? asked : c->runs[0]->monitor;
    bool known = false;
    for (size_t m = 0; m < c->n_metrics; m++)
        known |= c->metric && !strcmp(c->metrics[m], c->metric);
    if (asked && !known) {
        err_set(err, ERR_USAGE, "no metric '%s' here", asked);
        return err_nearest(err, str_nearest(asked, c->metrics, c->n_metrics));
    }
    if (!known)
        c->metric = NULL;
    const char **differing = compared_keys(c->list, c->n, false, arena, &c->n_effects);
    c->effects = importance_find(c->list, c->n, differing, c->n_effects, c->metric ? c->metric : "", arena);
    return true;
}

static bool write_csv(const struct comparison *c, const char *path, struct err *err)
{
    struct str out = {0};
    compared_add_csv(c->list, c->n, c->labels, c->keys, c->n_keys, c->metrics, c->n_metrics, &out);
    bool ok = true;
    if (!strcmp(path, "-"))
        fputs(str_text(&out), stdout);
    else
        ok = atomic_file_save(path, str_text(&out), out.length, err);
    str_release(&out);
    return ok;
}

static bool show(struct cli *cli, const struct comparison *c, struct err *err)
{
    enum { SIDE_BY_SIDE = 6 };
    const char *csv = cli_option(cli, "--csv");
    if (csv && cli->json)
        return err_set(err, ERR_USAGE, "--csv and --json exclude each other");
    if (csv)
        return write_csv(c, csv, err);
    if (cli->json)
        print_json(c);
    else if (c->n > SIDE_BY_SIDE && !cli_option(cli, "--all"))
        print_runs(c);
    else {
        print_config(c->list, c->n, c->keys, c->n_keys);
        print_metrics(c->list, c->n, c->metrics, c->n_metrics);
    }
    if (!cli->json)
        print_effects(c);
    return true;
}

bool cli_compare(struct cli *cli, struct err *err)
{
    struct index *index = text_open_index(cli->home, err);
    struct arena arena = {0};
    struct comparison comparison = {0};
    bool ok = index && load(cli, index, &comparison, &arena, err) && judge(cli, &comparison, &arena, err) &&
              show(cli, &comparison, err);
    arena_release(&arena);
    index_close(index);
    return ok;
}
