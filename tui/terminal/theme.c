/* theme.c - see theme.h. Series colours are those of Okabe and Ito, nearest in the 256-colour cube; darker ones for a
 * light ground. Contrasts are those that tests/unit/test_theme.c asks for. */
#include "tui/terminal/theme.h"

#include "plots/chart.h"
#include "tui/terminal/grid.h"

#include <string.h>

struct row { /* how one meaning looks on each kind of terminal; -1 = the terminal's own colour */
    int16_t dark, light, sixteen;
    uint8_t color_attributes, mono_attributes;
};

static const struct row rows[STYLE_COUNT] = {
    [STYLE_TEXT] = {-1, -1, -1, 0, 0},
    [STYLE_FAINT] = {245, 242, -1, LOOK_FAINT, 0},
    [STYLE_STRONG] = {-1, -1, -1, LOOK_BOLD, LOOK_BOLD},
    [STYLE_TITLE] = {-1, -1, -1, LOOK_BOLD, LOOK_BOLD},
    [STYLE_ACCENT] = {74, 25, 6, LOOK_BOLD, LOOK_BOLD},
    [STYLE_BORDER] = {240, 248, 8, 0, 0},
    [STYLE_HEADER] = {250, 240, -1, LOOK_UNDERLINE, LOOK_UNDERLINE},
    [STYLE_KEY] = {74, 25, 6, LOOK_BOLD, LOOK_BOLD},
    [STYLE_FIELD] = {-1, -1, -1, LOOK_UNDERLINE, LOOK_UNDERLINE},
    [STYLE_CHANGED] = {214, 94, 3, LOOK_BOLD, LOOK_BOLD},
    [STYLE_ERROR] = {203, 160, 1, LOOK_BOLD, LOOK_BOLD},
    [STYLE_WARNING] = {214, 94, 3, 0, LOOK_BOLD},
    [STYLE_GOOD] = {78, 22, 2, 0, 0},
    [STYLE_RUNNING] = {74, 25, 6, 0, LOOK_BOLD},
    [STYLE_PAUSED] = {214, 94, 3, 0, 0},
    [STYLE_FINISHED] = {78, 22, 2, 0, 0},
    [STYLE_STOPPED] = {250, 240, -1, 0, 0},
    [STYLE_FAILED] = {203, 160, 1, 0, LOOK_BOLD},
    [STYLE_CHART_TITLE] = {-1, -1, -1, LOOK_BOLD, LOOK_BOLD},
    [STYLE_CHART_LABEL] = {250, 240, -1, 0, 0},
    [STYLE_CHART_AXIS] = {243, 245, 8, 0, 0},
    [STYLE_CHART_CURSOR] = {250, 240, -1, 0, 0},
    [STYLE_CHART_NOTE] = {-1, -1, -1, 0, 0},
    [STYLE_CHART_BAD] = {203, 160, 1, LOOK_BOLD, LOOK_BOLD},
    [STYLE_MARK] = {250, 240, -1, 0, 0},
    [STYLE_MARK_BEST] = {220, 94, 3, LOOK_BOLD, LOOK_BOLD},
    [STYLE_MARK_SELECTED] = {231, 16, -1, LOOK_BOLD, LOOK_REVERSE},
    [STYLE_IMAGE] = {-1, -1, -1, 0, 0},
    [STYLE_SERIES + 0] = {74, 25, 6, 0, 0},
    [STYLE_SERIES + 1] = {214, 130, 3, 0, 0},
    [STYLE_SERIES + 2] = {36, 29, 2, 0, 0},
    [STYLE_SERIES + 3] = {175, 163, 5, 0, 0},
    [STYLE_SERIES + 4] = {227, 58, 11, 0, 0},
    [STYLE_SERIES + 5] = {68, 96, 4, 0, 0},
    [STYLE_SERIES + 6] = {173, 88, 1, 0, 0},
    [STYLE_SERIES + 7] = {250, 238, 7, 0, 0},
    [STYLE_SERIES_DIM + 0] = {24, 110, 6, LOOK_FAINT, LOOK_FAINT},
    [STYLE_SERIES_DIM + 1] = {94, 215, 3, LOOK_FAINT, LOOK_FAINT},
    [STYLE_SERIES_DIM + 2] = {23, 115, 2, LOOK_FAINT, LOOK_FAINT},
    [STYLE_SERIES_DIM + 3] = {96, 176, 5, LOOK_FAINT, LOOK_FAINT},
    [STYLE_SERIES_DIM + 4] = {100, 179, 3, LOOK_FAINT, LOOK_FAINT},
    [STYLE_SERIES_DIM + 5] = {60, 116, 4, LOOK_FAINT, LOOK_FAINT},
    [STYLE_SERIES_DIM + 6] = {95, 180, 1, LOOK_FAINT, LOOK_FAINT},
    [STYLE_SERIES_DIM + 7] = {240, 248, 8, LOOK_FAINT, LOOK_FAINT},
};

/* Instead of those above for whoever does not see red and green apart: the smallest distance of two lines in CIELAB,
 * also as a deuteranope and a protanope see them, is 23. */
static const struct {
    uint8_t style;
    int16_t dark, light;
} colorblind[] = {{STYLE_ERROR, 208, 94},       {STYLE_FAILED, 208, 94},     {STYLE_CHART_BAD, 208, 94},
                  {STYLE_GOOD, 39, 26},         {STYLE_FINISHED, 39, 26},    {STYLE_CHANGED, 228, 53},
                  {STYLE_WARNING, 228, 53},     {STYLE_PAUSED, 228, 53},     {STYLE_SERIES + 0, 117, 25},
                  {STYLE_SERIES + 1, 214, 130}, {STYLE_SERIES + 2, 135, 63}, {STYLE_SERIES + 3, 174, 131},
                  {STYLE_SERIES + 4, 228, 96},  {STYLE_SERIES + 5, 199, 21}, {STYLE_SERIES + 6, 209, 17},
                  {STYLE_SERIES + 7, 254, 16}};

const struct theme_row theme_table[THEME_COUNT] = {
    [THEME_AUTO] = {"auto", "as the terminal's ground is"},
    [THEME_DARK] = {"dark", "for a dark ground"},
    [THEME_LIGHT] = {"light", "for a light ground"},
    [THEME_COLORBLIND] = {"colorblind", "blue and orange instead of green and red; marks on curves"},
    [THEME_16] = {"16", "the terminal's own sixteen colours"},
    [THEME_NONE] = {"none", "bold, underlined and reversed only; marks on curves"}};

enum theme_name theme_parse(const char *name)
{
    for (int k = 0; name && k < THEME_COUNT; k++)
        if (!strcmp(theme_table[k].name, name))
            return (enum theme_name)k;
    return THEME_AUTO;
}

struct theme theme_make(enum theme_name name, enum color_depth most, bool light)
{
    enum color_depth depth = name == THEME_NONE ? COLORS_NONE : name == THEME_16 ? COLORS_16 : COLORS_256;
    return (struct theme){.depth = depth < most ? depth : most,
                          .light = name == THEME_LIGHT || (light && name != THEME_DARK),
                          .colorblind = name == THEME_COLORBLIND};
}

bool theme_wants_markers(struct theme theme)
{
    return theme.colorblind || theme.depth == COLORS_NONE;
}

static int16_t ink_of(struct theme theme, enum style style)
{
    const struct row *row = &rows[style];
    for (size_t k = 0; theme.colorblind && k < sizeof colorblind / sizeof *colorblind; k++)
        if (colorblind[k].style == style)
            return theme.light ? colorblind[k].light : colorblind[k].dark;
    return theme.light ? row->light : row->dark;
}

/* On the ground of a selected row, where those above would be hard to read. */
static const struct {
    uint8_t style;
    int16_t dark, light;
} selected[] = {
    {STYLE_FAINT, 249, 240}, {STYLE_ERROR, 210, 124}, {STYLE_FAILED, 210, 124}, {STYLE_CHART_BAD, 210, 124}};

enum { SELECTED_DARK = 237, SELECTED_LIGHT = 254 };

static int32_t selected_ink(struct theme theme, enum style style, int32_t ink)
{
    for (size_t k = 0; k < sizeof selected / sizeof *selected; k++)
        if (selected[k].style == style && !(theme.colorblind && style != STYLE_FAINT))
            return theme.light ? selected[k].light : selected[k].dark;
    return ink;
}

struct look theme_look(struct theme theme, enum style style, unsigned flags, uint32_t ink, uint32_t ground)
{
    style = (unsigned)style < STYLE_COUNT ? style : STYLE_TEXT;
    const struct row *row = &rows[style];
    struct look look = {-1, -1, theme.depth == COLORS_NONE ? row->mono_attributes : row->color_attributes};
    if (style == STYLE_IMAGE && (theme.depth == COLORS_256 || (theme.depth == COLORS_16 && (ink | ground) < 16)))
        look = (struct look){(int32_t)ink, (int32_t)ground, 0};
    else if (theme.depth == COLORS_256)
        look.ink = ink_of(theme, style);
    else if (theme.depth == COLORS_16)
        look.ink = row->sixteen;
    if (theme.depth == COLORS_256)
        look.attributes &= (uint8_t)~LOOK_FAINT; /* its colour is faint already */
    if (flags & CELL_BOLD)
        look.attributes |= LOOK_BOLD;
    if (flags & CELL_FAINT)
        look.attributes |= LOOK_FAINT;
    if (flags & CELL_REVERSE)
        look.attributes ^= LOOK_REVERSE;
    if ((flags & CELL_SELECTED) && theme.depth != COLORS_256)
        look = (struct look){-1, -1, (uint8_t)((look.attributes & (uint8_t)~LOOK_FAINT) | LOOK_REVERSE)};
    else if ((flags & CELL_SELECTED) && look.ground < 0) {
        look.ground = theme.light ? SELECTED_LIGHT : SELECTED_DARK;
        look.ink = selected_ink(theme, style, look.ink);
    }
    return look;
}

enum style theme_chart_style(int chart_style)
{
    static const uint8_t frame[] = {[CHART_BLANK] = STYLE_TEXT,          [CHART_TITLE] = STYLE_CHART_TITLE,
                                    [CHART_LABEL] = STYLE_CHART_LABEL,   [CHART_AXIS] = STYLE_CHART_AXIS,
                                    [CHART_CURSOR] = STYLE_CHART_CURSOR, [CHART_NOTE] = STYLE_CHART_NOTE,
                                    [CHART_BAD] = STYLE_CHART_BAD,       [CHART_MARK] = STYLE_MARK,
                                    [CHART_MARK_BEST] = STYLE_MARK_BEST, [CHART_MARK_SELECTED] = STYLE_MARK_SELECTED};
    if (chart_style >= CHART_SERIES_DIM)
        return (enum style)(STYLE_SERIES_DIM + (chart_style - CHART_SERIES_DIM) % CHART_COLORS);
    if (chart_style >= CHART_SERIES)
        return (enum style)(STYLE_SERIES + (chart_style - CHART_SERIES) % CHART_COLORS);
    return (enum style)frame[chart_style];
}
