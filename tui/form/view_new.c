/* view_new.c - the configs one may start from, as a list; Enter opens one in the form. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/io.h"
#include "tui/app/views.h"
#include "tui/form/config_list.h"

enum { MOST_ROWS = 512, PAGE = 10, PREVIEW_ROWS = 7 };
enum { COL_FROM, COL_NAME, COL_DATA, COL_MODEL, COL_WHAT, COL_COUNT };
static const struct list_column columns[COL_COUNT] = {
    [COL_FROM] = {"from", LIST_LEFT, 4, 8, 0, false},  [COL_NAME] = {"config", LIST_LEFT, 12, 30, 0, false},
    [COL_DATA] = {"data", LIST_LEFT, 6, 26, 2, false}, [COL_MODEL] = {"model", LIST_LEFT, 6, 26, 3, false},
    [COL_WHAT] = {"", LIST_LEFT, 8, 12, 4, true},
};

struct new_view {
    struct config_list configs;
    int rows[MOST_ROWS], n_rows; /* those that match the filter */
    struct list list;
    struct edit filter;
    bool filtering;
};

static const struct config_entry *selected(const struct new_view *v)
{
    return v->n_rows ? &v->configs.entries[v->rows[v->list.selected]] : NULL;
}

static bool matches(const struct config_entry *entry, const char *typed)
{
    char words[128], *rest = NULL;
    snprintf(words, sizeof words, "%s", typed);
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        if (!strcasestr(entry->name, word) && !strcasestr(entry->path, word) && !strcasestr(entry->data, word) &&
            !strcasestr(entry->model, word) && !strcasestr(entry->description, word))
            return false;
    return true;
}

static void find_rows(struct new_view *v)
{
    v->n_rows = 0;
    for (size_t i = 0; i < v->configs.n && v->n_rows < MOST_ROWS; i++)
        if (matches(&v->configs.entries[i], edit_text(&v->filter)))
            v->rows[v->n_rows++] = (int)i;
    v->list.count = v->n_rows;
    list_settle(&v->list, MOST_ROWS);
}

static bool new_open(struct app *app, void *state, const char *argument, struct err *err)
{
    struct new_view *v = state;
    (void)argument;
    (void)err;
    config_list_load(&v->configs, app->home, app->runs, app->n_runs);
    find_rows(v);
    return true;
}

static void new_close(void *state)
{
    struct new_view *v = state;
    config_list_release(&v->configs);
    edit_release(&v->filter);
}

static unsigned new_places(const struct app *app, const void *state)
{
    (void)app;
    (void)state;
    return IN_PICK | IN_MOVE | IN_SIDEWAYS;
}

static int open_entry(struct app *app, const struct config_entry *entry)
{
    char argument[1200];
    if (*entry->error)
        return app_ask(app, DIALOG_MESSAGE, entry->name, entry->error, NULL, NULL, NULL);
    snprintf(argument, sizeof argument, "%s:%s", entry->from == FROM_RUN ? "run" : "config", entry->path);
    return app_go(app, "form", argument);
}

static int new_action(struct app *app, void *state, enum action action)
{
    struct new_view *v = state;
    if (list_action(&v->list, action, PAGE))
        return LOOP_DRAW;
    switch (action) {
    case ACTION_LEFT:
        return app_back(app);
    case ACTION_RIGHT:
    case ACTION_OPEN:
        return selected(v) ? open_entry(app, selected(v)) : LOOP_NOTHING;
    case ACTION_FILTER:
        v->filtering = true;
        return LOOP_DRAW;
    case ACTION_NEW:
        return LOOP_DRAW; /* one is there already */
    case ACTION_CANCEL:
        if (!v->filter.text.length)
            return LOOP_NOTHING;
        edit_set(&v->filter, "");
        find_rows(v);
        return LOOP_DRAW;
    default:
        return LOOP_NOTHING;
    }
}

static int mouse(struct app *app, struct new_view *v, const struct event *event)
{
    enum list_click click = list_mouse(&v->list, event);
    return click == LIST_OPENED ? open_entry(app, selected(v)) : click ? LOOP_DRAW : LOOP_NOTHING;
}

static int new_event(struct app *app, void *state, const struct event *event)
{
    struct new_view *v = state;
    if (event->kind == EVENT_MOUSE)
        return mouse(app, v, event);
    if (!v->filtering)
        return LOOP_NOTHING;
    if (event->kind == EVENT_KEY && (event->key == K_UP || event->key == K_DOWN)) {
        list_action(&v->list, event->key == K_UP ? ACTION_UP : ACTION_DOWN, PAGE);
        return LOOP_DRAW;
    }
    switch (edit_event(&v->filter, event)) {
    case EDIT_CHANGED:
        find_rows(v);
        break;
    case EDIT_DONE:
        v->filtering = false;
        break;
    case EDIT_CANCELLED:
        v->filtering = false;
        edit_set(&v->filter, "");
        find_rows(v);
        break;
    case EDIT_MOVED:
        break;
    case EDIT_IGNORED:
        return LOOP_NOTHING;
    }
    return LOOP_DRAW;
}

static void fill(void *context, int row, int column, struct list_cell *cell)
{
    const struct new_view *v = context;
    const struct config_entry *entry = &v->configs.entries[v->rows[row]];
    const char *const texts[COL_COUNT] = {[COL_FROM] = config_from_name(entry->from),
                                          [COL_NAME] = entry->name,
                                          [COL_DATA] = entry->data,
                                          [COL_MODEL] = entry->model,
                                          [COL_WHAT] = *entry->error ? entry->error : entry->description};
    snprintf(cell->text, sizeof cell->text, "%s", texts[column]);
    cell->style = column == COL_WHAT && *entry->error ? STYLE_ERROR : column == COL_NAME ? STYLE_TEXT : STYLE_FAINT;
}

static void draw_preview(const struct new_view *v, struct grid *grid, struct rect rect)
{
    const struct config_entry *entry = selected(v);
    if (!entry)
        return;
    grid_rule(grid, rect_top(&rect, 1), entry->name, false);
    struct rect inside = rect_inset(rect, 2, 0);
    int rows = grid_wrap(grid, inside, 0, *entry->error ? STYLE_ERROR : STYLE_TEXT,
                         *entry->error ? entry->error : entry->description);
    rect_top(&inside, rows + (rows > 0));
    grid_textf(grid, inside, 0, 0, STYLE_FAINT, "%s %s", entry->from == FROM_RUN ? "config of run" : "file",
               entry->path);
}

static void new_view(const struct app *app, const void *state, struct grid *grid, struct rect rect)
{
    struct new_view *v = (struct new_view *)state; /* the scroll position follows the size */
    char count[48];
    if (v->filter.text.length)
        snprintf(count, sizeof count, "%d of %zu", v->n_rows, v->configs.n);
    else
        snprintf(count, sizeof count, "%zu configs", v->configs.n);
    app_header(app, grid, &rect, "new run: choose a config", count);
    if (v->filtering || v->filter.text.length) {
        struct rect row = rect_top(&rect, 1);
        grid_text(grid, row, 1, 0, STYLE_KEY, "/");
        edit_draw(&v->filter, grid, rect_part(row, 2, 0, row.w - 3, 1), v->filtering,
                  "words of a name, a file, the data or the description");
    }
    if (!v->configs.n) {
        grid_wrap(
            grid, rect_inset(rect, 2, 1), 0, STYLE_TEXT,
            "No configs: none as *.json or *.yaml here or in ./configs, and the examples were not found beside antler. "
            "docs/config.md says what a config looks like; antler check CONFIG explains one.");
        return;
    }
    struct rect preview = {0};
    if (rect.h >= PREVIEW_ROWS + 8)
        preview = rect_bottom(&rect, rect.h - v->n_rows - 3 > PREVIEW_ROWS ? rect.h - v->n_rows - 3 : PREVIEW_ROWS);
    rect_left(&rect, 1);
    list_draw(&v->list, grid, rect, columns, COL_COUNT, -1, false, true, fill, v);
    if (preview.h)
        draw_preview(v, grid, preview);
}

const struct screen_view_ops view_new = {
    .name = "new",
    .state_size = sizeof(struct new_view),
    .open = new_open,
    .close = new_close,
    .places = new_places,
    .action = new_action,
    .event = new_event,
    .view = new_view,
};
