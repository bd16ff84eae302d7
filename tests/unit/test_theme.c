/* Themes measured: contrast of every meaning against its ground as WCAG 2 counts it, and how far apart the colours of
 * lines are for whoever sees all of them and for whoever lacks red or green (Machado, Oliveira, Fernandes 2009). */
#include "../check.h"

#include "plots/chart.h"
#include "tui/terminal/grid.h"
#include "tui/terminal/theme.h"

struct color {
    double r, g, b; /* linear */
};

static double linear(int byte)
{
    double c = byte / 255.0;
    return c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
}

/* Of the 256: a cube of 6 x 6 x 6 and greys. */
static struct color palette(int index)
{
    static const int level[] = {0, 95, 135, 175, 215, 255};
    if (index >= 232) {
        double grey = linear(8 + (index - 232) * 10);
        return (struct color){grey, grey, grey};
    }
    int k = index - 16;
    return (struct color){linear(level[k / 36]), linear(level[k / 6 % 6]), linear(level[k % 6])};
}

static double luminance(struct color c)
{
    return 0.2126 * c.r + 0.7152 * c.g + 0.0722 * c.b;
}

static double contrast(struct color a, struct color b)
{
    double x = luminance(a) + 0.05, y = luminance(b) + 0.05;
    return x > y ? x / y : y / x;
}

enum sight { ALL_COLORS, NO_RED, NO_GREEN, SIGHTS };

static struct color seen(struct color c, enum sight sight)
{
    static const double m[SIGHTS][9] = {
        {1, 0, 0, 0, 1, 0, 0, 0, 1},
        {0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998},
        {0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881}};
    double out[3];
    for (int i = 0; i < 3; i++)
        out[i] = fmin(1, fmax(0, m[sight][3 * i] * c.r + m[sight][3 * i + 1] * c.g + m[sight][3 * i + 2] * c.b));
    return (struct color){out[0], out[1], out[2]};
}

static double lab_part(double t)
{
    return t > 0.008856 ? cbrt(t) : 7.787 * t + 16.0 / 116;
}

static double distance(struct color a, struct color b)
{
    double lab[2][3];
    const struct color both[] = {a, b};
    for (int k = 0; k < 2; k++) {
        struct color c = both[k];
        double x = lab_part((0.4124 * c.r + 0.3576 * c.g + 0.1805 * c.b) / 0.95047), y = lab_part(luminance(c)),
               z = lab_part((0.0193 * c.r + 0.1192 * c.g + 0.9505 * c.b) / 1.08883);
        lab[k][0] = 116 * y - 16, lab[k][1] = 500 * (x - y), lab[k][2] = 200 * (y - z);
    }
    return sqrt(pow(lab[0][0] - lab[1][0], 2) + pow(lab[0][1] - lab[1][1], 2) + pow(lab[0][2] - lab[1][2], 2));
}

static struct color ground(bool light)
{
    return light ? (struct color){1, 1, 1} : (struct color){linear(30), linear(30), linear(30)};
}

static int ink(enum theme_name name, bool light, int style)
{
    return theme_look(theme_make(name, COLORS_256, light), (enum style)style, 0, 0, 0).ink;
}

static double wanted_contrast(int style)
{
    if (style >= STYLE_SERIES_DIM)
        return 1.5; /* behind, on purpose */
    if (style == STYLE_CHART_AXIS || style == STYLE_CHART_CURSOR || style == STYLE_MARK)
        return 3;                           /* lines; those of series lend their colour to names and values */
    return style == STYLE_BORDER ? 2 : 4.5; /* rules between panes are an ornament; everything else is text */
}

static void test_everything_can_be_read_on_its_ground(void)
{
    static const enum theme_name names[] = {THEME_DARK, THEME_LIGHT, THEME_COLORBLIND, THEME_COLORBLIND};
    for (int k = 0; k < 4; k++)
        for (int style = 0; style < STYLE_COUNT; style++) {
            bool light = k % 2;
            int index = ink(names[k], light, style);
            double found = index < 16 ? 21 : contrast(palette(index), ground(light));
            if (found < wanted_contrast(style))
                CHECK_FAIL("%s, %s: style %d has a contrast of %.2f, wanted %.1f", theme_table[names[k]].name,
                           light ? "light" : "dark", style, found, wanted_contrast(style));
        }
}

/* The other greys of light terminals, and the ground of a selected row. */
static void test_text_can_be_read_on_a_selected_row_and_on_cream(void)
{
    static const enum theme_name names[] = {THEME_DARK, THEME_LIGHT, THEME_COLORBLIND, THEME_COLORBLIND};
    const struct color cream = {linear(253), linear(246), linear(227)};
    for (int k = 0; k < 4; k++)
        for (int style = 0; style < STYLE_COUNT; style++) {
            bool light = k % 2;
            struct theme theme = theme_make(names[k], COLORS_256, light);
            struct look look = theme_look(theme, (enum style)style, CELL_SELECTED, 0, 0);
            double wanted = wanted_contrast(style);
            if (wanted < 4.5 || style >= STYLE_SERIES || look.ink < 16 || style == STYLE_IMAGE)
                continue;
            double on_row = contrast(palette(look.ink), palette(look.ground)),
                   on_cream = light ? contrast(palette(ink(names[k], light, style)), cream) : 21;
            if (on_row < wanted || on_cream < wanted)
                CHECK_FAIL("%s, %s: style %d has a contrast of %.2f on a selected row, %.2f on cream",
                           theme_table[names[k]].name, light ? "light" : "dark", style, on_row, on_cream);
        }
}

static double nearest_two(enum theme_name name, bool light, enum sight sight)
{
    double least = INFINITY;
    for (int a = 0; a < CHART_COLORS; a++)
        for (int b = a + 1; b < CHART_COLORS; b++)
            least = fmin(least, distance(seen(palette(ink(name, light, STYLE_SERIES + a)), sight),
                                         seen(palette(ink(name, light, STYLE_SERIES + b)), sight)));
    return least;
}

static void test_lines_are_told_apart_by_colour(void)
{
    CHECK(nearest_two(THEME_DARK, false, ALL_COLORS) > 25);
    CHECK(nearest_two(THEME_LIGHT, true, ALL_COLORS) > 18);
}

static void test_the_colorblind_theme_is_told_apart_without_red_or_green(void)
{
    for (int light = 0; light < 2; light++)
        for (int sight = ALL_COLORS; sight < SIGHTS; sight++) {
            double least = nearest_two(THEME_COLORBLIND, light, (enum sight)sight);
            if (!(least > 22))
                CHECK_FAIL("%s ground, sight %d: two lines are only %.1f apart", light ? "light" : "dark", sight,
                           least);
        }
    CHECK(theme_wants_markers(theme_make(THEME_COLORBLIND, COLORS_256, false)));
}

/* The most used pair of meanings. */
static void test_good_and_bad_are_told_apart_without_red_or_green(void)
{
    for (int light = 0; light < 2; light++)
        for (int sight = ALL_COLORS; sight < SIGHTS; sight++)
            CHECK(distance(seen(palette(ink(THEME_COLORBLIND, light, STYLE_GOOD)), (enum sight)sight),
                           seen(palette(ink(THEME_COLORBLIND, light, STYLE_ERROR)), (enum sight)sight)) > 40);
}

static void test_a_theme_uses_no_more_colours_than_there_are(void)
{
    CHECK_EQ(theme_make(THEME_DARK, COLORS_16, false).depth, COLORS_16);
    CHECK_EQ(theme_make(THEME_16, COLORS_256, false).depth, COLORS_16);
    CHECK_EQ(theme_make(THEME_COLORBLIND, COLORS_NONE, false).depth, COLORS_NONE);
    CHECK_EQ(theme_make(THEME_NONE, COLORS_256, false).depth, COLORS_NONE);
    CHECK(!theme_make(THEME_DARK, COLORS_256, true).light && theme_make(THEME_AUTO, COLORS_256, true).light);
    CHECK(theme_wants_markers(theme_make(THEME_NONE, COLORS_256, false)));
    CHECK(!theme_wants_markers(theme_make(THEME_AUTO, COLORS_256, false)));
}

static void test_a_theme_has_a_name(void)
{
    for (int k = 0; k < THEME_COUNT; k++)
        CHECK_EQ(theme_parse(theme_table[k].name), (enum theme_name)k);
    CHECK_EQ(theme_parse("pink"), THEME_AUTO);
    CHECK_EQ(theme_parse(NULL), THEME_AUTO);
}

int main(void)
{
    RUN(test_everything_can_be_read_on_its_ground);
    RUN(test_text_can_be_read_on_a_selected_row_and_on_cream);
    RUN(test_lines_are_told_apart_by_colour);
    RUN(test_the_colorblind_theme_is_told_apart_without_red_or_green);
    RUN(test_good_and_bad_are_told_apart_without_red_or_green);
    RUN(test_a_theme_uses_no_more_colours_than_there_are);
    RUN(test_a_theme_has_a_name);
    return check_done();
}
