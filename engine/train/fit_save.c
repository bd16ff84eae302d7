/* fit_save.c - what the callbacks ask for is done here: learning rate, kept weights, checkpoints, stop. See
 * fit_internal.h. */
#include "base/io.h"
#include "engine/train/fit_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct callback_moment fit_moment(const struct fit *fit, int64_t epoch)
{
    int64_t batch = fit->at.batch ? fit->at.batch - 1 : 0;
    return (struct callback_moment){.epoch = epoch, .batch = batch, .learning_rate = fit->learning_rate};
}

void fit_set_learning_rate(struct fit *fit, double learning_rate)
{
    const struct variable *variable = fit->session->compile->learning_rate;
    if (!variable)
        return;
    float value = (float)learning_rate;
    session_upload(fit->session, variable, &value);
    fit->learning_rate = value;
    fit->saved = false;
}

void fit_event(struct fit *fit, json_t *event)
{
    journal_event(fit->o.journal, fit->at.epoch + (fit->at.batch > 0), fit->at.step, event);
}

static json_t *metrics_json(const struct logs *logs)
{
    json_t *metrics = json_object();
    for (int i = 0; i < logs->n; i++)
        json_object_set_new(metrics, logs->entries[i].name, js_number(logs->entries[i].value));
    return metrics;
}

/* due: all that is kept at this moment, where it is more than one file. Lent, may be NULL. */
static bool save(struct fit *fit, const struct checkpoint_request *request, bool automatic, int64_t record_epoch,
                 json_t *due, struct err *err)
{
    struct snapshot_request snapshot = {.weights_only = request->weights_only,
                                        .best = request->best,
                                        .automatic = automatic,
                                        .backup = !strcmp(request->file, checkpoint_backup_file),
                                        .epoch = record_epoch,
                                        .step = fit->at.step,
                                        .learning_rate = fit->learning_rate};
    snprintf(snapshot.file, sizeof snapshot.file, "%s", request->file);
    snapshot.metrics = metrics_json(&fit->logs);
    snapshot.state = fit_state(fit);
    json_object_set_new(snapshot.state, "record",
                        json_pack("{s:I,s:b,s:b,s:O}", "epoch", (json_int_t)record_epoch, "best", request->best,
                                  "automatic", automatic, "metrics", snapshot.metrics));
    if (due)
        json_object_set(snapshot.state, "due", due);
    int64_t start_ns = profile_clock(fit->session->profile);
    if (!checkpointer_save(fit->checkpointer, &snapshot, err))
        return false;
    profile_span(fit->session->profile, TRACE_TRAINING, "snapshot for a checkpoint of epoch", record_epoch, start_ns);
    fit->saved = fit->saved || (!request->weights_only && !snapshot.backup);
    if (!request->weights_only)
        fit_backup_later(fit);
    return true;
}

bool fit_save(struct fit *fit, const char *file, bool automatic, bool best, int64_t record_epoch, struct err *err)
{
    struct checkpoint_request request = {.best = best};
    snprintf(request.file, sizeof request.file, "%s", file);
    return save(fit, &request, automatic, record_epoch, NULL, err);
}

void fit_backup_later(struct fit *fit)
{
    fit->next_backup_ns = fit->backup_ns ? io->monotonic_ns() + fit->backup_ns : INT64_MAX;
}

bool fit_back_up(struct fit *fit, struct err *err)
{
    if (fit->saved)
        return true;
    fit_log_moment(fit);
    return fit_save(fit, checkpoint_backup_file, false, false, fit->at.epoch + 1, err);
}

bool fit_is_best(struct fit *fit)
{
    double value;
    if (!logs_get(&fit->logs, "val_loss", &value) && !logs_get(&fit->logs, "loss", &value))
        return false;
    bool better = !isnan(value) && (isnan(fit->best) || value < fit->best);
    if (better)
        fit->best = value;
    return better;
}

static void tell(struct fit *fit, const struct str *messages)
{
    char *text = xstrdup(str_text(messages)), *rest = text;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        if (!*line)
            continue;
        printf("%s\n", line);
        fit_event(fit, json_pack("{s:s,s:s}", "event", "message", "text", line));
    }
    fflush(stdout);
    free(text);
}

/* Each file says which others belong to its moment: a kill may come between two of them. */
static bool save_all(struct fit *fit, const struct checkpoint_request *requests, int n, int64_t record_epoch,
                     struct err *err)
{
    json_t *due = n > 1 ? json_array() : NULL;
    for (int i = 0; i < n && due; i++)
        json_array_append_new(due, json_pack("{s:s,s:b,s:b}", "checkpoint", requests[i].file, "weights_only",
                                             requests[i].weights_only, "best", requests[i].best));
    bool ok = true;
    for (int i = 0; i < n && ok; i++)
        ok = save(fit, &requests[i], false, record_epoch, due, err);
    json_decref(due);
    return ok;
}

bool fit_save_due(struct fit *fit, const json_t *state, const json_t *due, struct err *err)
{
    struct checkpoint_request request = {.weights_only = js_bool(due, "weights_only", false),
                                         .best = js_bool(due, "best", false)};
    snprintf(request.file, sizeof request.file, "%s", js_string(due, "checkpoint", ""));
    logs_clear(&fit->logs);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)js_at(state, "record.metrics"), name, value) {
        double number;
        if (js_to_double(value, &number))
            logs_set(&fit->logs, arena_strdup(&fit->arena, name), number);
    }
    return save(fit, &request, false, js_int(json_object_get(state, "record"), "epoch", 0), NULL, err);
}

bool fit_carry_out(struct fit *fit, const struct callback_moment *moment, int64_t record_epoch, struct err *err)
{
    struct callback_actions *a = &fit->actions;
    if (a->messages.length)
        tell(fit, &a->messages);
    if (a->set_learning_rate)
        fit_set_learning_rate(fit, moment->learning_rate);
    for (int slot = 0; slot < 64; slot++)
        if ((a->keep_weights >> slot & 1) && !checkpointer_keep_weights(fit->checkpointer, slot, err))
            return false;
    if (a->stop) { /* before the checkpoints: they say that the run has come to its end */
        fit->stop_by_callback = true;
        snprintf(fit->stop_reason, sizeof fit->stop_reason, "%s", a->stop_reason ? a->stop_reason : "a callback");
    }
    bool border = fit->at.batch == 0;
    bool better = border && a->n_checkpoints && !fit->best_by_callback && fit_is_best(fit);
    for (int i = 0; i < a->n_checkpoints; i++)
        a->checkpoints[i].best = a->checkpoints[i].best || (better && !a->checkpoints[i].weights_only);
    return save_all(fit, a->checkpoints, a->n_checkpoints, record_epoch, err);
}
