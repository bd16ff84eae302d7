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
    json_array_foreach(about->tags, i, tag)
    {
        if (json_is_string(tag) && identity.n_tags < sizeof tags / sizeof *tags)
            tags[identity.n_tags++] = json_string_value(tag);
    }
    bool ok = config && run_making_describe(making, &identity, config, err) &&
              run_making_end(making, about->end == SOURCE_FAILED ? RUN_FAILED : RUN_FINISHED, started, copy->last,
                             copy->epoch, copy->step, err);
    json_decref(config);
    return ok;
}

static struct run_making *import_history(struct import *import, const struct source_file *file, size_t i,
                                         struct err *err)
{
    const struct source *source = source_of(file->path, err);
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
    bool ok = open && source_copy_some(&copy, INFINITY, err) == 0;
    if (ok) {
        struct source_about about = {.started = NAN};
        if (source->about)
            source->about(copy.reader, &about);
        name = chosen_name(import, file, i, about.name);
        add_remark(import, file->path, &copy);
        ok = describe(making, &copy, path, name, &about, err);
    }
    if (open)
        source_copy_close(&copy);
    if (!ok && making)
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
        if (!files[i].findings)
            histories[n++] = import->makings[i];
    bool ok = !n || run_batch_settle(import->batch, histories, n, err);
    free(histories);
    return ok;
}

static bool commit(struct import *import, char **ids, struct err *err)
{
    size_t n_made = 0;
    bool ok = true;
    while (ok && n_made < import->n_files) {
        ok = run_making_commit(&import->makings[n_made], &ids[n_made], err);
        n_made += ok;
    }
    if (!ok && n_made) {
        err_prefix(err, "after %zu of %zu runs were made", n_made, import->n_files);
        while (n_made)
            free(ids[--n_made]);
    }
    return ok;
}

bool source_import(const char *home, const struct source_file *files, size_t n_files, const char *name, char **ids,
                   struct str *remarks, struct err *err)
{
    struct import import = {.home = home, .name = name, .n_files = n_files, .remarks = remarks};
    bool ok = true;
    import.makings = xcalloc(n_files + 1, sizeof(struct run_making *));
    for (size_t i = 0; ok && i < n_files; i++) {
        import.makings[i] =
            files[i].findings ? import_model(&import, &files[i], i, err) : import_history(&import, &files[i], i, err);
        ok = import.makings[i] != NULL;
    }
    ok = ok && settle(&import, files, err) && commit(&import, ids, err);
    for (size_t i = 0; i < n_files; i++)
        run_making_abort(&import.makings[i]);
    if (!run_batch_close(import.batch, ok ? err : NULL) && ok) {
        for (size_t i = 0; i < n_files; i++)
            free(ids[i]);
        ok = false;
    }
    free(import.makings);
    return ok;
}
