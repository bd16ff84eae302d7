/* cli_commands.h - the commands: one function each, in cli_<command>.c. The table that names and explains them is
 * cli_table.c; to add a command, declare it here, add its row there and its file to CMakeLists.txt.
 */
#ifndef TUI_CLI_CLI_COMMANDS_H
#define TUI_CLI_CLI_COMMANDS_H

#include "persistence/index/index.h"
#include "tui/cli/cli.h"

bool cli_train(struct cli *cli, struct err *err);
bool cli_resume(struct cli *cli, struct err *err);
bool cli_queue(struct cli *cli, struct err *err);
bool cli_control(struct cli *cli, struct err *err); /* stop, pause, continue, checkpoint */
bool cli_evaluate(struct cli *cli, struct err *err);
bool cli_predict(struct cli *cli, struct err *err);
bool cli_inspect(struct cli *cli, struct err *err);
bool cli_check(struct cli *cli, struct err *err);
bool cli_doctor(struct cli *cli, struct err *err);
bool cli_list(struct cli *cli, struct err *err);
/* The list of an index that is open and refreshed. */
bool cli_list_of(struct cli *cli, struct index *index, struct err *err);
bool cli_show(struct cli *cli, struct err *err);
bool cli_history(struct cli *cli, struct err *err);
bool cli_plot(struct cli *cli, struct err *err);
bool cli_checkpoints(struct cli *cli, struct err *err);
bool cli_pictures(struct cli *cli, struct err *err);
bool cli_compare(struct cli *cli, struct err *err);
bool cli_import(struct cli *cli, struct err *err);
bool cli_watch(struct cli *cli, struct err *err);
bool cli_tag(struct cli *cli, struct err *err);
bool cli_note(struct cli *cli, struct err *err);
bool cli_delete(struct cli *cli, struct err *err);
bool cli_restore(struct cli *cli, struct err *err);
bool cli_settings(struct cli *cli, struct err *err);
/* The settings that hold; what was left out is said on standard error. New reference. */
json_t *cli_settings_said(const char *home);
bool cli_reindex(struct cli *cli, struct err *err);
bool cli_help(struct cli *cli, struct err *err);

#endif
