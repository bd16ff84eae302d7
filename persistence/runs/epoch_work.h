/* epoch_work.h - what an epoch of a run has to do, as a number: runs of one number take as long on one device. */
#ifndef PERSISTENCE_RUNS_EPOCH_WORK_H
#define PERSISTENCE_RUNS_EPOCH_WORK_H

#include "base/json.h"

/* A fingerprint of data, model, precision, and what of fit sets the steps and the batch. Names, seeds, epochs, rates
 * and callbacks do not count, nor does the order of keys. Never 0. */
uint64_t epoch_work(const json_t *config);

#endif
