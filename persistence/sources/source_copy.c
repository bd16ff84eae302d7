/* source_copy.c - see source_copy.h */
#include "persistence/sources/source_copy.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/io.h"
#include "persistence/runs/run_pictures.h"
#include "persistence/sources/event_file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GATHER_BYTES = 1 << 20, CLOCK_EVERY = 64, PICTURES_MAX = 2000 };
#define PICTURES_MAX_BYTES (INT64_C(256) << 20)

bool source_copy_open(struct source_copy *copy, const struct source *source, const char *path, const char *folder,
                      struct err *err)
{
    *copy = (struct source_copy){.source = source, .lines = -1, .first = NAN, .last = NAN};
    copy->reader = source->open(path, err);
    copy->writer = copy->reader ? history_open_writer(folder, err) : NULL;
    if (!copy->writer) {
        source_copy_close(copy);
        return false;
    }
    history_gather(copy->writer, GATHER_BYTES);
    copy->folder = xstrdup(folder);
    return true;
}

void source_copy_close_reader(struct source_copy *copy)
{
    if (copy->reader)
        copy->source->close(copy->reader);
    copy->reader = NULL;
}

void source_copy_close(struct source_copy *copy)
{
    if (copy->source)
        source_copy_close_reader(copy);
    history_close_writer(copy->writer);
    if (copy->lines >= 0)
        io->close(copy->lines);
    free(copy->folder);
    *copy = (struct source_copy){.lines = -1};
}

void source_copy_moved(struct source_copy *copy, const char *folder)
{
    free(copy->folder);
    copy->folder = xstrdup(folder);
    history_moved(copy->writer, folder);
}

static bool add_lines(struct source_copy *copy, const struct source_record *record, struct err *err)
{
    char *path = path_join(copy->folder, "log.txt");
    if (copy->lines < 0)
        copy->lines = io_open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0666, err);
    bool ok = copy->lines >= 0 && io_write_all(copy->lines, record->text, record->length, path, err);
    free(path);
    return ok;
}

static bool add_event(struct source_copy *copy, const struct source_record *record, struct err *err)
{
    json_t *event = js_parse(record->text, record->length, "event", JS_PYTHON, NULL);
    bool ok = !json_is_object(event) ||
              history_add_json_at(copy->writer, RECORD_EVENT, record->epoch, record->step, record->time, event, err);
    json_decref(event);
    return ok;
}

/* What is neither PNG nor JPEG could not be shown: it is counted. */
static bool add_picture(struct source_copy *copy, const struct source_record *record, struct err *err)
{
    const char *suffix = event_image_suffix((const uint8_t *)record->text, record->length);
    if (!suffix || copy->n_pictures >= PICTURES_MAX ||
        copy->picture_bytes + (int64_t)record->length > PICTURES_MAX_BYTES) {
        copy->n_left_out++;
        return true;
    }
    char *folder = run_pictures_folder(copy->folder), *name = run_picture_name(record->names[0], record->step, suffix);
    char *path = path_join(folder, name);
    int fd = io_make_folders(folder, err) ? io_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0666, err) : -1;
    bool ok = fd >= 0 && io_write_all(fd, record->text, record->length, path, err);
    if (fd >= 0)
        io->close(fd);
    ok = ok && (!record->caption || run_picture_write_caption(folder, name, record->caption, err));
    copy->n_pictures++;
    copy->picture_bytes += (int64_t)record->length;
    free(path);
    free(name);
    free(folder);
    return ok;
}

static bool add(struct source_copy *copy, const struct source_record *record, struct err *err)
{
    switch (record->kind) {
    case SOURCE_METRICS:
        copy->epoch = record->epoch > copy->epoch ? record->epoch : copy->epoch;
        copy->step = record->step > copy->step ? record->step : copy->step;
        if (record->time > 0) {
            copy->first = isnan(copy->first) ? record->time : copy->first;
            copy->last = record->time > copy->last || isnan(copy->last) ? record->time : copy->last;
        }
        return history_add_metrics_at(copy->writer, record->epoch, record->step, record->time, record->names,
                                      record->values, record->n, err);
    case SOURCE_EVENT:
        return add_event(copy, record, err);
    case SOURCE_LINES:
        return add_lines(copy, record, err);
    case SOURCE_PICTURE:
        return add_picture(copy, record, err);
    }
    return true;
}

static uint64_t mix_record(uint64_t fingerprint, const struct source_record *record)
{
    int64_t facts[] = {record->epoch, record->step, (int64_t)record->n, record->kind};
    fingerprint = hash_mix(fingerprint, facts, sizeof facts);
    for (size_t i = 0; i < record->n && record->values; i++) {
        fingerprint = hash_mix(fingerprint, record->names[i], strlen(record->names[i]));
        fingerprint = hash_mix(fingerprint, &record->values[i], sizeof record->values[i]);
    }
    return fingerprint;
}

/* Whether the reader gives what was given before, and stands behind it. */
static bool goes_on(struct source_copy *copy, struct source_reader *reader)
{
    struct source_record record;
    uint64_t fingerprint = 0;
    for (int64_t n = 0; n < copy->n_records; n++) {
        if (copy->source->next(reader, &record, NULL) != 1)
            return false;
        fingerprint = mix_record(fingerprint, &record);
    }
    return fingerprint == copy->fingerprint;
}

bool source_copy_again(struct source_copy *copy, const char *path, struct err *err)
{
    struct source_reader *reader = copy->source->open(path, err);
    if (!reader)
        return false;
    if (!goes_on(copy, reader)) {
        copy->source->close(reader);
        reader = copy->source->open(path, err);
        if (!reader || !history_truncate(copy->writer, 0, err)) {
            if (reader)
                copy->source->close(reader);
            return false;
        }
        copy->n_records = copy->epoch = copy->step = 0;
        copy->fingerprint = 0;
    }
    source_copy_close_reader(copy);
    copy->reader = reader;
    return true;
}

int source_copy_some(struct source_copy *copy, double deadline, struct err *err)
{
    struct source_record record;
    struct err why = {0};
    int found = 1;
    for (int n = 0; found == 1; n++) {
        if (n % CLOCK_EVERY == 0 && isfinite(deadline) && io_monotonic_seconds() > deadline)
            break;
        found = copy->source->next(copy->reader, &record, &why);
        if (found == 1 && !add(copy, &record, &why))
            found = -1;
        copy->n_records += found == 1;
        if (found == 1 && copy->source->once)
            copy->fingerprint = mix_record(copy->fingerprint, &record);
    }
    if (!history_flush(copy->writer, found == -1 ? NULL : &why)) /* also what came before a damage */
        found = -1;
    if (found == -1)
        err_set(err, why.code, "%s", why.text);
    return found;
}

json_t *source_config(const struct source *source, const char *path, const char *name, const struct source_about *about,
                      struct err *err)
{
    char *absolute = realpath(path, NULL);
    bool own = source == &source_log && json_is_object(about->config);
    json_t *imported = json_pack("{s:s, s:s}", "format", source->name, "file", absolute ? absolute : path);
    json_t *config = own ? json_copy(about->config) : json_object();
    bool ok = imported && !json_object_set_new(config, "name", json_string(name));
    ok = !json_object_set_new(config, "imported", imported) && ok;
    if (ok && about->config && !own)
        json_object_set(config, "settings", about->config);
    free(absolute);
    if (ok)
        return config;
    json_decref(config);
    return err_null(err, ERR_USAGE, "the name of '%s' is not UTF-8", path);
}
