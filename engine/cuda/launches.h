/* launches.h - the functions that launch kernels, as C sees them: defined in the .cu files, called by the .c files of the
 * same family. Pointers are of device memory; stream is a cudaStream_t. A launch fails only as the whole device does:
 * cuda_run asks once after all of a step's.
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

#ifdef __cplusplus
}
#endif

#endif
