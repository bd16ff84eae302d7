/* index_refresh.c - finds out which runs of the home are new, changed or gone; index_refresh and index_rebuild of
 * index.h.
 *
 * With thousands of runs a full look takes a noticeable part of a second: then it is taken for a tenth of the time at
 * most, for a two-hundredth while no folder came or went, and in between only runs that may be alive are looked at.
 * Nothing but stat for a run that has not changed. Changed ones are ingested in BEGIN IMMEDIATE transactions that are
 * committed every tenth of a second, so that readers beside us are never kept waiting; what a transaction finds already
 * done by another process (the stamps in the row say so) it leaves alone.
 */
#include "persistence/index/index_internal.h"

#include "base/hash.h"
#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct known_run { /* a row of the table as it was at the start */
    char *folder;
    int64_t id, run_stamp, log_stamp;
    bool seen;
};

struct refresh {
    struct index *index;
    struct known_run *known; /* sorted by folder */
    size_t n_known, capacity;
    bool in_transaction, changed;
    double began;
};

static int compare_known(const void *a, const void *b)
{
    return strcmp(((const struct known_run *)a)->folder, ((const struct known_run *)b)->folder);
}

static const char known_all[] = "SELECT folder, id, run_stamp, log_stamp FROM run ORDER BY folder";
static const char known_live[] = "SELECT folder, id, run_stamp, log_stamp FROM run WHERE state<=2 ORDER BY folder";
_Static_assert(RUN_QUEUED < 3 && RUN_RUNNING < 3 && RUN_PAUSED < 3 && RUN_FINISHED > 2,
               "known_live means those that may be alive");

static bool load_known(struct refresh *refresh, const char *sql, struct err *err)
{
    sqlite3_stmt *statement = index_query(refresh->index, err, sql, "");
    int found = -1;
    while (statement && (found = index_step(refresh->index, statement, err)) == 1) {
        const char *folder = (const char *)sqlite3_column_text(statement, 0);
        refresh->known = xgrow(refresh->known, &refresh->capacity, refresh->n_known + 1, sizeof *refresh->known);
        refresh->known[refresh->n_known++] = (struct known_run){.folder = xstrdup(folder ? folder : ""),
                                                                .id = sqlite3_column_int64(statement, 1),
                                                                .run_stamp = sqlite3_column_int64(statement, 2),
                                                                .log_stamp = sqlite3_column_int64(statement, 3)};
    }
    if (found == 0 && refresh->n_known)
        qsort(refresh->known, refresh->n_known, sizeof *refresh->known, compare_known);
    return found == 0;
}

/* 0 = there is no such file. */
static int64_t file_stamp(int home_fd, const char *folder, const char *name)
{
    char path[600];
    struct stat st;
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path || fstatat(home_fd, path, &st, 0) ||
        !S_ISREG(st.st_mode))
        return 0;
    int64_t facts[] = {st.st_mtim.tv_sec, st.st_mtim.tv_nsec, st.st_size, (int64_t)st.st_ino};
    int64_t stamp = (int64_t)hash_mix(1, facts, sizeof facts);
    return stamp ? stamp : 1;
}

static bool in_transaction(struct refresh *refresh, struct err *err)
{
    enum { COMMIT_EVERY_MS = 100 };
    double now = io_monotonic_seconds();
    if (refresh->in_transaction && (now - refresh->began) * 1000 > COMMIT_EVERY_MS) {
        if (!index_commit(refresh->index, err))
            return false;
        refresh->in_transaction = false;
    }
    if (!refresh->in_transaction) {
        if (!index_begin(refresh->index, err))
            return false;
        refresh->in_transaction = true;
        index_wait_for_others(refresh->index, true); /* what was begun is brought to its end */
        refresh->began = now;
    }
    return true;
}

/* config.json changes with the plan of a run (more epochs), always together with its log or run.json: looked at only
 * then. */
static bool ingest(struct refresh *refresh, int home_fd, const char *folder, int64_t run_stamp, int64_t log_stamp,
                   struct err *err)
{
    struct index *index = refresh->index;
    if (!in_transaction(refresh, err))
        return false;
    refresh->changed = true;
    sqlite3_stmt *statement =
        index_query(index, err, "SELECT id, run_stamp, log_stamp, config_stamp FROM run WHERE folder=?", "s", folder);
    int found = statement ? index_step(index, statement, err) : -1;
    if (found == -1)
        return false;
    int64_t old[4] = {0}; /* id and stamps as the row has them now; a missing row is like one of nothing */
    for (int c = 0; found == 1 && c < 4; c++)
        old[c] = sqlite3_column_int64(statement, c);
    if (found == 1)
        sqlite3_reset(statement);
    bool fresh = !old[0];
    if ((fresh || old[1] != run_stamp) && !index_ingest_run(index, folder, run_stamp, &old[0], err))
        return false;
    int64_t config_stamp = file_stamp(home_fd, folder, "config.json");
    if ((fresh || old[3] != config_stamp) && !index_ingest_config(index, folder, old[0], config_stamp, err))
        return false;
    return old[2] == log_stamp || index_ingest_log(index, folder, old[0], log_stamp, err);
}

/* A folder without run.json is a run only when it looks like what is left of one. */
static bool is_remains(int home_fd, const char *folder)
{
    return file_stamp(home_fd, folder, "history.log") && file_stamp(home_fd, folder, "config.json");
}

static bool look_at(struct refresh *refresh, int home_fd, const char *folder, struct err *err)
{
    struct known_run key = {.folder = (char *)folder}, *known = NULL;
    if (refresh->n_known)
        known = bsearch(&key, refresh->known, refresh->n_known, sizeof key, compare_known);
    int64_t run_stamp = file_stamp(home_fd, folder, "run.json");
    if (!run_stamp && !is_remains(home_fd, folder))
        return true;
    if (known)
        known->seen = true;
    int64_t log_stamp = file_stamp(home_fd, folder, "history.log");
    if (known && known->run_stamp == run_stamp && known->log_stamp == log_stamp)
        return true;
    return ingest(refresh, home_fd, folder, run_stamp, log_stamp, err);
}

static bool look_at_all(struct refresh *refresh, struct err *err)
{
    DIR *dir = opendir(refresh->index->home);
    if (!dir)
        return errno == ENOENT || err_errno(err, ERR_FAILED, errno, "cannot read the home '%s'", refresh->index->home);
    bool ok = true;
    struct dirent *entry;
    while (ok && (entry = readdir(dir))) {
        bool folder = entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN || entry->d_type == DT_LNK;
        if (folder && entry->d_name[0] != '.' && strcmp(entry->d_name, "trash") != 0)
            ok = look_at(refresh, dirfd(dir), entry->d_name, err);
    }
    closedir(dir);
    return ok;
}

static bool look_at_live(struct refresh *refresh, struct err *err)
{
    int fd = open(refresh->index->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 || err_errno(err, ERR_FAILED, errno, "cannot read the home '%s'", refresh->index->home);
    for (size_t i = 0; ok && i < refresh->n_known; i++)
        ok = look_at(refresh, fd, refresh->known[i].folder, err);
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool forget_gone(struct refresh *refresh, struct err *err)
{
    for (size_t i = 0; i < refresh->n_known; i++) {
        if (refresh->known[i].seen)
            continue;
        if (!in_transaction(refresh, err) || !index_forget_run(refresh->index, refresh->known[i].id, err))
            return false;
        refresh->changed = true;
    }
    return true;
}

static bool data_changed_outside(struct index *index, bool *changed, struct err *err)
{
    sqlite3_stmt *statement = index_query(index, err, "PRAGMA data_version", "");
    if (!statement || index_step(index, statement, err) != 1)
        return false;
    int64_t version = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    *changed = version != index->data_version;
    index->data_version = version;
    return true;
}

/* When something last came into the home or went; 0: there is none. */
static int64_t home_stamp(const struct index *index)
{
    struct stat st;
    return stat(index->home, &st) ? 0 : (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

static bool full_look_is_due(const struct index *index, int64_t stamp)
{
    enum { MANY_RUNS = 1000, SHARE = 10, CALM_SHARE = 200 };
    int share = stamp == index->home_stamp ? CALM_SHARE : SHARE;
    return index->n_scanned < MANY_RUNS || io_monotonic_seconds() > index->scanned_at + share * index->scan_s;
}

static bool look(struct refresh *refresh, struct err *err)
{
    struct index *index = refresh->index;
    int64_t stamp = home_stamp(index);
    if (!full_look_is_due(index, stamp))
        return load_known(refresh, known_live, err) && look_at_live(refresh, err);
    double began = io_monotonic_seconds();
    if (!load_known(refresh, known_all, err) || !look_at_all(refresh, err) || !forget_gone(refresh, err))
        return false;
    index->scanned_at = io_monotonic_seconds();
    index->scan_s = fmin(index->scanned_at - began, 0.1); /* what was ingested is no measure of the next look */
    index->n_scanned = refresh->n_known;
    index->home_stamp = stamp;
    return true;
}

bool index_ingest_all(struct index *index, void *context, struct err *err)
{
    struct refresh refresh = {.index = index};
    index_wait_for_others(index, !index->hurried);
    bool ok = data_changed_outside(index, &refresh.changed, err) && look(&refresh, err) &&
              (!refresh.in_transaction || index_commit(index, err));
    if (!ok)
        index_rollback(index);
    index_wait_for_others(index, true);
    if (!ok && index->hurried && !refresh.in_transaction && (index->failure & 0xFF) == SQLITE_BUSY) {
        index->failure = 0; /* another one is at it */
        ok = true;
    }
    for (size_t i = 0; i < refresh.n_known; i++)
        free(refresh.known[i].folder);
    free(refresh.known);
    if (ok && context)
        *(bool *)context = refresh.changed;
    return ok;
}

void index_set_hurried(struct index *index, bool hurried)
{
    index->hurried = hurried;
}

bool index_refresh(struct index *index, bool *changed, struct err *err)
{
    bool own = false, theirs = false;
    if (!index_guarded(index, index_ingest_all, &own, err) ||
        (index->watched && !index_refresh(index->watched, changed ? &theirs : NULL, err)))
        return false;
    index->unseen = index->unseen || own;
    if (changed) {
        *changed = index->unseen || theirs;
        index->unseen = false;
    }
    return true;
}

/* Damage that has not shown itself yet: then the file is replaced, not emptied. */
static bool check_whole(struct index *index, struct err *err)
{
    sqlite3_stmt *statement = index_query(index, err, "PRAGMA quick_check(1)", "");
    if (!statement || index_step(index, statement, err) != 1)
        return false;
    const char *verdict = (const char *)sqlite3_column_text(statement, 0);
    bool whole = verdict && !strcmp(verdict, "ok");
    sqlite3_reset(statement);
    if (whole)
        return true;
    index->failure = SQLITE_CORRUPT;
    return err_set(err, ERR_FAILED, "the index '%s' is damaged", index->path);
}

static bool rebuild(struct index *index, void *context, struct err *err)
{
    if (!check_whole(index, err))
        return false;
    static const char *const deletions[] = {"DELETE FROM run",          "DELETE FROM param", "DELETE FROM metric",
                                            "DELETE FROM record_group", "DELETE FROM chunk", "DELETE FROM event",
                                            "DELETE FROM checkpoint"};
    bool ok = index_begin(index, err);
    for (size_t i = 0; ok && i < sizeof deletions / sizeof deletions[0]; i++)
        ok = index_exec(index, err, deletions[i], "");
    ok = ok && index_commit(index, err);
    if (!ok)
        index_rollback(index);
    index->n_scanned = 0;
    return ok && index_ingest_all(index, context, err);
}

bool index_rebuild(struct index *index, struct err *err)
{
    if (!index_guarded(index, rebuild, NULL, err))
        return false;
    return !index->in_memory ||
           err_set(err, ERR_FAILED,
                   "the index '%s' cannot be written: %s; the runs can be read all the same, only slower", index->path,
                   index->reason);
}
