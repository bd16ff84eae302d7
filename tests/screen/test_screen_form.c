/* The new and the branch form: configs in the list, fields that are checked while they change, runs that start from it.
 */
#include "tests/screen/screen_driver.h"

#include <locale.h>
#include <sys/stat.h>

static const char moons[] =
    "{\n"
    " \"name\": \"moons\", \"description\": \"Two half circles.\",\n"
    " \"data\": {\"format\": \"synthetic\", \"name\": \"moons\", \"samples\": 200, \"validation_split\": 0.2},\n"
    " \"model\": {\"layers\": [{\"class\": \"Dense\", \"units\": 8, \"activation\": \"relu\"}, {\"class\": \"Dense\", "
    "\"units\": 1}]},\n"
    " \"compile\": {\"optimizer\": \"adam\", \"loss\": \"mse\"},\n"
    " \"fit\": {\"epochs\": 3}\n"
    "}\n";

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    CHECK(file && fputs(text, file) >= 0);
    if (file)
        fclose(file);
}

static void open_form(struct driver *d)
{
    driver_open(d, "runs", 100, 40);
    driver_keys(d, "n Enter");
    DRIVER_WAIT(d, "33 parameters");
    DRIVER_WAIT(d, "learning_rate"); /* the worker has said what an optimizer takes */
}

static void test_the_list_has_files_here_and_the_examples(void)
{
    struct driver d;
    driver_open(&d, "runs", 100, 30);
    CHECK_HAS(driver_screen(&d), "No runs here yet.");
    driver_keys(&d, "Enter");
    const char *screen = driver_screen(&d);
    CHECK_HAS(screen, "here     broken.json");
    CHECK_HAS(screen, "here     moons                  synthetic moons    2 layers, adam");
    CHECK_HAS(screen, "example  digits-cnn             csv digits.csv.gz  9 layers, Adam");
    CHECK(!strstr(screen, "package.json"));
    driver_keys(&d, "Up Up Enter");
    CHECK_HAS(driver_screen(&d), "'broken.json' line 2 column 0");
    driver_close(&d);
}

static void test_the_list_is_filtered_while_typing(void)
{
    struct driver d;
    driver_open(&d, "runs", 100, 30);
    driver_keys(&d, "n / w i n e");
    const char *screen = driver_screen(&d);
    CHECK_HAS(screen, "1 of ");
    CHECK_HAS(screen, "wine-regression");
    CHECK(!strstr(screen, "digits-mlp"));
    driver_keys(&d, "Esc");
    CHECK_HAS(driver_screen(&d), "digits-mlp");
    driver_close(&d);
}

static void test_the_form_shows_the_config_and_what_becomes_of_it(void)
{
    struct driver d;
    open_form(&d);
    const char *screen = driver_screen(&d);
    CHECK_HAS(screen, "new run from moons.json");
    CHECK_HAS(screen, "start this run  Enter");
    CHECK_HAS(screen, "epochs            3");
    CHECK_HAS(screen, "learning_rate   0.001");
    CHECK_HAS(screen, "0 Dense         units 8  activation relu");
    CHECK_HAS(screen, "160 train  40 validation");
    CHECK_HAS(screen, "$ antler --home runs train moons.json\n");
    driver_close(&d);
}

static const char small_form[] = " antler  new run from moons.json\n"
                                 "─── config ───────────────────────────────────── ─── model ─────────────────────\n"
                                 " ▶ start this run  Enter                          InputLayer         2        —\n"
                                 "   name                moons                      Dense              8       24\n"
                                 " ▾ fit                                            Dense              1        9\n"
                                 "     epochs            3                          33 parameters\n"
                                 "     batch_size        32                         # memory in training\n"
                                 "   ▸ 7 more                                      ─── data ──────────────────────\n"
                                 " ▾ compile                                        160 train  40 val\n"
                                 "   ▾ optimizer                                    2 classes\n"
                                 "       class           adam                       0  0.149  0.965\n"
                                 "       learning_rate   0.001                      1  0.983  -0.462\n"
                                 "     ▸ 12 more                                    0  1.23  0.362\n"
                                 "     loss              mse                        1  1.15  -0.543\n"
                                 "   ▸ 3 more                                       0  0.268  0.913\n"
                                 " ▾ model                                          1  0.532  -0.333\n"
                                 "   ▾ layers                                       0  -0.867  0.412\n"
                                 "────────────────────────────────────────────────────────────────────────────────\n"
                                 " Two half circles.\n"
                                 "\n"
                                 "\n"
                                 "\n"
                                 " $ antler --home runs train moons.json\n"
                                 " Enter change  w queue  u take back  Space fold  n new  q back  ? help\n";

/* How much memory it takes is the machine's affair (its kernels need room of their own). */
static const char *without_memory(const char *screen)
{
    static char text[8192];
    const char *end = strstr(screen, " memory in training"), *begin = end;
    while (begin && begin > screen && !(begin[-1] == ' ' && begin[-2] == ' '))
        begin--;
    snprintf(text, sizeof text, "%.*s#%s", begin ? (int)(begin - screen) : 0, screen, end ? end : screen);
    return text;
}

static void test_a_small_screen_shows_the_form_whole(void)
{
    struct driver d;
    driver_open(&d, "runs", 80, 24);
    driver_keys(&d, "n Enter");
    DRIVER_WAIT(&d, "33 parameters");
    DRIVER_WAIT(&d, "learning_rate");
    CHECK_STR(without_memory(driver_screen(&d)), small_form);
    driver_close(&d);
}

static void test_a_click_selects_and_a_second_one_presses(void)
{
    struct driver d;
    open_form(&d);
    driver_screen(&d);
    struct event click = {.kind = EVENT_MOUSE, .action = MOUSE_PRESS, .x = 10, .y = 5};
    driver_send(&d, click);
    CHECK_HAS(driver_screen(&d), "fit.epochs  integer");
    driver_send(&d, click);
    driver_keys(&d, "Ctrl-U 9 Enter");
    CHECK_HAS(driver_screen(&d), "--set fit.epochs=9\n");
    driver_close(&d);
}

/* Nothing can be started from a home that cannot be made; everything else may happen. */
static void test_random_keys_leave_a_screen_that_can_be_left(void)
{
    static const char *const keys[] = {"Up",     "Down", "Enter",     "Left", "Right", "Space", "u", "Tab", "z",
                                       "PgDn",   "PgUp", "g",         "G",    "Esc",   "n",     "q", "/",   "1",
                                       "Ctrl-U", "a",    "Backspace", "?",    ":",     "y",     "0", "."};
    struct driver d;
    uint32_t seed = 7;
    driver_open(&d, "/proc/nowhere", 80, 24);
    for (int i = 0; i < 4000; i++) {
        seed = seed * 1664525 + 1013904223;
        driver_keys(&d, keys[(seed >> 16) % (sizeof keys / sizeof *keys)]);
        if (i % 7 == 0)
            driver_send(&d, (struct event){.kind = EVENT_TICK});
        if (i % 40 == 0)
            grid_resize(&d.grid, 30 + (int)(seed >> 8) % 120, 5 + (int)(seed >> 20) % 40);
        if (i % 10 == 0)
            driver_screen(&d);
        d.app->quit = false;
    }
    CHECK(d.app->depth >= 1);
    driver_close(&d);
}

static void test_a_change_is_bright_counted_and_in_the_command(void)
{
    struct driver d;
    open_form(&d);
    driver_keys(&d, "Down Down Down Enter Ctrl-U 1 2 Enter");
    CHECK_HAS(driver_screen(&d), "1 changed");
    CHECK_HAS(driver_screen(&d), "train moons.json --set fit.epochs=12\n");
    driver_keys(&d, "u");
    CHECK(!strstr(driver_screen(&d), "--set"));
    driver_keys(&d, "Enter Ctrl-U 5 Esc");
    CHECK(!strstr(driver_screen(&d), "--set"));
    driver_close(&d);
}

static void test_an_argument_of_an_optimizer_given_by_name_can_change(void)
{
    struct driver d;
    open_form(&d);
    driver_keys(&d, "Down Down Down Down Down Down Down Down Down Enter Ctrl-U . 0 5 Enter");
    CHECK_HAS(driver_screen(&d), "--set 'compile.optimizer={\"class\": \"adam\", \"learning_rate\":\n   0.05}'");
    driver_close(&d);
}

static void test_a_class_is_chosen_from_a_menu(void)
{
    struct driver d;
    open_form(&d);
    driver_keys(&d, "Down Down Down Down Down Down Down Down Enter");
    CHECK_HAS(driver_screen(&d), "gradient descent, with momentum");
    driver_keys(&d, "Up Enter"); /* from Adam to the one above */
    CHECK_HAS(driver_screen(&d), "--set 'compile.optimizer={\"class\": \"SGD\"}'");
    driver_close(&d);
}

static void test_a_wrong_value_is_explained_below_its_field(void)
{
    struct driver d;
    open_form(&d);
    driver_keys(&d, "Down Down Down Down Enter Ctrl-U - 3 Enter");
    DRIVER_WAIT(&d, "found -3, expected 1 to");
    const char *at = strstr(driver_screen(&d), "batch_size");
    CHECK(at && strstr(at, "found -3") && strstr(at, "found -3") - at < 240);
    CHECK_HAS(driver_screen(&d), "once the error below is gone");
    driver_keys(&d, "u");
    DRIVER_WAIT(&d, "start this run  Enter");
    driver_close(&d);
}

static void test_a_layer_is_added_moved_and_taken_out_by_keys(void)
{
    struct driver d;
    open_form(&d);
    driver_keys(&d, "Down Down Down Down Down Down Down Down Down Down Down Down Down Down Down Down");
    CHECK_HAS(driver_screen(&d), "+ add");
    driver_keys(&d, "+ d r o p o");
    CHECK_HAS(driver_screen(&d), "add to model.layers: dropo");
    CHECK_HAS(driver_screen(&d), "SpatialDropout1D");
    driver_keys(&d, "Enter");
    DRIVER_WAIT(&d, "needs the argument 'rate'");
    driver_keys(&d, "Enter 0 . 5 Enter");
    DRIVER_WAIT(&d, "Dropout                    1        —");
    CHECK_HAS(driver_screen(&d), "\"rate\": 0.5}");
    driver_keys(&d, "Shift-Down");
    CHECK_HAS(driver_screen(&d), "it is at the end of its list");
    driver_keys(&d, "Shift-Up");
    CHECK_HAS(driver_screen(&d), "1 Dropout");
    CHECK_HAS(driver_screen(&d), "2 Dense         units 1");
    driver_keys(&d, "-");
    CHECK(!strstr(driver_screen(&d), "--set"));
    driver_keys(&d, "G Up - q");
    CHECK_HAS(driver_screen(&d), "choose a config");
    driver_close(&d);
}

static void test_leaving_with_changes_asks(void)
{
    struct driver d;
    open_form(&d);
    driver_keys(&d, "Down Enter x Enter q");
    CHECK_HAS(driver_screen(&d), "1 change was made here");
    driver_keys(&d, "n");
    CHECK_HAS(driver_screen(&d), "new run from moons.json");
    driver_keys(&d, "1");
    CHECK_HAS(driver_screen(&d), "1 change was made here");
    driver_keys(&d, "n q y");
    CHECK_HAS(driver_screen(&d), "choose a config");
    driver_close(&d);
}

static json_t *newest_config(struct driver *d, const char **parent)
{
    struct err err = {0};
    char *folder = app_run_folder(d->app, &d->app->runs[0]);
    json_t *config = run_read_config(folder, &err);
    *parent = d->app->runs[0].parent_run;
    free(folder);
    return config;
}

static void test_three_keys_start_a_run_and_its_checkpoints_can_be_gone_on_from(void)
{
    struct driver d;
    const char *parent;
    driver_open(&d, "runs", 100, 30);
    driver_keys(&d, "n Enter Enter");
    DRIVER_WAIT(&d, "finished");
    CHECK_EQ(d.app->n_runs, 1);
    driver_keys(&d, "r");
    CHECK_HAS(driver_screen(&d), "A new run goes on from epoch 3 of moons");
    driver_keys(&d, "Ctrl-U 2 Enter");
    CHECK_HAS(driver_screen(&d), "the run was not started");
    driver_keys(&d, "Esc r Enter");
    DRIVER_WAIT(&d, "epoch 6/6");
    DRIVER_WAIT(&d, "finished");
    CHECK_EQ(d.app->n_runs, 2);
    driver_keys(&d, "t");
    DRIVER_WAIT(&d, "learning_rate");
    CHECK_HAS(driver_screen(&d), "kept  weights, optimizer state, epoch 6, step 30");
    CHECK_HAS(driver_screen(&d), " moons-more\n");
    driver_keys(&d, "Down Down Down Down Down Down Down Down Down Enter Ctrl-U 0 . 0 5 Enter");
    CHECK_HAS(driver_screen(&d), "anew  learning rate");
    CHECK_HAS(driver_screen(&d), " moons-lr\n");
    driver_keys(&d, "g Enter");
    DRIVER_WAIT(&d, "finished");
    CHECK_EQ(d.app->n_runs, 3);
    json_t *config = newest_config(&d, &parent);
    CHECK_NEAR(js_double(js_at(config, "compile.optimizer"), "learning_rate", 0), 0.05, 0);
    CHECK_EQ(js_int(json_object_get(config, "fit"), "epochs", 0), 12);
    CHECK_STR(parent, d.app->runs[1].id);
    CHECK_STR(d.app->runs[0].name, "moons-lr");
    json_decref(config);
    driver_close(&d);
}

static void test_a_worker_that_cannot_run_is_an_error_in_full(void)
{
    struct driver d;
    char *worker = xstrdup(getenv("ANTLER_WORKER"));
    setenv("ANTLER_WORKER", "/nowhere/antler-worker", 1);
    driver_open(&d, "runs", 100, 30);
    driver_keys(&d, "n Enter");
    CHECK_HAS(driver_screen(&d), "cannot run '/nowhere/antler-worker'");
    driver_keys(&d, "Enter");
    CHECK_HAS(driver_screen(&d), "the run was not started");
    setenv("ANTLER_WORKER", worker, 1);
    free(worker);
    driver_close(&d);
}

/* Reading large data takes its time before a worker is sure to run. */
static void test_a_slow_start_does_not_hold_the_screen(void)
{
    struct driver d;
    size_t before;
    char *worker = xstrdup(getenv("ANTLER_WORKER"));
    write_file("slow-worker", "#!/bin/sh\n[ \"$1\" = train ] && sleep 1\nexec " BINARY_DIR "/antler-worker \"$@\"\n");
    CHECK(!chmod("slow-worker", 0755));
    setenv("ANTLER_WORKER", check_path("slow-worker"), 1);
    driver_open(&d, "runs", 100, 30);
    before = d.app->n_runs;
    driver_keys(&d, "n Enter Enter");
    CHECK_HAS(driver_screen(&d), "starting: the worker reads the data first");
    CHECK_HAS(driver_screen(&d), "new run from moons.json");
    driver_keys(&d, "Enter");
    CHECK_HAS(driver_screen(&d), "a run is being started");
    DRIVER_WAIT(&d, "finished");
    CHECK_EQ(d.app->n_runs, before + 1);
    setenv("ANTLER_WORKER", worker, 1);
    free(worker);
    driver_close(&d);
}

static void test_what_is_remembered_survives_the_screen(void)
{
    struct driver d;
    driver_open(&d, "runs", 100, 30);
    app_remember(d.app, "test.word", json_string("kept"));
    driver_close(&d);
    driver_open(&d, "runs", 100, 30);
    CHECK_STR(json_string_value(app_recall(d.app, "test.word")), "kept");
    driver_close(&d);
    driver_open(&d, "/proc/nowhere", 100, 30);
    app_remember(d.app, "test.word", json_string("lost")); /* where nothing can be written that is no error */
    driver_close(&d);
}

int main(void)
{
    setlocale(LC_ALL, "C.UTF-8");
    setenv("ANTLER_WORKER", BINARY_DIR "/antler-worker", 1);
    if (chdir(check_tmp()))
        return 1;
    write_file("broken.json", "{\"data\":\n");
    write_file("package.json", "{\"version\": 1}\n");
    write_file("moons.json", moons);
    RUN(test_the_list_has_files_here_and_the_examples);
    unlink("broken.json");
    RUN(test_the_list_is_filtered_while_typing);
    RUN(test_the_form_shows_the_config_and_what_becomes_of_it);
    RUN(test_a_small_screen_shows_the_form_whole);
    RUN(test_a_click_selects_and_a_second_one_presses);
    RUN(test_random_keys_leave_a_screen_that_can_be_left);
    RUN(test_a_change_is_bright_counted_and_in_the_command);
    RUN(test_an_argument_of_an_optimizer_given_by_name_can_change);
    RUN(test_a_class_is_chosen_from_a_menu);
    RUN(test_a_wrong_value_is_explained_below_its_field);
    RUN(test_a_layer_is_added_moved_and_taken_out_by_keys);
    RUN(test_leaving_with_changes_asks);
    RUN(test_a_worker_that_cannot_run_is_an_error_in_full);
    RUN(test_three_keys_start_a_run_and_its_checkpoints_can_be_gone_on_from);
    RUN(test_a_slow_start_does_not_hold_the_screen);
    RUN(test_what_is_remembered_survives_the_screen);
    return check_done();
}
