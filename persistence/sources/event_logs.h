/* event_logs.h - the event files of one TensorBoard history: those of a folder and of train/ and validation/ in it, in
 * the order in which they are read: by name, the validation's last. Files come while a history grows.
 */
#ifndef PERSISTENCE_SOURCES_EVENT_LOGS_H
#define PERSISTENCE_SOURCES_EVENT_LOGS_H

#include "persistence/sources/growing_file.h"

enum { PART_HERE, PART_TRAIN, PART_VALIDATION, N_PARTS };

struct event_log {
    struct growing_file file;
    int part;
};

struct event_logs {
    char *folder;
    struct event_log *list; /* in order */
    size_t n, capacity;
};

/* Files that appeared since; those that are known stay open, but may have another place. */
void event_logs_look(struct event_logs *logs);
void event_logs_release(struct event_logs *logs);
/* Whether a folder holds any. */
bool event_logs_are_in(const char *folder);
/* The folder of a file, or this one; the one above where that is train/ or validation/. free() it. */
char *event_logs_folder(const char *path);

#endif
