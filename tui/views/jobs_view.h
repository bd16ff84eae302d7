/* jobs_view.h - the state of the jobs view, for the files it is made of: view_jobs.c (rows and keys), jobs_view_draw.c.
 *
 * Four sections in one list: what trains, what waits, what was asked from this screen, what ended lately.
 */
#ifndef TUI_VIEWS_JOBS_VIEW_H
#define TUI_VIEWS_JOBS_VIEW_H

#include "tui/app/app.h"
#include "tui/client/queue_plan.h"

enum jobs_section { JOBS_TRAINS, JOBS_WAITS, JOBS_ASKED, JOBS_ENDED, JOBS_SECTIONS };

struct jobs_row {
    enum jobs_section section;
    const struct queue_item *item; /* of one that trains or waits; the plan's */
    char run_id[256];              /* "": a job */
    int job;                       /* number of a job asked from here */
    double ended;                  /* Unix seconds, of one that has ended */
};

struct jobs_view {
    struct list list; /* over all rows */
    struct jobs_row *rows;
    int first[JOBS_SECTIONS + 1]; /* rows of a section: first[s] .. first[s + 1] - 1 */
    struct queue_plan plan;
    struct list shown[JOBS_SECTIONS]; /* each section as it was drawn, for the mouse */
};

/* Which view shows what a job found; NULL: a job that only helps a form, it is not listed. */
const char *jobs_view_of(const struct app_job *job);

/* Remembers where the sections are. */
void jobs_view_draw(const struct app *app, const void *state, struct grid *grid, struct rect rect);

#endif
