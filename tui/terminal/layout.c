/* layout.c - see layout.h */
#include "tui/terminal/layout.h"

static int within(int value, int max)
{
    return value < 0 ? 0 : value > max ? max : value;
}

struct rect rect_top(struct rect *rest, int size)
{
    struct rect part = {rest->x, rest->y, rest->w, within(size, rest->h)};
    rest->y += part.h;
    rest->h -= part.h;
    return part;
}

struct rect rect_bottom(struct rect *rest, int size)
{
    size = within(size, rest->h);
    rest->h -= size;
    return (struct rect){rest->x, rest->y + rest->h, rest->w, size};
}

struct rect rect_left(struct rect *rest, int size)
{
    struct rect part = {rest->x, rest->y, within(size, rest->w), rest->h};
    rest->x += part.w;
    rest->w -= part.w;
    return part;
}

struct rect rect_right(struct rect *rest, int size)
{
    size = within(size, rest->w);
    rest->w -= size;
    return (struct rect){rest->x + rest->w, rest->y, size, rest->h};
}

struct rect rect_inset(struct rect rect, int x, int y)
{
    x = within(x, rect.w / 2);
    y = within(y, rect.h / 2);
    return (struct rect){rect.x + x, rect.y + y, rect.w - 2 * x, rect.h - 2 * y};
}

struct rect rect_center(struct rect outer, int w, int h)
{
    w = within(w, outer.w);
    h = within(h, outer.h);
    return (struct rect){outer.x + (outer.w - w) / 2, outer.y + (outer.h - h) / 2, w, h};
}

struct rect rect_part(struct rect of, int x, int y, int w, int h)
{
    rect_left(&of, x);
    rect_top(&of, y);
    struct rect rows = rect_top(&of, h);
    return rect_left(&rows, w);
}

bool rect_has(struct rect rect, int x, int y)
{
    return x >= rect.x && y >= rect.y && x < rect.x + rect.w && y < rect.y + rect.h;
}

void layout_divide(int total, int gap, const struct part *parts, int n, int *size)
{
    enum { NOT_SHOWN = -1 };
    int rest = total, weights = 0, shown = 0;
    for (int k = 0; k < n; k++) {
        int room = rest - (shown ? gap : 0);
        bool wanted = room > 0 && (parts[k].min > 0 || parts[k].weight > 0);
        size[k] = wanted ? within(parts[k].min, room) : NOT_SHOWN;
        if (!wanted)
            continue;
        weights += parts[k].weight;
        rest = room - size[k];
        shown++;
    }
    for (int k = 0; k < n; k++) {
        if (size[k] == NOT_SHOWN) {
            size[k] = 0;
        } else if (weights > 0) {
            int extra = (int)((long long)rest * parts[k].weight / weights);
            size[k] += extra;
            rest -= extra;
            weights -= parts[k].weight;
        }
    }
}
