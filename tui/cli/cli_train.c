/* cli_train.c - antler train CONFIG: starts a detached worker and, unless --detach, follows it until the run ends. */
#include "base/arena.h"
#include "tui/cli/cli_commands.h"
#include "tui/cli/cli_profile.h"
#include "tui/cli/cli_train.h"
#include "tui/cli/follow.h"
#include "tui/client/cli_request.h"
#include "tui/client/worker_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool print_started(const struct cli *cli, const json_t *launched, struct err *err)
{
    if (!cli->json) {
        puts(js_string(launched, "run", ""));
        return true;
    }
    json_t *result = follow_result(js_string(launched, "dir", ""), err);
    if (!result)
        return false;
    cli_print_json(result);
    return true;
}

static void print_summary(const json_t *result, FILE *out)
{
    struct str line = {0};
    str_addf(&line, "%s after epoch %lld of %lld, step %lld", js_string(result, "state", ""),
             (long long)js_int(result, "epoch", 0), (long long)js_int(result, "epochs", 0),
             (long long)js_int(result, "step", 0));
    fprintf(out, "%s: %s\n", js_string(result, "run", ""), str_text(&line));
    str_release(&line);
}

/* --queue: it waits for a place, and starts at once where there is one. */
static bool enqueue(const struct cli *cli, const char *job, json_t *request, struct err *err)
{
    if (cli_option(cli, "--detach"))
        return err_set(err, ERR_USAGE, "--queue and --detach: a run in the queue is detached already; leave one out");
    json_t *queued = worker_enqueue(job, request, err);
    cli_print_notes(json_object_get(queued, "notes"));
    bool ok = queued && print_started(cli, queued, err);
    json_decref(queued);
    return ok;
}

bool cli_launch(struct cli *cli, const char *job, json_t *request, struct err *err)
{
    if (cli_option(cli, "--queue"))
        return enqueue(cli, job, request, err);
    bool detach = cli_option(cli, "--detach") != NULL;
    if (!detach)
        follow_catch_interrupts();
    json_t *launched = worker_launch(job, request, err), *result = NULL;
    if (!launched)
        return false;
    cli_print_notes(json_object_get(launched, "notes"));
    bool ok, interrupted = false;
    if (detach) {
        ok = print_started(cli, launched, err);
    } else {
        FILE *out = cli->json ? stderr : stdout;
        fprintf(out, "run %s\n", js_string(launched, "dir", ""));
        fflush(out);
        ok = follow_run(launched, out, &result, &interrupted, err);
    }
    json_t *profile =
        result && ok && cli_option(cli, "--profile") ? profile_read(js_string(result, "dir", ""), err) : NULL;
    if (result && ok && cli_option(cli, "--profile") && !profile)
        ok = false;
    if (profile && cli->json)
        json_object_set(result, "profile", profile);
    if (result && !cli->json && ok)
        print_summary(result, stdout);
    if (profile && !cli->json)
        profile_print(profile);
    json_decref(profile);
    if (result && cli->json)
        cli_print_json(json_incref(result));
    if (interrupted)
        cli->exit_status = err_exit_status(ERR_INTERRUPTED);
    json_decref(result);
    json_decref(launched);
    worker_start_waiting(cli->home, NULL, 0, NULL); /* a run that was interrupted starts no other */
    return ok;
}

bool cli_train(struct cli *cli, struct err *err)
{
    char *folder = NULL;
    json_t *config = cli_read_config(cli, cli->arguments[0], &folder, err),
           *request = config ? cli_request(cli, err) : NULL;
    bool ok = request != NULL;
    if (ok) {
        json_object_set(request, "config", config);
        json_object_set_new(request, "folder", json_string(folder));
        json_object_set_new(request, "where", json_string(cli->arguments[0]));
        ok = cli_launch(cli, "train", request, err);
    }
    json_decref(request);
    json_decref(config);
    free(folder);
    return ok;
}
