/* Products of matrices as engine/cuda asks cublasLt for them, which algorithm a convolution takes, and what a failure
 * says. */
#include "engine/cuda/blas.h"
#include "tests/unit/parity.h"

enum { MOST = 4096 };

struct bench { /* a device, and one piece of its memory for each operand */
    struct device *device;
    struct arena arena;
    struct err err;
    float a[MOST], b[MOST], c[MOST], want[MOST];
    char *memory;
};

static struct bench *bench_new(void)
{
    struct bench *t = xcalloc(1, sizeof *t);
    t->device = backend_cuda.open(&(struct device_options){0}, &t->err);
    t->memory = backend_cuda.allocate(t->device, sizeof(float) * 3 * MOST, "operands", &t->err);
    rng_fill_normal(3, RNG_STREAM_DATA, 0, t->a, MOST);
    rng_fill_normal(3, RNG_STREAM_DATA + 1, 0, t->b, MOST);
    rng_fill_normal(3, RNG_STREAM_DATA + 2, 0, t->c, MOST);
    memcpy(t->want, t->c, sizeof t->c);
    return t;
}

static void bench_free(struct bench *t)
{
    arena_release(&t->arena);
    backend_cuda.release(t->device, t->memory);
    backend_cuda.close(t->device);
    free(t);
}

static float at(const float *x, int64_t ld, bool transposed, int64_t row, int64_t column)
{
    return transposed ? x[column * ld + row] : x[row * ld + column];
}

/* Every number of p is given. */
static void multiply_here(struct bench *t, const struct blas_product *p)
{
    for (int64_t g = 0; g < p->batch; g++)
        for (int64_t i = 0; i < p->m; i++)
            for (int64_t j = 0; j < p->n; j++) {
                float *c = &t->want[g * p->stride_c + i * p->ldc + j];
                double sum = p->adds ? (double)*c : 0;
                for (int64_t k = 0; k < p->k; k++)
                    sum += (double)at(t->a + g * p->stride_a, p->lda, p->transpose_a, i, k) *
                           (double)at(t->b + g * p->stride_b, p->ldb, p->transpose_b, k, j);
                *c = (float)sum;
            }
}

static const struct blas_plan *multiply(struct bench *t, const struct blas_product *p)
{
    const struct blas_plan *plan = blas_prepare(t->device, p, &t->arena, &t->err);
    const size_t size = sizeof t->a;
    backend_cuda.upload(t->device, t->memory, t->a, size);
    backend_cuda.upload(t->device, t->memory + size, t->b, size);
    backend_cuda.upload(t->device, t->memory + 2 * size, t->c, size);
    if (plan)
        blas_multiply(t->device, plan, t->memory, t->memory + size, (float *)(void *)(t->memory + 2 * size));
    backend_cuda.download(t->device, t->c, t->memory + 2 * size, size);
    return plan;
}

static void check_product(const char *what, const struct blas_product *p)
{
    struct bench *t = bench_new();
    if (!multiply(t, p))
        CHECK_FAIL("%s: %s", what, t->err.text);
    multiply_here(t, p);
    compare(what, t->c, t->want, MOST, 1e-5);
    bench_free(t);
}

static void test_rows_may_have_room_between_them(void)
{
    for (int turns = 0; turns < 4; turns++)
        check_product("matrices within larger ones", &(struct blas_product){.m = 5,
                                                                            .n = 7,
                                                                            .k = 11,
                                                                            .transpose_a = turns & 1,
                                                                            .transpose_b = turns & 2,
                                                                            .lda = 20,
                                                                            .ldb = 30,
                                                                            .ldc = 40,
                                                                            .batch = 1});
}

static void test_matrices_of_a_batch_may_lie_side_by_side(void)
{
    check_product("columns of one matrix", &(struct blas_product){.m = 6,
                                                                  .n = 3,
                                                                  .k = 5,
                                                                  .lda = 20,
                                                                  .ldb = 12,
                                                                  .ldc = 12,
                                                                  .batch = 4,
                                                                  .stride_a = 5,
                                                                  .stride_b = 3,
                                                                  .stride_c = 3});
    check_product(
        "one matrix for all",
        &(struct blas_product){
            .m = 6, .n = 3, .k = 5, .lda = 5, .ldb = 3, .ldc = 3, .batch = 4, .stride_b = 15, .stride_c = 18});
}

static void test_a_product_can_be_added(void)
{
    check_product(
        "added",
        &(struct blas_product){
            .m = 9, .n = 8, .k = 33, .transpose_a = true, .lda = 9, .ldb = 8, .ldc = 8, .batch = 1, .adds = true});
}

static void test_what_has_no_algorithm_is_refused(void)
{
    struct bench *t = bench_new();
    CHECK(!multiply(t, &(struct blas_product){.m = 4, .n = 4, .k = 4, .lda = 3}));
    CHECK_EQ(t->err.code, ERR_DEVICE);
    CHECK_STR(t->err.text, "cublasLt cannot compute 1 products of (4, 4) and (4, 4): CUBLAS_STATUS_INVALID_VALUE");
    CHECK(!multiply(t, &(struct blas_product){.m = 4, .n = 4, .k = 4, .alignment = 2}));
    CHECK(backend_cuda.works(t->device, &t->err));
    bench_free(t);
}

static void test_a_pointer_that_is_less_aligned_than_promised_is_found(void)
{
    struct bench *t = bench_new();
    const struct blas_plan *plan =
        blas_prepare(t->device, &(struct blas_product){.m = 4, .n = 4, .k = 4}, &t->arena, &t->err);
    blas_multiply(t->device, plan, t->memory + 4, t->memory, (float *)(void *)(t->memory + 4096));
    CHECK(!backend_cuda.works(t->device, &t->err));
    CHECK(strstr(t->err.text, "failed at a product of matrices") != NULL);
    bench_free(t);
}

static void check_variant(int64_t in, int64_t size, int64_t pad, int64_t groups, int64_t filters, const char *expected)
{
    static const enum op ops[] = {OP_CONV, OP_CONV_DX, OP_CONV_DW};
    struct window w = {
        .n_spatial = 1, .size = {size}, .stride = {1}, .dilation = {1}, .pad_before = {pad}, .groups = groups};
    struct one_case c = {.g = graph_new()};
    feed(&c, SHAPE(2, in, 4));
    feed(&c, SHAPE(size, 4 / groups, filters));
    struct value *y = op_conv(c.g, c.inputs[0], c.inputs[1], &w), *gradients[2] = {NULL};
    graph_keep(c.g, y);
    graph_gradient(c.g, op_sum_all(c.g, op_mul(c.g, y, feed(&c, y->shape))), c.inputs, 2, gradients);
    graph_keep(c.g, gradients[0]);
    graph_keep(c.g, gradients[1]);
    for (int i = 0; i < 3; i++)
        CHECK_STR(variant_on(&backend_cuda, &c, ops[i], &(struct device_options){0}), expected);
    graph_free(c.g);
}

static void test_the_algorithm_of_a_convolution_follows_its_shape(void)
{
    check_variant(9, 3, 1, 1, 8, "im2col");
    check_variant(9, 3, 1, 2, 8, "im2col");
    check_variant(9, 1, 0, 1, 8, "product");
    check_variant(9, 1, 0, 2, 8, "product");
    check_variant(5, 5, 0, 1, 8, "product");
    check_variant(9, 3, 1, 4, 8, "depthwise");
    check_variant(9, 3, 1, 4, 64, "im2col");
}

int main(void)
{
    RUN(test_rows_may_have_room_between_them);
    RUN(test_matrices_of_a_batch_may_lie_side_by_side);
    RUN(test_a_product_can_be_added);
    RUN(test_what_has_no_algorithm_is_refused);
    RUN(test_a_pointer_that_is_less_aligned_than_promised_is_found);
    RUN(test_the_algorithm_of_a_convolution_follows_its_shape);
    return check_done();
}
