/* scratch.h - memory of the calling thread for use inside one call of a kernel: panels, strips, pieces of operands.
 *
 *     struct buffers *b = thread_scratch(SCRATCH_GEMM, sizeof *b);
 *
 * It is allocated at a thread's first use and freed when the thread ends. Not thread-local variables: those are
 * cleared, and so take memory, in every thread of the process, also in threads that never multiply and for parts that
 * no product of a small model reaches.
 */
#ifndef ENGINE_CPU_SCRATCH_H
#define ENGINE_CPU_SCRATCH_H

#include <stddef.h>

/* One for each kernel family that keeps some; a call of one may run inside a call of another. */
enum scratch { SCRATCH_GEMM, SCRATCH_GEMM_BFLOAT16, SCRATCH_CONV_BFLOAT16, SCRATCH_COUNT };

/* 64-byte aligned, zeros at first, the same memory at every call of a thread. The size is the same at every call.
 * Aborts when there is no memory. */
void *thread_scratch(enum scratch which, size_t size_bytes);

#endif
