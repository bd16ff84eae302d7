/* sandbox.c - see sandbox.h */
#include "persistence/keras/sandbox.h"

#include "base/arena.h"
#include "base/io.h"
#include "persistence/files/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined __SANITIZE_ADDRESS__
static const bool SANITIZED = true; /* its run time needs more than seccomp and the memory limit would leave */
#else
static const bool SANITIZED = false;
#endif

#if defined __x86_64__
enum { ARCHITECTURE = (int)AUDIT_ARCH_X86_64 };
#elif defined __aarch64__
enum { ARCHITECTURE = (int)AUDIT_ARCH_AARCH64 };
#else
enum { ARCHITECTURE = 0 };
#endif

enum { FAILED_TO_START = 120, DONE = 0 };

#define ALLOW(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define DENY(name)                                                                                                     \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
/* Allowed unless PROT_EXEC is among the third argument's bits. */
#define ALLOW_WITHOUT_CODE(name)                                                                                       \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 4),                                                             \
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),                                    \
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),    \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static bool install_filter(void)
{
    static struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)ARCHITECTURE, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(pread64),
        ALLOW(read),
        ALLOW(write),
        ALLOW(pwrite64),
        ALLOW(lseek),
        ALLOW(ftruncate),
        ALLOW(fstat),
        ALLOW(newfstatat),
        ALLOW(close),
        ALLOW(brk),
        ALLOW(munmap),
        ALLOW(mremap),
        ALLOW(madvise),
        ALLOW(futex),
        ALLOW(clock_gettime),
        ALLOW(gettimeofday),
        ALLOW(getpid),
        ALLOW(getrandom),
        ALLOW(rt_sigreturn),
        ALLOW(rt_sigprocmask),
        ALLOW(exit),
        ALLOW(exit_group),
        DENY(openat),
#if defined __x86_64__
        DENY(open),
        DENY(access),
        DENY(readlink),
        DENY(stat),
        ALLOW(time),
#endif
        DENY(readlinkat),
        DENY(getcwd),
        DENY(ioctl),
        DENY(fcntl),
        DENY(sysinfo),
        DENY(prlimit64),
        ALLOW_WITHOUT_CODE(mmap),
        ALLOW_WITHOUT_CODE(mprotect),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
    return ARCHITECTURE != 0 && !SANITIZED && !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

static bool restrict_paths(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1)
        return false;
    struct landlock_ruleset_attr all = {.handled_access_fs = (1u << 13) - 1};
    if (version >= 2)
        all.handled_access_fs |= 1u << 13;
    if (version >= 3)
        all.handled_access_fs |= 1u << 14;
    long rules = syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);
    bool ok = rules >= 0 && !syscall(SYS_landlock_restrict_self, (int)rules, 0);
    if (rules >= 0)
        close((int)rules);
    return ok;
}

static int64_t mapped_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%ld", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

static void limit(int what, int64_t most)
{
    struct rlimit now, wanted = {(rlim_t)most, (rlim_t)most};
    if (!getrlimit((__rlimit_resource_t)what, &now) && now.rlim_max != RLIM_INFINITY && now.rlim_max < wanted.rlim_max)
        wanted.rlim_cur = wanted.rlim_max = now.rlim_max;
    if (setrlimit((__rlimit_resource_t)what, &wanted))
        _exit(FAILED_TO_START);
}

static void close_all_but(const int *keep, size_t n_keep)
{
    int next = 0;
    for (;;) { /* the smallest kept descriptor from next on */
        int stop = -1;
        for (size_t i = 0; i < n_keep; i++)
            if (keep[i] >= next && (stop < 0 || keep[i] < stop))
                stop = keep[i];
        if (stop != next)
            syscall(SYS_close_range, (unsigned)next, stop < 0 ? ~0u : (unsigned)stop - 1, 0);
        if (stop < 0)
            return;
        next = stop + 1;
    }
}

/* What this process was given falls away here, in this order: limits and landlock need system calls that seccomp
 * forbids. */
static void reduce(const struct sandbox_limits *limits, int64_t mapped, struct sandbox_state *state)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, plain = {.sa_handler = SIG_DFL};
    sigaction(SIGXFSZ, &ignore, NULL);
    const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGSYS, SIGXCPU, SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        if (!SANITIZED || fatal[i] == SIGTERM || fatal[i] == SIGINT || fatal[i] == SIGHUP)
            sigaction(fatal[i], &plain, NULL);
    int64_t file_bytes = limits->file_bytes > limits->result_bytes ? limits->file_bytes : limits->result_bytes;
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_CPU, limits->cpu_seconds);
    limit(RLIMIT_FSIZE, file_bytes + 65536);
    if (!SANITIZED)
        limit(RLIMIT_AS, mapped + limits->memory_bytes);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _exit(FAILED_TO_START);
    state->landlock = restrict_paths();
    limit(RLIMIT_NPROC, 0);
    state->seccomp = install_filter();
}

static bool write_result(int fd, const void *data, size_t n)
{
    const char *p = data;
    while (n) {
        ssize_t done = write(fd, p, n);
        if (done <= 0)
            return false;
        p += done;
        n -= (size_t)done;
    }
    return true;
}

/* The memory file gets: ok, error code, length, then result or message. */
static void report(int fd, bool ok, const struct str *result, const struct err *err)
{
    struct str head = {0};
    const char *data = ok ? str_text(result) : err->text;
    size_t n = ok ? result->length : strlen(err->text);
    bytes_add(&head, ok, 1);
    bytes_add(&head, ok ? 0 : err->code, 1);
    bytes_add(&head, n, 8);
    _exit(write_result(fd, head.data, head.length) && write_result(fd, data, n) ? DONE : FAILED_TO_START);
}

__attribute__((noreturn)) static void child(bool (*work)(void *ctx, struct str *result, struct err *err), void *ctx,
                                            const int *keep, size_t n_keep, int fd_result,
                                            const struct sandbox_limits *limits, int64_t mapped)
{
    struct sandbox_state state = {0};
    struct str result = {0};
    struct err err = {0};
    int kept[16];
    size_t n = 0;
    kept[n++] = fd_result;
    for (size_t i = 0; i < n_keep && n < 16; i++)
        if (keep[i] >= 0)
            kept[n++] = keep[i];
    if (SANITIZED)
        kept[n++] = 2; /* where its reports go */
    err_bug_hook = NULL;
    close_all_but(kept, n);
    reduce(limits, mapped, &state);
    io = &io_system;
    report(fd_result, work(ctx, &result, &err), &result, &err);
    _exit(FAILED_TO_START);
}

/* The message of the child may hold anything. */
static bool hand_on(uint8_t code, const char *text, struct err *err)
{
    struct str shown = {0};
    str_add_visible(&shown, text);
    err_set(err, code > ERR_NONE && code <= ERR_DEVICE ? (enum err_code)code : ERR_FORMAT, "%s", str_text(&shown));
    str_release(&shown);
    return false;
}

static bool take_result(int fd, const char *what, const struct sandbox_limits *limits, struct str *result,
                        struct err *err)
{
    uint8_t head[10];
    struct stat st;
    if (fstat(fd, &st) || st.st_size < 10 || !io_pread_all(fd, head, 10, 0, what, err))
        return err_set(err, ERR_FORMAT, "'%s' is damaged or hostile (the reader gave no result)", what);
    uint64_t n = bytes_get(head + 2, 8);
    if (n != (uint64_t)st.st_size - 10 || n > (uint64_t)limits->result_bytes || head[0] > 1)
        return err_set(err, ERR_FORMAT, "'%s' is damaged or hostile (the reader gave a result of %lld bytes)", what,
                       (long long)st.st_size);
    char *data = xmalloc((size_t)n + 1);
    data[n] = 0;
    bool ok = io_pread_all(fd, data, (size_t)n, 10, what, err);
    if (ok && head[0])
        str_add_bytes(result, data, (size_t)n);
    else if (ok)
        ok = hand_on(head[1], data, err);
    free(data);
    return ok;
}

static bool wait_for(pid_t pid, const char *what, struct err *err)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_errno(err, ERR_FAILED, errno, "cannot wait for the reader of '%s'", what);
    if (WIFSIGNALED(status)) {
        int signal_number = WTERMSIG(status);
        const char *reason = signal_number == SIGSYS ? "it tried a forbidden system call or ran out of memory"
                             : signal_number == SIGXCPU || signal_number == SIGKILL
                                 ? "it took too long or too much memory"
                             : signal_number == SIGABRT ? "it found itself broken"
                                                        : strsignal(signal_number);
        return err_set(err, ERR_FORMAT, "'%s' is damaged or hostile (the reader was stopped: %s)", what, reason);
    }
    if (WEXITSTATUS(status) == FAILED_TO_START)
        return err_set(err, ERR_FAILED, "cannot read '%s': its protected reader could not work", what);
    if (WEXITSTATUS(status) != DONE)
        return err_set(err, ERR_FORMAT, "'%s' is damaged or hostile (the reader ended with %d)", what,
                       WEXITSTATUS(status));
    return true;
}

bool sandbox_run(const char *what, bool (*work)(void *ctx, struct str *result, struct err *err), void *ctx,
                 const int *keep, size_t n_keep, const struct sandbox_limits *limits, struct str *result,
                 struct err *err)
{
    int fd = memfd_create("antler-result", MFD_CLOEXEC);
    if (fd < 0)
        return err_errno(err, ERR_FAILED, errno, "cannot prepare the protected reader of '%s'", what);
    int64_t mapped = mapped_bytes();
    pid_t pid = fork();
    if (!pid)
        child(work, ctx, keep, n_keep, fd, limits, mapped);
    bool ok = pid > 0 ? wait_for(pid, what, err) && take_result(fd, what, limits, result, err)
                      : err_errno(err, ERR_FAILED, errno, "cannot start the protected reader of '%s'", what);
    close(fd);
    return ok;
}

/* The forbidden things. Each returns true when it worked, that is, when the sandbox leaks. */
static bool try_open(int fd)
{
    (void)fd;
    int file = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    return file >= 0;
}

static bool try_socket(int fd)
{
    (void)fd;
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0;
}

static bool try_exec(int fd)
{
    char *arguments[] = {"true", NULL};
    (void)fd;
    execv("/bin/true", arguments);
    return false;
}

static bool try_code(int fd)
{
    (void)fd;
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool try_write(int fd)
{
    return write(fd, "x", 1) == 1;
}

/* Runs one attempt in a reduced child: true when it failed or killed the child. exec counts as leaked when the child
 * ends well. */
static bool is_refused(bool (*attempt)(int fd), int victim)
{
    struct sandbox_limits limits = {.cpu_seconds = 2, .memory_bytes = 64 << 20, .result_bytes = 4096};
    int64_t mapped = mapped_bytes();
    int status = 0;
    pid_t pid = fork();
    if (!pid) {
        struct sandbox_state state = {0};
        close_all_but(NULL, 0);
        reduce(&limits, mapped, &state);
        _exit(attempt(victim) ? 0 : 1);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return pid > 0 && !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

struct sandbox_state sandbox_self_test(struct str *report)
{
    struct sandbox_state state = {0};
    int victim = memfd_create("antler-victim", MFD_CLOEXEC);
    state.no_open = is_refused(try_open, victim);
    state.no_socket = is_refused(try_socket, victim);
    state.no_exec = is_refused(try_exec, victim);
    state.no_code = is_refused(try_code, victim);
    state.no_write = is_refused(try_write, victim);
    close(victim);
    state.landlock = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
    state.seccomp = state.no_socket && !SANITIZED;
    if (report)
        str_addf(report, "%s, %s%s", state.seccomp ? "seccomp in force" : "seccomp NOT in force",
                 state.landlock ? "landlock in force" : "landlock NOT available",
                 state.no_open && state.no_exec && state.no_write ? "" : "; a forbidden action was possible");
    return state;
}
