/* schedules.h - learning-rate schedules: text over the step, so that the rate is computed inside the training step on
 * the device.
 *
 * Rows of keras.optimizers.schedules with their arguments. `step` is the raw iteration before it is increased.
 */
#ifndef ENGINE_COMPILE_SCHEDULES_H
#define ENGINE_COMPILE_SCHEDULES_H

#include "engine/compile/named.h"
#include "engine/graph/expr.h"

extern const struct named_table schedule_table;

/* json: an envelope or short form of a schedule. The expression has one input (the step) and one result (the learning
 * rate). NULL and ERR_USAGE naming the place. */
const struct expr *schedule_build(struct arena *arena, const json_t *json, const char *where, struct err *err);

#endif
