/* callback_class.h - one row of the table of callbacks and what its functions get. To add a callback: a file
 * callback_<name>.c, a row in callbacks.c, its cases in tests/unit/test_callbacks.c and, where Keras has it,
 * tests/keras.
 */
#ifndef ENGINE_TRAIN_CALLBACK_CLASS_H
#define ENGINE_TRAIN_CALLBACK_CLASS_H

#include "engine/compile/named.h"
#include "engine/train/callbacks.h"

struct monitor {      /* what ModelCheckpoint, EarlyStopping and ReduceLROnPlateau watch */
    const char *name; /* "val_loss" */
    bool up;          /* larger is better */
    double min_delta;
    bool has_best;
    double best;
    bool warned; /* that it is missing; said once */
};

struct callback {
    const struct callback_class *class;
    const json_t *config; /* checked, lent */
    const char *where;
    const struct callback_options *options;
    struct arena *arena;
    struct monitor monitor;
    int slot;    /* of kept weights; -1 = none */
    void *state; /* class->state_size bytes, zeroed */
};

struct callback_event {
    struct callback_moment *moment;
    struct logs *logs;             /* of the epoch; NULL at its begin */
    const struct logs *batch_logs; /* of a batch */
    struct callback_actions *actions;
};

/* All functions are optional. What can fail explains in err. */
struct callback_class {
    struct named_row row;
    size_t state_size;
    bool (*build)(struct callback *cb, const struct compile *compile, struct err *err);
    bool (*train_begin)(struct callback *cb, struct callback_event *event, struct err *err);
    bool (*epoch_begin)(struct callback *cb, struct callback_event *event, struct err *err);
    enum callback_needs (*batch)(struct callback *cb);
    bool (*batch_end)(struct callback *cb, struct callback_event *event, struct err *err);
    bool (*epoch_end)(struct callback *cb, struct callback_event *event, struct err *err);
    bool (*train_end)(struct callback *cb, struct callback_event *event, struct err *err);
    void (*save)(const struct callback *cb, json_t *state); /* adds its keys */
    bool (*load)(struct callback *cb, const json_t *state, struct err *err);
    void (*train_on)(struct callback *cb); /* training goes on past a stop */
    void (*close)(struct callback *cb);
};

extern const struct callback_class callback_model_checkpoint, callback_early_stopping, callback_reduce_lr,
    callback_lr_scheduler, callback_terminate_on_nan, callback_csv_logger;

static inline const struct argument *callback_arguments(const struct callback *cb)
{
    return cb->class->row.class.arguments;
}

/* monitor.c - Keras' rule: mode auto asks the metric for its direction. required: the direction must be known (else up
 * is false). */
bool monitor_build(struct callback *cb, const struct compile *compile, bool required, struct err *err);
/* Strictly better than the best so far; the first value is. NaN never is. Compared in float32, as Keras does. */
bool monitor_improves(const struct monitor *monitor, double value, bool has_reference, double reference);
/* The monitored value; false, and a message the first time, when the logs have none. */
bool monitor_get(struct callback *cb, struct callback_event *event, const struct logs *logs, double *value);
void monitor_save(const struct monitor *monitor, json_t *state);
bool monitor_load(struct monitor *monitor, const json_t *state, struct err *err);

/* Sets moment->learning_rate to the nearest float and asks for it. */
void callback_set_learning_rate(struct callback_event *event, double learning_rate);
/* Refuses (ERR_USAGE) when the optimizer's learning rate is a schedule or there is no optimizer. */
bool callback_wants_learning_rate(const struct callback *cb, const struct compile *compile, struct err *err);
void callback_message(struct callback_event *event, const char *format, ...) PRINTF(2, 3);
bool callback_verbose(const struct callback *cb);

#endif
