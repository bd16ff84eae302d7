/* view_runs.c - home: all runs as a list with their lineage, and the selected one's curve below it. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/app/human.h"
#include "tui/app/views.h"
#include "tui/views/runs_view.h"

enum { PREVIEW_LEAST_HEIGHT = 18 };

struct column_row {
    struct list_column column;
    const char *sort; /* key for index_list, NULL: cannot be sorted by */
};
enum {
    COL_MARK,
    COL_NAME,
    COL_STATE,
    COL_EPOCH,
    COL_LOSS,
    COL_MONITOR,
    COL_BEST,
    COL_TIME,
    COL_AGE,
    COL_SPARK,
    COL_COUNT
};
static const struct column_row columns[COL_COUNT] = {
    [COL_MARK] = {{"", LIST_LEFT, 1, 1, 0, false}, NULL},
    [COL_NAME] = {{"name", LIST_LEFT, 14, 40, 0, false}, "name"},
    [COL_STATE] = {{"state", LIST_LEFT, 1, 13, 0, false}, "state"},
    [COL_EPOCH] = {{"epoch", LIST_RIGHT, 5, 11, 0, false}, "epoch"},
    [COL_LOSS] = {{"loss", LIST_POINT, 6, 12, 4, false}, "last.loss"},
    [COL_MONITOR] = {{"val_loss", LIST_POINT, 6, 12, 2, false}, "last.val_loss"},
    [COL_BEST] = {{"best@", LIST_POINT, 6, 14, 1, false}, "best.val_loss"},
    [COL_TIME] = {{"time", LIST_RIGHT, 4, 8, 3, false}, "duration"},
    [COL_AGE] = {{"age", LIST_RIGHT, 3, 8, 6, false}, "created"},
    [COL_SPARK] = {{"last epochs", LIST_LEFT, SPARK_COLUMNS, SPARK_COLUMNS, 5, true}, NULL},
};

static const struct run_summary *selected_run(const struct app *app, const void *state)
{
    (void)app;
    const struct runs_view *v = state;
    return v->n_rows ? v->rows[v->list.selected].run : NULL;
}

static bool find_rows(struct app *app, struct runs_view *v)
{
    char sort[64];
    snprintf(sort, sizeof sort, "%s%s", v->reverse ? "-" : "", v->sort >= 0 ? columns[v->sort].sort : "");
    return runs_rows_find(app, v, v->sort >= 0 ? sort : NULL);
}

static int runs_refresh(struct app *app, void *state)
{
    struct runs_view *v = state;
    find_rows(app, v);
    runs_rows_select(v);
    runs_preview_load(app, v, selected_run(app, v), true);
    return LOOP_DRAW;
}

static bool runs_open(struct app *app, void *state, const char *argument, struct err *err)
{
    (void)err;
    struct runs_view *v = state;
    v->sort = (int)js_int(app->memory, "runs.sort", -1);
    if (v->sort >= COL_COUNT || (v->sort >= 0 && !columns[v->sort].sort))
        v->sort = -1;
    v->reverse = js_bool(app->memory, "runs.reverse", false);
    v->curve.monitor = -1;
    if (argument)
        snprintf(v->selected, sizeof v->selected, "%s", argument);
    runs_refresh(app, v);
    return true;
}

static void runs_close(void *state)
{
    struct runs_view *v = state;
    free(v->rows);
    edit_release(&v->filter);
    curve_set_release(&v->curve);
    arena_release(&v->facts_arena);
}

static const struct checkpoint_summary *selected_checkpoint(const struct app *app, const void *state)
{
    (void)app;
    return ((const struct runs_view *)state)->checkpoint;
}

static unsigned runs_places(const struct app *app, const void *state)
{
    const struct runs_view *v = state;
    if (!app->n_runs)
        return IN_PICK;
    return IN_LIST | IN_MOVE | IN_ALONE | (v->n_rows ? IN_RUN : 0) | (v->checkpoint ? IN_CHECKPOINT : 0);
}

static int sort_by(struct app *app, struct runs_view *v, int step)
{
    int at = v->sort;
    do {
        at += step;
        if (at < -1)
            at = COL_COUNT - 1;
        if (at >= COL_COUNT)
            at = -1;
    } while (at >= 0 && !columns[at].sort);
    v->sort = at;
    app_remember(app, "runs.sort", json_integer(at));
    return runs_refresh(app, v);
}

static int runs_action(struct app *app, void *state, enum action action)
{
    struct runs_view *v = state;
    const struct run_summary *run = selected_run(app, v);
    if (list_action(&v->list, action, 10)) {
        runs_preview_load(app, v, selected_run(app, v), false);
        return LOOP_DRAW;
    }
    switch (action) {
    case ACTION_OPEN:
        return run ? app_go(app, "run", run->id) : app_go(app, "new", NULL);
    case ACTION_MARK:
        if (run)
            app_mark(app, run->id, !app_is_marked(app, run->id));
        list_action(&v->list, ACTION_DOWN, 10);
        runs_preview_load(app, v, selected_run(app, v), false);
        return LOOP_DRAW;
    case ACTION_FILTER:
        v->filtering = true;
        return LOOP_DRAW;
    case ACTION_CANCEL:
        if (!v->filter.text.length)
            return LOOP_NOTHING;
        edit_set(&v->filter, "");
        return runs_refresh(app, v);
    case ACTION_SORT_LEFT:
        return sort_by(app, v, -1);
    case ACTION_SORT_RIGHT:
        return sort_by(app, v, 1);
    case ACTION_SORT_REVERSE:
        v->reverse = !v->reverse;
        app_remember(app, "runs.reverse", json_boolean(v->reverse));
        return runs_refresh(app, v);
    case ACTION_MAXIMISE:
        v->alone = !v->alone;
        return LOOP_DRAW;
    default:
        return LOOP_NOTHING;
    }
}

/* A title sorts by its column, pressed again the other way round; that of the marks as they were made. */
static int press_title(struct app *app, struct runs_view *v, int column)
{
    if (column != COL_MARK && !columns[column].sort)
        return LOOP_NOTHING;
    v->reverse = column == v->sort && !v->reverse;
    v->sort = column == COL_MARK ? -1 : column;
    app_remember(app, "runs.sort", json_integer(v->sort));
    app_remember(app, "runs.reverse", json_boolean(v->reverse));
    return runs_refresh(app, v);
}

static int mouse(struct app *app, struct runs_view *v, const struct event *event)
{
    int title = list_title(&v->list, event);
    if (title >= 0)
        return press_title(app, v, title);
    enum list_click click = list_mouse(&v->list, event);
    if (!click || !v->n_rows)
        return LOOP_NOTHING;
    v->filtering = false;
    runs_preview_load(app, v, selected_run(app, v), false);
    return click == LIST_OPENED ? runs_action(app, v, ACTION_OPEN) : LOOP_DRAW;
}

static int runs_event(struct app *app, void *state, const struct event *event)
{
    struct runs_view *v = state;
    if (event->kind == EVENT_MOUSE)
        return mouse(app, v, event);
    if (!v->filtering)
        return LOOP_NOTHING;
    switch (edit_event(&v->filter, event)) {
    case EDIT_CHANGED:
        find_rows(app, v);
        runs_rows_select(v);
        runs_preview_load(app, v, selected_run(app, v), false);
        return LOOP_DRAW;
    case EDIT_DONE:
        v->filtering = false;
        return LOOP_DRAW;
    case EDIT_CANCELLED:
        v->filtering = false;
        edit_set(&v->filter, "");
        return runs_refresh(app, v);
    case EDIT_MOVED:
        return LOOP_DRAW;
    case EDIT_IGNORED:
        break;
    }
    return LOOP_NOTHING;
}

struct fill_context {
    const struct app *app;
    struct runs_view *view;
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

/* What it has lost itself in, where it branched from (unless the tree shows it), tags and note. */
static void fill_words(const struct app *app, const struct runs_row *row, struct list_cell *cell)
{
    const struct run_summary *run = row->run, *parent = *row->branch ? NULL : app_find_run(app, run->parent_run);
    size_t used = 0, size = sizeof cell->text;
    const struct metric_summary *monitored = runs_metric(run, run->monitor);
    if (monitored && !isfinite(monitored->last))
        used = (size_t)snprintf(cell->text, size, "%s is %s  ", run->monitor, human_metric(monitored->last).text);
    if (run->parent_run && !*row->branch)
        used += (size_t)snprintf(cell->text + used, size - used, "from %.60s:%lld  ", parent ? parent->name : run->parent_run,
                                (long long)run->parent_epoch);
    for (size_t i = 0; i < run->n_tags && used < size; i++)
        used += (size_t)snprintf(cell->text + used, size - used, "#%s ", run->tags[i]);
    if (run->note && used < size)
        snprintf(cell->text + used, size - used, "%s%s", run->n_tags ? " " : "", run->note);
    cell->style = monitored && !isfinite(monitored->last) ? STYLE_ERROR : STYLE_FAINT;
}

static void fill_spark(const struct app *app, struct runs_row *row, int width, struct list_cell *cell)
{
    const struct run_summary *run = row->run;
    if (run->error && *run->error) {
        snprintf(cell->text, sizeof cell->text, "%s", run->error);
        cell->style = STYLE_ERROR;
        return;
    }
    if (row->n_spark != width)
        tile_spark(run->spark, run->n_spark, app->rung == RUNG_ASCII, row->spark, row->n_spark = width);
    cell->points = row->spark;
    cell->n_points = width;
    cell->points_style = human_state_style(run->state);
    fill_words(app, row, cell);
}

static void fill(void *context, int row, int column, struct list_cell *cell)
{
    struct fill_context *f = context;
    struct runs_row *r = &f->view->rows[row];
    const struct run_summary *run = r->run;
    cell->style = STYLE_TEXT;
    switch (column) {
    case COL_MARK:
        snprintf(cell->text, sizeof cell->text, "%s", app_is_marked(f->app, run->id) ? "●" : " ");
        cell->style = STYLE_ACCENT;
        break;
    case COL_NAME:
        snprintf(cell->text, sizeof cell->text, "%s%.100s", r->branch, run->name);
        break;
    case COL_STATE:
        snprintf(cell->text, sizeof cell->text, "%s %s", human_state_sign(run->state), run_state_name(run->state));
        cell->style = human_state_style(run->state);
        break;
    case COL_EPOCH:
        snprintf(cell->text, sizeof cell->text, run->epochs ? "%lld/%lld" : "%lld", (long long)run->epoch,
                 (long long)run->epochs);
        break;
    case COL_LOSS:
        fill_metric(cell, run, "loss");
        break;
    case COL_MONITOR:
        fill_metric(cell, run, "val_loss");
        break;
    case COL_BEST:
        fill_best(cell, run);
        break;
    case COL_TIME:
        snprintf(cell->text, sizeof cell->text, "%s", text_duration(run->duration_s > 0 ? run->duration_s : NAN).text);
        break;
    case COL_AGE:
        snprintf(cell->text, sizeof cell->text, "%s", human_age(f->app->wall - run->created).text);
        break;
    case COL_SPARK:
        fill_spark(f->app, r, f->view->spark_columns, cell);
        break;
    default:
        break;
    }
}

static void draw_list(const struct app *app, struct runs_view *v, struct grid *grid, struct rect rect)
{
    enum { WIDE = 140 };
    struct list_column shown[COL_COUNT];
    v->spark_columns = rect.w < WIDE ? SPARK_COLUMNS : WIDE_SPARK_COLUMNS;
    for (int i = 0; i < COL_COUNT; i++)
        shown[i] = columns[i].column;
    for (int row = v->list.top; row < v->list.top + rect.h && row < (int)v->n_rows; row++)
        if (v->rows[row].run->error && *v->rows[row].run->error) /* why it failed comes first */
            shown[COL_SPARK].rank = 0;
    struct fill_context f = {.app = app, .view = v};
    list_draw(&v->list, grid, rect, shown, COL_COUNT, v->sort, v->reverse, true, fill, &f);
}

static void count_states(const struct app *app, char *text, size_t size)
{
    int counts[RUN_INTERRUPTED + 1] = {0};
    for (size_t i = 0; i < app->n_runs; i++)
        counts[app->runs[i].state]++;
    size_t used = 0;
    *text = 0;
    static const enum run_state order[] = {RUN_RUNNING, RUN_PAUSED,  RUN_QUEUED,  RUN_INTERRUPTED,
                                           RUN_FAILED,  RUN_STOPPED, RUN_FINISHED};
    for (size_t i = 0; i < sizeof order / sizeof *order && used < size; i++)
        if (counts[order[i]])
            used += (size_t)snprintf(text + used, size - used, "%s%d %s", used ? "  " : "", counts[order[i]],
                                     run_state_name(order[i]));
}

static void draw_filter(const struct app *app, const struct runs_view *v, struct grid *grid, struct rect row)
{
    char count[64];
    snprintf(count, sizeof count, "%zu of %zu", v->n_rows, app->n_runs);
    int width = grid_columns(grid, count);
    grid_text(grid, row, 1, 0, STYLE_KEY, "/");
    edit_draw(&v->filter, grid, rect_part(row, 2, 0, row.w - 4 - width, 1), v->filtering,
              "name  state:running  best.val_loss<0.2  tag:x");
    grid_text_right(grid, row, row.w - 1, 0, v->filter_error[0] ? STYLE_ERROR : STYLE_FAINT, count);
}

static void draw_welcome(const struct app *app, struct grid *grid, struct rect rect)
{
    static const char *const lines[][2] = {{"Enter", "start something: the configs here, and the examples that came"},
                                           {"", "with antler; Enter opens one, Enter again starts it"},
                                           {":", "every action by its name"},
                                           {"?", "all keys that work here"},
                                           {"q", "leave; runs go on without the screen"}};
    enum { LINES = sizeof lines / sizeof *lines };
    struct rect box = rect_center(rect, 74, 12);
    grid_text(grid, box, 0, 0, STYLE_STRONG, "No runs here yet.");
    grid_textf(grid, box, 0, 1, STYLE_FAINT, "They will be kept in %s", app->home);
    for (int i = 0; i < LINES; i++) {
        grid_text_right(grid, box, 7, 3 + i, STYLE_KEY, lines[i][0]);
        grid_text(grid, box, 9, 3 + i, STYLE_TEXT, lines[i][1]);
    }
    grid_text(grid, box, 0, 4 + LINES, STYLE_FAINT, "In a shell:  antler train CONFIG   antler import history.csv");
}

static void runs_view(const struct app *app, const void *state, struct grid *grid, struct rect rect)
{
    struct runs_view *v = (struct runs_view *)state; /* the scroll position follows the size */
    char counts[200], right[400];
    count_states(app, counts, sizeof counts);
    snprintf(right, sizeof right, "%s   home %.200s", counts, app->home);
    if (grid_columns(grid, right) > rect.w - 17) /* beside "antler  runs" */
        snprintf(right, sizeof right, "%s", counts);
    app_header(app, grid, &rect, "runs", right);
    v->list.drawn = (struct rect){0};
    if (!app->n_runs) {
        draw_welcome(app, grid, rect);
        return;
    }
    if (v->filtering || v->filter.text.length)
        draw_filter(app, v, grid, rect_top(&rect, 1));
    if (v->filter_error[0])
        grid_text(grid, rect_top(&rect, 1), 1, 0, STYLE_ERROR, v->filter_error);
    struct rect preview = {0};
    if (!v->alone && rect.h >= PREVIEW_LEAST_HEIGHT) {
        int rows = (int)v->n_rows + 2, most = rect.h - rect.h * 2 / 5;
        preview = rect_bottom(&rect, rect.h - (rows < most ? (rows > 6 ? rows : 6) : most));
    }
    draw_list(app, v, grid, rect);
    if (preview.h > 3 && v->n_rows)
        runs_preview_draw(app, v, selected_run(app, v), grid, preview);
}

const struct screen_view_ops view_runs = {
    .name = "runs",
    .state_size = sizeof(struct runs_view),
    .open = runs_open,
    .close = runs_close,
    .places = runs_places,
    .action = runs_action,
    .event = runs_event,
    .refresh = runs_refresh,
    .view = runs_view,
    .run = selected_run,
    .checkpoint = selected_checkpoint,
};
