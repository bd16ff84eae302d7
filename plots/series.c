/* series.c - see series.h */
#include "plots/series.h"

#include "base/arena.h"
#include "plots/smooth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct series_stat nothing = {INFINITY, -INFINITY, 0, 0, 0};

static void add_sample(struct series_stat *stat, double y)
{
    if (isfinite(y)) {
        stat->min = y < stat->min ? y : stat->min;
        stat->max = y > stat->max ? y : stat->max;
        stat->sum += y;
        stat->n++;
    } else {
        stat->bad |= isnan(y) ? SERIES_NAN : y > 0 ? SERIES_PLUS_INF : SERIES_MINUS_INF;
    }
}

static void add_stat(struct series_stat *stat, const struct series_stat *more)
{
    stat->min = more->min < stat->min ? more->min : stat->min;
    stat->max = more->max > stat->max ? more->max : stat->max;
    stat->sum += more->sum;
    stat->n += more->n;
    stat->bad |= more->bad;
}

static void add_samples(struct series_stat *stat, const struct series *series, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        add_sample(stat, series->y[i]);
}

static size_t level_width(int level)
{
    return (size_t)SERIES_LEAF << (2 * level);
}

static void rebuild_node(struct series *series, int level, size_t k)
{
    struct series_stat stat = nothing;
    if (level == 0) {
        size_t end = (k + 1) * SERIES_LEAF;
        add_samples(&stat, series, k * SERIES_LEAF, end < series->n ? end : series->n);
    } else {
        const struct series_level *below = &series->level[level - 1];
        for (size_t c = k * SERIES_FANOUT; c < (k + 1) * SERIES_FANOUT && c < below->n; c++)
            add_stat(&stat, &below->node[c]);
    }
    series->level[level].node[k] = stat;
}

/* The nodes that cover sample i, which begins or completes a leaf. In between only the leaf is kept up to date: a query
 * takes whole leaves and nodes of them, and the last node of a level may be behind. */
static void build_levels(struct series *series, size_t i)
{
    for (int l = 0; l < SERIES_LEVELS && (l == 0 || series->level[l - 1].n > 1); l++) {
        struct series_level *level = &series->level[l];
        size_t k = i / level_width(l);
        if (l && k < level->n)
            rebuild_node(series, l, k);
        level->node = xgrow(level->node, &level->capacity, k + 1, sizeof *level->node);
        for (; level->n <= k; level->n++)
            rebuild_node(series, l, level->n);
    }
}

static void make_room(struct series *series, size_t n)
{
    size_t capacity = series->capacity;
    series->x = xgrow(series->x, &capacity, n, sizeof *series->x);
    if (capacity != series->capacity)
        series->y = xrealloc(series->y, capacity * sizeof *series->y);
    series->capacity = capacity;
}

bool series_append(struct series *series, double x, double y)
{
    if (!isfinite(x))
        return false;
    if (series->n && x < series->x[series->n - 1])
        series_truncate(series, series_lower(series, x));
    size_t i = series->n;
    make_room(series, ++series->n);
    series->x[i] = x;
    series->y[i] = y;
    if (!isfinite(y) && series->n_bad++ == 0)
        series->first_bad = i;
    bool there = i / SERIES_LEAF < series->level[0].n;
    if (there)
        add_sample(&series->level[0].node[i / SERIES_LEAF], y);
    if (!there || (i + 1) % SERIES_LEAF == 0)
        build_levels(series, i);
    return true;
}

static bool in_order(const struct series *series, const double *x, size_t n)
{
    double last = series->n ? series->x[series->n - 1] : -INFINITY;
    size_t i = 0;
    while (i < n && x[i] >= last && isfinite(x[i]))
        last = x[i++];
    return i == n;
}

/* All nodes of all levels that cover samples from index `from` on. */
static void build_from(struct series *series, size_t from)
{
    for (int l = 0; l < SERIES_LEVELS && (l == 0 || series->level[l - 1].n > 1); l++) {
        struct series_level *level = &series->level[l];
        size_t first = from / level_width(l), n = (series->n + level_width(l) - 1) / level_width(l);
        first = first < level->n ? first : level->n;
        level->node = xgrow(level->node, &level->capacity, n, sizeof *level->node);
        level->n = n;
        for (size_t k = first; k < n; k++)
            rebuild_node(series, l, k);
    }
}

void series_extend(struct series *series, const double *x, const double *y, size_t n)
{
    size_t from = series->n;
    if (n == 0)
        return;
    if (!in_order(series, x, n)) {
        for (size_t i = 0; i < n; i++)
            series_append(series, x[i], y[i]);
        return;
    }
    make_room(series, from + n);
    memcpy(series->x + from, x, n * sizeof *x);
    memcpy(series->y + from, y, n * sizeof *y);
    series->n = from + n;
    for (size_t i = from; i < series->n; i++)
        if (!isfinite(series->y[i]) && series->n_bad++ == 0)
            series->first_bad = i;
    build_from(series, from);
}

void series_truncate(struct series *series, size_t n)
{
    if (n >= series->n)
        return;
    for (size_t i = n; series->n_bad && i < series->n; i++)
        series->n_bad -= !isfinite(series->y[i]);
    series->n = n;
    for (int l = 0; l < SERIES_LEVELS; l++) {
        struct series_level *level = &series->level[l];
        bool wanted = l == 0 || series->level[l - 1].n > 1;
        size_t keep = wanted ? (n + level_width(l) - 1) / level_width(l) : 0;
        if (keep < level->n)
            level->n = keep;
        if (level->n)
            rebuild_node(series, l, level->n - 1);
    }
}

void series_release(struct series *series)
{
    free(series->x);
    free(series->y);
    for (int l = 0; l < SERIES_LEVELS; l++)
        free(series->level[l].node);
    *series = (struct series){0};
}

size_t series_lower(const struct series *series, double value)
{
    size_t lo = 0, hi = series->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (series->x[mid] < value)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

size_t series_nearest(const struct series *series, double x)
{
    size_t i = series_lower(series, x);
    if (i == series->n)
        return i ? i - 1 : 0;
    return i && x - series->x[i - 1] <= series->x[i] - x ? i - 1 : i;
}

struct series_stat series_query(const struct series *series, size_t begin, size_t end)
{
    struct series_stat stat = nothing;
    if (end <= begin || end - begin < 2 * SERIES_LEAF) {
        add_samples(&stat, series, begin, end);
        return stat;
    }
    size_t a = (begin + SERIES_LEAF - 1) / SERIES_LEAF, z = end / SERIES_LEAF;
    add_samples(&stat, series, begin, a * SERIES_LEAF);
    add_samples(&stat, series, z * SERIES_LEAF, end);
    for (int l = 0; a < z; l++, a /= SERIES_FANOUT, z /= SERIES_FANOUT) {
        const struct series_stat *node = series->level[l].node;
        bool top = l + 1 == SERIES_LEVELS || series->level[l + 1].n == 0;
        while (a < z && (top || a % SERIES_FANOUT))
            add_stat(&stat, &node[a++]);
        while (a < z && z % SERIES_FANOUT)
            add_stat(&stat, &node[--z]);
    }
    return stat;
}

static double extreme_of(const struct series_stat *stat, bool greatest)
{
    return greatest ? -stat->max : stat->min;
}

size_t series_extreme(const struct series *series, bool greatest)
{
    int top = SERIES_LEVELS - 1;
    while (top >= 0 && !series->level[top].n)
        top--;
    struct series_stat all = series_query(series, 0, series->n);
    if (!all.n || top < 0)
        return series->n;
    double wanted = extreme_of(&all, greatest);
    size_t begin = 0, end = series->level[top].n, k = 0;
    for (int l = top; l >= 0; l--, begin = k * SERIES_FANOUT, end = begin + SERIES_FANOUT) {
        const struct series_level *level = &series->level[l];
        end = end < level->n ? end : level->n;
        for (k = begin; k + 1 < end && extreme_of(&level->node[k], greatest) != wanted;)
            k++;
    }
    for (size_t i = k * SERIES_LEAF; i < series->n; i++)
        if (series->y[i] == (greatest ? all.max : all.min))
            return i;
    return series->n;
}

double series_min_positive(const struct series *series, size_t begin, size_t end)
{
    struct series_stat stat = series_query(series, begin, end);
    if (stat.n && stat.min > 0)
        return stat.min;
    double least = NAN;
    for (size_t i = begin; i < end; i++)
        if (series->y[i] > 0 && isfinite(series->y[i]) && !(series->y[i] >= least))
            least = series->y[i];
    return least;
}

void series_smooth(const struct series *in, double weight, struct series *out)
{
    double *y = xmalloc((in->n + 1) * sizeof *y);
    smooth_ema(in->y, y, in->n, weight);
    series_extend(out, in->x, y, in->n);
    free(y);
}
