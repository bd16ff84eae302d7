/* growing_file.c - see growing_file.h */
#include "persistence/sources/growing_file.h"

#include "base/arena.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { BLOCK_BYTES = 256 << 10 };

bool growing_open(struct growing_file *file, const char *path, struct err *err)
{
    *file = (struct growing_file){.fd = io_open(path, O_RDONLY | O_NONBLOCK, 0, err)};
    if (file->fd < 0)
        return false;
    struct stat st;
    if (fstat(file->fd, &st) || !S_ISREG(st.st_mode)) {
        growing_close(file);
        return err_set(err, ERR_FORMAT, "'%s' is not an ordinary file", path);
    }
    file->path = xstrdup(path);
    return true;
}

void growing_close(struct growing_file *file)
{
    if (file->fd >= 0)
        io->close(file->fd);
    free(file->path);
    free(file->buffer);
    *file = (struct growing_file){.fd = -1};
}

static bool fill(struct growing_file *file, size_t size_bytes, struct err *err)
{
    int64_t used = file->offset - file->start;
    size_t kept = used < (int64_t)file->filled ? file->filled - (size_t)used : 0;
    if (kept && used)
        memmove(file->buffer, file->buffer + used, kept);
    file->start = file->offset;
    file->filled = kept;
    file->buffer = xgrow(file->buffer, &file->capacity, size_bytes > BLOCK_BYTES ? size_bytes : BLOCK_BYTES, 1);
    while (file->filled < size_bytes) {
        ssize_t n = io->pread(file->fd, file->buffer + file->filled, file->capacity - file->filled,
                              file->start + (int64_t)file->filled);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, ERR_FAILED, errno, "cannot read '%s'", file->path);
        if (!n)
            break;
        file->filled += (size_t)n;
    }
    return true;
}

int growing_want(struct growing_file *file, size_t size_bytes, const uint8_t **data, struct err *err)
{
    int64_t used = file->offset - file->start;
    bool there = used <= (int64_t)file->filled && size_bytes <= file->filled - (size_t)used;
    if (!there && (int64_t)size_bytes > growing_size(file) - file->offset) /* no buffer for what a file only claims */
        return 0;
    if (!there && !fill(file, size_bytes, err))
        return -1;
    if (size_bytes > file->filled - (size_t)(file->offset - file->start))
        return 0;
    *data = file->buffer + (file->offset - file->start);
    return 1;
}

void growing_skip(struct growing_file *file, int64_t size_bytes)
{
    file->offset += size_bytes;
}

void growing_rest(struct growing_file *file)
{
    free(file->buffer);
    file->buffer = NULL;
    file->filled = file->capacity = 0;
    file->start = file->offset;
}

int64_t growing_size(const struct growing_file *file)
{
    struct stat st;
    return fstat(file->fd, &st) ? -1 : st.st_size;
}

bool growing_is_same(const struct growing_file *file)
{
    struct stat there, here;
    return !stat(file->path, &there) && !fstat(file->fd, &here) && there.st_ino == here.st_ino &&
           there.st_dev == here.st_dev && here.st_size >= file->offset;
}
