/* view_runs.c - home: all runs as a list with their lineage, and the selected one's curve below it. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/app/human.h"
#include "tui/app/views.h"
#include "tui/views/runs_view.h"

enum { PREVIEW_LEAST_HEIGHT = 18 };

static const struct run_summary *selected_run(const struct app *app, const void *state)
{
    (void)app;
    const struct runs_view *v = state;
    return v->n_rows ? v->rows[v->list.selected].run : NULL;
}

static bool find_rows(struct app *app, struct runs_view *v)
{
    char sort[64];
    snprintf(sort, sizeof sort, "%s%s", v->reverse ? "-" : "", v->sort >= 0 ? runs_columns[v->sort].sort : "");
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

static int column_named(const char *sort)
{
    for (int c = 0; c < RUNS_COLUMNS; c++)
        if (runs_columns[c].sort && !strcmp(runs_columns[c].sort, sort))
            return c;
    return -1;
}

static void remember_sort(struct app *app, const struct runs_view *v)
{
    app_remember(app, "runs.sort", json_string(v->sort >= 0 ? runs_columns[v->sort].sort : ""));
    app_remember(app, "runs.reverse", json_boolean(v->reverse));
}

static bool runs_open(struct app *app, void *state, const char *argument, struct err *err)
{
    (void)err;
    struct runs_view *v = state;
    v->sort = column_named(js_string(app->memory, "runs.sort", ""));
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
    runs_changes_release(v);
    runs_preview_release(v);
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
            at = RUNS_COLUMNS - 1;
        if (at >= RUNS_COLUMNS)
            at = -1;
    } while (at >= 0 && (!runs_columns[at].sort || !v->list.title_end[at])); /* only by what is seen */
    v->sort = at;
    remember_sort(app, v);
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
        remember_sort(app, v);
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
    if (column != RUNS_MARK && !runs_columns[column].sort)
        return LOOP_NOTHING;
    v->reverse = column == v->sort && !v->reverse;
    v->sort = column == RUNS_MARK ? -1 : column;
    remember_sort(app, v);
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
    runs_list_draw(app, v, grid, rect);
    if (preview.h > 3 && v->n_rows)
        runs_preview_draw(app, v, selected_run(app, v), grid, preview);
}

/* One that a filter hides leaves the selection where it was. */
static void runs_reveal(struct app *app, void *state, const char *run)
{
    struct runs_view *v = state;
    for (size_t i = 0; i < v->n_rows; i++)
        if (!strcmp(v->rows[i].run->id, run)) {
            v->list.selected = (int)i;
            runs_preview_load(app, v, v->rows[i].run, false);
        }
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
    .reveal = runs_reveal,
};
