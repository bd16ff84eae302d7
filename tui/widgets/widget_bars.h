/* widget_bars.h - the lines around a view: tabs, footer, progress. */
#ifndef TUI_WIDGETS_WIDGET_BARS_H
#define TUI_WIDGETS_WIDGET_BARS_H

#include "tui/terminal/grid.h"
#include "tui/terminal/keys.h"

/* "── config ─┬─ layers ─┬─ log ──": one row. Where there is no room for all, the first ones are left out until the
 * active one is there. */
void tabs_draw(struct grid *grid, struct rect rect, const char *const *names, int n, int active, bool focused);
/* The tab at a column of the grid, -1: none. */
int tabs_hit(const struct grid *grid, struct rect rect, const char *const *names, int n, int active, int x);

/* The keys that matter at these places, in order of rank, as many as fit (at most 8); right: text at the right end, may
 * be NULL. left: instead of the keys, a message (may be NULL); it is drawn in left_style. */
void footer_draw(struct grid *grid, struct rect rect, const struct keymap *map, unsigned places, const char *left,
                 enum style left_style, const char *right);

/* A bar of share (0 .. 1, NaN: unknown) with text behind it: "██████▌      62 %  ~0:48 left". */
void progress_draw(struct grid *grid, struct rect rect, double share, const char *text);

#endif
