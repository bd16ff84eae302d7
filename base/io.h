/* io.h - the one table through which every open, read, write, fsync, rename, unlink, allocation of data-sized memory
 * and clock passes, so that a test can make the n-th call fail (tests/fault/io_fault.h) or set the clock.
 *
 * Code calls the wrappers below; they retry EINTR and short transfers and turn errno into a struct err that names the
 * path.
 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

struct io_table {
    int (*open)(const char *path, int flags, mode_t mode); /* O_CLOEXEC is always added */
    ssize_t (*read)(int fd, void *data, size_t size_bytes);
    ssize_t (*pread)(int fd, void *data, size_t size_bytes, off_t offset);
    ssize_t (*write)(int fd, const void *data, size_t size_bytes);
    ssize_t (*pwrite)(int fd, const void *data, size_t size_bytes, off_t offset);
    int (*fsync)(int fd);
    void (*write_behind)(int fd, off_t offset, off_t size_bytes); /* a hint: start writing these bytes to the disk */
    int (*ftruncate)(int fd, off_t size_bytes);
    int (*fallocate)(int fd, off_t offset, off_t size_bytes); /* posix_fallocate: returns the error number */
    int (*close)(int fd);
    int (*rename)(const char *from, const char *to);
    int (*unlink)(const char *path);
    int (*mkdir)(const char *path, mode_t mode);
    void *(*allocate)(size_t size_bytes); /* 64-byte aligned, not zeroed, large ones in huge pages; NULL with errno */
    int64_t (*wall_ns)(void);             /* nanoseconds since the Unix epoch */
    int64_t (*monotonic_ns)(void);        /* for durations: never jumps */
};

/* The real system. */
extern const struct io_table io_system;
/* The table in use; a test points it elsewhere, before any thread starts. */
extern const struct io_table *io;

/* -1 and err on failure. flags as open(2); ENOENT gives ERR_NOT_FOUND, everything else ERR_FAILED (or ERR_NOMEM). Never
 * waits for the other end of a pipe that lies where a file belongs. */
int io_open(const char *path, int flags, mode_t mode, struct err *err);
/* All of it or an error that names path. */
bool io_write_all(int fd, const void *data, size_t size_bytes, const char *path, struct err *err) MUST_USE;
bool io_pread_all(int fd, void *data, size_t size_bytes, off_t offset, const char *path, struct err *err) MUST_USE;
/* At least `least` bytes, at most `most`, and fewer than `least` only where the file ends. *read_bytes: how many are
 * there, also on failure. */
bool io_pread_some(int fd, void *data, size_t least, size_t most, off_t offset, const char *path, size_t *read_bytes,
                   struct err *err) MUST_USE;
/* The whole file, terminated by a 0 that is not counted. ERR_FORMAT when larger than max_bytes or no ordinary file
 * (pipe, device, folder). free() *data. */
bool io_read_file(const char *path, size_t max_bytes, char **data, size_t *size_bytes, struct err *err) MUST_USE;
bool io_fsync(int fd, const char *path, struct err *err) MUST_USE;
/* fsync of the folder itself: makes creations and renames in it durable. */
bool io_sync_folder(const char *folder, struct err *err) MUST_USE;
/* Creates the folder and its parents (0777 less umask). An existing folder is fine. */
bool io_make_folders(const char *folder, struct err *err) MUST_USE;
/* Data-sized memory, 64-byte aligned, not zeroed; NULL and ERR_NOMEM that says how much was wanted for what. Large
 * pieces are compared with what is free first (memory.h). free() it. */
void *io_allocate(size_t size_bytes, const char *what, struct err *err);

double io_wall_seconds(void);
double io_monotonic_seconds(void);

/* "folder/name" and the two parts of a path. path_folder of "name" is "."; results are free()d by the caller. */
char *path_join(const char *folder, const char *name);
char *path_folder(const char *path);
/* Points into path. */
const char *path_name(const char *path);
bool path_exists(const char *path);
bool path_is_folder(const char *path);

#endif
