/* arguments.c - checking, defaulting and describing the arguments of a class, see arguments.h */
#include "engine/layers/arguments.h"
#include "base/arena.h"

#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_names[] = {
    [ARG_INT] = "an integer",
    [ARG_FLOAT] = "a number",
    [ARG_BOOL] = "true or false",
    [ARG_STRING] = "a string",
    [ARG_CHOICE] = "one of",
    [ARG_INTS] = "an integer or a list of integers",
    [ARG_ACTIVATION] = "an activation (name, envelope, {\"expression\": ...} or null)",
    [ARG_INITIALIZER] = "an initializer (name, {\"class\": ...} or null)",
    [ARG_REGULARIZER] = "a regularizer (name, {\"class\": ...} or null)",
    [ARG_CONSTRAINT] = "a constraint (name, {\"class\": ...} or null)",
    [ARG_LOSS] = "a loss",
    [ARG_METRIC] = "a metric",
    [ARG_SCHEDULE] = "a number or a schedule",
    [ARG_EXPRESSION] = "an expression (text)",
    [ARG_ANY] = "any value",
};

static const struct argument *find(const struct argument *arguments, const char *name)
{
    for (; arguments && arguments->name; arguments++)
        if (!strcmp(arguments->name, name))
            return arguments;
    return NULL;
}

static bool is_common(const char *const *common, const char *name)
{
    for (; common && *common; common++)
        if (!strcmp(*common, name))
            return true;
    return false;
}

static bool unknown_key(const char *class_name, const struct argument *arguments, const char *const *common,
                        const char *key, const char *where, struct err *err)
{
    const char *names[64];
    size_t n = 0;
    struct str known = {0};
    for (; arguments && arguments->name && n < 48; arguments++) {
        names[n++] = arguments->name;
        str_addf(&known, "%s%s", known.length ? ", " : "", arguments->name);
    }
    for (; common && *common && n < 64; common++)
        names[n++] = *common;
    const char *nearest = str_nearest(key, names, n);
    if (nearest)
        err_set(err, ERR_USAGE, "%s.%s: %s has no argument '%s', did you mean '%s'?", where, key, class_name, key,
                nearest);
    else
        err_set(err, ERR_USAGE, "%s.%s: %s has no argument '%s'; it has: %s", where, key, class_name, key,
                known.length ? str_text(&known) : "none");
    str_release(&known);
    return false;
}

static bool is_choice(const char *choices, const char *word)
{
    size_t length = strlen(word);
    for (const char *p = choices; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
        if (!strncmp(p, word, length) && (p[length] == '|' || !p[length]))
            return true;
    return false;
}

static bool is_ints(const json_t *value)
{
    if (json_is_integer(value))
        return true;
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!json_is_integer(json_array_get(value, i)))
            return false;
    return json_is_array(value);
}

static bool type_fits(const struct argument *a, const json_t *value)
{
    double number;
    switch (a->type) {
    case ARG_INT:
        return json_is_integer(value) ||
               (json_is_real(value) && json_real_value(value) == (double)(int64_t)json_real_value(value));
    case ARG_FLOAT:
        return js_to_double(value, &number);
    case ARG_BOOL:
        return json_is_boolean(value);
    case ARG_STRING:
    case ARG_EXPRESSION:
        return json_is_string(value);
    case ARG_CHOICE:
        return json_is_string(value) && is_choice(a->choices, json_string_value(value));
    case ARG_INTS:
        return is_ints(value);
    case ARG_ACTIVATION:
    case ARG_INITIALIZER:
    case ARG_REGULARIZER:
    case ARG_CONSTRAINT:
        return json_is_string(value) || json_is_object(value);
    case ARG_SCHEDULE:
        return js_to_double(value, &number) || json_is_object(value);
    case ARG_LOSS:
    case ARG_METRIC:
    case ARG_ANY:
        return true;
    }
    return false;
}

static bool null_fits(const struct argument *a)
{
    bool by_type = a->type >= ARG_ACTIVATION && a->type != ARG_SCHEDULE && a->type != ARG_EXPRESSION;
    bool number = a->type == ARG_FLOAT && a->choices && !strcmp(a->choices, "null");
    return by_type || number || (a->initial && !strcmp(a->initial, "null"));
}

static bool in_range(const struct argument *a, const json_t *value)
{
    double number;
    if ((a->min == 0 && a->max == 0) || (a->type != ARG_INT && a->type != ARG_FLOAT && a->type != ARG_INTS))
        return true;
    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++)
            if (!in_range(a, json_array_get(value, i)))
                return false;
        return true;
    }
    return js_to_double(value, &number) && number >= a->min && number <= a->max;
}

static bool check_value(const char *class_name, const struct argument *a, const json_t *value, const char *where,
                        struct err *err)
{
    if (json_is_null(value) ? null_fits(a) : type_fits(a, value)) {
        if (json_is_null(value) || in_range(a, value))
            return true;
        char *found = js_text(value, 0);
        err_set(err, ERR_USAGE, "%s.%s: %s of %s must be between %g and %g, found %.80s", where, a->name, a->name,
                class_name, a->min, a->max, found);
        free(found);
        return false;
    }
    char *found = js_text(value, 0);
    err_set(err, ERR_USAGE, "%s.%s: %s of %s must be %s%s%s%s, found %.80s", where, a->name, a->name, class_name,
            type_names[a->type], a->type == ARG_CHOICE ? " " : "", a->type == ARG_CHOICE ? a->choices : "",
            null_fits(a) && a->type < ARG_ACTIVATION ? " or null" : "", found);
    free(found);
    return false;
}

bool arguments_check(const char *class_name, const struct argument *arguments, const char *const *common,
                     const json_t *config, const char *where, struct err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)config, key, value) {
        const struct argument *a = find(arguments, key);
        bool newer = json_is_null(value) || json_is_false(value);
        if (a ? !check_value(class_name, a, value, where, err)
              : !newer && !is_common(common, key) && !unknown_key(class_name, arguments, common, key, where, err))
            return false;
    }
    for (const struct argument *a = arguments; a && a->name; a++)
        if (!a->initial && !json_object_get(config, a->name))
            return err_set(err, ERR_USAGE, "%s: %s needs the argument '%s' (%s)", where, class_name, a->name, a->help);
    return true;
}

/* Parsed defaults, kept for the life of the process: one entry per distinct text. */
struct parsed_default {
    struct parsed_default *next;
    const char *text;
    json_t *value;
};
enum { DEFAULT_BUCKETS = 64 };
static struct parsed_default *defaults[DEFAULT_BUCKETS];
static pthread_mutex_t defaults_lock = PTHREAD_MUTEX_INITIALIZER;

static const json_t *default_value(const char *text)
{
    unsigned bucket = 0;
    for (const char *p = text; *p; p++)
        bucket = bucket * 31 + (unsigned char)*p;
    bucket %= DEFAULT_BUCKETS;
    pthread_mutex_lock(&defaults_lock);
    struct parsed_default *entry = defaults[bucket];
    while (entry && strcmp(entry->text, text) != 0)
        entry = entry->next;
    if (!entry) {
        struct err err = {0};
        json_t *value = js_parse(text, strlen(text), "default", JS_STRICT, &err);
        BUG_ON(!value);
        entry = xmalloc(sizeof *entry);
        *entry = (struct parsed_default){.next = defaults[bucket], .text = text, .value = value};
        defaults[bucket] = entry;
    }
    pthread_mutex_unlock(&defaults_lock);
    return entry->value;
}

const json_t *argument(const struct argument *arguments, const json_t *config, const char *name)
{
    const json_t *given = json_object_get(config, name);
    const struct argument *a = find(arguments, name);
    BUG_ON(!a);
    return given ? given : default_value(a->initial ? a->initial : "null");
}

double argument_double(const struct argument *arguments, const json_t *config, const char *name)
{
    double value = 0;
    js_to_double(argument(arguments, config, name), &value);
    return value;
}

int64_t argument_int(const struct argument *arguments, const json_t *config, const char *name)
{
    const json_t *value = argument(arguments, config, name);
    return json_is_real(value) ? (int64_t)json_real_value(value) : (int64_t)json_integer_value(value);
}

bool argument_bool(const struct argument *arguments, const json_t *config, const char *name)
{
    return json_is_true(argument(arguments, config, name));
}

const char *argument_string(const struct argument *arguments, const json_t *config, const char *name)
{
    return json_string_value(argument(arguments, config, name));
}

static const char *const type_words[] = {
    [ARG_INT] = "int",
    [ARG_FLOAT] = "float",
    [ARG_BOOL] = "bool",
    [ARG_STRING] = "string",
    [ARG_CHOICE] = "choice",
    [ARG_INTS] = "ints",
    [ARG_ACTIVATION] = "activation",
    [ARG_INITIALIZER] = "initializer",
    [ARG_REGULARIZER] = "regularizer",
    [ARG_CONSTRAINT] = "constraint",
    [ARG_LOSS] = "loss",
    [ARG_METRIC] = "metric",
    [ARG_SCHEDULE] = "schedule",
    [ARG_EXPRESSION] = "expression",
    [ARG_ANY] = "any",
};

static json_t *choices_list(const char *choices)
{
    json_t *list = json_array();
    for (const char *p = choices; p && *p;) {
        size_t length = strcspn(p, "|");
        json_array_append_new(list, json_stringn(p, length));
        p += length + (p[length] == '|');
    }
    return list;
}

json_t *class_describe(const char *name, const char *help, const struct argument *arguments)
{
    json_t *list = json_array();
    for (const struct argument *a = arguments; a && a->name; a++) {
        json_t *row = json_object();
        json_object_set_new(row, "name", json_string(a->name));
        json_object_set_new(row, "type", json_string(type_words[a->type]));
        if (a->initial)
            json_object_set(row, "default", (json_t *)default_value(a->initial));
        if (a->choices && a->type != ARG_FLOAT)
            json_object_set_new(row, "choices", choices_list(a->choices));
        if (a->min != 0 || a->max != 0) {
            json_object_set_new(row, "min", json_real(a->min));
            json_object_set_new(row, "max", json_real(a->max));
        }
        json_object_set_new(row, "help", json_string(a->help ? a->help : ""));
        json_array_append_new(list, row);
    }
    return json_pack("{s:s, s:s, s:o}", "name", name, "help", help ? help : "", "arguments", list);
}

bool class_reference(const json_t *json, const char **name, const json_t **config)
{
    const json_t *empty = default_value("{}");
    *config = empty;
    if (json_is_string(json)) {
        *name = json_string_value(json);
        return true;
    }
    const char *class_name = js_string(json, "class", NULL);
    if (class_name) {
        *name = class_name;
        *config = json;
        return true;
    }
    class_name = js_string(json, "class_name", NULL);
    const json_t *inner = json_object_get(json, "config");
    if (!class_name)
        return false;
    *name = class_name;
    if (!strcmp(class_name, "function") && json_is_string(inner))
        *name = json_string_value(inner);
    else if (json_is_object(inner))
        *config = inner;
    return true;
}

bool class_name_equal(const char *a, const char *b)
{
    for (;; a++, b++) {
        a += strspn(a, "_");
        b += strspn(b, "_");
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
        if (!*a)
            return true;
    }
}
