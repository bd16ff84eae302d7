/* metric_iou.c - intersection over union from one confusion matrix, of all or some classes. Formulas:
 * keras/src/metrics/iou_metrics.py
 */
#include "engine/compile/metric_class.h"

#include <math.h>
#include <string.h>

static const json_t *optional(const struct metric *metric, const char *name)
{
    for (const struct argument *a = metric_arguments(metric); a->name; a++)
        if (!strcmp(a->name, name))
            return argument(metric_arguments(metric), metric->config, name);
    return NULL;
}

/* The classes of BinaryIoU are two. */
static int64_t classes_of(const struct metric *metric)
{
    const json_t *classes = optional(metric, "num_classes");
    return classes ? json_integer_value(classes) : 2;
}

/* Whether y_true or y_pred holds class numbers: as asked for; those of BinaryIoU are numbers behind its threshold, the
 * targets of the one-hot kinds are not. */
static bool is_sparse(const struct metric *metric, const char *name)
{
    const json_t *given = optional(metric, name);
    return given ? json_is_true(given) : optional(metric, "threshold") != NULL;
}

static bool targets_fit(const struct metric *metric, int64_t classes, struct err *err)
{
    const json_t *ids = optional(metric, "target_class_ids");
    if (json_is_array(ids) && !json_array_size(ids))
        return err_set(err, ERR_USAGE, "%s.target_class_ids: the list is empty", metric->where);
    for (size_t i = 0; ids && i < (json_is_array(ids) ? json_array_size(ids) : 1); i++) {
        int64_t id = json_integer_value(json_is_array(ids) ? json_array_get(ids, i) : ids);
        if (id < 0 || id >= classes)
            return err_set(err, ERR_USAGE, "%s.target_class_ids: class %lld is none of the %lld classes", metric->where,
                           (long long)id, (long long)classes);
    }
    return true;
}

bool iou_declare(struct arena *arena, struct metric *metric, struct shape y_pred_shape, struct err *err)
{
    int64_t classes = classes_of(metric);
    const json_t *axis = optional(metric, "axis");
    if (axis && json_integer_value(axis) != -1)
        return err_set(err, ERR_USAGE, "%s.axis: only the last axis (-1) can hold the classes", metric->where);
    int64_t found = y_pred_shape.rank ? y_pred_shape.dim[y_pred_shape.rank - 1] : 1;
    if (!is_sparse(metric, "sparse_y_pred") && found != classes)
        return err_set(err, ERR_USAGE, "%s.num_classes: the output has %lld classes, found %lld", metric->where,
                       (long long)found, (long long)classes);
    if (!targets_fit(metric, classes, err))
        return false;
    metric->totals[0] = total_variable(arena, metric->name, "total_cm", SHAPE(classes, classes));
    metric->n_totals = 1;
    return true;
}

/* Keras counts in integers unless another dtype is given, and cuts weights down to them. */
static struct value *weights_of(const struct metric *metric, struct metric_call *call, struct value *truth)
{
    struct graph *g = call->graph;
    const json_t *ignore = optional(metric, "ignore_class");
    struct value *weights = call->weights ? weights_like(g, call->weights, truth) : op_scalar(g, 1);
    const char *dtype = js_string(metric->config, "dtype", "int");
    if (call->weights && !strncmp(dtype, "int", 3))
        weights = op_expr(g, "floor(a)", weights, NULL, NULL, NULL);
    if (json_is_integer(ignore))
        weights = op_expr(g, "b * (a != c)", truth, weights, op_scalar(g, (double)json_integer_value(ignore)), NULL);
    return weights;
}

static struct value *predictions_of(const struct metric *metric, struct metric_call *call)
{
    const json_t *threshold = optional(metric, "threshold");
    double limit;
    if (js_to_double(threshold, &limit))
        return op_expr(call->graph, "a >= b", call->y_pred, op_scalar(call->graph, limit), NULL, NULL);
    return is_sparse(metric, "sparse_y_pred") ? call->y_pred : op_argmax(call->graph, call->y_pred);
}

/* The confusion matrix is a product of one-hot matrices; a class number outside counts nowhere. */
void iou_lower(const struct metric *metric, struct metric_call *call)
{
    struct graph *g = call->graph;
    int64_t classes = classes_of(metric);
    struct value *truth = is_sparse(metric, "sparse_y_true")
                              ? call->y_true
                              : op_argmax(g, op_expr(g, "a", call->y_true, NULL, NULL, NULL));
    struct value *predicted = predictions_of(metric, call);
    if (!truth || !predicted)
        return;
    int64_t n = shape_elements(truth->shape);
    if (n != shape_elements(predicted->shape)) {
        graph_fail(g, ERR_USAGE, "%s: %lld predictions for %lld targets in a batch", metric->where,
                   (long long)shape_elements(predicted->shape), (long long)n);
        return;
    }
    struct value *weights = weights_of(metric, call, truth);
    weights = op_reshape(g, op_broadcast(g, weights, truth->shape), SHAPE(n, 1));
    struct value *labels = truth->dtype == DTYPE_I32 ? truth : op_cast_i32(g, truth);
    struct value *answers = predicted->dtype == DTYPE_I32 ? predicted : op_cast_i32(g, predicted);
    struct value *rows = op_one_hot(g, op_reshape(g, labels, SHAPE(n)), classes);
    struct value *columns = op_mul(g, op_one_hot(g, op_reshape(g, answers, SHAPE(n)), classes), weights);
    total_add(g, metric->totals[0], op_matmul(g, rows, columns, true, false));
}

/* NaN where a class neither occurs nor is predicted. */
static double iou_of(const float *matrix, int64_t n, int64_t class)
{
    double row = 0, column = 0, both = (double)matrix[class * n + class];
    for (int64_t k = 0; k < n; k++) {
        row += (double)matrix[class * n + k];
        column += (double)matrix[k * n + class];
    }
    double all = row + column - both;
    return all > 0 ? both / (all + 1e-7) : (double)NAN;
}

double iou_result(const struct metric *metric, const float *const *totals)
{
    int64_t n = metric->totals[0]->shape.dim[0], valid = 0;
    const json_t *ids = optional(metric, "target_class_ids");
    int64_t n_ids = json_is_array(ids) ? (int64_t)json_array_size(ids) : ids ? 1 : n;
    double sum = 0;
    for (int64_t i = 0; i < n_ids; i++) {
        int64_t class = json_is_array(ids) ? json_integer_value(json_array_get(ids, (size_t)i))
                        : ids              ? json_integer_value(ids)
                                           : i;
        double one = iou_of(totals[0], n, class);
        valid += !isnan(one);
        sum += isnan(one) ? 0 : one;
    }
    return sum / ((double)valid + 1e-7);
}
