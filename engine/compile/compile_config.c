/* compile_config.c - which loss and which metrics belong to which output, and the history keys. Rules:
 * keras/src/trainers/compile_utils.py */
#include "engine/compile/compile_parts.h"

#include <string.h>

bool compile_is_leaf(const json_t *json)
{
    return json_is_string(json) || json_object_get(json, "class") || json_object_get(json, "class_name") ||
           json_object_get(json, "expression");
}

static int output_number(const struct model *model, const char *name)
{
    for (int i = 0; i < model->n_outputs; i++)
        if (!strcmp(model->outputs[i].name, name))
            return i;
    return -1;
}

static bool unknown_output(const struct model *model, const char *where, const char *name, struct err *err)
{
    const char *names[64];
    size_t n = 0;
    struct str known = {0};
    for (int i = 0; i < model->n_outputs && n < 64; i++) {
        names[n++] = model->outputs[i].name;
        str_addf(&known, "%s'%s'", i ? ", " : "", model->outputs[i].name);
    }
    const char *near = str_nearest(name, names, n);
    err_set(err, ERR_USAGE, "%s: no output is named '%s'%s%s%s; the model's outputs: %s", where, name,
            near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "", str_text(&known));
    str_release(&known);
    return false;
}

/* Every key of an object by output must be an output. */
static bool known_outputs(const struct model *model, const json_t *by_output, const char *where, struct err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)by_output, key, value) {
        if (output_number(model, key) < 0)
            return unknown_output(model, where, key, err);
    }
    return true;
}

/* The loss of output i: one for all, a list or an object. json NULL or null = none. *place tells where it stands. */
static bool loss_of_output(const struct compile *compile, const json_t *given, int i, const char *where,
                           const json_t **json, const char **place, struct err *err)
{
    const struct model *model = compile->model;
    struct arena *arena = &((struct compile *)compile)->arena;
    const char *name = model->outputs[i].name;
    *place = arena_printf(arena, "%s.loss", where);
    *json = given;
    if (!given || json_is_null(given) || compile_is_leaf(given))
        return true;
    if (json_is_array(given)) {
        if ((int)json_array_size(given) != model->n_outputs)
            return err_set(err, ERR_USAGE,
                           "%s: the model has %d outputs, found %zu losses; give one each, null for none", *place,
                           model->n_outputs, json_array_size(given));
        *json = json_array_get(given, (size_t)i);
        *place = arena_printf(arena, "%s[%d]", *place, i);
        return true;
    }
    if (!json_is_object(given))
        return err_set(err, ERR_USAGE, "%s: expected a loss, a list or an object of losses, found %s", *place,
                       js_type_name(given));
    if (!known_outputs(model, given, *place, err))
        return false;
    *json = json_object_get(given, name);
    if (!*json)
        return err_set(err, ERR_USAGE, "%s: no loss for output '%s'; give null for an output without a loss", *place,
                       name);
    *place = arena_printf(arena, "%s.%s", *place, name);
    return true;
}

static bool weight_of_output(const struct compile *compile, int i, const char *where, double *weight, struct err *err)
{
    const struct model *model = compile->model;
    const json_t *given = json_object_get(compile->config, "loss_weights"), *json = given;
    *weight = 1;
    if (!given || json_is_null(given))
        return true;
    if (json_is_array(given)) {
        if ((int)json_array_size(given) != model->n_outputs)
            return err_set(err, ERR_USAGE, "%s.loss_weights: the model has %d outputs, found %zu weights", where,
                           model->n_outputs, json_array_size(given));
        json = json_array_get(given, (size_t)i);
    } else if (json_is_object(given)) {
        char place[512];
        snprintf(place, sizeof place, "%s.loss_weights", where);
        if (!known_outputs(model, given, place, err))
            return false;
        json = json_object_get(given, model->outputs[i].name);
    } else if (model->n_outputs > 1) {
        return err_set(err, ERR_USAGE, "%s.loss_weights: the model has %d outputs; give a list or an object", where,
                       model->n_outputs);
    }
    if (json && !json_is_null(json) && !js_to_double(json, weight))
        return err_set(err, ERR_USAGE, "%s.loss_weights: expected numbers, found %s", where, js_type_name(json));
    return true;
}

bool compile_read_losses(struct compile *compile, const char *where, struct err *err)
{
    struct compile_parts *parts = compile->parts;
    const struct model *model = compile->model;
    const json_t *given = json_object_get(compile->config, "loss"), *json;
    const char *place;
    parts->losses = arena_array(&compile->arena, (size_t)model->n_outputs, sizeof *parts->losses);
    for (int i = 0; i < model->n_outputs; i++) {
        if (!loss_of_output(compile, given, i, where, &json, &place, err))
            return false;
        if (!json || json_is_null(json))
            continue;
        struct loss *loss = loss_build(&compile->arena, json, place, false, err);
        if (!loss || !weight_of_output(compile, i, where, &loss->weight, err))
            return false;
        parts->losses[i] = loss;
        parts->n_losses++;
    }
    return true;
}

struct metric_reader {
    struct compile *compile;
    struct metric_names names;
    struct err *err;
    size_t capacity;
    bool weighted;
};

static bool add_metric(struct metric_reader *r, const json_t *json, int output, const char *place)
{
    struct compile *compile = r->compile;
    struct compile_parts *parts = compile->parts;
    struct metric *metric =
        metric_build(&compile->arena, &r->names, json, compile->model->outputs[output].shape, place, r->err);
    if (!metric)
        return false;
    metric->output = output;
    metric->weighted = r->weighted;
    if ((size_t)parts->n_metrics == r->capacity) {
        struct metric **more = arena_array(&compile->arena, r->capacity = 2 * r->capacity + 8, sizeof *more);
        if (parts->n_metrics)
            memcpy(more, parts->metrics, (size_t)parts->n_metrics * sizeof *more);
        parts->metrics = more;
    }
    parts->metrics[parts->n_metrics++] = metric;
    return true;
}

/* A metric, a list (of lists) or an object of them: all for one output. */
static bool add_all(struct metric_reader *r, const json_t *json, int output, const char *place, int depth)
{
    struct arena *arena = &r->compile->arena;
    if (!json || json_is_null(json))
        return true;
    if (compile_is_leaf(json))
        return add_metric(r, json, output, place);
    if (depth > 3 || (!json_is_array(json) && !json_is_object(json)))
        return err_set(r->err, ERR_USAGE, "%s: expected a metric or a list of metrics, found %s", place,
                       js_type_name(json));
    for (size_t i = 0; i < json_array_size(json); i++)
        if (!add_all(r, json_array_get(json, i), output, arena_printf(arena, "%s[%zu]", place, i), depth + 1))
            return false;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json, key, value) {
        if (output_number(r->compile->model, key) < 0 && depth == 0)
            return unknown_output(r->compile->model, place, key, r->err);
        if (!add_all(r, value, output, arena_printf(arena, "%s.%s", place, key), depth + 1))
            return false;
    }
    return true;
}

static bool read_set(struct metric_reader *r, const char *key, const char *where)
{
    const struct model *model = r->compile->model;
    struct arena *arena = &r->compile->arena;
    const json_t *given = json_object_get(r->compile->config, key);
    const char *place = arena_printf(arena, "%s.%s", where, key);
    if (!given || json_is_null(given) || (json_is_array(given) && !json_array_size(given)))
        return true;
    if (model->n_outputs == 1)
        return add_all(r, given, 0, place, 0);
    bool list = json_is_array(given) && (int)json_array_size(given) == model->n_outputs;
    if (!list && (!json_is_object(given) || compile_is_leaf(given)))
        return err_set(
            r->err, ERR_USAGE,
            "%s: the model has %d outputs; give an object of metrics by output name, or a list with one entry each",
            place, model->n_outputs);
    if (!list && !known_outputs(model, given, place, r->err))
        return false;
    for (int i = 0; i < model->n_outputs; i++) {
        const json_t *json = list ? json_array_get(given, (size_t)i) : json_object_get(given, model->outputs[i].name);
        const char *entry = list ? arena_printf(arena, "%s[%d]", place, i)
                                 : arena_printf(arena, "%s.%s", place, model->outputs[i].name);
        if (!add_all(r, json, i, entry, 1))
            return false;
    }
    return true;
}

/* How many of the first n metrics took this key as their base name, and whether it is a key already. */
static bool key_taken(const struct compile_parts *parts, int n, const char *key)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(parts->metrics[i]->key, key))
            return true;
    return false;
}

/* The first free one of base, base_1, base_2, ... */
static const char *numbered_key(struct arena *arena, const struct compile_parts *parts, int n, const char *base)
{
    const char *key = base;
    for (int i = 1; key_taken(parts, n, key); i++)
        key = arena_printf(arena, "%s_%d", base, i);
    return key;
}

static void name_keys(struct compile *compile)
{
    struct compile_parts *parts = compile->parts;
    struct arena *arena = &compile->arena;
    for (int i = 0; i < parts->n_metrics; i++) {
        struct metric *metric = parts->metrics[i];
        const char *output = compile->model->n_outputs > 1 ? compile->model->outputs[metric->output].name : NULL;
        const char *key = output ? arena_printf(arena, "%s_%s", output, metric->name) : metric->name;
        if (metric->weighted && key_taken(parts, i, key)) {
            key = arena_printf(arena, "weighted_%s", metric->name);
            key = output ? arena_printf(arena, "%s_%s", output, key) : key;
        }
        metric->key = numbered_key(arena, parts, i, key);
    }
}

bool compile_read_metrics(struct compile *compile, const char *where, struct err *err)
{
    struct metric_reader reader = {.compile = compile, .err = err};
    if (!read_set(&reader, "metrics", where))
        return false;
    reader.weighted = true;
    if (!read_set(&reader, "weighted_metrics", where))
        return false;
    name_keys(compile);
    return true;
}
