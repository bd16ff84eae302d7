/* curve_set.h - the lines of one chart on the screen: the metrics of a family ("loss", "val_loss") of one or more runs,
 * from their histories. One run: one colour per metric. Several: one colour per run, validation dashed.
 *
 *     struct curve_set set = {0};
 *     struct curve_choice choice = {.family = "loss", .axis = AXIS_EPOCH};
 *     curve_set_load(&set, &histories, index, &run, 1, &choice, &err);
 *     chart.lines = set.lines, chart.n_lines = set.n;
 *     curve_set_release(&set);
 */
#ifndef TUI_CLIENT_CURVE_SET_H
#define TUI_CLIENT_CURVE_SET_H

#include "tui/client/histories.h"

/* At which step each epoch ended: where a step inside an epoch lies on the epoch axis. */
struct epoch_ruler {
    const struct metric_series *ends; /* one record an epoch; NULL: nothing is known */
    int64_t steps_per_epoch;          /* of an epoch that has not ended, 0: as long as the one before */
};

enum curve_part { CURVES_BOTH, CURVES_TRAIN, CURVES_VALIDATION };

struct curve_choice {
    const char *family; /* "loss"; NULL: that of the first run's monitor */
    enum curve_axis axis;
    double smooth; /* weight, 0: none */
    enum curve_part part;
    bool batches;              /* with the loss of every batch, dim, behind the family "loss" of a single run */
    int64_t steps_per_epoch;   /* of the epoch under way, where known (run_live.h); 0: as in the one before */
    size_t focus;              /* the run whose origin, monitor and histories are kept */
    const char *const *labels; /* of the runs, where they shall be named otherwise; NULL: their names */
};

struct curve_set {
    struct arena arena;          /* names */
    const struct history **held; /* of the runs, taken */
    const char **names, **monitors;
    size_t n_held;
    struct chart_line lines[CHART_MAX_LINES];
    struct series raw[CHART_MAX_LINES], smooth[CHART_MAX_LINES];
    int run_of[CHART_MAX_LINES]; /* which of the runs a line belongs to */
    size_t n;
    int monitor; /* the line of the focused run's monitored metric, -1 */
    char family[64];
    size_t focus;
    /* Of the focused run: */
    struct curve_origin origin;
    const struct metric_series *histories; /* all metrics, lent by `held` */
    size_t n_histories;
    struct epoch_ruler ruler;
};

/* Where a moment of the focused run lies on the axis. A moment inside an epoch lies between the borders of that epoch.
 */
double curve_set_x(const struct curve_set *set, enum curve_axis axis, int64_t epoch, int64_t step, double time);
/* The history of that name of the focused run, NULL. */
const struct metric_series *curve_set_history(const struct curve_set *set, const char *name);

/* Replaces what the set held. False: err, and the set is empty. */
bool curve_set_load(struct curve_set *set, struct histories *histories, struct index *index,
                    const struct run_summary *const *runs, size_t n_runs, const struct curve_choice *choice,
                    struct err *err);
/* Another family of the same runs, out of what `of` holds: nothing is read. */
void curve_set_sibling(struct curve_set *set, const struct curve_set *of, const struct curve_choice *choice);
/* A cloud: the lines of runs that are not bright lie dim behind the others and are silent. bright: one a run. */
void curve_set_dim(struct curve_set *set, const bool *bright);
/* The families the runs have, at most `most`, in the order they appeared; lent. The loss of single batches belongs to
 * another one. all: also a learning rate or a pace that never changes, and the machine's beside those of the model. */
size_t curve_set_families(const struct curve_set *set, bool all, const char **families, size_t most);
void curve_set_release(struct curve_set *set);

#endif
