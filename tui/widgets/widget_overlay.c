/* widget_overlay.c - see widget_overlay.h */
#include "tui/widgets/widget_overlay.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A box in the middle with a title; returns its inside. */
static struct rect open_box(struct grid *grid, int width, int height, const char *title)
{
    struct rect box = rect_center(grid_all(grid), width, height);
    grid_fill(grid, box, STYLE_TEXT, ' ');
    grid_box(grid, box, STYLE_ACCENT);
    struct rect head = {box.x + 2, box.y, box.w - 4, 1};
    if (head.w > 2) {
        int n = grid_text(grid, (struct rect){head.x + 1, head.y, head.w - 2, 1}, 0, 0, STYLE_ACCENT, title);
        grid_put(grid, head, 0, 0, STYLE_TEXT, ' ');
        grid_put(grid, head, n + 1, 0, STYLE_TEXT, ' ');
    }
    return rect_inset(box, 2, 1);
}

void dialog_open(struct dialog *dialog, enum dialog_kind kind, const char *title, const char *text,
                 const char *initial_or_expected)
{
    dialog_close(dialog);
    dialog->kind = kind;
    dialog->open = true;
    snprintf(dialog->title, sizeof dialog->title, "%s", title);
    snprintf(dialog->text, sizeof dialog->text, "%s", text);
    if (kind == DIALOG_BY_NAME)
        snprintf(dialog->expected, sizeof dialog->expected, "%s", initial_or_expected);
    else if (initial_or_expected)
        edit_set(&dialog->edit, initial_or_expected);
}

void dialog_close(struct dialog *dialog)
{
    edit_release(&dialog->edit);
    *dialog = (struct dialog){0};
}

static enum dialog_result text_event(struct dialog *dialog, const struct event *event)
{
    enum edit_result result = edit_event(&dialog->edit, event);
    if (result == EDIT_CHANGED)
        dialog->error[0] = 0;
    if (result == EDIT_CANCELLED)
        return DIALOG_NO;
    if (result != EDIT_DONE)
        return DIALOG_GOES_ON;
    if (dialog->kind == DIALOG_BY_NAME && strcmp(edit_text(&dialog->edit), dialog->expected) != 0) {
        snprintf(dialog->error, sizeof dialog->error, "type '%.150s' to confirm, or Esc", dialog->expected);
        return DIALOG_GOES_ON;
    }
    return DIALOG_YES;
}

enum dialog_result dialog_event(struct dialog *dialog, const struct event *event)
{
    if (dialog->kind == DIALOG_TEXT || dialog->kind == DIALOG_BY_NAME)
        return text_event(dialog, event);
    if (event->kind != EVENT_KEY)
        return DIALOG_GOES_ON;
    if (dialog->kind == DIALOG_MESSAGE)
        return DIALOG_YES;
    if (event->key == 'y' || event->key == 'Y' || event->key == K_ENTER)
        return DIALOG_YES;
    bool no = event->key == 'n' || event->key == 'N' || event->key == 'q' || event->key == K_ESC ||
              event->key == (K_CTRL | 'g') || event->key == (K_CTRL | 'c');
    return no ? DIALOG_NO : DIALOG_GOES_ON;
}

static int rows_of(struct grid *grid, const char *text, int width)
{
    struct grid trial = {.ascii = grid->ascii};
    grid_resize(&trial, width, 40);
    int rows = grid_wrap(&trial, grid_all(&trial), 0, STYLE_TEXT, text);
    grid_release(&trial);
    return rows;
}

void dialog_draw(const struct dialog *dialog, struct grid *grid)
{
    static const char *const foot[] = {[DIALOG_CONFIRM] = "y yes   n no",
                                       [DIALOG_TEXT] = "Enter accept   Esc cancel",
                                       [DIALOG_BY_NAME] = "Enter confirm   Esc cancel",
                                       [DIALOG_MESSAGE] = "any key"};
    bool field = dialog->kind == DIALOG_TEXT || dialog->kind == DIALOG_BY_NAME;
    int width = grid->width - 4 < 68 ? grid->width - 4 : 68, rows = rows_of(grid, dialog->text, width - 4);
    int error_rows = dialog->error[0] ? rows_of(grid, dialog->error, width - 4) : 0;
    struct rect inside = open_box(grid, width, rows + (field ? 2 : 0) + error_rows + 4, dialog->title);
    grid_wrap(grid, inside, 0, STYLE_TEXT, dialog->text);
    if (field)
        edit_draw(&dialog->edit, grid, (struct rect){inside.x, inside.y + rows + 1, inside.w, inside.h > rows + 1},
                  true, NULL);
    if (error_rows)
        grid_wrap(grid, inside, rows + (field ? 2 : 0), STYLE_ERROR, dialog->error);
    grid_text(grid, inside, 0, inside.h - 1, STYLE_FAINT, foot[dialog->kind]);
}

bool help_event(struct help *help, const struct event *event)
{
    if (event->kind == EVENT_MOUSE && (event->action == MOUSE_WHEEL_UP || event->action == MOUSE_WHEEL_DOWN))
        help->top += event->action == MOUSE_WHEEL_UP ? -3 : 3;
    if (event->kind != EVENT_KEY && event->kind != EVENT_PASTE)
        return true;
    if (event->kind == EVENT_KEY && (event->key == K_UP || event->key == K_DOWN)) {
        help->top += event->key == K_UP ? -1 : 1;
        return true;
    }
    if (event->kind == EVENT_KEY && (event->key == K_PGUP || event->key == K_PGDN)) {
        help->top += event->key == K_PGUP ? -10 : 10;
        return true;
    }
    bool empty = help->search.text.length == 0;
    if (event->kind == EVENT_KEY && empty && (event->key == 'q' || event->key == '?' || event->key == K_F1)) {
        help->open = false;
        return false;
    }
    enum edit_result result = edit_event(&help->search, event);
    if (result == EDIT_CHANGED)
        help->top = 0;
    if (result == EDIT_CANCELLED && !empty) {
        edit_set(&help->search, "");
        return true;
    }
    if (result == EDIT_DONE || result == EDIT_CANCELLED) {
        edit_set(&help->search, "");
        help->open = false;
    }
    return help->open;
}

static bool help_wants(const struct keymap *map, enum action action, const char *search, unsigned places)
{
    char keys[96];
    const struct key_row *row = keys_row(action);
    if (!map->key[action][0])
        return false;
    if (*search)
        return strcasestr(row->name, search) || strcasestr(row->help, search) ||
               strstr(keys_of(map, action, keys, sizeof keys), search);
    return row->places & places;
}

/* What is found, in order: what belongs to this place before what works everywhere. */
static int help_order(const struct keymap *map, const char *search, unsigned places, enum action *order)
{
    int n = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int a = 1; a < ACTION_COUNT; a++) {
            bool general = keys_row((enum action)a)->places & (IN_ALL | IN_MOVE);
            if (general == pass && help_wants(map, (enum action)a, search, places))
                order[n++] = (enum action)a;
        }
    return n;
}

/* Columns of the widest keys among them. */
static int keys_width(const struct grid *grid, const struct keymap *map, const enum action *order, int n, int most)
{
    char keys[96];
    int width = 6;
    for (int i = 0; i < n; i++) {
        int columns = grid_columns(grid, keys_of(map, order[i], keys, sizeof keys));
        width = columns > width ? columns : width;
    }
    return width < most ? width : most;
}

void help_draw(struct help *help, struct grid *grid, const struct keymap *map, unsigned places)
{
    enum { WIDEST = 104, WIDEST_KEYS = 22 };
    char title[64], keys[96];
    const char *search = edit_text(&help->search);
    enum action order[ACTION_COUNT];
    int found = help_order(map, search, places, order), width = grid->width - 4 < WIDEST ? grid->width - 4 : WIDEST;
    int wide = keys_width(grid, map, order, found, width < 70 ? width / 3 : WIDEST_KEYS), height[ACTION_COUNT], all = 0;
    for (int i = 0; i < found; i++)
        all += height[i] = rows_of(grid, keys_row(order[i])->help, width - 6 - wide - 2);
    snprintf(title, sizeof title, "help - %d keys %s", found, *search ? "found" : "work here");
    struct rect inside = open_box(grid, width, all + 4 < grid->height - 2 ? all + 4 : grid->height - 2, title);
    struct rect line = rect_top(&inside, 1);
    int x = grid_text(grid, line, 0, 0, STYLE_FAINT, "find ");
    edit_draw(&help->search, grid, (struct rect){line.x + x, line.y, line.w - x, line.h}, true,
              "type to search all keys; Esc closes");
    int highest = found;
    for (int rows = 0; highest > 0 && (rows += height[highest - 1]) <= inside.h;)
        highest--;
    help->top = help->top < 0 ? 0 : help->top > highest ? highest : help->top;
    bool more = help->top < highest;
    for (int i = help->top; i < found && inside.h > 0; i++) {
        struct rect entry = rect_top(&inside, height[i]);
        grid_text(grid, (struct rect){entry.x, entry.y, wide, entry.h}, 0, 0, STYLE_KEY,
                  keys_of(map, order[i], keys, sizeof keys));
        grid_wrap(grid, rect_part(entry, wide + 2, 0, entry.w - wide - 4, entry.h), 0, STYLE_TEXT,
                  keys_row(order[i])->help);
        if (more && !inside.h)
            grid_put(grid, entry, entry.w - 1, entry.h - 1, STYLE_FAINT, 0x25BE);
    }
}

/* A press chooses a line, one beside the menu closes it; the wheel moves. */
static int menu_mouse(struct menu *menu, const struct event *event)
{
    struct rect at = menu->list.drawn;
    int row = menu->list.top + event->y - at.y;
    if (event->action == MOUSE_WHEEL_UP || event->action == MOUSE_WHEEL_DOWN) {
        menu->list.selected += event->action == MOUSE_WHEEL_UP ? -1 : 1;
        list_settle(&menu->list, at.h);
    }
    if (event->action != MOUSE_PRESS)
        return -1;
    bool inside = rect_has(at, event->x, event->y);
    if (inside && row >= menu->list.count)
        return -1;
    menu->open = false;
    if (!inside)
        return -2;
    menu->list.selected = row;
    return row;
}

int menu_event(struct menu *menu, const struct event *event)
{
    static const struct {
        int key, by;
    } moves[] = {{K_UP, -1},    {'k', -1},    {K_DOWN, 1},      {'j', 1},
                 {K_PGUP, -10}, {K_PGDN, 10}, {K_HOME, -10000}, {K_END, 10000}};
    if (event->kind == EVENT_MOUSE)
        return menu_mouse(menu, event);
    if (event->kind != EVENT_KEY)
        return -1;
    if (event->key == K_ENTER && menu->list.count > 0) {
        menu->open = false;
        return menu->list.selected;
    }
    if (event->key == K_ESC || event->key == 'q' || event->key == (K_CTRL | 'g') || event->key == (K_CTRL | 'c')) {
        menu->open = false;
        return -2;
    }
    for (size_t k = 0; k < sizeof moves / sizeof *moves; k++)
        if (moves[k].key == event->key)
            menu->list.selected += moves[k].by;
    list_settle(&menu->list, menu->list.count);
    return -1;
}

void menu_draw(struct menu *menu, struct grid *grid, const char *title, const char *const *lines,
               const char *const *hints, int n)
{
    int width = grid_columns(grid, title) + 8;
    for (int i = 0; i < n; i++) {
        int columns = grid_columns(grid, lines[i]) + 6 + (hints && hints[i] ? grid_columns(grid, hints[i]) + 2 : 0);
        width = columns > width ? columns : width;
    }
    struct rect inside = open_box(grid, width < grid->width - 4 ? width : grid->width - 4,
                                  n + 2 < grid->height - 2 ? n + 2 : grid->height - 2, title);
    menu->list.count = n;
    menu->list.drawn = inside;
    list_settle(&menu->list, inside.h);
    for (int row = 0; row < inside.h && menu->list.top + row < n; row++) {
        int i = menu->list.top + row, hint = hints && hints[i] ? grid_columns(grid, hints[i]) : 0;
        struct rect text = {inside.x, inside.y, inside.w - (hint ? hint + 2 : 0), inside.h};
        grid_text(grid, text, 0, row, STYLE_TEXT, lines[i]);
        if (hint)
            grid_text_right(grid, inside, inside.w, row, STYLE_FAINT, hints[i]);
        if (i == menu->list.selected) {
            grid_flag(grid, (struct rect){inside.x, inside.y + row, inside.w, 1}, CELL_SELECTED);
            grid_cursor(grid, inside, 0, row, false);
        }
    }
}
