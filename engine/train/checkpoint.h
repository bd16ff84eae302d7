/* checkpoint.h - writes checkpoints while training goes on.
 *
 * The training thread takes a snapshot (snapshot.h: a copy, or of large models the file itself, still without its name)
 * and goes on; a writer thread makes the file durable and only then announces it in the history: log up to the snapshot
 * synced, file written, synced, renamed, folder synced, CHECKPOINT record. (A record that a power cut takes away is
 * found again from its file: trail.h.) Files are announced in the order their snapshots were taken. A few may wait
 * (SNAPSHOTS_WAITING, SNAPSHOT_BYTES in all), so that a disk that is slow for a moment holds nobody up; of large models
 * two at most: a third waits until the first is durable.
 *
 * A backup is a checkpoint of a moment when none was due, for whoever is killed in the third hour of an epoch. There is
 * one at most, and it is no news: not in the history, found by its file when the run goes on (trail.h), gone as soon as
 * a full checkpoint is announced.
 *
 * A file that cannot be written (full disk) is reported as a warning event; the files before it are intact and training
 * goes on.
 */
#ifndef ENGINE_TRAIN_CHECKPOINT_H
#define ENGINE_TRAIN_CHECKPOINT_H

#include "engine/train/journal.h"
#include "engine/train/session.h"

struct checkpointer;

enum { SNAPSHOT_BYTES = 16 << 20, SNAPSHOTS_WAITING = 8, LARGE_SNAPSHOTS_WAITING = 2 };

struct checkpointer_options {
    struct session *session;
    struct journal *journal;
    const char *run_folder;
    int64_t keep;       /* how many automatic checkpoints stay; 0 = all. The best and the last always stay */
    int n_weight_slots; /* of kept weights (callbacks_weight_slots) */
};

struct checkpointer *checkpointer_new(const struct checkpointer_options *options, struct err *err);
/* Waits for what is being written. NULL-safe. */
void checkpointer_free(struct checkpointer *checkpointer);

struct snapshot_request {
    char file[256]; /* one component; ends in .keras or .weights.h5 */
    bool weights_only, best;
    bool automatic;       /* `keep` applies */
    bool backup;          /* file is checkpoint_backup_file */
    int64_t epoch, step;  /* of the record, epoch 1-based */
    double learning_rate; /* for compile_config */
    json_t *state;        /* the "antler" object of metadata.json; taken */
    json_t *metrics;      /* of the record; taken */
};
/* Takes a snapshot of the session's variables and the filled weight slots, and hands it to the writer. False only when
 * there is no memory for a copy. */
bool checkpointer_save(struct checkpointer *checkpointer, const struct snapshot_request *request,
                       struct err *err) MUST_USE;
/* Waits until everything handed over is written. False and err when the last one could not be. */
bool checkpointer_wait(struct checkpointer *checkpointer, struct err *err) MUST_USE;

/* A file that the run already has (resume), oldest first, with the place of its record: it counts for `keep` (what a
 * killed worker did not come to remove goes now), or is the backup. */
void checkpointer_adopt(struct checkpointer *checkpointer, const char *file, bool automatic, bool best, int64_t epoch,
                        int64_t step);

/* Kept weights (EarlyStopping's best): host copies that every checkpoint carries, as datasets antler/slot_<s>/<k>. */
bool checkpointer_keep_weights(struct checkpointer *checkpointer, int slot, struct err *err) MUST_USE;
/* Puts them back into the model; false when the slot was never filled. */
bool checkpointer_restore_weights(struct checkpointer *checkpointer, int slot);
/* Fills the slots from the file the run goes on from. */
bool checkpointer_load_slots(struct checkpointer *checkpointer, struct keras_file *file, struct err *err) MUST_USE;

/* Names in checkpoints/ that are the run's own: its last state, and what it keeps inside long epochs. */
extern const char checkpoint_final_file[], checkpoint_backup_file[];

/* The CHECKPOINT record of a file: {"checkpoint", "size_bytes", "weights_only", "best", "metrics"}; metrics is lent.
 * New reference. */
json_t *checkpoint_record(const char *file, int64_t size_bytes, bool weights_only, bool best, const json_t *metrics);

#endif
