/* runs_view.h - what the files of the runs view share: view_runs.c (state, keys, the list), runs_rows.c (which runs, in
 * which order), runs_preview.c (the selected run's curve and facts below the list).
 */
#ifndef TUI_VIEWS_RUNS_VIEW_H
#define TUI_VIEWS_RUNS_VIEW_H

#include "persistence/runs/run_live.h"
#include "tui/app/app.h"
#include "tui/client/curve_set.h"
#include "tui/client/queue_plan.h"

enum { SPARK_COLUMNS = 16, WIDE_SPARK_COLUMNS = 30, MAX_TREE_DEPTH = 8 };

struct runs_row {
    const struct run_summary *run;           /* of app->runs */
    char branch[3 * MAX_TREE_DEPTH * 2 + 1]; /* "│ ├ " */
    uint32_t spark[WIDE_SPARK_COLUMNS]; /* made when it is drawn first, of so many columns: 0 until then */
    int n_spark;
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
    struct curve_set curve;
    char curve_of[256];
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

/* Loads what belongs to the selected run, if it is another one or `again`. */
void runs_preview_load(struct app *app, struct runs_view *v, const struct run_summary *run, bool again);
void runs_preview_draw(const struct app *app, const struct runs_view *v, const struct run_summary *run,
                       struct grid *grid, struct rect rect);
/* NULL: the run has no such metric (name may be NULL). */
const struct metric_summary *runs_metric(const struct run_summary *run, const char *name);

#endif
