/* cli_control.c - antler stop, pause, continue, checkpoint RUN: a command to the worker, and its answer. */
#include "base/io.h"
#include "persistence/runs/history_log.h"
#include "persistence/runs/run_commands.h"
#include "persistence/runs/run_folder.h"
#include "persistence/runs/run_queue.h"
#include "tui/cli/cli_commands.h"
#include "tui/client/cli_request.h"

#include <math.h>
#include <stdio.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 30000, TICK_MS = 20 };

/* Where the log ends now: the answer comes behind it. */
static int64_t log_end(const char *folder)
{
    struct history_reader *reader = history_open_reader(folder, 0, NULL);
    struct record record;
    while (reader && history_next(reader, &record, NULL) == 1)
        ;
    int64_t end = reader ? history_offset(reader) : 0;
    history_close_reader(reader);
    return end;
}

/* The event that answers a command; new reference or NULL. *offset moves on. */
static json_t *find_answer(const char *folder, int64_t *offset, int64_t number)
{
    struct history_reader *reader = history_open_reader(folder, *offset, NULL);
    struct record record;
    json_t *answer = NULL;
    while (reader && !answer && history_next(reader, &record, NULL) == 1) {
        json_t *event = record.kind == RECORD_EVENT
                            ? js_parse(record.json, record.json_length, "history.log", JS_STRICT, NULL)
                            : NULL;
        if (!strcmp(js_string(event, "event", ""), "command") && js_int(event, "number", 0) == number)
            answer = json_incref(event);
        json_decref(event);
    }
    if (reader)
        *offset = history_offset(reader);
    history_close_reader(reader);
    return answer;
}

/* Who has the run, or had it last. New reference or NULL. */
static json_t *worker_of(const char *folder)
{
    json_t *run = run_read(folder, NULL), *worker = json_incref(json_object_get(run, "worker"));
    json_decref(run);
    return worker;
}

/* Is the worker that was asked still there? Another one that has gone on with the run knows nothing of it. */
static bool is_there(const char *folder, const json_t *asked)
{
    json_t *now = worker_of(folder);
    bool same = js_equal(now, asked);
    json_decref(now);
    return same && run_lock_is_held(folder);
}

static json_t *wait_for_answer(const char *folder, const json_t *asked, int64_t offset, int64_t number)
{
    json_t *answer = NULL;
    for (int waited = 0; !answer && waited < WAIT_MS && is_there(folder, asked); waited += TICK_MS) {
        answer = find_answer(folder, &offset, number);
        if (!answer)
            poll(NULL, 0, TICK_MS);
    }
    return answer ? answer : find_answer(folder, &offset, number);
}

/* A stopped run has written its last checkpoint when its worker has left. */
static void wait_for_end(const char *folder, const json_t *asked)
{
    for (int waited = 0; waited < WAIT_MS && is_there(folder, asked); waited += TICK_MS)
        poll(NULL, 0, TICK_MS);
}

static bool check_alive(const char *folder, const char *command, struct err *err)
{
    bool held = run_lock_is_held(folder);
    json_t *run = run_read(folder, err);
    if (!run)
        return false;
    const char *state = run_state_name(run_effective_state(run, held));
    bool ok =
        held || err_set(err, ERR_FAILED, "run '%s' is %s: there is nothing to %s", path_name(folder), state, command);
    json_decref(run);
    return ok;
}

/* "paused": what an answered command has done. */
static const char *done_word(const char *command)
{
    static const char *const words[][2] = {
        {"stop", "stopped"}, {"pause", "paused"}, {"continue", "goes on"}, {"checkpoint", "checkpoint written"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i][0], command))
            return words[i][1];
    return command;
}

/* A run that waits has no worker that could be asked. False: it does not wait. */
static bool leave_queue(const struct cli *cli, const char *folder, bool *ok, struct err *err)
{
    json_t *run = run_read(folder, NULL);
    bool waits = queue_entry_of(run) && !run_lock_is_held(folder);
    json_decref(run);
    if (!waits)
        return false;
    *ok = queue_remove(cli->home, path_name(folder), err);
    if (*ok && cli->json)
        cli_print_json(
            json_pack("{s:s,s:s,s:b,s:b}", "run", path_name(folder), "command", "stop", "answered", 1, "ok", 1));
    else if (*ok)
        printf("%s: taken out of the queue\n", path_name(folder));
    return true;
}

bool cli_control(struct cli *cli, struct err *err)
{
    const char *command = cli->command->name;
    char *folder = cli_find_run(cli, cli->arguments[0], err);
    int64_t number;
    bool left;
    if (folder && !strcmp(command, "stop") && leave_queue(cli, folder, &left, err)) {
        free(folder);
        return left;
    }
    if (!folder || !check_alive(folder, command, err)) {
        free(folder);
        return false;
    }
    int64_t offset = log_end(folder);
    json_t *answer = NULL, *worker = worker_of(folder);
    bool ok = run_command_add(folder, command, NAN, &number, err);
    if (ok) {
        answer = wait_for_answer(folder, worker, offset, number);
        if (answer && !strcmp(command, "stop"))
            wait_for_end(folder, worker);
        const char *error = js_string(answer, "error", NULL);
        if (cli->json)
            cli_print_json(json_pack("{s:s,s:s,s:I,s:b,s:b}", "run", path_name(folder), "command", command, "number",
                                     (json_int_t)number, "answered", answer != NULL, "ok", answer && !error));
        else if (answer && !error)
            printf("%s: %s\n", path_name(folder), done_word(command));
        if (!answer)
            ok = check_alive(folder, command, err) &&
                 err_set(err, ERR_FAILED, "run '%s' has not answered yet; the command waits in its commands.log",
                         path_name(folder));
        else if (error)
            ok = err_set(err, ERR_FAILED, "run '%s': %s", path_name(folder), error);
    }
    json_decref(worker);
    json_decref(answer);
    free(folder);
    return ok;
}
