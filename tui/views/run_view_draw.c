/* run_view_draw.c - what the run view looks like: header, chart, list of checkpoints, tabs. */
#include "persistence/runs/run_folder.h"
#include "plots/format.h"
#include "tui/app/human.h"
#include "tui/views/run_view.h"
#include "tui/widgets/widget_bars.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { BOTH_PANES_WIDTH = 76, LEAST_CHART_HEIGHT = 7, LEAST_BOTTOM_HEIGHT = 4 };

struct header { /* pieces from the left to the right, as many as there is room for */
    struct grid *grid;
    struct rect row;
    int x;
};

static void piece(struct header *header, enum style style, const char *format, ...) PRINTF(3, 4);
static void piece(struct header *header, enum style style, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    int width = grid_columns(header->grid, text);
    if (header->x + width > header->row.w)
        return;
    grid_text(header->grid, header->row, header->x, 0, style, text);
    header->x += width + 2;
}

/* "~0:48", "~1h05m" */
static void left_text(double seconds, char *text, size_t size)
{
    if (seconds < 3600)
        snprintf(text, size, "~%d:%02d", (int)seconds / 60, (int)seconds % 60);
    else {
        char number[40];
        snprintf(text, size, "~%s", format_duration(number, sizeof number, seconds));
    }
}

/* Three digits of it: the others are never the same. */
static double calm_rate(double rate)
{
    double unit = rate >= 1000 ? pow(10, floor(log10(rate)) - 2) : 1;
    return round(rate / unit) * unit;
}

/* Where there is no room for both, how long it takes says more than how fast it is. */
static void pace_pieces(struct header *header, const struct run_live *live)
{
    char left[48], rate[48], both[100];
    double steps = (double)(live->epochs - live->epoch) * live->steps_per_epoch +
                   (double)(live->steps_per_epoch - live->step_in_epoch);
    left_text(steps > 0 ? steps / live->steps_per_second : 0, left, sizeof left);
    snprintf(rate, sizeof rate, live->steps_per_second < 10 ? "%.1f steps/s" : "%.0f steps/s",
             live->steps_per_second < 10 ? live->steps_per_second : calm_rate(live->steps_per_second));
    snprintf(both, sizeof both, "%s  %s left", rate, left);
    if (header->x + grid_columns(header->grid, both) <= header->row.w)
        piece(header, STYLE_TEXT, "%s", rate);
    piece(header, STYLE_TEXT, "%s left", left);
}

static void living_pieces(struct header *header, const struct run_live *live)
{
    if (live->steps_per_epoch > 0)
        piece(header, STYLE_TEXT, "step %*lld/%d", snprintf(NULL, 0, "%d", live->steps_per_epoch),
              (long long)live->step_in_epoch, live->steps_per_epoch); /* what comes behind it stays where it is */
    if (live->steps_per_second > 0 && live->phase != LIVE_PAUSED)
        pace_pieces(header, live);
    if (live->phase == LIVE_VALIDATING || live->phase == LIVE_SAVING)
        piece(header, STYLE_FAINT, live->phase == LIVE_SAVING ? "saving" : "validating");
    if (live->cpu_share > 0)
        piece(header, STYLE_FAINT, "cpu %.0f%%", round(live->cpu_share * 20) * 5); /* it trembles */
    if (live->resident_bytes > 0)
        piece(header, STYLE_FAINT, "%s", text_size(live->resident_bytes).text);
}

static const struct metric_summary *metric_of(const struct metric_summary *metrics, size_t n, const char *name)
{
    for (size_t i = 0; name && i < n; i++)
        if (!strcmp(metrics[i].name, name))
            return &metrics[i];
    return NULL;
}

static void ended_pieces(struct header *header, const struct app *app, const struct run_summary *run)
{
    const struct metric_summary *monitored = metric_of(run->metrics, run->n_metrics, run->monitor);
    if (run->step)
        piece(header, STYLE_TEXT, "step %lld", (long long)run->step);
    if (monitored && isfinite(monitored->best))
        piece(header, STYLE_TEXT, "best %s %s @%lld", run->monitor, human_metric(monitored->best).text,
              (long long)monitored->best_epoch);
    if (run->duration_s > 0)
        piece(header, STYLE_FAINT, "took %s", text_duration(run->duration_s).text);
    piece(header, STYLE_FAINT, "%s ago", human_age(app->wall - run->created).text);
}

static void draw_header(const struct app *app, const struct run_view *v, struct grid *grid, struct rect row)
{
    const struct run_summary *run = run_view_run(app, v);
    struct header header = {grid, {row.x, row.y, row.w - 1, 1}, 1};
    if (!run) {
        piece(&header, STYLE_TITLE, "%s", v->id);
        piece(&header, STYLE_WARNING, "deleted");
        return;
    }
    if (app_is_marked(app, v->id))
        piece(&header, STYLE_ACCENT, "●");
    char name[128];
    snprintf(name, sizeof name, "%.127s", run->name);
    int width = grid_text(grid, (struct rect){row.x, row.y, header.x + row.w / 3, 1}, header.x, 0, STYLE_TITLE, name);
    header.x += width + 2;
    piece(&header, human_state_style(run->state), "%s %s", human_state_sign(run->state), run_state_name(run->state));
    int64_t epoch = v->has_live && v->live.epoch > run->epoch ? v->live.epoch : run->epoch,
            epochs = v->has_live ? v->live.epochs : run->epochs;
    if (!run->source || run->epoch != run->step) /* histories that know steps only: said once */
        piece(&header, STYLE_TEXT, epochs ? "epoch %lld/%lld" : "epoch %lld", (long long)epoch, (long long)epochs);
    if (v->has_live)
        living_pieces(&header, &v->live);
    const struct run_summary *parent = run->parent_run ? app_find_run(app, run->parent_run) : NULL;
    if (run->parent_run)
        piece(&header, STYLE_FAINT, "from %s:%lld", parent ? parent->name : run->parent_run,
              (long long)run->parent_epoch);
    if (!v->has_live)
        ended_pieces(&header, app, run);
}

enum { COL_SIGN, COL_EPOCH, COL_STEP, COL_LOSS, COL_MONITOR, COL_SIZE, COL_AFTER, COL_KEPT, COL_COUNT };

struct fill_context {
    const struct run_view *view;
    const char *monitor;
    struct curve_origin origin; /* of the history */
    /* row of the checkpoint that the chart's cursor is at, -1: the list leads, or the chart follows the run */
    int pointed;
};

static void fill_metric(struct list_cell *cell, const struct checkpoint_summary *c, const char *name)
{
    const struct metric_summary *metric = metric_of(c->metrics, c->n_metrics, name);
    snprintf(cell->text, sizeof cell->text, "%s", metric ? human_metric(metric->last).text : text_missing());
    cell->style = !metric ? STYLE_FAINT : isfinite(metric->last) ? STYLE_TEXT : STYLE_ERROR;
}

static void fill(void *context, int row, int column, struct list_cell *cell)
{
    struct fill_context *f = context;
    const struct checkpoint_summary *c = &f->view->checkpoints[row];
    unsigned kept = f->view->kept ? f->view->kept[row] : 0;
    cell->style = c->missing ? STYLE_FAINT : STYLE_TEXT;
    switch (column) {
    case COL_SIGN:
        snprintf(cell->text, sizeof cell->text, "%s%s", row == f->pointed ? "▸" : " ",
                 c->best   ? "◆"
                 : c->last ? "●"
                           : "◇");
        cell->style = c->best ? STYLE_MARK_BEST : STYLE_MARK;
        break;
    case COL_EPOCH:
        snprintf(cell->text, sizeof cell->text, "%lld", (long long)c->epoch);
        break;
    case COL_STEP:
        snprintf(cell->text, sizeof cell->text, "%lld", (long long)c->step);
        break;
    case COL_LOSS:
        fill_metric(cell, c, "loss");
        break;
    case COL_MONITOR:
        fill_metric(cell, c, f->monitor);
        break;
    case COL_SIZE:
        snprintf(cell->text, sizeof cell->text, "%s", c->missing ? "gone" : text_size(c->size_bytes).text);
        cell->style = c->missing ? STYLE_WARNING : STYLE_FAINT;
        break;
    case COL_AFTER:
        snprintf(cell->text, sizeof cell->text, "%s", text_duration(curve_since(&f->origin, c->created)).text);
        cell->style = STYLE_FAINT;
        break;
    case COL_KEPT:
        snprintf(cell->text, sizeof cell->text, "%s%s", kept & KEPT_EVALUATION ? "e" : "",
                 kept & (KEPT_PREDICTIONS | KEPT_TEXTS) ? "p" : "");
        cell->style = STYLE_FAINT;
        break;
    default:
        break;
    }
}

static bool any_kept(const struct run_view *v)
{
    for (size_t i = 0; v->kept && i < v->n_checkpoints; i++)
        if (v->kept[i])
            return true;
    return false;
}

static void draw_checkpoints(const struct app *app, struct run_view *v, struct grid *grid, struct rect rect)
{
    const struct run_summary *run = run_view_run(app, v);
    const char *monitor = run && run->monitor && strcmp(run->monitor, "loss") != 0 ? run->monitor : NULL;
    struct list_column columns[COL_COUNT] = {[COL_SIGN] = {"", LIST_LEFT, 2, 2, 0, false},
                                             [COL_EPOCH] = {"epoch", LIST_RIGHT, 5, 7, 0, false},
                                             [COL_STEP] = {"step", LIST_RIGHT, 4, 9, 3, false},
                                             [COL_LOSS] = {"loss", LIST_POINT, 6, 10, 2, false},
                                             [COL_MONITOR] = {monitor ? monitor : "", LIST_POINT, 6, 14, 1, false},
                                             [COL_SIZE] = {"size", LIST_RIGHT, 4, 8, 5, false},
                                             [COL_AFTER] = {"after", LIST_RIGHT, 5, 7, 4, false},
                                             [COL_KEPT] = {"kept", LIST_LEFT, 4, 4, 6, false}};
    char title[64];
    snprintf(title, sizeof title, v->n_checkpoints ? "checkpoints %zu" : "checkpoints", v->n_checkpoints);
    grid_rule(grid, rect_top(&rect, 1), title, v->focus == PANE_CHECKPOINTS);
    v->place[PANE_CHECKPOINTS] = rect;
    if (!v->n_checkpoints) {
        grid_text(grid, rect, 1, 0, STYLE_FAINT, "none yet");
        return;
    }
    struct curve_origin origin = v->chart.curves.origin;
    if (isnan(origin.time) && run)
        origin.time = run->created;
    v->list.calm = v->chart.living;
    v->list.follows = v->list.unmarked = v->focus != PANE_CHECKPOINTS;
    bool points = v->list.follows && !(v->chart.living && v->chart.follow);
    struct fill_context f = {v, monitor, origin, points ? v->list.selected : -1};
    if (!monitor) { /* one column less */
        columns[COL_MONITOR] = columns[COL_LOSS];
        columns[COL_LOSS] = (struct list_column){"", LIST_LEFT, 0, 1, 9, false};
        f.monitor = "loss";
    }
    if (!any_kept(v)) /* no column for nothing */
        columns[COL_KEPT] = (struct list_column){"", LIST_LEFT, 0, 1, 9, false};
    list_draw(&v->list, grid, rect, columns, COL_COUNT, -1, false, v->focus != PANE_TABS, fill, &f);
}

static void draw_tabs(const struct app *app, struct run_view *v, struct grid *grid, struct rect rect)
{
    v->tab_bar = rect_top(&rect, 1);
    tabs_draw(grid, v->tab_bar, run_tab_names, run_view_tab_count(v), (int)v->tab, v->focus == PANE_TABS);
    v->place[PANE_TABS] = rect;
    rect_left(&rect, 1);
    if (v->tab == TAB_PICTURES)
        run_pictures_draw(app, v, grid, rect);
    else
        page_draw(&v->text, grid, rect);
}

static void draw_bottom(const struct app *app, struct run_view *v, struct grid *grid, struct rect rect)
{
    bool picture_only = v->focus == PANE_TABS && v->tab == TAB_PICTURES && !v->n_checkpoints;
    if (rect.w >= BOTH_PANES_WIDTH && !picture_only) {
        struct rect list = rect_left(&rect, rect.w / 2 + 3 < 63 ? rect.w / 2 + 3 : 63);
        rect_right(&list, 1);
        draw_checkpoints(app, v, grid, list);
        draw_tabs(app, v, grid, rect);
    } else if (v->focus == PANE_TABS) {
        draw_tabs(app, v, grid, rect);
    } else {
        draw_checkpoints(app, v, grid, rect);
    }
}

/* When it starts and what can be done about it, where its curve will be. */
static void draw_waiting(const struct app *app, const struct run_view *v, struct grid *grid, struct rect rect)
{
    char key[KEY_TEXT];
    rect_left(&rect, 2);
    rect_top(&rect, rect.h > 8 ? rect.h / 3 : 1);
    for (int k = 0; k < QUEUE_WORDS; k++)
        if (v->waits[k][0])
            rect_top(&rect, grid_wrap(grid, rect, 0, k ? STYLE_FAINT : STYLE_TEXT, v->waits[k]));
    rect_top(&rect, 1);
    grid_textf(grid, rect, 0, 0, STYLE_FAINT, "%s shows the queue: start it now, earlier, later, take it out.",
               keys_print(app->map.key[ACTION_VIEW_JOBS][0], key));
}

static void draw_chart(const struct app *app, struct run_view *v, struct grid *grid, struct rect rect)
{
    const struct run_summary *run = run_view_run(app, v);
    v->chart.legend = rect.w < 90;
    v->place[PANE_CHART] = rect;
    if (run && run->state == RUN_QUEUED && !v->chart.n_moments) {
        v->chart.drawn = (struct rect){0};
        draw_waiting(app, v, grid, rect);
        return;
    }
    chart_pane_draw(app, &v->chart, grid, rect);
}

static void draw_alone(const struct app *app, struct run_view *v, struct grid *grid, struct rect rect)
{
    switch (v->focus) {
    case PANE_CHECKPOINTS:
        draw_checkpoints(app, v, grid, rect);
        break;
    case PANE_TABS:
        draw_tabs(app, v, grid, rect);
        break;
    default:
        draw_chart(app, v, grid, rect);
        break;
    }
}

/* What the list and the text below the chart would fill. */
static int rows_below(const struct run_view *v)
{
    int list = (int)(v->n_checkpoints < 100 ? v->n_checkpoints : 100) + 2, text = (int)v->text.n + 1;
    return list > text ? list : text;
}

void run_view_draw(const struct app *app, struct run_view *v, struct grid *grid, struct rect rect)
{
    const struct run_summary *run = run_view_run(app, v);
    memset(v->place, 0, sizeof v->place);
    v->tab_bar = v->list.drawn = (struct rect){0};
    chart_pane_hide(&v->chart);
    draw_header(app, v, grid, rect_top(&rect, 1));
    if (run && run->error && *run->error) {
        struct rect line = rect_top(&rect, 1);
        line.w -= 2;
        grid_text(grid, line, 1, 0, STYLE_ERROR, run->error);
    }
    bool pictures = v->tab == TAB_PICTURES && v->focus == PANE_TABS;
    int bottom = pictures ? rect.h * 3 / 5 : rect.h * 2 / 5 < 18 ? rect.h * 2 / 5 : 18, used = rows_below(v);
    if (!pictures && !v->chart.living && used < bottom)
        bottom = used < LEAST_BOTTOM_HEIGHT ? LEAST_BOTTOM_HEIGHT : used;
    bool fits = bottom >= LEAST_BOTTOM_HEIGHT && rect.h - bottom >= LEAST_CHART_HEIGHT;
    if (v->alone || !fits) {
        draw_alone(app, v, grid, rect);
        return;
    }
    struct rect below = rect_bottom(&rect, bottom);
    draw_chart(app, v, grid, rect);
    draw_bottom(app, v, grid, below);
}
