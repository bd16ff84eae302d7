/* layers_merge.c - layers of several inputs: Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate, Dot */
#include "engine/layers/layer_support.h"

#include <string.h>

/* Inputs of lower rank get axes of size 1 after the batch, as in Keras; then numpy's rule. */
static struct shape widened(struct shape sample, int rank)
{
    struct shape wide = {.rank = rank};
    for (int i = 0; i < rank; i++)
        wide.dim[i] = i < rank - sample.rank ? 1 : sample.dim[i - (rank - sample.rank)];
    return wide;
}

static bool build_merge(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                        struct shape *output, struct err *err)
{
    int rank = 0;
    (void)model;
    if (n < 2)
        return layer_fail(layer, err, "it merges at least 2 inputs, found %d", n);
    for (int i = 0; i < n; i++)
        rank = inputs[i].rank > rank ? inputs[i].rank : rank;
    *output = widened(inputs[0], rank);
    for (int i = 1; i < n; i++) {
        struct shape joined;
        if (!shape_broadcast(*output, widened(inputs[i], rank), &joined))
            return layer_fail(layer, err, "input 0 of shape %s and input %d of shape %s cannot be merged",
                              shape_text(&model->arena, inputs[0]), i, shape_text(&model->arena, inputs[i]));
        *output = joined;
    }
    return true;
}

static bool build_subtract(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                           struct shape *output, struct err *err)
{
    if (n != 2)
        return layer_fail(layer, err, "it takes exactly 2 inputs, found %d", n);
    return build_merge(layer, model, inputs, n, output, err);
}

/* Padding does not reach a product: it counts as 1, or as 0 where every input has padding. */
static struct value *lower_product(struct graph *g, struct value *const *inputs, struct value *const *masks, int n)
{
    struct value *product = NULL, *any = NULL;
    bool all = true;
    for (int i = 0; i < n; i++) {
        struct value *x = masks[i] ? op_expr(g, "where(b, a, 1)", inputs[i], masks[i], NULL, NULL) : inputs[i];
        product = i ? op_mul(g, product, x) : x;
        all = all && masks[i];
        any = i && all ? op_expr(g, "maximum(a, b)", any, masks[i], NULL, NULL) : masks[i];
    }
    return all ? op_expr(g, "where(b, a, 0)", product, any, NULL, NULL) : product;
}

/* Where one of two has padding the other is taken; what has no mask ends the mask of what came before. */
static struct value *lower_extreme(struct graph *g, const char *text, struct value *const *inputs,
                                   struct value *const *masks, int n)
{
    struct value *extreme = inputs[0], *any = masks[0];
    for (int i = 1; i < n; i++) {
        struct value *x = masks[i] ? op_expr(g, "where(c, a, b)", inputs[i], extreme, masks[i], NULL) : inputs[i];
        if (any)
            extreme = op_expr(g, "where(c, a, b)", extreme, x, any, NULL);
        any = any && masks[i] ? op_expr(g, "maximum(a, b)", any, masks[i], NULL, NULL) : NULL;
        extreme = op_expr(g, text, extreme, x, NULL, NULL);
    }
    return extreme;
}

static struct value *lower_merge(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    struct graph *g = l->graph;
    struct value **parts = arena_array(&g->arena, (size_t)n, sizeof *parts);
    struct value **masks = arena_array(&g->arena, (size_t)n, sizeof *masks);
    const char *name = layer->class->name;
    int rank = 0;
    for (int i = 0; i < n; i++)
        rank = inputs[i] && inputs[i]->shape.rank > rank ? inputs[i]->shape.rank : rank;
    for (int i = 0; i < n; i++) {
        struct value *x = parts[i] = as_float(g, inputs[i]);
        if (x && x->shape.rank < rank) /* which loses the mask, as in Keras */
            parts[i] = op_reshape(g, x, shape_batched(x->shape.dim[0], widened(shape_sample(x->shape), rank - 1)));
        else
            masks[i] = x ? mask_like(g, l->masks[i], rank) : NULL;
    }
    if (!strcmp(name, "Multiply"))
        return lower_product(g, parts, masks, n);
    if (!strcmp(name, "Maximum") || !strcmp(name, "Minimum"))
        return lower_extreme(g, !strcmp(name, "Maximum") ? "maximum(a, b)" : "minimum(a, b)", parts, masks, n);
    struct value *sum = parts[0];
    for (int i = 1; i < n; i++)
        sum = !strcmp(name, "Subtract") ? op_sub(g, sum, parts[i]) : op_add(g, sum, parts[i]);
    return !strcmp(name, "Average") ? op_scale(g, sum, 1.0 / n) : sum;
}

/* A step counts where it counts in any input; without a mask on one of them the output has none. */
static struct value *mask_merge(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    struct value *any = l->masks[0];
    (void)layer, (void)inputs;
    for (int i = 1; i < n && any; i++)
        any = l->masks[i] ? op_expr(l->graph, "maximum(a, b)", any, l->masks[i], NULL, NULL) : NULL;
    return any;
}

static bool build_concatenate(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                              struct shape *output, struct err *err)
{
    int *axis = arena_alloc(&model->arena, sizeof *axis);
    layer->state = axis;
    if (!layer_axis(layer, "axis", layer_int(layer, "axis"), inputs[0].rank, axis, err))
        return false;
    *output = inputs[0];
    for (int i = 1; i < n; i++) {
        struct shape other = inputs[i];
        bool fits = other.rank == output->rank;
        for (int k = 0; fits && k < other.rank; k++)
            fits = k == *axis - 1 || other.dim[k] == output->dim[k];
        if (!fits)
            return layer_fail(layer, err, "inputs must agree but for axis %d; input 0 has the shape %s, input %d %s",
                              *axis, shape_text(&model->arena, inputs[0]), i, shape_text(&model->arena, other));
        output->dim[*axis - 1] += other.dim[*axis - 1];
    }
    return true;
}

static struct value *lower_concatenate(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    struct value **parts = arena_array(&l->graph->arena, (size_t)n, sizeof *parts);
    for (int i = 0; i < n; i++)
        parts[i] = as_float(l->graph, inputs[i]);
    return op_concat(l->graph, parts, n, *(const int *)layer->state);
}

/* Masks are widened to their inputs, joined as these are, and a step counts where any feature does. */
static struct value *mask_concatenate(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    struct graph *g = l->graph;
    static const int last = -1;
    bool masked = false;
    struct value **parts = arena_array(&g->arena, (size_t)n, sizeof *parts);
    for (int i = 0; i < n; i++)
        masked = masked || l->masks[i];
    if (!masked)
        return NULL;
    for (int i = 0; i < n; i++) {
        if (!inputs[i])
            return NULL;
        struct value *mask = l->masks[i] ? mask_like(g, l->masks[i], inputs[i]->shape.rank) : op_scalar(g, 1);
        parts[i] = op_broadcast(g, mask, inputs[i]->shape);
    }
    return op_reduce(g, REDUCE_MAX, op_concat(g, parts, n, *(const int *)layer->state), &last, 1, false);
}

struct dot {
    int axis[2]; /* with batch */
    bool normalize;
};

static bool build_dot(struct layer *layer, struct model *model, const struct shape *inputs, int n, struct shape *output,
                      struct err *err)
{
    struct dot *dot = arena_alloc(&model->arena, sizeof *dot);
    int64_t axes[2];
    layer->state = dot;
    dot->normalize = layer_bool(layer, "normalize");
    if (n != 2)
        return layer_fail(layer, err, "it takes exactly 2 inputs, found %d", n);
    if (!layer_ints(layer, "axes", 2, axes, err) ||
        !layer_axis(layer, "axes", axes[0], inputs[0].rank, &dot->axis[0], err) ||
        !layer_axis(layer, "axes", axes[1], inputs[1].rank, &dot->axis[1], err))
        return false;
    int64_t sizes[2] = {inputs[0].dim[dot->axis[0] - 1], inputs[1].dim[dot->axis[1] - 1]};
    if (sizes[0] != sizes[1])
        return layer_fail(layer, err, "the axes that are summed have different sizes: %lld and %lld",
                          (long long)sizes[0], (long long)sizes[1]);
    if (inputs[0].rank + inputs[1].rank > RANK_MAX)
        return layer_fail(layer, err, "too many dimensions");
    *output = (struct shape){0};
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < inputs[k].rank; i++)
            if (i != dot->axis[k] - 1)
                output->dim[output->rank++] = inputs[k].dim[i];
    if (!output->rank)
        *output = SHAPE(1);
    return true;
}

/* (batch, everything else, summed) or, for the second input, (batch, summed, everything else). */
static struct value *dot_operand(struct lowering *l, const struct dot *dot, struct value *x, int k)
{
    int order[RANK_MAX], n = 1, axis = dot->axis[k];
    struct graph *g = l->graph;
    x = as_float(g, x);
    if (!x)
        return NULL;
    if (dot->normalize)
        x = op_expr(g, "a / sqrt(maximum(b, 1e-14))", x, sum_of_squares(g, x, &axis, 1), NULL, NULL);
    int64_t batch = x->shape.dim[0], summed = x->shape.dim[axis],
            rest = shape_elements(shape_sample(x->shape)) / summed;
    order[0] = 0;
    if (k)
        order[n++] = axis;
    for (int i = 1; i < x->shape.rank; i++)
        if (i != axis)
            order[n++] = i;
    if (!k)
        order[n++] = axis;
    struct value *moved = op_transpose(g, x, order);
    return op_reshape(g, moved, k ? SHAPE(batch, summed, rest) : SHAPE(batch, rest, summed));
}

static struct value *lower_dot(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    const struct dot *dot = layer->state;
    struct value *a = dot_operand(l, dot, inputs[0], 0), *b = dot_operand(l, dot, inputs[1], 1);
    (void)n;
    if (!a || !b)
        return NULL;
    struct shape shape = {.rank = 1, .dim = {a->shape.dim[0]}};
    for (int k = 0; k < 2; k++)
        for (int i = 1; i < inputs[k]->shape.rank; i++)
            if (i != dot->axis[k])
                shape.dim[shape.rank++] = inputs[k]->shape.dim[i];
    if (shape.rank == 1)
        shape.dim[shape.rank++] = 1;
    return op_reshape(l->graph, op_matmul(l->graph, a, b, false, false), shape);
}

static const struct argument no_arguments[] = {{0}};
static const struct argument concatenate_arguments[] = {
    {"axis", ARG_INT, "-1", NULL, 0, 0, "axis along which inputs are joined"}, {0}};
static const struct argument dot_arguments[] = {
    {"axes", ARG_INTS, NULL, NULL, 0, 0, "axis of each input that is summed over"},
    {"normalize", ARG_BOOL, "false", NULL, 0, 0, "scale to length one first: cosine similarity"},
    {0}};

const struct layer_class layers_merge[] = {
    {"Add", "sum of the inputs", no_arguments, 1, -1, build_merge, lower_merge, mask_merge},
    {"Subtract", "first input less the second", no_arguments, 1, -1, build_subtract, lower_merge, mask_merge},
    {"Multiply", "product of the inputs", no_arguments, 1, -1, build_merge, lower_merge, mask_merge},
    {"Average", "mean of the inputs", no_arguments, 1, -1, build_merge, lower_merge, mask_merge},
    {"Maximum", "elementwise maximum of the inputs", no_arguments, 1, -1, build_merge, lower_merge, mask_merge},
    {"Minimum", "elementwise minimum of the inputs", no_arguments, 1, -1, build_merge, lower_merge, mask_merge},
    {"Concatenate", "joins the inputs along an axis", concatenate_arguments, 1, -1, build_concatenate,
     lower_concatenate, mask_concatenate},
    {"Dot", "sums products over an axis of each input", dot_arguments, 1, -1, build_dot, lower_dot, NULL},
    {0}};
