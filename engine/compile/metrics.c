/* metrics.c - building, lowering and reading metrics; the rows are in metric_table.c */
#include "engine/compile/metrics.h"

#include "engine/compile/metric_class.h"
#include "persistence/keras/model_spec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct variable *total_variable(struct arena *arena, const char *metric, const char *name, struct shape shape)
{
    struct variable *v = arena_alloc(arena, sizeof *v);
    v->name = name;
    v->path = arena_printf(arena, "%s/%s", metric, name);
    v->dtype = DTYPE_F32;
    v->shape = shape;
    return v;
}

void total_add(struct graph *g, struct variable *total, struct value *value)
{
    if (value)
        graph_assign(g, total, op_add(g, op_variable(g, total), value));
}

void mean_declare(struct arena *arena, struct variable **totals, const char *name)
{
    totals[0] = total_variable(arena, name, "total", (struct shape){0});
    totals[1] = total_variable(arena, name, "count", (struct shape){0});
}

void mean_add(struct graph *g, struct variable *const *totals, struct value *sum, struct value *count)
{
    total_add(g, totals[0], sum);
    total_add(g, totals[1], count);
}

static double mean_of(const float *const *totals)
{
    return totals[1][0] == 0 ? 0 : (double)totals[0][0] / (double)totals[1][0];
}

/* "Precision" -> "precision", then "precision_1": Keras numbers the instances that were given no name. */
static const char *automatic_name(struct arena *arena, struct metric_names *names, const struct metric_class *class)
{
    if (!names->counts)
        names->counts = arena_array(arena, metric_table.n, sizeof *names->counts);
    size_t row = (size_t)((const char *)class - (const char *)metric_table.rows) / metric_table.row_size;
    char *snake = keras_snake_name(class->row.class.name);
    int count = names->counts[row]++;
    const char *name = count ? arena_printf(arena, "%s_%d", snake, count) : arena_strdup(arena, snake);
    free(snake);
    return name;
}

static struct metric *custom_metric(struct arena *arena, struct metric *metric, const json_t *json, struct err *err)
{
    metric->loss = loss_build(arena, json, metric->where, true, err);
    if (!metric->loss)
        return NULL;
    metric->config = metric->loss->config;
    metric->name = metric->loss->name;
    const char *direction = js_string(metric->config, "direction", NULL);
    if (direction && strcmp(direction, "up") != 0 && strcmp(direction, "down") != 0)
        return err_null(err, ERR_USAGE, "%s.direction: expected \"up\" or \"down\", found '%s'", metric->where,
                        direction);
    metric->direction = direction ? arena_strdup(arena, direction) : NULL;
    mean_declare(arena, metric->totals, metric->name);
    metric->n_totals = 2;
    return metric;
}

/* A metric of a known class with checked arguments; name NULL = automatic. */
static struct metric *class_metric(struct arena *arena, struct metric *metric, struct shape y_pred_shape,
                                   struct err *err)
{
    const struct metric_class *class = metric->class;
    metric->direction = class->direction;
    if (class->loss && !(metric->loss = loss_of_class(arena, class->loss, metric->config, metric->where, err)))
        return NULL;
    if (class->declare)
        return class->declare(arena, metric, y_pred_shape, err) ? metric : NULL;
    mean_declare(arena, metric->totals, metric->name);
    metric->n_totals = 2;
    return metric;
}

struct metric *metric_build(struct arena *arena, struct metric_names *names, const json_t *json,
                            struct shape y_pred_shape, const char *where, struct err *err)
{
    static const char *const common[] = {"name", "dtype", "class", "fn", NULL};
    struct metric *metric = arena_alloc(arena, sizeof *metric);
    metric->where = where = arena_strdup(arena, where);
    const json_t *inner = json_is_object(json) ? json_object_get(json, "config") : NULL;
    if (json_is_object(json) &&
        (json_object_get(json, "expression") || (json_is_object(inner) && json_object_get(inner, "expression"))))
        return custom_metric(arena, metric, json, err);
    const char *name;
    if (!class_reference(json, &name, &metric->config))
        return err_null(err, ERR_USAGE,
                        "%s: expected the name of a metric, {\"class\": ...} or {\"expression\": ...}, found %s", where,
                        js_type_name(json));
    bool named = json_is_string(json) || !strcmp(js_string(json, "class_name", ""), "function");
    const json_t *none;
    if (!strcmp(name, "MeanMetricWrapper") && !class_reference(json_object_get(metric->config, "fn"), &name, &none))
        return err_null(err, ERR_USAGE, "%s.fn: expected the function that a MeanMetricWrapper wraps", where);
    /* The string 'Accuracy' is 'accuracy' to Keras; only as an object it is the class. */
    bool automatic = json_is_string(json) && name_listed("accuracy|acc", name, true);
    const struct metric_class *class =
        (const void *)named_get(&metric_table, automatic ? "accuracy" : name, where, err);
    if (!class ||
        !arguments_check(class->row.class.name, class->row.class.arguments, common, metric->config, where, err) ||
        (class->declare != iou_declare && !named_float32(metric->config, where, err)))
        return NULL;
    metric->class = class;
    const char *own = js_string(metric->config, "name", NULL);
    metric->name = named                 ? arena_strdup(arena, name)
                   : own                 ? arena_strdup(arena, own)
                   : class->default_name ? class->default_name
                                         : automatic_name(arena, names, class);
    return class_metric(arena, metric, y_pred_shape, err);
}

static void add_sum(const struct metric *metric, struct graph *g, struct value *sum, struct value *count)
{
    mean_add(g, metric->totals, metric->class && metric->class->negated ? op_scale(g, sum, -1) : sum, count);
}

/* Values of any shape (batch, ...) to one per sample, then their sum and how many they are. A mask weighs each value.
 */
static void add_mean(const struct metric *metric, struct metric_call *call, struct value *values, struct value *mask)
{
    struct graph *g = call->graph;
    if (!values)
        return;
    if (mask) {
        struct value *weights = mask_weights(g, mask, call->weights, values, metric->where);
        add_sum(metric, g, op_sum_all(g, op_mul(g, values, weights)), op_sum_all(g, weights));
        return;
    }
    int axes[RANK_MAX], n = 0;
    for (int i = 1; i < values->shape.rank; i++)
        axes[n++] = i;
    if (n)
        values = op_reduce(g, REDUCE_MEAN, values, axes, n, false);
    if (!values)
        return;
    if (call->weights && values->shape.rank == 1)
        values = op_mul(g, values, call->weights);
    struct value *count = call->weights && values && values->shape.rank == 1
                              ? op_sum_all(g, call->weights)
                              : op_scalar(g, (double)shape_elements(values->shape));
    add_sum(metric, g, op_sum_all(g, values), count);
}

void metric_lower(const struct metric *metric, struct metric_call *call)
{
    const struct metric_class *class = metric->class;
    if (!call->y_true || !call->y_pred)
        return;
    if (metric->loss) {
        struct loss_call values = {.graph = call->graph,
                                   .y_true = call->y_true,
                                   .y_pred = call->y_pred,
                                   .logits = call->logits,
                                   .mask = call->mask};
        struct value *each = loss_values(metric->loss, &values);
        /* What ignore_class leaves out only counts beside weights: a quirk of Keras. */
        add_mean(metric, call, each, call->weights || call->mask ? values.mask : NULL);
    } else if (class->values) {
        add_mean(metric, call, class->values(metric, call), call->mask);
    } else {
        class->lower(metric, call);
    }
}

double metric_result(const struct metric *metric, const float *const *totals)
{
    const struct metric_class *class = metric->class;
    if (class && class->result)
        return (double)(float)class->result(metric, totals);
    double mean = mean_of(totals);
    return (double)(float)(class && class->root ? sqrt(mean) : mean);
}

bool metric_is_sparse(const struct metric *metric)
{
    return metric->class && metric->class->sparse;
}
