/* monitor.c - the watched metric of a callback: its direction, its best value. Rules:
 * keras/src/callbacks/monitor_callback.py */
#include "engine/train/callback_class.h"

#include <math.h>
#include <string.h>

static bool known_metric(const struct callback *cb, const struct compile *compile, const char *name, struct err *err)
{
    const char *names[128];
    size_t n = 0;
    const char *plain = str_starts(name, "val_") ? name + 4 : name;
    for (int i = 0; i < compile->n_metrics && n < 126; i++) {
        if (!strcmp(compile->metric_names[i], plain))
            return true;
        names[n++] = compile->metric_names[i];
    }
    if (!strcmp(name, "learning_rate"))
        return true;
    const char *near = str_nearest(plain, names, n);
    return err_set(err, ERR_USAGE, "%s.monitor: the model has no metric '%s'%s%s%s%s", cb->where, plain,
                   near ? "; did you mean '" : "", near && plain != name ? "val_" : "", near ? near : "",
                   near ? "'?" : "");
}

bool monitor_build(struct callback *cb, const struct compile *compile, bool required, struct err *err)
{
    const struct argument *arguments = callback_arguments(cb);
    struct monitor *m = &cb->monitor;
    m->name = argument_string(arguments, cb->config, "monitor");
    const char *mode = argument_string(arguments, cb->config, "mode");
    if (required && !known_metric(cb, compile, m->name, err))
        return false;
    if (strcmp(mode, "auto") != 0) {
        m->up = !strcmp(mode, "max");
        return true;
    }
    const char *direction = compile_metric_direction(compile, str_starts(m->name, "val_") ? m->name + 4 : m->name);
    if (!direction && required)
        return err_set(err, ERR_USAGE,
                       "%s: whether '%s' should rise or fall is not known; give \"mode\": \"max\" or \"min\"",
                       cb->where, m->name);
    m->up = direction && !strcmp(direction, "up");
    return true;
}

bool monitor_improves(const struct monitor *m, double value, bool has_reference, double reference)
{
    if (isnan(value))
        return false;
    if (!has_reference)
        return true;
    return m->up ? (float)(value - m->min_delta) > (float)reference : (float)(value + m->min_delta) < (float)reference;
}

bool monitor_get(struct callback *cb, struct callback_event *event, const struct logs *logs, double *value)
{
    if (logs_get(logs, cb->monitor.name, value))
        return true;
    if (!cb->monitor.warned) {
        struct str known = {0};
        for (int i = 0; i < logs->n; i++)
            str_addf(&known, "%s%s", i ? ", " : "", logs->entries[i].name);
        callback_message(event, "warning: %s watches '%s', which is not available; there is: %s",
                         cb->class->row.class.name, cb->monitor.name, str_text(&known));
        str_release(&known);
    }
    cb->monitor.warned = true;
    return false;
}

void monitor_save(const struct monitor *m, json_t *state)
{
    json_object_set_new(state, "monitor", json_string(m->name));
    json_object_set_new(state, "best", m->has_best ? js_number(m->best) : json_null());
}

bool monitor_load(struct monitor *m, const json_t *state, struct err *err)
{
    const json_t *best = json_object_get(state, "best");
    if (strcmp(js_string(state, "monitor", m->name), m->name) != 0)
        return true; /* another metric is watched now: its best value says nothing */
    m->has_best = js_to_double(best, &m->best);
    return m->has_best || !best || json_is_null(best) ||
           err_set(err, ERR_FORMAT, "state of callbacks: 'best' is %s", js_type_name(best));
}
