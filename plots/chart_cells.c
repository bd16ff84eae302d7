/* chart_cells.c - a chart as character cells: the frame (axes, labels, names, rail). The lines themselves:
 * chart_layers.c. See chart.h. */
#include "plots/chart_cells.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    GUTTER_MIN_WIDTH = 20,
    TITLE_MIN_HEIGHT = 6,
    AXIS_MIN_HEIGHT = 4,
    RAIL_MIN_HEIGHT = 9,
    SMALL_LABELS = 5, /* the same for all, so that they stand under each other */
    END_LABEL_LINES = 6,
    END_LABEL_MIN_WIDTH = 48
};

struct frame {                         /* rectangles of a drawing, in cells */
    int left, top, width, height;      /* the plot */
    int names;                         /* columns for the names at the line ends, 0: none */
    int axis_row, label_row, rail_row; /* -1: none */
    bool title;
};

uint32_t canvas_decode(const char **text)
{
    const unsigned char *s = (const unsigned char *)*text;
    uint32_t ch = *s++;
    int more = ch >= 0xF0 ? 3 : ch >= 0xE0 ? 2 : ch >= 0xC0 ? 1 : 0;
    ch &= more == 3 ? 0x07 : more == 2 ? 0x0F : more == 1 ? 0x1F : 0xFF;
    for (; more && (*s & 0xC0) == 0x80; more--)
        ch = ch << 6 | (*s++ & 0x3F);
    *text = (const char *)s;
    bool narrow = ch >= 0x20 && ch != 0x7F && (ch < 0x80 || ch >= 0xA0) && (ch < 0x300 || ch >= 0x370) &&
                  (ch < 0x1100 || (ch >= 0x2010 && ch < 0x2028) || (ch >= 0x2030 && ch < 0x2060) ||
                   (ch >= 0x2070 && ch < 0x2E80));
    return narrow && !more ? ch : '?';
}

void canvas_put(const struct canvas *canvas, int x, int y, uint32_t ch, int style)
{
    if (x >= 0 && y >= 0 && x < canvas->width && y < canvas->height)
        canvas->cells[(size_t)y * (size_t)canvas->stride + (size_t)x] = (struct chart_cell){ch, (uint8_t)style};
}

int canvas_text(const struct canvas *canvas, int x, int y, int max, const char *text, int style)
{
    int n = 0;
    while (*text && n < max) {
        uint32_t ch = canvas_decode(&text);
        if (n == max - 1 && *text)
            ch = canvas->rung == RUNG_ASCII ? '~' : 0x2026;
        canvas_put(canvas, x + n++, y, canvas->rung == RUNG_ASCII && ch > 0x7E ? '?' : ch, style);
    }
    return n;
}

static bool is_blank(const struct canvas *canvas, int x, int y)
{
    return x >= 0 && y >= 0 && x < canvas->width && y < canvas->height &&
           canvas->cells[(size_t)y * (size_t)canvas->stride + (size_t)x].ch == ' ';
}

static int longest_name(const struct chart *chart, size_t n_lines, size_t *n_bright)
{
    int longest = 0;
    *n_bright = 0;
    for (size_t k = 0; k < n_lines; k++) {
        int width = chart->lines[k].name ? plan_name_width(chart->lines[k].name) : 0;
        if (chart->lines[k].dim)
            continue;
        ++*n_bright;
        longest = width > longest ? width : longest;
    }
    return longest;
}

static void frame_init(struct frame *frame, struct chart_plan *plan, const struct chart *chart, int dots_y, int width,
                       int height)
{
    bool axes = !chart->bare && !chart->small;
    *frame = (struct frame){.axis_row = -1, .label_row = -1, .rail_row = -1, .width = width, .height = height};
    if (axes && height >= TITLE_MIN_HEIGHT && (chart->title || chart->legend))
        frame->title = true, frame->top = 1, frame->height--;
    if (axes && height >= RAIL_MIN_HEIGHT && chart->n_marks)
        frame->rail_row = height - 1, frame->height--;
    if (axes && height >= AXIS_MIN_HEIGHT) {
        frame->height -= 2;
        frame->axis_row = frame->top + frame->height;
        frame->label_row = frame->axis_row + 1;
    }
    plan_init_rows(plan, chart, frame->height, dots_y);
    if (!chart->bare && width >= GUTTER_MIN_WIDTH) {
        int labels = chart->small ? SMALL_LABELS : 4;
        for (size_t i = 0; i < plan->n_y_ticks; i++)
            labels = (int)strlen(plan->y_ticks[i].label) > labels ? (int)strlen(plan->y_ticks[i].label) : labels;
        frame->left = labels + 2;
        frame->width -= frame->left;
    }
    size_t n_bright;
    int longest = longest_name(chart, plan->n_lines, &n_bright);
    if (axes && !chart->legend && longest && n_bright <= END_LABEL_LINES && (int)n_bright <= frame->height &&
        width >= END_LABEL_MIN_WIDTH)
        frame->names = (longest < width / 5 ? longest : width / 5) + 1, frame->width -= frame->names;
    plan_x_ticks(plan, chart, frame->width, 1, 5);
}

static void draw_y_axis(const struct canvas *canvas, const struct frame *frame, const struct chart_plan *plan,
                        const struct scale *y)
{
    bool ascii = canvas->rung == RUNG_ASCII;
    int dots = rung_dots_y(canvas->rung), line = frame->left - 1;
    if (frame->left == 0)
        return;
    for (int row = 0; row < frame->height; row++)
        canvas_put(canvas, line, frame->top + row, ascii ? '|' : 0x2502, CHART_AXIS);
    for (int pass = 0; pass < 2; pass++) /* majors first, minors where there is room left */
        for (size_t i = 0; i < plan->n_y_ticks; i++) {
            const struct tick *tick = &plan->y_ticks[i];
            int dot = scale_dot(y, tick->value), row = frame->top + dot / dots, length = (int)strlen(tick->label);
            if (tick->minor != (pass == 1) || dot < 0 || dot / dots >= frame->height)
                continue;
            bool taken = false;
            for (int r = row - 1; r <= row + 1; r++)
                taken |= r >= frame->top && r < frame->top + frame->height && !is_blank(canvas, line - 2, r);
            if (taken)
                continue;
            canvas_put(canvas, line, row, ascii ? '+' : 0x2524, CHART_AXIS);
            canvas_text(canvas, line - 1 - length, row, length, tick->label, CHART_LABEL);
        }
}

static void draw_x_axis(const struct canvas *canvas, const struct frame *frame, const struct chart *chart,
                        const struct chart_plan *plan, const struct scale *x)
{
    bool ascii = canvas->rung == RUNG_ASCII;
    int dots = rung_dots_x(canvas->rung), right = frame->left + frame->width, end = 0;
    if (frame->axis_row < 0)
        return;
    for (int col = 0; col < frame->width; col++)
        canvas_put(canvas, frame->left + col, frame->axis_row, ascii ? '-' : 0x2500, CHART_AXIS);
    if (frame->left)
        canvas_put(canvas, frame->left - 1, frame->axis_row, ascii ? '+' : 0x2514, CHART_AXIS);
    for (size_t i = 0; i < plan->n_x_ticks; i++) {
        const struct tick *tick = &plan->x_ticks[i];
        int col = frame->left + scale_dot(x, tick->value) / dots, length = (int)strlen(tick->label),
            from = col - length / 2;
        if (scale_dot(x, tick->value) < 0 || col >= right)
            continue;
        from = from + length > canvas->width ? canvas->width - length : from < 0 ? 0 : from;
        if (tick->minor && end && from < end + 2)
            continue;
        canvas_put(canvas, col, frame->axis_row, ascii ? '+' : 0x252C, CHART_AXIS);
        if (end && from < end + 1)
            continue;
        end = from + canvas_text(canvas, from, frame->label_row, length, tick->label, CHART_LABEL);
    }
    int name = chart->x_name ? plan_name_width(chart->x_name) : 0;
    if (name && end + 1 + name <= right + frame->names) {
        int from = end + 3 > right - name ? end + 1 : right - name;
        canvas_text(canvas, from, frame->label_row, name, chart->x_name, CHART_AXIS);
    }
}

/* Where a curve grows its name stands at the level of its last samples, and moves seldom. */
static double calm_end(const struct chart_line *line, double end)
{
    enum { LAST = 8 };
    const struct series *series = plan_shown(line);
    struct series_stat stat = series_query(series, series->n > LAST ? series->n - LAST : 0, series->n);
    return stat.n ? stat.sum / stat.n : end;
}

/* Names at the ends of the lines, the greater value above, moved apart where they would share a row. */
static void draw_names(const struct canvas *canvas, const struct frame *frame, const struct chart *chart,
                       const struct chart_plan *plan, const struct scale *y)
{
    int dots = rung_dots_y(canvas->rung), n = 0, bottom = frame->top + frame->height;
    struct {
        int row;
        double value;
        const struct chart_line *line;
    } names[END_LABEL_LINES];
    for (size_t k = 0; frame->names && k < plan->n_lines && n < END_LABEL_LINES; k++) {
        double end_x, end_y;
        if (chart->lines[k].dim || !chart->lines[k].name || !plan_line_end(plan, &chart->lines[k], &end_x, &end_y))
            continue;
        if (chart->cursor_hidden)
            end_y = calm_end(&chart->lines[k], end_y);
        int dot = scale_dot(y, end_y), down = dot < 0 ? 0 : dot / dots, at = n++;
        int row = frame->top + (chart->cursor_hidden ? down - down % 2 : down);
        for (; at > 0 && names[at - 1].value < end_y; at--)
            names[at] = names[at - 1];
        names[at].row = row;
        names[at].value = end_y;
        names[at].line = &chart->lines[k];
    }
    for (int i = 0, from = frame->top; i < n; from = names[i++].row + 1)
        names[i].row = names[i].row < from ? from : names[i].row;
    for (int i = n - 1, to = bottom - 1; i >= 0; to = names[i--].row - 1)
        names[i].row = names[i].row > to ? to : names[i].row;
    for (int i = 0; i < n; i++)
        canvas_text(canvas, canvas->width - frame->names + 1, names[i].row, frame->names - 1, names[i].line->name,
                    CHART_SERIES + names[i].line->color % CHART_COLORS);
}

/* Names at the right end of the title line, as many of the first ones as fit behind column `from`, and how many do not.
 * Returns where it starts. */
static int draw_legend(const struct canvas *canvas, const struct chart *chart, size_t n_lines, int from)
{
    enum { ROOM_FOR_MORE = 5 };
    int total = 0, room = canvas->width - from - ROOM_FOR_MORE;
    size_t shown = 0, left_out = 0;
    for (size_t k = 0; k < n_lines; k++) {
        const struct chart_line *line = &chart->lines[k];
        int width = line->name ? plan_name_width(line->name) + 4 : 0;
        if (line->dim || !line->name)
            continue;
        if (left_out || total + width > room)
            left_out++;
        else
            total += width, shown = k + 1;
    }
    char more[16] = "";
    if (left_out)
        snprintf(more, sizeof more, "+%zu", left_out);
    int start = canvas->width - total - (left_out ? ROOM_FOR_MORE : 0), x = start;
    for (size_t k = 0; k < shown; k++) {
        const struct chart_line *line = &chart->lines[k];
        int style = CHART_SERIES + line->color % CHART_COLORS;
        if (line->dim || !line->name)
            continue;
        canvas_put(canvas, x, 0,
                   canvas->rung == RUNG_ASCII || chart->markers ? layers_ascii_glyph(chart, line)
                   : line->dashed                               ? 0x2504
                                                                : 0x2500,
                   style);
        x += 4 + canvas_text(canvas, x + 2, 0, plan_name_width(line->name), line->name, style);
    }
    canvas_text(canvas, x, 0, ROOM_FOR_MORE - 1, more, CHART_LABEL);
    return start;
}

/* "13 NaN from epoch 18" */
static void note_bad(const struct chart *chart, const struct series *series, char *note, size_t size)
{
    const char *what = isnan(series->y[series->first_bad]) ? "NaN" : "inf";
    char count[24] = "";
    if (series->n_bad > 1)
        snprintf(count, sizeof count, "%zu ", series->n_bad);
    snprintf(note, size, "%s%s from %s %.10g", count, what, chart->x_name ? chart->x_name : "x",
             series->x[series->first_bad]);
}

static void draw_title(const struct canvas *canvas, const struct frame *frame, const struct chart *chart,
                       const struct chart_plan *plan)
{
    if (!frame->title)
        return;
    int at = frame->left, right = canvas->width;
    if (chart->legend)
        right = draw_legend(canvas, chart, plan->n_lines, at + (chart->title ? plan_name_width(chart->title) + 2 : 0));
    if (chart->title)
        at += canvas_text(canvas, at, 0, right - at, chart->title, CHART_TITLE) + 2;
    char note[96] = "";
    for (size_t k = 0; k < plan->n_lines && !note[0]; k++) {
        const struct series *series = chart->lines[k].series;
        if (series->n_bad && !chart->lines[k].dim)
            note_bad(chart, series, note, sizeof note);
    }
    if (note[0] && (int)strlen(note) < right - at)
        at += canvas_text(canvas, at, 0, right - at, note, CHART_BAD) + 2;
    if (plan->n_hidden)
        snprintf(note, sizeof note, "%zu values <= 0 not on a log axis", plan->n_hidden);
    if (plan->n_hidden && (int)strlen(note) < right - at)
        canvas_text(canvas, at, 0, right - at, note, CHART_AXIS);
}

static void draw_rail(const struct canvas *canvas, const struct frame *frame, const struct chart *chart,
                      const struct scale *x)
{
    int row = frame->rail_row >= 0 ? frame->rail_row : frame->axis_row;
    if (row < 0)
        return;
    if (row == frame->rail_row && frame->left >= 6)
        canvas_text(canvas, frame->left - 6, row, 4, "ckpt", CHART_AXIS);
    for (int rank = 0; rank <= MARK_RANKS; rank++)
        for (size_t i = 0; i < chart->n_marks; i++) {
            const struct chart_mark *mark = &chart->marks[i];
            if (mark_rank(mark) != rank || !(mark->x >= x->lo && mark->x <= x->hi))
                continue;
            int col = frame->left + scale_dot(x, mark->x) / rung_dots_x(canvas->rung);
            canvas_put(canvas, col, row, mark_glyph(mark, canvas->rung), mark_style(mark));
            if (mark->selected && row == frame->rail_row) {
                canvas_put(canvas, col - 1, row, '[', CHART_MARK_SELECTED);
                canvas_put(canvas, col + 1, row, ']', CHART_MARK_SELECTED);
            }
        }
}

static void scales_of(const struct frame *frame, const struct chart_plan *plan, enum rung rung, struct scale *x,
                      struct scale *y)
{
    int width = frame->width * rung_dots_x(rung), height = frame->height * rung_dots_y(rung);
    *x = (struct scale){plan->x.lo, plan->x.hi, 0, width > 1 ? width - 1 : 0, plan->log_x};
    *y = (struct scale){plan->y.lo, plan->y.hi, height > 1 ? height - 1 : 0, 0, plan->log_y};
}

void chart_draw(const struct chart *chart, enum rung rung, struct chart_cell *cells, int width, int height, int stride)
{
    struct canvas canvas = {cells, width, height, stride, rung};
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            canvas_put(&canvas, x, y, ' ', CHART_BLANK);
    if (width <= 0 || height <= 0)
        return;
    struct chart_plan plan;
    struct frame frame;
    struct scale x, y;
    frame_init(&frame, &plan, chart, rung_dots_y(rung), width, height);
    scales_of(&frame, &plan, rung, &x, &y);
    draw_y_axis(&canvas, &frame, &plan, &y);
    draw_x_axis(&canvas, &frame, chart, &plan, &x);
    struct canvas plot = {cells + (size_t)frame.top * (size_t)stride + frame.left, frame.width, frame.height, stride,
                          rung};
    layers_draw(&plot, chart, &plan, &x, &y);
    draw_names(&canvas, &frame, chart, &plan, &y);
    draw_title(&canvas, &frame, chart, &plan);
    draw_rail(&canvas, &frame, chart, &x);
}

struct chart_place chart_place(const struct chart *chart, enum rung rung, int width, int height)
{
    struct chart_plan plan;
    struct frame frame;
    struct scale x, y;
    frame_init(&frame, &plan, chart, rung_dots_y(rung), width, height);
    scales_of(&frame, &plan, rung, &x, &y);
    return (struct chart_place){frame.left, frame.top, frame.width, frame.height, x};
}

void chart_text(const struct chart_cell *cells, int width, int height, int stride, struct str *out)
{
    for (int row = 0; row < height; row++) {
        const struct chart_cell *line = cells + (size_t)row * (size_t)stride;
        int end = width;
        while (end > 0 && line[end - 1].ch == ' ')
            end--;
        for (int col = 0; col < end; col++) {
            uint32_t ch = line[col].ch;
            char utf8[4] = {(char)ch};
            size_t n = 1;
            if (ch >= 0x800)
                utf8[0] = (char)(0xE0 | ch >> 12), utf8[1] = (char)(0x80 | (ch >> 6 & 0x3F)),
                utf8[2] = (char)(0x80 | (ch & 0x3F)), n = 3;
            else if (ch >= 0x80)
                utf8[0] = (char)(0xC0 | ch >> 6), utf8[1] = (char)(0x80 | (ch & 0x3F)), n = 2;
            str_add_bytes(out, utf8, n);
        }
        str_add_char(out, '\n');
    }
}
