/* model_collect.c - the layers and variables of a built model in Keras' saving order; which of them train. See model.h
 */
#include "base/rng.h"
#include "engine/layers/model_internal.h"

#include <stdlib.h>
#include <string.h>

static const struct layer_variable *full(const struct variable *variable)
{
    return (const struct layer_variable *)variable;
}

static bool same_group(const struct variable *a, const struct variable *b)
{
    const char *x = full(a)->group, *y = full(b)->group;
    return x && y ? !strcmp(x, y) : x == y;
}

/* Numbers count within a group; weights stand before variables that never train. */
static void number_variables(struct model *model, struct layer *layer)
{
    struct variable **first = model->variables + model->n_variables;
    bool own = false;
    int n = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < layer->n_variables; i++)
            if (full(layer->variables[i])->weight == (pass == 0))
                first[n++] = layer->variables[i];
    for (int i = 0; i < n; i++) {
        const char *group = full(first[i])->group;
        int number = 0;
        for (int k = 0; k < i; k++)
            number += same_group(first[k], first[i]);
        own |= !group;
        first[i]->seed_number = model->n_variables + i;
        first[i]->h5_path = arena_printf(&model->arena, "%s/%s%svars/%d", layer->h5_group, group ? group : "",
                                         group ? "/" : "", number);
    }
    model->n_variables += n;
    if (!own && layer->h5_group)
        model->groups[model->n_groups++] = arena_printf(&model->arena, "%s/vars", layer->h5_group);
}

struct census {
    size_t layers, variables, groups;
};

static void count_submodel(const struct submodel *s, struct census *found);

static void count_layer(const struct layer *layer, struct census *found)
{
    found->layers++;
    found->groups++;
    found->variables += (size_t)layer->n_variables;
    for (const struct layer_part *part = layer->parts; part; part = part->next)
        if (part->use.nested)
            count_submodel(part->use.nested, found);
        else
            count_layer(part->use.layer, found);
}

static void count_submodel(const struct submodel *s, struct census *found)
{
    found->groups++;
    for (int i = 0; i < s->spec->n_layers; i++)
        if (s->uses[i].nested)
            count_submodel(s->uses[i].nested, found);
        else
            count_layer(s->uses[i].layer, found);
}

static void collect_submodel(struct model *model, const struct submodel *s);

static void collect_layer(struct model *model, struct layer *layer)
{
    layer->number = model->n_layers;
    layer->stream = RNG_STREAM_LAYERS + (uint32_t)(model->n_layers % (1 << 20));
    model->layers[model->n_layers++] = layer;
    number_variables(model, layer);
    for (const struct layer_part *part = layer->parts; part; part = part->next)
        if (part->use.nested)
            collect_submodel(model, part->use.nested);
        else
            collect_layer(model, part->use.layer);
}

static void collect_submodel(struct model *model, const struct submodel *s)
{
    model->groups[model->n_groups++] = arena_printf(&model->arena, "%svars", s->place.h5_group);
    for (int i = 0; i < s->spec->n_layers; i++)
        if (s->uses[i].nested)
            collect_submodel(model, s->uses[i].nested);
        else
            collect_layer(model, s->uses[i].layer);
}

static void collect_trainable(struct model *model)
{
    model->n_trainable = 0;
    model->n_params = model->n_trainable_params = 0;
    for (int i = 0; i < model->n_layers; i++) {
        struct layer *layer = model->layers[i];
        for (int k = 0; k < layer->n_variables; k++) {
            struct variable *variable = layer->variables[k];
            variable->trainable = layer->trainable && full(variable)->weight;
            model->n_params += shape_elements(variable->shape);
            if (!variable->trainable)
                continue;
            model->trainable[model->n_trainable++] = variable;
            model->n_trainable_params += shape_elements(variable->shape);
        }
    }
}

void model_collect(struct model *model)
{
    struct census found = {0};
    count_submodel(model->root, &found);
    model->layers = arena_array(&model->arena, found.layers, sizeof(struct layer *));
    model->variables = arena_array(&model->arena, found.variables, sizeof(struct variable *));
    model->trainable = arena_array(&model->arena, found.variables, sizeof(struct variable *));
    model->groups = arena_array(&model->arena, found.groups, sizeof(char *));
    collect_submodel(model, model->root);
    collect_trainable(model);
}

const struct layer *layer_outermost(const struct layer *layer)
{
    return layer->parent ? layer_outermost(layer->parent) : layer;
}

static bool freezes(const char *pattern, const struct layer *layer)
{
    char *path = xstrdup(layer->path);
    bool match = str_glob(pattern, layer->name) || str_glob(pattern, path);
    for (char *slash = strrchr(path, '/'); slash && !match; slash = strrchr(path, '/')) {
        *slash = 0;
        const char *last = strrchr(path, '/');
        match = str_glob(pattern, path) || str_glob(pattern, last ? last + 1 : path);
    }
    free(path);
    return match;
}

/* What a wrapper wraps freezes with it. */
int model_freeze(struct model *model, const char *pattern)
{
    int n = 0;
    for (int i = 0; i < model->n_layers; i++)
        if (freezes(pattern, layer_outermost(model->layers[i]))) {
            model->layers[i]->trainable = false;
            n++;
        }
    collect_trainable(model);
    return n;
}
