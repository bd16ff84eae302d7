/* snapshot.h - the state of one step on its way into a file.
 *
 * A small one is copied, so that training waits for nothing but a memcpy. A large one (SNAPSHOT_BYTES) is written
 * straight from the variables into the temporary file before the next step: the system's page cache is the copy then,
 * and only what makes the file durable is left for later. Either way the memory of the process stays within
 * SNAPSHOT_BYTES, and training waits for a part of a step.
 */
#ifndef ENGINE_TRAIN_SNAPSHOT_H
#define ENGINE_TRAIN_SNAPSHOT_H

#include "engine/train/checkpoint.h"
#include "persistence/files/atomic_file.h"

struct snapshot {
    struct snapshot_request request;
    json_t *config; /* config.json; NULL for weights only */
    char *host;     /* copied: all saved variables */
    char **slots;   /* of n_slots kept weights, NULL where empty; copies of them, or lent */
    int n_slots;
    bool owns_slots;
    struct atomic_file *file; /* written: not durable yet */
    struct err failure;       /* of the writing */
    struct snapshot *next;
};

/* Whether snapshots of this session are written at once. */
bool snapshot_is_large(const struct session *session);

/* Takes the request; slots are lent, and stay as they are until snapshot_copy or snapshot_write. */
struct snapshot *snapshot_new(const struct snapshot_request *request, json_t *config, char **slots, int n_slots);
void snapshot_free(struct snapshot *snapshot);

/* Copies variables and slots. `spare` is a host copy that is no longer needed, or NULL; taken. False
 * when there is no memory, or the device has failed. */
bool snapshot_copy(struct snapshot *snapshot, struct session *session, char *spare, struct err *err) MUST_USE;
/* Writes the temporary file of `path`: from the copy, else from the variables as they are now. */
bool snapshot_write(struct snapshot *snapshot, const struct session *session, const char *path,
                    struct err *err) MUST_USE;

#endif
