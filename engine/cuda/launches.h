/* launches.h - the functions that launch kernels, as C sees them: defined in the .cu files, called by the .c files of
 * the same family. Pointers are of device memory; stream is a cudaStream_t. A launch fails only as the whole device
 * does: cuda_run asks once after all of a step's.
 */
#ifndef ENGINE_CUDA_LAUNCHES_H
#define ENGINE_CUDA_LAUNCHES_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* elementwise.cu */
void launch_cast_i32(void *stream, int32_t *out, const float *x, int64_t n);
void launch_add_i32(void *stream, int32_t *out, const int32_t *x, int64_t n, int32_t amount);

/* ctc.cu: samples with their labels, and the workspace of the walks over them. A place is one of "blank label blank ...
 * blank"; ways and onward are logarithms. */
struct ctc_walks {
    int64_t samples, steps, classes, labels, places; /* places: 2 labels + 1, the most that a sample can have */
    int64_t rows;                                    /* steps of ways that are kept: all, or the last two */
    const float *logits;                             /* [samples, steps, classes] */
    const int32_t *label;                            /* [samples, labels] */
    double *total, *loss;                            /* [samples, steps]: log of the sum of exp; [samples] */
    double *ways, *onward;                           /* [samples, rows, places], onward for the gradient only */
    int32_t *n_places;                               /* [samples], 0 = a label is out of range */
    int32_t *class_of, *next, *first;                /* [samples, places], see ctc_chains */
};
void launch_ctc(void *stream, struct ctc_walks w, float *loss);
void launch_ctc_dx(void *stream, struct ctc_walks w, const float *dy, float *dlogits);

/* linear.cu: bfloat16 is the upper half of a float32, rounded to nearest even. pack: rows of n numbers, each to the
 * start of `pitch`, which is even */
void launch_pack_bfloat16(void *stream, uint16_t *out, int64_t pitch, const float *x, int64_t rows, int64_t n);
void launch_round_bfloat16(void *stream, float *x, int64_t n);

#ifdef __cplusplus
}
#endif

#endif
