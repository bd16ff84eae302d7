/* ops_loss.c - softmax and the losses of logits, see graph.h */
#include "engine/graph/ops.h"

static bool last_axis_ok(struct graph *g, enum op op, const struct value *x)
{
    if (!input_is(g, op, x, DTYPE_F32))
        return false;
    return x->shape.rank > 0 ||
           graph_fail(g, ERR_USAGE, "%s: expected at least one axis, found a scalar", op_table[op].name) != NULL;
}

/* [...] -> [..., 1], to meet logits. */
static struct value *stretch(struct graph *g, struct value *x, const struct value *like)
{
    return op_reshape(g, x, shape_lead_1(like->shape));
}

struct value *op_softmax(struct graph *g, struct value *x)
{
    return last_axis_ok(g, OP_SOFTMAX, x) ? node_1(g, OP_SOFTMAX, &x, 1, NULL, DTYPE_F32, x->shape) : NULL;
}

void gradient_softmax(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    struct value *y = node->outputs[0];
    dinputs[0] = node_1(g, OP_SOFTMAX_DX, INPUTS(y, douts[0]), NULL, DTYPE_F32, y->shape);
}

struct value *op_xent(struct graph *g, struct value *logits, struct value *target)
{
    if (!last_axis_ok(g, OP_XENT, logits) || !input_is(g, OP_XENT, target, DTYPE_F32))
        return NULL;
    if (!shape_equal(logits->shape, target->shape))
        return graph_fail(g, ERR_USAGE, "xent: logits of shape %s, targets of shape %s",
                          shape_text(&g->arena, logits->shape), shape_text(&g->arena, target->shape));
    return node_1(g, OP_XENT, INPUTS(logits, target), NULL, DTYPE_F32, shape_lead(logits->shape));
}

void gradient_xent(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    struct value *logits = node->inputs[0], *target = node->inputs[1];
    if (wants(g, node, 0))
        dinputs[0] = node_1(g, OP_XENT_DX, INPUTS(logits, target, douts[0]), NULL, DTYPE_F32, logits->shape);
    if (wants(g, node, 1)) {
        struct value *top = reduce_keep(g, REDUCE_MAX, logits, -1);
        struct value *sum = reduce_keep(g, REDUCE_SUM, op_expr(g, "exp(a - b)", logits, top, NULL, NULL), -1);
        dinputs[1] = op_expr(g, "(log(c) + b - a) * d", logits, top, sum, stretch(g, douts[0], logits));
    }
}

struct value *op_sparse_xent(struct graph *g, struct value *logits, struct value *labels, int32_t ignore)
{
    if (!last_axis_ok(g, OP_SPARSE_XENT, logits) || !input_is(g, OP_SPARSE_XENT, labels, DTYPE_I32))
        return NULL;
    if (!shape_equal(shape_lead(logits->shape), labels->shape))
        return graph_fail(g, ERR_USAGE, "sparse_xent: logits of shape %s, labels of shape %s",
                          shape_text(&g->arena, logits->shape), shape_text(&g->arena, labels->shape));
    return node_1(g, OP_SPARSE_XENT, INPUTS(logits, labels), &(struct op_attrs){.ignore = ignore}, DTYPE_F32,
                  labels->shape);
}

void gradient_sparse_xent(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    struct value *logits = node->inputs[0];
    dinputs[0] =
        node_1(g, OP_SPARSE_XENT_DX, INPUTS(logits, node->inputs[1], douts[0]), &node->attrs, DTYPE_F32, logits->shape);
}

struct value *op_ctc(struct graph *g, struct value *logits, struct value *labels)
{
    if (!input_is(g, OP_CTC, logits, DTYPE_F32) || !input_is(g, OP_CTC, labels, DTYPE_I32))
        return NULL;
    if (logits->shape.rank != 3 || labels->shape.rank != 2 || logits->shape.dim[0] != labels->shape.dim[0])
        return graph_fail(g, ERR_USAGE, "ctc: logits of shape %s, labels of shape %s",
                          shape_text(&g->arena, logits->shape), shape_text(&g->arena, labels->shape));
    return node_1(g, OP_CTC, INPUTS(logits, labels), NULL, DTYPE_F32, SHAPE(logits->shape.dim[0]));
}

void gradient_ctc(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    struct value *logits = node->inputs[0];
    dinputs[0] = node_1(g, OP_CTC_DX, INPUTS(logits, node->inputs[1], douts[0]), NULL, DTYPE_F32, logits->shape);
}
