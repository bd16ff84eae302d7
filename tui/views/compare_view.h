/* compare_view.h - what the files of the comparison share: view_compare.c (state, keys), compare_view_draw.c (what it
 * looks like).
 *
 * One run has the focus: its checkpoints lie on the chart, and the one nearest to the cursor is what e, p, r, t act on.
 * One is the baseline that the others' distances are counted from.
 */
#ifndef TUI_VIEWS_COMPARE_VIEW_H
#define TUI_VIEWS_COMPARE_VIEW_H

#include "tui/charts/chart_pane.h"
#include "tui/client/importance.h"

enum { COMPARE_MAX_RUNS = 200, COMPARE_IN_DETAIL = 8 };
enum compare_pane { COMPARE_CHART, COMPARE_RUNS, COMPARE_TABLE, COMPARE_MATTERS, COMPARE_PANES };
/* Columns of the list of runs; it is sorted by some of them. */
enum compare_column {
    COMPARE_SIGN,
    COMPARE_NAME,
    COMPARE_STATE,
    COMPARE_EPOCH,
    COMPARE_LAST,
    COMPARE_SMOOTH, /* the last smoothed value, while the curves are smoothed */
    COMPARE_BEST,
    COMPARE_AT,
    COMPARE_DELTA,
    COMPARE_FROM,
    COMPARE_COLUMNS
};

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
    size_t champion;    /* the run with the best of the metric, n: none */
    size_t *
        order; /* of the rows that are shown: indices in list. Colours and numbers go by the list, whatever the order */
    int sort;  /* enum compare_column, -1: as they were chosen */
    bool reverse;
    struct setting_effect *effects; /* one a key, what explains most first */
    size_t matters_first, matters_shown;
    struct list legend, table;
    enum compare_pane pane;
    bool alone;
    struct rect place[COMPARE_PANES];
};

/* The last smoothed value of a run's curve, NAN: none. */
double compare_smooth_of(const struct compare_view *v, size_t run);
/* The table and what matters as a file: a menu; the file; the command that writes the same but for " --csv FILE". */
int compare_export(struct app *app);
bool compare_save(struct compare_view *v, const char *path, struct err *err) MUST_USE;
void compare_command(const struct app *app, const struct compare_view *v, struct str *out);
void compare_matters_draw(const struct app *app, struct compare_view *v, struct grid *grid, struct rect rect);
void compare_view_draw(const struct app *app, struct compare_view *v, struct grid *grid, struct rect rect);

#endif
