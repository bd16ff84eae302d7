/* growing_file.c - see growing_file.h */
#include "persistence/sources/growing_file.h"

#include "base/arena.h"
#include "base/io.h"

#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    BLOCK_BYTES = 256 << 10,
    AHEAD_BYTES = 512 << 10,
    AHEAD_LEAST = 4 << 20, /* of a file that has less to come nothing is read ahead */
    LEFT_BYTES = 64 << 10  /* room before what was read ahead, for what is left of the block before it */
};

struct growing_ahead {
    struct aiocb request; /* reads to memory + LEFT_BYTES */
    uint8_t *memory;
    size_t capacity;
    bool under_way;
};

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

/* Bytes that were read ahead; 0: none, or they could not be read. */
static size_t ahead_wait(struct growing_ahead *ahead)
{
    const struct aiocb *list[] = {ahead->under_way ? &ahead->request : NULL};
    while (ahead->under_way && aio_error(&ahead->request) == EINPROGRESS)
        aio_suspend(list, 1, NULL);
    ssize_t n = ahead->under_way ? aio_return(&ahead->request) : 0;
    ahead->under_way = false;
    return n > 0 ? (size_t)n : 0;
}

static void ahead_free(struct growing_file *file)
{
    if (!file->ahead)
        return;
    ahead_wait(file->ahead);
    free(file->ahead->memory);
    free(file->ahead);
    file->ahead = NULL;
}

/* What comes behind the buffer, while the caller works. */
static void ahead_begin(struct growing_file *file)
{
    int64_t from = file->start + (int64_t)file->filled;
    if (growing_size(file) - from < AHEAD_LEAST)
        return;
    if (!file->ahead)
        file->ahead = xcalloc(1, sizeof *file->ahead);
    struct growing_ahead *ahead = file->ahead;
    ahead->memory = xgrow(ahead->memory, &ahead->capacity, LEFT_BYTES + AHEAD_BYTES, 1);
    ahead->request = (struct aiocb){.aio_fildes = file->fd,
                                    .aio_offset = from,
                                    .aio_buf = ahead->memory + LEFT_BYTES,
                                    .aio_nbytes = AHEAD_BYTES,
                                    .aio_sigevent.sigev_notify = SIGEV_NONE};
    ahead->under_way = !aio_read(&ahead->request);
}

/* The buffer becomes what was read ahead behind the `kept` bytes that are left of it. */
static bool ahead_take(struct growing_file *file, size_t kept)
{
    struct growing_ahead *ahead = file->ahead;
    size_t n = ahead ? ahead_wait(ahead) : 0;
    int64_t end = file->start + (int64_t)file->filled;
    if (!n || kept > LEFT_BYTES || ahead->request.aio_offset != end || file->offset + (int64_t)kept != end)
        return false;
    uint8_t *begin = ahead->memory + LEFT_BYTES - kept, *memory = file->memory;
    size_t capacity = file->capacity;
    if (kept)
        memcpy(begin, file->buffer + file->filled - kept, kept);
    file->memory = ahead->memory;
    file->capacity = ahead->capacity;
    file->buffer = begin;
    file->start = file->offset;
    file->filled = kept + n;
    ahead->memory = memory;
    ahead->capacity = capacity;
    return true;
}

void growing_close(struct growing_file *file)
{
    ahead_free(file);
    if (file->fd >= 0)
        io->close(file->fd);
    free(file->path);
    free(file->memory);
    *file = (struct growing_file){.fd = -1};
}

/* How many of the bytes in the buffer are still to be taken; the offset may have gone back before it. */
static size_t left_of(const struct growing_file *file)
{
    int64_t used = file->offset - file->start;
    return used >= 0 && used < (int64_t)file->filled ? file->filled - (size_t)used : 0;
}

/* What is left moves to the front, and reading goes on until so many bytes are there or the file ends. */
static bool read_on(struct growing_file *file, size_t size_bytes, struct err *err)
{
    size_t kept = left_of(file);
    if (kept)
        memmove(file->memory, file->buffer + file->filled - kept, kept);
    file->memory = xgrow(file->memory, &file->capacity, size_bytes > BLOCK_BYTES ? size_bytes : BLOCK_BYTES, 1);
    file->buffer = file->memory;
    file->start = file->offset;
    file->filled = kept;
    size_t n, missing = size_bytes > kept ? size_bytes - kept : 0;
    bool ok = io_pread_some(file->fd, file->buffer + kept, missing, file->capacity - kept, file->start + (int64_t)kept,
                            file->path, &n, err);
    file->filled += n;
    return ok;
}

static bool fill(struct growing_file *file, size_t size_bytes, struct err *err)
{
    if ((!ahead_take(file, left_of(file)) || file->filled < size_bytes) && !read_on(file, size_bytes, err))
        return false;
    if (file->filled >= size_bytes)
        ahead_begin(file);
    return true;
}

int growing_want(struct growing_file *file, size_t size_bytes, const uint8_t **data, struct err *err)
{
    int64_t used = file->offset - file->start;
    bool there = used >= 0 && used <= (int64_t)file->filled && size_bytes <= file->filled - (size_t)used;
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
    ahead_free(file);
    free(file->memory);
    file->memory = file->buffer = NULL;
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
