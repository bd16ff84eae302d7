/* Foreign histories: what Keras' CSVLogger writes, in all its shapes, becomes a run; what makes no sense is refused
 * with its place. */
#include "tests/check.h"

#include "base/arena.h"
#include "base/io.h"
#include "persistence/index/index.h"
#include "persistence/sources/source.h"

#include <signal.h>
#include <sys/wait.h>

static const char *write_file(const char *name, const char *text)
{
    const char *path = check_path(name);
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
    return path;
}

/* "epoch:name=value ..." of all records of a file, or the error. */
static char *dump(const char *text)
{
    const char *path = write_file("x.csv", text);
    struct err err = {0};
    struct str out = {0};
    const struct source *source = source_of(path, &err);
    struct source_reader *reader = source ? source->open(path, &err) : NULL;
    struct source_record record;
    if (!reader)
        str_add(&out, err.text);
    while (reader && source->next(reader, &record, &err) == 1) {
        str_addf(&out, "%lld:", (long long)record.epoch);
        for (size_t i = 0; i < record.n; i++)
            str_addf(&out, " %s=%g", record.names[i], record.values[i]);
        str_add(&out, "; ");
    }
    if (reader && source->remark(reader))
        str_add(&out, "unfinished");
    if (reader)
        source->close(reader);
    return str_take(&out);
}

static void test_csv_files_are_read(void)
{
    static const char *const cases[][2] = {
        {"epoch,accuracy,loss\n0,0.5,1.5\n1,0.75,1\n", "1: accuracy=0.5 loss=1.5; 2: accuracy=0.75 loss=1; "},
        {"epoch,loss\r\n0,1\r\n1,2\r\n", "1: loss=1; 2: loss=2; "},
        {"epoch;loss\n0;1\n", "1: loss=1; "},
        {"epoch\tloss\n0\t1\n", "1: loss=1; "},
        {"loss,epoch\n3,0\n", "1: loss=3; "},
        {"epoch,loss,val_loss\n0,1,NA\n1,2,\n2,3\n", "1: loss=1; 2: loss=2; 3: loss=3; "},
        {"epoch,loss\n0,nan\n1,inf\n2,-inf\n", "1: loss=nan; 2: loss=inf; 3: loss=-inf; "},
        {"epoch,loss\n0,1\n1,2\n2,3\n1,20\n2,30\n", "1: loss=1; 2: loss=20; 3: loss=30; "},
        {"epoch,loss\n0,1\nepoch,loss\n1,2\n\n", "1: loss=1; 2: loss=2; "},
        {"epoch,loss\n0,1\n1,0.2", "1: loss=1; unfinished"},
        {"epoch,loss\n", ""},
        {"\xEF\xBB\xBF"
         "epoch,loss\n0,1\n",
         "1: loss=1; "},
        {"epoch,\"a,b\"\n0,1\n", "1: a,b=1; "},
        {"epoch,loss\n0.0,1\n", "1: loss=1; "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *found = dump(cases[i][0]);
        CHECK_STR(found, cases[i][1]);
        free(found);
    }
}

static void test_bad_files_are_refused_with_their_place(void)
{
    static const char *const cases[][2] = {
        {"epoch,loss\n0,abc\n", "line 2, column 'loss': found 'abc', expected a number"},
        {"epoch,loss\n0,1\nx,1\n", "line 3, column 'epoch': found 'x', expected the number of an epoch"},
        {"epoch,loss\n-1,1\n", "line 2, column 'epoch'"},
        {"epoch,loss\n0.5,1\n", "line 2, column 'epoch'"},
        {"epoch,loss\n0,1,2\n", "line 2: found 3 fields, expected 2"},
        {"epoch,loss,loss\n0,1,2\n", "two columns are called 'loss'"},
        {"epoch,,loss\n0,1,2\n", "column 2 has no usable name"},
        {"time,loss\n0,1\n", "is nothing that can be imported"},
        {"", "is nothing that can be imported"},
        {"PK\3\4....", "is nothing that can be imported"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *found = dump(cases[i][0]);
        CHECK_HAS(found, cases[i][1]);
        free(found);
    }
}

static size_t list_runs(const char *home, struct arena *arena, const struct run_summary **runs)
{
    struct err err = {0};
    size_t n = 0;
    struct index *index = index_open(home, &err);
    CHECK_OK(index_refresh(index, NULL, &err), err);
    CHECK_OK(index_list(index, "", "name", arena, runs, &n, &err), err);
    index_close(index);
    return n;
}

static void test_each_file_becomes_a_run_of_its_own(void)
{
    const struct source_file files[] = {{.path = write_file("a.csv", "epoch,loss\n0,1\n1,0.5\n")},
                                        {.path = write_file("b.csv", "epoch,accuracy\n0,0.5\n1,0.9\n2,0.7\n")}};
    const char *home = check_path("home");
    char *ids[2];
    struct str remarks = {0};
    struct err err = {0};
    struct arena arena = {0};
    const struct run_summary *runs;
    CHECK_OK(source_import(home, files, 2, NULL, ids, &remarks, &err), err);
    CHECK_EQ(list_runs(home, &arena, &runs), 2);
    CHECK(str_ends(ids[0], "_a") && str_ends(ids[1], "_b")); /* numbers are for those of one name */
    CHECK_STR(runs[0].name, "a");
    CHECK_STR(runs[0].source, "csvlogger");
    CHECK_EQ(runs[0].state, RUN_FINISHED);
    CHECK_EQ(runs[0].epoch, 2);
    CHECK_EQ(runs[0].epochs, 2);
    CHECK_NEAR(runs[0].metrics[0].best, 0.5, 0);
    CHECK_NEAR(runs[1].metrics[0].best, 0.9, 0);
    CHECK_EQ(runs[1].metrics[0].best_epoch, 2);
    CHECK_NEAR(runs[1].metrics[0].last, 0.7, 0);
    char *again = xprintf("%s/%s", home, ids[0]); /* a run folder is a source too */
    const struct source_file folder[] = {{.path = again}};
    char *copy;
    CHECK_OK(source_import(check_path("home2"), folder, 1, "copied", &copy, &remarks, &err), err);
    CHECK_EQ(list_runs(check_path("home2"), &arena, &runs), 1);
    CHECK_STR(runs[0].name, "copied");
    CHECK_EQ(runs[0].epoch, 2);
    free(copy);
    free(again);
    free(ids[0]);
    free(ids[1]);
    arena_release(&arena);
}

static void test_one_bad_file_means_no_run_at_all(void)
{
    const struct source_file files[] = {{.path = write_file("good.csv", "epoch,loss\n0,1\n")},
                                        {.path = write_file("bad.csv", "epoch,loss\n0,x\n")}};
    char *ids[2];
    struct str remarks = {0};
    struct err err = {0};
    CHECK(!source_import(check_path("none"), files, 2, NULL, ids, &remarks, &err));
    CHECK_EQ(err.code, ERR_FORMAT);
    CHECK(!path_exists(check_path("none")));
}

static void test_a_file_without_values_makes_no_run(void)
{
    const struct source_file files[] = {{.path = write_file("none.csv", "epoch,loss\n")},
                                        {.path = write_file("some.csv", "epoch,loss\n0,1\n")}};
    const char *home = check_path("without");
    char *ids[2];
    struct str remarks = {0};
    struct err err = {0};
    struct arena arena = {0};
    const struct run_summary *runs;
    CHECK(!source_import(home, files, 1, NULL, ids, &remarks, &err));
    CHECK_HAS(err.text, "none.csv' holds no values yet");
    str_clear(&remarks);
    CHECK_OK(source_import(home, files, 2, NULL, ids, &remarks, &err), err);
    CHECK(!ids[0] && ids[1]);
    CHECK_HAS(str_text(&remarks), "none.csv' holds no values, so no run was made of it");
    CHECK_EQ(list_runs(home, &arena, &runs), 1);
    CHECK_STR(runs[0].name, "some");
    free(ids[1]);
    str_release(&remarks);
    arena_release(&arena);
}

static void test_a_killed_import_leaves_the_whole_run_or_none(void)
{
    struct str csv = {0};
    str_add(&csv, "epoch,loss\n");
    for (int e = 0; e < 20000; e++)
        str_addf(&csv, "%d,%d\n", e, e);
    const struct source_file files[] = {{.path = write_file("long.csv", str_text(&csv))}};
    const char *home = check_path("killed");
    srand(5);
    for (int round = 0; round < 25; round++) {
        pid_t child = fork();
        if (!child) {
            char *id;
            struct str remarks = {0};
            _exit(!source_import(home, files, 1, NULL, &id, &remarks, NULL));
        }
        usleep((useconds_t)(rand() % 60000));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    struct arena arena = {0};
    const struct run_summary *runs = NULL;
    size_t n = path_exists(home) ? list_runs(home, &arena, &runs) : 0;
    for (size_t i = 0; i < n; i++) {
        CHECK_EQ(runs[i].epoch, 20000);
        CHECK_EQ(runs[i].state, RUN_FINISHED);
    }
    arena_release(&arena);
    str_release(&csv);
}

int main(void)
{
    RUN(test_csv_files_are_read);
    RUN(test_bad_files_are_refused_with_their_place);
    RUN(test_each_file_becomes_a_run_of_its_own);
    RUN(test_one_bad_file_means_no_run_at_all);
    RUN(test_a_file_without_values_makes_no_run);
    RUN(test_a_killed_import_leaves_the_whole_run_or_none);
    return check_done();
}
