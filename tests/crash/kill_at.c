/* kill_at.c - preloaded into antler-worker by test_every_write.py, into antler by test_queue.py: kills the process
 * before its n-th call that changes a file or makes a process (KILL_AT in the environment; 1 = the first) when it is
 * called KILL_NAME (antler-worker when that is not set). Children do not count. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static atomic_int calls;
static int kill_at;
static pid_t self;

static void __attribute__((constructor)) begin(void)
{
    const char *at = getenv("KILL_AT"), *name = getenv("KILL_NAME");
    if (at && !strcmp(program_invocation_short_name, name ? name : "antler-worker"))
        kill_at = atoi(at);
    self = getpid();
}

static void count(void)
{
    if (kill_at && getpid() == self && atomic_fetch_add(&calls, 1) + 1 == kill_at)
        kill(self, SIGKILL);
}

#define CHANGES(type, name, parameters, ...)                                                                           \
    type name parameters                                                                                               \
    {                                                                                                                  \
        static type(*real) parameters;                                                                                 \
        if (!real)                                                                                                     \
            *(void **)(void *)&real = dlsym(RTLD_NEXT, #name);                                                         \
        count();                                                                                                       \
        return real(__VA_ARGS__);                                                                                      \
    }

CHANGES(ssize_t, write, (int fd, const void *bytes, size_t n), fd, bytes, n)
CHANGES(ssize_t, pwrite, (int fd, const void *bytes, size_t n, off_t offset), fd, bytes, n, offset)
CHANGES(ssize_t, pwrite64, (int fd, const void *bytes, size_t n, off64_t offset), fd, bytes, n, offset)
CHANGES(int, rename, (const char *from, const char *to), from, to)
CHANGES(int, fsync, (int fd), fd)
CHANGES(int, fdatasync, (int fd), fd)
CHANGES(int, ftruncate, (int fd, off_t length), fd, length)
CHANGES(int, ftruncate64, (int fd, off64_t length), fd, length)
CHANGES(int, unlink, (const char *path), path)
CHANGES(pid_t, fork, (void))
CHANGES(pid_t, waitpid, (pid_t pid, int *status, int options), pid, status, options)
CHANGES(int, mkdir, (const char *path, mode_t mode), path, mode)
