/* expr.c - building, finishing and evaluating expressions, see expr.h. The operations are in expr_ops.c. */
#include "engine/graph/expr.h"

#include <math.h>
#include <string.h>

#include "engine/graph/expr_internal.h"

bool expr_is_bfloat16_cast(const struct expr *e)
{
    return e->n_inputs == 1 && e->n_results == 1 && e->n_steps == 2 && e->steps[e->results[0]].op == EXPR_BFLOAT16;
}

void expr_begin(struct expr_builder *b, struct arena *arena)
{
    *b = (struct expr_builder){.arena = arena};
}

static bool step_equal(const struct expr_step *s, const struct expr_step *t)
{
    return s->op == t->op && s->a == t->a && s->b == t->b && s->c == t->c &&
           !memcmp(&s->value, &t->value, sizeof s->value);
}

/* Capacity is the power of two at or above n_steps, 16 at least. */
static int append(struct expr_builder *b, struct expr_step step)
{
    for (int i = b->n_steps; i-- > 0;)
        if (step_equal(&b->steps[i], &step))
            return i;
    if (b->n_steps == EXPR_MAX_STEPS) {
        b->overflow = true;
        return 0;
    }
    int n = b->n_steps;
    if (n == 0 || (n >= 16 && (n & (n - 1)) == 0)) {
        struct expr_step *grown = arena_array(b->arena, n ? (size_t)n * 2 : 16, sizeof *grown);
        if (n)
            memcpy(grown, b->steps, (size_t)n * sizeof *grown);
        b->steps = grown;
    }
    b->steps[n] = step;
    return b->n_steps++;
}

int expr_input(struct expr_builder *b, int input)
{
    if (input < 0 || input >= EXPR_BUILDER_INPUTS)
        b->overflow = true;
    else if (input >= b->n_inputs)
        b->n_inputs = input + 1;
    return append(b, (struct expr_step){EXPR_INPUT, input, -1, -1, 0});
}

int expr_const(struct expr_builder *b, double value)
{
    return append(b, (struct expr_step){EXPR_CONST, -1, -1, -1, (float)value});
}

static bool is_const(const struct expr_builder *b, int step)
{
    return step >= 0 && b->steps[step].op == EXPR_CONST;
}

static bool is_value(const struct expr_builder *b, int step, float value)
{
    return is_const(b, step) && b->steps[step].value == value;
}

static bool is_power_of_two(float value)
{
    int exponent;
    return isfinite(value) && fabsf(frexpf(value, &exponent)) == 0.5f && exponent > -120 && exponent < 120;
}

/* Rules that keep every value, NaN and infinity included (x * 0 stays). The step that stands for the operation, or -1.
 */
static int simplified(struct expr_builder *b, enum expr_op op, int x, int y, int z)
{
    switch (op) {
    case EXPR_ADD:
        return is_value(b, y, 0) ? x : is_value(b, x, 0) ? y : -1;
    case EXPR_SUB:
        return is_value(b, y, 0) ? x : is_value(b, x, 0) ? expr_1(b, EXPR_NEG, y) : -1;
    case EXPR_MUL:
        if (is_value(b, y, 1) || is_value(b, x, 1))
            return is_value(b, y, 1) ? x : y;
        if (is_value(b, y, -1) || is_value(b, x, -1))
            return expr_1(b, EXPR_NEG, is_value(b, y, -1) ? x : y);
        return x == y ? expr_1(b, EXPR_SQUARE, x) : -1;
    case EXPR_DIV:
        if (is_value(b, y, 1))
            return x;
        return is_const(b, y) && is_power_of_two(b->steps[y].value)
                   ? expr_2(b, EXPR_MUL, x, expr_const(b, 1 / b->steps[y].value))
                   : -1;
    case EXPR_POW:
        return is_value(b, y, 1) ? x : is_value(b, y, 2) ? expr_1(b, EXPR_SQUARE, x) : -1;
    case EXPR_MIN:
        return x == y || is_value(b, y, INFINITY) ? x : is_value(b, x, INFINITY) ? y : -1;
    case EXPR_MAX:
        return x == y || is_value(b, y, -INFINITY) ? x : is_value(b, x, -INFINITY) ? y : -1;
    case EXPR_NEG:
        return b->steps[x].op == EXPR_NEG ? b->steps[x].a : -1;
    case EXPR_ABS:
        return b->steps[x].op == EXPR_ABS ? x : b->steps[x].op == EXPR_NEG ? expr_1(b, EXPR_ABS, b->steps[x].a) : -1;
    case EXPR_BFLOAT16:
        return b->steps[x].op == EXPR_BFLOAT16 ? x : -1;
    case EXPR_SELECT:
        return is_const(b, x) ? (b->steps[x].value != 0 ? y : z) : y == z ? y : -1;
    default:
        return -1;
    }
}

static bool commutes(enum expr_op op)
{
    return op == EXPR_ADD || op == EXPR_MUL || op == EXPR_EQ || op == EXPR_NE || op == EXPR_AND || op == EXPR_OR;
}

int expr_apply(struct expr_builder *b, enum expr_op op, int x, int y, int z)
{
    if (b->overflow)
        return 0;
    int arity = expr_op_arity(op), operand[3] = {x, y, z}, n_const = 0;
    double value[3] = {0};
    BUG_ON(arity < 1);
    for (int i = 0; i < arity; i++) {
        BUG_ON(operand[i] < 0 || operand[i] >= b->n_steps);
        n_const += is_const(b, operand[i]);
        value[i] = (double)b->steps[operand[i]].value;
    }
    if (n_const == arity)
        return expr_const(b, expr_op_eval(op, value[0], value[1], value[2]));
    int known = simplified(b, op, x, y, z);
    if (known >= 0)
        return known;
    bool swap = commutes(op) && x > y;
    return append(b, (struct expr_step){op, swap ? y : x, arity > 1 ? (swap ? x : y) : -1, arity > 2 ? z : -1, 0});
}

void expr_inline(struct expr_builder *b, const struct expr *e, const int *inputs, int *results)
{
    int map[EXPR_MAX_STEPS];
    for (int i = 0; i < e->n_steps; i++) {
        const struct expr_step *s = &e->steps[i];
        if (s->op == EXPR_INPUT)
            map[i] = inputs[s->a];
        else if (s->op == EXPR_CONST)
            map[i] = expr_const(b, (double)s->value);
        else
            map[i] = expr_apply(b, s->op, map[s->a], s->b < 0 ? -1 : map[s->b], s->c < 0 ? -1 : map[s->c]);
    }
    for (int r = 0; r < e->n_results; r++)
        results[r] = map[e->results[r]];
}

static void mark_used(const struct expr_builder *b, const int *results, int n_results, bool *used)
{
    for (int r = 0; r < n_results; r++)
        used[results[r]] = true;
    for (int i = b->n_steps; i-- > 0;) {
        const struct expr_step *s = &b->steps[i];
        int arity = used[i] ? expr_op_arity(s->op) : 0;
        if (arity > 0)
            used[s->a] = true;
        if (arity > 1)
            used[s->b] = true;
        if (arity > 2)
            used[s->c] = true;
    }
}

/* Copies the used steps; input_number renumbers the inputs (NULL: as they are). */
static const struct expr *finish(struct expr_builder *b, const int *results, int n_results, int n_inputs,
                                 const bool *used, const int *input_number)
{
    struct expr *e = arena_alloc(b->arena, sizeof *e);
    struct expr_step *steps = arena_array(b->arena, (size_t)b->n_steps, sizeof *steps);
    int map[EXPR_MAX_STEPS], n = 0;
    for (int i = 0; i < b->n_steps; i++) {
        if (!used[i])
            continue;
        struct expr_step s = b->steps[i];
        int arity = expr_op_arity(s.op);
        if (s.op == EXPR_INPUT)
            s.a = input_number ? input_number[s.a] : s.a;
        s.a = arity > 0 ? map[s.a] : s.a;
        s.b = arity > 1 ? map[s.b] : -1;
        s.c = arity > 2 ? map[s.c] : -1;
        map[i] = n;
        steps[n++] = s;
    }
    *e = (struct expr){.steps = steps, .n_steps = n, .n_inputs = n_inputs, .n_results = n_results};
    for (int r = 0; r < n_results; r++)
        e->results[r] = map[results[r]];
    return e;
}

const struct expr *expr_finish(struct expr_builder *b, const int *results, int n_results, int n_inputs)
{
    if (b->overflow || n_results < 1 || n_results > EXPR_MAX_RESULTS || n_inputs > EXPR_MAX_INPUTS ||
        b->n_inputs > n_inputs)
        return NULL;
    bool used[EXPR_MAX_STEPS] = {false};
    mark_used(b, results, n_results, used);
    return finish(b, results, n_results, n_inputs, used, NULL);
}

const struct expr *expr_finish_compact(struct expr_builder *b, const int *results, int n_results, int *used_inputs,
                                       int *n_used)
{
    if (b->overflow || n_results < 1 || n_results > EXPR_MAX_RESULTS)
        return NULL;
    bool used[EXPR_MAX_STEPS] = {false};
    int number[EXPR_BUILDER_INPUTS];
    mark_used(b, results, n_results, used);
    bool wanted[EXPR_BUILDER_INPUTS] = {false};
    for (int i = 0; i < b->n_steps; i++)
        if (used[i] && b->steps[i].op == EXPR_INPUT)
            wanted[b->steps[i].a] = true;
    *n_used = 0;
    for (int i = 0; i < EXPR_BUILDER_INPUTS; i++)
        if (wanted[i]) {
            used_inputs[*n_used] = i;
            number[i] = (*n_used)++;
        }
    return *n_used > EXPR_MAX_INPUTS ? NULL : finish(b, results, n_results, *n_used, used, number);
}

void expr_eval(const struct expr *e, const float *inputs, float *results)
{
    float v[EXPR_MAX_STEPS];
    for (int i = 0; i < e->n_steps; i++) {
        const struct expr_step *s = &e->steps[i];
        if (s->op == EXPR_INPUT)
            v[i] = inputs[s->a];
        else if (s->op == EXPR_CONST)
            v[i] = s->value;
        else
            v[i] = (float)expr_op_eval(s->op, (double)v[s->a], s->b < 0 ? 0 : (double)v[s->b],
                                       s->c < 0 ? 0 : (double)v[s->c]);
    }
    for (int r = 0; r < e->n_results; r++)
        results[r] = v[e->results[r]];
}

double expr_eval_double(const struct expr *e, const double *inputs)
{
    double v[EXPR_MAX_STEPS];
    for (int i = 0; i < e->n_steps; i++) {
        const struct expr_step *s = &e->steps[i];
        if (s->op == EXPR_INPUT)
            v[i] = inputs[s->a];
        else if (s->op == EXPR_CONST)
            v[i] = (double)s->value;
        else
            v[i] = expr_op_eval(s->op, v[s->a], s->b < 0 ? 0 : v[s->b], s->c < 0 ? 0 : v[s->c]);
    }
    return v[e->results[0]];
}

bool expr_same(const struct expr *a, const struct expr *b)
{
    if (a == b)
        return true;
    bool same = a->n_steps == b->n_steps && a->n_inputs == b->n_inputs && a->n_results == b->n_results;
    for (int i = 0; same && i < a->n_steps; i++)
        same = step_equal(&a->steps[i], &b->steps[i]);
    for (int r = 0; same && r < a->n_results; r++)
        same = a->results[r] == b->results[r];
    return same;
}
