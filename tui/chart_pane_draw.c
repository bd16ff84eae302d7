/* chart_pane_draw.c - the pane as a chart: lines, marks of the checkpoints, what stands beside the cursor. */
#include "plots/format.h"
#include "tui/chart_pane_parts.h"
#include "tui/human.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t chart_pane_n_marks(const struct chart_pane *pane)
{
    return pane->n_checkpoints + pane->n_events + 1; /* one for the fork */
}

static size_t add_marks(const struct chart_pane *pane, struct chart_mark *marks)
{
    size_t n = 0;
    for (size_t i = 0; i < pane->n_checkpoints; i++) {
        const struct checkpoint_summary *c = &pane->checkpoints[i];
        marks[n++] = (struct chart_mark){.x = curve_set_x(&pane->curves, pane->axis, c->epoch, c->step, c->created),
                                         .kind = c->best   ? MARK_BEST
                                                 : c->last ? MARK_LAST
                                                           : MARK_CHECKPOINT,
                                         .selected = (int)i == pane->selected};
    }
    for (size_t i = 0; i < pane->n_events; i++) {
        const struct chart_moment *e = &pane->events[i];
        marks[n++] = (struct chart_mark){.x = curve_set_x(&pane->curves, pane->axis, e->epoch, e->step, e->time),
                                         .kind = MARK_EVENT};
    }
    if (!isnan(pane->fork_x))
        marks[n++] = (struct chart_mark){.x = pane->fork_x, .kind = MARK_FORK};
    return n;
}

void chart_pane_fill(const struct app *app, const struct chart_pane *pane, struct chart *chart,
                     struct chart_mark *marks, const char *title)
{
    *chart = CHART_INIT;
    chart->title = title;
    chart->x_name = curve_axis_name(pane->axis);
    chart->x_kind = curve_axis_kind(pane->axis);
    chart->utc_offset_s = app->utc_offset_s;
    chart->lines = pane->curves.lines;
    chart->n_lines = pane->curves.n;
    chart->log_x = pane->log_x;
    chart->log_y = pane->log_y;
    chart->clip = pane->clip;
    chart->legend = pane->legend;
    chart->marks = marks;
    chart->n_marks = add_marks(pane, marks);
    chart->mark_line = pane->curves.monitor >= 0 ? pane->curves.monitor : pane->curves.n ? 0 : -1;
    chart->x_lo = isnan(pane->lo) ? pane->held_x.lo : pane->lo;
    chart->x_hi = isnan(pane->lo) ? pane->held_x.hi : pane->hi;
    if (isnan(pane->lo)) {
        chart->y_lo = pane->held_y.lo;
        chart->y_hi = pane->held_y.hi;
    }
    chart->cursor_hidden = pane->living && pane->follow;
    if (pane->n_moments)
        chart->cursor_x = chart_pane_x(pane, pane->cursor);
}

static double rate_at(const struct chart_pane *pane, const struct chart_moment *moment)
{
    const struct metric_series *rates = curve_set_history(&pane->curves, "learning_rate");
    double rate = NAN;
    for (size_t i = 0; rates && i < rates->n && (rates->epoch[i] < moment->epoch || rates->step[i] <= moment->step);
         i++)
        rate = rates->value[i];
    return rate;
}

/* "step 540  lr 0.001  1m22s" */
static void moment_note(const struct chart_pane *pane, char *text, size_t size)
{
    const struct chart_moment *moment = &pane->moments[pane->cursor];
    char number[40];
    size_t used = 0;
    *text = 0;
    if (pane->axis != AXIS_STEP && moment->step)
        used += (size_t)snprintf(text, size, "step %s", format_count(number, sizeof number, moment->step));
    if (pane->axis != AXIS_EPOCH)
        used += (size_t)snprintf(text + used, size - used, "%sepoch %lld", used ? "  " : "", (long long)moment->epoch);
    double rate = rate_at(pane, moment), since = moment->time - pane->curves.origin.time;
    if (!isnan(rate))
        used += (size_t)snprintf(text + used, size - used, "%slr %.3g", used ? "  " : "", rate);
    if (pane->axis != AXIS_RELATIVE && since >= 0)
        snprintf(text + used, size - used, "%s%s", used ? "  " : "", format_duration(number, sizeof number, since));
}

static bool checkpoint_note(const struct app *app, const struct chart_pane *pane, char *text, size_t size)
{
    if (pane->selected < 0)
        return false;
    const struct checkpoint_summary *c = &pane->checkpoints[pane->selected];
    const struct chart_moment *moment = &pane->moments[pane->cursor];
    const char *sign = app->rung == RUNG_ASCII ? (c->best   ? "*"
                                                  : c->last ? "@"
                                                            : "o")
                       : c->best               ? "◆"
                       : c->last               ? "●"
                                               : "◇";
    bool here = c->epoch == moment->epoch && c->step == moment->step;
    if (here)
        snprintf(text, size, "%s %scheckpoint", sign, c->best ? "best " : c->last ? "last " : "");
    else
        snprintf(text, size, "nearest %s epoch %lld", sign, (long long)c->epoch);
    return true;
}

void chart_pane_draw(const struct app *app, struct chart_pane *pane, struct grid *grid, struct rect rect)
{
    if (pane->all && pane->n_moments) {
        chart_pane_draw_all(app, pane, grid, rect);
        return;
    }
    struct rect right = rect_right(&rect, chart_pane_others_width(pane, rect));
    if (right.w)
        chart_pane_draw_others(app, pane, grid, right);
    struct chart chart;
    struct chart_mark *marks = xcalloc(chart_pane_n_marks(pane), sizeof *marks);
    char title[160], moment[160], checkpoint[96];
    const char *notes[2];
    chart_pane_title(pane, title, sizeof title);
    chart_pane_fill(app, pane, &chart, marks, title);
    if (pane->n_moments) {
        moment_note(pane, moment, sizeof moment);
        notes[chart.n_notes++] = moment;
        if (checkpoint_note(app, pane, checkpoint, sizeof checkpoint))
            notes[chart.n_notes++] = checkpoint;
        chart.notes = notes;
    }
    pane->drawn = rect;
    pane->place = chart_place(&chart, app->rung, rect.w, rect.h);
    if (pane->curves.n || pane->n_moments)
        grid_chart(grid, rect, &chart, app->rung);
    else
        grid_text(grid, rect, 2, rect.h / 2, STYLE_FAINT, "nothing recorded yet");
    free(marks);
}
