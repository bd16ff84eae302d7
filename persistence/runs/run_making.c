/* run_making.c - see run_making.h; run_create of run_folder.h */
#include "base/arena.h"
#include "base/io.h"
#include "persistence/files/atomic_file.h"
#include "persistence/runs/run_internal.h"
#include "persistence/runs/run_making_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { NAME_MAX_BYTES = 64, STALE_AFTER_S = 3600 };
static const char hidden_prefix[] = ".new-";

char *run_safe_name(const char *name)
{
    struct str visible = {0}, safe = {0};
    str_add_visible(&visible, name ? name : "");
    for (const char *p = str_text(&visible); *p; p++) {
        unsigned char c = (unsigned char)*p;
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
                     c == '_' || c >= 0x80;
        char last = safe.length ? safe.data[safe.length - 1] : '-';
        if (plain && !(c == '.' && !safe.length))
            str_add_char(&safe, (char)c);
        else if (last != '-')
            str_add_char(&safe, '-');
    }
    if (safe.length > NAME_MAX_BYTES) {
        size_t n = NAME_MAX_BYTES;
        while (n && ((unsigned char)safe.data[n] & 0xC0) == 0x80)
            n--;
        safe.length = n;
    }
    while (safe.length && strchr("-.", safe.data[safe.length - 1]))
        safe.length--;
    if (safe.data)
        safe.data[safe.length] = 0;
    str_release(&visible);
    if (!safe.length)
        str_add(&safe, "run");
    return str_take(&safe);
}

void run_remove_tree(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        char *path = path_join(folder, entry->d_name);
        struct stat st;
        if (!lstat(path, &st) && S_ISDIR(st.st_mode))
            run_remove_tree(path);
        else
            io->unlink(path);
        free(path);
    }
    if (dir)
        closedir(dir);
    rmdir(folder);
}

/* What killed makers left behind. */
static void remove_stale(const char *home)
{
    DIR *dir = opendir(home);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        if (!str_starts(entry->d_name, hidden_prefix))
            continue;
        char *path = path_join(home, entry->d_name);
        struct stat st;
        if (!lstat(path, &st) && S_ISDIR(st.st_mode) && io_wall_seconds() - (double)st.st_mtime > STALE_AFTER_S)
            run_remove_tree(path);
        free(path);
    }
    if (dir)
        closedir(dir);
}

static json_t *identity_json(const struct run_identity *identity, double created)
{
    json_t *run = json_object(), *tags = json_array(), *parent = json_null();
    for (size_t t = 0; t < identity->n_tags; t++)
        json_array_append_new(tags, js_text_value(identity->tags[t]));
    if (identity->parent_run || identity->parent_checkpoint)
        parent = json_pack("{s:o, s:o, s:I, s:I}", "run", js_text_value(identity->parent_run), "checkpoint",
                           js_text_value(identity->parent_checkpoint), "epoch", (json_int_t)identity->parent_epoch,
                           "step", (json_int_t)identity->parent_step);
    json_object_set_new(run, "format", json_integer(1));
    json_object_set_new(run, "id", json_null());
    json_object_set_new(run, "name", js_text_value(identity->name && *identity->name ? identity->name : "run"));
    json_object_set_new(run, "created", json_real(created));
    json_object_set_new(run, "device", js_text_value(identity->device));
    json_object_set_new(run, "source", js_text_value(identity->source));
    json_object_set_new(run, "parent", parent);
    json_object_set_new(run, "tags", tags);
    json_object_set_new(run, "note", js_text_value(identity->note ? identity->note : ""));
    json_object_set_new(run, "state", json_string("queued"));
    json_object_set_new(run, "epoch", json_integer(identity->parent_epoch));
    json_object_set_new(run, "step", json_integer(identity->parent_step));
    json_object_set_new(run, "error", json_null());
    if (identity->queue)
        json_object_set(run, "queue", identity->queue);
    json_object_set_new(run, "changes",
                        json_pack("[{s:s, s:f, s:I, s:I}]", "state", "queued", "time", created, "epoch",
                                  (json_int_t)identity->parent_epoch, "step", (json_int_t)identity->parent_step));
    return run;
}

static bool write_file(const char *path, const char *text, struct err *err)
{
    int fd = io_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0666, err);
    bool ok = fd >= 0 && io_write_all(fd, text, strlen(text), path, err);
    if (fd >= 0 && io->close(fd) && ok)
        ok = err_errno(err, ERR_FAILED, errno, "cannot write '%s'", path);
    return ok;
}

static bool replace_file(const char *path, const char *text, struct err *err)
{
    char *fresh = xprintf("%s.new", path);
    bool ok = write_file(fresh, text, err) &&
              (!io->rename(fresh, path) || err_errno(err, ERR_FAILED, errno, "cannot replace '%s'", path));
    free(fresh);
    return ok;
}

static bool save_json(const struct run_making *making, const char *name, const json_t *json, struct err *err)
{
    char *path = path_join(making->folder, name), *text = js_text(json, 2);
    bool ok = making->adopted ? replace_file(path, text, err)
              : making->loose ? write_file(path, text, err)
                              : atomic_file_save(path, text, strlen(text), err);
    free(text);
    free(path);
    return ok;
}

char *making_folder(const char *home, struct err *err)
{
    if (!io_make_folders(home, err))
        return NULL;
    remove_stale(home);
    for (int tries = 0; tries < 100; tries++) {
        uint64_t random = (uint64_t)io->monotonic_ns() * (uint64_t)getpid();
        if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
            random += (uint64_t)tries;
        char *folder = xprintf("%s/%s%016llx", home, hidden_prefix, (unsigned long long)random);
        if (!io->mkdir(folder, 0777))
            return folder;
        int failed = errno;
        err_errno(err, ERR_FAILED, failed, "cannot make the folder '%s'", folder);
        free(folder);
        if (failed != EEXIST)
            return NULL;
    }
    return NULL;
}

static char *run_stem(const char *name, double created)
{
    time_t seconds = (time_t)created;
    struct tm tm;
    char date[32] = "0000-00-00_00-00-00";
    if (localtime_r(&seconds, &tm))
        strftime(date, sizeof date, "%Y-%m-%d_%H-%M-%S", &tm);
    char *safe = run_safe_name(name), *stem = xprintf("%s_%s", date, safe);
    free(safe);
    return stem;
}

struct run_making *making_begin_in(char *folder, bool loose, const char *home, const struct run_identity *identity,
                                   const json_t *config, struct err *err)
{
    struct run_making *making = xcalloc(1, sizeof *making);
    *making = (struct run_making){.home = xstrdup(home), .folder = folder, .loose = loose};
    char *checkpoints = path_join(folder, "checkpoints");
    bool ok = io_make_folders(checkpoints, err) && run_making_describe(making, identity, config, err);
    free(checkpoints);
    if (!ok)
        run_making_abort(&making);
    return making;
}

struct run_making *run_making_begin(const char *home, const struct run_identity *identity, const json_t *config,
                                    struct err *err)
{
    char *folder = making_folder(home, err);
    return folder ? making_begin_in(folder, false, home, identity, config, err) : NULL;
}

bool run_making_describe(struct run_making *making, const struct run_identity *identity, const json_t *config,
                         struct err *err)
{
    double created = identity->created > 0 ? identity->created : io_wall_seconds();
    json_decref(making->run);
    free(making->stem);
    making->run = identity_json(identity, created);
    making->stem = run_stem(identity->name, created);
    if (identity->queue)
        queue_stamp(json_object_get(making->run, "queue"), making->folder);
    return save_json(making, "config.json", config, err);
}

const char *run_making_folder(const struct run_making *making)
{
    return making->folder;
}

static json_t *change(const char *state, double time, int64_t epoch, int64_t step)
{
    return json_pack("{s:s, s:f, s:I, s:I}", "state", state, "time", time, "epoch", (json_int_t)epoch, "step",
                     (json_int_t)step);
}

bool run_making_end(struct run_making *making, enum run_state state, double started, double ended, int64_t epoch,
                    int64_t step, struct err *err)
{
    json_t *changes = json_object_get(making->run, "changes");
    bool timed = started > 0 && ended >= started;
    int failed = json_object_set_new(making->run, "state", json_string(run_state_name(state))) |
                 json_object_set_new(making->run, "epoch", json_integer(epoch)) |
                 json_object_set_new(making->run, "step", json_integer(step));
    if (timed)
        failed |= json_array_append_new(changes, change("running", started, 0, 0));
    failed |=
        json_array_append_new(changes, change(run_state_name(state), timed ? ended : io_wall_seconds(), epoch, step));
    return !failed || err_set(err, ERR_NOMEM, "not enough memory for a run");
}

bool run_making_finish(struct run_making *making, int64_t epoch, int64_t step, struct err *err)
{
    return run_making_end(making, RUN_FINISHED, NAN, NAN, epoch, step, err);
}

static void release(struct run_making **making)
{
    json_decref((*making)->run);
    free((*making)->home);
    free((*making)->folder);
    free((*making)->stem);
    free((*making)->id);
    free(*making);
    *making = NULL;
}

void run_making_abort(struct run_making **making)
{
    if (!*making)
        return;
    run_remove_tree((*making)->folder);
    release(making);
}

char *making_free_id(const struct run_making *making, int k)
{
    char *id = k == 1 ? xstrdup(making->stem) : xprintf("%s-%d", making->stem, k);
    char *path = path_join(making->home, id), *trash = xprintf("%s/trash/%s", making->home, id);
    bool taken = path_exists(path) || path_exists(trash);
    free(trash);
    free(path);
    if (!taken)
        return id;
    free(id);
    return NULL;
}

bool making_write_identity(struct run_making *making, const char *id, struct err *err)
{
    json_object_set_new(making->run, "id", json_string(id));
    return save_json(making, "run.json", making->run, err);
}

bool making_no_id(const struct run_making *making, struct err *err)
{
    return err_set(err, ERR_FAILED, "there are %d runs called '%s' already", MAKING_IDS_TRIED, making->stem);
}

/* A rename onto a folder that exists and is not empty fails: two makers can never get the same id. */
static bool rename_to_free_id(struct run_making *making, char **id, struct err *err)
{
    for (int k = 1; k <= MAKING_IDS_TRIED; k++) {
        bool settled = k == 1 && making->id;
        char *name = settled ? xstrdup(making->id) : making_free_id(making, k);
        if (!name)
            continue;
        char *path = path_join(making->home, name);
        bool saved = settled || making_write_identity(making, name, err);
        int failed = !saved ? EIO : io->rename(making->folder, path) ? errno : 0;
        if (!failed)
            *id = name;
        else if (saved && failed != EEXIST && failed != ENOTEMPTY)
            err_errno(err, ERR_FAILED, failed, "cannot make the run '%s'", path);
        free(path);
        if (!failed)
            return true;
        free(name);
        if (!saved || (failed != EEXIST && failed != ENOTEMPTY))
            return false;
    }
    return making_no_id(making, err);
}

bool run_making_commit(struct run_making **making, char **id, struct err *err)
{
    bool loose = (*making)->loose;
    if ((!loose && !io_sync_folder((*making)->folder, err)) || !rename_to_free_id(*making, id, err)) {
        run_making_abort(making);
        return false;
    }
    bool ok = loose || io_sync_folder((*making)->home, err);
    if (!ok) { /* visible, but perhaps not after a power cut: take it back, so that nothing half-made remains */
        free((*making)->folder);
        (*making)->folder = path_join((*making)->home, *id);
        free(*id);
        *id = NULL;
        run_making_abort(making);
        return false;
    }
    release(making);
    return true;
}

bool run_making_fail(struct run_making *making, const char *error, struct err *err)
{
    int failed = json_object_set_new(making->run, "state", json_string(run_state_name(RUN_FAILED))) |
                 json_object_set_new(making->run, "error", js_text_value(error));
    return !failed || err_set(err, ERR_NOMEM, "not enough memory for a run");
}

struct run_making *run_making_adopt(const char *home, const char *id, struct err *err)
{
    char *folder = path_join(home, id);
    if (!path_is_folder(folder)) {
        err_set(err, ERR_NOT_FOUND, "there is no run '%s' in '%s'", id, home);
        free(folder);
        return NULL;
    }
    struct run_making *making = xcalloc(1, sizeof *making);
    *making =
        (struct run_making){.home = xstrdup(home), .folder = folder, .id = xstrdup(id), .loose = true, .adopted = true};
    return making;
}

bool run_making_save(struct run_making **making, struct err *err)
{
    bool ok = making_write_identity(*making, (*making)->id, err);
    release(making);
    return ok;
}

void run_making_abandon(struct run_making **making)
{
    if (*making)
        release(making);
}

bool run_create(const char *home, const struct run_identity *identity, const json_t *config, char **id, struct err *err)
{
    struct run_making *making = run_making_begin(home, identity, config, err);
    return making && run_making_commit(&making, id, err);
}
