/* The vector loops of every instruction set this machine has, against libm in double precision. */
#include "base/rng.h"
#include "engine/cpu/map_fused.h"
#include "tests/check.h"

enum { N = 4099 };
static float x[N], y[N], z[N], out[N];

static const char *const levels[] = {"baseline", "avx2", "avx512"};

/* Largest relative error of a step against the double function, over magnitudes from 1e-6 to `top` of both signs. */
static double worst(const struct rows *rows, enum expr_op op, double (*exact)(double), double top, bool positive)
{
    for (int i = 0; i < N; i++) {
        double magnitude = pow(10, -6 + (6 + log10(top)) * i / (N - 1));
        x[i] = (float)(i % 2 && !positive ? -magnitude : magnitude);
    }
    rows->step[op](out, x, NULL, NULL, N);
    double bad = 0;
    for (int i = 0; i < N; i++) {
        double want = exact((double)x[i]);
        if (fabs(want) > 1.2e-38)
            bad = fmax(bad, fabs((double)out[i] - want) / fabs(want));
    }
    return bad;
}

static double sigmoid(double v)
{
    return 1 / (1 + exp(-v));
}

static double gelu(double v)
{
    return 0.5 * v * erfc(-v / sqrt(2));
}

static double gelu_slope(double v)
{
    return 0.5 * erfc(-v / sqrt(2)) + v * 0.3989422804014327 * exp(-0.5 * v * v);
}

static void check_functions(const struct rows *rows)
{
    CHECK(worst(rows, EXPR_EXP, exp, 87, false) < 3e-7);
    CHECK(worst(rows, EXPR_EXPM1, expm1, 80, false) < 5e-7);
    CHECK(worst(rows, EXPR_LOG, log, 1e30, true) < 3e-7);
    CHECK(worst(rows, EXPR_LOG1P, log1p, 1e30, true) < 3e-7);
    CHECK(worst(rows, EXPR_TANH, tanh, 30, false) < 3e-7);
    CHECK(worst(rows, EXPR_SIGMOID, sigmoid, 80, false) < 4e-7);
    CHECK(worst(rows, EXPR_ERF, erf, 10, false) < 3e-7);
    CHECK(worst(rows, EXPR_GELU, gelu, 6, true) < 1e-6);
    CHECK(worst(rows, EXPR_GELU_SLOPE, gelu_slope, 20, true) < 5e-7);
    CHECK(worst(rows, EXPR_FLOOR, floor, 1e7, false) == 0);
    CHECK(worst(rows, EXPR_CEIL, ceil, 1e7, false) == 0);
    CHECK(worst(rows, EXPR_ROUND, rint, 1e7, false) == 0);
    CHECK(worst(rows, EXPR_SQRT, sqrt, 1e30, true) < 1e-7);
}

static float once(const struct rows *rows, enum expr_op op, float a, float b)
{
    float result;
    rows->step[op](&result, &a, &b, &a, 1);
    return result;
}

static void check_specials(const struct rows *rows)
{
    CHECK(isnan(once(rows, EXPR_EXP, NAN, 0)) && isnan(once(rows, EXPR_LOG, NAN, 0)) &&
          isnan(once(rows, EXPR_TANH, NAN, 0)));
    CHECK(isnan(once(rows, EXPR_ERF, NAN, 0)) && isnan(once(rows, EXPR_SIGMOID, NAN, 0)) &&
          isnan(once(rows, EXPR_LOG1P, NAN, 0)));
    CHECK(isnan(once(rows, EXPR_LOG, -1, 0)) && isnan(once(rows, EXPR_MAX, NAN, 1)) &&
          isnan(once(rows, EXPR_MAX, 1, NAN)));
    CHECK(isnan(once(rows, EXPR_MIN, NAN, 1)) && isnan(once(rows, EXPR_MIN, 1, NAN)) &&
          isnan(once(rows, EXPR_SIGN, NAN, 0)));
    CHECK(once(rows, EXPR_EXP, INFINITY, 0) == INFINITY && once(rows, EXPR_EXP, 100, 0) == INFINITY);
    CHECK(once(rows, EXPR_EXP, -INFINITY, 0) == 0 && once(rows, EXPR_EXP, 0, 0) == 1);
    CHECK(once(rows, EXPR_LOG, 0, 0) == -INFINITY && once(rows, EXPR_LOG, INFINITY, 0) == INFINITY);
    CHECK(once(rows, EXPR_LOG1P, INFINITY, 0) == INFINITY && once(rows, EXPR_LOG1P, -1, 0) == -INFINITY);
    CHECK(once(rows, EXPR_TANH, INFINITY, 0) == 1 && once(rows, EXPR_TANH, -INFINITY, 0) == -1);
    CHECK(once(rows, EXPR_SIGMOID, INFINITY, 0) == 1 && once(rows, EXPR_SIGMOID, -INFINITY, 0) == 0);
    CHECK(once(rows, EXPR_ERF, INFINITY, 0) == 1 && once(rows, EXPR_ERF, 0, 0) == 0);
    CHECK(once(rows, EXPR_IS_FINITE, INFINITY, 0) == 0 && once(rows, EXPR_IS_FINITE, NAN, 0) == 0 &&
          once(rows, EXPR_IS_FINITE, 3, 0) == 1);
    CHECK(once(rows, EXPR_ROUND, 0.5f, 0) == 0 && once(rows, EXPR_ROUND, 1.5f, 0) == 2 &&
          once(rows, EXPR_ROUND, -2.5f, 0) == -2);
}

static void check_sums(const struct rows *rows)
{
    rng_fill_normal(3, RNG_STREAM_DATA, 0, x, N);
    rng_fill_normal(4, RNG_STREAM_DATA, 0, y, N);
    for (int n = 1; n < N; n = n * 3 + 1) {
        double sum = 0, dot = 0, deviation = 0;
        float largest = x[0], smallest = x[0];
        for (int i = 0; i < n; i++) {
            sum += (double)x[i];
            dot += (double)x[i] * (double)y[i];
            deviation += ((double)x[i] - 0.5) * ((double)x[i] - 0.5);
            largest = fmaxf(largest, x[i]);
            smallest = fminf(smallest, x[i]);
        }
        CHECK_NEAR(rows->sum(x, n), sum, 1e-5);
        CHECK_NEAR(rows->dot(x, y, n), dot, 1e-5);
        CHECK_NEAR(rows->square_deviation(x, 0.5f, n), deviation, 1e-5);
        CHECK(rows->max(x, n) == largest && rows->min(x, n) == smallest);
    }
    x[N / 2] = NAN;
    CHECK(isnan(rows->max(x, N)) && isnan(rows->min(x, N)) && isnan(rows->sum(x, N)));
}

static void check_random(const struct rows *rows)
{
    rng_fill_uniform(0x123456789ABCDEFu, 77, 5, z, 4 * 37);
    rows->uniform(out, 0x123456789ABCDEFu, 77, 5, 0, 37);
    CHECK(!memcmp(z, out, 4 * 37 * sizeof *z));
    rows->uniform(out, 0x123456789ABCDEFu, 77, 5, 20, 3);
    CHECK(!memcmp(z + 80, out, 12 * sizeof *z));
}

/* Three positions of a window: channel i has its maximum at position i % 3, some of them as a NaN or a tie. */
static void check_maximum(const struct rows *rows)
{
    enum { CHANNELS = 21 };
    float best[CHANNELS], given[3][CHANNELS] = {{0}};
    int32_t where[CHANNELS] = {0};
    for (int position = 0; position < 3; position++) {
        for (int i = 0; i < CHANNELS; i++)
            x[i] = position != i % 3 ? -1.0f : i % 2 ? (float)i : NAN;
        x[20] = 4;
        if (position)
            rows->pick_max(best, where, x, position, CHANNELS);
        else
            memcpy(best, x, sizeof best);
    }
    for (int i = 0; i < CHANNELS; i++)
        z[i] = (float)(i + 1);
    for (int position = 0; position < 3; position++)
        rows->add_where(given[position], where, position, z, CHANNELS);
    for (int i = 0; i < CHANNELS; i++) {
        int winner = i == 20 ? 0 : i % 3;
        for (int position = 0; position < 3; position++)
            CHECK_EQ(given[position][i], position == winner ? i + 1 : 0);
    }
}

static void check_dropping(const struct rows *rows)
{
    for (int i = 0; i < 37; i++) {
        x[i] = i == 5 ? NAN : (float)i;
        y[i] = (float)(i % 4) / 4;
    }
    rows->drop(out, x, y, 0.5f, 2, 37);
    for (int i = 0; i < 37; i++)
        CHECK(out[i] == (i % 4 < 2 ? 0 : 2 * (float)i));
    CHECK(isnan(x[5]) && out[5] == 0);
}

static void check_fused_steps(const struct rows *rows)
{
    float a[5] = {1, -2, NAN, INFINITY, -INFINITY}, b[5] = {2, 1, 1, 1, INFINITY}, to[5];
    rows->add_max(to, a, b, 0, 5);
    CHECK(to[0] == 3 && to[1] == 0 && isnan(to[2]) && isinf(to[3]) && isnan(to[4]));
    rows->where_above(to, a, b, 0, 5);
    CHECK(to[0] == 2 && to[1] == 0 && to[2] == 0 && to[3] == 1 && to[4] == 0);
    rows->add_above(to, b, a, b, 1, 5);
    CHECK(to[0] == 3 && to[1] == 1 && to[2] == 1 && to[3] == 1 && isnan(to[4]));
    rows->add_above(to, a, b, b, 0, 5);
    CHECK(to[0] == 4 && to[1] == 0 && to[2] == 0 && to[3] == 2 && to[4] == 0);
    rows->descend(to, a, b, 0.5f, 5);
    CHECK(to[0] == 0 && to[1] == -2.5f && isnan(to[2]) && isinf(to[3]) && isinf(to[4]));
}

/* From w = 0 and with moments that stay as they are, the new weight is the step alone. */
static float step_of_adam(const struct rows *rows, float moment, float square, float epsilon)
{
    float w = 0, g = 0, new_moment, new_square;
    rows->adam(&w, &new_moment, &new_square, &g, &w, &moment, &square, 0.5f, (const float[]){0, 0, epsilon}, 1);
    CHECK(new_moment == moment || isnan(moment));
    CHECK(new_square == square || isnan(square));
    return w;
}

/* Small multiples of 1/8 and what rounding takes away from them: sums are exact in every order. */
static void check_rounded_combination(const struct rows *rows)
{
    for (int k = 1; k < 12; k++)
        for (int n = 30; n < 70; n += 13) {
            float want[70] = {0};
            for (int i = 0; i < k; i++)
                x[i] = (float)(i % 5 - 2) / 8 * (1 + 0x1p-10f);
            for (int i = 0; i < k * n; i++)
                y[i] = i == n + 3 ? NAN : (float)(i % 7 - 3) / 8 * (1 + 0x1p-10f);
            for (int i = 0; i < k * n; i++)
                want[i % n] += round_to_bfloat16(x[i / n]) * round_to_bfloat16(y[i]);
            rows->combine_bfloat16(out, x, y, k, n);
            for (int i = 0; i < n; i++)
                CHECK(out[i] == want[i] || (isnan(out[i]) && isnan(want[i])));
            CHECK(k == 1 || isnan(out[3]));
        }
}

/* The square of a large gradient is infinite, and the step is none. */
static void check_explosion_of_adam(const struct rows *rows)
{
    float w = 3, m = 1, v = 1, g = 1e30f;
    rows->adam(&w, &m, &v, &g, &w, &m, &v, 0.5f, (const float[]){0, 0.01f, 1e-7f}, 1);
    CHECK(w == 3 && m == 1 && isinf(v));
}

static void check_steps_of_adam(const struct rows *rows)
{
    double bad = 0;
    for (int i = 0; i < N; i++) {
        float square = i % 50 ? (float)pow(10, -36 + 72.0 * i / N) : 0, moment = (float)sin(i) * (1 + sqrtf(square));
        double want = -0.5 * (double)moment / (sqrt((double)square) + 1e-7);
        double got = (double)step_of_adam(rows, moment, square, 1e-7f);
        bad = want == 0 ? bad : fmax(bad, fabs(got - want) / fabs(want));
    }
    CHECK(bad < 4e-7);
    CHECK(isnan(step_of_adam(rows, 1, NAN, 1e-7f)));
    CHECK(isnan(step_of_adam(rows, NAN, 1, 1e-7f)));
    CHECK(isnan(step_of_adam(rows, 1, -1, 1e-7f)));
    CHECK(isinf(step_of_adam(rows, 1, 0, 0)));
    CHECK_NEAR((double)step_of_adam(rows, 2, 4, 0), -0.5, 1e-6);
}

/* The last elements of a row get what they would get in the middle of one. */
static void check_rows_of_adam(const struct rows *rows)
{
    for (int n = 1; n < 40; n++) {
        float w[40], m[40], v[40];
        for (int i = 0; i < 40; i++)
            x[i] = (float)i - 20, w[i] = y[i] = (float)i, m[i] = 0.1f, v[i] = 0.2f;
        rows->adam(w, m, v, x, w, m, v, 0.1f, (const float[]){0.1f, 0.01f, 1e-7f}, n);
        for (int i = 0; i < 40; i++) {
            float one = y[i], moment = 0.1f, square = 0.2f;
            rows->adam(&one, &moment, &square, &x[i], &one, &moment, &square, 0.1f, (const float[]){0.1f, 0.01f, 1e-7f},
                       1);
            CHECK(w[i] == (i < n ? one : y[i]) && m[i] == (i < n ? moment : 0.1f) && v[i] == (i < n ? square : 0.2f));
        }
    }
}

static void test_every_instruction_set_agrees_with_libm(void)
{
    for (int i = 0; i < 3; i++) {
        setenv("ANTLER_CPU", levels[i], 1);
        const struct rows *rows = rows_choose();
        if (strcmp(rows->name, levels[i])) {
            printf("this machine has no %s\n", levels[i]);
            continue;
        }
        check_functions(rows);
        check_specials(rows);
        check_sums(rows);
        check_random(rows);
        check_maximum(rows);
        check_dropping(rows);
        check_fused_steps(rows);
        check_steps_of_adam(rows);
        check_explosion_of_adam(rows);
        check_rounded_combination(rows);
        check_rows_of_adam(rows);
    }
}

static bool alpha_is_scalar(const void *context, int input, enum fused_part part)
{
    return (input == *(const int *)context) == (part == FUSED_SCALAR);
}

static bool alpha_is_dense(const void *context, int input, enum fused_part part)
{
    return !alpha_is_scalar(context, input, part);
}

/* Adam with its inputs numbered from `shift` on (modulo 5) and its products written the other way round. */
static const struct expr *adam(struct arena *arena, int shift, bool turned)
{
    struct expr_builder b;
    expr_begin(&b, arena);
    int g = expr_input(&b, shift % 5), w = expr_input(&b, (shift + 1) % 5), m = expr_input(&b, (shift + 2) % 5);
    int v = expr_input(&b, (shift + 3) % 5), alpha = expr_input(&b, (shift + 4) % 5);
    int c1 = expr_const(&b, 0.1), c2 = expr_const(&b, 0.01), dm = expr_2(&b, EXPR_SUB, g, m);
    int dv = expr_2(&b, EXPR_SUB, expr_1(&b, EXPR_SQUARE, g), v);
    m = expr_2(&b, EXPR_ADD, m, turned ? expr_2(&b, EXPR_MUL, c1, dm) : expr_2(&b, EXPR_MUL, dm, c1));
    v = expr_2(&b, EXPR_ADD, v, turned ? expr_2(&b, EXPR_MUL, c2, dv) : expr_2(&b, EXPR_MUL, dv, c2));
    int step = turned ? expr_2(&b, EXPR_MUL, alpha, m) : expr_2(&b, EXPR_MUL, m, alpha);
    int root = expr_2(&b, EXPR_ADD, expr_1(&b, EXPR_SQRT, v), expr_const(&b, 1e-7));
    w = expr_2(&b, EXPR_SUB, w, expr_2(&b, EXPR_DIV, step, root));
    return expr_finish(&b, (int[]){v, w, m}, 3, 5);
}

static void test_adam_is_found_and_gives_what_its_expression_says(void)
{
    for (int shift = 0; shift < 5; shift++) {
        struct arena arena = {0};
        struct map_fused fused;
        int alpha = (shift + 4) % 5;
        const struct expr *e = adam(&arena, shift, shift % 2);
        CHECK(!map_fused_find(&fused, e, alpha_is_dense, &alpha));
        CHECK(map_fused_find(&fused, e, alpha_is_scalar, &alpha));
        float in[5], want[3], got[3], *to[3] = {&got[0], &got[1], &got[2]};
        const float *from[5];
        for (int i = 0; i < 5; i++) {
            in[i] = 0.3f + (float)i * 0.7f;
            from[i] = &in[i];
        }
        expr_eval(e, in, want);
        map_fused_run(&fused, rows_choose(), from, to, 1);
        for (int r = 0; r < 3; r++)
            CHECK_NEAR((double)got[r], (double)want[r], 1e-6);
        arena_release(&arena);
    }
}

int main(void)
{
    RUN(test_adam_is_found_and_gives_what_its_expression_says);
    RUN(test_every_instruction_set_agrees_with_libm);
    return check_done();
}
