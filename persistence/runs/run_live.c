/* run_live.c - see run_live.h */
#include "base/arena.h"
#include "base/io.h"
#include "persistence/runs/run_live.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LIVE_MAGIC = 0x4C544E41, LIVE_FILE_BYTES = 4096 };

struct run_live *run_live_create(const char *run_folder, struct err *err)
{
    char *path = path_join(run_folder, "live");
    struct run_live *live = NULL;
    int fd = io_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0666, err);
    /* allocated, not sparse: a store into a hole on a full disk would be a SIGBUS */
    int failed = fd < 0 ? 0 : io->fallocate(fd, 0, LIVE_FILE_BYTES);
    if (failed) {
        err_errno(err, ERR_FAILED, failed, "cannot make '%s'", path);
    } else if (fd >= 0) {
        live = mmap(NULL, LIVE_FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (live == MAP_FAILED) {
            err_errno(err, ERR_FAILED, errno, "cannot map '%s'", path);
            live = NULL;
        }
    }
    if (live) {
        uint32_t seq = live->seq;
        *live = (struct run_live){.magic = LIVE_MAGIC, .seq = seq & ~1u};
    }
    if (fd >= 0)
        io->close(fd);
    free(path);
    return live;
}

void run_live_close(struct run_live *live)
{
    if (live)
        munmap(live, LIVE_FILE_BYTES);
}

void run_live_store(struct run_live *live, const struct run_live *now)
{
    uint32_t seq = live->seq;
    __atomic_store_n(&live->seq, seq + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    memcpy((char *)live + 8, (const char *)now + 8, sizeof *live - 8);
    __atomic_store_n(&live->seq, seq + 2, __ATOMIC_RELEASE);
}

bool run_live_read(const char *run_folder, struct run_live *out)
{
    char *path = path_join(run_folder, "live");
    int fd = io_open(path, O_RDONLY | O_NOFOLLOW, 0, NULL);
    free(path);
    if (fd < 0)
        return false;
    bool ok = false;
    for (int tries = 0; tries < 8 && !ok; tries++) {
        struct run_live again;
        ok = io->pread(fd, out, sizeof *out, 0) == (ssize_t)sizeof *out && out->magic == LIVE_MAGIC &&
             !(out->seq & 1) && io->pread(fd, &again, sizeof again, 0) == (ssize_t)sizeof again &&
             again.seq == out->seq;
    }
    io->close(fd);
    return ok;
}
