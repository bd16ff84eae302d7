/* loss_class.h - one row of the table of losses. To add a loss: one row in loss_table.c and its Keras case in
 * tests/keras/test_compile.py. */
#ifndef ENGINE_COMPILE_LOSS_CLASS_H
#define ENGINE_COMPILE_LOSS_CLASS_H

#include "engine/compile/losses.h"

struct loss_class {
    struct named_row row;
    const char *default_name; /* of an instance */
    bool sparse;              /* targets are class numbers */
    bool labels;              /* targets are whole numbers, but not one class a value */
    bool below_width;         /* labels: each is below the width of the output */
    bool one_hot, binary;     /* targets are rows of 0 and one 1; each is 0 or 1 */
    bool sum;                 /* text: the elements are summed over the last axis, not averaged */
    const char *text; /* program that defines `value` from y_true, y_pred and the ARG_FLOAT arguments; or NULL and: */
    struct value *(*lower)(const struct loss *loss, struct loss_call *call);
    /* Optional: arguments that the table of arguments cannot check. */
    bool (*check)(const struct loss *loss, struct err *err);
};

struct value *lower_circle(const struct loss *loss, struct loss_call *call); /* loss_circle.c */
struct value *lower_ctc(const struct loss *loss, struct loss_call *call);    /* loss_ctc.c */

#endif
