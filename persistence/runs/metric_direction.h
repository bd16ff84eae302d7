/* metric_direction.h - what a metric's name tells: whether more of it is better, and whether a run is judged by it;
 * names as Keras writes it ("val_accuracy", "auc_1", "out_loss"). */
#ifndef PERSISTENCE_RUNS_METRIC_DIRECTION_H
#define PERSISTENCE_RUNS_METRIC_DIRECTION_H

#include "base/json.h"

/* True for accuracies, AUC, precision, recall, F1, IoU, R2, similarities, correlations; false for losses,
 * errors and unknown names. */
bool metric_is_better_upwards(const char *name);

/* The metric that the callbacks of a config watch (ModelCheckpoint, EarlyStopping), and its mode: 1 up, -1 down, 0 by
 * its name. NULL: none does. Lent. */
const char *monitored_metric(const json_t *config, int *mode);
/* How much a metric is what one looks at first, 0 = most: monitor (may be NULL), val_loss, loss, another one of
 * validation that is a loss ("eval/loss"), another loss, anything else, what says nothing of the model ("system/cpu",
 * "learning_rate", what is kept by batch). */
int metric_watch_rank(const char *name, const char *monitor);

#endif
