/* fit_state.c - where a run stands, as the "antler" object of a checkpoint's metadata.json. See fit.h.
 *
 *     {"version": 1, "run": id, "epoch": finished epochs, "batch": done in the next one, "epoch_batches", "step",
 *      "seed", "order": {"pass", "seen", "samples", "batch", "shuffle"},
 *      "totals": [[...] per metric variable] inside an epoch, "callbacks": [...], "learning_rate", "best",
 *      "compile": config, "history_bytes", "history_hash", "data_fingerprint", "data_scale", "machine": {"backend",
 * "threads", "kernels"}, "finalized", "stopped": why a callback ended the training, else absent}
 */
#include "engine/train/fit_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATE_VERSION = 1 };

static void set_hex(json_t *object, const char *key, uint64_t value)
{
    char text[20];
    snprintf(text, sizeof text, "%016" PRIx64, value);
    json_object_set_new(object, key, json_string(text));
}

static uint64_t get_hex(const json_t *object, const char *key)
{
    return strtoull(js_string(object, key, "0"), NULL, 16);
}

static json_t *totals_json(struct fit *fit)
{
    const struct compile *c = fit->session->compile;
    json_t *all = json_array();
    fit_download_totals(fit, fit->totals);
    for (int i = 0; i < c->n_metric_variables; i++) {
        const struct variable *v = c->metric_variables[i];
        json_t *one = json_array();
        for (int64_t k = 0; k < shape_elements(v->shape); k++)
            json_array_append_new(one, v->dtype == DTYPE_I32 ? json_integer(((const int32_t *)fit->totals[i])[k])
                                                             : js_number(((const float *)fit->totals[i])[k]));
        json_array_append_new(all, one);
    }
    return all;
}

static json_t *machine_json(const struct session *s)
{
    struct str kernels = {0};
    if (s->backend->describe)
        s->backend->describe(s->device, &kernels);
    json_t *machine = json_pack("{s:s,s:i,s:s,s:s}", "backend", s->backend->name, "threads", s->n_threads, "kernels",
                                str_text(&kernels), "build", ANTLER_VERSION);
    str_release(&kernels);
    return machine;
}

/* Without the number of threads, which changes no number. */
static size_t kernels_length(const char *kernels)
{
    const char *comma = strrchr(kernels, ',');
    return comma && strstr(comma, " thread") ? (size_t)(comma - kernels) : strlen(kernels);
}

char *fit_state_other_machine(const struct fit *fit, const json_t *state)
{
    const json_t *then = json_object_get(state, "machine");
    json_t *now = machine_json(fit->session);
    const char *old = js_string(then, "kernels", ""), *own = js_string(now, "kernels", "");
    const char *backend = js_string(then, "backend", "");
    int n_old = (int)kernels_length(old), n_own = (int)kernels_length(own);
    bool same = !json_is_object(then) ||
                (!strcmp(backend, fit->session->backend->name) && n_old == n_own && !memcmp(old, own, (size_t)n_old));
    char *text =
        same ? NULL
             : xprintf("it was trained on %s (%.*s) and goes on on %s (%.*s): what it becomes is close to what it "
                       "would have been, not the same to the last bit",
                       backend, n_old, old, fit->session->backend->name, n_own, own);
    json_decref(now);
    return text;
}

json_t *fit_state(struct fit *fit)
{
    const struct session *s = fit->session;
    json_t *state =
        json_pack("{s:i,s:s,s:I,s:I,s:I,s:I,s:I}", "version", STATE_VERSION, "run", fit->o.run_id ? fit->o.run_id : "",
                  "epoch", (json_int_t)fit->at.epoch, "batch", (json_int_t)fit->at.batch, "epoch_batches",
                  (json_int_t)fit->at.epoch_batches, "step", (json_int_t)fit->at.step, "seed", (json_int_t)s->seed);
    json_object_set_new(state, "order",
                        json_pack("{s:I,s:I,s:I,s:I,s:b}", "pass", (json_int_t)fit->train.number, "seen",
                                  (json_int_t)fit->train.seen, "samples", (json_int_t)fit->train.n_samples, "batch",
                                  (json_int_t)fit->train.batch, "shuffle", fit->train.shuffle));
    if (fit->at.epoch_batches)
        json_object_set_new(state, "totals", totals_json(fit));
    json_object_set_new(state, "callbacks", callbacks_state(fit->callbacks));
    json_object_set_new(state, "learning_rate", js_number(fit->learning_rate));
    json_object_set_new(state, "best", js_number(fit->best));
    json_object_set_new(state, "history_bytes", json_integer(journal_length(fit->o.journal)));
    json_object_set(state, "compile", s->compile_config);
    set_hex(state, "history_hash", fit->history_hash);
    set_hex(state, "data_fingerprint", s->data->fingerprint);
    json_object_set_new(state, "data_scale", dataset_scale(s->data));
    json_object_set_new(state, "machine", machine_json(s));
    json_object_set_new(state, "finalized", json_boolean(fit->finalized));
    if (fit->stop_by_callback)
        json_object_set_new(state, "stopped", json_string(fit->stop_reason));
    return state;
}

int64_t fit_state_history_bytes(const json_t *state)
{
    return js_int(state, "history_bytes", 0);
}

const char *fit_state_stopped(const json_t *state)
{
    return js_string(state, "stopped", NULL);
}

void fit_train_on(struct fit *fit)
{
    if (fit->stop_by_callback)
        callbacks_train_on(fit->callbacks);
    fit->stop_by_callback = false;
    fit->stop_reason[0] = 0;
}

static bool restore_totals(struct fit *fit, const json_t *all, struct err *err)
{
    const struct compile *c = fit->session->compile;
    if (json_array_size(all) != (size_t)c->n_metric_variables)
        return err_set(err, ERR_FORMAT, "the checkpoint has partial results of %zu metrics, the config %d",
                       json_array_size(all), c->n_metric_variables);
    for (int i = 0; i < c->n_metric_variables; i++) {
        const struct variable *v = c->metric_variables[i];
        const json_t *one = json_array_get(all, (size_t)i);
        if ((int64_t)json_array_size(one) != shape_elements(v->shape))
            return err_set(err, ERR_FORMAT, "the checkpoint's partial result '%s' has %zu numbers, expected %lld",
                           v->path, json_array_size(one), (long long)shape_elements(v->shape));
        for (size_t k = 0; k < json_array_size(one); k++) {
            double value = 0;
            if (!js_to_double(json_array_get(one, k), &value))
                return err_set(err, ERR_FORMAT, "the checkpoint's partial result '%s' holds what is no number",
                               v->path);
            if (v->dtype == DTYPE_I32)
                ((int32_t *)fit->totals[i])[k] = (int32_t)value;
            else
                ((float *)fit->totals[i])[k] = (float)value;
        }
    }
    fit_upload_totals(fit, fit->totals);
    return true;
}

/* Whether the same samples come in the same order as in the run that wrote the state. */
static bool same_order(const struct fit *fit, const json_t *state, struct str *why)
{
    const json_t *order = json_object_get(state, "order");
    const struct session *s = fit->session;
    const char *what = NULL;
    if (get_hex(state, "data_fingerprint") != s->data->fingerprint)
        what = "the data are not those it was trained on";
    else if (js_int(order, "samples", -1) != fit->train.n_samples)
        what = "the number of samples is another";
    else if (js_int(order, "batch", -1) != fit->train.batch)
        what = "the batch size is another";
    else if (js_bool(order, "shuffle", false) != fit->train.shuffle ||
             (fit->train.shuffle && js_int(state, "seed", -1) != (int64_t)s->seed))
        what = "the order of the samples is another";
    if (what)
        str_addf(why, "%s\n", what);
    return !what;
}

static struct position position_of(const json_t *state)
{
    return (struct position){.epoch = js_int(state, "epoch", -1),
                             .batch = js_int(state, "batch", -1),
                             .epoch_batches = js_int(state, "epoch_batches", -1),
                             .step = js_int(state, "step", -1)};
}

bool fit_check_state(const json_t *state, struct err *err)
{
    const struct position at = position_of(state);
    const json_t *order = json_object_get(state, "order"), *callbacks = json_object_get(state, "callbacks");
    int64_t version = js_int(state, "version", 0), pass = js_int(order, "pass", 0);
    if (version != STATE_VERSION)
        return err_set(err, ERR_FORMAT, "the checkpoint's position is of version %lld, this antler knows version %d",
                       (long long)version, STATE_VERSION);
    if (at.epoch < 0 || at.batch < 0 || at.step < 0 || at.batch > at.epoch_batches || pass < 0 || pass > 1 << 20 ||
        js_int(order, "seen", 0) < 0)
        return err_set(err, ERR_FORMAT, "the checkpoint's position makes no sense (epoch %lld, batch %lld of %lld)",
                       (long long)at.epoch, (long long)at.batch, (long long)at.epoch_batches);
    return !callbacks || json_is_null(callbacks) || json_is_array(callbacks) ||
           err_set(err, ERR_FORMAT, "the checkpoint's state of callbacks is %s, expected a list",
                   js_type_name(callbacks));
}

static bool restore_position(struct fit *fit, const json_t *state, bool *exact, struct str *why, struct err *err)
{
    fit->at = position_of(state);
    const struct position *at = &fit->at;
    const json_t *order = json_object_get(state, "order");
    int64_t pass = js_int(order, "pass", 0), seen = js_int(order, "seen", 0);
    *exact = same_order(fit, state, why);
    if (!*exact) {
        if (at->batch)
            str_addf(why, "epoch %lld is trained again from its first batch\n", (long long)at->epoch + 1);
        fit->at.batch = fit->at.epoch_batches = 0;
        pass_seek(&fit->train, at->epoch, 0);
        return true;
    }
    if (seen > fit->train.n_batches || at->epoch_batches - at->batch > fit->train.n_batches - seen)
        return err_set(err, ERR_FORMAT, "the checkpoint stands behind batch %lld of %lld: it cannot be from this run",
                       (long long)seen, (long long)fit->train.n_batches);
    pass_seek(&fit->train, pass, seen);
    return !at->epoch_batches || restore_totals(fit, json_object_get(state, "totals"), err);
}

bool fit_restore(struct fit *fit, const json_t *state, bool *exact, struct str *why, struct err *err)
{
    if (!fit_check_state(state, err) || !restore_position(fit, state, exact, why, err) ||
        !callbacks_restore(fit->callbacks, json_object_get(state, "callbacks"), err) ||
        !checkpointer_load_slots(fit->checkpointer, fit->session->file, err))
        return false;
    const char *stopped = fit_state_stopped(state);
    fit->stop_by_callback = stopped != NULL;
    snprintf(fit->stop_reason, sizeof fit->stop_reason, "%s", stopped ? stopped : "");
    fit->best = js_double(state, "best", NAN);
    fit->history_hash = get_hex(state, "history_hash");
    const json_t *metrics = js_at(state, "record.metrics");
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)metrics, name, value) {
        double number;
        if (!fit->at.batch && js_to_double(value, &number))
            logs_set(&fit->last_logs, arena_strdup(&fit->arena, name), number);
    }
    return true;
}
