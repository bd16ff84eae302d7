/* ticks.c - see ticks.h */
#include "plots/ticks.h"

#include "plots/format.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The nice number nearest above raw / 1.5: 1, 2, 5 times a power of ten. */
static double nice_step(double raw)
{
    double power = pow(10, floor(log10(raw))), share = raw / power;
    return power * (share < 1.5 ? 1 : share < 3.5 ? 2 : share < 7.5 ? 5 : 10);
}

/* 2.5 needs one digit more than 2. */
static int half_digit(double step)
{
    double mantissa = step / pow(10, floor(log10(step) + 1e-9));
    return fabs(mantissa - floor(mantissa + 0.5)) > 1e-6;
}

static int decimals_of(double step)
{
    double digits = half_digit(step) - floor(log10(step) + 1e-9);
    return digits < 0 ? 0 : digits > 15 ? 15 : (int)digits;
}

/* 20k, 1.5M for large values; 0.25; 2.5e-5 for small ones. size: the largest magnitude on the axis. */
static void label_number(double value, double step, double size, char label[TICK_LABEL])
{
    static const struct {
        double from, unit;
        const char *suffix;
    } units[] = {{1e15, 0, ""},   {1e12, 1e12, "T"}, {1e9, 1e9, "G"}, {1e6, 1e6, "M"},
                 {1e4, 1e3, "k"}, {1e-3, 1, ""},     {0, 0, ""}};
    int k = 0;
    while (size < units[k].from)
        k++;
    if (value == 0) {
        snprintf(label, TICK_LABEL, "%.*f", units[k].unit == 1 ? decimals_of(step) : 0, 0.0);
    } else if (units[k].unit > 0) {
        snprintf(label, TICK_LABEL, "%.*f%s", decimals_of(step / units[k].unit), value / units[k].unit,
                 units[k].suffix);
    } else {
        double digits = floor(log10(fabs(value)) + 1e-9) - floor(log10(step) + 1e-9) + half_digit(step);
        char text[40], *e;
        snprintf(text, sizeof text, "%.*e", digits > 0 ? (int)fmin(digits, 12) : 0, value);
        e = strchr(text, 'e');
        snprintf(label, TICK_LABEL, "%.*se%d", (int)(e - text), text, (int)lround(floor(log10(fabs(value)) + 1e-9)));
    }
}

size_t ticks_every(double lo, double hi, double step, struct tick ticks[TICKS_MAX])
{
    double size = fmax(fabs(lo), fabs(hi));
    if (!(step > size * 1e-13) || !isfinite(step))
        return 0;
    size_t n = 0;
    double first = ceil(lo / step - 1e-9), last = floor(hi / step + 1e-9);
    for (double i = first; i <= last && n < TICKS_MAX; i++, n++) {
        ticks[n] = (struct tick){.value = i == 0 ? 0 : i * step};
        label_number(ticks[n].value, step, size, ticks[n].label);
    }
    return n;
}

static size_t make_linear(double lo, double hi, int target, bool integer, struct tick *ticks)
{
    double step = nice_step((hi - lo) / target);
    return ticks_every(lo, hi, integer && step < 1 ? 1 : step, ticks);
}

/* plain: all labels of the axis can be written without an exponent. */
static void label_log(double mantissa, int exponent, bool plain, int decimals, char label[TICK_LABEL])
{
    if (plain)
        snprintf(label, TICK_LABEL, "%.*f", decimals, mantissa * pow(10, exponent));
    else
        snprintf(label, TICK_LABEL, "%ge%d", mantissa, exponent);
}

/* Behind the point of mantissa * 10^exponent. */
static int log_decimals(double mantissa, int exponent)
{
    int digits = (mantissa > floor(mantissa)) - exponent;
    return digits > 0 ? digits : 0;
}

size_t ticks_decades(double lo, double hi, int stride, int between, struct tick ticks[TICKS_MAX])
{
    static const int mantissas[][3] = {{1}, {1, 3}, {1, 2, 5}};
    int first = (int)floor(log10(lo)), last = (int)floor(log10(hi) + 1e-9);
    bool plain = first >= -3 && last <= 3;
    size_t n = 0;
    for (int e = stride * (int)floor((double)first / stride); e <= last; e += stride)
        for (int k = 0; k <= between && n < TICKS_MAX; k++) {
            int m = mantissas[between][k];
            double value = m * pow(10, e);
            if (value < lo * (1 - 1e-9) || value > hi * (1 + 1e-9))
                continue;
            ticks[n] = (struct tick){.value = value, .minor = m > 1};
            label_log(m, e, plain, log_decimals(m, e), ticks[n++].label);
        }
    return n;
}

static size_t make_log(double lo, double hi, int target, struct tick *ticks)
{
    int decades = (int)floor(log10(hi) + 1e-9) - (int)floor(log10(lo)), stride = (decades + target) / target;
    return ticks_decades(lo, hi, stride, stride == 1 && log10(hi / lo) <= 3 ? 2 : 0, ticks);
}

/* The multiples of one set of mantissas; 0: two of them stand nearer than `apart`. */
static size_t make_mantissas(double lo, double hi, double apart, const double *set, struct tick *ticks)
{
    int first = (int)floor(log10(lo)), last = (int)floor(log10(hi) + 1e-9), decimals = 0;
    bool plain = first >= -3 && last <= 3;
    size_t n = 0;
    for (int pass = 0; pass < 2; pass++, n = pass < 2 ? 0 : n) /* the labels have as many digits as one of them needs */
        for (int e = first; e <= last; e++)
            for (int k = 0; set[k] && n < TICKS_MAX; k++) {
                double value = set[k] * pow(10, e);
                if (value < lo * (1 - 1e-9) || value > hi * (1 + 1e-9))
                    continue;
                if (n && log10(value / ticks[n - 1].value) < apart)
                    return 0;
                decimals = log_decimals(set[k], e) > decimals ? log_decimals(set[k], e) : decimals;
                ticks[n] = (struct tick){.value = value};
                label_log(set[k], e, plain, decimals, ticks[n++].label);
            }
    return n;
}

size_t ticks_inside_decade(double lo, double hi, double apart, struct tick ticks[TICKS_MAX])
{
    static const double sets[][11] = {
        {1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8}, {1, 1.5, 2, 3, 4, 5, 7}, {1, 2, 3, 5}, {1, 2, 5}, {1, 3}};
    for (size_t k = 0; hi >= 2 * lo && k < sizeof sets / sizeof *sets; k++) {
        size_t n = make_mantissas(lo, hi, apart, sets[k], ticks);
        if (n > 1)
            return n;
    }
    for (int target = 8; target > 0; target--) {
        size_t n = make_linear(lo, hi, target, false, ticks);
        bool fits = n > 0;
        for (size_t i = 1; i < n; i++)
            fits = fits && log10(ticks[i].value / ticks[i - 1].value) >= apart;
        if (fits)
            return n;
    }
    return 0;
}

static double time_step(double raw)
{
    static const double steps[] = {1,    2,    5,    10,    15,    30,    60,    120,       300,       600,       900,
                                   1800, 3600, 7200, 10800, 21600, 43200, 86400, 2 * 86400, 5 * 86400, 10 * 86400};
    for (size_t k = 0; k < sizeof steps / sizeof *steps; k++)
        if (steps[k] >= raw * 0.75)
            return steps[k];
    return 86400 * ceil(nice_step(raw / 86400));
}

static void label_duration(double value, double step, char label[TICK_LABEL])
{
    long long s = llround(fabs(value)), d = s / 86400, h = s / 3600 % 24, m = s / 60 % 60;
    const char *sign = value < 0 ? "-" : "";
    if (s == 0)
        snprintf(label, TICK_LABEL, "0");
    else if (d)
        snprintf(label, TICK_LABEL, step < 86400 && h ? "%s%lldd%02lldh" : "%s%lldd", sign, d, h);
    else if (h)
        snprintf(label, TICK_LABEL, step < 3600 && m ? "%s%lldh%02lldm" : "%s%lldh", sign, h, m);
    else if (m)
        snprintf(label, TICK_LABEL, step < 60 && s % 60 ? "%s%lldm%02llds" : "%s%lldm", sign, m, s % 60);
    else
        snprintf(label, TICK_LABEL, "%s%llds", sign, s);
}

/* span: of the whole axis; what the labels would repeat is added: the day beyond a day, the year beyond a year. */
static void label_clock(double value, double step, double span, long utc_offset_s, char label[TICK_LABEL])
{
    time_t seconds = (time_t)value + utc_offset_s;
    struct tm tm;
    if (!gmtime_r(&seconds, &tm)) {
        snprintf(label, TICK_LABEL, "%.0f", value);
        return;
    }
    bool midnight = tm.tm_hour == 0 && tm.tm_min == 0 && step >= 60;
    if (step >= 86400 && span > 360 * 86400.0)
        strftime(label, TICK_LABEL, "%Y-%m-%d", &tm);
    else if (step >= 86400 || midnight)
        strftime(label, TICK_LABEL, "%b %d", &tm);
    else if (span > 86400)
        strftime(label, TICK_LABEL, "%b %d %H:%M", &tm);
    else if (step >= 60)
        strftime(label, TICK_LABEL, "%H:%M", &tm);
    else
        strftime(label, TICK_LABEL, "%H:%M:%S", &tm);
}

static size_t make_time(enum tick_kind kind, double lo, double hi, int target, long utc_offset_s, struct tick *ticks)
{
    double step = time_step((hi - lo) / target), shift = kind == TICKS_CLOCK ? (double)utc_offset_s : 0;
    double first = ceil((lo + shift) / step - 1e-9), last = floor((hi + shift) / step + 1e-9);
    size_t n = 0;
    for (double i = first; i <= last && n < TICKS_MAX; i++, n++) {
        ticks[n] = (struct tick){.value = i * step - shift};
        if (kind == TICKS_CLOCK)
            label_clock(ticks[n].value, step, hi - lo, utc_offset_s, ticks[n].label);
        else
            label_duration(ticks[n].value, step, ticks[n].label);
    }
    return n;
}

size_t ticks_make(enum tick_kind kind, bool log, double lo, double hi, int target, long utc_offset_s,
                  struct tick ticks[TICKS_MAX])
{
    if (!(lo < hi) || !isfinite(lo) || !isfinite(hi))
        return 0;
    target = target < 2 ? 2 : target > 20 ? 20 : target;
    if (kind == TICKS_CLOCK && fabs(lo) < 1e11 && fabs(hi) < 1e11)
        return make_time(kind, lo, hi, target, utc_offset_s, ticks);
    if (kind == TICKS_DURATION && hi - lo >= target && hi < 1e11)
        return make_time(kind, lo, hi, target, 0, ticks);
    if (log && lo > 0 && log10(hi) - log10(lo) >= 1)
        return make_log(lo, hi, target, ticks);
    if (log && lo > 0 && kind == TICKS_NUMBER && hi >= 2 * lo)
        return ticks_inside_decade(lo, hi, log10(hi / lo) / (1.5 * target), ticks);
    size_t n = make_linear(lo, hi, target, kind == TICKS_INTEGER, ticks);
    for (size_t i = 0; kind == TICKS_DURATION && i < n; i++)
        if (ticks[i].value != 0)
            snprintf(ticks[i].label + strlen(ticks[i].label), TICK_LABEL - strlen(ticks[i].label), "s");
        else
            snprintf(ticks[i].label, TICK_LABEL, "0");
    return n;
}
