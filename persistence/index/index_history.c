/* index_history.c - reads chunks back: series of a run with the part of its parents up to the forks, the tail for
 * sparklines. */
#include "persistence/index/index_chunks.h"
#include "persistence/runs/history_log.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ANCESTORS_MAX = 200 };

struct series_list {
    struct metric_series *series;
    size_t n;
};

struct point {
    int64_t ordinal, epoch, step;
    double time, value;
};

static int compare_points(const void *a, const void *b)
{
    int64_t x = ((const struct point *)a)->ordinal, y = ((const struct point *)b)->ordinal;
    return (x > y) - (x < y);
}

static struct metric_series series_of_points(const char *name, const struct point *points, size_t n,
                                             struct arena *arena)
{
    int64_t *epoch = arena_array(arena, n, 8), *step = arena_array(arena, n, 8);
    double *time = arena_array(arena, n, 8), *value = arena_array(arena, n, 8);
    for (size_t i = 0; i < n; i++) {
        epoch[i] = points[i].epoch;
        step[i] = points[i].step;
        time[i] = points[i].time;
        value[i] = points[i].value;
    }
    return (struct metric_series){.name = name, .n = n, .epoch = epoch, .step = step, .time = time, .value = value};
}

/* A metric that was logged in different company at different times (val_loss every second epoch): its points are merged
 * in log order. */
static struct metric_series merge_groups(const char *name, uint16_t id, const struct chunk_columns *groups,
                                         size_t n_groups, struct arena *arena)
{
    struct point *points = NULL;
    size_t n = 0, capacity = 0;
    for (size_t g = 0; g < n_groups; g++)
        for (size_t m = 0; m < groups[g].n_metrics; m++) {
            if (groups[g].metrics[m] != id)
                continue;
            points = xgrow(points, &capacity, n + groups[g].n + 1, sizeof *points);
            for (size_t i = 0; i < groups[g].n; i++)
                points[n++] = (struct point){groups[g].ordinal[i], groups[g].epoch[i], groups[g].step[i],
                                             groups[g].time[i], groups[g].values[m][i]};
        }
    if (n)
        qsort(points, n, sizeof *points, compare_points);
    struct metric_series series = series_of_points(name, points, n, arena);
    free(points);
    return series;
}

static struct metric_series series_of(const char *name, uint16_t id, const struct chunk_columns *groups,
                                      size_t n_groups, struct arena *arena)
{
    const struct chunk_columns *only = NULL;
    size_t column = 0, n_found = 0;
    for (size_t g = 0; g < n_groups; g++)
        for (size_t m = 0; m < groups[g].n_metrics; m++)
            if (groups[g].metrics[m] == id) {
                only = &groups[g];
                column = m;
                n_found++;
            }
    if (n_found != 1)
        return merge_groups(name, id, groups, n_groups, arena);
    return (struct metric_series){.name = name,
                                  .n = only->n,
                                  .epoch = only->epoch,
                                  .step = only->step,
                                  .time = only->time,
                                  .value = only->values[column]};
}

/* Where a restarted run went back, what it had recorded from that step on is gone. */
static void later_wins(struct metric_series *series, struct arena *arena)
{
    size_t n = series->n, kept = 0, i = 1;
    while (i < n && series->step[i] > series->step[i - 1])
        i++;
    if (i >= n)
        return;
    int64_t *epoch = arena_array(arena, n, 8), *step = arena_array(arena, n, 8);
    double *time = arena_array(arena, n, 8), *value = arena_array(arena, n, 8);
    for (i = 0; i < n; i++) {
        while (kept && step[kept - 1] >= series->step[i])
            kept--;
        epoch[kept] = series->epoch[i];
        step[kept] = series->step[i];
        time[kept] = series->time[i];
        value[kept++] = series->value[i];
    }
    *series = (struct metric_series){series->name, kept, epoch, step, time, value, 0};
}

static bool is_foreign(struct index *index, int64_t run_id, bool *foreign, struct err *err)
{
    sqlite3_stmt *statement = index_query(index, err, "SELECT source IS NOT NULL FROM run WHERE id=?", "i", run_id);
    int found = statement ? index_step(index, statement, err) : -1;
    *foreign = found == 1 && sqlite3_column_int(statement, 0);
    if (found == 1)
        sqlite3_reset(statement);
    return found != -1;
}

static bool wanted(const char *name, const char *const *metrics, size_t n_metrics)
{
    for (size_t m = 0; metrics && m < n_metrics; m++)
        if (!strcmp(metrics[m], name))
            return true;
    return !metrics;
}

/* The run's own part. */
static bool load_own(struct index *index, int64_t run_id, const char *const *metrics, size_t n_metrics,
                     struct arena *arena, struct series_list *list, struct err *err)
{
    struct chunk_columns *groups;
    size_t n_groups, capacity = 0;
    bool foreign;
    if (!is_foreign(index, run_id, &foreign, err) || !chunks_groups(index, run_id, arena, &groups, &n_groups, err))
        return false;
    for (size_t g = 0; g < n_groups; g++)
        if (!chunks_read(index, run_id, g, &groups[g], arena, err))
            return false;
    sqlite3_stmt *statement =
        index_query(index, err, "SELECT id, name FROM metric WHERE run=? AND n>0 ORDER BY id", "i", run_id);
    int found = -1;
    struct metric_series *series = NULL;
    list->n = 0;
    while (statement && (found = index_step(index, statement, err)) == 1) {
        const char *name = index_text(statement, 1, arena);
        if (!name || !wanted(name, metrics, n_metrics))
            continue;
        series = xgrow(series, &capacity, list->n + 1, sizeof *series);
        series[list->n] = series_of(name, (uint16_t)sqlite3_column_int(statement, 0), groups, n_groups, arena);
        if (foreign)
            later_wins(&series[list->n], arena);
        list->n++;
    }
    list->series = arena_copy(arena, series, list->n, sizeof *series);
    free(series);
    return found == 0;
}

bool index_own_series(struct index *index, int64_t run_id, struct arena *arena, const struct metric_series **series,
                      size_t *n, struct err *err)
{
    struct series_list list;
    bool ok = load_own(index, run_id, NULL, 0, arena, &list, err);
    *series = ok ? list.series : NULL;
    *n = ok ? list.n : 0;
    return ok;
}

struct fork {
    int64_t parent, epoch, step;
};

/* *fork.parent is 0 when the run has no parent here. */
static bool load_fork(struct index *index, int64_t run_id, struct fork *fork, struct err *err)
{
    sqlite3_stmt *statement = index_query(
        index, err,
        "SELECT p.id, c.parent_epoch, c.parent_step FROM run c JOIN run p ON p.folder=c.parent_run WHERE c.id=?", "i",
        run_id);
    int found = statement ? index_step(index, statement, err) : -1;
    *fork = (struct fork){0};
    if (found == 1) {
        *fork = (struct fork){sqlite3_column_int64(statement, 0), sqlite3_column_int64(statement, 1),
                              sqlite3_column_int64(statement, 2)};
        sqlite3_reset(statement);
    }
    return found != -1;
}

/* Points of the parent that lie before the fork: they are the first ones, its history is in order. A checkpoint between
 * the last batch of an epoch and its end has that epoch's step, but the child records the epoch itself. */
static size_t n_before(const struct metric_series *series, const struct fork *fork)
{
    bool of_steps = !strcmp(series->name, HISTORY_BATCH_LOSS);
    size_t n = 0;
    for (; n < series->n; n++) {
        bool same_step = fork->step <= 0 || series->step[n] == fork->step;
        if (same_step && !of_steps ? series->epoch[n] > fork->epoch : series->step[n] > fork->step)
            break;
    }
    return n;
}

static void *joined(const void *a, size_t n_a, const void *b, size_t n_b, struct arena *arena)
{
    char *both = arena_array(arena, n_a + n_b, 8);
    memcpy(both, a, n_a * 8);
    memcpy(both + n_a * 8, b, n_b * 8);
    return both;
}

static void inherit(struct metric_series *own, const struct metric_series *parent, size_t n, struct arena *arena)
{
    own->epoch = joined(parent->epoch, n, own->epoch, own->n, arena);
    own->step = joined(parent->step, n, own->step, own->n, arena);
    own->time = joined(parent->time, n, own->time, own->n, arena);
    own->value = joined(parent->value, n, own->value, own->n, arena);
    own->n += n;
    own->n_inherited = n;
}

static struct metric_series *find_series(struct series_list *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++)
        if (!strcmp(list->series[i].name, name))
            return &list->series[i];
    return NULL;
}

static void join_parent(struct series_list *own, const struct series_list *parent, const struct fork *fork,
                        struct arena *arena)
{
    struct metric_series *all = arena_array(arena, own->n + parent->n + 1, sizeof *all);
    if (own->n)
        memcpy(all, own->series, own->n * sizeof *all);
    own->series = all;
    for (size_t i = 0; i < parent->n; i++) {
        const struct metric_series *old = &parent->series[i];
        size_t n = n_before(old, fork);
        struct metric_series *mine = find_series(own, old->name);
        if (mine) {
            inherit(mine, old, n, arena);
        } else if (n) {
            own->series[own->n] = *old;
            own->series[own->n].n = own->series[own->n].n_inherited = n;
            own->n++;
        }
    }
}

static bool load_with_parents(struct index *index, int64_t run_id, int depth, const char *const *metrics,
                              size_t n_metrics, struct arena *arena, struct series_list *list, struct err *err)
{
    struct fork fork;
    if (!load_own(index, run_id, metrics, n_metrics, arena, list, err) || !load_fork(index, run_id, &fork, err))
        return false;
    if (!fork.parent || depth >= ANCESTORS_MAX)
        return true;
    struct series_list parent;
    if (!load_with_parents(index, fork.parent, depth + 1, metrics, n_metrics, arena, &parent, err))
        return false;
    join_parent(list, &parent, &fork, arena);
    return true;
}

struct history_call {
    const char *run_id;
    const char *const *metrics;
    size_t n_metrics;
    struct arena *arena;
    const struct metric_series **series;
    size_t *n;
};

static bool read_history(struct index *index, void *context, struct err *err)
{
    struct history_call *call = context;
    int64_t run_id = index_run_id(index, call->run_id, err);
    if (run_id <= 0)
        return run_id < 0 ? false : err_set(err, ERR_NOT_FOUND, "there is no run '%s'", call->run_id);
    struct series_list list;
    if (!load_with_parents(index, run_id, 0, call->metrics, call->n_metrics, call->arena, &list, err))
        return false;
    *call->series = list.series;
    *call->n = list.n;
    return true;
}

bool index_history(struct index *index, const char *run_id, const char *const *metrics, size_t n_metrics,
                   struct arena *arena, const struct metric_series **series, size_t *n, struct err *err)
{
    struct history_call call = {run_id, metrics, n_metrics, arena, series, n};
    return index_guarded(index_of_run(index, run_id), read_history, &call, err);
}

/* One group's last values of a metric, newest first, behind those that are there. */
static bool tail_of_group(struct index *index, int64_t run_id, const struct chunk_columns *group, size_t g,
                          size_t column, size_t n_max, struct point *points, size_t *n, struct err *err)
{
    sqlite3_stmt *statement = index_query(
        index, err, "SELECT n, data FROM chunk WHERE run=? AND grp=? ORDER BY seq DESC", "ii", run_id, (int64_t)g);
    size_t taken = 0;
    int found = -1;
    while (statement && taken < n_max && (found = index_step(index, statement, err)) == 1) {
        size_t records = (size_t)sqlite3_column_int64(statement, 0), size = (size_t)sqlite3_column_bytes(statement, 1);
        const char *data = sqlite3_column_blob(statement, 1);
        if (records > size / 8 || size != records * (group->n_metrics + CHUNK_AXES) * 8)
            break;
        for (size_t i = records; i-- > 0 && taken < n_max; taken++, ++*n) {
            memcpy(&points[*n].ordinal, data + i * 8, 8);
            memcpy(&points[*n].step, data + (2 * records + i) * 8, 8);
            memcpy(&points[*n].value, data + ((CHUNK_AXES + column) * records + i) * 8, 8);
        }
    }
    if (statement)
        sqlite3_reset(statement);
    return statement && found != -1;
}

/* later_wins for points in order; how many are left. */
static size_t drop_superseded(struct point *points, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        while (kept && points[kept - 1].step >= points[i].step)
            kept--;
        points[kept++] = points[i];
    }
    return kept;
}

bool index_tail(struct index *index, int64_t run_id, int64_t metric, float *values, size_t n_max, size_t *n,
                struct err *err)
{
    struct arena arena = {0};
    struct chunk_columns *groups;
    size_t n_groups, n_points = 0;
    bool foreign,
        ok = is_foreign(index, run_id, &foreign, err) && chunks_groups(index, run_id, &arena, &groups, &n_groups, err);
    struct point *points = ok ? arena_array(&arena, (n_groups + 1) * n_max, sizeof *points) : NULL;
    for (size_t g = 0; ok && g < n_groups; g++)
        for (size_t m = 0; ok && m < groups[g].n_metrics; m++)
            if (groups[g].metrics[m] == metric) {
                ok = tail_of_group(index, run_id, &groups[g], g, m, n_max, points, &n_points, err);
                break;
            }
    if (ok) {
        qsort(points, n_points, sizeof *points, compare_points);
        if (foreign)
            n_points = drop_superseded(points, n_points);
        size_t skip = n_points > n_max ? n_points - n_max : 0;
        *n = n_points - skip;
        for (size_t i = 0; i < *n; i++)
            values[i] = (float)points[skip + i].value;
    }
    arena_release(&arena);
    return ok;
}
