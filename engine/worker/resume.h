/* resume.h - what the two ways to go on with a training share: in place (job_resume.c), as a branch (job_branch.c). */
#ifndef ENGINE_WORKER_RESUME_H
#define ENGINE_WORKER_RESUME_H

#include "engine/worker/launch.h"

/* Our state in the session's file, where the session goes on from it; NULL. Lent. */
const json_t *resume_state(const struct launch *launch);
/* False and ERR_USAGE when nothing is left to do. stop_binds: nothing else was asked for than what had made a callback
 * end the training. */
bool resume_has_epochs_left(const struct launch *launch, bool stop_binds, struct err *err) MUST_USE;
bool resume_set_epochs(json_t *config, int64_t epochs, struct err *err) MUST_USE;
/* A warning where the state was computed on another kind of device; after fit_restore. */
void resume_note_machine(struct launch *launch, const json_t *state);
/* A branch, from the first check to the end of the training. run: the parent's folder, or NULL. checkpoint: a name in
 * the run's checkpoints/, or the path of a file. */
bool resume_branch_off(struct launch *launch, const json_t *request, const char *run, const char *checkpoint,
                       struct answer *answer, struct err *err) MUST_USE;

#endif
