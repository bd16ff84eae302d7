/* ticks.h - where an axis has its marks and what they say: nice numbers (1, 2, 5 times a power of ten), decades, times.
 *
 * Every tick is an integer multiple of its step (i * step, never accumulated); there is no "-0"; the labels of one axis
 * are distinct.
 */
#ifndef PLOTS_TICKS_H
#define PLOTS_TICKS_H

#include <stdbool.h>
#include <stddef.h>

enum tick_kind {
    TICKS_NUMBER,
    TICKS_INTEGER,  /* epochs, steps: never a fraction */
    TICKS_DURATION, /* seconds since a start: 1m30s */
    TICKS_CLOCK     /* Unix seconds: 14:05, Nov 23 */
};
enum { TICKS_MAX = 64, TICK_LABEL = 24 };
struct tick {
    double value;
    bool minor; /* log axis: 2 and 5 between the decades */
    char label[TICK_LABEL];
};

/* Ticks inside [lo, hi], ascending, about `target` of them (at least 2 where the kind allows, at most TICKS_MAX). log:
 * for TICKS_NUMBER and TICKS_INTEGER with lo > 0; a range of less than one decade gets ticks inside the decade,
 * integers linear ones. utc_offset_s: of the local zone, for TICKS_CLOCK. */
size_t ticks_make(enum tick_kind kind, bool log, double lo, double hi, int target, long utc_offset_s,
                  struct tick ticks[TICKS_MAX]);
/* Ticks at all multiples of step inside [lo, hi]; none when step is lost in the size of the values. */
size_t ticks_every(double lo, double hi, double step, struct tick ticks[TICKS_MAX]);
/* Ticks at every `stride`-th power of ten. between: what stands between two neighbours, 0: nothing, 1: 3, 2: 2 and 5
 * (only with stride 1). lo > 0. */
size_t ticks_decades(double lo, double hi, int stride, int between, struct tick ticks[TICKS_MAX]);
/* Ticks for a log axis of less than a decade: the densest of a few sets (1 1.2 1.5 2 2.5 3 ... down to 1 3) of which no
 * two stand nearer than `apart` (in powers of ten), below a factor of two linear ones. lo > 0. May be none. */
size_t ticks_inside_decade(double lo, double hi, double apart, struct tick ticks[TICKS_MAX]);

#endif
