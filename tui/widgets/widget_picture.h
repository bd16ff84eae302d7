/* widget_picture.h - a picture in half blocks: two of its rows to a row of cells. */
#ifndef TUI_WIDGETS_WIDGET_PICTURE_H
#define TUI_WIDGETS_WIDGET_PICTURE_H

#include "tui/terminal/grid.h"

/* Draws height x width x channels values in 0 .. 1 (1 or 3 channels, row by row) into the upper left corner, as large
 * as fits; small ones are enlarged, a pixel to at most `most_zoom` columns. depth: TILE_ASCII on an ASCII grid,
 * whatever is given. Returns the rows used. */
int picture_draw(const float *values, int height, int width, int channels, int most_zoom, enum tile_depth depth,
                 struct grid *grid, struct rect rect);

#endif
