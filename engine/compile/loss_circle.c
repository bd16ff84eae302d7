/* loss_circle.c - the loss over all pairs of a batch. Formula: keras/src/losses/losses.py, circle */
#include "engine/compile/loss_class.h"

#include <stdlib.h>

/* Labels (N) as a column or a row of float numbers. */
static struct value *turned(struct graph *g, struct value *labels, bool column)
{
    int64_t n = labels->shape.dim[0];
    return op_reshape(g, labels, column ? SHAPE(n, 1) : SHAPE(1, n));
}

/* Whether two samples are a pair: 1 where labels are equal (or, with `other`, are not). */
static struct value *pairs(struct graph *g, struct value *labels, bool other, bool without_self)
{
    int64_t n = labels->shape.dim[0];
    struct value *column = turned(g, labels, true), *row = turned(g, labels, false);
    if (other || !without_self)
        return op_expr(g, other ? "a != b" : "a == b", column, row, NULL, NULL);
    int32_t *numbers = xmalloc((size_t)n * sizeof *numbers);
    for (int64_t i = 0; i < n; i++)
        numbers[i] = (int32_t)i;
    struct value *number = op_constant(g, DTYPE_I32, SHAPE(n), numbers);
    free(numbers);
    return number ? op_expr(g, "(a == b) * (c != d)", column, row, turned(g, number, true), turned(g, number, false))
                  : NULL;
}

/* log(sum(exp(x))) of a row over its pairs; -1e30 where it has none, so that softplus and its slope are 0. */
static struct value *log_sum_exp(struct graph *g, struct value *x, struct value *pair)
{
    int last = -1;
    struct value *kept = op_expr(g, "where(b, a, -1e30)", x, pair, NULL, NULL);
    struct value *largest = op_stop_gradient(g, op_reduce(g, REDUCE_MAX, kept, &last, 1, true));
    struct value *sum = op_reduce(
        g, REDUCE_SUM, op_expr(g, "where(b, exp(minimum(a - c, 0)), 0)", x, pair, largest, NULL), &last, 1, true);
    return op_expr(g, "where(a > 0, log(where(a > 0, a, 1)) + b, -1e30)", sum, largest, NULL, NULL);
}

struct value *lower_circle(const struct loss *loss, struct loss_call *call)
{
    struct graph *g = call->graph;
    const struct argument *arguments = loss->class->row.class.arguments;
    if (call->y_pred->shape.rank != 2)
        return graph_fail(g, ERR_USAGE, "%s: expected embeddings of shape (batch, size), the model gives %s",
                          loss->where, shape_text(&g->arena, call->y_pred->shape));
    int64_t n = call->y_pred->shape.dim[0];
    if (shape_elements(call->y_true->shape) != n)
        return graph_fail(g, ERR_USAGE, "%s: expected one label a sample, found targets of shape %s", loss->where,
                          shape_text(&g->arena, call->y_true->shape));
    struct value *labels = op_reshape(g, call->y_true, SHAPE(n));
    struct value *gamma = op_scalar(g, argument_double(arguments, loss->config, "gamma"));
    struct value *margin = op_scalar(g, argument_double(arguments, loss->config, "margin"));
    struct value *same = pairs(g, labels, false, argument_bool(arguments, loss->config, "remove_diagonal"));
    struct value *other = pairs(g, labels, true, false);
    struct value *distance =
        op_expr(g, "maximum(1 - a, 0)", op_matmul(g, call->y_pred, call->y_pred, false, true), NULL, NULL, NULL);
    struct value *positive = op_expr(g, "-b * maximum(c + a, 0) * (c - a)", distance, gamma, margin, NULL);
    struct value *negative = op_expr(g, "b * maximum(1 + c - a, 0) * (1 - c - a)", distance, gamma, margin, NULL);
    struct value *values =
        op_expr(g, "softplus(a + b)", log_sum_exp(g, positive, same), log_sum_exp(g, negative, other), NULL, NULL);
    values = op_reshape(g, values, SHAPE(n));
    struct value *counts = op_expr(g, "a > 0", values, NULL, NULL, NULL);
    call->mask = call->mask ? op_mul(g, op_reshape(g, call->mask, SHAPE(n)), counts) : counts;
    return values;
}
