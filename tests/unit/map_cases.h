/* map_cases.h - maps of every kind in one graph, for tests of how they are compiled: every operation on special and
 * random numbers, every pattern of broadcasting, several results, the largest expressions, and those of real steps.
 */
#ifndef TESTS_UNIT_MAP_CASES_H
#define TESTS_UNIT_MAP_CASES_H

#include "base/rng.h"
#include "engine/graph/expr_internal.h"
#include "engine/plan/plan_internal.h"
#include "engine/train/step.h"
#include "tests/check.h"

#include <fenv.h>
#include <float.h>

enum { N_SPECIALS = 36, EXACT = 0, RANDOMS = 1027 };

struct suite {
    struct graph *g;
    struct arena arena;
    double *tolerance; /* by kept value: relative to each element; EXACT: the same bits. Negative: to the largest */
    size_t cap_tolerance;
};

static const float specials[N_SPECIALS] = {
    0.0f, -0.0f, INFINITY, -INFINITY, NAN,   1e-45f, -1e-45f, 1e-39f, -1e-39f, FLT_MIN,     FLT_MAX,     -FLT_MAX,
    0.5f, -0.5f, 1.5f,     2.5f,      -2.5f, 3.5f,   1,       -1,     2,       -2,          3,           7,
    -7,   1e-7f, 1e7f,     -1e7f,     1e30f, -1e30f, 88.7f,   -88.7f, -103,    0.99999994f, 1.00390625f, -13,
};

/* Numbers of an input: specials first where it has more than a few, then random ones; int32: small, large, negative. */
static inline void fill_suite_input(const struct value *v, void *data)
{
    int64_t n = shape_elements(v->shape);
    uint32_t stream = RNG_STREAM_DATA + (uint32_t)v->number;
    if (v->dtype == DTYPE_I32) {
        for (int64_t i = 0; i < n; i++)
            ((int32_t *)data)[i] = (int32_t)rng_u32(12, stream, 0, (uint64_t)i) >> (i % 4 * 9);
        return;
    }
    rng_fill_normal(11, stream, 0, data, (size_t)n);
    if (n >= N_SPECIALS)
        memcpy(data, specials, sizeof specials);
}

static inline void keep(struct suite *s, struct value *v, double tolerance)
{
    s->tolerance = xgrow(s->tolerance, &s->cap_tolerance, (size_t)s->g->n_kept + 1, sizeof *s->tolerance);
    s->tolerance[s->g->n_kept] = tolerance;
    graph_keep(s->g, v);
}

/* name: arena's or literal. */
static inline void add_map(struct suite *s, const char *name, const struct expr *e, struct value *const *inputs,
                           double tolerance)
{
    struct value *results[EXPR_MAX_RESULTS];
    s->g->label = name;
    if (op_map_many(s->g, e, inputs, e->n_inputs, results))
        for (int r = 0; r < e->n_results; r++)
            keep(s, results[r], tolerance);
}

static inline struct value *suite_input(struct suite *s, enum dtype dtype, struct shape shape)
{
    return op_input(s->g, "x", dtype, shape);
}

static inline double tolerance_of(enum expr_op op)
{
    switch (op) {
    case EXPR_POW:
    case EXPR_RSQRT:
    case EXPR_EXP:
    case EXPR_EXPM1:
    case EXPR_LOG:
    case EXPR_LOG1P:
    case EXPR_SIN:
    case EXPR_COS:
    case EXPR_TANH:
    case EXPR_SIGMOID:
    case EXPR_ERF:
        return 1e-6;
    case EXPR_GELU:
        return 3e-5;
    case EXPR_GELU_SLOPE:
        return -1e-6;
    default:
        return EXACT;
    }
}

/* Of every pair of special numbers (a thread reads one of a row, four of a column), and of random ones by itself. */
static inline void add_operation(struct suite *s, enum expr_op op)
{
    int arity = expr_op_arity(op);
    struct expr_builder b;
    expr_begin(&b, &s->arena);
    int x[3] = {expr_input(&b, 0), arity > 1 ? expr_input(&b, 1) : -1, arity > 2 ? expr_input(&b, 2) : -1};
    int result = expr_apply(&b, op, x[0], x[1], x[2]);
    const struct expr *e = expr_finish(&b, &result, 1, arity);
    struct value *pairs[3] = {suite_input(s, DTYPE_F32, arity > 1 ? SHAPE(N_SPECIALS, 1) : SHAPE(N_SPECIALS)),
                              suite_input(s, DTYPE_F32, SHAPE(N_SPECIALS)),
                              suite_input(s, DTYPE_F32, SHAPE(N_SPECIALS, N_SPECIALS))};
    struct value *dense[3];
    for (int i = 0; i < 3; i++)
        dense[i] = suite_input(s, DTYPE_F32, SHAPE(RANDOMS));
    const char *name = arena_printf(&s->arena, "operation %d '%s'", op, expr_op_text(op));
    add_map(s, name, e, pairs, tolerance_of(op));
    add_map(s, name, e, dense, tolerance_of(op));
}

static inline void add_operations(struct suite *s)
{
    for (int op = 0; op < EXPR_OP_COUNT; op++)
        if (expr_op_arity((enum expr_op)op) > 0)
            add_operation(s, (enum expr_op)op);
}

static inline void add_constants(struct suite *s)
{
    const double numbers[] = {0.1, -3, 0.0, 1e-45, 3e38, 16777217.0};
    struct expr_builder b;
    expr_begin(&b, &s->arena);
    int results[EXPR_MAX_RESULTS], x = expr_input(&b, 0), n = 0;
    for (; n < 6; n++)
        results[n] = expr_2(&b, EXPR_MUL, x, expr_const(&b, numbers[n]));
    results[n++] = expr_2(&b, EXPR_MIN, expr_const(&b, NAN), x);
    results[n++] = expr_const(&b, -(double)INFINITY);
    struct value *input = suite_input(s, DTYPE_F32, SHAPE(N_SPECIALS));
    add_map(s, "constants", expr_finish(&b, results, n, 1), &input, EXACT);
    results[0] = x; /* an input as it is, and a number */
    results[1] = expr_const(&b, 2.5);
    add_map(s, "no operation", expr_finish(&b, results, 2, 1), &input, EXACT);
}

static inline void add_broadcast(struct suite *s, const char *name, enum dtype dtype, struct shape x, struct shape y)
{
    struct expr_builder b;
    expr_begin(&b, &s->arena);
    int sum = expr_2(&b, EXPR_ADD, expr_1(&b, EXPR_SQUARE, expr_input(&b, 0)), expr_input(&b, 1));
    struct value *inputs[2] = {suite_input(s, DTYPE_F32, x), suite_input(s, dtype, y)};
    add_map(s, name, expr_finish(&b, &sum, 1, 2), inputs, EXACT);
    struct value *turned[2] = {inputs[1], inputs[0]};
    add_map(s, name, expr_finish(&b, &sum, 1, 2), turned, EXACT);
}

static inline void add_broadcasts(struct suite *s)
{
    const enum dtype f = DTYPE_F32, i = DTYPE_I32;
    add_broadcast(s, "one number", f, SHAPE(1), SHAPE(1));
    add_broadcast(s, "no dims", f, (struct shape){0}, (struct shape){0});
    add_broadcast(s, "no dims and some", f, SHAPE(13), (struct shape){0});
    add_broadcast(s, "four", f, SHAPE(4), SHAPE(4));
    add_broadcast(s, "a bias", f, SHAPE(6, 8), SHAPE(8));
    add_broadcast(s, "an odd bias", f, SHAPE(6, 7), SHAPE(7));
    add_broadcast(s, "a row of four", f, SHAPE(6, 4), SHAPE(1, 4));
    add_broadcast(s, "a column", f, SHAPE(6, 8), SHAPE(6, 1));
    add_broadcast(s, "an odd column", f, SHAPE(6, 7), SHAPE(6, 1));
    add_broadcast(s, "an outer product", f, SHAPE(5, 1), SHAPE(1, 12));
    add_broadcast(s, "an odd outer product", f, SHAPE(5, 1), SHAPE(1, 3));
    add_broadcast(s, "in the middle", f, SHAPE(4, 3, 8), SHAPE(4, 1, 8));
    add_broadcast(s, "around", f, SHAPE(4, 3, 8), SHAPE(3, 1));
    add_broadcast(s, "every other", f, SHAPE(2, 3, 4, 5, 8), SHAPE(3, 1, 5, 1));
    add_broadcast(s, "every other, odd", f, SHAPE(3, 1, 5, 1), SHAPE(2, 3, 4, 5, 3));
    add_broadcast(s, "dims of 1", f, SHAPE(1, 6, 1, 8), SHAPE(6, 1, 1));
    add_broadcast(s, "int32", i, SHAPE(6, 8), SHAPE(6, 8));
    add_broadcast(s, "odd int32", i, SHAPE(7), SHAPE(7));
    add_broadcast(s, "an int32 bias", i, SHAPE(6, 8), SHAPE(8));
    add_broadcast(s, "an int32 column", i, SHAPE(6, 8), SHAPE(6, 1));
    add_broadcast(s, "an int32", i, SHAPE(6, 8), SHAPE(1));
    add_broadcast(s, "more than threads", f, SHAPE(4, 20001), SHAPE(4, 1));
    add_broadcast(s, "more than threads, by four", f, SHAPE(40, 2000), SHAPE(2000));
}

/* Expressions as large as they may be: all steps, operands and results. */
static inline void add_largest(struct suite *s, struct shape shape)
{
    static const enum expr_op ops[] = {EXPR_SUB, EXPR_MAX, EXPR_BFLOAT16, EXPR_MUL,
                                       EXPR_MIN, EXPR_ADD, EXPR_ABS,      EXPR_SQRT};
    struct expr_builder b;
    struct value *inputs[EXPR_MAX_INPUTS];
    expr_begin(&b, &s->arena);
    for (int i = 0; i < EXPR_MAX_INPUTS; i++) {
        expr_input(&b, i);
        inputs[i] = suite_input(s, i == 3 ? DTYPE_I32 : DTYPE_F32, i % 5 == 4 ? SHAPE(shape.dim[1]) : shape);
    }
    int results[EXPR_MAX_RESULTS], last = 0;
    for (int i = 0; b.n_steps < EXPR_MAX_STEPS; i++) {
        last = expr_apply(&b, ops[i % 8], last, i % EXPR_MAX_INPUTS, -1);
        results[i % EXPR_MAX_RESULTS] = last;
    }
    add_map(s, "the largest expression", expr_finish(&b, results, EXPR_MAX_RESULTS, EXPR_MAX_INPUTS), inputs, EXACT);
}

/* Maps of maps, each the last reader of the one before: results lie where operands were. */
static inline void add_chain(struct suite *s)
{
    struct value *x = suite_input(s, DTYPE_F32, SHAPE(3, 40)), *y = x;
    s->g->label = "a chain";
    for (int i = 0; i < 5; i++)
        y = op_expr(s->g, "tanh(a) * 2 - b", y, x, NULL, NULL);
    keep(s, y, -1e-5);
}

/* Maps of one text, of many sizes, one behind the other: launched together. */
static inline void add_group(struct suite *s, int n)
{
    struct value *factor = suite_input(s, DTYPE_F32, SHAPE(1));
    for (int i = 1; i <= n; i++) {
        s->g->label = "a group";
        keep(s,
             op_expr(s->g, "a * c - b", suite_input(s, DTYPE_F32, SHAPE(i * i)),
                     suite_input(s, DTYPE_I32, SHAPE(i * i)), factor, NULL),
             EXACT);
    }
}

/* A result nobody reads is not written. */
static inline void add_unread(struct suite *s)
{
    struct value *inputs[2] = {suite_input(s, DTYPE_F32, SHAPE(8)), suite_input(s, DTYPE_F32, SHAPE(3, 8))},
                 *results[3];
    struct expr_builder b;
    expr_begin(&b, &s->arena);
    int x = expr_input(&b, 0), y = expr_input(&b, 1);
    int steps[3] = {expr_2(&b, EXPR_ADD, x, y), expr_2(&b, EXPR_SUB, x, y), expr_2(&b, EXPR_MUL, x, y)};
    s->g->label = "an unread result";
    if (!op_map_many(s->g, expr_finish(&b, steps, 3, 2), inputs, 2, results))
        return;
    keep(s, results[0], EXACT);
    keep(s, results[2], EXACT);
}

static inline struct suite suite_new(void)
{
    struct suite s = {.g = graph_new()};
    add_operations(&s);
    add_constants(&s);
    add_broadcasts(&s);
    add_largest(&s, SHAPE(3, 8));
    add_largest(&s, SHAPE(3, 7));
    add_chain(&s);
    add_group(&s, 90);
    add_unread(&s);
    return s;
}

static inline const struct expr *copy_expr(struct arena *arena, const struct expr *e)
{
    struct expr *copy = arena_copy(arena, e, 1, sizeof *e);
    copy->steps = arena_copy(arena, e->steps, (size_t)e->n_steps, sizeof *e->steps);
    return copy;
}

/* The map, or what follows a product, of a real kernel. */
static inline void add_real(struct suite *s, const char *name, const struct kernel *k)
{
    const struct expr *e = k->epilogue ? k->epilogue : k->node->op == OP_MAP ? k->node->attrs.expr : NULL;
    struct value *inputs[EXPR_MAX_INPUTS];
    for (int i = 0; e && i < e->n_inputs; i++) {
        const struct value *v = k->in_value[k->epilogue ? k->node->n_inputs + i - 1 : i];
        if (k->epilogue && i == 0)
            v = k->node->outputs[0];
        inputs[i] = suite_input(s, v->dtype, v->shape);
    }
    if (e)
        add_map(s, name, copy_expr(&s->arena, e), inputs, -3e-5);
}

/* The maps of a training step of an example config. */
static inline void add_step_maps(struct suite *s, const char *config_name)
{
    struct err err = {0};
    const char *source = getenv("ANTLER_SOURCE"); /* where the program was not built */
    char folder[512], path[600];
    snprintf(folder, sizeof folder, "%s/configs", source ? source : SOURCE_DIR);
    snprintf(path, sizeof path, "%s/%s", folder, config_name);
    json_t *config = js_read(path, JS_STRICT, &err);
    struct session_options options = {.config = config, .folder = folder, .where = path, .device = "cpu", .threads = 1};
    struct session *session = config ? session_open(&options, &err) : NULL;
    struct step *step = NULL;
    if (session && session_start_device(session, &err))
        step = step_new(session, &(struct step_options){.kind = STEP_TRAIN, .batch = 32, .data = session->data}, &err);
    if (!step)
        CHECK_FAIL("%s: %s", path, err.text);
    for (int k = 0; step && k < step_plan(step)->n_kernels; k++)
        add_real(s, arena_printf(&s->arena, "%s, kernel %d", config_name, k), &step_plan(step)->kernels[k]);
    step_free(step);
    session_close(session);
    json_decref(config);
}

static inline struct suite suite_of_steps(void)
{
    struct suite s = {.g = graph_new()};
    fenv_t environment; /* a session flushes denormals on the calling thread, a GPU does not */
    fegetenv(&environment);
    add_step_maps(&s, "digits-cnn.json");
    add_step_maps(&s, "digits-rnn.json");
    add_step_maps(&s, "wine-regression.json");
    fesetenv(&environment);
    return s;
}

static inline void suite_free(struct suite *s)
{
    graph_free(s->g);
    arena_release(&s->arena);
    free(s->tolerance);
}

#endif
