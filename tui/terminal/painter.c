/* painter.c - see painter.h. A row is written colour by colour: a change of look costs more than a hop of the cursor,
 * and where curves cross, looks alternate from cell to cell. */
#include "tui/terminal/painter.h"

#include "base/arena.h"
#include "tui/terminal/pen.h"

#include <stdlib.h>
#include <string.h>

struct spot { /* a cell of the row being written */
    struct look look;
    bool todo;
};

struct painter {
    struct pen *pen;
    struct grid shown;
    struct theme theme;
    bool whole; /* nothing shown can be relied on */
    bool cursor_shown;
    struct spot *row;
    size_t row_capacity;
};

struct painter *painter_open(const char *terminal, int width, int height, enum color_depth depth, bool light,
                             struct err *err)
{
    struct pen *pen = pen_open(terminal, depth, err);
    if (!pen)
        return NULL;
    struct painter *painter = xcalloc(1, sizeof *painter);
    painter->pen = pen;
    painter->theme = theme_make(THEME_AUTO, pen->depth, light);
    painter->whole = true;
    grid_resize(&painter->shown, width, height);
    return painter;
}

void painter_close(struct painter *painter)
{
    if (!painter)
        return;
    pen_close(painter->pen);
    grid_release(&painter->shown);
    free(painter->row);
    free(painter);
}

enum color_depth painter_depth(const struct painter *painter)
{
    return painter->pen->depth;
}

void painter_set_theme(struct painter *painter, struct theme theme)
{
    struct theme old = painter->theme;
    painter->whole |= old.light != theme.light || old.depth != theme.depth || old.colorblind != theme.colorblind;
    painter->theme = theme;
}

void painter_repaint(struct painter *painter)
{
    painter->whole = true;
}

/* A plain blank looks the same in any ink. */
static struct look look_of(const struct painter *painter, const struct cell *cell)
{
    struct look look = theme_look(painter->theme, (enum style)cell->style, cell->flags, cell->ink, cell->ground);
    return cell->ch == ' ' && look_is_blank(look) ? (struct look){-1, -1, 0} : look;
}

static bool is_plain_blank(const struct cell *cell, struct look look)
{
    return cell->ch == ' ' && look_is_blank(look);
}

/* Which cells have to be written, and how they look. Rows with wide characters are written whole: half of one must
 * never survive. Returns whether there are such. */
static bool compare_row(struct painter *painter, const struct cell *now, const struct cell *before, int width,
                        int *todo)
{
    bool wide = false;
    *todo = 0;
    for (int x = 0; x < width; x++)
        wide |= now[x].ch == 0 || before[x].ch == 0;
    bool changed = memcmp(now, before, (size_t)width * sizeof *now) != 0;
    for (int x = 0; x < width; x++) {
        struct spot *spot = &painter->row[x];
        spot->look = look_of(painter, &now[x]);
        spot->todo =
            now[x].ch && (wide ? changed
                               : now[x].ch != before[x].ch || (memcmp(&now[x], &before[x], sizeof *now) != 0 &&
                                                               !look_equal(spot->look, look_of(painter, &before[x]))));
        *todo += spot->todo;
    }
    return wide;
}

/* Blanks between changed cells go along with the cell before them, or with the one behind. */
static void lend_looks(struct spot *row, const struct cell *now, int width)
{
    for (int x = 1; x < width; x++)
        if (row[x].todo && row[x - 1].todo && is_plain_blank(&now[x], row[x].look) && look_is_blank(row[x - 1].look))
            row[x].look = row[x - 1].look;
    for (int x = width - 2; x >= 0; x--)
        if (row[x].todo && row[x + 1].todo && is_plain_blank(&now[x], row[x].look) && look_is_blank(row[x + 1].look))
            row[x].look = row[x + 1].look;
}

/* Over a few cells that look as the pen does it is shorter to write them again. */
static void go(struct painter *painter, const struct cell *now, int x, int y)
{
    struct pen *pen = painter->pen;
    size_t bytes = 0, way = pen_distance(pen, x, y);
    bool writable = pen->y == y && pen->x >= 0 && pen->x < x && x - pen->x < 8;
    for (int k = pen->x; writable && k < x; k++) {
        struct look look = look_of(painter, &now[k]);
        bool blank = is_plain_blank(&now[k], look) && look_is_blank(pen->look);
        writable = now[k].ch && (k + 1 == x || now[k + 1].ch) && !painter->row[k].todo &&
                   (blank || look_equal(look, pen->look));
        bytes += (size_t)pen_char_size(now[k].ch);
    }
    if (writable && bytes <= way)
        for (int k = pen->x; k < x; k++)
            pen_put(pen, now[k].ch, 1, pen->look);
    else
        pen_move(pen, x, y);
}

/* Blanks from x on up to the last one that is still to be written. */
static int blanks_at(const struct painter *painter, const struct cell *now, int width, int x)
{
    int n = 0;
    for (int k = x; k < width && is_plain_blank(&now[k], painter->row[k].look); k++)
        if (painter->row[k].todo)
            n = k - x + 1;
    return n;
}

static void write_cell(struct painter *painter, const struct cell *now, int width, int x, int y)
{
    enum { ERASED_FROM = 9 };
    int blanks = blanks_at(painter, now, width, x), columns = x + 1 < width && now[x + 1].ch == 0 ? 2 : 1;
    go(painter, now, x, y);
    if (blanks >= ERASED_FROM && pen_erase(painter->pen, blanks)) {
        for (int k = x; k < x + blanks; k++)
            painter->row[k].todo = false;
        return;
    }
    pen_put(painter->pen, now[x].ch, columns, painter->row[x].look);
    painter->row[x].todo = false;
}

/* The first look still to be written. */
static bool next_look(const struct painter *painter, int width, struct look *look)
{
    for (int x = 0; x < width; x++)
        if (painter->row[x].todo) {
            *look = painter->row[x].look;
            return true;
        }
    return false;
}

/* When a row ends with blanks, one order erases them. Returns where they begin; width: not worth it. */
static int find_tail(const struct painter *painter, const struct cell *now, int width)
{
    enum { WORTH_IT = 4 };
    int begin = width, todo = 0;
    while (begin > 0 && is_plain_blank(&now[begin - 1], painter->row[begin - 1].look))
        todo += painter->row[--begin].todo;
    while (begin < width && !painter->row[begin].todo)
        begin++;
    return todo >= WORTH_IT ? begin : width;
}

static void paint_row(struct painter *painter, const struct grid *grid, const struct cell *before, int y)
{
    const struct cell *now = grid_at(grid, 0, y);
    int todo, width = grid->width;
    if (!memcmp(now, before, (size_t)width * sizeof *now))
        return;
    bool wide = compare_row(painter, now, before, width, &todo);
    int tail = wide || !todo ? width : find_tail(painter, now, width);
    for (int x = tail; x < width; x++)
        painter->row[x].todo = false;
    lend_looks(painter->row, now, width);
    for (int x = 0; wide && x < width; x++) /* from the left to the right, for terminals that measure them otherwise */
        if (painter->row[x].todo)
            write_cell(painter, now, width, x, y);
    struct look look = painter->pen->look;
    do {
        for (int x = 0; x < width; x++)
            if (painter->row[x].todo && look_equal(painter->row[x].look, look))
                write_cell(painter, now, width, x, y);
    } while (next_look(painter, width, &look));
    if (tail < width) {
        pen_move(painter->pen, tail, y);
        if (!pen_erase_rest(painter->pen))
            for (int x = tail; x < width; x++)
                pen_put(painter->pen, ' ', 1, (struct look){-1, -1, 0});
    }
}

const char *painter_frame(struct painter *painter, const struct grid *grid, size_t *n)
{
    *n = 0;
    if (grid->width <= 0 || grid->height <= 0)
        return "";
    if (grid->width != painter->shown.width || grid->height != painter->shown.height)
        painter->whole = true;
    if (!painter->whole && grid_equal(grid, &painter->shown))
        return "";
    struct pen *pen = painter->pen;
    str_clear(&pen->out);
    painter->row = xgrow(painter->row, &painter->row_capacity, (size_t)grid->width, sizeof *painter->row);
    if (painter->whole) {
        grid_resize(&painter->shown, grid->width, grid->height);
        pen_enter(pen, grid->width, grid->height);
        painter->cursor_shown = false;
    }
    for (int y = 0; y < grid->height; y++)
        paint_row(painter, grid, grid_at(&painter->shown, 0, y), y);
    if (grid->cursor_shown != painter->cursor_shown)
        pen_show_cursor(pen, grid->cursor_shown);
    painter->cursor_shown = grid->cursor_shown;
    pen_move(pen, grid->cursor_x, grid->cursor_y);
    grid_copy(&painter->shown, grid);
    painter->whole = false;
    *n = pen->out.length;
    return str_text(&pen->out);
}

const char *painter_leave(struct painter *painter, size_t *n)
{
    str_clear(&painter->pen->out);
    pen_leave(painter->pen);
    painter->whole = true;
    *n = painter->pen->out.length;
    return str_text(&painter->pen->out);
}
