/* watch.c - see watch.h: the private home, what lies in the watched folders, and whose turn it is. */
#include "persistence/sources/watch_internal.h"

#include "base/arena.h"
#include "base/io.h"
#include "persistence/runs/run_making.h"
#include "persistence/sources/source_scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const double SCAN_EVERY_S = 3,
                    SCAN_SHARE = 20; /* a look through the folders takes a twentieth of the time at most */
static const char prefix[] = "antler-watch-";

/* ---- the private home ---- */

static char *temporary_folder(void)
{
    const char *given = getenv("TMPDIR");
    return xstrdup(given && *given == '/' ? given : "/tmp");
}

/* Homes of processes that were killed: ours, and their lock is free. */
static void remove_left_behind(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        if (!str_starts(entry->d_name, prefix))
            continue;
        char *path = path_join(folder, entry->d_name), *lock = path_join(path, ".lock");
        struct stat st;
        int fd = !lstat(path, &st) && S_ISDIR(st.st_mode) && st.st_uid == geteuid()
                     ? open(lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
                     : -1;
        if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB))
            run_remove_tree(path);
        if (fd >= 0)
            close(fd);
        free(lock);
        free(path);
    }
    if (dir)
        closedir(dir);
}

static bool make_home(struct watch *watch, struct err *err)
{
    char *folder = temporary_folder(), *path = xprintf("%s/%sXXXXXX", folder, prefix);
    remove_left_behind(folder);
    bool ok = mkdtemp(path) || err_errno(err, ERR_FAILED, errno, "cannot make a folder in '%s'", folder);
    free(folder);
    if (!ok) {
        free(path);
        return false;
    }
    char *lock = path_join(path, ".lock");
    watch->home = path;
    watch->lock = io_open(lock, O_RDWR | O_CREAT | O_NOFOLLOW, 0600, err);
    free(lock);
    if (watch->lock < 0 || flock(watch->lock, LOCK_EX | LOCK_NB))
        return watch->lock < 0 ? false : err_errno(err, ERR_FAILED, errno, "cannot lock '%s'", path);
    watch->index = index_open_fleeting(path, err);
    return watch->index != NULL;
}

/* ---- the set ---- */

static void take_found(struct watch *watch)
{
    for (size_t i = watch->n_runs; i < watch->list->n; i++) {
        watch->runs = xgrow(watch->runs, &watch->capacity, watch->n_runs + 1, sizeof *watch->runs);
        const struct source_found *found = &watch->list->found[i];
        watch->runs[watch->n_runs++] = (struct watched){
            .path = found->path, .name = found->name, .source = found->source, .lock = -1, .copy.lines = -1};
    }
}

/* What appeared since; a path that has gone keeps what was found in it. */
static void scan_again(struct watch *watch)
{
    double began = io_monotonic_seconds();
    if (began < watch->scan_due || watch->aside)
        return;
    for (size_t i = 0; i < watch->n_paths; i++)
        if (path_is_folder(watch->paths[i]) && !source_scan(watch->paths[i], watch->list, NULL))
            continue;
    take_found(watch);
    double took = io_monotonic_seconds() - began;
    watch->scan_due = began + (took * SCAN_SHARE > SCAN_EVERY_S ? took * SCAN_SHARE : SCAN_EVERY_S);
}

struct watch *watch_open(const char *const *paths, size_t n_paths, const char *home, struct err *err)
{
    struct watch *watch = xcalloc(1, sizeof *watch);
    *watch = (struct watch){
        .lock = -1, .paths = xcalloc(n_paths + 1, sizeof *watch->paths), .list = xcalloc(1, sizeof *watch->list)};
    bool ok = true;
    if (home)
        source_list_pass_by(watch->list, home);
    for (size_t i = 0; ok && i < n_paths; i++) {
        ok = source_list_is_home(watch->list, paths[i])
                 ? err_set(err, ERR_USAGE, "'%s' is the home itself, whose runs are there already: antler shows them",
                           paths[i])
                 : source_scan(paths[i], watch->list, err);
        watch->paths[watch->n_paths++] = xstrdup(paths[i]);
    }
    if (ok && make_home(watch, err)) {
        take_found(watch);
        watch->scan_due = io_monotonic_seconds() + SCAN_EVERY_S;
        return watch;
    }
    watch_close(watch);
    return NULL;
}

void watch_close(struct watch *watch)
{
    if (!watch)
        return;
    source_aside_end(&watch->aside);
    for (size_t i = 0; i < watch->n_runs; i++)
        watched_release(&watch->runs[i]);
    index_close(watch->index);
    if (watch->home)
        run_remove_tree(watch->home);
    if (watch->lock >= 0)
        io->close(watch->lock);
    for (size_t i = 0; i < watch->n_paths; i++)
        free(watch->paths[i]);
    source_list_release(watch->list);
    free(watch->list);
    free(watch->paths);
    free(watch->runs);
    free(watch->home);
    free(watch);
}

/* Every source has its turn, also when one has more than the budget allows. */
int watch_poll(struct watch *watch, double budget_s, struct err *err)
{
    double deadline = io_monotonic_seconds() + budget_s;
    bool more = false;
    scan_again(watch);
    for (size_t k = 0; k < watch->n_runs; k++) {
        struct watched *w = &watch->runs[watch->at];
        watch->at = (watch->at + 1) % watch->n_runs;
        double now = io_monotonic_seconds();
        if (now >= deadline)
            return 1;
        if (now < w->due)
            continue;
        int found = watched_read(watch, w, deadline, err);
        if (found == -1)
            return -1;
        more = more || found == 1;
        if (found == 0 && !watched_look_for_models(watch, w, err))
            return -1;
    }
    return more;
}

struct index *watch_index(const struct watch *watch)
{
    return watch->index;
}

const char *watch_home(const struct watch *watch)
{
    return watch->home;
}

size_t watch_count(const struct watch *watch)
{
    return watch->n_runs;
}

const char *watch_run(const struct watch *watch, size_t k, const char **path, bool *alive)
{
    const struct watched *w = &watch->runs[k];
    *path = w->path;
    *alive = w->state == RUN_RUNNING;
    return w->id;
}
