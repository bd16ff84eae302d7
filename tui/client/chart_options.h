/* chart_options.h - how curves are drawn, apart from which: the one description that the screen, the files it writes
 * and `antler plot` share, so that the three show the same.
 *
 *     struct chart_options options = CHART_OPTIONS_INIT;
 *     struct chart chart;
 *     chart_options_fill(&options, &set, CURVES_BOTH, &chart, title);
 *     chart.n_marks = chart_marks(&set, options.axis, checkpoints, n, events, n_events, marks);
 */
#ifndef TUI_CLIENT_CHART_OPTIONS_H
#define TUI_CLIENT_CHART_OPTIONS_H

#include "tui/client/curve_set.h"
#include "tui/client/run_events.h"

struct chart_options {
    enum curve_axis axis;
    double smooth; /* weight of the average, 0: none */
    bool log_x, log_y, clip;
    double lo, hi; /* the part of the x axis that is shown, each NAN: as far as the data reach */
    long utc_offset_s;
};
#define CHART_OPTIONS_INIT                                                                                             \
    (struct chart_options)                                                                                             \
    {                                                                                                                  \
        .axis = AXIS_EPOCH, .lo = NAN, .hi = NAN                                                                       \
    }

enum { CHART_TITLE_SIZE = 160 };
/* A chart of the lines of a set, without marks and cursor; title is lent to it. */
void chart_options_fill(const struct chart_options *options, const struct curve_set *set, enum curve_part part,
                        struct chart *chart, char title[CHART_TITLE_SIZE]);
/* "   log   smooth 0.6": what is not as usual, each with blanks before it. */
void chart_options_words(const struct chart_options *options, char *text, size_t size);

/* Whether the axis has a logarithmic form: times have none. */
bool chart_axis_takes_log(enum curve_axis axis);

/* The marks of the focused run: its checkpoints, events, the fork. marks has room for n_checkpoints +
 * n_events + 1. Returns how many. */
size_t chart_marks(const struct curve_set *set, enum curve_axis axis, const struct checkpoint_summary *checkpoints,
                   size_t n_checkpoints, const struct notable_event *events, size_t n_events, struct chart_mark *marks);
/* Where the focused run left its parent, NAN: it has none. */
double chart_fork(const struct curve_set *set, size_t focus);

#endif
