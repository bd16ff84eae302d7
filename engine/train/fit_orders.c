/* fit_orders.c - what people ask of the running training, carried out between two steps and answered in the history.
 *
 *             STEER_PAUSE                STEER_CONTINUE
 *   running -------------> paused (wait) ---------------> running
 *      | STEER_STOP          | STEER_STOP
 *      v                     v
 *   stop_asked: the loop ends, fit_run writes the last checkpoint
 */
#include "engine/train/fit_internal.h"

#include <math.h>
#include <stdio.h>

static void answer(struct fit *fit, const struct steering_order *order, const char *error)
{
    json_t *event = json_object();
    json_object_set_new(event, "event", json_string(order->signal ? "signal" : "command"));
    if (order->signal)
        json_object_set_new(event, "signal", json_string(order->signal));
    else
        json_object_set_new(event, "number", json_integer(order->number));
    json_object_set_new(event, "command", json_string(steering_word(order->verb)));
    if (!isnan(order->value))
        json_object_set_new(event, "value", js_number(order->value));
    json_object_set_new(event, "ok", json_boolean(!error));
    if (error)
        json_object_set_new(event, "error", json_string(error));
    fit_event(fit, event);
}

static bool set_state(struct fit *fit, enum run_state state, struct err *err)
{
    fit_page(fit, state == RUN_PAUSED ? LIVE_PAUSED : LIVE_TRAINING);
    fit_page_new_pace(fit);
    return !fit->o.run || run_set_state(fit->o.run, state, fit->at.epoch, fit->at.step, NULL, err);
}

/* A checkpoint of this very moment. The name says the step; at an epoch border it is the same as the end of that epoch.
 */
static const char *checkpoint_now(struct fit *fit, struct err *err)
{
    char file[64];
    snprintf(file, sizeof file, "step-%06lld.keras", (long long)fit->at.step);
    fit_log_moment(fit);
    bool ok = fit_save(fit, file, false, false, fit->at.epoch + (fit->at.batch > 0), err) &&
              checkpointer_wait(fit->checkpointer, err);
    return ok ? NULL : err->text;
}

static const char *change_learning_rate(struct fit *fit, double value)
{
    if (!fit->session->compile->learning_rate)
        return "the learning rate follows a schedule";
    if (!isfinite(value) || value < 0)
        return "a learning rate is a number of 0 or more";
    fit_set_learning_rate(fit, value);
    return NULL;
}

/* The plan of the run changes: config.json follows, so that a resumed run knows it too. */
static const char *change_epochs(struct fit *fit, double value, struct err *err)
{
    if (!(value >= 1 && value <= 1e12) || value != floor(value))
        return "epochs is a whole number of 1 or more";
    if (value < (double)(fit->at.epoch + (fit->at.batch > 0)))
        return "the run is already further than that";
    json_t *epochs = json_integer((json_int_t)value);
    bool ok = js_put(fit->session->config, "fit.epochs", epochs, err) &&
              (!fit->o.run || run_save_config(fit->o.run_folder, fit->session->config, err));
    json_decref(epochs);
    if (!ok)
        return err->text;
    fit->epochs = (int64_t)value;
    fit_page(fit, LIVE_TRAINING);
    return NULL;
}

bool fit_obey(struct fit *fit, struct err *err)
{
    bool paused = false;
    struct steering_order order;
    while (!fit->stop_asked && (paused || steering_pending(fit->o.steering))) {
        if (!steering_take(fit->o.steering, &order)) {
            if (!paused)
                break;
            steering_wait(fit->o.steering);
            continue;
        }
        const char *error = NULL;
        struct err why = {0};
        switch (order.verb) {
        case STEER_STOP:
            fit->stop_asked = true;
            fit->stop_by_signal = order.signal != NULL;
            snprintf(fit->stop_reason, sizeof fit->stop_reason, "%s", order.signal ? order.signal : "asked to stop");
            break;
        case STEER_PAUSE:
        case STEER_CONTINUE:
            if (paused != (order.verb == STEER_PAUSE) &&
                !set_state(fit, order.verb == STEER_PAUSE ? RUN_PAUSED : RUN_RUNNING, err))
                return false;
            paused = order.verb == STEER_PAUSE;
            break;
        case STEER_CHECKPOINT:
            error = checkpoint_now(fit, &why);
            break;
        case STEER_LEARNING_RATE:
            error = change_learning_rate(fit, order.value);
            break;
        case STEER_EPOCHS:
            error = change_epochs(fit, order.value, &why);
            break;
        case STEERING_VERB_COUNT:
            break;
        }
        answer(fit, &order, error);
    }
    return true;
}
