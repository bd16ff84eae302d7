/* chart_pane.c - see chart_pane.h: loading, the cursor and the checkpoint it selects. */
#include "tui/charts/chart_pane.h"
#include "tui/charts/chart_pane_parts.h"

#include "persistence/runs/history_log.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double smooth_weights[] = {0, 0.6, 0.9, 0.97};
enum { N_SMOOTH = sizeof smooth_weights / sizeof *smooth_weights };

static const char *key_of(const struct chart_pane *pane, const char *name, char key[64])
{
    snprintf(key, 64, "%s.%s", pane->scope, name);
    return key;
}

static int recall(const struct app *app, const struct chart_pane *pane, const char *name, int otherwise, int count)
{
    char key[64];
    json_int_t value = js_int(app->memory, key_of(pane, name, key), otherwise);
    return value >= 0 && value < count ? (int)value : otherwise;
}

void chart_pane_remember(struct app *app, struct chart_pane *pane)
{
    char key[64];
    app_remember(app, key_of(pane, "axis", key), json_integer(pane->axis));
    app_remember(app, key_of(pane, "smooth", key), json_integer(pane->smooth));
    app_remember(app, key_of(pane, "part", key), json_integer(pane->part));
    app_remember(app, key_of(pane, "log_y", key), json_integer(pane->log_y));
    app_remember(app, key_of(pane, "log_x", key), json_integer(pane->log_x));
    app_remember(app, key_of(pane, "clip", key), json_integer(pane->clip));
    app_remember(app, key_of(pane, "all", key), json_integer(pane->all));
}

void chart_pane_init(const struct app *app, struct chart_pane *pane, const char *scope)
{
    *pane = (struct chart_pane){
        .scope = scope, .lo = NAN, .hi = NAN, .selected = -1, .fork_x = NAN, .press_x = NAN, .follow = true};
    pane->axis = (enum curve_axis)recall(app, pane, "axis", AXIS_EPOCH, AXIS_COUNT);
    pane->smooth = recall(app, pane, "smooth", 0, N_SMOOTH);
    pane->part = (enum curve_part)recall(app, pane, "part", CURVES_BOTH, CURVES_VALIDATION + 1);
    pane->log_y = recall(app, pane, "log_y", 0, 2);
    pane->log_x = recall(app, pane, "log_x", 0, 2);
    pane->clip = recall(app, pane, "clip", 0, 2);
    pane->all = recall(app, pane, "all", 0, 2);
    pane->held_x = pane->held_y = (struct range){NAN, NAN};
    pane->curves.monitor = -1;
}

static void keep_runs(struct chart_pane *pane, const struct chart_content *content)
{
    for (size_t r = 0; r < pane->n_ids; r++)
        free(pane->ids[r]);
    free(pane->ids);
    free(pane->bright);
    pane->ids = NULL;
    pane->bright = NULL;
    pane->n_ids = content->n_runs;
    if (!pane->n_ids)
        return;
    pane->ids = xcalloc(pane->n_ids, sizeof *pane->ids);
    for (size_t r = 0; r < pane->n_ids; r++)
        pane->ids[r] = xstrdup(content->runs[r]->id);
    if (content->bright) {
        pane->bright = xcalloc(pane->n_ids, sizeof *pane->bright);
        memcpy(pane->bright, content->bright, pane->n_ids * sizeof *pane->bright);
    }
}

void chart_pane_release(struct chart_pane *pane)
{
    chart_pane_release_others(pane);
    curve_set_release(&pane->curves);
    keep_runs(pane, &(struct chart_content){0});
    free(pane->moments);
    pane->moments = NULL;
    pane->n_moments = 0;
}

static int compare_moments(const void *a, const void *b)
{
    const struct chart_moment *x = a, *y = b;
    return x->epoch != y->epoch ? (x->epoch > y->epoch) - (x->epoch < y->epoch)
                                : (x->step > y->step) - (x->step < y->step);
}

static void add_series(struct chart_moment *moments, size_t *n, const struct metric_series *series)
{
    for (size_t i = 0; i < series->n; i++)
        moments[(*n)++] = (struct chart_moment){series->epoch[i], series->step[i], series->time[i]};
}

/* Records of the family (those of single batches only while there is hardly any other) and checkpoints. */
static void find_moments(struct chart_pane *pane)
{
    const struct curve_set *set = &pane->curves;
    size_t most = pane->n_checkpoints, n = 0, kept = 0;
    for (size_t i = 0; i < set->n_histories; i++)
        if (!strcmp(curve_family(set->histories[i].name), set->family) ||
            !strcmp(set->histories[i].name, HISTORY_BATCH_LOSS))
            most += set->histories[i].n;
    free(pane->moments);
    pane->moments = xcalloc(most + 1, sizeof *pane->moments);
    for (size_t i = 0; i < set->n_histories; i++)
        if (!strcmp(curve_family(set->histories[i].name), set->family))
            add_series(pane->moments, &n, &set->histories[i]);
    const struct metric_series *batches = curve_set_history(set, HISTORY_BATCH_LOSS);
    if (n < 2 && batches)
        add_series(pane->moments, &n, batches);
    for (size_t i = 0; i < pane->n_checkpoints; i++)
        pane->moments[n++] =
            (struct chart_moment){pane->checkpoints[i].epoch, pane->checkpoints[i].step, pane->checkpoints[i].created};
    size_t in_order = 1;
    while (in_order < n && compare_moments(&pane->moments[in_order - 1], &pane->moments[in_order]) <= 0)
        in_order++;
    if (in_order < n)
        qsort(pane->moments, n, sizeof *pane->moments, compare_moments);
    for (size_t i = 0; i < n; i++)
        if (!kept || compare_moments(&pane->moments[kept - 1], &pane->moments[i]))
            pane->moments[kept++] = pane->moments[i];
    pane->n_moments = kept;
}

static size_t moment_at(const struct chart_pane *pane, struct chart_moment moment)
{
    size_t at = 0;
    while (at + 1 < pane->n_moments && compare_moments(&pane->moments[at], &moment) < 0)
        at++;
    return at;
}

double chart_pane_x(const struct chart_pane *pane, size_t moment)
{
    const struct chart_moment *m = &pane->moments[moment];
    return curve_set_x(&pane->curves, pane->axis, m->epoch, m->step, m->time);
}

static int64_t distance(const struct chart_pane *pane, size_t checkpoint)
{
    const struct chart_moment *m = &pane->moments[pane->cursor];
    const struct checkpoint_summary *c = &pane->checkpoints[checkpoint];
    int64_t epochs = llabs((long long)(c->epoch - m->epoch)), steps = llabs((long long)(c->step - m->step));
    return steps < INT64_MAX / 4 ? 2 * steps + (epochs > 0) : INT64_MAX / 2;
}

/* The nearest checkpoint; the earlier one when two are as near. */
static void select_checkpoint(struct chart_pane *pane)
{
    pane->selected = -1;
    for (size_t i = 0; i < pane->n_checkpoints && pane->n_moments; i++)
        if (pane->selected < 0 || distance(pane, i) < distance(pane, (size_t)pane->selected))
            pane->selected = (int)i;
}

const struct chart_moment *chart_pane_moment(const struct chart_pane *pane)
{
    return pane->n_moments ? &pane->moments[pane->cursor] : NULL;
}

double chart_pane_along(const struct chart_pane *pane, double x)
{
    return pane->log_x ? log10(x) : x;
}

double chart_pane_back(const struct chart_pane *pane, double along)
{
    return pane->log_x ? pow(10, along) : along;
}

/* Moves the zoomed part so that it begins or ends there. */
static void shift_to(struct chart_pane *pane, double x, bool end)
{
    double lo = chart_pane_along(pane, pane->lo), hi = chart_pane_along(pane, pane->hi), at = chart_pane_along(pane, x);
    if (!isfinite(at)) /* what a logarithmic axis cannot show */
        return;
    pane->lo = end ? chart_pane_back(pane, at - (hi - lo)) : x;
    pane->hi = end ? x : chart_pane_back(pane, at + (hi - lo));
}

void chart_pane_move(struct chart_pane *pane, size_t moment)
{
    if (!pane->n_moments)
        return;
    pane->cursor = moment < pane->n_moments ? moment : pane->n_moments - 1;
    double x = chart_pane_x(pane, pane->cursor);
    if (x < pane->lo || x > pane->hi) /* never true while all is shown: NAN */
        shift_to(pane, x, x > pane->hi);
    select_checkpoint(pane);
}

void chart_pane_go(struct chart_pane *pane, int checkpoint)
{
    if (checkpoint < 0 || (size_t)checkpoint >= pane->n_checkpoints)
        return;
    const struct checkpoint_summary *c = &pane->checkpoints[checkpoint];
    pane->follow = false;
    chart_pane_move(pane, moment_at(pane, (struct chart_moment){c->epoch, c->step, c->created}));
    pane->selected = checkpoint;
}

/* The end of an axis that grows: in jumps, not beyond what is planned. */
static double grown_end(const struct chart_pane *pane, struct range x)
{
    double size = pane->axis == AXIS_EPOCH                             ? 5
                  : pane->axis == AXIS_STEP || pane->axis == AXIS_FORK ? 50
                  : pane->axis == AXIS_SAMPLES                         ? 1000
                                                                       : 10;
    while (x.lo + size < x.hi)
        size *= 2;
    bool planned = pane->axis == AXIS_EPOCH && (double)pane->epochs >= x.hi;
    return planned && x.lo + size > (double)pane->epochs ? (double)pane->epochs + (double)pane->epochs * 0.02
                                                         : x.lo + size;
}

void chart_pane_hold(struct chart_pane *pane, bool anew)
{
    struct chart chart = CHART_INIT;
    struct range x, y;
    if (anew)
        pane->held_y = (struct range){NAN, NAN};
    chart.lines = pane->curves.lines;
    chart.n_lines = pane->curves.n;
    chart.clip = pane->clip;
    chart.log_x = pane->log_x;
    chart.log_y = pane->log_y;
    chart_ranges(&chart, &x, &y);
    if (!pane->living) { /* a little room, so that the marks at both ends are seen whole */
        double margin = pane->log_x ? 0 : (x.hi - x.lo) * 0.02;
        pane->held_x =
            (struct range){pane->axis == AXIS_FORK || x.lo - margin >= 0 ? x.lo - margin : x.lo, x.hi + margin};
        pane->held_y = (struct range){NAN, NAN};
        return;
    }
    pane->held_x = (struct range){x.lo, grown_end(pane, x)};
    pane->held_y = range_hold(pane->held_y, y, pane->log_y);
}

struct curve_choice chart_pane_choice(const struct chart_pane *pane, const char *family)
{
    return (struct curve_choice){.family = family,
                                 .axis = pane->axis,
                                 .smooth = smooth_weights[pane->smooth],
                                 .part = pane->shown_part,
                                 .steps_per_epoch = pane->steps_per_epoch,
                                 .focus = pane->focus};
}

bool chart_pane_load(struct app *app, struct chart_pane *pane, const struct chart_content *content, struct err *err)
{
    struct chart_moment before = pane->n_moments ? pane->moments[pane->cursor] : (struct chart_moment){0};
    pane->steps_per_epoch = content->steps_per_epoch;
    pane->focus = content->focus;
    pane->shown_part = pane->part;
    pane->others_old = true;
    struct curve_choice choice = chart_pane_choice(pane, pane->family[0] ? pane->family : NULL);
    choice.batches = true;
    choice.labels = content->labels;
    pane->checkpoints = content->checkpoints;
    pane->n_checkpoints = content->n_checkpoints;
    pane->events = content->events;
    pane->n_events = content->n_events;
    if (choice.part == CURVES_BOTH && content->n_runs > CHART_MAX_LINES / 2) /* there is room for one line a run */
        choice.part = CURVES_VALIDATION;
    pane->shown_part = choice.part;
    bool ok = curve_set_load(&pane->curves, &app->histories, app->index, content->runs, content->n_runs, &choice, err);
    if (ok && !pane->curves.n && choice.part != CURVES_BOTH) { /* a run without validation */
        choice.part = pane->shown_part = CURVES_BOTH;
        ok = curve_set_load(&pane->curves, &app->histories, app->index, content->runs, content->n_runs, &choice, err);
    }
    if (ok && pane->axis == AXIS_SAMPLES && !pane->curves.origin.n_legs) { /* remembered from another run */
        choice.axis = pane->axis = AXIS_EPOCH;
        ok = curve_set_load(&pane->curves, &app->histories, app->index, content->runs, content->n_runs, &choice, err);
    }
    const struct run_summary *run = content->n_runs ? content->runs[content->focus] : NULL;
    pane->living = run && (run->state == RUN_RUNNING || run->state == RUN_PAUSED || run->state == RUN_QUEUED);
    pane->epochs = run ? run->epochs : 0;
    if (ok && content->bright)
        curve_set_dim(&pane->curves, content->bright);
    keep_runs(pane, content);
    pane->fork_x = chart_fork(&pane->curves, content->focus);
    pane->n_others = ok ? chart_pane_count_others(pane) : 0;
    find_moments(pane);
    chart_pane_hold(pane, false);
    pane->cursor = 0;
    if (pane->n_moments)
        chart_pane_move(pane, pane->follow ? pane->n_moments - 1 : moment_at(pane, before));
    select_checkpoint(pane);
    return ok;
}

struct chart_options chart_pane_options(const struct app *app, const struct chart_pane *pane)
{
    return (struct chart_options){.axis = pane->axis,
                                  .smooth = smooth_weights[pane->smooth],
                                  .log_x = pane->log_x,
                                  .log_y = pane->log_y,
                                  .clip = pane->clip,
                                  .lo = pane->lo,
                                  .hi = pane->hi,
                                  .utc_offset_s = app->utc_offset_s};
}

int chart_pane_smooth_count(void)
{
    return N_SMOOTH;
}
