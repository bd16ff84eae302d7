/* expr_internal.h - what the expr_*.c files share. Not for other folders, except expr_finish_compact for the plan's
 * fusion. */
#ifndef ENGINE_GRAPH_EXPR_INTERNAL_H
#define ENGINE_GRAPH_EXPR_INTERNAL_H

#include "engine/graph/expr.h"

/* Input numbers a builder may hold before they are compacted; expr_finish allows EXPR_MAX_INPUTS. */
enum { EXPR_BUILDER_INPUTS = 64 };

int expr_op_arity(enum expr_op op);
const char *expr_op_text(enum expr_op op); /* the spelling, "" when there is none */
/* One operation in double; rounding it to float is the float operation. */
double expr_op_eval(enum expr_op op, double a, double b, double c);
/* True when the spelling is a name that takes arguments ("minimum", "tanh"), not an operator ("+", "and"). */
bool expr_op_is_call(enum expr_op op);

/* As expr_finish, and the inputs that no result needs are dropped and the others renumbered: used[k] is the old number
 * of the new input k (room for EXPR_BUILDER_INPUTS). NULL when more than EXPR_MAX_INPUTS remain. */
const struct expr *expr_finish_compact(struct expr_builder *b, const int *results, int n_results, int *used,
                                       int *n_used);

/* The gradient with results that are already known: inputs of the expression are, in this order, e's inputs, e's
 * results and a dout for each result; douts not in the mask are taken as absent (zero). Compacted as above. NULL when
 * it does not depend on the input at all (*n_used is 0 then) or grew too large (*n_used is -1). */
const struct expr *expr_gradient_from(struct arena *arena, const struct expr *e, int input, unsigned dout_mask,
                                      int *used, int *n_used);

/* Parses text over names bound to steps of b; the step, or -1 and err. depth: nesting so far. */
int expr_parse_into(struct expr_builder *b, const char *text, const char *const *names, const int *steps, int n_names,
                    int depth, struct err *err);
enum { EXPR_MAX_DEPTH = 300, EXPR_MAX_PARAMETERS = 8 };
const struct expr_function *expr_function_find(const char *name);
/* Number of parameters; names (terminated copies in storage) and defaults (NULL = must be given). */
struct expr_parameters {
    int n;
    char names[EXPR_MAX_PARAMETERS][24];
    double initial[EXPR_MAX_PARAMETERS];
    bool required[EXPR_MAX_PARAMETERS];
};
void expr_function_parameters(const struct expr_function *function, struct expr_parameters *out);
/* The function's body over steps, all parameters given. */
int expr_function_call(struct expr_builder *b, const struct expr_function *function, const int *steps, int depth,
                       struct err *err);

#endif
