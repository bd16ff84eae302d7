/* view_log.c - what the worker of a run printed: the end of its log.txt without terminal codes, followed while it
 * grows. */
#include "base/arena.h"
#include "base/io.h"
#include "tui/app/views.h"
#include "tui/views/log_tail.h"
#include "tui/widgets/widget_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_BYTES = 512 << 10 }; /* of the end */

struct log_view {
    char run_id[256];
    char *path;
    int64_t size; /* when it was read last, -1: never */
    bool cut;     /* the beginning is not shown */
    struct err error;
    struct page page;
};

static void add_line(struct page *page, const char *line)
{
    bool bad = strcasestr(line, "error") || strcasestr(line, "failed");
    page_line(page, bad ? STYLE_ERROR : strcasestr(line, "warning") ? STYLE_WARNING : STYLE_TEXT, line);
}

/* Reads the end of the file. */
static bool read_end(struct log_view *v, struct err *err)
{
    struct arena arena = {0};
    const char **lines;
    size_t n;
    bool ok = log_tail(v->path, MOST_BYTES, &arena, &lines, &n, &v->cut, err);
    if (ok) {
        page_clear(&v->page);
        for (size_t i = 0; i < n; i++)
            add_line(&v->page, lines[i]);
    }
    arena_release(&arena);
    return ok;
}

static bool reload(struct log_view *v)
{
    struct stat at;
    int64_t size = stat(v->path, &at) ? 0 : (int64_t)at.st_size;
    if (size == v->size)
        return false;
    v->size = size;
    v->error = (struct err){0};
    if (size == 0)
        page_clear(&v->page);
    else if (!read_end(v, &v->error))
        page_clear(&v->page);
    return true;
}

static bool log_open(struct app *app, void *state, const char *argument, struct err *err)
{
    struct log_view *v = state;
    const struct run_summary *run = app_find_run(app, argument);
    if (!run)
        return err_set(err, ERR_NOT_FOUND, "there is no run '%s'", argument ? argument : "");
    char *folder = app_run_folder(app, run);
    snprintf(v->run_id, sizeof v->run_id, "%s", run->id);
    v->path = path_join(folder, "log.txt");
    free(folder);
    v->size = -1;
    v->page.follow = true;
    reload(v);
    return true;
}

static void log_close(void *state)
{
    struct log_view *v = state;
    free(v->path);
    page_release(&v->page);
}

static unsigned log_places(const struct app *app, const void *state)
{
    return IN_TEXT | IN_MOVE | IN_SIDEWAYS | (app_find_run(app, ((const struct log_view *)state)->run_id) ? IN_RUN : 0);
}

static int log_action(struct app *app, void *state, enum action action)
{
    (void)app;
    return page_action(&((struct log_view *)state)->page, action) || action == ACTION_VIEW_LOG ? LOOP_DRAW
                                                                                               : LOOP_NOTHING;
}

static int log_event(struct app *app, void *state, const struct event *event)
{
    struct log_view *v = state;
    (void)app;
    if (event->kind == EVENT_TICK)
        return reload(v) ? LOOP_DRAW : LOOP_NOTHING;
    return page_event(&v->page, event) ? LOOP_DRAW : LOOP_NOTHING;
}

static void log_draw(const struct app *app, const void *state, struct grid *grid, struct rect rect)
{
    const struct log_view *v = state;
    const struct run_summary *run = app_find_run(app, v->run_id);
    char title[200], right[80];
    snprintf(title, sizeof title, "log  %s", run ? run->name : v->run_id);
    snprintf(right, sizeof right, "%zu lines%s%s", v->page.n, v->cut ? " of the end" : "",
             v->page.follow ? "   following" : "");
    app_header(app, grid, &rect, title, right);
    rect_left(&rect, 1);
    if (v->error.code)
        grid_wrap(grid, rect, 1, STYLE_ERROR, v->error.text);
    else if (!v->page.n)
        grid_text(grid, rect, 0, 1, STYLE_FAINT, "nothing was printed yet");
    else
        page_draw(&v->page, grid, rect);
}

static const struct run_summary *log_run(const struct app *app, const void *state)
{
    return app_find_run(app, ((const struct log_view *)state)->run_id);
}

const struct screen_view_ops view_log = {
    .name = "log",
    .state_size = sizeof(struct log_view),
    .open = log_open,
    .close = log_close,
    .places = log_places,
    .action = log_action,
    .event = log_event,
    .view = log_draw,
    .run = log_run,
};
