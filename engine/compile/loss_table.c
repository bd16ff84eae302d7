/* loss_table.c - the rows of losses. Formulas: keras/src/losses/losses.py */
#include "engine/compile/loss_class.h"

#include <string.h>

/* clang-format off */
#define END {NULL, ARG_ANY, NULL, NULL, 0, 0, NULL}
#define FROM_LOGITS {"from_logits", ARG_BOOL, "false", NULL, 0, 0, "the model's output is not yet a probability"}
#define SMOOTHING {"label_smoothing", ARG_FLOAT, "0.0", NULL, 0, 1, "how far targets are moved away from 0 and 1"}
#define AXIS {"axis", ARG_INT, "-1", NULL, 0, 0, "the axis of the classes: the last one"}
#define AXES {"axis", ARG_INTS, "null", NULL, 0, 0, "axes summed over; null = all"}
#define GAMMA {"gamma", ARG_FLOAT, "2.0", NULL, 0, 0, "how much easy samples are held back"}
/* clang-format on */

static const struct argument no_arguments[] = {END};
static const struct argument huber_arguments[] = {
    {"delta", ARG_FLOAT, "1.0", NULL, 0, 0, "where the parabola becomes a line"}, END};
static const struct argument cosine_arguments[] = {AXIS, END};
static const struct argument crossentropy_arguments[] = {FROM_LOGITS, SMOOTHING, AXIS, END};
static const struct argument sparse_arguments[] = {
    FROM_LOGITS, {"ignore_class", ARG_INT, "null", NULL, 0, 0, "class number whose positions do not count"}, AXIS, END};
static const struct argument binary_focal_arguments[] = {
    {"apply_class_balancing", ARG_BOOL, "false", NULL, 0, 0, "weight the classes by alpha"},
    {"alpha", ARG_FLOAT, "0.25", NULL, 0, 0, "weight of class 1"},
    GAMMA,
    FROM_LOGITS,
    SMOOTHING,
    AXIS,
    END};
static const struct argument focal_arguments[] = {
    {"alpha", ARG_FLOAT, "0.25", NULL, 0, 0, "weight of all classes"}, GAMMA, FROM_LOGITS, SMOOTHING, AXIS, END};
static const struct argument dice_arguments[] = {AXES, END};
static const struct argument tversky_arguments[] = {
    {"alpha", ARG_FLOAT, "0.5", NULL, 0, 0, "weight of false positives"},
    {"beta", ARG_FLOAT, "0.5", NULL, 0, 0, "weight of false negatives"},
    AXES,
    END};
static const struct argument circle_arguments[] = {
    {"gamma", ARG_FLOAT, "80.0", NULL, 0, 0, "scale of the similarities"},
    {"margin", ARG_FLOAT, "0.4", NULL, 0, 0, "where pairs begin to weigh less"},
    {"remove_diagonal", ARG_BOOL, "true", NULL, 0, 0, "a sample is no pair with itself"},
    END};
static const struct argument generalized_arguments[] = {
    {"q", ARG_FLOAT, "0.5", NULL, 0, 0, "between 0 (crossentropy) and 1 (mean absolute error)"}, END};

static const struct argument *arguments_of(const struct loss *loss)
{
    return loss->class->row.class.arguments;
}

static struct value *reduce_last(struct graph *g, enum reduce_kind kind, struct value *x)
{
    int last = -1;
    return op_reduce(g, kind, x, &last, 1, false);
}

static bool axis_is_last(const struct loss *loss, struct err *err)
{
    int64_t axis = argument_int(arguments_of(loss), loss->config, "axis");
    return axis == -1 || err_set(err, ERR_USAGE, "%s.axis: only the last axis (-1) can hold the classes, found %lld",
                                 loss->where, (long long)axis);
}

static bool q_is_inside(const struct loss *loss, struct err *err)
{
    double q = argument_double(arguments_of(loss), loss->config, "q");
    return (q > 0 && q < 1) || err_set(err, ERR_USAGE, "%s.q: must be between 0 and 1, found %g", loss->where, q);
}

/* y_true must have y_pred's shape. */
static bool same_shape(const struct loss *loss, const struct loss_call *call)
{
    struct graph *g = call->graph;
    if (!call->y_true || !call->y_pred)
        return false;
    if (shape_equal(call->y_true->shape, call->y_pred->shape))
        return true;
    bool numbers = call->y_true->shape.rank < call->y_pred->shape.rank;
    graph_fail(g, ERR_USAGE, "%s: the model gives shape %s, the targets have shape %s%s", loss->where,
               shape_text(&g->arena, call->y_pred->shape), shape_text(&g->arena, call->y_true->shape),
               numbers ? "; for class numbers use 'sparse_categorical_crossentropy', or data.one_hot" : "");
    return false;
}

/* Targets after label smoothing over `classes` classes (2: binary). */
static struct value *smoothed(const struct loss *loss, struct loss_call *call, double classes)
{
    double s = loss->automatic ? 0 : argument_double(arguments_of(loss), loss->config, "label_smoothing");
    if (s == 0)
        return op_expr(call->graph, "a", call->y_true, NULL, NULL, NULL);
    return op_expr(call->graph, "a * b + c", call->y_true, op_scalar(call->graph, 1 - s),
                   op_scalar(call->graph, s / classes), NULL);
}

static bool from_logits(const struct loss *loss)
{
    return !loss->automatic && argument_bool(arguments_of(loss), loss->config, "from_logits");
}

static bool ends_in_softmax(const struct loss_call *call)
{
    return call->logits && call->y_pred->node->op == OP_SOFTMAX &&
           shape_equal(call->logits->shape, call->y_pred->shape);
}

static bool ends_in_sigmoid(const struct loss_call *call)
{
    return call->logits && call->y_pred->node->op != OP_SOFTMAX &&
           shape_elements(call->logits->shape) == shape_elements(call->y_pred->shape);
}

static struct value *logits_like(struct loss_call *call)
{
    return shape_equal(call->logits->shape, call->y_pred->shape)
               ? call->logits
               : op_reshape(call->graph, call->logits, call->y_pred->shape);
}

static struct value *categorical_crossentropy(const struct loss *loss, struct loss_call *call)
{
    struct graph *g = call->graph;
    if (!same_shape(loss, call))
        return NULL;
    struct value *target = smoothed(loss, call, (double)call->y_pred->shape.dim[call->y_pred->shape.rank - 1]);
    if (from_logits(loss) || ends_in_softmax(call))
        return op_xent(g, from_logits(loss) ? call->y_pred : call->logits, target);
    int last = -1;
    struct value *sum = op_reduce(g, REDUCE_SUM, call->y_pred, &last, 1, true);
    return reduce_last(
        g, REDUCE_SUM,
        op_expr(g, "-a * log(minimum(maximum(b / c, 1e-7), 1 - 1e-7))", target, call->y_pred, sum, NULL));
}

static struct value *sparse_categorical_crossentropy(const struct loss *loss, struct loss_call *call)
{
    struct graph *g = call->graph;
    struct value *labels = class_numbers(g, call->y_true, call->y_pred, loss->where);
    if (!labels)
        return NULL;
    const json_t *ignored = loss->automatic ? NULL : argument(arguments_of(loss), loss->config, "ignore_class");
    int32_t ignore = json_is_integer(ignored) ? (int32_t)json_integer_value(ignored) : INT32_MIN;
    struct value *valid = ignore == INT32_MIN ? NULL : op_expr(g, "a != b", labels, op_scalar(g, ignore), NULL, NULL);
    if (valid)
        call->mask = call->mask ? op_mul(g, call->mask, valid) : valid;
    if (from_logits(loss) || ends_in_softmax(call))
        return op_sparse_xent(g, from_logits(loss) ? call->y_pred : call->logits, labels, ignore);
    int last = -1;
    struct value *sum = op_reduce(g, REDUCE_SUM, call->y_pred, &last, 1, true);
    struct value *target = op_one_hot(g, labels, call->y_pred->shape.dim[call->y_pred->shape.rank - 1]);
    struct value *values =
        reduce_last(g, REDUCE_SUM,
                    op_expr(g, "-a * log(minimum(maximum(b / c, 1e-7), 1 - 1e-7))", target, call->y_pred, sum, NULL));
    return valid ? op_expr(g, "where(b, a, 0)", values, valid, NULL, NULL) : values;
}

static struct value *binary_crossentropy(const struct loss *loss, struct loss_call *call)
{
    struct graph *g = call->graph;
    if (!same_shape(loss, call))
        return NULL;
    struct value *target = smoothed(loss, call, 2);
    struct value *logits = from_logits(loss) ? call->y_pred : ends_in_sigmoid(call) ? logits_like(call) : NULL;
    return reduce_last(g, REDUCE_MEAN,
                       logits ? op_expr(g, "maximum(b, 0) - a * b + log1p(exp(-abs(b)))", target, logits, NULL, NULL)
                              : op_expr(g,
                                        "-(a * log(minimum(maximum(b, 1e-7), 1 - 1e-7))"
                                        " + (1 - a) * log(1 - minimum(maximum(b, 1e-7), 1 - 1e-7)))",
                                        target, call->y_pred, NULL, NULL));
}

static struct value *binary_focal_crossentropy(const struct loss *loss, struct loss_call *call)
{
    struct graph *g = call->graph;
    if (!same_shape(loss, call))
        return NULL;
    const struct argument *arguments = arguments_of(loss);
    struct value *target = smoothed(loss, call, 2);
    struct value *p = from_logits(loss) ? op_expr(g, "sigmoid(a)", call->y_pred, NULL, NULL, NULL) : call->y_pred;
    struct value *focal = op_expr(
        g,
        "-pow(1 - (a * b + (1 - a) * (1 - b)), c)"
        " * (a * log(minimum(maximum(b, 1e-7), 1 - 1e-7)) + (1 - a) * log(1 - minimum(maximum(b, 1e-7), 1 - 1e-7)))",
        target, p, op_scalar(g, argument_double(arguments, loss->config, "gamma")), NULL);
    if (argument_bool(arguments, loss->config, "apply_class_balancing"))
        focal = op_expr(g, "c * (a * b + (1 - a) * (1 - b))", target,
                        op_scalar(g, argument_double(arguments, loss->config, "alpha")), focal, NULL);
    return reduce_last(g, REDUCE_MEAN, focal);
}

static struct value *categorical_focal_crossentropy(const struct loss *loss, struct loss_call *call)
{
    struct graph *g = call->graph;
    if (!same_shape(loss, call))
        return NULL;
    const struct argument *arguments = arguments_of(loss);
    struct value *target = smoothed(loss, call, (double)call->y_pred->shape.dim[call->y_pred->shape.rank - 1]);
    struct value *p = from_logits(loss) ? op_softmax(g, call->y_pred) : call->y_pred;
    int last = -1;
    p = op_expr(g, "minimum(maximum(a / b, 1e-7), 1 - 1e-7)", p, op_reduce(g, REDUCE_SUM, p, &last, 1, true), NULL,
                NULL);
    return reduce_last(g, REDUCE_SUM,
                       op_expr(g, "-d * pow(1 - b, c) * a * log(b)", target, p,
                               op_scalar(g, argument_double(arguments, loss->config, "gamma")),
                               op_scalar(g, argument_double(arguments, loss->config, "alpha"))));
}

/* Labels 0 and 1 become -1 and 1 when every label of the batch is 0 or 1. */
static struct value *hinge_labels(struct loss_call *call)
{
    struct graph *g = call->graph;
    struct value *zero_or_one = op_expr(g, "a == 0 or a == 1", call->y_true, NULL, NULL, NULL);
    struct value *all = op_reduce(g, REDUCE_MIN, zero_or_one, NULL, 0, false);
    return op_expr(g, "where(b, 2 * a - 1, a)", call->y_true, all, NULL, NULL);
}

static struct value *hinge(const struct loss *loss, struct loss_call *call)
{
    return same_shape(loss, call) ? reduce_last(call->graph, REDUCE_MEAN,
                                                op_expr(call->graph, "maximum(1 - a * b, 0)", hinge_labels(call),
                                                        call->y_pred, NULL, NULL))
                                  : NULL;
}

static struct value *squared_hinge(const struct loss *loss, struct loss_call *call)
{
    return same_shape(loss, call) ? reduce_last(call->graph, REDUCE_MEAN,
                                                op_expr(call->graph, "square(maximum(1 - a * b, 0))",
                                                        hinge_labels(call), call->y_pred, NULL, NULL))
                                  : NULL;
}

static struct value *categorical_hinge(const struct loss *loss, struct loss_call *call)
{
    struct graph *g = call->graph;
    if (!same_shape(loss, call))
        return NULL;
    struct value *positive = reduce_last(g, REDUCE_SUM, op_mul(g, call->y_true, call->y_pred));
    struct value *negative =
        reduce_last(g, REDUCE_MAX, op_expr(g, "(1 - a) * b", call->y_true, call->y_pred, NULL, NULL));
    return op_expr(g, "maximum(b - a + 1, 0)", positive, negative, NULL, NULL);
}

static struct value *unit_length(struct graph *g, struct value *x, int axis)
{
    struct value *length = op_reduce(g, REDUCE_SUM, op_expr(g, "square(a)", x, NULL, NULL, NULL), &axis, 1, true);
    return op_expr(g, "a * minimum(rsqrt(b), 1e7)", x, length, NULL, NULL);
}

static struct value *cosine_similarity(const struct loss *loss, struct loss_call *call)
{
    struct graph *g = call->graph;
    if (!same_shape(loss, call))
        return NULL;
    int axis = (int)argument_int(arguments_of(loss), loss->config, "axis");
    struct value *product = op_mul(g, unit_length(g, call->y_true, axis), unit_length(g, call->y_pred, axis));
    return op_scale(g, op_reduce(g, REDUCE_SUM, product, &axis, 1, false), -1);
}

/* Sum over the argument axis: null = all, an int or a list. */
static struct value *sum_axes(const struct loss *loss, struct graph *g, struct value *x)
{
    const json_t *axis = argument(arguments_of(loss), loss->config, "axis");
    int axes[RANK_MAX], n = 0;
    if (json_is_integer(axis))
        axes[n++] = (int)json_integer_value(axis);
    for (size_t i = 0; i < json_array_size(axis) && n < RANK_MAX; i++)
        axes[n++] = (int)json_integer_value(json_array_get(axis, i));
    return op_reduce(g, REDUCE_SUM, x, n ? axes : NULL, n, false);
}

static struct value *dice(const struct loss *loss, struct loss_call *call)
{
    struct graph *g = call->graph;
    if (!same_shape(loss, call))
        return NULL;
    return op_expr(g, "1 - 2 * a / (b + c + 1e-7)", sum_axes(loss, g, op_mul(g, call->y_true, call->y_pred)),
                   sum_axes(loss, g, op_expr(g, "a", call->y_true, NULL, NULL, NULL)), sum_axes(loss, g, call->y_pred),
                   NULL);
}

static struct value *tversky(const struct loss *loss, struct loss_call *call)
{
    struct graph *g = call->graph;
    if (!same_shape(loss, call))
        return NULL;
    const struct argument *arguments = arguments_of(loss);
    struct value *hit = sum_axes(loss, g, op_mul(g, call->y_true, call->y_pred));
    struct value *missed = sum_axes(loss, g, op_expr(g, "(1 - b) * a", call->y_true, call->y_pred, NULL, NULL));
    struct value *wrong = sum_axes(loss, g, op_expr(g, "b * (1 - a)", call->y_true, call->y_pred, NULL, NULL));
    return op_expr(g, "1 - a / (a + b + c + 1e-7)", hit,
                   op_scale(g, missed, argument_double(arguments, loss->config, "alpha")),
                   op_scale(g, wrong, argument_double(arguments, loss->config, "beta")), NULL);
}

static struct value *generalized_crossentropy(const struct loss *loss, struct loss_call *call)
{
    struct graph *g = call->graph;
    struct value *labels = class_numbers(g, call->y_true, call->y_pred, loss->where);
    if (!labels)
        return NULL;
    struct value *target = op_one_hot(g, labels, call->y_pred->shape.dim[call->y_pred->shape.rank - 1]);
    struct value *p = reduce_last(g, REDUCE_SUM, op_mul(g, target, call->y_pred));
    return op_expr(g, "(1 - pow(a, b)) / b", p, op_scalar(g, argument_double(arguments_of(loss), loss->config, "q")),
                   NULL, NULL);
}

#define ROW(class_name, function, args, text)                                                                          \
    {                                                                                                                  \
        {class_name, text, args}, function                                                                             \
    }
static const struct loss_class losses[] = {
    {ROW("MeanSquaredError", "mean_squared_error|mse|MSE", no_arguments, "mean of squared errors"),
     "mean_squared_error", .text = "value = square(y_true - y_pred)"},
    {ROW("MeanAbsoluteError", "mean_absolute_error|mae|MAE", no_arguments, "mean of absolute errors"),
     "mean_absolute_error", .text = "value = abs(y_true - y_pred)"},
    {ROW("MeanAbsolutePercentageError", "mean_absolute_percentage_error|mape|MAPE", no_arguments,
         "mean of absolute errors in percent of the target"),
     "mean_absolute_percentage_error", .text = "value = 100 * abs((y_true - y_pred) / maximum(abs(y_true), 1e-7))"},
    {ROW("MeanSquaredLogarithmicError", "mean_squared_logarithmic_error|msle|MSLE", no_arguments,
         "mean of squared errors of log(1 + x)"),
     "mean_squared_logarithmic_error",
     .text = "value = square(log(maximum(y_pred, 1e-7) + 1) - log(maximum(y_true, 1e-7) + 1))"},
    {ROW("Huber", "huber", huber_arguments, "squared near 0, absolute beyond delta"), "huber_loss",
     .text = "error = y_pred - y_true; size = abs(error);"
             "value = where(size <= delta, 0.5 * square(error), delta * size - 0.5 * square(delta))"},
    {ROW("LogCosh", "log_cosh", no_arguments, "log(cosh(error))"), "log_cosh",
     .text = "error = y_pred - y_true; value = error + softplus(-2 * error) - 0.6931471805599453"},
    {ROW("KLDivergence", "kl_divergence|kld|KLD", no_arguments, "divergence between two distributions"),
     "kl_divergence", .sum = true,
     .text = "t = minimum(maximum(y_true, 1e-7), 1); p = minimum(maximum(y_pred, 1e-7), 1); value = t * log(t / p)"},
    {ROW("Poisson", "poisson", no_arguments, "for counts: y_pred - y_true * log(y_pred)"), "poisson",
     .text = "value = y_pred - y_true * log(y_pred + 1e-7)"},
    {ROW("CosineSimilarity", "cosine_similarity", cosine_arguments, "-1 for the same direction, 1 for the opposite"),
     "cosine_similarity", .lower = cosine_similarity},
    {ROW("BinaryCrossentropy", "binary_crossentropy|bce|BCE", crossentropy_arguments,
         "two classes, or several labels at once"),
     "binary_crossentropy", .binary = true, .lower = binary_crossentropy, .check = axis_is_last},
    {ROW("CategoricalCrossentropy", "categorical_crossentropy", crossentropy_arguments,
         "several classes, one-hot targets"),
     "categorical_crossentropy", .one_hot = true, .lower = categorical_crossentropy, .check = axis_is_last},
    {ROW("SparseCategoricalCrossentropy", "sparse_categorical_crossentropy", sparse_arguments,
         "several classes, targets are class numbers"),
     "sparse_categorical_crossentropy", .sparse = true, .lower = sparse_categorical_crossentropy,
     .check = axis_is_last},
    {ROW("BinaryFocalCrossentropy", "binary_focal_crossentropy", binary_focal_arguments,
         "binary crossentropy that looks at hard samples"),
     "binary_focal_crossentropy", .binary = true, .lower = binary_focal_crossentropy, .check = axis_is_last},
    {ROW("CategoricalFocalCrossentropy", "categorical_focal_crossentropy", focal_arguments,
         "categorical crossentropy that looks at hard samples"),
     "categorical_focal_crossentropy", .one_hot = true, .lower = categorical_focal_crossentropy, .check = axis_is_last},
    {ROW("CategoricalGeneralizedCrossEntropy", NULL, generalized_arguments,
         "robust against wrong labels; class numbers"),
     "categorical_generalized_cross_entropy", .sparse = true, .lower = generalized_crossentropy, .check = q_is_inside},
    {ROW("Hinge", "hinge", no_arguments, "maximum margin; labels -1 and 1 (or 0 and 1)"), "hinge", .lower = hinge},
    {ROW("SquaredHinge", "squared_hinge", no_arguments, "squared hinge"), "squared_hinge", .lower = squared_hinge},
    {ROW("CategoricalHinge", "categorical_hinge", no_arguments, "maximum margin over classes, one-hot targets"),
     "categorical_hinge", .lower = categorical_hinge},
    {ROW("Dice", "dice", dice_arguments, "overlap of masks: 1 - 2 |a b| / (|a| + |b|)"), "dice", .lower = dice},
    {ROW("Tversky", "tversky", tversky_arguments, "overlap of masks that weighs misses and false alarms"), "tversky",
     .lower = tversky},
    {ROW("Circle", "circle", circle_arguments,
         "pairs of a batch: embeddings of one label near, of others far; targets are labels"),
     "circle", .labels = true, .lower = lower_circle},
    {ROW("CTC", "ctc", no_arguments, "labels without their times: logits of many steps, 0 is the blank"), "ctc",
     .labels = true, .below_width = true, .lower = lower_ctc},
};
const struct named_table loss_table = {
    .kind = "loss", .rows = losses, .n = sizeof losses / sizeof *losses, .row_size = sizeof *losses};
