/* history.log: what is written is read, a torn end is ignored and cut, damage never takes what came before. */
#include "tests/check.h"

#include "base/arena.h"
#include "base/io.h"
#include "persistence/runs/history_frame.h"
#include "persistence/runs/history_log.h"

#include <sys/stat.h>

static char *fresh_folder(const char *name)
{
    char *folder = xstrdup(check_path(name));
    struct err err = {0};
    CHECK_OK(io_make_folders(folder, &err), err);
    return folder;
}

static void add_epoch(struct history_writer *writer, int64_t epoch)
{
    struct err err = {0};
    const char *names[] = {"loss", "val_loss"};
    double values[] = {1.0 / (double)epoch, 2.0 / (double)epoch};
    CHECK_OK(history_add_metrics(writer, epoch, epoch * 10, names, values, 2, &err), err);
}

static void write_log(const char *folder, int epochs)
{
    struct err err = {0};
    struct history_writer *writer = history_open_writer(folder, &err);
    CHECK(writer);
    for (int e = 1; e <= epochs; e++)
        add_epoch(writer, e);
    history_close_writer(writer);
}

/* Records until the end or an error; *failed tells which. */
static int count_records(const char *folder, bool *failed)
{
    struct err err = {0};
    struct history_reader *reader = history_open_reader(folder, 0, &err);
    CHECK(reader);
    struct record record;
    int n = 0, found;
    while ((found = history_next(reader, &record, &err)) == 1) {
        n++;
        if (record.kind == RECORD_METRICS)
            CHECK(record.n == 0 || record.values[0] == 1.0 / (double)record.epoch);
    }
    *failed = found == -1;
    if (*failed)
        CHECK_HAS(err.text, "is damaged at byte");
    history_close_reader(reader);
    return n;
}

static void test_records_are_read_as_written(void)
{
    char *folder = fresh_folder("a");
    struct err err = {0};
    struct history_writer *writer = history_open_writer(folder, &err);
    json_t *event = json_pack("{s:s}", "event", "started");
    CHECK_OK(history_add_event(writer, 0, 0, event, &err), err);
    const char *names[] = {"loss", "acc\xC3\xA9", "loss2"};
    double values[] = {0.1, NAN, -INFINITY};
    CHECK_OK(history_add_metrics(writer, 3, 99, names, values, 3, &err), err);
    CHECK_OK(history_add_checkpoint(writer, 3, 99, event, &err), err);
    CHECK_OK(history_sync(writer, &err), err);
    history_close_writer(writer);
    struct history_reader *reader = history_open_reader(folder, 0, &err);
    struct record record;
    CHECK_EQ(history_next(reader, &record, &err), 1);
    CHECK_EQ(record.kind, RECORD_EVENT);
    CHECK(!strncmp(record.json, "{\"event\": \"started\"}", record.json_length));
    CHECK_EQ(history_next(reader, &record, &err), 1);
    CHECK_EQ(record.epoch, 3);
    CHECK_EQ(record.step, 99);
    CHECK_EQ(record.n, 3);
    CHECK_STR(record.names[1], "acc\xC3\xA9");
    CHECK(record.values[0] == 0.1 && isnan(record.values[1]) && record.values[2] == -INFINITY);
    CHECK(record.time > 1e9);
    CHECK_EQ(history_next(reader, &record, &err), 1);
    CHECK_EQ(record.kind, RECORD_CHECKPOINT);
    CHECK_EQ(history_next(reader, &record, &err), 0);
    history_close_reader(reader);
    json_decref(event);
    free(folder);
}

static void test_a_reader_follows_a_growing_log(void)
{
    char *folder = fresh_folder("b");
    struct err err = {0};
    struct history_writer *writer = history_open_writer(folder, &err);
    struct history_reader *reader = history_open_reader(folder, 0, &err);
    struct record record;
    for (int e = 1; e <= 5000; e++) {
        add_epoch(writer, e);
        CHECK_EQ(history_next(reader, &record, &err), 1);
        CHECK_EQ(record.epoch, e);
        CHECK_EQ(history_next(reader, &record, &err), 0);
    }
    int64_t offset = history_offset(reader);
    CHECK_EQ(offset, history_length(writer));
    add_epoch(writer, 5001);
    struct history_reader *later = history_open_reader(folder, offset, &err);
    CHECK_EQ(history_next(later, &record, &err), 1);
    CHECK_STR(record.names[1], "val_loss");
    CHECK(!history_open_reader(folder, offset - 1, &err));
    CHECK_HAS(err.text, "no record starts at byte");
    history_close_reader(later);
    history_close_reader(reader);
    history_close_writer(writer);
    free(folder);
}

static void test_a_torn_end_is_ignored_and_cut_off(void)
{
    char *folder = fresh_folder("c"), *path = path_join(folder, "history.log");
    write_log(folder, 3);
    struct stat st;
    CHECK(!stat(path, &st));
    for (off_t size = st.st_size - 1; size > st.st_size - 55; size--) {
        CHECK(!truncate(path, size));
        bool failed;
        CHECK_EQ(count_records(folder, &failed), 2);
        CHECK(!failed);
    }
    struct err err = {0};
    struct history_writer *writer = history_open_writer(folder, &err);
    add_epoch(writer, 3);
    history_close_writer(writer);
    bool failed;
    CHECK_EQ(count_records(folder, &failed), 3);
    CHECK(!failed);
    free(path);
    free(folder);
}

static void test_any_flipped_byte_keeps_what_came_before(void)
{
    char *folder = fresh_folder("d"), *path = path_join(folder, "history.log"), *data;
    size_t size;
    struct err err = {0};
    write_log(folder, 4);
    CHECK_OK(io_read_file(path, 1 << 20, &data, &size, &err), err);
    size_t first_metrics = 2 * (8 + 3) + 4 + 8, record = 8 + 27 + 20; /* two names, then records */
    for (size_t at = 0; at < size; at++)
        for (int flip = 0; flip < 3; flip++) {
            char old = data[at];
            data[at] = flip == 0 ? 0 : flip == 1 ? (char)0xFF : (char)(old ^ 1);
            unlink(path); /* a new file: truncating one costs a flush on ext4 */
            FILE *file = fopen(path, "w");
            fwrite(data, 1, size, file);
            fclose(file);
            bool failed, same = data[at] == old, last = at >= first_metrics + 3 * record;
            int whole = at < first_metrics ? 0 : (int)((at - first_metrics) / record);
            int n = count_records(folder, &failed);
            CHECK_EQ(n, same ? 4 : whole);
            CHECK_EQ(failed, !same && !last);
            data[at] = old;
        }
    free(data);
    free(path);
    free(folder);
}

/* Frames whose checksums are right and whose contents are nonsense: what a stranger's log may hold. */
static void test_nonsense_with_right_checksums_is_answered(void)
{
    char *folder = fresh_folder("g"), *path = path_join(folder, "history.log");
    srand(17);
    for (int round = 0; round < 2000; round++) {
        struct str log = {0};
        for (int f = 0; f < 6; f++) {
            size_t start = frame_begin(&log, f ? rand() % 6 : RECORD_NAMES);
            int n = f ? rand() % 60 : 3;
            for (int i = 0; i < n; i++)
                str_add_char(&log, rand() % 3 ? (char)(rand() % 3) : (char)rand());
            frame_end(&log, start);
        }
        unlink(path);
        FILE *file = fopen(path, "w");
        fwrite(log.data, 1, log.length, file);
        fclose(file);
        struct err err = {0};
        struct history_reader *reader = history_open_reader(folder, 0, &err);
        struct record record;
        while (history_next(reader, &record, &err) == 1)
            for (size_t i = 0; i < record.n; i++)
                CHECK(record.names[i] && strlen(record.names[i]) < 9000);
        history_close_reader(reader);
        str_release(&log);
    }
    free(path);
    free(folder);
}

static void test_damage_is_set_aside_by_the_next_writer(void)
{
    char *folder = fresh_folder("e"), *path = path_join(folder, "history.log"),
         *aside = path_join(folder, "history.damaged");
    write_log(folder, 4);
    FILE *file = fopen(path, "r+");
    fseek(file, 100, SEEK_SET);
    fputc(0xEE, file);
    fclose(file);
    struct err err = {0};
    struct history_writer *writer = history_open_writer(folder, &err);
    CHECK(writer);
    add_epoch(writer, 2);
    history_close_writer(writer);
    bool failed;
    CHECK_EQ(count_records(folder, &failed), 2);
    CHECK(!failed);
    struct stat st;
    CHECK(!stat(aside, &st));
    CHECK_EQ(st.st_size, 3 * 55);
    free(aside);
    free(path);
    free(folder);
}

static void test_truncating_forgets_what_came_later(void)
{
    char *folder = fresh_folder("f");
    struct err err = {0};
    struct history_writer *writer = history_open_writer(folder, &err);
    add_epoch(writer, 1);
    int64_t length = history_length(writer);
    const char *other[] = {"other"};
    double value[] = {1};
    CHECK_OK(history_add_metrics(writer, 2, 20, other, value, 1, &err), err);
    CHECK_OK(history_truncate(writer, length, &err), err);
    CHECK_EQ(history_length(writer), length);
    CHECK_OK(history_add_metrics(writer, 1, 20, other, value, 1, &err), err);
    CHECK(!history_truncate(writer, length - 3, &err));
    CHECK(!history_truncate(writer, 1 << 20, &err));
    history_close_writer(writer);
    bool failed;
    CHECK_EQ(count_records(folder, &failed), 1);
    free(folder);
}

int main(void)
{
    RUN(test_records_are_read_as_written);
    RUN(test_a_reader_follows_a_growing_log);
    RUN(test_a_torn_end_is_ignored_and_cut_off);
    RUN(test_any_flipped_byte_keeps_what_came_before);
    RUN(test_nonsense_with_right_checksums_is_answered);
    RUN(test_damage_is_set_aside_by_the_next_writer);
    RUN(test_truncating_forgets_what_came_later);
    return check_done();
}
