/* fit.h - Keras' fit: the training loop.
 *
 *   for epoch in initial_epoch .. epochs:
 *       zero the metric totals; for each batch: gather, step; (orders of people and callbacks between two steps)
 *       results of the epoch; validation; callbacks; history record; checkpoints
 *
 * A step touches no memory allocator, no lock and no system call: the clock is read through the vDSO, the live page is
 * mapped, step records go into a ring. What happens between steps (a pause, a checkpoint, an order) may do all of that.
 *
 * Where a run stands is `struct position` plus the variables on the device plus the state of the callbacks: fit_state
 * writes it into a checkpoint, fit_restore reads it, and the loop goes on from there byte for byte, also inside an
 * epoch and between the last batch and its validation.
 */
#ifndef ENGINE_TRAIN_FIT_H
#define ENGINE_TRAIN_FIT_H

#include "engine/train/callbacks.h"
#include "engine/train/checkpoint.h"
#include "engine/train/pass.h"
#include "engine/train/steering.h"
#include "engine/train/step.h"
#include "persistence/runs/run_folder.h"
#include "persistence/runs/run_live.h"

struct position {
    int64_t epoch;         /* epochs finished, as Keras counts: the 0-based number of the one in progress */
    int64_t batch;         /* batches done in the epoch in progress; 0 = it has not begun */
    int64_t epoch_batches; /* how many it has; 0 = it has not begun */
    int64_t step;          /* optimizer batches since the very first */
};

enum fit_end { FIT_FINISHED, FIT_STOPPED };

struct fit_vitals { /* what the control thread measures for the live page */
    _Atomic int64_t resident_bytes;
    _Atomic int64_t cpu_share_percent; /* 100 = one core */
};

struct fit;
struct fit_place { /* where a fit leaves its traces; all lent */
    struct journal *journal;
    struct run_writer *run; /* run.json gets running, paused, ... NULL in tests */
    const char *run_folder, *run_id;
    struct run_live *live; /* NULL = none */
    struct steering *steering;
    const struct fit_vitals *vitals; /* NULL = unknown */
    /* with last_logs in place; NULL = nobody wants to know */
    void (*epoch_ended)(void *context, const struct fit *fit);
    void *context;
};

struct fit {
    struct session *session;
    const char *where; /* names the config in messages */
    struct fit_place o;
    struct arena arena; /* names in last_logs */
    struct callback_options callback_options;
    struct position at;
    int64_t epochs;
    int64_t validation_freq;         /* 0: validation_epochs decides */
    const json_t *validation_epochs; /* list of 1-based epochs, lent; NULL */
    int64_t every_steps;
    struct pass train, validation; /* validation.n_samples 0 = none */
    struct step_pair train_steps, validation_steps;
    double *class_weights;
    int64_t n_class_weights;
    struct callbacks *callbacks;
    struct callback_actions actions;
    struct checkpointer *checkpointer;
    struct logs logs;          /* of the epoch or batch at hand */
    struct logs last_logs;     /* of the last finished epoch */
    char **names, **val_names; /* of the metrics: "loss", "val_loss" */
    double *results;
    void *zeros;           /* as many bytes as the largest metric variable */
    void **totals;         /* host copies, one per metric variable */
    void **train_totals;   /* those of the training part while validation runs */
    double learning_rate;  /* of the variable; NaN with a schedule */
    double best;           /* monitored value of the best automatic checkpoint; NaN = none yet */
    bool best_by_callback; /* a ModelCheckpoint with save_best_only says what is best */
    bool saved;            /* a full checkpoint of exactly this state, no backup, has been handed to the writer */
    bool finalized;        /* the end of fit has replaced the weights (averages, best weights) */
    bool stop_asked, stop_by_callback, stop_by_signal;
    bool saw_nan;          /* a metric was NaN or infinite: said once */
    uint64_t history_hash; /* of all epoch records so far: equal for a resumed and an uninterrupted run */
    char stop_reason[200];
    struct run_live page;
    int64_t next_page_ns;
    struct pace_mark {
        int64_t step, ns;
    } pace[2];                         /* the live page's steps a second are counted from the older one */
    int64_t backup_ns, next_backup_ns; /* training time between backups (0 = none), and the clock of the next */
};

/* Reads the config's fit, callbacks, keep and history objects, makes the plans, passes and callbacks: everything that
 * can be wrong is found here. The session's device is started, its weights are in place. On failure nothing remains. */
bool fit_init(struct fit *fit, struct session *session, const char *where, struct err *err) MUST_USE;
/* Tells it where to write; before fit_restore and fit_run. */
bool fit_attach(struct fit *fit, const struct fit_place *place, struct err *err) MUST_USE;
void fit_release(struct fit *fit);

/* The "antler" object of a checkpoint. New reference. */
json_t *fit_state(struct fit *fit);
/* Is it such a state, of a version known here, whose position and callbacks can be true? ERR_FORMAT. Touches nothing:
 * asked before a run is made from it. */
bool fit_check_state(const json_t *state, struct err *err) MUST_USE;
/* Goes on from such a state; the session's weights are those of the same file. `exact` is cleared and `why` says so
 * where the position inside an epoch cannot be kept (other data, other batch size). */
bool fit_restore(struct fit *fit, const json_t *state, bool *exact, struct str *why, struct err *err) MUST_USE;
/* What has computed the state, where that is another kind of device or other kernels than those that go on from it:
 * then the numbers are close to those of the uninterrupted run, not equal. NULL where they are the same; free() it. */
char *fit_state_other_machine(const struct fit *fit, const json_t *state);
/* After fit_restore: one more of the files that were asked for at the moment of that state ("due" there: more than one
 * ModelCheckpoint had its turn), which a kill kept from being written. */
bool fit_save_due(struct fit *fit, const json_t *state, const json_t *due, struct err *err) MUST_USE;
/* What history_bytes a state says; 0 for none. */
int64_t fit_state_history_bytes(const json_t *state);
/* Why a callback had ended the training when the state was written; NULL where none had. Lent. */
const char *fit_state_stopped(const json_t *state);
/* After fit_restore: somebody asked for more than the callback that had ended the training. Without it fit_run only
 * ends the run, as the uninterrupted one did. */
void fit_train_on(struct fit *fit);

/* With session->profile: {"machine": {"device", "kernels", "gflops", "gbytes_per_s"}, "memory": as memory_estimate, and
 * "peak", "train", "validation": profile_times, profile_kernels of the full batches, "batch_size", "multiply_adds" of
 * one}. Measures the machine for some 50 ms. New reference. */
json_t *fit_profile(const struct fit *fit);

/* Trains to the end. False: err says what failed; what was trained up to the last checkpoint can be resumed. */
bool fit_run(struct fit *fit, enum fit_end *end, struct err *err) MUST_USE;

#endif
