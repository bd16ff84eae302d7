/* The sandbox: results and errors come back, everything else is stopped. */
#include "persistence/keras/sandbox.h"

#include "base/arena.h"
#include "tests/check.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

static const struct sandbox_limits limits = {
    .cpu_seconds = 1, .memory_bytes = 256 << 20, .file_bytes = 1 << 20, .result_bytes = 1 << 20};

#if defined __SANITIZE_ADDRESS__
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

static bool answer(void *ctx, struct str *result, struct err *err)
{
    char text[16] = "";
    int fd = *(int *)ctx;
    if (pread(fd, text, 5, 0) != 5)
        return err_set(err, ERR_FAILED, "no read");
    for (int i = 0; i < 1000; i++)
        str_add(result, text);
    return true;
}

static bool complain(void *ctx, struct str *result, struct err *err)
{
    (void)ctx;
    (void)result;
    return err_set(err, ERR_FORMAT, "found %d, expected 2", 3);
}

static bool crash(void *ctx, struct str *result, struct err *err)
{
    (void)ctx;
    (void)result;
    (void)err;
    raise(SIGSEGV);
    return true;
}

static bool loop(void *ctx, struct str *result, struct err *err)
{
    (void)ctx;
    (void)err;
    volatile bool forever = true;
    while (forever)
        result->capacity ^= 1;
    return false;
}

static bool flood(void *ctx, struct str *result, struct err *err)
{
    (void)ctx;
    (void)err;
    for (int i = 0; i < 3 << 17; i++)
        str_add(result, "12345678");
    return true;
}

static bool make_socket(void *ctx, struct str *result, struct err *err)
{
    (void)ctx;
    (void)err;
    str_addf(result, "%d", socket(AF_INET, SOCK_STREAM, 0));
    return true;
}

static bool open_file(void *ctx, struct str *result, struct err *err)
{
    (void)ctx;
    (void)err;
    str_addf(result, "%d", open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 ? 0 : 1);
    return true;
}

static bool use_foreign_descriptor(void *ctx, struct str *result, struct err *err)
{
    (void)err;
    str_addf(result, "%d", write(*(int *)ctx, "x", 1) < 0 ? 0 : 1);
    return true;
}

static bool run(bool (*work)(void *, struct str *, struct err *), void *ctx, const int *keep, size_t n,
                struct str *result, struct err *err)
{
    return sandbox_run("evil.keras", work, ctx, keep, n, &limits, result, err);
}

static void test_results_and_errors_come_back(void)
{
    struct err err = {0};
    struct str result = {0};
    int fd = memfd_create("in", MFD_CLOEXEC);
    CHECK_EQ(write(fd, "hello", 5), 5);
    CHECK_OK(run(answer, &fd, &fd, 1, &result, &err), err);
    CHECK_EQ(result.length, 5000);
    CHECK_HAS(str_text(&result), "hellohello");
    CHECK(!run(complain, NULL, NULL, 0, &result, &err));
    CHECK_STR(err.text, "found 3, expected 2");
    CHECK_EQ(err.code, ERR_FORMAT);
    str_release(&result);
    close(fd);
}

static void test_death_is_a_damaged_file(void)
{
    struct err err = {0};
    struct str result = {0};
    CHECK(!run(crash, NULL, NULL, 0, &result, &err));
    CHECK_EQ(err.code, ERR_FORMAT);
    CHECK_HAS(err.text, "'evil.keras' is damaged or hostile");
    CHECK(!run(loop, NULL, NULL, 0, &result, &err));
    CHECK_HAS(err.text, "too long");
    CHECK(!run(flood, NULL, NULL, 0, &result, &err));
    CHECK_EQ(result.length, 0);
}

static void test_nothing_outside_is_reached(void)
{
    struct err err = {0};
    struct str result = {0};
    int victim = open(check_path("victim"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(!SANITIZED ? !run(make_socket, NULL, NULL, 0, &result, &err) : true);
    str_clear(&result);
    CHECK_OK(run(open_file, NULL, NULL, 0, &result, &err), err);
    CHECK_STR(str_text(&result), "0");
    str_clear(&result);
    CHECK_OK(run(use_foreign_descriptor, &victim, NULL, 0, &result, &err), err);
    CHECK_STR(str_text(&result), "0");
    CHECK_EQ(lseek(victim, 0, SEEK_END), 0);
    str_release(&result);
    close(victim);
}

static void test_the_self_test_tells_what_holds(void)
{
    struct str report = {0};
    struct sandbox_state state = sandbox_self_test(&report);
    CHECK(state.no_write);
    CHECK(state.no_exec);
    CHECK(SANITIZED || (state.no_open && state.no_socket && state.no_code && state.seccomp));
    CHECK_HAS(str_text(&report), SANITIZED ? "seccomp NOT in force" : "seccomp in force");
    str_release(&report);
}

int main(void)
{
    RUN(test_results_and_errors_come_back);
    RUN(test_death_is_a_damaged_file);
    RUN(test_nothing_outside_is_reached);
    RUN(test_the_self_test_tells_what_holds);
    return check_done();
}
