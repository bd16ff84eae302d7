/* Numbers before they are drawn: series and pyramid, scales and ranges, ticks, formats, smoothing. */
#include "../check.h"

#include "base/rng.h"
#include "plots/format.h"
#include "plots/scale.h"
#include "plots/series.h"
#include "plots/smooth.h"
#include "plots/fit.h"
#include "plots/ticks.h"

static double uniform(uint32_t *at)
{
    return rng_to_uniform(rng_u32(7, RNG_STREAM_DATA, 0, (*at)++));
}

static double hostile_value(uint32_t *at)
{
    double u = uniform(at);
    return u < 0.01    ? NAN
           : u < 0.015 ? INFINITY
           : u < 0.02  ? -INFINITY
           : u < 0.05  ? 1e9 * uniform(at)
                       : uniform(at) - 0.5;
}

static struct series_stat scan(const struct series *s, size_t begin, size_t end)
{
    struct series_stat stat = {INFINITY, -INFINITY, 0, 0, 0};
    for (size_t i = begin; i < end; i++)
        if (isfinite(s->y[i])) {
            stat.min = fmin(stat.min, s->y[i]);
            stat.max = fmax(stat.max, s->y[i]);
            stat.sum += s->y[i];
            stat.n++;
        } else {
            stat.bad |= isnan(s->y[i]) ? SERIES_NAN : s->y[i] > 0 ? SERIES_PLUS_INF : SERIES_MINUS_INF;
        }
    return stat;
}

static void check_queries(const struct series *s, uint32_t *at, int queries)
{
    for (int q = 0; q < queries; q++) {
        size_t a = (size_t)(uniform(at) * (double)(s->n + 1)), b = (size_t)(uniform(at) * (double)(s->n + 1));
        size_t begin = a < b ? a : b, end = a < b ? b : a;
        struct series_stat want = scan(s, begin, end), got = series_query(s, begin, end);
        CHECK(want.min == got.min && want.max == got.max);
        CHECK_EQ(got.n, want.n);
        CHECK_EQ(got.bad, want.bad);
        CHECK_NEAR(got.sum, want.sum, 1e-9);
    }
}

static void test_a_query_of_the_pyramid_equals_a_scan(void)
{
    static const size_t sizes[] = {0, 1, 63, 64, 65, 255, 256, 257, 1024, 4096, 20000, 70001};
    uint32_t at = 0;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        struct series s = {0};
        for (size_t i = 0; i < sizes[k]; i++)
            CHECK(series_append(&s, (double)i, hostile_value(&at)));
        check_queries(&s, &at, 200);
        series_release(&s);
    }
}

static void test_truncating_and_appending_again_keeps_the_pyramid_exact(void)
{
    uint32_t at = 5000000;
    struct series s = {0};
    for (int round = 0; round < 60; round++) {
        size_t target = (size_t)(uniform(&at) * 9000);
        series_truncate(&s, (size_t)(uniform(&at) * (double)(s.n + 1)));
        while (s.n < target)
            series_append(&s, (double)s.n, hostile_value(&at));
        check_queries(&s, &at, 20);
        size_t bad = 0, first = 0;
        for (size_t i = s.n; i-- > 0;)
            if (!isfinite(s.y[i]))
                bad++, first = i;
        CHECK_EQ(s.n_bad, bad);
        if (bad)
            CHECK_EQ(s.first_bad, first);
    }
    series_release(&s);
}

/* Mostly in order; now and then a resumed run, a step twice, no place on the axis. */
static double next_x(double last, uint32_t *at)
{
    double u = uniform(at);
    return u < 0.0005 ? last / 2 : u < 0.001 ? NAN : u < 0.1 ? last : last + 1;
}

static void test_many_samples_at_once_are_the_same_as_one_by_one(void)
{
    enum { MOST = 900 };
    uint32_t at = 9000000;
    struct series many = {0}, single = {0};
    double x[MOST], y[MOST];
    for (int round = 0; round < 200; round++) {
        size_t n = (size_t)(uniform(&at) * (round % 3 ? MOST : 70)), wrong = 0;
        double last = many.n ? many.x[many.n - 1] : 0;
        for (size_t i = 0; i < n; i++) {
            x[i] = next_x(last, &at);
            y[i] = hostile_value(&at);
            last = isfinite(x[i]) ? x[i] : last;
            series_append(&single, x[i], y[i]);
        }
        series_extend(&many, x, y, n);
        if (round % 10 == 9) {
            series_truncate(&many, many.n * 2 / 3);
            series_truncate(&single, single.n * 2 / 3);
        }
        CHECK_EQ(many.n, single.n);
        CHECK_EQ(many.n_bad, single.n_bad);
        CHECK(!many.n_bad || many.first_bad == single.first_bad);
        for (size_t i = 0; i < many.n; i++)
            wrong += many.x[i] != single.x[i] || (many.y[i] != single.y[i] && !isnan(single.y[i]));
        CHECK_EQ(wrong, 0);
        check_queries(&many, &at, 10);
    }
    series_release(&many);
    series_release(&single);
}

static void test_a_sample_before_the_end_supersedes_the_tail(void)
{
    struct series s = {0};
    for (int i = 0; i < 1000; i++)
        series_append(&s, i, i);
    CHECK(series_append(&s, 500, -1));
    CHECK_EQ(s.n, 501);
    CHECK_NEAR(s.y[500], -1, 0);
    CHECK(!series_append(&s, NAN, 3));
    CHECK(!series_append(&s, INFINITY, 3));
    CHECK_EQ(s.n, 501);
    CHECK_EQ(series_nearest(&s, 250.4), 250);
    CHECK_EQ(series_nearest(&s, 1e9), 500);
    CHECK_EQ(series_lower(&s, 17.5), 18);
    CHECK_NEAR(series_min_positive(&s, 0, s.n), 1, 0);
    series_release(&s);
}

static void test_smoothing_matches_the_reference_of_tensorboard(void)
{
    const double in[] = {1, 2, NAN, 4}, want[] = {1, 1.625, NAN, 2.836734693877551};
    double out[4];
    smooth_ema(in, out, 4, 0.6);
    for (int i = 0; i < 4; i++)
        CHECK_NEAR(out[i], want[i], 1e-12);
}

static void test_a_scale_goes_there_and_back(void)
{
    struct scale linear = {-2, 6, 0, 100, false}, log = {0.01, 100, 40, 0, true};
    CHECK_NEAR(scale_at(&linear, 2), 50, 1e-12);
    CHECK_NEAR(scale_value(&linear, 25), 0, 1e-12);
    CHECK_NEAR(scale_at(&log, 1), 20, 1e-12);
    CHECK_NEAR(scale_value(&log, 10), 10, 1e-12);
    CHECK(isnan(scale_at(&log, 0)) && isnan(scale_at(&log, -1)));
    CHECK_EQ(scale_dot(&linear, 1e300), SCALE_FAR);
    struct scale huge = {-1.7e308, 1.7e308, 0, 10, false};
    CHECK_NEAR(scale_at(&huge, 0), 5, 1e-12);
}

static void test_a_padded_range_is_never_empty_and_honest_about_zero(void)
{
    struct range none = range_pad((struct range){NAN, NAN}, 0.05, false),
                 flat = range_pad((struct range){3, 3}, 0.05, false);
    CHECK(none.lo < none.hi && flat.lo < 3 && flat.hi > 3);
    CHECK_NEAR(range_pad((struct range){0.1, 2}, 0.05, false).lo, 0, 0);
    CHECK(range_pad((struct range){0.9, 0.99}, 0.05, false).lo > 0.8);
    CHECK(range_pad((struct range){1, 1}, 0.05, true).lo > 0);
}

static void test_a_robust_range_drops_spikes_and_nothing_else(void)
{
    double values[400];
    for (int i = 0; i < 400; i++)
        values[i] = i / 400.0;
    struct range calm = range_robust(values, 400, 0.02);
    CHECK_NEAR(calm.lo, 0, 0);
    CHECK_NEAR(calm.hi, 399 / 400.0, 0);
    values[17] = 1e9;
    CHECK(range_robust(values, 400, 0.02).hi < 1);
}

static void test_a_live_axis_jumps_seldom(void)
{
    int jumps = 0;
    double last = 0;
    for (int step = 1; step <= 100000; step++) {
        double end = range_grow(0, step, 10);
        CHECK(end >= step && (step <= 10 || end <= step * 1.25 + 1e-6));
        jumps += end != last;
        last = end;
    }
    CHECK(jumps < 50);
    struct range held = range_hold((struct range){NAN, NAN}, (struct range){1, 2}, false);
    struct range same = range_hold(held, (struct range){1.05, 1.95}, false);
    CHECK(held.lo == same.lo && held.hi == same.hi);
    CHECK(range_hold(held, (struct range){1, 9}, false).hi > 9);
}

static void check_ticks(const struct tick *ticks, size_t n, double lo, double hi)
{
    double slack = (hi - lo) * 1e-6;
    for (size_t i = 0; i < n; i++) {
        CHECK(ticks[i].value >= lo - slack && ticks[i].value <= hi + slack);
        CHECK(strcmp(ticks[i].label, "-0") && strncmp(ticks[i].label, "-0.0000000", 9));
        CHECK(i == 0 || ticks[i].value > ticks[i - 1].value);
        for (size_t k = 0; k < i; k++)
            if (!strcmp(ticks[k].label, ticks[i].label))
                CHECK_FAIL("label '%s' twice in [%.17g, %.17g]", ticks[i].label, lo, hi);
    }
}

static void test_ticks_are_inside_distinct_and_enough_for_ranges_of_every_size(void)
{
    uint32_t at = 9000000;
    struct tick ticks[TICKS_MAX];
    for (int round = 0; round < 100000; round++) {
        double span = pow(10, uniform(&at) * 16 - 8), lo = (uniform(&at) - 0.5) * span * 20,
               hi = lo + span * (0.5 + uniform(&at));
        int target = 2 + (int)(uniform(&at) * 9);
        size_t n = ticks_make(TICKS_NUMBER, false, lo, hi, target, 0, ticks);
        CHECK(n >= 1 && n <= 20);
        check_ticks(ticks, n, lo, hi);
    }
}

/* What a scale of rows * dots dots makes of a tick. */
static int row_of(struct range range, bool log, int rows, int dots, double value)
{
    return scale_dot(&(struct scale){range.lo, range.hi, rows * dots - 1, 0, log}, value) / dots;
}

static void test_ticks_of_rows_stand_a_whole_number_of_rows_apart(void)
{
    uint32_t at_random = 5000;
    struct tick ticks[TICKS_MAX];
    for (int round = 0; round < 20000; round++) {
        bool log = round % 3 == 0;
        int rows = 4 + (int)(uniform(&at_random) * 60), dots = 1 + (int)(uniform(&at_random) * 4);
        double size = pow(10, uniform(&at_random) * 20 - 10), at = round % 4 ? size * (uniform(&at_random) * 4 - 2) : 0;
        struct range asked = {at, at + size}, range;
        if (log)
            asked = (struct range){size, size * pow(10, 1.01 + uniform(&at_random) * 20)};
        range = asked;
        size_t n = fit_rows(&range, log, rows, dots, rows * 2 / 5, ticks);
        check_ticks(ticks, n, range.lo, range.hi);
        double slack = (asked.hi - asked.lo) * 1e-9;
        CHECK(range.lo <= asked.lo + slack && range.hi >= asked.hi - slack && (asked.lo < 0 || range.lo >= 0));
        int step = 0, last = -1;
        for (size_t i = 0; i < n; i++) {
            int row = row_of(range, log, rows, dots, ticks[i].value);
            if (ticks[i].minor)
                continue;
            if (step && last - row != step)
                CHECK_FAIL("rows %d, %d apart after %d in [%g, %g] on %d rows", last - row, row, step, asked.lo,
                           asked.hi, rows);
            step = last >= 0 ? last - row : 0;
            last = row;
        }
        if (!log && rows >= 10 && !(range.hi - range.lo <= 1.5 * (asked.hi - asked.lo)))
            CHECK_FAIL("[%g, %g] became [%g, %g] on %d rows", asked.lo, asked.hi, range.lo, range.hi, rows);
    }
}

static void test_ticks_inside_a_decade_stand_two_rows_apart_and_align_at_the_point(void)
{
    uint32_t at_random = 70000;
    struct tick ticks[TICKS_MAX];
    for (int round = 0; round < 5000; round++) {
        int rows = 8 + (int)(uniform(&at_random) * 50), dots = 1 + (int)(uniform(&at_random) * 4);
        double lo = pow(10, uniform(&at_random) * 3 - 2);
        struct range range = {lo, lo * pow(10, 0.02 + 0.97 * uniform(&at_random))};
        size_t n = fit_rows(&range, true, rows, dots, rows * 2 / 5, ticks);
        check_ticks(ticks, n, range.lo, range.hi);
        CHECK(n >= 1);
        for (size_t i = 1; i < n; i++) {
            const char *point = strchr(ticks[i].label, '.'), *before = strchr(ticks[i - 1].label, '.');
            CHECK_EQ(point ? strlen(point) : 0, before ? strlen(before) : 0);
            CHECK(row_of(range, true, rows, dots, ticks[i - 1].value) -
                      row_of(range, true, rows, dots, ticks[i].value) >=
                  2);
        }
    }
}

static void test_between_decades_stands_what_has_room(void)
{
    struct tick ticks[TICKS_MAX];
    struct range range = {0.01, 9.9};
    CHECK_EQ(fit_rows(&range, true, 30, 4, 8, ticks), 10);
    CHECK_STR(ticks[1].label, "0.02");
    range = (struct range){0.03, 2};
    size_t n = fit_rows(&range, true, 13, 4, 5, ticks);
    CHECK(n >= 4);
    for (size_t i = 1; i < n; i++)
        CHECK_NEAR(log10(ticks[i].value / ticks[i - 1].value), 0.5, 0.03);
    range = (struct range){1e-6, 5};
    n = fit_rows(&range, true, 10, 4, 4, ticks);
    for (size_t i = 0; i < n; i++)
        CHECK(!ticks[i].minor);
}

static void test_the_extreme_is_found_wherever_it_lies(void)
{
    uint32_t at_random = 900;
    for (int round = 0; round < 60; round++) {
        struct series s = {0};
        size_t n = (size_t)(uniform(&at_random) * 3000) + 1, least = n, most = n;
        for (size_t i = 0; i < n; i++) {
            double y = uniform(&at_random) < 0.01f ? NAN : floor(uniform(&at_random) * 500);
            series_append(&s, (double)i, y);
            least = !isnan(y) && (least == n || y < s.y[least]) ? i : least;
            most = !isnan(y) && (most == n || y > s.y[most]) ? i : most;
        }
        least = least == n ? s.n : least;
        CHECK_EQ(series_extreme(&s, false), least);
        CHECK_EQ(series_extreme(&s, true), most == n ? s.n : most);
        series_release(&s);
    }
    struct series none = {0};
    CHECK_EQ(series_extreme(&none, true), 0);
}

static void test_log_ticks_are_decades_with_minors_or_linear_below_one_decade(void)
{
    struct tick t[TICKS_MAX];
    uint32_t at = 12000000;
    for (int round = 0; round < 20000; round++) {
        double lo = pow(10, uniform(&at) * 20 - 10), hi = lo * pow(10, 0.05 + uniform(&at) * 12);
        check_ticks(t, ticks_make(TICKS_NUMBER, true, lo, hi, 2 + round % 8, 0, t), lo, hi);
    }
    CHECK_EQ(ticks_make(TICKS_NUMBER, true, 0.01, 10, 6, 0, t), 10);
    CHECK_STR(t[0].label, "0.01");
    CHECK(!t[0].minor && t[1].minor);
    CHECK_STR(t[1].label, "0.02");
    CHECK_STR(t[9].label, "10");
    size_t n = ticks_make(TICKS_NUMBER, true, 0.2, 0.5, 4, 0, t);
    CHECK(n >= 3 && !t[0].minor);
}

static void test_epochs_have_no_fractions_and_times_read_as_times(void)
{
    struct tick t[TICKS_MAX];
    CHECK_EQ(ticks_make(TICKS_INTEGER, false, 0, 3, 10, 0, t), 4);
    CHECK_STR(t[3].label, "3");
    CHECK_EQ(ticks_make(TICKS_INTEGER, false, 0, 40000, 4, 0, t), 5);
    CHECK_STR(t[1].label, "10k");
    CHECK_EQ(ticks_make(TICKS_DURATION, false, 0, 300, 5, 0, t), 6);
    CHECK_STR(t[0].label, "0");
    CHECK_STR(t[1].label, "1m");
    ticks_make(TICKS_DURATION, false, 0, 2.5, 5, 0, t);
    CHECK_STR(t[0].label, "0");
    CHECK_STR(t[1].label, "0.5s");
    ticks_make(TICKS_DURATION, false, 0, 100, 6, 0, t);
    CHECK_STR(t[4].label, "1m");
    CHECK_STR(t[5].label, "1m15s");
    ticks_make(TICKS_CLOCK, false, 1700000000, 1700003600, 6, 3600, t); /* 22:13:20 UTC, shown one hour east of it */
    CHECK_STR(t[0].label, "23:20");
    CHECK_EQ(ticks_make(TICKS_NUMBER, false, 1, 1, 5, 0, t), 0);
    CHECK_EQ(ticks_make(TICKS_NUMBER, false, NAN, 1, 5, 0, t), 0);
}

static void test_clock_labels_of_many_days_are_distinct(void)
{
    struct tick t[TICKS_MAX];
    for (double span = 5; span < 4e8; span *= 1.37)
        check_ticks(t, ticks_make(TICKS_CLOCK, false, 1.7e9, 1.7e9 + span, 7, -5 * 3600, t), 1.7e9, 1.7e9 + span);
    for (double span = 5; span < 4e8; span *= 1.37)
        check_ticks(t, ticks_make(TICKS_DURATION, false, 0, span, 7, 0, t), 0, span);
}

static void test_numbers_are_written_as_people_read_them(void)
{
    char t[64];
    CHECK_STR(format_value(t, sizeof t, 0.034128, 3), "0.0341");
    CHECK_STR(format_value(t, sizeof t, 0.99996, 4), "1.000");
    CHECK_STR(format_value(t, sizeof t, 12.4, 4), "12.40");
    CHECK_STR(format_value(t, sizeof t, 1.25e-5, 4), "1.250e-5");
    CHECK_STR(format_value(t, sizeof t, NAN, 4), "NaN");
    CHECK_STR(format_value(t, sizeof t, -INFINITY, 4), "-inf");
    CHECK_STR(format_short(t, sizeof t, 0.001), "1e-3");
    CHECK_STR(format_short(t, sizeof t, 0.1), "0.1");
    CHECK_STR(format_short(t, sizeof t, 32), "32");
    CHECK_STR(format_short(t, sizeof t, 0.00025), "2.5e-4");
    CHECK_STR(format_count(t, sizeof t, 17244), "17,244");
    CHECK_STR(format_count(t, sizeof t, -1234567), "-1,234,567");
    CHECK_STR(format_count(t, sizeof t, -123), "-123");
    CHECK_STR(format_duration(t, sizeof t, 102), "1m42s");
    CHECK_STR(format_duration(t, sizeof t, 0.42), "0.4s");
    CHECK_STR(format_duration(t, sizeof t, 11220), "3h07m");
    CHECK_STR(format_bytes(t, sizeof t, 293888), "287 K");
    CHECK_STR(format_bytes(t, sizeof t, 1258291), "1.2 M");
}

int main(void)
{
    RUN(test_a_query_of_the_pyramid_equals_a_scan);
    RUN(test_truncating_and_appending_again_keeps_the_pyramid_exact);
    RUN(test_many_samples_at_once_are_the_same_as_one_by_one);
    RUN(test_a_sample_before_the_end_supersedes_the_tail);
    RUN(test_smoothing_matches_the_reference_of_tensorboard);
    RUN(test_a_scale_goes_there_and_back);
    RUN(test_a_padded_range_is_never_empty_and_honest_about_zero);
    RUN(test_a_robust_range_drops_spikes_and_nothing_else);
    RUN(test_a_live_axis_jumps_seldom);
    RUN(test_ticks_are_inside_distinct_and_enough_for_ranges_of_every_size);
    RUN(test_ticks_of_rows_stand_a_whole_number_of_rows_apart);
    RUN(test_ticks_inside_a_decade_stand_two_rows_apart_and_align_at_the_point);
    RUN(test_between_decades_stands_what_has_room);
    RUN(test_the_extreme_is_found_wherever_it_lies);
    RUN(test_log_ticks_are_decades_with_minors_or_linear_below_one_decade);
    RUN(test_epochs_have_no_fractions_and_times_read_as_times);
    RUN(test_clock_labels_of_many_days_are_distinct);
    RUN(test_numbers_are_written_as_people_read_them);
    return check_done();
}
