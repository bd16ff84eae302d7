/* Watched histories of other tools on the screen: they are seen like runs, every key and action that would change one
 * is refused with a word, and nothing of them is touched. */
#include "tests/screen/screen_home.h"

#include "persistence/sources/watch.h"

#include <sys/stat.h>

static struct watch *watch;
static const char *id; /* of the watched run */

static const char rows[] = "epoch,loss,val_loss\n0,1.0,1.1\n1,0.5,0.7\n2,0.25,0.6\n";

static void make_history(void)
{
    struct err err = {0};
    CHECK_OK(io_make_folders(check_path("logs"), &err), err);
    FILE *f = fopen(check_path("logs/training.csv"), "w");
    CHECK(f && fputs(rows, f) >= 0 && !fclose(f));
}

/* The screen on a home of one run of its own, with the history beside it, and a view open on that. */
static void open_on_watched(const char *view)
{
    const char *paths[] = {check_path("logs/training.csv")};
    struct err err = {0};
    watch = watch_open(paths, 1, screen_home(), &err);
    CHECK_OK(watch, err);
    while (watch_poll(watch, 1, &err) > 0)
        ;
    screen_open(100, 30);
    CHECK_OK(index_refresh(watch_index(watch), NULL, &err), err);
    index_join(screen.index, watch_index(watch));
    app_refresh(screen.app, true);
    const char *path;
    bool alive;
    id = watch_run(watch, 0, &path, &alive);
    CHECK(id && app_find_run(screen.app, id) && app_find_run(screen.app, id)->watched);
    CHECK_OK(app_open(screen.app, view, id, &err), err);
    driver_screen(&screen);
}

static void close_watched(void)
{
    screen_close();
    watch_close(watch);
}

/* What the file holds and when it was written: as it was made. */
static void check_untouched(void)
{
    struct err err = {0};
    char *text;
    size_t size;
    CHECK_OK(io_read_file(check_path("logs/training.csv"), 10000, &text, &size, &err), err);
    CHECK_STR(text, rows);
    free(text);
    CHECK(!path_exists(check_path("logs/run.json")));
}

static void test_it_is_seen_like_a_run(void)
{
    open_on_watched("run");
    CHECK_HAS(screen_text(), "val_loss");
    CHECK_HAS(screen_text(), "0.25");
    screen_press("[ ] s x +");
    CHECK_HAS(screen_text(), "loss");
    close_watched();
    check_untouched();
}

static void test_every_action_that_changes_a_run_is_refused_with_a_word(void)
{
    static const enum action actions[] = {ACTION_STOP,   ACTION_PAUSE, ACTION_KEEP, ACTION_LEARNING_RATE,
                                          ACTION_EPOCHS, ACTION_TAG,   ACTION_NOTE, ACTION_DELETE};
    open_on_watched("run");
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        app_say(screen.app, STYLE_GOOD, "nothing was said");
        app_action(screen.app, actions[i]);
        if (!strstr(screen_text(), "it can be looked at, not changed"))
            CHECK_FAIL("'%s' is not refused:\n%s", keys_row(actions[i])->name, screen_text());
        CHECK(!screen.app->dialog.open);
    }
    CHECK(app_find_run(screen.app, id) != NULL);
    CHECK(!path_exists(check_path("runs/trash")));
    close_watched();
    check_untouched();
}

static void test_its_keys_ask_nothing_and_change_nothing(void)
{
    static const char *const views[] = {"runs", "run", "log"};
    for (size_t v = 0; v < sizeof views / sizeof *views; v++) {
        open_on_watched(views[v]);
        if (!v) /* the list: it stands before the run of the home, or behind it */
            for (int k = 0; k < 2 && (!app_run(screen.app) || !app_run(screen.app)->watched); k++)
                screen_press(k ? "Up" : "Down");
        CHECK(app_run(screen.app) && app_run(screen.app)->watched);
        screen_press("S P K L E T N D");
        CHECK(!screen.app->dialog.open);
        CHECK(app_find_run(screen.app, id) != NULL && app_find_run(screen.app, id)->n_tags == 0);
        close_watched();
    }
    check_untouched();
}

static void test_the_menu_offers_only_what_can_be_done(void)
{
    open_on_watched("run");
    screen_press("a");
    CHECK(screen.app->menu.open);
    CHECK_HAS(screen_text(), "copy the path");
    CHECK(!strstr(screen_text(), "to the trash"));
    CHECK(!strstr(screen_text(), "its note"));
    CHECK(!strstr(screen_text(), "stop after this step"));
    close_watched();
}

int main(void)
{
    screen_clock(1.7e9);
    char *own = screen_run("own", NULL, 0, "{\"fit\": {\"epochs\": 3}}");
    screen_epochs(own, 1, 3, 1.0);
    screen_state(own, RUN_FINISHED, 3);
    make_history();
    RUN(test_it_is_seen_like_a_run);
    RUN(test_every_action_that_changes_a_run_is_refused_with_a_word);
    RUN(test_its_keys_ask_nothing_and_change_nothing);
    RUN(test_the_menu_offers_only_what_can_be_done);
    free(own);
    return check_done();
}
