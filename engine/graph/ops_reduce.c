/* ops_reduce.c - reductions and their gradients, see graph.h */
#include <string.h>

#include "engine/graph/ops.h"

/* The axes to reduce as flags; false after an error. */
static bool reduced_axes(struct graph *g, const struct value *x, const int *axes, int n_axes, bool *reduced)
{
    memset(reduced, n_axes == 0, RANK_MAX * sizeof *reduced);
    for (int i = 0; i < n_axes; i++) {
        int axis = axes[i] < 0 ? axes[i] + x->shape.rank : axes[i];
        if (axis < 0 || axis >= x->shape.rank)
            return graph_fail(g, ERR_USAGE, "reduce: axis %d of shape %s", axes[i], shape_text(&g->arena, x->shape)) !=
                   NULL;
        if (reduced[axis])
            return graph_fail(g, ERR_USAGE, "reduce: axis %d is given twice", axes[i]) != NULL;
        reduced[axis] = true;
    }
    return true;
}

struct value *op_reduce(struct graph *g, enum reduce_kind kind, struct value *x, const int *axes, int n_axes,
                        bool keep_dims)
{
    bool reduced[RANK_MAX];
    if (!input_is(g, OP_REDUCE, x, DTYPE_F32) || !reduced_axes(g, x, axes, n_axes, reduced))
        return NULL;
    struct op_attrs attrs = {.reduce = kind, .keep_dims = keep_dims};
    struct shape shape = {0};
    for (int i = 0; i < x->shape.rank; i++) {
        if (reduced[i])
            attrs.axes[attrs.n_axes++] = i;
        if (!reduced[i] || keep_dims)
            shape.dim[shape.rank++] = reduced[i] ? 1 : x->shape.dim[i];
    }
    if (shape_elements(shape) == shape_elements(x->shape))
        return op_reshape(g, x, shape);
    return node_1(g, OP_REDUCE, &x, 1, &attrs, DTYPE_F32, shape);
}

struct value *op_sum_all(struct graph *g, struct value *x)
{
    return op_reduce(g, REDUCE_SUM, x, NULL, 0, false);
}

struct value *reduce_keep(struct graph *g, enum reduce_kind kind, struct value *x, int axis)
{
    return op_reduce(g, kind, x, &axis, 1, true);
}

struct value *sum_to(struct graph *g, struct value *x, struct shape shape)
{
    if (!x || shape_equal(x->shape, shape))
        return x;
    int axes[RANK_MAX], n = 0, extra = x->shape.rank - shape.rank;
    for (int i = 0; i < x->shape.rank; i++)
        if (i < extra || (shape.dim[i - extra] == 1 && x->shape.dim[i] != 1))
            axes[n++] = i;
    return op_reshape(g, n ? op_reduce(g, REDUCE_SUM, x, axes, n, false) : x, shape);
}

/* d prod / d x without dividing by zero: with one zero among the factors only that factor has a gradient, with more
 * none has. */
static struct value *prod_gradient(struct graph *g, struct node *node, struct value *dy)
{
    struct value *x = node->inputs[0];
    const struct op_attrs *a = &node->attrs;
    struct value *zeros = op_reduce(g, REDUCE_SUM, op_expr(g, "a == 0", x, NULL, NULL, NULL), a->axes, a->n_axes, true);
    struct value *others =
        op_reduce(g, REDUCE_PROD, op_expr(g, "where(a == 0, 1, a)", x, NULL, NULL, NULL), a->axes, a->n_axes, true);
    struct value *slope =
        op_expr(g, "where(b == 0, c / where(a == 0, 1, a), where(b == 1 and a == 0, c, 0))", x, zeros, others, NULL);
    return op_mul(g, slope, dy);
}

void gradient_reduce(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    struct value *x = node->inputs[0];
    const struct op_attrs *a = &node->attrs;
    struct shape kept = x->shape;
    for (int i = 0; i < a->n_axes; i++)
        kept.dim[a->axes[i]] = 1;
    struct value *dy = op_reshape(g, douts[0], kept);
    double share = (double)shape_elements(kept) / (double)shape_elements(x->shape);
    switch (a->reduce) {
    case REDUCE_SUM:
        dinputs[0] = op_broadcast(g, dy, x->shape);
        break;
    case REDUCE_MEAN:
        dinputs[0] = op_broadcast(g, op_scale(g, dy, share), x->shape);
        break;
    case REDUCE_PROD:
        dinputs[0] = prod_gradient(g, node, dy);
        break;
    case REDUCE_MAX:
    case REDUCE_MIN: { /* elements that tie share equally */
        struct value *y = op_reshape(g, node->outputs[0], kept);
        struct value *hits = op_reduce(g, REDUCE_SUM, op_expr(g, "a == b", x, y, NULL, NULL), a->axes, a->n_axes, true);
        dinputs[0] = op_expr(g, "where(a == b, c / d, 0)", x, y, dy, hits);
        break;
    }
    }
}
