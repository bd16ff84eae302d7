/* metric_direction.h - whether more of a metric is better, told from its name as Keras writes it ("val_accuracy", "auc_1", "out_loss"). */
#ifndef PERSISTENCE_METRIC_DIRECTION_H
#define PERSISTENCE_METRIC_DIRECTION_H

#include "base/json.h"

/* True for accuracies, AUC, precision, recall, F1, IoU, R2, similarities, correlations; false for losses, errors and unknown names. */
bool metric_is_better_upwards(const char *name);

/* The metric that the callbacks of a config watch (ModelCheckpoint, EarlyStopping), and its mode: 1 up, -1 down, 0 by its name. NULL:
 * none does. Lent. */
const char *monitored_metric(const json_t *config, int *mode);

#endif
