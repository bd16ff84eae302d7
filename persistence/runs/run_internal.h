/* run_internal.h - what the files of the run folder and the queue share. */
#ifndef PERSISTENCE_RUNS_RUN_INTERNAL_H
#define PERSISTENCE_RUNS_RUN_INTERNAL_H

#include "persistence/runs/run_folder.h"

struct run_writer {
    char *folder;
    int lock_fd;
};

/* Reads run.json under its lock, lets `change` edit it, and replaces it: atomic and durable. */
bool run_edit(const char *folder, void (*change)(json_t *run, const void *context), const void *context,
              struct err *err) MUST_USE;
/* For a change: who works on the run (this process, now). */
void run_set_worker(json_t *run);
/* For a change: the state, and an entry of "changes". The entry of the queue goes with state `queued`. */
void run_add_state(json_t *run, const char *state, int64_t epoch, int64_t step, json_t *error);
/* The machine's name, for "worker" and "queue". */
void run_host(char host[65]);

/* Writes into an entry of the queue where the run's folder is: this machine, the number of the folder. */
void queue_stamp(json_t *entry, const char *folder);

#endif
