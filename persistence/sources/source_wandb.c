/* source_wandb.c - an offline run of Weights & Biases: run-<id>.wandb, and those of the same id that went on with it
 * later (wandb_files.h).
 *
 * Taken are the records run, config, history (with the pictures it names), stats (system metrics), output and exit; all
 * others are passed over. Keras' callback for it writes epoch/loss, epoch/val_loss and epoch/epoch (from 0) and
 * batch/loss: these become loss, val_loss, and batch_loss. Metrics that are logged together come in any order: here
 * always in that of their first appearance, so that they stay together in the index.
 */
#include "base/name_table.h"
#include "persistence/sources/source.h"
#include "persistence/sources/wandb_files.h"
#include "persistence/sources/wandb_item.h"
#include "persistence/sources/wandb_log.h"
#include "persistence/sources/wandb_media.h"
#include "persistence/sources/wire.h"

#include "base/arena.h"
#include "base/io.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS_MAX = 65000, WORD_BITS = 64 };
#define STEP_MAX (INT64_C(1) << 53)

enum key_kind { KEY_METRIC, KEY_STEP, KEY_TIME, KEY_EPOCH, KEY_OTHER };
struct key {
    enum key_kind kind;
    size_t metric; /* its place in values */
    bool by_epoch;
};
struct source_reader {
    struct wandb_log *logs;
    size_t n_logs, at;
    struct key_set {
        struct name_table names; /* as written: the numbers of list */
        struct key *list;
        size_t capacity;
    } keys[2]; /* of the history, of the system */
    struct name_table metrics;
    double *values;  /* by metric; of the record at hand */
    uint64_t *given; /* bits: which of them it has */
    size_t n_words, values_capacity, given_capacity;
    const char **names; /* of the record as it is given */
    double *numbers;
    size_t names_capacity, numbers_capacity;
    int64_t step; /* the last one */
    json_t *config, *tags;
    char *name, *note;
    int changes, exit_code;
    bool ended;
    double started;
    struct wandb_media media;
};

/* ---- keys ---- */

static struct key make_key(struct source_reader *r, const char *text, bool system)
{
    static const struct {
        const char *text;
        enum key_kind kind;
    } own[] = {{"_step", KEY_STEP}, {"_timestamp", KEY_TIME}, {"epoch/epoch", KEY_EPOCH}};
    struct key key = {.kind = KEY_METRIC};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (!system && !strcmp(text, own[i].text))
            key.kind = own[i].kind;
    if (key.kind != KEY_METRIC || (!system && text[0] == '_') || r->metrics.n >= KEYS_MAX) {
        key.kind = key.kind == KEY_METRIC ? KEY_OTHER : key.kind;
        return key;
    }
    key.by_epoch = str_starts(text, "epoch/");
    char *name = system                       ? xprintf("system/%s", text)
                 : key.by_epoch               ? xstrdup(text + 6)
                 : str_starts(text, "batch/") ? xprintf("batch_%s", text + 6)
                                              : xstrdup(text);
    key.metric = name_table_id(&r->metrics, *name ? name : "value", *name ? strlen(name) : 5);
    r->values = xgrow(r->values, &r->values_capacity, r->metrics.n, sizeof *r->values);
    size_t n_words = (r->metrics.n + WORD_BITS - 1) / WORD_BITS;
    r->given = xgrow(r->given, &r->given_capacity, n_words, sizeof *r->given);
    while (r->n_words < n_words)
        r->given[r->n_words++] = 0;
    free(name);
    return key;
}

static const struct key *find_key(struct source_reader *r, const uint8_t *text, size_t length, bool system)
{
    struct key_set *set = &r->keys[system];
    const char *name = (const char *)text;
    size_t id = length && length <= WANDB_KEY_MAX_BYTES ? name_table_find(&set->names, name, length) : SIZE_MAX;
    if (id != SIZE_MAX)
        return &set->list[id];
    if (!length || length > WANDB_KEY_MAX_BYTES || memchr(text, 0, length) || set->names.n > 2 * KEYS_MAX)
        return NULL;
    id = name_table_id(&set->names, name, length);
    set->list = xgrow(set->list, &set->capacity, id + 1, sizeof *set->list);
    set->list[id] = make_key(r, set->names.list[id], system);
    return &set->list[id];
}

/* ---- records ---- */

/* What was gathered becomes a record; false when it is nothing. */
static bool give_metrics(struct source_reader *r, struct source_record *record)
{
    size_t n = 0;
    for (size_t w = 0; w < r->n_words; w++)
        for (; r->given[w]; r->given[w] &= r->given[w] - 1) {
            size_t metric = w * WORD_BITS + (size_t)__builtin_ctzll(r->given[w]);
            r->names = xgrow(r->names, &r->names_capacity, n + 1, sizeof *r->names);
            r->numbers = xgrow(r->numbers, &r->numbers_capacity, n + 1, sizeof *r->numbers);
            r->names[n] = r->metrics.list[metric];
            r->numbers[n++] = r->values[metric];
        }
    record->kind = SOURCE_METRICS;
    record->n = n;
    record->names = r->names;
    record->values = r->numbers;
    return n > 0;
}

static void gather(struct source_reader *r, const struct key *key, double value)
{
    r->values[key->metric] = value;
    r->given[key->metric / WORD_BITS] |= UINT64_C(1) << key->metric % WORD_BITS;
}

static int64_t step_of(double value)
{
    return value >= 0 && value < (double)STEP_MAX ? (int64_t)value : 0;
}

static void take_media(struct source_reader *r, struct wire w, const struct source_record *record)
{
    struct wire_field f;
    struct wandb_item item;
    while (wire_next(&w, &f)) {
        if (!wire_is(&f, 1, WIRE_BYTES) || !wandb_item_read(&f, &item) || !item.json_length || item.json[0] != '{')
            continue;
        char *tag = xstrndup((const char *)item.key, item.key_length < WANDB_KEY_MAX_BYTES ? item.key_length : 0);
        wandb_media_add(&r->media, tag, (const char *)item.json, item.json_length, r->at, record);
        free(tag);
    }
}

static bool take_history(struct source_reader *r, struct wire w, struct source_record *record)
{
    const struct wire whole = w;
    struct wire_field f, inner;
    struct wandb_item item;
    int64_t step = -1;
    double epoch = NAN;
    bool by_epoch = false, objects = false;
    *record = (struct source_record){.time = NAN};
    while (wire_next(&w, &f)) {
        if (wire_is(&f, 2, WIRE_BYTES)) {
            struct wire number = wire_of(f.data, f.size_bytes);
            while (wire_next(&number, &inner))
                if (wire_is(&inner, 1, WIRE_VARINT) && step < 0)
                    step = inner.value < (uint64_t)STEP_MAX ? (int64_t)inner.value : 0;
            continue;
        }
        double value;
        bool read = wire_is(&f, 1, WIRE_BYTES) && wandb_item_read(&f, &item);
        objects = objects || (read && item.json_length && item.json[0] == '{');
        if (!read || !wandb_item_number(&item, &value))
            continue;
        const struct key *key = find_key(r, item.key, item.key_length, false);
        switch (key ? key->kind : KEY_OTHER) {
        case KEY_METRIC:
            gather(r, key, value);
            by_epoch = by_epoch || key->by_epoch;
            break;
        case KEY_STEP:
            step = step_of(value);
            break;
        case KEY_TIME:
            record->time = value;
            break;
        case KEY_EPOCH:
            epoch = value;
            break;
        default:
            break;
        }
    }
    record->step = r->step = step >= 0 ? step : r->step + 1;
    record->epoch = by_epoch && epoch >= 0 && epoch < 1e15 ? (int64_t)epoch + 1 : record->step;
    if (objects)
        take_media(r, whole, record);
    return give_metrics(r, record);
}

static double timestamp(struct wire w)
{
    struct wire_field f;
    double seconds = 0, nanos = 0;
    while (wire_next(&w, &f)) {
        if (wire_is(&f, 1, WIRE_VARINT))
            seconds = (double)(int64_t)f.value;
        else if (wire_is(&f, 2, WIRE_VARINT))
            nanos = (double)(int64_t)f.value;
    }
    return seconds + nanos * 1e-9;
}

static bool take_stats(struct source_reader *r, struct wire w, struct source_record *record)
{
    struct wire_field f;
    struct wandb_item item;
    double value;
    int64_t step = r->step < 0 ? 0 : r->step;
    *record = (struct source_record){.time = NAN, .step = step, .epoch = step};
    while (wire_next(&w, &f)) {
        if (wire_is(&f, 2, WIRE_BYTES))
            record->time = timestamp(wire_of(f.data, f.size_bytes));
        if (!wire_is(&f, 3, WIRE_BYTES) || !wandb_item_read(&f, &item) || !wandb_item_number(&item, &value))
            continue;
        const struct key *key = find_key(r, item.key, item.key_length, true);
        if (key && key->kind == KEY_METRIC)
            gather(r, key, value);
    }
    return give_metrics(r, record);
}

/* line of OutputRecord (a line) or OutputRawRecord (as it came). */
static bool take_output(struct source_reader *r, struct wire w, struct source_record *record)
{
    struct wire_field f;
    *record = (struct source_record){.kind = SOURCE_LINES, .time = NAN, .step = r->step, .epoch = r->step};
    while (wire_next(&w, &f))
        if (wire_is(&f, 3, WIRE_BYTES)) {
            record->text = (const char *)f.data;
            record->length = f.size_bytes;
        }
    return record->length > 0;
}

/* {"lr": {"value": 0.1, "desc": null}} is how older versions write {"lr": 0.1}. */
static json_t *plain_setting(json_t *value)
{
    json_t *inner = json_object_get(value, "value");
    if (!inner || json_object_size(value) > 2 || (json_object_size(value) == 2 && !json_object_get(value, "desc")))
        return value;
    json_incref(inner);
    json_decref(value);
    return inner;
}

static void take_config(struct source_reader *r, struct wire w)
{
    struct wire_field f;
    struct wandb_item item;
    r->changes++;
    while (wire_next(&w, &f)) {
        bool removed = wire_is(&f, 2, WIRE_BYTES);
        if ((!wire_is(&f, 1, WIRE_BYTES) && !removed) || !wandb_item_read(&f, &item) ||
            item.key_length > WANDB_KEY_MAX_BYTES)
            continue;
        char *key = xstrndup((const char *)item.key, item.key_length);
        if (removed)
            json_object_del(r->config, key);
        json_t *value = removed || str_starts(key, "_")
                            ? NULL
                            : js_parse((const char *)item.json, item.json_length, key, JS_PYTHON, NULL);
        if (value)
            json_object_set_new(r->config, key, plain_setting(value));
        free(key);
    }
}

static void set_text(char **text, const struct wire_field *f)
{
    struct str visible = {0};
    char *raw = xstrndup((const char *)f->data, f->size_bytes);
    str_add_visible(&visible, raw);
    free(raw);
    free(*text);
    *text = str_take(&visible);
}

static void take_run(struct source_reader *r, struct wire w)
{
    struct wire_field f;
    r->changes++;
    json_array_clear(r->tags);
    while (wire_next(&w, &f)) {
        if (f.type != WIRE_BYTES)
            continue;
        if (f.number == 4)
            take_config(r, wire_of(f.data, f.size_bytes));
        else if (f.number == 8 && f.size_bytes)
            set_text(&r->name, &f);
        else if (f.number == 1 && !r->name)
            set_text(&r->name, &f);
        else if (f.number == 9)
            set_text(&r->note, &f);
        else if (f.number == 10)
            json_array_append_new(r->tags, json_stringn((const char *)f.data, f.size_bytes));
        else if (f.number == 17 && isnan(r->started))
            r->started = timestamp(wire_of(f.data, f.size_bytes));
    }
    r->ended = false; /* it goes on */
}

static void take_exit(struct source_reader *r, struct wire w)
{
    struct wire_field f;
    r->changes++;
    r->ended = true;
    r->exit_code = 0;
    while (wire_next(&w, &f))
        if (wire_is(&f, 1, WIRE_VARINT))
            r->exit_code = (int)f.value;
}

/* True when the record at hand is filled. */
static bool take_record(struct source_reader *r, const uint8_t *data, size_t size_bytes, struct source_record *record)
{
    struct wire w = wire_of(data, size_bytes);
    struct wire_field f;
    while (wire_next(&w, &f)) {
        struct wire inner = wire_of(f.data, f.size_bytes);
        if (f.type != WIRE_BYTES)
            continue;
        switch (f.number) {
        case 2:
            return take_history(r, inner, record);
        case 3:
            return false; /* summary: the most frequent one that is not needed */
        case 4:
        case 13:
            return take_output(r, inner, record);
        case 5:
            take_config(r, inner);
            return false;
        case 7:
            return take_stats(r, inner, record);
        case 17:
            take_run(r, inner);
            return false;
        case 18:
            take_exit(r, inner);
            return false;
        default:
            break;
        }
    }
    return false;
}

/* ---- files of one run ---- */

static bool recognise(const char *path, const char *head, size_t head_bytes)
{
    (void)path;
    return wandb_is_log(head, head_bytes);
}

static void close_wandb(struct source_reader *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n_logs; i++)
        wandb_close(&r->logs[i]);
    for (int k = 0; k < 2; k++) {
        name_table_release(&r->keys[k].names);
        free(r->keys[k].list);
    }
    name_table_release(&r->metrics);
    json_decref(r->config);
    json_decref(r->tags);
    wandb_media_release(&r->media);
    free(r->logs);
    free(r->values);
    free(r->given);
    free(r->names);
    free(r->numbers);
    free(r->name);
    free(r->note);
    free(r);
}

static struct source_reader *open_wandb(const char *path, struct err *err)
{
    size_t n;
    char **files = wandb_files(path, &n);
    struct source_reader *r = xcalloc(1, sizeof *r);
    *r = (struct source_reader){
        .logs = xcalloc(n, sizeof *r->logs), .config = json_object(), .tags = json_array(), .started = NAN, .step = -1};
    bool ok = true;
    for (size_t i = 0; i < n; i++) {
        ok = ok && wandb_open(&r->logs[r->n_logs], files[i], err);
        r->n_logs += ok;
        free(files[i]);
    }
    free(files);
    if (ok)
        return r;
    close_wandb(r);
    return NULL;
}

static int next(struct source_reader *r, struct source_record *record, struct err *err)
{
    const uint8_t *data;
    size_t size_bytes, of;
    while (r->at < r->n_logs) {
        struct wandb_log *log = &r->logs[r->at];
        while (wandb_media_waits(&r->media, &of))
            if (wandb_media_next(&r->media, r->logs[of].file.path, record))
                return 1;
        int found = wandb_next(log, &data, &size_bytes, err);
        if (found == -1)
            return -1;
        if (found == 1 && take_record(r, data, size_bytes, record))
            return 1;
        if (found == 0 && r->at + 1 == r->n_logs) {
            growing_rest(&log->file);
            return 0;
        }
        r->at += found == 0;
    }
    return 0;
}

static void about(const struct source_reader *r, struct source_about *about)
{
    *about = (struct source_about){.name = r->name,
                                   .note = r->note,
                                   .config = json_object_size(r->config) ? r->config : NULL,
                                   .tags = r->tags,
                                   .end = !r->ended      ? SOURCE_OPEN
                                          : r->exit_code ? SOURCE_FAILED
                                                         : SOURCE_FINISHED,
                                   .started = r->started,
                                   .changes = r->changes};
}

static const char *remark(const struct source_reader *r)
{
    const struct wandb_log *log = &r->logs[r->n_logs - 1];
    return log->torn          ? "the last record has no end and was left out: it may still be written"
           : log->passed_over ? "records of more than 64 MiB were passed over"
                              : NULL;
}

/* Also whether a folder has come that goes on with the run: its file is read from the start then, with all the others.
 */
static bool is_same(const struct source_reader *r)
{
    size_t n;
    char **files = wandb_files(r->logs[0].file.path, &n);
    bool same = n == r->n_logs;
    for (size_t i = 0; i < n; i++) {
        same = same && growing_is_same(&r->logs[i].file);
        free(files[i]);
    }
    free(files);
    return same;
}

const struct source source_wandb = {
    .name = "wandb",
    .what = "a .wandb file of Weights & Biases",
    .recognise = recognise,
    .whole = wandb_first_file,
    .open = open_wandb,
    .next = next,
    .about = about,
    .remark = remark,
    .is_same = is_same,
    .close = close_wandb,
};
