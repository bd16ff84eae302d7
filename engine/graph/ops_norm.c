/* ops_norm.c - batch and layer normalization, see graph.h */
#include "engine/graph/ops.h"

/* gamma and beta of the wanted shape, filled where they are NULL; false after an error. */
static bool scale_ok(struct graph *g, enum op op, const struct value *x, struct shape wanted, struct value **gamma,
                     struct value **beta)
{
    if (!input_is(g, op, x, DTYPE_F32))
        return false;
    *gamma = *gamma ? *gamma : op_fill(g, wanted, 1);
    *beta = *beta ? *beta : op_fill(g, wanted, 0);
    if (!*gamma || !*beta)
        return false;
    if (shape_equal((*gamma)->shape, wanted) && shape_equal((*beta)->shape, wanted))
        return true;
    return graph_fail(g, ERR_USAGE, "%s: gamma of shape %s and beta of shape %s, expected %s for an input of shape %s",
                      op_table[op].name, shape_text(&g->arena, (*gamma)->shape), shape_text(&g->arena, (*beta)->shape),
                      shape_text(&g->arena, wanted), shape_text(&g->arena, x->shape)) != NULL;
}

/* The last n axes of a shape. */
static struct shape shape_tail(struct shape s, int n)
{
    return shape_make(s.dim + s.rank - n, n);
}

struct value *op_batch_norm(struct graph *g, struct value *x, struct value *gamma, struct value *beta, double epsilon,
                            struct value **mean, struct value **variance)
{
    struct value *results[3] = {NULL};
    if (x && x->shape.rank < 2)
        graph_fail(g, ERR_USAGE, "batch_norm: expected at least two axes, found shape %s",
                   shape_text(&g->arena, x->shape));
    struct shape channels = x && x->shape.rank ? shape_tail(x->shape, 1) : (struct shape){0};
    if (scale_ok(g, OP_BATCH_NORM, x, channels, &gamma, &beta))
        node_many(g, OP_BATCH_NORM, INPUTS(x, gamma, beta), &(struct op_attrs){.value = (float)epsilon},
                  (struct shape[]){x->shape, channels, channels}, 3, results);
    if (mean)
        *mean = results[1];
    if (variance)
        *variance = results[2];
    return results[0];
}

void gradient_batch_norm(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    struct value *x = node->inputs[0], *gamma = node->inputs[1], *mean = node->outputs[1], *variance = node->outputs[2];
    int64_t rows = shape_elements(x->shape) / shape_elements(gamma->shape);
    double n = (double)rows;
    if (douts[0])
        node_many(g, OP_BATCH_NORM_DX, INPUTS(x, gamma, mean, variance, douts[0]), &node->attrs,
                  (struct shape[]){x->shape, gamma->shape, gamma->shape}, 3, dinputs);
    struct value *by_mean = douts[1] ? op_broadcast(g, op_scale(g, douts[1], 1 / n), x->shape) : NULL;
    struct value *by_variance =
        douts[2] ? op_expr(g, "(a - b) * c", x, mean, op_scale(g, douts[2], 2 / n), NULL) : NULL;
    if (by_mean)
        dinputs[0] = dinputs[0] ? op_add(g, dinputs[0], by_mean) : by_mean;
    if (by_variance)
        dinputs[0] = dinputs[0] ? op_add(g, dinputs[0], by_variance) : by_variance;
}

struct value *op_layer_norm(struct graph *g, struct value *x, int n_axes, struct value *gamma, struct value *beta,
                            double epsilon)
{
    struct value *results[3] = {NULL};
    if (!input_is(g, OP_LAYER_NORM, x, DTYPE_F32))
        return NULL;
    if (n_axes < 1 || n_axes > x->shape.rank)
        return graph_fail(g, ERR_USAGE, "layer_norm: over %d axes of shape %s", n_axes,
                          shape_text(&g->arena, x->shape));
    if (!scale_ok(g, OP_LAYER_NORM, x, shape_tail(x->shape, n_axes), &gamma, &beta))
        return NULL;
    struct shape rows = shape_make(x->shape.dim, x->shape.rank - n_axes);
    struct op_attrs attrs = {.value = (float)epsilon, .n_axes = n_axes};
    node_many(g, OP_LAYER_NORM, INPUTS(x, gamma, beta), &attrs, (struct shape[]){x->shape, rows, rows}, 3, results);
    return results[0];
}

void gradient_layer_norm(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    struct value *x = node->inputs[0], *gamma = node->inputs[1];
    node_many(g, OP_LAYER_NORM_DX, INPUTS(x, gamma, node->outputs[1], node->outputs[2], douts[0]), &node->attrs,
              (struct shape[]){x->shape, gamma->shape, gamma->shape}, 3, dinputs);
}
