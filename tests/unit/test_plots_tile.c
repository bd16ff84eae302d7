/* Sparklines, bars, shades and images in cells. */
#include "../check.h"

#include "base/str.h"
#include "plots/chart.h"
#include "plots/tile.h"

static const char *text_of(const uint32_t *ch, int n)
{
    static struct str out;
    static struct chart_cell cells[256];
    for (int i = 0; i < n; i++)
        cells[i] = (struct chart_cell){ch[i], 0};
    str_clear(&out);
    chart_text(cells, n, 1, n, &out);
    return str_text(&out);
}

static void test_a_sparkline_spans_its_values_and_leaves_gaps(void)
{
    const float values[] = {8, 7, 6, NAN, 4, 3, 2, 1, INFINITY};
    uint32_t out[16];
    tile_spark(values, 9, false, out, 9);
    CHECK_STR(text_of(out, 9), "█▇▆ ▄▃▂▁×\n");
    tile_spark(values, 9, true, out, 9);
    CHECK_STR(text_of(out, 9), "#*+ -:._x\n");
    tile_spark(values, 9, false, out, 3);
    CHECK_STR(text_of(out, 3), "█▁×\n");
    tile_spark(values, 0, false, out, 4);
    CHECK_STR(text_of(out, 4), "\n");
}

static void test_a_bar_grows_by_eighths(void)
{
    uint32_t out[8];
    tile_bar(0.5, false, out, 4);
    CHECK_STR(text_of(out, 4), "██\n");
    tile_bar(1.0 / 8, false, out, 4);
    CHECK_STR(text_of(out, 4), "▌\n");
    tile_bar(1e-9, false, out, 4);
    CHECK_STR(text_of(out, 4), "▏\n");
    tile_bar(7, false, out, 4);
    CHECK_STR(text_of(out, 4), "████\n");
    tile_bar(NAN, true, out, 4);
    CHECK_STR(text_of(out, 4), "\n");
    tile_bar(0.75, true, out, 4);
    CHECK_STR(text_of(out, 4), "###\n");
}

static void test_an_image_keeps_its_proportions_and_its_grey(void)
{
    int rows, cols;
    tile_fit(28, 28, 20, 80, &rows, &cols);
    CHECK_EQ(rows, 14);
    CHECK_EQ(cols, 28);
    tile_fit(28, 28, 7, 80, &rows, &cols);
    CHECK_EQ(rows, 7);
    CHECK_EQ(cols, 14);
    const float image[] = {0, 1, 1, 0};
    struct tile_cell cell[2];
    tile_image(image, 2, 2, 1, TILE_256, cell, 1, 2);
    CHECK_EQ(cell[0].ch, 0x2580);
    CHECK_EQ(cell[0].ink, 16);
    CHECK_EQ(cell[0].ground, 231);
    CHECK_EQ(cell[1].ink, 231);
    tile_image(image, 2, 2, 1, TILE_BLOCKS, cell, 1, 2);
    CHECK_EQ(cell[0].ch, 0x2584);
    tile_image(image, 2, 2, 1, TILE_ASCII, cell, 1, 1);
    CHECK_EQ(cell[0].ch, '=');
}

static void test_every_depth_shows_the_colours_it_has(void)
{
    const float red_over_blue[] = {1, 0, 0, 0, 0, 1};
    struct tile_cell cell[16];
    tile_image(red_over_blue, 2, 1, 3, TILE_TRUE, cell, 1, 1);
    CHECK_EQ(cell[0].ink, TILE_RGB | 0xFF0000);
    CHECK_EQ(cell[0].ground, TILE_RGB | 0x0000FF);
    CHECK(cell[0].colored);
    tile_image(red_over_blue, 2, 1, 3, TILE_256, cell, 1, 1);
    CHECK_EQ(cell[0].ink, 196);
    tile_image(red_over_blue, 2, 1, 3, TILE_16, cell, 1, 1);
    CHECK(cell[0].ink == 9 || cell[0].ink == 1);
    CHECK(cell[0].ground == 4 || cell[0].ground == 12);
}

static void test_sixteen_colours_show_a_grey_between_two_of_them_together(void)
{
    static const double level[16] = {[8] = 127, [7] = 229, [15] = 255};
    float grey[64];
    struct tile_cell cell[32];
    double sum = 0;
    for (int i = 0; i < 64; i++)
        grey[i] = 0.7f;
    tile_image(grey, 8, 8, 1, TILE_16, cell, 4, 8);
    for (int i = 0; i < 32; i++)
        sum += level[cell[i].ink & 15] + level[cell[i].ground & 15];
    CHECK_NEAR(sum / 64 / 255, 0.7, 0.1);
}

static void test_without_colours_yellow_is_brighter_than_blue(void)
{
    const float yellow[] = {1, 1, 0, 1, 1, 0}, blue[] = {0, 0, 1, 0, 0, 1};
    struct tile_cell cell[2];
    tile_image(yellow, 2, 1, 3, TILE_ASCII, &cell[0], 1, 1);
    tile_image(blue, 2, 1, 3, TILE_ASCII, &cell[1], 1, 1);
    CHECK_EQ(cell[0].ch, '%');
    CHECK_EQ(cell[1].ch, '.');
    CHECK(!cell[0].colored);
}

static void test_palette_entries_are_their_own_nearest(void)
{
    CHECK_EQ(tile_palette(0, 0, 0), 16);
    CHECK_EQ(tile_palette(255, 255, 255), 231);
    CHECK_EQ(tile_palette(255, 0, 0), 196);
    CHECK_EQ(tile_palette(118, 118, 118), 243);
}

static void test_shades_grow_with_their_share_and_can_be_written_on(void)
{
    CHECK_EQ(tile_shade(0, false), ' ');
    CHECK_EQ(tile_shade(1e-6, false), 0x2591);
    CHECK_EQ(tile_shade(1, false), 0x2588);
    CHECK_EQ(tile_shade(NAN, true), ' ');
    CHECK_EQ(tile_shade(0.5, true), ':');
    for (int light = 0; light < 2; light++)
        for (int k = 0; k <= 20; k++) {
            int ground = tile_heat(k / 20.0, light), ink = tile_ink(k / 20.0, light);
            CHECK(ground >= 16 && ground <= 255 && ground != ink);
        }
    CHECK(tile_heat(0, false) != tile_heat(1, false));
}

int main(void)
{
    RUN(test_a_sparkline_spans_its_values_and_leaves_gaps);
    RUN(test_a_bar_grows_by_eighths);
    RUN(test_an_image_keeps_its_proportions_and_its_grey);
    RUN(test_every_depth_shows_the_colours_it_has);
    RUN(test_sixteen_colours_show_a_grey_between_two_of_them_together);
    RUN(test_without_colours_yellow_is_brighter_than_blue);
    RUN(test_palette_entries_are_their_own_nearest);
    RUN(test_shades_grow_with_their_share_and_can_be_written_on);
    return check_done();
}
