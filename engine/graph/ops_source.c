/* ops_source.c - inputs, variables, constants, and elementwise work, see graph.h */
#include <string.h>

#include "engine/graph/expr_internal.h"
#include "engine/graph/ops.h"

struct value *op_input(struct graph *g, const char *name, enum dtype dtype, struct shape shape)
{
    const char *label = g->label;
    g->label = arena_strdup(&g->arena, name);
    struct value *value = node_1(g, OP_INPUT, NULL, 0, NULL, dtype, shape);
    g->label = label;
    return value;
}

struct value *op_variable(struct graph *g, struct variable *variable)
{
    struct graph_variable *place = graph_variable(g, variable);
    if (!place->value || g->error.code != ERR_NONE)
        place->value =
            node_1(g, OP_VARIABLE, NULL, 0, &(struct op_attrs){.variable = variable}, variable->dtype, variable->shape);
    return place->value;
}

struct value *op_constant(struct graph *g, enum dtype dtype, struct shape shape, const void *data)
{
    struct value *value = node_1(g, OP_CONSTANT, NULL, 0, NULL, dtype, shape);
    if (!value)
        return NULL;
    size_t size = (size_t)shape_elements(shape) * 4;
    value->node->attrs.data = memcpy(arena_alloc(&g->arena, size), data, size);
    return value;
}

struct value *op_scalar(struct graph *g, double value)
{
    return op_constant(g, DTYPE_F32, (struct shape){0}, &(float){(float)value});
}

struct value *op_fill(struct graph *g, struct shape shape, double value)
{
    return op_broadcast(g, op_scalar(g, value), shape);
}

/* The shape all inputs broadcast to; false after an error. */
static bool map_shape(struct graph *g, const struct expr *e, struct value *const *inputs, int n_inputs,
                      struct shape *out)
{
    if (!inputs_ok(g, OP_MAP, inputs, n_inputs))
        return false;
    if (!e || e->n_inputs != n_inputs || n_inputs < 1)
        return graph_fail(g, ERR_USAGE,
                          e ? "map: the expression has %d inputs, found %d" : "map: the expression is too large",
                          e ? e->n_inputs : 0, n_inputs) != NULL;
    *out = inputs[0]->shape;
    for (int i = 1; i < n_inputs; i++) {
        struct shape so_far = *out;
        if (!shape_broadcast(so_far, inputs[i]->shape, out))
            return graph_fail(g, ERR_USAGE, "shapes %s and %s cannot be combined element by element",
                              shape_text(&g->arena, so_far), shape_text(&g->arena, inputs[i]->shape)) != NULL;
    }
    return true;
}

struct value *op_map(struct graph *g, const struct expr *e, struct value *const *inputs, int n_inputs)
{
    struct shape shape;
    if (!map_shape(g, e, inputs, n_inputs, &shape))
        return NULL;
    const struct expr_step *result = &e->steps[e->results[0]];
    if (result->op == EXPR_INPUT && inputs[result->a]->dtype == DTYPE_F32 &&
        shape_equal(inputs[result->a]->shape, shape))
        return inputs[result->a];
    if (expr_is_bfloat16_cast(e) && inputs[0]->bfloat16)
        return inputs[0];
    return node_1(g, OP_MAP, inputs, n_inputs, &(struct op_attrs){.expr = e}, DTYPE_F32, shape);
}

bool op_map_many(struct graph *g, const struct expr *e, struct value *const *inputs, int n_inputs,
                 struct value **results)
{
    struct shape shapes[EXPR_MAX_RESULTS];
    if (e)
        memset(results, 0, (size_t)e->n_results * sizeof *results);
    if (!map_shape(g, e, inputs, n_inputs, &shapes[0]))
        return false;
    for (int r = 1; r < e->n_results; r++)
        shapes[r] = shapes[0];
    return node_many(g, OP_MAP, inputs, n_inputs, &(struct op_attrs){.expr = e}, shapes, e->n_results, results);
}

struct graph_text {
    struct graph_text *next;
    const char *text;
    int n_names;
    const struct expr *expr;
};

struct value *op_expr(struct graph *g, const char *text, struct value *a, struct value *b, struct value *c,
                      struct value *d)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    struct value *inputs[] = {a, b, c, d};
    int n = d ? 4 : c ? 3 : b ? 2 : 1;
    if (!inputs_ok(g, OP_MAP, inputs, n))
        return NULL;
    struct graph_text *known = g->texts;
    while (known && (known->n_names != n || strcmp(known->text, text) != 0))
        known = known->next;
    if (!known) {
        struct err err;
        const struct expr *e = expr_parse(&g->arena, text, names, n, &err);
        if (!e)
            return graph_fail(g, err.code, "%s", err.text);
        known = arena_alloc(&g->arena, sizeof *known);
        *known = (struct graph_text){.next = g->texts, .text = arena_strdup(&g->arena, text), .n_names = n, .expr = e};
        g->texts = known;
    }
    return op_map(g, known->expr, inputs, n);
}

struct value *op_add(struct graph *g, struct value *a, struct value *b)
{
    return op_expr(g, "a + b", a, b, NULL, NULL);
}

struct value *op_sub(struct graph *g, struct value *a, struct value *b)
{
    return op_expr(g, "a - b", a, b, NULL, NULL);
}

struct value *op_mul(struct graph *g, struct value *a, struct value *b)
{
    return op_expr(g, "a * b", a, b, NULL, NULL);
}

struct value *op_div(struct graph *g, struct value *a, struct value *b)
{
    return op_expr(g, "a / b", a, b, NULL, NULL);
}

struct value *op_scale(struct graph *g, struct value *x, double factor)
{
    struct expr_builder b;
    expr_begin(&b, &g->arena);
    int result = expr_2(&b, EXPR_MUL, expr_input(&b, 0), expr_const(&b, factor));
    return op_map(g, expr_finish(&b, &result, 1, 1), &x, 1);
}

struct value *op_cast_i32(struct graph *g, struct value *x)
{
    if (!inputs_ok(g, OP_CAST_I32, &x, 1) || x->dtype == DTYPE_I32)
        return x;
    return node_1(g, OP_CAST_I32, &x, 1, NULL, DTYPE_I32, x->shape);
}

struct value *op_add_i32(struct graph *g, struct value *x, int32_t amount)
{
    if (!input_is(g, OP_ADD_I32, x, DTYPE_I32))
        return NULL;
    return node_1(g, OP_ADD_I32, &x, 1, &(struct op_attrs){.k = amount}, DTYPE_I32, x->shape);
}

struct value *op_stop_gradient(struct graph *g, struct value *x)
{
    return inputs_ok(g, OP_STOP, &x, 1) ? node_1(g, OP_STOP, &x, 1, NULL, x->dtype, x->shape) : NULL;
}

/* The values that the gradient expression reads: input number -> input, result or dout of the node. */
static struct value *gradient_operand(const struct node *node, struct value *const *douts, int number)
{
    int n_inputs = node->n_inputs, n_outputs = node->n_outputs;
    if (number < n_inputs)
        return node->inputs[number];
    return number < n_inputs + n_outputs ? node->outputs[number - n_inputs] : douts[number - n_inputs - n_outputs];
}

void gradient_map(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    unsigned mask = 0;
    for (int k = 0; k < node->n_outputs; k++)
        mask |= (unsigned)(douts[k] != NULL) << k;
    for (int i = 0; i < node->n_inputs; i++) {
        if (!wants(g, node, i))
            continue;
        int used[EXPR_BUILDER_INPUTS], n_used;
        const struct expr *e = expr_gradient_from(&g->arena, node->attrs.expr, i, mask, used, &n_used);
        if (!e && n_used == 0)
            continue;
        struct value *operands[EXPR_MAX_INPUTS];
        for (int k = 0; e && k < n_used; k++)
            operands[k] = gradient_operand(node, douts, used[k]);
        dinputs[i] = e && n_used == 0 ? NULL : sum_to(g, op_map(g, e, operands, n_used), node->inputs[i]->shape);
    }
}
