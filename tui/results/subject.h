/* subject.h - the checkpoint that a view is about: its file, its run, and its neighbours. Evaluate, predict, inspect
 * and diff share it.
 *
 *     struct subject subject = {0};
 *     subject_open(&subject, app, path);
 *     json_t *request = subject_request(&subject);
 *     subject_close(&subject);
 *
 * A file that belongs to no run of this home has no run and no neighbours; what it holds can still be looked at.
 */
#ifndef TUI_RESULTS_SUBJECT_H
#define TUI_RESULTS_SUBJECT_H

#include "tui/app/app.h"

struct subject {
    char *path;                            /* absolute */
    char run_id[256];                      /* "": none */
    struct arena arena;                    /* of list */
    const struct checkpoint_summary *list; /* all of the run, oldest first */
    size_t n;
    int at; /* of path in it, -1: not listed */
};

/* Replaces what the subject was. */
void subject_open(struct subject *subject, struct app *app, const char *path);
void subject_close(struct subject *subject);
/* Reads the list again: the run goes on. */
void subject_refresh(struct subject *subject, struct app *app);
/* The path `by` checkpoints further (0: the best), lent; NULL when there is none whose file is still there. */
const char *subject_neighbour(const struct subject *subject, int by);
/* Whether an action leads to another checkpoint (previous, next, best). *path: where to, as subject_neighbour says;
 * NULL when there is none, which is said on the screen. */
bool subject_leads(const struct subject *subject, struct app *app, enum action action, const char **path);

const struct run_summary *subject_run(const struct subject *subject, const struct app *app); /* NULL: none */
const struct checkpoint_summary *subject_checkpoint(const struct subject *subject);          /* NULL: not listed */
/* The same as ops of a view whose state begins with its subject. */
const struct run_summary *subject_view_run(const struct app *app, const void *state);
const struct checkpoint_summary *subject_view_checkpoint(const struct app *app, const void *state);
/* "digits-cnn:12", or the name of the file. Returns text. */
char *subject_name(const struct subject *subject, const struct app *app, char *text, size_t size);
/* A metric as it was written when the checkpoint was made; false: it was not. */
bool subject_metric(const struct subject *subject, const char *name, double *value);
/* {"checkpoint", "run"}: what every job about it is asked with, exactly as the command line asks. New reference. */
json_t *subject_request(const struct subject *subject);
/* The second line of such a view: name, file, epoch, step, what it is. Cut off *rect. */
void subject_draw(const struct subject *subject, const struct app *app, struct grid *grid, struct rect *rect);

#endif
