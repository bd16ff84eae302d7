/* run_config.c - see run_config.h */
#include "base/arena.h"
#include "base/io.h"
#include "persistence/config/config_keys.h"
#include "persistence/config/run_config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

static bool looks_like_json(const char *text)
{
    if (str_starts(text, "\xEF\xBB\xBF"))
        text += 3;
    while (isspace((unsigned char)*text))
        text++;
    return *text == '{';
}

json_t *config_read(const char *path, struct err *err)
{
    char *text = NULL, *name = xprintf("'%s'", path);
    size_t length;
    json_t *config = NULL;
    struct err why = {0};
    bool yaml = str_ends(path, ".yaml") || str_ends(path, ".yml");
    if (!io_read_file(path, JS_MAX_BYTES, &text, &length, &why))
        goto done;
    if (looks_like_json(text) && !yaml) {
        size_t skip = str_starts(text, "\xEF\xBB\xBF") ? 3 : 0;
        config = js_parse(text + skip, length - skip, name, JS_STRICT, &why);
    } else {
        config = config_parse_yaml(text, length, name, &why);
    }
    if (config && !json_is_object(config)) {
        err_set(&why, ERR_USAGE, "%s: found %s, expected keys such as data, model, compile and fit", name,
                js_type_name(config));
        json_decref(config);
        config = NULL;
    }
done:
    if (!config)
        err_set(err, why.code == ERR_NOMEM ? ERR_NOMEM : ERR_USAGE, "%s", why.text);
    free(name);
    free(text);
    return config;
}

/* "adam" and {"class": "adam"} are the same: an argument asked of the first makes it the second. Without an optimizer
 * it is Keras' default that gets the argument. */
static bool open_short_form(json_t *config, const char *path, struct err *err)
{
    const char *dot = strrchr(path, '.');
    if (!dot || !(str_starts(path, "compile.") || str_starts(path, "model.layers[")))
        return true;
    char *owner = xstrndup(path, (size_t)(dot - path));
    const char *class = json_string_value(js_at(config, owner));
    if (!class && !strcmp(owner, "compile.optimizer") && js_at(config, "compile") && !js_at(config, owner))
        class = "rmsprop";
    json_t *opened = class ? json_pack("{s:s}", "class", class) : NULL;
    bool ok = !opened || js_put(config, owner, opened, err);
    json_decref(opened);
    free(owner);
    return ok;
}

bool config_set(json_t *config, const char *assignment, struct err *err)
{
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment)
        return err_set(err, ERR_USAGE, "'%s' is not of the form KEY=VALUE, such as fit.epochs=5", assignment);
    char *path = xstrndup(assignment, (size_t)(equals - assignment));
    struct err ignored;
    json_t *value = js_parse(equals + 1, strlen(equals + 1), "value", JS_STRICT, &ignored);
    if (!value)
        value = json_string(equals + 1);
    bool ok = value ? open_short_form(config, path, err) && js_put(config, path, value, err)
                    : err_set(err, ERR_USAGE, "%s: the value is not UTF-8", path);
    json_decref(value);
    free(path);
    return ok;
}

/* ---- keys ---- */

const char *config_member(const struct config_key *row, const char *scope, const char *format)
{
    const char *path = row->path;
    size_t n = strlen(scope);
    if (!n)
        return strpbrk(path, ".[") ? NULL : path;
    if (strncmp(path, scope, n) != 0)
        return NULL;
    path += n;
    if (*path == '[' && format) {
        size_t end = strcspn(path, "]");
        bool common = end == 1, mine = end - 1 == strlen(format) && !strncmp(path + 1, format, end - 1);
        if (!common && !mine)
            return NULL;
        path += end + 1;
    }
    return *path == '.' && !strpbrk(path + 1, ".[") ? path + 1 : NULL;
}

const struct config_key *config_find_key(const char *scope, const char *format, const char *name)
{
    size_t n;
    const struct config_key *rows = config_keys(&n);
    for (size_t i = 0; i < n; i++) {
        const char *member = config_member(&rows[i], scope, format);
        if (member && !strcmp(member, name))
            return &rows[i];
    }
    return NULL;
}

json_t *config_data_part(const json_t *data, const char *part)
{
    static const char *const own[] = {"validation", "test", "validation_split", "test_split"};
    const json_t *child = json_object_get(data, part);
    if (!json_is_object(child))
        return NULL;
    json_t *merged = json_object();
    const char *key, *format = js_string(data, "format", ""), *child_format = js_string(child, "format", format);
    json_t *value;
    json_object_foreach((json_t *)data, key, value) {
        bool keep = !strcmp(format, child_format) || config_find_key("data", "", key);
        for (size_t i = 0; i < sizeof own / sizeof *own; i++)
            keep = keep && strcmp(key, own[i]) != 0;
        if (keep)
            json_object_set(merged, key, value);
    }
    json_object_update(merged, (json_t *)child);
    return merged;
}

/* ---- defaults ---- */

static void fill(json_t *object, const char *scope, const char *format)
{
    size_t n;
    const struct config_key *rows = config_keys(&n);
    for (size_t i = 0; i < n; i++) {
        const char *name = config_member(&rows[i], scope, format);
        if (!name || !rows[i].initial || json_object_get(object, name))
            continue;
        json_t *value = js_parse(rows[i].initial, strlen(rows[i].initial), rows[i].path, JS_STRICT, NULL);
        BUG_ON(!value);
        if (!json_is_null(value))
            json_object_set(object, name, value);
        json_decref(value);
    }
}

void config_resolve(json_t *config, const char *folder)
{
    static const char *const scopes[] = {"compile", "fit", "history"};
    json_t *data = json_object_get(config, "data"), *model = json_object_get(config, "model");
    fill(config, "", NULL);
    if (!json_object_get(config, "fit"))
        json_object_set_new(config, "fit", json_object());
    if (json_is_object(data))
        fill(data, "data", js_string(data, "format", ""));
    if (json_object_get(data, "validation"))
        json_object_del(data, "validation_split");
    if (json_object_get(data, "test"))
        json_object_del(data, "test_split");
    if (json_object_get(model, "file") || json_object_get(model, "weights"))
        fill(model, "model", NULL);
    for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++)
        if (json_object_get(config, scopes[i]))
            fill(json_object_get(config, scopes[i]), scopes[i], NULL);
    if (!json_object_get(config, "folder")) {
        char *absolute = realpath(folder, NULL);
        json_object_set_new(config, "folder", json_string(absolute ? absolute : folder));
        free(absolute);
    }
}
