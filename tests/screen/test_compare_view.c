/* Runs over each other: which are compared, what came of them, what they differ in, and that actions reach the focused
 * one's checkpoint. */
#include "tests/screen/screen_home.h"

static char *first, *slow, *branch, *broken;

static char *config(double rate, int batch)
{
    return xprintf("{\"name\": \"x\", \"data\": {\"format\": \"csv\"}, \"compile\": {\"optimizer\": {\"class\": "
                   "\"Adam\", \"learning_rate\": %g}},"
                   " \"fit\": {\"epochs\": 8, \"batch_size\": %d}}",
                   rate, batch);
}

static char *make(const char *name, const char *parent, int fork, double rate, int batch, double scale)
{
    char *text = config(rate, batch), *id = screen_run(name, parent, fork, text);
    screen_epochs(id, fork + 1, 8, scale);
    screen_state(id, RUN_FINISHED, 8);
    free(text);
    return id;
}

static void make_home(void)
{
    screen_clock(1700000000);
    first = make("digits", NULL, 0, 0.001, 32, 2);
    slow = make("digits", first, 4, 0.0001, 32, 3);
    branch = make("wide", first, 4, 0.001, 64, 1);
    char *text = config(0.1, 32);
    broken = screen_run("broken", NULL, 0, text);
    screen_state(broken, RUN_FAILED, 0);
    free(text);
}

static void test_without_marks_a_run_is_compared_with_its_family(void)
{
    screen_show("compare", slow, 100, 30);
    CHECK_HAS(screen_text(), "compare  digits, its parent and branches");
    CHECK_HAS(screen_text(), "digits (1)");
    CHECK_HAS(screen_text(), "digits (2)");
    CHECK_HAS(screen_text(), "wide");
    CHECK(!strstr(screen_text(), "broken"));
    screen_close();
}

static void test_marked_runs_are_compared_in_the_order_they_were_marked(void)
{
    screen_open(100, 30);
    app_mark(screen.app, branch, true);
    app_mark(screen.app, slow, true);
    screen_press("c");
    CHECK_HAS(screen_text(), "compare  2 marked runs");
    CHECK(screen_row_of("●  wide") >= 0 && screen_row_of("●  wide") < screen_row_of("●  digits"));
    CHECK_HAS(screen_text(), "2 settings differ");
    screen_close();
}

static void test_the_table_of_runs_says_what_came_of_them(void)
{
    screen_show("compare", first, 100, 30);
    CHECK_HAS(screen_text(), "●  digits (1)    ✓    8/8  0.3500  0.3500    8            baseline");
    CHECK_HAS(screen_text(), "●  digits (2)    ✓    8/8  0.4750  0.4750    8             +0.1250  from digits (1):4");
    CHECK_HAS(screen_text(), "●  wide          ✓    8/8  0.2250  0.2250    8 *           -0.1250  from digits (1):4");
    screen_close();
}

static void test_only_settings_that_differ_are_listed(void)
{
    screen_show("compare", first, 100, 30);
    CHECK_HAS(screen_text(), "compile.optimizer.learning_rate  0.001       0.0001      0.001\n");
    CHECK_HAS(screen_text(), "fit.batch_size                   32          32          64\n");
    CHECK(!strstr(screen_text(), "fit.epochs") && !strstr(screen_text(), "best learning_rate"));
    CHECK_HAS(screen_text(), "best loss                        0.2500      0.3750      0.1250 *\n");
    screen_close();
}

static void test_space_chooses_the_baseline(void)
{
    screen_show("compare", first, 100, 30);
    screen_press("G Space");
    CHECK_HAS(screen_text(), "0.2250    8 *          baseline");
    CHECK_HAS(screen_text(), "0.3500    8             +0.1250");
    screen_close();
}

static void test_the_focused_runs_checkpoints_are_at_hand(void)
{
    screen_show("compare", first, 100, 30);
    screen_press("[ [");
    CHECK_STR(app_checkpoint(screen.app)->name, "epoch-0006.keras");
    CHECK_HAS(app_checkpoint(screen.app)->path, first);
    screen_press("Down");
    CHECK_STR(app_run(screen.app)->id, slow);
    CHECK_HAS(app_checkpoint(screen.app)->path, slow);
    CHECK_STR(app_checkpoint(screen.app)->name, "epoch-0006.keras");
    screen_press("[ [ [ [ [");
    CHECK_STR(app_checkpoint(screen.app)->name, "epoch-0005.keras");
    screen_press("Enter");
    CHECK_STR(app_run(screen.app)->id, slow);
    CHECK_HAS(screen_text(), " digits  ✓ finished");
    screen_press("q");
    CHECK_HAS(screen_text(), "compare");
    screen_close();
}

static void test_training_and_validation_can_be_drawn_both(void)
{
    screen_show("compare", first, 120, 36);
    CHECK_HAS(screen_text(), "      val_loss\n");
    screen_press("v");
    CHECK_HAS(screen_text(), "wide val");
    screen_press("v");
    CHECK_HAS(screen_text(), "      loss\n");
    screen_press("v");
    CHECK_HAS(screen_text(), "      val_loss\n");
    screen_close();
}

static void test_a_run_without_records_is_compared_too(void)
{
    screen_open(100, 30);
    app_mark(screen.app, broken, true);
    app_mark(screen.app, first, true);
    screen_press("3");
    CHECK_HAS(screen_text(), "●  broken        ✗    0/8       —       —                 baseline  loss became NaN\n");
    screen_press("g Space e");
    CHECK_HAS(screen_text(), "baseline");
    screen_close();
}

/* Twelve runs: half of them with a rate that is bad, batch sizes that do not matter. */
static void test_settings_are_shown_in_the_order_in_which_they_matter(void)
{
    char *ids[12];
    for (int i = 0; i < 12; i++) {
        char name[24];
        snprintf(name, sizeof name, "sweep-%02d", i);
        ids[i] = make(name, NULL, 0, i % 2 ? 0.1 : 0.001, 16 << (i / 2 % 3), (i % 2 ? 5 : 1) + 0.1 * i);
    }
    screen_open(200, 50);
    for (int i = 0; i < 12; i++)
        app_mark(screen.app, ids[i], true);
    screen_press("c");
    const char *text = screen_text(), *rate = strstr(text, "compile.optimizer.learning_rate  "),
               *size = strstr(text, "fit.batch_size  ");
    CHECK_HAS(text, "what matters: best val_loss, lower is better");
    CHECK(rate && size && rate < size);
    CHECK_HAS(text, ", less is better");
    for (int i = 0; i < 12; i++) {
        CHECK_OK(run_delete(screen_home(), ids[i], &screen_err), screen_err);
        free(ids[i]);
    }
    screen_close();
}

static void test_runs_are_sorted_by_what_came_of_them(void)
{
    screen_show("compare", first, 100, 30);
    screen_press("> > >");
    CHECK(screen_row_of("●  wide") < screen_row_of("●  digits (1)"));
    CHECK(screen_row_of("●  digits (1)") < screen_row_of("●  digits (2)"));
    screen_press("R");
    CHECK(screen_row_of("●  wide") > screen_row_of("●  digits (1)"));
    screen_press("g Down");
    CHECK_STR(app_run(screen.app)->id, first);
    screen_press("R < < <");
    CHECK(screen_row_of("●  digits (2)") < screen_row_of("●  wide"));
    screen_close();
}

static void test_every_key_in_the_help_works_here(void)
{
    for (int a = ACTION_NONE + 1; a < ACTION_COUNT; a++) {
        screen_show("compare", first, 80, 24);
        unsigned places = IN_ALL | view_compare.places(screen.app, screen.app->stack[screen.app->depth - 1].state);
        if ((keys_row((enum action)a)->places & places) && !app_action(screen.app, (enum action)a))
            CHECK_FAIL("'%s' is in the help of a comparison and does nothing", keys_row((enum action)a)->name);
        screen_close();
    }
}

static void test_runs_may_be_deleted_while_they_are_compared(void)
{
    screen_open(100, 30);
    app_mark(screen.app, broken, true);
    app_mark(screen.app, branch, true);
    screen_press("c");
    CHECK_OK(run_delete(screen_home(), branch, &screen_err), screen_err);
    screen_tick();
    CHECK_HAS(screen_text(), "nothing to compare with");
    CHECK_OK(run_delete(screen_home(), broken, &screen_err), screen_err);
    screen_tick();
    screen_press("Down [ Space Enter e x s m Tab");
    CHECK_HAS(screen_text(), "the runs that were compared are gone");
    screen_close();
    CHECK_OK(run_restore(screen_home(), branch, &screen_err), screen_err);
    CHECK_OK(run_restore(screen_home(), broken, &screen_err), screen_err);
}

static void test_every_size_is_drawn(void)
{
    screen_show("compare", first, 80, 24);
    for (int width = 40; width <= 200; width += 16)
        for (int height = 10; height <= 50; height += 5) {
            screen_size(width, height);
            screen_press("z Tab z Tab Down");
            CHECK_HAS(screen_text(), "compare");
        }
    screen_close();
}

/* Keys in no order, in every view that is reached by them; run under the sanitizers it is a search for what must not
 * happen. */
static void test_a_monkey_breaks_nothing(void)
{
    static const char *const keys[] = {
        "Left", "Right", "Up",   "Down", "[", "]",          "b",           "+", "-",     "0",     "f",   "x",    "y",
        "X",    "s",     "m",    "v",    "o", "Tab",        "Shift-Tab",   "z", "Enter", "Space", "Esc", "1",    "2",
        "3",    "PgDn",  "PgUp", "g",    "G", "Shift-Left", "Shift-Right", "?", "a",     "Esc",   "c",   "Home", "End"};
    unsigned seed = 7;
    screen_show("compare", first, 80, 24);
    for (int i = 0; i < 4000 && !screen.app->quit; i++) {
        seed = seed * 1664525 + 1013904223;
        screen_press(keys[seed >> 8 & 0xFFFF ? (seed >> 8) % (sizeof keys / sizeof *keys) : 0]);
        if (i % 40 == 0)
            screen_size(40 + (int)(seed >> 9) % 100, 10 + (int)(seed >> 17) % 40);
        if (i % 25 == 0)
            screen_mouse((enum mouse_action)(seed >> 5) % 6, (int)(seed >> 8) % 80, (int)(seed >> 16) % 24);
    }
    CHECK(!screen.app->quit);
    screen_close();
}

int main(void)
{
    make_home();
    RUN(test_without_marks_a_run_is_compared_with_its_family);
    RUN(test_marked_runs_are_compared_in_the_order_they_were_marked);
    RUN(test_the_table_of_runs_says_what_came_of_them);
    RUN(test_only_settings_that_differ_are_listed);
    RUN(test_space_chooses_the_baseline);
    RUN(test_the_focused_runs_checkpoints_are_at_hand);
    RUN(test_training_and_validation_can_be_drawn_both);
    RUN(test_a_run_without_records_is_compared_too);
    RUN(test_runs_are_sorted_by_what_came_of_them);
    RUN(test_settings_are_shown_in_the_order_in_which_they_matter);
    RUN(test_runs_may_be_deleted_while_they_are_compared);
    RUN(test_every_size_is_drawn);
    RUN(test_a_monkey_breaks_nothing);
    RUN(test_every_key_in_the_help_works_here); /* last: it changes what is remembered */
    free(first);
    free(slow);
    free(branch);
    free(broken);
    return check_done();
}
