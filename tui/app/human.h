/* human.h - numbers, times and states as a person reads them on the screen. Results are by value, for use in arguments.
 */
#ifndef TUI_APP_HUMAN_H
#define TUI_APP_HUMAN_H

#include "persistence/runs/run_folder.h"
#include "tui/client/cli_text.h"
#include "tui/terminal/theme.h"

/* "▶" running, "✓" finished, ... */
const char *human_state_sign(enum run_state state);
enum style human_state_style(enum run_state state);
/* A metric for a column whose points are aligned: 4 significant digits without trailing noise; "—" for NaN that means
 * missing. */
struct text human_metric(double value);
/* A learning rate of three digits, as short as it can be written: "1e-3", "0.05", "3.33e-4"; "—" for NaN. */
struct text human_rate(double value);
/* How long ago, in one unit so that it seldom changes: "9s", "7m", "3h", "2d". */
struct text human_age(double seconds);

#endif
