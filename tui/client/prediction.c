/* prediction.c - see prediction.h */
#include "tui/client/prediction.h"

#include "base/io.h"
#include "persistence/runs/kept_results.h"
#include "tui/client/evaluation.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WRITTEN_MOST = 16, WRITTEN_MAX_BYTES = 128 << 10, WHAT_SIZE = 80 };
static const char *const parts[] = {"test", "validation", "train"};

/* ---- predictions: pieces of the samples of a part ---- */

struct piece {
    int64_t first, end;
    char what[WHAT_SIZE];
};

static bool read_piece(const char *what, const char *part, struct piece *piece)
{
    long long first, end;
    char prefix[32];
    int n = snprintf(prefix, sizeof prefix, "predict-%.12s-", part), used = 0;
    if (strncmp(what, prefix, (size_t)n) != 0 || sscanf(what + n, "%lld-%lld%n", &first, &end, &used) != 2 ||
        what[n + used] || first < 0 || end <= first || strlen(what) >= WHAT_SIZE)
        return false;
    *piece = (struct piece){.first = first, .end = end};
    snprintf(piece->what, sizeof piece->what, "%s", what);
    return true;
}

/* The piece that holds a sample and goes furthest behind it. False: none. */
static bool find_piece(const char *checkpoint, const char *part, int64_t sample, struct piece *best)
{
    struct arena arena = {0};
    const char *const *list;
    size_t n = kept_list(checkpoint, &arena, &list);
    struct piece piece;
    *best = (struct piece){0};
    for (size_t i = 0; i < n; i++)
        if (read_piece(list[i], part, &piece) && piece.first <= sample && piece.end > sample && piece.end > best->end)
            *best = piece;
    arena_release(&arena);
    return best->end > 0;
}

void prediction_forget(const char *checkpoint, const char *part)
{
    struct arena arena = {0};
    const char *const *list;
    size_t n = kept_list(checkpoint, &arena, &list);
    struct piece piece;
    for (size_t i = 0; i < n; i++)
        if (read_piece(list[i], part, &piece))
            kept_drop(checkpoint, list[i]);
    arena_release(&arena);
}

void prediction_keep(const char *checkpoint, const json_t *result)
{
    const json_t *details = json_object_get(result, "details");
    const char *part = js_string(result, "split", NULL);
    int64_t n = (int64_t)json_array_size(details), first = js_int(json_array_get(details, 0), "index", -1);
    struct piece piece;
    char what[WHAT_SIZE];
    if (!part || !n || first < 0 || n != js_int(result, "samples", -1))
        return;
    double made;
    bool found = find_piece(checkpoint, part, first, &piece);
    json_t *known = found ? kept_read(checkpoint, piece.what, &made) : NULL;
    if (!known && first == 0) /* what there is was made of another file or of other data */
        prediction_forget(checkpoint, part);
    else if (!known && found)
        kept_drop(checkpoint, piece.what);
    if (!known || piece.end < first + n) {
        snprintf(what, sizeof what, "predict-%.12s-%lld-%lld", part, (long long)first, (long long)(first + n));
        kept_save(checkpoint, what, result);
    }
    json_decref(known);
}

/* Entries from .. to of an array. */
static void add_slice(json_t *to, const json_t *array, int64_t from, int64_t end)
{
    for (int64_t i = from; i < end; i++)
        json_array_append(to, json_array_get(array, (size_t)i));
}

static bool is_whole(const json_t *result, int64_t n)
{
    const json_t *outputs = json_object_get(result, "outputs");
    const char *name;
    json_t *values;
    bool whole = (int64_t)json_array_size(json_object_get(result, "details")) == n && json_object_size(outputs) > 0;
    json_object_foreach((json_t *)outputs, name, values)
        whole = whole && (int64_t)json_array_size(values) == n;
    return whole;
}

/* The samples of `piece` from `at` up to `end` behind those of all. */
static void join(json_t *all, const json_t *result, const struct piece *piece, int64_t at, int64_t end)
{
    json_t *outputs = json_object_get(all, "outputs"), *values;
    const char *name;
    add_slice(json_object_get(all, "details"), json_object_get(result, "details"), at - piece->first,
              end - piece->first);
    json_object_foreach(json_object_get(result, "outputs"), name, values) {
        if (!json_object_get(outputs, name))
            json_object_set_new(outputs, name, json_array());
        add_slice(json_object_get(outputs, name), values, at - piece->first, end - piece->first);
    }
}

static json_t *gather(const char *checkpoint, const char *part, int64_t first, int64_t end, double *made)
{
    json_t *all = NULL, *result;
    struct piece piece;
    double one = 0;
    int64_t at = first;
    *made = INFINITY;
    while ((end < 0 || at < end) && find_piece(checkpoint, part, at, &piece) &&
           (result = kept_read(checkpoint, piece.what, &one))) {
        int64_t total = js_int(json_object_get(result, "data"), "total", 0);
        end = end < 0 || end > total ? total : end;
        int64_t to = piece.end < end ? piece.end : end;
        bool fits = is_whole(result, piece.end - piece.first) && to > at;
        if (fits && !all)
            all = json_pack("{s:s,s:i,s:{},s:s,s:[],s:O}", "checkpoint", checkpoint, "samples", 0, "outputs", "split",
                            part, "details", "data", json_object_get(result, "data"));
        if (fits)
            join(all, result, &piece, at, to);
        json_decref(result);
        if (!fits)
            break;
        *made = fmin(*made, one);
        at = to;
    }
    if (all)
        json_object_set_new(all, "samples", json_integer((json_int_t)(at - first)));
    return all;
}

json_t *prediction_kept(const char *checkpoint, const char *part, int64_t first, int64_t end, double *made)
{
    if (part && *part)
        return gather(checkpoint, part, first, end, made);
    for (int i = 0; i < 3; i++) {
        json_t *result = gather(checkpoint, parts[i], first, end, made);
        if (result && !strcmp(evaluation_next_part(result, NULL), parts[i]))
            return result;
        json_decref(result);
    }
    return NULL;
}

/* ---- texts ---- */

static bool is_wished(const json_t *text, const struct text_wishes *w)
{
    return !w || (!strcmp(js_string(text, "prompt", ""), w->prompt) && js_int(text, "seed", -1) == w->seed &&
                  js_double(text, "temperature", -1) == w->temperature &&
                  (int64_t)json_array_size(json_object_get(text, "tokens")) == w->tokens);
}

static int find_text(const json_t *texts, const struct text_wishes *wishes)
{
    for (int i = (int)json_array_size(texts) - 1; i >= 0; i--)
        if (is_wished(json_object_get(json_array_get(texts, (size_t)i), "result"), wishes))
            return i;
    return -1;
}

void written_keep(const char *checkpoint, const json_t *result)
{
    double made;
    char *text = js_text(result, 0);
    bool small = strlen(text) <= WRITTEN_MAX_BYTES;
    struct text_wishes wishes = {.prompt = js_string(result, "prompt", ""),
                                 .tokens = (int64_t)json_array_size(json_object_get(result, "tokens")),
                                 .seed = js_int(result, "seed", 0),
                                 .temperature = js_double(result, "temperature", 0)};
    json_t *kept = small ? kept_read(checkpoint, "texts", &made) : NULL, *texts = kept ? json_copy(kept) : json_array();
    int before = find_text(texts, &wishes);
    if (before >= 0)
        json_array_remove(texts, (size_t)before);
    while (json_array_size(texts) >= WRITTEN_MOST)
        json_array_remove(texts, 0);
    json_array_append_new(texts, json_pack("{s:f,s:O}", "made", io_wall_seconds(), "result", (json_t *)result));
    if (small)
        kept_save(checkpoint, "texts", texts);
    json_decref(texts);
    json_decref(kept);
    free(text);
}

json_t *written_kept(const char *checkpoint, const struct text_wishes *wishes, double *made)
{
    json_t *texts = kept_read(checkpoint, "texts", made);
    int at = find_text(texts, wishes);
    const json_t *text = at >= 0 ? json_array_get(texts, (size_t)at) : NULL;
    json_t *result = text ? json_incref(json_object_get(text, "result")) : NULL;
    if (result)
        *made = js_double(text, "made", *made);
    json_decref(texts);
    return result;
}
