/* view_diff.c - two checkpoints beside each other: metrics, evaluations that are kept, the keys of their configs that
 * differ, their weights. */
#include "base/arena.h"
#include "tui/app/human.h"
#include "tui/app/views.h"
#include "tui/client/evaluation.h"
#include "tui/results/subject.h"
#include "tui/views/model_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct diff_view {
    struct subject subject[2]; /* A is the one that was marked */
    int job[2];                /* inspect */
    json_t *model[2];
    struct err error;
    struct page page;
};

static const char *number_text(struct arena *arena, bool there, double value)
{
    return there ? arena_strdup(arena, text_number(value).text) : text_missing();
}

static const char *difference_text(struct arena *arena, double a, double b)
{
    return isnan(a) || isnan(b) ? "" : arena_printf(arena, "%+.4g", b - a);
}

static void add_metrics(struct diff_view *v)
{
    enum { COLUMNS = 4, MOST = 64 };
    struct arena arena = {0};
    const char *cells[(MOST + 1) * COLUMNS] = {"metric", "A", "B", "B - A"};
    int n = 1;
    for (int side = 0; side < 2; side++) {
        const struct checkpoint_summary *c = subject_checkpoint(&v->subject[side]);
        for (size_t i = 0; c && i < c->n_metrics && n <= MOST; i++) {
            const char *name = c->metrics[i].name;
            double a = NAN, b = NAN;
            bool in_a = subject_metric(&v->subject[0], name, &a), in_b = subject_metric(&v->subject[1], name, &b);
            if (side == 1 && in_a) /* said already */
                continue;
            const char **row = &cells[n++ * COLUMNS];
            row[0] = name, row[1] = number_text(&arena, in_a, a), row[2] = number_text(&arena, in_b, b),
            row[3] = difference_text(&arena, a, b);
        }
    }
    page_head(&v->page, "as written while training");
    page_table(&v->page, cells, n, COLUMNS, 0xE);
    arena_release(&arena);
}

static double metric_of(const json_t *result, const char *name)
{
    double value = NAN;
    js_to_double(json_object_get(json_object_get(result, "metrics"), name), &value);
    return value;
}

static void add_evaluations(struct diff_view *v)
{
    enum { COLUMNS = 4, MOST = 64 };
    static const char *const parts[] = {"test", "validation", "train"};
    for (int p = 0; p < 3; p++) {
        double made;
        struct arena arena = {0};
        json_t *a = evaluation_kept(v->subject[0].path, parts[p], &made),
               *b = evaluation_kept(v->subject[1].path, parts[p], &made);
        const char *cells[(MOST + 1) * COLUMNS] = {"metric", "A", "B", "B - A"}, *name;
        struct text text;
        int n = 1;
        for (size_t i = 0; b && n <= MOST && (name = evaluation_metric(a, i, &text)); i++) {
            const char **row = &cells[n++ * COLUMNS];
            double left = metric_of(a, name), right = metric_of(b, name);
            row[0] = name, row[1] = number_text(&arena, true, left),
            row[2] = number_text(&arena, json_object_get(json_object_get(b, "metrics"), name) != NULL, right),
            row[3] = difference_text(&arena, left, right);
        }
        if (n > 1) {
            char title[60];
            snprintf(title, sizeof title, "evaluated on %s", parts[p]);
            page_head(&v->page, title);
            page_table(&v->page, cells, n, COLUMNS, 0xE);
        }
        json_decref(a);
        json_decref(b);
        arena_release(&arena);
    }
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct run_param *)a)->key, ((const struct run_param *)b)->key);
}

static const char *value_in(const struct run_param *params, size_t n, const char *key)
{
    const struct run_param *found =
        n ? bsearch(&(struct run_param){.key = key}, params, n, sizeof *params, by_key) : NULL;
    return found ? found->json : text_missing();
}

static void add_config(struct diff_view *v, struct app *app)
{
    enum { COLUMNS = 3 };
    struct arena arena = {0};
    struct err err;
    const struct run_param *params[2] = {0};
    size_t n[2] = {0}, rows = 1;
    for (int k = 0; k < 2; k++)
        if (v->subject[k].run_id[0] && !index_params(app->index, v->subject[k].run_id, &arena, &params[k], &n[k], &err))
            n[k] = 0;
    const char **cells = arena_array(&arena, (n[0] + n[1] + 1) * COLUMNS, sizeof *cells);
    cells[0] = "key", cells[1] = "A", cells[2] = "B";
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < n[k]; i++) {
            const char *key = params[k][i].key, *a = value_in(params[0], n[0], key),
                       *b = value_in(params[1], n[1], key);
            if (!strcmp(a, b) || !strcmp(key, "description") || !strcmp(key, "name") ||
                (k == 1 && bsearch(&params[k][i], params[0], n[0], sizeof *params[0], by_key)))
                continue;
            const char **row = &cells[rows++ * COLUMNS];
            row[0] = key, row[1] = a, row[2] = b;
        }
    page_head(&v->page, "config");
    if (rows > 1)
        page_table(&v->page, cells, (int)rows, COLUMNS, 0);
    else
        page_line(&v->page, STYLE_FAINT,
                  !strcmp(v->subject[0].run_id, v->subject[1].run_id) ? "the same run" : "no key differs");
    arena_release(&arena);
}

static void add_side(struct diff_view *v, struct app *app, int side)
{
    char name[300];
    const struct checkpoint_summary *c = subject_checkpoint(&v->subject[side]);
    subject_name(&v->subject[side], app, name, sizeof name);
    if (c)
        page_fact(&v->page, side ? "B" : "A", "%s  step %lld  %s%s", name, (long long)c->step, v->subject[side].run_id,
                  c->best ? "  best" : "");
    else
        page_fact(&v->page, side ? "B" : "A", "%s", v->subject[side].path);
}

static void write_page(struct diff_view *v, struct app *app)
{
    page_clear(&v->page);
    add_side(v, app, 0);
    add_side(v, app, 1);
    add_metrics(v);
    add_evaluations(v);
    add_config(v, app);
    if (v->model[0] && v->model[1])
        model_text_differences(&v->page, v->model[0], v->model[1]);
    else if (v->error.code)
        page_line(&v->page, STYLE_ERROR, v->error.text);
}

static void inspected(struct app *app, struct app_job *job)
{
    for (int i = 0; i < app->depth; i++) {
        struct diff_view *v = app->stack[i].state;
        for (int k = 0; app->stack[i].ops == &view_diff && k < 2; k++) {
            if (v->job[k] != job->number)
                continue;
            v->job[k] = 0;
            if (job->state == JOB_DONE)
                v->model[k] = json_incref(job->result);
            else
                v->error = job->error;
            write_page(v, app);
        }
    }
}

/* argument: two paths, one a line. */
static bool diff_open(struct app *app, void *state, const char *argument, struct err *err)
{
    struct diff_view *v = state;
    const char *second = argument ? strchr(argument, '\n') : NULL;
    if (!second)
        return err_set(err, ERR_USAGE, "a difference needs two checkpoints: d marks the first one");
    char *first = xstrndup(argument, (size_t)(second - argument));
    subject_open(&v->subject[0], app, first);
    subject_open(&v->subject[1], app, second + 1);
    free(first);
    for (int k = 0; k < 2; k++) {
        char name[120], title[160];
        snprintf(title, sizeof title, "inspect %s", subject_name(&v->subject[k], app, name, sizeof name));
        struct app_job *job = app_start_job(app, "inspect", json_pack("{s:s}", "file", v->subject[k].path), title,
                                            v->subject[k].path, inspected, &v->error);
        v->job[k] = job ? job->number : 0;
    }
    write_page(v, app);
    return true;
}

static void diff_close(void *state)
{
    struct diff_view *v = state;
    for (int k = 0; k < 2; k++) {
        subject_close(&v->subject[k]);
        json_decref(v->model[k]);
    }
    page_release(&v->page);
}

static unsigned diff_places(const struct app *app, const void *state)
{
    (void)app;
    (void)state;
    return IN_TEXT | IN_MOVE | IN_SIDEWAYS;
}

static int diff_action(struct app *app, void *state, enum action action)
{
    (void)app;
    return page_action(&((struct diff_view *)state)->page, action) ? LOOP_DRAW : LOOP_NOTHING;
}

static int diff_event(struct app *app, void *state, const struct event *event)
{
    (void)app;
    return page_event(&((struct diff_view *)state)->page, event) ? LOOP_DRAW : LOOP_NOTHING;
}

static void diff_draw(const struct app *app, const void *state, struct grid *grid, struct rect rect)
{
    app_header(app, grid, &rect, "diff", NULL);
    rect_top(&rect, rect.h > 12);
    rect_left(&rect, 1);
    page_draw(&((const struct diff_view *)state)->page, grid, rect);
}

const struct screen_view_ops view_diff = {
    .name = "diff",
    .state_size = sizeof(struct diff_view),
    .open = diff_open,
    .close = diff_close,
    .places = diff_places,
    .action = diff_action,
    .event = diff_event,
    .view = diff_draw,
};
