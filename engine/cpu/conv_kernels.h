/* conv_kernels.h - the innermost loops of convolutions, compiled from one source (conv_kernels.c, winograd_kernels.c)
 * once per instruction set, as rows.h. Sums run in a fixed order: over taps, then channels (product), or over lines,
 * then steps (outer).
 */
#ifndef ENGINE_CPU_CONV_KERNELS_H
#define ENGINE_CPU_CONV_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

/* Y = (add ? Y : 0) + sum over taps and depth of A B, for `lines` lines of `rows` rows:
 *     y[line * y_line + row * y_row + j] += a[line * a_line + row * a_row + taps[t] + d] * B[t * depth + d][j]
 * B is packed in panels of `panel` columns, zeros behind the last: b[j / panel][t * depth + d][j % panel]. */
struct product {
    const float *a, *b;
    float *y;
    const int64_t *taps;
    int64_t n_taps, depth, lines, rows, columns, a_row, a_line, y_row, y_line;
    int panel;
    bool add;
};

/* Y[i][j] += sum over lines and steps of a[line * a_line + step * a_step + i] * b[line * b_line + step * b_step + j],
 * for `rows` i and `columns` j, which is a multiple of lanes: b and y have zeros or unused room there. */
struct outer {
    const float *a, *b;
    float *y;
    int64_t lines, steps, rows, columns, a_line, a_step, b_line, b_step, y_row;
};

struct conv_kernels {
    int lanes, accumulators; /* floats of a vector; vectors that a tile of sums may take */
    void (*product)(const struct product *p);
    void (*outer)(const struct outer *p);
    /* y[i][c] += x[i][c] * w[c] for `rows` rows: one tap of a depthwise convolution */
    void (*depthwise)(float *y, int64_t y_row, const float *x, int64_t x_row, const float *w, int64_t rows,
                      int64_t channels);
    /* w[c] += sum over rows of x[i][c] * y[i][c] */
    void (*depthwise_dw)(float *w, const float *x, int64_t x_row, const float *y, int64_t y_row, int64_t rows,
                         int64_t channels);
};

/* F(4x4, 3x3), points 0, +-5/8, +-3/2, infinity: of the small fractions these have the smallest rounding error (2 times
 * that of a direct sum). The 36 transformed numbers of a tile lie in 36 planes, `plane` floats apart. Channels are
 * rounded up to whole vectors in the planes; in x and y they are not. */
enum { WINOGRAD_OUT = 4, WINOGRAD_IN = 6, WINOGRAD_PLANES = 36 };

/* A tile of pixels of an image, dense with `channels` each: pixel (i, j) is image[at + (i * width + j) * channels].
 * Those outside of [top, bottom) x [left, right) are not there: they read as zero and are not written. */
struct winograd_tile {
    int64_t at, width, channels;
    int top, bottom, left, right;
};

struct winograd_kernels {
    /* v = B^T x B of 6 x 6 pixels */
    void (*input)(float *v, int64_t plane, const float *image, const struct winograd_tile *tile);
    /* y = A^T m A, 4 x 4 pixels */
    void (*output)(float *image, const struct winograd_tile *tile, const float *m, int64_t plane);
    /* m = A y A^T of 4 x 4 pixels: what `output` does, backwards */
    void (*output_gradient)(float *m, int64_t plane, const float *image, const struct winograd_tile *tile);
    /* u = G w G^T; w[9] taps, `tap` floats apart */
    void (*filter)(float *u, int64_t plane, const float *w, int64_t tap, int64_t channels);
    /* w = G^T u G */
    void (*filter_gradient)(float *w, int64_t tap, const float *u, int64_t plane, int64_t channels);
};

extern const struct conv_kernels conv_kernels_baseline, conv_kernels_avx2, conv_kernels_avx512;
extern const struct winograd_kernels winograd_kernels_baseline, winograd_kernels_avx2, winograd_kernels_avx512;

#endif
