/* layers_preprocessing.c - Normalization, Discretization, CategoryEncoding: what Keras' adapt() leaves behind in a
 * model file, or what the config says; nothing is learnt here. Formulas: keras/src/layers/preprocessing/
 */
#include "engine/layers/layer_support.h"

#include <math.h>
#include <string.h>

/* ---- Normalization ---- */

struct normalization {
    struct shape broadcast;     /* of mean and variance against a batch */
    float *mean, *variance;     /* given in the config, already broadcast; NULL = variables 0 and 1 */
    int axes[RANK_MAX], n_axes; /* kept ones, rising, with batch */
};

static const struct argument normalization_arguments[] = {
    {"axis", ARG_INTS, "-1", NULL, 0, 0, "axes with a mean and a variance for each position; null = one for all"},
    {"mean", ARG_ANY, "null", NULL, 0, 0, "number or list; null = as adapted, in the model file"},
    {"variance", ARG_ANY, "null", NULL, 0, 0, "number or list, together with mean"},
    {"invert", ARG_BOOL, "false", NULL, 0, 0, "turn normalized values back"},
    {0}};

static bool read_axes(struct layer *layer, struct normalization *n, struct shape sample, struct err *err)
{
    const json_t *axis = layer_arg(layer, "axis");
    bool kept[RANK_MAX + 1] = {false};
    for (size_t i = 0; !json_is_null(axis) && i < (json_is_array(axis) ? json_array_size(axis) : 1); i++) {
        int one;
        if (!layer_axis(layer, "axis", json_integer_value(json_is_array(axis) ? json_array_get(axis, i) : axis),
                        sample.rank, &one, err))
            return false;
        kept[one] = true;
    }
    n->broadcast = shape_batched(1, sample);
    for (int i = 1; i <= sample.rank; i++) {
        if (kept[i])
            n->axes[n->n_axes++] = i;
        else
            n->broadcast.dim[i] = 1;
    }
    return true;
}

static struct shape kept_shape(const struct normalization *n)
{
    struct shape shape = {0};
    for (int i = 0; i < n->n_axes; i++)
        shape.dim[shape.rank++] = n->broadcast.dim[n->axes[i]];
    return shape;
}

/* The numbers of nested lists, in order; false when something else is among them or there are more than `most`. */
static bool flatten(const json_t *json, float *out, int64_t most, int64_t *n)
{
    double number;
    if (json_is_array(json)) {
        for (size_t i = 0; i < json_array_size(json); i++)
            if (!flatten(json_array_get(json, i), out, most, n))
                return false;
        return true;
    }
    if (*n >= most || !js_to_double(json, &number))
        return false;
    out[(*n)++] = (float)number;
    return true;
}

/* One number for all positions, one for each position of the last kept axis, or one for each of all. */
static float *read_moments(struct layer *layer, struct model *model, const char *name, struct shape shape,
                           struct err *err)
{
    int64_t all = shape_elements(shape), last = shape.rank ? shape.dim[shape.rank - 1] : 1, n = 0;
    float *values = arena_array(&model->arena, (size_t)all + 1, sizeof *values);
    if (!flatten(layer_arg(layer, name), values, all, &n) || (n != 1 && n != last && n != all)) {
        layer_fail(layer, err, "%s must be a number or a list of %lld numbers", name, (long long)all);
        return NULL;
    }
    for (int64_t i = n; i < all; i++)
        values[i] = values[i % n];
    return values;
}

static bool build_normalization(struct layer *layer, struct model *model, const struct shape *inputs, int n_inputs,
                                struct shape *output, struct err *err)
{
    struct normalization *n = arena_alloc(&model->arena, sizeof *n);
    bool mean = !json_is_null(layer_arg(layer, "mean")), variance = !json_is_null(layer_arg(layer, "variance"));
    (void)n_inputs;
    layer->state = n;
    *output = inputs[0];
    if (mean != variance)
        return layer_fail(layer, err, "mean and variance must be given together");
    if (!read_axes(layer, n, inputs[0], err))
        return false;
    struct shape shape = kept_shape(n);
    if (mean) {
        n->mean = read_moments(layer, model, "mean", shape, err);
        n->variance = n->mean ? read_moments(layer, model, "variance", shape, err) : NULL;
        return n->variance != NULL;
    }
    struct variable *count = NULL;
    bool ok = layer_add_variable(layer, model, "mean", shape, false, NULL, "zeros", err) &&
              layer_add_variable(layer, model, "variance", shape, false, NULL, "ones", err) &&
              (count = layer_add_variable(layer, model, "count", (struct shape){0}, false, NULL, "zeros", err)) != NULL;
    if (ok)
        count->dtype = DTYPE_I32; /* Keras keeps it for older files and never counts */
    return ok;
}

static struct value *moment(struct layer *layer, struct lowering *l, const float *given, int variable)
{
    const struct normalization *n = layer->state;
    struct value *value =
        given ? op_constant(l->graph, DTYPE_F32, kept_shape(n), given) : layer_value(l, layer, variable);
    return op_reshape(l->graph, layer_cast(l, layer, value), n->broadcast);
}

static struct value *lower_normalization(struct layer *layer, struct lowering *l, struct value *const *inputs,
                                         int n_inputs)
{
    const struct normalization *n = layer->state;
    struct value *mean = moment(layer, l, n->mean, 0), *variance = moment(layer, l, n->variance, 1);
    (void)n_inputs;
    return op_expr(l->graph,
                   layer_bool(layer, "invert") ? "b + a * maximum(sqrt(c), 1e-7)" : "(a - b) / maximum(sqrt(c), 1e-7)",
                   as_float(l->graph, inputs[0]), mean, variance, NULL);
}

/* ---- Discretization ---- */

static const struct argument discretization_arguments[] = {
    {"bin_boundaries", ARG_ANY, "null", NULL, 0, 0, "rising list of where the next bin begins"},
    {"num_bins", ARG_INT, "null", NULL, 0, 1e6, "what Keras' adapt() was asked for; the boundaries count"},
    {"epsilon", ARG_FLOAT, "0.01", NULL, 0, 0, "precision of Keras' adapt()"},
    {"output_mode", ARG_CHOICE, "\"int\"", "int|one_hot", 0, 0, "the number of the bin, or a vector with a 1 there"},
    {"sparse", ARG_BOOL, "false", NULL, 0, 0, "only false"},
    {0}};

struct bins {
    float *boundaries;
    int64_t n;
};

static bool read_bins(struct layer *layer, struct model *model, struct bins *bins, struct err *err)
{
    const json_t *given = layer_arg(layer, "bin_boundaries");
    size_t n = json_array_size(given);
    if (!json_is_array(given) || !n || n > 100000)
        return layer_fail(layer, err,
                          "bin_boundaries must be a list of 1 to 100000 numbers, found %s; antler does not "
                          "adapt layers to data",
                          js_type_name(given));
    bins->boundaries = arena_array(&model->arena, n, sizeof *bins->boundaries);
    if (!flatten(given, bins->boundaries, (int64_t)n, &bins->n) || bins->n != (int64_t)n)
        return layer_fail(layer, err, "bin_boundaries must hold numbers only");
    for (size_t i = 1; i < n; i++)
        if (!(bins->boundaries[i] >= bins->boundaries[i - 1]))
            return layer_fail(layer, err, "bin_boundaries must rise, but %g comes after %g",
                              (double)bins->boundaries[i], (double)bins->boundaries[i - 1]);
    return true;
}

/* one_hot takes the place of a last axis of size 1, else it stands behind the others. */
static bool encoded_shape(struct layer *layer, struct shape sample, int64_t depth, struct shape *output,
                          struct err *err)
{
    *output = sample;
    if (output->rank && output->dim[output->rank - 1] == 1)
        output->rank--;
    if (output->rank == RANK_MAX - 1)
        return layer_fail(layer, err, "too many dimensions");
    output->dim[output->rank++] = depth;
    return true;
}

static bool build_discretization(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                                 struct shape *output, struct err *err)
{
    struct bins *bins = arena_alloc(&model->arena, sizeof *bins);
    (void)n;
    layer->state = bins;
    *output = inputs[0];
    if (layer_bool(layer, "sparse"))
        return layer_fail(layer, err, "sparse must be false");
    if (inputs[0].rank == RANK_MAX - 1)
        return layer_fail(layer, err, "too many dimensions");
    return read_bins(layer, model, bins, err) && (!strcmp(layer_string(layer, "output_mode"), "int") ||
                                                  encoded_shape(layer, inputs[0], bins->n + 1, output, err));
}

static struct value *lower_discretization(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    const struct bins *bins = layer->state;
    struct graph *g = l->graph;
    struct value *x = as_float(g, inputs[0]);
    (void)n;
    if (!x)
        return NULL;
    struct shape wide = x->shape, output = shape_batched(x->shape.dim[0], layer->output_shape);
    wide.dim[wide.rank++] = 1;
    int last = -1;
    struct value *reached = op_expr(g, "a >= b", op_reshape(g, x, wide),
                                    op_constant(g, DTYPE_F32, SHAPE(bins->n), bins->boundaries), NULL, NULL);
    struct value *bin = op_reduce(g, REDUCE_SUM, reached, &last, 1, false);
    if (!strcmp(layer_string(layer, "output_mode"), "int"))
        return bin;
    return op_reshape(g, op_one_hot(g, op_cast_i32(g, bin), bins->n + 1), output);
}

/* ---- CategoryEncoding ---- */

static const struct argument category_arguments[] = {
    {"num_tokens", ARG_INT, NULL, NULL, 1, 1e9, "number of categories"},
    {"output_mode", ARG_CHOICE, "\"multi_hot\"", "multi_hot|one_hot|count|binary", 0, 0,
     "1 for each category that occurs in the last axis, a vector for each number, or how often it occurs"},
    {"sparse", ARG_BOOL, "false", NULL, 0, 0, "only false"},
    {0}};

static bool build_category(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                           struct shape *output, struct err *err)
{
    int64_t depth = layer_int(layer, "num_tokens");
    (void)model, (void)n;
    if (layer_bool(layer, "sparse"))
        return layer_fail(layer, err, "sparse must be false");
    if (!strcmp(layer_string(layer, "output_mode"), "one_hot"))
        return encoded_shape(layer, inputs[0], depth, output, err);
    if (inputs[0].rank != 1) /* of more axes Keras announces one shape and gives another */
        return layer_fail(layer, err, "each sample must be a list of numbers for output_mode '%s'",
                          layer_string(layer, "output_mode"));
    *output = SHAPE(depth);
    return true;
}

static struct value *lower_category(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    struct graph *g = l->graph;
    struct value *x = inputs[0];
    const char *mode = layer_string(layer, "output_mode");
    static const int tokens = -2;
    (void)n;
    if (!x)
        return NULL;
    struct value *hot = op_one_hot(g, x->dtype == DTYPE_I32 ? x : op_cast_i32(g, x), layer_int(layer, "num_tokens"));
    if (!strcmp(mode, "one_hot"))
        return op_reshape(g, hot, shape_batched(x->shape.dim[0], layer->output_shape));
    return op_reduce(g, strcmp(mode, "count") ? REDUCE_MAX : REDUCE_SUM, hot, &tokens, 1, false);
}

const struct layer_class layers_preprocessing[] = {
    {"Normalization", "(x - mean) / sqrt(variance), with moments from the model file or the config",
     normalization_arguments, 1, 1, build_normalization, lower_normalization, mask_pass},
    {"Discretization", "the number of the bin that a value falls into", discretization_arguments, 1, 1,
     build_discretization, lower_discretization, NULL, NULL, CAST_NOTHING},
    {"CategoryEncoding", "numbers of categories as vectors of 0 and 1", category_arguments, 1, 1, build_category,
     lower_category, NULL, NULL, CAST_NOTHING},
    {0}};
