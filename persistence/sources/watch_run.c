/* watch_run.c - one watched source: its run is made when the first of it was read, and told again whenever something is
 * new. */
#include "persistence/sources/watch_internal.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/io.h"
#include "persistence/runs/run_lock.h"
#include "persistence/runs/run_making.h"
#include "persistence/runs/run_pictures.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const double SILENT_S = 600, LEAST_WAIT_S = 0.2, LONGEST_WAIT_S = 5,
                    FIRST_LOOK_S = 0.005; /* then a thread goes on with what is longer */

/* ---- whether the files have changed ---- */

static uint64_t stamp_of_file(const char *path, double *modified)
{
    struct stat st;
    if (stat(path, &st) || !S_ISREG(st.st_mode))
        return 0;
    int64_t facts[] = {st.st_mtim.tv_sec, st.st_mtim.tv_nsec, st.st_size, (int64_t)st.st_ino};
    *modified = fmax(*modified, (double)st.st_mtim.tv_sec);
    return hash_mix(1, facts, sizeof facts);
}

/* A sum: the order of a folder does not matter. */
static uint64_t stamp_of(const char *path, int depth, double *modified)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    uint64_t stamp = dir ? 0 : stamp_of_file(path, modified);
    while (dir && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        char *inner = path_join(path, entry->d_name);
        bool part = !strcmp(entry->d_name, "train") || !strcmp(entry->d_name, "validation");
        stamp += depth == 0 && part ? stamp_of(inner, 1, modified) : stamp_of_file(inner, modified);
        free(inner);
    }
    if (dir)
        closedir(dir);
    return stamp;
}

uint64_t watched_stamp(const char *path)
{
    double modified = 0;
    return stamp_of(path, 0, &modified);
}

/* ---- the run ---- */

static enum run_state state_of(const struct watched *w, const struct source_about *about)
{
    bool silent = io_wall_seconds() - w->touched > SILENT_S;
    if (w->failed)
        return RUN_FAILED;
    if (!w->loaded)
        return RUN_RUNNING;
    if (about->end == SOURCE_FAILED)
        return RUN_FAILED;
    if (about->end == SOURCE_FINISHED || (about->end == SOURCE_UNKNOWN && silent))
        return RUN_FINISHED;
    return silent ? RUN_INTERRUPTED : RUN_RUNNING;
}

static struct source_about about_of(const struct watched *w)
{
    struct source_about about = {.started = NAN};
    if (w->copy.reader && w->source->about)
        w->source->about(w->copy.reader, &about);
    if (!(about.started > 0))
        about.started = w->copy.first;
    return about;
}

static size_t tags_of(const struct source_about *about, const char **tags, size_t room)
{
    size_t i, n = 0;
    json_t *tag;
    json_array_foreach(about->tags, i, tag) {
        if (json_is_string(tag) && n < room)
            tags[n++] = json_string_value(tag);
    }
    return n;
}

/* What is known of it now, into a run that is being made. RUN_INTERRUPTED is never written: it is running without its
 * lock. */
static bool describe(struct watched *w, struct run_making *making, struct err *err)
{
    struct source_about about = about_of(w);
    const char *tags[64], *name = about.name && *about.name ? about.name : w->name;
    struct run_identity identity = {.name = name,
                                    .source = w->source->name,
                                    .note = about.note,
                                    .tags = tags,
                                    .n_tags = tags_of(&about, tags, sizeof tags / sizeof *tags),
                                    .created = about.started > 0 ? about.started : w->touched};
    json_t *config = source_config(w->source, w->path, name, &about, err);
    w->state = state_of(w, &about);
    w->changes = about.changes;
    enum run_state written = w->state == RUN_INTERRUPTED ? RUN_RUNNING : w->state;
    bool ok = config && run_making_describe(making, &identity, config, err) &&
              run_making_end(making, written, w->copy.first, w->copy.last, w->copy.epoch, w->copy.step, err);
    json_decref(config);
    return ok;
}

static bool hold_lock(const struct watch *watch, struct watched *w, struct err *err)
{
    bool alive = w->state == RUN_RUNNING;
    char *folder = path_join(watch->home, w->id);
    if (alive && w->lock < 0)
        w->lock = run_lock_take(folder, RUN_LOCK_WRITER, err);
    if (!alive && w->lock >= 0) {
        io->close(w->lock);
        w->lock = -1;
    }
    free(folder);
    return !alive || w->lock >= 0;
}

/* Of what was there at first, the last record or the file itself tells how old it is. */
static void loaded_until_now(struct watched *w, bool all)
{
    double modified = 0;
    w->stamp = stamp_of(w->path, 0, &modified);
    w->touched = w->copy.last > 0 ? w->copy.last : modified > 0 ? modified : io_wall_seconds();
    w->loaded = all;
}

/* The folder is made hidden, filled with what could be read by the deadline, and then becomes the run. */
static int make_run(struct watch *watch, struct watched *w, double deadline, struct err *err)
{
    struct run_batch *batch = run_batch_open(watch->home, false, err);
    json_t *nothing = json_object();
    struct run_making *making =
        batch ? run_batch_begin(batch, &(struct run_identity){.name = w->name}, nothing, err) : NULL;
    json_decref(nothing);
    struct err why = {0};
    int found = -1;
    bool ok = making != NULL;
    if (ok && source_copy_open(&w->copy, w->source, w->path, run_making_folder(making), &why))
        found = source_copy_some(&w->copy, deadline, &why);
    w->failed = found == -1;
    loaded_until_now(w, found == 0);
    ok = ok && describe(w, making, err) && (!w->failed || run_making_fail(making, why.text, err)) &&
         run_batch_settle(batch, &making, 1, err) && run_making_commit(&making, &w->id, err);
    if (making)
        run_making_abort(&making);
    ok = run_batch_close(batch, ok ? err : NULL) && ok;
    if (ok && w->copy.folder) {
        char *folder = path_join(watch->home, w->id);
        source_copy_moved(&w->copy, folder);
        free(folder);
    }
    return ok && hold_lock(watch, w, err) ? found : -1;
}

/* run.json and config.json again, each replaced whole. */
static bool save(struct watch *watch, struct watched *w, const char *error, struct err *err)
{
    struct run_making *making = run_making_adopt(watch->home, w->id, err);
    bool ok = making && describe(w, making, err) && (!error || run_making_fail(making, error, err)) &&
              run_making_save(&making, err);
    run_making_abandon(&making);
    return ok && hold_lock(watch, w, err);
}

/* ---- reading on ---- */

static bool start_again(struct watch *watch, struct watched *w, struct err *err)
{
    char *folder = path_join(watch->home, w->id), *log = path_join(folder, "history.log"),
         *text = path_join(folder, "log.txt");
    source_copy_close(&w->copy);
    io->unlink(log); /* the index sees another file and reads it from the start */
    io->unlink(text);
    run_pictures_clear(folder);
    watched_free_models(w);
    bool ok = source_copy_open(&w->copy, w->source, w->path, folder, err);
    free(text);
    free(log);
    free(folder);
    return ok;
}

static bool must_start_again(const struct watched *w)
{
    return !w->copy.reader || (!w->source->once && !w->source->is_same(w->copy.reader));
}

/* Whether there is something new, with the reader ready to read it. False and err->code set: it cannot be read. */
static bool is_news(struct watch *watch, struct watched *w, struct err *err)
{
    bool quiet = w->source->once || !w->copy.reader || w->failed;
    uint64_t stamp = quiet ? watched_stamp(w->path) : 0;
    if (quiet && stamp == w->stamp)
        return false;
    if (quiet)
        w->stamp = stamp;
    if (w->source->once)
        return w->copy.reader ? source_copy_again(&w->copy, w->path, err) : start_again(watch, w, err);
    return !must_start_again(w) || start_again(watch, w, err);
}

static void set_due(struct watched *w)
{
    double age = io_wall_seconds() - w->touched, wait = fmin(fmax(age / 50, LEAST_WAIT_S), LONGEST_WAIT_S);
    w->due = io_monotonic_seconds() + wait;
}

/* What is there already of a large file is copied in a thread, one at a time; what was copied goes into the index
 * meanwhile. */
static int wait_for_copy(struct watch *watch, double deadline, struct err *why)
{
    struct err trouble = {0};
    if (!index_refresh(watch->index, NULL, &trouble))
        trouble.code = 0; /* whoever looks next has it too, and says so */
    return source_aside_wait(&watch->aside, deadline, why);
}

/* As source_copy_some; SOURCE_AT_WORK: the thread is not done. */
static int read_on(struct watch *watch, struct watched *w, double deadline, struct err *why)
{
    if (watch->aside && &watch->runs[watch->aside_of] == w)
        return wait_for_copy(watch, deadline, why);
    w->n_before = w->copy.n_records;
    if (!is_news(watch, w, why))
        return why->code ? -1 : 0;
    if (!w->loaded && !w->source->once && !watch->aside && (watch->aside = source_aside_begin(&w->copy))) {
        watch->aside_of = (size_t)(w - watch->runs);
        return wait_for_copy(watch, deadline, why);
    }
    return source_copy_some(&w->copy, deadline, why);
}

int watched_read(struct watch *watch, struct watched *w, double deadline, struct err *err)
{
    struct err why = {0};
    if (!w->id) {
        bool alone = w->source->once || watch->aside;
        int made = make_run(watch, w, alone ? deadline : fmin(deadline, io_monotonic_seconds() + FIRST_LOOK_S), err);
        if (made != 1)
            set_due(w);
        return made == -1 && w->id ? 0 : made;
    }
    bool failed = w->failed;
    int found = read_on(watch, w, deadline, &why);
    if (found == SOURCE_AT_WORK)
        return 1;
    bool news = w->copy.n_records != w->n_before;
    w->failed = found == -1 || (found == 0 && failed && !news);
    if (!w->loaded)
        loaded_until_now(w, found != 1);
    else if (news)
        w->touched = io_wall_seconds();
    if (!w->copy.reader && !w->failed) { /* closed, as it was when all of it had been read */
        set_due(w);
        return 0;
    }
    struct source_about about = about_of(w);
    enum run_state state = state_of(w, &about);
    bool told = state != w->state || about.changes != w->changes || failed != w->failed;
    if (told && !save(watch, w, w->failed ? why.text : NULL, err))
        return -1;
    if (found != 1)
        set_due(w);
    if (found == 0 && !w->source->once && state != RUN_RUNNING && !news &&
        w->copy.reader) { /* its files are not kept open */
        w->stamp = watched_stamp(w->path);
        source_copy_close_reader(&w->copy);
    }
    return found == 1;
}

void watched_release(struct watched *w)
{
    source_copy_close(&w->copy);
    if (w->lock >= 0)
        io->close(w->lock);
    watched_free_models(w);
    free(w->id);
}
