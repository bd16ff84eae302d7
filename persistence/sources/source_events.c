/* source_events.c - a folder of TensorBoard event files is one run.
 *
 *   FOLDER/events.out.tfevents.*              one writer or several, one behind the other: read in the order of names
 *   FOLDER/train/..., FOLDER/validation/...   as Keras' TensorBoard callback writes them: epoch_loss there is loss,
 *                                             here val_loss
 *
 * Framing (TFRecord): u64 length, masked CRC-32C of it, the payload, masked CRC-32C of that. Scalars with the same step
 * that follow each other become one record. Keras counts epochs from 0; where it also writes values per batch, these
 * give the step at which an epoch ended, and evaluation_loss_vs_iterations (of validation, over those steps) is
 * evaluation_loss. What lies below other tags is taken as it is; steps stand for epochs then.
 */
#include "base/name_table.h"
#include "persistence/sources/event_file.h"
#include "persistence/sources/event_logs.h"
#include "persistence/sources/growing_file.h"
#include "persistence/sources/source.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/io.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEADER_BYTES = 12,
    FOOTER_BYTES = 4,
    PAYLOAD_MAX_BYTES = 64 << 20,
    TAG_MAX_BYTES = 900,
    TEXT_MAX_BYTES = 64 << 10,
    IMAGES_MAX = 64 /* of one value */
};
#define STEP_MAX (INT64_C(1) << 53)
struct tag {
    const char *name;                          /* the metric's, lent by the table */
    bool by_epoch, by_batch, evaluation, text; /* text: words, whatever the later values say of their plugin */
};
struct queued {
    struct source_record record;
    const char *name; /* of a picture */
};

struct source_reader {
    struct event_logs logs;
    size_t at;              /* the one that is read */
    struct name_table tags; /* "<part><tag>": the numbers of tag_list */
    struct tag *tag_list;
    size_t tag_capacity;
    struct name_table names;    /* of metrics */
    struct source_record group; /* being filled: n scalars at the same place */
    size_t group_log, group_capacity, value_capacity;
    const char **group_names;
    double *group_values;
    struct arena arena; /* of the queue */
    struct queued *queue;
    size_t n_queue, queue_capacity, queue_at;
    int64_t *epoch_steps; /* at the end of epoch k + 1, 0: unknown */
    size_t n_epochs, epochs_capacity;
    int64_t batch_step;
    json_t *config;
    int end, changes;
    double started;
    bool torn, passed_over;
};

/* ---- records of the other kind become ours ---- */

static struct queued *enqueue(struct source_reader *r)
{
    r->queue = xgrow(r->queue, &r->queue_capacity, r->n_queue + 1, sizeof *r->queue);
    r->queue[r->n_queue] = (struct queued){0};
    return &r->queue[r->n_queue++];
}

static void close_group(struct source_reader *r)
{
    size_t n = r->group.n;
    if (!n)
        return;
    r->group.names = arena_copy(&r->arena, r->group_names, n, sizeof *r->group_names);
    r->group.values = arena_copy(&r->arena, r->group_values, n, sizeof *r->group_values);
    enqueue(r)->record = r->group;
    r->group.n = 0;
}

static bool in_group(const struct source_reader *r, const char *name)
{
    for (size_t i = 0; i < r->group.n; i++)
        if (r->group_names[i] == name)
            return true;
    return false;
}

static int64_t step_of_epoch(struct source_reader *r, int64_t epoch, bool train)
{
    if (epoch < 1 || epoch > (1 << 20))
        return epoch;
    if (train && r->batch_step > 0) {
        r->epoch_steps = xgrow(r->epoch_steps, &r->epochs_capacity, (size_t)epoch, sizeof *r->epoch_steps);
        while ((int64_t)r->n_epochs < epoch)
            r->epoch_steps[r->n_epochs++] = 0;
        r->epoch_steps[epoch - 1] = r->batch_step;
    }
    return epoch <= (int64_t)r->n_epochs && r->epoch_steps[epoch - 1] ? r->epoch_steps[epoch - 1] : epoch;
}

static int64_t epoch_of_step(const struct source_reader *r, int64_t step)
{
    for (size_t k = r->n_epochs; k > 0; k--)
        if (r->epoch_steps[k - 1] == step)
            return (int64_t)k;
    return step;
}

static void add_scalar(struct source_reader *r, const struct tag *tag, const struct event *event, double value)
{
    int64_t step = event->step < 0 ? 0 : event->step > STEP_MAX ? STEP_MAX : event->step, epoch = step;
    bool train = r->logs.list[r->at].part != PART_VALIDATION;
    if (tag->by_batch && train) {
        r->batch_step = step;
        epoch = (int64_t)r->n_epochs + 1;
    } else if (tag->by_epoch) {
        epoch = step + 1;
        step = step_of_epoch(r, epoch, train);
    } else if (tag->evaluation) {
        epoch = epoch_of_step(r, step);
    }
    if (r->group.n &&
        (r->group_log != r->at || r->group.step != step || r->group.epoch != epoch || in_group(r, tag->name)))
        close_group(r);
    if (!r->group.n) {
        r->group = (struct source_record){.kind = SOURCE_METRICS, .epoch = epoch, .step = step, .time = event->time};
        r->group_log = r->at;
    }
    r->group_names = xgrow(r->group_names, &r->group_capacity, r->group.n + 1, sizeof *r->group_names);
    r->group_values = xgrow(r->group_values, &r->value_capacity, r->group.n + 1, sizeof *r->group_values);
    r->group_names[r->group.n] = tag->name;
    r->group_values[r->group.n++] = value;
}

static void add_text(struct source_reader *r, const struct event *event, const struct event_value *value)
{
    char *words =
        xstrndup((const char *)value->data, value->size_bytes < TEXT_MAX_BYTES ? value->size_bytes : TEXT_MAX_BYTES);
    struct str text = {0};
    char *tag = xstrndup(value->tag, value->tag_length);
    str_add_visible(&text, tag);
    str_add(&text, ": ");
    for (char *line = words, *next; line; line = next) { /* its lines stay apart */
        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        line[strcspn(line, "\r")] = 0;
        str_add_visible(&text, line);
        if (next)
            str_add_char(&text, '\n');
    }
    json_t *json = json_pack("{s:s, s:s}", "event", "message", "text", str_text(&text));
    char *line = js_text(json, 0);
    struct source_record *record = &enqueue(r)->record;
    *record =
        (struct source_record){.kind = SOURCE_EVENT, .epoch = event->step, .step = event->step, .time = event->time};
    record->text = arena_strdup(&r->arena, line);
    record->length = strlen(line);
    free(line);
    json_decref(json);
    str_release(&text);
    free(tag);
    free(words);
}

/* number: of several that were written as one, -1: the only one. */
static void add_picture(struct source_reader *r, const struct event *event, const struct event_value *value, int number)
{
    struct queued *queued = enqueue(r);
    char *bytes = arena_alloc(&r->arena, value->size_bytes + 1);
    memcpy(bytes, value->data, value->size_bytes);
    const char *name = arena_strndup(&r->arena, value->tag, value->tag_length);
    queued->name = number < 0 ? name : arena_printf(&r->arena, "%s/%d", name, number);
    queued->record = (struct source_record){.kind = SOURCE_PICTURE,
                                            .epoch = event->step,
                                            .step = event->step,
                                            .time = event->time,
                                            .n = 1,
                                            .text = bytes,
                                            .length = value->size_bytes};
}

static void add_pictures(struct source_reader *r, const struct event *event, const struct event_value *value)
{
    struct event_value image = *value, second = *value;
    bool several = event_next_image(&second);
    int k = 0;
    do
        add_picture(r, event, &image, several ? k : -1);
    while (++k < IMAGES_MAX && event_next_image(&image));
}

/* Keras' own tags; everything else keeps its name. */
static struct tag make_tag(struct source_reader *r, const struct event_value *value)
{
    static const char evaluation[] = "evaluation_", iterations[] = "_vs_iterations";
    int part = r->logs.list[r->at].part;
    char *raw = xstrndup(value->tag, value->tag_length < TAG_MAX_BYTES ? value->tag_length : TAG_MAX_BYTES), *name;
    struct tag tag = {.by_epoch = part != PART_HERE && str_starts(raw, "epoch_"),
                      .by_batch = part != PART_HERE && str_starts(raw, "batch_"),
                      .evaluation =
                          part == PART_VALIDATION && str_starts(raw, evaluation) && str_ends(raw, iterations)};
    if (tag.evaluation)
        name = xstrndup(raw, strlen(raw) - strlen(iterations));
    else
        name = xprintf("%s%s", part == PART_VALIDATION ? "val_" : "", raw + (tag.by_epoch ? 6 : 0));
    size_t id = name_table_id(&r->names, *name ? name : "value", *name ? strlen(name) : 5);
    tag.name = r->names.list[id];
    tag.text = value->kind == EVENT_TEXT && value->plugin_length == 4 && !memcmp(value->plugin, "text", 4);
    free(name);
    free(raw);
    return tag;
}

static struct tag *find_tag(struct source_reader *r, const struct event_value *value)
{
    char key[TAG_MAX_BYTES + 1];
    size_t length = value->tag_length < TAG_MAX_BYTES ? value->tag_length : TAG_MAX_BYTES, known = r->tags.n;
    key[0] = (char)('0' + r->logs.list[r->at].part);
    memcpy(key + 1, value->tag, length);
    if (memchr(key, 0, length + 1))
        return NULL;
    size_t id = name_table_id(&r->tags, key, length + 1);
    if (id == known) {
        r->tag_list = xgrow(r->tag_list, &r->tag_capacity, id + 1, sizeof *r->tag_list);
        r->tag_list[id] = make_tag(r, value);
    }
    return &r->tag_list[id];
}

static void take_value(struct source_reader *r, const struct event *event, const struct event_value *value)
{
    int end;
    struct tag *tag = value->tag_length ? find_tag(r, value) : NULL;
    if (value->kind == EVENT_HPARAMS) {
        event_hparams(value->data, value->size_bytes, r->config, &end);
        r->end = end ? end : r->end;
        r->changes++;
    } else if (tag && value->kind == EVENT_SCALAR) {
        add_scalar(r, tag, event, value->scalar);
    } else if (tag && value->kind == EVENT_TEXT && tag->text) {
        close_group(r);
        add_text(r, event, value);
    } else if (tag && value->kind == EVENT_IMAGE) {
        close_group(r);
        add_pictures(r, event, value);
    }
}

static void take_payload(struct source_reader *r, const uint8_t *data, size_t size_bytes)
{
    struct event event;
    struct event_value value;
    if (!event_parse(data, size_bytes, &event))
        return;
    if (isnan(r->started) && event.time > 0) {
        r->started = event.time;
        r->changes++;
    }
    while (event_next(&event.summary, &value))
        take_value(r, &event, &value);
}

/* ---- framing ---- */

static uint32_t masked(uint32_t crc)
{
    return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

static int damaged(struct source_reader *r, struct event_log *log, int64_t size_bytes, const char *what,
                   struct err *err)
{
    if (size_bytes >=
        growing_size(&log->file) - log->file.offset) { /* the last one of a file: it is being written, or was never */
        r->torn = true;
        return 0;
    }
    err_set(err, ERR_FORMAT, "'%s' is damaged at byte %lld: %s; what came before is kept", log->file.path,
            (long long)log->file.offset, what);
    return -1;
}

static int take_record(struct source_reader *r, struct event_log *log, struct err *err)
{
    const uint8_t *p;
    int found = growing_want(&log->file, HEADER_BYTES, &p, err);
    if (found != 1)
        return found;
    uint64_t length = bytes_get(p, 8);
    if (masked(hash_crc32c(0, p, 8)) != bytes_get(p + 8, 4))
        return damaged(r, log, HEADER_BYTES, "the checksum of a length is wrong", err);
    if (length > PAYLOAD_MAX_BYTES) { /* a graph, a film: not looked at */
        if (length > (uint64_t)growing_size(&log->file) ||
            (int64_t)length > growing_size(&log->file) - log->file.offset - HEADER_BYTES - FOOTER_BYTES)
            return 0;
        r->passed_over = true;
        growing_skip(&log->file, HEADER_BYTES + (int64_t)length + FOOTER_BYTES);
        return 1;
    }
    size_t whole = HEADER_BYTES + (size_t)length + FOOTER_BYTES;
    found = growing_want(&log->file, whole, &p, err);
    r->torn = r->torn || found == 0;
    if (found != 1)
        return found;
    if (masked(hash_crc32c(0, p + HEADER_BYTES, (size_t)length)) != bytes_get(p + HEADER_BYTES + length, 4))
        return damaged(r, log, (int64_t)whole, "the checksum of a record is wrong", err);
    take_payload(r, p + HEADER_BYTES, (size_t)length);
    growing_skip(&log->file, (int64_t)whole);
    return 1;
}

/* ---- the source ---- */

static bool recognise(const char *path, const char *head, size_t head_bytes)
{
    if (path_is_folder(path))
        return event_logs_are_in(path);
    return head_bytes >= HEADER_BYTES &&
           masked(hash_crc32c(0, head, 8)) == (uint32_t)bytes_get((const uint8_t *)head + 8, 4);
}

static void close_events(struct source_reader *r)
{
    if (!r)
        return;
    event_logs_release(&r->logs);
    name_table_release(&r->tags);
    name_table_release(&r->names);
    arena_release(&r->arena);
    json_decref(r->config);
    free(r->tag_list);
    free(r->group_names);
    free(r->group_values);
    free(r->queue);
    free(r->epoch_steps);
    free(r);
}

static struct source_reader *open_events(const char *path, struct err *err)
{
    struct source_reader *r = xcalloc(1, sizeof *r);
    *r = (struct source_reader){.logs.folder = event_logs_folder(path), .config = json_object(), .started = NAN};
    event_logs_look(&r->logs);
    if (r->logs.n)
        return r;
    err_set(err, ERR_NOT_FOUND, "there is no event file in '%s'", r->logs.folder);
    close_events(r);
    return NULL;
}

static int give(struct source_reader *r, struct source_record *record)
{
    struct queued *queued = &r->queue[r->queue_at++];
    *record = queued->record;
    if (record->kind == SOURCE_PICTURE)
        record->names = &queued->name;
    return 1;
}

static int next(struct source_reader *r, struct source_record *record, struct err *err)
{
    if (r->queue_at < r->n_queue)
        return give(r, record);
    r->queue_at = r->n_queue = 0;
    arena_reset(&r->arena);
    if (r->at >= r->logs.n) {
        event_logs_look(&r->logs);
        r->at = 0;
        r->torn = false;
    }
    while (!r->n_queue && r->at < r->logs.n) {
        int found = take_record(r, &r->logs.list[r->at], err);
        if (found == -1)
            return -1;
        if (found == 0) {
            close_group(r);
            growing_rest(&r->logs.list[r->at++].file);
        }
    }
    return r->n_queue ? give(r, record) : 0;
}

static void about(const struct source_reader *r, struct source_about *about)
{
    *about = (struct source_about){.config = json_object_size(r->config) ? r->config : NULL,
                                   .end = r->end == 1   ? SOURCE_FINISHED
                                          : r->end == 2 ? SOURCE_FAILED
                                                        : SOURCE_UNKNOWN,
                                   .started = r->started,
                                   .changes = r->changes};
}

static const char *remark(const struct source_reader *r)
{
    return r->torn          ? "the last record has no end and was left out: it may still be written"
           : r->passed_over ? "records of more than 64 MiB were passed over"
                            : NULL;
}

static bool is_same(const struct source_reader *r)
{
    for (size_t i = 0; i < r->logs.n; i++)
        if (!growing_is_same(&r->logs.list[i].file))
            return false;
    return true;
}

const struct source source_events = {
    .name = "tensorboard",
    .what = "a folder of TensorBoard event files",
    .recognise = recognise,
    .whole = event_logs_folder,
    .open = open_events,
    .next = next,
    .about = about,
    .remark = remark,
    .is_same = is_same,
    .close = close_events,
};
