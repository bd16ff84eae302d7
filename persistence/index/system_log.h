/* system_log.h - what the machine did while a run trained: `system.log` in its folder, records of metrics as in
 * history.log.
 *
 * A file of its own, because it depends on time: the history of a resumed run equals that of the uninterrupted one. It
 * holds at most SYSTEM_MOST points: when it is full every second one goes and the distance doubles, from a second on,
 * so that a run of a month has a curve as a run of a minute has. It is a hint: never synced, and a run whose file
 * cannot be written goes on without.
 *
 *   system/cpu              CPU time of the worker, percent of one core
 *   system/memory           resident, MB (2^20 bytes)
 *   system/samples_per_s    training samples a second
 *   system/machine_cpu      of all processes, percent of one core
 *   system/machine_memory   used on the machine, MB
 */
#ifndef PERSISTENCE_INDEX_SYSTEM_LOG_H
#define PERSISTENCE_INDEX_SYSTEM_LOG_H

#include "persistence/index/index.h"

enum { SYSTEM_MOST = 1024 };
#define SYSTEM_PREFIX "system/"
#define SYSTEM_SERIES(X)                                                                                               \
    X(CPU, "system/cpu")                                                                                               \
    X(MEMORY, "system/memory")                                                                                         \
    X(SAMPLES, "system/samples_per_s")                                                                                 \
    X(MACHINE_CPU, "system/machine_cpu")                                                                               \
    X(MACHINE_MEMORY, "system/machine_memory")
enum system_series {
#define X(name, text) SYSTEM_##name,
    SYSTEM_SERIES(X)
#undef X
        SYSTEM_N_SERIES
};

struct system_point {
    int64_t epoch, step;
    double time;                   /* Unix seconds */
    double value[SYSTEM_N_SERIES]; /* NaN: not known */
};

struct system_writer;
/* Makes the file, or goes on with it and at its distance. NULL and err. */
struct system_writer *system_open_writer(const char *run_folder, struct err *err);
/* Takes the point when the distance to the last one has passed. False and err: not written. */
bool system_add(struct system_writer *writer, const struct system_point *point, struct err *err) MUST_USE;
void system_close_writer(struct system_writer *writer); /* NULL-safe */

/* The series of a run, in the arena; n is 0 where there is no readable file. Where a resumed run has gone back, what it
 * did again counts. */
void system_read(const char *run_folder, struct arena *arena, const struct metric_series **series, size_t *n);
/* A number that differs when the file has changed; 0: there is none. */
int64_t system_stamp(const char *run_folder);

#endif
