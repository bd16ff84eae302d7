/* cli_watch.c - antler watch: histories of other tools on the screen while they grow, one frame of it, or as lines */
#include "base/arena.h"
#include "base/io.h"
#include "persistence/runs/history_log.h"
#include "persistence/sources/watch.h"
#include "tui/app/screen.h"
#include "tui/cli/cli_commands.h"
#include "tui/client/cli_text.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct timespec between_polls = {0, 300000000};
static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* Reads all there is now. */
static bool read_all(struct watch *watch, struct err *err)
{
    int more;
    while ((more = watch_poll(watch, 1, err)) == 1 && !interrupted) {
    }
    return more != -1 && index_refresh(watch_index(watch), NULL, err);
}

struct lines { /* how far the log of each run was printed */
    struct history_reader **readers;
    size_t n;
};

static const char *name_of(struct watch *watch, const char *id, struct arena *arena)
{
    const struct run_summary *run = index_find(watch_index(watch), id, arena, NULL);
    return run ? run->name : id;
}

static void print_record(const char *name, const struct record *record)
{
    struct str line = {0};
    str_add_visible(&line, name);
    str_addf(&line, record->epoch == record->step ? "  step %lld" : "  epoch %lld", (long long)record->epoch);
    for (size_t i = 0; i < record->n; i++) {
        str_add(&line, "  ");
        str_add_visible(&line, record->names[i]);
        str_addf(&line, " %s", text_number(record->values[i]).text);
    }
    puts(str_text(&line));
    str_release(&line);
}

/* A history that began anew is another one. */
static struct history_reader *reader_of(struct history_reader *reader, const char *folder)
{
    int64_t frame;
    uint64_t header, now;
    if (reader && history_last_frame(reader, &frame, &header) &&
        (!history_frame_header(folder, frame, &now) || now != header)) {
        history_close_reader(reader);
        reader = NULL;
    }
    return reader ? reader : history_open_reader(folder, 0, NULL);
}

/* print: else only passed over, as what the list has said already. */
static void take_lines(struct watch *watch, struct lines *lines, bool print)
{
    struct arena arena = {0};
    lines->readers = xrealloc(lines->readers, (watch_count(watch) + 1) * sizeof(struct history_reader *));
    while (lines->n < watch_count(watch))
        lines->readers[lines->n++] = NULL;
    for (size_t k = 0; k < lines->n; k++) {
        const char *path;
        bool alive;
        const char *id = watch_run(watch, k, &path, &alive);
        struct record record;
        if (id) {
            char *folder = path_join(watch_home(watch), id);
            lines->readers[k] = reader_of(lines->readers[k], folder);
            free(folder);
        }
        while (lines->readers[k] && history_next(lines->readers[k], &record, NULL) == 1)
            if (print && record.kind == RECORD_METRICS)
                print_record(name_of(watch, id, &arena), &record);
    }
    fflush(stdout);
    arena_release(&arena);
}

static bool anything_alive(const struct watch *watch)
{
    for (size_t k = 0; k < watch_count(watch); k++) {
        const char *path;
        bool alive;
        watch_run(watch, k, &path, &alive);
        if (alive)
            return true;
    }
    return false;
}

/* The list, then a line for every record that comes, until nothing grows any more or Ctrl-C. */
static bool print_lines(struct cli *cli, struct watch *watch, bool follow, struct err *err)
{
    struct lines lines = {0};
    free((char *)cli->home);
    cli->home = xstrdup(watch_home(watch));
    cli->n_arguments = 0;
    sigaction(SIGINT, &(struct sigaction){.sa_handler = on_interrupt}, NULL);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_interrupt}, NULL);
    bool ok = read_all(watch, err) && cli_list_of(cli, watch_index(watch), err);
    if (ok && follow)
        take_lines(watch, &lines, false);
    while (ok && follow && !interrupted && anything_alive(watch) && !ferror(stdout)) {
        nanosleep(&between_polls, NULL);
        ok = read_all(watch, err);
        take_lines(watch, &lines, true);
    }
    for (size_t k = 0; k < lines.n; k++)
        history_close_reader(lines.readers[k]);
    free(lines.readers);
    return ok;
}

bool cli_watch(struct cli *cli, struct err *err)
{
    struct screen_options options;
    if (!screen_options_read(cli, &options, err))
        return false;
    bool plain = cli_option(cli, "--plain") != NULL, once = cli_option(cli, "--once") != NULL;
    bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    struct watch *watch = watch_open(cli->arguments, cli->n_arguments, cli->home, err);
    if (!watch)
        return false;
    bool ok = true;
    int ended_by = 0;
    if (!once && (plain || !terminal)) {
        ok = print_lines(cli, watch, plain, err);
    } else {
        options.once = once ? "" : NULL;
        options.watch = watch;
        ok = screen_run(&options, &ended_by, err);
    }
    watch_close(watch);
    cli->exit_status = ended_by ? 128 + ended_by : interrupted ? 130 : 0;
    return ok;
}
