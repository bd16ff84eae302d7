/* keys.c - see keys.h */
#include "tui/terminal/keys.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct key_row rows[ACTION_COUNT] = {[ACTION_NONE] = {"", "", 0, 0, "", ""},
#define X(action, name, keys, places, rank, word, help) [ACTION_##action] = {name, keys, places, rank, word, help},
                                                  KEY_ACTIONS(X)
#undef X
};

static const struct {
    int key;
    const char *name;
} names[] = {{K_TAB, "Tab"}, {K_ENTER, "Enter"}, {K_ESC, "Esc"},   {K_SPACE, "Space"},   {K_BACKSPACE, "Backspace"},
             {K_UP, "Up"},   {K_DOWN, "Down"},   {K_LEFT, "Left"}, {K_RIGHT, "Right"},   {K_HOME, "Home"},
             {K_END, "End"}, {K_PGUP, "PgUp"},   {K_PGDN, "PgDn"}, {K_INSERT, "Insert"}, {K_DELETE, "Delete"},
             {K_F1, "F1"},   {K_F2, "F2"},       {K_F3, "F3"},     {K_F4, "F4"},         {K_F5, "F5"},
             {K_F6, "F6"},   {K_F7, "F7"},       {K_F8, "F8"},     {K_F9, "F9"},         {K_F10, "F10"},
             {K_F11, "F11"}, {K_F12, "F12"}};

const struct key_row *keys_row(enum action action)
{
    return &rows[(unsigned)action < ACTION_COUNT ? action : ACTION_NONE];
}

enum action keys_find(const char *name)
{
    for (int a = 1; a < ACTION_COUNT; a++)
        if (!strcmp(rows[a].name, name))
            return (enum action)a;
    return ACTION_NONE;
}

static void print_code_point(int key, char *text)
{
    int more = key >= 0x10000 ? 3 : key >= 0x800 ? 2 : key >= 0x80 ? 1 : 0, n = 0;
    static const int lead[] = {0, 0xC0, 0xE0, 0xF0};
    text[n++] = (char)(lead[more] | key >> (6 * more));
    for (; more > 0; more--)
        text[n++] = (char)(0x80 | (key >> (6 * (more - 1)) & 0x3F));
    text[n] = 0;
}

char *keys_print(int key, char text[KEY_TEXT])
{
    char base[8] = "";
    const char *name = base;
    int plain = key & ~K_MODIFIERS;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        if (names[k].key == plain)
            name = names[k].name;
    if (name == base && plain > 0 && plain <= 0x10FFFF)
        print_code_point((key & K_CTRL) && plain < 128 ? toupper(plain) : plain, base);
    snprintf(text, KEY_TEXT, "%s%s%s%s", key & K_CTRL ? "Ctrl-" : "", key & K_ALT ? "Alt-" : "",
             key & K_SHIFT ? "Shift-" : "", name);
    return text;
}

int keys_parse(const char *text)
{
    static const struct {
        const char *prefix;
        int modifier;
    } prefixes[] = {{"Ctrl-", K_CTRL}, {"Alt-", K_ALT}, {"Shift-", K_SHIFT}};
    int modifiers = 0;
    for (size_t k = 0; k < sizeof prefixes / sizeof *prefixes; k++)
        while (!strncasecmp(text, prefixes[k].prefix, strlen(prefixes[k].prefix))) {
            modifiers |= prefixes[k].modifier;
            text += strlen(prefixes[k].prefix);
            k = 0;
        }
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        if (!strcasecmp(names[k].name, text))
            return names[k].key | modifiers;
    char back[8];
    const unsigned char *s = (const unsigned char *)text;
    int ch = s[0] >= 0xF0 ? s[0] & 7 : s[0] >= 0xE0 ? s[0] & 15 : s[0] >= 0xC0 ? s[0] & 31 : s[0];
    for (int i = 1; i < 4 && s[0] >= 0xC0 && (s[i] & 0xC0) == 0x80; i++)
        ch = ch << 6 | (s[i] & 0x3F);
    if (ch <= 32 || ch == 127 || ch > 0x10FFFF)
        return 0;
    print_code_point(ch, back);
    if (strcmp(back, text) != 0)
        return 0;
    return (modifiers & K_CTRL && ch < 128 ? tolower(ch) : ch) | modifiers;
}

static bool set_keys(struct keymap *map, enum action action, const char *text, char bad[64])
{
    int n = 0;
    memset(map->key[action], 0, sizeof map->key[action]);
    for (text += strspn(text, " \t"); *text; text += strspn(text, " \t")) {
        size_t length = strcspn(text, " \t");
        snprintf(bad, 64, "%.*s", (int)(length < 63 ? length : 63), text);
        int key = keys_parse(bad);
        if (!key || n == KEYS_PER_ACTION)
            return false;
        map->key[action][n++] = key;
        text += length;
    }
    return true;
}

void keys_init(struct keymap *map)
{
    char bad[64];
    *map = (struct keymap){0};
    for (int a = 1; a < ACTION_COUNT; a++)
        BUG_ON(!set_keys(map, (enum action)a, rows[a].keys, bad));
}

enum action keys_action(const struct keymap *map, int key, unsigned places)
{
    for (int a = 1; key && a < ACTION_COUNT; a++)
        for (int k = 0; (rows[a].places & places) && k < KEYS_PER_ACTION; k++)
            if (map->key[a][k] == key)
                return (enum action)a;
    return ACTION_NONE;
}

/* Actions of different places never meet, except those that work everywhere or wherever one can move. */
static bool places_meet(unsigned a, unsigned b)
{
    enum { ALWAYS = IN_ALL | IN_MOVE | IN_SIDEWAYS | IN_RUN | IN_CHECKPOINT | IN_LIVE };
    a |= a & IN_WALK ? IN_CHART : 0;
    b |= b & IN_WALK ? IN_CHART : 0;
    return (a & b) || (a & ALWAYS) || (b & ALWAYS);
}

static bool check_conflicts(const struct keymap *map, const char *file_name, struct err *err)
{
    char text[KEY_TEXT];
    for (int a = 1; a < ACTION_COUNT; a++)
        for (int b = a + 1; b < ACTION_COUNT; b++)
            for (int i = 0; i < KEYS_PER_ACTION * KEYS_PER_ACTION; i++) {
                int key = map->key[a][i / KEYS_PER_ACTION];
                if (key && key == map->key[b][i % KEYS_PER_ACTION] && places_meet(rows[a].places, rows[b].places))
                    return err_set(err, ERR_USAGE, "%s: the key '%s' means both '%s' and '%s'", file_name,
                                   keys_print(key, text), rows[a].name, rows[b].name);
            }
    return true;
}

static bool load_line(struct keymap *map, char *line, const char *file_name, int number, struct err *err)
{
    const char *known[ACTION_COUNT];
    char bad[64];
    char *name = line + strspn(line, " \t"), *equals = strstr(name, " = ");
    if (!*name || *name == '#')
        return true;
    if (!equals)
        return err_set(err, ERR_USAGE, "%s:%d: expected 'action = key ...', found '%.60s'", file_name, number, name);
    *equals = 0;
    name[strcspn(name, " \t")] = 0;
    enum action action = keys_find(name);
    if (!action) {
        for (int a = 0; a < ACTION_COUNT; a++)
            known[a] = rows[a].name;
        const char *nearest = str_nearest(name, known, ACTION_COUNT);
        return err_set(err, ERR_USAGE, "%s:%d: no action '%.60s'%s%s%s", file_name, number, name,
                       nearest ? ", did you mean '" : "", nearest ? nearest : "", nearest ? "'" : "");
    }
    char *comment = strstr(equals + 3, " #");
    if (comment)
        *comment = 0;
    if (!set_keys(map, action, equals + 3, bad))
        return err_set(err, ERR_USAGE, "%s:%d: '%s' is no key, or one too many (at most %d)", file_name, number, bad,
                       KEYS_PER_ACTION);
    return true;
}

bool keys_load(struct keymap *map, const char *text, const char *file_name, struct err *err)
{
    struct keymap changed = *map;
    char line[256];
    for (int number = 1; *text; number++) {
        size_t n = strcspn(text, "\n");
        size_t length = n && text[n - 1] == '\r' ? n - 1 : n;
        if (length >= sizeof line)
            return err_set(err, ERR_USAGE, "%s:%d: the line is too long", file_name, number);
        memcpy(line, text, length);
        line[length] = 0;
        if (!load_line(&changed, line, file_name, number, err))
            return false;
        text += n + (text[n] == '\n');
    }
    if (!check_conflicts(&changed, file_name, err))
        return false;
    *map = changed;
    return true;
}

char *keys_of(const struct keymap *map, enum action action, char *text, size_t size)
{
    size_t n = 0;
    text[0] = 0;
    for (int k = 0; k < KEYS_PER_ACTION && map->key[action][k] && n < size; k++) {
        char key[KEY_TEXT];
        n += (size_t)snprintf(text + n, size - n, "%s%s", k ? " " : "", keys_print(map->key[action][k], key));
    }
    return text;
}
