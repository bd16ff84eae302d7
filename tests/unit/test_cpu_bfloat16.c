/* bfloat16 products of AMX and AVX512_BF16. Operands are small multiples of 1/8, so that every sum is exact in float32
 * whatever its order: the result must be the rounded sum, bit for bit. */
#include "base/rng.h"
#include "engine/cpu/gemm_bfloat16.h"
#include "engine/cpu/rows.h"
#include "engine/graph/expr.h"
#include "tests/check.h"

#include <string.h>

enum { MOST = 1 << 20 };

static float a[MOST], b[MOST], got[MOST], want[MOST];
static _Alignas(64) uint16_t left[MOST], right[MOST];
static uint32_t drawn;

static int draw(int below)
{
    return (int)(rng_u32(5, RNG_STREAM_DATA, 0, drawn++) % (uint32_t)below);
}

static float at(const float *x, int64_t ld, bool transposed, int64_t row, int64_t column)
{
    return round_to_bfloat16(transposed ? x[column * ld + row] : x[row * ld + column]);
}

static void reference(const struct gemm *g)
{
    for (int64_t i = 0; i < g->m; i++)
        for (int64_t j = 0; j < g->n; j++) {
            double sum = 0;
            for (int64_t k = 0; k < g->k; k++)
                sum += (double)at(g->a, g->lda, g->transpose_a, i, k) * (double)at(g->b, g->ldb, g->transpose_b, k, j);
            want[i * g->ldc + j] = round_to_bfloat16((float)sum);
        }
}

static void compare(const struct gemm *g, const char *what)
{
    for (int64_t i = 0; i < g->m * g->ldc; i++)
        if (memcmp(&got[i], &want[i], sizeof *got) && !(isnan(got[i]) && isnan(want[i])) && got[i] != want[i]) {
            CHECK_FAIL("%s, %s: %d x %d x %d, transposed %d %d: element %d,%d is %.9g, expected %.9g",
                       gemm_bfloat16_name(), what, (int)g->m, (int)g->n, (int)g->k, g->transpose_a, g->transpose_b,
                       (int)(i / g->ldc), (int)(i % g->ldc), (double)got[i], (double)want[i]);
            return;
        }
}

static void clear(void)
{
    for (int i = 0; i < MOST; i++)
        got[i] = want[i] = -7;
}

static struct gemm problem(int64_t m, int64_t n, int64_t k, bool transpose_a, bool transpose_b)
{
    int pad = draw(3);
    return (struct gemm){.transpose_a = transpose_a,
                         .transpose_b = transpose_b,
                         .m = m,
                         .n = n,
                         .k = k,
                         .a = a,
                         .b = b,
                         .lda = (transpose_a ? m : k) + pad,
                         .ldb = (transpose_b ? k : n) + pad,
                         .c = got,
                         .ldc = n + pad};
}

/* The parts that finish is given, put together. */
static int64_t n_finished;
static void put_together(void *context, const float *product, int64_t ld, int64_t row, int64_t column, int64_t m,
                         int64_t n)
{
    const struct gemm *g = context;
    n_finished += m * n;
    for (int64_t i = 0; i < m; i++)
        memcpy(got + (row + i) * g->ldc + column, product + i * ld, (size_t)n * sizeof *product);
}

static void check_problem(struct gemm g)
{
    CHECK(gemm_bfloat16_packed_bytes(g.m, g.k) <= sizeof left && gemm_bfloat16_packed_bytes(g.n, g.k) <= sizeof right);
    clear();
    reference(&g);
    gemm_bfloat16_run(&g, NULL, NULL, true);
    compare(&g, "both on the way");
    gemm_bfloat16_pack_left(left, &g, 0, g.m);
    gemm_bfloat16_pack_right(right, &g, 0, g.n);
    memset(got, 1, sizeof got);
    for (int64_t i = 0; i < g.m; i++) /* what lies between the rows of C stays */
        memcpy(got + i * g.ldc + g.n, want + i * g.ldc + g.n, (size_t)(g.ldc - g.n) * sizeof *got);
    gemm_bfloat16_run(&g, left, NULL, true);
    compare(&g, "left shared");
    memset(got, 1, (size_t)(g.m * g.ldc) * sizeof *got);
    memcpy(got, want, sizeof got);
    gemm_bfloat16_run(&g, NULL, right, true);
    compare(&g, "right shared");
    if (!gemm_bfloat16_can_stream(&g))
        return;
    clear();
    reference(&g);
    n_finished = 0;
    struct gemm streamed = g;
    streamed.c = NULL;
    streamed.finish = put_together;
    streamed.context = &g;
    gemm_bfloat16_run(&streamed, NULL, right, true);
    compare(&g, "streamed");
    CHECK_EQ(n_finished, g.m * g.n);
}

static void fill_exactly(void)
{
    for (int i = 0; i < MOST; i++) {
        a[i] = (float)(draw(9) - 4) / 8;
        b[i] = (float)(draw(9) - 4) / 8;
    }
}

static void test_products_are_the_rounded_sums(void)
{
    static const int sizes[][3] = {{1, 1, 1},     {16, 16, 32},   {32, 32, 64}, {17, 31, 33},  {33, 10, 64},
                                   {5, 70, 1},    {64, 48, 31},   {1, 200, 65}, {130, 3, 100}, {140, 600, 40},
                                   {300, 33, 17}, {20, 40, 4097}, {3, 2, 9000}, {47, 47, 47}};
    fill_exactly();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int t = 0; t < 4; t++)
            check_problem(problem(sizes[i][0], sizes[i][1], sizes[i][2], t & 1, t & 2));
}

static void test_random_products(void)
{
    fill_exactly();
    for (int i = 0; i < 60; i++)
        check_problem(problem(1 + draw(90), 1 + draw(90), 1 + draw(200), draw(2), draw(2)));
}

/* Numbers that bfloat16 does not hold: the sums then differ in their last bits by order, and so
 * by one rounding at most. */
static void test_operands_are_rounded_on_the_way(void)
{
    rng_fill_normal(3, RNG_STREAM_DATA, 0, a, MOST);
    rng_fill_normal(4, RNG_STREAM_DATA, 0, b, MOST);
    for (int t = 0; t < 4; t++) {
        struct gemm g = problem(50, 40, 90, t & 1, t & 2);
        clear();
        reference(&g);
        gemm_bfloat16_run(&g, NULL, NULL, true);
        for (int64_t i = 0; i < g.m; i++)
            for (int64_t j = 0; j < g.n; j++) {
                double x = (double)got[i * g.ldc + j], y = (double)want[i * g.ldc + j];
                CHECK(fabs(x - y) <= fmax(fabs(y) / 128, 1e-4));
                CHECK(round_to_bfloat16(got[i * g.ldc + j]) == got[i * g.ldc + j]);
            }
    }
}

static void test_products_are_added_without_rounding(void)
{
    fill_exactly();
    struct gemm g = problem(20, 40, 4200, false, true);
    g.beta = 1;
    clear();
    reference(&g);
    gemm_bfloat16_run(&g, NULL, NULL, false);
    for (int64_t i = 0; i < g.m; i++)
        for (int64_t j = 0; j < g.n; j++) {
            float sum = got[i * g.ldc + j] + 7;
            CHECK(round_to_bfloat16(sum) == want[i * g.ldc + j]);
        }
}

static void test_however_c_is_cut_it_is_the_same_bytes(void)
{
    rng_fill_normal(3, RNG_STREAM_DATA, 0, a, MOST);
    rng_fill_normal(4, RNG_STREAM_DATA, 0, b, MOST);
    struct gemm g = problem(96, 96, 300, true, false);
    clear();
    gemm_bfloat16_run(&g, NULL, NULL, true);
    memcpy(want, got, sizeof want);
    gemm_bfloat16_pack_right(right, &g, 0, g.n);
    memset(got, 1, sizeof got);
    for (int64_t row = 0; row < g.m; row += 32) {
        struct gemm part = g;
        part.m = 32;
        part.a += row;
        part.c += row * g.ldc;
        gemm_bfloat16_run(&part, NULL, right, true);
    }
    for (int64_t i = 0; i < g.m; i++)
        CHECK(!memcmp(got + i * g.ldc, want + i * g.ldc, (size_t)g.n * sizeof *got));
}

static void test_nan_and_infinity_travel(void)
{
    fill_exactly();
    struct gemm g = problem(40, 20, 50, false, false);
    a[3 * g.lda + 7] = NAN;
    a[39 * g.lda + 49] = INFINITY;
    b[49 * g.ldb + 1] = 1;
    gemm_bfloat16_run(&g, NULL, NULL, true);
    for (int64_t j = 0; j < g.n; j++)
        CHECK(isnan(got[3 * g.ldc + j]) && !isnan(got[4 * g.ldc + j]));
    CHECK(got[39 * g.ldc + 1] == INFINITY);
}

int main(void)
{
    static const char *const names[] = {"AMX", "AVX512_BF16"};
    int found = 0;
    for (int i = 0; i < 2; i++) {
        gemm_bfloat16_choose(rows_choose()->name, names[i]);
        if (!gemm_bfloat16_name())
            continue;
        found++;
        CHECK_STR(gemm_bfloat16_name(), names[i]);
        RUN(test_products_are_the_rounded_sums);
        RUN(test_random_products);
        RUN(test_products_are_added_without_rounding);
        RUN(test_operands_are_rounded_on_the_way);
        RUN(test_however_c_is_cut_it_is_the_same_bytes);
        RUN(test_nan_and_infinity_travel);
    }
    if (!found) {
        puts("SKIP: this processor has neither AMX nor AVX512_BF16");
        return 77;
    }
    return check_done();
}
