/* fit.c - the training loop. See fit.h. */
#include "base/hash.h"
#include "base/io.h"
#include "engine/train/fit_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool begin_epoch(struct fit *fit, struct err *err)
{
    struct callback_moment moment = fit_moment(fit, fit->at.epoch);
    logs_clear(&fit->logs);
    if (!callbacks_epoch_begin(fit->callbacks, &moment, &fit->actions, err) ||
        !fit_carry_out(fit, &moment, fit->at.epoch, err))
        return false;
    fit_zero_totals(fit);
    fit->at.epoch_batches = pass_epoch_batches(&fit->train);
    return true;
}

/* What a finished batch is told to: callbacks that want it. */
static bool end_batch(struct fit *fit, enum callback_needs needs, struct err *err)
{
    logs_clear(&fit->logs);
    if (needs != CALLBACK_NEEDS_LOGS)
        logs_set(&fit->logs, "loss", fit_running_loss(fit));
    if (needs == CALLBACK_NEEDS_LOGS ? !fit_log_results(fit, false, err) : !session_works(fit->session, err))
        return false;
    struct callback_moment moment = fit_moment(fit, fit->at.epoch);
    return callbacks_batch_end(fit->callbacks, &moment, &fit->logs, &fit->actions, err) &&
           fit_carry_out(fit, &moment, fit->at.epoch + 1, err);
}

static bool record_loss(const struct fit *fit, struct step *step, struct err *err)
{
    if (!fit->every_steps || fit->at.step % fit->every_steps)
        return true;
    double loss = step_loss(step);
    if (!session_works(fit->session, err))
        return false;
    journal_step(fit->o.journal, fit->at.epoch + 1, fit->at.step, &loss);
    return true;
}

/* *now_ns: the clock behind the step. */
static bool run_step(struct fit *fit, int64_t *now_ns, struct err *err)
{
    int64_t n;
    const int64_t *positions = pass_next(&fit->train, &n);
    struct step *step = n == fit->train.batch && fit->train_steps.full ? fit->train_steps.full : fit->train_steps.rest;
    step_feed(step, SPLIT_TRAIN, positions);
    step_run(step);
    fit->at.batch++;
    fit->at.step++;
    fit->saved = false;
    if (!record_loss(fit, step, err))
        return false;
    *now_ns = io->monotonic_ns();
    if (fit_page_due(fit, *now_ns))
        fit_page_step(fit, *now_ns);
    return session_works(fit->session, err);
}

static bool train_batches(struct fit *fit, struct err *err)
{
    while (fit->at.batch < fit->at.epoch_batches && !fit->stop_by_callback) {
        if (steering_pending(fit->o.steering) && (!fit_obey(fit, err) || fit->stop_asked))
            return fit->stop_asked;
        int64_t now_ns;
        if (!run_step(fit, &now_ns, err))
            return false;
        enum callback_needs needs = callbacks_batch_needs(fit->callbacks);
        if ((needs != CALLBACK_NEEDS_NOTHING && !end_batch(fit, needs, err)) ||
            (now_ns >= fit->next_backup_ns && !fit_back_up(fit, err)))
            return false;
    }
    return true;
}

static bool run_batches(struct fit *fit, struct err *err)
{
    int64_t first = fit->at.batch;
    fit_page_epoch(fit);
    profile_begin(fit->session->profile, PROFILE_TRAIN);
    bool ok = train_batches(fit, err);
    profile_end(fit->session->profile, fit->at.batch - first);
    return ok;
}

static bool validates(const struct fit *fit)
{
    if (!fit->validation.n_samples)
        return false;
    int64_t epoch = fit->at.epoch + 1;
    if (!fit->validation_epochs)
        return epoch % fit->validation_freq == 0;
    for (size_t i = 0; i < json_array_size(fit->validation_epochs); i++)
        if (json_integer_value(json_array_get(fit->validation_epochs, i)) == epoch)
            return true;
    return false;
}

/* *left: because of an order; the totals of training are back on the device and the epoch still stands before its
 * validation. */
static bool validate(struct fit *fit, bool *left, struct err *err)
{
    struct profile *profile = fit->session->profile;
    int64_t start_ns = profile_clock(profile);
    fit_page(fit, LIVE_VALIDATING);
    fit_download_totals(fit, fit->train_totals);
    fit_zero_totals(fit);
    pass_seek(&fit->validation, 0, 0); /* Keras resets this iterator each time, also after validation_steps */
    int64_t n_batches = pass_epoch_batches(&fit->validation);
    profile_begin(profile, PROFILE_VALIDATE);
    for (int64_t b = 0; b < n_batches; b++) {
        if (steering_pending(fit->o.steering)) {
            fit_upload_totals(fit, fit->train_totals);
            *left = true;
            return true;
        }
        int64_t n;
        const int64_t *positions = pass_next(&fit->validation, &n);
        struct step *step = n == fit->validation.batch && fit->validation_steps.full ? fit->validation_steps.full
                                                                                     : fit->validation_steps.rest;
        step_feed(step, SPLIT_VALIDATION, positions);
        step_run(step);
    }
    profile_end(profile, n_batches);
    profile_span(profile, TRACE_TRAINING, "validation of epoch", fit->at.epoch + 1, start_ns);
    return fit_log_results(fit, true, err);
}

static void record_history(struct fit *fit)
{
    const struct logs *logs = &fit->logs;
    const char **names = xcalloc((size_t)logs->n + 1, sizeof *names);
    double *values = xcalloc((size_t)logs->n + 1, sizeof *values);
    uint64_t hash = hash_mix(fit->history_hash, &(int64_t[2]){fit->at.epoch, fit->at.step}, 2 * sizeof(int64_t));
    for (int i = 0; i < logs->n; i++) {
        names[i] = logs->entries[i].name;
        values[i] = logs->entries[i].value;
        hash = hash_mix(hash_mix(hash, names[i], strlen(names[i])), &values[i], sizeof values[i]);
        if (!isfinite(values[i]) && !fit->saw_nan) {
            fit->saw_nan = true;
            struct str text = {0};
            str_addf(&text, "%s became ", names[i]);
            str_add_double(&text, values[i]);
            str_addf(&text, " in epoch %lld", (long long)fit->at.epoch);
            fit_event(fit, json_pack("{s:s,s:s,s:s}", "event", "warning", "about", "metrics", "text", str_text(&text)));
            str_release(&text);
        }
    }
    fit->history_hash = hash;
    journal_metrics(fit->o.journal, fit->at.epoch, fit->at.step, names, values, (size_t)logs->n);
    logs_clear(&fit->last_logs);
    for (int i = 0; i < logs->n; i++)
        logs_set(&fit->last_logs, names[i], values[i]);
    if (fit->o.epoch_ended)
        fit->o.epoch_ended(fit->o.context, fit);
    free(names);
    free(values);
}

/* One line per epoch for log.txt. */
static void print_epoch(const struct fit *fit)
{
    struct str line = {0};
    str_addf(&line, "epoch %lld/%lld", (long long)fit->at.epoch, (long long)fit->epochs);
    for (int i = 0; i < fit->logs.n; i++)
        str_addf(&line, isnan(fit->logs.entries[i].value) ? "  %s NaN" : "  %s %.6g", fit->logs.entries[i].name,
                 fit->logs.entries[i].value);
    puts(str_text(&line));
    fflush(stdout);
    str_release(&line);
}

/* The epoch is over: position at the border, history, callbacks, checkpoints. */
static bool end_epoch(struct fit *fit, struct err *err)
{
    struct callback_moment moment = fit_moment(fit, fit->at.epoch);
    logs_sort(&fit->logs);
    pass_end_epoch(&fit->train);
    fit->at.epoch++;
    fit->at.batch = fit->at.epoch_batches = 0;
    fit->saved = false; /* what was kept between the last batch and here stands before the validation */
    if (!callbacks_epoch_end(fit->callbacks, &moment, &fit->logs, &fit->actions, err))
        return false;
    record_history(fit);
    print_epoch(fit);
    if (!fit_carry_out(fit, &moment, fit->at.epoch, err))
        return false;
    if (callbacks_save_checkpoints(fit->callbacks))
        return true;
    char file[64];
    snprintf(file, sizeof file, "epoch-%04lld.keras", (long long)fit->at.epoch);
    return fit_save(fit, file, true, fit_is_best(fit), fit->at.epoch, err);
}

static bool train_epoch(struct fit *fit, struct err *err)
{
    if (!fit->at.epoch_batches && !begin_epoch(fit, err))
        return false;
    for (;;) {
        if (!run_batches(fit, err))
            return false;
        if (fit->stop_asked)
            return true;
        logs_clear(&fit->logs);
        bool left = false;
        if (!fit_log_results(fit, false, err) || (validates(fit) && !validate(fit, &left, err)))
            return false;
        if (!left)
            return end_epoch(fit, err);
        if (!fit_obey(fit, err))
            return false;
        if (fit->stop_asked)
            return true;
    }
}

static bool run_epoch(struct fit *fit, struct err *err)
{
    int64_t number = fit->at.epoch + 1, start_ns = profile_clock(fit->session->profile);
    bool ok = train_epoch(fit, err);
    profile_span(fit->session->profile, TRACE_EPOCHS, "epoch", number, start_ns);
    return ok;
}

/* Keras' end of fit: callbacks may put the best weights back, the optimizer its averages. */
static bool end_training(struct fit *fit, struct err *err)
{
    struct callback_moment moment = fit_moment(fit, fit->at.epoch ? fit->at.epoch - 1 : 0);
    if (!callbacks_train_end(fit->callbacks, &moment, &fit->actions, err))
        return false;
    int slot = fit->actions.restore_weights;
    if (!fit_carry_out(fit, &moment, fit->at.epoch, err))
        return false;
    if (fit_finalize_optimizer(fit))
        fit->finalized = true;
    if (slot >= 0 && checkpointer_restore_weights(fit->checkpointer, slot))
        fit->finalized = true;
    if (fit->finalized)
        fit->saved = false;
    return true;
}

/* The last state is always in a full checkpoint. */
static bool save_last(struct fit *fit, struct err *err)
{
    if (!fit->saved) {
        fit_log_moment(fit);
        if (!fit_save(fit, checkpoint_final_file, false, false, fit->at.epoch + (fit->at.batch > 0), err))
            return false;
    }
    bool ok = checkpointer_wait(fit->checkpointer, err) && journal_sync(fit->o.journal, err);
    return ok || err_prefix(err, "the last state could not be saved (make room, then resume the run)");
}

bool fit_run(struct fit *fit, enum fit_end *end, struct err *err)
{
    struct callback_moment moment = fit_moment(fit, fit->at.epoch);
    fit_page_begin(fit);
    fit_page(fit, LIVE_TRAINING);
    if (!callbacks_train_begin(fit->callbacks, &moment, &fit->actions, err) ||
        !fit_carry_out(fit, &moment, fit->at.epoch, err))
        return false;
    while (fit->at.epoch < fit->epochs && !fit->stop_asked && (!fit->stop_by_callback || fit->at.batch))
        if (!run_epoch(fit, err))
            return false;
    if (!fit->stop_asked && !end_training(fit, err))
        return false;
    fit_page(fit, LIVE_SAVING);
    if (!save_last(fit, err))
        return false;
    *end = fit->stop_asked ? FIT_STOPPED : FIT_FINISHED;
    fit_event(fit, json_pack("{s:s,s:s*}", "event", fit->stop_asked ? "stopped" : "finished", "reason",
                             fit->stop_reason[0] ? fit->stop_reason : NULL));
    bool ok = !fit->o.run || run_set_state(fit->o.run, fit->stop_asked ? RUN_STOPPED : RUN_FINISHED, fit->at.epoch,
                                           fit->at.step, NULL, err);
    fit_page(fit, LIVE_ENDED);
    return ok;
}
