/* run_live.h - where a running worker is inside its epoch: one mapped page in the run folder (`live`), written by plain
 * stores (a training step makes no system call), read by any number of screens. A hint: it may be missing or stale, the
 * log is the truth.
 */
#ifndef PERSISTENCE_RUNS_RUN_LIVE_H
#define PERSISTENCE_RUNS_RUN_LIVE_H

#include "base/err.h"

#include <stdint.h>

enum live_phase { LIVE_STARTING, LIVE_TRAINING, LIVE_VALIDATING, LIVE_SAVING, LIVE_PAUSED, LIVE_ENDED };

struct run_live { /* seq is odd while being written; readers copy and compare */
    uint32_t magic, seq;
    int32_t phase;
    int32_t steps_per_epoch;
    int64_t epoch, epochs, step, step_in_epoch; /* epoch 1-based */
    double loss;                                /* running mean of this epoch */
    double started, epoch_started, updated;     /* Unix seconds */
    double steps_per_second;
    int64_t resident_bytes;
    double cpu_share;  /* 1.0 = one core */
    double first_step; /* Unix seconds when the first step was done; 0 before */
};

struct run_live *run_live_create(const char *run_folder, struct err *err); /* mapped; NULL and err */
void run_live_close(struct run_live *live);
void run_live_store(struct run_live *live, const struct run_live *now); /* lock-free, for one writer */
/* false when there is none or it is unreadable */
bool run_live_read(const char *run_folder, struct run_live *out);

#endif
