/* control.h - the thread of a training worker that listens: commands.log, signals; and looks after what a step must not
 * do.
 *
 * It reads commands.log (inotify, and every 200 ms for file systems that do not tell), turns commands and signals into
 * orders for the loop (engine/train/steering.h), empties the ring of step records and measures memory and CPU
 * (vitals.h). SIGTERM and SIGINT mean: stop after this step, with a checkpoint. A second SIGINT ends the process at
 * once; the run can be resumed from its last checkpoint.
 *
 * control_block_signals must have been called before the first thread was started, so that only this thread receives
 * them.
 */
#ifndef ENGINE_WORKER_CONTROL_H
#define ENGINE_WORKER_CONTROL_H

#include "engine/train/fit.h"
#include "engine/worker/notify.h"

void control_block_signals(void);

struct control;
struct control_options {
    const char *run_folder;
    struct steering *steering;
    struct journal *journal;
    struct fit_vitals *vitals;
    struct notifier *notifier; /* NULL = nobody is told */
    int64_t batch_size;        /* samples of a step, for samples a second */
};
struct control *control_start(const struct control_options *options, struct err *err);
/* Stops the thread. What was asked and not carried out any more is answered with an error. NULL-safe. */
void control_stop(struct control *control);

#endif
