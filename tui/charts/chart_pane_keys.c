/* chart_pane_keys.c - what keys and mouse do to the pane. */
#include "tui/charts/chart_pane_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The scale as it would be drawn now, in the rectangle of the last drawing. */
static struct chart_place place_now(const struct app *app, const struct chart_pane *pane)
{
    struct chart chart;
    struct chart_mark *marks = xcalloc(chart_pane_n_marks(pane), sizeof *marks);
    char title[CHART_TITLE_SIZE];
    chart_pane_fill(app, pane, &chart, marks, title);
    struct chart_place place = chart_place(&chart, app->rung, pane->drawn.w, pane->drawn.h);
    free(marks);
    return place;
}

static int column_of(const struct app *app, const struct chart_place *place, double x)
{
    return isnan(scale_at(&place->x, x)) ? -1 : scale_dot(&place->x, x) / rung_dots_x(app->rung);
}

/* One sample further; where many share a column, to the next column. */
static void step_cursor(struct app *app, struct chart_pane *pane, int by)
{
    if (!pane->n_moments)
        return;
    struct chart_place place = place_now(app, pane);
    size_t at = pane->cursor, last = pane->n_moments - 1;
    int column = column_of(app, &place, chart_pane_x(pane, at));
    pane->follow = false;
    while (by < 0 ? at > 0 : at < last) {
        at += by < 0 ? (size_t)-1 : 1;
        if (place.width <= 0 || column_of(app, &place, chart_pane_x(pane, at)) != column)
            break;
    }
    chart_pane_move(pane, at);
}

/* Moments lie on every axis in their order. */
static size_t nearest_moment(const struct chart_pane *pane, double x)
{
    size_t lo = 0, hi = pane->n_moments;
    while (lo < hi) {
        size_t middle = (lo + hi) / 2;
        if (chart_pane_x(pane, middle) < x)
            lo = middle + 1;
        else
            hi = middle;
    }
    if (lo == pane->n_moments)
        return lo - 1;
    return lo && x - chart_pane_x(pane, lo - 1) <= chart_pane_x(pane, lo) - x ? lo - 1 : lo;
}

static void jump_cursor(struct app *app, struct chart_pane *pane, double share)
{
    if (!pane->n_moments)
        return;
    struct chart_place place = place_now(app, pane);
    double dots = scale_at(&place.x, chart_pane_x(pane, pane->cursor)) + share * (place.x.last - place.x.first);
    size_t at = isnan(dots) ? pane->cursor : nearest_moment(pane, scale_value(&place.x, dots));
    if (at == pane->cursor && (share < 0 ? at > 0 : at + 1 < pane->n_moments))
        at += share < 0 ? (size_t)-1 : 1;
    pane->follow = false;
    chart_pane_move(pane, at);
}

/* A zoomed part is narrow where this is not kept: a fifth of an epoch, four steps; on a logarithmic axis a factor of
 * 1.05. */
static double least_width(const struct chart_pane *pane)
{
    return pane->log_x ? 0.02 : pane->axis == AXIS_EPOCH ? 0.2 : 4;
}

/* Keeps `around` where it is on the screen. */
static void zoom(struct app *app, struct chart_pane *pane, double around, double factor)
{
    struct range shown = {pane->lo, pane->hi};
    pane->lo = pane->hi = NAN;
    struct chart_place place = place_now(app, pane);
    if (isnan(shown.lo))
        shown = (struct range){place.x.lo, place.x.hi};
    double lo = chart_pane_along(pane, shown.lo), hi = chart_pane_along(pane, shown.hi),
           first = chart_pane_along(pane, place.x.lo), last = chart_pane_along(pane, place.x.hi),
           width = (hi - lo) * factor, least = least_width(pane), at = chart_pane_along(pane, around);
    if (width >= (last - first) * 0.999)
        return;
    if (width < least)
        width = hi - lo < least ? hi - lo : least;
    double share = hi > lo && isfinite(at) ? (at - lo) / (hi - lo) : 0;
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    lo = (isfinite(at) ? at : lo) - width * share;
    lo = lo < first ? first : lo + width > last ? last - width : lo;
    pane->lo = chart_pane_back(pane, lo);
    pane->hi = chart_pane_back(pane, lo + width);
}

static void zoom_at_cursor(struct app *app, struct chart_pane *pane, double factor)
{
    if (pane->n_moments)
        zoom(app, pane, chart_pane_x(pane, pane->cursor), factor);
}

/* To the checkpoint before or behind the cursor. */
static void walk(struct app *app, struct chart_pane *pane, int by)
{
    if (!pane->n_checkpoints) {
        app_say(app, STYLE_WARNING, "no checkpoint yet");
        return;
    }
    const struct chart_moment *now = chart_pane_moment(pane);
    int at = by < 0 ? (int)pane->n_checkpoints - 1 : 0, last = (int)pane->n_checkpoints - 1;
    const struct checkpoint_summary *c = pane->checkpoints;
    if (by < 0)
        while (at > 0 && (c[at].step > now->step || (c[at].step == now->step && c[at].epoch >= now->epoch)))
            at--;
    else
        while (at < last && (c[at].step < now->step || (c[at].step == now->step && c[at].epoch <= now->epoch)))
            at++;
    chart_pane_go(pane, at);
}

static void to_best(struct app *app, struct chart_pane *pane)
{
    for (size_t i = 0; i < pane->n_checkpoints; i++)
        if (pane->checkpoints[i].best) {
            chart_pane_go(pane, (int)i);
            return;
        }
    app_say(app, STYLE_WARNING, pane->n_checkpoints ? "no checkpoint is known to be the best" : "no checkpoint yet");
}

static int choose_family(struct app *app, int line)
{
    void *state = app->stack[app->depth - 1].state;
    struct chart_pane *pane = state; /* the first member of the state of every view that opens this menu */
    pane->all = line == 0 && pane->n_others > 0;
    pane->first_other = 0;
    if (!pane->all)
        snprintf(pane->family, sizeof pane->family, "%s", app->menu_lines[line]);
    chart_pane_remember(app, pane);
    pane->held_y = (struct range){NAN, NAN};
    return app->stack[app->depth - 1].ops->refresh(app, state);
}

static void family_menu(struct app *app, struct chart_pane *pane)
{
    const char *families[APP_MAX_MENU];
    size_t n_families = curve_set_families(&pane->curves, true, families, APP_MAX_MENU - 1);
    int n = 0, selected = 0;
    if (pane->n_others) {
        snprintf(app->menu_lines[n], sizeof app->menu_lines[n], "all of them");
        snprintf(app->menu_hints[n++], sizeof app->menu_hints[0], "small charts side by side");
    }
    for (size_t i = 0; i < n_families; i++, n++) {
        char validation[80];
        snprintf(validation, sizeof validation, "val_%s", families[i]);
        if (!strcmp(families[i], pane->curves.family) && !pane->all)
            selected = n;
        snprintf(app->menu_lines[n], sizeof app->menu_lines[n], "%s", families[i]);
        snprintf(app->menu_hints[n], sizeof app->menu_hints[n], "%s",
                 curve_set_history(&pane->curves, validation) ? "train  validation" : "");
    }
    if (!n) {
        app_say(app, STYLE_WARNING, "nothing recorded yet");
        return;
    }
    app_menu(app, "what is drawn", n, choose_family);
    app->menu.list.selected = selected;
}

static enum chart_done moves(struct app *app, struct chart_pane *pane, enum action action)
{
    switch (action) {
    case ACTION_LEFT:
        step_cursor(app, pane, -1);
        return CHART_DONE;
    case ACTION_RIGHT:
        step_cursor(app, pane, 1);
        return CHART_DONE;
    case ACTION_FAST_LEFT:
        jump_cursor(app, pane, -0.1);
        return CHART_DONE;
    case ACTION_FAST_RIGHT:
        jump_cursor(app, pane, 0.1);
        return CHART_DONE;
    case ACTION_PREVIOUS_CHECKPOINT:
        walk(app, pane, -1);
        return CHART_DONE;
    case ACTION_NEXT_CHECKPOINT:
        walk(app, pane, 1);
        return CHART_DONE;
    case ACTION_BEST:
        to_best(app, pane);
        return CHART_DONE;
    case ACTION_ZOOM_IN:
        zoom_at_cursor(app, pane, 0.5);
        return CHART_DONE;
    case ACTION_ZOOM_OUT:
        zoom_at_cursor(app, pane, 2);
        return CHART_DONE;
    case ACTION_ZOOM_ALL:
        pane->lo = pane->hi = NAN;
        return CHART_DONE;
    case ACTION_PAGE_UP:
    case ACTION_PAGE_DOWN:
        if (!pane->all)
            return CHART_IGNORED;
        if (action == ACTION_PAGE_DOWN && pane->first_other + pane->n_drawn < pane->n_others)
            pane->first_other += pane->n_drawn;
        else if (action == ACTION_PAGE_UP)
            pane->first_other -= pane->first_other < pane->n_drawn ? pane->first_other : pane->n_drawn;
        return CHART_DONE;
    case ACTION_EXPORT:
        chart_pane_export(app, pane);
        return CHART_DONE;
    case ACTION_METRICS:
        family_menu(app, pane);
        return CHART_DONE;
    case ACTION_FOLLOW:
        pane->follow = true;
        if (pane->n_moments)
            chart_pane_move(pane, pane->n_moments - 1);
        return CHART_DONE;
    default:
        return CHART_IGNORED;
    }
}

/* How the same curves are shown. */
static enum chart_done looks(struct app *app, struct chart_pane *pane, enum action action)
{
    switch (action) {
    case ACTION_LOG_Y:
        pane->log_y = !pane->log_y;
        break;
    case ACTION_LOG_X:
        if (!chart_axis_takes_log(pane->axis)) {
            app_say(app, STYLE_WARNING, "an axis of time is never logarithmic (x chooses another)");
            return CHART_DONE;
        }
        pane->log_x = !pane->log_x;
        pane->lo = pane->hi = NAN;
        break;
    case ACTION_CLIP:
        pane->clip = !pane->clip;
        break;
    default:
        return CHART_IGNORED;
    }
    chart_pane_hold(pane, true);
    chart_pane_remember(app, pane);
    return CHART_DONE;
}

/* The next one that says something: where there is a fork to count from, a batch size to count samples by. */
static void next_axis(struct chart_pane *pane)
{
    do
        pane->axis = (enum curve_axis)((pane->axis + 1) % AXIS_COUNT);
    while ((pane->axis == AXIS_FORK && isnan(pane->fork_x)) ||
           (pane->axis == AXIS_SAMPLES && !pane->curves.origin.n_legs));
    pane->log_x = pane->log_x && chart_axis_takes_log(pane->axis);
    pane->lo = pane->hi = NAN;
}

/* What is to be read anew. */
static enum chart_done settings(struct app *app, struct chart_pane *pane, enum action action)
{
    static const char *const parts[] = {"training and validation", "training", "validation"};
    switch (action) {
    case ACTION_AXIS:
        next_axis(pane);
        break;
    case ACTION_SMOOTH:
        pane->smooth = (pane->smooth + 1) % chart_pane_smooth_count();
        break;
    case ACTION_SPLIT:
        pane->part = (enum curve_part)((pane->part + 1) % (CURVES_VALIDATION + 1));
        app_say(app, STYLE_TEXT, "%s", parts[pane->part]);
        break;
    default:
        return CHART_IGNORED;
    }
    pane->held_y = (struct range){NAN, NAN};
    chart_pane_remember(app, pane);
    return CHART_RELOAD;
}

enum chart_done chart_pane_action(struct app *app, struct chart_pane *pane, enum action action)
{
    enum chart_done done = moves(app, pane, action);
    if (!done)
        done = looks(app, pane, action);
    return done ? done : settings(app, pane, action);
}

/* The small chart there, NULL: none. */
static const struct other_chart *small_chart_at(const struct chart_pane *pane, int x, int y)
{
    for (size_t k = 0; k < pane->n_drawn; k++)
        if (rect_has(pane->others[k].drawn, x, y))
            return &pane->others[k];
    return NULL;
}

static enum chart_done press_small(struct app *app, struct chart_pane *pane, const struct other_chart *small)
{
    snprintf(pane->family, sizeof pane->family, "%s", small->set.family);
    pane->all = false;
    chart_pane_remember(app, pane);
    pane->held_y = (struct range){NAN, NAN};
    return CHART_RELOAD;
}

enum chart_done chart_pane_mouse(struct app *app, struct chart_pane *pane, const struct event *event)
{
    const struct other_chart *small = event->kind == EVENT_MOUSE && event->action == MOUSE_PRESS && !event->button
                                          ? small_chart_at(pane, event->x, event->y)
                                          : NULL;
    if (small)
        return press_small(app, pane, small);
    if (event->kind != EVENT_MOUSE || !rect_has(pane->drawn, event->x, event->y) || !pane->n_moments ||
        pane->place.width <= 0)
        return CHART_IGNORED;
    int dots = rung_dots_x(app->rung), column = event->x - pane->drawn.x - pane->place.left;
    double x = scale_value(&pane->place.x, column * dots + dots / 2.0 - 0.5);
    switch (event->action) {
    case MOUSE_PRESS:
        pane->follow = false;
        pane->press_x = x, pane->press_column = column;
        chart_pane_move(pane, nearest_moment(pane, x));
        return CHART_DONE;
    case MOUSE_RELEASE:
        if (isnan(pane->press_x) || abs(column - pane->press_column) < 3)
            return CHART_IGNORED;
        pane->lo = fmin(x, pane->press_x), pane->hi = fmax(x, pane->press_x);
        pane->press_x = NAN;
        return CHART_DONE;
    case MOUSE_WHEEL_UP:
        zoom(app, pane, x, 0.5);
        return CHART_DONE;
    case MOUSE_WHEEL_DOWN:
        zoom(app, pane, x, 2);
        return CHART_DONE;
    default:
        return CHART_IGNORED;
    }
}
