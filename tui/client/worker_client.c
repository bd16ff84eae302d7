/* worker_client.c - see worker_client.h */
#include "base/arena.h"
#include "base/io.h"
#include "base/log.h"
#include "persistence/runs/run_queue.h"
#include "tui/client/worker_client.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_MAX_BYTES = 1 << 30, DIAGNOSTIC_BYTES = 600, CANCEL_WAIT_MS = 1000 };

struct worker_job {
    pid_t pid;       /* 0 once reaped, and always for a detached one */
    int fd;          /* reading end of its standard output; -1 after the end */
    int diagnostics; /* memfd that is its standard error */
    int status;
    size_t searched; /* bytes of text known to hold no line end */
    struct str text; /* what came and is not yet a whole line */
    json_t *progress;
    char *name;
};

char *worker_program(struct err *err)
{
    const char *given = getenv("ANTLER_WORKER");
    char self[PATH_MAX];
    ssize_t n = given && *given ? 0 : readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0)
        return err_errno(err, ERR_FAILED, errno, "cannot find where antler is installed"), NULL;
    char *path;
    if (given && *given) {
        path = xstrdup(given);
    } else {
        self[n] = 0;
        char *folder = path_folder(self);
        path = path_join(folder, "antler-worker");
        free(folder);
    }
    if (access(path, X_OK)) {
        err_errno(err, ERR_FAILED, errno, "cannot run '%s' (it belongs beside antler, or name it in ANTLER_WORKER)",
                  path);
        free(path);
        return NULL;
    }
    return path;
}

/* The request becomes a file without a name: the worker reads it whenever it likes and nobody can block. */
static int request_fd(const json_t *request, struct err *err)
{
    int fd = memfd_create("antler-request", MFD_CLOEXEC);
    if (fd < 0) {
        err_errno(err, ERR_FAILED, errno, "cannot make room for a request to the worker");
        return -1;
    }
    char *text = js_text(request, 0);
    bool ok = io_write_all(fd, text, strlen(text), "the worker's request", err) && lseek(fd, 0, SEEK_SET) == 0;
    free(text);
    if (!ok) {
        close(fd);
        return -1;
    }
    return fd;
}

/* In the child: default signals, the three streams, nothing else. Only calls that are safe after fork. */
static void become_worker(const char *path, const char *job, const int streams[3], char *const *environment)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    for (int k = 0; k < 3; k++)
        if (dup2(streams[k], k) < 0)
            _exit(127);
    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    char *const arguments[] = {(char *)path, (char *)job, NULL};
    execve(path, arguments, environment);
    _exit(127);
}

static void start_child(struct worker_job *job, const char *path, const int streams[3], bool detached,
                        char *const *environment)
{
    job->pid = fork();
    if (job->pid)
        return;
    if (detached) {
        setsid();
        pid_t worker = fork();
        if (worker)
            _exit(worker < 0 ? 127 : 0);
    }
    become_worker(path, job->name, streams, environment);
}

static struct worker_job *start(const char *name, const json_t *request, bool detached, struct err *err)
{
    struct worker_job *job = NULL;
    if (!request) {
        err_set(err, ERR_USAGE, "the current folder's name is not UTF-8; use another or rename it");
        return NULL;
    }
    int request_end = -1, answer[2] = {-1, -1}, diagnostics = -1;
    char *path = worker_program(err);
    if (!path || (request_end = request_fd(request, err)) < 0)
        goto done;
    diagnostics = memfd_create("antler-diagnostics", MFD_CLOEXEC);
    if (diagnostics < 0 || pipe2(answer, O_CLOEXEC)) {
        err_errno(err, ERR_FAILED, errno, "cannot make a pipe to the worker");
        goto done;
    }
    fcntl(diagnostics, F_SETFL, O_APPEND);
    job = xcalloc(1, sizeof *job);
    job->name = xstrdup(name);
    char **environment = queue_worker_environment();
    start_child(job, path, (int[3]){request_end, answer[1], diagnostics}, detached, environment);
    free(environment);
    if (job->pid < 0) {
        err_errno(err, ERR_FAILED, errno, "cannot start '%s'", path);
        free(job->name);
        free(job);
        job = NULL;
        goto done;
    }
    job->fd = answer[0];
    job->diagnostics = diagnostics;
    answer[0] = diagnostics = -1;
    if (detached) {
        while (waitpid(job->pid, NULL, 0) < 0 && errno == EINTR)
            ;
        job->pid = 0;
    }
done:
    free(path);
    for (size_t i = 0; i < 4; i++) {
        int fd = ((int[]){request_end, answer[0], answer[1], diagnostics})[i];
        if (fd >= 0)
            close(fd);
    }
    return job;
}

struct worker_job *worker_start(const char *job, const json_t *request, struct err *err)
{
    return start(job, request, false, err);
}

struct worker_job *worker_start_detached(const char *job, const json_t *request, struct err *err)
{
    return start(job, request, true, err);
}

int worker_fd(const struct worker_job *job)
{
    return job->fd;
}

static void reap(struct worker_job *job)
{
    while (job->pid > 0 && waitpid(job->pid, &job->status, 0) < 0 && errno == EINTR)
        ;
    job->pid = 0;
}

/* The worker went without an answer: say how, with the last thing it printed. */
static int ended_silently(struct worker_job *job, struct err *err)
{
    char tail[DIAGNOSTIC_BYTES + 1];
    off_t size = lseek(job->diagnostics, 0, SEEK_END);
    off_t from = size > DIAGNOSTIC_BYTES ? size - DIAGNOSTIC_BYTES : 0;
    ssize_t n = size > 0 ? pread(job->diagnostics, tail, DIAGNOSTIC_BYTES, from) : 0;
    tail[n > 0 ? n : 0] = 0;
    while (n > 0 && strchr(" \n\r\t", tail[n - 1]))
        tail[--n] = 0;
    struct str how = {0};
    if (WIFSIGNALED(job->status))
        str_addf(&how, "was ended by signal %d (%s)", WTERMSIG(job->status), strsignal(WTERMSIG(job->status)));
    else if (WIFEXITED(job->status) && WEXITSTATUS(job->status) == 127)
        str_add(&how, "could not be started");
    else
        str_add(&how, "ended without an answer");
    err_set(err, ERR_FAILED, "antler-worker %s %s%s%s", job->name, str_text(&how), n > 0 ? ": " : "",
            n > 0 ? tail : "");
    str_release(&how);
    return -1;
}

/* One line of the answer: 0 = progress, 1 = the result, -1 = the error. */
static int understand(struct worker_job *job, const char *line, size_t length, json_t **result, struct err *err)
{
    json_error_t why;
    json_t *answer = json_loadb(line, length, 0, &why);
    if (!answer) {
        err_set(err, ERR_FAILED, "antler-worker %s answered what is no JSON: %s", job->name, why.text);
        return -1;
    }
    const json_t *error = json_object_get(answer, "error");
    json_t *value = json_object_get(answer, "result");
    int outcome = 0;
    if (error) {
        err_set(err, err_code_parse(js_string(error, "code", "failed")), "%s",
                js_string(error, "message", "no reason was given"));
        outcome = -1;
    } else if (value) {
        *result = json_incref(value);
        outcome = 1;
    } else {
        json_decref(job->progress);
        job->progress = json_incref(answer);
    }
    json_decref(answer);
    return outcome;
}

/* Takes the whole lines out of job->text. */
static int take_lines(struct worker_job *job, json_t **result, struct err *err)
{
    int outcome = 0;
    size_t used = 0;
    while (!outcome && job->searched < job->text.length) {
        char *end = memchr(job->text.data + job->searched, '\n', job->text.length - job->searched);
        if (!end)
            break;
        outcome = understand(job, job->text.data + used, (size_t)(end - job->text.data) - used, result, err);
        used = job->searched = (size_t)(end - job->text.data) + 1;
    }
    if (used) {
        job->text.length -= used;
        memmove(job->text.data, job->text.data + used, job->text.length + 1);
    }
    job->searched = job->text.length;
    return outcome;
}

int worker_poll(struct worker_job *job, json_t **result, const json_t **progress, struct err *err)
{
    *result = NULL;
    int outcome = 0;
    while (!outcome && job->fd >= 0) {
        struct pollfd ready = {.fd = job->fd, .events = POLLIN};
        if (poll(&ready, 1, 0) <= 0)
            break;
        char block[65536];
        ssize_t n = read(job->fd, block, sizeof block);
        if (n < 0 && errno == EINTR)
            continue;
        if (n > 0) {
            str_add_bytes(&job->text, block, (size_t)n);
            outcome = take_lines(job, result, err);
            if (!outcome && job->text.length > ANSWER_MAX_BYTES) {
                err_set(err, ERR_FAILED, "antler-worker %s answered more than %d bytes", job->name, ANSWER_MAX_BYTES);
                outcome = -1;
            }
        } else {
            reap(job);
            outcome = ended_silently(job, err);
        }
    }
    if (outcome && job->fd >= 0) {
        close(job->fd);
        job->fd = -1;
    }
    if (progress)
        *progress = job->progress;
    return outcome;
}

void worker_end(struct worker_job *job)
{
    if (!job)
        return;
    if (job->fd >= 0)
        close(job->fd);
    if (job->pid > 0 && waitpid(job->pid, &job->status, WNOHANG) == 0) {
        kill(job->pid, SIGTERM);
        for (int waited = 0; waited < CANCEL_WAIT_MS && waitpid(job->pid, &job->status, WNOHANG) == 0; waited += 5)
            poll(NULL, 0, 5);
        if (waitpid(job->pid, &job->status, WNOHANG) == 0) {
            kill(job->pid, SIGKILL);
            reap(job);
        }
    }
    close(job->diagnostics);
    json_decref(job->progress);
    str_release(&job->text);
    free(job->name);
    free(job);
}

static json_t *finish(struct worker_job *job, bool (*progress)(void *, const json_t *), void *context, struct err *err)
{
    json_t *result = NULL;
    int outcome = job ? 0 : -1;
    const json_t *last = NULL;
    while (!outcome) {
        struct pollfd ready = {.fd = job->fd, .events = POLLIN};
        if (poll(&ready, 1, -1) < 0 && errno != EINTR) {
            err_errno(err, ERR_FAILED, errno, "cannot wait for antler-worker");
            break;
        }
        const json_t *line = NULL;
        outcome = worker_poll(job, &result, &line, err);
        if (!outcome && progress && line && line != last && !progress(context, line)) {
            err_set(err, ERR_INTERRUPTED, "cancelled");
            outcome = -1;
        }
        last = line;
    }
    worker_end(job);
    return result;
}

json_t *worker_ask(const char *job, const json_t *request, bool (*progress)(void *context, const json_t *line),
                   void *context, struct err *err)
{
    return finish(start(job, request, false, err), progress, context, err);
}

json_t *worker_launch(const char *job, const json_t *request, struct err *err)
{
    return finish(start(job, request, true, err), NULL, NULL, err);
}

bool worker_start_waiting(const char *home, const char *const *known, size_t n_known, struct err *hindrance)
{
    struct err err = {0};
    int started = 0;
    if (queue_is_idle(home, n_known))
        return false;
    char *program = worker_program(&err);
    bool ok = program && queue_look(home, program, known, n_known, false, &started, &err);
    if (!ok && hindrance)
        *hindrance = err;
    else if (!ok)
        log_warn("the queue: %s", err.text);
    free(program);
    return started > 0;
}

json_t *worker_enqueue(const char *job, json_t *request, struct err *err)
{
    json_object_set_new(request, "queue", json_true());
    json_t *result = worker_ask(job, request, NULL, NULL, err);
    char *home = result ? path_folder(js_string(result, "dir", ".")) : NULL;
    if (home)
        worker_start_waiting(home, NULL, 0, NULL);
    free(home);
    return result;
}
