/* keras_open.h - the body of an opened file, and the door without a sandbox: for tests and fuzzers, which want to crash
 * in their own process. */
#ifndef PERSISTENCE_KERAS_KERAS_OPEN_H
#define PERSISTENCE_KERAS_KERAS_OPEN_H

#include "persistence/keras/keras_internal.h"

struct keras_file {
    char *path;
    int fd; /* where the values lie: the file, or a memory file with the inflated member */
    struct keras_survey survey;
    struct weight *weights;      /* one for each dataset of the survey, in the same order */
    const struct weight **index; /* by path */
    json_t *config, *metadata;
};

/* keras_file_open with the same checks, made in this process. Never for files of strangers. */
struct keras_file *keras_file_open_unprotected(const char *path, struct err *err);

#endif
