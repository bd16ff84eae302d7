/* err.c - see err.h */
#include "base/err.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void (*err_bug_hook)(void);

__attribute__((format(printf, 3, 0))) static void set(struct err *err, enum err_code code, const char *format,
                                                      va_list args)
{
    if (!err)
        return;
    char text[sizeof err->text];
    vsnprintf(text, sizeof text, format, args);
    err->code = code;
    memcpy(err->text, text, sizeof text);
}

bool err_set(struct err *err, enum err_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set(err, code, format, args);
    va_end(args);
    return false;
}

void *err_null(struct err *err, enum err_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set(err, code, format, args);
    va_end(args);
    return NULL;
}

bool err_prefix(struct err *err, const char *format, ...)
{
    if (!err)
        return false;
    char text[sizeof err->text];
    va_list args;
    va_start(args, format);
    int used = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (used >= 0 && (size_t)used < sizeof text)
        snprintf(text + used, sizeof text - (size_t)used, ": %s", err->text);
    memcpy(err->text, text, sizeof text);
    return false;
}

bool err_nearest(struct err *err, const char *nearest)
{
    return nearest ? err_set(err, err ? err->code : ERR_NONE, "%s, did you mean '%s'?", err ? err->text : "", nearest)
                   : false;
}

bool err_errno(struct err *err, enum err_code code, int errnum, const char *format, ...)
{
    if (!err)
        return false;
    if (errnum == ENOSPC || errnum == EDQUOT || errnum == ENOMEM)
        code = ERR_NOMEM;
    va_list args;
    va_start(args, format);
    set(err, code, format, args);
    va_end(args);
    size_t used = strlen(err->text);
    char why[128];
    snprintf(err->text + used, sizeof err->text - used, ": %s", strerror_r(errnum, why, sizeof why));
    return false;
}

static const struct {
    const char *name;
    int status;
} codes[] = {
#define X(name, status, text) {#name, status},
    ERR_CODES(X)
#undef X
};

int err_exit_status(enum err_code code)
{
    return codes[code].status;
}

const char *err_code_name(enum err_code code)
{
    static char lower[sizeof codes / sizeof *codes][16];
    for (size_t i = 0; codes[code].name[i]; i++)
        lower[code][i] = (char)tolower((unsigned char)codes[code].name[i]);
    return lower[code];
}

enum err_code err_code_parse(const char *name)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (!strcasecmp(codes[i].name, name))
            return (enum err_code)i;
    return ERR_FAILED;
}

void err_bug(const char *file, int line, const char *condition)
{
    if (err_bug_hook)
        err_bug_hook();
    fprintf(stderr, "antler: a bug at %s:%d: %s\n", file, line, condition);
    abort();
}
