/* view_run.c - one run: its curve with the checkpoints on it, the list of them, and config, layers, log and events in
 * tabs. */
#include "base/arena.h"
#include "base/io.h"
#include "tui/app/views.h"
#include "tui/client/run_events.h"
#include "tui/views/run_view.h"
#include "tui/widgets/widget_bars.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const struct run_summary *run_view_run(const struct app *app, const struct run_view *v)
{
    return app_find_run(app, v->id);
}

void run_view_read_live(struct app *app, struct run_view *v)
{
    const struct run_summary *run = run_view_run(app, v);
    v->has_live = false;
    if (run && run->state == RUN_QUEUED) {
        struct queue_plan plan;
        queue_plan_make(&plan, app->home, app->runs, app->n_runs);
        queue_plan_words(&plan, run->id, v->waits);
        queue_plan_release(&plan);
    }
    if (!run || (run->state != RUN_RUNNING && run->state != RUN_PAUSED))
        return;
    char *folder = app_run_folder(app, run);
    v->has_live = run_live_read(folder, &v->live) && v->live.phase != LIVE_ENDED;
    free(folder);
}

static void list_follows(struct run_view *v)
{
    v->list.count = (int)v->n_checkpoints;
    v->list.selected = v->chart.selected >= 0 ? v->chart.selected : 0;
}

static bool read_events(struct app *app, struct run_view *v, struct arena *arena, struct err *err)
{
    const struct run_event *all;
    size_t n;
    if (!index_events(app->index, v->id, arena, &all, &n, err))
        return false;
    v->n_events = events_notable(all, n, arena, &v->events);
    return true;
}

/* What was computed of the checkpoints since; true when that has changed. */
static bool read_kept(struct app *app, struct run_view *v)
{
    const struct run_summary *run = run_view_run(app, v);
    struct stat st;
    if (!run || !v->n_checkpoints)
        return false;
    char *folder = app_run_folder(app, run), *home = path_join(folder, "checkpoints");
    int64_t stamp = stat(home, &st) ? 0 : (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    bool changed = stamp != v->kept_stamp || !v->kept;
    if (changed) {
        const char **names = xcalloc(v->n_checkpoints, sizeof *names);
        for (size_t i = 0; i < v->n_checkpoints; i++)
            names[i] = v->checkpoints[i].name;
        v->kept = arena_array(&v->arena, v->n_checkpoints, sizeof *v->kept);
        kept_kinds(home, names, v->n_checkpoints, v->kept);
        v->kept_stamp = stamp;
        free(names);
    }
    free(home);
    free(folder);
    return changed;
}

static bool load(struct app *app, struct run_view *v, struct err *err)
{
    const struct run_summary *run = run_view_run(app, v);
    if (!run)
        return err_set(err, ERR_NOT_FOUND, "the run '%s' is not here any more", v->id);
    struct arena fresh = {0};
    const struct checkpoint_summary *checkpoints;
    size_t n;
    if (!index_checkpoints(app->index, run->id, &fresh, &checkpoints, &n, err) || !read_events(app, v, &fresh, err)) {
        arena_release(&fresh);
        return false;
    }
    arena_release(&v->arena);
    v->arena = fresh;
    v->checkpoints = checkpoints;
    v->n_checkpoints = n;
    v->kept = NULL;
    read_kept(app, v);
    run_view_read_live(app, v);
    struct chart_content content = {.runs = &run,
                                    .n_runs = 1,
                                    .checkpoints = v->checkpoints,
                                    .n_checkpoints = n,
                                    .events = v->events,
                                    .n_events = v->n_events,
                                    .steps_per_epoch = v->has_live ? v->live.steps_per_epoch : 0};
    bool ok = chart_pane_load(app, &v->chart, &content, err);
    list_follows(v);
    run_pictures_refresh(app, v, v->tab == TAB_PICTURES);
    v->text_is_old = true;
    return ok;
}

static int run_refresh(struct app *app, void *state)
{
    struct run_view *v = state;
    struct err err = {0};
    if (!run_view_run(app, v)) /* it shows what it knew; the header says so */
        return LOOP_DRAW;
    if (!load(app, v, &err))
        return app_fail(app, &err);
    run_view_fill_tab(app, v);
    return LOOP_DRAW;
}

static bool run_open(struct app *app, void *state, const char *argument, struct err *err)
{
    struct run_view *v = state;
    if (!argument)
        return err_set(err, ERR_USAGE, "no run is selected");
    snprintf(v->id, sizeof v->id, "%s", argument);
    chart_pane_init(app, &v->chart, "chart");
    v->text.bar = true;
    if (!load(app, v, err)) {
        chart_pane_release(&v->chart);
        arena_release(&v->arena);
        return false;
    }
    const struct run_summary *run = run_view_run(app, v);
    if (run->state == RUN_FINISHED) /* what one looks for in a run that has ended */
        for (size_t i = 0; i < v->n_checkpoints; i++)
            if (v->checkpoints[i].best)
                chart_pane_go(&v->chart, (int)i);
    list_follows(v);
    run_view_fill_tab(app, v);
    return true;
}

static void run_close(void *state)
{
    struct run_view *v = state;
    chart_pane_release(&v->chart);
    page_release(&v->text);
    run_pictures_release(&v->pictures);
    arena_release(&v->arena);
    json_decref(v->model);
}

static const struct run_summary *selected_run(const struct app *app, const void *state)
{
    return run_view_run(app, state);
}

static const struct checkpoint_summary *selected_checkpoint(const struct app *app, const void *state)
{
    const struct run_view *v = state;
    return run_view_run(app, v) && v->chart.selected >= 0 && (size_t)v->chart.selected < v->n_checkpoints
               ? &v->checkpoints[v->chart.selected]
               : NULL;
}

static bool in_pictures(const struct run_view *v)
{
    return v->focus == PANE_TABS && v->tab == TAB_PICTURES;
}

static unsigned run_places(const struct app *app, const void *state)
{
    const struct run_view *v = state;
    return IN_MOVE | IN_SIDEWAYS | IN_PANES |
           (in_pictures(v)     ? IN_PICTURES
            : v->n_checkpoints ? IN_CHART | IN_WALK
                               : IN_CHART) |
           (v->focus == PANE_CHECKPOINTS               ? IN_ROWS
            : v->focus == PANE_TABS && !in_pictures(v) ? IN_TEXT
                                                       : 0) |
           (run_view_run(app, v) ? IN_RUN : 0) | (selected_checkpoint(app, state) ? IN_CHECKPOINT : 0);
}

static int show_tab(struct app *app, struct run_view *v, enum run_tab tab)
{
    v->tab = tab;
    v->text.top = 0;
    v->text.follow = tab == TAB_LOG || tab == TAB_EVENTS;
    v->text_is_old = true;
    v->focus = PANE_TABS;
    run_view_fill_tab(app, v);
    return LOOP_DRAW;
}

static int in_tabs(struct app *app, struct run_view *v, enum action action)
{
    int n = run_view_tab_count(v);
    if (action == ACTION_LEFT || action == ACTION_RIGHT)
        return show_tab(app, v, (enum run_tab)(((int)v->tab + (action == ACTION_LEFT ? n - 1 : 1)) % n));
    if (v->tab == TAB_PICTURES)
        return run_pictures_action(app, v, action);
    return page_action(&v->text, action) ? LOOP_DRAW : LOOP_NOTHING;
}

static int move_in_list(struct run_view *v, enum action action)
{
    if (!list_action(&v->list, action, v->place[PANE_CHECKPOINTS].h > 3 ? v->place[PANE_CHECKPOINTS].h - 2 : 4))
        return LOOP_NOTHING;
    chart_pane_go(&v->chart, v->list.selected);
    return LOOP_DRAW;
}

static bool is_step(enum action action)
{
    return action == ACTION_LEFT || action == ACTION_RIGHT || action == ACTION_FAST_LEFT || action == ACTION_FAST_RIGHT;
}

/* The list comes along when the cursor rests, or at a tick in which it need not be drawn for anything else. */
static bool list_catches_up(const struct app *app, struct run_view *v)
{
    static const double REST_S = 0.3;
    bool rests = app->now - v->moved > REST_S, moves = v->list.waits && rests && !list_shows_selected(&v->list);
    v->list.waits = v->list.waits && !rests;
    if (v->n_checkpoints == v->n_ticked)
        moves = list_make_room(&v->list) || moves;
    v->n_ticked = v->n_checkpoints;
    return moves;
}

static int in_chart(struct app *app, struct run_view *v, enum action action)
{
    v->list.waits = is_step(action) && v->focus != PANE_CHECKPOINTS;
    v->moved = app->now;
    switch (chart_pane_action(app, &v->chart, action)) {
    case CHART_DONE:
        list_follows(v);
        return LOOP_DRAW;
    case CHART_RELOAD:
        return run_refresh(app, v);
    case CHART_IGNORED:
        break;
    }
    return LOOP_NOTHING;
}

static int run_action_here(struct app *app, void *state, enum action action)
{
    struct run_view *v = state;
    int flags = v->focus == PANE_TABS ? in_tabs(app, v, action) : LOOP_NOTHING;
    if (!flags)
        flags = in_chart(app, v, action);
    if (!flags)
        flags = move_in_list(v, action);
    if (flags)
        return flags;
    switch (action) {
    case ACTION_NEXT_PANE:
        v->focus = (enum run_pane)((v->focus + 1) % PANE_COUNT);
        return LOOP_DRAW;
    case ACTION_PREVIOUS_PANE:
        v->focus = (enum run_pane)((v->focus + PANE_COUNT - 1) % PANE_COUNT);
        return LOOP_DRAW;
    case ACTION_MAXIMISE:
        v->alone = !v->alone;
        return LOOP_DRAW;
    case ACTION_MARK:
        app_mark(app, v->id, !app_is_marked(app, v->id));
        app_say(app, STYLE_TEXT, "%s, %d marked (c compares them)",
                app_is_marked(app, v->id) ? "marked" : "no longer marked", app->n_marks);
        return LOOP_DRAW;
    case ACTION_OPEN:
        return app_action(app, ACTION_ACTIONS);
    default:
        return LOOP_NOTHING;
    }
}

static int click(struct app *app, struct run_view *v, const struct event *event)
{
    struct grid measure = {.ascii = app->rung == RUNG_ASCII};
    int tab = rect_has(v->tab_bar, event->x, event->y)
                  ? tabs_hit(&measure, v->tab_bar, run_tab_names, run_view_tab_count(v), (int)v->tab, event->x)
                  : -1;
    if (tab >= 0)
        return show_tab(app, v, (enum run_tab)tab);
    for (int pane = 0; pane < PANE_COUNT; pane++)
        if (rect_has(v->place[pane], event->x, event->y))
            v->focus = (enum run_pane)pane;
    enum list_click clicked = v->n_checkpoints ? list_mouse(&v->list, event) : LIST_MISSED;
    if (clicked)
        chart_pane_go(&v->chart, v->list.selected);
    list_follows(v);
    return clicked == LIST_OPENED ? app_action(app, ACTION_ACTIONS) : LOOP_DRAW;
}

static int mouse(struct app *app, struct run_view *v, const struct event *event)
{
    bool wheel = event->action == MOUSE_WHEEL_UP || event->action == MOUSE_WHEEL_DOWN;
    int by = event->action == MOUSE_WHEEL_UP ? -1 : 1;
    v->list.waits = false;
    enum chart_done done = chart_pane_mouse(app, &v->chart, event);
    if (done) {
        v->focus = PANE_CHART;
        list_follows(v);
        return done == CHART_RELOAD ? run_refresh(app, v) : LOOP_DRAW;
    }
    if (wheel && rect_has(v->place[PANE_TABS], event->x, event->y) && v->tab == TAB_PICTURES)
        return run_pictures_action(app, v, by < 0 ? ACTION_PREVIOUS_PICTURE : ACTION_NEXT_PICTURE);
    if (wheel && rect_has(v->place[PANE_TABS], event->x, event->y))
        page_scroll(&v->text, 3 * by);
    else if (wheel && rect_has(v->place[PANE_CHECKPOINTS], event->x, event->y))
        list_wheel(&v->list, 3 * by, v->place[PANE_CHECKPOINTS].h - 2), chart_pane_go(&v->chart, v->list.selected);
    else
        return event->action == MOUSE_PRESS ? click(app, v, event) : LOOP_NOTHING;
    return LOOP_DRAW;
}

static int run_event(struct app *app, void *state, const struct event *event)
{
    struct run_view *v = state;
    if (event->kind == EVENT_MOUSE)
        return mouse(app, v, event);
    if (v->focus == PANE_TABS && v->tab != TAB_PICTURES && page_event(&v->text, event))
        return LOOP_DRAW;
    if (event->kind != EVENT_TICK)
        return LOOP_NOTHING;
    bool lived = v->has_live;
    bool scrolls = list_catches_up(app, v);
    run_view_read_live(app, v);
    /* grows by the clock, without a record of the history */
    if (v->has_live && curve_is_system(v->chart.curves.family)) {
        struct err err = {0};
        if (!load(app, v, &err))
            return app_fail(app, &err);
    }
    if (v->tab == TAB_LOG && (lived || v->has_live)) { /* the log grows without a record */
        v->text_is_old = true;
        run_view_fill_tab(app, v);
    }
    int64_t stamp = v->pictures.stamp;
    bool kept = read_kept(app, v);
    if (v->tab == TAB_PICTURES) /* so do they */
        run_pictures_refresh(app, v, true);
    const struct run_summary *run = run_view_run(app, v);
    bool waits = run && run->state == RUN_QUEUED;
    return lived || v->has_live || scrolls || kept || stamp != v->pictures.stamp || waits ? LOOP_DRAW : LOOP_NOTHING;
}

static void run_view_view(const struct app *app, const void *state, struct grid *grid, struct rect rect)
{
    run_view_draw(app, (struct run_view *)state, grid, rect); /* remembers where things are, for the mouse */
}

const struct screen_view_ops view_run = {
    .name = "run",
    .state_size = sizeof(struct run_view),
    .open = run_open,
    .close = run_close,
    .places = run_places,
    .action = run_action_here,
    .event = run_event,
    .refresh = run_refresh,
    .view = run_view_view,
    .run = selected_run,
    .checkpoint = selected_checkpoint,
};
