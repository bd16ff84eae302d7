/* layers_random.c - layers that draw random numbers while training: Dropout, SpatialDropout, GaussianNoise,
 * GaussianDropout, AlphaDropout
 *
 * Masks depend on the seed, the layer's stream and the step alone: the same on every device, the same when a run is
 * resumed.
 */
#include "engine/layers/layer_support.h"

#include <math.h>
#include <string.h>

static bool draws(const struct lowering *l)
{
    return l->mode == MODE_TRAIN && l->step;
}

static bool build_dropout(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                          struct shape *output, struct err *err)
{
    const json_t *noise = layer_arg(layer, "noise_shape");
    (void)model, (void)n;
    *output = inputs[0];
    if (json_is_null(noise))
        return true;
    bool fits = json_array_size(noise) == (size_t)inputs[0].rank + 1;
    for (int i = 0; fits && i < inputs[0].rank; i++) {
        const json_t *dim = json_array_get(noise, (size_t)i + 1);
        int64_t size = json_integer_value(dim);
        fits = json_is_null(dim) || (json_is_integer(dim) && (size == 1 || size == inputs[0].dim[i]));
    }
    return fits || layer_fail(layer, err,
                              "noise_shape must hold, for the batch and each axis, 1, the size of the input or null");
}

static struct value *lower_dropout(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    struct value *x = as_float(l->graph, inputs[0]);
    const json_t *noise = layer_arg(layer, "noise_shape");
    double rate = layer_double(layer, "rate");
    (void)n;
    if (!x || !draws(l) || rate == 0)
        return x;
    struct shape shape = x->shape;
    for (int i = 0; i < shape.rank && !json_is_null(noise); i++)
        if (json_integer_value(json_array_get(noise, (size_t)i)) == 1)
            shape.dim[i] = 1;
    return op_dropout(l->graph, x, l->step, rate, layer_seed(l, layer), layer_stream(l, layer),
                      json_is_null(noise) ? NULL : &shape);
}

static bool build_spatial(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                          struct shape *output, struct err *err)
{
    static const char *const texts[] = {"(steps, channels)", "(height, width, channels)",
                                        "(depth, height, width, channels)"};
    int spatial = *strpbrk(layer->class->name, "123") - '0';
    (void)model, (void)n;
    *output = inputs[0];
    return layer_channels_last(layer, err) && layer_want_rank(layer, inputs[0], spatial + 1, texts[spatial - 1], err);
}

static struct value *lower_spatial(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    struct value *x = as_float(l->graph, inputs[0]);
    double rate = layer_double(layer, "rate");
    (void)n;
    if (!x || !draws(l) || rate == 0)
        return x;
    struct shape shape = x->shape;
    for (int i = 1; i < shape.rank - 1; i++)
        shape.dim[i] = 1;
    return op_dropout(l->graph, x, l->step, rate, layer_seed(l, layer), layer_stream(l, layer), &shape);
}

static struct value *random_like(struct layer *layer, struct lowering *l, enum random_kind kind, struct value *x)
{
    return op_random(l->graph, kind, l->step, x->shape, layer_seed(l, layer), layer_stream(l, layer));
}

static struct value *lower_noise(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    struct value *x = as_float(l->graph, inputs[0]);
    double deviation = layer_double(layer, "stddev");
    (void)n;
    if (!x || !draws(l) || deviation == 0)
        return x;
    return op_expr(l->graph, "a + b * c", x, random_like(layer, l, RANDOM_NORMAL, x), op_scalar(l->graph, deviation),
                   NULL);
}

static struct value *lower_gaussian_dropout(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    struct value *x = as_float(l->graph, inputs[0]);
    double rate = layer_double(layer, "rate");
    (void)n;
    if (!x || !draws(l) || rate == 0)
        return x;
    struct value *deviation = op_scalar(l->graph, sqrt(rate / (1 - rate)));
    return op_expr(l->graph, "a * (1 + b * c)", x, random_like(layer, l, RANDOM_NORMAL, x), deviation, NULL);
}

/* Dropped values become SELU's negative bound; a and b restore mean 0 and variance 1. */
static struct value *lower_alpha_dropout(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    struct value *x = as_float(l->graph, inputs[0]);
    double rate = layer_double(layer, "rate"), bound = -1.6732632423543772 * 1.0507009873554805;
    (void)n;
    if (!x || !draws(l) || rate == 0)
        return x;
    double a = 1 / sqrt((1 - rate) * (1 + rate * bound * bound));
    struct value *kept =
        op_expr(l->graph, "a >= b", random_like(layer, l, RANDOM_UNIFORM, x), op_scalar(l->graph, rate), NULL, NULL);
    struct value *y = op_expr(l->graph, "where(b, a, c)", x, kept, op_scalar(l->graph, bound), NULL);
    return op_expr(l->graph, "a * b + c", y, op_scalar(l->graph, a), op_scalar(l->graph, -a * bound * rate), NULL);
}

#define ARG_RATE                                                                                                       \
    {                                                                                                                  \
        "rate", ARG_FLOAT, NULL, NULL, 0, 0.999999, "share of values that is dropped"                                  \
    }
#define ARG_NOISE_SHAPE                                                                                                \
    {                                                                                                                  \
        "noise_shape", ARG_ANY, "null", NULL, 0, 0, "shape of the mask with batch; axes of size 1 share it"            \
    }
static const struct argument dropout_arguments[] = {ARG_RATE, ARG_LAYER_SEED, ARG_NOISE_SHAPE, {0}};
static const struct argument rate_arguments[] = {ARG_RATE, ARG_LAYER_SEED, {0}};
static const struct argument spatial_arguments[] = {ARG_RATE, ARG_LAYER_SEED, ARG_DATA_FORMAT, {0}};
static const struct argument noise_arguments[] = {
    {"stddev", ARG_FLOAT, NULL, NULL, 0, 1e30, "standard deviation of the noise"}, ARG_LAYER_SEED, {0}};

const struct layer_class layers_random[] = {
    {"Dropout", "sets random values to 0 while training and scales the others up", dropout_arguments, 1, 1,
     build_dropout, lower_dropout, mask_pass},
    {"SpatialDropout1D", "dropout of whole channels", spatial_arguments, 1, 1, build_spatial, lower_spatial, mask_pass},
    {"SpatialDropout2D", "dropout of whole channels", spatial_arguments, 1, 1, build_spatial, lower_spatial, mask_pass},
    {"SpatialDropout3D", "dropout of whole channels", spatial_arguments, 1, 1, build_spatial, lower_spatial, mask_pass},
    {"GaussianNoise", "adds normal noise while training", noise_arguments, 1, 1, build_same_shape, lower_noise,
     mask_pass},
    {"GaussianDropout", "multiplies by normal noise of mean 1 while training", rate_arguments, 1, 1, build_same_shape,
     lower_gaussian_dropout, mask_pass},
    {"AlphaDropout", "dropout that keeps mean and variance of selu", rate_arguments, 1, 1, build_same_shape,
     lower_alpha_dropout, mask_pass},
    {0}};
