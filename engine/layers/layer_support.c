/* layer_support.c - what the rows of layers share, see layer_support.h */
#include "engine/layers/layer_support.h"
#include "base/rng.h"
#include "engine/layers/initializers.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const json_t *layer_arg(const struct layer *layer, const char *name)
{
    return argument(layer->class->arguments, layer->config, name);
}

int64_t layer_int(const struct layer *layer, const char *name)
{
    return argument_int(layer->class->arguments, layer->config, name);
}

double layer_double(const struct layer *layer, const char *name)
{
    return argument_double(layer->class->arguments, layer->config, name);
}

bool layer_bool(const struct layer *layer, const char *name)
{
    return argument_bool(layer->class->arguments, layer->config, name);
}

const char *layer_string(const struct layer *layer, const char *name)
{
    return argument_string(layer->class->arguments, layer->config, name);
}

bool layer_fail(const struct layer *layer, struct err *err, const char *format, ...)
{
    char text[1200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return err_set(err, ERR_USAGE, "%s: layer '%s' (%s): %s", layer->where, layer->path, layer->class->name, text);
}

bool layer_ints(const struct layer *layer, const char *name, int n, int64_t *out, struct err *err)
{
    const json_t *value = layer_arg(layer, name);
    if (json_is_null(value))
        return true;
    if (json_is_array(value) && json_array_size(value) != (size_t)n)
        return layer_fail(layer, err, "%s must be one integer or %d, found %zu", name, n, json_array_size(value));
    for (int i = 0; i < n; i++)
        out[i] = json_integer_value(json_is_array(value) ? json_array_get(value, (size_t)i) : value);
    return true;
}

bool layer_axis(const struct layer *layer, const char *name, int64_t axis, int sample_rank, int *out, struct err *err)
{
    int64_t positive = axis < 0 ? axis + sample_rank + 1 : axis;
    *out = (int)positive;
    if (positive < 1 || positive > sample_rank)
        return layer_fail(layer, err, "%s %lld is not inside an input of %d dimensions besides the batch", name,
                          (long long)axis, sample_rank);
    return true;
}

bool layer_want_rank(const struct layer *layer, struct shape sample, int rank, const char *axes, struct err *err)
{
    struct str found = {0};
    if (sample.rank == rank)
        return true;
    shape_write(&found, sample);
    layer_fail(layer, err, "each sample must have the shape %s, found %s", axes, str_text(&found));
    str_release(&found);
    return false;
}

int layer_n_spatial(const struct layer *layer)
{
    return *strpbrk(layer->class->name, "123") - '0';
}

bool layer_channels_last(const struct layer *layer, struct err *err)
{
    const char *format = layer_string(layer, "data_format");
    return !format || !strcmp(format, "channels_last") ||
           layer_fail(layer, err, "data_format must be channels_last, found '%s'", format);
}

const struct activation *layer_activation(const struct layer *layer, struct model *model, struct err *err)
{
    char where[256];
    snprintf(where, sizeof where, "%s.activation", layer->where);
    return activation_parse(&model->arena, layer_arg(layer, "activation"), where, err);
}

struct shape shape_sample(struct shape with_batch)
{
    BUG_ON(with_batch.rank < 1);
    return shape_make(with_batch.dim + 1, with_batch.rank - 1);
}

struct shape shape_batched(int64_t batch, struct shape sample)
{
    BUG_ON(sample.rank >= RANK_MAX);
    struct shape s = {.rank = sample.rank + 1, .dim = {batch}};
    memcpy(s.dim + 1, sample.dim, (size_t)sample.rank * sizeof *s.dim);
    return s;
}

static void pad_same(struct window *w, int axis, int64_t in)
{
    int64_t out = (in + w->stride[axis] - 1) / w->stride[axis];
    int64_t total = (out - 1) * w->stride[axis] + (w->size[axis] - 1) * w->dilation[axis] + 1 - in;
    total = total > 0 ? total : 0;
    w->pad_before[axis] = total / 2;
    w->pad_after[axis] = total - total / 2;
}

bool window_pad(const struct layer *layer, struct window *w, const char *padding, struct shape sample, struct err *err)
{
    for (int i = 0; i < w->n_spatial; i++) {
        if (!strcmp(padding, "same"))
            pad_same(w, i, sample.dim[i]);
        if (!strcmp(padding, "causal"))
            w->pad_before[i] = w->dilation[i] * (w->size[i] - 1);
        if (window_out(w, i, sample.dim[i]) < 1)
            return layer_fail(
                layer, err,
                "a window of %lld%s does not fit an input of %lld; use padding \"same\" or a smaller window",
                (long long)w->size[i], w->dilation[i] > 1 ? " (dilated)" : "", (long long)sample.dim[i]);
    }
    return true;
}

struct value *layer_value(struct lowering *l, const struct layer *layer, int variable)
{
    struct value *value = op_variable(l->graph, layer->variables[variable]);
    return layer->class->autocast == CAST_ALL ? layer_cast(l, layer, value) : value;
}

struct value *layer_cast(struct lowering *l, const struct layer *layer, struct value *x)
{
    return layer->bfloat16 && x && x->dtype == DTYPE_F32 ? op_bfloat16(l->graph, x) : x;
}

struct value *layer_current(struct lowering *l, struct variable *variable)
{
    for (int i = l->graph->n_assigns - 1; i >= 0; i--)
        if (l->graph->assigns[i].variable == variable)
            return l->graph->assigns[i].value;
    return op_variable(l->graph, variable);
}

void layer_assign(struct lowering *l, struct variable *variable, struct value *value)
{
    for (int i = 0; value && i < l->graph->n_assigns; i++)
        if (l->graph->assigns[i].variable == variable) {
            l->graph->assigns[i].value = value;
            return;
        }
    graph_assign(l->graph, variable, value);
}

uint32_t layer_stream(const struct lowering *l, const struct layer *layer)
{
    return layer->stream + ((uint32_t)l->call_number << 23);
}

uint64_t layer_seed(const struct lowering *l, const struct layer *layer)
{
    const json_t *seed = layer_arg(layer, "seed");
    return json_is_integer(seed) ? (uint64_t)json_integer_value(seed) : l->model->seed;
}

bool build_same_shape(struct layer *layer, struct model *model, const struct shape *inputs, int n, struct shape *output,
                      struct err *err)
{
    (void)layer, (void)model, (void)n, (void)err;
    *output = inputs[0];
    return true;
}

void layer_begin_part(struct layer *layer, const char *part, const char *name)
{
    layer->part = part;
    layer->part_name = name;
}

/* "kernel_initializer" -> the argument "kernel_<what>" of the layer, NULL when the row has none. */
static const json_t *sibling(const struct layer *layer, const char *initializer_argument, const char *what, char *key,
                             size_t size)
{
    const char *end = strrchr(initializer_argument, '_');
    snprintf(key, size, "%.*s_%s", (int)(end - initializer_argument), initializer_argument, what);
    return json_object_get(layer->config, key);
}

static bool parse_parts(struct layer *layer, struct model *model, struct layer_variable *v,
                        const char *initializer_argument, struct err *err)
{
    char key[128], where[512];
    const json_t *json = sibling(layer, initializer_argument, "regularizer", key, sizeof key);
    snprintf(where, sizeof where, "%s.%s", layer->where, key);
    if (!regularizer_parse(&model->arena, json, where, &v->regularizer, err))
        return false;
    json = sibling(layer, initializer_argument, "constraint", key, sizeof key);
    snprintf(where, sizeof where, "%s.%s", layer->where, key);
    return constraint_parse(&model->arena, json, where, &v->constraint, err);
}

/* argument: the one that names the initializer, for messages. */
static struct variable *add_variable(struct layer *layer, struct model *model, const char *name, struct shape shape,
                                     bool trainable, const json_t *initializer, const char *argument,
                                     const char *default_initializer, struct err *err)
{
    char where[512];
    BUG_ON(layer->n_variables == LAYER_MAX_VARIABLES);
    if (shape_elements(shape) > MODEL_MAX_ELEMENTS) {
        layer_fail(layer, err, "its weight '%s' would have more than 2^40 numbers", name);
        return NULL;
    }
    snprintf(where, sizeof where, "%s.%s", layer->where, argument);
    const struct initializer *ready = initializer_parse(&model->arena, initializer, default_initializer, where, err);
    if (!ready)
        return NULL;
    struct layer_variable *v = arena_alloc(&model->arena, sizeof *v);
    v->variable = (struct variable){
        .name = arena_strdup(&model->arena, name),
        .path = layer->part_name ? arena_printf(&model->arena, "%s/%s/%s", layer->path, layer->part_name, name)
                                 : arena_printf(&model->arena, "%s/%s", layer->path, name),
        .shape = shape,
        .trainable = trainable,
        .fill = initializer_fill_variable,
        .initializer = ready,
    };
    v->weight = trainable;
    v->group = layer->part;
    layer->variables[layer->n_variables++] = &v->variable;
    return &v->variable;
}

struct variable *layer_add_variable_from(struct layer *layer, struct model *model, const char *name, struct shape shape,
                                         bool trainable, const json_t *initializer, const char *default_initializer,
                                         struct err *err)
{
    return add_variable(layer, model, name, shape, trainable, initializer, name, default_initializer, err);
}

struct variable *layer_add_variable(struct layer *layer, struct model *model, const char *name, struct shape shape,
                                    bool trainable, const char *initializer_argument, const char *default_initializer,
                                    struct err *err)
{
    const json_t *json = initializer_argument ? layer_arg(layer, initializer_argument) : NULL;
    struct variable *v = add_variable(layer, model, name, shape, trainable, json,
                                      initializer_argument ? initializer_argument : name, default_initializer, err);
    if (!v ||
        (initializer_argument && !parse_parts(layer, model, (struct layer_variable *)v, initializer_argument, err)))
        return NULL;
    return v;
}

struct value *mask_pass(struct layer *layer, struct lowering *l, struct value *const *inputs, int n_inputs)
{
    (void)layer, (void)inputs, (void)n_inputs;
    return l->masks[0];
}

struct value *mask_like(struct graph *g, struct value *mask, int rank)
{
    if (!mask || mask->shape.rank >= rank)
        return mask;
    struct shape shape = mask->shape;
    while (shape.rank < rank)
        shape.dim[shape.rank++] = 1;
    return op_reshape(g, mask, shape);
}
