/* cli.h - the command line: one row per command in one table (cli_table.c), from which --help, the man page and the
 * shell completion are printed. A command is one file cli_<command>.c with one function that returns true or fills err;
 * main turns err into text on stderr and the exit status.
 */
#ifndef TUI_CLI_CLI_H
#define TUI_CLI_CLI_H

#include "base/json.h"

struct cli_option {
    const char *name;  /* "--set"; the table of a command ends with a row without a name */
    const char *value; /* "KEY=VALUE", NULL for a flag */
    bool many;         /* may be given several times */
    const char *help;
};

enum { CLI_MAX_OPTIONS = 64, CLI_MAX_ARGUMENTS = 4096 };

struct cli { /* a parsed command line */
    const struct cli_command *command;
    const char *home; /* --home, $ANTLER_HOME or ./runs: never NULL */
    bool json;        /* --json was given */
    const char **arguments;
    size_t n_arguments;
    struct {
        const char *name, *value;
    } options[CLI_MAX_OPTIONS];
    size_t n_options;
    bool help, version; /* --help, --version: main prints and nothing runs */
    int exit_status;    /* a command may set this when it succeeds with another status (130) */
};
/* The last value of an option, NULL when it was not given; "" for a flag. */
const char *cli_option(const struct cli *cli, const char *name);
/* The k-th value of an option that may come many times; NULL behind the last. */
const char *cli_option_at(const struct cli *cli, const char *name, size_t k);
/* A number given with an option; false and ERR_USAGE when it is no number or outside [min, max]. *value is kept when
 * not given. */
bool cli_number(const struct cli *cli, const char *name, double min, double max, double *value,
                struct err *err) MUST_USE;
/* Prints one JSON document and a newline on stdout; takes the reference. */
void cli_print_json(json_t *json);

struct cli_command {
    const char *name;                 /* "train" */
    const char *arguments;            /* "CONFIG" , "RUN [RUN...]" */
    int min_arguments, max_arguments; /* -1 = any number */
    const char *summary;              /* one line */
    const char *text;                 /* more for --help and the man page; NULL */
    const struct cli_option *options; /* NULL = none; --home and --help are understood everywhere */
    bool dashes;                      /* arguments may start with one dash (filters, tags to take off) */
    bool (*run)(struct cli *cli, struct err *err);
    void (*more)(struct str *out); /* text behind the options of --help; NULL = none */
};
extern const struct cli_command *const cli_commands[]; /* ends with NULL */
extern const struct cli_option cli_program_options[];  /* without a command: of the screen */
/* What runs without a command: the screen on a terminal, else the list. */
bool cli_run_program(struct cli *cli, struct err *err);

/* argv without the program's name. Also understands "COMMAND --help", --version, --home DIR anywhere. */
bool cli_parse(int argc, char **argv, struct cli *cli, struct err *err) MUST_USE;
void cli_release(struct cli *cli);
void cli_print_help(const struct cli_command *command); /* NULL = of the program */
/* Generated from the table: "man" (mdoc), "bash", "zsh", "fish". False when there is no such document. */
bool cli_write_document(const char *kind, struct str *out);

#endif
