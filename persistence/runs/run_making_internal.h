/* run_making_internal.h - between run_making.c (one run) and run_batch.c (many at once). */
#ifndef PERSISTENCE_RUNS_RUN_MAKING_INTERNAL_H
#define PERSISTENCE_RUNS_RUN_MAKING_INTERNAL_H

#include "persistence/runs/run_making.h"

enum { MAKING_IDS_TRIED = 10000 };

struct run_making {
    char *home, *folder, *stem; /* stem: "2026-11-23_14-30-12_digits-mlp" */
    json_t *run;
    char *id;            /* chosen by run_batch_settle */
    bool loose, adopted; /* of a batch: not synced by itself; a run that is there: its files are replaced */
};

/* Makes the home when there is none, removes what killed makers left in it, and makes a hidden folder. free() it; NULL
 * and err. */
char *making_folder(const char *home, struct err *err);
/* A making in a folder that is there and empty, which it takes. */
struct run_making *making_begin_in(char *folder, bool loose, const char *home, const struct run_identity *identity,
                                   const json_t *config, struct err *err);
/* The k-th id that it may have, unless a run has it. free() it. */
char *making_free_id(const struct run_making *making, int k);
/* run.json with this id. */
bool making_write_identity(struct run_making *making, const char *id, struct err *err) MUST_USE;
/* MAKING_IDS_TRIED of its name are there already. Returns false. */
bool making_no_id(const struct run_making *making, struct err *err);

#endif
