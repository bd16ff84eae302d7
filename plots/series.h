/* series.h - one metric over time: x (steps, epochs, seconds) and y, with a min/max/sum/count pyramid kept up to date
 * on every append.
 *
 * x never decreases. A sample whose x lies before the last one supersedes what is there from that x on (a run that was
 * resumed from an older checkpoint): the later record wins. y may be NaN or infinite: such samples break the line, are
 * counted, and never enter min, max or sum. Everything is exact: a query over any index range equals a scan of the
 * samples.
 *
 *     struct series s = {0};
 *     series_append(&s, step, loss);
 *     struct series_stat stat = series_query(&s, 0, s.n);
 *     series_release(&s);
 */
#ifndef PLOTS_SERIES_H
#define PLOTS_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SERIES_LEAF = 64, SERIES_FANOUT = 4, SERIES_LEVELS = 14 };
enum series_bad { SERIES_NAN = 1, SERIES_PLUS_INF = 2, SERIES_MINUS_INF = 4 };

struct series_stat {
    double min, max, sum; /* of the finite values; min > max when there are none */
    uint32_t n;           /* finite values */
    uint32_t bad;         /* OR of enum series_bad */
};

struct series {
    double *x, *y; /* n samples, owned */
    size_t n, capacity;
    size_t n_bad;     /* samples whose y is not finite */
    size_t first_bad; /* index of the first of them, n_bad == 0: unspecified */
    struct series_level {
        /* node k of level l covers samples [k, k + 1) * LEAF * FANOUT^l; above the leaves the last one may lack the
         * samples of a leaf that is not complete */
        struct series_stat *node;
        size_t n, capacity;
    } level[SERIES_LEVELS];
};

/* False and nothing changed when x is not finite. Amortised O(1). */
bool series_append(struct series *series, double x, double y);
/* The same for n samples, one after the other: several times faster for many whose x are finite and in order. */
void series_extend(struct series *series, const double *x, const double *y, size_t n);
/* Forgets all samples from index n on. */
void series_truncate(struct series *series, size_t n);
/* Frees everything; the series is empty and usable again. */
void series_release(struct series *series);

/* Index of the first sample with x >= value, series->n when there is none. */
size_t series_lower(const struct series *series, double value);
/* Index of the sample nearest to x (ties: the earlier), 0 for an empty series. */
size_t series_nearest(const struct series *series, double x);
/* Statistics of samples [begin, end), end <= n. O(log n). */
struct series_stat series_query(const struct series *series, size_t begin, size_t end);
/* Index of the first sample that has the least (greatest: the greatest) value of all, series->n when none is finite.
 * O(log n). */
size_t series_extreme(const struct series *series, bool greatest);
/* The smallest value above 0 in [begin, end), NaN when there is none: where a log axis starts. */
double series_min_positive(const struct series *series, size_t begin, size_t end);
/* Appends to out the smoothed values (smooth.h, weight in [0, 1)) of all samples of in. */
void series_smooth(const struct series *in, double weight, struct series *out);

#endif
