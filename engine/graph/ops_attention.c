/* ops_attention.c - scaled dot-product attention of many heads, see graph.h */
#include "engine/graph/ops.h"

static struct value *mismatch(struct graph *g, const struct value *q, const struct value *k, const struct value *v)
{
    return graph_fail(
        g, ERR_USAGE,
        "attention: queries %s, keys %s and values %s do not fit [N, T, H, D], [N, S, G, D], [N, S, G, E]",
        shape_text(&g->arena, q->shape), shape_text(&g->arena, k->shape), shape_text(&g->arena, v->shape));
}

static bool operands_fit(const struct value *q, const struct value *k, const struct value *v)
{
    const int64_t *a = q->shape.dim, *b = k->shape.dim, *c = v->shape.dim;
    return q->shape.rank == 4 && k->shape.rank == 4 && v->shape.rank == 4 && a[0] == b[0] && a[0] == c[0] &&
           b[1] == c[1] && b[2] == c[2] && a[3] == b[3] && a[2] % b[2] == 0;
}

static bool mask_ok(struct graph *g, const struct value *mask, struct shape scores)
{
    struct shape joined;
    if (!input_is(g, OP_ATTENTION, mask, DTYPE_F32))
        return false;
    return (mask->shape.rank == 4 && shape_broadcast(mask->shape, scores, &joined) && shape_equal(joined, scores)) ||
           graph_fail(g, ERR_USAGE, "attention: a mask of shape %s does not broadcast to the scores %s",
                      shape_text(&g->arena, mask->shape), shape_text(&g->arena, scores)) != NULL;
}

struct value *op_attention(struct graph *g, struct value *q, struct value *k, struct value *v, struct value *mask,
                           struct value *step, const struct attention *how, uint64_t seed, uint32_t stream,
                           struct value **probabilities)
{
    struct value *inputs[5] = {q, k, v}, *results[2] = {NULL};
    int n = 3;
    for (int i = 0; i < 3; i++)
        if (!input_is(g, OP_ATTENTION, inputs[i], DTYPE_F32))
            return NULL;
    if (!operands_fit(q, k, v))
        return mismatch(g, q, k, v);
    const int64_t *a = q->shape.dim;
    struct shape scores = SHAPE(a[0], a[2], a[1], k->shape.dim[1]), shape = SHAPE(a[0], a[1], a[2], v->shape.dim[3]);
    struct op_attrs attrs = {.attention = *how, .seed = seed, .stream = stream};
    attrs.attention.masked = mask != NULL;
    if (mask && !mask_ok(g, mask, scores))
        return NULL;
    if (mask)
        inputs[n++] = mask;
    if (how->rate > 0) {
        if (!input_is(g, OP_ATTENTION, step, DTYPE_I32))
            return NULL;
        inputs[n++] = step;
    }
    node_many(g, OP_ATTENTION, inputs, n, &attrs, (struct shape[]){shape, scores}, 2, results);
    if (probabilities)
        *probabilities = results[1];
    return results[0];
}

void gradient_attention(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    struct value *inputs[8] = {node->inputs[0], node->inputs[1], node->inputs[2], node->outputs[1]},
                 *results[3] = {NULL};
    int n = 5;
    inputs[4] = douts[0] ? douts[0] : op_fill(g, node->outputs[0]->shape, 0);
    for (int i = 3; i < node->n_inputs; i++)
        inputs[n++] = node->inputs[i];
    if (douts[1])
        inputs[n++] = douts[1];
    node_many(g, OP_ATTENTION_DX, inputs, n, &node->attrs,
              (struct shape[]){inputs[0]->shape, inputs[1]->shape, inputs[2]->shape}, 3, results);
    for (int i = 0; i < 3; i++)
        dinputs[i] = results[i];
}
