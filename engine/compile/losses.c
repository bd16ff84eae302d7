/* losses.c - building a loss from its config, and its reduction; the rows are in loss_table.c */
#include "engine/compile/losses.h"

#include "engine/compile/loss_class.h"
#include "engine/compile/program.h"

#include <string.h>

static const char *const reductions = "sum_over_batch_size|mean|sum|mean_with_sample_weight";

static bool read_reduction(struct loss *loss, const json_t *config, struct err *err)
{
    const json_t *given = json_object_get(config, "reduction");
    if (!given)
        return true;
    const char *text = json_is_string(given) ? json_string_value(given) : "none";
    if (!strcmp(text, "none"))
        return err_set(err, ERR_USAGE,
                       "%s.reduction: a loss must be one number to be trained, 'none' gives many; use one of %s",
                       loss->where, reductions);
    if (!name_listed(reductions, text, false))
        return err_set(err, ERR_USAGE, "%s.reduction: unknown reduction '%s', expected one of %s", loss->where, text,
                       reductions);
    loss->reduction = !strcmp(text, "sum")                       ? REDUCTION_SUM
                      : !strcmp(text, "mean_with_sample_weight") ? REDUCTION_MEAN_WITH_SAMPLE_WEIGHT
                                                                 : REDUCTION_MEAN;
    return true;
}

/* The elementwise text of a class with its arguments as constants. */
static const struct expr *class_expression(struct arena *arena, const struct loss_class *class, const json_t *config,
                                           struct err *err)
{
    struct program p;
    program_begin(&p, arena);
    program_input(&p, "y_true");
    program_input(&p, "y_pred");
    for (const struct argument *a = class->row.class.arguments; a->name; a++)
        if (a->type == ARG_FLOAT)
            program_constant(&p, a->name, argument_double(class->row.class.arguments, config, a->name));
    program_run(&p, class->text);
    static const char *const result[] = {"value"};
    return program_finish(&p, result, 1, err);
}

static struct loss *custom_loss(struct arena *arena, const json_t *json, const char *where, bool as_metric,
                                struct err *err)
{
    static const char *const names[] = {"y_true", "y_pred"};
    static const char *const known[] = {"expression", "name", "reduction", "class", "direction"};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json, key, value) {
        size_t n = as_metric ? 5 : 4;
        bool found = false;
        for (size_t i = 0; i < n; i++)
            found = found || !strcmp(known[i], key);
        if (!found) {
            err_set(err, ERR_USAGE, "%s.%s: unknown key of a custom %s", where, key, as_metric ? "metric" : "loss");
            err_nearest(err, str_nearest(key, known, n));
            return NULL;
        }
    }
    struct loss *loss = arena_alloc(arena, sizeof *loss);
    loss->where = where;
    loss->config = json;
    loss->weight = 1;
    loss->name = arena_strdup(arena, js_string(json, "name", "expression"));
    const json_t *text = json_object_get(json, "expression");
    if (!json_is_string(text))
        return err_null(err, ERR_USAGE, "%s.expression: expected text such as \"square(y_true - y_pred)\", found %s",
                        where, js_type_name(text));
    loss->expr = expr_parse(arena, json_string_value(text), names, 2, err);
    if (!loss->expr) {
        err_prefix(err, "%s.expression", where);
        return NULL;
    }
    return read_reduction(loss, json, err) ? loss : NULL;
}

struct loss *loss_of_class(struct arena *arena, const char *class_name, const json_t *config, const char *where,
                           struct err *err)
{
    struct loss *loss = arena_alloc(arena, sizeof *loss);
    loss->class = (const void *)named_get(&loss_table, class_name, where, err);
    if (!loss->class)
        return NULL;
    loss->config = config;
    loss->where = where;
    loss->weight = 1;
    loss->name = loss->class->default_name;
    if (loss->class->check && !loss->class->check(loss, err))
        return NULL;
    if (loss->class->text) {
        loss->expr = class_expression(arena, loss->class, config, err);
        if (!loss->expr)
            return NULL;
    }
    return loss;
}

struct loss *loss_build(struct arena *arena, const json_t *json, const char *where, bool as_metric, struct err *err)
{
    static const char *const common[] = {"name", "reduction", "dtype", "class", "fn", NULL};
    where = arena_strdup(arena, where);
    const char *name;
    const json_t *config, *inner = json_is_object(json) ? json_object_get(json, "config") : NULL;
    if (json_is_object(json) && json_object_get(json, "expression"))
        return custom_loss(arena, json, where, as_metric, err);
    if (json_is_object(inner) && json_object_get(inner, "expression"))
        return custom_loss(arena, inner, where, as_metric, err);
    if (!class_reference(json, &name, &config))
        return err_null(err, ERR_USAGE,
                        "%s: expected the name of a loss, {\"class\": ...} or {\"expression\": ...}, found %s", where,
                        js_type_name(json));
    bool named = json_is_string(json) || !strcmp(js_string(json, "class_name", ""), "function");
    const json_t *none;
    if (!strcmp(name, "LossFunctionWrapper") && !class_reference(json_object_get(config, "fn"), &name, &none))
        return err_null(err, ERR_USAGE, "%s.fn: expected the function that a LossFunctionWrapper wraps", where);
    if (!named_float32(config, where, err))
        return NULL;
    if (name_listed("crossentropy|ce", name, true)) {
        struct loss *loss = arena_alloc(arena, sizeof *loss);
        *loss = (struct loss){
            .automatic = true, .config = config, .where = where, .weight = 1, .name = arena_strdup(arena, name)};
        return loss;
    }
    const struct loss_class *class = (const void *)named_get(&loss_table, name, where, err);
    if (!class || !arguments_check(class->row.class.name, class->row.class.arguments, common, config, where, err))
        return NULL;
    struct loss *loss = loss_of_class(arena, class->row.class.name, config, where, err);
    if (!loss || !read_reduction(loss, config, err))
        return NULL;
    loss->name = arena_strdup(arena, named ? name : js_string(config, "name", loss->name));
    return loss;
}

bool loss_is_sparse(const struct loss *loss)
{
    return loss->class && loss->class->sparse;
}

bool loss_has_labels(const struct loss *loss)
{
    return loss_is_sparse(loss) || (loss->class && loss->class->labels);
}

bool loss_labels_are_below_width(const struct loss *loss)
{
    return loss_is_sparse(loss) || (loss->class && loss->class->below_width);
}

int64_t loss_classes(const struct loss *loss, int64_t width)
{
    bool either = loss->automatic || (loss->class && loss->class->binary),
         one_of = loss->automatic || (loss->class && (loss->class->sparse || loss->class->one_hot));
    return either && width == 1 ? 2 : one_of && width > 1 ? width : 0;
}

enum label_kind label_kind(const struct value *y_true, const struct value *y_pred)
{
    int true_rank = y_true->shape.rank, pred_rank = y_pred->shape.rank;
    if (y_pred->shape.dim[pred_rank - 1] == 1)
        return LABEL_BINARY;
    return true_rank < pred_rank || y_true->shape.dim[true_rank - 1] == 1 ? LABEL_SPARSE : LABEL_ONE_HOT;
}

static struct value *with_last_one(struct graph *g, struct value *x)
{
    struct shape shape = x->shape;
    shape.dim[shape.rank++] = 1;
    return op_reshape(g, x, shape);
}

static struct value *without_last(struct graph *g, struct value *x)
{
    struct shape shape = x->shape;
    shape.dim[--shape.rank] = 0;
    return op_reshape(g, x, shape);
}

void match_ranks(struct graph *g, struct value **y_true, struct value **y_pred)
{
    if (!*y_true || !*y_pred)
        return;
    int a = (*y_true)->shape.rank, b = (*y_pred)->shape.rank;
    if (a == b + 1 && (*y_true)->shape.dim[a - 1] == 1) {
        if (b == 1)
            *y_pred = with_last_one(g, *y_pred);
        else
            *y_true = without_last(g, *y_true);
    } else if (b == a + 1 && (*y_pred)->shape.dim[b - 1] == 1) {
        if (a == 1)
            *y_true = with_last_one(g, *y_true);
        else
            *y_pred = without_last(g, *y_pred);
    }
}

struct value *class_numbers(struct graph *g, struct value *y_true, struct value *y_pred, const char *where)
{
    int rank = y_pred->shape.rank;
    if (y_true->shape.rank == rank && y_true->shape.dim[rank - 1] == 1)
        y_true = without_last(g, y_true);
    struct shape expected = y_pred->shape;
    expected.dim[--expected.rank] = 0;
    if (y_true && !shape_equal(y_true->shape, expected))
        return graph_fail(
            g, ERR_USAGE, "%s: expected class numbers of shape %s, found targets of shape %s%s", where,
            shape_text(&g->arena, expected), shape_text(&g->arena, y_true->shape),
            shape_equal(y_true->shape, y_pred->shape) ? "; for one-hot targets use the name without 'sparse'" : "");
    return !y_true || y_true->dtype == DTYPE_I32 ? y_true : op_cast_i32(g, y_true);
}

struct value *weights_like(struct graph *g, struct value *weights, struct value *values)
{
    if (!weights || !values || values->shape.rank <= 1)
        return weights;
    struct shape shape = {.rank = values->shape.rank};
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = i ? 1 : weights->shape.dim[0];
    return op_reshape(g, weights, shape);
}

struct value *loss_values(const struct loss *loss, struct loss_call *call)
{
    struct graph *g = call->graph;
    if (!call->y_true || !call->y_pred)
        return NULL;
    struct loss chosen = *loss;
    if (loss->automatic) {
        static const char *const classes[] = {"BinaryCrossentropy", "SparseCategoricalCrossentropy",
                                              "CategoricalCrossentropy"};
        chosen.class = (const void *)named_find(&loss_table, classes[label_kind(call->y_true, call->y_pred)]);
        loss = &chosen;
    }
    if (!loss_has_labels(loss))
        match_ranks(g, &call->y_true, &call->y_pred);
    if (loss->class && loss->class->lower)
        return loss->class->lower(loss, call);
    struct shape fits;
    if (!shape_broadcast(call->y_true->shape, call->y_pred->shape, &fits))
        return graph_fail(g, ERR_USAGE, "%s: the model gives shape %s, the targets have shape %s", loss->where,
                          shape_text(&g->arena, call->y_pred->shape), shape_text(&g->arena, call->y_true->shape));
    struct value *inputs[] = {call->y_true, call->y_pred};
    struct value *elements = op_map(g, loss->expr, inputs, 2);
    int last = -1;
    return op_reduce(g, loss->class && loss->class->sum ? REDUCE_SUM : REDUCE_MEAN, elements, &last, 1, false);
}

struct value *mask_weights(struct graph *g, struct value *mask, struct value *weights, struct value *values,
                           const char *where)
{
    if (!values || mask->shape.rank != values->shape.rank)
        return values ? graph_fail(g, ERR_USAGE, "%s: the output's mask has the shape %s, the values %s", where,
                                   shape_text(&g->arena, mask->shape), shape_text(&g->arena, values->shape))
                      : NULL;
    return weights ? op_mul(g, weights_like(g, weights, values), mask) : mask;
}

struct value *loss_reduce(const struct loss *loss, struct loss_call *call, struct value *values, struct value *weights)
{
    struct graph *g = call->graph;
    if (!values)
        return NULL;
    double n = (double)shape_elements(values->shape);
    struct value *valid = call->mask ? op_sum_all(g, call->mask) : NULL;
    struct value *w =
        call->mask ? mask_weights(g, call->mask, weights, values, loss->where) : weights_like(g, weights, values);
    if (w)
        values = op_mul(g, values, w);
    if (!values)
        return NULL;
    n = n > 1 ? n : (double)shape_elements(values->shape);
    struct value *sum = op_sum_all(g, values);
    switch (loss->reduction) {
    case REDUCTION_SUM:
        return sum;
    case REDUCTION_MEAN_WITH_SAMPLE_WEIGHT:
        return w ? op_expr(g, "where(b == 0, 0, a / where(b == 0, 1, b))", sum,
                           op_sum_all(g, op_broadcast(g, w, values->shape)), NULL, NULL)
                 : op_scale(g, sum, 1 / n);
    case REDUCTION_MEAN:
        break;
    }
    return valid ? op_expr(g, "where(b == 0, 0, a / where(b == 0, 1, b))", sum, valid, NULL, NULL)
                 : op_scale(g, sum, 1 / n);
}
