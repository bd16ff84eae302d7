/* cli_import.c - antler import, reindex */
#include "base/arena.h"
#include "tui/cli/cli_commands.h"
#include "tui/client/cli_request.h"
#include "tui/client/cli_text.h"

#include "base/io.h"
#include "persistence/sources/source_scan.h"

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
    json_array_foreach((json_t *)problems, i, problem) {
        str_addf(remarks, "%s'%s': %s", remarks->length ? "; " : "", path, json_string_value(problem));
    }
}

struct import {                /* the arguments, and what lies in those that are folders */
    struct source_file *files; /* findings of models are owned */
    size_t n, capacity;
    struct source_list list;
    struct str remarks;
};

static bool add_model(struct import *import, const char *path, struct err *err)
{
    struct source_file *file = &import->files[import->n - 1];
    if (!source_model_begin(file, err) || !(file->findings = examine(path, err)))
        return false;
    add_problems(&import->remarks, path, json_object_get(file->findings, "problems"));
    return true;
}

static void add_file(struct import *import, const char *path, const char *name)
{
    import->files = xgrow(import->files, &import->capacity, import->n + 1, sizeof *import->files);
    import->files[import->n++] = (struct source_file){.path = path, .name = name};
}

static bool add_argument(struct import *import, const char *path, struct err *err)
{
    size_t before = import->list.n, models = import->list.n_models;
    if (!path_is_folder(path)) {
        add_file(import, path, NULL);
        return !source_is_model(path) || add_model(import, path, err);
    }
    if (!source_scan(path, &import->list, err))
        return false;
    for (size_t i = before; i < import->list.n; i++)
        add_file(import, import->list.found[i].path, import->list.found[i].name);
    models = import->list.n_models - models;
    if (models && import->list.n > before)
        str_addf(&import->remarks, "%s'%s' holds %zu models, which become runs when they are named",
                 import->remarks.length ? "; " : "", path, models);
    return import->list.n > before || err_set(err, ERR_FORMAT, "'%s' holds no history that could be imported%s%s", path,
                                              import->list.met_home ? " (the runs of the home are there already)" : "",
                                              models ? "; models are imported when they are named" : "");
}

static void print_remarks(const struct str *remarks)
{
    struct str visible = {0};
    str_add_visible(&visible, str_text(remarks));
    if (remarks->length)
        fprintf(stderr, "antler: %s\n", str_text(&visible));
    str_release(&visible);
}

static void print_runs(const struct cli *cli, const struct import *import, char *const *ids)
{
    json_t *json = json_array();
    for (size_t i = 0; i < import->n; i++) {
        if (!ids[i])
            continue;
        json_array_append_new(
            json, json_pack("{s:o, s:o}", "run", js_text_value(ids[i]), "file", js_text_value(import->files[i].path)));
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
    struct import import = {0};
    bool ok = true;
    source_list_pass_by(&import.list, cli->home);
    for (size_t i = 0; ok && i < cli->n_arguments; i++)
        ok = add_argument(&import, cli->arguments[i], err);
    char **ids = xcalloc(import.n + 1, sizeof *ids);
    ok = ok && source_import(cli->home, import.files, import.n, cli_option(cli, "--name"), ids, &import.remarks, err);
    if (ok) {
        print_remarks(&import.remarks);
        print_runs(cli, &import, ids);
    }
    for (size_t i = 0; i < import.n; i++) {
        json_decref((json_t *)import.files[i].findings);
        if (ok)
            free(ids[i]);
    }
    str_release(&import.remarks);
    source_list_release(&import.list);
    free(import.files);
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
