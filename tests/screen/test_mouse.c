/* The mouse as a second way to everything: press, press twice, wheel, drag, in every view that has a list, tabs, a
 * chart or a menu. */
#include "tests/screen/screen_zoo.h"

static const struct zoo_view *zoo(const char *name)
{
    for (int k = 0; k < ZOO_VIEWS; k++)
        if (!strcmp(zoo_views[k].name, name))
            return &zoo_views[k];
    exit(1);
}

/* A press on the row that shows text, in that column. */
static void press(int x, const char *text)
{
    int y = screen_row_of(text);
    if (y < 0)
        CHECK_FAIL("'%s' is not on the screen:\n%s", text, screen_text());
    screen_mouse(MOUSE_PRESS, x, y);
    screen_mouse(MOUSE_RELEASE, x, y);
    screen_text();
}

static const char *view_now(void)
{
    return screen.app->stack[screen.app->depth - 1].ops->name;
}

static void test_runs_are_selected_opened_and_sorted(void)
{
    zoo_show(zoo("runs"), 100, 30);
    press(5, "digits  ");
    CHECK_STR(app_run(screen.app)->name, "digits");
    press(5, "digits-branch  ");
    CHECK_STR(app_run(screen.app)->name, "digits-branch");
    CHECK_STR(view_now(), "runs");
    press(5, "digits-branch  ");
    CHECK_STR(view_now(), "run");
    screen_press("q");
    press(4, "name  ");
    CHECK_HAS(screen_text(), "name ▾");
    press(4, "name ▾");
    CHECK_HAS(screen_text(), "name ▴");
    press(0, "name ▴");
    CHECK(!strstr(screen_text(), "name ▴"));
    screen_close();
}

static void test_two_slow_presses_open_nothing(void)
{
    zoo_show(zoo("runs"), 100, 30);
    press(5, "digits  ");
    screen.now += 1;
    press(5, "digits  ");
    CHECK_STR(view_now(), "runs");
    screen_mouse(MOUSE_WHEEL_DOWN, 5, screen_row_of("digits  "));
    CHECK_STR(view_now(), "runs");
    screen_close();
}

static void test_jobs_are_selected_and_opened(void)
{
    zoo_show(zoo("jobs"), 100, 30);
    press(5, "■ digits-branch");
    CHECK_STR(app_run(screen.app)->name, "digits-branch");
    press(5, "■ digits-branch");
    CHECK_STR(view_now(), "run");
    screen_close();
}

static void test_tabs_and_samples_of_a_result_are_pressed(void)
{
    zoo_show(zoo("result"), 100, 30);
    press(14, "hardest samples");
    CHECK_HAS(screen_text(), "sample 3   true");
    press(5, "     10  ");
    CHECK_HAS(screen_text(), "sample 10   true");
    press(33, "calibration");
    CHECK_HAS(screen_text(), "expected calibration error");
    screen_close();
    zoo_show(zoo("predict"), 100, 30);
    press(5, "      7  ");
    CHECK_HAS(screen_text(), "sample 7   true");
    screen_mouse(MOUSE_WHEEL_DOWN, 5, 20);
    CHECK(strstr(screen_text(), "sample 7   true") == NULL || !strstr(screen_text(), "      0  "));
    screen_close();
}

static void test_titles_of_a_comparison_sort_it(void)
{
    zoo_show(zoo("compare"), 100, 30);
    CHECK(screen_row_of("●  digits  ") < screen_row_of("●  digits-branch"));
    press(39, "best  epoch");
    CHECK_HAS(screen_text(), "best ▾");
    CHECK(screen_row_of("●  digits  ") > screen_row_of("●  digits-branch"));
    press(39, "best ▾");
    CHECK_HAS(screen_text(), "best ▴");
    CHECK(screen_row_of("●  digits  ") < screen_row_of("●  digits-branch"));
    press(0, "best ▴");
    CHECK(!strstr(screen_text(), "best ▴"));
    screen_close();
}

static void test_a_menu_line_is_pressed_and_a_press_beside_it_closes(void)
{
    zoo_show(zoo("run"), 100, 30);
    screen_press("a");
    press(40, "what is in the checkpoint's file");
    CHECK_STR(view_now(), "inspect");
    screen_press("q a");
    screen_mouse(MOUSE_PRESS, 0, 0);
    CHECK(!screen.app->menu.open);
    screen_press(": h e l p");
    press(40, "this help");
    CHECK(screen.app->help.open);
    screen_close();
}

static void test_a_key_chooses_its_line_of_the_actions(void)
{
    zoo_show(zoo("run"), 100, 30);
    screen_press("a i");
    CHECK_STR(view_now(), "inspect");
    screen_press("q a j j Enter");
    CHECK_HAS(screen_text(), "resume as a child run");
    screen_close();
}

static void test_drag_and_wheel_zoom_a_chart_on_either_kind_of_axis(void)
{
    for (int log_x = 0; log_x < 2; log_x++) {
        zoo_show(zoo("run"), 100, 30);
        screen_press(log_x ? "0 X" : "0");
        screen_mouse(MOUSE_PRESS, 40, 6);
        screen_mouse(MOUSE_RELEASE, 60, 6);
        CHECK_HAS(screen_text(), "zoomed");
        screen_press("0");
        CHECK(!strstr(screen_text(), "zoomed"));
        screen_mouse(MOUSE_WHEEL_UP, 40, 6);
        CHECK_HAS(screen_text(), "zoomed");
        screen_mouse(MOUSE_WHEEL_DOWN, 40, 6);
        CHECK(!strstr(screen_text(), "zoomed"));
        screen_press(log_x ? "X" : "0");
        screen_close();
    }
}

static void test_a_small_chart_becomes_the_large_one(void)
{
    zoo_show(zoo("run"), 160, 40);
    CHECK_HAS(screen_text(), "\n      loss   ");
    screen_mouse(MOUSE_PRESS, 140, screen_row_of("accuracy  0.9750") + 1);
    CHECK_HAS(screen_text(), "\n      accuracy   ");
    screen_press("q Enter");
    CHECK_STR(view_now(), "run");
    screen_close();
}

static void test_keys_zoom_and_pan_a_logarithmic_axis(void)
{
    zoo_show(zoo("run"), 100, 30);
    screen_press("X b + +");
    CHECK_HAS(screen_text(), "log x   zoomed");
    CHECK_HAS(screen_text(), "epoch 8");
    screen_press("[ [ [ [ [ [");
    CHECK_HAS(screen_text(), "epoch 2");
    CHECK_HAS(screen_text(), "zoomed");
    screen_press("- - - -");
    CHECK(!strstr(screen_text(), "zoomed"));
    screen_press("X");
    screen_close();
}

int main(void)
{
    zoo_make();
    RUN(test_runs_are_selected_opened_and_sorted);
    RUN(test_two_slow_presses_open_nothing);
    RUN(test_jobs_are_selected_and_opened);
    RUN(test_tabs_and_samples_of_a_result_are_pressed);
    RUN(test_titles_of_a_comparison_sort_it);
    RUN(test_a_menu_line_is_pressed_and_a_press_beside_it_closes);
    RUN(test_a_key_chooses_its_line_of_the_actions);
    RUN(test_drag_and_wheel_zoom_a_chart_on_either_kind_of_axis);
    RUN(test_a_small_chart_becomes_the_large_one);
    RUN(test_keys_zoom_and_pan_a_logarithmic_axis);
    free(zoo_digits);
    free(zoo_branch);
    return check_done();
}
