/* smooth.c - see smooth.h */
#include "plots/smooth.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

static bool is_constant(const double *y, size_t n)
{
    size_t i = 0, first;
    while (i < n && !isfinite(y[i]))
        i++;
    for (first = i; i < n; i++)
        if (isfinite(y[i]) && y[i] != y[first])
            return false;
    return true;
}

void smooth_ema(const double *in, double *out, size_t n, double weight)
{
    if (weight <= 0 || is_constant(in, n)) {
        memmove(out, in, n * sizeof *in);
        return;
    }
    double last = 0, power = 1;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(in[i])) {
            out[i] = in[i];
            continue;
        }
        last = last * weight + (1 - weight) * in[i];
        power *= weight;
        out[i] = last / (1 - power);
    }
}
