/* sheet.h - inside the painter: which cells of a frame have to be written, how they look, and the order that writes
 * them in the fewest bytes.
 *
 * Changes of look and hops of the cursor are what a frame pays for beside its characters, and one is saved at the cost
 * of the other. So a frame is written in two ways, and the shorter one is kept:
 * - row by row, each row colour by colour (where curves cross, looks alternate from cell to cell), and each row either
 *   changed where it differs or erased and written anew;
 * - colour by colour over all rows: for a few cells here and there, as a moving cursor leaves them.
 */
#ifndef TUI_TERMINAL_SHEET_H
#define TUI_TERMINAL_SHEET_H

#include "tui/terminal/grid.h"
#include "tui/terminal/pen.h"

struct spot { /* a cell */
    struct look look;
    bool todo; /* it differs from what is shown */
    bool left; /* still to be written by the way that is being tried */
};

/* A row of cells. */
struct line {
    bool todo, wide; /* with wide characters a row is written whole: half of one must never survive */
    int tail;        /* from here on one order erases what is left; the width: it does not pay */
    bool tail_left;
};

struct sheet { /* start from a zeroed struct */
    struct pen *pen;
    struct theme theme;
    const struct grid *now, *before;
    struct spot *spots; /* height * width */
    struct line *lines;
    size_t n_spots, n_lines;
};

/* Adds to the pen's bytes what makes `now` out of `before`, grids of one size. */
void sheet_paint(struct sheet *sheet, struct pen *pen, struct theme theme, const struct grid *now,
                 const struct grid *before);
void sheet_release(struct sheet *sheet);

#endif
