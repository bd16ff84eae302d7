/* expr_functions.c - named functions as text over simpler ones. The first rows are Keras' elementwise activations.
 *
 * A body must stay finite in the branch that where() does not take: its gradient is multiplied by zero, not skipped.
 * Ties decide slopes: maximum(0, x) has slope 0 at 0, minimum(x, -x) has slope 1 there, which makes softplus'(0) the
 * exact 1/2.
 */
#include <math.h>
#include <string.h>

#include "engine/graph/expr_internal.h"

static const struct expr_function functions[] = {
    {"linear", "x", "x", "x unchanged"},
    {"relu", "x, negative_slope=0, max_value=inf, threshold=0",
     "minimum(max_value, maximum(0, x) if threshold == 0 and negative_slope == 0 else where(x > threshold, x, "
     "negative_slope * (x - threshold)))",
     "x where it is above the threshold, else negative_slope * (x - threshold); at most max_value"},
    {"relu6", "x", "minimum(6, maximum(0, x))", "relu cut at 6"},
    {"leaky_relu", "x, negative_slope=0.2", "where(x >= 0, x, negative_slope * x)", "relu with a slope below 0"},
    {"elu", "x, alpha=1", "where(x > 0, x, alpha * expm1(minimum(x, 0)))", "exponential linear unit"},
    {"selu", "x", "1.0507009873554805 * elu(x, 1.6732632423543772)", "scaled elu that keeps mean and variance"},
    {"celu", "x, alpha=1", "maximum(0, x) + alpha * expm1(minimum(x, 0) / alpha)", "continuously differentiable elu"},
    {"gelu", "x, approximate=0",
     "0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))) if approximate else "
     "erf_gelu(x)",
     "x times the normal distribution's probability below x"},
    {"sigmoid", "x", "sigmoid(x)", "1 / (1 + exp(-x))"},
    {"hard_sigmoid", "x", "relu6(x + 3) / 6", "piecewise linear sigmoid"},
    {"log_sigmoid", "x", "-softplus(-x)", "logarithm of the sigmoid"},
    {"tanh", "x", "tanh(x)", "hyperbolic tangent"},
    {"hard_tanh", "x", "minimum(maximum(x, -1), 1)", "x cut to [-1, 1]"},
    {"tanh_shrink", "x", "x - tanh(x)", "x less its hyperbolic tangent"},
    {"silu", "x", "x * sigmoid(x)", "x times its sigmoid (swish)"},
    {"swish", "x", "x * sigmoid(x)", "the same as silu"},
    {"hard_silu", "x", "x * hard_sigmoid(x)", "x times its hard sigmoid"},
    {"hard_swish", "x", "x * hard_sigmoid(x)", "the same as hard_silu"},
    {"mish", "x", "x * tanh(softplus(x))", "x times tanh of its softplus"},
    {"softplus", "x", "maximum(0, x) + log1p(exp(minimum(x, -x)))", "log(1 + exp(x))"},
    {"softsign", "x", "x / (1 + abs(x))", "x / (1 + |x|)"},
    {"squareplus", "x, b=4", "(x + sqrt(x * x + b)) / 2", "a smooth relu with algebraic tails"},
    {"sparse_plus", "x", "where(x <= -1, 0, where(x < 1, 0.25 * square(x + 1), x))",
     "0, a parabola on [-1, 1], then x"},
    {"sparse_sigmoid", "x", "where(x <= -1, 0, where(x < 1, 0.5 * (x + 1), 1))", "0, a line on [-1, 1], then 1"},
    {"soft_shrink", "x, threshold=0.5", "where(abs(x) > threshold, sign(x) * (abs(x) - threshold), 0)",
     "x moved towards 0 by the threshold"},
    {"hard_shrink", "x, threshold=0.5", "where(abs(x) > threshold, x, 0)", "0 where |x| is at most the threshold"},
    {"threshold", "x, threshold, default_value", "where(x > threshold, x, default_value)",
     "default_value where x is not above the threshold"},
    {"exponential", "x", "exp(x)", "e to the x"},

    {"clip", "x, low, high", "minimum(maximum(x, low), high)", "x cut to [low, high]"},
    {"max", "a, b", "maximum(a, b)", "the greater one"},
    {"min", "a, b", "minimum(a, b)", "the lesser one"},
    {"log2", "x", "log(x) * 1.4426950408889634", "logarithm to base 2"},
    {"log10", "x", "log(x) * 0.4342944819032518", "logarithm to base 10"},
    {"sinh", "x", "0.5 * (expm1(x) - expm1(-x))", "hyperbolic sine"},
    {"cosh", "x", "0.5 * (exp(x) + exp(-x))", "hyperbolic cosine"},
    {"tan", "x", "sin(x) / cos(x)", "tangent"},
    {"log_cosh", "x", "x + softplus(-2 * x) - 0.6931471805599453", "logarithm of cosh, exact for large x"},
    {"huber", "x, delta=1", "where(abs(x) <= delta, 0.5 * x * x, delta * abs(x) - 0.5 * delta * delta)",
     "square near 0, linear further out"},
};

const struct expr_function *expr_functions(size_t *n)
{
    *n = sizeof functions / sizeof functions[0];
    return functions;
}

const struct expr_function *expr_function_find(const char *name)
{
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (!strcmp(functions[i].name, name))
            return &functions[i];
    return NULL;
}

void expr_function_parameters(const struct expr_function *function, struct expr_parameters *out)
{
    *out = (struct expr_parameters){0};
    for (const char *at = function->parameters; *at; out->n++) {
        size_t length = strcspn(at, ",="), room = sizeof out->names[0];
        BUG_ON(out->n == EXPR_MAX_PARAMETERS || length >= room);
        memcpy(out->names[out->n], at, length);
        at += length;
        out->required[out->n] = *at != '=';
        if (*at == '=') {
            char value[32] = "";
            length = strcspn(++at, ",");
            memcpy(value, at, length < sizeof value ? length : 0);
            if (!strcmp(value, "inf"))
                out->initial[out->n] = (double)INFINITY;
            else
                BUG_ON(!str_to_double(value, &out->initial[out->n]));
            at += length;
        }
        at += strspn(at, ", ");
    }
}

int expr_function_call(struct expr_builder *b, const struct expr_function *function, const int *steps, int depth,
                       struct err *err)
{
    struct expr_parameters parameters;
    const char *names[EXPR_MAX_PARAMETERS];
    expr_function_parameters(function, &parameters);
    for (int i = 0; i < parameters.n; i++)
        names[i] = parameters.names[i];
    return expr_parse_into(b, function->body, names, steps, parameters.n, depth + 1, err);
}

static const struct expr *unknown_function(const char *name, struct err *err)
{
    const char *known[sizeof functions / sizeof functions[0] + EXPR_OP_COUNT];
    size_t n = 0;
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        known[n++] = functions[i].name;
    for (int i = 0; i < EXPR_OP_COUNT; i++)
        if (expr_op_is_call((enum expr_op)i) && expr_op_arity((enum expr_op)i) == 1)
            known[n++] = expr_op_text((enum expr_op)i);
    err_set(err, ERR_USAGE, "unknown function '%s'", name);
    err_nearest(err, str_nearest(name, known, n));
    return NULL;
}

const struct expr *expr_function_apply(struct arena *arena, const char *name, const double *values, int n_values,
                                       struct err *err)
{
    struct expr_builder b;
    expr_begin(&b, arena);
    int steps[EXPR_MAX_PARAMETERS] = {expr_input(&b, 0)}, result = -1;
    for (int i = 0; i < EXPR_OP_COUNT && result < 0; i++)
        if (expr_op_is_call((enum expr_op)i) && expr_op_arity((enum expr_op)i) == 1 &&
            !strcmp(expr_op_text((enum expr_op)i), name))
            result = expr_1(&b, (enum expr_op)i, steps[0]);
    struct expr_parameters parameters = {.n = 1};
    const struct expr_function *function = expr_function_find(name);
    if (result < 0 && !function)
        return unknown_function(name, err);
    if (result < 0)
        expr_function_parameters(function, &parameters);
    if (n_values > parameters.n - 1)
        return err_null(err, ERR_USAGE, "function '%s' takes %d further arguments, found %d", name, parameters.n - 1,
                        n_values);
    for (int i = 1; i < parameters.n; i++) {
        if (i > n_values && parameters.required[i])
            return err_null(err, ERR_USAGE, "function '%s' needs '%s'", name, parameters.names[i]);
        steps[i] = expr_const(&b, i <= n_values ? values[i - 1] : parameters.initial[i]);
    }
    if (result < 0)
        result = expr_function_call(&b, function, steps, 0, err);
    return result < 0 ? NULL : expr_finish(&b, &result, 1, 1);
}
