/* tile.h - small pictures in cells: sparklines, bars in eighths, shades of a matrix, samples as half-block images. No
 * allocation. */
#ifndef PLOTS_TILE_H
#define PLOTS_TILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The last `width` of n values, one column each, in eight heights between their least and greatest; all alike: the
 * middle height. NaN is a gap, an infinity a cross. Writes width code points, blanks behind the values. */
void tile_spark(const float *values, size_t n, bool ascii, uint32_t *out, int width);

/* A horizontal bar of share (0 .. 1, clamped; NaN is empty) of the width, in eighths of a column. Writes width code
 * points. */
void tile_bar(double share, bool ascii, uint32_t *out, int width);

/* A matrix cell of share 0 .. 1: one of five shades as a code point (blank .. full), and a background from the 256
 * colours in which both the terminal's default text and the ink of tile_ink can be read. */
uint32_t tile_shade(double share, bool ascii);
int tile_heat(double share, bool light);
int tile_ink(double share, bool light); /* text colour to put on tile_heat */

/* The nearest of colours 16 .. 255 of the 256-colour palette. */
int tile_palette(int red, int green, int blue);

/* a colour of its own: TILE_RGB | red << 16 | green << 8 | blue; else one of the palette */
enum { TILE_RGB = 1 << 24 };
struct tile_cell {
    uint32_t ch;
    uint32_t ink, ground;
    bool colored; /* false: in the reader's own colours */
};
/* All colours; the palette of 256; the sixteen, dithered; shades of one colour; characters. */
enum tile_depth { TILE_TRUE, TILE_256, TILE_16, TILE_BLOCKS, TILE_ASCII };

/* Draws an image of height x width x channels values in 0 .. 1 (clamped; 1 = grey or 3 = RGB channels, row-major,
 * channels last) into rows x cols cells, two image rows to a cell; every cell shows the mean of what it covers. out[row
 * * cols + col]. */
void tile_image(const float *image, int height, int width, int channels, enum tile_depth depth, struct tile_cell *out,
                int rows, int cols);
/* The largest rows x cols inside max_rows x max_cols that keeps the proportions of an image; at most one cell column
 * per pixel. */
void tile_fit(int height, int width, int max_rows, int max_cols, int *rows, int *cols);

#endif
