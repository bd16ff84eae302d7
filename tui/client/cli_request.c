/* cli_request.c - see cli_request.h */
#include "base/arena.h"
#include "base/io.h"
#include "persistence/config/run_config.h"
#include "persistence/index/index.h"
#include "tui/client/cli_request.h"
#include "tui/client/cli_text.h"
#include "tui/client/train_request.h"
#include "tui/client/worker_client.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *cli_absolute(const char *path)
{
    char *real = realpath(path, NULL), here[PATH_MAX];
    if (real)
        return real;
    if (path[0] == '/' || !getcwd(here, sizeof here))
        return xstrdup(path);
    while (str_starts(path, "./"))
        path += 2;
    return path_join(here, path);
}

/* Run folders are named relative to the home. */
static char *run_folder(const struct cli *cli, const struct run_summary *run)
{
    char *path = path_join(cli->home, run->folder), *absolute = cli_absolute(path);
    free(path);
    return absolute;
}

char *cli_find_run(const struct cli *cli, const char *run, struct err *err)
{
    struct arena arena = {0};
    char *folder = NULL;
    struct index *index = text_open_index(cli->home, err);
    if (index) {
        const struct run_summary *found = index_find(index, run, &arena, err);
        if (found)
            folder = run_folder(cli, found);
    }
    index_close(index);
    arena_release(&arena);
    return folder;
}

bool cli_find_checkpoint(const struct cli *cli, const char *text, char **path, char **folder, struct err *err)
{
    struct arena arena = {0};
    const char *found = NULL, *run = NULL;
    *path = *folder = NULL;
    struct index *index = text_open_index(cli->home, err);
    bool ok = index && index_resolve_checkpoint(index, text, &arena, &found, &run, err);
    if (ok) {
        *path = cli_absolute(found);
        const struct run_summary *summary = run ? index_find(index, run, &arena, err) : NULL;
        ok = !run || summary;
        *folder = summary ? run_folder(cli, summary) : NULL;
    }
    index_close(index);
    arena_release(&arena);
    if (ok && access(*path, R_OK))
        ok = err_set(err, ERR_NOT_FOUND, "there is no checkpoint '%s'", text);
    if (!ok) {
        free(*path);
        free(*folder);
        *path = *folder = NULL;
    }
    return ok;
}

bool cli_apply_sets(const struct cli *cli, json_t *config, struct err *err)
{
    const char *set;
    for (size_t k = 0; (set = cli_option_at(cli, "--set", k)); k++)
        if (!config_set(config, set, err))
            return err_prefix(err, "--set %s", set);
    return true;
}

json_t *cli_read_config(const struct cli *cli, const char *path, char **folder, struct err *err)
{
    json_t *config = train_read_config(path, folder, err);
    if (config && (!cli_apply_sets(cli, config, err) || !config_check(config, path, err))) {
        json_decref(config);
        free(*folder);
        config = NULL;
        *folder = NULL;
    }
    return config;
}

json_t *cli_request(const struct cli *cli, struct err *err)
{
    double threads = 0;
    if (!cli_number(cli, "--threads", 1, 1024, &threads, err))
        return NULL;
    char *home = cli_absolute(cli->home);
    json_t *request = json_pack("{s:s,s:s*,s:s*}", "home", home, "device", cli_option(cli, "--device"), "name",
                                cli_option(cli, "--name"));
    free(home);
    if (threads >= 1)
        json_object_set_new(request, "threads", json_integer((json_int_t)threads));
    if (cli_option(cli, "--profile"))
        json_object_set_new(request, "profile", json_true());
    if (cli_option(cli, "--trace")) {
        char *path = cli_absolute(cli_option(cli, "--trace"));
        json_object_set_new(request, "trace", json_string(path));
        free(path);
    }
    json_t *tags = json_array();
    const char *tag;
    for (size_t k = 0; (tag = cli_option_at(cli, "--tag", k)); k++)
        json_array_append_new(tags, json_string(tag));
    json_object_set_new(request, "tags", tags);
    return request;
}

static bool show_progress(void *context, const json_t *line)
{
    bool *shown = context;
    double left = js_double(line, "left_s", NAN);
    fprintf(stderr, "\r%s %3.0f %%", js_string(line, "text", ""), 100 * js_double(line, "progress", 0));
    if (isfinite(left))
        fprintf(stderr, "  %d:%02d left", (int)left / 60, (int)left % 60);
    fputs("\033[K", stderr);
    *shown = true;
    return true;
}

json_t *cli_ask(const char *job, const json_t *request, struct err *err)
{
    bool shown = false;
    json_t *result = worker_ask(job, request, isatty(STDERR_FILENO) ? show_progress : NULL, &shown, err);
    if (shown)
        fputs("\r\033[K", stderr);
    return result;
}

bool cli_is_own(const json_t *request)
{
    static const char *const others[] = {"data", "config", "batch_size", "device", "output"};
    bool own = json_object_get(request, "run");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        own = own && !json_object_get(request, others[i]);
    return own;
}

void cli_say_kept(json_t *result, double made)
{
    json_object_set_new(result, "kept", json_pack("{s:f}", "made", made));
    fprintf(stderr, "kept beside the checkpoint, made %s (--again computes it)\n", text_age(made).text);
}

void cli_print_notes(const json_t *notes)
{
    const json_t *note;
    size_t i;
    json_array_foreach((json_t *)notes, i, note) {
        const char *key;
        json_t *text;
        json_object_foreach((json_t *)note, key, text) {
            struct str line = {0};
            str_add_visible(&line, json_string_value(text) ? json_string_value(text) : "");
            fprintf(stderr, "%s: %s\n", key, str_text(&line));
            str_release(&line);
        }
    }
}

bool cli_print_result(const struct cli *cli, json_t *result, void (*print)(const json_t *result))
{
    if (!result)
        return false;
    if (cli->json) {
        cli_print_json(result);
        return true;
    }
    print(result);
    json_decref(result);
    return true;
}
