/* compare_view_draw.c - what the comparison looks like: curves, what came of each run, settings that differ. */
#include "persistence/runs/metric_direction.h"
#include "tui/app/human.h"
#include "tui/views/compare_view.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LEAST_CHART_HEIGHT = 7, MOST_TABLE_RUNS = 30, LEAST_WIDTH_BESIDE = 140, TIGHT_HEIGHT = 36, LEFT_WIDTH = 96 };

struct fill_context {
    const struct app *app;
    const struct compare_view *view;
    int columns[COMPARE_COLUMNS];           /* RUNS: those that are shown */
    size_t shown[MOST_TABLE_RUNS], n_shown; /* TABLE: the runs that have a column */
};

static double best_of(const struct compare_view *v, size_t run)
{
    const struct metric_summary *metric = compared_metric(v->list[run].run, v->metric);
    return metric ? metric->best : NAN;
}

static void fill_number(struct list_cell *cell, double value)
{
    snprintf(cell->text, sizeof cell->text, "%s", isnan(value) ? text_missing() : human_metric(value).text);
    cell->style = isnan(value) ? STYLE_FAINT : STYLE_TEXT;
}

static void fill_last(struct list_cell *cell, const struct metric_summary *metric)
{
    if (metric && isnan(metric->last)) { /* that is a fact, not a gap */
        snprintf(cell->text, sizeof cell->text, "NaN");
        cell->style = STYLE_ERROR;
        return;
    }
    fill_number(cell, metric ? metric->last : NAN);
}

static void fill_delta(struct list_cell *cell, const struct compare_view *v, size_t run)
{
    double delta = best_of(v, run) - best_of(v, v->base);
    bool up = metric_is_better_upwards(v->metric);
    if (run == v->base) {
        snprintf(cell->text, sizeof cell->text, "baseline");
        cell->style = STYLE_ACCENT;
    } else if (isnan(delta)) {
        fill_number(cell, NAN);
    } else {
        snprintf(cell->text, sizeof cell->text, "%s%s",
                 delta > 0   ? "+"
                 : delta < 0 ? ""
                             : "±",
                 human_metric(delta).text);
        cell->style = delta == 0 ? STYLE_TEXT : (delta > 0) == up ? STYLE_GOOD : STYLE_WARNING;
    }
}

static void fill_sign(struct list_cell *cell, const struct app *app, size_t run)
{
    int color = (int)(run % CHART_COLORS);
    snprintf(cell->text, sizeof cell->text, "%s", "●");
    if (app->rung == RUNG_ASCII || app->markers)
        snprintf(cell->text, sizeof cell->text, "%c", (char)chart_ascii_glyph(color));
    cell->style = (enum style)(STYLE_SERIES + color);
}

/* Where it comes from, or what went wrong. */
static void fill_from(struct list_cell *cell, const struct compare_view *v, const struct run_summary *run)
{
    const char *name = run->parent_run;
    if (run->error && *run->error) {
        snprintf(cell->text, sizeof cell->text, "%s", run->error);
        cell->style = STYLE_ERROR;
        return;
    }
    if (!name)
        return;
    for (size_t i = 0; i < v->n; i++)
        if (!strcmp(v->list[i].run->id, run->parent_run))
            name = v->labels[i];
    snprintf(cell->text, sizeof cell->text, "from %.100s:%lld", name, (long long)run->parent_epoch);
    cell->style = STYLE_FAINT;
}

static void fill_run(void *context, int place, int column, struct list_cell *cell)
{
    struct fill_context *f = context;
    const struct compare_view *v = f->view;
    size_t row = v->order[place];
    const struct run_summary *run = v->list[row].run;
    const struct metric_summary *metric = compared_metric(run, v->metric);
    cell->style = STYLE_TEXT;
    switch (f->columns[column]) {
    case COMPARE_SIGN:
        fill_sign(cell, f->app, row);
        break;
    case COMPARE_NAME:
        snprintf(cell->text, sizeof cell->text, "%.150s", v->labels[row]);
        break;
    case COMPARE_STATE:
        snprintf(cell->text, sizeof cell->text, "%s", human_state_sign(run->state));
        cell->style = human_state_style(run->state);
        break;
    case COMPARE_EPOCH:
        snprintf(cell->text, sizeof cell->text, run->epochs ? "%lld/%lld" : "%lld", (long long)run->epoch,
                 (long long)run->epochs);
        break;
    case COMPARE_LAST:
        fill_last(cell, metric);
        break;
    case COMPARE_SMOOTH:
        fill_number(cell, compare_smooth_of(v, row));
        break;
    case COMPARE_BEST:
        fill_number(cell, best_of(v, row));
        if (row == v->champion)
            cell->style = STYLE_GOOD;
        break;
    case COMPARE_AT:
        if (!isnan(best_of(v, row)))
            snprintf(cell->text, sizeof cell->text, "%lld%s", (long long)metric->best_epoch,
                     row == v->champion ? " *" : "  ");
        cell->style = row == v->champion ? STYLE_GOOD : STYLE_FAINT;
        break;
    case COMPARE_DELTA:
        fill_delta(cell, v, row);
        break;
    case COMPARE_FROM:
        fill_from(cell, v, run);
        break;
    default:
        break;
    }
}

static void draw_runs(const struct app *app, struct compare_view *v, struct grid *grid, struct rect rect)
{
    struct list_column columns[COMPARE_COLUMNS] = {[COMPARE_SIGN] = {"", LIST_LEFT, 1, 1, 0, false},
                                                   [COMPARE_NAME] = {"run", LIST_LEFT, 12, 40, 0, false},
                                                   [COMPARE_STATE] = {"", LIST_LEFT, 1, 1, 5, false},
                                                   [COMPARE_EPOCH] = {"epoch", LIST_RIGHT, 5, 11, 4, false},
                                                   [COMPARE_LAST] = {"last", LIST_POINT, 6, 12, 3, false},
                                                   [COMPARE_SMOOTH] = {"smooth", LIST_POINT, 6, 12, 3, false},
                                                   [COMPARE_BEST] = {"best", LIST_POINT, 6, 12, 0, false},
                                                   [COMPARE_AT] = {"epoch", LIST_RIGHT, 4, 8, 2, false},
                                                   [COMPARE_DELTA] = {"against baseline", LIST_RIGHT, 8, 16, 1, false},
                                                   [COMPARE_FROM] = {"", LIST_LEFT, 8, 0, 6, true}};
    char title[120];
    snprintf(title, sizeof title, "%s", v->metric);
    grid_rule(grid, rect_top(&rect, 1), title, v->pane == COMPARE_RUNS);
    v->place[COMPARE_RUNS] = rect;
    struct fill_context f = {.app = app, .view = v};
    int n = 0, sort = -1;
    for (int c = 0; c < COMPARE_COLUMNS; c++) {
        if (c == COMPARE_SMOOTH && !v->chart.smooth)
            continue;
        sort = c == v->sort ? n : sort;
        columns[n] = columns[c];
        f.columns[n++] = c;
    }
    list_draw(&v->legend, grid, rect, columns, n, sort, v->reverse, v->pane == COMPARE_CHART || v->pane == COMPARE_RUNS,
              fill_run, &f);
}

static void fill_setting(struct list_cell *cell, const struct compare_view *v, size_t run, const char *key)
{
    const char *value = compared_param(&v->list[run], key);
    bool same = compared_same(value, compared_param(&v->list[v->base], key));
    if (value)
        compared_words(cell->text, sizeof cell->text, value);
    else
        snprintf(cell->text, sizeof cell->text, "%s", text_missing());
    cell->style = run == v->base ? STYLE_TEXT : same ? STYLE_FAINT : STYLE_CHANGED;
}

static void fill_best(struct list_cell *cell, const struct compare_view *v, size_t run, const char *name)
{
    const struct metric_summary *metric = compared_metric(v->list[run].run, name);
    bool champion = compared_champion(v->list, v->n, name) == run;
    fill_number(cell, metric ? metric->best : NAN);
    if (!champion)
        return;
    size_t used = strlen(cell->text);
    snprintf(cell->text + used, sizeof cell->text - used, " *");
    cell->style = STYLE_GOOD;
}

static void fill_table(void *context, int row, int column, struct list_cell *cell)
{
    struct fill_context *f = context;
    const struct compare_view *v = f->view;
    bool setting = (size_t)row < v->n_keys;
    const char *name = setting ? v->keys[row] : v->metrics[(size_t)row - v->n_keys];
    cell->style = STYLE_TEXT;
    if (!column)
        snprintf(cell->text, sizeof cell->text, setting ? "%.180s" : "best %.180s", name);
    else if (setting)
        fill_setting(cell, v, f->shown[column - 1], name);
    else
        fill_best(cell, v, f->shown[column - 1], name);
}

/* Baseline and focused run always have a column, then their neighbours. */
static void choose_columns(const struct compare_view *v, int width, struct fill_context *f, struct list_column *columns)
{
    size_t first = v->focus > MOST_TABLE_RUNS / 2 ? v->focus - MOST_TABLE_RUNS / 2 : 0;
    if (v->base < first)
        f->shown[f->n_shown++] = v->base;
    for (size_t i = first; i < v->n && f->n_shown < MOST_TABLE_RUNS; i++)
        f->shown[f->n_shown++] = i;
    int one = width < 76 ? 12 : 20, rest = width - 2 * (one + 2) - 1; /* two runs always fit beside the names */
    columns[0] = (struct list_column){"setting", LIST_LEFT, 12, rest < 12 ? 12 : rest < 44 ? rest : 44, 0, false};
    for (size_t c = 0; c < f->n_shown; c++) {
        size_t run = f->shown[c], far = run > v->focus ? run - v->focus : v->focus - run;
        int rank = run == v->focus || run == v->base ? 0 : (int)(far < 100 ? far : 100);
        columns[c + 1] = (struct list_column){v->labels[run], LIST_LEFT, 8, one, rank, false};
    }
}

static void draw_table(const struct app *app, struct compare_view *v, struct grid *grid, struct rect rect)
{
    char title[120];
    struct list_column columns[MOST_TABLE_RUNS + 1];
    struct fill_context f = {.app = app, .view = v};
    snprintf(title, sizeof title,
             v->n_keys == 1 ? "one setting differs"
             : v->n_keys    ? "%zu settings differ"
             : v->n > 1     ? "the settings are equal"
                            : "nothing to compare with",
             v->n_keys);
    grid_rule(grid, rect_top(&rect, 1), title, v->pane == COMPARE_TABLE);
    v->place[COMPARE_TABLE] = rect;
    choose_columns(v, rect.w, &f, columns);
    list_draw(&v->table, grid, rect, columns, (int)f.n_shown + 1, -1, false, v->pane == COMPARE_TABLE, fill_table, &f);
}

static void draw_chart(const struct app *app, struct compare_view *v, struct grid *grid, struct rect rect)
{
    v->place[COMPARE_CHART] = rect;
    chart_pane_draw(app, &v->chart, grid, rect);
}

static void draw_alone(const struct app *app, struct compare_view *v, struct grid *grid, struct rect rect)
{
    static void (*const draw[])(const struct app *, struct compare_view *, struct grid *,
                                struct rect) = {[COMPARE_CHART] = draw_chart,
                                                [COMPARE_RUNS] = draw_runs,
                                                [COMPARE_TABLE] = draw_table,
                                                [COMPARE_MATTERS] = compare_matters_draw};
    draw[v->pane](app, v, grid, rect);
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

void compare_view_draw(const struct app *app, struct compare_view *v, struct grid *grid, struct rect rect)
{
    char title[260];
    memset(v->place, 0, sizeof v->place);
    v->legend.drawn = (struct rect){0};
    chart_pane_hide(&v->chart);
    snprintf(title, sizeof title, "compare  %s", v->what);
    app_header(app, grid, &rect, title, NULL);
    if (!v->n) {
        grid_text(grid, rect, 1, 1, STYLE_FAINT, "the runs that were compared are gone");
        return;
    }
    int share = rect.h < TIGHT_HEIGHT ? 4 : 3; /* the curves need theirs */
    int runs = least((int)v->n + 2, rect.h / share), table = least(v->table.count + 2, rect.h / share);
    bool beside = rect.w >= LEAST_WIDTH_BESIDE && v->n > 2 && v->n_keys;
    bool matters = v->pane == COMPARE_MATTERS && !beside;
    if (v->alone || rect.h - runs - table < LEAST_CHART_HEIGHT) {
        if (v->alone || matters || v->pane == COMPARE_TABLE || rect.h - runs < LEAST_CHART_HEIGHT) {
            draw_alone(app, v, grid, rect);
            return;
        }
        table = 0;
    }
    struct rect bottom = rect_bottom(&rect, table + runs);
    draw_chart(app, v, grid, rect);
    if (matters) {
        compare_matters_draw(app, v, grid, bottom);
        return;
    }
    if (beside)
        compare_matters_draw(app, v, grid, rect_right(&bottom, bottom.w - LEFT_WIDTH));
    if (beside)
        rect_right(&bottom, 2);
    draw_runs(app, v, grid, rect_top(&bottom, runs));
    if (table)
        draw_table(app, v, grid, bottom);
}
