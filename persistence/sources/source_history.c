/* source_history.c - histories as JSON:
 *
 *   {"loss": [0.7, 0.5], "val_loss": [0.8, 0.6]}                    History.history of Keras, dumped; a value an epoch
 *   {"loss": {"0": 0.7, "1": 0.5}}                                   the same by way of a pandas DataFrame
 *   {"epoch": [0, 1], "history": {...}}                              with the epochs (from 0) beside it
 *   {"run": ..., "metrics": {"loss": {"epoch": [...], "step": [...], "time": [...], "value": [...]}}}    antler history
 * --json
 *
 * Read by a parser of its own that keeps numbers only: a history may be far larger than other JSON here may be. A list
 * of validation values that is k times shorter than the others was recorded every k-th epoch (validation_freq).
 */
#include "persistence/sources/source.h"

#include "base/arena.h"
#include "base/decimal.h"
#include "persistence/sources/text_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { JSON_MAX_BYTES = 512 << 20, SERIES_MAX = 4096, NAME_MAX_BYTES = 1000, DEPTH_MAX = 32 };

struct numbers {
    double *list;
    size_t n, capacity;
};
struct series {
    char *name;
    struct numbers value, epoch, step, time; /* the last three may be empty */
    size_t at;
};
struct source_reader {
    const char *path, *text, *p, *end; /* while it is parsed */
    struct series *series;
    size_t n_series, capacity;
    struct numbers epochs; /* beside "history" */
    const char **names;    /* of the record at hand */
    double *values;
};

static void add_number(struct numbers *numbers, double value)
{
    numbers->list = xgrow(numbers->list, &numbers->capacity, numbers->n + 1, sizeof *numbers->list);
    numbers->list[numbers->n++] = value;
}

/* ---- JSON ---- */

static bool wrong(struct source_reader *r, const char *expected, struct err *err)
{
    size_t line = 1;
    for (const char *p = r->text; p < r->p; p++)
        line += *p == '\n';
    return err_set(err, ERR_FORMAT, "'%s' line %zu: expected %s", r->path, line, expected);
}

static char peek(struct source_reader *r)
{
    while (r->p < r->end && strchr(" \t\r\n", *r->p) && *r->p)
        r->p++;
    return r->p < r->end ? *r->p : 0;
}

static bool take(struct source_reader *r, char c)
{
    if (peek(r) != c)
        return false;
    r->p++;
    return true;
}

/* The text of a string as it stands in the file, quotes excluded; escapes are resolved by string_of. */
static bool take_string(struct source_reader *r, const char **text, size_t *length, struct err *err)
{
    if (!take(r, '"'))
        return wrong(r, "a string", err);
    *text = r->p;
    while (r->p < r->end && *r->p != '"')
        r->p += *r->p == '\\' && r->p + 1 < r->end ? 2 : 1;
    *length = (size_t)(r->p - *text);
    return take(r, '"') || wrong(r, "the end of a string", err);
}

static char *string_of(const char *text, size_t length)
{
    json_t *json = memchr(text, '\\', length) ? js_parse(text - 1, length + 2, "", JS_STRICT, NULL) : NULL;
    char *copy = json_is_string(json) ? xstrdup(json_string_value(json)) : xstrndup(text, length);
    json_decref(json);
    return copy;
}

static bool skip_value(struct source_reader *r, int depth, struct err *err)
{
    const char *text;
    size_t length;
    char open = peek(r), close = open == '[' ? ']' : '}';
    if (open == '"')
        return take_string(r, &text, &length, err);
    if (open != '[' && open != '{') {
        const char *start = r->p;
        while (r->p < r->end && !strchr(",]} \t\r\n", *r->p))
            r->p++;
        return r->p > start || wrong(r, "a value", err);
    }
    if (depth > DEPTH_MAX)
        return wrong(r, "no deeper nesting", err);
    r->p++;
    while (!take(r, close)) {
        if (open == '{' && (!take_string(r, &text, &length, err) || !take(r, ':')))
            return wrong(r, "a key and ':'", err);
        if (!skip_value(r, depth + 1, err))
            return false;
        if (!take(r, ',') && peek(r) != close)
            return wrong(r, "',' or the end of a list", err);
    }
    return true;
}

/* A number, NaN, Infinity, also as strings; null is NaN with *given false. */
static bool take_number(struct source_reader *r, double *value, bool *given)
{
    static const struct {
        const char *word;
        double value;
    } words[] = {{"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}, {"null", NAN}};
    bool quoted = take(r, '"');
    if (!quoted)
        peek(r);
    const char *start = r->p;
    while (r->p < r->end && !strchr(",]}\" \t\r\n", *r->p))
        r->p++;
    size_t length = (size_t)(r->p - start);
    bool ok = decimal_parse(start, length, value);
    *given = true;
    for (size_t w = 0; !ok && w < sizeof words / sizeof *words; w++)
        if (strlen(words[w].word) == length && !memcmp(words[w].word, start, length)) {
            *value = words[w].value;
            *given = w != 3;
            ok = true;
        }
    return ok && (!quoted || take(r, '"'));
}

/* ---- what is in it ---- */

/* [0.7, null, 0.5], or another list, which is passed over: then nothing is in numbers. */
static bool take_list(struct source_reader *r, struct numbers *numbers, struct numbers *epochs, struct err *err)
{
    const char *start = r->p;
    int64_t index = 0;
    r->p++;
    while (!take(r, ']')) {
        double value;
        bool given;
        if (!take_number(r, &value, &given)) {
            numbers->n = epochs->n = 0;
            r->p = start;
            return skip_value(r, 0, err);
        }
        index++;
        if (given) {
            add_number(numbers, value);
            add_number(epochs, (double)index);
        }
        if (!take(r, ',') && peek(r) != ']')
            return wrong(r, "',' or ']'", err);
    }
    if ((size_t)index == numbers->n) /* nothing was left out: they need no numbers of their own */
        epochs->n = 0;
    return true;
}

static struct series *add_series(struct source_reader *r, const char *name, size_t length, struct err *err)
{
    if (r->n_series == SERIES_MAX || !length || length > NAME_MAX_BYTES)
        return err_null(err, ERR_FORMAT, "'%s' has more than %d metrics or a name of %zu bytes (1 to %d expected)",
                        r->path, SERIES_MAX, length, NAME_MAX_BYTES);
    r->series = xgrow(r->series, &r->capacity, r->n_series + 1, sizeof *r->series);
    struct series *series = &r->series[r->n_series++];
    *series = (struct series){.name = string_of(name, length)};
    return series;
}

/* {"epoch": [...], "value": [...]} of antler, {"0": 0.7, "1": 0.5} of pandas, or another object, which is passed over.
 */
static bool take_columns(struct source_reader *r, struct series *series, struct err *err)
{
    struct numbers unused = {0};
    bool ok = true;
    r->p++;
    while (ok && !take(r, '}')) {
        const char *key;
        size_t length;
        double index, value;
        bool given;
        ok = take_string(r, &key, &length, err) && (take(r, ':') || wrong(r, "':'", err));
        if (!ok)
            break;
        struct numbers *column = length == 5 && !memcmp(key, "epoch", 5)  ? &series->epoch
                                 : length == 4 && !memcmp(key, "step", 4) ? &series->step
                                 : length == 4 && !memcmp(key, "time", 4) ? &series->time
                                                                          : &series->value;
        bool list = peek(r) == '[' && (column != &series->value || (length == 5 && !memcmp(key, "value", 5)));
        const char *start = r->p;
        if (list) {
            ok = take_list(r, column, &unused, err);
        } else if (decimal_parse(key, length, &index) && take_number(r, &value, &given)) {
            if (given) {
                add_number(&series->value, value);
                add_number(&series->epoch, index + 1);
            }
        } else {
            r->p = start;
            ok = skip_value(r, 0, err);
        }
        ok = ok && (take(r, ',') || peek(r) == '}' || wrong(r, "',' or '}'", err));
    }
    free(unused.list);
    return ok;
}

static bool is_key(const char *key, size_t length, const char *word)
{
    return strlen(word) == length && !memcmp(key, word, length);
}

static bool take_object(struct source_reader *r, int depth, struct err *err)
{
    if (!take(r, '{'))
        return wrong(r, "'{'", err);
    while (!take(r, '}')) {
        const char *key;
        size_t length;
        if (!take_string(r, &key, &length, err) || !(take(r, ':') || wrong(r, "':'", err)))
            return false;
        char c = peek(r);
        bool ok, holds = depth == 0 && (is_key(key, length, "history") || is_key(key, length, "metrics"));
        struct numbers unused = {0};
        if (c == '{' && holds)
            ok = take_object(r, 1, err);
        else if (c == '[' && is_key(key, length, "epoch"))
            ok = take_list(r, &r->epochs, &unused, err);
        else if (c == '[' || c == '{') {
            struct series *series = add_series(r, key, length, err);
            ok =
                series && (c == '[' ? take_list(r, &series->value, &series->epoch, err) : take_columns(r, series, err));
        } else
            ok = skip_value(r, 0, err);
        free(unused.list);
        if (!ok)
            return false;
        if (!take(r, ',') && peek(r) != '}')
            return wrong(r, "',' or '}'", err);
    }
    return true;
}

/* ---- axes ---- */

/* Which value belongs to which epoch, where the file does not say. */
static void fill_axes(struct source_reader *r, struct series *series, size_t longest)
{
    size_t n = series->value.n, every = n && longest % n == 0 && str_starts(series->name, "val_") ? longest / n : 1;
    bool listed = r->epochs.n == n && every == 1;
    for (size_t i = 0; series->epoch.n < n; i++)
        add_number(&series->epoch, listed ? r->epochs.list[i] + 1 : (double)((i + 1) * every));
    if (series->step.n != n)
        series->step.n = 0;
    if (series->time.n != n)
        series->time.n = 0;
}

static bool keep_series(struct source_reader *r, struct err *err)
{
    size_t longest = 0, kept = 0;
    for (size_t s = 0; s < r->n_series; s++) {
        longest = r->series[s].value.n > longest ? r->series[s].value.n : longest;
        if (r->series[s].epoch.n && r->series[s].epoch.n != r->series[s].value.n)
            return err_set(err, ERR_FORMAT, "'%s': metric '%s' has %zu values and %zu epochs", r->path,
                           r->series[s].name, r->series[s].value.n, r->series[s].epoch.n);
    }
    for (size_t s = 0; s < r->n_series; s++) {
        struct series series = r->series[s];
        if (series.value.n) {
            fill_axes(r, &series, longest);
            r->series[s] = r->series[kept];
            r->series[kept++] = series;
        }
    }
    r->names = xcalloc(kept + 1, sizeof *r->names);
    r->values = xcalloc(kept + 1, sizeof *r->values);
    for (size_t s = kept; s < r->n_series; s++)
        r->series[s].value.n = 0;
    return kept || err_set(err, ERR_FORMAT, "'%s' holds no history: expected {\"loss\": [...], ...}", r->path);
}

/* ---- the source ---- */

static bool recognise(const char *path, const char *head, size_t head_bytes)
{
    (void)path, (void)head_bytes;
    if (str_starts(head, "\xEF\xBB\xBF"))
        head += 3;
    head += strspn(head, " \t\r\n");
    if (*head != '{')
        return false;
    for (const char *p = head; (p = strchr(p, ':')); p++) {
        const char *value = p + 1 + strspn(p + 1, " \t\r\n");
        if (*value == '[' || (*value == '{' && value[1 + strspn(value + 1, " \t\r\n")] == '"'))
            return true;
    }
    return false;
}

static void close_history(struct source_reader *r)
{
    if (!r)
        return;
    for (size_t s = 0; s < r->n_series; s++) {
        free(r->series[s].name);
        free(r->series[s].value.list);
        free(r->series[s].epoch.list);
        free(r->series[s].step.list);
        free(r->series[s].time.list);
    }
    free(r->series);
    free(r->epochs.list);
    free(r->names);
    free(r->values);
    free(r);
}

static struct source_reader *open_history(const char *path, struct err *err)
{
    char *text;
    size_t size;
    if (!text_file_read(path, JSON_MAX_BYTES, &text, &size, err))
        return NULL;
    struct source_reader *r = xcalloc(1, sizeof *r);
    *r = (struct source_reader){.path = path, .text = text, .p = text, .end = text + size};
    if (str_starts(text, "\xEF\xBB\xBF"))
        r->p += 3;
    bool ok =
        take_object(r, 0, err) && (!peek(r) || wrong(r, "nothing behind the last '}'", err)) && keep_series(r, err);
    free(text);
    if (ok)
        return r;
    close_history(r);
    return NULL;
}

static int64_t whole(double value)
{
    return value > -1e15 && value < 1e15 ? (int64_t)value : 0;
}

static struct source_record position(const struct series *series)
{
    int64_t epoch = whole(series->epoch.list[series->at]);
    return (struct source_record){.epoch = epoch,
                                  .step = series->step.n ? whole(series->step.list[series->at]) : epoch,
                                  .time = series->time.n ? series->time.list[series->at] : NAN};
}

static int compare_positions(const struct source_record *a, const struct source_record *b)
{
    if (a->step != b->step)
        return a->step < b->step ? -1 : 1;
    return (a->epoch > b->epoch) - (a->epoch < b->epoch);
}

/* The series go on side by side: those whose next value stands at the least position give it. */
static int next(struct source_reader *r, struct source_record *record, struct err *err)
{
    (void)err;
    bool found = false;
    for (size_t s = 0; s < r->n_series; s++) {
        if (r->series[s].at == r->series[s].value.n)
            continue;
        struct source_record here = position(&r->series[s]);
        if (!found || compare_positions(&here, record) < 0)
            *record = here;
        found = true;
    }
    for (size_t s = 0; found && s < r->n_series; s++) {
        struct series *series = &r->series[s];
        struct source_record here = series->at < series->value.n ? position(series) : *record;
        if (series->at == series->value.n || compare_positions(&here, record) != 0)
            continue;
        r->names[record->n] = series->name;
        r->values[record->n++] = series->value.list[series->at++];
    }
    record->kind = SOURCE_METRICS;
    record->names = r->names;
    record->values = r->values;
    return found;
}

const struct source source_history = {
    .name = "history",
    .what = "a Keras history as JSON ({\"loss\": [...], ...})",
    .recognise = recognise,
    .open = open_history,
    .next = next,
    .close = close_history,
    .once = true,
};
