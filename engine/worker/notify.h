/* notify.h - a person's own command, run by the worker when something happens to the run: it finished, was stopped,
 * failed, a metric became NaN, the monitored one has a new best value. So it works with no screen open.
 *
 * The command is a line for /bin/sh: $ANTLER_NOTIFY, else the setting notify.command of one's own settings
 * (persistence/config/settings.h; never of a home or a config: those may come from somebody else). It gets the facts in
 * its environment:
 *
 *   ANTLER_EVENT                   finished, stopped, failed, nan, best
 *   ANTLER_RUN, _NAME, _DIR        id, name and folder of the run
 *   ANTLER_STATE                   running, finished, stopped, failed
 *   ANTLER_EPOCH, _EPOCHS, _STEP   how far it is
 *   ANTLER_METRIC, _VALUE          the metric it is about: the monitored one; of nan, the one that is not finite
 *   ANTLER_BEST, _BEST_EPOCH       of the monitored metric so far
 *   ANTLER_ERROR                   why it failed or ended
 *   ANTLER_TEXT                    all of it as a sentence
 *
 * It runs in a session of its own, reads nothing, prints into log.txt and is ended after NOTIFY_LIMIT_S seconds. It is
 * started by the thread that listens, so no step waits for it; what goes wrong with it is a line of the log and nothing
 * else. `best` comes at most every NOTIFY_BEST_S seconds, and only with the setting notify.best. A worker that is
 * killed tells nothing.
 *
 *   loop:            notify_epoch at the end of an epoch        listening thread:   notify_poll, several times a second
 *   worker's end:    notify_end, with all locks of the run free: waits for the command
 */
#ifndef ENGINE_WORKER_NOTIFY_H
#define ENGINE_WORKER_NOTIFY_H

#include "engine/train/fit.h"

enum { NOTIFY_LIMIT_S = 30, NOTIFY_BEST_S = 10 };

struct notifier;
/* NULL when there is no command, which is fine everywhere below. config: the run's, or NULL. err->code
 * is set when settings could not be read. */
struct notifier *notify_new(const char *run_folder, const char *run_id, const json_t *config, struct err *err);
/* A fit_place's epoch_ended. */
void notify_epoch(void *notifier, const struct fit *fit);
void notify_poll(struct notifier *notifier);
/* What notify_end will tell: from the fit, while it is there (NULL: it never was). event: "finished", "stopped",
 * "failed"; error: why, or NULL. */
void notify_remember(struct notifier *notifier, const struct fit *fit, const char *event, const char *error);
/* Tells what is remembered and waits for the command. Frees it. */
void notify_end(struct notifier *notifier);

#endif
