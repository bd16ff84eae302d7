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
 * for TICKS_NUMBER and TICKS_INTEGER with lo > 0; a range of less than one decade gets linear ticks. utc_offset_s: of
 * the local zone, for TICKS_CLOCK. */
size_t ticks_make(enum tick_kind kind, bool log, double lo, double hi, int target, long utc_offset_s,
                  struct tick ticks[TICKS_MAX]);
/* Ticks at all multiples of step inside [lo, hi]; none when step is lost in the size of the values. */
size_t ticks_every(double lo, double hi, double step, struct tick ticks[TICKS_MAX]);
/* Ticks at every `stride`-th power of ten, with 2 and 5 between them where at most three decades are seen. lo > 0. */
size_t ticks_decades(double lo, double hi, int stride, struct tick ticks[TICKS_MAX]);

#endif
