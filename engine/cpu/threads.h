/* threads.h - the worker's own threads: they spin briefly and then sleep, so that a busy neighbour does not stall a
 * step.
 *
 * Work is a number of slices that the caller cuts by shape, never by thread count: results are the same bytes for any
 * number of threads. Each thread begins with the same part of them every time and helps the others at the end; a slice
 * writes only what is its own.
 */
#ifndef ENGINE_CPU_THREADS_H
#define ENGINE_CPU_THREADS_H

#include "base/err.h"

#include <stdint.h>

struct threads;

/* n_threads >= 1, the caller included. NULL and err when threads cannot be made. */
struct threads *threads_open(int n_threads, struct err *err);
void threads_close(struct threads *threads); /* NULL-safe */

/* Calls work(context, slice) for every slice in 0..n_slices-1 and returns when all are done. Runs inline when there is
 * one slice or one thread, and when `threads` is NULL. Not reentrant: slices must not call it. */
void threads_run(struct threads *threads, void (*work)(void *context, int slice), void *context, int n_slices);

/* From now on each thread that worked on a job with several slices tells when; by itself, number 0 is the caller.
 * Between two jobs only. */
void threads_watch(struct threads *threads, void (*worked)(void *context, int thread, int64_t start_ns, int64_t end_ns),
                   void *context);

/* Whether numbers below the smallest normal one are zero to the threads of a pool and to whoever opened it: on x86-64
 * and arm64. */
bool threads_flush_denormals(void);

/* The cores that affinity and cgroup allow; at least 1. */
int threads_allowed(void);

#endif
