/* sheet.c - see sheet.h */
#include "tui/terminal/sheet.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

static const struct look plain = {-1, -1, 0};

void sheet_release(struct sheet *sheet)
{
    free(sheet->spots);
    free(sheet->lines);
    *sheet = (struct sheet){0};
}

static struct spot *spots_of(const struct sheet *sheet, int y)
{
    return &sheet->spots[(size_t)y * (size_t)sheet->now->width];
}

/* ---- what differs ---- */

/* A plain blank looks the same in any ink. */
static struct look look_of(const struct sheet *sheet, const struct cell *cell)
{
    struct look look = theme_look(sheet->theme, (enum style)cell->style, cell->flags, cell->ink, cell->ground);
    return cell->ch == ' ' && look_is_blank(look) ? plain : look;
}

static bool is_plain_blank(const struct cell *cell, struct look look)
{
    return cell->ch == ' ' && look_is_blank(look);
}

static void compare_cells(const struct sheet *sheet, int y, bool wide)
{
    const struct cell *now = grid_at(sheet->now, 0, y), *before = grid_at(sheet->before, 0, y);
    struct spot *spots = spots_of(sheet, y);
    for (int x = 0; x < sheet->now->width; x++) {
        spots[x].look = look_of(sheet, &now[x]);
        bool same = now[x].ch == before[x].ch && (!memcmp(&now[x], &before[x], sizeof *now) ||
                                                  look_equal(spots[x].look, look_of(sheet, &before[x])));
        spots[x].todo = now[x].ch && (wide || !same);
    }
}

/* When a row ends with blanks, one order erases them. */
static int find_tail(const struct spot *spots, const struct cell *now, int width)
{
    enum { WORTH_IT = 4 };
    int begin = width, todo = 0;
    while (begin > 0 && is_plain_blank(&now[begin - 1], spots[begin - 1].look))
        todo += spots[--begin].todo;
    while (begin < width && !spots[begin].todo)
        begin++;
    return todo >= WORTH_IT ? begin : width;
}

/* Blanks between changed cells go along with the cell before them, or with the one behind. */
static void lend_looks(struct spot *spots, const struct cell *now, int width)
{
    for (int x = 1; x < width; x++)
        if (spots[x].todo && spots[x - 1].todo && is_plain_blank(&now[x], spots[x].look) &&
            look_is_blank(spots[x - 1].look))
            spots[x].look = spots[x - 1].look;
    for (int x = width - 2; x >= 0; x--)
        if (spots[x].todo && spots[x + 1].todo && is_plain_blank(&now[x], spots[x].look) &&
            look_is_blank(spots[x + 1].look))
            spots[x].look = spots[x + 1].look;
}

static void compare_row(const struct sheet *sheet, int y)
{
    const struct cell *now = grid_at(sheet->now, 0, y), *before = grid_at(sheet->before, 0, y);
    struct line *line = &sheet->lines[y];
    struct spot *spots = spots_of(sheet, y);
    int width = sheet->now->width;
    *line = (struct line){.tail = width};
    if (!memcmp(now, before, (size_t)width * sizeof *now))
        return;
    for (int x = 0; x < width; x++)
        line->wide |= now[x].ch == 0 || before[x].ch == 0;
    compare_cells(sheet, y, line->wide);
    line->tail = line->wide ? width : find_tail(spots, now, width);
    line->todo = line->tail < width;
    for (int x = 0; x < line->tail; x++)
        line->todo |= spots[x].todo;
    for (int x = line->tail; x < width; x++)
        spots[x].todo = false;
    lend_looks(spots, now, width);
}

/* ---- writing ---- */

static void begin_row(const struct sheet *sheet, int y)
{
    struct spot *spots = spots_of(sheet, y);
    for (int x = 0; x < sheet->now->width; x++)
        spots[x].left = spots[x].todo;
    sheet->lines[y].tail_left = sheet->lines[y].tail < sheet->now->width;
}

/* Over a few cells that look as the pen does it is shorter to write them again. */
static void go(const struct sheet *sheet, int x, int y)
{
    enum { FEW = 8 };
    struct pen *pen = sheet->pen;
    const struct cell *now = grid_at(sheet->now, 0, y);
    const struct spot *spots = spots_of(sheet, y);
    size_t bytes = 0, way = pen_distance(pen, x, y);
    bool writable = pen->y == y && pen->x >= 0 && pen->x < x && x - pen->x < FEW;
    for (int k = pen->x; writable && k < x; k++) {
        struct look look = look_of(sheet, &now[k]);
        bool blank = is_plain_blank(&now[k], look) && look_is_blank(pen->look);
        writable =
            now[k].ch && (k + 1 == x || now[k + 1].ch) && !spots[k].left && (blank || look_equal(look, pen->look));
        bytes += (size_t)pen_char_size(now[k].ch);
    }
    if (writable && bytes <= way)
        for (int k = pen->x; k < x; k++)
            pen_put(pen, now[k].ch, 1, pen->look);
    else
        pen_move(pen, x, y);
}

/* How many cells from x on, up to the last one that is still to be written, look alike. */
static int alike_at(const struct sheet *sheet, int x, int y)
{
    const struct cell *now = grid_at(sheet->now, 0, y);
    const struct spot *spots = spots_of(sheet, y);
    bool blank = is_plain_blank(&now[x], spots[x].look);
    int n = 0;
    for (int k = x; k < sheet->now->width && now[k].ch == now[x].ch; k++) {
        if (blank ? !look_is_blank(spots[k].look) : !look_equal(spots[k].look, spots[x].look))
            break;
        if (spots[k].left)
            n = k - x + 1;
    }
    return n;
}

static void done_with(struct spot *spots, int x, int n)
{
    for (int k = x; k < x + n; k++)
        spots[k].left = false;
}

static void write_cell(const struct sheet *sheet, int x, int y)
{
    enum { ERASED_FROM = 9 };
    struct spot *spots = spots_of(sheet, y);
    const struct cell *now = grid_at(sheet->now, 0, y);
    int width = sheet->now->width, columns = x + 1 < width && now[x + 1].ch == 0 ? 2 : 1,
        alike = columns == 2 ? 1 : alike_at(sheet, x, y);
    go(sheet, x, y);
    if (alike >= ERASED_FROM && is_plain_blank(&now[x], spots[x].look) && pen_erase(sheet->pen, alike)) {
        done_with(spots, x, alike);
        return;
    }
    pen_put(sheet->pen, now[x].ch, columns, spots[x].look);
    spots[x].left = false;
    if (x + alike == width) /* what the last column does to the cursor differs */
        alike--;
    if (alike > 1 && pen_repeat(sheet->pen, now[x].ch, alike - 1))
        done_with(spots, x, alike);
}

static void erase_tail(const struct sheet *sheet, int y)
{
    struct line *line = &sheet->lines[y];
    line->tail_left = false;
    pen_move(sheet->pen, line->tail, y);
    if (!pen_erase_rest(sheet->pen))
        for (int x = line->tail; x < sheet->now->width; x++)
            pen_put(sheet->pen, ' ', 1, plain);
}

static void write_look(const struct sheet *sheet, int y, struct look look)
{
    const struct spot *spots = spots_of(sheet, y);
    const struct line *line = &sheet->lines[y];
    const struct pen *pen = sheet->pen;
    for (int x = 0; x < sheet->now->width; x++)
        if (spots[x].left && look_equal(spots[x].look, look))
            write_cell(sheet, x, y);
    if (line->tail_left && pen->y == y && pen->x == line->tail && look_is_blank(pen->look))
        erase_tail(sheet, y);
}

static bool next_look(const struct sheet *sheet, int y, struct look *look)
{
    const struct spot *spots = spots_of(sheet, y);
    for (int x = 0; x < sheet->now->width; x++)
        if (spots[x].left) {
            *look = spots[x].look;
            return true;
        }
    return false;
}

/* for terminals that measure wide characters otherwise */
static void write_left_to_right(const struct sheet *sheet, int y)
{
    for (int x = 0; x < sheet->now->width; x++)
        if (spots_of(sheet, y)[x].left)
            write_cell(sheet, x, y);
}

static void write_row(const struct sheet *sheet, int y)
{
    if (sheet->lines[y].wide)
        write_left_to_right(sheet, y);
    struct look look = sheet->pen->look;
    do {
        write_look(sheet, y, look);
    } while (next_look(sheet, y, &look));
    if (sheet->lines[y].tail_left)
        erase_tail(sheet, y);
}

/* ---- the ways to write ---- */

typedef void way_to_write(const struct sheet *sheet, int y);

/* Keeps the shorter one of two ways. */
static void write_shorter(const struct sheet *sheet, int y, way_to_write *one, way_to_write *other)
{
    struct pen *pen = sheet->pen;
    struct pen_mark begin = pen_mark(pen);
    one(sheet, y);
    struct pen_mark end = pen_mark(pen);
    pen_resume(pen, begin);
    other(sheet, y);
    if (pen->out.length - end.length < end.length - begin.length)
        pen_drop(pen, begin.length, end.length);
    else
        pen_drop(pen, end.length, pen->out.length), pen_resume(pen, end);
}

static void change_row(const struct sheet *sheet, int y)
{
    begin_row(sheet, y);
    write_row(sheet, y);
}

static void renew_row(const struct sheet *sheet, int y)
{
    const struct cell *now = grid_at(sheet->now, 0, y);
    struct spot *spots = spots_of(sheet, y);
    pen_move(sheet->pen, 0, y);
    pen_erase_rest(sheet->pen);
    for (int x = 0; x < sheet->now->width; x++)
        spots[x].left = !is_plain_blank(&now[x], spots[x].look);
    sheet->lines[y].tail_left = false;
    write_row(sheet, y);
}

/* So many blanks are to be written that erasing the row may be shorter. */
static bool loses_much(const struct sheet *sheet, int y)
{
    enum { MUCH = 12 };
    const struct cell *now = grid_at(sheet->now, 0, y);
    const struct spot *spots = spots_of(sheet, y);
    int n = 0;
    for (int x = 0; x < sheet->now->width; x++)
        n += spots[x].todo && is_plain_blank(&now[x], spots[x].look);
    return n >= MUCH && !sheet->lines[y].wide;
}

static void by_rows(const struct sheet *sheet, int rows)
{
    for (int y = 0; y < rows; y++) {
        if (!sheet->lines[y].todo)
            continue;
        if (loses_much(sheet, y) && pen_can_erase_rest(sheet->pen))
            write_shorter(sheet, y, change_row, renew_row);
        else
            change_row(sheet, y);
    }
}

/* The first look that is left in rows from *y on. */
static bool next_look_below(const struct sheet *sheet, int *y, int rows, struct look *look)
{
    for (; *y < rows; ++*y)
        if (sheet->lines[*y].todo && next_look(sheet, *y, look))
            return true;
    return false;
}

static void by_looks(const struct sheet *sheet, int rows)
{
    struct look look = sheet->pen->look;
    int first = 0;
    for (int y = 0; y < rows; y++) {
        if (sheet->lines[y].todo)
            begin_row(sheet, y);
        if (sheet->lines[y].wide)
            write_left_to_right(sheet, y);
    }
    do {
        for (int y = first; y < rows; y++)
            if (sheet->lines[y].todo)
                write_look(sheet, y, look);
    } while (next_look_below(sheet, &first, rows, &look));
    for (int y = 0; y < rows; y++)
        if (sheet->lines[y].todo && sheet->lines[y].tail_left)
            erase_tail(sheet, y);
}

void sheet_paint(struct sheet *sheet, struct pen *pen, struct theme theme, const struct grid *now,
                 const struct grid *before)
{
    size_t width = (size_t)now->width, height = (size_t)now->height;
    sheet->pen = pen;
    sheet->theme = theme;
    sheet->now = now;
    sheet->before = before;
    sheet->spots = xgrow(sheet->spots, &sheet->n_spots, width * height, sizeof *sheet->spots);
    sheet->lines = xgrow(sheet->lines, &sheet->n_lines, height, sizeof *sheet->lines);
    for (int y = 0; y < now->height; y++)
        compare_row(sheet, y);
    write_shorter(sheet, now->height, by_rows, by_looks);
}
