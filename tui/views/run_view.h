/* run_view.h - what the files of the run view share: view_run.c (state, keys), run_view_draw.c (header, checkpoints,
 * layout), run_view_tabs.c (config, layers, log, events), run_view_pictures.c (pictures that came with its history).
 *
 * Chart, rail and list are one selection: the list follows the cursor of the chart, moving in the list moves the
 * cursor.
 */
#ifndef TUI_VIEWS_RUN_VIEW_H
#define TUI_VIEWS_RUN_VIEW_H

#include "persistence/runs/kept_results.h"
#include "persistence/runs/run_live.h"
#include "persistence/runs/run_pictures.h"
#include "tui/charts/chart_pane.h"
#include "tui/client/queue_plan.h"
#include "tui/widgets/widget_page.h"

enum run_pane { PANE_CHART, PANE_CHECKPOINTS, PANE_TABS, PANE_COUNT };
enum run_tab { TAB_CONFIG, TAB_LAYERS, TAB_LOG, TAB_EVENTS, TAB_PICTURES, TAB_COUNT };
extern const char *const run_tab_names[TAB_COUNT];

struct picture_pane {
    bool there;    /* the run has pictures: else there is no such tab */
    int64_t stamp; /* of what was listed */
    struct arena arena;
    const struct picture_tag *tags;
    size_t n_tags;
    struct list list;           /* of tags */
    size_t at;                  /* the picture of the selected tag */
    int job;                    /* that decodes `asked` */
    char asked[256], file[256]; /* names in pictures/: of what is decoded now, of what is shown */
    int height, width;          /* of that file */
    int rows, columns;          /* of values: RGB, 0 .. 1 */
    float *values;              /* NULL: nothing is shown */
    char *caption;              /* what the other tool wrote under asked, NULL: not read yet */
    char error[256];            /* why asked cannot be shown */
};

struct run_view {
    struct chart_pane chart; /* first: see chart_pane.h */
    char id[256];
    struct arena arena; /* of checkpoints and events */
    const struct checkpoint_summary *checkpoints;
    size_t n_checkpoints;
    unsigned *kept;                     /* what is kept beside each of them (kept_results.h) */
    int64_t kept_stamp;                 /* of the folder it was read from */
    const struct notable_event *events; /* those that lie on the rail */
    size_t n_events;
    struct run_live live;
    bool has_live;
    char waits[QUEUE_WORDS][160]; /* of a queued run */
    enum run_pane focus;
    bool alone;       /* the focused pane only */
    struct list list; /* of the checkpoints, in their order: one that is added moves no other */
    double moved;     /* app->now when the cursor of the chart was moved last: until it rests the list waits */
    size_t n_ticked;  /* checkpoints there were at the last tick */
    enum run_tab tab;
    struct page text;
    bool text_is_old;
    json_t *model; /* what inspect said of a checkpoint */
    int model_job;
    char model_error[256];
    struct picture_pane pictures;
    struct rect place[PANE_COUNT]; /* where they were drawn, for the mouse */
    struct rect tab_bar;
};

const struct run_summary *run_view_run(const struct app *app, const struct run_view *v); /* NULL: deleted meanwhile */
/* The page of a worker that lives; of a run that waits, when it starts. */
void run_view_read_live(struct app *app, struct run_view *v);
/* Fills the text of the tab that is shown, when it is old. */
void run_view_fill_tab(struct app *app, struct run_view *v);
/* How many of the tabs there are: the last one only where there is something in it. */
int run_view_tab_count(const struct run_view *v);

/* Reads what pictures there are, when that has changed, and asks for the selected one. look: they are looked at. */
void run_pictures_refresh(struct app *app, struct run_view *v, bool look);
int run_pictures_action(struct app *app, struct run_view *v, enum action action);
void run_pictures_draw(const struct app *app, struct run_view *v, struct grid *grid, struct rect rect);
void run_pictures_release(struct picture_pane *pane);

void run_view_draw(const struct app *app, struct run_view *v, struct grid *grid, struct rect rect);

#endif
