/* scale.c - see scale.h */
#include "plots/scale.h"

#include <math.h>
#include <stdlib.h>

static double project(const struct scale *scale, double value)
{
    if (!scale->log)
        return value;
    return value > 0 ? log10(value) : NAN;
}

double scale_at(const struct scale *scale, double value)
{
    double lo = project(scale, scale->lo), hi = project(scale, scale->hi), v = project(scale, value);
    if (!(hi > lo))
        return isnan(v) ? NAN : (scale->first + scale->last) / 2;
    /* halves first: hi - lo of two huge values would overflow */
    double share = (v / 2 - lo / 2) / (hi / 2 - lo / 2);
    return scale->first + share * (scale->last - scale->first);
}

double scale_value(const struct scale *scale, double dot)
{
    double lo = project(scale, scale->lo), hi = project(scale, scale->hi);
    double share = scale->last == scale->first ? 0 : (dot - scale->first) / (scale->last - scale->first);
    double v = lo * (1 - share) + hi * share;
    return scale->log ? pow(10, v) : v;
}

int scale_dot(const struct scale *scale, double value)
{
    double at = scale_at(scale, value);
    if (at >= SCALE_FAR)
        return SCALE_FAR;
    if (at <= -SCALE_FAR)
        return -SCALE_FAR;
    return (int)floor(at + 0.5);
}

struct range range_join(struct range a, struct range b)
{
    if (isnan(a.lo))
        return b;
    if (isnan(b.lo))
        return a;
    return (struct range){a.lo < b.lo ? a.lo : b.lo, a.hi > b.hi ? a.hi : b.hi};
}

static struct range pad_log(struct range range, double margin)
{
    if (isnan(range.lo) || range.lo <= 0)
        range = (struct range){0.1, 1};
    double lo = log10(range.lo), hi = log10(range.hi), extra = (hi - lo) * margin;
    if (hi - lo < 1e-9)
        extra = 0.15;
    return (struct range){pow(10, fmax(lo - extra, -307)), pow(10, fmin(hi + extra, 308))};
}

struct range range_pad(struct range range, double margin, bool log)
{
    enum { HUGE_ENOUGH = 300 };
    if (log)
        return pad_log(range, margin);
    if (isnan(range.lo))
        return (struct range){0, 1};
    double limit = pow(10, HUGE_ENOUGH), lo = fmax(range.lo, -limit), hi = fmin(range.hi, limit);
    double size = fmax(fabs(lo), fabs(hi)), extra = (hi - lo) * margin;
    if (hi - lo <= size * 1e-9)
        extra = size > 0 ? size * 0.1 : 0.5;
    struct range out = {lo - extra, hi + extra};
    if (lo >= 0 && (out.lo < 0 || lo < 0.3 * hi))
        out.lo = 0;
    if (hi <= 0 && out.hi > 0 && lo < 0)
        out.hi = 0;
    return out;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct range range_robust(double *values, size_t n, double share)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (isfinite(values[i]))
            values[kept++] = values[i];
    if (kept == 0)
        return (struct range){NAN, NAN};
    qsort(values, kept, sizeof *values, compare_doubles);
    size_t cut = (size_t)ceil(share * (double)kept);
    if (cut * 5 > kept) /* of a few values none is an outlier */
        cut = 0;
    double lo = values[cut], hi = values[kept - 1 - cut], fence = (hi - lo) / 2;
    struct range out = {lo, hi};
    for (size_t i = 0; i < kept; i++)
        if (values[i] >= lo - fence && values[i] <= hi + fence)
            out = range_join(out, (struct range){values[i], values[i]});
    return out;
}

double range_grow(double start, double end, double unit)
{
    double size = unit;
    while (start + size < end && isfinite(size))
        size *= 1.25;
    return start + size;
}

struct range range_hold(struct range held, struct range now, bool log)
{
    if (isnan(now.lo))
        return held;
    struct range fresh = range_pad(now, 0.1, log);
    if (isnan(held.lo) || now.lo < held.lo || now.hi > held.hi)
        return isnan(held.lo) ? fresh : range_join(held, fresh);
    double used = log ? log10(now.hi / now.lo) / log10(held.hi / held.lo) : (now.hi - now.lo) / (held.hi - held.lo);
    return used < 0.6 && (log || now.lo >= 0.3 * now.hi || now.lo < 0 || now.hi < 0.6 * held.hi) ? fresh : held;
}
