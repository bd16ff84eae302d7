/* curves.h - from the history of runs (persistence/index/index.h) to lines that a chart can draw: which x, which
 * colour, what is the parent's part.
 *
 * Metrics that belong together ("loss" and "val_loss", of one run or of several) share a chart: a family. Used by
 * antler plot and by the views.
 */
#ifndef TUI_CLIENT_CURVES_H
#define TUI_CLIENT_CURVES_H

#include "persistence/index/index.h"
#include "plots/chart.h"

enum curve_axis { AXIS_EPOCH, AXIS_STEP, AXIS_RELATIVE, AXIS_CLOCK, AXIS_FORK, AXIS_SAMPLES, AXIS_COUNT };
/* "epoch", "step", "time", "clock", "steps since the fork", "samples". */
const char *curve_axis_name(enum curve_axis axis);
/* One word for the command line: "fork". False and ERR_USAGE with what there is. */
const char *curve_axis_word(enum curve_axis axis);
bool curve_axis_parse(const char *word, enum curve_axis *axis, struct err *err) MUST_USE;
enum tick_kind curve_axis_kind(enum curve_axis axis);
/* Epoch when every epoch has one value, else step; values of single batches do not count. */
enum curve_axis curve_axis_for(const struct metric_series *series, size_t n);

/* A part of a run's steps that had one batch size: from this step on, when so many samples had been seen. */
struct curve_leg {
    int64_t step, batch_size;
    int64_t samples_of_pass; /* whose last batch may be smaller; 0: not known, all batches count as whole */
    double samples;
};
/* A time in which nobody trained: between a checkpoint and whoever went on from it, or while it was paused. */
struct curve_rest {
    double from, to;
};
struct curve_origin { /* where x starts for the relative axes */
    double time;
    const struct curve_rest *rests; /* ascending, apart from each other; not counted by AXIS_RELATIVE */
    size_t n_rests;
    int64_t fork_step;
    const struct curve_leg *legs; /* ascending; what the axis of samples needs: steps times their batch size */
    size_t n_legs;                /* 0: not known, such a run has no place on that axis */
};
/* The origin of a run: its first record (whoever knows when it began may say so); the step
 * of its last inherited one. */
struct curve_origin curve_origin(const struct metric_series *series, size_t n);
/* The samples seen after so many steps of a leg. */
double curve_leg_samples(const struct curve_leg *leg, int64_t step);
/* Seconds of training up to a moment: without the rests. */
double curve_since(const struct curve_origin *origin, double time);
double curve_x(enum curve_axis axis, struct curve_origin origin, int64_t epoch, int64_t step, double time);
/* Appends a history to out. Returns the x up to which it is the parent's, NAN: nothing is. */
double curve_fill(const struct metric_series *from, enum curve_axis axis, struct curve_origin origin,
                  struct series *out);

/* The metric's family: "loss" for "loss" and "val_loss", "train/loss", "eval/loss". Points into metric. */
const char *curve_family(const char *metric);
bool curve_is_validation(const char *metric);
/* What the machine did (persistence/index/system_log.h): recorded by the clock, not at the end of an epoch. */
bool curve_is_system(const char *metric);

#endif
