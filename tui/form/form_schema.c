/* form_schema.c - what is known of the keys of a config: the table of config keys, and the worker's classes. */
#include "persistence/config/run_config.h"
#include "tui/form/form.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A type of argument that is a class of its own, and the list it is in. */
static const struct {
    const char *type, *category;
} categories[] = {{"activation", "activations"},
                  {"initializer", "initializers"},
                  {"regularizer", "regularizers"},
                  {"constraint", "constraints"},
                  {"schedule", "schedules"}};

static const struct {
    const char *path, *category;
} places[] = {{"compile.optimizer", "optimizers"},     {"compile.loss", "losses"}, {"compile.metrics", "metrics"},
              {"compile.weighted_metrics", "metrics"}, {"model.layers", "layers"}, {"callbacks", "callbacks"}};

static bool is_called(const json_t *class, const char *name)
{
    const json_t *alias;
    size_t i;
    if (!strcmp(js_string(class, "name", ""), name))
        return true;
    json_array_foreach(json_object_get(class, "aliases"), i, alias) {
        if (json_is_string(alias) && !strcmp(json_string_value(alias), name))
            return true;
    }
    return false;
}

const json_t *form_class(const struct form *form, const char *category, const char *name)
{
    const json_t *class;
    size_t i;
    const json_t *list = category ? json_object_get(form->classes, category) : NULL;
    json_array_foreach((json_t *)list, i, class) {
        if (is_called(class, name) || !strcasecmp(js_string(class, "name", ""), name))
            return class;
    }
    return NULL;
}

static const json_t *class_of(const struct form *form, const char *category, const json_t *object)
{
    const char *name = json_is_string(object) ? json_string_value(object) : js_string(object, "class", NULL);
    return name ? form_class(form, category, name) : NULL;
}

/* The key's name below the object, when the row of the table belongs there: "fit.epochs" under "fit"; "data[csv].path"
 * and "data[].shape" under a data object of that format. */
static const char *key_below(const struct config_key *key, const char *object_path, const json_t *object)
{
    size_t n = strlen(object_path);
    const char *path = key->path, *dot = strrchr(path, '.');
    bool data =
        !strcmp(object_path, "data") || !strcmp(object_path, "data.validation") || !strcmp(object_path, "data.test");
    if (!n)
        return strpbrk(path, ".[") ? NULL : path;
    if (data && dot && str_starts(path, "data[")) {
        const char *format = js_string(object, "format", ""), *end = strchr(path, ']');
        size_t length = (size_t)(end - path) - 5;
        return !length || (length == strlen(format) && !strncmp(path + 5, format, length)) ? dot + 1 : NULL;
    }
    bool below = !strncmp(path, object_path, n) && path[n] == '.' && !strpbrk(path + n + 1, ".[");
    return below ? path + n + 1 : NULL;
}

static const struct config_key *find_key(const char *object_path, const json_t *object, const char *name)
{
    size_t n;
    const struct config_key *keys = config_keys(&n);
    for (size_t i = 0; i < n; i++) {
        const char *below = key_below(&keys[i], object_path, object);
        if (below && !strcmp(below, name))
            return &keys[i];
    }
    return NULL;
}

static const json_t *initial_of(const struct form *form, const struct config_key *key)
{
    json_t *initial = json_object_get(form->initials, key->path);
    if (!initial && key->initial) {
        initial = js_parse(key->initial, strlen(key->initial), key->path, JS_STRICT, NULL);
        json_object_set_new(form->initials, key->path, initial);
    }
    return initial;
}

static const char *category_of_type(const char *type)
{
    for (size_t i = 0; i < sizeof categories / sizeof *categories; i++)
        if (!strcmp(categories[i].type, type))
            return categories[i].category;
    return NULL;
}

static const char *category_of_place(const char *path)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (!strcmp(places[i].path, path))
            return places[i].category;
    return NULL;
}

const char *form_list_category(const char *path)
{
    bool single = !strcmp(path, "compile.optimizer") || !strcmp(path, "compile.loss");
    return single ? NULL : category_of_place(path);
}

static const char *joined_choices(const struct form *form, const json_t *choices)
{
    struct str all = {0};
    const json_t *choice;
    size_t i;
    json_array_foreach((json_t *)choices, i, choice) {
        str_addf(&all, i ? "|%s" : "%s", json_is_string(choice) ? json_string_value(choice) : "");
    }
    const char *kept = all.length ? arena_strdup((struct arena *)&form->arena, str_text(&all)) : NULL;
    str_release(&all);
    return kept;
}

static struct form_facts argument_facts(const struct form *form, const json_t *class, const char *key)
{
    const json_t *argument;
    size_t i;
    json_array_foreach(json_object_get(class, "arguments"), i, argument) {
        if (strcmp(js_string(argument, "name", ""), key) != 0)
            continue;
        const char *type = js_string(argument, "type", "");
        return (struct form_facts){.help = js_string(argument, "help", NULL),
                                   .types = type,
                                   .choices = joined_choices(form, json_object_get(argument, "choices")),
                                   .category = category_of_type(type),
                                   .initial = json_object_get(argument, "default"),
                                   .required = !json_object_get(argument, "default")};
    }
    return (struct form_facts){0};
}

struct form_facts form_facts_of(const struct form *form, const char *object_path, const json_t *object,
                                const char *category, const char *key)
{
    struct form_facts facts = {0};
    const json_t *class = category ? class_of(form, category, object) : NULL;
    if (category && !strcmp(key, "class"))
        return (struct form_facts){
            .help = class ? js_string(class, "help", NULL) : NULL, .types = "class", .category = category};
    if (class)
        return argument_facts(form, class, key);
    const struct config_key *row = find_key(object_path, object, key);
    if (row)
        facts = (struct form_facts){.help = row->help,
                                    .types = row->types,
                                    .choices = row->choices,
                                    .initial = initial_of(form, row),
                                    .required = row->required};
    char path[256];
    snprintf(path, sizeof path, "%s%s%s", object_path, *object_path ? "." : "", key);
    facts.category = category_of_place(path);
    return facts;
}

const char *form_known_key(const struct form *form, const char *object_path, const json_t *object, const char *category,
                           size_t k)
{
    if (category) {
        const json_t *arguments = json_object_get(class_of(form, category, object), "arguments");
        return k < json_array_size(arguments) ? js_string(json_array_get(arguments, k), "name", "") : NULL;
    }
    size_t n, found = 0;
    const struct config_key *keys = config_keys(&n);
    for (size_t i = 0; i < n; i++) {
        const char *below = key_below(&keys[i], object_path, object);
        if (below && found++ == k)
            return below;
    }
    return NULL;
}
