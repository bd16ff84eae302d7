/* conv.h - what the algorithms of convolutions share. Which one runs is chosen by shape when the plan is made (conv.c):
 *
 *   winograd    3x3, stride 1: F(4x4, 3x3), unless the device was asked for direct convolutions
 *   depthwise   one output channel per input channel: vectors of channels, tap by tap
 *   bfloat16    direct, on the kernels of gemm_bfloat16_kernel.h: bfloat16 numbers with enough channels
 *   direct      everything else, exact: sums over taps and channels in registers, no patches are gathered
 *
 * Each has three uses: forward, dx (gradient of x: a convolution of dy, one per residue of the stride), dw (gradient of
 * w). Work is cut into units of an image's lines; slices of units are cut by shape, so every thread count gives the
 * same bytes.
 */
#ifndef ENGINE_CPU_CONV_H
#define ENGINE_CPU_CONV_H

#include "engine/cpu/conv_kernels.h"
#include "engine/cpu/kernels.h"
#include "engine/cpu/spatial.h"

enum { CONV_SLICES = 8, CONV_PARTIALS = 4, CONV_BAND_FLOATS = 32768 };

struct conv { /* of the forward op, whatever the use */
    struct spatial s;
    int64_t n, c, o, groups, taps;
    const struct map_program *epilogue;
    bool bfloat16;      /* its sums are to run on the bfloat16 kernels */
    bool product_apart; /* the product goes to the workspace, see epilogue_may_overwrite */
};

/* prepare_<op> for one algorithm; the conv is complete, its epilogue prepared. */
typedef void conv_prepare(struct device *device, struct kernel *kernel, struct arena *arena, const struct conv *conv);
conv_prepare direct_prepare, direct_prepare_dx, direct_prepare_dw, winograd_prepare, winograd_prepare_dx,
    winograd_prepare_dw;

/* Would Winograd's algorithm be right and faster? */
bool winograd_fits(const struct conv *conv);

/* Lines of an image (or of a band of it) with room around: image [size..., channels] from position `first` (may be
 * negative) on, `span` positions per dim; zeros where the image has none. */
void conv_copy_padded(float *to, const float *image, const int64_t *size, int64_t channels, const int64_t *first,
                      const int64_t *span);

static inline int64_t round_up(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

bool conv_is_depthwise(const struct conv *conv);
int64_t conv_multiply_adds(const struct conv *conv);

/* Scratch memory is not a slice's but a thread's, so that it stays in its cache: a slice takes a number below the count
 * of threads and gives it back at its end. What is computed does not depend on the number. */
struct conv_scratch {
    _Atomic uint32_t taken; /* a bit each */
};
int conv_scratch_count(const struct device *device, int n_slices); /* how many there are */
int conv_scratch_take(struct conv_scratch *scratch);
void conv_scratch_give(struct conv_scratch *scratch, int number);

/* threads_run, or in the calling thread where it would be done before another one has come. */
void conv_run_slices(struct threads *threads, void (*work)(void *, int), void *context, int n_slices, bool small);

/* Columns of a panel of packed weights for lines of `rows` rows. */
int conv_panel(const struct conv_kernels *kernels, int64_t rows, int64_t columns);

#endif
