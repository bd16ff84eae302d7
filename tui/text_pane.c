/* text_pane.c - see text_pane.h */
#include "tui/text_pane.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void text_pane_clear(struct text_pane *pane)
{
    arena_release(&pane->arena);
    pane->n = 0;
}

void text_pane_release(struct text_pane *pane)
{
    text_pane_clear(pane);
    free(pane->lines);
    *pane = (struct text_pane){0};
}

void text_pane_add(struct text_pane *pane, int indent, const char *label, int column, enum style style,
                   const char *text)
{
    pane->lines = xgrow(pane->lines, &pane->capacity, pane->n + 1, sizeof *pane->lines);
    pane->lines[pane->n++] = (struct text_line){.label = label ? arena_strdup(&pane->arena, label) : NULL,
                                                .text = arena_strdup(&pane->arena, text),
                                                .indent = indent,
                                                .column = label ? column : 0,
                                                .style = style};
}

void text_pane_addf(struct text_pane *pane, int indent, const char *label, int column, enum style style,
                    const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text_pane_add(pane, indent, label, column, style, text);
}

void text_pane_scroll(struct text_pane *pane, int by)
{
    int last = (int)pane->n - pane->rows, top = pane->top + by;
    last = last < 0 ? 0 : last;
    pane->top = top < 0 ? 0 : top > last ? last : top;
    pane->at_end = pane->top == last;
}

bool text_pane_action(struct text_pane *pane, enum action action)
{
    int page = pane->rows > 1 ? pane->rows - 1 : 1;
    switch (action) {
    case ACTION_UP:
        text_pane_scroll(pane, -1);
        return true;
    case ACTION_DOWN:
        text_pane_scroll(pane, 1);
        return true;
    case ACTION_PAGE_UP:
        text_pane_scroll(pane, -page);
        return true;
    case ACTION_PAGE_DOWN:
        text_pane_scroll(pane, page);
        return true;
    case ACTION_HALF_UP:
        text_pane_scroll(pane, -(page + 1) / 2);
        return true;
    case ACTION_HALF_DOWN:
        text_pane_scroll(pane, (page + 1) / 2);
        return true;
    case ACTION_TOP:
        text_pane_scroll(pane, -(int)pane->n);
        return true;
    case ACTION_BOTTOM:
        text_pane_scroll(pane, (int)pane->n);
        return true;
    default:
        return false;
    }
}

static void draw_line(const struct text_line *line, struct grid *grid, struct rect row)
{
    int width = line->label ? grid_text(grid, row, line->indent, 0, STYLE_FAINT, line->label) : 0;
    int at = line->indent + (line->column > width + 1 ? line->column : line->label ? width + 2 : 0);
    if (at < row.w)
        grid_text(grid, row, at, 0, line->style, line->text);
}

/* How much lies above and below is said at the right edge, where there is more than fits. */
void text_pane_draw(struct text_pane *pane, struct grid *grid, struct rect rect)
{
    pane->rows = rect.h;
    text_pane_scroll(pane, pane->at_end ? (int)pane->n : 0);
    for (int i = 0; i < rect.h && (size_t)(pane->top + i) < pane->n; i++)
        draw_line(&pane->lines[pane->top + i], grid, (struct rect){rect.x, rect.y + i, rect.w - 1, 1});
    int hidden = (int)pane->n - rect.h;
    if (hidden <= 0 || rect.h < 2)
        return;
    int length = rect.h * rect.h / (int)pane->n, at = (rect.h - (length < 1 ? 1 : length)) * pane->top / hidden;
    for (int i = 0; i < (length < 1 ? 1 : length); i++)
        grid_put(grid, rect, rect.w - 1, at + i, STYLE_BORDER, 0x2502);
}
