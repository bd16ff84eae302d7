/* cli_request.h - what the commands that ask the worker share: finding runs and checkpoints, reading configs, and
 * putting requests together. */
#ifndef TUI_CLIENT_CLI_REQUEST_H
#define TUI_CLIENT_CLI_REQUEST_H

#include "tui/cli/cli.h"

/* An absolute form of a path that need not exist. free() it. */
char *cli_absolute(const char *path);
/* The absolute folder of a run named by id, prefix or name. free() it; NULL and err. */
char *cli_find_run(const struct cli *cli, const char *run, struct err *err);
/* CHECKPOINT -> absolute path of the file, and folder of its run (NULL for a foreign file). free() both. */
bool cli_find_checkpoint(const struct cli *cli, const char *text, char **path, char **folder, struct err *err);
/* Applies every --set to a config. */
bool cli_apply_sets(const struct cli *cli, json_t *config, struct err *err);
/* Reads CONFIG, applies --set, checks it. *folder: what its paths are relative to; free() it. New reference. */
json_t *cli_read_config(const struct cli *cli, const char *path, char **folder, struct err *err);
/* {"home", "device", "threads", "name", "tags", "profile", "trace"} as given. New reference; NULL and err. */
json_t *cli_request(const struct cli *cli, struct err *err);
/* Asks the worker, with progress on a terminal's standard error. New reference. */
json_t *cli_ask(const char *job, const json_t *request, struct err *err);
/* --config, --data and --batch-size of evaluate and predict, and their CHECKPOINT argument, into a request. */
bool cli_add_data(const struct cli *cli, json_t *request, struct err *err);
bool cli_add_checkpoint(const struct cli *cli, json_t *request, struct err *err);
/* Whether a request is about a run's checkpoint with its own data and settings: what is kept of it may stand for it,
 * and what comes may be kept. */
bool cli_is_own(const json_t *request);
/* Says on standard error that an answer was kept, and adds "kept": {"made"} to it. */
void cli_say_kept(json_t *result, double made);
/* Prints an answer as --json asks or for people, and takes the reference. False when there is none. */
bool cli_print_result(const struct cli *cli, json_t *result, void (*print)(const json_t *result));
/* `predict --prompt`: prints what the model writes while it comes, or the answer as JSON. */
bool cli_generate(struct cli *cli, json_t *request, struct err *err);
/* The warnings and notes of an answer, on standard error. */
void cli_print_notes(const json_t *notes);

#endif
