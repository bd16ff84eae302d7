/* index_schema.h - the tables of antler.db. A change of them raises INDEX_VERSION: an older file is emptied and filled
 * again, a newer one is left alone. Numbers only a log knows are in log_* columns of `run`, so that run.json and
 * history.log are read independently.
 */
#ifndef PERSISTENCE_INDEX_INDEX_SCHEMA_H
#define PERSISTENCE_INDEX_INDEX_SCHEMA_H

enum { INDEX_VERSION = 6, INDEX_APPLICATION_ID = 0x414E544C };

static const char index_schema[] =
    "CREATE TABLE run("
    "  id INTEGER PRIMARY KEY, folder TEXT NOT NULL UNIQUE,"
    "  run_stamp INTEGER NOT NULL, config_stamp INTEGER, config_error TEXT, log_stamp INTEGER NOT NULL DEFAULT 0,"
    "  name TEXT, state INTEGER, once_held INTEGER, created REAL, epoch INTEGER, epochs INTEGER, step INTEGER,"
    "  device TEXT, parent_run TEXT, parent_checkpoint TEXT, parent_epoch INTEGER, parent_step INTEGER,"
    "  tags TEXT, note TEXT, error TEXT, source TEXT, ran_s REAL, running_since REAL,"
    "  monitor TEXT, monitor_mode INTEGER NOT NULL DEFAULT 0," /* 1 up, -1 down, 0 by name */
    "  log_offset INTEGER NOT NULL DEFAULT 0, log_frame INTEGER NOT NULL DEFAULT -1,"
    "  log_header INTEGER NOT NULL DEFAULT 0, log_records INTEGER NOT NULL DEFAULT 0,"
    "  log_epoch INTEGER NOT NULL DEFAULT 0, log_step INTEGER NOT NULL DEFAULT 0,"
    "  log_device TEXT, log_time REAL, log_error TEXT, spark BLOB,"
    "  n_checkpoints INTEGER NOT NULL DEFAULT 0, work INTEGER NOT NULL DEFAULT 0, config_rate REAL, log_rate REAL);"
    "CREATE TABLE param(run INTEGER, key TEXT, value TEXT, PRIMARY KEY(run, key)) WITHOUT ROWID;"
    "CREATE INDEX param_key ON param(key, run);"
    "CREATE TABLE metric(run INTEGER, id INTEGER, name TEXT, n INTEGER, last REAL, best REAL, best_epoch INTEGER,"
    "  step INTEGER, PRIMARY KEY(run, id)) WITHOUT ROWID;"
    "CREATE TABLE record_group(run INTEGER, grp INTEGER, metrics BLOB, n INTEGER, PRIMARY KEY(run, grp)) WITHOUT ROWID;"
    "CREATE TABLE chunk(run INTEGER, grp INTEGER, seq INTEGER, n INTEGER, data BLOB,"
    "  PRIMARY KEY(run, grp, seq)) WITHOUT ROWID;"
    "CREATE TABLE event(run INTEGER, ordinal INTEGER, epoch INTEGER, step INTEGER, time REAL, json TEXT,"
    "  PRIMARY KEY(run, ordinal)) WITHOUT ROWID;"
    "CREATE TABLE checkpoint(run INTEGER, name TEXT, ordinal INTEGER, epoch INTEGER, step INTEGER, time REAL,"
    "  size_bytes INTEGER, weights_only INTEGER, best INTEGER, metrics TEXT, PRIMARY KEY(run, name)) WITHOUT ROWID;";

/* Dropped and made anew when the file is of an older version. */
static const char index_drop[] =
    "DROP TABLE IF EXISTS run; DROP TABLE IF EXISTS param; DROP TABLE IF EXISTS metric;"
    "DROP TABLE IF EXISTS record_group; DROP TABLE IF EXISTS chunk; DROP TABLE IF EXISTS event;"
    "DROP TABLE IF EXISTS checkpoint;";

#endif
