/* fake_cuda.h - a CUDA runtime without a GPU, for tests: device memory is memory that the host may not touch, streams
 * run at once, graphs are lists of what was recorded. For the other fakes: what runs on a stream passes through here.
 *
 * The environment changes the machine: ANTLER_FAKE_CUDA_MEGABYTES of memory, _DEVICES, the _DRIVER's version (12040),
 * the number of the call that has to _FAIL.
 */
#ifndef TESTS_CUDA_FAKE_CUDA_H
#define TESTS_CUDA_FAKE_CUDA_H

#include <cuda_runtime_api.h>
#include <stdbool.h>

#ifdef __cplusplus
#include <functional>

/* Runs work with the device's memory open, or records it where the stream is being captured. */
void fake_enqueue(void *stream, std::function<void()> work);

extern "C" {
#endif
/* The same for C; context must live as long as what was recorded. */
void fake_enqueue_call(void *stream, void (*work)(const void *context), const void *context);
/* Counts a call of a library; true: this one has to fail (ANTLER_FAKE_CUDA_FAIL=K: the K-th from the start).
 * With ANTLER_FAKE_CUDA_COUNT=FILE the number of calls stands in the file at the end. */
bool fake_fails(void);
#ifdef __cplusplus
}
#endif

#endif
