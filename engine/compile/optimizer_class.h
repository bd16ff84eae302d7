/* optimizer_class.h - one row of the table of optimizers. To add one: a row in optimizer_table.c and its Keras case in
 * tests/keras/test_compile.py. */
#ifndef ENGINE_COMPILE_OPTIMIZER_CLASS_H
#define ENGINE_COMPILE_OPTIMIZER_CLASS_H

#include "engine/compile/optimizers.h"

struct slot_row {
    const char *letter;  /* its name in the programs */
    const char *name;    /* Keras' */
    const char *when;    /* argument that must be set (true, above 0) for it to exist; NULL = always */
    const char *initial; /* argument with its first value; NULL = 0 */
    int group;           /* slots of a group are interleaved per variable, groups follow each other */
};

struct optimizer_statement {
    const char *when; /* arguments, separated by spaces, that must be set, or unset with '!' in front; NULL = always */
    const char *text; /* see program.h */
};

enum { OPTIMIZER_MAX_STATEMENTS = 8 };

/* The update of one variable as ops, for optimizers that look at the whole of it (norms, rows and columns, products)
 * and so are no expression over its elements. In: the gradient (accumulated, clipped), the weight and the slots before
 * the step; lower replaces weight and slots by what they become. */
struct whole_update {
    const struct optimizer *optimizer;
    struct graph *graph;
    int variable;                                                 /* of model->trainable */
    struct value *gradient, *weight, *slots[OPTIMIZER_MAX_SLOTS]; /* NULL: it has no such slot */
    const char *const *scalar_names;
    struct value *const *scalars; /* lr and the row's */
    int n_scalars;
};

/* Names known to both programs: every ARG_FLOAT argument, lr. To scalars: t (counts updates from 1), the scalar slot.
 * To update: w, g, the slots, the scalars. A row has an update or a lower. */
struct optimizer_class {
    struct named_row row;
    struct slot_row slots[OPTIMIZER_MAX_SLOTS]; /* letter NULL ends */
    const char *scalar_slot;                    /* name of one scalar that starts at 1 and is saved last; NULL = none */
    const char *scalars;                        /* assignments; NULL = none */
    const char *scalar_names[OPTIMIZER_MAX_SCALARS];
    struct optimizer_statement update[OPTIMIZER_MAX_STATEMENTS]; /* text NULL ends */
    /* Instead of update, weight decay included. NULL = update. */
    void (*lower)(struct whole_update *update);
    /* Shape of a slot of a variable, false: the variable has none. NULL = every one has all, shaped like itself. */
    bool (*slot_shape)(const struct optimizer *optimizer, int variable, int slot, struct shape *shape);
    /* Arguments that the table of arguments cannot check. NULL = none. */
    bool (*check)(const struct optimizer *optimizer, struct err *err);
};

/* Whether an argument is given and neither null, false nor 0; its number. */
bool optimizer_set(const struct optimizer *optimizer, const char *name);
double optimizer_number(const struct optimizer *optimizer, const char *name);
/* Names of the results of `scalars`, in order: lr, [update: is this a step with an update], [keep: of the average],
 * [overwrite: the weights by it], those of the row, [the scalar slot]. Returns how many. */
int optimizer_scalars(const struct optimizer *optimizer, const char **names);

/* optimizers_whole.c */
/* The sum of x^2 over all elements, a scalar. */
struct value *optimizer_square_sum(struct graph *graph, struct value *x);
void lower_lamb(struct whole_update *update);
void lower_adafactor(struct whole_update *update);
void lower_muon(struct whole_update *update);
bool slot_shape_adafactor(const struct optimizer *optimizer, int variable, int slot, struct shape *shape);
bool slot_shape_muon(const struct optimizer *optimizer, int variable, int slot, struct shape *shape);
bool check_muon(const struct optimizer *optimizer, struct err *err);

#endif
