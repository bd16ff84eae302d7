/* Histories become lines: axes, the parent's part, families; and meanings become looks. */
#include "../check.h"

#include "tui/client/curves.h"
#include "tui/terminal/grid.h"

static const int64_t epochs[] = {1, 2, 3, 4}, steps[] = {45, 90, 135, 180}, crowded[] = {1, 1, 2, 2};
static const double times[] = {1000, 1010, 1030, 1060}, values[] = {2, 1, NAN, 0.5};

static struct metric_series history(size_t n_inherited)
{
    return (struct metric_series){"val_loss", 4, epochs, steps, times, values, n_inherited};
}

static void test_each_axis_has_its_own_x(void)
{
    static const double want[][4] = {[AXIS_EPOCH] = {1, 2, 3, 4},
                                     [AXIS_STEP] = {45, 90, 135, 180},
                                     [AXIS_RELATIVE] = {0, 10, 30, 60},
                                     [AXIS_CLOCK] = {1000, 1010, 1030, 1060},
                                     [AXIS_FORK] = {-45, 0, 45, 90}};
    struct metric_series from = history(2);
    struct curve_origin origin = curve_origin(&from, 1);
    for (int axis = AXIS_EPOCH; axis <= AXIS_FORK; axis++) {
        struct series series = {0};
        double fork = curve_fill(&from, (enum curve_axis)axis, origin, &series);
        CHECK_EQ(series.n, 4);
        CHECK_EQ(series.n_bad, 1);
        for (int i = 0; i < 4; i++)
            CHECK_NEAR(series.x[i], want[axis][i], 0);
        CHECK_NEAR(fork, want[axis][1], 0);
        CHECK(*curve_axis_name((enum curve_axis)axis));
        series_release(&series);
    }
}

static void test_the_last_batch_of_a_pass_counts_what_it_holds(void)
{
    static const struct curve_leg legs[] = {{0, 32, 100, 0}, {8, 50, 100, 200}};
    struct curve_origin origin = {.legs = legs, .n_legs = 2}; /* 4 steps a pass, then 2 */
    static const double want[] = {0, 32, 64, 96, 100, 132, 164, 196, 200, 250, 300, 350};
    for (int step = 0; step < 12; step++)
        CHECK_NEAR(curve_x(AXIS_SAMPLES, origin, 1, step, 0), want[step], 0);
    const struct curve_leg unknown = {0, 32, 0, 0};
    CHECK_NEAR(curve_leg_samples(&unknown, 4), 128, 0);
}

static void test_a_run_without_a_parent_has_no_fork(void)
{
    struct metric_series from = history(0);
    struct series series = {0};
    CHECK(isnan(curve_fill(&from, AXIS_STEP, curve_origin(&from, 1), &series)));
    series_release(&series);
}

static void test_several_values_an_epoch_are_drawn_over_steps(void)
{
    struct metric_series from = history(0);
    CHECK_EQ(curve_axis_for(&from, 1), AXIS_EPOCH);
    from.epoch = crowded;
    CHECK_EQ(curve_axis_for(&from, 1), AXIS_STEP);
    CHECK_EQ(curve_axis_for(NULL, 0), AXIS_EPOCH);
}

static void test_training_and_validation_are_one_family(void)
{
    CHECK_STR(curve_family("val_loss"), "loss");
    CHECK_STR(curve_family("loss"), "loss");
    CHECK_STR(curve_family("value"), "value");
    CHECK(curve_is_validation("val_accuracy") && !curve_is_validation("interval_loss"));
}

static void test_every_meaning_shows_with_and_without_colours(void)
{
    for (int style = 0; style < STYLE_COUNT; style++) {
        struct look mono = theme_look((struct theme){.depth = COLORS_NONE}, (enum style)style, 0, 1, 2);
        struct look selected = theme_look((struct theme){.depth = COLORS_NONE}, (enum style)style, CELL_SELECTED, 1, 2);
        CHECK(mono.ink == -1 && mono.ground == -1 && selected.ink == -1 && selected.ground == -1);
        CHECK(selected.attributes & LOOK_REVERSE);
        CHECK(theme_look((struct theme){.depth = COLORS_16}, (enum style)style, 0, 1, 2).ink < 16);
        for (int light = 0; light < 2; light++)
            CHECK(
                theme_look((struct theme){.depth = COLORS_256, .light = light}, (enum style)style, CELL_SELECTED, 1, 2)
                    .ground >= 0);
    }
    for (int k = 0; k < CHART_COLORS; k++) {
        CHECK_EQ(theme_chart_style(CHART_SERIES + k), STYLE_SERIES + k);
        CHECK_EQ(theme_chart_style(CHART_SERIES_DIM + k), STYLE_SERIES_DIM + k);
    }
    CHECK_EQ(theme_chart_style(CHART_BAD), STYLE_CHART_BAD);
    CHECK_EQ(theme_look((struct theme){.depth = COLORS_256}, STYLE_IMAGE, 0, 40, 50).ground, 50);
}

int main(void)
{
    RUN(test_each_axis_has_its_own_x);
    RUN(test_the_last_batch_of_a_pass_counts_what_it_holds);
    RUN(test_a_run_without_a_parent_has_no_fork);
    RUN(test_several_values_an_epoch_are_drawn_over_steps);
    RUN(test_training_and_validation_are_one_family);
    RUN(test_every_meaning_shows_with_and_without_colours);
    return check_done();
}
