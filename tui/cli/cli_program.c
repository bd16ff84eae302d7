/* cli_program.c - antler without a command: the screen on a terminal, one frame of it (--once), or the same as lines.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
#include "persistence/runs/run_live.h"
#include "tui/app/screen.h"
#include "tui/cli/cli_commands.h"
#include "tui/cli/follow.h"
#include "tui/client/cli_request.h"
#include "tui/client/cli_text.h"
#include "tui/client/queue_plan.h"

static bool wants_lines(const struct cli *cli)
{
    const char *plain = getenv("ANTLER_PLAIN");
    return cli_option(cli, "--plain") || (plain && *plain && *plain != '0');
}

/* antler --plain RUN: what is known of it, and, as long as it lives, a line for every epoch that is done. */
static bool print_run_lines(struct cli *cli, struct err *err)
{
    if (!cli_show(cli, err))
        return false;
    fflush(stdout);
    char *folder = cli_find_run(cli, cli->arguments[0], err);
    if (folder && run_lock_is_held(folder)) {
        fputs("\nepochs\n", stdout);
        follow_lines(folder, stdout);
    }
    free(folder);
    return folder != NULL;
}

/* Where a living run is inside its epoch. */
static void print_progress(const struct cli *cli, const struct run_summary *run)
{
    char *folder = path_join(cli->home, run->folder);
    struct run_live live;
    if (run_live_read(folder, &live)) {
        text_print(TEXT_PLAIN, run->name);
        printf(": %s, epoch %lld of %lld, step %lld of %d", run_state_name(run->state), (long long)live.epoch,
               (long long)live.epochs, (long long)live.step_in_epoch, live.steps_per_epoch);
        if (isfinite(live.loss))
            printf(", loss %s", text_number(live.loss).text);
        double steps = (double)(live.epochs - live.epoch + 1) * live.steps_per_epoch - (double)live.step_in_epoch;
        if (run->state == RUN_RUNNING && live.steps_per_second > 0)
            printf(", %.0f steps a second, about %s left", live.steps_per_second,
                   text_duration(steps / live.steps_per_second).text);
        putchar('\n');
    }
    free(folder);
}

/* What waits for a place, in order. */
static void print_queue(const struct cli *cli, const struct run_summary *runs, size_t n)
{
    struct queue_plan plan;
    queue_plan_make(&plan, cli->home, runs, n);
    for (size_t i = 0; i < plan.n; i++) {
        const struct queue_item *item = &plan.items[i];
        if (!item->waits)
            continue;
        text_print(TEXT_PLAIN, item->run->name);
        printf(": waits for a place on %s, number %d", item->device, item->place);
        if (plan.held)
            fputs(", the queue is held", stdout);
        else if (isfinite(item->starts_s))
            printf(", starts in about %s", text_duration(item->starts_s).text);
        putchar('\n');
    }
    queue_plan_release(&plan);
}

/* antler --plain: the list, and a line for each run that is under way or waits. */
static bool print_lines(struct cli *cli, struct err *err)
{
    struct arena arena = {0};
    const struct run_summary *runs;
    size_t n;
    bool ok = cli_list(cli, err);
    struct index *index = ok ? text_open_index(cli->home, err) : NULL;
    ok = index && index_list(index, "state:running OR state:paused", NULL, &arena, &runs, &n, err);
    for (size_t i = 0; ok && i < n; i++) {
        if (!i)
            putchar('\n');
        print_progress(cli, &runs[i]);
    }
    ok = ok && index_list(index, "", NULL, &arena, &runs, &n, err);
    if (ok)
        print_queue(cli, runs, n);
    index_close(index);
    arena_release(&arena);
    return ok;
}

/* A side of the frame of --once where there is no terminal. */
static int side_of_environment(const char *name)
{
    const char *text = getenv(name);
    int64_t side;
    return text && str_to_int64(text, &side) && side >= 5 && side <= 1000 ? (int)side : 0;
}

bool screen_options_read(const struct cli *cli, struct screen_options *options, struct err *err)
{
    *options = (struct screen_options){.home = cli->home, .ascii = cli_option(cli, "--ascii") != NULL};
    const char *color = cli_option(cli, "--color");
    if (color && !color_choice_parse(color, &options->color))
        return err_set(err, ERR_USAGE, "--color '%s': expected auto, always, never, 16 or 256", color);
    options->width = isatty(STDOUT_FILENO) ? 0 : side_of_environment("COLUMNS");
    options->height = isatty(STDOUT_FILENO) ? 0 : side_of_environment("LINES");
    return true;
}

bool cli_run_program(struct cli *cli, struct err *err)
{
    struct screen_options options;
    if (!screen_options_read(cli, &options, err))
        return false;
    if (cli_option(cli, "--once"))
        options.once = cli->n_arguments ? cli->arguments[0] : "";
    if (!options.once && wants_lines(cli))
        return cli->n_arguments ? print_run_lines(cli, err) : print_lines(cli, err);
    if (!options.once && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
        return cli_list(cli, err);
    int ended_by;
    if (!screen_run(&options, &ended_by, err))
        return false;
    cli->exit_status = ended_by ? 128 + ended_by : 0;
    return true;
}
