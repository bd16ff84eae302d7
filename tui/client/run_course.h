/* run_course.h - the course of a run, as configs and events of it and of those it branched from tell it: how many
 * samples each step saw, when nobody trained, and which learning rate held.
 */
#ifndef TUI_CLIENT_RUN_COURSE_H
#define TUI_CLIENT_RUN_COURSE_H

#include "tui/client/curves.h"

/* From a step on, until the next one. */
struct course_rate {
    int64_t step; /* records behind it were trained with this rate */
    double rate;
};
struct course {
    double begun;                 /* when the first of them began to train; NAN: not known */
    const struct curve_leg *legs; /* as in curve_origin; 0: a batch size is not known */
    size_t n_legs;
    const struct curve_rest *rests;
    size_t n_rests;
    const struct course_rate *rates; /* ascending; 0: it follows a schedule, or is not known */
    size_t n_rates;
};

/* series: its whole history, with the parents' part. Everything in arena. */
struct course course_of(struct index *index, const struct run_summary *run, const struct metric_series *series,
                        size_t n, struct arena *arena);
/* NAN: not known. */
double course_rate_at(const struct course *course, int64_t step);

#endif
