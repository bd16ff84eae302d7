/* model_spec.c - names, groups and the life of a spec, see model_spec.h */
#include "persistence/keras/model_spec.h"
#include "persistence/keras/model_spec_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int *name_map_at(struct name_map *map, const char *key)
{
    size_t known = map->names.n, i = name_table_id(&map->names, key, strlen(key));
    if (i == known) {
        map->values = xgrow(map->values, &map->capacity, map->names.n, sizeof *map->values);
        map->values[i] = -1;
    }
    return &map->values[i];
}

int name_map_find(const struct name_map *map, const char *key)
{
    size_t i = name_table_find(&map->names, key, strlen(key));
    return i == SIZE_MAX ? -1 : map->values[i];
}

void name_map_release(struct name_map *map)
{
    name_table_release(&map->names);
    free(map->values);
    *map = (struct name_map){0};
}

static const struct {
    const char *alias, *name;
} class_aliases[] = {
    {"MaxPool1D", "MaxPooling1D"},
    {"MaxPool2D", "MaxPooling2D"},
    {"MaxPool3D", "MaxPooling3D"},
    {"AvgPool1D", "AveragePooling1D"},
    {"AvgPool2D", "AveragePooling2D"},
    {"AvgPool3D", "AveragePooling3D"},
    {"GlobalMaxPool1D", "GlobalMaxPooling1D"},
    {"GlobalMaxPool2D", "GlobalMaxPooling2D"},
    {"GlobalMaxPool3D", "GlobalMaxPooling3D"},
    {"GlobalAvgPool1D", "GlobalAveragePooling1D"},
    {"GlobalAvgPool2D", "GlobalAveragePooling2D"},
    {"GlobalAvgPool3D", "GlobalAveragePooling3D"},
    {"Convolution1D", "Conv1D"},
    {"Convolution2D", "Conv2D"},
    {"Convolution3D", "Conv3D"},
    {"Convolution1DTranspose", "Conv1DTranspose"},
    {"Convolution2DTranspose", "Conv2DTranspose"},
    {"Convolution3DTranspose", "Conv3DTranspose"},
    {"SeparableConvolution1D", "SeparableConv1D"},
    {"SeparableConvolution2D", "SeparableConv2D"},
    {"Model", "Functional"},
};

const char *keras_canonical_class(const char *class_name)
{
    for (size_t i = 0; i < sizeof class_aliases / sizeof class_aliases[0]; i++)
        if (!strcmp(class_aliases[i].alias, class_name))
            return class_aliases[i].name;
    return class_name;
}

/* Keras' two substitutions: an underscore before (Upper lower+) after any character, and between (lower)(Upper). */
char *keras_snake_name(const char *class_name)
{
    struct str word = {0}, once = {0}, snake = {0};
    if (!strcmp(class_name, "GroupQueryAttention")) /* the name under which Keras exports another class */
        class_name = "GroupedQueryAttention";
    for (const char *p = class_name; *p; p++)
        if (isalnum((unsigned char)*p) || *p == '_' || (unsigned char)*p >= 0x80)
            str_add_char(&word, *p);
    const char *w = str_text(&word);
    bool may_split = false; /* the character before is not part of the match before it */
    for (size_t i = 0; w[i]; i++) {
        if (may_split && isupper((unsigned char)w[i]) && islower((unsigned char)w[i + 1])) {
            str_add_char(&once, '_');
            str_add_char(&once, w[i]);
            while (islower((unsigned char)w[i + 1]))
                str_add_char(&once, w[++i]);
            may_split = false;
        } else {
            str_add_char(&once, w[i]);
            may_split = true;
        }
    }
    const char *o = str_text(&once);
    for (size_t i = 0; o[i]; i++) {
        if (i && islower((unsigned char)o[i - 1]) && isupper((unsigned char)o[i]))
            str_add_char(&snake, '_');
        str_add_char(&snake, (char)tolower((unsigned char)o[i]));
    }
    str_release(&word);
    str_release(&once);
    return str_take(&snake);
}

bool model_spec_is_tensor(const json_t *json)
{
    return json_is_object(json) && !strcmp(js_string(json, "class_name", ""), "__keras_tensor__");
}

bool spec_is_input(const struct layer_spec *layer)
{
    return !layer->n_calls && !strcmp(layer->class_name, "InputLayer");
}

void spec_begin(struct spec_builder *b, const char *where, enum err_code code, int depth)
{
    *b = (struct spec_builder){.code = code, .depth = depth};
    b->spec = xcalloc(1, sizeof *b->spec);
    b->spec->arena = xcalloc(1, sizeof *b->spec->arena);
    b->where = arena_strdup(b->spec->arena, where);
}

struct layer_spec *spec_add_layer(struct spec_builder *b, const char *name, const char *class_name, struct err *err)
{
    struct model_spec *spec = b->spec;
    int listed = spec->n_layers - b->unlisted;
    if (spec->n_layers >= SPEC_MAX_LAYERS)
        return err_null(err, b->code, "%s: more than %d layers", b->where, SPEC_MAX_LAYERS);
    if (!*name || strchr(name, '/'))
        return err_null(err, b->code,
                        "%s.layers[%d]: '%.100s' cannot be a layer's name: it must not be empty or contain '/'",
                        b->where, listed, name);
    name = arena_strdup(spec->arena, name);
    int *index = name_map_at(&b->names, name);
    if (*index >= 0)
        return err_null(err, b->code,
                        "%s.layers[%d]: the name '%.100s' is used twice, also by layers[%d]; names must be unique",
                        b->where, listed, name, *index - b->unlisted);
    *index = spec->n_layers;
    spec->layers = xgrow(spec->layers, &b->capacity, (size_t)spec->n_layers + 1, sizeof *spec->layers);
    struct layer_spec *layer = &spec->layers[spec->n_layers];
    *layer = (struct layer_spec){.name = name, .class_name = arena_strdup(spec->arena, class_name)};
    layer->where = arena_printf(spec->arena, "%s.layers[%d]", b->where, listed);
    spec->n_layers++;
    return layer;
}

struct layer_spec *spec_add_open_input(struct spec_builder *b, const char *name, json_t *config, struct err *err)
{
    struct layer_spec *layer = spec_add_layer(b, name, "InputLayer", err);
    if (!layer) {
        json_decref(config);
        return NULL;
    }
    json_object_set_new(config, "name", json_string(name));
    layer->config = config;
    layer->where = b->where;
    b->unlisted++;
    return layer;
}

struct call_spec *spec_add_call(struct spec_builder *b, struct layer_spec *layer, int n_inputs, struct err *err)
{
    if (++b->n_calls > SPEC_MAX_CALLS)
        return err_null(err, b->code, "%s: more than %d layer calls", b->where, SPEC_MAX_CALLS);
    if ((layer->n_calls & (layer->n_calls - 1)) == 0) { /* room doubles at powers of two */
        struct call_spec *calls =
            arena_array(b->spec->arena, layer->n_calls ? (size_t)layer->n_calls * 2 : 1, sizeof *calls);
        if (layer->n_calls)
            memcpy(calls, layer->calls, (size_t)layer->n_calls * sizeof *calls);
        layer->calls = calls;
    }
    struct call_spec *call = &layer->calls[layer->n_calls++];
    *call = (struct call_spec){.n_inputs = n_inputs};
    call->inputs = arena_array(b->spec->arena, (size_t)n_inputs, sizeof *call->inputs);
    call->input_keys = arena_array(b->spec->arena, (size_t)n_inputs, sizeof *call->input_keys);
    return call;
}

void layer_spec_release(struct layer_spec *layer)
{
    json_decref(layer->config);
    json_decref(layer->envelope);
    for (int i = 0; i < layer->n_calls; i++) {
        json_decref(layer->calls[i].args);
        json_decref(layer->calls[i].kwargs);
    }
    model_spec_free(layer->nested);
}

void model_spec_free(struct model_spec *spec)
{
    if (!spec)
        return;
    for (int i = 0; i < spec->n_layers; i++)
        layer_spec_release(&spec->layers[i]);
    free(spec->layers);
    json_decref(spec->envelope);
    arena_release(spec->arena);
    free(spec->arena);
    free(spec);
}

static void release_maps(struct spec_builder *b)
{
    name_map_release(&b->names);
    name_map_release(&b->given);
    name_map_release(&b->counts);
}

struct model_spec *spec_abandon(struct spec_builder *b)
{
    release_maps(b);
    model_spec_free(b->spec);
    b->spec = NULL;
    return NULL;
}

/* How many a layer has depends on its class: the engine knows. */
static int outputs_of(const struct layer_spec *layer)
{
    return layer->nested ? layer->nested->n_outputs : spec_is_input(layer) ? 1 : SPEC_MAX_OUTPUTS;
}

bool spec_link_sequential(struct spec_builder *b, struct err *err)
{
    struct model_spec *spec = b->spec;
    for (int i = 1; i < spec->n_layers; i++) {
        if (!strcmp(spec->layers[i].class_name, "InputLayer"))
            return err_set(err, b->code, "%s: an InputLayer must be the first layer of a Sequential",
                           spec->layers[i].where);
        if (i > 1 && spec->layers[i - 1].nested && outputs_of(&spec->layers[i - 1]) != 1)
            return err_set(err, b->code, "%s: a layer inside a Sequential must have one output",
                           spec->layers[i - 1].where);
        struct call_spec *call = spec_add_call(b, &spec->layers[i], 1, err);
        if (!call)
            return false;
        call->inputs[0] = (struct tensor_ref){i - 1, 0, 0};
    }
    if (spec->n_layers < 2)
        return err_set(err, b->code, "%s: a Sequential without layers", b->where);
    spec->inputs = arena_alloc(spec->arena, sizeof *spec->inputs);
    spec->outputs = arena_alloc(spec->arena, sizeof *spec->outputs);
    spec->outputs[0].layer = spec->n_layers - 1;
    spec->n_inputs = spec->n_outputs = 1;
    return true;
}

static bool check_ref(struct spec_builder *b, struct tensor_ref ref, const char *user, struct err *err)
{
    if (ref.layer < 0 || ref.layer >= b->spec->n_layers)
        return err_set(err, b->code, "%s: refers to a layer that does not exist", user);
    const struct layer_spec *layer = &b->spec->layers[ref.layer];
    int calls = spec_is_input(layer) ? 1 : layer->n_calls;
    if (ref.node < 0 || ref.node >= calls)
        return err_set(err, b->code, "%s: wants call %d of '%s', which is called %d times", user, ref.node, layer->name,
                       calls);
    if (ref.tensor < 0 || ref.tensor >= outputs_of(layer))
        return err_set(err, b->code, "%s: wants output %d of '%s', which has %s%d", user, ref.tensor, layer->name,
                       layer->nested || spec_is_input(layer) ? "" : "at most ", outputs_of(layer));
    return true;
}

static bool check_refs(struct spec_builder *b, struct err *err)
{
    struct model_spec *spec = b->spec;
    for (int i = 0; i < spec->n_layers; i++)
        for (int k = 0; k < spec->layers[i].n_calls; k++)
            for (int n = 0; n < spec->layers[i].calls[k].n_inputs; n++)
                if (!check_ref(b, spec->layers[i].calls[k].inputs[n], spec->layers[i].where, err))
                    return false;
    for (int i = 0; i < spec->n_inputs; i++) {
        if (!check_ref(b, spec->inputs[i], b->where, err))
            return false;
        const struct layer_spec *layer = &spec->layers[spec->inputs[i].layer];
        if (!spec_is_input(layer))
            return err_set(err, b->code, "%s: input '%s' is a %s, an InputLayer is needed", b->where, layer->name,
                           layer->class_name);
    }
    for (int i = 0; i < spec->n_outputs; i++)
        if (!check_ref(b, spec->outputs[i], b->where, err))
            return false;
    if (!spec->n_inputs || !spec->n_outputs)
        return err_set(err, b->code, "%s: the model has no %s", b->where, spec->n_inputs ? "outputs" : "inputs");
    return true;
}

/* Groups count the classes in Keras' order. A Sequential does not count its InputLayer. */
static void name_groups(struct model_spec *spec)
{
    struct name_map counts = {0};
    for (int i = 0; i < spec->n_layers; i++) {
        struct layer_spec *layer = &spec->layers[i];
        const char *module = js_string(layer->envelope, "module", "");
        if (str_starts(module, "keras.src.ops") || str_starts(module, "keras.ops") ||
            (spec->sequential && spec_is_input(layer)))
            continue;
        char *snake = keras_snake_name(keras_canonical_class(layer->class_name));
        const char *group = arena_strdup(spec->arena, snake);
        free(snake);
        int *count = name_map_at(&counts, group);
        layer->h5_group = ++*count ? arena_printf(spec->arena, "%s_%d", group, *count) : group;
    }
    name_map_release(&counts);
}

struct model_spec *spec_finish(struct spec_builder *b, struct err *err)
{
    struct model_spec *spec = b->spec;
    if (!check_refs(b, err) || !spec_sort(b, err))
        return spec_abandon(b);
    name_groups(spec);
    spec->output_names = arena_array(spec->arena, (size_t)spec->n_outputs, sizeof *spec->output_names);
    for (int i = 0; i < spec->n_outputs; i++)
        spec->output_names[i] = spec->layers[spec->outputs[i].layer].name;
    release_maps(b);
    return spec;
}

struct model_spec *model_spec_from_keras(const json_t *envelope, const char *where, struct err *err)
{
    return spec_read_keras(envelope, where, 0, err);
}

struct model_spec *model_spec_from_layers(const json_t *model, const char *where, struct err *err)
{
    return spec_read_short(model, where, 0, err);
}
