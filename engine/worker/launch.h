/* launch.h - the life of a training worker around the loop: lock, log, control thread, answer, end.
 *
 *   check everything (session, fit) -> make the run -> launch_begin -> answer, leave the terminal -> launch_run
 *                                                   \-> launch_answer_queued: it waits in the queue; this worker ends
 *
 * Up to the answer an error goes to whoever asked; afterwards it goes to run.json (failed), the history and log.txt. A
 * run that was started by the queue has nobody who asked: job_start writes every error there.
 *
 * While it trains a worker holds a place on its device (persistence/runs/run_queue.h). At its very end, with all its
 * locks free, it starts the next run that waits, then tells of its end (notify.h); it starts none after SIGTERM or
 * SIGINT, when the machine may be going down.
 */
#ifndef ENGINE_WORKER_LAUNCH_H
#define ENGINE_WORKER_LAUNCH_H

#include "engine/train/fit.h"
#include "engine/worker/answer.h"
#include "engine/worker/control.h"

struct launch {
    struct session *session;
    struct fit fit;
    bool fit_ready;
    char *where; /* names the config in messages */
    char *id, *folder;
    struct run_writer *run;
    int place_fd; /* of the device, with has_place */
    bool has_place, trained, failed;
    bool is_started; /* by the queue: nobody waits for an answer */
    struct journal *journal;
    struct run_live *live;
    struct steering steering;
    bool steering_ready;
    struct fit_vitals vitals;
    struct control *control;
    struct notifier *notifier; /* NULL = nobody is told */
    struct profile *profile;   /* NULL unless the request asks for one */
    bool keeps_profile;        /* profile.json in the run's folder */
    struct atomic_file *trace_file;
    json_t *notes; /* for the answer: array of {"kept"|"anew"|"warning": text} in order */
};

/* "profile": true and "trace": "/abs file" of a request: the trace's file is opened at once. Before launch_prepare. */
bool launch_ask_profile(struct launch *launch, const json_t *request, struct err *err) MUST_USE;
/* The session of options with its device started, and its fit. */
bool launch_prepare(struct launch *launch, const struct session_options *options, struct err *err) MUST_USE;
/* Lock, log, live page, checkpointer. id and folder are set. */
bool launch_begin(struct launch *launch, struct err *err) MUST_USE;
/* State running, the event, the control thread; answers; points the standard streams to /dev/null and log.txt; trains;
 * ends the run. */
bool launch_run(struct launch *launch, json_t *event, struct answer *answer, struct err *err) MUST_USE;
void launch_release(struct launch *launch);

/* The "queue" object of a run that is to be started later: what of the request job_start needs then. New reference. */
json_t *launch_entry(const struct launch *launch, const json_t *request, const char *job);
/* The run stands in the queue: says so. */
void launch_answer_queued(struct launch *launch, struct answer *answer);
/* State failed, event, line in the log; once. */
void launch_fail(struct launch *launch, struct err *err);

/* Something a person is told with the answer and in the history. key: "kept", "anew" or "warning". */
void launch_note(struct launch *launch, const char *key, const char *format, ...) PRINTF(3, 4);
/* The warnings of the session, line by line. */
void launch_note_lines(struct launch *launch, const char *key, const char *lines);

/* A run that waited to be resumed or to branch off its parent (job_resume.c): launch has its lock, id and folder. */
bool resume_waiting(struct launch *launch, const json_t *request, struct answer *answer, struct err *err) MUST_USE;

#endif
