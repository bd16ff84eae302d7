/* app.c - see app.h: the stack of views, dispatch and drawing. */
#include "base/io.h"
#include "persistence/config/settings.h"
#include "persistence/files/atomic_file.h"
#include "tui/app/app_parts.h"
#include "tui/client/worker_client.h"
#include "tui/widgets/widget_bars.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SMALLEST_WIDTH = 40, SMALLEST_HEIGHT = 10 };

static char *memory_path(const struct app *app)
{
    return path_join(app->home, ".screen.json");
}

/* What is wrong with a file of settings is said once; the rest of it holds. */
static void read_settings(struct app *app)
{
    json_t *problems = json_array();
    app->settings = settings_read(app->home, problems);
    size_t n = json_array_size(problems);
    if (n == 1)
        app_say(app, STYLE_ERROR, "%s", json_string_value(json_array_get(problems, 0)));
    else if (n)
        app_say(app, STYLE_ERROR, "%zu settings were left out: antler settings says which and why", n);
    json_decref(problems);
}

struct app *app_new(const char *home, struct index *index, const struct screen_view_ops *const *table, struct err *err)
{
    struct app *app = xcalloc(1, sizeof *app);
    app->home = xstrdup(home);
    app->index = index;
    app->table = table;
    app->wall = io_wall_seconds();
    app->now = io_monotonic_seconds();
    time_t wall = (time_t)app->wall;
    struct tm local;
    localtime_r(&wall, &local);
    app->utc_offset_s = local.tm_gmtoff;
    keys_init(&app->map);
    char *path = memory_path(app);
    struct err ignored;
    app->memory = js_read(path, JS_STRICT, &ignored);
    free(path);
    if (!json_is_object(app->memory)) {
        json_decref(app->memory);
        app->memory = json_object();
    }
    bool changed;
    read_settings(app);
    if (!index_refresh(index, &changed, err) ||
        !index_list(index, "", NULL, &app->arena, &app->runs, &app->n_runs, err)) {
        app_free(app);
        return NULL;
    }
    app_sort_runs(app);
    return app;
}

static void save_memory(struct app *app)
{
    struct err ignored; /* a home that cannot be written is fine */
    char *path = memory_path(app), *text = js_text(app->memory, 2);
    if (app->memory_changed && !atomic_file_save(path, text, strlen(text), &ignored))
        app->memory_changed = false;
    free(text);
    free(path);
}

/* A question and a menu belong to the view that asked: another one on top answers neither. */
static void drop_questions(struct app *app)
{
    app->dialog.open = app->menu.open = false;
}

static void close_top(struct app *app)
{
    drop_questions(app);
    app->depth--;
    if (app->stack[app->depth].ops->close)
        app->stack[app->depth].ops->close(app->stack[app->depth].state);
    free(app->stack[app->depth].state);
}

void app_free(struct app *app)
{
    if (!app)
        return;
    while (app->depth)
        close_top(app);
    for (int i = 0; i < APP_MAX_JOBS; i++) {
        worker_end(app->jobs[i].worker);
        json_decref(app->jobs[i].result);
        json_decref(app->jobs[i].progress);
    }
    save_memory(app);
    for (int i = 0; i < app->n_marks; i++)
        free(app->marks[i]);
    dialog_close(&app->dialog);
    edit_release(&app->help.search);
    edit_release(&app->palette);
    json_decref(app->memory);
    json_decref(app->classes);
    json_decref(app->settings);
    free(app->told);
    histories_release(&app->histories);
    arena_release(&app->arena);
    free(app->marked_checkpoint);
    free(app->last_deleted);
    free(app->copy);
    free(app->home);
    free(app);
}

static const struct screen_view_ops *find_view(const struct app *app, const char *name)
{
    for (int i = 0; app->table[i]; i++)
        if (!strcmp(app->table[i]->name, name))
            return app->table[i];
    return NULL;
}

bool app_open(struct app *app, const char *name, const char *argument, struct err *err)
{
    const struct screen_view_ops *ops = find_view(app, name);
    if (!ops)
        return err_set(err, ERR_USAGE, "there is no view '%s'", name);
    char *kept = argument ? xstrdup(argument) : NULL; /* it may belong to a view that is closed here */
    void *state = xcalloc(1, ops->state_size);
    if (ops->open && !ops->open(app, state, kept, err)) {
        free(state);
        free(kept);
        return false;
    }
    int same = app->depth;
    for (int i = 0; i < app->depth; i++)
        if (app->stack[i].ops == ops)
            same = i;
    while (app->depth > same)
        close_top(app);
    if (app->depth == APP_MAX_VIEWS)
        close_top(app);
    drop_questions(app);
    app->stack[app->depth].ops = ops;
    app->stack[app->depth].old = false;
    app->stack[app->depth++].state = state;
    free(kept);
    return true;
}

int app_go(struct app *app, const char *name, const char *argument)
{
    struct err err = {0};
    return app_open(app, name, argument, &err) ? LOOP_DRAW : app_fail(app, &err);
}

void app_refresh_top(struct app *app)
{
    int top = app->depth - 1;
    if (app->stack[top].old && app->stack[top].ops->refresh)
        app->stack[top].ops->refresh(app, app->stack[top].state);
    app->stack[top].old = false;
}

int app_back(struct app *app)
{
    if (app->depth == 1) {
        app->quit = true;
        return LOOP_DRAW;
    }
    const struct run_summary *run = app_run(app);
    char *id = run ? xstrdup(run->id) : NULL; /* it may belong to the view that is closed */
    close_top(app);
    app_refresh_top(app);
    const struct screen_view_ops *ops = app->stack[app->depth - 1].ops;
    if (id && ops->reveal)
        ops->reveal(app, app->stack[app->depth - 1].state, id);
    free(id);
    return LOOP_DRAW;
}

void app_say(struct app *app, enum style style, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(app->message, sizeof app->message, format, args);
    va_end(args);
    app->message_style = style;
    app->message_at = app->now;
}

/* What went well has been read by then; the keys are worth more. */
static bool forget_message(struct app *app)
{
    static const double GOOD_FOR_S = 8;
    bool old = app->message[0] && app->message_style == STYLE_GOOD && app->now - app->message_at > GOOD_FOR_S;
    if (old)
        app->message[0] = 0;
    return old;
}

const struct run_summary *app_run(const struct app *app)
{
    const struct screen_view_ops *ops = app->depth ? app->stack[app->depth - 1].ops : NULL;
    return ops && ops->run ? ops->run(app, app->stack[app->depth - 1].state) : NULL;
}

const struct checkpoint_summary *app_checkpoint(const struct app *app)
{
    const struct screen_view_ops *ops = app->depth ? app->stack[app->depth - 1].ops : NULL;
    return ops && ops->checkpoint ? ops->checkpoint(app, app->stack[app->depth - 1].state) : NULL;
}

const json_t *app_recall(const struct app *app, const char *key)
{
    return json_object_get(app->memory, key);
}

void app_remember(struct app *app, const char *key, json_t *value)
{
    app->memory_changed = app->memory_changed || !js_equal(json_object_get(app->memory, key), value);
    json_object_set_new(app->memory, key, value);
}

static unsigned places_now(const struct app *app)
{
    const struct screen_view_ops *ops = app->stack[app->depth - 1].ops;
    const struct run_summary *run = app_run(app);
    return IN_ALL | (ops->places ? ops->places(app, app->stack[app->depth - 1].state) : 0) |
           (run && run_lives(run) ? IN_LIVE : 0);
}

static int open_selected(struct app *app, const char *view)
{
    const struct run_summary *run = app_run(app);
    if (!run) {
        app_say(app, STYLE_WARNING, "no run is selected");
        return LOOP_DRAW;
    }
    return app_go(app, view, run->id);
}

static int undo_delete(struct app *app)
{
    struct err err = {0};
    if (!app->last_deleted) {
        app_say(app, STYLE_WARNING, "nothing was deleted from this screen (antler restore RUN brings older ones back)");
        return LOOP_DRAW;
    }
    if (!run_restore(app->home, app->last_deleted, &err))
        return app_fail(app, &err);
    app_say(app, STYLE_GOOD, "%s is back", app->last_deleted);
    free(app->last_deleted);
    app->last_deleted = NULL;
    return app_refresh(app, true);
}

/* What works the same in every view. LOOP_NOTHING: not one of these. */
static int own_action(struct app *app, enum action action)
{
    switch (action) {
    case ACTION_HELP:
        edit_set(&app->help.search, "");
        app->help = (struct help){.open = true, .search = app->help.search};
        return LOOP_DRAW;
    case ACTION_THEME:
        return app_theme_menu(app);
    case ACTION_PALETTE:
        return app_palette_open(app);
    case ACTION_BACK:
        return app_back(app);
    case ACTION_CANCEL:
        return app->depth > 1 ? app_back(app) : LOOP_DRAW;
    case ACTION_REDRAW:
        app->repaint = true;
        return LOOP_DRAW | LOOP_REPAINT;
    case ACTION_SUSPEND:
        app->suspend = true;
        return LOOP_SUSPEND;
    case ACTION_VIEW_RUNS:
        return app_go(app, "runs", NULL);
    case ACTION_VIEW_RUN:
        return open_selected(app, "run");
    case ACTION_VIEW_COMPARE:
    case ACTION_COMPARE:
        return app_go(app, "compare", app_run(app) ? app_run(app)->id : NULL);
    case ACTION_VIEW_NEW:
    case ACTION_NEW:
        return app_go(app, "new", NULL);
    case ACTION_VIEW_JOBS:
        return app_go(app, "jobs", NULL);
    case ACTION_VIEW_LOG:
        return open_selected(app, "log");
    case ACTION_UNDO:
        return undo_delete(app);
    default:
        return LOOP_NOTHING;
    }
}

int app_action(struct app *app, enum action action)
{
    int flags = app->stack[app->depth - 1].ops->action(app, app->stack[app->depth - 1].state, action);
    if (!flags)
        flags = own_action(app, action);
    if (!flags && app_checkpoint(app))
        flags = checkpoint_action(app, app_run(app), app_checkpoint(app), action);
    if (!flags && app_run(app))
        flags = run_action(app, app_run(app), action);
    return flags;
}

static int view_event(struct app *app, const struct event *event)
{
    const struct screen_view_ops *ops = app->stack[app->depth - 1].ops;
    return ops->event ? ops->event(app, app->stack[app->depth - 1].state, event) : LOOP_NOTHING;
}

int app_event(struct app *app, const struct event *event)
{
    app->now = event->now;
    app->wall = io_wall_seconds();
    int flags = LOOP_NOTHING;
    if (event->kind == EVENT_READY || event->kind == EVENT_TICK)
        flags |= app_poll_jobs(app) ? LOOP_DRAW : LOOP_NOTHING;
    if (event->kind == EVENT_TICK)
        return flags | (forget_message(app) ? LOOP_DRAW : LOOP_NOTHING) | app_refresh(app, false) |
               view_event(app, event);
    if (event->kind == EVENT_RESIZE)
        return flags | LOOP_DRAW;
    if (app_overlay_event(app, event, &flags))
        return flags;
    bool had_message = event->kind == EVENT_KEY && app->message[0];
    if (had_message)
        app->message[0] = 0;
    int given = view_event(app, event); /* a text field takes its keys before they are actions */
    if (given)
        return flags | given;
    enum action action = event->kind == EVENT_KEY ? keys_action(&app->map, event->key, places_now(app)) : ACTION_NONE;
    if (event->kind == EVENT_KEY && action == ACTION_NONE && app_run(app)) /* refused with a reason */
        action = keys_action(&app->map, event->key, IN_LIVE | (places_now(app) & IN_CHART ? IN_WALK : 0));
    if (action != ACTION_NONE)
        flags |= app_action(app, action);
    if (app->quit)
        flags |= LOOP_QUIT;
    return flags | (had_message ? LOOP_DRAW : LOOP_NOTHING);
}

void app_header(const struct app *app, struct grid *grid, struct rect *rect, const char *title, const char *right)
{
    (void)app;
    struct rect row = rect_top(rect, 1);
    int left = grid_text(grid, row, 1, 0, STYLE_STRONG, "antler") + 3;
    left += grid_text(grid, rect_part(row, 0, 0, row.w - 1, row.h), left, 0, STYLE_TITLE, title);
    int width = right ? grid_columns(grid, right) : 0;
    if (width && left + 2 + width < row.w)
        grid_text_right(grid, row, row.w - 1, 0, STYLE_FAINT, right);
}

void app_view(struct app *app, struct grid *grid)
{
    struct rect rest = grid_all(grid);
    if (grid->width < SMALLEST_WIDTH || grid->height < SMALLEST_HEIGHT) {
        grid_textf(grid, rest, 0, 0, STYLE_TEXT, "needs 40x10, is %dx%d", grid->width, grid->height);
        return;
    }
    struct rect foot = rect_bottom(&rest, 1);
    const struct screen_view_ops *ops = app->stack[app->depth - 1].ops;
    ops->view(app, app->stack[app->depth - 1].state, grid, rest);
    footer_draw(grid, foot, &app->map, places_now(app), app->message[0] ? app->message : NULL, app->message_style,
                NULL);
    app_overlay_draw(app, grid, places_now(app));
}
