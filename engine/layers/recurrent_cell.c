/* recurrent_cell.c - see recurrent_cell.h */
#include "engine/layers/recurrent_cell.h"
#include "engine/layers/initializers.h"

#include <stdio.h>
#include <string.h>

int cell_states(const struct cell *cell)
{
    return cell->kind == RECURRENT_LSTM ? 2 : 1;
}

/* Keras' unit_forget_bias: the bias initializer, but ones for the forget gate. */
static bool fill_forget_bias(const struct variable *variable, uint64_t seed, float *out, struct err *err)
{
    int64_t units = variable->shape.dim[0] / 4;
    for (int64_t i = 0; i < units; i++)
        out[units + i] = 1;
    return initializer_fill(variable->initializer, seed, variable->seed_number, SHAPE(units), out, err) &&
           initializer_fill(variable->initializer, ~seed, variable->seed_number, SHAPE(2 * units), out + 2 * units,
                            err);
}

static const struct activation *read_activation(const struct layer *layer, struct model *model, const char *name,
                                                int64_t units, struct err *err)
{
    char where[256];
    snprintf(where, sizeof where, "%s.%s", layer->where, name);
    const struct activation *activation = activation_parse(&model->arena, layer_arg(layer, name), where, err);
    if (!activation || !activation_fits(activation, SHAPE(units), where, err))
        return NULL;
    if (activation_shape(activation, SHAPE(units)).dim[0] != units) {
        layer_fail(layer, err, "%s must not change the number of units", name);
        return NULL;
    }
    return activation;
}

static bool add_variables(struct cell *cell, struct layer *layer, struct model *model, int64_t features,
                          struct err *err)
{
    int64_t gates = recurrent_gates(cell->kind) * cell->units;
    struct shape bias = cell->kind == RECURRENT_GRU && cell->reset_after ? SHAPE(2, gates) : SHAPE(gates);
    cell->kernel = layer->n_variables;
    cell->recurrent_kernel = cell->kernel + 1;
    cell->bias = cell->use_bias ? cell->kernel + 2 : -1;
    if (!layer_add_variable(layer, model, "kernel", SHAPE(features, gates), true, "kernel_initializer", NULL, err) ||
        !layer_add_variable(layer, model, "recurrent_kernel", SHAPE(cell->units, gates), true, "recurrent_initializer",
                            NULL, err))
        return false;
    if (!cell->use_bias)
        return true;
    struct variable *b = layer_add_variable(layer, model, "bias", bias, true, "bias_initializer", NULL, err);
    if (b && cell->kind == RECURRENT_LSTM && layer_bool(layer, "unit_forget_bias"))
        b->fill = fill_forget_bias;
    return b != NULL;
}

struct cell *cell_build(struct layer *layer, struct model *model, enum recurrent_kind kind, int64_t features,
                        struct err *err)
{
    struct cell *cell = arena_alloc(&model->arena, sizeof *cell);
    *cell = (struct cell){.kind = kind,
                          .layer = layer,
                          .units = layer_int(layer, "units"),
                          .use_bias = layer_bool(layer, "use_bias"),
                          .reset_after = kind == RECURRENT_GRU && layer_bool(layer, "reset_after"),
                          .dropout = layer_double(layer, "dropout"),
                          .recurrent_dropout = layer_double(layer, "recurrent_dropout")};
    cell->activation = read_activation(layer, model, "activation", cell->units, err);
    cell->gate = kind == RECURRENT_SIMPLE ? cell->activation
                                          : read_activation(layer, model, "recurrent_activation", cell->units, err);
    cell->mask_per_gate =
        kind != RECURRENT_SIMPLE && (cell->recurrent_dropout > 0 || layer_int(layer, "implementation") == 1);
    if (!cell->activation || !cell->gate || !add_variables(cell, layer, model, features, err))
        return NULL;
    return cell;
}

static struct value *variable_of(struct lowering *l, const struct cell *cell, int number)
{
    return layer_value(l, cell->layer, number);
}

static struct value *columns(struct graph *g, struct value *x, int64_t from, int64_t to)
{
    if (!x)
        return NULL;
    int64_t begin[RANK_MAX] = {0}, end[RANK_MAX];
    memcpy(end, x->shape.dim, sizeof end);
    begin[x->shape.rank - 1] = from;
    end[x->shape.rank - 1] = to;
    return op_slice(g, x, begin, end, NULL);
}

/* ---- dropout: one mask for all steps; streams 0..3 are the inputs' gates, 4..7 the states' ---- */

static bool drops(const struct lowering *l, const struct cell *cell, double rate)
{
    return l->mode == MODE_TRAIN && rate > 0 && (rate < 1 || cell->kind == RECURRENT_SIMPLE);
}

static struct value *drop(struct lowering *l, const struct cell *cell, struct value *x, double rate, int stream)
{
    if (!x || !drops(l, cell, rate))
        return x;
    if (rate >= 1)
        return op_scale(l->graph, x, 0);
    struct shape noise = x->shape;
    if (noise.rank == 3)
        noise.dim[1] = 1;
    x = op_dropout(l->graph, x, l->step, rate, layer_seed(l, cell->layer),
                   layer_stream(l, cell->layer) + ((uint32_t)stream << 20), &noise);
    return layer_cast(l, cell->layer, x);
}

/* ---- which cells are one op ---- */

static bool find_function(const struct activation *activation, enum recurrent_function *function)
{
    static const struct {
        const char *name;
        enum recurrent_function function;
    } rows[] = {{"tanh", FUNCTION_TANH},
                {"sigmoid", FUNCTION_SIGMOID},
                {"relu", FUNCTION_RELU},
                {"linear", FUNCTION_LINEAR},
                {"hard_sigmoid", FUNCTION_HARD_SIGMOID}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (activation_is(activation, rows[i].name)) {
            *function = rows[i].function;
            return true;
        }
    return false;
}

static bool own_masks(const struct lowering *l, const struct cell *cell)
{
    return cell->mask_per_gate && drops(l, cell, cell->dropout);
}

/* In bfloat16 the op rounds less often than Keras where gates have products of their own. */
static bool is_usual(const struct lowering *l, const struct cell *cell, struct recurrent *r)
{
    bool by_gates = own_masks(l, cell) || drops(l, cell, cell->recurrent_dropout) || r->reset_before;
    return !(r->bfloat16 && by_gates) && find_function(cell->activation, &r->activation) &&
           find_function(cell->gate, &r->gate);
}

/* ---- any cell: step by step ---- */

/* Row `row` of a GRU's two biases, or the whole bias; NULL when there is none. */
static struct value *bias_row(struct lowering *l, const struct cell *cell, int64_t row)
{
    if (cell->bias < 0 || (row && !cell->reset_after))
        return NULL;
    struct value *bias = variable_of(l, cell, cell->bias);
    if (!cell->reset_after)
        return bias;
    int64_t gates = 3 * cell->units;
    return op_reshape(l->graph,
                      op_slice(l->graph, bias, (const int64_t[]){row, 0}, (const int64_t[]){row + 1, gates}, NULL),
                      SHAPE(gates));
}

static struct value *plus(struct graph *g, struct value *x, struct value *bias)
{
    return bias ? op_add(g, x, bias) : x;
}

/* x K, each gate with its own dropout mask where Keras has one. */
static struct value *project(struct lowering *l, const struct cell *cell, struct value *x)
{
    struct value *kernel = variable_of(l, cell, cell->kernel), *parts[4];
    int n_gates = recurrent_gates(cell->kind);
    if (!cell->mask_per_gate || !drops(l, cell, cell->dropout))
        return op_matmul(l->graph, drop(l, cell, x, cell->dropout, 0), kernel, false, false);
    for (int i = 0; i < n_gates; i++)
        parts[i] = op_matmul(l->graph, drop(l, cell, x, cell->dropout, i),
                             columns(l->graph, kernel, i * cell->units, (i + 1) * cell->units), false, false);
    return op_concat(l->graph, parts, n_gates, -1);
}

/* What all steps share. */
struct stepping {
    struct lowering *l;
    const struct cell *cell;
    struct value *masks[4]; /* of the states by gate, NULL without dropout */
};

static struct stepping begin_steps(struct lowering *l, const struct cell *cell, struct shape states)
{
    struct stepping s = {.l = l, .cell = cell};
    for (int i = 0; drops(l, cell, cell->recurrent_dropout) && i < recurrent_gates(cell->kind); i++)
        s.masks[i] = drop(l, cell, op_fill(l->graph, states, 1), cell->recurrent_dropout, 4 + i);
    return s;
}

static struct value *masked_states(const struct stepping *s, struct value *h, int gate)
{
    return s->masks[gate] ? layer_cast(s->l, s->cell->layer, op_mul(s->l->graph, h, s->masks[gate])) : h;
}

static struct value *recurrent_columns(const struct stepping *s, int from, int to)
{
    struct value *kernel = variable_of(s->l, s->cell, s->cell->recurrent_kernel);
    bool all = !from && to == recurrent_gates(s->cell->kind);
    return all ? kernel : columns(s->l->graph, kernel, from * s->cell->units, to * s->cell->units);
}

/* h R for the first n gates. */
static struct value *recur(const struct stepping *s, struct value *h, int n_gates)
{
    struct value *parts[4];
    if (!s->masks[0])
        return op_matmul(s->l->graph, h, recurrent_columns(s, 0, n_gates), false, false);
    for (int i = 0; i < n_gates; i++)
        parts[i] = op_matmul(s->l->graph, masked_states(s, h, i), recurrent_columns(s, i, i + 1), false, false);
    return op_concat(s->l->graph, parts, n_gates, -1);
}

static struct value *gate_of(const struct stepping *s, const struct activation *activation, struct value *z, int gate)
{
    int64_t u = s->cell->units;
    return activation_lower(s->l->graph, activation, columns(s->l->graph, z, gate * u, (gate + 1) * u));
}

static struct value *cast(const struct stepping *s, struct value *x)
{
    return layer_cast(s->l, s->cell->layer, x);
}

static void step_lstm(const struct stepping *s, struct value *zx, struct value **states)
{
    struct graph *g = s->l->graph;
    const struct cell *cell = s->cell;
    struct value *z = op_add(g, zx, recur(s, states[0], 4));
    struct value *i = gate_of(s, cell->gate, z, 0), *f = gate_of(s, cell->gate, z, 1);
    struct value *candidate = gate_of(s, cell->activation, z, 2), *o = gate_of(s, cell->gate, z, 3);
    states[1] = cast(s, op_expr(g, "a * b + c * d", f, states[1], i, candidate));
    states[0] = cast(s, op_mul(g, o, activation_lower(g, cell->activation, states[1])));
}

static void step_gru(const struct stepping *s, struct value *zx, struct value **states)
{
    struct graph *g = s->l->graph;
    const struct cell *cell = s->cell;
    int64_t u = cell->units;
    struct value *h = states[0], *zh = plus(g, recur(s, h, cell->reset_after ? 3 : 2), bias_row(s->l, cell, 1));
    struct value *both = op_add(g, columns(g, zx, 0, 2 * u), columns(g, zh, 0, 2 * u));
    struct value *z = gate_of(s, cell->gate, both, 0), *r = gate_of(s, cell->gate, both, 1);
    struct value *inner = cell->reset_after ? op_mul(g, r, columns(g, zh, 2 * u, 3 * u))
                                            : op_matmul(g, cast(s, op_mul(g, r, masked_states(s, h, 2))),
                                                        recurrent_columns(s, 2, 3), false, false);
    struct value *candidate = activation_lower(g, cell->activation, op_add(g, columns(g, zx, 2 * u, 3 * u), inner));
    states[0] = cast(s, op_expr(g, "a * b + (1 - a) * c", z, h, candidate, NULL));
}

static void step_any(const struct stepping *s, struct value *zx, struct value **states)
{
    if (!zx || !states[0])
        return;
    if (s->cell->kind == RECURRENT_LSTM)
        step_lstm(s, zx, states);
    else if (s->cell->kind == RECURRENT_GRU)
        step_gru(s, zx, states);
    else
        states[0] = cast(
            s, activation_lower(s->l->graph, s->cell->activation, op_add(s->l->graph, zx, recur(s, states[0], 1))));
}

void cell_step(struct lowering *l, const struct cell *cell, struct value *x, struct value **states)
{
    if (!states[0])
        return;
    struct stepping s = begin_steps(l, cell, states[0]->shape);
    step_any(&s, plus(l->graph, project(l, cell, x), bias_row(l, cell, 0)), states);
}

/* The steps [first, first + n) of x, which holds n of them. Halving keeps the gradient's work at n log n. */
static void split_steps(struct graph *g, struct value *x, int64_t n, struct value **steps)
{
    if (!x)
        return;
    if (n == 1) {
        steps[0] = op_reshape(g, x, SHAPE(x->shape.dim[0], x->shape.dim[2]));
        return;
    }
    int64_t half = n / 2, batch = x->shape.dim[0], width = x->shape.dim[2];
    split_steps(g, op_slice(g, x, (const int64_t[]){0, 0, 0}, (const int64_t[]){batch, half, width}, NULL), half,
                steps);
    split_steps(g, op_slice(g, x, (const int64_t[]){0, half, 0}, (const int64_t[]){batch, n, width}, NULL), n - half,
                steps + half);
}

static struct value *run_by_steps(struct lowering *l, const struct cell *cell, struct value *x, struct value *mask,
                                  bool backwards, struct value **states)
{
    struct graph *g = l->graph;
    int64_t n = x->shape.dim[0], t = x->shape.dim[1];
    struct stepping s = begin_steps(l, cell, SHAPE(n, cell->units));
    struct value **zx = arena_array(&g->arena, (size_t)t, sizeof *zx),
                 **held = arena_array(&g->arena, (size_t)t, sizeof *held);
    struct value **y = arena_array(&g->arena, (size_t)t, sizeof *y);
    split_steps(g, plus(g, project(l, cell, x), bias_row(l, cell, 0)), t, zx);
    if (mask)
        split_steps(g, op_reshape(g, mask, SHAPE(n, t, 1)), t, held);
    for (int64_t i = 0; i < t; i++) {
        int64_t place = backwards ? t - 1 - i : i;
        struct value *before[CELL_STATES_MAX] = {NULL};
        memcpy(before, states, (size_t)cell_states(cell) * sizeof *states);
        step_any(&s, zx[place], states);
        for (int k = 0; mask && k < cell_states(cell); k++)
            states[k] = op_expr(g, "where(a, b, c)", held[place], states[k], before[k], NULL);
        y[place] = op_reshape(g, states[0], SHAPE(n, 1, cell->units));
    }
    return op_concat(g, y, (int)t, 1);
}

/* The dropout factors of the states, the gates' side by side; NULL without dropout. */
static struct value *state_factors(struct lowering *l, const struct cell *cell, const struct value *h)
{
    if (!h || !drops(l, cell, cell->recurrent_dropout))
        return NULL;
    struct stepping s = begin_steps(l, cell, h->shape);
    int n_gates = recurrent_gates(cell->kind);
    return n_gates == 1 ? s.masks[0] : op_concat(l->graph, s.masks, n_gates, -1);
}

static struct value *run_usual(struct lowering *l, const struct cell *cell, const struct recurrent *r, struct value *x,
                               struct value *mask, struct value **states)
{
    int64_t gates = recurrent_gates(cell->kind) * cell->units;
    bool projected = own_masks(l, cell), pair = cell->kind == RECURRENT_GRU && !r->reset_before;
    struct value *results[3] = {NULL};
    struct value *bias = cell->bias >= 0 ? variable_of(l, cell, cell->bias)
                                         : op_fill(l->graph, pair ? SHAPE(2, gates) : SHAPE(gates), 0);
    op_recurrent(l->graph, r, projected ? project(l, cell, x) : drop(l, cell, x, cell->dropout, 0),
                 projected ? NULL : variable_of(l, cell, cell->kernel), variable_of(l, cell, cell->recurrent_kernel),
                 bias, states[0], cell->kind == RECURRENT_LSTM ? states[1] : NULL, mask,
                 state_factors(l, cell, states[0]), results);
    memcpy(states, results + 1, (size_t)cell_states(cell) * sizeof *states);
    return results[0];
}

struct value *cell_run(struct lowering *l, const struct cell *cell, struct value *x, struct value *mask, bool backwards,
                       struct value **states)
{
    struct recurrent r = {.kind = cell->kind,
                          .backwards = backwards,
                          .reset_before = cell->kind == RECURRENT_GRU && !cell->reset_after,
                          .bfloat16 = cell->layer->bfloat16};
    if (!x)
        return NULL;
    if (mask && (mask->shape.rank != 2 || mask->shape.dim[1] != x->shape.dim[1]))
        return graph_fail(l->graph, ERR_USAGE, "%s: layer '%s': a mask of shape %s does not fit steps of shape %s",
                          cell->layer->where, cell->layer->path, shape_text(&l->graph->arena, mask->shape),
                          shape_text(&l->graph->arena, x->shape));
    return is_usual(l, cell, &r) ? run_usual(l, cell, &r, x, mask, states)
                                 : run_by_steps(l, cell, x, mask, backwards, states);
}
