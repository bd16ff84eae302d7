/* dtype_policy.c - see dtype_policy.h */
#include "persistence/config/dtype_policy.h"

#include <string.h>

/* Where layers stand inside the config of another one. */
static const char *const inside[] = {"layers", "layer", "backward_layer", "cell", "cells"};
enum { N_INSIDE = sizeof inside / sizeof inside[0] };

static const char *policy_of(const json_t *config)
{
    const json_t *dtype = json_object_get(config, "dtype");
    return json_is_object(dtype) ? js_string(json_object_get(dtype, "config"), "name", "")
           : dtype               ? js_string(config, "dtype", "")
                                 : "float32";
}

static bool is_mixed(const json_t *config)
{
    return !strcmp(policy_of(config), "mixed_bfloat16");
}

/* Calls visit for each of the layers that stand inside, until it says true. */
static bool any_inside(json_t *config, bool (*visit)(json_t *layer, const char *policy), const char *policy)
{
    for (int k = 0; k < N_INSIDE; k++) {
        json_t *value = json_object_get(config, inside[k]);
        if (json_is_object(value) && visit(value, policy))
            return true;
        for (size_t i = 0; i < json_array_size(value); i++)
            if (json_is_object(json_array_get(value, i)) && visit(json_array_get(value, i), policy))
                return true;
    }
    return false;
}

/* An operation of a graph computes in what it gets; an input has a type, not a policy. */
static bool has_policy(const json_t *layer, const char *class_name)
{
    return strcmp(class_name, "InputLayer") != 0 && strcmp(class_name, "Input") != 0 &&
           !str_starts(js_string(layer, "module", ""), "keras.src.ops");
}

static bool find_mixed(json_t *layer, const char *policy)
{
    json_t *config = json_object_get(layer, "config");
    return is_mixed(config) || any_inside(config, find_mixed, policy);
}

/* Never true: all layers are visited. */
static bool set_keras(json_t *layer, const char *policy)
{
    json_t *config = json_object_get(layer, "config");
    const char *class_name = js_string(layer, "class_name", ""), *now = policy_of(config);
    bool known = !strcmp(now, "float32") || !strcmp(now, "mixed_bfloat16");
    bool model = json_is_array(json_object_get(config, "layers")) && !json_object_get(config, "dtype");
    if (json_is_object(config) && known && !model && has_policy(layer, class_name))
        json_object_set_new(config, "dtype", json_string(policy));
    if (!strcmp(class_name, "InputLayer") && !strcmp(now, "bfloat16") && !strcmp(policy, "float32"))
        json_object_set_new(config, "dtype", json_string(policy));
    return any_inside(config, set_keras, policy);
}

static bool set_short(json_t *layer, const char *policy)
{
    const char *class_name = js_string(layer, "class", NULL);
    if (json_object_get(layer, "class_name"))
        return set_keras(layer, policy);
    if (class_name && has_policy(layer, class_name) && !json_is_array(json_object_get(layer, "layers")) &&
        !json_object_get(layer, "dtype"))
        json_object_set_new(layer, "dtype", json_string(policy));
    return any_inside(layer, set_short, policy);
}

json_t *dtype_policy_apply(const json_t *model, const char *policy)
{
    json_t *copy = json_deep_copy(model);
    if (!json_object_get(copy, "class_name"))
        set_short(copy, policy);
    else if (!strcmp(policy, "float32") || !find_mixed(copy, policy))
        set_keras(copy, policy);
    return copy;
}
