/* chart_speed: what a frame of a long curve costs: chart_speed POINTS -> milliseconds a frame at 200 x 50, whole and
 * zoomed. */
#include "base/arena.h"
#include "base/io.h"
#include "base/rng.h"
#include "plots/chart.h"

#include <stdio.h>
#include <stdlib.h>

enum { WIDTH = 200, HEIGHT = 50, LINES = 4, FRAMES = 30 };

static struct series series[LINES];

static double frame_ms(struct chart *chart, struct chart_cell *cells)
{
    double best = 1e9;
    for (int i = 0; i < FRAMES; i++) {
        double start = io_monotonic_seconds();
        chart_draw(chart, RUNG_BRAILLE, cells, WIDTH, HEIGHT, WIDTH);
        double took = (io_monotonic_seconds() - start) * 1e3;
        best = took < best ? took : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    size_t n = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;
    struct chart_line lines[LINES];
    struct chart_cell *cells = xcalloc((size_t)WIDTH * HEIGHT, sizeof *cells);
    if (n < 100) {
        fprintf(stderr, "chart_speed POINTS\n");
        return 2;
    }
    for (int k = 0; k < LINES; k++) {
        for (size_t i = 0; i < n / LINES; i++)
            series_append(&series[k], (double)i,
                          1 / (1 + 1e-5 * (double)i) + 0.1 * k +
                              0.02 * rng_to_uniform(rng_u32(1, RNG_STREAM_DATA, (uint32_t)k, i)));
        lines[k] = (struct chart_line){.series = &series[k], .name = "line", .color = k, .fork_x = NAN};
    }
    struct chart chart = CHART_INIT;
    chart.lines = lines, chart.n_lines = LINES, chart.title = "loss", chart.x_name = "step";
    chart.cursor_x = (double)n / LINES / 2;
    double whole = frame_ms(&chart, cells);
    chart.clip = true;
    double clipped = frame_ms(&chart, cells);
    chart.clip = false, chart.x_lo = (double)n / LINES * 0.4, chart.x_hi = (double)n / LINES * 0.41;
    double zoomed = frame_ms(&chart, cells);
    printf("{\"whole_ms\": %.3f, \"clipped_ms\": %.3f, \"zoomed_ms\": %.3f}\n", whole, clipped, zoomed);
    for (int k = 0; k < LINES; k++)
        series_release(&series[k]);
    free(cells);
    return 0;
}
