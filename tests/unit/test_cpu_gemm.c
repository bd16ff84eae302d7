/* Matrix products of every kind of kernel against sums in double precision: odd shapes, transposes, factors, NaN,
 * packed operands. */
#include "base/rng.h"
#include "engine/cpu/gemm.h"
#include "engine/cpu/rows.h"
#include "tests/check.h"

#include <sys/mman.h>

enum { MOST = 700 * 700 };

static float numbers_a[MOST], numbers_b[MOST], numbers_c[MOST], packed[MOST * 2], got[MOST], want[MOST], finished[MOST];
static uint32_t drawn;

static int draw(int below)
{
    return (int)(rng_u32(5, RNG_STREAM_DATA, 0, drawn++) % (uint32_t)below);
}

/* A level that this machine has, or NULL. */
static const char *level_of(int i)
{
    static const char *const names[] = {"baseline", "avx2", "avx512"};
    setenv("ANTLER_CPU", names[i], 1);
    return strcmp(rows_choose()->name, names[i]) ? NULL : names[i];
}

static float at(const float *x, int64_t ld, bool transposed, int64_t row, int64_t column)
{
    return transposed ? x[column * ld + row] : x[row * ld + column];
}

static void reference(const struct gemm *g, float *c)
{
    for (int64_t i = 0; i < g->m; i++)
        for (int64_t j = 0; j < g->n; j++) {
            double sum = 0;
            for (int64_t k = 0; k < g->k; k++)
                sum += (double)at(g->a, g->lda, g->transpose_a, i, k) * (double)at(g->b, g->ldb, g->transpose_b, k, j);
            float *to = c + i * g->ldc + j;
            *to = (float)((double)g->alpha * sum + (g->beta == 0 ? 0 : (double)g->beta * (double)*to));
        }
}

static void compare(const struct gemm *g, const char *what, const char *level)
{
    for (int64_t i = 0; i < g->m * g->ldc; i++) {
        double tolerance = 2e-6 * (1 + sqrt((double)g->k) * 4) * (1 + fabs((double)want[i]));
        if (!(got[i] == want[i] || (isnan(got[i]) && isnan(want[i])) ||
              fabs((double)got[i] - (double)want[i]) <= tolerance)) {
            CHECK_FAIL("%s, %s: %d x %d x %d, transposed %d %d, alpha %g beta %g: element %d,%d is %.9g, expected %.9g",
                       level, what, (int)g->m, (int)g->n, (int)g->k, g->transpose_a, g->transpose_b, (double)g->alpha,
                       (double)g->beta, (int)(i / g->ldc), (int)(i % g->ldc), (double)got[i], (double)want[i]);
            return;
        }
    }
}

/* What `finish` was given, put together. */
struct coverage {
    const struct gemm *g;
    float *c;
    int64_t elements;
};

static void count_finished(void *context, const float *product, int64_t ld, int64_t row, int64_t column, int64_t m,
                           int64_t n)
{
    struct coverage *c = context;
    CHECK(row >= 0 && column >= 0 && m > 0 && n > 0 && row + m <= c->g->m && column + n <= c->g->n);
    c->elements += m * n;
    for (int64_t i = 0; i < m; i++)
        memcpy(c->c + (row + i) * c->g->ldc + column, product + i * ld, (size_t)n * sizeof *product);
}

/* The product goes to `finish` only. */
static void check_streamed(struct gemm g, const char *level)
{
    static const float beside[MOST];
    struct coverage covered = {.g = &g, .c = got};
    g.c = NULL;
    g.finish = count_finished;
    g.context = &covered;
    g.beside[0] = g.beside[1] = g.beside[2] = beside;
    g.n_beside = draw(4);
    for (int packed_a = 0; packed_a < 2; packed_a++) {
        if (!gemm_can_stream(&g, packed_a) || g.beta != 0)
            continue;
        memcpy(got, numbers_c, (size_t)(g.m * g.ldc) * sizeof *got);
        covered.elements = 0;
        if (packed_a) {
            gemm_pack_b(packed, g.a, g.lda, !g.transpose_a, g.k, g.m);
            g.a = packed;
            gemm_run_packed_a(&g);
        } else {
            gemm_run(&g);
        }
        CHECK_EQ(covered.elements, g.m * g.n);
        compare(&g, packed_a ? "streamed, packed a" : "streamed", level);
    }
}

static void check_packed(struct gemm g, const char *level)
{
    size_t floats = gemm_packed_b_floats(g.k, g.n);
    CHECK(floats >= (size_t)(g.k * g.n) && floats <= sizeof packed / sizeof *packed);
    int64_t first = g.n / 2 / gemm_panel() * gemm_panel(), n = g.n;
    gemm_pack_b_columns(packed, g.b, g.ldb, g.transpose_b, g.k, g.n, 0, first);
    gemm_pack_b_columns(packed, g.b, g.ldb, g.transpose_b, g.k, g.n, first, g.n - first);
    memcpy(got, numbers_c, (size_t)(g.m * g.ldc) * sizeof *got);
    g.b = packed;
    g.ldb = n;
    g.n = first;
    gemm_run_packed(&g, 0);
    g.n = n - first;
    g.c += first;
    gemm_run_packed(&g, first);
    g.n = n;
    compare(&g, "packed", level);
}

static void check_packed_a(struct gemm g, const char *level)
{
    gemm_pack_b(packed, g.a, g.lda, !g.transpose_a, g.k, g.m);
    memcpy(got, numbers_c, (size_t)(g.m * g.ldc) * sizeof *got);
    g.a = packed;
    gemm_run_packed_a(&g);
    compare(&g, "packed a", level);
}

/* So many floats lie between the rows of A, B and C. */
static void check_product_with_gaps(struct gemm g, int gap_a, int gap_b, int gap_c, const char *level)
{
    g.lda = (g.transpose_a ? g.m : g.k) + gap_a;
    g.ldb = (g.transpose_b ? g.k : g.n) + gap_b;
    g.ldc = g.n + gap_c;
    g.a = numbers_a, g.b = numbers_b;
    memcpy(want, numbers_c, (size_t)(g.m * g.ldc) * sizeof *want);
    memcpy(got, numbers_c, (size_t)(g.m * g.ldc) * sizeof *got);
    reference(&g, want);
    struct coverage covered = {.g = &g, .c = finished};
    g.c = got;
    g.finish = count_finished;
    g.context = &covered;
    gemm_run(&g);
    CHECK_EQ(covered.elements, g.m * g.n);
    compare(&g, "plain", level);
    for (int64_t i = 0; i < g.m; i++)
        CHECK(!memcmp(got + i * g.ldc, finished + i * g.ldc, (size_t)g.n * sizeof *got));
    g.finish = NULL;
    check_streamed(g, level);
    check_packed(g, level);
    check_packed_a(g, level);
}

static void check_product(struct gemm g, const char *level)
{
    int gap_a = draw(3), gap_b = draw(3);
    check_product_with_gaps(g, gap_a, gap_b, draw(3), level);
}

static void fill_numbers(void)
{
    rng_fill_normal(1, RNG_STREAM_DATA, 0, numbers_a, MOST);
    rng_fill_normal(2, RNG_STREAM_DATA, 0, numbers_b, MOST);
    rng_fill_normal(3, RNG_STREAM_DATA, 0, numbers_c, MOST);
}

static void on_every_level(void (*test)(const char *level))
{
    fill_numbers();
    for (int i = 0; i < 3; i++) {
        const char *level = level_of(i);
        if (!level)
            continue;
        gemm_choose(level);
        test(level);
    }
}

static void random_shapes(const char *level)
{
    static const float factors[] = {1, 0, 1, -0.5f, 2};
    static const int limits[] = {4, 20, 40, 70, 130};
    for (int i = 0; i < 600; i++) {
        struct gemm g = {.transpose_a = draw(2),
                         .transpose_b = draw(2),
                         .alpha = factors[2 * draw(2) + draw(2)],
                         .beta = factors[draw(5)]};
        g.m = draw(limits[draw(5)]), g.n = draw(limits[draw(5)]), g.k = draw(limits[draw(5)]);
        check_product(g, level);
    }
}

static void test_products_of_odd_shapes(void)
{
    on_every_level(random_shapes);
}

static void large_shapes(const char *level)
{
    static const int shapes[][3] = {{50, 10, 600}, {600, 10, 50},  {33, 450, 500},  {120, 130, 512}, {400, 90, 70},
                                    {70, 512, 45}, {1, 600, 400},  {48, 1, 192},    {61, 16, 300},   {128, 300, 600},
                                    {70, 12, 530}, {45, 300, 9},   {30, 600, 12},   {1, 1, 700},     {1, 700, 520},
                                    {5, 11, 48},   {92, 390, 761}, {150, 390, 761}, {330, 270, 530}, {130, 140, 80}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int t = 0; t < 4; t++)
            check_product((struct gemm){.transpose_a = t & 1,
                                        .transpose_b = t >> 1,
                                        .m = shapes[i][0],
                                        .n = shapes[i][1],
                                        .k = shapes[i][2],
                                        .alpha = 1,
                                        .beta = (float)(i % 2)},
                          level);
}

static void test_products_of_several_blocks(void)
{
    on_every_level(large_shapes);
}

static void few_columns(const char *level)
{
    static const int terms[] = {15, 16, 17, 31, 32, 40, 1030};
    for (int n = 1; n <= 17; n++)
        for (int i = 0; i < 14; i++)
            check_product((struct gemm){.transpose_a = i >= 7,
                                        .m = 1 + (n + 5 * i) % 21,
                                        .n = n,
                                        .k = terms[i % 7],
                                        .alpha = i % 3 ? 1 : -2,
                                        .beta = (float)(i % 2)},
                          level);
    for (int n = 17; n <= 68; n += n < 20 ? 1 : n < 33 ? 13 : 16) /* few of them behind whole vectors */
        check_product(
            (struct gemm){.transpose_a = true, .m = 30 + n, .n = n, .k = 600, .alpha = 1, .beta = (float)(n % 2)},
            level);
}

static void test_products_of_few_columns(void)
{
    on_every_level(few_columns);
}

static void rows_without_gaps(const char *level)
{
    for (int n = 1; n <= 12; n++)
        for (int i = 0; i < 12; i++) {
            struct gemm g = {.m = 141, .n = n, .k = 83, .alpha = i % 2 ? 1 : -2, .beta = (float)(i % 3)};
            g.transpose_a = i % 4 > 1;
            check_product_with_gaps(g, 0, 0, 0, level);
        }
}

static void test_products_of_rows_without_gaps(void)
{
    on_every_level(rows_without_gaps);
}

static void special_numbers(const char *level)
{
    numbers_a[3] = NAN;
    numbers_a[40] = INFINITY;
    numbers_b[7] = -INFINITY;
    numbers_c[5] = NAN; /* is not read when beta is 0 */
    for (int t = 0; t < 4; t++)
        check_product((struct gemm){.transpose_a = t & 1, .transpose_b = t >> 1, .m = 19, .n = 37, .k = 11, .alpha = 1},
                      level);
    static const int narrow[][3] = {{60, 5, 200}, {60, 10, 17}, {60, 16, 40}, {21, 70, 5}, {1, 40, 90}};
    for (int i = 0; i < 20; i++)
        check_product((struct gemm){.transpose_a = i & 1,
                                    .transpose_b = i >> 1 & 1,
                                    .m = narrow[i / 4][0],
                                    .n = narrow[i / 4][1],
                                    .k = narrow[i / 4][2],
                                    .alpha = 1},
                      level);
    fill_numbers();
}

static void test_nan_and_infinity_travel(void)
{
    on_every_level(special_numbers);
}

/* One product in one piece and cut in front of a row and of a column. */
static void check_cut(struct gemm g, int64_t row, int64_t column, const char *level)
{
    g.lda = g.transpose_a ? g.m : g.k;
    g.ldb = g.transpose_b ? g.k : g.n;
    g.ldc = g.n;
    g.a = numbers_a, g.b = numbers_b, g.c = want;
    g.alpha = 1;
    gemm_run(&g);
    for (int part = 0; part < 4; part++) {
        struct gemm p = g;
        int64_t i = part & 1 ? row : 0, j = part >> 1 ? column : 0;
        p.m = part & 1 ? g.m - row : row;
        p.n = part >> 1 ? g.n - column : column;
        p.a += g.transpose_a ? i : i * p.lda;
        p.b += g.transpose_b ? j * p.ldb : j;
        p.c = got + i * g.n + j;
        gemm_run(&p);
    }
    if (memcmp(got, want, (size_t)(g.m * g.n) * sizeof *got))
        CHECK_FAIL("%s, %d x %d x %d, transposed %d %d: parts differ from the whole", level, (int)g.m, (int)g.n,
                   (int)g.k, g.transpose_a, g.transpose_b);
}

static void same_bytes(const char *level)
{
    if (!strcmp(level, "baseline"))
        return;
    for (int t = 0; t < 4; t++) {
        bool ta = t & 1, tb = t >> 1;
        check_cut((struct gemm){.transpose_a = ta, .transpose_b = tb, .m = 61, .n = 150, .k = 500}, 23, 64, level);
        check_cut((struct gemm){.transpose_a = ta, .transpose_b = tb, .m = 61, .n = 150, .k = 9}, 2, 64, level);
        check_cut((struct gemm){.transpose_a = ta, .transpose_b = tb, .m = 61, .n = 10, .k = 600}, 23, 10, level);
    }
    check_cut((struct gemm){.m = 61, .n = 150, .k = 600}, 1, 64, level);
    check_cut((struct gemm){.m = 61, .n = 9, .k = 70}, 1, 9, level);
    check_cut((struct gemm){.m = 61, .n = 16, .k = 1100}, 13, 16, level);
    check_cut((struct gemm){.transpose_a = true, .m = 61, .n = 65, .k = 600}, 23, 32, level);
}

static void test_a_product_cut_anywhere_has_the_same_bytes(void)
{
    on_every_level(same_bytes);
}

/* `n` floats that end where memory ends. */
static float *numbers_at_an_end(int64_t n, int seed)
{
    enum { PAGES = 64, PAGE = 4096 };
    static char *memory[3];
    if (!memory[seed]) {
        memory[seed] = mmap(NULL, (PAGES + 1) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(memory[seed] != MAP_FAILED && mprotect(memory[seed] + PAGES * PAGE, PAGE, PROT_NONE) == 0);
    }
    float *x = (float *)(memory[seed] + PAGES * PAGE) - n;
    rng_fill_normal((uint64_t)seed + 1, RNG_STREAM_DATA, 0, x, (size_t)n);
    return x;
}

static void operands_at_ends(const char *level)
{
    static const int few[] = {1, 2, 3, 5, 8, 9, 10, 12, 13, 17, 33, 70};
    enum { N = sizeof few / sizeof *few };
    for (int i = 0; i < 4 * N * N * N; i++) {
        struct gemm g = {.transpose_a = i & 1, .transpose_b = i >> 1 & 1, .alpha = 1};
        g.m = few[i / 4 % N], g.n = few[i / 4 / N % N], g.k = few[i / 4 / N / N];
        g.lda = g.transpose_a ? g.m : g.k, g.ldb = g.transpose_b ? g.k : g.n, g.ldc = g.n;
        g.a = numbers_at_an_end(g.m * g.k, 0), g.b = numbers_at_an_end(g.k * g.n, 1),
        g.c = numbers_at_an_end(g.m * g.n, 2);
        reference(&g, want);
        gemm_run(&g);
        memcpy(got, g.c, (size_t)(g.m * g.n) * sizeof *got);
        compare(&g, "at the end of memory", level);
    }
}

static void test_nothing_behind_an_operand_is_touched(void)
{
    on_every_level(operands_at_ends);
}

int main(void)
{
    gemm_hold_to_one_thread();
    RUN(test_products_of_odd_shapes);
    RUN(test_products_of_several_blocks);
    RUN(test_products_of_few_columns);
    RUN(test_products_of_rows_without_gaps);
    RUN(test_nan_and_infinity_travel);
    RUN(test_a_product_cut_anywhere_has_the_same_bytes);
    RUN(test_nothing_behind_an_operand_is_touched);
    return check_done();
}
