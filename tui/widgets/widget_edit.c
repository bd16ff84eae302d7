/* widget_edit.c - see widget_edit.h */
#include "tui/widgets/widget_edit.h"

#include "base/arena.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void edit_release(struct edit *edit)
{
    str_release(&edit->text);
    for (int i = 0; i < edit->n_past; i++)
        free(edit->past[i]);
    free(edit->draft);
    *edit = (struct edit){0};
}

static void replace(struct edit *edit, const char *text)
{
    str_clear(&edit->text);
    str_add(&edit->text, text);
    edit->cursor = edit->text.length;
}

void edit_set(struct edit *edit, const char *text)
{
    replace(edit, text);
    edit->at = edit->n_past;
}

const char *edit_text(const struct edit *edit)
{
    return str_text(&edit->text);
}

void edit_remember(struct edit *edit)
{
    const char *text = edit_text(edit);
    if (!*text || (edit->n_past && !strcmp(edit->past[edit->n_past - 1], text)))
        return;
    if (edit->n_past == EDIT_HISTORY) {
        free(edit->past[0]);
        memmove(edit->past, edit->past + 1, (EDIT_HISTORY - 1) * sizeof *edit->past);
        edit->n_past--;
    }
    edit->past[edit->n_past++] = xstrdup(text);
    edit->at = edit->n_past;
}

static size_t previous(const struct edit *edit, size_t at)
{
    while (at > 0 && (edit_text(edit)[--at] & 0xC0) == 0x80)
        ;
    return at;
}

static size_t next(const struct edit *edit, size_t at)
{
    if (at < edit->text.length)
        at++;
    while (at < edit->text.length && (edit_text(edit)[at] & 0xC0) == 0x80)
        at++;
    return at;
}

static bool in_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (c & 0x80);
}

static size_t word_left(const struct edit *edit, size_t at)
{
    const char *text = edit_text(edit);
    while (at > 0 && !in_word(text[at - 1]))
        at--;
    while (at > 0 && in_word(text[at - 1]))
        at--;
    return at;
}

static size_t word_right(const struct edit *edit, size_t at)
{
    const char *text = edit_text(edit);
    while (at < edit->text.length && !in_word(text[at]))
        at++;
    while (at < edit->text.length && in_word(text[at]))
        at++;
    return at;
}

static enum edit_result erase(struct edit *edit, size_t from, size_t to)
{
    if (from == to)
        return EDIT_MOVED;
    memmove(edit->text.data + from, edit->text.data + to, edit->text.length - to + 1);
    edit->text.length -= to - from;
    edit->cursor = from;
    return EDIT_CHANGED;
}

static enum edit_result insert(struct edit *edit, const char *bytes, size_t n)
{
    enum { MAX_BYTES = 65536 };
    if (n == 0 || edit->text.length + n > MAX_BYTES)
        return EDIT_MOVED;
    char *tail = xstrdup(edit_text(edit) + edit->cursor);
    edit->text.length = edit->cursor;
    str_add_bytes(&edit->text, bytes, n);
    edit->cursor += n;
    str_add(&edit->text, tail);
    free(tail);
    return EDIT_CHANGED;
}

static enum edit_result insert_character(struct edit *edit, int ch)
{
    static const int lead[] = {0, 0xC0, 0xE0, 0xF0};
    int more = ch >= 0x10000 ? 3 : ch >= 0x800 ? 2 : ch >= 0x80 ? 1 : 0, n = 0;
    char bytes[4];
    bytes[n++] = (char)(lead[more] | ch >> (6 * more));
    while (more-- > 0)
        bytes[n++] = (char)(0x80 | (ch >> (6 * more) & 0x3F));
    return insert(edit, bytes, (size_t)n);
}

static enum edit_result recall(struct edit *edit, int at)
{
    if (at < 0 || at > edit->n_past || at == edit->at)
        return EDIT_MOVED;
    if (edit->at == edit->n_past) {
        free(edit->draft);
        edit->draft = xstrdup(edit_text(edit));
    }
    edit->at = at;
    replace(edit, at < edit->n_past ? edit->past[at] : edit->draft);
    return EDIT_CHANGED;
}

static enum edit_result paste(struct edit *edit, const char *text)
{
    char *line = xstrdup(text);
    for (char *c = line; *c; c++)
        if (*c == '\n' || *c == '\t')
            *c = ' ';
    enum edit_result result = insert(edit, line, strlen(line));
    free(line);
    return result;
}

static enum edit_result move_to(struct edit *edit, size_t at)
{
    edit->cursor = at;
    return EDIT_MOVED;
}

enum edit_result edit_event(struct edit *edit, const struct event *event)
{
    if (event->kind == EVENT_PASTE)
        return paste(edit, event->text);
    if (event->kind != EVENT_KEY)
        return EDIT_IGNORED;
    switch (event->key) {
    case K_ENTER:
        return EDIT_DONE;
    case K_ESC:
    case K_CTRL | 'g':
    case K_CTRL | 'c':
        return EDIT_CANCELLED;
    case K_LEFT:
    case K_CTRL | 'b':
        return move_to(edit, previous(edit, edit->cursor));
    case K_RIGHT:
    case K_CTRL | 'f':
        return move_to(edit, next(edit, edit->cursor));
    case K_HOME:
    case K_CTRL | 'a':
        return move_to(edit, 0);
    case K_END:
    case K_CTRL | 'e':
        return move_to(edit, edit->text.length);
    case K_CTRL | K_LEFT:
    case K_ALT | K_LEFT:
    case K_ALT | 'b':
        return move_to(edit, word_left(edit, edit->cursor));
    case K_CTRL | K_RIGHT:
    case K_ALT | K_RIGHT:
    case K_ALT | 'f':
        return move_to(edit, word_right(edit, edit->cursor));
    case K_BACKSPACE:
        return erase(edit, previous(edit, edit->cursor), edit->cursor);
    case K_DELETE:
    case K_CTRL | 'd':
        return erase(edit, edit->cursor, next(edit, edit->cursor));
    case K_CTRL | 'w':
    case K_ALT | K_BACKSPACE:
        return erase(edit, word_left(edit, edit->cursor), edit->cursor);
    case K_CTRL | 'u':
        return erase(edit, 0, edit->cursor);
    case K_CTRL | 'k':
        return erase(edit, edit->cursor, edit->text.length);
    case K_UP:
        return recall(edit, edit->at - 1);
    case K_DOWN:
        return recall(edit, edit->at + 1);
    default:
        return event->key >= 32 && event->key <= 0x10FFFF ? insert_character(edit, event->key) : EDIT_IGNORED;
    }
}

static int columns_between(const struct edit *edit, const struct grid *grid, size_t from, size_t to)
{
    char *part = xstrndup(edit_text(edit) + from, to - from);
    int columns = grid_columns(grid, part);
    free(part);
    return columns;
}

void edit_draw(const struct edit *edit, struct grid *grid, struct rect rect, bool focused, const char *hint)
{
    size_t from = 0;
    rect.h = rect.h > 1 ? 1 : rect.h;
    grid_fill(grid, rect, STYLE_FIELD, ' ');
    while (columns_between(edit, grid, from, edit->cursor) >= rect.w && from < edit->cursor)
        from = next(edit, from);
    if (edit->text.length == 0 && hint)
        grid_text(grid, rect, 0, 0, STYLE_FAINT, hint);
    else
        grid_text(grid, rect, 0, 0, STYLE_FIELD, edit_text(edit) + from);
    if (focused)
        grid_cursor(grid, rect, columns_between(edit, grid, from, edit->cursor), 0, true);
}
