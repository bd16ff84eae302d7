/* model_lower.c - a built model as ops: shared layers, nested models, regularization, logits. See model.h */
#include "engine/layers/model.h"
#include "engine/layers/model_internal.h"

#include <stdlib.h>
#include <string.h>

static void add_penalty(struct lowering *l, struct value *term)
{
    l->penalty = l->penalty ? op_add(l->graph, l->penalty, term) : term;
}

void penalize_activity(struct lowering *l, const struct regularizer *regularizer, struct value *value)
{
    if (!regularizer || !value)
        return;
    struct value *total = regularizer_lower(l->graph, regularizer, as_float(l->graph, value));
    add_penalty(l, op_scale(l->graph, total, 1.0 / (double)l->batch));
}

/* The inputs as the layer's policy wants them. Operations compute in what they get. */
static struct value *const *cast_inputs(struct lowering *l, const struct layer *layer, struct value *const *inputs,
                                        int n)
{
    bool rounds = layer->class->autocast == CAST_ALL || layer->class->autocast == CAST_FEATURES;
    struct value **cast = arena_array(&l->graph->arena, (size_t)n + 1, sizeof *cast);
    if (layer->class == layer_class_operation())
        return inputs;
    for (int i = 0; i < n; i++)
        if (inputs[i] && inputs[i]->dtype == DTYPE_F32 && (rounds || !layer->bfloat16))
            cast[i] = layer->bfloat16 ? op_bfloat16(l->graph, inputs[i]) : op_float32(l->graph, inputs[i]);
        else
            cast[i] = inputs[i];
    return cast;
}

static struct value *lower_leaf(struct lowering *l, struct layer *layer, struct value *const *inputs, int n,
                                struct masked outputs)
{
    struct lowering own = *l; /* layers inside it have outputs and calls of their own */
    own.graph->label = layer->path;
    own.call_number = l->calls[layer->number]++;
    own.outputs = outputs.values;
    own.output_masks = outputs.masks;
    inputs = cast_inputs(&own, layer, inputs, n);
    outputs.values[0] = layer->class->lower(layer, &own, inputs, n);
    outputs.masks[0] = layer->class->mask ? layer->class->mask(layer, &own, inputs, n) : NULL;
    l->penalty = own.penalty;
    for (int i = 0; i < (layer->class->call ? LAYER_MAX_OUTPUTS : 1); i++) {
        if (layer->class->autocast != CAST_NOTHING)
            outputs.values[i] = layer_cast(l, layer, outputs.values[i]);
        penalize_activity(l, layer->activity_regularizer, outputs.values[i]);
    }
    return outputs.values[0];
}

static void lower_submodel(struct lowering *l, const struct submodel *s, struct masked inputs, struct masked outputs);

void lower_use(struct lowering *l, const struct layer_use *use, const struct call_spec *call, struct masked inputs,
               int n, struct masked outputs)
{
    enum model_mode mode = l->mode;
    const struct call_spec *outer = l->call;
    struct value **outer_masks = l->masks;
    if (call && json_is_false(json_object_get(call->kwargs, "training")))
        l->mode = MODE_INFER;
    l->call = call;
    l->masks = inputs.masks;
    if (use->nested)
        lower_submodel(l, use->nested, inputs, outputs);
    else
        outputs.values[0] = lower_leaf(l, use->layer, inputs.values, n, outputs);
    l->mode = mode;
    l->call = outer;
    l->masks = outer_masks;
}

static struct masked new_masked(struct graph *g, int n)
{
    size_t count = n ? (size_t)n : 1;
    return (struct masked){arena_array(&g->arena, count, sizeof(struct value *)),
                           arena_array(&g->arena, count, sizeof(struct value *))};
}

/* Masks given by keyword take the place of those that came with the inputs: one, or a list with null where there is
 * none. Tensors of keywords stand behind the inputs. */
static void take_keyword_masks(struct graph *g, const struct call_spec *call, struct masked operands, int n)
{
    const json_t *given = json_object_get(call->kwargs, "mask");
    int next = n;
    if (model_spec_is_tensor(given) && next < call->n_inputs)
        operands.masks[0] = op_expr(g, "a != 0", operands.values[next], NULL, NULL, NULL);
    for (size_t i = 0; json_is_array(given) && i < json_array_size(given) && (int)i < n; i++)
        if (model_spec_is_tensor(json_array_get(given, i)) && next < call->n_inputs)
            operands.masks[i] = op_expr(g, "a != 0", operands.values[next++], NULL, NULL, NULL);
}

static void lower_call(struct lowering *l, const struct submodel *s, struct call_ref ref, struct masked **values)
{
    const struct layer_spec *spec = &s->spec->layers[ref.layer];
    const struct call_spec *call = &spec->calls[ref.node];
    struct masked operands = new_masked(l->graph, call->n_inputs);
    int n = call_inputs(&s->uses[ref.layer], spec, call);
    for (int i = 0; i < call->n_inputs; i++) {
        struct tensor_ref from = call->inputs[i];
        operands.values[i] = values[from.layer][from.node].values[from.tensor];
        operands.masks[i] = values[from.layer][from.node].masks[from.tensor];
    }
    if (n < call->n_inputs)
        take_keyword_masks(l->graph, call, operands, n);
    values[ref.layer][ref.node] = new_masked(l->graph, most_outputs(&s->uses[ref.layer], spec));
    lower_use(l, &s->uses[ref.layer], call, operands, n, values[ref.layer][ref.node]);
    for (int i = 0; i < call->n_inputs; i++)
        if (!operands.masks[i])
            values[call->inputs[i].layer][call->inputs[i].node].masks[call->inputs[i].tensor] = NULL;
}

static void lower_submodel(struct lowering *l, const struct submodel *s, struct masked inputs, struct masked outputs)
{
    const struct model_spec *spec = s->spec;
    struct arena *arena = &l->graph->arena;
    struct masked **values = arena_array(arena, (size_t)spec->n_layers, sizeof *values); /* [layer][call] */
    for (int i = 0; i < spec->n_layers; i++)
        values[i] =
            arena_array(arena, (size_t)(spec->layers[i].n_calls ? spec->layers[i].n_calls : 1), sizeof **values);
    for (int i = 0; i < spec->n_order; i++) {
        struct call_ref ref = spec->order[i];
        if (spec->layers[ref.layer].n_calls) {
            lower_call(l, s, ref, values);
            continue;
        }
        int port = s->uses[ref.layer].port;
        inputs.values[port] = layer_cast(l, s->uses[ref.layer].layer, inputs.values[port]);
        values[ref.layer][0] = (struct masked){inputs.values + port, inputs.masks + port};
    }
    for (int i = 0; i < spec->n_outputs; i++) {
        const struct tensor_ref *from = &spec->outputs[i];
        outputs.values[i] = values[from->layer][from->node].values[from->tensor];
        outputs.masks[i] = values[from->layer][from->node].masks[from->tensor];
    }
}

static void remember(const struct model *model, const struct graph *g, struct masked outputs)
{
    int place = 0;
    while (place < LOWERED_MAX - 1 && model->lowered[place].graph && model->lowered[place].graph != g)
        place++;
    if (model->lowered[place].graph && model->lowered[place].graph != g) {
        memmove(model->lowered, model->lowered + 1, (LOWERED_MAX - 1) * sizeof *model->lowered);
        place = LOWERED_MAX - 1;
    }
    model->lowered[place] = (struct lowered){g, outputs};
}

bool model_lower(const struct model *model, struct graph *g, int64_t batch, enum model_mode mode,
                 struct value *const *inputs, struct value *step, struct value **outputs, struct value **regularization)
{
    int *calls = xcalloc((size_t)model->n_layers + 1, sizeof *calls);
    struct lowering l = {.model = model, .graph = g, .batch = batch, .mode = mode, .step = step, .calls = calls};
    struct masked results = new_masked(g, model->n_outputs), feeds = new_masked(g, model->n_inputs);
    memcpy(feeds.values, inputs, (size_t)model->n_inputs * sizeof *inputs);
    lower_submodel(&l, model->root, feeds, results);
    memcpy(outputs, results.values, (size_t)model->n_outputs * sizeof *outputs);
    free(calls);
    for (int i = 0; i < model->n_variables; i++) {
        const struct layer_variable *v = (const struct layer_variable *)model->variables[i];
        if (v->regularizer && v->variable.trainable)
            add_penalty(&l, regularizer_lower(g, v->regularizer, op_variable(g, model->variables[i])));
    }
    g->label = NULL;
    if (regularization)
        *regularization = l.penalty;
    if (!graph_ok(g, NULL))
        return false;
    remember(model, g, results);
    return true;
}

static bool is_sigmoid(const struct node *node)
{
    const struct expr *e = node->attrs.expr;
    return node->op == OP_MAP && node->n_inputs == 1 && e->n_results == 1 && e->n_steps == 2 &&
           e->steps[e->results[0]].op == EXPR_SIGMOID && e->steps[e->steps[e->results[0]].a].op == EXPR_INPUT;
}

/* What stands before the cast at the end of a layer. */
static const struct value *unrounded(const struct value *v)
{
    return v->node->op == OP_MAP && expr_is_bfloat16_cast(v->node->attrs.expr) ? v->node->inputs[0] : v;
}

static const struct lowered *find_lowered(const struct model *model, const struct graph *g)
{
    for (int i = 0; i < LOWERED_MAX; i++)
        if (model->lowered[i].graph == g)
            return &model->lowered[i];
    return NULL;
}

struct value *model_logits(const struct model *model, const struct graph *g, int output)
{
    const struct lowered *lowered = find_lowered(model, g);
    const struct node *node = lowered ? unrounded(lowered->outputs.values[output])->node : NULL;
    return node && (node->op == OP_SOFTMAX || is_sigmoid(node)) ? node->inputs[0] : NULL;
}

struct value *model_mask(const struct model *model, const struct graph *g, int output)
{
    const struct lowered *lowered = find_lowered(model, g);
    return lowered ? lowered->outputs.masks[output] : NULL;
}

struct value *model_constrain(const struct model *model, struct graph *g, const struct variable *variable,
                              struct value *updated)
{
    const struct constraint *constraint = NULL;
    for (int i = 0; i < model->n_variables && !constraint; i++)
        if (model->variables[i] == variable)
            constraint = ((const struct layer_variable *)variable)->constraint;
    return constraint ? constraint_lower(g, constraint, updated) : updated;
}
