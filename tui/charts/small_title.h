/* small_title.h - the line above a small chart: what its lines say at the cursor, and the extreme of them.
 *
 *     accuracy  0.9861  val 0.9722                 max 0.9806@14
 */
#ifndef TUI_CHARTS_SMALL_TITLE_H
#define TUI_CHARTS_SMALL_TITLE_H

#include "tui/client/curve_set.h"
#include "tui/terminal/grid.h"

enum { SMALL_TITLE_COLUMN = 7 }; /* where it begins: behind the labels of the y axis */
/* chart: as it is drawn below; without a cursor the newest values are said. */
void small_title_draw(const struct curve_set *set, enum curve_part part, const struct chart *chart, struct grid *grid,
                      struct rect row);

#endif
