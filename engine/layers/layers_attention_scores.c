/* layers_attention_scores.c - Attention and AdditiveAttention: one head, without projections, called on [query, value,
 * key] */
#include "engine/layers/layer_support.h"

#include <string.h>

enum { CAUSAL_MAX = 8192 };

struct scored {
    int scale, weight; /* numbers of the variables, -1 = none */
    bool additive, concat;
};

static bool build_scored(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                         struct shape *output, struct err *err)
{
    struct scored *s = arena_alloc(&model->arena, sizeof *s);
    int first, given;
    layer->state = s;
    s->additive = !strcmp(layer->class->name, "AdditiveAttention");
    s->concat = !s->additive && !strcmp(layer_string(layer, "score_mode"), "concat");
    if (!call_tensors(layer->class, layer->first_call, "inputs", &first, &given) || given < 2 || given > 3)
        return layer_fail(layer, err, "it is called on a list of query, value and perhaps key, found %d of %d inputs",
                          given, n);
    struct shape query = inputs[0], value = inputs[1], key = inputs[given - 1];
    int rank = query.rank;
    bool fits = rank >= 2 && rank + 2 < RANK_MAX && value.rank == rank && key.rank == rank &&
                query.dim[rank - 1] == key.dim[rank - 1] && value.dim[rank - 2] == key.dim[rank - 2];
    if (!fits)
        return layer_fail(
            layer, err,
            "query %s and key %s must end in the same number of features, value %s and key must have as many steps",
            shape_text(&model->arena, query), shape_text(&model->arena, key), shape_text(&model->arena, value));
    s->scale = s->weight = -1;
    if (layer_bool(layer, "use_scale")) {
        struct shape shape = s->additive ? SHAPE(query.dim[rank - 1]) : (struct shape){0};
        if (!layer_add_variable(layer, model, "scale", shape, true, NULL, s->additive ? "glorot_uniform" : "ones", err))
            return false;
        s->scale = layer->n_variables - 1;
    }
    if (s->concat) {
        if (!layer_add_variable(layer, model, "concat_score_weight", (struct shape){0}, true, NULL, "ones", err))
            return false;
        s->weight = layer->n_variables - 1;
    }
    *output = query;
    output->dim[rank - 1] = value.dim[rank - 1];
    if (!call_flag(layer->class, layer->first_call, "return_attention_scores"))
        return true;
    struct shape *outputs = arena_array(&model->arena, 2, sizeof *outputs);
    outputs[1] = query;
    outputs[1].dim[rank - 1] = value.dim[rank - 2];
    layer->outputs = outputs;
    layer->n_outputs = 2;
    return true;
}

/* The explicit mask of input `number` (a list with null where there is none), or the one that came with it. */
static struct value *mask_of(struct layer *layer, struct lowering *l, struct value *const *inputs, int number)
{
    int first, n, next;
    const json_t *given = l->call ? json_object_get(l->call->kwargs, "mask") : NULL;
    if (l->call && json_array_size(l->call->args) > 1)
        given = json_array_get(l->call->args, 1);
    if (!call_tensors(layer->class, l->call, "mask", &first, &n))
        return l->masks[number];
    next = first;
    for (int i = 0; i < number; i++)
        next += model_spec_is_tensor(json_array_get(given, (size_t)i));
    return model_spec_is_tensor(json_array_get(given, (size_t)number))
               ? op_expr(l->graph, "a != 0", inputs[next], NULL, NULL, NULL)
               : NULL;
}

static struct value *axis_added(struct graph *g, struct value *x, int from_end)
{
    if (!x)
        return NULL;
    struct shape s = x->shape;
    int at = s.rank + 1 - from_end;
    memmove(s.dim + at + 1, s.dim + at, (size_t)(s.rank - at) * sizeof *s.dim);
    s.dim[at] = 1;
    s.rank++;
    return op_reshape(g, x, s);
}

static struct value *scores_of(struct layer *layer, struct lowering *l, struct value *q, struct value *k)
{
    static const int last = -1;
    const struct scored *s = layer->state;
    struct graph *g = l->graph;
    struct value *scale = s->scale < 0 ? op_scalar(g, 1) : layer_value(l, layer, s->scale);
    if (!s->additive && !s->concat)
        return op_mul(g, op_matmul(g, q, k, false, true), scale);
    const char *text = s->additive ? "c * tanh(a + b)" : "tanh(c * (a + b))";
    struct value *each = op_expr(g, text, axis_added(g, q, 2), axis_added(g, k, 3), scale, NULL);
    struct value *sum = op_reduce(g, REDUCE_SUM, each, &last, 1, false);
    return s->concat ? op_mul(g, sum, layer_value(l, layer, s->weight)) : sum;
}

/* 1 where key <= query, [1, queries, keys]. */
static struct value *causal_mask(struct graph *g, int64_t queries, int64_t keys)
{
    if (queries > CAUSAL_MAX || keys > CAUSAL_MAX)
        return graph_fail(g, ERR_USAGE, "Attention: use_causal_mask with more than %d steps is not possible",
                          CAUSAL_MAX);
    float *data = arena_array(&g->arena, (size_t)(queries * keys), sizeof *data);
    for (int64_t i = 0; i < queries; i++)
        for (int64_t j = 0; j <= i && j < keys; j++)
            data[i * keys + j] = 1;
    return op_constant(g, DTYPE_F32, SHAPE(1, queries, keys), data);
}

static struct value *lower_scored(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    struct graph *g = l->graph;
    int first, given;
    double rate = layer_double(layer, "dropout");
    (void)n;
    call_tensors(layer->class, l->call, "inputs", &first, &given);
    struct value *q = as_float(g, inputs[0]), *v = as_float(g, inputs[1]), *k = as_float(g, inputs[given - 1]);
    if (!q || !v || !k)
        return NULL;
    struct value *scores = scores_of(layer, l, q, k), *keep = axis_added(g, mask_of(layer, l, inputs, 1), 2);
    if (!scores)
        return NULL;
    if (call_flag(layer->class, l->call, "use_causal_mask")) {
        struct value *causal =
            causal_mask(g, scores->shape.dim[scores->shape.rank - 2], scores->shape.dim[scores->shape.rank - 1]);
        keep = keep ? op_mul(g, keep, causal) : causal;
    }
    if (keep)
        scores = op_expr(g, "where(b, a, a - 1e9)", scores, keep, NULL, NULL);
    struct value *weights = layer_cast(l, layer, op_softmax(g, scores));
    if (l->mode == MODE_TRAIN && l->step && rate > 0)
        weights = op_dropout(g, weights, l->step, rate, layer_seed(l, layer), layer_stream(l, layer), NULL);
    weights = layer_cast(l, layer, weights);
    if (call_flag(layer->class, l->call, "return_attention_scores"))
        l->outputs[1] = weights;
    struct value *y = op_matmul(g, weights, v, false, false), *queries = mask_of(layer, l, inputs, 0);
    return queries ? op_expr(g, "where(b, a, 0)", y, axis_added(g, queries, 1), NULL, NULL) : y;
}

static struct value *mask_scored(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    (void)n;
    return mask_of(layer, l, inputs, 0);
}

static const struct argument attention_arguments[] = {
    {"use_scale", ARG_BOOL, "false", NULL, 0, 0, "multiply the scores by a trained number"},
    {"score_mode", ARG_CHOICE, "\"dot\"", "dot|concat", 0, 0, "products of query and key, or tanh of their sum"},
    {"dropout", ARG_FLOAT, "0.0", NULL, 0, 0.999999, "share of attention scores that is dropped"},
    ARG_LAYER_SEED,
    {0}};
static const struct argument additive_arguments[] = {
    {"use_scale", ARG_BOOL, "true", NULL, 0, 0, "weigh the features by trained numbers"},
    {"dropout", ARG_FLOAT, "0.0", NULL, 0, 0.999999, "share of attention scores that is dropped"},
    ARG_LAYER_SEED,
    {0}};
static const struct call_argument scored_call[] = {
    {"inputs", CALL_TENSOR},        {"mask", CALL_TENSOR},
    {"training", CALL_BOOL},        {"return_attention_scores", CALL_BOOL},
    {"use_causal_mask", CALL_BOOL}, {0}};

const struct layer_class layers_attention_scores[] = {
    {"Attention", "values averaged by how well query and key agree", attention_arguments, 1, 5, build_scored,
     lower_scored, mask_scored, scored_call},
    {"AdditiveAttention", "values averaged by tanh of the sum of query and key", additive_arguments, 1, 5, build_scored,
     lower_scored, mask_scored, scored_call},
    {0}};
