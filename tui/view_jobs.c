/* view_jobs.c - what is under way: runs whose workers live, and the evaluations, predictions and inspections asked from
 * this screen. */
#include "persistence/run_live.h"
#include "base/arena.h"
#include "tui/human.h"
#include "tui/views.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BAR_COLUMNS = 16, MOST_RUNS = 200 };

struct jobs_row {     /* a run or a job */
    char run_id[256]; /* "": a job */
    int job;
    struct run_live live;
    bool has_live;
};

struct jobs_view {
    struct list list;
    struct jobs_row *rows; /* runs first, then jobs, newest first */
    int n_runs;
};

/* Which view shows what a job found; jobs that only help a form are not listed. */
static const struct {
    const char *job, *view;
} shown_jobs[] = {{"evaluate", "result"}, {"predict", "predict"}, {"generate", "predict"}, {"inspect", "inspect"}};

static const char *view_of(const struct app_job *job)
{
    for (size_t i = 0; i < sizeof shown_jobs / sizeof *shown_jobs; i++)
        if (!strcmp(shown_jobs[i].job, job->job))
            return shown_jobs[i].view;
    return NULL;
}

static int newest_first(const void *a, const void *b)
{
    return ((const struct jobs_row *)b)->job - ((const struct jobs_row *)a)->job;
}

static void fill_rows(struct app *app, struct jobs_view *v)
{
    int n = 0;
    v->rows = xrealloc(v->rows, (MOST_RUNS + APP_MAX_JOBS) * sizeof *v->rows);
    for (size_t i = 0; i < app->n_runs && n < MOST_RUNS; i++) {
        const struct run_summary *run = &app->runs[i];
        if (run->state != RUN_RUNNING && run->state != RUN_PAUSED && run->state != RUN_QUEUED)
            continue;
        struct jobs_row *row = &v->rows[n++];
        *row = (struct jobs_row){0};
        snprintf(row->run_id, sizeof row->run_id, "%s", run->id);
        char *folder = app_run_folder(app, run);
        row->has_live = run_live_read(folder, &row->live);
        free(folder);
    }
    v->n_runs = n;
    for (int i = 0; i < APP_MAX_JOBS; i++)
        if (app->jobs[i].number && view_of(&app->jobs[i]))
            v->rows[n++] = (struct jobs_row){.job = app->jobs[i].number};
    qsort(v->rows + v->n_runs, (size_t)(n - v->n_runs), sizeof *v->rows, newest_first);
    v->list.count = n;
    list_settle(&v->list, 1000);
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
    free(((struct jobs_view *)state)->rows);
}

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
    return IN_MOVE | (v->list.count ? IN_JOBS : 0) | (jobs_run(app, state) ? IN_RUN : 0);
}

static int open_row(struct app *app, struct jobs_view *v)
{
    const struct run_summary *run = jobs_run(app, v);
    struct app_job *job = selected_job(app, v);
    if (run)
        return app_go(app, "run", run->id);
    return job ? app_go(app, view_of(job), job->subject) : LOOP_NOTHING;
}

static int jobs_action(struct app *app, void *state, enum action action)
{
    struct jobs_view *v = state;
    struct app_job *job = selected_job(app, v);
    action = action == ACTION_LEFT ? ACTION_UP : action == ACTION_RIGHT ? ACTION_DOWN : action;
    if (list_action(&v->list, action, 10))
        return LOOP_DRAW;
    switch (action) {
    case ACTION_OPEN:
        return open_row(app, v);
    case ACTION_CANCEL_JOB:
        if (job && job->state == JOB_RUNNING)
            app_cancel_job(app, job);
        else
            app_say(app, STYLE_WARNING, job ? "it has ended already" : "a run is stopped with S");
        return LOOP_DRAW;
    case ACTION_VIEW_JOBS:
        return LOOP_DRAW;
    default:
        return LOOP_NOTHING;
    }
}

static int jobs_event(struct app *app, void *state, const struct event *event)
{
    struct jobs_view *v = state;
    if (event->kind != EVENT_TICK && event->kind != EVENT_READY)
        return LOOP_NOTHING;
    fill_rows(app, v);
    return app_busy(app) || v->n_runs ? LOOP_DRAW : LOOP_NOTHING;
}

static int jobs_refresh(struct app *app, void *state)
{
    fill_rows(app, state);
    return LOOP_DRAW;
}

struct fill_context {
    const struct app *app;
    const struct jobs_view *view;
    uint32_t bar[BAR_COLUMNS];
    bool ascii;
};

static void fill_bar(struct fill_context *f, struct list_cell *cell, double share)
{
    if (isnan(share))
        return;
    tile_bar(share, f->ascii, f->bar, BAR_COLUMNS);
    cell->points = f->bar;
    cell->n_points = BAR_COLUMNS;
    cell->style = STYLE_ACCENT;
}

static double run_share(const struct jobs_row *row)
{
    const struct run_live *live = &row->live;
    if (!row->has_live || live->epochs < 1 || live->steps_per_epoch < 1)
        return NAN;
    double inside = (double)live->step_in_epoch / live->steps_per_epoch;
    return ((double)(live->epoch - 1) + (inside < 1 ? inside : 1)) / (double)live->epochs;
}

static double run_left(const struct jobs_row *row)
{
    double share = run_share(row), total = (double)row->live.epochs * row->live.steps_per_epoch;
    return row->live.steps_per_second > 0 && isfinite(share) ? (1 - share) * total / row->live.steps_per_second : NAN;
}

static void fill_run(struct fill_context *f, const struct jobs_row *row, int column, struct list_cell *cell)
{
    const struct run_summary *run = app_find_run(f->app, row->run_id);
    if (!run)
        return;
    switch (column) {
    case 0:
        snprintf(cell->text, sizeof cell->text, "%s %s", human_state_sign(run->state), run_state_name(run->state));
        cell->style = human_state_style(run->state);
        break;
    case 1:
        snprintf(cell->text, sizeof cell->text, "train %.150s", run->name);
        break;
    case 2:
        fill_bar(f, cell, run_share(row));
        break;
    case 3:
        snprintf(cell->text, sizeof cell->text, "%s", text_duration(run->duration_s).text);
        break;
    case 4:
        snprintf(cell->text, sizeof cell->text, "%s", text_duration(run_left(row)).text);
        break;
    default:
        snprintf(cell->text, sizeof cell->text, "epoch %lld/%lld",
                 (long long)(row->has_live ? row->live.epoch : run->epoch), (long long)run->epochs);
        break;
    }
}

static const struct {
    const char *text;
    enum style style;
} job_states[] = {[JOB_RUNNING] = {"▶ running", STYLE_RUNNING},
                  [JOB_DONE] = {"✓ done", STYLE_FINISHED},
                  [JOB_FAILED] = {"✗ failed", STYLE_FAILED},
                  [JOB_CANCELLED] = {"■ cancelled", STYLE_STOPPED}};

static void fill_job(struct fill_context *f, const struct app_job *job, int column, struct list_cell *cell)
{
    bool runs = job->state == JOB_RUNNING;
    switch (column) {
    case 0:
        snprintf(cell->text, sizeof cell->text, "%s", job_states[job->state].text);
        cell->style = job_states[job->state].style;
        break;
    case 1:
        snprintf(cell->text, sizeof cell->text, "%s", job->title);
        break;
    case 2:
        fill_bar(f, cell, runs ? job->share : NAN);
        break;
    case 3:
        snprintf(cell->text, sizeof cell->text, "%s",
                 text_duration((runs ? f->app->now : job->ended) - job->started).text);
        break;
    case 4:
        snprintf(cell->text, sizeof cell->text, "%s",
                 runs && isfinite(job->left_s) ? text_duration(job->left_s).text : "");
        break;
    default:
        snprintf(cell->text, sizeof cell->text, "%.180s", job->state == JOB_FAILED ? job->error.text : "");
        cell->style = STYLE_ERROR;
        break;
    }
}

static void fill(void *context, int row, int column, struct list_cell *cell)
{
    struct fill_context *f = context;
    const struct jobs_row *r = &f->view->rows[row];
    const struct app_job *job = app_find_job((struct app *)f->app, r->job);
    cell->style = STYLE_TEXT;
    if (r->run_id[0])
        fill_run(f, r, column, cell);
    else if (job)
        fill_job(f, job, column, cell);
}

static void jobs_draw(const struct app *app, const void *state, struct grid *grid, struct rect rect)
{
    static const struct list_column columns[] = {{"state", LIST_LEFT, 9, 12, 0, false},
                                                 {"what", LIST_LEFT, 20, 60, 0, false},
                                                 {"", LIST_LEFT, BAR_COLUMNS, BAR_COLUMNS, 3, false},
                                                 {"time", LIST_RIGHT, 4, 8, 1, false},
                                                 {"left", LIST_RIGHT, 4, 8, 2, false},
                                                 {"", LIST_LEFT, 8, 0, 4, true}};
    const struct jobs_view *v = state;
    struct fill_context f = {.app = app, .view = v, .ascii = grid->ascii};
    struct list list = v->list;
    app_header(app, grid, &rect, "jobs", NULL);
    if (!v->list.count) {
        grid_text(grid, rect, 1, 1, STYLE_FAINT, "Nothing runs, and nothing was asked from this screen yet.");
        grid_text(grid, rect, 1, 3, STYLE_FAINT, "e evaluates a checkpoint, p predicts with it; n starts a run.");
        return;
    }
    rect_left(&rect, 1);
    list_draw(&list, grid, rect, columns, 6, -1, false, true, fill, &f);
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
    .view = jobs_draw,
    .run = jobs_run,
};
