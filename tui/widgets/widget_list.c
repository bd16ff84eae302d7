/* widget_list.c - see widget_list.h */
#include "tui/widgets/widget_list.h"

#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 2, LEAST_WORDS = 10 };

/* What a calm list leaves free below. */
static int free_rows(const struct list *list, int rows)
{
    return list->calm ? rows / 2 : 0;
}

void list_settle(struct list *list, int rows)
{
    int last = list->count > 0 ? list->count - 1 : 0;
    list->selected = list->selected < 0 ? 0 : list->selected > last ? last : list->selected;
    int room = free_rows(list, rows), leap = list->follows ? rows / 2 : 0;
    if (list->selected < list->top && !list->waits)
        list->top = list->selected - leap;
    if (rows > 0 && list->selected >= list->top + rows && !list->waits)
        list->top = list->selected - rows + 1 + (leap > room ? leap : room);
    int highest = list->count > rows ? list->count - rows + room : 0;
    list->top = list->top > highest ? highest : list->top < 0 ? 0 : list->top;
}

static int rows_drawn(const struct list *list)
{
    return list->drawn.h > 0 ? list->drawn.h - 1 : 0;
}

bool list_make_room(struct list *list)
{
    int rows = rows_drawn(list), last = list->top + rows - 1;
    if (!list->calm || list->waits || rows < 2 || list->selected != last || list->count != last + 1)
        return false;
    list->top = list->count - rows + free_rows(list, rows);
    return true;
}

bool list_shows_selected(const struct list *list)
{
    return list->selected >= list->top && list->selected < list->top + rows_drawn(list);
}

bool list_action(struct list *list, enum action action, int rows)
{
    int page = rows > 1 ? rows - 1 : 1;
    switch (action) {
    case ACTION_UP:
        list->selected--;
        break;
    case ACTION_DOWN:
        list->selected++;
        break;
    case ACTION_PAGE_UP:
        list->selected -= page;
        break;
    case ACTION_PAGE_DOWN:
        list->selected += page;
        break;
    case ACTION_HALF_UP:
        list->selected -= (page + 1) / 2;
        break;
    case ACTION_HALF_DOWN:
        list->selected += (page + 1) / 2;
        break;
    case ACTION_TOP:
        list->selected = 0;
        break;
    case ACTION_BOTTOM:
        list->selected = list->count - 1;
        break;
    default:
        return false;
    }
    list_settle(list, rows);
    return true;
}

void list_wheel(struct list *list, int by, int rows)
{
    int highest = list->count > rows ? list->count - rows : 0, top = list->top + by;
    list->top = top < 0 ? 0 : top > highest ? highest : top;
    if (list->selected < list->top)
        list->selected = list->top;
    if (list->selected >= list->top + rows)
        list->selected = list->top + rows - 1;
    list_settle(list, rows);
}

struct table { /* one drawing */
    const struct list_column *columns;
    int n, rows, width[LIST_MAX_COLUMNS], whole[LIST_MAX_COLUMNS]; /* whole: columns before the decimal point */
    bool shown[LIST_MAX_COLUMNS];
    struct list_cell *cells; /* rows * n */
};

/* Columns before the point; a text without digits counts as a whole number. */
static int before_point(const struct grid *grid, const char *text)
{
    const char *point = strchr(text, '.');
    return grid_columns(grid, text) - (point ? grid_columns(grid, point) : 0);
}

static bool is_number(const char *text)
{
    return strpbrk(text, "0123456789") != NULL;
}

static void measure_column(struct table *table, const struct grid *grid, int c, bool sorted)
{
    const struct list_column *column = &table->columns[c];
    int widest = 0, behind = 0;
    table->whole[c] = 0;
    for (int r = 0; r < table->rows; r++) {
        const struct list_cell *cell = &table->cells[r * table->n + c];
        int width = grid_columns(grid, cell->text) + (cell->points ? cell->n_points + GAP : 0),
            whole = before_point(grid, cell->text);
        widest = width > widest ? width : widest;
        if (!is_number(cell->text))
            continue;
        table->whole[c] = whole > table->whole[c] ? whole : table->whole[c];
        behind = width - whole > behind ? width - whole : behind;
    }
    int title = grid_columns(grid, column->title) + (sorted ? 2 : 0);
    int width = table->whole[c] + behind;
    width = column->align != LIST_POINT || widest > width ? widest : width;
    if (title > width)
        width = title;
    table->whole[c] = width - behind; /* numbers stand at the right as a block */
    width = width < column->min ? column->min : width;
    table->width[c] = column->max && width > column->max ? column->max : width;
}

static int total_width(const struct table *table)
{
    int total = 0, shown = 0;
    for (int c = 0; c < table->n; c++)
        if (table->shown[c])
            total += table->width[c] + (shown++ ? GAP : 0);
    return total;
}

/* The column of the highest rank that is shown, of the lowest that is not; -1: none. */
static int ranked_column(const struct table *table, bool shown, int above)
{
    int found = -1;
    for (int c = 0; c < table->n; c++) {
        int rank = table->columns[c].rank;
        if (table->shown[c] == shown && rank > above &&
            (found < 0 || (shown ? rank >= table->columns[found].rank : rank < table->columns[found].rank)))
            found = c;
    }
    return found;
}

/* Where a wide one has gone, narrow ones of less weight may still have room. */
static void fit_columns(struct table *table, int room)
{
    for (int drop; total_width(table) > room && (drop = ranked_column(table, true, 0)) >= 0;)
        table->shown[drop] = false;
    for (int rank = 0, back; (back = ranked_column(table, false, rank)) >= 0; rank = table->columns[back].rank) {
        table->shown[back] = true;
        table->shown[back] = total_width(table) <= room;
    }
    for (int c = 0; c < table->n; c++)
        if (table->shown[c] && table->columns[c].grow) {
            int width = table->width[c] + room - total_width(table);
            table->width[c] = width > 0 ? width : 0;
            return;
        }
}

static void draw_points(struct grid *grid, struct rect rect, const struct list_cell *cell)
{
    grid_points(grid, rect, 0, 0, cell->points_style, cell->points, cell->n_points);
    for (int i = 0; cell->track && i < cell->n_points; i++)
        if (cell->points[i] == ' ')
            grid_put(grid, rect, i, 0, STYLE_BORDER, 0xB7);
}

static void draw_cell(struct grid *grid, const struct table *table, struct rect rect, int c,
                      const struct list_cell *cell)
{
    int width = grid_columns(grid, cell->text), x = 0;
    if (cell->points) {
        draw_points(grid, rect, cell);
        if (rect.w - cell->n_points - GAP >= (width < LEAST_WORDS ? width : LEAST_WORDS))
            grid_text(grid, rect, cell->n_points + GAP, 0, cell->style, cell->text);
        return;
    }
    if (table->columns[c].align == LIST_RIGHT || (table->columns[c].align == LIST_POINT && !is_number(cell->text)))
        x = rect.w - width;
    else if (table->columns[c].align == LIST_POINT)
        x = table->whole[c] - before_point(grid, cell->text);
    if (x < 0 || x + width > rect.w)
        x = rect.w - width > 0 ? rect.w - width : 0;
    grid_text(grid, rect, x, 0, cell->style, cell->text);
}

static void draw_title(struct grid *grid, const struct table *table, struct rect rect, int c, bool sorted, bool reverse)
{
    char title[96];
    snprintf(title, sizeof title, "%s%s", table->columns[c].title,
             !sorted   ? ""
             : reverse ? " \xe2\x96\xb4"
                       : " \xe2\x96\xbe");
    if (table->columns[c].align == LIST_LEFT)
        grid_text(grid, rect, 0, 0, STYLE_HEADER, title);
    else
        grid_text_right(grid, rect, rect.w, 0, STYLE_HEADER, title);
}

void list_draw(struct list *list, struct grid *grid, struct rect rect, const struct list_column *columns, int n,
               int sort, bool reverse, bool focused, list_fill *fill, void *context)
{
    BUG_ON(n > LIST_MAX_COLUMNS);
    list->drawn = rect;
    memset(list->title_end, 0, sizeof list->title_end);
    struct rect body = rect, header = rect_top(&body, 1);
    list_settle(list, body.h);
    struct table table = {
        .columns = columns, .n = n, .rows = list->count - list->top < body.h ? list->count - list->top : body.h};
    if (header.h == 0 || table.rows < 0)
        return;
    table.cells = xcalloc((size_t)table.rows * (size_t)n + 1, sizeof *table.cells);
    for (int r = 0; r < table.rows; r++)
        for (int c = 0; c < n; c++)
            fill(context, list->top + r, c, &table.cells[r * n + c]);
    for (int c = 0; c < n; c++) {
        table.shown[c] = true;
        measure_column(&table, grid, c, c == sort);
    }
    fit_columns(&table, rect.w - 1);
    for (int c = 0, x = 0; c < n; c++) {
        if (!table.shown[c])
            continue;
        int width = x + table.width[c] > rect.w - 1 ? rect.w - 1 - x : table.width[c];
        list->title_end[c] = rect.x + x + table.width[c] + GAP;
        draw_title(grid, &table, (struct rect){header.x + x, header.y, width > 0 ? width : 0, 1}, c, c == sort,
                   reverse);
        for (int r = 0; r < table.rows && width > 0; r++)
            draw_cell(grid, &table, (struct rect){body.x + x, body.y + r, width, 1}, c, &table.cells[r * n + c]);
        x += table.width[c] + GAP;
    }
    if (list->top > 0)
        grid_put(grid, header, rect.w - 1, 0, STYLE_FAINT, 0x25B4);
    if (list->top + table.rows < list->count)
        grid_put(grid, body, rect.w - 1, body.h - 1, STYLE_FAINT, 0x25BE);
    if (list->count > 0 && list_shows_selected(list)) {
        struct rect row = {body.x, body.y + list->selected - list->top, body.w, 1};
        grid_flag(grid, row, list->unmarked ? 0 : focused ? CELL_SELECTED : CELL_BOLD);
        if (focused)
            grid_cursor(grid, row, 0, 0, false);
    }
    free(table.cells);
}

int list_hit(const struct list *list, struct rect rect, int x, int y)
{
    int row = list->top + y - rect.y - 1;
    return rect_has(rect, x, y) && y > rect.y && row < list->count ? row : -1;
}

enum list_click list_mouse(struct list *list, const struct event *event)
{
    static const double SOON_S = 0.4;
    if (event->kind != EVENT_MOUSE || !rect_has(list->drawn, event->x, event->y))
        return LIST_MISSED;
    if (event->action == MOUSE_WHEEL_UP || event->action == MOUSE_WHEEL_DOWN) {
        list_wheel(list, event->action == MOUSE_WHEEL_UP ? -3 : 3, list->drawn.h - 1);
        return LIST_MOVED;
    }
    int row = event->action == MOUSE_PRESS && !event->button ? list_hit(list, list->drawn, event->x, event->y) : -1;
    if (row < 0)
        return LIST_MISSED;
    bool again = list->pressed == row + 1 && list->selected == row && event->now - list->pressed_at < SOON_S;
    list->selected = row;
    list->pressed = again ? 0 : row + 1;
    list->pressed_at = event->now;
    return again ? LIST_OPENED : LIST_MOVED;
}

int list_title(const struct list *list, const struct event *event)
{
    if (event->kind != EVENT_MOUSE || event->action != MOUSE_PRESS || event->button ||
        !rect_has(list->drawn, event->x, event->y) || event->y != list->drawn.y)
        return -1;
    for (int c = 0; c < LIST_MAX_COLUMNS; c++)
        if (event->x < list->title_end[c])
            return c;
    return -1;
}
