/* ops_random.c - dropout and random numbers: pure functions of (seed, stream, step, element), see graph.h and
 * base/rng.h */
#include "engine/graph/ops.h"

static bool step_ok(struct graph *g, enum op op, const struct value *step)
{
    if (!input_is(g, op, step, DTYPE_I32))
        return false;
    return shape_elements(step->shape) == 1 ||
           graph_fail(g, ERR_USAGE, "%s: the step must be a scalar, found shape %s", op_table[op].name,
                      shape_text(&g->arena, step->shape)) != NULL;
}

struct value *op_dropout(struct graph *g, struct value *x, struct value *step, double rate, uint64_t seed,
                         uint32_t stream, const struct shape *noise_shape)
{
    if (!input_is(g, OP_DROPOUT, x, DTYPE_F32) || !step_ok(g, OP_DROPOUT, step))
        return NULL;
    if (!(rate >= 0 && rate < 1))
        return graph_fail(g, ERR_USAGE, "dropout: rate %g, expected 0 <= rate < 1", rate);
    struct op_attrs attrs = {
        .value = (float)rate, .seed = seed, .stream = stream, .noise_shape = noise_shape ? *noise_shape : x->shape};
    bool fits = attrs.noise_shape.rank == x->shape.rank;
    for (int i = 0; fits && i < x->shape.rank; i++)
        fits = attrs.noise_shape.dim[i] == 1 || attrs.noise_shape.dim[i] == x->shape.dim[i];
    if (!fits)
        return graph_fail(g, ERR_USAGE, "dropout: noise shape %s does not fit an input of shape %s",
                          shape_text(&g->arena, attrs.noise_shape), shape_text(&g->arena, x->shape));
    return rate == 0 ? x : node_1(g, OP_DROPOUT, INPUTS(x, step), &attrs, DTYPE_F32, x->shape);
}

/* Linear in x: the gradient passes the same mask. */
void gradient_dropout(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    dinputs[0] = node_1(g, OP_DROPOUT, INPUTS(douts[0], node->inputs[1]), &node->attrs, DTYPE_F32, douts[0]->shape);
}

struct value *op_random(struct graph *g, enum random_kind kind, struct value *step, struct shape shape, uint64_t seed,
                        uint32_t stream)
{
    if (!step_ok(g, OP_RANDOM, step))
        return NULL;
    struct op_attrs attrs = {.random = kind, .shape = shape, .seed = seed, .stream = stream};
    return node_1(g, OP_RANDOM, &step, 1, &attrs, DTYPE_F32, shape);
}
