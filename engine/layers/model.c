/* model.c - building a model from its spec: layers with shapes, variables in Keras' order. See model.h */
#include "engine/layers/model.h"
#include "base/rng.h"
#include "engine/layers/model_internal.h"

#include <stdlib.h>
#include <string.h>

static const char *const common_keys[] = {"name", "trainable", "dtype", "activity_regularizer", "batch_input_shape",
                                          NULL};

void model_keep_json(struct model *model, json_t *json)
{
    model->kept = xrealloc(model->kept, (size_t)(model->n_kept + 1) * sizeof *model->kept);
    model->kept[model->n_kept++] = json;
}

const char *config_dtype(const json_t *config)
{
    const json_t *dtype = json_object_get(config, "dtype");
    return json_is_object(dtype) ? js_string(json_object_get(dtype, "config"), "name", "?") : json_string_value(dtype);
}

/* The layer's policy; an InputLayer has a type instead. */
static bool read_dtype(struct layer *layer, bool input, struct err *err)
{
    static const char *const readable[] = {"float32", "float16", "float64", "bfloat16", "int8",   "int16",
                                           "int32",   "int64",   "uint8",   "uint16",   "uint32", "bool"};
    const json_t *given = json_object_get(layer->config, "dtype");
    const char *name = config_dtype(layer->config);
    if (!name && given && !json_is_null(given))
        return layer_fail(layer, err, "dtype must be a name such as 'float32', found %s", js_type_name(given));
    layer->bfloat16 = name && !strcmp(name, input ? "bfloat16" : "mixed_bfloat16");
    if (!name || !strcmp(name, "float32") || layer->bfloat16)
        return true;
    for (size_t i = 0; input && i < sizeof readable / sizeof readable[0]; i++)
        if (!strcmp(readable[i], name))
            return true;
    return layer_fail(layer, err, "dtype '%.60s' is not possible: %s", name,
                      input ? "inputs are numbers or bool" : "the policies are float32 and mixed_bfloat16");
}

struct layer *layer_new(struct model *model, struct place around, const struct layer_spec *spec, struct err *err)
{
    struct layer *layer = arena_alloc(&model->arena, sizeof *layer);
    bool operation = !spec->h5_group && strcmp(spec->class_name, "InputLayer") != 0;
    layer->class = operation ? layer_class_operation() : layer_class_find(spec->class_name);
    layer->name = spec->name;
    layer->where = spec->where;
    layer->path = arena_printf(&model->arena, "%s%s", around.path, spec->name);
    layer->spec_class = spec->class_name;
    layer->config = spec->config;
    layer->parent = around.inside;
    layer->around_trains = around.trainable;
    layer->trainable = around.trainable && js_bool(spec->config, "trainable", true);
    if (spec->h5_group)
        layer->h5_group = arena_printf(&model->arena, "%s%s", around.h5_group, spec->h5_group);
    const char *registered = js_string(spec->envelope, "registered_name", ""),
               *module = js_string(spec->envelope, "module", "keras");
    if (!str_starts(module, "keras") && !str_starts(module, "tf_keras") && !strchr(registered, '>'))
        return err_null(err, ERR_USAGE,
                        "%s: layer '%s' is the class '%.100s' of the module '%.100s', which is not Keras; antler never "
                        "runs code from a file",
                        spec->where, spec->name, spec->class_name, module);
    if (strchr(registered, '>') && strcmp(registered, "antler>Expression") != 0)
        return err_null(
            err, ERR_USAGE,
            "%s: layer '%s' is the custom class '%.100s', which is Python code; antler never runs code from a file",
            spec->where, spec->name, registered);
    if (!layer->class) {
        layer_class_refuse(spec->class_name, spec->name, spec->where, err);
        return NULL;
    }
    const char *place = arena_printf(&model->arena, "%s.activity_regularizer", layer->where);
    const json_t *activity = json_object_get(spec->config, "activity_regularizer");
    if (!operation &&
        (!arguments_check(layer->class->name, layer->class->arguments, common_keys, spec->config, layer->where, err) ||
         !read_dtype(layer, !strcmp(spec->class_name, "InputLayer"), err)))
        return NULL;
    const json_t *trainable = json_object_get(spec->config, "trainable");
    if (trainable && !json_is_boolean(trainable) && !json_is_null(trainable))
        return err_null(err, ERR_USAGE, "%s.trainable: expected true or false, found %s", layer->where,
                        js_type_name(trainable));
    return regularizer_parse(&model->arena, activity, place, &layer->activity_regularizer, err) ? layer : NULL;
}

static bool same_shapes(const struct shape *a, const struct shape *b, int n)
{
    bool same = true;
    for (int i = 0; i < n; i++)
        same = same && shape_equal(a[i], b[i]);
    return same;
}

/* Shapes of a later call of a shared layer with other inputs: by lowering it into a graph that is thrown away. */
static bool infer_call(struct model *model, const struct layer_use *use, const struct call_spec *call,
                       const struct shape *inputs, int n, struct shape *outputs, int n_outputs, struct err *err)
{
    struct graph *g = graph_new();
    int *calls = xcalloc((size_t)model->n_layers + 1, sizeof *calls);
    struct lowering l = {.model = model, .graph = g, .batch = 2, .mode = MODE_INFER, .calls = calls};
    struct value **values = arena_array(&g->arena, (size_t)(n + n_outputs), sizeof(struct value *));
    struct value **masks = arena_array(&g->arena, (size_t)(n + n_outputs), sizeof(struct value *));
    for (int i = 0; i < n; i++)
        values[i] = op_input(g, "x", DTYPE_F32, shape_batched(2, inputs[i]));
    lower_use(&l, use, call, (struct masked){values, masks}, n, (struct masked){values + n, masks + n});
    bool ok = graph_ok(g, err);
    for (int i = 0; ok && i < n_outputs && values[n + i]; i++)
        outputs[i] = shape_sample(values[n + i]->shape);
    graph_free(g);
    free(calls);
    return ok;
}

bool leaf_build(struct model *model, struct layer *layer, const struct call_spec *call, const struct shape *inputs,
                int n, struct shape *output, struct err *err)
{
    const struct layer_class *class = layer->class;
    if (n < class->min_inputs || (class->max_inputs >= 0 && n > class->max_inputs))
        return layer_fail(layer, err, "it takes %d to %d inputs, found %d", class->min_inputs, class->max_inputs, n);
    layer->input_shape = n ? inputs[0] : (struct shape){0};
    layer->first_call = call;
    layer->n_outputs = 1;
    if (!class->build(layer, model, inputs, n, output, err))
        return false;
    if (layer->n_outputs > 1 && call && !call->args)
        return layer_fail(layer, err, "a layer inside a Sequential must have one output, it has %d", layer->n_outputs);
    for (int i = 1; i < layer->n_outputs; i++)
        output[i] = layer->outputs[i];
    layer->output_shape = *output;
    return shape_elements(*output) <= MODEL_MAX_ELEMENTS ||
           layer_fail(layer, err, "its output %s would be larger than 2^40 numbers per sample",
                      shape_text(&model->arena, *output));
}

/* The keys of a nested model in the short form. */
static bool check_nested(const struct layer_spec *spec, struct err *err)
{
    static const struct argument arguments[] = {
        {"layers", ARG_ANY, "[]", NULL, 0, 0, ""}, {"outputs", ARG_ANY, "[]", NULL, 0, 0, ""}, {0}};
    static const char *const common[] = {"name", "trainable", NULL};
    const struct call_spec *call = &spec->calls[0];
    for (int i = call_positional(call); i < call->n_inputs; i++)
        if (!call->input_keys[i] || strcmp(call->input_keys[i], "mask") != 0)
            return err_set(err, ERR_USAGE, "%s: model '%s' is called with a tensor as '%s', which antler cannot use",
                           spec->where, spec->name, call->input_keys[i] ? call->input_keys[i] : "a later argument");
    return spec->envelope || arguments_check(spec->class_name, arguments, common, spec->config, spec->where, err);
}

static bool build_first_call(struct model *model, struct submodel *s, int index, const struct call_spec *call,
                             const struct shape *inputs, int n, struct err *err)
{
    const struct layer_spec *spec = &s->spec->layers[index];
    struct layer_use *use = &s->uses[index];
    use->built = true;
    use->n_first = n;
    use->first_inputs = arena_array(&model->arena, (size_t)n + 1, sizeof *inputs);
    memcpy(use->first_inputs, inputs, (size_t)n * sizeof *inputs);
    if (!spec->nested)
        return leaf_build(model, use->layer, call, inputs, n, use->first_outputs, err);
    if (n != spec->nested->n_inputs)
        return err_set(err, ERR_USAGE, "%s: model '%s' has %d inputs, found %d", spec->where, spec->name,
                       spec->nested->n_inputs, n);
    struct place place = {arena_printf(&model->arena, "%s%s/", s->place.path, spec->name),
                          arena_printf(&model->arena, "%slayers/%s/", s->place.h5_group, spec->h5_group),
                          s->place.trainable && js_bool(spec->config, "trainable", true), s->place.inside};
    use->nested =
        check_nested(spec, err) ? submodel_build(model, spec->nested, place, inputs, use->first_outputs, err) : NULL;
    return use->nested != NULL;
}

enum { NO_OUTPUT = -1 }; /* rank */

/* The shape of a tensor that is built already. */
static bool output_shape(const struct submodel *s, struct tensor_ref ref, const char *where, struct shape *out,
                         struct err *err)
{
    const struct layer_use *use = &s->uses[ref.layer];
    const struct layer_spec *spec = &s->spec->layers[ref.layer];
    int n = 0, most = spec->n_calls ? most_outputs(use, spec) : 1;
    while (n < most && use->shapes[ref.node][n].rank != NO_OUTPUT)
        n++;
    if (ref.tensor >= n)
        return err_set(err, ERR_USAGE, "%s: wants output %d of '%s', which has %d", where, ref.tensor, spec->name, n);
    *out = use->shapes[ref.node][ref.tensor];
    return true;
}

/* One call: builds the layer when it is the first. */
static bool build_call(struct model *model, struct submodel *s, struct call_ref ref, struct err *err)
{
    const struct layer_spec *spec = &s->spec->layers[ref.layer];
    struct layer_use *use = &s->uses[ref.layer];
    const struct call_spec *call = &spec->calls[ref.node];
    int n_outputs = most_outputs(use, spec), n = call_inputs(use, spec, call);
    struct shape *inputs = xcalloc((size_t)n + 1, sizeof *inputs);
    struct shape *outputs = arena_array(&model->arena, (size_t)n_outputs, sizeof *outputs);
    bool ok = !use->layer || check_call(use->layer, call, err);
    for (int i = 0; ok && i < n; i++)
        ok = output_shape(s, call->inputs[i], spec->where, &inputs[i], err);
    use->shapes[ref.node] = outputs;
    for (int i = 0; i < n_outputs; i++)
        outputs[i].rank = NO_OUTPUT;
    if (ok && !use->built) {
        use->first_outputs = outputs;
        ok = build_first_call(model, s, ref.layer, call, inputs, n, err);
    } else if (ok && n == use->n_first && same_shapes(use->first_inputs, inputs, n) &&
               !(use->layer && use->layer->class->call)) {
        memcpy(outputs, use->first_outputs, (size_t)n_outputs * sizeof *outputs);
    } else if (ok) {
        ok = infer_call(model, use, call, inputs, n, outputs, n_outputs, err) ||
             err_prefix(err, "%s: call %d of '%s'", spec->where, ref.node, spec->name);
    }
    free(inputs);
    return ok;
}

/* Layers exist before any is built, so that their places in Keras' order are known. */
static bool make_layers(struct model *model, struct submodel *s, struct err *err)
{
    const struct model_spec *spec = s->spec;
    for (int i = 0; i < spec->n_layers; i++) {
        int n_calls = spec->layers[i].n_calls ? spec->layers[i].n_calls : 1;
        struct place around = {s->place.path, arena_printf(&model->arena, "%slayers/", s->place.h5_group),
                               s->place.trainable, s->place.inside};
        s->uses[i].shapes = arena_array(&model->arena, (size_t)n_calls, sizeof(struct shape *));
        if (!spec->layers[i].nested && !(s->uses[i].layer = layer_new(model, around, &spec->layers[i], err)))
            return false;
    }
    for (int i = 0; i < spec->n_inputs; i++)
        s->uses[spec->inputs[i].layer].port = i;
    return true;
}

struct submodel *submodel_build(struct model *model, const struct model_spec *spec, struct place place,
                                const struct shape *inputs, struct shape *outputs, struct err *err)
{
    struct submodel *s = arena_alloc(&model->arena, sizeof *s);
    *s = (struct submodel){.spec = spec, .place = place};
    s->uses = arena_array(&model->arena, (size_t)spec->n_layers, sizeof *s->uses);
    if (!make_layers(model, s, err))
        return NULL;
    for (int i = 0; i < spec->n_order; i++) {
        struct call_ref ref = spec->order[i];
        struct layer_use *use = &s->uses[ref.layer];
        if (spec->layers[ref.layer].n_calls) {
            if (!build_call(model, s, ref, err))
                return NULL;
            continue;
        }
        use->shapes[0] = arena_alloc(&model->arena, sizeof(struct shape));
        if (!leaf_build(model, use->layer, NULL, &inputs[use->port], 1, use->shapes[0], err))
            return NULL;
    }
    for (int i = 0; i < spec->n_outputs; i++)
        if (!output_shape(s, spec->outputs[i], spec->layers[spec->outputs[i].layer].where, &outputs[i], err))
            return NULL;
    return s;
}

/* The sample shape that an InputLayer declares; open dimensions are filled from `given` (NULL = nothing known). */
static bool declared_shape(const struct layer_spec *spec, const struct shape *given, struct shape *out, struct err *err)
{
    const json_t *batch_shape = json_object_get(spec->config, "batch_shape");
    if (!batch_shape || json_is_null(batch_shape))
        batch_shape = json_object_get(spec->config, "batch_input_shape");
    if (batch_shape && !json_is_null(batch_shape) && !json_is_array(batch_shape))
        return err_set(err, ERR_USAGE, "%s: batch_shape of input '%s' must be a list of sizes, found %s", spec->where,
                       spec->name, js_type_name(batch_shape));
    int rank = (int)json_array_size(batch_shape) - 1;
    if (rank < 0) {
        if (!given)
            return err_set(
                err, ERR_USAGE,
                "%s: the shape of input '%s' is not known; begin with {\"class\": \"InputLayer\", \"shape\": [...]}",
                spec->where, spec->name);
        *out = *given;
        return true;
    }
    if (rank > RANK_MAX - 2)
        return err_set(err, ERR_USAGE, "%s: input '%s' has %d dimensions, at most %d are possible", spec->where,
                       spec->name, rank, RANK_MAX - 2);
    out->rank = rank;
    for (int i = 0; i < rank; i++) {
        const json_t *dim = json_array_get(batch_shape, (size_t)i + 1);
        out->dim[i] = json_integer_value(dim);
        if (json_is_null(dim) && given && given->rank == rank)
            out->dim[i] = given->dim[i];
        else if (json_is_null(dim))
            return err_set(err, ERR_USAGE, "%s: dimension %d of input '%s' is open and the data does not say it%s",
                           spec->where, i + 1, spec->name, given ? " (it has another number of dimensions)" : "");
        if (out->dim[i] < 1 || out->dim[i] > MODEL_MAX_ELEMENTS)
            return err_set(err, ERR_USAGE, "%s: dimension %d of input '%s' must be a size of at least 1", spec->where,
                           i + 1, spec->name);
    }
    return true;
}

static bool check_nested_inputs(const struct submodel *s, struct err *err);

/* A model used as a layer, or the models among a layer's parts. */
static bool check_use_inputs(const struct layer_use *use, struct err *err)
{
    const struct submodel *nested = use->nested;
    for (int k = 0; nested && k < nested->spec->n_inputs; k++) {
        int input = nested->spec->inputs[k].layer;
        struct shape built = nested->uses[input].shapes[0][0], declared = built;
        if (!declared_shape(&nested->spec->layers[input], &built, &declared, err))
            return false;
        if (!shape_equal(built, declared))
            return layer_fail(nested->uses[input].layer, err,
                              "it is declared with another shape than it is called with");
    }
    for (const struct layer_part *part = nested ? NULL : use->layer->parts; part; part = part->next)
        if (!check_use_inputs(&part->use, err))
            return false;
    return !nested || check_nested_inputs(nested, err);
}

static bool check_nested_inputs(const struct submodel *s, struct err *err)
{
    for (int i = 0; i < s->spec->n_layers; i++)
        if (!check_use_inputs(&s->uses[i], err))
            return false;
    return true;
}

static void make_ports(struct model *model, const struct shape *inputs, const struct shape *outputs)
{
    const struct model_spec *spec = model->spec;
    model->n_inputs = spec->n_inputs;
    model->n_outputs = spec->n_outputs;
    model->inputs = arena_array(&model->arena, (size_t)spec->n_inputs, sizeof *model->inputs);
    model->outputs = arena_array(&model->arena, (size_t)spec->n_outputs, sizeof *model->outputs);
    for (int i = 0; i < spec->n_inputs; i++) {
        const struct layer_spec *layer = &spec->layers[spec->inputs[i].layer];
        const char *dtype = config_dtype(layer->config);
        bool integer = dtype && (strstr(dtype, "int") || !strcmp(dtype, "bool"));
        model->inputs[i] = (struct model_port){layer->name, integer ? DTYPE_I32 : DTYPE_F32, inputs[i]};
    }
    for (int i = 0; i < spec->n_outputs; i++)
        model->outputs[i] = (struct model_port){spec->output_names[i], DTYPE_F32, outputs[i]};
}

struct model *model_new(const struct model_spec *spec, uint64_t seed, const struct shape *input_shape, struct err *err)
{
    struct model *model = xcalloc(1, sizeof *model);
    model->spec = spec;
    model->seed = seed;
    model->lowered = arena_array(&model->arena, LOWERED_MAX, sizeof *model->lowered);
    struct shape *inputs = arena_array(&model->arena, (size_t)spec->n_inputs, sizeof *inputs);
    struct shape *outputs = arena_array(&model->arena, (size_t)spec->n_outputs, sizeof *outputs);
    bool ok = true;
    for (int i = 0; ok && i < spec->n_inputs; i++)
        ok = declared_shape(&spec->layers[spec->inputs[i].layer], spec->n_inputs == 1 ? input_shape : NULL, &inputs[i],
                            err);
    if (ok)
        model->root = submodel_build(
            model, spec,
            (struct place){"", "", js_bool(json_object_get(spec->envelope, "config"), "trainable", true), NULL}, inputs,
            outputs, err);
    if (!model->root || !check_nested_inputs(model->root, err)) {
        if (spec->envelope && err && err->code == ERR_USAGE)
            err->code = ERR_FORMAT;
        model_free(model);
        return NULL;
    }
    model_collect(model);
    make_ports(model, inputs, outputs);
    return model;
}

void model_free(struct model *model)
{
    if (!model)
        return;
    for (int i = 0; i < model->n_kept; i++)
        json_decref(model->kept[i]);
    free(model->kept);
    for (int i = 0; i < model->n_kept_specs; i++)
        model_spec_free(model->kept_specs[i]);
    free(model->kept_specs);
    arena_release(&model->arena);
    free(model);
}
