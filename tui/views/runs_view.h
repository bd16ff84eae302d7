/* runs_view.h - what the files of the runs view share: view_runs.c (state, keys, the list), runs_rows.c (which runs, in
 * which order), runs_list.c (its columns), runs_preview.c (the selected run's curves and facts below the list).
 */
#ifndef TUI_VIEWS_RUNS_VIEW_H
#define TUI_VIEWS_RUNS_VIEW_H

#include "persistence/runs/run_live.h"
#include "tui/app/app.h"
#include "tui/client/curve_set.h"
#include "tui/client/queue_plan.h"

enum { SPARK_COLUMNS = 16, WIDE_SPARK_COLUMNS = 30, MAX_TREE_DEPTH = 8, RUNS_OTHERS = 4 };

struct runs_row {
    const struct run_summary *run;           /* of app->runs */
    char branch[3 * MAX_TREE_DEPTH * 2 + 1]; /* "│ ├ " */
    uint32_t spark[WIDE_SPARK_COLUMNS];      /* made when it is drawn first, of so many columns: 0 until then */
    int n_spark;
};

/* The columns of the list, and the field of index_list each is sorted by (NULL: by none). */
enum runs_column_name {
    RUNS_MARK,
    RUNS_NAME,
    RUNS_STATE,
    RUNS_EPOCH,
    RUNS_LOSS,
    RUNS_MONITOR,
    RUNS_BEST,
    RUNS_RATE,
    RUNS_TIME,
    RUNS_PACE, /* seconds an epoch */
    RUNS_AGE,
    RUNS_SAVED, /* checkpoints */
    RUNS_SPARK,
    RUNS_WORDS, /* behind the sparkline, where there is no room for a column of their own */
    RUNS_COLUMNS
};
struct runs_column {
    struct list_column column;
    const char *sort;
};
extern const struct runs_column runs_columns[RUNS_COLUMNS];

struct runs_change { /* settings a branch has changed, in words */
    char *id, *text;
    int64_t epochs;
};

struct runs_view {
    struct list list;
    struct runs_row *rows;
    size_t n_rows;
    char selected[256]; /* id, kept over refreshes */
    struct edit filter;
    bool filtering, alone;                    /* alone: the list without the preview */
    char filter_error[200], good_filter[512]; /* good: the last one that was right */
    int spark_columns;                        /* as wide as the screen allows */
    int sort;                                 /* column, -1: as they were made, as a tree */
    bool reverse;
    struct runs_change *changes; /* of the branches that were drawn */
    size_t n_changes;
    struct curve_set curve;
    char curve_of[256];
    bool wide_read; /* what a wide preview shows too is there: */
    struct curve_set others[RUNS_OTHERS];
    size_t n_others;
    const struct run_event *events; /* in facts_arena */
    size_t n_events;
    struct arena facts_arena; /* of params and checkpoint */
    const struct run_param *params;
    size_t n_params;
    const struct checkpoint_summary *checkpoint; /* the best one, else the last; what e p r t work on */
    struct run_live live;
    bool has_live;
    char waits[QUEUE_WORDS][160]; /* of a queued run, else empty */
};

/* Reads the runs that match the filter, in order. sort: key for index_list, NULL: newest first, children below their
 * parent. False: the filter is wrong, and why stands in filter_error; the rows are those of the last right one. */
bool runs_rows_find(struct app *app, struct runs_view *v, const char *sort);
/* Finds the selected run again after the rows have changed. */
void runs_rows_select(struct runs_view *v);

void runs_list_draw(const struct app *app, struct runs_view *v, struct grid *grid, struct rect rect);
/* "learning_rate 0.0001  batch_size 64": what a run does otherwise than its parent; "" for one
 * without. Lent by the view. */
const char *runs_changes(const struct app *app, struct runs_view *v, const struct run_summary *run);
void runs_changes_release(struct runs_view *v);

/* Loads what belongs to the selected run, if it is another one or `again`. */
void runs_preview_load(struct app *app, struct runs_view *v, const struct run_summary *run, bool again);
void runs_preview_draw(const struct app *app, struct runs_view *v, const struct run_summary *run, struct grid *grid,
                       struct rect rect);
void runs_preview_release(struct runs_view *v);
/* NULL: the run has no such metric (name may be NULL). */
const struct metric_summary *runs_metric(const struct run_summary *run, const char *name);

#endif
