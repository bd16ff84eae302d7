/* source.h - foreign histories enter through one door: each format is a row of one table that yields records.
 *
 *     const struct source *source = source_of(path, &err);
 *     struct source_reader *reader = source ? source->open(path, &err) : NULL;
 *     while ((found = source->next(reader, &record, &err)) == 1) ...
 *     source->close(reader);
 *
 * Files may still be growing and may be of strangers: nothing of them is believed, a torn end is no error, what is not
 * understood is passed over. Metrics of one record have the same epoch and step. Where a run was restarted its steps go
 * back: the later record wins, which whoever reads the records sees to (index_history). Epochs are 1-based; a step or
 * an epoch that a format does not know is the other one, an unknown time is NaN. To add a format, add a file
 * source_<kind>.c and its row.
 */
#ifndef PERSISTENCE_SOURCES_SOURCE_H
#define PERSISTENCE_SOURCES_SOURCE_H

#include "persistence/runs/history_log.h"
#include "persistence/sources/source_model.h"

enum source_kind {
    SOURCE_METRICS, /* n names and values */
    SOURCE_EVENT,   /* text: a JSON object as in history.log */
    SOURCE_LINES,   /* text: what was printed, any bytes */
    SOURCE_PICTURE  /* text: a PNG or JPEG file, not looked into; names[0]: what it is called */
};
struct source_record { /* lent until the next call */
    enum source_kind kind;
    int64_t epoch, step;
    double time; /* Unix seconds, NaN: unknown */
    size_t n;
    const char *const *names;
    const double *values;
    const char *text;
    size_t length;
    const char *caption; /* of a picture, NULL: none */
};

enum source_end {
    SOURCE_UNKNOWN, /* the format has no mark of an end */
    SOURCE_OPEN,    /* it has one, which is not there */
    SOURCE_FINISHED,
    SOURCE_FAILED
};
struct source_about { /* what is known of the run by now; lent until the next call */
    const char *name; /* as the other tool calls it, NULL: not at all */
    const char *note;
    json_t *config; /* its settings: an object or NULL */
    json_t *tags;   /* an array of strings or NULL */
    enum source_end end;
    double started; /* Unix seconds, NaN: unknown */
    int changes;    /* differs when anything of this does */
};

struct source_reader;
struct source {
    const char *name; /* "csvlogger": run.json's "source" */
    const char *what; /* "a Keras CSVLogger file": for messages and help */
    /* By content, not by name. head: the first bytes of the file, terminated; empty for a folder. */
    bool (*recognise)(const char *path, const char *head, size_t head_bytes);
    /* The path that stands for the whole run when several files make one (its folder, the first of them); free() it.
     * NULL: this one. */
    char *(*whole)(const char *path);
    /* NULL and err (file, line, column, found, expected). Formats with `once` read and check all of it here. */
    struct source_reader *(*open)(const char *path, struct err *err);
    /* 1, 0 = no more whole records now: ask again later, -1 = err: nothing behind this place can be read. */
    int (*next)(struct source_reader *reader, struct source_record *record, struct err *err);
    void (*about)(const struct source_reader *reader, struct source_about *about); /* NULL: nothing is known */
    /* what a person should know ("the unfinished last line was left out"), or NULL */
    const char *(*remark)(const struct source_reader *reader);
    bool (*is_same)(const struct source_reader
                        *reader); /* false: a file was cut or replaced: it must be read anew. NULL with `once` */
    void (*close)(struct source_reader *reader); /* NULL is fine */
    bool once; /* the file is read when it is opened: it is opened anew when it has changed */
};
extern const struct source source_log;       /* a run folder of another home, or its history.log */
extern const struct source source_csvlogger; /* keras.callbacks.CSVLogger */
extern const struct source source_history;   /* History.history as JSON, or what antler history --json prints */
extern const struct source source_events;    /* a folder of TensorBoard event files */
extern const struct source source_wandb;     /* a .wandb file of Weights & Biases */
extern const struct source *const sources[]; /* ends with NULL */

/* The format of a file or folder; NULL and ERR_NOT_FOUND or ERR_FORMAT that says what is understood. */
const struct source *source_of(const char *path, struct err *err);

/* What a run of this path is called when nothing else is known: "a/b/history.csv.gz" -> "history"; a folder's, or that
 * of a log. free() it. */
char *source_name(const char *path);

/* Files become runs of `home`, one each, in this order; name may be NULL (then the file's own name or that of its
 * path). All of them or none: a run appears whole or not at all. Model files must have been looked at (source_model.h).
 * One that holds nothing becomes none, which the remarks say; where all of them do, that is the error.
 * ids: n_files strings, NULL where none was made, free() each. remarks: what a person should know of some files, in one
 * line. */
bool source_import(const char *home, const struct source_file *files, size_t n_files, const char *name, char **ids,
                   struct str *remarks, struct err *err) MUST_USE;

#endif
