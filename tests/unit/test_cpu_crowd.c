/* Other processes want the cores too: it is noticed, it passes, and nobody is left where he does not belong. */
#include "engine/cpu/crowd.h"
#include "engine/cpu/threads.h"
#include "tests/check.h"

#include <pthread.h>

static int64_t crowded_ms(struct crowd *crowd, int64_t *now_ns)
{
    int64_t start_ns = *now_ns;
    crowd_seen(crowd, start_ns);
    while (!crowd_over(crowd, *now_ns))
        *now_ns += 1000000;
    return (*now_ns - start_ns) / 1000000;
}

static void test_a_crowd_that_comes_back_lasts_longer(void)
{
    struct crowd crowd = {0};
    int64_t now_ns = INT64_C(1000000000000);
    CHECK(crowd_over(&crowd, now_ns));
    CHECK_EQ(crowded_ms(&crowd, &now_ns), 10);
    CHECK_EQ(crowded_ms(&crowd, &now_ns), 20);
    CHECK_EQ(crowded_ms(&crowd, &now_ns), 40);
    for (int i = 0; i < 10; i++)
        crowded_ms(&crowd, &now_ns);
    CHECK_EQ(crowded_ms(&crowd, &now_ns), 1000);
    now_ns += INT64_C(5000000000);
    CHECK_EQ(crowded_ms(&crowd, &now_ns), 10);
}

static void test_being_seen_in_a_crowd_does_not_prolong_it(void)
{
    struct crowd crowd = {0};
    crowd_seen(&crowd, 1000);
    int64_t until_ns = crowd.until_ns;
    for (int i = 0; i < 100; i++)
        crowd_seen(&crowd, 2000 + i);
    CHECK_EQ(crowd.until_ns, until_ns);
}

struct other {
    struct presence presence;
    _Atomic bool known, works, ends;
};

static void *other_thread(void *argument)
{
    struct other *o = argument;
    presence_init(&o->presence);
    o->known = true;
    while (!o->ends)
        if (!o->works)
            usleep(20000);
    return NULL;
}

static pthread_t start(struct other *o)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, other_thread, o), 0);
    while (!o->known)
        usleep(100);
    return thread;
}

/* Ten seconds at most, for a machine that is busy. */
static bool comes_to_stand_still(struct presence *presence, bool still)
{
    presence_watch(presence);
    for (int i = 0; i < 10000; i++) {
        usleep(1000);
        if (presence_stands_still(presence) == still)
            return true;
    }
    return false;
}

static void test_who_sleeps_stands_still_and_who_works_does_not(void)
{
    struct other o = {.works = true};
    pthread_t thread = start(&o);
    CHECK(comes_to_stand_still(&o.presence, false));
    o.works = false;
    CHECK(comes_to_stand_still(&o.presence, true));
    o.ends = true;
    pthread_join(thread, NULL);
}

static void test_who_was_fetched_goes_back_to_where_it_was_allowed(void)
{
    struct other o = {0};
    cpu_set_t usual, set;
    pthread_t thread = start(&o);
    sched_getaffinity(o.presence.id, sizeof usual, &usual);
    int core = 0;
    while (!CPU_ISSET((size_t)core, &usual))
        core++;
    presence_fetch(&o.presence, core);
    sched_getaffinity(o.presence.id, sizeof set, &set);
    CHECK_EQ(CPU_COUNT(&set), 1);
    CHECK(CPU_ISSET((size_t)core, &set));
    presence_send_away(&o.presence, core);
    sched_getaffinity(o.presence.id, sizeof set, &set);
    CHECK_EQ(CPU_COUNT(&set), CPU_COUNT(&usual) == 1 ? 1 : CPU_COUNT(&usual) - 1);
    presence_restore(&o.presence);
    sched_getaffinity(o.presence.id, sizeof set, &set);
    CHECK(CPU_EQUAL(&set, &usual));
    CHECK(!o.presence.moved);
    o.ends = true;
    pthread_join(thread, NULL);
}

enum { SLICES = 7, JOBS = 150 };

static void work(void *context, int slice)
{
    int *sums = context;
    for (volatile int i = 0; i < 30000; i++)
        ;
    sums[slice]++;
}

static void *use_a_pool(void *argument)
{
    struct err err;
    struct threads *t = threads_open(3, &err);
    CHECK(t);
    for (int job = 0; t && job < JOBS; job++)
        threads_run(t, work, argument, SLICES);
    threads_close(t);
    return NULL;
}

/* More threads than cores: some are always without one. */
static void test_pools_that_crowd_each_other_do_all_their_work(void)
{
    enum { POOLS = 4 };
    static int sums[POOLS][SLICES];
    pthread_t threads[POOLS];
    for (int i = 0; i < POOLS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, use_a_pool, sums[i]), 0);
    for (int i = 0; i < POOLS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < POOLS * SLICES; i++)
        CHECK_EQ(sums[i / SLICES][i % SLICES], JOBS);
}

int main(void)
{
    RUN(test_a_crowd_that_comes_back_lasts_longer);
    RUN(test_being_seen_in_a_crowd_does_not_prolong_it);
    RUN(test_who_sleeps_stands_still_and_who_works_does_not);
    RUN(test_who_was_fetched_goes_back_to_where_it_was_allowed);
    RUN(test_pools_that_crowd_each_other_do_all_their_work);
    return check_done();
}
