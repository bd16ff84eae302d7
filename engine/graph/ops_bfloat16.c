/* ops_bfloat16.c - casts of the policy mixed_bfloat16, and which values hold bfloat16's numbers; see graph.h */
#include "engine/graph/ops.h"
#include "engine/graph/recurrent.h"

struct value *op_bfloat16(struct graph *g, struct value *x)
{
    return op_expr(g, "bfloat16(a)", x, NULL, NULL, NULL);
}

/* A reshape to the same shape; the plan drops it. */
struct value *op_float32(struct graph *g, struct value *x)
{
    if (!inputs_ok(g, OP_RESHAPE, &x, 1) || !x->bfloat16)
        return x;
    struct value *plain = node_1(g, OP_RESHAPE, &x, 1, &(struct op_attrs){.shape = x->shape}, x->dtype, x->shape);
    if (plain)
        plain->bfloat16 = false;
    return plain;
}

/* Every step that only chooses among such numbers, or changes their sign, gives one. */
static bool step_is_bfloat16(const struct node *node, const bool *known, const struct expr_step *s)
{
    switch (s->op) {
    case EXPR_INPUT:
        return node->inputs[s->a]->bfloat16;
    case EXPR_CONST:
        return round_to_bfloat16(s->value) == s->value;
    case EXPR_BFLOAT16:
        return true;
    case EXPR_NEG:
    case EXPR_ABS:
        return known[s->a];
    case EXPR_MIN:
    case EXPR_MAX:
        return known[s->a] && known[s->b];
    case EXPR_SELECT:
        return known[s->b] && known[s->c];
    default:
        return false;
    }
}

static bool map_is_bfloat16(const struct node *node, int output)
{
    const struct expr *e = node->attrs.expr;
    bool known[EXPR_MAX_STEPS], any = false;
    for (int i = 0; i < node->n_inputs; i++)
        any = any || node->inputs[i]->bfloat16;
    for (int i = 0; i < e->n_steps; i++) {
        known[i] = step_is_bfloat16(node, known, &e->steps[i]);
        any = any || e->steps[i].op == EXPR_BFLOAT16;
    }
    return any && known[e->results[output]];
}

bool output_is_bfloat16(const struct node *node, int output)
{
    bool all = node->n_inputs > 0;
    for (int i = 0; i < node->n_inputs; i++)
        all = all && node->inputs[i]->bfloat16;
    switch (node->op) {
    case OP_MAP:
        return map_is_bfloat16(node, output);
    case OP_MATMUL:
        return node->attrs.bfloat16;
    case OP_RECURRENT:
        return node->attrs.recurrent.bfloat16 && output != recurrent_places(&node->attrs.recurrent).saved;
    case OP_RECURRENT_DX:
        return node->attrs.recurrent.bfloat16 && output != recurrent_dx_places(&node->attrs.recurrent).dbias;
    case OP_STOP:
    case OP_RESHAPE:
    case OP_TRANSPOSE:
    case OP_BROADCAST:
    case OP_CONCAT:
    case OP_SLICE:
    case OP_REVERSE:
        return all;
    case OP_PAD:
        return all && round_to_bfloat16(node->attrs.value) == node->attrs.value;
    case OP_POOL:
        return all && node->attrs.pool == POOL_MAX;
    case OP_REDUCE:
        return all && (node->attrs.reduce == REDUCE_MAX || node->attrs.reduce == REDUCE_MIN);
    case OP_GATHER:
        return node->inputs[0]->bfloat16;
    default:
        return false;
    }
}
