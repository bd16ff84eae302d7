/* watch.h - histories of other tools, looked at while they grow: each is kept as a run in a private home that lives as
 * long as the watch. Nothing is written beside the files that are watched.
 *
 *     struct watch *watch = watch_open(paths, n, home, &err);
 *     while (...) {
 *         int more = watch_poll(watch, 0.03, &err);      reads for so many seconds; 1 = there is more to read now
 *         index_refresh(watch_index(watch), NULL, &err);
 *     }
 *     watch_close(watch);
 *
 * Paths are files and folders; what appears in a folder later is taken in too.
 *
 * A run is running while its file says no end and was written to in the last ten minutes (this process holds the lock
 * of its folder then); one that was to say its end is interrupted after that, one of a format without an end finished.
 * A source that cannot be read (any more) is a run with that error. Models (.keras, .h5) that lie beside a history, or
 * in checkpoints/ there, are checkpoints of its run: links to the files.
 */
#ifndef PERSISTENCE_SOURCES_WATCH_H
#define PERSISTENCE_SOURCES_WATCH_H

#include "persistence/index/index.h"

struct watch;
/* ERR_NOT_FOUND and ERR_FORMAT as source_scan. Reads nothing yet. home: passed by where a
 * folder holds it; may be NULL. */
struct watch *watch_open(const char *const *paths, size_t n_paths, const char *home, struct err *err);
/* Removes the private home. NULL is fine. */
void watch_close(struct watch *watch);
/* 1 = more can be read at once, 0 = all that is there was read, -1 = err (the private home cannot be written). */
int watch_poll(struct watch *watch, double budget_s, struct err *err);
struct index *watch_index(const struct watch *watch); /* of the private home; the watch's */
const char *watch_home(const struct watch *watch);    /* the private home */
size_t watch_count(const struct watch *watch);        /* histories found so far */
/* Of the k-th of them: the id of its run, NULL before anything was read of it; the path; whether it may still grow. */
const char *watch_run(const struct watch *watch, size_t k, const char **path, bool *alive);

#endif
