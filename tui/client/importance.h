/* importance.h - which settings a result hangs on, as far as a number of runs can tell.
 *
 * For every setting that differs: runs are grouped by its value (numbers with many values: by ranges that hold about as
 * many runs each), and it is asked how much of the variance of the results' ranks lies between the groups, corrected
 * for the number of groups (epsilon squared: eta squared of a Kruskal-Wallis test, less what chance alone gives).
 * Ranks, because one diverged run must not decide; groups, because a learning rate is best in the middle.
 *
 * It is no experiment: settings that changed together are not told apart. Fewer than IMPORTANCE_LEAST runs, or no two
 * groups of two: nothing is claimed (`explains` is NAN).
 */
#ifndef TUI_CLIENT_IMPORTANCE_H
#define TUI_CLIENT_IMPORTANCE_H

#include "tui/client/comparison.h"

enum { IMPORTANCE_LEAST = 8 };

struct setting_point { /* one run that has both the setting and a result */
    size_t run;        /* index in the list */
    double x;          /* the number, or the number of its value in `values` */
    double y;          /* its best */
};
struct setting_effect {
    const char *key;
    struct setting_point *points;
    size_t n;
    const char *const *values; /* of a setting that is no number, as JSON; else NULL */
    size_t n_values;
    bool log;        /* numbers so far apart that ratios count */
    double explains; /* 0 .. 1, NAN: not enough runs to say */
    double trend;    /* Spearman's rank correlation of number and result, NAN: no numbers, or not enough */
};

/* One for each key, those that explain most first, then those nothing can be said of by name. All in arena. */
struct setting_effect *importance_find(const struct compared *list, size_t n, const char *const *keys, size_t n_keys,
                                       const char *metric, struct arena *arena);
/* "explains 62 %  more is better", "4 runs are too few to say". better_upwards: of the metric. */
void importance_words(const struct setting_effect *effect, bool better_upwards, char *text, size_t size);

/* ---- parts, for tests ---- */

/* Ranks from 1, ties share their mean. */
void importance_ranks(const double *values, size_t n, double *ranks);
/* Share of the variance of y between the groups, corrected, 0 .. 1; NAN: nothing to say. */
double importance_between(const double *y, const size_t *group, size_t n, size_t n_groups);

#endif
