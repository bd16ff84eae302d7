/* font.h - a tiny built-in bitmap font: printable ASCII in cells of 5 x 9 dots, for pixel images only. */
#ifndef PLOTS_FONT_H
#define PLOTS_FONT_H

#include <stdbool.h>
#include <stdint.h>

enum {
    FONT_WIDTH = 5,
    FONT_HEIGHT = 9,
    FONT_BASE = 7
}; /* rows 0 .. FONT_BASE - 1 stand on the base line, the rest hang below */

/* Whether dot (x, y) of a character is on; characters outside printable ASCII are a hollow box. */
bool font_dot(uint32_t ch, int x, int y);

#endif
