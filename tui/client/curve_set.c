/* curve_set.c - see curve_set.h */
#include "tui/client/curve_set.h"

#include "persistence/runs/history_log.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void curve_set_release(struct curve_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        series_release(&set->raw[i]);
        series_release(&set->smooth[i]);
    }
    for (size_t i = 0; i < set->n_held; i++)
        history_drop(set->held[i]);
    free(set->held);
    free(set->names);
    free(set->monitors);
    arena_release(&set->arena);
    memset(set, 0, sizeof *set);
    set->monitor = -1;
}

/* Epochs count as they end: epoch 3 lies at 3, its first step just behind 2. */
static double epoch_at(struct epoch_ruler ruler, int64_t epoch, int64_t step)
{
    const struct metric_series *ends = ruler.ends;
    size_t n = ends ? ends->n : 0, at = 0;
    for (size_t lo = 0, hi = n; lo < hi; at = lo) {
        size_t middle = (lo + hi) / 2;
        if (ends->epoch[middle] < epoch)
            lo = middle + 1;
        else
            hi = middle;
    }
    int64_t begin = at ? ends->step[at - 1] : 0, length = ruler.steps_per_epoch;
    if (at < n && ends->epoch[at] == epoch)
        length = ends->step[at] - begin;
    else if (!length && at)
        length = ends->step[at - 1] - (at > 1 ? ends->step[at - 2] : 0);
    if (length <= 0)
        return (double)epoch;
    double share = (double)(step - begin) / (double)length;
    return (double)(epoch - 1) + (share < 0 ? 0 : share > 1 ? 1 : share);
}

double curve_set_x(const struct curve_set *set, enum curve_axis axis, int64_t epoch, int64_t step, double time)
{
    return axis == AXIS_EPOCH ? epoch_at(set->ruler, epoch, step) : curve_x(axis, set->origin, epoch, step, time);
}

const struct metric_series *curve_set_history(const struct curve_set *set, const char *name)
{
    for (size_t i = 0; i < set->n_histories; i++)
        if (!strcmp(set->histories[i].name, name))
            return &set->histories[i];
    return NULL;
}

/* One run's records while its lines are made. */
struct source {
    const char *name, *monitor;
    size_t r, n_runs, n;
    const struct metric_series *series;
    struct curve_origin origin;
    struct epoch_ruler ruler;
};

static bool is_batches(const char *metric)
{
    return !strcmp(metric, HISTORY_BATCH_LOSS);
}

static bool wanted(const struct curve_set *set, const struct curve_choice *choice, const struct source *from,
                   const char *metric)
{
    bool validation = curve_is_validation(metric);
    if (is_batches(metric) && strcmp(set->family, metric) != 0)
        return choice->batches && from->n_runs == 1 && !strcmp(set->family, "loss") &&
               choice->part != CURVES_VALIDATION &&
               (choice->axis != AXIS_EPOCH || from->ruler.ends || from->ruler.steps_per_epoch);
    return !strcmp(curve_family(metric), set->family) && (choice->part != CURVES_TRAIN || !validation) &&
           (choice->part != CURVES_VALIDATION || validation);
}

/* Recorded inside epochs. */
static bool is_inside(const char *metric)
{
    return is_batches(metric) || curve_is_system(metric);
}

static double fill(const struct metric_series *series, const struct curve_choice *choice, const struct source *from,
                   struct series *out)
{
    if (choice->axis != AXIS_EPOCH || !is_inside(series->name))
        return curve_fill(series, choice->axis, from->origin, out);
    double fork = NAN;
    for (size_t i = 0; i < series->n; i++) {
        double x = epoch_at(from->ruler, series->epoch[i], series->step[i]);
        if (series_append(out, x, series->value[i]) && i < series->n_inherited)
            fork = x;
    }
    return fork;
}

static void add_line(struct curve_set *set, const struct source *from, const struct metric_series *series,
                     const struct curve_choice *choice)
{
    size_t at = set->n++;
    struct chart_line *line = &set->lines[at];
    bool validation = curve_is_validation(series->name), several = from->n_runs > 1, batches = is_batches(series->name);
    *line = (struct chart_line){.series = &set->raw[at],
                                .color = several   ? (int)from->r
                                         : batches ? 2
                                                   : validation,
                                .dashed = validation && choice->part == CURVES_BOTH};
    /* Behind the values of epochs; while there are hardly any of those, it is what one looks at. */
    line->dim = batches && strcmp(set->family, series->name) != 0 && from->ruler.ends && from->ruler.ends->n > 1;
    line->fork_x = fill(series, choice, from, &set->raw[at]);
    line->name = !several ? arena_strdup(&set->arena, batches ? "batch" : series->name)
                 : validation && choice->part == CURVES_BOTH ? arena_printf(&set->arena, "%s val", from->name)
                                                             : arena_strdup(&set->arena, from->name);
    line->column = several ? arena_printf(&set->arena, "%s %s", from->name, series->name)
                           : arena_strdup(&set->arena, series->name);
    if (choice->smooth > 0) {
        series_smooth(&set->raw[at], choice->smooth, &set->smooth[at]);
        line->smooth = &set->smooth[at];
    }
    set->run_of[at] = (int)from->r;
    if (from->r == choice->focus && from->monitor && !strcmp(series->name, from->monitor))
        set->monitor = (int)at;
}

/* The record an epoch leaves: of the family itself, in training or validation. */
static struct epoch_ruler ruler_of(const struct curve_set *set, const struct source *from,
                                   const struct curve_choice *choice)
{
    struct epoch_ruler ruler = {.steps_per_epoch = choice->steps_per_epoch};
    for (size_t i = 0; i < from->n; i++) {
        const char *name = from->series[i].name;
        bool leaves = !is_inside(name) && (!strcmp(curve_family(name), set->family) || !strcmp(name, "learning_rate") ||
                                           (curve_is_system(set->family) && !strcmp(name, "loss")));
        if (leaves && (!ruler.ends || from->series[i].n > ruler.ends->n))
            ruler.ends = &from->series[i];
    }
    return ruler;
}

/* Lines keep the order training, validation, batches, whatever the log's. */
static void add_run(struct curve_set *set, const struct source *from, const struct curve_choice *choice)
{
    for (int pass = 0; pass < 3; pass++)
        for (size_t i = 0; i < from->n && set->n < CHART_MAX_LINES; i++) {
            const char *name = from->series[i].name;
            int place = is_batches(name) ? 2 : curve_is_validation(name);
            if (place == pass && wanted(set, choice, from, name))
                add_line(set, from, &from->series[i], choice);
        }
    if (from->r != choice->focus)
        return;
    set->focus = from->r;
    set->origin = from->origin;
    set->histories = from->series;
    set->n_histories = from->n;
    set->ruler = from->ruler;
}

static void add_held(struct curve_set *set, size_t r, const struct curve_choice *choice)
{
    const struct history *history = set->held[r];
    struct source from = {.name = set->names[r],
                          .monitor = set->monitors[r],
                          .r = r,
                          .n_runs = set->n_held,
                          .series = history->series,
                          .n = history->n,
                          .origin = history->origin};
    from.ruler = ruler_of(set, &from, choice);
    add_run(set, &from, choice);
}

/* Room for n runs, none of them held yet. */
static void begin(struct curve_set *set, const char *family, size_t n)
{
    char copy[sizeof set->family];
    snprintf(copy, sizeof copy, "%s", family);
    curve_set_release(set);
    memcpy(set->family, copy, sizeof copy);
    set->held = xcalloc(n + 1, sizeof(const struct history *));
    set->names = xcalloc(n + 1, sizeof(const char *));
    set->monitors = xcalloc(n + 1, sizeof(const char *));
}

static void hold(struct curve_set *set, const struct history *history, const char *name, const char *monitor)
{
    set->held[set->n_held] = history;
    set->names[set->n_held] = arena_strdup(&set->arena, name);
    set->monitors[set->n_held++] = monitor ? arena_strdup(&set->arena, monitor) : NULL;
}

bool curve_set_load(struct curve_set *set, struct histories *histories, struct index *index,
                    const struct run_summary *const *runs, size_t n_runs, const struct curve_choice *choice,
                    struct err *err)
{
    begin(set,
          choice->family               ? choice->family
          : n_runs && runs[0]->monitor ? curve_family(runs[0]->monitor)
                                       : "loss",
          n_runs);
    for (size_t r = 0; r < n_runs; r++) {
        const struct history *history = histories_take(histories, index, runs[r], err);
        if (!history) {
            curve_set_release(set);
            return false;
        }
        hold(set, history, choice->labels ? choice->labels[r] : runs[r]->name, runs[r]->monitor);
    }
    for (size_t r = 0; r < n_runs; r++)
        add_held(set, r, choice);
    return true;
}

void curve_set_sibling(struct curve_set *set, const struct curve_set *of, const struct curve_choice *choice)
{
    begin(set, choice->family ? choice->family : of->family, of->n_held);
    for (size_t r = 0; r < of->n_held; r++)
        hold(set, history_hold(of->held[r]), of->names[r], of->monitors[r]);
    for (size_t r = 0; r < of->n_held; r++)
        add_held(set, r, choice);
}

static bool is_constant(const struct metric_series *series)
{
    for (size_t i = 1; i < series->n; i++)
        if (series->value[i] != series->value[0])
            return false;
    return true;
}

void curve_set_dim(struct curve_set *set, const bool *bright)
{
    for (size_t i = 0; i < set->n; i++) {
        set->lines[i].dim = set->lines[i].silent = !bright[set->run_of[i]];
        if (set->lines[i].dim) /* colours of a cloud tell nothing */
            set->lines[i].color = CHART_COLORS - 1;
    }
}

size_t curve_set_families(const struct curve_set *set, bool all, const char **families, size_t most)
{
    size_t n = 0;
    for (size_t r = 0; r < set->n_held; r++)
        for (size_t i = 0; i < set->held[r]->n && n < most; i++) {
            const struct metric_series *series = &set->held[r]->series[i];
            const char *family = curve_family(series->name);
            bool known =
                is_batches(series->name) || (!all && curve_is_system(family) != curve_is_system(set->family)) ||
                (!all && (!strcmp(family, "learning_rate") || !strcmp(family, HISTORY_PACE)) && is_constant(series)) ||
                (!all && !strcmp(family, HISTORY_STEP_TIME)); /* says what the pace says */
            for (size_t k = 0; k < n && !known; k++)
                known = !strcmp(families[k], family);
            if (!known)
                families[n++] = family;
        }
    return n;
}
