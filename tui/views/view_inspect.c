/* view_inspect.c - what a model file holds: layers, parameters, optimizer, weights, where training stood, and what is
 * wrong with it. */
#include "base/arena.h"
#include "tui/app/human.h"
#include "tui/app/views.h"
#include "tui/results/subject.h"
#include "tui/views/model_text.h"
#include "tui/widgets/widget_bars.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct inspect_view {
    struct subject subject;
    int job;
    struct err error;
    struct page page;
};

static void inspected(struct app *app, struct app_job *job)
{
    for (int i = 0; i < app->depth; i++) {
        struct inspect_view *v = app->stack[i].state;
        if (app->stack[i].ops != &view_inspect || v->job != job->number)
            continue;
        v->job = 0;
        page_clear(&v->page);
        if (job->state == JOB_DONE)
            model_text_add(&v->page, job->result);
        else
            v->error = job->error;
    }
}

static void start(struct app *app, struct inspect_view *v)
{
    char name[120], title[160];
    snprintf(title, sizeof title, "inspect %s", subject_name(&v->subject, app, name, sizeof name));
    page_clear(&v->page);
    v->page.top = 0;
    v->error = (struct err){0};
    struct app_job *job = app_start_job(app, "inspect", json_pack("{s:s}", "file", v->subject.path), title,
                                        v->subject.path, inspected, &v->error);
    v->job = job ? job->number : 0;
}

static bool inspect_open(struct app *app, void *state, const char *argument, struct err *err)
{
    struct inspect_view *v = state;
    if (!argument)
        return err_set(err, ERR_USAGE, "there is no checkpoint to inspect");
    subject_open(&v->subject, app, argument);
    start(app, v);
    return true;
}

static void inspect_close(void *state)
{
    struct inspect_view *v = state;
    subject_close(&v->subject);
    page_release(&v->page);
}

static unsigned inspect_places(const struct app *app, const void *state)
{
    const struct inspect_view *v = state;
    return IN_TEXT | IN_MOVE | IN_SIDEWAYS | IN_CHECKPOINT | (subject_run(&v->subject, app) ? IN_RUN : 0);
}

static int inspect_action(struct app *app, void *state, enum action action)
{
    struct inspect_view *v = state;
    struct app_job *job = app_find_job(app, v->job);
    if (page_action(&v->page, action))
        return LOOP_DRAW;
    if (action == ACTION_CANCEL && job)
        app_cancel_job(app, job); /* and back */
    return action == ACTION_INSPECT ? LOOP_DRAW : LOOP_NOTHING;
}

static int inspect_event(struct app *app, void *state, const struct event *event)
{
    (void)app;
    return page_event(&((struct inspect_view *)state)->page, event) ? LOOP_DRAW : LOOP_NOTHING;
}

static int inspect_refresh(struct app *app, void *state)
{
    subject_refresh(&((struct inspect_view *)state)->subject, app);
    return LOOP_DRAW;
}

static void inspect_draw(const struct app *app, const void *state, struct grid *grid, struct rect rect)
{
    const struct inspect_view *v = state;
    app_header(app, grid, &rect, "inspect", NULL);
    subject_draw(&v->subject, app, grid, &rect);
    rect_top(&rect, rect.h > 10);
    rect_left(&rect, 1);
    if (v->error.code)
        grid_wrap(grid, rect_inset(rect, 1, 0), 0, STYLE_ERROR, v->error.text);
    else if (v->job)
        grid_text(grid, rect, 0, 0, STYLE_FAINT, "reading ...");
    else
        page_draw(&v->page, grid, rect);
}

_Static_assert(offsetof(struct inspect_view, subject) == 0, "subject_view_run() takes the state for its subject");
const struct screen_view_ops view_inspect = {
    .name = "inspect",
    .state_size = sizeof(struct inspect_view),
    .open = inspect_open,
    .close = inspect_close,
    .places = inspect_places,
    .action = inspect_action,
    .event = inspect_event,
    .refresh = inspect_refresh,
    .view = inspect_draw,
    .run = subject_view_run,
    .checkpoint = subject_view_checkpoint,
};
