/* sample_filter.c - see sample_filter.h */
#include "tui/results/sample_filter.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WORD_MAX = 96 };

struct word {
    char field[WORD_MAX]; /* "p", "class", "wrong" */
    char op[3];           /* "<", ":"; "": a plain word */
    char value[WORD_MAX];
};

static double probability(const struct sample *sample)
{
    return sample->probability;
}

static double number(const struct sample *sample)
{
    return (double)sample->index;
}

static double loss(const struct sample *sample)
{
    return sample->loss;
}

static const struct {
    const char *name;
    double (*value)(const struct sample *sample);
} fields[] = {{"p", probability}, {"error", sample_error}, {"n", number}, {"loss", loss}};

/* Takes the next word off *text; false at the end. */
static bool next_word(const char **text, struct word *word)
{
    *text += strspn(*text, " ");
    size_t length = strcspn(*text, " ");
    char all[WORD_MAX];
    snprintf(all, sizeof all, "%.*s", (int)length, *text);
    *text += length;
    *word = (struct word){0};
    size_t name = strcspn(all, ":<>="), op = strspn(all + name, ":<>=");
    op = op > 2 ? 2 : op;
    snprintf(word->field, sizeof word->field, "%.*s", (int)name, all);
    snprintf(word->op, sizeof word->op, "%.*s", (int)op, all + name);
    snprintf(word->value, sizeof word->value, "%s", all + name + op);
    return length > 0;
}

static bool is_class_word(const struct word *word)
{
    return (!strcmp(word->op, ":") || !strcmp(word->op, "=")) &&
           (!strcmp(word->field, "class") || !strcmp(word->field, "said"));
}

bool sample_filter_check(const char *filter, struct err *err)
{
    static const char *const known[] = {"wrong", "right", "class:", "said:", "p", "error", "n", "loss"};
    struct word word;
    double value;
    while (next_word(&filter, &word)) {
        if (!word.op[0] || (is_class_word(&word) && word.value[0]))
            continue;
        bool found = false;
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
            found = found || !strcmp(fields[i].name, word.field);
        if (!found) {
            const char *near = str_nearest(word.field, known, sizeof known / sizeof *known);
            return err_set(err, ERR_USAGE, "'%s%s' is not known, expected class: said: p error n loss%s%s", word.field,
                           word.op, near ? ": did you mean " : "", near ? near : "");
        }
        if (!strcmp(word.op, ":") || !str_to_double(word.value, &value))
            return err_set(err, ERR_USAGE, "found '%s%s%s', expected a number as in %s<0.5", word.field, word.op,
                           word.value, word.field);
    }
    return true;
}

static bool has_class(const struct sample_data *data, int64_t label, const char *wanted, bool whole)
{
    char name[WORD_MAX];
    int64_t asked;
    if (label < 0)
        return false;
    if (whole && str_to_int64(wanted, &asked) && asked == label)
        return true;
    sample_class(data, label, name, sizeof name);
    return whole ? !strcasecmp(name, wanted) : strcasestr(name, wanted) != NULL;
}

static bool compare(double value, const char *op, double with)
{
    bool equal = op[1] == '=' || op[0] == '=';
    return (op[0] == '<' && value < with) || (op[0] == '>' && value > with) || (equal && value == with);
}

static bool word_matches(const struct word *word, const struct sample *sample, const struct sample_data *data)
{
    double with = 0;
    if (!word->op[0] && !strcmp(word->field, "wrong"))
        return sample->label >= 0 && sample->predicted >= 0 && !sample_is_right(sample);
    if (!word->op[0] && !strcmp(word->field, "right"))
        return sample_is_right(sample);
    const struct sample *rival = sample->rival;
    if (!word->op[0] && !strcmp(word->field, "fixed"))
        return rival && sample_is_right(sample) && !sample_is_right(rival);
    if (!word->op[0] && !strcmp(word->field, "broken"))
        return rival && !sample_is_right(sample) && sample_is_right(rival);
    if (!word->op[0] && !strcmp(word->field, "changed"))
        return rival && sample->predicted != rival->predicted;
    if (!word->op[0])
        return has_class(data, sample->label, word->field, false) ||
               has_class(data, sample->predicted, word->field, false);
    if (is_class_word(word))
        return has_class(data, word->field[0] == 'c' ? sample->label : sample->predicted, word->value, true);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (!strcmp(fields[i].name, word->field) && str_to_double(word->value, &with))
            return compare(fields[i].value(sample), word->op, with);
    return false;
}

bool sample_filter_matches(const char *filter, const struct sample *sample, const struct sample_data *data)
{
    struct word word;
    while (next_word(&filter, &word))
        if (!word_matches(&word, sample, data))
            return false;
    return true;
}
