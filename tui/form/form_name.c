/* form_name.c - the name that a branch gets while nobody has given it one: its parent's, with what was changed. */
#include "tui/client/train_request.h"
#include "tui/form/form_view.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { SUFFIX_MAX = 24 };

/* Keys that have a short name among people. */
static const struct {
    const char *key, *word;
} words[] = {{"learning_rate", "lr"}, {"batch_size", "batch"}, {"epochs", "more"},   {"rate", "drop"},
             {"layers", "layers"},    {"callbacks", "stop"},   {"shuffle", "order"}, {"seed", "seed"}};

struct change {
    char path[256];
};

/* The first change that is not the name itself; epochs only when nothing else is. */
static void take_change(void *context, const char *assignment)
{
    struct change *c = context;
    size_t n = strcspn(assignment, "=");
    bool none = !c->path[0] || !strcmp(c->path, "fit.epochs");
    if (none && n < sizeof c->path && strncmp(assignment, "name=", 5) != 0) {
        memcpy(c->path, assignment, n);
        c->path[n] = 0;
    }
}

/* The first argument of a class that used to be given by its name alone; NULL: it is another class now. */
static const char *argument_given(const json_t *before, const json_t *now)
{
    const char *key;
    json_t *value;
    bool same = json_is_string(before) && !strcmp(json_string_value(before), js_string(now, "class", ""));
    json_object_foreach(same ? (json_t *)now : NULL, key, value) {
        if (strcmp(key, "class") != 0)
            return key;
    }
    return NULL;
}

/* "lr" of "compile.optimizer.learning_rate", "" of nothing. */
static void suffix_of(const struct form *form, char suffix[SUFFIX_MAX])
{
    struct change change = {0};
    train_assignments(form->original, form->config, take_change, &change);
    const char *dot = strrchr(change.path, '.'), *key = dot ? dot + 1 : change.path;
    const json_t *value = js_at(form->config, change.path);
    const char *argument = argument_given(js_at(form->original, change.path), value),
               *class = json_is_object(value) && !argument ? js_string(value, "class", NULL) : NULL;
    key = argument ? argument : key;
    size_t n = 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strncmp(words[i].key, key, strlen(words[i].key)))
            key = words[i].word;
    if (class || !strcmp(key, "class") || !strcmp(key, "optimizer"))
        key = class ? class : json_is_string(value) ? json_string_value(value) : key;
    for (; *key && *key != '[' && n < SUFFIX_MAX - 1; key++)
        suffix[n++] = *key == '_' ? '-' : (char)tolower((unsigned char)*key);
    suffix[n] = 0;
}

static bool name_is_taken(const struct app *app, const char *name)
{
    for (size_t i = 0; i < app->n_runs; i++)
        if (!strcmp(app->runs[i].name, name))
            return true;
    return false;
}

void form_view_suggest(const struct app *app, struct form_view *v)
{
    const struct run_summary *run = app_find_run(app, v->run);
    const char *original = js_string(v->form.original, "name", "run"), *parent = run ? run->name : original,
               *now = js_string(v->form.config, "name", "");
    char suffix[SUFFIX_MAX], name[sizeof v->suggested];
    struct err ignored;
    if (v->source != FORM_OF_CHECKPOINT || strcmp(now, v->suggested[0] ? v->suggested : original) != 0)
        return;
    suffix_of(&v->form, suffix);
    snprintf(name, sizeof name, "%.100s%s%s", parent, suffix[0] ? "-" : "", suffix);
    for (int k = 2; name_is_taken(app, name) && k < 1000; k++)
        snprintf(name, sizeof name, "%.100s%s%s-%d", parent, suffix[0] ? "-" : "", suffix, k);
    if (form_put(&v->form, "name", json_string(name), &ignored))
        snprintf(v->suggested, sizeof v->suggested, "%s", name);
}

size_t form_view_changes(const struct form_view *v)
{
    size_t n = form_changes(&v->form);
    return n > v->n_given ? n - v->n_given : 0;
}
