/* theme.h - what a cell means, and how that looks: with 256 colours, with 16, with none; on a dark and on a light
 * ground.
 *
 * Never colour alone: every meaning also has a word, a symbol, bold, faint or reverse. The ground is always the
 * terminal's own, except under a selection and in pictures.
 */
#ifndef TUI_TERMINAL_THEME_H
#define TUI_TERMINAL_THEME_H

#include <stdbool.h>
#include <stdint.h>

enum style {
    STYLE_TEXT,
    STYLE_FAINT, /* secondary: units, hints, defaults */
    STYLE_STRONG,
    STYLE_TITLE,  /* name of the place one is in */
    STYLE_ACCENT, /* what has the focus */
    STYLE_BORDER,
    STYLE_HEADER,  /* column titles */
    STYLE_KEY,     /* a key in the footer and in the help */
    STYLE_FIELD,   /* a text field */
    STYLE_CHANGED, /* a value that differs */
    STYLE_ERROR,
    STYLE_WARNING,
    STYLE_GOOD,
    STYLE_RUNNING, /* states of a run */
    STYLE_PAUSED,
    STYLE_FINISHED,
    STYLE_STOPPED,
    STYLE_FAILED,
    STYLE_CHART_TITLE,
    STYLE_CHART_LABEL,
    STYLE_CHART_AXIS,
    STYLE_CHART_CURSOR,
    STYLE_CHART_NOTE,
    STYLE_CHART_BAD,
    STYLE_MARK,
    STYLE_MARK_BEST,
    STYLE_MARK_SELECTED,
    STYLE_IMAGE,  /* colours are in the cell */
    STYLE_SERIES, /* + color 0 .. 7 */
    STYLE_SERIES_DIM = STYLE_SERIES + 8,
    STYLE_COUNT = STYLE_SERIES_DIM + 8
};

enum color_depth { COLORS_NONE, COLORS_16, COLORS_256 };
enum { LOOK_BOLD = 1, LOOK_FAINT = 2, LOOK_REVERSE = 4, LOOK_UNDERLINE = 8 };
struct look {
    int32_t ink, ground; /* as in plots/tile.h; -1: the terminal's own */
    uint8_t attributes;
};
struct theme {
    enum color_depth depth;
    bool light;
    bool colorblind; /* colours that stay apart without red or green; curves carry marks too */
};

/* What a person chooses; kept as the setting screen.theme. */
enum theme_name { THEME_AUTO, THEME_DARK, THEME_LIGHT, THEME_COLORBLIND, THEME_16, THEME_NONE, THEME_COUNT };
struct theme_row {
    const char *name, *help;
};
extern const struct theme_row theme_table[THEME_COUNT];
/* THEME_AUTO for NULL and for what is none. */
enum theme_name theme_parse(const char *name);
/* most: the colours there are; light: of the terminal's ground, where it is known. */
struct theme theme_make(enum theme_name name, enum color_depth most, bool light);
/* Whether lines need marks of their own because their colours do not tell them apart for everybody. */
bool theme_wants_markers(struct theme theme);

/* flags: CELL_* of grid.h; ink, ground: of a STYLE_IMAGE cell. */
struct look theme_look(struct theme theme, enum style style, unsigned flags, uint32_t ink, uint32_t ground);
/* The style of a chart's cell (enum chart_style of plots/chart.h). */
enum style theme_chart_style(int chart_style);

#endif
