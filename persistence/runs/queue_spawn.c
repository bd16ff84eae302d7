/* queue_spawn.c - see queue_internal.h: a worker that is born with its run's lock and its place. */
#include "base/arena.h"
#include "base/io.h"
#include "persistence/runs/queue_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STREAMS = 5, ABOVE = 16 }; /* 0..2, the lock, the place; all are moved above what they will become */

char **queue_worker_environment(void)
{
    size_t n = 0, kept = 0;
    while (environ[n])
        n++;
    char **environment = xcalloc(n + 2, sizeof *environment);
    for (size_t i = 0; i < n; i++)
        if (!str_starts(environ[i], "OPENBLAS_NUM_THREADS="))
            environment[kept++] = environ[i];
    environment[kept] = "OPENBLAS_NUM_THREADS=1";
    return environment;
}

/* The request is a file without a name, the answer goes nowhere, what is printed goes to the run's log. */
static bool open_streams(const char *folder, int streams[3], struct err *err)
{
    json_t *request = json_pack("{s:s}", "run", folder);
    char *text = js_text(request, 0), *log = path_join(folder, "log.txt");
    streams[0] = memfd_create("antler-request", MFD_CLOEXEC);
    bool ok = (streams[0] >= 0 || err_errno(err, ERR_FAILED, errno, "cannot make room for a request to the worker")) &&
              io_write_all(streams[0], text, strlen(text), "the worker's request", err) &&
              lseek(streams[0], 0, SEEK_SET) == 0 && (streams[1] = io_open("/dev/null", O_WRONLY, 0, err)) >= 0 &&
              (streams[2] = io_open(log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0666, err)) >= 0;
    free(log);
    free(text);
    json_decref(request);
    return ok;
}

/* In the child. Only calls that are safe after fork. */
static void become_worker(const char *program, const int from[STREAMS], char *const *environment)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    for (int k = 0; k < STREAMS; k++)
        if (dup2(from[k], k) < 0)
            _exit(127);
    close_range(STREAMS, ~0u, CLOSE_RANGE_CLOEXEC);
    char *const arguments[] = {"antler-worker", "start", NULL};
    execve(program, arguments, environment);
    _exit(127);
}

bool queue_spawn(const char *program, const char *folder, int lock_fd, int place_fd, struct err *err)
{
    int streams[3] = {-1, -1, -1}, from[STREAMS] = {-1, -1, -1, -1, -1};
    pid_t child = -1;
    char **environment = queue_worker_environment();
    bool ok = open_streams(folder, streams, err);
    for (int k = 0; ok && k < STREAMS; k++)
        ok = (from[k] = fcntl(k < 3                    ? streams[k]
                              : k == QUEUE_RUN_LOCK_FD ? lock_fd
                                                       : place_fd,
                              F_DUPFD_CLOEXEC, ABOVE)) >= 0 ||
             err_errno(err, ERR_FAILED, errno, "cannot hand the run to a worker");
    if (ok && access(program, X_OK))
        ok = err_errno(err, ERR_FAILED, errno, "cannot run '%s'", program);
    if (ok && !(child = fork())) {
        setsid();
        pid_t worker = fork();
        if (worker)
            _exit(worker < 0 ? 127 : 0);
        become_worker(program, from, environment);
    }
    if (ok && child < 0)
        ok = err_errno(err, ERR_FAILED, errno, "cannot start '%s'", program);
    int status = 0;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (ok && WIFEXITED(status) && WEXITSTATUS(status) == 127)
        ok = err_set(err, ERR_FAILED, "cannot start '%s': no more processes", program);
    for (int k = 0; k < STREAMS; k++) {
        if (from[k] >= 0)
            close(from[k]);
        if (k < 3 && streams[k] >= 0)
            close(streams[k]);
    }
    free(environment);
    return ok;
}
