/* chart_pane.h - a chart that a person works with: what is drawn and how, the cursor, the zoom. Shared by the run view
 * and the comparison.
 *
 * The cursor stands on a moment of the focused run: a record, or a checkpoint. It keeps its step when the axis changes
 * or the run grows. While it follows, it stays on the newest moment and the zoomed part moves along. Settings are
 * remembered per home ("chart.axis", ...).
 *
 *     chart_pane_init(app, &pane, "chart");
 *     chart_pane_load(app, &pane, &content, &err);                     after every refresh
 *     enum chart_done done = chart_pane_action(app, &pane, action);    CHART_IGNORED: not one of its keys
 *     chart_pane_draw(app, &pane, grid, rect);
 */
#ifndef TUI_CHARTS_CHART_PANE_H
#define TUI_CHARTS_CHART_PANE_H

#include "tui/app/app.h"
#include "tui/client/chart_export.h"

struct chart_moment {
    int64_t epoch, step;
    double time;
};

struct other_chart { /* a small chart of another family of the same runs */
    struct curve_set set;
    enum curve_part part;
    struct range held_y;
    struct rect drawn; /* where it was drawn last, for the mouse */
};

struct chart_pane { /* the first member of the state of a view that uses it: the menu of metrics finds it there */
    /* as the person set it */
    enum curve_axis axis;
    int smooth;                       /* which of the weights */
    enum curve_part part, shown_part; /* shown: both, where there is nothing of the part asked for */
    bool log_x, log_y, clip, follow, legend;
    char family[64];   /* "": that of the monitor */
    double lo, hi;     /* the part of the axis that is shown, NAN: all */
    const char *scope; /* prefix of the remembered settings */

    char **ids; /* of the runs, owned */
    size_t n_ids;
    bool *bright; /* one a run: what stands out of the cloud; NULL: all do; owned */
    struct curve_set curves;
    bool all;                   /* every family in a small chart, instead of one in a large one */
    struct other_chart *others; /* those that were drawn last, of n_others families from first_other on */
    size_t n_drawn, n_others, first_other;
    bool others_old;
    struct chart_moment *moments; /* where the cursor can stand, in order */
    size_t n_moments, cursor;
    const struct checkpoint_summary *checkpoints; /* of the focused run, oldest first, lent until the next load */
    size_t n_checkpoints;
    const struct notable_event *events; /* shown on the rail, lent until the next load */
    size_t n_events;
    int selected; /* the checkpoint nearest to the cursor, -1: there is none */
    double fork_x;
    bool living;
    int64_t epochs, steps_per_epoch; /* planned, of an epoch; 0: unknown */
    size_t focus;                    /* which of the runs */
    struct range held_x, held_y;     /* what is shown unless it is zoomed; that of a growing chart jumps seldom */
    struct rect drawn;               /* where it was drawn last */
    struct chart_place place;        /* and where the plot lies in it */
    double press_x;                  /* where the mouse button went down, NAN: nowhere */
    int press_column;
};

struct chart_content {
    const struct run_summary *const *runs;
    size_t n_runs, focus;
    const char *const *labels; /* of the runs; NULL: their names */
    const bool *bright;        /* one a run: the others are a dim cloud; NULL: none is */
    const struct checkpoint_summary *checkpoints;
    size_t n_checkpoints;
    const struct notable_event *events; /* what somebody did to the focused run, and warnings */
    size_t n_events;
    int64_t steps_per_epoch; /* 0: unknown */
};

void chart_pane_init(const struct app *app, struct chart_pane *pane, const char *scope);
void chart_pane_release(struct chart_pane *pane);
/* Reads the curves anew; cursor, zoom and settings stay. */
bool chart_pane_load(struct app *app, struct chart_pane *pane, const struct chart_content *content, struct err *err);

/* What an action did to the pane. RELOAD: the content has to be loaded again. */
enum chart_done { CHART_IGNORED, CHART_DONE, CHART_RELOAD };
enum chart_done chart_pane_action(struct app *app, struct chart_pane *pane, enum action action);
/* Clicks and the wheel inside the rectangle it was drawn in; a press on a small chart makes
 * it the large one (RELOAD). */
enum chart_done chart_pane_mouse(struct app *app, struct chart_pane *pane, const struct event *event);

/* To the moment of a checkpoint; it no longer follows. */
void chart_pane_go(struct chart_pane *pane, int checkpoint);
const struct chart_moment *chart_pane_moment(const struct chart_pane *pane); /* NULL: nothing recorded yet */
/* Where there is room, small charts of the other families stand at the right. Remembers in the pane where it was drawn,
 * for the mouse and for steps of a column; nothing else changes. */
void chart_pane_draw(const struct app *app, struct chart_pane *pane, struct grid *grid, struct rect rect);

/* Where nothing of it is drawn, the mouse finds none of its small charts. */
void chart_pane_hide(struct chart_pane *pane);

/* Asks where to, and in which form; as a file, or as a command to be copied. */
int chart_pane_export(struct app *app, const struct chart_pane *pane);
/* What is seen, into a file; and the command that writes the same one but for its last words: "--svg FILE". */
bool chart_pane_save(const struct app *app, const struct chart_pane *pane, enum export_kind kind, const char *path,
                     struct err *err) MUST_USE;
void chart_pane_command(const struct app *app, const struct chart_pane *pane, struct str *out);

/* ---- what other views that write something need too ---- */

/* "STEM.svg", with a number where there is one already; free() it. */
char *export_free_name(const char *stem, const char *suffix);
/* What a person typed as a path of a new file ("~/a.svg"). free() it. False and ERR_USAGE: it exists. */
bool export_path(const char *text, char **path, struct err *err) MUST_USE;

#endif
