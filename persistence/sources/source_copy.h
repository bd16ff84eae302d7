/* source_copy.h - the records of a foreign history become those of a run folder: shared by import (once) and watch (as
 * they come).
 *
 *     struct source_copy copy;
 *     if (!source_copy_open(&copy, source, path, folder, err)) ...
 *     found = source_copy_some(&copy, deadline, err);        1 = there is more, 0 = that is all for now, -1 = err
 *     source_copy_close(&copy);
 *
 * Metrics and events go to history.log, what was printed to log.txt, pictures to pictures/. What was copied is in the
 * files after each call.
 */
#ifndef PERSISTENCE_SOURCES_SOURCE_COPY_H
#define PERSISTENCE_SOURCES_SOURCE_COPY_H

#include "persistence/sources/source.h"

struct source_copy {
    const struct source *source;
    struct source_reader *reader;
    struct history_writer *writer;
    char *folder;
    int lines;           /* log.txt, -1: nothing was printed yet */
    int64_t epoch, step; /* the greatest */
    double first, last;  /* times of records, NaN: unknown */
    int64_t n_records;   /* given so far, and a fingerprint of them */
    uint64_t fingerprint;
    size_t n_pictures, n_left_out; /* left_out: neither PNG nor JPEG, or more than are kept */
    int64_t picture_bytes;
};

bool source_copy_open(struct source_copy *copy, const struct source *source, const char *path, const char *folder,
                      struct err *err) MUST_USE;
/* Stops at the deadline (io_monotonic_seconds; INFINITY: never). */
int source_copy_some(struct source_copy *copy, double deadline, struct err *err);
/* Of a source with `once` whose file has changed: what was given before is compared; when the file only has more, the
 * rest comes next, else the history is cut and comes from the start. False and err: it cannot be read now; what was
 * copied stays. */
bool source_copy_again(struct source_copy *copy, const char *path, struct err *err) MUST_USE;
/* Closes the files of the source; what is known of the run is gone with it, what was copied stays. */
void source_copy_close_reader(struct source_copy *copy);
/* The run folder was given another name. */
void source_copy_moved(struct source_copy *copy, const char *folder);
void source_copy_close(struct source_copy *copy);

/* The config of a run that is such a history: {"name", "imported": {"format", "file"}, "settings": what the source
 * knows}. A run folder's own config stays what it was, with "imported". NULL and err when a name is not UTF-8. */
json_t *source_config(const struct source *source, const char *path, const char *name, const struct source_about *about,
                      struct err *err);

#endif
