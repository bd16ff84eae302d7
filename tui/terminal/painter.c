/* painter.c - see painter.h */
#include "tui/terminal/painter.h"

#include "base/arena.h"
#include "tui/terminal/pen.h"
#include "tui/terminal/sheet.h"

#include <stdlib.h>
#include <string.h>

struct painter {
    struct pen *pen;
    struct grid shown;
    struct theme theme;
    bool whole; /* nothing shown can be relied on */
    bool cursor_shown, asks_repeat;
    struct sheet sheet;
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
    sheet_release(&painter->sheet);
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

void painter_ask_repeat(struct painter *painter)
{
    painter->asks_repeat = true;
}

void painter_answer_repeat(struct painter *painter, int x, int y)
{
    painter->pen->repeats = x == PEN_ASKED_COLUMN && y == PEN_ASKED_ROW;
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
    if (painter->whole) {
        grid_resize(&painter->shown, grid->width, grid->height);
        pen_enter(pen, grid->width, grid->height);
        painter->cursor_shown = false;
        if (painter->asks_repeat)
            pen_ask_repeat(pen);
        painter->asks_repeat = false;
    }
    sheet_paint(&painter->sheet, pen, painter->theme, grid, &painter->shown);
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
