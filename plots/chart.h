/* chart.h - a line chart described once and drawn as character cells, as SVG text or as pixels. Pure: no clock, no
 * terminal, no files; the same chart and size always give the same bytes. Nothing is written outside the given size,
 * however small.
 *
 * Honest: every sample has its dot (raster.h), a missing value is a gap, NaN and infinities are marked on a rail,
 * values that a clipped axis does not show have an arrow, values a log axis cannot show are counted. The smoothed curve
 * is bright, the raw one lies dim behind it.
 *
 *     struct chart_line line = {.series = &loss, .name = "loss", .fork_x = NAN};
 *     struct chart chart = CHART_INIT;
 *     chart.title = "loss", chart.lines = &line, chart.n_lines = 1;
 *     chart_draw(&chart, RUNG_BRAILLE, cells, width, height, width);
 */
#ifndef PLOTS_CHART_H
#define PLOTS_CHART_H

#include "base/str.h"
#include "plots/raster.h"
#include "plots/ticks.h"

#include <math.h>

/* What a cell means; the theme of the screen gives it colours. */
enum chart_style {
    CHART_BLANK,
    CHART_TITLE,
    CHART_LABEL, /* numbers and names along the axes */
    CHART_AXIS,  /* lines of the axes */
    CHART_CURSOR,
    CHART_NOTE, /* text beside the cursor */
    CHART_BAD,  /* NaN, infinities */
    CHART_MARK, /* checkpoints */
    CHART_MARK_BEST,
    CHART_MARK_SELECTED,
    CHART_SERIES = 16, /* + color: 0 .. CHART_COLORS - 1 */
    CHART_SERIES_DIM = 32
};
enum { CHART_COLORS = 8, CHART_MAX_LINES = 256 };

struct chart_cell {
    uint32_t ch; /* Unicode, one column wide, never 0 */
    uint8_t style;
};

struct chart_line {
    const struct series *series; /* raw values */
    const struct series *smooth; /* drawn bright over the dim raw ones; NULL: the raw ones are bright */
    const char *name;            /* UTF-8; beside the line */
    int color;                   /* modulo CHART_COLORS */
    bool dashed;                 /* validation, second of a pair */
    bool dim;                    /* one of a cloud, or a ghost: drawn behind the others */
    bool silent;                 /* nothing is said of it beside the cursor */
    double fork_x;               /* up to here the line is the parent's and dim; NAN: none */
    const char *column; /* above its values in a table, where name leaves open what or whose they are; NULL: name */
};

enum chart_mark_kind { MARK_CHECKPOINT, MARK_BEST, MARK_LAST, MARK_EVENT, MARK_FORK };
struct chart_mark {
    double x;
    enum chart_mark_kind kind;
    bool selected;
    char letter; /* of an event: drawn instead of a dot; 0: none */
};

struct chart {
    const char *title;
    const char *x_name; /* "epoch", "step"; NULL: none */
    const struct chart_line *lines;
    size_t n_lines; /* at most CHART_MAX_LINES are drawn */
    const struct chart_mark *marks;
    size_t n_marks;
    /* the best, last and selected marks lie on this line too (a small chart that grows: the
     * best); -1: only on the rail */
    int mark_line;
    enum tick_kind x_kind;
    bool log_x, log_y;
    bool clip;          /* y range without outliers (range_robust) */
    double x_lo, x_hi;  /* NAN: from the data */
    double y_lo, y_hi;  /* at least this much: rows of characters take a little more, so that labels stand evenly */
    double cursor_x;    /* NAN: none */
    bool cursor_hidden; /* no line at the cursor, only what is said of it: it stands on the newest sample of a curve
                           that grows */
    const char *const *notes; /* further lines beside the cursor */
    size_t n_notes;
    bool markers; /* where several lines are bright, each carries marks of its own every few columns */
    bool legend;  /* names on the title line; else at the ends of the lines */
    bool bare;    /* only the plot: no axes, no title */
    bool small;   /* one of many: the plot with its y axis and the foot of the cursor's line, nothing else */
    long utc_offset_s;
};
#define CHART_INIT                                                                                                     \
    (struct chart)                                                                                                     \
    {                                                                                                                  \
        .x_kind = TICKS_INTEGER, .x_lo = NAN, .x_hi = NAN, .y_lo = NAN, .y_hi = NAN, .cursor_x = NAN, .mark_line = -1  \
    }

/* The range of the x axis, and of the y axis over what is visible of it. Never empty. */
void chart_ranges(const struct chart *chart, struct range *x, struct range *y);

/* Draws into cells[row * stride + col], all width * height of them. */
void chart_draw(const struct chart *chart, enum rung rung, struct chart_cell *cells, int width, int height, int stride);
/* What a line of that colour is made of where several are drawn with characters (RUNG_ASCII): for a legend of the
 * caller's own. */
uint32_t chart_ascii_glyph(int color);
/* Where the plot itself lies in a drawing of that size, and its x scale in cells (column left + scale_dot): for the
 * mouse and for a rail of the caller's own. */
struct chart_place {
    int left, top, width, height; /* cells */
    struct scale x;               /* value -> dots of the rung, 0 = left edge of the plot */
};
struct chart_place chart_place(const struct chart *chart, enum rung rung, int width, int height);

enum chart_paper { PAPER_LIGHT, PAPER_DARK };
/* Appends a whole SVG document of width x height pixels. */
void chart_svg(const struct chart *chart, enum chart_paper paper, int width, int height, struct str *out);
/* width * height * 3 bytes of RGB, owned by the caller (free). Sides of 16 .. 8192. */
uint8_t *chart_pixels(const struct chart *chart, enum chart_paper paper, int width, int height);

/* Plain text of a drawing, one line per row, blanks at the ends of lines cut. */
void chart_text(const struct chart_cell *cells, int width, int height, int stride, struct str *out);

#endif
