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

/* Names known to both programs: every ARG_FLOAT argument, lr. To scalars: t (counts updates from 1), the scalar slot.
 * To update: w, g, the slots, the scalars. */
struct optimizer_class {
    struct named_row row;
    struct slot_row slots[OPTIMIZER_MAX_SLOTS]; /* letter NULL ends */
    const char *scalar_slot;                    /* name of one scalar that starts at 1 and is saved last; NULL = none */
    const char *scalars;                        /* assignments; NULL = none */
    const char *scalar_names[OPTIMIZER_MAX_SCALARS];
    struct optimizer_statement update[OPTIMIZER_MAX_STATEMENTS]; /* text NULL ends */
};

#endif
