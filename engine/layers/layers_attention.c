/* layers_attention.c - MultiHeadAttention and GroupQueryAttention
 *
 * Queries, keys and values are projected by matrix products to heads that lie side by side, [rows, heads * depth]; the
 * op `attention` reads them in place. Where attention runs over some axes only, these are moved behind the others
 * first.
 */
#include "engine/layers/layers_attention.h"

static const char *const role_names[N_ROLES] = {"query", "value", "key"};

int attention_input(const struct layer *layer, const struct call_spec *call, enum role role)
{
    int first, n;
    if (call_tensors(layer->class, call, role_names[role], &first, &n))
        return n == 1 ? first : -1;
    return role == KEY ? attention_input(layer, call, VALUE) : -1;
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
        int number = attention_input(layer, layer->first_call, role);
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

bool attention_attends(const struct attention_layer *a, int axis)
{
    bool found = false;
    for (int i = 0; i < a->n_axes; i++)
        found = found || a->axes[i] == axis;
    return found;
}

/* The output, and the probabilities (batch axes, heads, query axes, key axes) when the call asks for them. */
static bool set_outputs(struct layer *layer, struct model *model, const struct attention_layer *a,
                        const struct shape *shapes, struct shape *output, struct err *err)
{
    struct shape query = shapes[QUERY], scores = {0};
    for (int i = 1; i < query.rank; i++)
        if (!attention_attends(a, i) && query.dim[i - 1] != shapes[VALUE].dim[i - 1])
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
        if (!attention_attends(a, i))
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
    struct value *mask = l->masks[attention_input(layer, l->call, QUERY)];
    (void)inputs, (void)n;
    for (int role = 0; layer->class->arguments == multi_head_arguments && role < N_ROLES; role++)
        l->masks[attention_input(layer, l->call, role)] = NULL;
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
     build_multi_head, attention_lower, mask_query, attention_call},
    {"GroupQueryAttention", "attention whose heads share keys and values in groups", group_query_arguments, 1, 7,
     build_group_query, attention_lower, mask_query, attention_call},
    {0}};
