/* cli_profile.h - the table of antler train --profile: what the worker left in profile.json of the run's folder. */
#ifndef TUI_CLI_CLI_PROFILE_H
#define TUI_CLI_CLI_PROFILE_H

#include "base/json.h"

/* The run's profile. New reference; NULL and err. */
json_t *profile_read(const char *run_folder, struct err *err);
/* Kernels by time, sums by op and by layer, what lies between the kernels, the machine and the memory. On standard
 * output. */
void profile_print(const json_t *profile);

#endif
