/* model_spec_keras.c - reading a Keras config (Sequential, Functional, Model), see model_spec.h
 *
 * Accepted forms of inputs and outputs: a triple, a list of triples, an object of triples. Accepted forms of calls:
 * Keras 3
 * {"args", "kwargs"} with __keras_tensor__ objects anywhere inside, and Keras 2 lists of [name, node, tensor, kwargs].
 */
#include "persistence/keras/model_spec_internal.h"

#include <stdlib.h>
#include <string.h>

struct ref_list {
    struct tensor_ref *refs;
    const char **keys;
    size_t n, capacity, key_capacity;
};

static void ref_list_release(struct ref_list *list)
{
    free(list->refs);
    free(list->keys);
}

static bool fail(struct spec_builder *b, struct err *err, const char *place, const char *what, const json_t *found)
{
    return err_set(err, b->code, "%s: %s, found %s", place, what, js_type_name(found));
}

static bool index_fits(const json_t *json, int *out)
{
    json_int_t value = json_integer_value(json);
    *out = (int)value;
    return json_is_integer(json) && value >= -1 && value <= SPEC_MAX_CALLS;
}

/* [name, node, tensor, ...] */
static bool read_triple(struct spec_builder *b, const json_t *json, const char *place, struct tensor_ref *ref,
                        struct err *err)
{
    const char *name = json_string_value(json_array_get(json, 0));
    if (!name || json_array_size(json) < 3 || !index_fits(json_array_get(json, 1), &ref->node) ||
        !index_fits(json_array_get(json, 2), &ref->tensor))
        return fail(b, err, place, "a reference must be [layer name, call, output]", json);
    ref->layer = name_map_find(&b->names, name);
    if (ref->layer < 0)
        return err_set(err, b->code, "%s: refers to layer '%.100s', which the model does not have", place, name);
    return true;
}

static bool collect(struct spec_builder *b, const json_t *json, const char *place, const char *key,
                    struct ref_list *list, struct err *err);

/* The keys of a dictionary in the order in which Keras flattens it; free() the array. */
static const char **sorted_keys(const json_t *json)
{
    size_t n = 0;
    const char **keys = xcalloc(json_object_size(json) + 1, sizeof *keys), *name;
    json_t *value;
    json_object_foreach((json_t *)json, name, value)
        keys[n++] = name;
    qsort(keys, n, sizeof *keys, str_order);
    return keys;
}

/* top: the keys are the names of keyword arguments. */
static bool collect_object(struct spec_builder *b, const json_t *json, const char *place, bool top, const char *key,
                           struct ref_list *list, struct err *err)
{
    const char **keys = sorted_keys(json);
    bool ok = true;
    for (size_t i = 0; ok && i < json_object_size(json); i++)
        ok = collect(b, json_object_get(json, keys[i]), place, top ? keys[i] : key, list, err);
    free(keys);
    return ok;
}

static bool collect_tensor(struct spec_builder *b, const json_t *json, const char *place, const char *key,
                           struct ref_list *list, struct err *err)
{
    struct tensor_ref ref;
    const json_t *history = json_object_get(json_object_get(json, "config"), "keras_history");
    if (!read_triple(b, history, place, &ref, err))
        return false;
    list->refs = xgrow(list->refs, &list->capacity, list->n + 1, sizeof *list->refs);
    list->keys = xgrow(list->keys, &list->key_capacity, list->n + 1, sizeof *list->keys);
    list->refs[list->n] = ref;
    list->keys[list->n++] = key ? arena_strdup(b->spec->arena, key) : NULL;
    return true;
}

static bool collect(struct spec_builder *b, const json_t *json, const char *place, const char *key,
                    struct ref_list *list, struct err *err)
{
    if (model_spec_is_tensor(json))
        return collect_tensor(b, json, place, key, list, err);
    if (json_is_object(json))
        return collect_object(b, json, place, false, key, list, err);
    for (size_t i = 0; i < json_array_size(json); i++)
        if (!collect(b, json_array_get(json, i), place, key, list, err))
            return false;
    return true;
}

static json_t *tensor_object(const json_t *triple)
{
    json_t *history =
        json_pack("[O, O, O]", json_array_get(triple, 0), json_array_get(triple, 1), json_array_get(triple, 2));
    return json_pack("{s:s, s:{s:[n], s:s, s:o}}", "class_name", "__keras_tensor__", "config", "shape", "dtype",
                     "float32", "keras_history", history);
}

/* A Keras 2 call, [[name, node, tensor, kwargs], ...], as args and kwargs of Keras 3. */
static bool modernize(struct spec_builder *b, const json_t *node, const char *place, json_t **args, json_t **kwargs,
                      struct err *err)
{
    json_t *tensors = json_array();
    *kwargs = json_object();
    for (size_t i = 0; i < json_array_size(node); i++) {
        const json_t *entry = json_array_get(node, i);
        struct tensor_ref ref;
        if (!read_triple(b, entry, place, &ref, err)) {
            json_decref(tensors);
            json_decref(*kwargs);
            *kwargs = NULL;
            return false;
        }
        json_array_append_new(tensors, tensor_object(entry));
        if (json_is_object(json_array_get(entry, 3)))
            json_object_update(*kwargs, json_array_get(entry, 3));
    }
    bool single = json_array_size(tensors) == 1;
    *args = json_pack("[O]", single ? json_array_get(tensors, 0) : tensors);
    json_decref(tensors);
    return true;
}

static bool read_call(struct spec_builder *b, struct layer_spec *layer, const json_t *node, struct err *err)
{
    struct ref_list list = {0};
    json_t *args = NULL, *kwargs = NULL;
    bool ok = false;
    if (json_is_array(node)) {
        if (!modernize(b, node, layer->where, &args, &kwargs, err))
            return false;
    } else {
        args = json_incref(json_object_get(node, "args"));
        kwargs = json_incref(json_object_get(node, "kwargs"));
    }
    if (!json_is_array(args) || (kwargs && !json_is_object(kwargs))) {
        fail(b, err, layer->where, "inbound_nodes must hold {\"args\": [...], \"kwargs\": {...}}", node);
        goto done;
    }
    ok = collect(b, args, layer->where, NULL, &list, err) &&
         collect_object(b, kwargs, layer->where, true, NULL, &list, err);
    if (ok && !list.n)
        ok = err_set(err, b->code, "%s: a call of layer '%s' has no input", layer->where, layer->name);
    struct call_spec *call = ok ? spec_add_call(b, layer, (int)list.n, err) : NULL;
    ok = call != NULL;
    if (ok) {
        call->args = json_incref(args);
        call->kwargs = json_incref(kwargs);
        memcpy(call->inputs, list.refs, list.n * sizeof *list.refs);
        memcpy(call->input_keys, list.keys, list.n * sizeof *list.keys);
    }
done:
    json_decref(args);
    json_decref(kwargs);
    ref_list_release(&list);
    return ok;
}

static bool is_nested(const char *class_name, const json_t *config)
{
    bool named = !strcmp(class_name, "Sequential") || !strcmp(class_name, "Functional") || !strcmp(class_name, "Model");
    return named && json_is_array(json_object_get(config, "layers"));
}

static struct layer_spec *read_layer(struct spec_builder *b, const json_t *entry, struct err *err)
{
    const char *place = arena_printf(b->spec->arena, "%s.layers[%d]", b->where, b->spec->n_layers - b->unlisted);
    const char *class_name = js_string(entry, "class_name", NULL);
    const json_t *config = json_object_get(entry, "config");
    if (!class_name)
        return err_null(err, b->code, "%s: a layer must be an object with \"class_name\", found %s", place,
                        js_type_name(entry));
    if (config && !json_is_object(config) && !json_is_null(config))
        return err_null(err, b->code, "%s: the config of %.100s must be an object, found %s", place, class_name,
                        js_type_name(config));
    const char *name = js_string(entry, "name", js_string(config, "name", NULL));
    if (!name)
        return err_null(err, b->code, "%s: the %.100s has no name", place, class_name);
    struct layer_spec *layer = spec_add_layer(b, name, class_name, err);
    if (!layer)
        return NULL;
    layer->envelope = json_incref((json_t *)entry);
    layer->config = json_is_object(config) ? json_incref((json_t *)config) : json_object();
    if (is_nested(class_name, config)) {
        layer->nested = spec_read_keras(entry, layer->where, b->depth + 1, err);
        return layer->nested ? layer : NULL;
    }
    return layer;
}

/* The open shape of an unbuilt Sequential may stand in build_input_shape or, in Keras 2, in its first layer. */
static json_t *open_input_config(const json_t *model_config, const json_t *first)
{
    json_t *config = json_object();
    const json_t *shape = json_object_get(model_config, "build_input_shape");
    if (!json_is_array(shape))
        shape = json_object_get(json_object_get(first, "config"), "batch_input_shape");
    if (json_is_array(shape))
        json_object_set(config, "batch_shape", (json_t *)shape);
    return config;
}

static bool read_sequential(struct spec_builder *b, const json_t *config, struct err *err)
{
    const json_t *layers = json_object_get(config, "layers");
    const json_t *first = json_array_get(layers, 0);
    b->spec->sequential = true;
    if (strcmp(js_string(first, "class_name", ""), "InputLayer") != 0 &&
        !spec_add_open_input(b, "input_layer", open_input_config(config, first), err))
        return false;
    for (size_t i = 0; i < json_array_size(layers); i++)
        if (!read_layer(b, json_array_get(layers, i), err))
            return false;
    return spec_link_sequential(b, err);
}

static bool read_ports_into(struct spec_builder *b, const json_t *json, const char *place, struct ref_list *list,
                            struct err *err)
{
    if (json_is_array(json) && json_is_string(json_array_get(json, 0))) {
        struct tensor_ref ref;
        if (!read_triple(b, json, place, &ref, err))
            return false;
        list->refs = xgrow(list->refs, &list->capacity, list->n + 1, sizeof *list->refs);
        list->refs[list->n++] = ref;
        return true;
    }
    if (json_is_object(json)) {
        const char **keys = sorted_keys(json);
        bool ok = true;
        for (size_t i = 0; ok && i < json_object_size(json); i++)
            ok = read_ports_into(b, json_object_get(json, keys[i]), place, list, err);
        free(keys);
        return ok;
    }
    if (!json_is_array(json))
        return fail(b, err, place, "expected [layer name, call, output] or a list of these", json);
    for (size_t i = 0; i < json_array_size(json); i++)
        if (!read_ports_into(b, json_array_get(json, i), place, list, err))
            return false;
    return true;
}

/* Keras counts the calls of a Functional used as layer from 1 here; index 0 then means the last one. */
static void shift_nested(const struct model_spec *spec, struct tensor_ref *ref)
{
    const struct layer_spec *layer = &spec->layers[ref->layer];
    if (layer->nested && !layer->nested->sequential)
        ref->node = ref->node > 0 ? ref->node - 1 : layer->n_calls - 1;
}

static bool read_ports(struct spec_builder *b, const json_t *config, const char *key, struct tensor_ref **refs, int *n,
                       struct err *err)
{
    struct ref_list list = {0};
    const char *place = arena_printf(b->spec->arena, "%s.%s", b->where, key);
    bool ok = read_ports_into(b, json_object_get(config, key), place, &list, err);
    if (ok) {
        *n = (int)list.n;
        *refs = arena_copy(b->spec->arena, list.refs, list.n, sizeof *list.refs);
        for (int i = 0; i < *n; i++)
            shift_nested(b->spec, &(*refs)[i]);
    }
    ref_list_release(&list);
    return ok;
}

static bool read_functional(struct spec_builder *b, const json_t *config, struct err *err)
{
    struct model_spec *spec = b->spec;
    const json_t *layers = json_object_get(config, "layers");
    for (size_t i = 0; i < json_array_size(layers); i++)
        if (!read_layer(b, json_array_get(layers, i), err))
            return false;
    for (size_t i = 0; i < json_array_size(layers); i++) {
        const json_t *nodes = json_object_get(json_array_get(layers, i), "inbound_nodes");
        bool input = !strcmp(spec->layers[i].class_name, "InputLayer");
        if (nodes && !json_is_array(nodes))
            return fail(b, err, spec->layers[i].where, "inbound_nodes must be a list", nodes);
        for (size_t k = 0; !input && k < json_array_size(nodes); k++)
            if (!read_call(b, &spec->layers[i], json_array_get(nodes, k), err))
                return false;
    }
    return read_ports(b, config, "input_layers", &spec->inputs, &spec->n_inputs, err) &&
           read_ports(b, config, "output_layers", &spec->outputs, &spec->n_outputs, err);
}

struct model_spec *spec_read_keras(const json_t *envelope, const char *where, int depth, struct err *err)
{
    const char *class_name = js_string(envelope, "class_name", NULL);
    const json_t *config = json_object_get(envelope, "config");
    if (depth > SPEC_MAX_DEPTH)
        return err_null(err, ERR_FORMAT, "%s: models are nested deeper than %d", where, SPEC_MAX_DEPTH);
    if (!class_name || !json_is_object(config))
        return err_null(err, ERR_FORMAT, "%s: a model must be an object with \"class_name\" and \"config\", found %s",
                        where, js_type_name(envelope));
    if (!is_nested(class_name, config))
        return err_null(err, ERR_FORMAT,
                        "%s: the model is a '%.100s' without layers in its config (a subclassed model keeps its "
                        "structure in Python code); expected Sequential, Functional or Model",
                        where, class_name);
    struct spec_builder b;
    spec_begin(&b, where, ERR_FORMAT, depth);
    b.spec->envelope = json_incref((json_t *)envelope);
    b.spec->name = arena_strdup(b.spec->arena, js_string(config, "name", "model"));
    bool sequential = !strcmp(class_name, "Sequential") && !json_object_get(config, "output_layers");
    if (!(sequential ? read_sequential(&b, config, err) : read_functional(&b, config, err)))
        return spec_abandon(&b);
    return spec_finish(&b, err);
}
