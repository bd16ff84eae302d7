/* test_system_log.c - what the machine did: bounded however long a run is, safe with a torn end, and
 * what was done again counts. */
#include "base/io.h"
#include "persistence/index/system_log.h"
#include "tests/check.h"

#include <fcntl.h>
#include <sys/stat.h>

static struct arena arena;

static const char *folder(const char *name)
{
    const char *path = check_path(name);
    mkdir(path, 0777);
    return path;
}

static struct system_point point(double time, int64_t step)
{
    return (struct system_point){1, step, time, {50, 100, NAN, 150, 4000}};
}

static void add(struct system_writer *writer, double time, int64_t step)
{
    struct err err = {0};
    struct system_point p = point(time, step);
    CHECK_OK(system_add(writer, &p, &err), err);
}

static const struct metric_series *read_back(const char *path, size_t *n_points)
{
    const struct metric_series *series;
    size_t n;
    system_read(path, &arena, &series, &n);
    CHECK(n == 0 || n == SYSTEM_N_SERIES);
    *n_points = n ? series[0].n : 0;
    return series;
}

static void test_points_come_back_as_series(void)
{
    struct err err = {0};
    const char *path = folder("back");
    size_t n;
    read_back(path, &n);
    CHECK_EQ(n, 0);
    struct system_writer *writer = system_open_writer(path, &err);
    add(writer, 100, 7);
    add(writer, 100.4, 8); /* less than a second after the last one */
    add(writer, 101, 9);
    system_close_writer(writer);
    const struct metric_series *s = read_back(path, &n);
    CHECK_EQ(n, 2);
    CHECK_STR(s[SYSTEM_CPU].name, "system/cpu");
    CHECK_NEAR(s[SYSTEM_MACHINE_MEMORY].value[1], 4000, 0);
    CHECK(isnan(s[SYSTEM_SAMPLES].value[0]));
    CHECK_EQ(s[SYSTEM_CPU].step[1], 9);
}

static void test_a_month_takes_no_more_room_than_an_hour(void)
{
    struct err err = {0};
    const char *path = folder("month");
    struct system_writer *writer = system_open_writer(path, &err);
    size_t n;
    for (int64_t s = 0; s < 30 * 86400; s += 1)
        add(writer, 1e9 + (double)s, s);
    system_close_writer(writer);
    const struct metric_series *series = read_back(path, &n);
    CHECK(n > SYSTEM_MOST / 2 && n <= SYSTEM_MOST);
    CHECK_NEAR(series[0].time[0], 1e9, 0);
    CHECK(series[0].time[n - 1] > 1e9 + 29.8 * 86400);
    struct stat st;
    char *file = path_join(path, "system.log");
    CHECK(!stat(file, &st) && st.st_size < 200 * SYSTEM_MOST);
    free(file);
}

static void test_a_resumed_run_goes_on_at_the_same_distance(void)
{
    struct err err = {0};
    const char *path = folder("again");
    struct system_writer *writer = system_open_writer(path, &err);
    for (int s = 0; s < 1500; s++)
        add(writer, s, s);
    system_close_writer(writer);
    size_t before, after;
    read_back(path, &before);
    writer = system_open_writer(path, &err);
    for (int s = 1500; s < 1600; s++)
        add(writer, s, s);
    system_close_writer(writer);
    read_back(path, &after);
    CHECK_EQ(after - before, 50); /* one in two seconds */
}

static void test_what_was_done_again_counts(void)
{
    struct err err = {0};
    const char *path = folder("back-in-time");
    struct system_writer *writer = system_open_writer(path, &err);
    size_t n;
    for (int s = 0; s < 10; s++)
        add(writer, s, 10 * s);
    for (int s = 100; s < 105; s++) /* back to step 50 */
        add(writer, s, 50 + 10 * (s - 100));
    system_close_writer(writer);
    const struct metric_series *series = read_back(path, &n);
    CHECK_EQ(n, 10);
    for (size_t i = 1; i < n; i++)
        CHECK(series[0].step[i] > series[0].step[i - 1]);
    CHECK_NEAR(series[0].time[5], 100, 0);
}

static void test_a_torn_end_is_ignored_and_cut_off(void)
{
    struct err err = {0};
    const char *path = folder("torn");
    struct system_writer *writer = system_open_writer(path, &err);
    size_t n;
    for (int s = 0; s < 4; s++)
        add(writer, s, s);
    system_close_writer(writer);
    char *file = path_join(path, "system.log");
    struct stat st;
    CHECK(!stat(file, &st) && !truncate(file, st.st_size - 5));
    int64_t stamp = system_stamp(path);
    read_back(path, &n);
    CHECK_EQ(n, 3);
    writer = system_open_writer(path, &err);
    add(writer, 9, 9);
    system_close_writer(writer);
    read_back(path, &n);
    CHECK_EQ(n, 4);
    CHECK(system_stamp(path) != stamp);
    free(file);
}

int main(void)
{
    RUN(test_points_come_back_as_series);
    RUN(test_a_month_takes_no_more_room_than_an_hour);
    RUN(test_a_resumed_run_goes_on_at_the_same_distance);
    RUN(test_what_was_done_again_counts);
    RUN(test_a_torn_end_is_ignored_and_cut_off);
    arena_release(&arena);
    return check_done();
}
