/* layers_shape.c - Flatten, Reshape, Permute, RepeatVector, ZeroPadding, Cropping, UpSampling */
#include "engine/layers/layer_support.h"
#include "base/size.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const axes_texts[] = {"(steps, channels)", "(height, width, channels)",
                                         "(depth, height, width, channels)"};

static bool build_flatten(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                          struct shape *output, struct err *err)
{
    (void)model, (void)n;
    *output = SHAPE(shape_elements(inputs[0]));
    return layer_channels_last(layer, err);
}

static struct value *lower_flatten(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    struct value *x = inputs[0];
    (void)layer, (void)n;
    return x ? op_reshape(l->graph, x, SHAPE(x->shape.dim[0], shape_elements(shape_sample(x->shape)))) : NULL;
}

static bool build_reshape(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                          struct shape *output, struct err *err)
{
    const json_t *target = layer_arg(layer, "target_shape");
    int64_t have = shape_elements(inputs[0]), want = 1;
    int open = -1, rank = json_is_integer(target) ? 1 : (int)json_array_size(target);
    (void)n;
    if (rank >= RANK_MAX)
        return layer_fail(layer, err, "target_shape has %d dimensions, at most %d are possible", rank, RANK_MAX - 1);
    *output = (struct shape){.rank = rank};
    for (int i = 0; i < rank; i++) {
        int64_t dim = json_integer_value(json_is_integer(target) ? target : json_array_get(target, (size_t)i));
        if (dim < -1 || dim == 0 || (dim == -1 && open >= 0) || dim > have)
            return layer_fail(layer, err, "target_shape must hold sizes of at most %lld and at most one -1, found %lld",
                              (long long)have, (long long)dim);
        open = dim == -1 ? i : open;
        output->dim[i] = dim;
        want = dim == -1 ? want : int64_mul(want, dim, &want) ? want : INT64_MAX;
    }
    if (want <= have && open >= 0 && have % want == 0)
        output->dim[open] = have / want;
    if (want > have || (open >= 0 ? have % want != 0 : have != want))
        return layer_fail(layer, err, "an input of shape %s (%lld numbers) cannot be reshaped to %s",
                          shape_text(&model->arena, inputs[0]), (long long)have, shape_text(&model->arena, *output));
    return true;
}

static struct value *lower_reshape(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    struct value *x = inputs[0];
    struct shape output;
    struct err err = {0};
    (void)n;
    if (!x)
        return NULL;
    struct shape sample = shape_sample(x->shape);
    struct model scratch = {0};
    bool ok = build_reshape(layer, &scratch, &sample, 1, &output, &err);
    arena_release(&scratch.arena);
    return ok ? op_reshape(l->graph, x, shape_batched(x->shape.dim[0], output))
              : graph_fail(l->graph, err.code, "%s", err.text);
}

static bool build_permute(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                          struct shape *output, struct err *err)
{
    const json_t *dims = layer_arg(layer, "dims");
    int rank = inputs[0].rank;
    bool seen[RANK_MAX + 1] = {false};
    (void)model, (void)n;
    if (json_array_size(dims) != (size_t)rank)
        return layer_fail(layer, err, "dims must name all %d axes of a sample, found %zu", rank, json_array_size(dims));
    output->rank = rank;
    for (int i = 0; i < rank; i++) {
        int64_t axis = json_integer_value(json_array_get(dims, (size_t)i));
        if (axis < 1 || axis > rank || seen[axis])
            return layer_fail(layer, err, "dims must be a permutation of 1 to %d", rank);
        seen[axis] = true;
        output->dim[i] = inputs[0].dim[axis - 1];
    }
    return true;
}

static struct value *lower_permute(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    const json_t *dims = layer_arg(layer, "dims");
    int permutation[RANK_MAX] = {0};
    (void)n;
    for (size_t i = 0; i < json_array_size(dims); i++)
        permutation[i + 1] = (int)json_integer_value(json_array_get(dims, i));
    return op_transpose(l->graph, inputs[0], permutation);
}

static bool build_repeat(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                         struct shape *output, struct err *err)
{
    (void)model, (void)n;
    if (!layer_want_rank(layer, inputs[0], 1, "(features,)", err))
        return false;
    *output = SHAPE(layer_int(layer, "n"), inputs[0].dim[0]);
    return true;
}

static struct value *lower_repeat(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    struct value *x = inputs[0];
    (void)n;
    if (!x)
        return NULL;
    struct value *row = op_reshape(l->graph, as_float(l->graph, x), SHAPE(x->shape.dim[0], 1, x->shape.dim[1]));
    return op_broadcast(l->graph, row, SHAPE(x->shape.dim[0], layer_int(layer, "n"), x->shape.dim[1]));
}

/* Padding and cropping: an int for all sides, one per axis, or a pair per axis (in one dimension: one pair). */
static bool read_pairs(const struct layer *layer, const char *name, int n, int64_t (*pairs)[2], struct err *err)
{
    const json_t *value = layer_arg(layer, name);
    bool pair_1d = n == 1 && json_array_size(value) == 2;
    bool ok = json_is_integer(value) || pair_1d || json_array_size(value) == (size_t)n;
    for (int i = 0; ok && i < n; i++) {
        const json_t *side = pair_1d || json_is_integer(value) ? value : json_array_get(value, (size_t)i);
        bool pair = json_is_array(side) && json_array_size(side) == 2;
        ok = pair || json_is_integer(side);
        for (int k = 0; ok && k < 2; k++) {
            const json_t *number = pair ? json_array_get(side, (size_t)k) : side;
            pairs[i][k] = json_integer_value(number);
            ok = json_is_integer(number) && pairs[i][k] >= 0 && pairs[i][k] < 1 << 24;
        }
    }
    return ok || layer_fail(layer, err, "%s must be an integer, %d integers or %d pairs of integers, none negative",
                            name, n, n);
}

static bool build_padding(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                          struct shape *output, struct err *err)
{
    int spatial = layer_n_spatial(layer);
    bool crop = str_starts(layer->class->name, "Cropping");
    int64_t(*pairs)[2] = arena_array(&model->arena, SPATIAL_MAX, sizeof *pairs);
    (void)n;
    layer->state = pairs;
    if (!layer_channels_last(layer, err) ||
        !layer_want_rank(layer, inputs[0], spatial + 1, axes_texts[spatial - 1], err) ||
        !read_pairs(layer, crop ? "cropping" : "padding", spatial, pairs, err))
        return false;
    *output = inputs[0];
    for (int i = 0; i < spatial; i++) {
        output->dim[i] += (crop ? -1 : 1) * (pairs[i][0] + pairs[i][1]);
        if (output->dim[i] < 1)
            return layer_fail(layer, err, "cropping leaves nothing of axis %d of size %lld", i + 1,
                              (long long)inputs[0].dim[i]);
    }
    return true;
}

static struct value *lower_padding(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    struct value *x = as_float(l->graph, inputs[0]);
    int64_t(*pairs)[2] = layer->state;
    int64_t before[RANK_MAX] = {0}, after[RANK_MAX] = {0};
    bool crop = str_starts(layer->class->name, "Cropping");
    (void)n;
    if (!x)
        return NULL;
    if (crop)
        memcpy(after, x->shape.dim, sizeof after);
    for (int i = 0; i < layer_n_spatial(layer); i++) {
        before[i + 1] = pairs[i][0];
        after[i + 1] += (crop ? -1 : 1) * pairs[i][1];
    }
    return crop ? op_slice(l->graph, x, before, after, NULL) : op_pad(l->graph, x, before, after, 0);
}

enum { BILINEAR_MAX = 1 << 26 }; /* entries of an interpolation matrix */

static bool is_bilinear(const struct layer *layer)
{
    return layer_n_spatial(layer) == 2 && !strcmp(layer_string(layer, "interpolation"), "bilinear");
}

static bool build_upsampling(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                             struct shape *output, struct err *err)
{
    int spatial = layer_n_spatial(layer);
    int64_t *size = arena_array(&model->arena, SPATIAL_MAX, sizeof *size);
    (void)n;
    layer->state = size;
    if (!layer_want_rank(layer, inputs[0], spatial + 1, axes_texts[spatial - 1], err) ||
        !layer_ints(layer, "size", spatial, size, err) || (spatial > 1 && !layer_channels_last(layer, err)))
        return false;
    *output = inputs[0];
    for (int i = 0; i < spatial; i++) {
        output->dim[i] *= size[i];
        if (is_bilinear(layer) && inputs[0].dim[i] > BILINEAR_MAX / output->dim[i])
            return layer_fail(
                layer, err,
                "interpolation \"bilinear\" of axis %d from %lld to %lld points is too large; \"nearest\" is not",
                i + 1, (long long)inputs[0].dim[i], (long long)output->dim[i]);
    }
    return true;
}

/* (N, H, 1, W, 1, C) spread to (N, H, h, W, w, C) and joined. */
static struct value *upsample_nearest(struct graph *g, struct value *x, const int64_t *size, int spatial)
{
    struct shape narrow = {.rank = 1, .dim = {x->shape.dim[0]}}, wide = narrow, joined = narrow;
    for (int i = 0; i < spatial; i++) {
        int64_t dim = x->shape.dim[i + 1];
        narrow.dim[narrow.rank++] = wide.dim[wide.rank++] = dim;
        narrow.dim[narrow.rank++] = 1;
        wide.dim[wide.rank++] = size[i];
        joined.dim[joined.rank++] = dim * size[i];
    }
    narrow.dim[narrow.rank++] = wide.dim[wide.rank++] = joined.dim[joined.rank++] = x->shape.dim[spatial + 1];
    return op_reshape(g, op_broadcast(g, op_reshape(g, x, narrow), wide), joined);
}

/* The matrix that interpolates `in` points linearly at `in * factor` points, pixel centres at halves, borders clamped.
 */
static struct value *linear_matrix(struct graph *g, int64_t in, int64_t factor)
{
    int64_t out = in * factor;
    float *m = xcalloc((size_t)(out * in), sizeof *m);
    for (int64_t i = 0; i < out; i++) {
        double position = ((double)i + 0.5) / (double)factor - 0.5;
        position = fmin(fmax(position, 0), (double)(in - 1));
        int64_t low = (int64_t)position;
        int64_t high = low + 1 < in ? low + 1 : low;
        m[i * in + low] += (float)(1 - (position - (double)low));
        m[i * in + high] += (float)(position - (double)low);
    }
    struct value *constant = op_constant(g, DTYPE_F32, SHAPE(out, in), m);
    free(m);
    return constant;
}

static struct value *upsample_bilinear(struct graph *g, struct value *x, const int64_t *size)
{
    int64_t batch = x->shape.dim[0], h = x->shape.dim[1], w = x->shape.dim[2], c = x->shape.dim[3];
    struct value *wide = op_matmul(g, linear_matrix(g, w, size[1]), x, false, false);
    struct value *rows = op_reshape(g, wide, SHAPE(batch, h, w * size[1] * c));
    struct value *high = op_matmul(g, linear_matrix(g, h, size[0]), rows, false, false);
    return op_reshape(g, high, SHAPE(batch, h * size[0], w * size[1], c));
}

static struct value *lower_upsampling(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    struct value *x = as_float(l->graph, inputs[0]);
    (void)n;
    if (!x)
        return NULL;
    return is_bilinear(layer) ? upsample_bilinear(l->graph, x, layer->state)
                              : upsample_nearest(l->graph, x, layer->state, layer_n_spatial(layer));
}

static const struct argument flatten_arguments[] = {ARG_DATA_FORMAT, {0}};
static const struct argument reshape_arguments[] = {
    {"target_shape", ARG_INTS, NULL, NULL, 0, 0, "shape of a sample, -1 for what is left"}, {0}};
static const struct argument permute_arguments[] = {
    {"dims", ARG_INTS, NULL, NULL, 1, 8, "new order of the axes, the first is 1"}, {0}};
static const struct argument repeat_arguments[] = {{"n", ARG_INT, NULL, NULL, 1, 1 << 24, "how often"}, {0}};
static const struct argument pad1d_arguments[] = {
    {"padding", ARG_ANY, "1", NULL, 0, 0, "zeros before and after"}, ARG_DATA_FORMAT, {0}};
static const struct argument pad2d_arguments[] = {
    {"padding", ARG_ANY, "[1, 1]", NULL, 0, 0, "an integer, [height, width], or [[top, bottom], [left, right]]"},
    ARG_DATA_FORMAT,
    {0}};
static const struct argument crop1d_arguments[] = {
    {"cropping", ARG_ANY, "[1, 1]", NULL, 0, 0, "steps cut at start and end"}, ARG_DATA_FORMAT, {0}};
static const struct argument crop2d_arguments[] = {{"cropping", ARG_ANY, "[[0, 0], [0, 0]]", NULL, 0, 0,
                                                    "an integer, [height, width], or [[top, bottom], [left, right]]"},
                                                   ARG_DATA_FORMAT,
                                                   {0}};
static const struct argument up1d_arguments[] = {{"size", ARG_INTS, "2", NULL, 1, 4096, "factor"}, {0}};
static const struct argument up2d_arguments[] = {
    {"size", ARG_INTS, "[2, 2]", NULL, 1, 4096, "factors of height and width"},
    ARG_DATA_FORMAT,
    {"interpolation", ARG_CHOICE, "\"nearest\"", "nearest|bilinear", 0, 0, "how new pixels are made"},
    {0}};

const struct layer_class layers_shape[] = {
    {"Flatten", "joins all axes of a sample into one", flatten_arguments, 1, 1, build_flatten, lower_flatten, NULL},
    {"Reshape", "the same numbers in another shape", reshape_arguments, 1, 1, build_reshape, lower_reshape, NULL},
    {"Permute", "reorders the axes of a sample", permute_arguments, 1, 1, build_permute, lower_permute, NULL},
    {"RepeatVector", "repeats a vector n times", repeat_arguments, 1, 1, build_repeat, lower_repeat, NULL},
    {"ZeroPadding1D", "zeros before and after", pad1d_arguments, 1, 1, build_padding, lower_padding, NULL},
    {"ZeroPadding2D", "zeros around", pad2d_arguments, 1, 1, build_padding, lower_padding, NULL},
    {"Cropping1D", "cuts steps at start and end", crop1d_arguments, 1, 1, build_padding, lower_padding, NULL},
    {"Cropping2D", "cuts borders", crop2d_arguments, 1, 1, build_padding, lower_padding, NULL},
    {"UpSampling1D", "repeats each step", up1d_arguments, 1, 1, build_upsampling, lower_upsampling, NULL},
    {"UpSampling2D", "enlarges pictures", up2d_arguments, 1, 1, build_upsampling, lower_upsampling, NULL},
    {0}};
