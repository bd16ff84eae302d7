/* answer.h - how a job answers (docs/worker-protocol.md): progress lines, then one result or error, on standard output.
 */
#ifndef ENGINE_WORKER_ANSWER_H
#define ENGINE_WORKER_ANSWER_H

#include "base/json.h"

struct answer {
    int fd; /* standard output, or a copy of it once that is something else */
    int64_t next_progress_ns;
    bool given; /* the result or the error is out */
};

/* share in 0..1, left_s NaN when unknown. Dropped when the last one is less than a tenth of a second old. */
void answer_progress(struct answer *answer, double share, double left_s, const char *text);
/* Would a line be sent now? And one with further keys, whose reference is taken. */
bool answer_is_due(const struct answer *answer);
void answer_progress_with(struct answer *answer, double share, double left_s, const char *text, json_t *more);
/* Takes the reference. False when nobody listens any more. */
bool answer_result(struct answer *answer, json_t *result);
void answer_error(struct answer *answer, const struct err *err);

#endif
