/* chart_plan.h - inside plots: what the three drawings of a chart share: ranges, ticks that fit, names, the value at
 * the cursor. */
#ifndef PLOTS_CHART_PLAN_H
#define PLOTS_CHART_PLAN_H

#include "plots/chart.h"
#include "plots/fit.h"

struct chart_plan {
    struct range x, y;
    bool log_x, log_y; /* as asked, where the data allows it */
    struct tick x_ticks[TICKS_MAX], y_ticks[TICKS_MAX];
    size_t n_x_ticks, n_y_ticks;
    size_t n_hidden; /* values <= 0 that the log axis cannot show */
    size_t n_lines;
};

/* Ranges and y ticks for a plot of about y_target ticks. */
void plan_init(struct chart_plan *plan, const struct chart *chart, int y_target);
/* The same for a plot of rows of characters: the y range is widened so that the ticks stand evenly (fit.h). */
void plan_init_rows(struct chart_plan *plan, const struct chart *chart, int rows, int dots);
/* x ticks so that labels of char_width units keep a distance of `gap` units on an axis of `length` units: as many as
 * fit. */
void plan_x_ticks(struct chart_plan *plan, const struct chart *chart, double length, double char_width, double gap);
/* The line as it is shown. */
const struct series *plan_shown(const struct chart_line *line);
/* The last finite sample at or before the right edge, and not before the left one; false when nothing is visible. */
bool plan_line_end(const struct chart_plan *plan, const struct chart_line *line, double *x, double *y);
/* Text of the k-th line beside the cursor ("loss 0.0341 (smooth 0.0366)"), k = 0: the x value; false behind the last
 * one. *color: of the line it is about, -1: none. */
bool plan_note(const struct chart *chart, size_t k, char *text, size_t size, int *color);
/* Columns of a UTF-8 name: one per code point (names are cut and cleaned by the caller). */
int plan_name_width(const char *name);

#endif
