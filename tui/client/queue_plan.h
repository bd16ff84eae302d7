/* queue_plan.h - what trains, what waits and about when it starts: for `antler queue` and the jobs view.
 *
 * When a run starts is an estimate: the time left of those that train, then of those before it in the queue. An epoch
 * takes as long as its own did, else as those of the newest run with the same data, model and batch (on this device,
 * else on another), else of the newest of its name. NAN where nothing is known.
 */
#ifndef TUI_CLIENT_QUEUE_PLAN_H
#define TUI_CLIENT_QUEUE_PLAN_H

#include "persistence/index/index.h"
#include "persistence/runs/run_live.h"

struct queue_item {
    const struct run_summary *run; /* lent */
    bool waits;                    /* else it trains, is paused, or is being started */
    int place;                     /* of one that waits, from 1 */
    const char *device;            /* lent by the plan */
    struct run_live live;          /* of one that trains */
    bool has_live;
    double left_s;   /* of one that trains: until its end; of one that waits: how long it will take */
    double starts_s; /* of one that waits: from now */
};

struct queue_plan {
    bool held;
    int64_t slots;
    struct queue_item *items; /* those that train, newest first; then those that wait, in order */
    size_t n, n_waiting;
    struct arena arena;
};

/* runs: all of the home. A damaged settings file counts as none. */
void queue_plan_make(struct queue_plan *plan, const char *home, const struct run_summary *runs, size_t n);
void queue_plan_release(struct queue_plan *plan);

/* 0..1, NAN. */
double queue_item_share(const struct queue_item *item);

enum { QUEUE_WORDS = 3 };
/* What a person who looks at a queued run wants to know: that it waits, for what, in which place, how long it will be
 * about. Lines without an end of line; those that say nothing are empty. */
void queue_plan_words(const struct queue_plan *plan, const char *run_id, char lines[QUEUE_WORDS][160]);

#endif
