/* trace.h - what ran when and on which thread, written in the format that chrome://tracing, Perfetto and speedscope
 * read.
 *
 * Events are kept in memory, EVENTS_MAX of them at most, and written at the end. A part of the room is kept for spans
 * (epochs, validations, checkpoints): kernels of a long training are recorded from its beginning until theirs is full,
 * and the file says how many were dropped ("otherData"). Names are lent and must live until trace_write.
 *
 *     trace_add(trace, TRACE_TRAINING, "matmul", "dense", start_ns, end_ns);
 *     trace_write(trace, file, err);
 */
#ifndef ENGINE_TRAIN_TRACE_H
#define ENGINE_TRAIN_TRACE_H

#include "persistence/files/atomic_file.h"

enum { TRACE_EVENTS_MAX = 160000, TRACE_SPANS_MAX = 20000, TRACE_PARTS_MAX = 20000 };

/* Threads of the picture, from top to bottom; thread k of the device is TRACE_DEVICE + k. */
enum trace_lane { TRACE_EPOCHS, TRACE_TRAINING, TRACE_CHECKPOINTS, TRACE_DEVICE };
enum { TRACE_THREADS_MAX = 64 };

struct trace;

/* Times are shown from now on. */
struct trace *trace_new(void);
void trace_free(struct trace *trace); /* NULL-safe */
/* Something short, of the training thread alone: a kernel or a gather. detail: of which layer; "" for none. */
void trace_add(struct trace *trace, const char *name, const char *detail, int64_t start_ns, int64_t end_ns);
/* Tells a trace (context) when each of the device's threads worked (struct device_watch); such parts are named after
 * the kernel that they fall into. At most TRACE_PARTS_MAX of a thread. */
void trace_worked(void *context, int thread, int64_t start_ns, int64_t end_ns);
/* Something long, "name number" (number 0: "name"); any thread. */
void trace_span(struct trace *trace, enum trace_lane lane, const char *name, int64_t number, int64_t start_ns,
                int64_t end_ns);
/* Events kept and dropped so far. */
void trace_count(const struct trace *trace, int64_t *kept, int64_t *dropped);
/* One JSON object. */
bool trace_write(struct trace *trace, struct atomic_file *file, struct err *err) MUST_USE;

#endif
