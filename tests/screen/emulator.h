/* emulator.h - a terminal emulator (libvterm) that is shown what a painter writes, and compared with the grid cell by
 * cell.
 */
#ifndef TESTS_SCREEN_EMULATOR_H
#define TESTS_SCREEN_EMULATOR_H

#include "tests/check.h"
#include "tui/terminal/painter.h"

#include <vterm.h>

struct emulator {
    VTerm *vterm;
    VTermScreen *screen;
};

static inline struct emulator emulator_new(int width, int height)
{
    struct emulator e = {.vterm = vterm_new(height, width)};
    vterm_set_utf8(e.vterm, 1);
    e.screen = vterm_obtain_screen(e.vterm);
    vterm_screen_enable_altscreen(e.screen, 1);
    vterm_screen_reset(e.screen, 1);
    return e;
}

static inline struct painter *painter_for(const char *terminal, int width, int height)
{
    struct err err = {0};
    struct painter *painter = painter_open(terminal, width, height, COLORS_256, false, &err);
    if (!painter)
        SKIP("%s", err.text);
    return painter;
}

/* REP (CSI n b), which this emulator does not know: how many times, 0: no REP stands here. */
static inline int repeats_at(const char *at, const char *end, size_t *n)
{
    const char *c = at + 2;
    int times = 0;
    *n = 0;
    if (end - at < 4 || at[0] != 27 || at[1] != '[')
        return 0;
    for (; c < end && *c >= '0' && *c <= '9'; c++)
        times = times * 10 + (*c - '0');
    if (c == end || *c != 'b')
        return 0;
    *n = (size_t)(c + 1 - at);
    return times;
}

static inline void emulator_show(struct emulator *e, struct painter *painter, const struct grid *grid)
{
    size_t n, skip;
    const char *bytes = painter_frame(painter, grid, &n), *end = bytes + n, *last = bytes;
    for (const char *at = bytes; at < end;) {
        int times = repeats_at(at, end, &skip);
        for (; times > 0; times--)
            vterm_input_write(e->vterm, last, (size_t)(at - last));
        at += skip;
        if (skip)
            continue;
        last = at;
        /* a character, or one byte of an order */
        while (at < end && (at == last || ((unsigned char)*at & 0xC0) == 0x80))
            at++;
        vterm_input_write(e->vterm, last, (size_t)(at - last));
    }
    vterm_screen_flush_damage(e->screen);
}

static inline bool is_color(const VTermColor *got, int32_t color)
{
    if (color < TILE_RGB)
        return VTERM_COLOR_IS_INDEXED(got) && got->indexed.idx == color;
    return VTERM_COLOR_IS_RGB(got) && got->rgb.red == (color >> 16 & 255) && got->rgb.green == (color >> 8 & 255) &&
           got->rgb.blue == (color & 255);
}

static inline bool same_colors(const struct cell *cell, const VTermScreenCell *got, struct theme theme)
{
    struct look look = theme_look(theme, (enum style)cell->style, cell->flags, cell->ink, cell->ground);
    bool ink = look.ink < 0 ? VTERM_COLOR_IS_DEFAULT_FG(&got->fg) : is_color(&got->fg, look.ink);
    bool ground = look.ground < 0 ? VTERM_COLOR_IS_DEFAULT_BG(&got->bg) : is_color(&got->bg, look.ground);
    bool lines = !got->attrs.underline == !(look.attributes & LOOK_UNDERLINE) &&
                 !got->attrs.reverse == !(look.attributes & LOOK_REVERSE);
    return ground && lines && (cell->ch == ' ' || (ink && got->attrs.bold == !!(look.attributes & LOOK_BOLD)));
}

/* Cells whose character, or (where there are 256 colours) whose look differs from the grid. */
static inline int differences(struct emulator *e, const struct grid *grid, enum color_depth depth)
{
    int wrong = 0;
    for (int y = 0; y < grid->height; y++)
        for (int x = 0; x < grid->width; x++) {
            const struct cell *cell = grid_at(grid, x, y);
            VTermScreenCell got;
            vterm_screen_get_cell(e->screen, (VTermPos){y, x}, &got);
            uint32_t ch = got.chars[0] == (uint32_t)-1 ? 0 : got.chars[0] ? got.chars[0] : ' ';
            wrong += ch != cell->ch ||
                     (depth == COLORS_256 && ch && !same_colors(cell, &got, (struct theme){.depth = depth}));
        }
    return wrong;
}

#endif
