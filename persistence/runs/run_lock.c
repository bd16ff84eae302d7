/* run_lock.c - see run_lock.h */
#include "base/arena.h"
#include "base/io.h"
#include "base/str.h"
#include "persistence/runs/run_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct flock lock_of_byte(enum run_lock lock)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)lock, .l_len = 1};
}

static void read_holder(int fd, struct str *out)
{
    char text[128], *space = NULL;
    /* whoever has just taken the lock is about to write its name */
    for (int tries = 0; tries < 20 && !space; tries++) {
        ssize_t n = io->pread(fd, text, sizeof text - 1, 0);
        text[n > 0 ? n : 0] = 0;
        text[strcspn(text, "\n")] = 0;
        space = strchr(text, ' ');
        if (!space)
            usleep(1000);
    }
    if (!space) {
        str_add(out, "another process");
        return;
    }
    *space = 0;
    str_add(out, "process ");
    str_add_visible(out, text);
    str_add(out, " on ");
    str_add_visible(out, space + 1);
}

static bool write_holder(int fd, const char *path, struct err *err)
{
    char host[65] = "?", text[128];
    if (gethostname(host, sizeof host - 1))
        strcpy(host, "?");
    int n = snprintf(text, sizeof text, "%ld %s\n", (long)getpid(), host);
    if (io->ftruncate(fd, 0))
        return err_errno(err, ERR_FAILED, errno, "cannot empty '%s'", path);
    if (lseek(fd, 0, SEEK_SET) < 0) /* one that was handed over stands where its first holder ended */
        return err_errno(err, ERR_FAILED, errno, "cannot write to '%s'", path);
    return io_write_all(fd, text, (size_t)n, path, err);
}

static bool take(int fd, const char *path, enum run_lock lock, struct err *err)
{
    struct flock wanted = lock_of_byte(lock);
    int failed;
    do
        failed = fcntl(fd, lock == RUN_LOCK_JSON ? F_OFD_SETLKW : F_OFD_SETLK, &wanted);
    while (failed && errno == EINTR);
    if (failed && (errno == EAGAIN || errno == EACCES)) {
        struct str holder = {0};
        read_holder(fd, &holder);
        err_set(err, ERR_FAILED, "the run is in use by %s", str_text(&holder));
        str_release(&holder);
        return false;
    }
    if (failed)
        return err_errno(err, ERR_FAILED, errno, "cannot lock '%s'", path);
    return lock != RUN_LOCK_WRITER || write_holder(fd, path, err);
}

int run_lock_take(const char *folder, enum run_lock lock, struct err *err)
{
    char *path = path_join(folder, "lock");
    int fd = io_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0666, err);
    if (fd >= 0 && !take(fd, path, lock, err)) {
        io->close(fd);
        fd = -1;
    }
    free(path);
    return fd;
}

bool run_lock_adopt(const char *folder, int fd, struct err *err)
{
    char *path = path_join(folder, "lock");
    struct stat here, there;
    bool same = !fstat(fd, &here) && !stat(path, &there) && here.st_dev == there.st_dev && here.st_ino == there.st_ino;
    bool ok = (same || err_set(err, ERR_USAGE, "descriptor %d is not the lock of run '%s'", fd, path_name(folder))) &&
              take(fd, path, RUN_LOCK_WRITER, err);
    free(path);
    return ok;
}

bool run_lock_held(const char *folder, enum run_lock lock)
{
    char *path = path_join(folder, "lock");
    int fd = io_open(path, O_RDONLY | O_NOFOLLOW, 0, NULL);
    free(path);
    if (fd < 0)
        return false;
    struct flock asked = lock_of_byte(lock);
    bool held = !fcntl(fd, F_OFD_GETLK, &asked) && asked.l_type != F_UNLCK;
    io->close(fd);
    return held;
}
