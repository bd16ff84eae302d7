/* callbacks.h - Keras' callbacks as rows of one table: what looks at the logs between steps and asks the trainer for
 * something.
 *
 * A callback never touches the model, the device or a checkpoint: it sees the moment and the logs and fills `struct
 * callback_actions`; the trainer does what is asked. What a callback must remember (best value, wait, cooldown, bytes
 * of its file) is its state: plain JSON that is stored in every checkpoint, so a resumed run decides exactly as the
 * uninterrupted one. No callback costs anything in a step it does not want: see callbacks_batch_needs.
 *
 *     callbacks_train_begin(cb, &moment, &actions, err)
 *     for each epoch:
 *         callbacks_epoch_begin(...)                       not again when resuming inside an epoch
 *         for each batch:
 *             switch (callbacks_batch_needs(cb))    NOTHING: do not call; LOSS, LOGS: call callbacks_batch_end
 *         logs = sorted training results, then val_ results (logs_sort)
 *         callbacks_epoch_end(...)                         may append "learning_rate": write the history after it
 *     callbacks_train_end(...)
 *
 * After each call the trainer carries out the actions: learning rate, weights to keep or restore, stop, checkpoints, in
 * this order. The state to be stored in a checkpoint is the one after that call. Callbacks run in the order of the
 * config.
 */
#ifndef ENGINE_TRAIN_CALLBACKS_H
#define ENGINE_TRAIN_CALLBACKS_H

#include "engine/compile/compile.h"

/* The logs of an epoch or a batch: history key -> value, in order. */
struct log_entry {
    const char *name; /* lent; must outlive the logs */
    double value;
};
struct logs {
    struct log_entry *entries; /* NULL while empty */
    int n;
    size_t capacity;
};
void logs_set(struct logs *logs, const char *name, double value); /* replaces or appends */
bool logs_get(const struct logs *logs, const char *name, double *value);
/* Keras' order of the history: the training keys sorted, then the "val_" keys sorted. Before callbacks_epoch_end. */
void logs_sort(struct logs *logs);
void logs_clear(struct logs *logs); /* keeps the memory */
void logs_release(struct logs *logs);

struct callback_moment {
    int64_t epoch;        /* 0-based, absolute */
    int64_t batch;        /* 0-based in its epoch; the last one finished at the end of an epoch */
    double learning_rate; /* the variable's value now; NaN with a schedule. Updated by callbacks that set it */
};

enum { CALLBACK_FILE_MAX = 200 };
struct checkpoint_request {
    char file[CALLBACK_FILE_MAX]; /* one path component, to be written in checkpoints/; replaces a file of that name */
    bool weights_only;            /* ends in .weights.h5 then, else in .keras */
    bool best;                    /* the monitored value improved (save_best_only) */
};

/* What the trainer has to do. Zero-initialised by the trainer once; each call clears it first and reuses its memory. */
struct callback_actions {
    bool stop;               /* training ends: at once after a batch, or after this epoch */
    const char *stop_reason; /* "EarlyStopping: val_loss has not improved for 3 epochs"; valid until the next call */
    bool set_learning_rate;  /* to moment->learning_rate */
    uint64_t keep_weights;   /* bit s: copy all weights of the model (not of the optimizer) into slot s */
    int restore_weights;     /* slot to copy back into the model, -1 for none (train_end only) */
    struct checkpoint_request *checkpoints;
    int n_checkpoints;
    size_t checkpoints_capacity;
    struct str messages; /* lines for log.txt and an event: warnings, and what verbose asks for; empty = none */
    struct str reason;   /* memory behind stop_reason */
};
void callback_actions_release(struct callback_actions *actions);

struct callback_options {   /* lent while the callbacks live */
    const char *run_folder; /* where CSVLogger writes; NULL = nothing is written (check) */
    bool no_validation;     /* there are no "val_" logs: a file name that wants one is refused at the start */
};

struct callbacks;

/* list: the config's "callbacks" (array or NULL), each {"class": "EarlyStopping", ...}. ERR_USAGE with place, found,
 * nearest for unknown classes, arguments, metrics to monitor, formats and file names. Callbacks that set the learning
 * rate are refused with a schedule. compile must outlive the callbacks; it may be NULL only for an empty list. */
struct callbacks *callbacks_new(const json_t *list, const struct compile *compile,
                                const struct callback_options *options, const char *where, struct err *err);
void callbacks_free(struct callbacks *all);
/* Whether a ModelCheckpoint is among them (otherwise the trainer keeps one checkpoint per epoch). */
bool callbacks_save_checkpoints(const struct callbacks *all);
/* How many slots of kept weights there are (keep_weights, restore_weights); a checkpoint must carry those that are
 * filled. */
int callbacks_weight_slots(const struct callbacks *all);

/* New reference: an array, one object per callback. */
json_t *callbacks_state(const struct callbacks *all);
/* Before callbacks_train_begin. Matches by class and position among its class, so that a branch with other callbacks
 * keeps what still applies; the rest starts anew. NULL = all anew. ERR_FORMAT when a state is damaged. */
bool callbacks_restore(struct callbacks *all, const json_t *state, struct err *err) MUST_USE;
/* After callbacks_restore: training goes on past a stop that one of them asked for; it counts its patience anew. */
void callbacks_train_on(struct callbacks *all);

/* False only when a file cannot be written, or a checkpoint's name cannot be formed (an unknown key, found here for
 * metrics that come later). */
bool callbacks_train_begin(struct callbacks *all, struct callback_moment *moment, struct callback_actions *actions,
                           struct err *err) MUST_USE;
bool callbacks_epoch_begin(struct callbacks *all, struct callback_moment *moment, struct callback_actions *actions,
                           struct err *err) MUST_USE;
/* Counts a finished batch and says what its end needs: nothing (then callbacks_batch_end is not called), the running
 * "loss" of the epoch, or all training logs so far. To be called exactly once per batch. Allocates nothing. */
enum callback_needs { CALLBACK_NEEDS_NOTHING, CALLBACK_NEEDS_LOSS, CALLBACK_NEEDS_LOGS };
enum callback_needs callbacks_batch_needs(struct callbacks *all);
bool callbacks_batch_end(struct callbacks *all, struct callback_moment *moment, const struct logs *logs,
                         struct callback_actions *actions, struct err *err) MUST_USE;
bool callbacks_epoch_end(struct callbacks *all, struct callback_moment *moment, struct logs *logs,
                         struct callback_actions *actions, struct err *err) MUST_USE;
bool callbacks_train_end(struct callbacks *all, struct callback_moment *moment, struct callback_actions *actions,
                         struct err *err) MUST_USE;

/* All callbacks with their arguments, defaults, help. New reference: an array. */
json_t *callbacks_describe(void);

#endif
