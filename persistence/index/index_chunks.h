/* index_chunks.h - the histories of runs in the index: chunks of packed columns.
 *
 * Metrics that are always logged together share one group and so one set of axes (ordinal, epoch, step, time): a
 * history of 20 metrics x 50,000 records is about 10 MB here and is read back at the speed of memory. A chunk is `n`
 * records of a group, all of them full but the last. Its blob is int64 ordinal[n], epoch[n], step[n], double time[n],
 * then n values per metric. Ordinals number the METRICS records of a log.
 */
#ifndef PERSISTENCE_INDEX_INDEX_CHUNKS_H
#define PERSISTENCE_INDEX_INDEX_CHUNKS_H

#include "persistence/index/index_internal.h"
#include "persistence/runs/history_log.h"

enum { CHUNK_AXES = 4, CHUNK_MAX_RECORDS = 512, CHUNK_MAX_CELLS = 65536 };
static inline size_t chunk_capacity(size_t n_columns)
{
    size_t n = CHUNK_MAX_CELLS / (n_columns + CHUNK_AXES);
    return n > CHUNK_MAX_RECORDS ? CHUNK_MAX_RECORDS : n < 8 ? 8 : n;
}

/* Writing. {.index, .run_id} to begin with; chunks_load, chunks_add for every record, chunks_store, chunks_release. */
struct chunk_writer {
    struct index *index;
    int64_t run_id;
    struct chunk_group *groups;
    size_t n, capacity; /* of groups */
    size_t *alone;      /* by metric */
    size_t n_alone, alone_capacity;
};
/* What was written before, with the chunks that are not full yet. */
bool chunks_load(struct chunk_writer *writer, struct err *err) MUST_USE;
/* The metrics [from, from + n) of a METRICS record. */
bool chunks_add(struct chunk_writer *writer, int64_t ordinal, const struct record *record, size_t from, size_t n,
                struct err *err) MUST_USE;
/* What is not full. */
bool chunks_store(struct chunk_writer *writer, struct err *err) MUST_USE;
void chunks_release(struct chunk_writer *writer);

/* Reading: all records of a group, in an arena. */
struct chunk_columns {
    const uint16_t *metrics;
    size_t n_metrics, n;
    int64_t *ordinal, *epoch, *step;
    double *time, **values; /* values[metric of the group] */
};
/* The groups of a run, without their columns. */
bool chunks_groups(struct index *index, int64_t run_id, struct arena *arena, struct chunk_columns **groups, size_t *n,
                   struct err *err) MUST_USE;
/* The columns of group g. ERR_FAILED, and the index is to be made anew, where chunks are missing. */
bool chunks_read(struct index *index, int64_t run_id, size_t g, struct chunk_columns *group, struct arena *arena,
                 struct err *err) MUST_USE;

#endif
