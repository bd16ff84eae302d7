/* cli_history.c - antler history: the metrics of a run as a table, CSV or JSON */
#include "base/io.h"
#include "persistence/index/system_log.h"
#include "tui/cli/cli_commands.h"
#include "tui/client/cli_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct point { /* one line: a record of the log, whichever metrics it holds */
    int64_t epoch, step;
    double time;
};

static json_t *series_json(const struct metric_series *series)
{
    json_t *epoch = json_array(), *step = json_array(), *time = json_array(), *value = json_array();
    for (size_t i = 0; i < series->n; i++) {
        json_array_append_new(epoch, json_integer(series->epoch[i]));
        json_array_append_new(step, json_integer(series->step[i]));
        json_array_append_new(time, js_number(series->time[i]));
        json_array_append_new(value, js_number(series->value[i]));
    }
    return json_pack("{s:o, s:o, s:o, s:o}", "epoch", epoch, "step", step, "time", time, "value", value);
}

static void print_json(const char *run, const struct metric_series *series, size_t n)
{
    json_t *metrics = json_object();
    for (size_t m = 0; m < n; m++)
        json_object_set_new(metrics, series[m].name, series_json(&series[m]));
    cli_print_json(json_pack("{s:o, s:o}", "run", js_text_value(run), "metrics", metrics));
}

static int compare_points(const void *pa, const void *pb)
{
    const struct point *a = pa, *b = pb;
    if (a->step != b->step)
        return a->step < b->step ? -1 : 1;
    return (a->epoch > b->epoch) - (a->epoch < b->epoch);
}

/* All points of all series, in order, each (epoch, step) once. free() it. */
static struct point *all_points(const struct metric_series *series, size_t n, size_t *n_points)
{
    size_t total = 0;
    for (size_t m = 0; m < n; m++)
        total += series[m].n;
    struct point *points = xcalloc(total + 1, sizeof *points);
    *n_points = 0;
    for (size_t m = 0, at = 0; m < n; m++)
        for (size_t i = 0; i < series[m].n; i++)
            points[at++] = (struct point){series[m].epoch[i], series[m].step[i], series[m].time[i]};
    qsort(points, total, sizeof *points, compare_points);
    for (size_t i = 0; i < total; i++)
        if (!*n_points || compare_points(&points[*n_points - 1], &points[i]))
            points[(*n_points)++] = points[i];
    return points;
}

/* The value of a series at a point; *at walks along. False when it has none there. */
static bool value_at(const struct metric_series *series, const struct point *point, size_t *at, double *value)
{
    bool found = false;
    while (*at < series->n) {
        struct point mine = {series->epoch[*at], series->step[*at], 0};
        int order = compare_points(&mine, point);
        if (order > 0)
            break;
        if (!order) {
            *value = series->value[*at];
            found = true;
        }
        ++*at;
    }
    return found;
}

static void print_csv(const struct metric_series *series, size_t n)
{
    size_t n_points, *at = xcalloc(n + 1, sizeof *at);
    struct point *points = all_points(series, n, &n_points);
    struct str out = {0};
    str_add(&out, "epoch,step,time");
    for (size_t m = 0; m < n; m++) {
        str_add_char(&out, ',');
        text_add_csv(&out, series[m].name);
    }
    fputs(str_text(&out), stdout);
    for (size_t i = 0; i < n_points; i++) {
        str_clear(&out);
        str_addf(&out, "\n%lld,%lld,", (long long)points[i].epoch, (long long)points[i].step);
        if (!isnan(points[i].time))
            str_addf(&out, "%.6f", points[i].time);
        for (size_t m = 0; m < n; m++) {
            double value;
            str_add_char(&out, ',');
            if (value_at(&series[m], &points[i], &at[m], &value))
                str_add_double(&out, value);
        }
        fputs(str_text(&out), stdout);
    }
    putchar('\n');
    str_release(&out);
    free(points);
    free(at);
}

static void print_table(const struct metric_series *series, size_t n)
{
    enum { COLUMNS_MAX = 60 };
    size_t n_points, *at = xcalloc(n + 1, sizeof *at), shown = n > COLUMNS_MAX ? COLUMNS_MAX : n;
    struct point *points = all_points(series, n, &n_points);
    struct text_table table = {0};
    text_table_column(&table, "epoch", true);
    text_table_column(&table, "step", true);
    for (size_t m = 0; m < shown; m++)
        text_table_column(&table, series[m].name, true);
    for (size_t i = 0; i < n_points; i++) {
        char number[32];
        text_table_row(&table);
        snprintf(number, sizeof number, "%lld", (long long)points[i].epoch);
        text_table_cell(&table, TEXT_PLAIN, number);
        snprintf(number, sizeof number, "%lld", (long long)points[i].step);
        text_table_cell(&table, TEXT_DIM, number);
        for (size_t m = 0; m < shown; m++) {
            double value = 0;
            bool there = value_at(&series[m], &points[i], &at[m], &value);
            text_table_cell(&table, there && isnan(value) ? TEXT_BAD : TEXT_PLAIN,
                            there ? text_number(value).text : text_missing());
        }
    }
    if (n_points)
        text_table_print(&table);
    else
        puts("the history is empty so far");
    if (shown < n)
        printf("%zu more metrics: choose with --metric, or print all with --csv\n", n - shown);
    text_table_release(&table);
    free(points);
    free(at);
}

/* Every metric that was asked for exists, or its nearest name is told. */
static bool check_metrics(struct index *index, const char *run, const char *const *wanted, size_t n_wanted,
                          struct arena *arena, struct err *err)
{
    const struct metric_series *series;
    size_t n;
    if (!n_wanted)
        return true;
    if (!index_history(index, run, NULL, 0, arena, &series, &n, err))
        return false;
    const char **names = arena_array(arena, n + 1, sizeof *names);
    struct str all = {0};
    for (size_t m = 0; m < n; m++) {
        names[m] = series[m].name;
        str_addf(&all, "%s%s", m ? ", " : "", names[m]);
    }
    bool ok = true;
    for (size_t w = 0; w < n_wanted && ok; w++) {
        bool there = false;
        for (size_t m = 0; m < n; m++)
            there = there || !strcmp(names[m], wanted[w]);
        if (!there)
            ok = err_set(err, ERR_USAGE, "run '%s' has no metric '%s'; it has %s", run, wanted[w],
                         n ? str_text(&all) : "none yet");
    }
    str_release(&all);
    return ok;
}

/* --system: what the machine did, of the run itself. */
static void read_system(struct index *index, const struct run_summary *run, struct arena *arena,
                        const struct metric_series **series, size_t *n)
{
    char *folder = index_run_folder(index, run);
    system_read(folder, arena, series, n);
    free(folder);
}

bool cli_history(struct cli *cli, struct err *err)
{
    const char *metrics[CLI_MAX_OPTIONS];
    size_t n_metrics = 0, n;
    while (n_metrics < CLI_MAX_OPTIONS && (metrics[n_metrics] = cli_option_at(cli, "--metric", n_metrics)))
        n_metrics++;
    bool system = cli_option(cli, "--system") != NULL;
    if (cli->json && cli_option(cli, "--csv"))
        return err_set(err, ERR_USAGE, "--csv and --json exclude each other");
    if (system && n_metrics)
        return err_set(err, ERR_USAGE, "--system and --metric exclude each other");
    struct index *index = text_open_index(cli->home, err);
    struct arena arena = {0};
    const struct metric_series *series;
    const struct run_summary *run = index ? index_find(index, cli->arguments[0], &arena, err) : NULL;
    bool ok = run && check_metrics(index, run->id, metrics, n_metrics, &arena, err);
    if (ok && system)
        read_system(index, run, &arena, &series, &n);
    else
        ok = ok && index_history(index, run->id, n_metrics ? metrics : NULL, n_metrics, &arena, &series, &n, err);
    if (ok && cli->json)
        print_json(run->id, series, n);
    else if (ok && cli_option(cli, "--csv"))
        print_csv(series, n);
    else if (ok)
        print_table(series, n);
    arena_release(&arena);
    index_close(index);
    return ok;
}
