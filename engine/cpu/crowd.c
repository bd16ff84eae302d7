/* crowd.c - see crowd.h */
#include "engine/cpu/crowd.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#define HOLD_LEAST_NS INT64_C(10000000)
#define HOLD_MOST_NS INT64_C(1000000000)

static long switches_of_caller(void)
{
    struct rusage use;
    return getrusage(RUSAGE_THREAD, &use) ? 0 : use.ru_nivcsw;
}

void presence_init(struct presence *own)
{
    *own = (struct presence){.id = gettid(), .switches = switches_of_caller()};
    pthread_getcpuclockid(pthread_self(), &own->clock);
}

/* In a crowd nothing is noticed anew. */
void crowd_seen(struct crowd *crowd, int64_t now_ns)
{
    int64_t until_ns = atomic_load(&crowd->until_ns), hold_ns = atomic_load(&crowd->hold_ns);
    if (now_ns < until_ns)
        return;
    hold_ns = now_ns < until_ns + hold_ns ? 2 * hold_ns : HOLD_LEAST_NS;
    hold_ns = hold_ns < HOLD_MOST_NS ? hold_ns : HOLD_MOST_NS;
    atomic_store(&crowd->hold_ns, hold_ns);
    atomic_store(&crowd->until_ns, now_ns + hold_ns);
}

bool crowd_over(const struct crowd *crowd, int64_t now_ns)
{
    return now_ns >= atomic_load(&crowd->until_ns);
}

bool crowd_felt(struct crowd *crowd, struct presence *own, int64_t now_ns)
{
    long switches = switches_of_caller();
    if (switches != own->switches)
        crowd_seen(crowd, now_ns);
    own->switches = switches;
    return !crowd_over(crowd, now_ns);
}

static int64_t core_time_ns(const struct presence *p)
{
    struct timespec t;
    return clock_gettime(p->clock, &t) ? 0 : t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

void presence_watch(struct presence *other)
{
    other->had_ns = core_time_ns(other);
}

bool presence_stands_still(struct presence *other)
{
    int64_t had_ns = other->had_ns;
    other->had_ns = core_time_ns(other);
    return other->had_ns == had_ns;
}

void presence_fetch(struct presence *other, int core)
{
    cpu_set_t here;
    if (!other->moved && sched_getaffinity(other->id, sizeof other->usual, &other->usual))
        return;
    CPU_ZERO(&here);
    CPU_SET((size_t)core, &here);
    other->moved = !sched_setaffinity(other->id, sizeof here, &here) || other->moved;
}

void presence_send_away(struct presence *other, int core)
{
    cpu_set_t others = other->usual;
    CPU_CLR((size_t)core, &others);
    if (!CPU_COUNT(&others) || sched_setaffinity(other->id, sizeof others, &others))
        presence_restore(other);
}

void presence_restore(struct presence *other)
{
    sched_setaffinity(other->id, sizeof other->usual, &other->usual);
    other->moved = false;
}
