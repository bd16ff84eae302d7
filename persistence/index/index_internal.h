/* index_internal.h - what the files of the index share: the database handle, statements by their text, rows of a run.
 *
 *   index_db.c          opens, checks, replaces a damaged file, falls back to memory; index_schema.h has the tables
 *   index_refresh.c     which runs are new, changed or gone
 *   index_run.c         run.json and config.json become rows
 *   index_log.c         records become chunks, last and best values, events, checkpoints
 *   index_list.c, index_find.c, index_history.c, index_events.c, index_checkpoints.c    read
 */
#ifndef PERSISTENCE_INDEX_INDEX_INTERNAL_H
#define PERSISTENCE_INDEX_INDEX_INTERNAL_H

#include "persistence/index/index.h"

#include <sqlite3.h>

struct index {
    char *home;            /* absolute when it exists */
    char *path;            /* of antler.db */
    struct index *watched; /* joined, NULL: none */
    sqlite3 *db;
    bool hurried;     /* index_set_hurried */
    bool unseen;      /* something has changed that nobody who asked has heard of */
    bool in_memory;   /* the home cannot be written, the disk is full, the file is not ours or too new */
    char reason[200]; /* why it is in memory */
    int failure;      /* SQLite's code of the last failure, 0 after a recovery */
    uint64_t inode;   /* of the file that was opened */
    /* PRAGMA data_version at the last refresh: another process has ingested something when it differs */
    int64_t data_version;
    double scanned_at, scan_s; /* when all folders were looked at last, and how long that took */
    size_t n_scanned;
    int64_t home_stamp; /* of the folder, as it was then */
    struct {
        const char *sql; /* literals: compared by address */
        sqlite3_stmt *statement;
    } * statements;
    size_t n_statements, statements_capacity;
};

/* types: one letter per value: i int64_t, d double (NaN becomes NULL), s text or NULL, b blob (const void *, size_t).
 * Texts and blobs are lent until the statement is stepped to its end or used again. */
bool index_exec(struct index *index, struct err *err, const char *sql, const char *types, ...) MUST_USE;
/* A statement ready to be stepped; NULL and err. It stays the index's: step it to its end or sqlite3_reset it. */
sqlite3_stmt *index_query(struct index *index, struct err *err, const char *sql, const char *types, ...);
/* 1 = a row, 0 = the end (reset), -1 = err (reset). */
int index_step(struct index *index, sqlite3_stmt *statement, struct err *err);
bool index_begin(struct index *index, struct err *err) MUST_USE;
/* Whether what follows waits for another process that writes; else it fails with SQLITE_BUSY in index->failure. */
void index_wait_for_others(struct index *index, bool wait);
bool index_commit(struct index *index, struct err *err) MUST_USE;
void index_rollback(struct index *index);

/* Runs a reading or writing operation; when the database fails under it (full, damaged, vanished), replaces it or goes
 * on in memory, ingests again and repeats the operation once. */
typedef bool index_operation(struct index *index, void *context, struct err *err);
bool index_guarded(struct index *index, index_operation *operation, void *context, struct err *err) MUST_USE;

/* What index_refresh does, unguarded; context: bool *changed or NULL. */
bool index_ingest_all(struct index *index, void *context, struct err *err) MUST_USE;

/* Text of a column, copied into the arena; NULL stays NULL. */
const char *index_text(sqlite3_stmt *statement, int column, struct arena *arena);
/* REAL column; NULL is NaN. */
double index_real(sqlite3_stmt *statement, int column);

/* Reads run.json of <home>/<folder> into the row of the run (made when *run_id is 0), or config.json. Damage becomes
 * the run's error. */
bool index_ingest_run(struct index *index, const char *folder, int64_t stamp, int64_t *run_id,
                      struct err *err) MUST_USE;
bool index_ingest_config(struct index *index, const char *folder, int64_t run_id, int64_t stamp,
                         struct err *err) MUST_USE;
/* Reads the new records of the log; starts anew when what was read before is no longer there. */
bool index_ingest_log(struct index *index, const char *folder, int64_t run_id, int64_t stamp, struct err *err) MUST_USE;
/* The summary of one row, in the arena; NULL and err. */
const struct run_summary *index_load_run(struct index *index, int64_t row, struct arena *arena, struct err *err);
/* A run of the joined index as the other one shows it. */
const struct run_summary *index_as_watched(const struct index *watched, const struct run_summary *run,
                                           struct arena *arena);
/* Drops what came from the log of a run, or all of it. */
bool index_forget_log(struct index *index, int64_t run_id, struct err *err) MUST_USE;
bool index_forget_run(struct index *index, int64_t run_id, struct err *err) MUST_USE;
/* The index that has this run: the one itself unless only the joined one does. */
struct index *index_of_run(struct index *index, const char *id);
/* The row number of a run by its exact id; 0 when there is none, -1 and err. */
int64_t index_run_id(struct index *index, const char *id, struct err *err);

/* All metrics of a run without its parents' part; of a history of another tool without what later
 * records took the place of. */
bool index_own_series(struct index *index, int64_t run_id, struct arena *arena, const struct metric_series **series,
                      size_t *n, struct err *err) MUST_USE;
/* The last up to n_max values of a metric (by its number in the log), oldest first; *n of them. */
bool index_tail(struct index *index, int64_t run_id, int64_t metric, float *values, size_t n_max, size_t *n,
                struct err *err) MUST_USE;

#endif
