/* The index: says what the folders say, notices what changed, and works whatever happens to its file. */
#include "tests/check.h"

#include "base/arena.h"
#include "base/io.h"
#include "persistence/index/index.h"
#include "persistence/runs/history_log.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct err err;

static char *make_run(const char *home, const char *name, const char *config_text, const char *parent,
                      int64_t parent_step)
{
    json_t *config = js_parse(config_text, strlen(config_text), "config", JS_STRICT, &err);
    struct run_identity identity = {.name = name,
                                    .parent_run = parent,
                                    .parent_checkpoint = parent ? "epoch-0002.keras" : NULL,
                                    .parent_epoch = parent_step / 10,
                                    .parent_step = parent_step};
    char *id = NULL;
    CHECK_OK(run_create(home, &identity, config, &id, &err), err);
    json_decref(config);
    return id;
}

static void add_epochs(const char *home, const char *id, int64_t from, int64_t to, double scale)
{
    char *folder = path_join(home, id);
    struct history_writer *writer = history_open_writer(folder, &err);
    CHECK(writer);
    for (int64_t e = from; e <= to; e++) {
        const char *names[] = {"loss", "accuracy", "val_loss"};
        double values[] = {scale / (double)e, 1 - 1 / (double)e, e % 2 ? NAN : scale / (double)e + 0.1};
        CHECK_OK(history_add_metrics(writer, e, e * 10, names, values, e % 2 ? 2 : 3, &err),
                 err); /* val_loss every second epoch */
        json_t *checkpoint = json_pack("{s:o, s:i, s:{s:f}}", "checkpoint", json_sprintf("epoch-%04d.keras", (int)e),
                                       "size_bytes", 3, "metrics", "accuracy", e == 2 ? 0.95 : values[1]);
        CHECK_OK(history_add_checkpoint(writer, e, e * 10, checkpoint, &err), err);
        char *path = xprintf("%s/checkpoints/epoch-%04d.keras", folder, (int)e);
        FILE *file = fopen(path, "w");
        fclose(file);
        free(path);
        json_decref(checkpoint);
    }
    history_close_writer(writer);
    free(folder);
}

static const struct run_summary *find(struct index *index, const char *text, struct arena *arena)
{
    const struct run_summary *run = index_find(index, text, arena, &err);
    if (!run)
        CHECK_FAIL("'%s' was not found: %s", text, err.text);
    return run;
}

static const struct metric_series *series_named(const struct metric_series *series, size_t n, const char *name)
{
    for (size_t m = 0; m < n; m++)
        if (!strcmp(series[m].name, name))
            return &series[m];
    CHECK_FAIL("no series '%s'", name);
    exit(1);
}

static struct index *open_fresh(const char *home)
{
    struct index *index = index_open(home, &err);
    CHECK(index);
    CHECK_OK(index_refresh(index, NULL, &err), err);
    return index;
}

static void test_summaries_last_and_best(void)
{
    const char *home = check_path("home");
    char *id = make_run(home, "first", "{\"fit\": {\"epochs\": 5}, \"a\": [1, {\"b\": \"x\"}]}", NULL, 0);
    add_epochs(home, id, 1, 5, 1);
    struct index *index = open_fresh(home);
    struct arena arena = {0};
    const struct run_summary *run = find(index, "first", &arena);
    CHECK_EQ(run->state, RUN_QUEUED);
    CHECK_EQ(run->epoch, 5);
    CHECK_EQ(run->epochs, 5);
    CHECK_EQ(run->step, 50);
    CHECK_EQ(run->n_metrics, 3);
    CHECK_EQ(run->n_checkpoints, 5);
    CHECK_STR(run->metrics[1].name, "accuracy");
    CHECK_NEAR(run->metrics[1].best, 0.8, 1e-15); /* upwards */
    CHECK_NEAR(run->metrics[0].best, 0.2, 1e-15);
    CHECK_STR(run->monitor, "val_loss");
    CHECK_EQ(run->metrics[2].best_epoch, 4);
    CHECK_EQ(run->n_spark, 2);
    CHECK_NEAR(run->spark[1], 0.35, 1e-6);
    const struct run_param *params;
    size_t n;
    CHECK_OK(index_params(index, id, &arena, &params, &n, &err), err);
    CHECK_EQ(n, 3);
    CHECK_STR(params[0].key, "a[0]");
    CHECK_STR(params[1].key, "a[1].b");
    CHECK_STR(params[1].json, "\"x\"");
    arena_release(&arena);
    index_close(index);
    free(id);
}

/* What the screen does with runs it has: the same answers as a list read anew. */
static void test_selecting_from_listed_runs_gives_what_listing_gives(void)
{
    static const char *const asked[][2] = {
        {"", NULL}, {"", "-best.loss"}, {"a2", NULL}, {"best.loss<0.4", "name"}, {"config.seed=7", "-created"}};
    char home[300], name[8];
    snprintf(home, sizeof home, "%s/select", check_tmp());
    for (int k = 0; k < 12; k++) {
        snprintf(name, sizeof name, "a%d", k);
        char *id = make_run(home, name, k % 2 ? "{\"seed\": 7}" : "{\"seed\": 8}", NULL, 0);
        add_epochs(home, id, 1, 2, 0.1 * k);
        free(id);
    }
    struct index *index = open_fresh(home);
    struct arena arena = {0};
    const struct run_summary *all, *listed, *picked[12];
    size_t n, n_listed, n_picked;
    CHECK_OK(index_list(index, "", "name", &arena, &all, &n, &err), err);
    CHECK_EQ(n, 12);
    for (size_t k = 0; k < sizeof asked / sizeof *asked; k++) {
        CHECK_OK(index_list(index, asked[k][0], asked[k][1], &arena, &listed, &n_listed, &err), err);
        CHECK_OK(index_select(index, asked[k][0], asked[k][1], all, n, picked, &n_picked, &err), err);
        CHECK_EQ(n_picked, n_listed);
        for (size_t i = 0; i < n_picked && i < n_listed; i++)
            CHECK_STR(picked[i]->id, listed[i].id);
    }
    CHECK(!index_select(index, "(", NULL, all, n, picked, &n_picked, &err) && err.code == ERR_USAGE);
    CHECK(!index_select(index, "", "nonsense", all, n, picked, &n_picked, &err) && err.code == ERR_USAGE);
    arena_release(&arena);
    index_close(index);
}

static void test_history_grows_chunk_by_chunk_and_keeps_its_order(void)
{
    const char *home = check_path("grow");
    char *id = make_run(home, "long", "{}", NULL, 0);
    struct index *index = open_fresh(home);
    struct arena arena = {0};
    for (int64_t e = 1; e <= 2000; e += 250) {
        add_epochs(home, id, e, e + 249, 7);
        bool changed;
        CHECK_OK(index_refresh(index, &changed, &err), err);
        CHECK(changed);
        CHECK_OK(index_refresh(index, &changed, &err), err);
        CHECK(!changed);
        const struct metric_series *series;
        size_t n;
        CHECK_OK(index_history(index, id, NULL, 0, &arena, &series, &n, &err), err);
        const struct metric_series *loss = series_named(series, n, "loss"), *val = series_named(series, n, "val_loss");
        CHECK_EQ(loss->n, e + 249);
        CHECK_EQ(val->n, (e + 249) / 2);
        for (size_t i = 0; i < loss->n; i++)
            if (loss->epoch[i] != (int64_t)i + 1 || loss->value[i] != 7 / (double)(i + 1) ||
                loss->step[i] != 10 * loss->epoch[i])
                CHECK_FAIL("point %zu is wrong", i);
        arena_reset(&arena);
    }
    arena_release(&arena);
    index_close(index);
    free(id);
}

static void test_a_log_that_was_cut_and_grew_again_is_read_anew(void)
{
    const char *home = check_path("cut");
    char *id = make_run(home, "resumed", "{}", NULL, 0), *folder = path_join(home, id);
    add_epochs(home, id, 1, 3, 1);
    struct index *index = open_fresh(home);
    struct arena arena = {0};
    struct history_writer *writer = history_open_writer(folder, &err);
    int64_t length = history_length(writer);
    history_close_writer(writer);
    add_epochs(home, id, 4, 9, 1);
    CHECK_OK(index_refresh(index, NULL, &err), err);
    CHECK_EQ(find(index, id, &arena)->epoch, 9);
    writer = history_open_writer(folder, &err);
    CHECK_OK(history_truncate(writer, length, &err), err);
    history_close_writer(writer);
    add_epochs(home, id, 4, 9, 100); /* the same number of bytes again */
    CHECK_OK(index_refresh(index, NULL, &err), err);
    CHECK_NEAR(find(index, id, &arena)->metrics[0].last, 100.0 / 9, 1e-12);
    CHECK_NEAR(find(index, id, &arena)->metrics[0].best, 1.0 / 3, 1e-12);
    writer = history_open_writer(folder, &err);
    CHECK_OK(history_truncate(writer, length, &err), err);
    history_close_writer(writer);
    CHECK_OK(index_refresh(index, NULL, &err), err);
    CHECK_EQ(find(index, id, &arena)->epoch, 3);
    CHECK_EQ(find(index, id, &arena)->n_checkpoints, 3);
    arena_release(&arena);
    index_close(index);
    free(folder);
    free(id);
}

static void test_a_child_inherits_up_to_the_fork(void)
{
    const char *home = check_path("family");
    char *parent = make_run(home, "parent", "{}", NULL, 0), *child = make_run(home, "child", "{}", parent, 20),
         *grandchild = make_run(home, "grandchild", "{}", child, 30);
    add_epochs(home, parent, 1, 5, 1);
    add_epochs(home, child, 3, 4, 50);
    add_epochs(home, grandchild, 4, 4, 900);
    struct index *index = open_fresh(home);
    struct arena arena = {0};
    const struct metric_series *series;
    size_t n;
    const char *only[] = {"loss"};
    CHECK_OK(index_history(index, grandchild, only, 1, &arena, &series, &n, &err), err);
    CHECK_EQ(n, 1);
    CHECK_EQ(series[0].n, 4);
    CHECK_EQ(series[0].n_inherited, 3);
    double expected[] = {1, 0.5, 50.0 / 3, 225};
    for (size_t i = 0; i < 4; i++)
        CHECK_NEAR(series[0].value[i], expected[i], 1e-12);
    CHECK_NEAR(find(index, child, &arena)->metrics[0].best, 12.5, 1e-12); /* its own */
    CHECK_OK(run_delete(home, parent, &err), err);
    CHECK_OK(index_refresh(index, NULL, &err), err);
    CHECK_OK(index_history(index, child, only, 1, &arena, &series, &n, &err), err);
    CHECK_EQ(series[0].n, 2);
    arena_release(&arena);
    index_close(index);
    free(parent), free(child), free(grandchild);
}

static void test_of_two_checkpoints_of_a_step_the_later_one_is_meant(void)
{
    const char *home = check_path("same-step");
    char *id = make_run(home, "s", "{}", NULL, 0), *folder = path_join(home, id);
    add_epochs(home, id, 1, 2, 1);
    struct history_writer *writer = history_open_writer(folder, &err);
    json_t *checkpoint = json_pack("{s:s, s:i}", "checkpoint", "final.keras", "size_bytes", 3);
    CHECK_OK(history_add_checkpoint(writer, 2, 20, checkpoint, &err), err);
    history_close_writer(writer);
    char *file = xprintf("%s/checkpoints/final.keras", folder);
    CHECK(close(open(file, O_CREAT | O_WRONLY, 0600)) == 0);
    struct index *index = open_fresh(home);
    struct arena arena = {0};
    const char *path, *run_id;
    CHECK_OK(index_resolve_checkpoint(index, "s:2", &arena, &path, &run_id, &err), err);
    CHECK_STR(path_name(path), "final.keras");
    arena_release(&arena);
    index_close(index);
    json_decref(checkpoint);
    free(file), free(folder), free(id);
}

static void test_checkpoints_are_named_by_epoch_best_last_and_path(void)
{
    const char *home = check_path("points");
    char *id = make_run(
        home, "p", "{\"callbacks\": [{\"class\": \"ModelCheckpoint\", \"monitor\": \"accuracy\", \"mode\": \"max\"}]}",
        NULL, 0);
    add_epochs(home, id, 1, 4, 1);
    struct index *index = open_fresh(home);
    struct arena arena = {0};
    const struct checkpoint_summary *list;
    size_t n;
    CHECK_OK(index_checkpoints(index, id, &arena, &list, &n, &err), err);
    CHECK_EQ(n, 4);
    CHECK(list[1].best && !list[3].best && list[3].last);
    const char *path, *run_id;
    CHECK_OK(index_resolve_checkpoint(index, "p:best", &arena, &path, &run_id, &err), err);
    CHECK_STR(path, list[1].path);
    CHECK_STR(run_id, id);
    CHECK_OK(index_resolve_checkpoint(index, "p:3", &arena, &path, &run_id, &err), err);
    CHECK_STR(path, list[2].path);
    CHECK(!unlink(list[3].path));
    CHECK_OK(index_resolve_checkpoint(index, "p:last", &arena, &path, &run_id, &err), err);
    CHECK_STR(path, list[2].path);
    CHECK_OK(index_resolve_checkpoint(index, list[0].path, &arena, &path, &run_id, &err), err);
    CHECK_STR(run_id, id);
    const char *const wrong[][2] = {{"p:4", "no checkpoint of epoch 4; there are some of epochs 1 to 3"},
                                    {"q:best", "did you mean"},
                                    {"p", "is a run, expected one of its checkpoints"},
                                    {"p:foo", "expected an epoch, best or last"},
                                    {"nothing.keras", "there is no file and no run"}};
    for (size_t i = 0; i < 5; i++) {
        CHECK(!index_resolve_checkpoint(index, wrong[i][0], &arena, &path, &run_id, &err));
        CHECK_HAS(err.text, wrong[i][1]);
    }
    arena_release(&arena);
    index_close(index);
    free(id);
}

static size_t count_runs(struct index *index, bool with_three_epochs)
{
    struct arena arena = {0};
    const struct run_summary *runs;
    size_t n = 0;
    CHECK_OK(index_refresh(index, NULL, &err), err);
    CHECK_OK(index_list(index, "", NULL, &arena, &runs, &n, &err), err);
    for (size_t i = 0; i < n; i++)
        if (with_three_epochs && runs[i].epoch != 3)
            CHECK_FAIL("run '%s' has epoch %lld", runs[i].id, (long long)runs[i].epoch);
    arena_release(&arena);
    return n;
}

static size_t count(struct index *index)
{
    return count_runs(index, true);
}

static void fill(const char *home, int n_runs)
{
    for (int i = 0; i < n_runs; i++) {
        char *id = make_run(home, "r", "{\"fit\": {\"epochs\": 3}}", NULL, 0);
        add_epochs(home, id, 1, 3, 1);
        free(id);
    }
}

static size_t count_once(const char *home)
{
    struct index *index = index_open(home, &err);
    size_t n = index ? count(index) : 0;
    index_close(index);
    return n;
}

static void overwrite(const char *path, long at, const void *bytes, size_t n)
{
    FILE *file = fopen(path, "r+");
    CHECK(file);
    fseek(file, at, SEEK_SET);
    fwrite(bytes, 1, n, file);
    fclose(file);
}

static void test_checkpoints_that_made_room_are_neither_listed_nor_counted(void)
{
    const char *home = check_path("room");
    char *id = make_run(home, "p", "{}", NULL, 0), *folder = path_join(home, id);
    add_epochs(home, id, 1, 3, 1);
    struct history_writer *writer = history_open_writer(folder, &err);
    json_t *event = json_pack("{s:s, s:s}", "event", "checkpoint_removed", "checkpoint", "epoch-0001.keras");
    CHECK_OK(history_add_event(writer, 3, 30, event, &err), err);
    history_close_writer(writer);
    struct index *index = open_fresh(home);
    struct arena arena = {0};
    const struct checkpoint_summary *list;
    size_t n;
    CHECK_OK(index_checkpoints(index, id, &arena, &list, &n, &err), err);
    CHECK_EQ(n, 2);
    CHECK_STR(list[0].name, "epoch-0002.keras");
    CHECK_EQ(find(index, "p", &arena)->n_checkpoints, 2);
    arena_release(&arena);
    index_close(index);
    json_decref(event);
    free(folder);
    free(id);
}

static void test_a_damaged_database_is_put_aside_and_made_anew(void)
{
    const char *home = check_path("damage");
    fill(home, 4);
    char *db = path_join(home, "antler.db"), *aside = path_join(home, "antler.db.damaged");
    CHECK_EQ(count_once(home), 4);
    struct stat st;
    CHECK(!stat(db, &st));
    char noise[4096];
    srand(11);
    for (int round = 0; round < 24; round++) {
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (char)rand();
        long at = round < 4 ? round * 20 : rand() % (long)st.st_size;
        overwrite(db, at, noise, round % 2 ? sizeof noise : 16);
        struct index *index = index_open(home, &err);
        CHECK(index);
        count_runs(index, false); /* works; wrong values that SQLite cannot see are cured by reindex */
        CHECK_OK(index_rebuild(index, &err), err);
        CHECK_EQ(count(index), 4);
        index_close(index);
    }
    CHECK(path_exists(aside));
    CHECK(!truncate(db, 0));
    CHECK_EQ(count_once(home), 4);
    CHECK(!truncate(db, 700));
    CHECK_EQ(count_once(home), 4);
    free(db);
    free(aside);
}

static void test_a_newer_database_is_left_alone(void)
{
    const char *home = check_path("newer");
    fill(home, 2);
    CHECK_EQ(count_once(home), 2);
    char *db = path_join(home, "antler.db");
    overwrite(db, 60, "\0\0\1\0", 4); /* user_version in the header */
    char *before, *after;
    size_t n_before, n_after;
    CHECK_OK(io_read_file(db, 1 << 24, &before, &n_before, &err), err);
    CHECK_EQ(count_once(home), 2);
    CHECK_OK(io_read_file(db, 1 << 24, &after, &n_after, &err), err);
    CHECK(n_before == n_after && !memcmp(before, after, n_before));
    struct index *index = index_open(home, &err);
    CHECK(!index_rebuild(index, &err));
    CHECK_HAS(err.text, "a newer antler");
    CHECK_EQ(count(index), 2);
    index_close(index);
    free(before), free(after), free(db);
}

static void test_a_home_without_write_permission_is_readable(void)
{
    const char *home = check_path("readonly");
    fill(home, 3);
    CHECK_EQ(count_once(home), 3);
    fill(home, 1); /* not in the database yet */
    chmod(check_tmp(), 0755);
    chmod(home, 0555);
    pid_t child = fork();
    if (!child) {
        if (!geteuid() && (setgid(65534) || setuid(65534)))
            _exit(9);
        check_failures = 0;
        size_t n = count_once(home);
        _exit(n == 4 && !check_failures ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    CHECK_EQ(status, 0);
    chmod(home, 0755);
}

static void test_a_full_disk_is_readable(void)
{
    const char *home = check_path("full");
    fill(home, 6);
    pid_t child = fork();
    if (!child) {
        signal(SIGXFSZ, SIG_IGN);
        struct rlimit limit = {8192, 8192}; /* every write behind 8 KB fails */
        if (setrlimit(RLIMIT_FSIZE, &limit))
            _exit(9);
        check_failures = 0;
        _exit(count_once(home) == 6 && !check_failures ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    CHECK_EQ(status, 0);
    CHECK_EQ(count_once(home), 6);
}

static void test_a_very_long_home_path_works(void)
{
    struct str home = {0};
    str_add(&home, check_path("long"));
    for (int i = 0; i < 6; i++)
        str_addf(&home, "/%0100d", i);
    fill(str_text(&home), 2);
    CHECK_EQ(count_once(str_text(&home)), 2);
    str_release(&home);
    CHECK_EQ(count_once(check_path("does-not-exist")), 0);
    CHECK(!path_exists(check_path("does-not-exist")));
}

static void test_eight_readers_and_a_writer_at_once(void)
{
    const char *home = check_path("crowd");
    fill(home, 30);
    pid_t children[8];
    for (int c = 0; c < 8; c++)
        if (!(children[c] = fork())) {
            check_failures = 0;
            for (int k = 0; k < 4; k++) {
                struct index *index = index_open(home, &err);
                CHECK(index && count_runs(index, false) >= 30);
                index_close(index);
            }
            _exit(check_failures != 0);
        }
    for (int k = 0; k < 3; k++) {
        char *id = make_run(home, "late", "{}", NULL, 0);
        add_epochs(home, id, 1, 3, 1);
        free(id);
    }
    for (int c = 0; c < 8; c++) {
        int status;
        waitpid(children[c], &status, 0);
        CHECK_EQ(status, 0);
    }
    CHECK_EQ(count_once(home), 33);
}

static void test_a_reader_killed_while_it_ingests_harms_nothing(void)
{
    const char *home = check_path("killed");
    srand(23);
    for (int round = 0; round < 25; round++) {
        fill(home, 2);
        pid_t child = fork();
        if (!child)
            _exit(count_once(home) != 0);
        usleep((useconds_t)(rand() % 8000));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    CHECK_EQ(count_once(home), 50);
    CHECK(!path_exists(check_path("killed/antler.db.damaged")));
}

/* Folders made by hand: a thousand of run_create's would be a thousand times six flushes. */
static void test_with_many_runs_the_living_are_followed_at_once_and_the_rest_soon(void)
{
    const char *home = check_path("many");
    char *live = make_run(home, "live", "{}", NULL, 0), *finished = make_run(home, "finished", "{}", NULL, 0);
    char *folder = path_join(home, finished);
    struct run_writer *writer = run_open_writer(folder, &err);
    CHECK_OK(run_set_state(writer, RUN_FINISHED, 0, 0, NULL, &err), err);
    run_close_writer(writer);
    for (int i = 0; i < 1100; i++) {
        char path[700];
        snprintf(path, sizeof path, "%s/r%d", home, i);
        CHECK(!mkdir(path, 0755));
        strcat(path, "/run.json");
        FILE *file = fopen(path, "w");
        fputs("{\"state\": \"finished\", \"epoch\": 3}", file);
        fclose(file);
    }
    struct index *index = open_fresh(home);
    struct arena arena = {0};
    CHECK_EQ(find(index, "live", &arena)->epoch, 0);
    add_epochs(home, live, 1, 3, 1);
    CHECK_OK(index_refresh(index, NULL, &err), err);
    CHECK_EQ(find(index, "live", &arena)->epoch, 3);
    add_epochs(home, finished, 1, 3, 1);
    for (int tries = 0; tries < 200 && find(index, "finished", &arena)->epoch != 3; tries++) {
        usleep(20000);
        CHECK_OK(index_refresh(index, NULL, &err), err);
    }
    CHECK_EQ(find(index, "finished", &arena)->epoch, 3);
    arena_release(&arena);
    index_close(index);
    free(folder), free(live), free(finished);
}

static void test_a_damaged_run_does_not_hide_the_others(void)
{
    const char *home = check_path("sick");
    char *a = make_run(home, "a", "{}", NULL, 0), *b = make_run(home, "b", "{}", NULL, 0),
         *c = make_run(home, "c", "{}", NULL, 0);
    add_epochs(home, a, 1, 3, 1), add_epochs(home, b, 1, 3, 1), add_epochs(home, c, 1, 3, 1);
    char *json = xprintf("%s/%s/run.json", home, a), *log = xprintf("%s/%s/history.log", home, b);
    overwrite(json, 0, "###", 3);
    overwrite(log, 100, "\xFF\xFF\xFF\xFF", 4);
    struct index *index = open_fresh(home);
    struct arena arena = {0};
    const struct run_summary *run = find(index, a, &arena);
    CHECK_EQ(run->state, RUN_FAILED);
    CHECK_HAS(run->error, "run.json");
    CHECK_EQ(run->epoch, 3);
    CHECK_HAS(find(index, b, &arena)->error, "is damaged at byte");
    CHECK(!find(index, c, &arena)->error);
    arena_release(&arena);
    index_close(index);
    free(json), free(log), free(a), free(b), free(c);
}

int main(void)
{
    RUN(test_summaries_last_and_best);
    RUN(test_selecting_from_listed_runs_gives_what_listing_gives);
    RUN(test_history_grows_chunk_by_chunk_and_keeps_its_order);
    RUN(test_a_log_that_was_cut_and_grew_again_is_read_anew);
    RUN(test_a_child_inherits_up_to_the_fork);
    RUN(test_of_two_checkpoints_of_a_step_the_later_one_is_meant);
    RUN(test_checkpoints_are_named_by_epoch_best_last_and_path);
    RUN(test_checkpoints_that_made_room_are_neither_listed_nor_counted);
    RUN(test_a_damaged_database_is_put_aside_and_made_anew);
    RUN(test_a_newer_database_is_left_alone);
    RUN(test_a_home_without_write_permission_is_readable);
    RUN(test_a_full_disk_is_readable);
    RUN(test_a_very_long_home_path_works);
    RUN(test_eight_readers_and_a_writer_at_once);
    RUN(test_a_reader_killed_while_it_ingests_harms_nothing);
    RUN(test_with_many_runs_the_living_are_followed_at_once_and_the_rest_soon);
    RUN(test_a_damaged_run_does_not_hide_the_others);
    return check_done();
}
