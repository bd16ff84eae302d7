/* history_reader.c - the reading half of history_log.h */
#include "persistence/runs/history_frame.h"
#include "persistence/runs/history_log.h"

#include "base/arena.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { BLOCK_BYTES = 256 << 10, SEARCH_MAX_BYTES = 4 << 20 };

struct history_reader {
    int fd;
    char *path;
    char *buffer; /* bytes [start, start + filled) of the file */
    size_t filled, capacity;
    int64_t start, offset; /* offset: of the next frame, inside or at the end of the buffer */
    int64_t last_frame;    /* where the last frame read starts, -1 before the first */
    uint64_t last_header;
    char **names;
    size_t n_names, names_capacity;
    const char **record_names;
    double *values;
    uint16_t *ids;
    size_t record_capacity, values_capacity, ids_capacity;
};

bool frame_follows(const char *p, size_t n)
{
    size_t budget = SEARCH_MAX_BYTES;
    for (size_t from = 1; from + FRAME_HEADER_BYTES < n && from < SEARCH_MAX_BYTES; from++) {
        size_t length = frame_u32(p + from);
        if (!length || length > n - from - FRAME_HEADER_BYTES || length > FRAME_MAX_BYTES)
            continue;
        char kind = p[from + FRAME_HEADER_BYTES];
        if (kind < RECORD_NAMES || kind > RECORD_CHECKPOINT || length > budget)
            continue;
        budget -= length;
        if (frame_look(p + from, n - from, &length) == FRAME_WHOLE)
            return true;
    }
    return false;
}

/* Takes the path. */
static struct history_reader *open_reader(char *path, int64_t offset, const char *const *names, size_t n_names,
                                          struct err *err)
{
    int fd = io_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, err);
    struct stat st;
    if (fd >= 0 && (fstat(fd, &st) || !S_ISREG(st.st_mode))) {
        err_set(err, ERR_FORMAT, "'%s' is no file", path);
        io->close(fd);
        fd = -1;
    }
    if (fd < 0) {
        free(path);
        return NULL;
    }
    struct history_reader *reader = xcalloc(1, sizeof *reader);
    *reader = (struct history_reader){.fd = fd, .path = path, .start = offset, .offset = offset, .last_frame = -1};
    reader->names = xgrow(NULL, &reader->names_capacity, n_names + 1, sizeof *reader->names);
    for (size_t i = 0; i < n_names; i++)
        reader->names[i] = names[i] ? xstrdup(names[i]) : NULL;
    reader->n_names = n_names;
    return reader;
}

struct history_reader *history_open_reader_at(const char *run_folder, int64_t offset, const char *const *names,
                                              size_t n_names, struct err *err)
{
    return open_reader(path_join(run_folder, "history.log"), offset, names, n_names, err);
}

struct history_reader *history_open_reader_of(const char *run_folder, const char *file, struct err *err)
{
    return open_reader(path_join(run_folder, file), 0, NULL, 0, err);
}

struct history_reader *history_open_reader(const char *run_folder, int64_t offset, struct err *err)
{
    struct history_reader *reader = history_open_reader_at(run_folder, 0, NULL, 0, err);
    struct record record;
    int found = 1;
    while (reader && reader->offset < offset && found == 1)
        found = history_next(reader, &record, err);
    if (reader && reader->offset != offset) {
        if (found != -1)
            err_set(err, ERR_FORMAT, "'%s': no record starts at byte %lld", reader->path, (long long)offset);
        history_close_reader(reader);
        return NULL;
    }
    return reader;
}

void history_close_reader(struct history_reader *reader)
{
    if (!reader)
        return;
    io->close(reader->fd);
    for (size_t i = 0; i < reader->n_names; i++)
        free(reader->names[i]);
    free(reader->names);
    free(reader->record_names);
    free(reader->values);
    free(reader->ids);
    free(reader->buffer);
    free(reader->path);
    free(reader);
}

int64_t history_offset(const struct history_reader *reader)
{
    return reader->offset;
}

const char *const *history_names(const struct history_reader *reader, size_t *n)
{
    *n = reader->n_names;
    return (const char *const *)reader->names;
}

bool history_last_frame(const struct history_reader *reader, int64_t *offset, uint64_t *header)
{
    *offset = reader->last_frame;
    *header = reader->last_header;
    return reader->last_frame >= 0;
}

bool history_frame_header(const char *run_folder, int64_t offset, uint64_t *header)
{
    char *path = path_join(run_folder, "history.log"), bytes[FRAME_HEADER_BYTES];
    int fd = io_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, NULL);
    free(path);
    if (fd < 0)
        return false;
    bool ok = io_pread_all(fd, bytes, sizeof bytes, offset, "history.log", NULL);
    io->close(fd);
    *header = ok ? frame_u64(bytes) : 0;
    return ok;
}

/* Bytes of the buffer that lie behind the offset. */
static size_t available(const struct history_reader *reader)
{
    return reader->filled - (size_t)(reader->offset - reader->start);
}

/* Reads on until `need` bytes lie behind the offset; fewer when the file ends. False on an I/O error. */
static bool fill(struct history_reader *reader, size_t need, struct err *err)
{
    if (available(reader) >= need)
        return true;
    size_t used = (size_t)(reader->offset - reader->start), kept = available(reader);
    if (kept && used)
        memmove(reader->buffer, reader->buffer + used, kept);
    reader->start = reader->offset;
    reader->filled = kept;
    reader->buffer = xgrow(reader->buffer, &reader->capacity, need > BLOCK_BYTES ? need : BLOCK_BYTES, 1);
    size_t n;
    bool ok = io_pread_some(reader->fd, reader->buffer + kept, need - kept, reader->capacity - kept,
                            reader->start + (int64_t)kept, reader->path, &n, err);
    reader->filled += n;
    return ok;
}

static int damaged(const struct history_reader *reader, const char *what, struct err *err)
{
    err_set(err, ERR_FORMAT, "'%s' is damaged at byte %lld: %s; what came before is kept", reader->path,
            (long long)reader->offset, what);
    return -1;
}

static bool take_name(struct history_reader *reader, const char *payload, size_t length)
{
    if (length < 4 || length > FRAME_NAME_MAX_BYTES + 3 || memchr(payload + 3, 0, length - 3))
        return false;
    size_t id = frame_u16(payload + 1);
    reader->names = xgrow(reader->names, &reader->names_capacity, id + 1, sizeof *reader->names);
    for (; reader->n_names <= id; reader->n_names++)
        reader->names[reader->n_names] = NULL;
    struct str name = {0};
    char *text = xstrndup(payload + 3, length - 3);
    str_add_visible(&name, text);
    free(text);
    free(reader->names[id]);
    reader->names[id] = str_take(&name);
    return true;
}

static bool take_metrics(struct history_reader *reader, const char *p, size_t length, struct record *record)
{
    size_t n = length >= 27 ? frame_u16(p + 25) : 0;
    if (length < 27 || length != 27 + 10 * n)
        return false;
    reader->record_names = xgrow(reader->record_names, &reader->record_capacity, n + 1, sizeof *reader->record_names);
    reader->values = xgrow(reader->values, &reader->values_capacity, n + 1, sizeof *reader->values);
    reader->ids = xgrow(reader->ids, &reader->ids_capacity, n + 1, sizeof *reader->ids);
    for (size_t i = 0; i < n; i++) {
        uint16_t id = frame_u16(p + 27 + 10 * i);
        if (id >= reader->n_names || !reader->names[id])
            return false;
        reader->record_names[i] = reader->names[id];
        reader->ids[i] = id;
        reader->values[i] = frame_f64(p + 29 + 10 * i);
    }
    record->n = n;
    record->names = reader->record_names;
    record->values = reader->values;
    record->ids = reader->ids;
    return true;
}

static bool take_payload(struct history_reader *reader, const char *p, size_t length, struct record *record)
{
    *record = (struct record){.kind = (enum record_kind)p[0]};
    if (p[0] == RECORD_NAMES)
        return take_name(reader, p, length);
    if (p[0] < RECORD_METRICS || p[0] > RECORD_CHECKPOINT || length < 25)
        return false;
    record->epoch = (int64_t)frame_u64(p + 1);
    record->step = (int64_t)frame_u64(p + 9);
    record->time = frame_f64(p + 17);
    if (p[0] == RECORD_METRICS)
        return take_metrics(reader, p, length, record);
    record->json = p + 25;
    record->json_length = length - 25;
    return true;
}

/* The frame at the offset is not whole: the torn end of a log, or damage in it? */
static int broken(struct history_reader *reader, const char *what, struct err *err)
{
    if (!fill(reader, SEARCH_MAX_BYTES, err))
        return -1;
    const char *p = reader->buffer + (reader->offset - reader->start);
    return frame_follows(p, available(reader)) ? damaged(reader, what, err) : 0;
}

static int next_frame(struct history_reader *reader, struct record *record, struct err *err)
{
    if (!fill(reader, FRAME_HEADER_BYTES, err))
        return -1;
    if (available(reader) < FRAME_HEADER_BYTES)
        return 0;
    size_t length = frame_u32(reader->buffer + (reader->offset - reader->start));
    if (length && length <= FRAME_MAX_BYTES && !fill(reader, length + FRAME_HEADER_BYTES, err))
        return -1;
    const char *p = reader->buffer + (reader->offset - reader->start);
    switch (frame_look(p, available(reader), &length)) {
    case FRAME_SHORT:
        return broken(reader, "a record is cut off", err);
    case FRAME_BAD:
        return broken(reader, "the checksum of a record is wrong", err);
    case FRAME_WHOLE:
        break;
    }
    if (!take_payload(reader, p + FRAME_HEADER_BYTES, length, record))
        return damaged(reader, "a record makes no sense", err);
    reader->last_frame = reader->offset;
    reader->last_header = frame_u64(p);
    reader->offset += FRAME_HEADER_BYTES + (int64_t)length;
    return 1;
}

int history_next(struct history_reader *reader, struct record *record, struct err *err)
{
    int found;
    do
        found = next_frame(reader, record, err);
    while (found == 1 && record->kind == RECORD_NAMES);
    return found;
}
