/* cli_import.c - antler import, reindex */
#include "tui/cli_commands.h"
#include "tui/cli_request.h"
#include "tui/cli_text.h"
#include "base/arena.h"

#include "persistence/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the worker finds in a model file that is fit to go on from. New reference. */
static json_t *examine(const char *path, struct err *err)
{
    char *absolute = cli_absolute(path);
    json_t *request = json_pack("{s:s, s:b}", "file", absolute, "verify", true);
    json_t *findings =
        request ? cli_ask("inspect", request, err) : err_null(err, ERR_USAGE, "the name of '%s' is not UTF-8", path);
    json_decref(request);
    free(absolute);
    return findings;
}

static void add_problems(struct str *remarks, const char *path, const json_t *problems)
{
    const json_t *problem;
    size_t i;
    json_array_foreach((json_t *)problems, i, problem)
    {
        str_addf(remarks, "%s'%s': %s", remarks->length ? "; " : "", path, json_string_value(problem));
    }
}

/* files: as many as arguments; findings of model files are owned. */
static bool look_at_files(const struct cli *cli, struct source_file *files, struct str *remarks, struct err *err)
{
    for (size_t i = 0; i < cli->n_arguments; i++) {
        files[i].path = cli->arguments[i];
        if (!source_is_model(files[i].path))
            continue;
        if (!source_model_begin(&files[i], err) || !(files[i].findings = examine(files[i].path, err)))
            return false;
        add_problems(remarks, files[i].path, json_object_get(files[i].findings, "problems"));
    }
    return true;
}

static void print_remarks(const struct str *remarks)
{
    struct str visible = {0};
    str_add_visible(&visible, str_text(remarks));
    if (remarks->length)
        fprintf(stderr, "antler: %s\n", str_text(&visible));
    str_release(&visible);
}

static void print_runs(const struct cli *cli, char *const *ids)
{
    json_t *json = json_array();
    for (size_t i = 0; i < cli->n_arguments; i++) {
        json_array_append_new(json,
                              json_pack("{s:o, s:o}", "run", text_json(ids[i]), "file", text_json(cli->arguments[i])));
        if (!cli->json) {
            text_print(TEXT_PLAIN, ids[i]);
            putchar('\n');
        }
    }
    if (cli->json)
        cli_print_json(json);
    else
        json_decref(json);
}

bool cli_import(struct cli *cli, struct err *err)
{
    size_t n = cli->n_arguments;
    char **ids = xcalloc(n, sizeof *ids);
    struct source_file *files = xcalloc(n, sizeof *files);
    struct str remarks = {0};
    bool ok = look_at_files(cli, files, &remarks, err) &&
              source_import(cli->home, files, n, cli_option(cli, "--name"), ids, &remarks, err);
    if (ok) {
        print_remarks(&remarks);
        print_runs(cli, ids);
    }
    for (size_t i = 0; i < n; i++) {
        json_decref((json_t *)files[i].findings);
        if (ok)
            free(ids[i]);
    }
    str_release(&remarks);
    free(files);
    free(ids);
    return ok;
}

bool cli_reindex(struct cli *cli, struct err *err)
{
    struct index *index = index_open(cli->home, err);
    struct arena arena = {0};
    const struct run_summary *runs;
    size_t n;
    bool ok = index && index_rebuild(index, err) && index_list(index, "", NULL, &arena, &runs, &n, err);
    if (ok)
        printf("%zu runs\n", n);
    arena_release(&arena);
    index_close(index);
    return ok;
}
