/* predict_text.c - the page of the view of predictions where a model of text writes: prompt, temperature, seed and
 * length above, the text below as it comes. */
#include "base/arena.h"
#include "tui/app/human.h"
#include "tui/client/prediction.h"
#include "tui/results/predict_view.h"
#include "tui/terminal/text_flow.h"
#include "tui/widgets/widget_bars.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_WIDTH = 13, VALUE_WIDTH = 12, MOST_TOKENS = 100000, DEFAULT_TOKENS = 400 };
static const double MOST_TEMPERATURE = 100, TEMPERATURE_STEP = 0.1;

static const struct {
    const char *label, *help;
} fields[TEXT_FIELDS] = {{"prompt", "what it writes on from; \\n is a new line"},
                         {"temperature", "0: always the most probable; 1: as probable as the model says"},
                         {"seed", "which of the possible texts"},
                         {"length", "characters to write"}};

/* "\n" as a line end, "\\" as a backslash. free() it. */
static char *prompt_text(const struct text_page *p)
{
    struct str out = {0};
    for (const char *c = edit_text(&p->prompt); *c; c++) {
        bool line = c[0] == '\\' && c[1] == 'n', backslash = c[0] == '\\' && c[1] == '\\';
        str_add_char(&out, line ? '\n' : *c);
        c += line || backslash;
    }
    return str_take(&out);
}

/* Back: as it would be typed. */
static void set_prompt(struct text_page *p, const char *prompt)
{
    struct str typed = {0};
    for (const char *c = prompt; *c; c++)
        if (*c == '\n' || *c == '\\')
            str_add(&typed, *c == '\n' ? "\\n" : "\\\\");
        else
            str_add_char(&typed, *c);
    edit_set(&p->prompt, str_text(&typed));
    str_release(&typed);
}

static json_t *kept_text(const struct predict_view *v, const char *prompt, double *made)
{
    const struct text_wishes wishes = {prompt, v->text.tokens, v->text.seed, v->text.temperature};
    return written_kept(v->subject.path, &wishes, made);
}

void text_page_open(struct app *app, struct predict_view *v)
{
    struct text_page *p = &v->text;
    const json_t *last = app_recall(app, "predict.text");
    double made;
    p->temperature = js_double(last, "temperature", WRITTEN_TEMPERATURE);
    p->seed = js_int(last, "seed", 0);
    p->tokens = js_int(last, "tokens", DEFAULT_TOKENS);
    p->took_s = NAN;
    edit_set(&p->prompt, js_string(last, "prompt", ""));
    char *prompt = prompt_text(p);
    json_t *kept = kept_text(v, prompt, &made), *newest = kept ? NULL : written_kept(v->subject.path, NULL, &made);
    if (newest) { /* it comes without computing: so do its wishes */
        p->temperature = js_double(newest, "temperature", p->temperature);
        p->seed = js_int(newest, "seed", p->seed);
        p->tokens = (int64_t)json_array_size(json_object_get(newest, "tokens"));
        set_prompt(p, js_string(newest, "prompt", ""));
    }
    json_decref(newest);
    json_decref(kept);
    free(prompt);
}

void text_page_close(struct text_page *p)
{
    edit_release(&p->prompt);
    edit_release(&p->edit);
    free(p->read);
    free(p->written);
}

static void take_written(struct text_page *p, const char *text)
{
    char *copy = xstrdup(text);
    free(p->written);
    p->written = copy;
}

static void take_result(struct text_page *p, const json_t *result)
{
    take_written(p, js_string(result, "text", ""));
    p->n_written = (int64_t)json_array_size(json_object_get(result, "tokens"));
    p->padded = js_bool(result, "padded", false);
}

static void written(struct app *app, struct app_job *job)
{
    struct predict_view *v = predict_view_of_job(app, job);
    json_t *result = job->result;
    job->result = NULL;
    if (result)
        written_keep(job->subject, result);
    if (v) {
        struct text_page *p = &v->text;
        p->job = 0;
        p->took_s = app->now - job->started;
        p->cancelled = job->state == JOB_CANCELLED;
        if (job->state == JOB_FAILED)
            p->error = job->error;
        if (result)
            take_result(p, result);
    }
    json_decref(result);
}

void text_page_cancel(struct app *app, struct predict_view *v)
{
    struct app_job *job = app_find_job(app, v->text.job);
    if (job)
        app_cancel_job(app, job);
}

void text_page_start(struct app *app, struct predict_view *v)
{
    struct text_page *p = &v->text;
    char name[120], title[160];
    text_page_cancel(app, v);
    json_t *request = subject_request(&v->subject);
    free(p->read);
    p->read = prompt_text(p);
    json_object_set_new(request, "prompt", json_string(p->read));
    json_object_set_new(request, "tokens", json_integer(p->tokens));
    json_object_set_new(request, "temperature", json_real(p->temperature));
    json_object_set_new(request, "seed", json_integer(p->seed));
    app_remember(app, "predict.text",
                 json_pack("{s:s,s:f,s:I,s:I}", "prompt", edit_text(&p->prompt), "temperature", p->temperature, "seed",
                           (json_int_t)p->seed, "tokens", (json_int_t)p->tokens));
    p->error = (struct err){0};
    p->cancelled = p->padded = false;
    p->took_s = NAN;
    p->back = 0;
    p->n_written = 0;
    p->made = 0;
    take_written(p, "");
    json_t *kept = kept_text(v, p->read, &p->made);
    if (kept) {
        take_result(p, kept);
        json_decref(kept);
        json_decref(request);
        return;
    }
    snprintf(title, sizeof title, "text of %s", subject_name(&v->subject, app, name, sizeof name));
    struct app_job *job = app_start_job(app, "generate", request, title, v->subject.path, written, &p->error);
    p->job = job ? job->number : 0;
}

/* ---- keys ---- */

static const char *number_text(const struct text_page *p, char *text, size_t size)
{
    if (p->field == TEXT_TEMPERATURE)
        snprintf(text, size, "%g", p->temperature);
    else
        snprintf(text, size, "%lld", (long long)(p->field == TEXT_SEED ? p->seed : p->tokens));
    return text;
}

static bool set_number(struct text_page *p, const char *text, struct err *err)
{
    double value;
    int64_t whole;
    if (p->field == TEXT_TEMPERATURE) {
        if (!str_to_double(text, &value) || !(value >= 0 && value <= MOST_TEMPERATURE))
            return err_set(err, ERR_USAGE, "found '%.40s', expected a number from 0 to 100", text);
        p->temperature = value;
        return true;
    }
    int64_t least = p->field == TEXT_TOKENS, most = p->field == TEXT_TOKENS ? MOST_TOKENS : INT64_MAX;
    if (!str_to_int64(text, &whole) || whole < least || whole > most)
        return err_set(err, ERR_USAGE, "found '%.40s', expected a whole number from %lld", text, (long long)least);
    *(p->field == TEXT_SEED ? &p->seed : &p->tokens) = whole;
    return true;
}

static int begin_edit(struct text_page *p)
{
    char text[40];
    p->editing = true;
    if (p->field != TEXT_PROMPT)
        edit_set(&p->edit, number_text(p, text, sizeof text));
    return LOOP_DRAW;
}

static int nudge(struct app *app, struct predict_view *v, int by)
{
    struct text_page *p = &v->text;
    char text[40];
    struct err ignored;
    if (p->field == TEXT_PROMPT)
        return LOOP_DRAW;
    double step = p->field == TEXT_TEMPERATURE ? TEMPERATURE_STEP
                  : p->field == TEXT_SEED      ? 1
                                               : 100,
           now = p->field == TEXT_TEMPERATURE ? p->temperature : (double)(p->field == TEXT_SEED ? p->seed : p->tokens);
    snprintf(text, sizeof text, p->field == TEXT_TEMPERATURE ? "%.4g" : "%.0f", fmax(now + by * step, 0));
    if (set_number(p, text, &ignored))
        text_page_start(app, v);
    return LOOP_DRAW;
}

static int scroll(struct text_page *p, enum action action)
{
    int by = action == ACTION_PAGE_UP ? 10 : action == ACTION_HALF_UP ? 5 : action == ACTION_PAGE_DOWN ? -10 : -5;
    p->back = action == ACTION_TOP ? INT32_MAX / 2 : action == ACTION_BOTTOM || p->back + by < 0 ? 0 : p->back + by;
    return LOOP_DRAW;
}

int text_page_action(struct app *app, struct predict_view *v, enum action action)
{
    struct text_page *p = &v->text;
    switch (action) {
    case ACTION_UP:
    case ACTION_DOWN:
        p->field = (enum text_field)((p->field + (action == ACTION_DOWN ? 1 : TEXT_FIELDS - 1)) % TEXT_FIELDS);
        return LOOP_DRAW;
    case ACTION_LEFT:
        return nudge(app, v, -1);
    case ACTION_RIGHT:
        return nudge(app, v, 1);
    case ACTION_PAGE_UP:
    case ACTION_PAGE_DOWN:
    case ACTION_HALF_UP:
    case ACTION_HALF_DOWN:
    case ACTION_TOP:
    case ACTION_BOTTOM:
        return scroll(p, action);
    case ACTION_WRITE:
        return begin_edit(p);
    case ACTION_ANOTHER:
        p->seed += p->seed < INT64_MAX;
        text_page_start(app, v);
        return LOOP_DRAW;
    case ACTION_CANCEL:
        if (!app_find_job(app, p->job))
            return LOOP_NOTHING;
        text_page_cancel(app, v);
        return LOOP_DRAW;
    default:
        return LOOP_NOTHING;
    }
}

/* What the job has written by now. */
static int follow(struct app *app, struct text_page *p)
{
    const struct app_job *job = app_find_job(app, p->job);
    const char *text = job ? js_string(job->progress, "written", NULL) : NULL;
    if (!job)
        return LOOP_NOTHING;
    p->share = job->share;
    p->left_s = job->left_s;
    if (text && strcmp(text, p->written) != 0)
        take_written(p, text);
    return LOOP_DRAW;
}

int text_page_event(struct app *app, struct predict_view *v, const struct event *event)
{
    struct text_page *p = &v->text;
    struct err err = {0};
    if (event->kind == EVENT_TICK || event->kind == EVENT_READY)
        return follow(app, p);
    if (event->kind == EVENT_MOUSE && (event->action == MOUSE_WHEEL_UP || event->action == MOUSE_WHEEL_DOWN))
        return scroll(p, event->action == MOUSE_WHEEL_UP ? ACTION_HALF_UP : ACTION_HALF_DOWN);
    if (!p->editing)
        return LOOP_NOTHING;
    struct edit *edit = p->field == TEXT_PROMPT ? &p->prompt : &p->edit;
    switch (edit_event(edit, event)) {
    case EDIT_DONE:
        if (p->field != TEXT_PROMPT && !set_number(p, edit_text(edit), &err))
            return app_fail(app, &err);
        if (p->field == TEXT_PROMPT)
            edit_remember(edit);
        p->editing = false;
        text_page_start(app, v);
        return LOOP_DRAW;
    case EDIT_CANCELLED:
        p->editing = false;
        return LOOP_DRAW;
    case EDIT_CHANGED:
    case EDIT_MOVED:
        return LOOP_DRAW;
    case EDIT_IGNORED:
        break;
    }
    return LOOP_NOTHING;
}

/* ---- drawing ---- */

static void draw_field(const struct text_page *p, enum text_field field, struct grid *grid, struct rect row)
{
    char text[40];
    struct text_page of = *p;
    bool chosen = p->field == field, edited = chosen && p->editing;
    of.field = field;
    grid_text(grid, row, 0, 0, chosen ? STYLE_ACCENT : STYLE_FAINT, fields[field].label);
    struct rect value = row;
    rect_left(&value, LABEL_WIDTH);
    if (field != TEXT_PROMPT && value.w > VALUE_WIDTH) {
        struct rect help = value;
        value = rect_left(&help, VALUE_WIDTH);
        grid_text(grid, help, 1, 0, STYLE_FAINT, fields[field].help);
    }
    if (edited)
        edit_draw(field == TEXT_PROMPT ? &p->prompt : &p->edit, grid, value, true, fields[field].help);
    else if (field == TEXT_PROMPT && !p->prompt.text.length)
        grid_text(grid, value, 0, 0, STYLE_FAINT, fields[field].help);
    else
        grid_text(grid, value, 0, 0, STYLE_TEXT,
                  field == TEXT_PROMPT ? edit_text(&p->prompt) : number_text(&of, text, sizeof text));
    if (chosen && !edited) {
        grid_flag(grid, row, CELL_SELECTED);
        grid_cursor(grid, row, 0, 0, false);
    }
}

static void draw_state(const struct app *app, const struct text_page *p, struct grid *grid, struct rect row)
{
    char text[160];
    const struct app_job *job = app_find_job((struct app *)app, p->job);
    if (job) {
        if (isfinite(p->left_s))
            snprintf(text, sizeof text, "~%s left   Esc cancels", text_duration(p->left_s).text);
        else
            snprintf(text, sizeof text, "%s so far   Esc cancels", text_duration(app->now - job->started).text);
        progress_draw(grid, row, p->share, text);
    } else if (p->cancelled) {
        grid_text(grid, row, 0, 0, STYLE_WARNING, "cancelled   Enter changes, u writes another one");
    } else if (p->n_written && p->made > 0) {
        grid_textf(grid, row, 0, 0, STYLE_FAINT, "%lld characters, kept %s   u writes another one",
                   (long long)p->n_written, text_age(p->made).text);
    } else if (p->n_written) {
        grid_textf(grid, row, 0, 0, STYLE_FAINT, "%lld characters in %.2f s%s   u writes another one",
                   (long long)p->n_written, p->took_s,
                   p->padded ? "; the model wants whole windows: line ends stood in front of the prompt" : "");
    }
}

static void draw_written(const struct text_page *p, struct grid *grid, struct rect rect)
{
    struct text_flow flow = {0};
    char *all = xprintf("%s%s", p->read, p->written);
    text_flow_break(&flow, grid, all, rect.w);
    int most = flow.n > rect.h ? flow.n - rect.h : 0, back = p->back < most ? p->back : most, top = most - back;
    for (int i = top; i < flow.n && rect.h > 0; i++)
        text_flow_draw(&flow, i, grid, rect_top(&rect, 1), strlen(p->read), STYLE_STRONG, STYLE_TEXT);
    text_flow_release(&flow);
    free(all);
}

void text_page_draw(const struct app *app, const struct predict_view *v, struct grid *grid, struct rect rect)
{
    const struct text_page *p = &v->text;
    rect_left(&rect, 1);
    rect_right(&rect, 1);
    for (int field = 0; field < TEXT_FIELDS; field++)
        draw_field(p, (enum text_field)field, grid, rect_top(&rect, 1));
    grid_rule(grid, rect_top(&rect, 1), "", false);
    if (p->error.code) {
        grid_wrap(grid, rect, 0, STYLE_ERROR, p->error.text);
        return;
    }
    draw_state(app, p, grid, rect_bottom(&rect, 1));
    rect_bottom(&rect, rect.h > 6);
    if (p->read && p->written)
        draw_written(p, grid, rect);
}
