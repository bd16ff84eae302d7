/* trail.h - the checkpoints a run has left, as its folder and its log tell together: where it can go on.
 *
 * The folder is believed for what exists (a file there is whole: it got its name only when it was durable), the log for
 * what a file is without opening it. A file that the log does not know (the worker died between rename and record) is
 * opened and asked. In-place resume: pick the last that opens, cut the log at its history_bytes, announce again what
 * lies before it but was cut.
 */
#ifndef ENGINE_TRAIN_TRAIL_H
#define ENGINE_TRAIN_TRAIL_H

#include "engine/train/journal.h"

struct trail_file {
    char *name;
    int64_t epoch, step; /* of its record */
    int64_t record_end;  /* behind its record in the log; -1 when it has none */
    int64_t epochs_done; /* finished epochs, told apart only among the files of the last step; else 0 */
    bool weights_only;
    bool final;     /* final.keras: of an earlier stop, or with weights replaced at the end of fit */
    json_t *record; /* as in the log, or made from the file's own state; owned */
    bool automatic;
};

struct trail {
    char *folder;             /* the run's */
    struct trail_file *files; /* rising by step, at the last step by finished epochs; at one place final.keras first, so
                                 that the last is the best to go on from */
    size_t n, capacity;
};

/* Damaged or foreign files in checkpoints/ are left out. */
bool trail_read(struct trail *trail, const char *run_folder, struct err *err) MUST_USE;
void trail_release(struct trail *trail);
/* "checkpoints/<name>" of the run. free() it. */
char *trail_path(const struct trail *trail, const struct trail_file *file);
/* Whether a file of that name was written at this step. */
bool trail_has(const struct trail *trail, const char *name, int64_t step);
/* Before going on from files[k]: a final.keras becomes step-<step>.keras, so that the name is free for the end of the
 * run. */
bool trail_free_final(struct trail *trail, size_t k, struct err *err) MUST_USE;
/* After the log was cut at length_bytes: announces again the files up to step that lost their record. */
void trail_announce(const struct trail *trail, struct journal *journal, int64_t step, int64_t length_bytes);

#endif
