/* What events and configs tell of a run's course: the time nobody trained does not count, and the learning rate is
 * known where nobody recorded it. */
#include "tests/screen/screen_home.h"

#include "tui/client/histories.h"

#include <fcntl.h>
#include <sys/stat.h>

static const char config[] =
    "{\"compile\": {\"optimizer\": {\"class\": \"SGD\", \"learning_rate\": 0.1}}, \"fit\": {\"epochs\": 4}}";

static void event(const char *id, double after, int64_t step, json_t *json)
{
    char *folder = path_join(screen_home(), id);
    struct history_writer *writer = history_open_writer(folder, &screen_err);
    screen_ns += (int64_t)(after * 1e9);
    CHECK_OK(history_add_event(writer, step / 10, step, json, &screen_err), screen_err);
    history_close_writer(writer);
    json_decref(json);
    free(folder);
}

static json_t *order(const char *command)
{
    return json_pack("{s:s, s:s, s:b}", "event", "command", "command", command, "ok", 1);
}

/* Ten steps and ten seconds an epoch, only the loss. */
static void train(const char *id, int64_t from, int64_t to)
{
    char *folder = path_join(screen_home(), id);
    struct history_writer *writer = history_open_writer(folder, &screen_err);
    for (int64_t e = from; e <= to; e++) {
        const char *name = "loss";
        double loss = 1.0 / (double)e;
        screen_ns += 10000000000;
        CHECK_OK(history_add_metrics(writer, e, e * 10, &name, &loss, 1, &screen_err), screen_err);
    }
    history_close_writer(writer);
    free(folder);
}

static const struct history *history_of(struct histories *histories, struct index *index, const char *id)
{
    struct arena arena = {0};
    CHECK_OK(index_refresh(index, NULL, &screen_err), screen_err);
    const struct run_summary *run = index_find(index, id, &arena, &screen_err);
    CHECK(run);
    const struct history *history = histories_take(histories, index, run, &screen_err);
    CHECK(history);
    arena_release(&arena);
    return history;
}

static const struct metric_series *series_of(const struct history *history, const char *name)
{
    for (size_t i = 0; i < history->n; i++)
        if (!strcmp(history->series[i].name, name))
            return &history->series[i];
    return NULL;
}

static void check_since(const struct history *history, const double *wanted)
{
    const struct metric_series *loss = series_of(history, "loss");
    for (size_t i = 0; i < loss->n; i++)
        CHECK_NEAR(curve_x(AXIS_RELATIVE, history->origin, loss->epoch[i], loss->step[i], loss->time[i]), wanted[i],
                   1e-6);
}

static void check_rates(const struct history *history, const double *wanted)
{
    const struct metric_series *rates = series_of(history, HISTORY_RATE);
    CHECK(rates);
    for (size_t i = 0; i < rates->n; i++)
        CHECK_NEAR(rates->value[i], wanted[i], 1e-12);
}

static char *parent, *branch;

/* Paused for an hour in epoch 2, ordered another rate at step 20, resumed a day later, branched
 * off epoch 2 a week later. */
static void make_home(void)
{
    screen_clock(1700000000);
    parent = screen_run("parent", NULL, 0, config);
    event(parent, 0, 0, json_pack("{s:s, s:f}", "event", "started", "learning_rate", 0.1));
    train(parent, 1, 1);
    event(parent, 4, 14, order("pause"));
    event(parent, 3600, 14, order("continue"));
    train(parent, 2, 2);
    event(parent, 0, 20,
          json_pack("{s:s, s:s, s:f, s:b}", "event", "command", "command", "learning_rate", "value", 0.01, "ok", 1));
    train(parent, 3, 3);
    event(parent, 86400, 30, json_pack("{s:s, s:f}", "event", "resumed", "learning_rate", 0.01));
    train(parent, 4, 4);
    branch = screen_run("branch", parent, 2, config);
    event(branch, 7 * 86400, 20, json_pack("{s:s, s:f}", "event", "branched", "learning_rate", 0.1));
    train(branch, 3, 4);
}

static void test_the_time_that_nobody_trained_is_left_out(void)
{
    struct index *index = index_open(screen_home(), &screen_err);
    struct histories histories = {0};
    const struct history *history = history_of(&histories, index, parent);
    CHECK_EQ(history->origin.n_rests, 2);
    check_since(history, (const double[]){10, 24, 34, 44});
    history_drop(history);
    history = history_of(&histories, index, branch); /* what its parent did behind the fork is no part of it */
    check_since(history, (const double[]){10, 24, 34, 44});
    history_drop(history);
    histories_release(&histories);
    index_close(index);
}

static void test_an_epoch_that_was_paused_is_not_slower(void)
{
    struct index *index = index_open(screen_home(), &screen_err);
    struct histories histories = {0};
    const struct history *history = history_of(&histories, index, parent);
    const struct metric_series *pace = series_of(history, HISTORY_PACE);
    CHECK_EQ(pace->n, 3);
    CHECK_NEAR(pace->value[0], 14, 1e-6);
    CHECK_NEAR(pace->value[1], 10, 1e-6);
    CHECK_NEAR(pace->value[2], 10, 1e-6);
    history_drop(history);
    histories_release(&histories);
    index_close(index);
}

static void test_a_rate_that_was_ordered_is_a_curve(void)
{
    struct index *index = index_open(screen_home(), &screen_err);
    struct histories histories = {0};
    const struct history *history = history_of(&histories, index, parent);
    check_rates(history, (const double[]){0.1, 0.1, 0.01, 0.01});
    history_drop(history);
    history = history_of(&histories, index, branch);
    check_rates(history, (const double[]){0.1, 0.1, 0.1, 0.1});
    history_drop(history);
    histories_release(&histories);
    index_close(index);
}

static void test_the_list_says_the_rate_it_ended_with(void)
{
    struct index *index = index_open(screen_home(), &screen_err);
    struct arena arena = {0};
    const struct run_summary *runs;
    size_t n;
    CHECK_OK(index_refresh(index, NULL, &screen_err), screen_err);
    CHECK_OK(index_list(index, "learning_rate<0.05", NULL, &arena, &runs, &n, &screen_err), screen_err);
    CHECK_EQ(n, 1);
    CHECK_STR(runs[0].name, "parent");
    CHECK_NEAR(runs[0].learning_rate, 0.01, 0);
    arena_release(&arena);
    index_close(index);
    screen_open(200, 50);
    CHECK_HAS(screen_text(), "   lr  ");
    CHECK_HAS(screen_text(), "  0.01  ");
    screen_close();
}

/* Ten seconds of training, killed, an hour of nothing, ten seconds more. */
static void test_the_time_between_a_death_and_a_resume_is_no_time_of_the_run(void)
{
    char *id = screen_run("killed", NULL, 0, config), *folder = path_join(screen_home(), id),
         *log = path_join(folder, "history.log");
    train(id, 1, 1);
    const struct timespec then[] = {{screen_ns / 1000000000, 0}, {screen_ns / 1000000000, 0}};
    CHECK_EQ(utimensat(AT_FDCWD, log, then, 0), 0);
    screen_ns += INT64_C(3600) * 1000000000;
    struct run_writer *writer = run_open_writer(folder, &screen_err);
    CHECK_OK(run_set_state(writer, RUN_RUNNING, 1, 10, NULL, &screen_err), screen_err);
    screen_ns += INT64_C(10) * 1000000000;
    CHECK_OK(run_set_state(writer, RUN_FINISHED, 2, 20, NULL, &screen_err), screen_err);
    run_close_writer(writer);
    struct index *index = index_open(screen_home(), &screen_err);
    struct arena arena = {0};
    CHECK_OK(index_refresh(index, NULL, &screen_err), screen_err);
    const struct run_summary *run = index_find(index, id, &arena, &screen_err);
    CHECK_NEAR(run->duration_s, 20, 1e-6);
    arena_release(&arena);
    index_close(index);
    free(log);
    free(folder);
    free(id);
}

int main(void)
{
    make_home();
    RUN(test_the_time_that_nobody_trained_is_left_out);
    RUN(test_an_epoch_that_was_paused_is_not_slower);
    RUN(test_a_rate_that_was_ordered_is_a_curve);
    RUN(test_the_time_between_a_death_and_a_resume_is_no_time_of_the_run);
    RUN(test_the_list_says_the_rate_it_ended_with);
    free(parent);
    free(branch);
    return check_done();
}
