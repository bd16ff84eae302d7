/* Every I/O call of the log and of a run folder fails once, and from then on: nothing that was there is lost, nothing
 * is half there. */
#include "tests/check.h"
#include "tests/fault/io_fault.h"

#include "base/arena.h"
#include "persistence/runs/history_log.h"
#include "persistence/runs/run_folder.h"

#include <dirent.h>

static const int errors[] = {ENOSPC, EIO};
static const enum fault_mode modes[] = {FAULT_ONCE, FAULT_FOREVER, FAULT_SHORT};

static int count_records(const char *folder)
{
    struct err err = {0};
    struct history_reader *reader = history_open_reader(folder, 0, &err);
    struct record record;
    int n = 0, found = 0;
    while (reader && (found = history_next(reader, &record, &err)) == 1)
        n++;
    CHECK(found == 0);
    history_close_reader(reader);
    return n;
}

static void test_a_failed_record_leaves_the_log_as_it_was(void)
{
    const char *folder = check_path("log");
    struct err err = {0};
    CHECK_OK(io_make_folders(folder, &err), err);
    int expected = 0;
    for (size_t e = 0; e < 2; e++)
        for (size_t m = 0; m < 3; m++)
            for (int64_t n = 1;; n++) {
                char name[64];
                snprintf(name, sizeof name, "metric-%zu-%zu-%lld", e, m, (long long)n);
                const char *names[] = {"loss", name};
                double values[] = {1, 2};
                io_fault_arm(n, errors[e], modes[m], FAULT_ALL);
                struct history_writer *writer = history_open_writer(folder, &err);
                bool ok = writer && history_add_metrics(writer, expected, 1, names, values, 2, &err);
                bool hit = io_fault_disarm();
                if (writer && !ok) { /* the same writer goes on once the disk has room */
                    CHECK_OK(history_add_metrics(writer, expected, 1, names, values, 2, &err), err);
                    ok = true;
                }
                expected += ok;
                history_close_writer(writer);
                CHECK_EQ(count_records(folder), expected);
                if (!hit)
                    break;
            }
}

static int count_entries(const char *folder)
{
    DIR *dir = opendir(folder);
    int n = -2;
    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return dir ? n : 0;
}

static void test_a_run_is_made_whole_or_not_at_all(void)
{
    json_t *config = json_pack("{s:i}", "seed", 1);
    for (size_t e = 0; e < 2; e++)
        for (size_t m = 0; m < 3; m += 2)
            for (int64_t n = 1;; n++) {
                char home[300], *id = NULL;
                snprintf(home, sizeof home, "%s/home-%zu-%zu-%lld", check_tmp(), e, m, (long long)n);
                struct err err = {0};
                struct run_identity identity = {.name = "x"};
                io_fault_arm(n, errors[e], modes[m], FAULT_ALL);
                bool ok = run_create(home, &identity, config, &id, &err);
                bool hit = io_fault_disarm();
                CHECK(ok || err.code != ERR_NONE);
                CHECK_EQ(count_entries(home), ok);
                free(id);
                if (!hit)
                    break;
            }
    json_decref(config);
}

static void test_a_failed_change_of_state_keeps_the_old_run_json(void)
{
    struct err err = {0};
    json_t *config = json_object();
    char *id;
    struct run_identity identity = {.name = "x"};
    CHECK_OK(run_create(check_path("states"), &identity, config, &id, &err), err);
    char *folder = path_join(check_path("states"), id);
    struct run_writer *writer = run_open_writer(folder, &err);
    for (size_t e = 0; e < 2; e++)
        for (int64_t n = 1;; n++) {
            io_fault_arm(n, errors[e], FAULT_ONCE, FAULT_ALL);
            bool ok = run_set_state(writer, RUN_RUNNING, n, n, NULL, &err);
            bool hit = io_fault_disarm();
            json_t *run = run_read(folder, &err);
            CHECK(run && (!ok || js_int(run, "epoch", 0) == n));
            json_decref(run);
            if (!hit)
                break;
        }
    CHECK_EQ(count_entries(folder), 4); /* run.json config.json checkpoints lock: no temporary file */
    run_close_writer(writer);
    json_decref(config);
    free(folder);
    free(id);
}

int main(void)
{
    RUN(test_a_failed_record_leaves_the_log_as_it_was);
    RUN(test_a_run_is_made_whole_or_not_at_all);
    RUN(test_a_failed_change_of_state_keeps_the_old_run_json);
    return check_done();
}
