/* test_queue_plan.c - how long runs that wait will take, judged by others that did the same work. */
#include "base/io.h"
#include "persistence/runs/epoch_work.h"
#include "tests/check.h"
#include "tui/client/queue_plan.h"

#include <math.h>
#include <string.h>

/* A queue in which the run `id` waits. */
static const char *home_where(const char *id)
{
    struct err err = {0};
    CHECK_OK(io_make_folders(check_path("runs"), &err), err);
    FILE *f = fopen(check_path("runs/queue.json"), "w");
    CHECK(f && fprintf(f, "{\"held\": false, \"waiting\": [{\"run\": \"%s\", \"device\": \"cpu\"}]}", id) > 0 &&
          !fclose(f));
    return check_path("runs");
}

static struct run_summary ended(const char *id, const char *name, uint64_t work, int64_t epochs, double seconds)
{
    return (struct run_summary){.id = id,
                                .folder = id,
                                .name = name,
                                .state = RUN_FINISHED,
                                .device = "cpu",
                                .work = work,
                                .epoch = epochs,
                                .epochs = epochs,
                                .duration_s = seconds};
}

static struct run_summary waiting(const char *name, uint64_t work)
{
    return (struct run_summary){
        .id = "w", .folder = "w", .name = name, .state = RUN_QUEUED, .device = "cpu", .work = work, .epochs = 10};
}

static double seconds_expected(const struct run_summary *runs, size_t n)
{
    struct queue_plan plan;
    queue_plan_make(&plan, home_where("w"), runs, n);
    CHECK_EQ(plan.n_waiting, 1);
    double seconds = plan.n ? plan.items[plan.n - 1].left_s : NAN;
    queue_plan_release(&plan);
    return seconds;
}

static void test_the_same_work_counts_more_than_the_same_name(void)
{
    struct run_summary runs[] = {waiting("a", 7), ended("1", "a", 8, 10, 1000), ended("2", "b", 7, 5, 10),
                                 ended("3", "c", 7, 5, 500)};
    CHECK_NEAR(seconds_expected(runs, 4), 20, 1e-9); /* the newer of the two with this work: 2 s an epoch */
}

static void test_another_device_counts_less_than_this_one(void)
{
    struct run_summary runs[] = {waiting("a", 7), ended("1", "b", 7, 10, 10), ended("2", "c", 7, 10, 30)};
    runs[1].device = "cuda:0";
    CHECK_NEAR(seconds_expected(runs, 3), 30, 1e-9);
    CHECK_NEAR(seconds_expected(runs, 2), 10, 1e-9);
}

static void test_without_the_same_work_the_name_counts(void)
{
    struct run_summary runs[] = {waiting("a", 7), ended("1", "b", 0, 10, 10), ended("2", "a", 9, 10, 40)};
    CHECK_NEAR(seconds_expected(runs, 3), 40, 1e-9);
    CHECK(isnan(seconds_expected(runs, 2)));
}

static void test_its_own_epochs_count_most(void)
{
    struct run_summary runs[] = {ended("1", "a", 7, 10, 10), waiting("a", 7)};
    runs[1].epoch = 4;
    runs[1].duration_s = 40;
    CHECK_NEAR(seconds_expected(runs, 2), 60, 1e-9); /* six epochs are left */
}

static uint64_t work_of(const char *text)
{
    struct err err = {0};
    json_t *config = js_parse(text, strlen(text), "config", JS_STRICT, &err);
    CHECK_OK(config, err);
    uint64_t work = epoch_work(config);
    json_decref(config);
    return work;
}

static void test_only_what_an_epoch_does_is_work(void)
{
    uint64_t plain =
        work_of("{\"name\": \"a\", \"data\": {\"format\": \"csv\", \"path\": \"x\"}, \"fit\": {\"epochs\": 3}}");
    CHECK(plain ==
          work_of("{\"fit\": {\"epochs\": 9}, \"seed\": 5, \"data\": {\"path\": \"x\", \"format\": \"csv\"}}"));
    CHECK(plain != work_of("{\"data\": {\"format\": \"csv\", \"path\": \"y\"}}"));
    CHECK(plain != work_of("{\"data\": {\"format\": \"csv\", \"path\": \"x\"}, \"fit\": {\"batch_size\": 8}}"));
    CHECK(work_of("{\"dtype_policy\": \"float32\"}") != work_of("{\"conv_algorithm\": \"float32\"}"));
}

int main(void)
{
    RUN(test_the_same_work_counts_more_than_the_same_name);
    RUN(test_another_device_counts_less_than_this_one);
    RUN(test_without_the_same_work_the_name_counts);
    RUN(test_its_own_epochs_count_most);
    RUN(test_only_what_an_epoch_does_is_work);
    return check_done();
}
