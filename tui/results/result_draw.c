/* result_draw.c - how an evaluation looks: metrics beside those of training time, classes worst first, the confusion
 * matrix, said against true, the hardest samples. */
#include "base/arena.h"
#include "tui/app/human.h"
#include "tui/client/evaluation.h"
#include "tui/results/view_result.h"
#include "tui/widgets/widget_bars.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { METRIC_WIDTH = 12, CLASS_TABLE_WIDTH = 36, HARDEST_WIDTH = 34, HARDEST_NAME = 8, FEW_PAIRS = 300 };

/* Points under each other; a number without one ends where they stand. */
static void draw_at_point(struct grid *grid, struct rect row, int point, enum style style, const char *text)
{
    grid_text(grid, row, point - (int)strcspn(text, "."), 0, style, text);
}

static void draw_written(const struct result_view *v, const char *name, struct grid *grid, struct rect row, int point)
{
    double value;
    if (subject_metric(&v->subject, name, &value))
        draw_at_point(grid, row, point, isfinite(value) ? STYLE_TEXT : STYLE_ERROR, text_number(value).text);
    else
        draw_at_point(grid, row, point, STYLE_FAINT, text_missing());
}

/* Evaluated now, and as written when the checkpoint was made. */
static void draw_metrics(const struct result_view *v, struct grid *grid, struct rect *rect)
{
    struct rect head = rect_top(rect, 1);
    int name_width = rect->w >= 66 ? 20 : 10, now = name_width + METRIC_WIDTH, then = now + METRIC_WIDTH + 6,
        train = then + METRIC_WIDTH;
    grid_text(grid, head, 0, 0, STYLE_HEADER, "metric");
    grid_text_right(grid, head, now, 0, STYLE_HEADER, js_string(v->result, "split", ""));
    grid_text_right(grid, head, then, 0, STYLE_HEADER, "validation then");
    grid_text_right(grid, head, train, 0, STYLE_HEADER, "train then");
    struct text value;
    const char *name;
    int most = rect->h > 16 ? 8 : rect->h / 3;
    for (size_t i = 0; (name = evaluation_metric(v->result, i, &value)); i++) {
        if ((int)i == most) {
            grid_text(grid, rect_top(rect, 1), 0, 0, STYLE_FAINT, "… antler evaluate prints them all");
            break;
        }
        char validation[160];
        struct rect row = rect_top(rect, 1);
        snprintf(validation, sizeof validation, "val_%s", name);
        grid_text(grid, rect_part(row, 0, 0, name_width, 1), 0, 0, STYLE_TEXT, name);
        draw_at_point(grid, row, now - 5, STYLE_STRONG, value.text);
        draw_written(v, validation, grid, row, then - 5);
        draw_written(v, name, grid, row, train - 5);
    }
}

static void fill_class(void *context, int row, int column, struct list_cell *cell)
{
    const struct class_row *class = &((const struct result_view *)context)->rows[row];
    const double numbers[] = {0, class->precision, class->recall, class->f1};
    if (column == 0)
        snprintf(cell->text, sizeof cell->text, "%s", class->name);
    else if (column == 4)
        snprintf(cell->text, sizeof cell->text, "%lld", (long long)class->samples);
    else if (isfinite(numbers[column]))
        snprintf(cell->text, sizeof cell->text, "%.3f", numbers[column]);
    else
        snprintf(cell->text, sizeof cell->text, "%s", text_missing());
    cell->style = column == 3 && class->f1 < 0.5 ? STYLE_WARNING : STYLE_TEXT;
}

static void draw_classes(const struct result_view *v, struct grid *grid, struct rect rect)
{
    static const struct list_column columns[] = {{"class", LIST_LEFT, 5, 14, 0, true},
                                                 {"precision", LIST_RIGHT, 9, 9, 1, false},
                                                 {"recall", LIST_RIGHT, 6, 6, 0, false},
                                                 {"f1 ▴", LIST_RIGHT, 5, 5, 0, false},
                                                 {"n", LIST_RIGHT, 2, 6, 2, false}};
    list_draw(&((struct result_view *)v)->classes /* remembers where it is */, grid, rect, columns, 5, -1, false,
              v->page == RESULT_SUMMARY, fill_class, (void *)v);
}

/* Said (up) against true (right): the nearer to the dotted diagonal, the better. */
static void draw_scatter(const struct app *app, const struct result_view *v, struct grid *grid, struct rect rect)
{
    double lo = INFINITY, hi = -INFINITY;
    for (size_t i = 0; i < v->n_pairs; i++)
        for (int k = 0; k < 2; k++)
            lo = fmin(lo, v->pairs[i][k]), hi = fmax(hi, v->pairs[i][k]);
    hi = hi > lo ? hi : lo + 1;
    grid_text(grid, rect_top(&rect, 1), 0, 0, STYLE_HEADER, "said (up) against true (right)");
    struct rect foot = rect_bottom(&rect, 1), left = rect_left(&rect, 8);
    int height = rect.h, width = rect.w < 2 * height + 2 ? rect.w : 2 * height + 2;
    if (height < 3 || width < 6)
        return;
    struct raster dots;
    raster_init(&dots, app->rung, width, height);
    for (size_t i = 0; i < v->n_pairs; i++)
        raster_set(&dots, (int)lround((v->pairs[i][0] - lo) / (hi - lo) * (dots.width - 1)),
                   (int)lround((hi - v->pairs[i][1]) / (hi - lo) * (dots.height - 1)));
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint8_t bits = dots.bits[y * width + x];
            bool diagonal = (int)((double)(height - 1 - y) / height * width) / 2 == x / 2;
            uint32_t point = v->n_pairs > FEW_PAIRS ? rung_glyph(app->rung, bits) : grid->ascii ? 'o' : 0x2022;
            uint32_t ch = bits ? point : diagonal ? 0xB7 : ' ';
            grid_put(grid, rect, x, y, bits ? STYLE_SERIES : STYLE_FAINT, ch);
        }
    raster_release(&dots);
    grid_text_right(grid, left, 7, 0, STYLE_CHART_LABEL, text_number(hi).text);
    grid_text_right(grid, left, 7, height - 1, STYLE_CHART_LABEL, text_number(lo).text);
    grid_text(grid, foot, 8, 0, STYLE_CHART_LABEL, text_number(lo).text);
    grid_text_right(grid, foot, 8 + width, 0, STYLE_CHART_LABEL, text_number(hi).text);
}

static void fill_hardest(void *context, int row, int column, struct list_cell *cell)
{
    const struct result_view *v = context;
    const struct sample *s = &v->samples[row];
    cell->style = STYLE_TEXT;
    switch (column) {
    case 0:
        snprintf(cell->text, sizeof cell->text, "%lld", (long long)s->index);
        break;
    case 1:
        if (s->label >= 0)
            sample_class_within(&v->data, s->label, HARDEST_NAME, cell->text, sizeof cell->text);
        else if (s->target.n == 1)
            snprintf(cell->text, sizeof cell->text, "%s", text_number(s->target.values[0]).text);
        break;
    case 2:
        if (s->predicted >= 0)
            sample_class_within(&v->data, s->predicted, HARDEST_NAME, cell->text, sizeof cell->text);
        else if (s->output.n == 1)
            snprintf(cell->text, sizeof cell->text, "%s", text_number(s->output.values[0]).text);
        cell->style = s->label >= 0 && !sample_is_right(s) ? STYLE_ERROR : STYLE_TEXT;
        break;
    default:
        snprintf(cell->text, sizeof cell->text, "%s", human_metric(s->loss).text);
        break;
    }
}

static void draw_hardest_list(const struct result_view *v, struct grid *grid, struct rect rect)
{
    struct list_column columns[] = {{"sample", LIST_RIGHT, 6, 8, 0, false},
                                    {"true", LIST_LEFT, 4, 8, 0, false},
                                    {"said", LIST_LEFT, 4, 8, 0, true},
                                    {"loss", LIST_POINT, 6, 9, 0, false}};
    if (v->n_pairs) { /* numbers stand at their point */
        columns[1].align = columns[2].align = LIST_POINT;
        columns[2].grow = false;
    }
    list_draw(&((struct result_view *)v)->hardest, grid, rect, columns, 4, -1, false, v->page == RESULT_HARDEST,
              fill_hardest, (void *)v);
}

static void draw_hardest(const struct app *app, const struct result_view *v, struct grid *grid, struct rect rect)
{
    if (!v->n_samples) {
        grid_text(grid, rect, 1, 1, STYLE_FAINT, "how wrong single samples are is not said of this model");
        return;
    }
    if (!v->alone) {
        draw_hardest_list(v, grid, rect_left(&rect, HARDEST_WIDTH));
        rect_left(&rect, 3);
    }
    sample_draw(&v->samples[v->hardest.selected], &v->data, app, grid, rect);
}

static void draw_tile(const struct app *app, const struct result_view *v, const struct sample *sample,
                      struct grid *grid, struct rect tile)
{
    char is[40], said[40];
    struct rect caption = rect_top(&tile, 1);
    grid_textf(grid, caption, 0, 0, sample_is_right(sample) ? STYLE_TEXT : STYLE_ERROR, "%s, said %s",
               sample_class_within(&v->data, sample->label, 5, is, sizeof is),
               sample_class_within(&v->data, sample->predicted, 5, said, sizeof said));
    sample_draw_picture(sample, app, grid, tile);
}

/* As many of the hardest as fit, where there is room below the rest. */
static void draw_strip(const struct app *app, const struct result_view *v, struct grid *grid, struct rect rect)
{
    enum { TILE_WIDTH = 18, TILE_HEIGHT = 10, LEAST_HEIGHT = 7 };
    if (v->samples[0].label < 0 || rect.h < LEAST_HEIGHT)
        return;
    grid_rule(grid, rect_top(&rect, 1), "hardest", false);
    for (size_t i = 0; rect.h >= LEAST_HEIGHT - 1; rect_top(&rect, 1)) {
        struct rect row = rect_top(&rect, TILE_HEIGHT - 1);
        for (; i < v->n_samples && row.w >= TILE_WIDTH; i++) {
            struct rect tile = rect_left(&row, TILE_WIDTH);
            draw_tile(app, v, &v->samples[i], grid, rect_part(tile, 0, 0, tile.w - 2, tile.h));
        }
    }
}

static void draw_spread(const struct result_view *v, struct grid *grid, struct rect rect)
{
    rect_top(&rect, rect.h > 16);
    if (v->n_pairs)
        result_draw_residuals(v, grid, rect);
    else
        result_draw_calibration(v, grid, rect);
}

/* What fills the room below: the hardest as pictures, else how sure it is. */
static void draw_below(const struct app *app, const struct result_view *v, struct grid *grid, struct rect rect)
{
    enum { LEAST_HEIGHT = 6 };
    int height, width, channels;
    bool pictures = v->n_samples && v->samples[0].n_inputs &&
                    sample_is_picture(&v->samples[0].inputs[0], &height, &width, &channels);
    rect_top(&rect, 1);
    if (pictures)
        draw_strip(app, v, grid, rect);
    else if (rect.h >= LEAST_HEIGHT && json_object_get(v->of, "calibration"))
        result_draw_calibration(v, grid, rect);
}

static void draw_summary(const struct app *app, const struct result_view *v, struct grid *grid, struct rect rect)
{
    draw_metrics(v, grid, &rect);
    rect_top(&rect, rect.h > 12);
    if (rect.h < 3)
        return;
    if (v->n_rows && v->confusion) {
        int wanted = (int)v->n_rows + 1, rows = wanted < rect.h ? wanted : rect.h;
        struct rect body = rect_top(&rect, rows);
        if (!v->alone) {
            draw_classes(v, grid, rect_left(&body, body.w >= 76 ? CLASS_TABLE_WIDTH : body.w));
            rect_left(&body, 3);
        }
        if (body.w > 20)
            result_draw_confusion(app, v, grid, body);
        draw_below(app, v, grid, rect);
    } else if (v->n_pairs) {
        struct rect list = rect_right(&rect, rect.w >= 76 && !v->alone ? HARDEST_WIDTH : 0);
        draw_scatter(app, v, grid, rect);
        if (list.w)
            draw_hardest_list(v, grid, list);
    }
}

static void draw_job(const struct app_job *job, double now, struct grid *grid, struct rect rect)
{
    char text[160], left[64] = "";
    if (isfinite(job->left_s))
        snprintf(left, sizeof left, "~%s left, ", text_duration(job->left_s).text);
    snprintf(text, sizeof text, "%s%s so far   Esc cancels, q leaves it running", left,
             text_duration(now - job->started).text);
    grid_text(grid, rect, 2, 1, STYLE_TEXT, job->title);
    progress_draw(grid, rect_part(rect, 2, 3, rect.w - 4, 1), job->share, text);
}

static void draw_without_result(const struct app *app, const struct result_view *v, struct grid *grid, struct rect rect)
{
    const struct app_job *job = app_find_job((struct app *)app, v->job);
    struct rect inside = rect_inset(rect, 2, 1);
    if (job)
        draw_job(job, app->now, grid, rect);
    else if (v->error.code) {
        int rows = grid_wrap(grid, inside, 0, STYLE_ERROR, v->error.text);
        grid_text(grid, inside, 0, rows + 1, STYLE_FAINT, "v another part of the data   u try again   q back");
    } else if (v->cancelled)
        grid_text(grid, inside, 0, 0, STYLE_TEXT, "cancelled   u computes it again");
}

void result_page_names(const struct result_view *v, const char *names[RESULT_PAGES])
{
    names[RESULT_SUMMARY] = "result";
    names[RESULT_HARDEST] = "hardest samples";
    names[RESULT_SPREAD] = v->n_pairs ? "residuals" : "calibration";
}

/* " output parity 2/3 " at the right end of the tabs, where there is room. */
static void draw_output_name(const struct result_view *v, struct grid *grid, struct rect tabs)
{
    enum { TABS_WIDTH = 44 };
    char text[120];
    if (!v->output_name)
        return;
    snprintf(text, sizeof text, " output %.80s %zu/%zu ", v->output_name, v->output + 1, v->n_outputs);
    if (tabs.w - TABS_WIDTH < grid_columns(grid, text))
        snprintf(text, sizeof text, " %zu/%zu ", v->output + 1, v->n_outputs);
    grid_text_right(grid, tabs, tabs.w - 1, 0, STYLE_STRONG, text);
}

void result_draw(const struct app *app, const void *state, struct grid *grid, struct rect rect)
{
    const struct result_view *v = state;
    struct rect *tabs = &((struct result_view *)v)->tabs;
    char right[120] = "";
    if (v->result)
        snprintf(right, sizeof right, "%s   %s", evaluation_samples(v->result).text, text_age(v->made).text);
    app_header(app, grid, &rect, "evaluate", right);
    subject_draw(&v->subject, app, grid, &rect);
    *tabs = ((struct result_view *)v)->classes.drawn = ((struct result_view *)v)->hardest.drawn = (struct rect){0};
    if (!v->result) {
        draw_without_result(app, v, grid, rect);
        return;
    }
    *tabs = rect_top(&rect, 1);
    const char *pages[RESULT_PAGES];
    result_page_names(v, pages);
    tabs_draw(grid, *tabs, pages, RESULT_PAGES, (int)v->page, true);
    draw_output_name(v, grid, *tabs);
    rect_left(&rect, 1);
    if (v->page == RESULT_SUMMARY)
        draw_summary(app, v, grid, rect);
    else if (v->page == RESULT_HARDEST)
        draw_hardest(app, v, grid, rect);
    else
        draw_spread(v, grid, rect);
}
