/* watch_models.c - models that Keras saved beside a watched history become checkpoints of its run.
 *
 * The epoch stands in the name, as ModelCheckpoint writes it ("model.05.keras", "epoch-12-0.34.keras"); else it is the
 * last one that had been recorded when the file was written. The metrics are those of that epoch.
 */
#include "persistence/sources/watch_internal.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/io.h"
#include "persistence/sources/source_scan.h"

#include <ctype.h>
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MODELS_MAX = 2000 };
static const double SETTLED_S = 1, EVERY_S = 2;

void watched_free_models(struct watched *w)
{
    for (size_t i = 0; i < w->n_models; i++)
        free(w->models[i].name);
    free(w->models);
    w->models = NULL;
    w->n_models = 0;
}

/* The first number of a name, behind "epoch", "ep" or "ckpt" if there is such a word; -1: none. */
static int64_t epoch_in_name(const char *name)
{
    static const char *const words[] = {"epoch", "ckpt", "checkpoint", "ep"};
    const char *p = name;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const char *word = strcasestr(name, words[i]);
        if (word && word[strlen(words[i]) + strspn(word + strlen(words[i]), "-_. =")] &&
            isdigit((unsigned char)word[strlen(words[i]) + strspn(word + strlen(words[i]), "-_. =")])) {
            p = word;
            break;
        }
    }
    const char *ending = strrchr(name, '.'); /* not the 5 of .h5 */
    for (; *p && p != ending && !isdigit((unsigned char)*p); p++) {
    }
    size_t n = strspn(p, "0123456789");
    return p != ending && n && n < 10 ? strtoll(p, NULL, 10) : -1;
}

struct place {
    int64_t epoch, step;
    double time;
    json_t *metrics; /* new reference */
};

static int64_t epoch_at(const struct metric_series *series, size_t n, double time)
{
    int64_t epoch = -1, last = 0;
    for (size_t s = 0; s < n; s++)
        for (size_t i = 0; i < series[s].n; i++) {
            last = series[s].epoch[i] > last ? series[s].epoch[i] : last;
            if (series[s].time[i] <= time && series[s].epoch[i] > epoch)
                epoch = series[s].epoch[i];
        }
    return epoch >= 0 ? epoch : last;
}

/* Where in the history a file belongs. */
static struct place find_place(struct watch *watch, const struct watched *w, const char *name, double modified)
{
    struct arena arena = {0};
    const struct metric_series *series;
    size_t n = 0;
    struct place place = {.epoch = epoch_in_name(name), .time = modified, .metrics = json_object()};
    if (!index_history(watch->index, w->id, NULL, 0, &arena, &series, &n, NULL))
        n = 0;
    if (place.epoch < 0)
        place.epoch = epoch_at(series, n, modified);
    place.step = place.epoch;
    for (size_t s = 0; s < n; s++)
        for (size_t i = series[s].n; i-- > 0;)
            if (series[s].epoch[i] == place.epoch && !str_starts(series[s].name, "batch_")) {
                json_object_set_new(place.metrics, series[s].name, js_number(series[s].value[i]));
                place.step = series[s].step[i];
                break;
            }
    arena_release(&arena);
    return place;
}

static bool add_checkpoint(struct watch *watch, struct watched *w, const char *path, const struct stat *st,
                           struct err *err)
{
    const char *name = path_name(path);
    char *link = xprintf("%s/%s/checkpoints/%s", watch->home, w->id, name), *real = realpath(path, NULL);
    struct place place = find_place(watch, w, name, (double)st->st_mtim.tv_sec + 1e-9 * (double)st->st_mtim.tv_nsec);
    json_t *record =
        json_pack("{s:s, s:I, s:b, s:b, s:O}", "checkpoint", name, "size_bytes", (json_int_t)st->st_size,
                  "weights_only", strstr(name, ".weights.") != NULL, "best", false, "metrics", place.metrics);
    io->unlink(link);
    bool ok =
        !record || !real || symlink(real, link) || /* a name that is no UTF-8: passed over */
        (history_add_json_at(w->copy.writer, RECORD_CHECKPOINT, place.epoch, place.step, place.time, record, err) &&
         history_flush(w->copy.writer, err));
    json_decref(record);
    json_decref(place.metrics);
    free(real);
    free(link);
    return ok;
}

static bool is_new(struct watched *w, const char *name, int64_t stamp)
{
    for (size_t i = 0; i < w->n_models; i++)
        if (!strcmp(w->models[i].name, name)) {
            bool changed = w->models[i].stamp != stamp;
            w->models[i].stamp = stamp;
            return changed;
        }
    if (w->n_models == MODELS_MAX)
        return false;
    w->models = xrealloc(w->models, (w->n_models + 1) * sizeof *w->models);
    w->models[w->n_models++] = (struct watched_model){xstrdup(name), stamp};
    return true;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && source_is_model_name(entry->d_name);
}

/* prefix: only files whose names begin like this, as several histories share the folder; NULL: all. */
static bool look_into(struct watch *watch, struct watched *w, const char *folder, const char *prefix, struct err *err)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, visible, versionsort);
    bool ok = true;
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        char *path = path_join(folder, name);
        struct stat st;
        bool settled = !stat(path, &st) && S_ISREG(st.st_mode) && st.st_size > 0 &&
                       io_wall_seconds() - (double)st.st_mtim.tv_sec > SETTLED_S;
        if (ok && settled && (!prefix || str_starts(name, prefix))) {
            int64_t facts[] = {st.st_mtim.tv_sec, st.st_mtim.tv_nsec, st.st_size};
            if (is_new(w, name, (int64_t)hash_mix(1, facts, sizeof facts)))
                ok = add_checkpoint(watch, w, path, &st, err);
        }
        free(path);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return ok;
}

static bool shares_folder(const struct watch *watch, const struct watched *w, const char *folder)
{
    for (size_t i = 0; i < watch->n_runs; i++) {
        char *other = path_is_folder(watch->runs[i].path) ? NULL : path_folder(watch->runs[i].path);
        bool same = &watch->runs[i] != w && other && !strcmp(other, folder);
        free(other);
        if (same)
            return true;
    }
    return false;
}

bool watched_look_for_models(struct watch *watch, struct watched *w, struct err *err)
{
    if (!w->id || !w->copy.writer || w->failed || w->source == &source_log || io_monotonic_seconds() < w->models_due)
        return true;
    w->models_due = io_monotonic_seconds() + EVERY_S;
    char *folder = path_is_folder(w->path) ? xstrdup(w->path) : path_folder(w->path);
    char *inner = path_join(folder, w->source == &source_wandb ? "files" : "checkpoints");
    char *prefix = shares_folder(watch, w, folder) ? source_name(w->path) : NULL;
    bool ok = look_into(watch, w, folder, prefix, err) && look_into(watch, w, inner, prefix, err);
    free(prefix);
    free(inner);
    free(folder);
    return ok;
}
