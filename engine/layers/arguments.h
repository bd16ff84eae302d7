/* arguments.h - the arguments of a class (layer, loss, metric, optimizer, callback, ...) as a table: checked,
 * defaulted, described.
 *
 * One table per class is the only place where an argument's name, type, default and help stand; messages, `antler check
 * --help`, the form and the docs are printed from it. Keras is the source of names and defaults.
 */
#ifndef ENGINE_LAYERS_ARGUMENTS_H
#define ENGINE_LAYERS_ARGUMENTS_H

#include "base/json.h"

enum argument_type {
    ARG_INT,
    ARG_FLOAT,
    ARG_BOOL,
    ARG_STRING,
    ARG_CHOICE, /* choices in `choices`, separated by '|' */
    ARG_INTS,   /* an int or a list of ints (kernel_size) */
    /* name, envelope or null */
    ARG_ACTIVATION,
    ARG_INITIALIZER,
    ARG_REGULARIZER,
    ARG_CONSTRAINT,
    ARG_LOSS,
    ARG_METRIC,
    ARG_SCHEDULE,
    ARG_EXPRESSION, /* text of engine/graph/expr.h */
    ARG_ANY
};

struct argument {
    const char *name;
    enum argument_type type;
    const char *initial; /* default as JSON text: "0.001", "\"valid\"", "null"; NULL = must be given */
    const char *choices; /* of ARG_FLOAT "null": null is allowed although it is not the default */
    double min, max;     /* for numbers, both 0 = unchecked */
    const char *help;
};

struct class_row { /* what every class table has in front */
    const char *name, *help;
    const struct argument *arguments; /* ends with name NULL */
};

/* config's keys against the table: unknown (with the nearest), wrong type, out of range, missing. Keys named in
 * `common` (ends with NULL) are allowed too. Unknown keys whose value is null or false are ignored (newer Keras files
 * carry such defaults). */
bool arguments_check(const char *class_name, const struct argument *arguments, const char *const *common,
                     const json_t *config, const char *where, struct err *err);
/* The value given, or the default, which a cache keeps. Lent. Never NULL for a known name. */
const json_t *argument(const struct argument *arguments, const json_t *config, const char *name);
double argument_double(const struct argument *arguments, const json_t *config, const char *name);
int64_t argument_int(const struct argument *arguments, const json_t *config, const char *name);
bool argument_bool(const struct argument *arguments, const json_t *config, const char *name);
/* NULL for null. */
const char *argument_string(const struct argument *arguments, const json_t *config, const char *name);
/* {"name", "help", "arguments": [{"name", "type", "default", "choices", "min", "max", "help"}]}: new reference. */
json_t *class_describe(const char *name, const char *help, const struct argument *arguments);
/* A class given as "Name", {"class": "Name", args...} or a Keras envelope {"class_name", "config"}: name and config
 * (lent; *config may be an empty object). For our short form *config still contains "class". */
bool class_reference(const json_t *json, const char **name, const json_t **config);
/* Whether two spellings mean one class: Keras' strings are the class in snake case, so neither case nor underscores
 * count ("HeNormal", "he_normal"). */
bool class_name_equal(const char *a, const char *b);

#endif
