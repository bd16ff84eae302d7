/* ops_shape.c - ops that move elements without computing, see graph.h */
#include <string.h>

#include "engine/graph/ops.h"
#include "base/size.h"

struct shape shape_lead(struct shape s)
{
    if (s.rank)
        s.dim[--s.rank] = 0;
    return s;
}

struct shape shape_lead_1(struct shape s)
{
    if (s.rank)
        s.dim[s.rank - 1] = 1;
    return s;
}

static bool axis_ok(struct graph *g, enum op op, const struct value *x, int *axis)
{
    int given = *axis;
    if (*axis < 0)
        *axis += x->shape.rank;
    if (*axis < 0 || *axis >= x->shape.rank)
        return graph_fail(g, ERR_USAGE, "%s: axis %d of shape %s", op_table[op].name, given,
                          shape_text(&g->arena, x->shape)) != NULL;
    return true;
}

struct value *op_reshape(struct graph *g, struct value *x, struct shape shape)
{
    if (!inputs_ok(g, OP_RESHAPE, &x, 1))
        return NULL;
    int64_t have = shape_elements(x->shape), known = 1;
    int open = -1, n_open = 0;
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dim[i] == -1) {
            open = i;
            n_open++;
        } else if (shape.dim[i] < 1 || !int64_mul(known, shape.dim[i], &known)) {
            return graph_fail(g, ERR_USAGE, "reshape: cannot make shape %s", shape_text(&g->arena, shape));
        }
    }
    struct shape wanted = shape;
    if (n_open == 1 && have % known == 0)
        shape.dim[open] = have / known;
    if (n_open > 1 || shape_elements(shape) != have)
        return graph_fail(g, ERR_USAGE, "reshape: %lld elements of shape %s do not fill shape %s", (long long)have,
                          shape_text(&g->arena, x->shape), shape_text(&g->arena, wanted));
    if (shape_equal(shape, x->shape))
        return x;
    return node_1(g, OP_RESHAPE, &x, 1, &(struct op_attrs){.shape = shape}, x->dtype, shape);
}

void gradient_reshape(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    dinputs[0] = op_reshape(g, douts[0], node->inputs[0]->shape);
}

struct value *op_transpose(struct graph *g, struct value *x, const int *permutation)
{
    if (!inputs_ok(g, OP_TRANSPOSE, &x, 1))
        return NULL;
    struct op_attrs attrs = {.n_axes = x->shape.rank};
    struct shape shape = {.rank = x->shape.rank};
    bool seen[RANK_MAX] = {false}, identity = true;
    for (int i = 0; i < shape.rank; i++) {
        int from = permutation[i];
        if (from < 0 || from >= shape.rank || seen[from])
            return graph_fail(g, ERR_USAGE, "transpose: not a permutation of the axes of shape %s",
                              shape_text(&g->arena, x->shape));
        seen[from] = true;
        identity &= from == i;
        attrs.axes[i] = from;
        shape.dim[i] = x->shape.dim[from];
    }
    return identity ? x : node_1(g, OP_TRANSPOSE, &x, 1, &attrs, x->dtype, shape);
}

void gradient_transpose(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    int inverse[RANK_MAX] = {0};
    for (int i = 0; i < node->attrs.n_axes; i++)
        inverse[node->attrs.axes[i]] = i;
    dinputs[0] = op_transpose(g, douts[0], inverse);
}

struct value *op_broadcast(struct graph *g, struct value *x, struct shape shape)
{
    if (!inputs_ok(g, OP_BROADCAST, &x, 1))
        return NULL;
    struct shape both;
    if (!shape_broadcast(x->shape, shape, &both) || !shape_equal(both, shape))
        return graph_fail(g, ERR_USAGE, "broadcast: shape %s does not stretch to %s", shape_text(&g->arena, x->shape),
                          shape_text(&g->arena, shape));
    return shape_equal(x->shape, shape)
               ? x
               : node_1(g, OP_BROADCAST, &x, 1, &(struct op_attrs){.shape = shape}, x->dtype, shape);
}

void gradient_broadcast(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    dinputs[0] = sum_to(g, douts[0], node->inputs[0]->shape);
}

/* More parts than a node takes are joined group by group. */
static struct value *concat_groups(struct graph *g, struct value *const *parts, int n_parts, int axis)
{
    struct value *groups[EXPR_MAX_INPUTS];
    int size = (n_parts + EXPR_MAX_INPUTS - 1) / EXPR_MAX_INPUTS, n = 0;
    for (int p = 0; p < n_parts; p += size)
        groups[n++] = op_concat(g, parts + p, n_parts - p < size ? n_parts - p : size, axis);
    return op_concat(g, groups, n, axis);
}

struct value *op_concat(struct graph *g, struct value *const *parts, int n_parts, int axis)
{
    if (!inputs_ok(g, OP_CONCAT, parts, n_parts))
        return NULL;
    if (n_parts < 1)
        return graph_fail(g, ERR_USAGE, "concat: nothing to join");
    if (!axis_ok(g, OP_CONCAT, parts[0], &axis))
        return NULL;
    if (n_parts > EXPR_MAX_INPUTS)
        return concat_groups(g, parts, n_parts, axis);
    struct shape shape = parts[0]->shape;
    for (int p = 1; p < n_parts; p++) {
        struct shape other = parts[p]->shape, expected = parts[0]->shape;
        if (other.rank == expected.rank)
            expected.dim[axis] = other.dim[axis];
        if (!shape_equal(other, expected) || parts[p]->dtype != parts[0]->dtype)
            return graph_fail(g, ERR_USAGE, "concat: shapes %s and %s differ in more than axis %d",
                              shape_text(&g->arena, parts[0]->shape), shape_text(&g->arena, other), axis);
        shape.dim[axis] += other.dim[axis];
    }
    return n_parts == 1 ? parts[0]
                        : node_1(g, OP_CONCAT, parts, n_parts, &(struct op_attrs){.n_axes = 1, .axes = {axis}},
                                 parts[0]->dtype, shape);
}

void gradient_concat(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    int axis = node->attrs.axes[0];
    int64_t begin[RANK_MAX] = {0}, end[RANK_MAX];
    memcpy(end, douts[0]->shape.dim, sizeof end);
    for (int p = 0; p < node->n_inputs; p++) {
        end[axis] = begin[axis] + node->inputs[p]->shape.dim[axis];
        if (wants(g, node, p))
            dinputs[p] = op_slice(g, douts[0], begin, end, NULL);
        begin[axis] = end[axis];
    }
}

struct value *op_slice(struct graph *g, struct value *x, const int64_t *begin, const int64_t *end,
                       const int64_t *stride)
{
    if (!inputs_ok(g, OP_SLICE, &x, 1))
        return NULL;
    struct op_attrs attrs = {0};
    struct shape shape = {.rank = x->shape.rank};
    for (int i = 0; i < shape.rank; i++) {
        int64_t step = stride ? stride[i] : 1;
        if (begin[i] < 0 || end[i] > x->shape.dim[i] || begin[i] >= end[i] || step < 1)
            return graph_fail(g, ERR_USAGE, "slice: [%lld:%lld:%lld] of axis %d of shape %s", (long long)begin[i],
                              (long long)end[i], (long long)step, i, shape_text(&g->arena, x->shape));
        attrs.begin[i] = begin[i];
        attrs.end[i] = end[i];
        attrs.stride[i] = step;
        shape.dim[i] = (end[i] - begin[i] + step - 1) / step;
    }
    return shape_equal(shape, x->shape) ? x : node_1(g, OP_SLICE, &x, 1, &attrs, x->dtype, shape);
}

void gradient_slice(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    const struct op_attrs *a = &node->attrs;
    struct shape x = node->inputs[0]->shape;
    int64_t after[RANK_MAX] = {0};
    for (int i = 0; i < x.rank; i++)
        after[i] = x.dim[i] - (a->begin[i] + (douts[0]->shape.dim[i] - 1) * a->stride[i] + 1);
    dinputs[0] = op_spread(g, douts[0], a->begin, after, a->stride, 0);
}

struct value *op_spread(struct graph *g, struct value *x, const int64_t *before, const int64_t *after,
                        const int64_t *spacing, double fill)
{
    if (!input_is(g, OP_PAD, x, DTYPE_F32))
        return NULL;
    struct op_attrs attrs = {.value = (float)fill};
    struct shape shape = {.rank = x->shape.rank};
    for (int i = 0; i < shape.rank; i++) {
        int64_t step = spacing ? spacing[i] : 1, size = 0;
        if (before[i] < 0 || after[i] < 0 || step < 1 || !int64_mul(x->shape.dim[i] - 1, step, &size) ||
            !int64_add(size, before[i] + 1, &size) || !int64_add(size, after[i], &size))
            return graph_fail(g, ERR_USAGE, "pad: %lld before and %lld after axis %d of shape %s", (long long)before[i],
                              (long long)after[i], i, shape_text(&g->arena, x->shape));
        attrs.begin[i] = before[i];
        attrs.end[i] = after[i];
        attrs.stride[i] = step;
        shape.dim[i] = size;
    }
    return shape_equal(shape, x->shape) ? x : node_1(g, OP_PAD, &x, 1, &attrs, DTYPE_F32, shape);
}

struct value *op_pad(struct graph *g, struct value *x, const int64_t *before, const int64_t *after, double fill)
{
    return op_spread(g, x, before, after, NULL, fill);
}

void gradient_pad(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    const struct op_attrs *a = &node->attrs;
    int64_t end[RANK_MAX] = {0};
    for (int i = 0; i < douts[0]->shape.rank; i++)
        end[i] = a->begin[i] + (node->inputs[0]->shape.dim[i] - 1) * a->stride[i] + 1;
    dinputs[0] = op_slice(g, douts[0], a->begin, end, a->stride);
}

struct value *op_reverse(struct graph *g, struct value *x, int axis)
{
    if (!inputs_ok(g, OP_REVERSE, &x, 1) || !axis_ok(g, OP_REVERSE, x, &axis))
        return NULL;
    if (x->node->op == OP_REVERSE && x->node->attrs.axes[0] == axis)
        return x->node->inputs[0];
    return x->shape.dim[axis] == 1
               ? x
               : node_1(g, OP_REVERSE, &x, 1, &(struct op_attrs){.n_axes = 1, .axes = {axis}}, x->dtype, x->shape);
}

void gradient_reverse(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    dinputs[0] = op_reverse(g, douts[0], node->attrs.axes[0]);
}
