/* widget_overlay.h - what lies over a view: questions, the help, a menu. */
#ifndef TUI_WIDGETS_WIDGET_OVERLAY_H
#define TUI_WIDGETS_WIDGET_OVERLAY_H

#include "tui/widgets/widget_edit.h"
#include "tui/widgets/widget_list.h"

/* A question: yes or no (y, Enter, n, Esc), a text, or a name that must be typed exactly. */
enum dialog_kind { DIALOG_CONFIRM, DIALOG_TEXT, DIALOG_BY_NAME, DIALOG_MESSAGE };
struct dialog {
    enum dialog_kind kind;
    char title[96], text[1800]; /* an error fits whole */
    char expected[160];         /* BY_NAME */
    char error[256];            /* shown in the dialog; set by the caller when an answer is refused */
    struct edit edit;
    bool open;
};
/* Opens it; initial: of the text field. Copies everything. */
void dialog_open(struct dialog *dialog, enum dialog_kind kind, const char *title, const char *text,
                 const char *initial_or_expected);
void dialog_close(struct dialog *dialog);
enum dialog_result { DIALOG_GOES_ON, DIALOG_YES, DIALOG_NO };
/* YES leaves it open, so that the caller may refuse the answer with `error`. */
enum dialog_result dialog_event(struct dialog *dialog, const struct event *event);
void dialog_draw(const struct dialog *dialog, struct grid *grid);

/* Help from the key table: every action that works at these places, or whose name, key or help contains `search`. */
struct help {
    bool open;
    int top;
    struct edit search;
};
/* False when the help has closed. */
bool help_event(struct help *help, const struct event *event);
void help_draw(struct help *help, struct grid *grid, const struct keymap *map, unsigned places);

/* A menu of lines; the caller owns texts and meaning. hints: right-aligned and faint, may be NULL. */
struct menu {
    bool open;
    struct list list;
};
/* Keys and the mouse. -1: goes on, -2: closed, else the line that was chosen. */
int menu_event(struct menu *menu, const struct event *event);
void menu_draw(struct menu *menu, struct grid *grid, const char *title, const char *const *lines,
               const char *const *hints, int n);

#endif
