/* model_spec_write.c - a spec as a Keras 3.0-compatible envelope, see model_spec.h
 *
 * What came from the short form carries exactly the keys that were written there. What came from a file is kept word
 * for word but for keys that newer Keras adds with their default value and that older Keras refuses.
 */
#include "persistence/keras/model_spec_internal.h"

#include <stdlib.h>
#include <string.h>

/* Keys added after Keras 3.0, dropped when null or false. */
static const char *const newer_keys[] = {
    "quantization_config", "ragged",   "optional",       "renorm",     "renorm_clipping", "input_axes",
    "output_axes",         "use_gate", "sliding_window", "lora_alpha", "rms_scaling",
};

static bool is_float32_policy(const json_t *json)
{
    const char *class_name = js_string(json, "class_name", "");
    return !strcmp(class_name, "DTypePolicy") && js_string(json_object_get(json, "config"), "name", NULL);
}

/* In place, at any depth. */
static void drop_newer(json_t *json)
{
    const char *key;
    json_t *value;
    void *next;
    for (size_t i = 0; i < json_array_size(json); i++)
        drop_newer(json_array_get(json, i));
    for (size_t i = 0; json_is_object(json) && i < sizeof newer_keys / sizeof newer_keys[0]; i++) {
        const json_t *found = json_object_get(json, newer_keys[i]);
        if (found && (json_is_null(found) || json_is_false(found)))
            json_object_del(json, newer_keys[i]);
    }
    if (json_is_object(json) && js_double(json, "renorm_momentum", 0) == 0.99 && !json_object_get(json, "renorm"))
        json_object_del(json, "renorm_momentum");
    json_object_foreach_safe(json, next, key, value) {
        if (!strcmp(key, "dtype") && is_float32_policy(value))
            json_object_set_new(json, key, json_string(js_string(json_object_get(value, "config"), "name", NULL)));
        else
            drop_newer(value);
    }
}

static const char *module_of(const char *key)
{
    if (str_ends(key, "_initializer"))
        return "keras.initializers";
    if (str_ends(key, "_regularizer"))
        return "keras.regularizers";
    if (str_ends(key, "_constraint"))
        return "keras.constraints";
    return "keras.layers";
}

static json_t *envelope_of(const char *module, const char *class_name, json_t *config, const char *registered)
{
    json_t *envelope = json_pack("{s:s, s:s, s:o}", "module", module, "class_name", class_name, "config", config);
    json_object_set_new(envelope, "registered_name", registered ? json_string(registered) : json_null());
    return envelope;
}

static json_t *config_to_keras(const json_t *config);

/* A model inside a wrapper. Keras learns the shape of a Sequential that does not say it from the wrapper's input. */
static json_t *model_to_keras(const json_t *value)
{
    struct err err = {0};
    struct model_spec *spec = model_spec_from_layers(value, "layer", &err);
    json_t *envelope = spec ? model_spec_to_keras(spec) : json_deep_copy(value);
    json_t *layers = json_object_get(json_object_get(envelope, "config"), "layers");
    const json_t *first = json_object_get(json_array_get(layers, 0), "config");
    if (spec && spec->sequential && !json_object_get(first, "batch_shape"))
        json_array_remove(layers, 0);
    model_spec_free(spec);
    return envelope;
}

/* {"class": "L2", "l2": 0.01} under "kernel_regularizer" -> Keras' envelope, at any depth; {"expression": ...} -> our
 * registered function. */
static json_t *value_to_keras(const char *key, const json_t *value)
{
    if (json_is_array(value)) {
        json_t *list = json_array();
        for (size_t i = 0; i < json_array_size(value); i++)
            json_array_append_new(list, value_to_keras(key, json_array_get(value, i)));
        return list;
    }
    const char *class_name = js_string(value, "class", NULL);
    if (!class_name && str_ends(key, "activation") && json_is_string(json_object_get(value, "expression")) &&
        !json_object_get(value, "class_name"))
        return envelope_of("antler", "Expression", json_copy((json_t *)value), "antler>Expression");
    if (!class_name)
        return json_deep_copy(value);
    if (json_is_array(json_object_get(value, "layers")))
        return model_to_keras(value);
    json_t *config = config_to_keras(value);
    json_object_del(config, "class");
    return envelope_of(module_of(key), class_name, config, NULL);
}

static json_t *config_to_keras(const json_t *config)
{
    json_t *out = json_object();
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)config, key, value)
        json_object_set_new(out, key, value_to_keras(key, value));
    return out;
}

static json_t *new_entry(const struct layer_spec *layer)
{
    if (!strcmp(layer->class_name, "Expression"))
        return envelope_of("antler", "Expression", json_deep_copy(layer->config), "antler>Expression");
    return envelope_of("keras.layers", layer->class_name, config_to_keras(layer->config), NULL);
}

static json_t *nodes_to_keras(const struct layer_spec *layer)
{
    json_t *nodes = json_array();
    for (int i = 0; i < layer->n_calls; i++) {
        json_t *kwargs = layer->calls[i].kwargs ? json_deep_copy(layer->calls[i].kwargs) : json_object();
        json_array_append_new(nodes,
                              json_pack("{s:o, s:o}", "args", json_deep_copy(layer->calls[i].args), "kwargs", kwargs));
    }
    return nodes;
}

static json_t *layer_to_keras(const struct layer_spec *layer, bool sequential)
{
    json_t *entry;
    if (layer->nested) {
        entry = model_spec_to_keras(layer->nested);
        json_t *config = json_object_get(entry, "config");
        json_object_set_new(config, "name", json_string(layer->name));
        json_t *trainable = json_object_get(layer->config, "trainable");
        if (trainable)
            json_object_set(config, "trainable", trainable);
        json_object_del(entry, "compile_config");
    } else if (layer->envelope) {
        entry = json_deep_copy(layer->envelope);
        drop_newer(json_object_get(entry, "config"));
    } else {
        entry = new_entry(layer);
    }
    if (!sequential) {
        json_object_set_new(entry, "name", json_string(layer->name));
        json_object_set_new(entry, "inbound_nodes", nodes_to_keras(layer));
    }
    return entry;
}

static json_t *ports_to_keras(const struct model_spec *spec, const struct tensor_ref *refs, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        const struct layer_spec *layer = &spec->layers[refs[i].layer];
        int shift = layer->nested && !layer->nested->sequential;
        json_array_append_new(list, json_pack("[s, i, i]", layer->name, refs[i].node + shift, refs[i].tensor));
    }
    return list;
}

/* Keras 3.0 to 3.3 know no single triple. */
static void ports_into(json_t *config, const char *key, const struct model_spec *spec, const struct tensor_ref *refs,
                       int n)
{
    const json_t *old = json_object_get(config, key);
    if (!old || json_is_string(json_array_get(old, 0)))
        json_object_set_new(config, key, ports_to_keras(spec, refs, n));
}

json_t *model_spec_to_keras(const struct model_spec *spec)
{
    const json_t *old = json_object_get(spec->envelope, "config");
    json_t *envelope = spec->envelope ? json_copy(spec->envelope) : json_object();
    json_t *config = old ? json_copy((json_t *)old) : json_pack("{s:s, s:b}", "name", spec->name, "trainable", 1);
    json_t *layers = json_array();
    for (int i = 0; i < spec->n_layers; i++) {
        const struct layer_spec *layer = &spec->layers[i];
        bool open = spec_is_input(layer) && !layer->envelope && old && !json_object_get(layer->config, "batch_shape");
        if (!open)
            json_array_append_new(layers, layer_to_keras(layer, spec->sequential));
    }
    json_object_set_new(config, "layers", layers);
    if (!spec->sequential) {
        ports_into(config, "input_layers", spec, spec->inputs, spec->n_inputs);
        ports_into(config, "output_layers", spec, spec->outputs, spec->n_outputs);
    } else if (is_float32_policy(json_object_get(config, "dtype"))) {
        json_t *name = json_object_get(json_object_get(json_object_get(config, "dtype"), "config"), "name");
        json_object_set(config, "dtype", name);
    }
    json_object_set_new(envelope, "module", json_string("keras"));
    json_object_set_new(envelope, "class_name", json_string(spec->sequential ? "Sequential" : "Model"));
    json_object_set_new(envelope, "config", config);
    json_object_set_new(envelope, "registered_name", json_null());
    return envelope;
}
