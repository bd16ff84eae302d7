/* activations.c - Keras' activations and custom ones, see parts.h */
#include "engine/layers/arguments.h"
#include "engine/layers/parts.h"

#include <math.h>
#include <string.h>

enum activation_kind { ELEMENTWISE, SOFTMAX, LOG_SOFTMAX, GLU, SPARSEMAX };

struct activation {
    enum activation_kind kind;
    const struct expr *expr;    /* ELEMENTWISE; NULL = identity */
    int n_axes, axes[RANK_MAX]; /* SOFTMAX: of the tensor with batch, may be negative */
};

/* Elementwise ones by name stand in expr_functions(); here are the names that Keras knows. */
static const char *const elementwise_names[] = {
    "linear",     "relu",        "relu6",          "leaky_relu",  "elu",         "selu",        "celu",
    "gelu",       "sigmoid",     "hard_sigmoid",   "log_sigmoid", "tanh",        "hard_tanh",   "tanh_shrink",
    "silu",       "swish",       "hard_silu",      "hard_swish",  "mish",        "softplus",    "softsign",
    "squareplus", "sparse_plus", "sparse_sigmoid", "soft_shrink", "hard_shrink", "exponential",
};
static const struct {
    const char *name;
    enum activation_kind kind;
    const char *help;
} vector_rows[] = {
    {"softmax", SOFTMAX, "exp(x) over its sum along the last axis"},
    {"log_softmax", LOG_SOFTMAX, "logarithm of softmax"},
    {"glu", GLU, "first half of the last axis times the sigmoid of the second half"},
    {"sparsemax", SPARSEMAX, "softmax with exact zeros"},
};
enum {
    N_ELEMENTWISE = sizeof elementwise_names / sizeof elementwise_names[0],
    N_VECTOR = sizeof vector_rows / sizeof vector_rows[0]
};

static struct activation *new_activation(struct arena *arena, enum activation_kind kind)
{
    struct activation *activation = arena_alloc(arena, sizeof *activation);
    activation->kind = kind;
    activation->n_axes = 1;
    activation->axes[0] = -1;
    return activation;
}

static const struct activation *elementwise(struct arena *arena, const char *name, const double *values, int n,
                                            const char *where, struct err *err)
{
    struct activation *activation = new_activation(arena, ELEMENTWISE);
    if (strcmp(name, "linear") == 0)
        return activation;
    activation->expr = expr_function_apply(arena, name, values, n, err);
    if (!activation->expr)
        err_prefix(err, "%s", where);
    return activation->expr ? activation : NULL;
}

static const struct activation *from_text(struct arena *arena, const char *text, const char *where, struct err *err)
{
    static const char *const names[] = {"x"};
    struct activation *activation = new_activation(arena, ELEMENTWISE);
    activation->expr = expr_parse(arena, text, names, 1, err);
    if (!activation->expr)
        err_prefix(err, "%s", where);
    return activation->expr ? activation : NULL;
}

static const struct activation *by_name(struct arena *arena, const char *name, const char *where, struct err *err)
{
    const char *names[N_ELEMENTWISE + N_VECTOR];
    for (int i = 0; i < N_ELEMENTWISE; i++) {
        if (!strcmp(elementwise_names[i], name))
            return elementwise(arena, name, NULL, 0, where, err);
        names[i] = elementwise_names[i];
    }
    for (int i = 0; i < N_VECTOR; i++) {
        if (!strcmp(vector_rows[i].name, name))
            return new_activation(arena, vector_rows[i].kind);
        names[N_ELEMENTWISE + i] = vector_rows[i].name;
    }
    const char *nearest = str_nearest(name, names, N_ELEMENTWISE + N_VECTOR);
    return err_null(
        err, ERR_USAGE,
        "%s: unknown activation '%.100s'%s%s%s; a custom one is written {\"expression\": \"x * sigmoid(x)\"}", where,
        name, nearest ? ", did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

static bool read_axes(struct activation *activation, const json_t *axis)
{
    activation->n_axes = json_is_array(axis) ? (int)json_array_size(axis) : 1;
    if (activation->n_axes < 1 || activation->n_axes > RANK_MAX)
        return false;
    for (int i = 0; i < activation->n_axes; i++)
        activation->axes[i] = (int)json_integer_value(json_is_array(axis) ? json_array_get(axis, (size_t)i) : axis);
    return true;
}

static double number_of(const json_t *config, const char *key, double otherwise)
{
    double value;
    return js_to_double(json_object_get(config, key), &value) ? value : otherwise;
}

const struct activation *activation_of_layer(struct arena *arena, const char *class_name, const json_t *config,
                                             const char *where, struct err *err)
{
    if (!strcmp(class_name, "ReLU")) {
        double values[] = {number_of(config, "negative_slope", 0), number_of(config, "max_value", INFINITY),
                           number_of(config, "threshold", 0)};
        return elementwise(arena, "relu", values, 3, where, err);
    }
    if (!strcmp(class_name, "LeakyReLU")) {
        double slope = number_of(config, "negative_slope", number_of(config, "alpha", 0.3));
        return elementwise(arena, "leaky_relu", &slope, 1, where, err);
    }
    if (!strcmp(class_name, "ELU")) {
        double alpha = number_of(config, "alpha", 1);
        return elementwise(arena, "elu", &alpha, 1, where, err);
    }
    if (!strcmp(class_name, "Softmax")) {
        struct activation *activation = new_activation(arena, SOFTMAX);
        const json_t *axis = json_object_get(config, "axis");
        if (axis && !read_axes(activation, axis))
            return err_null(err, ERR_USAGE, "%s.axis: must be an integer or a list of 1 to %d", where, RANK_MAX);
        return activation;
    }
    return err_null(err, ERR_USAGE, "%s: '%.100s' is not a layer that can be an activation", where, class_name);
}

static const struct argument relu_arguments[] = {
    {"negative_slope", ARG_FLOAT, "0.0", NULL, 0, 0, "slope of negative values"},
    {"max_value", ARG_FLOAT, "null", NULL, 0, 0, "largest value"},
    {"threshold", ARG_FLOAT, "0.0", NULL, 0, 0, "where it begins to rise"},
    {0}};
static const struct argument leaky_arguments[] = {
    {"negative_slope", ARG_FLOAT, "0.3", NULL, 0, 0, "slope of negative values"},
    {"alpha", ARG_FLOAT, "0.3", NULL, 0, 0, "the same, as Keras 2 names it"},
    {0}};
static const struct argument elu_arguments[] = {{"alpha", ARG_FLOAT, "1.0", NULL, 0, 0, "scale of negative values"},
                                                {0}};
static const struct argument softmax_arguments[] = {{"axis", ARG_INTS, "-1", NULL, 0, 0, "axes of the classes"}, {0}};
static const struct argument activation_arguments[] = {{"activation", ARG_ANY, NULL, NULL, 0, 0, "the activation"},
                                                       {0}};
static const struct argument no_arguments[] = {{0}};

/* An activation given as a class takes the arguments of that layer, one given by its function takes none. */
static bool arguments_fit(const char *name, const json_t *config, const char *where, struct err *err)
{
    static const char *const common[] = {"class", "name", "trainable", "dtype", NULL};
    const struct argument *arguments = !strcmp(name, "ReLU")         ? relu_arguments
                                       : !strcmp(name, "LeakyReLU")  ? leaky_arguments
                                       : !strcmp(name, "ELU")        ? elu_arguments
                                       : !strcmp(name, "Softmax")    ? softmax_arguments
                                       : !strcmp(name, "Activation") ? activation_arguments
                                                                     : no_arguments;
    return !json_is_object(config) || arguments_check(name, arguments, common, config, where, err);
}

const struct activation *activation_parse(struct arena *arena, const json_t *json, const char *where, struct err *err)
{
    const char *name, *text = js_string(json, "expression", NULL);
    const json_t *config;
    if (!json || json_is_null(json))
        return new_activation(arena, ELEMENTWISE);
    if (text)
        return from_text(arena, text, where, err);
    if (!class_reference(json, &name, &config))
        return err_null(err, ERR_USAGE,
                        "%s: an activation is a name, an object with \"class\" or \"expression\", or null; found %s",
                        where, js_type_name(json));
    const char *registered = js_string(json, "registered_name", "");
    if (strchr(registered, '>') && strcmp(registered, "antler>Expression") != 0)
        return err_null(err, ERR_USAGE,
                        "%s: '%.100s' is a custom activation in Python code; antler never runs code from a file", where,
                        registered);
    if (!strcmp(name, "Expression") && js_string(config, "expression", NULL))
        return from_text(arena, js_string(config, "expression", NULL), where, err);
    if (!arguments_fit(name, config, where, err))
        return NULL;
    if (!strcmp(name, "ReLU") || !strcmp(name, "LeakyReLU") || !strcmp(name, "ELU") || !strcmp(name, "Softmax"))
        return activation_of_layer(arena, name, config, where, err);
    if (!strcmp(name, "Activation"))
        return activation_parse(arena, json_object_get(config, "activation"), where, err);
    return by_name(arena, name, where, err);
}

bool activation_is(const struct activation *a, const char *name)
{
    struct arena arena = {0};
    struct err err = {0};
    if (a->kind != ELEMENTWISE || !a->expr)
        return a->kind == ELEMENTWISE && !strcmp(name, "linear");
    const struct expr *named = expr_function_apply(&arena, name, NULL, 0, &err);
    bool same = named && expr_same(a->expr, named);
    arena_release(&arena);
    return same;
}

bool activation_fits(const struct activation *a, struct shape shape, const char *where, struct err *err)
{
    if (a->kind == ELEMENTWISE)
        return true;
    if (shape.rank < 1)
        return err_set(err, ERR_USAGE,
                       "%s: softmax-like activations need a feature axis, the input has one number per sample", where);
    for (int i = 0; i < a->n_axes; i++)
        if (a->axes[i] == 0 || a->axes[i] > shape.rank || a->axes[i] < -shape.rank)
            return err_set(err, ERR_USAGE, "%s: axis %d is not inside an input of %d dimensions and the batch", where,
                           a->axes[i], shape.rank);
    if (a->kind == GLU && shape.dim[shape.rank - 1] % 2)
        return err_set(err, ERR_USAGE, "%s: glu halves the last axis, which has an odd size (%lld)", where,
                       (long long)shape.dim[shape.rank - 1]);
    return true;
}

struct shape activation_shape(const struct activation *a, struct shape shape)
{
    if (a->kind == GLU)
        shape.dim[shape.rank - 1] /= 2;
    return shape;
}

/* Softmax over any axes: they are brought to the end, joined, and brought back. */
static struct value *lower_softmax(struct graph *g, const struct activation *a, struct value *x)
{
    int rank = x->shape.rank, order[RANK_MAX], back[RANK_MAX], n = 0;
    bool chosen[RANK_MAX] = {false};
    for (int i = 0; i < a->n_axes; i++)
        chosen[a->axes[i] < 0 ? a->axes[i] + rank : a->axes[i]] = true;
    if (a->n_axes == 1 && chosen[rank - 1])
        return op_softmax(g, x);
    struct shape joined = {0};
    for (int i = 0; i < rank; i++)
        if (!chosen[i]) {
            joined.dim[joined.rank++] = x->shape.dim[i];
            order[n++] = i;
        }
    joined.dim[joined.rank++] = -1;
    for (int i = 0; i < rank; i++)
        if (chosen[i])
            order[n++] = i;
    for (int i = 0; i < rank; i++)
        back[order[i]] = i;
    struct value *moved = op_transpose(g, x, order);
    struct value *y = op_softmax(g, op_reshape(g, moved, joined));
    return moved ? op_transpose(g, op_reshape(g, y, moved->shape), back) : NULL;
}

static struct value *lower_log_softmax(struct graph *g, struct value *x)
{
    const int last[] = {-1};
    struct value *top = op_stop_gradient(g, op_reduce(g, REDUCE_MAX, x, last, 1, true));
    struct value *shifted = op_sub(g, x, top);
    struct value *sum = op_reduce(g, REDUCE_SUM, op_expr(g, "exp(a)", shifted, NULL, NULL, NULL), last, 1, true);
    return op_expr(g, "a - log(b)", shifted, sum, NULL, NULL);
}

static struct value *lower_glu(struct graph *g, struct value *x)
{
    int64_t zero[RANK_MAX] = {0}, middle[RANK_MAX] = {0}, end[RANK_MAX];
    int last = x->shape.rank - 1;
    memcpy(end, x->shape.dim, sizeof end);
    middle[last] = end[last] / 2;
    struct value *gate = op_slice(g, x, middle, end, NULL);
    end[last] /= 2;
    return op_expr(g, "a * sigmoid(b)", op_slice(g, x, zero, end, NULL), gate, NULL, NULL);
}

/* Every pair of entries is compared: c_i = sum of the entries >= x_i, k_i their number; i is in the support when 1 +
 * k_i x_i > c_i. The threshold adds the cumulative sums of the whole support, as Keras does. */
static struct value *lower_sparsemax(struct graph *g, struct value *x)
{
    const int last[] = {-1};
    struct shape row = x->shape, column = x->shape;
    if (row.rank == RANK_MAX)
        return graph_fail(g, ERR_USAGE, "sparsemax of a tensor with %d dimensions", row.rank);
    row.dim[row.rank] = row.dim[row.rank - 1];
    row.dim[row.rank - 1] = 1;
    column.dim[column.rank] = 1;
    row.rank++;
    column.rank++;
    struct value *other = op_reshape(g, x, row), *self = op_reshape(g, x, column);
    struct value *sum =
        op_reduce(g, REDUCE_SUM, op_expr(g, "where(a >= b, a, 0)", other, self, NULL, NULL), last, 1, false);
    struct value *count = op_reduce(g, REDUCE_SUM, op_expr(g, "a >= b", other, self, NULL, NULL), last, 1, false);
    struct value *support = op_expr(g, "a - (b - 1) / c > 0", x, sum, count, NULL);
    struct value *size = op_reduce(g, REDUCE_SUM, support, last, 1, true);
    struct value *total = op_reduce(g, REDUCE_SUM, op_mul(g, support, sum), last, 1, true);
    return op_expr(g, "maximum(a - (b - 1) / c, 0)", x, total, size, NULL);
}

struct value *activation_lower(struct graph *g, const struct activation *a, struct value *x)
{
    if (!x || (a->kind == ELEMENTWISE && !a->expr))
        return x;
    switch (a->kind) {
    case ELEMENTWISE:
        return op_map(g, a->expr, &x, 1);
    case SOFTMAX:
        return lower_softmax(g, a, x);
    case LOG_SOFTMAX:
        return lower_log_softmax(g, x);
    case GLU:
        return lower_glu(g, x);
    case SPARSEMAX:
        return lower_sparsemax(g, x);
    }
    return NULL;
}

json_t *activations_describe(void)
{
    json_t *list = json_array();
    size_t n;
    const struct expr_function *functions = expr_functions(&n);
    for (int i = 0; i < N_ELEMENTWISE; i++)
        for (size_t k = 0; k < n; k++)
            if (!strcmp(functions[k].name, elementwise_names[i]))
                json_array_append_new(list, class_describe(functions[k].name, functions[k].help, NULL));
    for (int i = 0; i < N_VECTOR; i++)
        json_array_append_new(list, class_describe(vector_rows[i].name, vector_rows[i].help, NULL));
    return list;
}
