/* test_notices.c - what is told about runs between two readings of a home, and the title of the window. */
#include "tests/check.h"
#include "tui/app/notices.h"

static struct metric_summary loss(double last, double best, int64_t best_epoch)
{
    return (struct metric_summary){"loss", last, best, best_epoch};
}

static struct run_summary run(const char *id, enum run_state state, const struct metric_summary *metrics)
{
    return (struct run_summary){.id = id,
                                .name = id,
                                .state = state,
                                .epoch = 7,
                                .metrics = metrics,
                                .n_metrics = metrics ? 1 : 0,
                                .monitor = "loss"};
}

static const char *told(struct run_summary before, struct run_summary after, bool best, int expected)
{
    static struct str out;
    const struct run_summary *a = &before, *b = &after;
    str_clear(&out);
    CHECK_EQ(notices_compare(&a, 1, &b, 1, best, &out), expected);
    return str_text(&out);
}

static void test_the_end_of_a_run_is_told_once(void)
{
    struct metric_summary m = loss(0.2, 0.1, 5);
    CHECK_STR(told(run("a", RUN_RUNNING, &m), run("a", RUN_FINISHED, &m), false, 1),
              "a has finished: loss 0.1 at epoch 5");
    told(run("a", RUN_FINISHED, &m), run("a", RUN_FINISHED, &m), false, 0);
    told(run("a", RUN_RUNNING, &m), run("a", RUN_PAUSED, &m), false, 0);
    CHECK_HAS(told(run("a", RUN_PAUSED, &m), run("a", RUN_INTERRUPTED, &m), false, 1), "was interrupted");
}

static void test_a_failure_says_why(void)
{
    struct run_summary failed = run("a", RUN_FAILED, NULL);
    failed.error = "no space left";
    CHECK_STR(told(run("a", RUN_QUEUED, NULL), failed, false, 1), "a failed: no space left");
}

static void test_nan_is_told_when_it_comes(void)
{
    struct metric_summary fine = loss(0.2, 0.1, 5), bad = loss(NAN, 0.1, 5);
    CHECK_STR(told(run("a", RUN_RUNNING, &fine), run("a", RUN_RUNNING, &bad), false, 1),
              "a: loss became NaN in epoch 7");
    told(run("a", RUN_RUNNING, &bad), run("a", RUN_RUNNING, &bad), false, 0);
}

static void test_a_new_best_value_is_told_only_where_wanted(void)
{
    struct metric_summary old = loss(0.2, 0.1, 5), better = loss(0.05, 0.05, 6);
    told(run("a", RUN_RUNNING, &old), run("a", RUN_RUNNING, &better), false, 0);
    CHECK_STR(told(run("a", RUN_RUNNING, &old), run("a", RUN_RUNNING, &better), true, 1),
              "a has a new best value: loss 0.05 at epoch 6");
}

static void test_new_and_deleted_runs_are_no_news(void)
{
    struct run_summary a = run("a", RUN_RUNNING, NULL), b = run("b", RUN_RUNNING, NULL),
                       c = run("c", RUN_FINISHED, NULL);
    struct run_summary b_done = run("b", RUN_FINISHED, NULL);
    const struct run_summary *before[] = {&a, &b}, *after[] = {&b_done, &c};
    struct str out = {0};
    CHECK_EQ(notices_compare(before, 2, after, 2, true, &out), 1);
    CHECK_STR(str_text(&out), "b has finished");
    str_release(&out);
}

static void test_the_title_says_how_far_it_is(void)
{
    struct run_summary a = run("digits\033]0;x\a", RUN_RUNNING, NULL);
    struct str out = {0};
    notices_title(&a, 0.429, 2, &out);
    CHECK_STR(str_text(&out), "42% digits\\x1B]0;x\\x07 +2 - antler");
    str_clear(&out);
    notices_title(NULL, NAN, 0, &out);
    CHECK_STR(str_text(&out), "antler");
    str_release(&out);
}

int main(void)
{
    RUN(test_the_end_of_a_run_is_told_once);
    RUN(test_a_failure_says_why);
    RUN(test_nan_is_told_when_it_comes);
    RUN(test_a_new_best_value_is_told_only_where_wanted);
    RUN(test_new_and_deleted_runs_are_no_news);
    RUN(test_the_title_says_how_far_it_is);
    return check_done();
}
