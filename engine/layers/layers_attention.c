/* layers_attention.c - MultiHeadAttention and GroupQueryAttention
 *
 * Queries, keys and values are projected by matrix products to heads that lie side by side, [rows, heads * depth]; the
 * op `attention` reads them in place. Where attention runs over some axes only, these are moved behind the others
 * first.
 */
#include "engine/layers/layer_support.h"

#include <math.h>
#include <string.h>

enum role { QUERY, VALUE, KEY, N_ROLES };
static const char *const role_names[N_ROLES] = {"query", "value", "key"};

struct attention_layer {
    int64_t heads, groups, depth, width;
    int n_axes, axes[RANK_MAX]; /* attention runs over these, counted with the batch, rising */
    int n_out;
    int64_t out[RANK_MAX]; /* shape of one position's result */
    bool bias;
    const struct regularizer *activity;  /* of each projection; GroupQueryAttention itself has it too, as in Keras */
    int query, key, gate, value, output; /* numbers of the kernels, the bias follows; gate -1 = none */
};

/* The number of the input that plays the role; a missing key is the value. -1: not given. */
static int input_of(const struct layer *layer, const struct call_spec *call, enum role role)
{
    int first, n;
    if (call_tensors(layer->class, call, role_names[role], &first, &n))
        return n == 1 ? first : -1;
    return role == KEY ? input_of(layer, call, VALUE) : -1;
}

static int add_dense(struct layer *layer, struct model *model, const char *part, const char *name, struct shape kernel,
                     struct shape bias, struct err *err)
{
    int number = layer->n_variables;
    layer_begin_part(layer, part, name);
    bool ok = layer_add_variable(layer, model, "kernel", kernel, true, "kernel_initializer", "glorot_uniform", err) &&
              (!layer_bool(layer, "use_bias") ||
               layer_add_variable(layer, model, "bias", bias, true, "bias_initializer", "zeros", err));
    layer_begin_part(layer, NULL, NULL);
    return ok ? number : -1;
}

static bool add_variables(struct layer *layer, struct model *model, struct attention_layer *a,
                          const struct shape *shapes, const char *const *parts, struct err *err)
{
    int64_t query = shapes[QUERY].dim[shapes[QUERY].rank - 1], value = shapes[VALUE].dim[shapes[VALUE].rank - 1],
            key = shapes[KEY].dim[shapes[KEY].rank - 1];
    struct shape out = shape_make(a->out, a->n_out), out_kernel = {.rank = 2, .dim = {a->heads, a->width}};
    for (int i = 0; i < a->n_out; i++)
        out_kernel.dim[out_kernel.rank++] = a->out[i];
    a->bias = layer_bool(layer, "use_bias");
    a->gate = -1;
    a->query =
        add_dense(layer, model, parts[0], "query", SHAPE(query, a->heads, a->depth), SHAPE(a->heads, a->depth), err);
    if (a->query < 0)
        return false;
    a->key = add_dense(layer, model, parts[1], "key", SHAPE(key, a->groups, a->depth), SHAPE(a->groups, a->depth), err);
    if (a->key < 0)
        return false;
    if (layer_bool(layer, "use_gate")) {
        a->gate = add_dense(layer, model, "_gate_dense", "gate", SHAPE(query, a->heads, a->width),
                            SHAPE(a->heads, a->width), err);
        if (a->gate < 0)
            return false;
    }
    a->value =
        add_dense(layer, model, parts[2], "value", SHAPE(value, a->groups, a->width), SHAPE(a->groups, a->width), err);
    if (a->value < 0)
        return false;
    a->output = add_dense(layer, model, parts[3], "attention_output", out_kernel, out, err);
    return a->output >= 0;
}

/* The shapes of the three roles, which must agree but for their last axis and the axes of attention. */
static bool find_inputs(const struct layer *layer, const struct shape *inputs, struct shape *shapes, struct err *err)
{
    for (int role = 0; role < N_ROLES; role++) {
        int number = input_of(layer, layer->first_call, role);
        if (number < 0)
            return layer_fail(layer, err, "its call needs a query and a value: two inputs, found no %s",
                              role_names[role]);
        shapes[role] = inputs[number];
        if (shapes[role].rank != shapes[QUERY].rank || shapes[role].rank < 2)
            return layer_fail(layer, err,
                              "query, value and key must each have the shape (steps, features) or one "
                              "with more axes, the same number for all");
    }
    for (int i = 0; i + 1 < shapes[VALUE].rank; i++)
        if (shapes[VALUE].dim[i] != shapes[KEY].dim[i])
            return layer_fail(layer, err, "value and key must agree but for their last axis: axis %d is %lld and %lld",
                              i + 1, (long long)shapes[VALUE].dim[i], (long long)shapes[KEY].dim[i]);
    return true;
}

static bool is_attended(const struct attention_layer *a, int axis)
{
    bool found = false;
    for (int i = 0; i < a->n_axes; i++)
        found = found || a->axes[i] == axis;
    return found;
}

/* Product of the sizes along attended axes, or of the others but for batch and features; of a sample's shape. */
static int64_t positions(const struct attention_layer *a, struct shape sample, bool attended)
{
    int64_t n = 1;
    for (int i = 1; i < sample.rank; i++)
        n *= is_attended(a, i) == attended ? sample.dim[i - 1] : 1;
    return n;
}

/* The output, and the probabilities (batch axes, heads, query axes, key axes) when the call asks for them. */
static bool set_outputs(struct layer *layer, struct model *model, const struct attention_layer *a,
                        const struct shape *shapes, struct shape *output, struct err *err)
{
    struct shape query = shapes[QUERY], scores = {0};
    for (int i = 1; i < query.rank; i++)
        if (!is_attended(a, i) && query.dim[i - 1] != shapes[VALUE].dim[i - 1])
            return layer_fail(layer, err, "query and value must agree in axis %d, over which attention does not run",
                              i);
    if (query.rank - 1 + a->n_out + 1 > RANK_MAX || query.rank + a->n_axes + 2 > RANK_MAX)
        return layer_fail(layer, err, "too many dimensions");
    *output = shape_make(query.dim, query.rank - 1);
    for (int i = 0; i < a->n_out; i++)
        output->dim[output->rank++] = a->out[i];
    if (!call_flag(layer->class, layer->first_call, "return_attention_scores"))
        return true;
    for (int i = 1; i < query.rank; i++)
        if (!is_attended(a, i))
            scores.dim[scores.rank++] = query.dim[i - 1];
    scores.dim[scores.rank++] = a->heads;
    for (int role = QUERY; role <= VALUE; role++)
        for (int i = 0; i < a->n_axes; i++)
            scores.dim[scores.rank++] = shapes[role].dim[a->axes[i] - 1];
    struct shape *outputs = arena_array(&model->arena, 2, sizeof *outputs);
    outputs[1] = scores;
    layer->outputs = outputs;
    layer->n_outputs = 2;
    return true;
}

/* attention_axes, or all between batch and features. */
static bool read_axes(const struct layer *layer, struct attention_layer *a, int sample_rank, struct err *err)
{
    const json_t *given = layer_arg(layer, "attention_axes");
    bool listed = json_is_array(given);
    a->n_axes = json_is_null(given) ? sample_rank - 1 : listed ? (int)json_array_size(given) : 1;
    if (a->n_axes < 1 || a->n_axes > sample_rank - 1)
        return layer_fail(layer, err, "attention_axes must name 1 to %d axes, found %d", sample_rank - 1, a->n_axes);
    for (int i = 0; i < a->n_axes; i++) {
        int64_t axis = json_integer_value(listed ? json_array_get(given, (size_t)i) : given);
        axis = json_is_null(given) ? i + 1 : axis < 0 ? axis + sample_rank + 1 : axis;
        if (axis < 1 || axis > sample_rank - 1 || (i && axis <= a->axes[i - 1]))
            return layer_fail(layer, err, "attention_axes must be different, rising, and between 1 and %d",
                              sample_rank - 1);
        a->axes[i] = (int)axis;
    }
    bool flat = a->n_axes == 1;
    return flat ||
           (!call_flag(layer->class, layer->first_call, "use_causal_mask") &&
            json_is_null(layer_arg(layer, "sliding_window"))) ||
           layer_fail(layer, err, "use_causal_mask and sliding_window need attention over one axis");
}

static bool build_multi_head(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                             struct shape *output, struct err *err)
{
    static const char *const parts[] = {"query_dense", "key_dense", "value_dense", "output_dense"};
    struct attention_layer *a = arena_alloc(&model->arena, sizeof *a);
    struct shape shapes[N_ROLES];
    const json_t *out = layer_arg(layer, "output_shape"), *width = layer_arg(layer, "value_dim");
    (void)n;
    layer->state = a;
    if (!find_inputs(layer, inputs, shapes, err) || !read_axes(layer, a, shapes[QUERY].rank, err))
        return false;
    a->activity = layer->activity_regularizer;
    layer->activity_regularizer = NULL;
    a->heads = a->groups = layer_int(layer, "num_heads");
    a->depth = layer_int(layer, "key_dim");
    a->width = json_integer_value(width) ? json_integer_value(width) : a->depth;
    a->n_out = json_is_array(out) ? (int)json_array_size(out) : 1;
    if (a->n_out < 1 || a->n_out > 4)
        return layer_fail(layer, err, "output_shape must have 1 to 4 sizes, found %d", a->n_out);
    for (int i = 0; i < a->n_out; i++) {
        const json_t *size = json_is_array(out) ? json_array_get(out, (size_t)i) : out;
        a->out[i] = json_is_null(size) ? shapes[QUERY].dim[shapes[QUERY].rank - 1] : json_integer_value(size);
        if (a->out[i] < 1 || a->out[i] > 1 << 30)
            return layer_fail(layer, err, "output_shape must hold sizes of at least 1");
    }
    return add_variables(layer, model, a, shapes, parts, err) && set_outputs(layer, model, a, shapes, output, err);
}

static bool build_group_query(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                              struct shape *output, struct err *err)
{
    static const char *const parts[] = {"_query_dense", "_key_dense", "_value_dense", "_output_dense"};
    struct attention_layer *a = arena_alloc(&model->arena, sizeof *a);
    struct shape shapes[N_ROLES];
    (void)n;
    layer->state = a;
    if (!find_inputs(layer, inputs, shapes, err) || !layer_want_rank(layer, shapes[QUERY], 2, "(steps, features)", err))
        return false;
    *a = (struct attention_layer){.n_axes = 1, .axes = {1}, .n_out = 1, .out = {shapes[QUERY].dim[1]}};
    a->activity = layer->activity_regularizer;
    a->heads = layer_int(layer, "num_query_heads");
    a->groups = layer_int(layer, "num_key_value_heads");
    a->depth = a->width = layer_int(layer, "head_dim");
    if (shapes[QUERY].dim[1] != shapes[VALUE].dim[1])
        return layer_fail(layer, err, "query and value must have as many features, found %lld and %lld",
                          (long long)shapes[QUERY].dim[1], (long long)shapes[VALUE].dim[1]);
    if (a->heads % a->groups)
        return layer_fail(layer, err, "num_key_value_heads %lld must divide num_query_heads %lld", (long long)a->groups,
                          (long long)a->heads);
    return add_variables(layer, model, a, shapes, parts, err) && set_outputs(layer, model, a, shapes, output, err);
}

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

/* Batch axes first, then the attended ones, then heads and their size: of [batch, axes..., heads, size]. */
static void attended_last(const struct attention_layer *a, int rank, int *order)
{
    int n = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < rank - 2; i++)
            if ((pass == 1) == (i > 0 && is_attended(a, i)))
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
        if (!is_attended(a, i) || !i)
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
    int query = input_of(layer, l->call, QUERY), first, n;
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
        mask = both(
            g, mask,
            given_mask(layer, l, inputs[first], inputs[query]->shape, inputs[input_of(layer, l->call, VALUE)]->shape));
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
        if (!i || !is_attended(a, i))
            shape.dim[shape.rank++] = query.dim[i];
    shape.dim[shape.rank++] = a->heads;
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < a->n_axes; i++)
            shape.dim[shape.rank++] = (k ? value : query).dim[a->axes[i]];
    l->outputs[1] = op_reshape(l->graph, p, shape);
}

static struct value *lower_attention(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    const struct attention_layer *a = layer->state;
    struct graph *g = l->graph;
    struct value *x[N_ROLES], *p;
    (void)n;
    for (int role = 0; role < N_ROLES; role++)
        if (!(x[role] = as_float(g, inputs[input_of(layer, l->call, role)])))
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

#define ARGS_ATTENTION                                                                                                 \
    {"dropout", ARG_FLOAT, "0.0", NULL, 0, 0.999999, "share of attention scores that is dropped"},                     \
        {"use_bias", ARG_BOOL, "true", NULL, 0, 0, "add a bias to each projection"},                                   \
        {"use_gate", ARG_BOOL, "false", NULL, 0, 0, "multiply the result by a sigmoid of the query"},                  \
        {"sliding_window", ARG_INT, "null", NULL, 1, 1 << 30, "a query sees keys nearer than this"},                   \
        ARG_WEIGHT("kernel", "\"glorot_uniform\""), ARG_WEIGHT("bias", "\"zeros\""), ARG_LAYER_SEED

static const struct argument multi_head_arguments[] = {
    {"num_heads", ARG_INT, NULL, NULL, 1, 1 << 20, "number of heads"},
    {"key_dim", ARG_INT, NULL, NULL, 1, 1 << 20, "size of a head's queries and keys"},
    {"value_dim", ARG_INT, "null", NULL, 1, 1 << 20, "size of a head's values; null is key_dim"},
    {"output_shape", ARG_INTS, "null", NULL, 1, 1 << 30, "shape of one step's result; null is the query's"},
    {"attention_axes", ARG_INTS, "null", NULL, 0, 0, "axes that attention runs over; null: all but batch and features"},
    ARGS_ATTENTION,
    {0}};
static const struct argument group_query_arguments[] = {
    {"head_dim", ARG_INT, NULL, NULL, 1, 1 << 20, "size of a head"},
    {"num_query_heads", ARG_INT, NULL, NULL, 1, 1 << 20, "number of heads of queries"},
    {"num_key_value_heads", ARG_INT, NULL, NULL, 1, 1 << 20, "number of heads of keys and values; divides the other"},
    ARGS_ATTENTION,
    {0}};
/* The query's. As in Keras, query, value and key themselves carry no mask afterwards: a residual sum has none. */
static struct value *mask_query(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    struct value *mask = l->masks[input_of(layer, l->call, QUERY)];
    (void)inputs, (void)n;
    for (int role = 0; layer->class->arguments == multi_head_arguments && role < N_ROLES; role++)
        l->masks[input_of(layer, l->call, role)] = NULL;
    return mask;
}

static const struct call_argument attention_call[] = {{"query", CALL_TENSOR},
                                                      {"value", CALL_TENSOR},
                                                      {"key", CALL_TENSOR},
                                                      {"query_mask", CALL_TENSOR},
                                                      {"value_mask", CALL_TENSOR},
                                                      {"key_mask", CALL_TENSOR},
                                                      {"attention_mask", CALL_TENSOR},
                                                      {"return_attention_scores", CALL_BOOL},
                                                      {"training", CALL_BOOL},
                                                      {"use_causal_mask", CALL_BOOL},
                                                      {0}};

const struct layer_class layers_attention[] = {
    {"MultiHeadAttention", "attention of a query to keys and values, in several heads", multi_head_arguments, 1, 7,
     build_multi_head, lower_attention, mask_query, attention_call},
    {"GroupQueryAttention", "attention whose heads share keys and values in groups", group_query_arguments, 1, 7,
     build_group_query, lower_attention, mask_query, attention_call},
    {0}};
