/* small_title.c - see small_title.h */
#include "persistence/runs/metric_direction.h"
#include "plots/format.h"
#include "tui/app/human.h"
#include "tui/charts/small_title.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void format_x(const struct chart *chart, double x, char *text, size_t size)
{
    if (chart->x_kind == TICKS_DURATION)
        format_duration(text, size, x);
    else
        format_count(text, size, llround(x));
}

/* "min 0.2292@18", "3 NaN": at the right end of what is free from column x on; of validation where there is any. */
static void draw_extreme(const struct curve_set *set, const struct chart *chart, struct grid *grid, struct rect row,
                         int x)
{
    const struct chart_line *line = NULL;
    size_t bad = 0;
    bool up = metric_is_better_upwards(set->family);
    for (size_t i = 0; i < set->n; i++) {
        if (!line || (set->n_held == 1 && set->lines[i].name && curve_is_validation(set->lines[i].name)))
            line = &set->lines[i];
        bad += set->lines[i].silent ? 0 : set->lines[i].series->n_bad;
    }
    char text[80] = "", at[32], shorter[80] = "";
    size_t best = line ? series_extreme(line->series, up) : 0;
    if (bad)
        snprintf(text, sizeof text, "%zu NaN", bad);
    else if (set->n_held == 1 && line && best < line->series->n && chart->x_kind != TICKS_CLOCK) {
        format_x(chart, line->series->x[best], at, sizeof at);
        struct text value = human_metric(line->series->y[best]);
        snprintf(text, sizeof text, "%s %s@%s", up ? "max" : "min", value.text, at);
        snprintf(shorter, sizeof shorter, "%s%s@%s", up ? "▴" : "▾", value.text, at);
    }
    const char *fits = x + 1 + grid_columns(grid, text) < row.w ? text : shorter;
    if (x + 1 + grid_columns(grid, fits) < row.w)
        grid_text_right(grid, row, row.w - 1, 0, bad ? STYLE_ERROR : STYLE_FAINT, fits);
}

void small_title_draw(const struct curve_set *set, enum curve_part part, const struct chart *chart, struct grid *grid,
                      struct rect row)
{
    int x = SMALL_TITLE_COLUMN + grid_textf(grid, row, SMALL_TITLE_COLUMN, 0, STYLE_CHART_TITLE, "%s%s",
                                            part == CURVES_VALIDATION ? "val_" : "", set->family);
    for (size_t i = 0; i < set->n && set->n_held == 1; i++) {
        const struct chart_line *line = &set->lines[i];
        if (!line->series->n)
            continue;
        size_t nearest = isnan(chart->cursor_x) ? line->series->n - 1 : series_nearest(line->series, chart->cursor_x);
        char text[64];
        double value = line->series->y[nearest];
        snprintf(text, sizeof text, "%s%s", curve_is_validation(line->name) ? "val " : "", human_metric(value).text);
        if (x + 2 + grid_columns(grid, text) > row.w)
            break;
        enum style style = isfinite(value) ? (enum style)(STYLE_SERIES + line->color % CHART_COLORS) : STYLE_ERROR;
        x += 2 + grid_text(grid, row, x + 2, 0, style, text);
    }
    draw_extreme(set, chart, grid, row, x);
}
