/* view_compare.c - several runs over each other: their curves, what came of them, and the settings they differ in. */
#include "tui/app/views.h"
#include "tui/views/compare_view.h"

#include "persistence/runs/metric_direction.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_run(struct compare_view *v, const char *id)
{
    for (int i = 0; i < v->n_ids; i++)
        if (!strcmp(v->ids[i], id))
            return;
    if (v->n_ids < COMPARE_MAX_RUNS)
        v->ids[v->n_ids++] = xstrdup(id);
}

static bool same_id(const char *a, const char *b)
{
    return a && b && !strcmp(a, b);
}

/* Parent, the run itself, what branched from the same parent, and what branched from it; oldest first. */
static void add_family(const struct app *app, struct compare_view *v, const struct run_summary *run)
{
    if (app_find_run(app, run->parent_run))
        add_run(v, run->parent_run);
    for (size_t i = app->n_runs; i-- > 0;) {
        const struct run_summary *other = &app->runs[i];
        if (other == run || same_id(other->parent_run, run->id) || same_id(other->parent_run, run->parent_run))
            add_run(v, other->id);
    }
}

static void choose_runs(const struct app *app, struct compare_view *v, const struct run_summary *run)
{
    for (int i = 0; i < app->n_marks; i++)
        if (app_find_run(app, app->marks[i]))
            add_run(v, app->marks[i]);
    bool also = run && v->n_ids == 1 && !app_is_marked(app, run->id); /* one marked: the selected one against it */
    if (v->n_ids > 1 || also) {
        if (also)
            add_run(v, run->id);
        if (also)
            snprintf(v->what, sizeof v->what, "the marked run and %.100s", run->name);
        else if (v->n_ids < app->n_marks)
            snprintf(v->what, sizeof v->what, "%d of %d marked runs", v->n_ids, app->n_marks);
        else
            snprintf(v->what, sizeof v->what, "%d marked runs", v->n_ids);
        return;
    }
    if (!run)
        run = v->n_ids ? app_find_run(app, v->ids[0]) : &app->runs[0];
    if (v->n_ids)
        free(v->ids[--v->n_ids]);
    add_family(app, v, run);
    snprintf(v->what, sizeof v->what, "%.100s, its parent and branches", run->name);
    if (v->n_ids > 1)
        return;
    for (size_t i = 0; i < app->n_runs && v->n_ids < COMPARE_IN_DETAIL; i++)
        add_run(v, app->runs[i].id);
    snprintf(v->what, sizeof v->what, "%.100s and the newest others", run->name);
}

static size_t index_of(const struct compare_view *v, const char *id)
{
    for (size_t i = 0; i < v->n; i++)
        if (!strcmp(v->list[i].run->id, id))
            return i;
    return 0;
}

/* The best learning rate means nothing. */
static void drop_rates(struct compare_view *v)
{
    size_t kept = 0;
    for (size_t m = 0; m < v->n_metrics; m++)
        if (strcmp(v->metrics[m], "learning_rate") != 0)
            v->metrics[kept++] = v->metrics[m];
    v->n_metrics = kept;
}

static bool find_runs(struct app *app, struct compare_view *v, struct err *err)
{
    arena_release(&v->arena);
    v->list = arena_array(&v->arena, (size_t)v->n_ids + 1, sizeof *v->list);
    v->n = v->n_keys = v->n_metrics = v->n_checkpoints = 0;
    v->chart.checkpoints = NULL;
    v->chart.n_checkpoints = 0;
    v->chart.selected = -1;
    for (int i = 0; i < v->n_ids; i++) {
        struct compared *one = &v->list[v->n];
        one->run = app_find_run(app, v->ids[i]);
        if (!one->run)
            continue;
        if (!index_params(app->index, one->run->id, &v->arena, &one->params, &one->n_params, err))
            return false;
        v->n++;
    }
    if (!v->n)
        return err_set(err, ERR_NOT_FOUND, "there is nothing to compare: start runs with n, mark them with Space");
    v->runs = arena_array(&v->arena, v->n, sizeof(const struct run_summary *));
    for (size_t i = 0; i < v->n; i++)
        v->runs[i] = v->list[i].run;
    v->labels = compared_labels(v->runs, v->n, &v->arena);
    v->keys = compared_keys(v->list, v->n, false, &v->arena, &v->n_keys);
    v->metrics = compared_metrics(v->list, v->n, &v->arena, &v->n_metrics);
    drop_rates(v);
    v->focus = index_of(v, v->focused);
    v->base = index_of(v, v->baseline);
    v->legend.count = (int)v->n;
    v->table.count = (int)(v->n_keys + v->n_metrics);
    return true;
}

/* Many runs are a cloud, out of which the focused one and the baseline stand. */
static const bool *choose_bright(struct compare_view *v)
{
    if (v->n <= COMPARE_IN_DETAIL)
        return NULL;
    bool *bright = arena_array(&v->arena, v->n, sizeof *bright);
    for (size_t i = 0; i < v->n; i++)
        bright[i] = i == v->focus || i == v->base;
    return bright;
}

/* What the runs are judged by: what is drawn, in validation where any of them has it. */
static void choose_metric(struct compare_view *v)
{
    bool any = false;
    snprintf(v->metric, sizeof v->metric, "val_%s", v->chart.curves.family);
    for (size_t i = 0; i < v->n; i++)
        any |= compared_metric(v->list[i].run, v->metric) != NULL;
    if (v->chart.shown_part == CURVES_TRAIN || !any)
        snprintf(v->metric, sizeof v->metric, "%s", v->chart.curves.family);
}

double compare_smooth_of(const struct compare_view *v, size_t run)
{
    const struct curve_set *set = &v->chart.curves;
    bool validation = curve_is_validation(v->metric);
    for (size_t i = 0; i < set->n; i++) {
        const struct series *smooth = set->lines[i].smooth;
        bool wanted = v->chart.shown_part != CURVES_BOTH || set->lines[i].dashed == validation;
        if (set->run_of[i] == (int)run && wanted && smooth && smooth->n)
            return smooth->y[smooth->n - 1];
    }
    return NAN;
}

/* What a column says of a run as a number; better is not asked, only which is greater. */
static double number_of(const struct compare_view *v, size_t run)
{
    const struct metric_summary *metric = compared_metric(v->list[run].run, v->metric);
    switch (v->sort) {
    case COMPARE_EPOCH:
        return (double)v->list[run].run->epoch;
    case COMPARE_LAST:
        return metric ? metric->last : NAN;
    case COMPARE_SMOOTH:
        return compare_smooth_of(v, run);
    case COMPARE_AT:
        return metric && !isnan(metric->best) ? (double)metric->best_epoch : NAN;
    default:
        return metric ? metric->best : NAN;
    }
}

/* Those without a value come last, equals as they were chosen. */
static bool comes_before(const struct compare_view *v, size_t a, size_t b)
{
    if (v->sort == COMPARE_NAME) {
        int order = strcmp(v->labels[a], v->labels[b]);
        return v->reverse ? order > 0 : order < 0;
    }
    double x = number_of(v, a), y = number_of(v, b);
    if (isnan(x) || isnan(y))
        return isnan(y) && !isnan(x);
    return v->reverse ? x > y : x < y;
}

static void sort_runs(struct compare_view *v)
{
    v->order = arena_array(&v->arena, v->n + 1, sizeof *v->order);
    for (size_t i = 0; i < v->n; i++) {
        size_t at = i;
        for (; v->sort >= 0 && at > 0 && comes_before(v, i, v->order[at - 1]); at--)
            v->order[at] = v->order[at - 1];
        v->order[at] = i;
    }
    for (size_t i = 0; i < v->n; i++)
        if (v->order[i] == v->focus)
            v->legend.selected = (int)i;
}

/* Everything that depends on the metric. */
static void judge(struct compare_view *v)
{
    v->champion = compared_champion(v->list, v->n, v->metric);
    v->effects = importance_find(v->list, v->n, v->keys, v->n_keys, v->metric, &v->arena);
    sort_runs(v);
}

static bool read_all(struct app *app, struct compare_view *v, struct err *err)
{
    if (!find_runs(app, v, err))
        return false;
    if (!index_checkpoints(app->index, v->runs[v->focus]->id, &v->arena, &v->checkpoints, &v->n_checkpoints, err))
        return false;
    struct chart_content content = {.runs = v->runs,
                                    .n_runs = v->n,
                                    .labels = v->labels,
                                    .bright = choose_bright(v),
                                    .focus = v->focus,
                                    .checkpoints = v->checkpoints,
                                    .n_checkpoints = v->n_checkpoints};
    bool ok = chart_pane_load(app, &v->chart, &content, err);
    choose_metric(v);
    judge(v);
    return ok;
}

/* False: nothing is compared any more. */
static bool load(struct app *app, struct compare_view *v, struct err *err)
{
    if (read_all(app, v, err))
        return true;
    v->n = 0;
    v->chart.n_checkpoints = 0;
    v->chart.selected = -1;
    return false;
}

static int compare_refresh(struct app *app, void *state)
{
    struct err err = {0};
    return load(app, state, &err) ? LOOP_DRAW : app_fail(app, &err);
}

static void compare_close(void *state)
{
    struct compare_view *v = state;
    chart_pane_release(&v->chart);
    arena_release(&v->arena);
    for (int i = 0; i < v->n_ids; i++)
        free(v->ids[i]);
}

static bool compare_open(struct app *app, void *state, const char *argument, struct err *err)
{
    struct compare_view *v = state;
    const struct run_summary *run = app_find_run(app, argument);
    chart_pane_init(app, &v->chart, "compare");
    if (!app_recall(app, "compare.part")) /* one line a run is enough to begin with */
        v->chart.part = CURVES_VALIDATION;
    v->sort = (int)js_int(app->memory, "compare.sort", -1);
    v->reverse = js_bool(app->memory, "compare.reverse", false);
    if (v->sort < -1 || v->sort >= COMPARE_COLUMNS)
        v->sort = -1;
    if (app->n_runs)
        choose_runs(app, v, run);
    if (run)
        snprintf(v->focused, sizeof v->focused, "%s", run->id);
    if (v->n_ids)
        snprintf(v->baseline, sizeof v->baseline, "%s", v->ids[0]);
    if (load(app, v, err))
        return true;
    compare_close(v);
    return false;
}

static unsigned compare_places(const struct app *app, const void *state)
{
    const struct compare_view *v = state;
    (void)app;
    return IN_CHART | IN_MOVE | IN_SIDEWAYS | IN_PANES | IN_COMPARED | (v->n ? IN_RUN : 0) |
           (v->chart.selected >= 0 ? IN_CHECKPOINT | IN_WALK : 0);
}

static const struct run_summary *focused_run(const struct app *app, const void *state)
{
    const struct compare_view *v = state;
    (void)app;
    return v->n ? v->list[v->focus].run : NULL;
}

static const struct checkpoint_summary *focused_checkpoint(const struct app *app, const void *state)
{
    const struct compare_view *v = state;
    (void)app;
    return v->chart.selected >= 0 && (size_t)v->chart.selected < v->n_checkpoints ? &v->checkpoints[v->chart.selected]
                                                                                  : NULL;
}

static int focus_on(struct app *app, struct compare_view *v, int row)
{
    if (row < 0 || (size_t)row >= v->n)
        return LOOP_NOTHING;
    snprintf(v->focused, sizeof v->focused, "%s", v->list[v->order[row]].run->id);
    return compare_refresh(app, v);
}

static int page_matters(struct compare_view *v, enum action action)
{
    size_t step = v->matters_shown ? v->matters_shown : 1;
    if ((action == ACTION_PAGE_DOWN || action == ACTION_DOWN) && v->matters_first + step < v->n_keys)
        v->matters_first += step;
    else if (action == ACTION_PAGE_UP || action == ACTION_UP)
        v->matters_first -= v->matters_first < step ? v->matters_first : step;
    else if (action == ACTION_TOP)
        v->matters_first = 0;
    return LOOP_DRAW;
}

/* The best first. */
static int sort_runs_by(struct app *app, struct compare_view *v, int column)
{
    v->sort = column;
    v->reverse = (v->sort == COMPARE_LAST || v->sort == COMPARE_SMOOTH || v->sort == COMPARE_BEST) &&
                 metric_is_better_upwards(v->metric);
    app_remember(app, "compare.sort", json_integer(v->sort));
    app_remember(app, "compare.reverse", json_boolean(v->reverse));
    sort_runs(v);
    return LOOP_DRAW;
}

/* Along the columns that order runs; left of the first, they stand as they were chosen. */
static int sort_by(struct app *app, struct compare_view *v, int by)
{
    static const int columns[] = {-1,           COMPARE_NAME, COMPARE_EPOCH, COMPARE_LAST, COMPARE_SMOOTH,
                                  COMPARE_BEST, COMPARE_AT};
    enum { N = sizeof columns / sizeof *columns };
    int at = 0;
    for (int i = 0; i < N; i++)
        if (columns[i] == v->sort)
            at = i;
    do
        at = (at + by + N) % N;
    while (columns[at] == COMPARE_SMOOTH && !v->chart.smooth);
    return sort_runs_by(app, v, columns[at]);
}

static int move(struct app *app, struct compare_view *v, enum action action)
{
    int rows = v->place[v->pane].h > 2 ? v->place[v->pane].h - 1 : 4;
    if (v->pane == COMPARE_MATTERS)
        return page_matters(v, action);
    if (v->pane == COMPARE_TABLE)
        return list_action(&v->table, action, rows) ? LOOP_DRAW : LOOP_NOTHING;
    if (!list_action(&v->legend, action, rows))
        return LOOP_NOTHING;
    return focus_on(app, v, v->legend.selected);
}

static int compare_action(struct app *app, void *state, enum action action)
{
    struct compare_view *v = state;
    if (!v->n) /* all of them were deleted */
        return LOOP_NOTHING;
    if (action == ACTION_EXPORT && v->pane != COMPARE_CHART)
        return compare_export(app);
    enum chart_done done = chart_pane_action(app, &v->chart, action);
    if (done)
        return done == CHART_RELOAD ? compare_refresh(app, v) : LOOP_DRAW;
    switch (action) {
    case ACTION_NEXT_PANE:
        v->pane = (enum compare_pane)((v->pane + 1) % COMPARE_PANES);
        return LOOP_DRAW;
    case ACTION_PREVIOUS_PANE:
        v->pane = (enum compare_pane)((v->pane + COMPARE_PANES - 1) % COMPARE_PANES);
        return LOOP_DRAW;
    case ACTION_MAXIMISE:
        v->alone = !v->alone;
        return LOOP_DRAW;
    case ACTION_SORT_LEFT:
    case ACTION_SORT_RIGHT:
        return sort_by(app, v, action == ACTION_SORT_LEFT ? -1 : 1);
    case ACTION_SORT_REVERSE:
        v->reverse = !v->reverse;
        app_remember(app, "compare.reverse", json_boolean(v->reverse));
        sort_runs(v);
        return LOOP_DRAW;
    case ACTION_OPEN:
        return app_go(app, "run", v->list[v->focus].run->id);
    case ACTION_PIN:
        snprintf(v->baseline, sizeof v->baseline, "%s", v->list[v->focus].run->id);
        app_say(app, STYLE_TEXT, "the others are measured against %s", v->list[v->focus].run->name);
        return compare_refresh(app, v);
    default:
        return move(app, v, action);
    }
}

/* A title sorts by its column, pressed again the other way round; that of the signs as they were chosen. */
static int press_title(struct app *app, struct compare_view *v, int title)
{
    static const int sorts[COMPARE_COLUMNS] = {
        [COMPARE_SIGN] = -1,
        [COMPARE_NAME] = COMPARE_NAME,
        [COMPARE_STATE] = -1,
        [COMPARE_EPOCH] = COMPARE_EPOCH,
        [COMPARE_LAST] = COMPARE_LAST,
        [COMPARE_SMOOTH] = COMPARE_SMOOTH,
        [COMPARE_BEST] = COMPARE_BEST,
        [COMPARE_AT] = COMPARE_AT,
        [COMPARE_DELTA] = COMPARE_BEST,
        [COMPARE_FROM] = -1,
    };
    int column = title + (title >= COMPARE_SMOOTH && !v->chart.smooth); /* that one is not drawn */
    int sort = sorts[column < COMPARE_COLUMNS ? column : COMPARE_SIGN];
    v->pane = COMPARE_RUNS;
    if (sort >= 0 && sort == v->sort)
        return compare_action(app, v, ACTION_SORT_REVERSE);
    return sort_runs_by(app, v, sort);
}

static int compare_event(struct app *app, void *state, const struct event *event)
{
    struct compare_view *v = state;
    if (event->kind != EVENT_MOUSE)
        return LOOP_NOTHING;
    enum chart_done done = chart_pane_mouse(app, &v->chart, event);
    if (done) {
        v->pane = COMPARE_CHART;
        return done == CHART_RELOAD ? compare_refresh(app, v) : LOOP_DRAW;
    }
    int by = event->action == MOUSE_WHEEL_UP ? -3 : event->action == MOUSE_WHEEL_DOWN ? 3 : 0;
    if (by && rect_has(v->place[COMPARE_TABLE], event->x, event->y))
        list_wheel(&v->table, by, v->place[COMPARE_TABLE].h - 1);
    else if (by && list_mouse(&v->legend, event))
        focus_on(app, v, v->legend.selected);
    else if (v->n && list_title(&v->legend, event) >= 0)
        return press_title(app, v, list_title(&v->legend, event));
    else if (event->action == MOUSE_PRESS) {
        for (int pane = 0; pane < COMPARE_PANES; pane++)
            if (rect_has(v->place[pane], event->x, event->y))
                v->pane = (enum compare_pane)pane;
        enum list_click click = list_mouse(&v->legend, event);
        if (click)
            focus_on(app, v, v->legend.selected);
        if (click == LIST_OPENED)
            return compare_action(app, v, ACTION_OPEN);
    } else
        return LOOP_NOTHING;
    return LOOP_DRAW;
}

static void compare_view_view(const struct app *app, const void *state, struct grid *grid, struct rect rect)
{
    compare_view_draw(app, (struct compare_view *)state, grid, rect); /* remembers where things are, for the mouse */
}

const struct screen_view_ops view_compare = {
    .name = "compare",
    .state_size = sizeof(struct compare_view),
    .open = compare_open,
    .close = compare_close,
    .places = compare_places,
    .action = compare_action,
    .event = compare_event,
    .refresh = compare_refresh,
    .view = compare_view_view,
    .run = focused_run,
    .checkpoint = focused_checkpoint,
};
