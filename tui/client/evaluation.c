/* evaluation.c - see evaluation.h */
#include "base/arena.h"
#include "base/io.h"
#include "persistence/files/atomic_file.h"
#include "tui/client/evaluation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *evaluation_metric(const json_t *result, size_t i, struct text *value)
{
    const char *name;
    json_t *found;
    json_object_foreach(json_object_get(result, "metrics"), name, found)
    {
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

static char *kept_path(const char *checkpoint, const char *part)
{
    return xprintf("%s.evaluate-%s.json", checkpoint, part);
}

/* What tells one version of a file from another. New reference; NULL when there is none. */
static json_t *stamp(const char *path)
{
    struct stat at;
    if (stat(path, &at))
        return NULL;
    return json_pack("{s:I,s:f}", "size_bytes", (json_int_t)at.st_size, "modified",
                     (double)at.st_mtim.tv_sec + 1e-9 * (double)at.st_mtim.tv_nsec);
}

void evaluation_keep(const char *checkpoint, const json_t *result)
{
    struct err ignored;
    json_t *of = stamp(checkpoint);
    const char *part = js_string(result, "split", NULL);
    if (of && part) {
        json_t *all = json_pack("{s:f,s:O,s:O}", "made", io_wall_seconds(), "of", of, "result", (json_t *)result);
        char *path = kept_path(checkpoint, part), *text = js_text(all, 0);
        bool kept = atomic_file_save(path, text, strlen(text), &ignored);
        (void)kept;
        free(text);
        free(path);
        json_decref(all);
    }
    json_decref(of);
}

json_t *evaluation_kept(const char *checkpoint, const char *part, double *made)
{
    struct err ignored;
    json_t *of = stamp(checkpoint), *result = NULL;
    for (int i = 0; of && i < 3 && !result; i++) {
        if (part && strcmp(part, parts[i]) != 0)
            continue;
        char *path = kept_path(checkpoint, parts[i]);
        json_t *all = path_exists(path) ? js_read(path, JS_STRICT, &ignored) : NULL;
        bool fits = all && js_equal(json_object_get(all, "of"), of) && json_is_object(json_object_get(all, "result"));
        if (fits && (part || !strcmp(evaluation_next_part(json_object_get(all, "result"), NULL), parts[i]))) {
            result = json_incref(json_object_get(all, "result"));
            *made = js_double(all, "made", 0);
        }
        json_decref(all);
        free(path);
    }
    json_decref(of);
    return result;
}
