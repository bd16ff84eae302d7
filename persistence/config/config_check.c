/* config_check.c - keys, types and required values of a config, see config_check in run_config.h */
#include "base/arena.h"
#include "persistence/config/config_keys.h"

#include <stdlib.h>
#include <string.h>

struct check {
    const char *where, *format;
    struct err *err;
};

static bool fail(const struct check *c, const char *place, const char *text)
{
    const char *where = c->where && *c->where ? c->where : NULL;
    return err_set(c->err, ERR_USAGE, "%s%s%s: %s", where ? where : "", where ? ": " : "", place, text);
}

static bool fail_take(const struct check *c, const char *place, char *text)
{
    bool ok = fail(c, place, text);
    free(text);
    return ok;
}

/* The value as short JSON, for messages. free() it. */
static char *shown(const json_t *value)
{
    char *text = js_text(value, 0);
    if (strlen(text) > 60) {
        size_t cut = 57;
        while (cut && ((unsigned char)text[cut] & 0xC0) == 0x80)
            cut--;
        memcpy(text + cut, "...", 4);
    }
    return text;
}

static bool is_whole(const json_t *value)
{
    return json_is_integer(value);
}

static bool is_number(const json_t *value)
{
    return json_is_number(value);
}

static bool is_string(const json_t *value)
{
    return json_is_string(value);
}

static bool is_object(const json_t *value)
{
    return json_is_object(value);
}

static bool all_of(const json_t *list, bool (*is)(const json_t *))
{
    bool ok = json_is_array(list);
    for (size_t i = 0; ok && i < json_array_size(list); i++)
        ok = is(json_array_get(list, i));
    return ok;
}

static bool is_type(const json_t *value, const char *word)
{
    static const struct {
        const char *word;
        bool (*is)(const json_t *);
    } singles[] = {{"string", is_string}, {"integer", is_whole}, {"number", is_number}, {"object", is_object}};
    for (size_t i = 0; i < sizeof singles / sizeof *singles; i++) {
        size_t n = strlen(singles[i].word);
        if (!strcmp(word, singles[i].word))
            return singles[i].is(value);
        if (str_starts(word, "list of ") && !strncmp(word + 8, singles[i].word, n) && !strcmp(word + 8 + n, "s"))
            return all_of(value, singles[i].is);
    }
    if (!strcmp(word, "boolean"))
        return json_is_boolean(value);
    if (!strcmp(word, "list"))
        return json_is_array(value);
    BUG_ON(strcmp(word, "null"));
    return json_is_null(value);
}

static bool type_fits(const json_t *value, const char *types)
{
    char *copy = xstrdup(types), *word = copy;
    bool fits = false;
    while (word && !fits) {
        char *next = strstr(word, " or ");
        if (next)
            *next = 0;
        fits = is_type(value, word);
        word = next ? next + 4 : NULL;
    }
    free(copy);
    return fits;
}

static bool check_range(const struct check *c, const struct config_key *row, const char *place, const json_t *value)
{
    bool ok = true;
    for (size_t i = 0; ok && i < json_array_size(value); i++)
        ok = check_range(c, row, place, json_array_get(value, i));
    if (!json_is_number(value) || (!row->min && !row->max))
        return ok;
    double number = json_number_value(value);
    if (number >= row->min && number <= row->max)
        return true;
    struct str text = {0};
    str_add(&text, "found ");
    js_write(&text, value, 0);
    if (row->max >= 9e15)
        str_addf(&text, ", expected at least %.10g", row->min);
    else
        str_addf(&text, ", expected %.10g to %.10g", row->min, row->max);
    return fail_take(c, place, str_take(&text));
}

enum { WORDS_MAX = 96 };

/* "did you mean 'x'?" or "known are: a, b". */
static void add_advice(struct str *out, const char *word, const char *const *known, size_t n)
{
    const char *nearest = str_nearest(word, known, n);
    if (nearest) {
        str_addf(out, ", did you mean '%s'?", nearest);
        return;
    }
    str_add(out, "; known are: ");
    for (size_t i = 0; i < n; i++)
        str_addf(out, i ? ", %s" : "%s", known[i]);
}

static size_t split_choices(char *copy, const char **words)
{
    size_t n = 0;
    for (char *word = copy; word && n < WORDS_MAX;) {
        char *bar = strchr(word, '|');
        if (bar)
            *bar = 0;
        words[n++] = word;
        word = bar ? bar + 1 : NULL;
    }
    return n;
}

static bool check_choice(const struct check *c, const struct config_key *row, const char *place, const json_t *value)
{
    const char *text = json_string_value(value), *words[WORDS_MAX];
    if (!text || !row->choices)
        return true;
    char *copy = xstrdup(row->choices);
    size_t n = split_choices(copy, words);
    bool found = false;
    for (size_t i = 0; i < n; i++)
        found = found || !strcmp(words[i], text);
    if (!found) {
        struct str message = {0};
        str_addf(&message, "found '%s', expected one of: ", text);
        for (size_t i = 0; i < n; i++)
            str_addf(&message, i ? ", %s" : "%s", words[i]);
        const char *nearest = str_nearest(text, words, n);
        if (nearest)
            str_addf(&message, "; did you mean '%s'?", nearest);
        fail_take(c, place, str_take(&message));
    }
    free(copy);
    return found;
}

static bool check_value(const struct check *c, const struct config_key *row, const char *place, const json_t *value)
{
    if (!type_fits(value, row->types)) {
        char *found = shown(value);
        fail_take(c, place, xprintf("found %s (%s), expected %s", found, js_type_name(value), row->types));
        free(found);
        return false;
    }
    return check_range(c, row, place, value) && check_choice(c, row, place, value);
}

static bool unknown_key(const struct check *c, const char *scope, const char *place, const char *key)
{
    const char *known[WORDS_MAX];
    size_t n_rows, n = 0;
    const struct config_key *rows = config_keys(&n_rows);
    struct str text = {0};
    str_add(&text, "unknown key");
    for (size_t i = 0; i < n_rows && c->format; i++) {
        const char *dot = strchr(rows[i].path, '.');
        if (str_starts(rows[i].path, "data[") && dot && !strcmp(dot + 1, key)) {
            str_addf(&text, " for format '%s' (it belongs to %.*s)", c->format, (int)(dot - rows[i].path) - 6,
                     rows[i].path + 5);
            return fail_take(c, place, str_take(&text));
        }
    }
    for (size_t i = 0; i < n_rows && n < WORDS_MAX; i++)
        if (config_member(&rows[i], scope, c->format))
            known[n++] = config_member(&rows[i], scope, c->format);
    add_advice(&text, key, known, n);
    return fail_take(c, place, str_take(&text));
}

/* Every key of object against the rows of scope: known, of the right type, and all required ones there. */
static bool check_keys(const struct check *c, const json_t *object, const char *scope, const char *place)
{
    const char *key;
    json_t *value;
    char *inner = NULL;
    bool ok = true;
    json_object_foreach((json_t *)object, key, value) {
        const struct config_key *row = config_find_key(scope, c->format, key);
        free(inner);
        inner = *place ? xprintf("%s.%s", place, key) : xstrdup(key);
        ok = row ? check_value(c, row, inner, value) : unknown_key(c, scope, inner, key);
        if (!ok)
            break;
    }
    free(inner);
    size_t n;
    const struct config_key *rows = config_keys(&n);
    for (size_t i = 0; ok && i < n; i++) {
        const char *name = config_member(&rows[i], scope, c->format);
        if (name && rows[i].required && !json_object_get(object, name)) {
            char *missing = *place ? xprintf("%s.%s", place, name) : xstrdup(name);
            ok = fail_take(c, missing,
                           xprintf("is missing, expected %s%s%s", rows[i].types, rows[i].choices ? ": one of " : "",
                                   rows[i].choices ? rows[i].choices : ""));
            free(missing);
        }
    }
    return ok;
}

/* Entries of a list of objects that carry a class: only that key is known here. */
static bool check_classes(const struct check *c, const json_t *list, const char *scope)
{
    const struct config_key *row = config_find_key(scope, NULL, "class");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i), *class = json_object_get(entry, "class");
        char place[64];
        snprintf(place, sizeof place, "%.*s[%zu].class", (int)strlen(scope) - 2, scope, i);
        if (!class && json_object_get(entry, "class_name"))
            continue;
        if (!class)
            return fail(c, place, "is missing, expected the name of a class");
        if (!check_value(c, row, place, class))
            return false;
    }
    return true;
}

static bool check_data(struct check *c, const json_t *data, const char *place)
{
    char *format_place = xprintf("%s.format", place);
    const struct config_key *row = config_find_key("data", "", "format");
    const json_t *format = json_object_get(data, "format");
    bool ok = format ? check_value(c, row, format_place, format)
                     : fail_take(c, format_place, xprintf("is missing, expected one of %s", row->choices));
    free(format_place);
    if (!ok)
        return false;
    c->format = json_string_value(format);
    return check_keys(c, data, "data", place);
}

static bool check_data_parts(struct check *c, const json_t *data)
{
    static const char *const parts[] = {"validation", "test"}, *const splits[] = {"validation_split", "test_split"};
    double shares = 0;
    for (size_t i = 0; i < 2; i++) {
        const json_t *part = json_object_get(data, parts[i]);
        double share = js_double(data, splits[i], 0);
        char place[64];
        snprintf(place, sizeof place, "data.%s", parts[i]);
        shares += share;
        if (part && share > 0)
            return fail_take(c, place, xprintf("stands beside data.%s, expected one of the two", splits[i]));
        for (size_t k = 0; part && k < 4; k++) {
            const char *key = k < 2 ? parts[k] : splits[k - 2];
            if (json_object_get(part, key))
                return fail_take(c, place, xprintf("'%s' belongs into data itself", key));
        }
        json_t *merged = config_data_part(data, parts[i]);
        bool ok = !merged || check_data(c, merged, place);
        json_decref(merged);
        if (!ok)
            return false;
    }
    if (shares >= 1)
        return fail_take(
            c, "data.validation_split",
            xprintf("together with test_split is %g, expected less than 1: nothing is left to train on", shares));
    return true;
}

bool config_check_data(const json_t *data, const char *where, struct err *err)
{
    struct check c = {.where = where, .err = err};
    if (!json_is_object(data))
        return fail(&c, "data", "is missing, expected an object with a format");
    return check_data(&c, data, "data") && check_data_parts(&c, data);
}

static bool check_model(const struct check *c, const json_t *config)
{
    static const char *const forms[] = {"layers", "file", "class_name"};
    const json_t *model = json_object_get(config, "model"), *layers = json_object_get(model, "layers");
    const char *given[3];
    int n = 0;
    for (size_t i = 0; i < 3; i++)
        if (json_object_get(model, forms[i]))
            given[n++] = forms[i];
    if (!n)
        return fail(c, "model", "has none of 'layers', 'file' and 'class_name', expected one of them");
    if (n > 1)
        return fail_take(c, "model", xprintf("has '%s' and '%s', expected one of them", given[0], given[1]));
    if (layers && !json_array_size(layers))
        return fail(c, "model.layers", "is empty, expected at least one layer");
    if (!strcmp(given[0], "class_name") && !json_object_get(model, "config"))
        return fail(c, "model.config", "is missing, expected the config that belongs to 'class_name'");
    if (json_object_get(model, "skip_mismatch") && !json_object_get(model, "file") &&
        !json_object_get(model, "weights"))
        return fail(c, "model.skip_mismatch", "has no meaning without 'file' or 'weights'");
    if (!json_object_get(config, "compile") && layers)
        return fail(c, "compile", "is missing, expected an object with at least a loss");
    return check_classes(c, layers, "model.layers[]");
}

bool config_check(const json_t *config, const char *where, struct err *err)
{
    static const char *const scopes[] = {"model", "compile", "fit", "history"};
    struct check c = {.where = where, .err = err};
    if (!json_is_object(config))
        return fail(&c, "the config", "is not an object");
    if (!check_keys(&c, config, "", "") || !config_check_data(json_object_get(config, "data"), where, err))
        return false;
    for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++) {
        const json_t *object = json_object_get(config, scopes[i]);
        if (object && !check_keys(&c, object, scopes[i], scopes[i]))
            return false;
    }
    return check_model(&c, config) && check_classes(&c, json_object_get(config, "callbacks"), "callbacks[]");
}
