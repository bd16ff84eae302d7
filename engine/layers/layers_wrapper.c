/* layers_wrapper.c - TimeDistributed: layers around layers. See layer_support.h for layer_add_part. */
#include "engine/layers/layer_support.h"

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
    if (!part || !part_build(part, model, &step, 1, outputs, err))
        return false;
    if (part_layer(part) ? part_layer(part)->n_outputs != 1 : part_outputs(part) != 1)
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
        steps[t] = add_step_axis(l->graph, lower_part_once(l, part, take_step(l->graph, x, t), take_step(l->graph, mask, t)));
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

static const struct argument time_distributed_arguments[] = {
    {"layer", ARG_ANY, NULL, NULL, 0, 0, "the layer applied to every step"}, {0}};

const struct layer_class layers_wrapper[] = {
    {"TimeDistributed", "applies a layer to every step of a sequence", time_distributed_arguments, 1, 1,
     build_time_distributed, lower_time_distributed, mask_pass},
    {0}};
