/* index.h - what makes reading fast: a SQLite cache of all runs of a home (antler.db). The folders stay the truth; the
 * index is filled from the new bytes of each run's log, in one BEGIN IMMEDIATE transaction per run, and can be rebuilt
 * at any time.
 *
 * Lists, histories (in chunks of packed columns), checkpoints, flattened parameters. On a home that cannot be written
 * (or a full disk, or a database too new) the index works in memory: everything is readable, only slower.
 */
#ifndef PERSISTENCE_INDEX_INDEX_H
#define PERSISTENCE_INDEX_INDEX_H

#include "base/arena.h"
#include "persistence/runs/run_folder.h"

struct index;
/* Opens or creates. Does not ingest. */
struct index *index_open(const char *home, struct err *err);
void index_close(struct index *index);
/* The folder of the runs: absolute when it exists. Lent. */
const char *index_home(const struct index *index);
/* Of a home that goes with this process: in memory, nothing is written beside the runs. */
struct index *index_open_fleeting(const char *home, struct err *err);
/* The runs of another home (which stays the caller's) beside these: refreshed, listed, found and read with them,
 * `watched`, their folder an absolute path. Where both have a run of the same id, this one's is meant. */
void index_join(struct index *index, struct index *watched);
/* Ingests what is new in all runs (two stats a run: about 5 ms for 1,000 runs when nothing is new;
 * beyond that, new runs may be noticed up to a second later, what others change in finished ones some seconds, running
 * ones always at once). changed: may be NULL; true when anything differs from the last call that asked. A damaged run
 * never stops the others: it is listed with its error. */
bool index_refresh(struct index *index, bool *changed, struct err *err) MUST_USE;
/* For who comes again soon and must not be kept waiting: where another process is taking the news in, index_refresh
 * leaves it to that one and finds it there the next time. */
void index_set_hurried(struct index *index, bool hurried);
/* Fills it anew from the folders, replacing a damaged file. An error also when the index can only be
 * in memory, which says why. */
bool index_rebuild(struct index *index, struct err *err) MUST_USE;

/* of the run's own records, without its parents': whether a branch is better than its parent shows */
struct metric_summary {
    const char *name;
    double last, best; /* best: by direction of the name (or the config's mode); NaN when there is no finite value */
    int64_t best_epoch;
};
struct run_summary { /* owned by the arena of the call */
    const char *id, *folder, *name, *parent_run, *parent_checkpoint, *error, *note, *source;
    const char *device; /* where it ran last; as asked before that is known */
    /* of a joined home: only to be looked at; folder is absolute then, else relative to the home */
    bool watched;
    enum run_state state; /* effective */
    int64_t epoch, epochs, step, parent_epoch;
    double created, duration_s;
    const char *const *tags;
    size_t n_tags;
    const struct metric_summary *metrics;
    size_t n_metrics;
    /* the metric that `best` checkpoints and sparklines follow: val_loss, else loss, or the config's monitor */
    const char *monitor;
    const float *spark; /* last up to 60 epoch values of monitor; NaN = gap */
    size_t n_spark;
    int64_t n_checkpoints;
    /* that it trains with, or ended with: as recorded, ordered or in its config; NAN: a schedule that
     * nobody recorded, or not known */
    double learning_rate;
    uint64_t work;     /* epoch_work of its config: runs of one number do the same for an epoch; 0 = no config */
    int64_t log_bytes; /* of its log taken in so far: as long as it is the same, so is its history */
};
/* The folder of a run, absolute when the home is. free() it. */
char *index_run_folder(const struct index *index, const struct run_summary *run);
/* All runs, newest first. filter: the language of `antler list` ("" = all), see run_filter.h. sort: a field of it, a
 * metric's bare name (its last value), or NULL; "-key" reverses; NaN and runs without the field come last. */
bool index_list(struct index *index, const char *filter, const char *sort, struct arena *arena,
                const struct run_summary **runs, size_t *n, struct err *err) MUST_USE;
/* The same out of runs that were listed before: pointers to those that match, in order, in
 * picked (room for n of them). */
bool index_select(struct index *index, const char *filter, const char *sort, const struct run_summary *runs, size_t n,
                  const struct run_summary **picked, size_t *n_picked, struct err *err) MUST_USE;
/* An id, a unique prefix, or a name. ERR_NOT_FOUND names the candidates when several fit,
 * the nearest when none does. */
const struct run_summary *index_find(struct index *index, const char *run, struct arena *arena, struct err *err);

struct checkpoint_summary {
    const char *name, *path; /* file name; absolute or home-relative path */
    int64_t epoch, step, size_bytes;
    double created;
    bool weights_only, best, last, missing; /* missing: listed but the file is gone */
    const struct metric_summary *metrics;   /* `last` only */
    size_t n_metrics;
};
/* Oldest first. */
bool index_checkpoints(struct index *index, const char *run_id, struct arena *arena,
                       const struct checkpoint_summary **list, size_t *n, struct err *err) MUST_USE;
/* CHECKPOINT: a path, RUN:N (epoch), RUN:best, RUN:last. *path in arena; run_id NULL for a foreign file. */
bool index_resolve_checkpoint(struct index *index, const char *text, struct arena *arena, const char **path,
                              const char **run_id, struct err *err) MUST_USE;

struct metric_series {
    const char *name;
    size_t n;
    const int64_t *epoch, *step;
    const double *time, *value;
    size_t n_inherited; /* the first so many points are the parent's, up to the fork */
};
/* metrics NULL = all. With the parent's part up to the checkpoint. */
bool index_history(struct index *index, const char *run_id, const char *const *metrics, size_t n_metrics,
                   struct arena *arena, const struct metric_series **series, size_t *n, struct err *err) MUST_USE;

struct run_event {
    int64_t epoch, step;
    double time;
    const char *json;
};
struct run_param {
    const char *key;  /* "compile.optimizer.learning_rate", "model.layers[2].units" */
    const char *json; /* the value as compact JSON text */
};
/* The leaves of a run's config, sorted by key. */
bool index_params(struct index *index, const char *run_id, struct arena *arena, const struct run_param **params,
                  size_t *n, struct err *err) MUST_USE;

bool index_events(struct index *index, const char *run_id, struct arena *arena, const struct run_event **events,
                  size_t *n, struct err *err) MUST_USE;

#endif
