/* log.c - see log.h */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

static const char *const names[] = {"error", "warn", "info", "debug"};
static _Atomic int threshold = -1; /* of the environment; asked for by the first line */

static int level_from_environment(void)
{
    const char *wanted = getenv("ANTLER_LOG");
    for (int i = 0; wanted && i < 4; i++)
        if (!strcasecmp(wanted, names[i]))
            return i;
    return LOG_LEVEL_WARN;
}

void log_line(enum log_level level, const char *format, ...)
{
    if (threshold < 0)
        threshold = level_from_environment();
    if ((int)level > threshold)
        return;
    char text[2048], clock[32];
    struct tm tm;
    time_t now = time(NULL);
    strftime(clock, sizeof clock, "%H:%M:%S", localtime_r(&now, &tm));
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "%s %-5s %s\n", clock, names[level], text);
}
