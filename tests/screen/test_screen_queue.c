/* The queue on the screen: what waits is put there by the form, reordered, changed, started and taken out by keys. */
#include "persistence/runs/run_queue.h"
#include "tests/screen/screen_driver.h"
#include "tui/form/form_view.h"

#include <locale.h>

static const char moons[] =
    "{\"name\": \"moons\", \"data\": {\"format\": \"synthetic\", \"name\": \"moons\", \"samples\": 40},\n"
    " \"model\": {\"layers\": [{\"class\": \"Dense\", \"units\": 1}]},\n"
    " \"compile\": {\"optimizer\": \"sgd\", \"loss\": \"mse\"}, \"fit\": {\"epochs\": 3}}\n";

static void hold(bool held)
{
    struct err err = {0};
    CHECK_OK(queue_hold("runs", held, &err), err);
}

/* Queues the config under another name, by the form. */
static void enqueue(struct driver *d, const char *name)
{
    driver_keys(d, "n Enter");
    DRIVER_WAIT(d, "3 parameters");
    driver_keys(d, "Down Enter Ctrl-U"); /* the first field is the name */
    for (const char *c = name; *c; c++)
        driver_keys(d, (char[]){*c, 0});
    driver_keys(d, "Enter w");
    DRIVER_WAIT(d, "starts in");
}

static void test_the_form_lets_a_run_wait(void)
{
    struct driver d;
    hold(true);
    driver_open(&d, "runs", 90, 30);
    enqueue(&d, "one");
    enqueue(&d, "two");
    enqueue(&d, "three");
    const char *screen = driver_screen(&d);
    CHECK_HAS(screen, "0 train  3 wait  1 at a time  HELD");
    CHECK_HAS(screen, " 1 one");
    CHECK_HAS(screen, " 2 two");
    CHECK_HAS(screen, " 3 three");
    CHECK_HAS(screen, "held");
    driver_close(&d);
}

static void open_jobs(struct driver *d)
{
    driver_open(d, "runs", 90, 30);
    driver_keys(d, "5");
}

static void test_one_that_waits_says_so_where_its_curve_will_be(void)
{
    struct driver d;
    driver_open(&d, "runs", 90, 30);
    CHECK_HAS(driver_screen(&d), "Waits for a place on cpu");
    driver_keys(&d, "Enter");
    CHECK_HAS(driver_screen(&d), "Waits for a place on cpu, where nothing trains: number 3 of 3 in the queue.");
    CHECK_HAS(driver_screen(&d), "The queue is held: nothing starts by itself.");
    CHECK_HAS(driver_screen(&d), "5 shows the queue");
    driver_close(&d);
}

static void test_keys_move_a_run_in_the_queue(void)
{
    struct driver d;
    open_jobs(&d);
    driver_keys(&d, "Down Down A");
    CHECK_HAS(driver_screen(&d), " 2 three");
    CHECK_HAS(driver_screen(&d), " 3 two");
    driver_keys(&d, "A"); /* the selection went with it */
    CHECK_HAS(driver_screen(&d), " 1 three");
    driver_keys(&d, "A B");
    CHECK_HAS(driver_screen(&d), " 2 three");
    CHECK_HAS(driver_screen(&d), " 1 one");
    driver_keys(&d, "Up A");
    CHECK_HAS(driver_screen(&d), " 1 one");
    driver_close(&d);
}

static void test_the_settings_of_one_that_waits_can_be_changed(void)
{
    struct driver d;
    open_jobs(&d);
    driver_keys(&d, "t");
    CHECK_HAS(driver_screen(&d), "one, before it starts");
    CHECK_HAS(driver_screen(&d), "save: it waits on");
    DRIVER_WAIT(&d, "3 parameters");
    struct form_view *form = d.app->stack[d.app->depth - 1].state;
    form->list.selected = form_find(&form->form, "fit.epochs");
    driver_keys(&d, "Enter Ctrl-U 7 Enter");
    CHECK_HAS(driver_screen(&d), "queue edit");
    driver_keys(&d, "g Enter");
    CHECK_HAS(driver_screen(&d), "changed: it waits on");
    CHECK_HAS(driver_screen(&d), "1 one                                                  7");
    driver_close(&d);
}

static void test_what_must_not_be_done_to_one_that_waits_says_why(void)
{
    struct driver d;
    open_jobs(&d);
    driver_keys(&d, "P");
    CHECK_HAS(driver_screen(&d), "one waits in the queue: S takes it out");
    driver_close(&d);
}

static void test_one_can_be_started_or_taken_out(void)
{
    struct driver d;
    open_jobs(&d);
    driver_keys(&d, "Down S");
    CHECK_HAS(driver_screen(&d), "three: taken out of the queue");
    CHECK_HAS(driver_screen(&d), "■ three");
    driver_keys(&d, "g X");
    CHECK_HAS(driver_screen(&d), "one starts without waiting for a place");
    DRIVER_WAIT(&d, "✓ one");
    CHECK_HAS(driver_screen(&d), "1 two");
    driver_close(&d);
}

static void test_a_screen_that_looks_starts_what_waits(void)
{
    struct driver d;
    open_jobs(&d);
    CHECK_HAS(driver_screen(&d), "held");
    driver_keys(&d, "H");
    CHECK_HAS(driver_screen(&d), "the queue goes on");
    DRIVER_WAIT(&d, "✓ two");
    CHECK_HAS(driver_screen(&d), "Nothing runs and nothing waits");
    for (size_t i = 0; i < d.app->n_runs; i++) { /* the worker has left when its lock is free */
        char *folder = app_run_folder(d.app, &d.app->runs[i]);
        while (run_lock_is_held(folder))
            usleep(5000);
        free(folder);
    }
    driver_close(&d);
}

int main(void)
{
    setlocale(LC_ALL, "C.UTF-8");
    setenv("ANTLER_WORKER", BINARY_DIR "/antler-worker", 1);
    if (chdir(check_tmp()))
        return 1;
    setenv("XDG_CONFIG_HOME", check_tmp(), 1);
    FILE *file = fopen("moons.json", "w");
    CHECK(file && fputs(moons, file) >= 0 && !fclose(file));
    RUN(test_the_form_lets_a_run_wait);
    RUN(test_one_that_waits_says_so_where_its_curve_will_be);
    RUN(test_keys_move_a_run_in_the_queue);
    RUN(test_the_settings_of_one_that_waits_can_be_changed);
    RUN(test_what_must_not_be_done_to_one_that_waits_says_why);
    RUN(test_one_can_be_started_or_taken_out);
    RUN(test_a_screen_that_looks_starts_what_waits);
    return check_done();
}
