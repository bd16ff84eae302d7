/* histories.h - the histories of runs as the index knows them, kept in memory: another axis, smoothing, metric or focus
 * costs no reading. Read again only when the run's log has grown.
 *
 * What is lent is counted: it stays as it is until the last one who took it drops it, also when the run grows
 * meanwhile.
 *
 *     const struct history *h = histories_take(&histories, index, run, &err);   NULL: err
 *     use(h->series, h->n);
 *     history_drop(h);
 */
#ifndef TUI_CLIENT_HISTORIES_H
#define TUI_CLIENT_HISTORIES_H

#include "persistence/index/index.h"
#include "tui/client/curves.h"

#define HISTORY_RATE "learning_rate"
#define HISTORY_PACE "seconds/epoch"
#define HISTORY_STEP_TIME "ms/step"

struct history {
    /* All metrics, with the parent's part; then, where they are known, HISTORY_RATE (unless it was recorded),
     * HISTORY_PACE, HISTORY_STEP_TIME, and those of system_log.h. */
    const struct metric_series *series;
    size_t n;
    struct curve_origin origin;
};

struct kept_history;
struct histories {
    struct kept_history **list; /* the one used last at the end */
    size_t n, capacity;
};

const struct history *histories_take(struct histories *histories, struct index *index, const struct run_summary *run,
                                     struct err *err);
/* Once more the same: to be dropped once more. Returns it. */
const struct history *history_hold(const struct history *history);
void history_drop(const struct history *history); /* NULL: nothing happens */
/* Those that are still taken live on. */
void histories_release(struct histories *histories);

#endif
