/* text_flow.c - see text_flow.h */
#include "base/arena.h"
#include "tui/terminal/text_flow.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of the character at the start of text; one byte that is no character counts as one. */
static size_t bytes_at(const char *text)
{
    size_t n = 1;
    while (n < 4 && ((unsigned char)text[n] & 0xC0) == 0x80)
        n++;
    return n;
}

static int columns_at(const struct grid *grid, const char *text, size_t n)
{
    char one[5] = "";
    memcpy(one, text, n);
    return grid_columns(grid, one);
}

static void add_row(struct text_flow *flow, size_t start)
{
    flow->starts = xgrow(flow->starts, &flow->capacity, (size_t)flow->n + 2, sizeof *flow->starts);
    flow->starts[flow->n++] = start;
}

void text_flow_break(struct text_flow *flow, const struct grid *grid, const char *text, int width)
{
    size_t at = 0, blank = 0; /* behind the last blank of the row, 0: none */
    int x = 0, x_blank = 0;
    flow->text = text;
    flow->n = 0;
    add_row(flow, 0);
    while (text[at]) {
        size_t n = bytes_at(text + at);
        int columns = text[at] == '\n' ? 0 : columns_at(grid, text + at, n);
        if (x && x + columns > width && text[at] != ' ') {
            add_row(flow, blank ? blank : at);
            x = blank ? x - x_blank : 0;
            blank = 0;
        }
        x += columns;
        at += n;
        if (text[at - n] == '\n') {
            add_row(flow, at);
            x = 0;
            blank = 0;
        } else if (text[at - n] == ' ') {
            blank = at;
            x_blank = x;
        }
    }
    flow->starts[flow->n] = at;
}

void text_flow_draw(const struct text_flow *flow, int row, struct grid *grid, struct rect rect, size_t head,
                    enum style head_style, enum style style)
{
    size_t start = flow->starts[row], end = flow->starts[row + 1];
    if (end > start && flow->text[end - 1] == '\n')
        end--;
    while (end > start && flow->text[end - 1] == ' ')
        end--;
    size_t split = head < start ? start : head > end ? end : head;
    char *first = xstrndup(flow->text + start, split - start), *second = xstrndup(flow->text + split, end - split);
    int x = grid_text(grid, rect, 0, 0, head_style, first);
    grid_text(grid, rect, x, 0, style, second);
    free(first);
    free(second);
}

void text_flow_release(struct text_flow *flow)
{
    free(flow->starts);
    *flow = (struct text_flow){0};
}
