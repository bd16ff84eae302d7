/* layers_core.c - InputLayer, Dense, Embedding, Masking, Identity, Rescaling, ActivityRegularization */
#include "engine/layers/layer_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct value *lower_identity(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    (void)layer, (void)l, (void)n;
    return inputs[0];
}

static const struct argument input_arguments[] = {
    {"batch_shape", ARG_ANY, "null", NULL, 0, 0, "shape with the batch in front, null for an open dimension"},
    {"batch_input_shape", ARG_ANY, "null", NULL, 0, 0, "the same, as Keras 2 names it"},
    {"shape", ARG_INTS, "null", NULL, 0, 0, "shape of one sample"},
    {"batch_size", ARG_INT, "null", NULL, 0, 0, "fixed batch size; the batch stays open here"},
    {"sparse", ARG_BOOL, "false", NULL, 0, 0, "false only"},
    {"ragged", ARG_BOOL, "false", NULL, 0, 0, "false only"},
    {"optional", ARG_BOOL, "false", NULL, 0, 0, "false only"},
    {0}};

static bool build_input(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                        struct shape *output, struct err *err)
{
    (void)model, (void)n;
    *output = inputs[0];
    if (layer_bool(layer, "sparse") || layer_bool(layer, "ragged") || layer_bool(layer, "optional"))
        return layer_fail(layer, err, "sparse, ragged and optional inputs cannot be fed");
    return true;
}

static const struct argument dense_arguments[] = {
    {"units", ARG_INT, NULL, NULL, 1, 1 << 30, "size of the output"},
    {"activation", ARG_ACTIVATION, "null", NULL, 0, 0, "applied to the output"},
    {"use_bias", ARG_BOOL, "true", NULL, 0, 0, "add a bias"},
    ARG_WEIGHT("kernel", "\"glorot_uniform\""),
    ARG_WEIGHT("bias", "\"zeros\""),
    {0}};

static bool build_dense(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                        struct shape *output, struct err *err)
{
    struct shape in = inputs[0];
    int64_t units = layer_int(layer, "units");
    (void)n;
    if (in.rank < 1)
        return layer_fail(layer, err,
                          "each sample must have a feature axis, found a single number; add a Reshape((1,)) before it");
    if (!layer_add_variable(layer, model, "kernel", SHAPE(in.dim[in.rank - 1], units), true, "kernel_initializer",
                            "glorot_uniform", err))
        return false;
    if (layer_bool(layer, "use_bias") &&
        !layer_add_variable(layer, model, "bias", SHAPE(units), true, "bias_initializer", "zeros", err))
        return false;
    const struct activation *activation = layer_activation(layer, model, err);
    layer->state = (void *)activation;
    in.dim[in.rank - 1] = units;
    if (!activation || !activation_fits(activation, in, layer->where, err))
        return false;
    *output = activation_shape(activation, in);
    return true;
}

static struct value *lower_dense(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    struct graph *g = l->graph;
    struct value *x = as_float(g, inputs[0]), *kernel = layer_value(l, layer, 0);
    (void)n;
    if (!x || !kernel)
        return NULL;
    struct shape shape = x->shape;
    int64_t features = shape.dim[shape.rank - 1];
    bool flat = shape.rank == 2;
    struct value *rows = flat ? x : op_reshape(g, x, SHAPE(shape_elements(shape) / features, features));
    struct value *y = op_matmul(g, rows, kernel, false, false);
    if (layer->n_variables > 1)
        y = layer_cast(l, layer, op_add(g, y, layer_value(l, layer, 1)));
    shape.dim[shape.rank - 1] = kernel->shape.dim[1];
    y = activation_lower(g, layer->state, flat ? y : op_reshape(g, y, shape));
    return y;
}

static const struct argument embedding_arguments[] = {
    {"input_dim", ARG_INT, NULL, NULL, 1, 1 << 30, "size of the vocabulary: indices are 0 to input_dim - 1"},
    {"output_dim", ARG_INT, NULL, NULL, 1, 1 << 30, "size of a vector"},
    ARG_WEIGHT("embeddings", "\"uniform\""),
    {"mask_zero", ARG_BOOL, "false", NULL, 0, 0,
     "index 0 is padding: its steps are masked in later layers and the loss"},
    {"input_length", ARG_ANY, "null", NULL, 0, 0, "of Keras 2, without effect"},
    {0}};

static bool build_embedding(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                            struct shape *output, struct err *err)
{
    int64_t rows = layer_int(layer, "input_dim"), width = layer_int(layer, "output_dim");
    (void)n;
    if (inputs[0].rank + 2 > RANK_MAX)
        return layer_fail(layer, err, "too many dimensions");
    *output = inputs[0];
    output->dim[output->rank++] = width;
    return layer_add_variable(layer, model, "embeddings", SHAPE(rows, width), true, "embeddings_initializer", "uniform",
                              err) != NULL;
}

static struct value *lower_embedding(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    struct value *x = inputs[0];
    (void)n;
    if (x && x->dtype != DTYPE_I32)
        x = op_cast_i32(l->graph, x);
    return op_gather(l->graph, layer_value(l, layer, 0), x);
}

static struct value *mask_embedding(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    (void)n;
    return layer_bool(layer, "mask_zero") ? op_expr(l->graph, "a != 0", inputs[0], NULL, NULL, NULL) : NULL;
}

static const struct argument masking_arguments[] = {
    {"mask_value", ARG_FLOAT, "0.0", NULL, 0, 0, "a step is padding when all its features have this value"}, {0}};

static bool build_masking(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                          struct shape *output, struct err *err)
{
    (void)model, (void)n;
    *output = inputs[0];
    return inputs[0].rank > 0 || layer_fail(layer, err, "each sample must have a feature axis, found a single number");
}

static struct value *mask_masking(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    static const int last = -1;
    struct value *value = op_scalar(l->graph, layer_double(layer, "mask_value"));
    (void)n;
    return op_reduce(l->graph, REDUCE_MAX, op_expr(l->graph, "a != b", inputs[0], value, NULL, NULL), &last, 1, false);
}

static struct value *lower_masking(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    struct value *x = as_float(l->graph, inputs[0]), *mask = mask_masking(layer, l, inputs, n);
    return x ? op_expr(l->graph, "where(b, a, 0)", x, mask_like(l->graph, mask, x->shape.rank), NULL, NULL) : NULL;
}

static const struct argument rescaling_arguments[] = {
    {"scale", ARG_ANY, NULL, NULL, 0, 0, "factor, or a list of factors for the last axis"},
    {"offset", ARG_ANY, "0.0", NULL, 0, 0, "added after scaling, or a list"},
    {0}};

struct rescaling {
    float *scale, *offset;
    int64_t n_scale, n_offset; /* 1 or the size of the last axis */
};

static bool read_numbers(struct layer *layer, struct model *model, const char *name, int64_t channels, float **out,
                         int64_t *n, struct err *err)
{
    const json_t *value = layer_arg(layer, name);
    double number;
    *n = json_is_array(value) ? (int64_t)json_array_size(value) : 1;
    if (*n != 1 && *n != channels)
        return layer_fail(layer, err, "%s must be a number or a list of %lld, found %lld", name, (long long)channels,
                          (long long)*n);
    *out = arena_array(&model->arena, (size_t)*n, sizeof **out);
    for (int64_t i = 0; i < *n; i++) {
        if (!js_to_double(json_is_array(value) ? json_array_get(value, (size_t)i) : value, &number))
            return layer_fail(layer, err, "%s must be a number or a list of numbers, found %s", name,
                              js_type_name(value));
        (*out)[i] = (float)number;
    }
    return true;
}

static bool build_rescaling(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                            struct shape *output, struct err *err)
{
    struct rescaling *r = arena_alloc(&model->arena, sizeof *r);
    int64_t channels = inputs[0].rank ? inputs[0].dim[inputs[0].rank - 1] : 1;
    (void)n;
    layer->state = r;
    *output = inputs[0];
    return read_numbers(layer, model, "scale", channels, &r->scale, &r->n_scale, err) &&
           read_numbers(layer, model, "offset", channels, &r->offset, &r->n_offset, err);
}

static struct value *numbers(struct graph *g, const float *values, int64_t n)
{
    return n == 1 ? op_scalar(g, values[0]) : op_constant(g, DTYPE_F32, SHAPE(n), values);
}

static struct value *lower_rescaling(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    const struct rescaling *r = layer->state;
    (void)n;
    struct value *scale = layer_cast(l, layer, numbers(l->graph, r->scale, r->n_scale));
    struct value *offset = layer_cast(l, layer, numbers(l->graph, r->offset, r->n_offset));
    struct value *scaled = op_mul(l->graph, as_float(l->graph, inputs[0]), scale);
    return op_add(l->graph, layer_cast(l, layer, scaled), offset);
}

static const struct argument activity_arguments[] = {{"l1", ARG_FLOAT, "0.0", NULL, 0, 0, "factor of the sum of |x|"},
                                                     {"l2", ARG_FLOAT, "0.0", NULL, 0, 0, "factor of the sum of x^2"},
                                                     {0}};

static bool build_activity(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                           struct shape *output, struct err *err)
{
    (void)n;
    json_t *regularizer = json_pack("{s:s, s:{s:f, s:f}}", "class_name", "L1L2", "config", "l1",
                                    layer_double(layer, "l1"), "l2", layer_double(layer, "l2"));
    model_keep_json(model, regularizer);
    *output = inputs[0];
    return regularizer_parse(&model->arena, regularizer, layer->where, &layer->activity_regularizer, err);
}

static const struct argument no_arguments[] = {{0}};

const struct layer_class layers_core[] = {
    {"InputLayer", "where data enters the model", input_arguments, 0, 1, build_input, lower_identity, NULL},
    {"Dense", "every output is connected to every input: activation(x . kernel + bias)", dense_arguments, 1, 1,
     build_dense, lower_dense, mask_pass},
    {"Embedding", "turns indices into trainable vectors", embedding_arguments, 1, 1, build_embedding, lower_embedding,
     mask_embedding, NULL, CAST_OUTPUTS},
    {"Masking", "marks steps whose features all have one value as padding", masking_arguments, 1, 1, build_masking,
     lower_masking, mask_masking},
    {"Rescaling", "x * scale + offset", rescaling_arguments, 1, 1, build_rescaling, lower_rescaling, mask_pass},
    {"Identity", "x unchanged", no_arguments, 1, 1, build_same_shape, lower_identity, mask_pass},
    {"ActivityRegularization", "x unchanged, with a penalty on its size", activity_arguments, 1, 1, build_activity,
     lower_identity, mask_pass},
    {0}};
