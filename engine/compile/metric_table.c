/* metric_table.c - the rows of metrics. Formulas: keras/src/metrics/ */
#include "engine/compile/metric_class.h"

#include <string.h>

/* clang-format off */
#define END {NULL, ARG_ANY, NULL, NULL, 0, 0, NULL}
#define FROM_LOGITS {"from_logits", ARG_BOOL, "false", NULL, 0, 0, "the model's output is not yet a probability"}
#define SMOOTHING {"label_smoothing", ARG_FLOAT, "0.0", NULL, 0, 1, "how far targets are moved away from 0 and 1"}
#define AXIS {"axis", ARG_INT, "-1", NULL, 0, 0, "the axis of the classes: the last one"}
#define TOP {"k", ARG_INT, "5", NULL, 1, 1e9, "how many of the largest count"}
#define THRESHOLDS {"thresholds", ARG_ANY, "null", NULL, 0, 0, \
    "number or list in [0, 1]; null = 0.5. Several: their mean is reported"}
#define CLASS_ID {"class_id", ARG_INT, "null", NULL, 0, 1e9, "only this class (last axis)"}
#define AVERAGE {"average", ARG_CHOICE, "null", "micro|macro|weighted", 0, 0, \
    "over classes; null = each class, reported as their mean"}
#define F_THRESHOLD {"threshold", ARG_FLOAT, "null", NULL, 0, 1, \
    "above it a class is predicted; null = the largest one"}
#define CLASSES {"num_classes", ARG_INT, NULL, NULL, 1, 65536, "number of classes"}
#define IGNORE {"ignore_class", ARG_INT, "null", NULL, 0, 0, "class number whose positions do not count"}
/* clang-format on */

static const struct argument no_arguments[] = {END};
static const struct argument binary_arguments[] = {
    {"threshold", ARG_FLOAT, "0.5", NULL, 0, 0, "above it the prediction is 1"}, END};
static const struct argument top_arguments[] = {TOP, END};
static const struct argument binary_crossentropy_arguments[] = {FROM_LOGITS, SMOOTHING, AXIS, END};
static const struct argument crossentropy_arguments[] = {FROM_LOGITS, SMOOTHING, AXIS, END};
static const struct argument sparse_arguments[] = {FROM_LOGITS, IGNORE, AXIS, END};
static const struct argument cosine_arguments[] = {AXIS, END};
static const struct argument threshold_arguments[] = {THRESHOLDS, END};
static const struct argument precision_arguments[] = {THRESHOLDS, CLASS_ID, END};
static const struct argument auc_arguments[] = {
    {"num_thresholds", ARG_INT, "200", NULL, 2, 100000, "how many thresholds approximate the curve"},
    {"curve", ARG_CHOICE, "\"ROC\"", "ROC|PR|PRGAIN|roc|pr|prgain", 0, 0,
     "receiver operating characteristic or precision-recall"},
    {"summation_method", ARG_CHOICE, "\"interpolation\"",
     "interpolation|minoring|majoring|Interpolation|Minoring|Majoring", 0, 0, "how the area is summed"},
    {"thresholds", ARG_ANY, "null", NULL, 0, 0, "list of thresholds instead of num_thresholds"},
    FROM_LOGITS,
    END};
static const struct argument f1_arguments[] = {AVERAGE, F_THRESHOLD, END};
static const struct argument fbeta_arguments[] = {
    AVERAGE, {"beta", ARG_FLOAT, "1.0", NULL, 0, 0, "weight of recall"}, F_THRESHOLD, END};
static const struct argument r2_arguments[] = {
    {"class_aggregation", ARG_CHOICE, "\"uniform_average\"", "uniform_average|variance_weighted_average", 0, 0,
     "over columns; null = each one, reported as their mean"},
    {"num_regressors", ARG_INT, "0", NULL, 0, 0, "of an adjusted score; only 0"},
    END};
static const struct argument iou_arguments[] = {
    CLASSES,
    IGNORE,
    {"sparse_y_true", ARG_BOOL, "true", NULL, 0, 0, "targets are class numbers"},
    {"sparse_y_pred", ARG_BOOL, "true", NULL, 0, 0, "predictions are class numbers"},
    AXIS,
    END};
static const struct argument one_hot_iou_arguments[] = {
    CLASSES, IGNORE, {"sparse_y_pred", ARG_BOOL, "false", NULL, 0, 0, "predictions are class numbers"}, AXIS, END};

#define TARGETS(initial)                                                                                               \
    {                                                                                                                  \
        "target_class_ids", ARG_INTS, initial, NULL, 0, 65535, "classes whose mean is reported"                        \
    }
static const struct argument some_iou_arguments[] = {
    CLASSES,
    TARGETS(NULL),
    IGNORE,
    {"sparse_y_true", ARG_BOOL, "true", NULL, 0, 0, "targets are class numbers"},
    {"sparse_y_pred", ARG_BOOL, "true", NULL, 0, 0, "predictions are class numbers"},
    AXIS,
    END};
static const struct argument some_one_hot_iou_arguments[] = {
    CLASSES, TARGETS(NULL),
    IGNORE,  {"sparse_y_pred", ARG_BOOL, "false", NULL, 0, 0, "predictions are class numbers"},
    AXIS,    END};
static const struct argument binary_iou_arguments[] = {
    TARGETS("[0, 1]"), {"threshold", ARG_FLOAT, "0.5", NULL, 0, 0, "from it on the prediction is 1"}, END};
#define RATE(bound)                                                                                                    \
    {                                                                                                                  \
        {bound, ARG_FLOAT, NULL, NULL, 0, 1, "the least " bound},                                                      \
            {"num_thresholds", ARG_INT, "200", NULL, 1, 100000, "how many thresholds are tried"}, CLASS_ID, END        \
    }
static const struct argument at_recall[] = RATE("recall"), at_precision[] = RATE("precision"),
                             at_specificity[] = RATE("specificity"), at_sensitivity[] = RATE("sensitivity");

static struct value *equal(const struct metric *metric, struct metric_call *call)
{
    (void)metric;
    match_ranks(call->graph, &call->y_true, &call->y_pred);
    return op_expr(call->graph, "a == b", call->y_true, call->y_pred, NULL, NULL);
}

static struct value *above_threshold(struct metric_call *call, double threshold)
{
    struct graph *g = call->graph;
    match_ranks(g, &call->y_true, &call->y_pred);
    return op_expr(g, "a == (b > c)", call->y_true, call->y_pred, op_scalar(g, threshold), NULL);
}

static struct value *binary_accuracy(const struct metric *metric, struct metric_call *call)
{
    return above_threshold(call, argument_double(metric_arguments(metric), metric->config, "threshold"));
}

static struct value *categorical_accuracy(const struct metric *metric, struct metric_call *call)
{
    struct graph *g = call->graph;
    if (call->y_true->shape.rank != call->y_pred->shape.rank)
        return graph_fail(g, ERR_USAGE, "%s: one-hot targets must have the shape of the model's output %s, found %s",
                          metric->where, shape_text(&g->arena, call->y_pred->shape),
                          shape_text(&g->arena, call->y_true->shape));
    struct value *target = op_expr(g, "a", call->y_true, NULL, NULL, NULL);
    return op_expr(g, "a == b", op_argmax(g, target), op_argmax(g, call->y_pred), NULL, NULL);
}

static struct value *sparse_categorical_accuracy(const struct metric *metric, struct metric_call *call)
{
    struct graph *g = call->graph;
    struct value *labels = class_numbers(g, call->y_true, call->y_pred, metric->where);
    return op_expr(g, "a == b", labels, op_argmax(g, call->y_pred), NULL, NULL);
}

/* 'accuracy': the kind is chosen by the shapes. Binary is tested first. */
static struct value *accuracy(const struct metric *metric, struct metric_call *call)
{
    switch (label_kind(call->y_true, call->y_pred)) {
    case LABEL_BINARY:
        return above_threshold(call, 0.5);
    case LABEL_SPARSE:
        return sparse_categorical_accuracy(metric, call);
    case LABEL_ONE_HOT:
        break;
    }
    return categorical_accuracy(metric, call);
}

static struct value *top_k_of(const struct metric *metric, struct metric_call *call, struct value *labels)
{
    struct graph *g = call->graph;
    if (!labels)
        return NULL;
    int64_t classes = call->y_pred->shape.dim[call->y_pred->shape.rank - 1], rows = shape_elements(labels->shape);
    struct value *hits =
        op_top_k_hit(g, op_reshape(g, call->y_pred, SHAPE(rows, classes)), op_reshape(g, labels, SHAPE(rows)),
                     argument_int(metric_arguments(metric), metric->config, "k"));
    return op_reshape(g, hits, labels->shape);
}

static struct value *top_k_categorical(const struct metric *metric, struct metric_call *call)
{
    return top_k_of(metric, call, op_argmax(call->graph, op_expr(call->graph, "a", call->y_true, NULL, NULL, NULL)));
}

static struct value *sparse_top_k_categorical(const struct metric *metric, struct metric_call *call)
{
    return top_k_of(metric, call, class_numbers(call->graph, call->y_true, call->y_pred, metric->where));
}

static struct value *squared_error(const struct metric *metric, struct metric_call *call)
{
    (void)metric;
    match_ranks(call->graph, &call->y_true, &call->y_pred);
    return op_expr(call->graph, "square(a - b)", call->y_true, call->y_pred, NULL, NULL);
}

/* x less its mean along the axis; the mean of squares of that; both NULL-safe as all ops are. */
static struct value *centered(struct graph *g, struct value *x, int axis, struct value **mean, struct value **variance)
{
    *mean = op_reduce(g, REDUCE_MEAN, x, &axis, 1, true);
    struct value *rest = op_expr(g, "a - b", x, *mean, NULL, NULL);
    *variance = op_reduce(g, REDUCE_MEAN, op_expr(g, "square(a)", rest, NULL, NULL, NULL), &axis, 1, true);
    return rest;
}

/* Both kinds of correlation along an axis of the targets and the predictions. */
static struct value *correlation(const struct metric *metric, struct metric_call *call, const char *formula)
{
    struct graph *g = call->graph;
    int axis = (int)argument_int(metric_arguments(metric), metric->config, "axis");
    match_ranks(g, &call->y_true, &call->y_pred);
    struct value *truth = op_expr(g, "a", call->y_true, NULL, NULL, NULL), *means[2], *variances[2];
    if (!truth || !call->y_pred || axis == 0 || axis < 1 - truth->shape.rank || axis >= truth->shape.rank)
        return truth ? graph_fail(g, ERR_USAGE, "%s.axis: expected an axis of a sample (-1 is the last), found %d",
                                  metric->where, axis)
                     : NULL;
    struct value *x = centered(g, truth, axis, &means[0], &variances[0]);
    struct value *y = centered(g, call->y_pred, axis, &means[1], &variances[1]);
    struct value *norm = *formula == 'p' ? op_expr(g, "sqrt(a) * sqrt(b)", variances[0], variances[1], NULL, NULL)
                                         : op_expr(g, "(a + b + square(c - d) + 1e-7) / 2", variances[0], variances[1],
                                                   means[0], means[1]);
    /* Keras subtracts the predictions' mean from the targets too, which changes nothing in the mean */
    return op_reduce(g, REDUCE_MEAN, op_expr(g, "a * b / c", x, y, norm, NULL), &axis, 1, false);
}

static struct value *pearson(const struct metric *metric, struct metric_call *call)
{
    return correlation(metric, call, "pearson");
}

static struct value *concordance(const struct metric *metric, struct metric_call *call)
{
    return correlation(metric, call, "concordance");
}

#define ROW(class_name, names, args, text)                                                                             \
    {                                                                                                                  \
        {class_name, text, args}, names                                                                                \
    }
#define OF_LOSS(class_name, names, args, text, key, way, of)                                                           \
    {                                                                                                                  \
        ROW(class_name, names, args, text), key, way, .loss = of                                                       \
    }
static const struct metric_class metrics[] = {
    {ROW("accuracy", "acc", no_arguments, "share of right answers: binary, class numbers or one-hot, by the shapes"),
     "accuracy", "up", .values = accuracy},
    {ROW("BinaryAccuracy", "binary_accuracy", binary_arguments, "share of values on the right side of a threshold"),
     "binary_accuracy", "up", .values = binary_accuracy},
    {ROW("CategoricalAccuracy", "categorical_accuracy", no_arguments, "share of right classes, one-hot targets"),
     "categorical_accuracy", "up", .values = categorical_accuracy},
    {ROW("SparseCategoricalAccuracy", "sparse_categorical_accuracy", no_arguments,
         "share of right classes, targets are class numbers"),
     "sparse_categorical_accuracy", "up", .sparse = true, .values = sparse_categorical_accuracy},
    {ROW("TopKCategoricalAccuracy", "top_k_categorical_accuracy", top_arguments,
         "share of samples whose class is among the k largest, one-hot targets"),
     "top_k_categorical_accuracy", "up", .values = top_k_categorical},
    {ROW("SparseTopKCategoricalAccuracy", "sparse_top_k_categorical_accuracy", top_arguments,
         "the same with class numbers"),
     "sparse_top_k_categorical_accuracy", "up", .sparse = true, .values = sparse_top_k_categorical},
    {ROW("Accuracy", NULL, no_arguments, "as an object: share of predictions that equal the target"), "accuracy", "up",
     .values = equal},
    OF_LOSS("MeanSquaredError", "mean_squared_error|mse|MSE", no_arguments, "mean of squared errors",
            "mean_squared_error", "down", "MeanSquaredError"),
    OF_LOSS("MeanAbsoluteError", "mean_absolute_error|mae|MAE", no_arguments, "mean of absolute errors",
            "mean_absolute_error", "down", "MeanAbsoluteError"),
    OF_LOSS("MeanAbsolutePercentageError", "mean_absolute_percentage_error|mape|MAPE", no_arguments,
            "mean of absolute errors in percent", "mean_absolute_percentage_error", "down",
            "MeanAbsolutePercentageError"),
    OF_LOSS("MeanSquaredLogarithmicError", "mean_squared_logarithmic_error|msle|MSLE", no_arguments,
            "mean of squared errors of log(1 + x)", "mean_squared_logarithmic_error", "down",
            "MeanSquaredLogarithmicError"),
    {ROW("RootMeanSquaredError", "root_mean_squared_error", no_arguments, "square root of the mean of squared errors"),
     "root_mean_squared_error", "down", .values = squared_error, .root = true},
    OF_LOSS("LogCoshError", "log_cosh_error", no_arguments, "mean of log(cosh(error))", "logcosh", "down", "LogCosh"),
    {ROW("CosineSimilarity", "cosine_similarity", cosine_arguments, "1 for the same direction, -1 for the opposite"),
     "cosine_similarity", "up", .loss = "CosineSimilarity", .negated = true},
    OF_LOSS("KLDivergence", "kl_divergence", no_arguments, "divergence between two distributions", "kl_divergence",
            "down", "KLDivergence"),
    OF_LOSS("Poisson", "poisson", no_arguments, "y_pred - y_true * log(y_pred)", "poisson", "down", "Poisson"),
    OF_LOSS("BinaryCrossentropy", "binary_crossentropy|bce|BCE", binary_crossentropy_arguments,
            "crossentropy of labels 0 and 1", "binary_crossentropy", "down", "BinaryCrossentropy"),
    OF_LOSS("CategoricalCrossentropy", "categorical_crossentropy", crossentropy_arguments,
            "crossentropy, one-hot targets", "categorical_crossentropy", "down", "CategoricalCrossentropy"),
    {ROW("SparseCategoricalCrossentropy", "sparse_categorical_crossentropy", sparse_arguments,
         "crossentropy, targets are class numbers"),
     "sparse_categorical_crossentropy", "down", .sparse = true, .loss = "SparseCategoricalCrossentropy"},
    OF_LOSS("Hinge", "hinge", no_arguments, "maximum margin", "hinge", "down", "Hinge"),
    OF_LOSS("SquaredHinge", "squared_hinge", no_arguments, "squared hinge", "squared_hinge", "down", "SquaredHinge"),
    OF_LOSS("CategoricalHinge", "categorical_hinge", no_arguments, "maximum margin over classes", "categorical_hinge",
            "down", "CategoricalHinge"),
    {ROW("AUC", "auc", auc_arguments, "area under a curve over all thresholds"), NULL, "up", .declare = auc_declare,
     .lower = confusion_lower, .result = auc_result},
    {ROW("Precision", "precision", precision_arguments, "share of predicted positives that are positive"), NULL, "up",
     .declare = confusion_declare, .lower = confusion_lower, .result = precision_result},
    {ROW("Recall", "recall", precision_arguments, "share of positives that were predicted"), NULL, "up",
     .declare = confusion_declare, .lower = confusion_lower, .result = recall_result},
    {ROW("TruePositives", "true_positives", threshold_arguments, "how many positives were predicted"), NULL, NULL,
     .declare = confusion_declare, .lower = confusion_lower, .result = count_result},
    {ROW("TrueNegatives", "true_negatives", threshold_arguments, "how many negatives were predicted"), NULL, NULL,
     .declare = confusion_declare, .lower = confusion_lower, .result = count_result},
    {ROW("FalsePositives", "false_positives", threshold_arguments, "how many negatives were taken for positive"), NULL,
     NULL, .declare = confusion_declare, .lower = confusion_lower, .result = count_result},
    {ROW("FalseNegatives", "false_negatives", threshold_arguments, "how many positives were taken for negative"), NULL,
     NULL, .declare = confusion_declare, .lower = confusion_lower, .result = count_result},
    {ROW("F1Score", "f1_score", f1_arguments, "harmonic mean of precision and recall"), "f1_score", "up",
     .declare = fbeta_declare, .lower = fbeta_lower, .result = fbeta_result},
    {ROW("FBetaScore", "f_beta_score", fbeta_arguments, "weighted harmonic mean of precision and recall"),
     "fbeta_score", "up", .declare = fbeta_declare, .lower = fbeta_lower, .result = fbeta_result},
    {ROW("R2Score", "r2_score", r2_arguments, "share of the variance that is explained"), "r2_score", "up",
     .declare = r2_declare, .lower = r2_lower, .result = r2_result},
    {ROW("PearsonCorrelation", "pearson_correlation", cosine_arguments, "linear correlation along an axis"),
     "pearson_correlation", "up", .values = pearson},
    {ROW("ConcordanceCorrelation", "concordance_correlation", cosine_arguments, "agreement of values along an axis"),
     "concordance_correlation", "up", .values = concordance},
    {ROW("PrecisionAtRecall", NULL, at_recall, "best precision where recall is at least this"), NULL, "up",
     .declare = rate_declare, .lower = confusion_lower, .result = rate_result},
    {ROW("RecallAtPrecision", NULL, at_precision, "best recall where precision is at least this"), NULL, "up",
     .declare = rate_declare, .lower = confusion_lower, .result = rate_result},
    {ROW("SensitivityAtSpecificity", NULL, at_specificity, "best sensitivity where specificity is at least this"), NULL,
     "up", .declare = rate_declare, .lower = confusion_lower, .result = rate_result},
    {ROW("SpecificityAtSensitivity", NULL, at_sensitivity, "best specificity where sensitivity is at least this"), NULL,
     "up", .declare = rate_declare, .lower = confusion_lower, .result = rate_result},
    {ROW("IoU", NULL, some_iou_arguments, "intersection over union of some classes"), NULL, "up",
     .declare = iou_declare, .lower = iou_lower, .result = iou_result},
    {ROW("BinaryIoU", "binary_io_u", binary_iou_arguments, "intersection over union of the classes 0 and 1"), NULL,
     "up", .declare = iou_declare, .lower = iou_lower, .result = iou_result},
    {ROW("OneHotIoU", NULL, some_one_hot_iou_arguments, "of some classes, with one-hot targets and class scores"), NULL,
     "up", .declare = iou_declare, .lower = iou_lower, .result = iou_result},
    {ROW("MeanIoU", "mean_io_u", iou_arguments, "mean over classes of intersection over union"), NULL, "up",
     .declare = iou_declare, .lower = iou_lower, .result = iou_result},
    {ROW("OneHotMeanIoU", "one_hot_mean_io_u", one_hot_iou_arguments, "the same with one-hot targets and class scores"),
     NULL, "up", .declare = iou_declare, .lower = iou_lower, .result = iou_result},
};
const struct named_table metric_table = {.kind = "metric",
                                         .rows = metrics,
                                         .n = sizeof metrics / sizeof *metrics,
                                         .row_size = sizeof *metrics,
                                         .elsewhere = "Mean|Sum"};
