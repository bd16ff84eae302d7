/* grid.h - the screen in memory: cells with a character and a meaning. Views write here and nowhere else; painter.h
 * brings it to a terminal.
 *
 * Pure: a view drawn into a grid can be read back as text, so screens are tested without a terminal. Everything is
 * clipped: to the rectangle given, and to the grid. Text of people and files is safe: control characters are made
 * visible, wide characters take two cells, zero-width ones are dropped. On an ASCII grid every symbol has its ASCII
 * stand-in, so views just write the nice one.
 *
 *     struct grid grid = {0};
 *     grid_resize(&grid, 80, 24);
 *     grid_text(&grid, grid_all(&grid), 2, 0, STYLE_TITLE, "runs");
 *     grid_release(&grid);
 */
#ifndef TUI_TERMINAL_GRID_H
#define TUI_TERMINAL_GRID_H

#include "base/str.h"
#include "plots/chart.h"
#include "plots/tile.h"
#include "tui/terminal/layout.h"
#include "tui/terminal/theme.h"

enum { CELL_SELECTED = 1, CELL_BOLD = 2, CELL_REVERSE = 4, CELL_FAINT = 8 }; /* flags on top of a style */

struct cell {
    uint32_t ch;          /* 0: the right half of a wide character */
    uint32_t ink, ground; /* as in plots/tile.h, for STYLE_IMAGE only */
    uint16_t style;       /* enum style */
    uint16_t flags;       /* cells are compared as bytes: there is no room between these */
};

struct grid {
    int width, height;
    struct cell *cells; /* height * width, owned */
    bool ascii;         /* only ASCII is written */
    bool cursor_shown;  /* a text field has the cursor; else it is hidden but still stands on what is selected */
    int cursor_x, cursor_y;
};

/* Blank, of that size (0 is allowed). Keeps `ascii`. */
void grid_resize(struct grid *grid, int width, int height);
void grid_release(struct grid *grid);
void grid_clear(struct grid *grid);
struct rect grid_all(const struct grid *grid);
/* The cell at (x, y) of the grid, NULL outside. */
struct cell *grid_at(const struct grid *grid, int x, int y);

/* x and y are relative to the rectangle. */
void grid_put(struct grid *grid, struct rect rect, int x, int y, enum style style, uint32_t ch);
/* Returns the columns written. Text that does not fit ends with an ellipsis. */
int grid_text(struct grid *grid, struct rect rect, int x, int y, enum style style, const char *text);
int grid_textf(struct grid *grid, struct rect rect, int x, int y, enum style style, const char *format, ...)
    PRINTF(6, 7);
/* Right-aligned: the last column is right - 1. */
int grid_text_right(struct grid *grid, struct rect rect, int right, int y, enum style style, const char *text);
/* Several lines, wrapped at blanks; returns the rows used. */
int grid_wrap(struct grid *grid, struct rect rect, int y, enum style style, const char *text);
/* Columns text takes when there is room. */
int grid_columns(const struct grid *grid, const char *text);

void grid_fill(struct grid *grid, struct rect rect, enum style style, uint32_t ch);
/* Adds flags to every cell of the rectangle: the selected row. */
void grid_flag(struct grid *grid, struct rect rect, uint8_t flags);
void grid_box(struct grid *grid, struct rect rect, enum style style);
/* "── title ─────": a rule with a title in the first row of the rectangle. focused: bold and accented. */
void grid_rule(struct grid *grid, struct rect rect, const char *title, bool focused);
/* Where the real cursor stands (for screen readers, and shown in text fields). */
void grid_cursor(struct grid *grid, struct rect rect, int x, int y, bool shown);

void grid_chart(struct grid *grid, struct rect rect, const struct chart *chart, enum rung rung);
void grid_tiles(struct grid *grid, struct rect rect, const struct tile_cell *cells, int rows, int cols);
/* n code points (tile_spark, tile_bar). */
void grid_points(struct grid *grid, struct rect rect, int x, int y, enum style style, const uint32_t *points, int n);

/* The text of the grid, one line per row, blanks at the ends cut. */
void grid_dump(const struct grid *grid, struct str *out);
/* One letter per cell: 'a' + style; upper case where it is selected. For tests of what is emphasised. */
void grid_dump_styles(const struct grid *grid, struct str *out);
bool grid_equal(const struct grid *a, const struct grid *b);
/* dst becomes a copy of src. */
void grid_copy(struct grid *dst, const struct grid *src);

#endif
