/* view_form.c - the new and the branch form: a config open for changes, what the model becomes, and Enter to start it.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "tui/app/views.h"
#include "tui/form/form_view.h"

enum { PAGE = 10, BESIDE_WIDTH = 72, MODEL_WIDTH = 56, FOOT_ROWS = 6, SMALL_FOOT_ROWS = 3 };

static bool form_open(struct app *app, void *state, const char *argument, struct err *err)
{
    struct form_view *v = state;
    if (!form_view_open(app, v, argument ? argument : "", err))
        return false;
    form_view_tick(app, v);
    return true;
}

static void form_close(void *state)
{
    struct form_view *v = state;
    form_release(&v->form);
    edit_release(&v->edit);
    picker_release(&v->picker);
    json_decref(v->check);
    free(v->folder);
    free(v->where);
}

static const struct form_row *selected(const struct form_view *v)
{
    return &v->form.rows[v->list.selected];
}

static unsigned form_places(const struct app *app, const void *state)
{
    (void)app;
    const struct form_view *v = state;
    struct form_item item;
    bool items = !v->on_model && v->form.n_rows && form_item_at(&v->form, selected(v), &item);
    return IN_MOVE | IN_PANES | (v->on_model ? 0 : IN_FORM | IN_SIDEWAYS) | (items ? IN_ITEMS : 0);
}

/* ---- changing a field ---- */

static bool accept(struct app *app, struct form_view *v, const char *text)
{
    struct err err = {0};
    if (!form_set(&v->form, selected(v), text, &err)) {
        app_fail(app, &err);
        return false;
    }
    form_view_changed(app, v);
    return true;
}

static void edit_selected(struct form_view *v)
{
    char *text = form_text(selected(v)->value);
    edit_set(&v->edit, text);
    v->editing = true;
    free(text);
}

static const char other[] = "something else ...";

static int choose_value(struct app *app, int line)
{
    if (app->stack[app->depth - 1].ops != &view_form)
        return LOOP_NOTHING;
    struct form_view *v = app->stack[app->depth - 1].state;
    if (!strcmp(app->menu_lines[line], other))
        edit_selected(v);
    else
        accept(app, v, app->menu_lines[line]);
    return LOOP_DRAW;
}

static bool is_switch(char lines[][FORM_LINE], int n)
{
    return n == 2 && !strcmp(lines[0], "true") && !strcmp(lines[1], "false");
}

static int change_field(struct app *app, struct form_view *v)
{
    const struct form_row *row = selected(v);
    int n = form_choices(&v->form, row, app->menu_lines, app->menu_hints);
    if (is_switch(app->menu_lines, n)) {
        accept(app, v, json_is_true(row->value) ? "false" : "true");
        return LOOP_DRAW;
    }
    if (!n) {
        edit_selected(v);
        return LOOP_DRAW;
    }
    char title[96];
    snprintf(title, sizeof title, "%.90s", row->path);
    if (n < APP_MAX_MENU && (!row->facts.types || strcmp(row->facts.types, "class") != 0)) {
        snprintf(app->menu_lines[n], sizeof app->menu_lines[n], "%s", other);
        app->menu_hints[n++][0] = 0;
    }
    int flags = app_menu(app, title, n, choose_value);
    char *now = form_text(row->value);
    for (int i = 0; i < n; i++)
        if (!strcasecmp(app->menu_lines[i], now))
            app->menu.list.selected = i;
    free(now);
    return flags;
}

static int fold(struct app *app, struct form_view *v, bool open)
{
    const struct form_row *row = selected(v);
    if (row->kind == FORM_GROUP && row->open != open) {
        form_fold(&v->form, row, open);
    } else if (!open && row->parent >= 0) { /* closing inside a group closes that */
        v->list.selected = row->parent;
        form_fold(&v->form, selected(v), false);
    } else {
        return LOOP_DRAW;
    }
    double changed_at = v->changed_at; /* folding changes nothing that must be checked */
    form_view_changed(app, v);
    v->changed_at = changed_at;
    return LOOP_DRAW;
}

static int press(struct app *app, struct form_view *v)
{
    const struct form_row *row = selected(v);
    switch (row->kind) {
    case FORM_START:
        return form_view_start(app, v);
    case FORM_GROUP:
        return fold(app, v, !row->open);
    case FORM_FIELD:
        return change_field(app, v);
    }
    return LOOP_NOTHING;
}

static int take_back(struct app *app, struct form_view *v)
{
    form_reset(&v->form, selected(v));
    form_view_changed(app, v);
    return LOOP_DRAW;
}

static bool answer_leave(struct app *app, const char *subject, const char *text, struct err *err)
{
    (void)subject;
    (void)text;
    (void)err;
    if (app->stack[app->depth - 1].ops != &view_form)
        return true;
    struct form_view *v = app->stack[app->depth - 1].state;
    enum action then = v->leaving;
    app_back(app);
    if (then != ACTION_BACK && then != ACTION_CANCEL)
        app_action(app, then);
    return true;
}

/* Also where the way leads through views below this one, which closes it. */
static bool leads_away(enum action action)
{
    static const enum action away[] = {ACTION_BACK,         ACTION_CANCEL,  ACTION_VIEW_RUNS, ACTION_VIEW_RUN,
                                       ACTION_VIEW_COMPARE, ACTION_COMPARE, ACTION_VIEW_NEW,  ACTION_NEW};
    for (size_t i = 0; i < sizeof away / sizeof *away; i++)
        if (away[i] == action)
            return true;
    return false;
}

static int leave(struct app *app, struct form_view *v, enum action action)
{
    char text[160];
    size_t n = form_view_changes(v);
    if (!n)
        return action == ACTION_BACK || action == ACTION_CANCEL ? app_back(app) : LOOP_NOTHING;
    v->leaving = action;
    snprintf(text, sizeof text, "%zu %s made here and not started yet: leave the form and forget %s?", n,
             n == 1 ? "change was" : "changes were", n == 1 ? "it" : "them");
    return app_ask(app, DIALOG_CONFIRM, "leave the form", text, NULL, NULL, answer_leave);
}

/* ---- lists that grow and shrink ---- */

static void select_row(struct form_view *v, const char *path)
{
    int at = form_find(&v->form, path);
    v->list.count = (int)v->form.n_rows;
    if (at >= 0)
        v->list.selected = at;
}

/* The first argument of a new item that must be given, else the item. */
static void select_new(struct form_view *v, const char *path)
{
    size_t length = strlen(path);
    select_row(v, path);
    for (size_t i = 0; i < v->form.n_rows; i++) {
        const struct form_row *row = &v->form.rows[i];
        if (!strncmp(row->path, path, length) && row->path[length] == '.' && row->facts.required && !row->given) {
            v->list.selected = (int)i;
            return;
        }
    }
}

static void add_item(struct app *app, struct form_view *v, const char *class)
{
    struct form_item item;
    struct err err = {0};
    char path[256];
    if (!form_item_at(&v->form, selected(v), &item))
        return;
    if (!form_item_add(&v->form, &item, class, path, &err)) {
        app_fail(app, &err);
        return;
    }
    form_view_changed(app, v);
    select_new(v, path);
}

static int pick_item(struct app *app, struct form_view *v)
{
    struct form_item item;
    char title[96];
    if (!form_item_at(&v->form, selected(v), &item))
        return LOOP_NOTHING;
    if (!app->classes) {
        app_say(app, STYLE_WARNING, "the worker has not said yet what there is");
        return LOOP_DRAW;
    }
    snprintf(title, sizeof title, "add to %.60s", item.list);
    picker_open(&v->picker, title, json_object_get(app->classes, item.category));
    return LOOP_DRAW;
}

/* by 0: takes it out. */
static int change_item(struct app *app, struct form_view *v, int by)
{
    struct form_item item;
    struct err err = {0};
    char path[300];
    if (!form_item_at(&v->form, selected(v), &item))
        return LOOP_NOTHING;
    if (!(by ? form_item_move(&v->form, &item, by, &err) : form_item_remove(&v->form, &item, &err)))
        return app_fail(app, &err);
    int at = by ? item.index + by : item.index < item.count - 1 ? item.index : item.index - 1;
    form_view_changed(app, v);
    snprintf(path, sizeof path, "%s[%d]", item.list, at);
    select_row(v, at >= 0 ? path : item.list);
    return LOOP_DRAW;
}

/* ---- keys ---- */

static int move_model(struct form_view *v, enum action action)
{
    struct list list = {.count = 10000, .selected = v->model_top};
    int layers = (int)json_array_size(form_view_layers(v));
    list_action(&list, action, PAGE);
    v->model_top = list.selected > layers - 1 ? (layers ? layers - 1 : 0) : list.selected;
    return LOOP_DRAW;
}

static int tree_action(struct app *app, struct form_view *v, enum action action)
{
    if (list_action(&v->list, action, PAGE))
        return LOOP_DRAW;
    switch (action) {
    case ACTION_EDIT:
        return press(app, v);
    case ACTION_ENQUEUE:
        return form_view_enqueue(app, v);
    case ACTION_FOLD:
        return selected(v)->kind == FORM_GROUP ? fold(app, v, !selected(v)->open) : LOOP_DRAW;
    case ACTION_LEFT:
        return fold(app, v, false);
    case ACTION_RIGHT:
        return selected(v)->kind == FORM_GROUP ? fold(app, v, true) : LOOP_DRAW;
    case ACTION_RESET:
        return take_back(app, v);
    case ACTION_ADD:
        return pick_item(app, v);
    case ACTION_REMOVE:
        return change_item(app, v, 0);
    case ACTION_MOVE_UP:
        return change_item(app, v, -1);
    case ACTION_MOVE_DOWN:
        return change_item(app, v, 1);
    default:
        return LOOP_NOTHING;
    }
}

static int form_action(struct app *app, void *state, enum action action)
{
    struct form_view *v = state;
    switch (action) {
    case ACTION_NEXT_PANE:
    case ACTION_PREVIOUS_PANE:
        v->on_model = !v->on_model;
        return LOOP_DRAW;
    case ACTION_MAXIMISE:
        v->alone = !v->alone;
        return LOOP_DRAW;
    default:
        break;
    }
    if (leads_away(action))
        return leave(app, v, action);
    if (!v->on_model)
        return tree_action(app, v, action);
    bool moves = action >= ACTION_UP && action <= ACTION_BOTTOM;
    return moves ? move_model(v, action) : LOOP_NOTHING;
}

/* A click selects, one on what is selected presses it; the wheel moves. */
static int mouse(struct app *app, struct form_view *v, const struct event *event)
{
    int line = event->y - v->tree.y;
    if (v->editing)
        return LOOP_NOTHING;
    if (event->action == MOUSE_WHEEL_UP || event->action == MOUSE_WHEEL_DOWN) {
        list_action(&v->list, event->action == MOUSE_WHEEL_UP ? ACTION_UP : ACTION_DOWN, PAGE);
        return LOOP_DRAW;
    }
    if (event->action != MOUSE_PRESS || !rect_has(v->tree, event->x, event->y) || line >= FORM_MOST_LINES ||
        v->row_at[line] < 0)
        return LOOP_NOTHING;
    v->on_model = false;
    if (v->list.selected == v->row_at[line])
        return press(app, v);
    v->list.selected = v->row_at[line];
    return LOOP_DRAW;
}

static int form_event(struct app *app, void *state, const struct event *event)
{
    struct form_view *v = state;
    if (event->kind == EVENT_TICK)
        return form_view_tick(app, v);
    if (v->picker.open) {
        const char *class = NULL;
        if (picker_event(&v->picker, event, &class))
            add_item(app, v, class);
        return LOOP_DRAW;
    }
    if (event->kind == EVENT_MOUSE)
        return mouse(app, v, event);
    if (!v->editing)
        return LOOP_NOTHING;
    switch (edit_event(&v->edit, event)) {
    case EDIT_DONE:
        v->editing = !accept(app, v, edit_text(&v->edit));
        return LOOP_DRAW;
    case EDIT_CANCELLED:
        v->editing = false;
        return LOOP_DRAW;
    case EDIT_CHANGED:
    case EDIT_MOVED:
        return LOOP_DRAW;
    case EDIT_IGNORED:
        break;
    }
    return LOOP_NOTHING;
}

/* ---- drawing ---- */

static const char *title_of(const struct app *app, const struct form_view *v, char *text, size_t size)
{
    const struct run_summary *run = app_find_run(app, v->run);
    const char *name = run ? run->name : v->run;
    if (v->source == FORM_OF_CHECKPOINT)
        snprintf(text, size, "branch of %s at epoch %lld", name, (long long)v->epoch);
    else if (v->source == FORM_OF_WAITING)
        snprintf(text, size, "%s, before it starts", name);
    else
        snprintf(text, size, "new run from %s", v->source == FORM_OF_RUN ? name : path_name(v->path));
    return text;
}

static void form_view_draw(const struct app *app, const void *state, struct grid *grid, struct rect rect)
{
    struct form_view *v = (struct form_view *)state; /* scroll positions follow the size */
    char title[1100], right[64] = "";
    size_t n = form_view_changes(v);
    if (n)
        snprintf(right, sizeof right, "%zu changed", n);
    app_header(app, grid, &rect, title_of(app, v, title, sizeof title), right);
    struct rect foot = rect_bottom(&rect, rect.h >= 20 ? FOOT_ROWS : SMALL_FOOT_ROWS), model = {0};
    bool beside = rect.w >= BESIDE_WIDTH && !v->alone;
    if (beside)
        model = rect_right(&rect, rect.w * 2 / 5 < MODEL_WIDTH ? rect.w * 2 / 5 : MODEL_WIDTH);
    else if (v->on_model)
        model = rect_left(&rect, rect.w);
    if (rect.w)
        form_draw_tree(app, v, grid, rect, !v->on_model);
    if (model.w)
        form_draw_model(app, v, grid, model, v->on_model);
    form_draw_foot(app, v, grid, foot);
    if (v->picker.open)
        picker_draw(&v->picker, grid);
}

const struct screen_view_ops view_form = {
    .name = "form",
    .state_size = sizeof(struct form_view),
    .open = form_open,
    .close = form_close,
    .places = form_places,
    .action = form_action,
    .event = form_event,
    .view = form_view_draw,
};
