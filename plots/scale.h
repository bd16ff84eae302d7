/* scale.h - data to dots and back, linear or logarithmic; and ranges: robust, padded, growing in calm jumps.
 *
 * A scale maps `lo` to dot `first` and `hi` to dot `last` (first > last turns the axis around: y grows upwards). Dots
 * are the finest units of the drawing: braille dots, half cells, pixels.
 */
#ifndef PLOTS_SCALE_H
#define PLOTS_SCALE_H

#include "plots/series.h"

struct range {
    double lo, hi; /* lo <= hi; both NaN: empty */
};
struct scale {
    double lo, hi; /* lo < hi; both > 0 when log */
    double first, last;
    bool log;
};

/* Where a value lies, in dots, not rounded; NaN for NaN, and for values <= 0 on a log scale. May lie outside [first,
 * last]. */
double scale_at(const struct scale *scale, double value);
/* The value at a position in dots. */
double scale_value(const struct scale *scale, double dot);
/* The nearest dot, clamped to +-SCALE_FAR; NaN must not be passed. */
enum { SCALE_FAR = 1 << 20 };
int scale_dot(const struct scale *scale, double value);

/* The smallest range that holds both; an empty one changes nothing. */
struct range range_join(struct range a, struct range b);
/* Widens an empty or degenerate range so that lo < hi, and adds a margin (0.05 = 5 %) on both sides. A linear range of
 * values >= 0 never crosses 0, and starts at 0 when its low end is below 30 % of its high end. */
struct range range_pad(struct range range, double margin, bool log);
/* The range of n values without their outliers: the percentiles `share` and 1 - share, widened by half of their
 * distance (values inside that fence are kept, so only true outliers fall out). Fewer than five have none. Reorders
 * values. */
struct range range_robust(double *values, size_t n, double share);
/* The end of a live x axis: the smallest of start + unit * 1.25^k that holds `end`, so that the axis jumps seldom and a
 * tick repaints little. */
double range_grow(double start, double end, double unit);
/* What a live y axis shows: grows at once with a margin, shrinks only when less than 60 % is used. held: the range
 * shown until now or empty. */
struct range range_hold(struct range held, struct range now, bool log);

#endif
