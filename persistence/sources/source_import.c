/* source_import.c - source_import of source.h: foreign histories and models become runs, all of them or none */
#include "persistence/sources/source_copy.h"

#include "base/arena.h"
#include "base/io.h"
#include "persistence/runs/run_making.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct import {
    const char *home, *name; /* name: the given one or NULL */
    size_t n_files;
    struct run_batch *batch; /* of the histories */
    struct run_making **makings;
    struct str *remarks;
};

/* "--name N" of several files: N-1, N-2, ...; else what the source or the path says. free() it. */
static char *chosen_name(const struct import *import, const struct source_file *file, size_t i, const char *own)
{
    if (import->name)
        return import->n_files == 1 ? xstrdup(import->name) : xprintf("%s-%zu", import->name, i + 1);
    if (own && *own)
        return xstrdup(own);
    return file->name ? xstrdup(file->name) : source_name(file->path);
}

static void add_remark(const struct import *import, const char *path, const struct source_copy *copy)
{
    const char *remark = copy->source->remark ? copy->source->remark(copy->reader) : NULL;
    if (remark)
        str_addf(import->remarks, "%s'%s': %s", import->remarks->length ? "; " : "", path, remark);
    if (copy->n_left_out)
        str_addf(import->remarks,
                 "%s'%s': %zu pictures were left out: PNG and JPEG are kept, at most 2000 of them and 256 MiB",
                 import->remarks->length ? "; " : "", path, copy->n_left_out);
}

static bool describe(struct run_making *making, const struct source_copy *copy, const char *path, const char *name,
                     const struct source_about *about, struct err *err)
{
    double started = about->started > 0 ? about->started : copy->first;
    const char *tags[64];
    struct run_identity identity = {.name = name,
                                    .source = copy->source->name,
                                    .note = about->note,
                                    .created = started > 0 ? started : 0,
                                    .tags = tags};
    json_t *config = source_config(copy->source, path, name, about, err), *tag;
    size_t i;
    json_array_foreach(about->tags, i, tag) {
        if (json_is_string(tag) && identity.n_tags < sizeof tags / sizeof *tags)
            tags[identity.n_tags++] = json_string_value(tag);
    }
    bool ok = config && run_making_describe(making, &identity, config, err) &&
              run_making_end(making, about->end == SOURCE_FAILED ? RUN_FAILED : RUN_FINISHED, started, copy->last,
                             copy->epoch, copy->step, err);
    json_decref(config);
    return ok;
}

/* A file that nothing was written to yet, or nothing that could be shown. Of a run folder its settings remain. */
static bool is_empty(const struct source_copy *copy)
{
    return !copy->n_records && copy->source != &source_log;
}

/* NULL without err: it holds nothing. */
static struct run_making *import_history(struct import *import, const struct source_file *file, size_t i, bool *ok,
                                         struct err *err)
{
    const struct source *source = source_of(file->path, err);
    *ok = false;
    if (!source)
        return NULL;
    if (!import->batch && !(import->batch = run_batch_open(import->home, true, err)))
        return NULL;
    char *path = source->whole ? source->whole(file->path) : xstrdup(file->path), *name = NULL;
    json_t *nothing = json_object();
    struct run_making *making =
        run_batch_begin(import->batch, &(struct run_identity){.source = source->name}, nothing, err);
    struct source_copy copy;
    bool open = making && source_copy_open(&copy, source, path, run_making_folder(making), err);
    *ok = open && source_copy_some(&copy, INFINITY, err) == 0;
    bool empty = *ok && is_empty(&copy);
    if (empty)
        str_addf(import->remarks, "%s'%s' holds no values, so no run was made of it",
                 import->remarks->length ? "; " : "", file->path);
    if (*ok && !empty) {
        struct source_about about = {.started = NAN};
        if (source->about)
            source->about(copy.reader, &about);
        name = chosen_name(import, file, i, about.name);
        add_remark(import, file->path, &copy);
        *ok = describe(making, &copy, path, name, &about, err);
    }
    if (open)
        source_copy_close(&copy);
    if ((!*ok || empty) && making)
        run_making_abort(&making);
    json_decref(nothing);
    free(path);
    free(name);
    return making;
}

static struct run_making *import_model(struct import *import, const struct source_file *file, size_t i, struct err *err)
{
    char *name = chosen_name(import, file, i, NULL);
    struct run_making *making = source_model_make(import->home, file, name, err);
    free(name);
    return making;
}

static bool settle(struct import *import, const struct source_file *files, struct err *err)
{
    struct run_making **histories = xcalloc(import->n_files + 1, sizeof(struct run_making *));
    size_t n = 0;
    for (size_t i = 0; i < import->n_files; i++)
        if (!files[i].findings && import->makings[i])
            histories[n++] = import->makings[i];
    bool ok = !n || run_batch_settle(import->batch, histories, n, err);
    free(histories);
    return ok;
}

static void forget_ids(char **ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(ids[i]);
        ids[i] = NULL;
    }
}

static bool commit(struct import *import, char **ids, struct err *err)
{
    size_t n_made = 0, n = 0;
    bool ok = true;
    for (size_t i = 0; i < import->n_files; i++)
        n += import->makings[i] != NULL;
    for (size_t i = 0; ok && i < import->n_files; i++) {
        ok = !import->makings[i] || run_making_commit(&import->makings[i], &ids[i], err);
        n_made += ids[i] != NULL;
    }
    if (!ok && n_made)
        err_prefix(err, "after %zu of %zu runs were made", n_made, n);
    if (!ok)
        forget_ids(ids, import->n_files);
    return ok;
}

bool source_import(const char *home, const struct source_file *files, size_t n_files, const char *name, char **ids,
                   struct str *remarks, struct err *err)
{
    struct import import = {.home = home, .name = name, .n_files = n_files, .remarks = remarks};
    bool ok = true, any = false;
    memset(ids, 0, n_files * sizeof *ids);
    import.makings = xcalloc(n_files + 1, sizeof(struct run_making *));
    for (size_t i = 0; ok && i < n_files; i++) {
        if (!files[i].findings)
            import.makings[i] = import_history(&import, &files[i], i, &ok, err);
        else
            ok = (import.makings[i] = import_model(&import, &files[i], i, err)) != NULL;
        any |= import.makings[i] != NULL;
    }
    if (ok && !any)
        ok = n_files == 1 ? err_set(err, ERR_FORMAT, "'%s' holds no values yet: there is nothing to make a run of",
                                    files[0].path)
                          : err_set(err, ERR_FORMAT,
                                    "none of the %zu files holds a value: there is nothing to make a run of", n_files);
    ok = ok && settle(&import, files, err) && commit(&import, ids, err);
    for (size_t i = 0; i < n_files; i++)
        run_making_abort(&import.makings[i]);
    if (!run_batch_close(import.batch, ok ? err : NULL) && ok) {
        forget_ids(ids, n_files);
        ok = false;
    }
    free(import.makings);
    return ok;
}
