/* chart_pane_draw.c - the pane as a chart: lines, marks of the checkpoints, what stands beside the cursor. */
#include "plots/format.h"
#include "tui/app/human.h"
#include "tui/charts/chart_pane_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t chart_pane_n_marks(const struct chart_pane *pane)
{
    return pane->n_checkpoints + pane->n_events + 1; /* one for the fork */
}

void chart_pane_fill(const struct app *app, const struct chart_pane *pane, struct chart *chart,
                     struct chart_mark *marks, char title[CHART_TITLE_SIZE])
{
    struct chart_options options = chart_pane_options(app, pane);
    chart_options_fill(&options, &pane->curves, pane->shown_part, chart, title);
    chart->legend = pane->legend;
    chart->markers = app->markers;
    chart->marks = marks;
    chart->n_marks = chart_marks(&pane->curves, pane->axis, pane->checkpoints, pane->n_checkpoints, pane->events,
                                 pane->n_events, marks);
    /* then the last checkpoint is marked as such, and moves on with the run */
    bool follows = pane->living && pane->follow;
    if (pane->selected >= 0 && !follows)
        marks[pane->selected].selected = true;
    chart->mark_line = pane->curves.monitor >= 0 ? pane->curves.monitor : pane->curves.n ? 0 : -1;
    if (isnan(pane->lo)) {
        chart->x_lo = pane->held_x.lo;
        chart->x_hi = pane->held_x.hi;
        chart->y_lo = pane->held_y.lo;
        chart->y_hi = pane->held_y.hi;
    }
    chart->cursor_hidden = follows;
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
    double rate = rate_at(pane, moment), since = curve_since(&pane->curves.origin, moment->time);
    if (!isnan(rate))
        used += (size_t)snprintf(text + used, size - used, "%slr %s", used ? "  " : "", human_rate(rate).text);
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

/* What happened where the cursor stands: since the moment before it. */
static bool event_note(const struct chart_pane *pane, char *text, size_t size)
{
    const struct chart_moment *here = &pane->moments[pane->cursor],
                              *before = pane->cursor ? &pane->moments[pane->cursor - 1] : NULL;
    size_t n = 0, last = 0;
    for (size_t i = 0; i < pane->n_events; i++)
        if (pane->events[i].step <= here->step && (!before || pane->events[i].step > before->step))
            last = i, n++;
    if (!n)
        return false;
    snprintf(text, size, n > 1 ? "%c %s (%zu events)" : "%c %s", pane->events[last].letter, pane->events[last].words,
             n);
    return true;
}

void chart_pane_hide(struct chart_pane *pane)
{
    for (size_t k = 0; k < pane->n_drawn; k++)
        pane->others[k].drawn = (struct rect){0};
}

void chart_pane_draw(const struct app *app, struct chart_pane *pane, struct grid *grid, struct rect rect)
{
    chart_pane_hide(pane);
    if (pane->all && pane->n_moments) {
        chart_pane_draw_all(app, pane, grid, rect);
        return;
    }
    struct rect right = rect_right(&rect, chart_pane_others_width(pane, rect));
    if (right.w)
        chart_pane_draw_others(app, pane, grid, right);
    struct chart chart;
    struct chart_mark *marks = xcalloc(chart_pane_n_marks(pane), sizeof *marks);
    char title[CHART_TITLE_SIZE], moment[160], checkpoint[96], event[160];
    const char *notes[3];
    chart_pane_fill(app, pane, &chart, marks, title);
    if (pane->n_moments) {
        moment_note(pane, moment, sizeof moment);
        notes[chart.n_notes++] = moment;
        if (!chart.cursor_hidden && checkpoint_note(app, pane, checkpoint, sizeof checkpoint))
            notes[chart.n_notes++] = checkpoint;
        if (event_note(pane, event, sizeof event))
            notes[chart.n_notes++] = event;
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
