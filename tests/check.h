/* check.h - the whole test framework. A test file defines functions test_<sentence>(void) and lists them in main:
 *
 *     int main(void) { RUN(test_a_torn_tail_is_ignored); RUN(test_...); return check_done(); }
 *
 * A failed check prints file, line and both values, and the process exits 1 in check_done(). SKIP(reason) exits 77.
 */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int check_failures;
static const char *check_current = "";

#define CHECK_FAIL(...)                                                                                                \
    do {                                                                                                               \
        check_failures++;                                                                                              \
        fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, check_current);                                             \
        fprintf(stderr, __VA_ARGS__);                                                                                  \
        fputc('\n', stderr);                                                                                           \
    } while (0)
#define CHECK(cond)                                                                                                    \
    do {                                                                                                               \
        if (!(cond))                                                                                                   \
            CHECK_FAIL("expected %s", #cond);                                                                          \
    } while (0)
#define CHECK_EQ(a, b)                                                                                                 \
    do {                                                                                                               \
        long long check_a = (long long)(a), check_b = (long long)(b);                                                  \
        if (check_a != check_b)                                                                                        \
            CHECK_FAIL("%s is %lld, expected %s = %lld", #a, check_a, #b, check_b);                                    \
    } while (0)
#define CHECK_STR(a, b)                                                                                                \
    do {                                                                                                               \
        const char *check_a = (a), *check_b = (b);                                                                     \
        if (!check_a || !check_b || strcmp(check_a, check_b))                                                          \
            CHECK_FAIL("%s is\n  '%s', expected\n  '%s'", #a, check_a ? check_a : "(null)",                            \
                       check_b ? check_b : "(null)");                                                                  \
    } while (0)
/* The text a contains the text b. */
#define CHECK_HAS(a, b)                                                                                                \
    do {                                                                                                               \
        const char *check_a = (a), *check_b = (b);                                                                     \
        if (!check_a || !strstr(check_a, check_b))                                                                     \
            CHECK_FAIL("%s is\n  '%s', expected to contain\n  '%s'", #a, check_a ? check_a : "(null)", check_b);       \
    } while (0)
/* Absolute or relative difference at most tol; NaN equals NaN. */
#define CHECK_NEAR(a, b, tol)                                                                                          \
    do {                                                                                                               \
        double check_a = (a), check_b = (b), check_t = (tol);                                                          \
        if (!(isnan(check_a) && isnan(check_b)) && check_a != check_b &&                                               \
            !(fabs(check_a - check_b) <= check_t * fmax(1, fmax(fabs(check_a), fabs(check_b)))))                       \
            CHECK_FAIL("%s is %.9g, expected %s = %.9g within %g", #a, check_a, #b, check_b, check_t);                 \
    } while (0)
/* A call that returns bool and takes an err as its last argument: CHECK_OK(call(..., &err), err). */
#define CHECK_OK(call, e)                                                                                              \
    do {                                                                                                               \
        if (!(call))                                                                                                   \
            CHECK_FAIL("%s failed: %s", #call, (e).text);                                                              \
    } while (0)
#define SKIP(...)                                                                                                      \
    do {                                                                                                               \
        printf("SKIP: " __VA_ARGS__);                                                                                  \
        putchar('\n');                                                                                                 \
        exit(getenv("CI") && !strcmp(getenv("CI"), "true") ? 1 : 77);                                                  \
    } while (0)
#define RUN(test)                                                                                                      \
    do {                                                                                                               \
        check_current = #test;                                                                                         \
        test();                                                                                                        \
    } while (0)

static inline int check_done(void)
{
    if (check_failures)
        fprintf(stderr, "%d checks failed\n", check_failures);
    return check_failures != 0;
}

/* A fresh folder under $TMPDIR (or /tmp), created once per process and removed at exit. Whoever has one holds its lock:
 * those that killed tests left behind are removed (tests/crash/work_folder.py does the same). */
#define CHECK_PREFIX "antler-test-"
enum { CHECK_YOUNG_S = 600 }; /* its lock may not be taken yet */
static char check_folder[256];
static inline void check_remove(const char *folder)
{
    char command[320];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command))
        fprintf(stderr, "cannot remove '%s'\n", folder);
}
static inline void check_remove_folder(void)
{
    check_remove(check_folder);
}
/* Held until it is closed, by this process and its forks. -1: a test has it. */
static inline int check_lock(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB)) {
        close(fd);
        fd = -1;
    }
    return fd;
}
static inline void check_sweep(const char *base)
{
    DIR *dir = opendir(base);
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        char path[sizeof check_folder];
        struct stat st;
        const char *name = entry->d_name;
        if (strncmp(name, CHECK_PREFIX, strlen(CHECK_PREFIX)) || strchr(name, '\'') ||
            (size_t)snprintf(path, sizeof path, "%s/%s", base, name) >= sizeof path || lstat(path, &st) ||
            st.st_mtime > time(NULL) - CHECK_YOUNG_S)
            continue;
        int lock = check_lock(path);
        if (lock >= 0) {
            check_remove(path);
            close(lock);
        }
    }
    if (dir)
        closedir(dir);
}
static inline const char *check_tmp(void)
{
    if (!check_folder[0]) {
        const char *base = getenv("TMPDIR");
        base = base && *base ? base : "/tmp";
        check_sweep(base);
        snprintf(check_folder, sizeof check_folder, "%.200s/" CHECK_PREFIX "XXXXXX", base);
        if (!mkdtemp(check_folder) || check_lock(check_folder) < 0) {
            perror(check_folder);
            exit(1);
        }
        atexit(check_remove_folder);
        char own[sizeof check_folder + 8];
        snprintf(own, sizeof own, "%s/own", check_folder);
        setenv("XDG_CONFIG_HOME", own, 1); /* nobody's own settings hold in a test, none are changed by it */
    }
    return check_folder;
}
/* Entries of a folder but "." and ".."; 0 when there is none. */
static inline int check_entries(const char *folder)
{
    int n = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    if (dir)
        closedir(dir);
    return n;
}

/* "<tmp>/<name>" in one of eight rotating buffers. */
static inline const char *check_path(const char *name)
{
    static char paths[8][512];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", check_tmp(), name);
    return path;
}

#endif
