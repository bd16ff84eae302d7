/* named.h - looking a class up by its name or one of Keras' strings for it, with the nearest known name when there is
 * none. */
#ifndef ENGINE_COMPILE_NAMED_H
#define ENGINE_COMPILE_NAMED_H

#include "engine/layers/arguments.h"

struct named_row { /* what every row of losses, metrics, optimizers, schedules and callbacks begins with */
    struct class_row class;
    const char *aliases; /* "mean_squared_error|mse|MSE"; NULL = none */
};

struct named_table {
    const char *kind; /* "loss", for messages */
    const void *rows; /* each begins with a named_row */
    size_t n, row_size;
    const char *elsewhere; /* "ScheduleFreeAdamW": Keras has them, the engine has not; NULL = none */
    bool any_case;         /* names match whatever their case, as Keras does for optimizers */
};

const struct named_row *named_at(const struct named_table *table, size_t i);
/* NULL when unknown. */
const struct named_row *named_find(const struct named_table *table, const char *name);
/* As named_find, with ERR_USAGE saying place, found and nearest. */
const struct named_row *named_get(const struct named_table *table, const char *name, const char *where,
                                  struct err *err);
/* One object per row: name, help, arguments, aliases. New reference. */
json_t *named_describe(const struct named_table *table);
/* "dtype" of a loss or metric: absent, null or float32 (a name or a policy), else ERR_USAGE. */
bool named_float32(const json_t *config, const char *where, struct err *err);
/* Whether name is one of "a|b|c". */
bool name_listed(const char *list, const char *name, bool any_case);

#endif
