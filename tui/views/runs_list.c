/* runs_list.c - the list of runs: its columns, which of them there is room for, and what stands in them. */
#include "tui/views/runs_view.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/app/human.h"
#include "tui/client/comparison.h"

enum { MOST_CHANGES = 512, CHANGES_SHOWN = 3 };

/* clang-format off */
const struct runs_column runs_columns[RUNS_COLUMNS] = {
    /*                 title           align       min  max  rank grow      sort */
    [RUNS_MARK]    = {{"",             LIST_LEFT,    1,   1,  0, false},    NULL},
    [RUNS_NAME]    = {{"name",         LIST_LEFT,   14,  40,  0, false},    "name"},
    [RUNS_STATE]   = {{"state",        LIST_LEFT,    1,  13,  0, false},    "state"},
    [RUNS_EPOCH]   = {{"epoch",        LIST_RIGHT,   5,  11,  0, false},    "epoch"},
    [RUNS_LOSS]    = {{"loss",         LIST_POINT,   6,  12,  4, false},    "last.loss"},
    [RUNS_MONITOR] = {{"val_loss",     LIST_POINT,   6,  12,  2, false},    "last.val_loss"},
    [RUNS_BEST]    = {{"best@",        LIST_POINT,   6,  14,  1, false},    "best.val_loss"},
    [RUNS_RATE]    = {{"lr",           LIST_RIGHT,   4,  10,  7, false},    "learning_rate"},
    [RUNS_TIME]    = {{"time",         LIST_RIGHT,   4,   8,  3, false},    "duration"},
    [RUNS_PACE]    = {{"per epoch",    LIST_RIGHT,   5,   9,  9, false},    NULL},
    [RUNS_AGE]     = {{"age",          LIST_RIGHT,   3,   8,  6, false},    "created"},
    [RUNS_SAVED]   = {{"ckpt",         LIST_RIGHT,   4,   6,  8, false},    NULL},
    [RUNS_SPARK]   = {{"last epochs",  LIST_LEFT,   SPARK_COLUMNS, SPARK_COLUMNS, 5, true}, NULL},
    [RUNS_WORDS]   = {{"changed, tags, note", LIST_LEFT, 24,  24, 10, false},    NULL},
};
/* clang-format on */

struct fill_context {
    const struct app *app;
    struct runs_view *view;
    bool words;  /* they have a column of their own; else they stand behind the sparkline */
    bool narrow; /* of a state only its sign */
};

static void fill_metric(struct list_cell *cell, const struct run_summary *run, const char *name)
{
    const struct metric_summary *metric = runs_metric(run, name);
    snprintf(cell->text, sizeof cell->text, "%s", metric ? human_metric(metric->last).text : text_missing());
    cell->style = !metric ? STYLE_FAINT : isfinite(metric->last) ? STYLE_TEXT : STYLE_ERROR;
}

static void fill_best(struct list_cell *cell, const struct run_summary *run)
{
    const struct metric_summary *metric = runs_metric(run, run->monitor);
    if (metric && isfinite(metric->best))
        snprintf(cell->text, sizeof cell->text, "%s@%lld", human_metric(metric->best).text,
                 (long long)metric->best_epoch);
    else
        snprintf(cell->text, sizeof cell->text, "%s", text_missing());
    cell->style = metric ? STYLE_TEXT : STYLE_FAINT;
}

/* Secondary: it is there to be looked up. */
static void fill_faint(struct list_cell *cell, const char *text)
{
    snprintf(cell->text, sizeof cell->text, "%s", text);
    cell->style = STYLE_FAINT;
}

/* Of its own epochs, in the mean. */
static void fill_pace(struct list_cell *cell, const struct run_summary *run)
{
    int64_t epochs = run->epoch - run->parent_epoch;
    double pace = epochs > 0 && run->duration_s > 0 ? run->duration_s / (double)epochs : NAN;
    char text[40];
    if (pace < 1)
        snprintf(text, sizeof text, "%.0fms", pace * 1000);
    fill_faint(cell, pace < 1 ? text : text_duration(pace).text);
}

static void forget_changes(struct runs_view *v)
{
    for (size_t i = 0; i < v->n_changes; i++) {
        free(v->changes[i].id);
        free(v->changes[i].text);
    }
    v->n_changes = 0;
}

void runs_changes_release(struct runs_view *v)
{
    forget_changes(v);
    free(v->changes);
    v->changes = NULL;
}

static char *read_changes(const struct app *app, const struct run_summary *run, const struct run_summary *parent)
{
    struct arena arena = {0};
    struct compared child = {.run = run}, from = {.run = parent};
    struct str text = {0};
    struct err ignored;
    if (index_params(app->index, run->id, &arena, &child.params, &child.n_params, &ignored) &&
        index_params(app->index, parent->id, &arena, &from.params, &from.n_params, &ignored))
        compared_add_changes(&child, &from, CHANGES_SHOWN, &text);
    arena_release(&arena);
    return str_take(&text);
}

/* Settings of a run do not change once it has begun, but for its epochs. */
const char *runs_changes(const struct app *app, struct runs_view *v, const struct run_summary *run)
{
    const struct run_summary *parent = app_find_run(app, run->parent_run);
    if (!parent)
        return "";
    for (size_t i = 0; i < v->n_changes && run->state != RUN_QUEUED; i++)
        if (v->changes[i].epochs == run->epochs && !strcmp(v->changes[i].id, run->id))
            return v->changes[i].text;
    if (v->n_changes == MOST_CHANGES)
        forget_changes(v);
    if (!v->changes)
        v->changes = xcalloc(MOST_CHANGES, sizeof *v->changes);
    struct runs_change *change = &v->changes[v->n_changes++];
    *change = (struct runs_change){xstrdup(run->id), read_changes(app, run, parent), run->epochs};
    return change->text;
}

/* What it has lost itself in, where it branched from (unless the tree shows it), what it changed, tags and note. */
static void fill_words(struct fill_context *f, const struct runs_row *row, struct list_cell *cell)
{
    const struct run_summary *run = row->run, *parent = *row->branch ? NULL : app_find_run(f->app, run->parent_run);
    const struct metric_summary *monitored = runs_metric(run, run->monitor);
    bool lost = monitored && !isfinite(monitored->last);
    struct str words = {0};
    str_add(&words, "");
    if (lost)
        str_addf(&words, "%s is %s  ", run->monitor, human_metric(monitored->last).text);
    if (run->parent_run && !*row->branch)
        str_addf(&words, "from %.60s:%lld  ", parent ? parent->name : run->parent_run, (long long)run->parent_epoch);
    if (f->words && run->parent_run) {
        const char *changes = runs_changes(f->app, f->view, run);
        str_addf(&words, "%s%s", changes, *changes ? "  " : "");
    }
    for (size_t i = 0; i < run->n_tags; i++)
        str_addf(&words, "#%s ", run->tags[i]);
    if (run->note)
        str_addf(&words, "%s%s", run->n_tags ? " " : "", run->note);
    snprintf(cell->text, sizeof cell->text, "%s", str_text(&words));
    cell->style = lost ? STYLE_ERROR : STYLE_FAINT;
    str_release(&words);
}

static bool fill_error(const struct run_summary *run, struct list_cell *cell)
{
    if (!run->error || !*run->error)
        return false;
    snprintf(cell->text, sizeof cell->text, "%s", run->error);
    cell->style = STYLE_ERROR;
    return true;
}

static void fill_spark(struct fill_context *f, struct runs_row *row, struct list_cell *cell)
{
    const struct run_summary *run = row->run;
    int width = f->view->spark_columns;
    if (!f->words && fill_error(run, cell))
        return;
    if (row->n_spark != width)
        tile_spark(run->spark, run->n_spark, f->app->rung == RUNG_ASCII, row->spark, row->n_spark = width);
    cell->points = row->spark;
    cell->n_points = width;
    cell->points_style = human_state_style(run->state);
    if (!f->words)
        fill_words(f, row, cell);
}

static void fill(void *context, int row, int column, struct list_cell *cell)
{
    struct fill_context *f = context;
    struct runs_row *r = &f->view->rows[row];
    const struct run_summary *run = r->run;
    cell->style = STYLE_TEXT;
    switch (column) {
    case RUNS_MARK:
        snprintf(cell->text, sizeof cell->text, "%s", app_is_marked(f->app, run->id) ? "●" : " ");
        cell->style = STYLE_ACCENT;
        break;
    case RUNS_NAME:
        snprintf(cell->text, sizeof cell->text, "%s%.100s", r->branch, run->name);
        break;
    case RUNS_STATE:
        snprintf(cell->text, sizeof cell->text, "%s%s%s", human_state_sign(run->state), f->narrow ? "" : " ",
                 f->narrow ? "" : run_state_name(run->state));
        cell->style = human_state_style(run->state);
        break;
    case RUNS_EPOCH:
        snprintf(cell->text, sizeof cell->text, run->epochs ? "%lld/%lld" : "%lld", (long long)run->epoch,
                 (long long)run->epochs);
        break;
    case RUNS_LOSS:
        fill_metric(cell, run, "loss");
        break;
    case RUNS_MONITOR:
        fill_metric(cell, run, "val_loss");
        break;
    case RUNS_BEST:
        fill_best(cell, run);
        break;
    case RUNS_RATE:
        fill_faint(cell, human_rate(run->learning_rate).text);
        break;
    case RUNS_TIME:
        snprintf(cell->text, sizeof cell->text, "%s", text_duration(run->duration_s > 0 ? run->duration_s : NAN).text);
        break;
    case RUNS_PACE:
        fill_pace(cell, run);
        break;
    case RUNS_AGE:
        fill_faint(cell, human_age(f->app->wall - run->created).text);
        break;
    case RUNS_SAVED:
        snprintf(cell->text, sizeof cell->text, "%lld", (long long)run->n_checkpoints);
        cell->style = STYLE_FAINT;
        break;
    case RUNS_SPARK:
        fill_spark(f, r, cell);
        break;
    case RUNS_WORDS:
        if (!fill_error(run, cell))
            fill_words(f, r, cell);
        break;
    default:
        break;
    }
}

void runs_list_draw(const struct app *app, struct runs_view *v, struct grid *grid, struct rect rect)
{
    enum { NARROW = 50, LONG_NAMES = 100, LONG_SPARK = 140, WORDS = 170 };
    struct list_column shown[RUNS_COLUMNS];
    struct fill_context f = {.app = app, .view = v, .words = rect.w >= WORDS, .narrow = rect.w < NARROW};
    v->spark_columns = rect.w >= LONG_SPARK ? WIDE_SPARK_COLUMNS : SPARK_COLUMNS;
    for (int i = 0; i < RUNS_COLUMNS; i++)
        shown[i] = runs_columns[i].column;
    if (rect.w < LONG_NAMES) /* one long name does not take the place of all that is known */
        shown[RUNS_NAME].max = rect.w * 2 / 5;
    if (f.words) { /* the sparkline keeps its place, what is said fills the rest */
        shown[RUNS_SPARK].min = shown[RUNS_SPARK].max = WIDE_SPARK_COLUMNS;
        shown[RUNS_SPARK].grow = false;
        shown[RUNS_WORDS].grow = true;
        shown[RUNS_WORDS].rank = 0;
    }
    for (int row = v->list.top; row < v->list.top + rect.h && row < (int)v->n_rows; row++)
        if (!f.words && v->rows[row].run->error && *v->rows[row].run->error) /* why it failed comes first */
            shown[RUNS_SPARK].rank = 0;
    if (v->sort >= 0)
        shown[v->sort].rank = 0;
    list_draw(&v->list, grid, rect, shown, RUNS_COLUMNS - !f.words, v->sort, v->reverse, true, fill, &f);
}
