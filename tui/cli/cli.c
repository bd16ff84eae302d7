/* cli.c - see cli.h: from argv to struct cli */
#include "tui/cli/cli.h"

#include "base/arena.h"
#include "persistence/runs/run_folder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct cli_option common_options[] = {
    {"--home", "DIR", false, "the folder of runs; else $ANTLER_HOME, else ./runs"},
    {"--help", NULL, false, "explain the command and its options"},
    {"--version", NULL, false, "print the version"},
    {0},
};

const char *cli_option(const struct cli *cli, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < cli->n_options; i++)
        if (!strcmp(cli->options[i].name, name))
            value = cli->options[i].value;
    return value;
}

const char *cli_option_at(const struct cli *cli, const char *name, size_t k)
{
    for (size_t i = 0; i < cli->n_options; i++)
        if (!strcmp(cli->options[i].name, name) && !k--)
            return cli->options[i].value;
    return NULL;
}

bool cli_number(const struct cli *cli, const char *name, double min, double max, double *value, struct err *err)
{
    const char *text = cli_option(cli, name);
    double number;
    if (!text)
        return true;
    if (!str_to_double(text, &number) || !(number >= min && number <= max))
        return err_set(err, ERR_USAGE, "%s '%s': expected a number from %.15g to %.15g", name, text, min, max);
    *value = number;
    return true;
}

void cli_print_json(json_t *json)
{
    char *text = js_text(json, 2);
    puts(text);
    free(text);
    json_decref(json);
}

static const struct cli_option *find_option(const struct cli_option *options, const char *name, size_t length)
{
    for (; options && options->name; options++)
        if (strlen(options->name) == length && !strncmp(options->name, name, length))
            return options;
    return NULL;
}

static const struct cli_option *options_of(const struct cli *cli)
{
    return cli->command ? cli->command->options : cli_program_options;
}

static bool unknown_option(const struct cli *cli, const char *name, struct err *err)
{
    const char *names[2 * CLI_MAX_OPTIONS];
    size_t n = 0;
    const struct cli_option *tables[] = {options_of(cli), common_options};
    for (size_t t = 0; t < 2; t++)
        for (const struct cli_option *o = tables[t]; o && o->name && n < 2 * CLI_MAX_OPTIONS; o++)
            names[n++] = o->name;
    const char *near = str_nearest(name, names, n);
    const char *command = cli->command ? cli->command->name : "", *space = cli->command ? " " : "";
    if (near)
        return err_set(err, ERR_USAGE, "unknown option '%s', did you mean '%s'?", name, near);
    return err_set(err, ERR_USAGE, "unknown option '%s' (antler %s%s--help lists them)", name, command, space);
}

static bool add_option(struct cli *cli, const struct cli_option *option, const char *value, struct err *err)
{
    if (!strcmp(option->name, "--home")) {
        if (!*value)
            return err_set(err, ERR_USAGE, "--home needs a folder");
        free((char *)cli->home);
        cli->home = home_path(value);
        return true;
    }
    if (!option->many && cli_option(cli, option->name) && option->value)
        return err_set(err, ERR_USAGE, "%s is given twice", option->name);
    if (cli->n_options == CLI_MAX_OPTIONS)
        return err_set(err, ERR_USAGE, "more than %d options", CLI_MAX_OPTIONS);
    cli->help = cli->help || !strcmp(option->name, "--help");
    cli->version = cli->version || !strcmp(option->name, "--version");
    cli->json = cli->json || !strcmp(option->name, "--json");
    cli->options[cli->n_options].name = option->name;
    cli->options[cli->n_options++].value = value;
    return true;
}

/* "--name VALUE", "--name=VALUE" or "--flag"; *next moves behind what was taken. */
static bool take_option(struct cli *cli, int argc, char **argv, int *next, struct err *err)
{
    const char *text = argv[(*next)++], *equals = strchr(text, '=');
    size_t length = equals ? (size_t)(equals - text) : strlen(text);
    const struct cli_option *option = find_option(options_of(cli), text, length);
    if (!option)
        option = find_option(common_options, text, length);
    if (!option) {
        char *name = xstrndup(text, length);
        unknown_option(cli, name, err);
        free(name);
        return false;
    }
    if (!option->value)
        return equals ? err_set(err, ERR_USAGE, "%s takes no value", option->name) : add_option(cli, option, "", err);
    if (equals)
        return add_option(cli, option, equals + 1, err);
    if (*next == argc)
        return err_set(err, ERR_USAGE, "%s needs a value: %s %s", option->name, option->name, option->value);
    return add_option(cli, option, argv[(*next)++], err);
}

static bool is_command(const char *name)
{
    for (size_t i = 0; cli_commands[i]; i++)
        if (!strcmp(name, cli_commands[i]->name))
            return true;
    return false;
}

/* antler --once RUN, antler --plain RUN: an argument without a command. */
static bool names_a_run(const struct cli *cli, const char *text)
{
    if (cli->command || cli->n_arguments)
        return false;
    return cli_option(cli, "--once") || (cli_option(cli, "--plain") && !is_command(text));
}

static bool set_command(struct cli *cli, const char *name, struct err *err)
{
    const char *names[64];
    size_t n = 0;
    for (; cli_commands[n] && n < 64; n++) {
        names[n] = cli_commands[n]->name;
        if (!strcmp(name, names[n])) {
            cli->command = cli_commands[n];
            return true;
        }
    }
    const char *near = str_nearest(name, names, n);
    if (near)
        return err_set(err, ERR_USAGE, "unknown command '%s', did you mean '%s'?", name, near);
    return err_set(err, ERR_USAGE, "unknown command '%s' (antler --help lists them)", name);
}

static bool is_option(const struct cli *cli, const char *text)
{
    if (text[0] != '-' || !text[1])
        return false;
    double number;
    bool plain_dash = text[1] != '-';
    return !(plain_dash && ((cli->command && cli->command->dashes) || str_to_double(text, &number)));
}

static bool check_count(const struct cli *cli, struct err *err)
{
    const struct cli_command *command = cli->command;
    if (!command || cli->help || cli->version)
        return true;
    if ((int)cli->n_arguments < command->min_arguments)
        return err_set(err, ERR_USAGE, "antler %s needs %s", command->name, command->arguments);
    if (command->max_arguments >= 0 && (int)cli->n_arguments > command->max_arguments)
        return err_set(err, ERR_USAGE, "antler %s: '%s' is too much, expected %s", command->name,
                       cli->arguments[command->max_arguments],
                       *command->arguments ? command->arguments : "no arguments");
    return true;
}

/* Names travel to the worker and into run folders as JSON, which is UTF-8. */
static bool check_text(int argc, char **argv, const char *home, struct err *err)
{
    for (int i = 0; i < argc; i++)
        if (!str_is_utf8(argv[i]))
            return err_set(err, ERR_USAGE, "the argument '%s' is not UTF-8; a file is best renamed", argv[i]);
    return str_is_utf8(home) || err_set(err, ERR_USAGE, "the home '%s' is not UTF-8; use another or rename it", home);
}

bool cli_parse(int argc, char **argv, struct cli *cli, struct err *err)
{
    *cli = (struct cli){.home = home_path(NULL), .arguments = xcalloc((size_t)argc + 1, sizeof *cli->arguments)};
    bool only_arguments = false;
    if (!check_text(argc, argv, cli->home, err))
        return false;
    for (int next = 0; next < argc;) {
        const char *text = argv[next];
        if (!only_arguments && !strcmp(text, "--")) {
            only_arguments = true;
            next++;
        } else if (!only_arguments && is_option(cli, text)) {
            if (!strcmp(text, "-h"))
                cli->help = ++next;
            else if (!take_option(cli, argc, argv, &next, err))
                return false;
        } else if (names_a_run(cli, text)) {
            cli->arguments[cli->n_arguments++] = argv[next++];
        } else if (!cli->command) {
            if (!set_command(cli, argv[next++], err))
                return false;
        } else if (cli->n_arguments == CLI_MAX_ARGUMENTS) {
            return err_set(err, ERR_USAGE, "more than %d arguments", CLI_MAX_ARGUMENTS);
        } else {
            cli->arguments[cli->n_arguments++] = argv[next++];
        }
    }
    return check_count(cli, err);
}

void cli_release(struct cli *cli)
{
    free((char *)cli->home);
    free(cli->arguments);
    *cli = (struct cli){0};
}
