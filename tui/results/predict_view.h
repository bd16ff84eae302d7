/* predict_view.h - what the files of the view of predictions share: view_predict.c is its state, predict_draw.c how it
 * looks, predict_text.c the page where a model of text writes, predict_rival.c a second checkpoint beside the first.
 */
#ifndef TUI_RESULTS_PREDICT_VIEW_H
#define TUI_RESULTS_PREDICT_VIEW_H

#include "tui/results/sample.h"
#include "tui/results/subject.h"

enum text_field { TEXT_PROMPT, TEXT_TEMPERATURE, TEXT_SEED, TEXT_TOKENS, TEXT_FIELDS };
/* What is asked of a model that writes, and what it wrote. */
struct text_page {
    struct edit prompt, edit; /* the prompt as typed, "\n" for a line end; edit: of a number */
    double temperature;
    int64_t seed, tokens;
    enum text_field field;
    bool editing;
    int job;
    double share, left_s; /* of the job */
    char *read, *written; /* the prompt the text stands behind, and the text so far; NULL: none */
    double took_s;        /* NAN while it comes */
    double made;          /* Unix seconds, of a text that was kept; 0: it is a new one */
    int64_t n_written;    /* tokens, once it is whole */
    bool cancelled, padded;
    struct err error;
    int back; /* rows scrolled up from the end */
};

enum { PREDICT_PAGES = 2 };
extern const char *const predict_pages[PREDICT_PAGES]; /* of a model that writes */

struct predict_view {
    struct subject subject;
    bool alone;           /* the sample without the list beside it */
    bool writes, writing; /* the model writes text; the page where it does is shown */
    struct rect pages;    /* where their tabs were drawn, for the mouse */
    struct text_page text;

    char part[16]; /* "": what the worker chooses, until it has answered */
    int job;
    struct err error;
    bool cancelled;
    struct arena arena;       /* of the samples */
    size_t output, n_outputs; /* which of several is looked at */
    char output_name[80];
    struct sample_data data;
    json_t *parts; /* {"data": {"parts"}} of the last answer */
    struct sample *samples;
    size_t n_samples, capacity;
    int *shown; /* indices of the samples that match */
    struct list list;
    int64_t wanted; /* the sample to select again once it is there, -1 */
    double made;    /* Unix seconds, of the oldest samples that were kept; 0: all were computed now */
    struct edit filter;
    bool filtering;
    char filter_error[200];

    struct subject rival; /* the checkpoint beside it; path NULL: none */
    int rival_job;
    size_t n_rivals; /* samples that have theirs */
    char rival_error[300];
};

/* The view that this job works for, NULL when it is gone. */
struct predict_view *predict_view_of_job(struct app *app, const struct app_job *job);
/* Sample i of an answer, as the output says it that is looked at. */
void predict_read_sample(struct predict_view *v, struct sample *sample, const json_t *result, size_t i);
const struct sample *predict_selected(const struct predict_view *v);
void predict_find_shown(struct predict_view *v);

/* The wishes of last time; those of the newest text that is kept of the checkpoint, when there is none of these. */
void text_page_open(struct app *app, struct predict_view *v);
void text_page_close(struct text_page *page);
/* Writes with what is asked for now; a text that was kept is shown instead. */
void text_page_start(struct app *app, struct predict_view *v);
void text_page_cancel(struct app *app, struct predict_view *v);
int text_page_action(struct app *app, struct predict_view *v, enum action action);
int text_page_event(struct app *app, struct predict_view *v, const struct event *event);
void text_page_draw(const struct app *app, const struct predict_view *v, struct grid *grid, struct rect rect);

/* Sets the checkpoint beside the first (NULL: none) and asks for what it says. */
void rival_open(struct app *app, struct predict_view *v, const char *path);
void rival_cancel(struct app *app, struct predict_view *v);
/* Asks for as many samples as the first has. */
void rival_ask(struct app *app, struct predict_view *v);
struct rival_counts {
    int fixed, broken, both_wrong, both_right, other; /* wrong -> right, right -> wrong, ...; other: without a class */
};
struct rival_counts rival_count(const struct predict_view *v);

void predict_draw(const struct app *app, const void *state, struct grid *grid, struct rect rect);

#endif
