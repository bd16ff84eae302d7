/* pen_way.c - the shortest way of the cursor to another place: absolute, or across and down, by steps or orders. See
 * pen.h.
 */
#include "tui/terminal/pen_internal.h"

#include <stdio.h>
#include <string.h>

static size_t absolute(const struct pen *pen, int x, int y, char *out, size_t size)
{
    if (!pen->terminal->ansi)
        return pen_format(pen, pen->terminal->cup, y, x, out, size);
    if (x == 0)
        return (size_t)(y == 0 ? snprintf(out, size, "\033[H") : snprintf(out, size, "\033[%dH", y + 1));
    return (size_t)snprintf(out, size, "\033[%d;%dH", y + 1, x + 1);
}

struct way {
    char bytes[64];
    size_t n; /* NONE: there is no such way */
};
enum { NONE = 1000 };

static void consider(struct way *best, const char *bytes, size_t n)
{
    if (n == 0 || n >= best->n)
        return;
    memcpy(best->bytes, bytes, n + 1);
    best->n = n;
}

static void consider_steps(const struct pen *pen, struct way *best, const char *one, const char *many, int count)
{
    char bytes[64];
    size_t n = one ? pen_plain(one, bytes, sizeof bytes) : 0, size = best->n < sizeof bytes ? best->n : sizeof bytes;
    if (n && n * (size_t)count < size) {
        for (int k = 1; k < count; k++)
            memcpy(bytes + n * (size_t)k, bytes, n);
        bytes[n * (size_t)count] = 0;
        consider(best, bytes, n * (size_t)count);
    }
    consider(best, bytes, many ? pen_format(pen, many, count, 0, bytes, sizeof bytes) : 0);
}

static struct way way_across(const struct pen *pen, int x)
{
    const struct pen_terminal *t = pen->terminal;
    struct way best = {.n = pen->x == x ? 0 : NONE};
    char bytes[64];
    if (pen->x == x)
        return best;
    if (x > pen->x)
        consider_steps(pen, &best, t->cuf1, t->cuf, x - pen->x);
    else
        consider_steps(pen, &best, t->cub1, t->cub, pen->x - x);
    if (x == 0)
        consider(&best, bytes, pen_plain(t->cr, bytes, sizeof bytes));
    if (best.n > 3)
        consider(&best, bytes, pen_format(pen, t->hpa, x, 0, bytes, sizeof bytes));
    return best;
}

/* Down by single steps only where that is no line feed: the driver may make a new line of it. */
static struct way way_down(const struct pen *pen, int y)
{
    const struct pen_terminal *t = pen->terminal;
    struct way best = {.n = pen->y == y ? 0 : NONE};
    char bytes[64];
    if (pen->y == y)
        return best;
    consider(&best, bytes, pen_format(pen, t->vpa, y, 0, bytes, sizeof bytes));
    if (y > pen->y)
        consider_steps(pen, &best, t->ansi ? "\033[B" : NULL, t->cud, y - pen->y);
    else
        consider_steps(pen, &best, t->ansi ? "\033[A" : NULL, t->cuu, pen->y - y);
    return best;
}

static struct way way_to(const struct pen *pen, int x, int y)
{
    struct way best;
    best.n = absolute(pen, x, y, best.bytes, sizeof best.bytes);
    if (pen->x < 0)
        return best;
    struct way across = way_across(pen, x), down = way_down(pen, y);
    if (across.n + down.n >= best.n)
        return best;
    memcpy(across.bytes + across.n, down.bytes, down.n);
    across.n += down.n;
    return across;
}

size_t pen_distance(const struct pen *pen, int x, int y)
{
    return pen->x == x && pen->y == y ? 0 : way_to(pen, x, y).n;
}

void pen_move(struct pen *pen, int x, int y)
{
    if (pen->x == x && pen->y == y)
        return;
    struct way way = way_to(pen, x, y);
    str_add_bytes(&pen->out, way.bytes, way.n);
    pen->x = x;
    pen->y = y;
}
