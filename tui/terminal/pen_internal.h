/* pen_internal.h - what the files of the pen share: pen.c (looks and characters), pen_way.c (moves). */
#ifndef TUI_TERMINAL_PEN_INTERNAL_H
#define TUI_TERMINAL_PEN_INTERNAL_H

#include "tui/terminal/pen.h"

#include <curses.h>
#include <term.h> /* has macros named like words: columns, lines, tab */

/* What terminfo says; NULL: it has no such order. */
struct pen_terminal {
    TERMINAL *entry;
    const char *cup, *hpa, *vpa, *cuf, *cub, *cuf1, *cub1, *cud, *cuu, *cr, *el, *ech, *clear, *smcup, *rmcup;
    const char *civis, *cnorm;
    const char *sgr0, *bold, *dim, *rev, *smul, *setaf, *setab;
    bool ansi;      /* looks and moves as ECMA-48 has them */
    bool defaults;  /* its own colours can be restored alone */
    bool full_line; /* the last cell can be written without scrolling */
};

/* An order of terminfo without its padding: no terminal that needs any is fed from a buffer. Its bytes, terminated. */
size_t pen_plain(const char *text, char *out, size_t size);
/* The same with two numbers put in; text NULL: none. */
size_t pen_format(const struct pen *pen, const char *text, int a, int b, char *out, size_t size);

#endif
