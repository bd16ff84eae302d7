/* expr_gradient.c - reverse differentiation of an expression, see expr.h. Steps that cannot change the result get no
 * code. */
#include <math.h>
#include <string.h>

#include "engine/graph/expr_internal.h"

struct reverse {
    struct expr_builder b;
    const struct expr *e;
    int forward[EXPR_MAX_STEPS]; /* step of e -> step of b with its value */
    int adjoint[EXPR_MAX_STEPS]; /* step of e -> step of b with d loss / d it; -1 for none */
    bool active[EXPR_MAX_STEPS]; /* depends on the wanted input */
};

/* The forward steps; those whose value is a known result become the input known_from + r (known_from < 0: none known).
 */
static void replay(struct reverse *v, int input, int known_from)
{
    const struct expr *e = v->e;
    for (int i = 0; i < e->n_steps; i++) {
        const struct expr_step *s = &e->steps[i];
        int arity = expr_op_arity(s->op), known = -1;
        v->active[i] = s->op == EXPR_INPUT ? s->a == input
                                           : (arity > 0 && v->active[s->a]) || (arity > 1 && v->active[s->b]) ||
                                                 (arity > 2 && v->active[s->c]);
        for (int r = 0; r < e->n_results && known_from >= 0 && arity > 0; r++)
            if (e->results[r] == i && known < 0)
                known = expr_input(&v->b, known_from + r);
        if (known >= 0)
            v->forward[i] = known;
        else if (s->op == EXPR_INPUT)
            v->forward[i] = expr_input(&v->b, s->a);
        else if (s->op == EXPR_CONST)
            v->forward[i] = expr_const(&v->b, (double)s->value);
        else
            v->forward[i] = expr_apply(&v->b, s->op, v->forward[s->a], arity > 1 ? v->forward[s->b] : -1,
                                       arity > 2 ? v->forward[s->c] : -1);
    }
}

static void add_to(struct reverse *v, int step, int term)
{
    v->adjoint[step] = v->adjoint[step] < 0 ? term : expr_2(&v->b, EXPR_ADD, v->adjoint[step], term);
}

/* where(condition, d, 0) */
static int when(struct reverse *v, int condition, int d)
{
    return expr_apply(&v->b, EXPR_SELECT, condition, d, expr_const(&v->b, 0));
}

/* d y / d x of the operations of one operand, times d; -1 where it is zero everywhere. x, y: operand and result. */
static int unary_term(struct reverse *v, enum expr_op op, int x, int y, int d)
{
    struct expr_builder *b = &v->b;
    switch (op) {
    case EXPR_BFLOAT16:
    case EXPR_NEG:
        return expr_1(b, op, d);
    case EXPR_ABS:
        return expr_2(b, EXPR_MUL, d, expr_1(b, EXPR_SIGN, x));
    case EXPR_SQRT:
        return expr_2(b, EXPR_DIV, expr_2(b, EXPR_MUL, d, expr_const(b, 0.5)), y);
    case EXPR_RSQRT: {
        int cube = expr_2(b, EXPR_MUL, y, expr_1(b, EXPR_SQUARE, y));
        return expr_2(b, EXPR_MUL, expr_2(b, EXPR_MUL, d, expr_const(b, -0.5)), cube);
    }
    case EXPR_SQUARE:
        return expr_2(b, EXPR_MUL, d, expr_2(b, EXPR_MUL, expr_const(b, 2), x));
    case EXPR_EXP:
        return expr_2(b, EXPR_MUL, d, y);
    case EXPR_EXPM1:
        return expr_2(b, EXPR_MUL, d, expr_2(b, EXPR_ADD, y, expr_const(b, 1)));
    case EXPR_LOG:
        return expr_2(b, EXPR_DIV, d, x);
    case EXPR_LOG1P:
        return expr_2(b, EXPR_DIV, d, expr_2(b, EXPR_ADD, x, expr_const(b, 1)));
    case EXPR_SIN:
        return expr_2(b, EXPR_MUL, d, expr_1(b, EXPR_COS, x));
    case EXPR_COS:
        return expr_1(b, EXPR_NEG, expr_2(b, EXPR_MUL, d, expr_1(b, EXPR_SIN, x)));
    case EXPR_TANH:
        return expr_2(b, EXPR_MUL, d, expr_2(b, EXPR_SUB, expr_const(b, 1), expr_1(b, EXPR_SQUARE, y)));
    case EXPR_SIGMOID:
        return expr_2(b, EXPR_MUL, d, expr_2(b, EXPR_MUL, y, expr_2(b, EXPR_SUB, expr_const(b, 1), y)));
    case EXPR_GELU:
        return expr_2(b, EXPR_MUL, d, expr_1(b, EXPR_GELU_SLOPE, x));
    case EXPR_GELU_SLOPE: {
        int square = expr_1(b, EXPR_SQUARE, x);
        int bell = expr_1(b, EXPR_EXP, expr_2(b, EXPR_MUL, expr_const(b, -0.5), square));
        int slope =
            expr_2(b, EXPR_MUL, expr_const(b, 0.3989422804014327), expr_2(b, EXPR_SUB, expr_const(b, 2), square));
        return expr_2(b, EXPR_MUL, d, expr_2(b, EXPR_MUL, bell, slope));
    }
    case EXPR_ERF: {
        int bell = expr_1(b, EXPR_EXP, expr_1(b, EXPR_NEG, expr_1(b, EXPR_SQUARE, x)));
        return expr_2(b, EXPR_MUL, d, expr_2(b, EXPR_MUL, expr_const(b, M_2_SQRTPI), bell));
    }
    default:
        return -1;
    }
}

/* x ** y. d/dx is 0 where y == 0; d/dy is 0 where x <= 0. */
static void pow_terms(struct reverse *v, const struct expr_step *s, int x, int y, int z, int d)
{
    struct expr_builder *b = &v->b;
    int zero = expr_const(b, 0), one = expr_const(b, 1);
    if (v->active[s->a]) {
        int slope = expr_2(b, EXPR_MUL, y, expr_2(b, EXPR_POW, x, expr_2(b, EXPR_SUB, y, one)));
        add_to(v, s->a, when(v, expr_2(b, EXPR_NE, y, zero), expr_2(b, EXPR_MUL, d, slope)));
    }
    if (v->active[s->b]) {
        int positive = expr_2(b, EXPR_GT, x, zero);
        int log = expr_1(b, EXPR_LOG, expr_apply(b, EXPR_SELECT, positive, x, one));
        add_to(v, s->b, when(v, positive, expr_2(b, EXPR_MUL, d, expr_2(b, EXPR_MUL, z, log))));
    }
}

/* Minimum and maximum: ties give all to the first. Against a constant in front, the result tells what the operand
 * would. */
static void extreme_terms(struct reverse *v, const struct expr_step *s, int x, int y, int z, int d)
{
    struct expr_builder *b = &v->b;
    bool max = s->op == EXPR_MAX;
    if (v->e->steps[s->a].op == EXPR_CONST) {
        add_to(v, s->b, when(v, expr_2(b, max ? EXPR_GT : EXPR_LT, z, x), d));
        return;
    }
    int first = expr_2(b, max ? EXPR_GE : EXPR_LE, x, y);
    if (v->active[s->a])
        add_to(v, s->a, when(v, first, d));
    if (v->active[s->b])
        add_to(v, s->b, expr_apply(b, EXPR_SELECT, first, expr_const(b, 0), d));
}

static void binary_terms(struct reverse *v, const struct expr_step *s, int x, int y, int z, int d)
{
    struct expr_builder *b = &v->b;
    bool to_x = v->active[s->a], to_y = v->active[s->b];
    switch (s->op) {
    case EXPR_ADD:
    case EXPR_SUB:
        if (to_x)
            add_to(v, s->a, d);
        if (to_y)
            add_to(v, s->b, s->op == EXPR_ADD ? d : expr_1(b, EXPR_NEG, d));
        break;
    case EXPR_MUL:
        if (to_x)
            add_to(v, s->a, expr_2(b, EXPR_MUL, d, y));
        if (to_y)
            add_to(v, s->b, expr_2(b, EXPR_MUL, d, x));
        break;
    case EXPR_DIV:
        if (to_x)
            add_to(v, s->a, expr_2(b, EXPR_DIV, d, y));
        if (to_y)
            add_to(v, s->b, expr_1(b, EXPR_NEG, expr_2(b, EXPR_DIV, expr_2(b, EXPR_MUL, d, z), y)));
        break;
    case EXPR_POW:
        pow_terms(v, s, x, y, z, d);
        break;
    case EXPR_MIN:
    case EXPR_MAX:
        extreme_terms(v, s, x, y, z, d);
        break;
    default:
        break; /* comparisons and logic have slope 0 */
    }
}

static void step_back(struct reverse *v, int i)
{
    const struct expr_step *s = &v->e->steps[i];
    int arity = expr_op_arity(s->op), d = v->adjoint[i];
    if (arity == 1) {
        int term = unary_term(v, s->op, v->forward[s->a], v->forward[i], d);
        if (term >= 0)
            add_to(v, s->a, term);
    } else if (arity == 2) {
        binary_terms(v, s, v->forward[s->a], v->forward[s->b], v->forward[i], d);
    } else if (arity == 3) {
        int zero = expr_const(&v->b, 0), condition = v->forward[s->a];
        if (v->active[s->b])
            add_to(v, s->b, expr_apply(&v->b, EXPR_SELECT, condition, d, zero));
        if (v->active[s->c])
            add_to(v, s->c, expr_apply(&v->b, EXPR_SELECT, condition, zero, d));
    }
}

/* The step of v->b that holds d loss / d input, or -1 for zero. */
static int reverse_run(struct reverse *v, int input, int known_from, int dout_from, unsigned dout_mask)
{
    const struct expr *e = v->e;
    replay(v, input, known_from);
    for (int i = 0; i < e->n_steps; i++)
        v->adjoint[i] = -1;
    for (int r = 0; r < e->n_results; r++)
        if (dout_mask >> r & 1)
            add_to(v, e->results[r], expr_input(&v->b, dout_from + r));
    int result = -1;
    for (int i = e->n_steps; i-- > 0;) {
        if (v->adjoint[i] < 0 || !v->active[i])
            continue;
        if (e->steps[i].op == EXPR_INPUT)
            result = v->adjoint[i];
        else
            step_back(v, i);
    }
    return result;
}

const struct expr *expr_gradient(struct arena *arena, const struct expr *e, int input)
{
    struct reverse v = {.e = e};
    expr_begin(&v.b, arena);
    int result = reverse_run(&v, input, -1, e->n_inputs, (1u << e->n_results) - 1);
    if (result < 0)
        result = expr_const(&v.b, 0);
    return expr_finish(&v.b, &result, 1, e->n_inputs + e->n_results);
}

const struct expr *expr_gradient_from(struct arena *arena, const struct expr *e, int input, unsigned dout_mask,
                                      int *used, int *n_used)
{
    struct reverse v = {.e = e};
    expr_begin(&v.b, arena);
    int result = reverse_run(&v, input, e->n_inputs, e->n_inputs + e->n_results, dout_mask);
    *n_used = 0;
    if (result < 0)
        return NULL;
    const struct expr *gradient = expr_finish_compact(&v.b, &result, 1, used, n_used);
    if (!gradient)
        *n_used = -1;
    return gradient;
}
