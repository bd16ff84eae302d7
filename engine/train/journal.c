/* journal.c - see journal.h */
#include "base/arena.h"
#include "base/io.h"
#include "base/log.h"
#include "engine/train/journal.h"
#include "persistence/runs/history_log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { RING_RECORDS = 4096, WAITING_MAX = 100000 };

struct waiting { /* a record in memory */
    enum record_kind kind;
    bool of_step; /* from the ring */
    int64_t epoch, step;
    size_t n;
    char **names;
    double *values;
    json_t *json;
    struct waiting *next;
};

struct step_record {
    int64_t epoch, step;
    double values[JOURNAL_STEP_VALUES];
};

struct journal {
    struct history_writer *writer;
    pthread_mutex_t mutex;
    int sync_fd; /* the same file, for fsync without the mutex */
    char *path;
    struct waiting *first, **last;
    size_t n_waiting;
    bool complained;
    char *step_names[JOURNAL_STEP_VALUES];
    size_t n_step_names;
    struct step_record *ring;
    atomic_size_t written, read; /* written: by the training thread; read: under the mutex */
};

struct journal *journal_open(const char *run_folder, struct err *err)
{
    struct history_writer *writer = history_open_writer(run_folder, err);
    if (!writer)
        return NULL;
    struct journal *journal = xcalloc(1, sizeof *journal);
    journal->writer = writer;
    journal->last = &journal->first;
    journal->path = path_join(run_folder, "history.log");
    journal->sync_fd = io_open(journal->path, O_RDONLY, 0, err);
    pthread_mutex_init(&journal->mutex, NULL);
    if (journal->sync_fd < 0) {
        journal_close(journal);
        return NULL;
    }
    return journal;
}

static void waiting_free(struct waiting *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->names[i]);
    free(w->names);
    free(w->values);
    json_decref(w->json);
    free(w);
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    journal_flush(journal);
    while (journal->first) {
        struct waiting *w = journal->first;
        journal->first = w->next;
        waiting_free(w);
    }
    history_close_writer(journal->writer);
    if (journal->sync_fd >= 0)
        io->close(journal->sync_fd);
    for (size_t i = 0; i < journal->n_step_names; i++)
        free(journal->step_names[i]);
    pthread_mutex_destroy(&journal->mutex);
    free(journal->ring);
    free(journal->path);
    free(journal);
}

static bool write_record(struct journal *j, const struct waiting *w, struct err *err)
{
    if (w->kind == RECORD_METRICS)
        return history_add_metrics(j->writer, w->epoch, w->step, (const char *const *)w->names, w->values, w->n, err);
    if (w->kind == RECORD_EVENT)
        return history_add_event(j->writer, w->epoch, w->step, w->json, err);
    return history_add_checkpoint(j->writer, w->epoch, w->step, w->json, err);
}

/* Under the mutex: writes what waits, in order; stops at the first that cannot be written. */
static bool write_waiting(struct journal *j)
{
    while (j->first) {
        struct err err = {0};
        struct waiting *w = j->first;
        if (!write_record(j, w, &err)) {
            if (!j->complained)
                log_error("%s; the records are kept in memory until it can be written", err.text);
            j->complained = true;
            return false;
        }
        j->first = w->next;
        if (!j->first)
            j->last = &j->first;
        j->n_waiting--;
        waiting_free(w);
    }
    j->complained = false;
    return true;
}

/* Under the mutex. Takes what the record owns. */
static void add(struct journal *j, struct waiting record)
{
    if (j->n_waiting >= WAITING_MAX && record.of_step) {
        struct waiting *dropped = xmalloc(sizeof *dropped);
        *dropped = record;
        waiting_free(dropped);
        return;
    }
    struct waiting *w = xmalloc(sizeof *w);
    *w = record;
    w->next = NULL;
    *j->last = w;
    j->last = &w->next;
    j->n_waiting++;
    write_waiting(j);
}

static struct waiting metrics_record(int64_t epoch, int64_t step, const char *const *names, const double *values,
                                     size_t n)
{
    struct waiting w = {.kind = RECORD_METRICS, .epoch = epoch, .step = step, .n = n};
    w.names = xcalloc(n ? n : 1, sizeof *w.names);
    w.values = xcalloc(n ? n : 1, sizeof *w.values);
    for (size_t i = 0; i < n; i++) {
        w.names[i] = xstrdup(names[i]);
        w.values[i] = values[i];
    }
    return w;
}

static void drain_ring(struct journal *j)
{
    size_t end = atomic_load_explicit(&j->written, memory_order_acquire);
    for (size_t at = atomic_load(&j->read); at != end; at++) {
        const struct step_record *r = &j->ring[at % RING_RECORDS];
        struct waiting record =
            metrics_record(r->epoch, r->step, (const char *const *)j->step_names, r->values, j->n_step_names);
        record.of_step = true;
        add(j, record);
        atomic_store_explicit(&j->read, at + 1, memory_order_release);
    }
}

static void add_ordered(struct journal *j, struct waiting record)
{
    pthread_mutex_lock(&j->mutex);
    drain_ring(j);
    add(j, record);
    pthread_mutex_unlock(&j->mutex);
}

void journal_metrics(struct journal *journal, int64_t epoch, int64_t step, const char *const *names,
                     const double *values, size_t n)
{
    add_ordered(journal, metrics_record(epoch, step, names, values, n));
}

void journal_event(struct journal *journal, int64_t epoch, int64_t step, json_t *event)
{
    add_ordered(journal, (struct waiting){.kind = RECORD_EVENT, .epoch = epoch, .step = step, .json = event});
}

void journal_checkpoint(struct journal *journal, int64_t epoch, int64_t step, json_t *checkpoint)
{
    add_ordered(journal, (struct waiting){.kind = RECORD_CHECKPOINT, .epoch = epoch, .step = step, .json = checkpoint});
}

void journal_steps_begin(struct journal *journal, const char *const *names, size_t n)
{
    BUG_ON(journal->ring || n > JOURNAL_STEP_VALUES);
    for (size_t i = 0; i < n; i++)
        journal->step_names[i] = xstrdup(names[i]);
    journal->n_step_names = n;
    journal->ring = xcalloc(RING_RECORDS, sizeof *journal->ring);
}

void journal_step(struct journal *journal, int64_t epoch, int64_t step, const double *values)
{
    size_t at = atomic_load_explicit(&journal->written, memory_order_relaxed);
    if (at - atomic_load_explicit(&journal->read, memory_order_acquire) == RING_RECORDS)
        journal_flush(journal);
    struct step_record *r = &journal->ring[at % RING_RECORDS];
    r->epoch = epoch;
    r->step = step;
    memcpy(r->values, values, journal->n_step_names * sizeof *values);
    atomic_store_explicit(&journal->written, at + 1, memory_order_release);
}

void journal_flush(struct journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    if (journal->ring)
        drain_ring(journal);
    write_waiting(journal);
    pthread_mutex_unlock(&journal->mutex);
}

int64_t journal_length(struct journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    if (journal->ring)
        drain_ring(journal);
    int64_t length = history_length(journal->writer);
    pthread_mutex_unlock(&journal->mutex);
    return length;
}

bool journal_is_stuck(struct journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    bool stuck = journal->first != NULL;
    pthread_mutex_unlock(&journal->mutex);
    return stuck;
}

bool journal_sync(struct journal *journal, struct err *err)
{
    return io_fsync(journal->sync_fd, journal->path, err);
}

bool journal_truncate(struct journal *journal, int64_t length_bytes, struct err *err)
{
    pthread_mutex_lock(&journal->mutex);
    bool ok = history_truncate(journal->writer, length_bytes, err);
    pthread_mutex_unlock(&journal->mutex);
    return ok;
}
