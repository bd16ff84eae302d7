/* index_list.c - index_list: rows become summaries, states become what a person should see. */
#include "persistence/index/index_internal.h"
#include "persistence/index/run_filter.h"
#include "persistence/runs/metric_direction.h"
#include "persistence/runs/run_live.h"

#include "base/io.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Metrics of all runs in the order of the runs, each run's in the order of first appearance. */
static const char metrics_of_all[] = "SELECT run, name, last, best, best_epoch FROM metric WHERE n>0 ORDER BY run, id";
static const char metrics_of_one[] =
    "SELECT run, name, last, best, best_epoch FROM metric WHERE n>0 AND run=? ORDER BY id";
#define RUN_COLUMNS                                                                                                    \
    "SELECT id, folder, name, state, once_held, created, epoch, epochs, step, device, parent_run, parent_checkpoint, " \
    "parent_epoch, tags, "                                                                                             \
    "note, error, source, ran_s, running_since, monitor, log_epoch, log_step, log_device, log_time, "                  \
    "coalesce(config_error, log_error), spark, "                                                                       \
    "n_checkpoints, log_offset, work, coalesce(log_rate, config_rate) FROM run "
static const char runs_all[] = RUN_COLUMNS "ORDER BY id";
static const char runs_one[] = RUN_COLUMNS "WHERE id=?";
enum {
    C_ID,
    C_FOLDER,
    C_NAME,
    C_STATE,
    C_ONCE_HELD,
    C_CREATED,
    C_EPOCH,
    C_EPOCHS,
    C_STEP,
    C_DEVICE,
    C_PARENT_RUN,
    C_PARENT_CHECKPOINT,
    C_PARENT_EPOCH,
    C_TAGS,
    C_NOTE,
    C_ERROR,
    C_SOURCE,
    C_RAN,
    C_SINCE,
    C_MONITOR,
    C_LOG_EPOCH,
    C_LOG_STEP,
    C_LOG_DEVICE,
    C_LOG_TIME,
    C_LOG_ERROR,
    C_SPARK,
    C_N_CHECKPOINTS,
    C_LOG_OFFSET,
    C_WORK,
    C_RATE
};

struct loaded_run { /* with what is needed only while loading */
    struct run_summary summary;
    int64_t row;
};

static void read_tags(struct run_summary *run, const char *text, struct arena *arena)
{
    if (!text || !strcmp(text, "[]"))
        return;
    json_t *json = js_parse(text, strlen(text), "tags", JS_STRICT, NULL), *tag;
    const char **tags = arena_array(arena, json_array_size(json) + 1, sizeof *tags);
    size_t i;
    json_array_foreach(json, i, tag) {
        if (json_is_string(tag))
            tags[run->n_tags++] = arena_strdup(arena, json_string_value(tag));
    }
    run->tags = tags;
    json_decref(json);
}

/* Asks the lock, and a living worker's page, only for runs that may be alive. */
static void judge_state(struct index *index, struct run_summary *run, sqlite3_stmt *row)
{
    run->duration_s = index_real(row, C_RAN);
    if (run->state != RUN_QUEUED && run->state != RUN_RUNNING && run->state != RUN_PAUSED)
        return;
    char *folder = path_join(index->home, run->id);
    bool held = run_lock_is_held(folder);
    struct run_live live;
    if (held && run_live_read(folder, &live) && live.step > run->step)
        run->step = live.step;
    /* a free lock says that run.json is final: what was read from it before may not be */
    json_t *now = held ? NULL : run_read(folder, NULL);
    enum run_state final = now ? run_effective_state(now, false) : RUN_INTERRUPTED;
    json_decref(now);
    free(folder);
    double since = index_real(row, C_SINCE), until = held ? io_wall_seconds() : index_real(row, C_LOG_TIME);
    if (run->state == RUN_RUNNING && since > 0 && until > since)
        run->duration_s += until - since;
    if (!held && (run->state != RUN_QUEUED || sqlite3_column_int(row, C_ONCE_HELD)))
        run->state = final;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static struct loaded_run read_run(struct index *index, sqlite3_stmt *row, struct arena *arena)
{
    struct loaded_run loaded = {.row = sqlite3_column_int64(row, C_ID)};
    struct run_summary *run = &loaded.summary;
    int64_t state = sqlite3_column_int64(row, C_STATE);
    run->id = run->folder = index_text(row, C_FOLDER, arena);
    run->name = index_text(row, C_NAME, arena);
    run->state = state >= RUN_QUEUED && state <= RUN_INTERRUPTED ? (enum run_state)state : RUN_FAILED;
    run->created = index_real(row, C_CREATED);
    run->epoch = larger(sqlite3_column_int64(row, C_EPOCH), sqlite3_column_int64(row, C_LOG_EPOCH));
    run->step = larger(sqlite3_column_int64(row, C_STEP), sqlite3_column_int64(row, C_LOG_STEP));
    run->source = index_text(row, C_SOURCE, arena);
    run->epochs = sqlite3_column_int64(row, C_EPOCHS);
    if (!run->epochs && run->source)
        run->epochs = run->epoch;
    run->device =
        index_text(row, sqlite3_column_type(row, C_LOG_DEVICE) == SQLITE_NULL ? C_DEVICE : C_LOG_DEVICE, arena);
    run->parent_run = index_text(row, C_PARENT_RUN, arena);
    run->parent_checkpoint = index_text(row, C_PARENT_CHECKPOINT, arena);
    run->parent_epoch = sqlite3_column_int64(row, C_PARENT_EPOCH);
    run->note = index_text(row, C_NOTE, arena);
    run->error = index_text(row, C_ERROR, arena);
    if (!run->error)
        run->error = index_text(row, C_LOG_ERROR, arena);
    run->monitor = index_text(row, C_MONITOR, arena);
    run->n_checkpoints = sqlite3_column_int64(row, C_N_CHECKPOINTS);
    run->work = (uint64_t)sqlite3_column_int64(row, C_WORK);
    run->learning_rate = index_real(row, C_RATE);
    run->log_bytes = sqlite3_column_int64(row, C_LOG_OFFSET);
    read_tags(run, (const char *)sqlite3_column_text(row, C_TAGS), arena);
    size_t spark_bytes = (size_t)sqlite3_column_bytes(row, C_SPARK);
    float *spark = arena_alloc(arena, spark_bytes);
    if (spark_bytes)
        memcpy(spark, sqlite3_column_blob(row, C_SPARK), spark_bytes);
    run->spark = spark;
    run->n_spark = spark_bytes / sizeof *spark;
    judge_state(index, run, row);
    return loaded;
}

/* The metric `best` means: the config's when it was logged, else the one that one looks at first. */
static void choose_monitor(struct run_summary *run)
{
    const char *config = run->monitor;
    int best = INT_MAX;
    run->monitor = "loss";
    for (size_t m = 0; m < run->n_metrics; m++) {
        int rank = metric_watch_rank(run->metrics[m].name, config);
        if (rank < best)
            run->monitor = run->metrics[m].name;
        best = rank < best ? rank : best;
    }
}

/* What was recorded is what it trained with. */
static void choose_rate(struct run_summary *run)
{
    for (size_t m = 0; m < run->n_metrics; m++)
        if (!strcmp(run->metrics[m].name, "learning_rate") && isfinite(run->metrics[m].last))
            run->learning_rate = run->metrics[m].last;
}

/* Hands the metrics, ordered by run, to the runs, ordered by row. */
static bool read_metrics(struct index *index, sqlite3_stmt *statement, struct loaded_run *runs, size_t n,
                         struct arena *arena, struct err *err)
{
    struct metric_summary *list = NULL;
    size_t capacity = 0, n_list = 0, at = 0;
    int found = -1;
    while (statement) {
        found = index_step(index, statement, err);
        int64_t row = found == 1 ? sqlite3_column_int64(statement, 0) : INT64_MAX;
        for (; at < n && runs[at].row < row; at++) { /* all of runs[at]'s metrics have been read */
            runs[at].summary.metrics = arena_copy(arena, list, n_list, sizeof *list);
            runs[at].summary.n_metrics = n_list;
            choose_monitor(&runs[at].summary);
            choose_rate(&runs[at].summary);
            n_list = 0;
        }
        if (found != 1)
            break;
        const char *name = index_text(statement, 1, arena);
        list = xgrow(list, &capacity, n_list + 1, sizeof *list);
        list[n_list++] = (struct metric_summary){.name = name ? name : "",
                                                 .last = index_real(statement, 2),
                                                 .best = index_real(statement, 3),
                                                 .best_epoch = sqlite3_column_int64(statement, 4)};
    }
    free(list);
    return found == 0;
}

static bool load_runs(struct index *index, int64_t only, struct arena *arena, struct loaded_run **runs, size_t *n,
                      struct err *err)
{
    sqlite3_stmt *statement =
        only ? index_query(index, err, runs_one, "i", only) : index_query(index, err, runs_all, "");
    size_t capacity = 0;
    int found = -1;
    *runs = NULL;
    *n = 0;
    while (statement && (found = index_step(index, statement, err)) == 1) {
        *runs = xgrow(*runs, &capacity, *n + 1, sizeof **runs);
        (*runs)[*n] = read_run(index, statement, arena);
        if ((*runs)[*n].summary.id && (*runs)[*n].summary.name)
            ++*n;
    }
    statement = found  ? NULL
                : only ? index_query(index, err, metrics_of_one, "i", only)
                       : index_query(index, err, metrics_of_all, "");
    return read_metrics(index, statement, *runs, *n, arena, err);
}

static const char *lookup_param(void *context, const char *run_id, const char *path)
{
    struct index *index = context;
    sqlite3_stmt *statement =
        index_query(index, NULL, "SELECT p.value FROM param p JOIN run r ON r.id=p.run WHERE r.folder=? AND p.key=?",
                    "ss", run_id, path);
    if (statement && index_step(index, statement, NULL) == 1)
        return (const char *)sqlite3_column_text(statement, 0);
    return index->watched ? lookup_param(index->watched, run_id, path) : NULL;
}

struct sort_key {
    struct run_value value;
    const struct run_summary *run;
    int sign;
};

static int compare_values(const struct run_value *a, const struct run_value *b)
{
    if (a->kind != RUN_VALUE_NUMBER || b->kind != RUN_VALUE_NUMBER)
        return strcasecmp(a->text, b->text);
    return (a->number > b->number) - (a->number < b->number);
}

static int compare_newest(const struct run_summary *a, const struct run_summary *b)
{
    if (a->created != b->created)
        return a->created < b->created ? 1 : -1;
    return strcmp(b->id, a->id);
}

/* 0 = has a value, 1 = NaN, 2 = does not have the field. */
static int rank(const struct run_value *value)
{
    return value->kind == RUN_VALUE_NONE ? 2 : value->kind == RUN_VALUE_NUMBER && isnan(value->number);
}

/* NaN and then runs without the field come last whatever the direction; equal ones newest first. */
static int compare_keys(const void *pa, const void *pb)
{
    const struct sort_key *a = *(const struct sort_key *const *)pa, *b = *(const struct sort_key *const *)pb;
    int rank_a = rank(&a->value), order = rank_a - rank(&b->value);
    if (!order && !rank_a)
        order = a->sign * compare_values(&a->value, &b->value);
    return order ? order : compare_newest(a->run, b->run);
}

static void sort_runs(struct index *index, const char *sort, const struct run_summary **runs, size_t n)
{
    bool down = sort && *sort == '-';
    const char *field = sort ? sort + down : NULL;
    struct sort_key *keys = xcalloc(n + 1, sizeof *keys), **order = xcalloc(n + 1, sizeof(struct sort_key *));
    for (size_t i = 0; i < n; i++) {
        keys[i] = (struct sort_key){.run = runs[i], .sign = down ? -1 : 1};
        if (field)
            keys[i].value = run_field(field, runs[i], lookup_param, index);
        order[i] = &keys[i];
    }
    qsort(order, n, sizeof(struct sort_key *), compare_keys);
    for (size_t i = 0; i < n; i++)
        runs[i] = order[i]->run;
    free(order);
    free(keys);
}

const struct run_summary *index_as_watched(const struct index *watched, const struct run_summary *run,
                                           struct arena *arena)
{
    struct run_summary *copy = arena_alloc(arena, sizeof *copy);
    *copy = *run;
    copy->watched = true;
    copy->folder = arena_printf(arena, "%s/%s", watched->home, run->id);
    return copy;
}

struct select_call {
    const struct run_filter *filter;
    const char *sort;
    const struct run_summary *runs;
    size_t n;
    const struct run_summary **picked;
    size_t *n_picked;
};

static bool select_runs(struct index *index, void *context, struct err *err)
{
    struct select_call *call = context;
    (void)err;
    *call->n_picked = 0;
    for (size_t i = 0; i < call->n; i++)
        if (run_filter_matches(call->filter, &call->runs[i], lookup_param, index))
            call->picked[(*call->n_picked)++] = &call->runs[i];
    sort_runs(index, call->sort, call->picked, *call->n_picked);
    return true;
}

struct list_call {
    const struct run_filter *filter;
    const char *sort;
    struct arena *arena;
    const struct run_summary *joined; /* n_joined runs of the joined index, beside its own */
    size_t n_joined;
    const struct run_summary **runs;
    size_t *n;
};

static bool read_list(struct index *index, void *context, struct err *err)
{
    struct list_call *call = context;
    struct loaded_run *loaded;
    size_t n;
    bool ok = load_runs(index, 0, call->arena, &loaded, &n, err);
    struct run_summary *all = xcalloc(n + call->n_joined + 1, sizeof *all);
    const struct run_summary **picked = xcalloc(n + call->n_joined + 1, sizeof(const struct run_summary *));
    for (size_t i = 0; ok && i < n; i++)
        all[i] = loaded[i].summary;
    for (size_t i = 0; i < call->n_joined; i++)
        all[n++] = *index_as_watched(index->watched, &call->joined[i], call->arena);
    ok = ok && select_runs(index, &(struct select_call){call->filter, call->sort, all, n, picked, call->n}, err);
    struct run_summary *runs = ok ? arena_array(call->arena, *call->n + 1, sizeof *runs) : NULL;
    for (size_t i = 0; ok && i < *call->n; i++)
        runs[i] = *picked[i];
    if (ok)
        *call->runs = runs;
    free(picked);
    free(all);
    free(loaded);
    return ok;
}

struct metric_call {
    const char *name;
    bool known;
};

static bool find_metric(struct index *index, void *context, struct err *err)
{
    struct metric_call *call = context;
    sqlite3_stmt *statement = index_query(index, err, "SELECT 1 FROM metric WHERE name=? LIMIT 1", "s", call->name);
    int found = statement ? index_step(index, statement, err) : -1;
    if (found == 1)
        sqlite3_reset(statement);
    call->known = found == 1;
    return found != -1 && (call->known || !index->watched || find_metric(index->watched, context, err));
}

/* The field that a sort key means, with its sign: a metric's bare name is its last value. NULL and err. */
static const char *sort_field(struct index *index, const char *sort, struct arena *arena, struct err *err)
{
    bool down = *sort == '-';
    struct err why = {0};
    if (run_field_check(sort + down, &why))
        return sort;
    struct metric_call call = {sort + down, false};
    if (!index_guarded(index, find_metric, &call, err))
        return NULL;
    if (!call.known)
        return err_null(err, ERR_USAGE, "cannot sort: %s", why.text);
    return arena_printf(arena, "%slast.%s", down ? "-" : "", call.name);
}

bool index_list(struct index *index, const char *filter, const char *sort, struct arena *arena,
                const struct run_summary **runs, size_t *n, struct err *err)
{
    if (sort && !(sort = sort_field(index, sort, arena, err)))
        return false;
    struct run_filter *parsed = run_filter_parse(filter ? filter : "", err);
    struct list_call call = {.filter = parsed, .sort = sort, .arena = arena, .runs = runs, .n = n};
    bool ok = parsed &&
              (!index->watched || index_list(index->watched, "", NULL, arena, &call.joined, &call.n_joined, err)) &&
              index_guarded(index, read_list, &call, err);
    run_filter_free(parsed);
    return ok;
}

bool index_select(struct index *index, const char *filter, const char *sort, const struct run_summary *runs, size_t n,
                  const struct run_summary **picked, size_t *n_picked, struct err *err)
{
    struct arena arena = {0};
    const char *field = sort ? sort_field(index, sort, &arena, err) : NULL;
    struct run_filter *parsed = !sort || field ? run_filter_parse(filter ? filter : "", err) : NULL;
    struct select_call call = {parsed, field, runs, n, picked, n_picked};
    bool ok = parsed && index_guarded(index, select_runs, &call, err);
    run_filter_free(parsed);
    arena_release(&arena);
    return ok;
}

const struct run_summary *index_load_run(struct index *index, int64_t row, struct arena *arena, struct err *err)
{
    struct loaded_run *loaded;
    size_t n;
    struct run_summary *run = NULL;
    if (load_runs(index, row, arena, &loaded, &n, err)) {
        run = n ? arena_alloc(arena, sizeof *run) : err_null(err, ERR_NOT_FOUND, "the run was deleted at this moment");
        if (n)
            *run = loaded[0].summary;
    }
    free(loaded);
    return run;
}
