/* layers_conv.c - Conv, DepthwiseConv, SeparableConv and ConvTranspose in one, two and three dimensions. Kernels are
 * (spatial..., channels / groups, filters); those of a ConvTranspose (spatial..., filters, channels). */
#include "engine/layers/layer_support.h"

#include <string.h>

struct conv {
    const struct activation *activation;
    struct window window; /* pads depend on the input: filled per call */
    const char *padding;
    bool depthwise;
};

static bool read_window(struct layer *layer, struct conv *conv, struct err *err)
{
    struct window *w = &conv->window;
    w->n_spatial = layer_n_spatial(layer);
    conv->padding = layer_string(layer, "padding");
    for (int i = 0; i < SPATIAL_MAX; i++)
        w->size[i] = w->stride[i] = w->dilation[i] = 1;
    if (!layer_ints(layer, "kernel_size", w->n_spatial, w->size, err) ||
        !layer_ints(layer, "strides", w->n_spatial, w->stride, err) ||
        !layer_ints(layer, "dilation_rate", w->n_spatial, w->dilation, err) || !layer_channels_last(layer, err))
        return false;
    for (int i = 0; i < w->n_spatial; i++)
        for (int k = 0; k < w->n_spatial; k++)
            if (w->stride[i] > 1 && w->dilation[k] > 1)
                return layer_fail(layer, err, "strides > 1 and dilation_rate > 1 cannot be used together");
    return true;
}

static bool finish(struct layer *layer, struct model *model, struct conv *conv, struct shape in, int64_t filters,
                   struct shape *output, struct err *err)
{
    struct window window = conv->window;
    if (!window_pad(layer, &window, conv->padding, in, err))
        return false;
    if (layer_bool(layer, "use_bias") &&
        !layer_add_variable(layer, model, "bias", SHAPE(filters), true, "bias_initializer", "zeros", err))
        return false;
    *output = in;
    for (int i = 0; i < window.n_spatial; i++)
        output->dim[i] = window_out(&window, i, in.dim[i]);
    output->dim[in.rank - 1] = filters;
    conv->activation = layer_activation(layer, model, err);
    layer->state = conv;
    if (!conv->activation || !activation_fits(conv->activation, *output, layer->where, err))
        return false;
    *output = activation_shape(conv->activation, *output);
    return true;
}

static const char *axes_text(int n_spatial)
{
    static const char *const texts[] = {"(steps, channels)", "(height, width, channels)",
                                        "(depth, height, width, channels)"};
    return texts[n_spatial - 1];
}

/* What every family's build begins with: its padding and window, of an input of this rank. NULL and err. */
static struct conv *begin(struct layer *layer, struct model *model, struct shape in, struct err *err)
{
    struct conv *conv = arena_alloc(&model->arena, sizeof *conv);
    if (!read_window(layer, conv, err))
        return NULL;
    int n_spatial = conv->window.n_spatial;
    return layer_want_rank(layer, in, n_spatial + 1, axes_text(n_spatial), err) ? conv : NULL;
}

static bool build_conv(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                       struct shape *output, struct err *err)
{
    struct shape in = inputs[0];
    struct conv *conv = begin(layer, model, in, err);
    int64_t filters = layer_int(layer, "filters"), groups = layer_int(layer, "groups");
    (void)n;
    if (!conv)
        return false;
    int64_t channels = in.dim[in.rank - 1];
    if (channels % groups || filters % groups)
        return layer_fail(layer, err, "groups %lld must divide the channels of the input (%lld) and filters (%lld)",
                          (long long)groups, (long long)channels, (long long)filters);
    conv->window.groups = groups;
    struct shape kernel = shape_make(conv->window.size, conv->window.n_spatial);
    kernel.dim[kernel.rank++] = channels / groups;
    kernel.dim[kernel.rank++] = filters;
    return layer_add_variable(layer, model, "kernel", kernel, true, "kernel_initializer", "glorot_uniform", err) &&
           finish(layer, model, conv, in, filters, output, err);
}

static bool build_depthwise(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                            struct shape *output, struct err *err)
{
    struct shape in = inputs[0];
    struct conv *conv = begin(layer, model, in, err);
    int64_t multiplier = layer_int(layer, "depth_multiplier");
    (void)n;
    if (!conv)
        return false;
    int64_t channels = in.dim[in.rank - 1];
    conv->window.groups = channels;
    conv->depthwise = true;
    struct shape kernel = shape_make(conv->window.size, conv->window.n_spatial);
    kernel.dim[kernel.rank++] = channels;
    kernel.dim[kernel.rank++] = multiplier;
    return layer_add_variable(layer, model, "kernel", kernel, true, "depthwise_initializer", "glorot_uniform", err) &&
           finish(layer, model, conv, in, channels * multiplier, output, err);
}

/* (spatial..., channels, multiplier) holds the same numbers in the same order as (spatial..., 1, channels *
 * multiplier). */
static struct value *grouped_kernel(struct graph *g, struct value *kernel)
{
    if (!kernel)
        return NULL;
    struct shape shape = kernel->shape;
    shape.dim[shape.rank - 1] *= shape.dim[shape.rank - 2];
    shape.dim[shape.rank - 2] = 1;
    return op_reshape(g, kernel, shape);
}

static struct value *lower_conv(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    struct conv *conv = layer->state;
    struct graph *g = l->graph;
    struct value *x = as_float(g, inputs[0]), *kernel = layer_value(l, layer, 0);
    struct window window = conv->window;
    struct err err = {0};
    (void)n;
    if (!x)
        return NULL;
    if (!window_pad(layer, &window, conv->padding, shape_sample(x->shape), &err))
        return graph_fail(g, err.code, "%s", err.text);
    struct value *y = op_conv(g, x, conv->depthwise ? grouped_kernel(g, kernel) : kernel, &window);
    if (layer->n_variables > 1)
        y = layer_cast(l, layer, op_add(g, y, layer_value(l, layer, 1)));
    return activation_lower(g, conv->activation, y);
}

static bool build_separable(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                            struct shape *output, struct err *err)
{
    struct shape in = inputs[0];
    struct conv *conv = begin(layer, model, in, err);
    int64_t multiplier = layer_int(layer, "depth_multiplier"), filters = layer_int(layer, "filters");
    (void)n;
    if (!conv)
        return false;
    int64_t channels = conv->window.groups = in.dim[in.rank - 1];
    struct shape depthwise = shape_make(conv->window.size, conv->window.n_spatial), pointwise = {.rank = in.rank + 1};
    depthwise.dim[depthwise.rank++] = channels;
    depthwise.dim[depthwise.rank++] = multiplier;
    for (int i = 0; i < conv->window.n_spatial; i++)
        pointwise.dim[i] = 1;
    pointwise.dim[in.rank - 1] = channels * multiplier;
    pointwise.dim[in.rank] = filters;
    return layer_add_variable(layer, model, "depthwise_kernel", depthwise, true, "depthwise_initializer",
                              "glorot_uniform", err) &&
           layer_add_variable(layer, model, "pointwise_kernel", pointwise, true, "pointwise_initializer",
                              "glorot_uniform", err) &&
           finish(layer, model, conv, in, filters, output, err);
}

static struct value *lower_separable(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    struct conv *conv = layer->state;
    struct graph *g = l->graph;
    struct value *x = as_float(g, inputs[0]);
    struct window window = conv->window, point = {.n_spatial = conv->window.n_spatial, .groups = 1};
    struct err err = {0};
    (void)n;
    if (!x)
        return NULL;
    if (!window_pad(layer, &window, conv->padding, shape_sample(x->shape), &err))
        return graph_fail(g, err.code, "%s", err.text);
    for (int i = 0; i < SPATIAL_MAX; i++)
        point.size[i] = point.stride[i] = point.dilation[i] = 1;
    struct value *y = op_conv(g, x, grouped_kernel(g, layer_value(l, layer, 0)), &window);
    y = op_conv(g, y, layer_value(l, layer, 1), &point);
    if (layer->n_variables > 2)
        y = layer_cast(l, layer, op_add(g, y, layer_value(l, layer, 2)));
    return activation_lower(g, conv->activation, y);
}

/* The transposed convolution is the gradient of the convolution that leads from its output back to its input. Sets
 * that one's pads and the output's size. Without output_padding "same" gives n * stride, "valid" reaches to the last
 * element that any input reaches, or a whole stride. Where the output goes beyond it is zero. */
static bool transpose_window(const struct layer *layer, struct window *w, struct shape in, struct shape *output,
                             struct err *err)
{
    bool same = !strcmp(layer_string(layer, "padding"), "same");
    int64_t extra[SPATIAL_MAX] = {-1, -1, -1};
    if (!layer_ints(layer, "output_padding", w->n_spatial, extra, err))
        return false;
    *output = in;
    for (int i = 0; i < w->n_spatial; i++) {
        int64_t stride = w->stride[i], reach = (w->size[i] - 1) * w->dilation[i] + 1, before, total;
        if (extra[i] >= stride)
            return layer_fail(layer, err, "output_padding must be smaller than strides, found %lld and %lld",
                              (long long)extra[i], (long long)stride);
        if (same) {
            total = extra[i] < 0 ? stride + reach - 2 : reach + reach % 2 - 2 + extra[i];
            before = total / 2 + total % 2 < reach - 1 ? total / 2 + total % 2 : reach - 1;
        } else {
            before = reach - 1;
            total = 2 * before + (extra[i] >= 0 ? extra[i] : stride > reach ? stride - reach : 0);
        }
        int64_t after = reach - 1 - (total - before);
        w->pad_before[i] = reach - 1 - before;
        w->pad_after[i] = after > 0 ? after : 0;
        output->dim[i] = (in.dim[i] - 1) * stride - reach + 2 + total;
        if (output->dim[i] < 1 || output->dim[i] > MODEL_MAX_ELEMENTS)
            return layer_fail(layer, err, "its output would have the size %lld along axis %d",
                              (long long)output->dim[i], i + 1);
    }
    return true;
}

static bool build_transpose(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                            struct shape *output, struct err *err)
{
    struct shape in = inputs[0];
    struct conv *conv = begin(layer, model, in, err);
    int64_t filters = layer_int(layer, "filters");
    (void)n;
    layer->state = conv;
    if (!conv)
        return false;
    struct window window = conv->window;
    struct shape kernel = shape_make(window.size, window.n_spatial);
    kernel.dim[kernel.rank++] = filters;
    kernel.dim[kernel.rank++] = in.dim[in.rank - 1];
    if (!transpose_window(layer, &window, in, output, err) ||
        !layer_add_variable(layer, model, "kernel", kernel, true, "kernel_initializer", "glorot_uniform", err) ||
        (layer_bool(layer, "use_bias") &&
         !layer_add_variable(layer, model, "bias", SHAPE(filters), true, "bias_initializer", "zeros", err)))
        return false;
    output->dim[in.rank - 1] = filters;
    conv->activation = layer_activation(layer, model, err);
    if (!conv->activation || !activation_fits(conv->activation, *output, layer->where, err))
        return false;
    *output = activation_shape(conv->activation, *output);
    return true;
}

static struct value *lower_transpose(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    struct conv *conv = layer->state;
    struct graph *g = l->graph;
    struct value *x = as_float(g, inputs[0]);
    struct window window = conv->window;
    struct shape output;
    struct err err = {0};
    (void)n;
    if (!x)
        return NULL;
    window.groups = 1;
    if (!transpose_window(layer, &window, shape_sample(x->shape), &output, &err))
        return graph_fail(g, err.code, "%s", err.text);
    output.dim[output.rank - 1] = layer_int(layer, "filters");
    struct value *y = op_conv_dx(g, x, layer_value(l, layer, 0), &window, shape_batched(x->shape.dim[0], output));
    if (layer->n_variables > 1)
        y = layer_cast(l, layer, op_add(g, y, layer_value(l, layer, 1)));
    return activation_lower(g, conv->activation, y);
}

#define ARG_CONV(padding_choices)                                                                                      \
    {"kernel_size", ARG_INTS, NULL, NULL, 1, 1 << 20, "size of the window"},                                           \
        {"strides", ARG_INTS, "1", NULL, 1, 1 << 20, "step of the window"},                                            \
        {"padding", ARG_CHOICE, "\"valid\"", padding_choices, 0, 0, "how borders are treated"}, ARG_DATA_FORMAT,       \
        {"dilation_rate", ARG_INTS, "1", NULL, 1, 1 << 20, "spacing inside the window"},                               \
        {"activation", ARG_ACTIVATION, "null", NULL, 0, 0, "applied to the output"},                                   \
        {"use_bias", ARG_BOOL, "true", NULL, 0, 0, "add a bias"}, ARG_WEIGHT("bias", "\"zeros\"")
#define ARG_FILTERS                                                                                                    \
    {"filters", ARG_INT, NULL, NULL, 1, 1 << 30, "number of output channels"},                                         \
        {"groups", ARG_INT, "1", NULL, 1, 1 << 30, "channels are split into this many independent groups"},            \
        ARG_WEIGHT("kernel", "\"glorot_uniform\"")
#define ARG_DEPTHWISE                                                                                                  \
    {"depth_multiplier", ARG_INT, "1", NULL, 1, 1 << 20, "output channels per input channel"},                         \
        ARG_WEIGHT("depthwise", "\"glorot_uniform\"")

static const struct argument separable_arguments[] = {
    {"filters", ARG_INT, NULL, NULL, 1, 1 << 30, "number of output channels"},
    ARG_DEPTHWISE,
    ARG_WEIGHT("pointwise", "\"glorot_uniform\""),
    ARG_CONV("valid|same"),
    {0}};
static const struct argument transpose_arguments[] = {
    {"filters", ARG_INT, NULL, NULL, 1, 1 << 30, "number of output channels"},
    ARG_WEIGHT("kernel", "\"glorot_uniform\""),
    ARG_CONV("valid|same"),
    {"output_padding", ARG_INTS, "null", NULL, 0, 1 << 20, "size added at the end, null for what padding gives"},
    {0}};
static const struct argument conv1d_arguments[] = {ARG_FILTERS, ARG_CONV("valid|same|causal"), {0}};
static const struct argument conv_arguments[] = {ARG_FILTERS, ARG_CONV("valid|same"), {0}};
static const struct argument depthwise_arguments[] = {ARG_DEPTHWISE, ARG_CONV("valid|same"), {0}};

const struct layer_class layers_conv[] = {
    {"Conv1D", "convolution over steps", conv1d_arguments, 1, 1, build_conv, lower_conv, NULL},
    {"Conv2D", "convolution over height and width", conv_arguments, 1, 1, build_conv, lower_conv, NULL},
    {"Conv3D", "convolution over depth, height and width", conv_arguments, 1, 1, build_conv, lower_conv, NULL},
    {"DepthwiseConv1D", "one convolution per channel, over steps", depthwise_arguments, 1, 1, build_depthwise,
     lower_conv, NULL},
    {"DepthwiseConv2D", "one convolution per channel, over height and width", depthwise_arguments, 1, 1,
     build_depthwise, lower_conv, NULL},
    {"SeparableConv1D", "a convolution of each channel, then of all channels at each step", separable_arguments, 1, 1,
     build_separable, lower_separable, NULL},
    {"SeparableConv2D", "a convolution of each channel, then of all channels at each place", separable_arguments, 1, 1,
     build_separable, lower_separable, NULL},
    {"Conv1DTranspose", "convolution that enlarges steps", transpose_arguments, 1, 1, build_transpose, lower_transpose,
     NULL},
    {"Conv2DTranspose", "convolution that enlarges height and width", transpose_arguments, 1, 1, build_transpose,
     lower_transpose, NULL},
    {"Conv3DTranspose", "convolution that enlarges depth, height and width", transpose_arguments, 1, 1, build_transpose,
     lower_transpose, NULL},
    {0}};
