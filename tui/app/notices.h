/* notices.h - what a person wants to be told who is not looking at the screen, and what the title of the window says.
 * Pure.
 */
#ifndef TUI_APP_NOTICES_H
#define TUI_APP_NOTICES_H

#include "persistence/index/index.h"

/* What happened between two readings of the home, both sorted by id: a run ended, its loss became NaN, and, with best,
 * its monitored metric has a new best value. Appends one sentence; returns how many things it tells of, 0: nothing was
 * appended. */
int notices_compare(const struct run_summary *const *before, size_t n_before, const struct run_summary *const *after,
                    size_t n_after, bool best, struct str *out);

/* "42% digits-cnn - antler": how far the watched run is; several: of the others how many. run NULL: none
 * trains. share: NAN, unknown. */
void notices_title(const struct run_summary *run, double share, int n_others, struct str *out);

#endif
