/* layers_attention_lower.c - see layers_attention.h: what MultiHeadAttention and GroupQueryAttention compute. */
#include "engine/layers/layers_attention.h"

#include <math.h>

/* x [batch..., features] through a kernel [features, heads, size] -> [rows, heads * size]; the output's kernel is
 * [heads, size, out...]. */
static struct value *project(struct layer *layer, struct lowering *l, struct value *x, int kernel)
{
    const struct attention_layer *a = layer->state;
    struct graph *g = l->graph;
    struct shape shape = layer->variables[kernel]->shape;
    int64_t features = shape.dim[0] * (kernel == a->output ? shape.dim[1] : 1);
    int64_t columns = shape_elements(shape) / features;
    struct value *rows = op_reshape(g, x, SHAPE(-1, features));
    struct value *y =
        op_matmul(g, rows, op_reshape(g, layer_value(l, layer, kernel), SHAPE(features, columns)), false, false);
    if (a->bias)
        y = op_add(g, y, op_reshape(g, layer_value(l, layer, kernel + 1), SHAPE(columns)));
    if (kernel == a->gate)
        y = op_expr(g, "sigmoid(a)", y, NULL, NULL, NULL);
    y = layer_cast(l, layer, y);
    penalize_activity(l, a->activity, y);
    return y;
}

/* Product of the sizes along attended axes, or of the others but for batch and features; of a sample's shape. */
static int64_t positions(const struct attention_layer *a, struct shape sample, bool attended)
{
    int64_t n = 1;
    for (int i = 1; i < sample.rank; i++)
        n *= attention_attends(a, i) == attended ? sample.dim[i - 1] : 1;
    return n;
}

/* Batch axes first, then the attended ones, then heads and their size: of [batch, axes..., heads, size]. */
static void attended_last(const struct attention_layer *a, int rank, int *order)
{
    int n = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < rank - 2; i++)
            if ((pass == 1) == (i > 0 && attention_attends(a, i)))
                order[n++] = i;
    order[n] = n;
    order[n + 1] = n + 1;
}

/* [rows, heads * size] -> [all batch axes, attended axes, heads, size]. */
static struct value *split(const struct attention_layer *a, struct graph *g, struct value *rows, struct shape input,
                           int64_t heads, int64_t size)
{
    int order[RANK_MAX];
    struct shape sample = shape_sample(input), apart = shape_make(input.dim, input.rank - 1);
    apart.dim[apart.rank++] = heads;
    apart.dim[apart.rank++] = size;
    int64_t steps = positions(a, sample, true);
    attended_last(a, apart.rank, order);
    struct value *moved = rows;
    if (a->n_axes < sample.rank - 1)
        moved = op_transpose(g, op_reshape(g, rows, apart), order);
    return op_reshape(g, moved, SHAPE(-1, steps, heads, size));
}

/* [all batch axes, attended axes, heads, size] -> [rows, heads * size] in the query's order. */
static struct value *unite(const struct attention_layer *a, struct graph *g, struct value *y, struct shape input)
{
    int order[RANK_MAX], back[RANK_MAX];
    struct shape apart = {.rank = input.rank + 1};
    if (a->n_axes < input.rank - 2) {
        attended_last(a, apart.rank, order);
        for (int i = 0; i < apart.rank; i++) {
            back[order[i]] = i;
            apart.dim[i] = order[i] < input.rank - 1    ? input.dim[order[i]]
                           : order[i] == input.rank - 1 ? a->heads
                                                        : a->width;
        }
        y = op_transpose(g, op_reshape(g, y, apart), back);
    }
    return op_reshape(g, y, SHAPE(-1, a->heads * a->width));
}

static struct value *both(struct graph *g, struct value *mask, struct value *more)
{
    return !mask ? more : !more ? mask : op_mul(g, mask, more);
}

/* A mask over the steps of the input that plays the role, as [batch, 1, queries, 1] or [batch, 1, 1, keys]. */
static struct value *steps_mask(struct layer *layer, struct lowering *l, struct value *mask, bool of_query)
{
    if (!mask)
        return NULL;
    int64_t batch = mask->shape.dim[0], steps = mask->shape.rank == 2 ? mask->shape.dim[1] : 0;
    const struct attention_layer *a = layer->state;
    if (mask->shape.rank != 2 || a->n_axes != 1 || a->axes[0] != 1)
        return graph_fail(l->graph, ERR_USAGE,
                          "%s: layer '%s': a mask of steps needs attention over axis 1 of "
                          "(batch, steps, features)",
                          layer->where, layer->path);
    return op_reshape(l->graph, mask, of_query ? SHAPE(batch, 1, steps, 1) : SHAPE(batch, 1, 1, steps));
}

/* attention_mask, with axes of size 1 where it names fewer than the scores have. */
static struct value *given_mask(struct layer *layer, struct lowering *l, struct value *mask, struct shape query,
                                struct shape value)
{
    const struct attention_layer *a = layer->state;
    struct graph *g = l->graph;
    struct shape full = {0}, wide = {0};
    for (int i = 0; i < query.rank - 1; i++)
        if (!attention_attends(a, i) || !i)
            full.dim[full.rank++] = query.dim[i];
    full.dim[full.rank++] = 1; /* heads */
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < a->n_axes; i++)
            full.dim[full.rank++] = (k ? value : query).dim[a->axes[i]];
    int tail = 2 * a->n_axes, lead = mask->shape.rank - tail;
    if (lead < 0 || lead > full.rank - tail)
        return graph_fail(g, ERR_USAGE,
                          "%s: layer '%s': attention_mask of shape %s does not fit (batch, queries, keys)",
                          layer->where, layer->path, shape_text(&g->arena, mask->shape));
    for (int i = 0; i < full.rank; i++)
        wide.dim[wide.rank++] = i < lead               ? mask->shape.dim[i]
                                : i < full.rank - tail ? 1
                                                       : mask->shape.dim[i - full.rank + mask->shape.rank];
    int heads = full.rank - tail - 1;
    full.dim[heads] = wide.dim[heads];
    mask = op_reshape(g, op_expr(g, "a != 0", mask, NULL, NULL, NULL), wide);
    if (full.rank == 4)
        return mask;
    int64_t queries = positions(a, shape_sample(query), true), keys = positions(a, shape_sample(value), true);
    return op_reshape(g, op_broadcast(g, mask, full), SHAPE(-1, full.dim[heads], queries, keys));
}

/* All masks but causal and window, which the op knows by itself. */
static struct value *join_masks(struct layer *layer, struct lowering *l, struct value *const *inputs)
{
    static const char *const names[] = {"value_mask", "key_mask"};
    struct graph *g = l->graph;
    int query = attention_input(layer, l->call, QUERY), first, n;
    struct value *mask = steps_mask(layer, l, l->masks[query], true);
    for (int i = 0; i < 2; i++) {
        struct value *steps = NULL;
        if (call_tensors(layer->class, l->call, names[i], &first, &n))
            steps = op_expr(g, "a != 0", inputs[first], NULL, NULL, NULL);
        else if (call_tensors(layer->class, l->call, i ? "key" : "value", &first, &n))
            steps = l->masks[first];
        mask = both(g, mask, steps_mask(layer, l, steps, false));
    }
    if (call_tensors(layer->class, l->call, "attention_mask", &first, &n) && inputs[first])
        mask = both(g, mask,
                    given_mask(layer, l, inputs[first], inputs[query]->shape,
                               inputs[attention_input(layer, l->call, VALUE)]->shape));
    return mask;
}

static struct value *attend(struct layer *layer, struct lowering *l, struct value *q, struct value *k, struct value *v,
                            struct value *mask, int rank, struct value **probabilities)
{
    const struct attention_layer *a = layer->state;
    double rate = layer_double(layer, "dropout");
    bool scores = call_flag(layer->class, l->call, "return_attention_scores");
    struct attention how = {.scale = (float)(1 / sqrt((double)a->depth)),
                            .causal = call_flag(layer->class, l->call, "use_causal_mask"),
                            .window = json_integer_value(layer_arg(layer, "sliding_window")),
                            .rate = l->mode == MODE_TRAIN && l->step ? (float)rate : 0,
                            .zero_empty = rate > 0 || scores || rank != 3};
    struct value *y = op_attention(l->graph, q, k, v, mask, how.rate > 0 ? l->step : NULL, &how, layer_seed(l, layer),
                                   layer_stream(l, layer), probabilities);
    return layer_cast(l, layer, y);
}

/* The probabilities as an output: axes apart again. */
static void give_scores(struct layer *layer, struct lowering *l, struct value *p, struct shape query,
                        struct shape value)
{
    const struct attention_layer *a = layer->state;
    struct shape shape = {0};
    for (int i = 0; i < query.rank - 1; i++)
        if (!i || !attention_attends(a, i))
            shape.dim[shape.rank++] = query.dim[i];
    shape.dim[shape.rank++] = a->heads;
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < a->n_axes; i++)
            shape.dim[shape.rank++] = (k ? value : query).dim[a->axes[i]];
    l->outputs[1] = op_reshape(l->graph, p, shape);
}

struct value *attention_lower(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    const struct attention_layer *a = layer->state;
    struct graph *g = l->graph;
    struct value *x[N_ROLES], *p;
    (void)n;
    for (int role = 0; role < N_ROLES; role++)
        if (!(x[role] = as_float(g, inputs[attention_input(layer, l->call, role)])))
            return NULL;
    struct value *q = project(layer, l, x[QUERY], a->query), *k = project(layer, l, x[KEY], a->key);
    struct value *gate = a->gate < 0 ? NULL : project(layer, l, x[QUERY], a->gate);
    struct value *v = project(layer, l, x[VALUE], a->value);
    struct shape query = x[QUERY]->shape;
    struct value *y =
        attend(layer, l, split(a, g, q, query, a->heads, a->depth), split(a, g, k, x[KEY]->shape, a->groups, a->depth),
               split(a, g, v, x[VALUE]->shape, a->groups, a->width), join_masks(layer, l, inputs), query.rank, &p);
    if (!y)
        return NULL;
    if (call_flag(layer->class, l->call, "return_attention_scores"))
        give_scores(layer, l, p, query, x[VALUE]->shape);
    y = unite(a, g, y, query);
    y = project(layer, l, gate ? op_mul(g, y, gate) : y, a->output);
    struct shape out = shape_make(query.dim, query.rank - 1);
    for (int i = 0; i < a->n_out; i++)
        out.dim[out.rank++] = a->out[i];
    return op_reshape(g, y, out);
}
