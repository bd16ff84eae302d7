/* form_edit.c - changing the config of a form: what a typed text means, choices, taking back, and the command line that
 * does the same. */
#include "tui/client/train_request.h"
#include "tui/form/form.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether `word` is one of the types in "integer or list of integers or null". */
static bool allows(const char *types, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = types; at && (at = strstr(at, word)); at += n) {
        bool starts = at == types || (at - types >= 4 && !strncmp(at - 4, " or ", 4));
        if (starts && (!at[n] || at[n] == ':' || !strncmp(at + n, " or ", 4)))
            return true;
    }
    return false;
}

/* ---- choices ---- */

static int add_choice(char lines[][FORM_LINE], char hints[][FORM_HINT], int n, const char *line, size_t length,
                      const char *hint)
{
    if (n >= FORM_MAX_CHOICES)
        return n;
    snprintf(lines[n], FORM_LINE, "%.*s", (int)length, line);
    snprintf(hints[n], FORM_HINT, "%s", hint);
    return n + 1;
}

static int class_choices(const struct form *form, const struct form_row *row, char lines[][FORM_LINE],
                         char hints[][FORM_HINT])
{
    const json_t *class, *list = json_object_get(form->classes, row->facts.category);
    size_t i;
    int n = 0;
    if (json_array_size(list) >= FORM_MAX_CHOICES || !strcmp(row->facts.category, "schedules") ||
        json_is_array(row->value))
        return 0;
    json_array_foreach((json_t *)list, i, class) {
        const char *name = js_string(class, "name", "");
        n = add_choice(lines, hints, n, name, strlen(name), js_string(class, "help", ""));
    }
    return n;
}

int form_choices(const struct form *form, const struct form_row *row, char lines[][FORM_LINE], char hints[][FORM_HINT])
{
    const struct form_facts *facts = &row->facts;
    int n = 0;
    if (json_is_object(row->value))
        return 0;
    if (facts->category)
        n = class_choices(form, row, lines, hints);
    if (facts->types && (!strcmp(facts->types, "bool") || allows(facts->types, "boolean"))) {
        n = add_choice(lines, hints, n, "true", 4, "");
        n = add_choice(lines, hints, n, "false", 5, "");
    }
    for (const char *at = facts->choices; at && *at; at += strspn(at, "|")) {
        size_t length = strcspn(at, "|");
        n = add_choice(lines, hints, n, at, length, "");
        at += length;
    }
    bool may_be_null = allows(facts->types, "null") || json_is_null(facts->initial);
    return n && may_be_null ? add_choice(lines, hints, n, "null", 4, "none") : n;
}

/* ---- values ---- */

/* "compile.optimizer" of "compile.optimizer.learning_rate"; "" at the top. free() it. */
static char *path_above(const char *path)
{
    const char *dot = strrchr(path, '.');
    return xstrndup(path, dot ? (size_t)(dot - path) : 0);
}

/* A class given by its name alone becomes an object that can hold arguments. */
static bool make_room(struct form *form, const struct form_row *row, struct err *err)
{
    const struct form_row *above = row->parent >= 0 ? &form->rows[row->parent] : NULL;
    if (above && above->defaults)
        above = above->parent >= 0 ? &form->rows[above->parent] : NULL;
    if (!above || !json_is_string(above->value))
        return true;
    json_t *object = json_pack("{s:s}", "class", json_string_value(above->value));
    bool ok = js_put(form->config, above->path, object, err);
    json_decref(object);
    return ok;
}

static void remove_key(struct form *form, const char *path)
{
    char *above = path_above(path);
    const char *dot = strrchr(path, '.');
    json_object_del(*above ? js_at(form->config, above) : form->config, dot ? dot + 1 : path);
    free(above);
}

/* Another class: arguments it does not know go. */
static void drop_unknown_arguments(struct form *form, const struct form_row *row)
{
    char *above = path_above(row->path);
    json_t *object = js_at(form->config, above), *value;
    const json_t *class = form_class(form, row->facts.category, js_string(object, "class", ""));
    const char *key, *known;
    void *next;
    json_object_foreach_safe(object, next, key, value) {
        bool stays = !class || !strcmp(key, "class");
        for (size_t k = 0; !stays && (known = form_known_key(form, above, object, row->facts.category, k)); k++)
            stays = !strcmp(known, key);
        if (!stays)
            json_object_del(object, key);
    }
    free(above);
}

static json_t *read_value(const struct form_row *row, const char *text)
{
    double number;
    const char *types = row->facts.types;
    bool only_text = types && !strcmp(types, "string");
    json_t *value = js_parse(text, strlen(text), "", JS_STRICT, NULL);
    if (value && only_text && !json_is_string(value)) {
        json_decref(value);
        value = NULL;
    }
    if (!value && types && !only_text && !allows(types, "string") && str_to_double(text, &number) && isfinite(number))
        return js_number(number); /* .5 and 1. are no JSON, but what is meant is clear */
    return value ? value : json_string(text);
}

bool form_put(struct form *form, const char *path, json_t *value, struct err *err)
{
    bool ok = js_put(form->config, path, value, err);
    json_decref(value);
    return ok;
}

bool form_set(struct form *form, const struct form_row *row, const char *text, struct err *err)
{
    if (!*text) {
        if (!row->facts.types && form->classes && row->depth) { /* a key nobody knows: gone */
            remove_key(form, row->path);
            return true;
        }
        if (!row->facts.initial)
            return err_set(err, ERR_USAGE, "'%s' has no default to go back to: Esc leaves it as it is", row->label);
        if (!js_at(form->original, row->path)) {
            remove_key(form, row->path);
            return true;
        }
    }
    json_t *value = *text ? read_value(row, text) : json_deep_copy(row->facts.initial);
    if (row->value && js_equal(row->value, value)) {
        json_decref(value); /* what it was anyway */
        return true;
    }
    if (!make_room(form, row, err)) {
        json_decref(value);
        return false;
    }
    bool ok = form_put(form, row->path, value, err);
    if (ok && row->facts.types && !strcmp(row->facts.types, "class"))
        drop_unknown_arguments(form, row);
    return ok;
}

void form_reset(struct form *form, const struct form_row *row)
{
    struct err ignored;
    json_t *before = js_at(form->original, row->path);
    if (row->kind == FORM_START || row->defaults)
        return;
    if (!before)
        remove_key(form, row->path);
    else if (!form_put(form, row->path, json_deep_copy(before), &ignored))
        remove_key(form, row->path); /* what it stood in has become something else */
}

/* ---- the command line ---- */

static void count_one(void *context, const char *text)
{
    (void)text;
    ++*(size_t *)context;
}

size_t form_changes(const struct form *form)
{
    size_t n = 0;
    train_assignments(form->original, form->config, count_one, &n);
    return n;
}

static void add_set(void *context, const char *text)
{
    struct str *out = context;
    str_add(out, " --set ");
    add_shell_word(out, text);
}

void form_command(const struct form *form, const char *start, struct str *out)
{
    str_add(out, start);
    train_assignments(form->original, form->config, add_set, out);
}
