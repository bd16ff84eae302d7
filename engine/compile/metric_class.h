/* metric_class.h - one row of the table of metrics. To add a metric: a row in metric_table.c and its Keras case in
 * tests/keras/test_compile.py. */
#ifndef ENGINE_COMPILE_METRIC_CLASS_H
#define ENGINE_COMPILE_METRIC_CLASS_H

#include "engine/compile/metrics.h"

struct metric_class {
    struct named_row row;
    const char *default_name; /* NULL: the snake-case class name, numbered */
    const char *direction;    /* "up", "down", NULL = counts */
    bool sparse;              /* wants class numbers */
    /* A mean of values: a loss's (by class name), or the metric's own, any shape that begins with the batch. */
    const char *loss;
    struct value *(*values)(const struct metric *metric, struct metric_call *call);
    bool negated, root; /* of the mean: -values averaged; square root of the mean */
    /* Anything else: declares totals, adds to them, computes the result. */
    bool (*declare)(struct arena *arena, struct metric *metric, struct shape y_pred_shape, struct err *err);
    void (*lower)(const struct metric *metric, struct metric_call *call);
    double (*result)(const struct metric *metric, const float *const *totals);
};

/* Totals of predictions by bucket between thresholds: positives and negatives (metric_confusion.c). */
bool confusion_declare(struct arena *arena, struct metric *metric, struct shape y_pred_shape, struct err *err);
void confusion_lower(const struct metric *metric, struct metric_call *call);
double precision_result(const struct metric *metric, const float *const *totals);
double recall_result(const struct metric *metric, const float *const *totals);
double count_result(const struct metric *metric, const float *const *totals);
bool auc_declare(struct arena *arena, struct metric *metric, struct shape y_pred_shape, struct err *err);
double auc_result(const struct metric *metric, const float *const *totals);
/* A rate of one kind where another is at least the argument (SensitivityAtSpecificity, ...). */
bool rate_declare(struct arena *arena, struct metric *metric, struct shape y_pred_shape, struct err *err);
double rate_result(const struct metric *metric, const float *const *totals);
/* metric_class_sums.c: per column */
bool fbeta_declare(struct arena *arena, struct metric *metric, struct shape y_pred_shape, struct err *err);
void fbeta_lower(const struct metric *metric, struct metric_call *call);
double fbeta_result(const struct metric *metric, const float *const *totals);
bool r2_declare(struct arena *arena, struct metric *metric, struct shape y_pred_shape, struct err *err);
void r2_lower(const struct metric *metric, struct metric_call *call);
double r2_result(const struct metric *metric, const float *const *totals);
/* metric_iou.c */
bool iou_declare(struct arena *arena, struct metric *metric, struct shape y_pred_shape, struct err *err);
void iou_lower(const struct metric *metric, struct metric_call *call);
double iou_result(const struct metric *metric, const float *const *totals);

static inline const struct argument *metric_arguments(const struct metric *metric)
{
    return metric->class->row.class.arguments;
}

#endif
