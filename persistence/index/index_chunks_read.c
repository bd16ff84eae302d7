/* index_chunks_read.c - see index_chunks.h: chunks become columns. */
#include "persistence/index/index_chunks.h"

#include <stdlib.h>
#include <string.h>

bool chunks_groups(struct index *index, int64_t run_id, struct arena *arena, struct chunk_columns **groups, size_t *n,
                   struct err *err)
{
    sqlite3_stmt *statement =
        index_query(index, err, "SELECT metrics, n FROM record_group WHERE run=? ORDER BY grp", "i", run_id);
    struct chunk_columns *list = NULL;
    size_t capacity = 0;
    int found = -1;
    *n = 0;
    while (statement && (found = index_step(index, statement, err)) == 1) {
        size_t size = (size_t)sqlite3_column_bytes(statement, 0);
        int64_t records = sqlite3_column_int64(statement, 1);
        uint16_t *metrics = arena_copy(arena, sqlite3_column_blob(statement, 0), size, 1);
        list = xgrow(list, &capacity, *n + 1, sizeof *list);
        list[(*n)++] =
            (struct chunk_columns){.metrics = metrics, .n_metrics = size / 2, .n = records > 0 ? (size_t)records : 0};
    }
    *groups = arena_copy(arena, list, *n, sizeof *list);
    free(list);
    return found == 0;
}

/* Copies one chunk behind the `at` records that are there; the number of its records, or 0 when the blob does not fit.
 */
static size_t copy_chunk(struct chunk_columns *group, size_t at, const char *data, size_t size_bytes, size_t n)
{
    if (n > group->n - at || size_bytes != n * (group->n_metrics + CHUNK_AXES) * 8)
        return 0;
    memcpy(group->ordinal + at, data, n * 8);
    memcpy(group->epoch + at, data + n * 8, n * 8);
    memcpy(group->step + at, data + 2 * n * 8, n * 8);
    memcpy(group->time + at, data + 3 * n * 8, n * 8);
    for (size_t m = 0; m < group->n_metrics; m++)
        memcpy(group->values[m] + at, data + (CHUNK_AXES + m) * n * 8, n * 8);
    return n;
}

bool chunks_read(struct index *index, int64_t run_id, size_t g, struct chunk_columns *group, struct arena *arena,
                 struct err *err)
{
    size_t total = group->n, capacity = chunk_capacity(group->n_metrics), n_chunks = (total + capacity - 1) / capacity,
           at = 0;
    sqlite3_stmt *statement =
        index_query(index, err, "SELECT n, data FROM chunk WHERE run=? AND grp=? ORDER BY seq LIMIT ?", "iii", run_id,
                    (int64_t)g, (int64_t)n_chunks);
    int found = -1;
    bool whole = total < ((size_t)1 << 40);
    group->ordinal = arena_array(arena, whole ? total : 0, 8);
    group->epoch = arena_array(arena, whole ? total : 0, 8);
    group->step = arena_array(arena, whole ? total : 0, 8);
    group->time = arena_array(arena, whole ? total : 0, 8);
    group->values = arena_array(arena, group->n_metrics + 1, sizeof *group->values);
    for (size_t m = 0; whole && m < group->n_metrics; m++)
        group->values[m] = arena_array(arena, total, 8);
    while (statement && whole && (found = index_step(index, statement, err)) == 1) {
        size_t n = copy_chunk(group, at, sqlite3_column_blob(statement, 1), (size_t)sqlite3_column_bytes(statement, 1),
                              (size_t)sqlite3_column_int64(statement, 0));
        at += n;
        whole = n > 0;
    }
    if (statement)
        sqlite3_reset(statement);
    if (found == -1 && whole)
        return false;
    if (at == total)
        return true;
    index->failure = SQLITE_CORRUPT;
    return err_set(err, ERR_FAILED, "the index '%s' has lost a part of a history", index->path);
}
