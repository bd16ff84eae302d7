/* smooth.h - smoothing of a series: the debiased exponential moving average that TensorBoard draws
 * (data_transformer.ts).
 *
 * last = last * weight + (1 - weight) * y; shown = last / (1 - weight^k), k = finite samples so far. Non-finite values
 * pass through and do not count; a constant series and weight 0 are returned as they are.
 */
#ifndef PLOTS_SMOOTH_H
#define PLOTS_SMOOTH_H

#include <stddef.h>

/* in and out may be the same array. weight in [0, 1). */
void smooth_ema(const double *in, double *out, size_t n, double weight);

#endif
