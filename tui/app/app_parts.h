/* app_parts.h - what the files of the app (app.c, app_runs.c, app_overlay.c, app_jobs.c) know of each other and nobody
 * else needs. */
#ifndef TUI_APP_APP_PARTS_H
#define TUI_APP_APP_PARTS_H

#include "tui/app/app.h"

/* by_id anew, after a change of runs. */
void app_sort_runs(struct app *app);
/* The view on top takes in what has changed, if it has not yet. */
void app_refresh_top(struct app *app);
/* True: something lies over the view and took the event; *flags says what it did. */
bool app_overlay_event(struct app *app, const struct event *event, int *flags);
void app_overlay_draw(struct app *app, struct grid *grid, unsigned places);
int app_palette_open(struct app *app);
/* The menu of themes: what is looked at is shown at once, what is chosen is kept. */
int app_theme_menu(struct app *app);
/* Reads what running jobs have said; true when anything changed. */
bool app_poll_jobs(struct app *app);
/* Waits at most so long for a job that is nearly always done at once; done may be called. */
void app_wait_job(struct app *app, struct app_job *job, int wait_ms);
/* A run of its own is started like a job; its result is {"run", "dir", "notes"}. NULL and err. */
struct app_job *app_start_detached(struct app *app, const char *job, const json_t *request,
                                   void (*done)(struct app *, struct app_job *), struct err *err);

#endif
