/* watch_internal.h - what the files of the watch share: watch.c (the set of sources), watch_run.c (one of them),
 * watch_models.c (models beside it). */
#ifndef PERSISTENCE_SOURCES_WATCH_INTERNAL_H
#define PERSISTENCE_SOURCES_WATCH_INTERNAL_H

#include "persistence/sources/source_aside.h"
#include "persistence/sources/watch.h"

struct watched_model {
    char *name;
    int64_t stamp;
};
struct watched {
    const char *path, *name; /* lent by the list of what was found */
    const struct source *source;
    struct source_copy copy; /* closed while reader is NULL */
    int64_t n_before;        /* records of it before it was read on */
    char *id;                /* of its run, NULL: not made yet */
    int lock;                /* held while it may grow, -1 */
    uint64_t stamp;          /* of the files when it was read to the end */
    double touched, due;     /* Unix seconds: something was new; io_monotonic_seconds: to be looked at again */
    int changes;             /* of what is known of it, when it was saved */
    enum run_state state;
    bool failed; /* it cannot be read */
    bool loaded; /* all that was there at first was read */
    struct watched_model *models;
    size_t n_models;
    double models_due;
};
struct watch {
    char *home;
    int lock; /* of the home, held as long as this process lives: a home without it was left behind */
    struct index *index;
    char **paths;
    size_t n_paths;
    struct source_list *list;
    struct watched *runs;        /* while there is an aside they stay where they are */
    size_t n_runs, capacity, at; /* at: whose turn it is */
    struct source_aside *aside;  /* what is copied in a thread: the copy of run aside_of, which nobody else touches */
    size_t aside_of;
    double scan_due;
};

/* Reads on until the deadline (io_monotonic_seconds). 1 = there is more, 0 = not now, -1 = err: the private home cannot
 * be written. */
int watched_read(struct watch *watch, struct watched *w, double deadline, struct err *err);
void watched_release(struct watched *w);
/* Models beside it that are new or were written anew. */
bool watched_look_for_models(struct watch *watch, struct watched *w, struct err *err);
/* Of all files of a source; 0: there are none. */
uint64_t watched_stamp(const char *path);
void watched_free_models(struct watched *w);

#endif
