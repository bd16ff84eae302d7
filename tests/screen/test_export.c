/* What is seen, as files: the screen's export equals what its own command line writes, byte for byte, whatever was
 * chosen. */
#include "tests/screen/screen_home.h"

#include "tui/views/compare_view.h"

#include <sys/stat.h>

static char *parent, *twin, *branch, *many[12];

static char *make(const char *name, const char *from, int fork, int epochs, double scale)
{
    char *id = screen_run(name, from, fork, "{\"name\": \"x\", \"fit\": {\"epochs\": 8, \"batch_size\": 32}}");
    screen_epochs(id, fork + 1, epochs, scale);
    screen_state(id, RUN_FINISHED, epochs);
    return id;
}

/* An order on the curve, and the losses of single batches behind it. */
static void add_batches(const char *id)
{
    char *folder = path_join(screen_home(), id);
    struct history_writer *writer = history_open_writer(folder, &screen_err);
    static const char *const name[] = {HISTORY_BATCH_LOSS};
    for (int i = 1; i <= 10; i++)
        CHECK_OK(history_add_metrics(writer, 9, 80 + i, name, (double[]){0.3 + 0.01 * i}, 1, &screen_err), screen_err);
    json_t *json =
        json_pack("{s:s, s:s, s:f, s:b}", "event", "command", "command", "learning_rate", "value", 0.01, "ok", 1);
    CHECK_OK(history_add_event(writer, 8, 80, json, &screen_err), screen_err);
    json_decref(json);
    history_close_writer(writer);
    free(folder);
}

static void make_home(void)
{
    screen_clock(1700000000);
    parent = make("digits", NULL, 0, 8, 2);
    add_batches(parent);
    twin = make("digits", NULL, 0, 8, 3);
    branch = make("it's wide", parent, 4, 8, 1);
    for (int i = 0; i < 12; i++) {
        char name[32];
        snprintf(name, sizeof name, "sweep-%02d", i);
        many[i] = make(name, NULL, 0, 8, 1 + i);
    }
}

static char *file_text(const char *path)
{
    char *text = NULL;
    size_t size;
    if (!io_read_file(path, 1 << 24, &text, &size, &screen_err))
        CHECK_FAIL("%s", screen_err.text);
    return text ? text : xstrdup("");
}

static const struct chart_pane *pane_now(void)
{
    return screen.app->stack[screen.app->depth - 1].state;
}

/* What the screen writes, and what the command that it names writes. */
static void same_as_the_command(enum export_kind kind, const char *what)
{
    struct str command = {0};
    char *ours = path_join(check_tmp(), "ours"), *theirs = path_join(check_tmp(), "theirs");
    CHECK_OK(chart_pane_save(screen.app, pane_now(), kind, ours, &screen_err), screen_err);
    chart_pane_command(screen.app, pane_now(), &command);
    char *line = xprintf("cd '%s' && PATH='" BINARY_DIR "':$PATH && %s --%s '%s'", SOURCE_DIR, str_text(&command),
                         export_suffix[kind], theirs);
    int status = system(line);
    if (status)
        CHECK_FAIL("%s: %s ended with %d", what, line, status);
    char *a = file_text(ours), *b = file_text(theirs);
    if (strcmp(a, b) != 0)
        CHECK_FAIL("%s: the files of '%s' differ", what, str_text(&command));
    CHECK(strlen(a) > 200 || kind == EXPORT_PNG);
    unlink(ours);
    unlink(theirs);
    free(a), free(b), free(line), free(ours), free(theirs);
    str_release(&command);
}

static void each_way_of_looking(const char *what)
{
    static const char *const ways[] = {"0", "y", "s", "o", "v",       "v", "v", "x",
                                       "x", "x", "x", "x", "+ + [ [", "0", "X", "X"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        screen_press(ways[i]);
        same_as_the_command(EXPORT_SVG, what);
        if (i % 3 == 0)
            same_as_the_command(EXPORT_CSV, what);
    }
    same_as_the_command(EXPORT_PNG, what);
}

static void test_the_command_gives_what_the_screen_writes_of_a_run(void)
{
    screen_show("run", parent, 100, 30);
    each_way_of_looking("a run");
    screen_close();
    screen_show("run", branch, 100, 30);
    each_way_of_looking("a branch");
    screen_press("m Home Enter");
    same_as_the_command(EXPORT_SVG, "all metrics");
    same_as_the_command(EXPORT_CSV, "all metrics");
    screen_press("m End Enter");
    screen_close();
}

static void test_the_command_gives_what_the_screen_writes_of_a_comparison(void)
{
    screen_open(100, 30);
    app_mark(screen.app, parent, true);
    app_mark(screen.app, twin, true);
    app_mark(screen.app, branch, true);
    screen_press("c");
    each_way_of_looking("three runs");
    screen_close();
}

static void test_the_command_gives_the_cloud_of_many_runs(void)
{
    screen_open(100, 30);
    for (int i = 0; i < 12; i++)
        app_mark(screen.app, many[i], true);
    screen_press("c Tab g Down Down");
    struct str command = {0};
    chart_pane_command(screen.app, pane_now(), &command);
    CHECK_HAS(str_text(&command), "--bright sweep-00 --bright sweep-02 ");
    each_way_of_looking("a cloud");
    str_release(&command);
    screen_close();
}

static void test_the_command_gives_the_table_of_a_comparison(void)
{
    char *ours = path_join(check_tmp(), "ours.csv"), *theirs = path_join(check_tmp(), "theirs.csv");
    struct str command = {0};
    screen_open(100, 30);
    for (int i = 0; i < 12; i++)
        app_mark(screen.app, many[i], true);
    screen_press("c Tab Tab w");
    CHECK_HAS(screen_text(), "a line a run");
    screen_press("Esc");
    struct compare_view *v = screen.app->stack[screen.app->depth - 1].state;
    CHECK_OK(compare_save(v, ours, &screen_err), screen_err);
    compare_command(screen.app, v, &command);
    char *line = xprintf("PATH='" BINARY_DIR "':$PATH && %s --csv '%s'", str_text(&command), theirs);
    CHECK_EQ(system(line), 0);
    char *a = file_text(ours), *b = file_text(theirs);
    CHECK_STR(a, b);
    CHECK_HAS(a, "run,name,state,epoch,last loss,best loss,epoch of best loss,");
    free(line), free(a), free(b), free(ours), free(theirs);
    str_release(&command);
    screen_close();
}

static void test_w_asks_where_to_and_writes_there(void)
{
    const char *path = "picture.svg"; /* here, so that what is said of it fits on the screen */
    CHECK_EQ(chdir(check_tmp()), 0);
    screen_show("run", branch, 100, 30);
    screen_press("w");
    CHECK_HAS(screen_text(), "write what is seen");
    screen_press("Enter");
    CHECK_HAS(screen_text(), "it-s-wide-");
    CHECK_HAS(screen_text(), "antler --home");
    screen_press("Ctrl-U");
    driver_send(&screen, (struct event){.kind = EVENT_PASTE, .text = path});
    screen_press("Enter");
    CHECK_HAS(screen_text(), "written to /");
    char *text = file_text(path);
    CHECK_HAS(text, "<svg ");
    free(text);
    screen_press("w Enter Ctrl-U");
    driver_send(&screen, (struct event){.kind = EVENT_PASTE, .text = path});
    screen_press("Enter");
    CHECK_HAS(screen_text(), "is there already");
    screen_press("Esc");
    screen_close();
}

static void test_the_command_can_be_copied(void)
{
    screen_show("run", parent, 100, 30);
    screen_press("w End Enter");
    CHECK(screen.app->copy && strstr(screen.app->copy, "antler --home") && strstr(screen.app->copy, " --metric "));
    screen_close();
}

static void test_values_have_a_line_for_every_x_that_is_seen(void)
{
    char *path = path_join(check_tmp(), "values.csv");
    screen_show("run", twin, 100, 30);
    while (pane_now()->axis != AXIS_EPOCH)
        screen_press("x");
    while (pane_now()->smooth)
        screen_press("s");
    while (pane_now()->part != CURVES_BOTH)
        screen_press("v");
    CHECK_OK(chart_pane_save(screen.app, pane_now(), EXPORT_CSV, path, &screen_err), screen_err);
    char *text = file_text(path);
    CHECK_HAS(text, "epoch,loss,val_loss\n1,3,3.1\n2,1.5,1.6\n");
    int lines = 0;
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    CHECK_EQ(lines, 9);
    free(text);
    free(path);
    screen_close();
}

int main(void)
{
    make_home();
    RUN(test_the_command_gives_what_the_screen_writes_of_a_run);
    RUN(test_the_command_gives_what_the_screen_writes_of_a_comparison);
    RUN(test_the_command_gives_the_cloud_of_many_runs);
    RUN(test_the_command_gives_the_table_of_a_comparison);
    RUN(test_w_asks_where_to_and_writes_there);
    RUN(test_the_command_can_be_copied);
    RUN(test_values_have_a_line_for_every_x_that_is_seen);
    free(parent), free(twin), free(branch);
    for (int i = 0; i < 12; i++)
        free(many[i]);
    return check_done();
}
