/* Evaluate, inspect, diff, jobs and log on the screen, with the real worker on runs that the test has trained. */
#include "tests/screen/screen_trained.h"

#include "tui/client/evaluation.h"

#include <fcntl.h>
#include <sys/stat.h>

static void test_evaluate_shows_what_the_command_line_prints(void)
{
    struct driver d;
    char *said = output_of(BINARY_DIR "/antler evaluate digits-mlp:2");
    double loss, accuracy;
    CHECK(strstr(said, "loss") && sscanf(strstr(said, "loss") + 4, "%lf", &loss) == 1);
    CHECK(strstr(said, "accuracy") && sscanf(strstr(said, "accuracy") + 8, "%lf", &accuracy) == 1);
    open_at(&d, "result", checkpoint(digits, 2), 80, 24);
    DRIVER_WAIT(&d, "precision");
    const char *screen = driver_screen(&d);
    CHECK_HAS(screen, "180 samples of test");
    CHECK_HAS(screen, strstr(screen, "loss") ? text_number(loss).text : "loss");
    CHECK_HAS(strstr(screen, "accuracy"), text_number(accuracy).text);
    CHECK_HAS(said, "180 samples of test");
    free(said);
    driver_close(&d);
}

static void test_metrics_of_training_time_stand_beside(void)
{
    struct driver d;
    char written[64], line[128] = "";
    open_at(&d, "result", checkpoint(digits, 2), 80, 24);
    DRIVER_WAIT(&d, "precision");
    driver_keys(&d, "v");
    DRIVER_WAIT(&d, "180 samples of validation");
    const char *row = strstr(driver_screen(&d), "accuracy");
    snprintf(line, sizeof line, "%.*s", row ? (int)strcspn(row, "\n") : 0, row ? row : "");
    CHECK(sscanf(line, "accuracy %63s", written) == 1);
    CHECK_HAS(strstr(line, written) + 1, written); /* now and then: the same numbers, to the digit */
    driver_close(&d);
}

static void test_the_worst_class_is_first_and_counts_add_up(void)
{
    struct driver d;
    double made;
    open_at(&d, "result", checkpoint(digits, 2), 80, 24);
    DRIVER_WAIT(&d, "precision");
    json_t *kept = evaluation_kept(checkpoint(digits, 2), "test", &made);
    const json_t *classes = json_object_get(kept, "per_class"), *one;
    double worst = 2;
    int64_t worst_class = -1;
    size_t i;
    json_array_foreach((json_t *)classes, i, one)
        if (js_double(one, "f1", 9) < worst) {
            worst = js_double(one, "f1", 9);
            worst_class = js_int(one, "label", -1);
        }
    char line[64];
    snprintf(line, sizeof line, "\n %lld ", (long long)worst_class);
    const char *table = strstr(driver_screen(&d), "precision");
    CHECK(table && strncmp(strchr(table, '\n'), line, strlen(line)) == 0);
    json_decref(kept);
    driver_close(&d);
}

static void test_a_result_is_kept_and_shown_without_a_worker(void)
{
    struct driver d;
    open_at(&d, "result", checkpoint(digits, 2), 80, 24);
    DRIVER_WAIT(&d, "precision");
    driver_close(&d);
    use_worker("/nowhere/antler-worker");
    open_at(&d, "result", checkpoint(digits, 2), 80, 24);
    CHECK_HAS(driver_screen(&d), "precision");
    driver_keys(&d, "u");
    CHECK_HAS(driver_screen(&d), "cannot run '/nowhere/antler-worker'");
    CHECK_HAS(driver_screen(&d), "u try again");
    use_worker(BINARY_DIR "/antler-worker");
    driver_keys(&d, "u");
    DRIVER_WAIT(&d, "precision");
    driver_close(&d);
}

static void test_a_result_of_an_older_file_is_not_believed(void)
{
    struct driver d;
    struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    open_at(&d, "result", checkpoint(digits, 3), 80, 24);
    DRIVER_WAIT(&d, "precision");
    driver_close(&d);
    double made;
    json_t *kept = evaluation_kept(checkpoint(digits, 3), NULL, &made);
    CHECK(kept != NULL);
    json_decref(kept);
    CHECK_EQ(utimensat(AT_FDCWD, checkpoint(digits, 3), times, 0), 0);
    kept = evaluation_kept(checkpoint(digits, 3), NULL, &made);
    CHECK(kept == NULL);
    json_decref(kept);
}

static void test_where_nothing_can_be_kept_the_session_remembers(void)
{
    struct driver d;
    struct err err = {0};
    forget_kept(digits, 1);
    char *path = xprintf("%s.evaluate-test.json", checkpoint(digits, 1));
    CHECK_EQ(mkdir(path, 0700), 0); /* stands in the way of the file */
    open_at(&d, "result", checkpoint(digits, 1), 80, 24);
    DRIVER_WAIT(&d, "precision");
    driver_keys(&d, "q");
    use_worker("/nowhere/antler-worker");
    CHECK_OK(app_open(d.app, "result", checkpoint(digits, 1), &err), err);
    CHECK_HAS(driver_screen(&d), "precision");
    use_worker(BINARY_DIR "/antler-worker");
    rmdir(path);
    free(path);
    driver_close(&d);
}

static void test_brackets_walk_through_the_checkpoints(void)
{
    struct driver d;
    open_at(&d, "result", checkpoint(digits, 2), 80, 24);
    driver_keys(&d, "]");
    CHECK_HAS(driver_screen(&d), "digits-mlp:3");
    driver_keys(&d, "]");
    CHECK_HAS(driver_screen(&d), "no checkpoint further on");
    driver_keys(&d, "[ [");
    DRIVER_WAIT(&d, "precision");
    CHECK_HAS(driver_screen(&d), "digits-mlp:1");
    driver_close(&d);
}

static void test_escape_cancels_and_q_leaves_it_running(void)
{
    struct driver d;
    FILE *script = fopen("slow-worker", "w");
    CHECK(script &&
          fputs("#!/bin/sh\necho '{\"progress\": 0.25, \"left_s\": 30, \"text\": \"working\"}'\nexec sleep 60\n",
                script) > 0);
    fclose(script);
    chmod("slow-worker", 0755);
    char here[512];
    CHECK(getcwd(here, sizeof here));
    char *slow = xprintf("%s/slow-worker", here);
    use_worker(slow);
    forget_kept(digits, 2);
    open_at(&d, "result", checkpoint(digits, 2), 80, 24);
    DRIVER_WAIT(&d, "25 %");
    CHECK_HAS(driver_screen(&d), "left");
    driver_keys(&d, "q 5");
    DRIVER_WAIT(&d, "evaluate digits-mlp:2");
    CHECK_HAS(driver_screen(&d), "running");
    driver_keys(&d, "Enter"); /* waits for the same job, starts no second one */
    CHECK_HAS(driver_screen(&d), "25 %");
    CHECK_EQ(d.app->last_job, 1);
    driver_keys(&d, "Esc");
    CHECK_HAS(driver_screen(&d), "cancelled");
    CHECK(!app_busy(d.app));
    use_worker(BINARY_DIR "/antler-worker");
    driver_keys(&d, "u");
    DRIVER_WAIT(&d, "precision");
    free(slow);
    driver_close(&d);
}

static void test_a_checkpoint_whose_file_is_gone_says_so(void)
{
    struct driver d;
    char *away = xprintf("%s.away", checkpoint(digits, 3));
    CHECK_EQ(rename(checkpoint(digits, 3), away), 0);
    open_at(&d, "result", checkpoint(digits, 3), 80, 24);
    CHECK_HAS(driver_screen(&d), "its file is gone");
    driver_keys(&d, "p");
    CHECK_HAS(driver_screen(&d), "its file is gone");
    CHECK_EQ(rename(away, checkpoint(digits, 3)), 0);
    free(away);
    driver_close(&d);
}

static void test_regression_is_drawn_as_said_against_true(void)
{
    struct driver d;
    open_at(&d, "result", checkpoint(wine, 2), 80, 24);
    DRIVER_WAIT(&d, "said (up) against true (right)");
    CHECK_HAS(driver_screen(&d), "mae");
    driver_keys(&d, "Tab");
    CHECK_HAS(driver_screen(&d), "malic_acid");
    CHECK_HAS(driver_screen(&d), "difference");
    driver_close(&d);
}

static void test_calibration_and_residuals_are_a_page(void)
{
    struct driver d;
    double made;
    char line[80];
    open_at(&d, "result", checkpoint(digits, 2), 100, 30);
    DRIVER_WAIT(&d, "precision");
    driver_keys(&d, "Tab Tab");
    json_t *kept = evaluation_kept(checkpoint(digits, 2), "test", &made);
    snprintf(line, sizeof line, "expected calibration error %.4f",
             js_double(json_object_get(kept, "calibration"), "ece", -1));
    CHECK_HAS(driver_screen(&d), line);
    json_decref(kept);
    driver_keys(&d, "Shift-Tab");
    CHECK_HAS(driver_screen(&d), "sample ");
    driver_close(&d);
    open_at(&d, "result", checkpoint(wine, 2), 60, 16);
    DRIVER_WAIT(&d, "said (up)");
    driver_keys(&d, "Shift-Tab");
    CHECK_HAS(driver_screen(&d), "R²");
    CHECK_HAS(driver_screen(&d), "RMSE");
    driver_close(&d);
}

static void test_the_list_of_checkpoints_says_what_is_kept(void)
{
    struct driver d;
    open_at(&d, "run", digits, 200, 50);
    CHECK_HAS(driver_screen(&d), "kept");
    kept_remove(checkpoint(digits, 1));
    kept_remove(checkpoint(digits, 2));
    kept_remove(checkpoint(digits, 3));
    driver_send(&d, (struct event){.kind = EVENT_TICK});
    CHECK(!strstr(driver_screen(&d), "kept"));
    driver_close(&d);
}

static void test_inspect_names_layers_and_finds_text(void)
{
    struct driver d;
    open_at(&d, "inspect", checkpoint(digits, 2), 80, 24);
    DRIVER_WAIT(&d, "(None, 128)");
    CHECK_HAS(driver_screen(&d), "Adam");
    driver_keys(&d, "/ v a r s Enter");
    CHECK_HAS(driver_screen(&d), "layers/dense/vars/0");
    CHECK_HAS(driver_screen(&d), "Enter next, Esc ends");
    driver_keys(&d, "z z z");
    CHECK_HAS(driver_screen(&d), "not there");
    driver_keys(&d, "Esc q");
    CHECK_HAS(driver_screen(&d), "antler  runs");
    driver_close(&d);
}

static void test_d_marks_and_the_next_d_compares(void)
{
    struct driver d;
    struct err err = {0};
    open_at(&d, "inspect", checkpoint(digits, 1), 80, 40);
    driver_keys(&d, "d");
    CHECK_HAS(driver_screen(&d), "digits-mlp:1 is marked");
    CHECK_OK(app_open(d.app, "inspect", checkpoint(digits, 2), &err), err);
    driver_keys(&d, "d");
    DRIVER_WAIT(&d, "the same weights");
    const char *screen = driver_screen(&d);
    CHECK_HAS(screen, "A                 digits-mlp:1");
    CHECK_HAS(screen, "B                 digits-mlp:2");
    CHECK_HAS(screen, "val_accuracy");
    CHECK_HAS(screen, "the same run");
    driver_close(&d);
    char *both = xprintf("%s\n%s", checkpoint(digits, 2), checkpoint(wine, 2));
    open_at(&d, "diff", both, 100, 60);
    DRIVER_WAIT(&d, "layers/dense/vars/0");
    CHECK_HAS(driver_screen(&d), "compile.loss");
    free(both);
    driver_close(&d);
}

static void test_the_log_is_clean_and_followed(void)
{
    struct driver d;
    char path[600];
    snprintf(path, sizeof path, "runs/%s/log.txt", wine);
    FILE *log = fopen(path, "w");
    CHECK(log != NULL);
    for (int i = 0; i < 40; i++)
        fprintf(log, "line %d\n", i);
    fputs("\033[31mred\033[0m words\n10 %\r20 %\r30 % done\n\033]0;title\aafter\n", log);
    fflush(log);
    open_at(&d, "log", wine, 80, 24);
    const char *screen = driver_screen(&d);
    CHECK_HAS(screen, "red words\n 30 % done\n after");
    CHECK(!strstr(screen, "20 %"));
    CHECK_HAS(screen, "following");
    fputs("the newest line\n", log);
    fclose(log);
    DRIVER_WAIT(&d, "the newest line");
    driver_keys(&d, "g");
    CHECK_HAS(driver_screen(&d), "line 0");
    CHECK(!strstr(driver_screen(&d), "following"));
    driver_close(&d);
}

static void test_jobs_lists_what_was_asked(void)
{
    struct driver d;
    open_at(&d, "jobs", NULL, 80, 24);
    CHECK_HAS(driver_screen(&d), "Nothing runs");
    forget_kept(digits, 1);
    struct err err = {0};
    CHECK_OK(app_open(d.app, "predict", checkpoint(digits, 1), &err), err);
    DRIVER_WAIT(&d, "64 of the first 64");
    driver_keys(&d, "5");
    CHECK_HAS(driver_screen(&d), "predict digits-mlp:1 [0:64]");
    CHECK_HAS(driver_screen(&d), "done");
    driver_keys(&d, "x");
    CHECK_HAS(driver_screen(&d), "it has ended already");
    driver_keys(&d, "Enter");
    DRIVER_WAIT(&d, "64 of the first 64");
    driver_close(&d);
}

static bool leaves(enum action action)
{
    return action == ACTION_BACK || action == ACTION_CANCEL || action == ACTION_SUSPEND;
}

/* Back to how it was: nothing over the view, the view on top. */
static void settle(struct driver *d, const char *view, const char *argument)
{
    struct err err = {0};
    dialog_close(&d->app->dialog);
    d->app->menu.open = d->app->palette_menu.open = d->app->help.open = false;
    const struct screen_view_ops *top = d->app->stack[d->app->depth - 1].ops;
    if (strcmp(top->name, view))
        CHECK_OK(app_open(d->app, view, argument, &err), err);
}

/* What help lists does something here. */
static void check_every_key(const char *view, const char *argument, const char *ready)
{
    struct driver d;
    open_at(&d, view, argument, 100, 30);
    DRIVER_WAIT(&d, ready);
    for (int a = ACTION_NONE + 1; a < ACTION_COUNT; a++) {
        settle(&d, view, argument);
        const struct screen_view_ops *ops = d.app->stack[d.app->depth - 1].ops;
        unsigned places = IN_ALL | ops->places(d.app, d.app->stack[d.app->depth - 1].state);
        if (!(keys_row((enum action)a)->places & places) || leaves((enum action)a))
            continue;
        if (!app_action(d.app, (enum action)a))
            CHECK_FAIL("'%s' does nothing in %s", keys_row((enum action)a)->name, view);
    }
    driver_close(&d);
}

static void test_every_key_in_help_does_something(void)
{
    char *both = xprintf("%s\n%s", checkpoint(digits, 1), checkpoint(digits, 2));
    check_every_key("result", checkpoint(digits, 2), "precision");
    check_every_key("predict", checkpoint(digits, 2), "64 of the first 64");
    check_every_key("inspect", checkpoint(digits, 2), "optimizer");
    check_every_key("diff", both, "the same run");
    check_every_key("log", wine, "newest");
    free(both);
}

static const char *random_key(unsigned *seed)
{
    static const char *const keys[] = {
        "Up", "Down", "Tab", "[", "]", "b", "v", "u", "e",     "p",    "i",    "d",     "5",         "6", "/", "w",
        "<",  "1",    "Esc", "q", "g", "G", "x", "?", "Enter", "PgDn", "Left", "Right", "Backspace", "a", "z"};
    return keys[rand_r(seed) % (sizeof keys / sizeof *keys)];
}

static void test_random_keys_and_sizes_break_nothing(void)
{
    struct driver d;
    unsigned seed = 7;
    open_at(&d, "result", checkpoint(digits, 2), 80, 24);
    for (int i = 0; i < 400; i++) {
        struct err ignored;
        if (i % 20 == 0 &&
            !app_open(d.app, i % 40 ? "predict" : "result", checkpoint(i % 3 ? digits : wine, 1 + i % 2), &ignored))
            CHECK_FAIL("%s", ignored.text);
        driver_keys(&d, random_key(&seed));
        d.app->quit = false;
        if (i % 7 == 0)
            grid_resize(&d.grid, 1 + (int)(rand_r(&seed) % 150), 1 + (int)(rand_r(&seed) % 50));
        driver_send(&d, (struct event){.kind = EVENT_TICK});
        CHECK(driver_screen(&d) != NULL);
        usleep(2000);
    }
    driver_close(&d);
}

int main(void)
{
    train_both();
    RUN(test_evaluate_shows_what_the_command_line_prints);
    RUN(test_metrics_of_training_time_stand_beside);
    RUN(test_the_worst_class_is_first_and_counts_add_up);
    RUN(test_a_result_is_kept_and_shown_without_a_worker);
    RUN(test_a_result_of_an_older_file_is_not_believed);
    RUN(test_where_nothing_can_be_kept_the_session_remembers);
    RUN(test_brackets_walk_through_the_checkpoints);
    RUN(test_escape_cancels_and_q_leaves_it_running);
    RUN(test_a_checkpoint_whose_file_is_gone_says_so);
    RUN(test_regression_is_drawn_as_said_against_true);
    RUN(test_calibration_and_residuals_are_a_page);
    RUN(test_the_list_of_checkpoints_says_what_is_kept);
    RUN(test_inspect_names_layers_and_finds_text);
    RUN(test_d_marks_and_the_next_d_compares);
    RUN(test_the_log_is_clean_and_followed);
    RUN(test_jobs_lists_what_was_asked);
    RUN(test_every_key_in_help_does_something);
    RUN(test_random_keys_and_sizes_break_nothing);
    return check_done();
}
