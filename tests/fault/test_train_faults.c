/* test_train_faults.c - every call of a small training fails once, or from then on: whatever the history announces is a
 * whole checkpoint that says the step it was announced for, no temporary file is left, and the end is either a trained
 * model or one sentence.
 */
#include "tests/check.h"
#include "tests/fault/io_fault.h"

#include "engine/train/fit.h"
#include "persistence/keras/keras_file.h"
#include "persistence/runs/history_log.h"

#include <dirent.h>
#include <signal.h>

static const char config_text[] =
    "{\"seed\": 1, \"keep\": 2, \"fit\": {\"epochs\": 3, \"batch_size\": 16},"
    " \"data\": {\"format\": \"synthetic\", \"name\": \"moons\", \"samples\": 40, \"noise\": 0.1,"
    "            \"validation_split\": 0.2},"
    " \"model\": {\"layers\": [{\"class\": \"Dense\", \"units\": 4, \"activation\": \"relu\"},"
    "                          {\"class\": \"Dense\", \"units\": 1}]},"
    " \"compile\": {\"optimizer\": \"adam\", \"loss\": \"mse\"}}";

/* Its checkpoints are written straight from the variables (SNAPSHOT_BYTES). */
static const char large_text[] =
    "{\"seed\": 1, \"keep\": 2, \"fit\": {\"epochs\": 3, \"batch_size\": 8},"
    " \"data\": {\"format\": \"synthetic\", \"name\": \"moons\", \"samples\": 10, \"noise\": 0.1,"
    "            \"validation_split\": 0.2},"
    " \"model\": {\"layers\": [{\"class\": \"Dense\", \"units\": 4000}, {\"class\": \"Dense\", \"units\": 1100},"
    "                          {\"class\": \"Dense\", \"units\": 1}]},"
    " \"compile\": {\"optimizer\": \"sgd\", \"loss\": \"mse\"}}";

static const char *text = config_text, *device = "reference";

/* Trains in a fresh folder; the n-th call fails. *hit: there was such a call. */
static bool train(const char *folder, int64_t n, enum fault_mode mode, int error, bool *hit, struct err *err)
{
    json_t *config = js_parse(text, strlen(text), "the test's config", JS_STRICT, err);
    struct session_options options = {.config = config, .folder = folder, .where = "test", .device = device};
    struct session *session = session_open(&options, err);
    struct fit fit;
    struct steering steering;
    enum fit_end end;
    bool ready = session && session_start_device(session, err) && fit_init(&fit, session, "test", err);
    CHECK(ready);
    steering_init(&steering);
    io_fault_arm(n, error, mode, FAULT_ALL);
    struct fit_place place = {
        .run_folder = folder, .run_id = "test", .steering = &steering, .journal = journal_open(folder, err)};
    bool ok = place.journal && fit_attach(&fit, &place, err) && fit_run(&fit, &end, err);
    fit_release(&fit);
    *hit = io_fault_disarm();
    journal_close(place.journal);
    session_close(session);
    steering_release(&steering);
    json_decref(config);
    return ok;
}

static int64_t state_step(const char *path)
{
    struct err err = {0};
    struct keras_file *file = keras_file_open(path, &err);
    if (!file)
        CHECK_FAIL("an announced checkpoint does not open: %s", err.text);
    int64_t step = js_int(json_object_get(file ? keras_file_metadata(file) : NULL, "antler"), "step", -1);
    keras_file_close(file);
    return step;
}

/* Announced and not removed again means whole. Returns how many epochs the history has. */
static int check_history(const char *folder)
{
    struct err err = {0};
    struct record record;
    int epochs = 0;
    struct history_reader *reader = history_open_reader(folder, 0, &err);
    while (reader && history_next(reader, &record, &err) == 1) {
        epochs += record.kind == RECORD_METRICS;
        if (record.kind != RECORD_CHECKPOINT)
            continue;
        json_t *json = js_parse(record.json, record.json_length, "record", JS_STRICT, &err);
        char *path = xprintf("%s/checkpoints/%s", folder, js_string(json, "checkpoint", ""));
        if (path_exists(path))
            CHECK_EQ(state_step(path), record.step);
        else
            CHECK_EQ(record.epoch, 1); /* keep: 2 */
        free(path);
        json_decref(json);
    }
    CHECK(!reader || !err.text[0]); /* a log that could not even be made has nothing to say */
    history_close_reader(reader);
    return epochs;
}

static void check_no_temporary_files(const char *folder)
{
    char *path = path_join(folder, "checkpoints");
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (str_ends(entry->d_name, ".tmp"))
            CHECK_FAIL("'%s' was left behind", entry->d_name);
    if (dir)
        closedir(dir);
    free(path);
}

static void remove_checkpoints(const char *folder)
{
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char *path = path_join(folder, entry->d_name);
        unlink(path);
        free(path);
    }
    if (dir)
        closedir(dir);
}

static void sweep(enum fault_mode mode, int error, int stride)
{
    bool hit = true;
    for (int64_t n = 1; hit; n += stride) {
        char name[64];
        snprintf(name, sizeof name, "run-%d-%d-%lld", (int)mode, error, (long long)n);
        char *folder = xstrdup(check_path(name)), *checkpoints = path_join(folder, "checkpoints");
        CHECK(io_make_folders(checkpoints, NULL));
        struct err err = {0};
        bool ok = train(folder, n, mode, error, &hit, &err);
        CHECK(ok || err.text[0]);
        int epochs = check_history(folder);
        if (ok)
            CHECK_EQ(epochs, 3);
        check_no_temporary_files(folder);
        remove_checkpoints(checkpoints);
        free(checkpoints);
        free(folder);
    }
}

static void test_every_call_that_fails_once(void)
{
    sweep(FAULT_ONCE, EIO, 1);
}

static void test_every_call_that_fails_from_then_on(void)
{
    sweep(FAULT_FOREVER, ENOSPC, 1);
}

static void test_calls_that_fail_once_for_a_large_model(void)
{
    text = large_text;
    device = "cpu";
    sweep(FAULT_ONCE, ENOSPC, 3);
}

int main(void)
{
    setenv("TMPDIR", "/dev/shm", access("/dev/shm", W_OK) == 0); /* failing calls are tested, not the disk */
    if (!freopen("/dev/null", "w", stdout))
        return 1;
    RUN(test_every_call_that_fails_once);
    RUN(test_every_call_that_fails_from_then_on);
    RUN(test_calls_that_fail_once_for_a_large_model);
    return check_done();
}
