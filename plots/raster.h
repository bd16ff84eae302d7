/* raster.h - lines as dots, several dots to a character cell: braille 2x4, half blocks 1x2, ASCII 1x3.
 *
 * One raster is one layer; a chart composes several (chart.h). A series is drawn column-exact: whatever its length, the
 * dots are those of a plain Bresenham line through every sample, but a column of dots with many samples costs one
 * pyramid query (the idea of M4: first, last, min, max of every pixel column give an error-free line). Nothing is ever
 * written outside.
 */
#ifndef PLOTS_RASTER_H
#define PLOTS_RASTER_H

#include "plots/scale.h"

enum rung { RUNG_BRAILLE, RUNG_HALF, RUNG_ASCII };

struct raster {
    enum rung rung;
    int cols, rows;    /* cells */
    int width, height; /* dots */
    uint8_t *bits;     /* cols * rows, one bit per dot; owned */
};

/* Dots per cell across and down. */
int rung_dots_x(enum rung rung);
int rung_dots_y(enum rung rung);
/* The character of a cell with these dots; a blank for none. ASCII: one of ' - . : | */
uint32_t rung_glyph(enum rung rung, uint8_t bits);

/* All dots off. cols and rows may be 0. */
void raster_init(struct raster *raster, enum rung rung, int cols, int rows);
void raster_release(struct raster *raster);
bool raster_get(const struct raster *raster, int x, int y);
/* Dots outside are ignored. */
void raster_set(struct raster *raster, int x, int y);
/* From (x0, y0) to (x1, y1) in dots, rounded to the nearest; clipped. dashed: flat parts have gaps, steep ones stay
 * whole (no spike is lost). */
void raster_line(struct raster *raster, double x0, double y0, double x1, double y1, bool dashed);
/* All samples whose dot column is visible, and the segments that enter and leave. A sample that is not finite (or has
 * no place on a log axis) is a gap; a sample between two gaps is one dot. */
void raster_series(struct raster *raster, const struct series *series, const struct scale *x, const struct scale *y,
                   bool dashed);

/* Samples [begin, end) of a series that share dot column `column`; used by every drawing of a series. *begin moves on.
 * False at the end. The first call has *begin = column_start(). */
struct column {
    size_t begin, end;
    int at; /* dot column, may lie outside the view */
};
size_t column_start(const struct series *series,
                    const struct scale *x); /* first sample at or behind dot 0 that has a place on the axis */
bool column_next(const struct series *series, const struct scale *x, struct column *column);

#endif
