/* expr_write.c - an expression as text. Steps used more than once are named first: "t3 = exp(x); t3 / (1 + t3)". */
#include <ctype.h>
#include <string.h>

#include "engine/graph/expr_internal.h"

struct writer {
    struct str *out;
    const struct expr *e;
    const char *const *names;
    bool shared[EXPR_MAX_STEPS];
};

static void write_step(struct writer *w, int step, bool nested);

static void write_operation(struct writer *w, const struct expr_step *s, bool nested)
{
    int operand[3] = {s->a, s->b, s->c}, arity = expr_op_arity(s->op);
    const char *text = expr_op_text(s->op);
    bool call = expr_op_is_call(s->op);
    if (nested && !call)
        str_add_char(w->out, '(');
    if (call)
        str_addf(w->out, "%s(", text);
    else if (arity == 1)
        str_add(w->out, s->op == EXPR_NEG ? "-" : "not ");
    for (int i = 0; i < arity; i++) {
        if (i && call)
            str_add(w->out, ", ");
        else if (i)
            str_addf(w->out, " %s ", text);
        write_step(w, operand[i], !call);
    }
    if (call || nested)
        str_add_char(w->out, ')');
}

static void write_step(struct writer *w, int step, bool nested)
{
    const struct expr_step *s = &w->e->steps[step];
    if (s->op == EXPR_CONST)
        str_add_float(w->out, s->value);
    else if (s->op == EXPR_INPUT && w->names)
        str_add(w->out, w->names[s->a]);
    else if (s->op == EXPR_INPUT)
        str_addf(w->out, "x%d", s->a);
    else if (w->shared[step])
        str_addf(w->out, "t%d", step);
    else
        write_operation(w, s, nested);
}

void expr_write(struct str *out, const struct expr *e, const char *const *names)
{
    struct writer w = {.out = out, .e = e, .names = names};
    int uses[EXPR_MAX_STEPS] = {0};
    for (int i = 0; i < e->n_steps; i++) {
        const struct expr_step *s = &e->steps[i];
        int operand[3] = {s->a, s->b, s->c};
        for (int k = 0; k < 3 && k < expr_op_arity(s->op); k++)
            uses[operand[k]]++;
    }
    for (int r = 0; r < e->n_results; r++)
        uses[e->results[r]]++;
    for (int i = 0; i < e->n_steps; i++) {
        if (uses[i] < 2 || expr_op_arity(e->steps[i].op) == 0)
            continue;
        str_addf(out, "t%d = ", i);
        write_step(&w, i, false);
        str_add(out, "; ");
        w.shared[i] = true;
    }
    for (int r = 0; r < e->n_results; r++) {
        if (r)
            str_add(out, ", ");
        write_step(&w, e->results[r], false);
    }
}
