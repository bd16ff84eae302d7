/* ops_index.c - gather, one-hot, argmax, top-k, histogram, see graph.h */
#include <string.h>

#include "engine/graph/ops.h"

struct value *op_gather(struct graph *g, struct value *table, struct value *indices)
{
    if (!input_is(g, OP_GATHER, table, DTYPE_F32) || !input_is(g, OP_GATHER, indices, DTYPE_I32))
        return NULL;
    struct shape shape = indices->shape;
    if (table->shape.rank < 1 || table->shape.rank - 1 + shape.rank > RANK_MAX)
        return graph_fail(g, ERR_USAGE, "gather: table of shape %s by indices of shape %s",
                          shape_text(&g->arena, table->shape), shape_text(&g->arena, shape));
    for (int i = 1; i < table->shape.rank; i++)
        shape.dim[shape.rank++] = table->shape.dim[i];
    return node_1(g, OP_GATHER, INPUTS(table, indices), NULL, DTYPE_F32, shape);
}

void gradient_gather(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    struct shape table = node->inputs[0]->shape;
    dinputs[0] = node_1(g, OP_GATHER_DTABLE, INPUTS(node->inputs[1], douts[0]), &(struct op_attrs){.shape = table},
                        DTYPE_F32, table);
}

void gradient_gather_dtable(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    dinputs[1] = op_gather(g, douts[0], node->inputs[0]);
}

struct value *op_one_hot(struct graph *g, struct value *indices, int64_t depth)
{
    if (!input_is(g, OP_ONE_HOT, indices, DTYPE_I32))
        return NULL;
    struct shape shape = indices->shape;
    if (shape.rank == RANK_MAX)
        return graph_fail(g, ERR_USAGE, "one_hot: shape %s has too many axes", shape_text(&g->arena, shape));
    shape.dim[shape.rank++] = depth;
    return node_1(g, OP_ONE_HOT, &indices, 1, &(struct op_attrs){.k = depth}, DTYPE_F32, shape);
}

struct value *op_argmax(struct graph *g, struct value *x)
{
    if (!input_is(g, OP_ARGMAX, x, DTYPE_F32))
        return NULL;
    if (x->shape.rank < 1)
        return graph_fail(g, ERR_USAGE, "argmax: expected at least one axis, found a scalar");
    return node_1(g, OP_ARGMAX, &x, 1, NULL, DTYPE_I32, shape_lead(x->shape));
}

struct value *op_top_k_hit(struct graph *g, struct value *scores, struct value *labels, int64_t k)
{
    if (!input_is(g, OP_TOP_K_HIT, scores, DTYPE_F32) || !input_is(g, OP_TOP_K_HIT, labels, DTYPE_I32))
        return NULL;
    if (scores->shape.rank != 2 || !shape_equal(shape_lead(scores->shape), labels->shape) || k < 1)
        return graph_fail(g, ERR_USAGE, "top_k_hit: scores of shape %s, labels of shape %s, k %lld",
                          shape_text(&g->arena, scores->shape), shape_text(&g->arena, labels->shape), (long long)k);
    return node_1(g, OP_TOP_K_HIT, INPUTS(scores, labels), &(struct op_attrs){.k = k}, DTYPE_F32, labels->shape);
}

struct value *op_histogram(struct graph *g, struct value *x, struct value *weights, const float *thresholds,
                           int n_thresholds)
{
    if (!input_is(g, OP_HISTOGRAM, x, DTYPE_F32) || !input_is(g, OP_HISTOGRAM, weights, DTYPE_F32))
        return NULL;
    bool rising = n_thresholds > 0;
    for (int i = 1; i < n_thresholds; i++)
        rising = rising && thresholds[i - 1] <= thresholds[i];
    if (x->shape.rank != 1 || !shape_equal(x->shape, weights->shape) || !rising)
        return graph_fail(g, ERR_USAGE, "histogram: values of shape %s, weights of shape %s, %d%s thresholds",
                          shape_text(&g->arena, x->shape), shape_text(&g->arena, weights->shape), n_thresholds,
                          rising ? "" : " not rising");
    float *copy = arena_array(&g->arena, (size_t)n_thresholds, sizeof *copy);
    memcpy(copy, thresholds, (size_t)n_thresholds * sizeof *copy);
    struct op_attrs attrs = {.thresholds = copy, .n_thresholds = n_thresholds};
    return node_1(g, OP_HISTOGRAM, INPUTS(x, weights), &attrs, DTYPE_F32, SHAPE(n_thresholds + 1));
}
