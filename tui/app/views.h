/* views.h - the views of the screen, one file each. To add one: its file, its row here and in screen_views, its key in
 * keys.h. */
#ifndef TUI_APP_VIEWS_H
#define TUI_APP_VIEWS_H

#include "tui/app/app.h"

extern const struct screen_view_ops view_runs, view_run, view_compare, view_new, view_form, view_result, view_predict,
    view_jobs, view_log, view_inspect, view_diff;
/* Ends with NULL. */
extern const struct screen_view_ops *const screen_views[];

#endif
