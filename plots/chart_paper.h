/* chart_paper.h - inside plots: a chart laid out on a sheet of pixels, drawn through five strokes that SVG and the
 * pixel image implement. */
#ifndef PLOTS_CHART_PAPER_H
#define PLOTS_CHART_PAPER_H

#include "plots/chart.h"

enum anchor { ANCHOR_START, ANCHOR_MIDDLE, ANCHOR_END };
struct path_point {
    double x, y;
    bool move; /* starts a new piece; a piece of one point is a dot */
};
struct surface {
    void *self;
    double char_width, cap_height, line_height; /* of the text, in pixels */
    double unit;                                /* a hair line, in pixels */
    void (*text)(void *self, double x, double y, enum anchor anchor, const char *text, uint32_t rgb); /* y: base line */
    void (*line)(void *self, double x0, double y0, double x1, double y1, uint32_t rgb, bool dotted);
    /* clip: left, top, right, bottom */
    void (*path)(void *self, const struct path_point *points, size_t n, double width, uint32_t rgb, bool dashed,
                 const double clip[4]);
    void (*mark)(void *self, double x, double y, double radius, enum chart_mark_kind kind, uint32_t rgb);
    void (*panel)(void *self, double x, double y, double width, double height, uint32_t rgb);
};
struct paper_colors {
    uint32_t ground, ink, label, axis, grid, bad, best, line[CHART_COLORS], dim[CHART_COLORS];
};
const struct paper_colors *paper_colors(enum chart_paper paper);
void paper_draw(const struct chart *chart, enum chart_paper paper, int width, int height,
                const struct surface *surface);

#endif
