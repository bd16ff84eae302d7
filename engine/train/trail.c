/* trail.c - see trail.h */
#include "base/arena.h"
#include "base/io.h"
#include "engine/train/checkpoint.h"
#include "engine/train/trail.h"
#include "persistence/keras/keras_file.h"
#include "persistence/runs/history_log.h"
#include "base/name_table.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* While the log and the folder are read, a file's place in the list is the number of its name. */
static bool is_known(const struct name_table *names, const char *name)
{
    return name_table_find(names, name, strlen(name)) != SIZE_MAX;
}

static struct trail_file *get(struct trail *trail, struct name_table *names, const char *name)
{
    size_t place = name_table_id(names, name, strlen(name));
    if (place < trail->n)
        return &trail->files[place];
    trail->files = xgrow(trail->files, &trail->capacity, trail->n + 1, sizeof *trail->files);
    trail->files[trail->n] =
        (struct trail_file){.name = xstrdup(name), .record_end = -1, .final = !strcmp(name, checkpoint_final_file)};
    return &trail->files[trail->n++];
}

static void file_release(struct trail_file *file)
{
    free(file->name);
    json_decref(file->record);
}

/* The last record of a name counts: best.keras is written again and again. */
static bool read_log(struct trail *trail, struct name_table *names, struct err *err)
{
    struct err why = {0};
    struct history_reader *reader = history_open_reader(trail->folder, 0, &why);
    if (!reader)
        return why.code == ERR_NOT_FOUND || err_set(err, why.code, "%s", why.text);
    struct record record;
    while (history_next(reader, &record, &why) == 1) {
        json_t *json = record.kind == RECORD_CHECKPOINT
                           ? js_parse(record.json, record.json_length, "history.log", JS_STRICT, NULL)
                           : NULL;
        const char *name = js_string(json, "checkpoint", NULL);
        if (name) {
            struct trail_file *file = get(trail, names, name);
            json_decref(file->record);
            file->record = json_incref(json);
            file->epoch = record.epoch;
            file->step = record.step;
            file->record_end = history_offset(reader);
            file->weights_only = js_bool(json, "weights_only", false);
            file->automatic = str_starts(name, "epoch-");
        }
        json_decref(json);
    }
    history_close_reader(reader);
    return true;
}

/* A file without a record says itself what it is. False when it is not ours or does not open. */
static bool ask_file(struct trail *trail, struct name_table *names, const char *name)
{
    struct trail_file probe = {.name = (char *)name};
    char *path = trail_path(trail, &probe);
    struct keras_file *opened = keras_file_open(path, NULL);
    const json_t *state = json_object_get(opened ? keras_file_metadata(opened) : NULL, "antler");
    const json_t *record = json_object_get(state, "record");
    struct stat st;
    bool ok = json_is_object(record) && !stat(path, &st);
    if (ok) {
        struct trail_file *file = get(trail, names, name);
        file->epoch = js_int(record, "epoch", 0);
        file->step = js_int(state, "step", 0);
        file->automatic = js_bool(record, "automatic", false);
        file->record = checkpoint_record(name, st.st_size, false, js_bool(record, "best", false),
                                         json_object_get(record, "metrics"));
    }
    keras_file_close(opened);
    free(path);
    return ok;
}

static bool is_checkpoint_name(const char *name)
{
    return name[0] != '.' && (str_ends(name, ".keras") || str_ends(name, ".weights.h5"));
}

static int by_step(const void *a, const void *b)
{
    const struct trail_file *x = a, *y = b;
    if (x->step != y->step)
        return x->step < y->step ? -1 : 1;
    if (x->epochs_done != y->epochs_done)
        return x->epochs_done < y->epochs_done ? -1 : 1;
    if (x->final != y->final)
        return x->final ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Of the files that share the last step, one may stand before the end of the epoch (its validation, its callbacks) and
 * another behind it. Only they are opened to ask. */
static void order_last_step(struct trail *trail)
{
    size_t first = trail->n;
    while (first && trail->files[first - 1].step == trail->files[trail->n - 1].step)
        first--;
    for (size_t i = first; trail->n - first > 1 && i < trail->n; i++) {
        char *path = trail_path(trail, &trail->files[i]);
        struct keras_file *opened = trail->files[i].weights_only ? NULL : keras_file_open(path, NULL);
        trail->files[i].epochs_done =
            js_int(json_object_get(opened ? keras_file_metadata(opened) : NULL, "antler"), "epoch", 0);
        keras_file_close(opened);
        free(path);
    }
    qsort(trail->files + first, trail->n - first, sizeof *trail->files, by_step);
}

static void drop_missing(struct trail *trail)
{
    size_t kept = 0;
    for (size_t i = 0; i < trail->n; i++) {
        char *path = trail_path(trail, &trail->files[i]);
        if (path_exists(path))
            trail->files[kept++] = trail->files[i];
        else
            file_release(&trail->files[i]);
        free(path);
    }
    trail->n = kept;
}

bool trail_read(struct trail *trail, const char *run_folder, struct err *err)
{
    *trail = (struct trail){.folder = xstrdup(run_folder)};
    char *folder = path_join(run_folder, "checkpoints");
    DIR *dir = opendir(folder);
    bool ok = dir || errno == ENOENT || err_errno(err, ERR_FAILED, errno, "cannot list '%s'", folder);
    struct name_table names = {0};
    ok = ok && read_log(trail, &names, err);
    for (struct dirent *entry; ok && dir && (entry = readdir(dir));)
        if (is_checkpoint_name(entry->d_name) && !is_known(&names, entry->d_name))
            ask_file(trail, &names, entry->d_name);
    name_table_release(&names);
    if (dir)
        closedir(dir);
    free(folder);
    if (!ok) {
        trail_release(trail);
        return false;
    }
    drop_missing(trail);
    if (trail->n) {
        qsort(trail->files, trail->n, sizeof *trail->files, by_step);
        order_last_step(trail);
    }
    return true;
}

void trail_release(struct trail *trail)
{
    for (size_t i = 0; i < trail->n; i++)
        file_release(&trail->files[i]);
    free(trail->files);
    free(trail->folder);
    *trail = (struct trail){0};
}

char *trail_path(const struct trail *trail, const struct trail_file *file)
{
    return xprintf("%s/checkpoints/%s", trail->folder, file->name);
}

bool trail_has(const struct trail *trail, const char *name, int64_t step)
{
    for (size_t i = 0; i < trail->n; i++)
        if (!strcmp(trail->files[i].name, name))
            return trail->files[i].step == step;
    return false;
}

bool trail_free_final(struct trail *trail, size_t k, struct err *err)
{
    struct trail_file *file = &trail->files[k];
    if (!file->final)
        return true;
    char *name = xprintf("step-%06lld.keras", (long long)file->step), *old = trail_path(trail, file);
    char *new = xprintf("%s/checkpoints/%s", trail->folder, name), *folder = path_folder(new);
    bool ok = !io->rename(old, new) || err_errno(err, ERR_FAILED, errno, "cannot rename '%s' to '%s'", old, new);
    ok = ok && io_sync_folder(folder, err);
    if (ok) {
        free(file->name);
        file->name = name;
        file->final = false;
        file->record_end = -1;
        json_object_set_new(file->record, "checkpoint", json_string(name));
        name = NULL;
    }
    free(name);
    free(old);
    free(new);
    free(folder);
    return ok;
}

void trail_announce(const struct trail *trail, struct journal *journal, int64_t step, int64_t length_bytes)
{
    for (size_t i = 0; i < trail->n; i++) {
        const struct trail_file *file = &trail->files[i];
        if (file->step <= step && !file->final && strcmp(file->name, checkpoint_backup_file) != 0 &&
            (file->record_end < 0 || file->record_end > length_bytes))
            journal_checkpoint(journal, file->epoch, file->step, json_incref(file->record));
    }
}
