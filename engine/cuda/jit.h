/* jit.h - kernels from text: compiled by NVRTC for the device's architecture, or read from the disk where they have
 * been compiled before (jit_cache.h), and loaded.
 */
#ifndef ENGINE_CUDA_JIT_H
#define ENGINE_CUDA_JIT_H

#include "engine/cuda/device.h"

/* What is compiled for a compute capability: "sm_90", or where this NVRTC does not know it the newest before it
 * ("compute_120": the driver compiles the rest). False for a device that is older than all it knows. */
bool jit_architecture(char out[24], int major, int minor, struct err *err);
/* Products and sums are not contracted: each operation is rounded, as on the CPU. free() *code. */
bool jit_compile(const char *text, const char *architecture, void **code, size_t *size_bytes, struct err *err);
/* The device's code of a program. Valid until cudaLibraryUnload. */
bool jit_load(struct device *device, const char *text, cudaLibrary_t *library, struct err *err);

#endif
