/* profile.h - where the time of a training goes: kernels, batches, what lies between; for antler train --profile and
 * --trace.
 *
 * A session that has one (session_options.profile) makes its plans with clocks around every kernel. Every function does
 * nothing when profile is NULL: a training without one pays a branch a step. Clocks cost some 25 ns a kernel, which
 * shows in steps of a few microseconds; profile_times says how much it was.
 *
 *     profile_begin(profile, PROFILE_TRAIN);
 *     ... batches: step_feed and step_run tell by themselves ...
 *     profile_end(profile, n_batches);
 */
#ifndef ENGINE_TRAIN_PROFILE_H
#define ENGINE_TRAIN_PROFILE_H

#include "base/json.h"
#include "engine/plan/plan.h"
#include "engine/train/trace.h"

enum profile_part { PROFILE_TRAIN, PROFILE_VALIDATE, PROFILE_PARTS };

struct profile;

struct profile *profile_new(bool with_trace);
void profile_free(struct profile *profile); /* NULL-safe */
/* NULL without one. Lent. */
struct trace *profile_trace(const struct profile *profile);
/* The device whose threads are to be seen in the trace. */
void profile_watch(struct profile *profile, const struct backend *backend, struct device *device);

/* Monotonic ns; 0 without a profile. */
int64_t profile_clock(const struct profile *profile);
/* A loop over batches begins, ends after so many of them. Within it nothing else than batches should happen. */
void profile_begin(struct profile *profile, enum profile_part part);
void profile_end(struct profile *profile, int64_t n_batches);
/* A batch was gathered since start_ns. */
void profile_gathered(struct profile *profile, int64_t start_ns);
/* The plan has run a step. */
void profile_ran(struct profile *profile, const struct plan *plan);
/* Something longer, from start_ns until now, for the trace: "name number". Any thread. */
void profile_span(struct profile *profile, enum trace_lane lane, const char *name, int64_t number, int64_t start_ns);

/* {"steps", "seconds", "step_ms", "shares": {"kernels", "batches", "between"}, "clocks": share of a step that the
 * clocks took} of a part; NULL when it has no step. */
json_t *profile_times(const struct profile *profile, enum profile_part part);

/* What the kernels of a plan did, sorted by time: {"full_steps", "full_seconds", "kernels": [{"layer", "op", "fused",
 * "shape": of the result, "calls", "seconds", "share", "gflops", "gbytes_per_s", "floor"}...], "ops": [...], "layers":
 * [...]: the same summed up}. floor: the time that the machine needs at `gflops` and `gbytes_per_s` for the products
 * and for reading and writing each operand once, as a share of the time it took. */
json_t *profile_kernels(const struct plan *plan, double gflops, double gbytes_per_s);

#endif
