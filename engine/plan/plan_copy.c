/* plan_copy.c - the part of the graph that is needed, copied and simplified, see plan_internal.h */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "engine/graph/expr_internal.h"
#include "engine/plan/plan_internal.h"

static struct value *new_value(struct plan *plan, const struct value *like, struct node *node, int output)
{
    struct value *value = arena_alloc(&plan->arena, sizeof *value);
    *value = (struct value){
        .number = plan->n_values, .dtype = like->dtype, .shape = like->shape, .node = node, .output = output};
    plan->values = xgrow(plan->values, &plan->cap_values, (size_t)plan->n_values + 1, sizeof *plan->values);
    return plan->values[plan->n_values++] = value;
}

struct step *plan_step(struct plan *plan, enum op op, struct value *const *inputs, int n_inputs,
                       const struct op_attrs *attrs, const char *label, struct value *const *outputs_like,
                       int n_outputs)
{
    struct node *node = arena_alloc(&plan->arena, sizeof *node);
    *node =
        (struct node){.number = plan->n_steps, .op = op, .n_inputs = n_inputs, .n_outputs = n_outputs, .label = label};
    node->attrs = *attrs;
    node->inputs = arena_array(&plan->arena, (size_t)n_inputs, sizeof *inputs);
    if (n_inputs)
        memcpy(node->inputs, inputs, (size_t)n_inputs * sizeof *inputs);
    node->outputs = arena_array(&plan->arena, (size_t)n_outputs, sizeof *node->outputs);
    for (int k = 0; k < n_outputs; k++)
        node->outputs[k] = new_value(plan, outputs_like[k], node, k);
    plan->steps = xgrow(plan->steps, &plan->cap_steps, (size_t)plan->n_steps + 1, sizeof *plan->steps);
    struct step *step = &plan->steps[plan->n_steps++];
    *step = (struct step){
        .node = node, .inputs = node->inputs, .outputs = node->outputs, .n_inputs = n_inputs, .n_outputs = n_outputs};
    return step;
}

/* Which nodes of the graph are needed: inputs, and all that assignments and kept values depend on. */
static bool *needed_nodes(const struct graph *g)
{
    bool *needed = xcalloc((size_t)g->n_nodes + 1, sizeof *needed);
    for (int i = 0; i < g->n_assigns; i++)
        needed[g->assigns[i].value->node->number] = true;
    for (int i = 0; i < g->n_kept; i++)
        needed[g->kept[i]->node->number] = true;
    for (int n = g->n_nodes; n-- > 0;) {
        needed[n] |= g->nodes[n]->op == OP_INPUT;
        for (int i = 0; needed[n] && i < g->nodes[n]->n_inputs; i++)
            needed[g->nodes[n]->inputs[i]->node->number] = true;
    }
    return needed;
}

/* The simplified form of a node on its way into the copy. */
struct draft {
    enum op op;
    struct op_attrs attrs;
    struct value *inputs[KERNEL_MAX_INPUTS];
    int n_inputs;
};

/* A map's input that was broadcast before is read as it was; a scalar constant becomes part of the expression. */
static int map_operand(struct expr_builder *b, struct value **slot, int number)
{
    while ((*slot)->node->op == OP_BROADCAST)
        *slot = (*slot)->node->inputs[0];
    const struct value *v = *slot;
    if (v->node->op != OP_CONSTANT || shape_elements(v->shape) != 1)
        return expr_input(b, number);
    return expr_const(b, v->dtype == DTYPE_I32 ? (double)*(const int32_t *)v->node->attrs.data
                                               : (double)*(const float *)v->node->attrs.data);
}

static void simplify_map(struct plan *plan, struct draft *d)
{
    struct expr_builder b;
    int operands[EXPR_MAX_INPUTS], results[EXPR_MAX_RESULTS], used[EXPR_BUILDER_INPUTS], n_used;
    struct value *inputs[EXPR_MAX_INPUTS];
    expr_begin(&b, &plan->arena);
    for (int i = 0; i < d->n_inputs; i++) {
        inputs[i] = d->inputs[i];
        int same = 0;
        operands[i] = map_operand(&b, &inputs[i], i);
        while (inputs[same] != inputs[i])
            same++;
        operands[i] = operands[same];
    }
    expr_inline(&b, d->attrs.expr, operands, results);
    const struct expr *e = expr_finish_compact(&b, results, d->attrs.expr->n_results, used, &n_used);
    if (!e || n_used == 0) /* constant: as it was */
        return;
    d->attrs.expr = e;
    d->n_inputs = n_used;
    for (int i = 0; i < n_used; i++)
        d->inputs[i] = inputs[used[i]];
}

static bool attrs_equal(enum op op, const struct op_attrs *a, const struct op_attrs *b)
{
    struct op_attrs x = *a, y = *b;
    if (op == OP_MAP && !expr_same(a->expr, b->expr))
        return false;
    x.expr = y.expr = NULL;
    return op == OP_CONSTANT ? a->data == b->data : !memcmp(&x, &y, sizeof x);
}

struct table { /* steps by hash of op and inputs; chained */
    int *heads, *next;
    size_t capacity; /* of next */
    unsigned mask;
};

static unsigned slot_of(const struct table *t, const struct draft *d)
{
    const void *source[] = {d->attrs.variable, d->attrs.data};
    uint64_t h = hash_mix((uint64_t)d->op, d->inputs, (size_t)d->n_inputs * sizeof *d->inputs);
    h = hash_mix(h, source, sizeof source);
    return (unsigned)h & t->mask;
}

static const struct node *find_equal(const struct plan *plan, const struct table *t, unsigned slot, struct draft *d)
{
    for (int s = t->heads[slot]; s >= 0; s = t->next[s]) {
        const struct node *node = plan->steps[s].node;
        if (node->op == d->op && node->n_inputs == d->n_inputs &&
            (d->n_inputs == 0 || !memcmp(node->inputs, d->inputs, (size_t)d->n_inputs * sizeof *node->inputs)) &&
            attrs_equal(d->op, &node->attrs, &d->attrs))
            return node;
    }
    return NULL;
}

static bool same_outputs(const struct node *node, struct value *const *like, int n_outputs)
{
    bool same = node->n_outputs == n_outputs;
    for (int k = 0; same && k < n_outputs; k++)
        same = shape_equal(node->outputs[k]->shape, like[k]->shape) && node->outputs[k]->dtype == like[k]->dtype;
    return same;
}

/* May the node be computed now, once for all? */
static bool is_foldable(struct draft *d, struct value *const *like, int n_outputs)
{
    bool all_constant = d->n_inputs > 0 && n_outputs == 1 && shape_elements(like[0]->shape) <= FOLD_ELEMENTS_MAX &&
                        d->op != OP_BROADCAST;
    for (int i = 0; all_constant && i < d->n_inputs; i++)
        all_constant = d->inputs[i]->node->op == OP_CONSTANT;
    return all_constant;
}

/* Runs a step whose inputs are constants with the reference kernels and turns it into a constant. */
void plan_fold(struct plan *plan, struct step *step)
{
    struct node *node = step->node;
    size_t size = (size_t)shape_elements(node->outputs[0]->shape) * 4;
    struct kernel kernel = {.node = node, .n_inputs = node->n_inputs, .n_outputs = 1};
    for (int i = 0; i < node->n_inputs; i++) {
        kernel.in_value[i] = node->inputs[i];
        kernel.in[i] = node->inputs[i]->node->attrs.data;
    }
    struct err err;
    if (!backend_reference.prepare(NULL, &kernel, &plan->arena, &err))
        return;
    kernel.out[0] = arena_alloc(&plan->arena, size);
    kernel.workspace = arena_alloc(&plan->arena, kernel.workspace_bytes);
    kernel.run(&kernel, NULL);
    node->op = OP_CONSTANT;
    node->attrs = (struct op_attrs){.data = kernel.out[0]};
    node->n_inputs = 0;
    step->n_inputs = 0;
}

/* The draft's node, or the equal one that is there already; writes its values to outputs. */
static void emit(struct plan *plan, struct table *table, struct draft *d, struct value *const *like, int n_outputs,
                 const char *label, struct value **outputs)
{
    while (d->op == OP_RESHAPE && d->inputs[0]->node->op == OP_RESHAPE)
        d->inputs[0] = d->inputs[0]->node->inputs[0];
    if (d->op == OP_RESHAPE && shape_equal(d->inputs[0]->shape, like[0]->shape)) {
        outputs[0] = d->inputs[0];
        return;
    }
    unsigned slot = slot_of(table, d);
    const struct node *known = d->op == OP_INPUT ? NULL : find_equal(plan, table, slot, d);
    if (!known || !same_outputs(known, like, n_outputs)) {
        known = plan_step(plan, d->op, d->inputs, d->n_inputs, &d->attrs, label, like, n_outputs)->node;
        if ((size_t)plan->n_steps > table->capacity)
            table->next = xgrow(table->next, &table->capacity, (size_t)plan->n_steps, sizeof *table->next);
        table->next[plan->n_steps - 1] = table->heads[slot];
        table->heads[slot] = plan->n_steps - 1;
        if (is_foldable(d, like, n_outputs))
            plan_fold(plan, &plan->steps[plan->n_steps - 1]);
    }
    for (int k = 0; k < n_outputs; k++)
        outputs[k] = known->outputs[k];
}

static struct value *emit_reshape(struct plan *plan, struct table *table, struct value *x, struct shape shape,
                                  const char *label)
{
    struct draft d = {.op = OP_RESHAPE, .attrs = {.shape = shape}, .inputs = {x}, .n_inputs = 1};
    struct value like = {.dtype = x->dtype, .shape = shape}, *out;
    emit(plan, table, &d, (struct value *[]){&like}, 1, label, &out);
    return out;
}

/* The shape of a map's operand when the map works in shape `to` instead of `from`: whole tensors and those along the
 * last axis. */
static bool moved_shape(struct shape operand, struct shape from, struct shape to, struct shape *out)
{
    int64_t n = shape_elements(operand);
    *out = n == 1 ? (struct shape){0} : to;
    if (n == 1 || shape_equal(operand, from))
        return true;
    bool along_last = from.rank && to.rank && operand.rank && n == operand.dim[operand.rank - 1] &&
                      n == from.dim[from.rank - 1] && n == to.dim[to.rank - 1];
    *out = SHAPE(n);
    return along_last;
}

/* A map over a reshaped tensor works on the tensor itself and its results are reshaped: so it can join what computed
 * the tensor. */
static bool map_before_reshape(struct plan *plan, struct table *table, struct draft *d, const struct node *source,
                               struct value **outputs)
{
    struct shape from = source->outputs[0]->shape, to = from, moved[EXPR_MAX_INPUTS];
    for (int i = 0; i < d->n_inputs && shape_equal(from, to); i++)
        if (d->inputs[i]->node->op == OP_RESHAPE && shape_equal(d->inputs[i]->shape, from))
            to = d->inputs[i]->node->inputs[0]->shape;
    bool can = !shape_equal(from, to);
    for (int i = 0; can && i < d->n_inputs; i++)
        can = moved_shape(d->inputs[i]->shape, from, to, &moved[i]);
    if (!can)
        return false;
    for (int i = 0; i < d->n_inputs; i++)
        d->inputs[i] = emit_reshape(plan, table, d->inputs[i], moved[i], source->label);
    struct value like = {.dtype = DTYPE_F32, .shape = to};
    struct value *likes[EXPR_MAX_RESULTS], *inner[EXPR_MAX_RESULTS];
    for (int k = 0; k < source->n_outputs; k++)
        likes[k] = &like;
    emit(plan, table, d, likes, source->n_outputs, source->label, inner);
    for (int k = 0; k < source->n_outputs; k++)
        outputs[k] = emit_reshape(plan, table, inner[k], from, source->label);
    return true;
}

/* A weight that a product reads rounded, possibly under another shape -> the weight itself; else the value. */
static struct value *unrounded_weight(struct plan *plan, struct table *table, struct value *value)
{
    const struct node *node = value->node, *cast = node->op == OP_RESHAPE ? node->inputs[0]->node : node;
    if (cast->op != OP_MAP || !expr_is_bfloat16_cast(cast->attrs.expr) || cast->inputs[0]->node->op != OP_VARIABLE)
        return value;
    return node == cast ? cast->inputs[0] : emit_reshape(plan, table, cast->inputs[0], value->shape, node->label);
}

/* A product of bfloat16 numbers, as the backend can do it. */
static void copy_bfloat16_product(struct plan *plan, struct table *table, struct draft *d, const struct node *source,
                                  struct value **output)
{
    bool native = plan->backend->bfloat16_products && plan->backend->bfloat16_products(plan->device);
    for (int i = 0; i < d->n_inputs && native; i++)
        d->inputs[i] = unrounded_weight(plan, table, d->inputs[i]);
    d->attrs.bfloat16 = native;
    emit(plan, table, d, source->outputs, 1, source->label, output);
    if (native)
        return;
    struct expr_builder b;
    expr_begin(&b, &plan->arena);
    int cast = expr_1(&b, EXPR_BFLOAT16, expr_input(&b, 0));
    struct draft round = {
        .op = OP_MAP, .attrs = {.expr = expr_finish(&b, &cast, 1, 1)}, .inputs = {*output}, .n_inputs = 1};
    emit(plan, table, &round, source->outputs, 1, source->label, output);
}

static void copy_node(struct plan *plan, struct table *table, const struct node *source)
{
    struct draft d = {.op = source->op, .attrs = source->attrs, .n_inputs = source->n_inputs};
    struct value *outputs[KERNEL_MAX_OUTPUTS];
    for (int i = 0; i < d.n_inputs; i++)
        d.inputs[i] = plan->of_graph[source->inputs[i]->number];
    if (d.op == OP_MAP)
        simplify_map(plan, &d);
    if (d.op == OP_MATMUL && d.attrs.bfloat16)
        copy_bfloat16_product(plan, table, &d, source, outputs);
    else if (d.op != OP_MAP || plan->options.no_fusion || !map_before_reshape(plan, table, &d, source, outputs))
        emit(plan, table, &d, source->outputs, source->n_outputs, source->label, outputs);
    for (int k = 0; k < source->n_outputs; k++)
        plan->of_graph[source->outputs[k]->number] = outputs[k];
}

/* An old value of a variable that must outlive the step is copied before anything is overwritten. */
static struct value *settled(struct plan *plan, struct value *value)
{
    const struct value *root = value;
    while (root->node->op == OP_RESHAPE || root->node->op == OP_STOP)
        root = root->node->inputs[0];
    if (root->node->op != OP_VARIABLE)
        return value;
    struct op_attrs attrs = {.shape = value->shape};
    struct step *step = plan_step(plan, OP_RESHAPE, &value, 1, &attrs, root->node->attrs.variable->path, &value, 1);
    step->copies = true;
    return step->outputs[0];
}

/* What is read after the step. */
static void copy_results(struct plan *plan)
{
    const struct graph *g = plan->graph;
    plan->assigns = arena_array(&plan->arena, (size_t)g->n_assigns, sizeof *plan->assigns);
    plan->kept = arena_array(&plan->arena, (size_t)g->n_kept, sizeof *plan->kept);
    for (int i = 0; i < g->n_assigns; i++) {
        struct value *value = plan->of_graph[g->assigns[i].value->number];
        plan->assigns[plan->n_assigns++] = (struct assignment){g->assigns[i].variable, settled(plan, value)};
    }
    for (int i = 0; i < g->n_kept; i++)
        plan->kept[plan->n_kept++] = settled(plan, plan->of_graph[g->kept[i]->number]);
}

void plan_copy(struct plan *plan)
{
    const struct graph *g = plan->graph;
    bool *needed = needed_nodes(g);
    unsigned size = 64;
    while (size < (unsigned)g->n_nodes)
        size *= 2;
    struct table table = {.mask = size - 1};
    table.heads = xcalloc(size, sizeof *table.heads);
    memset(table.heads, -1, size * sizeof *table.heads);
    plan->of_graph = arena_array(&plan->arena, (size_t)g->n_values + 1, sizeof(struct value *));
    for (int n = 0; n < g->n_nodes; n++)
        if (needed[n])
            copy_node(plan, &table, g->nodes[n]);
    copy_results(plan);
    free(table.heads);
    free(table.next);
    free(needed);
}
