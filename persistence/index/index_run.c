/* index_run.c - run.json and config.json become a row of `run` and rows of `param`. */
#include "persistence/index/index_internal.h"
#include "persistence/runs/epoch_work.h"
#include "persistence/runs/metric_direction.h"

#include "base/io.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PARAMS_MAX = 20000 };

int64_t index_run_id(struct index *index, const char *id, struct err *err)
{
    sqlite3_stmt *statement = index_query(index, err, "SELECT id FROM run WHERE folder=?", "s", id);
    int found = statement ? index_step(index, statement, err) : -1;
    int64_t run_id = found == 1 ? sqlite3_column_int64(statement, 0) : found;
    if (found == 1)
        sqlite3_reset(statement);
    return run_id;
}

struct index *index_of_run(struct index *index, const char *id)
{
    return index->watched && index_run_id(index, id, NULL) == 0 ? index->watched : index;
}

bool index_forget_log(struct index *index, int64_t run_id, struct err *err)
{
    return index_exec(index, err, "DELETE FROM metric WHERE run=?", "i", run_id) &&
           index_exec(index, err, "DELETE FROM record_group WHERE run=?", "i", run_id) &&
           index_exec(index, err, "DELETE FROM chunk WHERE run=?", "i", run_id) &&
           index_exec(index, err, "DELETE FROM event WHERE run=?", "i", run_id) &&
           index_exec(index, err, "DELETE FROM checkpoint WHERE run=?", "i", run_id) &&
           index_exec(index, err,
                      "UPDATE run SET log_stamp=0, log_offset=0, log_frame=-1, log_header=0, log_records=0, "
                      "log_epoch=0, log_step=0, log_device=NULL, log_rate=NULL, log_time=NULL, log_error=NULL, "
                      "spark=NULL, n_checkpoints=0 WHERE id=?",
                      "i", run_id);
}

bool index_forget_run(struct index *index, int64_t run_id, struct err *err)
{
    return index_forget_log(index, run_id, err) &&
           index_exec(index, err, "DELETE FROM param WHERE run=?", "i", run_id) &&
           index_exec(index, err, "DELETE FROM run WHERE id=?", "i", run_id);
}

/* Seconds spent running in closed intervals, and since when it runs (0: it does not). */
static void running_time(const json_t *run, double *ran_s, double *since)
{
    double killed = 0;
    *ran_s = *since = 0;
    size_t i;
    json_t *change;
    json_array_foreach(json_object_get(run, "changes"), i, change) {
        double time = js_double(change, "time", 0), end = killed > 0 && killed < time ? killed : time;
        if (*since > 0 && end > *since) /* a clock that was set back counts as no time */
            *ran_s += end - *since;
        killed = js_double(change, "until", 0);
        *since = !strcmp(js_string(change, "state", ""), "running") ? time : 0;
    }
}

static bool add_params(struct index *index, int64_t run_id, const json_t *json, struct str *key, int *n,
                       struct err *err)
{
    if (!json_is_object(json) && !json_is_array(json)) {
        if (++*n > PARAMS_MAX)
            return true;
        char *text = js_text(json, 0);
        bool ok =
            index_exec(index, err, "INSERT OR REPLACE INTO param VALUES(?,?,?)", "iss", run_id, str_text(key), text);
        free(text);
        return ok;
    }
    size_t length = key->length, i;
    const char *name;
    json_t *value;
    bool ok = true;
    json_object_foreach((json_t *)json, name, value) {
        str_addf(key, "%s%s", length ? "." : "", name);
        ok = ok && add_params(index, run_id, value, key, n, err);
        key->data[key->length = length] = 0;
    }
    json_array_foreach(json, i, value) {
        str_addf(key, "[%zu]", i);
        ok = ok && add_params(index, run_id, value, key, n, err);
        key->data[key->length = length] = 0;
    }
    return ok;
}

/* NAN: a schedule, or none is said. */
static double rate_of(const json_t *config)
{
    return js_double(js_at(config, "compile.optimizer"), "learning_rate", NAN);
}

static bool ingest_config(struct index *index, int64_t run_id, const json_t *config, struct err *err)
{
    int mode, n_params = 0;
    const char *monitor = monitored_metric(config, &mode);
    int64_t epochs = js_int(json_object_get(config, "fit"), "epochs", 0);
    if (!index_exec(index, err, "UPDATE run SET epochs=?, monitor=?, monitor_mode=?, work=?, config_rate=? WHERE id=?",
                    "isiidi", epochs, monitor, (int64_t)mode, (int64_t)epoch_work(config), rate_of(config), run_id))
        return false;
    struct str key = {0};
    str_add(&key, "");
    bool ok = index_exec(index, err, "DELETE FROM param WHERE run=?", "i", run_id) &&
              add_params(index, run_id, config, &key, &n_params, err);
    str_release(&key);
    return ok;
}

/* Damage in run.json: the run is listed under the name of its folder, with the error. */
static bool ingest_damaged(struct index *index, const char *folder, int64_t stamp, int64_t run_id, const char *why,
                           struct err *err)
{
    struct str visible = {0};
    str_add_visible(&visible, why);
    bool ok = index_exec(
        index, err,
        "UPDATE run SET run_stamp=?, name=?, state=?, once_held=0, tags='[]', note='', error=?, created=0, epoch=0, "
        "step=0, ran_s=0, running_since=0, parent_run=NULL WHERE id=?",
        "isisi", stamp, folder, (int64_t)RUN_FAILED, str_text(&visible), run_id);
    str_release(&visible);
    return ok;
}

static bool ingest_identity(struct index *index, const json_t *run, const char *folder, int64_t stamp, int64_t run_id,
                            struct err *err)
{
    enum run_state state;
    if (!run_state_parse(js_string(run, "state", NULL), &state))
        return ingest_damaged(index, folder, stamp, run_id, "run.json has no known state", err);
    const json_t *parent = json_object_get(run, "parent"), *tags = json_object_get(run, "tags");
    double ran_s, since;
    running_time(run, &ran_s, &since);
    char *tags_text = json_is_array(tags) ? js_text(tags, 0) : xstrdup("[]");
    bool ok = index_exec(
        index, err,
        "UPDATE run SET run_stamp=?, name=?, state=?, once_held=?, created=?, epoch=?, step=?, device=?, parent_run=?, "
        "parent_checkpoint=?, parent_epoch=?, parent_step=?, tags=?, note=?, error=?, source=?, ran_s=?, "
        "running_since=? "
        "WHERE id=?",
        "isiidiisssiissssddi", stamp, js_string(run, "name", folder), (int64_t)state,
        (int64_t)json_is_object(json_object_get(run, "worker")), js_double(run, "created", 0), js_int(run, "epoch", 0),
        js_int(run, "step", 0), js_string(run, "device", NULL), js_string(parent, "run", NULL),
        js_string(parent, "checkpoint", NULL), js_int(parent, "epoch", 0), js_int(parent, "step", 0), tags_text,
        js_string(run, "note", ""), js_string(run, "error", NULL), js_string(run, "source", NULL), ran_s, since,
        run_id);
    free(tags_text);
    return ok;
}

bool index_ingest_run(struct index *index, const char *folder, int64_t stamp, int64_t *run_id, struct err *err)
{
    struct err why = {0};
    if (!*run_id && !index_exec(index, err, "INSERT INTO run(folder, run_stamp) VALUES(?, 0)", "s", folder))
        return false;
    if (!*run_id)
        *run_id = sqlite3_last_insert_rowid(index->db);
    char *path = path_join(index->home, folder);
    json_t *run = run_read(path, &why);
    bool ok = run ? ingest_identity(index, run, folder, stamp, *run_id, err)
                  : ingest_damaged(index, folder, stamp, *run_id, why.text, err);
    json_decref(run);
    free(path);
    return ok;
}

bool index_ingest_config(struct index *index, const char *folder, int64_t run_id, int64_t stamp, struct err *err)
{
    struct err why = {0};
    char *path = path_join(index->home, folder);
    json_t *config = run_read_config(path, &why);
    bool ok = index_exec(index, err, "UPDATE run SET config_stamp=?, config_error=? WHERE id=?", "isi", stamp,
                         config ? NULL : why.text, run_id) &&
              (!config || ingest_config(index, run_id, config, err));
    json_decref(config);
    free(path);
    return ok;
}

struct params_call {
    const char *run_id;
    struct arena *arena;
    const struct run_param **params;
    size_t *n;
};

static bool read_params(struct index *index, void *context, struct err *err)
{
    struct params_call *call = context;
    sqlite3_stmt *statement = index_query(
        index, err, "SELECT p.key, p.value FROM param p JOIN run r ON r.id=p.run WHERE r.folder=? ORDER BY p.key", "s",
        call->run_id);
    struct run_param *params = NULL;
    size_t n = 0, capacity = 0;
    int found = -1;
    while (statement && (found = index_step(index, statement, err)) == 1) {
        const char *key = index_text(statement, 0, call->arena), *json = index_text(statement, 1, call->arena);
        params = xgrow(params, &capacity, n + 1, sizeof *params);
        params[n++] = (struct run_param){key ? key : "", json ? json : "null"};
    }
    *call->params = arena_copy(call->arena, params, n, sizeof *params);
    *call->n = n;
    free(params);
    return found == 0;
}

bool index_params(struct index *index, const char *run_id, struct arena *arena, const struct run_param **params,
                  size_t *n, struct err *err)
{
    struct params_call call = {run_id, arena, params, n};
    return index_guarded(index_of_run(index, run_id), read_params, &call, err);
}
