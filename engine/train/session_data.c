/* session_data.c - which array of the data feeds which input and target of the model, and whether the shapes fit. */
#include "engine/train/session.h"

#include <string.h>

/* By name when the data have names, else by position; -1 when there is none. */
static int find_field(const struct field *fields, int n, const char *name, int position)
{
    bool named = false;
    for (int k = 0; k < n; k++) {
        named = named || fields[k].name;
        if (fields[k].name && name && !strcmp(fields[k].name, name))
            return k;
    }
    return named || position >= n ? -1 : position;
}

int session_input_field(const struct session *s, const struct dataset *data, int input)
{
    return find_field(data->inputs, data->n_inputs, s->model->inputs[input].name, input);
}

int session_target_field(const struct session *s, const struct dataset *data, int output)
{
    const char *name = output < s->spec->n_outputs ? s->spec->output_names[output] : s->model->outputs[output].name;
    return find_field(data->targets, data->n_targets, name, output);
}

static bool check_input(const struct session *s, struct dataset *data, int input, const char *where, struct err *err)
{
    const struct model_port *port = &s->model->inputs[input];
    int k = session_input_field(s, data, input);
    if (k < 0)
        return err_set(err, ERR_USAGE,
                       "%s: the model has an input '%s', but the data give nothing of that name (%d input%s)", where,
                       port->name, data->n_inputs, data->n_inputs == 1 ? "" : "s");
    struct shape given = data->inputs[k].shape;
    if (shape_equal(given, port->shape))
        return dataset_want_input(data, k, port->dtype, err) || err_prefix(err, "%s: input '%s'", where, port->name);
    struct str want = {0}, have = {0};
    shape_write(&want, port->shape);
    shape_write(&have, given);
    bool reshape = shape_elements(given) == shape_elements(port->shape);
    err_set(err, ERR_USAGE, "%s: input '%s': a sample of the data has shape %s, the model wants %s%s%s%s", where,
            port->name, str_text(&have), str_text(&want), reshape ? " (set data.shape to " : "",
            reshape ? str_text(&want) : "", reshape ? ")" : "");
    str_release(&want);
    str_release(&have);
    return false;
}

static bool check_target(const struct session *s, const struct dataset *data, int output, const char *where,
                         struct err *err)
{
    int64_t ignored = INT64_MIN, n_classes = s->compile ? compile_target_classes(s->compile, output, &ignored) : 0;
    int k = session_target_field(s, data, output);
    return k < 0 || !n_classes || dataset_check_classes(data, k, n_classes, ignored, err) ||
           err_prefix(err, "%s", where);
}

bool session_check_data(const struct session *s, struct dataset *data, const char *where, struct err *err)
{
    for (int i = 0; i < s->model->n_inputs; i++)
        if (!check_input(s, data, i, where, err))
            return false;
    if (data->n_inputs > s->model->n_inputs)
        return err_set(err, ERR_USAGE, "%s: the data give %d inputs, the model has %d", where, data->n_inputs,
                       s->model->n_inputs);
    for (int i = 0; i < s->model->n_outputs; i++)
        if (!check_target(s, data, i, where, err))
            return false;
    return true;
}
