/* cli_settings.c - antler settings: prints what is set and from where, or sets it. */
#include "base/arena.h"
#include "base/io.h"
#include "persistence/config/settings.h"
#include "tui/cli/cli_commands.h"
#include "tui/client/cli_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Is it from the file at path that this value holds? */
static bool holds_from(const char *path, const struct setting *s, const json_t *value)
{
    json_t *file = path ? js_read(path, JS_STRICT, NULL) : NULL, *there = json_object_get(file, s->name);
    bool holds = there && settings_check(s->name, there, path, NULL) && js_equal(there, value);
    json_decref(file);
    return holds;
}

static void print_table(const struct cli *cli, const json_t *settings)
{
    char *own = settings_own_path(), *shared = settings_home_path(cli->home);
    struct text_table table = {0};
    text_table_column(&table, "setting", false);
    text_table_column(&table, "value", false);
    text_table_column(&table, "from", false);
    text_table_column(&table, "meaning", false);
    for (const struct setting *s = settings_table; s->name; s++) {
        const json_t *value = json_object_get(settings, s->name);
        char *text = json_is_null(value) ? xstrdup(text_missing()) : js_text(value, 0);
        bool here = !s->personal && holds_from(shared, s, value), mine = holds_from(own, s, value);
        text_table_row(&table);
        text_table_cell(&table, TEXT_BOLD, s->name);
        text_table_cell(&table, here || mine ? TEXT_GOOD : TEXT_PLAIN, text);
        text_table_cell(&table, TEXT_DIM, here ? "home" : mine ? "own" : "default");
        text_table_cell(&table, TEXT_DIM, s->help);
        free(text);
    }
    text_table_print(&table);
    text_table_release(&table);
    free(own);
    free(shared);
}

/* "NAME=VALUE", "NAME=" (back to the default). VALUE is JSON, or text when it does not parse. `put`: it is set, else
 * only looked at. */
static bool set(const struct cli *cli, const char *argument, bool put, struct err *err)
{
    const char *equals = strchr(argument, '=');
    if (!equals)
        return err_set(err, ERR_USAGE, "'%s': expected NAME=VALUE", argument);
    char *name = xstrndup(argument, (size_t)(equals - argument));
    json_t *value = equals[1] ? js_parse(equals + 1, strlen(equals + 1), "", JS_STRICT, NULL) : NULL;
    if (equals[1] && !value)
        value = json_string(equals + 1);
    bool ok = put ? settings_put(cli->home, cli_option(cli, "--own") != NULL, name, value, err)
                  : !value || settings_check(name, value, "settings", err);
    json_decref(value);
    free(name);
    return ok;
}

json_t *cli_settings_said(const char *home)
{
    json_t *problems = json_array(), *settings = settings_read(home, problems), *problem;
    size_t i;
    json_array_foreach(problems, i, problem)
        fprintf(stderr, "antler: left out: %s\n", json_string_value(problem));
    json_decref(problems);
    return settings;
}

bool cli_settings(struct cli *cli, struct err *err)
{
    for (int put = 0; put < 2; put++) /* all of them, or none */
        for (size_t i = 0; i < cli->n_arguments; i++)
            if (!set(cli, cli->arguments[i], put, err))
                return false;
    json_t *settings = cli_settings_said(cli->home);
    if (cli->json)
        cli_print_json(json_incref(settings));
    else if (!cli->n_arguments)
        print_table(cli, settings);
    json_decref(settings);
    return true;
}
