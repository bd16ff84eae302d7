/* checkpoint_session.h - what evaluate and predict share: a session on a checkpoint, with the run's data or other data.
 */
#ifndef ENGINE_WORKER_CHECKPOINT_SESSION_H
#define ENGINE_WORKER_CHECKPOINT_SESSION_H

#include "engine/train/evaluate.h"
#include "engine/worker/answer.h"

struct checkpoint_session {
    struct session *session; /* its device is started */
    json_t *config;          /* the run's, or the one given; never NULL */
    json_t *data;            /* the data object in use; NULL when there is none */
    const char *checkpoint;  /* lent by the request */
    char *folder;            /* what the data's paths are relative to */
    int64_t batch;
};

/* Request: "checkpoint", "run", "config", "folder", "data" (overrides; with a "format" they replace the run's data),
 * "batch_size", "device", "threads". without_data: predict on a file of its own. */
bool checkpoint_session_open(struct checkpoint_session *cs, const json_t *request, bool without_data,
                             struct err *err) MUST_USE;
void checkpoint_session_close(struct checkpoint_session *cs);
/* The request's "split", else the first of test, validation, train that has samples. */
bool checkpoint_session_split(const struct checkpoint_session *cs, const char *name, enum split *split,
                              struct err *err) MUST_USE;
/* A watcher that sends progress lines. answer must outlive it. */
struct watcher answer_watcher(struct answer *answer);

#endif
