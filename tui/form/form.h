/* form.h - a config as a tree of fields that can be changed: what the new and the branch form show. No drawing here.
 *
 * The rows are the keys of the config, and below the ones it gives, folded away, those it leaves at their defaults.
 * What a key means comes from the table of config keys, what a class takes from the worker's answer to `describe`
 * (until that is known, classes show only what they are given). A row is found again by its path; rows are made anew by
 * form_build after every change.
 *
 *     struct form form;
 *     form_init(&form, config);                       takes the reference
 *     form_build(&form, app->classes);
 *     form_set(&form, &form.rows[3], "0.01", err);    then form_build again
 *     form_release(&form);
 */
#ifndef TUI_FORM_FORM_H
#define TUI_FORM_FORM_H

#include "base/arena.h"
#include "base/json.h"

enum form_kind { FORM_START, FORM_GROUP, FORM_FIELD };
struct form_facts {           /* what is known of a key; all may be NULL */
    const char *help, *types; /* "integer or null" */
    const char *choices;      /* 'a|b|c' */
    const char *category;     /* a list of `describe`: "optimizers", "activations" */
    const json_t *initial;
    bool required;
};
struct form_row {
    enum form_kind kind;
    const char *path, *label;  /* "compile.optimizer.learning_rate", "learning_rate" */
    int depth, parent;         /* parent: a row, -1 at the top */
    const json_t *value;       /* given or default, NULL: none; lent */
    bool given, changed, open; /* changed: differs from the original, also below */
    int defaults; /* > 0: the group that holds so many keys at their defaults; its path is its object's with ".*" */
    struct form_facts facts;
};
struct form {
    json_t *original, *config; /* the same when it opened */
    bool resolved;             /* the config of a run, with every default written out: those count as not given */
    json_t *folds;             /* path -> whether open, where it is not as usual */
    json_t *initials;          /* defaults of the config keys */
    json_t *empty;             /* {}: stands for an object that is not given but has known keys */
    const json_t *classes;     /* `describe`, NULL: unknown; lent */
    struct arena arena;
    struct form_row *rows;
    size_t n_rows, capacity;
};

void form_init(struct form *form, json_t *config);
void form_release(struct form *form);
void form_build(struct form *form, const json_t *classes);
/* The row of a path, -1: none, or inside a closed group. */
int form_find(const struct form *form, const char *path);
void form_fold(struct form *form, const struct form_row *row, bool open);
/* The row that an error speaks of ("model.layers[0].units: ..."), opened to; -1: it names none. */
int form_place(struct form *form, const char *message);

/* A value as text to edit: strings bare, the rest as JSON. free() it. */
char *form_text(const json_t *value);
/* A short description of a closed group: "filters 16  kernel_size 3". Appends. */
void form_summary(const struct form *form, const struct form_row *row, struct str *out);
/* What a field may be, when that is a short list: lines and hints are filled, the number returned; 0: it is typed. */
enum { FORM_MAX_CHOICES = 48, FORM_LINE = 96, FORM_HINT = 72 };
int form_choices(const struct form *form, const struct form_row *row, char lines[][FORM_LINE], char hints[][FORM_HINT]);

/* Text as --set reads it; a field that can only be text stays text. Empty: its default. ERR_USAGE leaves the form as it
 * was. */
bool form_set(struct form *form, const struct form_row *row, const char *text, struct err *err) MUST_USE;
/* As it was when the form opened. */
void form_reset(struct form *form, const struct form_row *row);
/* Gives a key a value from outside (takes the reference). */
bool form_put(struct form *form, const char *path, json_t *value, struct err *err) MUST_USE;
size_t form_changes(const struct form *form);
/* "antler train digits.json --set fit.epochs=5": start and the assignments. */
void form_command(const struct form *form, const char *start, struct str *out);

/* form_items.c: lists that grow and shrink. */
struct form_item {
    char list[256];       /* "model.layers" */
    const char *category; /* "layers" */
    int index, count;     /* index: -1: the list itself */
};
/* The item a row is, stands in, or (its list's row) could be added to; false: neither. */
bool form_item_at(const struct form *form, const struct form_row *row, struct form_item *item);
/* A new one behind it, or at the end of the list; path: where it stands. In a graph of layers it goes into the chain
 * behind the one it was added to. form_build afterwards. */
bool form_item_add(struct form *form, const struct form_item *item, const char *class, char path[256],
                   struct err *err) MUST_USE;
/* Takes it out; who read a layer of a graph reads that one's first input. */
bool form_item_remove(struct form *form, const struct form_item *item, struct err *err) MUST_USE;
/* By one place, up or down; ERR_USAGE at the ends and in graphs, where the order says nothing. */
bool form_item_move(struct form *form, const struct form_item *item, int by, struct err *err) MUST_USE;

/* form_schema.c: what is known of keys and classes. */
/* The facts of a key below an object: object_path "fit", key "epochs"; an object that is a class of a category: its
 * argument. */
struct form_facts form_facts_of(const struct form *form, const char *object_path, const json_t *object,
                                const char *category, const char *key);
/* The k-th key that may stand below the object, NULL behind the last. */
const char *form_known_key(const struct form *form, const char *object_path, const json_t *object, const char *category,
                           size_t k);
/* The list of `describe` that the entries of the list at this path are of: "model.layers" -> "layers"; NULL: it is no
 * such list. */
const char *form_list_category(const char *path);
/* The row of `describe` for a class, by name or alias; NULL. */
const json_t *form_class(const struct form *form, const char *category, const char *name);

#endif
