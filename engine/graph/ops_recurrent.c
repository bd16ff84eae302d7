/* ops_recurrent.c - recurrent layers over whole sequences, see graph.h and recurrent.h */
#include "engine/graph/ops.h"
#include "engine/graph/recurrent.h"

int recurrent_gates(enum recurrent_kind kind)
{
    return kind == RECURRENT_LSTM ? 4 : kind == RECURRENT_GRU ? 3 : 1;
}

int recurrent_saved(enum recurrent_kind kind)
{
    return kind == RECURRENT_LSTM ? 5 : kind == RECURRENT_GRU ? 4 : 0;
}

bool recurrent_by_gates(const struct recurrent *r)
{
    return r->dropped || r->reset_before;
}

struct recurrent_places recurrent_places(const struct recurrent *r)
{
    bool lstm = r->kind == RECURRENT_LSTM;
    struct recurrent_places p = {.x = 0, .n_inputs = 1};
    p.kernel = r->projected ? -1 : p.n_inputs++;
    p.recurrent_kernel = p.n_inputs++;
    p.bias = p.n_inputs++;
    p.h = p.n_inputs++;
    p.c = lstm ? p.n_inputs++ : -1;
    p.mask = r->masked ? p.n_inputs++ : -1;
    p.factors = r->dropped ? p.n_inputs++ : -1;
    p.last_h = 1;
    p.n_outputs = 2;
    p.last_c = lstm ? p.n_outputs++ : -1;
    p.saved = r->kind == RECURRENT_SIMPLE ? -1 : p.n_outputs++;
    return p;
}

struct recurrent_dx_places recurrent_dx_places(const struct recurrent *r)
{
    bool lstm = r->kind == RECURRENT_LSTM;
    struct recurrent_dx_places p = {
        .recurrent_kernel = 0, .bias = 1, .h = 2, .n_inputs = 3, .dz = 0, .dh0 = 1, .n_outputs = 2};
    p.c = lstm ? p.n_inputs++ : -1;
    p.y = p.n_inputs++;
    p.saved = r->kind == RECURRENT_SIMPLE ? -1 : p.n_inputs++;
    p.mask = r->masked ? p.n_inputs++ : -1;
    p.factors = r->dropped ? p.n_inputs++ : -1;
    p.dy = r->with_dy ? p.n_inputs++ : -1;
    p.dh = r->with_dh ? p.n_inputs++ : -1;
    p.dc = r->with_dc ? p.n_inputs++ : -1;
    p.dc0 = lstm ? p.n_outputs++ : -1;
    p.dz_recurrent = r->kind == RECURRENT_GRU && !r->reset_before ? p.n_outputs++ : -1;
    p.dbias = p.n_outputs++;
    return p;
}

static bool has_shape(struct graph *g, const char *name, const struct value *value, struct shape wanted)
{
    return shape_equal(value->shape, wanted) ||
           graph_fail(g, ERR_USAGE, "recurrent: expected %s of shape %s, found %s", name, shape_text(&g->arena, wanted),
                      shape_text(&g->arena, value->shape)) != NULL;
}

static bool shapes_fit(struct graph *g, const struct recurrent *r, const struct recurrent_places *p,
                       struct value *const *inputs)
{
    const struct shape x = inputs[p->x]->shape, kernel = inputs[p->recurrent_kernel]->shape;
    int64_t gates = recurrent_gates(r->kind);
    if (x.rank != 3 || kernel.rank != 2 || (r->reset_before && r->kind != RECURRENT_GRU))
        return graph_fail(g, ERR_USAGE, "recurrent: expected (batch, steps, features), found %s",
                          shape_text(&g->arena, x)) != NULL;
    int64_t n = x.dim[0], t = x.dim[1], f = x.dim[2], u = kernel.dim[0];
    bool pair = r->kind == RECURRENT_GRU && !r->reset_before;
    return (p->kernel < 0 ? has_shape(g, "projected steps", inputs[p->x], SHAPE(n, t, gates * u))
                          : has_shape(g, "a kernel", inputs[p->kernel], SHAPE(f, gates * u))) &&
           has_shape(g, "a recurrent kernel", inputs[p->recurrent_kernel], SHAPE(u, gates * u)) &&
           has_shape(g, "a bias", inputs[p->bias], pair ? SHAPE(2, gates * u) : SHAPE(gates * u)) &&
           has_shape(g, "h", inputs[p->h], SHAPE(n, u)) && (p->c < 0 || has_shape(g, "c", inputs[p->c], SHAPE(n, u))) &&
           (p->mask < 0 || has_shape(g, "a mask", inputs[p->mask], SHAPE(n, t))) &&
           (p->factors < 0 || has_shape(g, "factors", inputs[p->factors], SHAPE(n, gates * u)));
}

struct placed {
    int place; /* -1 = there is none */
    struct value *value;
};

static void place(struct value **inputs, const struct placed *all, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (all[i].place >= 0)
            inputs[all[i].place] = all[i].value;
}

bool op_recurrent(struct graph *g, const struct recurrent *recurrent, struct value *x, struct value *kernel,
                  struct value *recurrent_kernel, struct value *bias, struct value *h, struct value *c,
                  struct value *mask, struct value *factors, struct value *results[3])
{
    struct op_attrs attrs = {.recurrent = *recurrent};
    attrs.recurrent.masked = mask != NULL;
    attrs.recurrent.dropped = factors != NULL;
    attrs.recurrent.projected = kernel == NULL;
    const struct recurrent_places p = recurrent_places(&attrs.recurrent);
    struct value *inputs[8] = {x}, *outputs[4] = {NULL};
    const struct placed all[] = {
        {p.kernel, kernel},  {p.recurrent_kernel, recurrent_kernel}, {p.bias, bias}, {p.h, h}, {p.c, c}, {p.mask, mask},
        {p.factors, factors}};
    place(inputs, all, sizeof all / sizeof *all);
    for (int i = 0; i < p.n_inputs; i++)
        if (!input_is(g, OP_RECURRENT, inputs[i], DTYPE_F32))
            return false;
    if (!shapes_fit(g, &attrs.recurrent, &p, inputs))
        return false;
    int64_t n = x->shape.dim[0], t = x->shape.dim[1], u = h->shape.dim[1];
    struct shape shapes[4] = {SHAPE(n, t, u), SHAPE(n, u), SHAPE(n, u), SHAPE(n, u)};
    if (p.saved >= 0)
        shapes[p.saved] = SHAPE(n, t, recurrent_saved(recurrent->kind) * u);
    if (!node_many(g, OP_RECURRENT, inputs, p.n_inputs, &attrs, shapes, p.n_outputs, outputs))
        return false;
    results[0] = outputs[p.y];
    results[1] = outputs[p.last_h];
    results[2] = p.last_c >= 0 ? outputs[p.last_c] : NULL;
    return true;
}

/* The states that the steps began with, [N * T, U]. */
static struct value *states_before(struct graph *g, const struct recurrent *r, struct value *h, struct value *y)
{
    int64_t n = y->shape.dim[0], t = y->shape.dim[1], u = y->shape.dim[2];
    struct value *first = op_reshape(g, h, SHAPE(n, 1, u)), *all = first;
    if (t > 1) {
        const int64_t begin[] = {0, r->backwards ? 1 : 0, 0}, end[] = {n, r->backwards ? t : t - 1, u};
        struct value *others = op_slice(g, y, begin, end, NULL);
        struct value *parts[] = {r->backwards ? others : first, r->backwards ? first : others};
        all = op_concat(g, parts, 2, 1);
    }
    return op_reshape(g, all, SHAPE(n * t, u));
}

static struct value *rows_of(struct graph *g, struct value *x)
{
    return x ? op_reshape(g, x, SHAPE(x->shape.dim[0] * x->shape.dim[1], x->shape.dim[2])) : NULL;
}

/* Columns [from, to) of the last of three axes, as rows [N * T, to - from]. */
static struct value *columns(struct graph *g, struct value *x, int64_t from, int64_t to)
{
    if (!x)
        return NULL;
    int64_t n = x->shape.dim[0], t = x->shape.dim[1];
    return rows_of(g, op_slice(g, x, (const int64_t[]){0, 0, from}, (const int64_t[]){n, t, to}, NULL));
}

/* What gate k of the recurrent kernel was multiplied with, [N * T, U]. */
static struct value *met_by_gate(struct graph *g, const struct node *node, struct value *before, int gate)
{
    const struct recurrent *r = &node->attrs.recurrent;
    const struct recurrent_places p = recurrent_places(r);
    const struct shape y = node->outputs[p.y]->shape;
    int64_t n = y.dim[0], u = y.dim[2];
    if (r->reset_before && gate == 2)
        return columns(g, node->outputs[p.saved], 3 * u, 4 * u);
    if (!r->dropped)
        return before;
    struct value *factors = op_slice(g, node->inputs[p.factors], (const int64_t[]){0, gate * u},
                                     (const int64_t[]){n, (gate + 1) * u}, NULL);
    return rows_of(g, op_mul(g, op_reshape(g, before, y), op_reshape(g, factors, SHAPE(n, 1, u))));
}

static struct value *kernel_gradient_by_gates(struct graph *g, const struct node *node, struct value *before,
                                              struct value *dz)
{
    int n_gates = recurrent_gates(node->attrs.recurrent.kind);
    int64_t u = node->outputs[0]->shape.dim[2];
    struct value *parts[4] = {NULL};
    for (int i = 0; i < n_gates; i++)
        parts[i] = op_matmul(g, met_by_gate(g, node, before, i), columns(g, dz, i * u, (i + 1) * u), true, false);
    return n_gates == 1 ? parts[0] : op_concat(g, parts, n_gates, 1);
}

static bool gradient_at_gates(struct graph *g, const struct node *node, struct value *const *douts,
                              struct recurrent_dx_places *d, struct value **outputs)
{
    struct op_attrs attrs = node->attrs;
    struct recurrent *r = &attrs.recurrent;
    const struct recurrent_places p = recurrent_places(r);
    r->with_dy = douts[p.y] != NULL;
    r->with_dh = douts[p.last_h] != NULL;
    r->with_dc = p.last_c >= 0 && douts[p.last_c] != NULL;
    *d = recurrent_dx_places(r);
    struct value *inputs[11] = {NULL};
    const struct placed all[] = {{d->recurrent_kernel, node->inputs[p.recurrent_kernel]},
                                 {d->bias, node->inputs[p.bias]},
                                 {d->h, node->inputs[p.h]},
                                 {d->y, node->outputs[p.y]},
                                 {d->c, p.c >= 0 ? node->inputs[p.c] : NULL},
                                 {d->saved, p.saved >= 0 ? node->outputs[p.saved] : NULL},
                                 {d->mask, p.mask >= 0 ? node->inputs[p.mask] : NULL},
                                 {d->factors, p.factors >= 0 ? node->inputs[p.factors] : NULL},
                                 {d->dy, douts[p.y]},
                                 {d->dh, douts[p.last_h]},
                                 {d->dc, p.last_c >= 0 ? douts[p.last_c] : NULL}};
    place(inputs, all, sizeof all / sizeof *all);
    const struct shape y = node->outputs[p.y]->shape;
    struct shape gates = y, shapes[5];
    gates.dim[2] *= recurrent_gates(r->kind);
    for (int i = 0; i < d->n_outputs; i++)
        shapes[i] = i == d->dz || i == d->dz_recurrent ? gates
                    : i == d->dbias                    ? node->inputs[p.bias]->shape
                                                       : SHAPE(y.dim[0], y.dim[2]);
    return node_many(g, OP_RECURRENT_DX, inputs, d->n_inputs, &attrs, shapes, d->n_outputs, outputs);
}

void gradient_recurrent(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    const struct recurrent_places p = recurrent_places(&node->attrs.recurrent);
    struct recurrent_dx_places d;
    struct value *outputs[5] = {NULL}, *x = node->inputs[p.x];
    if (!gradient_at_gates(g, node, douts, &d, outputs))
        return;
    struct value *dz = outputs[d.dz], *flat = rows_of(g, dz);
    dinputs[p.h] = outputs[d.dh0];
    if (p.c >= 0)
        dinputs[p.c] = outputs[d.dc0];
    dinputs[p.bias] = outputs[d.dbias];
    if (wants(g, node, p.x))
        dinputs[p.x] = p.kernel < 0 ? dz : op_matmul(g, dz, node->inputs[p.kernel], false, true);
    if (p.kernel >= 0 && wants(g, node, p.kernel))
        dinputs[p.kernel] = op_matmul(g, rows_of(g, x), flat, true, false);
    if (!wants(g, node, p.recurrent_kernel))
        return;
    struct value *before = states_before(g, &node->attrs.recurrent, node->inputs[p.h], node->outputs[p.y]);
    dinputs[p.recurrent_kernel] =
        recurrent_by_gates(&node->attrs.recurrent)
            ? kernel_gradient_by_gates(g, node, before, d.dz_recurrent >= 0 ? outputs[d.dz_recurrent] : dz)
            : op_matmul(g, before, d.dz_recurrent >= 0 ? rows_of(g, outputs[d.dz_recurrent]) : flat, true, false);
}
