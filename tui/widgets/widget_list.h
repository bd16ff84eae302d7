/* widget_list.h - a list with columns: selection, scrolling, sort mark, numbers aligned at their point. The rows belong
 * to the caller. */
#ifndef TUI_WIDGETS_WIDGET_LIST_H
#define TUI_WIDGETS_WIDGET_LIST_H

#include "tui/terminal/grid.h"
#include "tui/terminal/keys.h"

enum { LIST_MAX_COLUMNS = 32 };

struct list {
    int count;    /* rows there are */
    int selected; /* 0 .. count - 1; 0 when there are none */
    int top;      /* first row shown */
    bool calm;    /* it grows while it is looked at: it scrolls by several rows at once, so that most of the time no row
                     moves */
    bool follows; /* the selection follows something else, which the person moves: it scrolls by half a page, so that
                     most of the time no row moves */
    /* it scrolls later: what moves the selection moves fast, and every row that scrolls is written anew */
    bool waits;
    bool unmarked; /* the selection is not emphasised: the list is not active, or the caller puts a sign there */
    /* For the mouse: where it was drawn last, the right end of each title in it (0: not shown), the last press. */
    struct rect drawn;
    int title_end[LIST_MAX_COLUMNS];
    int pressed; /* row + 1 */
    double pressed_at;
};

/* After count has changed, and before drawing in `rows` rows: selection and top are in range, the selection is visible
 * unless the list waits. */
void list_settle(struct list *list, int rows);
/* A calm list whose last row is taken scrolls before another one comes, for a moment in which nothing else changes.
 * True when it did. */
bool list_make_room(struct list *list);
/* Whether the selection is among the rows that were drawn last. */
bool list_shows_selected(const struct list *list);
/* UP, DOWN, PAGE_*, HALF_*, TOP, BOTTOM; true when the action is one of these. */
bool list_action(struct list *list, enum action action, int rows);
void list_wheel(struct list *list, int by, int rows);

/* POINT: decimal points under each other; what is no number stands at the right */
enum list_align { LIST_LEFT, LIST_RIGHT, LIST_POINT };
struct list_column {
    const char *title;
    enum list_align align;
    int min, max; /* columns of text; max 0: as wide as the content */
    /* where there is no room, the highest rank goes first, unless it fits beside what is left; 0 always stays */
    int rank;
    bool grow; /* takes what is left (the first such column) */
};
struct list_cell {
    char text[192];
    enum style style;
    const uint32_t *points; /* before the text: code points (a sparkline), lent */
    int n_points;
    enum style points_style;
    bool track; /* of a bar: its blanks are seen too */
};
/* Fills a cell (zeroed before). */
typedef void list_fill(void *context, int row, int column, struct list_cell *cell);

/* A header line, then rows. sort: the column with the mark, -1: none. focused: the selection is bright and carries the
 * cursor. */
void list_draw(struct list *list, struct grid *grid, struct rect rect, const struct list_column *columns, int n,
               int sort, bool reverse, bool focused, list_fill *fill, void *context);
/* What the mouse did where the list was drawn last: a press selects a row, a second one soon after opens it, the wheel
 * scrolls. */
enum list_click { LIST_MISSED, LIST_MOVED, LIST_OPENED };
enum list_click list_mouse(struct list *list, const struct event *event);
/* The column whose title was pressed, -1: none. */
int list_title(const struct list *list, const struct event *event);
/* The row at a cell of the rectangle it was drawn into, -1: none. */
int list_hit(const struct list *list, struct rect rect, int x, int y);

#endif
