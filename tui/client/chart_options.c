/* chart_options.c - see chart_options.h */
#include "tui/client/chart_options.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void chart_options_words(const struct chart_options *options, char *text, size_t size)
{
    char smooth[32] = "";
    if (options->smooth > 0)
        snprintf(smooth, sizeof smooth, "   smooth %g", options->smooth);
    bool zoomed = !isnan(options->lo) || !isnan(options->hi);
    snprintf(text, size, "%s%s%s%s%s", options->log_y ? "   log" : "", options->log_x ? "   log x" : "", smooth,
             options->clip ? "   clipped" : "", zoomed ? "   zoomed" : "");
}

bool chart_axis_takes_log(enum curve_axis axis)
{
    return curve_axis_kind(axis) == TICKS_INTEGER || curve_axis_kind(axis) == TICKS_NUMBER;
}

void chart_options_fill(const struct chart_options *options, const struct curve_set *set, enum curve_part part,
                        struct chart *chart, char title[CHART_TITLE_SIZE])
{
    char words[100];
    chart_options_words(options, words, sizeof words);
    snprintf(title, CHART_TITLE_SIZE, "%s%.50s%s", part == CURVES_VALIDATION ? "val_" : "", set->family, words);
    *chart = CHART_INIT;
    chart->title = title;
    chart->x_name = curve_axis_name(options->axis);
    chart->x_kind = curve_axis_kind(options->axis);
    chart->utc_offset_s = options->utc_offset_s;
    chart->lines = set->lines;
    chart->n_lines = set->n;
    chart->log_x = options->log_x;
    chart->log_y = options->log_y;
    chart->clip = options->clip;
    chart->x_lo = options->lo;
    chart->x_hi = options->hi;
    chart->mark_line = set->n_held > 1 ? -1 : set->monitor >= 0 ? set->monitor : set->n ? 0 : -1;
}

double chart_fork(const struct curve_set *set, size_t focus)
{
    double fork = NAN;
    for (size_t i = 0; i < set->n; i++)
        if (set->run_of[i] == (int)focus && !isnan(set->lines[i].fork_x))
            fork = set->lines[i].fork_x;
    return fork;
}

/* Where several fall into one cell, the last is seen: what changes the training comes behind
 * what only interrupts it. */
static size_t add_events(const struct curve_set *set, enum curve_axis axis, const struct notable_event *events,
                         size_t n_events, struct chart_mark *marks)
{
    size_t n = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < n_events; i++)
            if ((strchr("PCK", events[i].letter) == NULL) == (pass == 1))
                marks[n++] =
                    (struct chart_mark){.x = curve_set_x(set, axis, events[i].epoch, events[i].step, events[i].time),
                                        .kind = MARK_EVENT,
                                        .letter = events[i].letter};
    return n;
}

size_t chart_marks(const struct curve_set *set, enum curve_axis axis, const struct checkpoint_summary *checkpoints,
                   size_t n_checkpoints, const struct notable_event *events, size_t n_events, struct chart_mark *marks)
{
    size_t n = 0;
    for (size_t i = 0; i < n_checkpoints; i++) {
        const struct checkpoint_summary *c = &checkpoints[i];
        marks[n++] = (struct chart_mark){.x = curve_set_x(set, axis, c->epoch, c->step, c->created),
                                         .kind = c->best   ? MARK_BEST
                                                 : c->last ? MARK_LAST
                                                           : MARK_CHECKPOINT};
    }
    n += add_events(set, axis, events, n_events, &marks[n]);
    double fork = chart_fork(set, set->focus);
    if (!isnan(fork))
        marks[n++] = (struct chart_mark){.x = fork, .kind = MARK_FORK};
    return n;
}
