/* cli_resume.c - antler resume RUN goes on in place; antler resume CHECKPOINT (and a RUN with --set or --name) starts a
 * new run from there, as does one of an imported model. */
#include "base/arena.h"
#include "base/io.h"
#include "persistence/runs/run_folder.h"
#include "tui/cli/cli_commands.h"
#include "tui/cli/cli_train.h"
#include "tui/client/cli_request.h"

#include <stdlib.h>
#include <string.h>

static bool add_epochs(const struct cli *cli, json_t *request, struct err *err)
{
    double epochs = 0;
    if (!cli_number(cli, "--epochs", 1, 1e12, &epochs, err))
        return false;
    if (epochs >= 1)
        json_object_set_new(request, "epochs", json_integer((json_int_t)epochs));
    return true;
}

/* Of a file that belongs to no run: the model is the file, everything else comes from --set. */
static json_t *config_of_file(const char *path)
{
    char *name = xstrdup(path_name(path)), *dot = strchr(name, '.');
    if (dot && dot != name)
        *dot = 0;
    json_t *config = json_pack("{s:s, s:{s:s}}", "name", name, "model", "file", path);
    free(name);
    return config;
}

/* An imported model's config knows no folder: its file lies in the run, all other paths are typed where the person
 * stands. */
static void find_model_file(json_t *config, const char *run_folder)
{
    json_t *model = json_object_get(config, "model");
    const char *file = js_string(model, "file", NULL);
    if (!file || file[0] == '/')
        return;
    char *path = path_join(run_folder, file);
    json_object_set_new(model, "file", json_string(path));
    free(path);
}

/* The config of the new run: its parent's with --set applied; of a foreign file: what --set says. */
static bool add_config(const struct cli *cli, json_t *request, const char *path, const char *run_folder,
                       struct err *err)
{
    json_t *config = run_folder ? run_read_config(run_folder, err) : config_of_file(path);
    if (!config)
        return run_folder ? false : err_set(err, ERR_USAGE, "the name of '%s' is not UTF-8", path);
    if (!json_object_get(config, "folder")) {
        char *here = cli_absolute(".");
        if (run_folder)
            find_model_file(config, run_folder);
        json_object_set_new(request, "folder", json_string(here));
        free(here);
    }
    bool ok = cli_apply_sets(cli, config, err);
    if (ok && !json_object_get(config, "data"))
        ok = err_set(err, ERR_USAGE,
                     "'%s' has no data of its own: say which with --set data.format=... --set data.path=...", path);
    json_object_set_new(request, "config", config);
    return ok;
}

static bool resume_checkpoint(struct cli *cli, json_t *request, const char *text, struct err *err)
{
    char *path, *run_folder;
    if (!cli_find_checkpoint(cli, text, &path, &run_folder, err))
        return false;
    char *where = xprintf("the config of %s", text);
    json_object_set_new(request, "checkpoint", json_string(run_folder ? path_name(path) : path));
    json_object_set_new(request, "where", json_string(where));
    if (run_folder)
        json_object_set_new(request, "run", json_string(run_folder));
    bool ok = add_config(cli, request, path, run_folder, err) && cli_launch(cli, "resume", request, err);
    free(where);
    free(path);
    free(run_folder);
    return ok;
}

static bool resume_run(struct cli *cli, json_t *request, const char *folder, struct err *err)
{
    json_t *run = run_read(folder, err);
    if (!run)
        return false;
    bool elsewhere =
        cli_option(cli, "--set") || cli_option(cli, "--name") || !strcmp(js_string(run, "source", ""), "keras");
    json_decref(run);
    if (elsewhere) {
        char *last = xprintf("%s:last", path_name(folder));
        bool ok = resume_checkpoint(cli, request, last, err);
        free(last);
        return ok;
    }
    json_object_set_new(request, "run", json_string(folder));
    return cli_launch(cli, "resume", request, err);
}

bool cli_resume(struct cli *cli, struct err *err)
{
    const char *text = cli->arguments[0];
    json_t *request = cli_request(cli, err);
    bool ok = request && add_epochs(cli, request, err);
    bool file = ok && path_exists(text) && !path_is_folder(text);
    char *folder = ok && !file && !strchr(text, ':') ? cli_find_run(cli, text, err) : NULL;
    if (folder)
        ok = resume_run(cli, request, folder, err);
    else
        ok = ok && (file || strchr(text, ':')) && resume_checkpoint(cli, request, text, err);
    free(folder);
    json_decref(request);
    return ok;
}
