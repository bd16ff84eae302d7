/* chart_pixels.c - the chart as RGB pixels: anti-aliased lines by distance to the segment, text from the built-in font.
 * See chart.h. */
#include "plots/chart_cells.h"
#include "plots/chart_paper.h"
#include "plots/font.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

struct image {
    uint8_t *rgb;
    float *cover; /* width * height: how much of a pixel the path being drawn covers */
    int width, height, zoom;
};

static void blend(const struct image *image, int x, int y, uint32_t rgb, double share)
{
    if (x < 0 || y < 0 || x >= image->width || y >= image->height)
        return;
    uint8_t *pixel = image->rgb + ((size_t)y * (size_t)image->width + (size_t)x) * 3;
    for (int c = 0; c < 3; c++) {
        double to = rgb >> (16 - 8 * c) & 0xFF;
        pixel[c] = (uint8_t)(pixel[c] + (to - pixel[c]) * share + 0.5);
    }
}

static int clamp_int(double value, int lo, int hi)
{
    return !(value > lo) ? lo : value > hi ? hi : (int)value;
}

/* Distance of a pixel's centre to the segment turned into a share of coverage; a pixel keeps the largest of a path.
 * box: pixels allowed. */
static void cover_segment(const struct image *image, double x0, double y0, double x1, double y1, double width,
                          const int box[4])
{
    double reach = width / 2 + 1, dx = x1 - x0, dy = y1 - y0, length2 = dx * dx + dy * dy;
    int top = clamp_int(floor(fmin(y0, y1) - reach), box[1], box[3]),
        bottom = clamp_int(ceil(fmax(y0, y1) + reach), box[1], box[3]);
    for (int y = top; y <= bottom; y++) {
        double from = fmin(x0, x1), to = fmax(x0, x1);
        if (fabs(dy) > 1e-9) { /* only the part of the segment near this row */
            double a = (y - reach - y0) / dy, b = (y + 1 + reach - y0) / dy;
            double t0 = fmin(fmax(fmin(a, b), 0), 1), t1 = fmin(fmax(fmax(a, b), 0), 1);
            from = fmin(x0 + t0 * dx, x0 + t1 * dx);
            to = fmax(x0 + t0 * dx, x0 + t1 * dx);
        }
        int left = clamp_int(floor(from - reach), box[0], box[2]), right = clamp_int(ceil(to + reach), box[0], box[2]);
        for (int x = left; x <= right; x++) {
            double px = x + 0.5 - x0, py = y + 0.5 - y0, t = length2 > 0 ? (px * dx + py * dy) / length2 : 0;
            t = t < 0 ? 0 : t > 1 ? 1 : t;
            double share = width / 2 + 0.5 - hypot(px - t * dx, py - t * dy);
            float *cover = &image->cover[(size_t)y * (size_t)image->width + (size_t)x];
            if (share > *cover)
                *cover = (float)fmin(share, 1);
        }
    }
}

static void paint_cover(const struct image *image, uint32_t rgb, const int box[4])
{
    for (int y = box[1]; y <= box[3]; y++)
        for (int x = box[0]; x <= box[2]; x++) {
            float *cover = &image->cover[(size_t)y * (size_t)image->width + (size_t)x];
            if (*cover > 0)
                blend(image, x, y, rgb, *cover);
            *cover = 0;
        }
}

/* Dashes are measured along the path, so they look the same on every slope. */
static void cover_dashed(const struct image *image, const struct path_point *a, const struct path_point *b,
                         double width, double *phase, const int box[4])
{
    double on = 4 * width, period = on + 3 * width, length = hypot(b->x - a->x, b->y - a->y), at = 0;
    if (!(length < 1e5)) {
        cover_segment(image, a->x, a->y, b->x, b->y, width, box);
        return;
    }
    while (at < length) {
        double inside = fmod(*phase, period), step = fmin((inside < on ? on : period) - inside, length - at);
        step = fmax(step, 0.01);
        double t0 = at / length, t1 = fmin((at + step) / length, 1);
        if (inside < on)
            cover_segment(image, a->x + t0 * (b->x - a->x), a->y + t0 * (b->y - a->y), a->x + t1 * (b->x - a->x),
                          a->y + t1 * (b->y - a->y), width, box);
        at += step;
        *phase += step;
    }
}

static void pixel_path(void *self, const struct path_point *points, size_t n, double width, uint32_t rgb, bool dashed,
                       const double clip[4])
{
    struct image *image = self;
    const int box[4] = {clamp_int(floor(clip[0]), 0, image->width - 1), clamp_int(floor(clip[1]), 0, image->height - 1),
                        clamp_int(ceil(clip[2]), 0, image->width - 1), clamp_int(ceil(clip[3]), 0, image->height - 1)};
    double phase = 0;
    for (size_t i = 0; i < n; i++) {
        const struct path_point *a = &points[i], *b = i + 1 < n && !points[i + 1].move ? &points[i + 1] : NULL;
        if (b && dashed)
            cover_dashed(image, a, b, width, &phase, box);
        else if (b)
            cover_segment(image, a->x, a->y, b->x, b->y, width, box);
        else if (i == 0 || a->move)
            cover_segment(image, a->x, a->y, a->x, a->y, 1.5 * width, box);
    }
    paint_cover(image, rgb, box);
}

static void pixel_line(void *self, double x0, double y0, double x1, double y1, uint32_t rgb, bool dotted)
{
    struct image *image = self;
    const double clip[4] = {0, 0, image->width, image->height};
    double half = 0.5 * (image->zoom % 2); /* hair lines on the middle of a pixel */
    struct path_point points[2] = {{x0, y0, true}, {x1, y1, false}};
    if (x0 == x1)
        points[0].x = points[1].x = floor(x0) + half;
    if (y0 == y1)
        points[0].y = points[1].y = floor(y0) + half;
    pixel_path(self, points, 2, image->zoom, rgb, dotted, clip);
}

static void pixel_text(void *self, double x, double y, enum anchor anchor, const char *text, uint32_t rgb)
{
    struct image *image = self;
    int zoom = image->zoom, n = plan_name_width(text);
    double width = (FONT_WIDTH + 1) * zoom * n - zoom;
    int left = (int)floor(x - (anchor == ANCHOR_MIDDLE ? width / 2 : anchor == ANCHOR_END ? width : 0) + 0.5);
    int top = (int)floor(y + 0.5) - FONT_BASE * zoom;
    for (int k = 0; *text; k++) {
        uint32_t ch = canvas_decode(&text);
        for (int py = 0; py < FONT_HEIGHT * zoom; py++)
            for (int px = 0; px < FONT_WIDTH * zoom; px++)
                if (font_dot(ch, px / zoom, py / zoom))
                    blend(image, left + k * (FONT_WIDTH + 1) * zoom + px, top + py, rgb, 1);
    }
}

static void pixel_mark(void *self, double x, double y, double radius, enum chart_mark_kind kind, uint32_t rgb)
{
    bool round = kind == MARK_LAST || kind == MARK_EVENT;
    double r = kind == MARK_EVENT ? radius / 2 : kind == MARK_LAST ? radius * 0.8 : radius;
    for (int py = (int)floor(y - r - 1); py <= (int)ceil(y + r + 1); py++)
        for (int px = (int)floor(x - r - 1); px <= (int)ceil(x + r + 1); px++) {
            double dx = fabs(px + 0.5 - x), dy = fabs(py + 0.5 - y);
            double inside = r + 0.5 - (round ? hypot(dx, dy) : dx + dy);
            double share = inside < 0 ? 0 : inside > 1 ? 1 : inside;
            if (kind == MARK_CHECKPOINT && inside > 2)
                share = 0;
            if (share > 0)
                blend(self, px, py, rgb, share);
        }
}

static void pixel_panel(void *self, double x, double y, double width, double height, uint32_t rgb)
{
    for (int py = (int)floor(y); py < (int)(y + height); py++)
        for (int px = (int)floor(x); px < (int)(x + width); px++)
            blend(self, px, py, rgb, 0.85);
}

uint8_t *chart_pixels(const struct chart *chart, enum chart_paper paper, int width, int height)
{
    BUG_ON(width < 16 || height < 16 || width > 8192 || height > 8192);
    size_t n = (size_t)width * (size_t)height;
    int zoom = width >= 640 && height >= 320 ? (width >= 2400 && height >= 1200 ? 3 : 2) : 1;
    struct image image = {xmalloc(n * 3), xcalloc(n, sizeof(float)), width, height, zoom};
    struct surface surface = {.self = &image,
                              .char_width = 6.0 * zoom,
                              .cap_height = 7.0 * zoom,
                              .line_height = 12.0 * zoom,
                              .unit = zoom,
                              .text = pixel_text,
                              .line = pixel_line,
                              .path = pixel_path,
                              .mark = pixel_mark,
                              .panel = pixel_panel};
    uint32_t ground = paper_colors(paper)->ground;
    for (size_t i = 0; i < n * 3; i++)
        image.rgb[i] = (uint8_t)(ground >> (16 - 8 * (i % 3)));
    paper_draw(chart, paper, width, height, &surface);
    free(image.cover);
    return image.rgb;
}
