/* form_view.h - the state of the form view, for the files it is made of: view_form.c (keys), form_start.c (opening and
 * starting), form_draw.c (the tree and the lines below it), form_model.c (the right side).
 */
#ifndef TUI_FORM_FORM_VIEW_H
#define TUI_FORM_FORM_VIEW_H

#include "tui/app/app.h"
#include "tui/form/form.h"
#include "tui/form/form_picker.h"

enum { FORM_MOST_LINES = 256 };
enum form_source { FORM_OF_CONFIG, FORM_OF_RUN, FORM_OF_CHECKPOINT, FORM_OF_WAITING };
struct form_view {
    struct form form;
    enum form_source source;
    char path[1024];      /* of the config file; of the checkpoint */
    char run[256];        /* id of the run it came from */
    bool watched;         /* the run is a history of another tool: the checkpoint stands for itself */
    char *folder, *where; /* what paths are relative to; how messages call the config */
    int64_t epoch, step;  /* of the checkpoint */
    double rate;          /* the learning rate it had reached; NAN: not known */
    bool weights_only;

    struct list list; /* over form.rows */
    struct edit edit;
    bool editing, on_model, alone; /* on_model: the right side has the focus; alone: only the pane with the focus */
    int model_top;
    struct rect tree; /* where it was drawn last, and which row is at which line of it, -1: none */
    short row_at[FORM_MOST_LINES];

    struct picker picker; /* of a class to add */
    char suggested[160];  /* the name this form gave a branch; a name of the person's own stays */
    size_t n_given;       /* changes that the form itself made when it opened */
    enum action leaving;  /* what was asked for when the form asked whether to forget its changes */
    double changed_at;    /* app->now of the last change that is not checked yet; NAN */
    int check_job;        /* number of the job under way, 0 */
    json_t *check;        /* the last good answer, NULL */
    char error[1600];     /* of the config as it is; "" */
    char error_at[256];   /* path of the row it is about, "" */
};

/* argument: "config:PATH", "run:ID", "checkpoint:RUN-ID:PATH", or "waiting:ID" of a run in the queue,
 * whose own config is changed. */
bool form_view_open(struct app *app, struct form_view *v, const char *argument, struct err *err);
/* Starts the run: its curve is shown, the form is closed (v is gone). Of one that waits: saves its config.
 * An error is shown in full. */
int form_view_start(struct app *app, struct form_view *v);
/* Puts it into the queue; the jobs are shown. */
int form_view_enqueue(struct app *app, struct form_view *v);
/* The command that does the same, without the assignments. */
void form_view_command(const struct app *app, const struct form_view *v, struct str *out);
/* After a change: the rows anew, and a check soon. */
void form_view_changed(struct app *app, struct form_view *v);
/* Names a branch after its parent and what is changed now, while its name is one of these. */
void form_view_suggest(const struct app *app, struct form_view *v);
/* How many changes the person has made. */
size_t form_view_changes(const struct form_view *v);
/* Asks the worker when it is time; LOOP_ flags. */
int form_view_tick(struct app *app, struct form_view *v);

/* The layers the worker found, NULL. */
const json_t *form_view_layers(const struct form_view *v);

void form_draw_tree(const struct app *app, struct form_view *v, struct grid *grid, struct rect rect, bool focused);
void form_draw_foot(const struct app *app, const struct form_view *v, struct grid *grid, struct rect rect);
void form_draw_model(const struct app *app, const struct form_view *v, struct grid *grid, struct rect rect,
                     bool focused);

#endif
