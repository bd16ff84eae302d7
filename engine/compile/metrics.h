/* metrics.h - keras.metrics as rows: the totals they keep in variables, how a step adds to them, the result on the
 * host.
 *
 * Names of history keys are Keras': a string metric is called by that string, an object by its name; "<output>_" in
 * front with several outputs, "_1" behind for duplicates, "weighted_" where metrics and weighted_metrics share a name.
 */
#ifndef ENGINE_COMPILE_METRICS_H
#define ENGINE_COMPILE_METRICS_H

#include "engine/compile/losses.h"

enum { METRIC_MAX_TOTALS = 4 };

struct metric {
    const struct metric_class *class;
    const json_t *config; /* lent */
    const char *name;     /* Keras' metric.name */
    const char *key;      /* its history key */
    const char *where;
    int output;            /* of the model */
    bool weighted;         /* uses sample weights */
    const char *direction; /* "up", "down" or NULL */
    struct loss *loss;     /* whose values are averaged, or NULL */
    struct variable *totals[METRIC_MAX_TOTALS];
    int n_totals;
    const float *thresholds; /* of a confusion metric */
    int n_thresholds;
    bool clip; /* predictions are cut to [0, 1] first (AUC with even thresholds) */
};

struct metric_call {
    struct graph *graph;
    struct value *y_true, *y_pred, *logits;
    struct value *weights; /* (batch) or NULL */
    struct value *mask;    /* of the output, (batch, steps...) or NULL: for means of values, as in Keras */
};

extern const struct named_table metric_table;

/* How names without an explicit one are numbered: "auc", "auc_1". Zero-initialised, one per compile. */
struct metric_names {
    int *counts; /* per row of the table, in the arena */
};

/* y_pred_shape: one sample's output. Totals are made in the arena. NULL and ERR_USAGE. */
struct metric *metric_build(struct arena *arena, struct metric_names *names, const json_t *json,
                            struct shape y_pred_shape, const char *where, struct err *err);
/* Adds assignments of the totals; errors through graph_fail. */
void metric_lower(const struct metric *metric, struct metric_call *call);
/* totals[i]: host copy of metric->totals[i]. Rounded to float32, as Keras reports it. */
double metric_result(const struct metric *metric, const float *const *totals);
bool metric_is_sparse(const struct metric *metric);

/* A running mean: total and count. */
void mean_declare(struct arena *arena, struct variable **totals, const char *name);
void mean_add(struct graph *g, struct variable *const *totals, struct value *sum, struct value *count);
struct variable *total_variable(struct arena *arena, const char *metric, const char *name, struct shape shape);
void total_add(struct graph *g, struct variable *total, struct value *value);

#endif
