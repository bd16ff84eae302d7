/* memory.h - what a training holds in memory, known before its first step: for check and --profile.
 *
 * An upper estimate of the peak of the worker's resident memory. Mapped data count whole: their pages are resident once
 * an epoch has touched them.
 */
#ifndef ENGINE_TRAIN_MEMORY_H
#define ENGINE_TRAIN_MEMORY_H

#include "engine/train/fit.h"

/* {"parameters", "optimizer", "metrics", "steps": activations, gradients, workspaces and constants, "live": of these,
 * the activations and gradients that are there at once in a training step, "data": samples and their order,
 * "checkpoint": the copy that is written while training goes on, and weights that callbacks keep, "program": code,
 * libraries and threads, "device": of all these, what lies in a GPU's memory (0: the device's memory is the host's),
 * "total": what the worker needs besides, without "live"} in bytes. New reference. */
json_t *memory_estimate(const struct session *session, const struct fit *fit);
/* Peak of this process's resident memory so far. */
int64_t memory_peak_bytes(void);

#endif
