/* Cells, rectangles and widgets, read back as text: no terminal. */
#include "../check.h"

#include "base/arena.h"
#include "base/rng.h"
#include "plots/format.h"
#include "tui/widgets/widget_bars.h"
#include "tui/widgets/widget_overlay.h"

#include <locale.h>

static struct grid grid;
static struct str out;

static const char *dumped(void)
{
    str_clear(&out);
    grid_dump(&grid, &out);
    return str_text(&out);
}

static void fresh(int width, int height, bool ascii)
{
    grid.ascii = ascii;
    grid_resize(&grid, width, height);
}

static void test_text_is_clipped_with_an_ellipsis_and_wide_characters_take_two_cells(void)
{
    fresh(10, 4, false);
    grid_text(&grid, grid_all(&grid), 0, 0, STYLE_TEXT, "0123456789");
    grid_text(&grid, grid_all(&grid), 0, 1, STYLE_TEXT, "0123456789a");
    grid_text(&grid, grid_all(&grid), 0, 2, STYLE_TEXT, "日本語日本語");
    CHECK_EQ(grid_text(&grid, grid_all(&grid), 1, 3, STYLE_TEXT, "e\xcc\x81x"), 2);
    CHECK_STR(dumped(), "0123456789\n012345678…\n日本語日…\n ex\n");
    grid_put(&grid, grid_all(&grid), 1, 2, STYLE_TEXT, 'x');
    CHECK_EQ(grid_at(&grid, 0, 2)->ch, ' '); /* half a wide character never stays */
    CHECK_EQ(grid_columns(&grid, "日本"), 4);
}

static void test_hostile_text_cannot_reach_the_terminal(void)
{
    fresh(40, 1, false);
    grid_text(&grid, grid_all(&grid), 0, 0, STYLE_TEXT, "a\033[31mb\xff\a\xe2\x80\xae");
    for (int x = 0; x < 40; x++)
        CHECK(grid_at(&grid, x, 0)->ch >= 32 && grid_at(&grid, x, 0)->ch != 0x202E);
    CHECK_STR(dumped(), "a\\x1B[31mb\\xFF\\x07\\u{202E}\n");
}

static void test_an_ascii_grid_holds_only_ascii(void)
{
    fresh(30, 3, true);
    grid_box(&grid, grid_all(&grid), STYLE_BORDER);
    grid_text(&grid, rect_inset(grid_all(&grid), 1, 1), 0, 0, STYLE_TEXT, "◆ best ▶ run — 日 é …");
    CHECK_STR(dumped(),
              "+----------------------------+\n|* best > run - ? ? ~        |\n+----------------------------+\n");
}

static void test_rectangles_never_overlap_and_never_leave_the_whole(void)
{
    for (uint32_t round = 0; round < 20000; round++) {
        uint32_t r[8];
        for (uint32_t i = 0; i < 8; i++)
            r[i] = rng_u32(1, RNG_STREAM_DATA, round, i) % 60;
        struct rect rest = {(int)r[0], (int)r[1], (int)r[2], (int)r[3]}, whole = rest, parts[5];
        struct rect (*const cut[])(struct rect *, int) = {rect_top, rect_bottom, rect_left, rect_right};
        for (int k = 0; k < 4; k++)
            parts[k] = cut[(r[4] + (uint32_t)k) % 4](&rest, (int)r[4 + k] - 10);
        parts[4] = rest;
        int area = 0;
        for (int k = 0; k < 5; k++) {
            CHECK(parts[k].w >= 0 && parts[k].h >= 0 && parts[k].x >= whole.x && parts[k].y >= whole.y &&
                  parts[k].x + parts[k].w <= whole.x + whole.w && parts[k].y + parts[k].h <= whole.y + whole.h);
            area += parts[k].w * parts[k].h;
        }
        CHECK_EQ(area, whole.w * whole.h);
        struct part want[3] = {{(int)r[5], 1}, {(int)r[6], 0}, {(int)r[7], 3}};
        int size[3], total = (int)r[2];
        layout_divide(total, 1, want, 3, size);
        int shown = (size[0] > 0) + (size[1] > 0) + (size[2] > 0);
        CHECK(size[0] >= 0 && size[1] >= 0 && size[2] >= 0 &&
              size[0] + size[1] + size[2] + (shown ? shown - 1 : 0) <= total);
    }
}

static void fill_runs(void *context, int row, int column, struct list_cell *cell)
{
    static const char *const names[] = {"digits-cnn", "digits-mlp", "moons-wide"}, *const loss[] = {"0.0312", "12.5",
                                                                                                    "NaN"};
    static const uint32_t spark[] = {0x2588, 0x2585, 0x2581};
    (void)context;
    if (column == 0)
        snprintf(cell->text, sizeof cell->text, "%s", names[row % 3]);
    else if (column == 1)
        snprintf(cell->text, sizeof cell->text, "%s", loss[row % 3]);
    else if (column == 2)
        snprintf(cell->text, sizeof cell->text, "%d/20", row);
    else
        cell->points = spark, cell->n_points = 3;
    cell->style = column == 1 && row % 3 == 2 ? STYLE_ERROR : STYLE_TEXT;
}

static const struct list_column columns[] = {{"name", LIST_LEFT, 8, 0, 0, true},
                                             {"loss", LIST_POINT, 0, 0, 0, false},
                                             {"epoch", LIST_RIGHT, 0, 0, 1, false},
                                             {"last", LIST_LEFT, 4, 0, 2, false}};

static void test_a_list_aligns_points_marks_the_sort_and_drops_columns_by_rank(void)
{
    struct list list = {.count = 3, .selected = 1};
    fresh(44, 4, false);
    list_draw(&list, &grid, grid_all(&grid), columns, 4, 1, false, true, fill_runs, NULL);
    CHECK_STR(dumped(), "name                   loss ▾  epoch  last\n"
                        "digits-cnn             0.0312   0/20  █▅▁\n"
                        "digits-mlp            12.5      1/20  █▅▁\n"
                        "moons-wide                NaN   2/20  █▅▁\n");
    CHECK(grid_at(&grid, 5, 2)->flags & CELL_SELECTED);
    CHECK(!(grid_at(&grid, 5, 1)->flags & CELL_SELECTED));
    fresh(24, 3, false);
    list_draw(&list, &grid, grid_all(&grid), columns, 4, -1, false, true, fill_runs, NULL);
    CHECK_STR(dumped(), "name               loss\n"
                        "digits-cnn       0.0312\n"
                        "digits-mlp      12.5   ▾\n");
}

static void test_a_list_keeps_its_selection_in_view(void)
{
    struct list list = {.count = 100};
    CHECK(list_action(&list, ACTION_BOTTOM, 10));
    CHECK_EQ(list.selected, 99);
    CHECK_EQ(list.top, 90);
    list_action(&list, ACTION_PAGE_UP, 10);
    CHECK_EQ(list.selected, 90);
    list_wheel(&list, -50, 10);
    CHECK_EQ(list.top, 40);
    CHECK_EQ(list.selected, 49);
    list.count = 5;
    list_settle(&list, 10);
    CHECK_EQ(list.selected, 4);
    CHECK_EQ(list.top, 0);
    list.count = 0;
    list_action(&list, ACTION_DOWN, 10);
    CHECK_EQ(list.selected, 0);
    CHECK(!list_action(&list, ACTION_OPEN, 10));
}

static void type(struct edit *edit, const char *text)
{
    for (; *text; text++)
        edit_event(edit, &(struct event){.kind = EVENT_KEY, .key = (unsigned char)*text});
}

static enum edit_result press(struct edit *edit, int key)
{
    return edit_event(edit, &(struct event){.kind = EVENT_KEY, .key = key});
}

static void test_a_line_is_edited_by_characters_words_and_history(void)
{
    struct edit edit = {0};
    type(&edit, "state:running loss");
    press(&edit, K_CTRL | 'w');
    CHECK_STR(edit_text(&edit), "state:running ");
    press(&edit, 0xE9);
    press(&edit, K_LEFT);
    press(&edit, 'x');
    CHECK_STR(edit_text(&edit), "state:running x\xc3\xa9");
    press(&edit, K_DELETE);
    press(&edit, K_HOME);
    CHECK_EQ(press(&edit, K_CTRL | 'k'), EDIT_CHANGED);
    CHECK_STR(edit_text(&edit), "");
    CHECK_EQ(press(&edit, K_BACKSPACE), EDIT_MOVED);
    edit_event(&edit, &(struct event){.kind = EVENT_PASTE, .text = "two\nlines"});
    CHECK_STR(edit_text(&edit), "two lines");
    edit_remember(&edit);
    edit_set(&edit, "new");
    press(&edit, K_UP);
    CHECK_STR(edit_text(&edit), "two lines");
    press(&edit, K_DOWN);
    CHECK_STR(edit_text(&edit), "new");
    CHECK_EQ(press(&edit, K_ENTER), EDIT_DONE);
    CHECK_EQ(press(&edit, K_ESC), EDIT_CANCELLED);
    edit_release(&edit);
}

static void test_a_long_line_scrolls_with_its_cursor(void)
{
    struct edit edit = {0};
    fresh(8, 1, false);
    edit_set(&edit, "0123456789");
    edit_draw(&edit, &grid, grid_all(&grid), true, "hint");
    CHECK_STR(dumped(), "3456789\n");
    CHECK_EQ(grid.cursor_x, 7);
    CHECK(grid.cursor_shown);
    edit_set(&edit, "");
    edit_draw(&edit, &grid, grid_all(&grid), true, "hint");
    CHECK_STR(dumped(), "hint\n");
    edit_release(&edit);
}

static void test_bars_say_where_one_is_and_what_to_press(void)
{
    static const char *const names[] = {"config", "layers", "log"};
    struct keymap map;
    keys_init(&map);
    fresh(60, 3, false);
    struct rect rest = grid_all(&grid);
    struct rect tabs = rect_top(&rest, 1), bar = rect_top(&rest, 1);
    tabs_draw(&grid, tabs, names, 3, 1, true);
    progress_draw(&grid, bar, 0.5, "~0:48 left");
    footer_draw(&grid, rest, &map, IN_ALL | IN_LIST | IN_RUN, NULL, STYLE_TEXT, "16:02:11");
    CHECK_STR(dumped(), "─ config ┬─ layers ┬─ log ──────────────────────────────────\n"
                        "███████████████···············  50 %  ~0:48 left\n"
                        " Enter open  Space mark  c compare  n new  ? help  16:02:11\n");
    CHECK_EQ(tabs_hit(&grid, tabs, names, 3, 1, 12), 1);
    CHECK_EQ(tabs_hit(&grid, tabs, names, 3, 1, 59), -1);
}

static void test_a_deletion_wants_the_name(void)
{
    struct dialog dialog = {0};
    dialog_open(&dialog, DIALOG_BY_NAME, "delete", "Moves 'moons' to the trash. Type its name.", "moons");
    fresh(50, 12, false);
    dialog_draw(&dialog, &grid);
    CHECK_HAS(dumped(), "┌─ delete ─");
    CHECK_HAS(dumped(), "Moves 'moons' to the trash.");
    const struct event enter = {.kind = EVENT_KEY, .key = K_ENTER}, escape = {.kind = EVENT_KEY, .key = K_ESC};
    CHECK_EQ(dialog_event(&dialog, &enter), DIALOG_GOES_ON);
    CHECK_HAS(dialog.error, "type 'moons'");
    type(&dialog.edit, "moons");
    CHECK_EQ(dialog_event(&dialog, &enter), DIALOG_YES);
    CHECK_EQ(dialog_event(&dialog, &escape), DIALOG_NO);
    dialog_close(&dialog);
    CHECK(!dialog.open);
}

static void test_help_lists_what_works_here_and_finds_the_rest(void)
{
    struct help help = {.open = true};
    struct keymap map;
    keys_init(&map);
    fresh(80, 24, false);
    help_draw(&help, &grid, &map, IN_ALL | IN_LIST);
    CHECK_HAS(dumped(), "open what is selected");
    CHECK(!strstr(dumped(), "evaluate the checkpoint"));
    for (const char *c = "checkpoint"; *c; c++)
        help_event(&help, &(struct event){.kind = EVENT_KEY, .key = *c});
    grid_clear(&grid);
    help_draw(&help, &grid, &map, IN_ALL | IN_LIST);
    CHECK_HAS(dumped(), "evaluate the checkpoint");
    CHECK(help_event(&help, &(struct event){.kind = EVENT_KEY, .key = K_ESC}));
    CHECK(!help_event(&help, &(struct event){.kind = EVENT_KEY, .key = K_ESC}));
    edit_release(&help.search);
}

static void test_a_menu_returns_the_line_that_was_chosen(void)
{
    static const char *const lines[] = {"evaluate", "predict", "resume"}, *const hints[] = {"e", "p", "r"};
    struct menu menu = {.open = true};
    fresh(30, 8, false);
    menu_draw(&menu, &grid, "actions", lines, hints, 3);
    CHECK_HAS(dumped(), "evaluate    e");
    CHECK_EQ(menu_event(&menu, &(struct event){.kind = EVENT_KEY, .key = 'j'}), -1);
    CHECK_EQ(menu_event(&menu, &(struct event){.kind = EVENT_KEY, .key = K_ENTER}), 1);
    CHECK(!menu.open);
}

static void test_widgets_of_any_size_stay_inside(void)
{
    static const char *const names[] = {"config", "layers", "log"};
    struct keymap map;
    struct list list = {.count = 40, .selected = 7};
    struct dialog dialog = {0};
    struct help help = {.open = true};
    struct menu menu = {.open = true};
    keys_init(&map);
    dialog_open(&dialog, DIALOG_TEXT, "a title that is long",
                "some text to wrap in the box, with a few more words in it", "x");
    for (int h = 1; h < 30; h += 1 + h / 8)
        for (int w = 1; w < 90; w += 1 + w / 10) {
            fresh(w, h, (w + h) & 1);
            list_draw(&list, &grid, grid_all(&grid), columns, 4, 0, true, false, fill_runs, NULL);
            tabs_draw(&grid, grid_all(&grid), names, 3, 0, false);
            footer_draw(&grid, grid_all(&grid), &map, ~0u, NULL, STYLE_TEXT, "right");
            progress_draw(&grid, grid_all(&grid), w / 90.0, "left");
            dialog_draw(&dialog, &grid);
            help_draw(&help, &grid, &map, ~0u);
            menu_draw(&menu, &grid, "menu", names, NULL, 3);
            CHECK(grid.cursor_x < w && grid.cursor_y < h);
        }
    dialog_close(&dialog);
    edit_release(&help.search);
}

int main(void)
{
    if (!setlocale(LC_ALL, "C.UTF-8"))
        SKIP("no locale C.UTF-8");
    RUN(test_text_is_clipped_with_an_ellipsis_and_wide_characters_take_two_cells);
    RUN(test_hostile_text_cannot_reach_the_terminal);
    RUN(test_an_ascii_grid_holds_only_ascii);
    RUN(test_rectangles_never_overlap_and_never_leave_the_whole);
    RUN(test_a_list_aligns_points_marks_the_sort_and_drops_columns_by_rank);
    RUN(test_a_list_keeps_its_selection_in_view);
    RUN(test_a_line_is_edited_by_characters_words_and_history);
    RUN(test_a_long_line_scrolls_with_its_cursor);
    RUN(test_bars_say_where_one_is_and_what_to_press);
    RUN(test_a_deletion_wants_the_name);
    RUN(test_help_lists_what_works_here_and_finds_the_rest);
    RUN(test_a_menu_returns_the_line_that_was_chosen);
    RUN(test_widgets_of_any_size_stay_inside);
    grid_release(&grid);
    str_release(&out);
    return check_done();
}
