/* run_filter.c - see run_filter.h: a recursive descent over the text, a tree of nodes, one walk per run. */
#include "persistence/index/run_filter.h"

#include "base/json.h"
#include "base/str.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum node_kind { NODE_ALL, NODE_AND, NODE_OR, NODE_NOT, NODE_WORD, NODE_COMPARE };
enum compare_op { OP_HAS, OP_EQ, OP_NE, OP_LE, OP_GE, OP_LT, OP_GT };
static const char *const op_texts[] = {":", "=", "!=", "<=", ">=", "<", ">"};
enum { NESTING_MAX = 100 };

struct node {
    enum node_kind kind;
    enum compare_op op;
    const struct node *left, *right;
    const char *field, *text;
    bool is_number;
    double number;
};

struct run_filter {
    struct arena arena;
    const struct node *root;
};

struct parser {
    const char *text, *at;
    struct arena *arena;
    int depth;
    struct err *err;
};

static bool contains(const char *text, const char *part)
{
    if (!text)
        return false;
    if (!strpbrk(part, "*?"))
        return strcasestr(text, part);
    char *pattern = xprintf("*%s*", part), *lower = xstrdup(text);
    for (char *p = pattern; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    for (char *p = lower; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    bool found = str_glob(pattern, lower);
    free(pattern);
    free(lower);
    return found;
}

static bool has_tag(const struct run_summary *run, const char *tag)
{
    for (size_t t = 0; t < run->n_tags; t++)
        if (strpbrk(tag, "*?") ? str_glob(tag, run->tags[t]) : !strcasecmp(tag, run->tags[t]))
            return true;
    return false;
}

static bool word_matches(const struct run_summary *run, const char *word)
{
    for (size_t t = 0; t < run->n_tags; t++)
        if (contains(run->tags[t], word))
            return true;
    return contains(run->name, word) || contains(run->id, word) || contains(run->note, word);
}

static bool ordered(enum compare_op op, int order)
{
    return (op == OP_EQ && !order) || (op == OP_NE && order) || (op == OP_LE && order <= 0) ||
           (op == OP_GE && order >= 0) || (op == OP_LT && order < 0) || (op == OP_GT && order > 0);
}

static bool compare_numbers(enum compare_op op, double a, double b)
{
    if (isnan(a) || isnan(b))
        return op == OP_EQ ? isnan(a) && isnan(b) : op == OP_NE && !(isnan(a) && isnan(b));
    return ordered(op, (a > b) - (a < b));
}

static bool comparison_matches(const struct node *node, const struct run_summary *run, run_param_lookup *param,
                               void *context)
{
    if (!strcmp(node->field, "tag"))
        return has_tag(run, node->text) != (node->op == OP_NE);
    struct run_value value = run_field(node->field, run, param, context);
    if (value.kind == RUN_VALUE_NONE)
        return false;
    if (value.kind == RUN_VALUE_NUMBER)
        return node->is_number && compare_numbers(node->op == OP_HAS ? OP_EQ : node->op, value.number, node->number);
    if (node->op == OP_HAS && !strcmp(node->field, "state"))
        return !strncasecmp(value.text, node->text, strlen(node->text));
    if (node->op == OP_HAS)
        return contains(value.text, node->text);
    if (!strcmp(node->field, "created")) /* a date means that whole day */
        return ordered(node->op, strncmp(value.text, node->text, strlen(node->text)));
    return ordered(node->op, strcasecmp(value.text, node->text));
}

static bool matches(const struct node *node, const struct run_summary *run, run_param_lookup *param, void *context)
{
    switch (node->kind) {
    case NODE_ALL:
        return true;
    case NODE_AND:
        return matches(node->left, run, param, context) && matches(node->right, run, param, context);
    case NODE_OR:
        return matches(node->left, run, param, context) || matches(node->right, run, param, context);
    case NODE_NOT:
        return !matches(node->left, run, param, context);
    case NODE_WORD:
        return word_matches(run, node->text);
    case NODE_COMPARE:
        return comparison_matches(node, run, param, context);
    }
    return false;
}

bool run_filter_matches(const struct run_filter *filter, const struct run_summary *run, run_param_lookup *param,
                        void *context)
{
    return matches(filter->root, run, param, context);
}

static void *wrong(const struct parser *p, const char *at, const char *what)
{
    return err_null(p->err, ERR_USAGE, "filter, column %d: %s", (int)(at - p->text) + 1, what);
}

static struct node *new_node(struct parser *p, enum node_kind kind, const struct node *left, const struct node *right)
{
    struct node *node = arena_alloc(p->arena, sizeof *node);
    *node = (struct node){.kind = kind, .left = left, .right = right};
    return node;
}

static void skip_spaces(struct parser *p)
{
    p->at += strspn(p->at, " \t\r\n");
}

/* A word of the language itself; takes it when it stands there. */
static bool take_keyword(struct parser *p, const char *keyword)
{
    size_t n = strlen(keyword);
    skip_spaces(p);
    if (strncmp(p->at, keyword, n) != 0 ||
        (isalpha((unsigned char)keyword[0]) && p->at[n] && !strchr(" \t\r\n()", p->at[n])))
        return false;
    p->at += n;
    return true;
}

/* Text up to one of `stops`, quotes taken off. NULL and err for an open quote. */
static const char *take_text(struct parser *p, const char *stops)
{
    if (*p->at == '"' || *p->at == '\'') {
        const char *start = p->at + 1, *end = strchr(start, *p->at);
        if (!end)
            return wrong(p, p->at, "a quote that is not closed");
        p->at = end + 1;
        return arena_strndup(p->arena, start, (size_t)(end - start));
    }
    size_t n = strcspn(p->at, stops);
    const char *text = arena_strndup(p->arena, p->at, n);
    p->at += n;
    return text;
}

/* "5m" is 300 for a duration. */
static bool parse_number(const char *field, const char *text, double *number)
{
    static const char units[] = "smhd";
    static const double seconds[] = {1, 60, 3600, 86400};
    size_t length = strlen(text);
    const char *unit = length && !strcmp(field, "duration") ? strchr(units, text[length - 1]) : NULL;
    if (!unit || !*unit)
        return str_to_double(text, number);
    char digits[64];
    snprintf(digits, sizeof digits, "%.*s", (int)(length - 1), text);
    if (!str_to_double(digits, number))
        return false;
    *number *= seconds[unit - units];
    return true;
}

/* state:run is enough; a misspelt state would silently match nothing. */
static const struct node *known_state(const struct parser *p, const char *value_at, const struct node *node)
{
    char text[200];
    const char *names[RUN_INTERRUPTED + 1];
    for (int s = 0; s <= RUN_INTERRUPTED; s++) {
        names[s] = run_state_name((enum run_state)s);
        if (node->op == OP_HAS ? !strncasecmp(names[s], node->text, strlen(node->text))
                               : !strcasecmp(names[s], node->text))
            return node;
    }
    const char *near = str_nearest(node->text, names, RUN_INTERRUPTED + 1);
    snprintf(text, sizeof text, "there is no state '%.60s'%s%s%s", node->text,
             near ? ", did you mean '" : "; there are queued, running, paused, finished, stopped, failed, interrupted",
             near ? near : "", near ? "'?" : "");
    return wrong(p, value_at, text);
}

static const struct node *parse_comparison(struct parser *p, const char *start, const char *field)
{
    struct err why = {0};
    if (!run_field_check(field, &why))
        return wrong(p, start, why.text);
    struct node *node = new_node(p, NODE_COMPARE, NULL, NULL);
    size_t op = 0;
    while (!str_starts(p->at, op_texts[op]))
        op++;
    p->at += strlen(op_texts[op]);
    const char *value_at = p->at;
    node->op = (enum compare_op)op;
    node->field = field;
    node->text = take_text(p, " \t\r\n()");
    if (!node->text)
        return NULL;
    if (p->at == value_at)
        return wrong(p, value_at, "a value is missing here");
    if (!strcmp(field, "state"))
        return known_state(p, value_at, node);
    node->is_number = parse_number(field, node->text, &node->number);
    static const char *const numeric[] = {"epoch", "epochs", "step", "duration", "learning_rate"};
    bool number_wanted = str_starts(field, "last.") || str_starts(field, "best.");
    for (size_t f = 0; f < sizeof numeric / sizeof *numeric; f++)
        number_wanted = number_wanted || !strcmp(field, numeric[f]);
    return number_wanted && !node->is_number ? wrong(p, value_at, "expected a number here") : node;
}

static const struct node *parse_or(struct parser *p);

static const struct node *parse_term(struct parser *p)
{
    skip_spaces(p);
    if (++p->depth > NESTING_MAX)
        return wrong(p, p->at, "nested too deep");
    const struct node *node = NULL;
    const char *start = p->at;
    if (!*p->at || *p->at == ')' || take_keyword(p, "AND") || take_keyword(p, "OR"))
        return wrong(p, start, "a condition is missing here");
    if (take_keyword(p, "NOT") || *p->at == '-' || *p->at == '!') {
        p->at += p->at == start;
        node = parse_term(p);
        node = node ? new_node(p, NODE_NOT, node, NULL) : NULL;
    } else if (*p->at == '(') {
        p->at++;
        node = parse_or(p);
        if (!node)
            return NULL;
        skip_spaces(p);
        if (*p->at != ')')
            return wrong(p, start, "this parenthesis is not closed");
        p->at++;
    } else {
        bool quoted = *p->at == '"' || *p->at == '\'';
        const char *word = take_text(p, " \t\r\n()|:=!<>");
        if (word && !quoted && *p->at && strchr(":=!<>", *p->at)) {
            if (*p->at == '!' && p->at[1] != '=')
                return wrong(p, p->at, "expected != here");
            node = parse_comparison(p, start, word);
        } else if (word && !*word && !quoted) {
            return wrong(p, start, "a condition is missing here");
        } else if (word) {
            struct node *leaf = new_node(p, NODE_WORD, NULL, NULL);
            leaf->text = word;
            node = leaf;
        }
    }
    p->depth--;
    return node;
}

static const struct node *parse_and(struct parser *p)
{
    const struct node *node = parse_term(p);
    while (node) {
        bool said = take_keyword(p, "AND");
        skip_spaces(p);
        if (!said &&
            (!*p->at || *p->at == ')' || *p->at == '|' || (str_starts(p->at, "OR") && strchr(" \t(", p->at[2]))))
            break;
        const struct node *right = parse_term(p);
        node = right ? new_node(p, NODE_AND, node, right) : NULL;
    }
    return node;
}

static const struct node *parse_or(struct parser *p)
{
    const struct node *node = parse_and(p);
    while (node && (take_keyword(p, "OR") || take_keyword(p, "|"))) {
        const struct node *right = parse_and(p);
        node = right ? new_node(p, NODE_OR, node, right) : NULL;
    }
    return node;
}

struct run_filter *run_filter_parse(const char *text, struct err *err)
{
    struct run_filter *filter = xcalloc(1, sizeof *filter);
    struct parser p = {.text = text, .at = text, .arena = &filter->arena, .err = err};
    skip_spaces(&p);
    filter->root = *p.at ? parse_or(&p) : new_node(&p, NODE_ALL, NULL, NULL);
    skip_spaces(&p);
    if (filter->root && *p.at) /* only a closing parenthesis stops the parser early */
        filter->root = wrong(&p, p.at, "this parenthesis was not opened");
    if (filter->root)
        return filter;
    run_filter_free(filter);
    return NULL;
}

void run_filter_free(struct run_filter *filter)
{
    if (!filter)
        return;
    arena_release(&filter->arena);
    free(filter);
}
