/* app_overlay.c - what lies over a view: questions, menus, the command palette, help. */
#include "tui/app/app_parts.h"

#include <stdio.h>
#include <string.h>

int app_ask(struct app *app, enum dialog_kind kind, const char *title, const char *text, const char *initial,
            const char *subject, app_answer *answer)
{
    dialog_open(&app->dialog, kind, title, text, initial);
    app->answer = answer;
    snprintf(app->subject, sizeof app->subject, "%s", subject ? subject : "");
    return LOOP_DRAW;
}

int app_fail(struct app *app, const struct err *err)
{
    if (strlen(err->text) < 76) {
        app_say(app, STYLE_ERROR, "%s", err->text);
        return LOOP_DRAW;
    }
    return app_ask(app, DIALOG_MESSAGE, "that did not work", err->text, NULL, NULL, NULL);
}

int app_menu(struct app *app, const char *title, int n, app_choice *choice)
{
    snprintf(app->menu_title, sizeof app->menu_title, "%s", title);
    app->menu = (struct menu){.open = true, .list = {.count = n}};
    app->choice = choice;
    app->menu_moved = NULL;
    app->menu_by_key = false;
    return LOOP_DRAW;
}

static int dialog_answered(struct app *app)
{
    struct err err = {0};
    app_answer *answer = app->answer;
    char text[1024], subject[sizeof app->subject];
    snprintf(text, sizeof text, "%s", edit_text(&app->dialog.edit));
    snprintf(subject, sizeof subject, "%s", app->subject);
    struct dialog before = app->dialog;
    app->dialog.open = false; /* an answer may ask the next question */
    if (answer && !answer(app, subject, text, &err)) {
        app->dialog = before;
        snprintf(app->dialog.error, sizeof app->dialog.error, "%s", err.text);
    } else if (!app->dialog.open) {
        dialog_close(&app->dialog);
    }
    return LOOP_DRAW;
}

static int dialog_takes(struct app *app, const struct event *event)
{
    switch (dialog_event(&app->dialog, event)) {
    case DIALOG_YES:
        return dialog_answered(app);
    case DIALOG_NO:
        dialog_close(&app->dialog);
        break;
    case DIALOG_GOES_ON:
        break;
    }
    return LOOP_DRAW;
}

/* The line one of whose keys it is, -1: none. */
static int line_of_key(const struct app *app, const struct event *event)
{
    char key[KEY_TEXT], hints[sizeof app->menu_hints[0]];
    if (!app->menu_by_key || event->kind != EVENT_KEY)
        return -1;
    keys_print(event->key, key);
    for (int i = 0; i < app->menu.list.count; i++) {
        char *rest = NULL;
        snprintf(hints, sizeof hints, "%s", app->menu_hints[i]);
        for (char *word = strtok_r(hints, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
            if (!strcmp(word, key))
                return i;
    }
    return -1;
}

static int menu_takes(struct app *app, const struct event *event)
{
    int before = app->menu.list.selected, line = line_of_key(app, event);
    if (line < 0)
        line = menu_event(&app->menu, event);
    if (app->menu_moved && (line == -2 || app->menu.list.selected != before))
        app->menu_moved(app, line == -2 ? -1 : app->menu.list.selected);
    if (line == -1)
        return LOOP_DRAW;
    app->menu.open = false;
    return line >= 0 ? LOOP_DRAW | app->choice(app, line) : LOOP_DRAW;
}

/* The palette: actions whose name or help contains every word typed. */
static bool palette_matches(const struct key_row *row, const char *typed)
{
    if (!row->places) /* nothing does it yet */
        return false;
    char words[128];
    snprintf(words, sizeof words, "%s", typed);
    char *rest = NULL;
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        if (!strcasestr(row->name, word) && !strcasestr(row->help, word))
            return false;
    return true;
}

static void palette_search(struct app *app)
{
    int n = 0;
    for (int by_name = 1; by_name >= 0; by_name--) /* names that begin so come first */
        for (int a = ACTION_NONE + 1; a < ACTION_COUNT; a++) {
            const struct key_row *row = keys_row((enum action)a);
            bool begins = !strncasecmp(row->name, edit_text(&app->palette), strlen(edit_text(&app->palette)));
            if (begins == (bool)by_name && palette_matches(row, edit_text(&app->palette)))
                app->palette_matches[n++] = (enum action)a;
        }
    app->palette_menu.list.count = n;
    app->palette_menu.list.selected = app->palette_menu.list.top = 0;
}

int app_palette_open(struct app *app)
{
    edit_set(&app->palette, "");
    app->palette_menu.open = true;
    palette_search(app);
    return LOOP_DRAW;
}

static int palette_run(struct app *app)
{
    struct list *list = &app->palette_menu.list;
    app->palette_menu.open = false;
    if (!list->count)
        app_say(app, STYLE_WARNING, "no action is called '%.80s'", edit_text(&app->palette));
    else if (!app_action(app, app->palette_matches[list->selected]))
        app_say(app, STYLE_WARNING, "'%s' does nothing here", keys_row(app->palette_matches[list->selected])->name);
    return LOOP_DRAW | (app->quit ? LOOP_QUIT : 0) | (app->suspend ? LOOP_SUSPEND : 0);
}

static int palette_takes(struct app *app, const struct event *event)
{
    struct list *list = &app->palette_menu.list;
    if (event->kind == EVENT_MOUSE)
        return menu_event(&app->palette_menu, event) >= 0 ? palette_run(app) : LOOP_DRAW;
    if (event->kind == EVENT_KEY && (event->key == K_UP || event->key == K_DOWN)) {
        list_action(list, event->key == K_UP ? ACTION_UP : ACTION_DOWN, 10);
        return LOOP_DRAW;
    }
    switch (edit_event(&app->palette, event)) {
    case EDIT_CHANGED:
        palette_search(app);
        break;
    case EDIT_CANCELLED:
        app->palette_menu.open = false;
        break;
    case EDIT_DONE:
        return palette_run(app);
    default:
        break;
    }
    return LOOP_DRAW;
}

bool app_overlay_event(struct app *app, const struct event *event, int *flags)
{
    if (app->dialog.open)
        *flags |= dialog_takes(app, event);
    else if (app->menu.open)
        *flags |= menu_takes(app, event);
    else if (app->palette_menu.open)
        *flags |= palette_takes(app, event);
    else if (app->help.open) {
        help_event(&app->help, event);
        *flags |= LOOP_DRAW;
    } else
        return false;
    return true;
}

static void palette_draw(struct app *app, struct grid *grid)
{
    int found = app->palette_menu.list.count, width = grid->width < 76 ? grid->width : 76;
    int rows = found > 10 ? 10 : found > 0 ? found : 1;
    struct rect box = rect_center(grid_all(grid), width, rows + 4);
    grid_fill(grid, box, STYLE_TEXT, ' ');
    grid_box(grid, box, STYLE_ACCENT);
    struct rect inside = rect_inset(box, 2, 1);
    struct rect field = rect_top(&inside, 1);
    grid_text(grid, field, 0, 0, STYLE_KEY, ":");
    edit_draw(&app->palette, grid, rect_part(field, 2, 0, field.w - 2, 1), true, "an action");
    rect_top(&inside, 1);
    struct list *list = &app->palette_menu.list;
    list_settle(list, rows);
    list->drawn = inside;
    if (!found)
        grid_text(grid, inside, 0, 0, STYLE_FAINT, "no action is called so");
    for (int i = 0; i < rows && found; i++) {
        enum action action = app->palette_matches[list->top + i];
        const struct key_row *row = keys_row(action);
        char keys[64];
        struct rect line = rect_top(&inside, 1);
        grid_text(grid, rect_part(line, 0, 0, 20, 1), 0, 0, STYLE_TEXT, row->name);
        keys_of(&app->map, action, keys, sizeof keys);
        grid_text(grid, rect_part(line, 21, 0, line.w - 23 - grid_columns(grid, keys), 1), 0, 0, STYLE_FAINT,
                  row->help);
        grid_text_right(grid, line, line.w, 0, STYLE_KEY, keys);
        if (list->top + i == list->selected)
            grid_flag(grid, line, CELL_SELECTED);
    }
}

void app_overlay_draw(struct app *app, struct grid *grid, unsigned places)
{
    if (app->help.open)
        help_draw(&app->help, grid, &app->map, places);
    if (app->palette_menu.open)
        palette_draw(app, grid);
    if (app->menu.open) {
        const char *lines[APP_MAX_MENU], *hints[APP_MAX_MENU];
        for (int i = 0; i < app->menu.list.count; i++) {
            lines[i] = app->menu_lines[i];
            hints[i] = app->menu_hints[i];
        }
        menu_draw(&app->menu, grid, app->menu_title, lines, hints, app->menu.list.count);
    }
    if (app->dialog.open)
        dialog_draw(&app->dialog, grid);
}
