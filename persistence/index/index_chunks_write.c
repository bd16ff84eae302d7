/* index_chunks_write.c - see index_chunks.h: records are gathered into chunks. */
#include "persistence/index/index_chunks.h"

#include <stdlib.h>
#include <string.h>

struct chunk_group { /* records with the same metrics, in this order */
    uint16_t *metrics;
    size_t n_metrics;
    int64_t n;                    /* records in all chunks */
    size_t n_open, open_capacity; /* in `open`, the chunk being filled */
    double *open;                 /* record after record; integers are stored by their bits */
    size_t capacity;              /* records of a full chunk */
    bool changed;
};

/* The number of the group of records with this metric only, plus 1; 0: there is none yet. */
static size_t *alone_at(struct chunk_writer *w, size_t metric)
{
    w->alone = xgrow(w->alone, &w->alone_capacity, metric + 1, sizeof *w->alone);
    while (w->n_alone <= metric)
        w->alone[w->n_alone++] = 0;
    return &w->alone[metric];
}

static struct chunk_group *add_group(struct chunk_writer *w, const uint16_t *metrics, size_t n)
{
    w->groups = xgrow(w->groups, &w->capacity, w->n + 1, sizeof *w->groups);
    struct chunk_group *group = &w->groups[w->n++];
    *group = (struct chunk_group){.n_metrics = n, .capacity = chunk_capacity(n)};
    group->metrics = xcalloc(n + 1, sizeof *metrics);
    if (n)
        memcpy(group->metrics, metrics, n * sizeof *metrics);
    if (n == 1)
        *alone_at(w, metrics[0]) = w->n;
    return group;
}

/* The chunk that was not full when the last ingestion ended. */
static bool load_open_chunk(struct chunk_writer *w, size_t g, struct err *err)
{
    struct chunk_group *group = &w->groups[g];
    size_t n_open = (size_t)(group->n % (int64_t)group->capacity), columns = group->n_metrics + CHUNK_AXES;
    if (!n_open)
        return true;
    sqlite3_stmt *statement = index_query(w->index, err, "SELECT data FROM chunk WHERE run=? AND grp=? AND seq=?",
                                          "iii", w->run_id, (int64_t)g, group->n / (int64_t)group->capacity);
    int found = statement ? index_step(w->index, statement, err) : -1;
    if (found == 1 && (size_t)sqlite3_column_bytes(statement, 0) == n_open * columns * 8) {
        const char *data = sqlite3_column_blob(statement, 0);
        group->open = xgrow(NULL, &group->open_capacity, n_open * columns, sizeof *group->open);
        for (size_t i = 0; i < n_open; i++)
            for (size_t c = 0; c < columns; c++)
                memcpy(&group->open[i * columns + c], data + (c * n_open + i) * 8, 8);
        group->n_open = n_open;
    } else if (found >= 0) {
        w->index->failure = SQLITE_CORRUPT;
        err_set(err, ERR_FAILED, "the index '%s' has lost a part of a history", w->index->path);
        found = -1;
    }
    if (statement)
        sqlite3_reset(statement);
    return found >= 0;
}

bool chunks_load(struct chunk_writer *w, struct err *err)
{
    sqlite3_stmt *statement =
        index_query(w->index, err, "SELECT metrics, n FROM record_group WHERE run=? ORDER BY grp", "i", w->run_id);
    int found = -1;
    while (statement && (found = index_step(w->index, statement, err)) == 1) {
        const uint16_t *metrics = sqlite3_column_blob(statement, 0);
        struct chunk_group *group = add_group(w, metrics, (size_t)sqlite3_column_bytes(statement, 0) / sizeof *metrics);
        group->n = sqlite3_column_int64(statement, 1);
    }
    bool ok = found == 0;
    for (size_t g = 0; ok && g < w->n; g++)
        ok = load_open_chunk(w, g, err);
    return ok;
}

static bool store_chunk(struct chunk_writer *w, size_t g, struct err *err)
{
    struct chunk_group *group = &w->groups[g];
    size_t columns = group->n_metrics + CHUNK_AXES, n = group->n_open;
    double *packed = xmalloc(n * columns * sizeof *packed);
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < columns; c++)
            packed[c * n + i] = group->open[i * columns + c];
    int64_t seq = (group->n - 1) / (int64_t)group->capacity;
    bool ok = index_exec(w->index, err, "INSERT OR REPLACE INTO chunk VALUES(?,?,?,?,?)", "iiiib", w->run_id,
                         (int64_t)g, seq, (int64_t)n, packed, n * columns * 8);
    free(packed);
    return ok;
}

static struct chunk_group *find_group(struct chunk_writer *w, const uint16_t *ids, size_t n, size_t *g)
{
    if (n == 1 && *alone_at(w, ids[0])) {
        *g = *alone_at(w, ids[0]) - 1;
        return &w->groups[*g];
    }
    for (*g = 0; n != 1 && *g < w->n; ++*g)
        if (w->groups[*g].n_metrics == n && !memcmp(w->groups[*g].metrics, ids, n * sizeof *ids))
            return &w->groups[*g];
    *g = w->n;
    return add_group(w, ids, n);
}

static void put_integer(double *cell, int64_t value)
{
    memcpy(cell, &value, sizeof value);
}

bool chunks_add(struct chunk_writer *w, int64_t ordinal, const struct record *record, size_t from, size_t n,
                struct err *err)
{
    size_t g, columns = n + CHUNK_AXES;
    struct chunk_group *group = find_group(w, record->ids + from, n, &g);
    group->open = xgrow(group->open, &group->open_capacity, (group->n_open + 1) * columns, sizeof *group->open);
    double *row = group->open + group->n_open * columns;
    put_integer(row, ordinal);
    put_integer(row + 1, record->epoch);
    put_integer(row + 2, record->step);
    row[3] = record->time;
    if (n)
        memcpy(row + CHUNK_AXES, record->values + from, n * sizeof *row);
    group->n++;
    group->n_open++;
    group->changed = true;
    if (group->n_open < group->capacity)
        return true;
    bool ok = store_chunk(w, g, err);
    group->n_open = 0;
    return ok;
}

bool chunks_store(struct chunk_writer *w, struct err *err)
{
    for (size_t g = 0; g < w->n; g++) {
        struct chunk_group *group = &w->groups[g];
        if (!group->changed)
            continue;
        if ((group->n_open && !store_chunk(w, g, err)) ||
            !index_exec(w->index, err, "INSERT OR REPLACE INTO record_group VALUES(?,?,?,?)", "iibi", w->run_id,
                        (int64_t)g, group->metrics, group->n_metrics * sizeof *group->metrics, group->n))
            return false;
    }
    return true;
}

void chunks_release(struct chunk_writer *w)
{
    for (size_t g = 0; g < w->n; g++) {
        free(w->groups[g].metrics);
        free(w->groups[g].open);
    }
    free(w->groups);
    free(w->alone);
}
