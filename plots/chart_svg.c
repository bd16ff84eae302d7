/* chart_svg.c - the chart as an SVG document: no scripts, no outside references, a monospace font family by name only.
 */
#include "plots/chart_paper.h"

#include <stdio.h>

static void add_rgb(struct str *out, const char *key, uint32_t rgb)
{
    str_addf(out, " %s=\"#%06x\"", key, (unsigned)rgb);
}

/* Text of a person inside XML: markup escaped, characters XML forbids dropped. */
static void add_xml(struct str *out, const char *text)
{
    struct str visible = {0};
    str_add_visible(&visible, text);
    for (const char *c = str_text(&visible); *c; c++) {
        if (*c == '<')
            str_add(out, "&lt;");
        else if (*c == '>')
            str_add(out, "&gt;");
        else if (*c == '&')
            str_add(out, "&amp;");
        else
            str_add_char(out, *c);
    }
    str_release(&visible);
}

static void svg_text(void *self, double x, double y, enum anchor anchor, const char *text, uint32_t rgb)
{
    static const char *const names[] = {"start", "middle", "end"};
    str_addf(self, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"", x, y, names[anchor]);
    add_rgb(self, "fill", rgb);
    str_add(self, ">");
    add_xml(self, text);
    str_add(self, "</text>\n");
}

static void svg_line(void *self, double x0, double y0, double x1, double y1, uint32_t rgb, bool dotted)
{
    str_addf(self, "<path d=\"M%.1f %.1fL%.1f %.1f\"%s", x0, y0, x1, y1, dotted ? " stroke-dasharray=\"2 3\"" : "");
    add_rgb(self, "stroke", rgb);
    str_add(self, "/>\n");
}

static void svg_path(void *self, const struct path_point *points, size_t n, double width, uint32_t rgb, bool dashed,
                     const double clip[4])
{
    str_addf(
        self, "<svg x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" viewBox=\"%.1f %.1f %.1f %.1f\"><path d=\"",
        clip[0], clip[1], clip[2] - clip[0], clip[3] - clip[1], clip[0], clip[1], clip[2] - clip[0], clip[3] - clip[1]);
    for (size_t i = 0; i < n; i++) {
        bool alone = points[i].move && (i + 1 == n || points[i + 1].move);
        str_addf(self, "%c%.1f %.1f%s", points[i].move || i == 0 ? 'M' : 'L', points[i].x, points[i].y,
                 alone ? "h0" : "");
    }
    str_addf(self, "\" stroke-width=\"%.1f\" stroke-linejoin=\"round\" stroke-linecap=\"%s\"%s", width,
             dashed ? "butt" : "round", dashed ? " stroke-dasharray=\"6 4\"" : "");
    add_rgb(self, "stroke", rgb);
    str_add(self, "/></svg>\n");
}

static void svg_mark(void *self, double x, double y, double radius, enum chart_mark_kind kind, uint32_t rgb)
{
    if (kind == MARK_LAST || kind == MARK_EVENT)
        str_addf(self, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"", x, y, radius * (kind == MARK_LAST ? 0.8 : 0.5));
    else
        str_addf(self, "<path d=\"M%.1f %.1fl%.1f %.1fl%.1f %.1fl%.1f %.1fz\"", x - radius, y, radius, -radius, radius,
                 radius, -radius, radius);
    if (kind != MARK_CHECKPOINT)
        add_rgb(self, "fill", rgb);
    add_rgb(self, "stroke", rgb);
    str_add(self, "/>\n");
}

static void svg_panel(void *self, double x, double y, double width, double height, uint32_t rgb)
{
    str_addf(self, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill-opacity=\"0.85\"", x, y, width,
             height);
    add_rgb(self, "fill", rgb);
    str_add(self, "/>\n");
}

void chart_svg(const struct chart *chart, enum chart_paper paper, int width, int height, struct str *out)
{
    struct surface surface = {.self = out,
                              .char_width = 7.3,
                              .cap_height = 8.5,
                              .line_height = 16,
                              .unit = 1,
                              .text = svg_text,
                              .line = svg_line,
                              .path = svg_path,
                              .mark = svg_mark,
                              .panel = svg_panel};
    str_addf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\"", width,
             height, width, height);
    str_add(
        out,
        " font-family=\"ui-monospace,Menlo,Consolas,DejaVu Sans Mono,monospace\" font-size=\"12\" fill=\"none\">\n");
    str_add(out, "<rect width=\"100%\" height=\"100%\"");
    add_rgb(out, "fill", paper_colors(paper)->ground);
    str_add(out, "/>\n");
    paper_draw(chart, paper, width, height, &surface);
    str_add(out, "</svg>\n");
}
