/* norm_kernels.h - the innermost loops of batch normalization, compiled once per instruction set (norm_kernels.c), as
 * rows.h. All run over `rows` dense rows of `width` numbers; the other arrays have one row.
 */
#ifndef ENGINE_CPU_NORM_KERNELS_H
#define ENGINE_CPU_NORM_KERNELS_H

#include <stdint.h>

struct norm_kernels {
    /* sum += x - shift, squares += (x - shift)^2 */
    void (*moments)(float *sum, float *squares, const float *x, const float *shift, int64_t rows, int64_t width);
    /* y = x * scale + shift */
    void (*apply)(float *y, const float *x, const float *scale, const float *shift, int64_t rows, int64_t width);
    /* sum += dy, inner += dy * (x - mean) */
    void (*gradient_sums)(float *sum, float *inner, const float *dy, const float *x, const float *mean, int64_t rows,
                          int64_t width);
    /* dx = dy * from_dy + x * from_x + constant */
    void (*gradient)(float *dx, const float *dy, const float *x, const float *from_dy, const float *from_x,
                     const float *constant, int64_t rows, int64_t width);
};

extern const struct norm_kernels norm_kernels_baseline, norm_kernels_avx2, norm_kernels_avx512;

#endif
