/* compare_matters.c - what the result hangs on: every setting that differs against the best of the metric, a dot a run;
 * those that explain most first (importance.h). */
#include "persistence/runs/metric_direction.h"
#include "plots/format.h"
#include "tui/app/human.h"
#include "tui/views/compare_view.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TILE_WIDTH = 32, TILE_HEIGHT = 9, LEAST_TILE_HEIGHT = 6, GAP = 2, LABELS = 7 };

/* The end of a long key says most: "...optimizer.learning_rate". */
static void draw_key(struct grid *grid, struct rect row, const char *key)
{
    int columns = grid_columns(grid, key);
    const char *from = key;
    while (columns > row.w && strchr(from, '.')) {
        from = strchr(from, '.') + 1;
        columns = grid_columns(grid, from);
    }
    grid_text(grid, row, 0, 0, STYLE_STRONG, from);
}

static struct scale x_scale(const struct setting_effect *effect, int width_dots)
{
    struct range x = {NAN, NAN};
    for (size_t i = 0; i < effect->n; i++)
        x = range_join(x, (struct range){effect->points[i].x, effect->points[i].x});
    if (effect->values) /* each value in the middle of its part */
        x = (struct range){-0.5, (double)effect->n_values - 0.5};
    else
        x = range_pad(x, 0, effect->log);
    if (!effect->values && effect->n && !effect->log) { /* it need not start at 0 */
        double lo = INFINITY, hi = -INFINITY;
        for (size_t i = 0; i < effect->n; i++)
            lo = fmin(lo, effect->points[i].x), hi = fmax(hi, effect->points[i].x);
        if (hi > lo)
            x = (struct range){lo, hi};
    }
    return (struct scale){x.lo, x.hi, 1, width_dots - 2, effect->log};
}

/* Diverged runs stand at the edge. */
static struct scale y_scale(const struct setting_effect *effect, int height_dots)
{
    double values[COMPARE_MAX_RUNS];
    size_t n = effect->n < COMPARE_MAX_RUNS ? effect->n : COMPARE_MAX_RUNS;
    for (size_t i = 0; i < n; i++)
        values[i] = effect->points[i].y;
    struct range y = range_robust(values, n, 0.05);
    bool log = y.lo > 0 && y.hi / y.lo >= 50;
    if (!(y.hi > y.lo))
        y = range_pad(y, 0.1, log);
    return (struct scale){y.lo, y.hi, height_dots - 1, 0, log};
}

static int clamp(int value, int hi)
{
    return value < 0 ? 0 : value > hi ? hi : value;
}

/* Runs of one value would hide each other: they stand side by side. */
static int beside(const struct setting_effect *effect, size_t i)
{
    return effect->values ? (int)(i * 3 % 7) - 3 : 0;
}

static void draw_point(const struct app *app, const struct compare_view *v, size_t run, struct grid *grid,
                       struct rect plot, int column, int row)
{
    bool ascii = app->rung == RUNG_ASCII || app->markers;
    enum style own = (enum style)(STYLE_SERIES + run % CHART_COLORS);
    uint32_t dot = ascii ? chart_ascii_glyph((int)(run % CHART_COLORS)) : 0x25CF;
    if (run == v->champion)
        grid_put(grid, plot, column, row, STYLE_MARK_BEST, 0x25C6);
    else if (v->n <= COMPARE_IN_DETAIL)
        grid_put(grid, plot, column, row, own, dot);
    else if (run == v->focus || run == v->base)
        grid_put(grid, plot, column, row, run == v->focus ? STYLE_ACCENT : STYLE_STRONG, 0x25CF);
}

static void draw_points(const struct app *app, const struct compare_view *v, const struct setting_effect *effect,
                        struct grid *grid, struct rect plot)
{
    struct raster raster;
    raster_init(&raster, app->rung, plot.w, plot.h);
    int dx = rung_dots_x(app->rung), dy = rung_dots_y(app->rung);
    struct scale x = x_scale(effect, raster.width), y = y_scale(effect, raster.height);
    for (size_t i = 0; i < effect->n; i++)
        raster_set(&raster, clamp(scale_dot(&x, effect->points[i].x) + beside(effect, i), raster.width - 1),
                   clamp(scale_dot(&y, effect->points[i].y), raster.height - 1));
    for (int row = 0; row < plot.h; row++)
        for (int column = 0; column < plot.w; column++)
            if (raster.bits[row * raster.cols + column])
                grid_put(grid, plot, column, row, STYLE_CHART_LABEL,
                         rung_glyph(app->rung, raster.bits[row * raster.cols + column]));
    for (size_t i = 0; i < effect->n; i++)
        draw_point(app, v, effect->points[i].run, grid, plot,
                   clamp(scale_dot(&x, effect->points[i].x) + beside(effect, i), raster.width - 1) / dx,
                   clamp(scale_dot(&y, effect->points[i].y), raster.height - 1) / dy);
    raster_release(&raster);
}

/* What the ends of the axis, or the parts of it, mean. */
static void draw_values(const struct setting_effect *effect, struct grid *grid, struct rect row)
{
    char text[64];
    size_t most = effect->n_values < 6 ? effect->n_values : 6;
    for (size_t k = 0; effect->values && k < most; k++) {
        int from = (int)((size_t)row.w * k / effect->n_values), to = (int)((size_t)row.w * (k + 1) / effect->n_values);
        compared_words(text, sizeof text, *effect->values[k] ? effect->values[k] : text_missing());
        struct rect part = {row.x + from, row.y, to - from - 1, 1};
        int columns = grid_columns(grid, text);
        grid_text(grid, part, columns < part.w ? (part.w - columns) / 2 : 0, 0, STYLE_FAINT, text);
    }
    if (effect->values || !effect->n)
        return;
    double lo = INFINITY, hi = -INFINITY;
    for (size_t i = 0; i < effect->n; i++)
        lo = fmin(lo, effect->points[i].x), hi = fmax(hi, effect->points[i].x);
    grid_text(grid, row, 0, 0, STYLE_FAINT, format_short(text, sizeof text, lo));
    if (hi > lo)
        grid_text_right(grid, row, row.w, 0, STYLE_FAINT, format_short(text, sizeof text, hi));
}

/* The best and the worst result at the ends of the other axis. */
static void draw_results(const struct setting_effect *effect, struct grid *grid, struct rect rect)
{
    struct scale y = y_scale(effect, rect.h);
    for (int row = 0; row < rect.h; row++)
        grid_put(grid, rect, rect.w - 1, row, STYLE_CHART_AXIS, 0x2502);
    if (!effect->n)
        return;
    grid_text_right(grid, rect, rect.w - 1, 0, STYLE_FAINT, human_metric(y.hi).text);
    grid_text_right(grid, rect, rect.w - 1, rect.h - 1, STYLE_FAINT, human_metric(y.lo).text);
}

static void draw_tile(const struct app *app, const struct compare_view *v, const struct setting_effect *effect,
                      struct grid *grid, struct rect rect)
{
    char words[80];
    struct rect plot = rect;
    bool up = metric_is_better_upwards(v->metric);
    importance_words(effect, up, words, sizeof words);
    draw_key(grid, rect_top(&plot, 1), effect->key);
    grid_text(grid, rect_top(&plot, 1), 0, 0, effect->explains >= 0.3 ? STYLE_ACCENT : STYLE_FAINT, words);
    struct rect axis = rect_bottom(&plot, 1);
    rect_left(&axis, LABELS);
    draw_results(effect, grid, rect_left(&plot, LABELS));
    draw_points(app, v, effect, grid, plot);
    draw_values(effect, grid, axis);
}

void compare_matters_draw(const struct app *app, struct compare_view *v, struct grid *grid, struct rect rect)
{
    char title[160];
    snprintf(title, sizeof title, "what matters: best %.80s, %s is better", v->metric,
             metric_is_better_upwards(v->metric) ? "higher" : "lower");
    grid_rule(grid, rect_top(&rect, 1), title, v->pane == COMPARE_MATTERS);
    v->place[COMPARE_MATTERS] = rect;
    int columns = (rect.w + GAP) / (TILE_WIDTH + GAP) < 1 ? 1 : (rect.w + GAP) / (TILE_WIDTH + GAP),
        rows = rect.h / TILE_HEIGHT < 1 ? 1 : rect.h / TILE_HEIGHT;
    v->matters_shown = (size_t)(columns * rows);
    if (v->matters_first >= v->n_keys)
        v->matters_first = 0;
    if (!v->n_keys)
        grid_text(grid, rect, 1, 0, STYLE_FAINT, "no setting differs");
    for (int k = 0; k < columns * rows && v->matters_first + (size_t)k < v->n_keys; k++) {
        int row = k / columns, column = k % columns;
        struct rect one = {rect.x + (rect.w + GAP) * column / columns, rect.y + rect.h * row / rows,
                           (rect.w + GAP) / columns - GAP, rect.h / rows - (rows > 1)};
        if (one.h >= LEAST_TILE_HEIGHT - 1)
            draw_tile(app, v, &v->effects[v->matters_first + (size_t)k], grid, one);
    }
    if (v->n_keys > v->matters_shown)
        grid_textf(grid, (struct rect){rect.x, rect.y - 1, rect.w, 1}, rect.w - 20 > 0 ? rect.w - 20 : 0, 0,
                   STYLE_FAINT, " %zu-%zu of %zu  PgDn ", v->matters_first + 1,
                   v->matters_first + v->matters_shown < v->n_keys ? v->matters_first + v->matters_shown : v->n_keys,
                   v->n_keys);
}
