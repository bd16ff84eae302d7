/* painter.c - see painter.h */
#include "tui/painter.h"

#include "base/arena.h"

#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <term.h>
#include <unistd.h>

struct painter {
    SCREEN *screen;
    FILE *out, *in; /* a memory file, and /dev/null */
    struct grid shown;
    struct theme theme;
    bool whole; /* nothing shown can be relied on */
    bool cursor_shown;
    char *bytes;
    size_t capacity;
};

/* Everything ncurses has written since the last time. */
static const char *take_bytes(struct painter *painter, size_t *n)
{
    int fd = fileno(painter->out);
    fflush(painter->out);
    off_t end = lseek(fd, 0, SEEK_CUR);
    *n = end > 0 ? (size_t)end : 0;
    painter->bytes = xgrow(painter->bytes, &painter->capacity, *n + 1, 1);
    if (*n && pread(fd, painter->bytes, *n, 0) != (ssize_t)*n)
        *n = 0;
    if (lseek(fd, 0, SEEK_SET) < 0 || ftruncate(fd, 0) < 0)
        *n = 0;
    return painter->bytes;
}

static bool open_screen(struct painter *painter, const char *terminal)
{
    char name[128];
    int fd = memfd_create("antler-frame", MFD_CLOEXEC);
    if (fd < 0)
        return false;
    painter->out = fdopen(fd, "w+");
    painter->in = fopen("/dev/null", "re");
    if (!painter->out || !painter->in) {
        if (!painter->out)
            close(fd);
        return false;
    }
    unsetenv("LINES"); /* the size is ours to say, here and in programs we start */
    unsetenv("COLUMNS");
    use_tioctl(FALSE);
    snprintf(name, sizeof name, "%s", terminal);
    painter->screen = newterm(name, painter->out, painter->in);
    return painter->screen != NULL;
}

struct painter *painter_open(const char *terminal, int width, int height, enum color_depth depth, bool light,
                             struct err *err)
{
    struct painter *painter = xcalloc(1, sizeof *painter);
    size_t n;
    if (!open_screen(painter, terminal)) {
        err_set(err, ERR_FAILED, "the terminal type '%s' is not known here", terminal);
        painter_close(painter);
        return NULL;
    }
    set_term(painter->screen);
    const char *move_cursor = tigetstr("cup");
    if (!move_cursor || move_cursor == (const char *)-1) {
        err_set(err, ERR_FAILED, "the terminal type '%s' cannot move its cursor", terminal);
        painter_close(painter);
        return NULL;
    }
    typeahead(-1);
    nonl();
    scrollok(stdscr, FALSE);
    idlok(stdscr, FALSE);
    leaveok(stdscr, FALSE);
    if (depth != COLORS_NONE && has_colors() && start_color() == OK && use_default_colors() == OK)
        painter->theme.depth = COLORS >= 256 && depth == COLORS_256 ? COLORS_256
                               : COLORS >= 8                        ? COLORS_16
                                                                    : COLORS_NONE;
    painter->theme.light = light;
    resizeterm(height > 0 ? height : 1, width > 0 ? width : 1);
    curs_set(0);
    endwin(); /* ncurses flushes at every cursor move until it has left the screen once */
    take_bytes(painter, &n);
    painter->whole = true;
    return painter;
}

void painter_close(struct painter *painter)
{
    if (!painter)
        return;
    if (painter->screen) {
        set_term(painter->screen);
        if (!isendwin())
            endwin();
        delscreen(painter->screen);
    }
    if (painter->out)
        fclose(painter->out);
    if (painter->in)
        fclose(painter->in);
    grid_release(&painter->shown);
    free(painter->bytes);
    free(painter);
}

enum color_depth painter_depth(const struct painter *painter)
{
    return painter->theme.depth;
}

void painter_set_light(struct painter *painter, bool light)
{
    painter->whole |= painter->theme.light != light;
    painter->theme.light = light;
}

void painter_repaint(struct painter *painter)
{
    painter->whole = true;
}

static void put_cell(const struct painter *painter, const struct cell *cell, int x, int y)
{
    struct look look = theme_look(painter->theme, (enum style)cell->style, cell->flags, cell->ink, cell->ground);
    attr_t attributes = (look.attributes & LOOK_BOLD ? A_BOLD : 0) | (look.attributes & LOOK_FAINT ? A_DIM : 0) |
                        (look.attributes & LOOK_REVERSE ? A_REVERSE : 0) |
                        (look.attributes & LOOK_UNDERLINE ? A_UNDERLINE : 0);
    int ink = look.ink, ground = look.ground, pair = 0;
    if (ink >= COLORS && COLORS < 16 && ink < 16) { /* bright colours of an eight-colour terminal */
        ink = ink == 8 ? -1 : ink - 8;
        attributes |= look.ink == 8 ? A_DIM : A_BOLD;
    }
    if (painter->theme.depth != COLORS_NONE && (ink >= 0 || ground >= 0))
        pair = alloc_pair(ink, ground);
    cchar_t out;
    wchar_t text[2] = {(wchar_t)cell->ch, 0};
    if (setcchar(&out, text, attributes, 0, pair > 0 ? &pair : NULL) == OK)
        mvadd_wch(y, x, &out);
}

static bool same_cell(const struct cell *a, const struct cell *b)
{
    return !memcmp(a, b, sizeof *a);
}

/* Rows with wide characters are written whole: half of one must never survive. */
static void put_row(struct painter *painter, const struct grid *grid, int y)
{
    const struct cell *now = grid_at(grid, 0, y), *before = painter->whole ? NULL : grid_at(&painter->shown, 0, y);
    bool changed = false, wide = false;
    for (int x = 0; x < grid->width; x++) {
        changed |= !before || !same_cell(&now[x], &before[x]);
        wide |= now[x].ch == 0 || (before && before[x].ch == 0);
    }
    for (int x = 0; changed && x < grid->width; x++)
        if (now[x].ch && (wide || !before || !same_cell(&now[x], &before[x])))
            put_cell(painter, &now[x], x, y);
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
    set_term(painter->screen);
    if (painter->whole) {
        resizeterm(grid->height, grid->width);
        erase();
        clearok(stdscr, TRUE);
    }
    for (int y = 0; y < grid->height; y++)
        put_row(painter, grid, y);
    if (painter->whole || grid->cursor_shown != painter->cursor_shown)
        curs_set(grid->cursor_shown);
    painter->cursor_shown = grid->cursor_shown;
    move(grid->cursor_y, grid->cursor_x);
    refresh();
    grid_copy(&painter->shown, grid);
    painter->whole = false;
    return take_bytes(painter, n);
}

const char *painter_leave(struct painter *painter, size_t *n)
{
    set_term(painter->screen);
    *n = 0;
    if (isendwin())
        return "";
    curs_set(1);
    endwin();
    painter->whole = true;
    return take_bytes(painter, n);
}
