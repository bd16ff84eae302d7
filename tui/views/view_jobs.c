/* view_jobs.c - what is under way in the home: runs that train, runs that wait for a place and in which order, what was
 * asked from this screen, and what ended lately. */
#include "base/arena.h"
#include "base/io.h"
#include "persistence/runs/run_queue.h"
#include "tui/app/views.h"
#include "tui/client/worker_client.h"
#include "tui/views/jobs_view.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ENDED = 20, PAGE = 10 };

static const struct {
    const char *job, *view;
} shown_jobs[] = {{"evaluate", "result"}, {"predict", "predict"}, {"generate", "predict"}, {"inspect", "inspect"}};

const char *jobs_view_of(const struct app_job *job)
{
    for (size_t i = 0; i < sizeof shown_jobs / sizeof *shown_jobs; i++)
        if (!strcmp(shown_jobs[i].job, job->job))
            return shown_jobs[i].view;
    return NULL;
}

/* ---- rows ---- */

static int newest_job_first(const void *a, const void *b)
{
    return ((const struct jobs_row *)b)->job - ((const struct jobs_row *)a)->job;
}

static int last_ended_first(const void *a, const void *b)
{
    double x = ((const struct jobs_row *)a)->ended, y = ((const struct jobs_row *)b)->ended;
    return (x < y) - (x > y);
}

static int add_items(struct jobs_view *v, int n, bool waits)
{
    for (size_t i = 0; i < v->plan.n; i++) {
        const struct queue_item *item = &v->plan.items[i];
        if (item->waits != waits)
            continue;
        struct jobs_row *row = &v->rows[n++];
        *row = (struct jobs_row){.section = waits ? JOBS_WAITS : JOBS_TRAINS, .item = item};
        snprintf(row->run_id, sizeof row->run_id, "%s", item->run->id);
    }
    return n;
}

static int add_jobs(struct app *app, struct jobs_view *v, int n)
{
    int first = n;
    for (int i = 0; i < APP_MAX_JOBS; i++)
        if (app->jobs[i].number && jobs_view_of(&app->jobs[i]))
            v->rows[n++] = (struct jobs_row){.section = JOBS_ASKED, .job = app->jobs[i].number};
    qsort(v->rows + first, (size_t)(n - first), sizeof *v->rows, newest_job_first);
    return n;
}

/* When its last state was written. */
static double end_of(const struct app *app, const struct run_summary *run)
{
    char *folder = app_run_folder(app, run);
    json_t *json = run_read(folder, NULL), *changes = json_object_get(json, "changes");
    double time = js_double(json_array_get(changes, json_array_size(changes) - 1), "time", run->created);
    json_decref(json);
    free(folder);
    return run->state == RUN_INTERRUPTED ? time + run->duration_s : time;
}

static bool has_ended(const struct run_summary *run)
{
    return !run->source && (run->state == RUN_FINISHED || run->state == RUN_STOPPED || run->state == RUN_FAILED ||
                            run->state == RUN_INTERRUPTED);
}

/* The newest runs: one that was begun long before and has just ended is seen in the list of runs. */
static int add_ended(struct app *app, struct jobs_view *v, int n)
{
    int first = n;
    for (size_t i = 0; i < app->n_runs && n < first + MOST_ENDED; i++) {
        if (!has_ended(&app->runs[i]))
            continue;
        struct jobs_row *row = &v->rows[n++];
        *row = (struct jobs_row){.section = JOBS_ENDED, .ended = end_of(app, &app->runs[i])};
        snprintf(row->run_id, sizeof row->run_id, "%s", app->runs[i].id);
    }
    qsort(v->rows + first, (size_t)(n - first), sizeof *v->rows, last_ended_first);
    return n;
}

/* The selection stays on its run or job. */
static void select_again(struct jobs_view *v, const struct jobs_row *was)
{
    for (int i = 0; i < v->list.count; i++)
        if (v->rows[i].job == was->job && !strcmp(v->rows[i].run_id, was->run_id))
            v->list.selected = i;
    list_settle(&v->list, 100000);
}

static void fill_rows(struct app *app, struct jobs_view *v)
{
    struct jobs_row was = v->list.count ? v->rows[v->list.selected] : (struct jobs_row){0};
    queue_plan_release(&v->plan);
    queue_plan_make(&v->plan, app->home, app->runs, app->n_runs);
    v->rows = xrealloc(v->rows, (v->plan.n + APP_MAX_JOBS + MOST_ENDED) * sizeof *v->rows);
    int n = v->first[JOBS_WAITS] = add_items(v, 0, false);
    n = v->first[JOBS_ASKED] = add_items(v, n, true);
    n = v->first[JOBS_ENDED] = add_jobs(app, v, n);
    v->list.count = v->first[JOBS_SECTIONS] = add_ended(app, v, n);
    if (was.job || was.run_id[0])
        select_again(v, &was);
}

static bool jobs_open(struct app *app, void *state, const char *argument, struct err *err)
{
    (void)argument;
    (void)err;
    fill_rows(app, state);
    return true;
}

static void jobs_close(void *state)
{
    struct jobs_view *v = state;
    queue_plan_release(&v->plan);
    free(v->rows);
}

/* ---- what is selected ---- */

static const struct jobs_row *selected(const struct jobs_view *v)
{
    return v->list.count ? &v->rows[v->list.selected] : NULL;
}

static const struct run_summary *jobs_run(const struct app *app, const void *state)
{
    const struct jobs_row *row = selected(state);
    return row && row->run_id[0] ? app_find_run(app, row->run_id) : NULL;
}

static struct app_job *selected_job(const struct app *app, const struct jobs_view *v)
{
    const struct jobs_row *row = selected(v);
    return row ? app_find_job((struct app *)app, row->job) : NULL;
}

static unsigned jobs_places(const struct app *app, const void *state)
{
    const struct jobs_view *v = state;
    const struct jobs_row *row = selected(v);
    return IN_MOVE | IN_JOBS | (row && row->job ? IN_ASKED : 0) | (row && row->section == JOBS_WAITS ? IN_QUEUE : 0) |
           (jobs_run(app, state) ? IN_RUN : 0);
}

/* ---- keys ---- */

static int open_row(struct app *app, struct jobs_view *v)
{
    const struct run_summary *run = jobs_run(app, v);
    struct app_job *job = selected_job(app, v);
    if (run)
        return app_go(app, "run", run->id);
    return job ? app_go(app, jobs_view_of(job), job->subject) : LOOP_NOTHING;
}

static int cancel_job(struct app *app, struct jobs_view *v)
{
    struct app_job *job = selected_job(app, v);
    if (job && job->state == JOB_RUNNING)
        app_cancel_job(app, job);
    else
        app_say(app, STYLE_WARNING, job ? "it has ended already" : "a run is stopped with S");
    return LOOP_DRAW;
}

static int after_change(struct app *app, struct jobs_view *v, bool ok, const struct err *err)
{
    if (!ok)
        return app_fail(app, err);
    app_refresh(app, true);
    fill_rows(app, v);
    return LOOP_DRAW;
}

static int move_in_queue(struct app *app, struct jobs_view *v, int by)
{
    struct err err = {0};
    int place = selected(v)->item->place - 1 + by;
    bool ok = place < 0 || queue_move(app->home, selected(v)->run_id, (size_t)place, &err);
    return after_change(app, v, ok, &err);
}

static int start_now(struct app *app, struct jobs_view *v)
{
    struct err err = {0};
    char *program = worker_program(&err), name[160];
    snprintf(name, sizeof name, "%.150s", selected(v)->item->run->name);
    bool ok = program && queue_start(app->home, program, selected(v)->run_id, &err);
    if (ok)
        app_say(app, STYLE_GOOD, "%s starts without waiting for a place", name);
    free(program);
    return after_change(app, v, ok, &err);
}

static int hold(struct app *app, struct jobs_view *v)
{
    struct err err = {0};
    bool held = !v->plan.held, ok = queue_hold(app->home, held, &err);
    if (ok)
        app_say(app, STYLE_TEXT, held ? "the queue is held: nothing starts by itself" : "the queue goes on");
    return after_change(app, v, ok, &err);
}

static int change_settings(struct app *app, const struct jobs_view *v)
{
    char argument[300];
    snprintf(argument, sizeof argument, "waiting:%s", selected(v)->run_id);
    return app_go(app, "form", argument);
}

static int queue_action(struct app *app, struct jobs_view *v, enum action action)
{
    const struct jobs_row *row = selected(v);
    if (!row || row->section != JOBS_WAITS)
        return LOOP_NOTHING;
    switch (action) {
    case ACTION_EARLIER:
        return move_in_queue(app, v, -1);
    case ACTION_LATER:
        return move_in_queue(app, v, 1);
    case ACTION_START_NOW:
        return start_now(app, v);
    case ACTION_BRANCH:
        return change_settings(app, v);
    default:
        return LOOP_NOTHING;
    }
}

static int jobs_action(struct app *app, void *state, enum action action)
{
    struct jobs_view *v = state;
    if (list_action(&v->list, action, PAGE))
        return LOOP_DRAW;
    switch (action) {
    case ACTION_OPEN:
        return open_row(app, v);
    case ACTION_CANCEL_JOB:
        return cancel_job(app, v);
    case ACTION_HOLD:
        return hold(app, v);
    case ACTION_VIEW_JOBS:
        return LOOP_DRAW;
    default:
        return queue_action(app, v, action);
    }
}

static int mouse(struct app *app, struct jobs_view *v, const struct event *event)
{
    for (int s = 0; s < JOBS_SECTIONS; s++) {
        enum list_click click = list_mouse(&v->shown[s], event);
        if (!click)
            continue;
        v->list.selected = v->first[s] + v->shown[s].selected;
        return click == LIST_OPENED ? open_row(app, v) : LOOP_DRAW;
    }
    return LOOP_NOTHING;
}

static int jobs_event(struct app *app, void *state, const struct event *event)
{
    struct jobs_view *v = state;
    if (event->kind == EVENT_MOUSE)
        return mouse(app, v, event);
    if (event->kind != EVENT_TICK && event->kind != EVENT_READY)
        return LOOP_NOTHING;
    if (!app_busy(app) && !v->plan.n)
        return LOOP_NOTHING;
    fill_rows(app, v);
    return LOOP_DRAW;
}

static int jobs_refresh(struct app *app, void *state)
{
    fill_rows(app, state);
    return LOOP_DRAW;
}

const struct screen_view_ops view_jobs = {
    .name = "jobs",
    .state_size = sizeof(struct jobs_view),
    .open = jobs_open,
    .close = jobs_close,
    .places = jobs_places,
    .action = jobs_action,
    .event = jobs_event,
    .refresh = jobs_refresh,
    .view = jobs_view_draw,
    .run = jobs_run,
};
