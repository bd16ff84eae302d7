/* sample_draw.c - see sample.h: a sample on the screen. */
#include "base/arena.h"
#include "tui/app/human.h"
#include "tui/results/sample.h"
#include "tui/widgets/widget_picture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ZOOM = 4, MOST_LABEL = 14, ROW_WIDTH = 44, NARROW_BARS = 34 };

/* Values as shares of what this input spans, so that pictures of any scale can be seen. free() it. */
static float *as_shares(const struct numbers *input)
{
    float lo = INFINITY, hi = -INFINITY, *out = xcalloc(input->n + 1, sizeof *out);
    for (size_t i = 0; i < input->n; i++) {
        lo = fminf(lo, input->values[i]);
        hi = fmaxf(hi, input->values[i]);
    }
    if (lo >= 0 && hi <= 1)
        lo = 0, hi = 1;
    for (size_t i = 0; i < input->n; i++)
        out[i] = hi > lo ? (input->values[i] - lo) / (hi - lo) : 0;
    return out;
}

static const struct numbers *picture_of(const struct sample *sample, int *height, int *width, int *channels)
{
    for (int i = 0; i < sample->n_inputs; i++)
        if (sample_is_picture(&sample->inputs[i], height, width, channels))
            return &sample->inputs[i];
    return NULL;
}

int sample_draw_picture(const struct sample *sample, const struct app *app, struct grid *grid, struct rect rect)
{
    int height, width, channels;
    const struct numbers *input = picture_of(sample, &height, &width, &channels);
    if (!input)
        return 0;
    float *shares = as_shares(input);
    int rows = picture_draw(shares, height, width, channels, MOST_ZOOM, app->tiles, grid, rect);
    free(shares);
    return rows;
}

static bool is_text(const struct sample_data *data)
{
    return data->bytes || data->n_vocabulary;
}

static void add_token(struct str *out, const struct sample_data *data, double token)
{
    if (data->bytes && token >= 0 && token < 256)
        str_add_char(out, token == '\n' || token >= ' ' ? (char)token : '?');
    else if (token >= 0 && (size_t)token < data->n_vocabulary)
        str_add(out, data->vocabulary[(size_t)token]);
    else
        str_add(out, "?");
}

static int draw_tokens(const struct sample_data *data, const float *tokens, size_t n, struct grid *grid,
                       struct rect rect, enum style style)
{
    struct str text = {0}, shown = {0};
    for (size_t i = 0; i < n; i++)
        add_token(&text, data, tokens[i]);
    for (const char *c = str_text(&text); *c; c++) { /* a line end is a token like any other */
        char one[2] = {*c, 0};
        str_add(&shown, *c == '\n' ? "¶" : one);
    }
    int rows = grid_wrap(grid, rect, 0, style, str_text(&shown));
    str_release(&text);
    str_release(&shown);
    return rows;
}

/* "alcohol  13.2": in as many columns as fit. */
static int draw_row(const struct sample_data *data, const struct numbers *input, bool first, struct grid *grid,
                    struct rect rect)
{
    int columns = rect.w / 30 > 0 ? rect.w / 30 : 1, width = rect.w / columns, most = rect.h * columns;
    width = width < ROW_WIDTH ? width : ROW_WIDTH;
    int n = (int)input->n, rows = (n + columns - 1) / columns;
    bool scaled = first && data->n_scale && input->n % data->n_scale == 0;
    rows = rows < rect.h ? rows : rect.h;
    for (int i = 0; i < n && i < most && rows; i++) {
        char name[64];
        struct rect cell = rect_part(rect, i / rows * width, i % rows, width - 2, 1);
        if (i / rows >= columns)
            break;
        snprintf(name, sizeof name, "%d", i);
        double value = input->values[i];
        if (scaled) /* the file holds float32: what was read is shown, not the digits that scaling left */
            value = value / data->multiply[(size_t)i % data->n_scale] + data->subtract[(size_t)i % data->n_scale];
        grid_text(grid, rect_part(cell, 0, 0, cell.w - 9, 1), 0, 0, STYLE_FAINT,
                  first && (size_t)i < data->n_columns ? data->columns[i] : name);
        grid_text_right(grid, cell, cell.w, 0, STYLE_TEXT, text_number(value).text);
    }
    return rows;
}

/* What was put in. Returns the rows used. */
static int draw_input(const struct sample *sample, const struct sample_data *data, const struct app *app,
                      struct grid *grid, struct rect rect)
{
    int at = sample_draw_picture(sample, app, grid, rect), height, width, channels;
    const struct numbers *picture = picture_of(sample, &height, &width, &channels);
    for (int i = 0; i < sample->n_inputs && at < rect.h; i++) {
        const struct numbers *input = &sample->inputs[i];
        struct rect rest = rect_part(rect, 0, at, rect.w, rect.h - at);
        if (input == picture)
            continue;
        if (input->name && sample->n_inputs > 1)
            grid_text(grid, rect_top(&rest, 1), 0, 0, STYLE_HEADER, input->name), at++;
        if (!input->n)
            at += grid_text(grid, rest, 0, 0, STYLE_FAINT, "too large to be drawn") > 0;
        else if (is_text(data))
            at += draw_tokens(data, input->values, input->n, grid, rest, STYLE_TEXT);
        else
            at += draw_row(data, input, i == 0, grid, rest);
    }
    return at < rect.h ? at : rect.h;
}

/* Probabilities as they are; logits through softmax; one number of two classes as both. share and order have room for
 * every class. */
static int class_shares(const struct sample *sample, double *share, int *order)
{
    const struct numbers *o = &sample->output;
    int n = o->n == 1 ? 2 : (int)o->n;
    double sum = 0, largest = -INFINITY, exponentials = 0;
    bool probabilities = true;
    for (size_t i = 0; i < o->n; i++) {
        sum += o->values[i];
        largest = fmax(largest, o->values[i]);
        probabilities = probabilities && o->values[i] >= 0 && o->values[i] <= 1;
    }
    for (size_t i = 0; i < o->n; i++)
        exponentials += exp(o->values[i] - largest);
    for (int i = 0; i < n; i++) {
        if (o->n == 1)
            share[i] = i ? o->values[0] : 1 - (double)o->values[0];
        else
            share[i] =
                probabilities && fabs(sum - 1) < 1e-3 ? o->values[i] : exp(o->values[i] - largest) / exponentials;
        order[i] = i;
    }
    return n;
}

/* Brings the `most` greatest to the front, in order. */
static void sort_by_share(const double *share, int *order, int n, int most)
{
    for (int i = 0; i < n && i < most; i++)
        for (int k = n - 1; k > i; k--)
            if (share[order[k]] > share[order[k - 1]]) {
                int swapped = order[k];
                order[k] = order[k - 1];
                order[k - 1] = swapped;
            }
}

static void draw_bar(const struct sample *sample, const struct sample_data *data, int label, double share,
                     int label_width, struct grid *grid, struct rect row)
{
    char name[80];
    uint32_t bar[128];
    bool said = label == sample->predicted, is = label == sample->label;
    enum style style = is ? STYLE_GOOD : said && sample->label >= 0 ? STYLE_ERROR : said ? STYLE_ACCENT : STYLE_TEXT;
    bool narrow = row.w < NARROW_BARS;
    int room = row.w - label_width - (narrow ? 9 : 14), width = room < 4 ? 4 : room > 60 ? 60 : room;
    const char *verdict = is && said                   ? "✓ right"
                          : is                         ? "◀ true"
                          : said && sample->label >= 0 ? "✗ said"
                          : said                       ? "◀ said"
                                                       : "";
    grid_text(grid, rect_part(row, 0, 0, label_width - 1, 1), 0, 0, style,
              sample_class_within(data, label, label_width - 1, name, sizeof name));
    tile_bar(share, grid->ascii, bar, width);
    grid_points(grid, row, label_width, 0, style, bar, width);
    grid_textf(grid, row, label_width + width + 1, 0, is || said ? style : STYLE_FAINT, isnan(share) ? "NaN" : "%.3f",
               share);
    struct rect sign = rect_part(row, label_width + width + 7, 0, narrow ? 1 : row.w, 1);
    grid_textf(grid, sign, 0, 0, style, "%.*s", narrow && *verdict ? 3 : 99, verdict);
}

/* In the order of the classes when all fit, else the most probable ones and the true one. */
static void draw_bars(const struct sample *sample, const struct sample_data *data, struct grid *grid, struct rect rect)
{
    size_t room = sample->output.n + 2;
    double *share = xcalloc(room, sizeof *share);
    int *order = xcalloc(room, sizeof *order), n = class_shares(sample, share, order), label_width = 4;
    bool true_shown = sample->label < 0 || sample->label >= n;
    if (n > rect.h)
        sort_by_share(share, order, n, rect.h);
    for (int i = 0; i < n && i < rect.h; i++) {
        char name[80];
        int columns = grid_columns(grid, sample_class(data, order[i], name, sizeof name)) + 2;
        label_width = columns > label_width ? columns : label_width;
    }
    label_width = label_width < MOST_LABEL ? label_width : MOST_LABEL;
    for (int i = 0; i < n && rect.h > 0; i++) {
        true_shown = true_shown || order[i] == sample->label;
        int class = rect.h == 1 && !true_shown ? (int)sample->label : order[i];
        draw_bar(sample, data, class, share[class], label_width, grid, rect_top(&rect, 1));
    }
    free(share);
    free(order);
}

/* Numbers the model says, and the true ones beside them. */
static void draw_numbers(const struct sample *sample, struct grid *grid, struct rect rect)
{
    struct rect row = rect_top(&rect, 1);
    grid_text(grid, row, 0, 0, STYLE_HEADER, "output");
    grid_text_right(grid, row, 17, 0, STYLE_HEADER, "said");
    if (sample->target.n)
        grid_text_right(grid, row, 27, 0, STYLE_HEADER, "true");
    bool both = sample->target.n == sample->output.n;
    if (both)
        grid_text_right(grid, row, 39, 0, STYLE_HEADER, "difference");
    for (size_t i = 0; i < sample->output.n && rect.h > 0; i++) {
        row = rect_top(&rect, 1);
        double said = sample->output.values[i], is = i < sample->target.n ? sample->target.values[i] : NAN;
        grid_textf(grid, row, 0, 0, STYLE_FAINT, "%zu", i);
        grid_text_right(grid, row, 17, 0, STYLE_TEXT, text_number(said).text);
        if (i < sample->target.n)
            grid_text_right(grid, row, 27, 0, STYLE_TEXT, text_number(is).text);
        if (both)
            grid_text_right(grid, row, 39, 0, STYLE_STRONG, text_number(said - is).text);
    }
}

/* One token after each that was read: the most probable, below what really came. */
static void draw_next_tokens(const struct sample *sample, const struct sample_data *data, struct grid *grid,
                             struct rect rect)
{
    const struct numbers *o = &sample->output;
    int classes = o->dim[o->rank - 1], n = (int)(o->n / (size_t)classes);
    float *said = xcalloc((size_t)n + 1, sizeof *said);
    for (int i = 0; i < n; i++)
        for (int c = 0; c < classes; c++)
            if (o->values[(size_t)i * (size_t)classes + (size_t)c] >
                o->values[(size_t)i * (size_t)classes + (size_t)said[i]])
                said[i] = (float)c;
    grid_text(grid, rect_top(&rect, 1), 0, 0, STYLE_HEADER, "most probable next");
    rect_top(&rect, draw_tokens(data, said, (size_t)n, grid, rect, STYLE_TEXT));
    if (sample->target.n) {
        grid_text(grid, rect_top(&rect, 1), 0, 0, STYLE_HEADER, "what came");
        draw_tokens(data, sample->target.values, sample->target.n, grid, rect, STYLE_FAINT);
    }
    free(said);
}

static void draw_one_output(const struct sample *sample, const struct sample_data *data, struct grid *grid,
                            struct rect rect)
{
    const struct numbers *o = &sample->output;
    if (sample->predicted >= 0 && o->n)
        draw_bars(sample, data, grid, rect);
    else if (is_text(data) && !data->plain_classes && o->rank >= 1 && o->dim[o->rank - 1] > 1)
        draw_next_tokens(sample, data, grid, rect);
    else
        draw_numbers(sample, grid, rect);
}

/* Beside it what the rival says, where there is one. */
static void draw_output(const struct sample *sample, const struct sample_data *data, struct grid *grid,
                        struct rect rect)
{
    if (sample->rival && data->there) {
        struct rect right = rect_right(&rect, rect.w / 2);
        grid_text(grid, rect_top(&rect, 1), 0, 0, STYLE_HEADER, data->here);
        grid_text(grid, rect_top(&right, 1), 0, 0, STYLE_HEADER, data->there);
        rect_right(&rect, 2);
        draw_one_output(sample->rival, data, grid, right);
    }
    draw_one_output(sample, data, grid, rect);
}

/* "true 4   said 8, 0.47   loss 5.6" */
static void draw_verdict(const struct sample *sample, const struct sample_data *data, struct grid *grid,
                         struct rect row)
{
    char name[160];
    int most = row.w > 50 ? (row.w - 36) / 2 : 7;
    int x = grid_textf(grid, row, 0, 0, STYLE_STRONG, "sample %lld", (long long)sample->index) + 3;
    if (sample->label >= 0)
        x += grid_textf(grid, row, x, 0, STYLE_TEXT, "true %s",
                        sample_class_within(data, sample->label, most, name, sizeof name)) +
             3;
    if (sample->predicted >= 0) {
        enum style style = sample->label < 0 ? STYLE_TEXT : sample_is_right(sample) ? STYLE_GOOD : STYLE_ERROR;
        x += grid_textf(grid, row, x, 0, style, "said %s%s",
                        sample_class_within(data, sample->predicted, most, name, sizeof name),
                        sample->label < 0         ? ""
                        : sample_is_right(sample) ? " ✓"
                                                  : " ✗") +
             3;
    }
    if (isfinite(sample->loss))
        grid_textf(grid, row, x, 0, STYLE_FAINT, "loss %s", human_metric(sample->loss).text);
}

void sample_draw(const struct sample *sample, const struct sample_data *data, const struct app *app, struct grid *grid,
                 struct rect rect)
{
    int height, width, channels;
    bool picture = picture_of(sample, &height, &width, &channels);
    draw_verdict(sample, data, grid, rect_top(&rect, 1));
    struct rect others = rect_bottom(&rect, sample->n_others < rect.h / 3 ? sample->n_others : rect.h / 3);
    for (int i = 0; i < others.h; i++)
        grid_text(grid, others, 0, i, STYLE_TEXT, sample->others[i]);
    rect_top(&rect, rect.h > 12);
    if (picture && rect.w >= 84) { /* side by side */
        int cols = width * 4 < rect.w / 2 ? width * 4 : rect.w / 2;
        draw_input(sample, data, app, grid, rect_left(&rect, cols));
        rect_left(&rect, 3);
    } else {
        int wanted = sample->predicted >= 0 ? (int)sample->output.n : 4,
            most = rect.h - (wanted < rect.h / 2 ? wanted : rect.h / 2) - 1;
        int used = draw_input(sample, data, app, grid, rect_part(rect, 0, 0, rect.w, most));
        rect_top(&rect, used + 1);
    }
    draw_output(sample, data, grid, rect);
}
