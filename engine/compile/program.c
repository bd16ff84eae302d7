/* program.c - see program.h */
#include "engine/compile/program.h"

#include <ctype.h>
#include <string.h>

void program_begin(struct program *p, struct arena *arena)
{
    memset(p, 0, sizeof *p);
    p->arena = arena;
    expr_begin(&p->builder, arena);
}

static struct program_name *find_name(struct program *p, const char *name, size_t length)
{
    for (int i = 0; i < p->n_names; i++)
        if (strlen(p->names[i].name) == length && !memcmp(p->names[i].name, name, length))
            return &p->names[i];
    return NULL;
}

static void define(struct program *p, const char *name, size_t length, struct program_name value)
{
    struct program_name *slot = find_name(p, name, length);
    if (!slot) {
        BUG_ON(p->n_names == PROGRAM_MAX_NAMES);
        slot = &p->names[p->n_names++];
        value.name = arena_strndup(p->arena, name, length);
    } else {
        value.name = slot->name;
    }
    *slot = value;
}

void program_input(struct program *p, const char *name)
{
    define(p, name, strlen(name), (struct program_name){.step = expr_input(&p->builder, p->n_inputs++)});
}

void program_constant(struct program *p, const char *name, double value)
{
    define(p, name, strlen(name), (struct program_name){.step = -1, .constant = true, .value = value});
}

/* The known names that occur in text, each once. */
static int names_in(struct program *p, const char *text, struct program_name **found)
{
    int n = 0;
    for (const char *c = text; *c;) {
        if (!isalpha((unsigned char)*c) && *c != '_') {
            /* digits are skipped with their letters: the e of 1e-7 is no name */
            if (isdigit((unsigned char)*c))
                while (isalnum((unsigned char)*c) || *c == '.')
                    c++;
            else
                c++;
            continue;
        }
        const char *start = c;
        while (isalnum((unsigned char)*c) || *c == '_')
            c++;
        struct program_name *name = find_name(p, start, (size_t)(c - start));
        bool known = !name;
        for (int i = 0; i < n && !known; i++)
            known = found[i] == name;
        if (!known && n < EXPR_MAX_INPUTS)
            found[n++] = name;
    }
    return n;
}

static void assign(struct program *p, const char *target, size_t target_length, const char *text)
{
    struct program_name *found[EXPR_MAX_INPUTS];
    const char *names[EXPR_MAX_INPUTS] = {NULL};
    int n = names_in(p, text, found);
    bool constant = true;
    for (int i = 0; i < n; i++) {
        names[i] = found[i]->name;
        constant = constant && found[i]->constant;
    }
    const struct expr *e = expr_parse(p->arena, text, names, n, &p->error);
    if (!e) {
        p->failed = true;
        return;
    }
    if (constant) {
        double values[EXPR_MAX_INPUTS];
        for (int i = 0; i < n; i++)
            values[i] = found[i]->value;
        define(p, target, target_length,
               (struct program_name){.step = -1, .constant = true, .value = expr_eval_double(e, values)});
        return;
    }
    int steps[EXPR_MAX_INPUTS], result[EXPR_MAX_RESULTS];
    for (int i = 0; i < n; i++) {
        if (found[i]->constant && found[i]->step < 0)
            found[i]->step = expr_const(&p->builder, found[i]->value);
        steps[i] = found[i]->step;
    }
    expr_inline(&p->builder, e, steps, result);
    define(p, target, target_length, (struct program_name){.step = result[0]});
}

void program_run(struct program *p, const char *text)
{
    while (text && !p->failed) {
        text += strspn(text, " \n;");
        if (!*text)
            return;
        size_t length = strcspn(text, ";"), name_length = strcspn(text, " =");
        const char *equals = memchr(text, '=', length);
        BUG_ON(!equals || !name_length);
        const char *right = equals + 1;
        assign(p, text, name_length, arena_strndup(p->arena, right, (size_t)(text + length - right)));
        text += length;
    }
}

const struct expr *program_finish(struct program *p, const char *const *results, int n_results, struct err *err)
{
    int steps[EXPR_MAX_RESULTS];
    BUG_ON(n_results > EXPR_MAX_RESULTS);
    if (p->failed)
        return err_null(err, p->error.code, "%s", p->error.text);
    for (int i = 0; i < n_results; i++) {
        struct program_name *name = find_name(p, results[i], strlen(results[i]));
        BUG_ON(!name);
        if (name->step < 0)
            name->step = expr_const(&p->builder, name->value);
        steps[i] = name->step;
    }
    const struct expr *e = expr_finish(&p->builder, steps, n_results, p->n_inputs);
    return e ? e : err_null(err, ERR_USAGE, "the expression needs more than %d steps", EXPR_MAX_STEPS);
}
