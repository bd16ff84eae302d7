/* form.c - see form.h: the rows of the tree. */
#include "tui/form/form.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 12, SUMMARY_KEYS = 4 };

/* In the order in which people want to change them; what is not named here follows. */
static const char *const sections[] = {"name",           "fit",  "compile", "model",  "data", "callbacks", "keep",
                                       "backup_minutes", "seed", "device",  "history"};
/* Shown with those that are given: what one comes for. */
static const char *const important[] = {"learning_rate", "epochs", "batch_size", "validation_split"};

void form_init(struct form *form, json_t *config)
{
    *form = (struct form){.original = json_deep_copy(config),
                          .config = config,
                          .folds = json_object(),
                          .initials = json_object(),
                          .empty = json_object()};
    form->resolved = json_object_get(config, "folder") != NULL;
}

void form_release(struct form *form)
{
    json_decref(form->original);
    json_decref(form->config);
    json_decref(form->folds);
    json_decref(form->initials);
    json_decref(form->empty);
    arena_release(&form->arena);
    free(form->rows);
    *form = (struct form){0};
}

static bool is_among(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(names[i], name))
            return true;
    return false;
}

static struct form_row *add_row(struct form *form, enum form_kind kind, const char *path, const char *label, int depth,
                                int parent)
{
    form->rows = xgrow(form->rows, &form->capacity, form->n_rows + 1, sizeof *form->rows);
    struct form_row *row = &form->rows[form->n_rows++];
    *row = (struct form_row){.kind = kind, .path = path, .label = label, .depth = depth, .parent = parent};
    return row;
}

static bool is_list_of_objects(const json_t *value)
{
    return json_is_array(value) && json_is_object(json_array_get(value, 0));
}

/* An optimizer given by its name alone has arguments to show all the same. */
static bool is_group(const struct form *form, const char *path, const json_t *value, const struct form_facts *facts)
{
    bool optimizer = facts->category && !strcmp(facts->category, "optimizers") && json_is_string(value) &&
                     strcmp(facts->types, "class") != 0;
    bool object = json_is_object(value) && (json_object_size(value) || form_known_key(form, path, value, NULL, 0));
    return optimizer || object || is_list_of_objects(value);
}

static bool is_open(const struct form *form, const char *path, int depth, bool usually)
{
    const json_t *fold = json_object_get(form->folds, path);
    return depth < MAX_DEPTH && (fold ? json_is_true(fold) : usually);
}

static void add_value(struct form *form, const char *path, const char *label, int depth, int parent,
                      const json_t *given, const struct form_facts *facts);

struct children {
    const char *path, *category;
    const json_t *object; /* or the name of a class */
    int depth, parent;
};

/* free() it. */
static char *path_below(const struct children *c, const char *key)
{
    return xprintf("%s%s%s", c->path, *c->path ? "." : "", key);
}

static const json_t *given_below(const struct children *c, const char *key)
{
    if (json_is_string(c->object))
        return !strcmp(key, "class") ? c->object : NULL;
    return json_object_get(c->object, key);
}

/* What a config says of its own accord: in a resolved one not what would be so without it. */
static const json_t *said_below(const struct form *form, const struct children *c, const char *key)
{
    const json_t *given = given_below(c, key);
    if (!given || !form->resolved)
        return given;
    struct form_facts facts = form_facts_of(form, c->path, c->object, c->category, key);
    char *path = path_below(c, key);
    const json_t *before = js_at(form->original, path);
    free(path);
    bool as_usual = facts.initial && js_equal(facts.initial, given) && before && js_equal(before, given);
    return as_usual ? NULL : given;
}

static void add_child(struct form *form, const struct children *c, const char *key)
{
    struct form_facts facts = form_facts_of(form, c->path, c->object, c->category, key);
    char *path = path_below(c, key);
    add_value(form, arena_strdup(&form->arena, path), arena_strdup(&form->arena, key), c->depth, c->parent,
              said_below(form, c, key), &facts);
    free(path);
}

static bool is_hidden(const char *object_path, const char *key)
{
    return !*object_path && (!strcmp(key, "folder") || !strcmp(key, "description"));
}

static bool is_required(const struct form *form, const struct children *c, const char *key)
{
    return form_facts_of(form, c->path, c->object, c->category, key).required;
}

/* Shown although it is not given: what must be there, and what one comes for. */
static bool is_wanted(const struct form *form, const struct children *c, const char *key)
{
    return is_required(form, c, key) || is_among(important, sizeof important / sizeof *important, key);
}

static bool is_default(const struct form *form, const struct children *c, const char *key)
{
    bool shown = said_below(form, c, key) || is_wanted(form, c, key) || !strcmp(key, "class");
    return !shown && !is_hidden(c->path, key) && strcmp(c->path, "model") != 0;
}

/* What is not given: one closed row, and its keys below when it is open. */
static void add_defaults(struct form *form, const struct children *c)
{
    int n = 0;
    const char *key;
    for (size_t k = 0; (key = form_known_key(form, c->path, c->object, c->category, k)); k++)
        n += is_default(form, c, key);
    if (!n)
        return;
    const char *path = arena_printf(&form->arena, "%s.*", c->path);
    int at = (int)form->n_rows;
    struct form_row *row = add_row(form, FORM_GROUP, path, "", c->depth, c->parent);
    row->defaults = n;
    row->open = is_open(form, path, c->depth, false);
    if (!row->open)
        return;
    struct children deeper = *c;
    deeper.depth++;
    deeper.parent = at;
    for (size_t k = 0; (key = form_known_key(form, c->path, c->object, c->category, k)); k++)
        if (is_default(form, c, key))
            add_child(form, &deeper, key);
}

static void add_wanted(struct form *form, const struct children *c, bool required)
{
    const char *key;
    for (size_t k = 0; (key = form_known_key(form, c->path, c->object, c->category, k)); k++)
        if (!said_below(form, c, key) && strcmp(key, "class") != 0 && is_wanted(form, c, key) &&
            is_required(form, c, key) == required)
            add_child(form, c, key);
}

static void add_object(struct form *form, const struct children *c)
{
    const char *key;
    json_t *value;
    if (json_is_string(c->object) || json_object_get(c->object, "class"))
        add_child(form, c, "class");
    json_object_foreach((json_t *)c->object, key, value) {
        if (strcmp(key, "class") != 0 && !is_hidden(c->path, key) && said_below(form, c, key))
            add_child(form, c, key);
    }
    add_wanted(form, c, true);
    add_wanted(form, c, false);
    add_defaults(form, c);
}

static void add_list(struct form *form, const struct children *c)
{
    const json_t *value;
    size_t i;
    json_array_foreach((json_t *)c->object, i, value) {
        const struct form_facts facts = {.category = c->category};
        const char *path = arena_printf(&form->arena, "%s[%zu]", c->path, i);
        const char *class = js_string(value, "class", NULL), *name = js_string(value, "name", NULL);
        const char *label = class ? arena_printf(&form->arena, name ? "%zu %s %s" : "%zu %s", i, class, name)
                                  : arena_printf(&form->arena, "%zu", i);
        add_value(form, path, label, c->depth, c->parent, value, &facts);
    }
}

/* The value when the form opened. The class of an object that was only the name of its class is that name. */
static const json_t *value_before(const struct form *form, const char *path)
{
    const json_t *before = js_at(form->original, path);
    if (before || !str_ends(path, ".class"))
        return before;
    char *above = xstrndup(path, strlen(path) - strlen(".class"));
    before = js_at(form->original, above);
    free(above);
    return json_is_string(before) ? before : NULL;
}

static void add_value(struct form *form, const char *path, const char *label, int depth, int parent,
                      const json_t *given, const struct form_facts *facts)
{
    const json_t *value = given ? given : facts->initial, *before = value_before(form, path);
    if (!value && facts->types && !strcmp(facts->types, "object"))
        value = form->empty;
    bool group = is_group(form, path, value, facts), in_list = strchr(label, ' ') || (*label >= '0' && *label <= '9');
    int at = (int)form->n_rows;
    struct form_row *row = add_row(form, group ? FORM_GROUP : FORM_FIELD, path, label, depth, parent);
    row->value = group || value != form->empty ? value : NULL;
    row->given = given != NULL;
    row->changed = given && !(before && js_equal(before, given));
    row->facts = *facts;
    row->open =
        group && is_open(form, path, depth, !in_list && (given || !strcmp(path, "fit") || !strcmp(path, "data")));
    if (!row->open)
        return;
    const struct children c = {
        .path = path, .category = facts->category, .object = value, .depth = depth + 1, .parent = at};
    if (json_is_array(value))
        add_list(form, &c);
    else
        add_object(form, &c);
}

void form_build(struct form *form, const json_t *classes)
{
    const struct children top = {.path = "", .object = form->config, .parent = -1};
    const char *key;
    json_t *value;
    form->classes = classes;
    form->n_rows = 0;
    arena_reset(&form->arena);
    add_row(form, FORM_START, "", "", 0, -1);
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (json_object_get(form->config, sections[i]) ||
            form_facts_of(form, "", form->config, NULL, sections[i]).types)
            add_child(form, &top, sections[i]);
    json_object_foreach(form->config, key, value) {
        if (!is_among(sections, sizeof sections / sizeof *sections, key) && !is_hidden("", key))
            add_child(form, &top, key);
    }
}

int form_find(const struct form *form, const char *path)
{
    for (size_t i = 0; i < form->n_rows; i++)
        if (!strcmp(form->rows[i].path, path))
            return (int)i;
    return -1;
}

void form_fold(struct form *form, const struct form_row *row, bool open)
{
    json_object_set_new(form->folds, row->path, json_boolean(open));
}

/* The place at the start of a message: "model.layers[0].units: ...". free() it; NULL. */
static char *place_in(const char *message)
{
    size_t n = strcspn(message, ": ");
    return n && message[n] == ':' ? xstrndup(message, n) : NULL;
}

int form_place(struct form *form, const char *message)
{
    char *place = place_in(message);
    int found = -1;
    while (place && *place && found < 0) {
        for (size_t i = 1; place[i]; i++) /* open what leads there */
            if (place[i] == '.' || place[i] == '[') {
                char *above = xstrndup(place, i);
                json_object_set_new(form->folds, above, json_true());
                free(above);
            }
        form_build(form, form->classes);
        found = form_find(form, place);
        size_t last = strlen(place);
        while (last && place[last] != '.' && place[last] != '[')
            last--;
        place[last] = 0; /* not a key that is shown: its object is */
    }
    free(place);
    return found;
}

char *form_text(const json_t *value)
{
    if (!value)
        return xstrdup("");
    return json_is_string(value) ? xstrdup(json_string_value(value)) : js_text(value, 0);
}

static void add_short(struct str *out, const char *key, const json_t *value)
{
    if (json_is_object(value) || is_list_of_objects(value))
        return;
    char *text = form_text(value);
    str_addf(out, "%s%s %s", out->length ? "  " : "", key, text);
    free(text);
}

void form_summary(const struct form *form, const struct form_row *row, struct str *out)
{
    const char *key;
    json_t *value;
    int n = 0;
    (void)form;
    if (row->defaults) {
        str_addf(out, "%d more, at their defaults", row->defaults);
    } else if (json_is_array(row->value)) {
        str_addf(out, "%zu", json_array_size(row->value));
    } else if (json_is_string(row->value)) {
        str_add(out, json_string_value(row->value));
    } else {
        json_object_foreach((json_t *)row->value, key, value) {
            bool said = strchr(row->label, ' ') && (!strcmp(key, "class") || !strcmp(key, "name")); /* by the label */
            if (!said && n++ < SUMMARY_KEYS)
                add_short(out, key, value);
        }
    }
}
