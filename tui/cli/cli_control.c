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

/* Who goes on with the run cuts the log where the last checkpoint stands, and an answer behind it with it. That the
 * worker has come to its end since then stays. */
static bool has_ended_since(const char *folder, double since)
{
    json_t *run = run_read(folder, NULL), *change;
    size_t i;
    bool ended = false;
    json_array_foreach(json_object_get(run, "changes"), i, change)
        if (js_double(change, "time", 0) >= since) {
            const char *state = js_string(change, "state", "");
            ended = ended || !strcmp(state, "stopped") || !strcmp(state, "finished");
        }
    json_decref(run);
    return ended;
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

struct told { /* of a command */
    const char *command;
    int64_t number;
    bool answered;
    char error[256]; /* why it could not be done */
};

static void read_answer(const json_t *answer, struct told *told)
{
    told->answered = answer != NULL;
    snprintf(told->error, sizeof told->error, "%s", js_string(answer, "error", ""));
}

/* Writes the command and waits until it is answered, or whoever was asked is gone. */
static bool tell(const char *folder, struct told *told, struct err *err)
{
    int64_t offset = log_end(folder);
    double since = io_wall_seconds();
    json_t *worker = worker_of(folder);
    bool ok = run_command_add(folder, told->command, NAN, &told->number, err), stops = !strcmp(told->command, "stop");
    if (ok) {
        json_t *answer = wait_for_answer(folder, worker, offset, told->number);
        if (answer && stops)
            wait_for_end(folder, worker);
        read_answer(answer, told);
        told->answered = told->answered || (stops && has_ended_since(folder, since));
        json_decref(answer);
    }
    json_decref(worker);
    return ok;
}

static bool report(const struct cli *cli, const char *folder, const struct told *told, struct err *err)
{
    bool done = told->answered && !told->error[0];
    if (cli->json)
        cli_print_json(json_pack("{s:s,s:s,s:I,s:b,s:b}", "run", path_name(folder), "command", told->command, "number",
                                 (json_int_t)told->number, "answered", told->answered, "ok", done));
    else if (done)
        printf("%s: %s\n", path_name(folder), done_word(told->command));
    if (!told->answered)
        return check_alive(folder, told->command, err) &&
               err_set(err, ERR_FAILED, "run '%s' has not answered yet; the command waits in its commands.log",
                       path_name(folder));
    return done || err_set(err, ERR_FAILED, "run '%s': %s", path_name(folder), told->error);
}

bool cli_control(struct cli *cli, struct err *err)
{
    struct told told = {.command = cli->command->name};
    char *folder = cli_find_run(cli, cli->arguments[0], err);
    bool ok;
    if (!folder || strcmp(told.command, "stop") != 0 || !leave_queue(cli, folder, &ok, err))
        ok = folder && check_alive(folder, told.command, err) && tell(folder, &told, err) &&
             report(cli, folder, &told, err);
    free(folder);
    return ok;
}
