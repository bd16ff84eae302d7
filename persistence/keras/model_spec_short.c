/* model_spec_short.c - reading the short form of our own config: {"layers": [{"class": "Dense", ...}]}, see
 * model_spec.h */
#include "persistence/keras/model_spec_internal.h"

#include <stdlib.h>
#include <string.h>

/* Keys of a layer that say how it is called; everything else is its config. */
static const char *const wiring_keys[] = {"class", "inputs", "call"};

/* As Keras counts: "dense", "dense_1", ...; names given to other entries are left to them. */
static char *unused_name(struct spec_builder *b, const char *class_name)
{
    char *snake = keras_snake_name(class_name);
    const char *base = arena_strdup(b->spec->arena, snake);
    free(snake);
    int *count = name_map_at(&b->counts, base);
    for (;;) {
        char *name = ++*count ? xprintf("%s_%d", base, *count) : xstrdup(base);
        if (name_map_find(&b->names, name) < 0 && name_map_find(&b->given, name) < 0)
            return name;
        free(name);
    }
}

static json_t *batch_shape(const json_t *shape)
{
    json_t *with_batch = json_pack("[n]");
    if (json_is_integer(shape))
        json_array_append(with_batch, (json_t *)shape);
    json_array_extend(with_batch, (json_t *)shape);
    return with_batch;
}

/* The layer's own config: without wiring, with its name, an InputLayer's shape as Keras writes it. */
static json_t *own_config(const json_t *entry, const char *name, bool input)
{
    json_t *config = json_copy((json_t *)entry);
    for (size_t i = 0; i < sizeof wiring_keys / sizeof wiring_keys[0]; i++)
        json_object_del(config, wiring_keys[i]);
    json_object_set_new(config, "name", json_string(name));
    const json_t *shape = json_object_get(config, "shape");
    if (input && shape) {
        json_object_set_new(config, "batch_shape", batch_shape(shape));
        json_object_del(config, "shape");
    }
    return config;
}

static bool read_layer(struct spec_builder *b, const json_t *entry, struct err *err)
{
    const char *class_name = js_string(entry, "class", NULL);
    int listed = b->spec->n_layers - b->unlisted;
    if (!class_name)
        return err_set(err, b->code, "%s.layers[%d]: a layer must be an object with a \"class\", found %s%s", b->where,
                       listed, js_type_name(entry),
                       json_object_get(entry, "class_name")
                           ? " with \"class_name\": a whole Keras config goes into \"model\" itself"
                           : "");
    if (!strcmp(class_name, "Input"))
        class_name = "InputLayer";
    const json_t *given = json_object_get(entry, "name");
    if (given && !json_is_string(given))
        return err_set(err, b->code, "%s.layers[%d].name: must be a string, found %s", b->where, listed,
                       js_type_name(given));
    char *name = given ? xstrdup(json_string_value(given)) : unused_name(b, class_name);
    struct layer_spec *layer = spec_add_layer(b, name, class_name, err);
    if (layer)
        layer->config = own_config(entry, name, !strcmp(class_name, "InputLayer"));
    free(name);
    if (!layer)
        return false;
    if (!json_is_array(json_object_get(entry, "layers")))
        return true;
    layer->nested = spec_read_short(entry, layer->where, b->depth + 1, err);
    return layer->nested != NULL;
}

/* "name", "name:call" or "name:call:output". The whole text is tried as a name first. */
static bool resolve(struct spec_builder *b, const json_t *json, const char *place, struct tensor_ref *ref,
                    struct err *err)
{
    const char *text = json_string_value(json);
    *ref = (struct tensor_ref){.layer = text ? name_map_find(&b->names, text) : -1};
    if (!text)
        return err_set(err, b->code, "%s: an input is the name of a layer, found %s", place, js_type_name(json));
    if (ref->layer >= 0)
        return true;
    char *name = xstrdup(text), *end = NULL;
    long numbers[2] = {0, 0};
    char *colon = strchr(name, ':');
    bool numeric = colon != NULL;
    if (colon) {
        *colon = 0;
        numbers[0] = strtol(colon + 1, &end, 10);
        numeric = end != colon + 1;
        if (numeric && *end == ':') {
            char *second = end + 1;
            numbers[1] = strtol(second, &end, 10);
            numeric = end != second;
        }
        numeric = numeric && !*end && numbers[0] >= 0 && numbers[1] >= 0 && numbers[0] < SPEC_MAX_CALLS &&
                  numbers[1] < SPEC_MAX_CALLS;
    }
    ref->layer = name_map_find(&b->names, name);
    ref->node = (int)numbers[0];
    ref->tensor = (int)numbers[1];
    bool ok = ref->layer >= 0 && (numeric || !colon);
    if (!ok) {
        const char *names[512];
        size_t n = 0;
        for (int i = 0; i < b->spec->n_layers && n < 512; i++)
            names[n++] = b->spec->layers[i].name;
        const char *nearest = ref->layer < 0 ? str_nearest(name, names, n) : NULL;
        err_set(err, b->code, "%s: there is no layer '%.100s'", place, text);
        err_nearest(err, nearest);
    }
    free(name);
    return ok;
}

static json_t *tensor_object(const struct model_spec *spec, struct tensor_ref ref)
{
    return json_pack("{s:s, s:{s:[n], s:s, s:[s, i, i]}}", "class_name", "__keras_tensor__", "config", "shape", "dtype",
                     "float32", "keras_history", spec->layers[ref.layer].name, ref.node, ref.tensor);
}

/* Classes whose call takes its tensors one by one, not as a list. */
static bool takes_separate_inputs(const char *class_name)
{
    return !strcmp(class_name, "MultiHeadAttention") || !strcmp(class_name, "GroupQueryAttention");
}

static bool add_call(struct spec_builder *b, struct layer_spec *layer, const struct tensor_ref *refs, int n,
                     const json_t *kwargs, struct err *err)
{
    struct call_spec *call = spec_add_call(b, layer, n, err);
    if (!call)
        return false;
    json_t *tensors = json_array();
    for (int i = 0; i < n; i++) {
        call->inputs[i] = refs[i];
        json_array_append_new(tensors, tensor_object(b->spec, refs[i]));
    }
    if (takes_separate_inputs(layer->class_name))
        call->args = json_incref(tensors);
    else
        call->args = json_pack("[O]", n == 1 ? json_array_get(tensors, 0) : tensors);
    call->kwargs = kwargs ? json_deep_copy(kwargs) : json_object();
    json_decref(tensors);
    return true;
}

/* {"query": "a", "initial_state": ["b", "c"]}: a call whose tensors all go by name, in the order of the names. */
static bool read_named_call(struct spec_builder *b, struct layer_spec *layer, const json_t *inputs,
                            const json_t *kwargs, struct err *err)
{
    enum { MOST = 64 };
    const char *keys[MOST], *key, *place = arena_printf(b->spec->arena, "%s.inputs", layer->where), *owners[MOST];
    struct tensor_ref refs[MOST];
    json_t *value, *named = kwargs ? json_deep_copy(kwargs) : json_object();
    int n_keys = 0, n = 0;
    bool ok = json_object_size(inputs) > 0 && json_object_size(inputs) <= MOST;
    if (!ok)
        err_set(err, b->code, "%s: must name 1 to %d arguments, found %zu", place, MOST, json_object_size(inputs));
    json_object_foreach((json_t *)inputs, key, value)
        if (ok)
            keys[n_keys++] = key;
    qsort(keys, (size_t)n_keys, sizeof *keys, str_order);
    for (int i = 0; ok && i < n_keys; i++) {
        const json_t *given = json_object_get(inputs, keys[i]);
        json_t *tensors = json_array();
        size_t count = json_is_array(given) ? json_array_size(given) : 1;
        for (size_t k = 0; ok && k < count; k++) {
            ok = n < MOST || err_set(err, b->code, "%s: more than %d tensors", place, MOST);
            ok = ok && resolve(b, json_is_array(given) ? json_array_get(given, k) : given, place, &refs[n], err);
            if (ok) {
                json_array_append_new(tensors, tensor_object(b->spec, refs[n]));
                owners[n++] = keys[i];
            }
        }
        json_object_set(named, keys[i], json_is_array(given) ? tensors : json_array_get(tensors, 0));
        json_decref(tensors);
    }
    struct call_spec *call = ok ? spec_add_call(b, layer, n, err) : NULL;
    for (int i = 0; call && i < n; i++) {
        call->inputs[i] = refs[i];
        call->input_keys[i] = arena_strdup(b->spec->arena, owners[i]);
    }
    if (call) {
        call->args = json_array();
        call->kwargs = json_incref(named);
    }
    json_decref(named);
    return call != NULL;
}

/* inputs: a list of names = one call. */
static bool read_call(struct spec_builder *b, struct layer_spec *layer, const json_t *inputs, const json_t *kwargs,
                      struct err *err)
{
    const char *place = arena_printf(b->spec->arena, "%s.inputs", layer->where);
    size_t n = json_array_size(inputs);
    if (json_is_object(inputs))
        return read_named_call(b, layer, inputs, kwargs, err);
    if (!json_is_array(inputs) || !n || n > 4096)
        return err_set(err, b->code, "%s: must be a list of 1 to 4096 layer names, found %s of %zu", place,
                       js_type_name(inputs), n);
    struct tensor_ref *refs = xcalloc(n, sizeof *refs);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++)
        ok = resolve(b, json_array_get(inputs, i), place, &refs[i], err);
    ok = ok && add_call(b, layer, refs, (int)n, kwargs, err);
    free(refs);
    return ok;
}

static bool read_calls(struct spec_builder *b, int index, const json_t *entry, struct err *err)
{
    struct layer_spec *layer = &b->spec->layers[index];
    const json_t *inputs = json_object_get(entry, "inputs"), *kwargs = json_object_get(entry, "call");
    bool is_input = !strcmp(layer->class_name, "InputLayer");
    if (kwargs && !json_is_object(kwargs))
        return err_set(err, b->code, "%s.call: must be an object of keyword arguments, found %s", layer->where,
                       js_type_name(kwargs));
    if (is_input)
        return !inputs || err_set(err, b->code, "%s.inputs: an InputLayer has no inputs", layer->where);
    if (!inputs)
        return add_call(b, layer, &(struct tensor_ref){.layer = index - 1}, 1, kwargs, err);
    const json_t *first = json_array_get(inputs, 0);
    if (!json_is_array(first) && !json_is_object(first))
        return read_call(b, layer, inputs, kwargs, err);
    for (size_t i = 0; i < json_array_size(inputs); i++)
        if (!read_call(b, layer, json_array_get(inputs, i), kwargs, err))
            return false;
    return true;
}

static void find_inputs(struct model_spec *spec)
{
    spec->inputs = arena_array(spec->arena, (size_t)spec->n_layers, sizeof *spec->inputs);
    for (int i = 0; i < spec->n_layers; i++)
        if (!strcmp(spec->layers[i].class_name, "InputLayer"))
            spec->inputs[spec->n_inputs++] = (struct tensor_ref){.layer = i};
}

static bool read_outputs(struct spec_builder *b, const json_t *outputs, struct err *err)
{
    struct model_spec *spec = b->spec;
    const char *place = arena_printf(spec->arena, "%s.outputs", b->where);
    if (!json_is_array(outputs) || !json_array_size(outputs))
        return err_set(err, b->code, "%s: must be a list of layer names, found %s", place, js_type_name(outputs));
    spec->outputs = arena_array(spec->arena, json_array_size(outputs), sizeof *spec->outputs);
    for (size_t i = 0; i < json_array_size(outputs); i++)
        if (!resolve(b, json_array_get(outputs, i), place, &spec->outputs[spec->n_outputs++], err))
            return false;
    return true;
}

/* Every call that no other call consumes. */
static void find_outputs(struct spec_builder *b)
{
    struct model_spec *spec = b->spec;
    bool **used = xcalloc((size_t)spec->n_layers, sizeof *used);
    int n = 0;
    for (int i = 0; i < spec->n_layers; i++) {
        used[i] = xcalloc((size_t)spec->layers[i].n_calls + 1, sizeof **used);
        n += spec->layers[i].n_calls;
    }
    for (int i = 0; i < spec->n_layers; i++)
        for (int k = 0; k < spec->layers[i].n_calls; k++)
            for (int m = 0; m < spec->layers[i].calls[k].n_inputs; m++) {
                struct tensor_ref ref = spec->layers[i].calls[k].inputs[m];
                if (ref.node < spec->layers[ref.layer].n_calls)
                    used[ref.layer][ref.node] = true;
            }
    spec->outputs = arena_array(spec->arena, (size_t)n, sizeof *spec->outputs);
    for (int i = 0; i < spec->n_layers; i++) {
        for (int k = 0; k < spec->layers[i].n_calls; k++)
            if (!used[i][k])
                spec->outputs[spec->n_outputs++] = (struct tensor_ref){.layer = i, .node = k};
        free(used[i]);
    }
    free(used);
}

/* What the user wrote is all meant: a layer that leads to no output is a mistake. */
static struct model_spec *finish(struct spec_builder *b, struct err *err)
{
    int given = b->spec->n_layers;
    char **names = xcalloc((size_t)given, sizeof *names), **places = xcalloc((size_t)given, sizeof *places);
    for (int i = 0; i < given; i++) {
        names[i] = xstrdup(b->spec->layers[i].name);
        places[i] = xstrdup(b->spec->layers[i].where);
    }
    struct model_spec *spec = spec_finish(b, err);
    if (spec && spec->n_layers < given) {
        struct name_map kept = {0};
        for (int i = 0; i < spec->n_layers; i++)
            *name_map_at(&kept, spec->layers[i].name) = i;
        int lost = 0;
        while (lost < given - 1 && name_map_find(&kept, names[lost]) >= 0)
            lost++;
        err_set(err, ERR_USAGE, "%s: layer '%s' leads to no output of the model", places[lost], names[lost]);
        name_map_release(&kept);
        model_spec_free(spec);
        spec = NULL;
    }
    for (int i = 0; i < given; i++) {
        free(names[i]);
        free(places[i]);
    }
    free(names);
    free(places);
    return spec;
}

static bool is_sequential(const json_t *model, const json_t *layers)
{
    const char *class_name = js_string(model, "class", "");
    if (!strcmp(class_name, "Functional") || !strcmp(class_name, "Model") || json_object_get(model, "outputs"))
        return false;
    for (size_t i = 0; i < json_array_size(layers); i++) {
        const json_t *entry = json_array_get(layers, i);
        const char *name = js_string(entry, "class", "");
        bool input = !strcmp(name, "InputLayer") || !strcmp(name, "Input");
        if (json_object_get(entry, "inputs") || json_object_get(entry, "call") || (i && input))
            return false;
    }
    return true;
}

/* "input_shape" on the first layer, as in many tutorials, makes the InputLayer. */
static bool add_first_input(struct spec_builder *b, const json_t *layers, struct err *err)
{
    const json_t *first = json_array_get(layers, 0), *shape = json_object_get(first, "input_shape");
    const char *class_name = js_string(first, "class", "");
    if (!strcmp(class_name, "InputLayer") || !strcmp(class_name, "Input") || json_object_get(first, "inputs"))
        return true;
    json_t *config = json_object();
    if (json_is_array(shape))
        json_object_set_new(config, "batch_shape", batch_shape(shape));
    if (!strcmp(class_name, "Embedding"))
        json_object_set_new(config, "dtype", json_string("int32"));
    char *name = unused_name(b, "InputLayer");
    bool ok = spec_add_open_input(b, name, config, err) != NULL;
    free(name);
    return ok;
}

static bool read_model(struct spec_builder *b, const json_t *model, struct err *err)
{
    struct model_spec *spec = b->spec;
    const json_t *layers = json_object_get(model, "layers"), *outputs = json_object_get(model, "outputs");
    spec->sequential = is_sequential(model, layers);
    for (size_t i = 0; i < json_array_size(layers); i++) {
        const char *name = js_string(json_array_get(layers, i), "name", NULL);
        if (name)
            *name_map_at(&b->given, name) = (int)i;
    }
    if (!add_first_input(b, layers, err))
        return false;
    int added = spec->n_layers;
    for (size_t i = 0; i < json_array_size(layers); i++) {
        const json_t *entry = json_array_get(layers, i);
        if (!read_layer(b, entry, err))
            return false;
        if (added && !i)
            json_object_del(spec->layers[added].config, "input_shape");
    }
    if (spec->sequential)
        return spec_link_sequential(b, err);
    for (size_t i = 0; i < json_array_size(layers); i++)
        if (!read_calls(b, added + (int)i, json_array_get(layers, i), err))
            return false;
    find_inputs(spec);
    if (outputs)
        return read_outputs(b, outputs, err);
    find_outputs(b);
    return true;
}

struct model_spec *spec_read_short(const json_t *model, const char *where, int depth, struct err *err)
{
    const json_t *layers = json_object_get(model, "layers");
    if (depth > SPEC_MAX_DEPTH)
        return err_null(err, ERR_USAGE, "%s: models are nested deeper than %d", where, SPEC_MAX_DEPTH);
    if (!json_is_array(layers) || !json_array_size(layers))
        return err_null(err, ERR_USAGE, "%s.layers: must be a list of layers, found %s", where,
                        json_is_array(layers) ? "an empty list" : js_type_name(layers));
    struct spec_builder b;
    spec_begin(&b, where, ERR_USAGE, depth);
    b.spec->name = arena_strdup(b.spec->arena, js_string(model, "name", "model"));
    if (!read_model(&b, model, err))
        return spec_abandon(&b);
    return finish(&b, err);
}
