/* compare_view.h - what the files of the comparison share: view_compare.c (state, keys), compare_view_draw.c (what it
 * looks like).
 *
 * One run has the focus: its checkpoints lie on the chart, and the one nearest to the cursor is what e, p, r, t act on.
 * One is the baseline that the others' distances are counted from.
 */
#ifndef TUI_COMPARE_VIEW_H
#define TUI_COMPARE_VIEW_H

#include "tui/chart_pane.h"
#include "tui/comparison.h"

enum { COMPARE_MAX_RUNS = 200, COMPARE_IN_DETAIL = 8 };
enum compare_pane { COMPARE_CHART, COMPARE_RUNS, COMPARE_TABLE, COMPARE_PANES };

struct compare_view {
    struct chart_pane chart; /* first: see chart_pane.h */
    char *ids[COMPARE_MAX_RUNS];
    int n_ids;
    char what[200];        /* "3 marked runs" */
    char baseline[256];    /* id */
    char focused[256];     /* id */
    struct arena arena;    /* all below */
    struct compared *list; /* those that are still there, in the order of ids */
    size_t n;
    const struct run_summary **runs;              /* the same */
    const char *const *labels;                    /* names, told apart */
    char metric[80];                              /* that the runs are judged by: "val_loss" */
    const struct checkpoint_summary *checkpoints; /* of the focused run */
    size_t n_checkpoints;
    const char **keys, **metrics;
    size_t n_keys, n_metrics;
    size_t focus, base; /* indices in list */
    struct list legend, table;
    enum compare_pane pane;
    bool alone;
    struct rect place[COMPARE_PANES];
};

void compare_view_draw(const struct app *app, struct compare_view *v, struct grid *grid, struct rect rect);

#endif
