/* graph.c - nodes, values, errors, assignments, and the gradient, see graph.h */
#include "engine/graph/graph.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "engine/graph/ops.h"

static const int64_t ELEMENTS_MAX = (int64_t)1 << 40;

struct graph *graph_new(void)
{
    return xcalloc(1, sizeof(struct graph));
}

void graph_free(struct graph *g)
{
    if (!g)
        return;
    arena_release(&g->arena);
    free(g->nodes);
    free(g->values);
    free(g->assigns);
    free(g->kept);
    free(g->variables);
    free(g);
}

bool graph_ok(const struct graph *g, struct err *err)
{
    return g->error.code == ERR_NONE || err_set(err, g->error.code, "%s", g->error.text);
}

struct value *graph_fail(struct graph *g, enum err_code code, const char *format, ...)
{
    if (g->error.code != ERR_NONE)
        return NULL;
    va_list args;
    va_start(args, format);
    vsnprintf(g->error.text, sizeof g->error.text, format, args);
    va_end(args);
    g->error.code = code;
    return NULL;
}

bool inputs_ok(struct graph *g, enum op op, struct value *const *inputs, int n_inputs)
{
    for (int i = 0; i < n_inputs; i++)
        if (!inputs[i])
            graph_fail(g, ERR_FAILED, "%s: input %d is missing", op_table[op].name, i + 1);
    return g->error.code == ERR_NONE;
}

bool input_is(struct graph *g, enum op op, const struct value *input, enum dtype dtype)
{
    static const char *const names[] = {"float32", "int32"};
    if (!inputs_ok(g, op, (struct value *const[]){(struct value *)input}, 1))
        return false;
    if (input->dtype != dtype)
        graph_fail(g, ERR_USAGE, "%s: expected %s, found %s of shape %s", op_table[op].name, names[dtype],
                   names[input->dtype], shape_text(&g->arena, input->shape));
    return input->dtype == dtype;
}

static struct node *node_new(struct graph *g, enum op op, struct value *const *inputs, int n_inputs,
                             const struct op_attrs *attrs, int n_outputs)
{
    struct node *node = arena_alloc(&g->arena, sizeof *node);
    *node =
        (struct node){.number = g->n_nodes, .op = op, .n_inputs = n_inputs, .n_outputs = n_outputs, .label = g->label};
    node->inputs = arena_array(&g->arena, (size_t)n_inputs, sizeof *inputs);
    node->outputs = arena_array(&g->arena, (size_t)n_outputs, sizeof *node->outputs);
    if (n_inputs)
        memcpy(node->inputs, inputs, (size_t)n_inputs * sizeof *inputs);
    if (attrs)
        node->attrs = *attrs;
    g->nodes = xgrow(g->nodes, &g->cap_nodes, (size_t)g->n_nodes + 1, sizeof *g->nodes);
    return g->nodes[g->n_nodes++] = node;
}

static struct value *value_new(struct graph *g, struct node *node, int output, enum dtype dtype, struct shape shape)
{
    struct value *value = arena_alloc(&g->arena, sizeof *value);
    *value = (struct value){.number = g->n_values, .dtype = dtype, .shape = shape, .node = node, .output = output};
    g->values = xgrow(g->values, &g->cap_values, (size_t)g->n_values + 1, sizeof *g->values);
    node->outputs[output] = value;
    value->bfloat16 = output_is_bfloat16(node, output);
    return g->values[g->n_values++] = value;
}

static bool shape_ok(struct graph *g, enum op op, struct shape s)
{
    for (int i = 0; i < s.rank; i++)
        if (s.dim[i] < 1)
            graph_fail(g, ERR_USAGE, "%s: the result has shape %s, every size must be at least 1", op_table[op].name,
                       shape_text(&g->arena, s));
    if (shape_elements(s) > ELEMENTS_MAX)
        graph_fail(g, ERR_USAGE, "%s: shape %s is too large", op_table[op].name, shape_text(&g->arena, s));
    return g->error.code == ERR_NONE;
}

struct value *node_1(struct graph *g, enum op op, struct value *const *inputs, int n_inputs,
                     const struct op_attrs *attrs, enum dtype dtype, struct shape shape)
{
    if (!inputs_ok(g, op, inputs, n_inputs) || !shape_ok(g, op, shape))
        return NULL;
    return value_new(g, node_new(g, op, inputs, n_inputs, attrs, 1), 0, dtype, shape);
}

bool node_many(struct graph *g, enum op op, struct value *const *inputs, int n_inputs, const struct op_attrs *attrs,
               const struct shape *shapes, int n_outputs, struct value **outputs)
{
    for (int k = 0; k < n_outputs; k++)
        outputs[k] = NULL;
    if (!inputs_ok(g, op, inputs, n_inputs))
        return false;
    for (int k = 0; k < n_outputs; k++)
        if (!shape_ok(g, op, shapes[k]))
            return false;
    struct node *node = node_new(g, op, inputs, n_inputs, attrs, n_outputs);
    for (int k = 0; k < n_outputs; k++)
        outputs[k] = value_new(g, node, k, DTYPE_F32, shapes[k]);
    return true;
}

static struct graph_variable *place_of(struct graph *g, const struct variable *variable)
{
    size_t at = hash_mix(0, &variable, sizeof variable) & (g->cap_variables - 1);
    while (g->variables[at].variable && g->variables[at].variable != variable)
        at = (at + 1) & (g->cap_variables - 1);
    return &g->variables[at];
}

static void grow_variables(struct graph *g)
{
    struct graph_variable *old = g->variables;
    size_t n = g->cap_variables;
    g->cap_variables = n ? 2 * n : 16;
    g->variables = xcalloc(g->cap_variables, sizeof *g->variables);
    for (size_t i = 0; i < n; i++)
        if (old[i].variable)
            *place_of(g, old[i].variable) = old[i];
    free(old);
}

struct graph_variable *graph_variable(struct graph *g, const struct variable *variable)
{
    if (2 * (g->n_variables + 1) > g->cap_variables)
        grow_variables(g);
    struct graph_variable *place = place_of(g, variable);
    g->n_variables += !place->variable;
    place->variable = variable;
    return place;
}

void graph_assign(struct graph *g, struct variable *variable, struct value *value)
{
    if (!value || g->error.code != ERR_NONE) {
        if (!value)
            graph_fail(g, ERR_FAILED, "variable '%s' is assigned a missing value", variable->path);
        return;
    }
    if (!shape_equal(value->shape, variable->shape) || value->dtype != variable->dtype) {
        graph_fail(g, ERR_USAGE, "variable '%s' has shape %s, the value assigned to it %s%s", variable->path,
                   shape_text(&g->arena, variable->shape), shape_text(&g->arena, value->shape),
                   value->dtype == variable->dtype ? "" : " and another dtype");
        return;
    }
    struct graph_variable *place = graph_variable(g, variable);
    if (place->assigned) {
        graph_fail(g, ERR_FAILED, "variable '%s' is assigned twice", variable->path);
        return;
    }
    place->assigned = true;
    g->assigns = xgrow(g->assigns, &g->cap_assigns, (size_t)g->n_assigns + 1, sizeof *g->assigns);
    g->assigns[g->n_assigns++] = (struct assignment){variable, value};
}

void graph_keep(struct graph *g, struct value *value)
{
    if (!value) {
        graph_fail(g, ERR_FAILED, "a missing value is to be kept");
        return;
    }
    g->kept = xgrow(g->kept, &g->cap_kept, (size_t)g->n_kept + 1, sizeof *g->kept);
    g->kept[g->n_kept++] = value;
}

bool wants(const struct graph *g, const struct node *node, int input)
{
    int number = node->inputs[input]->number;
    return !g->active || (number < g->n_active && g->active[number]);
}

/* Values whose gradient is needed: float, and computed from a wanted one. */
static bool *find_active(const struct graph *g, struct value *const *wanted, int n_wanted)
{
    bool *active = xcalloc((size_t)g->n_values, sizeof *active);
    for (int i = 0; i < n_wanted; i++)
        active[wanted[i]->number] = true;
    for (int n = 0; n < g->n_nodes; n++) {
        const struct node *node = g->nodes[n];
        bool any = false;
        for (int i = 0; i < node->n_inputs && op_table[node->op].gradient; i++)
            any |= active[node->inputs[i]->number];
        for (int k = 0; any && k < node->n_outputs; k++)
            active[node->outputs[k]->number] |= node->outputs[k]->dtype == DTYPE_F32;
    }
    return active;
}

static void back_through(struct graph *g, struct node *node, struct value **adjoint)
{
    bool any = false, to_any = false;
    struct value *douts[EXPR_MAX_RESULTS];
    for (int k = 0; k < node->n_outputs; k++)
        any |= (douts[k] = adjoint[node->outputs[k]->number]) != NULL;
    for (int i = 0; i < node->n_inputs; i++)
        to_any |= g->active[node->inputs[i]->number];
    if (!any || !to_any || !op_table[node->op].gradient)
        return;
    struct value **dinputs = xcalloc((size_t)node->n_inputs, sizeof *dinputs);
    g->label = node->label;
    op_table[node->op].gradient(g, node, douts, dinputs);
    for (int i = 0; i < node->n_inputs; i++) {
        int number = node->inputs[i]->number;
        if (dinputs[i] && g->active[number])
            adjoint[number] = adjoint[number] ? op_add(g, adjoint[number], dinputs[i]) : dinputs[i];
    }
    free(dinputs);
}

bool graph_gradient(struct graph *g, struct value *loss, struct value *const *wanted, int n_wanted,
                    struct value **gradients)
{
    memset(gradients, 0, (size_t)n_wanted * sizeof *gradients);
    for (int i = 0; i < n_wanted; i++)
        if (!wanted[i])
            graph_fail(g, ERR_FAILED, "the gradient of a missing value is wanted");
    if (loss && shape_elements(loss->shape) != 1)
        graph_fail(g, ERR_FAILED, "the loss must be a scalar, found shape %s", shape_text(&g->arena, loss->shape));
    if (!loss || g->error.code != ERR_NONE)
        return graph_fail(g, ERR_FAILED, "the loss is missing") != NULL;
    const char *label = g->label;
    bool *active = find_active(g, wanted, n_wanted);
    struct value **adjoint = xcalloc((size_t)g->n_values, sizeof *adjoint);
    g->active = active;
    g->n_active = g->n_values;
    adjoint[loss->number] = op_fill(g, loss->shape, 1);
    for (int n = loss->node->number; n >= 0 && g->error.code == ERR_NONE; n--)
        back_through(g, g->nodes[n], adjoint);
    g->active = NULL;
    g->label = label;
    for (int i = 0; i < n_wanted; i++)
        gradients[i] = adjoint[wanted[i]->number] ? adjoint[wanted[i]->number] : op_fill(g, wanted[i]->shape, 0);
    free(adjoint);
    free(active);
    return g->error.code == ERR_NONE;
}

static void write_attrs(struct str *out, const struct node *node)
{
    const struct op_attrs *a = &node->attrs;
    if (node->op == OP_MAP) {
        str_add(out, " [");
        expr_write(out, a->expr, NULL);
        str_add(out, "]");
    } else if (node->op == OP_VARIABLE) {
        str_addf(out, " '%s'", a->variable->path);
    } else if (node->op == OP_MATMUL) {
        str_add(out, a->transpose_a ? " [transpose a]" : "");
        str_add(out, a->transpose_b ? " [transpose b]" : "");
        str_add(out, a->bfloat16 ? " [bfloat16]" : "");
    }
}

void graph_write(struct str *out, const struct graph *g)
{
    for (int n = 0; n < g->n_nodes; n++) {
        const struct node *node = g->nodes[n];
        for (int k = 0; k < node->n_outputs; k++)
            str_addf(out, k ? ", %%%d" : "%%%d", node->outputs[k]->number);
        str_addf(out, " = %s(", op_table[node->op].name);
        for (int i = 0; i < node->n_inputs; i++)
            str_addf(out, i ? ", %%%d" : "%%%d", node->inputs[i]->number);
        str_add(out, ") ");
        shape_write(out, node->outputs[0]->shape);
        write_attrs(out, node);
        str_addf(out, node->label ? "  %s\n" : "\n", node->label);
    }
}
