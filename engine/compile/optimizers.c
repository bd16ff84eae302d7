/* optimizers.c - variables and programs of an optimizer; the rows are in optimizer_table.c */
#include "engine/compile/optimizers.h"

#include "engine/compile/optimizer_class.h"
#include "engine/compile/program.h"
#include "engine/compile/schedules.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct argument *arguments_of(const struct optimizer *o)
{
    return o->class->row.class.arguments;
}

/* Whether an argument is given and neither null, false nor 0. */
static bool is_set(const struct optimizer *o, const char *name, size_t length)
{
    char key[64];
    BUG_ON(length >= sizeof key);
    memcpy(key, name, length);
    key[length] = 0;
    const json_t *value = argument(arguments_of(o), o->config, key);
    double number;
    return json_is_true(value) || (js_to_double(value, &number) && number != 0);
}

bool optimizer_set(const struct optimizer *o, const char *name)
{
    return is_set(o, name, strlen(name));
}

/* "momentum !nesterov": all must hold. */
static bool holds(const struct optimizer *o, const char *when)
{
    while (when && *when) {
        size_t length = strcspn(when, " ");
        bool negated = *when == '!';
        if (is_set(o, when + negated, length - negated) == negated)
            return false;
        when += length + (when[length] == ' ');
    }
    return true;
}

double optimizer_number(const struct optimizer *o, const char *name)
{
    return argument_double(arguments_of(o), o->config, name);
}

/* A variable that starts at *(float *)initializer. */
static bool fill_constant(const struct variable *v, uint64_t seed, float *out, struct err *err)
{
    (void)seed;
    (void)err;
    float value = *(const float *)v->initializer;
    for (int64_t i = 0, n = shape_elements(v->shape); i < n; i++)
        out[i] = value;
    return true;
}

/* Appends a variable in h5 order. */
static struct variable *add_variable(struct arena *arena, struct optimizer *o, const char *name, const char *path,
                                     struct shape shape, enum dtype dtype, double initial)
{
    struct variable *v = arena_alloc(arena, sizeof *v);
    v->name = name;
    v->path = arena_printf(arena, "%s/%s", o->name, path);
    v->h5_path = arena_printf(arena, "optimizer/vars/%d", o->n_variables);
    v->dtype = dtype;
    v->shape = shape;
    if (initial != 0) {
        float *value = arena_alloc(arena, sizeof *value);
        *value = (float)initial;
        v->initializer = value;
        v->fill = fill_constant;
    }
    o->variables[o->n_variables++] = v;
    return v;
}

/* One more variable for trainable[i], named as Keras does: "dense_kernel_momentum". */
static struct variable *add_for(struct arena *arena, struct optimizer *o, int i, const char *name, struct shape shape,
                                double initial)
{
    const struct variable *of = o->model->trainable[i];
    char *path = arena_printf(arena, "%s_%s", of->path ? of->path : of->name, name);
    for (char *c = path; *c; c++)
        if (*c == '/')
            *c = '_';
    return add_variable(arena, o, name, path, shape, DTYPE_F32, initial);
}

static struct variable *add_like(struct arena *arena, struct optimizer *o, int i, const char *name, double initial)
{
    return add_for(arena, o, i, name, o->model->trainable[i]->shape, initial);
}

static struct variable *add_slot(struct arena *arena, struct optimizer *o, int i, int slot)
{
    const struct slot_row *row = &o->class->slots[slot];
    struct shape shape = o->model->trainable[i]->shape;
    if (o->class->slot_shape && !o->class->slot_shape(o, i, slot, &shape))
        return NULL;
    return add_for(arena, o, i, row->name, shape, row->initial ? optimizer_number(o, row->initial) : 0);
}

static void add_slots(struct arena *arena, struct optimizer *o)
{
    int n = o->model->n_trainable;
    const struct slot_row *rows = o->class->slots;
    for (int s = 0; s < OPTIMIZER_MAX_SLOTS && rows[s].letter; s++)
        if (holds(o, rows[s].when))
            o->slots[s] = arena_array(arena, (size_t)n, sizeof *o->slots[s]);
    for (int group = 0; group < OPTIMIZER_MAX_SLOTS; group++)
        for (int i = 0; i < n; i++)
            for (int s = 0; s < OPTIMIZER_MAX_SLOTS; s++)
                if (o->slots[s] && rows[s].group == group)
                    o->slots[s][i] = add_slot(arena, o, i, s);
    if (o->class->scalar_slot)
        o->scalar_slot =
            add_variable(arena, o, o->class->scalar_slot, o->class->scalar_slot, (struct shape){0}, DTYPE_F32, 1);
}

static void add_variables(struct arena *arena, struct optimizer *o)
{
    int n = o->model->n_trainable;
    o->variables = arena_array(arena, (size_t)n * (OPTIMIZER_MAX_SLOTS + 2) + 3, sizeof *o->variables);
    o->iteration = add_variable(arena, o, "iteration", "iteration", (struct shape){0}, DTYPE_I32, 0);
    if (!o->schedule)
        o->learning_rate = add_variable(arena, o, "learning_rate", "learning_rate", (struct shape){0}, DTYPE_F32,
                                        optimizer_number(o, "learning_rate"));
    if (optimizer_set(o, "use_ema")) {
        o->averages = arena_array(arena, (size_t)n, sizeof *o->averages);
        for (int i = 0; i < n; i++)
            o->averages[i] = add_like(arena, o, i, "average", 0);
    }
    if (o->accumulate > 1) {
        o->accumulators = arena_array(arena, (size_t)n, sizeof *o->accumulators);
        for (int i = 0; i < n; i++)
            o->accumulators[i] = add_like(arena, o, i, "gradient_accumulator", 0);
    }
    add_slots(arena, o);
}

static void add_constants(struct program *p, const struct optimizer *o)
{
    for (const struct argument *a = arguments_of(o); a->name; a++)
        if (a->type == ARG_FLOAT && !json_is_null(argument(arguments_of(o), o->config, a->name)))
            program_constant(p, a->name, optimizer_number(o, a->name));
}

int optimizer_scalars(const struct optimizer *o, const char **names)
{
    int n = 0;
    names[n++] = "lr";
    if (o->accumulate > 1)
        names[n++] = "update";
    if (o->averages)
        names[n++] = "keep";
    if (o->averages && optimizer_set(o, "ema_overwrite_frequency"))
        names[n++] = "overwrite";
    for (int i = 0; i < OPTIMIZER_MAX_SCALARS && o->class->scalar_names[i]; i++)
        names[n++] = o->class->scalar_names[i];
    if (o->scalar_slot)
        names[n++] = o->class->scalar_slot;
    return n;
}

/* Inputs: iteration, learning rate (by variable or schedule), [scalar slot]. */
static const struct expr *scalar_program(struct arena *arena, const struct optimizer *o, struct err *err)
{
    struct program p;
    const char *results[EXPR_MAX_RESULTS];
    program_begin(&p, arena);
    program_input(&p, "iteration");
    program_input(&p, "lr");
    if (o->scalar_slot)
        program_input(&p, o->class->scalar_slot);
    add_constants(&p, o);
    program_constant(&p, "every", o->accumulate);
    program_run(&p, "updates = floor(iteration / every); t = updates + 1; update = iteration + 1 - every * "
                    "floor((iteration + 1) / every) == 0");
    if (o->averages)
        program_run(&p, "keep = where(updates == 0, 0, ema_momentum)");
    if (o->averages && optimizer_set(o, "ema_overwrite_frequency")) {
        program_constant(&p, "often", (double)argument_int(arguments_of(o), o->config, "ema_overwrite_frequency"));
        program_run(&p, "overwrite = t - often * floor(t / often) == 0");
    }
    if (o->scalar_slot) {
        program_run(&p, arena_printf(arena, "before = %s", o->class->scalar_slot));
        program_run(&p, o->class->scalars);
        program_run(
            &p, arena_printf(arena, "%s = where(update, %s, before)", o->class->scalar_slot, o->class->scalar_slot));
    } else if (o->class->scalars) {
        program_run(&p, o->class->scalars);
    }
    return program_finish(&p, results, optimizer_scalars(o, results), err);
}

/* Names of the tensors of an update, in the order of inputs and results: w, [average], [accumulator], slots. */
static int tensor_names(const struct optimizer *o, const char **names)
{
    int n = 0;
    names[n++] = "w";
    if (o->averages)
        names[n++] = "average";
    if (o->accumulators)
        names[n++] = "sum";
    for (int s = 0; s < OPTIMIZER_MAX_SLOTS; s++)
        if (o->slots[s])
            names[n++] = o->class->slots[s].letter;
    return n;
}

/* With accumulation, what the update computed holds only on its steps. */
static void only_on_updates(struct arena *arena, struct program *p, const struct optimizer *o)
{
    const char *names[EXPR_MAX_RESULTS];
    int n = tensor_names(o, names);
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], "average") != 0 && strcmp(names[i], "sum") != 0)
            program_run(p, arena_printf(arena, "%s = where(update, %s, %s_before)", names[i], names[i], names[i]));
    program_run(p, "sum = where(update, 0, sum_after)");
}

/* Inputs: g, tensors, clip factor (if any), scalars. Results: the tensors. */
static const struct expr *update_program(struct arena *arena, const struct optimizer *o, struct err *err)
{
    struct program p;
    const char *tensors[EXPR_MAX_RESULTS], *scalars[EXPR_MAX_RESULTS];
    int n = tensor_names(o, tensors), n_scalars = optimizer_scalars(o, scalars) - (o->scalar_slot ? 1 : 0);
    program_begin(&p, arena);
    program_input(&p, "g");
    for (int i = 0; i < n; i++)
        program_input(&p, tensors[i]);
    bool factor = optimizer_set(o, "clipnorm") || optimizer_set(o, "global_clipnorm");
    if (factor)
        program_input(&p, "factor");
    for (int i = 0; i < n_scalars; i++)
        program_input(&p, scalars[i]);
    add_constants(&p, o);
    if (o->accumulators) {
        for (int i = 0; i < n; i++)
            if (strcmp(tensors[i], "average") != 0 && strcmp(tensors[i], "sum") != 0)
                program_run(&p, arena_printf(arena, "%s_before = %s", tensors[i], tensors[i]));
        program_constant(&p, "every", o->accumulate);
        program_run(&p, "sum_after = sum + g; g = sum_after / every");
    }
    if (factor)
        program_run(&p, "g = g * factor");
    if (optimizer_set(o, "clipvalue"))
        program_run(&p, "low = -clipvalue; g = maximum(minimum(g, clipvalue), low)");
    if (!json_is_null(argument(arguments_of(o), o->config, "weight_decay")))
        program_run(&p, "w = w - w * weight_decay * lr");
    for (const struct optimizer_statement *s = o->class->update;
         s < o->class->update + OPTIMIZER_MAX_STATEMENTS && s->text; s++)
        if (holds(o, s->when))
            program_run(&p, s->text);
    if (o->accumulators)
        only_on_updates(arena, &p, o);
    if (o->averages)
        program_run(&p, "average = keep * average + (1 - keep) * w");
    if (o->averages && optimizer_set(o, "ema_overwrite_frequency"))
        program_run(&p, "w = where(overwrite, average, w)");
    return program_finish(&p, tensors, n, err);
}

static bool check_clipping(const struct optimizer *o, struct err *err)
{
    static const char *const names[] = {"clipnorm", "global_clipnorm", "clipvalue"};
    const char *first = NULL;
    for (int i = 0; i < 3; i++) {
        const json_t *value = argument(arguments_of(o), o->config, names[i]);
        if (json_is_null(value))
            continue;
        if (optimizer_number(o, names[i]) < 0)
            return err_set(err, ERR_USAGE, "%s.%s: must not be negative, found %g", o->where, names[i],
                           optimizer_number(o, names[i]));
        if (first)
            return err_set(err, ERR_USAGE,
                           "%s: only one of clipnorm, clipvalue and global_clipnorm can be set, found %s and %s",
                           o->where, first, names[i]);
        first = names[i];
    }
    return true;
}

static bool read_config(struct arena *arena, struct optimizer *o, struct err *err)
{
    static const char *const common[] = {"name", "class", "loss_scale_factor", NULL};
    if (!arguments_check(o->class->row.class.name, arguments_of(o), common, o->config, o->where, err) ||
        !check_clipping(o, err))
        return false;
    const json_t *scale = json_object_get(o->config, "loss_scale_factor");
    if (scale && !json_is_null(scale))
        return err_set(err, ERR_USAGE, "%s.loss_scale_factor: losses are not scaled in float32 training; remove it",
                       o->where);
    const json_t *rate = argument(arguments_of(o), o->config, "learning_rate"),
                 *steps = argument(arguments_of(o), o->config, "gradient_accumulation_steps");
    double number;
    if (!js_to_double(rate, &number)) {
        o->schedule = schedule_build(arena, rate, arena_printf(arena, "%s.learning_rate", o->where), err);
        if (!o->schedule)
            return false;
    } else if (!(number >= 0)) {
        return err_set(err, ERR_USAGE, "%s.learning_rate: must be a number from 0 on, found %g", o->where, number);
    }
    o->accumulate =
        json_is_null(steps) ? 1 : (int)argument_int(arguments_of(o), o->config, "gradient_accumulation_steps");
    return !o->class->check || o->class->check(o, err);
}

struct optimizer *optimizer_build(struct arena *arena, const struct model *model, const json_t *json, const char *where,
                                  struct err *err)
{
    const char *name;
    struct optimizer *o = arena_alloc(arena, sizeof *o);
    o->model = model;
    o->where = arena_strdup(arena, where);
    if (!class_reference(json, &name, &o->config))
        return err_null(err, ERR_USAGE, "%s: expected the name of an optimizer or {\"class\": \"Adam\", ...}, found %s",
                        where, js_type_name(json));
    o->class = (const void *)named_get(&optimizer_table, name, where, err);
    if (!o->class || !read_config(arena, o, err))
        return NULL;
    char *snake = keras_snake_name(o->class->row.class.name);
    o->name = arena_strdup(arena, js_string(o->config, "name", snake));
    free(snake);
    add_variables(arena, o);
    o->scalars = scalar_program(arena, o, err);
    if (!o->scalars || o->class->lower)
        return o->scalars ? o : NULL;
    o->update = update_program(arena, o, err);
    return o->update ? o : NULL;
}

double optimizer_schedule_at(const struct optimizer *o, int64_t iteration)
{
    float step = (float)iteration, rate;
    if (!o->schedule)
        return (double)NAN;
    expr_eval(o->schedule, &step,
              &rate); /* in float32, as the step does: a restart may fall one step earlier in double */
    return (double)rate;
}
