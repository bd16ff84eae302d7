/* optimizers_lower.c - the update of every trainable variable as ops: one expression, or what the row lowers itself */
#include "engine/compile/optimizer_class.h"

#include <string.h>

/* Sum of squares of a gradient: of the mean of accumulated ones when they are accumulated. */
static struct value *squares_of_gradient(const struct optimizer *o, struct graph *g, int i, struct value *gradient)
{
    if (o->accumulators)
        gradient =
            op_expr(g, "(a + b) / c", gradient, op_variable(g, o->accumulators[i]), op_scalar(g, o->accumulate), NULL);
    return optimizer_square_sum(g, gradient);
}

/* What every gradient is multiplied by so that all together are no longer than global_clipnorm. */
static struct value *global_factor(const struct optimizer *o, struct graph *g, struct value *const *gradients)
{
    struct value *sum = NULL;
    for (int i = 0; i < o->model->n_trainable; i++) {
        struct value *one = squares_of_gradient(o, g, i, gradients[i]);
        sum = sum ? op_add(g, sum, one) : one;
    }
    return op_expr(g, "b * minimum(1 / sqrt(a), 1 / b) + (sqrt(a) - sqrt(a))", sum,
                   op_scalar(g, optimizer_number(o, "global_clipnorm")), NULL, NULL);
}

/* clipnorm / max(length, clipnorm) */
static struct value *own_factor(const struct optimizer *o, struct graph *g, int i, struct value *gradient)
{
    return op_expr(g, "b / maximum(sqrt(a), b)", squares_of_gradient(o, g, i, gradient),
                   op_scalar(g, optimizer_number(o, "clipnorm")), NULL, NULL);
}

static struct value *scalar_named(const struct whole_update *u, const char *name)
{
    for (int i = 0; i < u->n_scalars; i++)
        if (!strcmp(u->scalar_names[i], name))
            return u->scalars[i];
    return NULL;
}

/* The gradient that the update sees: the mean of the accumulated ones, clipped. Assigns the accumulator. */
static struct value *whole_gradient(const struct whole_update *u, struct value *gradient, struct value *factor)
{
    const struct optimizer *o = u->optimizer;
    struct graph *g = u->graph;
    if (o->accumulators) {
        struct variable *accumulator = o->accumulators[u->variable];
        struct value *sum = op_add(g, op_variable(g, accumulator), gradient);
        graph_assign(g, accumulator, op_expr(g, "where(a, 0, b)", scalar_named(u, "update"), sum, NULL, NULL));
        gradient = op_div(g, sum, op_scalar(g, o->accumulate));
    }
    if (factor)
        gradient = op_mul(g, gradient, factor);
    return optimizer_set(o, "clipvalue") ? op_expr(g, "maximum(minimum(a, b), -b)", gradient,
                                                   op_scalar(g, optimizer_number(o, "clipvalue")), NULL, NULL)
                                         : gradient;
}

/* As lower_variable, for a class that lowers its update itself. */
static void lower_whole(struct whole_update *u, struct value *gradient, struct value *factor)
{
    const struct optimizer *o = u->optimizer;
    struct graph *g = u->graph;
    int i = u->variable;
    struct variable *tensors[OPTIMIZER_MAX_SLOTS + 1] = {o->model->trainable[i]};
    struct value *before[OPTIMIZER_MAX_SLOTS + 1] = {u->weight = op_variable(g, tensors[0])};
    for (int s = 0; s < OPTIMIZER_MAX_SLOTS; s++)
        if (o->slots[s] && o->slots[s][i]) {
            tensors[s + 1] = o->slots[s][i];
            before[s + 1] = u->slots[s] = op_variable(g, tensors[s + 1]);
        }
    u->gradient = whole_gradient(u, gradient, factor);
    o->class->lower(u);
    for (int k = 0; k <= OPTIMIZER_MAX_SLOTS; k++) {
        struct value **after = k ? &u->slots[k - 1] : &u->weight;
        if (o->accumulators && tensors[k])
            *after = op_expr(g, "where(a, b, c)", scalar_named(u, "update"), *after, before[k], NULL);
        if (k && tensors[k])
            graph_assign(g, tensors[k], *after);
    }
    if (o->averages) {
        struct value *average =
            op_expr(g, "a * b + (1 - a) * c", scalar_named(u, "keep"), op_variable(g, o->averages[i]), u->weight, NULL);
        graph_assign(g, o->averages[i], average);
        if (optimizer_set(o, "ema_overwrite_frequency"))
            u->weight = op_expr(g, "where(a, b, c)", scalar_named(u, "overwrite"), average, u->weight, NULL);
    }
    graph_assign(g, tensors[0], model_constrain(o->model, g, tensors[0], u->weight));
}

static void lower_variable(const struct optimizer *o, struct graph *g, int i, struct value *gradient,
                           struct value *factor, struct value *const *scalars, int n_scalars)
{
    struct variable *tensors[EXPR_MAX_RESULTS];
    struct value *inputs[EXPR_MAX_INPUTS], *results[EXPR_MAX_RESULTS] = {NULL};
    int n = 0, n_inputs = 0;
    tensors[n++] = o->model->trainable[i];
    if (o->averages)
        tensors[n++] = o->averages[i];
    if (o->accumulators)
        tensors[n++] = o->accumulators[i];
    for (int s = 0; s < OPTIMIZER_MAX_SLOTS; s++)
        if (o->slots[s])
            tensors[n++] = o->slots[s][i];
    inputs[n_inputs++] = gradient;
    for (int k = 0; k < n; k++)
        inputs[n_inputs++] = op_variable(g, tensors[k]);
    if (factor)
        inputs[n_inputs++] = factor;
    for (int k = 0; k < n_scalars; k++)
        inputs[n_inputs++] = scalars[k];
    if (!op_map_many(g, o->update, inputs, n_inputs, results))
        return;
    graph_assign(g, tensors[0], model_constrain(o->model, g, tensors[0], results[0]));
    for (int k = 1; k < n; k++)
        graph_assign(g, tensors[k], results[k]);
}

void optimizer_lower(const struct optimizer *o, struct graph *g, struct value *const *gradients)
{
    const char *names[EXPR_MAX_RESULTS];
    struct value *iteration = op_variable(g, o->iteration), *inputs[3] = {iteration},
                 *scalars[EXPR_MAX_RESULTS] = {NULL};
    int n_scalars = optimizer_scalars(o, names);
    inputs[1] = o->schedule ? op_map(g, o->schedule, &iteration, 1) : op_variable(g, o->learning_rate);
    if (o->scalar_slot)
        inputs[2] = op_variable(g, o->scalar_slot);
    g->label = o->name;
    if (!op_map_many(g, o->scalars, inputs, o->scalar_slot ? 3 : 2, scalars))
        return;
    if (o->scalar_slot)
        graph_assign(g, o->scalar_slot, scalars[--n_scalars]);
    struct value *factor = optimizer_set(o, "global_clipnorm") ? global_factor(o, g, gradients) : NULL;
    for (int i = 0; i < o->model->n_trainable; i++) {
        struct value *own = optimizer_set(o, "clipnorm") ? own_factor(o, g, i, gradients[i]) : factor;
        if (o->class->lower)
            lower_whole(&(struct whole_update){.optimizer = o,
                                               .graph = g,
                                               .variable = i,
                                               .scalar_names = names,
                                               .scalars = scalars,
                                               .n_scalars = n_scalars},
                        gradients[i], own);
        else
            lower_variable(o, g, i, gradients[i], own, scalars, n_scalars);
    }
    graph_assign(g, o->iteration, op_add_i32(g, iteration, 1));
}
