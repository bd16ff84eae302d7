/* app.h - the screen without a terminal: a stack of views, what lies over them, and what they ask for. Events in, grid
 * out.
 *
 * A view is one file view_<name>.c with one struct screen_view_ops. It never touches the terminal, the clock or a
 * process: it changes its own state and asks the app for effects (open a view, ask something, start a job, change a
 * run), so it can be driven and read back in a test.
 *
 *   event -> a dialog, menu, palette or help is open: it gets the event
 *            a key: keys_action(map, key, IN_ALL | ops->places(view)) -> one of the app's own actions,
 *                                                                        else ops->action(app, view, action)
 *            anything else, and a key without an action -> ops->event(app, view, event)
 *   draw  -> ops->view(app, view, grid, all but the last row), the footer from ops->places(view), what lies over it
 *
 * Runs are read from the index into app->runs; the list is replaced by app_refresh, so views keep ids, never pointers,
 * over an event.
 */
#ifndef TUI_APP_APP_H
#define TUI_APP_APP_H

#include "persistence/index/index.h"
#include "tui/client/histories.h"
#include "tui/terminal/grid.h"
#include "tui/terminal/keys.h"
#include "tui/terminal/loop.h"
#include "tui/widgets/widget_overlay.h"

struct app;

struct screen_view_ops {
    const char *name;  /* "runs" */
    size_t state_size; /* bytes of its state, zeroed before open */
    /* argument: what to show (a run id, a checkpoint's path), NULL for nothing in particular. False: nothing was
     * opened. */
    bool (*open)(struct app *app, void *state, const char *argument, struct err *err);
    void (*close)(void *state);                                            /* NULL: nothing to free */
    unsigned (*places)(const struct app *app, const void *state);          /* enum key_place, what works now */
    int (*action)(struct app *app, void *state, enum action action);       /* returns LOOP_* flags */
    int (*event)(struct app *app, void *state, const struct event *event); /* text fields, mouse, paste, ticks; NULL */
    int (*refresh)(struct app *app, void *state);                          /* app->runs is new; NULL */
    void (*view)(const struct app *app, const void *state, struct grid *grid,
                 struct rect rect);                                             /* a clean rectangle of any size */
    const struct run_summary *(*run)(const struct app *app, const void *state); /* the selected run, NULL: none */
    const struct checkpoint_summary *(*checkpoint)(const struct app *app,
                                                   const void *state); /* of that run, NULL: none */
    /* the view over it is closed, which showed this run: its id. NULL: nothing to do */
    void (*reveal)(struct app *app, void *state, const char *run);
};

/* An answer was given to app_ask. False and err: refused, the question stays open and shows why. */
typedef bool app_answer(struct app *app, const char *subject, const char *text, struct err *err);
/* A line of app_menu was chosen. */
typedef int app_choice(struct app *app, int line);

enum job_state { JOB_RUNNING, JOB_DONE, JOB_FAILED, JOB_CANCELLED };
struct app_job {               /* a question to the worker that takes its time */
    int number;                /* from 1, never reused; 0: an empty place */
    char job[16], title[160];  /* "evaluate", "evaluate digits-cnn:12" */
    char subject[512];         /* a checkpoint's path, a run id */
    struct worker_job *worker; /* while it runs */
    enum job_state state;
    double started, ended; /* app->now */
    double share, left_s;  /* NAN: unknown */
    char text[96];
    json_t *progress; /* the last line of it, NULL */
    json_t *result;   /* when done */
    struct err error; /* when failed */
    void (*done)(struct app *app, struct app_job *job);
};

enum { APP_MAX_VIEWS = 16, APP_MAX_JOBS = 24, APP_MAX_MARKS = 256, APP_MAX_MENU = 48 };

struct app {
    char *home;
    struct index *index;
    struct histories histories; /* of the runs that were looked at last */
    struct keymap map;
    const struct screen_view_ops *const *table; /* all views, ends with NULL */
    struct {
        const struct screen_view_ops *ops;
        void *state;
        bool old; /* what it shows has changed while it was hidden: refreshed when it is the top one again */
    } stack[APP_MAX_VIEWS];
    int depth;

    struct arena arena;             /* of runs */
    const struct run_summary *runs; /* all of the home, newest first */
    size_t n_runs;
    const struct run_summary **by_id; /* the same, sorted by id */
    char *marks[APP_MAX_MARKS];       /* ids of marked runs, in the order they were marked */
    int n_marks;
    char *marked_checkpoint; /* path of the checkpoint that `d` compares with, NULL */

    struct dialog dialog;
    app_answer *answer;
    char subject[512];
    struct menu menu;
    char menu_title[96], menu_lines[APP_MAX_MENU][96], menu_hints[APP_MAX_MENU][72];
    app_choice *choice;
    bool menu_by_key;       /* the hints are keys, which choose their line */
    app_choice *menu_moved; /* another line is looked at, -1: none was chosen after all; NULL */
    struct help help;
    struct edit palette;
    struct menu palette_menu;
    enum action palette_matches[ACTION_COUNT];

    char message[600]; /* in the footer until a key; good news for some seconds */
    enum style message_style;
    double message_at;      /* app->now when it was said */
    bool queue_is_hindered; /* said once */
    struct app_job jobs[APP_MAX_JOBS];
    int last_job;
    char *last_deleted; /* id, for U */

    json_t *memory; /* what is remembered per home: {"runs.sort": ...} */
    bool memory_changed;
    json_t *classes;  /* answer of the worker's `describe`, NULL until asked */
    double now, wall; /* of the last event: a clock that never jumps, Unix seconds */
    long utc_offset_s;
    enum rung rung;             /* how charts are drawn */
    enum tile_depth tiles;      /* how pictures are drawn */
    enum theme_name theme;      /* as it is to look now; the screen follows */
    enum theme_name theme_kept; /* and as it was chosen last */
    bool light;                 /* the ground of the terminal is */
    bool markers;               /* curves carry marks of their own: their colours do not tell them apart */

    json_t *settings; /* persistence/config/settings.h, all of them */
    double looked_at; /* app->now when the queue was looked at last */

    /* Effects, carried out by whoever runs the app (screen.c) */
    char *told; /* what happened while nobody may have looked, NULL */
    bool quit, suspend, repaint;
    char *copy; /* to the clipboard */
};

/* home must exist or be creatable; an unwritable one is fine. The app is empty until app_open. */
struct app *app_new(const char *home, struct index *index, const struct screen_view_ops *const *table, struct err *err);
void app_free(struct app *app);
int app_event(struct app *app, const struct event *event); /* LOOP_* flags */
void app_view(struct app *app, struct grid *grid);
/* Does what a key would: also for menus and the palette. */
int app_action(struct app *app, enum action action);
/* The title of the window (notices.h). */
void app_title(const struct app *app, struct str *out);
/* Reads the index, starts what waits and has a place (run_queue.h), notes what is to be told; tells the views when
 * anything differs. */
int app_refresh(struct app *app, bool force);

/* Opens a view by name over the others; when it is open already with the same name, everything above it is closed and
 * it is opened anew. */
bool app_open(struct app *app, const char *name, const char *argument, struct err *err);
/* The same, with an error shown. Returns LOOP_DRAW. */
int app_go(struct app *app, const char *name, const char *argument);
/* Closes the top view; at the last one, quits. */
int app_back(struct app *app);

void app_say(struct app *app, enum style style, const char *format, ...) PRINTF(3, 4);
/* Shows an error: a short one in the footer, a long one in a box. Returns LOOP_DRAW. */
int app_fail(struct app *app, const struct err *err);
int app_ask(struct app *app, enum dialog_kind kind, const char *title, const char *text, const char *initial,
            const char *subject, app_answer *answer);
/* Fill menu_lines and menu_hints first. */
int app_menu(struct app *app, const char *title, int n, app_choice *choice);

const struct run_summary *app_find_run(const struct app *app, const char *id); /* NULL */
const struct run_summary *app_run(const struct app *app);                      /* selected in the top view */
const struct checkpoint_summary *app_checkpoint(const struct app *app);
/* The absolute folder of a run. free() it. */
char *app_run_folder(const struct app *app, const struct run_summary *run);
bool app_is_marked(const struct app *app, const char *id);
void app_mark(struct app *app, const char *id, bool marked);

/* How a command line names a run: its name where that is no other's, else its id. Lent. */
const char *app_run_word(const struct app *app, const char *id);
/* The home for a command line, NULL: the one it finds by itself. Lent. */
const char *app_home_word(const struct app *app);
/* Into the clipboard, and shown. Takes text. */
int app_copy(struct app *app, char *text);

/* Starts a job; done is called (state DONE, FAILED or CANCELLED) when it ends. Takes the reference. NULL and err. */
struct app_job *app_start_job(struct app *app, const char *job, json_t *request, const char *title, const char *subject,
                              void (*done)(struct app *, struct app_job *), struct err *err);
struct app_job *app_find_job(struct app *app, int number); /* NULL when it is gone */
void app_cancel_job(struct app *app, struct app_job *job);
/* One that has ended and whose result is taken: its place is free again. */
void app_forget_job(struct app_job *job);
bool app_busy(const struct app *app); /* a job runs */

/* Starts `train` or `resume` (docs/worker-protocol.md) detached; its curve is shown once the worker is sure to run, at
 * once where the data are small, and the views it was started from are closed. An error is shown in full. */
int app_launch(struct app *app, const char *job, const json_t *request);

/* The same, into the queue of the home: checked, then the jobs are shown, where it waits or has started already. */
int app_enqueue(struct app *app, const char *job, const json_t *request);

/* Remembered per home (home/.screen.json), e.g. "chart.smooth". */
const json_t *app_recall(const struct app *app, const char *key);
void app_remember(struct app *app, const char *key, json_t *value); /* takes the reference */

/* The first row of a view: " antler  runs" at the left, right at the right. Cuts it off *rect. */
void app_header(const struct app *app, struct grid *grid, struct rect *rect, const char *title, const char *right);

/* Actions that every view with a run or a checkpoint has (run_actions.c, checkpoint_actions.c). LOOP_NOTHING: not
 * theirs. */
bool run_lives(const struct run_summary *run); /* queued, running or paused */
bool any_run_lives(const struct app *app);
int run_action(struct app *app, const struct run_summary *run, enum action action);
int checkpoint_action(struct app *app, const struct run_summary *run, const struct checkpoint_summary *checkpoint,
                      enum action action);

#endif
