/* curves.c - see curves.h */
#include "tui/client/curves.h"

#include "persistence/index/system_log.h"
#include "persistence/runs/history_log.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *word, *name;
    enum tick_kind kind;
} axes[AXIS_COUNT] = {[AXIS_EPOCH] = {"epoch", "epoch", TICKS_INTEGER},
                      [AXIS_STEP] = {"step", "step", TICKS_INTEGER},
                      [AXIS_RELATIVE] = {"time", "time", TICKS_DURATION},
                      [AXIS_CLOCK] = {"clock", "clock", TICKS_CLOCK},
                      [AXIS_FORK] = {"fork", "steps since the fork", TICKS_INTEGER},
                      [AXIS_SAMPLES] = {"samples", "samples", TICKS_INTEGER}};

const char *curve_axis_name(enum curve_axis axis)
{
    return axes[axis].name;
}

const char *curve_axis_word(enum curve_axis axis)
{
    return axes[axis].word;
}

bool curve_axis_parse(const char *word, enum curve_axis *axis, struct err *err)
{
    struct str words = {0};
    for (int k = 0; k < AXIS_COUNT; k++) {
        if (!strcmp(axes[k].word, word)) {
            *axis = (enum curve_axis)k;
            str_release(&words);
            return true;
        }
        str_addf(&words, "%s%s", k ? ", " : "", axes[k].word);
    }
    err_set(err, ERR_USAGE, "there is no axis '%s', expected one of %s", word, str_text(&words));
    str_release(&words);
    return false;
}

enum tick_kind curve_axis_kind(enum curve_axis axis)
{
    return axes[axis].kind;
}

enum curve_axis curve_axis_for(const struct metric_series *series, size_t n)
{
    for (size_t m = 0; m < n; m++)
        for (size_t i = 1; i < series[m].n && strcmp(series[m].name, HISTORY_BATCH_LOSS) != 0; i++)
            if (series[m].epoch[i] == series[m].epoch[i - 1])
                return AXIS_STEP;
    return AXIS_EPOCH;
}

struct curve_origin curve_origin(const struct metric_series *series, size_t n)
{
    struct curve_origin origin = {.time = NAN};
    for (size_t m = 0; m < n; m++) {
        size_t inherited = series[m].n_inherited;
        if (series[m].n && !(series[m].time[0] >= origin.time))
            origin.time = series[m].time[0];
        if (inherited && series[m].step[inherited - 1] > origin.fork_step)
            origin.fork_step = series[m].step[inherited - 1];
    }
    return origin;
}

double curve_leg_samples(const struct curve_leg *leg, int64_t step)
{
    int64_t steps = step - leg->step, each = leg->samples_of_pass;
    if (each <= 0)
        return leg->samples + (double)steps * (double)leg->batch_size;
    int64_t of_pass = (each + leg->batch_size - 1) / leg->batch_size, passes = steps / of_pass,
            rest = steps % of_pass * leg->batch_size;
    return leg->samples + (double)passes * (double)each + (double)(rest < each ? rest : each);
}

/* NAN: not known. */
static double samples_at(struct curve_origin origin, int64_t step)
{
    size_t k = origin.n_legs;
    while (k > 1 && origin.legs[k - 1].step > step)
        k--;
    return k ? curve_leg_samples(&origin.legs[k - 1], step) : NAN;
}

double curve_since(const struct curve_origin *origin, double time)
{
    double since = time - origin->time;
    for (size_t k = 0; k < origin->n_rests && origin->rests[k].from < time; k++)
        since -= fmin(time, origin->rests[k].to) - origin->rests[k].from;
    return since;
}

double curve_x(enum curve_axis axis, struct curve_origin origin, int64_t epoch, int64_t step, double time)
{
    switch (axis) {
    case AXIS_EPOCH:
        return (double)epoch;
    case AXIS_STEP:
        return (double)step;
    case AXIS_RELATIVE:
        return curve_since(&origin, time);
    case AXIS_CLOCK:
        return time;
    case AXIS_FORK:
        return (double)(step - origin.fork_step);
    case AXIS_SAMPLES:
        return samples_at(origin, step);
    case AXIS_COUNT:
        break;
    }
    return NAN;
}

double curve_fill(const struct metric_series *from, enum curve_axis axis, struct curve_origin origin,
                  struct series *out)
{
    enum { AT_ONCE = 1024 };
    double fork = NAN, x[AT_ONCE];
    for (size_t i = 0, n; i < from->n; i += n) {
        n = from->n - i < AT_ONCE ? from->n - i : AT_ONCE;
        for (size_t k = 0; k < n; k++) {
            x[k] = curve_x(axis, origin, from->epoch[i + k], from->step[i + k], from->time[i + k]);
            fork = i + k < from->n_inherited && isfinite(x[k]) ? x[k] : fork;
        }
        series_extend(out, x, from->value + i, n);
    }
    return fork;
}

/* The first is Keras' own, the others are what people write with other tools. */
static const char *const validation_prefixes[] = {"val_", "val/", "val.", "valid/", "validation/", "eval/", "eval_"};
static const char *const training_prefixes[] = {"train/", "train_", "train.", "training/"};

static size_t prefix_length(const char *metric, const char *const *prefixes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_starts(metric, prefixes[i]) && metric[strlen(prefixes[i])])
            return strlen(prefixes[i]);
    return 0;
}

static size_t validation_length(const char *metric)
{
    return prefix_length(metric, validation_prefixes, sizeof validation_prefixes / sizeof *validation_prefixes);
}

bool curve_is_validation(const char *metric)
{
    return validation_length(metric) > 0;
}

bool curve_is_system(const char *metric)
{
    return str_starts(metric, SYSTEM_PREFIX);
}

const char *curve_family(const char *metric)
{
    size_t validation = validation_length(metric);
    return metric + (validation ? validation
                                : prefix_length(metric, training_prefixes,
                                                sizeof training_prefixes / sizeof *training_prefixes));
}
