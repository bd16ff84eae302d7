/* widget_page.c - see widget_page.h */
#include "base/arena.h"
#include "tui/widgets/widget_page.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_COLUMNS = 16, SIDE_STEP = 16, COLUMN_GAP = 2 };

void page_clear(struct page *page)
{
    str_clear(&page->text);
    page->n = 0;
    page->found = -1;
}

void page_release(struct page *page)
{
    str_release(&page->text);
    edit_release(&page->search);
    free(page->rows);
    *page = (struct page){0};
}

static const char *row_text(const struct page *page, size_t i)
{
    return page->text.data + page->rows[i].offset;
}

static void add_row(struct page *page, enum style style, int label, const char *text, size_t length)
{
    page->rows = xgrow(page->rows, &page->capacity, page->n + 1, sizeof *page->rows);
    page->rows[page->n++] = (struct page_row){page->text.length, (uint8_t)style, (uint8_t)label};
    str_add_bytes(&page->text, text, length);
    str_add_char(&page->text, 0);
}

void page_line(struct page *page, enum style style, const char *text)
{
    for (;;) {
        size_t length = strcspn(text, "\n");
        add_row(page, style, 0, text, length);
        if (!text[length])
            return;
        text += length + 1;
    }
}

void page_linef(struct page *page, enum style style, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    page_line(page, style, text);
}

static int columns_of(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

void page_field(struct page *page, int indent, const char *label, int column, enum style style, const char *text)
{
    struct str line = {0};
    int width = label ? columns_of(label) : 0, pad = !label ? 0 : column > width + 1 ? column - width : 2;
    str_addf(&line, "%*s%s%*s%s", indent, "", label ? label : "", pad, "", text);
    add_row(page, style, label ? indent + width : 0, str_text(&line), line.length);
    str_release(&line);
}

void page_fieldf(struct page *page, int indent, const char *label, int column, enum style style, const char *format,
                 ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    page_field(page, indent, label, column, style, text);
}

void page_fact(struct page *page, const char *label, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    page_field(page, 0, label, LABEL_COLUMNS + 2, STYLE_TEXT, text);
}

void page_head(struct page *page, const char *title)
{
    if (page->n)
        add_row(page, STYLE_TEXT, 0, "", 0);
    page_line(page, STYLE_TITLE, title);
}

/* As many bytes of text as take up to `most` columns. */
static int bytes_within(const char *text, int most)
{
    const char *at = text;
    for (; *at && (most > 0 || ((unsigned char)*at & 0xC0) == 0x80); at++)
        most -= ((unsigned char)at[1] & 0xC0) != 0x80;
    return (int)(at - text);
}

static void add_cell(struct str *line, const char *text, int width, bool right, bool last)
{
    int columns = columns_of(text), pad = width > columns ? width - columns : 0;
    str_addf(line, "%*s", right ? pad : 0, "");
    if (last || columns <= width)
        str_add(line, text);
    else
        str_addf(line, "%.*s…", bytes_within(text, width - 1), text);
    if (!last)
        str_addf(line, "%*s", (right ? 0 : pad) + COLUMN_GAP, "");
}

void page_table(struct page *page, const char *const *cells, int rows, int columns, unsigned right)
{
    for (int row = 0; row < rows; row++) {
        struct str line = {0};
        for (int column = 0; column < columns; column++) {
            int width = 0;
            for (int k = 0; k < rows; k++)
                width =
                    columns_of(cells[k * columns + column]) > width ? columns_of(cells[k * columns + column]) : width;
            bool last = column + 1 == columns;
            add_cell(&line, cells[row * columns + column], width < PAGE_COLUMN_MOST || last ? width : PAGE_COLUMN_MOST,
                     right >> column & 1, last);
        }
        page_line(page, row ? STYLE_TEXT : STYLE_HEADER, str_text(&line));
        str_release(&line);
    }
}

static int last_top(const struct page *page)
{
    int last = (int)page->n - (page->height > 0 ? page->height : 1);
    return last > 0 ? last : 0;
}

static int settled_top(const struct page *page)
{
    int last = last_top(page);
    return page->follow || page->top > last ? last : page->top < 0 ? 0 : page->top;
}

static void find_from(struct page *page, long first)
{
    const char *wanted = edit_text(&page->search);
    page->found = -1;
    for (size_t k = 0; *wanted && k < page->n && page->found < 0; k++) {
        size_t i = ((size_t)first + k) % page->n;
        if (strcasestr(row_text(page, i), wanted))
            page->found = (long)i;
    }
    if (page->found >= 0) {
        page->follow = false;
        page->top = (int)page->found - page->height / 3;
    }
}

void page_scroll(struct page *page, int by)
{
    page->top = settled_top(page) + by;
    page->follow = by > 0 && page->top >= last_top(page);
    page->top = settled_top(page);
}

bool page_action(struct page *page, enum action action)
{
    int rows = page->height > 1 ? page->height : 2, by = 0;
    switch (action) {
    case ACTION_UP:
        by = -1;
        break;
    case ACTION_DOWN:
        by = 1;
        break;
    case ACTION_PAGE_UP:
        by = 1 - rows;
        break;
    case ACTION_PAGE_DOWN:
        by = rows - 1;
        break;
    case ACTION_HALF_UP:
        by = -rows / 2;
        break;
    case ACTION_HALF_DOWN:
        by = rows / 2;
        break;
    case ACTION_TOP:
        by = -(int)page->n;
        break;
    case ACTION_BOTTOM:
        by = (int)page->n;
        break;
    case ACTION_LEFT:
        page->left = page->left > SIDE_STEP ? page->left - SIDE_STEP : 0;
        return true;
    case ACTION_RIGHT:
        page->left += SIDE_STEP;
        return true;
    case ACTION_SEARCH:
        page->searching = true;
        return true;
    default:
        return false;
    }
    page_scroll(page, by);
    return true;
}

bool page_event(struct page *page, const struct event *event)
{
    if (event->kind == EVENT_MOUSE && (event->action == MOUSE_WHEEL_UP || event->action == MOUSE_WHEEL_DOWN)) {
        page_scroll(page, event->action == MOUSE_WHEEL_UP ? -3 : 3);
        return true;
    }
    if (!page->searching)
        return false;
    switch (edit_event(&page->search, event)) {
    case EDIT_CHANGED:
        find_from(page, settled_top(page));
        return true;
    case EDIT_DONE:
        find_from(page, page->found + 1);
        return true;
    case EDIT_CANCELLED:
        page->searching = false;
        page->found = -1;
        return true;
    case EDIT_MOVED:
        return true;
    case EDIT_IGNORED:
        break;
    }
    return false;
}

/* The text behind its first n characters. */
static const char *skip_columns(const char *text, int n)
{
    for (; n > 0 && *text; n--)
        for (text++; ((unsigned char)*text & 0xC0) == 0x80; text++)
            ;
    return text;
}

static void mark_match(const struct page *page, struct grid *grid, struct rect row, const char *text)
{
    const char *wanted = edit_text(&page->search), *at = text;
    while (*wanted && (at = strcasestr(at, wanted))) {
        char before[2048];
        snprintf(before, sizeof before, "%.*s", (int)(at - text), text);
        struct rect found = {row.x + grid_columns(grid, before), row.y, grid_columns(grid, wanted), 1};
        if (found.x + found.w <= row.x + row.w)
            grid_flag(grid, found, CELL_REVERSE);
        at += strlen(wanted);
    }
}

static void draw_bar(const struct page *page, struct grid *grid, struct rect rect, int top)
{
    int length = rect.h * rect.h / (int)page->n, hidden = last_top(page);
    length = length < 1 ? 1 : length;
    int at = (rect.h - length) * top / hidden;
    for (int i = 0; i < length; i++)
        grid_put(grid, rect, rect.w - 1, at + i, STYLE_BORDER, 0x2502);
}

void page_draw(const struct page *page, struct grid *grid, struct rect rect)
{
    if (page->searching) {
        struct rect foot = rect_bottom(&rect, 1);
        bool missing = page->search.text.length && page->found < 0;
        grid_text(grid, foot, 0, 0, STYLE_KEY, "/");
        edit_draw(&page->search, grid, rect_part(foot, 1, 0, foot.w / 2, 1), true, "text");
        grid_text_right(grid, foot, foot.w - 1, 0, missing ? STYLE_ERROR : STYLE_FAINT,
                        missing ? "not there" : "Enter next, Esc ends");
    }
    ((struct page *)page)->height = rect.h; /* how far a page is follows the size */
    int top = settled_top(page);
    if (page->bar && last_top(page) > 0 && rect.h > 1) {
        draw_bar(page, grid, rect, top);
        rect.w--;
    }
    for (int y = 0; y < rect.h && (size_t)(top + y) < page->n; y++) {
        const struct page_row *row = &page->rows[top + y];
        const char *text = skip_columns(row_text(page, (size_t)(top + y)), page->left);
        struct rect line = {rect.x, rect.y + y, rect.w, 1};
        grid_text(grid, line, 0, 0, (enum style)row->style, text);
        for (int x = 0; x < row->label - page->left && x < rect.w; x++) {
            struct cell *cell = grid_at(grid, line.x + x, line.y);
            if (cell)
                cell->style = STYLE_FAINT;
        }
        if (page->searching)
            mark_match(page, grid, line, text);
    }
}
