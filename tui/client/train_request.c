/* train_request.c - see train_request.h */
#include "base/arena.h"
#include "base/io.h"
#include "persistence/config/run_config.h"
#include "tui/client/cli_request.h"
#include "tui/client/train_request.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

json_t *train_read_config(const char *path, char **folder, struct err *err)
{
    json_t *config = config_read(path, err);
    if (!config)
        return NULL;
    char *absolute = cli_absolute(path);
    *folder = path_folder(absolute);
    if (!json_object_get(config, "name")) {
        char *name = xstrdup(path_name(absolute)), *dot = strchr(name, '.');
        if (dot && dot != name)
            *dot = 0;
        json_object_set_new(config, "name", json_string(name));
        free(name);
    }
    free(absolute);
    return config;
}

json_t *train_request(const char *home, json_t *config, const char *folder, const char *where)
{
    char *absolute = cli_absolute(home);
    json_t *request =
        json_pack("{s:s,s:O,s:s,s:s}", "home", absolute, "config", config, "folder", folder, "where", where);
    free(absolute);
    return request;
}

char *train_examples_folder(void)
{
    static const char *const places[] = {"../share/antler/configs", "configs", "../configs"};
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return NULL;
    self[n] = 0;
    char *beside = path_folder(self), *found = NULL;
    for (size_t k = 0; !found && k < sizeof places / sizeof *places; k++) {
        char *path = path_join(beside, places[k]);
        found = path_is_folder(path) ? realpath(path, NULL) : NULL;
        free(path);
    }
    free(beside);
    return found;
}

/* The value as --set reads it back: text that is no JSON stays as it is. */
static char *assignment(const char *path, const json_t *value)
{
    const char *text = json_string_value(value);
    json_t *parsed = text ? js_parse(text, strlen(text), "", JS_STRICT, NULL) : NULL;
    char *json = text && *text && !parsed ? xstrdup(text) : js_text(value, 0), *whole = xprintf("%s=%s", path, json);
    json_decref(parsed);
    free(json);
    return whole;
}

struct taker {
    void (*take)(void *context, const char *assignment);
    void *context;
};

static void take_one(const struct taker *taker, const char *path, const json_t *value)
{
    char *text = assignment(path, value);
    taker->take(taker->context, text);
    free(text);
}

static bool has_all_keys(const json_t *original, const json_t *changed)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)original, key, value) {
        if (!json_object_get(changed, key))
            return false;
    }
    return true;
}

static void compare(const struct taker *taker, const char *path, const json_t *original, const json_t *changed);

static void compare_objects(const struct taker *taker, const char *path, const json_t *original, const json_t *changed)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)changed, key, value) {
        char *below = xprintf("%s%s%s", path, *path ? "." : "", key);
        compare(taker, below, json_object_get(original, key), value);
        free(below);
    }
}

static void compare(const struct taker *taker, const char *path, const json_t *original, const json_t *changed)
{
    if (original && js_equal(original, changed))
        return;
    bool into = json_is_object(changed) && json_object_size(changed) && !json_object_get(changed, "class");
    if (original ? json_is_object(original) && json_is_object(changed) && has_all_keys(original, changed) : into) {
        compare_objects(taker, path, original, changed);
    } else if (json_is_array(original) && json_array_size(original) == json_array_size(changed) &&
               json_is_object(json_array_get(original, 0))) {
        for (size_t i = 0; i < json_array_size(changed); i++) {
            char *below = xprintf("%s[%zu]", path, i);
            compare(taker, below, json_array_get(original, i), json_array_get(changed, i));
            free(below);
        }
    } else {
        take_one(taker, path, changed);
    }
}

void train_assignments(const json_t *original, const json_t *changed,
                       void (*take)(void *context, const char *assignment), void *context)
{
    const struct taker taker = {.take = take, .context = context};
    compare_objects(&taker, "", original, changed);
}

void add_shell_word(struct str *out, const char *text)
{
    bool plain = *text != 0;
    for (const char *c = text; *c; c++)
        plain = plain && (isalnum((unsigned char)*c) || strchr("_-./=:,@%+", *c));
    if (plain) {
        str_add(out, text);
        return;
    }
    str_add_char(out, '\'');
    for (const char *c = text; *c; c++)
        if (*c == '\'')
            str_add(out, "'\\''");
        else
            str_add_char(out, *c);
    str_add_char(out, '\'');
}
