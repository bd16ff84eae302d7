/* chart_paper.c - see chart_paper.h. Series colours: Okabe and Ito, darkened for light paper where they would be too
 * faint. */
#include "plots/chart_paper.h"

#include "base/arena.h"
#include "plots/chart_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct paper_colors colors[] = {
    [PAPER_LIGHT] = {0xFFFFFF,
                     0x1A1A1A,
                     0x555555,
                     0x9A9A9A,
                     0xECECEC,
                     0xC4281C,
                     0xB07A00,
                     {0x0072B2, 0xD55E00, 0x009E73, 0xB8609A, 0xC98A00, 0x2E9BD6, 0x8C7A00, 0x666666},
                     {0xBFDCEC, 0xF4D6BF, 0xBFE7DC, 0xEDD7E6, 0xF1E1BF, 0xCAE6F5, 0xE2DDBF, 0xD9D9D9}},
    [PAPER_DARK] = {0x16181C,
                    0xE8E8E8,
                    0xA8ADB4,
                    0x666C75,
                    0x262A30,
                    0xFF6B5E,
                    0xF0C040,
                    {0x56B4E9, 0xE69F00, 0x2EC499, 0xDD8FBC, 0xF0E442, 0x4C9BE8, 0xE8743B, 0xB0B0B0},
                    {0x263F4F, 0x4A3A15, 0x1C443C, 0x483444, 0x4C4A21, 0x233852, 0x4B2F21, 0x3C3E41}}};

const struct paper_colors *paper_colors(enum chart_paper paper)
{
    return &colors[paper];
}

struct sheet { /* the plot's edges in pixels */
    const struct chart *chart;
    const struct surface *surface;
    const struct paper_colors *color;
    struct chart_plan plan;
    double left, top, right, bottom, width, height;
    struct scale x, y;
};

/* Far outside is as good as outside: keeps the arithmetic finite. */
static double near_enough(double at)
{
    enum { FAR = 1000000 };
    return at > FAR ? FAR : at < -FAR ? -FAR : at;
}

static void add_point(struct path_point **points, size_t *n, size_t *capacity, double x, double y, bool move)
{
    *points = xgrow(*points, capacity, *n + 1, sizeof **points);
    (*points)[(*n)++] = (struct path_point){near_enough(x), near_enough(y), move};
}

/* A series as a path: every sample where they are few, first, least, greatest and last of each pixel column where they
 * are many. */
static struct path_point *trace(const struct sheet *sheet, const struct series *series, size_t *n)
{
    struct path_point *points = NULL;
    size_t capacity = 0;
    const struct scale *y = &sheet->y;
    struct scale x = sheet->x;
    bool move = true;
    x.first = 0;
    x.last = sheet->right - sheet->left;
    *n = 0;
    struct column column = {.begin = column_start(series, &x)};
    if (column.begin > 0 && !isnan(scale_at(&x, series->x[column.begin - 1])))
        column.begin--; /* the segment that enters from the left */
    for (; column_next(series, &x, &column); column.begin = column.end) {
        struct series_stat stat = series_query(series, column.begin, column.end);
        bool plain = column.end - column.begin <= 4 || stat.bad || (y->log && stat.min <= 0);
        size_t last = column.end - 1;
        for (size_t i = column.begin; plain && i < column.end; i++) {
            double at = isfinite(series->y[i]) ? scale_at(y, series->y[i]) : NAN;
            if (!isnan(at))
                add_point(&points, n, &capacity, scale_at(&sheet->x, series->x[i]), at, move);
            move = isnan(at);
        }
        if (!plain) {
            double middle = sheet->left + column.at;
            add_point(&points, n, &capacity, scale_at(&sheet->x, series->x[column.begin]),
                      scale_at(y, series->y[column.begin]), move);
            add_point(&points, n, &capacity, middle, scale_at(y, stat.min), false);
            add_point(&points, n, &capacity, middle, scale_at(y, stat.max), false);
            add_point(&points, n, &capacity, scale_at(&sheet->x, series->x[last]), scale_at(y, series->y[last]), false);
            move = false;
        }
        if (column.at > x.last)
            break;
    }
    return points;
}

static void draw_grid(const struct sheet *sheet)
{
    const struct surface *s = sheet->surface;
    double tick = 4 * s->unit;
    for (size_t i = 0; i < sheet->plan.n_y_ticks; i++) {
        double y = scale_at(&sheet->y, sheet->plan.y_ticks[i].value);
        s->line(s->self, sheet->left, y, sheet->right, y, sheet->color->grid, false);
        s->text(s->self, sheet->left - 2 * tick, y + s->cap_height / 2, ANCHOR_END, sheet->plan.y_ticks[i].label,
                sheet->color->label);
    }
    s->line(s->self, sheet->left, sheet->bottom, sheet->right, sheet->bottom, sheet->color->axis, false);
    double end = -1e9, base = sheet->bottom + tick + s->line_height;
    for (size_t i = 0; i < sheet->plan.n_x_ticks; i++) {
        const struct tick *t = &sheet->plan.x_ticks[i];
        double x = scale_at(&sheet->x, t->value), half = (double)strlen(t->label) * s->char_width / 2;
        if (t->minor && x - half < end)
            continue;
        s->line(s->self, x, sheet->bottom, x, sheet->bottom + tick, sheet->color->axis, false);
        s->text(s->self, x, base, ANCHOR_MIDDLE, t->label, sheet->color->label);
        end = x + half + s->char_width;
    }
    if (sheet->chart->x_name)
        s->text(s->self, sheet->right, base + s->line_height, ANCHOR_END, sheet->chart->x_name, sheet->color->label);
}

static void draw_one(const struct sheet *sheet, const struct series *series, const struct chart_line *line,
                     double width, bool dim)
{
    size_t n, split = 0;
    struct path_point *points = trace(sheet, series, &n);
    const double clip[4] = {sheet->left, sheet->top, sheet->right, sheet->bottom};
    double fork = isnan(line->fork_x) ? -INFINITY : scale_at(&sheet->x, line->fork_x);
    int color = line->color % CHART_COLORS;
    while (split < n && !dim && points[split].x <= fork)
        split++;
    uint32_t rgb = dim ? sheet->color->dim[color] : sheet->color->line[color];
    if (split)
        sheet->surface->path(sheet->surface->self, points, split, width, sheet->color->dim[color], false, clip);
    if (split)
        points[--split].move = true;
    if (n > split)
        sheet->surface->path(sheet->surface->self, points + split, n - split, width, rgb, line->dashed && !dim, clip);
    free(points);
}

static void draw_lines(const struct sheet *sheet)
{
    double unit = sheet->surface->unit;
    for (int pass = 0; pass < 3; pass++)
        for (size_t k = 0; k < sheet->plan.n_lines; k++) {
            const struct chart_line *line = &sheet->chart->lines[k];
            if (line->dim ? pass == 0 : pass == 1 && line->smooth)
                draw_one(sheet, line->series, line, unit, true);
            else if (!line->dim && pass == 2)
                draw_one(sheet, plan_shown(line), line, 1.8 * unit, false);
        }
}

/* NaN and infinities as crosses along the top edge. */
static void draw_bad(const struct sheet *sheet)
{
    const struct surface *s = sheet->surface;
    for (size_t k = 0; k < sheet->plan.n_lines; k++) {
        const struct series *series = sheet->chart->lines[k].series;
        double last = -1e9, r = 3 * s->unit;
        for (size_t i = series->n_bad ? series->first_bad : series->n; i < series->n; i++) {
            double x = scale_at(&sheet->x, series->x[i]);
            if (isfinite(series->y[i]) || !(x >= sheet->left && x <= sheet->right) || x < last + r)
                continue;
            last = x;
            s->line(s->self, x - r, sheet->top - r, x + r, sheet->top + r, sheet->color->bad, false);
            s->line(s->self, x - r, sheet->top + r, x + r, sheet->top - r, sheet->color->bad, false);
        }
    }
}

static void draw_marks(const struct sheet *sheet)
{
    const struct chart *chart = sheet->chart;
    const struct surface *s = sheet->surface;
    bool on_line = chart->mark_line >= 0 && (size_t)chart->mark_line < sheet->plan.n_lines;
    for (size_t i = 0; i < chart->n_marks; i++) {
        const struct chart_mark *mark = &chart->marks[i];
        double x = scale_at(&sheet->x, mark->x), y = sheet->bottom;
        bool best = mark->kind == MARK_BEST || mark->selected;
        if (!(x >= sheet->left && x <= sheet->right))
            continue;
        uint32_t rgb = best ? sheet->color->best : sheet->color->label;
        s->mark(s->self, x, y, 3.5 * s->unit, mark->kind, rgb);
        if (mark->kind == MARK_EVENT && mark->letter)
            s->text(s->self, x, y - 5 * s->unit, ANCHOR_MIDDLE, (char[]){mark->letter, 0}, rgb);
        const struct series *series = on_line ? plan_shown(&chart->lines[chart->mark_line]) : NULL;
        if (!series || !series->n || (!best && mark->kind != MARK_LAST))
            continue;
        double value = series->y[series_nearest(series, mark->x)],
               at = isfinite(value) ? scale_at(&sheet->y, value) : NAN;
        if (at >= sheet->top && at <= sheet->bottom)
            s->mark(s->self, x, at, 4.5 * s->unit, mark->kind, rgb);
    }
}

static void draw_names(const struct sheet *sheet)
{
    const struct surface *s = sheet->surface;
    double at = sheet->left, base = sheet->top - s->line_height * 0.7;
    if (sheet->chart->title) {
        s->text(s->self, at, base, ANCHOR_START, sheet->chart->title, sheet->color->ink);
        at += (plan_name_width(sheet->chart->title) + 3) * s->char_width;
    }
    size_t left_out = 0;
    for (size_t k = 0; k < sheet->plan.n_lines; k++) {
        const struct chart_line *line = &sheet->chart->lines[k];
        double width = line->name ? (plan_name_width(line->name) + 7) * s->char_width : 0;
        if (line->dim || !line->name)
            continue;
        if (left_out || at + width > sheet->right - s->char_width) {
            left_out++;
            continue;
        }
        uint32_t rgb = sheet->color->line[line->color % CHART_COLORS];
        struct path_point sample[2] = {{at, base - s->cap_height / 2, true},
                                       {at + 3.7 * s->char_width, base - s->cap_height / 2, false}};
        const double clip[4] = {0, 0, sheet->width, sheet->height};
        s->path(s->self, sample, 2, 2 * s->unit, rgb, line->dashed, clip);
        s->text(s->self, at + 4.4 * s->char_width, base, ANCHOR_START, line->name, sheet->color->ink);
        at += width;
    }
    char more[32];
    snprintf(more, sizeof more, "+%zu", left_out);
    if (left_out)
        s->text(s->self, sheet->right + 2.5 * s->char_width, base, ANCHOR_END, more, sheet->color->label);
}

static void draw_cursor(const struct sheet *sheet)
{
    const struct surface *s = sheet->surface;
    double x = scale_at(&sheet->x, sheet->chart->cursor_x);
    if (!(x >= sheet->left && x <= sheet->right))
        return;
    s->line(s->self, x, sheet->top, x, sheet->bottom, sheet->color->axis, true);
    char text[160];
    int color, longest = 0, n = 0;
    for (; plan_note(sheet->chart, (size_t)n, text, sizeof text, &color); n++)
        longest = plan_name_width(text) > longest ? plan_name_width(text) : longest;
    double width = (longest + 1) * s->char_width, height = n * s->line_height + s->line_height / 2;
    double left = x + s->char_width + width <= sheet->right ? x + s->char_width : x - s->char_width - width;
    s->panel(s->self, left, sheet->top + s->unit, width, height, sheet->color->ground);
    for (int k = 0; k < n && plan_note(sheet->chart, (size_t)k, text, sizeof text, &color); k++)
        s->text(s->self, left + s->char_width / 2, sheet->top + (k + 1) * s->line_height, ANCHOR_START, text,
                color < 0 ? sheet->color->ink : sheet->color->line[color % CHART_COLORS]);
}

void paper_draw(const struct chart *chart, enum chart_paper paper, int width, int height, const struct surface *surface)
{
    struct sheet sheet = {
        .chart = chart, .surface = surface, .color = &colors[paper], .width = width, .height = height};
    size_t longest = 0;
    sheet.top = surface->line_height * (chart->bare ? 0.5 : 2.2);
    sheet.bottom = height - surface->line_height * (chart->bare ? 0.5 : 2.8);
    plan_init(&sheet.plan, chart, (int)fmax(2, fmin(8, (sheet.bottom - sheet.top) / (2.0 * surface->line_height))));
    for (size_t i = 0; i < sheet.plan.n_y_ticks; i++)
        longest = strlen(sheet.plan.y_ticks[i].label) > longest ? strlen(sheet.plan.y_ticks[i].label) : longest;
    sheet.left = chart->bare ? surface->char_width : (double)(longest + 3) * surface->char_width;
    sheet.right = width - 3 * surface->char_width;
    if (sheet.right - sheet.left < 4 || sheet.bottom - sheet.top < 4)
        return;
    plan_x_ticks(&sheet.plan, chart, sheet.right - sheet.left, surface->char_width, 4 * surface->char_width);
    sheet.x = (struct scale){sheet.plan.x.lo, sheet.plan.x.hi, sheet.left, sheet.right, sheet.plan.log_x};
    sheet.y = (struct scale){sheet.plan.y.lo, sheet.plan.y.hi, sheet.bottom, sheet.top, sheet.plan.log_y};
    if (!chart->bare)
        draw_grid(&sheet);
    draw_lines(&sheet);
    draw_bad(&sheet);
    draw_marks(&sheet);
    if (!chart->bare)
        draw_names(&sheet);
    draw_cursor(&sheet);
}
