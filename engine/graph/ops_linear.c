/* ops_linear.c - matrix products, convolutions, pooling, see graph.h */
#include <string.h>

#include "engine/graph/ops.h"

static struct value *matmul_mismatch(struct graph *g, const struct value *a, const struct value *b, bool transpose_a,
                                     bool transpose_b)
{
    return graph_fail(g, ERR_USAGE, "matmul: shapes %s%s and %s%s do not fit", shape_text(&g->arena, a->shape),
                      transpose_a ? " transposed" : "", shape_text(&g->arena, b->shape),
                      transpose_b ? " transposed" : "");
}

static bool both_bfloat16(const struct value *a, const struct value *b)
{
    return a->bfloat16 && b->bfloat16;
}

/* The result of a convolution of two marked values. */
static struct value *rounded_if(struct graph *g, bool round, struct value *y)
{
    return round ? op_bfloat16(g, y) : y;
}

/* [..., M, K] x [K, N]: one product of all rows. */
static struct value *matmul_rows(struct graph *g, struct value *a, struct value *b, bool transpose_b)
{
    struct shape shape = a->shape;
    int64_t k = shape.dim[shape.rank - 1];
    struct value *y = op_matmul(g, op_reshape(g, a, SHAPE(shape_elements(shape) / k, k)), b, false, transpose_b);
    if (!y)
        return NULL;
    shape.dim[shape.rank - 1] = y->shape.dim[1];
    return op_reshape(g, y, shape);
}

struct value *op_matmul(struct graph *g, struct value *a, struct value *b, bool transpose_a, bool transpose_b)
{
    if (!input_is(g, OP_MATMUL, a, DTYPE_F32) || !input_is(g, OP_MATMUL, b, DTYPE_F32))
        return NULL;
    int ra = a->shape.rank, rb = b->shape.rank;
    if (ra < 2 || rb < 2)
        return matmul_mismatch(g, a, b, transpose_a, transpose_b);
    int64_t m = a->shape.dim[ra - (transpose_a ? 1 : 2)], ka = a->shape.dim[ra - (transpose_a ? 2 : 1)];
    int64_t kb = b->shape.dim[rb - (transpose_b ? 1 : 2)], n = b->shape.dim[rb - (transpose_b ? 2 : 1)];
    struct shape shape;
    if (ka != kb || !shape_broadcast(shape_lead(shape_lead(a->shape)), shape_lead(shape_lead(b->shape)), &shape))
        return matmul_mismatch(g, a, b, transpose_a, transpose_b);
    if (ra > 2 && rb == 2 && !transpose_a)
        return matmul_rows(g, a, b, transpose_b);
    shape.dim[shape.rank++] = m;
    shape.dim[shape.rank++] = n;
    struct op_attrs attrs = {.transpose_a = transpose_a, .transpose_b = transpose_b};
    attrs.bfloat16 = both_bfloat16(a, b);
    return node_1(g, OP_MATMUL, INPUTS(a, b), &attrs, DTYPE_F32, shape);
}

void gradient_matmul(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    struct value *a = node->inputs[0], *b = node->inputs[1], *dy = rounded_if(g, node->attrs.bfloat16, douts[0]);
    bool ta = node->attrs.transpose_a, tb = node->attrs.transpose_b;
    if (wants(g, node, 0))
        dinputs[0] = sum_to(g, ta ? op_matmul(g, b, dy, tb, true) : op_matmul(g, dy, b, false, !tb), a->shape);
    if (wants(g, node, 1))
        dinputs[1] = sum_to(g, tb ? op_matmul(g, dy, a, true, ta) : op_matmul(g, a, dy, !ta, false), b->shape);
}

/* Unused dims are neutral, groups at least 1; false after an error. */
static bool window_ok(struct graph *g, enum op op, const struct window *given, struct window *w)
{
    *w = *given;
    if (w->n_spatial < 1 || w->n_spatial > SPATIAL_MAX)
        return graph_fail(g, ERR_USAGE, "%s: %d spatial axes, expected 1 to %d", op_table[op].name, w->n_spatial,
                          SPATIAL_MAX) != NULL;
    w->groups = w->groups ? w->groups : 1;
    for (int i = 0; i < SPATIAL_MAX; i++) {
        if (i >= w->n_spatial) {
            w->size[i] = w->stride[i] = w->dilation[i] = 1;
            w->pad_before[i] = w->pad_after[i] = 0;
        }
        if (w->size[i] < 1 || w->stride[i] < 1 || w->dilation[i] < 1 || w->pad_before[i] < 0 || w->pad_after[i] < 0)
            return graph_fail(g, ERR_USAGE, "%s: sizes, strides and dilations must be at least 1, padding at least 0",
                              op_table[op].name) != NULL;
    }
    return true;
}

/* [N, spatial..., C] -> [N, out..., channels]; false after an error. */
static bool window_shape(struct graph *g, enum op op, const struct window *w, const struct value *x, int64_t channels,
                         struct shape *out)
{
    if (x->shape.rank != w->n_spatial + 2)
        return graph_fail(g, ERR_USAGE,
                          "%s: expected an input of rank %d (batch, %d spatial, channels), found shape %s",
                          op_table[op].name, w->n_spatial + 2, w->n_spatial, shape_text(&g->arena, x->shape)) != NULL;
    *out = x->shape;
    for (int i = 0; i < w->n_spatial; i++) {
        out->dim[i + 1] = window_out(w, i, x->shape.dim[i + 1]);
        if (out->dim[i + 1] < 1)
            return graph_fail(g, ERR_USAGE, "%s: a window of %lld does not fit in axis %d of shape %s",
                              op_table[op].name, (long long)((w->size[i] - 1) * w->dilation[i] + 1), i + 1,
                              shape_text(&g->arena, x->shape)) != NULL;
    }
    out->dim[w->n_spatial + 1] = channels;
    return true;
}

/* Kernel [k..., C / groups, O] against a window and C channels; false after an error. */
static bool kernel_ok(struct graph *g, enum op op, const struct window *w, struct shape kernel, int64_t channels)
{
    int n = w->n_spatial;
    bool fits = kernel.rank == n + 2;
    for (int i = 0; fits && i < n; i++)
        fits = kernel.dim[i] == w->size[i];
    fits = fits && kernel.dim[n] * w->groups == channels && kernel.dim[n + 1] % w->groups == 0;
    return fits || graph_fail(g, ERR_USAGE, "%s: a kernel of shape %s does not fit %lld channels in %lld group%s",
                              op_table[op].name, shape_text(&g->arena, kernel), (long long)channels,
                              (long long)w->groups, w->groups == 1 ? "" : "s") != NULL;
}

struct value *op_conv(struct graph *g, struct value *x, struct value *w, const struct window *window)
{
    struct op_attrs attrs = {0};
    struct shape shape;
    if (!input_is(g, OP_CONV, x, DTYPE_F32) || !input_is(g, OP_CONV, w, DTYPE_F32) ||
        !window_ok(g, OP_CONV, window, &attrs.window))
        return NULL;
    if (!window_shape(g, OP_CONV, &attrs.window, x, w->shape.rank ? w->shape.dim[w->shape.rank - 1] : 1, &shape) ||
        !kernel_ok(g, OP_CONV, &attrs.window, w->shape, x->shape.dim[x->shape.rank - 1]))
        return NULL;
    attrs.bfloat16 = both_bfloat16(x, w);
    return rounded_if(g, attrs.bfloat16, node_1(g, OP_CONV, INPUTS(x, w), &attrs, DTYPE_F32, shape));
}

struct value *op_conv_dx(struct graph *g, struct value *dy, struct value *w, const struct window *window,
                         struct shape x_shape)
{
    struct op_attrs attrs = {.shape = x_shape};
    struct shape y;
    if (!input_is(g, OP_CONV_DX, dy, DTYPE_F32) || !input_is(g, OP_CONV_DX, w, DTYPE_F32) ||
        !window_ok(g, OP_CONV_DX, window, &attrs.window))
        return NULL;
    struct value like = {.shape = x_shape};
    if (!window_shape(g, OP_CONV_DX, &attrs.window, &like, w->shape.rank ? w->shape.dim[w->shape.rank - 1] : 1, &y) ||
        !kernel_ok(g, OP_CONV_DX, &attrs.window, w->shape, x_shape.dim[x_shape.rank - 1]))
        return NULL;
    if (!shape_equal(y, dy->shape))
        return graph_fail(g, ERR_USAGE, "conv_dx: expected a gradient of shape %s, found %s", shape_text(&g->arena, y),
                          shape_text(&g->arena, dy->shape));
    attrs.bfloat16 = both_bfloat16(dy, w);
    return rounded_if(g, attrs.bfloat16, node_1(g, OP_CONV_DX, INPUTS(dy, w), &attrs, DTYPE_F32, x_shape));
}

struct value *op_conv_dw(struct graph *g, struct value *x, struct value *dy, const struct window *window,
                         struct shape w_shape)
{
    struct op_attrs attrs = {.shape = w_shape};
    if (!inputs_ok(g, OP_CONV_DW, (struct value *const[]){x, dy}, 2) ||
        !window_ok(g, OP_CONV_DW, window, &attrs.window))
        return NULL;
    attrs.bfloat16 = both_bfloat16(x, dy);
    return rounded_if(g, attrs.bfloat16, node_1(g, OP_CONV_DW, INPUTS(x, dy), &attrs, DTYPE_F32, w_shape));
}

void gradient_conv(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    struct value *x = node->inputs[0], *w = node->inputs[1];
    if (wants(g, node, 0))
        dinputs[0] = op_conv_dx(g, douts[0], w, &node->attrs.window, x->shape);
    if (wants(g, node, 1))
        dinputs[1] = op_conv_dw(g, x, douts[0], &node->attrs.window, w->shape);
}

/* x' = conv_dx(dy, w) is linear in both: its gradients are the other two. */
void gradient_conv_dx(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    struct value *dy = node->inputs[0], *w = node->inputs[1];
    if (wants(g, node, 0))
        dinputs[0] = op_conv(g, douts[0], w, &node->attrs.window);
    if (wants(g, node, 1))
        dinputs[1] = op_conv_dw(g, douts[0], dy, &node->attrs.window, w->shape);
}

void gradient_conv_dw(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    struct value *x = node->inputs[0], *dy = node->inputs[1];
    if (wants(g, node, 0))
        dinputs[0] = op_conv_dx(g, dy, douts[0], &node->attrs.window, x->shape);
    if (wants(g, node, 1))
        dinputs[1] = op_conv(g, x, douts[0], &node->attrs.window);
}

struct value *op_pool(struct graph *g, enum pool_kind kind, struct value *x, const struct window *window)
{
    struct op_attrs attrs = {.pool = kind};
    struct shape shape;
    if (!input_is(g, OP_POOL, x, DTYPE_F32) || !window_ok(g, OP_POOL, window, &attrs.window))
        return NULL;
    const struct window *w = &attrs.window;
    for (int i = 0; i < w->n_spatial; i++)
        if (w->pad_before[i] > (w->size[i] - 1) * w->dilation[i] || w->pad_after[i] > (w->size[i] - 1) * w->dilation[i])
            return graph_fail(g, ERR_USAGE, "pool: padding of axis %d reaches the size of the window (%lld)", i + 1,
                              (long long)w->size[i]);
    if (!window_shape(g, OP_POOL, w, x, x->shape.rank ? x->shape.dim[x->shape.rank - 1] : 1, &shape))
        return NULL;
    return node_1(g, OP_POOL, &x, 1, &attrs, DTYPE_F32, shape);
}

void gradient_pool(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    struct op_attrs attrs = {.window = node->attrs.window, .pool = node->attrs.pool, .shape = node->inputs[0]->shape};
    struct value *inputs[] = {douts[0], node->inputs[0]};
    dinputs[0] = node_1(g, OP_POOL_DX, inputs, attrs.pool == POOL_MAX ? 2 : 1, &attrs, DTYPE_F32, attrs.shape);
}

/* The average's gradient is linear, its own gradient is the pooling; the maximum's choice is not differentiated again.
 */
void gradient_pool_dx(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    if (node->attrs.pool == POOL_MAX)
        gradient_refused(g, node, douts, dinputs);
    else
        dinputs[0] = op_pool(g, POOL_AVERAGE, douts[0], &node->attrs.window);
}
