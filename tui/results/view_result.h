/* view_result.h - what the files of the view of an evaluation share: view_result.c is its state, result_draw.c how it
 * looks. */
#ifndef TUI_RESULTS_VIEW_RESULT_H
#define TUI_RESULTS_VIEW_RESULT_H

#include "tui/results/sample.h"
#include "tui/results/subject.h"

/* RESULT_SPREAD: calibration where classes are said, residuals where numbers are. */
enum result_page { RESULT_SUMMARY, RESULT_HARDEST, RESULT_SPREAD, RESULT_PAGES };

struct class_row { /* one class of `per_class` */
    const char *name;
    int64_t label, samples;
    double precision, recall, f1;
};

struct result_view {
    struct subject subject;
    const char *part;        /* asked for: "test", ..., NULL: what the worker chooses */
    int job;                 /* under way, 0: none */
    json_t *result;          /* NULL: none yet */
    size_t output;           /* of several, the one that is shown; */
    const json_t *of;        /* what result says of it: result itself for the first one */
    const char *output_name; /* NULL: there is only one */
    size_t n_outputs;
    double made;      /* Unix seconds */
    struct err error; /* why there is none */
    bool cancelled;
    enum result_page page;
    bool alone;                   /* the matrix, or the sample, without the list beside it */
    struct list classes, hardest; /* selections */
    struct rect tabs;             /* where they were drawn, for the mouse */
    /* Read from the result. */
    struct arena arena;
    struct sample_data data;
    struct class_row *rows; /* worst first */
    size_t n_rows;
    struct sample *samples; /* hardest first */
    size_t n_samples;
    int64_t *confusion; /* n_rows x n_rows, rows are true classes; NULL: none */
    double (*pairs)[2]; /* true, said */
    size_t n_pairs;
};

/* Rows: what it is; columns: what was said; shaded by the share of the row. */
void result_draw_confusion(const struct app *app, const struct result_view *view, struct grid *grid, struct rect rect);
/* How sure it is against how often right, in ten steps; below 60 columns the words are cut. */
void result_draw_calibration(const struct result_view *view, struct grid *grid, struct rect rect);
/* How far said numbers are from the true ones: R², spread, a histogram. */
void result_draw_residuals(const struct result_view *view, struct grid *grid, struct rect rect);
/* Lent. */
void result_page_names(const struct result_view *view, const char *names[RESULT_PAGES]);
void result_draw(const struct app *app, const void *state, struct grid *grid, struct rect rect);

#endif
