/* cli_evaluate.c - antler evaluate CHECKPOINT: metrics on a part of the data, in Keras' names. */
#include "base/arena.h"
#include "persistence/run_config.h"
#include "tui/cli_commands.h"
#include "tui/cli_request.h"
#include "tui/evaluation.h"

#include <stdio.h>
#include <stdlib.h>

/* Every --data KEY=VALUE as an object of overrides; NULL when there are none. New reference. */
static bool read_overrides(const struct cli *cli, json_t **data, struct err *err)
{
    const char *given;
    *data = NULL;
    for (size_t k = 0; (given = cli_option_at(cli, "--data", k)); k++) {
        *data = *data ? *data : json_object();
        if (!config_set(*data, given, err))
            return err_prefix(err, "--data %s", given);
    }
    return true;
}

bool cli_add_data(const struct cli *cli, json_t *request, struct err *err)
{
    const char *path = cli_option(cli, "--config");
    double batch = 0;
    json_t *data;
    if (!cli_number(cli, "--batch-size", 1, 1e9, &batch, err))
        return false;
    if (batch >= 1)
        json_object_set_new(request, "batch_size", json_integer((json_int_t)batch));
    char *folder = NULL;
    json_t *config = path ? cli_read_config(cli, path, &folder, err) : NULL;
    bool ok = (!path || config) && read_overrides(cli, &data, err);
    if (ok && data)
        json_object_set_new(request, "data", data);
    if (ok && config)
        json_object_set(request, "config", config);
    if (ok && (data || config)) {
        char *here = folder && !data ? xstrdup(folder) : cli_absolute(".");
        json_object_set_new(request, "folder", json_string(here));
        free(here);
    }
    json_decref(config);
    free(folder);
    return ok;
}

bool cli_add_checkpoint(const struct cli *cli, json_t *request, struct err *err)
{
    char *path, *run_folder;
    if (!cli_find_checkpoint(cli, cli->arguments[0], &path, &run_folder, err))
        return false;
    json_object_set_new(request, "checkpoint", json_string(path));
    if (run_folder)
        json_object_set_new(request, "run", json_string(run_folder));
    free(path);
    free(run_folder);
    return true;
}

static void print_result(const json_t *result)
{
    printf("%s\n%s\n", js_string(result, "checkpoint", ""), evaluation_samples(result).text);
    struct text_table table = {0};
    text_table_column(&table, "metric", false);
    text_table_column(&table, "value", true);
    struct text value;
    const char *name;
    for (size_t i = 0; (name = evaluation_metric(result, i, &value)); i++) {
        text_table_row(&table);
        text_table_cell(&table, TEXT_PLAIN, name);
        text_table_cell(&table, TEXT_PLAIN, value.text);
    }
    text_table_print(&table);
    text_table_release(&table);
}

bool cli_evaluate(struct cli *cli, struct err *err)
{
    json_t *request = cli_request(cli, err), *result = NULL;
    if (request && cli_add_checkpoint(cli, request, err) && cli_add_data(cli, request, err)) {
        const char *split = cli_option(cli, "--split");
        if (split)
            json_object_set_new(request, "split", json_string(split));
        result = cli_ask("evaluate", request, err);
    }
    json_decref(request);
    return cli_print_result(cli, result, print_result);
}
