/* What an emulator shows after the painter's bytes is what the grid says, on every kind of terminal; and the bytes are
 * few. */
#include "../check.h"

#include "base/rng.h"
#include "tests/screen/emulator.h"

#include <locale.h>

/* ncurses keeps a block of its own when it does not know a terminal; read by the leak checker, where there is one. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:new_prescr";
}

static const char *const terminals[] = {"xterm-256color", "screen-256color", "tmux-256color", "linux", "vt100"};

static void scribble(struct grid *grid, uint32_t round)
{
    static const char *const words[] = {"loss 0.031", "digits-cnn", "日本語", "⡇⣀⣤", "█▇▆▅", "─┬─", "   ", "é…×"};
    if (round % 7 == 0)
        grid_clear(grid);
    for (uint32_t k = 0; k < 1 + round % 40; k++) {
        uint32_t bits = rng_u32(9, RNG_STREAM_DATA, round, k);
        int x = (int)(bits % (uint32_t)grid->width), y = (int)(bits / 256 % (uint32_t)grid->height);
        enum style style = (enum style)(bits / 65536 % STYLE_COUNT);
        grid_text(grid, grid_all(grid), x, y, style == STYLE_IMAGE ? STYLE_TEXT : style, words[bits % 8]);
        if (bits % 5 == 0)
            grid_flag(grid, (struct rect){0, y, grid->width, 1}, CELL_SELECTED);
        if (bits % 11 == 0)
            grid_flag(grid, (struct rect){x, y, 9, 1}, (uint8_t)(bits / 4096 % 16));
        if (bits % 13 == 0) { /* a piece of a picture */
            struct tile_cell tiles[6];
            for (int t = 0; t < 6; t++)
                tiles[t] = (struct tile_cell){0x2580, bits % 2 ? TILE_RGB | bits >> 8 : 16 + (bits + (uint32_t)t) % 240,
                                              bits % 3 ? 16 + bits / 16 % 240 : TILE_RGB | (bits * 7) >> 8, true};
            grid_tiles(grid, (struct rect){x, y, 6, 1}, tiles, 1, 6);
        }
    }
    grid_cursor(grid, grid_all(grid), (int)(round % (uint32_t)grid->width), (int)(round % (uint32_t)grid->height),
                round % 3 == 0);
}

static void check_terminal(const char *name, enum color_depth depth)
{
    struct painter *painter = painter_for(name, 100, 30);
    struct emulator e = emulator_new(100, 30);
    struct grid grid = {.ascii = depth == COLORS_NONE};
    int wrong = 0;
    grid_resize(&grid, 100, 30);
    for (uint32_t round = 0; round < 200; round++) {
        VTermPos at;
        scribble(&grid, round);
        emulator_show(&e, painter, &grid);
        wrong += differences(&e, &grid, painter_depth(painter));
        vterm_state_get_cursorpos(vterm_obtain_state(e.vterm), &at);
        CHECK(at.col == grid.cursor_x && at.row == grid.cursor_y);
    }
    if (wrong)
        CHECK_FAIL("%s: %d cells differ", name, wrong);
    CHECK_EQ(painter_depth(painter), depth);
    vterm_free(e.vterm);
    painter_close(painter);
    grid_release(&grid);
}

static void test_the_emulator_shows_the_grid_on_every_terminal(void)
{
    static const enum color_depth depths[] = {COLORS_256, COLORS_256, COLORS_256, COLORS_16, COLORS_NONE};
    for (size_t t = 0; t < sizeof terminals / sizeof *terminals; t++)
        check_terminal(terminals[t], depths[t]);
}

static void test_resizing_at_random_loses_nothing(void)
{
    struct painter *painter = painter_for("xterm-256color", 80, 24);
    struct emulator e = emulator_new(80, 24);
    struct grid grid = {0};
    int wrong = 0;
    for (uint32_t round = 0; round < 150; round++) {
        uint32_t bits = rng_u32(4, RNG_STREAM_DATA, 0, round);
        int width = 1 + (int)(bits % 200), height = 1 + (int)(bits / 256 % 60);
        grid_resize(&grid, width, height);
        vterm_set_size(e.vterm, height, width);
        scribble(&grid, round);
        emulator_show(&e, painter, &grid);
        wrong += differences(&e, &grid, COLORS_256);
    }
    CHECK_EQ(wrong, 0);
    vterm_free(e.vterm);
    painter_close(painter);
    grid_release(&grid);
}

/* Areas of one character and curves over them, as dense charts have. */
static void scribble_areas(struct grid *grid, uint32_t round)
{
    static const uint32_t fills[] = {0x28FF, ' ', '-', 0x2588};
    for (uint32_t k = 0; k < 4; k++) {
        uint32_t bits = rng_u32(9, RNG_STREAM_DATA, round, k);
        struct rect rect = {(int)(bits % 90), (int)(bits / 128 % 25), (int)(bits / 4096 % 60),
                            (int)(bits / 262144 % 9)};
        grid_fill(grid, rect, (enum style)(STYLE_SERIES + bits % 3), fills[bits / 8 % 4]);
        grid_text(grid, grid_all(grid), (int)(bits % 97), (int)(bits / 64 % 30), STYLE_TEXT, "⡇⣀⣤");
    }
}

static void test_a_terminal_that_repeats_shows_the_same_with_fewer_bytes(void)
{
    size_t bytes[2] = {0}, n;
    for (int repeats = 0; repeats < 2; repeats++) {
        struct painter *painter = painter_for("xterm-256color", 100, 30),
                       *counted = painter_for("xterm-256color", 100, 30);
        struct emulator e = emulator_new(100, 30);
        struct grid grid = {0};
        int wrong = 0;
        grid_resize(&grid, 100, 30);
        painter_answer_repeat(painter, repeats ? 3 : 2, 1);
        painter_answer_repeat(counted, repeats ? 3 : 2, 1);
        for (uint32_t round = 0; round < 200; round++) {
            scribble_areas(&grid, round);
            emulator_show(&e, painter, &grid);
            wrong += differences(&e, &grid, COLORS_256);
            painter_frame(counted, &grid, &n);
            bytes[repeats] += n;
        }
        CHECK_EQ(wrong, 0);
        vterm_free(e.vterm);
        painter_close(painter);
        painter_close(counted);
        grid_release(&grid);
    }
    printf("areas: %zu bytes, repeated %zu\n", bytes[0], bytes[1]);
    CHECK(bytes[1] * 2 < bytes[0]);
}

static void test_the_question_whether_it_repeats_leaves_nothing_behind(void)
{
    struct painter *painter = painter_for("xterm-256color", 100, 30);
    struct emulator e = emulator_new(100, 30);
    struct grid grid = {0};
    char answer[32] = "";
    grid_resize(&grid, 100, 30);
    painter_ask_repeat(painter);
    emulator_show(&e, painter, &grid); /* which repeats for the emulator */
    CHECK_EQ(differences(&e, &grid, COLORS_256), 0);
    size_t n = vterm_output_read(e.vterm, answer, sizeof answer - 1);
    answer[n] = 0;
    CHECK_STR(answer, "\033[2;4R");
    vterm_free(e.vterm);
    painter_close(painter);
    grid_release(&grid);
}

static void test_nothing_changed_means_no_bytes(void)
{
    struct painter *painter = painter_for("xterm-256color", 80, 24);
    struct grid grid = {0};
    size_t n;
    grid_resize(&grid, 80, 24);
    grid_text(&grid, grid_all(&grid), 0, 0, STYLE_TITLE, "antler");
    painter_frame(painter, &grid, &n);
    CHECK(n > 0 && n < 2000);
    for (int i = 0; i < 10; i++) {
        painter_frame(painter, &grid, &n);
        CHECK_EQ(n, 0);
    }
    painter_repaint(painter);
    painter_frame(painter, &grid, &n);
    CHECK(n > 0);
    const char *bytes = painter_leave(painter, &n);
    CHECK(n > 0 && memmem(bytes, n, "\033[?1049l", 8) != NULL);
    painter_close(painter);
    grid_release(&grid);
}

/* A run being watched: four curves that grow, numbers that change, on an axis that jumps seldom. */
static void view_live(struct grid *grid, const struct series *series, int step)
{
    struct chart_line lines[4];
    static const char *const names[] = {"loss", "val_loss", "accuracy", "val_acc"};
    struct chart chart = CHART_INIT;
    struct rect rest = grid_all(grid);
    for (int k = 0; k < 4; k++)
        lines[k] = (struct chart_line){.series = &series[k], .name = names[k], .color = k, .fork_x = NAN};
    chart.lines = lines, chart.n_lines = 4, chart.title = "loss", chart.x_name = "step";
    chart.x_lo = 0, chart.x_hi = range_grow(0, step, 20), chart.y_lo = 0, chart.y_hi = 2.5;
    grid_clear(grid);
    grid_textf(grid, rect_top(&rest, 1), 0, 0, STYLE_TITLE, "digits-cnn  step %d/1438  312 steps/s", step);
    grid_text(grid, rect_bottom(&rest, 1), 0, 0, STYLE_TEXT, "Enter open  ? help");
    grid_chart(grid, rest, &chart, RUNG_BRAILLE);
}

static void measure_live(int width, int height, size_t budget)
{
    struct painter *painter = painter_for("xterm-256color", width, height);
    struct grid grid = {0};
    struct series series[4] = {0};
    size_t n, total = 0, frames = 0;
    grid_resize(&grid, width, height);
    for (int step = 1; step <= 400; step++) {
        for (int k = 0; k < 4; k++)
            series_append(&series[k], step, (2.0 - 0.3 * k) / (1 + step / 40.0) + 0.05 * ((step * 7 + k) % 5) / 5);
        view_live(&grid, series, step);
        painter_frame(painter, &grid, &n);
        total += step > 1 ? n : 0;
        frames += step > 1;
    }
    printf("%d x %d: %zu bytes a tick\n", width, height, total / frames);
    CHECK(total / frames <= budget);
    for (int k = 0; k < 4; k++)
        series_release(&series[k]);
    painter_close(painter);
    grid_release(&grid);
}

static void test_a_live_tick_takes_few_bytes(void)
{
    measure_live(80, 24, 160);
    measure_live(200, 50, 350);
}

static void test_an_unknown_terminal_is_refused_with_its_name(void)
{
    struct err err = {0};
    CHECK(!painter_open("no-such-terminal", 80, 24, COLORS_256, false, &err));
    CHECK_HAS(err.text, "'no-such-terminal'");
    CHECK(!painter_open("dumb", 80, 24, COLORS_256, false, &err));
    CHECK_HAS(err.text, "cannot move its cursor");
}

int main(void)
{
    if (!setlocale(LC_ALL, "C.UTF-8"))
        SKIP("no locale C.UTF-8");
    RUN(test_the_emulator_shows_the_grid_on_every_terminal);
    RUN(test_resizing_at_random_loses_nothing);
    RUN(test_a_terminal_that_repeats_shows_the_same_with_fewer_bytes);
    RUN(test_the_question_whether_it_repeats_leaves_nothing_behind);
    RUN(test_nothing_changed_means_no_bytes);
    RUN(test_a_live_tick_takes_few_bytes);
    RUN(test_an_unknown_terminal_is_refused_with_its_name);
    return check_done();
}
