/* log_tail.h - the end of what a worker printed, as lines: terminal escapes taken out, and of a line that was written
 * over itself (a progress bar) what was there last. */
#ifndef TUI_VIEWS_LOG_TAIL_H
#define TUI_VIEWS_LOG_TAIL_H

#include "base/arena.h"
#include "base/str.h"

/* The last lines of a file, oldest first, at most `max_bytes` of it. Lines are in the arena. False and err when it
 * cannot be read; a file that is not there has no lines. *cut: something lies before the first line. */
bool log_tail(const char *path, size_t max_bytes, struct arena *arena, const char ***lines, size_t *n, bool *cut,
              struct err *err) MUST_USE;

/* One line (without its end) as a terminal would leave it, instead of what out held. */
void log_clean(const char *line, size_t length, struct str *out);

#endif
