/* metric_confusion.c - AUC, Precision, Recall and counts from one pair of histograms: predictions of positives and of
 * negatives by the bucket between thresholds they fall into. A threshold splits the buckets in two, so every count at
 * every threshold is a sum of buckets. Formulas: keras/src/metrics/confusion_metrics.py, metrics_utils.py
 */
#include "engine/compile/metric_class.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* null = one default; a number or a list. Rising order. */
static bool read_thresholds(struct arena *arena, struct metric *metric, const json_t *given, double initial,
                            struct err *err)
{
    size_t n = json_is_array(given) ? json_array_size(given) : 1;
    if (!n || n > 100000)
        return err_set(err, ERR_USAGE, "%s.thresholds: expected 1 to 100000 numbers, found %zu", metric->where, n);
    float *thresholds = arena_array(arena, n, sizeof *thresholds);
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_is_array(given) ? json_array_get(given, i) : given;
        double value = initial;
        if (!json_is_null(one) && (!js_to_double(one, &value) || !(value >= 0 && value <= 1)))
            return err_set(err, ERR_USAGE, "%s.thresholds: expected numbers in [0, 1], found %s", metric->where,
                           json_is_number(one) ? "one outside" : js_type_name(one));
        thresholds[i] = (float)value;
    }
    qsort(thresholds, n, sizeof *thresholds, compare_floats);
    metric->thresholds = thresholds;
    metric->n_thresholds = (int)n;
    return true;
}

static void declare_buckets(struct arena *arena, struct metric *metric)
{
    struct shape buckets = SHAPE(metric->n_thresholds + 1);
    metric->totals[0] = total_variable(arena, metric->name, "positives", buckets);
    metric->totals[1] = total_variable(arena, metric->name, "negatives", buckets);
    metric->n_totals = 2;
}

static const json_t *optional(const struct metric *metric, const char *name)
{
    for (const struct argument *a = metric_arguments(metric); a->name; a++)
        if (!strcmp(a->name, name))
            return argument(metric_arguments(metric), metric->config, name);
    return NULL;
}

static bool class_exists(const struct metric *metric, struct shape y_pred_shape, struct err *err)
{
    const json_t *class_id = optional(metric, "class_id");
    int64_t classes = y_pred_shape.rank ? y_pred_shape.dim[y_pred_shape.rank - 1] : 1;
    return !json_is_integer(class_id) || json_integer_value(class_id) < classes ||
           err_set(err, ERR_USAGE, "%s.class_id: the output has %lld classes, found class %lld", metric->where,
                   (long long)classes, (long long)json_integer_value(class_id));
}

bool confusion_declare(struct arena *arena, struct metric *metric, struct shape y_pred_shape, struct err *err)
{
    if (!class_exists(metric, y_pred_shape, err))
        return false;
    if (!read_thresholds(arena, metric, argument(metric_arguments(metric), metric->config, "thresholds"), 0.5, err))
        return false;
    declare_buckets(arena, metric);
    return true;
}

/* Keras treats thresholds that are spread evenly over [0, 1] with predictions cut to that range. */
static bool evenly_spread(const float *thresholds, int n)
{
    for (int i = 0; i < n; i++)
        if (fabs((double)thresholds[i] - (double)i / (n - 1)) > 1e-7 + 1e-5 * i / (n - 1))
            return false;
    return n >= 3;
}

bool auc_declare(struct arena *arena, struct metric *metric, struct shape y_pred_shape, struct err *err)
{
    (void)y_pred_shape;
    const struct argument *arguments = metric_arguments(metric);
    const json_t *given = argument(arguments, metric->config, "thresholds");
    if (!json_is_null(given) && !json_is_array(given))
        return err_set(err, ERR_USAGE, "%s.thresholds: expected a list of numbers, found %s", metric->where,
                       js_type_name(given));
    int inner = (int)argument_int(arguments, metric->config, "num_thresholds") - 2;
    if (!json_is_null(given)) {
        if (!read_thresholds(arena, metric, given, 0, err))
            return false;
        inner = metric->n_thresholds;
    }
    float *thresholds = arena_array(arena, (size_t)inner + 2, sizeof *thresholds);
    for (int i = 0; i < inner; i++)
        thresholds[i + 1] = json_is_null(given) ? (float)((i + 1) * 1.0 / (inner + 1)) : metric->thresholds[i];
    thresholds[0] = 0;
    thresholds[inner + 1] = 1;
    metric->clip = evenly_spread(thresholds, inner + 2);
    thresholds[0] = -1e-7f;
    thresholds[inner + 1] = (float)(1 + 1e-7);
    metric->thresholds = thresholds;
    metric->n_thresholds = inner + 2;
    declare_buckets(arena, metric);
    return true;
}

bool rate_declare(struct arena *arena, struct metric *metric, struct shape y_pred_shape, struct err *err)
{
    if (!class_exists(metric, y_pred_shape, err))
        return false;
    int n = (int)argument_int(metric_arguments(metric), metric->config, "num_thresholds");
    float *thresholds = arena_array(arena, (size_t)n, sizeof *thresholds);
    thresholds[0] = n == 1 ? 0.5f : -1e-7f; /* even thresholds count a prediction of 0 as above the first */
    for (int i = 1; i < n; i++)
        thresholds[i] = (float)(i * 1.0 / (n - 1));
    metric->clip = n > 1;
    metric->thresholds = thresholds;
    metric->n_thresholds = n;
    declare_buckets(arena, metric);
    return true;
}

/* The class_id'th element of the last axis, as an axis of 1. */
static struct value *one_class(struct graph *g, struct value *x, int64_t class)
{
    int64_t begin[RANK_MAX] = {0}, end[RANK_MAX];
    for (int i = 0; i < x->shape.rank; i++)
        end[i] = x->shape.dim[i];
    begin[x->shape.rank - 1] = class;
    end[x->shape.rank - 1] = class + 1;
    return op_slice(g, x, begin, end, NULL);
}

void confusion_lower(const struct metric *metric, struct metric_call *call)
{
    struct graph *g = call->graph;
    struct value *truth = op_expr(g, "a != 0", call->y_true, NULL, NULL, NULL), *scores = call->y_pred;
    const json_t *class_id = optional(metric, "class_id"), *logits = optional(metric, "from_logits");
    if (json_is_true(logits))
        scores = op_expr(g, "sigmoid(a)", scores, NULL, NULL, NULL);
    if (metric->clip)
        scores = op_expr(g, "minimum(maximum(a, 0), 1)", scores, NULL, NULL, NULL);
    match_ranks(g, &truth, &scores);
    if (!truth || !scores)
        return;
    if (!shape_equal(truth->shape, scores->shape)) {
        graph_fail(g, ERR_USAGE, "%s: the model gives shape %s, the targets have shape %s; they must be equal",
                   metric->where, shape_text(&g->arena, scores->shape), shape_text(&g->arena, truth->shape));
        return;
    }
    if (json_is_integer(class_id)) {
        truth = one_class(g, truth, json_integer_value(class_id));
        scores = one_class(g, scores, json_integer_value(class_id));
    }
    if (!truth || !scores)
        return;
    struct value *weights = weights_like(g, call->weights, truth);
    int64_t n = shape_elements(truth->shape);
    struct value *positive = weights ? op_mul(g, truth, weights) : truth;
    struct value *negative =
        weights ? op_expr(g, "(1 - a) * b", truth, weights, NULL, NULL) : op_expr(g, "1 - a", truth, NULL, NULL, NULL);
    scores = op_reshape(g, scores, SHAPE(n));
    total_add(g, metric->totals[0],
              op_histogram(g, scores, op_reshape(g, positive, SHAPE(n)), metric->thresholds, metric->n_thresholds));
    total_add(g, metric->totals[1],
              op_histogram(g, scores, op_reshape(g, negative, SHAPE(n)), metric->thresholds, metric->n_thresholds));
}

struct counts {
    double true_positives, false_positives, true_negatives, false_negatives;
};

static struct counts counts_at(const struct metric *metric, const float *const *totals, int threshold)
{
    struct counts c = {0};
    for (int i = 0; i <= metric->n_thresholds; i++) {
        double positive = (double)totals[0][i], negative = (double)totals[1][i];
        if (i > threshold) {
            c.true_positives += positive;
            c.false_positives += negative;
        } else {
            c.false_negatives += positive;
            c.true_negatives += negative;
        }
    }
    return c;
}

static double divide(double a, double b)
{
    return b == 0 ? 0 : a / b;
}

static double mean_over_thresholds(const struct metric *metric, const float *const *totals,
                                   double (*of)(const struct metric *, struct counts))
{
    double sum = 0;
    for (int i = 0; i < metric->n_thresholds; i++)
        sum += of(metric, counts_at(metric, totals, i));
    return sum / metric->n_thresholds;
}

static double precision_of(const struct metric *metric, struct counts c)
{
    (void)metric;
    return divide(c.true_positives, c.true_positives + c.false_positives);
}

static double recall_of(const struct metric *metric, struct counts c)
{
    (void)metric;
    return divide(c.true_positives, c.true_positives + c.false_negatives);
}

static double count_of(const struct metric *metric, struct counts c)
{
    const char *class = metric->class->row.class.name;
    return !strcmp(class, "TruePositives")    ? c.true_positives
           : !strcmp(class, "TrueNegatives")  ? c.true_negatives
           : !strcmp(class, "FalsePositives") ? c.false_positives
                                              : c.false_negatives;
}

double precision_result(const struct metric *metric, const float *const *totals)
{
    return mean_over_thresholds(metric, totals, precision_of);
}

double recall_result(const struct metric *metric, const float *const *totals)
{
    return mean_over_thresholds(metric, totals, recall_of);
}

double count_result(const struct metric *metric, const float *const *totals)
{
    return mean_over_thresholds(metric, totals, count_of);
}

static double specificity_of(const struct metric *metric, struct counts c)
{
    (void)metric;
    return divide(c.true_negatives, c.true_negatives + c.false_positives);
}

/* Sensitivity is recall by another name. */
static const struct rate_kind {
    const char *class, *argument;
    double (*bounded)(const struct metric *, struct counts), (*wanted)(const struct metric *, struct counts);
} rate_kinds[] = {{"PrecisionAtRecall", "recall", recall_of, precision_of},
                  {"RecallAtPrecision", "precision", precision_of, recall_of},
                  {"SensitivityAtSpecificity", "specificity", specificity_of, recall_of},
                  {"SpecificityAtSensitivity", "sensitivity", recall_of, specificity_of}};

double rate_result(const struct metric *metric, const float *const *totals)
{
    const struct rate_kind *kind = rate_kinds;
    while (strcmp(kind->class, metric->class->row.class.name) != 0)
        kind++;
    double best = 0, bound = argument_double(metric_arguments(metric), metric->config, kind->argument);
    for (int i = 0; i < metric->n_thresholds; i++) {
        struct counts c = counts_at(metric, totals, i);
        if ((float)kind->bounded(metric, c) >= (float)bound)
            best = fmax(best, kind->wanted(metric, c));
    }
    return best;
}

/* One strip of the precision-recall curve by the interpolation of Davis and Goadrich; a is the lower threshold. */
static double pr_strip(struct counts a, struct counts b)
{
    double pa = a.true_positives + a.false_positives, pb = b.true_positives + b.false_positives;
    double dtp = a.true_positives - b.true_positives, slope = divide(dtp, fmax(pa - pb, 0));
    double intercept = b.true_positives - slope * pb;
    double ratio = pa > 0 && pb > 0 ? divide(pa, fmax(pb, 0)) : 1;
    return divide(slope * (dtp + intercept * log(ratio)), fmax(b.true_positives + b.false_negatives, 0));
}

/* A point of the curve. */
static void curve_point(char curve, struct counts c, double *x, double *y)
{
    if (curve == 'R') { /* ROC */
        *x = divide(c.false_positives, c.false_positives + c.true_negatives);
        *y = divide(c.true_positives, c.true_positives + c.false_negatives);
    } else if (curve == 'P') { /* PR */
        *x = divide(c.true_positives, c.true_positives + c.false_negatives);
        *y = divide(c.true_positives, c.true_positives + c.false_positives);
    } else { /* PRGAIN */
        double scale = divide(c.true_positives + c.false_negatives, c.true_negatives + c.false_positives);
        bool none = c.true_positives == 0;
        *x = none ? 0 : fmax(1 - scale * divide(c.false_negatives, c.true_positives), 0);
        *y = none ? 1 : 1 - scale * divide(c.false_positives, c.true_positives);
    }
}

double auc_result(const struct metric *metric, const float *const *totals)
{
    const char *name = argument_string(metric_arguments(metric), metric->config, "curve");
    const char *method = argument_string(metric_arguments(metric), metric->config, "summation_method");
    char curve = name[0] == 'R' || name[0] == 'r' ? 'R' : strlen(name) == 2 ? 'P' : 'G';
    char how = (char)(method[0] | 0x20), second = method[1]; /* interpolation, minoring, majoring */
    double area = 0;
    struct counts last = counts_at(metric, totals, 0);
    for (int i = 1; i < metric->n_thresholds; i++) {
        struct counts now = counts_at(metric, totals, i);
        double x0, y0, x1, y1;
        curve_point(curve, last, &x0, &y0);
        curve_point(curve, now, &x1, &y1);
        double height = how == 'i' ? (y0 + y1) / 2 : second == 'i' ? fmin(y0, y1) : fmax(y0, y1);
        area += curve == 'P' && how == 'i' ? pr_strip(last, now) : (x0 - x1) * height;
        last = now;
    }
    return area;
}
