/* layers_wrapper.c - TimeDistributed and Bidirectional: layers around layers. See layer_support.h for layer_add_part.
 */
#include "engine/layers/layers_recurrent.h"

#include <stdlib.h>
#include <string.h>

/* ---- TimeDistributed: a layer applied to every step; the steps are more samples of one batch ---- */

static bool build_time_distributed(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                                   struct shape *output, struct err *err)
{
    struct shape outputs[LAYER_MAX_OUTPUTS] = {0};
    (void)n;
    if (inputs[0].rank < 2)
        return layer_fail(layer, err, "each sample must have the shape (steps, features...), found %s",
                          shape_text(&model->arena, inputs[0]));
    struct layer_part *part = layer_add_part(layer, model, "layer", layer_arg(layer, "layer"), NULL, err);
    struct shape step = shape_sample(inputs[0]);
    if (!part)
        return false;
    bool single = part_layer(part) || part_outputs(part) == 1;
    if (single && !part_build(part, model, &step, 1, outputs, err))
        return false;
    if (!single || (part_layer(part) && part_layer(part)->n_outputs != 1))
        return layer_fail(layer, err, "the layer inside must have one output");
    if (outputs[0].rank + 2 > RANK_MAX)
        return layer_fail(layer, err, "too many dimensions");
    *output = shape_batched(inputs[0].dim[0], outputs[0]);
    layer->state = part;
    return true;
}

static struct value *lower_part_once(struct lowering *l, const struct layer_part *part, struct value *x,
                                     struct value *mask)
{
    struct value *outputs[LAYER_MAX_OUTPUTS] = {NULL}, *masks[LAYER_MAX_OUTPUTS] = {NULL};
    part_lower(l, part, &x, &mask, 1, outputs, masks);
    return outputs[0];
}

/* (batch, steps, ...) as (batch * steps, ...). */
static struct value *fold_steps(struct graph *g, struct value *x)
{
    if (!x)
        return NULL;
    struct shape shape = shape_sample(x->shape);
    shape.dim[0] *= x->shape.dim[0];
    return op_reshape(g, x, shape);
}

static struct value *take_step(struct graph *g, struct value *x, int64_t step)
{
    if (!x)
        return NULL;
    struct shape shape = shape_batched(x->shape.dim[0], shape_sample(shape_sample(x->shape)));
    int64_t begin[RANK_MAX] = {0}, end[RANK_MAX];
    memcpy(end, x->shape.dim, sizeof end);
    begin[1] = step;
    end[1] = step + 1;
    return op_reshape(g, op_slice(g, x, begin, end, NULL), shape);
}

static struct value *add_step_axis(struct graph *g, struct value *x)
{
    if (!x)
        return NULL;
    struct shape shape = shape_batched(x->shape.dim[0], shape_batched(1, shape_sample(x->shape)));
    return op_reshape(g, x, shape);
}

/* Layers whose training depends on the other samples see one step after the other, as in Keras. */
static struct value *lower_by_steps(struct lowering *l, const struct layer_part *part, struct value *x)
{
    int64_t n_steps = x->shape.dim[1];
    struct value **steps = arena_array(&l->graph->arena, (size_t)n_steps, sizeof *steps);
    struct value *mask = l->masks[0];
    for (int64_t t = 0; t < n_steps; t++)
        steps[t] =
            add_step_axis(l->graph, lower_part_once(l, part, take_step(l->graph, x, t), take_step(l->graph, mask, t)));
    return op_concat(l->graph, steps, (int)n_steps, 1);
}

static struct value *lower_time_distributed(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    const struct layer_part *part = layer->state;
    struct value *x = inputs[0], *mask = l->masks[0];
    (void)n;
    if (!x)
        return NULL;
    if (l->mode == MODE_TRAIN && part_has(part, "BatchNormalization"))
        return lower_by_steps(l, part, x);
    struct value *y = lower_part_once(l, part, fold_steps(l->graph, x), fold_steps(l->graph, mask));
    if (!y)
        return NULL;
    struct shape steps = shape_batched(x->shape.dim[1], shape_sample(y->shape));
    return op_reshape(l->graph, y, shape_batched(x->shape.dim[0], steps));
}

/* ---- Bidirectional: a recurrent layer and its like in the other direction ---- */

struct both_ways {
    struct layer_part *parts[2];
    bool return_sequences;
    const char *merge; /* NULL: two outputs */
    int n_states;      /* of one direction */
    bool return_state;
};

static const char *without_prefix(const char *text, const char *prefix)
{
    return str_starts(text, prefix) ? text + strlen(prefix) : text;
}

/* One direction: Keras renames it, and masked steps of sequences put out zeros. turned: it is made from the forward
 * layer. */
static struct layer_part *add_direction(struct layer *layer, struct model *model, const char *group,
                                        const json_t *given, bool turned, struct err *err)
{
    const char *class_name = "", *prefix = str_starts(group, "forward") ? "forward_" : "backward_";
    const json_t *config = NULL;
    if (!class_reference(given, &class_name, &config) || !json_is_object(given)) {
        layer_fail(layer, err, "'%s' must be a layer, found %s", group, js_type_name(given));
        return NULL;
    }
    char *snake = keras_snake_name(class_name);
    const char *name =
        arena_printf(&model->arena, "%s%s", prefix, without_prefix(js_string(config, "name", snake), prefix));
    free(snake);
    json_t *extra =
        json_pack("{s:s, s:b}", "name", name, "zero_output_for_mask", js_bool(config, "return_sequences", false));
    if (turned)
        json_object_set_new(extra, "go_backwards", json_true());
    bool known = layer_is_sequence(layer_class_find(class_name));
    struct layer_part *part = known ? layer_add_part(layer, model, group, given, extra, err) : NULL;
    json_decref(extra);
    if (!known)
        layer_fail(layer, err, "'%s' must be a recurrent layer, found %s", group, class_name);
    return part;
}

static bool directions_agree(const struct layer *layer, struct layer_part *const *parts, struct err *err)
{
    static const char *const common[] = {"return_sequences", "return_state"};
    const struct layer *forward = part_layer(parts[0]), *backward = part_layer(parts[1]);
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
        if (layer_bool(forward, common[i]) != layer_bool(backward, common[i]))
            return layer_fail(layer, err, "%s of the forward and the backward layer must be the same", common[i]);
    return layer_bool(forward, "go_backwards") != layer_bool(backward, "go_backwards") ||
           layer_fail(layer, err, "go_backwards must differ between the forward and the backward layer");
}

static bool merge_shapes(struct layer *layer, struct model *model, const struct both_ways *b,
                         struct shape (*outputs)[LAYER_MAX_OUTPUTS], struct shape *output, struct err *err)
{
    int last = outputs[0][0].rank - 1, n = 0;
    struct shape *all = arena_array(&model->arena, LAYER_MAX_OUTPUTS, sizeof *all);
    all[n++] = outputs[0][0];
    if (!b->merge)
        all[n++] = outputs[1][0];
    else if (!strcmp(b->merge, "concat"))
        all[0].dim[last] += outputs[1][0].dim[last];
    else if (!shape_equal(outputs[0][0], outputs[1][0]))
        return layer_fail(layer, err, "merge_mode \"%s\" needs as many units in both directions", b->merge);
    if (n + 2 * b->n_states > LAYER_MAX_OUTPUTS)
        return layer_fail(layer, err, "more than %d outputs", LAYER_MAX_OUTPUTS);
    for (int way = 0; way < 2; way++)
        for (int i = 0; i < b->n_states; i++)
            all[n++] = outputs[way][i + 1];
    *output = all[0];
    layer->n_outputs = n;
    layer->outputs = all;
    return true;
}

static bool read_merge(struct layer *layer, const char **merge, struct err *err)
{
    static const char *const modes[] = {"concat", "sum", "mul", "ave"};
    const json_t *given = layer_arg(layer, "merge_mode");
    *merge = json_string_value(given);
    for (size_t i = 0; *merge && i < sizeof modes / sizeof modes[0]; i++)
        if (!strcmp(*merge, modes[i]))
            return true;
    if (json_is_null(given))
        return true;
    return layer_fail(layer, err, "merge_mode must be concat, sum, mul, ave or null, found %s",
                      *merge ? *merge : js_type_name(given));
}

static bool build_bidirectional(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                                struct shape *output, struct err *err)
{
    struct both_ways *b = arena_alloc(&model->arena, sizeof *b);
    const json_t *forward = layer_arg(layer, "layer"), *backward = layer_arg(layer, "backward_layer");
    struct shape outputs[2][LAYER_MAX_OUTPUTS] = {{{0}}};
    const struct sequence_inputs s = sequence_inputs_of(layer, layer->first_call, n);
    layer->state = b;
    if (!sequence_fits(layer, layer->first_call, &s, inputs, err))
        return false;
    if (!read_merge(layer, &b->merge, err))
        return false;
    if (!json_is_null(layer_arg(layer, "weights")))
        return layer_fail(layer, err, "weights must be null: they come from a file");
    b->parts[0] = add_direction(layer, model, "forward_layer", forward, false, err);
    b->parts[1] = b->parts[0] ? add_direction(layer, model, "backward_layer",
                                              json_is_null(backward) ? forward : backward, json_is_null(backward), err)
                              : NULL;
    if (!b->parts[1] || !directions_agree(layer, b->parts, err))
        return false;
    if (s.n_states % 2)
        return layer_fail(layer, err, "its initial_state must be as many tensors for each direction, found %d",
                          s.n_states);
    for (int way = 0; way < 2; way++) {
        struct shape own[LAYER_MAX_OUTPUTS + 1] = {inputs[s.x]};
        for (int i = 0; i < s.n_states / 2 && i < LAYER_MAX_OUTPUTS; i++)
            own[i + 1] = inputs[s.state + way * s.n_states / 2 + i];
        if (!part_build(b->parts[way], model, own, 1 + s.n_states / 2, outputs[way], err))
            return false;
    }
    b->return_sequences = layer_bool(part_layer(b->parts[0]), "return_sequences");
    b->n_states = part_layer(b->parts[0])->n_outputs - 1;
    return merge_shapes(layer, model, b, outputs, output, err);
}

static struct value *merge_values(struct graph *g, const char *merge, struct value *a, struct value *b)
{
    if (!strcmp(merge, "concat"))
        return op_concat(g, (struct value *const[]){a, b}, 2, -1);
    return op_expr(g,
                   !strcmp(merge, "sum")   ? "a + b"
                   : !strcmp(merge, "mul") ? "a * b"
                                           : "(a + b) / 2",
                   a, b, NULL, NULL);
}

static struct value *lower_bidirectional(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    const struct both_ways *b = layer->state;
    const struct sequence_inputs s = sequence_inputs_of(layer, l->call, n);
    int next = b->merge ? 1 : 2;
    struct value *mask = sequence_mask(l, &s, inputs), *outputs[2][LAYER_MAX_OUTPUTS] = {{NULL}};
    mask = s.n_states && s.mask < 0 ? NULL : mask; /* Keras' call with states sees no other mask */
    for (int way = 0; way < 2; way++) {
        struct value *own[LAYER_MAX_OUTPUTS + 1] = {inputs[s.x]}, *masks[LAYER_MAX_OUTPUTS + 1] = {mask};
        struct value *output_masks[LAYER_MAX_OUTPUTS] = {NULL};
        for (int i = 0; i < s.n_states / 2 && i < LAYER_MAX_OUTPUTS; i++)
            own[i + 1] = inputs[s.state + way * s.n_states / 2 + i];
        part_lower(l, b->parts[way], own, masks, 1 + s.n_states / 2, outputs[way], output_masks);
        for (int i = 0; i < b->n_states; i++)
            l->outputs[next++] = outputs[way][i + 1];
    }
    struct value *back = b->return_sequences ? op_reverse(l->graph, outputs[1][0], 1) : outputs[1][0];
    if (b->merge)
        return merge_values(l->graph, b->merge, outputs[0][0], back);
    l->outputs[1] = back;
    return outputs[0][0];
}

static struct value *mask_bidirectional(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    const struct both_ways *b = layer->state;
    const struct sequence_inputs s = sequence_inputs_of(layer, l->call, n);
    struct value *mask = b->return_sequences ? sequence_mask(l, &s, inputs) : NULL;
    if (!b->merge)
        l->output_masks[1] = mask;
    return mask;
}

static const struct argument bidirectional_arguments[] = {
    {"layer", ARG_ANY, NULL, NULL, 0, 0, "the recurrent layer"},
    {"merge_mode", ARG_ANY, "\"concat\"", NULL, 0, 0, "concat, sum, mul or ave of both outputs; null: two outputs"},
    {"weights", ARG_ANY, "null", NULL, 0, 0, "must be null"},
    {"backward_layer", ARG_ANY, "null", NULL, 0, 0, "the layer of the other direction; null: like the first"},
    {0}};
static const struct call_argument bidirectional_call[] = {
    {"sequences", CALL_TENSOR}, {"initial_state", CALL_TENSOR}, {"mask", CALL_TENSOR}, {"training", CALL_BOOL}, {0}};
static const struct argument time_distributed_arguments[] = {
    {"layer", ARG_ANY, NULL, NULL, 0, 0, "the layer applied to every step"}, {0}};

const struct layer_class layers_wrapper[] = {
    {"TimeDistributed", "applies a layer to every step of a sequence", time_distributed_arguments, 1, 1,
     build_time_distributed, lower_time_distributed, mask_pass},
    {"Bidirectional", "runs a recurrent layer over a sequence in both directions", bidirectional_arguments, 1, -1,
     build_bidirectional, lower_bidirectional, mask_bidirectional, bidirectional_call},
    {0}};
