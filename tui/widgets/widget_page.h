/* widget_page.h - a text to read: lines with a style, moved through, searched. What a file holds, a difference, a log.
 *
 *     page_clear(&page);
 *     page_head(&page, "layers");
 *     page_fact(&page, "optimizer", "%s", class);
 *     page_line(&page, STYLE_TEXT, text);       // one line for every '\n'
 *     page_draw(&page, grid, rect);
 *     page_release(&page);
 */
#ifndef TUI_WIDGETS_WIDGET_PAGE_H
#define TUI_WIDGETS_WIDGET_PAGE_H

#include "tui/terminal/keys.h"
#include "tui/widgets/widget_edit.h"

struct page_row {
    size_t offset; /* of its text, terminated */
    uint8_t style; /* enum style */
    uint8_t label; /* so many columns in front are faint */
};
struct page { /* start from a zeroed struct */
    struct str text;
    struct page_row *rows;
    size_t n, capacity;
    int top, left; /* first row and column shown */
    bool follow;   /* the end stays in view */
    bool bar;      /* how far one is is shown at the right edge, where there is more than fits */
    int height;    /* rows of the last drawing */
    struct edit search;
    bool searching;
    long found; /* row of the match, -1 */
};
/* Forgets the lines; where one was reading stays. */
void page_clear(struct page *page);
void page_release(struct page *page);
void page_line(struct page *page, enum style style, const char *text);
void page_linef(struct page *page, enum style style, const char *format, ...) PRINTF(3, 4);
/* A faint label (NULL: none) and a text in its style, which begins `column` columns behind the indent. */
void page_field(struct page *page, int indent, const char *label, int column, enum style style, const char *text);
void page_fieldf(struct page *page, int indent, const char *label, int column, enum style style, const char *format,
                 ...) PRINTF(6, 7);
/* "label            text". */
void page_fact(struct page *page, const char *label, const char *format, ...) PRINTF(3, 4);
/* A blank line and a heading. */
void page_head(struct page *page, const char *title);
/* rows x columns texts, row by row, the first row being the header; columns as wide as their content (all but the
 * last at most PAGE_COLUMN_MOST), those of the bit mask `right` aligned to the right. Texts are copied. */
enum { PAGE_COLUMN_MOST = 30 };
void page_table(struct page *page, const char *const *cells, int rows, int columns, unsigned right);

/* Moves, or starts a search; false: not its action. */
bool page_action(struct page *page, enum action action);
/* The mouse wheel: so many rows. */
void page_scroll(struct page *page, int by);
/* While searching: takes the keys. False: not its event. */
bool page_event(struct page *page, const struct event *event);
void page_draw(const struct page *page, struct grid *grid, struct rect rect);

#endif
