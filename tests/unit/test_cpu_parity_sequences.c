/* Recurrent layers, attention and CTC: the cpu backend against the reference loops. */
#include "tests/unit/parity.h"

static void test_ctc(void)
{
    CASE("ctc", true, y = op_ctc(c.g, feed(&c, SHAPE(7, 11, 5)), feed_i32(&c, SHAPE(7, 4), 5)););
    CASE("ctc of more samples than slices", true,
         y = op_ctc(c.g, feed(&c, SHAPE(70, 3, 2)), feed_i32(&c, SHAPE(70, 2), 2)););
    CASE("ctc of many steps", true, y = op_ctc(c.g, feed(&c, SHAPE(2, 70, 40)), feed_i32(&c, SHAPE(2, 30), 40)););
    CASE("ctc of too few steps", true, y = op_ctc(c.g, feed(&c, SHAPE(2, 3, 4)), feed_i32(&c, SHAPE(2, 140), 4)););
    CASE("ctc of labels out of range", true, y = op_ctc(c.g, feed(&c, SHAPE(9, 8, 4)), feed_i32(&c, SHAPE(9, 3), 5)););
    CASE("ctc of unlikely labels", true,
         y = op_ctc(c.g, op_scale(c.g, feed(&c, SHAPE(4, 20, 6)), 200), feed_i32(&c, SHAPE(4, 7), 6)););
    CASE("ctc of what is no number", true,
         y = op_ctc(c.g, op_expr(c.g, "log(a + 2.2)", feed(&c, SHAPE(6, 5, 4)), NULL, NULL, NULL),
                    feed_i32(&c, SHAPE(6, 2), 4)););
    CASE("ctc of one step and one class", true,
         y = op_ctc(c.g, feed(&c, SHAPE(1, 1, 1)), feed_i32(&c, SHAPE(1, 1), 1)););
}

struct attention_sizes {
    int64_t n, queries, keys, heads, groups, depth, width;
};

/* y and, where probabilities count too, a function of them added to it. */
static struct value *attention(struct one_case *c, struct attention_sizes s, struct attention how, const int64_t *mask,
                               bool scores)
{
    struct value *q = feed(c, SHAPE(s.n, s.queries, s.heads, s.depth)),
                 *k = feed(c, SHAPE(s.n, s.keys, s.groups, s.depth));
    struct value *v = feed(c, SHAPE(s.n, s.keys, s.groups, s.width)), *p;
    struct value *m = mask ? op_expr(c->g, "a > 1", feed_i32(c, shape_make(mask, 4), 5), NULL, NULL, NULL) : NULL;
    struct value *step = how.rate > 0 ? feed_i32(c, SHAPE(1), 1000) : NULL;
    struct value *y = op_attention(c->g, q, k, v, m, step, &how, 77, RNG_STREAM_LAYERS + 3, &p);
    return scores ? op_add(c->g, y, op_sum_all(c->g, op_expr(c->g, "a * cos(3 * a)", p, NULL, NULL, NULL))) : y;
}

static void test_attention(void)
{
    static const int64_t masks[][4] = {{2, 1, 33, 50}, {1, 3, 1, 7}, {3, 1, 5, 1}};
    CASE("attention", true,
         y = attention(&c, (struct attention_sizes){3, 33, 50, 2, 2, 16, 16}, (struct attention){.scale = 0.2f}, NULL,
                       false););
    CASE("causal attention", true,
         y = attention(&c, (struct attention_sizes){5, 40, 40, 3, 3, 16, 32},
                       (struct attention){.scale = 0.3f, .causal = true}, NULL, false););
    CASE("causal attention, fewer keys", true,
         y = attention(&c, (struct attention_sizes){1, 37, 21, 1, 1, 3, 5},
                       (struct attention){.scale = 1, .causal = true}, NULL, true););
    CASE("attention in groups with dropout", true,
         y = attention(&c, (struct attention_sizes){2, 9, 11, 6, 2, 7, 10},
                       (struct attention){.scale = 0.5f, .rate = 0.3f, .causal = true}, NULL, true););
    CASE("masked attention", true,
         y = attention(&c, (struct attention_sizes){2, 33, 50, 2, 1, 8, 24}, (struct attention){.scale = 0.4f},
                       masks[0], false););
    CASE("attention with a mask of keys", true,
         y = attention(&c, (struct attention_sizes){2, 5, 7, 3, 3, 4, 3},
                       (struct attention){.scale = 1, .rate = 0.5f, .window = 3}, masks[1], true););
    CASE("attention of queries that look nowhere", true,
         y = attention(&c, (struct attention_sizes){3, 5, 7, 2, 2, 4, 3}, (struct attention){.scale = 1}, masks[2],
                       true););
    CASE("attention of queries that give nothing", true,
         y = attention(&c, (struct attention_sizes){3, 5, 7, 2, 2, 4, 3},
                       (struct attention){.scale = 1, .zero_empty = true}, masks[2], true););
    CASE("attention to many keys", true,
         y = attention(&c, (struct attention_sizes){1, 3, 1030, 2, 1, 2, 2},
                       (struct attention){.scale = 1, .rate = 0.2f, .window = 1025}, NULL, true););
    CASE("attention of one number", true,
         y = attention(&c, (struct attention_sizes){1, 1, 1, 1, 1, 1, 1},
                       (struct attention){.scale = 1, .causal = true}, NULL, false););
    CASE("attention behind the window", true,
         y = attention(&c, (struct attention_sizes){1, 9, 3, 1, 1, 2, 2}, (struct attention){.scale = 1, .window = 2},
                       NULL, true););
}

static void test_attention_of_what_is_no_number(void)
{
    CASE("attention of what is no number", false,
         struct value *q = op_expr(c.g, "log(a + 2.2)", feed(&c, SHAPE(3, 6, 2, 4)), NULL, NULL, NULL);
         struct value *k = op_expr(c.g, "log(a + 2.2)", feed(&c, SHAPE(3, 6, 2, 4)), NULL, NULL, NULL);
         y = op_attention(c.g, q, k, feed(&c, SHAPE(3, 6, 2, 3)), NULL, NULL,
                          &(struct attention){.scale = 0.5f, .causal = true}, 7, 8, NULL););
}

struct recurrent_case {
    int64_t n, t, f, u;
    bool masked, backwards, bfloat16, dropped, projected, reset_before;
    enum {
        READ_BY_GRADIENT,
        READ_OUTPUTS,
        READ_LAST
    } read; /* what is wanted of the results: else nothing keeps them */
};

static struct value *maybe_rounded(struct one_case *c, const struct recurrent_case *r, struct value *x)
{
    c->tolerance = r->bfloat16 ? 1.0 / 32 : 0; /* a state that was rounded the other way goes into the next steps */
    return r->bfloat16 ? op_bfloat16(c->g, x) : x;
}

static void check_recurrent(const struct recurrent_case *r, enum recurrent_kind kind,
                            enum recurrent_function activation, enum recurrent_function gate)
{
    struct one_case c = {.g = graph_new()};
    const struct recurrent recurrent = {.kind = kind,
                                        .activation = activation,
                                        .gate = gate,
                                        .backwards = r->backwards,
                                        .bfloat16 = r->bfloat16,
                                        .reset_before = r->reset_before && kind == RECURRENT_GRU};
    int64_t gates = (kind == RECURRENT_LSTM ? 4 : kind == RECURRENT_GRU ? 3 : 1) * r->u;
    struct value *results[3], *in[6] = {NULL}, *mask = NULL, *factors = NULL;
    struct value *step = op_constant(c.g, DTYPE_I32, (struct shape){0}, &(int32_t){1});
    in[0] = feed(&c, SHAPE(r->n, r->t, r->projected ? gates : r->f));
    in[1] = feed(&c, SHAPE(r->f, gates));
    in[2] = op_scale(c.g, feed(&c, SHAPE(r->u, gates)), 1 / sqrt((double)r->u));
    in[3] = feed(&c, kind == RECURRENT_GRU && !recurrent.reset_before ? SHAPE(2, gates) : SHAPE(gates));
    in[4] = feed(&c, SHAPE(r->n, r->u));
    in[5] = kind == RECURRENT_LSTM ? feed(&c, SHAPE(r->n, r->u)) : NULL;
    struct value *x = maybe_rounded(&c, r, op_scale(c.g, in[0], 1 / sqrt((double)r->f)));
    for (int i = 1; i < 6 && in[i]; i++)
        in[i] = maybe_rounded(&c, r, in[i]);
    if (r->masked)
        mask = op_expr(c.g, "a > -0.4", op_random(c.g, RANDOM_NORMAL, step, SHAPE(r->n, r->t), 1, 2), NULL, NULL, NULL);
    if (r->dropped)
        factors = op_dropout(c.g, op_fill(c.g, SHAPE(r->n, gates), 1), step, 0.3, 1, 3, NULL);
    op_recurrent(c.g, &recurrent, x, r->projected ? NULL : in[1], in[2], in[3], in[4], in[5], mask, factors, results);
    struct value *last =
        kind == RECURRENT_LSTM ? op_expr(c.g, "a * b", results[1], results[2], NULL, NULL) : results[1];
    struct value *y = op_add(c.g, results[0], op_reshape(c.g, last, SHAPE(r->n, 1, r->u)));
    check_case("recurrent", &c, r->read == READ_LAST ? last : y, r->read == READ_BY_GRADIENT);
}

static void test_recurrent_layers(void)
{
    static const struct recurrent_case cases[] = {
        {1, 1, 1, 1, false, false},
        {3, 5, 7, 9, true, false},
        {17, 4, 20, 33, false, true},
        {100, 3, 5, 16, true, true},
        {9, 27, 3, 40, false, false},
        {2, 3, 1100, 64, true, false},
        {3, 5, 7, 9, true, false, true},
        {33, 4, 20, 48, false, true, true},
        {3, 5, 7, 9, true, true, .dropped = true},
        {17, 4, 20, 33, .dropped = true, .projected = true},
        {1, 1, 1, 1, .dropped = true, .reset_before = true},
        {3, 5, 7, 9, true, .reset_before = true},
        {100, 13, 5, 48, true, true, .dropped = true, .projected = true, .reset_before = true},
        {17, 40, 20, 33, .read = READ_OUTPUTS},
        {9, 29, 3, 40, true, true, .dropped = true, .read = READ_OUTPUTS},
        {100, 25, 5, 48, true, .reset_before = true, .read = READ_OUTPUTS},
        {9, 29, 3, 40, true, false, true, .read = READ_LAST},
        {17, 40, 20, 33, .backwards = true, .projected = true, .read = READ_LAST},
        {3, 5, 7, 9, .dropped = true, .reset_before = true, .read = READ_LAST},
        {300, 29, 2, 3, true, true, .read = READ_LAST}}; /* more rows than x K is made for at once */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int kind = RECURRENT_SIMPLE; kind <= RECURRENT_LSTM; kind++) {
            check_recurrent(&cases[i], kind, FUNCTION_TANH, FUNCTION_SIGMOID);
            if (i == 1 || i == 3)
                check_recurrent(&cases[i], kind, FUNCTION_SIGMOID, FUNCTION_HARD_SIGMOID);
            if (i == 2)
                check_recurrent(&cases[i], kind, FUNCTION_RELU, FUNCTION_SIGMOID);
        }
}

/* What a plan of an LSTM over 48 steps takes, with or without its gradient. */
static size_t bytes_of_lstm(bool with_gradient)
{
    struct err err = {0};
    struct graph *g = graph_new();
    const struct recurrent how = {
        .kind = RECURRENT_LSTM, .activation = FUNCTION_TANH, .gate = FUNCTION_SIGMOID, .backwards = false};
    struct value *x = op_input(g, "x", DTYPE_F32, SHAPE(16, 48, 8)),
                 *kernel = op_input(g, "k", DTYPE_F32, SHAPE(8, 128));
    struct value *recurrent = op_input(g, "r", DTYPE_F32, SHAPE(32, 128)), *bias = op_fill(g, SHAPE(128), 0);
    struct value *zero = op_fill(g, SHAPE(16, 32), 0), *results[3], *gradient = NULL;
    op_recurrent(g, &how, x, kernel, recurrent, bias, zero, zero, NULL, NULL, results);
    graph_keep(g, results[1]);
    if (with_gradient && graph_gradient(g, op_sum_all(g, results[1]), &recurrent, 1, &gradient))
        graph_keep(g, gradient);
    struct device *device = backend_cpu.open(&(struct device_options){.n_threads = 1}, &err);
    struct plan *plan = plan_new(g, &backend_cpu, device, &(struct plan_options){0}, &err);
    size_t bytes = plan_stats(plan).live_bytes;
    plan_free(plan);
    backend_cpu.close(device);
    graph_free(g);
    return bytes;
}

static void test_gates_are_kept_for_a_gradient_only(void)
{
    const size_t gates = 16 * 48 * 5 * 32 * sizeof(float), outputs = 16 * 48 * 32 * sizeof(float);
    CHECK(bytes_of_lstm(true) > gates + outputs);
    CHECK(bytes_of_lstm(false) < outputs);
}

int main(void)
{
    RUN(test_recurrent_layers);
    RUN_OF_CPU(test_gates_are_kept_for_a_gradient_only);
    RUN(test_attention);
    RUN(test_attention_of_what_is_no_number);
    RUN(test_ctc);
    return check_done();
}
