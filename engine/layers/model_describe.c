/* model_describe.c - a model as JSON: for people (check, inspect) and for Keras (config.json). See model.h */
#include "engine/layers/model.h"
#include "engine/layers/model_internal.h"

#include <string.h>

json_t *shape_json(struct shape shape)
{
    json_t *dims = json_array();
    for (int i = 0; i < shape.rank; i++)
        json_array_append_new(dims, json_integer(shape.dim[i]));
    return dims;
}

json_t *batched_shape_json(struct shape sample)
{
    json_t *dims = shape_json(sample);
    json_array_insert_new(dims, 0, json_null());
    return dims;
}

static void list_weights(json_t *weights, const struct layer *layer, int64_t *params)
{
    for (int i = 0; i < layer->n_variables; i++) {
        const struct variable *variable = layer->variables[i];
        json_array_append_new(weights,
                              json_pack("{s:s, s:s, s:o, s:b}", "name", variable->name, "path", variable->h5_path,
                                        "shape", shape_json(variable->shape), "trainable", variable->trainable));
        *params += shape_elements(variable->shape);
    }
}

/* With what is inside it, which follows it. */
static json_t *layer_json(const struct model *model, const struct layer *layer)
{
    int64_t params = 0;
    json_t *weights = json_array();
    for (int i = layer->number; i < model->n_layers && layer_outermost(model->layers[i]) == layer; i++)
        list_weights(weights, model->layers[i], &params);
    return json_pack("{s:s, s:s, s:o, s:I, s:b, s:s, s:o}", "name", layer->path, "class", layer->spec_class,
                     "output_shape", batched_shape_json(layer->output_shape), "params", (json_int_t)params, "trainable",
                     layer->trainable, "dtype_policy", layer->bfloat16 ? "mixed_bfloat16" : "float32", "weights",
                     weights);
}

json_t *model_describe(const struct model *model)
{
    json_t *layers = json_array();
    for (int i = 0; i < model->n_layers; i++)
        if (!model->layers[i]->parent)
            json_array_append_new(layers, layer_json(model, model->layers[i]));
    return layers;
}

/* An InputLayer whose shape the config left open gets the shape it was built with. */
static void close_input(json_t *entry, const struct layer_spec *spec, struct shape sample)
{
    json_t *config = json_object_get(entry, "config");
    if (json_object_get(spec->config, "batch_shape") || json_object_get(spec->config, "batch_input_shape"))
        return;
    json_object_set_new(config, "batch_shape", batched_shape_json(sample));
}

static bool any_trains(const struct layer_use *use);

static bool model_trains(const struct submodel *s)
{
    bool trains = false;
    for (int i = 0; i < s->spec->n_layers && !trains; i++)
        trains = any_trains(&s->uses[i]);
    return trains;
}

static bool any_trains(const struct layer_use *use)
{
    if (use->nested)
        return model_trains(use->nested);
    bool trains = use->layer->trainable && use->layer->n_variables;
    for (const struct layer_part *part = use->layer->parts; part && !trains; part = part->next)
        trains = any_trains(&part->use);
    return trains;
}

/* What a frozen wrapper wraps is frozen by its own flag. */
static void freeze_inside(json_t *config)
{
    static const char *const keys[] = {"layer", "backward_layer", "cell", "cells"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        json_t *inside = json_object_get(config, keys[i]);
        size_t n = json_is_array(inside) ? json_array_size(inside) : inside != NULL;
        for (size_t k = 0; k < n; k++) {
            json_t *inner = json_object_get(json_is_array(inside) ? json_array_get(inside, k) : inside, "config");
            if (!json_is_object(inner))
                continue;
            json_object_set_new(inner, "trainable", json_false());
            freeze_inside(inner);
        }
    }
}

/* What only the built model knows: open input shapes, and which layers were frozen (Keras' optimizer has no slots for
 * them). */
static void settle_layers(json_t *envelope, const struct submodel *s)
{
    json_t *layers = json_object_get(json_object_get(envelope, "config"), "layers");
    const struct model_spec *spec = s->spec;
    if (spec->sequential && json_array_size(layers) == (size_t)spec->n_layers - 1) {
        json_t *config = json_pack("{s:s, s:s}", "name", spec->layers[0].name, "dtype", "float32");
        json_array_insert_new(layers, 0,
                              json_pack("{s:s, s:s, s:o, s:n}", "module", "keras.layers", "class_name", "InputLayer",
                                        "config", config, "registered_name"));
    }
    for (int i = 0; i < spec->n_layers; i++) {
        json_t *entry = json_array_get(layers, (size_t)i);
        const struct layer *layer = s->uses[i].layer;
        if (layer && !layer->trainable && (layer->n_variables || layer->parts))
            json_object_set_new(json_object_get(entry, "config"), "trainable", json_false());
        if (layer && !layer->trainable && layer->parts && !any_trains(&s->uses[i]))
            freeze_inside(json_object_get(entry, "config"));
        if (s->uses[i].nested)
            settle_layers(entry, s->uses[i].nested);
        else if (!strcmp(spec->layers[i].class_name, "InputLayer"))
            close_input(entry, &spec->layers[i], s->uses[i].layer->output_shape);
    }
}

json_t *model_to_keras(const struct model *model)
{
    json_t *envelope = model_spec_to_keras(model->spec);
    json_object_del(envelope, "compile_config");
    settle_layers(envelope, model->root);
    return envelope;
}
