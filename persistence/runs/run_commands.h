/* run_commands.h - commands to a running worker: an append-only file of JSON lines, numbered, idempotent; works on a
 * shared file system. Each is answered by an event {"event": "command", "number", "command", "ok", "error"?} in
 * history.log. Commands that were there before the worker started are never executed.
 *
 * {"number": 3, "command": "stop" | "pause" | "continue" | "checkpoint" | "learning_rate" (value) | "epochs" (value),
 * "time"}
 */
#ifndef PERSISTENCE_RUNS_RUN_COMMANDS_H
#define PERSISTENCE_RUNS_RUN_COMMANDS_H

#include "base/json.h"

/* All of them. X(name, word, takes a value) */
#define RUN_COMMANDS(X)                                                                                                \
    X(STOP, "stop", false)                                                                                             \
    X(PAUSE, "pause", false)                                                                                           \
    X(CONTINUE, "continue", false)                                                                                     \
    X(CHECKPOINT, "checkpoint", false)                                                                                 \
    X(LEARNING_RATE, "learning_rate", true)                                                                            \
    X(EPOCHS, "epochs", true)

/* Appends under a lock; value may be NAN. *number is the command's. */
bool run_command_add(const char *run_folder, const char *command, double value, int64_t *number,
                     struct err *err) MUST_USE;

struct run_command {
    int64_t number;
    char command[24];
    double value;
};
/* The worker's end: *offset starts at the file's size when the worker starts (run_command_end) and moves on. 1 = one
 * read (a word that run_command_add does not know too: it is to be refused), 0 = none, -1 and err = the file cannot be
 * read. */
int64_t run_command_end(const char *run_folder);
int run_command_next(const char *run_folder, int64_t *offset, struct run_command *command, struct err *err);

/* The learning rate that an event of history.log tells: a worker says it when it begins, and when it was ordered
 * another one. NAN: none. */
double run_event_learning_rate(const json_t *event);

#endif
