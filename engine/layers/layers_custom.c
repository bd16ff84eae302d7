/* layers_custom.c - Expression, a layer written in the config
 *
 *     {"class": "Expression", "expression": "x * s + b",
 *      "weights": {"s": {"shape": "last", "initializer": "ones"}, "b": {"shape": [8]}}}
 *
 * Inputs are called x, x2, x3, ...; weights by their keys, in that order. A weight's shape is a list, "last" (the last
 * axis of x) or "input" (a whole sample of x); initializer defaults to zeros; "trainable", "regularizer" and
 * "constraint" as usual. Everything broadcasts as in numpy. No code is run: the text becomes the same ops as every
 * other layer, with gradients.
 */
#include "engine/layers/layer_support.h"

#include <stdio.h>
#include <string.h>

static bool weight_shape(struct layer *layer, const char *name, const json_t *json, struct shape in, struct shape *out,
                         struct err *err)
{
    const char *word = json_string_value(json);
    *out = (struct shape){0};
    if (!json || (word && !strcmp(word, "last"))) {
        if (in.rank)
            *out = SHAPE(in.dim[in.rank - 1]);
        return true;
    }
    if (word && !strcmp(word, "input")) {
        *out = in;
        return true;
    }
    bool ok = json_is_array(json) && json_array_size(json) < RANK_MAX;
    for (size_t i = 0; ok && i < json_array_size(json); i++) {
        const json_t *dim = json_array_get(json, i);
        ok = json_is_integer(dim) && json_integer_value(dim) > 0;
        out->dim[out->rank++] = json_integer_value(dim);
    }
    return ok ||
           layer_fail(layer, err, "the shape of weight '%s' must be a list of sizes, \"last\" or \"input\"", name);
}

static bool check_weight(struct layer *layer, const char *name, const json_t *weight, struct err *err)
{
    static const struct argument arguments[] = {{"shape", ARG_ANY, "\"last\"", NULL, 0, 0, ""},
                                                {"initializer", ARG_INITIALIZER, "\"zeros\"", NULL, 0, 0, ""},
                                                {"regularizer", ARG_REGULARIZER, "null", NULL, 0, 0, ""},
                                                {"constraint", ARG_CONSTRAINT, "null", NULL, 0, 0, ""},
                                                {"trainable", ARG_BOOL, "true", NULL, 0, 0, ""},
                                                {0}};
    char where[512];
    snprintf(where, sizeof where, "%s.weights.%s", layer->where, name);
    if (!json_is_object(weight))
        return err_set(err, ERR_USAGE, "%s: a weight is an object like {\"shape\": \"last\"}, found %s", where,
                       js_type_name(weight));
    return arguments_check("a weight", arguments, NULL, weight, where, err);
}

static struct layer_variable *add_weight(struct layer *layer, struct model *model, const char *name,
                                         const json_t *weight, struct shape in, struct err *err)
{
    struct shape shape;
    char where[512];
    if (!check_weight(layer, name, weight, err) ||
        !weight_shape(layer, name, json_object_get(weight, "shape"), in, &shape, err))
        return NULL;
    snprintf(where, sizeof where, "%s.weights.%s", layer->where, name);
    bool trainable = js_bool(weight, "trainable", true);
    const json_t *initializer = json_object_get(weight, "initializer");
    struct layer_variable *v = (struct layer_variable *)layer_add_variable_from(layer, model, name, shape, trainable,
                                                                                initializer, "zeros", err);
    if (!v || !regularizer_parse(&model->arena, json_object_get(weight, "regularizer"), where, &v->regularizer, err) ||
        !constraint_parse(&model->arena, json_object_get(weight, "constraint"), where, &v->constraint, err))
        return NULL;
    return v;
}

static bool build_expression(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                             struct shape *output, struct err *err)
{
    const char *names[EXPR_MAX_INPUTS];
    const json_t *weights = layer_arg(layer, "weights");
    int n_names = 0;
    const char *key;
    json_t *weight;
    if (n + (int)json_object_size(weights) > EXPR_MAX_INPUTS)
        return layer_fail(layer, err, "inputs and weights together are limited to %d", EXPR_MAX_INPUTS);
    struct shape joined = shape_batched(1, inputs[0]);
    for (int i = 0; i < n; i++) {
        names[n_names++] = i ? arena_printf(&model->arena, "x%d", i + 1) : "x";
        if (!shape_broadcast(joined, shape_batched(1, inputs[i]), &joined))
            return layer_fail(layer, err, "its inputs do not broadcast: %s and %s",
                              shape_text(&model->arena, inputs[0]), shape_text(&model->arena, inputs[i]));
    }
    json_object_foreach((json_t *)weights, key, weight) {
        const struct layer_variable *v = add_weight(layer, model, key, weight, inputs[0], err);
        if (!v)
            return false;
        names[n_names++] = v->variable.name;
        if (!shape_broadcast(joined, v->variable.shape, &joined))
            return layer_fail(layer, err, "weight '%s' of shape %s does not broadcast with an input of %s", key,
                              shape_text(&model->arena, v->variable.shape), shape_text(&model->arena, inputs[0]));
    }
    *output = shape_sample(joined);
    layer->state = (void *)expr_parse(&model->arena, layer_string(layer, "expression"), names, n_names, err);
    return layer->state || err_prefix(err, "%s.expression", layer->where);
}

static struct value *lower_expression(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    struct value *values[EXPR_MAX_INPUTS];
    for (int i = 0; i < n; i++)
        values[i] = as_float(l->graph, inputs[i]);
    for (int i = 0; i < layer->n_variables; i++)
        values[n + i] = layer_value(l, layer, i);
    return op_map(l->graph, layer->state, values, n + layer->n_variables);
}

static const struct argument expression_arguments[] = {
    {"expression", ARG_EXPRESSION, NULL, NULL, 0, 0,
     "what is computed, over x (x2, x3, ... for further inputs) and the weights"},
    {"weights", ARG_ANY, "{}", NULL, 0, 0, "name -> {\"shape\": [...] | \"last\" | \"input\", \"initializer\": ...}"},
    {0}};

const struct layer_class layers_custom[] = {{"Expression", "a layer of your own, written as an expression",
                                             expression_arguments, 1, EXPR_MAX_INPUTS, build_expression,
                                             lower_expression, NULL},
                                            {0}};
