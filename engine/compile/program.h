/* program.h - a few assignments in text, turned into one expression with several results: how optimizers and schedules
 * are written.
 *
 *     m = m + (g - m) * c1;  w = w - alpha * m / (sqrt(v) + epsilon)
 *
 * Names are inputs (tensors or scalars), constants (arguments of a class) or what an earlier assignment defined. An
 * assignment whose right side holds constants only is computed once in double, as Keras' Python does ("c2 = 1 - beta_2"
 * is exact to the last bit of float32); inside a longer right side the same term is float32 arithmetic. Errors are
 * sticky until program_finish.
 */
#ifndef ENGINE_COMPILE_PROGRAM_H
#define ENGINE_COMPILE_PROGRAM_H

#include "engine/graph/expr.h"

enum { PROGRAM_MAX_NAMES = 48 };

struct program_name {
    const char *name;
    int step; /* its value in the builder; -1 for a constant that was not used yet */
    bool constant;
    double value; /* of a constant */
};

struct program {
    struct arena *arena;
    struct expr_builder builder;
    struct program_name names[PROGRAM_MAX_NAMES];
    int n_names, n_inputs;
    bool failed;
    struct err error;
};

void program_begin(struct program *p, struct arena *arena);
/* The next input of the expression. name is lent and must live as long as the program. */
void program_input(struct program *p, const char *name);
void program_constant(struct program *p, const char *name, double value);
/* Assignments separated by ';'. A name may be assigned again: later text sees the new value. */
void program_run(struct program *p, const char *text);
/* The expression that yields the named values, in this order, over all declared inputs; NULL and err (what failed
 * first). */
const struct expr *program_finish(struct program *p, const char *const *results, int n_results, struct err *err);

#endif
