/* layers_operation.c - Operation: a keras.ops node of a Functional graph
 *
 * Elementwise ones are texts; the others are what Keras writes to compute masks (Any, ExpandDims, Concatenate, ...).
 * bool is float 0 or 1. Arguments stand in the call by position or keyword, axes in the config.
 */
#include "engine/layers/layer_support.h"

#include <string.h>

enum { OPERATION_MAX_TENSORS = 64, CUMSUM_MAX = 4096 };
enum operation_kind { ELEMENTWISE, CAST, ANY, ALL, EXPAND_DIMS, FILL, CONCATENATE, CUMSUM };

static const struct operation_row {
    const char *class_name;
    int arity;        /* tensors or numbers; -1: a list of tensors */
    const char *text; /* over a and b; FILL: the value */
    enum operation_kind kind;
} operation_rows[] = {
    {"Add", 2, "a + b", ELEMENTWISE},
    {"Subtract", 2, "a - b", ELEMENTWISE},
    {"Multiply", 2, "a * b", ELEMENTWISE},
    {"Divide", 2, "a / b", ELEMENTWISE},
    {"TrueDivide", 2, "a / b", ELEMENTWISE},
    {"Power", 2, "a ** b", ELEMENTWISE},
    {"Maximum", 2, "maximum(a, b)", ELEMENTWISE},
    {"Minimum", 2, "minimum(a, b)", ELEMENTWISE},
    {"Equal", 2, "a == b", ELEMENTWISE},
    {"NotEqual", 2, "a != b", ELEMENTWISE},
    {"Greater", 2, "a > b", ELEMENTWISE},
    {"GreaterEqual", 2, "a >= b", ELEMENTWISE},
    {"Less", 2, "a < b", ELEMENTWISE},
    {"LessEqual", 2, "a <= b", ELEMENTWISE},
    {"LogicalAnd", 2, "a != 0 and b != 0", ELEMENTWISE},
    {"LogicalOr", 2, "a != 0 or b != 0", ELEMENTWISE},
    {"LogicalNot", 1, "a == 0", ELEMENTWISE},
    {"Negative", 1, "-a", ELEMENTWISE},
    {"Absolute", 1, "abs(a)", ELEMENTWISE},
    {"Abs", 1, "abs(a)", ELEMENTWISE},
    {"Square", 1, "square(a)", ELEMENTWISE},
    {"Sqrt", 1, "sqrt(a)", ELEMENTWISE},
    {"Exp", 1, "exp(a)", ELEMENTWISE},
    {"Log", 1, "log(a)", ELEMENTWISE},
    {"Log1p", 1, "log1p(a)", ELEMENTWISE},
    {"Expm1", 1, "expm1(a)", ELEMENTWISE},
    {"Sin", 1, "sin(a)", ELEMENTWISE},
    {"Cos", 1, "cos(a)", ELEMENTWISE},
    {"Tanh", 1, "tanh(a)", ELEMENTWISE},
    {"Sigmoid", 1, "sigmoid(a)", ELEMENTWISE},
    {"Relu", 1, "relu(a)", ELEMENTWISE},
    {"Silu", 1, "silu(a)", ELEMENTWISE},
    {"Softplus", 1, "softplus(a)", ELEMENTWISE},
    {"Rsqrt", 1, "rsqrt(a)", ELEMENTWISE},
    {"ConvertToTensor", 1, "a", ELEMENTWISE},
    {"Cast", 1, "a", CAST},
    {"Cumsum", 1, NULL, CUMSUM},
    {"Any", 1, NULL, ANY},
    {"All", 1, NULL, ALL},
    {"ExpandDims", 1, NULL, EXPAND_DIMS},
    {"ZerosLike", 1, "0 * a", FILL},
    {"OnesLike", 1, "0 * a + 1", FILL},
    {"Concatenate", -1, NULL, CONCATENATE},
};

/* What a value of that type is among floats. */
static const struct cast_row {
    const char *dtype, *text;
} cast_rows[] = {{"float32", "a"}, {"bfloat16", "a"}, {"bool", "a != 0"}, {"int32", "sign(a) * floor(abs(a))"}};

static const struct cast_row *cast_of(const struct layer *layer)
{
    const char *dtype = js_string(layer->config, "dtype", "");
    for (size_t i = 0; i < sizeof cast_rows / sizeof *cast_rows; i++)
        if (!strcmp(cast_rows[i].dtype, dtype))
            return &cast_rows[i];
    return NULL;
}

static const struct operation_row *find_operation(const char *class_name)
{
    for (size_t i = 0; i < sizeof operation_rows / sizeof operation_rows[0]; i++)
        if (!strcmp(operation_rows[i].class_name, class_name))
            return &operation_rows[i];
    return NULL;
}

/* The one axis of the config, counted with the batch; rank is the sample's, or one more where an axis is inserted. */
static bool operation_axis(const struct layer *layer, int rank, int *axis, struct err *err)
{
    const json_t *given = json_object_get(layer->config, "axis");
    if (json_is_array(given) && json_array_size(given) == 1)
        given = json_array_get(given, 0);
    if (!json_is_integer(given))
        return err_set(err, ERR_USAGE, "%s: operation %s must have one axis, found %s", layer->where, layer->spec_class,
                       given ? js_type_name(given) : "none");
    return layer_axis(layer, "axis", json_integer_value(given), rank, axis, err);
}

static bool operation_shape(const struct layer *layer, const struct operation_row *row, const struct shape *inputs,
                            int n, struct shape *output, struct err *err)
{
    int axis;
    *output = inputs[0];
    if (row->kind == EXPAND_DIMS) {
        if (output->rank + 2 > RANK_MAX || !operation_axis(layer, output->rank + 1, &axis, err))
            return output->rank + 2 > RANK_MAX ? layer_fail(layer, err, "too many dimensions") : false;
        memmove(output->dim + axis, output->dim + axis - 1, (size_t)(output->rank - axis + 1) * sizeof *output->dim);
        output->dim[axis - 1] = 1;
        output->rank++;
        return true;
    }
    if (!operation_axis(layer, output->rank, &axis, err))
        return false;
    if (row->kind == CUMSUM)
        return output->dim[axis - 1] <= CUMSUM_MAX ||
               layer_fail(layer, err, "operation Cumsum over more than %d places is not possible", CUMSUM_MAX);
    if (row->kind == CONCATENATE) {
        for (int i = 1; i < n; i++) {
            bool fits = inputs[i].rank == output->rank;
            for (int k = 0; fits && k < output->rank; k++)
                fits = k == axis - 1 || inputs[i].dim[k] == output->dim[k];
            if (!fits)
                return layer_fail(layer, err, "the inputs of operation Concatenate must agree but for axis %d", axis);
            output->dim[axis - 1] += inputs[i].dim[axis - 1];
        }
        return true;
    }
    if (js_bool(layer->config, "keepdims", false)) {
        output->dim[axis - 1] = 1;
        return true;
    }
    memmove(output->dim + axis - 1, output->dim + axis, (size_t)(output->rank - axis) * sizeof *output->dim);
    output->dim[--output->rank] = 0;
    return true;
}

static bool build_operation(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                            struct shape *output, struct err *err)
{
    const char *class_name = layer->spec_class;
    const struct operation_row *row = find_operation(class_name);
    (void)model;
    layer->state = (void *)row;
    if (!row)
        return err_set(err, ERR_USAGE, "%s: node '%s' is the operation %s of keras.ops, which antler cannot run",
                       layer->where, layer->path, class_name);
    int most = row->arity < 0 ? OPERATION_MAX_TENSORS : row->arity;
    if (n < 1 || n > most)
        return err_set(err, ERR_USAGE, "%s: operation %s takes %d tensors, found %d", layer->where, class_name, most,
                       n);
    if (row->kind == CAST && !cast_of(layer))
        return layer_fail(layer, err,
                          "operation Cast to '%s' is not possible: there are float32, bfloat16, bool and int32",
                          js_string(layer->config, "dtype", ""));
    if (row->kind > CAST && row->kind != FILL)
        return operation_shape(layer, row, inputs, n, output, err);
    struct shape joined = shape_batched(1, inputs[0]);
    if (n == 2 && !shape_broadcast(joined, shape_batched(1, inputs[1]), &joined))
        return err_set(err, ERR_USAGE, "%s: the inputs of operation %s do not broadcast", layer->where, class_name);
    *output = shape_sample(joined);
    return true;
}

/* Arguments by position; a tensor takes the next input, a number is itself. */
static struct value *lower_elementwise(struct layer *layer, struct lowering *l, const struct operation_row *row,
                                       struct value *const *inputs, int n)
{
    struct value *operands[2] = {NULL, NULL};
    int used = 0;
    for (size_t i = 0; i < (size_t)row->arity; i++) {
        const json_t *arg = json_array_get(l->call->args, i);
        const char *keyword = i ? "x2" : "x1";
        double number;
        if (!arg)
            arg = json_object_get(l->call->kwargs, row->arity == 1 ? "x" : keyword);
        if (model_spec_is_tensor(arg) && used < n)
            operands[i] = as_float(l->graph, inputs[used++]);
        else if (js_to_double(arg, &number))
            operands[i] = op_scalar(l->graph, number);
        else
            return graph_fail(l->graph, ERR_USAGE,
                              "%s: argument %zu of operation %s must be a tensor or a number, found %s", layer->where,
                              i, row->class_name, arg ? js_type_name(arg) : "nothing");
    }
    return op_expr(l->graph, row->text, operands[0], operands[1], NULL, NULL);
}

/* Sums of all before and at each place: a product with a triangle of ones. */
static struct value *lower_cumsum(struct graph *g, struct value *x, int axis)
{
    int order[RANK_MAX], last = x->shape.rank - 1;
    int64_t n = x->shape.dim[axis], rows = shape_elements(x->shape) / n;
    float *ones = arena_array(&g->arena, (size_t)(n * n), sizeof *ones);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i; j < n; j++)
            ones[i * n + j] = 1;
    for (int i = 0; i <= last; i++)
        order[i] = i == axis ? last : i == last ? axis : i;
    struct value *moved = axis == last ? x : op_transpose(g, x, order);
    struct shape shape = moved ? moved->shape : (struct shape){0};
    struct value *triangle = op_constant(g, DTYPE_F32, SHAPE(n, n), ones);
    struct value *sums =
        op_reshape(g, op_matmul(g, op_reshape(g, moved, SHAPE(rows, n)), triangle, false, false), shape);
    return axis == last ? sums : op_transpose(g, sums, order);
}

static struct value *lower_cast(struct graph *g, const struct cast_row *cast, struct value *x)
{
    if (!strcmp(cast->dtype, "bfloat16"))
        return op_bfloat16(g, x);
    return strcmp(cast->text, "a") ? op_expr(g, cast->text, x, NULL, NULL, NULL) : op_float32(g, x);
}

static struct value *lower_operation(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    const struct operation_row *row = layer->state;
    struct graph *g = l->graph;
    struct value *x = as_float(g, inputs[0]), *parts[OPERATION_MAX_TENSORS];
    struct shape sample, samples[OPERATION_MAX_TENSORS];
    struct err err = {0};
    int axis = 0;
    if (row->kind == ELEMENTWISE)
        return lower_elementwise(layer, l, row, inputs, n);
    if (row->kind == CAST && x)
        return lower_cast(g, cast_of(layer), x);
    if (row->kind == FILL || !x)
        return op_expr(g, row->text ? row->text : "a", x, NULL, NULL, NULL);
    for (int i = 0; i < n; i++) {
        parts[i] = as_float(g, inputs[i]);
        samples[i] = parts[i] ? shape_sample(parts[i]->shape) : (struct shape){0};
    }
    if (!operation_shape(layer, row, samples, n, &sample, &err) ||
        !operation_axis(layer, samples[0].rank + (row->kind == EXPAND_DIMS), &axis, &err))
        return graph_fail(g, err.code, "%s", err.text);
    if (row->kind == EXPAND_DIMS)
        return op_reshape(g, x, shape_batched(x->shape.dim[0], sample));
    if (row->kind == CONCATENATE)
        return op_concat(g, parts, n, axis);
    if (row->kind == CUMSUM)
        return lower_cumsum(g, x, axis);
    return op_reduce(g, row->kind == ANY ? REDUCE_MAX : REDUCE_MIN, op_expr(g, "a != 0", x, NULL, NULL, NULL), &axis, 1,
                     js_bool(layer->config, "keepdims", false));
}

const struct layer_class *layer_class_operation(void)
{
    static const struct layer_class operation = {.name = "Operation",
                                                 .help = "a keras.ops node",
                                                 .min_inputs = 1,
                                                 .max_inputs = -1,
                                                 .build = build_operation,
                                                 .lower = lower_operation};
    return &operation;
}
