/* layers_recurrent.c - LSTM, GRU, SimpleRNN, RNN over cells, and the cells. How cells run: recurrent_cell.h */
#include "engine/layers/layers_recurrent.h"

#include <stdlib.h>
#include <string.h>

static enum recurrent_kind kind_of(const struct layer *layer)
{
    return str_starts(layer->class->name, "LSTM")  ? RECURRENT_LSTM
           : str_starts(layer->class->name, "GRU") ? RECURRENT_GRU
                                                   : RECURRENT_SIMPLE;
}

/* ---- the cells themselves; inside an RNN only their build is called ---- */

static struct stack *stack_of(struct model *model, struct cell *cell)
{
    struct stack *stack = arena_alloc(&model->arena, sizeof *stack);
    if (cell)
        *stack = (struct stack){.n_cells = 1, .cells = {cell}};
    return stack;
}

static int stack_states(const struct stack *stack)
{
    int n = 0;
    for (int i = 0; i < stack->n_cells; i++)
        n += cell_states(stack->cells[i]);
    return n;
}

/* Outputs after the first: the states. */
static void declare_states(struct layer *layer, struct model *model, const struct stack *stack)
{
    struct shape *shapes = arena_array(&model->arena, LAYER_MAX_OUTPUTS, sizeof *shapes);
    int n = 1;
    for (int i = 0; i < stack->n_cells; i++)
        for (int k = 0; k < cell_states(stack->cells[i]); k++)
            shapes[n++] = SHAPE(stack->cells[i]->units);
    layer->n_outputs = n;
    layer->outputs = shapes;
}

static bool states_fit(const struct layer *layer, struct model *model, const struct stack *stack,
                       const struct shape *inputs, int n, struct err *err)
{
    int wanted = stack_states(stack), next = 0;
    if (n != wanted)
        return layer_fail(layer, err, "its initial_state must be %d tensor%s, found %d", wanted, wanted == 1 ? "" : "s",
                          n);
    for (int i = 0; i < stack->n_cells; i++)
        for (int k = 0; k < cell_states(stack->cells[i]); k++, next++)
            if (inputs[next].rank != 1 || inputs[next].dim[0] != stack->cells[i]->units)
                return layer_fail(layer, err, "state %d must have the shape (%lld,), found %s", next,
                                  (long long)stack->cells[i]->units, shape_text(&model->arena, inputs[next]));
    return true;
}

static bool build_cell(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                       struct shape *output, struct err *err)
{
    if (!layer_want_rank(layer, inputs[0], 1, "(features,)", err))
        return false;
    struct cell *cell = cell_build(layer, model, kind_of(layer), inputs[0].dim[0], err);
    struct stack *stack = stack_of(model, cell);
    layer->state = stack;
    if (!cell)
        return false;
    *output = SHAPE(cell->units);
    declare_states(layer, model, stack);
    return layer->parent || states_fit(layer, model, stack, inputs + 1, n - 1, err);
}

static struct value *lower_cell(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    const struct stack *stack = layer->state;
    const struct cell *cell = stack->cells[0];
    struct value *states[CELL_STATES_MAX] = {NULL};
    for (int i = 0; i < cell_states(cell) && i + 1 < n; i++)
        states[i] = as_float(l->graph, inputs[i + 1]);
    cell_step(l, cell, as_float(l->graph, inputs[0]), states);
    for (int i = 0; i < cell_states(cell); i++)
        l->outputs[i + 1] = states[i];
    return states[0];
}

/* Keras names the members of a list after their class, with a number from the second on. */
static const char *member_group(struct model *model, const json_t *list, size_t index)
{
    const char *own, *other;
    const json_t *config;
    int before = 0;
    if (!class_reference(json_array_get(list, index), &own, &config))
        own = "cell";
    for (size_t i = 0; i < index; i++)
        before += class_reference(json_array_get(list, i), &other, &config) && !strcmp(own, other);
    char *snake = keras_snake_name(own);
    const char *group = before ? arena_printf(&model->arena, "cells/%s_%d", snake, before)
                               : arena_printf(&model->arena, "cells/%s", snake);
    free(snake);
    return group;
}

/* A cell, or several, as a part of the layer; appended to the stack. shape: of one step, before and after. */
static bool add_cells(struct layer *layer, struct model *model, struct stack *stack, const char *group,
                      const json_t *given, struct shape *shape, struct err *err)
{
    struct layer_part *part = layer_add_part(layer, model, group, given, NULL, err);
    struct layer *inner = part ? part_layer(part) : NULL;
    struct shape outputs[LAYER_MAX_OUTPUTS] = {0};
    if (!part)
        return false;
    if (!inner || (inner->class->build != build_cell && inner->class->build != build_stacked_cells))
        return layer_fail(layer, err, "a cell must be a LSTMCell, GRUCell, SimpleRNNCell or StackedRNNCells, found %s",
                          inner ? inner->class->name : "a model");
    if (!part_build(part, model, shape, 1, outputs, err))
        return false;
    const struct stack *cells = inner->state;
    for (int i = 0; i < cells->n_cells; i++) {
        if (stack->n_cells == CELLS_MAX)
            return layer_fail(layer, err, "more than %d cells", CELLS_MAX);
        stack->cells[stack->n_cells++] = cells->cells[i];
    }
    *shape = outputs[0];
    return true;
}

bool build_stacked_cells(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                         struct shape *output, struct err *err)
{
    const json_t *cells = layer_arg(layer, "cells");
    struct stack *stack = stack_of(model, NULL);
    struct shape shape = inputs[0];
    (void)n;
    layer->state = stack;
    if (!json_is_array(cells) || !json_array_size(cells))
        return layer_fail(layer, err, "cells must be a list of cells, found %s", js_type_name(cells));
    if (!layer->parent)
        return layer_fail(layer, err, "stacked cells are only possible as the cell of an RNN");
    for (size_t i = 0; i < json_array_size(cells); i++)
        if (!add_cells(layer, model, stack, member_group(model, cells, i), json_array_get(cells, i), &shape, err))
            return false;
    *output = shape;
    return true;
}

static struct value *lower_stacked_cells(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    (void)inputs, (void)n;
    return graph_fail(l->graph, ERR_USAGE, "%s: layer '%s': stacked cells run inside an RNN only", layer->where,
                      layer->path);
}

/* ---- layers over sequences ---- */

struct sequence_inputs sequence_inputs_of(const struct layer *layer, const struct call_spec *call, int n)
{
    struct sequence_inputs s = {.x = 0, .state = 1, .n_states = n - 1, .mask = -1};
    int count;
    if (layer->parent || !call || !call->args)
        return s;
    call_tensors(layer->class, call, "sequences", &s.x, &count);
    call_tensors(layer->class, call, "initial_state", &s.state, &s.n_states);
    if (!call_tensors(layer->class, call, "mask", &s.mask, &count))
        s.mask = -1;
    const json_t *masks = json_object_get(call->kwargs, "mask");
    if (json_is_array(masks) && json_is_null(json_array_get(masks, 0)))
        s.mask = -1;
    return s;
}

bool sequence_fits(const struct layer *layer, const struct call_spec *call, const struct sequence_inputs *s,
                   const struct shape *inputs, struct err *err)
{
    int first, n = 1;
    if (!layer->parent && call && call->args)
        call_tensors(layer->class, call, "sequences", &first, &n);
    if (n != 1)
        return layer_fail(
            layer, err,
            "its sequences must be one tensor, found %d; states are named: \"inputs\": {\"sequences\": ..., "
            "\"initial_state\": [...]}",
            n);
    return layer_want_rank(layer, inputs[s->x], 2, "(steps, features)", err);
}

struct value *sequence_mask(struct lowering *l, const struct sequence_inputs *s, struct value *const *inputs)
{
    return s->mask >= 0 ? op_expr(l->graph, "a != 0", inputs[s->mask], NULL, NULL, NULL) : l->masks[s->x];
}

static bool finish_sequence(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                            struct shape *output, struct err *err)
{
    const struct stack *stack = layer->state;
    int64_t units = stack->cells[stack->n_cells - 1]->units;
    const struct sequence_inputs s = sequence_inputs_of(layer, layer->first_call, n);
    const json_t *given = layer->first_call ? json_object_get(layer->first_call->kwargs, "initial_state") : NULL;
    if (layer_bool(layer, "stateful"))
        return layer_fail(
            layer, err,
            "stateful=true is not possible: states that pass from batch to batch would make a resumed run "
            "another one; use return_state and initial_state instead");
    if (given && !json_is_null(given) && !s.n_states)
        return layer_fail(layer, err, "initial_state must be tensors, found %s", js_type_name(given));
    if (s.n_states && !states_fit(layer, model, stack, inputs + s.state, s.n_states, err))
        return false;
    if (stack_states(stack) >= LAYER_MAX_OUTPUTS && layer_bool(layer, "return_state"))
        return layer_fail(layer, err, "return_state would give more than %d outputs", LAYER_MAX_OUTPUTS);
    *output = layer_bool(layer, "return_sequences") ? SHAPE(inputs[s.x].dim[0], units) : SHAPE(units);
    if (layer_bool(layer, "return_state"))
        declare_states(layer, model, stack);
    return true;
}

static bool build_sequence(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                           struct shape *output, struct err *err)
{
    static const char *const names[] = {"simple_rnn_cell", "gru_cell", "lstm_cell"};
    const struct sequence_inputs s = sequence_inputs_of(layer, layer->first_call, n);
    if (!sequence_fits(layer, layer->first_call, &s, inputs, err))
        return false;
    layer_begin_part(layer, "cell", names[kind_of(layer)]);
    struct cell *cell = cell_build(layer, model, kind_of(layer), inputs[s.x].dim[1], err);
    layer_begin_part(layer, NULL, NULL);
    layer->state = stack_of(model, cell);
    return cell && finish_sequence(layer, model, inputs, n, output, err);
}

/* RNN: its cell is a layer of its own; a list of cells is what StackedRNNCells holds. */
static bool build_rnn(struct layer *layer, struct model *model, const struct shape *inputs, int n, struct shape *output,
                      struct err *err)
{
    const json_t *given = layer_arg(layer, "cell");
    struct stack *stack = stack_of(model, NULL);
    const struct sequence_inputs s = sequence_inputs_of(layer, layer->first_call, n);
    layer->state = stack;
    if (!sequence_fits(layer, layer->first_call, &s, inputs, err))
        return false;
    if (json_is_array(given)) {
        json_t *stacked = json_pack("{s:s, s:O}", "class", "StackedRNNCells", "cells", given);
        model_keep_json(model, stacked);
        given = stacked;
    }
    struct shape step = SHAPE(inputs[s.x].dim[1]);
    return add_cells(layer, model, stack, "cell", given, &step, err) &&
           finish_sequence(layer, model, inputs, n, output, err);
}

/* One cell after the other over the whole sequence; returns h of the last one at the place of its step. */
static struct value *run_stack(struct lowering *l, const struct stack *stack, struct value *x, struct value *mask,
                               bool backwards, struct value **states)
{
    int next = 0;
    for (int i = 0; i < stack->n_cells; i++) {
        x = cell_run(l, stack->cells[i], x, mask, backwards, states + next);
        next += cell_states(stack->cells[i]);
    }
    return x;
}

/* The last step that is computed, as 0 or 1 for each sample. */
static struct value *last_held(struct graph *g, struct value *mask, bool backwards)
{
    int64_t n = mask->shape.dim[0], at = backwards ? 0 : mask->shape.dim[1] - 1;
    return op_slice(g, mask, (const int64_t[]){0, at}, (const int64_t[]){n, at + 1}, NULL);
}

static struct value *lower_sequence(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    const struct stack *stack = layer->state;
    const struct sequence_inputs s = sequence_inputs_of(layer, l->call, n);
    struct graph *g = l->graph;
    struct value *states[CELLS_MAX * CELL_STATES_MAX] = {NULL}, *x = as_float(g, inputs[s.x]);
    struct value *mask = sequence_mask(l, &s, inputs);
    mask = s.n_states && s.mask < 0 && !layer->parent ? NULL : mask; /* Keras' call with states sees no other mask */
    bool backwards = layer_bool(layer, "go_backwards"), all = layer_bool(layer, "return_sequences");
    int n_states = stack_states(stack), last = n_states, next = 0;
    if (!x)
        return NULL;
    for (int i = 0; i < stack->n_cells; i++)
        for (int k = 0; k < cell_states(stack->cells[i]); k++, next++)
            states[next] = s.n_states ? as_float(g, inputs[s.state + next])
                                      : op_fill(g, SHAPE(x->shape.dim[0], stack->cells[i]->units), 0);
    struct value *y = run_stack(l, stack, x, mask, backwards, states);
    last -= cell_states(stack->cells[stack->n_cells - 1]);
    if (all && mask && layer_bool(layer, "zero_output_for_mask"))
        y = op_mul(g, y, mask_like(g, mask, 3));
    for (int i = 0; layer->n_outputs > 1 && i < n_states; i++)
        l->outputs[i + 1] = states[i];
    if (all)
        return backwards ? op_reverse(g, y, 1) : y;
    return mask && layer_bool(layer, "zero_output_for_mask") ? op_mul(g, states[last], last_held(g, mask, backwards))
                                                             : states[last];
}

static struct value *mask_sequence(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    const struct sequence_inputs s = sequence_inputs_of(layer, l->call, n);
    return layer_bool(layer, "return_sequences") ? sequence_mask(l, &s, inputs) : NULL;
}

bool layer_is_sequence(const struct layer_class *class)
{
    return class && class->lower == lower_sequence;
}

/* ---- the table ---- */

#define ARG_CELL                                                                                                       \
    {"units", ARG_INT, NULL, NULL, 1, 1 << 24, "size of the state"},                                                   \
    {                                                                                                                  \
        "activation", ARG_ACTIVATION, "\"tanh\"", NULL, 0, 0, "of the candidate and of the output"                     \
    }
#define ARG_GATES                                                                                                      \
    {                                                                                                                  \
        "recurrent_activation", ARG_ACTIVATION, "\"sigmoid\"", NULL, 0, 0, "of the gates"                              \
    }
#define ARG_CELL_WEIGHTS                                                                                               \
    {"use_bias", ARG_BOOL, "true", NULL, 0, 0, "add a bias"}, ARG_WEIGHT("kernel", "\"glorot_uniform\""),              \
        ARG_WEIGHT("recurrent", "\"orthogonal\""), ARG_WEIGHT("bias", "\"zeros\"")
#define ARG_CELL_DROPOUT                                                                                               \
    {"dropout", ARG_FLOAT, "0", NULL, 0, 1, "share of the inputs dropped, the same at every step"},                    \
        {"recurrent_dropout", ARG_FLOAT, "0", NULL, 0, 1, "share of the states dropped, the same at every step"},      \
        ARG_LAYER_SEED
#define ARG_IMPLEMENTATION                                                                                             \
    {                                                                                                                  \
        "implementation", ARG_INT, "2", NULL, 1, 2, "1: every gate has its own dropout mask"                           \
    }
#define ARG_SEQUENCE                                                                                                   \
    {"return_sequences", ARG_BOOL, "false", NULL, 0, 0, "the output of every step, not of the last alone"},            \
        {"return_state", ARG_BOOL, "false", NULL, 0, 0, "the last states as further outputs"},                         \
        {"go_backwards", ARG_BOOL, "false", NULL, 0, 0, "from the last step to the first"},                            \
        {"stateful", ARG_BOOL, "false", NULL, 0, 0, "must be false"},                                                  \
        {"unroll", ARG_BOOL, "false", NULL, 0, 0, "changes nothing"},                                                  \
    {                                                                                                                  \
        "zero_output_for_mask", ARG_BOOL, "false", NULL, 0, 0, "masked steps put out zeros, not what was before"       \
    }
#define ARG_CUDNN                                                                                                      \
    {                                                                                                                  \
        "use_cudnn", ARG_ANY, "\"auto\"", NULL, 0, 0, "changes nothing"                                                \
    }
#define ARG_FORGET                                                                                                     \
    {                                                                                                                  \
        "unit_forget_bias", ARG_BOOL, "true", NULL, 0, 0, "the forget gate's bias starts at one"                       \
    }
#define ARG_RESET                                                                                                      \
    {                                                                                                                  \
        "reset_after", ARG_BOOL, "true", NULL, 0, 0, "the reset gate acts after the matrix product"                    \
    }

static const struct argument lstm_arguments[] = {ARG_CELL,     ARG_GATES,        ARG_CELL_WEIGHTS,
                                                 ARG_FORGET,   ARG_CELL_DROPOUT, ARG_IMPLEMENTATION,
                                                 ARG_SEQUENCE, ARG_CUDNN,        {0}};
static const struct argument gru_arguments[] = {ARG_CELL,     ARG_GATES,        ARG_CELL_WEIGHTS,
                                                ARG_RESET,    ARG_CELL_DROPOUT, ARG_IMPLEMENTATION,
                                                ARG_SEQUENCE, ARG_CUDNN,        {0}};
static const struct argument simple_arguments[] = {ARG_CELL, ARG_CELL_WEIGHTS, ARG_CELL_DROPOUT, ARG_SEQUENCE, {0}};
static const struct argument lstm_cell_arguments[] = {
    ARG_CELL, ARG_GATES, ARG_CELL_WEIGHTS, ARG_FORGET, ARG_CELL_DROPOUT, ARG_IMPLEMENTATION, {0}};
static const struct argument gru_cell_arguments[] = {
    ARG_CELL, ARG_GATES, ARG_CELL_WEIGHTS, ARG_RESET, ARG_CELL_DROPOUT, ARG_IMPLEMENTATION, {0}};
static const struct argument simple_cell_arguments[] = {ARG_CELL, ARG_CELL_WEIGHTS, ARG_CELL_DROPOUT, {0}};
static const struct argument rnn_arguments[] = {
    {"cell", ARG_ANY, NULL, NULL, 0, 0, "a cell, or a list of cells one upon the other"}, ARG_SEQUENCE, {0}};
static const struct argument stacked_arguments[] = {{"cells", ARG_ANY, NULL, NULL, 0, 0, "cells one upon the other"},
                                                    {0}};

static const struct call_argument sequence_call[] = {
    {"sequences", CALL_TENSOR}, {"initial_state", CALL_TENSOR}, {"mask", CALL_TENSOR}, {"training", CALL_BOOL}, {0}};
static const struct call_argument cell_call[] = {
    {"inputs", CALL_TENSOR}, {"states", CALL_TENSOR}, {"training", CALL_BOOL}, {0}};

const struct layer_class layers_recurrent[] = {
    {"LSTM", "long short-term memory over a sequence", lstm_arguments, 1, 4, build_sequence, lower_sequence,
     mask_sequence, sequence_call},
    {"GRU", "gated recurrent unit over a sequence", gru_arguments, 1, 3, build_sequence, lower_sequence, mask_sequence,
     sequence_call},
    {"SimpleRNN", "fully connected recurrence over a sequence", simple_arguments, 1, 3, build_sequence, lower_sequence,
     mask_sequence, sequence_call},
    {"RNN", "a cell over a sequence", rnn_arguments, 1, -1, build_rnn, lower_sequence, mask_sequence, sequence_call},
    {"LSTMCell", "one step of an LSTM", lstm_cell_arguments, 1, 3, build_cell, lower_cell, NULL, cell_call},
    {"GRUCell", "one step of a GRU", gru_cell_arguments, 1, 2, build_cell, lower_cell, NULL, cell_call},
    {"SimpleRNNCell", "one step of a SimpleRNN", simple_cell_arguments, 1, 2, build_cell, lower_cell, NULL, cell_call},
    {"StackedRNNCells", "cells one upon the other, as the cell of an RNN", stacked_arguments, 1, 1, build_stacked_cells,
     lower_stacked_cells, NULL},
    {0}};
