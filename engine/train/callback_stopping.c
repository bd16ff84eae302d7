/* callback_stopping.c - EarlyStopping and TerminateOnNaN. Rules:
 * keras/src/callbacks/{early_stopping,terminate_on_nan}.py */
#include <math.h>

#include "engine/train/callback_class.h"

static const struct argument stopping_arguments[] = {
    {"monitor", ARG_STRING, "\"val_loss\"", NULL, 0, 0, "the metric that should improve"},
    {"min_delta", ARG_FLOAT, "0", NULL, 0, 0, "less than this is no improvement"},
    {"patience", ARG_INT, "0", NULL, 0, 1e9, "how many epochs without improvement are allowed"},
    {"verbose", ARG_INT, "0", NULL, 0, 2, "1: say what is done"},
    {"mode", ARG_CHOICE, "\"auto\"", "auto|min|max", 0, 0, "whether the metric should fall or rise"},
    {"baseline", ARG_FLOAT, "null", NULL, 0, 0, "a value that must be beaten"},
    {"restore_best_weights", ARG_BOOL, "false", NULL, 0, 0, "end with the weights of the best epoch"},
    {"start_from_epoch", ARG_INT, "0", NULL, 0, 1e9, "epochs before it do not count"},
    {NULL, ARG_ANY, NULL, NULL, 0, 0, NULL}};

struct stopping {
    int64_t wait, patience, start, best_epoch, stopped_epoch; /* epochs are 0-based */
    bool has_baseline, kept;
    double baseline;
};

static bool stopping_build(struct callback *cb, const struct compile *compile, struct err *err)
{
    struct stopping *s = cb->state;
    const struct argument *arguments = stopping_arguments;
    s->patience = argument_int(arguments, cb->config, "patience");
    s->start = argument_int(arguments, cb->config, "start_from_epoch");
    s->has_baseline = js_to_double(argument(arguments, cb->config, "baseline"), &s->baseline);
    cb->monitor.min_delta = fabs(argument_double(arguments, cb->config, "min_delta"));
    return monitor_build(cb, compile, true, err);
}

static bool stopping_epoch_end(struct callback *cb, struct callback_event *event, struct err *err)
{
    (void)err;
    struct stopping *s = cb->state;
    struct monitor *m = &cb->monitor;
    int64_t epoch = event->moment->epoch;
    double value;
    if (!monitor_get(cb, event, event->logs, &value) || epoch < s->start)
        return true;
    if (cb->slot >= 0 && !s->kept) {
        event->actions->keep_weights |= UINT64_C(1) << cb->slot;
        s->kept = true;
        s->best_epoch = epoch;
    }
    s->wait++;
    if (monitor_improves(m, value, m->has_best, m->best)) {
        m->best = value;
        m->has_best = true;
        s->best_epoch = epoch;
        if (cb->slot >= 0)
            event->actions->keep_weights |= UINT64_C(1) << cb->slot;
        if (!s->has_baseline || monitor_improves(m, value, true, s->baseline))
            s->wait = 0;
        return true;
    }
    if (s->wait < s->patience || epoch == 0)
        return true;
    s->stopped_epoch = epoch;
    event->actions->stop = true;
    str_clear(&event->actions->reason);
    str_addf(&event->actions->reason, "EarlyStopping: %s has not improved for %lld epoch%s", m->name,
             (long long)s->wait, s->wait == 1 ? "" : "s");
    if (callback_verbose(cb))
        callback_message(event, "epoch %lld: early stopping", (long long)epoch + 1);
    return true;
}

static bool stopping_train_end(struct callback *cb, struct callback_event *event, struct err *err)
{
    (void)err;
    const struct stopping *s = cb->state;
    if (cb->slot < 0 || !s->kept)
        return true;
    event->actions->restore_weights = cb->slot;
    if (callback_verbose(cb))
        callback_message(event, "restoring the weights of the best epoch: %lld", (long long)s->best_epoch + 1);
    return true;
}

static void stopping_save(const struct callback *cb, json_t *state)
{
    const struct stopping *s = cb->state;
    monitor_save(&cb->monitor, state);
    json_object_set_new(state, "wait", json_integer(s->wait));
    json_object_set_new(state, "best_epoch", json_integer(s->best_epoch));
    json_object_set_new(state, "kept", json_boolean(s->kept));
    json_object_set_new(state, "slot", json_integer(cb->slot));
}

static bool stopping_load(struct callback *cb, const json_t *state, struct err *err)
{
    struct stopping *s = cb->state;
    s->wait = js_int(state, "wait", 0);
    s->best_epoch = js_int(state, "best_epoch", 0);
    s->kept = cb->slot >= 0 && js_bool(state, "kept", false) && js_int(state, "slot", -1) == cb->slot;
    return monitor_load(&cb->monitor, state, err);
}

static void stopping_train_on(struct callback *cb)
{
    struct stopping *s = cb->state;
    s->wait = 0;
}

const struct callback_class callback_early_stopping = {
    .row = {{"EarlyStopping", "ends the training when a metric has stopped improving", stopping_arguments}, NULL},
    .state_size = sizeof(struct stopping),
    .build = stopping_build,
    .epoch_end = stopping_epoch_end,
    .train_end = stopping_train_end,
    .save = stopping_save,
    .load = stopping_load,
    .train_on = stopping_train_on,
};

static const struct argument nan_arguments[] = {
    {"raise_error", ARG_BOOL, "false", NULL, 0, 0, "the run fails instead of ending"},
    {NULL, ARG_ANY, NULL, NULL, 0, 0, NULL}};

static enum callback_needs nan_batch(struct callback *cb)
{
    (void)cb;
    return CALLBACK_NEEDS_LOSS;
}

static bool nan_batch_end(struct callback *cb, struct callback_event *event, struct err *err)
{
    double loss;
    if (!logs_get(event->batch_logs, "loss", &loss) || isfinite(loss))
        return true;
    long long epoch = (long long)event->moment->epoch + 1, batch = (long long)event->moment->batch + 1;
    if (argument_bool(nan_arguments, cb->config, "raise_error"))
        return err_set(err, ERR_FAILED, "the loss is %s in batch %lld of epoch %lld", isnan(loss) ? "NaN" : "infinite",
                       batch, epoch);
    event->actions->stop = true;
    str_clear(&event->actions->reason);
    str_addf(&event->actions->reason, "TerminateOnNaN: the loss is %s in batch %lld of epoch %lld",
             isnan(loss) ? "NaN" : "infinite", batch, epoch);
    return true;
}

const struct callback_class callback_terminate_on_nan = {
    .row = {{"TerminateOnNaN", "ends the training when the loss is NaN or infinite", nan_arguments}, NULL},
    .batch = nan_batch,
    .batch_end = nan_batch_end,
};
