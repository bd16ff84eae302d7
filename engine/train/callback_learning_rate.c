/* callback_learning_rate.c - ReduceLROnPlateau and LearningRateScheduler.
 * Rules: keras/src/callbacks/{reduce_lr_on_plateau,learning_rate_scheduler}.py
 */
#include <math.h>

#include "engine/train/callback_class.h"

static const struct argument plateau_arguments[] = {
    {"monitor", ARG_STRING, "\"val_loss\"", NULL, 0, 0, "the metric that should improve"},
    {"factor", ARG_FLOAT, "0.1", NULL, 0, 0, "the learning rate is multiplied by it; below 1"},
    {"patience", ARG_INT, "10", NULL, 0, 1e9, "how many epochs without improvement are allowed"},
    {"verbose", ARG_INT, "0", NULL, 0, 2, "1: say what is done"},
    {"mode", ARG_CHOICE, "\"auto\"", "auto|min|max", 0, 0, "whether the metric should fall or rise"},
    {"min_delta", ARG_FLOAT, "0.0001", NULL, 0, 0, "less than this is no improvement"},
    {"cooldown", ARG_INT, "0", NULL, 0, 1e9, "epochs to wait after a reduction"},
    {"min_lr", ARG_FLOAT, "0.0", NULL, 0, 1e30, "the lowest learning rate"},
    {NULL, ARG_ANY, NULL, NULL, 0, 0, NULL}};

struct plateau {
    int64_t wait, cooling;
};

static bool plateau_build(struct callback *cb, const struct compile *compile, struct err *err)
{
    double factor = argument_double(plateau_arguments, cb->config, "factor");
    if (!(factor >= 0 && factor < 1))
        return err_set(err, ERR_USAGE, "%s.factor: must be below 1, found %g", cb->where, factor);
    cb->monitor.min_delta = fabs(argument_double(plateau_arguments, cb->config, "min_delta"));
    return callback_wants_learning_rate(cb, compile, err) && monitor_build(cb, compile, true, err);
}

static void reduce(struct callback *cb, struct callback_event *event)
{
    struct plateau *s = cb->state;
    double old = event->moment->learning_rate, least = argument_double(plateau_arguments, cb->config, "min_lr");
    if (!(old > (double)(float)least))
        return;
    callback_set_learning_rate(event, fmax(old * argument_double(plateau_arguments, cb->config, "factor"), least));
    if (callback_verbose(cb))
        callback_message(event, "epoch %lld: ReduceLROnPlateau reducing learning rate to %g",
                         (long long)event->moment->epoch + 1, event->moment->learning_rate);
    s->cooling = argument_int(plateau_arguments, cb->config, "cooldown");
    s->wait = 0;
}

static bool plateau_epoch_end(struct callback *cb, struct callback_event *event, struct err *err)
{
    (void)err;
    struct plateau *s = cb->state;
    struct monitor *m = &cb->monitor;
    double value;
    logs_set(event->logs, "learning_rate", event->moment->learning_rate);
    if (!monitor_get(cb, event, event->logs, &value))
        return true;
    if (s->cooling > 0) {
        s->cooling--;
        s->wait = 0;
    }
    if (monitor_improves(m, value, m->has_best, m->best)) {
        m->best = value;
        m->has_best = true;
        s->wait = 0;
    } else if (s->cooling <= 0 && ++s->wait >= argument_int(plateau_arguments, cb->config, "patience")) {
        reduce(cb, event);
    }
    return true;
}

static void plateau_save(const struct callback *cb, json_t *state)
{
    const struct plateau *s = cb->state;
    monitor_save(&cb->monitor, state);
    json_object_set_new(state, "wait", json_integer(s->wait));
    json_object_set_new(state, "cooldown", json_integer(s->cooling));
}

static bool plateau_load(struct callback *cb, const json_t *state, struct err *err)
{
    struct plateau *s = cb->state;
    s->wait = js_int(state, "wait", 0);
    s->cooling = js_int(state, "cooldown", 0);
    return monitor_load(&cb->monitor, state, err);
}

const struct callback_class callback_reduce_lr = {
    .row = {{"ReduceLROnPlateau", "lowers the learning rate when a metric has stopped improving", plateau_arguments},
            NULL},
    .state_size = sizeof(struct plateau),
    .build = plateau_build,
    .epoch_end = plateau_epoch_end,
    .save = plateau_save,
    .load = plateau_load,
};

static const struct argument scheduler_arguments[] = {
    {"schedule", ARG_EXPRESSION, NULL, NULL, 0, 0,
     "learning rate of the epoch from epoch (0-based) and lr: lr * 0.9 if epoch > 5 else lr"},
    {"verbose", ARG_INT, "0", NULL, 0, 2, "1: say what is done"},
    {NULL, ARG_ANY, NULL, NULL, 0, 0, NULL}};

struct scheduler {
    const struct expr *schedule;
};

static bool scheduler_build(struct callback *cb, const struct compile *compile, struct err *err)
{
    static const char *const names[] = {"epoch", "lr"};
    struct scheduler *s = cb->state;
    s->schedule = expr_parse(cb->arena, argument_string(scheduler_arguments, cb->config, "schedule"), names, 2, err);
    if (!s->schedule)
        return err_prefix(err, "%s.schedule", cb->where);
    return callback_wants_learning_rate(cb, compile, err);
}

static bool scheduler_epoch_begin(struct callback *cb, struct callback_event *event, struct err *err)
{
    const struct scheduler *s = cb->state;
    double inputs[] = {(double)event->moment->epoch, event->moment->learning_rate},
           rate = expr_eval_double(s->schedule, inputs);
    if (!isfinite(rate) || rate < 0)
        return err_set(err, ERR_USAGE, "%s.schedule: gives the learning rate %g in epoch %lld", cb->where, rate,
                       (long long)event->moment->epoch);
    callback_set_learning_rate(event, rate);
    if (callback_verbose(cb))
        callback_message(event, "epoch %lld: LearningRateScheduler setting learning rate to %g",
                         (long long)event->moment->epoch + 1, event->moment->learning_rate);
    return true;
}

static bool scheduler_epoch_end(struct callback *cb, struct callback_event *event, struct err *err)
{
    (void)cb;
    (void)err;
    logs_set(event->logs, "learning_rate", event->moment->learning_rate);
    return true;
}

const struct callback_class callback_lr_scheduler = {
    .row = {{"LearningRateScheduler", "sets the learning rate of each epoch by an expression", scheduler_arguments},
            NULL},
    .state_size = sizeof(struct scheduler),
    .build = scheduler_build,
    .epoch_begin = scheduler_epoch_begin,
    .epoch_end = scheduler_epoch_end,
};
