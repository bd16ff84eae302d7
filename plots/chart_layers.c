/* chart_layers.c - the inside of a plot: lines composed from layers of dots, rails, marks, cursor. See chart_cells.h.
 */
#include "plots/chart_cells.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

struct mix { /* one cell of all layers together */
    uint8_t bits, count, style;
    bool bright;
    uint32_t ascii; /* glyph of the line that owns the cell, 0: by dots */
};

int mark_rank(const struct chart_mark *mark)
{
    static const int rank[] = {
        [MARK_EVENT] = 0, [MARK_CHECKPOINT] = 1, [MARK_FORK] = 2, [MARK_LAST] = 3, [MARK_BEST] = 4};
    return mark->selected ? MARK_RANKS : rank[mark->kind];
}

uint32_t mark_glyph(const struct chart_mark *mark, enum rung rung)
{
    static const struct {
        uint32_t unicode, ascii;
    } glyph[] = {[MARK_EVENT] = {0x2022, '!'},
                 [MARK_CHECKPOINT] = {0x25C7, 'o'},
                 [MARK_FORK] = {0x251C, 'Y'},
                 [MARK_LAST] = {0x25CF, '@'},
                 [MARK_BEST] = {0x25C6, '*'}};
    if (mark->kind == MARK_EVENT && mark->letter)
        return (uint32_t)(unsigned char)mark->letter;
    return rung == RUNG_ASCII ? glyph[mark->kind].ascii : glyph[mark->kind].unicode;
}

int mark_style(const struct chart_mark *mark)
{
    return mark->selected ? CHART_MARK_SELECTED : mark->kind == MARK_BEST ? CHART_MARK_BEST : CHART_MARK;
}

static size_t bright_lines(const struct chart *chart)
{
    size_t n = 0;
    for (size_t k = 0; k < chart->n_lines && k < CHART_MAX_LINES; k++)
        n += !chart->lines[k].dim;
    return n;
}

uint32_t chart_ascii_glyph(int color)
{
    static const char glyphs[] = "*o+x#@%&";
    return (uint32_t)glyphs[color % CHART_COLORS];
}

uint32_t layers_ascii_glyph(const struct chart *chart, const struct chart_line *line)
{
    return bright_lines(chart) > 1 ? chart_ascii_glyph(line->color) : '-';
}

/* Adds a layer: the brighter wins a cell, among equals the one with most dots, on a tie the later; dots of equals are
 * joined. */
static void mix_layer(struct mix *mix, const struct raster *raster, int style, bool bright, int dim_until,
                      uint32_t ascii)
{
    for (int row = 0; row < raster->rows; row++)
        for (int col = 0; col < raster->cols; col++) {
            size_t at = (size_t)row * (size_t)raster->cols + (size_t)col;
            uint8_t bits = raster->bits[at], count = (uint8_t)__builtin_popcount(bits);
            bool shine = bright && col > dim_until;
            struct mix *cell = &mix[at];
            if (!bits || (cell->bright && !shine))
                continue;
            if (shine && !cell->bright)
                *cell = (struct mix){.bright = true};
            cell->bits |= bits;
            if (count < cell->count)
                continue;
            cell->count = count;
            cell->style = (uint8_t)(style + (shine ? CHART_SERIES : CHART_SERIES_DIM));
            cell->ascii = shine ? ascii : '.';
        }
}

static void draw_lines(struct mix *mix, const struct canvas *plot, const struct chart *chart,
                       const struct chart_plan *plan, const struct scale *x, const struct scale *y)
{
    struct raster raster;
    raster_init(&raster, plot->rung, plot->width, plot->height);
    size_t size = (size_t)plot->width * (size_t)plot->height;
    bool glyphs = bright_lines(chart) > 1;
    for (int pass = 0; pass < 3; pass++) /* the cloud, raw values behind smoothed ones, what is shown */
        for (size_t k = 0; k < plan->n_lines; k++) {
            const struct chart_line *line = &chart->lines[k];
            if (pass != (line->dim ? 0 : 2) && !(pass == 1 && line->smooth && !line->dim))
                continue;
            const struct series *series = pass == 1 ? line->series : plan_shown(line);
            memset(raster.bits, 0, size);
            raster_series(&raster, series, x, y, line->dashed && pass != 1 && !(glyphs && plot->rung == RUNG_ASCII));
            int fork =
                isnan(line->fork_x) || line->fork_x < x->lo ? -1 : scale_dot(x, line->fork_x) / rung_dots_x(plot->rung);
            mix_layer(mix, &raster, line->color % CHART_COLORS, pass == 2, fork,
                      glyphs ? layers_ascii_glyph(chart, line) : 0);
        }
    raster_release(&raster);
}

/* NaN and infinities on the top row; an arrow where a shown line leaves the range. */
static void draw_rails(const struct canvas *plot, const struct chart_plan *plan, const struct chart_line *line,
                       const struct scale *x)
{
    bool ascii = plot->rung == RUNG_ASCII;
    const struct series *series = line->series;
    struct column column = {.begin = column_start(series, x)};
    int dots = rung_dots_x(plot->rung);
    struct series_stat whole = series_query(series, column.begin, series->n);
    if (!whole.bad && whole.max <= plan->y.hi && whole.min >= plan->y.lo)
        return;
    for (; column_next(series, x, &column) && column.at < plot->width * dots; column.begin = column.end) {
        struct series_stat stat = series_query(series, column.begin, column.end);
        int col = column.at / dots;
        if (stat.n && stat.max > plan->y.hi)
            canvas_put(plot, col, 0, ascii ? '^' : 0x25B4, CHART_LABEL);
        if (stat.n && stat.min < plan->y.lo && !(plan->log_y && stat.min <= 0))
            canvas_put(plot, col, plot->height - 1, ascii ? 'v' : 0x25BE, CHART_LABEL);
        bool marked = plot->cells[col].style == CHART_BAD; /* NaN of another line: it says more */
        if ((stat.bad & SERIES_PLUS_INF) && !marked)
            canvas_put(plot, col, 0, ascii ? '^' : 0x25B2, CHART_BAD);
        if (stat.bad & SERIES_MINUS_INF)
            canvas_put(plot, col, 0, ascii ? 'v' : 0x25BC, CHART_BAD);
        if (stat.bad & SERIES_NAN)
            canvas_put(plot, col, 0, ascii ? 'x' : 0xD7, CHART_BAD);
    }
}

/* Marks on the bright lines, each line's at other columns, so that they are told apart without colour. */
static void draw_markers(const struct canvas *plot, const struct chart *chart, const struct chart_plan *plan,
                         const struct scale *x, const struct scale *y)
{
    enum { EVERY = 17, SHIFT = 5 };
    size_t place = 0;
    for (size_t k = 0; k < plan->n_lines && chart->markers && bright_lines(chart) > 1; k++) {
        const struct series *series = plan_shown(&chart->lines[k]);
        if (chart->lines[k].dim || !series->n)
            continue;
        for (int col = (int)(place++ * SHIFT % EVERY) + 1; col < plot->width; col += EVERY) {
            size_t at = series_nearest(series, scale_value(x, (col + 0.5) * rung_dots_x(plot->rung)));
            double value = series->y[at], dot = isfinite(value) ? scale_at(y, value) : NAN;
            int column = scale_dot(x, series->x[at]) / rung_dots_x(plot->rung);
            if (dot >= 0 && !isnan(scale_at(x, series->x[at])) && abs(column - col) < EVERY)
                canvas_put(plot, column, (int)(dot / rung_dots_y(plot->rung)), chart_ascii_glyph(chart->lines[k].color),
                           CHART_SERIES + chart->lines[k].color % CHART_COLORS);
        }
    }
}

static void draw_marks_on_line(const struct canvas *plot, const struct chart *chart, const struct scale *x,
                               const struct scale *y)
{
    if (chart->mark_line < 0 || (size_t)chart->mark_line >= chart->n_lines)
        return;
    const struct series *series = plan_shown(&chart->lines[chart->mark_line]);
    /* the last one moves with every checkpoint: the large chart shows it */
    bool calm = chart->small && chart->cursor_hidden;
    for (int rank = mark_rank(&(struct chart_mark){.kind = calm ? MARK_BEST : MARK_LAST}); rank <= MARK_RANKS; rank++)
        for (size_t i = 0; i < chart->n_marks && series->n; i++) {
            const struct chart_mark *mark = &chart->marks[i];
            size_t at = series_nearest(series, mark->x);
            if (mark_rank(mark) != rank || !(mark->x >= x->lo && mark->x <= x->hi) || !isfinite(series->y[at]) ||
                (y->log && series->y[at] <= 0))
                continue;
            int dot = scale_dot(y, series->y[at]);
            if (dot >= 0)
                canvas_put(plot, scale_dot(x, mark->x) / rung_dots_x(plot->rung), dot / rung_dots_y(plot->rung),
                           mark_glyph(mark, plot->rung), mark_style(mark));
        }
}

struct block { /* text beside the cursor, in cells of the plot */
    int left, top, width, height;
};

static int hidden_cells(const struct canvas *plot, struct block block, int cursor)
{
    int n = 0;
    for (int row = block.top; row < block.top + block.height; row++)
        for (int col = block.left; col < block.left + block.width; col++)
            n += col != cursor && plot->cells[(size_t)row * (size_t)plot->stride + (size_t)col].ch != ' ';
    return n;
}

/* Beside the cursor at the top, unless the curves run there and leave more room on its other side, further down or in a
 * corner. It moves in steps of a few columns, so that not every key rewrites it. Where a curve grows, it is in a
 * corner: there it need not move along. */
static struct block place_notes(const struct canvas *plot, const struct chart *chart, int cursor, int width, int height)
{
    enum { SNAP = 8, STEP = 4, FEW = 3 };
    int right = (cursor + 2 + STEP - 1) / STEP * STEP, bottom = plot->height - height, middle = bottom / 2;
    int left = cursor - 1 < width ? -1 : (cursor - 1 - width) / STEP * STEP;
    if (chart->cursor_hidden) {
        int room = (width + SNAP - 1) / SNAP * SNAP; /* for longer numbers */
        right = plot->width - room - 1;
        left = right - room - SNAP;
    }
    const struct block candidates[] = {{right, 0, width, height},      {left, 0, width, height},
                                       {right, bottom, width, height}, {left, bottom, width, height},
                                       {right, middle, width, height}, {left, middle, width, height},
                                       {1, bottom, width, height},     {plot->width - width - 1, bottom, width, height},
                                       {1, 0, width, height},          {plot->width - width - 1, 0, width, height}};
    struct block best = {.left = -1};
    int least = 0;
    for (size_t k = 0; k < sizeof candidates / sizeof *candidates; k++) {
        struct block c = candidates[k];
        if (c.left < 0 || c.left + c.width > plot->width || c.top < 0)
            continue;
        int hidden = hidden_cells(plot, c, cursor);
        if (best.left < 0 || (least > FEW && hidden < least / 2)) {
            best = c;
            least = hidden;
        }
    }
    return best.left < 0 ? (struct block){0, 0, width, height} : best;
}

static void draw_notes(const struct canvas *plot, const struct chart *chart, int cursor)
{
    enum { MIN_WIDTH = 36, MAX_LINES = 12 };
    char text[160];
    int color, width = 0, n = 0, room = plot->height - 1 < MAX_LINES ? plot->height - 1 : MAX_LINES;
    if (plot->width < MIN_WIDTH)
        return;
    while (n < room && plan_note(chart, (size_t)n, text, sizeof text, &color)) {
        width = plan_name_width(text) > width ? plan_name_width(text) : width;
        n++;
    }
    int max = plot->width - 4 < 60 ? plot->width - 4 : 60;
    struct block block = place_notes(plot, chart, cursor, width > max ? max : width, n);
    for (int k = 0; k < n; k++) {
        int row = block.top + k;
        plan_note(chart, (size_t)k, text, sizeof text, &color);
        for (int col = block.left - 1; col <= block.left + block.width; col++)
            if (col != cursor)
                canvas_put(plot, col, row, ' ', CHART_NOTE);
        canvas_text(plot, block.left, row, block.width, text,
                    color < 0 ? CHART_NOTE : CHART_SERIES + color % CHART_COLORS);
    }
}

/* Every row of the line is two cells that change with every key: a high chart has a dotted one, a small one its foot.
 */
static bool on_cursor(const struct chart *chart, int row, int height)
{
    if (chart->small)
        return row + 1 == height;
    return row % (height > 24 ? 5 : height > 14 ? 2 : 1) == 0;
}

static void draw_cursor(const struct canvas *plot, const struct chart *chart, const struct scale *x)
{
    if (!(chart->cursor_x >= x->lo && chart->cursor_x <= x->hi) || chart->bare)
        return;
    int col = scale_dot(x, chart->cursor_x) / rung_dots_x(plot->rung);
    for (int row = 0; row < plot->height && !chart->cursor_hidden; row++)
        if (on_cursor(chart, row, plot->height) &&
            plot->cells[(size_t)row * (size_t)plot->stride + (size_t)col].ch == ' ')
            canvas_put(plot, col, row, plot->rung == RUNG_ASCII ? ':' : 0x250A, CHART_CURSOR);
    if (!chart->small)
        draw_notes(plot, chart, col);
}

void layers_draw(const struct canvas *plot, const struct chart *chart, const struct chart_plan *plan,
                 const struct scale *x, const struct scale *y)
{
    if (plot->width <= 0 || plot->height <= 0)
        return;
    size_t size = (size_t)plot->width * (size_t)plot->height;
    struct mix *mix = xcalloc(size, sizeof *mix);
    draw_lines(mix, plot, chart, plan, x, y);
    for (size_t at = 0; at < size; at++)
        if (mix[at].bits)
            canvas_put(plot, (int)(at % (size_t)plot->width), (int)(at / (size_t)plot->width),
                       plot->rung == RUNG_ASCII && mix[at].ascii ? mix[at].ascii : rung_glyph(plot->rung, mix[at].bits),
                       mix[at].style);
    free(mix);
    for (size_t k = 0; k < plan->n_lines; k++)
        if (!chart->lines[k].dim)
            draw_rails(plot, plan, &chart->lines[k], x);
    draw_markers(plot, chart, plan, x, y);
    draw_marks_on_line(plot, chart, x, y);
    draw_cursor(plot, chart, x);
}
