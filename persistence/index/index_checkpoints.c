/* index_checkpoints.c - the checkpoints of a run, which of them is the best, and what CHECKPOINT on a command line
 * means. */
#include "persistence/index/index_internal.h"
#include "persistence/runs/metric_direction.h"

#include "base/io.h"

#include <ctype.h>
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void read_metrics(struct checkpoint_summary *checkpoint, const char *text, struct arena *arena)
{
    json_t *json = text ? js_parse(text, strlen(text), "metrics", JS_PYTHON, NULL) : NULL, *value;
    struct metric_summary *metrics = arena_array(arena, json_object_size(json) + 1, sizeof *metrics);
    const char *name;
    json_object_foreach(json, name, value) {
        double number;
        if (js_to_double(value, &number))
            metrics[checkpoint->n_metrics++] =
                (struct metric_summary){.name = arena_strdup(arena, name), .last = number, .best = NAN};
    }
    checkpoint->metrics = metrics;
    json_decref(json);
}

static double metric_of(const struct checkpoint_summary *checkpoint, const char *name)
{
    for (size_t m = 0; name && m < checkpoint->n_metrics; m++)
        if (!strcmp(checkpoint->metrics[m].name, name))
            return checkpoint->metrics[m].last;
    return NAN;
}

/* One `best` among those that are there: by the monitored metric, else the last that its worker called so. One `last`.
 */
static void mark(struct checkpoint_summary *list, size_t n, const char *monitor, bool upwards)
{
    size_t best = SIZE_MAX, called = SIZE_MAX, last = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        if (list[i].missing)
            continue;
        double value = metric_of(&list[i], monitor),
               champion = best == SIZE_MAX ? NAN : metric_of(&list[best], monitor);
        if (isfinite(value) && (isnan(champion) || (upwards ? value > champion : value < champion)))
            best = i;
        if (list[i].best)
            called = i;
        last = i;
    }
    best = best == SIZE_MAX ? called : best;
    for (size_t i = 0; i < n; i++) {
        list[i].best = i == best;
        list[i].last = i == last;
    }
}

/* The monitored metric: the config's when checkpoints have it, else val_loss, else loss. */
static const char *monitor_of(const struct checkpoint_summary *list, size_t n, const char *config_monitor)
{
    const char *const wanted[] = {config_monitor, "val_loss", "loss"};
    for (size_t w = 0; w < 3; w++)
        for (size_t i = 0; wanted[w] && i < n; i++)
            if (!isnan(metric_of(&list[i], wanted[w])))
                return wanted[w];
    return NULL;
}

static bool load_monitor(struct index *index, int64_t run_id, struct arena *arena, const char **monitor, int *mode,
                         struct err *err)
{
    sqlite3_stmt *statement = index_query(index, err, "SELECT monitor, monitor_mode FROM run WHERE id=?", "i", run_id);
    int found = statement ? index_step(index, statement, err) : -1;
    *monitor = NULL;
    *mode = 0;
    if (found == 1) {
        *monitor = index_text(statement, 0, arena);
        *mode = sqlite3_column_int(statement, 1);
        sqlite3_reset(statement);
    }
    return found != -1;
}

struct checkpoints_call {
    const char *run_id;
    struct arena *arena;
    const struct checkpoint_summary **list;
    size_t *n;
};

struct names { /* of the files in a folder, sorted */
    char **list;
    size_t n, capacity;
};

/* One look at the folder instead of one at each of the files, of which most may be gone. */
static void read_names(struct index *index, const char *folder, struct names *names)
{
    char *path = xprintf("%s/%s/checkpoints", index->home, folder);
    DIR *dir = opendir(path);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        names->list = xgrow(names->list, &names->capacity, names->n + 1, sizeof *names->list);
        names->list[names->n++] = xstrdup(entry->d_name);
    }
    if (dir)
        closedir(dir);
    if (names->n)
        qsort(names->list, names->n, sizeof *names->list, str_order);
    free(path);
}

static void release_names(struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->list[i]);
    free(names->list);
}

static bool has_name(const struct names *names, const char *name)
{
    return names->n && bsearch(&name, names->list, names->n, sizeof *names->list, str_order);
}

static bool load_list(struct index *index, int64_t run_id, const char *folder, struct arena *arena,
                      struct checkpoint_summary **list, size_t *n, struct err *err)
{
    sqlite3_stmt *statement =
        index_query(index, err,
                    "SELECT name, epoch, step, time, size_bytes, weights_only, best, metrics FROM checkpoint "
                    "WHERE run=? ORDER BY ordinal",
                    "i", run_id);
    size_t capacity = 0;
    int found = -1;
    struct names there = {0};
    *n = 0;
    *list = NULL;
    read_names(index, folder, &there);
    while (statement && (found = index_step(index, statement, err)) == 1) {
        const char *name = index_text(statement, 0, arena);
        if (!name || !*name || strchr(name, '/'))
            continue;
        struct checkpoint_summary one = {.name = name,
                                         .epoch = sqlite3_column_int64(statement, 1),
                                         .step = sqlite3_column_int64(statement, 2),
                                         .created = index_real(statement, 3),
                                         .size_bytes = sqlite3_column_int64(statement, 4),
                                         .weights_only = sqlite3_column_int(statement, 5),
                                         .best = sqlite3_column_int(statement, 6)};
        one.path = arena_printf(arena, "%s/%s/checkpoints/%s", index->home, folder, name);
        one.missing = !has_name(&there, name);
        read_metrics(&one, (const char *)sqlite3_column_text(statement, 7), arena);
        *list = xgrow(*list, &capacity, *n + 1, sizeof **list);
        (*list)[(*n)++] = one;
    }
    release_names(&there);
    return found == 0;
}

static bool read_checkpoints(struct index *index, void *context, struct err *err)
{
    struct checkpoints_call *call = context;
    int64_t run_id = index_run_id(index, call->run_id, err);
    if (run_id <= 0)
        return run_id < 0 ? false : err_set(err, ERR_NOT_FOUND, "there is no run '%s'", call->run_id);
    struct checkpoint_summary *list;
    size_t n;
    const char *config_monitor;
    int mode;
    bool ok = load_list(index, run_id, call->run_id, call->arena, &list, &n, err) &&
              load_monitor(index, run_id, call->arena, &config_monitor, &mode, err);
    if (ok) {
        const char *monitor = monitor_of(list, n, config_monitor);
        bool by_mode = mode && monitor == config_monitor;
        mark(list, n, monitor, by_mode ? mode > 0 : monitor && metric_is_better_upwards(monitor));
        *call->list = arena_copy(call->arena, list, n, sizeof *list);
        *call->n = n;
    }
    free(list);
    return ok;
}

bool index_checkpoints(struct index *index, const char *run_id, struct arena *arena,
                       const struct checkpoint_summary **list, size_t *n, struct err *err)
{
    struct checkpoints_call call = {run_id, arena, list, n};
    return index_guarded(index_of_run(index, run_id), read_checkpoints, &call, err);
}

/* "best", "last" or an epoch. */
static bool is_selector(const char *text)
{
    if (!strcmp(text, "best") || !strcmp(text, "last"))
        return true;
    size_t digits = strspn(text, "0123456789");
    return digits && digits < 19 && !text[digits];
}

static const struct checkpoint_summary *select_checkpoint(const struct checkpoint_summary *list, size_t n,
                                                          const char *selector)
{
    const struct checkpoint_summary *found = NULL;
    for (size_t i = 0; i < n; i++) {
        bool fits = !strcmp(selector, "best")   ? list[i].best
                    : !strcmp(selector, "last") ? list[i].last
                                                : list[i].epoch == strtoll(selector, NULL, 10);
        if (fits && !list[i].missing && (!found || list[i].step >= found->step))
            found = &list[i];
    }
    return found;
}

static bool no_such_checkpoint(const struct run_summary *run, const struct checkpoint_summary *list, size_t n,
                               const char *selector, struct err *err)
{
    int64_t first = INT64_MAX, last = -1;
    for (size_t i = 0; i < n; i++)
        if (!list[i].missing) {
            first = list[i].epoch < first ? list[i].epoch : first;
            last = list[i].epoch > last ? list[i].epoch : last;
        }
    if (last < 0)
        return err_set(err, ERR_NOT_FOUND, "run '%s' has no checkpoints%s", run->id,
                       run->source ? ": it is an imported history"
                       : n         ? " any more: their files are gone"
                                   : "");
    if (!strcmp(selector, "best"))
        return err_set(err, ERR_NOT_FOUND, "run '%s' has no best checkpoint: none has a finite %s", run->id,
                       run->monitor);
    return err_set(
        err, ERR_NOT_FOUND,
        "run '%s' has no checkpoint of epoch %s; there are some of epochs %lld to %lld (antler checkpoints %s)",
        run->id, selector, (long long)first, (long long)last, run->id);
}

/* The run whose checkpoints/ holds this file, or NULL. */
static const char *run_of_file(const struct index *index, const char *path, struct arena *arena)
{
    char *absolute = realpath(path, NULL), *folder = path_folder(absolute ? absolute : ""), *run = path_folder(folder),
         *home = path_folder(run);
    const char *id = NULL;
    char *run_json = path_join(run, "run.json");
    if (absolute && !strcmp(path_name(folder), "checkpoints") && !strcmp(home, index->home) && path_exists(run_json))
        id = arena_strdup(arena, path_name(run));
    free(run_json);
    free(home);
    free(run);
    free(folder);
    free(absolute);
    return id;
}

static bool resolve_in_run(struct index *index, const char *run_text, const char *selector, struct arena *arena,
                           const char **path, const char **run_id, struct err *err)
{
    const struct run_summary *run = index_find(index, run_text, arena, err);
    const struct checkpoint_summary *list;
    size_t n;
    if (!run || !index_checkpoints(index, run->id, arena, &list, &n, err))
        return false;
    const struct checkpoint_summary *found = select_checkpoint(list, n, selector);
    if (!found)
        return no_such_checkpoint(run, list, n, selector, err);
    *path = found->path;
    *run_id = run->id;
    return true;
}

bool index_resolve_checkpoint(struct index *index, const char *text, struct arena *arena, const char **path,
                              const char **run_id, struct err *err)
{
    if (path_exists(text) && !path_is_folder(text)) {
        *path = arena_strdup(arena, text);
        *run_id = run_of_file(index, text, arena);
        return true;
    }
    const char *colon = strrchr(text, ':');
    if (colon && colon > text && is_selector(colon + 1))
        return resolve_in_run(index, arena_strndup(arena, text, (size_t)(colon - text)), colon + 1, arena, path, run_id,
                              err);
    struct err why = {0};
    if (path_is_folder(text) && !index_find(index, text, arena, &why)) { /* a model as a folder */
        *path = arena_strdup(arena, text);
        *run_id = NULL;
        return true;
    }
    if (colon && colon > text && index_find(index, arena_strndup(arena, text, (size_t)(colon - text)), arena, &why))
        return err_set(err, ERR_USAGE, "'%s': expected an epoch, best or last behind the colon", text);
    if (index_find(index, text, arena, &why))
        return err_set(err, ERR_USAGE, "'%s' is a run, expected one of its checkpoints: %s:best, %s:last or %s:EPOCH",
                       text, text, text, text);
    return err_set(err, ERR_NOT_FOUND, "there is no file and no run '%s'", text);
}
