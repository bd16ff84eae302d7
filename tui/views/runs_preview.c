/* runs_preview.c - the selected run below the list: its curve, and what one wants to know before opening it. */
#include "tui/views/runs_view.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/app/human.h"
#include "tui/client/comparison.h"

const struct metric_summary *runs_metric(const struct run_summary *run, const char *name)
{
    for (size_t i = 0; name && i < run->n_metrics; i++)
        if (!strcmp(run->metrics[i].name, name))
            return &run->metrics[i];
    return NULL;
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
    arena_release(&v->facts_arena);
    if (!index_params(app->index, run->id, &v->facts_arena, &v->params, &v->n_params, &err))
        v->n_params = 0;
    choose_checkpoint(app, v, run);
    read_waiting(app, v, run);
    char *folder = app_run_folder(app, run);
    v->has_live = (run->state == RUN_RUNNING || run->state == RUN_PAUSED) && run_live_read(folder, &v->live);
    free(folder);
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
    grid_text(grid, line, 13, 0, STYLE_TEXT, text);
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

static void draw_facts(const struct app *app, const struct runs_view *v, const struct run_summary *run,
                       struct grid *grid, struct rect rect)
{
    char text[300], optimizer[100], rate[40];
    const struct metric_summary *monitored = runs_metric(run, run->monitor);
    (void)app;
    if (monitored && isfinite(monitored->best)) {
        snprintf(text, sizeof text, "%s at epoch %lld", human_metric(monitored->best).text,
                 (long long)monitored->best_epoch);
        fact(grid, &rect, strlen(run->monitor) < 13 ? run->monitor : "best", text);
    }
    if (v->has_live)
        live_fact(v, grid, &rect);
    if (v->checkpoint)
        snprintf(text, sizeof text, "%lld, %s @%lld", (long long)run->n_checkpoints,
                 v->checkpoint->best ? "best" : "last", (long long)v->checkpoint->epoch);
    else
        snprintf(text, sizeof text, "none");
    fact(grid, &rect, "checkpoints", text);
    const char *class = param(v, "compile.optimizer.class");
    compared_words(optimizer, sizeof optimizer, class ? class : param(v, "compile.optimizer"));
    compared_words(rate, sizeof rate, param(v, "compile.optimizer.learning_rate"));
    snprintf(text, sizeof text, "%s %s", optimizer, rate);
    fact(grid, &rect, "optimizer", *optimizer ? text : NULL);
    compared_words(text, sizeof text, param(v, "fit.batch_size"));
    fact(grid, &rect, "batch", text);
    fact(grid, &rect, "device", run->device);
    if (run->parent_run) {
        snprintf(text, sizeof text, "epoch %lld of %.200s", (long long)run->parent_epoch, run->parent_run);
        fact(grid, &rect, "from", text);
    }
    struct str tags = {0};
    for (size_t i = 0; i < run->n_tags; i++)
        str_addf(&tags, i ? " %s" : "%s", run->tags[i]);
    if (tags.length)
        fact(grid, &rect, "tags", str_text(&tags));
    str_release(&tags);
    fact(grid, &rect, "note", run->note);
    if (run->error && *run->error && rect.h > 0)
        grid_wrap(grid, rect, 0, STYLE_ERROR, run->error);
}

void runs_preview_draw(const struct app *app, const struct runs_view *v, const struct run_summary *run,
                       struct grid *grid, struct rect rect)
{
    grid_rule(grid, rect_top(&rect, 1), run->name, false);
    struct rect facts = rect_right(&rect, rect.w >= 70 ? (rect.w >= 120 ? 50 : 34) : 0);
    rect_left(&facts, 2);
    draw_facts(app, v, run, grid, facts);
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
