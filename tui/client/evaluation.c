/* evaluation.c - see evaluation.h */
#include "persistence/runs/kept_results.h"
#include "tui/client/evaluation.h"

#include <stdio.h>
#include <string.h>

const char *evaluation_metric(const json_t *result, size_t i, struct text *value)
{
    const char *name;
    json_t *found;
    json_object_foreach(json_object_get(result, "metrics"), name, found) {
        double number = 0;
        if (i--)
            continue;
        js_to_double(found, &number);
        *value = text_number(number);
        return name;
    }
    return NULL;
}

const char *evaluation_class_word(const char *name)
{
    static const char *const words[][2] = {{" ", "space"}, {"\n", "newline"}, {"\t", "tab"}, {"", "(empty)"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i][0], name))
            return words[i][1];
    return name;
}

struct text evaluation_samples(const json_t *result)
{
    struct text t;
    snprintf(t.text, sizeof t.text, "%lld samples of %.20s", (long long)js_int(result, "samples", 0),
             js_string(result, "split", ""));
    return t;
}

static const char *const parts[] = {"test", "validation", "train"};

const char *evaluation_next_part(const json_t *result, const char *part)
{
    const json_t *counts = json_object_get(json_object_get(result, "data"), "parts");
    int at = -1;
    for (int i = 0; part && i < 3; i++)
        at = strcmp(part, parts[i]) ? at : i;
    for (int i = 1; i <= 3; i++)
        if (!counts || js_int(counts, parts[(at + i) % 3], 0) > 0)
            return parts[(at + i) % 3];
    return parts[0];
}

static void name_kept(const char *part, char what[40])
{
    snprintf(what, 40, "evaluate-%.20s", part);
}

void evaluation_keep(const char *checkpoint, const json_t *result)
{
    const char *part = js_string(result, "split", NULL);
    char what[40];
    if (!part)
        return;
    name_kept(part, what);
    kept_save(checkpoint, what, result);
}

json_t *evaluation_kept(const char *checkpoint, const char *part, double *made)
{
    for (int i = 0; i < 3; i++) {
        char what[40];
        name_kept(parts[i], what);
        json_t *result = part && strcmp(part, parts[i]) != 0 ? NULL : kept_read(checkpoint, what, made);
        if (result && (part || !strcmp(evaluation_next_part(result, NULL), parts[i])))
            return result;
        json_decref(result);
    }
    return NULL;
}
