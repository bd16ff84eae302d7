/* layers_norm.c - BatchNormalization, LayerNormalization, RMSNormalization, UnitNormalization, GroupNormalization */
#include "engine/layers/layer_support.h"

#include <string.h>

struct norm {
    int gamma, beta, mean, variance; /* numbers of the variables, -1 = none */
    int axis;                        /* with batch */
    int axes[RANK_MAX], n_axes;      /* LayerNormalization: rising, with batch */
    bool last;                       /* and they are the last ones */
    int64_t groups;                  /* GroupNormalization */
};

static int add_weight(struct layer *layer, struct model *model, const char *name, const char *initializer,
                      const char *initial, struct shape shape, bool trainable, struct err *err)
{
    return layer_add_variable(layer, model, name, shape, trainable, initializer, initial, err) ? layer->n_variables - 1
                                                                                               : -2;
}

/* gamma and beta as "scale" and "center" ask. */
static bool add_scale_and_center(struct layer *layer, struct model *model, struct norm *norm, struct shape shape,
                                 struct err *err)
{
    norm->gamma = norm->beta = norm->mean = norm->variance = -1;
    if (layer_bool(layer, "scale"))
        norm->gamma = add_weight(layer, model, "gamma", "gamma_initializer", "ones", shape, true, err);
    if (norm->gamma != -2 && layer_bool(layer, "center"))
        norm->beta = add_weight(layer, model, "beta", "beta_initializer", "zeros", shape, true, err);
    return norm->gamma != -2 && norm->beta != -2;
}

static struct value *weight_or(struct lowering *l, const struct layer *layer, int number, struct shape shape,
                               double otherwise)
{
    return number < 0 ? op_fill(l->graph, shape, otherwise) : layer_value(l, layer, number);
}

static bool one_axis(const struct layer *layer, const char *name, int sample_rank, int *axis, struct err *err)
{
    const json_t *given = layer_arg(layer, name);
    if (json_is_array(given) && json_array_size(given) != 1)
        return layer_fail(layer, err, "%s must be one axis, found %zu", name, json_array_size(given));
    return layer_axis(layer, name, json_integer_value(json_is_array(given) ? json_array_get(given, 0) : given),
                      sample_rank, axis, err);
}

static bool build_batch_norm(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                             struct shape *output, struct err *err)
{
    struct norm *norm = arena_alloc(&model->arena, sizeof *norm);
    (void)n;
    layer->state = norm;
    *output = inputs[0];
    if (layer_bool(layer, "renorm"))
        return layer_fail(layer, err, "renorm must be false");
    if (!one_axis(layer, "axis", inputs[0].rank, &norm->axis, err))
        return false;
    struct shape channels = SHAPE(inputs[0].dim[norm->axis - 1]);
    int axis = norm->axis;
    if (!add_scale_and_center(layer, model, norm, channels, err))
        return false;
    norm->axis = axis;
    norm->mean = add_weight(layer, model, "moving_mean", "moving_mean_initializer", "zeros", channels, false, err);
    if (norm->mean >= 0)
        norm->variance =
            add_weight(layer, model, "moving_variance", "moving_variance_initializer", "ones", channels, false, err);
    return norm->mean >= 0 && norm->variance >= 0;
}

static void swap_to_last(int axis, int rank, int *permutation)
{
    for (int i = 0; i < rank; i++)
        permutation[i] = i;
    permutation[axis] = rank - 1;
    permutation[rank - 1] = axis;
}

static void update_moving(struct layer *layer, struct lowering *l, int number, struct value *batch)
{
    struct variable *variable = layer->variables[number];
    struct value *momentum = op_scalar(l->graph, layer_double(layer, "momentum"));
    layer_assign(l, variable,
                 op_expr(l->graph, "a * b + c * (1 - b)", layer_current(l, variable), momentum, batch, NULL));
}

/* Over the steps that the mask lets count, with Keras' 1e-7 in the divisor. mask has the shape of x. */
static struct value *masked_moments(struct lowering *l, struct value *x, struct value *mask, struct value **variance)
{
    static const int axes[] = {0, 1, 2, 3, 4, 5, 6, 7};
    struct graph *g = l->graph;
    int n = x->shape.rank - 1;
    struct value *count = op_reduce(g, REDUCE_SUM, mask, axes, n, false);
    struct value *sum = op_reduce(g, REDUCE_SUM, op_expr(g, "where(b, a, 0)", x, mask, NULL, NULL), axes, n, false);
    struct value *mean = op_expr(g, "a / (b + 1e-7)", sum, count, NULL, NULL);
    sum = op_reduce(g, REDUCE_SUM, op_expr(g, "where(b, square(a - c), 0)", x, mask, mean, NULL), axes, n, false);
    *variance = op_expr(g, "a / (b + 1e-7)", sum, count, NULL, NULL);
    return mean;
}

static struct value *normalize_with(struct layer *layer, struct lowering *l, struct value *x, struct value *mean,
                                    struct value *variance, struct value *gamma, struct value *beta)
{
    struct value *epsilon = op_scalar(l->graph, layer_double(layer, "epsilon"));
    struct value *factor = op_expr(l->graph, "b / sqrt(a + c)", variance, gamma, epsilon, NULL);
    struct value *shift = op_expr(l->graph, "c - a * b", mean, factor, beta, NULL);
    return op_expr(l->graph, "a * b + c", x, factor, shift, NULL);
}

static struct value *normalize_batch(struct layer *layer, struct lowering *l, struct value *x, struct value *mask)
{
    const struct norm *norm = layer->state;
    struct shape channels = layer->variables[norm->mean]->shape;
    struct value *gamma = weight_or(l, layer, norm->gamma, channels, 1),
                 *beta = weight_or(l, layer, norm->beta, channels, 0);
    double epsilon = layer_double(layer, "epsilon");
    if (l->mode == MODE_TRAIN && layer->trainable) {
        struct value *mean, *variance, *y;
        if (mask) {
            mean = masked_moments(l, x, mask, &variance);
            y = normalize_with(layer, l, x, mean, variance, gamma, beta);
        } else {
            y = op_batch_norm(l->graph, x, gamma, beta, epsilon, &mean, &variance);
        }
        if (!y)
            return NULL;
        update_moving(layer, l, norm->mean, mean);
        update_moving(layer, l, norm->variance, variance);
        return y;
    }
    struct value *mean = layer_value(l, layer, norm->mean), *variance = layer_value(l, layer, norm->variance);
    return normalize_with(layer, l, x, mean, variance, gamma, beta);
}

static struct value *lower_batch_norm(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    const struct norm *norm = layer->state;
    struct value *x = as_float(l->graph, inputs[0]);
    int permutation[RANK_MAX];
    (void)n;
    if (!x)
        return NULL;
    struct value *mask = l->masks[0];
    if (mask && mask->shape.rank != x->shape.rank - 1)
        return graph_fail(l->graph, ERR_USAGE, "%s: layer '%s': the mask %s must have one axis less than the input %s",
                          layer->where, layer->path, shape_text(&l->graph->arena, mask->shape),
                          shape_text(&l->graph->arena, x->shape));
    if (mask)
        mask = op_broadcast(l->graph, mask_like(l->graph, mask, x->shape.rank), x->shape);
    if (norm->axis == x->shape.rank - 1)
        return normalize_batch(layer, l, x, mask);
    swap_to_last(norm->axis, x->shape.rank, permutation);
    if (mask)
        mask = op_transpose(l->graph, mask, permutation);
    return op_transpose(l->graph, normalize_batch(layer, l, op_transpose(l->graph, x, permutation), mask), permutation);
}

/* Axes in rising order, wherever they are; shape: that of gamma and beta. */
static bool rising_axes(const struct layer *layer, struct shape in, struct norm *norm, struct shape *shape,
                        struct err *err)
{
    const json_t *given = layer_arg(layer, "axis");
    int n = json_is_array(given) ? (int)json_array_size(given) : 1;
    if (n < 1 || n > in.rank)
        return layer_fail(layer, err, "axis must name 1 to %d axes, found %d", in.rank, n);
    *shape = (struct shape){.rank = n};
    norm->n_axes = n;
    for (int i = 0; i < n; i++) {
        const json_t *axis = json_is_array(given) ? json_array_get(given, (size_t)i) : given;
        if (!layer_axis(layer, "axis", json_integer_value(axis), in.rank, &norm->axes[i], err))
            return false;
        if (i && norm->axes[i] <= norm->axes[i - 1])
            return layer_fail(layer, err, "axis must name different axes in rising order");
        shape->dim[i] = in.dim[norm->axes[i] - 1];
    }
    norm->last = norm->axes[0] == in.rank - n + 1;
    return true;
}

static bool build_layer_norm(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                             struct shape *output, struct err *err)
{
    struct norm *norm = arena_alloc(&model->arena, sizeof *norm);
    struct shape shape;
    (void)n;
    layer->state = norm;
    *output = inputs[0];
    if (layer_bool(layer, "rms_scaling"))
        return layer_fail(layer, err, "rms_scaling must be false; use RMSNormalization");
    return rising_axes(layer, inputs[0], norm, &shape, err) && add_scale_and_center(layer, model, norm, shape, err);
}

/* A weight over the normalized axes, or a number, as it broadcasts over x. */
static struct value *weight_along(struct lowering *l, const struct layer *layer, const struct norm *norm, int number,
                                  const struct value *x, double otherwise)
{
    if (number < 0)
        return op_scalar(l->graph, otherwise);
    struct shape shape = {.rank = x->shape.rank};
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = 1;
    for (int i = 0; i < norm->n_axes; i++)
        shape.dim[norm->axes[i]] = x->shape.dim[norm->axes[i]];
    return op_reshape(l->graph, layer_value(l, layer, number), shape);
}

static struct value *normalize_along(struct layer *layer, struct lowering *l, struct value *x)
{
    const struct norm *norm = layer->state;
    struct graph *g = l->graph;
    struct value *mean = op_reduce(g, REDUCE_MEAN, x, norm->axes, norm->n_axes, true);
    struct value *centred = op_sub(g, x, mean);
    struct value *variance =
        op_reduce(g, REDUCE_MEAN, op_expr(g, "square(a)", centred, NULL, NULL, NULL), norm->axes, norm->n_axes, true);
    struct value *scale = op_expr(g, "b * rsqrt(a + c)", variance, weight_along(l, layer, norm, norm->gamma, x, 1),
                                  op_scalar(g, layer_double(layer, "epsilon")), NULL);
    return op_expr(g, "a * b + c", centred, scale, weight_along(l, layer, norm, norm->beta, x, 0), NULL);
}

static struct value *lower_layer_norm(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    const struct norm *norm = layer->state;
    struct value *x = as_float(l->graph, inputs[0]);
    (void)n;
    if (!x)
        return NULL;
    if (!norm->last)
        return normalize_along(layer, l, x);
    struct shape shape = shape_make(x->shape.dim + x->shape.rank - norm->n_axes, norm->n_axes);
    return op_layer_norm(l->graph, x, norm->n_axes, weight_or(l, layer, norm->gamma, shape, 1),
                         weight_or(l, layer, norm->beta, shape, 0), layer_double(layer, "epsilon"));
}

static bool build_rms(struct layer *layer, struct model *model, const struct shape *inputs, int n, struct shape *output,
                      struct err *err)
{
    struct norm *norm = arena_alloc(&model->arena, sizeof *norm);
    struct shape shape;
    (void)n;
    layer->state = norm;
    *output = inputs[0];
    if (!rising_axes(layer, inputs[0], norm, &shape, err))
        return false;
    if (!norm->last) /* Keras broadcasts the scale along the last axes and fails */
        return layer_fail(layer, err, "axis must name the last axes in order");
    return layer_add_variable(layer, model, "scale", shape, true, NULL, "ones", err) != NULL;
}

static struct value *lower_rms(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    const struct norm *norm = layer->state;
    struct value *x = as_float(l->graph, inputs[0]);
    (void)n;
    if (!x)
        return NULL;
    struct value *mean = op_reduce(l->graph, REDUCE_MEAN, op_expr(l->graph, "square(a)", x, NULL, NULL, NULL),
                                   norm->axes, norm->n_axes, true);
    return op_expr(l->graph, "a * rsqrt(b + d) * c", x, mean, weight_along(l, layer, norm, 0, x, 1),
                   op_scalar(l->graph, layer_double(layer, "epsilon")));
}

static bool build_unit(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                       struct shape *output, struct err *err)
{
    struct norm *norm = arena_alloc(&model->arena, sizeof *norm);
    (void)n;
    layer->state = norm;
    *output = inputs[0];
    struct shape shape;
    return rising_axes(layer, inputs[0], norm, &shape, err);
}

static struct value *lower_unit(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    const struct norm *norm = layer->state;
    struct value *x = as_float(l->graph, inputs[0]);
    (void)n;
    return op_expr(l->graph, "a / sqrt(maximum(b, 1e-24))", x, sum_of_squares(l->graph, x, norm->axes, norm->n_axes),
                   NULL, NULL);
}

static bool build_group_norm(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                             struct shape *output, struct err *err)
{
    struct norm *norm = arena_alloc(&model->arena, sizeof *norm);
    int axis;
    (void)n;
    layer->state = norm;
    *output = inputs[0];
    if (!one_axis(layer, "axis", inputs[0].rank, &axis, err))
        return false;
    int64_t channels = inputs[0].dim[axis - 1], groups = layer_int(layer, "groups");
    groups = groups == -1 ? channels : groups;
    if (groups < 1 || channels % groups)
        return layer_fail(layer, err, "groups %lld must divide the %lld channels", (long long)groups,
                          (long long)channels);
    if (!add_scale_and_center(layer, model, norm, SHAPE(channels), err))
        return false;
    norm->groups = groups;
    norm->axis = axis;
    return true;
}

/* (N, positions, groups, channels of a group): mean and variance over positions and the channels of a group. */
static struct value *lower_group_norm(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    static const int axes[] = {1, 3};
    const struct norm *norm = layer->state;
    struct graph *g = l->graph;
    struct value *x = as_float(g, inputs[0]);
    int permutation[RANK_MAX];
    (void)n;
    if (!x)
        return NULL;
    bool last = norm->axis == x->shape.rank - 1;
    swap_to_last(norm->axis, x->shape.rank, permutation);
    x = last ? x : op_transpose(g, x, permutation);
    if (!x)
        return NULL;
    int64_t channels = x->shape.dim[x->shape.rank - 1], positions = shape_elements(shape_sample(x->shape)) / channels;
    struct value *split = op_reshape(g, x, SHAPE(x->shape.dim[0], positions, norm->groups, channels / norm->groups));
    struct value *centred = op_sub(g, split, op_reduce(g, REDUCE_MEAN, split, axes, 2, true));
    struct value *variance =
        op_reduce(g, REDUCE_MEAN, op_expr(g, "square(a)", centred, NULL, NULL, NULL), axes, 2, true);
    struct value *unit =
        op_expr(g, "a / sqrt(b + c)", centred, variance, op_scalar(g, layer_double(layer, "epsilon")), NULL);
    struct shape shape = SHAPE(channels);
    struct value *y = op_expr(g, "a * b + c", op_reshape(g, unit, x->shape), weight_or(l, layer, norm->gamma, shape, 1),
                              weight_or(l, layer, norm->beta, shape, 0), NULL);
    return last ? y : op_transpose(g, y, permutation);
}

#define ARG_EPSILON(value)                                                                                             \
    {                                                                                                                  \
        "epsilon", ARG_FLOAT, value, NULL, 0, 0, "added to the variance"                                               \
    }
#define ARG_SCALE_CENTER                                                                                               \
    {"center", ARG_BOOL, "true", NULL, 0, 0, "add beta"},                                                              \
        {"scale", ARG_BOOL, "true", NULL, 0, 0, "multiply by gamma"}, ARG_WEIGHT("beta", "\"zeros\""),                 \
        ARG_WEIGHT("gamma", "\"ones\"")

static const struct argument batch_norm_arguments[] = {
    {"axis", ARG_INTS, "-1", NULL, 0, 0, "axis of the channels"},
    {"momentum", ARG_FLOAT, "0.99", NULL, 0, 0, "share of the old moving average that is kept in each step"},
    ARG_EPSILON("0.001"),
    ARG_SCALE_CENTER,
    {"moving_mean_initializer", ARG_INITIALIZER, "\"zeros\"", NULL, 0, 0, "starting values of the moving mean"},
    {"moving_variance_initializer", ARG_INITIALIZER, "\"ones\"", NULL, 0, 0, "starting values of the moving variance"},
    {"renorm", ARG_BOOL, "false", NULL, 0, 0, "false only"},
    {"renorm_clipping", ARG_ANY, "null", NULL, 0, 0, "of renorm, without effect"},
    {"renorm_momentum", ARG_ANY, "0.99", NULL, 0, 0, "of renorm, without effect"},
    {"synchronized", ARG_BOOL, "false", NULL, 0, 0, "means nothing on one device"},
    {0}};
static const struct argument layer_norm_arguments[] = {
    {"axis", ARG_INTS, "-1", NULL, 0, 0, "axes that are normalized together, in rising order"},
    ARG_EPSILON("0.001"),
    ARG_SCALE_CENTER,
    {"rms_scaling", ARG_BOOL, "false", NULL, 0, 0, "false only"},
    {0}};
static const struct argument rms_arguments[] = {
    {"axis", ARG_INTS, "-1", NULL, 0, 0, "the last axes"}, ARG_EPSILON("1e-6"), {0}};
static const struct argument unit_arguments[] = {
    {"axis", ARG_INTS, "-1", NULL, 0, 0, "axes whose vectors get length one, in rising order"}, {0}};
static const struct argument group_norm_arguments[] = {
    {"groups", ARG_INT, "32", NULL, -1, 1 << 20, "number of groups, -1 for one per channel"},
    {"axis", ARG_INTS, "-1", NULL, 0, 0, "axis of the channels"},
    ARG_EPSILON("0.001"),
    ARG_SCALE_CENTER,
    {0}};

const struct layer_class layers_norm[] = {
    {"BatchNormalization", "normalizes each channel over the batch", batch_norm_arguments, 1, 1, build_batch_norm,
     lower_batch_norm, mask_pass, NULL, CAST_FEATURES},
    {"LayerNormalization", "normalizes each sample over its last axes", layer_norm_arguments, 1, 1, build_layer_norm,
     lower_layer_norm, mask_pass, NULL, CAST_OUTPUTS},
    {"RMSNormalization", "divides by the root mean square of the last axes", rms_arguments, 1, 1, build_rms, lower_rms,
     NULL},
    {"UnitNormalization", "scales vectors to length one", unit_arguments, 1, 1, build_unit, lower_unit, mask_pass},
    {"GroupNormalization", "normalizes groups of channels of each sample", group_norm_arguments, 1, 1, build_group_norm,
     lower_group_norm, mask_pass, NULL, CAST_OUTPUTS},
    {0}};
