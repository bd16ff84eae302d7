/* settings.c - see settings.h */
#include "base/arena.h"
#include "base/io.h"
#include "persistence/config/settings.h"
#include "persistence/files/atomic_file.h"

#include <stdlib.h>
#include <string.h>

enum { SETTINGS_MAX = 64 };

const struct setting settings_table[] = {
    {"queue.slots", SETTING_INT, "1", 1, 64, NULL, false,
     "runs that train at the same time on one device; the others wait"},
    {"screen.theme", SETTING_CHOICE, "\"auto\"", 0, 0, "auto|dark|light|colorblind|16|none", false,
     "colours: auto asks the terminal whether its ground is light; colorblind keeps apart what red and green would "
     "not"},
    {"notify.bell", SETTING_BOOL, "false", 0, 0, NULL, false,
     "ring the terminal's bell when a run ends or its loss becomes NaN"},
    {"notify.terminal", SETTING_CHOICE, "\"off\"", 0, 0, "off|osc9|osc777", false,
     "desktop notification through the terminal: osc9 (iTerm2, kitty, WezTerm, Windows Terminal) or osc777 (foot, "
     "urxvt, VTE)"},
    {"notify.title", SETTING_BOOL, "true", 0, 0, NULL, false,
     "how far runs are in the title of the terminal's window, where the terminal can give the old one back"},
    {"notify.best", SETTING_BOOL, "false", 0, 0, NULL, false, "tell of a new best value too, not only of ends and NaN"},
    {"notify.command", SETTING_TEXT, "null", 0, 0, NULL, true,
     "shell command that a training worker runs when a run ends, has a new best value or its loss becomes NaN; the "
     "facts are in $ANTLER_EVENT, $ANTLER_RUN, ..."},
    {0},
};

static const struct setting *find(const char *name)
{
    for (const struct setting *s = settings_table; s->name; s++)
        if (!strcmp(s->name, name))
            return s;
    return NULL;
}

static bool unknown(const char *name, const char *where, struct err *err)
{
    const char *names[SETTINGS_MAX];
    size_t n = 0;
    for (const struct setting *s = settings_table; s->name && n < SETTINGS_MAX; s++)
        names[n++] = s->name;
    err_set(err, ERR_USAGE, "%s: there is no setting '%s'", where, name);
    return err_nearest(err, str_nearest(name, names, n));
}

/* Is text one of "a|b|c"? */
static bool is_choice(const char *choices, const char *text)
{
    size_t length = strlen(text);
    for (const char *c = choices; length && *c; c += strcspn(c, "|"), c += *c == '|')
        if (strcspn(c, "|") == length && !strncmp(c, text, length))
            return true;
    return false;
}

static bool fits(const struct setting *s, const json_t *value)
{
    switch (s->kind) {
    case SETTING_BOOL:
        return json_is_boolean(value);
    case SETTING_INT:
        return json_is_integer(value) && json_integer_value(value) >= s->min && json_integer_value(value) <= s->max;
    case SETTING_CHOICE:
        return json_is_string(value) && is_choice(s->choices, json_string_value(value));
    default:
        return json_is_string(value) || json_is_null(value);
    }
}

static bool wrong_value(const struct setting *s, const json_t *value, const char *where, struct err *err)
{
    struct str expected = {0};
    char *found = js_text(value, 0);
    if (s->kind == SETTING_BOOL)
        str_add(&expected, "true or false");
    else if (s->kind == SETTING_INT)
        str_addf(&expected, "a whole number from %lld to %lld", (long long)s->min, (long long)s->max);
    else if (s->kind == SETTING_CHOICE)
        str_addf(&expected, "one of %s", s->choices);
    else
        str_add(&expected, "a text");
    err_set(err, ERR_USAGE, "%s: '%s' is %.80s, expected %s", where, s->name, found, str_text(&expected));
    free(found);
    str_release(&expected);
    return false;
}

bool settings_check(const char *name, const json_t *value, const char *where, struct err *err)
{
    const struct setting *s = find(name);
    if (!s)
        return unknown(name, where, err);
    return fits(s, value) || wrong_value(s, value, where, err);
}

char *settings_home_path(const char *home)
{
    return path_join(home, "settings.json");
}

char *settings_own_path(void)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (config && config[0] == '/')
        return xprintf("%s/antler/settings.json", config);
    return home && *home ? xprintf("%s/.config/antler/settings.json", home) : NULL;
}

static json_t *defaults(void)
{
    json_t *settings = json_object();
    for (const struct setting *s = settings_table; s->name; s++)
        json_object_set_new(settings, s->name, json_loads(s->otherwise, JSON_DECODE_ANY, NULL));
    return settings;
}

/* The file's object; an empty one where there is no file. New reference. */
static json_t *read_file(const char *path, struct err *err)
{
    struct err why = {0};
    json_t *file = js_read(path, JS_STRICT, &why);
    if (!file && why.code == ERR_NOT_FOUND)
        return json_object();
    if (!file)
        return err_null(err, why.code == ERR_FORMAT ? ERR_USAGE : why.code, "%s", why.text);
    if (json_is_object(file))
        return file;
    err_set(err, ERR_USAGE, "'%s' holds %s, expected an object", path, js_type_name(file));
    json_decref(file);
    return NULL;
}

/* May this key with this value hold, from this file? */
static bool entry_holds(const char *name, const json_t *value, const char *path, bool own, struct err *err)
{
    if (!settings_check(name, value, path, err))
        return false;
    return own || !find(name)->personal ||
           err_set(err, ERR_USAGE,
                   "%s: '%s' is a command and is taken from your own settings only (antler settings --own %s=...)",
                   path, name, name);
}

static void add_problem(json_t *problems, const struct err *err)
{
    struct str text = {0};
    str_add_visible(&text, err->text);
    json_array_append_new(problems, json_string(str_text(&text)));
    str_release(&text);
}

static void apply(json_t *settings, const char *path, bool own, json_t *problems)
{
    const char *name;
    json_t *value, *file;
    struct err err = {0};
    if (!path)
        return;
    if (!(file = read_file(path, &err)))
        add_problem(problems, &err);
    json_object_foreach(file, name, value) {
        if (entry_holds(name, value, path, own, &err))
            json_object_set(settings, name, value);
        else
            add_problem(problems, &err);
    }
    json_decref(file);
}

json_t *settings_read(const char *home, json_t *problems)
{
    json_t *settings = defaults();
    char *own = settings_own_path(), *shared = home ? settings_home_path(home) : NULL;
    apply(settings, own, true, problems);
    apply(settings, shared, false, problems);
    free(own);
    free(shared);
    return settings;
}

static bool save(const char *path, const json_t *file, struct err *err)
{
    char *text = js_text(file, 2), *folder = path_folder(path);
    bool ok = io_make_folders(folder, err) && atomic_file_save(path, text, strlen(text), err);
    free(folder);
    free(text);
    return ok;
}

/* NULL takes out whatever the file has by that name, also what is no setting. */
static bool change(json_t *file, const char *name, json_t *value, struct err *err)
{
    if (value)
        return settings_check(name, value, "settings", err) && !json_object_set(file, name, value);
    return !json_object_del(file, name) || find(name) || unknown(name, "settings", err);
}

bool settings_put(const char *home, bool own, const char *name, const json_t *value, struct err *err)
{
    const struct setting *s = find(name);
    own = own || (s && s->personal);
    char *path = own ? settings_own_path() : settings_home_path(home);
    if (!path)
        return err_set(err, ERR_FAILED,
                       "there is no place for your own settings: neither XDG_CONFIG_HOME nor HOME is set");
    json_t *file = read_file(path, err);
    bool ok = file && change(file, name, (json_t *)value, err) && save(path, file, err);
    json_decref(file);
    free(path);
    return ok;
}
