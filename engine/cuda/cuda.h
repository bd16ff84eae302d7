/* cuda.h - the backend `cuda`: one GPU of NVIDIA. Its memory is not the host's.
 *
 * A plugin, antler-cuda.so, opened at run time (engine/plan/backends.c): the worker itself links no CUDA library. Host
 * code is C; kernels and the functions that launch them are in the .cu files, one family a file, declared in
 * launches.h. Maps are compiled by NVRTC when a plan is made (map_text.h, jit.h); neighbours of one text are launched
 * together, and in a profile the first has the time of all. A step is recorded as one CUDA graph when it runs for the
 * second time, and replayed from then on.
 *
 * Sums have a fixed order and no float is added atomically: the same bytes on the same kind of GPU, every time.
 */
#ifndef ENGINE_CUDA_CUDA_H
#define ENGINE_CUDA_CUDA_H

#include "engine/plan/backend.h"

extern const struct backend backend_cuda;

/* What the plugin exports: the backend, or NULL where version is not the BACKEND_VERSION it was built with. */
const struct backend *antler_cuda_backend(int version);

#endif
