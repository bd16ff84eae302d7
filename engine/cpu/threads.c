/* threads.c - see threads.h
 *
 * A job is published by opening the gate and raising `generation`. A helper enters through the gate (and is counted),
 * takes slices until none is left, and leaves. The caller works too; when no slice is left it shuts the gate and waits
 * only for those inside: a helper that was not scheduled in time costs nothing. Who waits spins for a while and then
 * sleeps; what is different when other processes want the cores too is in crowd.h.
 *
 * Every thread has a range of slices of its own, the same ones in every step, so that what it wrote last time is still
 * in its caches. It takes them from the front; when it has none left it takes from the back of the others' ranges.
 */
#include "engine/cpu/threads.h"
#include "engine/cpu/crowd.h"
#include "base/arena.h"
#include "base/io.h"

#include <limits.h>
#include <linux/futex.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { LOOK_NS = 5000, LOOKS = 100, NAP_NS = 100000 }; /* half a millisecond of looks before a thread sleeps */
#define GATE_OPEN 0x80000000u

/* Slices that nobody has taken yet: first in the low half, end in the high half. */
struct range {
    _Alignas(64) _Atomic uint64_t slices;
};

struct helper {
    struct threads *threads;
    int number; /* its range */
    struct presence presence;
    _Atomic bool inside;
};

struct threads {
    int n_threads;
    struct helper *helpers;
    pthread_t *handles;
    int look_spins;
    struct crowd crowd;
    struct presence caller;
    int n_moved; /* helpers that may not run where they want until the crowd is over */
    void (*work)(void *context, int slice);
    void *context;
    void (*worked)(void *context, int thread, int64_t start_ns, int64_t end_ns); /* NULL: nobody watches */
    void *watcher;
    struct range *ranges;                     /* one for each thread, the caller's first */
    _Alignas(64) _Atomic uint32_t generation; /* raised with every job; sleepers wait on it */
    _Atomic uint32_t sleepers;
    _Alignas(64) _Atomic uint32_t gate; /* GATE_OPEN, plus the number of helpers inside */
    _Atomic uint32_t caller_sleeps;
    _Atomic int closing;
};

static void pause_cpu(void)
{
#if defined(__x86_64__)
    _mm_pause();
#endif
}

/* With denormals Adam's slots would cost ten times as much. */
static void flush_denormals(void)
{
#if defined(__x86_64__)
    _mm_setcsr(_mm_getcsr() | 0x8040); /* FTZ and DAZ */
#elif defined(__aarch64__)
    uint64_t control;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control));
    __asm__ volatile("msr fpcr, %0" : : "r"(control | 1u << 24)); /* FZ */
#endif
}

bool threads_flush_denormals(void)
{
#if defined(__x86_64__) || defined(__aarch64__)
    return true;
#else
    return false;
#endif
}

/* Not io's: what threads do among themselves is no event that a test counts. */
static int64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* At most so long; NULL: until woken. */
static void futex_wait(_Atomic uint32_t *word, uint32_t seen, const struct timespec *at_most)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, at_most, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word, int n)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}

/* A slice from the front of a range, or from its back; -1 when it is empty. */
static int take(struct range *range, bool from_back)
{
    uint64_t old = atomic_load_explicit(&range->slices, memory_order_relaxed), new;
    uint32_t first, end;
    do {
        first = (uint32_t)old, end = (uint32_t)(old >> 32);
        if (first >= end)
            return -1;
        new = from_back ? (uint64_t)(end - 1) << 32 | first : (uint64_t)end << 32 | (first + 1);
    } while (
        !atomic_compare_exchange_weak_explicit(&range->slices, &old, new, memory_order_relaxed, memory_order_relaxed));
    return (int)(from_back ? end - 1 : first);
}

static void take_slices(struct threads *t, int number)
{
    int64_t start_ns = t->worked ? io->monotonic_ns() : 0;
    bool worked = false;
    for (int i = 0, slice; i < t->n_threads; i++)
        while ((slice = take(&t->ranges[(number + i) % t->n_threads], i > 0)) >= 0) {
            t->work(t->context, slice);
            worked = true;
        }
    if (t->worked && worked)
        t->worked(t->watcher, number, start_ns, io->monotonic_ns());
}

void threads_watch(struct threads *t, void (*worked)(void *context, int thread, int64_t start_ns, int64_t end_ns),
                   void *context)
{
    t->worked = worked;
    t->watcher = context;
}

/* Looks at a word for a while: is it still (or, with `until`, at last) this value? True as soon as the wait is over. */
static bool look(const struct threads *t, _Atomic uint32_t *word, uint32_t value, bool until)
{
    for (int spin = 0; spin < t->look_spins; spin++) {
        if ((atomic_load_explicit(word, memory_order_acquire) == value) == until)
            return true;
        pause_cpu();
    }
    return false;
}

static uint32_t wait_for_job(struct threads *t, struct presence *own, uint32_t seen)
{
    for (int k = 0; k < LOOKS; k++) {
        if (look(t, &t->generation, seen, false))
            return atomic_load_explicit(&t->generation, memory_order_acquire);
        if (k == 0 && crowd_felt(&t->crowd, own, clock_ns()))
            break;
    }
    atomic_fetch_add(&t->sleepers, 1);
    uint32_t now;
    while ((now = atomic_load(&t->generation)) == seen)
        futex_wait(&t->generation, seen, NULL);
    atomic_fetch_sub(&t->sleepers, 1);
    return now;
}

static bool enter(struct threads *t)
{
    uint32_t gate = atomic_load(&t->gate);
    while (gate & GATE_OPEN)
        if (atomic_compare_exchange_weak(&t->gate, &gate, gate + 1))
            return true;
    return false;
}

static void leave(struct threads *t)
{
    if (atomic_fetch_sub(&t->gate, 1) == 1 && atomic_load(&t->caller_sleeps))
        futex_wake(&t->gate, 1);
}

static void *helper(void *argument)
{
    struct helper *self = argument;
    struct threads *t = self->threads;
    flush_denormals();
    presence_init(&self->presence);
    for (uint32_t seen = 0;;) {
        seen = wait_for_job(t, &self->presence, seen);
        if (atomic_load(&t->closing))
            return NULL;
        if (enter(t)) {
            atomic_store_explicit(&self->inside, true, memory_order_release);
            take_slices(t, self->number);
            atomic_store_explicit(&self->inside, false, memory_order_release);
            leave(t);
        }
    }
}

/* How many rounds of a look take LOOK_NS: a pause is 40 cycles on one processor and 140 on another. */
static void measure_look(struct threads *t)
{
    enum { ROUNDS = 100, TRIALS = 5 };
    int64_t best_ns = INT64_MAX;
    t->look_spins = ROUNDS;
    for (int i = 0; i < TRIALS; i++) {
        int64_t start_ns = clock_ns();
        look(t, &t->generation, UINT32_MAX, true);
        int64_t elapsed_ns = clock_ns() - start_ns;
        best_ns = elapsed_ns < best_ns ? elapsed_ns : best_ns;
    }
    t->look_spins = 1 + (int)(ROUNDS * LOOK_NS / (best_ns + 1));
}

struct threads *threads_open(int n_threads, struct err *err)
{
    struct threads *t = aligned_alloc(64, sizeof *t);
    BUG_ON(!t);
    memset(t, 0, sizeof *t);
    t->n_threads = 1;
    t->handles = xcalloc((size_t)n_threads, sizeof *t->handles);
    t->helpers = xcalloc((size_t)n_threads, sizeof *t->helpers);
    t->ranges = aligned_alloc(64, (size_t)n_threads * sizeof *t->ranges);
    BUG_ON(!t->ranges);
    memset(t->ranges, 0, (size_t)n_threads * sizeof *t->ranges);
    flush_denormals();
    presence_init(&t->caller);
    measure_look(t);
    sigset_t all, old; /* signals are for the main thread */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (int i = 0; i + 1 < n_threads; i++) {
        t->helpers[i].threads = t;
        t->helpers[i].number = i + 1;
        int failed = pthread_create(&t->handles[i], NULL, helper, &t->helpers[i]);
        if (failed) {
            err_errno(err, ERR_FAILED, failed, "cannot start thread %d of %d", i + 2, n_threads);
            threads_close(t);
            t = NULL;
            break;
        }
        t->n_threads++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return t;
}

static void wake_helpers(struct threads *t)
{
    atomic_fetch_add(&t->generation, 1);
    if (atomic_load(&t->sleepers))
        futex_wake(&t->generation, INT_MAX);
}

void threads_close(struct threads *t)
{
    if (!t)
        return;
    atomic_store(&t->closing, 1);
    wake_helpers(t);
    for (int i = 0; i + 1 < t->n_threads; i++)
        pthread_join(t->handles[i], NULL);
    free(t->handles);
    free(t->helpers);
    free(t->ranges);
    free(t);
}

/* Of the helpers inside, those that stand still are fetched onto the caller's core, which it is about to leave. How
 * many. */
static int fetch_helpers(struct threads *t, int core)
{
    int n = 0;
    for (int i = 0; i + 1 < t->n_threads; i++) {
        struct helper *h = &t->helpers[i];
        if (!atomic_load_explicit(&h->inside, memory_order_acquire) || !presence_stands_still(&h->presence))
            continue;
        presence_fetch(&h->presence, core);
        n++;
    }
    if (n)
        crowd_seen(&t->crowd, clock_ns());
    return n;
}

static void watch_helpers(struct threads *t)
{
    for (int i = 0; i + 1 < t->n_threads; i++)
        if (atomic_load_explicit(&t->helpers[i].inside, memory_order_acquire))
            presence_watch(&t->helpers[i].presence);
}

static void send_helpers_away(struct threads *t, int core)
{
    t->n_moved = 0;
    for (int i = 0; i + 1 < t->n_threads; i++)
        if (t->helpers[i].presence.moved) {
            presence_send_away(&t->helpers[i].presence, core);
            t->n_moved++;
        }
}

static void restore_helpers(struct threads *t)
{
    for (int i = 0; i + 1 < t->n_threads; i++)
        if (t->helpers[i].presence.moved)
            presence_restore(&t->helpers[i].presence);
    t->n_moved = 0;
}

static void nap(struct threads *t)
{
    atomic_store(&t->caller_sleeps, 1);
    uint32_t gate = atomic_load(&t->gate);
    if (gate)
        futex_wait(&t->gate, gate, &(struct timespec){.tv_nsec = NAP_NS});
    atomic_store(&t->caller_sleeps, 0);
}

/* Nobody may be inside when the next job overwrites work and context. */
static void shut_gate(struct threads *t)
{
    int core = 0;
    bool crowded = false, fetched = false;
    if (!(atomic_fetch_and(&t->gate, ~GATE_OPEN) & ~GATE_OPEN))
        return;
    for (int k = 0; atomic_load(&t->gate); k++) {
        if (k > 0 && (crowded || k > LOOKS))
            nap(t);
        else if (look(t, &t->gate, 0, true))
            break;
        if (k == 0) {
            core = sched_getcpu();
            crowded = crowd_felt(&t->crowd, &t->caller, clock_ns());
            watch_helpers(t);
        } else if (fetch_helpers(t, core)) {
            crowded = fetched = true;
        }
    }
    if (fetched)
        send_helpers_away(t, core);
}

void threads_run(struct threads *t, void (*work)(void *context, int slice), void *context, int n_slices)
{
    if (n_slices == 1 || !t || t->n_threads == 1) {
        for (int slice = 0; slice < n_slices; slice++)
            work(context, slice);
        return;
    }
    if (t->n_moved && crowd_over(&t->crowd, clock_ns()))
        restore_helpers(t);
    t->work = work;
    t->context = context;
    for (int i = 0; i < t->n_threads; i++) {
        uint64_t first = (uint64_t)n_slices * (uint64_t)i / (uint64_t)t->n_threads;
        uint64_t end = (uint64_t)n_slices * (uint64_t)(i + 1) / (uint64_t)t->n_threads;
        atomic_store_explicit(&t->ranges[i].slices, end << 32 | first, memory_order_relaxed);
    }
    atomic_store(&t->gate, GATE_OPEN);
    wake_helpers(t);
    take_slices(t, 0);
    shut_gate(t);
}

/* cgroup v2: "max 100000" or "150000 100000" (quota and period). */
static double cgroup_cores(void)
{
    long long quota, period;
    double cores = INFINITY;
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (file) {
        if (fscanf(file, "%lld %lld", &quota, &period) == 2 && period > 0)
            cores = (double)quota / (double)period;
        fclose(file);
    }
    return cores;
}

int threads_allowed(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
    double cores = ceil(cgroup_cores());
    n = cores < n ? (int)cores : n;
    return n < 1 ? 1 : n;
}
