/* text_pane.h - a part of the screen with lines of text that can be scrolled: a config, layers, a log, events.
 *
 * A line is a label and a text behind it, each in its style; texts of files are made safe when they are drawn (grid.h).
 *
 *     text_pane_clear(&pane);
 *     text_pane_add(&pane, 0, "epochs", 12, STYLE_TEXT, "20");
 *     text_pane_draw(&pane, grid, rect);
 *     text_pane_release(&pane);
 */
#ifndef TUI_TEXT_PANE_H
#define TUI_TEXT_PANE_H

#include "base/arena.h"
#include "tui/grid.h"
#include "tui/keys.h"

struct text_line {
    const char *label, *text; /* label: may be NULL */
    int indent, column;       /* of the text, counted from the indent; 0 without a label */
    enum style style;         /* of the text; the label is faint */
};
struct text_pane { /* start from a zeroed struct */
    struct arena arena;
    struct text_line *lines;
    size_t n, capacity;
    int top;
    bool at_end; /* new lines at the end are scrolled into view */
    int rows;    /* of the last drawing */
};

/* Forgets the lines; the place stays. */
void text_pane_clear(struct text_pane *pane);
void text_pane_release(struct text_pane *pane);
/* Copies label (may be NULL) and text. */
void text_pane_add(struct text_pane *pane, int indent, const char *label, int column, enum style style,
                   const char *text);
void text_pane_addf(struct text_pane *pane, int indent, const char *label, int column, enum style style,
                    const char *format, ...) PRINTF(6, 7);
/* UP, DOWN, PAGE_*, HALF_*, TOP, BOTTOM: true when the action is one of these. */
bool text_pane_action(struct text_pane *pane, enum action action);
void text_pane_scroll(struct text_pane *pane, int by);
/* Only where it is scrolled to and how many rows it has may change. */
void text_pane_draw(struct text_pane *pane, struct grid *grid, struct rect rect);

#endif
