/* Run folders: unique ids under races, names that cannot leave the home, locks that say who lives, states, trash,
 * commands. */
#include "tests/check.h"

#include "base/arena.h"
#include "base/io.h"
#include "persistence/runs/run_commands.h"
#include "persistence/runs/run_folder.h"
#include "persistence/runs/run_making.h"

#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>

static char *make_run(const char *home, const char *name, char **id)
{
    struct err err = {0};
    json_t *config = json_pack("{s:s}", "name", "x");
    struct run_identity identity = {.name = name, .device = "auto"};
    CHECK_OK(run_create(home, &identity, config, id, &err), err);
    json_decref(config);
    return path_join(home, *id);
}

static int count_folders(const char *home)
{
    DIR *dir = opendir(home);
    int n = 0;
    struct dirent *entry;
    while (dir && (entry = readdir(dir)))
        n += entry->d_name[0] != '.' || str_starts(entry->d_name, ".new-");
    if (dir)
        closedir(dir);
    return n;
}

static void test_a_new_run_is_queued_and_whole(void)
{
    char *id, *folder = make_run(check_path("home"), "digits mlp", &id);
    struct err err = {0};
    json_t *run = run_read(folder, &err), *config = run_read_config(folder, &err);
    CHECK_HAS(id, "_digits-mlp");
    CHECK_STR(js_string(run, "id", ""), id);
    CHECK_STR(js_string(run, "name", ""), "digits mlp");
    CHECK_STR(js_string(config, "name", ""), "x");
    CHECK_EQ(run_effective_state(run, false), RUN_QUEUED);
    json_decref(run);
    json_decref(config);
    free(folder);
    free(id);
}

static void test_hostile_names_stay_one_component(void)
{
    const char *const names[][2] = {{"../../etc/passwd", "etc-passwd"},
                                    {"", "run"},
                                    {"...", "run"},
                                    {"a\nb\x1b[31mc", "a-x0Ab-x1B-31mc"},
                                    {"gr\xC3\xB6\xC3\x9F"
                                     "e",
                                     "gr\xC3\xB6\xC3\x9F"
                                     "e"},
                                    {"-rf /", "rf"},
                                    {"a:b", "a-b"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *safe = run_safe_name(names[i][0]);
        CHECK_STR(safe, names[i][1]);
        free(safe);
    }
    char many[600];
    memset(many, 'x', sizeof many - 1);
    many[sizeof many - 1] = 0;
    char *safe = run_safe_name(many);
    CHECK_EQ(strlen(safe), 64);
    free(safe);
}

static void test_ids_are_unique_when_many_make_runs_at_once(void)
{
    const char *home = check_path("race");
    pid_t children[8];
    for (int c = 0; c < 8; c++)
        if (!(children[c] = fork())) {
            for (int k = 0; k < 10; k++) {
                char *id, *folder = make_run(home, "same", &id);
                free(folder);
                free(id);
            }
            _exit(check_failures != 0);
        }
    for (int c = 0; c < 8; c++) {
        int status;
        waitpid(children[c], &status, 0);
        CHECK_EQ(status, 0);
    }
    CHECK_EQ(count_folders(home), 80);
}

static void test_exactly_one_of_two_writers_wins(void)
{
    char *id, *folder = make_run(check_path("home"), "writers", &id);
    struct err err = {0};
    for (int round = 0; round < 30; round++) {
        int ready[2], go[2];
        CHECK(!pipe(ready) && !pipe(go));
        pid_t children[3];
        for (int c = 0; c < 3; c++)
            if (!(children[c] = fork())) {
                char byte = 0;
                close(go[1]);
                struct run_writer *writer = run_open_writer(folder, NULL);
                if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) < 0) /* until all have tried */
                    _exit(9);
                _exit(writer ? 1 : 0);
            }
        char byte;
        for (int c = 0; c < 3; c++)
            CHECK(read(ready[0], &byte, 1) == 1);
        CHECK(run_lock_is_held(folder));
        close(go[1]);
        int winners = 0;
        for (int c = 0; c < 3; c++) {
            int status;
            waitpid(children[c], &status, 0);
            winners += WEXITSTATUS(status);
        }
        CHECK_EQ(winners, 1);
        close(go[0]), close(ready[0]), close(ready[1]);
    }
    struct run_writer *writer = run_open_writer(folder, &err);
    CHECK(writer && !run_open_writer(folder, &err));
    CHECK_HAS(err.text, "in use by process");
    run_close_writer(writer);
    free(folder);
    free(id);
}

static void test_a_killed_writer_leaves_an_interrupted_run_and_a_stopped_one_is_alive(void)
{
    char *id, *folder = make_run(check_path("home"), "killed", &id);
    struct err err = {0};
    int ready[2];
    CHECK(!pipe(ready));
    pid_t child = fork();
    if (!child) {
        struct run_writer *writer = run_open_writer(folder, NULL);
        if (!writer || !run_set_state(writer, RUN_RUNNING, 0, 0, NULL, NULL) || write(ready[1], "", 1) != 1)
            _exit(9);
        for (;;)
            pause();
    }
    char byte;
    CHECK(read(ready[0], &byte, 1) == 1);
    kill(child, SIGSTOP);
    json_t *run = run_read(folder, &err);
    CHECK_EQ(run_effective_state(run, run_lock_is_held(folder)), RUN_RUNNING);
    CHECK(!run_delete(check_path("home"), id, &err));
    CHECK_HAS(err.text, "in use");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    CHECK_EQ(run_effective_state(run, run_lock_is_held(folder)), RUN_INTERRUPTED);
    json_decref(run);
    free(folder);
    free(id);
}

static void test_states_and_annotations_do_not_lose_each_other(void)
{
    char *id, *folder = make_run(check_path("home"), "notes", &id);
    struct err err = {0};
    struct run_writer *writer = run_open_writer(folder, &err);
    pid_t child = fork();
    if (!child) {
        for (int k = 0; k < 40; k++) {
            json_t *changes = json_pack("{s:s, s:[s], s:i}", "note", "n", "tags", "t", "state", 7);
            if (!run_annotate(folder, changes, NULL))
                _exit(1);
            json_decref(changes);
        }
        _exit(0);
    }
    for (int k = 0; k < 40; k++)
        CHECK_OK(run_set_state(writer, k % 2 ? RUN_RUNNING : RUN_PAUSED, k, k, NULL, &err), err);
    int status;
    waitpid(child, &status, 0);
    CHECK_EQ(status, 0);
    CHECK_OK(run_set_state(writer, RUN_FAILED, 5, 50, "loss became NaN \xff", &err), err);
    run_close_writer(writer);
    json_t *run = run_read(folder, &err);
    CHECK_EQ(json_array_size(json_object_get(run, "changes")), 42);
    CHECK_STR(js_string(run, "note", ""), "n");
    CHECK_STR(js_string(run, "state", ""), "failed");
    CHECK_STR(js_string(run, "error", ""), "loss became NaN \\xFF");
    json_decref(run);
    free(folder);
    free(id);
}

static void test_the_trash_gives_back_what_it_took(void)
{
    const char *home = check_path("trash-home");
    struct err err = {0};
    char *id, *folder = make_run(home, "bin", &id);
    CHECK_OK(run_delete(home, id, &err), err);
    CHECK(!path_exists(folder));
    CHECK(!run_delete(home, id, &err) && err.code == ERR_NOT_FOUND);
    CHECK(!run_delete(home, "../home", &err) && err.code == ERR_NOT_FOUND);
    CHECK_OK(run_restore(home, id, &err), err);
    json_t *run = run_read(folder, &err);
    CHECK_STR(js_string(run, "name", ""), "bin");
    json_decref(run);
    free(folder);
    free(id);
}

static void test_commands_are_numbered_and_old_ones_are_not_repeated(void)
{
    char *id, *folder = make_run(check_path("home"), "commands", &id);
    struct err err = {0};
    int64_t number, offset = 0;
    CHECK_OK(run_command_add(folder, "stop", NAN, &number, &err), err);
    CHECK_EQ(number, 1);
    CHECK(!run_command_add(folder, "explode", NAN, &number, &err));
    char *path = path_join(folder, "commands.log");
    FILE *file = fopen(path, "a");
    fputs("{\"number\": 7, \"comm", file); /* a torn line */
    fclose(file);
    int64_t start = run_command_end(folder);
    CHECK_OK(run_command_add(folder, "learning_rate", 0.01, &number, &err), err);
    CHECK_EQ(number, 2);
    struct run_command command;
    CHECK_EQ(run_command_next(folder, &start, &command, &err), 1);
    CHECK_STR(command.command, "learning_rate");
    CHECK_NEAR(command.value, 0.01, 0);
    CHECK_EQ(run_command_next(folder, &start, &command, &err), 0);
    CHECK_EQ(run_command_next(folder, &offset, &command, &err), 1);
    CHECK_STR(command.command, "stop");
    CHECK_EQ(run_command_next(folder, &offset, &command, &err), 1);
    CHECK_EQ(command.number, 2);
    free(path);
    free(folder);
    free(id);
}

static void test_a_command_of_a_newer_antler_is_read_so_that_it_can_be_refused(void)
{
    char *id, *folder = make_run(check_path("home"), "newer", &id), *path = path_join(folder, "commands.log");
    struct err err = {0};
    int64_t offset = 0;
    struct run_command command;
    FILE *file = fopen(path, "a");
    fputs("{\"number\": 1, \"command\": \"explode\"}\n"
          "{\"number\": 2, \"command\": \"a word much longer than any command\"}\n"
          "{\"number\": 3, \"command\": \"stop\"}\n",
          file);
    fclose(file);
    CHECK_EQ(run_command_next(folder, &offset, &command, &err), 1);
    CHECK_STR(command.command, "explode");
    CHECK_EQ(run_command_next(folder, &offset, &command, &err), 1);
    CHECK_EQ(command.number, 3);
    free(path);
    free(folder);
    free(id);
}

int main(void)
{
    RUN(test_a_new_run_is_queued_and_whole);
    RUN(test_hostile_names_stay_one_component);
    RUN(test_ids_are_unique_when_many_make_runs_at_once);
    RUN(test_exactly_one_of_two_writers_wins);
    RUN(test_a_killed_writer_leaves_an_interrupted_run_and_a_stopped_one_is_alive);
    RUN(test_states_and_annotations_do_not_lose_each_other);
    RUN(test_the_trash_gives_back_what_it_took);
    RUN(test_commands_are_numbered_and_old_ones_are_not_repeated);
    RUN(test_a_command_of_a_newer_antler_is_read_so_that_it_can_be_refused);
    return check_done();
}
