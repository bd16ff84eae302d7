/* callback_checkpoint.c - ModelCheckpoint. Rules: keras/src/callbacks/model_checkpoint.py */
#include <string.h>

#include "base/arena.h"
#include "engine/train/callback_class.h"
#include "engine/train/checkpoint.h"
#include "engine/train/python_format.h"

static const struct argument arguments[] = {
    {"filepath", ARG_STRING, NULL, NULL, 0, 0,
     "name in the run's checkpoints, such as epoch-{epoch:04d}.keras or {epoch:02d}-{val_loss:.2f}.weights.h5"},
    {"monitor", ARG_STRING, "\"val_loss\"", NULL, 0, 0, "the metric that decides what is best"},
    {"verbose", ARG_INT, "0", NULL, 0, 2, "1: say what is done"},
    {"save_best_only", ARG_BOOL, "false", NULL, 0, 0, "only when the metric improved"},
    {"save_weights_only", ARG_BOOL, "false", NULL, 0, 0, "weights without the model; the name must end in .weights.h5"},
    {"mode", ARG_CHOICE, "\"auto\"", "auto|min|max", 0, 0, "whether the metric should fall or rise"},
    {"save_freq", ARG_ANY, "\"epoch\"", NULL, 0, 0, "\"epoch\", or every how many batches"},
    {"initial_value_threshold", ARG_FLOAT, "null", NULL, 0, 0, "the best value to begin with"},
    {NULL, ARG_ANY, NULL, NULL, 0, 0, NULL}};

struct state {
    const char *filepath;
    bool best_only, weights_only;
    int64_t every, seen; /* batches; every 0 = epochs */
    bool due;
};

static bool one_component(const struct callback *cb, const char *name, struct err *err)
{
    if (!*name || *name == '.' || strchr(name, '/') || strchr(name, '\\'))
        return err_set(err, ERR_USAGE,
                       "%s.filepath: '%s' must be a plain file name; it is kept in the run's folder checkpoints",
                       cb->where, name);
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < 32 || *c == 127)
            return err_set(err, ERR_USAGE, "%s.filepath: the name holds a control character", cb->where);
    if (!strcmp(name, checkpoint_final_file) || !strcmp(name, checkpoint_backup_file))
        return err_set(err, ERR_USAGE,
                       "%s.filepath: '%s' is the run's own file (its last state is %s, its backup %s); choose another "
                       "name",
                       cb->where, name, checkpoint_final_file, checkpoint_backup_file);
    if (strlen(name) >= CALLBACK_FILE_MAX)
        return err_set(err, ERR_USAGE, "%s.filepath: the name is longer than %d characters", cb->where,
                       CALLBACK_FILE_MAX - 1);
    return true;
}

static bool form_name(const struct callback *cb, const struct callback_moment *moment, bool batch,
                      const struct logs *logs, struct str *out, struct err *err)
{
    const struct state *s = cb->state;
    struct format_value *values = xcalloc((size_t)logs->n + 2, sizeof *values);
    size_t n = 0;
    values[n++] = (struct format_value){"epoch", (double)(moment->epoch + 1), true};
    if (batch)
        values[n++] = (struct format_value){"batch", (double)(moment->batch + 1), true};
    for (int i = 0; i < logs->n; i++)
        values[n++] = (struct format_value){logs->entries[i].name, logs->entries[i].value, false};
    bool ok = python_format(out, s->filepath, values, n, err);
    free(values);
    if (!ok)
        return err_prefix(err, "%s.filepath '%s'", cb->where, s->filepath);
    return one_component(cb, str_text(out), err);
}

/* A name is formed from all metrics there will be, so that a misspelt one is found before the training. */
static bool try_name(const struct callback *cb, const struct compile *compile, struct err *err)
{
    const struct state *s = cb->state;
    struct logs logs = {0};
    struct str name = {0};
    struct arena arena = {0};
    for (int i = 0; i < compile->n_metrics; i++) {
        logs_set(&logs, compile->metric_names[i], 1);
        if (!cb->options->no_validation && !s->every)
            logs_set(&logs, arena_printf(&arena, "val_%s", compile->metric_names[i]), 1);
    }
    if (!s->every)
        logs_set(&logs, "learning_rate", 1);
    bool ok = form_name(cb, &(struct callback_moment){0}, s->every > 0, &logs, &name, err);
    str_release(&name);
    logs_release(&logs);
    arena_release(&arena);
    return ok;
}

static bool build(struct callback *cb, const struct compile *compile, struct err *err)
{
    struct state *s = cb->state;
    const json_t *every = argument(arguments, cb->config, "save_freq"),
                 *best = argument(arguments, cb->config, "initial_value_threshold");
    s->filepath = argument_string(arguments, cb->config, "filepath");
    s->best_only = argument_bool(arguments, cb->config, "save_best_only");
    s->weights_only = argument_bool(arguments, cb->config, "save_weights_only");
    if (json_is_integer(every) && json_integer_value(every) > 0)
        s->every = json_integer_value(every);
    else if (!json_is_string(every) || strcmp(json_string_value(every), "epoch") != 0)
        return err_set(err, ERR_USAGE, "%s.save_freq: expected \"epoch\" or a number of batches from 1 on", cb->where);
    const char *end = s->weights_only ? ".weights.h5" : ".keras";
    if (!str_ends(s->filepath, end))
        return err_set(err, ERR_USAGE, "%s.filepath: '%s' must end in '%s'%s", cb->where, s->filepath, end,
                       s->weights_only ? " because of save_weights_only" : "");
    if (!monitor_build(cb, compile, s->best_only, err))
        return false;
    cb->monitor.has_best = js_to_double(best, &cb->monitor.best);
    return try_name(cb, compile, err);
}

/* Whether this state is kept; *best: because the metric improved. */
static bool should_save(struct callback *cb, struct callback_event *event, const struct logs *logs, const char *file,
                        bool *best)
{
    const struct state *s = cb->state;
    struct monitor *m = &cb->monitor;
    double value;
    *best = false;
    if (!s->best_only || !monitor_get(cb, event, logs, &value))
        return true;
    bool improved = monitor_improves(m, value, m->has_best, m->best);
    if (callback_verbose(cb) && improved && m->has_best)
        callback_message(event, "epoch %lld: %s improved from %.5f to %.5f, saving '%s'",
                         (long long)event->moment->epoch + 1, m->name, m->best, value, file);
    else if (callback_verbose(cb) && !improved)
        callback_message(event, "epoch %lld: %s did not improve from %.5f", (long long)event->moment->epoch + 1,
                         m->name, m->best);
    if (!improved)
        return false;
    m->best = value;
    m->has_best = true;
    *best = true;
    return true;
}

static bool save(struct callback *cb, struct callback_event *event, const struct logs *logs, bool batch,
                 struct err *err)
{
    const struct state *s = cb->state;
    struct callback_actions *a = event->actions;
    struct str name = {0};
    bool best, ok = form_name(cb, event->moment, batch, logs, &name, err);
    if (ok && should_save(cb, event, logs, str_text(&name), &best)) {
        if (callback_verbose(cb) && !s->best_only)
            callback_message(event, "epoch %lld: saving '%s'", (long long)event->moment->epoch + 1, str_text(&name));
        a->checkpoints =
            xgrow(a->checkpoints, &a->checkpoints_capacity, (size_t)a->n_checkpoints + 1, sizeof *a->checkpoints);
        struct checkpoint_request *request = &a->checkpoints[a->n_checkpoints++];
        *request = (struct checkpoint_request){.weights_only = s->weights_only, .best = best};
        snprintf(request->file, sizeof request->file, "%s", str_text(&name));
    }
    str_release(&name);
    return ok;
}

static enum callback_needs batch(struct callback *cb)
{
    struct state *s = cb->state;
    if (!s->every || ++s->seen < s->every)
        return CALLBACK_NEEDS_NOTHING;
    s->seen = 0;
    s->due = true;
    return CALLBACK_NEEDS_LOGS;
}

static bool batch_end(struct callback *cb, struct callback_event *event, struct err *err)
{
    struct state *s = cb->state;
    if (!s->due)
        return true;
    s->due = false;
    return save(cb, event, event->batch_logs, true, err);
}

static bool epoch_end(struct callback *cb, struct callback_event *event, struct err *err)
{
    const struct state *s = cb->state;
    return s->every ? true : save(cb, event, event->logs, false, err);
}

static void save_state(const struct callback *cb, json_t *state)
{
    const struct state *s = cb->state;
    monitor_save(&cb->monitor, state);
    json_object_set_new(state, "batches", json_integer(s->seen));
}

static bool load_state(struct callback *cb, const json_t *state, struct err *err)
{
    struct state *s = cb->state;
    s->seen = js_int(state, "batches", 0);
    return monitor_load(&cb->monitor, state, err);
}

const struct callback_class callback_model_checkpoint = {
    .row = {{"ModelCheckpoint", "keeps checkpoints: after each epoch or some batches, all or only better ones",
             arguments},
            NULL},
    .state_size = sizeof(struct state),
    .build = build,
    .batch = batch,
    .batch_end = batch_end,
    .epoch_end = epoch_end,
    .save = save_state,
    .load = load_state,
};
