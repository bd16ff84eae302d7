/* Movement, indices, random numbers and pooling: sizes and numbers at the edges, by a backend and the reference loops.
 */
#include "tests/unit/parity.h"

static void test_transposes(void)
{
    CASE("transpose by tiles", true, y = op_transpose(c.g, feed(&c, SHAPE(70, 45)), (const int[]){1, 0}););
    CASE("transpose of a batch", true, y = op_transpose(c.g, feed(&c, SHAPE(3, 33, 31)), (const int[]){0, 2, 1}););
    CASE("transpose of heads", true, y = op_transpose(c.g, feed(&c, SHAPE(2, 5, 3, 16)), (const int[]){0, 2, 1, 3}););
    CASE("transpose of three axes", true,
         y = op_transpose(c.g, feed(&c, SHAPE(20, 3, 2, 40)), (const int[]){3, 2, 1, 0}););
    CASE("transpose of a narrow tensor", true, y = op_transpose(c.g, feed(&c, SHAPE(300, 3)), (const int[]){1, 0}););
    CASE("transpose to two long axes and a short one", true,
         y = op_transpose(c.g, feed(&c, SHAPE(40, 3, 36)), (const int[]){2, 1, 0}););
    CASE("transpose of a row", true, y = op_transpose(c.g, feed(&c, SHAPE(1, 7)), (const int[]){1, 0}););
    CASE("transpose of labels", false, y = op_transpose(c.g, feed_i32(&c, SHAPE(17, 19), 100), (const int[]){1, 0}););
    CASE("transpose of seven axes", true,
         y = op_transpose(c.g, feed(&c, SHAPE(2, 3, 2, 3, 2, 3, 2)), (const int[]){6, 4, 2, 0, 5, 3, 1}););
}

static void test_broadcasts(void)
{
    CASE("broadcast of a scalar", true, y = op_broadcast(c.g, feed(&c, (struct shape){0}), SHAPE(3, 7)););
    CASE("broadcast of a row", true, y = op_broadcast(c.g, feed(&c, SHAPE(8)), SHAPE(5, 8)););
    CASE("broadcast of a column", true, y = op_broadcast(c.g, feed(&c, SHAPE(5, 1)), SHAPE(5, 8)););
    CASE("broadcast of every other axis", true,
         y = op_broadcast(c.g, feed(&c, SHAPE(3, 1, 4, 1)), SHAPE(2, 3, 5, 4, 6)););
}

/* Of quads, of words, and of parts that begin within a quad. */
static void test_slices_and_concatenations(void)
{
    for (int64_t n = 1; n <= 12; n += 11) {
        CASE("slice of rows", true,
             y = op_slice(c.g, feed(&c, SHAPE(9, 4, n)), (const int64_t[]){2, 1, 0}, (const int64_t[]){8, 3, n},
                          (const int64_t[]){2, 1, 1}););
        CASE("concat along the last axis", true,
             y = op_concat(c.g,
                           (struct value *const[]){feed(&c, SHAPE(5, 3, n)), feed(&c, SHAPE(5, 3, 4)),
                                                   feed(&c, SHAPE(5, 3, 2 * n))},
                           3, -1););
        CASE("concat along the first axis", true,
             y = op_concat(c.g, (struct value *const[]){feed(&c, SHAPE(2, n)), feed(&c, SHAPE(3, n))}, 2, 0););
    }
    CASE("slice from within a quad", true,
         y = op_slice(c.g, feed(&c, SHAPE(5, 16)), (const int64_t[]){0, 2}, (const int64_t[]){5, 14}, NULL););
    CASE("slice of one element", true,
         y = op_slice(c.g, feed(&c, SHAPE(5, 6)), (const int64_t[]){3, 4}, (const int64_t[]){4, 5}, NULL););
    CASE(
        "concat of labels", false,
        y = op_concat(c.g, (struct value *const[]){feed_i32(&c, SHAPE(3, 2), 9), feed_i32(&c, SHAPE(3, 5), 9)}, 2, 1););
    CASE("concat of slices of one tensor", true, {
        struct value *x = feed(&c, SHAPE(4, 10)), *parts[16];
        for (int64_t p = 0; p < 10; p++)
            parts[p] = op_slice(c.g, x, (const int64_t[]){0, p}, (const int64_t[]){4, p + 1}, NULL);
        y = op_concat(c.g, parts, 10, 1);
    });
}

static void test_padding_and_reversal(void)
{
    CASE(
        "padding of an image", true,
        y = op_pad(c.g, feed(&c, SHAPE(2, 5, 4, 3)), (const int64_t[]){0, 1, 2, 0}, (const int64_t[]){0, 2, 0, 0}, 0););
    CASE("padding of one element", true,
         y = op_pad(c.g, feed(&c, SHAPE(1, 1)), (const int64_t[]){1, 0}, (const int64_t[]){1, 3}, -2););
    CASE("padding with NaN", false,
         y = op_pad(c.g, feed(&c, SHAPE(3, 2)), (const int64_t[]){1, 0}, (const int64_t[]){1, 3}, (double)NAN););
    CASE("gradient of a slice with steps", true,
         y = op_slice(c.g, feed(&c, SHAPE(3, 11, 2, 5)), (const int64_t[]){0, 1, 0, 1}, (const int64_t[]){3, 11, 2, 5},
                      (const int64_t[]){2, 3, 1, 2}););
    for (int axis = 0; axis < 3; axis++)
        CASE("reverse", true, y = op_reverse(c.g, feed(&c, SHAPE(3, 6, 8)), axis););
    CASE("reverse of labels", false, y = op_reverse(c.g, feed_i32(&c, SHAPE(4, 5), 9), 1););
}

/* Some indices are negative, some too large. */
static struct value *wild(struct one_case *c, struct shape shape, int below)
{
    return op_add_i32(c->g, feed_i32(c, shape, below), -2);
}

static void test_rows_by_index(void)
{
    static const int64_t widths[] = {1, 3, 8};
    for (size_t i = 0; i < 3; i++) {
        int64_t n = widths[i];
        CASE("few indices of many rows", true,
             y = op_gather(c.g, feed(&c, SHAPE(500, n)), feed_i32(&c, SHAPE(7), 500)););
        CASE("many indices of few rows", true,
             y = op_gather(c.g, feed(&c, SHAPE(3, n)), feed_i32(&c, SHAPE(10, 130), 3)););
        CASE("one row", true, y = op_gather(c.g, feed(&c, SHAPE(1, n)), feed_i32(&c, SHAPE(321), 1)););
        CASE("indices out of range", true, y = op_gather(c.g, feed(&c, SHAPE(4, n)), wild(&c, SHAPE(3, 200), 9)););
    }
    CASE("rows of matrices", true, y = op_gather(c.g, feed(&c, SHAPE(30, 2, 4)), feed_i32(&c, SHAPE(2, 600), 30)););
    CASE("a table of numbers", true, y = op_gather(c.g, feed(&c, SHAPE(9)), feed_i32(&c, (struct shape){0}, 9)););
    CASE("one hot, out of range too", false, y = op_one_hot(c.g, wild(&c, SHAPE(6, 7), 9), 5););
    CASE("one hot of one class", false, y = op_one_hot(c.g, wild(&c, SHAPE(11), 4), 1););
}

/* The gradient of a gather adds rows in the order of their positions: the same bytes each time, and NaN where one is.
 */
static void test_gradients_of_tables_keep_nan(void)
{
    CASE("gradient of a table, NaN", false, {
        struct value *table = feed(&c, SHAPE(40, 3));
        struct value *rows = op_gather(c.g, table, feed_i32(&c, SHAPE(700), 40));
        struct value *loss = op_sum_all(c.g, op_expr(c.g, "sqrt(b) * a", rows, feed(&c, SHAPE(700, 1)), NULL, NULL));
        graph_gradient(c.g, loss, &table, 1, &y);
    });
}

static void test_dropout_of_odd_sizes(void)
{
    static const int64_t sizes[] = {1, 2, 3, 4, 7, 1025};
    for (size_t i = 0; i < 6; i++) {
        int64_t n = sizes[i];
        CASE("dropout", true,
             y = op_dropout(c.g, feed(&c, SHAPE(n)), feed_i32(&c, SHAPE(1), 1000), 0.5, 7, RNG_STREAM_LAYERS, NULL););
        CASE("dropout of NaN", false,
             y = op_dropout(c.g, op_expr(c.g, "sqrt(a)", feed(&c, SHAPE(n)), NULL, NULL, NULL),
                            feed_i32(&c, SHAPE(1), 1000), 0.5, 7, RNG_STREAM_LAYERS, NULL););
        CASE("uniform", false,
             y = op_random(c.g, RANDOM_UNIFORM, feed_i32(&c, SHAPE(1), 1000), SHAPE(n), ~(uint64_t)0, 5););
        CASE("normal", false,
             y = op_random(c.g, RANDOM_NORMAL, feed_i32(&c, SHAPE(1), 1000), SHAPE(n), ~(uint64_t)0, 5););
    }
    struct shape one = SHAPE(1, 1), first = SHAPE(6, 1, 1);
    CASE("dropout of all or nothing", true,
         y = op_dropout(c.g, feed(&c, SHAPE(5, 3)), feed_i32(&c, SHAPE(1), 9), 0.5, 8, RNG_STREAM_LAYERS, &one););
    CASE("dropout of samples", true,
         y = op_dropout(c.g, feed(&c, SHAPE(6, 3, 2)), feed_i32(&c, SHAPE(1), 9), 0.5, 8, RNG_STREAM_LAYERS, &first););
}

/* The masks and uniform numbers of the reference, bit for bit. */
static void test_uniform_numbers_are_the_same_bytes(void)
{
    struct one_case c = {.g = graph_new()};
    struct value *step = feed_i32(&c, SHAPE(1), 1000);
    graph_keep(c.g, op_random(c.g, RANDOM_UNIFORM, step, SHAPE(1003), 99, RNG_STREAM_LAYERS + 3));
    graph_keep(c.g, op_dropout(c.g, feed(&c, SHAPE(17, 59)), step, 0.3, 99, RNG_STREAM_LAYERS + 2, NULL));
    size_t n = 0, m = 0;
    float *want = run_on(&c, &backend_reference, 1, true, &n), *got = run_on(&c, PARITY_BACKEND, 1, true, &m);
    CHECK(n == m && n == 2006 && !memcmp(want, got, n * sizeof *want));
    free(want), free(got);
    graph_free(c.g);
}

/* At the pooled tensor, a function of a random one. */
static void check_max_gradient(const char *what, const char *function, struct shape x, const struct window *w)
{
    CASE(what, false, {
        struct value *in = op_expr(c.g, function, feed(&c, x), NULL, NULL, NULL);
        struct value *out = op_pool(c.g, POOL_MAX, in, w);
        graph_gradient(c.g, op_sum_all(c.g, op_mul(c.g, out, feed(&c, out ? out->shape : x))), &in, 1, &y);
    });
}

static void check_pool(struct shape x, struct window w)
{
    for (int i = w.n_spatial; i < SPATIAL_MAX; i++)
        w.size[i] = w.stride[i] = w.dilation[i] = 1;
    CASE("max pooling", true, y = op_pool(c.g, POOL_MAX, feed(&c, x), &w););
    CASE("average pooling", true, y = op_pool(c.g, POOL_AVERAGE, feed(&c, x), &w););
    CASE("max pooling with equal numbers", true,
         y = op_pool(c.g, POOL_MAX, op_expr(c.g, "relu(a)", feed(&c, x), NULL, NULL, NULL), &w););
    CASE("max pooling with NaN", false,
         y = op_pool(c.g, POOL_MAX, op_expr(c.g, "log(a + 1)", feed(&c, x), NULL, NULL, NULL), &w););
    CASE("max pooling of nothing but -inf", false,
         y = op_pool(c.g, POOL_MAX, op_expr(c.g, "log(0 * a)", feed(&c, x), NULL, NULL, NULL), &w););
    check_max_gradient("gradient of max pooling, NaN", "log(a + 1)", x, &w);
    check_max_gradient("gradient of max pooling, equal numbers", "relu(a)", x, &w);
}

static void test_pooling_of_every_kind_of_window(void)
{
    check_pool(SHAPE(3, 9, 4), (struct window){1, {2}, {2}, {1}, {0}, {0}, 1});  /* the last position in none */
    check_pool(SHAPE(2, 10, 8), (struct window){1, {3}, {2}, {1}, {1}, {1}, 1}); /* they overlap */
    check_pool(SHAPE(2, 11, 3), (struct window){1, {3}, {1}, {2}, {2}, {2}, 1}); /* with gaps */
    check_pool(SHAPE(2, 11, 3), (struct window){1, {2}, {5}, {3}, {1}, {0}, 1}); /* far apart, with gaps */
    check_pool(SHAPE(2, 9, 3), (struct window){1, {2}, {2}, {2}, {0}, {0}, 1});  /* with gaps, they meet */
    check_pool(SHAPE(1, 7, 1), (struct window){1, {7}, {7}, {1}, {0}, {0}, 1});  /* one for all */
    check_pool(SHAPE(1, 3, 2), (struct window){1, {2}, {1}, {4}, {1}, {1}, 1});  /* in padding only */
    check_pool(SHAPE(2, 6, 4, 4), (struct window){2, {2, 2}, {2, 2}, {1, 1}, {0, 0}, {0, 0}, 1});
    check_pool(SHAPE(2, 7, 6, 3), (struct window){2, {3, 2}, {2, 1}, {1, 2}, {1, 0}, {1, 1}, 1});
    check_pool(SHAPE(2, 5, 4, 6, 4), (struct window){3, {2, 2, 3}, {2, 1, 3}, {1, 1, 1}, {1, 0, 0}, {0, 1, 0}, 1});
}

int main(void)
{
    RUN(test_transposes);
    RUN(test_broadcasts);
    RUN(test_slices_and_concatenations);
    RUN(test_padding_and_reversal);
    RUN(test_rows_by_index);
    RUN(test_gradients_of_tables_keep_nan);
    RUN(test_dropout_of_odd_sizes);
    RUN(test_uniform_numbers_are_the_same_bytes);
    RUN(test_pooling_of_every_kind_of_window);
    return check_done();
}
