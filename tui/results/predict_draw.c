/* predict_draw.c - how predictions look: the list of samples, the chosen one with its classes and their probabilities,
 * and what changed from the marked checkpoint to this one.
 */
#include "tui/app/human.h"
#include "tui/results/predict_view.h"
#include "tui/widgets/widget_bars.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LIST_WIDTH = 42, RIVAL_COLUMNS = 9 };

struct fill_context {
    const struct predict_view *view;
    int name;    /* columns for the name of a class */
    bool rivals; /* there is a column of what the marked checkpoint says */
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

static bool is_wrong(const struct sample *s)
{
    return s->label >= 0 && s->predicted >= 0 && !sample_is_right(s);
}

static void fill_said(const struct fill_context *f, const struct sample *s, struct list_cell *cell)
{
    if (!s)
        return;
    number_or_class(f, s->predicted, &s->output, true, cell->text, sizeof cell->text - 8);
    strcat(cell->text, is_wrong(s) ? " ✗" : "");
    cell->style = is_wrong(s) ? STYLE_ERROR : STYLE_TEXT;
}

static void fill(void *context, int row, int column, struct list_cell *cell)
{
    const struct fill_context *f = context;
    const struct sample *s = &f->view->samples[f->view->shown[row]];
    double share = s->predicted >= 0 ? s->probability : sample_error(s);
    cell->style = STYLE_TEXT;
    switch (column + (column > 1 && !f->rivals)) {
    case 0:
        snprintf(cell->text, sizeof cell->text, "%lld", (long long)s->index);
        break;
    case 1:
        number_or_class(f, s->label, &s->target, false, cell->text, sizeof cell->text);
        break;
    case 2:
        fill_said(f, s->rival, cell);
        break;
    case 3:
        fill_said(f, s, cell);
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
    bool classes = v->samples[0].predicted >= 0, rivals = v->rival.path != NULL;
    int name = (rect.w - (rivals ? 26 : 22)) / (rivals ? 3 : 2);
    name = name < 4 ? 4 : name > 12 ? 12 : name;
    struct list_column columns[] = {{"sample", LIST_RIGHT, 6, 7, 0, false},
                                    {"true", LIST_LEFT, 4, name, 0, false},
                                    {"marked", LIST_LEFT, 6, name + 2, 0, false},
                                    {"said", LIST_LEFT, 4, name + 2, 0, true},
                                    {classes ? "p" : "error", LIST_POINT, 5, 8, rivals, false}};
    /* numbers stand at their point */
    for (int c = 1; c < 4 && !classes && !v->data.n_vocabulary && !v->data.bytes; c++) {
        columns[c].align = LIST_POINT;
        columns[c].grow = false;
    }
    if (!rivals)
        memmove(&columns[2], &columns[3], 2 * sizeof *columns);
    struct fill_context f = {.view = v, .name = name, .rivals = rivals};
    struct list *list = &((struct predict_view *)v)->list; /* remembers where it is */
    list_draw(list, grid, rect, columns, 4 + rivals, -1, false, !v->filtering, fill, &f);
}

/* "digits:1 beside it   12 fixed   3 broken   2 wrong in both" */
static void draw_rival(const struct app *app, const struct predict_view *v, struct grid *grid, struct rect row)
{
    char name[120];
    if (v->rival_error[0]) {
        grid_text(grid, row, 1, 0, STYLE_ERROR, v->rival_error);
        return;
    }
    const struct rival_counts n = rival_count(v);
    int x = 1 + grid_text(grid, row, 1, 0, STYLE_FAINT, "marked ");
    x += grid_text(grid, row, x, 0, STYLE_STRONG, subject_name(&v->rival, app, name, sizeof name)) + 3;
    if (n.fixed + n.broken + n.both_right + n.both_wrong) {
        x += grid_textf(grid, row, x, 0, n.fixed ? STYLE_GOOD : STYLE_FAINT, "%d fixed", n.fixed) + 3;
        x += grid_textf(grid, row, x, 0, n.broken ? STYLE_ERROR : STYLE_FAINT, "%d broken", n.broken) + 3;
        x += grid_textf(grid, row, x, 0, STYLE_FAINT, "%d wrong in both", n.both_wrong) + 3;
    }
    if (v->n_rivals < v->n_samples)
        grid_textf(grid, row, x, 0, STYLE_FAINT, "%zu of %zu", v->n_rivals, v->n_samples);
}

static void draw_filter(const struct predict_view *v, struct grid *grid, struct rect row)
{
    char count[80];
    bool all = (int64_t)v->n_samples >= v->data.total;
    snprintf(count, sizeof count, all ? "%d of %zu" : "%d of the first %zu", v->list.count, v->n_samples);
    int width = grid_columns(grid, count);
    grid_text(grid, row, 1, 0, STYLE_KEY, "/");
    edit_draw(&v->filter, grid, rect_part(row, 2, 0, row.w - 4 - width, 1), v->filtering,
              v->samples[0].predicted < 0 ? "error>1"
              : v->rival.path             ? "fixed  broken  changed  wrong"
                                          : "wrong  class:3  said:8  p<0.8");
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

const char *const predict_pages[PREDICT_PAGES] = {"text", "samples"};

static void draw_pages(const struct predict_view *v, struct grid *grid, struct rect row)
{
    tabs_draw(grid, row, predict_pages, PREDICT_PAGES, v->writing ? 0 : 1, true);
}

static void draw_samples(const struct app *app, const struct predict_view *v, struct grid *grid, struct rect rect)
{
    char here[120], there[120];
    if (!v->n_samples) {
        draw_waiting(app, v, grid, rect);
        return;
    }
    draw_filter(v, grid, rect_top(&rect, 1));
    if (v->rival.path)
        draw_rival(app, v, grid, rect_top(&rect, 1));
    if (v->filter_error[0] || v->error.code)
        grid_text(grid, rect_top(&rect, 1), 1, 0, STYLE_ERROR, v->filter_error[0] ? v->filter_error : v->error.text);
    rect_left(&rect, 1);
    if (!v->alone) {
        int width = (rect.w >= 120 ? LIST_WIDTH : rect.w >= 76 ? 34 : 27) + (v->rival.path ? RIVAL_COLUMNS : 0);
        draw_list(v, grid, rect_left(&rect, width));
        rect_left(&rect, 3);
    }
    const struct sample *sample = predict_selected(v);
    struct sample_data data = v->data;
    data.here = subject_name(&v->subject, app, here, sizeof here);
    data.there = v->rival.path ? subject_name(&v->rival, app, there, sizeof there) : "";
    if (sample)
        sample_draw(sample, &data, app, grid, rect);
    else
        grid_text(grid, rect, 0, 1, STYLE_FAINT, v->job ? "searching ..." : "no sample matches");
}

/* "90 samples of test   output half 2/3   kept 3m ago" */
static void header_text(const struct predict_view *v, char *text, size_t size)
{
    char output[120] = "", kept[64] = "";
    if (v->n_outputs > 1)
        snprintf(output, sizeof output, "   output %.60s %zu/%zu", v->output_name, v->output + 1, v->n_outputs);
    if (v->made > 0)
        snprintf(kept, sizeof kept, "   kept %s", text_age(v->made).text);
    snprintf(text, size, "%lld samples of %s%s%s", (long long)v->data.total, v->part, output, kept);
}

void predict_draw(const struct app *app, const void *state, struct grid *grid, struct rect rect)
{
    const struct predict_view *v = state;
    char right[240] = "";
    if (v->n_samples && !v->writing)
        header_text(v, right, sizeof right);
    app_header(app, grid, &rect, "predict", right);
    subject_draw(&v->subject, app, grid, &rect);
    struct rect *pages = &((struct predict_view *)v)->pages;
    *pages = rect_top(&rect, v->writes ? 1 : 0);
    if (v->writes)
        draw_pages(v, grid, *pages);
    if (v->writing)
        text_page_draw(app, v, grid, rect);
    else
        draw_samples(app, v, grid, rect);
}
