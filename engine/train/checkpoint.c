/* checkpoint.c - see checkpoint.h */
#include "engine/train/checkpoint.h"
#include "base/io.h"
#include "persistence/runs/kept_results.h"
#include "base/log.h"
#include "engine/train/snapshot.h"
#include "engine/train/weights.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct checkpointer {
    struct checkpointer_options o;
    char *folder;
    json_t *model_config;
    size_t host_bytes, slot_bytes;
    bool large;   /* snapshot_is_large */
    char **slots; /* the kept weights as they are now */

    pthread_t thread;
    bool started;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct snapshot *first, **last;
    int n_waiting; /* handed over and not yet written, the one being written included */
    bool closing;
    struct err failure; /* of the last snapshot written; code NONE when it went well */
    char *spare;        /* host copy of a snapshot that was written, for the next one: its pages are there already */

    char **automatic; /* files that `keep` may remove, oldest first */
    size_t n_automatic, automatic_capacity;
    char *best; /* name of the last one that was marked best */
    bool has_backup;
};

const char checkpoint_final_file[] = "final.keras";
const char checkpoint_backup_file[] = "antler-backup.keras";

json_t *checkpoint_record(const char *file, int64_t size_bytes, bool weights_only, bool best, const json_t *metrics)
{
    json_t *record = json_object();
    json_object_set_new(record, "checkpoint", json_string(file));
    json_object_set_new(record, "size_bytes", json_integer(size_bytes));
    json_object_set_new(record, "weights_only", json_boolean(weights_only));
    json_object_set_new(record, "best", json_boolean(best));
    json_object_set_new(record, "metrics", metrics ? json_deep_copy(metrics) : json_object());
    return record;
}

static void remove_file(struct checkpointer *c, const char *name, int64_t epoch, int64_t step)
{
    char *path = path_join(c->folder, name);
    kept_remove(path);
    if (!io->unlink(path))
        journal_event(c->o.journal, epoch, step,
                      json_pack("{s:s,s:s}", "event", "checkpoint_removed", "checkpoint", name));
    free(path);
}

/* A full checkpoint is announced: the backup before it has done its duty. */
static void drop_backup(struct checkpointer *c)
{
    char *path = c->has_backup ? path_join(c->folder, checkpoint_backup_file) : NULL;
    if (path)
        io->unlink(path);
    c->has_backup = false;
    free(path);
}

/* One more automatic checkpoint; the oldest beyond `keep` are removed, but the best one stays. */
static void apply_keep(struct checkpointer *c, const char *file, int64_t epoch, int64_t step)
{
    c->automatic = xgrow(c->automatic, &c->automatic_capacity, c->n_automatic + 1, sizeof *c->automatic);
    c->automatic[c->n_automatic++] = xstrdup(file);
    for (size_t i = 0; c->o.keep && c->n_automatic > (size_t)c->o.keep && i + 1 < c->n_automatic;) {
        char *name = c->automatic[i];
        if (c->best && !strcmp(name, c->best)) {
            i++;
            continue;
        }
        remove_file(c, name, epoch, step);
        free(name);
        c->n_automatic--;
        memmove(c->automatic + i, c->automatic + i + 1, (c->n_automatic - i) * sizeof *c->automatic);
    }
}

/* What is left to do: everything, or only what makes the file durable. The log comes first. */
static bool finish_file(struct checkpointer *c, struct snapshot *s, const char *path, struct err *err)
{
    if (s->failure.code != ERR_NONE)
        return err_set(err, s->failure.code, "%s", s->failure.text);
    return journal_sync(c->o.journal, err) && (s->file || snapshot_write(s, c->o.session, path, err)) &&
           atomic_file_commit(&s->file, err);
}

static void write_snapshot(struct checkpointer *c, struct snapshot *s, struct err *failure)
{
    const struct snapshot_request *r = &s->request;
    char *path = path_join(c->folder, r->file);
    struct stat st;
    *failure = (struct err){0};
    bool ok = finish_file(c, s, path, failure);
    if (ok && stat(path, &st))
        ok = err_errno(failure, ERR_FAILED, errno, "cannot look at '%s'", path);
    if (ok && r->backup) {
        c->has_backup = true;
    } else if (ok) {
        journal_checkpoint(c->o.journal, r->epoch, r->step,
                           checkpoint_record(r->file, st.st_size, r->weights_only, r->best, r->metrics));
        if (r->best) {
            free(c->best);
            c->best = xstrdup(r->file);
        }
        if (r->automatic)
            apply_keep(c, r->file, r->epoch, r->step);
        if (!r->weights_only)
            drop_backup(c);
    } else {
        log_error("checkpoint '%s' was not written: %s", r->file, failure->text);
        journal_event(c->o.journal, r->epoch, r->step,
                      json_pack("{s:s,s:s,s:s,s:s}", "event", "warning", "about", "checkpoint", "checkpoint", r->file,
                                "text", failure->text));
    }
    free(path);
}

/* Under the mutex. Takes host. */
static void give_spare(struct checkpointer *c, char *host)
{
    if (c->spare || c->closing)
        free(host);
    else
        c->spare = host;
}

/* The first one is prepared here, not by the training thread: the system hands out 100 MB in some 30 ms. */
static void prepare_spare(struct checkpointer *c)
{
    struct err ignored;
    char *host = c->large ? NULL : io_allocate(c->host_bytes, "a copy of the weights for a checkpoint", &ignored);
    if (host)
        memset(host, 0, c->host_bytes);
    pthread_mutex_lock(&c->mutex);
    give_spare(c, host);
    pthread_mutex_unlock(&c->mutex);
}

static void *writer_thread(void *argument)
{
    struct checkpointer *c = argument;
    prepare_spare(c);
    pthread_mutex_lock(&c->mutex);
    for (;;) {
        while (!c->first && !c->closing)
            pthread_cond_wait(&c->changed, &c->mutex);
        struct snapshot *s = c->first;
        if (!s)
            break;
        c->first = s->next;
        if (!c->first)
            c->last = &c->first;
        pthread_mutex_unlock(&c->mutex);
        struct err failure;
        int64_t start_ns = profile_clock(c->o.session->profile);
        write_snapshot(c, s, &failure);
        profile_span(c->o.session->profile, TRACE_CHECKPOINTS, "checkpoint of epoch", s->request.epoch, start_ns);
        char *host = s->host;
        s->host = NULL;
        snapshot_free(s);
        pthread_mutex_lock(&c->mutex);
        give_spare(c, host);
        c->failure = failure;
        c->n_waiting--;
        pthread_cond_broadcast(&c->changed);
    }
    pthread_mutex_unlock(&c->mutex);
    return NULL;
}

struct checkpointer *checkpointer_new(const struct checkpointer_options *options, struct err *err)
{
    struct checkpointer *c = xcalloc(1, sizeof *c);
    c->o = *options;
    c->folder = path_join(options->run_folder, "checkpoints");
    c->model_config = model_to_keras(options->session->model);
    c->host_bytes = weights_host_bytes(options->session);
    c->slot_bytes = weights_model_bytes(options->session);
    c->large = snapshot_is_large(options->session);
    c->slots = xcalloc((size_t)options->n_weight_slots + 1, sizeof *c->slots);
    c->last = &c->first;
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->changed, NULL);
    int failed = pthread_create(&c->thread, NULL, writer_thread, c);
    c->started = !failed;
    if (failed) {
        err_errno(err, ERR_FAILED, failed, "cannot start the thread that writes checkpoints");
        checkpointer_free(c);
        return NULL;
    }
    return c;
}

void checkpointer_free(struct checkpointer *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->mutex);
    c->closing = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->mutex);
    if (c->started)
        pthread_join(c->thread, NULL);
    for (int k = 0; k < c->o.n_weight_slots; k++)
        free(c->slots[k]);
    for (size_t i = 0; i < c->n_automatic; i++)
        free(c->automatic[i]);
    free(c->automatic);
    free(c->slots);
    free(c->spare);
    free(c->best);
    free(c->folder);
    json_decref(c->model_config);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->mutex);
    free(c);
}

static json_t *config_of(const struct checkpointer *c, double learning_rate)
{
    json_t *config = json_copy(c->model_config);
    if (c->o.session->compile)
        json_object_set_new(config, "compile_config", compile_to_keras(c->o.session->compile, learning_rate));
    return config;
}

static void wait_for_room(struct checkpointer *c)
{
    size_t fit = c->large ? LARGE_SNAPSHOTS_WAITING : SNAPSHOT_BYTES / (c->host_bytes + 1);
    fit = fit > SNAPSHOTS_WAITING ? SNAPSHOTS_WAITING : fit < 1 ? 1 : fit;
    pthread_mutex_lock(&c->mutex);
    while ((size_t)c->n_waiting >= fit)
        pthread_cond_wait(&c->changed, &c->mutex);
    pthread_mutex_unlock(&c->mutex);
}

static char *take_spare(struct checkpointer *c)
{
    pthread_mutex_lock(&c->mutex);
    char *spare = c->spare;
    c->spare = NULL;
    pthread_mutex_unlock(&c->mutex);
    return spare;
}

bool checkpointer_save(struct checkpointer *c, const struct snapshot_request *request, struct err *err)
{
    wait_for_room(c);
    json_t *config = request->weights_only ? NULL : config_of(c, request->learning_rate);
    struct snapshot *s = snapshot_new(request, config, c->slots, c->o.n_weight_slots);
    if (c->large) {
        char *path = path_join(c->folder, request->file);
        if (!snapshot_write(s, c->o.session, path, &s->failure)) /* the writer says so, in its turn */
            BUG_ON(s->failure.code == ERR_NONE);
        free(path);
    } else if (!snapshot_copy(s, c->o.session, take_spare(c), err)) {
        snapshot_free(s);
        return false;
    }
    pthread_mutex_lock(&c->mutex);
    *c->last = s;
    c->last = &s->next;
    c->n_waiting++;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->mutex);
    return true;
}

bool checkpointer_wait(struct checkpointer *c, struct err *err)
{
    pthread_mutex_lock(&c->mutex);
    while (c->n_waiting)
        pthread_cond_wait(&c->changed, &c->mutex);
    struct err failure = c->failure;
    pthread_mutex_unlock(&c->mutex);
    return failure.code == ERR_NONE || err_set(err, failure.code, "%s", failure.text);
}

static bool make_slot(struct checkpointer *c, int slot, struct err *err)
{
    if (!c->slots[slot])
        c->slots[slot] = io_allocate(c->slot_bytes, "a copy of the best weights", err);
    return c->slots[slot] != NULL;
}

void checkpointer_adopt(struct checkpointer *c, const char *file, bool automatic, bool best, int64_t epoch,
                        int64_t step)
{
    if (best) {
        free(c->best);
        c->best = xstrdup(file);
    }
    c->has_backup = c->has_backup || !strcmp(file, checkpoint_backup_file);
    if (automatic)
        apply_keep(c, file, epoch, step);
}

bool checkpointer_keep_weights(struct checkpointer *c, int slot, struct err *err)
{
    if (!make_slot(c, slot, err))
        return false;
    weights_download_model(c->o.session, c->slots[slot]);
    return session_works(c->o.session, err);
}

bool checkpointer_restore_weights(struct checkpointer *c, int slot)
{
    if (!c->slots[slot])
        return false;
    weights_upload_model(c->o.session, c->slots[slot]);
    return true;
}

bool checkpointer_load_slots(struct checkpointer *c, struct keras_file *file, struct err *err)
{
    int n = weights_n_model(c->o.session);
    struct weight *weights = xcalloc((size_t)c->o.session->n_saved + 1, sizeof *weights);
    bool ok = true;
    for (int k = 0; ok && k < c->o.n_weight_slots; k++) {
        char path[64];
        snprintf(path, sizeof path, "antler/slot_%d/0", k);
        if (!keras_file_find(file, path))
            continue;
        ok = make_slot(c, k, err);
        if (ok)
            weights_describe(c->o.session, c->slots[k], weights);
        for (int i = 0; ok && i < n; i++) {
            snprintf(path, sizeof path, "antler/slot_%d/%d", k, i);
            const struct weight *w = keras_file_find(file, path);
            ok = w ? keras_file_read(file, w, weights[i].dtype == WEIGHT_I32, weights[i].rank, weights[i].dim,
                                     (void *)weights[i].data, err)
                   : err_set(err, ERR_FORMAT, "'%s' is missing among the kept weights", path);
        }
    }
    free(weights);
    return ok;
}
