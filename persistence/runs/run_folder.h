/* run_folder.h - one run on disk: the folder is the truth. Who it is, which state it is in, who may write.
 *
 *   run.json       identity, parent (run + checkpoint), state changes, tags, notes; replaced atomically
 *   config.json    the resolved config that reproduces the run
 *   history.log    append-only frames (history_log.h)          commands.log   append-only commands (run_commands.h)
 *   live           a mapped page with the position inside the epoch (run_live.h): a hint, never the truth
 *   log.txt        what the worker and its libraries printed    checkpoints/   real Keras files
 *   lock           held (F_OFD_SETLK) by the worker while it lives
 *
 * Life of a run: queued -> running <-> paused -> finished | stopped | failed; `interrupted` is never written: it is
 * what a reader says of a run whose state is running or paused (or queued with a lock once held, outside the queue)
 * while its lock is free. Which runs wait for a free place, and who starts them: run_queue.h.
 */
#ifndef PERSISTENCE_RUNS_RUN_FOLDER_H
#define PERSISTENCE_RUNS_RUN_FOLDER_H

#include "base/json.h"

enum run_state { RUN_QUEUED, RUN_RUNNING, RUN_PAUSED, RUN_FINISHED, RUN_STOPPED, RUN_FAILED, RUN_INTERRUPTED };
const char *run_state_name(enum run_state state); /* "queued", ... */
bool run_state_parse(const char *name, enum run_state *state);

/* Home = the given path, else $ANTLER_HOME, else ./runs. free() it. */
char *home_path(const char *given);

struct run_identity { /* what a new run is made of */
    const char *name; /* from --name, else the config's name */
    const char *const *tags;
    size_t n_tags;
    const char *parent_run;        /* id, or NULL */
    const char *parent_checkpoint; /* file name inside the parent's checkpoints/, or a path of a foreign file; NULL */
    int64_t parent_epoch, parent_step;
    const char *device; /* as asked */
    const char *source; /* NULL for our own; "csvlogger" for an imported history: read-only actions */
    json_t *queue;      /* queue_entry of run_queue.h: it is to wait; NULL. Lent */
    const char *note;   /* NULL: none */
    double created;     /* Unix seconds; 0: now */
};

/* Makes <home>/<date>_<time>_<name>[-k]/ with run.json (queued), config.json and checkpoints/, durable. *id
 * is free()d by the caller. */
bool run_create(const char *home, const struct run_identity *identity, const json_t *config, char **id,
                struct err *err) MUST_USE;

/* A run opened by its only writer. */
struct run_writer;
/* Takes the lock; ERR_FAILED naming pid and host of the holder when it is held. */
struct run_writer *run_open_writer(const char *folder, struct err *err);
void run_close_writer(struct run_writer *writer); /* releases the lock */
/* Appends {"state", "time", "epoch", "step", "error"?} to run.json's changes (the next writer of a run that was killed
 * adds "until": when it wrote last) and sets the state; atomic and durable. */
bool run_set_state(struct run_writer *writer, enum run_state state, int64_t epoch, int64_t step, const char *error,
                   struct err *err) MUST_USE;
/* Replaces config.json, atomic and durable: by the worker that holds the lock, when the plan of
 * the run changes (epochs). */
bool run_save_config(const char *folder, const json_t *config, struct err *err) MUST_USE;

/* Reading, by anybody. */
json_t *run_read(const char *folder, struct err *err);        /* run.json: new reference */
json_t *run_read_config(const char *folder, struct err *err); /* config.json: new reference */
bool run_lock_is_held(const char *folder);                    /* F_OFD_GETLK: never takes it */
/* The state a person should see. */
enum run_state run_effective_state(const json_t *run, bool lock_is_held);

/* Changes by a person, allowed while a worker runs too (run.json is replaced under a short lock of its own): keys
 * "name", "tags", "note" of `changes` replace those of run.json. */
bool run_annotate(const char *folder, const json_t *changes, struct err *err) MUST_USE;
/* To <home>/trash/<id> and back. A running run is refused. */
bool run_delete(const char *home, const char *id, struct err *err) MUST_USE;
bool run_restore(const char *home, const char *id, struct err *err) MUST_USE;

#endif
