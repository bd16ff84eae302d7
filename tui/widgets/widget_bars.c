/* widget_bars.c - see widget_bars.h */
#include "tui/widgets/widget_bars.h"

#include <stdio.h>
#include <string.h>

static int tab_width(const struct grid *grid, const char *name)
{
    return grid_columns(grid, name) + 4; /* "─ name ┬" */
}

/* The first one that is drawn. */
static int first_tab(const struct grid *grid, int room, const char *const *names, int active)
{
    int first = active, width = active >= 0 ? tab_width(grid, names[active]) : 0;
    while (first > 0 && width + tab_width(grid, names[first - 1]) <= room)
        width += tab_width(grid, names[--first]);
    return first > 0 ? first : 0;
}

void tabs_draw(struct grid *grid, struct rect rect, const char *const *names, int n, int active, bool focused)
{
    for (int x = 0; x < rect.w; x++)
        grid_put(grid, rect, x, 0, STYLE_BORDER, 0x2500);
    for (int k = first_tab(grid, rect.w, names, active), x = 0; k < n && x + tab_width(grid, names[k]) <= rect.w;
         x += tab_width(grid, names[k++])) {
        enum style style = k == active ? (focused ? STYLE_ACCENT : STYLE_STRONG) : STYLE_FAINT;
        int width = grid_text(grid, rect, x + 2, 0, style, names[k]);
        grid_put(grid, rect, x + 1, 0, STYLE_BORDER, ' ');
        grid_put(grid, rect, x + 2 + width, 0, STYLE_BORDER, ' ');
        if (k + 1 < n)
            grid_put(grid, rect, x + 3 + width, 0, STYLE_BORDER, 0x252C);
    }
}

int tabs_hit(const struct grid *grid, struct rect rect, const char *const *names, int n, int active, int x)
{
    int at = rect.x;
    for (int k = first_tab(grid, rect.w, names, active); k < n; at += tab_width(grid, names[k++]))
        if (x >= at && x < at + tab_width(grid, names[k]) && at + tab_width(grid, names[k]) <= rect.x + rect.w)
            return k;
    return -1;
}

static enum action next_by_rank(const struct keymap *map, unsigned places, int behind)
{
    enum action best = ACTION_NONE;
    for (int a = 1; a < ACTION_COUNT; a++) {
        const struct key_row *row = keys_row((enum action)a);
        if ((row->places & places) && row->rank > behind && map->key[a][0] &&
            (!best || row->rank < keys_row(best)->rank))
            best = (enum action)a;
    }
    return best;
}

enum { HINT_TEXT = 48 };

/* "try other settings|try": the long word, or where there is little room the short one. */
static const char *hint_word(enum action action, bool narrow, char text[HINT_TEXT])
{
    const char *word = keys_row(action)->word, *bar = strchr(word, '|');
    if (bar && narrow)
        return bar + 1;
    snprintf(text, HINT_TEXT, "%.*s", (int)(bar ? bar - word : HINT_TEXT), word);
    return text;
}

static int draw_hint(struct grid *grid, struct rect rect, const struct keymap *map, enum action action, bool narrow,
                     int x)
{
    char key[KEY_TEXT], word[HINT_TEXT];
    x += grid_text(grid, rect, x, 0, STYLE_KEY, keys_print(map->key[action][0], key)) + 1;
    return x + grid_text(grid, rect, x, 0, STYLE_TEXT, hint_word(action, narrow, word)) + 2;
}

static int hint_width(const struct grid *grid, const struct keymap *map, enum action action, bool narrow)
{
    char key[KEY_TEXT], word[HINT_TEXT];
    return grid_columns(grid, keys_print(map->key[action][0], key)) + 1 +
           grid_columns(grid, hint_word(action, narrow, word)) + 2;
}

void footer_draw(struct grid *grid, struct rect rect, const struct keymap *map, unsigned places, const char *left,
                 enum style left_style, const char *right)
{
    enum { AT_MOST = 8, NARROW = 80 };
    bool narrow = rect.w < NARROW;
    int room = rect.w - 1, x = 1;
    if (right && *right && grid_columns(grid, right) + 2 < rect.w / 2) {
        grid_text_right(grid, rect, rect.w - 1, 0, STYLE_FAINT, right);
        room -= grid_columns(grid, right) + 2;
    }
    struct rect inner = {rect.x, rect.y, room, rect.h};
    if (left && *left) {
        grid_text(grid, inner, x, 0, left_style, left);
        return;
    }
    int help = hint_width(grid, map, ACTION_HELP, narrow); /* help is always there */
    enum action action = next_by_rank(map, places & ~0u, 0);
    for (int n = 1; action && n < AT_MOST; action = next_by_rank(map, places, keys_row(action)->rank)) {
        if (action == ACTION_HELP || x + hint_width(grid, map, action, narrow) + help > room + 2)
            continue;
        x = draw_hint(grid, inner, map, action, narrow, x);
        n++;
    }
    draw_hint(grid, inner, map, ACTION_HELP, narrow, x);
}

void progress_draw(struct grid *grid, struct rect rect, double share, const char *text)
{
    uint32_t bar[64];
    char percent[16] = "   ";
    int width = rect.w / 2 < 40 ? rect.w / 2 : 40;
    if (rect.h < 1 || width < 4) {
        grid_text(grid, rect, 0, 0, STYLE_TEXT, text);
        return;
    }
    tile_bar(share, grid->ascii, bar, width);
    for (int i = 0; i < width; i++)
        grid_put(grid, rect, i, 0, bar[i] == ' ' ? STYLE_BORDER : STYLE_ACCENT, bar[i] == ' ' ? 0xB7 : bar[i]);
    if (share >= 0)
        snprintf(percent, sizeof percent, "%3.0f %%", share >= 1 ? 100.0 : share * 100 > 99 ? 99.0 : share * 100);
    int x = width + 1 + grid_text(grid, rect, width + 1, 0, STYLE_STRONG, percent);
    grid_text(grid, rect, x + 2, 0, STYLE_TEXT, text);
}
