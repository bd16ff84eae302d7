/* fit.h - an axis made for rows of characters: ticks that lie a whole number of rows apart, so that labels stand
 * evenly.
 *
 * A range is widened, as little as that takes, until a nice step (1, 2, 2.5, 5 times a power of ten; on a logarithmic
 * axis whole decades) is a whole number of rows, and its ends lie on dots. A range that starts or ends at 0 keeps that
 * end. A logarithmic range of less than a decade stays as it is; its ticks lie at least two rows apart.
 */
#ifndef PLOTS_FIT_H
#define PLOTS_FIT_H

#include "plots/scale.h"
#include "plots/ticks.h"

/* The lowest dot of `rows` rows of `dots` dots each is range->lo, the highest range->hi. Returns the ticks, about
 * `target` of them. rows < 4, or a range that is empty or not finite: the range is unchanged. */
size_t fit_rows(struct range *range, bool log, int rows, int dots, int target, struct tick ticks[TICKS_MAX]);

#endif
