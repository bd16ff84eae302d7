/* test_graph_gradient.c - the gradient of every op against finite differences, through the reference backend */
#include "base/rng.h"
#include "engine/graph/ops.h"
#include "engine/graph/recurrent.h"
#include "engine/plan/plan.h"

#include "tests/check.h"

enum { INPUTS_MAX = 4 };

struct gradient_case {
    const char *name;
    struct value *(*build)(struct graph *g, struct value **x);
    struct shape shape[INPUTS_MAX];
    int n;
    double low, high; /* range of the inputs */
};

static struct value *indices(struct graph *g, int64_t n, const int32_t *data)
{
    return op_constant(g, DTYPE_I32, SHAPE(n), data);
}

static struct value *step(struct graph *g)
{
    return op_constant(g, DTYPE_I32, (struct shape){0}, &(int32_t){3});
}

static struct value *map_broadcast(struct graph *g, struct value **x)
{
    return op_expr(g, "a * tanh(b) / (2 + c * c)", x[0], x[1], x[2], NULL);
}
static struct value *map_results(struct graph *g, struct value **x)
{
    struct expr_builder b;
    struct value *results[2];
    expr_begin(&b, &g->arena);
    int p = expr_input(&b, 0), q = expr_input(&b, 1);
    int out[] = {expr_2(&b, EXPR_MUL, p, q), expr_1(&b, EXPR_SIGMOID, p)};
    op_map_many(g, expr_finish(&b, out, 2, 2), x, 2, results);
    return op_add(g, results[0], op_mul(g, results[1], results[1]));
}
static struct value *integers(struct graph *g, struct value **x)
{
    return op_mul(g, x[0], indices(g, 3, (const int32_t[]){2, 5, -1}));
}
static struct value *reshape(struct graph *g, struct value **x)
{
    return op_expr(g, "a * sin(a)", op_reshape(g, x[0], SHAPE(3, -1)), NULL, NULL, NULL);
}
static struct value *transpose(struct graph *g, struct value **x)
{
    return op_transpose(g, x[0], (const int[]){2, 0, 1});
}
static struct value *broadcast(struct graph *g, struct value **x)
{
    return op_broadcast(g, x[0], SHAPE(4, 2, 5, 3));
}
static struct value *concat(struct graph *g, struct value **x)
{
    return op_concat(g, x, 3, -2);
}
static struct value *concat_many(struct graph *g, struct value **x)
{
    struct value *parts[37];
    for (int i = 0; i < 37; i++)
        parts[i] = op_scale(g, x[0], i + 1);
    return op_concat(g, parts, 37, 1);
}
static struct value *slice(struct graph *g, struct value **x)
{
    return op_slice(g, x[0], (const int64_t[]){1, 0, 2}, (const int64_t[]){4, 2, 7}, (const int64_t[]){1, 1, 2});
}
static struct value *pad(struct graph *g, struct value **x)
{
    return op_pad(g, x[0], (const int64_t[]){1, 0}, (const int64_t[]){2, 3}, 0.5);
}
static struct value *spread(struct graph *g, struct value **x)
{
    return op_spread(g, x[0], (const int64_t[]){1, 0}, (const int64_t[]){2, 3}, (const int64_t[]){3, 2}, 0);
}
static struct value *reverse(struct graph *g, struct value **x)
{
    return op_reverse(g, x[0], 1);
}
static struct value *reduce_sum(struct graph *g, struct value **x)
{
    return op_reduce(g, REDUCE_SUM, x[0], (const int[]){0, -1}, 2, false);
}
static struct value *reduce_mean(struct graph *g, struct value **x)
{
    return op_reduce(g, REDUCE_MEAN, x[0], (const int[]){1}, 1, true);
}
static struct value *reduce_max(struct graph *g, struct value **x)
{
    return op_reduce(g, REDUCE_MAX, x[0], (const int[]){1}, 1, false);
}
static struct value *reduce_min(struct graph *g, struct value **x)
{
    return op_reduce(g, REDUCE_MIN, x[0], NULL, 0, false);
}
static struct value *reduce_prod(struct graph *g, struct value **x)
{
    return op_reduce(g, REDUCE_PROD, x[0], (const int[]){0, 2}, 2, false);
}
static struct value *reduce_prod_of_zeros(struct graph *g,
                                          struct value **x) /* one zero in the first row, two in the second */
{
    static const float mask[] = {1, 0, 1, 0, 1, 0};
    return op_reduce(g, REDUCE_PROD, op_mul(g, x[0], op_constant(g, DTYPE_F32, SHAPE(2, 3), mask)), (const int[]){1}, 1,
                     false);
}
static struct value *matmul(struct graph *g, struct value **x)
{
    return op_matmul(g, x[0], x[1], false, false);
}
static struct value *matmul_ta(struct graph *g, struct value **x)
{
    return op_matmul(g, x[0], x[1], true, false);
}
static struct value *matmul_tb(struct graph *g, struct value **x)
{
    return op_matmul(g, x[0], x[1], false, true);
}
static struct value *matmul_tab(struct graph *g, struct value **x)
{
    return op_matmul(g, x[0], x[1], true, true);
}
static struct value *conv1(struct graph *g, struct value **x)
{
    return op_conv(
        g, x[0], x[1],
        &(struct window){
            .n_spatial = 1, .size = {3}, .stride = {2}, .dilation = {2}, .pad_before = {1}, .pad_after = {2}});
}
static const struct window window_2 = {.n_spatial = 2,
                                       .size = {3, 2},
                                       .stride = {2, 1},
                                       .dilation = {1, 2},
                                       .pad_before = {1, 0},
                                       .pad_after = {1, 1},
                                       .groups = 2};
static struct value *conv2_groups(struct graph *g, struct value **x)
{
    return op_conv(g, x[0], x[1], &window_2);
}
static struct value *conv3(struct graph *g, struct value **x)
{
    return op_conv(g, x[0], x[1],
                   &(struct window){.n_spatial = 3, .size = {2, 1, 2}, .stride = {1, 2, 1}, .dilation = {1, 1, 1}});
}
static struct value *conv_dx(struct graph *g, struct value **x) /* 5x4 -> 3x3 with window_2 */
{
    return op_conv_dx(g, x[0], x[1], &window_2, SHAPE(2, 5, 4, 4));
}
static struct value *conv_dw(struct graph *g, struct value **x)
{
    return op_conv_dw(g, x[0], x[1], &window_2, SHAPE(3, 2, 2, 6));
}
static const struct window pool_window = {
    .n_spatial = 2, .size = {2, 3}, .stride = {1, 2}, .dilation = {1, 1}, .pad_before = {1, 1}, .pad_after = {0, 1}};
static struct value *pool_max(struct graph *g, struct value **x)
{
    return op_pool(g, POOL_MAX, x[0], &pool_window);
}
static struct value *pool_average(struct graph *g, struct value **x)
{
    return op_pool(g, POOL_AVERAGE, x[0], &pool_window);
}
/* The inner gradient as the value: its own gradient is the second derivative. */
static struct value *inner_gradient(struct graph *g, struct value *y, struct value *x)
{
    struct value *loss = op_sum_all(g, op_mul(g, y, y)), *dx;
    const bool *active = g->active;
    g->active = NULL;
    graph_gradient(g, loss, &x, 1, &dx);
    g->active = active;
    return dx;
}
static struct value *pool_average_twice(struct graph *g, struct value **x)
{
    return inner_gradient(g, op_pool(g, POOL_AVERAGE, x[0], &pool_window), x[0]);
}
static struct value *gather(struct graph *g, struct value **x)
{
    return op_gather(g, x[0], indices(g, 5, (const int32_t[]){2, 0, 2, 3, 1}));
}
static struct value *gather_twice(struct graph *g, struct value **x)
{
    return inner_gradient(g, gather(g, x), x[0]);
}
static struct value *softmax(struct graph *g, struct value **x)
{
    return op_softmax(g, x[0]);
}
static struct value *xent(struct graph *g, struct value **x)
{
    return op_xent(g, x[0], x[1]);
}
static struct value *sparse_xent(struct graph *g, struct value **x)
{
    return op_sparse_xent(g, x[0], indices(g, 4, (const int32_t[]){2, -1, 0, 1}), -1);
}
static struct value *ctc(struct graph *g, struct value **x) /* a repeated label, none at all, all of them */
{
    static const int32_t labels[] = {2, 2, 0, 0, 0, 0, 1, 3, 1};
    return op_ctc(g, x[0], op_constant(g, DTYPE_I32, SHAPE(3, 3), labels));
}
static struct value *batch_norm(struct graph *g, struct value **x)
{
    struct value *mean, *variance, *y = op_batch_norm(g, x[0], x[1], x[2], 1e-3, &mean, &variance);
    return op_add(g, y, op_mul(g, mean, variance));
}
static struct value *batch_norm_plain(struct graph *g, struct value **x)
{
    return op_batch_norm(g, x[0], NULL, NULL, 1e-3, NULL, NULL);
}
static struct value *layer_norm(struct graph *g, struct value **x)
{
    return op_layer_norm(g, x[0], 2, x[1], x[2], 1e-3);
}
static struct value *dropout(struct graph *g, struct value **x)
{
    struct shape noise = SHAPE(3, 1, 5);
    return op_dropout(g, x[0], step(g), 0.4, 7, 9, &noise);
}
static struct value *attention_plain(struct graph *g, struct value **x)
{
    return op_attention(g, x[0], x[1], x[2], NULL, NULL, &(struct attention){.scale = 0.7f}, 0, 0, NULL);
}
static struct value *attention_causal_groups(struct graph *g, struct value **x)
{
    struct attention how = {.scale = 0.5f, .rate = 0.3f, .causal = true, .window = 3};
    return op_attention(g, x[0], x[1], x[2], NULL, step(g), &how, 5, 6, NULL);
}
static struct value *attention_masked(struct graph *g, struct value **x) /* the second query sees nothing */
{
    static const float mask[] = {1, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0};
    struct value *p, *m = op_constant(g, DTYPE_F32, SHAPE(1, 1, 3, 4), mask);
    struct value *y = op_attention(g, x[0], x[1], x[2], m, NULL, &(struct attention){.scale = 1}, 0, 0, &p);
    return op_add(g, op_sum_all(g, op_expr(g, "a * cos(3 * a)", p, NULL, NULL, NULL)), y);
}
static struct value *random_times(struct graph *g, struct value **x)
{
    return op_mul(g, x[0], op_random(g, RANDOM_NORMAL, step(g), SHAPE(3, 5), 1, 2));
}
static struct value *recurrent_of(struct graph *g, struct value **x, const struct recurrent *r, const int64_t *sizes,
                                  bool masked)
{
    static const float mask[] = {1, 0, 1, 1, 0, 1},
                       factors[] = {2, 0, 1.5f, 1, 0, 3, 0.5f, 1, 0, 2, 1, 1.5f, 2, 0, 1, 3};
    int64_t n = sizes[0], t = sizes[1], f = sizes[2], u = sizes[3], gates = recurrent_gates(r->kind) * u, at = 0;
    bool lstm = r->kind == RECURRENT_LSTM, pair = r->kind == RECURRENT_GRU && !r->reset_before;
    const struct shape shapes[] = {SHAPE(n, t, r->projected ? gates : f), SHAPE(f, gates), SHAPE(u, gates),
                                   pair ? SHAPE(2, gates) : SHAPE(gates), SHAPE(n, u),     SHAPE(n, u)};
    struct value *parts[6] = {NULL}, *results[3];
    for (int i = 0; i < (lstm ? 6 : 5); i++) {
        if (i == 1 && r->projected)
            continue;
        int64_t end = at + shape_elements(shapes[i]);
        parts[i] = op_reshape(g, op_slice(g, x[0], &at, &end, NULL), shapes[i]);
        at = end;
    }
    op_recurrent(g, r, parts[0], parts[1], parts[2], parts[3], parts[4], parts[5],
                 masked ? op_constant(g, DTYPE_F32, SHAPE(n, t), mask) : NULL,
                 r->dropped ? op_constant(g, DTYPE_F32, SHAPE(n, gates), factors) : NULL, results);
    struct value *y = op_reduce(g, REDUCE_SUM, results[0], (const int[]){1}, 1, false);
    return lstm ? op_expr(g, "a + b * c", y, results[1], results[2], NULL)
                : op_expr(g, "a + b * b", y, results[1], NULL, NULL);
}
static const int64_t recurrent_sizes[] = {2, 3, 2, 2};
static struct value *recurrent_lstm(struct graph *g, struct value **x)
{
    return recurrent_of(g, x, &(struct recurrent){.kind = RECURRENT_LSTM, .gate = FUNCTION_SIGMOID}, recurrent_sizes,
                        false);
}
static struct value *recurrent_lstm_masked(struct graph *g, struct value **x)
{
    const struct recurrent r = {
        .kind = RECURRENT_LSTM, .activation = FUNCTION_LINEAR, .gate = FUNCTION_SIGMOID, .backwards = true};
    return recurrent_of(g, x, &r, recurrent_sizes, true);
}
static struct value *recurrent_gru(struct graph *g, struct value **x)
{
    return recurrent_of(g, x, &(struct recurrent){.kind = RECURRENT_GRU, .gate = FUNCTION_SIGMOID}, recurrent_sizes,
                        false);
}
static struct value *recurrent_gru_masked(struct graph *g, struct value **x)
{
    const struct recurrent r = {
        .kind = RECURRENT_GRU, .activation = FUNCTION_SIGMOID, .gate = FUNCTION_HARD_SIGMOID, .backwards = true};
    return recurrent_of(g, x, &r, recurrent_sizes, true);
}
static struct value *recurrent_gru_before(struct graph *g, struct value **x)
{
    const struct recurrent r = {.kind = RECURRENT_GRU, .gate = FUNCTION_SIGMOID, .reset_before = true};
    return recurrent_of(g, x, &r, recurrent_sizes, false);
}
static struct value *recurrent_gru_before_dropped(struct graph *g, struct value **x)
{
    const struct recurrent r = {
        .kind = RECURRENT_GRU, .gate = FUNCTION_SIGMOID, .reset_before = true, .dropped = true, .backwards = true};
    return recurrent_of(g, x, &r, recurrent_sizes, true);
}
static struct value *recurrent_gru_dropped(struct graph *g, struct value **x)
{
    const struct recurrent r = {.kind = RECURRENT_GRU, .gate = FUNCTION_SIGMOID, .dropped = true, .projected = true};
    return recurrent_of(g, x, &r, recurrent_sizes, false);
}
static struct value *recurrent_lstm_dropped(struct graph *g, struct value **x)
{
    const struct recurrent r = {.kind = RECURRENT_LSTM, .gate = FUNCTION_SIGMOID, .dropped = true, .projected = true};
    return recurrent_of(g, x, &r, recurrent_sizes, true);
}
static struct value *recurrent_simple_dropped(struct graph *g, struct value **x)
{
    return recurrent_of(g, x, &(struct recurrent){.kind = RECURRENT_SIMPLE, .dropped = true}, recurrent_sizes, false);
}
static struct value *recurrent_simple(struct graph *g, struct value **x)
{
    return recurrent_of(g, x, &(struct recurrent){.kind = RECURRENT_SIMPLE}, recurrent_sizes, false);
}
static struct value *recurrent_simple_masked(struct graph *g, struct value **x)
{
    return recurrent_of(g, x, &(struct recurrent){.kind = RECURRENT_SIMPLE, .backwards = true}, recurrent_sizes, true);
}
static struct value *diamond(struct graph *g, struct value **x) /* one value used on several paths */
{
    struct value *h = op_expr(g, "tanh(a)", x[0], NULL, NULL, NULL);
    return op_add(g, op_mul(g, h, x[0]), op_matmul(g, h, op_transpose(g, h, (const int[]){1, 0}), false, false));
}

#define S(...) SHAPE(__VA_ARGS__)
static const struct gradient_case *all_cases(size_t *n)
{
    static struct gradient_case cases[64];
    struct gradient_case *c = cases;
#define CASE(f, lo, hi, count, ...) *c++ = (struct gradient_case){#f, f, {__VA_ARGS__}, count, lo, hi}
    CASE(map_broadcast, -1, 1, 3, S(2, 3, 4), S(3, 1), S(4));
    CASE(map_results, -1, 1, 2, S(2, 3), S(3));
    CASE(integers, -1, 1, 1, S(2, 3));
    CASE(reshape, -1, 1, 1, S(2, 3, 2));
    CASE(transpose, -1, 1, 1, S(2, 3, 4));
    CASE(broadcast, -1, 1, 1, S(2, 1, 3));
    CASE(concat, -1, 1, 3, S(2, 1, 3), S(2, 3, 3), S(2, 2, 3));
    CASE(concat_many, -1, 1, 1, S(2, 1));
    CASE(slice, -1, 1, 1, S(5, 2, 8));
    CASE(pad, -1, 1, 1, S(2, 3));
    CASE(spread, -1, 1, 1, S(2, 3));
    CASE(reverse, -1, 1, 1, S(2, 3, 2));
    CASE(reduce_sum, -1, 1, 1, S(2, 3, 4));
    CASE(reduce_mean, -1, 1, 1, S(2, 3, 4));
    CASE(reduce_max, -9, 9, 1, S(2, 5, 3));
    CASE(reduce_min, -9, 9, 1, S(7, 3));
    CASE(reduce_prod, 0.5, 1.5, 1, S(2, 3, 3));
    CASE(reduce_prod_of_zeros, 0.5, 1.5, 1, S(2, 3));
    CASE(matmul, -1, 1, 2, S(2, 3, 4), S(4, 5));
    CASE(matmul_ta, -1, 1, 2, S(2, 4, 3), S(4, 5));
    CASE(matmul_tb, -1, 1, 2, S(3, 4), S(2, 5, 4));
    CASE(matmul_tab, -1, 1, 2, S(2, 1, 4, 3), S(3, 5, 4));
    CASE(conv1, -1, 1, 2, S(2, 7, 3), S(3, 3, 2));
    CASE(conv2_groups, -1, 1, 2, S(2, 5, 4, 4), S(3, 2, 2, 6));
    CASE(conv3, -1, 1, 2, S(1, 3, 3, 2, 2), S(2, 1, 2, 2, 3));
    CASE(conv_dx, -1, 1, 2, S(2, 3, 3, 6), S(3, 2, 2, 6));
    CASE(conv_dw, -1, 1, 2, S(2, 5, 4, 4), S(2, 3, 3, 6));
    CASE(pool_max, -9, 9, 1, S(2, 4, 5, 2));
    CASE(pool_average, -1, 1, 1, S(2, 4, 5, 2));
    CASE(pool_average_twice, -1, 1, 1, S(1, 4, 5, 2));
    CASE(gather, -1, 1, 1, S(4, 3));
    CASE(gather_twice, -1, 1, 1, S(4, 3));
    CASE(softmax, -2, 2, 1, S(3, 5));
    CASE(xent, 0, 1, 2, S(3, 5), S(3, 5));
    CASE(sparse_xent, -2, 2, 1, S(4, 3));
    CASE(ctc, -2, 2, 1, S(3, 5, 4));
    CASE(batch_norm, -2, 2, 3, S(3, 2, 3), S(3), S(3));
    CASE(batch_norm_plain, -2, 2, 1, S(7, 2));
    CASE(layer_norm, -2, 2, 3, S(2, 3, 4), S(3, 4), S(3, 4));
    CASE(dropout, -1, 1, 1, S(3, 2, 5));
    CASE(attention_plain, -1, 1, 3, S(2, 3, 2, 4), S(2, 5, 2, 4), S(2, 5, 2, 3));
    CASE(attention_causal_groups, -1, 1, 3, S(2, 5, 4, 3), S(2, 4, 2, 3), S(2, 4, 2, 2));
    CASE(attention_masked, -1, 1, 3, S(1, 3, 2, 3), S(1, 4, 1, 3), S(1, 4, 1, 2));
    CASE(random_times, -1, 1, 1, S(3, 5));
    CASE(recurrent_lstm, -0.8, 0.8, 1, S(12 + 16 + 16 + 8 + 8));
    CASE(recurrent_lstm_masked, -0.8, 0.8, 1, S(12 + 16 + 16 + 8 + 8));
    CASE(recurrent_gru, -0.8, 0.8, 1, S(12 + 12 + 12 + 12 + 4));
    CASE(recurrent_gru_masked, -0.8, 0.8, 1, S(12 + 12 + 12 + 12 + 4));
    CASE(recurrent_gru_before, -0.8, 0.8, 1, S(12 + 12 + 12 + 6 + 4));
    CASE(recurrent_gru_before_dropped, -0.8, 0.8, 1, S(12 + 12 + 12 + 6 + 4));
    CASE(recurrent_gru_dropped, -0.8, 0.8, 1, S(36 + 12 + 12 + 4));
    CASE(recurrent_lstm_dropped, -0.8, 0.8, 1, S(48 + 16 + 8 + 8));
    CASE(recurrent_simple_dropped, -0.8, 0.8, 1, S(12 + 4 + 4 + 2 + 4));
    CASE(recurrent_simple, -0.8, 0.8, 1, S(12 + 4 + 4 + 2 + 4));
    CASE(recurrent_simple_masked, -0.8, 0.8, 1, S(12 + 4 + 4 + 2 + 4));
    CASE(diamond, -1, 1, 1, S(4, 4));
#undef CASE
    *n = (size_t)(c - cases);
    return cases;
}

static double loss_at(struct plan *plan, const struct value *loss)
{
    plan_run(plan);
    return (double)*(const float *)plan_output(plan, loss);
}

static void check_case(const struct gradient_case *c)
{
    struct err err = {0};
    struct graph *g = graph_new();
    struct value *x[INPUTS_MAX], *dx[INPUTS_MAX];
    for (int i = 0; i < c->n; i++)
        x[i] = op_input(g, "x", DTYPE_F32, c->shape[i]);
    struct value *y = c->build(g, x);
    struct value *weight = y ? op_random(g, RANDOM_UNIFORM, step(g), y->shape, 11, 12) : NULL;
    struct value *loss = op_sum_all(g, op_expr(g, "a * (b + 0.5)", y, weight, NULL, NULL));
    graph_gradient(g, loss, x, c->n, dx);
    if (!graph_ok(g, &err)) {
        CHECK_FAIL("%s: %s", c->name, err.text);
        graph_free(g);
        return;
    }
    graph_keep(g, loss);
    for (int i = 0; i < c->n; i++)
        graph_keep(g, dx[i]);
    struct plan *plan = plan_new(g, &backend_reference, backend_reference.open(NULL, &err), NULL, &err);
    for (int i = 0; i < c->n; i++) {
        float *in = plan_input(plan, x[i]);
        int64_t n = shape_elements(c->shape[i]);
        for (int64_t e = 0; e < n; e++)
            in[e] =
                (float)(c->low + (c->high - c->low) * (double)rng_to_uniform(rng_u32(5, (uint32_t)i, 0, (uint64_t)e)));
    }
    float *found[INPUTS_MAX];
    plan_run(plan);
    for (int i = 0; i < c->n; i++) {
        size_t size = (size_t)shape_elements(c->shape[i]) * sizeof(float);
        found[i] = memcpy(xmalloc(size), plan_output(plan, dx[i]), size);
    }
    double h = 0.01;
    for (int i = 0; i < c->n; i++) {
        float *in = plan_input(plan, x[i]);
        for (int64_t e = 0; e < shape_elements(c->shape[i]); e++) {
            float saved = in[e];
            in[e] = (float)((double)saved + h);
            double up = loss_at(plan, loss);
            in[e] = (float)((double)saved - h);
            double slope = (up - loss_at(plan, loss)) / (2 * h);
            in[e] = saved;
            if (!(fabs(slope - (double)found[i][e]) <= 4e-3 * fmax(1, fabs(slope))))
                CHECK_FAIL("%s: input %d element %lld: gradient %g, expected %g", c->name, i, (long long)e,
                           (double)found[i][e], slope);
        }
        free(found[i]);
    }
    plan_free(plan);
    graph_free(g);
}

static void test_gradients_are_those_of_finite_differences(void)
{
    size_t n;
    const struct gradient_case *cases = all_cases(&n);
    for (size_t i = 0; i < n; i++)
        check_case(&cases[i]);
}

/* Every op that has a gradient rule, other than the refusing one, appears in a case. */
static void test_every_differentiable_op_has_a_case(void)
{
    size_t n;
    const struct gradient_case *cases = all_cases(&n);
    bool seen[OP_COUNT] = {false};
    for (size_t i = 0; i < n; i++) {
        struct graph *g = graph_new();
        struct value *x[INPUTS_MAX];
        for (int k = 0; k < cases[i].n; k++)
            x[k] = op_input(g, "x", DTYPE_F32, cases[i].shape[k]);
        cases[i].build(g, x);
        for (int k = 0; k < g->n_nodes; k++)
            seen[g->nodes[k]->op] = true;
        graph_free(g);
    }
    for (int op = 0; op < OP_COUNT; op++)
        if (op_table[op].gradient && op_table[op].gradient != gradient_refused && !seen[op])
            CHECK_FAIL("no gradient case has '%s'", op_table[op].name);
}

int main(void)
{
    RUN(test_gradients_are_those_of_finite_differences);
    RUN(test_every_differentiable_op_has_a_case);
    return check_done();
}
