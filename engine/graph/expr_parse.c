/* expr_parse.c - text to expression by recursive descent, see expr.h. Grammar, loosest first:
 *
 *   choice:  or_else ['if' or_else 'else' choice]
 *   or_else: both ('or' both)*          both: inverse ('and' inverse)*       inverse: 'not' inverse | compare
 *   compare: sum (('<' | '<=' | '>' | '>=' | '==' | '!=') sum)*              chains as in Python: a < b < c
 *   sum:     product (('+' | '-') product)*                                  product: unary (('*' | '/') unary)*
 *   unary:   ('-' | '+') unary | power                                       power: atom ['**' unary]
 *   atom:    number | name | name '(' [argument (',' argument)*] ')' | '(' choice ')'      argument: [name '='] choice
 */
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/graph/expr_internal.h"

enum { TEXT_MAX = 16384, NAME_MAX_LENGTH = 63, NAMES_MAX = 160 };

struct parser {
    struct expr_builder *b;
    const char *text, *at;
    const char *const *names;
    const int *steps;
    int n_names, depth;
    bool failed;
    struct err *err;
};

static int parse_choice(struct parser *p);
static int parse_unary(struct parser *p);

static const struct {
    const char *name;
    double value;
} constants[] = {{"pi", M_PI}, {"e", M_E}, {"inf", (double)INFINITY}, {"nan", (double)NAN}};
enum { N_CONSTANTS = sizeof constants / sizeof constants[0] };

static int fail(struct parser *p, const char *at, const char *format, ...) PRINTF(3, 4);
static int fail(struct parser *p, const char *at, const char *format, ...)
{
    if (!p->failed) {
        char what[400];
        va_list args;
        va_start(args, format);
        vsnprintf(what, sizeof what, format, args);
        va_end(args);
        struct str shown = {0};
        str_add_visible(&shown, p->text);
        err_set(p->err, ERR_USAGE, "expression '%.300s', column %zu: %s", str_text(&shown), (size_t)(at - p->text) + 1,
                what);
        str_release(&shown);
    }
    p->failed = true;
    return -1;
}

static void skip_spaces(struct parser *p)
{
    while (isspace((unsigned char)*p->at))
        p->at++;
}

static int fail_here(struct parser *p, const char *expected)
{
    skip_spaces(p);
    if (!*p->at)
        return fail(p, p->at, "expected %s, found the end", expected);
    struct str shown = {0};
    char found[16];
    snprintf(found, sizeof found, "%.12s", p->at);
    str_add_visible(&shown, found);
    fail(p, p->at, "expected %s, found '%s'", expected, str_text(&shown));
    str_release(&shown);
    return -1;
}

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Consumes the operator or the word if it comes next. */
static bool accept(struct parser *p, const char *token)
{
    skip_spaces(p);
    size_t n = strlen(token);
    if (strncmp(p->at, token, n) != 0 || (isalpha((unsigned char)*token) && is_name(p->at[n])))
        return false;
    p->at += n;
    return true;
}

static int apply(struct parser *p, enum expr_op op, int x, int y)
{
    if (p->failed || x < 0 || (y < 0 && expr_op_arity(op) > 1))
        return -1;
    int step = expr_apply(p->b, op, x, y, -1);
    return p->b->overflow ? fail(p, p->at, "too long: more than %d steps", EXPR_MAX_STEPS) : step;
}

static int parse_number(struct parser *p)
{
    const char *start = p->at;
    char text[64];
    size_t n = 0;
    while (n + 1 < sizeof text && (isdigit((unsigned char)*p->at) || *p->at == '.'))
        text[n++] = *p->at++;
    bool exponent = (*p->at == 'e' || *p->at == 'E') &&
                    (isdigit((unsigned char)p->at[1]) ||
                     ((p->at[1] == '-' || p->at[1] == '+') && isdigit((unsigned char)p->at[2])));
    if (exponent && n + 3 < sizeof text) {
        text[n++] = *p->at++;
        text[n++] = *p->at++;
        while (n + 1 < sizeof text && isdigit((unsigned char)*p->at))
            text[n++] = *p->at++;
    }
    text[n] = 0;
    double value;
    if (!str_to_double(text, &value) || is_name(*p->at) || *p->at == '.')
        return fail(p, start, "'%.20s' is not a number", start);
    return expr_const(p->b, value);
}

static int unknown_name(struct parser *p, const char *at, const char *name)
{
    const char *known[NAMES_MAX];
    size_t n = 0, n_functions;
    const struct expr_function *functions = expr_functions(&n_functions);
    for (int i = 0; i < p->n_names && n < NAMES_MAX; i++)
        known[n++] = p->names[i];
    for (size_t i = 0; i < n_functions && n < NAMES_MAX; i++)
        known[n++] = functions[i].name;
    for (int i = 0; i < EXPR_OP_COUNT && n < NAMES_MAX; i++)
        if (expr_op_is_call((enum expr_op)i))
            known[n++] = expr_op_text((enum expr_op)i);
    for (int i = 0; i < N_CONSTANTS && n < NAMES_MAX; i++)
        known[n++] = constants[i].name;
    const char *nearest = str_nearest(name, known, n);
    return nearest ? fail(p, at, "unknown name '%s', did you mean '%s'?", name, nearest)
                   : fail(p, at, "unknown name '%s'", name);
}

/* "name =" before an argument: the number of the parameter, or -1 when there is none (or on failure). */
static int parse_keyword(struct parser *p, const struct expr_parameters *parameters)
{
    skip_spaces(p);
    const char *start = p->at, *end = start;
    while (is_name(*end))
        end++;
    const char *equals = end;
    while (isspace((unsigned char)*equals))
        equals++;
    if (end == start || *equals != '=' || equals[1] == '=')
        return -1;
    size_t n = (size_t)(end - start);
    for (int i = 0; i < parameters->n; i++)
        if (strlen(parameters->names[i]) == n && !memcmp(parameters->names[i], start, n)) {
            p->at = equals + 1;
            return i;
        }
    return fail(p, start, "no argument '%.*s'", n > 40 ? 40 : (int)n, start);
}

static void operator_parameters(enum expr_op op, struct expr_parameters *out)
{
    *out = (struct expr_parameters){.n = expr_op_arity(op)};
    for (int i = 0; i < out->n; i++)
        out->required[i] = true;
}

/* Arguments up to ')'; given[i] is the step of parameter i. */
static bool parse_arguments(struct parser *p, const char *name, const struct expr_parameters *parameters, int *given)
{
    for (int i = 0; i < EXPR_MAX_PARAMETERS; i++)
        given[i] = -1;
    for (int position = 0; !accept(p, ")"); position++) {
        if (position && !accept(p, ","))
            return fail_here(p, "',' or ')'") >= 0;
        const char *at = p->at;
        int keyword = parse_keyword(p, parameters), slot = keyword < 0 ? position : keyword;
        if (p->failed)
            return false;
        if (slot >= parameters->n)
            return fail(p, at, "'%s' takes %d argument%s", name, parameters->n, parameters->n == 1 ? "" : "s") >= 0;
        if (given[slot] >= 0)
            return fail(p, at, "argument %d of '%s' given twice", slot + 1, name) >= 0;
        given[slot] = parse_choice(p);
        if (given[slot] < 0)
            return false;
    }
    for (int i = 0; i < parameters->n; i++) {
        if (given[i] < 0 && parameters->required[i])
            return fail(p, p->at, "'%s' needs argument %d", name, i + 1) >= 0;
        if (given[i] < 0)
            given[i] = expr_const(p->b, parameters->initial[i]);
    }
    return true;
}

static int parse_call(struct parser *p, const char *at, const char *name)
{
    struct expr_parameters parameters;
    int given[EXPR_MAX_PARAMETERS];
    for (int i = 0; i < EXPR_OP_COUNT; i++) {
        enum expr_op op = (enum expr_op)i;
        if (!expr_op_is_call(op) || strcmp(expr_op_text(op), name) != 0)
            continue;
        operator_parameters(op, &parameters);
        if (!parse_arguments(p, name, &parameters, given))
            return -1;
        return expr_apply(p->b, op, given[0], given[1], given[2]);
    }
    const struct expr_function *function = expr_function_find(name);
    if (!function)
        return unknown_name(p, at, name);
    expr_function_parameters(function, &parameters);
    if (!parse_arguments(p, name, &parameters, given))
        return -1;
    struct err inner;
    int step = expr_function_call(p->b, function, given, p->depth, &inner);
    return step < 0 ? fail(p, at, "in '%s': %s", name, inner.text) : step;
}

static int parse_name(struct parser *p)
{
    const char *at = p->at;
    char name[NAME_MAX_LENGTH + 1];
    size_t n = 0;
    while (is_name(p->at[n]))
        n++;
    if (n > NAME_MAX_LENGTH)
        return fail(p, at, "name of %zu characters, at most %d are allowed", n, NAME_MAX_LENGTH);
    memcpy(name, at, n);
    name[n] = 0;
    p->at += n;
    if (accept(p, "("))
        return parse_call(p, at, name);
    for (int i = 0; i < p->n_names; i++)
        if (!strcmp(p->names[i], name))
            return p->steps[i];
    for (int i = 0; i < N_CONSTANTS; i++)
        if (!strcmp(constants[i].name, name))
            return expr_const(p->b, constants[i].value);
    return unknown_name(p, at, name);
}

static int parse_atom(struct parser *p)
{
    skip_spaces(p);
    if (isdigit((unsigned char)*p->at) || *p->at == '.')
        return parse_number(p);
    if (isalpha((unsigned char)*p->at) || *p->at == '_')
        return parse_name(p);
    if (!accept(p, "("))
        return fail_here(p, "a number, a name or '('");
    int inner = parse_choice(p);
    if (inner >= 0 && !accept(p, ")"))
        return fail_here(p, "')'");
    return inner;
}

static int parse_power(struct parser *p)
{
    int base = parse_atom(p);
    return base >= 0 && accept(p, "**") ? apply(p, EXPR_POW, base, parse_unary(p)) : base;
}

static int parse_unary(struct parser *p)
{
    if (++p->depth > EXPR_MAX_DEPTH)
        return fail(p, p->at, "nested deeper than %d", EXPR_MAX_DEPTH);
    int step;
    if (accept(p, "-"))
        step = apply(p, EXPR_NEG, parse_unary(p), -1);
    else
        step = accept(p, "+") ? parse_unary(p) : parse_power(p);
    p->depth--;
    return step;
}

static int parse_product(struct parser *p)
{
    int left = parse_unary(p);
    while (left >= 0) {
        skip_spaces(p);
        if (strncmp(p->at, "**", 2) != 0 && accept(p, "*"))
            left = apply(p, EXPR_MUL, left, parse_unary(p));
        else if (accept(p, "/"))
            left = apply(p, EXPR_DIV, left, parse_unary(p));
        else
            break;
    }
    return left;
}

static int parse_sum(struct parser *p)
{
    int left = parse_product(p);
    while (left >= 0) {
        if (accept(p, "+"))
            left = apply(p, EXPR_ADD, left, parse_product(p));
        else if (accept(p, "-"))
            left = apply(p, EXPR_SUB, left, parse_product(p));
        else
            break;
    }
    return left;
}

static int parse_compare(struct parser *p)
{
    static const enum expr_op order[] = {EXPR_LE, EXPR_GE, EXPR_EQ,
                                         EXPR_NE, EXPR_LT, EXPR_GT}; /* longest spelling first */
    int left = parse_sum(p), all = -1;
    while (left >= 0) {
        size_t k = 0;
        while (k < sizeof order / sizeof order[0] && !accept(p, expr_op_text(order[k])))
            k++;
        if (k == sizeof order / sizeof order[0])
            break;
        int right = parse_sum(p), pair = apply(p, order[k], left, right);
        all = all < 0 ? pair : apply(p, EXPR_AND, all, pair);
        left = right;
    }
    return left < 0 ? -1 : all < 0 ? left : all;
}

static int parse_inverse(struct parser *p)
{
    if (++p->depth > EXPR_MAX_DEPTH)
        return fail(p, p->at, "nested deeper than %d", EXPR_MAX_DEPTH);
    int step = accept(p, "not") ? apply(p, EXPR_NOT, parse_inverse(p), -1) : parse_compare(p);
    p->depth--;
    return step;
}

static int parse_both(struct parser *p)
{
    int left = parse_inverse(p);
    while (left >= 0 && accept(p, "and"))
        left = apply(p, EXPR_AND, left, parse_inverse(p));
    return left;
}

static int parse_or_else(struct parser *p)
{
    int left = parse_both(p);
    while (left >= 0 && accept(p, "or"))
        left = apply(p, EXPR_OR, left, parse_both(p));
    return left;
}

static int parse_choice(struct parser *p)
{
    if (++p->depth > EXPR_MAX_DEPTH)
        return fail(p, p->at, "nested deeper than %d", EXPR_MAX_DEPTH);
    int step = parse_or_else(p);
    if (step >= 0 && accept(p, "if")) {
        int condition = parse_or_else(p);
        if (condition >= 0 && !accept(p, "else"))
            return fail_here(p, "'else'");
        int otherwise = condition < 0 ? -1 : parse_choice(p);
        step = otherwise < 0 ? -1 : expr_apply(p->b, EXPR_SELECT, condition, step, otherwise);
    }
    p->depth--;
    return step;
}

int expr_parse_into(struct expr_builder *b, const char *text, const char *const *names, const int *steps, int n_names,
                    int depth, struct err *err)
{
    struct parser p = {.b = b,
                       .text = text,
                       .at = text,
                       .names = names,
                       .steps = steps,
                       .n_names = n_names,
                       .depth = depth,
                       .err = err};
    if (strlen(text) > TEXT_MAX)
        return fail(&p, text, "%zu characters long, at most %d are allowed", strlen(text), TEXT_MAX);
    int step = parse_choice(&p);
    skip_spaces(&p);
    if (step >= 0 && *p.at)
        return fail_here(&p, "an operator or the end");
    if (step >= 0 && b->overflow)
        return fail(&p, p.at, "too long: more than %d steps", EXPR_MAX_STEPS);
    return p.failed ? -1 : step;
}

const struct expr *expr_parse(struct arena *arena, const char *text, const char *const *names, int n_names,
                              struct err *err)
{
    if (n_names > EXPR_MAX_INPUTS)
        return err_null(err, ERR_USAGE, "an expression has at most %d inputs, found %d", EXPR_MAX_INPUTS, n_names);
    struct expr_builder b;
    int steps[EXPR_MAX_INPUTS];
    expr_begin(&b, arena);
    for (int i = 0; i < n_names; i++)
        steps[i] = expr_input(&b, i);
    int result = expr_parse_into(&b, text, names, steps, n_names, 0, err);
    return result < 0 ? NULL : expr_finish(&b, &result, 1, n_names);
}
