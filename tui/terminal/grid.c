/* grid.c - see grid.h */
#include "tui/terminal/grid.h"

#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

void grid_resize(struct grid *grid, int width, int height)
{
    grid->width = width < 0 ? 0 : width;
    grid->height = height < 0 ? 0 : height;
    grid->cells = xrealloc(grid->cells, ((size_t)grid->width * (size_t)grid->height + 1) * sizeof *grid->cells);
    grid_clear(grid);
}

void grid_release(struct grid *grid)
{
    free(grid->cells);
    *grid = (struct grid){0};
}

void grid_clear(struct grid *grid)
{
    size_t n = (size_t)grid->width * (size_t)grid->height;
    for (size_t i = 0; i < n; i++)
        grid->cells[i] = (struct cell){.ch = ' '};
    grid->cursor_shown = false;
    grid->cursor_x = grid->cursor_y = 0;
}

struct rect grid_all(const struct grid *grid)
{
    return (struct rect){0, 0, grid->width, grid->height};
}

struct cell *grid_at(const struct grid *grid, int x, int y)
{
    return x >= 0 && y >= 0 && x < grid->width && y < grid->height
               ? &grid->cells[(size_t)y * (size_t)grid->width + (size_t)x]
               : NULL;
}

/* What stands for a symbol where only ASCII can be shown. */
static uint32_t ascii_of(uint32_t ch)
{
    static const struct {
        uint32_t ch;
        char ascii;
    } table[] = {{0x2500, '-'}, {0x2502, '|'}, {0x2504, '-'}, {0x250A, ':'}, {0x2501, '='}, {0x2026, '~'},
                 {0x2014, '-'}, {0x2013, '-'}, {0x00B7, '.'}, {0x2022, '*'}, {0x25B6, '>'}, {0x25B8, '>'},
                 {0x25B4, '^'}, {0x25B2, '^'}, {0x25BE, 'v'}, {0x25BC, 'v'}, {0x25C6, '*'}, {0x25C7, 'o'},
                 {0x25CF, '@'}, {0x25CB, 'o'}, {0x25A0, '#'}, {0x25A1, 'o'}, {0x2713, '+'}, {0x2717, 'x'},
                 {0x00D7, 'x'}, {0x2190, '<'}, {0x2191, '^'}, {0x2192, '>'}, {0x2193, 'v'}, {0x00B1, '~'},
                 {0x0394, 'd'}, {0x2016, '"'}, {0x258F, '|'}, {0x2264, '<'}, {0x2265, '>'}, {0x221E, '8'},
                 {0x23F8, '"'}, {0x00B6, '$'}};
    if (ch < 0x7F)
        return ch;
    for (size_t k = 0; k < sizeof table / sizeof *table; k++)
        if (table[k].ch == ch)
            return (uint32_t)table[k].ascii;
    return ch >= 0x250C && ch <= 0x254B ? '+' : ch >= 0x2580 && ch <= 0x2593 ? '#' : '?';
}

/* Writes one character of 1 or 2 columns; whatever wide character it cuts becomes a blank. */
static void write_cell(struct grid *grid, int x, int y, enum style style, uint32_t ch, int columns)
{
    struct cell *cell = grid_at(grid, x, y), *right = grid_at(grid, x + columns, y);
    if (!cell)
        return;
    if (cell->ch == 0 && x > 0)
        cell[-1].ch = ' ';
    if (right && right->ch == 0)
        right->ch = ' ';
    cell[0] = (struct cell){.ch = ch, .style = (uint8_t)style};
    if (columns == 2 && grid_at(grid, x + 1, y))
        cell[1] = (struct cell){.ch = 0, .style = (uint8_t)style};
    else if (columns == 2)
        cell->ch = ' ';
}

void grid_put(struct grid *grid, struct rect rect, int x, int y, enum style style, uint32_t ch)
{
    if (x >= 0 && y >= 0 && x < rect.w && y < rect.h)
        write_cell(grid, rect.x + x, rect.y + y, style, grid->ascii ? ascii_of(ch) : ch, 1);
}

/* The next character of valid UTF-8 and its columns; zero-width ones give 0. */
static uint32_t next_char(const struct grid *grid, const char **text, int *columns)
{
    const unsigned char *s = (const unsigned char *)*text;
    uint32_t ch = *s++;
    int more = ch >= 0xF0 ? 3 : ch >= 0xE0 ? 2 : ch >= 0xC0 ? 1 : 0;
    ch = more == 3 ? ch & 7 : more == 2 ? ch & 15 : more == 1 ? ch & 31 : ch;
    while (more-- > 0 && *s)
        ch = ch << 6 | (*s++ & 0x3F);
    *text = (const char *)s;
    *columns = 1;
    if (ch < 0x7F)
        return ch;
    int width = wcwidth((wchar_t)ch);
    if (grid->ascii) {
        *columns = width == 0 ? 0 : 1;
        return ascii_of(ch);
    }
    *columns = width < 0 ? 1 : width;
    return width < 0 ? '?' : ch;
}

/* Most text needs no cleaning: plain printable ASCII. */
static const char *visible_text(const char *text, struct str *clean)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7F) {
            str_add_visible(clean, text);
            return str_text(clean);
        }
    return text;
}

int grid_columns(const struct grid *grid, const char *text)
{
    struct str clean = {0};
    int total = 0, columns;
    for (const char *c = visible_text(text, &clean); *c; total += columns)
        next_char(grid, &c, &columns);
    str_release(&clean);
    return total;
}

int grid_text(struct grid *grid, struct rect rect, int x, int y, enum style style, const char *text)
{
    struct str clean = {0};
    const char *c = visible_text(text, &clean);
    int at = x, room = rect.w;
    bool fits = x + grid_columns(grid, c) <= rect.w;
    if (y < 0 || y >= rect.h || x >= rect.w) {
        str_release(&clean);
        return 0;
    }
    while (*c) {
        int columns;
        uint32_t ch = next_char(grid, &c, &columns);
        if (columns == 0)
            continue;
        if (at + columns > room - !fits) { /* the last column is for the ellipsis */
            grid_put(grid, rect, at, y, style, 0x2026);
            at++;
            break;
        }
        if (at >= 0)
            write_cell(grid, rect.x + at, rect.y + y, style, ch, columns);
        at += columns;
    }
    str_release(&clean);
    return at - x;
}

int grid_textf(struct grid *grid, struct rect rect, int x, int y, enum style style, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return grid_text(grid, rect, x, y, style, text);
}

int grid_text_right(struct grid *grid, struct rect rect, int right, int y, enum style style, const char *text)
{
    int x = right - grid_columns(grid, text);
    return grid_text(grid, rect, x < 0 ? 0 : x, y, style, text);
}

int grid_wrap(struct grid *grid, struct rect rect, int y, enum style style, const char *text)
{
    int row = y, x = 0;
    char word[512];
    while (*text && row < rect.h) {
        size_t n = strcspn(text, " \n");
        snprintf(word, sizeof word, "%.*s", (int)(n < sizeof word ? n : sizeof word - 1), text);
        int columns = grid_columns(grid, word);
        if (x > 0 && x + columns > rect.w)
            x = 0, row++;
        x += grid_text(grid, rect, x, row, style, word) + 1;
        text += n;
        if (*text == '\n')
            x = 0, row++;
        text += *text != 0;
    }
    return row - y + (x > 0);
}

void grid_fill(struct grid *grid, struct rect rect, enum style style, uint32_t ch)
{
    for (int y = 0; y < rect.h; y++)
        for (int x = 0; x < rect.w; x++)
            grid_put(grid, rect, x, y, style, ch);
}

void grid_flag(struct grid *grid, struct rect rect, uint8_t flags)
{
    for (int y = rect.y; y < rect.y + rect.h; y++)
        for (int x = rect.x; x < rect.x + rect.w; x++) {
            struct cell *cell = grid_at(grid, x, y);
            if (cell)
                cell->flags |= flags;
        }
}

void grid_box(struct grid *grid, struct rect rect, enum style style)
{
    for (int x = 1; x < rect.w - 1; x++) {
        grid_put(grid, rect, x, 0, style, 0x2500);
        grid_put(grid, rect, x, rect.h - 1, style, 0x2500);
    }
    for (int y = 1; y < rect.h - 1; y++) {
        grid_put(grid, rect, 0, y, style, 0x2502);
        grid_put(grid, rect, rect.w - 1, y, style, 0x2502);
    }
    grid_put(grid, rect, 0, 0, style, 0x250C);
    grid_put(grid, rect, rect.w - 1, 0, style, 0x2510);
    grid_put(grid, rect, 0, rect.h - 1, style, 0x2514);
    grid_put(grid, rect, rect.w - 1, rect.h - 1, style, 0x2518);
}

void grid_rule(struct grid *grid, struct rect rect, const char *title, bool focused)
{
    for (int x = 0; x < rect.w; x++)
        grid_put(grid, rect, x, 0, STYLE_BORDER, 0x2500);
    if (!title || !*title || rect.w < 6)
        return;
    struct rect inner = rect_part(rect, 4, 0, rect.w - 6, 1);
    int n = grid_text(grid, inner, 0, 0, focused ? STYLE_ACCENT : STYLE_TITLE, title);
    grid_put(grid, rect, 3, 0, STYLE_BORDER, ' ');
    grid_put(grid, rect, 4 + n, 0, STYLE_BORDER, ' ');
}

void grid_cursor(struct grid *grid, struct rect rect, int x, int y, bool shown)
{
    if (x < 0 || y < 0 || x >= rect.w || y >= rect.h || !grid_at(grid, rect.x + x, rect.y + y))
        return;
    grid->cursor_x = rect.x + x;
    grid->cursor_y = rect.y + y;
    grid->cursor_shown = shown;
}

void grid_chart(struct grid *grid, struct rect rect, const struct chart *chart, enum rung rung)
{
    if (rect.w <= 0 || rect.h <= 0)
        return;
    size_t n = (size_t)rect.w * (size_t)rect.h;
    struct chart_cell *cells = xcalloc(n, sizeof *cells);
    chart_draw(chart, grid->ascii ? RUNG_ASCII : rung, cells, rect.w, rect.h, rect.w);
    for (size_t i = 0; i < n; i++)
        grid_put(grid, rect, (int)(i % (size_t)rect.w), (int)(i / (size_t)rect.w), theme_chart_style(cells[i].style),
                 cells[i].ch);
    free(cells);
}

void grid_tiles(struct grid *grid, struct rect rect, const struct tile_cell *cells, int rows, int cols)
{
    for (int y = 0; y < rows && y < rect.h; y++)
        for (int x = 0; x < cols && x < rect.w; x++) {
            const struct tile_cell *from = &cells[y * cols + x];
            struct cell *cell = grid_at(grid, rect.x + x, rect.y + y);
            grid_put(grid, rect, x, y, from->colored ? STYLE_IMAGE : STYLE_TEXT, from->ch);
            if (cell && from->colored)
                cell->ink = from->ink, cell->ground = from->ground;
        }
}

void grid_points(struct grid *grid, struct rect rect, int x, int y, enum style style, const uint32_t *points, int n)
{
    for (int i = 0; i < n; i++)
        grid_put(grid, rect, x + i, y, style, points[i]);
}

static void add_utf8(struct str *out, uint32_t ch)
{
    int more = ch >= 0x10000 ? 3 : ch >= 0x800 ? 2 : ch >= 0x80 ? 1 : 0;
    static const uint8_t lead[] = {0, 0xC0, 0xE0, 0xF0};
    str_add_char(out, (char)(lead[more] | ch >> (6 * more)));
    while (more-- > 0)
        str_add_char(out, (char)(0x80 | (ch >> (6 * more) & 0x3F)));
}

static void dump(const struct grid *grid, bool styles, struct str *out)
{
    for (int y = 0; y < grid->height; y++) {
        const struct cell *row = &grid->cells[(size_t)y * (size_t)grid->width];
        int end = grid->width;
        while (end > 0 && (styles ? !row[end - 1].style && !row[end - 1].flags : row[end - 1].ch == ' '))
            end--;
        for (int x = 0; x < end; x++) {
            const uint32_t ch = row[x].ch;
            if (styles)
                str_add_char(out,
                             row[x].flags & CELL_SELECTED ? (char)('A' + row[x].style) : (char)('a' + row[x].style));
            else if (ch)
                add_utf8(out, ch);
        }
        str_add_char(out, '\n');
    }
}

void grid_dump(const struct grid *grid, struct str *out)
{
    dump(grid, false, out);
}

void grid_dump_styles(const struct grid *grid, struct str *out)
{
    dump(grid, true, out);
}

bool grid_equal(const struct grid *a, const struct grid *b)
{
    return a->width == b->width && a->height == b->height && a->cursor_shown == b->cursor_shown &&
           a->cursor_x == b->cursor_x && a->cursor_y == b->cursor_y &&
           !memcmp(a->cells, b->cells, (size_t)a->width * (size_t)a->height * sizeof *a->cells);
}

void grid_copy(struct grid *dst, const struct grid *src)
{
    size_t n = (size_t)src->width * (size_t)src->height;
    struct cell *cells = xrealloc(dst->cells, (n + 1) * sizeof *cells);
    memcpy(cells, src->cells, n * sizeof *cells);
    *dst = *src;
    dst->cells = cells;
}
