/* layers_pool.c - Max- and AveragePooling, GlobalMax- and GlobalAveragePooling, in one, two and three dimensions */
#include "engine/layers/layer_support.h"

#include <string.h>

static const char *axes_text(const struct layer *layer)
{
    static const char *const texts[] = {"(steps, channels)", "(height, width, channels)",
                                        "(depth, height, width, channels)"};
    return texts[layer_n_spatial(layer) - 1];
}

static bool pool_window(struct layer *layer, struct shape in, struct window *w, struct err *err)
{
    w->n_spatial = layer_n_spatial(layer);
    for (int i = 0; i < SPATIAL_MAX; i++)
        w->size[i] = w->dilation[i] = 1;
    if (!layer_ints(layer, "pool_size", w->n_spatial, w->size, err))
        return false;
    memcpy(w->stride, w->size, sizeof w->stride);
    return layer_ints(layer, "strides", w->n_spatial, w->stride, err) &&
           window_pad(layer, w, layer_string(layer, "padding"), in, err);
}

static bool build_pool(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                       struct shape *output, struct err *err)
{
    struct window window = {0};
    (void)model, (void)n;
    if (!layer_channels_last(layer, err) ||
        !layer_want_rank(layer, inputs[0], layer_n_spatial(layer) + 1, axes_text(layer), err) ||
        !pool_window(layer, inputs[0], &window, err))
        return false;
    *output = inputs[0];
    for (int i = 0; i < window.n_spatial; i++)
        output->dim[i] = window_out(&window, i, inputs[0].dim[i]);
    return true;
}

static struct value *lower_pool(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    struct value *x = as_float(l->graph, inputs[0]);
    struct window window = {0};
    struct err err = {0};
    (void)n;
    if (!x)
        return NULL;
    if (!pool_window(layer, shape_sample(x->shape), &window, &err))
        return graph_fail(l->graph, err.code, "%s", err.text);
    return op_pool(l->graph, str_starts(layer->class->name, "Max") ? POOL_MAX : POOL_AVERAGE, x, &window);
}

static bool build_global(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                         struct shape *output, struct err *err)
{
    (void)model, (void)n;
    if (!layer_channels_last(layer, err) ||
        !layer_want_rank(layer, inputs[0], layer_n_spatial(layer) + 1, axes_text(layer), err))
        return false;
    int64_t channels = inputs[0].dim[inputs[0].rank - 1];
    *output = SHAPE(channels);
    if (layer_bool(layer, "keepdims")) {
        *output = inputs[0];
        for (int i = 0; i < output->rank - 1; i++)
            output->dim[i] = 1;
    }
    return true;
}

/* The mean of the steps that the mask lets count. */
static struct value *masked_mean(struct layer *layer, struct lowering *l, struct value *x)
{
    static const int steps = 1;
    struct graph *g = l->graph;
    struct value *mask = x ? mask_like(g, l->masks[0], x->shape.rank) : NULL;
    bool keep = layer_bool(layer, "keepdims");
    struct value *sum = op_reduce(g, REDUCE_SUM, op_expr(g, "where(b, a, 0)", x, mask, NULL, NULL), &steps, 1, keep);
    return op_div(g, sum, op_reduce(g, REDUCE_SUM, mask, &steps, 1, keep));
}

/* The steps are gone. */
static struct value *mask_consumed(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    (void)layer, (void)l, (void)inputs, (void)n;
    return NULL;
}

static struct value *lower_global(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    static const int axes[] = {1, 2, 3};
    enum reduce_kind kind = str_starts(layer->class->name, "GlobalMax") ? REDUCE_MAX : REDUCE_MEAN;
    (void)n;
    if (layer->class->mask && l->masks[0])
        return masked_mean(layer, l, as_float(l->graph, inputs[0]));
    return op_reduce(l->graph, kind, as_float(l->graph, inputs[0]), axes, layer_n_spatial(layer),
                     layer_bool(layer, "keepdims"));
}

#define ARG_POOL(size)                                                                                                 \
    {"pool_size", ARG_INTS, size, NULL, 1, 1 << 20, "size of the window"},                                             \
        {"strides", ARG_INTS, "null", NULL, 1, 1 << 20, "step of the window, null for pool_size"},                     \
        {"padding", ARG_CHOICE, "\"valid\"", "valid|same", 0, 0, "how borders are treated"}, ARG_DATA_FORMAT,          \
    {                                                                                                                  \
        0                                                                                                              \
    }
static const struct argument pool1d_arguments[] = {ARG_POOL("2")};
static const struct argument pool2d_arguments[] = {ARG_POOL("[2, 2]")};
static const struct argument pool3d_arguments[] = {ARG_POOL("[2, 2, 2]")};
static const struct argument average_arguments[] = {ARG_POOL(NULL)};
static const struct argument global_arguments[] = {
    ARG_DATA_FORMAT, {"keepdims", ARG_BOOL, "false", NULL, 0, 0, "keep the pooled axes with size 1"}, {0}};

const struct layer_class layers_pool[] = {
    {"MaxPooling1D", "largest value in each window", pool1d_arguments, 1, 1, build_pool, lower_pool, NULL},
    {"MaxPooling2D", "largest value in each window", pool2d_arguments, 1, 1, build_pool, lower_pool, NULL},
    {"MaxPooling3D", "largest value in each window", pool3d_arguments, 1, 1, build_pool, lower_pool, NULL},
    {"AveragePooling1D", "mean of each window, padding not counted", average_arguments, 1, 1, build_pool, lower_pool,
     NULL},
    {"AveragePooling2D", "mean of each window, padding not counted", average_arguments, 1, 1, build_pool, lower_pool,
     NULL},
    {"AveragePooling3D", "mean of each window, padding not counted", average_arguments, 1, 1, build_pool, lower_pool,
     NULL},
    {"GlobalMaxPooling1D", "largest value of each channel", global_arguments, 1, 1, build_global, lower_global, NULL},
    {"GlobalMaxPooling2D", "largest value of each channel", global_arguments, 1, 1, build_global, lower_global, NULL},
    {"GlobalMaxPooling3D", "largest value of each channel", global_arguments, 1, 1, build_global, lower_global, NULL},
    {"GlobalAveragePooling1D", "mean of each channel over the steps that are not masked", global_arguments, 1, 1,
     build_global, lower_global, mask_consumed},
    {"GlobalAveragePooling2D", "mean of each channel", global_arguments, 1, 1, build_global, lower_global, NULL},
    {"GlobalAveragePooling3D", "mean of each channel", global_arguments, 1, 1, build_global, lower_global, NULL},
    {0}};
