/* model_call.c - how a layer is called: which inputs are which argument, and what a call may not say. See layer.h */
#include "engine/layers/model_internal.h"

#include <string.h>

int call_positional(const struct call_spec *call)
{
    int n = 0;
    while (n < call->n_inputs && !call->input_keys[n])
        n++;
    return n;
}

int call_inputs(const struct layer_use *use, const struct layer_spec *spec, const struct call_spec *call)
{
    bool named = !spec->nested && use->layer->class->call;
    bool maskable = spec->nested || use->layer->class->mask;
    return maskable && !named ? call_positional(call) : call->n_inputs;
}

int most_outputs(const struct layer_use *use, const struct layer_spec *spec)
{
    return spec->nested ? spec->nested->n_outputs : use->layer->class->call ? LAYER_MAX_OUTPUTS : 1;
}

static int count_tensors(const json_t *json)
{
    const char *key;
    json_t *value;
    int n = 0;
    if (model_spec_is_tensor(json))
        return 1;
    for (size_t i = 0; i < json_array_size(json); i++)
        n += count_tensors(json_array_get(json, i));
    if (json_is_object(json))
        json_object_foreach((json_t *)json, key, value)
            n += count_tensors(value);
    return n;
}

static int argument_number(const struct layer_class *class, const char *name)
{
    for (int i = 0; class->call && class->call[i].name; i++)
        if (!strcmp(class->call[i].name, name))
            return i;
    return -1;
}

bool call_tensors(const struct layer_class *class, const struct call_spec *call, const char *name, int *first, int *n)
{
    int number = argument_number(class, name), at = 0;
    *first = *n = 0;
    if (!call || !call->args) {
        *n = number == 0;
        return *n > 0;
    }
    for (int i = 0; i < number && i < (int)json_array_size(call->args); i++)
        at += count_tensors(json_array_get(call->args, (size_t)i));
    *first = at;
    *n = number < 0 ? 0 : count_tensors(json_array_get(call->args, (size_t)number));
    for (int i = call->n_inputs - 1; i >= 0 && !*n; i--)
        if (call->input_keys[i] && !strcmp(call->input_keys[i], name)) {
            while (i > 0 && call->input_keys[i - 1] && !strcmp(call->input_keys[i - 1], name))
                i--;
            *first = i;
            for (; *first + *n < call->n_inputs; ++*n)
                if (strcmp(call->input_keys[*first + *n], name) != 0)
                    break;
        }
    return *n > 0;
}

static const json_t *call_value(const struct layer_class *class, const struct call_spec *call, const char *name)
{
    int number = argument_number(class, name);
    const json_t *value = call && number >= 0 ? json_array_get(call->args, (size_t)number) : NULL;
    return value ? value : call ? json_object_get(call->kwargs, name) : NULL;
}

bool call_flag(const struct layer_class *class, const struct call_spec *call, const char *name)
{
    return json_is_true(call_value(class, call, name));
}

/* A value for an argument that the row names. */
static bool check_argument(const struct layer *layer, const struct call_argument *argument, const json_t *value,
                           struct err *err)
{
    if (json_is_null(value) || !strcmp(argument->name, "training") ||
        (argument->kind == CALL_BOOL ? json_is_boolean(value) : count_tensors(value) > 0))
        return true;
    return layer_fail(layer, err, "its call argument '%s' must be %s, found %s", argument->name,
                      argument->kind == CALL_BOOL ? "true or false" : "a tensor", js_type_name(value));
}

static bool check_named(const struct layer *layer, const struct call_spec *call, struct err *err)
{
    const struct layer_class *class = layer->class;
    const char *key;
    json_t *value;
    size_t known = 0;
    while (class->call[known].name)
        known++;
    if (json_array_size(call->args) > known)
        return layer_fail(layer, err, "its call takes %zu arguments, found %zu", known, json_array_size(call->args));
    for (size_t i = 0; i < json_array_size(call->args); i++)
        if (!check_argument(layer, &class->call[i], json_array_get(call->args, i), err))
            return false;
    json_object_foreach((json_t *)call->kwargs, key, value) {
        int number = argument_number(class, key);
        if (number < 0 && !json_is_null(value) && strcmp(key, "training") != 0)
            return layer_fail(layer, err, "it has no call argument '%s'", key);
        if (number >= 0 && !check_argument(layer, &class->call[number], value, err))
            return false;
    }
    return true;
}

static bool check_training(const struct layer *layer, const struct call_spec *call, struct err *err)
{
    return !json_is_true(json_object_get(call->kwargs, "training")) ||
           layer_fail(layer, err, "a call with training=true is not possible; null and false are");
}

bool check_call(const struct layer *layer, const struct call_spec *call, struct err *err)
{
    const char *key;
    json_t *value;
    if (!call || layer->class == layer_class_operation())
        return true;
    if (!check_training(layer, call, err))
        return false;
    if (layer->class->call)
        return check_named(layer, call, err);
    bool maskable = layer->class->mask;
    for (int i = 0; i < call->n_inputs; i++)
        if (call->input_keys[i] && !(maskable && !strcmp(call->input_keys[i], "mask")))
            return layer_fail(layer, err, "it is called with a tensor as '%s', which antler cannot use",
                              call->input_keys[i]);
    json_object_foreach((json_t *)call->kwargs, key, value) {
        bool mask = maskable && !strcmp(key, "mask") && (model_spec_is_tensor(value) || json_is_array(value));
        if (!json_is_null(value) && strcmp(key, "training") != 0 && !mask)
            return layer_fail(layer, err, "it has no call argument '%s'", key);
    }
    return true;
}
