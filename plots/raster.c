/* raster.c - see raster.h */
#include "plots/raster.h"

#include "base/arena.h"

#include <math.h>
#include <stdlib.h>

enum { DENSE = 4 }; /* up to so many samples in a column are drawn one by one */

int rung_dots_x(enum rung rung)
{
    return rung == RUNG_BRAILLE ? 2 : 1;
}

int rung_dots_y(enum rung rung)
{
    return rung == RUNG_BRAILLE ? 4 : rung == RUNG_HALF ? 2 : 3;
}

static uint8_t bit_of(enum rung rung, int dx, int dy)
{
    static const uint8_t braille[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    return rung == RUNG_BRAILLE ? braille[dy][dx] : (uint8_t)(1 << dy);
}

uint32_t rung_glyph(enum rung rung, uint8_t bits)
{
    static const uint32_t half[] = {' ', 0x2580, 0x2584, 0x2588};
    static const char ascii[] = " '-'.:.|";
    if (!bits)
        return ' ';
    return rung == RUNG_BRAILLE ? 0x2800u + bits : rung == RUNG_HALF ? half[bits & 3] : (uint32_t)ascii[bits & 7];
}

void raster_init(struct raster *raster, enum rung rung, int cols, int rows)
{
    cols = cols < 0 ? 0 : cols;
    rows = rows < 0 ? 0 : rows;
    *raster = (struct raster){rung, cols, rows, cols * rung_dots_x(rung), rows * rung_dots_y(rung), NULL};
    raster->bits = xcalloc((size_t)cols * (size_t)rows + 1, 1);
}

void raster_release(struct raster *raster)
{
    free(raster->bits);
    *raster = (struct raster){0};
}

static uint8_t *cell_of(const struct raster *raster, int x, int y, uint8_t *bit)
{
    int dx = rung_dots_x(raster->rung), dy = rung_dots_y(raster->rung);
    *bit = bit_of(raster->rung, x % dx, y % dy);
    return &raster->bits[(size_t)(y / dy) * (size_t)raster->cols + (size_t)(x / dx)];
}

bool raster_get(const struct raster *raster, int x, int y)
{
    uint8_t bit;
    if (x < 0 || y < 0 || x >= raster->width || y >= raster->height)
        return false;
    const uint8_t *cell = cell_of(raster, x, y, &bit);
    return *cell & bit;
}

void raster_set(struct raster *raster, int x, int y)
{
    uint8_t bit;
    if (x < 0 || y < 0 || x >= raster->width || y >= raster->height)
        return;
    uint8_t *cell = cell_of(raster, x, y, &bit);
    *cell |= bit;
}

static void bresenham(struct raster *raster, int x0, int y0, int x1, int y1, bool dashed)
{
    int dx = abs(x1 - x0), dy = -abs(y1 - y0), sx = x0 < x1 ? 1 : -1, sy = y0 < y1 ? 1 : -1, error = dx + dy;
    bool flat = dashed && dx >= -dy;
    for (;;) {
        if (!flat || x0 % 8 < 6) /* in braille three columns, then one left out */
            raster_set(raster, x0, y0);
        if (x0 == x1 && y0 == y1)
            return;
        int twice = 2 * error;
        if (twice >= dy) {
            error += dy;
            x0 += sx;
        }
        if (twice <= dx) {
            error += dx;
            y0 += sy;
        }
    }
}

/* Liang and Barsky: narrows [*t0, *t1] of the line p + t * d to lo <= p + t * d <= hi. */
static bool clip_axis(double p, double d, double lo, double hi, double *t0, double *t1)
{
    if (d == 0)
        return p >= lo && p <= hi;
    double a = (lo - p) / d, b = (hi - p) / d;
    *t0 = fmax(*t0, fmin(a, b));
    *t1 = fmin(*t1, fmax(a, b));
    return *t0 <= *t1;
}

void raster_line(struct raster *raster, double x0, double y0, double x1, double y1, bool dashed)
{
    double right = raster->width - 0.5 - 1e-9, bottom = raster->height - 0.5 - 1e-9, t0 = 0, t1 = 1, dx = x1 - x0,
           dy = y1 - y0;
    if (raster->width == 0 || raster->height == 0 || !isfinite(dx) || !isfinite(dy) ||
        !clip_axis(x0, dx, -0.5, right, &t0, &t1) || !clip_axis(y0, dy, -0.5, bottom, &t0, &t1))
        return;
    double xa = t0 > 0 ? x0 + t0 * dx : x0, ya = t0 > 0 ? y0 + t0 * dy : y0;
    double xb = t1 < 1 ? x0 + t1 * dx : x1, yb = t1 < 1 ? y0 + t1 * dy : y1;
    bresenham(raster, (int)floor(xa + 0.5), (int)floor(ya + 0.5), (int)floor(xb + 0.5), (int)floor(yb + 0.5), dashed);
}

/* First sample from `from` on whose dot column is at least c. Gallops: the answer is usually near. */
static size_t lower_column(const struct series *series, const struct scale *x, size_t from, int c)
{
    size_t lo = from, step = 1;
    while (lo + step < series->n && scale_dot(x, series->x[lo + step]) < c) {
        lo += step;
        step *= 2;
    }
    size_t hi = lo + step < series->n ? lo + step : series->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (scale_dot(x, series->x[mid]) < c)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

size_t column_start(const struct series *series, const struct scale *x)
{
    size_t first = x->log ? series_lower(series, nextafter(0, 1)) : 0;
    return lower_column(series, x, first, 0);
}

bool column_next(const struct series *series, const struct scale *x, struct column *column)
{
    if (column->begin >= series->n)
        return false;
    column->at = scale_dot(x, series->x[column->begin]);
    column->end = column->at >= SCALE_FAR ? series->n : lower_column(series, x, column->begin, column->at + 1);
    return true;
}

struct pen { /* the last point, when there is one to draw from */
    bool down, dashed;
    double x, y;
};

static void pen_to(struct raster *raster, struct pen *pen, double x, double y)
{
    if (isnan(y) || isnan(x)) {
        pen->down = false;
        return;
    }
    if (pen->down)
        raster_line(raster, pen->x, pen->y, x, y, pen->dashed);
    else
        raster_line(raster, x, y, x, y, false);
    *pen = (struct pen){true, pen->dashed, x, y};
}

static double place(const struct scale *y, double value)
{
    return isfinite(value) ? scale_at(y, value) : NAN;
}

void raster_series(struct raster *raster, const struct series *series, const struct scale *x, const struct scale *y,
                   bool dashed)
{
    struct column column = {.begin = column_start(series, x)};
    struct pen pen = {.dashed = dashed};
    if (column.begin > 0) {
        double before = scale_at(x, series->x[column.begin - 1]), at = place(y, series->y[column.begin - 1]);
        pen = (struct pen){!isnan(before) && !isnan(at), dashed, before, at};
    }
    for (; column_next(series, x, &column); column.begin = column.end) {
        if (column.at >= raster->width) {
            if (pen.down)
                pen_to(raster, &pen, scale_at(x, series->x[column.begin]), place(y, series->y[column.begin]));
            return;
        }
        struct series_stat stat = {.bad = 1};
        if (column.end - column.begin > DENSE)
            stat = series_query(series, column.begin, column.end);
        if (stat.bad || (y->log && stat.min <= 0)) {
            for (size_t i = column.begin; i < column.end; i++)
                pen_to(raster, &pen, scale_at(x, series->x[i]), place(y, series->y[i]));
            continue;
        }
        size_t last = column.end - 1;
        pen_to(raster, &pen, scale_at(x, series->x[column.begin]), scale_at(y, series->y[column.begin]));
        raster_line(raster, column.at, scale_at(y, stat.max), column.at, scale_at(y, stat.min), false);
        pen = (struct pen){true, dashed, scale_at(x, series->x[last]), scale_at(y, series->y[last])};
    }
}
