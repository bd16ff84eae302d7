/* screen.h - the screen on a terminal: what `antler` does when it is given no command. */
#ifndef TUI_APP_SCREEN_H
#define TUI_APP_SCREEN_H

#include "persistence/sources/watch.h"
#include "tui/cli/cli.h"
#include "tui/terminal/term.h"

struct screen_options {
    const char *home;
    enum color_choice color;
    bool ascii;
    const char *once;    /* one frame of this run's view ("" = of the list), printed as text; NULL: stay */
    int width, height;   /* of that frame; 0: 80 x 24 or the terminal's */
    struct watch *watch; /* histories of other tools, shown beside the runs of the home; NULL */
};
/* home, color, ascii and the sides of a frame from the options of the command line. */
bool screen_options_read(const struct cli *cli, struct screen_options *options, struct err *err) MUST_USE;

/* Returns when the person leaves or the terminal is gone; runs go on. *exit_signal: 0, or the signal that ended it. */
bool screen_run(const struct screen_options *options, int *exit_signal, struct err *err) MUST_USE;

#endif
