/* compile_keras.c - the compile_config of a .keras file from our config: envelopes of Keras 3.0 with the keys that were
 * given, numbers typed as Keras wants them (it refuses an integer learning rate or momentum). Expressions have no class
 * in Keras and are left out.
 */
#include "engine/compile/compile_parts.h"
#include "engine/compile/optimizer_class.h"
#include "engine/compile/schedules.h"

#include <string.h>

static json_t *envelope(const char *module, const char *class_name, json_t *config)
{
    return json_pack("{s:s, s:s, s:o, s:n}", "module", module, "class_name", class_name, "config", config,
                     "registered_name");
}

/* The given keys that the row knows, ARG_FLOAT ones as reals, and "name"; null only where it says something. */
static json_t *class_config(const struct argument *arguments, const json_t *config)
{
    json_t *out = json_object();
    double number;
    const char *name = js_string(config, "name", NULL);
    if (name)
        json_object_set_new(out, "name", json_string(name));
    for (const struct argument *a = arguments; a->name; a++) {
        json_t *value = json_object_get(config, a->name);
        if (!value || (json_is_null(value) && (!a->initial || !strcmp(a->initial, "null"))))
            continue;
        bool real = (a->type == ARG_FLOAT || a->type == ARG_SCHEDULE) && js_to_double(value, &number);
        json_object_set_new(out, a->name, real ? json_real(number) : json_deep_copy(value));
    }
    return out;
}

static bool has_expression(const json_t *json)
{
    const json_t *inner = json_object_get(json, "config");
    return json_object_get(json, "expression") || (json_is_object(inner) && json_object_get(inner, "expression"));
}

/* One loss or metric; NULL for an expression. */
static json_t *leaf_to_keras(const struct named_table *table, const char *module, const json_t *json)
{
    const char *name;
    const json_t *config;
    if (has_expression(json))
        return NULL;
    /* metrics are named by the word they were given as; of losses Keras does not find every class by its name */
    const char *word = table == &loss_table ? json_string_value(json) : NULL;
    const struct named_row *named = word ? named_find(table, word) : NULL;
    if (named && !strcmp(named->class.name, word))
        return envelope(module, word, json_object());
    if (json_is_string(json) || !json_object_get(json, "class"))
        return json_deep_copy(json);
    class_reference(json, &name, &config);
    const struct named_row *row = named_find(table, name);
    json_t *out = class_config(row->class.arguments, config);
    const char *reduction = js_string(config, "reduction", NULL);
    if (reduction)
        json_object_set_new(out, "reduction", json_string(reduction));
    return envelope(module, row->class.name, out);
}

/* A loss or metric, lists and objects of them. *lost counts expressions, which become null in objects and vanish from
 * lists of metrics. */
static json_t *tree_to_keras(const struct named_table *table, const char *module, const json_t *json, bool vanish,
                             int *lost)
{
    if (!json || json_is_null(json))
        return json_null();
    if (compile_is_leaf(json)) {
        json_t *out = leaf_to_keras(table, module, json);
        *lost += !out;
        return out ? out : json_null();
    }
    json_t *out = json_is_array(json) ? json_array() : json_object();
    for (size_t i = 0; i < json_array_size(json); i++) {
        json_t *item = tree_to_keras(table, module, json_array_get(json, i), vanish, lost);
        if (vanish && json_is_null(item) && !json_is_null(json_array_get(json, i)))
            continue;
        json_array_append_new(out, item);
    }
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json, key, value)
        json_object_set_new(out, key, tree_to_keras(table, module, value, vanish, lost));
    return out;
}

json_t *optimizer_to_keras(const struct optimizer *o, double learning_rate)
{
    json_t *config = class_config(o->class->row.class.arguments, o->config);
    json_t *rate = json_object_get(config, "learning_rate");
    const char *name;
    const json_t *inner;
    if (!o->schedule) {
        json_object_set_new(config, "learning_rate", json_real(learning_rate));
    } else if (class_reference(rate, &name, &inner)) {
        const struct named_row *row = named_find(&schedule_table, name);
        json_t *schedule =
            envelope("keras.optimizers.schedules", row->class.name, class_config(row->class.arguments, inner));
        json_object_set_new(config, "learning_rate", schedule);
    }
    return envelope("keras.optimizers", o->class->row.class.name, config);
}

static bool custom_loss(const struct compile_parts *parts, int n_outputs)
{
    for (int i = 0; i < n_outputs; i++)
        if (parts->losses[i] && !parts->losses[i]->class && !parts->losses[i]->automatic)
            return true;
    return false;
}

/* Lists of metrics by output keep one entry per output: an emptied entry is an empty list. */
static json_t *metrics_to_keras(const struct compile *compile, const char *key)
{
    int lost = 0;
    const json_t *given = json_object_get(compile->config, key);
    bool by_output = compile->model->n_outputs > 1 && json_is_array(given);
    if (!by_output) {
        json_t *all = tree_to_keras(&metric_table, "keras.metrics", given, true, &lost);
        return json_is_string(all) || (json_is_object(all) && compile_is_leaf(all)) ? json_pack("[o]", all) : all;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(given); i++)
        json_array_append_new(list,
                              tree_to_keras(&metric_table, "keras.metrics", json_array_get(given, i), true, &lost));
    return list;
}

json_t *compile_to_keras(const struct compile *compile, double learning_rate)
{
    const struct compile_parts *parts = compile->parts;
    if (custom_loss(parts, compile->model->n_outputs))
        return NULL;
    int lost = 0;
    json_t *out = json_object();
    json_object_set_new(out, "optimizer",
                        parts->optimizer ? optimizer_to_keras(parts->optimizer, learning_rate) : json_null());
    json_object_set_new(
        out, "loss",
        tree_to_keras(&loss_table, "keras.losses", json_object_get(compile->config, "loss"), false, &lost));
    const json_t *weights = json_object_get(compile->config, "loss_weights");
    double one;
    json_object_set_new(out, "loss_weights",
                        js_to_double(weights, &one) ? json_real(one)
                        : weights                   ? json_deep_copy(weights)
                                                    : json_null());
    json_object_set_new(out, "metrics", metrics_to_keras(compile, "metrics"));
    json_object_set_new(out, "weighted_metrics", metrics_to_keras(compile, "weighted_metrics"));
    return out;
}
