/* run_trash.c - run_delete and run_restore of run_folder.h: a run is moved, never removed. */
#include "base/arena.h"
#include "base/io.h"
#include "persistence/runs/run_folder.h"
#include "persistence/runs/run_lock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_component(const char *id)
{
    return *id && *id != '.' && !strchr(id, '/');
}

static bool move_run(const char *from_folder, const char *to_folder, const char *id, struct err *err)
{
    char *from = path_join(from_folder, id), *to = path_join(to_folder, id);
    bool ok = false;
    if (!path_is_folder(from))
        err_set(err, ERR_NOT_FOUND, "there is no run '%s' in '%s'", id, from_folder);
    else if (path_exists(to))
        err_set(err, ERR_FAILED, "there is a run '%s' in '%s' already", id, to_folder);
    else if (io->rename(from, to))
        err_errno(err, ERR_FAILED, errno, "cannot move the run '%s' to '%s'", id, to_folder);
    else
        ok = io_sync_folder(from_folder, err) && io_sync_folder(to_folder, err);
    free(from);
    free(to);
    return ok;
}

bool run_delete(const char *home, const char *id, struct err *err)
{
    if (!is_component(id))
        return err_set(err, ERR_NOT_FOUND, "'%s' is no run id", id);
    char *folder = path_join(home, id), *trash = path_join(home, "trash");
    bool ok = false;
    int fd = -1;
    if (!path_is_folder(folder)) {
        err_set(err, ERR_NOT_FOUND, "there is no run '%s' in '%s'", id, home);
        goto done;
    }
    fd = run_lock_take(folder, RUN_LOCK_WRITER, err); /* held while it is moved, so that no worker starts in between */
    if (fd < 0) {
        err_prefix(err, "cannot delete run '%s'", id);
        goto done;
    }
    ok = io_make_folders(trash, err) && move_run(home, trash, id, err);
done:
    if (fd >= 0)
        io->close(fd);
    free(trash);
    free(folder);
    return ok;
}

bool run_restore(const char *home, const char *id, struct err *err)
{
    if (!is_component(id))
        return err_set(err, ERR_NOT_FOUND, "'%s' is no run id", id);
    char *trash = path_join(home, "trash");
    bool ok = move_run(trash, home, id, err);
    free(trash);
    return ok;
}
