/* fit.c - see fit.h: every number of rows a step may have is tried, the one that wastes least wins. */
#include "plots/fit.h"

#include <math.h>

struct fit {
    struct range range; /* linear, or of the logarithms */
    double step;
    double score; /* the less the better */
};

static const double nice[] = {1, 2, 2.5, 5, 10};
enum { N_NICE = sizeof nice / sizeof *nice };

/* Widens a range to n units, its ends whole units: first what is missing below, then evenly on both sides. False: it is
 * larger. */
static bool widen(struct range *range, double unit, double n)
{
    double lo = range->lo == 0 ? 0 : floor(range->lo / unit + 1e-9);
    double spare = n - (ceil(range->hi / unit - 1e-9) - lo);
    if (spare < 0)
        return false;
    if (range->hi == 0)
        lo -= spare;
    else if (range->lo != 0) {
        double shift = floor(spare / 2);
        lo -= range->lo > 0 && shift > lo ? lo : shift;
    }
    *range = (struct range){lo * unit, (lo + n) * unit};
    return true;
}

struct question {
    struct range range;
    int rows, dots;
    double ideal; /* rows between two ticks */
};

/* One step in so many rows; a fit that is better than the best replaces it. */
static void try_step(const struct question *ask, double step, int step_rows, int least_steps, double extra,
                     struct fit *best)
{
    struct range range = ask->range;
    struct fit fit = {range, step, 0};
    double n = ask->rows * ask->dots - 1, unit = step / (step_rows * ask->dots);
    if (!widen(&fit.range, unit, n))
        return;
    double steps = floor(fit.range.hi / step + 1e-9) - ceil(fit.range.lo / step - 1e-9);
    fit.score = n * unit / (range.hi - range.lo) - 1 + 0.07 * fabs(log2(step_rows / ask->ideal)) + extra;
    if (steps < least_steps)
        fit.score += steps < 1 ? 2 : 0.15;
    if (fit.score < best->score)
        *best = fit;
}

static void try_linear(const struct question *ask, int step_rows, struct fit *best)
{
    double n = ask->rows * ask->dots - 1, least = (ask->range.hi - ask->range.lo) / n * step_rows * ask->dots;
    double power = pow(10, floor(log10(least)));
    for (int k = 0; k < N_NICE; k++)
        if (nice[k] * power >= least * (1 - 1e-12))
            try_step(ask, nice[k] * power, step_rows, ask->rows < 8 ? 1 : 2, nice[k] == 2.5 ? 0.03 : 0, best);
}

static void try_log(const struct question *ask, int step_rows, struct fit *best)
{
    static const int strides[] = {1, 2, 3, 5, 10, 20, 50, 100};
    for (size_t k = 0; k < sizeof strides / sizeof *strides; k++)
        try_step(ask, strides[k], step_rows, k ? 1 : 0, 0, best);
}

/* What has room between two powers of ten, a whole number of rows apart: 3 lies all but in the middle. */
static int between_decades(const struct fit *fit, int rows)
{
    double decades = fit->range.hi - fit->range.lo, rows_each = rows / decades;
    return fit->step > 1 ? 0 : rows_each >= 7 && decades < 4 ? 2 : rows_each >= 5 ? 1 : 0;
}

size_t fit_rows(struct range *range, bool log, int rows, int dots, int target, struct tick ticks[TICKS_MAX])
{
    log = log && range->lo > 0;
    struct range from = log ? (struct range){log10(range->lo), log10(range->hi)} : *range;
    double size = from.hi - from.lo;
    bool usable = size > fmax(fabs(from.lo), fabs(from.hi)) * 1e-9 && isfinite(size) && rows >= 4;
    if (usable && log && size < 1)
        return ticks_inside_decade(range->lo, range->hi, size * 2 * dots / (rows * dots - 1), ticks);
    if (!usable)
        return ticks_make(TICKS_NUMBER, log, range->lo, range->hi, target, 0, ticks);
    struct fit best = {.score = INFINITY};
    struct question ask = {from, rows, dots, fmax(2, (double)rows / (target < 2 ? 2 : target))};
    for (int step_rows = log ? 1 : 2; step_rows <= rows; step_rows++)
        (log ? try_log : try_linear)(&ask, step_rows, &best);
    if (isinf(best.score))
        return ticks_make(TICKS_NUMBER, log, range->lo, range->hi, target, 0, ticks);
    *range = log ? (struct range){pow(10, best.range.lo), pow(10, best.range.hi)} : best.range;
    return log ? ticks_decades(range->lo, range->hi, (int)best.step, between_decades(&best, rows), ticks)
               : ticks_every(range->lo, range->hi, best.step, ticks);
}
