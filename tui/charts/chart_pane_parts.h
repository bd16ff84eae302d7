/* chart_pane_parts.h - what the files of the chart pane (chart_pane.c, chart_pane_draw.c, chart_pane_keys.c) know of
 * each other. */
#ifndef TUI_CHARTS_CHART_PANE_PARTS_H
#define TUI_CHARTS_CHART_PANE_PARTS_H

#include "tui/charts/chart_pane.h"

/* Where a moment lies on the axis. */
double chart_pane_x(const struct chart_pane *pane, size_t moment);
/* A value of the axis as it is laid out, and back: its logarithm where the axis is logarithmic. */
double chart_pane_along(const struct chart_pane *pane, double x);
double chart_pane_back(const struct chart_pane *pane, double along);
/* Puts the cursor there, shifts the zoomed part so that it is seen, selects the nearest checkpoint. */
void chart_pane_move(struct chart_pane *pane, size_t moment);
/* Chooses the part of the axes that is shown while nothing is zoomed; anew: without regard to what was shown before. */
void chart_pane_hold(struct chart_pane *pane, bool anew);
void chart_pane_remember(struct app *app, struct chart_pane *pane);
int chart_pane_smooth_count(void);

/* What the small charts of other families show: as the large one does. family: lent. */
struct curve_choice chart_pane_choice(const struct chart_pane *pane, const char *family);
size_t chart_pane_count_others(const struct chart_pane *pane);
/* The columns that small charts take at the right of a chart of that size, 0: none. */
int chart_pane_others_width(const struct chart_pane *pane, struct rect rect);
void chart_pane_draw_others(const struct app *app, struct chart_pane *pane, struct grid *grid, struct rect rect);
/* All families, as many as fit. */
void chart_pane_draw_all(const struct app *app, struct chart_pane *pane, struct grid *grid, struct rect rect);
void chart_pane_release_others(struct chart_pane *pane);

/* How it is drawn; the part that is shown only where it is zoomed. */
struct chart_options chart_pane_options(const struct app *app, const struct chart_pane *pane);

size_t chart_pane_n_marks(const struct chart_pane *pane);
/* The pane as a chart. marks: room for chart_pane_n_marks of them; title is lent to the chart. Notes are not filled in.
 */
void chart_pane_fill(const struct app *app, const struct chart_pane *pane, struct chart *chart,
                     struct chart_mark *marks, char title[CHART_TITLE_SIZE]);

#endif
