/* term_internal.h - what the files of the terminal share: term.c (modes and frames), term_look.c (what it is),
 * term_tell.c (title, clipboard, notifications). */
#ifndef TUI_TERMINAL_TERM_INTERNAL_H
#define TUI_TERMINAL_TERM_INTERNAL_H

#include "tui/terminal/pace.h"
#include "tui/terminal/painter.h"
#include "tui/terminal/term.h"

#include <termios.h>

struct term {
    struct term_facts facts;
    struct painter *painter;
    enum theme_name theme;
    int fd;
    bool own_fd; /* a file description of our own, so O_NONBLOCK is not shared with the shell */
    int old_flags;
    struct termios cooked, raw;
    bool entered, asked;
    struct pace pace;
    char *title; /* as set last, NULL: the person's */
    int passes;  /* tmux lets notifications through: 1 yes, -1 no, 0 not asked yet */
    char *rest;  /* bytes of a frame the terminal has not taken yet */
    size_t rest_size, rest_sent, rest_capacity;
};

/* Appends to what the terminal is to be sent (term_flush). */
void term_queue(struct term *term, const char *bytes, size_t n);
/* A variable's value, "" where it is not set. Lent. */
const char *term_environment(const char *name);
/* What the system says, else 80 x 24. */
void term_size(int fd, int *width, int *height);

#endif
