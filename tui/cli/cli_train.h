/* cli_train.h - starting a detached worker from the command line, for train and resume. */
#ifndef TUI_CLI_CLI_TRAIN_H
#define TUI_CLI_CLI_TRAIN_H

#include "tui/cli/cli.h"

/* Launches the job (or, with --queue, lets it wait), prints what is kept and what starts anew, then the run's id
 * (--detach) or its progress and result. Sets exit_status 130 after Ctrl-C. */
bool cli_launch(struct cli *cli, const char *job, json_t *request, struct err *err);

#endif
