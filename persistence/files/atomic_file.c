/* atomic_file.c - see atomic_file.h */
#include "persistence/files/atomic_file.h"

#include "base/arena.h"
#include "base/io.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK_BYTES = 1 << 18, BEHIND_BYTES = 1 << 22, NAME_BYTES = 180, OPEN_ATTEMPTS = 100 };

struct atomic_file {
    char *path, *temporary;
    int fd;
    bool reserved;
    int64_t written; /* bytes that reached the file */
    int64_t behind;  /* of these, bytes already on their way to the disk */
    size_t pending;  /* bytes in block, not yet written */
    char *block;
};

static atomic_uint temporary_count;

static void atomic_file_free(struct atomic_file *file)
{
    if (file->fd >= 0)
        io->close(file->fd);
    free(file->path);
    free(file->temporary);
    free(file->block);
    free(file);
}

void atomic_file_abort(struct atomic_file **file)
{
    if (!*file)
        return;
    if ((*file)->fd >= 0)
        io->unlink((*file)->temporary);
    atomic_file_free(*file);
    *file = NULL;
}

static char *temporary_name(const char *path)
{
    char *folder = path_folder(path);
    char *name =
        xprintf(".%.*s.%ld-%u.tmp", NAME_BYTES, path_name(path), (long)getpid(), atomic_fetch_add(&temporary_count, 1));
    char *temporary = path_join(folder, name);
    free(folder);
    free(name);
    return temporary;
}

struct atomic_file *atomic_file_open(const char *path, struct err *err)
{
    int problem = 0;
    struct atomic_file *file = xcalloc(1, sizeof *file);
    file->path = xstrdup(path);
    file->fd = -1;
    for (int attempt = 0; file->fd < 0 && attempt < OPEN_ATTEMPTS; attempt++) {
        free(file->temporary);
        file->temporary = temporary_name(path);
        file->fd = io_open(file->temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0666, NULL);
        problem = errno;
        if (file->fd < 0 && problem != EEXIST)
            break;
    }
    if (file->fd < 0) {
        atomic_file_free(file);
        /* by its own name: nobody knows the temporary one */
        err_errno(err, ERR_FAILED, problem, "cannot write '%s'", path);
        return NULL;
    }
    file->block = xmalloc(BLOCK_BYTES);
    return file;
}

bool atomic_file_reserve(struct atomic_file *file, int64_t size_bytes, struct err *err)
{
    int error = size_bytes > 0 ? io->fallocate(file->fd, 0, size_bytes) : 0;
    if (error && error != EOPNOTSUPP && error != EINVAL && error != EINTR)
        return err_errno(err, ERR_FAILED, error, "cannot reserve %lld bytes for '%s'", (long long)size_bytes,
                         file->path);
    file->reserved = size_bytes > 0;
    return true;
}

/* The disk starts while we go on: the fsync at the end has little left to wait for. */
static bool write_out(struct atomic_file *file, const char *data, size_t size_bytes, struct err *err)
{
    while (size_bytes) {
        size_t part = size_bytes < BEHIND_BYTES ? size_bytes : BEHIND_BYTES;
        if (!io_write_all(file->fd, data, part, file->temporary, err))
            return false;
        data += part;
        size_bytes -= part;
        file->written += (int64_t)part;
        if (file->written - file->behind < BEHIND_BYTES)
            continue;
        io->write_behind(file->fd, file->behind, file->written - file->behind);
        file->behind = file->written;
    }
    return true;
}

static bool flush(struct atomic_file *file, struct err *err)
{
    size_t pending = file->pending;
    file->pending = 0;
    return write_out(file, file->block, pending, err);
}

bool atomic_file_write(struct atomic_file *file, const void *data, size_t size_bytes, struct err *err)
{
    if (size_bytes > BLOCK_BYTES - file->pending && !flush(file, err))
        return false;
    if (size_bytes < BLOCK_BYTES) {
        if (size_bytes)
            memcpy(file->block + file->pending, data, size_bytes);
        file->pending += size_bytes;
        return true;
    }
    return write_out(file, data, size_bytes, err);
}

bool atomic_file_patch(struct atomic_file *file, const void *data, size_t size_bytes, int64_t offset, struct err *err)
{
    BUG_ON(offset < 0 || offset + (int64_t)size_bytes > atomic_file_size(file));
    if (!flush(file, err))
        return false;
    const char *p = data;
    while (size_bytes) {
        ssize_t done = io->pwrite(file->fd, p, size_bytes, offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return err_errno(err, ERR_FAILED, done < 0 ? errno : EIO, "cannot write '%s'", file->temporary);
        p += done;
        offset += done;
        size_bytes -= (size_t)done;
    }
    return true;
}

int64_t atomic_file_size(const struct atomic_file *file)
{
    return file->written + (int64_t)file->pending;
}

static bool put_in_place(struct atomic_file *file, bool durably, struct err *err)
{
    if (!flush(file, err))
        return false;
    if (file->reserved && io->ftruncate(file->fd, file->written))
        return err_errno(err, ERR_FAILED, errno, "cannot set the length of '%s'", file->temporary);
    if (durably && !io_fsync(file->fd, file->temporary, err))
        return false;
    int fd = file->fd;
    file->fd = -1;
    if (io->close(fd)) {
        err_errno(err, ERR_FAILED, errno, "cannot close '%s'", file->temporary);
        io->unlink(file->temporary);
        return false;
    }
    if (io->rename(file->temporary, file->path)) {
        if (path_is_folder(file->path))
            err_set(err, ERR_USAGE, "'%s' is a folder, expected the name of a file", file->path);
        else
            err_errno(err, ERR_FAILED, errno, "cannot replace '%s'", file->path);
        io->unlink(file->temporary);
        return false;
    }
    return true;
}

bool atomic_file_commit(struct atomic_file **file, struct err *err)
{
    bool ok = put_in_place(*file, true, err);
    if (ok) {
        char *folder = path_folder((*file)->path);
        if (!io_sync_folder(folder, err))
            ok =
                err_prefix(err, "'%s' was written, but whether it would survive a power cut is unknown", (*file)->path);
        free(folder);
    }
    atomic_file_abort(file);
    return ok;
}

static bool save(const char *path, const void *data, size_t size_bytes, bool durably, struct err *err)
{
    struct atomic_file *file = atomic_file_open(path, err);
    bool ok = file && atomic_file_write(file, data, size_bytes, err) &&
              (durably ? atomic_file_commit(&file, err) : put_in_place(file, false, err));
    atomic_file_abort(&file);
    return ok;
}

bool atomic_file_save(const char *path, const void *data, size_t size_bytes, struct err *err)
{
    return save(path, data, size_bytes, true, err);
}

bool atomic_file_save_for_now(const char *path, const void *data, size_t size_bytes, struct err *err)
{
    return save(path, data, size_bytes, false, err);
}

static const char *skip_digits(const char *p)
{
    while (isdigit((unsigned char)*p))
        p++;
    return p;
}

/* ".<...suffix>.<pid>-<n>.tmp" */
static bool is_temporary_of(const char *name, const char *suffix)
{
    size_t length = strlen(suffix);
    const char *at = name;
    while ((at = strstr(at, suffix))) {
        const char *dot = at++ + length, *dash = skip_digits(dot + (*dot == '.'));
        if (*name == '.' && *dot == '.' && dash > dot + 1 && *dash == '-' && skip_digits(dash + 1) > dash + 1 &&
            !strcmp(skip_digits(dash + 1), ".tmp"))
            return true;
    }
    return false;
}

void atomic_file_sweep(const char *folder, const char *suffix)
{
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (!is_temporary_of(entry->d_name, suffix))
            continue;
        char *path = path_join(folder, entry->d_name);
        io->unlink(path);
        free(path);
    }
    if (dir)
        closedir(dir);
}
