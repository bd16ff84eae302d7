/* index_log.c - the records of a history become rows: metric summaries, chunks, events, checkpoints. Only new bytes are
 * read.
 *
 * In histories of other tools steps may go back (a restarted run): then best and last values are counted again from
 * what the later records leave (index_own_series).
 */
#include "persistence/index/index_chunks.h"
#include "persistence/runs/history_log.h"
#include "persistence/runs/metric_direction.h"
#include "persistence/runs/run_commands.h"

#include "base/io.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SPARK_VALUES = 60, GROUPS_MAX = 1024 }; /* beyond so many, metrics are kept one by one */

struct metric_state {
    char *name;
    int64_t n, best_epoch, step;
    double last, best;
    bool upwards, changed, went_back;
};

struct ingest {
    struct index *index;
    int64_t run_id, n_records, epoch, step;
    char *device; /* where it really ran, from its events */
    double rate;  /* the learning rate they said last, NAN: none did */
    double time;
    bool foreign, went_back;
    struct metric_state *metrics;
    size_t n_metrics, metrics_capacity;
    struct chunk_writer chunks;
    struct {
        const char *monitor;
        int mode;
    } config;
};

static bool upwards(const struct ingest *in, const char *name)
{
    if (in->config.monitor && in->config.mode && !strcmp(name, in->config.monitor))
        return in->config.mode > 0;
    return metric_is_better_upwards(name);
}

static struct metric_state *metric_at(struct ingest *in, size_t id)
{
    in->metrics = xgrow(in->metrics, &in->metrics_capacity, id + 1, sizeof *in->metrics);
    for (; in->n_metrics <= id; in->n_metrics++)
        in->metrics[in->n_metrics] = (struct metric_state){.best = NAN, .last = NAN, .step = INT64_MIN};
    return &in->metrics[id];
}

static bool load_metrics(struct ingest *in, struct err *err)
{
    sqlite3_stmt *statement = index_query(
        in->index, err, "SELECT id, name, n, last, best, best_epoch, step FROM metric WHERE run=? ORDER BY id", "i",
        in->run_id);
    int found = -1;
    while (statement && (found = index_step(in->index, statement, err)) == 1) {
        int64_t id = sqlite3_column_int64(statement, 0);
        const char *name = (const char *)sqlite3_column_text(statement, 1);
        if (id < 0 || id > UINT16_MAX || !name)
            continue;
        struct metric_state *metric = metric_at(in, (size_t)id);
        metric->name = xstrdup(name);
        metric->n = sqlite3_column_int64(statement, 2);
        metric->last = index_real(statement, 3);
        metric->best = index_real(statement, 4);
        metric->best_epoch = sqlite3_column_int64(statement, 5);
        metric->step = metric->n ? sqlite3_column_int64(statement, 6) : INT64_MIN;
        metric->upwards = upwards(in, name);
    }
    return found == 0;
}

static void note_best(struct metric_state *metric, double value, int64_t epoch)
{
    if (isfinite(value) && (isnan(metric->best) || (metric->upwards ? value > metric->best : value < metric->best))) {
        metric->best = value;
        metric->best_epoch = epoch;
    }
}

static void note_value(struct ingest *in, size_t id, const char *name, double value, int64_t epoch, int64_t step)
{
    struct metric_state *metric = metric_at(in, id);
    if (!metric->name) {
        metric->name = xstrdup(name);
        metric->upwards = upwards(in, name);
    }
    if (in->foreign && step <= metric->step)
        in->went_back = metric->went_back = true;
    metric->step = step;
    metric->n++;
    metric->last = value;
    metric->changed = true;
    note_best(metric, value, epoch);
}

static bool take_metrics(struct ingest *in, const struct record *record, struct err *err)
{
    bool of_epoch = false, ok = true;
    for (size_t i = 0; i < record->n; i++) {
        note_value(in, record->ids[i], record->names[i], record->values[i], record->epoch, record->step);
        of_epoch = of_epoch || !str_starts(record->names[i], "batch_");
    }
    if (of_epoch && record->epoch > in->epoch)
        in->epoch = record->epoch;
    size_t step = in->chunks.n < GROUPS_MAX || record->n < 2 ? record->n : 1;
    for (size_t from = 0; ok && (from < record->n || !from); from += step ? step : 1)
        ok = chunks_add(&in->chunks, in->n_records, record, from, step, err);
    in->n_records++;
    return ok;
}

static bool take_checkpoint(struct ingest *in, const struct record *record, const json_t *json, int64_t ordinal,
                            struct err *err)
{
    const char *name = js_string(json, "checkpoint", "");
    if (!*name || *name == '.' || strchr(name, '/')) /* it becomes a path: a log from a stranger may name anything */
        return true;
    const json_t *metrics = json_object_get(json, "metrics");
    char *text = json_is_object(metrics) ? js_text(metrics, 0) : xstrdup("{}");
    bool ok =
        index_exec(in->index, err, "INSERT OR REPLACE INTO checkpoint VALUES(?,?,?,?,?,?,?,?,?,?)", "isiiidiiis",
                   in->run_id, name, ordinal, record->epoch, record->step, record->time, js_int(json, "size_bytes", 0),
                   (int64_t)js_bool(json, "weights_only", false), (int64_t)js_bool(json, "best", false), text);
    free(text);
    return ok;
}

static void note_rate(struct ingest *in, const json_t *event)
{
    double rate = run_event_learning_rate(event);
    if (!isnan(rate))
        in->rate = rate;
}

/* Of those that made room for newer ones nothing is left to choose: they are in the events only. */
static bool drop_removed(struct ingest *in, const json_t *event, struct err *err)
{
    return strcmp(js_string(event, "event", ""), "checkpoint_removed") != 0 ||
           index_exec(in->index, err, "DELETE FROM checkpoint WHERE run=? AND name=?", "is", in->run_id,
                      js_string(event, "checkpoint", ""));
}

static bool take_json(struct ingest *in, const struct record *record, int64_t ordinal, struct err *err)
{
    json_t *json = js_parse(record->json, record->json_length, "history.log", JS_PYTHON, NULL);
    bool ok = true;
    if (json_is_object(json) && record->kind == RECORD_CHECKPOINT) {
        ok = take_checkpoint(in, record, json, ordinal, err);
    } else if (json_is_object(json)) {
        const char *device = js_string(json, "device", NULL);
        if (device) {
            free(in->device);
            in->device = xstrdup(device);
        }
        note_rate(in, json);
        char *text = js_text(json, 0);
        ok = index_exec(in->index, err, "INSERT OR REPLACE INTO event VALUES(?,?,?,?,?,?)", "iiiids", in->run_id,
                        ordinal, record->epoch, record->step, record->time, text);
        free(text);
        ok = ok && drop_removed(in, json, err);
    }
    json_decref(json);
    return ok;
}

static bool take_records(struct ingest *in, struct history_reader *reader, struct err *why, struct err *err)
{
    struct record record;
    while (history_next(reader, &record, why) == 1) {
        if (record.step > in->step)
            in->step = record.step;
        in->time = record.time;
        bool ok = record.kind == RECORD_METRICS ? take_metrics(in, &record, err)
                                                : take_json(in, &record, history_offset(reader), err);
        if (!ok)
            return false;
    }
    return true;
}

static bool store_metrics(struct ingest *in, const struct history_reader *reader, struct err *err)
{
    size_t n_names;
    const char *const *names = history_names(reader, &n_names);
    for (size_t id = 0; id < n_names;
         id++) { /* also those declared without a value yet: the next ingestion needs them */
        struct metric_state *metric = metric_at(in, id);
        if (!names[id] || (metric->name && !metric->changed))
            continue;
        if (!index_exec(in->index, err, "INSERT OR REPLACE INTO metric VALUES(?,?,?,?,?,?,?,?)", "iisiddii", in->run_id,
                        (int64_t)id, names[id], metric->n, metric->last, metric->best, metric->best_epoch,
                        metric->step))
            return false;
    }
    return true;
}

/* Best and last of what is left where later records took the place of earlier ones. */
static bool count_again(struct ingest *in, struct err *err)
{
    struct arena arena = {0};
    const struct metric_series *series;
    size_t n;
    bool ok = index_own_series(in->index, in->run_id, &arena, &series, &n, err);
    for (size_t s = 0; ok && s < n; s++) {
        size_t id = 0;
        while (id < in->n_metrics && (!in->metrics[id].name || strcmp(in->metrics[id].name, series[s].name) != 0))
            id++;
        if (id == in->n_metrics || !in->metrics[id].went_back)
            continue;
        struct metric_state *metric = &in->metrics[id];
        metric->best = NAN;
        for (size_t i = 0; i < series[s].n; i++)
            note_best(metric, series[s].value[i], series[s].epoch[i]);
        ok = index_exec(in->index, err, "UPDATE metric SET best=?, best_epoch=? WHERE run=? AND id=?", "diii",
                        metric->best, metric->best_epoch, in->run_id, (int64_t)id);
    }
    arena_release(&arena);
    return ok;
}

/* The metric that sparklines and `best` follow, one that has values. */
static size_t monitored(const struct ingest *in)
{
    size_t best = SIZE_MAX;
    int best_rank = INT_MAX;
    for (size_t id = 0; id < in->n_metrics; id++) {
        if (!in->metrics[id].name || !in->metrics[id].n)
            continue;
        int rank = metric_watch_rank(in->metrics[id].name, in->config.monitor);
        if (rank < best_rank) {
            best = id;
            best_rank = rank;
        }
    }
    return best;
}

static bool store_run(struct ingest *in, const struct history_reader *reader, int64_t stamp, const char *error,
                      struct err *err)
{
    float spark[SPARK_VALUES];
    size_t n_spark = 0, id = monitored(in);
    if (id != SIZE_MAX && !index_tail(in->index, in->run_id, (int64_t)id, spark, SPARK_VALUES, &n_spark, err))
        return false;
    int64_t frame;
    uint64_t header;
    if (!history_last_frame(reader, &frame, &header)) /* nothing new: what is known stays */
        return index_exec(in->index, err, "UPDATE run SET log_stamp=?, log_error=? WHERE id=?", "isi", stamp, error,
                          in->run_id);
    return index_exec(
        in->index, err,
        "UPDATE run SET log_stamp=?, log_offset=?, log_frame=?, log_header=?, log_records=?, log_epoch=?, log_step=?, "
        "log_device=coalesce(?, log_device), log_rate=coalesce(?, log_rate), log_time=?, log_error=?, spark=?, "
        "n_checkpoints=(SELECT count(*) FROM checkpoint WHERE run=?) WHERE id=?",
        "iiiiiiisddsbii", stamp, history_offset(reader), frame, (int64_t)header, in->n_records, in->epoch, in->step,
        in->device, in->rate, in->time, error, spark, n_spark * sizeof *spark, in->run_id, in->run_id);
}

/* What is known of the log; *offset 0 when it must be read from the start. */
static bool load_run(struct ingest *in, const char *path, int64_t *offset, char **monitor, struct err *err)
{
    sqlite3_stmt *statement = index_query(in->index, err,
                                          "SELECT log_offset, log_frame, log_header, log_records, log_epoch, log_step, "
                                          "log_time, monitor, monitor_mode, source IS NOT NULL FROM run WHERE id=?",
                                          "i", in->run_id);
    if (!statement || index_step(in->index, statement, err) != 1)
        return false;
    *offset = sqlite3_column_int64(statement, 0);
    int64_t frame = sqlite3_column_int64(statement, 1);
    uint64_t header = (uint64_t)sqlite3_column_int64(statement, 2), now = 0;
    in->n_records = sqlite3_column_int64(statement, 3);
    in->epoch = sqlite3_column_int64(statement, 4);
    in->step = sqlite3_column_int64(statement, 5);
    in->time = sqlite3_column_double(statement, 6);
    const char *text = (const char *)sqlite3_column_text(statement, 7);
    *monitor = text ? xstrdup(text) : NULL;
    in->config.monitor = *monitor;
    in->config.mode = sqlite3_column_int(statement, 8);
    in->foreign = sqlite3_column_int(statement, 9);
    sqlite3_reset(statement);
    if (!*offset || (history_frame_header(path, frame, &now) && now == header))
        return true;
    *offset = in->n_records = in->epoch = in->step = 0; /* cut or replaced: a run resumed in place */
    return index_forget_log(in->index, in->run_id, err);
}

static void release(struct ingest *in)
{
    for (size_t id = 0; id < in->n_metrics; id++)
        free(in->metrics[id].name);
    chunks_release(&in->chunks);
    free(in->device);
    free(in->metrics);
}

static struct history_reader *open_reader(const struct ingest *in, const char *path, int64_t offset, struct err *err)
{
    const char **names = xcalloc(in->n_metrics + 1, sizeof *names);
    for (size_t id = 0; id < in->n_metrics; id++)
        names[id] = in->metrics[id].name;
    struct history_reader *reader = history_open_reader_at(path, offset, names, in->n_metrics, err);
    free(names);
    return reader;
}

bool index_ingest_log(struct index *index, const char *folder, int64_t run_id, int64_t stamp, struct err *err)
{
    struct ingest in = {.index = index, .run_id = run_id, .rate = NAN, .chunks = {.index = index, .run_id = run_id}};
    struct err why = {0};
    int64_t offset = 0;
    char *path = path_join(index->home, folder), *monitor = NULL;
    struct history_reader *reader = NULL;
    bool ok = load_run(&in, path, &offset, &monitor, err) && load_metrics(&in, err) && chunks_load(&in.chunks, err);
    if (ok)
        reader = open_reader(&in, path, offset, &why);
    if (ok && !reader) /* gone or unreadable */
        ok = index_forget_log(index, run_id, err) &&
             index_exec(index, err, "UPDATE run SET log_stamp=?, log_error=? WHERE id=?", "isi", stamp,
                        why.code == ERR_NOT_FOUND ? NULL : why.text, run_id);
    else if (ok)
        ok = take_records(&in, reader, &why, err) && store_metrics(&in, reader, err) && chunks_store(&in.chunks, err) &&
             (!in.went_back || count_again(&in, err)) && store_run(&in, reader, stamp, why.code ? why.text : NULL, err);
    history_close_reader(reader);
    release(&in);
    free(monitor);
    free(path);
    return ok;
}
