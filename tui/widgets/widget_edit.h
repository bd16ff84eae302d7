/* widget_edit.h - one line of text being edited: filter, form field, command, note. UTF-8, words, kill and history. */
#ifndef TUI_WIDGETS_WIDGET_EDIT_H
#define TUI_WIDGETS_WIDGET_EDIT_H

#include "tui/terminal/grid.h"
#include "tui/terminal/input.h"

enum { EDIT_HISTORY = 32 };
struct edit { /* start from a zeroed struct */
    struct str text;
    size_t cursor;            /* byte offset, on a character border */
    char *past[EDIT_HISTORY]; /* oldest first */
    int n_past, at;           /* at: which of them is shown, n_past: the new text */
    char *draft;              /* the new text while an old one is shown */
};
void edit_release(struct edit *edit);
void edit_set(struct edit *edit, const char *text);
const char *edit_text(const struct edit *edit);
/* Puts the text into the history (not twice in a row, not when empty). */
void edit_remember(struct edit *edit);

enum edit_result { EDIT_IGNORED, EDIT_MOVED, EDIT_CHANGED, EDIT_DONE, EDIT_CANCELLED };
/* Keys and pastes: characters, Backspace, Delete, arrows, Home End, Ctrl-A E B F, word moves (Ctrl- or Alt-arrows,
 * Alt-B F), Ctrl-W, Ctrl-U, Ctrl-K, Up and Down through the history. Enter is DONE; Esc, Ctrl-G and Ctrl-C are
 * CANCELLED. */
enum edit_result edit_event(struct edit *edit, const struct event *event);
/* Draws in the first row of the rectangle, scrolled so that the cursor is seen. hint: shown faint while there is no
 * text; may be NULL. */
void edit_draw(const struct edit *edit, struct grid *grid, struct rect rect, bool focused, const char *hint);

#endif
