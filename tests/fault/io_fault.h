/* io_fault.h - makes the n-th call through the io table fail, in this process, as often as wanted: how the persistence
 * tests prove that no error loses data. Include it in one test file; it replaces `io` while armed.
 *
 *     for (int64_t n = 1;; n++) {
 *         io_fault_arm(n, ENOSPC, FAULT_ONCE, FAULT_ALL);
 *         bool ok = save(path, &err);
 *         bool hit = io_fault_disarm();       // false: n was beyond the last call, the sweep is complete
 *         if (!hit) break;
 *         CHECK(!ok || ...); ... the old file is intact ...
 *     }
 */
#ifndef TESTS_FAULT_IO_FAULT_H
#define TESTS_FAULT_IO_FAULT_H

#include "base/io.h"

#include <errno.h>

enum fault_kind {
    FAULT_OPEN = 1,
    FAULT_READ = 2,  /* read and pread */
    FAULT_WRITE = 4, /* write and pwrite */
    FAULT_FSYNC = 8,
    FAULT_TRUNCATE = 16, /* ftruncate and fallocate */
    FAULT_CLOSE = 32,
    FAULT_RENAME = 64,
    FAULT_UNLINK = 128,
    FAULT_MKDIR = 256,
    FAULT_ALLOCATE = 512,
    FAULT_ALL = 1023 & ~128 /* a clean-up that is itself refused may leave its temporary file behind */
};
enum fault_mode {
    FAULT_ONCE,    /* call n only */
    FAULT_FOREVER, /* call n and all after it */
    FAULT_SHORT    /* reads and writes transfer half, call n fails */
};

static struct {
    int64_t fail_at, calls, hits; /* calls of the chosen kinds so far */
    int error;
    enum fault_mode mode;
    unsigned kinds;
} io_fault;

static inline bool io_fault_now(unsigned kind)
{
    if (!(io_fault.kinds & kind))
        return false;
    int64_t call = ++io_fault.calls;
    if (call != io_fault.fail_at && !(io_fault.mode == FAULT_FOREVER && call > io_fault.fail_at))
        return false;
    io_fault.hits++;
    errno = io_fault.error;
    return true;
}
static inline size_t io_fault_part(size_t size_bytes)
{
    return io_fault.mode == FAULT_SHORT && size_bytes > 1 ? size_bytes / 2 : size_bytes;
}
static inline int io_fault_open(const char *path, int flags, mode_t mode)
{
    return io_fault_now(FAULT_OPEN) ? -1 : io_system.open(path, flags, mode);
}
static inline ssize_t io_fault_read(int fd, void *data, size_t n)
{
    return io_fault_now(FAULT_READ) ? -1 : io_system.read(fd, data, io_fault_part(n));
}
static inline ssize_t io_fault_pread(int fd, void *data, size_t n, off_t offset)
{
    return io_fault_now(FAULT_READ) ? -1 : io_system.pread(fd, data, io_fault_part(n), offset);
}
static inline ssize_t io_fault_write(int fd, const void *data, size_t n)
{
    return io_fault_now(FAULT_WRITE) ? -1 : io_system.write(fd, data, io_fault_part(n));
}
static inline ssize_t io_fault_pwrite(int fd, const void *data, size_t n, off_t offset)
{
    return io_fault_now(FAULT_WRITE) ? -1 : io_system.pwrite(fd, data, io_fault_part(n), offset);
}
static inline int io_fault_fsync(int fd)
{
    return io_fault_now(FAULT_FSYNC) ? -1 : io_system.fsync(fd);
}
static inline int io_fault_ftruncate(int fd, off_t n)
{
    return io_fault_now(FAULT_TRUNCATE) ? -1 : io_system.ftruncate(fd, n);
}
static inline int io_fault_fallocate(int fd, off_t offset, off_t n)
{
    return io_fault_now(FAULT_TRUNCATE) ? io_fault.error : io_system.fallocate(fd, offset, n);
}
static inline int io_fault_close(int fd)
{
    int result = io_system.close(fd); /* Linux frees the descriptor also when it reports an error */
    return io_fault_now(FAULT_CLOSE) ? -1 : result;
}
static inline int io_fault_rename(const char *from, const char *to)
{
    return io_fault_now(FAULT_RENAME) ? -1 : io_system.rename(from, to);
}
static inline int io_fault_unlink(const char *path)
{
    return io_fault_now(FAULT_UNLINK) ? -1 : io_system.unlink(path);
}
static inline int io_fault_mkdir(const char *path, mode_t mode)
{
    return io_fault_now(FAULT_MKDIR) ? -1 : io_system.mkdir(path, mode);
}
static inline void *io_fault_allocate(size_t n)
{
    return io_fault_now(FAULT_ALLOCATE) ? NULL : io_system.allocate(n);
}

/* The clocks stay real. */
static inline void io_fault_arm(int64_t fail_at, int error, enum fault_mode mode, unsigned kinds)
{
    static struct io_table table;
    table = io_system;
    table.open = io_fault_open;
    table.read = io_fault_read;
    table.pread = io_fault_pread;
    table.write = io_fault_write;
    table.pwrite = io_fault_pwrite;
    table.fsync = io_fault_fsync;
    table.ftruncate = io_fault_ftruncate;
    table.fallocate = io_fault_fallocate;
    table.close = io_fault_close;
    table.rename = io_fault_rename;
    table.unlink = io_fault_unlink;
    table.mkdir = io_fault_mkdir;
    table.allocate = io_fault_allocate;
    io_fault.fail_at = fail_at;
    io_fault.error = error;
    io_fault.mode = mode;
    io_fault.kinds = kinds;
    io_fault.calls = io_fault.hits = 0;
    io = &table;
}
/* Back to the real system; true when a call was refused. */
static inline bool io_fault_disarm(void)
{
    io = &io_system;
    return io_fault.hits > 0;
}

#endif
