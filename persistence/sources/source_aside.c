/* source_aside.c - see source_aside.h */
#include "persistence/sources/source_aside.h"

#include "base/arena.h"
#include "base/io.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

static const double SLICE_S = 0.01; /* so often what was copied goes into the file */

struct source_aside {
    struct source_copy *copy;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    bool done; /* under the mutex */
    atomic_bool stop;
    int found;
    struct err err;
};

static void *copy_all(void *context)
{
    struct source_aside *aside = context;
    do {
        aside->found = source_copy_some(aside->copy, io_monotonic_seconds() + SLICE_S, &aside->err);
    } while (aside->found == 1 && !atomic_load(&aside->stop));
    pthread_mutex_lock(&aside->mutex);
    aside->done = true;
    pthread_cond_signal(&aside->ended);
    pthread_mutex_unlock(&aside->mutex);
    return NULL;
}

struct source_aside *source_aside_begin(struct source_copy *copy)
{
    struct source_aside *aside = xcalloc(1, sizeof *aside);
    pthread_condattr_t monotonic;
    aside->copy = copy;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&aside->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&aside->mutex, NULL);
    if (!pthread_create(&aside->thread, NULL, copy_all, aside))
        return aside;
    pthread_cond_destroy(&aside->ended);
    pthread_mutex_destroy(&aside->mutex);
    free(aside);
    return NULL;
}

static bool is_done(struct source_aside *aside, double deadline)
{
    struct timespec until = {(time_t)deadline, (long)((deadline - floor(deadline)) * 1e9)};
    pthread_mutex_lock(&aside->mutex);
    while (!aside->done && !pthread_cond_timedwait(&aside->ended, &aside->mutex, &until)) {
    }
    bool done = aside->done;
    pthread_mutex_unlock(&aside->mutex);
    return done;
}

static void join(struct source_aside **aside)
{
    pthread_join((*aside)->thread, NULL);
    pthread_cond_destroy(&(*aside)->ended);
    pthread_mutex_destroy(&(*aside)->mutex);
    free(*aside);
    *aside = NULL;
}

int source_aside_wait(struct source_aside **aside, double deadline, struct err *err)
{
    if (!is_done(*aside, deadline))
        return SOURCE_AT_WORK;
    int found = (*aside)->found;
    if (found == -1)
        err_set(err, (*aside)->err.code, "%s", (*aside)->err.text);
    join(aside);
    return found;
}

void source_aside_end(struct source_aside **aside)
{
    if (!*aside)
        return;
    atomic_store(&(*aside)->stop, true);
    join(aside);
}
