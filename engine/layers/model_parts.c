/* model_parts.c - layers inside layers: cells of RNNs, what wrappers wrap. See layer_support.h */
#include "engine/layers/model_internal.h"

#include <stdlib.h>
#include <string.h>

enum { PARTS_MAX_DEPTH = 16 };

static int depth_of(const struct layer *layer)
{
    int depth = 0;
    for (; layer; layer = layer->parent)
        depth++;
    return depth;
}

static bool is_model(const char *class_name, const json_t *config)
{
    bool named = !strcmp(class_name, "Sequential") || !strcmp(class_name, "Functional") || !strcmp(class_name, "Model");
    return named && json_object_get(config, "layers");
}

/* The part's own config: without the short form's "class", with a name. Kept by the model. */
static json_t *own_config(struct model *model, const char *class_name, const json_t *config, const json_t *extra)
{
    json_t *own = json_copy((json_t *)config);
    json_object_del(own, "class");
    if (!js_string(own, "name", NULL)) {
        char *name = keras_snake_name(class_name);
        json_object_set_new(own, "name", json_string(name));
        free(name);
    }
    if (extra)
        json_object_update(own, (json_t *)extra);
    model_keep_json(model, own);
    return own;
}

/* A model inside a layer is built when its inputs are known. */
static bool add_model(struct layer_part *part, struct layer *layer, struct model *model, const json_t *given,
                      const json_t *config, const char *where, struct err *err)
{
    bool brief = json_object_get(given, "class") != NULL;
    struct model_spec *spec =
        brief ? model_spec_from_layers(given, where, err) : model_spec_from_keras(given, where, err);
    if (!spec)
        return false;
    model->kept_specs = xrealloc(model->kept_specs, (size_t)(model->n_kept_specs + 1) * sizeof(struct model_spec *));
    model->kept_specs[model->n_kept_specs++] = spec;
    part->spec = spec;
    const char *name = js_string(config, "name", spec->name);
    part->place.path = arena_printf(&model->arena, "%s/%s/", layer->path, name);
    part->place.inside = layer;
    part->place.trainable = layer->around_trains && js_bool(config, "trainable", true);
    return true;
}

static bool add_leaf(struct layer_part *part, struct layer *layer, struct model *model, const char *group,
                     const json_t *given, const char *class_name, json_t *config, const char *where, struct err *err)
{
    struct layer_spec *spec = arena_alloc(&model->arena, sizeof *spec);
    *spec = (struct layer_spec){.name = js_string(config, "name", NULL),
                                .class_name = class_name,
                                .where = where,
                                .h5_group = group,
                                .config = config,
                                .envelope = json_object_get(given, "class_name") ? (json_t *)given : NULL};
    struct place around = {arena_printf(&model->arena, "%s/", layer->path),
                           arena_printf(&model->arena, "%s/", layer->h5_group), layer->around_trains, layer};
    part->use.layer = layer_new(model, around, spec, err);
    return part->use.layer != NULL;
}

struct layer_part *layer_add_part(struct layer *layer, struct model *model, const char *group, const json_t *given,
                                  const json_t *extra, struct err *err)
{
    const char *class_name, *where = arena_printf(&model->arena, "%s.%s", layer->where, group);
    const json_t *config;
    struct layer_part *part = arena_alloc(&model->arena, sizeof *part), **end = &layer->parts;
    if (!json_is_object(given) || !class_reference(given, &class_name, &config)) {
        layer_fail(layer, err, "'%s' must be a layer, found %s", group, js_type_name(given));
        return NULL;
    }
    if (depth_of(layer) >= PARTS_MAX_DEPTH || !strcmp(class_name, "InputLayer")) {
        layer_fail(layer, err, "'%s' cannot be %s", group,
                   strcmp(class_name, "InputLayer") ? "nested deeper than 16 layers" : "an InputLayer");
        return NULL;
    }
    part->given = given;
    part->place.h5_group = arena_printf(&model->arena, "%s/%s/", layer->h5_group, group);
    json_t *own = own_config(model, class_name, config, extra);
    bool ok = is_model(class_name, config) ? add_model(part, layer, model, given, own, where, err)
                                           : add_leaf(part, layer, model, group, given, class_name, own, where, err);
    while (*end)
        end = &(*end)->next;
    *end = ok ? part : NULL;
    return *end;
}

int part_outputs(const struct layer_part *part)
{
    return part->spec ? part->spec->n_outputs : part->use.layer->class->call ? LAYER_MAX_OUTPUTS : 1;
}

struct layer *part_layer(const struct layer_part *part)
{
    return part->use.layer;
}

bool part_build(struct layer_part *part, struct model *model, const struct shape *inputs, int n, struct shape *outputs,
                struct err *err)
{
    if (!part->spec)
        return leaf_build(model, part->use.layer, NULL, inputs, n, outputs, err);
    if (n != part->spec->n_inputs)
        return err_set(err, ERR_USAGE, "%s: the model '%s' has %d inputs, found %d", part->place.path, part->spec->name,
                       part->spec->n_inputs, n);
    part->use.nested = submodel_build(model, part->spec, part->place, inputs, outputs, err);
    return part->use.nested != NULL;
}

void part_lower(struct lowering *l, const struct layer_part *part, struct value **inputs, struct value **masks, int n,
                struct value **outputs, struct value **output_masks)
{
    lower_use(l, &part->use, NULL, (struct masked){inputs, masks}, n, (struct masked){outputs, output_masks});
}

static bool config_has(const json_t *given, const char *wanted)
{
    static const char *const inside[] = {"layer", "backward_layer", "cell"};
    const char *class_name;
    const json_t *config;
    if (json_is_array(given)) {
        bool found = false;
        for (size_t i = 0; i < json_array_size(given) && !found; i++)
            found = config_has(json_array_get(given, i), wanted);
        return found;
    }
    if (!json_is_object(given) || !class_reference(given, &class_name, &config))
        return false;
    bool found = !strcmp(class_name, wanted) || config_has(json_object_get(config, "layers"), wanted) ||
                 config_has(json_object_get(config, "cells"), wanted);
    for (size_t i = 0; i < sizeof inside / sizeof inside[0] && !found; i++)
        found = config_has(json_object_get(config, inside[i]), wanted);
    return found;
}

bool part_has(const struct layer_part *part, const char *class_name)
{
    return config_has(part->given, class_name);
}
