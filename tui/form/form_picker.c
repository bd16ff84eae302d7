/* form_picker.c - see form_picker.h */
#include "tui/form/form_picker.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Names that begin with what was typed, then those that hold it, then those whose help does. */
static int rank_of(const json_t *class, const char *typed)
{
    const char *name = js_string(class, "name", "");
    if (!strncasecmp(name, typed, strlen(typed)))
        return 0;
    return strcasestr(name, typed) ? 1 : strcasestr(js_string(class, "help", ""), typed) ? 2 : 3;
}

static void search(struct picker *p)
{
    const json_t *class;
    size_t i;
    p->n = 0;
    for (int rank = 0; rank < 3; rank++)
        json_array_foreach((json_t *)p->classes, i, class) {
            if (p->n < PICKER_MOST && rank_of(class, edit_text(&p->edit)) == rank) {
                p->names[p->n] = js_string(class, "name", "");
                p->hints[p->n++] = js_string(class, "help", "");
            }
        }
    p->menu.list = (struct list){.count = p->n};
}

void picker_open(struct picker *p, const char *title, const json_t *classes)
{
    p->open = true;
    p->classes = classes;
    snprintf(p->title, sizeof p->title, "%s", title);
    edit_set(&p->edit, "");
    search(p);
}

void picker_release(struct picker *p)
{
    edit_release(&p->edit);
    *p = (struct picker){0};
}

bool picker_event(struct picker *p, const struct event *event, const char **name)
{
    int key = event->kind == EVENT_KEY ? event->key : 0;
    if (key == K_UP || key == K_DOWN || key == K_PGUP || key == K_PGDN) {
        p->menu.list.selected += key == K_UP ? -1 : key == K_DOWN ? 1 : key == K_PGUP ? -10 : 10;
        list_settle(&p->menu.list, p->n);
        return false;
    }
    switch (edit_event(&p->edit, event)) {
    case EDIT_CHANGED:
        search(p);
        return false;
    case EDIT_CANCELLED:
        p->open = false;
        return false;
    case EDIT_DONE:
        if (!p->n)
            return false;
        *name = p->names[p->menu.list.selected];
        p->open = false;
        return true;
    case EDIT_MOVED:
    case EDIT_IGNORED:
        break;
    }
    return false;
}

void picker_draw(struct picker *p, struct grid *grid)
{
    char title[200];
    snprintf(title, sizeof title, "%s: %.60s%s", p->title, edit_text(&p->edit), p->n ? "▏" : "▏ no such class");
    menu_draw(&p->menu, grid, title, p->names, p->hints, p->n);
}
