/* regularizers.c - Keras' regularizers and constraints, one row each, see parts.h */
#include "engine/layers/arguments.h"
#include "engine/layers/parts.h"

#include <stdlib.h>
#include <string.h>

struct part_row {
    struct class_row class;
    const char *alias; /* Keras' string */
    struct value *(*lower)(struct graph *g, const struct part_row *row, const json_t *config, struct value *x);
};

struct regularizer {
    const struct part_row *row;
    const json_t *config;
};

struct constraint {
    const struct part_row *row;
    const json_t *config;
};

struct value *as_float(struct graph *g, struct value *x)
{
    return x && x->dtype == DTYPE_I32 ? op_expr(g, "a + 0", x, NULL, NULL, NULL) : x;
}

struct value *sum_of_squares(struct graph *g, struct value *x, const int *axes, int n_axes)
{
    return op_reduce(g, REDUCE_SUM, op_expr(g, "square(a)", x, NULL, NULL, NULL), axes, n_axes, true);
}

static struct value *scaled_sum(struct graph *g, const char *text, struct value *x, double factor)
{
    return op_scale(g, op_sum_all(g, op_expr(g, text, x, NULL, NULL, NULL)), factor);
}

static struct value *lower_l1(struct graph *g, const struct part_row *row, const json_t *config, struct value *x)
{
    return scaled_sum(g, "abs(a)", x, argument_double(row->class.arguments, config, "l1"));
}

static struct value *lower_l2(struct graph *g, const struct part_row *row, const json_t *config, struct value *x)
{
    return scaled_sum(g, "square(a)", x, argument_double(row->class.arguments, config, "l2"));
}

static struct value *lower_l1l2(struct graph *g, const struct part_row *row, const json_t *config, struct value *x)
{
    return op_add(g, lower_l1(g, row, config, x), lower_l2(g, row, config, x));
}

/* factor * mean over pairs of |cosine| between different rows (or columns). */
static struct value *lower_orthogonal(struct graph *g, const struct part_row *row, const json_t *config,
                                      struct value *x)
{
    bool by_rows = !strcmp(argument_string(row->class.arguments, config, "mode"), "rows");
    if (!x || x->shape.rank != 2)
        return graph_fail(g, ERR_USAGE, "OrthogonalRegularizer needs a weight of two dimensions, found %d",
                          x ? x->shape.rank : 0);
    int axis = by_rows;
    int64_t size = x->shape.dim[by_rows ? 0 : 1];
    if (size < 2)
        return op_scalar(g, 0);
    if (size > 8192)
        return graph_fail(g, ERR_USAGE, "OrthogonalRegularizer compares all pairs of vectors: %lld are too many",
                          (long long)size);
    struct value *norm = sum_of_squares(g, x, &axis, 1);
    struct value *unit = op_expr(g, "a / (1e-7 + sqrt(b))", x, norm, NULL, NULL);
    struct value *product = op_matmul(g, unit, unit, !by_rows, by_rows);
    float *off_diagonal = xcalloc((size_t)(size * size), sizeof *off_diagonal);
    for (int64_t i = 0; i < size * size; i++)
        off_diagonal[i] = i % (size + 1) != 0;
    struct value *mask = op_constant(g, DTYPE_F32, SHAPE(size, size), off_diagonal);
    free(off_diagonal);
    double pairs = (double)size * ((double)size - 1) / 2;
    double factor = argument_double(row->class.arguments, config, "factor");
    return op_scale(g, op_sum_all(g, op_expr(g, "abs(a * b)", product, mask, NULL, NULL)), factor * 0.5 / pairs);
}

static struct value *norms_of(struct graph *g, const struct part_row *row, const json_t *config, struct value *w)
{
    int axes[RANK_MAX], n = 0;
    const json_t *axis = argument(row->class.arguments, config, "axis");
    if (json_is_integer(axis))
        axes[n++] = (int)json_integer_value(axis);
    for (size_t i = 0; i < json_array_size(axis) && n < RANK_MAX; i++)
        axes[n++] = (int)json_integer_value(json_array_get(axis, i));
    for (int i = 0; w && i < n; i++)
        if (axes[i] >= w->shape.rank || axes[i] < -w->shape.rank)
            return graph_fail(g, ERR_USAGE, "constraint %s: axis %d is not inside a weight of %d dimensions",
                              row->class.name, axes[i], w->shape.rank);
    return op_expr(g, "sqrt(a)", sum_of_squares(g, w, axes, n), NULL, NULL, NULL);
}

static struct value *lower_max_norm(struct graph *g, const struct part_row *row, const json_t *config, struct value *w)
{
    struct value *bound = op_scalar(g, argument_double(row->class.arguments, config, "max_value"));
    return op_expr(g, "a * (maximum(0, minimum(b, c)) / (1e-7 + b))", w, norms_of(g, row, config, w), bound, NULL);
}

static struct value *lower_non_neg(struct graph *g, const struct part_row *row, const json_t *config, struct value *w)
{
    (void)row, (void)config;
    return op_expr(g, "maximum(a, 0)", w, NULL, NULL, NULL);
}

static struct value *lower_unit_norm(struct graph *g, const struct part_row *row, const json_t *config, struct value *w)
{
    return op_expr(g, "a / (1e-7 + b)", w, norms_of(g, row, config, w), NULL, NULL);
}

static struct value *lower_min_max_norm(struct graph *g, const struct part_row *row, const json_t *config,
                                        struct value *w)
{
    const struct argument *a = row->class.arguments;
    struct value *norms = norms_of(g, row, config, w);
    struct value *low = op_scalar(g, argument_double(a, config, "min_value")),
                 *high = op_scalar(g, argument_double(a, config, "max_value"));
    struct value *rate = op_scalar(g, argument_double(a, config, "rate"));
    struct value *clipped = op_expr(g, "maximum(b, minimum(c, a))", norms, low, high, NULL);
    struct value *desired = op_expr(g, "c * a + (1 - c) * b", clipped, norms, rate, NULL);
    return op_expr(g, "a * (b / (1e-7 + c))", w, desired, norms, NULL);
}

#define ARG_AXIS                                                                                                       \
    {                                                                                                                  \
        "axis", ARG_INTS, "0", NULL, 0, 0, "axes along which norms are taken"                                          \
    }
static const struct argument l1_arguments[] = {{"l1", ARG_FLOAT, "0.01", NULL, 0, 0, "factor of the sum of |w|"}, {0}};
static const struct argument l2_arguments[] = {{"l2", ARG_FLOAT, "0.01", NULL, 0, 0, "factor of the sum of w^2"}, {0}};
static const struct argument l1l2_arguments[] = {{"l1", ARG_FLOAT, "0.0", NULL, 0, 0, "factor of the sum of |w|"},
                                                 {"l2", ARG_FLOAT, "0.0", NULL, 0, 0, "factor of the sum of w^2"},
                                                 {0}};
static const struct argument orthogonal_arguments[] = {
    {"factor", ARG_FLOAT, "0.01", NULL, 0, 0, "factor"},
    {"mode", ARG_CHOICE, "\"rows\"", "rows|columns", 0, 0, "which vectors should be orthogonal"},
    {0}};
static const struct argument max_norm_arguments[] = {
    {"max_value", ARG_FLOAT, "2", NULL, 0, 0, "largest norm"}, ARG_AXIS, {0}};
static const struct argument unit_norm_arguments[] = {ARG_AXIS, {0}};
static const struct argument min_max_arguments[] = {
    {"min_value", ARG_FLOAT, "0.0", NULL, 0, 0, "smallest norm"},
    {"max_value", ARG_FLOAT, "1.0", NULL, 0, 0, "largest norm"},
    {"rate", ARG_FLOAT, "1.0", NULL, 0, 0, "how far to go towards the bounds"},
    ARG_AXIS,
    {0}};
static const struct argument no_arguments[] = {{0}};

static const struct part_row regularizer_rows[] = {
    {{"L1", "l1 * sum(|w|)", l1_arguments}, "l1", lower_l1},
    {{"L2", "l2 * sum(w^2)", l2_arguments}, "l2", lower_l2},
    {{"L1L2", "l1 * sum(|w|) + l2 * sum(w^2)", l1l2_arguments}, "l1l2", lower_l1l2},
    {{"OrthogonalRegularizer", "mean |cosine| of pairs of rows or columns", orthogonal_arguments},
     "orthogonal_regularizer",
     lower_orthogonal},
};
static const struct part_row constraint_rows[] = {
    {{"MaxNorm", "norms at most max_value", max_norm_arguments}, "max_norm", lower_max_norm},
    {{"NonNeg", "no negative weights", no_arguments}, "non_neg", lower_non_neg},
    {{"UnitNorm", "norms of one", unit_norm_arguments}, "unit_norm", lower_unit_norm},
    {{"MinMaxNorm", "norms between min_value and max_value", min_max_arguments}, "min_max_norm", lower_min_max_norm},
};
enum {
    N_REGULARIZERS = sizeof regularizer_rows / sizeof regularizer_rows[0],
    N_CONSTRAINTS = sizeof constraint_rows / sizeof constraint_rows[0]
};

static const struct part_row *parse(const struct part_row *rows, int n, const char *kind, const json_t *json,
                                    const char *where, const json_t **config, struct err *err)
{
    static const char *const common[] = {"class", NULL};
    const char *name, *names[8];
    if (!class_reference(json, &name, config))
        return err_null(err, ERR_USAGE, "%s: a %s is a name, an object with \"class\", or null; found %s", where, kind,
                        js_type_name(json));
    for (int i = 0; i < n; i++) {
        names[i] = rows[i].class.name;
        if (!strcmp(rows[i].class.name, name) || !strcmp(rows[i].alias, name))
            return arguments_check(rows[i].class.name, rows[i].class.arguments, common, *config, where, err) ? &rows[i]
                                                                                                             : NULL;
    }
    err_set(err, ERR_USAGE, "%s: unknown %s '%.100s'", where, kind, name);
    err_nearest(err, str_nearest(name, names, (size_t)n));
    return NULL;
}

bool regularizer_parse(struct arena *arena, const json_t *json, const char *where, const struct regularizer **out,
                       struct err *err)
{
    *out = NULL;
    if (!json || json_is_null(json))
        return true;
    struct regularizer *regularizer = arena_alloc(arena, sizeof *regularizer);
    regularizer->row = parse(regularizer_rows, N_REGULARIZERS, "regularizer", json, where, &regularizer->config, err);
    *out = regularizer->row ? regularizer : NULL;
    return *out != NULL;
}

struct value *regularizer_lower(struct graph *g, const struct regularizer *regularizer, struct value *x)
{
    return regularizer->row->lower(g, regularizer->row, regularizer->config, x);
}

bool constraint_parse(struct arena *arena, const json_t *json, const char *where, const struct constraint **out,
                      struct err *err)
{
    *out = NULL;
    if (!json || json_is_null(json))
        return true;
    struct constraint *constraint = arena_alloc(arena, sizeof *constraint);
    constraint->row = parse(constraint_rows, N_CONSTRAINTS, "constraint", json, where, &constraint->config, err);
    *out = constraint->row ? constraint : NULL;
    return *out != NULL;
}

struct value *constraint_lower(struct graph *g, const struct constraint *constraint, struct value *w)
{
    return constraint->row->lower(g, constraint->row, constraint->config, w);
}

static json_t *describe(const struct part_row *rows, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(list, class_describe(rows[i].class.name, rows[i].class.help, rows[i].class.arguments));
    return list;
}

json_t *regularizers_describe(void)
{
    return describe(regularizer_rows, N_REGULARIZERS);
}

json_t *constraints_describe(void)
{
    return describe(constraint_rows, N_CONSTRAINTS);
}
