/* text_flow.h - a text of several lines broken into rows of a width: at line ends, at blanks, inside a word only where
 * it is longer than a row. Pure.
 *
 *     struct text_flow flow = {0};
 *     text_flow_break(&flow, grid, text, 60);
 *     for (int i = 0; i < flow.n; i++)
 *         text_flow_draw(&flow, i, grid, row, prompt_bytes, STYLE_FAINT, STYLE_TEXT);
 *     text_flow_release(&flow);
 */
#ifndef TUI_TERMINAL_TEXT_FLOW_H
#define TUI_TERMINAL_TEXT_FLOW_H

#include "tui/terminal/grid.h"

struct text_flow {
    const char *text; /* lent */
    size_t *starts;   /* of the rows, n of them; starts[n]: the end of the text */
    int n;
    size_t capacity;
};

/* Every byte belongs to one row; a line end to the row that it ends. An empty text is one empty row. */
void text_flow_break(struct text_flow *flow, const struct grid *grid, const char *text, int width);
/* The first `head` bytes of the text in one style, what follows in another. */
void text_flow_draw(const struct text_flow *flow, int row, struct grid *grid, struct rect rect, size_t head,
                    enum style head_style, enum style style);
void text_flow_release(struct text_flow *flow);

#endif
