/* jobs.h - what antler-worker can do: one row per job. docs/worker-protocol.md says what goes in and what comes out.
 *
 * A job gets the request, answers through `answer` and returns true; or fills err and returns false: main then answers
 * with the error, unless an answer has been given already.
 */
#ifndef ENGINE_WORKER_JOBS_H
#define ENGINE_WORKER_JOBS_H

#include "engine/worker/answer.h"

struct job {
    const char *name, *help;
    bool (*run)(const json_t *request, struct answer *answer, struct err *err);
};
extern const struct job jobs[]; /* ends with a row without a name */

bool job_describe(const json_t *request, struct answer *answer, struct err *err);
bool job_check(const json_t *request, struct answer *answer, struct err *err);
bool job_inspect(const json_t *request, struct answer *answer, struct err *err);
bool job_evaluate(const json_t *request, struct answer *answer, struct err *err);
bool job_predict(const json_t *request, struct answer *answer, struct err *err);
bool job_generate(const json_t *request, struct answer *answer, struct err *err);
bool job_picture(const json_t *request, struct answer *answer, struct err *err);
bool job_doctor(const json_t *request, struct answer *answer, struct err *err);
bool job_train(const json_t *request, struct answer *answer, struct err *err);
bool job_resume(const json_t *request, struct answer *answer, struct err *err);
bool job_start(const json_t *request, struct answer *answer, struct err *err);

/* What several jobs read from a request: a text or NULL, a path that must be given. */
const char *request_path(const json_t *request, const char *key, struct err *err);
int request_threads(const json_t *request);
/* The lines of text as an array of strings. New reference. */
json_t *lines_json(const char *text);

#endif
