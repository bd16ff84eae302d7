/* view_predict.c - what a checkpoint says of single samples: a list of them, the chosen one drawn with the classes and
 * their probabilities.
 *
 * Samples come in pieces from the worker, the next one when the selection nears the end of what is there, or when a
 * filter wants more.
 */
#include "base/arena.h"
#include "base/io.h"
#include "tui/evaluation.h"
#include "tui/human.h"
#include "tui/sample_filter.h"
#include "tui/subject.h"
#include "tui/views.h"
#include "tui/widget_bars.h"

#include <stddef.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_PIECE = 64, PIECE = 256, MOST_SAMPLES = 8192, NEAR_END = 24, LIST_WIDTH = 42 };

struct predict_view {
    struct subject subject;
    char part[16]; /* "": what the worker chooses, until it has answered */
    int job;
    struct err error;
    bool cancelled;
    struct arena arena; /* of the samples */
    struct sample_data data;
    json_t *parts; /* {"data": {"parts"}} of the last answer */
    struct sample *samples;
    size_t n_samples, capacity;
    int *shown; /* indices of the samples that match */
    struct list list;
    int64_t wanted; /* the sample to select again once it is there, -1 */
    struct edit filter;
    bool filtering;
    char filter_error[200];
};

static const struct sample *selected_sample(const struct predict_view *v)
{
    return v->list.count ? &v->samples[v->shown[v->list.selected]] : NULL;
}

static void find_shown(struct predict_view *v)
{
    struct err err = {0};
    const struct sample *was = selected_sample(v);
    int64_t keep = was ? was->index : v->wanted;
    v->filter_error[0] = 0;
    if (!sample_filter_check(edit_text(&v->filter), &err)) { /* what was shown stays */
        snprintf(v->filter_error, sizeof v->filter_error, "%s", err.text);
        return;
    }
    v->shown = xrealloc(v->shown, (v->n_samples + 1) * sizeof *v->shown);
    v->list.count = 0;
    for (size_t i = 0; i < v->n_samples; i++)
        if (sample_filter_matches(edit_text(&v->filter), &v->samples[i], &v->data)) {
            if (v->samples[i].index <= keep)
                v->list.selected = v->list.count;
            v->shown[v->list.count++] = (int)i;
        }
    list_settle(&v->list, 1000);
}

static void forget(struct predict_view *v)
{
    arena_release(&v->arena);
    v->n_samples = 0;
    v->list = (struct list){0};
    v->data = (struct sample_data){0};
}

static void predicted(struct app *app, struct app_job *job);

static struct predict_view *waiting_view(struct app *app, const struct app_job *job)
{
    for (int i = 0; i < app->depth; i++) {
        struct predict_view *v = app->stack[i].state;
        if (app->stack[i].ops == &view_predict && v->job == job->number)
            return v;
    }
    return NULL;
}

static void ask(struct app *app, struct predict_view *v, int64_t n)
{
    char name[120], title[160], input[64];
    snprintf(input, sizeof input, "%s[%zu:%lld]", v->part, v->n_samples, (long long)((int64_t)v->n_samples + n));
    snprintf(title, sizeof title, "predict %s %s", subject_name(&v->subject, app, name, sizeof name), input);
    json_t *request = subject_request(&v->subject);
    json_object_set_new(request, "details", json_true());
    json_object_set_new(request, "input", json_string(input));
    v->error = (struct err){0};
    v->cancelled = false;
    struct app_job *job = app_start_job(app, "predict", request, title, v->subject.path, predicted, &v->error);
    v->job = job ? job->number : 0;
}

static void ask_more(struct app *app, struct predict_view *v)
{
    bool wants = v->list.selected + NEAR_END >= v->list.count,
         more = (int64_t)v->n_samples < v->data.total && v->n_samples < MOST_SAMPLES;
    if (wants && more && !v->job && !v->error.code && !v->cancelled)
        ask(app, v, PIECE);
}

static void take(struct predict_view *v, const json_t *result)
{
    const json_t *details = json_object_get(result, "details"), *detail, *outputs = json_object_get(result, "outputs");
    const json_t *first = json_object_iter_value(json_object_iter((json_t *)outputs)), *output;
    const char *name;
    size_t i;
    if (!v->n_samples) {
        sample_data_read(&v->data, json_object_get(result, "data"), &v->arena);
        snprintf(v->part, sizeof v->part, "%s", js_string(result, "split", v->part));
        json_decref(v->parts);
        v->parts = json_pack("{s:O*}", "data", json_object_get(result, "data"));
    }
    v->samples = xgrow(v->samples, &v->capacity, v->n_samples + json_array_size(details), sizeof *v->samples);
    json_array_foreach((json_t *)details, i, detail)
    {
        struct sample *sample = &v->samples[v->n_samples++];
        sample_read(sample, detail, json_array_get(first, i), &v->arena);
        json_object_foreach((json_t *)outputs, name, output) if (output != first)
            sample_add_other(sample, name, json_array_get(output, i), &v->arena);
    }
    find_shown(v);
    v->wanted = -1;
}

static void predicted(struct app *app, struct app_job *job)
{
    struct predict_view *v = waiting_view(app, job);
    if (v) {
        v->job = 0;
        if (job->state == JOB_DONE)
            take(v, job->result);
        else if (job->state == JOB_FAILED)
            v->error = job->error;
        else
            v->cancelled = true;
        if (job->state == JOB_DONE)
            ask_more(app, v);
    }
    json_decref(job->result); /* the samples are copied; thousands of pictures as JSON are not kept */
    job->result = NULL;
}

static void start(struct app *app, struct predict_view *v)
{
    const struct checkpoint_summary *checkpoint = subject_checkpoint(&v->subject);
    forget(v);
    if (checkpoint && checkpoint->missing)
        err_set(&v->error, ERR_NOT_FOUND, "'%s' is listed but its file is gone", v->subject.path);
    else
        ask(app, v, v->wanted >= FIRST_PIECE ? v->wanted + NEAR_END : FIRST_PIECE);
}

static bool predict_open(struct app *app, void *state, const char *argument, struct err *err)
{
    struct predict_view *v = state;
    if (!argument)
        return err_set(err, ERR_USAGE, "there is no checkpoint to predict with");
    subject_open(&v->subject, app, argument);
    v->wanted = -1;
    start(app, v);
    return true;
}

static void predict_close(void *state)
{
    struct predict_view *v = state;
    subject_close(&v->subject);
    json_decref(v->parts);
    arena_release(&v->arena);
    edit_release(&v->filter);
    free(v->samples);
    free(v->shown);
}

static unsigned predict_places(const struct app *app, const void *state)
{
    const struct predict_view *v = state;
    return IN_RESULT | IN_SAMPLES | IN_CHECKPOINT | IN_MOVE | (subject_run(&v->subject, app) ? IN_RUN : 0);
}

static void cancel(struct app *app, struct predict_view *v)
{
    struct app_job *job = app_find_job(app, v->job);
    if (job)
        app_cancel_job(app, job);
}

/* The same sample, as another checkpoint sees it. */
static int go_to(struct app *app, struct predict_view *v, const char *path)
{
    const struct sample *sample = selected_sample(v);
    if (!path) {
        app_say(app, STYLE_FAINT, "there is no checkpoint further on");
        return LOOP_DRAW;
    }
    v->wanted = sample ? sample->index : v->wanted;
    subject_open(&v->subject, app, path);
    cancel(app, v);
    start(app, v);
    return LOOP_DRAW;
}

static int restart(struct app *app, struct predict_view *v, const char *part)
{
    if (part)
        snprintf(v->part, sizeof v->part, "%s", part);
    v->wanted = -1;
    cancel(app, v);
    start(app, v);
    return LOOP_DRAW;
}

static int predict_action(struct app *app, void *state, enum action action)
{
    struct predict_view *v = state;
    action = action == ACTION_LEFT ? ACTION_UP : action == ACTION_RIGHT ? ACTION_DOWN : action;
    if (list_action(&v->list, action, 15)) {
        ask_more(app, v);
        return LOOP_DRAW;
    }
    switch (action) {
    case ACTION_CANCEL:
        if (v->job) {
            cancel(app, v);
            return LOOP_DRAW;
        }
        if (!v->filter.text.length)
            return LOOP_NOTHING;
        edit_set(&v->filter, "");
        find_shown(v);
        return LOOP_DRAW;
    case ACTION_PICK:
        v->filtering = true;
        return LOOP_DRAW;
    case ACTION_PREVIOUS_CHECKPOINT:
        return go_to(app, v, subject_neighbour(&v->subject, -1));
    case ACTION_NEXT_CHECKPOINT:
        return go_to(app, v, subject_neighbour(&v->subject, 1));
    case ACTION_BEST:
        return go_to(app, v, subject_neighbour(&v->subject, 0));
    case ACTION_PART:
        return restart(app, v, evaluation_next_part(v->parts, v->part[0] ? v->part : "test"));
    case ACTION_AGAIN:
        return restart(app, v, NULL);
    case ACTION_PREDICT:
        return LOOP_DRAW;
    default:
        return LOOP_NOTHING;
    }
}

static int predict_event(struct app *app, void *state, const struct event *event)
{
    struct predict_view *v = state;
    if (event->kind == EVENT_MOUSE && (event->action == MOUSE_WHEEL_UP || event->action == MOUSE_WHEEL_DOWN)) {
        list_wheel(&v->list, event->action == MOUSE_WHEEL_UP ? -3 : 3, 15);
        ask_more(app, v);
        return LOOP_DRAW;
    }
    if (!v->filtering)
        return LOOP_NOTHING;
    switch (edit_event(&v->filter, event)) {
    case EDIT_CANCELLED:
        edit_set(&v->filter, "");
        v->filtering = false;
        break;
    case EDIT_DONE:
        v->filtering = false;
        return LOOP_DRAW;
    case EDIT_MOVED:
        return LOOP_DRAW;
    case EDIT_IGNORED:
        return LOOP_NOTHING;
    case EDIT_CHANGED:
        break;
    }
    find_shown(v);
    ask_more(app, v);
    return LOOP_DRAW;
}

static int predict_refresh(struct app *app, void *state)
{
    subject_refresh(&((struct predict_view *)state)->subject, app);
    return LOOP_DRAW;
}

struct fill_context {
    const struct predict_view *view;
    int name; /* columns for the name of a class */
};

static void number_or_class(const struct fill_context *f, int64_t label, const struct numbers *numbers, bool scores,
                            char *text, size_t size)
{
    if (label >= 0)
        sample_class_within(&f->view->data, label, f->name, text, size);
    else if (sample_last_token(&f->view->data, numbers, scores, text, size))
        return;
    else if (numbers->n == 1)
        snprintf(text, size, "%s", text_number(numbers->values[0]).text);
    else
        snprintf(text, size, "%s", text_missing());
}

static void fill(void *context, int row, int column, struct list_cell *cell)
{
    const struct fill_context *f = context;
    const struct predict_view *v = f->view;
    const struct sample *s = &v->samples[v->shown[row]];
    bool wrong = s->label >= 0 && s->predicted >= 0 && !sample_is_right(s);
    double share = s->predicted >= 0 ? s->probability : sample_error(s);
    cell->style = STYLE_TEXT;
    switch (column) {
    case 0:
        snprintf(cell->text, sizeof cell->text, "%lld", (long long)s->index);
        break;
    case 1:
        number_or_class(f, s->label, &s->target, false, cell->text, sizeof cell->text);
        break;
    case 2:
        number_or_class(f, s->predicted, &s->output, true, cell->text, sizeof cell->text - 8);
        strcat(cell->text, wrong ? " ✗" : "");
        cell->style = wrong ? STYLE_ERROR : STYLE_TEXT;
        break;
    default:
        if (isfinite(share))
            snprintf(cell->text, sizeof cell->text, s->predicted >= 0 ? "%.3f" : "%.4g", share);
        cell->style = s->predicted >= 0 && share < 0.5 ? STYLE_WARNING : STYLE_TEXT;
        break;
    }
}

static void draw_list(const struct predict_view *v, struct grid *grid, struct rect rect)
{
    bool classes = v->samples[0].predicted >= 0;
    int name = (rect.w - 22) / 2;
    name = name < 4 ? 4 : name > 12 ? 12 : name;
    const struct list_column columns[] = {{"sample", LIST_RIGHT, 6, 7, 0, false},
                                          {"true", LIST_LEFT, 4, name, 0, false},
                                          {"said", LIST_LEFT, 4, name + 2, 0, true},
                                          {classes ? "p" : "error", LIST_POINT, 5, 8, 0, false}};
    struct list list = v->list;
    struct fill_context f = {.view = v, .name = name};
    list_draw(&list, grid, rect, columns, 4, -1, false, !v->filtering, fill, &f);
}

static void draw_filter(const struct predict_view *v, struct grid *grid, struct rect row)
{
    char count[80];
    bool all = (int64_t)v->n_samples >= v->data.total;
    snprintf(count, sizeof count, all ? "%d of %zu" : "%d of the first %zu", v->list.count, v->n_samples);
    int width = grid_columns(grid, count);
    grid_text(grid, row, 1, 0, STYLE_KEY, "/");
    edit_draw(&v->filter, grid, (struct rect){row.x + 2, row.y, row.w - 4 - width, 1}, v->filtering,
              "wrong  class:3  said:8  p<0.8");
    grid_text_right(grid, row, row.w - 1, 0, v->filter_error[0] ? STYLE_ERROR : STYLE_FAINT, count);
}

static void draw_waiting(const struct app *app, const struct predict_view *v, struct grid *grid, struct rect rect)
{
    const struct app_job *job = app_find_job((struct app *)app, v->job);
    struct rect inside = rect_inset(rect, 2, 1);
    char text[100];
    if (job) {
        snprintf(text, sizeof text, "%s so far   Esc cancels", text_duration(app->now - job->started).text);
        grid_text(grid, inside, 0, 0, STYLE_TEXT, job->title);
        rect_top(&inside, 2);
        progress_draw(grid, inside, job->share, text);
    } else if (v->error.code) {
        int rows = grid_wrap(grid, inside, 0, STYLE_ERROR, v->error.text);
        grid_text(grid, inside, 0, rows + 1, STYLE_FAINT, "v another part of the data   u try again   q back");
    } else if (v->cancelled)
        grid_text(grid, inside, 0, 0, STYLE_TEXT, "cancelled   u predicts again");
}

static void predict_draw(const struct app *app, const void *state, struct grid *grid, struct rect rect)
{
    const struct predict_view *v = state;
    char right[120] = "";
    if (v->n_samples)
        snprintf(right, sizeof right, "%lld samples of %s", (long long)v->data.total, v->part);
    app_header(app, grid, &rect, "predict", right);
    subject_draw(&v->subject, app, grid, &rect);
    if (!v->n_samples) {
        draw_waiting(app, v, grid, rect);
        return;
    }
    draw_filter(v, grid, rect_top(&rect, 1));
    if (v->filter_error[0] || v->error.code)
        grid_text(grid, rect_top(&rect, 1), 1, 0, STYLE_ERROR, v->filter_error[0] ? v->filter_error : v->error.text);
    rect_left(&rect, 1);
    struct rect list = rect_left(&rect, rect.w >= 120 ? LIST_WIDTH : rect.w >= 76 ? 34 : 27);
    draw_list(v, grid, list);
    rect_left(&rect, 3);
    const struct sample *sample = selected_sample(v);
    if (sample)
        sample_draw(sample, &v->data, app, grid, rect);
    else
        grid_text(grid, rect, 0, 1, STYLE_FAINT, v->job ? "searching ..." : "no sample matches");
}

_Static_assert(offsetof(struct predict_view, subject) == 0, "subject_view_run() takes the state for its subject");
const struct screen_view_ops view_predict = {
    .name = "predict",
    .state_size = sizeof(struct predict_view),
    .open = predict_open,
    .close = predict_close,
    .places = predict_places,
    .action = predict_action,
    .event = predict_event,
    .refresh = predict_refresh,
    .view = predict_draw,
    .run = subject_view_run,
    .checkpoint = subject_view_checkpoint,
};
