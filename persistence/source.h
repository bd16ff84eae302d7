/* source.h - foreign histories enter through one door: each format is a row of one table that yields the records of history_log.h.
 *
 *     const struct source *source = source_of(path, &err);
 *     struct source_reader *reader = source ? source->open(path, &err) : NULL;
 *     while ((found = source->next(reader, &record, &err)) == 1) ...
 *     source->close(reader);
 *
 * Epochs come out 1-based and every epoch once: where a file repeats epochs (a restarted training appends), the later record wins. A step or
 * a time that a format does not know is the epoch and NaN. To add a format, add a file source_<kind>.c and its row.
 */
#ifndef PERSISTENCE_SOURCE_H
#define PERSISTENCE_SOURCE_H

#include "persistence/history_log.h"
#include "persistence/source_model.h"

struct source_reader;
struct source {
    const char *name; /* "csvlogger": run.json's "source" */
    const char *what; /* "a Keras CSVLogger file": for messages and help */
    /* By content, not by name. head: the first bytes of the file, terminated; empty for a folder. */
    bool (*recognise)(const char *path, const char *head);
    /* Reads and checks all of it. NULL and err (file, line, column, found, expected). */
    struct source_reader *(*open)(const char *path, struct err *err);
    int (*next)(struct source_reader *reader, struct record *record, struct err *err); /* 1, 0 = end, -1 = err */
    const char *(*remark)(const struct source_reader *reader); /* what a person should know ("the unfinished last line was left out"), or NULL */
    void (*close)(struct source_reader *reader);               /* NULL is fine */
};
extern const struct source source_log;       /* a run folder of another home, or its history.log */
extern const struct source source_csvlogger; /* keras.callbacks.CSVLogger */
extern const struct source *const sources[]; /* ends with NULL */

/* The format of a file; NULL and ERR_NOT_FOUND or ERR_FORMAT that says what is understood. */
const struct source *source_of(const char *path, struct err *err);

/* Files become runs of `home`, one each, in this order; name may be NULL (then the file's). Everything is read and checked before the first
 * run is made; each run appears whole or not at all. Model files must have been looked at (source_model.h). ids: n_files strings, free()
 * each. remarks: what a person should know of some files, in one line. */
bool source_import(const char *home, const struct source_file *files, size_t n_files, const char *name, char **ids, struct str *remarks,
                   struct err *err) MUST_USE;

#endif
