/* test_train_silence.c - a training step makes no system call and allocates nothing: counted by a tracer between two
 * steps of an epoch that also records every step and feeds the live page; the shipped examples and a model with dropout
 * and normalization. With two threads there are two exceptions: a helper that has nothing to do sleeps
 * (futex) and is looked after, and the first product in which two threads meet makes OpenBLAS map a buffer.
 */
#include "tests/check.h"

#include "base/io.h"
#include "engine/train/fit.h"
#include "persistence/config/run_config.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { FIRST_STEP = 50, LAST_STEP = 150 };

static struct shared { /* between tracer and traced */
    long allocations_first, allocations_last;
    char failure[400];
} * shared;

static long allocations, steps;

#if defined(__SANITIZE_ADDRESS__)
enum { COUNTS_ALLOCATIONS = 0 };
#else
enum { COUNTS_ALLOCATIONS = 1 };
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
void *malloc(size_t n)
{
    __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
    return __libc_malloc(n);
}
void *calloc(size_t n, size_t size)
{
    __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
    return __libc_calloc(n, size);
}
void *realloc(void *old, size_t n)
{
    __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
    return __libc_realloc(old, n);
}
#endif

/* The loop reads this clock once a step: the place to count steps. The getppid calls are the marks that the tracer
 * looks for. */
static int64_t counting_clock(void)
{
    steps++;
    if (steps == FIRST_STEP || steps == LAST_STEP) {
        *(steps == FIRST_STEP ? &shared->allocations_first : &shared->allocations_last) = allocations;
        syscall(SYS_getppid);
    }
    return io_system.monotonic_ns();
}

static const char config_text[] =
    "{\"seed\": 1, \"data\": {\"format\": \"synthetic\", \"name\": \"moons\", \"samples\": 3000, \"noise\": 0.1},"
    " \"model\": {\"layers\": [{\"class\": \"Dense\", \"units\": 16, \"activation\": \"relu\"}, {\"class\": "
    "\"Dropout\", \"rate\": 0.2},"
    "  {\"class\": \"BatchNormalization\"}, {\"class\": \"Dense\", \"units\": 1, \"activation\": \"sigmoid\"}]},"
    " \"compile\": {\"optimizer\": \"adam\", \"loss\": \"binary_crossentropy\", \"metrics\": [\"accuracy\"]}}";

/* The text, or the example of that name, for one epoch of small batches. */
static json_t *read_config(const char *example, struct err *err)
{
    char *text = NULL, *path = xprintf("%s/configs/%s.json", SOURCE_DIR, example ? example : "");
    size_t n;
    json_t *config = NULL;
    if (!example)
        config = js_parse(config_text, sizeof config_text - 1, "the test's config", JS_STRICT, err);
    else if (io_read_file(path, 1 << 20, &text, &n, err))
        config = js_parse(text, n, path, JS_STRICT, err);
    if (config) {
        json_object_set_new(config, "fit", json_pack("{s:i,s:i}", "epochs", 1, "batch_size", 8));
        json_object_set_new(config, "history", json_pack("{s:i}", "every_steps", 1));
        json_object_del(config, "callbacks");
    }
    free(text);
    free(path);
    return config;
}

static bool train(const char *example, int threads, const char *folder, struct err *err)
{
    static struct fit fit;
    static struct steering steering;
    static struct io_table table;
    json_t *config = read_config(example, err);
    struct session_options options = {
        .config = config, .folder = SOURCE_DIR "/configs", .where = "test", .device = "cpu", .threads = threads};
    struct session *session = config ? session_open(&options, err) : NULL;
    if (!session || !session_start_device(session, err) || !fit_init(&fit, session, "test", err))
        return false;
    struct fit_place place = {.run_folder = folder, .run_id = "test", .steering = &steering};
    steering_init(&steering);
    place.journal = journal_open(folder, err);
    place.live = place.journal ? run_live_create(folder, err) : NULL;
    if (!place.live || !fit_attach(&fit, &place, err))
        return false;
    table = io_system;
    table.monotonic_ns = counting_clock;
    io = &table;
    enum fit_end end;
    return fit_run(&fit, &end, err);
}

static void traced(const char *example, int threads, const char *folder)
{
    struct err err = {0};
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    if (!train(example, threads, folder, &err))
        snprintf(shared->failure, sizeof shared->failure, "%s", err.text);
    _exit(0);
}

static bool is_entry_of(pid_t tid, long *number)
{
    struct __ptrace_syscall_info info;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, (void *)sizeof info, &info) <= 0 || info.op != PTRACE_SYSCALL_INFO_ENTRY)
        return false;
    *number = (long)info.entry.nr;
    return true;
}

/* Helpers sleep and are woken, and who waits for one looks after it (engine/cpu/crowd.h); OpenBLAS maps a buffer when
 * for the first time two threads are in a product together. */
static bool of_several_threads(long number)
{
    return number == SYS_futex || number == SYS_getrusage || number == SYS_clock_gettime ||
           number == SYS_sched_getaffinity || number == SYS_sched_setaffinity || number == SYS_mmap ||
           number == SYS_mbind;
}

/* How many system calls the training thread makes between the two marks, -1 when they did not come. The other threads
 * are followed too, so that they go on, but not counted: writing the history and checkpoints is what they are for. */
static long count_calls(pid_t pid, bool several)
{
    int status, marks = 0;
    long calls = 0, number;
    waitpid(pid, &status, 0);
    ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL));
    ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
    for (pid_t tid; (tid = waitpid(-1, &status, __WALL)) > 0;) {
        if (!WIFSTOPPED(status))
            continue;
        int stop = WSTOPSIG(status);
        if (stop == (SIGTRAP | 0x80) && is_entry_of(tid, &number)) {
            bool mark = number == SYS_getppid;
            bool excused = tid != pid || (several && of_several_threads(number));
            calls += marks == 1 && !mark && !excused;
            marks += mark;
        }
        bool passed_on = stop != (SIGTRAP | 0x80) && stop != SIGTRAP && stop != SIGSTOP;
        ptrace(PTRACE_SYSCALL, tid, NULL, (void *)(long)(passed_on ? stop : 0));
    }
    return marks == 2 ? calls : -1;
}

static void check_silence(const char *example, int threads)
{
    char folder[512];
    snprintf(folder, sizeof folder, "%s/%s-%d", check_tmp(), example ? example : "moons", threads);
    char *checkpoints = path_join(folder, "checkpoints");
    CHECK(io_make_folders(checkpoints, NULL));
    free(checkpoints);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    fflush(NULL);
    pid_t pid = fork();
    if (!pid)
        traced(example, threads, folder);
    long calls = count_calls(pid, threads > 1);
    CHECK_STR(shared->failure, "");
    CHECK(calls >= 0);
    if (COUNTS_ALLOCATIONS) { /* a sanitizer's own allocations and calls are not ours */
        CHECK_EQ(calls, 0);
        CHECK(shared->allocations_first > 0);
        CHECK_EQ(shared->allocations_last, shared->allocations_first);
    }
    munmap(shared, sizeof *shared);
}

static void test_a_step_of_a_model_with_dropout_and_normalization_is_silent(void)
{
    check_silence(NULL, 1);
}

static void test_a_step_of_the_digits_mlp_is_silent(void)
{
    check_silence("digits-mlp", 1);
}

static void test_a_step_of_the_digits_cnn_is_silent(void)
{
    check_silence("digits-cnn", 1);
}

static void test_with_two_threads_a_step_of_the_digits_cnn_only_lets_helpers_sleep(void)
{
    check_silence("digits-cnn", 2);
}

/* As the launcher starts a worker: without threads of OpenBLAS, which would wait busily. */
static void start_again_with_one_blas_thread(char **argv)
{
    const char *set = getenv("OPENBLAS_NUM_THREADS");
    if (set && !strcmp(set, "1"))
        return;
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    if (argc == 1)
        start_again_with_one_blas_thread(argv);
    RUN(test_a_step_of_a_model_with_dropout_and_normalization_is_silent);
    RUN(test_a_step_of_the_digits_mlp_is_silent);
    RUN(test_a_step_of_the_digits_cnn_is_silent);
    RUN(test_with_two_threads_a_step_of_the_digits_cnn_only_lets_helpers_sleep);
    return check_done();
}
