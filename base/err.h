/* err.h - how a failure travels: a code, and one sentence a person can act on.
 *
 * What can fail returns bool (or a pointer), takes `struct err *err` last and is MUST_USE. True: done, err untouched.
 * False: err explains and nothing half-made remains. Text is lower case, without a full stop, names in 'quotes', says
 * found and expected, and a way out where there is one. Only main prints or exits.
 *
 *     if (!entry)
 *         return err_set(err, ERR_FORMAT, "no 'config.json' in '%s'", path);
 *     if (!weights_load(archive, model, err))
 *         return err_prefix(err, "cannot resume run '%s'", run_id);
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF(format_index, first) __attribute__((format(printf, format_index, first)))

/* X(name, exit status, what it means). The exit statuses are part of the contract. */
#define ERR_CODES(X)                                                                                                   \
    X(NONE, 0, "no error")                                                                                             \
    X(FAILED, 1, "failed")                                                                                             \
    X(USAGE, 2, "wrong usage or config")                                                                               \
    X(NOT_FOUND, 3, "no such run or checkpoint")                                                                       \
    X(FORMAT, 4, "file refused as damaged or unsafe")                                                                  \
    X(NOMEM, 5, "out of memory or disk")                                                                               \
    X(DEVICE, 6, "device not available")                                                                               \
    X(INTERRUPTED, 130, "interrupted")

enum err_code {
#define X(name, status, text) ERR_##name,
    ERR_CODES(X)
#undef X
};

struct err {
    enum err_code code;
    char text[1600]; /* always terminated; longer messages are cut */
};

/* Sets code and text, returns false. err may be NULL. Pointers inside the arguments may point into err->text. */
bool err_set(struct err *err, enum err_code code, const char *format, ...) PRINTF(3, 4);
/* As err_set, returns NULL: for functions that return a pointer. */
void *err_null(struct err *err, enum err_code code, const char *format, ...) PRINTF(3, 4);
/* Puts "<text>: " in front of the message and keeps the code. Returns false. */
bool err_prefix(struct err *err, const char *format, ...) PRINTF(2, 3);
/* Puts ", did you mean '<nearest>'?" behind the message, or nothing when nearest is NULL
 * (str_nearest). Returns false. */
bool err_nearest(struct err *err, const char *nearest);
/* As err_set with ": <strerror>" appended. ENOSPC, EDQUOT and ENOMEM become ERR_NOMEM whatever code says. */
bool err_errno(struct err *err, enum err_code code, int errnum, const char *format, ...) PRINTF(4, 5);
/* The exit status of a code. */
int err_exit_status(enum err_code code);
/* The code as a word ("usage"), and back; an unknown word is ERR_FAILED. */
const char *err_code_name(enum err_code code);
enum err_code err_code_parse(const char *name);

/* Our own mistakes, alive in release: prints place and condition, calls the hook (restores the terminal), aborts. */
#define BUG_ON(cond)                                                                                                   \
    do {                                                                                                               \
        if (__builtin_expect(!!(cond), 0))                                                                             \
            err_bug(__FILE__, __LINE__, #cond);                                                                        \
    } while (0)
__attribute__((noreturn)) void err_bug(const char *file, int line, const char *condition);
/* Called by err_bug before it prints; NULL for none. */
extern void (*err_bug_hook)(void);

#endif
