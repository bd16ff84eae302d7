/* history_log.h - the history of a run: append-only, CRC-framed records; safe to tail, safe with a torn end.
 *
 * Frame: u32 length, u32 crc of the payload, payload; little-endian. Payload: one byte kind, then
 *   NAMES    metric names declared once: u16 id, text (a name gets its id on first use)
 *   METRICS  i64 epoch (1-based), i64 step, f64 Unix time, u16 n, n x (u16 id, f64 value)
 *   EVENT    i64 epoch, i64 step, f64 time, JSON text {"event": "started", ...}
 *   CHECKPOINT  the same with {"checkpoint": "epoch-0003.keras", "size_bytes", "weights_only", "best", "metrics": {}}
 * Values are the same bytes for a resumed and an uninterrupted run; times differ and are kept out of comparisons.
 * When a run is resumed in place from a checkpoint, what lies behind it is cut off (history_truncate).
 *
 * A torn end (a frame that reaches behind the end of the file, or a last one with a wrong crc, and no whole frame
 * behind it) is what a power cut leaves: readers ignore it, the next writer cuts it off. A broken frame with whole ones
 * behind it is damage: readers stop there with an error and keep what came before; the next writer moves the rest to
 * `history.damaged`, so that nothing is lost.
 */
#ifndef PERSISTENCE_RUNS_HISTORY_LOG_H
#define PERSISTENCE_RUNS_HISTORY_LOG_H

#include "base/json.h"

#include <stdint.h>

enum record_kind { RECORD_NAMES = 1, RECORD_METRICS, RECORD_EVENT, RECORD_CHECKPOINT };

/* The one metric that is recorded by step; all others are recorded at the end of an epoch. */
#define HISTORY_BATCH_LOSS "batch_loss"

struct history_writer;
/* Creates or continues the log in a run folder; a torn end is cut off. Knows the names already declared. */
struct history_writer *history_open_writer(const char *run_folder, struct err *err);
/* The same for another file of the folder that is written in this form (system_log.h). */
struct history_writer *history_open_writer_of(const char *run_folder, const char *file, struct err *err);
void history_close_writer(struct history_writer *writer);
/* names and values: n of them. One write call; a failed write leaves the old end (the file is cut back). */
bool history_add_metrics(struct history_writer *writer, int64_t epoch, int64_t step, const char *const *names,
                         const double *values, size_t n, struct err *err) MUST_USE;
/* The same with a time of its own (NaN = unknown): for histories that come from elsewhere. */
bool history_add_metrics_at(struct history_writer *writer, int64_t epoch, int64_t step, double time,
                            const char *const *names, const double *values, size_t n, struct err *err) MUST_USE;
bool history_add_event(struct history_writer *writer, int64_t epoch, int64_t step, const json_t *event,
                       struct err *err) MUST_USE;
/* Written only after the file is durable. */
bool history_add_checkpoint(struct history_writer *writer, int64_t epoch, int64_t step, const json_t *checkpoint,
                            struct err *err) MUST_USE;
/* An EVENT or a CHECKPOINT with a time of its own. */
bool history_add_json_at(struct history_writer *writer, enum record_kind kind, int64_t epoch, int64_t step, double time,
                         const json_t *json, struct err *err) MUST_USE;
/* From now on records are gathered and written when there are so many bytes of them, when the writer is flushed or
 * synced; what is not is lost when it is closed. For histories that come from elsewhere. A failed write loses what was
 * gathered. */
void history_gather(struct history_writer *writer, size_t at_least_bytes);
/* The run folder was given another name. */
void history_moved(struct history_writer *writer, const char *run_folder);
bool history_flush(struct history_writer *writer, struct err *err) MUST_USE;
bool history_sync(struct history_writer *writer, struct err *err) MUST_USE;
/* Length now, with what was gathered: stored in each checkpoint ("history_bytes"), so that resuming from it can cut
 * what came later. */
int64_t history_length(const struct history_writer *writer);
bool history_truncate(struct history_writer *writer, int64_t length_bytes, struct err *err) MUST_USE;

struct record { /* lent until the next call */
    enum record_kind kind;
    int64_t epoch, step;
    double time;
    size_t n;                 /* METRICS */
    const char *const *names; /* METRICS: n names */
    const uint16_t *ids;      /* METRICS: their numbers in this log */
    const double *values;
    const char *json; /* EVENT, CHECKPOINT: text */
    size_t json_length;
};
struct history_reader;
/* Reads from a byte offset that was a frame border (0 = start; names before it are re-read). NULL and ERR_NOT_FOUND
 * when there is no log. */
struct history_reader *history_open_reader(const char *run_folder, int64_t offset, struct err *err);
/* The same with the names known from an earlier reading (names[id], NULL for an id without one):
 * nothing before offset is read. */
struct history_reader *history_open_reader_at(const char *run_folder, int64_t offset, const char *const *names,
                                              size_t n_names, struct err *err);
/* Another file of the folder, from its start. */
struct history_reader *history_open_reader_of(const char *run_folder, const char *file, struct err *err);
void history_close_reader(struct history_reader *reader);
/* 1 = a record, 0 = no more whole records now (call again later), -1 = err (a broken frame
 * that is not the torn end). */
int history_next(struct history_reader *reader, struct record *record, struct err *err);
int64_t history_offset(const struct history_reader *reader); /* behind the last whole record */
/* The names declared so far, by id; lent until the next history_next. */
const char *const *history_names(const struct history_reader *reader, size_t *n);
/* The 8 bytes (length, crc) of the last frame read, and where it starts: whether a log still holds what was read from
 * it can be told by comparing them. False before the first frame. */
bool history_last_frame(const struct history_reader *reader, int64_t *offset, uint64_t *header);
/* The 8 bytes at offset of a log now; false when it is shorter. */
bool history_frame_header(const char *run_folder, int64_t offset, uint64_t *header);

#endif
