/* cli_help.c - everything that is printed from the table of commands: --help, the man page, completion for bash, zsh
 * and fish. */
#include "tui/cli/cli_commands.h"

#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_WIDTH = 78 };

static const char intro[] = "An experiment manager for deep learning that lives in a terminal: trains from config "
                            "files, draws the curves, evaluates, predicts with, resumes and branches from any "
                            "checkpoint.";
static const char terms[] =
    "RUN is an id, a unique prefix of it, or a name. CHECKPOINT is a path, RUN:EPOCH, RUN:best or RUN:last.";

/* Words of `text`, wrapped, each line behind `indent` spaces. */
static void wrap(const char *text, int indent)
{
    int column = 0;
    while (*text) {
        size_t n = strcspn(text, " ");
        if (column && column + 1 + (int)n > TEXT_WIDTH) {
            putchar('\n');
            column = 0;
        }
        column += column ? printf(" %.*s", (int)n, text) : printf("%*s%.*s", indent, "", (int)n, text);
        text += n;
        text += strspn(text, " ");
    }
    putchar('\n');
}

static void print_options(const struct cli_option *options)
{
    for (; options && options->name; options++) {
        char left[64];
        snprintf(left, sizeof left, "%s%s%s%s", options->name, options->value ? " " : "",
                 options->value ? options->value : "", options->many ? "..." : "");
        printf("  %-22s %s\n", left, options->help);
    }
}

void cli_print_help(const struct cli_command *command)
{
    static const struct cli_option common[] = {
        {"--home", "DIR", false, "the folder of runs; else $ANTLER_HOME, else ./runs"},
        {"--help", NULL, false, "this text"},
        {0}};
    if (command) {
        printf("antler %s %s\n", command->name, command->arguments);
        wrap(command->summary, 4);
        if (command->text) {
            putchar('\n');
            wrap(command->text, 0);
        }
        puts("\nOptions");
        print_options(command->options);
        print_options(common);
        if (command->more) {
            struct str more = {0};
            command->more(&more);
            printf("\n%s", str_text(&more));
            str_release(&more);
        }
        return;
    }
    puts("antler [COMMAND] [ARGUMENT]...");
    wrap(intro, 4);
    puts("\nCommands");
    for (size_t c = 0; cli_commands[c]; c++)
        printf("  %-12s %s\n", cli_commands[c]->name, cli_commands[c]->summary);
    puts("\nOptions");
    print_options(cli_program_options);
    print_options(common);
    puts("  --version              print the version\n");
    wrap(terms, 0);
    puts("antler COMMAND --help explains a command.");
}

/* Text for mdoc: a line must not start with a dot or quote, a backslash is \e, a minus of an option is \-. */
static void add_mdoc(struct str *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        str_add(out, "\\&");
    for (; *text; text++)
        if (*text == '\\')
            str_add(out, "\\e");
        else if (*text == '-')
            str_add(out, "\\-");
        else
            str_add_char(out, *text);
}

static void add_mdoc_options(struct str *out, const struct cli_option *options)
{
    if (!options || !options->name)
        return;
    str_add(out, ".Bl -tag -width Ds\n");
    for (; options->name; options++) {
        str_add(out, ".It ");
        add_mdoc(out, options->name);
        if (options->value)
            str_addf(out, " Ar %s", options->value);
        str_add(out, "\n");
        add_mdoc(out, options->help);
        str_add(out, ".\n");
    }
    str_add(out, ".El\n");
}

static void write_man(struct str *out)
{
    str_add(out, ".Dd $Mdocdate$\n.Dt ANTLER 1\n.Os\n.Sh NAME\n.Nm antler\n.Nd experiment manager for deep learning in "
                 "a terminal\n"
                 ".Sh SYNOPSIS\n.Nm\n.Op Fl \\-home Ar dir\n.Op Ar command Op Ar argument ...\n.Sh DESCRIPTION\n");
    add_mdoc(out, intro);
    str_add(out, "\nWithout a command it opens the screen on a terminal and prints the list of runs elsewhere.\n.Pp\n");
    add_mdoc(out, terms);
    str_add(out, "\n.Sh COMMANDS\n.Bl -tag -width Ds\n");
    for (size_t c = 0; cli_commands[c]; c++) {
        const struct cli_command *command = cli_commands[c];
        str_addf(out, ".It Nm Cm %s", command->name);
        if (*command->arguments) {
            str_add(out, " ");
            add_mdoc(out, command->arguments);
        }
        str_add(out, "\n");
        add_mdoc(out, command->summary);
        str_add(out, ".\n");
        if (command->text) {
            str_add(out, ".Pp\n");
            add_mdoc(out, command->text);
            str_add(out, "\n");
        }
        add_mdoc_options(out, command->options);
    }
    str_add(out, ".El\n.Sh OPTIONS\n");
    add_mdoc_options(out, cli_program_options);
    str_add(
        out,
        ".Bl -tag -width Ds\n.It \\-\\-home Ar DIR\nThe folder of runs.\n.It \\-\\-version\nPrint the version.\n.El\n"
        ".Sh ENVIRONMENT\n.Bl -tag -width Ds\n.It Ev ANTLER_HOME\nThe folder of runs when\n.Fl \\-home\nis not given.\n"
        ".It Ev ANTLER_THREADS\nThreads of a training when\n.Fl \\-threads\nis not given.\n"
        ".It Ev NO_COLOR\nNo colours.\n.El\n.Sh EXIT STATUS\n.Bl -tag -width Ds\n");
#define X(code, status, text) str_addf(out, ".It %d\n%s.\n", status, text);
    ERR_CODES(X)
#undef X
    str_add(out, ".El\n");
}

static void write_bash(struct str *out)
{
    str_add(out, "# bash completion for antler\n_antler() {\n"
                 "    local cur=${COMP_WORDS[COMP_CWORD]} command= skip= words= options= w\n"
                 "    for w in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
                 "        if [ \"$skip\" ]; then skip=; continue; fi\n"
                 "        case $w in --home) skip=1;; -*) ;; *) command=$w; break;; esac\n"
                 "    done\n    case $command in\n    '') words='");
    for (size_t c = 0; cli_commands[c]; c++)
        str_addf(out, "%s ", cli_commands[c]->name);
    str_add(out, "' options='");
    for (const struct cli_option *o = cli_program_options; o->name; o++)
        str_addf(out, "%s ", o->name);
    str_add(out, "--home --help --version';;\n");
    for (size_t c = 0; cli_commands[c]; c++) {
        const struct cli_command *command = cli_commands[c];
        bool runs = strstr(command->arguments, "RUN") || strstr(command->arguments, "CHECKPOINT");
        str_addf(out, "    %s)%s options='", command->name, runs ? " words=$(_antler_runs)" : "");
        for (const struct cli_option *o = command->options; o && o->name; o++)
            str_addf(out, "%s ", o->name);
        str_add(out, "--home --help';;\n");
    }
    str_add(out, "    esac\n    case $cur in -*) words=$options;; esac\n"
                 "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                 "    [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- \"$cur\"))\n}\n"
                 "_antler_runs() { local d=${ANTLER_HOME:-runs} r; for r in \"$d\"/*/run.json; do [ -e \"$r\" ] && "
                 "r=${r%/run.json} && printf '%s ' \"${r##*/}\"; done; }\n"
                 "complete -o filenames -F _antler antler\n");
}

static void write_zsh(struct str *out)
{
    str_add(out, "#compdef antler\n_antler() {\n  local -a commands\n  commands=(\n");
    for (size_t c = 0; cli_commands[c]; c++) {
        str_addf(out, "    '%s:", cli_commands[c]->name);
        for (const char *p = cli_commands[c]->summary; *p; p++)
            str_add(out, *p == '\'' ? "'\\''" : (char[]){*p, 0});
        str_add(out, "'\n");
    }
    str_add(out, "  )\n  local -a runs; runs=(${ANTLER_HOME:-runs}/*/run.json(N:h:t))\n  if (( CURRENT == 2 )); then "
                 "_describe command commands; return; fi\n"
                 "  case $words[2] in\n");
    for (size_t c = 0; cli_commands[c]; c++) {
        str_addf(out, "  %s) compadd -- ", cli_commands[c]->name);
        for (const struct cli_option *o = cli_commands[c]->options; o && o->name; o++)
            str_addf(out, "%s ", o->name);
        str_addf(out, "--home --help%s; _files;;\n", strstr(cli_commands[c]->arguments, "RUN") ? " $runs" : "");
    }
    str_add(out, "  esac\n}\n_antler \"$@\"\n");
}

static void write_fish(struct str *out)
{
    str_add(out, "# fish completion for antler\n");
    for (size_t c = 0; cli_commands[c]; c++) {
        const struct cli_command *command = cli_commands[c];
        str_addf(out, "complete -c antler -n __fish_use_subcommand -a %s -d \"%s\"\n", command->name, command->summary);
        for (const struct cli_option *o = command->options; o && o->name; o++)
            str_addf(out, "complete -c antler -n '__fish_seen_subcommand_from %s' -l %s%s -d \"%s\"\n", command->name,
                     o->name + 2, o->value ? " -r" : "", o->help);
    }
}

bool cli_write_document(const char *kind, struct str *out)
{
    static const struct {
        const char *kind;
        void (*write)(struct str *out);
    } documents[] = {{"man", write_man}, {"bash", write_bash}, {"zsh", write_zsh}, {"fish", write_fish}};
    for (size_t d = 0; d < sizeof documents / sizeof documents[0]; d++)
        if (!strcmp(kind, documents[d].kind)) {
            documents[d].write(out);
            return true;
        }
    return false;
}

bool cli_help(struct cli *cli, struct err *err)
{
    struct str text = {0};
    const char *topic = cli->n_arguments ? cli->arguments[0] : NULL;
    if (!topic || cli_write_document(topic, &text)) {
        if (topic)
            fputs(str_text(&text), stdout);
        else
            cli_print_help(NULL);
        str_release(&text);
        return true;
    }
    for (size_t c = 0; cli_commands[c]; c++)
        if (!strcmp(topic, cli_commands[c]->name)) {
            cli_print_help(cli_commands[c]);
            return true;
        }
    return err_set(err, ERR_USAGE, "there is no help on '%s' (antler --help lists the commands)", topic);
}
