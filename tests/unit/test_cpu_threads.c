/* Every slice runs exactly once, whatever the threads do. */
#include "engine/cpu/threads.h"
#include "tests/check.h"

#include <stdatomic.h>

static _Atomic int runs[1000];

static void count(void *context, int slice)
{
    atomic_fetch_add(&runs[slice], *(int *)context);
}

static void run_jobs(int n_threads, int n_jobs, int pause_us)
{
    struct err err;
    struct threads *t = threads_open(n_threads, &err);
    CHECK(t);
    int one = 1;
    memset(runs, 0, sizeof runs);
    for (int job = 0; job < n_jobs; job++) {
        threads_run(t, count, &one, 1 + job % 1000);
        if (pause_us)
            usleep((unsigned)pause_us);
    }
    for (int slice = 0; slice < 1000; slice++) {
        int expected = 0;
        for (int job = 0; job < n_jobs; job++)
            expected += slice < 1 + job % 1000;
        CHECK_EQ(runs[slice], expected);
    }
    threads_close(t);
}

static void test_every_slice_runs_once(void)
{
    for (int n = 1; n <= 5; n++)
        run_jobs(n, 3000, 0);
}

static void test_sleeping_helpers_wake_up(void)
{
    run_jobs(3, 40, 2000);
}

static void test_a_pool_can_be_closed_at_once(void)
{
    for (int i = 0; i < 50; i++)
        run_jobs(4, 0, 0);
    CHECK(threads_allowed() >= 1);
}

static _Atomic int arrived, wrong;

/* Waits for the others, so that every thread takes a slice, and looks at what arithmetic does with a denormal. */
static void look_at_denormals(void *context, int slice)
{
    volatile float normal = 2e-38f, tiny = normal * 0.1f;
    (void)slice;
    atomic_fetch_add(&arrived, 1);
    for (int i = 0; i < 2000 && atomic_load(&arrived) < *(int *)context; i++)
        usleep(100);
    if ((tiny != 0) == threads_flush_denormals())
        atomic_fetch_add(&wrong, 1);
}

static void test_denormals_are_flushed_in_every_thread_as_it_is_said(void)
{
    int n = 3;
    struct err err;
    struct threads *t = threads_open(n, &err);
    CHECK(t);
    threads_run(t, look_at_denormals, &n, n);
    CHECK_EQ(wrong, 0);
    CHECK_EQ(arrived, n);
    threads_close(t);
}

int main(void)
{
    RUN(test_every_slice_runs_once);
    RUN(test_sleeping_helpers_wake_up);
    RUN(test_a_pool_can_be_closed_at_once);
    RUN(test_denormals_are_flushed_in_every_thread_as_it_is_said);
    return check_done();
}
