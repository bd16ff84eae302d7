/* wandb_media.h - the pictures that a run of Weights & Biases names in its history; their files stand beside its log.
 *
 *     offline-run-<date>-<id>/run-<id>.wandb          {"_type": "image-file", "path": "media/images/a_3_0f.png"}
 *     offline-run-<date>-<id>/files/media/images/a_3_0f.png
 *
 * A path of a log is never opened: each of its parts is looked for among the names of the folder at hand, links are not
 * followed, and nothing outside of files/ is reached. What is not there is passed over: the log may have come alone.
 */
#ifndef PERSISTENCE_SOURCES_WANDB_MEDIA_H
#define PERSISTENCE_SOURCES_WANDB_MEDIA_H

#include "persistence/sources/source.h"

struct wandb_media { /* pictures that were named and not given yet; all zero at first */
    struct named_picture *list;
    size_t n, at, capacity;
    char *bytes; /* of the one that was given last */
};

/* json: the value of a history item. One that names no pictures is nothing. log: which of the run's files it is in. */
void wandb_media_add(struct wandb_media *media, const char *tag, const char *json, size_t length, size_t log,
                     const struct source_record *record);
/* The log of the next picture; false: there is none. */
bool wandb_media_waits(const struct wandb_media *media, size_t *log);
/* The next picture as a record, lent until the next call; false: it could not be read. log: path of its .wandb file. */
bool wandb_media_next(struct wandb_media *media, const char *log, struct source_record *record);
void wandb_media_release(struct wandb_media *media);

#endif
