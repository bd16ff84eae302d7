/* result_pages.c - two looks at an evaluation as a whole: how sure the model is and how often right, and how far its
 * numbers are from the true ones.
 */
#include "tui/client/cli_text.h"
#include "tui/results/view_result.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { RANGE_WIDTH = 9, COUNT_WIDTH = 8, MOST_BAR = 50, LEAST_BAR = 8, RESIDUAL_BINS = 17 };

/* Further apart than chance makes so few samples (two standard deviations). */
static bool is_off(const json_t *bin)
{
    double right = js_double(bin, "accuracy", NAN), sure = js_double(bin, "confidence", NAN),
           n = (double)js_int(bin, "samples", 1);
    return fabs(right - sure) > 2 * sqrt(sure * (1 - sure) / n);
}

/* The bar is how often it was right, the mark how sure it was: together they should end at the same place. */
static void draw_bin(const json_t *bin, struct grid *grid, struct rect row, int width)
{
    uint32_t bar[MOST_BAR];
    double right = js_double(bin, "accuracy", NAN), sure = js_double(bin, "confidence", NAN);
    int mark = (int)lround(sure * (width - 1)), x = RANGE_WIDTH + COUNT_WIDTH + 1;
    bool off = is_off(bin);
    char count[24];
    grid_textf(grid, row, 0, 0, STYLE_FAINT, "%.1f–%.1f", js_double(bin, "from", 0), js_double(bin, "to", 0));
    snprintf(count, sizeof count, "%lld", (long long)js_int(bin, "samples", 0));
    grid_text_right(grid, row, RANGE_WIDTH + COUNT_WIDTH - 1, 0, STYLE_TEXT, count);
    tile_bar(right, grid->ascii, bar, width);
    grid_points(grid, row, x, 0, off ? STYLE_WARNING : STYLE_SERIES, bar, width);
    bool inside = mark < (int)(right * width);
    grid_put(grid, row, x + mark, 0, inside ? off ? STYLE_WARNING : STYLE_SERIES : STYLE_STRONG, 0x2502);
    grid_flag(grid, rect_part(row, x + mark, 0, inside, 1), CELL_REVERSE);
    grid_textf(grid, row, x + width + 1, 0, off ? STYLE_WARNING : STYLE_TEXT, "%.3f", right);
    grid_textf(grid, row, x + width + 8, 0, STYLE_FAINT, "%.3f", sure);
}

void result_draw_calibration(const struct result_view *v, struct grid *grid, struct rect rect)
{
    const json_t *calibration = json_object_get(v->of, "calibration"), *bins = json_object_get(calibration, "bins"),
                 *bin;
    size_t i;
    int room = rect.w - RANGE_WIDTH - COUNT_WIDTH - 16, width = room > MOST_BAR    ? MOST_BAR
                                                                : room < LEAST_BAR ? LEAST_BAR
                                                                                   : room;
    if (!calibration) {
        grid_text(grid, rect, 0, 0, STYLE_FAINT, "this model says no probabilities of classes");
        return;
    }
    struct rect head = rect_top(&rect, 1);
    int x = RANGE_WIDTH + COUNT_WIDTH + 1;
    grid_text(grid, head, 0, 0, STYLE_HEADER, "sure");
    grid_text_right(grid, head, RANGE_WIDTH + COUNT_WIDTH - 1, 0, STYLE_HEADER,
                    json_object_get(v->of, "unit") ? "tokens" : "samples");
    grid_text(grid, rect_part(head, 0, 0, x + width, 1), x, 0, STYLE_HEADER, "how often right, │ how sure");
    grid_text(grid, head, x + width + 1, 0, STYLE_HEADER, "right");
    grid_text(grid, head, x + width + 8, 0, STYLE_HEADER, "sure");
    json_array_foreach(bins, i, bin) {
        if (rect.h > 0)
            draw_bin(bin, grid, rect_top(&rect, 1), width);
    }
    double ece = js_double(calibration, "ece", NAN);
    if (rect.h > 1)
        rect_top(&rect, 1);
    grid_textf(grid, rect, 0, 0, STYLE_TEXT, "expected calibration error %.4f", ece);
    if (rect.w >= 70)
        grid_text(grid, rect, 36, 0, STYLE_FAINT,
                  ece < 0.03 ? "it is as sure as it is right" : "the bars should end at their marks");
}

struct residuals {
    size_t n;
    double mean, deviation, rmse, r2, lo, hi;
};

static struct residuals measure(const struct result_view *v)
{
    struct residuals r = {.n = v->n_pairs, .lo = INFINITY, .hi = -INFINITY};
    double sum = 0, squares = 0, truth = 0, truth_squares = 0, n = (double)v->n_pairs;
    for (size_t i = 0; i < v->n_pairs; i++) {
        double is = v->pairs[i][0], residual = v->pairs[i][1] - is;
        sum += residual;
        squares += residual * residual;
        truth += is;
        truth_squares += is * is;
        r.lo = fmin(r.lo, residual);
        r.hi = fmax(r.hi, residual);
    }
    r.mean = sum / n;
    r.deviation = sqrt(fmax(squares / n - r.mean * r.mean, 0));
    r.rmse = sqrt(squares / n);
    r.r2 = 1 - squares / (truth_squares - truth * truth / n);
    return r;
}

static void draw_histogram(const struct result_view *v, const struct residuals *r, struct grid *grid, struct rect rect)
{
    int n_bins = rect.h < RESIDUAL_BINS ? rect.h : RESIDUAL_BINS, counts[RESIDUAL_BINS] = {0}, most = 1,
        width = rect.w - 22 > MOST_BAR ? MOST_BAR : rect.w - 22;
    double reach = fmax(fabs(r->lo), fabs(r->hi));
    n_bins -= n_bins % 2 == 0; /* zero in the middle of one */
    reach = reach > 0 ? reach : 1;
    for (size_t i = 0; i < v->n_pairs && n_bins > 0; i++) {
        int bin = (int)((v->pairs[i][1] - v->pairs[i][0] + reach) / (2 * reach) * n_bins);
        bin = bin < 0 ? 0 : bin >= n_bins ? n_bins - 1 : bin;
        most = ++counts[bin] > most ? counts[bin] : most;
    }
    for (int b = 0; b < n_bins && width >= 4; b++) {
        uint32_t bar[MOST_BAR];
        struct rect row = rect_top(&rect, 1);
        double middle = b == n_bins / 2 ? 0 : (2.0 * b + 1) / n_bins - 1;
        char count[16], label[40];
        bool plain = reach < 1e5 && reach > 1e-4; /* with as many digits as tell neighbours apart */
        int digits = (int)fmin(fmax(2 - floor(log10(2 * reach / n_bins)), 0), 6);
        snprintf(label, sizeof label, plain ? "%.*f" : "%.*g", plain ? digits : 4, middle * reach);
        grid_text_right(grid, row, 10, 0, b == n_bins / 2 ? STYLE_TEXT : STYLE_FAINT, label);
        tile_bar((double)counts[b] / most, grid->ascii, bar, width);
        grid_points(grid, row, 12, 0, STYLE_SERIES, bar, width);
        snprintf(count, sizeof count, "%d", counts[b]);
        grid_text(grid, row, 13 + width, 0, STYLE_FAINT, counts[b] ? count : "");
    }
}

void result_draw_residuals(const struct result_view *v, struct grid *grid, struct rect rect)
{
    if (!v->n_pairs) {
        grid_text(grid, rect, 0, 0, STYLE_FAINT, "this model says no numbers that could be set against the true ones");
        return;
    }
    const struct residuals r = measure(v);
    struct rect line = rect_top(&rect, 1);
    int x =
        grid_textf(grid, line, 0, 0, STYLE_TEXT, "R² %s", isfinite(r.r2) ? text_number(r.r2).text : text_missing()) + 3;
    x += grid_textf(grid, line, x, 0, STYLE_TEXT, "RMSE %s", text_number(r.rmse).text) + 3;
    x += grid_textf(grid, line, x, 0, STYLE_TEXT, "mean of said - true %s", text_number(r.mean).text) + 3;
    grid_textf(grid, line, x, 0, STYLE_FAINT, "± %s", text_number(r.deviation).text);
    rect_top(&rect, rect.h > 8);
    grid_text(grid, rect_top(&rect, 1), 0, 0, STYLE_HEADER, "said - true, how often");
    draw_histogram(v, &r, grid, rect);
}
