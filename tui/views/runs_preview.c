/* runs_preview.c - the selected run below the list: its curve, and what one wants to know before opening it. */
#include "tui/views/runs_view.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/app/human.h"
#include "tui/charts/small_title.h"
#include "tui/client/run_events.h"
#include "tui/client/comparison.h"

const struct metric_summary *runs_metric(const struct run_summary *run, const char *name)
{
    for (size_t i = 0; name && i < run->n_metrics; i++)
        if (!strcmp(run->metrics[i].name, name))
            return &run->metrics[i];
    return NULL;
}

enum { WIDE = 150, WIDE_FACTS = 56, OTHERS_WIDTH = 46, OTHER_HEIGHT = 7, NAME_WIDTH = 13 };

static void release_others(struct runs_view *v)
{
    while (v->n_others)
        curve_set_release(&v->others[--v->n_others]);
    v->n_events = 0;
    v->wide_read = false;
}

void runs_preview_release(struct runs_view *v)
{
    release_others(v);
    curve_set_release(&v->curve);
    arena_release(&v->facts_arena);
}

/* The best checkpoint, else the last that is there. */
static void choose_checkpoint(struct app *app, struct runs_view *v, const struct run_summary *run)
{
    const struct checkpoint_summary *list;
    size_t n;
    struct err ignored;
    v->checkpoint = NULL;
    if (!index_checkpoints(app->index, run->id, &v->facts_arena, &list, &n, &ignored))
        return;
    for (size_t i = 0; i < n; i++)
        if (!list[i].missing && (!v->checkpoint || !v->checkpoint->best))
            v->checkpoint = &list[i];
}

static void read_waiting(struct app *app, struct runs_view *v, const struct run_summary *run)
{
    memset(v->waits, 0, sizeof v->waits);
    if (run->state != RUN_QUEUED)
        return;
    struct queue_plan plan;
    queue_plan_make(&plan, app->home, app->runs, app->n_runs);
    queue_plan_words(&plan, run->id, v->waits);
    queue_plan_release(&plan);
}

void runs_preview_load(struct app *app, struct runs_view *v, const struct run_summary *run, bool again)
{
    struct err err;
    if (!run)
        v->checkpoint = NULL;
    if (!run || (!again && !strcmp(v->curve_of, run->id)))
        return;
    snprintf(v->curve_of, sizeof v->curve_of, "%s", run->id);
    snprintf(v->selected, sizeof v->selected, "%s", run->id);
    if (!curve_set_load(&v->curve, &app->histories, app->index, &run, 1, &(struct curve_choice){.axis = AXIS_EPOCH},
                        &err))
        curve_set_release(&v->curve);
    release_others(v);
    arena_release(&v->facts_arena);
    if (!index_params(app->index, run->id, &v->facts_arena, &v->params, &v->n_params, &err))
        v->n_params = 0;
    choose_checkpoint(app, v, run);
    read_waiting(app, v, run);
    char *folder = app_run_folder(app, run);
    v->has_live = (run->state == RUN_RUNNING || run->state == RUN_PAUSED) && run_live_read(folder, &v->live);
    free(folder);
}

/* All but that checkpoints made room for newer ones, which happens all the time. */
static void read_events(const struct app *app, struct runs_view *v, const struct run_summary *run)
{
    const struct run_event *all;
    size_t n;
    struct err ignored;
    v->n_events = 0;
    if (!index_events(app->index, run->id, &v->facts_arena, &all, &n, &ignored))
        return;
    struct run_event *kept = arena_array(&v->facts_arena, n + 1, sizeof *kept);
    for (size_t i = 0; i < n; i++)
        if (!strstr(all[i].json, "\"checkpoint_removed\""))
            kept[v->n_events++] = all[i];
    v->events = kept;
}

/* What only a wide preview shows is made when it is shown: the other families, out of what the curve holds, and what
 * happened. */
static void read_wide(const struct app *app, struct runs_view *v, const struct run_summary *run)
{
    enum { MOST_FAMILIES = 32 };
    const char *families[MOST_FAMILIES];
    if (v->wide_read)
        return;
    v->wide_read = true;
    size_t n = curve_set_families(&v->curve, false, families, MOST_FAMILIES);
    for (size_t k = 0; k < n && v->n_others < RUNS_OTHERS; k++)
        if (strcmp(families[k], v->curve.family) != 0)
            curve_set_sibling(&v->others[v->n_others++], &v->curve,
                              &(struct curve_choice){.family = families[k], .axis = AXIS_EPOCH});
    read_events(app, v, run);
}

static const char *param(const struct runs_view *v, const char *key)
{
    for (size_t i = 0; i < v->n_params; i++)
        if (!strcmp(v->params[i].key, key))
            return v->params[i].json;
    return NULL;
}

static void fact(struct grid *grid, struct rect *rest, const char *name, const char *text)
{
    struct rect line = rect_top(rest, 1);
    if (!text || !*text)
        return;
    grid_text(grid, line, 0, 0, STYLE_FAINT, name);
    grid_text(grid, line, NAME_WIDTH, 0, STYLE_TEXT, text);
}

static void live_fact(const struct runs_view *v, struct grid *grid, struct rect *rest)
{
    char text[120];
    double steps = v->live.steps_per_second,
           left = (double)((v->live.epochs - v->live.epoch + 1) * v->live.steps_per_epoch - v->live.step_in_epoch);
    snprintf(text, sizeof text, "step %lld/%d  %.0f/s  %s left", (long long)v->live.step_in_epoch,
             v->live.steps_per_epoch, steps, text_duration(steps > 0 ? left / steps : NAN).text);
    fact(grid, rest, "now", text);
}

/* As many rows as it takes. */
static void long_fact(struct grid *grid, struct rect *rest, const char *name, enum style style, const char *text)
{
    if (!text || !*text || rest->h <= 0)
        return;
    grid_text(grid, *rest, 0, 0, STYLE_FAINT, name);
    rect_top(rest, grid_wrap(grid, rect_part(*rest, NAME_WIDTH, 0, rest->w - NAME_WIDTH, rest->h), 0, style, text));
}

static void optimizer_facts(const struct runs_view *v, const struct run_summary *run, struct grid *grid,
                            struct rect *rest)
{
    char text[180], optimizer[100];
    const char *class = param(v, "compile.optimizer.class");
    compared_words(optimizer, sizeof optimizer, class ? class : param(v, "compile.optimizer"));
    snprintf(text, sizeof text, "%s %s", optimizer,
             isnan(run->learning_rate) ? "" : human_rate(run->learning_rate).text);
    fact(grid, rest, "optimizer", *optimizer ? text : NULL);
    compared_words(text, sizeof text, param(v, "fit.batch_size"));
    fact(grid, rest, "batch", text);
}

static void draw_facts(const struct app *app, struct runs_view *v, const struct run_summary *run, struct grid *grid,
                       struct rect *rest)
{
    char text[300];
    const struct metric_summary *monitored = runs_metric(run, run->monitor);
    if (monitored && isfinite(monitored->best)) {
        snprintf(text, sizeof text, "%s at epoch %lld", human_metric(monitored->best).text,
                 (long long)monitored->best_epoch);
        fact(grid, rest, strlen(run->monitor) < NAME_WIDTH ? run->monitor : "best", text);
    }
    if (v->has_live)
        live_fact(v, grid, rest);
    if (v->checkpoint)
        snprintf(text, sizeof text, "%lld, %s @%lld", (long long)run->n_checkpoints,
                 v->checkpoint->best ? "best" : "last", (long long)v->checkpoint->epoch);
    else
        snprintf(text, sizeof text, "none");
    fact(grid, rest, "checkpoints", text);
    optimizer_facts(v, run, grid, rest);
    fact(grid, rest, "device", run->device);
    if (run->parent_run) {
        const struct run_summary *parent = app_find_run(app, run->parent_run);
        snprintf(text, sizeof text, "epoch %lld of %.200s", (long long)run->parent_epoch,
                 parent ? parent->name : run->parent_run);
        fact(grid, rest, "from", text);
        long_fact(grid, rest, "changed", STYLE_CHANGED, runs_changes(app, v, run));
    }
    struct str tags = {0};
    for (size_t i = 0; i < run->n_tags; i++)
        str_addf(&tags, i ? " %s" : "%s", run->tags[i]);
    if (tags.length)
        fact(grid, rest, "tags", str_text(&tags));
    str_release(&tags);
    long_fact(grid, rest, "note", STYLE_TEXT, run->note);
    if (run->error && *run->error && rest->h > 0)
        rect_top(rest, grid_wrap(grid, *rest, 0, STYLE_ERROR, run->error));
}

/* The newest that there is room for, after how much training each came. */
static void draw_events(const struct runs_view *v, struct grid *grid, struct rect rest)
{
    enum { LEAST_ROWS = 3, TIME_WIDTH = 8 };
    if (!v->n_events || rest.h < LEAST_ROWS)
        return;
    rect_top(&rest, 1);
    grid_text(grid, rect_top(&rest, 1), 0, 0, STYLE_FAINT, "what happened, and after how long");
    size_t room = (size_t)rest.h, first = v->n_events > room ? v->n_events - room : 0;
    for (size_t i = first; i < v->n_events; i++) {
        struct rect line = rect_top(&rest, 1);
        char words[200];
        enum style style = event_words(&v->events[i], words, sizeof words);
        double since = isnan(v->curve.origin.time) ? NAN : curve_since(&v->curve.origin, v->events[i].time);
        grid_text_right(grid, line, TIME_WIDTH, 0, STYLE_FAINT, text_duration(since > 0 ? since : 0).text);
        grid_text(grid, line, TIME_WIDTH + 2, 0, style, words);
    }
}

static void draw_others(const struct app *app, const struct runs_view *v, struct grid *grid, struct rect rect)
{
    size_t n = v->n_others < (size_t)(rect.h / OTHER_HEIGHT) ? v->n_others : (size_t)(rect.h / OTHER_HEIGHT);
    for (size_t k = 0; k < n; k++) {
        struct rect one = rect_top(&rect, rect.h / (int)(n - k));
        one.h -= k + 1 < n && one.h > OTHER_HEIGHT;
        struct chart chart = CHART_INIT;
        chart.small = true;
        chart.lines = v->others[k].lines;
        chart.n_lines = v->others[k].n;
        small_title_draw(&v->others[k], CURVES_BOTH, &chart, grid, rect_top(&one, 1));
        grid_chart(grid, one, &chart, app->rung);
    }
}

static void draw_curve(const struct app *app, const struct runs_view *v, struct grid *grid, struct rect rect)
{
    struct chart chart = CHART_INIT;
    chart.x_name = "epoch";
    chart.lines = v->curve.lines;
    chart.n_lines = v->curve.n;
    if (v->curve.n)
        grid_chart(grid, rect, &chart, app->rung);
    else if (v->waits[0][0])
        for (int k = 0, row = 1; k < QUEUE_WORDS; k++)
            row += v->waits[k][0] ? grid_wrap(grid, rect_part(rect, 2, 0, rect.w - 3, rect.h), row,
                                              k ? STYLE_FAINT : STYLE_TEXT, v->waits[k])
                                  : 0;
    else
        grid_text(grid, rect, 2, 1, STYLE_FAINT, "nothing recorded yet");
}

void runs_preview_draw(const struct app *app, struct runs_view *v, const struct run_summary *run, struct grid *grid,
                       struct rect rect)
{
    bool wide = rect.w >= WIDE;
    grid_rule(grid, rect_top(&rect, 1), run->name, false);
    struct rect facts = rect_right(&rect, wide ? WIDE_FACTS : rect.w >= 120 ? 50 : rect.w >= 70 ? 34 : 0);
    rect_left(&facts, 2);
    if (wide)
        read_wide(app, v, run);
    draw_facts(app, v, run, grid, &facts);
    if (wide)
        draw_events(v, grid, facts);
    if (wide && v->n_others && rect.h >= OTHER_HEIGHT)
        draw_others(app, v, grid, rect_right(&rect, OTHERS_WIDTH));
    draw_curve(app, v, grid, rect);
}
