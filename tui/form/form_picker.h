/* form_picker.h - choosing a class of a long list by typing part of its name or of what it does: layers, callbacks,
 * metrics. */
#ifndef TUI_FORM_FORM_PICKER_H
#define TUI_FORM_FORM_PICKER_H

#include "base/json.h"
#include "tui/widgets/widget_overlay.h"

enum { PICKER_MOST = 128 };
struct picker { /* start from a zeroed struct */
    bool open;
    char title[96];
    const json_t *classes; /* a list of `describe`, lent */
    struct edit edit;
    struct menu menu;
    const char *names[PICKER_MOST], *hints[PICKER_MOST]; /* of those that match */
    int n;
};

void picker_open(struct picker *picker, const char *title, const json_t *classes);
void picker_release(struct picker *picker);
/* True when one was chosen: *name is lent by the classes. Esc closes it without a choice. */
bool picker_event(struct picker *picker, const struct event *event, const char **name);
void picker_draw(struct picker *picker, struct grid *grid);

#endif
