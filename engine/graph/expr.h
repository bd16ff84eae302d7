/* expr.h - a small elementwise expression: what the op `map` computes for every element.
 *
 * An expression is a list of steps in SSA form: each step is an operation on earlier steps, an input or a constant. It
 * has one or more results. Immutable, owned by an arena. Joining two of them is how elementwise work is fused;
 * differentiating one gives another. Everything is float32; comparisons give 1 or 0; NaN travels. Custom activations,
 * losses and layers are parsed from text into this, every optimizer update is one with several results.
 *
 *     const char *names[] = {"x"};
 *     const struct expr *e = expr_parse(&arena, "x * relu(x)", names, 1, &err);
 */
#ifndef ENGINE_GRAPH_EXPR_H
#define ENGINE_GRAPH_EXPR_H

#include "base/arena.h"
#include "base/str.h"

/* X(name, arity, spelling in text or "" when only built by code) */
#define EXPR_OPS(X)                                                                                                    \
    X(INPUT, 0, "")                                                                                                    \
    X(CONST, 0, "")                                                                                                    \
    X(ADD, 2, "+")                                                                                                     \
    X(SUB, 2, "-")                                                                                                     \
    X(MUL, 2, "*")                                                                                                     \
    X(DIV, 2, "/")                                                                                                     \
    X(POW, 2, "pow")                                                                                                   \
    X(MIN, 2, "minimum")                                                                                               \
    X(MAX, 2, "maximum")                                                                                               \
    X(LT, 2, "<")                                                                                                      \
    X(LE, 2, "<=")                                                                                                     \
    X(GT, 2, ">")                                                                                                      \
    X(GE, 2, ">=")                                                                                                     \
    X(EQ, 2, "==")                                                                                                     \
    X(NE, 2, "!=")                                                                                                     \
    X(AND, 2, "and")                                                                                                   \
    X(OR, 2, "or")                                                                                                     \
    X(NEG, 1, "")                                                                                                      \
    X(NOT, 1, "not")                                                                                                   \
    X(ABS, 1, "abs")                                                                                                   \
    X(SIGN, 1, "sign")                                                                                                 \
    X(SQRT, 1, "sqrt")                                                                                                 \
    X(RSQRT, 1, "rsqrt")                                                                                               \
    X(SQUARE, 1, "square")                                                                                             \
    X(EXP, 1, "exp")                                                                                                   \
    X(EXPM1, 1, "expm1")                                                                                               \
    X(LOG, 1, "log")                                                                                                   \
    X(LOG1P, 1, "log1p")                                                                                               \
    X(SIN, 1, "sin")                                                                                                   \
    X(COS, 1, "cos")                                                                                                   \
    X(TANH, 1, "tanh")                                                                                                 \
    X(SIGMOID, 1, "sigmoid")                                                                                           \
    X(ERF, 1, "erf")                                                                                                   \
    X(FLOOR, 1, "floor")                                                                                               \
    X(CEIL, 1, "ceil")                                                                                                 \
    X(ROUND, 1, "round")                                                                                               \
    X(GELU, 1, "erf_gelu")             /* x times the normal distribution below x */                                   \
    X(GELU_SLOPE, 1, "erf_gelu_slope") /* its slope */                                                                 \
    X(BFLOAT16, 1, "bfloat16")         /* rounded to what bfloat16 can hold, ties to even; so is its gradient */       \
    X(IS_FINITE, 1, "is_finite")                                                                                       \
    X(SELECT, 3, "where") /* where(condition, if non-zero, if zero) */

enum expr_op {
#define X(name, arity, text) EXPR_##name,
    EXPR_OPS(X)
#undef X
        EXPR_OP_COUNT
};

enum { EXPR_MAX_INPUTS = 16, EXPR_MAX_RESULTS = 8, EXPR_MAX_STEPS = 512 };

struct expr_step {
    enum expr_op op;
    int a, b, c; /* earlier steps; for INPUT: a = number of the input */
    float value; /* CONST */
};

struct expr {
    const struct expr_step *steps; /* every step is used by a result, no two are equal, constants are folded */
    int n_steps, n_inputs, n_results;
    int results[EXPR_MAX_RESULTS]; /* steps */
};

/* Building by code. Each call appends a step (or finds the equal one) and returns its number. */
struct expr_builder {
    struct arena *arena;
    struct expr_step *steps;
    int n_steps, n_inputs;
    bool overflow; /* more than EXPR_MAX_STEPS or EXPR_MAX_INPUTS were asked for: expr_finish fails */
};
void expr_begin(struct expr_builder *b, struct arena *arena);
int expr_input(struct expr_builder *b, int input);
int expr_const(struct expr_builder *b, double value);
int expr_apply(struct expr_builder *b, enum expr_op op, int x, int y, int z); /* unused operands: -1 */
static inline int expr_1(struct expr_builder *b, enum expr_op op, int x)
{
    return expr_apply(b, op, x, -1, -1);
}
static inline int expr_2(struct expr_builder *b, enum expr_op op, int x, int y)
{
    return expr_apply(b, op, x, y, -1);
}
/* Inlines e: its input k is the step inputs[k]; writes its results' steps to results (e->n_results of them). */
void expr_inline(struct expr_builder *b, const struct expr *e, const int *inputs, int *results);
/* The finished expression, unused steps dropped, with n_inputs inputs (may be more than are used);
 * NULL when it overflowed. */
const struct expr *expr_finish(struct expr_builder *b, const int *results, int n_results, int n_inputs);

/* Text -> expression over named inputs. Operators + - * / ** comparisons, and or not, unary -, parentheses, numbers,
 * pi, e, `a if c else b`, every spelling above and every activation of expr_functions(). NULL and ERR_USAGE with the
 * column, what was found and the nearest known name. */
const struct expr *expr_parse(struct arena *arena, const char *text, const char *const *names, int n_names,
                              struct err *err);
/* Named functions built of steps (relu, gelu, softplus, silu, ...): one table row each, text in terms of simpler ones.
 * Keras' elementwise activations are looked up here too. NULL when unknown. Arguments by position, then defaults. */
struct expr_function {
    const char *name;
    const char *parameters; /* "x, negative_slope=0.2" */
    const char *body;       /* "where(x > 0, x, negative_slope * x)" */
    const char *help;
};
const struct expr_function *expr_functions(size_t *n);
/* A function applied to input 0, its further parameters set from values (NULL = defaults);
 * n_values from the second on. */
const struct expr *expr_function_apply(struct arena *arena, const char *name, const double *values, int n_values,
                                       struct err *err);

/* d(sum over results r of dout_r * result_r) / d(input): an expression with n_inputs + n_results inputs, the douts
 * last. Derivative conventions are Keras/TensorFlow's: relu'(0) = 0, abs'(0) = 0, max/min give the gradient to the
 * first on ties... */
const struct expr *expr_gradient(struct arena *arena, const struct expr *e, int input);

/* The float of 8 significant bits that is nearest to x, ties to even: its low 16 bits are 0. NaN stays NaN. */
float round_to_bfloat16(float x);
/* Whether it does nothing but round its only input. */
bool expr_is_bfloat16_cast(const struct expr *e);
/* One element, on the host: for tests, schedules and callbacks. */
void expr_eval(const struct expr *e, const float *inputs, float *results);
double expr_eval_double(const struct expr *e, const double *inputs); /* first result, in double */
/* "x * relu(x)"-like text for messages, profiles and tests. */
void expr_write(struct str *out, const struct expr *e, const char *const *names);
bool expr_same(const struct expr *a, const struct expr *b);

#endif
