/* map_fused.c - see map_fused.h */
#include "engine/cpu/map_fused.h"

#include <string.h>

enum { PATTERN_STEPS = 24, PATTERN_OPERATIONS = 12 };

struct pattern_step {
    enum expr_op op;
    int a, b, c;
};

/* The first steps are the inputs, dense ones before rows before scalars, then the constants, then what is computed. */
struct fused_kind {
    struct {
        int dense, rows, inputs, constants, results, steps;
    } n;
    struct pattern_step operations[PATTERN_OPERATIONS];
    int results[FUSED_RESULTS]; /* steps */
    void (*run)(const struct map_fused *fused, const struct rows *rows, const float *const *in, float *const *out,
                int64_t n);
};

static void run_adam(const struct map_fused *f, const struct rows *rows, const float *const *in, float *const *out,
                     int64_t n)
{
    const float *x[FUSED_INPUTS];
    for (int i = 0; i < FUSED_INPUTS; i++)
        x[i] = in[f->inputs[i]];
    rows->adam(out[f->results[0]], out[f->results[1]], out[f->results[2]], x[0], x[1], x[2], x[3], *x[4], f->constants,
               n);
}

static void run_add_row(const struct map_fused *f, const struct rows *rows, const float *const *in, float *const *out,
                        int64_t n)
{
    rows->step[EXPR_ADD](out[0], in[f->inputs[0]], in[f->inputs[1]], NULL, (int)n);
}

static void run_add_max(const struct map_fused *f, const struct rows *rows, const float *const *in, float *const *out,
                        int64_t n)
{
    rows->add_max(out[0], in[f->inputs[0]], in[f->inputs[1]], f->constants[0], n);
}

static void run_where_above(const struct map_fused *f, const struct rows *rows, const float *const *in,
                            float *const *out, int64_t n)
{
    rows->where_above(out[0], in[f->inputs[0]], in[f->inputs[1]], f->constants[0], n);
}

static void run_add_above(const struct map_fused *f, const struct rows *rows, const float *const *in, float *const *out,
                          int64_t n)
{
    rows->add_above(out[0], in[f->inputs[0]], in[f->inputs[1]], in[f->inputs[2]], f->constants[0], n);
}

static void run_descend(const struct map_fused *f, const struct rows *rows, const float *const *in, float *const *out,
                        int64_t n)
{
    rows->descend(out[0], in[f->inputs[0]], in[f->inputs[1]], *in[f->inputs[2]], n);
}

static const struct fused_kind kinds[] = {
    /* bias: x + row */
    {{1, 1, 2, 0, 1, 3}, {{EXPR_ADD, 0, 1, 0}}, {2}, run_add_row},
    /* bias and relu: max(0, x + row) */
    {{1, 1, 2, 1, 1, 5}, {{EXPR_ADD, 0, 1, 0}, {EXPR_MAX, 2, 3, 0}}, {4}, run_add_max},
    /* relu of a sum: max(0, x + y) */
    {{2, 0, 2, 1, 1, 5}, {{EXPR_ADD, 0, 1, 0}, {EXPR_MAX, 2, 3, 0}}, {4}, run_add_max},
    /* its gradient: where(y > 0, a + b, 0) */
    {{3, 0, 3, 1, 1, 7}, {{EXPR_GT, 0, 3, 0}, {EXPR_ADD, 1, 2, 0}, {EXPR_SELECT, 4, 5, 3}}, {6}, run_add_above},
    /* gradient of relu: where(y > 0, dy, 0) */
    {{2, 0, 2, 1, 1, 5}, {{EXPR_GT, 0, 2, 0}, {EXPR_SELECT, 3, 1, 2}}, {4}, run_where_above},
    /* SGD: w -= g alpha */
    {{2, 0, 3, 0, 1, 5}, {{EXPR_MUL, 1, 2, 0}, {EXPR_SUB, 0, 3, 0}}, {4}, run_descend},
    /* Adam: m += (g - m) c1, v += (g g - v) c2, w -= m alpha / (sqrt(v) + epsilon)
     * of g, w, m, v, alpha and c1, c2, epsilon */
    {{4, 0, 5, 3, 3, 20},
     {
         {EXPR_SUB, 0, 2, 0}, /* 8 */
         {EXPR_MUL, 8, 5, 0},
         {EXPR_ADD, 2, 9, 0}, /* 10: m */
         {EXPR_SQUARE, 0, 0, 0},
         {EXPR_SUB, 11, 3, 0},
         {EXPR_MUL, 12, 6, 0},
         {EXPR_ADD, 3, 13, 0}, /* 14: v */
         {EXPR_MUL, 10, 4, 0},
         {EXPR_SQRT, 14, 0, 0},
         {EXPR_ADD, 16, 7, 0},
         {EXPR_DIV, 15, 17, 0},
         {EXPR_SUB, 1, 18, 0}, /* 19: w */
     },
     {19, 10, 14},
     run_adam},
};

struct match {
    const struct fused_kind *kind;
    const struct expr *e;
    int bound[PATTERN_STEPS]; /* step of e, or -1 */
};

static bool matches(struct match *m, int pattern, int step)
{
    int n_inputs = m->kind->n.inputs, n_sources = n_inputs + m->kind->n.constants;
    const struct pattern_step *p = &m->kind->operations[pattern < n_sources ? 0 : pattern - n_sources];
    const struct expr_step *s = &m->e->steps[step];
    if (m->bound[pattern] >= 0)
        return m->bound[pattern] == step;
    if (s->op != (pattern < n_inputs ? EXPR_INPUT : pattern < n_sources ? EXPR_CONST : p->op))
        return false;
    struct match saved = *m;
    m->bound[pattern] = step;
    if (pattern < n_sources ||
        (matches(m, p->a, s->a) && (s->b < 0 || matches(m, p->b, s->b)) && (s->c < 0 || matches(m, p->c, s->c))))
        return true;
    *m = saved;
    m->bound[pattern] = step;
    if ((p->op == EXPR_ADD || p->op == EXPR_MUL) && matches(m, p->a, s->b) && matches(m, p->b, s->a))
        return true;
    *m = saved;
    return false;
}

static int result_of_step(const struct expr *e, int step)
{
    for (int r = 0; r < e->n_results; r++)
        if (e->results[r] == step)
            return r;
    return -1;
}

/* The parts' numbers, once the last result matched. */
static bool fill(struct map_fused *fused, const struct match *m)
{
    fused->kind = m->kind;
    for (int i = 0; i < m->kind->n.inputs; i++)
        fused->inputs[i] = m->e->steps[m->bound[i]].a;
    for (int i = 0; i < m->kind->n.constants; i++)
        fused->constants[i] = m->e->steps[m->bound[m->kind->n.inputs + i]].value;
    for (int r = 0; r < m->kind->n.results; r++)
        if ((fused->results[r] = result_of_step(m->e, m->bound[m->kind->results[r]])) < 0)
            return false;
    return true;
}

static bool fits(const struct map_fused *fused, const struct fused_kind *kind,
                 bool (*is)(const void *context, int input, enum fused_part part), const void *context)
{
    for (int i = 0; i < kind->n.inputs; i++) {
        enum fused_part part = i < kind->n.dense                  ? FUSED_DENSE
                               : i < kind->n.dense + kind->n.rows ? FUSED_ROW
                                                                  : FUSED_SCALAR;
        if (!is(context, fused->inputs[i], part))
            return false;
    }
    return true;
}

bool map_fused_find(struct map_fused *fused, const struct expr *e,
                    bool (*is)(const void *context, int input, enum fused_part part), const void *context)
{
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct match m = {.kind = &kinds[k], .e = e};
        for (int r = 0; r < e->n_results && e->n_results == m.kind->n.results && e->n_steps == m.kind->n.steps; r++) {
            memset(m.bound, -1, sizeof m.bound);
            if (matches(&m, m.kind->results[0], e->results[r]) && fill(fused, &m) && fits(fused, m.kind, is, context))
                return true;
        }
    }
    return false;
}

bool map_fused_has_rows(const struct map_fused *fused)
{
    return fused->kind->n.rows > 0;
}

void map_fused_run(const struct map_fused *fused, const struct rows *rows, const float *const *in, float *const *out,
                   int64_t n)
{
    fused->kind->run(fused, rows, in, out, n);
}
