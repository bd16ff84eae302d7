/* human.c - see human.h */
#include "plots/format.h"
#include "tui/app/human.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *sign;
    enum style style;
} states[] = {
    [RUN_QUEUED] = {"◌", STYLE_FAINT},        [RUN_RUNNING] = {"▶", STYLE_RUNNING}, [RUN_PAUSED] = {"‖", STYLE_PAUSED},
    [RUN_FINISHED] = {"✓", STYLE_FINISHED},   [RUN_STOPPED] = {"■", STYLE_STOPPED}, [RUN_FAILED] = {"✗", STYLE_FAILED},
    [RUN_INTERRUPTED] = {"!", STYLE_WARNING},
};

const char *human_state_sign(enum run_state state)
{
    return states[state].sign;
}

enum style human_state_style(enum run_state state)
{
    return states[state].style;
}

struct text human_metric(double value)
{
    struct text t;
    double size = fabs(value);
    if (isnan(value) || isinf(value))
        snprintf(t.text, sizeof t.text, "%s", isnan(value) ? "NaN" : value < 0 ? "-inf" : "inf");
    else if (size != 0 && (size < 1e-4 || size >= 1e6))
        snprintf(t.text, sizeof t.text, "%.2e", value);
    else
        snprintf(t.text, sizeof t.text, "%.*f", size >= 1000 ? 1 : size >= 100 ? 2 : size >= 10 ? 3 : 4, value);
    return t;
}

struct text human_rate(double value)
{
    struct text t;
    snprintf(t.text, sizeof t.text, "%.3g", value);
    if (isnan(value))
        snprintf(t.text, sizeof t.text, "%s", text_missing());
    else
        format_short(t.text, sizeof t.text, atof(t.text));
    return t;
}

struct text human_age(double seconds)
{
    static const struct {
        double length;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    struct text t;
    size_t k = 0;
    if (isnan(seconds)) {
        snprintf(t.text, sizeof t.text, "%s", text_missing());
        return t;
    }
    while (k < 3 && seconds < units[k].length)
        k++;
    snprintf(t.text, sizeof t.text, "%.0f%c", seconds > 0 ? floor(seconds / units[k].length) : 0, units[k].unit);
    return t;
}
