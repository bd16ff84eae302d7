/* pen.h - writing on a terminal with the fewest bytes: knows where the cursor stands and what the next character will
 * look like, and finds the shortest way to another place and another look. What a terminal can do comes from terminfo,
 * which lives here only; nothing is sent, the bytes collect in `out`.
 *
 *     struct pen *pen = pen_open("xterm-256color", COLORS_256, &err);
 *     pen_enter(pen, 80, 24);                  the whole screen is blank now
 *     pen_move(pen, 3, 0), pen_put(pen, 'a', look);
 *     send(pen->out.data, pen->out.length), str_clear(&pen->out);
 *     pen_leave(pen), pen_close(pen);
 */
#ifndef TUI_TERMINAL_PEN_H
#define TUI_TERMINAL_PEN_H

#include "base/str.h"
#include "tui/terminal/theme.h"

struct pen {
    struct str out; /* what was written since the caller cleared it */
    int x, y;       /* of the cursor; x < 0: not known */
    int width, height;
    struct look look;       /* of what is written next */
    enum color_depth depth; /* the colours it has and was allowed */
    int colors;             /* how many of them */
    bool entered;
    bool repeats; /* REP works, for characters of several bytes too: set by who has seen it (painter_answer_repeat) */
    struct pen_terminal *terminal; /* its terminfo entry */
};

/* terminal: a terminfo name. NULL and ERR_FAILED when it is unknown or cannot address its cursor. depth: the most
 * colours to use. */
struct pen *pen_open(const char *terminal, enum color_depth depth, struct err *err);
void pen_close(struct pen *pen);

/* Takes the screen and clears it; again, after a resize or foreign output, it clears it. The cursor is hidden. */
void pen_enter(struct pen *pen, int width, int height);
/* On a screen just entered: repeats a character of three bytes and asks where the cursor stands then (CPR). Where both
 * work it is in this column; the row is never the first, whose answer would be a key. Leaves the screen blank. */
void pen_ask_repeat(struct pen *pen);
enum { PEN_ASKED_COLUMN = 3, PEN_ASKED_ROW = 1 };
/* Gives it back: the cursor is shown, the look plain. */
void pen_leave(struct pen *pen);
void pen_show_cursor(struct pen *pen, bool shown);

void pen_move(struct pen *pen, int x, int y);
/* The bytes pen_move would take. */
size_t pen_distance(const struct pen *pen, int x, int y);
void pen_look(struct pen *pen, struct look look);
/* A character of so many cells where the cursor stands. */
void pen_put(struct pen *pen, uint32_t ch, int cells, struct look look);
/* The character written last, which takes one cell, so many times more. False: the terminal cannot, or it would not be
 * shorter; nothing was done. */
bool pen_repeat(struct pen *pen, uint32_t ch, int times);
/* Blanks of the terminal's own ground from the cursor on; the cursor stays. False: it has no such order, nothing was
 * done. */
bool pen_erase_rest(struct pen *pen);
bool pen_can_erase_rest(const struct pen *pen);
bool pen_erase(struct pen *pen, int cells);
/* The bytes of UTF-8 that a character takes. */
int pen_char_size(uint32_t ch);

/* To write in two ways and keep one: a mark, back to where it stood and how it wrote (the bytes
 * stay), and bytes left out. */
struct pen_mark {
    size_t length; /* of out */
    int x, y;
    struct look look;
};
struct pen_mark pen_mark(const struct pen *pen);
void pen_resume(struct pen *pen, struct pen_mark mark);
void pen_drop(struct pen *pen, size_t begin, size_t end);

bool look_equal(struct look a, struct look b);
/* A blank of this look is a blank of the plain one. */
bool look_is_blank(struct look look);

#endif
