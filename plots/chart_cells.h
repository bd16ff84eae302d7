/* chart_cells.h - inside plots: a rectangle of cells with clipping, and the two halves of chart_draw. */
#ifndef PLOTS_CHART_CELLS_H
#define PLOTS_CHART_CELLS_H

#include "plots/chart_plan.h"

struct canvas {
    struct chart_cell *cells;
    int width, height, stride;
    enum rung rung;
};
/* Outside the canvas nothing happens. */
void canvas_put(const struct canvas *canvas, int x, int y, uint32_t ch, int style);
/* At most max columns, cut with an ellipsis; control, wide and zero-width characters become '?'. Returns the columns
 * written. */
int canvas_text(const struct canvas *canvas, int x, int y, int max, const char *text, int style);
/* The next code point of UTF-8 text as something one column wide. */
uint32_t canvas_decode(const char **text);

/* The lines, the NaN rail, clip arrows, marks on the line and the cursor, into a canvas that is the plot itself; x and
 * y in dots of it. */
void layers_draw(const struct canvas *plot, const struct chart *chart, const struct chart_plan *plan,
                 const struct scale *x, const struct scale *y);
/* What an ASCII drawing is made of for this line: dots of its own when there are several lines, '-' when there is one.
 */
uint32_t layers_ascii_glyph(const struct chart *chart, const struct chart_line *line);

/* Marks in one cell: the one with the highest rank (0 .. MARK_RANKS) is seen. */
enum { MARK_RANKS = 5 };
int mark_rank(const struct chart_mark *mark);
uint32_t mark_glyph(const struct chart_mark *mark, enum rung rung);
int mark_style(const struct chart_mark *mark);

#endif
