/* layout.h - rectangles, and how to cut them. Pure arithmetic: parts never overlap, never leave the whole, and have no
 * negative size. */
#ifndef TUI_TERMINAL_LAYOUT_H
#define TUI_TERMINAL_LAYOUT_H

#include <stdbool.h>

struct rect {
    int x, y, w, h;
};

/* Cut `size` cells off one side of *rest and return them; less when there is less. */
struct rect rect_top(struct rect *rest, int size);
struct rect rect_bottom(struct rect *rest, int size);
struct rect rect_left(struct rect *rest, int size);
struct rect rect_right(struct rect *rest, int size);
/* Smaller by a margin on each side. */
struct rect rect_inset(struct rect rect, int x, int y);
/* In the middle of `outer`, never larger. */
struct rect rect_center(struct rect outer, int w, int h);
/* The part of `of` that a rectangle given relative to it covers: never outside, never of negative size. */
struct rect rect_part(struct rect of, int x, int y, int w, int h);
bool rect_has(struct rect rect, int x, int y);

/* Divides `total` cells among n parts: each gets its minimum first (the last ones less when there is not enough), the
 * rest goes by weight. gap cells lie between parts that have a size. size[k] receives the result. */
struct part {
    int min, weight;
};
void layout_divide(int total, int gap, const struct part *parts, int n, int *size);

#endif
