/* parts.h - the inside of a dataset: tables, which rows of them are which split, and what is done to the inputs on the
 * way out. */
#ifndef ENGINE_DATA_PARTS_H
#define ENGINE_DATA_PARTS_H

#include "engine/data/dataset.h"
#include "engine/data/table.h"

struct input_scale { /* x -> (x - subtract[p]) * multiply[p], p = position modulo period; period 0 = nothing to do */
    int64_t period;
    float *subtract, *multiply; /* subtract NULL = 0 */
};

struct dataset_parts {
    struct arena arena;
    struct table
        *tables[SPLIT_COUNT]; /* owned; [0] is data itself, the others are NULL unless data has objects of that name */
    struct {
        const struct table *table; /* NULL = no such split */
        int64_t first;
    } split[SPLIT_COUNT];
    struct input_scale *scales; /* n_inputs of them */
    int64_t one_hot;            /* classes, 0 = labels stay numbers */
    json_t *state;              /* see dataset_scale; an object */
};

/* Everything between loading and gathering, in this order. All fill in ds from parts->tables[0]; errors name the key.
 */

/* Reshapes samples as data.shape says, for one table. */
bool apply_shape(struct table *t, const json_t *data, struct err *err) MUST_USE;
/* ds->inputs and targets: names, shapes, dtypes. model_inputs: predict, NULL otherwise. */
bool make_fields(struct dataset *ds, const json_t *data, const struct field *model_inputs, struct err *err) MUST_USE;
/* Means in place of missing cells: of the training part, or those of state. */
bool fill_missing(struct dataset *ds, const json_t *state, struct err *err) MUST_USE;
/* Factors and fitted scales. */
bool make_scales(struct dataset *ds, const json_t *data, const json_t *state, struct err *err) MUST_USE;
/* one_hot, n_classes, class_names. */
bool make_classes(struct dataset *ds, const json_t *data, struct err *err) MUST_USE;
/* What other parts must know about the training part: class_names, columns, vocabulary. New reference. */
json_t *table_state(const struct table *t);

/* A dataset around one loaded table (which it owns), without splits. */
struct dataset *dataset_around(struct table *t);
/* The value of `key` for input i: data[key], or data[key][name of the input] where that is an object. */
const json_t *per_input(const json_t *data, const char *key, const struct table *t, int i);

#endif
