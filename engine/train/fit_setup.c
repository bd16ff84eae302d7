/* fit_setup.c - from a config to a training loop that is ready to run. See fit.h. */
#include "base/io.h"
#include "engine/train/fit_internal.h"
#include "persistence/runs/history_log.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool read_class_weights(struct fit *fit, const json_t *object, struct err *err)
{
    struct session *s = fit->session;
    if (!json_is_object(object) || !json_object_size(object))
        return true;
    if (s->data->has_sample_weight || s->model->n_outputs > 1)
        return err_set(err, ERR_USAGE, "%s: fit.class_weight works with one output and without sample weights",
                       fit->where);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) {
        int64_t class;
        double weight;
        if (!str_to_int64(key, &class) || class < 0 || class > 1000000 || !js_to_double(value, &weight) ||
            !(weight >= 0))
            return err_set(
                err, ERR_USAGE,
                "%s: fit.class_weight.%s: expected class number -> weight of 0 or more, as {\"0\": 1, \"1\": 2.5}",
                fit->where, key);
        int64_t n = fit->n_class_weights > class + 1 ? fit->n_class_weights : class + 1;
        fit->class_weights = xrealloc(fit->class_weights, (size_t)n * sizeof *fit->class_weights);
        for (int64_t c = fit->n_class_weights; c < n; c++)
            fit->class_weights[c] = 1;
        fit->n_class_weights = n;
        fit->class_weights[class] = weight;
    }
    return true;
}

/* Says which weights no sample of the training part will ever take. */
static void warn_of_absent_classes(struct fit *fit)
{
    struct session *s = fit->session;
    int k = fit->class_weights ? session_target_field(s, s->data, 0) : -1;
    if (k < 0)
        return;
    enum dtype dtype = compile_target_dtype(s->compile, 0);
    int64_t width = shape_elements(s->data->targets[k].shape), n = s->data->n_samples[SPLIT_TRAIN];
    void *target = xmalloc((size_t)width * 4 + 4);
    bool *seen = xcalloc((size_t)fit->n_class_weights + 1, sizeof *seen);
    for (int64_t i = 0; i < n; i++) {
        dataset_gather_target(s->data, SPLIT_TRAIN, k, &i, 1, dtype, target);
        int64_t class = step_class_of(target, dtype, 0, width);
        if (class >= 0 && class < fit->n_class_weights)
            seen[class] = true;
    }
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(json_object_get(s->config, "fit"), "class_weight"), key, value) {
        int64_t class;
        if (str_to_int64(key, &class) && !seen[class])
            str_addf(&s->warnings, "fit.class_weight.%s has no effect: no sample of the training part is of class %s\n",
                     key, key);
    }
    free(seen);
    free(target);
}

static bool read_arguments(struct fit *fit, struct err *err)
{
    const struct session *s = fit->session;
    const json_t *arguments = json_object_get(s->config, "fit");
    fit->epochs = session_fit_int(s, "epochs", 1);
    fit->at.epoch = session_fit_int(s, "initial_epoch", 0);
    const json_t *freq = json_object_get(arguments, "validation_freq");
    fit->validation_epochs = json_is_array(freq) ? freq : NULL;
    fit->validation_freq = session_fit_int(s, "validation_freq", 1);
    fit->every_steps = js_int(json_object_get(s->config, "history"), "every_steps", 0);
    fit->backup_ns = (int64_t)(js_double(s->config, "backup_minutes", 10) * 60e9);
    const json_t *callback;
    size_t i;
    json_array_foreach(json_object_get(s->config, "callbacks"), i, callback)
        fit->best_by_callback = fit->best_by_callback || js_bool(callback, "save_best_only", false);
    return read_class_weights(fit, json_object_get(arguments, "class_weight"), err);
}

/* As Keras warns that its input ran out of data. */
static void warn_of_steps(struct fit *fit, const char *key, const char *what, const struct pass *pass)
{
    if (pass->steps_per_epoch > pass->n_batches)
        str_addf(&fit->session->warnings, "fit.%s is %lld, the data give %lld batches of %lld: %s ends after those\n",
                 key, (long long)pass->steps_per_epoch, (long long)pass->n_batches, (long long)pass->batch, what);
}

static bool make_passes(struct fit *fit, struct err *err)
{
    struct session *s = fit->session;
    int64_t batch = session_fit_int(s, "batch_size", 32), n_validation = s->data->n_samples[SPLIT_VALIDATION];
    if (!pass_init(&fit->train, s->data->n_samples[SPLIT_TRAIN], batch, "train", err))
        return err_prefix(err, "%s", fit->where);
    fit->train.shuffle = js_bool(json_object_get(s->config, "fit"), "shuffle", true);
    fit->train.seed = s->seed;
    fit->train.steps_per_epoch = session_fit_int(s, "steps_per_epoch", 0);
    warn_of_steps(fit, "steps_per_epoch", "an epoch", &fit->train);
    pass_seek(&fit->train, fit->at.epoch, 0);
    if (!n_validation)
        return true;
    if (!pass_init(&fit->validation, n_validation, session_fit_int(s, "validation_batch_size", batch), "validation",
                   err))
        return false;
    fit->validation.steps_per_epoch = session_fit_int(s, "validation_steps", 0);
    warn_of_steps(fit, "validation_steps", "a validation", &fit->validation);
    return true;
}

static bool make_steps(struct fit *fit, struct err *err)
{
    struct session *s = fit->session;
    struct step_options o = {.kind = STEP_TRAIN,
                             .batch = fit->train.batch,
                             .data = s->data,
                             .class_weights = fit->class_weights,
                             .n_class_weights = fit->n_class_weights};
    if (!step_pair_new(&fit->train_steps, s, &o, fit->train.n_samples, err))
        return false;
    o.kind = STEP_EVALUATE;
    o.batch = fit->validation.batch;
    o.beside = fit->train_steps.full ? fit->train_steps.full : fit->train_steps.rest;
    return !fit->validation.n_samples || step_pair_new(&fit->validation_steps, s, &o, fit->validation.n_samples, err);
}

static bool make_memory(struct fit *fit, struct err *err)
{
    const struct compile *c = fit->session->compile;
    size_t n = (size_t)c->n_metric_variables, largest = 1;
    fit->totals = xcalloc(n + 1, sizeof *fit->totals);
    fit->train_totals = xcalloc(n + 1, sizeof *fit->train_totals);
    for (size_t i = 0; i < n; i++) {
        size_t bytes = variable_bytes(c->metric_variables[i]);
        largest = bytes > largest ? bytes : largest;
        fit->totals[i] = io_allocate(bytes, "metrics", err);
        fit->train_totals[i] = io_allocate(bytes, "metrics", err);
        if (!fit->totals[i] || !fit->train_totals[i])
            return false;
    }
    fit->zeros = io_allocate(largest, "metrics", err);
    if (!fit->zeros)
        return false;
    memset(fit->zeros, 0, largest);
    fit->results = xcalloc((size_t)c->n_metrics + 1, sizeof *fit->results);
    fit->val_names = xcalloc((size_t)c->n_metrics + 1, sizeof *fit->val_names);
    for (int i = 0; i < c->n_metrics; i++)
        fit->val_names[i] = xprintf("val_%s", c->metric_names[i]);
    return true;
}

static void read_learning_rate(struct fit *fit)
{
    const struct compile *c = fit->session->compile;
    float value = NAN;
    if (c->learning_rate)
        session_download(fit->session, c->learning_rate, &value);
    fit->learning_rate = value;
}

static bool make_callbacks(struct fit *fit, struct err *err)
{
    const struct session *s = fit->session;
    fit->callbacks =
        callbacks_new(json_object_get(s->config, "callbacks"), s->compile, &fit->callback_options, "callbacks", err);
    return fit->callbacks || err_prefix(err, "%s", fit->where);
}

bool fit_init(struct fit *fit, struct session *session, const char *where, struct err *err)
{
    *fit = (struct fit){.session = session, .where = where, .best = NAN, .actions.restore_weights = -1};
    if (!session_needs_compile(session, where, err))
        return false;
    if (!session->compile->n_optimizer_variables)
        return err_set(err, ERR_USAGE, "%s: compile.optimizer is missing: training needs one", where);
    if (!read_arguments(fit, err) || !make_passes(fit, err) || !make_steps(fit, err) || !make_memory(fit, err) ||
        !make_callbacks(fit, err)) {
        fit_release(fit);
        return false;
    }
    warn_of_absent_classes(fit);
    read_learning_rate(fit);
    return true;
}

bool fit_attach(struct fit *fit, const struct fit_place *place, struct err *err)
{
    fit->o = *place;
    fit->callback_options.run_folder =
        place->run_folder; /* known only now: the callbacks of fit_init proved that they can be made */
    callbacks_free(fit->callbacks);
    if (!make_callbacks(fit, err))
        return false;
    struct checkpointer_options o = {.session = fit->session,
                                     .journal = place->journal,
                                     .run_folder = place->run_folder,
                                     .keep = js_int(fit->session->config, "keep", 0),
                                     .n_weight_slots = callbacks_weight_slots(fit->callbacks)};
    fit->checkpointer = checkpointer_new(&o, err);
    fit_backup_later(fit);
    if (fit->checkpointer && fit->every_steps)
        journal_steps_begin(place->journal, (const char *const[]){HISTORY_BATCH_LOSS}, 1);
    return fit->checkpointer != NULL;
}

void fit_release(struct fit *fit)
{
    checkpointer_free(fit->checkpointer);
    callbacks_free(fit->callbacks);
    callback_actions_release(&fit->actions);
    step_pair_release(&fit->validation_steps); /* in the memory of the others */
    step_pair_release(&fit->train_steps);
    pass_release(&fit->train);
    pass_release(&fit->validation);
    logs_release(&fit->logs);
    logs_release(&fit->last_logs);
    arena_release(&fit->arena);
    const struct compile *c = fit->session ? fit->session->compile : NULL;
    for (int i = 0; c && i < c->n_metric_variables; i++) {
        free(fit->totals ? fit->totals[i] : NULL);
        free(fit->train_totals ? fit->train_totals[i] : NULL);
    }
    for (int i = 0; c && fit->val_names && i < c->n_metrics; i++)
        free(fit->val_names[i]);
    free(fit->totals);
    free(fit->train_totals);
    free(fit->val_names);
    free(fit->results);
    free(fit->zeros);
    free(fit->class_weights);
    *fit = (struct fit){0};
}
