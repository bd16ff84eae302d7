/* chart_plan.c - see chart_plan.h */
#include "plots/chart_plan.h"

#include "base/arena.h"
#include "plots/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROBUST_COLUMNS = 256 };
/* Shares of the range that are added at both ends; rows of characters add more by themselves. */
static const double MARGIN = 0.04, MARGIN_OF_ROWS = 0.01;

const struct series *plan_shown(const struct chart_line *line)
{
    return line->smooth ? line->smooth : line->series;
}

static size_t line_count(const struct chart *chart)
{
    return chart->n_lines < CHART_MAX_LINES ? chart->n_lines : CHART_MAX_LINES;
}

static struct range x_range(const struct chart *chart)
{
    struct range range = {NAN, NAN};
    for (size_t k = 0; k < line_count(chart); k++) {
        const struct series *series = chart->lines[k].series;
        size_t first = chart->log_x ? series_lower(series, nextafter(0, 1)) : 0;
        if (first < series->n)
            range = range_join(range, (struct range){series->x[first], series->x[series->n - 1]});
    }
    if (!isnan(chart->x_lo) && !(chart->log_x && chart->x_lo <= 0))
        range.lo = chart->x_lo;
    if (!isnan(chart->x_hi) && !(chart->log_x && chart->x_hi <= 0))
        range.hi = chart->x_hi;
    if (isnan(range.lo) || isnan(range.hi))
        return isnan(range.lo) && isnan(range.hi) ? (struct range){chart->log_x, chart->log_x ? 10 : 1}
               : isnan(range.lo) ? (struct range){chart->log_x ? range.hi / 10 : range.hi - 1, range.hi}
                                 : (struct range){range.lo, chart->log_x ? range.lo * 10 : range.lo + 1};
    if (!(range.hi > range.lo))
        range =
            chart->log_x ? (struct range){range.lo / 2, range.lo * 2} : (struct range){range.lo - 0.5, range.lo + 0.5};
    return range;
}

/* Samples of a series inside an x range. */
static void visible(const struct series *series, struct range x, size_t *begin, size_t *end)
{
    *begin = series_lower(series, x.lo);
    *end = series_lower(series, nextafter(x.hi, INFINITY));
    if (*end < *begin)
        *end = *begin;
}

static struct range line_range(const struct series *series, struct range x, bool log)
{
    size_t begin, end;
    visible(series, x, &begin, &end);
    struct series_stat stat = series_query(series, begin, end);
    if (!stat.n)
        return (struct range){NAN, NAN};
    double lo = log ? series_min_positive(series, begin, end) : stat.min;
    return isnan(lo) ? (struct range){NAN, NAN} : (struct range){lo, stat.max};
}

/* Minima and maxima of up to ROBUST_COLUMNS slices of a series. */
static size_t sample_extremes(const struct series *series, struct range x, double *out)
{
    size_t begin, end, n = 0;
    visible(series, x, &begin, &end);
    size_t slices = end - begin < ROBUST_COLUMNS ? end - begin : ROBUST_COLUMNS;
    for (size_t k = 0; k < slices; k++) {
        struct series_stat stat =
            series_query(series, begin + (end - begin) * k / slices, begin + (end - begin) * (k + 1) / slices);
        if (stat.n) {
            out[n++] = stat.min;
            out[n++] = stat.max;
        }
    }
    return n;
}

static struct range y_range(const struct chart *chart, struct range x, bool log, double margin)
{
    struct range range = {NAN, NAN};
    for (size_t k = 0; k < line_count(chart); k++) {
        const struct chart_line *line = &chart->lines[k];
        struct range one = line_range(line->series, x, log);
        if (chart->clip && !isnan(one.lo)) {
            double *values = xmalloc(2 * ROBUST_COLUMNS * sizeof *values);
            struct range robust = range_robust(values, sample_extremes(line->series, x, values), 0.02);
            free(values);
            if (!log || robust.lo > 0)
                one.lo = robust.lo;
            if (robust.hi > one.lo)
                one.hi = robust.hi;
        }
        range = range_join(range, one);
        if (line->smooth && !chart->clip) /* its outliers are those of the raw values */
            range = range_join(range, line_range(line->smooth, x, log));
    }
    range = range_pad(range, margin, log);
    if (!isnan(chart->y_lo) && !(log && chart->y_lo <= 0))
        range.lo = chart->y_lo;
    if (!isnan(chart->y_hi) && !(log && chart->y_hi <= 0))
        range.hi = chart->y_hi;
    return range.hi > range.lo ? range : range_pad((struct range){range.lo, range.lo}, margin, log);
}

static size_t count_hidden(const struct chart *chart, struct range x)
{
    size_t n = 0;
    for (size_t k = 0; k < line_count(chart); k++) {
        const struct series *series = chart->lines[k].series;
        size_t begin, end;
        visible(series, x, &begin, &end);
        if (series_query(series, begin, end).min > 0)
            continue;
        for (size_t i = begin; i < end; i++)
            n += isfinite(series->y[i]) && series->y[i] <= 0;
    }
    return n;
}

void chart_ranges(const struct chart *chart, struct range *x, struct range *y)
{
    *x = x_range(chart);
    *y = y_range(chart, *x, chart->log_y, MARGIN);
}

static void plan_ranges(struct chart_plan *plan, const struct chart *chart, double margin)
{
    plan->n_lines = line_count(chart);
    plan->log_x = chart->log_x && (chart->x_kind == TICKS_NUMBER || chart->x_kind == TICKS_INTEGER);
    plan->log_y = chart->log_y;
    struct chart same = *chart;
    same.log_x = plan->log_x;
    plan->x = x_range(&same);
    plan->y = y_range(&same, plan->x, plan->log_y, margin);
    plan->n_hidden = chart->log_y ? count_hidden(chart, plan->x) : 0;
    plan->n_x_ticks = 0;
}

void plan_init(struct chart_plan *plan, const struct chart *chart, int y_target)
{
    plan_ranges(plan, chart, MARGIN);
    plan->n_y_ticks = ticks_make(TICKS_NUMBER, plan->log_y, plan->y.lo, plan->y.hi, y_target, 0, plan->y_ticks);
}

void plan_init_rows(struct chart_plan *plan, const struct chart *chart, int rows, int dots)
{
    enum { MOST_TICKS = 8 };
    int target = rows * 2 / 5 > MOST_TICKS ? MOST_TICKS : rows * 2 / 5;
    plan_ranges(plan, chart, MARGIN_OF_ROWS);
    plan->n_y_ticks = fit_rows(&plan->y, plan->log_y, rows, dots, target, plan->y_ticks);
}

void plan_x_ticks(struct chart_plan *plan, const struct chart *chart, double length, double char_width, double gap)
{
    struct scale scale = {plan->x.lo, plan->x.hi, 0, length, plan->log_x};
    for (int target = (int)(length / (5 * char_width)); target >= 1; target--) {
        size_t n =
            ticks_make(chart->x_kind, plan->log_x, plan->x.lo, plan->x.hi, target, chart->utc_offset_s, plan->x_ticks);
        double free_from = -1e9;
        bool fits = true;
        for (size_t i = 0; i < n && fits; i++) {
            double half = (double)strlen(plan->x_ticks[i].label) * char_width / 2,
                   at = scale_at(&scale, plan->x_ticks[i].value);
            if (plan->x_ticks[i].minor)
                continue;
            fits = at - half >= free_from;
            free_from = at + half + gap;
        }
        plan->n_x_ticks = n;
        if (fits)
            return;
    }
}

bool plan_line_end(const struct chart_plan *plan, const struct chart_line *line, double *x, double *y)
{
    const struct series *series = plan_shown(line);
    size_t begin, end;
    visible(series, plan->x, &begin, &end);
    while (end > begin && (!isfinite(series->y[end - 1]) || (plan->log_y && series->y[end - 1] <= 0)))
        end--;
    if (end == begin)
        return false;
    *x = series->x[end - 1];
    *y = series->y[end - 1];
    return true;
}

static void note_x(const struct chart *chart, char *text, size_t size)
{
    char number[40];
    if (chart->x_kind == TICKS_DURATION)
        format_duration(number, sizeof number, chart->cursor_x);
    else if (chart->x_kind == TICKS_INTEGER && fabs(chart->cursor_x) < 1e15)
        format_count(number, sizeof number, llround(chart->cursor_x));
    else
        format_value(number, sizeof number, chart->cursor_x, 6);
    if (chart->x_kind == TICKS_CLOCK) {
        struct tick tick[TICKS_MAX];
        if (ticks_make(TICKS_CLOCK, false, floor(chart->cursor_x), floor(chart->cursor_x) + 1, 1, chart->utc_offset_s,
                       tick))
            snprintf(number, sizeof number, "%s", tick[0].label);
    }
    snprintf(text, size, "%s%s%s", chart->x_name ? chart->x_name : "x", " ", number);
}

/* The k-th line that is noted, counted from 1; NULL behind the last, *n is how many there are. */
static const struct chart_line *noted_line(const struct chart *chart, size_t k, size_t *n)
{
    const struct chart_line *found = NULL;
    *n = 0;
    for (size_t i = 0; i < line_count(chart); i++)
        if (!chart->lines[i].silent && ++*n == k)
            found = &chart->lines[i];
    return found;
}

bool plan_note(const struct chart *chart, size_t k, char *text, size_t size, int *color)
{
    size_t n_lines;
    const struct chart_line *line = noted_line(chart, k, &n_lines);
    *color = -1;
    if (k == 0) {
        note_x(chart, text, size);
        return true;
    }
    if (k > n_lines) {
        if (k - n_lines > chart->n_notes)
            return false;
        snprintf(text, size, "%s", chart->notes[k - n_lines - 1]);
        return true;
    }
    const char *name = line->name ? line->name : "";
    char value[40], smooth[40];
    *color = line->color;
    if (!line->series->n) {
        snprintf(text, size, "%s -", name);
        return true;
    }
    size_t i = series_nearest(line->series, chart->cursor_x);
    format_value(value, sizeof value, line->series->y[i], 4);
    if (line->smooth && i < line->smooth->n)
        snprintf(text, size, "%s %s (smooth %s)", name, value,
                 format_value(smooth, sizeof smooth, line->smooth->y[i], 4));
    else
        snprintf(text, size, "%s %s", name, value);
    return true;
}

int plan_name_width(const char *name)
{
    int n = 0;
    for (; *name; name++)
        n += ((unsigned char)*name & 0xC0) != 0x80;
    return n;
}
