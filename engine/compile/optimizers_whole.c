/* optimizers_whole.c - the optimizers whose step depends on a variable as a whole: Lamb (norms), Adafactor (means of
 * rows and columns), Muon (orthogonalized matrices). Formulas: keras/src/optimizers/ */
#include "engine/compile/optimizer_class.h"

#include <math.h>
#include <regex.h>
#include <string.h>

static const struct argument *arguments_of(const struct optimizer *o)
{
    return o->class->row.class.arguments;
}

static struct value *constant(const struct whole_update *u, const char *name)
{
    return op_scalar(u->graph, optimizer_number(u->optimizer, name));
}

static struct value *scalar(const struct whole_update *u, const char *name)
{
    int i = 0;
    while (strcmp(u->scalar_names[i], name) != 0)
        BUG_ON(++i == u->n_scalars);
    return u->scalars[i];
}

static void decay(struct whole_update *u, const char *name)
{
    if (!json_is_null(argument(arguments_of(u->optimizer), u->optimizer->config, name)))
        u->weight = op_expr(u->graph, "a - a * b * c", u->weight, constant(u, name), scalar(u, "lr"), NULL);
}

/* The moments of Adam in the first two slots. */
static void update_moments(struct whole_update *u, const char *beta_1, const char *beta_2)
{
    struct graph *g = u->graph;
    u->slots[0] = op_expr(g, "a + (b - a) * c", u->slots[0], u->gradient,
                          op_scalar(g, 1 - optimizer_number(u->optimizer, beta_1)), NULL);
    u->slots[1] = op_expr(g, "a + (square(b) - a) * c", u->slots[1], u->gradient,
                          op_scalar(g, 1 - optimizer_number(u->optimizer, beta_2)), NULL);
}

static struct value *squares_of(struct graph *g, struct value *x)
{
    return op_expr(g, "square(a)", x, NULL, NULL, NULL);
}

static struct value *mean_square(struct graph *g, struct value *x)
{
    return op_reduce(g, REDUCE_MEAN, squares_of(g, x), NULL, 0, false);
}

struct value *optimizer_square_sum(struct graph *g, struct value *x)
{
    return op_sum_all(g, squares_of(g, x));
}

/* ---- Lamb: a step of Adam, as long as the weights times the learning rate ---- */

void lower_lamb(struct whole_update *u)
{
    struct graph *g = u->graph;
    decay(u, "weight_decay");
    update_moments(u, "beta_1", "beta_2");
    struct value *root = op_expr(g, "sqrt(a / b) + c", u->slots[1], scalar(u, "two"), constant(u, "epsilon"), NULL);
    struct value *step = op_expr(g, "a / b / c", u->slots[0], scalar(u, "one"), root, NULL);
    struct value *ratio = op_expr(g, "where(a > 0 and b > 0, sqrt(a) / sqrt(where(b > 0, b, 1)), 1)",
                                  optimizer_square_sum(g, u->weight), optimizer_square_sum(g, step), NULL, NULL);
    u->weight = op_expr(g, "a - b * c * d", u->weight, ratio, scalar(u, "lr"), step);
}

/* ---- Adafactor: of a matrix's mean squares only those of its rows and columns decide ---- */

bool slot_shape_adafactor(const struct optimizer *o, int variable, int slot, struct shape *shape)
{
    struct shape whole = o->model->trainable[variable]->shape;
    *shape = whole;
    if (slot == 2)
        return true;
    if (whole.rank < 2) {
        *shape = (struct shape){0};
        return true;
    }
    shape->dim[--shape->rank] = 0;
    if (slot == 1)
        shape->dim[shape->rank - 1] = whole.dim[whole.rank - 1];
    return true;
}

/* Mean squares after the step along one axis of the last two. */
static struct value *mean_along(const struct whole_update *u, int slot, struct value *squares, int axis)
{
    struct value *mean = op_reduce(u->graph, REDUCE_MEAN, squares, &axis, 1, false);
    return op_expr(u->graph, "a * b + (1 - a) * c", scalar(u, "beta"), u->slots[slot], mean, NULL);
}

/* rows / their mean, times columns: an outer product of the last two axes. */
static struct value *outer(struct graph *g, struct value *rows, struct value *columns, struct shape shape)
{
    int last = -1;
    struct shape tall = shape, wide = shape;
    tall.dim[shape.rank - 1] = 1;
    wide.dim[shape.rank - 2] = 1;
    rows = op_div(g, rows, op_reduce(g, REDUCE_MEAN, rows, &last, 1, true));
    return op_mul(g, op_reshape(g, rows, tall), op_reshape(g, columns, wide));
}

void lower_adafactor(struct whole_update *u)
{
    struct graph *g = u->graph;
    const struct shape shape = u->weight->shape;
    decay(u, "weight_decay");
    struct value *squares = op_expr(g, "square(a) + b", u->gradient, constant(u, "epsilon_1"), NULL, NULL);
    if (shape.rank >= 2) {
        u->slots[0] = mean_along(u, 0, squares, -1);
        u->slots[1] = mean_along(u, 1, squares, -2);
        u->slots[2] = outer(g, u->slots[0], u->slots[1], shape);
    } else {
        u->slots[2] = op_expr(g, "a * b + (1 - a) * c", scalar(u, "beta"), u->slots[2], squares, NULL);
    }
    struct value *step = op_expr(g, "a / sqrt(b)", u->gradient, u->slots[2], NULL, NULL);
    struct value *shrink =
        op_expr(g, "maximum(1, sqrt(a) / b)", mean_square(g, step), constant(u, "clip_threshold"), NULL, NULL);
    struct value *alpha = op_expr(g, "maximum(a, sqrt(b)) * c", constant(u, "epsilon_2"), mean_square(g, u->weight),
                                  scalar(u, "rho"), NULL);
    u->weight = op_expr(g, "a - b * (c / d)", u->weight, alpha, step, shrink);
}

/* ---- Muon ---- */

bool check_muon(const struct optimizer *o, struct err *err)
{
    const json_t *patterns = argument(arguments_of(o), o->config, "exclude_layers");
    if (!json_is_null(patterns) && !json_is_array(patterns))
        return err_set(err, ERR_USAGE, "%s.exclude_layers: expected a list of texts, found %s", o->where,
                       js_type_name(patterns));
    for (size_t i = 0; i < json_array_size(patterns); i++) {
        const char *text = json_string_value(json_array_get(patterns, i));
        regex_t compiled;
        if (!text || strchr(text, '\\') || strstr(text, "(?") || regcomp(&compiled, text, REG_EXTENDED | REG_NOSUB))
            return err_set(err, ERR_USAGE,
                           "%s.exclude_layers[%zu]: expected a regular expression without '\\' and '(?', found %s%s%s",
                           o->where, i, text ? "'" : "", text ? text : js_type_name(json_array_get(patterns, i)),
                           text ? "'" : "");
        regfree(&compiled);
    }
    return true;
}

static bool matches(const char *pattern, const char *path)
{
    regex_t compiled;
    if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB))
        return false;
    bool found = !regexec(&compiled, path, 0, NULL, 0);
    regfree(&compiled);
    return found;
}

static bool is_adams(const struct optimizer *o, int variable)
{
    const struct variable *v = o->model->trainable[variable];
    const char *path = v->path ? v->path : v->name;
    const json_t *patterns = argument(arguments_of(o), o->config, "exclude_layers");
    if (v->shape.rank != 2 ||
        (argument_bool(arguments_of(o), o->config, "exclude_embeddings") && strcasestr(path, "embedding")))
        return true;
    for (size_t i = 0; i < json_array_size(patterns); i++)
        if (matches(json_string_value(json_array_get(patterns, i)), path))
            return true;
    return false;
}

bool slot_shape_muon(const struct optimizer *o, int variable, int slot, struct shape *shape)
{
    *shape = o->model->trainable[variable]->shape;
    return slot == 0 || is_adams(o, variable);
}

/* x with all its singular values near 1, by an odd polynomial of the matrix: Newton-Schulz iterations. */
static struct value *orthogonal(const struct whole_update *u, struct value *x)
{
    struct graph *g = u->graph;
    static const int turned[] = {1, 0};
    const struct shape shape = u->weight->shape;
    bool tall = shape.dim[0] > shape.dim[1];
    int64_t steps = argument_int(arguments_of(u->optimizer), u->optimizer->config, "ns_steps");
    x = tall ? op_transpose(g, x, turned) : x;
    x = op_expr(g, "a / (sqrt(b) + 1e-7)", x, optimizer_square_sum(g, x), NULL, NULL);
    for (int64_t i = 0; i < steps; i++) {
        struct value *square = op_matmul(g, x, x, false, true);
        struct value *fourth = op_matmul(g, op_mul(g, square, constant(u, "muon_c")), square, false, false);
        struct value *sum = op_expr(g, "a * b + c", constant(u, "muon_b"), square, fourth, NULL);
        x = op_expr(g, "a * b + c", constant(u, "muon_a"), x, op_matmul(g, sum, x, false, false), NULL);
    }
    return tall ? op_transpose(g, x, turned) : x;
}

static void step_adam(struct whole_update *u)
{
    struct graph *g = u->graph;
    decay(u, "adam_weight_decay");
    update_moments(u, "adam_beta_1", "adam_beta_2");
    struct value *root = op_expr(g, "sqrt(a) + b", u->slots[1], constant(u, "epsilon"), NULL, NULL);
    u->weight = op_expr(g, "a - b * c / d", u->weight, u->slots[0], scalar(u, "alpha"), root);
}

void lower_muon(struct whole_update *u)
{
    struct graph *g = u->graph;
    const struct optimizer *o = u->optimizer;
    const struct shape shape = u->weight->shape;
    if (u->slots[1]) {
        step_adam(u);
        return;
    }
    decay(u, "weight_decay");
    u->slots[0] = op_expr(g, "a + (b + a * c)", u->slots[0], u->gradient,
                          op_scalar(g, optimizer_number(u->optimizer, "momentum") - 1), NULL);
    struct value *direction = argument_bool(arguments_of(o), o->config, "nesterov")
                                  ? op_expr(g, "a + b * c", u->gradient, constant(u, "momentum"), u->slots[0], NULL)
                                  : u->slots[0];
    struct value *step = op_mul(g, scalar(u, "lr"), orthogonal(u, direction));
    if (!json_is_null(argument(arguments_of(o), o->config, "rms_rate"))) {
        double longer = (double)(shape.dim[0] > shape.dim[1] ? shape.dim[0] : shape.dim[1]);
        step = op_scale(g, step, sqrt(longer) * optimizer_number(u->optimizer, "rms_rate"));
    }
    u->weight = op_sub(g, u->weight, step);
}
