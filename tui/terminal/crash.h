/* crash.h - a process that dies of a signal, or of a mistake of our own (BUG_ON), leaves a sane terminal: a string that
 * was prepared before is written, the modes are restored, and it dies of the same signal. One terminal at a time.
 *
 *     crash_arm(fd, &cooked, "\033[?1049l");   crash_expect(false);   ... the terminal is the shell's ...
 *     crash_expect(true);                      ... it is ours again ...                            crash_disarm();
 */
#ifndef TUI_TERMINAL_CRASH_H
#define TUI_TERMINAL_CRASH_H

#include <stdbool.h>
#include <termios.h>

/* Catches the signals of a crash from now on, on a stack of their own. leave: what takes the terminal back from our
 * modes, copied, at most 200 bytes; looks and cursor are restored anyway. */
void crash_arm(int fd, const struct termios *cooked, const char *leave);
void crash_disarm(void);
/* Whether the terminal is in our modes now, so that a crash has something to restore; true after crash_arm. */
void crash_expect(bool entered);

#endif
