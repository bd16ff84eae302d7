/* comparison.c - see comparison.h */
#include "tui/client/comparison.h"

#include "base/json.h"
#include "base/str.h"
#include "persistence/runs/metric_direction.h"
#include "tui/client/cli_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What names a run among others and is no setting. */
static bool is_label(const char *key)
{
    static const char *const labels[] = {"name", "description", "folder", "imported.file", "keep", "backup_minutes"};
    for (size_t l = 0; l < sizeof labels / sizeof labels[0]; l++)
        if (!strcmp(key, labels[l]))
            return true;
    return false;
}

const char *compared_param(const struct compared *one, const char *key)
{
    for (size_t p = 0; p < one->n_params; p++)
        if (!strcmp(one->params[p].key, key))
            return one->params[p].json;
    return NULL;
}

void compared_words(char *words, size_t size, const char *json)
{
    size_t n = json ? strlen(json) : 0;
    bool quoted = n > 1 && json[0] == '"';
    snprintf(words, size, "%.*s", (int)(quoted ? n - 2 : n), json ? json + quoted : "");
}

/* All keys of all runs, sorted, each once. */
static const char **all_keys(const struct compared *list, size_t n, struct arena *arena, size_t *n_keys)
{
    size_t total = 0, kept = 0;
    for (size_t i = 0; i < n; i++)
        total += list[i].n_params;
    const char **keys = arena_array(arena, total + 1, sizeof *keys);
    for (size_t i = 0, at = 0; i < n; i++)
        for (size_t p = 0; p < list[i].n_params; p++)
            keys[at++] = list[i].params[p].key;
    qsort(keys, total, sizeof *keys, str_order);
    for (size_t k = 0; k < total; k++)
        if (!kept || strcmp(keys[kept - 1], keys[k]) != 0)
            keys[kept++] = keys[k];
    *n_keys = kept;
    return keys;
}

bool compared_same(const char *a, const char *b)
{
    double x, y;
    if (!a || !b)
        return !a && !b;
    return !strcmp(a, b) || (str_to_double(a, &x) && str_to_double(b, &y) && x == y);
}

static bool differs(const struct compared *list, size_t n, const char *key)
{
    for (size_t i = 1; i < n; i++)
        if (!compared_same(compared_param(&list[0], key), compared_param(&list[i], key)))
            return true;
    return false;
}

const char **compared_keys(const struct compared *list, size_t n, bool all, struct arena *arena, size_t *n_keys)
{
    size_t kept = 0;
    const char **keys = all_keys(list, n, arena, n_keys);
    for (size_t k = 0; k < *n_keys; k++)
        if (all || (!is_label(keys[k]) && differs(list, n, keys[k])))
            keys[kept++] = keys[k];
    *n_keys = kept;
    return keys;
}

const struct metric_summary *compared_metric(const struct run_summary *run, const char *name)
{
    for (size_t m = 0; m < run->n_metrics; m++)
        if (!strcmp(run->metrics[m].name, name))
            return &run->metrics[m];
    return NULL;
}

const char **compared_metrics(const struct compared *list, size_t n, struct arena *arena, size_t *n_names)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += list[i].run->n_metrics;
    const char **names = arena_array(arena, total + 1, sizeof *names);
    *n_names = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t m = 0; m < list[i].run->n_metrics; m++) {
            size_t k = 0;
            while (k < *n_names && strcmp(names[k], list[i].run->metrics[m].name) != 0)
                k++;
            if (k == *n_names)
                names[(*n_names)++] = list[i].run->metrics[m].name;
        }
    return names;
}

size_t compared_champion(const struct compared *list, size_t n, const char *name)
{
    bool up = metric_is_better_upwards(name);
    size_t best = n;
    for (size_t i = 0; i < n; i++) {
        const struct metric_summary *metric = compared_metric(list[i].run, name);
        if (!metric || isnan(metric->best))
            continue;
        double value = metric->best, old = best < n ? compared_metric(list[best].run, name)->best : 0;
        if (best == n || (up ? value > old : value < old))
            best = i;
    }
    return best;
}

struct named {
    const char *name;
    size_t at;
};

static int compare_named(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

const char *const *compared_labels(const struct run_summary *const *runs, size_t n, struct arena *arena)
{
    struct named *sorted = arena_array(arena, n + 1, sizeof *sorted);
    const char **labels = arena_array(arena, n + 1, sizeof *labels);
    for (size_t i = 0; i < n; i++)
        sorted[i] = (struct named){runs[i]->name, i};
    qsort(sorted, n, sizeof *sorted, compare_named);
    for (size_t k = 0; k < n; k++) {
        bool twin = (k && !compare_named(&sorted[k - 1], &sorted[k])) ||
                    (k + 1 < n && !compare_named(&sorted[k], &sorted[k + 1]));
        labels[sorted[k].at] =
            twin ? arena_printf(arena, "%s (%zu)", sorted[k].name, sorted[k].at + 1) : sorted[k].name;
    }
    return labels;
}

/* The last part of a key, with the one before where it says too little: "layers[2].units", "optimizer.class". */
static const char *short_key(const char *key)
{
    const char *last = strrchr(key, '.'), *from = last;
    if (!last)
        return key;
    bool vague = !strcmp(last + 1, "class") || (last > key && last[-1] == ']');
    while (vague && from > key && from[-1] != '.')
        from--;
    return vague ? from : last + 1;
}

/* "learning_rate 0.01"; a long value is cut. */
static void add_setting(struct str *out, const char *key, const char *json)
{
    enum { MOST_BYTES = 24 };
    size_t n = strlen(json), quote = n > 1 && json[0] == '"', length = n - 2 * quote;
    bool cut = length > MOST_BYTES;
    length = cut ? MOST_BYTES : length;
    while (cut && length && ((unsigned char)json[quote + length] & 0xC0) == 0x80) /* not inside a character */
        length--;
    str_addf(out, "%s %.*s%s", key, (int)length, json + quote, cut ? "…" : "");
}

void compared_add_changes(const struct compared *child, const struct compared *parent, size_t most, struct str *out)
{
    const struct compared both[] = {*parent, *child};
    struct arena arena = {0};
    size_t n, shown;
    const char **keys = compared_keys(both, 2, false, &arena, &n);
    for (shown = 0; shown < n && shown < most; shown++) {
        const char *value = compared_param(child, keys[shown]);
        str_add(out, shown ? "  " : "");
        if (value)
            add_setting(out, short_key(keys[shown]), value);
        else
            str_addf(out, "no %s", short_key(keys[shown]));
    }
    if (n > shown)
        str_addf(out, "  +%zu", n - shown);
    arena_release(&arena);
}

static void csv_header(const char *const *keys, size_t n_keys, const char *const *metrics, size_t n_metrics,
                       struct str *out)
{
    static const char *const forms[] = {"last", "best", "epoch of best"};
    str_add(out, "run,name,state,epoch");
    for (size_t m = 0; m < n_metrics; m++)
        for (int f = 0; f < 3; f++) {
            struct str title = {0};
            str_addf(&title, "%s %s", forms[f], metrics[m]);
            str_add_char(out, ',');
            text_add_csv(out, str_text(&title));
            str_release(&title);
        }
    for (size_t k = 0; k < n_keys; k++) {
        str_add_char(out, ',');
        text_add_csv(out, keys[k]);
    }
    str_add_char(out, '\n');
}

static void csv_metric(const struct metric_summary *metric, struct str *out)
{
    str_add_char(out, ',');
    if (metric)
        str_add_double(out, metric->last);
    str_add_char(out, ',');
    if (metric && !isnan(metric->best))
        str_add_double(out, metric->best);
    str_add_char(out, ',');
    if (metric && !isnan(metric->best))
        str_addf(out, "%lld", (long long)metric->best_epoch);
}

/* A text without its quotes, everything else as it stands in the config. */
static void csv_param(const char *json, struct str *out)
{
    json_t *value = json ? js_parse(json, strlen(json), "parameter", JS_STRICT, NULL) : NULL;
    str_add_char(out, ',');
    if (json)
        text_add_csv(out, json_is_string(value) ? json_string_value(value) : json);
    json_decref(value);
}

void compared_add_csv(const struct compared *list, size_t n, const char *const *labels, const char *const *keys,
                      size_t n_keys, const char *const *metrics, size_t n_metrics, struct str *out)
{
    csv_header(keys, n_keys, metrics, n_metrics, out);
    for (size_t i = 0; i < n; i++) {
        const struct run_summary *run = list[i].run;
        text_add_csv(out, run->id);
        str_add_char(out, ',');
        text_add_csv(out, labels[i]);
        str_addf(out, ",%s,%lld", run_state_name(run->state), (long long)run->epoch);
        for (size_t m = 0; m < n_metrics; m++)
            csv_metric(compared_metric(run, metrics[m]), out);
        for (size_t k = 0; k < n_keys; k++)
            csv_param(compared_param(&list[i], keys[k]), out);
        str_add_char(out, '\n');
    }
}
