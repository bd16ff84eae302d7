/* schedules.c - see schedules.h. Formulas: keras/src/optimizers/schedules/learning_rate_schedule.py */
#include "engine/compile/schedules.h"

#include "engine/compile/program.h"

#include <string.h>

/* clang-format off */
#define INITIAL {"initial_learning_rate", ARG_FLOAT, NULL, NULL, 0, 0, "the learning rate at step 0"}
#define DECAY_STEPS {"decay_steps", ARG_FLOAT, NULL, NULL, 0, 0, "over how many steps it decays"}
#define DECAY_RATE {"decay_rate", ARG_FLOAT, NULL, NULL, 0, 0, "how much it decays"}
#define STAIRCASE {"staircase", ARG_BOOL, "false", NULL, 0, 0, "in jumps, once every decay_steps"}
#define ALPHA {"alpha", ARG_FLOAT, "0.0", NULL, 0, 0, "the lowest rate, as a fraction"}
#define END {NULL, ARG_ANY, NULL, NULL, 0, 0, NULL}
/* clang-format on */

static const struct argument exponential_arguments[] = {INITIAL, DECAY_STEPS, DECAY_RATE, STAIRCASE, END};
static const struct argument inverse_arguments[] = {INITIAL, DECAY_STEPS, DECAY_RATE, STAIRCASE, END};
static const struct argument polynomial_arguments[] = {
    INITIAL,
    DECAY_STEPS,
    {"end_learning_rate", ARG_FLOAT, "0.0001", NULL, 0, 0, "the lowest learning rate"},
    {"power", ARG_FLOAT, "1.0", NULL, 0, 0, "of the polynomial; 1 is linear"},
    {"cycle", ARG_BOOL, "false", NULL, 0, 0, "start again after decay_steps"},
    END};
static const struct argument piecewise_arguments[] = {
    {"boundaries", ARG_ANY, NULL, NULL, 0, 0, "list of rising steps after which the rate changes"},
    {"values", ARG_ANY, NULL, NULL, 0, 0, "list of learning rates, one more than boundaries"},
    END};
static const struct argument cosine_arguments[] = {
    INITIAL,
    DECAY_STEPS,
    ALPHA,
    {"warmup_target", ARG_FLOAT, "null", NULL, 0, 0, "the rate after the warm-up; null = no warm-up"},
    {"warmup_steps", ARG_FLOAT, "0", NULL, 0, 0, "how many steps the warm-up takes"},
    END};
static const struct argument restarts_arguments[] = {
    INITIAL,
    {"first_decay_steps", ARG_FLOAT, NULL, NULL, 0, 0, "steps of the first period"},
    {"t_mul", ARG_FLOAT, "2.0", NULL, 0, 0, "each period is this much longer"},
    {"m_mul", ARG_FLOAT, "1.0", NULL, 0, 0, "each restart begins at this much of the one before"},
    ALPHA,
    END};

struct schedule_class {
    struct named_row row;
    /* Assignments that define lr from step and the arguments; NULL: piecewise */
    const char *(*text)(const struct argument *arguments, const json_t *config);
    const char *positive; /* the argument that must be above 0 */
};

static const char *exponential_text(const struct argument *arguments, const json_t *config)
{
    return argument_bool(arguments, config, "staircase")
               ? "lr = initial_learning_rate * pow(decay_rate, floor(step / decay_steps))"
               : "lr = initial_learning_rate * pow(decay_rate, step / decay_steps)";
}

static const char *inverse_text(const struct argument *arguments, const json_t *config)
{
    return argument_bool(arguments, config, "staircase")
               ? "lr = initial_learning_rate / (1 + decay_rate * floor(step / decay_steps))"
               : "lr = initial_learning_rate / (1 + decay_rate * (step / decay_steps))";
}

static const char *polynomial_text(const struct argument *arguments, const json_t *config)
{
    return argument_bool(arguments, config, "cycle")
               ? "length = decay_steps * where(step == 0, 1, ceil(step / decay_steps));"
                 "lr = (initial_learning_rate - end_learning_rate) * pow(1 - step / length, power) + end_learning_rate"
               : "now = minimum(step, decay_steps);"
                 "lr = (initial_learning_rate - end_learning_rate) * pow(1 - now / decay_steps, power) + "
                 "end_learning_rate";
}

static const char *cosine_text(const struct argument *arguments, const json_t *config)
{
    return json_is_null(argument(arguments, config, "warmup_target"))
               ? "now = minimum(step, decay_steps);"
                 "lr = initial_learning_rate * ((1 - alpha) * 0.5 * (1 + cos(pi * (now / decay_steps))) + alpha)"
               : "last = decay_steps + warmup_steps; now = minimum(step, last);"
                 "warm = (warmup_target - initial_learning_rate) * (now / maximum(warmup_steps, 1)) + "
                 "initial_learning_rate;"
                 "cool = warmup_target * ((1 - alpha) * 0.5 * (1 + cos(pi * ((now - warmup_steps) / decay_steps))) + "
                 "alpha);"
                 "lr = where(now < warmup_steps, warm, cool)";
}

static const char *restarts_text(const struct argument *arguments, const json_t *config)
{
    return argument_double(arguments, config, "t_mul") == 1
               ? "part = step / first_decay_steps; restart = floor(part); fraction = part - restart;"
                 "lr = initial_learning_rate * ((1 - alpha) * (0.5 * pow(m_mul, restart) * (1 + cos(pi * fraction))) + "
                 "alpha)"
               : "part = step / first_decay_steps;"
                 "restart = floor(log(1 - part * (1 - t_mul)) / log(t_mul));"
                 "before = (1 - pow(t_mul, restart)) / (1 - t_mul);"
                 "fraction = (part - before) / pow(t_mul, restart);"
                 "lr = initial_learning_rate * ((1 - alpha) * (0.5 * pow(m_mul, restart) * (1 + cos(pi * fraction))) + "
                 "alpha)";
}

static const struct schedule_class schedules[] = {
    {{{"ExponentialDecay", "multiplied by decay_rate every decay_steps", exponential_arguments}, NULL},
     exponential_text,
     "decay_steps"},
    {{{"InverseTimeDecay", "divided by 1 + decay_rate * step / decay_steps", inverse_arguments}, NULL},
     inverse_text,
     "decay_steps"},
    {{{"PolynomialDecay", "from initial_learning_rate to end_learning_rate over decay_steps", polynomial_arguments},
      NULL},
     polynomial_text,
     "decay_steps"},
    {{{"PiecewiseConstantDecay", "values that change at the boundaries", piecewise_arguments}, NULL}, NULL, NULL},
    {{{"CosineDecay", "half a cosine down to alpha, after an optional linear warm-up", cosine_arguments}, NULL},
     cosine_text,
     "decay_steps"},
    {{{"CosineDecayRestarts", "cosine decay that starts again and again", restarts_arguments}, NULL},
     restarts_text,
     "first_decay_steps"},
};
const struct named_table schedule_table = {.kind = "learning-rate schedule",
                                           .rows = schedules,
                                           .n = sizeof schedules / sizeof *schedules,
                                           .row_size = sizeof *schedules};

static bool numbers(const json_t *list, const char *name, const char *where, struct err *err)
{
    if (!json_is_array(list) || (!strcmp(name, "values") && !json_array_size(list)))
        return err_set(err, ERR_USAGE, "%s.%s: expected a list of numbers, found %s", where, name, js_type_name(list));
    double value;
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!js_to_double(json_array_get(list, i), &value))
            return err_set(err, ERR_USAGE, "%s.%s[%zu]: expected a number, found %s", where, name, i,
                           js_type_name(json_array_get(list, i)));
    return true;
}

/* value[0] up to the first boundary, then value[i] while step is in (boundary[i-1], boundary[i]]. */
static const struct expr *piecewise(struct arena *arena, const struct argument *arguments, const json_t *config,
                                    const char *where, struct err *err)
{
    const json_t *boundaries = argument(arguments, config, "boundaries"),
                 *values = argument(arguments, config, "values");
    if (!numbers(boundaries, "boundaries", where, err) || !numbers(values, "values", where, err))
        return NULL;
    size_t n = json_array_size(boundaries);
    if (json_array_size(values) != n + 1)
        return err_null(err, ERR_USAGE, "%s: %zu boundaries need %zu values, found %zu", where, n, n + 1,
                        json_array_size(values));
    struct expr_builder b;
    expr_begin(&b, arena);
    int step = expr_input(&b, 0);
    double bound, value, after = 0;
    js_to_double(json_array_get(values, n), &value);
    int lr = expr_const(&b, value);
    for (size_t i = n; i-- > 0;) {
        js_to_double(json_array_get(boundaries, i), &bound);
        js_to_double(json_array_get(values, i), &value);
        if (i + 1 < n && bound >= after)
            return err_null(err, ERR_USAGE, "%s.boundaries[%zu]: boundaries must rise, found %g before %g", where, i,
                            bound, after);
        after = bound;
        lr = expr_apply(&b, EXPR_SELECT, expr_2(&b, EXPR_LE, step, expr_const(&b, (double)(int64_t)bound)),
                        expr_const(&b, value), lr);
    }
    const struct expr *e = expr_finish(&b, &lr, 1, 1);
    return e ? e : err_null(err, ERR_USAGE, "%s: too many boundaries (%zu)", where, n);
}

const struct expr *schedule_build(struct arena *arena, const json_t *json, const char *where, struct err *err)
{
    static const char *const common[] = {"name", "class", NULL};
    const char *name;
    const json_t *config;
    if (!class_reference(json, &name, &config))
        return err_null(err, ERR_USAGE,
                        "%s: expected a number or a schedule such as {\"class\": \"CosineDecay\", ...}, found %s",
                        where, js_type_name(json));
    const struct schedule_class *class = (const void *)named_get(&schedule_table, name, where, err);
    if (!class || !arguments_check(class->row.class.name, class->row.class.arguments, common, config, where, err))
        return NULL;
    const struct argument *arguments = class->row.class.arguments;
    if (!class->text)
        return piecewise(arena, arguments, config, where, err);
    double least = argument_double(arguments, config, class->positive);
    if (!(least > 0))
        return err_null(err, ERR_USAGE, "%s.%s: must be above 0, found %g", where, class->positive, least);
    struct program p;
    program_begin(&p, arena);
    program_input(&p, "step");
    for (const struct argument *a = arguments; a->name; a++)
        if (a->type == ARG_FLOAT && !json_is_null(argument(arguments, config, a->name)))
            program_constant(&p, a->name, argument_double(arguments, config, a->name));
    program_run(&p, class->text(arguments, config));
    static const char *const result[] = {"lr"};
    return program_finish(&p, result, 1, err);
}
