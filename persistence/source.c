/* source.c - see source.h: the table of formats, and how a foreign history becomes a run */
#include "persistence/source.h"

#include "base/arena.h"
#include "base/io.h"
#include "persistence/run_making.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const struct source *const sources[] = {&source_log, &source_csvlogger, NULL};

enum { HEAD_BYTES = 4096 };

static bool read_head(const char *path, char head[HEAD_BYTES + 1], struct err *err)
{
    head[0] = 0;
    if (path_is_folder(path))
        return true;
    int fd = io_open(path, O_RDONLY | O_NONBLOCK, 0, err);
    if (fd < 0)
        return false;
    struct stat st;
    bool ordinary = !fstat(fd, &st) && S_ISREG(st.st_mode);
    ssize_t n = ordinary ? io->pread(fd, head, HEAD_BYTES, 0) : 0;
    int error = errno;
    head[n > 0 ? n : 0] = 0;
    io->close(fd);
    if (!ordinary)
        return err_set(err, ERR_FORMAT, "'%s' is not an ordinary file", path);
    return n >= 0 || err_errno(err, ERR_FAILED, error, "cannot read '%s'", path);
}

const struct source *source_of(const char *path, struct err *err)
{
    char head[HEAD_BYTES + 1];
    if (!read_head(path, head, err))
        return NULL;
    for (size_t s = 0; sources[s]; s++)
        if (sources[s]->recognise(path, head))
            return sources[s];
    return err_null(err, ERR_FORMAT, "'%s' is nothing that can be imported; expected %s, %s or a model saved as .keras",
                    path, source_csvlogger.what, source_log.what);
}

/* "a/b/history.csv" -> "history"; a folder's or a log's name is the run's. */
static char *name_of_file(const char *path)
{
    char *folder = path_folder(path), *name;
    if (!strcmp(path_name(path), "history.log")) {
        name = xstrdup(path_name(folder));
    } else {
        size_t n = strlen(path);
        while (n > 1 && path[n - 1] == '/')
            n--;
        char *trimmed = xstrndup(path, n);
        name = xstrdup(path_name(trimmed));
        char *dot = strrchr(name, '.');
        if (dot && dot > name)
            *dot = 0;
        free(trimmed);
    }
    free(folder);
    return name;
}

struct import {
    const struct source *source;
    struct source_reader *reader;
    struct run_making *making;
};

/* Copies all records into the run that is being made; the last epoch and step. */
static bool copy_records(struct import *import, int64_t *epoch, int64_t *step, struct err *err)
{
    struct history_writer *writer = history_open_writer(run_making_folder(import->making), err);
    struct record record;
    int found = writer ? 1 : -1;
    *epoch = *step = 0;
    while (found == 1 && (found = import->source->next(import->reader, &record, err)) == 1) {
        if (record.kind != RECORD_METRICS)
            continue;
        *epoch = record.epoch > *epoch ? record.epoch : *epoch;
        *step = record.step > *step ? record.step : *step;
        if (!history_add_metrics_at(writer, record.epoch, record.step, record.time, record.names, record.values,
                                    record.n, err))
            found = -1;
    }
    bool ok = found == 0 && history_sync(writer, err);
    history_close_writer(writer);
    return ok;
}

static bool make_history_run(struct import *import, const char *home, const char *path, const char *name,
                             struct err *err)
{
    char *absolute = realpath(path, NULL);
    json_t *config = json_pack("{s:s, s:{s:s, s:s}}", "name", name, "imported", "format", import->source->name, "file",
                               absolute ? absolute : path);
    struct run_identity identity = {.name = name, .source = import->source->name};
    int64_t epoch, step;
    bool ok = config || err_set(err, ERR_USAGE, "the name of '%s' is not UTF-8", path);
    if (ok)
        import->making = run_making_begin(home, &identity, config, err);
    ok = ok && import->making && copy_records(import, &epoch, &step, err) &&
         run_making_finish(import->making, epoch, step, err);
    json_decref(config);
    free(absolute);
    return ok;
}

static bool make_run(struct import *import, const char *home, const struct source_file *file, const char *name,
                     struct err *err)
{
    if (!file->findings)
        return make_history_run(import, home, file->path, name, err);
    import->making = source_model_make(home, file, name, err);
    return import->making != NULL;
}

static bool open_all(struct import *imports, const struct source_file *files, size_t n, struct str *remarks,
                     struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (files[i].findings)
            continue;
        imports[i].source = source_of(files[i].path, err);
        imports[i].reader = imports[i].source ? imports[i].source->open(files[i].path, err) : NULL;
        if (!imports[i].reader)
            return false;
        const char *remark = imports[i].source->remark ? imports[i].source->remark(imports[i].reader) : NULL;
        if (remark)
            str_addf(remarks, "%s'%s': %s", remarks->length ? "; " : "", files[i].path, remark);
    }
    return true;
}

bool source_import(const char *home, const struct source_file *files, size_t n_files, const char *name, char **ids,
                   struct str *remarks, struct err *err)
{
    struct import *imports = xcalloc(n_files + 1, sizeof *imports);
    size_t n_made = 0;
    bool ok = open_all(imports, files, n_files, remarks, err);
    for (size_t i = 0; ok && i < n_files; i++) {
        char *own = !name ? name_of_file(files[i].path) : n_files == 1 ? xstrdup(name) : xprintf("%s-%zu", name, i + 1);
        ok = make_run(&imports[i], home, &files[i], own, err);
        free(own);
    }
    while (ok && n_made < n_files) {
        ok = run_making_commit(&imports[n_made].making, &ids[n_made], err);
        n_made += ok;
    }
    if (!ok && n_made) {
        err_prefix(err, "after %zu of %zu runs were made", n_made, n_files);
        while (n_made)
            free(ids[--n_made]);
    }
    for (size_t i = 0; i < n_files; i++) {
        run_making_abort(&imports[i].making);
        if (imports[i].reader)
            imports[i].source->close(imports[i].reader);
    }
    free(imports);
    return ok;
}
