/* test_plan.c - plans: the same numbers however they are made, variables assigned in one step, memory, errors */
#include <errno.h>
#include <malloc.h>

#include "base/io.h"
#include "base/rng.h"
#include "engine/plan/plan.h"

#include "tests/check.h"

static struct err err;

static bool fill_random(const struct variable *v, uint64_t seed, float *out, struct err *e)
{
    (void)e;
    rng_fill_normal(seed, (uint32_t)v->seed_number, 0, out, (size_t)shape_elements(v->shape));
    return true;
}

static struct variable variable(const char *path, struct shape shape, int64_t number)
{
    return (struct variable){
        .name = path, .path = path, .shape = shape, .fill = fill_random, .seed_number = number, .trainable = true};
}

static void allocate(struct variable *v, int n)
{
    for (int i = 0; i < n; i++)
        CHECK_OK(variables_allocate((struct variable *[]){&v[i]}, 1, &backend_reference, NULL, 1, &err), err);
}

static void release(struct variable *v, int n)
{
    for (int i = 0; i < n; i++)
        variables_release((struct variable *[]){&v[i]}, 1, &backend_reference, NULL);
}

static struct plan *plan_on(struct graph *g, const struct backend *backend, struct plan_options options)
{
    struct plan *plan = plan_new(g, backend, backend->open(NULL, &err), &options, &err);
    if (!plan) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    return plan;
}

static const struct plan_options option_sets[] = {
    {0}, {.no_fusion = true}, {.no_reuse = true}, {.no_fusion = true, .no_reuse = true}, {.profile = true}};
enum { N_OPTION_SETS = sizeof option_sets / sizeof option_sets[0] };

/* A two-layer network with Adam: kernel, bias, kernel, bias; then their m and v. */
enum { MLP_WEIGHTS = 4, MLP_VARIABLES = 12 };

static void mlp_variables(struct variable *v)
{
    static const char *const names[] = {"w1",   "b1",   "w2",   "b2",   "w1/m", "b1/m",
                                        "w2/m", "b2/m", "w1/v", "b1/v", "w2/v", "b2/v"};
    const struct shape shapes[] = {SHAPE(5, 7), SHAPE(7), SHAPE(7, 3), SHAPE(3)};
    for (int i = 0; i < MLP_VARIABLES; i++) {
        v[i] = variable(names[i], shapes[i % MLP_WEIGHTS], i);
        v[i].fill = i < MLP_WEIGHTS ? fill_random : NULL;
    }
}

static void adam(struct graph *g, struct variable *w, struct variable *m, struct variable *v, struct value *gradient)
{
    struct expr_builder b;
    expr_begin(&b, &g->arena);
    int x[4] = {expr_input(&b, 0), expr_input(&b, 1), expr_input(&b, 2), expr_input(&b, 3)};
    int m_new = expr_2(&b, EXPR_ADD, x[1], expr_2(&b, EXPR_MUL, expr_2(&b, EXPR_SUB, x[3], x[1]), expr_const(&b, 0.1)));
    int v_new =
        expr_2(&b, EXPR_ADD, x[2],
               expr_2(&b, EXPR_MUL, expr_2(&b, EXPR_SUB, expr_1(&b, EXPR_SQUARE, x[3]), x[2]), expr_const(&b, 0.001)));
    int root = expr_2(&b, EXPR_ADD, expr_1(&b, EXPR_SQRT, v_new), expr_const(&b, 1e-7));
    int w_new =
        expr_2(&b, EXPR_SUB, x[0], expr_2(&b, EXPR_DIV, expr_2(&b, EXPR_MUL, m_new, expr_const(&b, 0.01)), root));
    struct value *results[3] = {NULL}, *inputs[] = {op_variable(g, w), op_variable(g, m), op_variable(g, v), gradient};
    op_map_many(g, expr_finish(&b, (int[]){w_new, m_new, v_new}, 3, 4), inputs, 4, results);
    graph_assign(g, w, results[0]);
    graph_assign(g, m, results[1]);
    graph_assign(g, v, results[2]);
}

static struct graph *mlp(struct variable *v, struct value **x, struct value **loss)
{
    static const int32_t labels[] = {0, 2, 1, 1};
    struct graph *g = graph_new();
    *x = op_input(g, "x", DTYPE_F32, SHAPE(4, 5));
    g->label = "dense";
    struct value *h = op_add(g, op_matmul(g, *x, op_variable(g, &v[0]), false, false), op_variable(g, &v[1]));
    h = op_expr(g, "relu(a)", h, NULL, NULL, NULL);
    g->label = "dense_1";
    struct value *y = op_add(g, op_matmul(g, h, op_variable(g, &v[2]), false, false), op_variable(g, &v[3]));
    g->label = "loss";
    *loss = op_reduce(g, REDUCE_MEAN, op_sparse_xent(g, y, op_constant(g, DTYPE_I32, SHAPE(4), labels), INT32_MIN),
                      NULL, 0, false);
    struct value *wanted[MLP_WEIGHTS], *gradients[MLP_WEIGHTS];
    for (int i = 0; i < MLP_WEIGHTS; i++)
        wanted[i] = op_variable(g, &v[i]);
    graph_gradient(g, *loss, wanted, MLP_WEIGHTS, gradients);
    g->label = "optimizer";
    for (int i = 0; i < MLP_WEIGHTS; i++)
        adam(g, &v[i], &v[MLP_WEIGHTS + i], &v[2 * MLP_WEIGHTS + i], gradients[i]);
    graph_keep(g, *loss);
    return g;
}

/* The losses of 20 steps. */
static void train_mlp(struct plan_options options, float *losses, struct str *listing)
{
    struct variable v[MLP_VARIABLES];
    struct value *x, *loss;
    mlp_variables(v);
    allocate(v, MLP_VARIABLES);
    struct graph *g = mlp(v, &x, &loss);
    CHECK_OK(graph_ok(g, &err), err);
    struct plan *plan = plan_on(g, &backend_reference, options);
    rng_fill_normal(3, 3, 3, plan_input(plan, x), 20);
    for (int i = 0; i < 20; i++) {
        plan_run(plan);
        losses[i] = *(const float *)plan_output(plan, loss);
    }
    if (listing)
        plan_write(listing, plan);
    plan_free(plan);
    graph_free(g);
    release(v, MLP_VARIABLES);
}

static void test_training_is_the_same_bytes_fused_or_not(void)
{
    float first[20], losses[20];
    train_mlp(option_sets[0], first, NULL);
    CHECK(first[19] < first[0] * 0.9f);
    for (int i = 1; i < N_OPTION_SETS; i++) {
        train_mlp(option_sets[i], losses, NULL);
        CHECK(!memcmp(first, losses, sizeof losses));
    }
}

static int count(const char *text, const char *what)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        n++;
    return n;
}

static void test_optimizers_update_variables_in_place_behind_the_product(void)
{
    float losses[20];
    struct str listing = {0};
    train_mlp(option_sets[0], losses, &listing);
    const char *text = str_text(&listing);
    CHECK_EQ(count(text, "reshape("), 0); /* no copies */
    CHECK_HAS(text, ") -> 'w1', 'w1/m', 'w1/v' (5, 7) then [");
    CHECK_HAS(text, ") -> 'b2', 'b2/m', 'b2/v' (3,)");
    CHECK_EQ(count(text, "matmul("), 5);
    CHECK_EQ(count(text, "then ["), 7); /* two layers, four updates, the gradient of relu */
    CHECK_EQ(count(text, "\n"), 10);
    str_release(&listing);
}

static float after_step(struct graph *g, struct variable *v, int n, int which, int element)
{
    float result = NAN;
    for (int i = 0; i < N_OPTION_SETS; i++) {
        allocate(v, n);
        for (int k = 0; k < n; k++)
            for (int e = 0; e < shape_elements(v[k].shape); e++)
                ((float *)v[k].data)[e] = (float)((k + 1) * 10 + e);
        struct plan *plan = plan_on(g, &backend_reference, option_sets[i]);
        plan_run(plan);
        float now = ((float *)v[which].data)[element];
        CHECK(i == 0 || now == result);
        result = now;
        plan_free(plan);
        release(v, n);
    }
    return result;
}

static void test_an_update_written_in_pieces_is_one_map(void)
{
    struct variable v[] = {variable("w", SHAPE(3, 3), 0), variable("m", SHAPE(3, 3), 1), variable("v", SHAPE(3, 3), 2)};
    struct graph *g = graph_new();
    struct value *gradient = op_reverse(g, op_variable(g, &v[0]), 0);
    struct value *m = op_expr(g, "a + 0.5 * (b - a)", op_variable(g, &v[1]), gradient, NULL, NULL);
    struct value *s = op_expr(g, "a + 0.5 * (b * b - a)", op_variable(g, &v[2]), gradient, NULL, NULL);
    graph_assign(g, &v[1], m);
    graph_assign(g, &v[2], s);
    graph_assign(g, &v[0], op_expr(g, "a - b / sqrt(c)", op_variable(g, &v[0]), m, s, NULL));
    CHECK_EQ(after_step(g, v, 3, 1, 0), 10 + 8);
    CHECK_EQ(after_step(g, v, 3, 2, 0), 15 + 128);
    CHECK_NEAR(after_step(g, v, 3, 0, 0), 10 - 18 / sqrt(143), 1e-6);
    allocate(v, 3);
    struct plan *plan = plan_on(g, &backend_reference, option_sets[0]);
    CHECK_EQ(plan_stats(plan).n_kernels, 2);
    plan_free(plan);
    release(v, 3);
    graph_free(g);
}

static void test_two_variables_swap_in_one_step(void)
{
    struct variable v[] = {variable("a", SHAPE(3), 0), variable("b", SHAPE(3), 1)};
    struct graph *g = graph_new();
    graph_assign(g, &v[0], op_variable(g, &v[1]));
    graph_assign(g, &v[1], op_variable(g, &v[0]));
    CHECK_EQ(after_step(g, v, 2, 0, 2), 22);
    CHECK_EQ(after_step(g, v, 2, 1, 2), 12);
    graph_free(g);
}

static void test_every_read_sees_the_value_from_before_the_step(void)
{
    struct variable v[] = {variable("a", SHAPE(3), 0), variable("b", SHAPE(3), 1), variable("c", SHAPE(3), 2)};
    struct graph *g = graph_new();
    struct value *a = op_variable(g, &v[0]), *b = op_variable(g, &v[1]);
    graph_assign(g, &v[0], op_add(g, a, b));
    graph_assign(g, &v[1], op_mul(g, a, b));
    graph_assign(g, &v[2], op_reverse(g, a, 0));
    CHECK_EQ(after_step(g, v, 3, 0, 1), 11 + 21);
    CHECK_EQ(after_step(g, v, 3, 1, 1), 11 * 21);
    CHECK_EQ(after_step(g, v, 3, 2, 0), 12);
    graph_free(g);
}

static void test_an_update_that_reads_other_elements_is_not_in_place(void)
{
    struct variable v[] = {variable("a", SHAPE(2, 2), 0), variable("b", SHAPE(2, 2), 1)};
    struct graph *g = graph_new();
    struct value *a = op_variable(g, &v[0]), *b = op_variable(g, &v[1]);
    struct value *first_row = op_slice(g, a, (const int64_t[]){0, 0}, (const int64_t[]){1, 2}, NULL);
    graph_assign(g, &v[0], op_sub(g, a, first_row));
    graph_assign(g, &v[1], op_matmul(g, b, b, false, true));
    CHECK_EQ(after_step(g, v, 2, 0, 1), 0);
    CHECK_EQ(after_step(g, v, 2, 0, 2), 2);
    CHECK_EQ(after_step(g, v, 2, 1, 0), 20 * 20 + 21 * 21);
    CHECK_EQ(after_step(g, v, 2, 1, 3), 22 * 22 + 23 * 23);
    graph_free(g);
}

static void test_one_value_goes_to_two_variables_and_to_the_host(void)
{
    struct variable v[] = {variable("a", SHAPE(2), 0), variable("b", SHAPE(2), 1), variable("c", SHAPE(2), 2)};
    struct graph *g = graph_new();
    struct value *sum = op_add(g, op_variable(g, &v[0]), op_variable(g, &v[2])), *old = op_variable(g, &v[0]);
    graph_assign(g, &v[0], sum);
    graph_assign(g, &v[1], sum);
    graph_assign(g, &v[2], op_fill(g, SHAPE(2), 5));
    graph_keep(g, sum);
    graph_keep(g, old);
    CHECK_EQ(after_step(g, v, 3, 0, 1), 42);
    CHECK_EQ(after_step(g, v, 3, 1, 1), 42);
    CHECK_EQ(after_step(g, v, 3, 2, 1), 5);
    allocate(v, 3);
    ((float *)v[0].data)[1] = 3;
    struct plan *plan = plan_on(g, &backend_reference, option_sets[0]);
    plan_run(plan);
    CHECK_NEAR(((const float *)plan_output(plan, old))[1], 3, 0);
    plan_free(plan);
    release(v, 3);
    graph_free(g);
}

static void test_a_counter_counts(void)
{
    struct variable v = {.name = "iteration", .path = "iteration", .dtype = DTYPE_I32};
    struct graph *g = graph_new();
    struct value *now = op_variable(g, &v);
    graph_assign(g, &v, op_add_i32(g, now, 1));
    struct value *noise = op_random(g, RANDOM_UNIFORM, now, SHAPE(1), 1, 2);
    graph_keep(g, noise);
    allocate(&v, 1);
    struct plan *plan = plan_on(g, &backend_reference, option_sets[0]);
    for (int i = 0; i < 5; i++) {
        plan_run(plan);
        CHECK_NEAR(*(const float *)plan_output(plan, noise), rng_to_uniform(rng_u32(1, 2, (uint32_t)i, 0)), 0);
    }
    CHECK_EQ(*(int32_t *)v.data, 5);
    CHECK_EQ(plan_stats(plan).n_kernels, 2);
    *(int32_t *)v.data = 1 << 24; /* where a float would stop */
    for (int i = 0; i < 3; i++)
        plan_run(plan);
    CHECK_EQ(*(int32_t *)v.data, (1 << 24) + 3);
    plan_free(plan);
    release(&v, 1);
    graph_free(g);
}

/* A graph of random ops over a few shapes, with reshapes, broadcasts, reductions and products. */
static struct value *random_op(struct graph *g, struct value **v, int n)
{
    struct value *a = v[rand() % n], *b = v[rand() % n];
    struct shape s = a->shape;
    switch (rand() % 9) {
    case 0:
        return op_expr(g, "tanh(a) - 0.3", a, NULL, NULL, NULL);
    case 1:
        return op_expr(g, "relu(a)", a, NULL, NULL, NULL);
    case 2:
        return shape_equal(s, b->shape) ? op_expr(g, "a * b + sin(a)", a, b, NULL, NULL) : op_reshape(g, a, b->shape);
    case 3:
        return s.rank == 2 ? op_matmul(g, a,
                                       b->shape.rank == 2 && b->shape.dim[0] == s.dim[1]
                                           ? b
                                           : op_transpose(g, a, (const int[]){1, 0}),
                                       false, false)
                           : a;
    case 4:
        return op_sub(g, a, op_reduce(g, REDUCE_MEAN, a, (const int[]){-1}, 1, true));
    case 5:
        return op_softmax(g, a);
    case 6:
        return op_reshape(g, a, s.rank == 2 ? SHAPE(2, 6, 6) : SHAPE(12, 6));
    case 7:
        return op_reverse(g, a, 0);
    default:
        return op_expr(g, "a * 0.5 + maximum(b, 0)", a, op_reduce(g, REDUCE_MAX, a, (const int[]){0}, 1, false), NULL,
                       NULL);
    }
}

static struct graph *random_graph(struct variable *v, struct value **x)
{
    struct graph *g = graph_new();
    struct value *values[40] = {op_variable(g, &v[0]), op_variable(g, &v[1]),
                                *x = op_input(g, "x", DTYPE_F32, SHAPE(12, 6))};
    int n = 3;
    while (n < 40) {
        values[n] = random_op(g, values, n);
        n += shape_elements(values[n]->shape) == 72;
    }
    struct value *loss = op_sum_all(g, op_expr(g, "a * a", values[39], NULL, NULL, NULL)),
                 *wanted[] = {values[0], values[1]}, *d[2];
    graph_gradient(g, loss, wanted, 2, d);
    for (int i = 0; i < 2; i++)
        graph_assign(g, &v[i], op_expr(g, "a - 0.01 * tanh(b)", wanted[i], d[i], NULL, NULL));
    graph_keep(g, loss);
    graph_keep(g, values[20]);
    graph_keep(g, values[39]);
    graph_keep(g, d[0]);
    return g;
}

static uint64_t run_random(struct graph *g, struct variable *v, const struct value *x, struct plan_options options,
                           size_t *arena_bytes)
{
    uint64_t fingerprint = 0;
    allocate(v, 2);
    struct plan *plan = plan_on(g, &backend_reference, options);
    rng_fill_normal(4, 4, 4, plan_input(plan, x), 72);
    for (int step = 0; step < 3; step++) {
        plan_run(plan);
        for (int i = 0; i < g->n_kept; i++) {
            const float *data = plan_output(plan, g->kept[i]);
            for (int64_t e = 0; e < shape_elements(g->kept[i]->shape); e++)
                fingerprint = fingerprint * 1000003 + (uint64_t)(isnan(data[e]) ? 7 : *(const uint32_t *)&data[e]);
        }
        for (int i = 0; i < 2; i++)
            for (int e = 0; e < 72; e++)
                fingerprint =
                    fingerprint * 1000003 + (uint64_t)(isnan(((float *)v[i].data)[e]) ? 7 : ((uint32_t *)v[i].data)[e]);
    }
    *arena_bytes = plan_stats(plan).arena_bytes;
    plan_free(plan);
    release(v, 2);
    return fingerprint;
}

static void test_random_graphs_give_the_same_bytes_however_planned(void)
{
    srand(1);
    size_t reused = 0, separate = 0;
    for (int trial = 0; trial < 60; trial++) {
        struct variable v[] = {variable("a", SHAPE(12, 6), 0), variable("b", SHAPE(2, 6, 6), 1)};
        struct value *x;
        struct graph *g = random_graph(v, &x);
        CHECK_OK(graph_ok(g, &err), err);
        size_t bytes[N_OPTION_SETS];
        uint64_t first = run_random(g, v, x, option_sets[0], &bytes[0]);
        for (int i = 1; i < N_OPTION_SETS; i++)
            if (run_random(g, v, x, option_sets[i], &bytes[i]) != first)
                CHECK_FAIL("trial %d: option set %d differs", trial, i);
        reused += bytes[1];
        separate += bytes[3];
        graph_free(g);
    }
    CHECK(reused * 2 < separate);
}

static void test_a_step_allocates_nothing(void)
{
    struct variable v[MLP_VARIABLES];
    struct value *x, *loss;
    mlp_variables(v);
    allocate(v, MLP_VARIABLES);
    struct graph *g = mlp(v, &x, &loss);
    struct plan *plan = plan_on(g, &backend_reference, option_sets[0]);
    struct mallinfo2 before = mallinfo2();
    for (int i = 0; i < 10; i++)
        plan_run(plan);
    struct mallinfo2 after = mallinfo2();
    CHECK_EQ(before.uordblks, after.uordblks);
    CHECK_EQ(before.arena, after.arena);
    CHECK_EQ(before.hblkhd, after.hblkhd);
    plan_free(plan);
    graph_free(g);
    release(v, MLP_VARIABLES);
}

static void test_inputs_keep_what_the_host_wrote(void)
{
    struct graph *g = graph_new();
    struct value *x = op_input(g, "x", DTYPE_F32, SHAPE(8)), *unread = op_input(g, "y", DTYPE_I32, SHAPE(8)), *y = x;
    for (int i = 0; i < 5; i++)
        y = op_reverse(g, op_expr(g, "exp(a) / 3", y, NULL, NULL, NULL), 0);
    graph_keep(g, y);
    graph_keep(g, x);
    struct plan *plan = plan_on(g, &backend_reference, option_sets[0]);
    memset(plan_input(plan, unread), 1, 32);
    ((float *)plan_input(plan, x))[3] = 0.5f;
    plan_run(plan);
    float first = ((const float *)plan_output(plan, y))[4];
    plan_run(plan);
    CHECK_EQ(first * 1e6f, ((const float *)plan_output(plan, y))[4] * 1e6f);
    CHECK_NEAR(((const float *)plan_output(plan, x))[3], 0.5, 0);
    plan_free(plan);
    graph_free(g);
}

static void test_constants_are_computed_once(void)
{
    struct graph *g = graph_new();
    struct value *c = op_expr(g, "a * 3 + 1", op_scalar(g, 2), NULL, NULL, NULL);
    struct value *table = op_reverse(g, op_constant(g, DTYPE_F32, SHAPE(3), (const float[]){1, 2, 3}), 0);
    struct value *x = op_input(g, "x", DTYPE_F32, SHAPE(2, 3));
    struct value *y = op_expr(g, "a * b + c", x, op_broadcast(g, c, SHAPE(2, 3)), table, NULL);
    graph_keep(g, y);
    struct plan *plan = plan_on(g, &backend_reference, option_sets[0]);
    CHECK_EQ(plan_stats(plan).n_kernels, 1);
    ((float *)plan_input(plan, x))[5] = 2;
    plan_run(plan);
    CHECK_NEAR(((const float *)plan_output(plan, y))[5], 2 * 7 + 1, 0);
    plan_free(plan);
    graph_free(g);
}

static void test_totals_are_updated_by_one_kernel(void)
{
    struct variable v[] = {variable("total", (struct shape){0}, 0), variable("count", (struct shape){0}, 1),
                           variable("sum", (struct shape){0}, 2)};
    struct graph *g = graph_new();
    struct value *loss = op_sum_all(g, op_fill(g, SHAPE(3), 2));
    for (int i = 0; i < 3; i++)
        graph_assign(g, &v[i], op_add(g, op_variable(g, &v[i]), i == 1 ? op_variable(g, &v[2]) : loss));
    CHECK_EQ(after_step(g, v, 3, 0, 0), 16);
    CHECK_EQ(after_step(g, v, 3, 1, 0), 50);
    CHECK_EQ(after_step(g, v, 3, 2, 0), 36);
    allocate(v, 3);
    struct plan *plan = plan_on(g, &backend_reference, option_sets[0]);
    CHECK_EQ(plan_stats(plan).n_kernels, 2);
    plan_free(plan);
    release(v, 3);
    graph_free(g);
}

static void test_a_dense_layer_over_three_axes_is_one_kernel(void)
{
    struct variable v[] = {variable("w", SHAPE(4, 6), 0), variable("b", SHAPE(6), 1)};
    struct graph *g = graph_new();
    struct value *x = op_input(g, "x", DTYPE_F32, SHAPE(2, 3, 4));
    struct value *y = op_add(g, op_matmul(g, x, op_variable(g, &v[0]), false, false), op_variable(g, &v[1]));
    graph_keep(g, op_expr(g, "gelu(a)", y, NULL, NULL, NULL));
    allocate(v, 2);
    struct plan *plan = plan_on(g, &backend_reference, option_sets[0]);
    CHECK_EQ(plan_stats(plan).n_kernels, 1);
    CHECK_EQ(plan_stats(plan).multiply_adds, 2 * 3 * 4 * 6);
    plan_free(plan);
    release(v, 2);
    graph_free(g);
}

/* A device whose memory is not the host's, and which cannot fuse. */
static struct backend distant_backend(void)
{
    struct backend b = backend_reference;
    b.name = "distant";
    b.host_memory = false;
    b.can_fuse = NULL;
    return b;
}

static void test_a_distant_device_gives_the_same_numbers(void)
{
    struct backend distant = distant_backend();
    const struct backend *backends[] = {&backend_reference, &distant};
    float losses[2] = {0};
    for (int i = 0; i < 2; i++) {
        struct variable v[MLP_VARIABLES];
        struct value *x, *loss;
        mlp_variables(v);
        for (int k = 0; k < MLP_VARIABLES; k++)
            CHECK_OK(variables_allocate((struct variable *[]){&v[k]}, 1, backends[i], NULL, 1, &err), err);
        struct graph *g = mlp(v, &x, &loss);
        struct plan *plan = plan_on(g, backends[i], option_sets[0]);
        rng_fill_normal(3, 3, 3, plan_input(plan, x), 20);
        for (int k = 0; k < 4; k++)
            plan_run(plan);
        losses[i] = *(const float *)plan_output(plan, loss);
        plan_free(plan);
        graph_free(g);
        release(v, MLP_VARIABLES);
    }
    CHECK(losses[0] == losses[1]);
}

static bool prepare_nothing(struct device *device, struct kernel *kernel, struct arena *arena, struct err *e)
{
    (void)device;
    (void)arena;
    return err_set(e, ERR_FAILED, "no kernel for '%s'", op_table[kernel->node->op].name);
}

static void test_kernels_that_a_backend_lacks_come_from_the_reference(void)
{
    struct graph *g = graph_new();
    struct value *x = op_input(g, "x", DTYPE_F32, SHAPE(3)), *y = op_softmax(g, x);
    graph_keep(g, y);
    struct backend bare = backend_reference;
    bare.prepare = prepare_nothing;
    struct plan *plan = plan_on(g, &bare, option_sets[0]);
    plan_run(plan);
    CHECK_NEAR(*(const float *)plan_output(plan, y), 1.0 / 3, 1e-6);
    plan_free(plan);
    bare.host_memory = false;
    CHECK(!plan_new(g, &bare, NULL, NULL, &err));
    CHECK_HAS(err.text, "no kernel for 'softmax'");
    graph_free(g);
}

static void *allocate_nothing(size_t size_bytes)
{
    (void)size_bytes;
    errno = ENOMEM;
    return NULL;
}

static void test_failures_are_explained(void)
{
    struct variable v = variable("w", SHAPE(1000, 1000), 0);
    struct graph *g = graph_new();
    graph_keep(g, op_expr(g, "a + 1", op_variable(g, &v), NULL, NULL, NULL));
    CHECK(!plan_new(g, &backend_reference, NULL, NULL, &err));
    CHECK_HAS(err.text, "variable 'w' has no storage");
    allocate(&v, 1);
    struct io_table broken = io_system;
    broken.allocate = allocate_nothing;
    io = &broken;
    CHECK(!plan_new(g, &backend_reference, NULL, NULL, &err));
    CHECK_EQ(err.code, ERR_NOMEM);
    CHECK_HAS(err.text, "a smaller batch would help");
    struct variable w = variable("w2", SHAPE(3), 0);
    CHECK(!variables_allocate((struct variable *[]){&w}, 1, &backend_reference, NULL, 1, &err));
    CHECK_EQ(err.code, ERR_NOMEM);
    CHECK(!w.data);
    io = &io_system;
    release(&v, 1);
    graph_fail(g, ERR_USAGE, "broken");
    CHECK(!plan_new(g, &backend_reference, NULL, NULL, &err));
    CHECK_STR(err.text, "broken");
    graph_free(g);
    struct device_choice choice;
    CHECK(!backend_find("cpuu", &choice, &err));
    CHECK_EQ(err.code, ERR_DEVICE);
    CHECK_HAS(err.text, "did you mean 'cpu'?");
    CHECK(backend_find("auto", &choice, &err) && choice.backend);
}

/* y = 2 x + 1 over n numbers, with room for a few values on the way. */
static struct graph *line(int64_t n, struct value **x, struct value **y)
{
    struct graph *g = graph_new();
    *x = op_input(g, "x", DTYPE_F32, SHAPE(n));
    struct value *pairs = op_broadcast(g, op_reshape(g, *x, SHAPE(n, 1)), SHAPE(n, 2));
    *y = op_expr(g, "a + 1", op_reduce(g, REDUCE_SUM, pairs, (int[]){1}, 1, false), NULL, NULL, NULL);
    graph_keep(g, *y);
    return g;
}

static void test_plans_that_take_turns_share_an_arena(void)
{
    struct value *x[2], *y[2];
    struct graph *g[2] = {line(64, &x[0], &y[0]), line(16, &x[1], &y[1])};
    struct plan *large = plan_on(g[0], &backend_reference, option_sets[0]);
    struct plan *small = plan_on(g[1], &backend_reference, (struct plan_options){.beside = large});
    struct plan *larger = plan_on(g[0], &backend_reference, (struct plan_options){.beside = small});
    CHECK(!plan_stats(large).shares_arena);
    CHECK(plan_stats(small).shares_arena);
    CHECK(!plan_stats(larger).shares_arena);
    struct plan *turns[] = {large, small, large, larger, small};
    for (int t = 0; t < 5; t++) {
        int k = turns[t] == small, n = k ? 16 : 64;
        float *in = plan_input(turns[t], x[k]);
        for (int i = 0; i < n; i++)
            in[i] = (float)(i + t);
        plan_run(turns[t]);
        const float *out = plan_output(turns[t], y[k]);
        for (int i = 0; i < n; i++)
            CHECK_EQ(out[i], 2 * (float)(i + t) + 1);
    }
    plan_free(larger);
    plan_free(small);
    plan_free(large);
    graph_free(g[0]);
    graph_free(g[1]);
}

static void test_the_profile_names_layers(void)
{
    struct variable v[MLP_VARIABLES];
    struct value *x, *loss;
    mlp_variables(v);
    allocate(v, MLP_VARIABLES);
    struct graph *g = mlp(v, &x, &loss);
    struct plan *plan = plan_on(g, &backend_reference, (struct plan_options){.profile = true});
    plan_run(plan);
    plan_run(plan);
    struct plan_kernel first = plan_kernel(plan, 0);
    CHECK_STR(first.label, "dense");
    CHECK_STR(first.op, "matmul");
    CHECK_EQ(first.calls, 2);
    int64_t multiply_adds = 0, nanoseconds = 0;
    for (int k = 0; k < plan_stats(plan).n_kernels; k++) {
        multiply_adds += plan_kernel(plan, k).multiply_adds;
        nanoseconds += plan_kernel(plan, k).nanoseconds;
    }
    CHECK_EQ(multiply_adds, plan_stats(plan).multiply_adds);
    const int64_t *times = plan_times(plan);
    CHECK(times[plan_stats(plan).n_kernels] - times[0] <= nanoseconds);
    plan_free(plan);
    graph_free(g);
    release(v, MLP_VARIABLES);
}

int main(void)
{
    RUN(test_training_is_the_same_bytes_fused_or_not);
    RUN(test_optimizers_update_variables_in_place_behind_the_product);
    RUN(test_an_update_written_in_pieces_is_one_map);
    RUN(test_two_variables_swap_in_one_step);
    RUN(test_every_read_sees_the_value_from_before_the_step);
    RUN(test_an_update_that_reads_other_elements_is_not_in_place);
    RUN(test_one_value_goes_to_two_variables_and_to_the_host);
    RUN(test_a_counter_counts);
    RUN(test_random_graphs_give_the_same_bytes_however_planned);
    RUN(test_a_step_allocates_nothing);
    RUN(test_inputs_keep_what_the_host_wrote);
    RUN(test_constants_are_computed_once);
    RUN(test_totals_are_updated_by_one_kernel);
    RUN(test_a_dense_layer_over_three_axes_is_one_kernel);
    RUN(test_a_distant_device_gives_the_same_numbers);
    RUN(test_kernels_that_a_backend_lacks_come_from_the_reference);
    RUN(test_failures_are_explained);
    RUN(test_plans_that_take_turns_share_an_arena);
    RUN(test_the_profile_names_layers);
    return check_done();
}
