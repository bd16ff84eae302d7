/* model_text.c - see model_text.h */
#include "base/arena.h"
#include "plots/format.h"
#include "tui/client/cli_text.h"
#include "tui/views/model_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *shape_of(struct arena *arena, const json_t *shape)
{
    struct str text = {0};
    text_add_shape(&text, shape);
    const char *kept = arena_strdup(arena, str_text(&text));
    str_release(&text);
    return kept;
}

static const char *count_of(struct arena *arena, const json_t *count)
{
    char text[32];
    return json_is_integer(count) ? arena_strdup(arena, format_count(text, sizeof text, json_integer_value(count)))
                                  : text_missing();
}

static void add_layers(struct page *page, const json_t *layers)
{
    enum { COLUMNS = 5 };
    struct arena arena = {0};
    size_t n = json_array_size(layers), i;
    const char **cells = arena_array(&arena, (n + 1) * COLUMNS, sizeof *cells), **to = cells;
    static const char *const titles[COLUMNS] = {"layer", "class", "output", "params", ""};
    memcpy(to, titles, sizeof titles);
    const json_t *layer;
    json_array_foreach((json_t *)layers, i, layer) {
        to += COLUMNS;
        to[0] = js_string(layer, "name", "");
        to[1] = js_string(layer, "class", "");
        to[2] = shape_of(&arena, json_object_get(layer, "output_shape"));
        to[3] = count_of(&arena, json_object_get(layer, "params"));
        bool mixed = strcmp(js_string(layer, "dtype_policy", "float32"), "float32") != 0;
        bool frozen = !js_bool(layer, "trainable", true);
        to[4] = frozen && mixed ? "frozen, bfloat16" : frozen ? "frozen" : mixed ? "bfloat16" : "";
    }
    page_head(page, "layers");
    page_table(page, cells, (int)n + 1, COLUMNS, 1 << 3);
    arena_release(&arena);
}

static void add_weights(struct page *page, const json_t *weights)
{
    enum { COLUMNS = 3 };
    struct arena arena = {0};
    size_t n = json_array_size(weights), i;
    const char **cells = arena_array(&arena, (n + 1) * COLUMNS, sizeof *cells), **to = cells;
    static const char *const titles[COLUMNS] = {"path in the file", "shape", "type"};
    memcpy(to, titles, sizeof titles);
    const json_t *weight;
    json_array_foreach((json_t *)weights, i, weight) {
        to += COLUMNS;
        to[0] = js_string(weight, "path", "");
        to[1] = shape_of(&arena, json_object_get(weight, "shape"));
        to[2] = js_string(weight, "dtype", "");
    }
    page_head(page, "weights");
    page_table(page, cells, (int)n + 1, COLUMNS, 0);
    arena_release(&arena);
}

/* As few digits as give the same float32: 0.001, not 0.0010000000474974513. */
static char *short_real(double value)
{
    char text[40];
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if ((float)strtod(text, NULL) == (float)value)
            break;
    }
    return xstrdup(text);
}

static void add_values(struct page *page, const json_t *object)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) {
        char *text = json_is_string(value) ? xstrdup(json_string_value(value))
                     : json_is_real(value) ? short_real(json_real_value(value))
                                           : js_text(value, 0);
        page_fact(page, key, "%s", text);
        free(text);
    }
}

static void add_optimizer(struct page *page, const json_t *optimizer)
{
    page_head(page, "optimizer");
    if (!json_is_object(optimizer)) {
        page_line(page, STYLE_FAINT, "none in the file: training goes on with a new one");
        return;
    }
    page_fact(page, "class", "%s", js_string(optimizer, "class", "unknown"));
    page_fact(page, "state", "%lld variables", (long long)js_int(optimizer, "variables", 0));
    add_values(page, json_object_get(optimizer, "config"));
}

void model_text_add(struct page *page, const json_t *result)
{
    const json_t *model = json_object_get(result, "model"), *antler = json_object_get(result, "antler"), *problem;
    size_t i;
    char count[32];
    json_array_foreach(json_object_get(result, "problems"), i, problem)
        page_linef(page, STYLE_ERROR, "problem: %s", json_string_value(problem) ? json_string_value(problem) : "");
    page_fact(page, "file", "%s", js_string(result, "file", ""));
    page_fact(page, "format", "%s%s%s", js_string(result, "format", ""),
              js_string(result, "keras_version", NULL) ? ", Keras " : "", js_string(result, "keras_version", ""));
    if (json_is_object(model))
        page_fact(page, "model", "%s %s", js_string(model, "class", ""), js_string(model, "name", ""));
    page_fact(page, "parameters", "%s", format_count(count, sizeof count, js_int(result, "params", 0)));
    if (json_is_object(antler))
        page_fact(page, "training", "epoch %lld, step %lld, seed %lld", (long long)js_int(antler, "epoch", 0),
                  (long long)js_int(antler, "step", 0), (long long)js_int(antler, "seed", 0));
    if (json_array_size(json_object_get(result, "layers")))
        add_layers(page, json_object_get(result, "layers"));
    add_optimizer(page, json_object_get(result, "optimizer"));
    if (json_array_size(json_object_get(result, "weights")))
        add_weights(page, json_object_get(result, "weights"));
}

static const json_t *find_weight(const json_t *weights, const char *path)
{
    const json_t *weight;
    size_t i;
    json_array_foreach((json_t *)weights, i, weight)
        if (!strcmp(js_string(weight, "path", ""), path))
            return weight;
    return NULL;
}

/* The weights of layers of one that the other lacks, or (shapes) has in another shape. Returns how many. */
static int add_one_side(struct page *page, const json_t *of, const json_t *other, const char *only, bool shapes)
{
    struct arena arena = {0};
    const json_t *weight;
    size_t i;
    int n = 0;
    json_array_foreach((json_t *)of, i, weight) {
        const char *path = js_string(weight, "path", ""), *shape = shape_of(&arena, json_object_get(weight, "shape"));
        const json_t *twin = find_weight(other, path);
        if (str_starts(path, "optimizer/") || str_starts(path, "antler/"))
            continue;
        if (!twin)
            page_linef(page, STYLE_CHANGED, "%s  %s %s", only, path, shape), n++;
        else if (shapes && !js_equal(json_object_get(weight, "shape"), json_object_get(twin, "shape")))
            page_linef(page, STYLE_CHANGED, "A, B    %s %s, %s", path, shape,
                       shape_of(&arena, json_object_get(twin, "shape"))),
                n++;
    }
    arena_release(&arena);
    return n;
}

void model_text_differences(struct page *page, const json_t *left, const json_t *right)
{
    const json_t *a = json_object_get(left, "weights"), *b = json_object_get(right, "weights");
    page_head(page, "weights");
    int n = add_one_side(page, a, b, "only A", true) + add_one_side(page, b, a, "only B", false);
    if (!n)
        page_line(page, STYLE_FAINT, "the layers have the same weights with the same shapes in both files");
}
