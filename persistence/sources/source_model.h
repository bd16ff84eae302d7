/* source_model.h - a model that Keras saved becomes a run: its one checkpoint is a copy of the file, so that every
 * action on checkpoints works on it; its history is empty. A checkpoint of our own keeps its epoch, its step and, next
 * to its run's log, its metrics.
 *
 * This program never parses a model file: whoever imports one asks antler-worker (job inspect with "verify") in
 * between.
 *
 *     struct source_file file = {.path = path};
 *     if (source_is_model(path))
 *         ok = source_model_begin(&file, err) && (file.findings = <the worker's answer>) != NULL;
 *     ... source_import(home, &file, 1, ...)
 *
 * A file that changes between the two (it is being saved at this moment) is refused.
 */
#ifndef PERSISTENCE_SOURCES_SOURCE_MODEL_H
#define PERSISTENCE_SOURCES_SOURCE_MODEL_H

#include "persistence/runs/run_making.h"

struct source_file { /* what becomes a run */
    const char *path;
    const char *name;                /* of the run; NULL: its own or that of the path */
    const json_t *findings;          /* of a model file: what the worker found in it; NULL = a history. Lent */
    int64_t size_bytes, modified_ns; /* of a model file, when it was looked at */
};
/* By content: a zip or HDF5 file. What is really in it the worker says. */
bool source_is_model(const char *path);
/* Before the worker looks. ERR_FORMAT when it is no ordinary file. */
bool source_model_begin(struct source_file *file, struct err *err) MUST_USE;
/* The run, up to run_making_commit. NULL and err; nothing is left then. */
struct run_making *source_model_make(const char *home, const struct source_file *file, const char *name,
                                     struct err *err);

#endif
