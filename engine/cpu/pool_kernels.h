/* pool_kernels.h - the innermost loops of pooling, compiled once per instruction set (pool_kernels.c), as rows.h.
 *
 * A line of `pixels` output pixels whose windows all have the same n positions: window element k of pixel p begins at
 * x + p * step + offset[k]. Channels lie side by side; y and dy are dense. NaN counts as the maximum, the first of
 * equals wins.
 */
#ifndef ENGINE_CPU_POOL_KERNELS_H
#define ENGINE_CPU_POOL_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

struct pool_line {
    int64_t pixels, step, channels, n;
    const int64_t *offset;
};

struct pool_kernels {
    void (*max)(const struct pool_line *line, float *y, const float *x);
    void (*average)(const struct pool_line *line, float *y, const float *x);
    /* add: windows overlap, dx is added to; else every position of the windows is written, 0 where there is no maximum.
     */
    void (*max_gradient)(const struct pool_line *line, float *dx, const float *x, const float *dy, bool add);
    void (*average_gradient)(const struct pool_line *line, float *dx, const float *dy, bool add);
};

extern const struct pool_kernels pool_kernels_baseline, pool_kernels_avx2, pool_kernels_avx512;

#endif
