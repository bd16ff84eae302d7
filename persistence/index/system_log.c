/* system_log.c - see system_log.h */
#include "base/io.h"
#include "persistence/index/system_log.h"
#include "persistence/runs/history_log.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char file_name[] = "system.log", new_name[] = ".system.log.tmp";

static const char *const names[SYSTEM_N_SERIES] = {
#define X(name, text) [SYSTEM_##name] = text,
    SYSTEM_SERIES(X)
#undef X
};

struct system_writer {
    char *folder;
    struct history_writer *log;
    struct system_point points[SYSTEM_MOST];
    size_t n;
    double distance_s;
};

/* ---- reading ---- */

static void take_record(const struct record *record, struct system_point *point)
{
    *point = (struct system_point){record->epoch, record->step, record->time, {0}};
    for (size_t s = 0; s < SYSTEM_N_SERIES; s++) {
        point->value[s] = NAN;
        for (size_t i = 0; i < record->n; i++)
            if (!strcmp(record->names[i], names[s]))
                point->value[s] = record->values[i];
    }
}

/* At most SYSTEM_MOST points, in the order of the file. */
static size_t read_points(const char *folder, struct system_point *points)
{
    struct history_reader *reader = history_open_reader_of(folder, file_name, NULL);
    struct record record;
    size_t n = 0;
    while (reader && n < SYSTEM_MOST && history_next(reader, &record, NULL) == 1)
        if (record.kind == RECORD_METRICS)
            take_record(&record, &points[n++]);
    history_close_reader(reader);
    return n;
}

/* Leaves out what was done again after a resume. Equal steps are a pause, or an epoch's validation. */
static size_t only_last(struct system_point *points, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        bool went_back = kept && points[i].step < points[kept - 1].step;
        while (went_back && kept && points[kept - 1].step >= points[i].step)
            kept--;
        points[kept++] = points[i];
    }
    return kept;
}

void system_read(const char *run_folder, struct arena *arena, const struct metric_series **series, size_t *n)
{
    struct system_point *points = xmalloc(SYSTEM_MOST * sizeof *points);
    size_t n_points = only_last(points, read_points(run_folder, points));
    struct metric_series *all = arena_array(arena, SYSTEM_N_SERIES, sizeof *all);
    int64_t *epoch = arena_array(arena, n_points + 1, sizeof *epoch),
            *step = arena_array(arena, n_points + 1, sizeof *step);
    double *time = arena_array(arena, n_points + 1, sizeof *time);
    for (size_t i = 0; i < n_points; i++) {
        epoch[i] = points[i].epoch;
        step[i] = points[i].step;
        time[i] = points[i].time;
    }
    for (size_t s = 0; s < SYSTEM_N_SERIES; s++) {
        double *value = arena_array(arena, n_points + 1, sizeof *value);
        for (size_t i = 0; i < n_points; i++)
            value[i] = points[i].value[s];
        all[s] = (struct metric_series){names[s], n_points, epoch, step, time, value, 0};
    }
    free(points);
    *series = all;
    *n = n_points ? SYSTEM_N_SERIES : 0;
}

int64_t system_stamp(const char *run_folder)
{
    char *path = path_join(run_folder, file_name);
    struct stat st;
    int64_t stamp = stat(path, &st) ? 0
                                    : (int64_t)st.st_size ^ ((int64_t)st.st_mtim.tv_nsec << 24) ^
                                          ((int64_t)st.st_mtim.tv_sec << 16);
    free(path);
    return stamp;
}

/* ---- writing ---- */

/* The distance of the points there are, as a power of two of seconds: what a resumed run goes on with. */
static double distance_of(const struct system_point *points, size_t n)
{
    double least = INFINITY, distance = 1;
    for (size_t i = 1; i < n; i++)
        if (points[i].time > points[i - 1].time)
            least = fmin(least, points[i].time - points[i - 1].time);
    while (isfinite(least) && distance * 1.5 < least)
        distance *= 2;
    return distance;
}

struct system_writer *system_open_writer(const char *run_folder, struct err *err)
{
    struct history_writer *log = history_open_writer_of(run_folder, file_name, err);
    if (!log)
        return NULL;
    struct system_writer *writer = xcalloc(1, sizeof *writer);
    writer->folder = xstrdup(run_folder);
    writer->log = log;
    writer->n = read_points(run_folder, writer->points);
    writer->distance_s = distance_of(writer->points, writer->n);
    return writer;
}

void system_close_writer(struct system_writer *writer)
{
    if (!writer)
        return;
    history_close_writer(writer->log);
    free(writer->folder);
    free(writer);
}

static bool write_point(struct history_writer *log, const struct system_point *point, struct err *err)
{
    return history_add_metrics_at(log, point->epoch, point->step, point->time, names, point->value, SYSTEM_N_SERIES,
                                  err);
}

/* Every second point goes: a new file takes the place of the old one in one rename. */
static bool thin(struct system_writer *writer, struct err *err)
{
    size_t n = 0;
    char *new_path = path_join(writer->folder, new_name), *path = path_join(writer->folder, file_name);
    io->unlink(new_path);
    struct history_writer *log = history_open_writer_of(writer->folder, new_name, err);
    bool ok = log != NULL;
    for (size_t i = 0; ok && i < writer->n; i += 2) {
        ok = write_point(log, &writer->points[i], err);
        writer->points[n++] = writer->points[i];
    }
    if (ok && io->rename(new_path, path))
        ok = err_errno(err, ERR_FAILED, errno, "cannot replace '%s'", path);
    if (ok) {
        history_close_writer(writer->log);
        writer->log = log;
        writer->n = n;
        writer->distance_s *= 2;
    } else {
        history_close_writer(log);
    }
    free(path);
    free(new_path);
    return ok;
}

bool system_add(struct system_writer *writer, const struct system_point *point, struct err *err)
{
    if (writer->n && point->time < writer->points[writer->n - 1].time + 0.9 * writer->distance_s &&
        point->time > writer->points[writer->n - 1].time - writer->distance_s)
        return true;
    if (writer->n == SYSTEM_MOST && !thin(writer, err))
        return false;
    if (!write_point(writer->log, point, err))
        return false;
    writer->points[writer->n++] = *point;
    return true;
}
