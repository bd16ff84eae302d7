/* cli_list.c - antler list: the runs of the home, newest first */
#include "tui/cli/cli_commands.h"
#include "tui/client/cli_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDE_COLUMNS = 110 };

static const struct metric_summary *metric_named(const struct run_summary *run, const char *name)
{
    for (size_t m = 0; name && m < run->n_metrics; m++)
        if (!strcmp(run->metrics[m].name, name))
            return &run->metrics[m];
    return NULL;
}

static void add_metrics(struct text_table *table, const struct run_summary *run)
{
    const struct metric_summary *loss = metric_named(run, "loss"), *monitor = metric_named(run, run->monitor);
    text_table_cell(table, loss && isnan(loss->last) ? TEXT_BAD : TEXT_PLAIN,
                    loss ? text_number(loss->last).text : text_missing());
    struct str best = {0};
    if (monitor && !isnan(monitor->best))
        str_addf(&best, "%s %s @%lld", monitor->name, text_number(monitor->best).text, (long long)monitor->best_epoch);
    else
        str_add(&best, text_missing());
    text_table_cell(table, TEXT_PLAIN, str_text(&best));
    str_release(&best);
}

static void add_row(struct text_table *table, const struct run_summary *run, bool wide)
{
    char epoch[64];
    snprintf(epoch, sizeof epoch, run->epochs ? "%lld/%lld" : "%lld", (long long)run->epoch, (long long)run->epochs);
    text_table_row(table);
    text_table_cell(table, TEXT_BOLD, run->name);
    text_table_cell(table, text_state_style(run->state), run_state_name(run->state));
    text_table_cell(table, TEXT_PLAIN, epoch);
    add_metrics(table, run);
    text_table_cell(table, TEXT_PLAIN,
                    run->source && !(run->duration_s > 0) ? text_missing() : text_duration(run->duration_s).text);
    text_table_cell(table, TEXT_DIM, text_age(run->created).text);
    struct str tags = {0};
    for (size_t t = 0; t < run->n_tags; t++)
        str_addf(&tags, "%s%s", t ? " " : "", run->tags[t]);
    text_table_cell(table, TEXT_PLAIN, str_text(&tags));
    str_release(&tags);
    if (wide)
        text_table_cell(table, TEXT_DIM, run->id);
}

static void print_table(const struct run_summary *runs, size_t n)
{
    static const struct text_column columns[] = {{"name", false}, {"state", false}, {"epoch", true},
                                                 {"loss", true},  {"best", false},  {"time", true},
                                                 {"age", true},   {"tags", false},  {"run", false}};
    int width = text_width();
    bool wide = !width || width >= WIDE_COLUMNS;
    struct text_table table = {0};
    for (size_t c = 0; c < sizeof columns / sizeof columns[0] - !wide; c++)
        text_table_column(&table, columns[c].title, columns[c].right);
    for (size_t i = 0; i < n; i++)
        add_row(&table, &runs[i], wide);
    text_table_print(&table);
    text_table_release(&table);
    for (size_t i = 0; i < n; i++) {
        if (!runs[i].error)
            continue;
        text_print(TEXT_BAD, runs[i].name);
        fputs(": ", stdout);
        text_print(TEXT_PLAIN, runs[i].error);
        putchar('\n');
    }
}

static void print_list(const struct run_summary *runs, size_t n, const char *filter, const char *home)
{
    if (n)
        print_table(runs, n);
    else if (*filter)
        printf("no run matches '%s'\n", filter);
    else {
        text_print(TEXT_PLAIN, home);
        puts(" has no runs yet");
    }
}

bool cli_list_of(struct cli *cli, struct index *index, struct err *err)
{
    struct arena arena = {0};
    struct str filter = {0};
    for (size_t a = 0; a < cli->n_arguments; a++)
        str_addf(&filter, "%s%s", a ? " " : "", cli->arguments[a]);
    const struct run_summary *runs;
    size_t n;
    bool ok = index_list(index, str_text(&filter), cli_option(cli, "--sort"), &arena, &runs, &n, err);
    if (ok && cli->json) {
        json_t *list = json_array();
        for (size_t i = 0; i < n; i++)
            json_array_append_new(list, text_run_json(&runs[i]));
        cli_print_json(list);
    } else if (ok) {
        print_list(runs, n, str_text(&filter), cli->home);
    }
    str_release(&filter);
    arena_release(&arena);
    return ok;
}

bool cli_list(struct cli *cli, struct err *err)
{
    struct index *index = text_open_index(cli->home, err);
    bool ok = index && cli_list_of(cli, index, err);
    index_close(index);
    return ok;
}
