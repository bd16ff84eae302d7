/* history_writer.c - the writing half of history_log.h */
#include "persistence/runs/history_frame.h"
#include "persistence/runs/history_log.h"

#include "base/arena.h"
#include "base/io.h"
#include "base/name_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct history_writer {
    int fd;
    char *path;
    int64_t length; /* of the whole records; the file may be longer after a failed write until it is cut back */
    bool torn;      /* cutting back failed: tried again before the next write */
    struct name_table names;
    size_t n_written; /* of the names */
    uint16_t *ids;    /* n_ids of them: of the last record of metrics */
    size_t n_ids, ids_capacity;
    struct str buffer; /* records that are not written yet */
    size_t gather;     /* so many bytes of them are written at once; 0: each record */
};

static bool cut(struct history_writer *writer, int64_t length, struct err *err)
{
    if (io->ftruncate(writer->fd, length) || lseek(writer->fd, length, SEEK_SET) < 0) {
        writer->torn = true;
        return err_errno(err, ERR_FAILED, errno, "cannot cut '%s' back to %lld bytes", writer->path, (long long)length);
    }
    writer->torn = false;
    writer->length = length;
    return true;
}

static void set_names(struct history_writer *writer, const char *const *names, size_t n)
{
    char unused[32]; /* a number that was declared no name: no metric is called like this */
    name_table_release(&writer->names);
    writer->n_ids = 0;
    for (size_t i = 0; i < n; i++) {
        snprintf(unused, sizeof unused, "\n%zu", i);
        const char *name =
            names[i] && name_table_find(&writer->names, names[i], strlen(names[i])) == SIZE_MAX ? names[i] : unused;
        name_table_id(&writer->names, name, strlen(name));
    }
    writer->n_written = writer->names.n;
}

/* Damage: what lies behind the last readable record goes to history.damaged before it is cut off. */
static bool keep_rest(struct history_writer *writer, int64_t from, int64_t size, struct err *err)
{
    char *folder = path_folder(writer->path), *path = path_join(folder, "history.damaged");
    int fd = io_open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0666, err);
    bool ok = fd >= 0;
    char block[65536];
    while (ok && from < size) {
        size_t n = size - from > (int64_t)sizeof block ? sizeof block : (size_t)(size - from);
        ok = io_pread_all(writer->fd, block, n, from, writer->path, err) && io_write_all(fd, block, n, path, err);
        from += (int64_t)n;
    }
    ok = ok && io_fsync(fd, path, err);
    if (fd >= 0)
        io->close(fd);
    free(path);
    free(folder);
    return ok;
}

/* Finds the end of the whole records up to `limit` (or all), takes the names declared there, and cuts the file. */
static bool continue_log(struct history_writer *writer, const char *run_folder, int64_t limit, struct err *err)
{
    struct history_reader *reader = history_open_reader_of(run_folder, path_name(writer->path), err);
    if (!reader)
        return false;
    struct record record;
    struct err why = {0};
    int found = 1;
    while (found == 1 && history_offset(reader) < limit)
        found = history_next(reader, &record, &why);
    int64_t end = history_offset(reader), size = lseek(writer->fd, 0, SEEK_END);
    size_t n;
    const char *const *names = history_names(reader, &n);
    set_names(writer, names, n);
    history_close_reader(reader);
    if (size < 0 || (found == -1 && why.code != ERR_FORMAT))
        return err_set(err, ERR_FAILED, "cannot read '%s': %s", writer->path, why.text);
    if (found == -1 && !keep_rest(writer, end, size, err))
        return false;
    return cut(writer, end, err);
}

struct history_writer *history_open_writer(const char *run_folder, struct err *err)
{
    return history_open_writer_of(run_folder, "history.log", err);
}

struct history_writer *history_open_writer_of(const char *run_folder, const char *file, struct err *err)
{
    char *path = path_join(run_folder, file);
    int fd = io_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0666, err);
    if (fd < 0) {
        free(path);
        return NULL;
    }
    struct history_writer *writer = xcalloc(1, sizeof *writer);
    *writer = (struct history_writer){.fd = fd, .path = path};
    if (!continue_log(writer, run_folder, INT64_MAX, err)) {
        history_close_writer(writer);
        return NULL;
    }
    return writer;
}

void history_close_writer(struct history_writer *writer)
{
    if (!writer)
        return;
    io->close(writer->fd);
    name_table_release(&writer->names);
    free(writer->ids);
    str_release(&writer->buffer);
    free(writer->path);
    free(writer);
}

int64_t history_length(const struct history_writer *writer)
{
    return writer->length + (int64_t)writer->buffer.length;
}

bool history_sync(struct history_writer *writer, struct err *err)
{
    return history_flush(writer, err) && io_fsync(writer->fd, writer->path, err);
}

/* One write of all that is in the buffer, which is empty then. On failure the file is cut back to its old end. */
bool history_flush(struct history_writer *writer, struct err *err)
{
    if (!writer->buffer.length)
        return true;
    bool ok = (!writer->torn || cut(writer, writer->length, err)) &&
              io_write_all(writer->fd, writer->buffer.data, writer->buffer.length, writer->path, err);
    if (ok) {
        writer->length += (int64_t)writer->buffer.length;
        writer->n_written = writer->names.n;
    } else {
        name_table_cut(&writer->names, writer->n_written);
        writer->n_ids = 0;
        if (!cut(writer, writer->length, NULL))
            err_prefix(err, "a torn record stays for now");
    }
    str_clear(&writer->buffer);
    return ok;
}

void history_moved(struct history_writer *writer, const char *run_folder)
{
    char *path = path_join(run_folder, path_name(writer->path));
    free(writer->path);
    writer->path = path;
}

void history_gather(struct history_writer *writer, size_t at_least_bytes)
{
    writer->gather = at_least_bytes;
}

static bool record_is_complete(struct history_writer *writer, struct err *err)
{
    return writer->buffer.length < writer->gather || history_flush(writer, err);
}

static void add_position(struct str *out, int64_t epoch, int64_t step, double time)
{
    frame_add(out, (uint64_t)epoch, 8);
    frame_add(out, (uint64_t)step, 8);
    frame_add_f64(out, time);
}

/* The id of a name, declared in the buffer on first use. */
static size_t declared(struct history_writer *writer, const char *name, size_t length)
{
    size_t known = writer->names.n, id = name_table_id(&writer->names, name, length);
    if (id < known)
        return id;
    size_t start = frame_begin(&writer->buffer, RECORD_NAMES);
    frame_add(&writer->buffer, id, 2);
    str_add(&writer->buffer, name);
    frame_end(&writer->buffer, start);
    return id;
}

static void forget(struct history_writer *writer, size_t n_names, size_t length)
{
    name_table_cut(&writer->names, n_names);
    if (writer->buffer.length > length)
        writer->buffer.data[writer->buffer.length = length] = 0;
}

bool history_add_metrics_at(struct history_writer *writer, int64_t epoch, int64_t step, double time,
                            const char *const *names, const double *values, size_t n, struct err *err)
{
    if (n > FRAME_MAX_METRICS)
        return err_set(err, ERR_FAILED, "%zu metrics in one record, at most %d fit", n, FRAME_MAX_METRICS);
    size_t n_known = writer->names.n, before = writer->buffer.length, n_before = writer->n_ids;
    writer->ids = xgrow(writer->ids, &writer->ids_capacity, n + 1, sizeof *writer->ids);
    for (size_t i = 0; i < n; i++) {
        if (i < n_before && !strcmp(names[i], writer->names.list[writer->ids[i]])) /* mostly as in the last record */
            continue;
        size_t length = strlen(names[i]),
               id = length && length <= FRAME_NAME_MAX_BYTES ? declared(writer, names[i], length) : SIZE_MAX;
        writer->ids[i] = (uint16_t)id;
        if (id > FRAME_MAX_METRICS) {
            forget(writer, n_known, before);
            writer->n_ids = 0;
            return err_set(err, ERR_FAILED,
                           "the metric name '%.40s' has %zu bytes, expected 1 to %d (and at most 65536 names)",
                           names[i], length, FRAME_NAME_MAX_BYTES);
        }
    }
    writer->n_ids = n;
    size_t start = frame_begin(&writer->buffer, RECORD_METRICS);
    add_position(&writer->buffer, epoch, step, time);
    frame_add(&writer->buffer, n, 2);
    frame_add_values(&writer->buffer, writer->ids, values, n);
    frame_end(&writer->buffer, start);
    return record_is_complete(writer, err);
}

bool history_add_metrics(struct history_writer *writer, int64_t epoch, int64_t step, const char *const *names,
                         const double *values, size_t n, struct err *err)
{
    return history_add_metrics_at(writer, epoch, step, io_wall_seconds(), names, values, n, err);
}

static bool add_json(struct history_writer *writer, int kind, int64_t epoch, int64_t step, double time,
                     const json_t *json, struct err *err)
{
    size_t start = frame_begin(&writer->buffer, kind);
    add_position(&writer->buffer, epoch, step, time);
    js_write(&writer->buffer, json, 0);
    size_t length = writer->buffer.length - start;
    if (length > JS_MAX_BYTES) {
        forget(writer, writer->names.n, start);
        return err_set(err, ERR_FAILED, "an event of %zu bytes, at most %d fit into the history", length, JS_MAX_BYTES);
    }
    frame_end(&writer->buffer, start);
    return record_is_complete(writer, err);
}

bool history_add_event(struct history_writer *writer, int64_t epoch, int64_t step, const json_t *event, struct err *err)
{
    return add_json(writer, RECORD_EVENT, epoch, step, io_wall_seconds(), event, err);
}

bool history_add_checkpoint(struct history_writer *writer, int64_t epoch, int64_t step, const json_t *checkpoint,
                            struct err *err)
{
    return add_json(writer, RECORD_CHECKPOINT, epoch, step, io_wall_seconds(), checkpoint, err);
}

bool history_add_json_at(struct history_writer *writer, enum record_kind kind, int64_t epoch, int64_t step, double time,
                         const json_t *json, struct err *err)
{
    BUG_ON(kind != RECORD_EVENT && kind != RECORD_CHECKPOINT);
    return add_json(writer, (int)kind, epoch, step, time, json, err);
}

bool history_truncate(struct history_writer *writer, int64_t length_bytes, struct err *err)
{
    if (!history_flush(writer, err))
        return false;
    if (length_bytes < 0 || length_bytes > writer->length)
        return err_set(err, ERR_FORMAT, "'%s' has %lld bytes, cannot go back to byte %lld", writer->path,
                       (long long)writer->length, (long long)length_bytes);
    char *folder = path_folder(writer->path);
    bool ok = continue_log(writer, folder, length_bytes, err);
    free(folder);
    if (ok && writer->length != length_bytes)
        return err_set(err, ERR_FORMAT, "'%s': no record ends at byte %lld", writer->path, (long long)length_bytes);
    return ok;
}
