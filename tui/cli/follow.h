/* follow.h - watching a run from the command line until it ends: through its folder alone (history.log, live,
 * run.json).
 *
 * On a terminal one line is redrawn at most ten times a second; otherwise one plain line per epoch. Ctrl-C asks the
 * worker to stop after its step, with a checkpoint; a second Ctrl-C ends it at once.
 */
#ifndef TUI_CLI_FOLLOW_H
#define TUI_CLI_FOLLOW_H

#include "base/json.h"
#include "persistence/runs/run_folder.h"

#include <stdio.h>

/* From now on Ctrl-C is counted instead of ending the program: to be called before the worker is launched. */
void follow_catch_interrupts(void);

/* launched: {"run", "dir", "pid", "epoch", "notes"} as the worker answered; epochs up to "epoch" are not printed. out:
 * where progress goes. *result is a new reference: {"run", "dir", "state", "epoch", "epochs", "step", "metrics"}, also
 * when false is returned because the run failed (err then has the code and text of its failure). *interrupted: Ctrl-C
 * was pressed. */
bool follow_run(const json_t *launched, FILE *out, json_t **result, bool *interrupted, struct err *err) MUST_USE;

/* Prints a line for each epoch of a run, those that are done first, until it ends. Only watches: Ctrl-C is the
 * caller's. */
void follow_lines(const char *folder, FILE *out);

/* The result of a run as it stands now, without waiting. New reference; NULL and err. */
json_t *follow_result(const char *folder, struct err *err);

#endif
