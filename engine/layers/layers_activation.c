/* layers_activation.c - layers that are an activation: Activation, ReLU, LeakyReLU, ELU, Softmax, PReLU */
#include "engine/layers/layer_support.h"

#include <string.h>

static bool take_activation(struct layer *layer, const struct activation *activation, struct shape in,
                            struct shape *output, struct err *err)
{
    layer->state = (void *)activation;
    if (!activation || !activation_fits(activation, in, layer->where, err))
        return false;
    *output = activation_shape(activation, in);
    return true;
}

static bool build_activation(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                             struct shape *output, struct err *err)
{
    (void)n;
    return take_activation(layer, layer_activation(layer, model, err), inputs[0], output, err);
}

static bool build_by_class(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                           struct shape *output, struct err *err)
{
    (void)n;
    const struct activation *activation =
        activation_of_layer(&model->arena, layer->class->name, layer->config, layer->where, err);
    return take_activation(layer, activation, inputs[0], output, err);
}

static struct value *lower_activation(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    (void)n;
    return activation_lower(l->graph, layer->state, as_float(l->graph, inputs[0]));
}

/* Masked values get the probability 0. A mask of fewer axes than x only fits where numpy's rule lets it, as in Keras.
 */
static struct value *lower_softmax(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    struct graph *g = l->graph;
    struct value *x = as_float(g, inputs[0]), *mask = l->masks[0];
    struct shape joined;
    (void)n;
    if (!x || !mask)
        return activation_lower(g, layer->state, x);
    if (!shape_broadcast(mask->shape, x->shape, &joined) || !shape_equal(joined, x->shape))
        return graph_fail(g, ERR_USAGE, "%s: layer '%s': the mask %s does not broadcast to the input %s", layer->where,
                          layer->path, shape_text(&g->arena, mask->shape), shape_text(&g->arena, x->shape));
    struct value *y = activation_lower(g, layer->state, op_expr(g, "where(b, a, -1e9)", x, mask, NULL, NULL));
    return op_expr(g, "where(b, a, 0)", y, mask, NULL, NULL);
}

static bool build_prelu(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                        struct shape *output, struct err *err)
{
    struct shape alpha = inputs[0];
    const json_t *shared = layer_arg(layer, "shared_axes");
    (void)n;
    *output = inputs[0];
    for (size_t i = 0; i < (json_is_array(shared) ? json_array_size(shared) : !json_is_null(shared)); i++) {
        int axis;
        const json_t *given = json_is_array(shared) ? json_array_get(shared, i) : shared;
        if (!layer_axis(layer, "shared_axes", json_integer_value(given), alpha.rank, &axis, err))
            return false;
        alpha.dim[axis - 1] = 1;
    }
    return layer_add_variable(layer, model, "alpha", alpha, true, "alpha_initializer", "zeros", err) != NULL;
}

static struct value *lower_prelu(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    (void)n;
    return op_expr(l->graph, "relu(a) - b * relu(-a)", as_float(l->graph, inputs[0]), layer_value(l, layer, 0), NULL,
                   NULL);
}

static const struct argument activation_arguments[] = {
    {"activation", ARG_ACTIVATION, NULL, NULL, 0, 0, "the activation"}, {0}};
static const struct argument relu_arguments[] = {
    {"max_value", ARG_FLOAT, "null", NULL, 0, 0, "upper bound, null for none"},
    {"negative_slope", ARG_FLOAT, "0.0", NULL, 0, 1e30, "slope below the threshold"},
    {"threshold", ARG_FLOAT, "0.0", NULL, 0, 1e30, "below it the slope is negative_slope"},
    {0}};
static const struct argument leaky_arguments[] = {
    {"negative_slope", ARG_FLOAT, "0.3", NULL, 0, 0, "slope below 0"},
    {"alpha", ARG_FLOAT, "null", NULL, 0, 0, "negative_slope as Keras 2 names it"},
    {0}};
static const struct argument elu_arguments[] = {{"alpha", ARG_FLOAT, "1.0", NULL, 0, 0, "bound of the negative part"},
                                                {0}};
static const struct argument softmax_arguments[] = {{"axis", ARG_INTS, "-1", NULL, 0, 0, "axes that sum to one"}, {0}};
static const struct argument prelu_arguments[] = {
    ARG_WEIGHT("alpha", "\"zeros\""), {"shared_axes", ARG_INTS, "null", NULL, 0, 0, "axes that share one slope"}, {0}};

const struct layer_class layers_activation[] = {
    {"Activation", "applies an activation", activation_arguments, 1, 1, build_activation, lower_activation, mask_pass},
    {"ReLU", "max(x, 0) with bound, slope and threshold", relu_arguments, 1, 1, build_by_class, lower_activation,
     mask_pass},
    {"LeakyReLU", "relu with a slope below 0", leaky_arguments, 1, 1, build_by_class, lower_activation, mask_pass},
    {"ELU", "exponential linear unit", elu_arguments, 1, 1, build_by_class, lower_activation, mask_pass},
    {"Softmax", "exp(x) over its sum", softmax_arguments, 1, 1, build_by_class, lower_softmax, mask_pass},
    {"PReLU", "relu with a trained slope below 0", prelu_arguments, 1, 1, build_prelu, lower_prelu, mask_pass},
    {0}};
