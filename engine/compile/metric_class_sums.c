/* metric_class_sums.c - metrics with a total per column: F-scores, R2.
 * Formulas: keras/src/metrics/{f_score,regression}_metrics.py
 */
#include "engine/compile/metric_class.h"

#include <math.h>
#include <string.h>

static struct value *sum_rows(struct graph *g, struct value *x, bool all)
{
    int first = 0;
    return op_reduce(g, REDUCE_SUM, x, all ? NULL : &first, all ? 0 : 1, false);
}

/* Predictions and targets must both be (batch, columns). */
static bool declare_columns(struct metric *metric, struct shape y_pred_shape, struct err *err)
{
    if (y_pred_shape.rank == 1)
        return true;
    return err_set(err, ERR_USAGE,
                   "%s: %s needs an output of shape (batch, columns), the model's has %d more dimensions",
                   metric->where, metric->class->row.class.name, y_pred_shape.rank - 1);
}

static bool columns_fit(const struct metric *metric, struct metric_call *call)
{
    struct graph *g = call->graph;
    match_ranks(g, &call->y_true, &call->y_pred);
    if (call->y_true && call->y_pred && shape_equal(call->y_true->shape, call->y_pred->shape))
        return true;
    if (call->y_true && call->y_pred)
        graph_fail(g, ERR_USAGE, "%s: targets must have the shape of the output %s (one-hot for classes), found %s",
                   metric->where, shape_text(&g->arena, call->y_pred->shape),
                   shape_text(&g->arena, call->y_true->shape));
    return false;
}

bool fbeta_declare(struct arena *arena, struct metric *metric, struct shape y_pred_shape, struct err *err)
{
    static const char *const names[] = {"true_positives", "false_positives", "false_negatives", "intermediate_weights"};
    if (!declare_columns(metric, y_pred_shape, err))
        return false;
    const struct argument *arguments = metric_arguments(metric);
    const json_t *average = argument(arguments, metric->config, "average");
    bool micro = json_is_string(average) && !strcmp(json_string_value(average), "micro");
    for (int i = 0; i < 4; i++)
        metric->totals[i] = total_variable(arena, metric->name, names[i], micro ? (struct shape){0} : y_pred_shape);
    metric->n_totals = 4;
    return true;
}

void fbeta_lower(const struct metric *metric, struct metric_call *call)
{
    struct graph *g = call->graph;
    if (!columns_fit(metric, call))
        return;
    const json_t *threshold = argument(metric_arguments(metric), metric->config, "threshold");
    bool micro = metric->totals[0]->shape.rank == 0;
    int last = -1;
    struct value *predicted, *truth = op_expr(g, "a", call->y_true, NULL, NULL, NULL);
    if (json_is_null(threshold))
        predicted = op_expr(g, "a >= b and abs(a) > 1e-9", call->y_pred,
                            op_reduce(g, REDUCE_MAX, call->y_pred, &last, 1, true), NULL, NULL);
    else
        predicted =
            op_expr(g, "a > b", call->y_pred,
                    op_scalar(g, argument_double(metric_arguments(metric), metric->config, "threshold")), NULL, NULL);
    struct value *weights = call->weights ? weights_like(g, call->weights, truth) : op_scalar(g, 1);
    total_add(g, metric->totals[0], sum_rows(g, op_expr(g, "a * b * c", predicted, truth, weights, NULL), micro));
    total_add(g, metric->totals[1], sum_rows(g, op_expr(g, "a * (1 - b) * c", predicted, truth, weights, NULL), micro));
    total_add(g, metric->totals[2], sum_rows(g, op_expr(g, "(1 - a) * b * c", predicted, truth, weights, NULL), micro));
    total_add(g, metric->totals[3], sum_rows(g, op_mul(g, truth, weights), micro));
}

double fbeta_result(const struct metric *metric, const float *const *totals)
{
    const struct argument *arguments = metric_arguments(metric);
    const char *average = argument_string(arguments, metric->config, "average");
    double beta =
        strcmp(metric->class->row.class.name, "F1Score") ? argument_double(arguments, metric->config, "beta") : 1;
    int64_t n = shape_elements(metric->totals[0]->shape);
    double sum = 0, weighted = 0, weights = 0;
    for (int64_t i = 0; i < n; i++) {
        double tp = (double)totals[0][i], fp = (double)totals[1][i], fn = (double)totals[2][i],
               w = (double)totals[3][i];
        double precision = tp / (tp + fp + 1e-7), recall = tp / (tp + fn + 1e-7);
        double score = precision * recall / (beta * beta * precision + recall + 1e-7) * (1 + beta * beta);
        sum += score;
        weighted += score * w;
        weights += w;
    }
    return average && !strcmp(average, "weighted") ? weighted / (weights + 1e-7) : sum / (double)n;
}

bool r2_declare(struct arena *arena, struct metric *metric, struct shape y_pred_shape, struct err *err)
{
    static const char *const names[] = {"squared_sum", "sum", "residual", "count"};
    if (!declare_columns(metric, y_pred_shape, err))
        return false;
    if (argument_int(metric_arguments(metric), metric->config, "num_regressors") != 0)
        return err_set(err, ERR_USAGE, "%s.num_regressors: the adjusted score is not available, only 0", metric->where);
    for (int i = 0; i < 4; i++)
        metric->totals[i] = total_variable(arena, metric->name, names[i], y_pred_shape);
    metric->n_totals = 4;
    return true;
}

void r2_lower(const struct metric *metric, struct metric_call *call)
{
    struct graph *g = call->graph;
    if (!columns_fit(metric, call))
        return;
    struct value *truth = op_expr(g, "a", call->y_true, NULL, NULL, NULL);
    struct value *weights = call->weights ? weights_like(g, call->weights, truth) : op_scalar(g, 1);
    struct value *ones = truth ? op_broadcast(g, weights, truth->shape) : NULL;
    total_add(g, metric->totals[0], sum_rows(g, op_expr(g, "a * a * b", truth, weights, NULL, NULL), false));
    total_add(g, metric->totals[1], sum_rows(g, op_mul(g, truth, weights), false));
    total_add(g, metric->totals[2],
              sum_rows(g, op_expr(g, "square(a - b) * c", truth, call->y_pred, weights, NULL), false));
    total_add(g, metric->totals[3], sum_rows(g, ones, false));
}

double r2_result(const struct metric *metric, const float *const *totals)
{
    const char *how = argument_string(metric_arguments(metric), metric->config, "class_aggregation");
    int64_t n = shape_elements(metric->totals[0]->shape);
    double sum = 0, weighted = 0, weights = 0;
    for (int64_t i = 0; i < n; i++) {
        double mean = (double)totals[1][i] / (double)totals[3][i],
               total = (double)totals[0][i] - (double)totals[1][i] * mean;
        double score = 1 - (double)totals[2][i] / total;
        score = isinf(score) ? 0 : score;
        sum += score;
        weighted += total * score;
        weights += total;
    }
    return how && !strcmp(how, "variance_weighted_average") ? weighted / weights : sum / (double)n;
}
