/* run_lock.h - the two locks of a run, open-file-description locks on single bytes of the file `lock` in its folder.
 *
 *   byte 0, RUN_LOCK_WRITER: held by the worker while it lives. The kernel drops it with the last descriptor, so also
 *                            on kill -9.
 *   byte 1, RUN_LOCK_JSON:   held for the moment in which run.json is read, changed and replaced.
 *
 * Whether a run is alive is asked with F_OFD_GETLK and never by trying to take the lock: that would make a worker that
 * starts at the same moment fail. A stopped (SIGSTOP) worker holds its lock: it is alive. The file's text says who
 * holds it (`pid host`), for messages.
 */
#ifndef PERSISTENCE_RUNS_RUN_LOCK_H
#define PERSISTENCE_RUNS_RUN_LOCK_H

#include "base/err.h"

enum run_lock { RUN_LOCK_WRITER = 0, RUN_LOCK_JSON = 1 };

/* Takes a lock of the run in `folder` and returns the descriptor that holds it (close it to let go), or -1 and err.
 * Waits for RUN_LOCK_JSON; for RUN_LOCK_WRITER it fails with ERR_FAILED naming the holder, and on success writes who we
 * are into the file. */
int run_lock_take(const char *folder, enum run_lock lock, struct err *err);
/* Makes a RUN_LOCK_WRITER that this process was born with (run_queue.h) its own: checks that it is one and writes who
 * we are into the file. The descriptor stays the caller's. */
bool run_lock_adopt(const char *folder, int fd, struct err *err) MUST_USE;
/* False also when there is no such file. */
bool run_lock_held(const char *folder, enum run_lock lock);

#endif
