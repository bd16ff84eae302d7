/* io.c - see io.h */
#include "base/io.h"
#include "base/arena.h"
#include "base/memory.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const size_t HUGE_PAGE_BYTES = 2 << 20, LARGE_BYTES = 64 << 20;

static int system_open(const char *path, int flags, mode_t mode)
{
    return open(path, flags | O_CLOEXEC, mode);
}

static void *system_allocate(size_t size_bytes)
{
    void *memory = NULL;
    if (size_bytes > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    bool huge = size_bytes >= 2 * HUGE_PAGE_BYTES;
    errno = posix_memalign(&memory, huge ? HUGE_PAGE_BYTES : 64, size_bytes ? size_bytes : 64);
    if (errno)
        return NULL;
    if (huge)
        madvise(memory, size_bytes & ~(HUGE_PAGE_BYTES - 1), MADV_HUGEPAGE);
    return memory;
}

static void system_write_behind(int fd, off_t offset, off_t size_bytes)
{
    sync_file_range(fd, offset, size_bytes, SYNC_FILE_RANGE_WRITE);
}

static int64_t clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t system_wall_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

static int64_t system_monotonic_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

const struct io_table io_system = {
    .open = system_open,
    .read = read,
    .pread = pread,
    .write = write,
    .pwrite = pwrite,
    .fsync = fsync,
    .write_behind = system_write_behind,
    .ftruncate = ftruncate,
    .fallocate = posix_fallocate,
    .close = close,
    .rename = rename,
    .unlink = unlink,
    .mkdir = mkdir,
    .allocate = system_allocate,
    .wall_ns = system_wall_ns,
    .monotonic_ns = system_monotonic_ns,
};

const struct io_table *io = &io_system;

int io_open(const char *path, int flags, mode_t mode, struct err *err)
{
    int fd;
    do
        fd = io->open(path, flags | O_NONBLOCK, mode);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        err_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_FAILED, errno, "cannot open '%s'", path);
    return fd;
}

bool io_write_all(int fd, const void *data, size_t size_bytes, const char *path, struct err *err)
{
    const char *p = data;
    while (size_bytes) {
        ssize_t done = io->write(fd, p, size_bytes);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return err_errno(err, ERR_FAILED, done < 0 ? errno : EIO, "cannot write '%s'", path);
        p += done;
        size_bytes -= (size_t)done;
    }
    return true;
}

bool io_pread_some(int fd, void *data, size_t least, size_t most, off_t offset, const char *path, size_t *read_bytes,
                   struct err *err)
{
    size_t n = 0;
    ssize_t done = 1;
    while (n < least && done) {
        done = io->pread(fd, (char *)data + n, most - n, offset + (off_t)n);
        if (done < 0 && errno != EINTR)
            break;
        n += done > 0 ? (size_t)done : 0;
    }
    *read_bytes = n;
    return done >= 0 || err_errno(err, ERR_FAILED, errno, "cannot read '%s'", path);
}

bool io_pread_all(int fd, void *data, size_t size_bytes, off_t offset, const char *path, struct err *err)
{
    size_t n;
    if (!io_pread_some(fd, data, size_bytes, size_bytes, offset, path, &n, err))
        return false;
    return n == size_bytes || err_set(err, ERR_FORMAT, "'%s' ends too early: %zu bytes missing at offset %lld", path,
                                      size_bytes - n, (long long)offset + (long long)n);
}

static bool read_open_file(int fd, const char *path, size_t max_bytes, char **data, size_t *size_bytes, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode))
        return err_set(err, ERR_FORMAT, "'%s' is %s, expected a file", path,
                       S_ISDIR(st.st_mode) ? "a folder" : "not an ordinary file");
    size_t capacity = 0, length = 0;
    char *buffer = NULL;
    for (;;) {
        buffer = xgrow(buffer, &capacity, length + 65536 + 1, 1);
        ssize_t done = io->read(fd, buffer + length, capacity - length - 1);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0) {
            free(buffer);
            return err_errno(err, ERR_FAILED, errno, "cannot read '%s'", path);
        }
        length += (size_t)done;
        if (length > max_bytes) {
            free(buffer);
            return err_set(err, ERR_FORMAT, "'%s' is larger than the %zu bytes such a file may have", path, max_bytes);
        }
        if (!done)
            break;
    }
    buffer[length] = 0;
    *data = buffer;
    *size_bytes = length;
    return true;
}

bool io_read_file(const char *path, size_t max_bytes, char **data, size_t *size_bytes, struct err *err)
{
    int fd = io_open(path, O_RDONLY, 0, err);
    if (fd < 0)
        return false;
    bool ok = read_open_file(fd, path, max_bytes, data, size_bytes, err);
    io->close(fd);
    return ok;
}

bool io_fsync(int fd, const char *path, struct err *err)
{
    if (io->fsync(fd))
        return err_errno(err, ERR_FAILED, errno, "cannot make '%s' durable (fsync)", path);
    return true;
}

bool io_sync_folder(const char *folder, struct err *err)
{
    int fd = io_open(folder, O_RDONLY | O_DIRECTORY, 0, err);
    if (fd < 0)
        return false;
    bool ok = io_fsync(fd, folder, err);
    io->close(fd);
    return ok;
}

bool io_make_folders(const char *folder, struct err *err)
{
    char *path = xstrdup(folder);
    bool ok = true;
    for (char *p = path + 1; ok; p++) {
        char c = *p;
        if (c != '/' && c)
            continue;
        *p = 0;
        if (io->mkdir(path, 0777) && errno != EEXIST)
            ok = err_errno(err, ERR_FAILED, errno, "cannot make the folder '%s'", path);
        else if (!path_is_folder(path))
            ok = err_set(err, ERR_USAGE, "'%s' is a file, expected a folder", path);
        *p = c;
        if (!c)
            break;
    }
    free(path);
    return ok;
}

void *io_allocate(size_t size_bytes, const char *what, struct err *err)
{
    int64_t left = size_bytes < LARGE_BYTES ? INT64_MAX : memory_available_bytes();
    if (left < INT64_MAX && size_bytes > (size_t)left)
        return err_null(err, ERR_NOMEM, "not enough memory for %s: %.1f MB wanted, %.1f MB are free", what,
                        (double)size_bytes / 1e6, (double)left / 1e6);
    void *memory = io->allocate(size_bytes);
    if (!memory)
        err_set(err, ERR_NOMEM, "not enough memory for %s: %.1f MB wanted", what, (double)size_bytes / 1e6);
    return memory;
}

double io_wall_seconds(void)
{
    return (double)io->wall_ns() / 1e9;
}

double io_monotonic_seconds(void)
{
    return (double)io->monotonic_ns() / 1e9;
}

char *path_join(const char *folder, const char *name)
{
    if (!*folder || name[0] == '/')
        return xstrdup(name);
    return xprintf("%s%s%s", folder, str_ends(folder, "/") ? "" : "/", name);
}

char *path_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return xstrdup(".");
    return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

const char *path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool path_exists(const char *path)
{
    return !access(path, F_OK);
}

bool path_is_folder(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISDIR(st.st_mode);
}
