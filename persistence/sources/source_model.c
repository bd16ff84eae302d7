/* source_model.c - see source_model.h */
#include "persistence/sources/source_model.h"

#include "base/arena.h"
#include "base/io.h"
#include "persistence/files/atomic_file.h"
#include "persistence/runs/history_log.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { COPY_BYTES = 1 << 20 };
#define COUNT_MAX (INT64_C(1) << 53)

bool source_is_model(const char *path)
{
    char head[4] = {0};
    int fd = path_is_folder(path) ? -1 : io_open(path, O_RDONLY | O_NONBLOCK, 0, NULL);
    if (fd < 0)
        return false;
    bool model = io->pread(fd, head, sizeof head, 0) == sizeof head &&
                 (!memcmp(head, "PK\3\4", sizeof head) || !memcmp(head, "\x89HDF", sizeof head));
    io->close(fd);
    return model;
}

static bool look(const char *path, int64_t *size_bytes, int64_t *modified_ns, struct err *err)
{
    struct stat st;
    if (stat(path, &st) || !S_ISREG(st.st_mode))
        return err_set(err, ERR_FORMAT, "'%s' is not an ordinary file", path);
    *size_bytes = st.st_size;
    *modified_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    return true;
}

bool source_model_begin(struct source_file *file, struct err *err)
{
    return look(file->path, &file->size_bytes, &file->modified_ns, err);
}

static bool is_unchanged(const struct source_file *file, struct err *err)
{
    int64_t size_bytes = 0, modified_ns = 0;
    if (!look(file->path, &size_bytes, &modified_ns, err))
        return false;
    return (size_bytes == file->size_bytes && modified_ns == file->modified_ns) ||
           err_set(err, ERR_FAILED, "'%s' is being written at this moment: import it once it is whole", file->path);
}

static bool copy_blocks(int fd, const struct source_file *file, struct atomic_file *copy, char *block, struct err *err)
{
    for (int64_t at = 0; at < file->size_bytes;) {
        int64_t left = file->size_bytes - at;
        size_t n = left < COPY_BYTES ? (size_t)left : COPY_BYTES;
        if (!io_pread_all(fd, block, n, at, file->path, err) || !atomic_file_write(copy, block, n, err))
            return false;
        at += (int64_t)n;
    }
    return is_unchanged(file, err);
}

static bool copy_file(const struct source_file *file, const char *to, struct err *err)
{
    char *block = io_allocate(COPY_BYTES, "copying a file", err);
    int fd = block ? io_open(file->path, O_RDONLY | O_NONBLOCK, 0, err) : -1;
    struct atomic_file *copy = fd >= 0 ? atomic_file_open(to, err) : NULL;
    bool ok = copy && atomic_file_reserve(copy, file->size_bytes, err) && copy_blocks(fd, file, copy, block, err) &&
              atomic_file_commit(&copy, err);
    atomic_file_abort(&copy);
    if (fd >= 0)
        io->close(fd);
    free(block);
    return ok;
}

/* The file's own name where it can be one of ours. free() it. */
static char *checkpoint_name(const struct source_file *file)
{
    const char *name = path_name(file->path),
               *end = strcmp(js_string(file->findings, "format", ""), "h5") ? ".keras" : ".h5";
    char *safe = run_safe_name(name);
    if (!strcmp(safe, name) && str_ends(name, end))
        return safe;
    free(safe);
    return xprintf("final%s", end);
}

static json_t *run_config(const struct source_file *file, const char *name, const char *checkpoint)
{
    char *absolute = realpath(file->path, NULL), *where = xprintf("checkpoints/%s", checkpoint);
    struct str description = {0};
    str_add(&description, "imported from ");
    str_add_visible(&description, absolute ? absolute : file->path);
    json_t *config =
        json_pack("{s:s, s:s, s:{s:s}}", "name", name, "description", str_text(&description), "model", "file", where);
    str_release(&description);
    free(where);
    free(absolute);
    return config;
}

/* A file that still lies in the checkpoints/ of its run: what the log there says of its metrics. New reference or NULL.
 */
static json_t *recorded_metrics(const char *path)
{
    char *real = realpath(path, NULL), *folder = path_folder(real ? real : path), *run = path_folder(folder);
    struct history_reader *reader =
        !strcmp(path_name(folder), "checkpoints") ? history_open_reader(run, 0, NULL) : NULL;
    struct record record;
    json_t *metrics = NULL;
    while (reader && history_next(reader, &record, NULL) == 1) {
        json_t *json =
            record.kind == RECORD_CHECKPOINT ? js_parse(record.json, record.json_length, "", JS_PYTHON, NULL) : NULL;
        if (json && !strcmp(js_string(json, "checkpoint", ""), path_name(real ? real : path))) {
            json_decref(metrics);
            metrics = json_incref(json_object_get(json, "metrics"));
        }
        json_decref(json);
    }
    history_close_reader(reader);
    free(run);
    free(folder);
    free(real);
    return metrics;
}

static int64_t count_of(const json_t *object, const char *key)
{
    int64_t n = js_int(object, key, 0);
    return n < 0 || n > COUNT_MAX ? 0 : n;
}

static bool add_metrics(struct history_writer *writer, int64_t epoch, int64_t step, const json_t *metrics,
                        struct err *err)
{
    size_t n = 0, size = json_object_size(metrics) + 1;
    const char **names = xcalloc(size, sizeof *names), *name;
    double *values = xcalloc(size, sizeof *values);
    json_t *value;
    json_object_foreach((json_t *)metrics, name, value) {
        names[n] = name;
        n += js_to_double(value, &values[n]);
    }
    bool ok = !n || history_add_metrics_at(writer, epoch, step, NAN, names, values, n, err);
    free(names);
    free(values);
    return ok;
}

static bool write_history(const char *folder, const struct source_file *file, const char *checkpoint, int64_t epoch,
                          int64_t step, struct err *err)
{
    json_t *metrics = recorded_metrics(file->path);
    json_t *record =
        json_pack("{s:s, s:I, s:b, s:b, s:o}", "checkpoint", checkpoint, "size_bytes", (json_int_t)file->size_bytes,
                  "weights_only", false, "best", true, "metrics", metrics ? json_incref(metrics) : json_object());
    struct history_writer *writer = history_open_writer(folder, err);
    bool ok = writer && add_metrics(writer, epoch, step, metrics, err) &&
              history_add_checkpoint(writer, epoch, step, record, err) && history_sync(writer, err);
    history_close_writer(writer);
    json_decref(record);
    json_decref(metrics);
    return ok;
}

struct run_making *source_model_make(const char *home, const struct source_file *file, const char *name,
                                     struct err *err)
{
    const json_t *state = json_object_get(file->findings, "antler"),
                 *optimizer = json_object_get(file->findings, "optimizer");
    int64_t epoch = count_of(state, "epoch"),
            step = state ? count_of(state, "step") : count_of(optimizer, "iterations");
    struct run_identity identity = {.name = name, .source = "keras"};
    char *checkpoint = checkpoint_name(file);
    json_t *config = run_config(file, name, checkpoint);
    struct run_making *making = config ? run_making_begin(home, &identity, config, err)
                                       : err_null(err, ERR_USAGE, "the name of '%s' is not UTF-8", file->path);
    char *copy = making ? xprintf("%s/checkpoints/%s", run_making_folder(making), checkpoint) : NULL;
    bool ok = making && copy_file(file, copy, err) &&
              write_history(run_making_folder(making), file, checkpoint, epoch, step, err) &&
              run_making_finish(making, epoch, step, err);
    if (!ok)
        run_making_abort(&making);
    free(copy);
    json_decref(config);
    free(checkpoint);
    return making;
}
