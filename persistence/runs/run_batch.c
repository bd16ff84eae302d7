/* run_batch.c - many runs made at once. See run_making.h */
#include "base/arena.h"
#include "base/io.h"
#include "persistence/runs/run_making_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct run_batch {
    char *home, *folder;
    size_t n;
    bool durable, new_home; /* new_home: there was none; it goes again when no run was made */
};

struct run_batch *run_batch_open(const char *home, bool durable, struct err *err)
{
    bool new_home = !path_exists(home);
    char *folder = making_folder(home, err);
    if (!folder)
        return NULL;
    struct run_batch *batch = xcalloc(1, sizeof *batch);
    *batch = (struct run_batch){.home = xstrdup(home), .folder = folder, .durable = durable, .new_home = new_home};
    return batch;
}

struct run_making *run_batch_begin(struct run_batch *batch, const struct run_identity *identity, const json_t *config,
                                   struct err *err)
{
    char *folder = xprintf("%s/%zu", batch->folder, ++batch->n);
    if (!io->mkdir(folder, 0777))
        return making_begin_in(folder, true, batch->home, identity, config, err);
    err_errno(err, ERR_FAILED, errno, "cannot make the folder '%s'", folder);
    free(folder);
    return NULL;
}

static int compare_stems(const void *a, const void *b)
{
    const struct run_making *const *x = a, *const *y = b;
    return strcmp((*x)->stem, (*y)->stem);
}

/* Ids that are free and differ, without asking the disk for every number of a name that many have. */
static bool choose_ids(struct run_making *const *makings, size_t n, struct err *err)
{
    struct run_making **sorted = xcalloc(n + 1, sizeof(struct run_making *));
    memcpy(sorted, makings, n * sizeof(struct run_making *));
    qsort(sorted, n, sizeof(struct run_making *), compare_stems);
    bool ok = true;
    for (size_t i = 0, k = 0; ok && i < n; i++) {
        k = i && !strcmp(sorted[i]->stem, sorted[i - 1]->stem) ? k : 0;
        while (!(sorted[i]->id = making_free_id(sorted[i], (int)++k)) && k < MAKING_IDS_TRIED) {
        }
        ok = sorted[i]->id ? making_write_identity(sorted[i], sorted[i]->id, err) : making_no_id(sorted[i], err);
    }
    free(sorted);
    return ok;
}

/* Of a few runs each file; of many the whole file system is quicker. */
static bool sync_all(const struct run_batch *batch, struct run_making *const *makings, size_t n, struct err *err)
{
    enum { FEW = 20 };
    static const char *const files[] = {"run.json", "config.json", "history.log", "log.txt"};
    bool ok = true;
    for (size_t i = 0; ok && n <= FEW && i < n; i++) {
        for (size_t f = 0; ok && f < sizeof files / sizeof *files; f++) {
            char *path = path_join(makings[i]->folder, files[f]);
            int fd = path_exists(path) ? io_open(path, O_RDONLY, 0, err) : -1;
            ok = !path_exists(path) || (fd >= 0 && io_fsync(fd, path, err));
            if (fd >= 0)
                io->close(fd);
            free(path);
        }
        ok = ok && io_sync_folder(makings[i]->folder, err);
    }
    if (n <= FEW)
        return ok;
    int fd = io_open(batch->folder, O_RDONLY | O_DIRECTORY, 0, err);
    ok = fd >= 0 &&
         (!syncfs(fd) || err_errno(err, ERR_FAILED, errno, "cannot make '%s' durable (syncfs)", batch->folder));
    if (fd >= 0)
        io->close(fd);
    return ok;
}

bool run_batch_settle(struct run_batch *batch, struct run_making *const *makings, size_t n, struct err *err)
{
    return choose_ids(makings, n, err) && (!batch->durable || sync_all(batch, makings, n, err));
}

bool run_batch_close(struct run_batch *batch, struct err *err)
{
    if (!batch)
        return true;
    run_remove_tree(batch->folder);
    bool gone = batch->new_home && !rmdir(batch->home);
    bool ok = gone || !batch->durable || io_sync_folder(batch->home, err);
    free(batch->folder);
    free(batch->home);
    free(batch);
    return ok;
}
