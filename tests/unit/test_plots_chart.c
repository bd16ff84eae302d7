/* Whole charts: literal pictures, every size, the same chart as SVG and pixels. */
#include "../check.h"

#include "base/arena.h"
#include "base/rng.h"
#include "plots/chart.h"

static const char *drawn(const struct chart *chart, enum rung rung, int width, int height)
{
    static struct str out;
    struct chart_cell *cells = xcalloc((size_t)width * (size_t)height, sizeof *cells);
    chart_draw(chart, rung, cells, width, height, width);
    str_clear(&out);
    chart_text(cells, width, height, width, &out);
    free(cells);
    return str_text(&out);
}

static struct series loss, val, smooth;
static struct chart_line lines[2];
static struct chart_mark marks[5];

static struct chart example(void)
{
    series_release(&loss);
    series_release(&val);
    series_release(&smooth);
    for (int i = 0; i <= 50; i++)
        series_append(&loss, i, 2.0 / (1 + i / 4.0) + 0.02 * (i % 3));
    for (int i = 1; i <= 5; i++)
        series_append(&val, 10 * i, 2.4 / (1 + i) + 0.05 * i);
    series_smooth(&loss, 0.8, &smooth);
    lines[0] = (struct chart_line){.series = &loss, .name = "loss", .fork_x = NAN};
    lines[1] = (struct chart_line){.series = &val, .name = "val_loss", .color = 1, .dashed = true, .fork_x = NAN};
    for (int i = 0; i < 5; i++)
        marks[i] = (struct chart_mark){10 * (i + 1), i == 3 ? MARK_BEST : i == 4 ? MARK_LAST : MARK_CHECKPOINT, false};
    struct chart chart = CHART_INIT;
    chart.title = "loss", chart.x_name = "step", chart.lines = lines, chart.n_lines = 2;
    chart.marks = marks, chart.n_marks = 5;
    return chart;
}

static void test_a_braille_chart_looks_like_this(void)
{
    struct chart chart = example();
    CHECK_STR(drawn(&chart, RUNG_BRAILLE, 60, 14), "      loss\n"
                                                   "     │\n"
                                                   " 2.0 ┤⡀\n"
                                                   "     │⢱\n"
                                                   " 1.5 ┤ ⢣\n"
                                                   "     │  ⢇      ⣀\n"
                                                   " 1.0 ┤  ⠘⢄      ⠉ ⠒⠤⢄\n"
                                                   "     │    ⠉⠢⡀         ⠉⠑⠒ ⠢⠤⠤ ⢄⣀⣀ ⣀⣀⣀\n"
                                                   " 0.5 ┤      ⠈⠑⠢⠤⢄⣀⣀                   ⠉⠉⠉ ⠉⠉⠉ ⠒⠒⠒ ⠒ val_loss\n"
                                                   "     │             ⠉⠉⠑⠒⠒⠢⠤⠤⠤⠤⢄⣀⡠⢄⣀⣀ ⣀⡀ ⢀⡀\n"
                                                   " 0.0 ┤                             ⠉ ⠈⠉⠁⠈⠉⠉⠉⠉⠉⠉⠉⠑⠉⠉ loss\n"
                                                   "     └┬────────┬────────┬───────┬────────┬────────┬\n"
                                                   "      0       10       20      30       40       50 step\n"
                                                   "ckpt           ◇        ◇       ◇        ◆        ●\n");
}

static void test_an_ascii_chart_with_a_log_axis_looks_like_this(void)
{
    struct chart chart = example();
    chart.log_y = true;
    chart.legend = true;
    CHECK_STR(drawn(&chart, RUNG_ASCII, 60, 14), "      loss                              * loss  o val_loss\n"
                                                 "   2 +*\n"
                                                 "     | **\n"
                                                 "     |  **       ooooo\n"
                                                 "   1 +    ***         oooooooooooooo\n"
                                                 "     |       *****                  oooooooooooooooooooooooo\n"
                                                 " 0.5 +            ****\n"
                                                 "     |                ******* *\n"
                                                 "     |                      ** ******** *\n"
                                                 " 0.2 +                                ** ********** **  *  *\n"
                                                 "     |                                         *   *  *****\n"
                                                 "     ++----------+---------+----------+---------+----------+\n"
                                                 "      0         10        20         30        40         50\n"
                                                 "ckpt             o         o          o         *          @\n");
}

/* An accuracy near 1 runs where the text usually stands. */
static void test_what_is_said_beside_the_cursor_hides_no_curve(void)
{
    struct series high = {0};
    for (int i = 0; i <= 40; i++)
        series_append(&high, i, 1 - 0.5 / (1 + i * i));
    struct chart_line line = {.series = &high, .name = "accuracy", .fork_x = NAN};
    struct chart chart = CHART_INIT;
    chart.lines = &line, chart.n_lines = 1, chart.x_name = "epoch", chart.cursor_x = 6;
    CHECK_STR(drawn(&chart, RUNG_BRAILLE, 60, 12), "     │      ┊\n"
                                                   "1.00 ┤   ⢀⠤⠒⠒⠒⠊⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉ accuracy\n"
                                                   "     │  ⡔⠁  ┊\n"
                                                   "     │ ⢰⠁   ┊\n"
                                                   "     │ ⡜    ┊\n"
                                                   "0.75 ┤ ⡇    ┊\n"
                                                   "     │⢰⠁    ┊\n"
                                                   "     │⢸     ┊\n"
                                                   "     │⡎     ┊ epoch 6\n"
                                                   "0.50 ┤⠁     ┊ accuracy 0.9865\n"
                                                   "     └┬──────────┬──────────┬──────────┬──────────┬\n"
                                                   "      0         10         20         30         40 epoch\n");
    series_release(&high);
}

static void test_a_cursor_tells_the_exact_values_beside_it(void)
{
    struct chart chart = example();
    lines[0].smooth = &smooth;
    chart.cursor_x = 40;
    chart.n_marks = 0;
    CHECK_STR(drawn(&chart, RUNG_BRAILLE, 60, 10), "      loss\n"
                                                   "   2 ┤⡀   step 40                        ┊\n"
                                                   "     │⠘⢄  loss 0.2018 (smooth 0.2223)    ┊\n"
                                                   "     │ ⠱⠱ val_loss 0.6800                ┊\n"
                                                   "   1 ┤  ⠘⢄⠉⠢⡀  ⠉⠑ ⠢⠤⠤ ⣀                  ┊\n"
                                                   "     │    ⠉⠒⠈⠉⠑⠢⢄⣀     ⠉⠉ ⠑⠒⠒ ⠢⠤⠤ ⠤⠤⠤ ⣀⣀⣀┊⣀⣀⣀ ⣀⣀⣀ ⣀ val_loss\n"
                                                   "     │       ⠈⠉⠉⠑⠒⠉⠉⠑⠒⠒⠢⠤⠤⠤⣀⣀⣀⣀⣀⣀        ┊\n"
                                                   "   0 ┤                     ⠉ ⠈⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠒⠒⠒⠒⠒⠒⠒ loss\n"
                                                   "     └┬────────┬────────┬───────┬────────┬────────┬\n"
                                                   "      0       10       20      30       40       50 step\n");
}

static void test_a_diverged_run_is_marked_where_it_happened(void)
{
    struct series s = {0};
    for (int i = 0; i < 30; i++)
        series_append(&s, i, i < 20 ? 1 + i * 0.1 : i == 20 ? INFINITY : NAN);
    struct chart_line line = {.series = &s, .name = "loss", .fork_x = NAN};
    struct chart chart = CHART_INIT;
    chart.title = "loss", chart.x_name = "epoch", chart.lines = &line, chart.n_lines = 1;
    const char *text = drawn(&chart, RUNG_BRAILLE, 50, 8);
    CHECK_HAS(text, "inf from epoch 20");
    CHECK_HAS(text, "▲");
    CHECK_HAS(text, "×××");
    series_release(&s);
}

static void test_a_legend_without_room_counts_what_it_leaves_out(void)
{
    struct chart chart = example();
    chart.legend = true;
    const char *text = drawn(&chart, RUNG_BRAILLE, 34, 10);
    CHECK_HAS(text, "─ loss  +1\n");
    CHECK(!strstr(text, "val_loss"));
}

/* Cells of the plot whose style is a line's, left and right of a column. */
static void count_styles(const struct chart *chart, int column, int style, int *left, int *right)
{
    enum { W = 60, H = 12 };
    static struct chart_cell cells[W * H];
    *left = *right = 0;
    chart_draw(chart, RUNG_BRAILLE, cells, W, H, W);
    for (int i = 0; i < W * H; i++)
        if (cells[i].style == style)
            ++*(i % W <= column ? left : right);
}

static void test_the_part_of_the_parent_is_dim_up_to_the_fork(void)
{
    struct chart chart = example();
    int left, right;
    chart.n_lines = 1, chart.n_marks = 0, chart.legend = true;
    lines[0].fork_x = 25;
    struct chart_place place = chart_place(&chart, RUNG_BRAILLE, 60, 12);
    int fork = place.left + scale_dot(&place.x, 25) / 2;
    count_styles(&chart, fork, CHART_SERIES_DIM, &left, &right);
    CHECK(left > 10 && right == 0);
    count_styles(&chart, fork, CHART_SERIES, &left, &right);
    CHECK(left == 0 && right > 10);
}

static void test_what_is_dim_lies_behind_what_is_bright(void)
{
    struct chart chart = example();
    int left, right;
    lines[1] = (struct chart_line){.series = &loss, .color = 3, .fork_x = 25};
    count_styles(&chart, 60, CHART_SERIES_DIM + 3, &left, &right);
    CHECK_EQ(left, 0); /* the same dots, all covered by the bright line */
    lines[1].fork_x = NAN;
    lines[1].dim = true;
    count_styles(&chart, 60, CHART_SERIES_DIM + 3, &left, &right);
    CHECK_EQ(left, 0);
    lines[0].dim = true;
    lines[1].dim = false;
    count_styles(&chart, 60, CHART_SERIES_DIM, &left, &right);
    CHECK_EQ(left, 0);
}

static void test_values_a_log_axis_cannot_show_are_counted_and_left_out(void)
{
    struct series s = {0};
    for (int i = 0; i < 10; i++)
        series_append(&s, i, i % 2 ? 0 : i + 1);
    struct chart_line line = {.series = &s, .fork_x = NAN};
    struct chart chart = CHART_INIT;
    chart.title = "x", chart.lines = &line, chart.n_lines = 1, chart.log_y = true;
    CHECK_HAS(drawn(&chart, RUNG_ASCII, 60, 8), "5 values <= 0 not on a log axis");
    series_release(&s);
}

static void test_a_clipped_spike_leaves_an_arrow(void)
{
    struct series s = {0};
    for (int i = 0; i < 300; i++)
        series_append(&s, i, i == 150 ? 1e6 : sin(i / 10.0));
    struct chart_line line = {.series = &s, .fork_x = NAN};
    struct chart chart = CHART_INIT;
    chart.lines = &line, chart.n_lines = 1, chart.clip = true;
    struct range x, y;
    chart_ranges(&chart, &x, &y);
    CHECK(y.hi < 2);
    CHECK_HAS(drawn(&chart, RUNG_BRAILLE, 60, 12), "▴");
    series_release(&s);
}

static struct chart hostile(uint32_t round, struct series *series, struct chart_line *line, struct chart_mark *mark)
{
    struct chart chart = CHART_INIT;
    static const char *const names[] = {
        "", "a", "val_loss", "日本語の名前", "\x1b[31mred", "very long name that never ends and goes on"};
    size_t n = 1 + round % 4;
    for (size_t k = 0; k < n; k++) {
        series_release(&series[k]);
        for (uint32_t i = 0; i < (round * 7 + k) % 90; i++) {
            uint32_t bits = rng_u32(3, RNG_STREAM_DATA, round, i + 1000 * k);
            double y = bits % 37 == 0   ? NAN
                       : bits % 41 == 0 ? -INFINITY
                       : bits % 43 == 0 ? 1e308
                                        : ((int)(bits % 2001) - 1000) / 300.0;
            series_append(&series[k], (double)i * (round % 5 ? 1 : 1e200), y);
        }
        line[k] = (struct chart_line){&series[k],
                                      round % 3 ? NULL : &series[(k + 1) % n],
                                      names[(round + k) % 6],
                                      (int)(round + k),
                                      round & 1,
                                      k == 3,
                                      round % 7 ? NAN : 20};
        mark[k] = (struct chart_mark){(double)(round % 60), (enum chart_mark_kind)((round + k) % 5), k == 1};
    }
    chart.title = names[round % 6], chart.x_name = round % 4 ? "step" : NULL, chart.lines = line, chart.n_lines = n;
    chart.marks = mark, chart.n_marks = n, chart.mark_line = (int)(round % 3) - 1,
    chart.x_kind = (enum tick_kind)(round % 4);
    chart.log_x = round % 11 == 0, chart.log_y = round % 5 == 0, chart.clip = round % 3 == 0, chart.legend = round & 1;
    chart.cursor_x = round % 2 ? 15 : NAN, chart.bare = round % 13 == 0;
    return chart;
}

static void test_a_chart_of_any_size_stays_inside_and_is_deterministic(void)
{
    enum { MAX_W = 120, MAX_H = 60, EDGE = 3, STRIDE = MAX_W + 2 * EDGE };
    static struct chart_cell field[2][(MAX_H + 2 * EDGE) * STRIDE];
    struct series series[4] = {0};
    struct chart_line line[4];
    struct chart_mark mark[4];
    uint32_t round = 0;
    for (int h = 1; h <= MAX_H; h += h < 16 ? 1 : 11)
        for (int w = 1; w <= MAX_W; w += w < 24 ? 1 : 8, round++) {
            struct chart chart = hostile(round, series, line, mark);
            enum rung rung = (enum rung)(round % 3);
            for (int copy = 0; copy < 2; copy++) {
                memset(field[copy], 0xAA, sizeof field[copy]);
                chart_draw(&chart, rung, &field[copy][EDGE * STRIDE + EDGE], w, h, STRIDE);
            }
            CHECK(!memcmp(field[0], field[1], sizeof field[0]));
            int outside = 0, unwritten = 0;
            for (int y = 0; y < MAX_H + 2 * EDGE; y++)
                for (int x = 0; x < STRIDE; x++) {
                    bool inside = y >= EDGE && y < EDGE + h && x >= EDGE && x < EDGE + w;
                    uint32_t ch = field[0][y * STRIDE + x].ch;
                    outside += !inside && ch != 0xAAAAAAAA;
                    unwritten +=
                        inside && (ch == 0xAAAAAAAA || ch < 32 || ch == 0x2800 || (rung == RUNG_ASCII && ch > 126));
                }
            if (outside || unwritten)
                CHECK_FAIL("%d x %d round %u: %d cells outside, %d bad cells inside", w, h, round, outside, unwritten);
        }
    for (int k = 0; k < 4; k++)
        series_release(&series[k]);
}

static void test_the_place_of_the_plot_maps_columns_to_values(void)
{
    struct chart chart = example();
    struct chart_place place = chart_place(&chart, RUNG_BRAILLE, 80, 24);
    CHECK(place.left > 3 && place.left + place.width <= 80 && place.top == 1);
    CHECK_EQ(scale_dot(&place.x, 0), 0);
    CHECK_EQ(scale_dot(&place.x, 50), place.width * 2 - 1);
}

static void test_svg_is_well_formed_and_names_are_escaped(void)
{
    struct chart chart = example();
    struct str out = {0};
    lines[0].name = "<loss> & \x1b[0m";
    marks[2].selected = true;
    chart.mark_line = 1;
    chart_svg(&chart, PAPER_LIGHT, 640, 360, &out);
    const char *svg = str_text(&out);
    CHECK(str_starts(svg, "<svg xmlns=") && str_ends(svg, "</svg>\n"));
    CHECK_HAS(svg, "&lt;loss&gt; &amp; ");
    CHECK(!strstr(svg, "\x1b") && !strstr(svg, "nan") && !strstr(svg, "inf "));
    str_release(&out);
}

static void test_pixels_hold_ink_and_every_size_is_drawn(void)
{
    struct chart chart = example();
    for (int size = 16; size < 1000; size = size * 2 + 7) {
        uint8_t *rgb = chart_pixels(&chart, PAPER_DARK, size, size / 2 + 16);
        size_t n = (size_t)size * (size_t)(size / 2 + 16), ink = 0;
        for (size_t i = 0; i < n; i++)
            ink += rgb[3 * i] != 0x16 || rgb[3 * i + 1] != 0x18;
        CHECK(size < 100 || ink > n / 200);
        CHECK(ink < n / 2);
        free(rgb);
    }
}

static void test_hostile_series_leave_the_svg_finite(void)
{
    struct series series[4] = {0};
    struct chart_line line[4];
    struct chart_mark mark[4];
    for (uint32_t round = 0; round < 60; round++) {
        struct chart chart = hostile(round, series, line, mark);
        struct str out = {0};
        chart.title = NULL; /* names may say what they like */
        for (size_t k = 0; k < chart.n_lines; k++)
            line[k].name = NULL;
        chart_svg(&chart, round % 2 ? PAPER_LIGHT : PAPER_DARK, 200 + (int)round, 150, &out);
        CHECK(!strstr(str_text(&out), "\"nan") && !strstr(str_text(&out), " nan") && !strstr(str_text(&out), "inf\""));
        CHECK(!strstr(str_text(&out), "L nan") && !strstr(str_text(&out), "Minf") && !strstr(str_text(&out), "Linf"));
        free(chart_pixels(&chart, PAPER_LIGHT, 200 + (int)round, 150));
        str_release(&out);
    }
    for (int k = 0; k < 4; k++)
        series_release(&series[k]);
}

int main(void)
{
    RUN(test_a_braille_chart_looks_like_this);
    RUN(test_an_ascii_chart_with_a_log_axis_looks_like_this);
    RUN(test_a_cursor_tells_the_exact_values_beside_it);
    RUN(test_what_is_said_beside_the_cursor_hides_no_curve);
    RUN(test_a_diverged_run_is_marked_where_it_happened);
    RUN(test_a_legend_without_room_counts_what_it_leaves_out);
    RUN(test_the_part_of_the_parent_is_dim_up_to_the_fork);
    RUN(test_what_is_dim_lies_behind_what_is_bright);
    RUN(test_values_a_log_axis_cannot_show_are_counted_and_left_out);
    RUN(test_a_clipped_spike_leaves_an_arrow);
    RUN(test_a_chart_of_any_size_stays_inside_and_is_deterministic);
    RUN(test_the_place_of_the_plot_maps_columns_to_values);
    RUN(test_svg_is_well_formed_and_names_are_escaped);
    RUN(test_pixels_hold_ink_and_every_size_is_drawn);
    RUN(test_hostile_series_leave_the_svg_finite);
    series_release(&loss);
    series_release(&val);
    series_release(&smooth);
    return check_done();
}
