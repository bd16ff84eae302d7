/* view_result.c - a checkpoint evaluated on a part of the data: started when it is opened, unless its result is kept
 * beside it. */
#include "base/arena.h"
#include "base/io.h"
#include "tui/app/views.h"
#include "tui/client/evaluation.h"
#include "tui/results/view_result.h"
#include "tui/widgets/widget_bars.h"

#include <stddef.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int worst_first(const void *a, const void *b)
{
    const struct class_row *left = a, *right = b;
    if (left->f1 != right->f1)
        return left->f1 < right->f1 ? -1 : 1;
    return (left->label > right->label) - (left->label < right->label);
}

static void read_classes(struct result_view *v)
{
    const json_t *classes = json_object_get(v->of, "per_class"), *confusion = json_object_get(v->of, "confusion"), *one;
    size_t n = json_array_size(classes), i;
    v->rows = arena_array(&v->arena, n + 1, sizeof *v->rows);
    json_array_foreach((json_t *)classes, i, one) {
        char name[80];
        int64_t label = js_int(one, "label", (int64_t)i);
        v->rows[i] =
            (struct class_row){.name = arena_strdup(&v->arena, sample_class(&v->data, label, name, sizeof name)),
                               .label = label,
                               .samples = js_int(one, "samples", 0),
                               .precision = js_double(one, "precision", NAN),
                               .recall = js_double(one, "recall", NAN),
                               .f1 = js_double(one, "f1", NAN)};
    }
    v->n_rows = n;
    qsort(v->rows, n, sizeof *v->rows, worst_first);
    if (json_array_size(confusion) != n || !n)
        return;
    v->confusion = arena_array(&v->arena, n * n, sizeof *v->confusion);
    for (size_t k = 0; k < n * n; k++)
        v->confusion[k] = json_integer_value(json_array_get(json_array_get(confusion, k / n), k % n));
}

static void read_pairs(struct result_view *v)
{
    const json_t *pairs = json_object_get(v->of, "pairs"), *pair;
    size_t i;
    v->n_pairs = 0;
    v->pairs = arena_array(&v->arena, json_array_size(pairs) + 1, sizeof *v->pairs);
    json_array_foreach((json_t *)pairs, i, pair) {
        double *to = v->pairs[v->n_pairs];
        if (js_to_double(json_array_get(pair, 0), &to[0]) && js_to_double(json_array_get(pair, 1), &to[1]) &&
            isfinite(to[0]) && isfinite(to[1]))
            v->n_pairs++;
    }
}

/* The first output stands for itself; names of classes are those of its target. */
static void choose_output(struct result_view *v)
{
    const json_t *outputs = json_object_get(v->result, "outputs");
    v->n_outputs = json_array_size(outputs);
    v->output = v->output < v->n_outputs ? v->output : 0;
    v->output_name = v->n_outputs > 1 ? js_string(json_array_get(outputs, v->output), "name", "") : NULL;
    v->of = v->output ? json_array_get(outputs, v->output) : v->result;
    v->data.plain_classes = v->output > 0;
}

/* Reads what is shown of the result. */
static void read_result(struct result_view *v)
{
    json_t *result = v->result;
    arena_release(&v->arena);
    v->of = NULL;
    v->output_name = NULL;
    v->rows = NULL, v->samples = NULL, v->confusion = NULL, v->pairs = NULL;
    v->n_rows = v->n_samples = v->n_pairs = 0;
    if (!result)
        return;
    sample_data_read(&v->data, json_object_get(result, "data"), &v->arena);
    choose_output(v);
    read_classes(v);
    read_pairs(v);
    const json_t *hardest = json_object_get(v->of, "hardest"), *one;
    size_t i;
    v->samples = arena_array(&v->arena, json_array_size(hardest) + 1, sizeof *v->samples);
    json_array_foreach((json_t *)hardest, i, one)
        sample_read(&v->samples[v->n_samples++], one, NULL, &v->arena);
    v->classes.count = (int)v->n_rows;
    v->hardest.count = (int)v->n_samples;
    list_settle(&v->classes, 1000);
    list_settle(&v->hardest, 1000);
}

/* Forgets what was shown; takes the reference to result (NULL: nothing). */
static void show(struct result_view *v, json_t *result, double made)
{
    json_decref(v->result);
    v->result = result;
    v->made = made;
    read_result(v);
}

/* The view that waits for this job, if it is still open. */
static struct result_view *waiting_view(struct app *app, const struct app_job *job)
{
    for (int i = 0; i < app->depth; i++) {
        struct result_view *v = app->stack[i].state;
        if (app->stack[i].ops == &view_result && v->job == job->number)
            return v;
    }
    return NULL;
}

static void evaluated(struct app *app, struct app_job *job)
{
    struct result_view *v = waiting_view(app, job);
    if (job->state == JOB_DONE)
        evaluation_keep(job->subject, job->result);
    if (!v)
        return;
    v->job = 0;
    if (job->state == JOB_DONE)
        show(v, json_incref(job->result), app->wall);
    else if (job->state == JOB_FAILED)
        v->error = job->error;
    else
        v->cancelled = true;
}

/* The job that does or did the same in this session, newest first. */
static struct app_job *same_job(struct app *app, const char *title, const char *path)
{
    struct app_job *found = NULL;
    for (int i = 0; i < APP_MAX_JOBS; i++) {
        struct app_job *job = &app->jobs[i];
        bool same = job->number && !strcmp(job->title, title) && !strcmp(job->subject, path);
        if (same && (job->state == JOB_RUNNING || job->state == JOB_DONE) && (!found || job->number > found->number))
            found = job;
    }
    return found;
}

static void start(struct app *app, struct result_view *v, const char *title)
{
    json_t *request = subject_request(&v->subject);
    json_object_set_new(request, "details", json_true());
    if (v->part)
        json_object_set_new(request, "split", json_string(v->part));
    v->error = (struct err){0};
    v->cancelled = false;
    struct app_job *job = app_start_job(app, "evaluate", request, title, v->subject.path, evaluated, &v->error);
    v->job = job ? job->number : 0;
}

/* Shows what is kept, waits for the job that computes it already, or starts one. */
static void look(struct app *app, struct result_view *v, bool again)
{
    char name[120], title[160];
    double made = 0;
    subject_name(&v->subject, app, name, sizeof name);
    snprintf(title, sizeof title, v->part ? "evaluate %s, %s" : "evaluate %s", name, v->part ? v->part : "");
    struct app_job *job = same_job(app, title, v->subject.path);
    json_t *kept = again ? NULL : evaluation_kept(v->subject.path, v->part, &made);
    if (!kept && !again && job && job->state == JOB_DONE) { /* a home that cannot be written keeps nothing */
        kept = json_incref(job->result);
        made = app->wall - (app->now - job->ended);
    }
    if (!kept && v->subject.at >= 0 && v->subject.list[v->subject.at].missing) {
        show(v, NULL, 0);
        err_set(&v->error, ERR_NOT_FOUND, "'%s' is listed but its file is gone", v->subject.path);
        return;
    }
    show(v, kept, made);
    v->job = 0;
    v->error = (struct err){0};
    v->cancelled = false;
    if (!kept && job && job->state == JOB_RUNNING)
        v->job = job->number;
    else if (!kept)
        start(app, v, title);
}

static bool result_open(struct app *app, void *state, const char *argument, struct err *err)
{
    struct result_view *v = state;
    if (!argument)
        return err_set(err, ERR_USAGE, "there is no checkpoint to evaluate");
    subject_open(&v->subject, app, argument);
    look(app, v, false);
    return true;
}

static void result_close(void *state)
{
    struct result_view *v = state;
    subject_close(&v->subject);
    json_decref(v->result);
    arena_release(&v->arena);
}

static unsigned result_places(const struct app *app, const void *state)
{
    const struct result_view *v = state;
    return IN_RESULT | IN_CHECKPOINT | IN_MOVE | (subject_run(&v->subject, app) ? IN_RUN : 0) |
           (v->result ? IN_PANES : 0) | (v->n_outputs > 1 && v->result ? IN_OUTPUTS : 0);
}

static void cancel(struct app *app, struct result_view *v)
{
    struct app_job *job = app_find_job(app, v->job);
    if (job)
        app_cancel_job(app, job);
}

/* Walking on: what was being computed is not wanted any more. */
static int go_to(struct app *app, struct result_view *v, const char *path)
{
    if (!path)
        return LOOP_DRAW;
    subject_open(&v->subject, app, path);
    cancel(app, v);
    look(app, v, false);
    return LOOP_DRAW;
}

static int next_part(struct app *app, struct result_view *v)
{
    const char *now = js_string(v->result, "split", v->part ? v->part : "test"),
               *next = evaluation_next_part(v->result, now);
    cancel(app, v);
    v->part = next;
    look(app, v, false);
    return LOOP_DRAW;
}

/* With another checkpoint marked: what both say of the samples, side by side. */
static int compare(struct app *app, const struct result_view *v)
{
    if (!app->marked_checkpoint || !strcmp(app->marked_checkpoint, v->subject.path))
        return LOOP_NOTHING;
    char *both = xprintf("%s\n%s", v->subject.path, app->marked_checkpoint);
    int flags = app_go(app, "predict", both);
    free(both);
    return flags;
}

static int result_action(struct app *app, void *state, enum action action)
{
    struct result_view *v = state;
    const char *path;
    if (list_action(v->page == RESULT_HARDEST ? &v->hardest : &v->classes, action, 10))
        return LOOP_DRAW;
    if (subject_leads(&v->subject, app, action, &path))
        return go_to(app, v, path);
    switch (action) {
    case ACTION_CANCEL:
        if (!app_find_job(app, v->job))
            return LOOP_NOTHING;
        cancel(app, v);
        return LOOP_DRAW;
    case ACTION_NEXT_PANE:
    case ACTION_PREVIOUS_PANE:
        v->page = (enum result_page)((v->page + (action == ACTION_NEXT_PANE ? 1 : RESULT_PAGES - 1)) % RESULT_PAGES);
        return LOOP_DRAW;
    case ACTION_MAXIMISE:
        v->alone = !v->alone;
        return LOOP_DRAW;
    case ACTION_OUTPUT:
        v->output = v->n_outputs ? (v->output + 1) % v->n_outputs : 0;
        read_result(v);
        return LOOP_DRAW;
    case ACTION_PART:
        return next_part(app, v);
    case ACTION_DIFF:
        return compare(app, v);
    case ACTION_EVALUATE:
    case ACTION_AGAIN:
        if (!app_find_job(app, v->job) && action == ACTION_AGAIN)
            look(app, v, true);
        return LOOP_DRAW;
    default:
        return LOOP_NOTHING;
    }
}

static int result_event(struct app *app, void *state, const struct event *event)
{
    struct result_view *v = state;
    struct grid measure = {.ascii = app->rung == RUNG_ASCII};
    const char *pages[RESULT_PAGES];
    if (event->kind != EVENT_MOUSE)
        return LOOP_NOTHING;
    if (event->action == MOUSE_PRESS && rect_has(v->tabs, event->x, event->y)) {
        result_page_names(v, pages);
        int page = tabs_hit(&measure, v->tabs, pages, RESULT_PAGES, (int)v->page, event->x);
        v->page = page >= 0 ? (enum result_page)page : v->page;
        return LOOP_DRAW;
    }
    return list_mouse(&v->classes, event) || list_mouse(&v->hardest, event) ? LOOP_DRAW : LOOP_NOTHING;
}

static int result_refresh(struct app *app, void *state)
{
    subject_refresh(&((struct result_view *)state)->subject, app);
    return LOOP_DRAW;
}

_Static_assert(offsetof(struct result_view, subject) == 0, "subject_view_run() takes the state for its subject");
const struct screen_view_ops view_result = {
    .name = "result",
    .state_size = sizeof(struct result_view),
    .open = result_open,
    .close = result_close,
    .places = result_places,
    .action = result_action,
    .event = result_event,
    .refresh = result_refresh,
    .view = result_draw,
    .run = subject_view_run,
    .checkpoint = subject_view_checkpoint,
};
