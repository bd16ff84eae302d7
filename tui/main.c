/* main.c - the program antler: parses the command line, runs the command, turns an error into one line and an exit
 * status. */
#include "base/arena.h"
#include "tui/cli/cli.h"

#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void print_error(const struct err *err)
{
    struct str text = {0}; /* a list of failures has several lines; nothing else gets through */
    for (const char *line = err->text; *line;) {
        size_t n = strcspn(line, "\n");
        char *one = xstrndup(line, n);
        str_add_visible(&text, one);
        str_add_char(&text, '\n');
        free(one);
        line += n + (line[n] == '\n');
    }
    fprintf(stderr, "antler: %s", str_text(&text));
    str_release(&text);
}

/* A closed standard stream must not become the number of a file that is opened later. */
static void open_standard_streams(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            _exit(1);
}

static bool run(struct cli *cli, struct err *err)
{
    if (cli->version) {
        puts("antler " ANTLER_VERSION);
        return true;
    }
    if (cli->help) {
        cli_print_help(cli->command);
        return true;
    }
    return cli->command ? cli->command->run(cli, err) : cli_run_program(cli, err);
}

int main(int argc, char **argv)
{
    struct cli cli;
    struct err err = {0};
    open_standard_streams();
    setlocale(LC_ALL, "");
    setlocale(LC_NUMERIC, "C"); /* numbers are written for programs too */
    bool ok = cli_parse(argc - (argc > 0), argv + (argc > 0), &cli, &err) && run(&cli, &err);
    if (fflush(stdout) || ferror(stdout)) {
        if (ok)
            ok = err_set(&err, ERR_FAILED, "cannot write to standard output");
    }
    if (!ok)
        print_error(&err);
    int status = ok ? cli.exit_status : err_exit_status(err.code);
    cli_release(&cli);
    return status;
}
