/* sandbox.h - runs a function over hostile bytes in a child that can do nothing else, and takes back flat bytes.
 *
 * The child is a fork of this process, reduced before it looks at the first byte: all descriptors but the named ones
 * closed; no new privileges; landlock without a single rule (no path can be opened); resource limits (memory, CPU
 * seconds, file size, no core, no processes); a seccomp filter that allows about 25 system calls on what is open
 * already and kills on all others. It cannot open a file, make a socket, start a program, map code or signal anybody.
 * Its result arrives through a memory file and is untrusted: whoever reads it checks every number again. A child that
 * dies is ERR_FORMAT: "damaged or hostile (the reader was stopped: ...)".
 *
 * Use it before threads are started, or afterwards with work that takes no locks but malloc's (glibc makes malloc safe
 * after fork). Nothing that belongs to a device or to SQLite may be touched inside. A fork costs 1 to 2 ms, plus 20 ms
 * per GiB of this process. What a kernel lacks is left out; sandbox_self_test says what holds. Under the address
 * sanitizer seccomp and the memory limit are off, because its run time needs more.
 *
 *     struct sandbox_limits limits = {.cpu_seconds = 10, .memory_bytes = 1u << 30, .result_bytes = 64 << 20};
 *     struct str result = {0};
 *     if (!sandbox_run("model.keras", survey, &input, &fd, 1, &limits, &result, err)) ...
 */
#ifndef PERSISTENCE_KERAS_SANDBOX_H
#define PERSISTENCE_KERAS_SANDBOX_H

#include "base/str.h"

struct sandbox_limits {
    int cpu_seconds;
    int64_t memory_bytes; /* on top of what this process has mapped */
    int64_t file_bytes;   /* the child may make a memory file that it was given this large; at least result_bytes */
    int64_t result_bytes; /* a longer result is refused */
};

/* Runs work(ctx, result, err) in a child that keeps only the descriptors in keep. When work returns true its result is
 * appended to *result; when it returns false its err is handed on. what is the name of the file for messages. */
bool sandbox_run(const char *what, bool (*work)(void *ctx, struct str *result, struct err *err), void *ctx,
                 const int *keep, size_t n_keep, const struct sandbox_limits *limits, struct str *result,
                 struct err *err) MUST_USE;

struct sandbox_state { /* what was tried in a child and found to be impossible */
    bool no_open, no_socket, no_exec, no_code,
        no_write; /* open a file; make a socket; start a program; map memory to execute; write to a closed descriptor */
    bool landlock, seccomp; /* in force */
};
/* Tries the forbidden things in children. A text for people ("seccomp and landlock in force") is appended to report,
 * which may be NULL. */
struct sandbox_state sandbox_self_test(struct str *report);

#endif
