/* view_predict.c - what a checkpoint says of single samples: a list of them, the chosen one drawn with the classes and
 * their probabilities.
 *
 * Samples come in pieces from the worker, the next one when the selection nears the end of what is there, or when a
 * filter wants more.
 */
#include "base/arena.h"
#include "base/io.h"
#include "persistence/runs/run_folder.h"
#include "tui/app/views.h"
#include "tui/client/evaluation.h"
#include "tui/client/prediction.h"
#include "tui/results/predict_view.h"
#include "tui/results/sample_filter.h"
#include "tui/widgets/widget_bars.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_PIECE = 64, PIECE = 256, MOST_SAMPLES = 8192, NEAR_END = 24 };

const struct sample *predict_selected(const struct predict_view *v)
{
    return v->list.count ? &v->samples[v->shown[v->list.selected]] : NULL;
}

void predict_find_shown(struct predict_view *v)
{
    struct err err = {0};
    const struct sample *was = predict_selected(v);
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

static void forget(struct app *app, struct predict_view *v)
{
    rival_cancel(app, v);
    arena_release(&v->arena);
    v->n_samples = 0;
    v->list = (struct list){0};
    v->data = (struct sample_data){0};
    v->made = 0;
}

static void predicted(struct app *app, struct app_job *job);

struct predict_view *predict_view_of_job(struct app *app, const struct app_job *job)
{
    for (int i = 0; i < app->depth; i++) {
        struct predict_view *v = app->stack[i].state;
        bool its = app->stack[i].ops == &view_predict &&
                   (v->job == job->number || v->text.job == job->number || v->rival_job == job->number);
        if (its)
            return v;
    }
    return NULL;
}

static void take(struct predict_view *v, const json_t *result);

/* What is kept of the next n samples. False: nothing. */
static bool take_kept(struct predict_view *v, int64_t n)
{
    double made;
    int64_t first = (int64_t)v->n_samples;
    json_t *kept = prediction_kept(v->subject.path, v->part, first, first + n, &made);
    if (kept) {
        v->made = v->made > 0 && v->made < made ? v->made : made;
        take(v, kept);
    }
    json_decref(kept);
    return kept != NULL;
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
    bool more = true;
    while (more && v->list.selected + NEAR_END >= v->list.count && (int64_t)v->n_samples < v->data.total &&
           v->n_samples < MOST_SAMPLES && !v->job && !v->error.code && !v->cancelled)
        if (!(more = take_kept(v, PIECE)))
            ask(app, v, PIECE);
}

void predict_read_sample(struct predict_view *v, struct sample *sample, const json_t *result, size_t i)
{
    const json_t *detail = json_array_get(json_object_get(result, "details"), i);
    json_t *outputs = json_object_get(result, "outputs"), *output;
    const char *name;
    sample_read(sample, detail, json_array_get(json_object_get(outputs, v->output_name), i), &v->arena);
    if (v->output)
        sample_read_truth(sample, json_object_get(json_object_get(detail, "outputs"), v->output_name), &v->arena);
    json_object_foreach(outputs, name, output)
        if (strcmp(name, v->output_name) != 0)
            sample_add_other(sample, name, json_array_get(output, i), &v->arena);
}

static void choose_output(struct predict_view *v, json_t *outputs)
{
    const char *name;
    json_t *ignored;
    size_t k = 0;
    v->n_outputs = json_object_size(outputs);
    v->output = v->output < v->n_outputs ? v->output : 0;
    v->output_name[0] = 0;
    json_object_foreach(outputs, name, ignored)
        if (k++ == v->output)
            snprintf(v->output_name, sizeof v->output_name, "%s", name);
    v->data.plain_classes = v->output > 0;
}

static void take(struct predict_view *v, const json_t *result)
{
    size_t n = json_array_size(json_object_get(result, "details"));
    if (!v->n_samples) {
        sample_data_read(&v->data, json_object_get(result, "data"), &v->arena);
        snprintf(v->part, sizeof v->part, "%s", js_string(result, "split", v->part));
        json_decref(v->parts);
        v->parts = json_pack("{s:O*}", "data", json_object_get(result, "data"));
        choose_output(v, json_object_get(result, "outputs"));
    }
    v->samples = xgrow(v->samples, &v->capacity, v->n_samples + n, sizeof *v->samples);
    for (size_t i = 0; i < n; i++)
        predict_read_sample(v, &v->samples[v->n_samples++], result, i);
    v->writes = v->writes || v->data.n_vocabulary || v->data.bytes;
    predict_find_shown(v);
    v->wanted = -1;
}

static void predicted(struct app *app, struct app_job *job)
{
    struct predict_view *v = predict_view_of_job(app, job);
    if (job->state == JOB_DONE)
        prediction_keep(job->subject, job->result);
    if (v) {
        v->job = 0;
        if (job->state == JOB_DONE)
            take(v, job->result);
        else if (job->state == JOB_FAILED)
            v->error = job->error;
        else
            v->cancelled = true;
        if (job->state == JOB_DONE) {
            ask_more(app, v);
            rival_ask(app, v);
        }
    }
    json_decref(job->result); /* the samples are copied; thousands of pictures as JSON are not kept */
    job->result = NULL;
}

/* anew: what is kept is not enough. */
static void start(struct app *app, struct predict_view *v, bool anew)
{
    if (v->writing) { /* samples are asked for when they are looked at */
        forget(app, v);
        text_page_start(app, v);
        return;
    }
    const struct checkpoint_summary *checkpoint = subject_checkpoint(&v->subject);
    int64_t n = v->wanted >= FIRST_PIECE ? v->wanted + NEAR_END : FIRST_PIECE;
    forget(app, v);
    if (!anew && take_kept(v, n)) {
        v->error = (struct err){0};
        v->cancelled = false;
        ask_more(app, v);
        rival_ask(app, v);
        return;
    }
    if (checkpoint && checkpoint->missing)
        err_set(&v->error, ERR_NOT_FOUND, "'%s' is listed but its file is gone", v->subject.path);
    else
        ask(app, v, n);
}

/* Was it trained on text? Then what it writes is what one wants to see first. */
static bool is_of_text(const struct app *app, const struct predict_view *v)
{
    struct err ignored;
    const struct run_summary *run = subject_run(&v->subject, app);
    char *folder = run ? app_run_folder(app, run) : NULL;
    json_t *config = folder ? run_read_config(folder, &ignored) : NULL;
    bool text = !strcmp(js_string(json_object_get(config, "data"), "format", ""), "text");
    json_decref(config);
    free(folder);
    return text;
}

/* argument: a path, or two on two lines: the second is the rival. */
static bool predict_open(struct app *app, void *state, const char *argument, struct err *err)
{
    struct predict_view *v = state;
    if (!argument)
        return err_set(err, ERR_USAGE, "there is no checkpoint to predict with");
    const char *line = strchr(argument, '\n');
    char *path = xstrndup(argument, line ? (size_t)(line - argument) : strlen(argument));
    subject_open(&v->subject, app, path);
    free(path);
    v->wanted = -1;
    v->writes = is_of_text(app, v);
    v->writing = v->writes && !line && !json_is_false(app_recall(app, "predict.writing"));
    text_page_open(app, v);
    if (line)
        subject_open(&v->rival, app, line + 1);
    start(app, v, false);
    return true;
}

static void predict_close(void *state)
{
    struct predict_view *v = state;
    subject_close(&v->subject);
    subject_close(&v->rival);
    text_page_close(&v->text);
    json_decref(v->parts);
    arena_release(&v->arena);
    edit_release(&v->filter);
    free(v->samples);
    free(v->shown);
}

static unsigned predict_places(const struct app *app, const void *state)
{
    const struct predict_view *v = state;
    return (v->n_outputs > 1 && v->n_samples && !v->writing ? IN_OUTPUTS : 0) |
           (v->writing ? IN_WRITING | IN_SIDEWAYS : IN_RESULT | IN_SAMPLES) | IN_CHECKPOINT | IN_MOVE |
           (v->writes ? IN_PANES : 0) | (v->n_samples && !v->writing ? IN_ALONE : 0) |
           (subject_run(&v->subject, app) ? IN_RUN : 0);
}

static void cancel(struct app *app, struct predict_view *v)
{
    struct app_job *job = app_find_job(app, v->job);
    if (job)
        app_cancel_job(app, job);
    text_page_cancel(app, v);
}

/* The same sample, as another checkpoint sees it. */
static int go_to(struct app *app, struct predict_view *v, const char *path)
{
    const struct sample *sample = predict_selected(v);
    if (!path)
        return LOOP_DRAW;
    v->wanted = sample ? sample->index : v->wanted;
    subject_open(&v->subject, app, path);
    cancel(app, v);
    start(app, v, false);
    return LOOP_DRAW;
}

/* Another part; NULL: the same one, computed anew. */
static int restart(struct app *app, struct predict_view *v, const char *part)
{
    if (part)
        snprintf(v->part, sizeof v->part, "%s", part);
    v->wanted = -1;
    cancel(app, v);
    if (!part)
        prediction_forget(v->subject.path, v->part);
    start(app, v, !part);
    return LOOP_DRAW;
}

/* The same samples again, from what is kept of them where it is. */
static int next_output(struct app *app, struct predict_view *v)
{
    const struct sample *sample = predict_selected(v);
    v->wanted = sample ? sample->index : -1;
    v->output = v->n_outputs ? (v->output + 1) % v->n_outputs : 0;
    cancel(app, v);
    start(app, v, false);
    return LOOP_DRAW;
}

static int turn_page(struct app *app, struct predict_view *v)
{
    if (!v->writes)
        return LOOP_NOTHING;
    v->writing = !v->writing;
    app_remember(app, "predict.writing", json_boolean(v->writing));
    if (v->writing ? !v->text.read : !v->n_samples && !v->job)
        start(app, v, false);
    return LOOP_DRAW;
}

/* `d` with another checkpoint marked: that one stands beside this one; once more, and it goes. */
static int compare(struct app *app, struct predict_view *v)
{
    const char *marked = app->marked_checkpoint;
    if (v->writing || (!v->rival.path && (!marked || !strcmp(marked, v->subject.path))))
        return LOOP_NOTHING;
    rival_open(app, v, v->rival.path ? NULL : marked);
    return LOOP_DRAW;
}

/* One layer back: what runs, the filter, the rival; then out. */
static int escape(struct app *app, struct predict_view *v)
{
    if (v->job) {
        cancel(app, v);
    } else if (v->filter.text.length) {
        edit_set(&v->filter, "");
        predict_find_shown(v);
    } else if (v->rival.path) {
        rival_open(app, v, NULL);
    } else {
        return LOOP_NOTHING;
    }
    return LOOP_DRAW;
}

static int sample_action(struct app *app, struct predict_view *v, enum action action)
{
    if (list_action(&v->list, action, 15)) {
        ask_more(app, v);
        return LOOP_DRAW;
    }
    switch (action) {
    case ACTION_CANCEL:
        return escape(app, v);
    case ACTION_PICK:
        v->filtering = true;
        return LOOP_DRAW;
    case ACTION_OUTPUT:
        return next_output(app, v);
    case ACTION_PART:
        return restart(app, v, evaluation_next_part(v->parts, v->part[0] ? v->part : "test"));
    case ACTION_AGAIN:
        return restart(app, v, NULL);
    default:
        return LOOP_NOTHING;
    }
}

static int predict_action(struct app *app, void *state, enum action action)
{
    struct predict_view *v = state;
    int flags = v->writing ? text_page_action(app, v, action) : sample_action(app, v, action);
    const char *path;
    if (flags)
        return flags;
    if (subject_leads(&v->subject, app, action, &path))
        return go_to(app, v, path);
    switch (action) {
    case ACTION_NEXT_PANE:
    case ACTION_PREVIOUS_PANE:
        return turn_page(app, v);
    case ACTION_DIFF:
        return compare(app, v);
    case ACTION_MAXIMISE:
        v->alone = !v->alone;
        return LOOP_DRAW;
    case ACTION_PREDICT:
        return LOOP_DRAW;
    default:
        return LOOP_NOTHING;
    }
}

static int filter_event(struct app *app, struct predict_view *v, const struct event *event)
{
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
    predict_find_shown(v);
    ask_more(app, v);
    return LOOP_DRAW;
}

static int press_page(struct app *app, struct predict_view *v, const struct event *event)
{
    struct grid measure = {.ascii = app->rung == RUNG_ASCII};
    int page = tabs_hit(&measure, v->pages, predict_pages, PREDICT_PAGES, !v->writing, event->x);
    return page >= 0 && page != !v->writing ? turn_page(app, v) : LOOP_DRAW;
}

static int predict_event(struct app *app, void *state, const struct event *event)
{
    struct predict_view *v = state;
    if (event->kind == EVENT_MOUSE && event->action == MOUSE_PRESS && rect_has(v->pages, event->x, event->y))
        return press_page(app, v, event);
    if (v->writing)
        return text_page_event(app, v, event);
    if (v->n_samples && !v->alone && list_mouse(&v->list, event)) {
        ask_more(app, v);
        return LOOP_DRAW;
    }
    return v->filtering ? filter_event(app, v, event) : LOOP_NOTHING;
}

static int predict_refresh(struct app *app, void *state)
{
    struct predict_view *v = state;
    subject_refresh(&v->subject, app);
    if (v->rival.path)
        subject_refresh(&v->rival, app);
    return LOOP_DRAW;
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
