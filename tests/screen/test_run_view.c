/* The view of one run: the curve, the checkpoints on it and the list are one selection; what is drawn follows the keys;
 * it grows while it is watched. */
#include "tests/screen/screen_home.h"

#include "persistence/config/settings.h"

#include "persistence/runs/run_live.h"
#include "tui/terminal/painter.h"

#include <sys/stat.h>

static char *parent, *child;
static const char config[] =
    "{\"name\": \"digits\", \"seed\": 1, \"data\": {\"format\": \"csv\", \"path\": \"digits.csv.gz\"},"
    " \"model\": {\"layers\": [{\"class\": \"Dense\", \"units\": 64, \"activation\": \"relu\"}, {\"class\": "
    "\"Flatten\"}]},"
    " \"compile\": {\"optimizer\": {\"class\": \"Adam\", \"learning_rate\": 0.001}}, \"fit\": {\"epochs\": 8, "
    "\"batch_size\": 32}}";

static void make_home(void)
{
    screen_clock(1700000000);
    parent = screen_run("digits", NULL, 0, config);
    screen_epochs(parent, 1, 8, 2);
    screen_state(parent, RUN_FINISHED, 8);
    child = screen_run("digits-branch", parent, 4, config);
    screen_epochs(child, 5, 8, 1);
    screen_state(child, RUN_STOPPED, 8);
}

static void test_a_finished_run_opens_on_its_best_checkpoint(void)
{
    screen_show("run", parent, 80, 24);
    CHECK_STR(screen_text(), " digits  ✓ finished  epoch 8/8  step 80  best val_loss 0.3500 @8  took 1m20s\n"
                             "      loss                                                  ─ loss  ┄ val_loss\n"
                             "     │                                                epoch 8                 ┊\n"
                             " 2.0 ┤ ⢐⢄                                             loss 0.2500             ┊\n"
                             "     │  ⠑⠢⡢⣀                                          val_loss 0.3500         ┊\n"
                             " 1.5 ┤    ⠈⠒⢕ ⡀                                       step 80  lr 1e-3  1m10s ┊\n"
                             "     │       ⠑⠪⡢⣀                                     ◆ best checkpoint       ┊\n"
                             " 1.0 ┤         ⠈⠒⢄⡢⠤⣀                                                         ┊\n"
                             "     │            ⠈⠉⠑⠒⠫⠵⢖⣀⡤⣀⣀                                                 ┊\n"
                             " 0.5 ┤                    ⠈⠉⠉⠑⠛⠛⠫⠤⠭⠶⣒⣀⣒⣒⡢ ⠤⠤⠤ ⣀⣀⣀ ⣀⣀⣀                         ┊\n"
                             "     │                                  ⠈⠉⠉⠉⠉⠑⠒⠒⠒⠒⠒⠒⠒⠤⠭⠭⠭⠤⠭⠭⠭⠤⠭⠶⠶⠤⠶⠶⠶⠤⠶⠶⠶⣀⣒⣒⣒⣀◆\n"
                             " 0.0 ┤                                                                        ┊\n"
                             "     └─┬─────────┬─────────┬─────────┬──────────┬─────────┬─────────┬─────────┬─\n"
                             "       1         2         3         4          5         6         7         8\n"
                             "ckpt   ◇         ◇         ◇         ◇          ◇         ◇         ◇        [◆]\n"
                             "─── checkpoints 8 ──────────────────────── ─ config ┬─ layers ┬─ log ┬─ events ─\n"
                             "    epoch  step    loss  val_loss  after ▴  name  digits                       │\n"
                             " ◇      3    30  0.6667    0.7667    20s    seed  1                            │\n"
                             " ◇      4    40  0.5000    0.6000    30s    data                               │\n"
                             " ◇      5    50  0.4000    0.5000    40s      format  csv\n"
                             " ◇      6    60  0.3333    0.4333    50s      path    digits.csv.gz\n"
                             " ◇      7    70  0.2857    0.3857  1m00s    model\n"
                             "▸◆      8    80  0.2500    0.3500  1m10s      layers\n"
                             " e evaluate  p predict  r resume  t try other settings  i inspect  ? help\n");
    screen_close();
}

static void test_a_worker_that_was_killed_is_noticed(void)
{
    char *id = screen_run("killed", NULL, 0, "{}"), *folder = path_join(screen_home(), id);
    struct run_writer *writer = run_open_writer(folder, &screen_err);
    CHECK_OK(run_set_state(writer, RUN_RUNNING, 0, 0, NULL, &screen_err), screen_err);
    screen_show("run", id, 80, 24);
    CHECK_HAS(screen_text(), "▶ running");
    screen_tick();
    CHECK_HAS(screen_text(), "▶ running");
    run_close_writer(writer); /* as its death does; nothing is written */
    screen_tick();
    CHECK_HAS(screen_text(), "! interrupted");
    screen_close();
    CHECK_OK(run_delete(screen_home(), id, &screen_err), screen_err);
    free(folder);
    free(id);
}

static void test_walking_the_checkpoints_moves_curve_rail_and_list_together(void)
{
    screen_show("run", parent, 100, 30);
    screen_press("[ [");
    CHECK_STR(app_checkpoint(screen.app)->name, "epoch-0006.keras");
    CHECK_HAS(screen_text(), "   epoch 6");
    screen_press("]");
    CHECK_STR(app_checkpoint(screen.app)->name, "epoch-0007.keras");
    screen_press("b");
    CHECK_STR(app_checkpoint(screen.app)->name, "epoch-0008.keras");
    CHECK_HAS(screen_text(), "◆ best checkpoint");
    screen_press("Up Up Up");
    CHECK_STR(app_checkpoint(screen.app)->name, "epoch-0005.keras");
    screen_press("Left");
    CHECK_STR(app_checkpoint(screen.app)->name, "epoch-0004.keras");
    screen_press("g");
    CHECK_STR(app_checkpoint(screen.app)->name, "epoch-0001.keras");
    screen_press("G");
    CHECK_STR(app_checkpoint(screen.app)->name, "epoch-0008.keras");
    screen_close();
}

/* Rows that scroll are written anew: not with every key that moves the cursor. */
static void test_the_list_comes_along_when_the_cursor_rests(void)
{
    screen_show("run", parent, 80, 24);
    CHECK_HAS(screen_text(), "▸◆      8 ");
    screen_press("Left Left Left Left Left Left");
    CHECK_STR(app_checkpoint(screen.app)->name, "epoch-0002.keras");
    CHECK_HAS(screen_text(), "\n ◇      3 ");
    CHECK(!strstr(screen_text(), "▸"));
    driver_send(&screen, (struct event){.kind = EVENT_TICK}); /* it does not rest yet */
    CHECK(!strstr(screen_text(), "▸"));
    screen.now += 0.5;
    driver_send(&screen, (struct event){.kind = EVENT_TICK});
    CHECK_HAS(screen_text(), "\n▸◇      2 ");
    screen_press("Right ]"); /* who goes to a checkpoint wants to see its row */
    CHECK_HAS(screen_text(), "\n▸◇      4 ");
    screen_press("Left Left Left Tab Up Down");
    CHECK_HAS(screen_text(), "\n ◇      1 ");
    CHECK_STR(app_checkpoint(screen.app)->name, "epoch-0002.keras");
    screen_close();
}

static void test_a_list_that_grows_makes_room_before_it_needs_it(void)
{
    struct list list = {.calm = true, .count = 5, .selected = 4, .drawn = {0, 0, 40, 7}};
    CHECK(!list_make_room(&list));
    list.count++;
    list.selected++;
    CHECK(list_make_room(&list));
    CHECK_EQ(list.top, 3);
    CHECK(!list_make_room(&list));
    list.count++;
    list.selected++;
    list_settle(&list, 6);
    CHECK_EQ(list.top, 3);
    CHECK(list_shows_selected(&list));
}

static void test_the_first_and_the_last_checkpoint_are_the_ends(void)
{
    screen_show("run", parent, 80, 24);
    screen_press("[ [ [ [ [ [ [ [ [ [ [ [");
    CHECK_STR(app_checkpoint(screen.app)->name, "epoch-0001.keras");
    screen_press("Left Left Shift-Left");
    CHECK_STR(app_checkpoint(screen.app)->name, "epoch-0001.keras");
    screen_press("] ] ] ] ] ] ] ] ] ] ] ] Right Shift-Right");
    CHECK_STR(app_checkpoint(screen.app)->name, "epoch-0008.keras");
    screen_close();
}

static void test_what_is_drawn_follows_the_keys(void)
{
    screen_show("run", parent, 100, 30);
    screen_press("s y o");
    CHECK_HAS(screen_text(), "loss   log   smooth 0.6   clipped");
    screen_press("x");
    CHECK_HAS(screen_text(), "80 step\n");
    screen_press("v v");
    CHECK_HAS(screen_text(), "val_loss   log");
    CHECK(!strstr(screen_text(), "loss 0.2500"));
    screen_press("v + +");
    CHECK_HAS(screen_text(), "zoomed");
    screen_press("0");
    CHECK(!strstr(screen_text(), "zoomed"));
    screen_press("m");
    CHECK_HAS(screen_text(), "learning_rate");
    screen_press("Down Enter");
    CHECK_HAS(screen_text(), "accuracy 0.9750");
    screen_close();
}

/* Small charts: beside the large one on a wide screen, all of them side by side when asked. */
static void test_other_metrics_are_drawn_where_there_is_room(void)
{
    static const char charts[] = "       loss  0.2857  val 0.3857                accuracy  0.9714  max 0.9750@8\n"
                                 "      │                                       │                            ⣀⣀◆\n"
                                 "    2 ┤⢰⡀                                     │                ⢀⣀⡠⠤⠔⠒⠒⠊⠉◇⠉⠉\n"
                                 "      │⠈⢷⡀                               0.95 ┤          ⢀⡠⠔⠒⠊⠉⠁\n"
                                 "      │ ⠈⢷⡀                                   │        ⡠⠊⠁\n"
                                 "      │  ⠈⣧                                   │      ⡠⠊\n"
                                 "      │   ⠘⣧                             0.90 ┤    ⢀⠎\n"
                                 "    1 ┤    ⠘⡧⡀                                │    ⡜\n"
                                 "      │     ⠈⠪⣀⢄                              │   ⡸\n"
                                 "      │        ⠑⠭⣒ ⢄⣀⡀                   0.85 ┤  ⢠⠃\n"
                                 "      │           ⠉⠑⠒⠪⠤⢕⣒⣒⡀⠤⠤⠤ ⣀◇⣀            │ ⢀⠇\n"
                                 "      │                   ⠈⠉⠉⠉⠑⠒⠒⠒⠒⠭⠭◆        │ ⡜\n"
                                 "    0 ┤                         ┊        0.80 ┤⠘                        ┊\n"
                                 "       epoch 7  step 70\n";
    screen_show("run", parent, 160, 40);
    screen_press("0");
    CHECK_HAS(screen_text(), "accuracy  0.9750");
    screen_press("[");
    CHECK_HAS(screen_text(), "accuracy  0.9714");
    screen_size(80, 24);
    CHECK(!strstr(screen_text(), "accuracy"));
    screen_press("m Home Enter");
    CHECK_HAS(screen_text(), charts);
    screen_press("m Down Enter");
    CHECK(!strstr(screen_text(), "accuracy"));
    screen_close();
}

static void test_text_in_the_tabs_is_searched(void)
{
    screen_show("run", parent, 100, 30);
    screen_press("Tab Tab / b a t c h");
    CHECK_HAS(screen_text(), "/batch");
    CHECK_HAS(screen_text(), "batch_size  32");
    screen_press("x");
    CHECK_HAS(screen_text(), "not there");
    screen_press("Esc q");
    CHECK_STR(screen.app->stack[screen.app->depth - 1].ops->name, "runs");
    screen_close();
}

static void test_settings_are_remembered_in_the_home(void)
{
    screen_show("run", parent, 100, 30);
    CHECK_HAS(screen_text(), "smooth 0.6");
    screen_press("s s s o y X");
    CHECK_HAS(screen_text(), "log x");
    screen_press("X x x x x");
    screen_close();
    screen_show("run", parent, 100, 30);
    CHECK(!strstr(screen_text(), "smooth") && !strstr(screen_text(), "loss   log"));
    CHECK_HAS(screen_text(), " epoch\n");
    screen_close();
}

static void test_a_theme_is_shown_while_it_is_looked_at_and_kept_when_chosen(void)
{
    setenv("XDG_CONFIG_HOME", check_tmp(), 1);
    screen_show("run", parent, 100, 30);
    screen_press("F2 Down Down");
    CHECK_HAS(screen_text(), "colorblind");
    CHECK_EQ(screen.app->theme, THEME_LIGHT);
    screen_press("Esc");
    CHECK_EQ(screen.app->theme, THEME_AUTO);
    screen_press("F2 Down Down Down Enter");
    CHECK_EQ(screen.app->theme, THEME_COLORBLIND);
    CHECK_HAS(screen_text(), "the theme is colorblind, also next time");
    json_t *settings = settings_read(screen_home(), NULL);
    CHECK_STR(js_string(settings, "screen.theme", ""), "colorblind");
    json_decref(settings);
    screen_close();
}

static void test_the_parents_part_of_the_curve_is_dim_up_to_the_fork(void)
{
    struct str styles = {0};
    screen_show("run", child, 100, 30);
    screen_text();
    grid_dump_styles(&screen.grid, &styles);
    CHECK(strchr(str_text(&styles), 'a' + STYLE_SERIES_DIM) != NULL);
    CHECK_HAS(screen_text(), "from digits:4");
    CHECK_HAS(screen_text(), "├");
    str_clear(&styles);
    CHECK_OK(app_open(screen.app, "run", parent, &screen_err), screen_err);
    screen_text();
    grid_dump_styles(&screen.grid, &styles);
    CHECK(strchr(str_text(&styles), 'a' + STYLE_SERIES_DIM) == NULL);
    str_release(&styles);
    screen_close();
}

static void write_log(const char *id)
{
    char *path = xprintf("%s/%s/log.txt", screen_home(), id);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    fputs("\033[1;31mred words\033[0m\nstep 1\rstep 2\rstep 3\n\033]0;title\007plain\n", file);
    fclose(file);
    free(path);
}

static void test_the_tabs_show_config_log_and_events(void)
{
    write_log(parent);
    screen_show("run", parent, 100, 30);
    screen_press("Tab Tab");
    CHECK_HAS(screen_text(), "0   Dense  units 64  activation relu");
    screen_press("PgDn");
    CHECK_HAS(screen_text(), "optimizer  Adam  learning_rate 0.001");
    screen_press("Right Right");
    CHECK_HAS(screen_text(), "red words\n");
    CHECK_HAS(screen_text(), "step 3\n");
    CHECK_HAS(screen_text(), " plain\n");
    CHECK(!strstr(screen_text(), "step 2\n") && !strstr(screen_text(), "title"));
    screen_press("Right");
    CHECK_HAS(screen_text(), "nothing happened yet");
    screen_close();
}

static void add_event(struct history_writer *writer, int64_t epoch, int64_t step, const char *text)
{
    json_t *json = js_parse(text, strlen(text), "event", JS_STRICT, &screen_err);
    CHECK_OK(history_add_event(writer, epoch, step, json, &screen_err), screen_err);
    json_decref(json);
}

static void test_what_happened_is_said_in_words_and_lies_on_the_rail(void)
{
    char *id = screen_run("steered", NULL, 0, config), *folder = path_join(screen_home(), id);
    screen_epochs(id, 1, 2, 1);
    struct history_writer *writer = history_open_writer(folder, &screen_err);
    add_event(writer, 0, 0, "{\"event\": \"started\", \"device\": \"cpu\"}");
    add_event(writer, 3, 25, "{\"event\": \"command\", \"command\": \"learning_rate\", \"value\": 0.01, \"ok\": true}");
    add_event(writer, 3, 26,
              "{\"event\": \"command\", \"command\": \"epochs\", \"value\": 1, \"ok\": false, \"error\": \"too few\"}");
    add_event(writer, 3, 27, "{\"event\": \"warning\", \"about\": \"metrics\", \"text\": \"loss is NaN\"}");
    add_event(writer, 3, 28, "{\"event\": \"eclipse\"}");
    history_close_writer(writer);
    screen_epochs(id, 3, 4, 1);
    screen_state(id, RUN_FINISHED, 4);
    screen_show("run", id, 100, 30);
    screen_press("Tab Tab Right Right Right");
    CHECK_HAS(screen_text(), "started on cpu\n");
    CHECK_HAS(screen_text(), "learning rate 0.01\n");
    CHECK_HAS(screen_text(), "epochs in all 1, refused: t");
    CHECK_HAS(screen_text(), "warning: loss is NaN\n");
    CHECK_HAS(screen_text(), "eclipse");
    CHECK_HAS(screen_text(), "L  E W ");
    screen_close();
    screen_show("run", parent, 100, 30);
    CHECK(!strstr(screen_text(), "L  E W "));
    screen_close();
    free(folder);
    free(id);
}

/* Stands for antler-worker: answers every job with the layers of a small model. */
static void make_worker(void)
{
    char *path = xprintf("%s/worker", check_tmp());
    FILE *file = fopen(path, "w");
    fputs("#!/bin/sh\ncat > /dev/null\necho '{\"result\": {\"layers\": [{\"name\": \"dense\", \"class\": \"Dense\", "
          "\"output_shape\": [null, 8, 64],"
          " \"params\": 4160, \"trainable\": true}], \"params\": 4160, \"optimizer\": {\"class\": \"Adam\"}}}'\n",
          file);
    fclose(file);
    chmod(path, 0755);
    setenv("ANTLER_WORKER", path, 1);
    free(path);
}

static void test_layers_are_asked_of_the_worker_once(void)
{
    make_worker();
    screen_show("run", parent, 100, 30);
    screen_press("Tab Tab Right");
    CHECK_HAS(screen_text(), "reading the model ...");
    for (int i = 0; i < 500 && app_busy(screen.app); i++) {
        usleep(10000);
        screen_tick();
    }
    CHECK_HAS(screen_text(), "Dense  8×64        4,160  dense\n");
    CHECK_HAS(screen_text(), "parameters  4,160\n");
    screen_press("Left Right");
    CHECK_HAS(screen_text(), "parameters  4,160\n");
    CHECK_EQ(screen.app->last_job, 1);
    screen_close();
}

static void test_a_running_run_grows_while_it_is_watched_and_its_end_is_noticed(void)
{
    char *id = screen_run("live", NULL, 0, config), *folder = path_join(screen_home(), id);
    struct run_writer *writer = run_open_writer(folder, &screen_err);
    struct run_live *live = run_live_create(folder, &screen_err);
    run_live_store(live, &(struct run_live){.phase = LIVE_TRAINING,
                                            .steps_per_epoch = 10,
                                            .epoch = 3,
                                            .epochs = 8,
                                            .step = 24,
                                            .step_in_epoch = 4,
                                            .steps_per_second = 2,
                                            .cpu_share = 0.94});
    screen_epochs(id, 1, 2, 2);
    screen_show("run", id, 100, 30);
    CHECK_HAS(screen_text(), " live  ▶ running  epoch 3/8  step  4/10  2.0 steps/s  ~0:28 left  cpu 95%");
    CHECK_STR(app_checkpoint(screen.app)->name, "epoch-0002.keras");
    screen_epochs(id, 3, 5, 2);
    screen_tick();
    CHECK_STR(app_checkpoint(screen.app)->name, "epoch-0005.keras");
    screen_press("[ [");
    screen_epochs(id, 6, 6, 2);
    screen_tick();
    CHECK_STR(app_checkpoint(screen.app)->name, "epoch-0003.keras");
    screen_press("f");
    CHECK_STR(app_checkpoint(screen.app)->name, "epoch-0006.keras");
    run_live_store(live, &(struct run_live){.phase = LIVE_ENDED, .epoch = 3, .epochs = 8, .steps_per_epoch = 10});
    screen_tick();
    CHECK_HAS(screen_text(), " live  ▶ running  epoch 6/8  step 60"); /* a page of the past says nothing */
    run_live_close(live);
    CHECK_OK(run_set_state(writer, RUN_STOPPED, 6, 60, NULL, &screen_err), screen_err);
    run_close_writer(writer);
    screen_tick();
    CHECK_HAS(screen_text(), " live  ■ stopped  epoch 6/8  step 60");
    screen_close();
    free(folder);
    free(id);
}

/* An epoch with its checkpoint: the curve, the rail and the list grow, nothing else moves. The axis grows seldom. */
static void test_an_epoch_that_ends_takes_few_bytes(void)
{
    char *id = screen_run("slow", NULL, 0, "{\"fit\": {\"epochs\": 100}}");
    struct painter *painter = painter_open("xterm-256color", 80, 24, COLORS_256, false, &screen_err);
    size_t n;
    int above = 0;
    if (!painter)
        SKIP("%s", screen_err.text);
    char *folder = path_join(screen_home(), id);
    struct run_writer *writer = run_open_writer(folder, &screen_err);
    CHECK_OK(run_set_state(writer, RUN_PAUSED, 12, 120, NULL, &screen_err), screen_err);
    screen_epochs(id, 1, 12, 2);
    screen_show("run", id, 80, 24);
    for (int epoch = 12; epoch <= 60; epoch++) {
        screen_epochs(id, epoch, epoch, 2);
        screen_tick();
        screen_text();
        painter_frame(painter, &screen.grid, &n);
        above += epoch > 12 && n > 400;
    }
    CHECK(above <= 3); /* at 20 and 40 epochs the axis grows */
    painter_close(painter);
    run_close_writer(writer);
    screen_close();
    free(folder);
    free(id);
}

static void test_a_run_that_is_deleted_while_it_is_shown(void)
{
    char *id = screen_run("gone", NULL, 0, config);
    screen_epochs(id, 1, 3, 1);
    screen_state(id, RUN_FINISHED, 3);
    screen_show("run", id, 80, 24);
    CHECK_OK(run_delete(screen_home(), id, &screen_err), screen_err);
    screen_tick();
    screen_press("[ e p r t i S Tab Tab Right Left Space Enter x s m");
    CHECK_HAS(screen_text(), "deleted");
    CHECK(!app_run(screen.app) && !app_checkpoint(screen.app));
    screen_close();
    free(id);
}

/* One after the other, each on a fresh screen: what the help lists does something, or says why not. */
static void test_every_key_in_the_help_works_here(void)
{
    for (int a = ACTION_NONE + 1; a < ACTION_COUNT; a++) {
        screen_show("run", parent, 80, 24);
        unsigned places = IN_ALL | view_run.places(screen.app, screen.app->stack[screen.app->depth - 1].state);
        if ((keys_row((enum action)a)->places & places) && !app_action(screen.app, (enum action)a))
            CHECK_FAIL("'%s' is in the help of a run and does nothing", keys_row((enum action)a)->name);
        screen_close();
    }
}

static void test_what_steers_a_run_is_offered_while_it_lives(void)
{
    screen_show("run", parent, 100, 60);
    screen_press("?");
    CHECK_HAS(screen_text(), "to the best checkpoint");
    CHECK(!strstr(screen_text(), "another learning rate"));
    screen_press("Esc S");
    CHECK_HAS(screen_text(), "digits is finished: stop works on a running one");
    screen_press("a");
    CHECK_HAS(screen_text(), "its tags");
    CHECK(!strstr(screen_text(), "pause or continue"));
    screen_close();
}

static void test_every_size_is_drawn(void)
{
    screen_show("run", child, 80, 24);
    for (int width = 40; width <= 200; width += 16)
        for (int height = 10; height <= 50; height += 5) {
            screen_size(width, height);
            screen_press("z Tab z Tab");
            CHECK_HAS(screen_text(), "digits-branch");
        }
    screen_close();
}

static void test_the_mouse_selects_what_it_points_at(void)
{
    screen_show("run", parent, 100, 30);
    int row = screen_row_of("◇      5    50");
    CHECK(row > 0);
    screen_mouse(MOUSE_PRESS, 5, row);
    CHECK_STR(app_checkpoint(screen.app)->name, "epoch-0005.keras");
    screen_mouse(MOUSE_PRESS, 7, 5);
    CHECK_STR(app_checkpoint(screen.app)->name, "epoch-0001.keras");
    screen_mouse(MOUSE_WHEEL_UP, 7, 5);
    CHECK_HAS(screen_text(), "zoomed");
    screen_close();
}

int main(void)
{
    make_home();
    RUN(test_a_finished_run_opens_on_its_best_checkpoint);
    RUN(test_a_worker_that_was_killed_is_noticed);
    RUN(test_walking_the_checkpoints_moves_curve_rail_and_list_together);
    RUN(test_the_list_comes_along_when_the_cursor_rests);
    RUN(test_a_list_that_grows_makes_room_before_it_needs_it);
    RUN(test_the_first_and_the_last_checkpoint_are_the_ends);
    RUN(test_other_metrics_are_drawn_where_there_is_room);
    RUN(test_what_is_drawn_follows_the_keys);
    RUN(test_text_in_the_tabs_is_searched);
    RUN(test_settings_are_remembered_in_the_home);
    RUN(test_a_theme_is_shown_while_it_is_looked_at_and_kept_when_chosen);
    RUN(test_the_parents_part_of_the_curve_is_dim_up_to_the_fork);
    RUN(test_the_tabs_show_config_log_and_events);
    RUN(test_what_happened_is_said_in_words_and_lies_on_the_rail);
    RUN(test_layers_are_asked_of_the_worker_once);
    RUN(test_a_running_run_grows_while_it_is_watched_and_its_end_is_noticed);
    RUN(test_an_epoch_that_ends_takes_few_bytes);
    RUN(test_a_run_that_is_deleted_while_it_is_shown);
    RUN(test_what_steers_a_run_is_offered_while_it_lives);
    RUN(test_every_size_is_drawn);
    RUN(test_the_mouse_selects_what_it_points_at);
    RUN(test_every_key_in_the_help_works_here); /* last: it changes what is remembered */
    free(parent);
    free(child);
    return check_done();
}
