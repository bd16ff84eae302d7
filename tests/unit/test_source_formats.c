/* Histories as other tools write them, whole, torn at every byte and damaged: what is in them comes out, nothing else
 * happens. */
#include "tests/check.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/io.h"
#include "persistence/files/bytes.h"
#include "persistence/index/index.h"
#include "persistence/sources/source_copy.h"
#include "persistence/sources/source_scan.h"
#include "persistence/sources/wire.h"

#include <sys/stat.h>
#include <zlib.h>

#define FOREIGN SOURCE_DIR "/tests/files/foreign"
#define TINY FOREIGN "/wandb/offline-run-20261125_211100-tiny0001/run-tiny0001.wandb"

static const char *write_bytes(const char *name, const void *data, size_t size)
{
    const char *path = check_path(name);
    FILE *file = fopen(path, "wb");
    CHECK_EQ(fwrite(data, 1, size, file), size);
    fclose(file);
    return path;
}

static const char *write_text(const char *name, const char *text)
{
    return write_bytes(name, text, strlen(text));
}

static void add_record(struct str *out, const struct source_record *record)
{
    switch (record->kind) {
    case SOURCE_METRICS:
        str_addf(out, "%lld/%lld", (long long)record->epoch, (long long)record->step);
        for (size_t i = 0; i < record->n; i++)
            str_addf(out, " %s=%.4g", record->names[i], record->values[i]);
        break;
    case SOURCE_EVENT:
        str_addf(out, "event %.*s", (int)record->length, record->text);
        break;
    case SOURCE_LINES:
        str_addf(out, "lines %.*s",
                 (int)strcspn(record->text, "\n") < (int)record->length ? (int)strcspn(record->text, "\n")
                                                                        : (int)record->length,
                 record->text);
        break;
    case SOURCE_PICTURE:
        str_addf(out, "picture %s of %zu bytes", record->names[0], record->length);
        break;
    }
    str_add(out, "\n");
}

/* All records as lines, and at the end the error, if there is one. free() it. */
static char *dump_source(const char *path)
{
    struct err err = {0};
    struct str out = {0};
    const struct source *source = source_of(path, &err);
    char *whole = source && source->whole ? source->whole(path) : xstrdup(path);
    struct source_reader *reader = source ? source->open(whole, &err) : NULL;
    struct source_record record;
    while (reader && source->next(reader, &record, &err) == 1)
        add_record(&out, &record);
    str_add(&out, err.text);
    if (reader)
        source->close(reader);
    free(whole);
    return str_take(&out);
}

static void check_dump(const char *path, const char *expected)
{
    char *found = dump_source(path);
    CHECK_STR(found, expected);
    free(found);
}

/* ---- Keras ---- */

static void test_the_folders_of_keras_tensorboard_callback_are_one_run(void)
{
    static const char expected[] =
        "1/2 batch_accuracy=0.5938 batch_loss=0.6756\n"
        "1/4 batch_accuracy=0.625 batch_loss=0.6988\n"
        "1/6 batch_accuracy=0.5625 batch_loss=0.6882\n"
        "2/6 accuracy=0.5625 loss=0.6882 learning_rate=0.001\n"
        "3/8 batch_accuracy=0.5938 batch_loss=0.6751\n"
        "3/10 batch_accuracy=0.625 batch_loss=0.6985\n"
        "3/12 batch_accuracy=0.5625 batch_loss=0.6878\n"
        "4/12 accuracy=0.5625 loss=0.6878 learning_rate=0.001\n"
        "2/6 evaluation_accuracy=0.5625 evaluation_loss=0.6763 val_accuracy=0.5625 val_loss=0.6763\n"
        "4/12 evaluation_accuracy=0.5625 evaluation_loss=0.6762 val_accuracy=0.5625 val_loss=0.6762\n";
    check_dump(FOREIGN "/keras", expected);
    check_dump(FOREIGN "/keras/train", expected);
    check_dump(FOREIGN "/keras/validation/events.out.tfevents.2.host.1.1.v2", expected);
}

static void test_histories_as_json_are_read(void)
{
    static const char *const cases[][2] = {
        {"{\"loss\": [3, 2.5], \"val_loss\": [4, NaN]}", "1/1 loss=3 val_loss=4\n2/2 loss=2.5 val_loss=nan\n"},
        {"{\"loss\": [1, 2, 3, 4], \"val_loss\": [5, 6]}",
         "1/1 loss=1\n2/2 loss=2 val_loss=5\n3/3 loss=3\n4/4 loss=4 val_loss=6\n"},
        {"{\"loss\": {\"0\": 1, \"1\": 2}, \"acc\": {\"1\": 0.5}}", "1/1 loss=1\n2/2 loss=2 acc=0.5\n"},
        {"{\"epoch\": [4, 5], \"history\": {\"loss\": [1, null]}}", "1/1 loss=1\n"},
        {"{\"epoch\": [4, 5], \"history\": {\"loss\": [1, \"-Infinity\"]}, \"params\": {\"epochs\": 2}}",
         "5/5 loss=1\n6/6 loss=-inf\n"},
        {"{\"run\": \"x\", \"metrics\": {\"loss\": {\"epoch\": [1, 2], \"step\": [10, 20], \"time\": [5, 6], "
         "\"value\": [0.5, 0.25]}, \"batch_loss\": "
         "{\"epoch\": [1], \"step\": [5], \"time\": [5], \"value\": [9]}}}",
         "1/5 batch_loss=9\n1/10 loss=0.5\n2/20 loss=0.25\n"},
        {"{\"a\\u00e9\": [1e400, -2e-3]}", "1/1 a\xc3\xa9=inf\n2/2 a\xc3\xa9=-0.002\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_dump(write_text("history.json", cases[i][0]), cases[i][1]);
}

static void test_json_that_is_no_history_is_refused(void)
{
    static const char *const cases[][2] = {{"{\"loss\": []}", "holds no history"},
                                           {"{\"loss\": [1, 2", "line 1: expected"},
                                           {"{\"loss\": [1, 2]\n, \"x\": [1 2]}", "line 2: expected ',' or ']'"},
                                           {"{\"loss\": [\"a\"]}", "holds no history"},
                                           {"{\"loss\": [1]} x", "nothing behind the last '}'"},
                                           {"[1, 2]", "is nothing that can be imported"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *found = dump_source(write_text("history.json", cases[i][0]));
        CHECK_HAS(found, cases[i][1]);
        free(found);
    }
    struct str deep = {0};
    str_add(&deep, "{\"a\": {\"b\": ");
    for (int k = 0; k < 100000; k++)
        str_add_char(&deep, '[');
    char *found = dump_source(write_text("history.json", str_text(&deep)));
    CHECK_HAS(found, "no deeper nesting");
    free(found);
    str_release(&deep);
}

static void test_compressed_text_is_read_also_with_a_torn_end(void)
{
    const char *path = check_path("x.csv.gz");
    gzFile file = gzopen(path, "wb");
    gzputs(file, "epoch,loss\n0,1\n1,0.5\n");
    gzclose(file);
    check_dump(path, "1/1 loss=1\n2/2 loss=0.5\n");
    char *bytes;
    size_t size;
    struct err err = {0};
    CHECK_OK(io_read_file(path, 1 << 20, &bytes, &size, &err), err);
    for (size_t n = 0; n < size; n++)
        free(dump_source(write_bytes("torn.csv.gz", bytes, n)));
    free(bytes);
}

/* ---- TensorBoard ---- */

static void test_scalars_of_all_types_text_and_pictures_of_tensorflow_are_read(void)
{
    char *found = dump_source(FOREIGN "/tf2");
    CHECK_HAS(found,
              "0/0 a=1 b=0 h=0\n1/1 a=0.5 b=2 h=0.5\n2/2 a=0.3333 b=4 h=1\n3/3 a=0.25 b=6 h=1.5\n4/4 a=0.2 b=8 h=2\n");
    CHECK_HAS(found, "event {\"event\": \"message\", \"text\": \"words: hello\"}\n");
    CHECK_HAS(found, "picture pic of ");
    free(found);
}

static void test_what_tensorboardx_writes_is_read(void)
{
    char *found = dump_source(FOREIGN "/tensorboardx");
    CHECK_HAS(found, "0/0 train/loss=1 train/acc=0 val/loss=1.1\n1/1 train/loss=0.5 train/acc=0.05\n");
    CHECK_HAS(found, "note/text_summary: some **text**");
    CHECK_HAS(found, "picture picture of ");
    free(found);
}

static void add_frame(struct str *file, const struct str *payload)
{
    uint8_t head[8];
    bytes_put(head, payload->length, 8);
    uint32_t crcs[] = {hash_crc32c(0, head, 8), hash_crc32c(0, payload->data, payload->length)};
    for (int k = 0; k < 2; k++)
        crcs[k] = (crcs[k] >> 15 | crcs[k] << 17) + 0xA282EAD8u;
    str_add_bytes(file, head, 8);
    bytes_add(file, crcs[0], 4);
    str_add_bytes(file, payload->data, payload->length);
    bytes_add(file, crcs[1], 4);
}

/* An event with one simple_value. */
static void add_scalar(struct str *file, const char *tag, int64_t step, float value)
{
    struct str inner = {0}, event = {0};
    uint32_t bits;
    memcpy(&bits, &value, 4);
    str_addf(&inner, "\x0a%c%s\x15", (char)strlen(tag), tag);
    bytes_add(&inner, bits, 4);
    str_add(&event, "\x10");
    for (uint64_t rest = (uint64_t)step;; rest >>= 7) {
        str_add_char(&event, (char)((rest & 0x7F) | (rest > 0x7F ? 0x80 : 0)));
        if (rest <= 0x7F)
            break;
    }
    str_addf(&event, "\x2a%c\x0a%c", (char)(inner.length + 2), (char)inner.length);
    str_add_bytes(&event, inner.data, inner.length);
    add_frame(file, &event);
    str_release(&inner);
    str_release(&event);
}

static void make_folder(const char *name)
{
    struct err err = {0};
    CHECK_OK(io_make_folders(check_path(name), &err), err);
}

static void test_an_event_file_is_followed_while_it_grows(void)
{
    struct str file = {0};
    struct err err = {0};
    struct source_record record;
    make_folder("grow");
    add_scalar(&file, "loss", 1, 0.5f);
    const char *path = write_bytes("grow/events.out.tfevents.1.x", file.data, file.length);
    struct source_reader *reader = source_events.open(check_path("grow"), &err);
    CHECK_EQ(source_events.next(reader, &record, &err), 1);
    CHECK_EQ(source_events.next(reader, &record, &err), 0);
    size_t before = file.length;
    add_scalar(&file, "loss", 2, 0.25f);
    for (size_t n = before + 1; n < file.length; n++) {
        write_bytes("grow/events.out.tfevents.1.x", file.data, n);
        CHECK_EQ(source_events.next(reader, &record, &err), 0);
    }
    CHECK(source_events.remark(reader) != NULL);
    write_bytes("grow/events.out.tfevents.1.x", file.data, file.length);
    CHECK_EQ(source_events.next(reader, &record, &err), 1);
    CHECK_EQ(record.step, 2);
    CHECK_NEAR(record.values[0], 0.25, 0);
    CHECK_EQ(source_events.next(reader, &record, &err), 0);
    write_bytes("grow/events.out.tfevents.2.x", file.data, file.length); /* another writer goes on in a new file */
    CHECK_EQ(source_events.next(reader, &record, &err), 1);
    CHECK(source_events.is_same(reader));
    CHECK_EQ(truncate(path, 10), 0);
    CHECK(!source_events.is_same(reader));
    source_events.close(reader);
    str_release(&file);
}

static void test_damage_in_an_event_file_is_an_error_that_keeps_what_came_before(void)
{
    struct str file = {0};
    make_folder("bad");
    for (int k = 1; k <= 3; k++)
        add_scalar(&file, "loss", k, (float)k);
    file.data[file.length / 2] ^= 1;
    write_bytes("bad/events.out.tfevents.1.x", file.data, file.length);
    char *found = dump_source(check_path("bad"));
    CHECK_HAS(found, "is damaged at byte");
    free(found);
    str_release(&file);
}

/* ---- Weights & Biases ---- */

static void test_an_offline_run_of_wandb_is_read(void)
{
    struct err err = {0};
    struct source_about about;
    struct source_record record;
    char *found = dump_source(TINY);
    CHECK_HAS(found, "loss=1");
    CHECK_HAS(found, "lines epoch");
    CHECK_HAS(found, "nan=nan");
    CHECK_HAS(found, "inf=inf");
    CHECK_HAS(found, "val.loss=1.2");
    free(found);
    struct source_reader *reader = source_wandb.open(TINY, &err);
    while (source_wandb.next(reader, &record, &err) == 1)
        if (record.kind == SOURCE_METRICS)
            CHECK(record.time > 1.7e9);
    source_wandb.about(reader, &about);
    CHECK_STR(about.name, "tiny run");
    CHECK_STR(about.note, "a note");
    CHECK_EQ(about.end, SOURCE_FINISHED);
    CHECK_EQ(json_array_size(about.tags), 2);
    CHECK_STR(js_string(js_at(about.config, "opt"), "name", ""), "adam");
    source_wandb.close(reader);
}

/* LevelDB's blocks around payloads of any size. */
static void add_wandb(struct str *file, const struct str *payload)
{
    size_t at = 0;
    bool first = true;
    do {
        size_t left = 32768 - file->length % 32768;
        if (left < 7) {
            bytes_add(file, 0, left);
            left = 32768;
        }
        size_t rest = payload->length - at, n = rest < left - 7 ? rest : left - 7;
        bool last = n == rest;
        uint8_t type = first ? (last ? 1 : 2) : last ? 4 : 3;
        uint32_t crc = hash_crc32(hash_crc32(0, &type, 1), payload->data + at, n);
        bytes_add(file, crc, 4);
        bytes_add(file, n, 2);
        bytes_add(file, type, 1);
        str_add_bytes(file, payload->data + at, n);
        at += n;
        first = false;
    } while (at < payload->length);
}

static void add_length(struct str *out, size_t n)
{
    for (; n > 0x7F; n >>= 7)
        str_add_char(out, (char)(n | 0x80));
    str_add_char(out, (char)n);
}

static void add_message(struct str *out, int number, const struct str *message)
{
    add_length(out, (size_t)number << 3 | 2);
    add_length(out, message->length);
    str_add_bytes(out, message->data, message->length);
}

/* A history record: "key=json key=json". */
static void add_history(struct str *file, const char *items)
{
    struct str history = {0}, record = {0};
    char *copy = xstrdup(items), *rest = NULL;
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        struct str item = {0}, key = {0}, value = {0};
        char *equals = strchr(word, '=');
        str_add_bytes(&key, word, (size_t)(equals - word));
        str_add(&value, equals + 1);
        add_message(&item, 2, &key);
        add_message(&item, 16, &value);
        add_message(&history, 1, &item);
        str_release(&item);
        str_release(&key);
        str_release(&value);
    }
    add_message(&record, 2, &history);
    add_wandb(file, &record);
    str_release(&history);
    str_release(&record);
    free(copy);
}

static void begin_wandb(struct str *file)
{
    str_add_bytes(file, ":W&B\xe1\xbe\0", 7);
}

static void test_metrics_in_any_order_come_in_one(void)
{
    struct str file = {0};
    begin_wandb(&file);
    add_history(&file, "b=1 a=2 _step=0");
    add_history(&file, "_step=1 a=3 b=4");
    add_history(&file, "a=5 _step=7");
    add_history(&file, "epoch/epoch=0 epoch/loss=0.5 _step=8 epoch/val_loss=0.75");
    add_history(&file, "batch/loss=9 x={} _runtime=3");
    check_dump(write_bytes("x.wandb", file.data, file.length),
               "0/0 b=1 a=2\n1/1 b=4 a=3\n7/7 a=5\n1/8 loss=0.5 val_loss=0.75\n9/9 batch_loss=9\n");
    str_release(&file);
}

static void test_records_over_several_blocks_and_torn_ends_are_read(void)
{
    struct str file = {0}, many = {0};
    begin_wandb(&file);
    for (int k = 0; k < 3000; k++)
        str_addf(&many, "metric_%d=%d ", k, k);
    add_history(&file, str_text(&many));
    size_t whole = file.length;
    add_history(&file, "a=1 _step=5");
    char *found = dump_source(write_bytes("x.wandb", file.data, file.length));
    CHECK_HAS(found, " metric_2999=2999\n5/5 a=1\n");
    free(found);
    for (size_t n = whole + 1; n < file.length; n++) {
        found = dump_source(write_bytes("x.wandb", file.data, n));
        CHECK(strstr(found, "metric_2999=2999\n") && !strstr(found, "a=1") && !strstr(found, "damaged"));
        free(found);
    }
    str_release(&file);
    str_release(&many);
}

static void test_folders_with_the_same_id_are_one_run(void)
{
    struct str first = {0}, second = {0};
    begin_wandb(&first);
    begin_wandb(&second);
    add_history(&first, "a=1 _step=0");
    add_history(&second, "a=2 _step=1");
    make_folder("wandb/offline-run-20260102_000000-abc");
    make_folder("wandb/run-20260101_000000-abc");
    make_folder("wandb/run-20260101_000000-other");
    write_bytes("wandb/run-20260101_000000-abc/run-abc.wandb", first.data, first.length);
    write_bytes("wandb/run-20260101_000000-other/run-other.wandb", first.data, first.length);
    const char *path = write_bytes("wandb/offline-run-20260102_000000-abc/run-abc.wandb", second.data, second.length);
    check_dump(path, "0/0 a=1\n1/1 a=2\n");
    struct source_list list = {0};
    struct err err = {0};
    CHECK_OK(source_scan(check_path("wandb"), &list, &err), err);
    CHECK_EQ(list.n, 2);
    source_list_release(&list);
    str_release(&first);
    str_release(&second);
}

/* ---- all of them ---- */

static void test_any_prefix_and_any_changed_byte_does_no_harm(void)
{
    static const char *const files[] = {TINY, FOREIGN "/tf2/events.out.tfevents.3.host.1.2.v2",
                                        FOREIGN "/tensorboardx/events.out.tfevents.4.host"};
    make_folder("torn");
    for (size_t f = 0; f < 3; f++) {
        char *bytes;
        size_t size;
        struct err err = {0};
        CHECK_OK(io_read_file(files[f], 1 << 20, &bytes, &size, &err), err);
        const char *name = f ? "torn/events.out.tfevents.1.x" : "torn.wandb";
        for (size_t n = 0; n < size; n += 3) {
            free(dump_source(write_bytes(name, bytes, n)));
            bytes[n] ^= 0x55;
            free(dump_source(write_bytes(name, bytes, size)));
            bytes[n] ^= 0x55;
        }
        free(bytes);
    }
}

static const struct run_summary *import_one(const char *path, const char *home, struct arena *arena,
                                            struct index **index)
{
    struct source_file file = {.path = path};
    struct str remarks = {0};
    struct err err = {0};
    char *id;
    CHECK_OK(source_import(home, &file, 1, NULL, &id, &remarks, &err), err);
    *index = index_open(home, &err);
    CHECK_OK(index_refresh(*index, NULL, &err), err);
    const struct run_summary *run = index_find(*index, id, arena, &err);
    str_release(&remarks);
    free(id);
    return run;
}

static void test_an_import_keeps_settings_log_pictures_and_times(void)
{
    struct arena arena = {0};
    struct index *index;
    const struct run_summary *run = import_one(TINY, check_path("home-w"), &arena, &index);
    CHECK_STR(run->name, "tiny run");
    CHECK_STR(run->note, "a note");
    CHECK_EQ(run->n_tags, 2);
    CHECK_EQ(run->state, RUN_FINISHED);
    CHECK(run->created > 1.7e9 && run->duration_s > 0);
    char *log = xprintf("%s/%s/log.txt", check_path("home-w"), run->id), *text;
    size_t size;
    struct err err = {0};
    CHECK_OK(io_read_file(log, 1 << 20, &text, &size, &err), err);
    CHECK_STR(text, "epoch 0\nepoch 1\nepoch 2\nepoch 3\nepoch 4\n");
    index_close(index);
    run = import_one(FOREIGN "/tf2", check_path("home-t"), &arena, &index);
    char *picture = xprintf("%s/%s/pictures/pic@1.png", check_path("home-t"), run->id);
    CHECK(path_exists(picture));
    index_close(index);
    free(picture);
    free(text);
    free(log);
    arena_release(&arena);
}

static void test_of_two_records_of_a_step_the_later_one_counts(void)
{
    struct str file = {0};
    struct arena arena = {0};
    struct index *index;
    make_folder("twice");
    add_scalar(&file, "loss", 1, 5);
    add_scalar(&file, "loss", 2, 1);
    add_scalar(&file, "loss", 2, 4);
    write_bytes("twice/events.out.tfevents.1.x", file.data, file.length);
    const struct run_summary *run = import_one(check_path("twice"), check_path("home-t"), &arena, &index);
    CHECK_NEAR(run->metrics[0].best, 4, 0);
    CHECK_NEAR(run->metrics[0].last, 4, 0);
    CHECK_EQ(run->n_spark, 2);
    index_close(index);
    arena_release(&arena);
    str_release(&file);
}

/* loss 5 4 3 2 1 at steps 1 to 5, restarted after step 2: 10 20. */
static void test_after_a_restart_the_later_records_count(void)
{
    struct str file = {0};
    struct arena arena = {0};
    struct index *index;
    struct err err = {0};
    const struct metric_series *series;
    size_t n;
    make_folder("restarted");
    for (int k = 1; k <= 5; k++)
        add_scalar(&file, "loss", k, (float)(6 - k));
    add_scalar(&file, "loss", 3, 10);
    add_scalar(&file, "loss", 4, 20);
    write_bytes("restarted/events.out.tfevents.1.x", file.data, file.length);
    const struct run_summary *run = import_one(check_path("restarted"), check_path("home-r"), &arena, &index);
    CHECK_NEAR(run->metrics[0].best, 4, 0);
    CHECK_EQ(run->metrics[0].best_epoch, 2);
    CHECK_NEAR(run->metrics[0].last, 20, 0);
    CHECK_EQ(run->n_spark, 4);
    CHECK_OK(index_history(index, run->id, NULL, 0, &arena, &series, &n, &err), err);
    CHECK_EQ(series[0].n, 4);
    CHECK_EQ(series[0].step[3], 4);
    CHECK_NEAR(series[0].value[1], 4, 0);
    CHECK_NEAR(series[0].value[2], 10, 0);
    index_close(index);
    arena_release(&arena);
    str_release(&file);
}

/* Every record with other metrics: what the index keeps must not grow with their combinations. */
static void test_metrics_in_ever_other_company_are_kept(void)
{
    struct str file = {0}, items = {0};
    struct arena arena = {0};
    struct index *index;
    struct err err = {0};
    const struct metric_series *series;
    size_t n;
    begin_wandb(&file);
    for (int k = 0; k < 3000; k++) {
        str_clear(&items);
        str_addf(&items, "_step=%d always=%d ", k, k);
        for (int bit = 0; bit < 12; bit++)
            if (k >> bit & 1)
                str_addf(&items, "m%d=%d ", bit, k);
        add_history(&file, str_text(&items));
    }
    const struct run_summary *run =
        import_one(write_bytes("company.wandb", file.data, file.length), check_path("home-c"), &arena, &index);
    CHECK_OK(index_history(index, run->id, NULL, 0, &arena, &series, &n, &err), err);
    CHECK_EQ(n, 13);
    CHECK_EQ(series[0].n, 3000);
    CHECK_NEAR(series[0].value[2999], 2999, 0);
    for (size_t i = 1; i < series[1].n; i++)
        CHECK(series[1].step[i] > series[1].step[i - 1] && (series[1].step[i] & 1));
    index_close(index);
    arena_release(&arena);
    str_release(&file);
    str_release(&items);
}

static void test_a_folder_is_looked_through(void)
{
    struct source_list list = {0};
    struct err err = {0};
    make_folder("logs/a/train");
    make_folder("logs/a/validation");
    make_folder("logs/b");
    make_folder("logs/.hidden");
    struct str file = {0};
    add_scalar(&file, "epoch_loss", 0, 1);
    write_bytes("logs/a/train/events.out.tfevents.1.x", file.data, file.length);
    write_bytes("logs/a/validation/events.out.tfevents.1.x", file.data, file.length);
    write_text("logs/b/run.csv", "epoch,loss\n0,1\n");
    write_text("logs/b/data.csv", "x,y\n0,1\n");
    write_text("logs/b/model.keras", "PK\3\4");
    write_text("logs/.hidden/run.csv", "epoch,loss\n0,1\n");
    CHECK_EQ(symlink(check_path("logs"), check_path("logs/b/loop")), 0);
    CHECK_OK(source_scan(check_path("logs"), &list, &err), err);
    CHECK_EQ(list.n, 2);
    CHECK_STR(list.found[0].name, "a");
    CHECK_STR(list.found[1].name, "b/run");
    CHECK_EQ(list.n_models, 1);
    CHECK_OK(source_scan(check_path("logs/b/run.csv"), &list, &err), err);
    CHECK_EQ(list.n, 2);
    source_list_release(&list);
    str_release(&file);
}

/* ---- the parts ---- */

static void test_wire_messages_that_make_no_sense_are_bad(void)
{
    static const struct {
        const char *bytes;
        size_t n;
        bool bad;
    } cases[] = {{"", 0, false},
                 {"\x08\x01", 2, false},
                 {"\x08", 1, true},
                 {"\x0a\x05"
                  "abc",
                  5, true},
                 {"\x0b", 1, true},
                 {"\x00\x01", 2, true},
                 {"\x0d\x01\x02", 3, true},
                 {"\x09"
                  "12345678",
                  9, false},
                 {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, false},
                 {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11, true},
                 {"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wire w = wire_of(cases[i].bytes, cases[i].n);
        struct wire_field f;
        while (wire_next(&w, &f)) {
        }
        CHECK_EQ(w.bad, cases[i].bad);
    }
}

int main(void)
{
    RUN(test_the_folders_of_keras_tensorboard_callback_are_one_run);
    RUN(test_histories_as_json_are_read);
    RUN(test_json_that_is_no_history_is_refused);
    RUN(test_compressed_text_is_read_also_with_a_torn_end);
    RUN(test_scalars_of_all_types_text_and_pictures_of_tensorflow_are_read);
    RUN(test_what_tensorboardx_writes_is_read);
    RUN(test_an_event_file_is_followed_while_it_grows);
    RUN(test_damage_in_an_event_file_is_an_error_that_keeps_what_came_before);
    RUN(test_an_offline_run_of_wandb_is_read);
    RUN(test_metrics_in_any_order_come_in_one);
    RUN(test_records_over_several_blocks_and_torn_ends_are_read);
    RUN(test_folders_with_the_same_id_are_one_run);
    RUN(test_any_prefix_and_any_changed_byte_does_no_harm);
    RUN(test_an_import_keeps_settings_log_pictures_and_times);
    RUN(test_of_two_records_of_a_step_the_later_one_counts);
    RUN(test_after_a_restart_the_later_records_count);
    RUN(test_metrics_in_ever_other_company_are_kept);
    RUN(test_a_folder_is_looked_through);
    RUN(test_wire_messages_that_make_no_sense_are_bad);
    return check_done();
}
