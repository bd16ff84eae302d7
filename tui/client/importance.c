/* importance.c - see importance.h */
#include "tui/client/importance.h"

#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ranked {
    double value;
    size_t at;
};

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return (x->value > y->value) - (x->value < y->value);
}

static struct ranked *sorted(const double *values, size_t n)
{
    struct ranked *all = xcalloc(n + 1, sizeof *all);
    for (size_t i = 0; i < n; i++)
        all[i] = (struct ranked){values[i], i};
    qsort(all, n, sizeof *all, compare_ranked);
    return all;
}

void importance_ranks(const double *values, size_t n, double *ranks)
{
    struct ranked *all = sorted(values, n);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && all[end].value == all[i].value;)
            end++;
        for (size_t k = i; k < end; k++)
            ranks[all[k].at] = (double)(i + end + 1) / 2;
    }
    free(all);
}

double importance_between(const double *y, const size_t *group, size_t n, size_t n_groups)
{
    double *sum = xcalloc(n_groups + 1, sizeof *sum), mean = 0, total = 0, between = 0;
    size_t *count = xcalloc(n_groups + 1, sizeof *count), large = 0, used = 0;
    for (size_t i = 0; i < n; i++) {
        sum[group[i]] += y[i];
        count[group[i]]++;
        mean += y[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++)
        total += (y[i] - mean) * (y[i] - mean);
    for (size_t g = 0; g < n_groups; g++) {
        double d = count[g] ? sum[g] / (double)count[g] - mean : 0;
        between += (double)count[g] * d * d;
        large += count[g] > 1;
        used += count[g] > 0;
    }
    free(sum);
    free(count);
    if (n < IMPORTANCE_LEAST || large < 2 || used >= n || !(total > 0))
        return NAN;
    double share = 1 - (1 - between / total) * (double)(n - 1) / (double)(n - used);
    return share > 0 ? share : 0;
}

static double spearman(const double *a, const double *b, size_t n)
{
    double mean = (double)(n + 1) / 2, ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        ab += (a[i] - mean) * (b[i] - mean);
        aa += (a[i] - mean) * (a[i] - mean);
        bb += (b[i] - mean) * (b[i] - mean);
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : NAN;
}

/* Up to three values are groups of their own; more are cut into ranges of about as many runs, equals never apart. */
static size_t group_numbers(const double *x, size_t n, size_t *group)
{
    enum { FEW = 3, MOST_GROUPS = 5, RUNS_A_GROUP = 3 };
    struct ranked *all = sorted(x, n);
    size_t distinct = 1, groups = 1, want = n / RUNS_A_GROUP, held = 0;
    for (size_t i = 1; i < n; i++)
        distinct += all[i].value != all[i - 1].value;
    want = want > MOST_GROUPS ? MOST_GROUPS : want < 2 ? 2 : want;
    for (size_t i = 0; i < n; i++) {
        bool fresh = i && all[i].value != all[i - 1].value;
        if (fresh && (distinct <= FEW || held * want >= n)) {
            groups++;
            held = 0;
        }
        group[all[i].at] = groups - 1;
        held++;
    }
    free(all);
    return groups;
}

static void rate(struct setting_effect *effect)
{
    size_t n = effect->n, n_groups = effect->n_values, *group = xcalloc(n + 1, sizeof *group);
    double *x = xcalloc(n + 1, sizeof *x), *y = xcalloc(n + 1, sizeof *y), *rx = xcalloc(n + 1, sizeof *rx);
    for (size_t i = 0; i < n; i++) {
        x[i] = effect->points[i].x;
        y[i] = effect->points[i].y;
        group[i] = effect->values ? (size_t)x[i] : 0;
    }
    importance_ranks(y, n, y);
    importance_ranks(x, n, rx);
    if (!effect->values)
        n_groups = n ? group_numbers(x, n, group) : 0;
    effect->explains = importance_between(y, group, n, n_groups);
    effect->trend = effect->values || n < IMPORTANCE_LEAST ? NAN : spearman(rx, y, n);
    free(group), free(x), free(y), free(rx);
}

/* The number of a value in the effect's own list, which grows. */
static size_t value_number(const char **values, size_t *n, const char *value)
{
    size_t k = 0;
    while (k < *n && strcmp(values[k], value) != 0)
        k++;
    if (k == *n)
        values[(*n)++] = value;
    return k;
}

static struct setting_effect effect_of(const struct compared *list, size_t n, const char *key, const char *metric,
                                       struct arena *arena)
{
    struct setting_effect effect = {.key = key};
    effect.points = arena_array(arena, n + 1, sizeof *effect.points);
    const char **values = arena_array(arena, n + 1, sizeof *values);
    bool numbers = true;
    double least = INFINITY, most = -INFINITY, x;
    for (size_t i = 0; i < n; i++) {
        const char *value = compared_param(&list[i], key);
        numbers = numbers && value && str_to_double(value, &x) && isfinite(x);
    }
    for (size_t i = 0; i < n; i++) {
        const struct metric_summary *result = compared_metric(list[i].run, metric);
        const char *value = compared_param(&list[i], key);
        if (!result || !isfinite(result->best))
            continue;
        x = numbers && str_to_double(value, &x) ? x
                                                : (double)value_number(values, &effect.n_values, value ? value : "");
        least = fmin(least, x);
        most = fmax(most, x);
        effect.points[effect.n++] = (struct setting_point){i, x, result->best};
    }
    effect.values = numbers ? NULL : values;
    effect.log = numbers && least > 0 && most / least >= 50;
    rate(&effect);
    return effect;
}

static int compare_effects(const void *a, const void *b)
{
    const struct setting_effect *x = a, *y = b;
    double p = isnan(x->explains) ? -1 : x->explains, q = isnan(y->explains) ? -1 : y->explains;
    return p != q ? (p < q) - (p > q) : strcmp(x->key, y->key);
}

struct setting_effect *importance_find(const struct compared *list, size_t n, const char *const *keys, size_t n_keys,
                                       const char *metric, struct arena *arena)
{
    struct setting_effect *effects = arena_array(arena, n_keys + 1, sizeof *effects);
    for (size_t k = 0; k < n_keys; k++)
        effects[k] = effect_of(list, n, keys[k], metric, arena);
    qsort(effects, n_keys, sizeof *effects, compare_effects);
    return effects;
}

void importance_words(const struct setting_effect *effect, bool better_upwards, char *text, size_t size)
{
    static const double CLEAR = 0.5, WORTH_SAYING = 0.2;
    bool more_is_better = (effect->trend > 0) == better_upwards;
    if (isnan(effect->explains) && effect->n < IMPORTANCE_LEAST)
        snprintf(text, size, "%zu run%s: too few to say", effect->n, effect->n == 1 ? "" : "s");
    else if (isnan(effect->explains))
        snprintf(text, size, "too few runs share a value");
    else
        snprintf(text, size, "explains %.0f %%%s", effect->explains * 100,
                 !(fabs(effect->trend) >= CLEAR && effect->explains >= WORTH_SAYING) ? ""
                 : more_is_better                                                    ? ", more is better"
                                                                                     : ", less is better");
}
