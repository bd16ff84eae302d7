/* crowd.h - noticing that other processes want the cores too, and getting on all the same.
 *
 * A thread that lost its core against its will (the system counts that) makes its pool crowded for a while: 10 ms, and
 * twice as long whenever it happens again soon, up to a second. In a crowd nobody spins: a thread that sleeps whenever
 * it has nothing to do is given a core at once when it has, one that spins has used up its share by then.
 *
 * A thread that stands still in the middle of its work holds everybody up until the system turns to it again, some
 * milliseconds later. The one who waits for it fetches it onto the core that the waiting leaves idle, and sends it away
 * when the work is done: two threads on one core would only take turns. When the crowd is over each may run wherever it
 * was allowed to before.
 */
#ifndef ENGINE_CPU_CROWD_H
#define ENGINE_CPU_CROWD_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Of a pool; all zero is no crowd. */
struct crowd {
    _Atomic int64_t until_ns, hold_ns;
};

/* What is known of one thread. The first three are its own, the others of whoever waits for it. */
struct presence {
    pid_t id;
    clockid_t clock; /* ns of a core that it has had */
    long switches;   /* times it lost its core against its will */
    int64_t had_ns;
    bool moved;
    cpu_set_t usual; /* moved: where it might run before */
};

/* Of the calling thread. */
void presence_init(struct presence *own);

/* now_ns is CLOCK_MONOTONIC's. Has the calling thread lost its core since it last asked, or is there a crowd anyhow? */
bool crowd_felt(struct crowd *crowd, struct presence *own, int64_t now_ns);
/* For one who has seen that another thread stands still. */
void crowd_seen(struct crowd *crowd, int64_t now_ns);
bool crowd_over(const struct crowd *crowd, int64_t now_ns);

/* Has this thread had no core since the last call? The first call of a wait says no: begin it with presence_watch. */
void presence_watch(struct presence *other);
bool presence_stands_still(struct presence *other);
/* Onto this core; and away from it, to the others that it is allowed. Where that is not possible nothing happens. */
void presence_fetch(struct presence *other, int core);
void presence_send_away(struct presence *other, int core);
void presence_restore(struct presence *other);

#endif
