/* vitals.h - what a training costs the machine: CPU, memory, samples a second. Measured by the control thread, at most
 * once a second; goes to the live page (struct fit_vitals) and to system.log (persistence/index/system_log.h). The loop
 * takes no part in it.
 */
#ifndef ENGINE_WORKER_VITALS_H
#define ENGINE_WORKER_VITALS_H

#include "engine/train/fit.h"

struct vitals_meter;
struct vitals_meter *vitals_new(const char *run_folder, int64_t batch_size);
/* Measures when a second has passed since the last time. */
void vitals_measure(struct vitals_meter *meter, struct fit_vitals *vitals);
void vitals_free(struct vitals_meter *meter); /* NULL-safe */

#endif
