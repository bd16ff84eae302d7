/* index_db.c - the database under the index: opening, checking, statements, and what to do when it fails. See
 * index_internal.h.
 *
 * A rollback journal, no WAL and no memory map: a home may lie on a shared file system, be full or be read-only, and a
 * reader must never die of it. The file is never trusted: it is a cache that may come from a stranger's archive.
 */
#include "persistence/index/index_internal.h"
#include "persistence/index/index_schema.h"

#include "base/io.h"
#include "base/log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUSY_WAIT_MS = 5000 }; /* a stopped process may hold the lock: then on in memory */

static bool database_error(struct index *index, int code, struct err *err)
{
    index->failure = code;
    enum err_code kind = (code & 0xFF) == SQLITE_FULL || (code & 0xFF) == SQLITE_NOMEM ? ERR_NOMEM : ERR_FAILED;
    return err_set(err, kind, "the index '%s': %s", index->path,
                   index->db ? sqlite3_errmsg(index->db) : sqlite3_errstr(code));
}

static void bind_values(sqlite3_stmt *statement, const char *types, va_list values)
{
    for (int i = 0; types[i]; i++) {
        const void *blob;
        switch (types[i]) {
        case 'i':
            sqlite3_bind_int64(statement, i + 1, va_arg(values, int64_t));
            break;
        case 'd':
            sqlite3_bind_double(statement, i + 1, va_arg(values, double));
            break;
        case 's':
            sqlite3_bind_text(statement, i + 1, va_arg(values, const char *), -1, SQLITE_STATIC);
            break;
        case 'b':
            blob = va_arg(values, const void *);
            sqlite3_bind_blob64(statement, i + 1, blob, va_arg(values, size_t), SQLITE_STATIC);
            break;
        default:
            BUG_ON(true);
        }
    }
}

static sqlite3_stmt *prepared(struct index *index, const char *sql, struct err *err)
{
    for (size_t i = 0; i < index->n_statements; i++)
        if (index->statements[i].sql == sql) {
            sqlite3_reset(index->statements[i].statement);
            return index->statements[i].statement;
        }
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v3(index->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);
    if (code != SQLITE_OK) {
        database_error(index, code, err);
        return NULL;
    }
    index->statements =
        xgrow(index->statements, &index->statements_capacity, index->n_statements + 1, sizeof *index->statements);
    index->statements[index->n_statements].sql = sql;
    index->statements[index->n_statements++].statement = statement;
    return statement;
}

sqlite3_stmt *index_query(struct index *index, struct err *err, const char *sql, const char *types, ...)
{
    sqlite3_stmt *statement = prepared(index, sql, err);
    va_list values;
    va_start(values, types);
    if (statement)
        bind_values(statement, types, values);
    va_end(values);
    return statement;
}

int index_step(struct index *index, sqlite3_stmt *statement, struct err *err)
{
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return 1;
    if (code != SQLITE_DONE)
        database_error(index, code, err);
    sqlite3_reset(statement);
    return code == SQLITE_DONE ? 0 : -1;
}

bool index_exec(struct index *index, struct err *err, const char *sql, const char *types, ...)
{
    sqlite3_stmt *statement = prepared(index, sql, err);
    if (!statement)
        return false;
    va_list values;
    va_start(values, types);
    bind_values(statement, types, values);
    va_end(values);
    int found;
    do
        found = index_step(index, statement, err);
    while (found == 1);
    return found == 0;
}

bool index_begin(struct index *index, struct err *err)
{
    return index_exec(index, err, "BEGIN IMMEDIATE", "");
}

bool index_commit(struct index *index, struct err *err)
{
    return index_exec(index, err, "COMMIT", "");
}

void index_rollback(struct index *index)
{
    if (!sqlite3_get_autocommit(index->db))
        sqlite3_exec(index->db, "ROLLBACK", NULL, NULL, NULL);
}

const char *index_text(sqlite3_stmt *statement, int column, struct arena *arena)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return text ? arena_strdup(arena, text) : NULL;
}

double index_real(sqlite3_stmt *statement, int column)
{
    return sqlite3_column_type(statement, column) == SQLITE_NULL ? (double)__builtin_nanf("")
                                                                 : sqlite3_column_double(statement, column);
}

static void close_database(struct index *index)
{
    for (size_t i = 0; i < index->n_statements; i++)
        sqlite3_finalize(index->statements[i].statement);
    index->n_statements = 0;
    sqlite3_close(index->db);
    index->db = NULL;
}

static int64_t pragma_number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;
    int64_t value = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        return -1;
    if (sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

/* SQLite's own handler sleeps up to a twentieth of a second at a time, longer than others hold the lock. */
static int wait_a_moment(void *context, int calls)
{
    (void)context;
    return calls < BUSY_WAIT_MS && (usleep(1000), 1);
}

void index_wait_for_others(struct index *index, bool wait)
{
    sqlite3_busy_handler(index->db, wait ? wait_a_moment : NULL, NULL);
}

static int harden(sqlite3 *db)
{
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_busy_handler(db, wait_a_moment, NULL);
    return sqlite3_exec(db, "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY;", NULL, NULL,
                        NULL);
}

enum verdict { DB_OURS, DB_EMPTY, DB_OLD, DB_LEAVE_ALONE, DB_BROKEN };

static enum verdict judge(sqlite3 *db)
{
    int64_t version = pragma_number(db, "PRAGMA user_version"),
            application = pragma_number(db, "PRAGMA application_id");
    int64_t tables = pragma_number(db, "SELECT count(*) FROM sqlite_schema");
    if (version < 0 || tables < 0)
        return DB_BROKEN;
    if (application != INDEX_APPLICATION_ID)
        return tables || version || application ? DB_LEAVE_ALONE : DB_EMPTY;
    return version == INDEX_VERSION ? DB_OURS : version < INDEX_VERSION ? DB_OLD : DB_LEAVE_ALONE;
}

/* In one transaction, so that another process sees all of the tables or none. */
static int make_tables(sqlite3 *db)
{
    char finish[128];
    sqlite3_snprintf(sizeof finish, finish, "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT;",
                     INDEX_APPLICATION_ID, INDEX_VERSION);
    int code = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (code == SQLITE_OK && judge(db) == DB_OURS) /* made by another process while we waited */
        return sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, index_drop, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, index_schema, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, finish, NULL, NULL, NULL);
    if (code != SQLITE_OK && !sqlite3_get_autocommit(db))
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return code;
}

/* SQLite would wait for the other end of a pipe. */
static bool is_pipe_or_device(const char *path)
{
    struct stat st;
    return !lstat(path, &st) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode);
}

/* Starts an index in memory with whatever can be read of the file: then only what is new must be ingested. */
static bool open_memory(struct index *index, bool copy, const char *reason, struct err *err)
{
    close_database(index);
    index->in_memory = true;
    snprintf(index->reason, sizeof index->reason, "%s", reason);
    int code = sqlite3_open_v2(":memory:", &index->db,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXRESCODE, NULL);
    if (code != SQLITE_OK || (code = harden(index->db)) != SQLITE_OK)
        return database_error(index, code, err);
    if (!copy) /* a chunk of a history takes several of these, and 25 of the usual ones */
        sqlite3_exec(index->db, "PRAGMA page_size=16384", NULL, NULL, NULL);
    sqlite3 *file = NULL;
    if (copy && !is_pipe_or_device(index->path) &&
        sqlite3_open_v2(index->path, &file, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOFOLLOW, NULL) == SQLITE_OK &&
        harden(file) == SQLITE_OK && judge(file) == DB_OURS) {
        sqlite3_backup *backup = sqlite3_backup_init(index->db, "main", file, "main");
        if (backup)
            sqlite3_backup_step(backup, -1);
        sqlite3_backup_finish(backup);
    }
    sqlite3_close(file);
    if (judge(index->db) == DB_OURS)
        return true;
    code = make_tables(index->db);
    return code == SQLITE_OK || database_error(index, code, err);
}

/* 0 = open and ours; else SQLite's code. */
static int open_file(struct index *index, enum verdict *verdict)
{
    *verdict = DB_OURS;
    if (is_pipe_or_device(index->path))
        return SQLITE_CANTOPEN;
    int code = sqlite3_open_v2(
        index->path, &index->db,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE, NULL);
    struct stat st;
    index->inode = stat(index->path, &st) ? 0 : (uint64_t)st.st_ino;
    if (code != SQLITE_OK || (code = harden(index->db)) != SQLITE_OK)
        return code;
    *verdict = judge(index->db);
    if (*verdict == DB_BROKEN)
        return sqlite3_errcode(index->db);
    if (sqlite3_db_readonly(index->db, "main") == 1)
        return SQLITE_READONLY;
    if (*verdict == DB_LEAVE_ALONE)
        return SQLITE_SCHEMA;
    code = sqlite3_exec(index->db, "PRAGMA journal_mode=DELETE; PRAGMA synchronous=NORMAL;", NULL, NULL, NULL);
    if (code == SQLITE_OK && *verdict != DB_OURS)
        code = make_tables(index->db);
    return code;
}

static bool is_damage(int code)
{
    int primary = code & 0xFF;
    return primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB || primary == SQLITE_ERROR;
}

/* Puts a damaged file aside unless another process has done so: at most one does, under a lock on the home. */
static void set_aside(struct index *index)
{
    struct stat st;
    int fd = open(index->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (!flock(fd, LOCK_EX) && !lstat(index->path, &st) && S_ISREG(st.st_mode) &&
        (!index->inode || (uint64_t)st.st_ino == index->inode)) {
        char *aside = xprintf("%s.damaged", index->path), *journal = xprintf("%s-journal", index->path);
        if (!io->rename(index->path, aside)) {
            io->unlink(journal);
            log_info("the damaged index was moved to '%s' and is made anew", aside);
        }
        free(journal);
        free(aside);
    }
    close(fd);
}

static bool open_any(struct index *index, struct err *err)
{
    enum verdict verdict;
    for (int tries = 0; tries < 2; tries++) {
        int code = open_file(index, &verdict);
        if (code == SQLITE_OK)
            return true;
        log_info("the index '%s' cannot be used as a file: %s", index->path, sqlite3_errstr(code));
        close_database(index);
        if (!is_damage(code) || tries)
            return verdict == DB_LEAVE_ALONE
                       ? open_memory(index, false, "it belongs to a newer antler or another program", err)
                       : open_memory(index, true, sqlite3_errstr(code), err);
        set_aside(index);
    }
    return false;
}

char *index_run_folder(const struct index *index, const struct run_summary *run)
{
    return run->watched ? xstrdup(run->folder) : path_join(index->home, run->folder);
}

const char *index_home(const struct index *index)
{
    return index->home;
}

/* Nothing is opened yet. */
static struct index *make_index(const char *home, char *absolute)
{
    struct index *index = xcalloc(1, sizeof *index);
    index->home = absolute ? absolute : xstrdup(home);
    index->path = path_join(index->home, "antler.db");
    index->data_version = -1;
    return index;
}

struct index *index_open_fleeting(const char *home, struct err *err)
{
    struct index *index = make_index(home, realpath(home, NULL));
    if (open_memory(index, false, "its home goes with the process", err))
        return index;
    index_close(index);
    return NULL;
}

struct index *index_open(const char *home, struct err *err)
{
    char *absolute = realpath(home, NULL);
    struct index *index = make_index(home, absolute);
    if (absolute && !path_is_folder(absolute)) {
        err_set(err, ERR_USAGE, "the home '%s' is a file, expected a folder of runs", home);
        index_close(index);
        return NULL;
    }
    bool ok = absolute ? open_any(index, err) : open_memory(index, false, "the home does not exist", err);
    if (!ok) {
        index_close(index);
        return NULL;
    }
    return index;
}

void index_close(struct index *index)
{
    if (!index)
        return;
    close_database(index);
    free(index->statements);
    free(index->home);
    free(index->path);
    free(index);
}

void index_join(struct index *index, struct index *watched)
{
    index->watched = watched;
}

static bool recover(struct index *index, struct err *err)
{
    int code = index->failure;
    index->failure = 0;
    index_rollback(index);
    if (!code || index->in_memory)
        return false;
    index->data_version = -1;
    index->n_scanned = 0;
    if (!is_damage(code))
        return open_memory(index, true, sqlite3_errstr(code), err);
    close_database(index);
    set_aside(index);
    index->inode = 0;
    return open_any(index, err);
}

bool index_guarded(struct index *index, index_operation *operation, void *context, struct err *err)
{
    struct err first = {0};
    for (int tries = 0; tries < 3; tries++) {
        index->failure = 0;
        first = (struct err){0};
        if (operation(index, context, &first))
            return true;
        if (!recover(index, &first) || (operation != index_ingest_all && !index_ingest_all(index, NULL, &first)))
            break;
    }
    return err_set(err, first.code, "%s", first.text);
}
